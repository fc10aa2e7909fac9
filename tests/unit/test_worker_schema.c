/* schema.c against a database that is a few lines of this file: what it asks for, what it keeps, and for how long. */
#include "common/clock.h"
#include "fcgi-worker/db.h"
#include "fcgi-worker/schema.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- The database ------------------------------------------------------------------------------------------------- */

static struct {
    bool database, table, gw_tables, broken;
    const char *shard_column;
    const char *const (*keys)[2]; /* index id, column */
    size_t key_rows;
    atomic_int column_queries;
    int delay_us;         /* of the question for columns */
    _Atomic int64_t now_us;
} world;

enum question { ASK_DATABASE, ASK_COLUMNS, ASK_KEYS, ASK_SHARD };

struct db {
    enum question question;
    size_t row, rows;
};

static const char *const columns[][10] = {
    /* table, column, type, length, precision, scale, datetime precision, nullable, default, collation */
    {"Students", "Student_ID", "int", NULL, "10", "0", NULL, "NO", NULL, NULL},
    {"Students", "Email", "nvarchar", "100", NULL, NULL, NULL, "YES", "(N'x')", "Latin1_General_100_BIN2"},
    {"Students", "price", "decimal", NULL, "10", "2", NULL, "YES", NULL, NULL},
    {"Students", "Code", "char", "4", NULL, NULL, NULL, "NO", NULL, "Latin1_General_100_CI_AS_SC_UTF8"},
    {"Students", "doc", "xml", "-1", NULL, NULL, NULL, "YES", NULL, NULL},
};

int64_t clock_now_us(void)
{
    return world.now_us;
}

/* No test waits. */
struct timespec clock_timespec(int64_t us)
{
    return (struct timespec){.tv_sec = us / 1000000};
}

void clock_cond_init(pthread_cond_t *cond)
{
    pthread_cond_init(cond, NULL);
}

int db_query(struct db *db, const struct statement *s, int64_t deadline_us, struct err *e)
{
    const char *sql = buf_text(&s->sql);
    (void)deadline_us;
    db->row = 0;
    if (world.broken)
        return err_set(e, ERR_SHARD_UNAVAILABLE, "broken");
    if (strstr(sql, "[databases]") != NULL) {
        db->question = ASK_DATABASE;
        db->rows = world.database ? 1 : 0;
        return 0;
    }
    if (strstr(sql, "[COLUMNS]") != NULL) {
        world.column_queries++;
        usleep((useconds_t)world.delay_us);
        db->question = ASK_COLUMNS;
        db->rows = world.table && world.database ? COUNT(columns) : 0;
        return world.database ? 0 : err_set(e, ERR_NO_SUCH_TABLE, "Invalid object name 'nodb.INFORMATION_SCHEMA.COLUMNS'.");
    }
    if (strstr(sql, "[index_columns]") != NULL) {
        db->question = ASK_KEYS;
        db->rows = world.key_rows;
        return 0;
    }
    db->question = ASK_SHARD;
    db->rows = world.shard_column != NULL ? 1 : 0;
    return world.gw_tables ? 0 : err_set(e, ERR_NO_SUCH_TABLE, "Invalid object name 'gw_tables'.");
}

int db_fetch(struct db *db, struct err *e)
{
    (void)e;
    return db->row++ < db->rows;
}

void db_close(struct db *db)
{
    db->rows = 0;
}

static const char *cell(const struct db *db, size_t column)
{
    switch (db->question) {
    case ASK_COLUMNS:
        return columns[db->row - 1][column];
    case ASK_KEYS:
        return world.keys[db->row - 1][column];
    default:
        return world.shard_column;
    }
}

int db_get_text(struct db *db, size_t column, struct buf *out, struct err *e)
{
    const char *text = cell(db, column);
    (void)e;
    if (text != NULL)
        buf_append_text(out, text);
    return text != NULL;
}

int db_get_integer(struct db *db, size_t column, int64_t *out, struct err *e)
{
    const char *text = cell(db, column);
    (void)e;
    *out = text == NULL ? 0 : atoll(text);
    return text != NULL;
}

/* ---- The tests ---------------------------------------------------------------------------------------------------- */

static int reset(void **state)
{
    (void)state;
    world.database = world.table = true;
    world.gw_tables = world.broken = false;
    world.shard_column = NULL;
    world.key_rows = 0;
    world.column_queries = 0;
    world.delay_us = 0;
    world.now_us = 1000000;
    return 0;
}

static void get(struct schema_cache *cache, const struct schema_table **t)
{
    struct db db = {0};
    struct err e = ERR_INIT;
    assert_int_equal(schema_get(cache, &db, "SchoolDBGO", "students", INT64_MAX, t, &e), 0);
}

static enum err_code get_error(struct schema_cache *cache, const char *table)
{
    const struct schema_table *t;
    struct db db = {0};
    struct err e = ERR_INIT;
    assert_int_equal(schema_get(cache, &db, "SchoolDBGO", table, INT64_MAX, &t, &e), -1);
    assert_null(t);
    return e.code;
}

static void the_catalogue_becomes_a_table(void **state)
{
    struct schema_cache *cache = schema_cache_new();
    const struct schema_table *t;
    struct buf out;
    (void)state;
    get(cache, &t);
    assert_string_equal(t->name, "Students");
    buf_init(&out, 4096);
    schema_write(t, &out);
    const char *behind_tag = strstr(buf_text(&out), ",\"shard_column\"");
    assert_non_null(behind_tag);
    assert_string_equal(behind_tag,
                        ",\"shard_column\":\"Student_ID\",\"key\":[],\"columns\":["
                        "{\"name\":\"Student_ID\",\"type\":\"INT\",\"nullable\":false,\"has_default\":false,\"binary\":false,\"ignores_case\":false},"
                        "{\"name\":\"Email\",\"type\":\"NVARCHAR(100)\",\"nullable\":true,\"has_default\":true,\"binary\":true,\"ignores_case\":false},"
                        "{\"name\":\"price\",\"type\":\"DECIMAL(10,2)\",\"nullable\":true,\"has_default\":false,\"binary\":false,\"ignores_case\":false},"
                        "{\"name\":\"Code\",\"type\":\"CHAR(4)\",\"nullable\":false,\"has_default\":false,\"binary\":false,\"ignores_case\":true},"
                        "{\"name\":\"doc\",\"type\":null,\"nullable\":true,\"has_default\":false,\"binary\":false,\"ignores_case\":false}]");
    buf_clear(&out);
    schema_release(cache, t);
    schema_cache_free(cache);
}

/* The first index on columns that are never NULL, and of types that can be sorted by. */
static void an_index_becomes_the_key(void **state)
{
    static const struct {
        const char *keys[4][2];
        size_t count;
        const char *expected;
    } rows[] = {
        {{{"1", "Student_ID"}}, 1, "\"key\":[\"Student_ID\"]"},
        {{{"7", "Code"}, {"7", "Student_ID"}}, 2, "\"key\":[\"Code\",\"Student_ID\"]"},
        {{{"2", "Email"}, {"3", "Student_ID"}}, 2, "\"key\":[\"Student_ID\"]"},
        {{{"1", "Student_ID"}, {"1", "Email"}, {"2", "Code"}}, 3, "\"key\":[\"Code\"]"},
        {{{"2", "Student_ID"}, {"3", "Code"}}, 2, "\"key\":[\"Student_ID\"]"},
        {{{"2", "Student_ID"}, {"2", "doc"}}, 2, "\"key\":[]"},
        {{{"2", "Email"}}, 1, "\"key\":[]"},
        {{{"2", "gone"}}, 1, "\"key\":[]"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct schema_cache *cache = schema_cache_new();
        const struct schema_table *t;
        struct buf out;
        world.keys = rows[i].keys;
        world.key_rows = rows[i].count;
        get(cache, &t);
        buf_init(&out, 4096);
        schema_write(t, &out);
        if (strstr(buf_text(&out), rows[i].expected) == NULL)
            fail_msg("row %zu gave %s\n  expected %s", i, buf_text(&out), rows[i].expected);
        buf_clear(&out);
        schema_release(cache, t);
        schema_cache_free(cache);
    }
}

static void a_recorded_shard_column_comes_first(void **state)
{
    static const struct {
        const char *recorded, *expected;
    } rows[] = {{"email", "Email"}, {"dropped", "Student_ID"}, {NULL, "Student_ID"}};
    (void)state;
    world.gw_tables = true;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct schema_cache *cache = schema_cache_new();
        const struct schema_table *t;
        world.shard_column = rows[i].recorded;
        get(cache, &t);
        assert_string_equal(t->shard_column->name, rows[i].expected);
        schema_release(cache, t);
        schema_cache_free(cache);
    }
}

static void a_missing_database_and_a_missing_table_differ(void **state)
{
    struct schema_cache *cache = schema_cache_new();
    (void)state;
    world.table = false;
    assert_int_equal(get_error(cache, "students"), ERR_NO_SUCH_TABLE);
    world.database = false;
    assert_int_equal(get_error(cache, "students"), ERR_NO_SUCH_DATABASE);
    world.broken = true;
    assert_int_equal(get_error(cache, "students"), ERR_SHARD_UNAVAILABLE);
    schema_cache_free(cache);
}

static void a_table_is_asked_for_once_in_its_time(void **state)
{
    struct schema_cache *cache = schema_cache_new();
    const struct schema_table *first, *again, *later;
    (void)state;
    get(cache, &first);
    world.now_us += SCHEMA_TTL_MS * 1000 - 1;
    get(cache, &again);
    assert_ptr_equal(first, again);
    assert_int_equal(world.column_queries, 1);
    world.now_us += 1;
    get(cache, &later);
    assert_int_equal(world.column_queries, 2);
    assert_string_equal(first->tag, later->tag);
    /* the old description lives as long as a request has it */
    assert_string_equal(first->name, "Students");
    schema_release(cache, first);
    schema_release(cache, again);
    schema_release(cache, later);
    schema_cache_free(cache);
}

static void invalidation_reaches_every_spelling(void **state)
{
    static const struct {
        const char *database, *table;
        int queries;
    } rows[] = {{"schooldbgo", "STUDENTS", 2}, {"SCHOOLDBGO", NULL, 2}, {"SchoolDBGO", "other", 1}, {"SchoolDB", NULL, 1}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct schema_cache *cache = schema_cache_new();
        const struct schema_table *t;
        world.column_queries = 0;
        get(cache, &t);
        schema_release(cache, t);
        schema_invalidate(cache, rows[i].database, rows[i].table);
        get(cache, &t);
        schema_release(cache, t);
        assert_int_equal(world.column_queries, rows[i].queries);
        schema_cache_free(cache);
    }
}

static void a_dropped_table_is_not_found_after_its_time(void **state)
{
    struct schema_cache *cache = schema_cache_new();
    const struct schema_table *t;
    (void)state;
    get(cache, &t);
    schema_release(cache, t);
    world.table = false;
    world.now_us += SCHEMA_TTL_MS * 1000;
    assert_int_equal(get_error(cache, "students"), ERR_NO_SUCH_TABLE);
    world.table = true;
    get(cache, &t);
    schema_release(cache, t);
    schema_cache_free(cache);
}

static void more_tables_than_the_cache_holds_are_no_harm(void **state)
{
    struct schema_cache *cache = schema_cache_new();
    struct db db = {0};
    (void)state;
    for (int i = 0; i < SCHEMA_MAX_TABLES * 2; i++) {
        const struct schema_table *t;
        struct err e = ERR_INIT;
        char name[32];
        snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(schema_get(cache, &db, "SchoolDBGO", name, INT64_MAX, &t, &e), 0);
        schema_release(cache, t);
    }
    schema_cache_free(cache);
}

static void *get_in_thread(void *cache)
{
    const struct schema_table *t = NULL;
    struct db db = {0};
    struct err e = ERR_INIT;
    int rc = schema_get(cache, &db, "SchoolDBGO", "students", INT64_MAX / 2, &t, &e);
    schema_release(cache, t);
    return rc == 0 ? cache : NULL;
}

static void many_threads_ask_once(void **state)
{
    struct schema_cache *cache = schema_cache_new();
    pthread_t threads[8];
    (void)state;
    world.delay_us = 50000;
    for (int round = 1; round <= 2; round++) {
        for (size_t i = 0; i < COUNT(threads); i++)
            assert_int_equal(pthread_create(&threads[i], NULL, get_in_thread, cache), 0);
        for (size_t i = 0; i < COUNT(threads); i++) {
            void *result;
            pthread_join(threads[i], &result);
            assert_non_null(result);
        }
        assert_int_equal(world.column_queries, round);
        world.now_us += SCHEMA_TTL_MS * 1000;
    }
    schema_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_catalogue_becomes_a_table, reset),
        cmocka_unit_test_setup(an_index_becomes_the_key, reset),
        cmocka_unit_test_setup(a_recorded_shard_column_comes_first, reset),
        cmocka_unit_test_setup(a_missing_database_and_a_missing_table_differ, reset),
        cmocka_unit_test_setup(a_table_is_asked_for_once_in_its_time, reset),
        cmocka_unit_test_setup(invalidation_reaches_every_spelling, reset),
        cmocka_unit_test_setup(a_dropped_table_is_not_found_after_its_time, reset),
        cmocka_unit_test_setup(more_tables_than_the_cache_holds_are_no_harm, reset),
        cmocka_unit_test_setup(many_threads_ask_once, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
