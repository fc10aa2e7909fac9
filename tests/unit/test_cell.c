/* cell.h: values of answers, compared as SQL Server compares them. */
#include "fcgi-master/cell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int read_value(const char *type, const char *json, struct arena *a, struct cell *out)
{
    struct sqltype t;
    assert_true(sqltype_parse(type, strlen(type), &t));
    return cell_read(&t, (struct json_slice){.text = json, .len = strlen(json)}, a, out);
}

static void values_compare_by_their_type(void **state)
{
    static const struct {
        const char *type, *a, *b;
        int expected; /* the sign */
    } rows[] = {
        {"INT", "null", "-2147483648", -1},
        {"INT", "null", "null", 0},
        {"INT", "-5", "3", -1},
        {"BIGINT", "9223372036854775807", "-9223372036854775808", 1},
        {"BIT", "false", "true", -1},
        {"DECIMAL(38,0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999998", 1},
        {"DECIMAL(38,38)", "-0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000000", -1},
        {"DECIMAL(38,10)", "1.5", "1.5000000000", 0},
        {"DECIMAL(38,10)", "-1.5", "-1.49", -1},
        {"DECIMAL(38,38)", "9999999999999999999999999999999999999", "0.99999999999999999999999999999999999999", 1},
        {"MONEY", "-0.0001", "0.0000", -1},
        {"FLOAT", "1e300", "2", 1},
        {"FLOAT", "0", "-0", 0},
        {"REAL", "0.5", "0.25", 1},
        {"VARCHAR(9)", "\"a\"", "\"a  \"", 0},
        {"VARCHAR(9)", "\"B\"", "\"a\"", -1},
        {"NVARCHAR(9)", "\"\\u00e9\"", "\"\xc3\xa9\"", 0},
        {"NVARCHAR(9)", "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", 0},
        {"NVARCHAR(9)", "\"\\n\\\"\\\\\\/\\t\"", "\"\\u000a\\u0022\\u005c/\\u0009\"", 0},
        {"DATE", "\"0001-01-01\"", "\"9999-12-31\"", -1},
        {"DATE", "\"2024-02-29\"", "\"2024-03-01\"", -1},
        {"TIME(7)", "\"13:05:00.1234567\"", "\"13:05:00.1234566\"", 1},
        {"DATETIME2(0)", "\"2026-11-22T23:59:59\"", "\"2026-11-23T00:00:00\"", -1},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:00:00+02:00\"", "\"2026-11-22T11:00:00+00:00\"", 0},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:00:00+02:00\"", "\"2026-11-22T10:59:59-01:00\"", -1},
        {"UNIQUEIDENTIFIER", "\"01000000-0000-0000-0000-000000000000\"", "\"00000000-0000-0000-0000-000000000001\"", -1},
        {"UNIQUEIDENTIFIER", "\"00000000-0000-0000-0001-000000000000\"", "\"00000000-0000-0001-0000-000000000000\"", 1},
        {"UNIQUEIDENTIFIER", "\"00000001-0000-0000-0000-000000000000\"", "\"01000000-0000-0000-0000-000000000000\"", 1},
        {"VARBINARY(9)", "\"AAE=\"", "\"AQ==\"", -1},
        {"VARBINARY(9)", "\"AQ==\"", "\"AQA=\"", -1},
        {"VARBINARY(9)", "\"/+/+\"", "\"/+/+\"", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena memory;
        struct cell a, b;
        struct buf a_key, b_key;
        arena_init(&memory, 1 << 20);
        buf_init(&a_key, 4096);
        buf_init(&b_key, 4096);
        assert_int_equal(read_value(rows[i].type, rows[i].a, &memory, &a), 0);
        assert_int_equal(read_value(rows[i].type, rows[i].b, &memory, &b), 0);
        int order = cell_compare(&a, &b, COLLATION_BIN2), reverse = cell_compare(&b, &a, COLLATION_BIN2);
        if ((order > 0) - (order < 0) != rows[i].expected || (reverse > 0) - (reverse < 0) != -rows[i].expected)
            fail_msg("%s: %s and %s compare as %d", rows[i].type, rows[i].a, rows[i].b, order);
        cell_append_key(&a, COLLATION_BIN2, &a_key);
        cell_append_key(&b, COLLATION_BIN2, &b_key);
        bool same = a_key.len == b_key.len && memcmp(a_key.data, b_key.data, a_key.len) == 0;
        if (same != (rows[i].expected == 0))
            fail_msg("%s: the keys of %s and %s", rows[i].type, rows[i].a, rows[i].b);
        buf_clear(&a_key);
        buf_clear(&b_key);
        arena_clear(&memory);
    }
}

static void collations_make_keys(void **state)
{
    static const struct {
        enum collation collation;
        const char *a, *b;
        bool same;
    } rows[] = {
        {COLLATION_CI, "\"Abc\"", "\"aBC  \"", true},        {COLLATION_CS, "\"Abc\"", "\"aBC\"", false},
        {COLLATION_CS, "\"Abc\"", "\"Abc \"", true},          {COLLATION_CI, "\"\xc3\x89\"", "\"\xc3\xa9\"", true},
        {COLLATION_CI, "\"e\"", "\"\xc3\xa9\"", false},       {COLLATION_BIN2, "\"a\"", "\"A\"", false},
        {COLLATION_BIN2, "\"\"", "\"   \"", true},            {COLLATION_CI, "\"\"", "null", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena memory;
        struct cell a, b;
        struct buf a_key, b_key;
        arena_init(&memory, 1 << 20);
        buf_init(&a_key, 4096);
        buf_init(&b_key, 4096);
        assert_int_equal(read_value("NVARCHAR(9)", rows[i].a, &memory, &a), 0);
        assert_int_equal(read_value("NVARCHAR(9)", rows[i].b, &memory, &b), 0);
        cell_append_key(&a, rows[i].collation, &a_key);
        cell_append_key(&b, rows[i].collation, &b_key);
        assert_int_equal(a_key.len == b_key.len && memcmp(a_key.data, b_key.data, a_key.len) == 0, rows[i].same);
        assert_int_equal(cell_compare(&a, &b, rows[i].collation) == 0, rows[i].same);
        buf_clear(&a_key);
        buf_clear(&b_key);
        arena_clear(&memory);
    }
}

static void what_is_no_value_of_the_type_is_refused(void **state)
{
    static const struct {
        const char *type, *json;
    } rows[] = {
        {"INT", "\"5\""},      {"INT", "{}"},          {"INT", "true"},      {"INT", "1e3"},
        {"INT", ""},           {"VARCHAR(9)", "5"},    {"BIT", "1"},         {"DATE", "\"soon\""},
        {"DATE", "\"2026-13-01\""}, {"TIME(0)", "\"13:05\""}, {"DATETIMEOFFSET(0)", "\"2026-11-22T13:00:00\""},
        {"UNIQUEIDENTIFIER", "\"00000000\""}, {"VARBINARY(9)", "\"A*==\""}, {"FLOAT", "x"},
        {"DECIMAL(38,0)", "999999999999999999999999999999999999999"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena memory;
        struct cell c;
        arena_init(&memory, 1 << 20);
        if (read_value(rows[i].type, rows[i].json, &memory, &c) == 0)
            fail_msg("%s was read as %s", rows[i].json, rows[i].type);
        arena_clear(&memory);
    }
}

static void numbers_keep_their_digits(void **state)
{
    static const struct {
        int64_t number;
        int scale;
        const char *expected;
    } rows[] = {{0, 0, "0"},      {0, 2, "0.00"},  {-5, 0, "-5"},       {-5, 2, "-0.05"},
                {1234, 2, "12.34"}, {-1, 38, "-0.00000000000000000000000000000000000001"}, {100, 1, "10.0"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        cell_write_number(rows[i].number, rows[i].scale, &out);
        assert_string_equal(buf_text(&out), rows[i].expected);
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_compare_by_their_type),
        cmocka_unit_test(collations_make_keys),
        cmocka_unit_test(what_is_no_value_of_the_type_is_refused),
        cmocka_unit_test(numbers_keep_their_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
