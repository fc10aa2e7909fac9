/* Column types: parsing, writing, the catalogue; values: conversion and key texts; names. */
#include "common/sqltype.h"
#include "tests/unit/corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct sqltype type_of(const char *text)
{
    struct sqltype t;
    if (!sqltype_parse(text, strlen(text), &t))
        fail_msg("%s is no type", text);
    return t;
}

/* Reads {"v":<json>}; the caller frees *body. */
static struct json_object *read_value(const char *json, struct json_object **body)
{
    struct buf text;
    struct json_object *value = NULL;
    struct err e = ERR_INIT;

    buf_init(&text, 1 << 20);
    buf_printf(&text, "{\"v\":%s}", json);
    if (json_read(buf_text(&text), text.len, body, &e) < 0)
        fail_msg("%s: %s", json, e.detail);
    buf_clear(&text);
    assert_true(json_member(*body, "v", &value));
    return value;
}

static void columns_are_written_anew(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *written;
    } rows[] = {
        {"int", "INT"},
        {" BigInt\t", "BIGINT"},
        {"tinyint null", "TINYINT NULL"},
        {"SMALLINT NOT  NULL", "SMALLINT NOT NULL"},
        {"bit default 'True'", "BIT DEFAULT 1"},
        {"decimal", "DECIMAL(18,0)"},
        {"decimal(5)", "DECIMAL(5,0)"},
        {"NUMERIC ( 38 , 38 )", "NUMERIC(38,38)"},
        {"money default -.5", "MONEY DEFAULT -0.5000"},
        {"float", "FLOAT"},
        {"float(53)", "FLOAT"},
        {"float(25)", "FLOAT"},
        {"float(24)", "REAL"},
        {"real default 1E10", "REAL DEFAULT 10000000000"},
        {"char", "CHAR(1)"},
        {"varchar(8000)", "VARCHAR(8000)"},
        {"varchar( max )", "VARCHAR(MAX)"},
        {"nchar(4000)", "NCHAR(4000)"},
        {"nvarchar(max)", "NVARCHAR(MAX)"},
        {"text", "TEXT"},
        {"date default '2026-11-22'", "DATE DEFAULT '2026-11-22'"},
        {"time", "TIME(7)"},
        {"time(0) default '13:05'", "TIME(0) DEFAULT '13:05:00'"},
        {"datetime default '2026-11-22 13:05:00.125'", "DATETIME DEFAULT '2026-11-22T13:05:00.127'"},
        {"datetime2", "DATETIME2(7)"},
        {"datetimeoffset(3) default '2026-11-22T13:05:00Z'", "DATETIMEOFFSET(3) DEFAULT '2026-11-22T13:05:00.000+00:00'"},
        {"uniqueidentifier default '3f2504e0-4f89-11d3-9a0c-0305e82c3301'",
         "UNIQUEIDENTIFIER DEFAULT '3F2504E0-4F89-11D3-9A0C-0305E82C3301'"},
        {"binary(2) default 0xfF", "BINARY(2) DEFAULT 0xff"},
        {"varbinary(max) default 0x", "VARBINARY(MAX) DEFAULT 0x"},
        {"varbinary default 0Xa", "VARBINARY(1) DEFAULT 0x0a"},
        {"DECIMAL(10,2) NOT NULL DEFAULT 1.5", "DECIMAL(10,2) NOT NULL DEFAULT 1.50"},
        {"decimal(5,2)not null", "DECIMAL(5,2) NOT NULL"},
        {"int primary key default -5 unique", "INT NOT NULL DEFAULT -5 PRIMARY KEY UNIQUE"},
        {"int default 5not null", NULL},
        {"int not null primary key", "INT NOT NULL PRIMARY KEY"},
        {"int default null null", "INT NULL DEFAULT NULL"},
        {"int default '7'", "INT DEFAULT 7"},
        {"int default +7", "INT DEFAULT 7"},
        {"nvarchar(20) default 'it''s'not null", "NVARCHAR(20) NOT NULL DEFAULT N'it''s'"},
        {"varchar(20) default ''", "VARCHAR(20) DEFAULT ''"},
        {"varchar(20) default n'\xC5\xBE'", "VARCHAR(20) DEFAULT N'\xC5\xBE'"},
        {"varchar(20) default 5", "VARCHAR(20) DEFAULT '5'"},
        {"varchar(20) default '); DROP TABLE x --'", "VARCHAR(20) DEFAULT '); DROP TABLE x --'"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sqltype_column c;
        struct err e = ERR_INIT;
        struct buf out;
        if (!rows[i].written) {
            assert_int_equal(sqltype_parse_column("c", rows[i].text, strlen(rows[i].text), &c, &e), -1);
            continue;
        }
        if (sqltype_parse_column("c", rows[i].text, strlen(rows[i].text), &c, &e) < 0)
            fail_msg("%s: %s", rows[i].text, e.detail);
        buf_init(&out, 1000);
        sqltype_column_write(&c, &out);
        assert_string_equal(buf_text(&out), rows[i].written);

        /* what was written means the same */
        struct sqltype_column again;
        struct buf twice;
        buf_init(&twice, 1000);
        if (sqltype_parse_column("c", buf_text(&out), out.len, &again, &e) < 0)
            fail_msg("%s: %s", buf_text(&out), e.detail);
        sqltype_column_write(&again, &twice);
        assert_string_equal(buf_text(&out), buf_text(&twice));
        sqltype_column_clear(&again);
        sqltype_column_clear(&c);
        buf_clear(&twice);
        buf_clear(&out);
    }
}

static void clauses_are_told(void **state)
{
    (void)state;
    struct sqltype_column c;
    struct err e = ERR_INIT;

    assert_int_equal(sqltype_parse_column("c", "INT UNIQUE PRIMARY KEY", 22, &c, &e), 0);
    assert_true(c.not_null && c.primary_key && c.unique && !c.null_given && !c.has_default);
    sqltype_column_clear(&c);
    assert_int_equal(sqltype_parse_column("c", "INT NULL DEFAULT 5", 18, &c, &e), 0);
    assert_true(!c.not_null && !c.primary_key && !c.unique && c.null_given && c.has_default);
    assert_string_equal(buf_text(&c.default_sql), "5");
    sqltype_column_clear(&c);
}

static void other_types_and_clauses_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *detail; /* NULL: any */
    } rows[] = {
        {"", "column 'c': unexpected end, an SQL Server type such as INT or NVARCHAR(50) is expected"},
        {"INTEGER", "column 'c': unexpected 'INTEGER', an SQL Server type such as INT or NVARCHAR(50) is expected"},
        {"DEC(5,2)", NULL},
        {"sql_variant", "column 'c': unexpected 'sql_variant', an SQL Server type such as INT or NVARCHAR(50) is expected"},
        {"xml", NULL},
        {"ntext", NULL},
        {"image", NULL},
        {"smallmoney", NULL},
        {"smalldatetime", NULL},
        {"dbo.int", NULL},
        {"[int]", NULL},
        {"int(5)", "column 'c': INT cannot have these arguments"},
        {"bit()", NULL},
        {"char(0)", NULL},
        {"char(max)", NULL},
        {"binary(max)", NULL},
        {"varchar(8001)", NULL},
        {"nvarchar(4001)", NULL},
        {"nvarchar(-1)", NULL},
        {"nvarchar(99999999999)", NULL},
        {"varchar(10", NULL},
        {"varchar 10", NULL},
        {"varchar(maxx)", NULL},
        {"decimal(0)", NULL},
        {"decimal(39)", NULL},
        {"decimal(5,6)", NULL},
        {"decimal(5,)", NULL},
        {"decimal(5,2,1)", NULL},
        {"float(0)", NULL},
        {"float(54)", NULL},
        {"real(5)", NULL},
        {"time(8)", NULL},
        {"datetime(3)", NULL},
        {"money(5)", NULL},
        {"text(5)", NULL},
        {"int IDENTITY", "column 'c': unexpected 'IDENTITY', NULL, NOT NULL, PRIMARY KEY, UNIQUE or DEFAULT is expected"},
        {"int identity(1,1)", NULL},
        {"int COLLATE x", NULL},
        {"int CHECK (1=1)", NULL},
        {"int REFERENCES t", NULL},
        {"int; DROP TABLE x", "column 'c': unexpected ';', NULL, NOT NULL, PRIMARY KEY, UNIQUE or DEFAULT is expected"},
        {"int -- x", NULL},
        {"int, b int", NULL},
        {"int\xC2\xA0null", "column 'c': unexpected '?', NULL, NOT NULL, PRIMARY KEY, UNIQUE or DEFAULT is expected"},
        {"int NOT", "column 'c': unexpected end, NULL is expected"},
        {"int PRIMARY", "column 'c': unexpected end, KEY is expected"},
        {"int null null", "column 'c': unexpected 'null', each clause once is expected"},
        {"int not null not null", NULL},
        {"int unique unique", NULL},
        {"int default 1 default 2", NULL},
        {"int primary key primary key", NULL},
        {"int null not null", "column 'c': NULL contradicts NOT NULL or PRIMARY KEY"},
        {"int null primary key", NULL},
        {"int not null default null", "column 'c': DEFAULT NULL contradicts NOT NULL or PRIMARY KEY"},
        {"text unique", "column 'c': TEXT and the types of length MAX cannot be PRIMARY KEY or UNIQUE"},
        {"nvarchar(max) primary key", NULL},
        {"int default", "column 'c': unexpected end, a literal behind DEFAULT is expected"},
        {"int default (1)", NULL},
        {"int default getdate()", "column 'c': unexpected 'getdate', a literal behind DEFAULT is expected"},
        {"int default @x", NULL},
        {"int default 1.5", "column 'c': DEFAULT: 1.5 does not fit INT"},
        {"int default 2147483648", NULL},
        {"int default 'x'", "column 'c': DEFAULT: \"x\" is no value for INT"},
        {"int default 0x10", NULL},
        {"int default -", NULL},
        {"int default 1+1", NULL},
        {"int default 1e", NULL},
        {"varchar(2) default 'abc'", NULL},
        {"varchar(9) default 'abc", "column 'c': DEFAULT: the string has no closing '"},
        {"varchar(9) default 'abc''", NULL},
        {"varchar(9) default 'a' 'b'", NULL},
        {"varbinary(1) default 0x1234", NULL},
        {"varbinary(1) default 0xg", NULL},
        {"varbinary(9) default 'AA=='", NULL},
        {"date default '2026-02-29'", NULL},
        {"date default 5", NULL},
        {"decimal(3,1) default 100", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sqltype_column c;
        struct err e = ERR_INIT;
        if (sqltype_parse_column("c", rows[i].text, strlen(rows[i].text), &c, &e) == 0)
            fail_msg("%s: accepted", rows[i].text);
        assert_int_equal(e.code, ERR_BAD_TYPE);
        if (rows[i].detail)
            assert_string_equal(e.detail, rows[i].detail);
    }
    struct sqltype_column c;
    struct err e = ERR_INIT;
    assert_int_equal(sqltype_parse_column("c", "varchar(9) default 'a\0b'", 24, &c, &e), -1);
    assert_int_equal(sqltype_parse_column("c", "int\0", 4, &c, &e), -1);
    char *long_text = calloc(1, SQLTYPE_MAX_COLUMN_BYTES + 2);
    memset(long_text, ' ', SQLTYPE_MAX_COLUMN_BYTES + 1);
    memcpy(long_text, "int", 3);
    assert_int_equal(sqltype_parse_column("c", long_text, SQLTYPE_MAX_COLUMN_BYTES + 1, &c, &e), -1);
    assert_int_equal(sqltype_parse_column("c", long_text, SQLTYPE_MAX_COLUMN_BYTES, &c, &e), 0);
    sqltype_column_clear(&c);
    free(long_text);
}

static void types_come_from_the_catalogue(void **state)
{
    (void)state;
    static const struct {
        const char *data_type;
        int length, precision, scale, datetime_precision;
        const char *written; /* NULL: none of the contract's */
    } rows[] = {
        {"int", 0, 10, 0, 0, "INT"},
        {"bit", 0, 0, 0, 0, "BIT"},
        {"decimal", 0, 10, 2, 0, "DECIMAL(10,2)"},
        {"numeric", 0, 38, 38, 0, "NUMERIC(38,38)"},
        {"money", 0, 19, 4, 0, "MONEY"},
        {"float", 0, 53, 0, 0, "FLOAT"},
        {"real", 0, 24, 0, 0, "REAL"},
        {"char", 10, 0, 0, 0, "CHAR(10)"},
        {"varchar", -1, 0, 0, 0, "VARCHAR(MAX)"},
        {"nvarchar", 50, 0, 0, 0, "NVARCHAR(50)"},
        {"NVARCHAR", 50, 0, 0, 0, "NVARCHAR(50)"},
        {"text", 2147483647, 0, 0, 0, "TEXT"},
        {"ntext", 1073741823, 0, 0, 0, "NVARCHAR(MAX)"},
        {"image", 2147483647, 0, 0, 0, "VARBINARY(MAX)"},
        {"binary", 16, 0, 0, 0, "BINARY(16)"},
        {"varbinary", -1, 0, 0, 0, "VARBINARY(MAX)"},
        {"date", 0, 0, 0, 0, "DATE"},
        {"time", 0, 0, 0, 3, "TIME(3)"},
        {"datetime", 0, 0, 0, 3, "DATETIME"},
        {"smalldatetime", 0, 0, 0, 0, "DATETIME"},
        {"datetime2", 0, 0, 0, 7, "DATETIME2(7)"},
        {"datetimeoffset", 0, 0, 0, 0, "DATETIMEOFFSET(0)"},
        {"uniqueidentifier", 0, 0, 0, 0, "UNIQUEIDENTIFIER"},
        {"xml", -1, 0, 0, 0, NULL},
        {"smallmoney", 0, 10, 4, 0, NULL},
        {"sql_variant", 0, 0, 0, 0, NULL},
        {"timestamp", 0, 0, 0, 0, NULL},
        {"", 0, 0, 0, 0, NULL},
        {"decimal", 0, 39, 0, 0, NULL},
        {"decimal", 0, 5, 6, 0, NULL},
        {"char", 0, 0, 0, 0, NULL},
        {"nvarchar", 4001, 0, 0, 0, NULL},
        {"time", 0, 0, 0, 8, NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sqltype t;
        struct sqltype again;
        struct buf out;
        const bool known = sqltype_from_catalogue(rows[i].data_type, rows[i].length, rows[i].precision, rows[i].scale,
                                                  rows[i].datetime_precision, &t);
        assert_int_equal(known, rows[i].written != NULL);
        if (!known)
            continue;
        buf_init(&out, 100);
        sqltype_write(&t, &out);
        assert_string_equal(buf_text(&out), rows[i].written);
        assert_true(sqltype_parse(buf_text(&out), out.len, &again));
        assert_memory_equal(&t, &again, sizeof t);
        buf_clear(&out);
    }
}

static void bare_types_are_parsed_exactly(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "INT ", "INT NULL", "INT(1)", "DECIMAL(5,2", "DECIMAL(5,2)x", "NOTHING"};
    struct sqltype t;

    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(sqltype_parse(bad[i], strlen(bad[i]), &t));
    assert_true(sqltype_parse("MONEY", 5, &t));
    assert_int_equal(t.precision, 19);
    assert_int_equal(t.scale, 4);
    assert_true(sqltype_parse("DATETIME", 8, &t));
    assert_int_equal(t.scale, 3);
    assert_string_equal(sqltype_name(SQLTYPE_NVARCHAR), "NVARCHAR");
}

static void values_are_converted(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *json;
        const char *text; /* NULL: refused */
    } rows[] = {
        {"TINYINT", "0", "0"},
        {"TINYINT", "255", "255"},
        {"TINYINT", "256", NULL},
        {"TINYINT", "-1", NULL},
        {"SMALLINT", "-32768", "-32768"},
        {"SMALLINT", "32768", NULL},
        {"INT", "2147483647", "2147483647"},
        {"INT", "2147483648", NULL},
        {"INT", "-2147483648", "-2147483648"},
        {"INT", "-2147483649", NULL},
        {"INT", "1001.0", "1001"},
        {"INT", "1e3", "1000"},
        {"INT", "10.5e1", "105"},
        {"INT", "1200e-2", "12"},
        {"INT", "-0", "0"},
        {"INT", "0e999999999999999999999", "0"},
        {"INT", "1e999999999999999999999", NULL},
        {"INT", "1e-999999999999999999999", NULL},
        {"INT", "1.5", NULL},
        {"INT", "\"1001\"", "1001"},
        {"INT", "\" 1001 \"", "1001"},
        {"INT", "\"+01001\"", "1001"},
        {"INT", "\"1001.0\"", "1001"},
        {"INT", "\"1001.5\"", NULL},
        {"INT", "\"\"", NULL},
        {"INT", "\"-\"", NULL},
        {"INT", "\".\"", NULL},
        {"INT", "\"1 2\"", NULL},
        {"INT", "\"0x10\"", NULL},
        {"INT", "\"1\\u0000\"", NULL},
        {"INT", "\"\xEF\xBC\x91\"", NULL},
        {"INT", "true", NULL},
        {"INT", "{}", NULL},
        {"INT", "[]", NULL},
        {"BIGINT", "9223372036854775807", "9223372036854775807"},
        {"BIGINT", "9223372036854775808", NULL},
        {"BIGINT", "-9223372036854775808", "-9223372036854775808"},
        {"BIGINT", "-9223372036854775809", NULL},
        {"BIGINT", "9007199254740993", "9007199254740993"},
        {"BIGINT", "99999999999999999999999999999999999999999999", NULL},
        {"BIT", "true", "1"},
        {"BIT", "false", "0"},
        {"BIT", "1", "1"},
        {"BIT", "0.0", "0"},
        {"BIT", "2", NULL},
        {"BIT", "\"TRUE\"", "1"},
        {"BIT", "\"false\"", "0"},
        {"BIT", "\"1\"", "1"},
        {"BIT", "\"yes\"", NULL},
        {"DECIMAL(5,2)", "1.5", "1.50"},
        {"DECIMAL(5,2)", "999.99", "999.99"},
        {"DECIMAL(5,2)", "999.994", "999.99"},
        {"DECIMAL(5,2)", "999.995", NULL},
        {"DECIMAL(5,2)", "12345.678", NULL},
        {"DECIMAL(5,2)", "-0.005", "-0.01"},
        {"DECIMAL(5,2)", "-0.0049", "0.00"},
        {"DECIMAL(5,2)", "0.995", "1.00"},
        {"DECIMAL(5,2)", "9.995", "10.00"},
        {"DECIMAL(5,2)", "1e2", "100.00"},
        {"DECIMAL(5,2)", "1e-9", "0.00"},
        {"DECIMAL(5,2)", "1e-99999999999", "0.00"},
        {"DECIMAL(5,2)", "1e3", NULL},
        {"DECIMAL(5,0)", "0.5", "1"},
        {"DECIMAL(5,0)", "0.05", "0"},
        {"DECIMAL(5,0)", "99999.5", NULL},
        {"DECIMAL(5,5)", "0.12345", "0.12345"},
        {"DECIMAL(5,5)", "0.999995", NULL},
        {"DECIMAL(5,5)", "1", NULL},
        {"DECIMAL(5,2)", "\" 1.5 \"", "1.50"},
        {"DECIMAL(5,2)", "\"abc\"", NULL},
        {"DECIMAL(5,2)", "false", NULL},
        {"DECIMAL(38,0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
        {"DECIMAL(38,0)", "99999999999999999999999999999999999999.5", NULL},
        {"DECIMAL(38,0)", "100000000000000000000000000000000000000", NULL},
        {"DECIMAL(38,38)", "0.99999999999999999999999999999999999999", "0.99999999999999999999999999999999999999"},
        {"DECIMAL(38,2)", "123456789012345678901234567890.125", "123456789012345678901234567890.13"},
        {"NUMERIC(3,1)", "12.34", "12.3"},
        {"DECIMAL(3,0)", "1.00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000009", "1"},
        {"INT", "1.00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000009", NULL},
        {"INT", "1.00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000", "1"},
        {"MONEY", "922337203685477.5807", "922337203685477.5807"},
        {"MONEY", "922337203685477.5808", NULL},
        {"MONEY", "-922337203685477.5808", "-922337203685477.5808"},
        {"MONEY", "-922337203685477.5809", NULL},
        {"MONEY", "922337203685477.58074", "922337203685477.5807"},
        {"MONEY", "1", "1.0000"},
        {"MONEY", "\"$1\"", NULL},
        {"FLOAT", "1e308", "1e+308"},
        {"FLOAT", "1e309", NULL},
        {"FLOAT", "0.1", "0.1"},
        {"FLOAT", "100000000000000000000000", "1e+23"},
        {"FLOAT", "\" 2.50 \"", "2.5"},
        {"FLOAT", "\"inf\"", NULL},
        {"FLOAT", "\"nan\"", NULL},
        {"FLOAT", "\"0x1p3\"", NULL},
        {"FLOAT", "true", NULL},
        {"REAL", "3.4e38", "3.4e+38"},
        {"REAL", "3.5e38", NULL},
        {"REAL", "0.1", "0.1"},
        {"CHAR(3)", "\"abc\"", "abc"},
        {"CHAR(3)", "\"ab\"", "ab"},
        {"CHAR(3)", "\"abcd\"", NULL},
        {"CHAR(3)", "\"abc  \"", "abc"},
        {"CHAR(3)", "\"ab    \"", "ab "},
        {"CHAR(3)", "\"abc\\t\"", NULL},
        {"VARCHAR(3)", "\"\xC5\xBE\xC5\xBE\xC5\xBE\"", "\xC5\xBE\xC5\xBE\xC5\xBE"},
        {"VARCHAR(3)", "123", "123"},
        {"VARCHAR(3)", "1234", NULL},
        {"VARCHAR(9)", "1.50", "1.50"},
        {"VARCHAR(9)", "true", NULL},
        {"NVARCHAR(2)", "\"\xF0\x9F\x98\x80\"", "\xF0\x9F\x98\x80"},
        {"NVARCHAR(1)", "\"\xF0\x9F\x98\x80\"", NULL},
        {"NVARCHAR(3)", "\"\xF0\x9F\x98\x80\xF0\x9F\x98\x80\"", NULL},
        {"NCHAR(2)", "\"\xE5\xAD\xA6\xE7\x94\x9F \"", "\xE5\xAD\xA6\xE7\x94\x9F"},
        {"VARCHAR(9)", "\"\"", ""},
        {"TEXT", "\"anything\"", "anything"},
        {"NVARCHAR(MAX)", "\"anything\"", "anything"},
        {"DATE", "\"2026-11-22\"", "2026-11-22"},
        {"DATE", "\"2026-11-22T23:59:59.9999999\"", "2026-11-22"},
        {"DATE", "\"2026-11-22 13:05\"", "2026-11-22"},
        {"DATE", "\"2024-02-29\"", "2024-02-29"},
        {"DATE", "\"2026-02-29\"", NULL},
        {"DATE", "\"1900-02-29\"", NULL},
        {"DATE", "\"2000-02-29\"", "2000-02-29"},
        {"DATE", "\"0001-01-01\"", "0001-01-01"},
        {"DATE", "\"9999-12-31\"", "9999-12-31"},
        {"DATE", "\"0000-01-01\"", NULL},
        {"DATE", "\"2026-13-01\"", NULL},
        {"DATE", "\"2026-00-01\"", NULL},
        {"DATE", "\"2026-04-31\"", NULL},
        {"DATE", "\"2026-1-1\"", NULL},
        {"DATE", "\"20260101\"", NULL},
        {"DATE", "\"2026/01/01\"", NULL},
        {"DATE", "\" 2026-01-01\"", NULL},
        {"DATE", "\"2026-01-01T\"", NULL},
        {"DATE", "\"2026-01-01Z\"", NULL},
        {"DATE", "\"2026-01-01T00:00:00Z\"", "2026-01-01"},
        {"DATE", "\"13:05:00\"", NULL},
        {"DATE", "20260101", NULL},
        {"DATE", "\"\"", NULL},
        {"TIME(7)", "\"13:05:00.1234567\"", "13:05:00.1234567"},
        {"TIME(0)", "\"13:05\"", "13:05:00"},
        {"TIME(3)", "\"13:05:00.1235\"", "13:05:00.124"},
        {"TIME(3)", "\"13:05:59.9995\"", "13:06:00.000"},
        {"TIME(0)", "\"23:59:59.5\"", "00:00:00"},
        {"TIME(7)", "\"13:05:00.123456749999\"", "13:05:00.1234567"},
        {"TIME(7)", "\"13:05:00.12345675\"", "13:05:00.1234568"},
        {"TIME(2)", "\"2026-11-22T13:05:00\"", "13:05:00.00"},
        {"TIME(2)", "\"24:00:00\"", NULL},
        {"TIME(2)", "\"13:60:00\"", NULL},
        {"TIME(2)", "\"13:05:60\"", NULL},
        {"TIME(2)", "\"13:05:00.\"", NULL},
        {"TIME(2)", "\"13:05:00Z\"", NULL},
        {"TIME(2)", "\"1:05:00\"", NULL},
        {"TIME(2)", "\"2026-11-22\"", NULL},
        {"DATETIME", "\"2026-11-22T13:05:00.123\"", "2026-11-22T13:05:00.123"},
        {"DATETIME", "\"2026-11-22T13:05:00.001\"", "2026-11-22T13:05:00.000"},
        {"DATETIME", "\"2026-11-22T13:05:00.002\"", "2026-11-22T13:05:00.003"},
        {"DATETIME", "\"2026-11-22T13:05:00.005\"", "2026-11-22T13:05:00.007"},
        {"DATETIME", "\"2026-11-22T13:05:00.009\"", "2026-11-22T13:05:00.010"},
        {"DATETIME", "\"2026-11-22T13:05:00.998\"", "2026-11-22T13:05:00.997"},
        {"DATETIME", "\"2026-12-31T23:59:59.999\"", "2027-01-01T00:00:00.000"},
        {"DATETIME", "\"2024-02-28T23:59:59.999\"", "2024-02-29T00:00:00.000"},
        {"DATETIME", "\"1753-01-01\"", "1753-01-01T00:00:00.000"},
        {"DATETIME", "\"1752-12-31T23:59:59.999\"", "1753-01-01T00:00:00.000"},
        {"DATETIME", "\"1752-12-31T23:59:59.997\"", NULL},
        {"DATETIME", "\"9999-12-31T23:59:59.997\"", "9999-12-31T23:59:59.997"},
        {"DATETIME", "\"9999-12-31T23:59:59.999\"", NULL},
        {"DATETIME2(7)", "\"2026-11-22T13:05:00.1234567\"", "2026-11-22T13:05:00.1234567"},
        {"DATETIME2(3)", "\"2026-11-22T13:05:00.123Z\"", "2026-11-22T13:05:00.123"},
        {"DATETIME2(3)", "\"2026-11-22T13:05:00.123+02:00\"", NULL},
        {"DATETIME2(0)", "\"2026-11-22 23:59:59.5\"", "2026-11-23T00:00:00"},
        {"DATETIME2(3)", "\"9999-12-31T23:59:59.9995\"", NULL},
        {"DATETIME2(3)", "\"2026-11-22T13:05:00+00:00\"", NULL},
        {"DATETIME2(3)", "\"2026-11-22t13:05:00\"", NULL},
        {"DATETIMEOFFSET(7)", "\"2026-11-22T13:05:00.1234567+02:00\"", "2026-11-22T13:05:00.1234567+02:00"},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00Z\"", "2026-11-22T13:05:00+00:00"},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00\"", "2026-11-22T13:05:00+00:00"},
        {"DATETIMEOFFSET(0)", "\"2026-11-22\"", "2026-11-22T00:00:00+00:00"},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00-00:30\"", "2026-11-22T13:05:00-00:30"},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00+14:00\"", "2026-11-22T13:05:00+14:00"},
        {"DATETIMEOFFSET(7)", "\"2026-11-22 13:05:00.1234567 +02:00\"", "2026-11-22T13:05:00.1234567+02:00"},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00  +02:00\"", NULL},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00 Z\"", NULL},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00 \"", NULL},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00+14:01\"", NULL},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00+02\"", NULL},
        {"DATETIMEOFFSET(0)", "\"2026-11-22T13:05:00+02:60\"", NULL},
        {"DATETIMEOFFSET(0)", "\"2026-11-22+02:00\"", NULL},
        {"DATETIMEOFFSET(0)", "\"0001-01-01T01:00:00+02:00\"", NULL},
        {"DATETIMEOFFSET(0)", "\"9999-12-31T23:00:00-02:00\"", NULL},
        {"UNIQUEIDENTIFIER", "\"3f2504e0-4f89-11d3-9a0c-0305e82c3301\"", "3F2504E0-4F89-11D3-9A0C-0305E82C3301"},
        {"UNIQUEIDENTIFIER", "\"{3F2504E0-4F89-11D3-9A0C-0305E82C3301}\"", "3F2504E0-4F89-11D3-9A0C-0305E82C3301"},
        {"UNIQUEIDENTIFIER", "\"3f2504e0-4f89-11d3-9a0c-0305e82c330\"", NULL},
        {"UNIQUEIDENTIFIER", "\"3f2504e04f8911d39a0c0305e82c3301\"", NULL},
        {"UNIQUEIDENTIFIER", "\"3f2504e0-4f89-11d3-9a0c-0305e82c330g\"", NULL},
        {"UNIQUEIDENTIFIER", "\"3f2504e0-4f89-11d3-9a0c-0305e82c330@\"", NULL},
        {"UNIQUEIDENTIFIER", "\"3f2504e0-4f89-11d3-9a0c-0305e82c330:\"", NULL},
        {"VARBINARY(3)", "\"\"", ""},
        {"VARBINARY(3)", "\"AQID\"", "\x01\x02\x03"},
        {"VARBINARY(3)", "\"AQI=\"", "\x01\x02"},
        {"VARBINARY(3)", "\"AQ==\"", "\x01"},
        {"VARBINARY(3)", "\"+/+/\"", "\xFB\xFF\xBF"},
        {"VARBINARY(3)", "\"AQIDBA==\"", NULL},
        {"VARBINARY(MAX)", "\"AQIDBA==\"", "\x01\x02\x03\x04"},
        {"BINARY(8)", "\"AQ==\"", "\x01"},
        {"VARBINARY(3)", "\"AR==\"", NULL},
        {"VARBINARY(3)", "\"AQJ=\"", NULL},
        {"VARBINARY(3)", "\"AQI\"", NULL},
        {"VARBINARY(9)", "\"AQ==AQ==\"", NULL},
        {"VARBINARY(3)", "\"A===\"", NULL},
        {"VARBINARY(3)", "\"====\"", NULL},
        {"VARBINARY(3)", "\"AQ I\"", NULL},
        {"VARBINARY(3)", "\"AQ-_\"", NULL},
        {"VARBINARY(3)", "1", NULL},
    };
    struct sqlvalue value;

    sqlvalue_init(&value);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct sqltype t = type_of(rows[i].type);
        struct json_object *body;
        struct err e = ERR_INIT;
        const struct json_object *v = read_value(rows[i].json, &body);
        if (sqltype_convert(&t, "c", v, &value, &e) < 0) {
            if (rows[i].text)
                fail_msg("%s <- %s: %s", rows[i].type, rows[i].json, e.detail);
            assert_int_equal(e.code, ERR_BAD_VALUE);
            assert_int_equal(strncmp(e.detail, "column 'c': ", 12), 0);
        } else {
            if (!rows[i].text)
                fail_msg("%s <- %s: accepted as %s", rows[i].type, rows[i].json, buf_text(&value.text));
            assert_false(value.null);
            assert_string_equal(buf_text(&value.text), rows[i].text);
            assert_int_equal(value.text.len, strlen(rows[i].text));
        }
        json_free(body);
    }
    sqlvalue_clear(&value);
}

static void refusals_name_column_value_and_type(void **state)
{
    (void)state;
    static const struct {
        const char *type, *json, *detail;
    } rows[] = {
        {"DECIMAL(5,2)", "12345.678", "column 'price': 12345.678 does not fit DECIMAL(5,2)"},
        {"INT", "\"abc\"", "column 'price': \"abc\" is no value for INT"},
        {"INT", "true", "column 'price': true is no value for INT"},
        {"INT", "[1]", "column 'price': an array is no value for INT"},
        {"NVARCHAR(2)", "\"a\\nb\"", "column 'price': \"a\\u000ab\" does not fit NVARCHAR(2)"},
        {"INT", "1111111111222222222233333333334444444444555555555566666666667777777777",
         "column 'price': 1111111111222222222233333333334444444444555555555566666666667777… does not fit INT"},
    };
    struct sqlvalue value;

    sqlvalue_init(&value);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct sqltype t = type_of(rows[i].type);
        struct json_object *body;
        struct err e = ERR_INIT;
        const struct json_object *v = read_value(rows[i].json, &body);
        assert_int_equal(sqltype_convert(&t, "price", v, &value, &e), -1);
        assert_string_equal(e.detail, rows[i].detail);
        json_free(body);
    }
    sqlvalue_clear(&value);
}

static void null_fits_every_type(void **state)
{
    (void)state;
    struct sqlvalue value;
    struct err e = ERR_INIT;

    sqlvalue_init(&value);
    for (int kind = 0; kind < SQLTYPE_KINDS; kind++) {
        const struct sqltype t = type_of(sqltype_name((enum sqltype_kind)kind));
        value.null = false;
        assert_int_equal(sqltype_convert(&t, "c", NULL, &value, &e), 0);
        assert_true(value.null);
    }
    sqlvalue_clear(&value);
}

static void nul_is_a_character_of_a_value(void **state)
{
    (void)state;
    const struct sqltype t = type_of("NVARCHAR(3)");
    struct json_object *body;
    struct sqlvalue value;
    struct err e = ERR_INIT;
    const struct json_object *v = read_value("\"a\\u0000b\"", &body);

    sqlvalue_init(&value);
    assert_int_equal(sqltype_convert(&t, "c", v, &value, &e), 0);
    assert_int_equal(value.text.len, 3);
    assert_memory_equal(value.text.data, "a\0b", 3);
    sqlvalue_clear(&value);
    json_free(body);
}

static void keys_that_are_equal_have_one_text(void **state)
{
    (void)state;
    static const struct {
        const char *type; /* NULL: no column gives it */
        const char *json;
        const char *key; /* NULL: refused */
    } rows[] = {
        {"INT", "1001", "1001"},
        {"INT", "\"1001\"", "1001"},
        {"INT", "\"01001\"", "1001"},
        {"INT", "1001.0", "1001"},
        {"INT", "-7", "-7"},
        {"INT", "1.5", NULL},
        {"INT", "3000000000", NULL},
        {"INT", "\"x\"", NULL},
        {"INT", "null", NULL},
        {"INT", "true", NULL},
        {"INT", "[1]", NULL},
        {"BIGINT", "1e3", "1000"},
        {"BIT", "true", "1"},
        {"BIT", "0", "0"},
        {"NVARCHAR(10)", "\"abc  \"", "abc"},
        {"NVARCHAR(10)", "\" abc\"", " abc"},
        {"NVARCHAR(10)", "\"   \"", ""},
        {"VARCHAR(10)", "1001", "1001"},
        {"VARCHAR(2)", "\"abc\"", NULL},
        {"UNIQUEIDENTIFIER", "\"3f2504e0-4f89-11d3-9a0c-0305e82c3301\"", "3F2504E0-4F89-11D3-9A0C-0305E82C3301"},
        {"DATE", "\"2026-11-22\"", "2026-11-22"},
        {"DATE", "\"2026-11-22T10:00:00\"", "2026-11-22"},
        {"DATE", "\"yesterday\"", NULL},
        {NULL, "1001", "1001"},
        {NULL, "1001.0", "1001"},
        {NULL, "\" x \"", " x "},
        {NULL, "true", NULL},
        {NULL, "null", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sqltype t = {.kind = SQLTYPE_INT};
        struct json_object *body;
        struct err e = ERR_INIT;
        struct buf out;
        const struct json_object *v = read_value(rows[i].json, &body);
        if (rows[i].type)
            t = type_of(rows[i].type);
        buf_init(&out, 100);
        buf_append_char(&out, '>'); /* what is there stays */
        const int rc = sqltype_key_text(rows[i].type ? &t : NULL, "shard_key", v, &out, &e);
        if ((rc == 0) != (rows[i].key != NULL))
            fail_msg("%s: %s", rows[i].json, rc == 0 ? "accepted" : e.detail);
        if (rc < 0) {
            assert_int_equal(e.code, ERR_BAD_FIELD);
            assert_int_equal(strncmp(e.detail, "shard_key: ", 11), 0);
        } else {
            assert_string_equal(buf_text(&out) + 1, rows[i].key);
        }
        buf_clear(&out);
        json_free(body);
    }
}

static void literals_of_conditions_have_key_texts(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *text;
        bool quoted;
        const char *key; /* NULL: narrows nothing */
    } rows[] = {
        {"INT", "1001", false, "1001"},
        {"INT", "-1001.00", false, "-1001"},
        {"INT", "01001", true, "1001"},
        {"INT", " 1001 ", true, "1001"},
        {"INT", "1001.5", false, NULL},
        {"SMALLINT", "3000000000", false, "3000000000"},
        {"INT", "99999999999999999999999999999999999999", true, "99999999999999999999999999999999999999"},
        {"INT", "999999999999999999999999999999999999999", true, NULL},
        {"INT", "1e3", false, "1000"},
        {"BIGINT", "9007199254740991e0", false, "9007199254740991"},
        {"BIGINT", "9007199254740992e0", false, NULL},
        {"BIGINT", "1e30", false, NULL},
        {"BIGINT", "-1e18", false, NULL},
        {"INT", "", true, NULL},
        {"INT", "x", true, NULL},
        {"BIT", "1", false, "1"},
        {"BIT", "0", true, "0"},
        {"BIT", "1.0", false, "1"},
        {"BIT", "2", false, NULL},
        {"BIT", "-1", false, NULL},
        {"BIT", "10", false, NULL},
        {"BIT", "TRUE", true, "1"},
        {"BIT", "no", true, NULL},
        {"NVARCHAR(5)", "abc  ", true, "abc"},
        {"NVARCHAR(5)", "longer than five", true, "longer than five"},
        {"NVARCHAR(5)", "5", false, NULL},
        {"VARCHAR(MAX)", "abc", true, NULL},
        {"UNIQUEIDENTIFIER", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", true, "3F2504E0-4F89-11D3-9A0C-0305E82C3301"},
        {"UNIQUEIDENTIFIER", "3f2504e0-4f89-11d3-9a0c-0305e82c33012", true, NULL},
        {"UNIQUEIDENTIFIER", "3f2504e0-4f89-11d3-9a0c-0305e82c330x", true, NULL},
        {"DATE", "2026-11-22", true, "2026-11-22"},
        {"DATE", "2026-02-30", true, NULL},
        {"DATE", "2026-11-22T00:00:00", true, NULL},
        {"DATE", "20261122", true, NULL},
        {"DATE", "2026", false, NULL},
        {"FLOAT", "1", false, NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct sqltype t = type_of(rows[i].type);
        struct buf out;
        buf_init(&out, 100);
        buf_append_char(&out, '>');
        const bool found = sqltype_key_from_text(&t, rows[i].text, strlen(rows[i].text), rows[i].quoted, &out);
        if (found != (rows[i].key != NULL))
            fail_msg("%s <- %s: %s", rows[i].type, rows[i].text, buf_text(&out));
        assert_string_equal(buf_text(&out) + 1, found ? rows[i].key : "");
        buf_clear(&out);
    }
}

static void types_that_can_shard(void **state)
{
    (void)state;
    static const char *const yes[] = {"TINYINT", "SMALLINT", "INT", "BIGINT", "BIT", "CHAR(5)", "VARCHAR(5)",
                                      "NCHAR(5)", "NVARCHAR(5)", "UNIQUEIDENTIFIER", "DATE"};
    static const char *const no[] = {"DECIMAL(5,2)", "NUMERIC(5,0)", "MONEY", "FLOAT", "REAL", "VARCHAR(MAX)",
                                     "NVARCHAR(MAX)", "TEXT", "TIME(7)", "DATETIME", "DATETIME2(7)",
                                     "DATETIMEOFFSET(7)", "BINARY(5)", "VARBINARY(5)"};

    for (size_t i = 0; i < COUNT(yes); i++) {
        const struct sqltype t = type_of(yes[i]);
        assert_true(sqltype_can_shard(&t));
    }
    for (size_t i = 0; i < COUNT(no); i++) {
        const struct sqltype t = type_of(no[i]);
        assert_false(sqltype_can_shard(&t));
    }
}

static void groups_of_types(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool integer, decimal, is_float, string, unicode, binary;
    } rows[] = {
        {"TINYINT", true, false, false, false, false, false}, {"BIGINT", true, false, false, false, false, false},
        {"BIT", false, false, false, false, false, false},    {"DECIMAL", false, true, false, false, false, false},
        {"MONEY", false, true, false, false, false, false},   {"FLOAT", false, false, true, false, false, false},
        {"REAL", false, false, true, false, false, false},    {"CHAR", false, false, false, true, false, false},
        {"NCHAR", false, false, false, true, true, false},    {"NVARCHAR", false, false, false, true, true, false},
        {"TEXT", false, false, false, true, false, false},    {"DATE", false, false, false, false, false, false},
        {"BINARY", false, false, false, false, false, true},  {"VARBINARY", false, false, false, false, false, true},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct sqltype t = type_of(rows[i].type);
        assert_int_equal(sqltype_is_integer(&t), rows[i].integer);
        assert_int_equal(sqltype_is_decimal(&t), rows[i].decimal);
        assert_int_equal(sqltype_is_float(&t), rows[i].is_float);
        assert_int_equal(sqltype_is_string(&t), rows[i].string);
        assert_int_equal(sqltype_is_unicode(&t), rows[i].unicode);
        assert_int_equal(sqltype_is_binary(&t), rows[i].binary);
    }
}

static void names_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *field, *name;
        const char *detail; /* NULL: accepted */
    } rows[] = {
        {"db_name", "SchoolDB", NULL},
        {"table", "Order_2", NULL},
        {"db_name", "students", NULL},
        {"db_name", "masters", NULL},
        {"columns", "model", NULL},
        {"db_name", "", "db_name: the name is empty"},
        {"db_name", "Master", "db_name: 'Master' is a name of the server's own"},
        {"db_name", "MODEL", "db_name: 'MODEL' is a name of the server's own"},
        {"db_name", "msdb", "db_name: 'msdb' is a name of the server's own"},
        {"table", "tempdb", "table: 'tempdb' is a name of the server's own"},
        {"table", "GW_x", "table: 'GW_x' is a name of the server's own"},
        {"columns", "sys_objects", "columns: 'sys_objects' is a name of the server's own"},
        {"columns", "SYS", "columns: 'SYS' is a name of the server's own"},
        {"table", "_a", "table: the name has to match [A-Za-z][A-Za-z0-9_]{0,63}; byte 0 does not"},
        {"table", "1a", "table: the name has to match [A-Za-z][A-Za-z0-9_]{0,63}; byte 0 does not"},
        {"table", "a-b", "table: the name has to match [A-Za-z][A-Za-z0-9_]{0,63}; byte 1 does not"},
        {"table", "a\xC5\xBE", "table: the name has to match [A-Za-z][A-Za-z0-9_]{0,63}; byte 1 does not"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        const int rc = sqltype_check_name(rows[i].field, rows[i].name, strlen(rows[i].name), &e);
        assert_int_equal(rc, rows[i].detail ? -1 : 0);
        assert_int_equal(e.code, rows[i].detail ? ERR_BAD_NAME : ERR_NONE);
        assert_string_equal(e.detail, rows[i].detail ? rows[i].detail : "");
    }
    char name[SQLTYPE_MAX_NAME + 2];
    struct err e = ERR_INIT;
    memset(name, 'x', sizeof name);
    assert_int_equal(sqltype_check_name("table", name, SQLTYPE_MAX_NAME, &e), 0);
    assert_int_equal(sqltype_check_name("table", name, SQLTYPE_MAX_NAME + 1, &e), -1);
    e = ERR_INIT;
    assert_int_equal(sqltype_check_name("table", "a\0b", 3, &e), -1);
}

static bool accepts(const struct corpus *c, struct err *e)
{
    struct sqltype_column column;

    if (strcmp(c->field, "type") != 0) {
        const char *field = strcmp(c->field, "db") == 0 ? "db_name" : strcmp(c->field, "table") == 0 ? "table" : "columns";
        return sqltype_check_name(field, c->payload, c->len, e) == 0;
    }
    if (sqltype_parse_column("c", c->payload, c->len, &column, e) < 0)
        return false;
    sqltype_column_clear(&column);
    return true;
}

static void corpus_of_names_and_types(void **state)
{
    (void)state;
    struct corpus c;
    size_t rows = 0;

    corpus_open(&c);
    while (corpus_next(&c)) {
        struct err e = ERR_INIT;
        if (strcmp(c.field, "condition") == 0)
            continue;
        rows++;
        const bool accepted = c.payload && accepts(&c, &e);
        if (accepted == c.rejected)
            fail_msg("row %d: %s", c.id, accepted ? "accepted" : e.detail);
    }
    assert_true(rows >= 45);
    corpus_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_written_anew),
        cmocka_unit_test(clauses_are_told),
        cmocka_unit_test(other_types_and_clauses_are_refused),
        cmocka_unit_test(types_come_from_the_catalogue),
        cmocka_unit_test(bare_types_are_parsed_exactly),
        cmocka_unit_test(values_are_converted),
        cmocka_unit_test(refusals_name_column_value_and_type),
        cmocka_unit_test(null_fits_every_type),
        cmocka_unit_test(nul_is_a_character_of_a_value),
        cmocka_unit_test(keys_that_are_equal_have_one_text),
        cmocka_unit_test(literals_of_conditions_have_key_texts),
        cmocka_unit_test(types_that_can_shard),
        cmocka_unit_test(groups_of_types),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(corpus_of_names_and_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
