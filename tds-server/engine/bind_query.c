#include "tds-server/engine/binder.h"

#include "common/collate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct body {
    const struct tsql_body *tree;
    struct scope scope;
    struct bound_item *items;
    size_t count;
    const char *from;
    struct bound where, having;
    bool grouped;
};

/* ---- the select list ---- */

static size_t count_items(struct binder *b, const struct tsql_body *tree)
{
    size_t count = 0;
    for (const struct tsql_item *item = tree->items; item; item = item->next) {
        if (item->kind == TSQL_ITEM_EXPR) {
            count++;
            continue;
        }
        for (const struct range *r = b->scope->ranges; r; r = r->next) {
            if (item->kind == TSQL_ITEM_STAR || text_equal(r->alias, item->table.name))
                count += r->column_count;
        }
    }
    return count;
}

/* * and t.* */
static int add_star(struct binder *b, const struct tsql_item *item, struct bound_item *items, size_t *n)
{
    bool any = false;
    for (const struct range *r = b->scope->ranges; r; r = r->next) {
        if (item->kind == TSQL_ITEM_TABLE_STAR && !text_equal(r->alias, item->table.name))
            continue;
        any = true;
        for (size_t i = 0; i < r->column_count; i++) {
            const struct range_column *c = &r->columns[i];
            struct bound_item *out = &items[(*n)++];
            out->name = c->name;
            out->value = (struct bound){.sql = c->sql, .type = c->type, .nullable = c->nullable, .collation = c->collation,
                                        .label = c->label, .has_column = true, .identity = c->identity};
            out->value.ungrouped = (struct tsql_text){binder_sql(b, "%s.%s", r->alias.data ? r->alias.data : "", c->name.data), 1};
            out->value.ungrouped.len = strlen(out->value.ungrouped.data);
        }
    }
    if (any)
        return 0;
    if (item->kind == TSQL_ITEM_STAR)
        return fault_set(b->fault, 263);
    return fault_set(b->fault, 107, item->table.name.data);
}

static int bind_items(struct binder *b, struct body *body)
{
    size_t most = count_items(b, body->tree), n = 0;
    body->items = arena_alloc(b->arena, (most + 1) * sizeof *body->items);
    if (!body->items)
        return fault_set(b->fault, FAULT_MEMORY);
    body->scope.aggregates_allowed = body->scope.windows_allowed = true;
    for (const struct tsql_item *item = body->tree->items; item; item = item->next) {
        if (item->kind != TSQL_ITEM_EXPR) {
            if (add_star(b, item, body->items, &n) < 0)
                return -1;
            continue;
        }
        struct bound_item *out = &body->items[n++];
        if (bind_expr(b, item->value, &out->value) < 0)
            return -1;
        out->name = item->alias;
        if (out->name.len == 0 && item->value->kind == TSQL_COLUMN)
            out->name = item->value->column.name;
        if (!out->name.data)
            out->name.data = "";
    }
    body->count = n;
    return 0;
}

/* ---- grouping ---- */

static int bind_groups(struct binder *b, struct body *body, const char **sql)
{
    const struct tsql_body *tree = body->tree;
    size_t count = 0;
    for (const struct tsql_expr *e = tree->group_by; e; e = e->next)
        count++;
    const char **groups = arena_alloc(b->arena, (count + 1) * sizeof *groups);
    if (!groups)
        return fault_set(b->fault, FAULT_MEMORY);
    struct buf text;
    buf_init(&text, BINDER_MAX_SQL);
    size_t n = 0;
    for (const struct tsql_expr *e = tree->group_by; e; e = e->next) {
        struct bound value;
        if (bind_expr(b, e, &value) < 0) {
            buf_clear(&text);
            return -1;
        }
        if (!value.has_column) {
            buf_clear(&text);
            return fault_set(b->fault, 164);
        }
        groups[n++] = value.sql;
        buf_printf(&text, "%s%s%s", n == 1 ? " GROUP BY " : ", ", value.sql, bind_collate(&value));
    }
    body->scope.groups = groups;
    body->scope.group_count = n;
    body->grouped = n > 0;
    *sql = binder_take(b, &text);
    return 0;
}

static int check_grouped(struct binder *b, const struct body *body)
{
    for (size_t i = 0; i < body->count; i++) {
        if (body->items[i].value.ungrouped.len > 0)
            return fault_set(b->fault, 8120, body->items[i].value.ungrouped.data);
    }
    return body->having.ungrouped.len > 0 ? fault_set(b->fault, 8121, body->having.ungrouped.data) : 0;
}

/* ---- TOP, OFFSET and FETCH ---- */

/* A row count: an integer, not negative; `number` is the error of a negative one. */
static int bind_count(struct binder *b, const struct tsql_expr *e, int number, const char **sql)
{
    struct bound value;
    if (bind_expr(b, e, &value) < 0)
        return -1;
    if (value.null || typing_class(value.type.kind) != TYPE_INTEGER) {
        struct sqltype whole = typing_make(SQLTYPE_BIGINT);
        if (value.null || typing_class(value.type.kind) > TYPE_FLOAT)
            return fault_set(b->fault, 1060);
        if (bind_convert(b, &value, &whole) < 0)
            return -1;
    }
    *sql = binder_sql(b, "sg_count(%s,%d)", value.sql, number);
    return 0;
}

/* TOP … PERCENT and WITH TIES: the rows with their rank, of which those within the limit stay. */
static int write_ranked(struct binder *b, const struct tsql_top *top, const char *order, size_t count, const char **sql)
{
    const char *limit;
    struct buf text;
    if (top->with_ties && order[0] == '\0')
        return fault_set(b->fault, 1062);
    if (top->percent) {
        struct bound percent;
        struct sqltype type = typing_make(SQLTYPE_FLOAT);
        if (bind_expr(b, top->count, &percent) < 0)
            return -1;
        if (percent.null || typing_class(percent.type.kind) > TYPE_FLOAT)
            return fault_set(b->fault, 1060);
        if (bind_convert(b, &percent, &type) < 0)
            return -1;
        limit = binder_sql(b, "sg_percent(%s,w2)", percent.sql);
    } else if (bind_count(b, top->count, 127, &limit) < 0) {
        return -1;
    }
    buf_init(&text, BINDER_MAX_SQL);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%sk%zu", i == 0 ? "SELECT " : ", ", i + 1);
    buf_printf(&text, " FROM (SELECT *, %s() OVER (%s) AS w1, count(*) OVER () AS w2 FROM (%s)) WHERE w1 <= %s ORDER BY w1",
               top->with_ties ? "rank" : "row_number", order, *sql, limit);
    *sql = binder_take(b, &text);
    return 0;
}

static int bind_limit(struct binder *b, const struct tsql_query *q, const struct tsql_top *top, const char **sql)
{
    const char *limit = "-1", *offset = "0";
    *sql = "";
    if (top->count && q && q->offset)
        return fault_set(b->fault, 10741);
    if (top->count && bind_count(b, top->count, 127, &limit) < 0)
        return -1;
    if (q && q->offset && bind_count(b, q->offset, 10742, &offset) < 0)
        return -1;
    if (q && q->fetch && bind_count(b, q->fetch, 10744, &limit) < 0)
        return -1;
    if (top->count || (q && q->offset))
        *sql = binder_sql(b, " LIMIT %s OFFSET %s", limit, offset);
    return 0;
}

/* ---- ORDER BY ---- */

/* The item that an ORDER BY item means by position or name; -1: none. */
static int find_item(struct binder *b, const struct tsql_order *o, const struct bound_item *items, size_t count)
{
    const struct tsql_expr *e = o->value;
    if (e->kind == TSQL_LITERAL && e->literal.kind == TSQL_INT) {
        long position = strtol(e->literal.text.data, NULL, 10);
        if (position >= 1 && (size_t)position <= count)
            return (int)position - 1;
        fault_set(b->fault, 108, (int)position);
        return -1;
    }
    if (e->kind == TSQL_COLUMN && e->column.table.len == 0) {
        for (size_t i = 0; i < count; i++) {
            if (text_equal(items[i].name, e->column.name))
                return (int)i;
        }
    }
    return -1;
}

/* With `hidden` the text is for a query over this one: what is no item becomes a further column there, ", … AS o1". */
static int bind_order(struct binder *b, const struct tsql_query *q, struct body *body, const struct bound_item *items, size_t count,
                      struct buf *hidden, const char **sql)
{
    int keys = 0;
    struct buf text;
    int result = 0;
    buf_init(&text, BINDER_MAX_SQL);
    for (const struct tsql_order *o = q->order_by; o && result == 0; o = o->next) {
        int i = find_item(b, o, items, count);
        struct bound value = {0};
        if (b->fault->number != 0) {
            result = -1;
        } else if (i >= 0) {
            value = items[i].value;
            value.sql = binder_sql(b, "k%d", i + 1);
        } else if (!body) {
            result = fault_set(b->fault, 104);
        } else {
            result = bind_expr(b, o->value, &value);
            if (result == 0 && body->tree->distinct) {
                bool found = false;
                for (size_t j = 0; j < count && !found; j++) {
                    found = strcmp(items[j].value.sql, value.sql) == 0;
                    if (found)
                        i = (int)j;
                }
                if (!found)
                    result = fault_set(b->fault, 145);
            }
            body->grouped |= value.aggregate;
            if (result == 0 && body->grouped && value.ungrouped.len > 0)
                result = fault_set(b->fault, 8127, value.ungrouped.data);
            if (result == 0 && value.constant)
                continue; /* a constant orders nothing, and would be a position in SQLite */
            if (result == 0 && hidden && i < 0)
                buf_printf(hidden, ", %s AS o%d", value.sql, ++keys);
            if (hidden)
                value.sql = i < 0 ? binder_sql(b, "o%d", keys) : binder_sql(b, "k%d", i + 1);
        }
        if (result == 0)
            buf_printf(&text, "%s%s%s%s", text.len == 0 ? " ORDER BY " : ", ", value.sql, bind_collate(&value), o->descending ? " DESC" : "");
    }
    *sql = binder_take(b, &text);
    return result;
}

/* ---- one SELECT ---- */

static void enter(struct binder *b, struct scope *scope)
{
    *scope = (struct scope){.outer = b->scope};
    scope->last = &scope->ranges;
    b->scope = scope;
}

static const char *write_items(struct binder *b, const struct body *body)
{
    struct buf text;
    buf_init(&text, BINDER_MAX_SQL);
    for (size_t i = 0; i < body->count; i++) {
        const struct bound *v = &body->items[i].value;
        const char *collate = body->tree->distinct ? bind_collate(v) : "";
        buf_printf(&text, "%s%s%s AS k%zu", i > 0 ? ", " : "", v->sql, collate, i + 1);
    }
    return binder_take(b, &text);
}

static int bind_select(struct binder *b, const struct tsql_query *q, const struct tsql_body *tree, struct bound_query *out)
{
    struct body body = {.tree = tree};
    const char *groups = "", *order = "", *limit = "";
    bool ranked = tree->top.percent || tree->top.with_ties;
    struct buf hidden;
    struct cte *under = b->under;
    int result = -1;
    b->under = NULL;
    buf_init(&hidden, BINDER_MAX_SQL);
    if (tree->into.name.len > 0)
        return binder_unsupported(b, "INTO in a query that is part of another");
    enter(b, &body.scope);
    if (under)
        under->member = &body.scope;
    if (bind_from(b, tree->from, &body.from) < 0)
        goto out;
    if (tree->where && bind_expr(b, tree->where, &body.where) < 0)
        goto out;
    if (bind_groups(b, &body, &groups) < 0 || bind_items(b, &body) < 0)
        goto out;
    if (tree->having && bind_expr(b, tree->having, &body.having) < 0)
        goto out;
    bool selects_aggregate = false;
    for (size_t i = 0; i < body.count; i++)
        selects_aggregate |= body.items[i].value.aggregate;
    body.grouped |= tree->having != NULL || selects_aggregate;
    if (q && bind_order(b, q, &body, body.items, body.count, ranked ? &hidden : NULL, &order) < 0)
        goto out;
    if (!ranked && bind_limit(b, q, &tree->top, &limit) < 0)
        goto out;
    if (ranked && q && q->offset) {
        fault_set(b->fault, 10741);
        goto out;
    }
    if (body.grouped && check_grouped(b, &body) < 0)
        goto out;
    if (under && bind_cte_columns(b, under, tree, &body.scope, body.grouped, &hidden) < 0)
        goto out;
    /* HAVING without GROUP BY makes one group of all rows, also of none. SQLite sees that by an aggregate in the list; without
     * one it has to be told, and then makes no group of no rows. */
    if (tree->having && body.scope.group_count == 0 && !selects_aggregate)
        groups = " GROUP BY NULL";
    const char *having = tree->having ? binder_sql(b, " HAVING %s", body.having.sql) : "";
    out->sql = binder_sql(b, "SELECT %s%s%s%s%s%s%s%s%s%s%s", tree->distinct ? "DISTINCT " : "", write_items(b, &body), buf_text(&hidden),
                          tree->from ? " FROM " : "", body.from, tree->where ? " WHERE " : "", tree->where ? body.where.sql : "", groups,
                          having, ranked ? "" : order, limit);
    if (buf_status(&hidden) < 0) {
        fault_set(b->fault, FAULT_MEMORY);
        goto out;
    }
    bool plain = !body.grouped && !tree->distinct && !tree->having && !body.scope.windowed && order[0] == '\0' && limit[0] == '\0' && !ranked;
    out->one_row = body.grouped && body.scope.group_count == 0 && !tree->having && limit[0] == '\0' && !ranked;
    out->one_row |= plain && !tree->from && !tree->where;
    /* An aggregate over columns of an outer query alone would be that query's. */
    if (plain && body.items[0].value.has_column)
        out->rest = binder_sql(b, "%s%s%s%s", tree->from ? " FROM " : "", body.from, tree->where ? " WHERE " : "", tree->where ? body.where.sql : "");
    if (ranked && write_ranked(b, &tree->top, order, body.count, &out->sql) < 0)
        goto out;
    out->items = body.items;
    out->count = body.count;
    for (size_t i = 0; i < out->count; i++) {
        out->items[i].value.ungrouped.len = 0;
        out->items[i].value.aggregate = false;
    }
    result = 0;

out:
    buf_clear(&hidden);
    b->scope = body.scope.outer;
    return result;
}

/* ---- set operators ---- */

/* SELECT … FROM (side): its columns in the form in which both sides meet. `chain` says that the side may stand as it is,
 * without parentheses, when it has that form. */
static int write_side(struct binder *b, const struct bound_query *side, const struct bound_item *met, bool collate, bool chain,
                      const char **sql)
{
    struct buf text;
    int result = 0;
    buf_init(&text, BINDER_MAX_SQL);
    buf_append_text(&text, "SELECT ");
    for (size_t i = 0; i < side->count && result == 0; i++) {
        struct bound v = side->items[i].value;
        v.sql = binder_sql(b, "k%zu", i + 1);
        v.constant = NULL;
        const char *column = v.sql;
        if (!v.null)
            result = bind_convert(b, &v, &met[i].value.type);
        const char *wanted = collate ? bind_collate(&met[i].value) : "";
        chain = chain && strcmp(v.sql, column) == 0 && (!collate || strcmp(bind_collate(&side->items[i].value), wanted) == 0);
        buf_printf(&text, "%s%s%s AS k%zu", i > 0 ? ", " : "", v.sql, wanted, i + 1);
    }
    buf_printf(&text, " FROM (%s)", side->sql);
    *sql = binder_take(b, &text);
    if (chain)
        *sql = side->sql;
    return result;
}

static int bind_body(struct binder *b, const struct tsql_query *q, const struct tsql_body *tree, struct bound_query *out);

static int bind_set(struct binder *b, const struct tsql_body *tree, struct bound_query *out)
{
    static const char *const words[] = {
        [TSQL_UNION] = "UNION", [TSQL_UNION_ALL] = "UNION ALL", [TSQL_EXCEPT] = "EXCEPT", [TSQL_INTERSECT] = "INTERSECT"};
    struct bound_query left = {0}, right = {0};
    if (bind_body(b, NULL, tree->left, &left) < 0 || bind_body(b, NULL, tree->right, &right) < 0)
        return -1;
    if (left.count != right.count)
        return fault_set(b->fault, 205);
    out->count = left.count;
    out->items = arena_alloc(b->arena, left.count * sizeof *out->items);
    if (!out->items)
        return fault_set(b->fault, FAULT_MEMORY);
    for (size_t i = 0; i < left.count; i++) {
        struct bound pair[2] = {left.items[i].value, right.items[i].value};
        struct bound_item *item = &out->items[i];
        pair[0].constant = pair[1].constant = NULL;
        item->name = left.items[i].name;
        if (bind_meet(b, pair, 2, &item->value) < 0)
            return -1;
        item->value.null = pair[0].null && pair[1].null;
        item->value.nullable = pair[0].nullable || pair[1].nullable;
    }
    const char *left_sql, *right_sql;
    bool collate = tree->kind != TSQL_UNION_ALL;
    /* Set operators are read from the left, in SQLite too: what is joined already need not stand in parentheses, of which SQLite
     * takes few. Its columns have their collations unless UNION ALL, which asks for none, made it. */
    bool chain = tree->left->kind != TSQL_SELECT_BODY && (!collate || tree->left->kind != TSQL_UNION_ALL);
    if (write_side(b, &left, out->items, collate, chain, &left_sql) < 0 ||
        write_side(b, &right, out->items, collate, false, &right_sql) < 0)
        return -1;
    out->sql = binder_sql(b, "%s %s %s", left_sql, words[tree->kind], right_sql);
    return 0;
}

static int bind_body(struct binder *b, const struct tsql_query *q, const struct tsql_body *tree, struct bound_query *out)
{
    if (tree->kind == TSQL_SELECT_BODY)
        return bind_select(b, q, tree, out);
    if (bind_set(b, tree, out) < 0)
        return -1;
    if (!q || (!q->order_by && !q->offset))
        return 0;
    const char *order = "", *limit = "";
    static const struct tsql_top no_top;
    if (bind_order(b, q, NULL, out->items, out->count, NULL, &order) < 0 || bind_limit(b, q, &no_top, &limit) < 0)
        return -1;
    out->sql = binder_sql(b, "SELECT * FROM (%s)%s%s", out->sql, order, limit);
    return 0;
}

int bind_part(struct binder *b, const struct tsql_body *tree, struct bound_query *out)
{
    return bind_body(b, NULL, tree, out);
}

int bind_query(struct binder *b, const struct tsql_query *q, struct bound_query *out)
{
    struct cte *outer = b->ctes;
    int result = bind_with(b, q->ctes);
    if (result == 0)
        result = bind_body(b, q, q->body, out);
    b->ctes = outer;
    return result;
}
