/* statement.h: selects with all their query fields.
 *
 *     SELECT [TOP (?)] outputs FROM table [WHERE] [GROUP BY] [HAVING] [ORDER BY [OFFSET ? ROWS [FETCH NEXT ? ROWS ONLY]]]
 *
 * No name that a client gave an aggregate is written: HAVING and ORDER BY repeat the aggregate itself.
 */
#include "fcgi-worker/statement.h"
#include "fcgi-worker/statement_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one select is written from. */
struct select {
    struct statement *s;
    const struct schema_table *t;
    const struct query *q;
    const struct query_table *columns; /* the same table, as queries see it */
    struct err *e;
};

static struct query_column show_column(const void *table, size_t i)
{
    const struct schema_table *t = table;
    const struct schema_column *c = &t->columns[i];
    return (struct query_column){.name = c->name, .type = c->known ? &c->type : NULL};
}

/* ---- Terms -------------------------------------------------------------------------------------------------------- */

void statement_append_sort_key(struct buf *sql, const struct schema_column *c)
{
    statement_append_name(sql, c->name);
    if (c->known && sqltype_is_string(&c->type) && !c->binary)
        buf_append_text(sql, sqltype_is_unicode(&c->type) ? " COLLATE Latin1_General_100_BIN2" : " COLLATE Latin1_General_100_BIN2_UTF8");
}

static void append_aggregate(const struct select *w, const struct query_aggregate *a, struct buf *sql)
{
    static const char *const opening[] = {
        [QUERY_COUNT] = "COUNT_BIG(", [QUERY_COUNT_DISTINCT] = "COUNT_BIG(DISTINCT ", [QUERY_SUM] = "SUM(",
        [QUERY_AVG] = "AVG(",         [QUERY_MIN] = "MIN(",                           [QUERY_MAX] = "MAX(",
    };
    const struct schema_column *c = a->column == QUERY_ALL_ROWS ? NULL : &w->t->columns[a->column];
    bool exact = w->q->partial && a->op == QUERY_SUM && (sqltype_is_integer(&c->type) || sqltype_is_decimal(&c->type));

    buf_append_text(sql, opening[a->op]);
    if (c == NULL) {
        buf_append_char(sql, '*');
    } else if (a->op == QUERY_MIN || a->op == QUERY_MAX) {
        statement_append_sort_key(sql, c);
    } else if (exact) {
        buf_append_text(sql, "CAST(");
        statement_append_name(sql, c->name);
        buf_printf(sql, " AS DECIMAL(38,%d))", a->type.scale);
    } else {
        statement_append_name(sql, c->name);
    }
    buf_append_char(sql, ')');
}

static void append_term(const struct select *w, struct query_term term, struct buf *sql)
{
    if (term.aggregate)
        append_aggregate(w, &w->q->aggregates[term.index], sql);
    else
        statement_append_name(sql, w->t->columns[term.index].name);
}

static void add_row_count(struct statement *s, int64_t n)
{
    char text[24];
    struct statement_param *p = statement_new_param(s, STATEMENT_BIGINT);
    if (p != NULL)
        statement_set_value(s, p, text, (size_t)snprintf(text, sizeof text, "%" PRId64, n));
    buf_append_char(&s->sql, '?');
}

/* ---- Clauses ------------------------------------------------------------------------------------------------------ */

/* FETCH takes no 0: what asks for no rows is a TOP (0), whatever its offset. */
static bool has_top(const struct query *q)
{
    return q->limit != QUERY_NO_LIMIT && (q->offset == 0 || q->limit == 0);
}

static int append_outputs(const struct select *w)
{
    struct statement *s = w->s;
    buf_append_text(&s->sql, "SELECT ");
    if (has_top(w->q)) {
        buf_append_text(&s->sql, "TOP (");
        add_row_count(s, w->q->limit);
        buf_append_text(&s->sql, ") ");
    }
    s->columns = calloc(w->q->output_count, sizeof(*s->columns));
    if (s->columns == NULL)
        return err_set(w->e, ERR_INTERNAL, "memory ran out");
    for (size_t i = 0; i < w->q->output_count; i++) {
        struct query_column c = query_term_column(w->q, w->columns, w->q->outputs[i]);
        struct statement_column *out = &s->columns[s->column_count++];
        *out = (struct statement_column){.name = c.name, .known = c.type != NULL};
        if (c.type != NULL)
            out->type = *c.type;
        if (i > 0)
            buf_append_text(&s->sql, ", ");
        append_term(w, w->q->outputs[i], &s->sql);
    }
    return 0;
}

/* DISTINCT is written as groups: T-SQL then lets ORDER BY have a collation. */
static void append_groups(const struct select *w)
{
    size_t count = w->q->distinct ? w->q->output_count : w->q->group_count;
    for (size_t i = 0; i < count; i++) {
        size_t column = w->q->distinct ? w->q->outputs[i].index : w->q->groups[i];
        buf_append_text(&w->s->sql, i == 0 ? " GROUP BY " : ", ");
        statement_append_name(&w->s->sql, w->t->columns[column].name);
    }
}

static int write_result(void *arg, const struct predicate_operand *column, struct buf *out)
{
    const struct select *w = arg;
    struct query_term term;
    if (!query_find_result(w->q, w->columns, column->text, column->len, &term))
        return err_set(w->e, ERR_UNKNOWN_COLUMN, "having: neither a group column nor an aggregate: %.64s", column->text);
    append_term(w, term, out);
    return 0;
}

static int write_literal(void *arg, const struct predicate_operand *literal, struct buf *out)
{
    const struct select *w = arg;
    return statement_add_literal(w->s, literal, out, w->e);
}

static int append_having(struct select *w)
{
    const struct predicate_writer writer = {.column = write_result, .literal = write_literal, .arg = w};
    if (w->q->having == NULL || w->q->partial)
        return 0;
    buf_append_text(&w->s->sql, " HAVING ");
    if (predicate_write_sql(w->q->having, &writer, &w->s->sql) != 0)
        return w->e->code != ERR_NONE ? -1 : err_set(w->e, ERR_INTERNAL, "having could not be written");
    return 0;
}

static void append_order(const struct select *w)
{
    const struct query *q = w->q;
    struct buf *sql = &w->s->sql;
    bool offset = q->offset > 0 && !has_top(q);

    for (size_t i = 0; i < q->order_count; i++) {
        const struct query_order *o = &q->order[i];
        buf_append_text(sql, i == 0 ? " ORDER BY " : ", ");
        if (o->term.aggregate)
            append_aggregate(w, &q->aggregates[o->term.index], sql);
        else
            statement_append_sort_key(sql, &w->t->columns[o->term.index]);
        if (o->descending)
            buf_append_text(sql, " DESC");
    }
    if (!offset)
        return;
    if (q->order_count == 0)
        buf_append_text(sql, " ORDER BY (SELECT NULL)"); /* OFFSET belongs to an ORDER BY */
    buf_append_text(sql, " OFFSET ");
    add_row_count(w->s, q->offset);
    buf_append_text(sql, " ROWS");
    if (q->limit != QUERY_NO_LIMIT) {
        buf_append_text(sql, " FETCH NEXT ");
        add_row_count(w->s, q->limit);
        buf_append_text(sql, " ROWS ONLY");
    }
}

int statement_select(struct statement *s, const struct schema_table *t, struct query *q, int shard, struct err *e)
{
    const struct query_table columns = {.table = t, .count = t->column_count, .column = show_column};
    struct select w = {.s = s, .t = t, .q = q, .columns = &columns, .e = e};

    if (query_resolve(q, &columns, e) < 0 || append_outputs(&w) < 0)
        return -1;
    buf_append_text(&s->sql, " FROM ");
    statement_append_object(&s->sql, t->database, "dbo", t->name);
    if (statement_append_page(s, t, q, shard, e) < 0)
        return -1;
    append_groups(&w);
    if (append_having(&w) < 0)
        return -1;
    append_order(&w);
    return statement_status(s, e);
}
