/* A table as a worker's /describe tells it: its columns, its key, its shard column, and the tag that stands for all of that.
 *
 * Knows nothing about where descriptions are kept (tables.h) or who asked for them. A description never changes once it
 * is read, so that threads share it by reference count.
 */
#ifndef SHARDGATE_TABLE_H
#define SHARDGATE_TABLE_H

#include "common/err.h"
#include "common/json.h"
#include "common/sqltype.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define TABLE_MAX_COLUMNS 1024 /* as in SQL Server */
#define TABLE_MAX_KEY     32   /* columns of a key, as in SQL Server */
#define TABLE_MAX_TAG     64   /* bytes; it travels in a header */

struct table_column {
    char *name;
    struct sqltype type;
    bool known_type; /* false: a type outside the contract's list, and `type` says nothing */
    bool nullable;
    bool has_default;
    bool binary; /* a string column by whose collation equal is what hashes alike */
    bool ignores_case; /* a string column whose collation does */
};

struct table {
    atomic_int references;
    char *tag; /* printable ASCII */
    struct table_column *columns;
    size_t column_count;
    const struct table_column *shard_column; /* one of `columns`, or NULL */
    size_t key[TABLE_MAX_KEY]; /* columns whose values together name one row of a shard, none of them NULL */
    size_t key_count;          /* 0: the table has no such columns */
};

/* Reads the answer of /describe. ERR_BAD_WORKER_ANSWER for anything that is not one. The caller owns one reference. */
int table_read(const char *text, size_t len, struct table **out, struct err *e) __attribute__((warn_unused_result));

/* Takes and gives back a reference; the last one frees. table_release accepts NULL. */
struct table *table_hold(struct table *t);
void table_release(struct table *t);

/* Are the two names equal by the rule for columns: without regard to the case of ASCII letters? */
bool table_same_name(const char *a, size_t a_len, const char *b, size_t b_len);

/* The column of this name, matched without regard to case; NULL when there is none. Borrowed. */
const struct table_column *table_find_column(const struct table *t, const char *name, size_t len);

/* The shard column's type when keys can be made by it; NULL without shard column, or when its type cannot shard. */
const struct sqltype *table_shard_type(const struct table *t);

/* Would a shard take this row, as far as the description tells? ERR_UNKNOWN_COLUMN, ERR_BAD_FIELD for a column that is named
 * twice, ERR_BAD_VALUE for a value that does not fit, or none where there must be one. (Numbers may be missing: the server
 * may count them itself.) */
int table_check_row(const struct table *t, const struct json_object *row, struct err *e) __attribute__((warn_unused_result));

/* The same for the fields of one row after the other, as a stream has them. */
struct table_check {
    const struct table *table;        /* borrowed */
    const struct table_column **named; /* by the fields of the row before, in their order */
    size_t *given;                    /* for each column, the number of the last row that gave it */
    size_t rows;
    struct sqlvalue value;            /* scratch */
    struct sqlvalue key;              /* the value that the row checked last has in the shard column, null where it has none */
};
int table_check_init(struct table_check *c, const struct table *t, struct err *e) __attribute__((warn_unused_result));
void table_check_clear(struct table_check *c); /* a zeroed struct is accepted */
int table_check_fields(struct table_check *c, const struct json_fields *row, struct err *e) __attribute__((warn_unused_result));

#endif
