/* A set of byte strings, numbered in the order in which they came. Knows nothing about what they mean. */
#ifndef SHARDGATE_KEYSET_H
#define SHARDGATE_KEYSET_H

#include "common/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyset_entry;

struct keyset {
    struct arena *arena; /* where the keys are copied to; borrowed */
    struct keyset_entry *entries;
    size_t *slots; /* index + 1 of an entry, 0 for none; a power of two of them, at most half of them used */
    size_t slot_count;
    size_t count;
    size_t max;
};

enum keyset_result { KEYSET_OLD, KEYSET_NEW, KEYSET_FULL, KEYSET_NO_MEMORY };

/* An empty set of at most `max` keys. */
void keyset_init(struct keyset *k, struct arena *arena, size_t max);
void keyset_clear(struct keyset *k);

/* Adds a key unless it is there; *index becomes its number. */
enum keyset_result keyset_add(struct keyset *k, const void *key, size_t len, size_t *index)
    __attribute__((warn_unused_result));

#endif
