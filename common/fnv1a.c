#include "common/fnv1a.h"

#define OFFSET_BASIS 0x811c9dc5u
#define PRIME 0x01000193u

uint32_t fnv1a_32(const void *data, size_t len)
{
    const unsigned char *p = data;
    uint32_t hash = OFFSET_BASIS;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * PRIME;
    }
    return hash;
}
