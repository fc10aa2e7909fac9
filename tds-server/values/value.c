#include "tds-server/values/value.h"

#include <string.h>

/* SQL Server compares the last group of a GUID first: which byte of the wire form stands at each place of ours. */
static const unsigned char guid_order[VALUE_GUID_LEN] = {10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3};

/* The text shows the first three groups most significant byte first; the wire has them little-endian. */
static const unsigned char guid_text_order[VALUE_GUID_LEN] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

#define GUID_TEXT_LEN 36

void value_guid_from_wire(const unsigned char wire[VALUE_GUID_LEN], unsigned char ordered[VALUE_GUID_LEN])
{
    for (size_t i = 0; i < VALUE_GUID_LEN; i++) {
        ordered[i] = wire[guid_order[i]];
    }
}

void value_guid_to_wire(const unsigned char ordered[VALUE_GUID_LEN], unsigned char wire[VALUE_GUID_LEN])
{
    for (size_t i = 0; i < VALUE_GUID_LEN; i++) {
        wire[guid_order[i]] = ordered[i];
    }
}

void value_guid_to_text(const unsigned char ordered[VALUE_GUID_LEN], char text[36])
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char wire[VALUE_GUID_LEN];
    value_guid_to_wire(ordered, wire);
    size_t at = 0;
    for (size_t i = 0; i < VALUE_GUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            text[at++] = '-';
        }
        unsigned char b = wire[guid_text_order[i]];
        text[at++] = digits[b >> 4];
        text[at++] = digits[b & 15];
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

bool value_guid_from_text(const char *text, size_t len, unsigned char ordered[VALUE_GUID_LEN])
{
    if (len == GUID_TEXT_LEN + 2 && text[0] == '{' && text[len - 1] == '}') {
        text++;
        len -= 2;
    }
    if (len != GUID_TEXT_LEN) {
        return false;
    }
    unsigned char wire[VALUE_GUID_LEN];
    size_t at = 0;
    for (size_t i = 0; i < VALUE_GUID_LEN; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') {
            return false;
        }
        int high = hex_digit(text[at]);
        int low = hex_digit(text[at + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        wire[guid_text_order[i]] = (unsigned char)(high << 4 | low);
        at += 2;
    }
    value_guid_from_wire(wire, ordered);
    return true;
}

/* `count` digits as a number, or -1. */
static int32_t digits_at(const char *text, size_t count)
{
    int32_t v = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        v = v * 10 + (text[i] - '0');
    }
    return v;
}

/* Writes `v` as exactly `count` digits. */
static void digits_put(char *text, size_t count, int32_t v)
{
    while (count > 0) {
        text[--count] = (char)('0' + v % 10);
        v /= 10;
    }
}

static bool is_leap(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days of the year before the first of each month, in a year without a leap day. */
static const int16_t days_before_month[13] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static int32_t days_before(int32_t year, int32_t month)
{
    int32_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + days_before_month[month - 1] + (month > 2 && is_leap(year));
}

bool value_days_from_text(const char text[VALUE_DATE_LEN], int32_t *days)
{
    int32_t year = digits_at(text, 4);
    int32_t month = digits_at(text + 5, 2);
    int32_t day = digits_at(text + 8, 2);
    if (text[4] != '-' || text[7] != '-' || year < 1 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    int32_t in_month = days_before_month[month] - days_before_month[month - 1] + (month == 2 && is_leap(year));
    if (day > in_month) {
        return false;
    }
    *days = days_before(year, month) + day - 1;
    return true;
}

void value_days_to_text(int32_t days, char text[VALUE_DATE_LEN])
{
    /* The year is found by a guess that is never too late and at most one too early. */
    int32_t year = (int32_t)((int64_t)days * 400 / 146097) + 1;
    while (days_before(year, 1) > days) {
        year--;
    }
    while (days_before(year + 1, 1) <= days) {
        year++;
    }
    int32_t month = 1;
    while (month < 12 && days_before(year, month + 1) <= days) {
        month++;
    }
    digits_put(text, 4, year);
    text[4] = '-';
    digits_put(text + 5, 2, month);
    text[7] = '-';
    digits_put(text + 8, 2, days - days_before(year, month) + 1);
}

#define TICKS_PER_SECOND INT64_C(10000000)

bool value_ticks_from_text(const char text[VALUE_TIME_LEN], int64_t *ticks)
{
    int32_t hour = digits_at(text, 2);
    int32_t minute = digits_at(text + 3, 2);
    int32_t second = digits_at(text + 6, 2);
    int32_t fraction = digits_at(text + 9, 7);
    if (text[2] != ':' || text[5] != ':' || text[8] != '.' || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 59 || fraction < 0) {
        return false;
    }
    *ticks = ((int64_t)hour * 3600 + minute * 60 + second) * TICKS_PER_SECOND + fraction;
    return true;
}

void value_ticks_to_text(int64_t ticks, char text[VALUE_TIME_LEN])
{
    int32_t seconds = (int32_t)(ticks / TICKS_PER_SECOND);
    digits_put(text, 2, seconds / 3600);
    text[2] = ':';
    digits_put(text + 3, 2, seconds / 60 % 60);
    text[5] = ':';
    digits_put(text + 6, 2, seconds % 60);
    text[8] = '.';
    digits_put(text + 9, 7, (int32_t)(ticks % TICKS_PER_SECOND));
}

size_t value_decimal_to_text(int128 v, int scale, char *out)
{
    /* Digits are made from the last; a number below one gets its leading zeros, so that there is a digit before the point. */
    char reversed[48];
    size_t count = 0;
    uint128 rest = v < 0 ? -(uint128)v : (uint128)v;
    do {
        reversed[count++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0 || count <= (size_t)scale);

    size_t len = 0;
    if (v < 0) {
        out[len++] = '-';
    }
    while (count > 0) {
        if (count == (size_t)scale) {
            out[len++] = '.';
        }
        out[len++] = reversed[--count];
    }
    out[len] = '\0';
    return len;
}
