#include "tds-server/engine/binder.h"

#include <stdlib.h>
#include <string.h>

/* INSERT, UPDATE and DELETE become a query for the rows (new values, numbers of old rows), whose rows exec converts, checks
 * and writes one by one. So conversion, truncation and NULL are checked in one place, and errors can name the value. */

/* ---- assignment ---- */

static int check_assignable(struct binder *b, const struct bound *v, const struct cat_column *c)
{
    if (v->null)
        return 0;
    switch (typing_conversion(v->type.kind, c->type.kind)) {
    case CONVERSION_NONE:
        return fault_set(b->fault, 206, typing_name(v->type.kind), typing_name(c->type.kind));
    case CONVERSION_EXPLICIT:
        return fault_set(b->fault, 257, typing_name(v->type.kind), typing_name(c->type.kind));
    default:
        return 0;
    }
}

static const char *table_sql(struct binder *b, const struct plan_write *w)
{
    return binder_sql(b, "d%d.t%d", w->database, w->table->id);
}

static int find_table(struct binder *b, const struct tsql_name *name)
{
    struct attachment *a;
    if (bind_find_cte(b, name))
        return binder_unsupported(b, "INSERT into a CTE");
    if (bind_table(b, name, &a, &b->plan->write.table) < 0)
        return -1;
    b->plan->write.database = a->database->id;
    return 0;
}

/* ---- INSERT ---- */

/* Which columns the statement gives values for, in its own order. */
static int insert_columns(struct binder *b, const struct tsql_insert *insert, const struct cat_column ***out, size_t *count)
{
    struct cat_table *t = b->plan->write.table;
    const struct cat_column **list = arena_alloc(b->arena, (t->column_count + 1) * sizeof *list);
    size_t n = 0;
    if (!list)
        return fault_set(b->fault, FAULT_MEMORY);
    if (!insert->columns) {
        for (size_t i = 0; i < t->column_count; i++) {
            if (!t->columns[i].identity)
                list[n++] = &t->columns[i];
        }
    }
    for (const struct tsql_word *w = insert->columns; w; w = w->next) {
        const struct cat_column *c = catalogue_column(t, w->text.data, w->text.len);
        if (!c)
            return fault_set(b->fault, 207, w->text.data);
        for (size_t i = 0; i < n; i++) {
            if (list[i] == c)
                return fault_set(b->fault, 264, c->name.data);
        }
        list[n++] = c;
    }
    *out = list;
    *count = n;
    return 0;
}

/* VALUES: where rows are several, each column's values meet in one type first, as in SQL Server. */
static int insert_rows(struct binder *b, const struct tsql_insert *insert, const struct cat_column **columns, size_t count,
                       struct bound *types, const char **sql)
{
    size_t rows = 0, i = 0;
    for (const struct tsql_row *row = insert->rows; row; row = row->next, rows++) {
        if (row->count != count && insert->columns)
            return fault_set(b->fault, row->count < count ? 109 : 110);
        if (row->count != count)
            return fault_set(b->fault, 213);
    }
    struct bound *values = arena_alloc(b->arena, (rows * count + 1) * sizeof *values); /* by columns */
    if (!values)
        return fault_set(b->fault, FAULT_MEMORY);
    for (const struct tsql_row *row = insert->rows; row; row = row->next, i++) {
        size_t j = 0;
        for (const struct tsql_expr *e = row->values; e; e = e->next, j++) {
            struct bound *v = &values[j * rows + i];
            int result = e->kind == TSQL_DEFAULT ? bind_column_default(b, columns[j], v) : bind_expr(b, e, v);
            if (result < 0 || check_assignable(b, v, columns[j]) < 0)
                return -1;
        }
    }
    for (size_t j = 0; j < count; j++) {
        if (rows == 1)
            types[j] = values[j];
        else if (bind_meet(b, &values[j * rows], rows, &types[j]) < 0)
            return -1;
    }
    struct buf text;
    buf_init(&text, BINDER_MAX_SQL);
    for (i = 0; i < rows; i++) {
        buf_append_text(&text, i == 0 ? "VALUES " : ", ");
        for (size_t j = 0; j < count; j++)
            buf_printf(&text, "%s%s", j == 0 ? "(" : ", ", values[j * rows + i].sql);
        buf_append_char(&text, ')');
    }
    *sql = binder_take(b, &text);
    return 0;
}

static int insert_query(struct binder *b, const struct tsql_insert *insert, const struct cat_column **columns, size_t count,
                        struct bound *types, const char **sql)
{
    struct bound_query q = {0};
    if (bind_query(b, insert->query, &q) < 0)
        return -1;
    if (q.count != count)
        return fault_set(b->fault, q.count < count ? 120 : 121);
    for (size_t j = 0; j < count; j++) {
        types[j] = q.items[j].value;
        if (check_assignable(b, &types[j], columns[j]) < 0)
            return -1;
    }
    *sql = q.sql;
    /* Rows that come out of the table itself are read to the end before the first is written. */
    const char *itself = binder_sql(b, "%s AS ", table_sql(b, &b->plan->write));
    if (strstr(q.sql, itself) || (b->hoisted && strstr(b->hoisted, itself)))
        *sql = binder_sql(b, "SELECT * FROM (%s) ORDER BY row_number() OVER ()", q.sql);
    return 0;
}

/* The parameter that a value is, and nothing but that; NULL: it has to be computed. */
static const struct plan_param *bare_parameter(const struct binder *b, const char *sql)
{
    char *end;
    if (sql[0] != '?')
        return NULL;
    unsigned long number = strtoul(sql + 1, &end, 10);
    if (*end != '\0' || number == 0 || number > b->query->param_count)
        return NULL;
    const struct plan_param *p = &b->query->params[number - 1];
    return p->kind == PLAN_CONSTANT || p->kind == PLAN_VARIABLE ? p : NULL;
}

/* Notes where the values of an INSERT of one row are, when no expression among them has to be computed. */
static int find_direct(struct binder *b, const struct bound *values, size_t count)
{
    const struct plan_param **direct = arena_alloc(b->arena, (count + 1) * sizeof(struct plan_param *));
    if (!direct)
        return fault_set(b->fault, FAULT_MEMORY);
    for (size_t i = 0; i < count; i++) {
        direct[i] = bare_parameter(b, values[i].sql);
        if (!direct[i])
            return 0;
    }
    b->plan->write.direct = direct;
    return 0;
}

/* Adds the defaults of the columns that have no value, and says where each column's value comes from. */
static int insert_targets(struct binder *b, const struct cat_column **columns, size_t count, struct bound *types, const char *source)
{
    struct plan_write *w = &b->plan->write;
    const struct cat_table *t = w->table;
    struct buf extra, insert, values;
    size_t n = count;
    int result = 0;
    buf_init(&extra, BINDER_MAX_SQL);
    buf_init(&insert, BINDER_MAX_SQL);
    buf_init(&values, BINDER_MAX_SQL);
    w->targets = arena_alloc(b->arena, t->column_count * sizeof *w->targets);
    if (!w->targets)
        return fault_set(b->fault, FAULT_MEMORY);
    w->target_count = t->column_count;
    /* By name: ALTER COLUMN leaves SQLite's columns in an order of their own. */
    buf_printf(&insert, "INSERT INTO %s ", table_sql(b, w));
    for (size_t i = 0; i < t->column_count && result == 0; i++) {
        const struct cat_column *c = &t->columns[i];
        struct plan_target *target = &w->targets[i];
        *target = (struct plan_target){c, PLAN_NULL, true};
        for (size_t j = 0; j < count; j++) {
            if (columns[j] == c)
                target->source = (int)j;
        }
        if (target->source >= 0 && c->identity) {
            w->identity_explicit = true;
        } else if (c->identity) {
            target->source = PLAN_IDENTITY;
        } else if (target->source == PLAN_NULL && c->default_sql.len > 0) {
            result = bind_column_default(b, c, &types[n]);
            if (result == 0)
                buf_printf(&extra, ", %s", types[n].sql);
            target->source = (int)n++;
        }
        buf_printf(&insert, "%sc%d", i == 0 ? "(" : ", ", c->id);
        buf_printf(&values, "%s?%zu", i == 0 ? "(" : ", ", i + 1);
    }
    const char *more = binder_take(b, &extra), *list = binder_take(b, &values);
    buf_printf(&insert, ") VALUES %s)", list);
    w->sql = binder_take(b, &insert);
    w->key = -1;
    if (result < 0)
        return -1;
    struct bound_query q = {.count = n};
    q.items = arena_alloc(b->arena, (n + 1) * sizeof *q.items);
    if (!q.items)
        return fault_set(b->fault, FAULT_MEMORY);
    for (size_t i = 0; i < n; i++)
        q.items[i].value = types[i];
    if (count == 0)
        q.sql = binder_sql(b, "SELECT %s", n > 0 ? more + 2 : "1");
    else
        q.sql = n == count ? source : binder_sql(b, "SELECT *%s FROM (%s)", more, source);
    return bind_describe(b, &q, &b->plan->query);
}

int bind_insert(struct binder *b, const struct tsql_insert *insert)
{
    const struct cat_column **columns = NULL;
    size_t count = 0;
    const char *source = "";
    if (insert->top.count)
        return binder_unsupported(b, "INSERT TOP");
    if (bind_with(b, insert->ctes) < 0 || find_table(b, &insert->table) < 0 || insert_columns(b, insert, &columns, &count) < 0)
        return -1;
    struct bound *types = arena_alloc(b->arena, (2 * b->plan->write.table->column_count + count + 1) * sizeof *types);
    if (!types)
        return fault_set(b->fault, FAULT_MEMORY);
    switch (insert->kind) {
    case TSQL_INSERT_VALUES:
        if (insert_rows(b, insert, columns, count, types, &source) < 0)
            return -1;
        break;
    case TSQL_INSERT_QUERY:
        if (insert_query(b, insert, columns, count, types, &source) < 0)
            return -1;
        break;
    case TSQL_INSERT_DEFAULTS:
        count = 0;
        break;
    }
    if (insert_targets(b, columns, count, types, source) < 0)
        return -1;
    bool one_row = insert->kind == TSQL_INSERT_VALUES && insert->rows && !insert->rows->next;
    if (one_row && b->plan->query.column_count == count && find_direct(b, types, count) < 0)
        return -1;
    return bind_row_queries(b, &insert->output, ROW_NEW);
}

/* ---- UPDATE and DELETE ---- */

/* Binds FROM (the table itself without one) and finds the range whose rows are to be written. */
static int bind_written(struct binder *b, const struct tsql_name *table, const struct tsql_source *from, const char **sql, struct range **out)
{
    struct tsql_source self = {.kind = TSQL_TABLE, .line = table->line, .name = *table};
    struct plan_write *w = &b->plan->write;
    struct cte *cte = bind_find_cte(b, table);
    if (cte)
        cte->written = true;
    if (bind_from(b, from ? from : &self, sql) < 0)
        return -1;
    *out = NULL;
    for (struct range *r = b->scope->ranges; r; r = r->next) {
        if (r->table && table->schema.len == 0 && table->database.len == 0 && text_equal(r->alias, table->name))
            *out = r;
    }
    if (!*out && !cte) {
        struct attachment *a;
        struct cat_table *t;
        if (bind_table(b, table, &a, &t) < 0)
            return -1;
        for (struct range *r = b->scope->ranges; r; r = r->next) {
            if (r->table == t && r->database_id == a->database->id)
                *out = r;
        }
    }
    if (!*out)
        return binder_unsupported(b, "a FROM clause without the table that is changed");
    w->table = (*out)->table;
    w->database = (*out)->database_id;
    return 0;
}

static int bind_top(struct binder *b, const struct tsql_top *top, const char **sql)
{
    struct bound count;
    *sql = "";
    if (!top->count)
        return 0;
    if (top->percent || top->with_ties)
        return binder_unsupported(b, "TOP PERCENT");
    if (bind_expr(b, top->count, &count) < 0)
        return -1;
    if (typing_class(count.type.kind) != TYPE_INTEGER)
        return fault_set(b->fault, 1060);
    *sql = binder_sql(b, " LIMIT sg_count(%s,127)", count.sql);
    return 0;
}

/* The query for the rows: their number first, then the new values; read to its end before the first row is written. */
static int finish_query(struct binder *b, const struct range *r, const char *values, size_t count, struct bound_item *items,
                        const char *from, const struct tsql_expr *where, const struct tsql_top *top)
{
    struct bound condition = {.sql = ""};
    const char *limit;
    if ((where && bind_expr(b, where, &condition) < 0) || bind_top(b, top, &limit) < 0)
        return -1;
    const char *sql = binder_sql(b, "SELECT %s AS k0%s FROM %s%s%s", r->row, values, from, where ? " WHERE " : "", condition.sql);
    if (limit[0] != '\0')
        sql = binder_sql(b, "SELECT * FROM (%s%s) ORDER BY +k0", sql, limit);
    else
        sql = binder_sql(b, "%s ORDER BY +%s", sql, r->row);
    items[0].value = (struct bound){.type = typing_make(SQLTYPE_BIGINT)};
    struct bound_query q = {.sql = sql, .items = items, .count = count + 1};
    b->plan->write.key = 0;
    return bind_describe(b, &q, &b->plan->query);
}


/* OUTPUT deleted.…: the row as it was, behind the new values. */
static const char *add_old_values(struct binder *b, const struct range *r, struct bound_item *items, size_t *count, const char *values)
{
    struct plan_write *w = &b->plan->write;
    struct buf text;
    if (!w->output.sql)
        return values;
    buf_init(&text, BINDER_MAX_SQL);
    buf_append_text(&text, values);
    w->old_first = (int)*count + 1;
    for (size_t i = 0; i < w->table->column_count; i++) {
        items[++*count].value = (struct bound){.type = w->table->columns[i].type};
        buf_printf(&text, ", %s", r->written[i].sql);
    }
    return binder_take(b, &text);
}

static int bind_assignment(struct binder *b, const struct tsql_assignment *a, const struct cat_column *c, struct bound *out)
{
    int result;
    if (a->value->kind == TSQL_DEFAULT) {
        result = bind_column_default(b, c, out);
    } else if (a->op != TSQL_NO_OP) {
        struct tsql_expr column = {.kind = TSQL_COLUMN, .line = a->line, .depth = 1, .column = a->column};
        struct tsql_expr sum = {.kind = TSQL_BINARY, .op = a->op, .line = a->line, .depth = 2, .a = &column, .b = a->value};
        result = bind_expr(b, &sum, out);
    } else {
        result = bind_expr(b, a->value, out);
    }
    return result < 0 ? -1 : check_assignable(b, out, c);
}

static const struct range_column *find_shown(const struct range *r, struct tsql_text name)
{
    for (size_t i = 0; i < r->column_count; i++) {
        if (text_equal(r->columns[i].name, name))
            return &r->columns[i];
    }
    return NULL;
}

static int bind_set(struct binder *b, const struct tsql_update *update, const struct range *r, struct bound_item *items, size_t *count,
                    const char **values)
{
    struct plan_write *w = &b->plan->write;
    const struct cat_table *t = w->table;
    struct buf text;
    size_t n = 0;
    int result = -1;
    buf_init(&text, BINDER_MAX_SQL);
    for (const struct tsql_assignment *a = update->set; a; a = a->next) {
        if (a->variable.len > 0) {
            binder_unsupported(b, "SET @variable in UPDATE");
            goto out;
        }
        const struct range_column *shown = find_shown(r, a->column.name);
        if (!shown || !shown->base) {
            fault_set(b->fault, shown ? 4406 : 207, shown ? r->alias.data : a->column.name.data);
            goto out;
        }
        const struct cat_column *c = shown->base;
        if (c->identity) {
            fault_set(b->fault, 8102, c->name.data);
            goto out;
        }
        for (size_t i = 0; i < n; i++) {
            if (w->targets[i].column == c) {
                fault_set(b->fault, 264, c->name.data);
                goto out;
            }
        }
        struct bound *v = &items[n + 1].value;
        if (bind_assignment(b, a, c, v) < 0)
            goto out;
        buf_printf(&text, ", %s", v->sql);
        w->targets[n] = (struct plan_target){c, (int)n + 1, true};
        n++;
    }
    /* Checks and OUTPUT look at whole rows. */
    for (size_t i = 0; (w->checks.sql || w->output.sql) && i < t->column_count; i++) {
        bool assigned = false;
        for (size_t j = 0; j < n; j++)
            assigned |= w->targets[j].column == &t->columns[i];
        if (assigned)
            continue;
        items[n + 1].value = (struct bound){.type = t->columns[i].type};
        buf_printf(&text, ", %s", r->written[i].sql);
        w->targets[n] = (struct plan_target){&t->columns[i], (int)n + 1, false};
        n++;
    }
    w->target_count = n;
    *count = n;
    result = 0;

out:
    *values = binder_take(b, &text);
    return result;
}

static const char *update_sql(struct binder *b)
{
    const struct plan_write *w = &b->plan->write;
    struct buf text;
    buf_init(&text, BINDER_MAX_SQL);
    buf_printf(&text, "UPDATE %s SET ", table_sql(b, w));
    const char *between = "";
    for (size_t i = 0; i < w->target_count; i++) {
        if (w->targets[i].changed)
            buf_printf(&text, "%sc%d = ?%zu", between, w->targets[i].column->id, i + 1);
        between = ", ";
    }
    buf_printf(&text, " WHERE rowid = ?%zu", w->target_count + 1);
    return binder_take(b, &text);
}

static bool in_unique_index(const struct cat_table *t, const struct cat_column *c, bool *rowid)
{
    bool found = false;
    for (const struct cat_index *x = t->indexes; x; x = x->next) {
        for (size_t i = 0; x->unique && i < x->count; i++) {
            found |= x->columns[i] == c->id;
            *rowid |= x->columns[i] == c->id && x->is_rowid;
        }
    }
    return found;
}

/* UPDATE t SET <each unique key that changes> = …: ?1 an integer for columns of text, ?2 a text for the others, so that the
 * value is like no other; ?3 a free row number where that is the key; ?4 the row. */
static const char *park_sql(struct binder *b)
{
    const struct plan_write *w = &b->plan->write;
    struct buf text;
    bool any = false;
    buf_init(&text, BINDER_MAX_SQL);
    buf_printf(&text, "UPDATE %s SET ", table_sql(b, w));
    for (size_t i = 0; i < w->target_count; i++) {
        const struct cat_column *c = w->targets[i].column;
        bool rowid = false;
        if (!w->targets[i].changed || !in_unique_index(w->table, c, &rowid))
            continue;
        enum type_class class = typing_class(c->type.kind);
        int param = rowid ? 3 : class == TYPE_STRING || class == TYPE_DATETIME ? 1 : 2;
        buf_printf(&text, "%sc%d = ?%d", any ? ", " : "", c->id, param);
        any = true;
    }
    buf_append_text(&text, " WHERE rowid = ?4");
    const char *sql = binder_take(b, &text);
    return any ? sql : NULL;
}

int bind_update(struct binder *b, const struct tsql_update *update)
{
    struct scope scope = {0};
    struct range *r;
    const char *from, *values;
    size_t count;
    if (bind_with(b, update->ctes) < 0)
        return -1;
    scope.last = &scope.ranges;
    b->scope = &scope;
    if (bind_written(b, &update->table, update->from, &from, &r) < 0)
        return -1;
    struct plan_write *w = &b->plan->write;
    w->targets = arena_alloc(b->arena, w->table->column_count * sizeof *w->targets);
    struct bound_item *items = arena_alloc(b->arena, (2 * w->table->column_count + 1) * sizeof *items);
    if (!w->targets || !items)
        return fault_set(b->fault, FAULT_MEMORY);
    if (bind_row_queries(b, &update->output, ROW_NEW | ROW_OLD) < 0 || bind_set(b, update, r, items, &count, &values) < 0)
        return -1;
    values = add_old_values(b, r, items, &count, values);
    w->sql = update_sql(b);
    w->park_sql = park_sql(b);
    return finish_query(b, r, values, count, items, from, update->where, &update->top);
}

int bind_delete(struct binder *b, const struct tsql_delete *delete_)
{
    struct scope scope = {0};
    struct range *r;
    const char *from;
    size_t count = 0;
    if (bind_with(b, delete_->ctes) < 0)
        return -1;
    scope.last = &scope.ranges;
    b->scope = &scope;
    if (bind_written(b, &delete_->table, delete_->from, &from, &r) < 0)
        return -1;
    struct bound_item *items = arena_alloc(b->arena, (b->plan->write.table->column_count + 1) * sizeof *items);
    if (!items)
        return fault_set(b->fault, FAULT_MEMORY);
    if (bind_row_queries(b, &delete_->output, ROW_OLD) < 0)
        return -1;
    b->plan->write.sql = binder_sql(b, "DELETE FROM %s WHERE rowid = ?1", table_sql(b, &b->plan->write));
    const char *values = add_old_values(b, r, items, &count, "");
    return finish_query(b, r, values, count, items, from, delete_->where, &delete_->top);
}
