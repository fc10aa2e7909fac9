/* Inside the binder: what its files share. */
#ifndef SHARDGATE_TDS_BINDER_H
#define SHARDGATE_TDS_BINDER_H

#include "tds-server/engine/bind.h"
#include "tds-server/engine/functions.h"
#include "tds-server/functions/typing.h"

#define BINDER_MAX_SQL ((size_t)16 << 20) /* bytes of SQLite's SQL for one statement */
#define BINDER_MAX_JOINED 64              /* sources of one FROM: as many as SQLite joins */
#define BINDER_MAX_NESTED 5               /* parentheses of a derived table that is written where it stands */
#define BINDER_DEDUPLICATED 64            /* constants that are compared, so that equal ones share a parameter */

/* Where a string's collation comes from; the stronger wins. */
enum collation_label { COLLATION_COERCIBLE, COLLATION_IMPLICIT, COLLATION_EXPLICIT };

/* An expression, typed and written. */
struct bound {
    const char *sql;
    struct sqltype type;
    bool nullable;
    bool null;                    /* the NULL literal: takes any type */
    const struct value *constant; /* of a literal */
    enum collation collation;
    enum collation_label label;
    bool aggregate;               /* holds an aggregate of this query */
    struct tsql_text ungrouped;   /* a column outside of any aggregate or group, "t.c"; len 0: none */
    bool has_column;              /* depends on a row of this query */
    bool has_subquery;
    bool identity;                /* is the identity column itself */
    const char *chain;            /* equal to sql when that is an sg_arith call which further steps may join */
    int chain_steps;
    const char *join;             /* equal to sql when that is "(a || b)" */
};

/* A column that a source offers. */
struct range_column {
    struct tsql_text name;
    struct sqltype type;
    enum collation collation;
    enum collation_label label;
    bool nullable;
    bool identity;
    const char *sql; /* "r1.c2" */
    const struct cat_column *base; /* the table's column that it shows; NULL: none that could be written through it */
};

/* A source of a query's FROM. */
struct range {
    struct range *next;
    int number; /* r<number> */
    struct tsql_text alias;             /* what its columns may be prefixed with */
    struct tsql_text schema, database;  /* of a table without alias */
    struct range_column *columns;
    size_t column_count;
    struct cat_table *table; /* whose rows can be changed; NULL for derived ones, but a CTE that is changed has its table's */
    int database_id;
    const char *row;              /* with a table: "r1.rowid", */
    struct range_column *written; /* and all its columns in their order */
};

struct cte {
    struct cte *next;
    struct tsql_text name;
    const struct tsql_cte *tree;
    struct cte *outer; /* what it may refer to */
    bool written;      /* the statement changes rows through it */
    bool busy;         /* its query is being bound: a reference now is to itself */
    const struct range *base; /* of one that is written: its only table */
    /* While a member that refers to it is bound: */
    int number;                       /* "x<number>" in SQLite's words */
    const struct bound_query *anchor;
    const struct scope *member;
    unsigned references;
    const char *level;                /* how deep the member's rows are */
};

/* One level of names. */
struct scope {
    struct scope *outer;
    struct range *ranges, **last;
    int range_count;
    bool windowed; /* has a function with OVER */
    /* Grouping: NULL until GROUP BY is bound. */
    const char **groups; /* the SQL of each */
    size_t group_count;
    bool aggregates_allowed;
    bool windows_allowed;
    bool in_aggregate;
};

struct binder {
    struct engine_session *session;
    struct plan *plan;
    struct plan_query *query; /* where parameters go */
    struct arena *arena;
    struct fault *fault;
    const struct variable *variables;
    size_t variable_count;
    struct scope *scope;
    struct cte *ctes;
    struct cte *under; /* the next SELECT is this CTE's: it adds the columns that the CTE needs */
    int max_recursion;
    const char *hoisted; /* derived tables that stand in front of the statement, "h1 AS (…), h2 AS (…)"; NULL: none */
    int ranges; /* numbers given */
    int line;
    unsigned depth;
};

/* A result column of a query under way. */
struct bound_item {
    struct tsql_text name;
    struct bound value;
};

struct bound_query {
    const char *sql;
    struct bound_item *items; /* written as k1, k2 … */
    size_t count;
    bool one_row;             /* always: an aggregate over all rows, or values without FROM */
    const char *rest;         /* of a SELECT of columns whose rows are those of its FROM: what stands behind its items; NULL else */
};

/* SQL text in the arena; "" and a fault when memory runs out. */
const char *binder_sql(struct binder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *binder_take(struct binder *b, struct buf *sql); /* takes the buffer's contents */

/* Adds a parameter, or finds the equal one: "?7". */
const char *binder_constant(struct binder *b, const struct value *v);
const char *binder_param(struct binder *b, const struct plan_param *p);

/* bind_expr.c */
int bind_expr(struct binder *b, const struct tsql_expr *e, struct bound *out) __attribute__((warn_unused_result));
/* Brings a bound expression into the form of the type, where that differs. -1: 206, 257. */
int bind_convert(struct binder *b, struct bound *e, const struct sqltype *to) __attribute__((warn_unused_result));
/* The clause " COLLATE SG_CI" by which values of e's type compare; "" when they need none. */
const char *bind_collate(const struct bound *e);
/* Adds what `part` depends on to `whole`. */
void bind_merge(struct bound *whole, const struct bound *part);
/* The collation in which strings a and b meet; -1: 468. */
int bind_meet_collation(struct binder *b, const struct bound *x, const struct bound *y, const char *operation, struct bound *out)
    __attribute__((warn_unused_result));
/* Brings values to one type, which goes to `common` with its collation. */
int bind_meet(struct binder *b, struct bound *values, size_t count, struct bound *common) __attribute__((warn_unused_result));
/* The literal's value; bytes borrowed from the tree. -1: cannot be. */
int bind_literal(struct binder *b, const struct tsql_literal *l, struct value *out) __attribute__((warn_unused_result));

/* bind_call.c */
int bind_call(struct binder *b, const struct tsql_expr *e, struct bound *out) __attribute__((warn_unused_result));
int bind_global(struct binder *b, const struct tsql_expr *e, struct bound *out) __attribute__((warn_unused_result));

/* bind_aggregate.c: whether the call is an aggregate or a window function; it is bound then, with *result as of bind_call. */
bool bind_aggregate_call(struct binder *b, const struct tsql_expr *e, struct bound *out, int *result) __attribute__((warn_unused_result));

/* bind_query.c */
int bind_query(struct binder *b, const struct tsql_query *q, struct bound_query *out) __attribute__((warn_unused_result));
/* A part of a query: a SELECT, or several joined by set operators. */
int bind_part(struct binder *b, const struct tsql_body *tree, struct bound_query *out) __attribute__((warn_unused_result));

/* bind_source.c */
/* Binds FROM: adds ranges to the scope and returns the text behind FROM. */
int bind_from(struct binder *b, const struct tsql_source *from, const char **sql) __attribute__((warn_unused_result));
int bind_column(struct binder *b, const struct tsql_expr *e, struct bound *out) __attribute__((warn_unused_result));
/* Finds a table, not a view: -1: 208. */
int bind_table(struct binder *b, const struct tsql_name *name, struct attachment **a, struct cat_table **table)
    __attribute__((warn_unused_result));
struct range *bind_add_range(struct binder *b, size_t columns);
int bind_use(struct binder *b, struct tsql_text database, struct attachment **out) __attribute__((warn_unused_result));
/* Names the columns of a derived table: the list behind its alias, or the query's own names. -1: 8155, 8156, 8158, 8159. */
int bind_name_columns(struct binder *b, struct range *r, const struct tsql_word *names, const struct bound_query *q)
    __attribute__((warn_unused_result));
int bind_add_derived(struct binder *b, struct tsql_text alias, const struct tsql_word *names, const struct bound_query *q, const char **sql)
    __attribute__((warn_unused_result));
/* -1: 1013 when another source has the new one's name. */
int bind_check_exposed(struct binder *b, const struct range *added) __attribute__((warn_unused_result));

/* bind_cte.c */
int bind_with(struct binder *b, const struct tsql_cte *ctes) __attribute__((warn_unused_result));
/* The CTE that the name means; NULL: none. */
struct cte *bind_find_cte(struct binder *b, const struct tsql_name *name);
int bind_cte(struct binder *b, const struct tsql_source *s, struct cte *cte, const char **sql) __attribute__((warn_unused_result));
/* Adds to a SELECT of a CTE the columns that it needs: the depth of recursion, or what changes of rows go by. */
int bind_cte_columns(struct binder *b, struct cte *cte, const struct tsql_body *tree, const struct scope *scope, bool grouped, struct buf *out)
    __attribute__((warn_unused_result));

/* bind_row.c */
enum { ROW_NEW = 1, ROW_OLD = 2 };
int bind_column_default(struct binder *b, const struct cat_column *c, struct bound *out) __attribute__((warn_unused_result));
/* Binds CHECK (where there are new rows) and OUTPUT as queries over a row; `rows` tells which rows OUTPUT may name. */
int bind_row_queries(struct binder *b, const struct tsql_output *output, unsigned rows) __attribute__((warn_unused_result));

/* bind_dml.c */
int bind_insert(struct binder *b, const struct tsql_insert *insert) __attribute__((warn_unused_result));
int bind_update(struct binder *b, const struct tsql_update *update) __attribute__((warn_unused_result));
int bind_delete(struct binder *b, const struct tsql_delete *delete_) __attribute__((warn_unused_result));

/* Gives *out the query's text, and says what the client sees of its columns. */
int bind_describe(struct binder *b, const struct bound_query *q, struct plan_query *out) __attribute__((warn_unused_result));

bool text_equal(struct tsql_text a, struct tsql_text b);
bool text_is(struct tsql_text a, const char *word);
int binder_unsupported(struct binder *b, const char *what);

#endif
