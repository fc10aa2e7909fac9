#include "fcgi-master/keyset.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

struct keyset_entry {
    uint64_t hash;
    const char *key;
    size_t len;
};

void keyset_init(struct keyset *k, struct arena *arena, size_t max)
{
    *k = (struct keyset){.arena = arena, .max = max};
}

void keyset_clear(struct keyset *k)
{
    free(k->entries);
    free(k->slots);
    k->entries = NULL;
    k->slots = NULL;
    k->slot_count = k->count = 0;
}

/* FNV-1a of 64 bits, its upper half mixed into the lower, from which the slot is taken. */
static uint64_t hash_of(const unsigned char *key, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        h = (h ^ key[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

static void place(struct keyset *k, size_t index)
{
    size_t at = k->entries[index].hash & (k->slot_count - 1);
    while (k->slots[at] != 0)
        at = (at + 1) & (k->slot_count - 1);
    k->slots[at] = index + 1;
}

static int grow(struct keyset *k)
{
    size_t slots = k->slot_count == 0 ? FIRST_SLOTS : k->slot_count * 2;
    struct keyset_entry *entries = reallocarray(k->entries, slots / 2, sizeof *entries);
    if (entries == NULL)
        return -1;
    k->entries = entries;
    size_t *fresh = calloc(slots, sizeof *fresh);
    if (fresh == NULL)
        return -1;
    free(k->slots);
    k->slots = fresh;
    k->slot_count = slots;
    for (size_t i = 0; i < k->count; i++)
        place(k, i);
    return 0;
}

enum keyset_result keyset_add(struct keyset *k, const void *key, size_t len, size_t *index)
{
    uint64_t hash = hash_of(key, len);
    for (size_t at = hash; k->slot_count > 0; at++) {
        size_t slot = k->slots[at & (k->slot_count - 1)];
        if (slot == 0)
            break;
        const struct keyset_entry *found = &k->entries[slot - 1];
        if (found->hash == hash && found->len == len && memcmp(found->key, key, len) == 0) {
            *index = slot - 1;
            return KEYSET_OLD;
        }
    }
    if (k->count == k->max)
        return KEYSET_FULL;
    if (k->count == k->slot_count / 2 && grow(k) != 0)
        return KEYSET_NO_MEMORY;
    const char *copy = arena_copy(k->arena, key, len);
    if (copy == NULL)
        return KEYSET_NO_MEMORY;
    k->entries[k->count] = (struct keyset_entry){.hash = hash, .key = copy, .len = len};
    *index = k->count;
    place(k, k->count++);
    return KEYSET_NEW;
}
