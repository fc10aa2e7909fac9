#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

static void an_empty_buffer_is_an_empty_text(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_string_equal(buf_text(&b), "");
    assert_null(b.data);
    buf_append(&b, NULL, 0);
    buf_append_fill(&b, 'x', 0);
    assert_int_equal(buf_status(&b), 0);
    assert_int_equal(b.len, 0);
    buf_clear(&b);
    buf_clear(&(struct buf){0});
}

static void contents_are_followed_by_nul(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_append(&b, "a\0b", 3);
    buf_append_text(&b, "cd");
    buf_append_char(&b, 'e');
    buf_append_fill(&b, 'f', 3);
    buf_printf(&b, "%d-%s", 42, "x");
    assert_int_equal(b.len, 13);
    assert_memory_equal(b.data, "a\0bcdefff42-x", 14);
    buf_truncate(&b, 4);
    assert_memory_equal(b.data, "a\0bc", 5);
    assert_int_equal(buf_status(&b), 0);
    buf_clear(&b);
}

static void growth_keeps_what_was_there(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100000; i++) {
        buf_printf(&b, "%d,", i % 10);
    }
    assert_int_equal(buf_status(&b), 0);
    assert_int_equal(b.len, 200000);
    for (size_t i = 0; i < b.len; i += 2) {
        assert_int_equal(b.data[i], '0' + (char)(i / 2 % 10));
    }
    assert_true(b.cap <= b.max + 1);
    buf_clear(&b);
}

static void the_maximum_fits_exactly(void **state)
{
    (void)state;
    static const size_t maxima[] = {0, 1, 5, 63, 64, 65, 100, 1000};
    for (size_t i = 0; i < sizeof maxima / sizeof maxima[0]; i++) {
        struct buf b;
        buf_init(&b, maxima[i]);
        for (size_t n = 0; n < maxima[i]; n++) {
            buf_append_char(&b, 'x');
        }
        assert_int_equal(buf_status(&b), 0);
        assert_int_equal(b.len, maxima[i]);
        assert_true(b.cap <= maxima[i] + 1);
        buf_append_char(&b, 'y');
        assert_int_equal(buf_status(&b), -1);
        assert_int_equal(b.len, maxima[i]);
        buf_clear(&b);
    }
}

static void the_first_failure_stays(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_append_text(&b, "abc");
    buf_append_text(&b, "de"); /* does not fit */
    buf_append_text(&b, "f");  /* would fit, but a hole would be before it */
    buf_printf(&b, "g");
    assert_null(buf_reserve(&b, 1));
    assert_int_equal(buf_status(&b), -1);
    assert_string_equal(buf_text(&b), "abc");
    buf_reset(&b);
    buf_append_text(&b, "f");
    assert_int_equal(buf_status(&b), 0);
    assert_string_equal(buf_text(&b), "f");
    buf_clear(&b);
}

static void lengths_that_would_wrap_fail(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_append_text(&b, "abc");
    assert_null(buf_reserve(&b, SIZE_MAX - 2));
    assert_int_equal(buf_status(&b), -1);
    assert_string_equal(buf_text(&b), "abc");
    buf_clear(&b);
}

static void printf_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    buf_append_text(&b, "ab");
    buf_printf(&b, "%s", "0123456789");
    assert_int_equal(buf_status(&b), -1);
    assert_string_equal(buf_text(&b), "ab");
    assert_int_equal(b.len, 2);
    buf_clear(&b);
}

static void integers_are_little_endian(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_append_u16le(&b, 0x1234);
    buf_append_u32le(&b, 0x89abcdefu);
    buf_append_u64le(&b, 0x0102030405060708u);
    assert_int_equal(b.len, 14);
    assert_memory_equal(b.data, "\x34\x12\xef\xcd\xab\x89\x08\x07\x06\x05\x04\x03\x02\x01", 14);
    buf_clear(&b);
}

static void reserved_room_is_committed_as_written(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_append_text(&b, "ab");
    char *room = buf_reserve(&b, 98);
    assert_non_null(room);
    memset(room, 'x', 98);
    buf_commit(&b, 3);
    assert_string_equal(buf_text(&b), "abxxx");
    assert_null(buf_reserve(&b, 96));
    buf_clear(&b);
}

static void taken_contents_are_the_callers(void **state)
{
    (void)state;
    struct buf b;
    size_t len = 99;
    buf_init(&b, 4);

    char *text = buf_take(&b, &len); /* an empty one is a text too */
    assert_string_equal(text, "");
    assert_int_equal(len, 0);
    free(text);

    buf_append_text(&b, "abcd");
    text = buf_take(&b, &len);
    assert_string_equal(text, "abcd");
    assert_int_equal(len, 4);
    assert_int_equal(b.len, 0);
    free(text);

    buf_append_text(&b, "ab"); /* usable again, with its maximum */
    buf_append_text(&b, "cde");
    assert_null(buf_take(&b, NULL)); /* half a text is none */
    assert_int_equal(buf_status(&b), 0);
    assert_string_equal(buf_text(&b), "");
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(contents_are_followed_by_nul),
        cmocka_unit_test(growth_keeps_what_was_there),
        cmocka_unit_test(the_maximum_fits_exactly),
        cmocka_unit_test(the_first_failure_stays),
        cmocka_unit_test(lengths_that_would_wrap_fail),
        cmocka_unit_test(printf_that_does_not_fit_leaves_nothing),
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(reserved_room_is_committed_as_written),
        cmocka_unit_test(taken_contents_are_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
