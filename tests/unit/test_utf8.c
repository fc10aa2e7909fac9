/* utf8.h: what becomes of UTF-16 from the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/utf8.h"

#define WIDE(text) u##text, sizeof(u##text) - sizeof(char16_t)

typedef uint_least16_t char16_t;

static void utf16_becomes_utf8(void **state)
{
    static const char16_t lone_high[] = {'a', 0xD83D, 'b'}, lone_low[] = {0xDE00, 'a', 'b', 'c', 'd'}, last_high[] = {'a', 'b', 'c', 'd', 0xD83D},
                          wrong_way[] = {0xDE00, 0xD83D}, nul[] = {'a', 0, 'b', 'c', 'd'};
    static const struct {
        const char16_t *text;
        size_t len;
        const char *expected;
        size_t expected_len;
    } rows[] = {
        {WIDE(""), "", 0},
        {WIDE("abc"), "abc", 3},
        {WIDE("abcdefghi"), "abcdefghi", 9},
        {WIDE("abc\u017Ddefg\u5B66"), "abc\u017Ddefg\u5B66", 12},
        {WIDE("\x7F\x80\u07FF\u0800\uFFFF"), "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF", 11},
        {WIDE("a\U0001F600b\U00010000\U0010FFFF"), "a\U0001F600b\U00010000\U0010FFFF", 14},
        {WIDE("\u0100abcd\u0100"), "\u0100abcd\u0100", 8}, /* units whose low byte is 0 */
        {lone_high, sizeof lone_high, "a\uFFFDb", 5},
        {lone_low, sizeof lone_low, "\uFFFDabcd", 7},
        {last_high, sizeof last_high, "abcd\uFFFD", 7},
        {wrong_way, sizeof wrong_way, "\uFFFD\uFFFD", 6},
        {nul, sizeof nul, "a\0bcd", 5},
        {nul, 3, "a", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[64];
        assert_true(UTF8_FROM_UTF16(rows[i].len) >= rows[i].expected_len);
        assert_int_equal(utf8_from_utf16le(rows[i].text, rows[i].len, out), rows[i].expected_len);
        assert_memory_equal(out, rows[i].expected, rows[i].expected_len);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf16_becomes_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
