/* The rows of an /insert of an array: each is checked and routed, and each shard gets a body of its own with its rows.
 *
 * Knows the table's description and the router, and nothing about calls and answers. Nothing has been sent when a row turns out
 * to be bad, however many shards the others go to.
 */
#ifndef SHARDGATE_SPREAD_H
#define SHARDGATE_SPREAD_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "fcgi-master/shardset.h"
#include "fcgi-master/table.h"

#include <stddef.h>

struct spread {
    size_t *row_shards; /* of each row */
    size_t rows;
    struct buf *bodies; /* one a shard; NULL when all rows go to one, for which the client's own body will do */
    size_t shards;
};

/* Names, as in the body. */
struct spread_target {
    const char *db, *table;
    const struct json_object *shard_key; /* NULL for none */
};

/* Spreads the array `data` over `shards` shards; those that get rows are added to *set. The error of a bad row begins with
 * "data[3]: ". The caller calls spread_clear, also after a failure; a zeroed struct is accepted. */
int spread_rows(struct spread *sp, const struct table *t, const struct spread_target *target, const struct json_object *data,
                size_t shards, struct shardset *set, struct err *e) __attribute__((warn_unused_result));
void spread_clear(struct spread *sp);

/* The body for a shard; NULL where the client's own will do. */
const struct buf *spread_body(const struct spread *sp, size_t shard);

/* The place in the client's array of the row that is the shard's `index`-th, counted from 0; sp->rows when there is none. */
size_t spread_place(const struct spread *sp, size_t shard, size_t index);

#endif
