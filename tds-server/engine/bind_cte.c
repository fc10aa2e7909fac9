/* Common table expressions. One is written where it is used, as a derived table; a recursive one as WITH RECURSIVE of
 * SQLite, with its depth as a further column k0:
 *
 *     WITH RECURSIVE x1(k1, k0) AS (SELECT k1, 0 FROM (anchor) UNION ALL SELECT …, sg_level(r2.k0 + 1, 100) AS k0 FROM x1 AS r2 …)
 *     SELECT k1 FROM x1
 *
 * One through which rows are changed shows its table's row number as k0 and all of the table's columns as w1, w2 …
 */
#include "tds-server/engine/binder.h"

#include <string.h>

#define MAX_RECURSION 100 /* unless OPTION (MAXRECURSION n) says otherwise, as in SQL Server */
#define MAX_MEMBERS 32    /* of one CTE that refer to it */

int bind_with(struct binder *b, const struct tsql_cte *ctes)
{
    for (const struct tsql_cte *c = ctes; c; c = c->next) {
        struct cte *made = arena_alloc(b->arena, sizeof *made);
        if (!made)
            return fault_set(b->fault, FAULT_MEMORY);
        *made = (struct cte){.name = c->name, .tree = c, .outer = b->ctes};
        b->ctes = made;
    }
    return 0;
}

struct cte *bind_find_cte(struct binder *b, const struct tsql_name *name)
{
    for (struct cte *c = name->schema.len == 0 && name->database.len == 0 ? b->ctes : NULL; c; c = c->outer) {
        if (text_equal(c->name, name->name))
            return c;
    }
    return NULL;
}

/* ---- what refers to itself ---- */

static bool body_names(const struct tsql_body *body, struct tsql_text name);

static bool sources_name(const struct tsql_source *s, struct tsql_text name)
{
    for (; s; s = s->next) {
        if (s->kind == TSQL_TABLE && s->name.schema.len == 0 && s->name.database.len == 0 && text_equal(s->name.name, name))
            return true;
        if (s->kind == TSQL_JOIN && (sources_name(s->left, name) || sources_name(s->right, name)))
            return true;
        if (s->kind == TSQL_DERIVED && body_names(s->query->body, name))
            return true;
    }
    return false;
}

static bool body_names(const struct tsql_body *body, struct tsql_text name)
{
    if (body->kind != TSQL_SELECT_BODY)
        return body_names(body->left, name) || body_names(body->right, name);
    return sources_name(body->from, name);
}

static bool has_outer_join(const struct tsql_source *s)
{
    for (; s; s = s->next) {
        if (s->kind == TSQL_JOIN && ((s->join != TSQL_INNER && s->join != TSQL_CROSS) || has_outer_join(s->left) || has_outer_join(s->right)))
            return true;
    }
    return false;
}

/* A reference of a recursive member to its own CTE. */
static int bind_self(struct binder *b, const struct tsql_source *s, struct cte *cte, const char **sql)
{
    if (!cte->anchor)
        return fault_set(b->fault, 252, cte->name.data);
    if (b->scope != cte->member)
        return fault_set(b->fault, 465);
    if (cte->references++ > 0)
        return fault_set(b->fault, 253, cte->name.data);
    struct range *r = bind_add_range(b, cte->anchor->count);
    if (!r)
        return -1;
    r->alias = s->alias.len > 0 ? s->alias : cte->name;
    if (bind_name_columns(b, r, cte->tree->columns, cte->anchor) < 0)
        return -1;
    cte->level = binder_sql(b, "sg_level(r%d.k0 + 1,%d)", r->number, b->max_recursion < 0 ? MAX_RECURSION : b->max_recursion);
    *sql = binder_sql(b, "x%d AS r%d", cte->number, r->number);
    return bind_check_exposed(b, r);
}

static int check_member(struct binder *b, const struct cte *cte, const struct tsql_body *tree, bool grouped)
{
    if (tree->distinct)
        return fault_set(b->fault, 460, cte->name.data);
    if (tree->top.count)
        return fault_set(b->fault, 461, cte->name.data);
    if (has_outer_join(tree->from))
        return fault_set(b->fault, 462, cte->name.data);
    return grouped || tree->group_by ? fault_set(b->fault, 467, cte->name.data) : 0;
}

static bool same_type(const struct sqltype *a, const struct sqltype *b)
{
    bool decimals = typing_class(a->kind) == TYPE_DECIMAL && typing_class(b->kind) == TYPE_DECIMAL && a->kind != SQLTYPE_MONEY && b->kind != SQLTYPE_MONEY;
    return (a->kind == b->kind || decimals) && a->length == b->length && a->precision == b->precision && a->scale == b->scale;
}

/* A member's columns have the anchor's types, to the length. */
static int bind_member(struct binder *b, struct cte *cte, const struct tsql_body *tree, const char **sql)
{
    struct bound_query q = {0};
    const struct bound_query *anchor = cte->anchor;
    if (tree->kind != TSQL_SELECT_BODY)
        return binder_unsupported(b, "a recursive member made of several SELECTs");
    cte->references = 0;
    b->under = cte;
    if (bind_part(b, tree, &q) < 0)
        return -1;
    if (q.count != anchor->count)
        return fault_set(b->fault, 205);
    for (size_t i = 0; i < q.count; i++) {
        const char *name = anchor->items[i].name.len > 0 ? anchor->items[i].name.data : "";
        if (!q.items[i].value.null && !same_type(&q.items[i].value.type, &anchor->items[i].value.type))
            return fault_set(b->fault, 240, name, cte->name.data);
    }
    *sql = q.sql;
    return 0;
}

/* Binds the parts of the UNION ALL: the anchor, and the members that follow it. */
static int bind_recursion(struct binder *b, struct cte *cte, struct bound_query *out)
{
    const struct tsql_query *query = cte->tree->query;
    const struct tsql_body *members[MAX_MEMBERS], *anchor = query->body;
    size_t count = 0;
    struct bound_query first = {0};
    while (anchor->kind == TSQL_UNION_ALL && body_names(anchor->right, cte->name)) {
        if (count == MAX_MEMBERS)
            return binder_unsupported(b, "so many recursive members");
        members[count++] = anchor->right;
        anchor = anchor->left;
    }
    if (count == 0)
        return fault_set(b->fault, 252, cte->name.data);
    if (body_names(anchor, cte->name))
        return fault_set(b->fault, 246, cte->name.data);
    if (query->order_by || query->offset)
        return fault_set(b->fault, 461, cte->name.data);
    if (bind_part(b, anchor, &first) < 0)
        return -1;
    for (size_t i = 0; i < first.count; i++) {
        first.items[i].value.nullable = true;
        first.items[i].value.constant = NULL;
        first.items[i].value.null = false;
        first.items[i].value.identity = false;
    }
    cte->anchor = &first;
    cte->number = ++b->ranges;
    struct buf head, tail;
    buf_init(&head, BINDER_MAX_SQL);
    buf_init(&tail, BINDER_MAX_SQL);
    for (size_t i = 0; i < first.count; i++)
        buf_printf(&head, "%sk%zu", i > 0 ? "," : "", i + 1);
    int result = 0;
    while (count-- > 0 && result == 0) {
        const char *member = "";
        result = bind_member(b, cte, members[count], &member);
        buf_printf(&tail, " UNION ALL %s", member);
    }
    cte->anchor = NULL;
    const char *columns = binder_take(b, &head), *rest = binder_take(b, &tail);
    *out = first;
    out->sql = binder_sql(b, "WITH RECURSIVE x%d(%s,k0) AS (SELECT %s,0 FROM (%s)%s) SELECT %s FROM x%d", cte->number, columns, columns, first.sql,
                          rest, columns, cte->number);
    return result;
}

/* ---- what rows are changed through ---- */

static const struct cat_column *shown_column(const struct range *base, const struct bound *v)
{
    for (size_t i = 0; i < base->column_count; i++) {
        if (strcmp(base->columns[i].sql, v->sql) == 0)
            return base->columns[i].base;
    }
    return NULL;
}

/* Makes the newest range, which is the CTE's, one whose table's rows can be changed. */
static int make_writable(struct binder *b, const struct cte *cte, const struct bound_query *q)
{
    struct range *r = b->scope->ranges;
    while (r->next)
        r = r->next;
    const struct range *base = cte->base;
    r->table = base->table;
    r->database_id = base->database_id;
    r->row = binder_sql(b, "r%d.k0", r->number);
    r->written = arena_alloc(b->arena, base->column_count * sizeof *r->written);
    if (!r->written)
        return fault_set(b->fault, FAULT_MEMORY);
    for (size_t i = 0; i < base->column_count; i++) {
        r->written[i] = base->columns[i];
        r->written[i].sql = binder_sql(b, "r%d.w%zu", r->number, i + 1);
    }
    for (size_t i = 0; i < r->column_count; i++)
        r->columns[i].base = shown_column(base, &q->items[i].value);
    return 0;
}

/* ---- one reference ---- */

int bind_cte_columns(struct binder *b, struct cte *cte, const struct tsql_body *tree, const struct scope *scope, bool grouped, struct buf *out)
{
    if (!cte->written || cte->anchor) {
        if (check_member(b, cte, tree, grouped) < 0)
            return -1;
        if (!cte->level || cte->references == 0)
            return fault_set(b->fault, 465);
        buf_printf(out, ", %s AS k0", cte->level);
        return 0;
    }
    const struct range *base = scope->ranges;
    if (grouped || tree->distinct || !base || tree->top.percent || tree->top.with_ties)
        return fault_set(b->fault, 4406, cte->name.data);
    if (!base->table || base->next)
        return binder_unsupported(b, "a change of rows through a CTE of more than one table");
    cte->base = base;
    buf_printf(out, ", %s AS k0", base->row);
    for (size_t i = 0; i < base->column_count; i++)
        buf_printf(out, ", %s AS w%zu", base->written[i].sql, i + 1);
    return 0;
}

int bind_cte(struct binder *b, const struct tsql_source *s, struct cte *cte, const char **sql)
{
    if (cte->busy)
        return bind_self(b, s, cte, sql);
    struct cte *all = b->ctes;
    struct scope *scope = b->scope;
    struct bound_query q = {0};
    const struct tsql_query *query = cte->tree->query;
    bool recursive = body_names(query->body, cte->name), written = cte->written;
    int result;
    b->ctes = cte; /* it sees what stands before it, and itself */
    b->scope = NULL;
    cte->busy = true;
    if (written && (recursive || query->body->kind != TSQL_SELECT_BODY)) {
        result = fault_set(b->fault, 4406, cte->name.data);
    } else if (recursive) {
        result = bind_recursion(b, cte, &q);
    } else {
        b->under = written ? cte : NULL;
        result = bind_query(b, query, &q);
        b->under = NULL;
    }
    cte->busy = false;
    b->ctes = all;
    b->scope = scope;
    if (result < 0 || bind_add_derived(b, s->alias.len > 0 ? s->alias : cte->name, cte->tree->columns, &q, sql) < 0)
        return -1;
    return written ? make_writable(b, cte, &q) : 0;
}
