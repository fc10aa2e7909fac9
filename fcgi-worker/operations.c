#include "fcgi-worker/operations.h"

#include "common/clock.h"
#include "common/query.h"
#include "fcgi-worker/batch.h"
#include "fcgi-worker/catalogue.h"
#include "fcgi-worker/changes.h"
#include "fcgi-worker/insert.h"
#include "fcgi-worker/ledger.h"
#include "fcgi-worker/request.h"
#include "fcgi-worker/rows.h"
#include "fcgi-worker/statement.h"
#include "fcgi-worker/write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEALTH_DEADLINE_US 1000000 /* of one that hangs the driver waits twice as long */

/* ---- Rows --------------------------------------------------------------------------------------------------------- */

/* Reads a select, finds its table and writes its statement. A client's cursor is refused: only the master reads those. */
static int prepare_select(struct request *r, struct query *q, struct statement *s)
{
    if (query_read(r->body, q, &r->error) < 0)
        return -1;
    if (q->after != NULL)
        return err_set(&r->error, ERR_BAD_FIELD, "after: a cursor is the master's to read; a worker takes what it says, in a partial query");
    if (request_table(r) < 0)
        return -1;
    return statement_select(s, r->table, q, r->worker->shard, &r->error);
}

static const char *const select_fields[] = {"db_name",    "table",    "condition", "params",        "columns",   "shard_key",
                                            "scatter",    "order_by", "limit",     "offset",        "after",     "distinct",
                                            "aggregates", "group_by", "having",    "allow_partial", "partial",   NULL};

/* Only a master asks for lines. */
static enum rows_form asked_form(const struct http *h)
{
    const char *accept = http_header(h, "Accept");
    return accept != NULL && strcmp(accept, "application/x-ndjson") == 0 ? ROWS_LINES : ROWS_DOCUMENT;
}

static void select_rows(struct http *h, void *thread)
{
    struct query q = {0};
    struct statement s;
    struct request r;

    statement_init(&s);
    if (request_open(&r, h, thread, select_fields) == 0 && prepare_select(&r, &q, &s) == 0
        && db_query(r.db, &s, r.deadline_us, &r.error) == 0) {
        const struct rows_answer a = {.form = asked_form(h), .shard = r.worker->shard, .worker = r.worker->name, .deadline_us = r.deadline_us};
        r.answered = rows_stream(h, r.db, &s, &a, &r.error) == 0;
        db_close(r.db);
    }
    statement_clear(&s);
    query_clear(&q);
    request_close(&r);
}

/* Shows the text that the same body would run as a /select, and runs nothing. */
static void explain_select(struct http *h, void *thread)
{
    struct query q = {0};
    struct statement s;
    struct request r;
    struct buf out, text;

    statement_init(&s);
    buf_init(&out, REQUEST_MAX_ANSWER);
    buf_init(&text, REQUEST_MAX_ANSWER);
    if (request_open(&r, h, thread, select_fields) == 0 && prepare_select(&r, &q, &s) == 0) {
        statement_write_template(&s, &text);
        buf_printf(&out, "{\"status\":\"ok\",\"shards\":[{\"shard\":%d,\"worker\":", r.worker->shard);
        json_write_text(&out, r.worker->name);
        buf_append_text(&out, ",\"sql\":");
        json_write_text(&out, buf_text(&text));
        buf_append_text(&out, "}]}");
        if (buf_status(&text) < 0)
            (void)err_set(&r.error, ERR_INTERNAL, "the statement is too long to be shown");
        else
            request_answer(&r, &out);
    }
    buf_clear(&text);
    buf_clear(&out);
    statement_clear(&s);
    query_clear(&q);
    request_close(&r);
}

/* Executes an UPDATE or DELETE and answers. */
static void run_change(struct request *r, const struct statement *s)
{
    struct write_result result;

    if (write_run(r, s, 1, &result) == 0) {
        request_answer_change(r, false, "applied", result.rows);
        ledger_tidy(r);
    }
}

static void update_rows(struct http *h, void *thread)
{
    static const char *const fields[] = {"db_name", "table", "set", "condition", "params", "shard_key", "scatter", NULL};
    struct json_object *set;
    struct statement s;
    struct request r;

    statement_init(&s);
    if (request_open(&r, h, thread, fields) == 0 && json_get_object(r.body, "set", true, &set, &r.error) == 0
        && request_where(&r, true) == 0 && request_table(&r) == 0 && statement_update(&s, r.table, set, r.where, &r.error) == 0)
        run_change(&r, &s);
    statement_clear(&s);
    request_close(&r);
}

static void delete_rows(struct http *h, void *thread)
{
    static const char *const fields[] = {"db_name", "table", "condition", "params", "shard_key", "scatter", NULL};
    struct statement s;
    struct request r;

    statement_init(&s);
    if (request_open(&r, h, thread, fields) == 0 && request_where(&r, true) == 0 && request_table(&r) == 0
        && statement_delete(&s, r.table, r.where, &r.error) == 0)
        run_change(&r, &s);
    statement_clear(&s);
    request_close(&r);
}

static void count_rows(struct http *h, void *thread)
{
    static const char *const fields[] = {"db_name", "table", "condition", "params", "shard_key", "scatter", NULL};
    struct statement s;
    struct request r;
    struct buf out;
    int64_t count;

    statement_init(&s);
    buf_init(&out, REQUEST_MAX_ANSWER);
    if (request_open(&r, h, thread, fields) == 0 && request_where(&r, false) == 0 && request_table(&r) == 0
        && statement_count(&s, r.table, r.where, &r.error) == 0 && db_execute_number(r.db, &s, DB_READ, r.deadline_us, &count, &r.error) == 0) {
        buf_printf(&out, "{\"status\":\"ok\",\"total\":%" PRId64 ",\"complete\":true,\"map\":[{\"shard\":%d,\"worker\":", count, r.worker->shard);
        json_write_text(&out, r.worker->name);
        buf_printf(&out, ",\"count\":%" PRId64 "}]}", count);
        request_answer(&r, &out);
    }
    buf_clear(&out);
    statement_clear(&s);
    request_close(&r);
}

/* ---- The system --------------------------------------------------------------------------------------------------- */

static void describe(struct http *h, void *thread)
{
    static const char *const fields[] = {"db_name", "table", NULL};
    struct request r;
    struct buf out;

    buf_init(&out, REQUEST_MAX_ANSWER);
    if (request_open(&r, h, thread, fields) == 0 && request_table(&r) == 0) {
        buf_append_text(&out, "{\"status\":\"ok\",\"db_name\":");
        json_write_text(&out, r.db_name);
        buf_append_text(&out, ",\"table\":");
        json_write_text(&out, r.table->name);
        buf_append_char(&out, ',');
        schema_write(r.table, &out);
        buf_append_char(&out, '}');
        request_answer(&r, &out);
    }
    buf_clear(&out);
    request_close(&r);
}

static void health(struct http *h, void *thread)
{
    struct worker_thread *t = thread;
    struct err e = ERR_INIT;
    struct statement s;
    struct buf out;

    statement_init(&s);
    statement_ping(&s);
    bool up = statement_status(&s, &e) == 0 && db_query(t->db, &s, clock_now_us() + HEALTH_DEADLINE_US, &e) == 0;
    db_close(t->db);
    statement_clear(&s);

    buf_init(&out, REQUEST_MAX_ANSWER);
    buf_append_text(&out, "{\"status\":\"up\",\"worker\":");
    json_write_text(&out, t->worker->name);
    buf_printf(&out, ",\"shard\":%d,\"database\":\"%s\",\"uptime_s\":%" PRId64 "}", t->worker->shard, up ? "up" : "down",
               (clock_now_us() - t->worker->started_us) / 1000000);
    http_reply(h, up ? 200 : 503, &out);
    buf_clear(&out);
}

/* The guard has let the request through: that is the answer. */
static void security_check(struct http *h, void *thread)
{
    struct buf out;
    (void)thread;
    buf_init(&out, REQUEST_MAX_ANSWER);
    buf_append_text(&out, "{\"status\":\"ok\"}");
    http_reply(h, 200, &out);
    buf_clear(&out);
}

/* ---- The token ---------------------------------------------------------------------------------------------------- */

static const char *expected_token = "";

void operations_set_token(const char *token)
{
    expected_token = token;
}

/* Compares without telling by its time how much of the token was right. A repeated header arrives joined by ", ", which
 * is no token. An empty token never matches. */
static bool token_matches(const char *given)
{
    size_t given_len = strlen(given), len = strlen(expected_token);
    volatile unsigned char difference = given_len != len || len == 0;

    for (size_t i = 0; i < given_len; i++)
        difference |= (unsigned char)(given[i] ^ expected_token[len == 0 ? 0 : i % len]);
    return difference == 0;
}

static int check_token(const struct http *h, struct err *e)
{
    const char *given = http_header(h, "X-Master-Token");
    if (given != NULL && token_matches(given))
        return 0;
    return err_set(e, ERR_UNAUTHORIZED, "X-Master-Token: %s", given == NULL ? "it is missing" : "it is not the workers' token");
}

/* ---- Routes and threads ------------------------------------------------------------------------------------------- */

const struct http_route operations_routes[] = {
    {"POST", "/create-db", changes_create_db, check_token, HTTP_ALONE},
    {"POST", "/drop-db", changes_drop_db, check_token, HTTP_ALONE},
    {"POST", "/create-table", changes_create_table, check_token, HTTP_ALONE},
    {"POST", "/delete-table", changes_delete_table, check_token, HTTP_ALONE},
    {"POST", "/insert", insert_rows, check_token, HTTP_WRITE},
    {"POST", "/select", select_rows, check_token, HTTP_READ},
    {"POST", "/explain", explain_select, check_token, HTTP_ALONE},
    {"POST", "/update", update_rows, check_token, HTTP_WRITE},
    {"POST", "/delete", delete_rows, check_token, HTTP_WRITE},
    {"POST", "/map-reduce-count", count_rows, check_token, HTTP_READ},
    {"POST", "/batch", batch_answer, check_token, HTTP_ALONE},
    {"POST", "/catalogue", catalogue_list, check_token, HTTP_ALONE},
    {"POST", "/describe", describe, check_token, HTTP_ALONE},
    {"POST", "/security-check", security_check, check_token, HTTP_ALONE},
    {"GET", "/health", health, NULL, HTTP_ALONE},
};
const size_t operations_route_count = sizeof(operations_routes) / sizeof(operations_routes[0]);

void *operations_thread_open(void *arg, unsigned index)
{
    const struct worker *worker = arg;
    struct worker_thread *t = calloc(1, sizeof(*t));

    (void)index;
    if (t == NULL)
        return NULL;
    t->worker = worker;
    if ((t->db = db_new(&worker->db)) == NULL) {
        free(t);
        return NULL;
    }
    return t;
}

void operations_thread_close(void *thread)
{
    struct worker_thread *t = thread;
    if (t == NULL)
        return;
    db_free(t->db);
    free(t);
}
