#include "tds-server/language/tsql_lex.h"

#include "tds-server/values/unicode.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_TOKEN_MAX 128 /* bytes of a token that an error quotes */

struct word_row {
    const char *text;
    enum tsql_keyword word;
    bool reserved;
};

static const struct word_row words[] = {
#define X(word, reserved) {#word, WORD_##word, reserved},
    TSQL_WORDS(X)
#undef X
};

#define WORD_COUNT (sizeof(words) / sizeof(words[0]))
#define WORD_LONGEST 38

/* Operators of several characters, the longest first among those that start alike. */
static const struct {
    const char text[3];
    int kind;
} operators[] = {
    {"<=", TOKEN_LE},      {"<>", TOKEN_NE},      {">=", TOKEN_GE},      {"!=", TOKEN_NE},      {"!<", TOKEN_GE},
    {"!>", TOKEN_LE},      {"::", TOKEN_COLONS},  {"+=", TOKEN_ADD_SET}, {"-=", TOKEN_SUB_SET}, {"*=", TOKEN_MUL_SET},
    {"/=", TOKEN_DIV_SET}, {"%=", TOKEN_MOD_SET}, {"&=", TOKEN_AND_SET}, {"|=", TOKEN_OR_SET},  {"^=", TOKEN_XOR_SET},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void tsql_error_set(struct tsql_error *e, int number, int line, const char *format, ...)
{
    *e = (struct tsql_error){.number = number, .severity = number == TSQL_ERROR_MEMORY ? 17 : 15, .state = 1, .line = line};
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof(e->text), format, args);
    va_end(args);
}

int tsql_error_cut(size_t len, const char *text)
{
    if (len <= ERROR_TOKEN_MAX)
        return (int)len;
    size_t cut = ERROR_TOKEN_MAX;
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    return (int)cut;
}

void tsql_lex_init(struct tsql_lexer *lexer, struct arena *arena, const char *sql, size_t len, struct tsql_error *e)
{
    *lexer = (struct tsql_lexer){.at = sql, .end = sql + len, .line = 1, .arena = arena, .error = e};
}

static size_t left(const struct tsql_lexer *x)
{
    return (size_t)(x->end - x->at);
}

/* The byte `offset` ahead, NUL behind the end. */
static char ahead(const struct tsql_lexer *x, size_t offset)
{
    return offset < left(x) ? x->at[offset] : '\0';
}

static void set_memory_error(struct tsql_lexer *x, struct tsql_token *token)
{
    tsql_error_set(x->error, TSQL_ERROR_MEMORY, x->line, "There is insufficient system memory to run this query.");
    token->kind = TOKEN_ERROR;
}

/* The unclosed quote's error shows what follows the quote, as SQL Server's does. */
static void set_unclosed(struct tsql_lexer *x, struct tsql_token *token, const char *body)
{
    size_t len = (size_t)(x->end - body);
    tsql_error_set(x->error, 105, token->line, "Unclosed quotation mark after the character string '%.*s'.", tsql_error_cut(len, body), body);
    token->kind = TOKEN_ERROR;
}

/* Skips a comment that starts here; nested ones inside belong to it. false when its end is missing. */
static bool skip_block_comment(struct tsql_lexer *x)
{
    size_t depth = 0;
    while (left(x) > 0) {
        if (x->at[0] == '/' && ahead(x, 1) == '*') {
            depth++;
            x->at += 2;
        } else if (x->at[0] == '*' && ahead(x, 1) == '/') {
            x->at += 2;
            if (--depth == 0)
                return true;
        } else {
            x->line += x->at[0] == '\n';
            x->at++;
        }
    }
    return false;
}

/* White space and comments. false (with the error set) for a comment without end. */
static bool skip_blank(struct tsql_lexer *x)
{
    while (left(x) > 0) {
        char c = x->at[0];
        int32_t code;
        if (c == '-' && ahead(x, 1) == '-') {
            while (left(x) > 0 && x->at[0] != '\n')
                x->at++;
        } else if (c == '/' && ahead(x, 1) == '*') {
            int line = x->line;
            if (!skip_block_comment(x)) {
                tsql_error_set(x->error, 113, line, "Missing end comment mark '*/'.");
                return false;
            }
        } else if (c != '\0' && (unsigned char)c <= ' ') {
            x->line += c == '\n';
            x->at++;
        } else if ((unsigned char)c >= 0x80) {
            size_t n = unicode_decode(x->at, left(x), &code);
            if (!unicode_is_space(code))
                return true;
            x->at += n;
        } else {
            return true;
        }
    }
    return true;
}

/* The bytes that go on a name here: 0 when no name character stands here. */
static size_t name_character(const struct tsql_lexer *x, bool first)
{
    if (left(x) == 0)
        return 0;
    char c = x->at[0];
    if (is_ascii_letter(c) || c == '_' || c == '#' || c == '@')
        return 1;
    if (!first && (is_digit(c) || c == '$'))
        return 1;
    if ((unsigned char)c < 0x80)
        return 0;
    int32_t code;
    size_t n = unicode_decode(x->at, left(x), &code);
    return (first ? unicode_is_letter(code) : unicode_is_name_part(code)) ? n : 0;
}

static int compare_word(const void *key, const void *row)
{
    return strcmp(key, ((const struct word_row *)row)->text);
}

static void find_word(struct tsql_token *token)
{
    char upper[WORD_LONGEST + 1];
    size_t len = token->source.len;
    if (len > WORD_LONGEST)
        return;
    for (size_t i = 0; i < len; i++) {
        char c = token->source.data[i];
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    upper[len] = '\0';
    const struct word_row *row = bsearch(upper, words, WORD_COUNT, sizeof(words[0]), compare_word);
    if (row == NULL)
        return;
    token->word = row->word;
    token->reserved = row->reserved;
}

static void copy_text(struct tsql_lexer *x, struct tsql_token *token, const char *data, size_t len)
{
    token->text.data = arena_copy(x->arena, data, len);
    token->text.len = len;
    if (token->text.data == NULL)
        set_memory_error(x, token);
}

/* word := letter { letter | digit | '@' | '$' | '#' | '_' } ;  variable := '@' …  */
static void read_word(struct tsql_lexer *x, struct tsql_token *token)
{
    const char *start = x->at;
    token->kind = TOKEN_WORD;
    if (start[0] == '@')
        token->kind = ahead(x, 1) == '@' ? TOKEN_GLOBAL : TOKEN_VARIABLE;
    for (size_t n = name_character(x, true); n > 0; n = name_character(x, false))
        x->at += n;
    token->source = (struct tsql_text){start, (size_t)(x->at - start)};
    if (token->kind == TOKEN_WORD)
        find_word(token);
    if (!token->reserved)
        copy_text(x, token, start, token->source.len);
}

/* text between quotes; the closing one doubled stands for itself */
static void read_quoted(struct tsql_lexer *x, struct tsql_token *token, char close)
{
    const char *body = ++x->at;
    size_t doubled = 0;
    for (;;) {
        const char *stop = memchr(x->at, close, left(x));
        if (stop == NULL) {
            set_unclosed(x, token, body);
            x->at = x->end;
            return;
        }
        x->at = stop + 1;
        if (ahead(x, 0) != close)
            break;
        doubled++;
        x->at++;
    }
    size_t raw = (size_t)(x->at - 1 - body);
    char *text = arena_alloc(x->arena, raw - doubled + 1);
    if (text == NULL) {
        set_memory_error(x, token);
        return;
    }
    token->text = (struct tsql_text){text, raw - doubled};
    for (size_t i = 0; i < raw; i++) {
        x->line += body[i] == '\n';
        *text++ = body[i];
        if (body[i] == close)
            i++;
    }
}

static void read_hex(struct tsql_lexer *x, struct tsql_token *token)
{
    x->at += 2;
    const char *digits = x->at;
    while (left(x) > 0 && hex_value(x->at[0]) >= 0)
        x->at++;
    size_t count = (size_t)(x->at - digits);
    unsigned char *bytes = arena_alloc(x->arena, count / 2 + 2);
    if (bytes == NULL) {
        set_memory_error(x, token);
        return;
    }
    /* An odd number of digits has a 0 before the first. */
    size_t odd = count % 2;
    for (size_t i = 0; i < count; i++) {
        size_t place = (i + odd) / 2;
        bytes[place] = (unsigned char)(bytes[place] * 16 + hex_value(digits[i]));
    }
    token->kind = TOKEN_HEX;
    token->text = (struct tsql_text){(const char *)bytes, (count + odd) / 2};
}

static void skip_digits(struct tsql_lexer *x)
{
    while (is_digit(ahead(x, 0)))
        x->at++;
}

/* number := digits [ '.' [digits] ] [ E [+|-] [digits] ] | '.' digits … ;  `1e` is 1e0, as in SQL Server */
static void read_number(struct tsql_lexer *x, struct tsql_token *token)
{
    const char *start = x->at;
    token->kind = TOKEN_INTEGER;
    skip_digits(x);
    if (ahead(x, 0) == '.') {
        token->kind = TOKEN_DECIMAL;
        x->at++;
        skip_digits(x);
    }
    if (ahead(x, 0) != 'e' && ahead(x, 0) != 'E') {
        copy_text(x, token, start, (size_t)(x->at - start));
        return;
    }
    token->kind = TOKEN_FLOAT;
    x->at++;
    if ((ahead(x, 0) == '+' || ahead(x, 0) == '-') && is_digit(ahead(x, 1)))
        x->at++;
    bool bare = !is_digit(ahead(x, 0));
    skip_digits(x);
    size_t len = (size_t)(x->at - start);
    char *text = arena_alloc(x->arena, len + 2);
    if (text == NULL) {
        set_memory_error(x, token);
        return;
    }
    memcpy(text, start, len);
    if (bare)
        text[len] = '0';
    token->text = (struct tsql_text){text, len + bare};
    if (isinf(strtod(token->text.data, NULL))) {
        tsql_error_set(x->error, 168, token->line,
                       "The floating point value '%.*s' is out of the range of computer representation (8 bytes).",
                       tsql_error_cut(len, start), start);
        token->kind = TOKEN_ERROR;
    }
}

/* The bytes of a currency sign that stands here, 0 for none ($action is no money). */
static size_t currency_sign(const struct tsql_lexer *x)
{
    if (ahead(x, 0) == '$')
        return is_ascii_letter(ahead(x, 1)) ? 0 : 1;
    if (left(x) == 0 || (unsigned char)x->at[0] < 0x80)
        return 0;
    int32_t code;
    size_t n = unicode_decode(x->at, left(x), &code);
    bool sign = (code >= 0xA2 && code <= 0xA5) || (code >= 0x20A0 && code <= 0x20BF);
    return sign ? n : 0;
}

/* money := sign [+|-] [digits] [ '.' [digits] ] ;  a sign alone is 0 */
static void read_money(struct tsql_lexer *x, struct tsql_token *token, size_t sign)
{
    token->kind = TOKEN_MONEY;
    x->at += sign;
    const char *start = x->at;
    if ((ahead(x, 0) == '-' || ahead(x, 0) == '+') && (is_digit(ahead(x, 1)) || (ahead(x, 1) == '.' && is_digit(ahead(x, 2)))))
        x->at++;
    skip_digits(x);
    if (ahead(x, 0) == '.' && (x->at > start || is_digit(ahead(x, 1)))) {
        x->at++;
        skip_digits(x);
    }
    size_t len = (size_t)(x->at - start);
    if (len == 0)
        copy_text(x, token, "0", 1);
    else
        copy_text(x, token, start[0] == '+' ? start + 1 : start, start[0] == '+' ? len - 1 : len);
}

static void read_operator(struct tsql_lexer *x, struct tsql_token *token)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (x->at[0] == operators[i].text[0] && ahead(x, 1) == operators[i].text[1]) {
            token->kind = operators[i].kind;
            x->at += 2;
            return;
        }
    }
    if (x->at[0] != '\0' && strchr("()*,+-./%&|^~<>=;{}:?", x->at[0]) != NULL) {
        token->kind = x->at[0];
        x->at++;
        return;
    }
    int32_t code;
    size_t n = unicode_decode(x->at, left(x), &code);
    /* A stray byte is not shown: the message must stay valid UTF-8. */
    tsql_error_set(x->error, 102, token->line, "Incorrect syntax near '%.*s'.", code < 0 ? 0 : (int)n, x->at);
    token->kind = TOKEN_ERROR;
}

void tsql_lex_next(struct tsql_lexer *x, struct tsql_token *token)
{
    *token = (struct tsql_token){.line = x->line};
    if (!skip_blank(x)) {
        token->kind = TOKEN_ERROR;
        return;
    }
    token->line = x->line;
    const char *start = x->at;
    if (left(x) == 0) {
        token->kind = TOKEN_END;
        return;
    }
    char c = x->at[0];
    size_t sign;
    if (c == '\'') {
        token->kind = TOKEN_STRING;
        read_quoted(x, token, '\'');
    } else if ((c == 'N' || c == 'n') && ahead(x, 1) == '\'') {
        token->kind = TOKEN_NSTRING;
        x->at++;
        read_quoted(x, token, '\'');
    } else if (c == '[') {
        token->kind = TOKEN_NAME;
        read_quoted(x, token, ']');
    } else if (c == '"') {
        token->kind = TOKEN_QUOTED;
        read_quoted(x, token, '"');
    } else if (c == '0' && (ahead(x, 1) == 'x' || ahead(x, 1) == 'X')) {
        read_hex(x, token);
    } else if (is_digit(c) || (c == '.' && is_digit(ahead(x, 1)))) {
        read_number(x, token);
    } else if (name_character(x, true) > 0) {
        read_word(x, token);
    } else if ((sign = currency_sign(x)) > 0) {
        read_money(x, token, sign);
    } else {
        read_operator(x, token);
    }
    token->source = (struct tsql_text){start, (size_t)(x->at - start)};
}
