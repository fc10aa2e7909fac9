#include "tds-server/values/moment.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* ---- reading ---- */

struct scan {
    const char *p, *end;
};

static bool is_digit(const struct scan *s)
{
    return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static void skip_spaces(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
        s->p++;
}

static bool take(struct scan *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* Up to `most` digits; how many there were comes back in *count. */
static int take_number(struct scan *s, int most, int *count)
{
    int v = 0;
    *count = 0;
    while (*count < most && is_digit(s)) {
        v = v * 10 + (*s->p++ - '0');
        (*count)++;
    }
    return v;
}

static bool make_days(int year, int month, int day, int32_t *days)
{
    char text[VALUE_DATE_LEN + 16];
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
    return value_days_from_text(text, days);
}

static int full_year(int year, int digits)
{
    return digits > 2 ? year : year < 50 ? 2000 + year : 1900 + year;
}

static bool is_letter(const struct scan *s)
{
    return s->p < s->end && (*s->p | 32) >= 'a' && (*s->p | 32) <= 'z';
}

/* A month's English name, or its first three letters: 1 … 12; 0 when there is none. */
static int take_month(struct scan *s)
{
    for (int m = 0; m < 12; m++) {
        if (s->end - s->p >= 3 && strncasecmp(s->p, months[m], 3) == 0) {
            while (is_letter(s))
                s->p++;
            return m + 1;
        }
    }
    return 0;
}

/* Mon dd[,] yyyy */
static bool read_month_first(struct scan *s, int32_t *days)
{
    int n, digits, month = take_month(s);
    skip_spaces(s);
    int day = take_number(s, 2, &n);
    if (month == 0 || n == 0)
        return false;
    take(s, ',');
    skip_spaces(s);
    int year = take_number(s, 4, &digits);
    return digits >= 2 && make_days(full_year(year, digits), month, day, days);
}

/* dd Mon[,] yyyy, also with '-' between them, behind the day */
static bool read_month_second(struct scan *s, int day, int32_t *days)
{
    int digits;
    if (!take(s, '-'))
        skip_spaces(s);
    int month = take_month(s);
    if (month == 0)
        return false;
    if (!take(s, '-')) {
        take(s, ',');
        skip_spaces(s);
    }
    int year = take_number(s, 4, &digits);
    return digits >= 2 && make_days(full_year(year, digits), month, day, days);
}

/* The three numbers of a date, the year not written with four digits in front. */
static bool order_days(enum moment_order order, int first, int second, int third, int digits, int32_t *days)
{
    switch (order) {
    case MOMENT_YMD:
        return digits <= 2 && make_days(full_year(first, 2), second, third, days);
    case MOMENT_DMY:
        return make_days(full_year(third, digits), second, first, days);
    default:
        return make_days(full_year(third, digits), first, second, days);
    }
}

/* date := yyyy-mm-dd | yyyymmdd | yymmdd | mm/dd/yyyy (in the order wanted; also with - and .) | Mon dd[,] yyyy | dd Mon yyyy */
static bool read_date(struct scan *s, enum moment_order order, int32_t *days)
{
    int n, first, second, third, digits;
    if (!is_digit(s))
        return read_month_first(s, days);
    first = take_number(s, 8, &n);
    if (n == 8)
        return make_days(first / 10000, first / 100 % 100, first % 100, days);
    if (n == 6)
        return make_days(full_year(first / 10000, 2), first / 100 % 100, first % 100, days);
    if (s->p == s->end)
        return n == 4 && make_days(first, 1, 1, days);
    char separator = *s->p;
    if (n <= 2 && (separator == ' ' || is_letter(s) || (separator == '-' && s->end - s->p > 1 && (s->p[1] | 32) >= 'a')))
        return read_month_second(s, first, days);
    if (separator != '-' && separator != '/' && separator != '.')
        return false;
    s->p++;
    int n2;
    second = take_number(s, 2, &n2);
    if (n2 == 0 || !take(s, separator))
        return false;
    third = take_number(s, 4, &digits);
    if (n == 4) /* no order but year, month, day is meant; with DMY, SQL Server would take the month for the last */
        return order != MOMENT_DMY && digits >= 1 && digits <= 2 && make_days(first, second, third, days);
    return n <= 2 && (digits == 4 || digits == 2) && order_days(order, first, second, third, digits, days);
}

/* time := h[h]:mm[:ss[.f…|:fff]] [AM|PM] | h[h] AM|PM */
static bool read_time(struct scan *s, int64_t *ticks)
{
    int n, hour = take_number(s, 2, &n), minute = 0, second = 0;
    int64_t fraction = 0;
    if (n == 0)
        return false;
    bool colon = take(s, ':');
    if (colon) {
        minute = take_number(s, 2, &n);
        if (n == 0)
            return false;
        if (take(s, ':')) {
            second = take_number(s, 2, &n);
            if (n == 0)
                return false;
            if (s->p < s->end && (*s->p == '.' || *s->p == ':')) {
                bool point = *s->p++ == '.';
                fraction = take_number(s, 7, &n);
                if (n == 0 || (!point && n > 3))
                    return false;
                for (int i = point ? n : 3; i < 7; i++)
                    fraction *= 10;
                if (point && is_digit(s)) {
                    int ninth = *s->p - '0';
                    while (is_digit(s))
                        s->p++;
                    fraction += ninth >= 5;
                }
            }
        }
    }
    const char *before = s->p;
    skip_spaces(s);
    if (s->end - s->p >= 2 && (s->p[1] | 32) == 'm' && ((s->p[0] | 32) == 'a' || (s->p[0] | 32) == 'p')) {
        bool afternoon = (s->p[0] | 32) == 'p';
        s->p += 2;
        if (hour < 1 || hour > 12)
            return false;
        hour = hour % 12 + (afternoon ? 12 : 0);
    } else {
        s->p = before;
        if (!colon)
            return false;
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *ticks = ((int64_t)hour * 3600 + minute * 60 + second) * MOMENT_TICKS_PER_SECOND + fraction;
    return *ticks < MOMENT_TICKS_PER_DAY;
}

/* offset := Z | (+|-) hh : mm */
static bool read_offset(struct scan *s, int32_t *offset)
{
    if (take(s, 'Z') || take(s, 'z'))
        return true;
    bool minus = s->p < s->end && *s->p == '-';
    if (!take(s, '+') && !take(s, '-'))
        return false;
    int n1, n2;
    int hours = take_number(s, 2, &n1);
    if (n1 != 2 || !take(s, ':'))
        return false;
    int minutes = take_number(s, 2, &n2);
    if (n2 != 2 || minutes > 59 || hours * 60 + minutes > MOMENT_MAX_OFFSET)
        return false;
    *offset = minus ? -(hours * 60 + minutes) : hours * 60 + minutes;
    return true;
}

static bool starts_with_time(const struct scan *s)
{
    struct scan t = *s;
    int n;
    (void)take_number(&t, 2, &n);
    skip_spaces(&t);
    bool half = t.end - t.p >= 2 && ((*t.p | 32) == 'a' || (*t.p | 32) == 'p') && (t.p[1] | 32) == 'm';
    return n > 0 && (half || (t.p < t.end && *t.p == ':'));
}

bool moment_from_text(const char *text, size_t len, enum moment_order order, struct moment *out)
{
    struct scan s = {text, text + len};
    skip_spaces(&s);
    while (s.p < s.end && (s.end[-1] == ' ' || s.end[-1] == '\t'))
        s.end--;
    *out = (struct moment){.days = MOMENT_DAY_1900};
    if (s.p == s.end)
        return true; /* '' is 1900-01-01, as in SQL Server */
    if (starts_with_time(&s)) {
        if (!read_time(&s, &out->ticks))
            return false;
    } else {
        if (!read_date(&s, order, &out->days))
            return false;
        if (s.p < s.end && (*s.p == 'T' || *s.p == 't')) {
            s.p++;
            if (!read_time(&s, &out->ticks))
                return false;
        } else if (s.p < s.end && *s.p == ' ') {
            skip_spaces(&s);
            if (is_digit(&s) && !read_time(&s, &out->ticks))
                return false;
        }
    }
    skip_spaces(&s);
    if (s.p < s.end && !read_offset(&s, &out->offset))
        return false;
    return s.p == s.end;
}

/* ---- values ---- */

bool moment_add_ticks(struct moment *m, int64_t days, int64_t ticks)
{
    int64_t sum = m->ticks + ticks % MOMENT_TICKS_PER_DAY;
    int64_t day = m->days + days + ticks / MOMENT_TICKS_PER_DAY;
    if (sum < 0) {
        sum += MOMENT_TICKS_PER_DAY;
        day--;
    } else if (sum >= MOMENT_TICKS_PER_DAY) {
        sum -= MOMENT_TICKS_PER_DAY;
        day++;
    }
    if (day < 0 || day >= MOMENT_DAYS)
        return false;
    m->days = (int32_t)day;
    m->ticks = sum;
    return true;
}

bool moment_to_utc(struct moment m, struct moment *out)
{
    *out = m;
    out->offset = 0;
    return moment_add_ticks(out, 0, -m.offset * MOMENT_TICKS_PER_MINUTE);
}

/* "±hh:mm" */
static int32_t offset_from_form(const char *p)
{
    int32_t minutes = (p[1] - '0') * 600 + (p[2] - '0') * 60 + (p[4] - '0') * 10 + (p[5] - '0');
    return p[0] == '-' ? -minutes : minutes;
}

struct moment moment_from_value(const struct value *v)
{
    struct moment m = {.days = MOMENT_DAY_1900};
    const char *p = v->bytes.data;
    switch (v->type.kind) {
    case SQLTYPE_DATE:
        (void)value_days_from_text(p, &m.days);
        break;
    case SQLTYPE_TIME:
        (void)value_ticks_from_text(p, &m.ticks);
        break;
    default:
        (void)value_days_from_text(p, &m.days);
        (void)value_ticks_from_text(p + VALUE_DATE_LEN + 1, &m.ticks);
        if (v->type.kind == SQLTYPE_DATETIMEOFFSET) {
            int32_t offset = offset_from_form(p + VALUE_DATETIME_LEN + 1);
            (void)moment_add_ticks(&m, 0, offset * MOMENT_TICKS_PER_MINUTE);
            m.offset = offset;
        }
    }
    return m;
}

static int64_t unit_of_scale(int scale)
{
    int64_t unit = 1;
    for (int i = scale; i < SQLTYPE_MAX_SCALE_TIME; i++)
        unit *= 10;
    return unit;
}

/* DATETIME counts in 1/300 s and shows milliseconds that end in 0, 3 or 7. */
static int64_t round_datetime(int64_t ticks)
{
    int64_t thirds = (ticks * 3 + 50000) / 100000;
    return (thirds * 10 + 1) / 3 * 10000;
}

size_t moment_to_form(struct moment m, const struct sqltype *type, char *text)
{
    if (type->kind == SQLTYPE_DATE) {
        value_days_to_text(m.days, text);
        return VALUE_DATE_LEN;
    }
    int64_t rounded;
    bool small = sqltype_is_small(type);
    if (small) {
        rounded = (m.ticks + MOMENT_TICKS_PER_MINUTE / 2) / MOMENT_TICKS_PER_MINUTE * MOMENT_TICKS_PER_MINUTE;
    } else if (type->kind == SQLTYPE_DATETIME) {
        rounded = round_datetime(m.ticks);
    } else {
        int64_t unit = unit_of_scale(type->scale);
        rounded = (m.ticks + unit / 2) / unit * unit;
    }
    if (type->kind == SQLTYPE_TIME) {
        value_ticks_to_text(rounded % MOMENT_TICKS_PER_DAY, text);
        return VALUE_TIME_LEN;
    }
    if (!moment_add_ticks(&m, 0, rounded - m.ticks))
        return 0;
    if (type->kind == SQLTYPE_DATETIME && m.days < MOMENT_DAY_1753)
        return 0;
    if (small && (m.days < MOMENT_DAY_1900 || m.days > MOMENT_DAY_2079))
        return 0;
    int32_t offset = m.offset;
    if (type->kind == SQLTYPE_DATETIMEOFFSET && !moment_to_utc(m, &m))
        return 0;
    value_days_to_text(m.days, text);
    text[VALUE_DATE_LEN] = ' ';
    value_ticks_to_text(m.ticks, text + VALUE_DATE_LEN + 1);
    if (type->kind != SQLTYPE_DATETIMEOFFSET)
        return VALUE_DATETIME_LEN;
    int32_t size = offset < 0 ? -offset : offset;
    snprintf(text + VALUE_DATETIME_LEN, 8, " %c%02d:%02d", offset < 0 ? '-' : '+', size / 60 % 100, size % 60);
    return VALUE_DATETIMEOFFSET_LEN;
}

/* hh:mm:ss and, with a scale, its digits */
static size_t write_time(int64_t ticks, int scale, char *text)
{
    value_ticks_to_text(ticks, text);
    return scale == 0 ? 8 : (size_t)(9 + scale);
}

size_t moment_to_text(const struct value *v, char *text)
{
    struct moment m = moment_from_value(v);
    char *p = text;
    if (v->type.kind == SQLTYPE_DATETIME) {
        /* style 0: Nov 22 2026  1:05PM */
        char date[VALUE_DATE_LEN];
        value_days_to_text(m.days, date);
        int month = (date[5] - '0') * 10 + date[6] - '0', day = (date[8] - '0') * 10 + date[9] - '0';
        int minutes = (int)(m.ticks / MOMENT_TICKS_PER_MINUTE);
        int hour = minutes / 60 % 12;
        int len = snprintf(text, MOMENT_TEXT, "%s %2d %.4s %2d:%02d%s", months[month - 1], day, date, hour == 0 ? 12 : hour,
                           minutes % 60, minutes >= 720 ? "PM" : "AM");
        return (size_t)len;
    }
    if (v->type.kind != SQLTYPE_TIME) {
        value_days_to_text(m.days, p);
        p += VALUE_DATE_LEN;
    }
    if (v->type.kind == SQLTYPE_DATE)
        return (size_t)(p - text);
    if (p > text)
        *p++ = ' ';
    p += write_time(m.ticks, v->type.scale, p);
    if (v->type.kind == SQLTYPE_DATETIMEOFFSET) {
        memcpy(p, v->bytes.data + VALUE_DATETIME_LEN, 7);
        p += 7;
    }
    return (size_t)(p - text);
}
