/* The conversions of value.h: GUIDs, dates, times and decimals as text. */
#include "tds-server/values/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void guid_text_and_wire_agree(void **state)
{
    (void)state;
    static const unsigned char wire[16] = {0xE0, 0x04, 0x25, 0x3F, 0x89, 0x4F, 0xD3, 0x11,
                                           0x9A, 0x0C, 0x03, 0x05, 0xE8, 0x2C, 0x33, 0x01};
    static const char text[] = "3F2504E0-4F89-11D3-9A0C-0305E82C3301";
    unsigned char ordered[16];
    unsigned char again[16];
    char shown[36];

    value_guid_from_wire(wire, ordered);
    assert_int_equal(ordered[0], 0x03); /* the last group counts most */
    assert_int_equal(ordered[15], 0x3F);
    value_guid_to_wire(ordered, again);
    assert_memory_equal(wire, again, 16);
    value_guid_to_text(ordered, shown);
    assert_memory_equal(shown, text, 36);

    assert_true(value_guid_from_text(text, 36, again));
    assert_memory_equal(ordered, again, 16);
    assert_true(value_guid_from_text("{3f2504e0-4f89-11d3-9a0c-0305e82c3301}", 38, again));
    assert_memory_equal(ordered, again, 16);
}

static void malformed_guids_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "3F2504E0-4F89-11D3-9A0C-0305E82C330",
        "3F2504E0-4F89-11D3-9A0C-0305E82C33011",
        "3F2504E0-4F89-11D3-9A0C-0305E82C330G",
        "3F2504E04F89--11D3-9A0C-0305E82C3301",
        "{3F2504E0-4F89-11D3-9A0C-0305E82C3301",
        "(3F2504E0-4F89-11D3-9A0C-0305E82C3301)",
    };
    unsigned char ordered[16];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(value_guid_from_text(bad[i], strlen(bad[i]), ordered));
    }
}

static void days_and_dates_agree(void **state)
{
    (void)state;
    static const struct {
        int32_t days;
        const char *text;
    } rows[] = {
        {0, "0001-01-01"},
        {364, "0001-12-31"},
        {365, "0002-01-01"},
        {1460, "0004-12-31"},
        {1461, "0005-01-01"},
        {36524, "0101-01-01"},
        {146096, "0400-12-31"},
        {146097, "0401-01-01"},
        {693595, "1900-01-01"},
        {730178, "2000-02-29"},
        {730179, "2000-03-01"},
        {3652058, "9999-12-31"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[VALUE_DATE_LEN];
        int32_t days = -1;
        value_days_to_text(rows[i].days, text);
        assert_memory_equal(text, rows[i].text, VALUE_DATE_LEN);
        assert_true(value_days_from_text(rows[i].text, &days));
        assert_int_equal(days, rows[i].days);
    }
}

static void every_day_reads_back(void **state)
{
    (void)state;
    char before[VALUE_DATE_LEN] = "0000-12-31";
    for (int32_t days = 0; days <= 3652058; days++) {
        char text[VALUE_DATE_LEN];
        int32_t again;
        value_days_to_text(days, text);
        assert_true(value_days_from_text(text, &again));
        assert_int_equal(again, days);
        assert_true(memcmp(before, text, sizeof text) < 0);
        memcpy(before, text, sizeof text);
    }
}

static void malformed_dates_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"0000-01-01", "2026-00-01", "2026-13-01", "2026-02-29", "1900-02-29",
                                      "2026-04-31", "2026-01-00", "2026/01/01", "2026-1-001", "x026-01-01"};
    int32_t days;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(value_days_from_text(bad[i], &days));
    }
}

static void ticks_and_times_agree(void **state)
{
    (void)state;
    static const struct {
        int64_t ticks;
        const char *text;
    } rows[] = {
        {0, "00:00:00.0000000"},
        {1, "00:00:00.0000001"},
        {471001234567, "13:05:00.1234567"},
        {863999999999, "23:59:59.9999999"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[VALUE_TIME_LEN];
        int64_t ticks = -1;
        value_ticks_to_text(rows[i].ticks, text);
        assert_memory_equal(text, rows[i].text, VALUE_TIME_LEN);
        assert_true(value_ticks_from_text(rows[i].text, &ticks));
        assert_int_equal(ticks, rows[i].ticks);
    }
    static const char *const bad[] = {"24:00:00.0000000", "00:60:00.0000000", "00:00:60.0000000", "00:00:00,0000000",
                                      "00-00:00.0000000", "00:00:00.000000 "};
    int64_t ticks;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(value_ticks_from_text(bad[i], &ticks));
    }
}

static void decimals_have_all_their_digits(void **state)
{
    (void)state;
    int128 largest = 0; /* 38 digits */
    for (int i = 0; i < 38; i++) {
        largest = largest * 10 + 9;
    }
    const struct {
        int128 v;
        int scale;
        const char *text;
    } rows[] = {
        {0, 0, "0"},
        {0, 2, "0.00"},
        {5, 2, "0.05"},
        {-5, 2, "-0.05"},
        {-150, 2, "-1.50"},
        {12345, 4, "1.2345"},
        {largest, 0, "99999999999999999999999999999999999999"},
        {-largest, 38, "-0.99999999999999999999999999999999999999"},
        {largest, 37, "9.9999999999999999999999999999999999999"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[48];
        size_t len = value_decimal_to_text(rows[i].v, rows[i].scale, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(len, strlen(rows[i].text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guid_text_and_wire_agree),
        cmocka_unit_test(malformed_guids_are_refused),
        cmocka_unit_test(days_and_dates_agree),
        cmocka_unit_test(every_day_reads_back),
        cmocka_unit_test(malformed_dates_are_refused),
        cmocka_unit_test(ticks_and_times_agree),
        cmocka_unit_test(decimals_have_all_their_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
