/* TYPE_INFO and values on the wire, both ways (MS-TDS 2.2.5.4 … 2.2.5.6, 2.2.5.2.3). One const table has a row a wire
 * type. Knows neither tokens nor requests.
 *
 * What a client is told of a column depends on the client: DATE, TIME, DATETIME2 and DATETIMEOFFSET are text before TDS
 * 7.3; (MAX) types are TEXT, NTEXT and IMAGE before 7.2; CHAR, VARCHAR and TEXT are their Unicode counterparts for clients
 * that cannot take UTF-8, so that nothing is lost.
 */
#ifndef SHARDGATE_TDS_WIRETYPE_H
#define SHARDGATE_TDS_WIRETYPE_H

#include "common/buf.h"
#include "common/arena.h"
#include "tds-server/wire/reader.h"
#include "tds-server/values/value.h"

#include <stdbool.h>
#include <stdint.h>

#define WIRETYPE_COLLATION_LEN 5

/* TDS versions, in order. */
enum dialect_version { DIALECT_71, DIALECT_72, DIALECT_73A, DIALECT_73B, DIALECT_74 };

/* What the two sides agreed on at login. */
struct dialect {
    enum dialect_version version;
    bool utf8; /* UTF8_SUPPORT was negotiated */
};

struct wiretype_codec;

/* A type as one TYPE_INFO tells it. */
struct wiretype {
    const struct wiretype_codec *codec;
    uint32_t size; /* the greatest length of a value, in bytes; WIRETYPE_SIZE_MAX for a (MAX) type, sent in pieces */
    uint8_t precision;
    uint8_t scale;
    unsigned char collation[WIRETYPE_COLLATION_LEN]; /* of strings */
    struct sqltype type;                             /* the same for the engine */
};
#define WIRETYPE_SIZE_MAX 0xFFFFu

/* How a column of this type is told to a client. */
void wiretype_describe(const struct dialect *d, const struct sqltype *type, enum collation collation,
                       struct wiretype *out);

/* TEXT, NTEXT and IMAGE: COLMETADATA has a table's name behind their TYPE_INFO, and a row a text pointer. */
bool wiretype_is_lob(const struct wiretype *w);
/* The bytes that a NULL takes in a row. */
size_t wiretype_null_size(const struct wiretype *w);

/* Appends TYPE_INFO. */
void wiretype_write_info(const struct wiretype *w, struct buf *out);
/* Appends a value of the type that `w` describes. A value longer than the type allows is cut. */
void wiretype_write_value(const struct wiretype *w, const struct value *v, struct buf *out);

/* Reads TYPE_INFO. 0, or -1: the type is unknown, not supported or malformed; `error` has the reason ("Data type 0x62
 * (sql_variant) is not supported"). */
int wiretype_read_info(struct reader *r, struct wiretype *out, struct buf *error) __attribute__((warn_unused_result));
/* Reads a value of type `w`. Its bytes live in `a` or in the message. 0, or -1 with the reason. */
int wiretype_read_value(struct reader *r, const struct wiretype *w, struct arena *a, struct value *out,
                        struct buf *error) __attribute__((warn_unused_result));

/* The five bytes of a collation as this client is to see it (MS-TDS 2.2.5.1.2): UTF-8 only for those that negotiated it. */
void wiretype_collation(const struct dialect *d, enum collation collation, unsigned char out[WIRETYPE_COLLATION_LEN]);

#endif
