/* One value of a worker's answer, typed by its column, so that values of several shards can be compared as SQL Server
 * compares them.
 *
 * Knows the JSON of values and the types; nothing about rows, plans or HTTP.
 */
#ifndef SHARDGATE_CELL_H
#define SHARDGATE_CELL_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/collate.h"
#include "common/err.h"
#include "common/json.h"
#include "common/sqltype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef __int128 int128;

#define CELL_MAX_DIGITS 38 /* of a number */
#define CELL_MAX_KEY ((size_t)1 << 26) /* bytes of the key of a group */

enum cell_kind {
    CELL_NULL,
    CELL_NUMBER, /* integers, decimals, MONEY, BIT: number / 10^scale */
    CELL_REAL,   /* FLOAT, REAL */
    CELL_TEXT,   /* strings, UTF-8 */
    CELL_BYTES,  /* binaries; UNIQUEIDENTIFIER in the order of its comparison */
    CELL_MOMENT  /* dates and times, DATETIMEOFFSET as its instant: 100 ns since 0001-01-01 */
};

struct cell {
    enum cell_kind kind;
    int scale; /* of CELL_NUMBER: 0…38 */
    int128 number;
    double real;
    int64_t moment;
    const char *text; /* CELL_TEXT, CELL_BYTES; in the arena or borrowed from the answer */
    size_t len;
};

/* The kind that values of a type have. */
enum cell_kind cell_kind_of(const struct sqltype *t);

/* Reads a value's raw JSON. -1, without a message, when it is none of that type or memory ran out. */
int cell_read(const struct sqltype *t, struct json_slice raw, struct arena *a, struct cell *out)
    __attribute__((warn_unused_result));

/* The same from a canonical text (struct sqlvalue). */
int cell_from_text(const struct sqltype *t, const char *text, size_t len, struct arena *a, struct cell *out)
    __attribute__((warn_unused_result));

/* <0, 0, >0; NULL is less than all else, and equal to NULL. Numbers of both kinds compare with each other; other cells
 * must be of one kind. */
int cell_compare(const struct cell *a, const struct cell *b, enum collation collation);

/* Appends bytes that are equal exactly for values that SQL calls equal (NULL being one), and of which none is the
 * beginning of another. */
void cell_append_key(const struct cell *c, enum collation collation, struct buf *out);

/* Appends number / 10^scale as a JSON number with `scale` digits behind its point. */
void cell_write_number(int128 number, int scale, struct buf *out);

/* 10^n for n in 0…38. */
int128 cell_power(int n);

#endif
