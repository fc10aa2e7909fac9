#include "tests/fuzz/fuzz_value.h"

#include "common/utf8.h"
#include "tds-server/wire/wiretype.h"
#include "tests/fuzz/fuzz.h"

#define BYTES_MAX ((size_t)256 << 20)

void fuzz_check_text(const char *text, size_t len)
{
    CHECK(utf8_measure(text, len, NULL, NULL));
}

static void check_integer(const struct value *v)
{
    static const struct {
        int64_t low, high;
    } ranges[] = {
        [SQLTYPE_TINYINT] = {0, 255},
        [SQLTYPE_SMALLINT] = {INT16_MIN, INT16_MAX},
        [SQLTYPE_INT] = {INT32_MIN, INT32_MAX},
        [SQLTYPE_BIGINT] = {INT64_MIN, INT64_MAX},
        [SQLTYPE_BIT] = {0, 1},
    };
    CHECK(v->integer >= ranges[v->type.kind].low && v->integer <= ranges[v->type.kind].high);
}

static void check_decimal(const struct value *v)
{
    int128 limit = 1;
    if (v->type.kind == SQLTYPE_MONEY) {
        CHECK(v->decimal >= INT64_MIN && v->decimal <= INT64_MAX);
        return;
    }
    CHECK(v->type.precision >= 1 && v->type.precision <= SQLTYPE_MAX_PRECISION);
    CHECK(v->type.scale >= 0 && v->type.scale <= v->type.precision);
    for (int i = 0; i < v->type.precision; i++) {
        limit *= 10;
    }
    CHECK(v->decimal < limit && v->decimal > -limit);
}

static void check_bytes(const struct value *v, size_t growth)
{
    size_t units = v->bytes.len;
    CHECK(v->bytes.data != NULL || v->bytes.len == 0);
    if (sqltype_is_string(&v->type)) {
        CHECK(utf8_measure(v->bytes.data, v->bytes.len, sqltype_is_unicode(&v->type) ? &units : NULL, NULL));
    }
    CHECK(v->type.length == SQLTYPE_MAX || v->type.kind == SQLTYPE_TEXT || units <= (size_t)v->type.length * growth);
}

static void check_moment(const struct value *v)
{
    int32_t days;
    int64_t ticks;
    const char *text = v->bytes.data;
    switch (v->type.kind) {
    case SQLTYPE_DATE:
        CHECK(v->bytes.len == VALUE_DATE_LEN && value_days_from_text(text, &days));
        break;
    case SQLTYPE_TIME:
        CHECK(v->bytes.len == VALUE_TIME_LEN && value_ticks_from_text(text, &ticks));
        break;
    default:
        CHECK(v->bytes.len == (v->type.kind == SQLTYPE_DATETIMEOFFSET ? VALUE_DATETIMEOFFSET_LEN : VALUE_DATETIME_LEN));
        CHECK(value_days_from_text(text, &days) && value_ticks_from_text(text + VALUE_DATE_LEN + 1, &ticks));
    }
}

void fuzz_check_form(const struct value *v, size_t growth)
{
    const struct sqltype *t = &v->type;
    CHECK(t->kind < SQLTYPE_KINDS);
    if (v->null) {
        return;
    }
    if (sqltype_is_integer(t) || t->kind == SQLTYPE_BIT) {
        check_integer(v);
    } else if (sqltype_is_decimal(t)) {
        check_decimal(v);
    } else if (sqltype_is_float(t)) {
        CHECK(v->real == v->real && v->real - v->real == 0); /* neither NaN nor infinite */
    } else if (sqltype_is_string(t) || sqltype_is_binary(t)) {
        check_bytes(v, growth);
    } else if (t->kind == SQLTYPE_UNIQUEIDENTIFIER) {
        CHECK(v->bytes.len == VALUE_GUID_LEN);
    } else {
        check_moment(v);
    }
}

static void check_dialect(const struct dialect *d, const struct value *v)
{
    struct wiretype type;
    struct wiretype again;
    struct value copy;
    struct arena a;
    struct buf b;
    struct buf error;
    struct reader r;
    buf_init(&b, BYTES_MAX);
    buf_init(&error, 4096);
    arena_init(&a, BYTES_MAX);
    wiretype_describe(d, &v->type, COLLATION_CI, &type);
    wiretype_write_info(&type, &b);
    wiretype_write_value(&type, v, &b);
    CHECK(buf_status(&b) == 0);
    if (!wiretype_is_lob(&type)) { /* those have text pointers in rows, which clients do not send */
        reader_init(&r, buf_text(&b), b.len);
        CHECK(wiretype_read_info(&r, &again, &error) == 0);
        CHECK(wiretype_read_value(&r, &again, &a, &copy, &error) == 0);
        CHECK(reader_left(&r) == 0 && copy.null == v->null);
    }
    arena_clear(&a);
    buf_clear(&b);
    buf_clear(&error);
}

void fuzz_check_written(const struct value *v)
{
    static const struct dialect dialects[] = {{DIALECT_74, true}, {DIALECT_74, false}, {DIALECT_72, false}, {DIALECT_71, false}};
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
        check_dialect(&dialects[i], v);
    }
}
