#include "fcgi-master/gateway.h"

#include "common/json.h"
#include "common/predicate.h"
#include "common/query.h"
#include "fcgi-master/cursor.h"
#include "fcgi-master/drift.h"
#include "fcgi-master/exchange.h"
#include "fcgi-master/ingest.h"
#include "fcgi-master/plan.h"
#include "fcgi-master/router.h"
#include "fcgi-master/select.h"
#include "fcgi-master/spread.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request on rows, under way. */
struct statement {
    struct exchange x;
    const struct operation *operation;

    /* the body's members, NULL where absent */
    struct json_object *data;
    struct json_object *set;
    struct json_object *params;
    struct json_object *shard_key;
    struct predicate *condition;
    struct query query; /* of a select; its condition is the one above */
    bool scatter;

    /* made from them and the table's description */
    struct table *table;
    struct shardset shards;
    struct router_key key;    /* of an insert of one row */
    struct spread spread;     /* of an insert of an array */
    struct plan plan;         /* of a select over several shards, or none, or of a page */
    struct cursor_seal seal;  /* of a page */
    struct cursor from;       /* the row before it */
};

struct operation {
    const char *path;
    enum merge_kind kind;
    bool write;
    const char *const *members;                       /* that the body may have */
    int (*read)(struct statement *s, struct err *e);  /* its members into s */
    int (*route)(struct statement *s, struct err *e); /* s->table to s->shards; may run twice */
    int (*answer)(struct statement *s, struct buf *out, struct err *e); /* the parts to one answer; NULL: rows that stream */
};

/* Reading the body */

static const char *const insert_members[] = {"db_name", "table", "data", "shard_key", NULL};
static const char *const select_members[] = {
    "db_name", "table", "condition", "shard_key",  "columns",  "params", "order_by",      "limit",
    "offset",  "after", "distinct",  "aggregates", "group_by", "having", "allow_partial", NULL};
static const char *const update_members[] = {"db_name",   "table",   "set",    "condition",
                                             "shard_key", "scatter", "params", NULL};
static const char *const delete_members[] = {"db_name", "table", "condition", "shard_key", "scatter", "params", NULL};
static const char *const count_members[] = {"db_name", "table", "condition", "params", NULL};

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n')
            return false;
    }
    return true;
}

static int read_condition(struct statement *s, struct err *e)
{
    const char *text = NULL;
    size_t len = 0;
    if (json_get_object(s->x.body, "params", false, &s->params, e) != 0 ||
        json_get_string(s->x.body, "condition", false, &text, &len, e) != 0)
        return -1;
    bool write = s->operation->write;
    if (write && (text == NULL || is_blank(text, len)))
        return err_set(e, ERR_UNSAFE_STATEMENT, "condition: %s needs one", s->operation->path);
    if (text == NULL) {
        struct json_iter it = {0};
        const char *name = NULL;
        struct json_object *value = NULL;
        if (s->params != NULL && json_next(s->params, &it, &name, &value))
            return err_set(e, ERR_BAD_FIELD, "params: there is no condition that uses '%.64s'", name);
        return 0;
    }
    if ((write ? predicate_parse_for_write : predicate_parse)(text, len, &s->condition, e) != 0)
        return -1;
    return predicate_bind(s->condition, s->params, e);
}

/* A null shard_key counts as absent. */
static void read_shard_key(struct statement *s)
{
    if (!json_member(s->x.body, "shard_key", &s->shard_key))
        s->shard_key = NULL;
}

static int read_insert(struct statement *s, struct err *e)
{
    read_shard_key(s);
    if (!json_member(s->x.body, "data", &s->data) || json_kind(s->data) == JSON_NULL)
        return err_set(e, ERR_MISSING_FIELD, "data: missing; an object, or an array of objects is expected");
    enum json_kind kind = json_kind(s->data);
    if (kind == JSON_OBJECT)
        return 0;
    if (kind != JSON_ARRAY || json_array_length(s->data) == 0)
        return err_set(e, ERR_BAD_FIELD, "data: an object, or an array of at least one, is expected");
    for (size_t i = 0; i < json_array_length(s->data); i++) {
        kind = json_kind(json_array_at(s->data, i));
        if (kind != JSON_OBJECT)
            return err_set(e, ERR_BAD_FIELD, "data[%zu]: an object is expected, not %s", i, json_kind_name(kind));
    }
    return 0;
}

static int read_select(struct statement *s, struct err *e)
{
    read_shard_key(s);
    int rc = query_read(s->x.body, &s->query, e);
    s->condition = s->query.condition;
    s->query.condition = NULL;
    return rc;
}

static int read_delete(struct statement *s, struct err *e)
{
    read_shard_key(s);
    if (json_get_bool(s->x.body, "scatter", false, &s->scatter, e) != 0)
        return -1;
    return read_condition(s, e);
}

static int read_update(struct statement *s, struct err *e)
{
    struct json_iter it = {0};
    const char *name = NULL;
    struct json_object *value = NULL;
    if (json_get_object(s->x.body, "set", true, &s->set, e) != 0)
        return -1;
    if (!json_next(s->set, &it, &name, &value))
        return err_set(e, ERR_BAD_FIELD, "set: must name at least one column");
    return read_delete(s, e);
}

/* From the table to the shards */

static int route_rows(struct statement *s, struct err *e)
{
    const struct spread_target target = {.db = s->x.db, .table = s->x.table, .shard_key = s->shard_key};
    return spread_rows(&s->spread, s->table, &target, s->data, s->x.master->cluster->worker_count, &s->shards, e);
}

static int route_insert(struct statement *s, struct err *e)
{
    if (json_kind(s->data) == JSON_ARRAY)
        return route_rows(s, e);
    size_t shards = s->x.master->cluster->worker_count;
    if (router_row(s->table, shards, s->data, "data", s->shard_key, &s->key, e) != 0)
        return -1;
    s->shards = shardset_one(s->key.shard);
    return 0;
}

/* The shards that condition and shard_key leave. */
static int route_condition(struct statement *s, struct err *e)
{
    size_t shards = s->x.master->cluster->worker_count;
    s->shards = shardset_all(shards);
    if (s->condition != NULL) {
        if (router_check_columns(s->table, s->condition, e) != 0)
            return -1;
        s->shards = router_condition(s->table, shards, s->condition);
    }
    if (s->shard_key == NULL)
        return 0;
    if (router_shard_key(s->table, shards, s->shard_key, &s->key, e) != 0)
        return -1;
    if (!shardset_has(&s->shards, s->key.shard))
        return err_set(e, ERR_SHARD_KEY_MISMATCH,
                       "shard_key: '%.64s' is on shard %zu, where the condition cannot be true", buf_text(&s->key.text),
                       s->key.shard);
    s->shards = shardset_one(s->key.shard);
    return 0;
}

/* The plan of a page, from where the client's cursor says. */
static int plan_from_cursor(struct statement *s, struct err *e)
{
    const struct master *m = s->x.master;
    cursor_init(&s->from);
    int rc = cursor_seal_make(&s->seal, m->token, s->x.body, s->table->tag, m->cluster, e);
    if (rc == 0 && s->query.after != NULL)
        rc = cursor_read(&s->seal, s->query.after, s->query.after_len, &s->from, e);
    return rc == 0 ? plan_make(&s->plan, &s->query, s->table, s->x.body, &s->from, e) : rc;
}

/* One shard computes the whole answer itself, but for a page: of that the last row's values are needed. */
static int route_select(struct statement *s, struct err *e)
{
    bool paged = false;
    const struct query_table columns = plan_columns(s->table);
    if (query_resolve(&s->query, &columns, e) != 0 || route_condition(s, e) != 0)
        return -1;
    if (plan_page(&s->query, s->table, &paged, e) != 0)
        return -1;
    if (paged)
        return plan_from_cursor(s, e);
    return shardset_count(&s->shards) == 1 ? 0 : plan_make(&s->plan, &s->query, s->table, s->x.body, NULL, e);
}

static int route_delete(struct statement *s, struct err *e)
{
    if (route_condition(s, e) != 0)
        return -1;
    if (shardset_count(&s->shards) > 1 && !s->scatter)
        return err_set(e, ERR_SHARD_KEY_REQUIRED,
                       "shard_key: missing, and the condition leaves %zu shards; give one, or a condition on the shard "
                       "column, or \"scatter\": true",
                       shardset_count(&s->shards));
    return 0;
}

static int route_update(struct statement *s, struct err *e)
{
    struct json_iter it = {0};
    const char *name = NULL;
    struct json_object *value = NULL;
    while (json_next(s->set, &it, &name, &value)) {
        const struct table_column *c = table_find_column(s->table, name, strlen(name));
        if (c == NULL)
            return err_set(e, ERR_UNKNOWN_COLUMN, "set: the table has no column '%.128s'", name);
        if (c == s->table->shard_column)
            return err_set(e, ERR_UNSAFE_STATEMENT,
                           "set: '%s' is the shard column; the row would be on the wrong shard", c->name);
    }
    return route_delete(s, e);
}

/* Each shard counts, so that the map has them all. */
static int route_count(struct statement *s, struct err *e)
{
    if (s->condition != NULL && router_check_columns(s->table, s->condition, e) != 0)
        return -1;
    s->shards = shardset_all(s->x.master->cluster->worker_count);
    return 0;
}

/* From the parts to the answer */

/* {…} becomes {…,"routing":{"key":…,"source":…,"shard":…}} */
static void append_routing(const struct router_key *key, struct buf *answer)
{
    while (answer->len > 0 && answer->data[answer->len - 1] != '}')
        buf_truncate(answer, answer->len - 1);
    if (answer->len == 0)
        return;
    buf_truncate(answer, answer->len - 1);
    buf_append_text(answer, ",\"routing\":{\"key\":");
    json_write_string(answer, buf_text(&key->text), key->text.len);
    buf_printf(answer, ",\"source\":\"%s\",\"shard\":%zu}}", router_source_name(key->source), key->shard);
}

static int answer_parts(struct statement *s, struct buf *out, struct err *e)
{
    (void)e;
    merge_answer(s->x.parts, s->x.part_count, s->operation->kind, out);
    return 0;
}

static int answer_insert(struct statement *s, struct buf *out, struct err *e)
{
    (void)answer_parts(s, out, e);
    if (json_kind(s->data) == JSON_OBJECT)
        append_routing(&s->key, out);
    return 0;
}

/* Why just these shards are asked. */
static void append_reason(const struct statement *s, struct buf *out)
{
    size_t asked = shardset_count(&s->shards), all = s->x.master->cluster->worker_count;
    if (s->shard_key != NULL)
        buf_append_text(out, "shard_key names the shard");
    else if (asked == 0)
        buf_append_text(out, "the condition can be true on no shard");
    else if (s->condition == NULL)
        buf_append_text(out, "no condition: all shards");
    else if (asked == all)
        buf_append_text(out, "the condition rules out no shard");
    else
        buf_printf(out, "the condition on %s leaves %zu of %zu shards", s->table->shard_column->name, asked, all);
}

static int answer_explain(struct statement *s, struct buf *out, struct err *e)
{
    struct buf reason, steps;
    (void)e;
    buf_init(&reason, ERR_DETAIL_MAX);
    buf_init(&steps, ERR_DETAIL_MAX * 2);
    append_reason(s, &reason);
    if (s->plan.kind == PLAN_PLAIN && shardset_count(&s->shards) == 1)
        buf_append_text(&steps, "[\"pass the worker's answer on\"]");
    else
        plan_write_steps(&s->plan, &steps);
    merge_explain(s->x.parts, s->x.part_count, buf_text(&reason), buf_text(&steps), out);
    buf_clear(&reason);
    buf_clear(&steps);
    return 0;
}

enum { INSERT, SELECT, UPDATE, DELETE, COUNT, EXPLAIN };

static const struct operation operations[] = {
    [INSERT] = {"/insert", MERGE_WRITE, true, insert_members, read_insert, route_insert, answer_insert},
    [SELECT] = {"/select", MERGE_SELECT, false, select_members, read_select, route_select, NULL},
    [UPDATE] = {"/update", MERGE_WRITE, true, update_members, read_update, route_update, answer_parts},
    [DELETE] = {"/delete", MERGE_WRITE, true, delete_members, read_delete, route_delete, answer_parts},
    [COUNT] = {"/map-reduce-count", MERGE_COUNT, false, count_members, read_condition, route_count, answer_parts},
    [EXPLAIN] = {"/explain", MERGE_EXPLAIN, false, select_members, read_select, route_select, answer_explain},
};

/* One request, top to bottom */

static void clear_route(struct statement *s)
{
    spread_clear(&s->spread);
    plan_clear(&s->plan);
    s->plan = (struct plan){0};
    cursor_clear(&s->from);
    s->shards = shardset_none();
    router_key_clear(&s->key);
    router_key_init(&s->key);
    table_release(s->table);
    s->table = NULL;
}

/* Finds the table and the shards. Before a kept description is the reason for a refusal, or for asking nobody, a fresh
 * one is asked for: no worker would notice that the kept one is out of date. */
static int find_shards(struct statement *s, bool fresh)
{
    bool kept = false;
    clear_route(s);
    if (exchange_describe(&s->x, fresh, &s->table, &kept) != 0)
        return -1;
    struct err e = ERR_INIT;
    int rc = s->operation->route(s, &e);
    if (kept && (rc != 0 || shardset_count(&s->shards) == 0))
        return find_shards(s, true);
    if (rc == 0 && s->data == NULL && shardset_count(&s->shards) > s->x.master->cluster->limits.max_scatter)
        rc = err_set(&e, ERR_BAD_FIELD, "limits.max_scatter: %zu shards would be asked, and %zu may be; give a shard_key, or a condition on the shard column",
                     shardset_count(&s->shards), s->x.master->cluster->limits.max_scatter);
    if (rc != 0)
        s->x.err = e;
    return rc;
}

static void ask_shards(struct statement *s)
{
    const struct exchange_question q = {
        .path = s->operation->path,
        .kind = s->operation->kind,
        .stream = s->operation->answer == NULL,
        .together = s->operation->kind == MERGE_SELECT || s->operation->kind == MERGE_WRITE,
        .write = s->operation->write,
        .schema_tag = s->table->tag,
        .deadline_us = s->x.deadline_us,
    };
    exchange_begin(&s->x);
    for (size_t i = 0; i < s->x.master->cluster->worker_count; i++) {
        if (!shardset_has(&s->shards, i))
            continue;
        const struct buf *own = s->plan.body.len > 0 ? &s->plan.body : spread_body(&s->spread, i);
        exchange_add(&s->x, &q, i, own != NULL ? buf_text(own) : s->x.text, own != NULL ? own->len : s->x.len);
    }
    exchange_run(&s->x, &q);
}

/* Did a worker find the description out of date, and none write anything? */
static bool is_outdated(const struct statement *s)
{
    bool outdated = false;
    for (size_t i = 0; i < s->x.part_count; i++) {
        const struct merge_part *p = &s->x.parts[i];
        enum err_outcome outcome = p->err.code != ERR_NONE ? p->err.outcome : p->applied;
        if (outcome != OUTCOME_NOT_APPLIED)
            return false;
        outdated = outdated || p->err.code == ERR_SCHEMA_CHANGED;
    }
    return outdated;
}

/* A worker names a row by its place in what it was sent; the client knows its own array. */
static void name_rows(struct statement *s)
{
    for (size_t i = 0; s->spread.rows > 0 && i < s->x.part_count; i++) {
        struct merge_part *p = &s->x.parts[i];
        size_t index = 0;
        const char *rest = p->err.code != ERR_NONE ? merge_row_index(p->err.detail, &index) : NULL;
        size_t place = rest != NULL ? spread_place(&s->spread, p->shard, index) : s->spread.rows;
        char name[32];
        if (place == s->spread.rows)
            continue;
        snprintf(name, sizeof name, "data[%zu]", place);
        merge_rename_row(&p->err, rest, name);
    }
}

/* May the answer go without the shards that failed? */
static bool is_good_enough(const struct statement *s)
{
    bool failed = merge_failed(s->x.parts, s->x.part_count);
    return !failed || (s->operation->kind == MERGE_SELECT && s->query.allow_partial &&
                       merge_only_lost(s->x.parts, s->x.part_count));
}

/* 0, or -1 with s->x.err set and nothing answered. */
static int answer(struct statement *s)
{
    struct buf out;
    if (s->operation->answer == NULL)
        return select_answer(&s->x, &s->plan, &s->query, &s->seal);
    buf_init(&out, EXCHANGE_MAX_ANSWER);
    int rc = s->operation->answer(s, &out, &s->x.err);
    if (rc == 0 && exchange_replayed(&s->x))
        http_add_header(s->x.h, "Idempotency-Replayed", "true");
    if (rc == 0)
        http_reply(s->x.h, 200, &out);
    buf_clear(&out);
    return rc;
}

static void serve(struct http *h, void *thread, const struct operation *operation)
{
    struct statement s = {.operation = operation};
    router_key_init(&s.key);
    if (exchange_open(&s.x, h, thread) != 0 || exchange_read_body(&s.x, operation->members, operation->write ? EXCHANGE_KEY_TAKEN : EXCHANGE_KEY_IGNORED) != 0 ||
        operation->read(&s, &s.x.err) != 0 || find_shards(&s, false) != 0)
        goto fail;
    ask_shards(&s);
    if (is_outdated(&s)) {
        if (find_shards(&s, true) != 0)
            goto fail;
        ask_shards(&s);
    }
    drift_explain(&s.x, s.table);
    name_rows(&s);
    if (!is_good_enough(&s))
        (void)exchange_refuse(&s.x, operation->kind);
    else if (answer(&s) == 0)
        goto out;
fail:
    exchange_fail(&s.x);
out:
    clear_route(&s);
    router_key_clear(&s.key);
    query_clear(&s.query);
    predicate_free(s.condition);
    exchange_close(&s.x);
}

void gateway_insert(struct http *h, void *thread)
{
    if (http_has_type(h, INGEST_TYPE))
        ingest_lines(h, thread);
    else
        serve(h, thread, &operations[INSERT]);
}

void gateway_select(struct http *h, void *thread)
{
    serve(h, thread, &operations[SELECT]);
}

void gateway_update(struct http *h, void *thread)
{
    serve(h, thread, &operations[UPDATE]);
}

void gateway_delete(struct http *h, void *thread)
{
    serve(h, thread, &operations[DELETE]);
}

void gateway_count(struct http *h, void *thread)
{
    serve(h, thread, &operations[COUNT]);
}

void gateway_explain(struct http *h, void *thread)
{
    serve(h, thread, &operations[EXPLAIN]);
}
