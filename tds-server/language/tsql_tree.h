/* The tree of a T-SQL batch: what the parser makes and the binder reads. Only data; knows no SQLite and no catalogue.
 *
 *     text ── tsql_lex ── tsql_parse ──> struct tsql_batch ──> binder
 *
 * All nodes and all text of a batch live in one arena. Lists are linked by `next` in the order of the source; an absent
 * part is NULL, an absent text has length 0. Names are as written, quotes undone; they compare without regard to case.
 *
 * What the parser has checked already: conditions stand only where a condition may stand (tsql_expr_is_condition),
 * literals and types are in range, names are 1…128 UTF-16 units, trees are no deeper than TSQL_MAX_DEPTH (each operator of a
 * chain counts: a + b + c has depth 3; AND and OR are lists, and a chain of them counts once). What it has not: everything that needs names.
 */
#ifndef SHARDGATE_TDS_TSQL_TREE_H
#define SHARDGATE_TDS_TSQL_TREE_H

#include "common/buf.h"
#include "common/sqltype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TSQL_MAX_DEPTH 128 /* levels of nesting: expressions, queries, blocks */
#define TSQL_MAX_RECURSION 32767 /* of OPTION (MAXRECURSION n), as SQL Server has it */
#define TSQL_MAX_ROWS 1000 /* rows of one VALUES list, as SQL Server has it */

struct tsql_expr;
struct tsql_query;
struct tsql_statement;

/* UTF-8 with a NUL behind it that len does not count. Names hold no NUL, strings may. */
struct tsql_text {
    const char *data;
    size_t len;
};

/* A list of names: columns of an index, databases to drop, options of SET. */
struct tsql_word {
    struct tsql_word *next;
    struct tsql_text text;
    bool descending; /* of a key's columns: DESC was written */
};

/* [[[server.]database.]schema.]name; `db..t` leaves schema empty. #name comes as tempdb..#name. */
struct tsql_name {
    struct tsql_text server, database, schema, name;
    int line;
};

/* A list of tables: DROP TABLE a, b. */
struct tsql_name_item {
    struct tsql_name_item *next;
    struct tsql_name name;
};

/* ── Expressions ─────────────────────────────────────────────────────────────────────────────────────────────── */

enum tsql_expr_kind {
    TSQL_LITERAL,    /* literal */
    TSQL_COLUMN,     /* column: [[[database.]schema.]table.]name */
    TSQL_VARIABLE,   /* text: "@p1" */
    TSQL_GLOBAL,     /* text: "@@ROWCOUNT", as written */
    TSQL_DEFAULT,    /* DEFAULT as a value of INSERT, UPDATE or EXEC; nowhere else */
    TSQL_UNARY,      /* op (TSQL_NEGATE, TSQL_PLUS, TSQL_BIT_NOT), a */
    TSQL_BINARY,     /* op (TSQL_ADD … TSQL_BIT_XOR), a, b */
    TSQL_COLLATE,    /* a COLLATE text */
    TSQL_CASE,       /* a (NULL in the searched form), whens, otherwise (NULL without ELSE). IIF comes as this too. */
    TSQL_CAST,       /* cast: CAST, TRY_CAST, CONVERT, TRY_CONVERT and the ODBC escapes {d …} {t …} {ts …} {guid …} */
    TSQL_CALL,       /* call: any function, aggregates and window functions included */
    TSQL_DATEPART,   /* datepart: the first argument of DATEADD, DATEDIFF, DATENAME, DATEPART … */
    TSQL_SUBQUERY,   /* query, as a scalar */
    /* conditions */
    TSQL_AND,        /* list, of at least two conditions */
    TSQL_OR,         /* list, of at least two conditions */
    TSQL_NOT,        /* a, a condition */
    TSQL_COMPARE,    /* op (TSQL_EQ …), a, b */
    TSQL_QUANTIFIED, /* op, a, all (ANY and SOME else), query */
    TSQL_BETWEEN,    /* [negated] a BETWEEN b AND c */
    TSQL_IN,         /* [negated] a IN list, or a IN query (then list is NULL) */
    TSQL_LIKE,       /* [negated] a LIKE b [ESCAPE c] */
    TSQL_IS_NULL,    /* [negated] a IS NULL */
    TSQL_EXISTS      /* query */
};

enum tsql_op {
    TSQL_NO_OP,
    TSQL_NEGATE,
    TSQL_PLUS,
    TSQL_BIT_NOT,
    TSQL_ADD, /* also joins strings */
    TSQL_SUB,
    TSQL_MUL,
    TSQL_DIV,
    TSQL_MOD,
    TSQL_BIT_AND,
    TSQL_BIT_OR,
    TSQL_BIT_XOR,
    TSQL_EQ,
    TSQL_NE, /* <> and != */
    TSQL_LT,
    TSQL_LE, /* <= and !> */
    TSQL_GT,
    TSQL_GE /* >= and !< */
};

enum tsql_literal_kind {
    TSQL_NULL,   /* type is INT, as in SQL Server */
    TSQL_INT,    /* text: digits; type INT. Numbers outside INT's range are TSQL_DECIMAL, as in SQL Server. */
    TSQL_DECIMAL, /* text: digits with at most one point; type NUMERIC(p,s) */
    TSQL_FLOAT,  /* text: with an exponent, as strtod reads it; type FLOAT */
    TSQL_MONEY,  /* text: [-]digits with at most one point, without the currency sign; type MONEY */
    TSQL_STRING, /* text: the value, quotes undone; type VARCHAR(n), n ≥ 1, or VARCHAR(MAX) */
    TSQL_NSTRING, /* the same of N'…'; type NVARCHAR(n) or NVARCHAR(MAX), n in UTF-16 units */
    TSQL_BINARY_LITERAL /* text: the raw bytes; type VARBINARY(n) or VARBINARY(MAX) */
};

struct tsql_literal {
    enum tsql_literal_kind kind;
    struct tsql_text text;
    struct sqltype type; /* the type that T-SQL gives it */
};

struct tsql_column_ref {
    struct tsql_text database, schema, table, name;
};

/* A type as written in CAST or a column definition. */
struct tsql_type {
    struct sqltype type;
    struct tsql_text collation; /* of a column; CAST has none */
    bool implied_not_null;      /* SYSNAME: NOT NULL unless NULL is written */
};

enum tsql_cast_kind { TSQL_CAST_PLAIN, TSQL_CAST_TRY };

struct tsql_cast {
    enum tsql_cast_kind kind;
    struct tsql_type type;
    struct tsql_expr *value;
    struct tsql_expr *style; /* CONVERT's third argument; NULL when absent */
};

struct tsql_when {
    struct tsql_when *next;
    struct tsql_expr *when; /* a value in the simple form, a condition in the searched one */
    struct tsql_expr *then;
};

struct tsql_order {
    struct tsql_order *next;
    struct tsql_expr *value; /* a bare TSQL_INT is a position */
    bool descending;
};

enum tsql_bound_kind {
    TSQL_UNBOUNDED_PRECEDING,
    TSQL_PRECEDING, /* offset */
    TSQL_CURRENT_ROW,
    TSQL_FOLLOWING, /* offset */
    TSQL_UNBOUNDED_FOLLOWING
};

struct tsql_bound {
    enum tsql_bound_kind kind;
    struct tsql_expr *offset;
};

struct tsql_window {
    struct tsql_expr *partition_by; /* list */
    struct tsql_order *order_by;
    bool has_frame;
    bool range; /* RANGE, else ROWS */
    struct tsql_bound start, end; /* `ROWS n PRECEDING` alone ends at the current row */
};

struct tsql_call {
    struct tsql_text schema;  /* dbo.f(…); empty for the built-in ones */
    struct tsql_text name;    /* as written; CURRENT_TIMESTAMP, USER … come without parentheses as calls without arguments */
    struct tsql_expr *args;   /* list; TRIM(chars FROM text) is (text, chars) */
    size_t arg_count;
    bool star;                /* COUNT(*) */
    bool distinct;            /* COUNT(DISTINCT x) */
    struct tsql_order *within_group; /* STRING_AGG(…) WITHIN GROUP (ORDER BY …) */
    struct tsql_window *over; /* NULL without OVER */
};

enum tsql_datepart {
    TSQL_YEAR,
    TSQL_QUARTER,
    TSQL_MONTH,
    TSQL_DAYOFYEAR,
    TSQL_DAY,
    TSQL_WEEK,
    TSQL_ISO_WEEK,
    TSQL_WEEKDAY,
    TSQL_HOUR,
    TSQL_MINUTE,
    TSQL_SECOND,
    TSQL_MILLISECOND,
    TSQL_MICROSECOND,
    TSQL_NANOSECOND,
    TSQL_TZOFFSET,
    TSQL_DATEPARTS
};

struct tsql_expr {
    struct tsql_expr *next; /* in a list of expressions */
    enum tsql_expr_kind kind;
    enum tsql_op op;
    bool negated;
    bool all;
    int line;
    int depth; /* levels below and with this node; a leaf has 1, a subquery counts what it holds */
    struct tsql_expr *a, *b, *c;
    struct tsql_query *query; /* TSQL_SUBQUERY, TSQL_QUANTIFIED, TSQL_EXISTS, and TSQL_IN without a list */
    union {
        struct tsql_literal literal;
        struct tsql_column_ref column;
        struct tsql_text text;
        struct tsql_expr *list;
        struct tsql_cast *cast;
        struct tsql_call *call;
        enum tsql_datepart datepart;
        struct {
            struct tsql_when *whens;
            struct tsql_expr *otherwise;
        };
    };
};

/* Whether the expression is a condition (true, false or unknown) and not a value. */
bool tsql_expr_is_condition(const struct tsql_expr *e);

/* ── Queries ─────────────────────────────────────────────────────────────────────────────────────────────────── */

enum tsql_source_kind {
    TSQL_TABLE,   /* name */
    TSQL_DERIVED, /* (query) AS alias [(columns)] */
    TSQL_ROWS,    /* (VALUES (…), (…)) AS alias (columns) */
    TSQL_JOIN     /* left … JOIN right [ON on] */
};

enum tsql_join_kind { TSQL_INNER, TSQL_LEFT, TSQL_RIGHT, TSQL_FULL, TSQL_CROSS };

struct tsql_row {
    struct tsql_row *next;
    struct tsql_expr *values; /* list; TSQL_DEFAULT may stand in INSERT's rows */
    size_t count;
};

struct tsql_source {
    struct tsql_source *next; /* the comma join */
    enum tsql_source_kind kind;
    int line;
    struct tsql_text alias; /* always given for TSQL_DERIVED and TSQL_ROWS */
    struct tsql_word *columns;
    struct tsql_name name;
    bool locks; /* a hint (UPDLOCK, HOLDLOCK …) wants what is read kept from changing until the transaction ends */
    struct tsql_query *query;
    struct tsql_row *rows;
    enum tsql_join_kind join;
    struct tsql_source *left, *right;
    struct tsql_expr *on; /* NULL for TSQL_CROSS only */
};

enum tsql_item_kind {
    TSQL_ITEM_EXPR,  /* value [AS alias]; of `SELECT @v = value` variable is set */
    TSQL_ITEM_STAR,  /* * */
    TSQL_ITEM_TABLE_STAR /* table.*; in OUTPUT the table is inserted or deleted */
};

struct tsql_item {
    struct tsql_item *next;
    enum tsql_item_kind kind;
    struct tsql_expr *value;
    struct tsql_text alias;    /* empty when none was written; a bare column then has its own name */
    struct tsql_text variable; /* "@v", for assignments */
    struct tsql_name table;    /* of TSQL_ITEM_TABLE_STAR */
    int line;
};

struct tsql_top {
    struct tsql_expr *count; /* NULL without TOP */
    bool percent;
    bool with_ties;
};

enum tsql_body_kind { TSQL_SELECT_BODY, TSQL_UNION, TSQL_UNION_ALL, TSQL_EXCEPT, TSQL_INTERSECT };

/* One SELECT, or two bodies joined by a set operator. */
struct tsql_body {
    enum tsql_body_kind kind;
    int line;
    int depth;
    struct tsql_body *left, *right; /* of set operators */
    bool distinct;
    struct tsql_top top;
    struct tsql_item *items;
    struct tsql_name into;    /* SELECT … INTO; name.len 0 without */
    struct tsql_source *from; /* NULL without FROM */
    struct tsql_expr *where;
    struct tsql_expr *group_by; /* list */
    struct tsql_expr *having;
};

struct tsql_cte {
    struct tsql_cte *next;
    struct tsql_text name;
    struct tsql_word *columns;
    struct tsql_query *query;
    int line;
};

struct tsql_query {
    struct tsql_cte *ctes; /* only at the top of a statement */
    struct tsql_body *body;
    struct tsql_order *order_by; /* in a subquery only with TOP or OFFSET (1033) */
    struct tsql_expr *offset;    /* OFFSET n ROWS; needs order_by */
    struct tsql_expr *fetch;     /* FETCH NEXT n ROWS ONLY; needs offset */
    int depth;
};

/* ── Statements ──────────────────────────────────────────────────────────────────────────────────────────────── */

enum tsql_statement_kind {
    TSQL_SELECT,
    TSQL_INSERT,
    TSQL_UPDATE,
    TSQL_DELETE,
    TSQL_TRUNCATE,        /* table */
    TSQL_CREATE_DATABASE, /* create_database */
    TSQL_DROP_DATABASE,   /* drop_database */
    TSQL_USE,             /* text */
    TSQL_CREATE_TABLE,
    TSQL_ALTER_TABLE,
    TSQL_DROP_TABLE, /* drop_table */
    TSQL_CREATE_INDEX,
    TSQL_DROP_INDEX,
    TSQL_BEGIN_TRAN,    /* text: the name, may be empty */
    TSQL_COMMIT_TRAN,   /* text: the name, may be empty */
    TSQL_ROLLBACK_TRAN, /* text: a transaction's or savepoint's name, may be empty */
    TSQL_SAVE_TRAN,     /* text: the savepoint */
    TSQL_SET,
    TSQL_PRINT, /* value */
    TSQL_IF,
    TSQL_BLOCK, /* block: BEGIN … END */
    TSQL_EXEC,
    TSQL_DECLARE, /* declarations, none of them `output`; a value may be any scalar */
    TSQL_RAISERROR, /* values: text, severity, state, arguments */
    TSQL_THROW      /* values: number, text, state */
};

/* OUTPUT items [INTO table [(columns)]]; items NULL without. */
struct tsql_output {
    struct tsql_item *items;
    struct tsql_name into;
    struct tsql_word *into_columns;
};

enum tsql_insert_kind { TSQL_INSERT_VALUES, TSQL_INSERT_QUERY, TSQL_INSERT_DEFAULTS };

struct tsql_insert {
    struct tsql_cte *ctes;
    struct tsql_top top;
    struct tsql_name table;
    struct tsql_word *columns; /* NULL: all but the identity column */
    struct tsql_output output;
    enum tsql_insert_kind kind;
    struct tsql_row *rows;
    struct tsql_query *query;
};

struct tsql_assignment {
    struct tsql_assignment *next;
    struct tsql_text variable;     /* SET @v = …, SET @v = column = …; empty else */
    struct tsql_column_ref column; /* name empty when only a variable is set */
    enum tsql_op op;               /* TSQL_NO_OP for =, TSQL_ADD for += … */
    struct tsql_expr *value;       /* may be TSQL_DEFAULT */
    int line;
};

struct tsql_update {
    struct tsql_cte *ctes;
    struct tsql_top top;
    struct tsql_name table; /* may be an alias of `from` */
    struct tsql_assignment *set;
    struct tsql_output output;
    struct tsql_source *from;
    struct tsql_expr *where;
};

struct tsql_delete {
    struct tsql_cte *ctes;
    struct tsql_top top;
    struct tsql_name table; /* may be an alias of `from` */
    struct tsql_output output;
    struct tsql_source *from;
    struct tsql_expr *where;
};

enum tsql_constraint_kind { TSQL_PRIMARY_KEY, TSQL_UNIQUE, TSQL_FOREIGN_KEY, TSQL_CHECK, TSQL_DEFAULT_CONSTRAINT };

enum tsql_action { TSQL_NO_ACTION, TSQL_CASCADE, TSQL_SET_NULL, TSQL_SET_DEFAULT };

/* Of a table or, without `columns`, of the column that it stands behind. */
struct tsql_constraint {
    struct tsql_constraint *next;
    enum tsql_constraint_kind kind;
    struct tsql_text name; /* empty when the server has to make one */
    bool clustered, nonclustered; /* as written */
    struct tsql_word *columns;    /* of a table's PRIMARY KEY, UNIQUE, FOREIGN KEY; DEFAULT … FOR column (ALTER TABLE) */
    struct tsql_expr *value;      /* CHECK's condition, DEFAULT's value */
    struct tsql_name references;
    struct tsql_word *references_columns; /* NULL: the other table's primary key */
    enum tsql_action on_delete, on_update;
    int line;
};

struct tsql_column_def {
    struct tsql_column_def *next;
    struct tsql_text name;
    struct tsql_type type;
    bool not_null;   /* NOT NULL was written, or implied by the type and not undone */
    bool null_given; /* NULL was written */
    bool identity;
    int64_t identity_seed, identity_increment; /* 1, 1 unless written */
    struct tsql_constraint *constraints; /* PRIMARY KEY, UNIQUE, DEFAULT, CHECK, REFERENCES, in the order of the source */
    int line;
};

struct tsql_create_table {
    struct tsql_name table;
    struct tsql_column_def *columns; /* at least one */
    struct tsql_constraint *constraints;
};

enum tsql_alter_kind { TSQL_ALTER_ADD, TSQL_ALTER_COLUMN, TSQL_ALTER_DROP };

struct tsql_alter_table {
    struct tsql_name table;
    enum tsql_alter_kind kind;
    struct tsql_column_def *columns;     /* ADD; ALTER COLUMN: one, without constraints */
    struct tsql_constraint *constraints; /* ADD */
    struct tsql_word *drop_columns;      /* DROP */
    struct tsql_word *drop_constraints;
    bool if_exists; /* of DROP */
};

struct tsql_drop_table {
    struct tsql_name_item *tables;
    bool if_exists;
};

struct tsql_create_index {
    struct tsql_text name;
    bool unique, clustered;
    struct tsql_name table;
    struct tsql_word *columns;
    struct tsql_word *include;
    struct tsql_expr *where;
};

struct tsql_drop_index_item {
    struct tsql_drop_index_item *next;
    struct tsql_text name;
    struct tsql_name table;
};

struct tsql_drop_index {
    struct tsql_drop_index_item *items;
    bool if_exists;
};

struct tsql_create_database {
    struct tsql_text name;
    struct tsql_text collation; /* empty without COLLATE */
};

struct tsql_drop_database {
    struct tsql_word *names;
    bool if_exists;
};

enum tsql_set_kind {
    TSQL_SET_ON_OFF,    /* options, on: SET ANSI_NULLS, QUOTED_IDENTIFIER ON; STATISTICS IO is one option */
    TSQL_SET_VALUE,     /* options (one), value: a literal or a TSQL_VARIABLE; words (LANGUAGE us_english) are TSQL_STRING */
    TSQL_SET_ISOLATION, /* options (one): "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE" */
    TSQL_SET_IDENTITY_INSERT, /* table, on */
    TSQL_SET_VARIABLE   /* SET @v = value: options (one) is "@v" */
};

struct tsql_set {
    enum tsql_set_kind kind;
    struct tsql_word *options; /* upper case; unknown ones are for the binder to refuse (195) */
    bool on;
    struct tsql_expr *value;
    struct tsql_name table;
};

struct tsql_if {
    struct tsql_expr *condition;
    struct tsql_statement *then;
    struct tsql_statement *otherwise; /* NULL without ELSE */
};

struct tsql_argument {
    struct tsql_argument *next;
    struct tsql_text name; /* "@stmt"; empty when positional */
    struct tsql_expr *value; /* a literal (a bare word is TSQL_STRING), a variable, a global, or TSQL_DEFAULT */
    bool output;
};

struct tsql_exec {
    struct tsql_name procedure;
    struct tsql_text result; /* EXEC @r = …; empty without */
    struct tsql_argument *arguments;
};

struct tsql_statement {
    struct tsql_statement *next;
    enum tsql_statement_kind kind;
    int line; /* of its first word, 1 for the batch's first line */
    int max_recursion; /* OPTION (MAXRECURSION n); -1 without */
    union {
        struct tsql_query *select;
        struct tsql_insert *insert;
        struct tsql_update *update;
        struct tsql_delete *delete_;
        struct tsql_name table;
        struct tsql_create_database create_database;
        struct tsql_drop_database drop_database;
        struct tsql_text text;
        struct tsql_create_table *create_table;
        struct tsql_alter_table *alter_table;
        struct tsql_drop_table drop_table;
        struct tsql_create_index *create_index;
        struct tsql_drop_index drop_index;
        struct tsql_set *set;
        struct tsql_expr *value;
        struct tsql_if if_;
        struct tsql_statement *block;
        struct tsql_exec *exec;
        struct tsql_declaration *declarations;
        struct tsql_expr *values; /* list: literals and variables, at least three */
    };
};

struct tsql_batch {
    struct tsql_statement *statements; /* NULL for an empty batch */
};

/* Of "@p1 int, @p2 nvarchar(4000) OUTPUT", as sp_executesql and sp_prepare take it, and of DECLARE. */
struct tsql_declaration {
    struct tsql_declaration *next;
    struct tsql_text name; /* "@p1" */
    struct tsql_type type;
    struct tsql_expr *value; /* = default; NULL without */
    bool output;
    int line; /* of DECLARE's */
};

/* Writes the batch as T-SQL, from the tree only: parsing it gives an equal tree, and printing that the same text. */
void tsql_print(const struct tsql_batch *batch, struct buf *out);
void tsql_print_expr(const struct tsql_expr *e, struct buf *out);

#endif
