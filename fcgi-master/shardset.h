/* A set of shards, as bits. Knows nothing about what is asked of them. */
#ifndef SHARDGATE_SHARDSET_H
#define SHARDGATE_SHARDSET_H

#include "common/cluster.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARDSET_WORDS ((CLUSTER_MAX_WORKERS + 63) / 64)

struct shardset {
    uint64_t words[SHARDSET_WORDS];
};

static inline struct shardset shardset_none(void)
{
    return (struct shardset){{0}};
}

static inline void shardset_add(struct shardset *s, size_t shard)
{
    s->words[shard / 64] |= UINT64_C(1) << (shard % 64);
}

static inline bool shardset_has(const struct shardset *s, size_t shard)
{
    return (s->words[shard / 64] >> (shard % 64) & 1) != 0;
}

static inline struct shardset shardset_one(size_t shard)
{
    struct shardset s = shardset_none();
    shardset_add(&s, shard);
    return s;
}

/* The shards 0 … count - 1. */
static inline struct shardset shardset_all(size_t count)
{
    struct shardset s = shardset_none();
    for (size_t i = 0; i < count; i++)
        shardset_add(&s, i);
    return s;
}

static inline struct shardset shardset_union(struct shardset a, struct shardset b)
{
    for (size_t i = 0; i < SHARDSET_WORDS; i++)
        a.words[i] |= b.words[i];
    return a;
}

static inline struct shardset shardset_intersection(struct shardset a, struct shardset b)
{
    for (size_t i = 0; i < SHARDSET_WORDS; i++)
        a.words[i] &= b.words[i];
    return a;
}

static inline size_t shardset_count(const struct shardset *s)
{
    size_t n = 0;
    for (size_t i = 0; i < SHARDSET_WORDS; i++)
        n += (size_t)__builtin_popcountll(s->words[i]);
    return n;
}

#endif
