/* What the files of the parser share: the state, the steps from token to token, and the productions that one file uses of
 * another. Private to tsql_parse*.c.
 *
 * The first error stays, and makes TOKEN_ERROR the current token for good: loops end and expectations fail by themselves.
 * A production returns NULL or -1 after an error. Its comment is its grammar; [x] may be absent, {x} may repeat.
 */
#ifndef SHARDGATE_TDS_TSQL_PARSER_H
#define SHARDGATE_TDS_TSQL_PARSER_H

#include "tds-server/language/tsql_lex.h"
#include "tds-server/language/tsql_parse.h"
#include "tds-server/language/tsql_tree.h"

struct tsql_parser {
    struct tsql_lexer lexer;
    struct tsql_token token; /* the current one */
    struct tsql_token next;  /* the one behind it, when has_next */
    bool has_next;
    struct tsql_text last; /* the token before the current one, for errors at the end */
    struct arena *arena;
    struct tsql_error *error;
    bool failed;
    bool quoted_identifier;
    bool statement_ended; /* the current statement follows a semicolon, or nothing */
    int depth;            /* productions that are nested now */
    int tables;           /* of the query under way */
    int max_recursion;    /* of the statement under way: OPTION (MAXRECURSION n); -1 without */
};

/* ── tsql_parser.c: steps ── */

void tsql_parser_init(struct tsql_parser *p, struct arena *arena, const char *sql, size_t len, bool quoted_identifier,
                      struct tsql_error *e);
void tsql_advance(struct tsql_parser *p);
const struct tsql_token *tsql_peek(struct tsql_parser *p);

bool tsql_at(const struct tsql_parser *p, int kind);
bool tsql_at_word(const struct tsql_parser *p, enum tsql_keyword word);
/* Whether the current token is the word and the next one has the kind (or is the other word). */
bool tsql_at_word_then(struct tsql_parser *p, enum tsql_keyword word, int kind);
bool tsql_at_words(struct tsql_parser *p, enum tsql_keyword word, enum tsql_keyword other);
bool tsql_at_text(const struct tsql_parser *p, const char *text); /* an unreserved word, without regard to case */
bool tsql_take(struct tsql_parser *p, int kind);
bool tsql_take_word(struct tsql_parser *p, enum tsql_keyword word);
int tsql_expect(struct tsql_parser *p, int kind);
int tsql_expect_word(struct tsql_parser *p, enum tsql_keyword word);

/* All set the first error and return -1. */
int tsql_fail(struct tsql_parser *p, int number, int line, const char *format, ...) __attribute__((format(printf, 4, 5)));
int tsql_fail_here(struct tsql_parser *p); /* 102 or 156 near the current token */
int tsql_refuse_statement(struct tsql_parser *p, const char *what);
int tsql_refuse_clause(struct tsql_parser *p, const char *what);

/* Zeroed memory of the batch; NULL with the error set. */
void *tsql_alloc(struct tsql_parser *p, size_t size);
#define TSQL_NEW(p, type) ((type *)tsql_alloc((p), sizeof(type)))

/* Counts a level of nesting; -1 (191) at the limit. Every enter has a leave, but after an error none is needed. */
int tsql_enter(struct tsql_parser *p);
void tsql_leave(struct tsql_parser *p);
/* -1 (191) for a tree that is deeper than TSQL_MAX_DEPTH. */
int tsql_check_depth(struct tsql_parser *p, int depth);
int tsql_fail_depth(struct tsql_parser *p);

/* Names. A string stands for a name where SQL Server takes one: tsql_at_name tells names alone. */
bool tsql_at_name(const struct tsql_parser *p);
int tsql_parse_name(struct tsql_parser *p, struct tsql_text *out);
int tsql_take_name(struct tsql_parser *p, struct tsql_text *out); /* of the current token, be it a name or a string */
int tsql_parse_object_name(struct tsql_parser *p, struct tsql_name *out);
bool tsql_at_string(const struct tsql_parser *p);
bool tsql_text_equals(struct tsql_text text, const char *word); /* without regard to ASCII case */

/* '(' name [ASC|DESC] {',' …} ')' */
int tsql_parse_name_list(struct tsql_parser *p, bool directions, struct tsql_word **out);
/* Skips '(' … ')' with whatever is balanced in it. */
int tsql_skip_parentheses(struct tsql_parser *p);

/* ── tsql_parse_expr.c ── */

struct tsql_expr *tsql_parse_value(struct tsql_parser *p);     /* a scalar; a condition is an error */
struct tsql_expr *tsql_parse_condition(struct tsql_parser *p); /* a condition; a scalar is error 4145 */
int tsql_parse_values(struct tsql_parser *p, bool defaults, struct tsql_expr **list, size_t *count, int *depth); /* value {',' value} */
struct tsql_expr *tsql_parse_literal(struct tsql_parser *p);   /* [+|-] literal */
bool tsql_at_literal(const struct tsql_parser *p);
struct tsql_expr *tsql_parse_plain_literal(struct tsql_parser *p); /* without a sign; the current token is one */
struct tsql_expr *tsql_new_expr(struct tsql_parser *p, enum tsql_expr_kind kind, int line);
/* Makes *depth more than a child's. */
void tsql_grow(int *depth, int child);
/* `e` with the depth of its children a, b, c and query counted; NULL (191) when that is too deep. */
struct tsql_expr *tsql_finish_expr(struct tsql_parser *p, struct tsql_expr *e);

/* ── tsql_parse_call.c ── */

/* The call whose name was read; its '(' is the current token. */
struct tsql_expr *tsql_parse_call(struct tsql_parser *p, struct tsql_text schema, struct tsql_text name, int line);
struct tsql_expr *tsql_parse_escape(struct tsql_parser *p); /* '{' is the current token */
/* true when the current token starts such an operand: then *out is it, or NULL after an error. */
bool tsql_parse_word_operand(struct tsql_parser *p, struct tsql_expr **out);

/* ── tsql_parse_type.c ── */

int tsql_parse_type(struct tsql_parser *p, bool column, struct tsql_type *out);

/* ── tsql_parse_select.c ── */

struct tsql_query *tsql_parse_query(struct tsql_parser *p, struct tsql_cte *ctes);
struct tsql_query *tsql_parse_subquery(struct tsql_parser *p); /* '(' query ')', the parenthesis is the current token */
int tsql_parse_ctes(struct tsql_parser *p, struct tsql_cte **out);
int tsql_parse_items(struct tsql_parser *p, bool output, struct tsql_item **out, int *depth);
int tsql_parse_sources(struct tsql_parser *p, struct tsql_source **out, int *depth); /* FROM's list */
int tsql_parse_order(struct tsql_parser *p, struct tsql_order **out, int *depth);    /* BY … */
int tsql_parse_top(struct tsql_parser *p, bool select, struct tsql_top *out, int *depth);
int tsql_parse_rows(struct tsql_parser *p, bool defaults, struct tsql_row **out, int *depth); /* behind VALUES */
/* [WITH '(' … ')']; sets *locks when a hint asks for a lock that is held. */
int tsql_parse_hints(struct tsql_parser *p, bool *locks);
int tsql_parse_option(struct tsql_parser *p); /* [OPTION '(' … ')'] */

/* ── tsql_parse_dml.c and tsql_parse_ddl.c: each fills the statement in, the current token being its first word ── */

int tsql_parse_insert(struct tsql_parser *p, struct tsql_statement *s, struct tsql_cte *ctes);
int tsql_parse_update(struct tsql_parser *p, struct tsql_statement *s, struct tsql_cte *ctes);
int tsql_parse_delete(struct tsql_parser *p, struct tsql_statement *s, struct tsql_cte *ctes);
int tsql_parse_truncate(struct tsql_parser *p, struct tsql_statement *s);
int tsql_parse_create(struct tsql_parser *p, struct tsql_statement *s);
int tsql_parse_alter(struct tsql_parser *p, struct tsql_statement *s);
int tsql_parse_drop(struct tsql_parser *p, struct tsql_statement *s);

#endif
