/* Names, types and expressions as T-SQL. Names are always bracketed and nothing but the tree is read, so that the text says
 * what the parser understood. Parentheses stand only where the tree needs them: printing nests no deeper than the text
 * that was parsed.
 */
#include "tds-server/language/tsql_printer.h"

#include <string.h>
#include <strings.h>

/* ── Names ── */

static void print_quoted(struct tsql_text text, char open, char close, struct buf *out)
{
    buf_append_char(out, open);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == close)
            buf_append_char(out, close);
        buf_append_char(out, text.data[i]);
    }
    buf_append_char(out, close);
}

void tsql_print_name(struct tsql_text name, struct buf *out)
{
    print_quoted(name, '[', ']', out);
}

void tsql_print_text(struct tsql_text text, struct buf *out)
{
    buf_append(out, text.data, text.len);
}

/* The parts in front may be absent, and between two that are there an empty one is left out as in db..t. */
static void print_parts(const struct tsql_text *parts, size_t count, struct buf *out)
{
    size_t first = 0;
    while (first < count - 1 && parts[first].len == 0)
        first++;
    for (size_t i = first; i < count; i++) {
        if (i > first)
            buf_append_char(out, '.');
        if (parts[i].len > 0)
            tsql_print_name(parts[i], out);
    }
}

void tsql_print_object(const struct tsql_name *n, struct buf *out)
{
    struct tsql_text parts[] = {n->server, n->database, n->schema, n->name};
    print_parts(parts, 4, out);
}

void tsql_print_column(const struct tsql_column_ref *c, struct buf *out)
{
    struct tsql_text parts[] = {c->database, c->schema, c->table, c->name};
    print_parts(parts, 4, out);
}

void tsql_print_words(const struct tsql_word *w, struct buf *out)
{
    for (; w != NULL; w = w->next) {
        tsql_print_name(w->text, out);
        if (w->descending)
            buf_append_text(out, " DESC");
        if (w->next != NULL)
            buf_append_text(out, ", ");
    }
}

void tsql_print_name_list(const struct tsql_word *w, struct buf *out)
{
    if (w == NULL)
        return;
    buf_append_text(out, " (");
    tsql_print_words(w, out);
    buf_append_char(out, ')');
}

/* ── Expressions ── */

const char *const tsql_operators[] = {
    [TSQL_NO_OP] = "",   [TSQL_NEGATE] = "-",  [TSQL_PLUS] = "+",   [TSQL_BIT_NOT] = "~", [TSQL_ADD] = "+", [TSQL_SUB] = "-",
    [TSQL_MUL] = "*",    [TSQL_DIV] = "/",     [TSQL_MOD] = "%",    [TSQL_BIT_AND] = "&", [TSQL_BIT_OR] = "|", [TSQL_BIT_XOR] = "^",
    [TSQL_EQ] = "=",     [TSQL_NE] = "<>",     [TSQL_LT] = "<",     [TSQL_LE] = "<=",     [TSQL_GT] = ">",  [TSQL_GE] = ">=",
};

static const char *const dateparts[TSQL_DATEPARTS] = {
    [TSQL_YEAR] = "year",     [TSQL_QUARTER] = "quarter",   [TSQL_MONTH] = "month",   [TSQL_DAYOFYEAR] = "dayofyear",
    [TSQL_DAY] = "day",       [TSQL_WEEK] = "week",         [TSQL_ISO_WEEK] = "iso_week", [TSQL_WEEKDAY] = "weekday",
    [TSQL_HOUR] = "hour",     [TSQL_MINUTE] = "minute",     [TSQL_SECOND] = "second", [TSQL_MILLISECOND] = "millisecond",
    [TSQL_MICROSECOND] = "microsecond", [TSQL_NANOSECOND] = "nanosecond", [TSQL_TZOFFSET] = "tzoffset",
};

static void print_operator(enum tsql_op op, struct buf *out)
{
    buf_append_char(out, ' ');
    buf_append_text(out, tsql_operators[op]);
    buf_append_char(out, ' ');
}

static void print_literal(const struct tsql_literal *l, struct buf *out)
{
    switch (l->kind) {
    case TSQL_NULL:
        buf_append_text(out, "NULL");
        break;
    case TSQL_MONEY:
        buf_append_char(out, '$');
        tsql_print_text(l->text, out);
        break;
    case TSQL_NSTRING:
        buf_append_char(out, 'N');
        print_quoted(l->text, '\'', '\'', out);
        break;
    case TSQL_STRING:
        print_quoted(l->text, '\'', '\'', out);
        break;
    case TSQL_BINARY_LITERAL:
        buf_append_text(out, "0x");
        for (size_t i = 0; i < l->text.len; i++)
            buf_printf(out, "%02x", (unsigned)(unsigned char)l->text.data[i]);
        break;
    case TSQL_INT:
    case TSQL_DECIMAL:
    case TSQL_FLOAT:
        tsql_print_text(l->text, out);
        break;
    }
}

void tsql_print_type(const struct tsql_type *t, struct buf *out)
{
    sqltype_write(&t->type, out);
    if (t->collation.len > 0) {
        buf_append_text(out, " COLLATE ");
        tsql_print_name(t->collation, out);
    }
}

void tsql_print_values(const struct tsql_expr *e, struct buf *out)
{
    for (; e != NULL; e = e->next) {
        tsql_print_expr(e, out);
        if (e->next != NULL)
            buf_append_text(out, ", ");
    }
}

void tsql_print_order(const struct tsql_order *o, struct buf *out)
{
    buf_append_text(out, "ORDER BY ");
    for (; o != NULL; o = o->next) {
        tsql_print_expr(o->value, out);
        if (o->descending)
            buf_append_text(out, " DESC");
        if (o->next != NULL)
            buf_append_text(out, ", ");
    }
}

static void print_bound(const struct tsql_bound *b, struct buf *out)
{
    static const char *const names[] = {
        [TSQL_UNBOUNDED_PRECEDING] = "UNBOUNDED PRECEDING", [TSQL_PRECEDING] = " PRECEDING", [TSQL_CURRENT_ROW] = "CURRENT ROW",
        [TSQL_FOLLOWING] = " FOLLOWING", [TSQL_UNBOUNDED_FOLLOWING] = "UNBOUNDED FOLLOWING",
    };
    if (b->offset != NULL)
        tsql_print_expr(b->offset, out);
    buf_append_text(out, names[b->kind]);
}

static void print_window(const struct tsql_window *w, struct buf *out)
{
    buf_append_text(out, " OVER (");
    if (w->partition_by != NULL) {
        buf_append_text(out, "PARTITION BY ");
        tsql_print_values(w->partition_by, out);
        buf_append_char(out, ' ');
    }
    if (w->order_by != NULL) {
        tsql_print_order(w->order_by, out);
        buf_append_char(out, ' ');
    }
    if (w->has_frame) {
        buf_append_text(out, w->range ? "RANGE BETWEEN " : "ROWS BETWEEN ");
        print_bound(&w->start, out);
        buf_append_text(out, " AND ");
        print_bound(&w->end, out);
    }
    buf_append_char(out, ')');
}

static bool is_bare_call(const struct tsql_call *c)
{
    static const char *const names[] = {"CURRENT_TIMESTAMP", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER"};
    for (size_t i = 0; c->schema.len == 0 && c->args == NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (c->name.len == strlen(names[i]) && strncasecmp(c->name.data, names[i], c->name.len) == 0)
            return !c->star && c->over == NULL && c->within_group == NULL;
    }
    return false;
}

static void print_call(const struct tsql_call *c, struct buf *out)
{
    if (is_bare_call(c)) {
        tsql_print_text(c->name, out);
        return;
    }
    if (c->schema.len > 0) {
        tsql_print_name(c->schema, out);
        buf_append_char(out, '.');
    }
    tsql_print_name(c->name, out);
    buf_append_char(out, '(');
    if (c->star)
        buf_append_char(out, '*');
    if (c->distinct)
        buf_append_text(out, "DISTINCT ");
    if (c->schema.len == 0 && c->arg_count == 2 && c->name.len == 4 && strncasecmp(c->name.data, "TRIM", 4) == 0) {
        tsql_print_expr(c->args->next, out);
        buf_append_text(out, " FROM ");
        tsql_print_expr(c->args, out);
    } else {
        tsql_print_values(c->args, out);
    }
    buf_append_char(out, ')');
    if (c->within_group != NULL) {
        buf_append_text(out, " WITHIN GROUP (");
        tsql_print_order(c->within_group, out);
        buf_append_char(out, ')');
    }
    if (c->over != NULL)
        print_window(c->over, out);
}

static void print_cast(const struct tsql_cast *c, struct buf *out)
{
    if (c->kind == TSQL_CAST_TRY)
        buf_append_text(out, "TRY_");
    if (c->style == NULL) {
        buf_append_text(out, "CAST(");
        tsql_print_expr(c->value, out);
        buf_append_text(out, " AS ");
        tsql_print_type(&c->type, out);
    } else {
        buf_append_text(out, "CONVERT(");
        tsql_print_type(&c->type, out);
        buf_append_text(out, ", ");
        tsql_print_expr(c->value, out);
        buf_append_text(out, ", ");
        tsql_print_expr(c->style, out);
    }
    buf_append_char(out, ')');
}

static void print_case(const struct tsql_expr *e, struct buf *out)
{
    buf_append_text(out, "CASE ");
    if (e->a != NULL) {
        tsql_print_expr(e->a, out);
        buf_append_char(out, ' ');
    }
    for (const struct tsql_when *w = e->whens; w != NULL; w = w->next) {
        buf_append_text(out, "WHEN ");
        tsql_print_expr(w->when, out);
        buf_append_text(out, " THEN ");
        tsql_print_expr(w->then, out);
        buf_append_char(out, ' ');
    }
    if (e->otherwise != NULL) {
        buf_append_text(out, "ELSE ");
        tsql_print_expr(e->otherwise, out);
        buf_append_char(out, ' ');
    }
    buf_append_text(out, "END");
}

void tsql_print_subquery(const struct tsql_query *q, struct buf *out)
{
    buf_append_char(out, '(');
    tsql_print_query(q, out);
    buf_append_char(out, ')');
}

/* An operand, in parentheses unless `bare`. */
static void print_operand(const struct tsql_expr *e, bool bare, struct buf *out)
{
    if (!bare)
        buf_append_char(out, '(');
    tsql_print_expr(e, out);
    if (!bare)
        buf_append_char(out, ')');
}

/* How tightly an operator binds: 0 for conditions' words, 2 for * / %, 3 for what needs no parentheses at all. A sign binds
 * like what it stands before, so it has the least of the operators on values. */
static int binding(const struct tsql_expr *e)
{
    switch (e->kind) {
    case TSQL_UNARY:
        return e->op == TSQL_BIT_NOT ? 3 : 0;
    case TSQL_BINARY:
        return e->op == TSQL_MUL || e->op == TSQL_DIV || e->op == TSQL_MOD ? 2 : 1;
    default:
        return 3;
    }
}

static void print_list(const struct tsql_expr *e, const char *word, struct buf *out)
{
    for (const struct tsql_expr *i = e->list; i != NULL; i = i->next) {
        print_operand(i, i->kind != TSQL_OR && i->kind != e->kind, out);
        if (i->next != NULL)
            buf_append_text(out, word);
    }
}

static void print_negated(const struct tsql_expr *e, const char *word, struct buf *out)
{
    tsql_print_expr(e->a, out);
    if (e->negated)
        buf_append_text(out, " NOT");
    buf_append_text(out, word);
}

void tsql_print_expr(const struct tsql_expr *e, struct buf *out)
{
    switch (e->kind) {
    case TSQL_LITERAL:
        print_literal(&e->literal, out);
        break;
    case TSQL_COLUMN:
        tsql_print_column(&e->column, out);
        break;
    case TSQL_VARIABLE:
    case TSQL_GLOBAL:
        tsql_print_text(e->text, out);
        break;
    case TSQL_DEFAULT:
        buf_append_text(out, "DEFAULT");
        break;
    case TSQL_UNARY:
        buf_append_text(out, tsql_operators[e->op]);
        print_operand(e->a, binding(e->a) == 3, out);
        break;
    case TSQL_BINARY:
        print_operand(e->a, binding(e->a) >= binding(e), out);
        print_operator(e->op, out);
        print_operand(e->b, binding(e->b) > binding(e), out);
        break;
    case TSQL_COLLATE:
        print_operand(e->a, binding(e->a) == 3 && e->a->kind != TSQL_UNARY, out);
        buf_append_text(out, " COLLATE ");
        tsql_print_name(e->text, out);
        break;
    case TSQL_CASE:
        print_case(e, out);
        break;
    case TSQL_CAST:
        print_cast(e->cast, out);
        break;
    case TSQL_CALL:
        print_call(e->call, out);
        break;
    case TSQL_DATEPART:
        buf_append_text(out, dateparts[e->datepart]);
        break;
    case TSQL_SUBQUERY:
        tsql_print_subquery(e->query, out);
        break;
    case TSQL_AND:
        print_list(e, " AND ", out);
        break;
    case TSQL_OR:
        print_list(e, " OR ", out);
        break;
    case TSQL_NOT:
        buf_append_text(out, "NOT ");
        print_operand(e->a, e->a->kind != TSQL_AND && e->a->kind != TSQL_OR, out);
        break;
    case TSQL_COMPARE:
        tsql_print_expr(e->a, out);
        print_operator(e->op, out);
        tsql_print_expr(e->b, out);
        break;
    case TSQL_QUANTIFIED:
        tsql_print_expr(e->a, out);
        print_operator(e->op, out);
        buf_append_text(out, e->all ? "ALL " : "ANY ");
        tsql_print_subquery(e->query, out);
        break;
    case TSQL_BETWEEN:
        print_negated(e, " BETWEEN ", out);
        tsql_print_expr(e->b, out);
        buf_append_text(out, " AND ");
        tsql_print_expr(e->c, out);
        break;
    case TSQL_IN:
        print_negated(e, " IN ", out);
        if (e->query != NULL) {
            tsql_print_subquery(e->query, out);
        } else {
            buf_append_char(out, '(');
            tsql_print_values(e->list, out);
            buf_append_char(out, ')');
        }
        break;
    case TSQL_LIKE:
        print_negated(e, " LIKE ", out);
        tsql_print_expr(e->b, out);
        if (e->c != NULL) {
            buf_append_text(out, " ESCAPE ");
            tsql_print_expr(e->c, out);
        }
        break;
    case TSQL_IS_NULL:
        tsql_print_expr(e->a, out);
        buf_append_text(out, e->negated ? " IS NOT NULL" : " IS NULL");
        break;
    case TSQL_EXISTS:
        buf_append_text(out, "EXISTS ");
        tsql_print_subquery(e->query, out);
        break;
    }
}
