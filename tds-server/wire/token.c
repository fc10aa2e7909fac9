#include "tds-server/wire/token.h"

#include "tds-server/wire/wiretext.h"

#include <string.h>

enum {
    RETURNSTATUS = 0x79,
    COLMETADATA = 0x81,
    ERROR = 0xAA,
    INFO = 0xAB,
    RETURNVALUE = 0xAC,
    LOGINACK = 0xAD,
    FEATUREEXTACK = 0xAE,
    ROW = 0xD1,
    NBCROW = 0xD2,
    ENVCHANGE = 0xE3,
};

#define SEVERITY_ERROR     11
#define B_VARCHAR_MAX      255  /* units: the length is a byte */
#define MESSAGE_UNITS_MAX  4000 /* units of a message's text: the token's length is 16 bits */
#define FEATURE_UTF8       0x0A
#define FEATURE_END        0xFF
#define COLUMN_NULLABLE    0x01
#define COLUMN_UPDATABLE   0x08 /* "unknown" */
#define COLUMN_IDENTITY    0x10
#define RETURNVALUE_OUTPUT 0x01

/* --- scopes and strings --- */

static size_t open_token(unsigned char token, struct buf *out)
{
    buf_append_char(out, (char)token);
    buf_append_u16le(out, 0);
    return out->len;
}

static void close_token(size_t start, struct buf *out)
{
    if (buf_status(out) != 0) {
        return;
    }
    size_t len = out->len - start;
    out->data[start - 2] = (char)(unsigned char)len;
    out->data[start - 1] = (char)(unsigned char)(len >> 8);
}

/* Text behind its length in UTF-16 units, of `width` bytes. */
static void put_text(const char *text, size_t width, size_t max_units, struct buf *out)
{
    size_t start = out->len + width;
    buf_append_fill(out, 0, width);
    wiretext_append_utf16(out, text, strlen(text), max_units);
    if (buf_status(out) != 0) {
        return;
    }
    size_t units = (out->len - start) / 2;
    for (size_t i = 0; i < width; i++, units >>= 8) {
        out->data[start - width + i] = (char)(unsigned char)units;
    }
}

static void put_b_varchar(const char *text, struct buf *out)
{
    put_text(text, 1, B_VARCHAR_MAX, out);
}

static void put_u32be(uint32_t v, struct buf *out)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_append_char(out, (char)(unsigned char)(v >> shift));
    }
}

/* Numbers that grew from 16 to 32 bits with TDS 7.2. */
static void put_u16_or_u32(const struct dialect *d, uint32_t v, struct buf *out)
{
    if (d->version >= DIALECT_72) {
        buf_append_u32le(out, v);
    } else {
        buf_append_u16le(out, (uint16_t)v);
    }
}

/* --- login --- */

void token_write_loginack(const struct dialect *d, struct buf *out)
{
    static const uint32_t versions[] = {
        [DIALECT_71] = 0x71000001,  [DIALECT_72] = 0x72090002, [DIALECT_73A] = 0x730A0003,
        [DIALECT_73B] = 0x730B0003, [DIALECT_74] = 0x74000004,
    };
    static const unsigned char program_version[4] = {15, 0, 0x07, 0xD0}; /* 15.0.2000 */
    size_t start = open_token(LOGINACK, out);
    buf_append_char(out, 1); /* the interface: T-SQL */
    put_u32be(versions[d->version], out);
    put_b_varchar(TOKEN_PROGRAM_NAME, out);
    buf_append(out, program_version, sizeof program_version);
    close_token(start, out);
}

void token_write_featureextack(const struct dialect *d, struct buf *out)
{
    buf_append_char(out, (char)FEATUREEXTACK);
    if (d->utf8) {
        buf_append_char(out, FEATURE_UTF8);
        buf_append_u32le(out, 1);
        buf_append_char(out, 1);
    }
    buf_append_char(out, (char)FEATURE_END);
}

/* --- environment changes --- */

void token_write_envchange_text(enum token_envchange type, const char *to, const char *from, struct buf *out)
{
    size_t start = open_token(ENVCHANGE, out);
    buf_append_char(out, (char)type);
    put_b_varchar(to, out);
    put_b_varchar(from, out);
    close_token(start, out);
}

static void put_descriptor(uint64_t descriptor, struct buf *out)
{
    buf_append_char(out, descriptor == 0 ? 0 : 8);
    if (descriptor != 0) {
        buf_append_u64le(out, descriptor);
    }
}

void token_write_envchange_transaction(enum token_envchange type, uint64_t to, uint64_t from, struct buf *out)
{
    size_t start = open_token(ENVCHANGE, out);
    buf_append_char(out, (char)type);
    put_descriptor(to, out);
    put_descriptor(from, out);
    close_token(start, out);
}

void token_write_envchange_collation(const struct dialect *d, struct buf *out)
{
    unsigned char collation[WIRETYPE_COLLATION_LEN];
    wiretype_collation(d, COLLATION_CI, collation);
    size_t start = open_token(ENVCHANGE, out);
    buf_append_char(out, ENVCHANGE_COLLATION);
    buf_append_char(out, WIRETYPE_COLLATION_LEN);
    buf_append(out, collation, sizeof collation);
    buf_append_char(out, 0);
    close_token(start, out);
}

void token_write_envchange_reset(struct buf *out)
{
    token_write_envchange_transaction(ENVCHANGE_RESET, 0, 0, out); /* both values are empty */
}

/* --- messages --- */

void token_write_message(const struct dialect *d, const struct engine_message *m, struct buf *out)
{
    size_t start = open_token(m->severity >= SEVERITY_ERROR ? ERROR : INFO, out);
    buf_append_u32le(out, (uint32_t)m->number);
    buf_append_char(out, (char)m->state);
    buf_append_char(out, (char)m->severity);
    put_text(m->text, 2, MESSAGE_UNITS_MAX, out);
    put_b_varchar(TOKEN_SERVER_NAME, out);
    put_b_varchar("", out); /* the procedure */
    put_u16_or_u32(d, (uint32_t)m->line, out);
    close_token(start, out);
}

/* --- results --- */

void token_write_columns(const struct dialect *d, const struct engine_column *columns, size_t count,
                         struct wiretype *types, struct buf *out)
{
    buf_append_char(out, (char)COLMETADATA);
    buf_append_u16le(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        unsigned flags = COLUMN_UPDATABLE;
        flags |= columns[i].nullable ? COLUMN_NULLABLE : 0;
        flags |= columns[i].identity ? COLUMN_IDENTITY : 0;
        wiretype_describe(d, &columns[i].type, columns[i].collation, &types[i]);
        put_u16_or_u32(d, 0, out); /* the user type */
        buf_append_u16le(out, (uint16_t)flags);
        wiretype_write_info(&types[i], out);
        if (wiretype_is_lob(&types[i])) { /* the name of its table, which may be empty */
            if (d->version >= DIALECT_72) {
                buf_append_char(out, 1); /* in one part */
            }
            buf_append_u16le(out, 0);
        }
        put_b_varchar(columns[i].name, out);
    }
}

bool token_write_row_start(const struct dialect *d, const struct wiretype *types, const struct value *values,
                           size_t count, struct buf *out)
{
    size_t bitmap = (count + 7) / 8;
    size_t nulls = 0;
    if (d->version >= DIALECT_73B) {
        for (size_t i = 0; i < count; i++) {
            nulls += values[i].null ? wiretype_null_size(&types[i]) : 0;
        }
    }
    if (nulls <= bitmap) {
        buf_append_char(out, (char)ROW);
        return false;
    }
    buf_append_char(out, (char)NBCROW);
    for (size_t byte = 0; byte < bitmap; byte++) {
        unsigned bits = 0;
        for (size_t i = byte * 8; i < count && i < byte * 8 + 8; i++) {
            bits |= (values[i].null ? 1u : 0) << (i % 8);
        }
        buf_append_char(out, (char)bits);
    }
    return true;
}

void token_write_done(const struct dialect *d, enum token_done token, unsigned status, uint16_t command, uint64_t count,
                      struct buf *out)
{
    buf_append_char(out, (char)token);
    buf_append_u16le(out, (uint16_t)status);
    buf_append_u16le(out, command);
    if (d->version >= DIALECT_72) {
        buf_append_u64le(out, count);
    } else {
        buf_append_u32le(out, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
    }
}

void token_write_return_status(int32_t status, struct buf *out)
{
    buf_append_char(out, RETURNSTATUS);
    buf_append_u32le(out, (uint32_t)status);
}

void token_write_return_value(const struct dialect *d, uint16_t ordinal, const char *name, const struct value *v,
                              enum collation collation, struct buf *out)
{
    struct wiretype type;
    wiretype_describe(d, &v->type, collation, &type);
    buf_append_char(out, (char)RETURNVALUE);
    buf_append_u16le(out, ordinal);
    put_b_varchar(name, out);
    buf_append_char(out, RETURNVALUE_OUTPUT);
    put_u16_or_u32(d, 0, out); /* the user type */
    buf_append_u16le(out, COLUMN_NULLABLE);
    wiretype_write_info(&type, out);
    wiretype_write_value(&type, v, out);
}
