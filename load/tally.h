/* How many rows of this load each shard has, by the answers that said so. Knows nothing about files or the network. */
#ifndef SHARDGATE_TALLY_H
#define SHARDGATE_TALLY_H

#include "load/answer.h"

#include <stddef.h>
#include <stdint.h>

#define TALLY_MAX_SHARDS 256 /* as many as a cluster may have */
#define TALLY_MAX_NAME 128

struct tally_shard {
    char worker[TALLY_MAX_NAME];
    char database[TALLY_MAX_NAME];
    uint64_t rows;
};

struct tally {
    uint64_t rows;
    size_t count;
    struct tally_shard shards[TALLY_MAX_SHARDS];
};

/* Names the shards in a zeroed tally by /metadata's answer. 0; -1 when that is none of Shardgate's. */
int tally_name(struct tally *t, const struct api_answer *metadata, const char *db) __attribute__((warn_unused_result));

/* Adds the rows that an answer says were written. Rows of a shard that nobody named count in the sum. */
void tally_add(struct tally *t, const struct answer *a);

#endif
