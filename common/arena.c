#include "common/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a block: the first is small, since most arenas hold little, and each next one as large as all before. A request
 * that is larger gets a block of its own. */
#define BLOCK_MIN 1024
#define BLOCK_MAX 16384

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_clear(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    a->used = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = a->blocks;
    if (kept == NULL || kept->size > BLOCK_MAX) {
        arena_clear(a);
        return;
    }
    a->blocks = kept->next;
    arena_clear(a);
    kept->next = NULL;
    kept->used = 0;
    a->blocks = kept;
    a->used = sizeof(*kept) + kept->size;
}

static struct arena_block *add_block(struct arena *a, size_t size)
{
    size_t room = a->max - a->used;
    if (room < sizeof(struct arena_block) || size > room - sizeof(struct arena_block))
        return NULL;
    struct arena_block *block = malloc(sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    block->used = 0;
    block->size = size;
    block->next = a->blocks;
    a->blocks = block;
    a->used += sizeof(*block) + size;
    return block;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > a->max)
        return NULL;
    size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct arena_block *block = a->blocks;
    if (block == NULL || size > block->size - block->used) {
        size_t usual = a->used < BLOCK_MIN ? BLOCK_MIN : a->used < BLOCK_MAX ? a->used : BLOCK_MAX;
        block = add_block(a, size > usual ? size : usual);
        if (block == NULL)
            return NULL;
    }
    void *memory = block->data + block->used;
    block->used += size;
    memset(memory, 0, size);
    return memory;
}

char *arena_copy(struct arena *a, const char *data, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(a, len + 1);
    if (copy != NULL && len > 0)
        memcpy(copy, data, len);
    return copy;
}
