/* Reads the bytes of one message that is whole in memory. Knows nothing about what they mean.
 *
 *     start          at                         end
 *      |  read        |  to read                 |
 *
 * A read past the end sets `failed`, moves to the end and gives zeros, so that a decoder checks once, where it matters.
 */
#ifndef SHARDGATE_TDS_READER_H
#define SHARDGATE_TDS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const unsigned char *start;
    const unsigned char *at;
    const unsigned char *end;
    bool failed;
};

static inline void reader_init(struct reader *r, const void *data, size_t len)
{
    r->start = data;
    r->at = data;
    r->end = r->start == NULL ? NULL : r->start + len;
    r->failed = false;
}

static inline size_t reader_left(const struct reader *r)
{
    return r->at == NULL ? 0 : (size_t)(r->end - r->at);
}

/* The next `len` bytes, or NULL (failed) when there are fewer. `len` 0 is never NULL unless failed. */
static inline const unsigned char *reader_bytes(struct reader *r, size_t len)
{
    static const unsigned char nothing[1];
    if (r->failed || len > reader_left(r)) {
        r->failed = true;
        r->at = r->end;
        return NULL;
    }
    if (len == 0) {
        return nothing;
    }
    const unsigned char *p = r->at;
    r->at += len;
    return p;
}

static inline uint8_t reader_u8(struct reader *r)
{
    const unsigned char *p = reader_bytes(r, 1);
    return p == NULL ? 0 : p[0];
}

static inline uint16_t reader_get_u16le(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t reader_get_u32le(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t reader_get_u64le(const unsigned char *p)
{
    return (uint64_t)reader_get_u32le(p) | (uint64_t)reader_get_u32le(p + 4) << 32;
}

static inline uint16_t reader_u16le(struct reader *r)
{
    const unsigned char *p = reader_bytes(r, 2);
    return p == NULL ? 0 : reader_get_u16le(p);
}

static inline uint16_t reader_u16be(struct reader *r)
{
    const unsigned char *p = reader_bytes(r, 2);
    return (uint16_t)(p == NULL ? 0 : p[0] << 8 | p[1]);
}

static inline uint32_t reader_u32le(struct reader *r)
{
    const unsigned char *p = reader_bytes(r, 4);
    return p == NULL ? 0 : reader_get_u32le(p);
}

static inline uint64_t reader_u64le(struct reader *r)
{
    const unsigned char *p = reader_bytes(r, 8);
    return p == NULL ? 0 : reader_get_u64le(p);
}

#endif
