/* A growable byte buffer with a maximum, in the manner of curl's dynbuf.
 *
 * Knows nothing about what the bytes mean. The contents are always followed by one NUL byte that `len` does not count.
 * Writers keep the first error: once an append did not fit (or memory ran out), `failed` is set, later appends do
 * nothing, and the caller checks once, at the end, with buf_status().
 *
 *     data                    data + len          data + cap
 *      |  contents             | NUL  | unused     |            len < cap <= max + 1
 */
#ifndef SHARDGATE_BUF_H
#define SHARDGATE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* NULL until the first append */
    size_t len; /* bytes of contents */
    size_t cap; /* bytes allocated */
    size_t max; /* the largest len that is allowed */
    bool failed;
};

/* Makes an empty buffer that may grow to `max` bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* Frees the contents; the buffer is empty and usable again. A zeroed struct is accepted. */
void buf_clear(struct buf *b);

/* Empties the buffer and forgets its error; keeps the memory. */
void buf_reset(struct buf *b);

/* Shortens the contents to `len` bytes; `len` must not be greater than b->len. */
void buf_truncate(struct buf *b, size_t len);

/* Removes the first `len` bytes; `len` must not be greater than b->len. */
void buf_remove(struct buf *b, size_t len);

/* Appends. `data` may be NULL when `len` is 0. */
void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_text(struct buf *b, const char *text);
void buf_append_char(struct buf *b, char c);
void buf_append_integer(struct buf *b, int64_t v); /* in decimal */
void buf_append_fill(struct buf *b, char c, size_t count);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Little-endian integers, as TDS wants them. */
void buf_append_u16le(struct buf *b, uint16_t v);
void buf_append_u32le(struct buf *b, uint32_t v);
void buf_append_u64le(struct buf *b, uint64_t v);

/* Makes room for `len` bytes behind the contents and returns where they start; NULL (and failed) when they do not fit.
 * The caller writes there and then adds what it wrote to b->len, with a NUL behind it, by buf_commit(). */
char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

/* 0, or -1 when an append failed since the last init, clear or reset. */
int buf_status(const struct buf *b) __attribute__((warn_unused_result));

/* The contents as text; "" for an empty buffer. Lives until the next change. */
const char *buf_text(const struct buf *b);

/* Takes the contents out of the buffer, which is empty then. The caller frees them. NULL when memory ran out. */
char *buf_take(struct buf *b, size_t *len);

#endif
