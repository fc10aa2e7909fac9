/* Where the rows of an answer go: through a function, separated by commas. Knows nothing about what takes them. */
#ifndef SHARDGATE_ROWSINK_H
#define SHARDGATE_ROWSINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rowsink {
    int (*write)(void *arg, const void *data, size_t len); /* 0, or -1 when nobody takes more */
    void *arg;
    uint64_t rows; /* that were begun */
    bool gone;     /* a write has failed; nothing more is written */
};

/* 0, or -1 once nobody takes more. */
static inline int rowsink_write(struct rowsink *s, const void *data, size_t len)
{
    s->gone = s->gone || s->write(s->arg, data, len) != 0;
    return s->gone ? -1 : 0;
}

/* Writes a row, or with rowsink_write() behind it the beginning of one. */
static inline int rowsink_begin(struct rowsink *s, const void *data, size_t len)
{
    return s->rows++ > 0 && rowsink_write(s, ",", 1) != 0 ? -1 : rowsink_write(s, data, len);
}

#endif
