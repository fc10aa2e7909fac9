/* rows.c against a driver and a client that are a few lines of this file: each type's JSON, and the ends of a stream. */
#include "fcgi-worker/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define STARTED_US 5000000
#define DEADLINE_US 5800000

/* ---- The driver: one column, whose text is `text` in every row ------------------------------------------------------ */

struct db {
    const char *text; /* NULL: NULL */
    size_t rows;
    size_t fail_at; /* the row whose fetch fails; 0 for none */
    size_t fetched;
    int64_t idle_us; /* what each fetch may take; 0: the deadline of all holds */
};

int db_fetch(struct db *db, struct err *e)
{
    if (++db->fetched == db->fail_at)
        return err_set(e, ERR_SHARD_UNAVAILABLE, "lost");
    return db->fetched <= db->rows;
}

void db_begin_stream(struct db *db, int64_t idle_us)
{
    db->idle_us = idle_us;
}

int db_get_integer(struct db *db, size_t column, int64_t *out, struct err *e)
{
    (void)column, (void)e;
    *out = db->text == NULL ? 0 : atoll(db->text);
    return db->text != NULL;
}

int db_get_double(struct db *db, size_t column, double *out, struct err *e)
{
    (void)column, (void)e;
    *out = db->text == NULL ? 0 : atof(db->text);
    return db->text != NULL;
}

int db_get_text(struct db *db, size_t column, struct buf *out, struct err *e)
{
    (void)column, (void)e;
    if (db->text != NULL)
        buf_append_text(out, db->text);
    return db->text != NULL;
}

int db_get_bytes(struct db *db, size_t column, struct buf *out, struct err *e)
{
    return db_get_text(db, column, out, e);
}

/* ---- The client --------------------------------------------------------------------------------------------------- */

struct http {
    struct buf got;
    bool begun, ended, aborted, gone;
    enum rows_form form;
};

const char *http_request_id(const struct http *h)
{
    (void)h;
    return "id";
}

void http_begin(struct http *h, int status, const char *content_type)
{
    assert_int_equal(status, 200);
    assert_string_equal(content_type, h->form == ROWS_LINES ? "application/x-ndjson" : "application/json");
    h->begun = true;
}

int http_write(struct http *h, const void *data, size_t len)
{
    buf_append(&h->got, data, len);
    return h->gone ? -1 : 0;
}

bool http_is_sent(const struct http *h)
{
    return h->got.len > HTTP_HELD;
}

int64_t http_started_us(const struct http *h)
{
    (void)h;
    return STARTED_US;
}

void http_end(struct http *h)
{
    h->ended = true;
}

void http_abort(struct http *h)
{
    h->aborted = true;
}

int http_take_back(struct http *h)
{
    return h->got.len > HTTP_HELD ? -1 : 0;
}

/* ---- The tests ---------------------------------------------------------------------------------------------------- */

static void each_type_has_its_json(void **state)
{
    static const struct {
        const char *type, *text, *expected;
    } rows[] = {
        {"TINYINT", "255", "255"},
        {"BIGINT", "-9223372036854775808", "-9223372036854775808"},
        {"INT", NULL, "null"},
        {"BIT", "1", "true"},
        {"BIT", "0", "false"},
        {"BIT", NULL, "null"},
        {"DECIMAL(10,2)", "-0.50", "-0.50"},
        {"DECIMAL(2,2)", ".50", "0.50"},
        {"DECIMAL(2,2)", "-.50", "-0.50"},
        {"DECIMAL(38,0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
        {"MONEY", "922337203685477.5807", "922337203685477.5807"},
        {"FLOAT", "0.1", "0.1"},
        {"REAL", "0.1", "0.1"},
        {"REAL", NULL, "null"},
        {"NVARCHAR(10)", "it's \"q\" \n", "\"it's \\\"q\\\" \\n\""},
        {"VARCHAR(10)", "", "\"\""},
        {"TEXT", NULL, "null"},
        {"DATE", "2026-11-22", "\"2026-11-22\""},
        {"DATE", "1-1-1", "\"0001-01-01\""},
        {"TIME(7)", "13:05:00.1234567", "\"13:05:00.1234567\""},
        {"TIME(0)", "13:05:00.", "\"13:05:00\""},
        {"TIME(3)", "1:2:3", "\"01:02:03.000\""},
        {"DATETIME", "2026-11-22 13:05:00.127", "\"2026-11-22T13:05:00.127\""},
        {"DATETIME2(7)", "999-02-28 00:00:00.0000001", "\"0999-02-28T00:00:00.0000001\""},
        {"DATETIME2(0)", "2026-11-22 13:05:00.", "\"2026-11-22T13:05:00\""},
        {"DATETIMEOFFSET(7)", "2026-11-22 13:05:00.1234567 +02:00", "\"2026-11-22T13:05:00.1234567+02:00\""},
        {"DATETIMEOFFSET(0)", "2026-11-22 13:05:00. -11:30", "\"2026-11-22T13:05:00-11:30\""},
        {"DATETIME2(7)", NULL, "null"},
        {"UNIQUEIDENTIFIER", "3F2504E0-4F89-11D3-9A0C-0305E82C3301", "\"3F2504E0-4F89-11D3-9A0C-0305E82C3301\""},
        {"VARBINARY(10)", "abc", "\"YWJj\""},
        {"BINARY(10)", NULL, "null"},
        {NULL, "<a/>", "\"<a/>\""},
        {"DATE", "soon", "internal"},
        {"TIME(7)", "13:05", "internal"},
        {"DATETIME", "2026-11-22", "internal"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char name[] = "c";
        struct statement_column column = {.name = name, .known = rows[i].type != NULL};
        const struct statement s = {.columns = &column, .column_count = 1};
        struct db db = {.text = rows[i].text, .rows = 1};
        struct http h = {.form = ROWS_LINES};
        const struct rows_answer a = {.form = ROWS_LINES, .shard = 1, .worker = "python"};
        struct err e = ERR_INIT;
        char expected[256];
        if (rows[i].type != NULL)
            assert_true(sqltype_parse(rows[i].type, strlen(rows[i].type), &column.type));
        buf_init(&h.got, 4096);
        if (rows_stream(&h, &db, &s, &a, &e) < 0) {
            assert_string_equal(rows[i].expected, err_name(e.code));
        } else {
            snprintf(expected, sizeof(expected), "{\"c\":%s}\n[\"end\",", rows[i].expected);
            assert_memory_equal(buf_text(&h.got), expected, strlen(expected));
        }
        buf_clear(&h.got);
    }
}

/* Streams `db` to `h`; the caller clears h->got. */
static int stream(struct http *h, struct db *db, struct err *e)
{
    char name[] = "c";
    struct statement_column column = {.name = name, .known = true, .type = {.kind = SQLTYPE_INT}};
    const struct statement s = {.columns = &column, .column_count = 1};
    buf_init(&h->got, 64u << 20);
    const struct rows_answer a = {.form = h->form, .shard = 1, .worker = "python", .deadline_us = DEADLINE_US};
    return rows_stream(h, db, &s, &a, e);
}

static void a_stream_is_one_document(void **state)
{
    static const struct {
        enum rows_form form;
        size_t rows;
        const char *expected;
    } rows[] = {
        {ROWS_DOCUMENT, 0, "{\"status\":\"ok\",\"rows\":[],\"count\":0,\"complete\":true,\"shards\":[{\"shard\":1,\"worker\":\"python\",\"outcome\":\"ok\",\"rows\":0}]}"},
        {ROWS_DOCUMENT, 2,
         "{\"status\":\"ok\",\"rows\":[{\"c\":7},{\"c\":7}],\"count\":2,\"complete\":true,"
         "\"shards\":[{\"shard\":1,\"worker\":\"python\",\"outcome\":\"ok\",\"rows\":2}]}"},
        {ROWS_LINES, 0, "[\"end\",{\"count\":0,\"complete\":true,\"shards\":[{\"shard\":1,\"worker\":\"python\",\"outcome\":\"ok\",\"rows\":0}]}]\n"},
        {ROWS_LINES, 2,
         "{\"c\":7}\n{\"c\":7}\n[\"end\",{\"count\":2,\"complete\":true,"
         "\"shards\":[{\"shard\":1,\"worker\":\"python\",\"outcome\":\"ok\",\"rows\":2}]}]\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct db db = {.text = "7", .rows = rows[i].rows};
        struct err e = ERR_INIT;
        struct http h = {.form = rows[i].form};
        assert_int_equal(stream(&h, &db, &e), 0);
        assert_string_equal(buf_text(&h.got), rows[i].expected);
        assert_true(h.ended && !h.aborted);
        buf_clear(&h.got);
    }
}

static void an_error_while_nothing_is_sent_is_answered(void **state)
{
    static const size_t fail_at[] = {1, 2, 100};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(fail_at); i++) {
        struct db db = {.text = "7", .rows = 99, .fail_at = fail_at[i / 2]};
        struct err e = ERR_INIT;
        struct http h = {.form = i % 2 == 0 ? ROWS_DOCUMENT : ROWS_LINES};
        assert_int_equal(stream(&h, &db, &e), -1);
        assert_int_equal(e.code, ERR_SHARD_UNAVAILABLE);
        assert_false(h.ended || h.aborted);
        assert_int_equal(db.idle_us, 0);
        buf_clear(&h.got);
    }
}

static void an_error_behind_what_is_sent_breaks_the_stream(void **state)
{
    static const size_t fail_at[] = {50000, 100001}; /* the last one: behind the last row */
    (void)state;
    for (size_t i = 0; i < COUNT(fail_at); i++) {
        struct db db = {.text = "7", .rows = 100000, .fail_at = fail_at[i]};
        struct err e = ERR_INIT;
        struct http h = {0};
        assert_int_equal(stream(&h, &db, &e), 0);
        assert_true(h.aborted && !h.ended);
        assert_int_equal(db.idle_us, DEADLINE_US - STARTED_US);
        assert_null(strstr(buf_text(&h.got), "\"complete\""));
        buf_clear(&h.got);
    }
}

static void lines_say_why_they_end(void **state)
{
    struct db db = {.text = "7", .rows = 100000, .fail_at = 50000};
    struct err e = ERR_INIT;
    struct http h = {.form = ROWS_LINES};
    (void)state;
    assert_int_equal(stream(&h, &db, &e), 0);
    assert_true(h.ended && !h.aborted);
    const char *last = strstr(buf_text(&h.got), "\n[\"failed\",{");
    assert_non_null(last);
    assert_non_null(strstr(last, "\"code\":\"shard_unavailable\""));
    assert_string_equal(buf_text(&h.got) + h.got.len - 3, "}]\n");
    assert_null(strstr(buf_text(&h.got), "[\"end\""));
    buf_clear(&h.got);
}

static void a_client_that_is_gone_ends_the_stream(void **state)
{
    struct db db = {.text = "7", .rows = 1000000};
    struct err e = ERR_INIT;
    struct http h = {.gone = true};
    (void)state;
    assert_int_equal(stream(&h, &db, &e), 0);
    assert_true(h.aborted);
    assert_true(db.fetched < 10000);
    buf_clear(&h.got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_has_its_json),
        cmocka_unit_test(a_stream_is_one_document),
        cmocka_unit_test(an_error_while_nothing_is_sent_is_answered),
        cmocka_unit_test(an_error_behind_what_is_sent_breaks_the_stream),
        cmocka_unit_test(lines_say_why_they_end),
        cmocka_unit_test(a_client_that_is_gone_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
