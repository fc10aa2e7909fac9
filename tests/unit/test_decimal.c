#include "tds-server/values/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NINES "99999999999999999999999999999999999999" /* 38 */

static struct decimal decimal(const char *text)
{
    const char *point = strchr(text, '.');
    struct decimal d = {0, point ? (int)strlen(point + 1) : 0};
    assert_int_equal(decimal_from_text(text, strlen(text), DECIMAL_MAX_DIGITS, d.scale, &d.v), DECIMAL_OK);
    return d;
}

static void assert_decimal(int128 v, int scale, const char *expected, const char *what)
{
    char text[64];
    size_t len = value_decimal_to_text(v, scale, text);
    text[len] = '\0';
    if (strcmp(text, expected) != 0)
        fail_msg("%s: expected %s, got %s", what, expected, text);
}

static void arithmetic_is_exact_and_knows_its_limits(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        char op;
        const char *b;
        int precision, scale;
        const char *expected; /* or the name of an error */
    } rows[] = {
        {"1.5", '+', "2.25", 10, 2, "3.75"},
        {"1.5", '-', "2.25", 10, 2, "-0.75"},
        {"-1.5", '*', "2.25", 10, 3, "-3.375"},
        {"2.0", '/', "3.0", 8, 6, "0.666666"}, /* cut off, not rounded */
        {"-2.0", '/', "3.0", 8, 6, "-0.666666"},
        {"1", '/', "8", 10, 3, "0.125"},
        {"7.5", '%', "2", 5, 1, "1.5"},
        {"-7.5", '%', "2", 5, 1, "-1.5"},
        {"1", '/', "0", 10, 2, "divide by zero"},
        {"1", '%', "0.00", 10, 2, "divide by zero"},
        {NINES, '+', "0", 38, 0, NINES},
        {NINES, '+', "1", 38, 0, "overflow"},
        {NINES, '*', NINES, 38, 0, "overflow"},
        {NINES, '*', "0." NINES, 38, 0, "99999999999999999999999999999999999998"},
        {NINES, '/', NINES, 38, 37, "1.0000000000000000000000000000000000000"},
        {"0." NINES, '*', "0." NINES, 38, 38, "0.99999999999999999999999999999999999998"},
        {"0.05", '*', "0.5", 10, 2, "0.03"}, /* rounded half away from zero */
        {"-0.05", '*', "0.5", 10, 2, "-0.03"},
        {"999.99", '+', "0.01", 5, 2, "overflow"},
        {"1.005", '+', "0", 5, 2, "1.01"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int128 v = 0;
        char what[256];
        snprintf(what, sizeof what, "%s %c %s", rows[i].a, rows[i].op, rows[i].b);
        switch (decimal_compute(rows[i].op, decimal(rows[i].a), decimal(rows[i].b), rows[i].precision, rows[i].scale, &v)) {
        case DECIMAL_OK:
            assert_decimal(v, rows[i].scale, rows[i].expected, what);
            break;
        case DECIMAL_OVERFLOW:
            assert_string_equal("overflow", rows[i].expected);
            break;
        case DECIMAL_DIVIDE_BY_ZERO:
            assert_string_equal("divide by zero", rows[i].expected);
            break;
        default:
            fail_msg("%s", what);
        }
    }
}

static void text_is_read_and_rounded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int precision, scale;
        enum decimal_result result;
        const char *expected;
    } rows[] = {
        {"1.005", 5, 2, DECIMAL_OK, "1.01"},      {"-1.005", 5, 2, DECIMAL_OK, "-1.01"},
        {"  12  ", 5, 0, DECIMAL_OK, "12"},       {"+.5", 5, 1, DECIMAL_OK, "0.5"},
        {"5.", 5, 1, DECIMAL_OK, "5.0"},          {"1.5e2", 5, 0, DECIMAL_OK, "150"},
        {"15e-1", 5, 1, DECIMAL_OK, "1.5"},       {"0.0000000000000000000000000000000000000000001", 38, 2, DECIMAL_OK, "0.00"},
        {"0.005", 5, 2, DECIMAL_OK, "0.01"},      {"0.0049999", 5, 2, DECIMAL_OK, "0.00"},
        {"999.995", 5, 2, DECIMAL_OVERFLOW, ""},  {NINES, 38, 0, DECIMAL_OK, NINES},
        {NINES "9", 38, 0, DECIMAL_OVERFLOW, ""}, {"1e39", 38, 0, DECIMAL_OVERFLOW, ""},
        {"1e99999999999", 38, 0, DECIMAL_OVERFLOW, ""},
        {"", 5, 0, DECIMAL_MALFORMED, ""},        {".", 5, 0, DECIMAL_MALFORMED, ""},
        {"1.2.3", 5, 0, DECIMAL_MALFORMED, ""},   {"1e", 5, 0, DECIMAL_MALFORMED, ""},
        {"1 2", 5, 0, DECIMAL_MALFORMED, ""},     {"--1", 5, 0, DECIMAL_MALFORMED, ""},
        {"0x10", 5, 0, DECIMAL_MALFORMED, ""},    {"nan", 5, 0, DECIMAL_MALFORMED, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int128 v = 0;
        enum decimal_result r = decimal_from_text(rows[i].text, strlen(rows[i].text), rows[i].precision, rows[i].scale, &v);
        if (r != rows[i].result)
            fail_msg("'%s': expected result %d, got %d", rows[i].text, rows[i].result, r);
        if (r == DECIMAL_OK)
            assert_decimal(v, rows[i].scale, rows[i].expected, rows[i].text);
    }
}

static void rescaling_rounds_or_cuts(void **state)
{
    (void)state;
    int128 v;
    assert_int_equal(decimal_rescale(decimal("1.255"), 5, 2, false, &v), DECIMAL_OK);
    assert_decimal(v, 2, "1.26", "rounded");
    assert_int_equal(decimal_rescale(decimal("1.255"), 5, 2, true, &v), DECIMAL_OK);
    assert_decimal(v, 2, "1.25", "cut");
    assert_int_equal(decimal_rescale(decimal("-1.255"), 5, 2, false, &v), DECIMAL_OK);
    assert_decimal(v, 2, "-1.26", "rounded");
    assert_int_equal(decimal_rescale(decimal(NINES), 38, 1, false, &v), DECIMAL_OVERFLOW);
}

static void keys_order_as_numbers_do(void **state)
{
    (void)state;
    static const char *const ascending[] = {"-" NINES, "-1000", "-1", "0", "1", "2", "255", "256", "1000", NINES};
    unsigned char last[DECIMAL_KEY_LEN] = {0}, key[DECIMAL_KEY_LEN];
    for (size_t i = 0; i < sizeof ascending / sizeof ascending[0]; i++) {
        struct decimal d = decimal(ascending[i]);
        decimal_to_key(d.v, key);
        assert_true(memcmp(last, key, sizeof key) < 0);
        assert_true(decimal_from_key(key) == d.v);
        memcpy(last, key, sizeof key);
    }
}

static void numbers_of_different_scales_compare(void **state)
{
    (void)state;
    assert_int_equal(decimal_compare(decimal("1.50"), decimal("1.5")), 0);
    assert_true(decimal_compare(decimal("1.51"), decimal("1.5")) > 0);
    assert_true(decimal_compare(decimal("-1.51"), decimal("1.5")) < 0);
    assert_true(decimal_compare(decimal(NINES), decimal("0." NINES)) > 0);
}

static void floats_convert_by_their_shortest_text(void **state)
{
    (void)state;
    int128 v;
    assert_int_equal(decimal_from_double(0.1, 38, 20, &v), DECIMAL_OK);
    assert_decimal(v, 20, "0.10000000000000000000", "0.1");
    assert_int_equal(decimal_from_double(1e40, 38, 0, &v), DECIMAL_OVERFLOW);
    assert_int_equal(decimal_from_double(-0.0, 38, 0, &v), DECIMAL_OK);
    assert_decimal(v, 0, "0", "-0.0");
    assert_true(decimal_to_double(decimal("0.1")) == 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_is_exact_and_knows_its_limits),
        cmocka_unit_test(text_is_read_and_rounded),
        cmocka_unit_test(rescaling_rounds_or_cuts),
        cmocka_unit_test(keys_order_as_numbers_do),
        cmocka_unit_test(numbers_of_different_scales_compare),
        cmocka_unit_test(floats_convert_by_their_shortest_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
