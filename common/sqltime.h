/* Dates and times: ISO 8601 texts in, the canonical text of a column's type out.
 *
 * Knows the ranges, scales and roundings of SQL Server's date and time types, nothing of columns or JSON.
 *
 *   date  yyyy-mm-dd      time  hh:mm[:ss[.digits]]      datetime  date ('T' | ' ') time ['Z' | [' '] (+|-)hh:mm]
 */
#ifndef SHARDGATE_SQLTIME_H
#define SHARDGATE_SQLTIME_H

#include "common/buf.h"
#include "common/sqltype.h"

#include <stddef.h>

enum sqltime_result {
    SQLTIME_OK,
    SQLTIME_MALFORMED, /* no such text, or no such day */
    SQLTIME_OVERFLOW   /* outside the type's years */
};

/* Appends the canonical text (see struct sqlvalue) for `t`, a DATE, TIME, DATETIME, DATETIME2 or DATETIMEOFFSET. Fractions
 * are rounded to the type's scale, DATETIME's to 1/300 s, with the carry into the day; TIME goes round at midnight. A
 * datetime stands for its date or its time where the type has only that; a date stands for its midnight. Only
 * DATETIMEOFFSET takes an offset other than 'Z'; without one it is +00:00. */
enum sqltime_result sqltime_convert(const struct sqltype *t, const char *text, size_t len, struct buf *out);

#endif
