/* A bump allocator with a maximum: what one batch allocates, freed at once.
 *
 * Knows nothing about what it holds. Allocations are zeroed, aligned for any type and live until arena_clear().
 */
#ifndef SHARDGATE_ARENA_H
#define SHARDGATE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the newest first */
    size_t used;                /* bytes taken from the system */
    size_t max;                 /* the largest `used` that is allowed */
};

/* Makes an empty arena that takes at most `max` bytes from the system. Allocates nothing. */
void arena_init(struct arena *a, size_t max);

/* Frees all; the arena is empty and usable again. A zeroed struct is accepted. */
void arena_clear(struct arena *a);

/* Forgets all that was allocated, but keeps a block for what comes next. */
void arena_reset(struct arena *a);

/* `size` zeroed bytes; NULL when the maximum is reached or memory ran out. A size of 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);

/* A copy of `len` bytes with a NUL behind it; NULL as above. */
char *arena_copy(struct arena *a, const char *data, size_t len);

#endif
