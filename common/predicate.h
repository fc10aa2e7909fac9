/* The grammar of conditions: parse, bind parameters, inspect, emit.
 *
 *   predicate  := and { OR and } ;  and := not { AND not } ;  not := NOT not | '(' predicate ')' | comparison
 *   comparison := operand ( = | <> | != | < | <= | > | >= ) operand
 *               | operand [NOT] BETWEEN operand AND operand
 *               | operand [NOT] IN '(' value { ',' value } ')'
 *               | operand [NOT] LIKE string [ESCAPE string of one character]
 *               | operand IS [NOT] NULL
 *   operand    := value | column | function '(' operand ')'
 *   value      := literal | @name
 *   literal    := [+-] number | [N]'text', '' inside stands for '
 *   string     := a literal or an @name that is a string
 *   column     := name | [name], ]] inside stands for ] | "name"
 *
 * NOT, '(' and each function go one level deeper. AND directly inside AND, and OR inside OR, are one node.
 *
 * Knows nothing about tables, shards or ODBC. The tree is public to be walked: the router narrows shards by it, the
 * worker checks columns and writes T-SQL from it through predicate_write_sql(), in which no byte of the source text but a
 * column name that the caller spells can appear.
 */
#ifndef SHARDGATE_PREDICATE_H
#define SHARDGATE_PREDICATE_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>

#define PREDICATE_MAX_BYTES 8192
#define PREDICATE_MAX_DEPTH 32
#define PREDICATE_MAX_NODES 1000      /* conditions and columns together */
#define PREDICATE_MAX_PARAMETERS 1000 /* literals and @names */
#define PREDICATE_MAX_STRING 4000     /* UTF-16 units */

enum predicate_op {
    PREDICATE_OR,      /* children */
    PREDICATE_AND,     /* children */
    PREDICATE_NOT,     /* children, one */
    PREDICATE_EQ,      /* operands[0], operands[1] */
    PREDICATE_NE,
    PREDICATE_LT,
    PREDICATE_LE,
    PREDICATE_GT,
    PREDICATE_GE,
    PREDICATE_BETWEEN, /* operands[0] BETWEEN operands[1] AND operands[2] */
    PREDICATE_IN,      /* operands[0] IN operands[1…] */
    PREDICATE_LIKE,    /* operands[0] LIKE operands[1] [ESCAPE operands[2]] */
    PREDICATE_IS_NULL  /* operands[0] */
};

enum predicate_operand_kind {
    PREDICATE_COLUMN, /* text: the name, unquoted */
    PREDICATE_NUMBER, /* text: as written, but no "+", no leading zeros, digits on both sides of a point: -12, 1.50, 0.5, 1e3 */
    PREDICATE_STRING, /* text: the value, quotes undone; national tells N'' */
    PREDICATE_PARAM,  /* text: the name without @; predicate_bind replaces it by one of the others */
    PREDICATE_NULLVAL /* a parameter whose value is null */
};

enum predicate_function {
    PREDICATE_NO_FUNCTION,
    PREDICATE_LOWER,
    PREDICATE_UPPER,
    PREDICATE_LEN,
    PREDICATE_LTRIM,
    PREDICATE_RTRIM,
    PREDICATE_ABS,
    PREDICATE_YEAR,
    PREDICATE_MONTH,
    PREDICATE_DAY
};

/* The type that T-SQL gives a literal; literals are never narrowed to a column's type. */
enum predicate_literal_type {
    PREDICATE_INT,      /* fits INT */
    PREDICATE_BIGINT,   /* fits BIGINT */
    PREDICATE_DECIMAL,  /* other numbers without exponent, precision and scale as written, at most 38 digits */
    PREDICATE_FLOAT,    /* with exponent */
    PREDICATE_VARCHAR,  /* '…' and JSON strings in params that are ASCII */
    PREDICATE_NVARCHAR, /* N'…', and any text outside ASCII */
    PREDICATE_BIT       /* true and false in params; text "1", "0" */
};

struct predicate_operand {
    enum predicate_operand_kind kind;
    /* functions around the operand, the innermost first: LOWER(RTRIM(name)) is {RTRIM, LOWER} */
    enum predicate_function functions[PREDICATE_MAX_DEPTH];
    size_t function_count;
    enum predicate_literal_type type; /* of literals */
    int precision, scale;             /* of PREDICATE_DECIMAL */
    const char *text;                 /* UTF-8 with a NUL behind it that len does not count */
    size_t len;
    size_t offset; /* byte offset in the condition, for messages */
};

struct predicate_node {
    enum predicate_op op;
    bool negated; /* NOT BETWEEN, NOT IN, NOT LIKE, IS NOT NULL */
    struct predicate_node **children;
    size_t child_count;
    struct predicate_operand *operands;
    size_t operand_count;
};

struct predicate;

/* Parses. ERR_BAD_CONDITION with the byte offset and the token. The text is copied; the caller frees *out. A condition
 * that names no column at all ('a'='a') is refused. */
int predicate_parse(const char *text, size_t len, struct predicate **out, struct err *e) __attribute__((warn_unused_result));
/* The same for a statement that changes rows: a condition that names no column is ERR_UNSAFE_STATEMENT. */
int predicate_parse_for_write(const char *text, size_t len, struct predicate **out, struct err *e)
    __attribute__((warn_unused_result));
void predicate_free(struct predicate *p);
const struct predicate_node *predicate_root(const struct predicate *p);

/* Gives each @name its value out of `params` (an object of strings, numbers, booleans and nulls; NULL for none). Names
 * match without regard to case. ERR_BAD_CONDITION for a name without value, ERR_BAD_FIELD for a value of another kind or
 * out of its type's range, and for a param that is not used. Values are copied. */
int predicate_bind(struct predicate *p, const struct json_object *params, struct err *e) __attribute__((warn_unused_result));

/* The same for predicates that share their params (condition and having): each param must be used by one of them. Entries
 * may be NULL. */
int predicate_bind_all(struct predicate *const *list, size_t count, const struct json_object *params, struct err *e)
    __attribute__((warn_unused_result));

/* Calls `visit` for each column operand; stops at its first non-zero result and returns that. */
int predicate_each_column(const struct predicate *p, int (*visit)(void *arg, const struct predicate_operand *column), void *arg);

/* Appends the canonical text of the condition: parsing it gives an equal tree, and emitting that the same text. What
 * predicate_bind put in stands as a literal: NULL and, for booleans, 1 and 0, which parsing does not take back. */
void predicate_emit(const struct predicate *p, struct buf *out);

/* Writes the condition as T-SQL, after predicate_bind. Columns and literals (NUMBER, STRING, NULLVAL) are written by the
 * caller's functions (a bracketed name of the catalogue, a parameter's placeholder), their SQL functions around them and
 * the rest come from constants. A non-zero result of a function ends it and is returned; else 0. */
struct predicate_writer {
    int (*column)(void *arg, const struct predicate_operand *column, struct buf *out);
    int (*literal)(void *arg, const struct predicate_operand *literal, struct buf *out);
    void *arg;
};
int predicate_write_sql(const struct predicate *p, const struct predicate_writer *w, struct buf *out)
    __attribute__((warn_unused_result));

#endif
