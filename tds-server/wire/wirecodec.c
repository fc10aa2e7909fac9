#include "tds-server/wire/wirecodec.h"

#include "tds-server/wire/wiretext.h"

#include <string.h>

#define DAYS_TO_1900           693595 /* from 0001-01-01 */
#define DAYS_MAX               3652058
#define TICKS_PER_DAY          INT64_C(864000000000)
#define DATETIME_UNITS_PER_DAY (300 * 86400)
#define TICKS_PER_MINUTE       INT64_C(600000000)
#define OFFSET_MAX             840 /* minutes */

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
    unsigned char bytes[8];
    for (size_t i = 0; i < len; i++, v >>= 8) {
        bytes[i] = (unsigned char)v;
    }
    buf_append(out, bytes, len);
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
static int read_decimal(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a,
                        struct value *out)
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
    uint64_t money = (uint64_t)(int64_t)v->decimal;
    if (w->size == 4) {
        put_uint(out, money & 0xFFFFFFFF, 4);
        return;
    }
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

static int read_datetime(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a,
                         struct value *out)
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
    int32_t days;
    int64_t ticks;
    int32_t units;
    split_datetime(v, &days, &ticks);
    if (w->size == 4) {
        put_uint(out, (uint32_t)(days - DAYS_TO_1900), 2);
        put_uint(out, (uint32_t)(ticks / TICKS_PER_MINUTE), 2);
        return;
    }
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

static int read_datetime2(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a,
                          struct value *out)
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
static int read_datetimeoffset(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a,
                               struct value *out)
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

#define MEASURE_FROM 256 /* bytes: shorter text gets the memory that it may need, and is decoded once */
#define GROWTH_MAX   3   /* bytes of UTF-8 for one of any encoding */

static int take_text(struct value *out, const unsigned char *p, size_t len, struct arena *a, decode_fn *decode)
{
    bool bytes = out->type.kind == SQLTYPE_CHAR;
    bool units = out->type.kind == SQLTYPE_NCHAR;
    size_t length = bytes || units ? (size_t)out->type.length : 0; /* CHAR and NCHAR values are as long as their type */
    size_t room = len < MEASURE_FROM ? len * GROWTH_MAX : decode(p, len, NULL);
    char *text = arena_alloc(a, room + length + 1);
    if (text == NULL) {
        return -1;
    }
    size_t made = decode(p, len, text);
    size_t counted = units ? len / 2 : made;
    if (counted < length) {
        memset(text + made, ' ', length - counted);
        made += length - counted;
    }
    text[made] = '\0';
    out->bytes.data = text;
    out->bytes.len = made;
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

static void write_char(const struct wiretype *w, const struct value *v, struct buf *out)
{
    size_t len = wirecodec_is_unlimited(w) ? v->bytes.len : wiretext_cut(v->bytes.data, v->bytes.len, w->size);
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
    wiretext_append_utf16(out, data, len, wirecodec_is_unlimited(w) ? SIZE_MAX / 4 : w->size / 2);
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
    size_t len = wirecodec_is_unlimited(w) || v->bytes.len < w->size ? v->bytes.len : w->size;
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
    {0x2B, SQLTYPE_DATETIMEOFFSET, FORM_TIME, 0, false, {0}, "datetimeoffset", read_datetimeoffset,
     write_datetimeoffset},
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

const struct wiretype_codec *wirecodec_find(uint8_t token)
{
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (codecs[i].token == token) {
            return &codecs[i];
        }
    }
    return NULL;
}
