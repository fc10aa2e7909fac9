/* Running a batch: its statements one after the other, each compiled when its turn comes, and what an error ends.
 *
 *     batch (text, tree, variables) ── exec_batch ──> for each statement: plan, rows and messages to the sink, done
 */
#ifndef SHARDGATE_TDS_EXEC_H
#define SHARDGATE_TDS_EXEC_H

#include "tds-server/engine/plan.h"

#include <stdbool.h>
#include <stddef.h>

#define EXEC_MAX_CACHED 64       /* batches kept by a session */
#define EXEC_MAX_CACHED_BYTES 16384 /* of a batch's text that is kept */
#define EXEC_MAX_TRIES 5         /* of a SELECT whose tables' schema keeps changing under it */
#define EXEC_MAX_VARIABLES 2200  /* SQL Server takes 2,100 parameters */

/* A text, parsed. Kept by its session while it is likely to come again. */
struct batch {
    struct batch *next;
    int32_t handle; /* of a prepared one; 0 else */
    char *sql;
    size_t len;
    bool quoted_identifier;
    const struct store_database *database; /* the current one when it was parsed */
    struct arena arena;
    struct tsql_batch *tree;
    struct variable *variables;
    size_t variable_count;
    size_t param_count; /* the first of them, whose values come with the request; the others are DECLAREd */
    struct plan *plan; /* of the only statement; kept with a batch of one */
    bool single;       /* one SELECT, INSERT, UPDATE or DELETE */
    bool running;
};

/* A variable's value while a batch runs; `own` holds the bytes of what the batch assigned. */
struct variable_value {
    struct value value;
    struct buf own;
};

/* A batch under way. */
struct run {
    struct engine_session *session;
    struct batch *batch;
    struct variable_value *values;
    const struct engine_rows *rows; /* of a bulk load: the batch's one INSERT runs once a row; NULL else */
    struct value *row;              /* the parameters' values as `rows` gives them */
    bool stopped; /* the sink said so */
    bool returned; /* an error has ended the batch */
};

/* Parses a text with the variables that `declarations` declares ("@p1 int, …", or nothing). NULL with the session's fault. */
struct batch *exec_make_batch(struct engine_session *s, const char *sql, size_t len, const char *declarations, size_t declarations_len);
void exec_free_batch(struct batch *b); /* NULL is accepted */
/* Runs it with its parameters; errors go to the sink. 0, or -1 when the sink stopped it. */
int exec_run(struct engine_session *s, struct batch *b, struct engine_param *params, size_t count) __attribute__((warn_unused_result));

/* Gives the parameters the values of the next row of a bulk load. 1, 0: there is none, -1: the session's fault. */
int exec_next_row(struct run *r) __attribute__((warn_unused_result));

/* Runs it. 0, or -1 when the sink stopped it. */
int exec_batch(struct run *r) __attribute__((warn_unused_result));

/* Makes the statement's plan, or finds that `plan` is still good. -1: the session's fault. */
int exec_compile(struct engine_session *s, const struct batch *batch, const struct tsql_statement *statement, struct plan *plan)
    __attribute__((warn_unused_result));

/* Computes one value and calls `use` with it. -1: the session's fault, or what `use` said. */
int exec_evaluate(struct run *r, const struct tsql_expr *e, int (*use)(struct run *r, const struct value *v, void *arg), void *arg)
    __attribute__((warn_unused_result));
/* Gives the batch's variable of this name a value, converted to its type. -1: the session's fault, 137. */
int exec_assign(struct run *r, struct tsql_text name, const struct value *v) __attribute__((warn_unused_result));

/* The value of a parameter that is a constant or a variable. */
const struct value *exec_param(const struct run *r, const struct plan_param *p);
/* Binds a query's parameters. -1: the session's fault. */
int exec_bind(struct run *r, struct plan_query *q) __attribute__((warn_unused_result));
/* Steps: 1 a row, 0 the end, -1 the session's fault. */
int exec_step(struct engine_session *s, sqlite3_stmt *stmt) __attribute__((warn_unused_result));
/* Prepares the query's statement unless it is. */
int exec_prepare(struct engine_session *s, const char *sql, sqlite3_stmt **stmt) __attribute__((warn_unused_result));

/* exec_dml.c: runs a plan that writes; *count is the number of rows. */
int exec_write(struct run *r, struct plan *p, int64_t *count) __attribute__((warn_unused_result));

/* exec_call.c: EXEC, and calls of a procedure by name ("db..sp_tables"). 0; -1 with the session's fault, or without one when
 * the sink stopped it. */
int exec_call(struct engine_session *s, const char *name, size_t len, struct engine_param *params, size_t count)
    __attribute__((warn_unused_result));
int exec_execute(struct run *r, const struct tsql_exec *exec) __attribute__((warn_unused_result));

/* exec_into.c: the table that a SELECT makes; NULL: none. */
const struct tsql_name *exec_into(const struct tsql_statement *st);
/* Runs such a SELECT; `insert` runs the INSERT that becomes of it. -1: the session's fault. */
int exec_select_into(struct run *r, const struct tsql_statement *st, struct engine_done *done,
                     int (*insert)(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done))
    __attribute__((warn_unused_result));

/* exec_raise.c: RAISERROR and THROW. -1: the error that they ask for is the session's fault; 0 when it only informed. */
int exec_raise(struct run *r, const struct tsql_statement *st) __attribute__((warn_unused_result));

/* describe.c: sp_describe_first_result_set, its two texts. 0; -1 with the session's fault, or without one when the sink stopped
 * it. */
int exec_describe(struct engine_session *s, const struct value *sql, const struct value *declarations) __attribute__((warn_unused_result));

/* Appends a value as messages show it: "abc", "0x01", "<NULL>". */
void exec_append_value(struct buf *out, const struct value *v);

/* ddl.c */
int ddl_create_table(struct engine_session *s, const struct tsql_create_table *t) __attribute__((warn_unused_result));
int ddl_alter_table(struct engine_session *s, const struct tsql_alter_table *a) __attribute__((warn_unused_result));
int ddl_drop_table(struct engine_session *s, const struct tsql_drop_table *d) __attribute__((warn_unused_result));
int ddl_create_index(struct engine_session *s, const struct tsql_create_index *x) __attribute__((warn_unused_result));
int ddl_drop_index(struct engine_session *s, const struct tsql_drop_index *d) __attribute__((warn_unused_result));
int ddl_truncate(struct engine_session *s, const struct tsql_name *table) __attribute__((warn_unused_result));

/* settings.c: SET; -1: 195 and its like. */
int settings_apply(struct run *r, const struct tsql_set *set) __attribute__((warn_unused_result));

#endif
