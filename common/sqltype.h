/* SQL Server's column types as the contract allows them: parse, write, check JSON values against them, and the canonical
 * key text that routing hashes.
 *
 * Knows nothing about ODBC, TDS or SQLite. Ranges and lengths are those of SQL Server.
 */
#ifndef SHARDGATE_SQLTYPE_H
#define SHARDGATE_SQLTYPE_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sqltype_kind {
    SQLTYPE_TINYINT,
    SQLTYPE_SMALLINT,
    SQLTYPE_INT,
    SQLTYPE_BIGINT,
    SQLTYPE_BIT,
    SQLTYPE_DECIMAL,
    SQLTYPE_NUMERIC,
    SQLTYPE_MONEY,
    SQLTYPE_FLOAT,
    SQLTYPE_REAL,
    SQLTYPE_CHAR,
    SQLTYPE_VARCHAR,
    SQLTYPE_NCHAR,
    SQLTYPE_NVARCHAR,
    SQLTYPE_TEXT,
    SQLTYPE_DATE,
    SQLTYPE_TIME,
    SQLTYPE_DATETIME,
    SQLTYPE_DATETIME2,
    SQLTYPE_DATETIMEOFFSET,
    SQLTYPE_UNIQUEIDENTIFIER,
    SQLTYPE_BINARY,
    SQLTYPE_VARBINARY,
    SQLTYPE_KINDS
};

#define SQLTYPE_MAX (-1) /* the length of VARCHAR(MAX), NVARCHAR(MAX), VARBINARY(MAX) and TEXT */
#define SQLTYPE_MAX_PRECISION 38
#define SQLTYPE_MAX_SCALE_TIME 7
#define SQLTYPE_MAX_COLUMN_BYTES 8192           /* of what stands behind a column's name in /create-table */
#define SQLTYPE_MAX_VALUE_BYTES (64ul << 20) /* of one value */
#define SQLTYPE_MAX_NAME 64                     /* bytes of a name given to /create-db or /create-table */

struct sqltype {
    enum sqltype_kind kind;
    int length;     /* CHAR…VARBINARY: bytes (CHAR, VARCHAR, BINARY, VARBINARY) or UTF-16 units (NCHAR, NVARCHAR), or SQLTYPE_MAX */
    int precision;  /* DECIMAL, NUMERIC: 1…38; MONEY: 19 */
    int scale;      /* DECIMAL, NUMERIC: 0…precision; MONEY: 4; TIME, DATETIME2, DATETIMEOFFSET: 0…7; DATETIME: 3 */
};

/* Groups of types, for tables of behaviour. */
bool sqltype_is_integer(const struct sqltype *t);   /* TINYINT…BIGINT */
bool sqltype_is_decimal(const struct sqltype *t);   /* DECIMAL, NUMERIC, MONEY */
/* SMALLMONEY and SMALLDATETIME: MONEY of precision 10 and DATETIME of precision 16, as the catalogue gives them. */
#define SQLTYPE_SMALLMONEY_PRECISION 10
#define SQLTYPE_SMALLDATETIME_PRECISION 16
bool sqltype_is_small(const struct sqltype *t);
bool sqltype_is_float(const struct sqltype *t);     /* FLOAT, REAL */
bool sqltype_is_string(const struct sqltype *t);    /* CHAR…TEXT */
bool sqltype_is_unicode(const struct sqltype *t);   /* NCHAR, NVARCHAR */
bool sqltype_is_binary(const struct sqltype *t);

/* The name in upper case, "NVARCHAR". */
const char *sqltype_name(enum sqltype_kind kind);

/* Appends the type with its arguments, "DECIMAL(10,2)", "NVARCHAR(MAX)". */
void sqltype_write(const struct sqltype *t, struct buf *out);

/* What stands behind a column's name in /create-table. */
struct sqltype_column {
    struct sqltype type;
    bool not_null;    /* NOT NULL or PRIMARY KEY */
    bool null_given;  /* NULL was written */
    bool primary_key;
    bool unique;
    bool has_default;
    struct buf default_sql; /* the literal written anew: NULL, -5, 1.50, N'it''s', 0x00ff */
};

/* Parses "DECIMAL(10,2) NOT NULL DEFAULT 1.5": a type of the list, then any of NULL, NOT NULL, PRIMARY KEY, UNIQUE,
 * DEFAULT literal. ERR_BAD_TYPE for anything else (an argument out of range, a repeated or contradicting clause, a
 * default that the type cannot hold). `column` names it in messages. On success the caller calls sqltype_column_clear. */
int sqltype_parse_column(const char *column, const char *text, size_t len, struct sqltype_column *out, struct err *e)
    __attribute__((warn_unused_result));
void sqltype_column_clear(struct sqltype_column *c);
/* Appends type and clauses as T-SQL, from the parsed form only. */
void sqltype_column_write(const struct sqltype_column *c, struct buf *out);

/* The type of a column as INFORMATION_SCHEMA.COLUMNS describes it: DATA_TYPE, CHARACTER_MAXIMUM_LENGTH (-1 for MAX, 0
 * when NULL), NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION. false for a type outside the contract's list
 * (smallmoney, xml …). NTEXT is NVARCHAR(MAX), IMAGE is VARBINARY(MAX), SMALLDATETIME is DATETIME. */
bool sqltype_from_catalogue(const char *data_type, int length, int precision, int scale, int datetime_precision, struct sqltype *out);

/* Parses a bare type as sqltype_write writes it ("DECIMAL(10,2)"); false when it is none. */
bool sqltype_parse(const char *text, size_t len, struct sqltype *out);

/* One value that is right for its type. `text` is canonical:
 *   integers and BIT "-12", "1"; decimals "-1.50" with exactly `scale` digits; floats the shortest text;
 *   strings UTF-8; DATE "2026-11-22"; TIME "13:05:00.1234567"; DATETIME, DATETIME2 "2026-11-22T13:05:00.123";
 *   DATETIMEOFFSET "2026-11-22T13:05:00.1234567+02:00", each with `scale` digits of fraction;
 *   UNIQUEIDENTIFIER upper case; binaries the raw bytes. */
struct sqlvalue {
    bool null;
    struct buf text;
};
void sqlvalue_init(struct sqlvalue *v);
void sqlvalue_clear(struct sqlvalue *v);

/* Converts a JSON value to its column's type, strings of digits for numeric columns included. ERR_BAD_VALUE, with the
 * column's name and what is wrong, when it does not fit (overflow, truncation, a fraction for an integer column, bad
 * base64, a date that is none). Like SQL Server, a decimal or a time with more digits than the scale is rounded. Null is
 * accepted for every type here. `out` was made by sqlvalue_init and may be used again.
 *   numeric types: numbers and strings that are one, white space around it allowed; integers: integral values only
 *   BIT: booleans too, else 0, 1, "true", "false";  strings: strings, and numbers as they were written
 *   dates and times: the texts of sqltime.h;  UNIQUEIDENTIFIER: braces allowed;  binaries: base64 with its padding
 * CHAR and VARCHAR count characters here: how many bytes one takes is the collation's affair, and the server's to check.
 * Blanks at a string's end that do not fit are dropped, as SQL Server does. */
int sqltype_convert(const struct sqltype *t, const char *column, const struct json_object *v, struct sqlvalue *out, struct err *e)
    __attribute__((warn_unused_result));

/* The same for a member that json_fields_read found. */
int sqltype_convert_field(const struct sqltype *t, const char *column, const struct json_field *v, struct sqlvalue *out,
                          struct err *e) __attribute__((warn_unused_result));

/* May a column of this type be a shard column? Integers, BIT, CHAR/VARCHAR/NCHAR/NVARCHAR(n), UNIQUEIDENTIFIER, DATE. */
bool sqltype_can_shard(const struct sqltype *t);

/* Appends the canonical key text of a JSON string or number for a shard column of type `t`: integers in decimal without
 * sign or leading zeros (a minus stays; "1001.0" is 1001); strings without trailing spaces; UNIQUEIDENTIFIER in upper
 * case; DATE as yyyy-mm-dd. `t` NULL means that no column gives the type: a number in its canonical JSON form, a string
 * as it stands. ERR_BAD_FIELD for a value that no column of the type can hold. `name` names the field in the message. */
int sqltype_key_text(const struct sqltype *t, const char *name, const struct json_object *v, struct buf *out, struct err *e)
    __attribute__((warn_unused_result));
/* The same for text (a literal of a condition or a canonical value). `quoted` tells a string from a number. false when
 * the text has no canonical form for the type, so that it narrows nothing. */
bool sqltype_key_from_text(const struct sqltype *t, const char *text, size_t len, bool quoted, struct buf *out);

/* Names given to /create-db and /create-table: [A-Za-z][A-Za-z0-9_]{0,63}, none of the server's own without regard to
 * case. ERR_BAD_NAME. `field` names it in the message ("db_name"). sys… and gw_… are refused for all; master, model, msdb
 * and tempdb for all but columns, whose `field` begins with "column". */
int sqltype_check_name(const char *field, const char *name, size_t len, struct err *e) __attribute__((warn_unused_result));

#endif
