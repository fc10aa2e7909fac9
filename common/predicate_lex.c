#include "common/predicate_private.h"
#include "common/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TOKEN_SHOWN_MAX 24 /* bytes of a token that a message shows */

static const struct {
    const char *name;
    enum predicate_keyword keyword;
} keywords[] = {
    {"AND", KEYWORD_AND}, {"BETWEEN", KEYWORD_BETWEEN}, {"ESCAPE", KEYWORD_ESCAPE},
    {"IN", KEYWORD_IN},   {"IS", KEYWORD_IS},           {"LIKE", KEYWORD_LIKE},
    {"NOT", KEYWORD_NOT}, {"NULL", KEYWORD_NULL},       {"OR", KEYWORD_OR},
};

/* Longest first, so that "<=" is not read as "<". */
static const struct {
    const char *text;
    enum predicate_op op;
} comparisons[] = {
    {"<>", PREDICATE_NE}, {"!=", PREDICATE_NE}, {"<=", PREDICATE_LE}, {">=", PREDICATE_GE},
    {"=", PREDICATE_EQ},  {"<", PREDICATE_LT},  {">", PREDICATE_GT},
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_word(char c)
{
    return is_word_start(c) || is_digit(c);
}

/* The byte at `at`, NUL behind the end. NUL is no part of any token, so the two need no telling apart here. */
static char byte_at(const struct predicate_lexer *lx, size_t at)
{
    return at < lx->len ? lx->text[at] : '\0';
}

static bool starts_with(const struct predicate_lexer *lx, const char *text)
{
    const size_t n = strlen(text);
    return n <= lx->len - lx->at && memcmp(lx->text + lx->at, text, n) == 0;
}

/* Writes bytes for a message: printable ASCII as it is, all else as one '?' a character, cut with "...". */
static void show(const char *text, size_t len, char *out)
{
    size_t n = 0;

    for (size_t at = 0; at < len;) {
        if (n == TOKEN_SHOWN_MAX) {
            memcpy(out + n, "...", 3);
            n += 3;
            break;
        }
        uint32_t c;
        size_t step = utf8_decode(text + at, len - at, &c);
        if (step == 0) {
            step = 1;
            c = 0;
        }
        out[n++] = c >= 0x20 && c < 0x7F ? (char)c : '?';
        at += step;
    }
    out[n] = '\0';
}

int predicate_lex_unexpected(const struct predicate_lexer *lx, const struct predicate_token *t, const char *expected,
                             struct err *e)
{
    char shown[TOKEN_SHOWN_MAX + 4];
    char what[sizeof shown + 16];

    if (t->kind == TOKEN_END) {
        snprintf(what, sizeof what, "end");
    } else {
        const bool quoted = t->kind == TOKEN_STRING;
        show(quoted ? t->body : lx->text + t->offset, quoted ? t->body_len : t->len, shown);
        snprintf(what, sizeof what, quoted ? "string '%s'" : "'%s'", shown);
    }
    return err_set(e, ERR_BAD_CONDITION, "condition: unexpected %s at byte %zu%s%s%s", what, t->offset,
                   expected ? ", " : "", expected ? expected : "", expected ? " is expected" : "");
}

/* The bytes that no token begins with. */
static int fail_byte(const struct predicate_lexer *lx, struct err *e)
{
    uint32_t c;
    const size_t n = utf8_decode(lx->text + lx->at, lx->len - lx->at, &c);

    if (n == 0)
        return err_set(e, ERR_BAD_CONDITION, "condition: invalid UTF-8 at byte %zu", lx->at);
    if (starts_with(lx, "--") || starts_with(lx, "/*"))
        return err_set(e, ERR_BAD_CONDITION, "condition: unexpected '%.2s' at byte %zu, comments are not allowed",
                       lx->text + lx->at, lx->at);
    if (c < 0x20 || c >= 0x7F)
        return err_set(e, ERR_BAD_CONDITION,
                       "condition: unexpected U+%04X at byte %zu, outside quotes only ASCII is allowed", c, lx->at);
    return err_set(e, ERR_BAD_CONDITION, "condition: unexpected '%c' at byte %zu", (char)c, lx->at);
}

/* Finishes a token that ends before byte `end`. */
static int finish(struct predicate_lexer *lx, struct predicate_token *t, enum predicate_token_kind kind, size_t end)
{
    t->kind = kind;
    t->len = end - t->offset;
    if (!t->body) {
        t->body = lx->text + t->offset;
        t->body_len = t->len;
    }
    lx->at = end;
    return 0;
}

/* Finds the closing quote behind `start`, skipping doubled ones; false when there is none. */
static bool find_close(const struct predicate_lexer *lx, size_t start, char close, size_t *end)
{
    for (size_t at = start; at < lx->len; at++) {
        if (lx->text[at] != close)
            continue;
        if (byte_at(lx, at + 1) != close) {
            *end = at;
            return true;
        }
        at++;
    }
    return false;
}

/* [name] or "name": 1 to PREDICATE_MAX_NAME UTF-16 units, no control characters. Which names exist, the table knows. */
static int lex_name(struct predicate_lexer *lx, struct predicate_token *t, struct err *e)
{
    size_t end;
    size_t units;

    t->quote = lx->text[lx->at] == '[' ? ']' : '"';
    if (!find_close(lx, lx->at + 1, t->quote, &end))
        return err_set(e, ERR_BAD_CONDITION, "condition: the name at byte %zu has no closing %c", lx->at, t->quote);
    t->body = lx->text + lx->at + 1;
    t->body_len = end - lx->at - 1;
    if (t->body_len == 0)
        return err_set(e, ERR_BAD_CONDITION, "condition: the name at byte %zu is empty", lx->at);
    if (!utf8_measure(t->body, t->body_len, &units, NULL))
        return err_set(e, ERR_BAD_CONDITION, "condition: invalid UTF-8 in the name at byte %zu", lx->at);
    for (size_t i = 0; i < t->body_len; i++) {
        const unsigned char c = (unsigned char)t->body[i];
        const bool c1 = c == 0xC2 && (unsigned char)t->body[i + 1] < 0xA0; /* U+0080…U+009F; valid, so i + 1 is inside */
        if (c < 0x20 || c == 0x7F || c1)
            return err_set(e, ERR_BAD_CONDITION, "condition: a control character in the name at byte %zu", lx->at);
        if (t->body[i] == t->quote) { /* the first of two, which stand for one */
            i++;
            units--;
        }
    }
    if (units > PREDICATE_MAX_NAME)
        return err_set(e, ERR_BAD_CONDITION, "condition: the name at byte %zu is longer than %d characters", lx->at,
                       PREDICATE_MAX_NAME);
    return finish(lx, t, TOKEN_NAME, end + 1);
}

/* '…' or N'…': valid UTF-8 without NUL, at most PREDICATE_MAX_STRING UTF-16 units. */
static int lex_string(struct predicate_lexer *lx, struct predicate_token *t, struct err *e)
{
    size_t end;
    size_t units;

    t->national = lx->text[lx->at] != '\'';
    t->quote = '\'';
    const size_t start = lx->at + (t->national ? 2 : 1);
    if (!find_close(lx, start, '\'', &end))
        return err_set(e, ERR_BAD_CONDITION, "condition: the string at byte %zu has no closing '", lx->at);
    t->body = lx->text + start;
    t->body_len = end - start;
    if (memchr(t->body, '\0', t->body_len))
        return err_set(e, ERR_BAD_CONDITION, "condition: NUL in the string at byte %zu", lx->at);
    if (!utf8_measure(t->body, t->body_len, &units, NULL))
        return err_set(e, ERR_BAD_CONDITION, "condition: invalid UTF-8 in the string at byte %zu", lx->at);
    for (size_t i = 0; i < t->body_len; i++) {
        if (t->body[i] == '\'') {
            i++;
            units--;
        }
    }
    if (units > PREDICATE_MAX_STRING)
        return err_set(e, ERR_BAD_CONDITION, "condition: the string at byte %zu is longer than %d characters", lx->at,
                       PREDICATE_MAX_STRING);
    return finish(lx, t, TOKEN_STRING, end + 1);
}

/* digits [. digits] [e [+-] digits], or .digits; what follows must not look like more of it: 12abc, 1.0.0, 0x53. */
static int lex_number(struct predicate_lexer *lx, struct predicate_token *t, struct err *e)
{
    size_t at = lx->at;

    while (is_digit(byte_at(lx, at)))
        at++;
    if (byte_at(lx, at) == '.')
        at++;
    while (is_digit(byte_at(lx, at)))
        at++;
    if (byte_at(lx, at) == 'e' || byte_at(lx, at) == 'E') {
        size_t exponent = at + 1;
        if (byte_at(lx, exponent) == '+' || byte_at(lx, exponent) == '-')
            exponent++;
        while (is_digit(byte_at(lx, exponent))) {
            exponent++;
            at = exponent;
        }
    }
    finish(lx, t, TOKEN_NUMBER, at);
    const char after = byte_at(lx, at);
    if (is_word(after) || memchr(".@#$'\"[", after, 7) || (after & 0x80)) {
        while (is_word(byte_at(lx, at)) || byte_at(lx, at) == '.')
            at++;
        t->len = at - t->offset;
        char shown[TOKEN_SHOWN_MAX + 4];
        show(lx->text + t->offset, t->len, shown);
        return err_set(e, ERR_BAD_CONDITION, "condition: '%s' at byte %zu is not a number", shown, t->offset);
    }
    return 0;
}

/* @name. @@name, the server's variables, is no token. */
static int lex_param(struct predicate_lexer *lx, struct predicate_token *t, struct err *e)
{
    size_t at = lx->at + 1;

    if (!is_word_start(byte_at(lx, at)))
        return fail_byte(lx, e);
    while (is_word(byte_at(lx, at)))
        at++;
    t->body = lx->text + lx->at + 1;
    t->body_len = at - lx->at - 1;
    if (t->body_len > PREDICATE_MAX_PARAM)
        return err_set(e, ERR_BAD_CONDITION, "condition: the parameter at byte %zu is longer than %d characters", lx->at,
                       PREDICATE_MAX_PARAM);
    return finish(lx, t, TOKEN_PARAM, at);
}

static int lex_word(struct predicate_lexer *lx, struct predicate_token *t, struct err *e)
{
    size_t at = lx->at;

    while (is_word(byte_at(lx, at)))
        at++;
    finish(lx, t, TOKEN_WORD, at);
    if (t->len > PREDICATE_MAX_NAME)
        return err_set(e, ERR_BAD_CONDITION, "condition: the name at byte %zu is longer than %d characters", t->offset,
                       PREDICATE_MAX_NAME);
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (strlen(keywords[i].name) == t->len && strncasecmp(keywords[i].name, t->body, t->len) == 0)
            t->keyword = keywords[i].keyword;
    return 0;
}

int predicate_lex_next(struct predicate_lexer *lx, struct predicate_token *out, struct err *e)
{
    while (lx->at < lx->len && is_space(lx->text[lx->at]))
        lx->at++;
    *out = (struct predicate_token){.offset = lx->at};
    if (lx->at == lx->len)
        return finish(lx, out, TOKEN_END, lx->at);

    const char c = lx->text[lx->at];
    const char next = byte_at(lx, lx->at + 1);
    if (c == '\'' || ((c == 'N' || c == 'n') && next == '\''))
        return lex_string(lx, out, e);
    if (is_word_start(c))
        return lex_word(lx, out, e);
    if (is_digit(c) || (c == '.' && is_digit(next)))
        return lex_number(lx, out, e);
    if (c == '[' || c == '"')
        return lex_name(lx, out, e);
    if (c == '@')
        return lex_param(lx, out, e);
    if (c == '(' || c == ')' || c == ',')
        return finish(lx, out, c == '(' ? TOKEN_OPEN : c == ')' ? TOKEN_CLOSE : TOKEN_COMMA, lx->at + 1);
    if (c == '+' || (c == '-' && next != '-')) /* "--" begins a comment */
        return finish(lx, out, TOKEN_SIGN, lx->at + 1);
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++) {
        if (starts_with(lx, comparisons[i].text)) {
            out->op = comparisons[i].op;
            return finish(lx, out, TOKEN_COMPARISON, lx->at + strlen(comparisons[i].text));
        }
    }
    return fail_byte(lx, e);
}

bool predicate_lex_sees_open(const struct predicate_lexer *lx)
{
    size_t at = lx->at;

    while (is_space(byte_at(lx, at)))
        at++;
    return byte_at(lx, at) == '(';
}

size_t predicate_lex_unquote(const struct predicate_token *t, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < t->body_len; i++) {
        out[n++] = t->body[i];
        if (t->quote && t->body[i] == t->quote)
            i++;
    }
    return n;
}
