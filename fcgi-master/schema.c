#include "fcgi-master/schema.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/sqltype.h"
#include "fcgi-master/exchange.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_NOTE 320

/* One shard's way through the change. */
struct step {
    struct merge_part part; /* what the answer says about it */
    bool needed;            /* the check found something to do here */
    char note[MAX_NOTE];
};

struct change {
    struct exchange x;
    const struct change_kind *kind;
    bool lenient;                /* if_not_exists, if_exists */
    struct json_object *columns; /* /create-table */
    const char *shard_column;    /* as given, or NULL */
    struct step *steps;          /* one a worker */
};

struct change_kind {
    const char *path;
    const char *undo_path; /* NULL: it cannot be undone */
    const char *lenient;   /* the member that makes "already so" a success */
    const char *const *members;
    int (*read)(struct change *c, struct err *e); /* checks what the body says beyond the names */
    enum err_code done[3];                        /* a check's errors that mean "already so"; ends with ERR_NONE */
};

/* Reading the body */

static const char *const create_db_members[] = {"db_name", "if_not_exists", NULL};
static const char *const drop_db_members[] = {"db_name", "if_exists", NULL};
static const char *const create_table_members[] = {"db_name",      "table",         "columns",
                                                   "shard_column", "if_not_exists", NULL};
static const char *const delete_table_members[] = {"db_name", "table", "if_exists", NULL};

static int read_nothing(struct change *c, struct err *e)
{
    (void)c;
    (void)e;
    return 0;
}

/* A name that stands twice, in whatever case, would be an error of each shard's. `before` columns are looked at. */
static bool is_repeated(const struct json_object *columns, size_t before, const char *name)
{
    struct json_iter it = {0};
    const char *other = NULL;
    struct json_object *value = NULL;
    for (size_t i = 0; i < before && json_next(columns, &it, &other, &value); i++) {
        if (table_same_name(other, strlen(other), name, strlen(name)))
            return true;
    }
    return false;
}

/* The table's shard column among the columns: what was named, else student_id, else user_id. NULL for none. */
static const char *find_shard_column(const struct change *c, struct json_object **type)
{
    const char *wanted[] = {"student_id", "user_id"};
    size_t count = 2;
    if (c->shard_column != NULL) {
        wanted[0] = c->shard_column;
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        struct json_iter it = {0};
        const char *name = NULL;
        while (json_next(c->columns, &it, &name, type)) {
            if (table_same_name(name, strlen(name), wanted[i], strlen(wanted[i])))
                return name;
        }
    }
    return NULL;
}

static int check_shard_column(struct change *c, struct err *e)
{
    struct json_object *text = NULL;
    const char *name = find_shard_column(c, &text);
    if (name == NULL)
        return c->shard_column == NULL
                   ? 0
                   : err_set(e, ERR_BAD_FIELD, "shard_column: columns has no '%.64s'", c->shard_column);
    size_t len = 0;
    const char *type = json_string(text, &len);
    struct sqltype_column column;
    if (sqltype_parse_column(name, type, len, &column, e) != 0)
        return -1;
    if (!sqltype_can_shard(&column.type))
        err_set(e, ERR_BAD_TYPE, "columns: column '%s': a column of type %s cannot be the shard column%s", name,
                sqltype_name(column.type.kind), c->shard_column != NULL ? "" : "; name another as shard_column");
    else if (column.has_default)
        err_set(e, ERR_BAD_FIELD,
                "columns: column '%s': the shard column cannot have a DEFAULT, which would put rows where their key does "
                "not lead",
                name);
    sqltype_column_clear(&column);
    return e->code == ERR_NONE ? 0 : -1;
}

static int read_create_table(struct change *c, struct err *e)
{
    size_t len = 0;
    if (sqltype_check_name("table", c->x.table, strlen(c->x.table), e) != 0 ||
        json_get_object(c->x.body, "columns", true, &c->columns, e) != 0 ||
        json_get_name(c->x.body, "shard_column", false, &c->shard_column, &len, e) != 0)
        return -1;
    struct json_iter it = {0};
    const char *name = NULL;
    struct json_object *value = NULL;
    size_t count = 0;
    size_t keys = 0;
    for (; json_next(c->columns, &it, &name, &value); count++) {
        char field[160];
        snprintf(field, sizeof field, "columns: column '%.128s'", name);
        if (count == TABLE_MAX_COLUMNS)
            return err_set(e, ERR_BAD_FIELD, "columns: more than %d", TABLE_MAX_COLUMNS);
        if (sqltype_check_name(field, name, strlen(name), e) != 0)
            return -1;
        if (is_repeated(c->columns, count, name))
            return err_set(e, ERR_BAD_NAME, "%s: the name stands twice", field);
        if (json_kind(value) != JSON_STRING)
            return err_set(e, ERR_BAD_FIELD, "%s: must be a string, not %s", field, json_kind_name(json_kind(value)));
        struct sqltype_column column;
        const char *type = json_string(value, &len);
        if (sqltype_parse_column(name, type, len, &column, e) != 0)
            return err_prefix(e, "columns");
        keys += column.primary_key ? 1 : 0;
        sqltype_column_clear(&column);
    }
    if (count == 0)
        return err_set(e, ERR_BAD_FIELD, "columns: must name at least one");
    if (keys > 1)
        return err_set(e, ERR_BAD_TYPE, "columns: %zu of them are PRIMARY KEY, one is possible", keys);
    return check_shard_column(c, e);
}

static const struct change_kind create_db = {"/create-db",      "/drop-db",     "if_not_exists",
                                             create_db_members, read_nothing, {ERR_ALREADY_EXISTS}};
static const struct change_kind drop_db = {"/drop-db",      NULL,         "if_exists",
                                           drop_db_members, read_nothing, {ERR_NO_SUCH_DATABASE}};
static const struct change_kind create_table = {"/create-table",      "/delete-table",   "if_not_exists",
                                                create_table_members, read_create_table, {ERR_ALREADY_EXISTS}};
static const struct change_kind delete_table = {
    "/delete-table", NULL, "if_exists", delete_table_members, read_nothing, {ERR_NO_SUCH_TABLE, ERR_NO_SUCH_DATABASE}};

static int read_change(struct change *c)
{
    struct err *e = &c->x.err;
    if (exchange_read_body(&c->x, c->kind->members, EXCHANGE_KEY_REFUSED) != 0 ||
        json_get_bool(c->x.body, c->kind->lenient, false, &c->lenient, e) != 0)
        return -1;
    return c->kind->read(c, e);
}

/* Changes of schema by this master go one by one: two requests for the same table would undo each other's half. */
static int lock_schema(struct change *c)
{
    int64_t left_us = c->x.deadline_us - clock_now_us();
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + (left_us > 0 ? left_us % 1000000 * 1000 : 0);
    until.tv_sec += (time_t)((left_us > 0 ? left_us / 1000000 : 0) + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    if (pthread_mutex_timedlock(&c->x.master->schema_lock, &until) == 0)
        return 0;
    return err_set(&c->x.err, ERR_TOO_BUSY, "another change of schema is under way");
}

/* The steps' parts become those of the exchange, for merge. */
static void show_steps(struct change *c)
{
    size_t count = c->x.master->cluster->worker_count;
    for (size_t i = 0; i < count; i++) {
        c->x.parts[i] = c->steps[i].part;
        c->x.parts[i].note = c->steps[i].note;
    }
    c->x.part_count = count;
}

static int refuse(struct change *c)
{
    show_steps(c);
    return exchange_refuse(&c->x, MERGE_SCHEMA);
}

/* Was the shard, by its check, already as the request wants it? */
static bool is_done(const struct change *c, const struct merge_part *p)
{
    if (p->err.code == ERR_NONE)
        return p->unchanged;
    for (const enum err_code *code = c->kind->done; *code != ERR_NONE; code++) {
        if (p->err.code == *code)
            return true;
    }
    return false;
}

/* {"check":true,…} and the client's own members behind it. */
static int write_check(const struct change *c, struct buf *out)
{
    const char *brace = memchr(c->x.text, '{', c->x.len); /* there: the body was read as an object */
    size_t rest = (size_t)(c->x.text + c->x.len - (brace + 1));
    buf_append_text(out, "{\"check\":true,");
    buf_append(out, brace + 1, rest);
    return buf_status(out);
}

/* Keeps what a round found out. The raw answer dies with the round. */
static void keep_part(struct step *s, const struct merge_part *p)
{
    s->part = *p;
    s->part.text = NULL;
    s->part.rows = s->part.number = s->part.list = (struct json_slice){0};
}

/* Asks every shard what the change would do there. 0 when it can be made; else -1 with the error. */
static int check_shards(struct change *c)
{
    size_t count = c->x.master->cluster->worker_count;
    size_t done = 0;
    bool refused = false;
    int rc = -1;
    const struct exchange_question q = {.path = c->kind->path, .kind = MERGE_SCHEMA, .deadline_us = c->x.deadline_us};
    struct buf body;
    buf_init(&body, c->x.len + 64);
    if (write_check(c, &body) != 0) {
        err_set(&c->x.err, ERR_INTERNAL, "out of memory");
        goto out;
    }
    exchange_begin(&c->x);
    for (size_t i = 0; i < count; i++)
        exchange_add(&c->x, &q, i, buf_text(&body), body.len);
    exchange_run(&c->x, &q);
    for (size_t i = 0; i < count; i++) {
        struct step *s = &c->steps[i];
        keep_part(s, &c->x.parts[i]);
        s->part.database = c->x.db;
        bool already = is_done(c, &s->part);
        s->needed = !already && s->part.err.code == ERR_NONE;
        done += already ? 1 : 0;
        refused = refused || (!already && !s->needed);
    }
    if (refused || (done == count && !c->lenient)) {
        rc = refuse(c);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        struct merge_part *p = &c->steps[i].part;
        p->unchanged = !c->steps[i].needed;
        p->err = ERR_INIT;
    }
    rc = 0;
out:
    buf_clear(&body);
    return rc;
}

/* Does a table have the columns that the request wants, in their order? */
static bool is_same_table(const struct change *c, const struct table *t)
{
    struct json_iter it = {0};
    const char *name = NULL;
    struct json_object *value = NULL;
    size_t i = 0;
    for (; json_next(c->columns, &it, &name, &value); i++) {
        struct err ignored = ERR_INIT;
        struct sqltype_column wanted;
        size_t len = 0;
        const char *text = json_string(value, &len);
        if (i == t->column_count || sqltype_parse_column(name, text, len, &wanted, &ignored) != 0)
            return false;
        const struct table_column *have = &t->columns[i];
        bool same = table_same_name(have->name, strlen(have->name), name, strlen(name)) && have->known_type &&
                    have->type.kind == wanted.type.kind && have->type.length == wanted.type.length &&
                    have->type.precision == wanted.type.precision && have->type.scale == wanted.type.scale &&
                    have->nullable == !wanted.not_null && have->has_default == wanted.has_default;
        sqltype_column_clear(&wanted);
        if (!same)
            return false;
    }
    struct json_object *type = NULL;
    const char *shard_column = find_shard_column(c, &type);
    const char *theirs = t->shard_column != NULL ? t->shard_column->name : NULL;
    if (shard_column == NULL || theirs == NULL)
        return i == t->column_count && shard_column == theirs;
    return i == t->column_count && table_same_name(shard_column, strlen(shard_column), theirs, strlen(theirs));
}

/* When some shards have the table and others lack it, a table of the same name but with other columns must not be
 * completed: no master could route by both. */
static int check_tables(struct change *c)
{
    size_t count = c->x.master->cluster->worker_count;
    bool some_needed = false;
    bool refused = false;
    exchange_begin(&c->x);
    for (size_t i = 0; i < count; i++)
        some_needed = some_needed || c->steps[i].needed;
    for (size_t i = 0; i < count && some_needed && c->columns != NULL; i++) {
        struct step *s = &c->steps[i];
        struct table *t = NULL;
        if (s->needed)
            continue;
        if (exchange_describe_at(&c->x, i, &t, &s->part.err) == 0 && !is_same_table(c, t))
            err_set(&s->part.err, ERR_ALREADY_EXISTS, "the table is there already, with other columns");
        refused = refused || s->part.err.code != ERR_NONE;
        table_release(t);
    }
    return refused ? refuse(c) : 0;
}

/* Asks the shards for which `wanted` holds, and stores each one's part in its step. */
static void ask_steps(struct change *c, const char *path, const char *body, size_t len, int64_t deadline_us,
                      bool (*wanted)(const struct step *s), void (*store)(struct step *s, const struct merge_part *p))
{
    const struct exchange_question q = {.path = path, .kind = MERGE_SCHEMA, .write = true, .deadline_us = deadline_us};
    exchange_begin(&c->x);
    for (size_t i = 0; i < c->x.master->cluster->worker_count; i++) {
        if (wanted(&c->steps[i]))
            exchange_add(&c->x, &q, i, body, len);
    }
    exchange_run(&c->x, &q);
    for (size_t i = 0; i < c->x.part_count; i++) {
        const struct merge_part *p = &c->x.parts[i];
        store(&c->steps[p->shard], p);
    }
}

static bool is_needed(const struct step *s)
{
    return s->needed;
}

static bool was_applied(const struct step *s)
{
    return s->needed && s->part.err.code == ERR_NONE && s->part.applied == OUTCOME_APPLIED;
}

static void store_undo(struct step *s, const struct merge_part *p)
{
    bool gone = p->err.code == ERR_NONE || p->err.code == ERR_NO_SUCH_DATABASE || p->err.code == ERR_NO_SUCH_TABLE;
    if (gone) {
        s->part.applied = OUTCOME_NOT_APPLIED;
        snprintf(s->note, sizeof s->note, "made, then undone");
        return;
    }
    s->part.applied = p->err.outcome == OUTCOME_UNKNOWN ? OUTCOME_UNKNOWN : OUTCOME_APPLIED;
    snprintf(s->note, sizeof s->note, "made, and could not be undone: %.256s", p->err.detail);
}

/* The undo has a time of its own: the request's may be what was used up. */
static void undo(struct change *c)
{
    struct buf body;
    buf_init(&body, 4096);
    buf_append_text(&body, "{\"db_name\":");
    json_write_text(&body, c->x.db);
    if (c->x.table != NULL) {
        buf_append_text(&body, ",\"table\":");
        json_write_text(&body, c->x.table);
    }
    buf_append_char(&body, '}');
    int64_t deadline_us = clock_now_us() + (int64_t)c->x.master->cluster->timeout_ms * 1000;
    if (buf_status(&body) == 0)
        ask_steps(c, c->kind->undo_path, buf_text(&body), body.len, deadline_us, was_applied, store_undo);
    buf_clear(&body);
}

static void note_dropped(struct change *c)
{
    for (size_t i = 0; i < c->x.master->cluster->worker_count; i++) {
        struct step *s = &c->steps[i];
        if (was_applied(s))
            snprintf(s->note, sizeof s->note, "dropped, which cannot be undone; repeat the request to complete it");
    }
}

static int make_change(struct change *c)
{
    ask_steps(c, c->kind->path, c->x.text, c->x.len, c->x.deadline_us, is_needed, keep_part);
    bool failed = false;
    for (size_t i = 0; i < c->x.master->cluster->worker_count; i++)
        failed = failed || c->steps[i].part.err.code != ERR_NONE;
    if (!failed)
        return 0;
    if (c->kind->undo_path != NULL)
        undo(c);
    else
        note_dropped(c);
    return refuse(c);
}

static void answer(struct change *c)
{
    struct buf out;
    buf_init(&out, EXCHANGE_MAX_ANSWER);
    show_steps(c);
    merge_schema(c->x.parts, c->x.part_count, c->x.db, c->x.table, &out);
    http_reply(c->x.h, 200, &out);
    buf_clear(&out);
}

static void serve(struct http *h, void *thread, const struct change_kind *kind)
{
    struct change c = {.kind = kind};
    bool locked = false;
    if (exchange_open(&c.x, h, thread) != 0 || read_change(&c) != 0)
        goto fail;
    c.steps = calloc(c.x.master->cluster->worker_count, sizeof *c.steps);
    if (c.steps == NULL) {
        err_set(&c.x.err, ERR_INTERNAL, "out of memory");
        goto fail;
    }
    if (lock_schema(&c) != 0)
        goto fail;
    locked = true;
    if (check_shards(&c) != 0 || check_tables(&c) != 0 || make_change(&c) != 0)
        goto fail;
    answer(&c);
    goto out;
fail:
    exchange_fail(&c.x);
out:
    if (locked) {
        tables_forget(c.x.master->tables, c.x.db, c.x.table);
        pthread_mutex_unlock(&c.x.master->schema_lock);
    }
    free(c.steps);
    exchange_close(&c.x);
}

void schema_create_db(struct http *h, void *thread)
{
    serve(h, thread, &create_db);
}

void schema_drop_db(struct http *h, void *thread)
{
    serve(h, thread, &drop_db);
}

void schema_create_table(struct http *h, void *thread)
{
    serve(h, thread, &create_table);
}

void schema_delete_table(struct http *h, void *thread)
{
    serve(h, thread, &delete_table);
}
