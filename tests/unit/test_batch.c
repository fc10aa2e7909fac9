/* batch.c, and what names a row in a worker's words (merge.c); spread.c's places. */
#include "fcgi-master/batch.h"
#include "fcgi-master/merge.h"
#include "fcgi-master/spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void a_batch_is_full_by_rows_or_by_bytes(void **state)
{
    static char text[BATCH_MAX_BYTES];
    struct batch b;
    (void)state;
    batch_init(&b);
    for (uint64_t i = 0; i < BATCH_MAX_ROWS; i++) {
        assert_false(batch_is_full(&b));
        assert_int_equal(batch_add(&b, "{}", 2, (struct batch_place){i + 1, i}), 0);
    }
    assert_true(batch_is_full(&b));
    assert_int_equal(b.text.len, 3 * BATCH_MAX_ROWS);
    assert_memory_equal(b.text.data, "{}\n{}\n", 6);
    batch_reset(&b);
    assert_int_equal(b.rows, 0);
    assert_int_equal(b.text.len, 0);

    memset(text, 'x', sizeof text);
    assert_int_equal(batch_add(&b, text, sizeof text - 2, (struct batch_place){1, 0}), 0);
    assert_false(batch_is_full(&b));
    assert_true(batch_has_room(&b, 0, sizeof text));
    assert_false(batch_has_room(&b, 1, sizeof text));
    assert_false(batch_has_room(&b, 1, 10));
    assert_int_equal(batch_add(&b, "", 0, (struct batch_place){2, 1}), 0);
    assert_true(batch_is_full(&b));
    batch_clear(&b);
}

static void rows_are_named_by_their_place_in_the_stream(void **state)
{
    static const struct {
        const char *detail, *expected;
    } rows[] = {
        {"data[0]: too long", "line 3 (row 1): too long"},
        {"data[1]: data[0]: x", "line 9 (row 5): data[0]: x"},
        {"data[1]: ", "line 9 (row 5): "},
        {"data[2]: x", "data[2]: x"},
        {"data[]: x", "data[]: x"},
        {"data[1]x", "data[1]x"},
        {"data[4294967296000]: x", "data[4294967296000]: x"},
        {"column 'a'", "column 'a'"},
        {"", ""},
    };
    struct batch b;
    (void)state;
    batch_init(&b);
    assert_int_equal(batch_add(&b, "{}", 2, (struct batch_place){3, 1}), 0);
    assert_int_equal(batch_add(&b, "{}", 2, (struct batch_place){9, 5}), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        err_set(&e, ERR_BAD_VALUE, "%s", rows[i].detail);
        batch_rename(&b, &e);
        assert_string_equal(e.detail, rows[i].expected);
    }
    batch_clear(&b);
}

static void a_shards_row_has_its_place_in_the_array(void **state)
{
    size_t shards[] = {0, 2, 0, 1, 2, 2};
    const struct spread sp = {.row_shards = shards, .rows = COUNT(shards), .shards = 3};
    (void)state;
    assert_int_equal(spread_place(&sp, 0, 0), 0);
    assert_int_equal(spread_place(&sp, 0, 1), 2);
    assert_int_equal(spread_place(&sp, 2, 2), 5);
    assert_int_equal(spread_place(&sp, 1, 1), COUNT(shards));
    assert_null(spread_body(&sp, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_full_by_rows_or_by_bytes),
        cmocka_unit_test(rows_are_named_by_their_place_in_the_stream),
        cmocka_unit_test(a_shards_row_has_its_place_in_the_array),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
