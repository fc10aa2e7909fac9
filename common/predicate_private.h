/* What the files of `predicate` share: the tree's memory, the tokens and the typing of numbers. For them alone. */
#ifndef SHARDGATE_PREDICATE_PRIVATE_H
#define SHARDGATE_PREDICATE_PRIVATE_H

#include "common/predicate.h"

#define PREDICATE_MAX_NUMBER 128 /* bytes of a number, sign included */
#define PREDICATE_MAX_NAME 128   /* UTF-16 units of a column's name */
#define PREDICATE_MAX_PARAM 64   /* bytes of a parameter's name */

struct predicate_chunk;

struct predicate {
    struct predicate_node *root;
    struct predicate_chunk *chunks; /* all memory of the tree */
};

/* Zeroed memory that lives as long as `p`; NULL when memory ran out. */
void *predicate_alloc(struct predicate *p, size_t size);
/* A copy of `text` with a NUL behind it. */
char *predicate_copy(struct predicate *p, const char *text, size_t len);

/* Tokens (predicate_lex.c). */

enum predicate_token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* a bare word: a column, a keyword or a function's name */
    TOKEN_NAME,   /* [name] or "name" */
    TOKEN_STRING, /* '…' or N'…' */
    TOKEN_NUMBER, /* without its sign */
    TOKEN_SIGN,
    TOKEN_PARAM,
    TOKEN_COMPARISON,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA
};

enum predicate_keyword {
    KEYWORD_NONE,
    KEYWORD_AND,
    KEYWORD_BETWEEN,
    KEYWORD_ESCAPE,
    KEYWORD_IN,
    KEYWORD_IS,
    KEYWORD_LIKE,
    KEYWORD_NOT,
    KEYWORD_NULL,
    KEYWORD_OR
};

struct predicate_token {
    enum predicate_token_kind kind;
    size_t offset;                  /* of the token's first byte */
    size_t len;                     /* bytes of the whole token */
    const char *body;               /* what is inside the quotes or behind the @; else the token */
    size_t body_len;
    char quote;                     /* the byte that is doubled inside a TOKEN_NAME or TOKEN_STRING */
    bool national;                  /* N'…' */
    enum predicate_keyword keyword; /* of a TOKEN_WORD */
    enum predicate_op op;           /* of a TOKEN_COMPARISON */
};

struct predicate_lexer {
    const char *text;
    size_t len;
    size_t at; /* the first byte that is not read yet */
};

/* Reads the next token; TOKEN_END at the end. -1 with ERR_BAD_CONDITION for bytes that are none. */
int predicate_lex_next(struct predicate_lexer *lx, struct predicate_token *out, struct err *e)
    __attribute__((warn_unused_result));
/* Is an opening parenthesis next? */
bool predicate_lex_sees_open(const struct predicate_lexer *lx);
/* Sets "condition: unexpected 'token' at byte N, `expected` is expected"; `expected` may be NULL. Returns -1. */
int predicate_lex_unexpected(const struct predicate_lexer *lx, const struct predicate_token *t, const char *expected,
                             struct err *e);
/* Writes the body with doubled quotes undone; `out` has room for body_len bytes. Returns the length. */
size_t predicate_lex_unquote(const struct predicate_token *t, char *out);

/* Literals (predicate_literal.c). */

/* Types the number [+-]digits[.digits][e[+-]digits] as T-SQL does: fills kind, type, precision, scale and len of `out`, and
 * `number` with its text in our own form (see PREDICATE_NUMBER). NULL, or what is wrong with it ("is outside BIGINT"). */
const char *predicate_type_number(const char *text, size_t len, char number[PREDICATE_MAX_NUMBER + 1],
                                  struct predicate_operand *out);
/* Fills kind, type, text and len for a string; `text` is kept. */
void predicate_type_string(struct predicate_operand *out, bool national, const char *text, size_t len);

#endif
