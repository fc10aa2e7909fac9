/* How the files of statement.h write names and parameters; for them alone. */
#ifndef SHARDGATE_WORKER_STATEMENT_PARTS_H
#define SHARDGATE_WORKER_STATEMENT_PARTS_H

#include "common/predicate.h"
#include "fcgi-worker/statement.h"

/* Appends a name in brackets: the only place where one enters SQL text. */
void statement_append_name(struct buf *sql, const char *name);
/* Appends [database].[schema].[object]. */
void statement_append_object(struct buf *sql, const char *database, const char *schema, const char *object);

/* Adds a parameter, NULL until it is given a value; the caller writes its "?". Returns NULL, and the statement has failed,
 * when there are too many or memory ran out. What it returns lives until the next call. */
struct statement_param *statement_new_param(struct statement *s, enum statement_bind bind);
void statement_set_value(struct statement *s, struct statement_param *p, const char *text, size_t len);

/* Appends "?" and the parameter whose value is a name. */
void statement_add_name(struct statement *s, const char *name);

/* Appends "?" and the parameter for a value of a column, given as the JSON that /select answers and /insert takes.
 * ERR_BAD_VALUE for one that the column cannot hold. */
int statement_add_value(struct statement *s, const struct schema_column *c, const struct json_object *v, struct err *e)
    __attribute__((warn_unused_result));

/* A column as it is sorted by: strings by a binary collation. What is stored in a code page is sorted by code points, too. */
void statement_append_sort_key(struct buf *sql, const struct schema_column *c);

/* Appends " WHERE …": the rows for which `q->condition` is true and that stand behind q->after_values, if these are there. */
int statement_append_page(struct statement *s, const struct schema_table *t, const struct query *q, int shard, struct err *e)
    __attribute__((warn_unused_result));

/* Appends " WHERE …", or nothing when `where` is NULL. */
int statement_append_where(struct statement *s, const struct schema_table *t, const struct predicate *where, struct err *e)
    __attribute__((warn_unused_result));
/* Appends the condition alone. */
int statement_append_condition(struct statement *s, const struct schema_table *t, const struct predicate *where, struct err *e)
    __attribute__((warn_unused_result));
/* Appends to `out` the placeholder of a condition's literal, and adds its parameter: the literal's own T-SQL type. */
int statement_add_literal(struct statement *s, const struct predicate_operand *literal, struct buf *out, struct err *e)
    __attribute__((warn_unused_result));

/* The column of this name, else NULL and ERR_UNKNOWN_COLUMN. */
const struct schema_column *statement_need_column(const struct schema_table *t, const char *name, size_t len, struct err *e);
/* The type that values for the column are converted to. */
const struct sqltype *statement_column_type(const struct schema_column *c);
/* Adds the parameter of a value of that type which is assigned to the column; the caller writes its "?". */
int statement_add_column_value(struct statement *s, const struct schema_column *c, const struct sqlvalue *value, struct err *e)
    __attribute__((warn_unused_result));

#endif
