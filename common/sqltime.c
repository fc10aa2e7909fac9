#include "common/sqltime.h"

#include <stdlib.h>

#define DAY_SECONDS 86400
#define FRACTION_DIGITS 8 /* one more than any scale: the first digit that is dropped decides the rounding */
#define FRACTION_ONE 100000000u
#define DATETIME_FIRST_YEAR 1753
#define MAX_OFFSET_MINUTES (14 * 60)

struct moment {
    bool has_date;
    bool has_time;
    bool has_offset;
    int year, month, day;
    int hour, minute, second;
    uint32_t fraction; /* of a second, in 10 ns */
    int offset;        /* minutes east of UTC */
};

struct cursor {
    const char *at;
    const char *end;
};

static bool take_char(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* Exactly `digits` decimal digits. */
static bool take_number(struct cursor *c, int digits, int *out)
{
    int v = 0;

    if (c->end - c->at < digits)
        return false;
    for (int i = 0; i < digits; i++, c->at++) {
        if (*c->at < '0' || *c->at > '9')
            return false;
        v = v * 10 + (*c->at - '0');
    }
    *out = v;
    return true;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool take_date(struct cursor *c, struct moment *m)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (!take_number(c, 4, &m->year) || !take_char(c, '-') || !take_number(c, 2, &m->month) || !take_char(c, '-') ||
        !take_number(c, 2, &m->day))
        return false;
    m->has_date = true;
    if (m->year < 1 || m->month < 1 || m->month > 12 || m->day < 1)
        return false;
    return m->day <= month_days[m->month - 1] + (m->month == 2 && is_leap(m->year) ? 1 : 0);
}

/* At least one digit; those behind FRACTION_DIGITS decide nothing. */
static bool take_fraction(struct cursor *c, uint32_t *out)
{
    uint32_t unit = FRACTION_ONE;
    const char *start = c->at;

    *out = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        unit /= 10;
        *out += unit * (uint32_t)(*c->at - '0');
    }
    return c->at > start;
}

static bool take_time(struct cursor *c, struct moment *m)
{
    if (!take_number(c, 2, &m->hour) || !take_char(c, ':') || !take_number(c, 2, &m->minute))
        return false;
    m->has_time = true;
    if (take_char(c, ':')) {
        if (!take_number(c, 2, &m->second))
            return false;
        if (take_char(c, '.') && !take_fraction(c, &m->fraction))
            return false;
    }
    return m->hour <= 23 && m->minute <= 59 && m->second <= 59;
}

static bool take_offset(struct cursor *c, struct moment *m)
{
    int hours;
    int minutes;

    const bool blank = take_char(c, ' '); /* as SQL Server's own texts have it */
    if (!blank && take_char(c, 'Z')) /* UTC: every type takes it, as what JavaScript's toISOString() writes */
        return true;
    m->has_offset = true;
    const bool west = take_char(c, '-');
    if (!west && !take_char(c, '+'))
        return false;
    if (!take_number(c, 2, &hours) || !take_char(c, ':') || !take_number(c, 2, &minutes) || minutes > 59)
        return false;
    m->offset = (hours * 60 + minutes) * (west ? -1 : 1);
    return abs(m->offset) <= MAX_OFFSET_MINUTES;
}

static bool parse(const char *text, size_t len, struct moment *m)
{
    struct cursor c = {text, text + len};
    const bool time_only = len > 2 && text[2] == ':';

    if (!time_only && !take_date(&c, m))
        return false;
    if (c.at == c.end)
        return true;
    if (!time_only && !take_char(&c, 'T') && !take_char(&c, ' '))
        return false;
    if (!take_time(&c, m))
        return false;
    return c.at == c.end || (m->has_date && take_offset(&c, m) && c.at == c.end);
}

/* Days since 0000-03-01 of the proleptic Gregorian calendar: with March first, the leap day ends the year. */
static int64_t to_days(int year, int month, int day)
{
    const int y = month <= 2 ? year - 1 : year;
    const int m = month <= 2 ? month + 9 : month - 3;
    return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
}

static void from_days(int64_t days, int *year, int *month, int *day)
{
    const int64_t era = days / 146097; /* of 400 years */
    const int64_t of_era = days % 146097;
    const int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    const int64_t m = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * m + 2) / 5) + 1;
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(era * 400 + y) + (m >= 10 ? 1 : 0);
}

/* Rounds the fraction to `scale` digits; returns 1 when that makes a whole second, of which *fraction is then 0. */
static int round_fraction(uint32_t *fraction, int scale)
{
    uint32_t unit = FRACTION_ONE;
    uint32_t one = 1;

    for (int i = 0; i < scale; i++) {
        unit /= 10;
        one *= 10;
    }
    *fraction = (*fraction + unit / 2) / unit;
    if (*fraction < one)
        return 0;
    *fraction = 0;
    return 1;
}

/* The same for DATETIME, whose ticks of 1/300 s read as .000, .003 and .007. */
static int round_to_ticks(uint32_t *fraction)
{
    const uint32_t ticks = (uint32_t)(((uint64_t)*fraction * 300 + FRACTION_ONE / 2) / FRACTION_ONE);

    *fraction = ticks < 300 ? (ticks * 10 + 1) / 3 : 0;
    return ticks < 300 ? 0 : 1;
}

enum sqltime_result sqltime_convert(const struct sqltype *t, const char *text, size_t len, struct buf *out)
{
    const bool wants_date = t->kind != SQLTYPE_TIME;
    const bool wants_time = t->kind != SQLTYPE_DATE;
    struct moment m = {.year = 1, .month = 1, .day = 1};

    if (!parse(text, len, &m) || (wants_date && !m.has_date) || (!wants_date && !m.has_time) ||
        (m.has_offset && t->kind != SQLTYPE_DATETIMEOFFSET))
        return SQLTIME_MALFORMED;

    int64_t seconds = to_days(m.year, m.month, m.day) * DAY_SECONDS;
    if (wants_time) {
        seconds += m.hour * 3600 + m.minute * 60 + m.second;
        seconds += t->kind == SQLTYPE_DATETIME ? round_to_ticks(&m.fraction) : round_fraction(&m.fraction, t->scale);
    }

    const int64_t first = to_days(t->kind == SQLTYPE_DATETIME ? DATETIME_FIRST_YEAR : 1, 1, 1) * DAY_SECONDS;
    const int64_t behind = to_days(10000, 1, 1) * DAY_SECONDS;
    const int64_t utc = seconds - (int64_t)m.offset * 60;
    if (wants_date && (seconds < first || seconds >= behind || utc < first || utc >= behind))
        return SQLTIME_OVERFLOW;

    if (wants_date) {
        from_days(seconds / DAY_SECONDS, &m.year, &m.month, &m.day);
        buf_printf(out, "%04d-%02d-%02d", m.year, m.month, m.day);
    }
    if (wants_date && wants_time)
        buf_append_char(out, 'T');
    if (wants_time) {
        const int of_day = (int)(seconds % DAY_SECONDS);
        buf_printf(out, "%02d:%02d:%02d", of_day / 3600, of_day / 60 % 60, of_day % 60);
        if (t->scale > 0)
            buf_printf(out, ".%0*u", t->scale, m.fraction);
    }
    if (t->kind == SQLTYPE_DATETIMEOFFSET)
        buf_printf(out, "%c%02d:%02d", m.offset < 0 ? '-' : '+', abs(m.offset) / 60, abs(m.offset) % 60);
    return SQLTIME_OK;
}
