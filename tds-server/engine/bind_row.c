#include "tds-server/engine/binder.h"

#include "tds-server/language/tsql_parse.h"

#include <string.h>

/* What INSERT, UPDATE and DELETE compute from a row under way: defaults before it is written, CHECK, and OUTPUT after. */

/* ---- T-SQL that the catalogue keeps ---- */

/* Parses "SELECT <text>" or "SELECT 1 WHERE <text>" and gives the expression. */
static const struct tsql_expr *parse_stored(struct binder *b, struct tsql_text text, bool condition)
{
    struct tsql_batch *batch;
    struct tsql_error error;
    const char *sql = binder_sql(b, condition ? "SELECT 1 WHERE %s" : "SELECT %s", text.data);
    if (tsql_parse(b->arena, sql, strlen(sql), true, &batch, &error) < 0) {
        fault_set_text(b->fault, error.number, error.severity, error.state, 0, error.text);
        return NULL;
    }
    const struct tsql_body *body = batch->statements->select->body;
    return condition ? body->where : body->items->value;
}

int bind_column_default(struct binder *b, const struct cat_column *c, struct bound *out)
{
    if (c->default_sql.len == 0) {
        *out = (struct bound){.sql = "NULL", .null = true, .nullable = true, .type = c->type};
        return 0;
    }
    const struct tsql_expr *e = parse_stored(b, c->default_sql, false);
    struct scope *scope = b->scope;
    b->scope = NULL;
    int result = e ? bind_expr(b, e, out) : -1;
    b->scope = scope;
    return result;
}

/* ---- queries over one row ---- */

/* Adds a range whose columns are the row's values, as parameters: place `first` and on. */
static int add_row_range(struct binder *b, const char *alias, size_t first)
{
    const struct cat_table *t = b->plan->write.table;
    struct range *r = bind_add_range(b, t->column_count);
    if (!r)
        return -1;
    r->alias = alias ? (struct tsql_text){alias, strlen(alias)} : t->name;
    for (size_t i = 0; i < t->column_count; i++) {
        const struct cat_column *c = &t->columns[i];
        struct plan_param p = {.kind = PLAN_CELL, .variable = first + i, .type = c->type};
        r->columns[i] = (struct range_column){c->name, c->type, c->collation, COLLATION_IMPLICIT, c->nullable, c->identity, binder_param(b, &p), c};
    }
    return 0;
}

/* Says of each CHECK whether the row passes: one column each. */
static int bind_checks(struct binder *b)
{
    struct plan_write *w = &b->plan->write;
    size_t count = 0, n = 0;
    for (const struct cat_check *k = w->table->checks; k; k = k->next)
        count += !k->is_default;
    if (count == 0)
        return 0;
    struct buf sql;
    buf_init(&sql, BINDER_MAX_SQL);
    w->check_of = arena_alloc(b->arena, count * sizeof *w->check_of);
    int result = w->check_of ? add_row_range(b, NULL, 0) : fault_set(b->fault, FAULT_MEMORY);
    for (const struct cat_check *k = w->table->checks; k && result == 0; k = k->next) {
        if (k->is_default)
            continue;
        struct bound condition;
        const struct tsql_expr *e = parse_stored(b, k->sql, true);
        result = e ? bind_expr(b, e, &condition) : -1;
        if (result == 0) {
            buf_printf(&sql, "%s(%s)", n == 0 ? "SELECT " : ", ", condition.sql);
            w->check_of[n++] = k;
        }
    }
    w->checks.column_count = n;
    w->checks.sql = binder_take(b, &sql);
    return result;
}

static size_t count_output(const struct tsql_output *output, size_t columns)
{
    size_t count = 0;
    for (const struct tsql_item *i = output->items; i; i = i->next)
        count += i->kind == TSQL_ITEM_EXPR ? 1 : 2 * columns;
    return count;
}

/* What OUTPUT says of each row. */
static int bind_output(struct binder *b, const struct tsql_output *output, unsigned rows)
{
    struct plan_write *w = &b->plan->write;
    size_t columns = w->table->column_count, n = 0;
    if (output->into.name.len > 0)
        return binder_unsupported(b, "OUTPUT INTO");
    struct bound_query q = {.items = arena_alloc(b->arena, count_output(output, columns) * sizeof *q.items)};
    if (!q.items)
        return fault_set(b->fault, FAULT_MEMORY);
    if (((rows & ROW_NEW) && add_row_range(b, "inserted", 0) < 0) || ((rows & ROW_OLD) && add_row_range(b, "deleted", columns) < 0))
        return -1;
    struct buf sql;
    buf_init(&sql, BINDER_MAX_SQL);
    int result = 0;
    for (const struct tsql_item *i = output->items; i && result == 0; i = i->next) {
        if (i->kind == TSQL_ITEM_EXPR) {
            result = bind_expr(b, i->value, &q.items[n].value);
            q.items[n].name = i->alias.len == 0 && i->value->kind == TSQL_COLUMN ? i->value->column.name : i->alias;
            n++;
            continue;
        }
        size_t before = n;
        for (const struct range *r = b->scope->ranges; r; r = r->next) {
            if (!text_equal(r->alias, i->table.name))
                continue;
            for (size_t j = 0; j < r->column_count; j++, n++) {
                const struct range_column *c = &r->columns[j];
                q.items[n].name = c->name;
                q.items[n].value = (struct bound){.sql = c->sql, .type = c->type, .nullable = c->nullable, .collation = c->collation,
                                                     .identity = c->identity};
            }
        }
        if (n == before)
            result = fault_set(b->fault, 107, i->table.name.data ? i->table.name.data : "*");
    }
    for (size_t i = 0; i < n && result == 0; i++)
        buf_printf(&sql, "%s%s", i == 0 ? "SELECT " : ", ", q.items[i].value.sql);
    q.sql = binder_take(b, &sql);
    q.count = n;
    return result < 0 ? -1 : bind_describe(b, &q, &w->output);
}

/* Binds one of them with its own parameters and names. */
static int bind_apart(struct binder *b, struct plan_query *query, const struct tsql_output *output, unsigned rows)
{
    struct plan_query *outer_query = b->query;
    struct scope *outer_scope = b->scope, scope = {0};
    scope.last = &scope.ranges;
    b->scope = &scope;
    b->query = query;
    int result = output ? bind_output(b, output, rows) : bind_checks(b);
    b->scope = outer_scope;
    b->query = outer_query;
    return result;
}

int bind_row_queries(struct binder *b, const struct tsql_output *output, unsigned rows)
{
    struct plan_write *w = &b->plan->write;
    if ((rows & ROW_NEW) && bind_apart(b, &w->checks, NULL, rows) < 0)
        return -1;
    return output->items ? bind_apart(b, &w->output, output, rows) : 0;
}
