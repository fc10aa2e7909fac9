/* Cursors: the place where a page of /select ended, as a token that clients give back as `after`.
 *
 *     token = base64url( version 1 | shard 2 | repeats 4 | query 16 | place 16 | values … | seal 32 )
 *
 * `values` is the raw JSON array of what the page's last row has in the columns of its order, so that every value keeps its
 * type and digits. `query` is a digest of what the client asked, `place` one of the table's description and the shards:
 * a token is good for the same question to the same table and shards only. `seal` is the HMAC-SHA-256 of all before it, by
 * a key made from the workers' token: no client can make a token, and every master of the cluster reads those of the
 * others, without keeping any.
 *
 * Knows nothing about plans, rows or HTTP. The home of OpenSSL's HMAC in the master.
 */
#ifndef SHARDGATE_CURSOR_H
#define SHARDGATE_CURSOR_H

#include "common/buf.h"
#include "common/cluster.h"
#include "common/err.h"
#include "common/json.h"

#include <stddef.h>
#include <stdint.h>

#define CURSOR_MAX_TOKEN ((size_t)8 << 20) /* bytes of a token; a row with longer values in its order has none */
#define CURSOR_DIGEST 16                   /* bytes */

/* The row that a page ended with. */
struct cursor {
    size_t shard;      /* where it is */
    size_t repeats;    /* of a table without a key: how many rows of that shard like it, itself included, the pages have had */
    struct buf values; /* raw JSON, an array; empty: no row, the pages begin */
};

void cursor_init(struct cursor *c);
void cursor_clear(struct cursor *c); /* a zeroed struct is accepted */

/* What tokens are made for, and by whom. */
struct cursor_seal {
    const char *token; /* the workers'; borrowed */
    unsigned char query[CURSOR_DIGEST];
    unsigned char place[CURSOR_DIGEST];
};

/* Takes the digests of a /select's body (all members that shape the rows, so without limit, offset, after and
 * allow_partial), of the tag of the table's description and of the cluster's shards. `token` is borrowed. */
int cursor_seal_make(struct cursor_seal *seal, const char *token, const struct json_object *body, const char *tag,
                     const struct cluster *cluster, struct err *e) __attribute__((warn_unused_result));

/* Appends the token. ERR_BAD_FIELD when it would be too long, or has more than UINT32_MAX repeats. */
int cursor_write(const struct cursor_seal *seal, const struct cursor *c, struct buf *out, struct err *e)
    __attribute__((warn_unused_result));

/* Reads a token into an initialised *out. ERR_BAD_FIELD that names `after` for any that cursor_write() did not make with
 * the same seal; how long the comparison takes tells nothing. */
int cursor_read(const struct cursor_seal *seal, const char *token, size_t len, struct cursor *out, struct err *e)
    __attribute__((warn_unused_result));

#endif
