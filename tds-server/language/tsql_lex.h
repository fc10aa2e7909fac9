/* The tokens of T-SQL. Knows no grammar: it tells words, names, literals and operators apart, undoes quoting, skips white
 * space and comments (-- and nested) and counts lines.
 */
#ifndef SHARDGATE_TDS_TSQL_LEX_H
#define SHARDGATE_TDS_TSQL_LEX_H

#include "common/arena.h"
#include "tds-server/language/tsql_parse.h"
#include "tds-server/language/tsql_words.h"

#include <stddef.h>

/* Operators of one character are tokens of that character's code. */
enum tsql_token_kind {
    TOKEN_END = 0,
    TOKEN_WORD = 256, /* text as written; `word` tells one that the grammar knows */
    TOKEN_NAME,       /* [name]; text undone */
    TOKEN_QUOTED,     /* "text": a name or a string, as QUOTED_IDENTIFIER says; text undone */
    TOKEN_VARIABLE,   /* @name, with its @ */
    TOKEN_GLOBAL,     /* @@name, with its @@ */
    TOKEN_STRING,     /* '…'; text undone */
    TOKEN_NSTRING,    /* N'…' */
    TOKEN_INTEGER,    /* digits */
    TOKEN_DECIMAL,    /* digits with a point */
    TOKEN_FLOAT,      /* with an exponent, as strtod reads it */
    TOKEN_MONEY,      /* text is what stands behind the currency sign: digits, with at most one sign and point */
    TOKEN_HEX,        /* 0x…; text is the bytes */
    TOKEN_LE,         /* <= and !> */
    TOKEN_GE,         /* >= and !< */
    TOKEN_NE,         /* <> and != */
    TOKEN_COLONS,     /* :: */
    TOKEN_ADD_SET,    /* += */
    TOKEN_SUB_SET,
    TOKEN_MUL_SET,
    TOKEN_DIV_SET,
    TOKEN_MOD_SET,
    TOKEN_AND_SET,
    TOKEN_OR_SET,
    TOKEN_XOR_SET,
    TOKEN_ERROR /* the lexer's error was set */
};

struct tsql_token {
    int kind; /* enum tsql_token_kind or a character */
    enum tsql_keyword word;
    bool reserved;
    int line;
    struct tsql_text text;   /* in the arena; empty for operators and reserved words */
    struct tsql_text source; /* as written, borrowed from the batch, without the closing NUL */
};

struct tsql_lexer {
    const char *at, *end;
    int line;
    struct arena *arena;
    struct tsql_error *error;
};

/* Starts at the first byte of `sql`, which must outlive the lexer. */
void tsql_lex_init(struct tsql_lexer *lexer, struct arena *arena, const char *sql, size_t len, struct tsql_error *e);

/* Reads the next token; TOKEN_END at the end, again and again; TOKEN_ERROR with the error filled in. */
void tsql_lex_next(struct tsql_lexer *lexer, struct tsql_token *token);

/* Fills the error in: severity and state by the number. `text` is a format. */
void tsql_error_set(struct tsql_error *e, int number, int line, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The length at which a text is cut to fit into an error's text, at a character's end. For "%.*s". */
int tsql_error_cut(size_t len, const char *text);

#endif
