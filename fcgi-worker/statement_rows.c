/* statement.h: the statements that count, update and delete rows, and their conditions. */
#include "fcgi-worker/statement.h"
#include "fcgi-worker/statement_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NVARCHAR_UNITS 4000   /* UTF-16 units of a parameter that is not (MAX) */
#define VARBINARY_BYTES 8000

static void append_table(struct buf *sql, const struct schema_table *t)
{
    statement_append_object(sql, t->database, "dbo", t->name);
}

/* ---- Values of columns --------------------------------------------------------------------------------------------- */

/* Does UTF-8 text have more than `limit` UTF-16 units? */
static bool longer_than(const char *text, size_t len, size_t limit)
{
    if (len <= limit)
        return false;
    size_t units = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c & 0xC0) != 0x80)
            units += c >= 0xF0 ? 2 : 1;
    }
    return units > limit;
}

/* How a value is bound that is assigned to a column: by the column's type, so that the server converts nothing but what
 * it converts exactly. Dates and GUIDs go as canonical text, which every server reads alike whatever its settings; MONEY
 * goes as DECIMAL(19,4), BIT as TINYINT because FreeTDS has no NULL of type BIT. VARCHAR goes as NVARCHAR: FreeTDS sends
 * VARCHAR in the server's code page, which the column's need not be. */
static enum statement_bind bind_of(const struct schema_column *c)
{
    static const enum statement_bind binds[SQLTYPE_KINDS] = {
        [SQLTYPE_TINYINT] = STATEMENT_TINYINT,
        [SQLTYPE_SMALLINT] = STATEMENT_INT,
        [SQLTYPE_INT] = STATEMENT_INT,
        [SQLTYPE_BIGINT] = STATEMENT_BIGINT,
        [SQLTYPE_BIT] = STATEMENT_TINYINT,
        [SQLTYPE_DECIMAL] = STATEMENT_DECIMAL,
        [SQLTYPE_NUMERIC] = STATEMENT_DECIMAL,
        [SQLTYPE_MONEY] = STATEMENT_DECIMAL,
        [SQLTYPE_FLOAT] = STATEMENT_FLOAT,
        [SQLTYPE_REAL] = STATEMENT_FLOAT,
        [SQLTYPE_CHAR] = STATEMENT_NVARCHAR,
        [SQLTYPE_VARCHAR] = STATEMENT_NVARCHAR,
        [SQLTYPE_NCHAR] = STATEMENT_NVARCHAR,
        [SQLTYPE_NVARCHAR] = STATEMENT_NVARCHAR,
        [SQLTYPE_TEXT] = STATEMENT_NVARCHAR,
        [SQLTYPE_DATE] = STATEMENT_NVARCHAR,
        [SQLTYPE_TIME] = STATEMENT_NVARCHAR,
        [SQLTYPE_DATETIME] = STATEMENT_NVARCHAR,
        [SQLTYPE_DATETIME2] = STATEMENT_NVARCHAR,
        [SQLTYPE_DATETIMEOFFSET] = STATEMENT_NVARCHAR,
        [SQLTYPE_UNIQUEIDENTIFIER] = STATEMENT_NVARCHAR,
        [SQLTYPE_BINARY] = STATEMENT_VARBINARY,
        [SQLTYPE_VARBINARY] = STATEMENT_VARBINARY,
    };
    return c->known ? binds[c->type.kind] : STATEMENT_NVARCHAR;
}

/* A type outside the contract's list takes text and leaves the conversion to the server. */
static const struct sqltype any_text = {.kind = SQLTYPE_NVARCHAR, .length = SQLTYPE_MAX};

const struct sqltype *statement_column_type(const struct schema_column *c)
{
    return c->known ? &c->type : &any_text;
}

int statement_add_column_value(struct statement *s, const struct schema_column *c, const struct sqlvalue *value, struct err *e)
{
    const char *text = buf_text(&value->text);
    size_t len = value->text.len;
    char number[64];
    struct statement_param *p = statement_new_param(s, bind_of(c));
    if (p == NULL)
        return statement_status(s, e);
    if (c->known && c->type.kind == SQLTYPE_REAL && !value->null) {
        /* the text is the shortest for single precision; the parameter is double and must be that very float */
        len = (size_t)snprintf(number, sizeof(number), "%.17g", (double)strtof(text, NULL));
        text = number;
    }
    p->precision = c->type.precision;
    p->scale = c->type.scale;
    if (p->bind == STATEMENT_NVARCHAR && longer_than(text, len, NVARCHAR_UNITS))
        p->bind = STATEMENT_NVARCHAR_MAX;
    else if (p->bind == STATEMENT_VARBINARY && len > VARBINARY_BYTES)
        p->bind = STATEMENT_VARBINARY_MAX;
    if (!value->null)
        statement_set_value(s, p, text, len);
    return statement_status(s, e);
}

int statement_add_value(struct statement *s, const struct schema_column *c, const struct json_object *v, struct err *e)
{
    struct sqlvalue value;
    int rc = -1;

    sqlvalue_init(&value);
    if (sqltype_convert(statement_column_type(c), c->name, v, &value, e) == 0)
        rc = statement_add_column_value(s, c, &value, e);
    buf_append_char(&s->sql, '?');
    sqlvalue_clear(&value);
    return rc;
}

/* ---- Conditions --------------------------------------------------------------------------------------------------- */

struct where {
    struct statement *s;
    const struct schema_table *t;
    struct err *e;
};

const struct schema_column *statement_need_column(const struct schema_table *t, const char *name, size_t len, struct err *e)
{
    const struct schema_column *c = schema_column_find(t, name, len);
    if (c == NULL) {
        struct buf quoted;
        buf_init(&quoted, ERR_DETAIL_MAX);
        err_quote(&quoted, name, len);
        (void)err_set(e, ERR_UNKNOWN_COLUMN, "table '%s' has no column %s", t->name, buf_text(&quoted));
        buf_clear(&quoted);
    }
    return c;
}

static int write_column(void *arg, const struct predicate_operand *column, struct buf *out)
{
    const struct where *w = arg;
    const struct schema_column *c = statement_need_column(w->t, column->text, column->len, w->e);
    if (c == NULL)
        return err_prefix(w->e, "condition");
    statement_append_name(out, c->name);
    return 0;
}

int statement_add_literal(struct statement *s, const struct predicate_operand *literal, struct buf *out, struct err *e)
{
    static const enum statement_bind binds[] = {
        [PREDICATE_INT] = STATEMENT_INT,         [PREDICATE_BIGINT] = STATEMENT_BIGINT,
        [PREDICATE_DECIMAL] = STATEMENT_DECIMAL, [PREDICATE_FLOAT] = STATEMENT_FLOAT,
        [PREDICATE_VARCHAR] = STATEMENT_VARCHAR, [PREDICATE_NVARCHAR] = STATEMENT_NVARCHAR,
        [PREDICATE_BIT] = STATEMENT_BIT,
    };
    if (literal->kind == PREDICATE_NULLVAL) {
        buf_append_text(out, "NULL"); /* untyped, as in T-SQL: any column may be compared with it */
        return 0;
    }
    struct statement_param *p = statement_new_param(s, binds[literal->type]);
    if (p == NULL)
        return err_set(e, ERR_INTERNAL, "the condition has too many parameters, or memory ran out");
    p->precision = literal->precision;
    p->scale = literal->scale;
    statement_set_value(s, p, literal->text, literal->len);
    buf_append_char(out, '?');
    return 0;
}

static int write_literal(void *arg, const struct predicate_operand *literal, struct buf *out)
{
    const struct where *w = arg;
    return statement_add_literal(w->s, literal, out, w->e);
}

int statement_append_condition(struct statement *s, const struct schema_table *t, const struct predicate *where, struct err *e)
{
    struct where w = {.s = s, .t = t, .e = e};
    const struct predicate_writer writer = {.column = write_column, .literal = write_literal, .arg = &w};
    if (predicate_write_sql(where, &writer, &s->sql) != 0)
        return e->code != ERR_NONE ? -1 : err_set(e, ERR_INTERNAL, "the condition could not be written");
    return 0;
}

int statement_append_where(struct statement *s, const struct schema_table *t, const struct predicate *where, struct err *e)
{
    if (where == NULL)
        return 0;
    buf_append_text(&s->sql, " WHERE ");
    return statement_append_condition(s, t, where, e);
}

/* Ends a statement: its WHERE, then the check of all that was appended. */
static int finish_with_where(struct statement *s, const struct schema_table *t, const struct predicate *where, struct err *e)
{
    return statement_append_where(s, t, where, e) < 0 ? -1 : statement_status(s, e);
}

/* ---- Rows --------------------------------------------------------------------------------------------------------- */

int statement_count(struct statement *s, const struct schema_table *t, const struct predicate *where, struct err *e)
{
    buf_append_text(&s->sql, "SELECT COUNT_BIG(*) FROM ");
    append_table(&s->sql, t);
    return finish_with_where(s, t, where, e);
}

int statement_delete(struct statement *s, const struct schema_table *t, const struct predicate *where, struct err *e)
{
    assert(where != NULL); /* a DELETE of all rows must not be one forgotten argument away */
    buf_append_text(&s->sql, "DELETE FROM ");
    append_table(&s->sql, t);
    return finish_with_where(s, t, where, e);
}

/* The columns that an object of values names, with their values, in the order of the object. */
struct assignment {
    const struct schema_column *column;
    struct json_object *value;
};

/* *out is an array of at least one element that the caller frees. ERR_UNKNOWN_COLUMN, and ERR_BAD_FIELD for two members
 * that name one column. */
static int read_assignments(const struct schema_table *t, const struct json_object *obj, struct assignment **out, size_t *count,
                            struct err *e)
{
    struct json_iter it = {0};
    const char *name;
    struct json_object *value;
    size_t n = 0;

    struct assignment *list = calloc(t->column_count + 1, sizeof(*list));
    if (list == NULL)
        return err_set(e, ERR_INTERNAL, "memory ran out");
    while (json_next(obj, &it, &name, &value)) {
        const struct schema_column *c = statement_need_column(t, name, strlen(name), e);
        if (c == NULL)
            goto fail;
        for (size_t i = 0; i < n; i++) {
            if (list[i].column == c) {
                (void)err_set(e, ERR_BAD_FIELD, "column '%s' is named twice", c->name);
                goto fail;
            }
        }
        list[n++] = (struct assignment){.column = c, .value = value};
    }
    *out = list;
    *count = n;
    return 0;
fail:
    free(list);
    return -1;
}

int statement_update(struct statement *s, const struct schema_table *t, const struct json_object *set, const struct predicate *where,
                     struct err *e)
{
    struct assignment *list = NULL;
    size_t count = 0;

    assert(where != NULL);
    if (read_assignments(t, set, &list, &count, e) < 0)
        goto fail;
    if (count == 0) {
        (void)err_set(e, ERR_BAD_FIELD, "at least one column is expected");
        goto fail;
    }
    buf_append_text(&s->sql, "UPDATE ");
    append_table(&s->sql, t);
    for (size_t i = 0; i < count; i++) {
        if (list[i].column == t->shard_column) {
            (void)err_set(e, ERR_UNSAFE_STATEMENT, "column '%s' is the shard column, which tells where a row is and cannot be changed",
                          t->shard_column->name);
            goto fail;
        }
        buf_append_text(&s->sql, i == 0 ? " SET " : ", ");
        statement_append_name(&s->sql, list[i].column->name);
        buf_append_text(&s->sql, " = ");
        if (statement_add_value(s, list[i].column, list[i].value, e) < 0)
            goto fail;
    }
    free(list);
    return finish_with_where(s, t, where, e);
fail:
    free(list);
    return err_prefix(e, "set");
}
