/* The column definition of /create-table: a type, then its clauses. */
#include "common/sqltype_private.h"
#include "common/sqlvalue.h"
#include "common/utf8.h"

#include <string.h>
#include <strings.h>

#define WORD_SHOWN_MAX 24 /* bytes of a word that a message shows */

struct reader {
    const char *column; /* for messages */
    const char *at;
    const char *end;
    struct err *e;
};

static void skip_spaces(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
        r->at++;
}

static bool is_word(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* The length of the word at the reader, or of the one byte that is none. */
static size_t word_length(const struct reader *r)
{
    const char *p = r->at;
    while (p < r->end && is_word(*p))
        p++;
    return p > r->at ? (size_t)(p - r->at) : r->at < r->end ? 1 : 0;
}

/* Takes the keyword if it is next. */
static bool take_word(struct reader *r, const char *word)
{
    skip_spaces(r);
    if (word_length(r) != strlen(word) || strncasecmp(r->at, word, strlen(word)) != 0)
        return false;
    r->at += strlen(word);
    return true;
}

static int fail(struct reader *r, const char *what)
{
    return err_set(r->e, ERR_BAD_TYPE, "column '%s': %s", r->column, what);
}

static int unexpected(struct reader *r, const char *expected)
{
    char shown[WORD_SHOWN_MAX + 1];
    size_t n = 0;

    skip_spaces(r);
    const size_t len = word_length(r);
    while (n < len && n < WORD_SHOWN_MAX) {
        shown[n] = r->at[n] >= 0x20 && r->at[n] < 0x7F ? r->at[n] : '?';
        n++;
    }
    shown[n] = '\0';
    if (n == 0)
        return err_set(r->e, ERR_BAD_TYPE, "column '%s': unexpected end, %s is expected", r->column, expected);
    return err_set(r->e, ERR_BAD_TYPE, "column '%s': unexpected '%s', %s is expected", r->column, shown, expected);
}

/* Appends a string literal; N'…' where a code page might not hold the text. */
static void write_string(const struct sqltype *t, const struct sqlvalue *v, struct buf *out)
{
    const struct buf *text = &v->text;

    buf_append_text(out, sqltype_is_unicode(t) || !utf8_is_ascii(buf_text(text), text->len) ? "N'" : "'");
    for (size_t i = 0; i < text->len; i++) {
        buf_append_char(out, text->data[i]);
        if (text->data[i] == '\'')
            buf_append_char(out, '\'');
    }
    buf_append_char(out, '\'');
}

static void write_literal(const struct sqltype *t, const struct sqlvalue *v, struct buf *out)
{
    if (sqltype_is_binary(t)) {
        buf_append_text(out, "0x");
        for (size_t i = 0; i < v->text.len; i++)
            buf_printf(out, "%02x", (unsigned)(unsigned char)v->text.data[i]);
    } else if (sqltype_is_integer(t) || sqltype_is_decimal(t) || sqltype_is_float(t) || t->kind == SQLTYPE_BIT) {
        buf_append(out, buf_text(&v->text), v->text.len);
    } else {
        write_string(t, v, out);
    }
}

/* 0x…, for binaries; a single digit stands for a byte as in T-SQL. */
static int read_hex(struct reader *r, const struct sqltype *t, struct sqlvalue *out)
{
    const size_t len = word_length(r);
    struct buf bytes;
    unsigned value = 0;
    int rc = -1;

    buf_init(&bytes, SQLTYPE_MAX_COLUMN_BYTES);
    if (!sqltype_is_binary(t)) {
        unexpected(r, "another literal");
        goto out;
    }
    for (size_t i = 2; i < len; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = memchr(digits, r->at[i] | 0x20, 16);
        if (!digit) {
            unexpected(r, "a literal of hexadecimal digits");
            goto out;
        }
        value = value << 4 | (unsigned)(digit - digits);
        if ((len - i) % 2 == 1) { /* an even number of digits follows */
            buf_append_char(&bytes, (char)(value & 0xFF));
            value = 0;
        }
    }
    if (buf_status(&bytes) < 0) {
        err_set(r->e, ERR_INTERNAL, "out of memory");
        goto out;
    }
    rc = sqlvalue_from_bytes(t, bytes.data, bytes.len, out, r->e);
    if (rc == 0)
        r->at += len;
    else
        err_prefix(r->e, "column '%s': DEFAULT", r->column);
out:
    buf_clear(&bytes);
    return rc;
}

/* Converts the literal's text and moves the reader to `behind`. */
static int convert(struct reader *r, const struct sqltype *t, enum json_kind kind, const char *text, size_t len,
                   const char *behind, struct sqlvalue *out)
{
    if (sqlvalue_from_text(t, kind, text, len, out, r->e) < 0)
        return err_prefix(r->e, "column '%s': DEFAULT", r->column);
    r->at = behind;
    return 0;
}

/* [N]'text', '' inside stands for ' */
static int read_string(struct reader *r, const struct sqltype *t, struct sqlvalue *out)
{
    const char *p = r->at + (*r->at == '\'' ? 1 : 2);
    struct buf text;
    int rc = -1;

    buf_init(&text, SQLTYPE_MAX_COLUMN_BYTES);
    while (p < r->end && !(*p == '\'' && (r->end - p == 1 || p[1] != '\''))) {
        if (*p == '\0') {
            fail(r, "DEFAULT: NUL in the string");
            goto out;
        }
        p += *p == '\'' ? 1 : 0; /* the first of two */
        buf_append_char(&text, *p++);
    }
    if (p == r->end) {
        fail(r, "DEFAULT: the string has no closing '");
        goto out;
    }
    if (buf_status(&text) < 0)
        err_set(r->e, ERR_INTERNAL, "out of memory");
    else if (sqltype_is_binary(t)) /* T-SQL would not read base64 here */
        unexpected(r, "a literal 0x…");
    else
        rc = convert(r, t, JSON_STRING, buf_text(&text), text.len, p + 1, out);
out:
    buf_clear(&text);
    return rc;
}

/* [+-] digits … : all that can belong to a number; the conversion tells whether it is one. */
static int read_number(struct reader *r, const struct sqltype *t, struct sqlvalue *out)
{
    const char *p = r->at;

    for (; p < r->end && (is_word(*p) || *p == '.' || *p == '+' || *p == '-'); p++)
        if ((*p == '+' || *p == '-') && p > r->at && (p[-1] | 0x20) != 'e')
            break;
    return convert(r, t, JSON_NUMBER, r->at, (size_t)(p - r->at), p, out);
}

/* literal := NULL | [+-] number | [N]'text' | 0x… */
static int read_default(struct reader *r, struct sqltype_column *out)
{
    struct sqlvalue value;
    int rc = 0;

    if (take_word(r, "NULL")) {
        buf_append_text(&out->default_sql, "NULL");
        return 0;
    }
    sqlvalue_init(&value);
    const char c = r->at < r->end ? *r->at : '\0';
    const char next = r->end - r->at > 1 ? r->at[1] : '\0';
    if (c == '\'' || ((c == 'N' || c == 'n') && next == '\''))
        rc = read_string(r, &out->type, &value);
    else if (c == '0' && (next == 'x' || next == 'X'))
        rc = read_hex(r, &out->type, &value);
    else if ((c >= '0' && c <= '9') || c == '.' || c == '+' || c == '-')
        rc = read_number(r, &out->type, &value);
    else
        rc = unexpected(r, "a literal behind DEFAULT");
    if (rc == 0)
        write_literal(&out->type, &value, &out->default_sql);
    sqlvalue_clear(&value);
    return rc;
}

enum clause { CLAUSE_NULL, CLAUSE_NOT_NULL, CLAUSE_PRIMARY_KEY, CLAUSE_UNIQUE, CLAUSE_DEFAULT, CLAUSES };

static const struct {
    const char *first;
    const char *second; /* NULL for clauses of one word */
} clause_words[CLAUSES] = {
    [CLAUSE_NULL] = {"NULL", NULL},        [CLAUSE_NOT_NULL] = {"NOT", "NULL"}, [CLAUSE_PRIMARY_KEY] = {"PRIMARY", "KEY"},
    [CLAUSE_UNIQUE] = {"UNIQUE", NULL},    [CLAUSE_DEFAULT] = {"DEFAULT", NULL},
};

/* clause := NULL | NOT NULL | PRIMARY KEY | UNIQUE | DEFAULT literal */
static int read_clause(struct reader *r, bool seen[CLAUSES], struct sqltype_column *out)
{
    for (int i = 0; i < CLAUSES; i++) {
        const char *start = r->at;
        if (!take_word(r, clause_words[i].first))
            continue;
        if (clause_words[i].second && !take_word(r, clause_words[i].second))
            return unexpected(r, clause_words[i].second);
        if (seen[i]) {
            r->at = start;
            return unexpected(r, "each clause once");
        }
        seen[i] = true;
        return i == CLAUSE_DEFAULT ? read_default(r, out) : 0;
    }
    return unexpected(r, "NULL, NOT NULL, PRIMARY KEY, UNIQUE or DEFAULT");
}

/* Contradictions between the clauses, and with the type. */
static int check_clauses(struct reader *r, const struct sqltype_column *c)
{
    if (c->null_given && c->not_null)
        return fail(r, "NULL contradicts NOT NULL or PRIMARY KEY");
    if (c->not_null && c->has_default && strcmp(buf_text(&c->default_sql), "NULL") == 0)
        return fail(r, "DEFAULT NULL contradicts NOT NULL or PRIMARY KEY");
    if ((c->primary_key || c->unique) && c->type.length == SQLTYPE_MAX)
        return fail(r, "TEXT and the types of length MAX cannot be PRIMARY KEY or UNIQUE");
    return 0;
}

int sqltype_parse_column(const char *column, const char *text, size_t len, struct sqltype_column *out, struct err *e)
{
    struct reader r = {.column = column, .at = text, .end = text + len, .e = e};
    bool seen[CLAUSES] = {false};
    int rc = -1;

    *out = (struct sqltype_column){.not_null = false};
    buf_init(&out->default_sql, 2 * SQLTYPE_MAX_COLUMN_BYTES);
    if (len > SQLTYPE_MAX_COLUMN_BYTES) {
        err_set(e, ERR_BAD_TYPE, "column '%s': the type is longer than %d bytes", column, SQLTYPE_MAX_COLUMN_BYTES);
        goto out;
    }
    switch (sqltype_read(&r.at, r.end, &out->type)) {
    case SQLTYPE_UNKNOWN_NAME:
        unexpected(&r, "an SQL Server type such as INT or NVARCHAR(50)");
        goto out;
    case SQLTYPE_BAD_ARGUMENTS:
        err_set(e, ERR_BAD_TYPE, "column '%s': %s cannot have these arguments", column, sqltype_name(out->type.kind));
        goto out;
    case SQLTYPE_READ:
        break;
    }
    for (skip_spaces(&r); r.at < r.end; skip_spaces(&r))
        if (read_clause(&r, seen, out) < 0)
            goto out;
    out->null_given = seen[CLAUSE_NULL];
    out->primary_key = seen[CLAUSE_PRIMARY_KEY];
    out->not_null = seen[CLAUSE_NOT_NULL] || seen[CLAUSE_PRIMARY_KEY];
    out->unique = seen[CLAUSE_UNIQUE];
    out->has_default = seen[CLAUSE_DEFAULT];
    if (check_clauses(&r, out) < 0)
        goto out;
    rc = buf_status(&out->default_sql) < 0 ? err_set(e, ERR_INTERNAL, "out of memory") : 0;
out:
    if (rc < 0) {
        if (e->code == ERR_BAD_VALUE) /* what a conversion said of the default */
            e->code = ERR_BAD_TYPE;
        sqltype_column_clear(out);
    }
    return rc;
}

void sqltype_column_clear(struct sqltype_column *c)
{
    buf_clear(&c->default_sql);
}

void sqltype_column_write(const struct sqltype_column *c, struct buf *out)
{
    sqltype_write(&c->type, out);
    if (c->not_null)
        buf_append_text(out, " NOT NULL");
    else if (c->null_given)
        buf_append_text(out, " NULL");
    if (c->has_default) {
        buf_append_text(out, " DEFAULT ");
        buf_append(out, buf_text(&c->default_sql), c->default_sql.len);
    }
    if (c->primary_key)
        buf_append_text(out, " PRIMARY KEY");
    if (c->unique)
        buf_append_text(out, " UNIQUE");
}
