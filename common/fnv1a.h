/* FNV-1a, 32 bit: the hash of Shardgate's routing rule (offset basis 0x811c9dc5, prime 0x01000193). */
#ifndef SHARDGATE_FNV1A_H
#define SHARDGATE_FNV1A_H

#include <stddef.h>
#include <stdint.h>

uint32_t fnv1a_32(const void *data, size_t len);

#endif
