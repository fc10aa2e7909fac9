/* Bulk loads through engine.h: all rows are inserted, or none. */
#include "tds-server/engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ROWS 4

/* What the session was told. */
struct heard {
    int errors[8];
    size_t error_count;
    int64_t value; /* the last row's first */
};

static int on_columns(void *arg, const struct engine_column *columns, size_t count)
{
    (void)arg, (void)columns, (void)count;
    return 0;
}

static int on_row(void *arg, const struct value *values, size_t count)
{
    (void)count;
    ((struct heard *)arg)->value = values[0].null ? -1 : values[0].integer;
    return 0;
}

static int on_done(void *arg, const struct engine_done *done)
{
    (void)arg, (void)done;
    return 0;
}

static int on_message(void *arg, const struct engine_message *m)
{
    struct heard *h = arg;
    if (m->severity > 10 && h->error_count < 8)
        h->errors[h->error_count++] = m->number;
    return 0;
}

/* The rows (id INT, name NVARCHAR(20)) of a load; `torn` gives up behind the last. */
struct row {
    int id; /* -1: NULL */
    const char *name;
};

struct source {
    const struct row *rows;
    size_t at;
    bool torn;
};

static int next_row(void *arg, struct value *values)
{
    struct source *s = arg;
    if (s->at == MAX_ROWS || !s->rows[s->at].name)
        return s->torn ? -1 : 0;
    static char kept[64]; /* the bytes of one row are gone with the next */
    memset(kept, 0, sizeof kept);
    snprintf(kept, sizeof kept, "%s", s->rows[s->at].name);
    values[0] = (struct value){.type = {.kind = SQLTYPE_INT}, .integer = s->rows[s->at].id, .null = s->rows[s->at].id == -1};
    values[1] = (struct value){.type = {.kind = SQLTYPE_NVARCHAR, .length = 20}, .bytes = {kept, strlen(kept)}};
    s->at++;
    return 1;
}

static int64_t ask(struct engine_session *s, struct heard *h, const char *sql)
{
    h->value = -2;
    assert_int_equal(engine_batch(s, sql, strlen(sql)), 0);
    return h->value;
}

/* The tables begin with the row 100. */
static const char setup[] =
    "IF DB_ID('l') IS NOT NULL DROP DATABASE l; CREATE DATABASE l; USE l; CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1), (2); "
    "CREATE TABLE plain (id INT PRIMARY KEY, name NVARCHAR(3)); INSERT INTO plain VALUES (100, 'x'); "
    "CREATE TABLE checked (id INT NOT NULL REFERENCES p, name NVARCHAR(20) CHECK (name <> 'bad'), at INT DEFAULT 7, n INT IDENTITY); "
    "INSERT INTO checked (id, name) VALUES (1, 'x'); "
    "CREATE TABLE numbers (id SMALLINT, name INT); INSERT INTO numbers VALUES (100, 1)";

static void all_rows_are_inserted_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *table;
        struct row rows[MAX_ROWS];
        bool torn;
        int error; /* 0: all rows are there then */
        const char *check; /* 1 when the rows are as they should be; NULL: the count is enough */
    } cases[] = {
        {"plain", {{0}}, false, 0, NULL},
        {"plain", {{1, "a"}, {2, "bc"}, {3, ""}}, false, 0, "SELECT 1 FROM plain WHERE id = 2 AND name = 'bc'"},
        {"plain", {{1, "a"}, {1, "b"}}, false, 2627, NULL},
        {"plain", {{1, "a"}, {100, "b"}}, false, 2627, NULL},
        {"plain", {{1, "a"}, {2, "long"}}, false, 2628, NULL},
        {"plain", {{1, "a"}, {-1, "b"}}, false, 515, NULL},
        {"plain", {{1, "a"}, {2, "b"}}, true, 0, NULL},
        {"checked", {{1, "a"}, {2, "b"}}, false, 0, "SELECT 1 FROM checked WHERE id = 2 AND at = 7 AND n = 3"},
        {"checked", {{1, "a"}, {2, "bad"}}, false, 547, NULL},
        {"checked", {{3, "a"}, {2, "b"}}, false, 547, NULL},
        {"numbers", {{1, "12"}, {2, "-3"}}, false, 0, "SELECT 1 FROM numbers WHERE id = 2 AND name = -3"},
        {"numbers", {{1, "12"}, {2, "x"}}, false, 245, NULL},
        {"numbers", {{1, "12"}, {70000, "1"}}, false, 220, NULL},
    };
    char folder[] = "/tmp/shardgate-load-XXXXXX";
    struct engine *e;
    struct engine_session *s;
    struct heard h = {0};
    struct buf error;
    buf_init(&error, 1000);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(engine_open(folder, false, &e, &error), 0);
    struct engine_sink sink = {.columns = on_columns, .row = on_row, .done = on_done, .message = on_message, .arg = &h};
    assert_int_equal(engine_session_open(e, "", &sink, &s), 0);
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        bool nested = i % 2 != 0; /* in a transaction of the client's */
        char insert[100], count[100];
        const char *table = cases[i / 2].table;
        const struct engine_column *columns;
        size_t column_count, rows = 0;
        int32_t handle;
        uint64_t loaded = 99;
        struct source source = {cases[i / 2].rows, 0, cases[i / 2].torn};
        while (cases[i / 2].rows[rows].name)
            rows++;
        ask(s, &h, "USE master");
        ask(s, &h, setup);
        if (nested)
            ask(s, &h, "BEGIN TRANSACTION");
        snprintf(insert, sizeof insert, "INSERT INTO %s (id, name) VALUES (@c1, @c2)", table);
        snprintf(count, sizeof count, "SELECT COUNT(*) FROM %s", table);
        assert_int_equal(engine_prepare(s, insert, strlen(insert), "@c1 int, @c2 nvarchar(20)", 25, &handle, &columns, &column_count), 0);
        assert_int_equal(h.error_count, 0);
        int result = engine_load(s, handle, &(struct engine_rows){next_row, &source}, &loaded);
        bool kept = cases[i / 2].error == 0 && !source.torn;
        assert_int_equal(result, source.torn ? -1 : 0);
        assert_int_equal(h.errors[0], cases[i / 2].error);
        assert_int_equal(loaded, kept ? rows : 0);
        h = (struct heard){0};
        assert_int_equal(ask(s, &h, count), kept ? rows + 1 : 1);
        if (cases[i / 2].check)
            assert_int_equal(ask(s, &h, cases[i / 2].check), 1);
        /* A failed conversion alone ends the transaction around the load. */
        assert_int_equal(ask(s, &h, "SELECT @@TRANCOUNT"), nested && cases[i / 2].error != 245);
        ask(s, &h, "IF @@TRANCOUNT > 0 ROLLBACK");
        assert_int_equal(engine_unprepare(s, handle), 0);
        assert_int_equal(h.error_count, 0);
    }
    engine_session_close(s);
    engine_close(e);
    buf_clear(&error);
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_rows_are_inserted_or_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
