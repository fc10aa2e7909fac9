/* What a fuzz target defines. With --enable-fuzz libFuzzer calls it; without, replay.c calls it for each file of the
 * target's corpus, as a part of `make check`. */
#ifndef SHARDGATE_FUZZ_H
#define SHARDGATE_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Returns 0. A finding ends the process: a sanitizer's, or CHECK's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that holds for every input; unlike assert it stays with -DNDEBUG. */
#define CHECK(property)                                                                                                \
    do {                                                                                                               \
        if (!(property)) {                                                                                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
