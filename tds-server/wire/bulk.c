#include "tds-server/wire/bulk.h"

#include "tds-server/language/tsql_lex.h"

#include <string.h>

#define STATEMENT_MAX ((size_t)4 << 20) /* of the INSERT's text: 1,024 columns of the longest names fit */
#define MEMORY_TEXT "There is insufficient system memory to run this query."

enum token {
    TOKEN_COLMETADATA = 0x81,
    TOKEN_ROW = 0xD1,
    TOKEN_NBCROW = 0xD2,
    TOKEN_DONE = 0xFD,
};

/* --- the statement --- */

struct statement_reader {
    struct tsql_lexer lexer;
    struct tsql_token token; /* the next one */
    struct tsql_error *error;
};

static void advance(struct statement_reader *s)
{
    if (s->token.kind != TOKEN_ERROR) {
        tsql_lex_next(&s->lexer, &s->token);
    }
}

static bool at_word(const struct statement_reader *s, enum tsql_keyword word)
{
    return s->token.kind == TOKEN_WORD && s->token.word == word;
}

static int fail_here(struct statement_reader *s)
{
    if (s->token.kind != TOKEN_ERROR) {
        tsql_error_set(s->error, 102, s->token.line, "Incorrect syntax near '%.*s'.", tsql_error_cut(s->token.source.len, s->token.source.data),
                       s->token.source.data);
    }
    return -1;
}

static int expect(struct statement_reader *s, int kind)
{
    if (s->token.kind != kind) {
        return fail_here(s);
    }
    advance(s);
    return 0;
}

/* Where the source of a token starts and where that of the one before ended tell what stands between. */
static const char *token_start(const struct statement_reader *s)
{
    return s->token.kind == TOKEN_END || s->token.kind == TOKEN_ERROR ? s->lexer.end : s->token.source.data;
}

/* Appends the source from `start` up to the next token. */
static void append_source(const struct statement_reader *s, const char *start, struct buf *out)
{
    buf_append(out, start, (size_t)(token_start(s) - start));
}

/* target := part { '.' [part] } */
static int read_target(struct statement_reader *s, struct buf *out)
{
    const char *start = token_start(s);
    bool part = false;
    while (s->token.kind == '.' || (!part && (s->token.kind == TOKEN_WORD || s->token.kind == TOKEN_NAME || s->token.kind == TOKEN_QUOTED))) {
        part = s->token.kind != '.';
        advance(s);
    }
    if (!part) {
        return fail_here(s);
    }
    append_source(s, start, out);
    return 0;
}

/* column := name type { type's other tokens | COLLATE name | [NOT] NULL }; the type alone is declared. */
static int read_column(struct statement_reader *s, size_t number, struct buf *names, struct buf *declarations)
{
    const char *start = token_start(s);
    if (s->token.kind != TOKEN_WORD && s->token.kind != TOKEN_NAME && s->token.kind != TOKEN_QUOTED) {
        return fail_here(s);
    }
    advance(s);
    buf_append_text(names, number > 1 ? ", " : "");
    append_source(s, start, names);
    buf_printf(declarations, "%s@c%zu ", number > 1 ? ", " : "", number);
    int depth = 0;
    size_t type_tokens = 0;
    while (depth > 0 || (s->token.kind != ',' && s->token.kind != ')')) {
        if (s->token.kind == TOKEN_END || s->token.kind == TOKEN_ERROR || s->token.kind == ';') {
            return fail_here(s);
        }
        if (depth == 0 && at_word(s, WORD_COLLATE)) {
            advance(s);
            advance(s);
        } else if (depth == 0 && (at_word(s, WORD_NOT) || at_word(s, WORD_NULL))) {
            advance(s);
        } else {
            depth += (s->token.kind == '(') - (s->token.kind == ')');
            start = token_start(s);
            advance(s);
            append_source(s, start, declarations);
            type_tokens++;
        }
    }
    return type_tokens > 0 ? 0 : fail_here(s);
}

/* insert_bulk := INSERT BULK target '(' column { ',' column } ')' [WITH '(' hints ')'] [';'] */
static int read_statement(struct statement_reader *s, struct buf *target, struct buf *names, struct buf *declarations, size_t *columns)
{
    advance(s);
    advance(s);
    if (read_target(s, target) != 0 || expect(s, '(') != 0) {
        return -1;
    }
    *columns = 0;
    do {
        if (*columns == BULK_MAX_COLUMNS) {
            return fail_here(s);
        }
        if (*columns > 0) {
            advance(s); /* the comma */
        }
        ++*columns;
        if (read_column(s, *columns, names, declarations) != 0) {
            return -1;
        }
    } while (s->token.kind == ',');
    if (expect(s, ')') != 0) {
        return -1;
    }
    if (at_word(s, WORD_WITH)) {
        int depth = 0;
        advance(s);
        do {
            depth += (s->token.kind == '(') - (s->token.kind == ')');
            if (depth == 0 && s->token.kind != ')') {
                return fail_here(s);
            }
            if (s->token.kind == TOKEN_END || s->token.kind == TOKEN_ERROR) {
                return fail_here(s);
            }
            advance(s);
        } while (depth > 0);
    }
    if (s->token.kind == ';') {
        advance(s);
    }
    return s->token.kind == TOKEN_END ? 0 : fail_here(s);
}

static bool begins(struct statement_reader *s)
{
    advance(s);
    if (!at_word(s, WORD_INSERT)) {
        return false;
    }
    struct statement_reader ahead = *s;
    advance(&ahead);
    return at_word(&ahead, WORD_BULK);
}

bool bulk_is_statement(const char *sql, size_t len)
{
    struct arena a;
    struct tsql_error e;
    struct statement_reader s = {.error = &e};
    arena_init(&a, STATEMENT_MAX);
    tsql_lex_init(&s.lexer, &a, sql, len, &e);
    bool is = begins(&s);
    arena_clear(&a);
    return is;
}

int bulk_read_statement(const char *sql, size_t len, struct arena *a, struct bulk_statement *out, struct tsql_error *e)
{
    struct buf target;
    struct buf names;
    struct buf declarations;
    struct buf insert;
    int result = -1;
    buf_init(&target, STATEMENT_MAX);
    buf_init(&names, STATEMENT_MAX);
    buf_init(&declarations, STATEMENT_MAX);
    buf_init(&insert, STATEMENT_MAX);
    *out = (struct bulk_statement){0};

    struct statement_reader s = {.error = e};
    tsql_lex_init(&s.lexer, a, sql, len, e);
    if (!begins(&s)) {
        fail_here(&s);
        goto out;
    }
    if (read_statement(&s, &target, &names, &declarations, &out->columns) != 0) {
        goto out;
    }
    buf_printf(&insert, "INSERT INTO %s (%s) VALUES (", buf_text(&target), buf_text(&names));
    for (size_t i = 1; i <= out->columns; i++) {
        buf_printf(&insert, "%s@c%zu", i > 1 ? ", " : "", i);
    }
    buf_append_char(&insert, ')');
    if (buf_status(&target) == 0 && buf_status(&names) == 0 && buf_status(&insert) == 0 && buf_status(&declarations) == 0) {
        out->insert = arena_copy(a, insert.data, insert.len);
        out->insert_len = insert.len;
        out->declarations = arena_copy(a, declarations.data, declarations.len);
        out->declarations_len = declarations.len;
    }
    if (out->insert == NULL || out->declarations == NULL) {
        tsql_error_set(e, TSQL_ERROR_MEMORY, 1, MEMORY_TEXT);
        goto out;
    }
    result = 0;

out:
    buf_clear(&insert);
    buf_clear(&declarations);
    buf_clear(&names);
    buf_clear(&target);
    return result;
}

/* --- the rows --- */

static int fail_stream(struct buf *error)
{
    buf_append_text(error, "The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended unexpectedly.");
    return -1;
}

int bulk_read_columns(const struct dialect *d, struct reader *r, struct wiretype *types, size_t count, struct buf *error)
{
    uint8_t token = reader_u8(r);
    uint16_t told = reader_u16le(r);
    if (r->failed || token != TOKEN_COLMETADATA) {
        return fail_stream(error);
    }
    if (told != count) {
        buf_printf(error, "The bulk load's rows have %u columns, and its INSERT BULK has %zu.", told, count);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        reader_bytes(r, d->version < DIALECT_72 ? 4 : 6); /* the user type, flags */
        if (wiretype_read_info(r, &types[i], error) != 0) {
            return -1;
        }
        if (wiretype_is_lob(&types[i])) { /* the table's name */
            reader_bytes(r, (size_t)reader_u16le(r) * 2);
        }
        reader_bytes(r, (size_t)reader_u8(r) * 2); /* the column's */
    }
    return r->failed ? fail_stream(error) : 0;
}

/* In a row a text pointer and a time stamp stand before a TEXT, NTEXT or IMAGE; without a pointer it is NULL. */
static int read_value(struct reader *r, const struct wiretype *w, struct arena *a, struct value *out, struct buf *error)
{
    if (wiretype_is_lob(w)) {
        uint8_t pointer = reader_u8(r);
        if (pointer == 0 && !r->failed) {
            *out = (struct value){.type = w->type, .null = true};
            return 0;
        }
        reader_bytes(r, (size_t)pointer + 8);
    }
    return wiretype_read_value(r, w, a, out, error);
}

int bulk_read_row(struct reader *r, const struct wiretype *types, size_t count, struct arena *a, struct value *values, struct buf *error)
{
    /* A client that has nothing more to say may leave DONE out. */
    if (reader_left(r) == 0) {
        return 0;
    }
    uint8_t token = reader_u8(r);
    if (token == TOKEN_DONE) {
        return 0;
    }
    if (token != TOKEN_ROW && token != TOKEN_NBCROW) {
        return fail_stream(error);
    }
    const unsigned char *nulls = token == TOKEN_NBCROW ? reader_bytes(r, (count + 7) / 8) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (nulls != NULL && (nulls[i / 8] >> i % 8 & 1) != 0) {
            values[i] = (struct value){.type = types[i].type, .null = true};
        } else if (read_value(r, &types[i], a, &values[i], error) != 0) {
            return -1;
        }
    }
    return r->failed ? fail_stream(error) : 1;
}
