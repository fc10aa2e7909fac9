/* The query fields of /select: columns, condition, order_by, limit, offset, after, distinct, aggregates, group_by, having,
 * allow_partial. Master and worker read them by the same code.
 *
 * query_read() looks at the body alone; query_resolve() then finds the names in a table and says which columns the answer
 * has and of which types. Knows nothing about SQL text, shards or ODBC.
 *
 *     body ──query_read──> struct query ──query_resolve(columns of the table)──> outputs, groups, aggregates, order
 */
#ifndef SHARDGATE_QUERY_H
#define SHARDGATE_QUERY_H

#include "common/err.h"
#include "common/json.h"
#include "common/predicate.h"
#include "common/sqltype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUERY_MAX_ORDER 64      /* elements of order_by */
#define QUERY_MAX_KEY 32        /* columns of a table's key, as in SQL Server */
#define QUERY_MAX_PART_ORDER (QUERY_MAX_ORDER + QUERY_MAX_KEY) /* of a partial query: a page's order ends with the key */
#define QUERY_MAX_GROUP 32      /* elements of group_by */
#define QUERY_MAX_AGGREGATES 64 /* elements of aggregates */
#define QUERY_MAX_PARTS (2 * QUERY_MAX_AGGREGATES) /* of a partial query: an average is two */
#define QUERY_MAX_PART_GROUPS (QUERY_MAX_GROUP + QUERY_MAX_AGGREGATES) /* of a partial query: count_distinct adds its column */
#define QUERY_MAX_NAME 128      /* bytes of an aggregate's name */
#define QUERY_MAX_COLUMNS 1024  /* of a table, as in SQL Server */
#define QUERY_MAX_ROWS INT64_C(1000000000000000) /* that limit and offset may say */
#define QUERY_NO_LIMIT INT64_C(-1)
#define QUERY_ALL_ROWS SIZE_MAX /* an aggregate's column: COUNT(*) */

enum query_op { QUERY_COUNT, QUERY_COUNT_DISTINCT, QUERY_SUM, QUERY_AVG, QUERY_MIN, QUERY_MAX };

/* A column of a table, as far as queries care. */
struct query_column {
    const char *name;
    const struct sqltype *type; /* NULL: a type outside the contract's list, which can only be selected and counted */
};

/* A table as its owner shows it. */
struct query_table {
    const void *table;
    size_t count;
    struct query_column (*column)(const void *table, size_t i);
};

/* What is selected or sorted by: a column of the table or an aggregate, by its index. */
struct query_term {
    bool aggregate;
    size_t index;
};

struct query_aggregate {
    enum query_op op;
    size_t column; /* or QUERY_ALL_ROWS */
    char name[QUERY_MAX_NAME * 2];
    struct sqltype type; /* of the result, as T-SQL gives it */
};

struct query_order {
    struct query_term term;
    bool descending;
};

struct query {
    /* after query_read; all JSON is borrowed from the body */
    struct json_object *columns_json, *order_json, *groups_json, *aggregates_json; /* NULL: absent, or empty but columns */
    struct predicate *condition; /* bound; NULL for none */
    struct predicate *having;
    int64_t limit; /* or QUERY_NO_LIMIT */
    int64_t offset;
    const char *after;      /* the client's cursor, NULL for none; only the master can read it */
    size_t after_len;
    struct json_object *after_values; /* of a partial query: one value for each element of order_by, NULL for none */
    int64_t after_shard;    /* the shard whose row has these values */
    bool after_again;       /* rows of that shard with these very values come, too */
    bool distinct;
    bool allow_partial;
    bool partial; /* from the master: aggregates are parts of a whole, and having is left to it */
    bool grouped; /* there are aggregates or group_by */

    /* after query_resolve */
    struct query_term *outputs; /* the members of a row, in their order */
    size_t output_count;
    size_t groups[QUERY_MAX_PART_GROUPS]; /* columns */
    size_t group_count;
    struct query_aggregate *aggregates;
    size_t aggregate_count;
    struct query_order order[QUERY_MAX_PART_ORDER];
    size_t order_count;
};

/* Reads and checks all that needs no table. ERR_BAD_FIELD, ERR_BAD_CONDITION. The caller calls query_clear, also after a
 * failure; a zeroed struct is accepted there. */
int query_read(const struct json_object *body, struct query *q, struct err *e) __attribute__((warn_unused_result));
void query_clear(struct query *q);

/* Finds the names; may run again, on another table. ERR_UNKNOWN_COLUMN for a name that the table does not have,
 * ERR_BAD_FIELD for one that must not stand there: twice, not of a group, of a type that cannot be summed or sorted. The
 * names in `having` are checked too. */
int query_resolve(struct query *q, const struct query_table *t, struct err *e) __attribute__((warn_unused_result));

/* Adds a column to the order, ascending, unless it is there. False when the order is full. */
bool query_add_order(struct query *q, size_t column) __attribute__((warn_unused_result));

/* Is there anything but columns and a condition? (Then rows of several shards cannot just be joined.) */
bool query_is_plain(const struct query *q);

/* The group column or the aggregate that a name in `having` means; false when it means none. */
bool query_find_result(const struct query *q, const struct query_table *t, const char *name, size_t len,
                       struct query_term *out);

/* The name and type of a term; the type is NULL for one outside the contract's list. */
struct query_column query_term_column(const struct query *q, const struct query_table *t, struct query_term term);

const char *query_op_name(enum query_op op);

#endif
