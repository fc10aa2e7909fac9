/* The rows of a stream that wait to be sent to one shard together: their text, one a line, and where in the stream each stood.
 *
 * Knows nothing about tables, shards or HTTP.
 */
#ifndef SHARDGATE_BATCH_H
#define SHARDGATE_BATCH_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_MAX_ROWS  4000               /* a batch with as many is full */
#define BATCH_MAX_BYTES ((size_t)1 << 20)  /* so is one with as many bytes; one row may have more */

struct batch_place {
    uint64_t line; /* counted from 1, blank ones too */
    uint64_t row;  /* counted from 0, without blank lines */
};

struct batch {
    struct buf text;
    struct batch_place *places; /* of each row */
    size_t rows;
    size_t room;
};

void batch_init(struct batch *b);
void batch_clear(struct batch *b); /* a zeroed struct is accepted */
void batch_reset(struct batch *b); /* empties it, keeps the memory */

/* Adds a row, a JSON object without line breaks. -1 when memory ran out. */
int batch_add(struct batch *b, const char *text, size_t len, struct batch_place place) __attribute__((warn_unused_result));

bool batch_is_full(const struct batch *b);

/* May a row of `len` bytes be added, if the batch is to have `max` bytes at most? */
bool batch_has_room(const struct batch *b, size_t len, size_t max);

/* A detail that names a row of the batch, "data[3]: …", is made to name its place in the stream, "line 8 (row 6): …"; any
 * other stays. */
void batch_rename(const struct batch *b, struct err *e);

#endif
