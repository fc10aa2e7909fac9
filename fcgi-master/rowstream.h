/* The rows of one shard's answer, one after another: the lines of an NDJSON answer as they arrive, or the elements of a
 * whole JSON answer (docs/worker-contract.md, "Rows in a worker's answer").
 *
 * Lines are told apart by their ends alone; what stands in a row is not looked at. Knows nothing about libcurl: lines come
 * out of a function that the caller gives.
 */
#ifndef SHARDGATE_ROWSTREAM_H
#define SHARDGATE_ROWSTREAM_H

#include "fcgi-master/merge.h"
#include "fcgi-master/rowscan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROWSTREAM_MAX_END 65536 /* bytes of a stream's last line */

/* Gives back the first `used` bytes of what the last call gave (0 at first) and gives all that is unread, of which there is
 * more now: 1. 0 when nothing more comes; -1 with the error. What it gave lives until the next call. */
typedef int rowstream_pull(void *arg, size_t used, const char **data, size_t *len, struct err *e);

struct rowstream {
    struct merge_part *part; /* whose rows these are: gets their error, or at their end the count and the shard's outcome */
    uint64_t rows;           /* that were given */
    bool ended;

    struct rowscan scan; /* of a whole answer, where pull is NULL */
    rowstream_pull *pull;
    void *arg;
    const char *data; /* what pull gave */
    size_t len;
    size_t at;        /* behind the lines that were given */
    size_t searched;  /* bytes behind `at` in which no line ends */
    struct buf end;   /* the last line, which the part points into */
};

/* Both borrow `part`. The whole answer's was accepted by merge_accept(). The caller calls rowstream_clear, which accepts a
 * zeroed struct. */
void rowstream_init_whole(struct rowstream *s, struct merge_part *part);
void rowstream_init_lines(struct rowstream *s, struct merge_part *part, rowstream_pull *pull, void *arg);
void rowstream_clear(struct rowstream *s);

/* 1 with the next row, an object's text, which lives until the next call; 0 at the end; -1 with s->part->err set: the rows
 * ended without the line that says so, the worker said that it failed, or they are not what the contract says. */
int rowstream_next(struct rowstream *s, struct json_slice *row) __attribute__((warn_unused_result));

/* After -1: was the shard lost before its first row was given, so that an answer may go without it? */
bool rowstream_is_lost(const struct rowstream *s);

#endif
