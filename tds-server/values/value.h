/* A typed SQL value inside tds-server: what the wire decodes parameters into and encodes rows from, and what the engine
 * computes with. Knows neither TDS nor SQLite.
 *
 * One form a type, chosen so that SQLite's own comparison orders and equates the stored form as SQL Server does:
 *
 *   TINYINT…BIGINT, BIT        integer
 *   FLOAT, REAL                real (REAL rounded to single precision)
 *   DECIMAL, NUMERIC, MONEY    decimal: the number times 10^type.scale
 *   CHAR…TEXT                  bytes: UTF-8 (CHAR and NCHAR padded with spaces to their length)
 *   DATE                       bytes: "2026-11-22"
 *   TIME                       bytes: "13:05:00.1234567", always seven digits of fraction
 *   DATETIME, DATETIME2        bytes: "2026-11-22 13:05:00.1234567", always seven digits
 *   DATETIMEOFFSET             bytes: "2026-11-22 11:05:00.1234567 +02:00": the instant in UTC, then the offset
 *   UNIQUEIDENTIFIER           bytes: 16, in the order in which SQL Server compares them (most significant first)
 *   BINARY, VARBINARY          bytes
 */
#ifndef SHARDGATE_TDS_VALUE_H
#define SHARDGATE_TDS_VALUE_H

#include "common/buf.h"
#include "common/collate.h"
#include "common/sqltype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

struct value {
    struct sqltype type;
    bool null;
    int64_t integer;
    double real;
    int128 decimal;
    struct {
        const char *data; /* borrowed: the maker says from whom */
        size_t len;
    } bytes;
};

#define VALUE_DATETIME_LEN 27       /* "2026-11-22 13:05:00.1234567" */
#define VALUE_DATETIMEOFFSET_LEN 34 /* the same, a space and "+02:00" */
#define VALUE_TIME_LEN 16
#define VALUE_DATE_LEN 10
#define VALUE_GUID_LEN 16

/* Between the wire's GUID bytes (first three groups little-endian) and the order of comparison. Both are 16 bytes. */
void value_guid_from_wire(const unsigned char wire[VALUE_GUID_LEN], unsigned char ordered[VALUE_GUID_LEN]);
void value_guid_to_wire(const unsigned char ordered[VALUE_GUID_LEN], unsigned char wire[VALUE_GUID_LEN]);
/* "3F2504E0-4F89-11D3-9A0C-0305E82C3301" (36 characters, no NUL) and back; also with braces; false when malformed. */
void value_guid_to_text(const unsigned char ordered[VALUE_GUID_LEN], char text[36]);
bool value_guid_from_text(const char *text, size_t len, unsigned char ordered[VALUE_GUID_LEN]);

/* Days since 0001-01-01 (0…3652058) and ticks of 100 ns since midnight (0…863999999999), as TDS counts them. */
bool value_days_from_text(const char text[VALUE_DATE_LEN], int32_t *days);
void value_days_to_text(int32_t days, char text[VALUE_DATE_LEN]);
bool value_ticks_from_text(const char text[VALUE_TIME_LEN], int64_t *ticks);
void value_ticks_to_text(int64_t ticks, char text[VALUE_TIME_LEN]);

/* "-1.50" (no NUL is counted; `out` holds at least 48 bytes) from a decimal of `scale`; returns the length. */
size_t value_decimal_to_text(int128 v, int scale, char *out);

#endif
