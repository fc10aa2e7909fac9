#include "tds-server/language/tsql_parser.h"

#include "tds-server/values/unicode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_UNITS 128 /* UTF-16 units of a name */

/* Productions inside each other. Parentheses and signs count here and make no node, so it is more than a tree may be
 * deep. A level takes some 1.5 KiB of stack. */
#define MAX_NESTING (2 * TSQL_MAX_DEPTH)

void tsql_parser_init(struct tsql_parser *p, struct arena *arena, const char *sql, size_t len, bool quoted_identifier,
                      struct tsql_error *e)
{
    *p = (struct tsql_parser){.arena = arena, .error = e, .quoted_identifier = quoted_identifier, .statement_ended = true};
    p->token.source.data = "";
    *e = (struct tsql_error){0};
    tsql_lex_init(&p->lexer, arena, sql, len, e);
    tsql_advance(p);
}

static void read_token(struct tsql_parser *p, struct tsql_token *token)
{
    tsql_lex_next(&p->lexer, token);
}

void tsql_advance(struct tsql_parser *p)
{
    if (p->failed)
        return;
    p->last = p->token.source;
    if (p->has_next) {
        p->token = p->next;
        p->has_next = false;
    } else {
        read_token(p, &p->token);
    }
    p->failed = p->token.kind == TOKEN_ERROR;
}

const struct tsql_token *tsql_peek(struct tsql_parser *p)
{
    if (!p->has_next && !p->failed) {
        read_token(p, &p->next);
        p->has_next = true;
        if (p->next.kind == TOKEN_ERROR) {
            p->failed = true;
            p->token.kind = TOKEN_ERROR;
        }
    }
    return p->has_next ? &p->next : &p->token;
}

bool tsql_at(const struct tsql_parser *p, int kind)
{
    return p->token.kind == kind;
}

bool tsql_at_word(const struct tsql_parser *p, enum tsql_keyword word)
{
    return p->token.kind == TOKEN_WORD && p->token.word == word;
}

bool tsql_at_word_then(struct tsql_parser *p, enum tsql_keyword word, int kind)
{
    return tsql_at_word(p, word) && tsql_peek(p)->kind == kind;
}

bool tsql_at_words(struct tsql_parser *p, enum tsql_keyword word, enum tsql_keyword other)
{
    if (!tsql_at_word(p, word))
        return false;
    const struct tsql_token *next = tsql_peek(p);
    return next->kind == TOKEN_WORD && next->word == other;
}

bool tsql_at_text(const struct tsql_parser *p, const char *text)
{
    return p->token.kind == TOKEN_WORD && !p->token.reserved && tsql_text_equals(p->token.text, text);
}

bool tsql_take(struct tsql_parser *p, int kind)
{
    if (p->token.kind != kind)
        return false;
    tsql_advance(p);
    return true;
}

bool tsql_take_word(struct tsql_parser *p, enum tsql_keyword word)
{
    if (!tsql_at_word(p, word))
        return false;
    tsql_advance(p);
    return true;
}

int tsql_expect(struct tsql_parser *p, int kind)
{
    return tsql_take(p, kind) ? 0 : tsql_fail_here(p);
}

int tsql_expect_word(struct tsql_parser *p, enum tsql_keyword word)
{
    return tsql_take_word(p, word) ? 0 : tsql_fail_here(p);
}

int tsql_fail(struct tsql_parser *p, int number, int line, const char *format, ...)
{
    if (p->failed)
        return -1;
    char text[TSQL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tsql_error_set(p->error, number, line, "%s", text);
    p->failed = true;
    p->token.kind = TOKEN_ERROR;
    return -1;
}

int tsql_fail_here(struct tsql_parser *p)
{
    const struct tsql_token *t = &p->token;
    if (t->kind == TOKEN_END)
        return tsql_fail(p, 102, t->line, "Incorrect syntax near '%.*s'.", tsql_error_cut(p->last.len, p->last.data), p->last.data);
    if (t->reserved)
        return tsql_fail(p, 156, t->line, "Incorrect syntax near the keyword '%.*s'.", (int)t->source.len, t->source.data);
    struct tsql_text shown = t->text.data != NULL && t->kind != TOKEN_HEX ? t->text : t->source;
    return tsql_fail(p, 102, t->line, "Incorrect syntax near '%.*s'.", tsql_error_cut(shown.len, shown.data), shown.data);
}

int tsql_refuse_statement(struct tsql_parser *p, const char *what)
{
    return tsql_fail(p, TSQL_ERROR_STATEMENT, p->token.line, "Statement '%s' is not supported by this server.", what);
}

int tsql_refuse_clause(struct tsql_parser *p, const char *what)
{
    return tsql_fail(p, TSQL_ERROR_CLAUSE, p->token.line, "'%s' is not supported by this server.", what);
}

void *tsql_alloc(struct tsql_parser *p, size_t size)
{
    void *memory = arena_alloc(p->arena, size);
    if (memory == NULL)
        tsql_fail(p, TSQL_ERROR_MEMORY, p->token.line, "There is insufficient system memory to run this query.");
    return memory;
}

int tsql_fail_depth(struct tsql_parser *p)
{
    return tsql_fail(p, TSQL_ERROR_DEPTH, p->token.line,
                     "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.");
}

int tsql_check_depth(struct tsql_parser *p, int depth)
{
    return depth <= TSQL_MAX_DEPTH ? 0 : tsql_fail_depth(p);
}

int tsql_enter(struct tsql_parser *p)
{
    return ++p->depth <= MAX_NESTING ? 0 : tsql_fail_depth(p);
}

void tsql_leave(struct tsql_parser *p)
{
    p->depth--;
}

bool tsql_text_equals(struct tsql_text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

bool tsql_at_string(const struct tsql_parser *p)
{
    int kind = p->token.kind;
    return kind == TOKEN_STRING || kind == TOKEN_NSTRING || (kind == TOKEN_QUOTED && !p->quoted_identifier);
}

bool tsql_at_name(const struct tsql_parser *p)
{
    int kind = p->token.kind;
    return (kind == TOKEN_WORD && !p->token.reserved) || kind == TOKEN_NAME || (kind == TOKEN_QUOTED && p->quoted_identifier);
}

int tsql_take_name(struct tsql_parser *p, struct tsql_text *out)
{
    struct tsql_text text = p->token.text;
    if (text.len == 0)
        return tsql_fail(p, 1038, p->token.line,
                         "An object or column name is missing or empty. Aliases defined as \"\" or [] are not allowed. "
                         "Change the alias to a valid name.");
    if (memchr(text.data, '\0', text.len) != NULL)
        return tsql_fail_here(p);
    if (unicode_units(text.data, text.len) > NAME_MAX_UNITS)
        return tsql_fail(p, 103, p->token.line, "The identifier that starts with '%.*s' is too long. Maximum length is %d.",
                         tsql_error_cut(text.len, text.data), text.data, NAME_MAX_UNITS);
    *out = text;
    tsql_advance(p);
    return p->failed ? -1 : 0;
}

/* name := word | '[' … ']' | '"' … '"' */
int tsql_parse_name(struct tsql_parser *p, struct tsql_text *out)
{
    return tsql_at_name(p) ? tsql_take_name(p, out) : tsql_fail_here(p);
}

/* object := [[[server '.'] database '.'] schema '.'] name ;  the parts before the name may be empty: db..t */
int tsql_parse_object_name(struct tsql_parser *p, struct tsql_name *out)
{
    struct tsql_text parts[4] = {0};
    size_t count = 0;
    *out = (struct tsql_name){.line = p->token.line};
    for (;;) {
        if (count == 4)
            return tsql_fail(p, 117, p->token.line, "The object name contains more than the maximum number of prefixes. The maximum is 3.");
        if (count > 0 && tsql_at(p, '.'))
            parts[count] = (struct tsql_text){"", 0};
        else if (tsql_parse_name(p, &parts[count]) != 0)
            return -1;
        count++;
        if (!tsql_take(p, '.'))
            break;
    }
    out->name = parts[count - 1];
    if (count > 1)
        out->schema = parts[count - 2];
    if (count > 2)
        out->database = parts[count - 3];
    if (count > 3)
        out->server = parts[count - 4];
    if (out->name.len > 1 && out->name.data[0] == '#' && out->name.data[1] == '#')
        return tsql_refuse_clause(p, "global temporary table");
    /* A name with # is tempdb's, whatever database is written in front. */
    if (out->name.len > 0 && out->name.data[0] == '#') {
        out->server = out->schema = (struct tsql_text){"", 0};
        out->database = (struct tsql_text){"tempdb", strlen("tempdb")};
    }
    return 0;
}

int tsql_parse_name_list(struct tsql_parser *p, bool directions, struct tsql_word **out)
{
    struct tsql_word **end = out;
    if (tsql_expect(p, '(') != 0)
        return -1;
    do {
        struct tsql_word *word = TSQL_NEW(p, struct tsql_word);
        if (word == NULL || tsql_parse_name(p, &word->text) != 0)
            return -1;
        if (directions) {
            word->descending = tsql_at_word(p, WORD_DESC);
            if (tsql_at_word(p, WORD_DESC) || tsql_at_word(p, WORD_ASC))
                tsql_advance(p);
        }
        *end = word;
        end = &word->next;
    } while (tsql_take(p, ','));
    return tsql_expect(p, ')');
}

int tsql_skip_parentheses(struct tsql_parser *p)
{
    size_t open = 0;
    do {
        if (tsql_at(p, TOKEN_END) || p->failed)
            return tsql_fail_here(p);
        open += tsql_at(p, '(');
        open -= tsql_at(p, ')');
        tsql_advance(p);
    } while (open > 0);
    return p->failed ? -1 : 0;
}
