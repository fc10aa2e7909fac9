#include "fcgi-worker/request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DATABASE_MAX 256

/* The deadline: what X-Timeout-Ms leaves, and never more than the configuration allows. */
static int read_deadline(struct request *r)
{
    const char *text = http_header(r->h, "X-Timeout-Ms");
    int64_t ms = r->worker->timeout_ms;

    if (text != NULL) {
        char *end;
        long long asked = strtoll(text, &end, 10);
        if (*text < '0' || *text > '9' || *end != '\0')
            return err_set(&r->error, ERR_BAD_FIELD, "X-Timeout-Ms: a whole number of milliseconds is expected");
        if (asked < ms)
            ms = asked;
    }
    r->deadline_us = http_started_us(r->h) + ms * 1000;
    return 0;
}

/* The physical name is made of checked parts only: db_name has to match the rule for names also where the database exists. */
static int read_db_name(struct request *r)
{
    size_t len;
    if (json_get_name(r->body, "db_name", true, &r->db_name, &len, &r->error) < 0
        || sqltype_check_name("db_name", r->db_name, len, &r->error) < 0)
        return -1;
    buf_append(&r->database, r->db_name, len);
    buf_append_text(&r->database, r->worker->suffix);
    return buf_status(&r->database) == 0 ? 0 : err_set(&r->error, ERR_BAD_NAME, "db_name: too long");
}

static int start(struct request *r, struct http *h, void *thread)
{
    struct worker_thread *t = thread;

    *r = (struct request){.h = h, .worker = t->worker, .db = t->db};
    buf_init(&r->database, DATABASE_MAX);
    return read_deadline(r);
}

static int read_members(struct request *r, const char *const *fields)
{
    return json_check_members(r->body, fields, &r->error) < 0 ? -1 : read_db_name(r);
}

int request_open(struct request *r, struct http *h, void *thread, const char *const *fields)
{
    const char *text;
    size_t len;

    if (start(r, h, thread) < 0 || http_body(h, &r->body, &text, &len, &r->error) < 0)
        return -1;
    return read_members(r, fields);
}

int request_open_query(struct request *r, struct http *h, void *thread, const char *const *fields)
{
    if (start(r, h, thread) < 0 || http_query_object(h, &r->body, &r->error) < 0)
        return -1;
    return read_members(r, fields);
}

int request_open_server(struct request *r, struct http *h, void *thread, const char *const *fields)
{
    const char *text;
    size_t len;
    struct json_object *name;

    if (start(r, h, thread) < 0 || http_body(h, &r->body, &text, &len, &r->error) < 0 || json_check_members(r->body, fields, &r->error) < 0)
        return -1;
    return json_member(r->body, "db_name", &name) && json_kind(name) != JSON_NULL ? read_db_name(r) : 0;
}

int request_table_name(struct request *r)
{
    size_t len;
    if (json_get_name(r->body, "table", true, &r->table_name, &len, &r->error) < 0)
        return -1;
    if (len == 0)
        return err_set(&r->error, ERR_BAD_NAME, "table: a name is expected");
    return 0;
}

int request_table(struct request *r)
{
    const char *tag = http_header(r->h, "X-Shard-Schema");
    const char *database = buf_text(&r->database);

    if (request_table_name(r) < 0)
        return -1;
    if (strncasecmp(r->table_name, "gw_", 3) == 0) /* the worker's own tables are not the clients' */
        return err_set(&r->error, ERR_NO_SUCH_TABLE, "table '%s' does not exist in database '%s'", r->table_name, database);
    /* A tag that differs may be newer than the cache: then the cache is wrong, and the second look finds that out. */
    for (int look = 0; look < 2; look++) {
        if (schema_get(r->worker->schema, r->db, database, r->table_name, r->deadline_us, &r->table, &r->error) < 0)
            return -1;
        if (tag == NULL || strcmp(tag, r->table->tag) == 0)
            return 0;
        if (look == 0) {
            schema_release(r->worker->schema, r->table);
            r->table = NULL;
            schema_invalidate(r->worker->schema, database, r->table_name);
        }
    }
    return err_set(&r->error, ERR_SCHEMA_CHANGED, "table '%s' is not what X-Shard-Schema says", r->table->name);
}

static bool is_blank(const char *text, size_t len)
{
    return strspn(text, " \t\r\n") >= len;
}

int request_where(struct request *r, bool required)
{
    struct json_object *params;
    const char *text;
    size_t len;

    if (json_get_string(r->body, "condition", false, &text, &len, &r->error) < 0
        || json_get_object(r->body, "params", false, &params, &r->error) < 0)
        return -1;
    if (required && (text == NULL || is_blank(text, len)))
        return err_set(&r->error, ERR_UNSAFE_STATEMENT, "condition: it is required, so that no request changes all rows by accident");
    if (text == NULL) {
        struct json_iter it = {0};
        const char *name;
        struct json_object *value;
        if (params != NULL && json_next(params, &it, &name, &value))
            return err_set(&r->error, ERR_BAD_FIELD, "params: '%s' is not used", name);
        return 0;
    }
    if ((required ? predicate_parse_for_write : predicate_parse)(text, len, &r->where, &r->error) < 0)
        return -1;
    return predicate_bind(r->where, params, &r->error);
}

void request_answer(struct request *r, const struct buf *json)
{
    if (buf_status(json) < 0) {
        (void)err_set(&r->error, ERR_INTERNAL, "the answer is too large, or memory ran out");
        return;
    }
    http_reply(r->h, 200, json);
    r->answered = true;
}

void request_answer_change(struct request *r, bool table, const char *outcome, int64_t rows)
{
    struct buf out;

    if (r->replayed)
        http_add_header(r->h, "Idempotency-Replayed", "true");
    buf_init(&out, REQUEST_MAX_ANSWER);
    buf_append_text(&out, "{\"status\":\"ok\"");
    if (rows >= 0) {
        buf_printf(&out, ",\"rows_affected\":%" PRId64, rows);
    } else {
        buf_append_text(&out, ",\"db_name\":");
        json_write_text(&out, r->db_name);
    }
    if (table) {
        buf_append_text(&out, ",\"table\":");
        json_write_text(&out, r->table_name);
    }
    buf_printf(&out, ",\"shards\":[{\"shard\":%d,\"worker\":", r->worker->shard);
    json_write_text(&out, r->worker->name);
    buf_append_text(&out, ",\"database\":");
    json_write_text(&out, buf_text(&r->database));
    buf_printf(&out, ",\"outcome\":\"%s\"", outcome);
    if (rows >= 0)
        buf_printf(&out, ",\"rows_affected\":%" PRId64, rows);
    buf_append_text(&out, "}]}");
    request_answer(r, &out);
    if (!r->answered && strcmp(outcome, "applied") == 0) { /* it is done, and memory ran out for saying so */
        r->error.outcome = OUTCOME_UNKNOWN;
        r->error.retry = http_header(r->h, "Idempotency-Key") != NULL ? RETRY_SAME_KEY : RETRY_NO;
    }
    buf_clear(&out);
}

/* Errors that say that the description in the cache is not the table's any more. */
static bool is_schema_error(const struct err *e)
{
    return e->sql_error != 0
           && (e->code == ERR_NO_SUCH_TABLE || e->code == ERR_NO_SUCH_DATABASE || e->code == ERR_UNKNOWN_COLUMN);
}

static void answer_error(struct request *r)
{
    struct buf shards;

    if (r->error.code == ERR_NONE)
        (void)err_set(&r->error, ERR_INTERNAL, "the request was not answered");
    if (http_header(r->h, "Idempotency-Key") != NULL && !r->fenced)
        err_doubt(&r->error);
    buf_init(&shards, REQUEST_MAX_ANSWER);
    buf_printf(&shards, "[{\"shard\":%d,\"worker\":", r->worker->shard);
    json_write_text(&shards, r->worker->name);
    buf_printf(&shards, ",\"outcome\":\"%s\",\"detail\":", err_outcome_name(r->error.outcome));
    json_write_text(&shards, r->error.detail);
    buf_append_text(&shards, "}]");
    http_fail(r->h, &r->error, buf_status(&shards) == 0 ? buf_text(&shards) : NULL);
    buf_clear(&shards);
}

void request_close(struct request *r)
{
    if (r->table != NULL && is_schema_error(&r->error))
        schema_invalidate(r->worker->schema, r->table->database, r->table_name);
    if (!r->answered)
        answer_error(r);
    predicate_free(r->where);
    schema_release(r->worker->schema, r->table);
    buf_clear(&r->database);
}
