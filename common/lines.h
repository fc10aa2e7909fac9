/* Splits a stream of bytes into lines, whatever the pieces in which it comes.
 *
 * Knows nothing about what the lines mean. A line ends with LF or CR LF, which are no part of it; the last one may do
 * without. Lines of nothing but spaces and tabs are skipped, and counted. Memory: one line at most is kept.
 *
 *     lines_init  →  lines_feed  →  lines_next … lines_next (0)  →  lines_feed  → …  →  lines_end  →  lines_next … (0)
 */
#ifndef SHARDGATE_LINES_H
#define SHARDGATE_LINES_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lines {
    const char *next, *end; /* what is left of the piece */
    struct buf held;        /* the beginning of a line that the pieces before did not end */
    size_t max;             /* bytes of one line */
    uint64_t number;        /* of the line that lines_next gave last, counted from 1 */
    bool ended;             /* no more pieces come */
    bool given;             /* `held` is the line that was given last */
};

/* What lines_next returns beside 0 and 1. */
#define LINES_TOO_LONG (-1)
#define LINES_NO_MEMORY (-2)

/* `max`: the bytes that one line may have, its end not counted. */
void lines_init(struct lines *l, size_t max);
void lines_clear(struct lines *l);

/* Gives the next piece, borrowed until lines_next returns 0; it must have done so for the piece before. */
void lines_feed(struct lines *l, const char *piece, size_t len);

/* No more pieces come: what is held is the last line. */
void lines_end(struct lines *l);

/* 1 with a line (borrowed until the next call), 0 when another piece is needed or all is read, LINES_TOO_LONG or
 * LINES_NO_MEMORY for the line l->number. After a negative result nothing more may be asked. */
int lines_next(struct lines *l, const char **text, size_t *len);

#endif
