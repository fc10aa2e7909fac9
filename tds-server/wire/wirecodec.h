/* The bytes of values, a row a wire type in one const table. Known to wiretype.c alone, which deals with what stands around
 * them: TYPE_INFO, lengths, NULL, pieces. */
#ifndef SHARDGATE_TDS_WIRECODEC_H
#define SHARDGATE_TDS_WIRECODEC_H

#include "tds-server/wire/wiretype.h"

/* How TYPE_INFO tells the size and a value its length. */
enum wirecodec_form {
    FORM_NONE,    /* SSVARIANT and the like: known by name, not supported */
    FORM_FIXED,   /* no size, no length */
    FORM_BYTE,    /* u8 size, u8 length, 0 is NULL */
    FORM_DECIMAL, /* u8 size, precision, scale; u8 length, 0 is NULL */
    FORM_DATE,    /* no size; u8 length, 0 is NULL */
    FORM_TIME,    /* scale; u8 length, 0 is NULL */
    FORM_SHORT,   /* u16 size, u16 length, 0xFFFF is NULL; size 0xFFFF: in pieces */
    FORM_LONG,    /* u32 size, u32 length, 0xFFFFFFFF is NULL; in rows behind a text pointer */
};

/* From `len` bytes: 0, or -1 when they make no value (or memory ran out). */
typedef int wirecodec_read_fn(const struct wiretype *w, const unsigned char *p, size_t len, struct arena *a,
                              struct value *out);
/* Appends the bytes alone, without their length. */
typedef void wirecodec_write_fn(const struct wiretype *w, const struct value *v, struct buf *out);

struct wiretype_codec {
    uint8_t token;
    enum sqltype_kind kind; /* the integers and FLOAT: any of them, their size tells which */
    enum wirecodec_form form;
    uint8_t size; /* FORM_FIXED: of a value */
    bool collated;
    uint8_t sizes[4]; /* FORM_BYTE: the lengths that there are; all zero: any */
    const char *name;
    wirecodec_read_fn *read;
    wirecodec_write_fn *write; /* NULL when only clients send the type */
};

/* The types that are written. */
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

/* The codec of a type's byte; NULL when there is none. */
const struct wiretype_codec *wirecodec_find(uint8_t token);

/* A (MAX) type or a LOB. */
static inline bool wirecodec_is_unlimited(const struct wiretype *w)
{
    return w->type.length == SQLTYPE_MAX;
}

#endif
