/* A point in time as all of T-SQL's date and time types share it: read from text, from and to values, rounded.
 *
 * Knows nothing about SQL beyond the types' forms in value.h.
 */
#ifndef SHARDGATE_TDS_MOMENT_H
#define SHARDGATE_TDS_MOMENT_H

#include "tds-server/values/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOMENT_TICKS_PER_SECOND INT64_C(10000000)
#define MOMENT_TICKS_PER_MINUTE (60 * MOMENT_TICKS_PER_SECOND)
#define MOMENT_TICKS_PER_HOUR (60 * MOMENT_TICKS_PER_MINUTE)
#define MOMENT_TICKS_PER_DAY (24 * MOMENT_TICKS_PER_HOUR)
#define MOMENT_DAYS 3652059      /* 0001-01-01 … 9999-12-31 */
#define MOMENT_DAY_1753 639905   /* the first day of DATETIME */
#define MOMENT_DAY_1900 693595   /* what a time without a date belongs to */
#define MOMENT_DAY_2079 (MOMENT_DAY_1900 + 65535) /* the last day of SMALLDATETIME, 6 June */
#define MOMENT_MAX_OFFSET 840    /* minutes: 14 hours */
#define MOMENT_TEXT 48           /* bytes that hold any value's text */

struct moment {
    int32_t days;   /* since 0001-01-01, local to the offset */
    int64_t ticks;  /* of 100 ns since midnight, local to the offset */
    int32_t offset; /* minutes east of UTC */
};

/* How mm/dd/yyyy is meant: SET DATEFORMAT mdy, or what a style of CONVERT says. */
enum moment_order { MOMENT_MDY, MOMENT_DMY, MOMENT_YMD };

/* Reads the formats that SQL Server takes: yyyy-mm-dd (not with MOMENT_DMY), yyyymmdd, mm/dd/yyyy, Mon dd yyyy, dd Mon yyyy, each
 * with an optional time hh:mm[:ss[.fffffff]] [AM|PM] behind 'T' or a space, and an optional Z or ±hh:mm; or a time alone.
 * false for anything else. What is absent is 1900-01-01, midnight, +00:00. */
bool moment_from_text(const char *text, size_t len, enum moment_order order, struct moment *out);

/* From a value of a date or time type (its form is valid); what the type lacks is as above. */
struct moment moment_from_value(const struct value *v);

/* Writes the stored form of `type` (rounded to its scale) into `text` of MOMENT_TEXT bytes and returns its length; 0 when
 * the type cannot hold it. */
size_t moment_to_form(struct moment m, const struct sqltype *type, char *text);

/* The text that CAST to a string gives; `form` as in value.h. */
size_t moment_to_text(const struct value *v, char *text);

/* Adds ticks, which may be negative; false when the calendar ends. */
bool moment_add_ticks(struct moment *m, int64_t days, int64_t ticks);

/* The same instant in UTC. */
bool moment_to_utc(struct moment m, struct moment *out);

#endif
