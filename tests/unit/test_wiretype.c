/* Types and values on the wire: what is written reads back, and what is wrong is refused. */
#include "tds-server/wire/wiretype.h"

#include "tests/unit/tds_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct buf bytes;
static struct buf error;
static struct buf text;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    buf_init(&bytes, 1 << 24);
    buf_init(&error, 4096);
    buf_init(&text, 1 << 24);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_clear(&bytes);
    buf_clear(&error);
    buf_clear(&text);
    return 0;
}

#define TEXT(literal) .bytes = {literal, sizeof(literal) - 1}
#define INTS(k, v)                                \
    {                                             \
        {.type = {.kind = k}, .integer = v}, NULL \
    }
#define NUMBERS(p, s, v)                                                                    \
    {                                                                                       \
        {.type = {.kind = SQLTYPE_DECIMAL, .precision = p, .scale = s}, .decimal = v}, NULL \
    }
#define STRINGS(k, l, v)                                  \
    {                                                     \
        {.type = {.kind = k, .length = l}, TEXT(v)}, NULL \
    }
#define TIMES(k, s, v, again)                             \
    {                                                     \
        {.type = {.kind = k, .scale = s}, TEXT(v)}, again \
    }

static void values_read_back(void **state)
{
    (void)state;
    const int128 e19 = (int128)10000000000000000000ULL;
    const int128 largest = e19 * e19 - 1;
    const struct {
        struct value value;
        const char *again; /* when what reads back differs */
    } rows[] = {
        INTS(SQLTYPE_TINYINT, 0),
        INTS(SQLTYPE_TINYINT, 255),
        INTS(SQLTYPE_SMALLINT, INT16_MIN),
        INTS(SQLTYPE_SMALLINT, INT16_MAX),
        INTS(SQLTYPE_INT, INT32_MIN),
        INTS(SQLTYPE_INT, INT32_MAX),
        INTS(SQLTYPE_BIGINT, INT64_MIN),
        INTS(SQLTYPE_BIGINT, INT64_MAX),
        INTS(SQLTYPE_BIT, 0),
        INTS(SQLTYPE_BIT, 1),
        NUMBERS(1, 0, 9),
        NUMBERS(9, 0, 999999999),
        NUMBERS(10, 2, -12345),
        NUMBERS(19, 19, e19 - 1),
        NUMBERS(28, 5, -(int128)INT64_MAX * 1000000000),
        NUMBERS(38, 0, largest),
        NUMBERS(38, 38, -largest),
        NUMBERS(18, 4, 0),
        {{.type = {.kind = SQLTYPE_NUMERIC, .precision = 5, .scale = 2}, .decimal = -1}, NULL},
        {{.type = {.kind = SQLTYPE_MONEY, .precision = 19, .scale = 4}, .decimal = INT64_MIN}, NULL},
        {{.type = {.kind = SQLTYPE_MONEY, .precision = 19, .scale = 4}, .decimal = INT64_MAX}, NULL},
        {{.type = {.kind = SQLTYPE_MONEY, .precision = 19, .scale = 4}, .decimal = -1}, NULL},
        {{.type = {.kind = SQLTYPE_FLOAT}, .real = 0.1}, NULL},
        {{.type = {.kind = SQLTYPE_FLOAT}, .real = -1.7976931348623157e308}, NULL},
        {{.type = {.kind = SQLTYPE_FLOAT}, .real = 5e-324}, NULL},
        {{.type = {.kind = SQLTYPE_REAL}, .real = 0.5}, NULL},
        {{.type = {.kind = SQLTYPE_REAL}, .real = 3.4028234663852886e38}, NULL},
        STRINGS(SQLTYPE_CHAR, 3, "ab "),
        STRINGS(SQLTYPE_VARCHAR, 10, ""),
        STRINGS(SQLTYPE_VARCHAR, 8000, "na\xC3\xAFve \xE2\x82\xAC"),
        STRINGS(SQLTYPE_VARCHAR, SQLTYPE_MAX, "x"),
        STRINGS(SQLTYPE_NCHAR, 2, "\xE6\x97\xA5\xE6\x9C\xAC"),
        STRINGS(SQLTYPE_NVARCHAR, 4000, "a\xF0\x9F\x98\x80z"),
        STRINGS(SQLTYPE_NVARCHAR, 1, ""),
        STRINGS(SQLTYPE_NVARCHAR, SQLTYPE_MAX, ""),
        STRINGS(SQLTYPE_NVARCHAR, SQLTYPE_MAX, "long"),
        STRINGS(SQLTYPE_TEXT, SQLTYPE_MAX, "text"),
        STRINGS(SQLTYPE_BINARY, 2, "\0\x01"),
        STRINGS(SQLTYPE_VARBINARY, 8000, "\xFF\0\xFF"),
        STRINGS(SQLTYPE_VARBINARY, SQLTYPE_MAX, "\0"),
        TIMES(SQLTYPE_DATE, 0, "0001-01-01", NULL),
        TIMES(SQLTYPE_DATE, 0, "9999-12-31", NULL),
        TIMES(SQLTYPE_TIME, 7, "23:59:59.9999999", NULL),
        TIMES(SQLTYPE_TIME, 0, "23:59:59.0000000", NULL),
        TIMES(SQLTYPE_TIME, 2, "00:00:00.0100000", NULL),
        TIMES(SQLTYPE_TIME, 4, "12:34:56.7891000", NULL),
        TIMES(SQLTYPE_DATETIME2, 7, "0001-01-01 00:00:00.0000000", NULL),
        TIMES(SQLTYPE_DATETIME2, 3, "9999-12-31 23:59:59.9990000", NULL),
        TIMES(SQLTYPE_DATETIMEOFFSET, 7, "2026-11-22 11:05:00.1234567 +02:00", NULL),
        TIMES(SQLTYPE_DATETIMEOFFSET, 0, "2026-11-22 11:05:00.0000000 -14:00", NULL),
        TIMES(SQLTYPE_DATETIMEOFFSET, 1, "2026-11-22 11:05:00.1000000 -00:30", NULL),
        {{.type = {.kind = SQLTYPE_MONEY, .precision = SQLTYPE_SMALLMONEY_PRECISION, .scale = 4}, .decimal = INT32_MIN}, NULL},
        {{.type = {.kind = SQLTYPE_MONEY, .precision = SQLTYPE_SMALLMONEY_PRECISION, .scale = 4}, .decimal = INT32_MAX}, NULL},
        {{.type = {.kind = SQLTYPE_DATETIME, .precision = SQLTYPE_SMALLDATETIME_PRECISION}, .bytes = {"2079-06-06 23:59:00.0000000", 27}}, NULL},
        {{.type = {.kind = SQLTYPE_DATETIME, .precision = SQLTYPE_SMALLDATETIME_PRECISION}, .bytes = {"1900-01-01 00:00:00.0000000", 27}}, NULL},
        /* DATETIME counts 1/300 s: .000 .003 .007 */
        TIMES(SQLTYPE_DATETIME, 3, "1753-01-01 00:00:00.0000000", NULL),
        TIMES(SQLTYPE_DATETIME, 3, "1899-12-31 23:59:59.9970000", NULL),
        TIMES(SQLTYPE_DATETIME, 3, "9999-12-31 23:59:59.9970000", NULL),
        TIMES(SQLTYPE_DATETIME, 3, "2026-11-22 13:05:00.0030000", NULL),
        TIMES(SQLTYPE_DATETIME, 3, "2026-11-22 13:05:00.0010000", "'2026-11-22 13:05:00.0000000'"),
        TIMES(SQLTYPE_DATETIME, 3, "2026-11-22 13:05:00.0050000", "'2026-11-22 13:05:00.0070000'"),
        TIMES(SQLTYPE_DATETIME, 3, "2026-11-22 13:05:00.0080000", "'2026-11-22 13:05:00.0070000'"),
        TIMES(SQLTYPE_DATETIME, 3, "2026-11-22 23:59:59.9990000", "'2026-11-23 00:00:00.0000000'"),
        TIMES(SQLTYPE_DATETIME, 3, "9999-12-31 23:59:59.9999999", "'9999-12-31 23:59:59.9970000'"),
        {{.type = {.kind = SQLTYPE_UNIQUEIDENTIFIER}, TEXT("\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\xFF")}, NULL},
    };
    static const struct dialect dialects[] = {{DIALECT_74, true}, {DIALECT_74, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t d = 0; d < 2; d++) {
            for (int null = 0; null <= 1; null++) {
                struct wiretype written;
                struct wiretype read;
                struct value v = rows[i].value;
                struct value again;
                struct reader r;
                v.null = null != 0;
                arena_init(&arena, 1 << 20);
                buf_reset(&bytes);
                wiretype_describe(&dialects[d], &v.type, COLLATION_CI, &written);
                wiretype_write_info(&written, &bytes);
                size_t info = bytes.len;
                wiretype_write_value(&written, &v, &bytes);
                if (v.null) {
                    assert_int_equal(bytes.len - info, wiretype_null_size(&written));
                }
                reader_init(&r, bytes.data, bytes.len);
                assert_int_equal(wiretype_read_info(&r, &read, &error), 0);
                assert_int_equal(wiretype_read_value(&r, &read, &arena, &again, &error), 0);
                assert_int_equal(reader_left(&r), 0);
                assert_int_equal(again.null, v.null);

                buf_reset(&text);
                if (rows[i].again != NULL && !v.null) {
                    buf_append_text(&text, rows[i].again);
                } else {
                    client_show_value(&v, &text);
                }
                buf_append_char(&text, ' ');
                size_t half = text.len;
                client_show_value(&again, &text);
                buf_append_char(&text, ' ');
                assert_int_equal(text.len, half * 2);
                assert_memory_equal(text.data, text.data + half, half);
                arena_clear(&arena);
            }
        }
    }
}

static void client_types_are_read(void **state)
{
    (void)state;
#define LATIN1 "\x09\x04\xD0\0\x34"
#define UTF8   "\x09\x04\xD0\x24\0"
#define ROW(literal, shown)                 \
    {                                       \
        literal, sizeof(literal) - 1, shown \
    }
    static const struct {
        const char *wire;
        size_t len;
        const char *shown; /* the type, then the value */
    } rows[] = {
        ROW("\x30\xFF", "TINYINT 255"),
        ROW("\x32\x07", "BIT 1"),
        ROW("\x34\xFF\xFF", "SMALLINT -1"),
        ROW("\x38\x01\0\0\0", "INT 1"),
        ROW("\x7F\0\0\0\0\0\0\0\x80", "BIGINT -9223372036854775808"),
        ROW("\x3B\0\0\0\x3F", "REAL 0.5"),
        ROW("\x3E\0\0\0\0\0\0\xE0\x3F", "FLOAT 0.5"),
        ROW("\x3C\0\0\0\0\x10\x27\0\0", "MONEY 1.0000"),
        ROW("\x7A\xF0\xD8\xFF\xFF", "SMALLMONEY -1.0000"),
        ROW("\x6E\x04\x04\x01\0\0\0", "SMALLMONEY 0.0001"),
        ROW("\x3D\0\0\0\0\x01\0\0\0", "DATETIME '1900-01-01 00:00:00.0030000'"),
        ROW("\x3D\xFF\xFF\xFF\xFF\0\0\0\0", "DATETIME '1899-12-31 00:00:00.0000000'"),
        ROW("\x3A\x01\0\x9F\x05", "SMALLDATETIME '1900-01-02 23:59:00.0000000'"),
        ROW("\x6F\x04\x04\0\0\x3C\0", "SMALLDATETIME '1900-01-01 01:00:00.0000000'"),
        ROW("\x1F", "INT NULL"),
        ROW("\x26\x04\0", "INT NULL"),
        ROW("\x26\x08\0", "BIGINT NULL"),
        ROW("\x68\x01\0", "BIT NULL"),
        ROW("\x6A\x11\x12\x02\x02\x01\x05", "DECIMAL(18,2) 0.05"),
        ROW("\x6C\x11\x12\x02\x02\0\x05", "NUMERIC(18,2) -0.05"),
        ROW("\x6C\x11\x12\x02\0", "NUMERIC(18,2) NULL"),
        ROW("\x37\x05\x05\x01\x05\x01\x0A\0\0\0", "DECIMAL(5,1) 1.0"),
        ROW("\xA7\x40\x1F" LATIN1 "\x02\0\x80\xE9", "VARCHAR(8000) '\xE2\x82\xAC\xC3\xA9'"),
        ROW("\xA7\x40\x1F" UTF8 "\x02\0\xC3\xA9", "VARCHAR(8000) '\xC3\xA9'"),
        ROW("\xA7\x40\x1F" UTF8 "\x03\0\xC3"
            "AB",
            "VARCHAR(8000) '\xEF\xBF\xBD"
            "AB'"),
        ROW("\xA7\x40\x1F" UTF8 "\xFF\xFF", "VARCHAR(8000) NULL"),
        ROW("\xAF\x04\0" LATIN1 "\x01\0x", "CHAR(4) 'x   '"),
        ROW("\xEF\x04\0" LATIN1 "\x02\0x\0", "NCHAR(2) 'x '"),
        ROW("\xE7\x40\x1F" LATIN1 "\x04\0\x3D\xD8\0\xDE", "NVARCHAR(4000) '\xF0\x9F\x98\x80'"),
        ROW("\xE7\x40\x1F" LATIN1 "\x04\0\x3D\xD8x\0", "NVARCHAR(4000) '\xEF\xBF\xBDx'"),
        ROW("\xE7\x40\x1F" LATIN1 "\x02\0\0\xDE", "NVARCHAR(4000) '\xEF\xBF\xBD'"),
        ROW("\xE7\xFF\xFF" LATIN1 "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "NVARCHAR(MAX) NULL"),
        ROW("\xE7\xFF\xFF" LATIN1 "\0\0\0\0\0\0\0\0\0\0\0\0", "NVARCHAR(MAX) ''"),
        ROW("\xE7\xFF\xFF" LATIN1 "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02\0\0\0a\0\0\0\0\0", "NVARCHAR(MAX) 'a'"),
        /* The pieces may cut a character, and a byte pair. */
        ROW("\xE7\xFF\xFF" LATIN1 "\x04\0\0\0\0\0\0\0\x01\0\0\0\x3D\x01\0\0\0\xD8\x02\0\0\0\0\xDE\0\0\0\0", "NVARCHAR(MAX) '\xF0\x9F\x98\x80'"),
        ROW("\xA5\xFF\xFF\x02\0\0\0\0\0\0\0\x02\0\0\0\x01\x02\0\0\0\0", "VARBINARY(MAX) 0x0102"),
        ROW("\xAD\x03\0\x01\0\xAA", "BINARY(3) 0xAA0000"),
        ROW("\x63\xFF\xFF\xFF\x7F" LATIN1 "\x02\0\0\0a\0", "NVARCHAR(MAX) 'a'"),
        ROW("\x63\0\0\0\0" LATIN1 "\xFF\xFF\xFF\xFF", "NVARCHAR(MAX) NULL"),
        ROW("\x23\xFF\xFF\xFF\x7F" LATIN1 "\x01\0\0\0\x80", "VARCHAR(MAX) '\xE2\x82\xAC'"),
        ROW("\x22\xFF\xFF\xFF\x7F\x01\0\0\0\xAA", "VARBINARY(MAX) 0xAA"),
        ROW("\x27\x05\x02hi", "VARCHAR(5) 'hi'"),
        ROW("\x25\x05\x01\xAA", "VARBINARY(5) 0xAA"),
        ROW("\x29\x03\x04\xFF\xFF\xFF\x01", "TIME(3) '09:19:14.4310000'"),
        ROW("\x24\x10\0", "UNIQUEIDENTIFIER NULL"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reader r;
        struct wiretype type;
        struct value v;
        arena_init(&arena, 1 << 20);
        buf_reset(&text);
        buf_reset(&error);
        reader_init(&r, rows[i].wire, rows[i].len);
        if (wiretype_read_info(&r, &type, &error) != 0 || wiretype_read_value(&r, &type, &arena, &v, &error) != 0) {
            fail_msg("%s: %s", rows[i].shown, buf_text(&error));
        }
        assert_int_equal(reader_left(&r), 0);
        sqltype_write(&v.type, &text);
        buf_append_char(&text, ' ');
        client_show_value(&v, &text);
        assert_string_equal(buf_text(&text), rows[i].shown);
        arena_clear(&arena);
        /* What is cut short is refused, wherever the cut is. */
        for (size_t cut = 0; cut < rows[i].len; cut++) {
            arena_init(&arena, 1 << 20);
            reader_init(&r, rows[i].wire, cut);
            assert_true(wiretype_read_info(&r, &type, &error) != 0 || wiretype_read_value(&r, &type, &arena, &v, &error) != 0);
            arena_clear(&arena);
        }
    }
}

static void malformed_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        size_t len;
        const char *why;
    } rows[] = {
        ROW("\x99", "Data type 0x99 is unknown."),
        ROW("\x62\x08", "Data type 0x62 (sql_variant) is not supported."),
        ROW("\xF1\0", "Data type 0xF1 (xml) is not supported."),
        ROW("\x26\x03\x03\0\0\0", "Data type 0x26 (int) has an invalid data length or metadata length."),
        ROW("\x26\0\0", "Data type 0x26 (int) has an invalid data length or metadata length."),
        ROW("\x26\x04\x08\0\0\0\0\0\0\0\0", "The supplied value is not a valid instance of data type int."),
        ROW("\x6D\x08\x08\0\0\0\0\0\0\xF0\x7F", "The supplied value is not a valid instance of data type float."),
        ROW("\x6D\x04\x04\0\0\xC0\x7F", "The supplied value is not a valid instance of data type float."),
        ROW("\x6A\x05\0\0\0", "Data type 0x6A (decimal) has an invalid data length or metadata length."),
        ROW("\x6A\x11\x27\0\0", "Data type 0x6A (decimal) has an invalid data length or metadata length."),
        ROW("\x6A\x05\x05\x06\0", "Data type 0x6A (decimal) has an invalid data length or metadata length."),
        ROW("\x6A\x05\x01\0\x02\x01\x0A", "The supplied value is not a valid instance of data type decimal."),
        ROW("\x28\x03\xFF\xFF\xFF", "The supplied value is not a valid instance of data type date."),
        ROW("\x28\x02\0\0", "The supplied value is not a valid instance of data type date."),
        ROW("\x29\x08\0", "Data type 0x29 (time) has an invalid data length or metadata length."),
        ROW("\x29\0\x03\x80\x51\x01", "The supplied value is not a valid instance of data type time."),
        ROW("\x2B\0\x08\0\0\0\0\0\0\x49\x03", "The supplied value is not a valid instance of data type datetimeoffset."),
        ROW("\x3D\0\0\0\0\0\x82\x8B\x01", "The supplied value is not a valid instance of data type datetime."),
        ROW("\x3D\0\0\0\x80\0\0\0\0", "The supplied value is not a valid instance of data type datetime."),
        ROW("\xE7\x41\x1F" LATIN1 "\0\0", "Data type 0xE7 (nvarchar) has an invalid data length or metadata length."),
        ROW("\xEF\xFF\xFF" LATIN1 "\0\0", "Data type 0xEF (nchar) has an invalid data length or metadata length."),
        ROW("\xE7\x02\0" LATIN1 "\x04\0a\0b\0", "The supplied value is not a valid instance of data type nvarchar."),
        ROW("\xE7\x02\0" LATIN1 "\x01\0a", "The supplied value is not a valid instance of data type nvarchar."),
        ROW("\xE7\xFF\xFF" LATIN1 "\x04\0\0\0\0\0\0\0\x02\0\0\0a\0\0\0\0\0", "The supplied value is not a valid instance of data type nvarchar."),
        ROW("\x24\x10\x0F"
            "123456789012345",
            "The supplied value is not a valid instance of data type uniqueidentifier."),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reader r;
        struct wiretype type;
        struct value v;
        arena_init(&arena, 1 << 20);
        buf_reset(&error);
        reader_init(&r, rows[i].wire, rows[i].len);
        assert_true(wiretype_read_info(&r, &type, &error) != 0 || wiretype_read_value(&r, &type, &arena, &v, &error) != 0);
        assert_string_equal(buf_text(&error), rows[i].why);
        arena_clear(&arena);
    }
}

static void values_longer_than_their_type_are_cut_at_a_character(void **state)
{
    (void)state;
    static const struct {
        struct value value;
        const char *shown;
    } rows[] = {
        {{.type = {.kind = SQLTYPE_VARCHAR, .length = 4}, TEXT("ab\xE2\x82\xAC")}, "'ab'"},
        {{.type = {.kind = SQLTYPE_NVARCHAR, .length = 2}, TEXT("a\xF0\x9F\x98\x80")}, "'a'"},
        {{.type = {.kind = SQLTYPE_NVARCHAR, .length = 2}, TEXT("abc")}, "'ab'"},
        {{.type = {.kind = SQLTYPE_VARBINARY, .length = 1}, TEXT("\x01\x02")}, "0x01"},
    };
    const struct dialect d = {DIALECT_74, true};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reader r;
        struct wiretype type;
        struct value v;
        arena_init(&arena, 1 << 20);
        buf_reset(&bytes);
        buf_reset(&text);
        wiretype_describe(&d, &rows[i].value.type, COLLATION_CI, &type);
        wiretype_write_value(&type, &rows[i].value, &bytes);
        reader_init(&r, bytes.data, bytes.len);
        assert_int_equal(wiretype_read_value(&r, &type, &arena, &v, &error), 0);
        client_show_value(&v, &text);
        assert_string_equal(buf_text(&text), rows[i].shown);
        arena_clear(&arena);
    }
}

static void collations_are_told(void **state)
{
    (void)state;
    static const struct {
        struct dialect dialect;
        enum collation collation;
        const char *wire;
    } rows[] = {
        {{DIALECT_74, true}, COLLATION_CI, "\x09\x04\xD0\x24\0"},
        {{DIALECT_74, false}, COLLATION_CI, "\x09\x04\xD0\x20\0"},
        {{DIALECT_74, true}, COLLATION_CS, "\x09\x04\xC0\x24\0"},
        {{DIALECT_74, true}, COLLATION_BIN2, "\x09\x04\0\x26\0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned char wire[WIRETYPE_COLLATION_LEN];
        wiretype_collation(&rows[i].dialect, rows[i].collation, wire);
        assert_memory_equal(wire, rows[i].wire, sizeof wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_read_back),
        cmocka_unit_test(client_types_are_read),
        cmocka_unit_test(malformed_values_are_refused),
        cmocka_unit_test(values_longer_than_their_type_are_cut_at_a_character),
        cmocka_unit_test(collations_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
