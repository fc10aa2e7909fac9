/* Functions on dates and times. Weeks start on Sunday (DATEFIRST 7), ISO weeks on Monday; names are English. */
#include "tds-server/values/moment.h"
#include "tds-server/functions/scalar_private.h"
#include "tds-server/functions/typing.h"

#include <stdio.h>
#include <string.h>

#define TICKS_PER_MILLISECOND INT64_C(10000)
#define TICKS_PER_MICROSECOND INT64_C(10)
#define NANOSECONDS_PER_TICK 100
#define MAX_YEAR 9999

static const char *const month_names[12] = {"January", "February", "March",     "April",   "May",      "June",
                                            "July",    "August",   "September", "October", "November", "December"};
static const char *const weekday_names[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* ── The calendar ── */

struct date {
    int year, month, day;
};

static struct date date_of(int32_t days)
{
    char t[VALUE_DATE_LEN];
    value_days_to_text(days, t);
    return (struct date){(t[0] - '0') * 1000 + (t[1] - '0') * 100 + (t[2] - '0') * 10 + (t[3] - '0'), (t[5] - '0') * 10 + (t[6] - '0'),
                         (t[8] - '0') * 10 + (t[9] - '0')};
}

/* false for what is no day of the years 1 to 9999. */
static bool days_of(int64_t year, int64_t month, int64_t day, int32_t *days)
{
    char text[32];
    if (year < 1 || year > MAX_YEAR || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    snprintf(text, sizeof(text), "%04d-%02d-%02d", (int)year, (int)month, (int)day);
    return value_days_from_text(text, days);
}

static int month_length(int year, int month)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return lengths[month - 1] + (month == 2 && leap);
}

/* 0 for Sunday; the calendar's first day was a Monday. */
static int weekday_of(int32_t days)
{
    return (days + 1) % 7;
}

static int day_of_year(int32_t days)
{
    int32_t first = 0;
    (void)days_of(date_of(days).year, 1, 1, &first);
    return days - first + 1;
}

/* The week belongs to the year of its Thursday (ISO 8601). */
static int iso_week_of(int32_t days)
{
    int32_t thursday = days - days % 7 + 3;
    if (thursday >= MOMENT_DAYS)
        return 52;
    return (day_of_year(thursday) - 1) / 7 + 1;
}

static int week_of(int32_t days)
{
    int32_t first = days - day_of_year(days) + 1;
    return (day_of_year(days) - 1 + weekday_of(first)) / 7 + 1;
}

/* Moves by whole months; a day that the month does not have becomes its last. */
static bool add_months(struct moment *m, int64_t months)
{
    struct date d = date_of(m->days);
    int64_t total;
    if (__builtin_add_overflow(months, d.year * 12 + d.month - 1, &total) || total < 12 || total >= (MAX_YEAR + 1) * 12)
        return false;
    int year = (int)(total / 12), month = (int)(total % 12) + 1, last = month_length(year, month);
    return days_of(year, month, d.day < last ? d.day : last, &m->days);
}

/* Ticks of a part of the day; 0 for the calendar's parts and nanoseconds. */
static int64_t ticks_of(enum tsql_datepart part)
{
    switch (part) {
    case TSQL_HOUR:
        return MOMENT_TICKS_PER_HOUR;
    case TSQL_MINUTE:
        return MOMENT_TICKS_PER_MINUTE;
    case TSQL_SECOND:
        return MOMENT_TICKS_PER_SECOND;
    case TSQL_MILLISECOND:
        return TICKS_PER_MILLISECOND;
    case TSQL_MICROSECOND:
        return TICKS_PER_MICROSECOND;
    default:
        return 0;
    }
}

/* ── Results ── */

/* The moment in the result's type; -1 with the fault `number` about the type when it has no such moment. */
static int set_moment(struct scalar_call *c, struct moment m, int number, struct value *out)
{
    char *text = buf_reserve(c->scratch, MOMENT_TEXT);
    if (text == NULL)
        return fault_set(c->fault, FAULT_MEMORY);
    size_t len = moment_to_form(m, c->result, text);
    if (len == 0)
        return fault_set(c->fault, number, typing_name(c->result->kind), typing_name(c->result->kind));
    buf_commit(c->scratch, len);
    out->bytes.data = buf_text(c->scratch);
    out->bytes.len = len;
    return 0;
}

static int bad_parts(struct scalar_call *c)
{
    char text[FAULT_MAX_TEXT];
    snprintf(text, sizeof(text), "Cannot construct data type %s, some of the arguments have values which are not valid.",
             typing_name(c->result->kind));
    return fault_set_text(c->fault, 289, 16, 1, 0, text);
}

/* ── Now ── */

int scalar_call_now(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)args, (void)count;
    return set_moment(c, moment_from_value(c->now), 242, out);
}

int scalar_call_utcnow(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)args, (void)count;
    struct moment utc;
    if (!moment_to_utc(moment_from_value(c->now), &utc))
        return fault_set(c->fault, 242, "datetimeoffset", typing_name(c->result->kind));
    return set_moment(c, utc, 242, out);
}

/* ── Arithmetic ── */

static bool add_days(struct moment *m, int64_t n, int64_t each)
{
    int64_t days;
    return !__builtin_mul_overflow(n, each, &days) && days > -MOMENT_DAYS && days < MOMENT_DAYS && moment_add_ticks(m, days, 0);
}

/* TIME goes round the clock. */
static bool add_ticks(struct moment *m, int128 ticks, bool wraps)
{
    if (wraps) {
        m->ticks = (int64_t)((m->ticks + ticks % MOMENT_TICKS_PER_DAY + MOMENT_TICKS_PER_DAY) % MOMENT_TICKS_PER_DAY);
        return true;
    }
    int128 days = ticks / MOMENT_TICKS_PER_DAY;
    if (days <= -MOMENT_DAYS || days >= MOMENT_DAYS)
        return false;
    return moment_add_ticks(m, (int64_t)days, (int64_t)(ticks % MOMENT_TICKS_PER_DAY));
}

static bool add_part(struct moment *m, enum tsql_datepart part, int64_t n, bool wraps)
{
    int64_t months;
    switch (part) {
    case TSQL_YEAR:
        return !__builtin_mul_overflow(n, 12, &months) && add_months(m, months);
    case TSQL_QUARTER:
        return !__builtin_mul_overflow(n, 3, &months) && add_months(m, months);
    case TSQL_MONTH:
        return add_months(m, n);
    case TSQL_DAYOFYEAR:
    case TSQL_DAY:
    case TSQL_WEEKDAY:
        return add_days(m, n, 1);
    case TSQL_WEEK:
    case TSQL_ISO_WEEK:
        return add_days(m, n, 7);
    case TSQL_NANOSECOND:
        return add_ticks(m, (n + (n < 0 ? -50 : 50)) / NANOSECONDS_PER_TICK, wraps);
    default:
        return add_ticks(m, (int128)n * ticks_of(part), wraps);
    }
}

/* DATEADD(part, number, moment) */
int scalar_call_dateadd(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    struct moment m = moment_from_value(&args[2]);
    int64_t n = args[1].integer;
    if (n > INT32_MAX || n < INT32_MIN)
        return fault_set(c->fault, 8115, "expression", "int");
    if (!add_part(&m, (enum tsql_datepart)args[0].integer, n, c->result->kind == SQLTYPE_TIME))
        return fault_set(c->fault, 517, typing_name(c->result->kind));
    return set_moment(c, m, 517, out);
}

/* The number of the part's boundaries between the calendar's start and the moment. */
static int128 boundaries(struct moment m, enum tsql_datepart part)
{
    struct date d = date_of(m.days);
    switch (part) {
    case TSQL_YEAR:
        return d.year;
    case TSQL_QUARTER:
        return d.year * 4 + (d.month - 1) / 3;
    case TSQL_MONTH:
        return d.year * 12 + d.month;
    case TSQL_DAYOFYEAR:
    case TSQL_DAY:
    case TSQL_WEEKDAY:
        return m.days;
    case TSQL_WEEK:
        return (m.days + 1) / 7;
    case TSQL_ISO_WEEK:
        return m.days / 7;
    case TSQL_NANOSECOND:
        return ((int128)m.days * MOMENT_TICKS_PER_DAY + m.ticks) * NANOSECONDS_PER_TICK;
    default:
        return ((int128)m.days * MOMENT_TICKS_PER_DAY + m.ticks) / ticks_of(part);
    }
}

/* DATEDIFF(part, from, to): the boundaries crossed, in UTC */
int scalar_call_datediff(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    enum tsql_datepart part = (enum tsql_datepart)args[0].integer;
    const char *name = c->result->kind == SQLTYPE_BIGINT ? "datediff_big" : "datediff";
    struct moment from, to;
    if (part == TSQL_TZOFFSET)
        return fault_set(c->fault, 155, "tzoffset", name);
    if (!moment_to_utc(moment_from_value(&args[1]), &from) || !moment_to_utc(moment_from_value(&args[2]), &to))
        return fault_set(c->fault, 535, name, name);
    int128 n = boundaries(to, part) - boundaries(from, part);
    int64_t low, high;
    typing_integer_range(c->result->kind, &low, &high);
    if (n < low || n > high)
        return fault_set(c->fault, 535, name, name);
    out->integer = (int64_t)n;
    return 0;
}

/* EOMONTH(moment[, months]) */
int scalar_call_eomonth(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    struct moment m = moment_from_value(&args[0]);
    if (count > 1 && !add_months(&m, args[1].integer))
        return fault_set(c->fault, 517, "date");
    struct date d = date_of(m.days);
    (void)days_of(d.year, d.month, month_length(d.year, d.month), &m.days);
    return set_moment(c, m, 517, out);
}

/* ── Parts ── */

static int64_t part_of(struct moment m, enum tsql_datepart part)
{
    struct date d = date_of(m.days);
    switch (part) {
    case TSQL_YEAR:
        return d.year;
    case TSQL_QUARTER:
        return (d.month - 1) / 3 + 1;
    case TSQL_MONTH:
        return d.month;
    case TSQL_DAYOFYEAR:
        return day_of_year(m.days);
    case TSQL_DAY:
        return d.day;
    case TSQL_WEEK:
        return week_of(m.days);
    case TSQL_ISO_WEEK:
        return iso_week_of(m.days);
    case TSQL_WEEKDAY:
        return weekday_of(m.days) + 1;
    case TSQL_HOUR:
        return m.ticks / MOMENT_TICKS_PER_HOUR;
    case TSQL_MINUTE:
        return m.ticks / MOMENT_TICKS_PER_MINUTE % 60;
    case TSQL_SECOND:
        return m.ticks / MOMENT_TICKS_PER_SECOND % 60;
    case TSQL_TZOFFSET:
        return m.offset;
    case TSQL_NANOSECOND:
        return m.ticks % MOMENT_TICKS_PER_SECOND * NANOSECONDS_PER_TICK;
    default:
        return m.ticks % MOMENT_TICKS_PER_SECOND / ticks_of(part);
    }
}

int scalar_call_datepart(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    out->integer = part_of(moment_from_value(&args[1]), (enum tsql_datepart)args[0].integer);
    return 0;
}

int scalar_call_datename(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    enum tsql_datepart part = (enum tsql_datepart)args[0].integer;
    struct moment m = moment_from_value(&args[1]);
    int64_t n = part_of(m, part);
    if (part == TSQL_MONTH)
        buf_append_text(c->scratch, month_names[n - 1]);
    else if (part == TSQL_WEEKDAY)
        buf_append_text(c->scratch, weekday_names[n - 1]);
    else if (part == TSQL_TZOFFSET)
        buf_printf(c->scratch, "%c%02d:%02d", n < 0 ? '-' : '+', (int)(n < 0 ? -n : n) / 60, (int)(n < 0 ? -n : n) % 60);
    else
        buf_printf(c->scratch, "%lld", (long long)n);
    return scalar_set_scratch(c, out);
}

int scalar_call_year(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    out->integer = part_of(moment_from_value(&args[0]), TSQL_YEAR);
    return 0;
}

int scalar_call_month(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    out->integer = part_of(moment_from_value(&args[0]), TSQL_MONTH);
    return 0;
}

int scalar_call_day(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    out->integer = part_of(moment_from_value(&args[0]), TSQL_DAY);
    return 0;
}

/* ── Made of parts ── */

/* hour, minute, second and a fraction of `unit` ticks each. */
static bool ticks_of_time(const struct value *args, int64_t fraction, int64_t unit, int64_t *ticks)
{
    int64_t hour = args[0].integer, minute = args[1].integer, second = args[2].integer;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || fraction < 0 ||
        fraction >= MOMENT_TICKS_PER_SECOND / unit)
        return false;
    *ticks = (hour * 3600 + minute * 60 + second) * MOMENT_TICKS_PER_SECOND + fraction * unit;
    return true;
}

/* Ticks of one unit of a fraction with `precision` digits; false for precisions outside 0 … 7. */
static bool unit_of_precision(int64_t precision, int64_t *unit)
{
    *unit = MOMENT_TICKS_PER_SECOND;
    for (int64_t i = 0; i < precision && i < SQLTYPE_MAX_SCALE_TIME; i++)
        *unit /= 10;
    return precision >= 0 && precision <= SQLTYPE_MAX_SCALE_TIME;
}

int scalar_call_datefromparts(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    struct moment m = {0};
    if (!days_of(args[0].integer, args[1].integer, args[2].integer, &m.days))
        return bad_parts(c);
    return set_moment(c, m, 242, out);
}

int scalar_call_datetimefromparts(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    struct moment m = {0};
    if (!days_of(args[0].integer, args[1].integer, args[2].integer, &m.days) ||
        !ticks_of_time(args + 3, args[6].integer, TICKS_PER_MILLISECOND, &m.ticks) || m.days < MOMENT_DAY_1753)
        return bad_parts(c);
    return set_moment(c, m, 242, out);
}

int scalar_call_datetime2fromparts(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    struct moment m = {0};
    int64_t unit;
    if (!days_of(args[0].integer, args[1].integer, args[2].integer, &m.days) || !unit_of_precision(args[7].integer, &unit) ||
        !ticks_of_time(args + 3, args[6].integer, unit, &m.ticks))
        return bad_parts(c);
    return set_moment(c, m, 242, out);
}

int scalar_call_timefromparts(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    struct moment m = {.days = MOMENT_DAY_1900};
    int64_t unit;
    if (!unit_of_precision(args[4].integer, &unit) || !ticks_of_time(args, args[3].integer, unit, &m.ticks))
        return bad_parts(c);
    return set_moment(c, m, 242, out);
}

/* offset := (+|-) hh ':' mm */
static bool read_offset(const struct value *v, int32_t *offset)
{
    const char *p = v->bytes.data;
    if (v->bytes.len != 6 || (p[0] != '+' && p[0] != '-') || p[3] != ':')
        return false;
    for (size_t i = 1; i < 6; i++) {
        if (i != 3 && (p[i] < '0' || p[i] > '9'))
            return false;
    }
    int minutes = ((p[1] - '0') * 10 + (p[2] - '0')) * 60 + (p[4] - '0') * 10 + (p[5] - '0');
    *offset = p[0] == '-' ? -minutes : minutes;
    return p[4] < '6' && minutes <= MOMENT_MAX_OFFSET;
}

static int bad_offset(struct scalar_call *c, const char *function)
{
    char text[FAULT_MAX_TEXT];
    snprintf(text, sizeof(text), "The timezone provided to builtin function %s is invalid.", function);
    return fault_set_text(c->fault, 9812, 16, 0, 0, text);
}

/* The same instant as another offset shows it. */
int scalar_call_switchoffset(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    struct moment m;
    int32_t offset;
    if (!read_offset(&args[1], &offset))
        return bad_offset(c, "switchoffset");
    if (!moment_to_utc(moment_from_value(&args[0]), &m) || !moment_add_ticks(&m, 0, offset * MOMENT_TICKS_PER_MINUTE))
        return fault_set(c->fault, 517, "datetimeoffset");
    m.offset = offset;
    return set_moment(c, m, 517, out);
}

/* The same clock in another offset. */
int scalar_call_todatetimeoffset(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    struct moment m = moment_from_value(&args[0]);
    if (!read_offset(&args[1], &m.offset))
        return bad_offset(c, "todatetimeoffset");
    return set_moment(c, m, 517, out);
}

/* ISDATE: what DATETIME can be made of. */
int scalar_call_isdate(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    struct moment m;
    out->integer = !args[0].null && args[0].bytes.len > 0 && moment_from_text(args[0].bytes.data, args[0].bytes.len, MOMENT_MDY, &m) &&
                   m.days >= MOMENT_DAY_1753;
    return 0;
}
