/* One statement, compiled: SQLite's SQL, what its parameters are, what its columns are. Made by the binder, run by exec.
 */
#ifndef SHARDGATE_TDS_PLAN_H
#define SHARDGATE_TDS_PLAN_H

#include "common/arena.h"
#include "tds-server/engine/runtime.h"
#include "tds-server/language/tsql_tree.h"

#include <stdbool.h>
#include <stddef.h>

#define PLAN_MAX_DATABASES RUNTIME_MAX_ATTACHED
#define PLAN_MAX_PARAMETERS 100000 /* of a statement; SQLite's own limit is set to it */

struct session_function;

enum plan_param_kind {
    PLAN_CONSTANT, /* a literal */
    PLAN_VARIABLE, /* @p1: the batch's variable of this number */
    PLAN_SESSION,  /* what the session knows: @@ROWCOUNT, DB_ID(@p1) */
    PLAN_CELL      /* a value of the row under way: `variable` is its place in the table, behind the last column those of the old row */
};

struct plan_param {
    enum plan_param_kind kind;
    struct value constant;
    size_t variable;
    const struct session_function *function;
    struct plan_param *args; /* of PLAN_SESSION; array */
    size_t arg_count;
    struct sqltype type;     /* of the value */
};

/* A parameter or variable of a batch. `value` owns nothing: exec keeps the bytes. */
struct variable {
    struct tsql_text name; /* "@p1" */
    struct sqltype type;
    enum collation collation;
};

/* A query in SQLite's words. */
struct plan_query {
    const char *sql;
    sqlite3_stmt *stmt;
    struct plan_param *params; /* ?1 is params[0] */
    size_t param_count, param_cap;
    struct engine_column *columns; /* what the client sees */
    size_t column_count;
};

struct plan_database {
    int id;
    uint64_t version;
    struct catalogue *catalogue; /* held */
};

/* A column that a statement writes. */
struct plan_target {
    const struct cat_column *column;
    int source;   /* column of the query; PLAN_IDENTITY: the next number; PLAN_NULL */
    bool changed; /* UPDATE: assigned, and not only there for the checks */
};
#define PLAN_IDENTITY (-1)
#define PLAN_NULL (-2)

/* What INSERT, UPDATE and DELETE do with the rows of their query. */
struct plan_write {
    struct cat_table *table;
    int database;
    struct plan_target *targets; /* INSERT: all columns; UPDATE: those that are assigned, or all if something checks rows */
    size_t target_count;
    const struct plan_param **direct; /* INSERT of one row of constants and variables: the value of each column of the query, which
                                       * need not run; NULL else */
    int key;                     /* column of the query with the row's number; -1 for INSERT */
    const char *sql;             /* INSERT INTO t VALUES (?1, …); UPDATE t SET … WHERE rowid = ?; DELETE … */
    sqlite3_stmt *stmt;
    const char *park_sql;        /* UPDATE of a unique key: gives a row keys that no row has; NULL: no key changes. See exec_park.c */
    sqlite3_stmt *park;
    bool identity_explicit;
    struct plan_query checks;          /* the CHECK constraints as a query over a row's values; sql NULL: none */
    const struct cat_check **check_of; /* of each column of `checks` */
    struct plan_query output;          /* OUTPUT over a row's new values and, behind them, its old ones; sql NULL: none */
    int old_first;                     /* column of the query with the first of the old values; UPDATE and DELETE with OUTPUT */
};

struct plan {
    const struct tsql_statement *statement;
    struct arena arena;
    struct plan_query query;
    struct plan_database databases[PLAN_MAX_DATABASES];
    size_t database_count;
    bool locks;       /* a table's hint wants what is read kept from changing until the transaction ends */
    size_t *assigned; /* SELECT @v = …: the variable of each column; NULL else */
    struct plan_write write;
};

#endif
