#include "fcgi-master/merge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which members a worker's answer has, and how the merged one is named. NULL: this kind has no such member. */
static const struct shape {
    const char *rows;   /* an array whose elements are joined */
    const char *number; /* summed */
    const char *list;   /* an array with one element a shard, joined */
    bool complete;      /* "complete":true stands before the list */
} shapes[] = {
    [MERGE_SELECT] = {"rows", "count", "shards", .complete = true},
    [MERGE_LINES] = {NULL, "count", "shards", .complete = true},
    [MERGE_WRITE] = {NULL, "rows_affected", "shards", .complete = false},
    [MERGE_COUNT] = {NULL, "total", "map", .complete = true},
    [MERGE_SCHEMA] = {NULL, NULL, "shards", .complete = false},
    [MERGE_EXPLAIN] = {NULL, NULL, "shards", .complete = false},
    [MERGE_DOCUMENT] = {NULL, NULL, NULL, .complete = false},
};

static void bad_worker_answer(struct err *e, bool write, const char *why)
{
    *e = ERR_INIT;
    err_set(e, ERR_BAD_WORKER_ANSWER, "%s", why);
    if (write)
        e->outcome = OUTCOME_UNKNOWN;
}

/* The text of a string member, "" when it is none. */
static const char *text_member(const struct json_object *body, const char *name)
{
    struct json_object *v = NULL;
    size_t len = 0;
    return json_member(body, name, &v) && json_kind(v) == JSON_STRING ? json_string(v, &len) : "";
}

static int number_member(const struct json_object *body, const char *name)
{
    struct json_object *v = NULL;
    size_t len = 0;
    if (!json_member(body, name, &v) || json_kind(v) != JSON_NUMBER)
        return 0;
    long n = strtol(json_number(v, &len), NULL, 10);
    return n > 0 && n <= INT32_MAX ? (int)n : 0;
}

void merge_read_problem(int status, const char *text, size_t len, int retry_after_s, bool write, struct err *out)
{
    struct json_object *body = NULL;
    struct err ignored = ERR_INIT;
    enum err_outcome outcome = OUTCOME_UNKNOWN;
    char why[64];
    snprintf(why, sizeof why, "status %d without a problem document", status);
    if (json_read(text, len, &body, &ignored) != 0) {
        bad_worker_answer(out, write, why);
        return;
    }
    enum err_code code = err_find(text_member(body, "code"));
    bool has_outcome = err_outcome_find(text_member(body, "outcome"), &outcome);
    if (code == ERR_NONE || !has_outcome || err_status(code) != status) {
        bad_worker_answer(out, write, why);
        goto out;
    }
    if (code == ERR_UNAUTHORIZED) { /* our token, not the client's */
        bad_worker_answer(out, false, "it refused the master's token");
        goto out;
    }
    *out = ERR_INIT;
    err_set(out, code, "%s", text_member(body, "detail"));
    out->outcome = outcome;
    out->sql_error = number_member(body, "sql_error");
    const char *retry = text_member(body, "retry");
    for (enum err_retry r = RETRY_NO; r <= RETRY_SAME_KEY; r++) {
        if (strcmp(retry, err_retry_name(r)) == 0)
            out->retry = r;
    }
    if (out->retry == RETRY_AFTER && retry_after_s > 0)
        out->retry_after_s = retry_after_s;
out:
    json_free(body);
}

void merge_read_failure(const char *text, size_t len, struct err *out)
{
    struct json_object *body = NULL;
    struct err ignored = ERR_INIT;
    int status = 0;
    if (json_read(text, len, &body, &ignored) == 0) {
        status = number_member(body, "status");
        json_free(body);
    }
    merge_read_problem(status, text, len, 0, false, out);
}

/* The unsigned number that a slice is; false for any other. */
static bool read_number(const struct json_slice *s, uint64_t *out)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->len; i++) {
        if (s->text[i] < '0' || s->text[i] > '9' || n > (UINT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (uint64_t)(s->text[i] - '0');
    }
    *out = n;
    return s->len > 0;
}

static bool is_array(const struct json_slice *s)
{
    return s->len >= 2 && s->text[0] == '[';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What stands between the brackets of an array. */
static struct json_slice elements(const struct json_slice *array)
{
    struct json_slice s = {.text = array->text + 1, .len = array->len - 2};
    while (s.len > 0 && is_space(s.text[0])) {
        s.text++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.text[s.len - 1]))
        s.len--;
    return s;
}

/* A worker's list has one element, the object of its own shard. *outcome becomes its "outcome", of length 0 without one. */
static bool read_own_shard(const struct merge_part *p, struct json_slice *outcome)
{
    if (!is_array(&p->list))
        return false;
    struct json_slice element = elements(&p->list);
    struct err ignored = ERR_INIT;
    *outcome = (struct json_slice){.name = "outcome"};
    return json_slices(element.text, element.len, outcome, 1, &ignored) == 0;
}

/* What a worker's /create-… or /drop-… did. */
static bool read_schema_outcome(struct merge_part *p, const struct json_slice *outcome)
{
    if (outcome->len < 2)
        return false;
    const char *text = outcome->text + 1; /* without the quotes */
    size_t len = outcome->len - 2;
    p->unchanged = len == strlen("unchanged") && memcmp(text, "unchanged", len) == 0;
    bool applied = len == strlen("applied") && memcmp(text, "applied", len) == 0;
    bool checked = len == strlen("not_applied") && memcmp(text, "not_applied", len) == 0;
    p->applied = applied ? OUTCOME_APPLIED : OUTCOME_NOT_APPLIED;
    return applied || checked || p->unchanged;
}

void merge_accept(struct merge_part *p, enum merge_kind kind)
{
    if (p->err.code != ERR_NONE || kind == MERGE_DOCUMENT)
        return;
    const struct shape *shape = &shapes[kind];
    bool write = kind == MERGE_WRITE || kind == MERGE_SCHEMA;
    p->applied = kind == MERGE_WRITE ? OUTCOME_APPLIED : OUTCOME_NOT_APPLIED;
    struct json_slice found[] = {{.name = "status"},
                                 {.name = shape->list},
                                 {.name = shape->number != NULL ? shape->number : "status"},
                                 {.name = shape->rows != NULL ? shape->rows : "status"}};
    struct err json_error = ERR_INIT;
    struct json_slice outcome;
    uint64_t n = 0;
    if (json_slices(p->text, p->len, found, sizeof found / sizeof found[0], &json_error) != 0) {
        bad_worker_answer(&p->err, write, json_error.detail);
        err_prefix(&p->err, "its answer is no JSON");
        return;
    }
    p->list = found[1];
    p->number = found[2];
    p->rows = found[3];
    bool ok = found[0].len == 4 && memcmp(found[0].text, "\"ok\"", 4) == 0;
    if (!ok && kind != MERGE_LINES)
        bad_worker_answer(&p->err, write, "its answer lacks \"status\":\"ok\"");
    else if (!read_own_shard(p, &outcome))
        bad_worker_answer(&p->err, write, "its answer does not name the shard");
    else if (shape->number != NULL && !read_number(&p->number, &n))
        bad_worker_answer(&p->err, write, "its answer lacks a count");
    else if (shape->rows != NULL && !is_array(&p->rows))
        bad_worker_answer(&p->err, write, "its answer lacks the rows");
    else if (kind == MERGE_SCHEMA && !read_schema_outcome(p, &outcome))
        bad_worker_answer(&p->err, write, "its answer lacks an outcome");
}

const char *merge_row_index(const char *detail, size_t *index)
{
    static const char opening[] = "data[", closing[] = "]: ";
    if (strncmp(detail, opening, sizeof opening - 1) != 0)
        return NULL;
    const char *p = detail + sizeof opening - 1;
    size_t digits = strspn(p, "0123456789");
    if (digits == 0 || digits > 9 || strncmp(p + digits, closing, sizeof closing - 1) != 0)
        return NULL;
    *index = strtoul(p, NULL, 10);
    return p + digits + sizeof closing - 1;
}

void merge_rename_row(struct err *e, const char *rest, const char *name)
{
    memmove(e->detail, rest, strlen(rest) + 1);
    err_prefix(e, "%s", name);
}

uint64_t merge_rows_affected(const struct merge_part *p)
{
    uint64_t n = 0;
    return read_number(&p->number, &n) ? n : 0;
}

bool merge_failed(const struct merge_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].err.code != ERR_NONE)
            return true;
    }
    return false;
}

bool merge_only_lost(const struct merge_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].err.code != ERR_NONE && err_status(parts[i].err.code) < 429)
            return false;
    }
    return true;
}

static void append_slice(struct buf *out, struct json_slice s, bool *first)
{
    if (s.len == 0)
        return;
    if (!*first)
        buf_append_char(out, ',');
    *first = false;
    buf_append(out, s.text, s.len);
}

/* {"shard":0,"worker":"go" and, of a change of schema, ,"database":"SchoolDBGO" */
static void open_shard(const struct merge_part *p, struct buf *out)
{
    buf_printf(out, "{\"shard\":%zu,\"worker\":", p->shard);
    json_write_text(out, p->worker);
    if (p->database[0] != '\0') {
        struct buf name;
        buf_init(&name, 1024);
        buf_printf(&name, "%s%s", p->database, p->suffix);
        buf_append_text(out, ",\"database\":");
        json_write_text(out, buf_text(&name));
        buf_clear(&name);
    }
}

static void append_detail(const char *detail, struct buf *out)
{
    if (detail != NULL && detail[0] != '\0') {
        buf_append_text(out, ",\"detail\":");
        json_write_text(out, detail);
    }
}

static const char *schema_outcome(const struct merge_part *p)
{
    return p->unchanged ? "unchanged" : err_outcome_name(p->applied);
}

/* What became of one shard, as an element of the problem's "shards". */
static void append_shard(const struct merge_part *p, enum merge_kind kind, struct buf *out)
{
    bool own_words = kind == MERGE_SELECT || kind == MERGE_WRITE || kind == MERGE_EXPLAIN;
    if (p->err.code == ERR_NONE && own_words && p->list.len > 0) {
        bool first = true;
        append_slice(out, elements(&p->list), &first);
        return;
    }
    open_shard(p, out);
    if (p->err.code == ERR_NONE) {
        buf_printf(out, ",\"outcome\":\"%s\"", kind == MERGE_SCHEMA ? schema_outcome(p) : "ok");
        if (kind == MERGE_SELECT)
            buf_printf(out, ",\"rows\":%" PRIu64, p->taken);
        append_detail(p->note, out);
    } else {
        buf_printf(out, ",\"outcome\":\"%s\",\"code\":\"%s\"", err_outcome_name(p->err.outcome), err_name(p->err.code));
        append_detail(p->err.detail, out);
        if (p->err.sql_error != 0)
            buf_printf(out, ",\"sql_error\":%d", p->err.sql_error);
    }
    buf_append_char(out, '}');
}

/* "NAME":[…]: what became of each shard. */
static void append_shards(struct buf *out, const struct merge_part *parts, size_t count, const char *name, enum merge_kind kind)
{
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        append_shard(&parts[i], kind, out);
    }
    buf_append_char(out, ']');
}

void merge_select_end(const struct merge_part *parts, size_t count, uint64_t rows, const char *next, struct buf *out)
{
    buf_printf(out, "],\"count\":%" PRIu64 ",\"complete\":%s", rows, merge_failed(parts, count) ? "false" : "true");
    append_shards(out, parts, count, "shards", MERGE_SELECT);
    if (next[0] != '\0')
        buf_printf(out, ",\"next\":\"%s\"", next);
    buf_append_char(out, '}');
}

void merge_explain(const struct merge_part *parts, size_t count, const char *reason, const char *steps, struct buf *out)
{
    buf_append_text(out, "{\"status\":\"ok\",\"routing\":{\"reason\":");
    json_write_text(out, reason);
    buf_append_char(out, '}');
    append_shards(out, parts, count, "shards", MERGE_EXPLAIN);
    buf_printf(out, ",\"merge\":%s}", steps);
}

uint64_t merge_count(const struct merge_part *p)
{
    uint64_t n = 0;
    return read_number(&p->number, &n) ? n : 0;
}

static uint64_t sum_numbers(const struct merge_part *parts, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += merge_count(&parts[i]);
    return sum;
}

void merge_answer(const struct merge_part *parts, size_t count, enum merge_kind kind, struct buf *out)
{
    const struct shape *shape = &shapes[kind];
    if (count == 1 && parts[0].err.code == ERR_NONE) {
        buf_append(out, parts[0].text, parts[0].len);
        return;
    }
    bool first = true;
    buf_printf(out, "{\"status\":\"ok\",\"%s\":%" PRIu64 "%s,\"%s\":[", shape->number, sum_numbers(parts, count),
               shape->complete ? ",\"complete\":true" : "", shape->list);
    for (size_t i = 0; i < count; i++)
        append_slice(out, elements(&parts[i].list), &first);
    buf_append_text(out, "]}");
}

void merge_schema(const struct merge_part *parts, size_t count, const char *db, const char *table, struct buf *out)
{
    buf_append_text(out, "{\"status\":\"ok\",\"db_name\":");
    json_write_text(out, db);
    if (table != NULL) {
        buf_append_text(out, ",\"table\":");
        json_write_text(out, table);
    }
    buf_append_text(out, ",\"shards\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        open_shard(&parts[i], out);
        buf_printf(out, ",\"outcome\":\"%s\"}", schema_outcome(&parts[i]));
    }
    buf_append_text(out, "]}");
}

/* Lost writes weigh most, then the status. */
static bool is_worse(const struct err *a, const struct err *b)
{
    bool a_lost = a->outcome == OUTCOME_UNKNOWN;
    bool b_lost = b->outcome == OUTCOME_UNKNOWN;
    return a_lost != b_lost ? a_lost : err_status(a->code) > err_status(b->code);
}

void merge_problem(const struct merge_part *parts, size_t count, enum merge_kind kind, struct err *out,
                   struct buf *shards)
{
    const struct merge_part *worst = NULL;
    bool any_applied = false;
    bool any_unknown = false;
    buf_append_char(shards, '[');
    for (size_t i = 0; i < count; i++) {
        const struct merge_part *p = &parts[i];
        enum err_outcome outcome = p->err.code == ERR_NONE ? p->applied : p->err.outcome;
        any_applied = any_applied || outcome == OUTCOME_APPLIED;
        any_unknown = any_unknown || outcome == OUTCOME_UNKNOWN;
        if (p->err.code != ERR_NONE && (worst == NULL || is_worse(&p->err, &worst->err)))
            worst = p;
        if (i > 0)
            buf_append_char(shards, ',');
        append_shard(p, kind, shards);
    }
    buf_append_char(shards, ']');
    if (worst == NULL)
        return;

    *out = worst->err;
    bool ours =
        out->code == ERR_SHARD_UNAVAILABLE || out->code == ERR_TOO_BUSY || out->code == ERR_BAD_WORKER_ANSWER || out->code == ERR_DEADLINE_EXCEEDED;
    if (count > 1 || ours)
        err_prefix(out, "worker %s", worst->worker);
    /* A write over several shards is no transaction: "applied" says that some of it stays. */
    out->outcome = any_unknown ? OUTCOME_UNKNOWN : any_applied ? OUTCOME_APPLIED : OUTCOME_NOT_APPLIED;
    if (out->outcome != OUTCOME_NOT_APPLIED && out->retry == RETRY_AFTER)
        out->retry = RETRY_NO;
}
