#include "tds-server/wiretype.h"

#include "tds-server/wiretext.h"

#include <assert.h>
#include <string.h>

/* How TYPE_INFO tells the size and a value its length. */
enum form {
    FORM_NONE,    /* SSVARIANT and the like: known by name, not supported */
    FORM_FIXED,   /* no size, no length */
    FORM_BYTE,    /* u8 size, u8 length, 0 is NULL */
    FORM_DECIMAL, /* u8 size, precision, scale; u8 length, 0 is NULL */
    FORM_DATE,    /* no size; u8 length, 0 is NULL */
    FORM_TIME,    /* scale; u8 length, 0 is NULL */
    FORM_SHORT,   /* u16 size, u16 length, 0xFFFF is NULL; size 0xFFFF: in pieces */
    FORM_LONG,    /* u32 size, u32 length, 0xFFFFFFFF is NULL; in rows behind a text pointer */
};

typedef int read_fn(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out);
typedef void write_fn(const struct wiretype *w, const struct value *v, struct buf *out);

struct wiretype_codec {
    uint8_t token;
    enum sqltype_kind kind; /* the integers and FLOAT: any of them, their size tells which */
    enum form form;
    uint8_t size; /* FORM_FIXED: of a value */
    bool collated;
    uint8_t sizes[4]; /* FORM_BYTE: the lengths that there are; all zero: any */
    const char *name;
    read_fn *read;   /* from `len` bytes: 0, or -1 when they make no value */
    write_fn *write; /* the bytes alone, without their length */
};

#define DAYS_TO_1900           693595 /* from 0001-01-01 */
#define DAYS_MAX               3652058
#define TICKS_PER_DAY          INT64_C(864000000000)
#define DATETIME_UNITS_PER_DAY (300 * 86400)
#define TICKS_PER_MINUTE       INT64_C(600000000)
#define OFFSET_MAX             840 /* minutes */
#define STRING_BYTES_MAX       8000

static const int64_t pow10_of[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

/* --- little-endian integers of any width --- */

static uint64_t get_uint(const unsigned char *p, size_t len)
{
    uint64_t v = 0;
    while (len > 0) {
        v = v << 8 | p[--len];
    }
    return v;
}

static void put_uint(struct buf *out, uint64_t v, size_t len)
{
    for (; len > 0; len--, v >>= 8) {
        buf_append_char(out, (char)(unsigned char)v);
    }
}

/* --- numbers --- */

static int read_int(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    (void)a;
    uint64_t v = get_uint(p, len);
    switch (len) {
    case 1: /* TINYINT alone has no sign */
        out->integer = (int64_t)v;
        break;
    case 2:
        out->integer = (int16_t)v;
        break;
    case 4:
        out->integer = (int32_t)v;
        break;
    default:
        out->integer = (int64_t)v;
    }
    return 0;
}

static void write_int(const struct wiretype *w, const struct value *v, struct buf *out)
{
    put_uint(out, (uint64_t)v->integer, w->size);
}

static int read_bit(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    (void)len;
    (void)a;
    out->integer = p[0] != 0;
    return 0;
}

static void write_bit(const struct wiretype *w, const struct value *v, struct buf *out)
{
    (void)w;
    buf_append_char(out, v->integer != 0);
}

static int read_float(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    (void)a;
    if (len == 4) {
        uint32_t bits = (uint32_t)get_uint(p, 4);
        float single;
        memcpy(&single, &bits, sizeof single);
        out->real = (double)single;
    } else {
        uint64_t bits = get_uint(p, 8);
        memcpy(&out->real, &bits, sizeof out->real);
    }
    /* NaN and the infinities have an all-ones exponent. No FLOAT column holds one. */
    uint64_t bits;
    memcpy(&bits, &out->real, sizeof bits);
    return (bits >> 52 & 0x7FF) == 0x7FF ? -1 : 0;
}

static void write_float(const struct wiretype *w, const struct value *v, struct buf *out)
{
    if (w->size == 4) {
        float single = (float)v->real;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        put_uint(out, bits, 4);
    } else {
        uint64_t bits;
        memcpy(&bits, &v->real, sizeof bits);
        put_uint(out, bits, 8);
    }
}

static uint128 decimal_limit(int precision)
{
    uint128 limit = 1;
    for (int i = 0; i < precision; i++) {
        limit *= 10;
    }
    return limit;
}

/* A sign (1 is positive), then the magnitude, in as few bytes as the client likes. */
static int read_decimal(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)a;
    if (len > 17) {
        return -1;
    }
    uint128 v = 0;
    for (size_t i = len; i > 1; i--) {
        v = v << 8 | p[i - 1];
    }
    if (v >= decimal_limit(w->precision)) {
        return -1;
    }
    out->decimal = p[0] != 0 ? (int128)v : -(int128)v;
    return 0;
}

static void write_decimal(const struct wiretype *w, const struct value *v, struct buf *out)
{
    uint128 magnitude = v->decimal < 0 ? -(uint128)v->decimal : (uint128)v->decimal;
    buf_append_char(out, v->decimal >= 0);
    for (uint32_t i = 1; i < w->size; i++, magnitude >>= 8) {
        buf_append_char(out, (char)(unsigned char)(magnitude & 0xFF));
    }
}

/* Eight bytes: the high half first, each little-endian. Four: SMALLMONEY. */
static int read_money(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    (void)a;
    if (len == 4) {
        out->decimal = (int32_t)get_uint(p, 4);
    } else {
        out->decimal = (int64_t)(get_uint(p, 4) << 32 | get_uint(p + 4, 4));
    }
    return 0;
}

static void write_money(const struct wiretype *w, const struct value *v, struct buf *out)
{
    (void)w;
    uint64_t money = (uint64_t)(int64_t)v->decimal;
    put_uint(out, money >> 32, 4);
    put_uint(out, money & 0xFFFFFFFF, 4);
}

/* --- dates and times --- */

/* "2026-11-22 13:05:00.1234567" in memory that lives as long as the request. */
static int take_datetime(struct arena *a, int64_t days, int64_t ticks, struct value *out)
{
    if (days < 0 || days > DAYS_MAX || ticks < 0 || ticks >= TICKS_PER_DAY) {
        return -1;
    }
    char *text = arena_alloc(a, VALUE_DATETIMEOFFSET_LEN);
    if (text == NULL) {
        return -1;
    }
    value_days_to_text((int32_t)days, text);
    text[VALUE_DATE_LEN] = ' ';
    value_ticks_to_text(ticks, text + VALUE_DATE_LEN + 1);
    out->bytes.data = text;
    out->bytes.len = VALUE_DATETIME_LEN;
    return 0;
}

/* The engine's text back into numbers; zeros for what only a bug of ours could write there. */
static void split_datetime(const struct value *v, int32_t *days, int64_t *ticks)
{
    *days = 0;
    *ticks = 0;
    if (v->bytes.len < VALUE_DATETIME_LEN || !value_days_from_text(v->bytes.data, days)) {
        return;
    }
    if (!value_ticks_from_text(v->bytes.data + VALUE_DATE_LEN + 1, ticks)) {
        *ticks = 0;
    }
}

/* DATETIME counts 1/300 s. A time in between goes to the nearer; the last half unit of a day goes to the next day, if there
 * is one. */
static void datetime_units(int64_t ticks, int32_t *days, int32_t *units)
{
    int64_t nearest = (ticks * 3 + 50000) / 100000;
    if (nearest == DATETIME_UNITS_PER_DAY) {
        bool last_day = *days == DAYS_MAX;
        *days += !last_day;
        nearest = last_day ? nearest - 1 : 0;
    }
    *units = (int32_t)nearest;
}

/* As SQL Server shows a unit: .000, .003, .007, the nearest millisecond. */
static int64_t ticks_from_units(uint32_t units)
{
    int64_t milliseconds = ((int64_t)units * 10 + 1) / 3;
    return milliseconds * 10000;
}

static int read_datetime(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    if (len == 4) { /* SMALLDATETIME: days, minutes */
        uint32_t minutes = (uint32_t)get_uint(p + 2, 2);
        return take_datetime(a, DAYS_TO_1900 + (int64_t)get_uint(p, 2), minutes * TICKS_PER_MINUTE, out);
    }
    int32_t days = (int32_t)(uint32_t)get_uint(p, 4);
    uint32_t units = (uint32_t)get_uint(p + 4, 4);
    if (units >= DATETIME_UNITS_PER_DAY) {
        return -1;
    }
    return take_datetime(a, DAYS_TO_1900 + (int64_t)days, ticks_from_units(units), out);
}

static void write_datetime(const struct wiretype *w, const struct value *v, struct buf *out)
{
    (void)w;
    int32_t days;
    int64_t ticks;
    int32_t units;
    split_datetime(v, &days, &ticks);
    datetime_units(ticks, &days, &units);
    put_uint(out, (uint32_t)(days - DAYS_TO_1900), 4);
    put_uint(out, (uint32_t)units, 4);
}

static int read_date(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    if (len != 3 || take_datetime(a, (int64_t)get_uint(p, 3), 0, out) != 0) {
        return -1;
    }
    out->bytes.len = VALUE_DATE_LEN;
    return 0;
}

static void write_date(const struct wiretype *w, const struct value *v, struct buf *out)
{
    (void)w;
    int32_t days = 0;
    if (v->bytes.len < VALUE_DATE_LEN || !value_days_from_text(v->bytes.data, &days)) {
        days = 0;
    }
    put_uint(out, (uint32_t)days, 3);
}

/* Bytes of a time of this scale. */
static size_t time_size(int scale)
{
    if (scale <= 2) {
        return 3;
    }
    return scale <= 4 ? 4 : 5;
}

static int64_t read_ticks(const unsigned char *p, size_t size, int scale)
{
    uint64_t v = get_uint(p, size);
    uint64_t factor = (uint64_t)pow10_of[7 - scale];
    return v < (uint64_t)TICKS_PER_DAY / factor ? (int64_t)(v * factor) : -1;
}

static void write_ticks(struct buf *out, int64_t ticks, int scale)
{
    put_uint(out, (uint64_t)(ticks / pow10_of[7 - scale]), time_size(scale));
}

static int read_time(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    if (len != time_size(w->scale) || take_datetime(a, 0, read_ticks(p, len, w->scale), out) != 0) {
        return -1;
    }
    out->bytes.data += VALUE_DATE_LEN + 1;
    out->bytes.len = VALUE_TIME_LEN;
    return 0;
}

static void write_time(const struct wiretype *w, const struct value *v, struct buf *out)
{
    int64_t ticks = 0;
    if (v->bytes.len < VALUE_TIME_LEN || !value_ticks_from_text(v->bytes.data, &ticks)) {
        ticks = 0;
    }
    write_ticks(out, ticks, w->scale);
}

static int read_datetime2(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    size_t size = time_size(w->scale);
    if (len != size + 3) {
        return -1;
    }
    return take_datetime(a, (int64_t)get_uint(p + size, 3), read_ticks(p, size, w->scale), out);
}

static void write_datetime2(const struct wiretype *w, const struct value *v, struct buf *out)
{
    int32_t days;
    int64_t ticks;
    split_datetime(v, &days, &ticks);
    write_ticks(out, ticks, w->scale);
    put_uint(out, (uint32_t)days, 3);
}

/* The instant in UTC, then the offset in minutes: the order of our own form too. */
static int read_datetimeoffset(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    size_t size = time_size(w->scale);
    if (len != size + 5 || take_datetime(a, (int64_t)get_uint(p + size, 3), read_ticks(p, size, w->scale), out) != 0) {
        return -1;
    }
    int offset = (int16_t)get_uint(p + size + 3, 2);
    if (offset < -OFFSET_MAX || offset > OFFSET_MAX) {
        return -1;
    }
    char *text = (char *)(uintptr_t)out->bytes.data + VALUE_DATETIME_LEN; /* our own memory, made larger for this */
    int minutes = offset < 0 ? -offset : offset;
    text[0] = ' ';
    text[1] = offset < 0 ? '-' : '+';
    text[2] = (char)('0' + minutes / 60 / 10);
    text[3] = (char)('0' + minutes / 60 % 10);
    text[4] = ':';
    text[5] = (char)('0' + minutes % 60 / 10);
    text[6] = (char)('0' + minutes % 60 % 10);
    out->bytes.len = VALUE_DATETIMEOFFSET_LEN;
    return 0;
}

/* Minutes of the offset behind a DATETIMEOFFSET's instant. */
static int offset_minutes(const struct value *v)
{
    if (v->bytes.len < VALUE_DATETIMEOFFSET_LEN) {
        return 0;
    }
    const char *text = v->bytes.data + VALUE_DATETIME_LEN + 1;
    int minutes = ((text[1] - '0') * 10 + (text[2] - '0')) * 60 + (text[4] - '0') * 10 + (text[5] - '0');
    return text[0] == '-' ? -minutes : minutes;
}

static void write_datetimeoffset(const struct wiretype *w, const struct value *v, struct buf *out)
{
    write_datetime2(w, v, out);
    put_uint(out, (uint16_t)offset_minutes(v), 2);
}

/* A date or time as text, for clients whose version has no type for it; returns its length. */
static size_t temporal_text(const struct value *v, char text[VALUE_DATETIMEOFFSET_LEN])
{
    int scale = v->type.scale;
    size_t fraction_cut = scale == 0 ? 8 : (size_t)(7 - scale); /* without fraction the point goes too */
    size_t len = v->bytes.len < VALUE_DATETIMEOFFSET_LEN ? v->bytes.len : VALUE_DATETIMEOFFSET_LEN;
    memcpy(text, v->bytes.data, len);
    switch (v->type.kind) {
    case SQLTYPE_TIME:
    case SQLTYPE_DATETIME2:
        return len > fraction_cut ? len - fraction_cut : len;
    case SQLTYPE_DATETIMEOFFSET: {
        int32_t days;
        int64_t ticks;
        split_datetime(v, &days, &ticks);
        ticks += offset_minutes(v) * TICKS_PER_MINUTE; /* people read the local time */
        days += ticks < 0 ? -1 : ticks >= TICKS_PER_DAY;
        ticks = (ticks + TICKS_PER_DAY) % TICKS_PER_DAY;
        if (len == VALUE_DATETIMEOFFSET_LEN && days >= 0 && days <= DAYS_MAX) {
            value_days_to_text(days, text);
            value_ticks_to_text(ticks, text + VALUE_DATE_LEN + 1);
            memmove(text + VALUE_DATETIME_LEN - fraction_cut, text + VALUE_DATETIME_LEN, len - VALUE_DATETIME_LEN);
            len -= fraction_cut;
        }
        return len;
    }
    default:
        return len;
    }
}

/* --- strings and binaries --- */

typedef size_t decode_fn(const unsigned char *in, size_t len, char *out);

static int take_text(struct value *out, const unsigned char *p, size_t len, struct arena *a, decode_fn *decode)
{
    size_t need = decode(p, len, NULL);
    size_t padded = need;
    /* CHAR and NCHAR values are as long as their type. */
    if (out->type.kind == SQLTYPE_CHAR && padded < (size_t)out->type.length) {
        padded = (size_t)out->type.length;
    }
    if (out->type.kind == SQLTYPE_NCHAR && len / 2 < (size_t)out->type.length) {
        padded += (size_t)out->type.length - len / 2;
    }
    char *text = arena_alloc(a, padded + 1);
    if (text == NULL) {
        return -1;
    }
    decode(p, len, text);
    memset(text + need, ' ', padded - need);
    text[padded] = '\0';
    out->bytes.data = text;
    out->bytes.len = padded;
    return 0;
}

static bool collation_is_utf8(const unsigned char collation[WIRETYPE_COLLATION_LEN])
{
    return (collation[3] & 0x04) != 0;
}

static int read_char(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    return take_text(out, p, len, a, collation_is_utf8(w->collation) ? wiretext_from_utf8 : wiretext_from_windows1252);
}

static int read_nchar(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    return len % 2 != 0 ? -1 : take_text(out, p, len, a, wiretext_from_utf16);
}

static bool is_unlimited(const struct wiretype *w)
{
    return w->type.length == SQLTYPE_MAX;
}

static void write_char(const struct wiretype *w, const struct value *v, struct buf *out)
{
    size_t len = is_unlimited(w) ? v->bytes.len : wiretext_cut(v->bytes.data, v->bytes.len, w->size);
    buf_append(out, v->bytes.data, len);
}

static void write_nchar(const struct wiretype *w, const struct value *v, struct buf *out)
{
    char text[VALUE_DATETIMEOFFSET_LEN];
    const char *data = v->bytes.data;
    size_t len = v->bytes.len;
    if (!sqltype_is_string(&v->type)) {
        len = temporal_text(v, text);
        data = text;
    }
    wiretext_append_utf16(out, data, len, is_unlimited(w) ? SIZE_MAX / 4 : w->size / 2);
}

static int read_binary(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    size_t padded = out->type.kind == SQLTYPE_BINARY && len < (size_t)out->type.length ? (size_t)out->type.length : len;
    out->bytes.data = (const char *)p;
    out->bytes.len = len;
    if (padded > len) {
        char *data = arena_alloc(a, padded);
        if (data == NULL) {
            return -1;
        }
        memcpy(data, p, len);
        memset(data + len, 0, padded - len);
        out->bytes.data = data;
        out->bytes.len = padded;
    }
    return 0;
}

static void write_binary(const struct wiretype *w, const struct value *v, struct buf *out)
{
    size_t len = is_unlimited(w) || v->bytes.len < w->size ? v->bytes.len : w->size;
    buf_append(out, v->bytes.data, len);
}

static int read_guid(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    unsigned char *ordered = arena_alloc(a, VALUE_GUID_LEN);
    if (len != VALUE_GUID_LEN || ordered == NULL) {
        return -1;
    }
    value_guid_from_wire(p, ordered);
    out->bytes.data = (const char *)ordered;
    out->bytes.len = VALUE_GUID_LEN;
    return 0;
}

static void write_guid(const struct wiretype *w, const struct value *v, struct buf *out)
{
    (void)w;
    unsigned char wire[VALUE_GUID_LEN] = {0};
    if (v->bytes.len == VALUE_GUID_LEN) {
        value_guid_to_wire((const unsigned char *)v->bytes.data, wire);
    }
    buf_append(out, wire, sizeof wire);
}

static int read_null(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a, struct value *out)
{
    (void)w;
    (void)p;
    (void)len;
    (void)a;
    out->null = true;
    return 0;
}

/* --- the table --- */

static const struct wiretype_codec codecs[] = {
    {0x26, SQLTYPE_INT, FORM_BYTE, 0, false, {1, 2, 4, 8}, "int", read_int, write_int},
    {0x68, SQLTYPE_BIT, FORM_BYTE, 0, false, {1}, "bit", read_bit, write_bit},
    {0x6D, SQLTYPE_FLOAT, FORM_BYTE, 0, false, {4, 8}, "float", read_float, write_float},
    {0x6E, SQLTYPE_MONEY, FORM_BYTE, 0, false, {4, 8}, "money", read_money, write_money},
    {0x6F, SQLTYPE_DATETIME, FORM_BYTE, 0, false, {4, 8}, "datetime", read_datetime, write_datetime},
    {0x24, SQLTYPE_UNIQUEIDENTIFIER, FORM_BYTE, 0, false, {16}, "uniqueidentifier", read_guid, write_guid},
    {0x6A, SQLTYPE_DECIMAL, FORM_DECIMAL, 0, false, {0}, "decimal", read_decimal, write_decimal},
    {0x6C, SQLTYPE_NUMERIC, FORM_DECIMAL, 0, false, {0}, "numeric", read_decimal, write_decimal},
    {0x28, SQLTYPE_DATE, FORM_DATE, 0, false, {0}, "date", read_date, write_date},
    {0x29, SQLTYPE_TIME, FORM_TIME, 0, false, {0}, "time", read_time, write_time},
    {0x2A, SQLTYPE_DATETIME2, FORM_TIME, 0, false, {0}, "datetime2", read_datetime2, write_datetime2},
    {0x2B, SQLTYPE_DATETIMEOFFSET, FORM_TIME, 0, false, {0}, "datetimeoffset", read_datetimeoffset, write_datetimeoffset},
    {0xE7, SQLTYPE_NVARCHAR, FORM_SHORT, 0, true, {0}, "nvarchar", read_nchar, write_nchar},
    {0xEF, SQLTYPE_NCHAR, FORM_SHORT, 0, true, {0}, "nchar", read_nchar, write_nchar},
    {0xA7, SQLTYPE_VARCHAR, FORM_SHORT, 0, true, {0}, "varchar", read_char, write_char},
    {0xAF, SQLTYPE_CHAR, FORM_SHORT, 0, true, {0}, "char", read_char, write_char},
    {0xA5, SQLTYPE_VARBINARY, FORM_SHORT, 0, false, {0}, "varbinary", read_binary, write_binary},
    {0xAD, SQLTYPE_BINARY, FORM_SHORT, 0, false, {0}, "binary", read_binary, write_binary},
    {0x63, SQLTYPE_NVARCHAR, FORM_LONG, 0, true, {0}, "ntext", read_nchar, write_nchar},
    {0x23, SQLTYPE_VARCHAR, FORM_LONG, 0, true, {0}, "text", read_char, write_char},
    {0x22, SQLTYPE_VARBINARY, FORM_LONG, 0, false, {0}, "image", read_binary, write_binary},
    /* Only clients send the rest. */
    {0x1F, SQLTYPE_INT, FORM_FIXED, 0, false, {0}, "null", read_null, NULL},
    {0x30, SQLTYPE_INT, FORM_FIXED, 1, false, {0}, "tinyint", read_int, NULL},
    {0x32, SQLTYPE_BIT, FORM_FIXED, 1, false, {0}, "bit", read_bit, NULL},
    {0x34, SQLTYPE_INT, FORM_FIXED, 2, false, {0}, "smallint", read_int, NULL},
    {0x38, SQLTYPE_INT, FORM_FIXED, 4, false, {0}, "int", read_int, NULL},
    {0x7F, SQLTYPE_INT, FORM_FIXED, 8, false, {0}, "bigint", read_int, NULL},
    {0x3B, SQLTYPE_FLOAT, FORM_FIXED, 4, false, {0}, "real", read_float, NULL},
    {0x3E, SQLTYPE_FLOAT, FORM_FIXED, 8, false, {0}, "float", read_float, NULL},
    {0x7A, SQLTYPE_MONEY, FORM_FIXED, 4, false, {0}, "smallmoney", read_money, NULL},
    {0x3C, SQLTYPE_MONEY, FORM_FIXED, 8, false, {0}, "money", read_money, NULL},
    {0x3A, SQLTYPE_DATETIME, FORM_FIXED, 4, false, {0}, "smalldatetime", read_datetime, NULL},
    {0x3D, SQLTYPE_DATETIME, FORM_FIXED, 8, false, {0}, "datetime", read_datetime, NULL},
    {0x37, SQLTYPE_DECIMAL, FORM_DECIMAL, 0, false, {0}, "decimal", read_decimal, NULL},
    {0x3F, SQLTYPE_NUMERIC, FORM_DECIMAL, 0, false, {0}, "numeric", read_decimal, NULL},
    {0x27, SQLTYPE_VARCHAR, FORM_BYTE, 0, false, {0}, "varchar", read_char, NULL},
    {0x2F, SQLTYPE_CHAR, FORM_BYTE, 0, false, {0}, "char", read_char, NULL},
    {0x25, SQLTYPE_VARBINARY, FORM_BYTE, 0, false, {0}, "varbinary", read_binary, NULL},
    {0x2D, SQLTYPE_BINARY, FORM_BYTE, 0, false, {0}, "binary", read_binary, NULL},
    {0x62, SQLTYPE_KINDS, FORM_NONE, 0, false, {0}, "sql_variant", NULL, NULL},
    {0xF0, SQLTYPE_KINDS, FORM_NONE, 0, false, {0}, "CLR type", NULL, NULL},
    {0xF1, SQLTYPE_KINDS, FORM_NONE, 0, false, {0}, "xml", NULL, NULL},
    {0xF3, SQLTYPE_KINDS, FORM_NONE, 0, false, {0}, "table-valued parameter", NULL, NULL},
    {0xF4, SQLTYPE_KINDS, FORM_NONE, 0, false, {0}, "json", NULL, NULL},
    {0xF5, SQLTYPE_KINDS, FORM_NONE, 0, false, {0}, "vector", NULL, NULL},
};

enum {
    TOKEN_GUID = 0x24,
    TOKEN_IMAGE = 0x22,
    TOKEN_TEXT = 0x23,
    TOKEN_INTN = 0x26,
    TOKEN_DATE = 0x28,
    TOKEN_TIME = 0x29,
    TOKEN_DATETIME2 = 0x2A,
    TOKEN_DATETIMEOFFSET = 0x2B,
    TOKEN_NTEXT = 0x63,
    TOKEN_BIT = 0x68,
    TOKEN_DECIMAL = 0x6A,
    TOKEN_NUMERIC = 0x6C,
    TOKEN_FLOAT = 0x6D,
    TOKEN_MONEY = 0x6E,
    TOKEN_DATETIME = 0x6F,
    TOKEN_VARBINARY = 0xA5,
    TOKEN_VARCHAR = 0xA7,
    TOKEN_BINARY = 0xAD,
    TOKEN_CHAR = 0xAF,
    TOKEN_NVARCHAR = 0xE7,
    TOKEN_NCHAR = 0xEF,
};

static const struct wiretype_codec *find_codec(uint8_t token)
{
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (codecs[i].token == token) {
            return &codecs[i];
        }
    }
    return NULL;
}

/* --- what a client is told --- */

void wiretype_collation(const struct dialect *d, enum collation collation, unsigned char out[WIRETYPE_COLLATION_LEN])
{
    /* 20 bits of LCID (0x409, en-US), then flags (ignore case 1, accent 2, kana 4, width 8, binary 16, by code point 32,
     * UTF-8 64) and 4 bits of version (2: the "_100_" collations); no sort id. All little-endian. */
    static const unsigned char flags[COLLATIONS] = {
        [COLLATION_CI] = 0x0D,
        [COLLATION_CS] = 0x0C,
        [COLLATION_BIN2] = 0x20,
    };
    unsigned f = flags[collation] | (d->utf8 ? 0x40u : 0);
    out[0] = 0x09;
    out[1] = 0x04;
    out[2] = (unsigned char)((f & 0x0F) << 4);
    out[3] = (unsigned char)(f >> 4 | 2u << 4);
    out[4] = 0;
}

static uint32_t decimal_size(int precision)
{
    if (precision <= 9) {
        return 5;
    }
    if (precision <= 19) {
        return 9;
    }
    return precision <= 28 ? 13 : 17;
}

/* Describes a string or binary of `bytes` bytes (0: any length) by the short token, or as a (MAX) type. */
static void describe_bytes(const struct dialect *d, struct wiretype *out, uint8_t token, uint8_t max_token, uint8_t lob_token, uint32_t bytes)
{
    if (bytes > STRING_BYTES_MAX || is_unlimited(out)) {
        out->type.length = SQLTYPE_MAX;
        bool pieces = d->version >= DIALECT_72;
        out->codec = find_codec(pieces ? max_token : lob_token);
        out->size = pieces ? WIRETYPE_SIZE_MAX : INT32_MAX;
        return;
    }
    out->codec = find_codec(token);
    out->size = bytes == 0 ? 2 : bytes; /* '' has a type of length 1, as in SQL Server */
}

static void describe_string(const struct dialect *d, struct wiretype *out)
{
    bool fixed = out->type.kind == SQLTYPE_CHAR || out->type.kind == SQLTYPE_NCHAR;
    if (out->type.kind == SQLTYPE_TEXT) {
        out->type.length = SQLTYPE_MAX;
    }
    uint32_t length = is_unlimited(out) ? 0 : (uint32_t)out->type.length;
    if (d->utf8 && !sqltype_is_unicode(&out->type)) {
        describe_bytes(d, out, fixed ? TOKEN_CHAR : TOKEN_VARCHAR, TOKEN_VARCHAR, TOKEN_TEXT, length);
    } else { /* n bytes of UTF-8 are at most n units */
        describe_bytes(d, out, fixed ? TOKEN_NCHAR : TOKEN_NVARCHAR, TOKEN_NVARCHAR, TOKEN_NTEXT, length * 2);
    }
}

/* Types that TDS 7.3 brought, with the length of their text for clients before. */
static void describe_temporal(const struct dialect *d, struct wiretype *out, uint8_t token, uint32_t text_len)
{
    bool known = d->version >= DIALECT_73A;
    out->codec = find_codec(known ? token : TOKEN_NVARCHAR);
    out->size = known ? 0 : text_len * 2;
}

void wiretype_describe(const struct dialect *d, const struct sqltype *type, enum collation collation, struct wiretype *out)
{
    static const struct {
        uint8_t token;
        uint8_t size;
    } plain[SQLTYPE_KINDS] = {
        [SQLTYPE_TINYINT] = {TOKEN_INTN, 1},
        [SQLTYPE_SMALLINT] = {TOKEN_INTN, 2},
        [SQLTYPE_INT] = {TOKEN_INTN, 4},
        [SQLTYPE_BIGINT] = {TOKEN_INTN, 8},
        [SQLTYPE_BIT] = {TOKEN_BIT, 1},
        [SQLTYPE_MONEY] = {TOKEN_MONEY, 8},
        [SQLTYPE_FLOAT] = {TOKEN_FLOAT, 8},
        [SQLTYPE_REAL] = {TOKEN_FLOAT, 4},
        [SQLTYPE_DATETIME] = {TOKEN_DATETIME, 8},
        [SQLTYPE_UNIQUEIDENTIFIER] = {TOKEN_GUID, VALUE_GUID_LEN},
    };
    *out = (struct wiretype){.type = *type};
    wiretype_collation(d, collation, out->collation);
    switch (type->kind) {
    case SQLTYPE_DECIMAL:
    case SQLTYPE_NUMERIC:
        out->codec = find_codec(type->kind == SQLTYPE_DECIMAL ? TOKEN_DECIMAL : TOKEN_NUMERIC);
        out->size = decimal_size(type->precision);
        out->precision = (uint8_t)type->precision;
        out->scale = (uint8_t)type->scale;
        break;
    case SQLTYPE_CHAR:
    case SQLTYPE_VARCHAR:
    case SQLTYPE_NCHAR:
    case SQLTYPE_NVARCHAR:
    case SQLTYPE_TEXT:
        describe_string(d, out);
        break;
    case SQLTYPE_BINARY:
    case SQLTYPE_VARBINARY:
        describe_bytes(d, out, type->kind == SQLTYPE_BINARY ? TOKEN_BINARY : TOKEN_VARBINARY, TOKEN_VARBINARY, TOKEN_IMAGE,
                       is_unlimited(out) ? 0 : (uint32_t)type->length);
        break;
    case SQLTYPE_DATE:
        describe_temporal(d, out, TOKEN_DATE, VALUE_DATE_LEN);
        break;
    case SQLTYPE_TIME:
    case SQLTYPE_DATETIME2:
    case SQLTYPE_DATETIMEOFFSET: {
        static const uint8_t tokens[SQLTYPE_KINDS] = {[SQLTYPE_TIME] = TOKEN_TIME,
                                                      [SQLTYPE_DATETIME2] = TOKEN_DATETIME2,
                                                      [SQLTYPE_DATETIMEOFFSET] = TOKEN_DATETIMEOFFSET};
        static const uint8_t lengths[SQLTYPE_KINDS] = {[SQLTYPE_TIME] = VALUE_TIME_LEN,
                                                       [SQLTYPE_DATETIME2] = VALUE_DATETIME_LEN,
                                                       [SQLTYPE_DATETIMEOFFSET] = VALUE_DATETIMEOFFSET_LEN};
        out->scale = (uint8_t)type->scale;
        describe_temporal(d, out, tokens[type->kind], lengths[type->kind]);
        break;
    }
    default:
        out->codec = find_codec(plain[type->kind].token);
        out->size = plain[type->kind].size;
    }
    assert(out->codec != NULL && out->codec->write != NULL);
}

/* --- writing --- */

static bool in_pieces(const struct wiretype *w)
{
    return w->codec->form == FORM_SHORT && w->size == WIRETYPE_SIZE_MAX;
}

bool wiretype_is_lob(const struct wiretype *w)
{
    return w->codec->form == FORM_LONG;
}

size_t wiretype_null_size(const struct wiretype *w)
{
    if (in_pieces(w)) {
        return 8;
    }
    return w->codec->form == FORM_SHORT ? 2 : 1;
}

void wiretype_write_info(const struct wiretype *w, struct buf *out)
{
    put_uint(out, w->codec->token, 1);
    switch (w->codec->form) {
    case FORM_BYTE:
        put_uint(out, w->size, 1);
        break;
    case FORM_DECIMAL:
        put_uint(out, w->size, 1);
        put_uint(out, w->precision, 1);
        put_uint(out, w->scale, 1);
        break;
    case FORM_TIME:
        put_uint(out, w->scale, 1);
        break;
    case FORM_SHORT:
        put_uint(out, w->size, 2);
        break;
    case FORM_LONG:
        put_uint(out, w->size, 4);
        break;
    case FORM_NONE:
    case FORM_FIXED:
    case FORM_DATE:
        break;
    }
    if (w->codec->collated) {
        buf_append(out, w->collation, sizeof w->collation);
    }
}

static void write_null(const struct wiretype *w, struct buf *out)
{
    /* A text pointer of length 0 is what NULL is for TEXT. */
    bool ones = in_pieces(w) || w->codec->form == FORM_SHORT;
    buf_append_fill(out, ones ? (char)0xFF : 0, wiretype_null_size(w));
}

/* Appends a length of `width` bytes to be filled in when what follows is written; returns where it stands. */
static size_t open_length(struct buf *out, size_t width)
{
    buf_append_fill(out, 0, width);
    return out->len;
}

static void close_length(struct buf *out, size_t start, size_t width)
{
    if (buf_status(out) != 0) {
        return;
    }
    uint64_t len = out->len - start;
    for (size_t i = 0; i < width; i++, len >>= 8) {
        out->data[start - width + i] = (char)(unsigned char)len;
    }
}

void wiretype_write_value(const struct wiretype *w, const struct value *v, struct buf *out)
{
    if (v->null) {
        write_null(w, out);
        return;
    }
    size_t start;
    if (in_pieces(w)) { /* the total is not told; one piece, then the empty one that ends them */
        put_uint(out, UINT64_MAX - 1, 8);
        start = open_length(out, 4);
        w->codec->write(w, v, out);
        if (buf_status(out) == 0 && out->len == start) {
            return; /* the empty piece is that end */
        }
        close_length(out, start, 4);
        put_uint(out, 0, 4);
        return;
    }
    size_t width = 1;
    if (w->codec->form == FORM_SHORT) {
        width = 2;
    }
    if (w->codec->form == FORM_LONG) {
        static const char pointer[] = "\x10shardgate-no-ptr\0\0\0\0\0\0\0\0"; /* 16 bytes, and a time stamp of 8 */
        buf_append(out, pointer, sizeof pointer - 1);
        width = 4;
    }
    start = open_length(out, width);
    w->codec->write(w, v, out);
    close_length(out, start, width);
}

/* --- reading --- */

static bool size_is_known(const struct wiretype_codec *c, size_t size)
{
    if (c->sizes[0] == 0) {
        return true;
    }
    return size != 0 && memchr(c->sizes, (int)size, sizeof c->sizes) != NULL;
}

/* The engine's type for a TYPE_INFO that was read. */
static struct sqltype engine_type(const struct wiretype *w)
{
    struct sqltype t = {.kind = w->codec->kind, .precision = w->precision, .scale = w->scale};
    if (t.kind == SQLTYPE_INT && w->size != 0) {
        t.kind = w->size == 1 ? SQLTYPE_TINYINT : w->size == 2 ? SQLTYPE_SMALLINT
                                              : w->size == 4   ? SQLTYPE_INT
                                                               : SQLTYPE_BIGINT;
    } else if (t.kind == SQLTYPE_FLOAT && w->size == 4) {
        t.kind = SQLTYPE_REAL;
    } else if (t.kind == SQLTYPE_MONEY) {
        t.precision = 19;
        t.scale = 4;
    } else if (t.kind == SQLTYPE_DATETIME) {
        t.scale = 3;
    } else if (sqltype_is_string(&t) || sqltype_is_binary(&t)) {
        if (w->codec->form == FORM_LONG || in_pieces(w)) {
            t.length = SQLTYPE_MAX;
        } else {
            t.length = (int)(sqltype_is_unicode(&t) ? w->size / 2 : w->size);
        }
        if (t.length == 0) {
            t.length = 1;
        }
    }
    return t;
}

static bool has_fixed_length(enum sqltype_kind kind)
{
    return kind == SQLTYPE_CHAR || kind == SQLTYPE_NCHAR || kind == SQLTYPE_BINARY;
}

int wiretype_read_info(struct reader *r, struct wiretype *out, struct buf *error)
{
    *out = (struct wiretype){0};
    uint8_t token = reader_u8(r);
    const struct wiretype_codec *c = find_codec(token);
    if (r->failed) {
        buf_append_text(error, "The stream ended unexpectedly.");
        return -1;
    }
    if (c == NULL) {
        buf_printf(error, "Data type 0x%02X is unknown.", token);
        return -1;
    }
    if (c->form == FORM_NONE) {
        buf_printf(error, "Data type 0x%02X (%s) is not supported.", token, c->name);
        return -1;
    }
    out->codec = c;
    bool fits = true;
    switch (c->form) {
    case FORM_FIXED:
        out->size = c->size;
        break;
    case FORM_BYTE:
        out->size = reader_u8(r);
        fits = size_is_known(c, out->size);
        break;
    case FORM_DECIMAL:
        out->size = reader_u8(r);
        out->precision = reader_u8(r);
        out->scale = reader_u8(r);
        fits = out->size <= 17 && out->precision >= 1 && out->precision <= SQLTYPE_MAX_PRECISION && out->scale <= out->precision;
        break;
    case FORM_TIME:
        out->scale = reader_u8(r);
        fits = out->scale <= SQLTYPE_MAX_SCALE_TIME;
        break;
    case FORM_SHORT:
        out->size = reader_u16le(r);
        fits = out->size <= STRING_BYTES_MAX || (out->size == WIRETYPE_SIZE_MAX && !has_fixed_length(c->kind));
        break;
    case FORM_LONG:
        out->size = reader_u32le(r);
        break;
    case FORM_DATE:
    case FORM_NONE:
        break;
    }
    if (c->collated) {
        const unsigned char *p = reader_bytes(r, WIRETYPE_COLLATION_LEN);
        if (p != NULL) {
            memcpy(out->collation, p, WIRETYPE_COLLATION_LEN);
        }
    }
    if (r->failed || !fits) {
        buf_printf(error, "Data type 0x%02X (%s) has an invalid data length or metadata length.", token, c->name);
        return -1;
    }
    out->type = engine_type(out);
    return 0;
}

/* The pieces of a (MAX) value as one run of bytes: where they are when there is one piece, else in `a`. NULL when
 * malformed. A NULL value sets *null. */
static const unsigned char *read_pieces(struct reader *r, struct arena *a, size_t *len, bool *null)
{
    uint64_t told = reader_u64le(r);
    *len = 0;
    *null = told == UINT64_MAX;
    if (*null || r->failed) {
        return reader_bytes(r, 0);
    }

    /* Once for the sum and the check that all pieces are there, once for the bytes. */
    struct reader ahead = *r;
    size_t total = 0;
    size_t pieces = 0;
    for (;;) {
        uint32_t piece = reader_u32le(&ahead);
        if (reader_bytes(&ahead, piece) == NULL) {
            return NULL;
        }
        if (piece == 0) {
            break;
        }
        total += piece;
        pieces++;
    }
    if (told != UINT64_MAX - 1 && told != total) {
        return NULL;
    }
    *len = total;
    if (pieces <= 1) {
        uint32_t piece = reader_u32le(r);
        const unsigned char *p = reader_bytes(r, piece);
        if (piece != 0) {
            reader_u32le(r);
        }
        return p;
    }
    unsigned char *joined = arena_alloc(a, total);
    if (joined == NULL) {
        return NULL;
    }
    size_t at = 0;
    for (uint32_t piece; (piece = reader_u32le(r)) != 0; at += piece) {
        memcpy(joined + at, reader_bytes(r, piece), piece);
    }
    return joined;
}

/* Finds the bytes of a value by its type's form. NULL when malformed. */
static const unsigned char *read_bytes(struct reader *r, const struct wiretype *w, struct arena *a, size_t *len, bool *null)
{
    *null = false;
    if (in_pieces(w)) {
        return read_pieces(r, a, len, null);
    }
    switch (w->codec->form) {
    case FORM_FIXED:
        *len = w->size;
        break;
    case FORM_SHORT:
        *len = reader_u16le(r);
        *null = *len == 0xFFFF;
        break;
    case FORM_LONG:
        *len = reader_u32le(r);
        *null = *len == 0xFFFFFFFF;
        break;
    default:
        *len = reader_u8(r);
        *null = *len == 0;
    }
    if (*null) {
        *len = 0;
    }
    return reader_bytes(r, *len);
}

int wiretype_read_value(struct reader *r, const struct wiretype *w, struct arena *a, struct value *out, struct buf *error)
{
    *out = (struct value){.type = w->type};
    size_t len = 0;
    const unsigned char *p = read_bytes(r, w, a, &len, &out->null);
    bool fits = p != NULL && !r->failed;
    if (fits && !out->null) {
        bool limited = w->codec->form == FORM_BYTE || (w->codec->form == FORM_SHORT && !in_pieces(w));
        fits = (!limited || len <= w->size) && (w->codec->form != FORM_BYTE || size_is_known(w->codec, len)) &&
               w->codec->read(w, p, len, a, out) == 0;
    }
    if (!fits) {
        buf_printf(error, "The supplied value is not a valid instance of data type %s.", w->codec->name);
        return -1;
    }
    return 0;
}
