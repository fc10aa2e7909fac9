/* statement.h: the rows of one page, those behind a cursor's values in the order of the query.
 *
 * Of ORDER BY a, b, c and the values @1, @2, @3 of the row before, they are
 *
 *     a >= @1 AND (a > @1 OR (a = @1 AND (b > @2 OR (b = @2 AND c > @3))))
 *
 * where the first comparison says nothing new: it is the one by which an index on a finds where to begin. Descending
 * columns have < for >. NULL, which T-SQL sorts before all values and compares with none, is written out.
 */
#include "fcgi-worker/statement.h"
#include "fcgi-worker/statement_parts.h"

/* One element of the order and its value in the row before. */
struct bound {
    const struct schema_column *column;
    struct json_object *value;
    bool null;
    bool descending;
};

struct page {
    struct statement *s;
    const struct schema_table *t;
    const struct query *q;
    bool inclusive; /* rows with the very same values come, too */
    struct err *e;
};

static struct bound bound_at(const struct page *p, size_t i)
{
    const struct query_order *o = &p->q->order[i];
    struct json_object *value = json_array_at(p->q->after_values, i);
    return (struct bound){.column = &p->t->columns[o->term.index], .value = value,
                          .null = json_kind(value) == JSON_NULL, .descending = o->descending};
}

/* A VARCHAR column beside an NVARCHAR parameter would be converted, past its index. FreeTDS can send as VARCHAR what is ASCII. */
static void bind_as_varchar(struct statement *s, const struct schema_column *c)
{
    struct statement_param *p = &s->params[s->param_count - 1];
    const char *text = statement_value(s, p);
    if (!sqltype_is_string(&c->type) || sqltype_is_unicode(&c->type) || p->bind != STATEMENT_NVARCHAR)
        return;
    for (size_t i = 0; i < p->len; i++) {
        if ((unsigned char)text[i] >= 0x80)
            return;
    }
    p->bind = STATEMENT_VARCHAR;
}

/* column OPERATOR value */
static int append_comparison(const struct page *p, const struct bound *b, const char *operator)
{
    struct buf *sql = &p->s->sql;
    statement_append_sort_key(sql, b->column);
    buf_printf(sql, " %s ", operator);
    /* MONEY and BIT have no parameters of their own: without the cast the column would be converted, past its index */
    bool cast = b->column->type.kind == SQLTYPE_MONEY || b->column->type.kind == SQLTYPE_BIT;
    if (cast)
        buf_append_text(sql, "CAST(");
    if (statement_add_value(p->s, b->column, b->value, p->e) != 0)
        return err_prefix(p->e, "after");
    bind_as_varchar(p->s, b->column);
    if (cast)
        buf_printf(sql, " AS %s)", sqltype_name(b->column->type.kind));
    return 0;
}

static int append_null_test(const struct page *p, const struct bound *b, const char *test)
{
    statement_append_name(&p->s->sql, b->column->name);
    buf_printf(&p->s->sql, " %s", test);
    return 0;
}

/* Can a column have values that come behind the bound's? Behind a descending NULL comes nothing. */
static bool has_behind(const struct bound *b)
{
    return !(b->descending && b->null);
}

/* What comes behind: values greater than the bound's, or less where it is descending. */
static int append_behind(const struct page *p, const struct bound *b, bool inclusive)
{
    static const char *const operators[2][2] = {{">", ">="}, {"<", "<="}};
    bool nulls_follow = b->descending && b->column->nullable;
    if (b->null)
        return append_null_test(p, b, "IS NOT NULL");
    if (nulls_follow)
        buf_append_char(&p->s->sql, '(');
    if (append_comparison(p, b, operators[b->descending][inclusive]) != 0)
        return -1;
    if (nulls_follow) {
        buf_append_text(&p->s->sql, " OR ");
        (void)append_null_test(p, b, "IS NULL");
        buf_append_char(&p->s->sql, ')');
    }
    return 0;
}

static int append_equal(const struct page *p, const struct bound *b)
{
    return b->null ? append_null_test(p, b, "IS NULL") : append_comparison(p, b, "=");
}

/* What an index begins at: no row outside it can be in the page. */
static int append_start(const struct page *p, const struct bound *b)
{
    if (b->null && !b->descending)
        return 0; /* all rows are behind the first NULL, or equal to it */
    if ((b->null ? append_null_test(p, b, "IS NULL") : append_behind(p, b, true)) != 0)
        return -1;
    buf_append_text(&p->s->sql, " AND ");
    return 0;
}

/* The last element: behind it, or with `inclusive` also equal to it. */
static int append_last(const struct page *p, const struct bound *b)
{
    if (!b->null || (!p->inclusive && has_behind(b)))
        return append_behind(p, b, p->inclusive);
    if (p->inclusive && b->descending)
        return append_equal(p, b);
    buf_append_text(&p->s->sql, p->inclusive ? "1 = 1" : "1 = 0"); /* NULL is where all begins, or ends */
    return 0;
}

static int append_page(const struct page *p)
{
    size_t count = p->q->order_count;
    struct buf *sql = &p->s->sql;
    struct bound first = bound_at(p, 0);

    if (count > 1 && append_start(p, &first) != 0)
        return -1;
    for (size_t i = 0; i + 1 < count; i++) {
        struct bound b = bound_at(p, i);
        buf_append_char(sql, '(');
        if (has_behind(&b)) {
            if (append_behind(p, &b, false) != 0)
                return -1;
            buf_append_text(sql, " OR ");
        }
        buf_append_char(sql, '(');
        if (append_equal(p, &b) != 0)
            return -1;
        buf_append_text(sql, " AND ");
    }
    struct bound last = bound_at(p, count - 1);
    if (append_last(p, &last) != 0)
        return -1;
    for (size_t i = 0; i + 1 < count; i++)
        buf_append_text(sql, "))");
    return 0;
}

int statement_append_page(struct statement *s, const struct schema_table *t, const struct query *q, int shard, struct err *e)
{
    const bool inclusive = shard > q->after_shard || (shard == q->after_shard && q->after_again);
    const struct page p = {.s = s, .t = t, .q = q, .inclusive = inclusive, .e = e};

    if (q->after_values == NULL)
        return statement_append_where(s, t, q->condition, e);
    if (q->order_count == 0)
        return err_set(e, ERR_BAD_FIELD, "after: needs order_by");
    buf_append_text(&s->sql, " WHERE (");
    if (q->condition != NULL) {
        if (statement_append_condition(s, t, q->condition, e) != 0)
            return -1;
        buf_append_text(&s->sql, ") AND (");
    }
    if (append_page(&p) != 0)
        return -1;
    buf_append_char(&s->sql, ')');
    return 0;
}
