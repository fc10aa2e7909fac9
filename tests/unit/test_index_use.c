/* What the binder writes lets SQLite use the index of a key: for each type that a key may have, queries that must not read a
 * whole table, by SQLite's own account of its plan. */
#include "common/buf.h"
#include "tds-server/engine/exec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int fail_on_message(void *arg, const struct engine_message *m)
{
    (void)arg;
    if (m->severity > 10)
        fail_msg("%d %s", m->number, m->text);
    return 0;
}

static int ignore_columns(void *arg, const struct engine_column *columns, size_t count)
{
    (void)arg, (void)columns, (void)count;
    return 0;
}

static int ignore_row(void *arg, const struct value *values, size_t count)
{
    (void)arg, (void)values, (void)count;
    return 0;
}

static int ignore_done(void *arg, const struct engine_done *done)
{
    (void)arg, (void)done;
    return 0;
}

static int ignore_database(void *arg, const char *from, const char *to)
{
    (void)arg, (void)from, (void)to;
    return 0;
}

/* A kind of key. Each gets the tables k (a, PRIMARY KEY), k2 (a, b, PRIMARY KEY (a, b)) and child (id, a, indexed). */
static const struct {
    const char *type;
    const char *literal;
    const char *parameter; /* the type of @p and @q; NULL: that of the key */
} keys[] = {
    {"INT", "7", NULL},
    {"BIGINT", "7", NULL},
    {"SMALLINT", "7", NULL},
    {"TINYINT", "7", NULL},
    {"DECIMAL(18,4)", "7.5", NULL},
    {"NUMERIC(38,0)", "7", NULL},
    {"MONEY", "7.5", NULL},
    {"FLOAT", "7.5e0", NULL},
    {"DATE", "'2026-11-22'", NULL},
    {"TIME(3)", "'13:05:00'", NULL},
    {"DATETIME", "'2026-11-22 13:05:00'", NULL},
    {"DATETIME2(3)", "'2026-11-22 13:05:00'", NULL},
    {"DATETIMEOFFSET", "'2026-11-22 13:05:00 +02:00'", NULL},
    {"UNIQUEIDENTIFIER", "'3F2504E0-4F89-11D3-9A0C-0305E82C3301'", NULL},
    {"NVARCHAR(50)", "N'Ali'", NULL},
    {"NVARCHAR(50) COLLATE Latin1_General_CS_AS", "N'Ali'", NULL},
    {"NVARCHAR(50) COLLATE Latin1_General_BIN2", "N'Ali'", NULL},
    {"VARCHAR(50)", "'Ali'", NULL},
    {"CHAR(10)", "'Ali'", NULL},
    {"NCHAR(10)", "N'Ali'", NULL},
    {"VARBINARY(16)", "0x0102", NULL},
    {"BINARY(4)", "0x0102", NULL},
    {"INT", "7", "BIGINT"},
    {"INT", "7", "SMALLINT"},
    {"BIGINT", "5000000000", "INT"},
    {"DECIMAL(18,4)", "7", "INT"},
    {"DECIMAL(18,4)", "7.5", "DECIMAL(10,2)"},
    {"DECIMAL(18,4)", "7.5", "BIGINT"},
    {"FLOAT", "7", "INT"},
    {"FLOAT", "7.5", "DECIMAL(10,2)"},
    {"DATE", "'20261122'", "NVARCHAR(30)"},
    {"DATETIME2(7)", "'20261122'", "NVARCHAR(30)"},
    {"DATETIME2(7)", "'20261122'", "DATETIME"},
    {"DATETIME2(7)", "'20261122'", "DATE"},
    {"UNIQUEIDENTIFIER", "N'3F2504E0-4F89-11D3-9A0C-0305E82C3301'", "NVARCHAR(36)"},
    {"NVARCHAR(50)", "'Ali'", "VARCHAR(8000)"},
    {"VARCHAR(50)", "N'Ali'", "NVARCHAR(4000)"},
    {"INT", "'7'", "NVARCHAR(4000)"},
};

/* # is the literal. */
static const char *const queries[] = {
    "SELECT * FROM k WHERE a = @p",
    "SELECT * FROM k WHERE a = #",
    "SELECT * FROM k AS x WHERE x.a = @p AND x.v > 1",
    "SELECT * FROM k WHERE a IN (@p, @q, #)",
    "SELECT * FROM k WHERE a BETWEEN @p AND @q",
    "SELECT * FROM k WHERE a >= @p AND a < @q",
    "SELECT * FROM k WHERE a > #",
    "SELECT TOP (10) * FROM k WHERE a > @p ORDER BY a",
    "SELECT TOP (10) * FROM k ORDER BY a DESC",
    "SELECT * FROM k ORDER BY a OFFSET 5 ROWS FETCH NEXT 5 ROWS ONLY",
    "SELECT * FROM k2 WHERE a = @p AND b = @q",
    "SELECT TOP (10) * FROM k2 WHERE a = @p ORDER BY b",
    "SELECT TOP (10) * FROM k2 ORDER BY a, b",
    "SELECT TOP (10) * FROM k2 WHERE a >= @p AND (a > @p OR (a = @p AND b > @q)) ORDER BY a, b",
    "SELECT * FROM child JOIN k ON k.a = child.a WHERE child.id = 3",
    "SELECT * FROM k JOIN child ON child.a = k.a WHERE k.a = @p",
    "SELECT * FROM child LEFT JOIN k ON k.a = child.a WHERE child.a = @p",
    "SELECT * FROM k WHERE EXISTS (SELECT 1 FROM child WHERE child.a = k.a) AND k.a = @p",
    "SELECT MIN(a) FROM k",
    "SELECT MAX(a) FROM k",
    "SELECT MAX(a) FROM k WHERE a < @p",
    "SELECT COUNT(*) FROM k WHERE a = @p",
    "UPDATE k SET v = 1 WHERE a = @p",
    "UPDATE k SET v = v + 1 WHERE a >= @p AND a < @q",
    "UPDATE k2 SET v = 1 WHERE a = # AND b = @q",
    "DELETE FROM k WHERE a = @p",
    "DELETE FROM k WHERE a IN (@p, #)",
    "DELETE FROM k2 WHERE a = @p AND b = @q",
};

static void run(struct engine_session *s, const char *format, ...)
{
    char sql[1000];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    assert_in_range(len, 1, sizeof sql - 1);
    assert_int_equal(engine_batch(s, sql, (size_t)len), 0);
}

/* Reading all in the order of a key is no search, but ends early: where the query asks for an order, a scan is fine as long as
 * nothing is sorted. UPDATE and DELETE sort what they found, so that they do not meet their own changes. */
static bool reads_whole_table(const char *query, const char *step)
{
    bool reads = strncmp(query, "SELECT", 6) == 0;
    if (strstr(step, "USE TEMP B-TREE"))
        return reads;
    bool scans = strncmp(step, "SCAN", 4) == 0 && strncmp(step, "SCAN CONSTANT ROW", 17) != 0;
    return scans && (strstr(query, "WHERE") || !strstr(query, "ORDER BY"));
}

/* Appends the steps of the query's plan, and whether one of them reads a whole table. */
static bool explain(struct engine_session *s, const char *sql, const char *query, struct buf *steps)
{
    struct buf text;
    sqlite3_stmt *stmt = NULL;
    bool whole = false;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(s->db, buf_text(&text), -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(stmt, 3);
        buf_printf(steps, "    %s\n", step);
        whole = whole || reads_whole_table(query, step);
    }
    sqlite3_finalize(stmt);
    buf_clear(&text);
    return whole;
}

/* "#" by the literal. */
static void fill(const char *query, const char *literal, struct buf *out)
{
    for (; *query; query++) {
        if (*query == '#')
            buf_append_text(out, literal);
        else
            buf_append_char(out, *query);
    }
}

static void keys_are_found_by_their_index(void **state)
{
    (void)state;
    struct engine_sink sink = {.columns = ignore_columns, .row = ignore_row, .done = ignore_done, .message = fail_on_message, .database = ignore_database};
    char folder[] = "/tmp/shardgate-index-XXXXXX";
    struct engine *e;
    struct engine_session *s;
    struct buf error, query, steps;
    size_t bad = 0;
    buf_init(&error, 1000);
    buf_init(&query, 10000);
    buf_init(&steps, 100000);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(engine_open(folder, false, &e, &error), 0);
    assert_int_equal(engine_session_open(e, "", &sink, &s), 0);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char declarations[200];
        const char *parameter = keys[i].parameter ? keys[i].parameter : keys[i].type;
        int type_len = (int)strcspn(parameter, " ");
        run(s, "CREATE DATABASE plan%zu; USE plan%zu", i, i);
        run(s, "CREATE TABLE k (a %s NOT NULL PRIMARY KEY, v INT)", keys[i].type);
        run(s, "CREATE TABLE k2 (a %s NOT NULL, b %s NOT NULL, v INT, PRIMARY KEY (a, b))", keys[i].type, keys[i].type);
        run(s, "CREATE TABLE child (id INT PRIMARY KEY, a %s NOT NULL)", keys[i].type);
        run(s, "CREATE INDEX ix ON child (a)");
        snprintf(declarations, sizeof declarations, "@p %.*s, @q %.*s", type_len, parameter, type_len, parameter);
        for (size_t j = 0; j < sizeof queries / sizeof queries[0]; j++) {
            buf_reset(&query);
            buf_reset(&steps);
            fill(queries[j], keys[i].literal, &query);
            struct batch *b = exec_make_batch(s, buf_text(&query), query.len, declarations, strlen(declarations));
            if (!b || exec_compile(s, b, b->tree->statements, b->plan) < 0)
                fail_msg("%s, %s: %d %s", keys[i].type, buf_text(&query), s->fault.number, s->fault.text);
            if (explain(s, b->plan->query.sql, queries[j], &steps)) {
                print_error("%s: %s\n  %s\n%s", keys[i].type, buf_text(&query), b->plan->query.sql, buf_text(&steps));
                bad++;
            }
            if (getenv("SHOW_PLANS"))
                print_message("%s: %s\n  %s\n%s", keys[i].type, buf_text(&query), b->plan->query.sql, buf_text(&steps));
            exec_free_batch(b);
        }
    }
    engine_session_close(s);
    engine_close(e);
    buf_clear(&error);
    buf_clear(&query);
    buf_clear(&steps);
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_found_by_their_index)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
