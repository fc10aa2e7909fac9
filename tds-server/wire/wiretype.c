#include "tds-server/wire/wiretype.h"

#include "tds-server/wire/wirecodec.h"

#include <assert.h>
#include <string.h>

#define STRING_BYTES_MAX 8000

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
static void describe_bytes(const struct dialect *d, struct wiretype *out, uint8_t token, uint8_t max_token,
                           uint8_t lob_token, uint32_t bytes)
{
    if (bytes > STRING_BYTES_MAX || wirecodec_is_unlimited(out)) {
        out->type.length = SQLTYPE_MAX;
        bool pieces = d->version >= DIALECT_72;
        out->codec = wirecodec_find(pieces ? max_token : lob_token);
        out->size = pieces ? WIRETYPE_SIZE_MAX : INT32_MAX;
        return;
    }
    out->codec = wirecodec_find(token);
    out->size = bytes == 0 ? 2 : bytes; /* '' has a type of length 1, as in SQL Server */
}

static void describe_string(const struct dialect *d, struct wiretype *out)
{
    bool fixed = out->type.kind == SQLTYPE_CHAR || out->type.kind == SQLTYPE_NCHAR;
    if (out->type.kind == SQLTYPE_TEXT) {
        out->type.length = SQLTYPE_MAX;
    }
    uint32_t length = wirecodec_is_unlimited(out) ? 0 : (uint32_t)out->type.length;
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
    out->codec = wirecodec_find(known ? token : TOKEN_NVARCHAR);
    out->size = known ? 0 : text_len * 2;
}

void wiretype_describe(const struct dialect *d, const struct sqltype *type, enum collation collation,
                       struct wiretype *out)
{
    static const struct {
        uint8_t token;
        uint8_t size;
    } plain[SQLTYPE_KINDS] = {
        [SQLTYPE_TINYINT] = {TOKEN_INTN, 1},      [SQLTYPE_SMALLINT] = {TOKEN_INTN, 2},
        [SQLTYPE_INT] = {TOKEN_INTN, 4},          [SQLTYPE_BIGINT] = {TOKEN_INTN, 8},
        [SQLTYPE_BIT] = {TOKEN_BIT, 1},           [SQLTYPE_MONEY] = {TOKEN_MONEY, 8},
        [SQLTYPE_FLOAT] = {TOKEN_FLOAT, 8},       [SQLTYPE_REAL] = {TOKEN_FLOAT, 4},
        [SQLTYPE_DATETIME] = {TOKEN_DATETIME, 8}, [SQLTYPE_UNIQUEIDENTIFIER] = {TOKEN_GUID, VALUE_GUID_LEN},
    };
    *out = (struct wiretype){.type = *type};
    wiretype_collation(d, collation, out->collation);
    switch (type->kind) {
    case SQLTYPE_DECIMAL:
    case SQLTYPE_NUMERIC:
        out->codec = wirecodec_find(type->kind == SQLTYPE_DECIMAL ? TOKEN_DECIMAL : TOKEN_NUMERIC);
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
        describe_bytes(d, out, type->kind == SQLTYPE_BINARY ? TOKEN_BINARY : TOKEN_VARBINARY, TOKEN_VARBINARY,
                       TOKEN_IMAGE, wirecodec_is_unlimited(out) ? 0 : (uint32_t)type->length);
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
        out->codec = wirecodec_find(plain[type->kind].token);
        out->size = sqltype_is_small(type) ? 4 : plain[type->kind].size;
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
    buf_append_char(out, (char)w->codec->token);
    switch (w->codec->form) {
    case FORM_BYTE:
        buf_append_char(out, (char)w->size);
        break;
    case FORM_DECIMAL:
        buf_append_char(out, (char)w->size);
        buf_append_char(out, (char)w->precision);
        buf_append_char(out, (char)w->scale);
        break;
    case FORM_TIME:
        buf_append_char(out, (char)w->scale);
        break;
    case FORM_SHORT:
        buf_append_u16le(out, (uint16_t)w->size);
        break;
    case FORM_LONG:
        buf_append_u32le(out, w->size);
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
        buf_append_u64le(out, UINT64_MAX - 1);
        start = open_length(out, 4);
        w->codec->write(w, v, out);
        if (buf_status(out) == 0 && out->len == start) {
            return; /* the empty piece is that end */
        }
        close_length(out, start, 4);
        buf_append_u32le(out, 0);
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
        t.kind = w->size == 1   ? SQLTYPE_TINYINT
                 : w->size == 2 ? SQLTYPE_SMALLINT
                 : w->size == 4 ? SQLTYPE_INT
                                : SQLTYPE_BIGINT;
    } else if (t.kind == SQLTYPE_FLOAT && w->size == 4) {
        t.kind = SQLTYPE_REAL;
    } else if (t.kind == SQLTYPE_MONEY) {
        t.precision = w->size == 4 ? SQLTYPE_SMALLMONEY_PRECISION : 19;
        t.scale = 4;
    } else if (t.kind == SQLTYPE_DATETIME) {
        t.precision = w->size == 4 ? SQLTYPE_SMALLDATETIME_PRECISION : 0;
        t.scale = w->size == 4 ? 0 : 3;
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
    const struct wiretype_codec *c = wirecodec_find(token);
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
        fits = out->size <= 17 && out->precision >= 1 && out->precision <= SQLTYPE_MAX_PRECISION &&
               out->scale <= out->precision;
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
static const unsigned char *read_bytes(struct reader *r, const struct wiretype *w, struct arena *a, size_t *len,
                                       bool *null)
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

int wiretype_read_value(struct reader *r, const struct wiretype *w, struct arena *a, struct value *out,
                        struct buf *error)
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
