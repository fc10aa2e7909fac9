/* The rows of a statement that was executed, and their values; like db.h a home of sql.h.
 *
 * Knows nothing about connections, errors' meanings or JSON: what the driver refuses is -1, and its diagnostics are the
 * caller's to read. The first rows are asked for value by value (SQLGetData), which costs least where a result has few, and
 * shows how each column is read. The others are fetched many at a time into arrays that the columns are bound to:
 *
 *     open ──RESULT_SINGLE_ROWS rows──> bound: blocks of up to RESULT_BLOCK_ROWS rows ──> end
 *
 * A column without a small limit (MAX types, XML) is never bound, and then a block is one row.
 */
#ifndef SHARDGATE_WORKER_RESULT_H
#define SHARDGATE_WORKER_RESULT_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESULT_SINGLE_ROWS 8
#define RESULT_BLOCK_ROWS 256
#define RESULT_BLOCK_BYTES (128u << 10) /* of a block, unless one row has more */
#define RESULT_BOUND_BYTES 16384        /* a value that may have more is not bound */
#define RESULT_FIRST_CHUNK 512          /* bytes of a value that are asked for first: most have less, and small memory costs little */
#define RESULT_CHUNK 16384              /* and then at a time */
#define RESULT_MAX_VALUE (64u << 20)    /* bytes of one value */

enum result_status {
    RESULT_REFUSED = -1, /* the driver's diagnostics say why */
    RESULT_TOO_LONG = -2, /* more than RESULT_MAX_VALUE bytes, or memory ran out */
    RESULT_BROKEN = -3   /* a value is longer than its column, or a column is read in another way than in the rows before */
};

struct result;

/* NULL when memory ran out. It keeps its memory from statement to statement. */
struct result *result_new(void);
void result_free(struct result *r); /* NULL is fine */

/* Begins to read the rows of `stmt`, an SQLHSTMT, which stays the caller's. `columns` is how many the result has, each read
 * in every row by the same function; 0 where they are not, and then nothing is bound. */
void result_open(struct result *r, void *stmt, size_t columns);
/* Unbinds what is bound; the statement must still exist. Harmless when nothing is open. */
void result_close(struct result *r);

/* Goes to the next row where that needs no call of the driver: 1, else 0, and result_fetch() is due. */
int result_next(struct result *r);
/* 1 with a row, 0 behind the last one, RESULT_REFUSED. */
int result_fetch(struct result *r) __attribute__((warn_unused_result));

/* The current row's values, columns counted from 0, each asked for once and in rising order. 1 with the value, 0 for
 * NULL, or an enum result_status. Texts (UTF-8) and bytes are appended. */
int result_get_integer(struct result *r, size_t column, int64_t *out) __attribute__((warn_unused_result));
int result_get_double(struct result *r, size_t column, double *out) __attribute__((warn_unused_result));
int result_get_text(struct result *r, size_t column, struct buf *out) __attribute__((warn_unused_result));
int result_get_bytes(struct result *r, size_t column, struct buf *out) __attribute__((warn_unused_result));

#endif
