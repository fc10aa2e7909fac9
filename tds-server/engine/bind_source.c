#include "tds-server/engine/binder.h"

#include "common/collate.h"
#include "tds-server/engine/views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- databases and tables ---- */

/* The database of this name, when the statement has named it already. It is not looked up again: others may have changed its schema
 * since, and one statement must not stand on two (its ranges point into the catalogue that the plan holds). */
static struct attachment *find_used(const struct binder *b, struct tsql_text database)
{
    for (size_t i = 0; i < b->plan->database_count; i++) {
        struct attachment *a = connection_find(b->session, b->plan->databases[i].id);
        if (a && a->version == b->plan->databases[i].version && !a->database->temporary &&
            (database.len > 0 ? collate_name_equal(a->database->name, strlen(a->database->name), database.data, database.len)
                              : a->database == b->session->current))
            return a;
    }
    return NULL;
}

int bind_use(struct binder *b, struct tsql_text database, struct attachment **out)
{
    struct plan *p = b->plan;
    if ((*out = find_used(b, database)) != NULL)
        return 0;
    if (connection_use(b->session, database.data ? database.data : "", database.len, out) < 0)
        return -1;
    struct attachment *a = *out;
    for (size_t i = 0; i < p->database_count; i++) {
        if (p->databases[i].id == a->database->id)
            return 0;
    }
    if (p->database_count == PLAN_MAX_DATABASES)
        return binder_unsupported(b, "a statement over more than eight databases");
    catalogue_hold(a->catalogue);
    p->databases[p->database_count++] = (struct plan_database){a->database->id, a->version, a->catalogue};
    return 0;
}

static const char *full_name(struct binder *b, const struct tsql_name *n)
{
    struct buf text;
    buf_init(&text, 1024);
    const struct tsql_text *parts[] = {&n->server, &n->database, &n->schema, &n->name};
    for (size_t i = n->name.data && n->name.data[0] == '#' ? 3 : 0; i < 4; i++) {
        if (parts[i]->len > 0 || text.len > 0)
            buf_printf(&text, "%s%s", text.len > 0 ? "." : "", parts[i]->len > 0 ? parts[i]->data : "");
    }
    return binder_take(b, &text);
}

int bind_table(struct binder *b, const struct tsql_name *name, struct attachment **a, struct cat_table **table)
{
    if (name->server.len > 0)
        return binder_unsupported(b, "a linked server");
    if (bind_use(b, name->database, a) < 0) {
        if (b->fault->number == 911) {
            fault_clear(b->fault);
            fault_set(b->fault, 208, full_name(b, name));
        }
        return -1;
    }
    struct catalogue *c = (*a)->catalogue;
    const struct cat_schema *schema = name->schema.len > 0 ? catalogue_schema(c, name->schema.data, name->schema.len)
                                                           : catalogue_schema_by_id(c, CATALOGUE_DBO);
    *table = schema ? catalogue_table(c, schema->id, name->name.data, name->name.len) : NULL;
    if (!*table) {
        fault_set(b->fault, 208, full_name(b, name));
        b->fault->line = name->line;
        return -1;
    }
    return 0;
}

/* ---- ranges ---- */

struct range *bind_add_range(struct binder *b, size_t columns)
{
    struct range *r = arena_alloc(b->arena, sizeof *r);
    struct range_column *list = arena_alloc(b->arena, columns * sizeof *list);
    if (!r || !list) {
        fault_set(b->fault, FAULT_MEMORY);
        return NULL;
    }
    if (++b->scope->range_count > BINDER_MAX_JOINED) {
        fault_set(b->fault, 106, BINDER_MAX_JOINED);
        return NULL;
    }
    r->number = ++b->ranges;
    r->columns = list;
    r->column_count = columns;
    *b->scope->last = r;
    b->scope->last = &r->next;
    return r;
}

int bind_check_exposed(struct binder *b, const struct range *added)
{
    for (const struct range *r = b->scope->ranges; r && r != added; r = r->next) {
        if (!text_equal(r->alias, added->alias))
            continue;
        if (r->schema.len > 0 && added->schema.len > 0 &&
            (!text_equal(r->database, added->database) || !text_equal(r->schema, added->schema)))
            continue;
        return fault_set(b->fault, 1013, r->alias.data, added->alias.data);
    }
    return 0;
}

static int bind_base_table(struct binder *b, const struct tsql_source *s, const char **sql)
{
    struct attachment *a;
    struct cat_table *t;
    if (bind_table(b, &s->name, &a, &t) < 0)
        return -1;
    b->plan->locks |= s->locks;
    struct range *r = bind_add_range(b, t->column_count);
    if (!r)
        return -1;
    r->table = t;
    r->database_id = a->database->id;
    r->written = r->columns;
    r->row = binder_sql(b, "r%d.rowid", r->number);
    r->alias = s->alias.len > 0 ? s->alias : t->name;
    if (s->alias.len == 0) {
        r->schema = catalogue_schema_by_id(a->catalogue, t->schema)->name;
        r->database = (struct tsql_text){a->database->name, strlen(a->database->name)};
    }
    for (size_t i = 0; i < t->column_count; i++) {
        const struct cat_column *c = &t->columns[i];
        r->columns[i] = (struct range_column){c->name, c->type, c->collation, COLLATION_IMPLICIT, c->nullable, c->identity,
                                              binder_sql(b, "r%d.c%d", r->number, c->id), c};
    }
    *sql = binder_sql(b, "d%d.t%d AS r%d", a->database->id, t->id, r->number);
    return bind_check_exposed(b, r);
}

/* Writes a view's text with its databases filled in. */
static void write_view(struct buf *out, const char *text, int database)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '$')
            buf_printf(out, "d%d.", database);
        else if (*p == '#')
            buf_printf(out, "%d", database);
        else if (*p == '@')
            buf_printf(out, "d%d.", STORE_MASTER);
        else
            buf_append_char(out, *p);
    }
}

static int bind_view(struct binder *b, const struct tsql_source *s, const struct view *v, const char **sql)
{
    struct attachment *a, *master;
    struct tsql_text master_name = {"master", 6};
    if (bind_use(b, s->name.database, &a) < 0)
        return -1;
    int id = a->database->id;
    if (v->needs_master && bind_use(b, master_name, &master) < 0)
        return -1;
    struct range *r = bind_add_range(b, v->column_count);
    if (!r)
        return -1;
    struct buf text;
    buf_init(&text, BINDER_MAX_SQL);
    buf_append_text(&text, "(SELECT ");
    for (size_t i = 0; i < v->column_count; i++) {
        const struct view_column *c = &v->columns[i];
        if (i > 0)
            buf_append_text(&text, ", ");
        write_view(&text, c->sql, id);
        buf_printf(&text, " AS k%zu", i + 1);
        r->columns[i] = (struct range_column){.name = {c->name, strlen(c->name)}, .type = c->type, .label = COLLATION_COERCIBLE,
                                              .nullable = true, .sql = binder_sql(b, "r%d.k%zu", r->number, i + 1)};
    }
    buf_append_text(&text, " FROM ");
    write_view(&text, v->from, id);
    buf_printf(&text, ") AS r%d", r->number);
    *sql = binder_take(b, &text);
    r->alias = s->alias.len > 0 ? s->alias : (struct tsql_text){v->name, strlen(v->name)};
    if (s->alias.len == 0)
        r->schema = (struct tsql_text){v->schema, strlen(v->schema)};
    return bind_check_exposed(b, r);
}

/* Names the columns of a derived table: the list behind its alias, or the query's own names. */
int bind_name_columns(struct binder *b, struct range *r, const struct tsql_word *names, const struct bound_query *q)
{
    size_t i = 0;
    for (const struct tsql_word *w = names; w; w = w->next, i++) {
        if (i == r->column_count)
            return fault_set(b->fault, 8159, r->alias.data);
        r->columns[i].name = w->text;
    }
    if (names && i < r->column_count)
        return fault_set(b->fault, 8158, r->alias.data);
    for (i = 0; i < r->column_count; i++) {
        const struct bound *v = &q->items[i].value;
        if (!names)
            r->columns[i].name = q->items[i].name;
        if (r->columns[i].name.len == 0)
            return fault_set(b->fault, 8155, (int)i + 1, r->alias.data);
        for (size_t j = 0; j < i; j++) {
            if (text_equal(r->columns[i].name, r->columns[j].name))
                return fault_set(b->fault, 8156, r->columns[i].name.data, r->alias.data);
        }
        r->columns[i].type = v->type;
        r->columns[i].collation = v->collation;
        r->columns[i].label = v->label;
        r->columns[i].nullable = v->nullable;
        r->columns[i].identity = v->identity;
        r->columns[i].sql = binder_sql(b, "r%d.k%zu", r->number, i + 1);
    }
    return 0;
}

/* How deep the parentheses of a text nest. */
static int nesting(const char *sql)
{
    int depth = 0, most = 0;
    for (const char *p = sql; *p != '\0'; p++) {
        depth += (*p == '(') - (*p == ')');
        most = depth > most ? depth : most;
    }
    return most;
}

/* A derived table, as it stands behind FROM. One that nests deep is moved in front of the statement, as SQLite's parser has
 * room for some fourteen in each other; not inside of a subquery, whose rows it may depend on. */
static const char *write_derived(struct binder *b, const char *sql, int number)
{
    if (b->scope->outer || b->query != &b->plan->query || nesting(sql) < BINDER_MAX_NESTED)
        return binder_sql(b, "(%s) AS r%d", sql, number);
    b->hoisted = binder_sql(b, "%s%sh%d AS (%s)", b->hoisted ? b->hoisted : "", b->hoisted ? ", " : "", number, sql);
    return binder_sql(b, "h%d AS r%d", number, number);
}

int bind_add_derived(struct binder *b, struct tsql_text alias, const struct tsql_word *names, const struct bound_query *q,
                       const char **sql)
{
    struct range *r = bind_add_range(b, q->count);
    if (!r)
        return -1;
    r->alias = alias;
    if (bind_name_columns(b, r, names, q) < 0)
        return -1;
    *sql = write_derived(b, q->sql, r->number);
    return bind_check_exposed(b, r);
}

/* A derived table does not see its neighbours; it does see the outer query. */
static int bind_inner_query(struct binder *b, const struct tsql_query *query, struct bound_query *q)
{
    struct scope *scope = b->scope;
    b->scope = scope->outer;
    int result = bind_query(b, query, q);
    b->scope = scope;
    return result;
}

static int bind_derived(struct binder *b, const struct tsql_source *s, const char **sql)
{
    struct bound_query q = {0};
    if (bind_inner_query(b, s->query, &q) < 0)
        return -1;
    return bind_add_derived(b, s->alias, s->columns, &q, sql);
}

/* (VALUES (…), (…)): each column has the type in which all its values meet. */
static int bind_rows(struct binder *b, const struct tsql_source *s, const char **sql)
{
    struct bound_query q = {.count = s->rows->count};
    size_t rows = 0;
    for (const struct tsql_row *row = s->rows; row; row = row->next, rows++) {
        if (row->count != q.count)
            return fault_set(b->fault, 10709);
    }
    q.items = arena_alloc(b->arena, q.count * sizeof *q.items);
    struct bound *values = arena_alloc(b->arena, rows * q.count * sizeof *values); /* by columns */
    if (!q.items || !values)
        return fault_set(b->fault, FAULT_MEMORY);
    size_t i = 0;
    struct scope *scope = b->scope;
    b->scope = scope->outer;
    int result = 0;
    for (const struct tsql_row *row = s->rows; row && result == 0; row = row->next, i++) {
        size_t j = 0;
        for (const struct tsql_expr *e = row->values; e && result == 0; e = e->next, j++)
            result = bind_expr(b, e, &values[j * rows + i]);
    }
    for (size_t j = 0; j < q.count && result == 0; j++) {
        result = bind_meet(b, &values[j * rows], rows, &q.items[j].value);
        q.items[j].value.nullable = true;
    }
    b->scope = scope;
    if (result < 0)
        return -1;
    struct buf text;
    buf_init(&text, BINDER_MAX_SQL);
    for (size_t j = 0; j < q.count; j++)
        buf_printf(&text, "%scolumn%zu AS k%zu", j == 0 ? "SELECT " : ", ", j + 1, j + 1);
    for (i = 0; i < rows; i++) {
        buf_append_text(&text, i == 0 ? " FROM (VALUES " : ", ");
        for (size_t j = 0; j < q.count; j++)
            buf_printf(&text, "%s%s", j == 0 ? "(" : ", ", values[j * rows + i].sql);
        buf_append_char(&text, ')');
    }
    buf_append_char(&text, ')');
    q.sql = binder_take(b, &text);
    return bind_add_derived(b, s->alias, s->columns, &q, sql);
}

static int bind_source(struct binder *b, const struct tsql_source *s, const char **sql);

static int bind_join(struct binder *b, const struct tsql_source *s, const char **sql)
{
    static const char *const words[] = {[TSQL_INNER] = "JOIN", [TSQL_LEFT] = "LEFT JOIN", [TSQL_RIGHT] = "RIGHT JOIN",
                                        [TSQL_FULL] = "FULL JOIN", [TSQL_CROSS] = "JOIN"};
    const char *left, *right;
    struct range **first = b->scope->last;
    if (bind_source(b, s->left, &left) < 0)
        return -1;
    struct range **middle = b->scope->last;
    if (bind_source(b, s->right, &right) < 0)
        return -1;
    struct bound on = {.sql = ""};
    if (s->on && bind_expr(b, s->on, &on) < 0)
        return -1;
    bool is_right = false;
    for (struct range *r = *first; r; r = r->next) {
        is_right |= r == *middle;
        bool optional = s->join == TSQL_FULL || (s->join == TSQL_LEFT && is_right) || (s->join == TSQL_RIGHT && !is_right);
        for (size_t i = 0; optional && i < r->column_count; i++)
            r->columns[i].nullable = true;
    }
    bool nested = s->right->kind == TSQL_JOIN;
    *sql = binder_sql(b, "%s %s %s%s%s%s%s", left, words[s->join], nested ? "(" : "", right, nested ? ")" : "", s->on ? " ON " : "", on.sql);
    return 0;
}

static int bind_source(struct binder *b, const struct tsql_source *s, const char **sql)
{
    switch (s->kind) {
    case TSQL_DERIVED:
        return bind_derived(b, s, sql);
    case TSQL_ROWS:
        return bind_rows(b, s, sql);
    case TSQL_JOIN:
        return bind_join(b, s, sql);
    default: {
        struct cte *cte = bind_find_cte(b, &s->name);
        if (cte)
            return bind_cte(b, s, cte, sql);
        const struct view *view = views_find(s->name.schema, s->name.name);
        if (view)
            return bind_view(b, s, view, sql);
        return bind_base_table(b, s, sql);
    }
    }
}

int bind_from(struct binder *b, const struct tsql_source *from, const char **sql)
{
    struct buf text;
    buf_init(&text, BINDER_MAX_SQL);
    for (const struct tsql_source *s = from; s; s = s->next) {
        const char *part = "";
        if (bind_source(b, s, &part) < 0) {
            if (b->fault->line == 0)
                b->fault->line = s->line;
            buf_clear(&text);
            return -1;
        }
        bool nested = text.len > 0 && s->kind == TSQL_JOIN;
        buf_printf(&text, "%s%s%s%s", text.len > 0 ? " JOIN " : "", nested ? "(" : "", part, nested ? ")" : "");
    }
    *sql = binder_take(b, &text);
    return 0;
}

/* ---- columns ---- */

static bool range_matches(const struct range *r, const struct tsql_column_ref *c)
{
    if (c->table.len == 0)
        return true;
    if (!text_equal(r->alias, c->table))
        return false;
    if (c->schema.len > 0 && !text_equal(r->schema, c->schema))
        return false;
    return c->database.len == 0 || text_equal(r->database, c->database);
}

static const char *column_name(struct binder *b, const struct tsql_column_ref *c)
{
    struct tsql_name n = {.database = c->database, .schema = c->schema, .name = c->table};
    if (c->table.len == 0)
        return c->name.data;
    return binder_sql(b, "%s.%s", full_name(b, &n), c->name.data);
}

int bind_column(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    const struct tsql_column_ref *c = &e->column;
    bool table_found = false;
    for (struct scope *s = b->scope; s; s = s->outer) {
        const struct range_column *found = NULL;
        const struct range *owner = NULL;
        for (const struct range *r = s->ranges; r; r = r->next) {
            if (!range_matches(r, c))
                continue;
            table_found = true;
            for (size_t i = 0; i < r->column_count; i++) {
                if (!text_equal(r->columns[i].name, c->name))
                    continue;
                if (found)
                    return fault_set(b->fault, 209, c->name.data);
                found = &r->columns[i];
                owner = r;
            }
        }
        if (!found)
            continue;
        out->sql = found->sql;
        out->type = found->type;
        out->collation = found->collation;
        out->label = found->label;
        out->nullable = found->nullable;
        out->identity = found->identity;
        out->has_column = s == b->scope;
        if (s == b->scope && !s->in_aggregate) {
            const char *shown = binder_sql(b, "%s.%s", owner->alias.data ? owner->alias.data : "", found->name.data);
            out->ungrouped = (struct tsql_text){shown, strlen(shown)};
        }
        return 0;
    }
    /* A column of a table that is there is 207, a table that is not is 4104. */
    if (c->table.len > 0 && !table_found)
        return fault_set(b->fault, 4104, column_name(b, c));
    return fault_set(b->fault, 207, c->name.data);
}
