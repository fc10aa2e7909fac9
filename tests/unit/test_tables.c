#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "fcgi-master/tables.h"

static struct table *make_table(const char *tag)
{
    char text[256];
    struct table *t = NULL;
    struct err e = ERR_INIT;
    snprintf(text, sizeof text, "{\"tag\":\"%s\",\"shard_column\":null,\"columns\":[{\"name\":\"a\",\"type\":\"INT\",\"nullable\":true,"
             "\"has_default\":false,\"binary\":false}]}", tag);
    assert_int_equal(table_read(text, strlen(text), &t, &e), 0);
    return t;
}

/* Puts a description with this tag and gives up the own reference. */
static void put(struct tables *ts, const char *db, const char *table, const char *tag)
{
    struct table *t = make_table(tag);
    tables_put(ts, db, table, t);
    table_release(t);
}

static void assert_tag(struct tables *ts, const char *db, const char *table, const char *tag)
{
    struct table *t = tables_get(ts, db, table);
    if (tag == NULL)
        assert_null(t);
    else
        assert_string_equal(t->tag, tag);
    table_release(t);
}

static void descriptions_are_kept_by_name(void **state)
{
    (void)state;
    struct tables *ts = tables_new();
    assert_tag(ts, "db", "t", NULL);
    put(ts, "db", "t", "1");
    put(ts, "db", "u", "2");
    put(ts, "dbt", "", "3");
    assert_tag(ts, "db", "t", "1");
    assert_tag(ts, "db", "u", "2");
    assert_tag(ts, "dbt", "", "3");
    assert_tag(ts, "DB", "t", NULL); /* spelled otherwise: described again */
    put(ts, "db", "t", "4");
    assert_tag(ts, "db", "t", "4");
    tables_free(ts);
}

static void what_changed_is_forgotten_in_every_spelling(void **state)
{
    (void)state;
    struct tables *ts = tables_new();
    put(ts, "db", "t", "1");
    put(ts, "DB", "T", "1");
    put(ts, "db", "u", "2");
    put(ts, "other", "t", "3");
    tables_forget(ts, "Db", "T");
    assert_tag(ts, "db", "t", NULL);
    assert_tag(ts, "DB", "T", NULL);
    assert_tag(ts, "db", "u", "2");
    tables_forget(ts, "DB", NULL);
    assert_tag(ts, "db", "u", NULL);
    assert_tag(ts, "other", "t", "3");
    tables_free(ts);
}

static void a_description_outlives_its_slot(void **state)
{
    (void)state;
    struct tables *ts = tables_new();
    put(ts, "db", "t", "1");
    struct table *held = tables_get(ts, "db", "t");
    put(ts, "db", "t", "2");
    tables_free(ts);
    assert_string_equal(held->tag, "1");
    table_release(held);
}

static void many_tables_take_no_more_than_the_slots(void **state)
{
    (void)state;
    struct tables *ts = tables_new();
    size_t kept = 0;
    char name[32];
    for (int i = 0; i < 3 * TABLES_SLOTS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        put(ts, "db", name, "1");
        assert_tag(ts, "db", name, "1");
    }
    for (int i = 0; i < 3 * TABLES_SLOTS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        struct table *t = tables_get(ts, "db", name);
        kept += t != NULL ? 1 : 0;
        table_release(t);
    }
    assert_in_range(kept, TABLES_SLOTS / 2, TABLES_SLOTS);
    tables_free(ts);
}

static void *hammer(void *arg)
{
    struct tables *ts = arg;
    for (int i = 0; i < 2000; i++) {
        struct table *t = tables_get(ts, "db", "t");
        if (t != NULL && t->column_count != 1)
            abort();
        if (t == NULL || i % 7 == 0)
            put(ts, "db", "t", "1");
        if (i % 11 == 0)
            tables_forget(ts, "db", i % 2 == 0 ? "t" : NULL);
        table_release(t);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    struct tables *ts = tables_new();
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, ts), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    tables_free(ts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptions_are_kept_by_name),
        cmocka_unit_test(what_changed_is_forgotten_in_every_spelling),
        cmocka_unit_test(a_description_outlives_its_slot),
        cmocka_unit_test(many_tables_take_no_more_than_the_slots),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
