/* Texts out of the tree: one walk for the canonical text and for T-SQL. */
#include "common/predicate_private.h"

#include <assert.h>

static const char *const operator_text[] = {
    [PREDICATE_OR] = " OR ",           [PREDICATE_AND] = " AND ", [PREDICATE_NOT] = "NOT ", [PREDICATE_EQ] = " = ",
    [PREDICATE_NE] = " <> ",           [PREDICATE_LT] = " < ",    [PREDICATE_LE] = " <= ",  [PREDICATE_GT] = " > ",
    [PREDICATE_GE] = " >= ",           [PREDICATE_IN] = " IN (",  [PREDICATE_LIKE] = " LIKE ",
    [PREDICATE_BETWEEN] = " BETWEEN ", [PREDICATE_IS_NULL] = " IS ",
};

static const char *const function_text[] = {
    [PREDICATE_LOWER] = "LOWER(", [PREDICATE_UPPER] = "UPPER(", [PREDICATE_LEN] = "LEN(",
    [PREDICATE_LTRIM] = "LTRIM(", [PREDICATE_RTRIM] = "RTRIM(", [PREDICATE_ABS] = "ABS(",
    [PREDICATE_YEAR] = "YEAR(",   [PREDICATE_MONTH] = "MONTH(", [PREDICATE_DAY] = "DAY(",
};

static int write_operand(const struct predicate_operand *o, const struct predicate_writer *w, struct buf *out)
{
    for (size_t i = o->function_count; i > 0; i--)
        buf_append_text(out, function_text[o->functions[i - 1]]);
    const int rc = o->kind == PREDICATE_COLUMN ? w->column(w->arg, o, out) : w->literal(w->arg, o, out);
    buf_append_fill(out, ')', o->function_count);
    return rc;
}

/* Operands, each but the first behind its separator; `separators` holds the first two, the last of which repeats. */
static int write_operands(const struct predicate_node *n, const char *first, const char *further,
                          const struct predicate_writer *w, struct buf *out)
{
    for (size_t i = 0; i < n->operand_count; i++) {
        if (i > 0)
            buf_append_text(out, i == 1 ? first : further);
        const int rc = write_operand(&n->operands[i], w, out);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int write_comparison(const struct predicate_node *n, const struct predicate_writer *w, struct buf *out)
{
    /* the first separator of NOT BETWEEN, NOT IN and NOT LIKE */
    static const char *const negated_text[] = {
        [PREDICATE_BETWEEN] = " NOT BETWEEN ", [PREDICATE_IN] = " NOT IN (", [PREDICATE_LIKE] = " NOT LIKE ",
        [PREDICATE_IS_NULL] = NULL,
    };
    const char *further = n->op == PREDICATE_BETWEEN ? " AND " : n->op == PREDICATE_LIKE ? " ESCAPE " : ", ";
    const bool negated = n->negated && n->op != PREDICATE_IS_NULL;
    const int rc = write_operands(n, negated ? negated_text[n->op] : operator_text[n->op], further, w, out);

    if (rc != 0)
        return rc;
    if (n->op == PREDICATE_IN)
        buf_append_char(out, ')');
    if (n->op == PREDICATE_IS_NULL)
        buf_append_text(out, n->negated ? " IS NOT NULL" : " IS NULL");
    return 0;
}

static int write_node(const struct predicate_node *n, const struct predicate_writer *w, struct buf *out);

/* A child in parentheses where it binds less tightly than `parent`: OR in AND, and both in NOT. */
static int write_child(const struct predicate_node *child, enum predicate_op parent, const struct predicate_writer *w,
                       struct buf *out)
{
    const bool nested = child->op == PREDICATE_OR || (child->op == PREDICATE_AND && parent == PREDICATE_NOT);

    buf_append_text(out, nested ? "(" : "");
    const int rc = write_node(child, w, out);
    buf_append_text(out, nested ? ")" : "");
    return rc;
}

static int write_node(const struct predicate_node *n, const struct predicate_writer *w, struct buf *out)
{
    if (n->op != PREDICATE_OR && n->op != PREDICATE_AND && n->op != PREDICATE_NOT)
        return write_comparison(n, w, out);
    for (size_t i = 0; i < n->child_count; i++) {
        if (i > 0 || n->op == PREDICATE_NOT)
            buf_append_text(out, operator_text[n->op]);
        const int rc = write_child(n->children[i], n->op, w, out);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int predicate_write_sql(const struct predicate *p, const struct predicate_writer *w, struct buf *out)
{
    return write_node(p->root, w, out);
}

static void emit_quoted(const char *text, size_t len, char close, struct buf *out)
{
    for (size_t i = 0; i < len; i++) {
        buf_append_char(out, text[i]);
        if (text[i] == close)
            buf_append_char(out, close);
    }
    buf_append_char(out, close);
}

static int emit_column(void *arg, const struct predicate_operand *column, struct buf *out)
{
    (void)arg;
    buf_append_char(out, '[');
    emit_quoted(column->text, column->len, ']', out);
    return 0;
}

static int emit_literal(void *arg, const struct predicate_operand *literal, struct buf *out)
{
    (void)arg;
    switch (literal->kind) {
    case PREDICATE_NUMBER:
        buf_append(out, literal->text, literal->len);
        break;
    case PREDICATE_STRING:
        buf_append_text(out, literal->type == PREDICATE_NVARCHAR ? "N'" : "'");
        emit_quoted(literal->text, literal->len, '\'', out);
        break;
    case PREDICATE_PARAM:
        buf_append_char(out, '@');
        buf_append(out, literal->text, literal->len);
        break;
    case PREDICATE_NULLVAL:
        buf_append_text(out, "NULL");
        break;
    case PREDICATE_COLUMN:
        assert(false && "a column is no literal");
    }
    return 0;
}

void predicate_emit(const struct predicate *p, struct buf *out)
{
    static const struct predicate_writer writer = {.column = emit_column, .literal = emit_literal};

    /* The writer's functions never fail; what did not fit, `out` remembers. */
    (void)!predicate_write_sql(p, &writer, out);
}
