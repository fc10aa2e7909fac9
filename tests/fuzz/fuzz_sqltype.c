/* Column types and values: a definition that is accepted is written so that it is accepted again and means the same; a
 * value that is accepted has a canonical text that is accepted again and is the same; equal values have equal keys. */
#include "common/sqltype.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define OUTPUT_MAX (1 << 20)

static void check_column(const char *text, size_t len)
{
    struct sqltype_column column;
    struct sqltype_column again;
    struct buf once;
    struct buf twice;
    struct err e = ERR_INIT;

    if (sqltype_parse_column("c", text, len, &column, &e) < 0) {
        CHECK(e.code == ERR_BAD_TYPE);
        return;
    }
    buf_init(&once, OUTPUT_MAX);
    buf_init(&twice, OUTPUT_MAX);
    sqltype_column_write(&column, &once);
    CHECK(buf_status(&once) == 0);
    if (once.len <= SQLTYPE_MAX_COLUMN_BYTES) { /* a default is longer when written with all its digits */
        CHECK(sqltype_parse_column("c", buf_text(&once), once.len, &again, &e) == 0);
        sqltype_column_write(&again, &twice);
        CHECK(strcmp(buf_text(&once), buf_text(&twice)) == 0);
        sqltype_column_clear(&again);
    }
    sqltype_column_clear(&column);
    buf_clear(&once);
    buf_clear(&twice);
}

/* The value as a JSON string, read. Binaries are written as base64, as clients write them. */
static struct json_object *string_of(const struct sqltype *t, const struct sqlvalue *value)
{
    struct buf text;
    struct json_object *obj;
    struct err e = ERR_INIT;

    buf_init(&text, OUTPUT_MAX);
    buf_append_text(&text, "{\"v\":");
    if (sqltype_is_binary(t))
        json_write_base64(&text, buf_text(&value->text), value->text.len);
    else
        json_write_string(&text, buf_text(&value->text), value->text.len);
    buf_append_char(&text, '}');
    CHECK(json_read(buf_text(&text), text.len, &obj, &e) == 0);
    buf_clear(&text);
    return obj;
}

static void check_key(const struct sqltype *t, const struct json_object *v, const struct sqlvalue *value)
{
    struct buf from_value;
    struct buf from_text;
    struct err e = ERR_INIT;

    buf_init(&from_value, OUTPUT_MAX);
    buf_init(&from_text, OUTPUT_MAX);
    CHECK(sqltype_key_text(t, "k", v, &from_value, &e) == 0);
    CHECK(sqltype_key_from_text(t, buf_text(&value->text), value->text.len, true, &from_text));
    CHECK(from_value.len == from_text.len && memcmp(buf_text(&from_value), buf_text(&from_text), from_text.len) == 0);
    buf_clear(&from_value);
    buf_clear(&from_text);
}

static void check_value(const struct sqltype *t, const struct json_object *v)
{
    struct sqlvalue value;
    struct sqlvalue again;
    struct err e = ERR_INIT;

    sqlvalue_init(&value);
    sqlvalue_init(&again);
    if (sqltype_convert(t, "c", v, &value, &e) < 0) {
        CHECK(e.code == ERR_BAD_VALUE);
    } else if (!value.null) {
        struct json_object *obj = string_of(t, &value);
        struct json_object *text = NULL;
        CHECK(json_member(obj, "v", &text));
        CHECK(sqltype_convert(t, "c", text, &again, &e) == 0);
        CHECK(value.text.len == again.text.len &&
              memcmp(buf_text(&value.text), buf_text(&again.text), value.text.len) == 0);
        if (sqltype_can_shard(t))
            check_key(t, v, &value);
        json_free(obj);
    }
    sqlvalue_clear(&value);
    sqlvalue_clear(&again);
}

/* The input is a definition; or a JSON object whose members are values, each tried with every type. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {
        "TINYINT",    "SMALLINT",    "INT",         "BIGINT",        "BIT",        "DECIMAL(5,2)", "DECIMAL(38,0)",
        "NUMERIC(38,38)", "MONEY",   "FLOAT",       "REAL",          "CHAR(3)",    "VARCHAR(9)",   "NCHAR(3)",
        "NVARCHAR(9)", "NVARCHAR(MAX)", "TEXT",     "DATE",          "TIME(0)",    "TIME(7)",      "DATETIME",
        "DATETIME2(3)", "DATETIMEOFFSET(7)", "UNIQUEIDENTIFIER",     "BINARY(4)",  "VARBINARY(MAX)",
    };
    struct json_object *obj;
    struct err e = ERR_INIT;
    struct json_iter it = {0};
    const char *name;
    struct json_object *v;

    check_column((const char *)data, size);
    if (json_read((const char *)data, size, &obj, &e) < 0)
        return 0;
    while (json_next(obj, &it, &name, &v)) {
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
            struct sqltype t;
            CHECK(sqltype_parse(types[i], strlen(types[i]), &t));
            check_value(&t, v);
        }
    }
    json_free(obj);
    return 0;
}
