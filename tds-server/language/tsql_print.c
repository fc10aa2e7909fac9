/* Queries and statements as T-SQL. */
#include "tds-server/language/tsql_printer.h"

#include <string.h>

static void print_statement(const struct tsql_statement *s, struct buf *out);

/* ── Queries ── */

static void print_items(const struct tsql_item *i, struct buf *out)
{
    for (; i != NULL; i = i->next) {
        if (i->kind == TSQL_ITEM_TABLE_STAR) {
            tsql_print_object(&i->table, out);
            buf_append_char(out, '.');
        }
        if (i->kind != TSQL_ITEM_EXPR)
            buf_append_char(out, '*');
        if (i->variable.len > 0) {
            tsql_print_text(i->variable, out);
            buf_append_text(out, " = ");
        }
        if (i->value != NULL)
            tsql_print_expr(i->value, out);
        if (i->alias.len > 0) {
            buf_append_text(out, " AS ");
            tsql_print_name(i->alias, out);
        }
        if (i->next != NULL)
            buf_append_text(out, ", ");
    }
}

static void print_top(const struct tsql_top *t, struct buf *out)
{
    if (t->count == NULL)
        return;
    buf_append_text(out, "TOP (");
    tsql_print_expr(t->count, out);
    buf_append_text(out, t->percent ? ") PERCENT " : ") ");
    if (t->with_ties)
        buf_append_text(out, "WITH TIES ");
}

static void print_rows(const struct tsql_row *r, struct buf *out)
{
    buf_append_text(out, "VALUES ");
    for (; r != NULL; r = r->next) {
        buf_append_char(out, '(');
        tsql_print_values(r->values, out);
        buf_append_text(out, r->next != NULL ? "), " : ")");
    }
}

static void print_source(const struct tsql_source *s, struct buf *out)
{
    static const char *const joins[] = {
        [TSQL_INNER] = " JOIN ", [TSQL_LEFT] = " LEFT JOIN ", [TSQL_RIGHT] = " RIGHT JOIN ",
        [TSQL_FULL] = " FULL JOIN ", [TSQL_CROSS] = " CROSS JOIN ",
    };
    switch (s->kind) {
    case TSQL_TABLE:
        tsql_print_object(&s->name, out);
        break;
    case TSQL_DERIVED:
        tsql_print_subquery(s->query, out);
        break;
    case TSQL_ROWS:
        buf_append_char(out, '(');
        print_rows(s->rows, out);
        buf_append_char(out, ')');
        break;
    case TSQL_JOIN:
        print_source(s->left, out);
        buf_append_text(out, joins[s->join]);
        if (s->right->kind == TSQL_JOIN)
            buf_append_char(out, '(');
        print_source(s->right, out);
        if (s->right->kind == TSQL_JOIN)
            buf_append_char(out, ')');
        if (s->on != NULL) {
            buf_append_text(out, " ON ");
            tsql_print_expr(s->on, out);
        }
        break;
    }
    if (s->alias.len > 0) {
        buf_append_text(out, " AS ");
        tsql_print_name(s->alias, out);
        tsql_print_name_list(s->columns, out);
    }
}

static void print_sources(const struct tsql_source *s, struct buf *out)
{
    if (s == NULL)
        return;
    buf_append_text(out, " FROM ");
    for (; s != NULL; s = s->next) {
        print_source(s, out);
        if (s->next != NULL)
            buf_append_text(out, ", ");
    }
}

static void print_where(const struct tsql_expr *e, struct buf *out)
{
    if (e == NULL)
        return;
    buf_append_text(out, " WHERE ");
    tsql_print_expr(e, out);
}

static void print_select(const struct tsql_body *b, struct buf *out)
{
    buf_append_text(out, b->distinct ? "SELECT DISTINCT " : "SELECT ");
    print_top(&b->top, out);
    print_items(b->items, out);
    if (b->into.name.len > 0) {
        buf_append_text(out, " INTO ");
        tsql_print_object(&b->into, out);
    }
    print_sources(b->from, out);
    print_where(b->where, out);
    if (b->group_by != NULL) {
        buf_append_text(out, " GROUP BY ");
        tsql_print_values(b->group_by, out);
    }
    if (b->having != NULL) {
        buf_append_text(out, " HAVING ");
        tsql_print_expr(b->having, out);
    }
}

static int body_binding(const struct tsql_body *b)
{
    return b->kind == TSQL_SELECT_BODY ? 2 : b->kind == TSQL_INTERSECT ? 1 : 0;
}

static void print_body(const struct tsql_body *b, struct buf *out)
{
    static const char *const words[] = {
        [TSQL_UNION] = " UNION ", [TSQL_UNION_ALL] = " UNION ALL ", [TSQL_EXCEPT] = " EXCEPT ", [TSQL_INTERSECT] = " INTERSECT ",
    };
    if (b->kind == TSQL_SELECT_BODY) {
        print_select(b, out);
        return;
    }
    bool left = body_binding(b->left) < body_binding(b), right = body_binding(b->right) <= body_binding(b);
    buf_append_text(out, left ? "(" : "");
    print_body(b->left, out);
    buf_append_text(out, left ? ")" : "");
    buf_append_text(out, words[b->kind]);
    buf_append_text(out, right ? "(" : "");
    print_body(b->right, out);
    buf_append_text(out, right ? ")" : "");
}

static void print_ctes(const struct tsql_cte *c, struct buf *out)
{
    if (c != NULL)
        buf_append_text(out, "WITH ");
    for (; c != NULL; c = c->next) {
        tsql_print_name(c->name, out);
        tsql_print_name_list(c->columns, out);
        buf_append_text(out, " AS ");
        tsql_print_subquery(c->query, out);
        buf_append_text(out, c->next != NULL ? ", " : " ");
    }
}

void tsql_print_query(const struct tsql_query *q, struct buf *out)
{
    print_ctes(q->ctes, out);
    print_body(q->body, out);
    if (q->order_by != NULL) {
        buf_append_char(out, ' ');
        tsql_print_order(q->order_by, out);
    }
    if (q->offset != NULL) {
        buf_append_text(out, " OFFSET ");
        tsql_print_expr(q->offset, out);
        buf_append_text(out, " ROWS");
    }
    if (q->fetch != NULL) {
        buf_append_text(out, " FETCH NEXT ");
        tsql_print_expr(q->fetch, out);
        buf_append_text(out, " ROWS ONLY");
    }
}

/* ── Changes of rows ── */

static void print_output(const struct tsql_output *o, struct buf *out)
{
    if (o->items == NULL)
        return;
    buf_append_text(out, " OUTPUT ");
    print_items(o->items, out);
    if (o->into.name.len > 0) {
        buf_append_text(out, " INTO ");
        tsql_print_object(&o->into, out);
        tsql_print_name_list(o->into_columns, out);
    }
}

static void print_insert(const struct tsql_insert *i, struct buf *out)
{
    print_ctes(i->ctes, out);
    buf_append_text(out, "INSERT ");
    print_top(&i->top, out);
    buf_append_text(out, "INTO ");
    tsql_print_object(&i->table, out);
    tsql_print_name_list(i->columns, out);
    print_output(&i->output, out);
    buf_append_char(out, ' ');
    switch (i->kind) {
    case TSQL_INSERT_VALUES:
        print_rows(i->rows, out);
        break;
    case TSQL_INSERT_QUERY:
        tsql_print_query(i->query, out);
        break;
    case TSQL_INSERT_DEFAULTS:
        buf_append_text(out, "DEFAULT VALUES");
        break;
    }
}

static void print_update(const struct tsql_update *u, struct buf *out)
{
    print_ctes(u->ctes, out);
    buf_append_text(out, "UPDATE ");
    print_top(&u->top, out);
    tsql_print_object(&u->table, out);
    buf_append_text(out, " SET ");
    for (const struct tsql_assignment *a = u->set; a != NULL; a = a->next) {
        tsql_print_text(a->variable, out);
        if (a->variable.len > 0 && a->column.name.len > 0)
            buf_append_text(out, " = ");
        if (a->column.name.len > 0)
            tsql_print_column(&a->column, out);
        buf_printf(out, " %s= ", tsql_operators[a->op]);
        tsql_print_expr(a->value, out);
        if (a->next != NULL)
            buf_append_text(out, ", ");
    }
    print_output(&u->output, out);
    print_sources(u->from, out);
    print_where(u->where, out);
}

static void print_delete(const struct tsql_delete *d, struct buf *out)
{
    print_ctes(d->ctes, out);
    buf_append_text(out, "DELETE ");
    print_top(&d->top, out);
    buf_append_text(out, "FROM ");
    tsql_print_object(&d->table, out);
    print_output(&d->output, out);
    print_sources(d->from, out);
    print_where(d->where, out);
}

/* ── Changes of the schema ── */

static void print_references(const struct tsql_constraint *c, struct buf *out)
{
    static const char *const actions[] = {
        [TSQL_NO_ACTION] = "NO ACTION", [TSQL_CASCADE] = "CASCADE", [TSQL_SET_NULL] = "SET NULL", [TSQL_SET_DEFAULT] = "SET DEFAULT",
    };
    if (c->columns != NULL) {
        buf_append_text(out, "FOREIGN KEY");
        tsql_print_name_list(c->columns, out);
        buf_append_char(out, ' ');
    }
    buf_append_text(out, "REFERENCES ");
    tsql_print_object(&c->references, out);
    tsql_print_name_list(c->references_columns, out);
    buf_printf(out, " ON DELETE %s ON UPDATE %s", actions[c->on_delete], actions[c->on_update]);
}

static void print_constraint(const struct tsql_constraint *c, struct buf *out)
{
    if (c->name.len > 0) {
        buf_append_text(out, "CONSTRAINT ");
        tsql_print_name(c->name, out);
        buf_append_char(out, ' ');
    }
    switch (c->kind) {
    case TSQL_PRIMARY_KEY:
    case TSQL_UNIQUE:
        buf_append_text(out, c->kind == TSQL_UNIQUE ? "UNIQUE" : "PRIMARY KEY");
        buf_append_text(out, c->clustered ? " CLUSTERED" : c->nonclustered ? " NONCLUSTERED" : "");
        tsql_print_name_list(c->columns, out);
        break;
    case TSQL_FOREIGN_KEY:
        print_references(c, out);
        break;
    case TSQL_CHECK:
        buf_append_text(out, "CHECK (");
        tsql_print_expr(c->value, out);
        buf_append_char(out, ')');
        break;
    case TSQL_DEFAULT_CONSTRAINT:
        buf_append_text(out, "DEFAULT ");
        tsql_print_expr(c->value, out);
        if (c->columns != NULL) {
            buf_append_text(out, " FOR ");
            tsql_print_words(c->columns, out);
        }
        break;
    }
}

static void print_column_def(const struct tsql_column_def *d, struct buf *out)
{
    tsql_print_name(d->name, out);
    buf_append_char(out, ' ');
    tsql_print_type(&d->type, out);
    if (d->not_null || d->null_given)
        buf_append_text(out, d->not_null ? " NOT NULL" : " NULL");
    if (d->identity)
        buf_printf(out, " IDENTITY(%lld, %lld)", (long long)d->identity_seed, (long long)d->identity_increment);
    for (const struct tsql_constraint *c = d->constraints; c != NULL; c = c->next) {
        buf_append_char(out, ' ');
        print_constraint(c, out);
    }
}

static void print_elements(const struct tsql_column_def *d, const struct tsql_constraint *c, struct buf *out)
{
    for (; d != NULL; d = d->next) {
        print_column_def(d, out);
        if (d->next != NULL || c != NULL)
            buf_append_text(out, ", ");
    }
    for (; c != NULL; c = c->next) {
        print_constraint(c, out);
        if (c->next != NULL)
            buf_append_text(out, ", ");
    }
}

static void print_create_table(const struct tsql_create_table *t, struct buf *out)
{
    buf_append_text(out, "CREATE TABLE ");
    tsql_print_object(&t->table, out);
    buf_append_text(out, " (");
    print_elements(t->columns, t->constraints, out);
    buf_append_char(out, ')');
}

static void print_drop_list(const char *word, const struct tsql_word *w, bool if_exists, struct buf *out)
{
    if (w == NULL)
        return;
    buf_append_text(out, word);
    buf_append_text(out, if_exists ? "IF EXISTS " : "");
    tsql_print_words(w, out);
}

static void print_alter_table(const struct tsql_alter_table *a, struct buf *out)
{
    buf_append_text(out, "ALTER TABLE ");
    tsql_print_object(&a->table, out);
    switch (a->kind) {
    case TSQL_ALTER_ADD:
        buf_append_text(out, " ADD ");
        print_elements(a->columns, a->constraints, out);
        break;
    case TSQL_ALTER_COLUMN:
        buf_append_text(out, " ALTER COLUMN ");
        print_column_def(a->columns, out);
        break;
    case TSQL_ALTER_DROP:
        buf_append_text(out, " DROP ");
        print_drop_list("COLUMN ", a->drop_columns, a->if_exists, out);
        if (a->drop_columns != NULL && a->drop_constraints != NULL)
            buf_append_text(out, ", ");
        print_drop_list("CONSTRAINT ", a->drop_constraints, a->if_exists, out);
        break;
    }
}

static void print_create_index(const struct tsql_create_index *i, struct buf *out)
{
    buf_append_text(out, i->unique ? "CREATE UNIQUE " : "CREATE ");
    buf_append_text(out, i->clustered ? "CLUSTERED INDEX " : "INDEX ");
    tsql_print_name(i->name, out);
    buf_append_text(out, " ON ");
    tsql_print_object(&i->table, out);
    tsql_print_name_list(i->columns, out);
    if (i->include != NULL) {
        buf_append_text(out, " INCLUDE");
        tsql_print_name_list(i->include, out);
    }
    print_where(i->where, out);
}

static void print_drop_table(const struct tsql_drop_table *d, struct buf *out)
{
    buf_append_text(out, d->if_exists ? "DROP TABLE IF EXISTS " : "DROP TABLE ");
    for (const struct tsql_name_item *t = d->tables; t != NULL; t = t->next) {
        tsql_print_object(&t->name, out);
        if (t->next != NULL)
            buf_append_text(out, ", ");
    }
}

static void print_drop_index(const struct tsql_drop_index *d, struct buf *out)
{
    buf_append_text(out, d->if_exists ? "DROP INDEX IF EXISTS " : "DROP INDEX ");
    for (const struct tsql_drop_index_item *i = d->items; i != NULL; i = i->next) {
        tsql_print_name(i->name, out);
        buf_append_text(out, " ON ");
        tsql_print_object(&i->table, out);
        if (i->next != NULL)
            buf_append_text(out, ", ");
    }
}

/* ── Other statements ── */

/* An option is bracketed unless it is a word that the grammar reserves. */
static void print_option(struct tsql_text text, struct buf *out)
{
    static const char *const words[] = {"ROWCOUNT", "TEXTSIZE", "STATISTICS IO", "STATISTICS PROFILE", "STATISTICS TIME", "STATISTICS XML"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (text.len == strlen(words[i]) && memcmp(text.data, words[i], text.len) == 0) {
            tsql_print_text(text, out);
            return;
        }
    }
    tsql_print_name(text, out);
}

static void print_set(const struct tsql_set *s, struct buf *out)
{
    buf_append_text(out, "SET ");
    switch (s->kind) {
    case TSQL_SET_ON_OFF:
        for (const struct tsql_word *w = s->options; w != NULL; w = w->next) {
            print_option(w->text, out);
            buf_append_text(out, w->next != NULL ? ", " : s->on ? " ON" : " OFF");
        }
        break;
    case TSQL_SET_VALUE:
        print_option(s->options->text, out);
        buf_append_char(out, ' ');
        tsql_print_expr(s->value, out);
        break;
    case TSQL_SET_ISOLATION:
        buf_append_text(out, "TRANSACTION ISOLATION LEVEL ");
        tsql_print_text(s->options->text, out);
        break;
    case TSQL_SET_IDENTITY_INSERT:
        buf_append_text(out, "IDENTITY_INSERT ");
        tsql_print_object(&s->table, out);
        buf_append_text(out, s->on ? " ON" : " OFF");
        break;
    case TSQL_SET_VARIABLE:
        tsql_print_text(s->options->text, out);
        buf_append_text(out, " = ");
        tsql_print_expr(s->value, out);
        break;
    }
}

static void print_declare(const struct tsql_declaration *list, struct buf *out)
{
    for (const struct tsql_declaration *d = list; d != NULL; d = d->next) {
        buf_printf(out, "%s%s ", d == list ? "DECLARE " : ", ", d->name.data);
        tsql_print_type(&d->type, out);
        if (d->value != NULL) {
            buf_append_text(out, " = ");
            tsql_print_expr(d->value, out);
        }
    }
}

static void print_exec(const struct tsql_exec *e, struct buf *out)
{
    buf_append_text(out, "EXEC ");
    if (e->result.len > 0) {
        tsql_print_text(e->result, out);
        buf_append_text(out, " = ");
    }
    tsql_print_object(&e->procedure, out);
    for (const struct tsql_argument *a = e->arguments; a != NULL; a = a->next) {
        buf_append_char(out, ' ');
        if (a->name.len > 0) {
            tsql_print_text(a->name, out);
            buf_append_text(out, " = ");
        }
        tsql_print_expr(a->value, out);
        buf_append_text(out, a->output ? " OUTPUT" : "");
        if (a->next != NULL)
            buf_append_char(out, ',');
    }
}

static void print_if(const struct tsql_if *i, struct buf *out)
{
    buf_append_text(out, "IF ");
    tsql_print_expr(i->condition, out);
    buf_append_char(out, ' ');
    print_statement(i->then, out);
    if (i->otherwise != NULL) {
        buf_append_text(out, " ELSE ");
        print_statement(i->otherwise, out);
    }
}

static void print_statements(const struct tsql_statement *s, struct buf *out)
{
    for (; s != NULL; s = s->next) {
        print_statement(s, out);
        buf_append_text(out, ";\n");
    }
}

static void print_tran(const char *word, struct tsql_text name, struct buf *out)
{
    buf_append_text(out, word);
    if (name.len > 0) {
        buf_append_char(out, ' ');
        tsql_print_name(name, out);
    }
}

static void print_statement(const struct tsql_statement *s, struct buf *out)
{
    switch (s->kind) {
    case TSQL_SELECT:
        tsql_print_query(s->select, out);
        break;
    case TSQL_INSERT:
        print_insert(s->insert, out);
        break;
    case TSQL_UPDATE:
        print_update(s->update, out);
        break;
    case TSQL_DELETE:
        print_delete(s->delete_, out);
        break;
    case TSQL_TRUNCATE:
        buf_append_text(out, "TRUNCATE TABLE ");
        tsql_print_object(&s->table, out);
        break;
    case TSQL_CREATE_DATABASE:
        buf_append_text(out, "CREATE DATABASE ");
        tsql_print_name(s->create_database.name, out);
        if (s->create_database.collation.len > 0) {
            buf_append_text(out, " COLLATE ");
            tsql_print_name(s->create_database.collation, out);
        }
        break;
    case TSQL_DROP_DATABASE:
        print_drop_list("DROP DATABASE ", s->drop_database.names, s->drop_database.if_exists, out);
        break;
    case TSQL_USE:
        print_tran("USE", s->text, out);
        break;
    case TSQL_CREATE_TABLE:
        print_create_table(s->create_table, out);
        break;
    case TSQL_ALTER_TABLE:
        print_alter_table(s->alter_table, out);
        break;
    case TSQL_DROP_TABLE:
        print_drop_table(&s->drop_table, out);
        break;
    case TSQL_CREATE_INDEX:
        print_create_index(s->create_index, out);
        break;
    case TSQL_DROP_INDEX:
        print_drop_index(&s->drop_index, out);
        break;
    case TSQL_BEGIN_TRAN:
        print_tran("BEGIN TRAN", s->text, out);
        break;
    case TSQL_COMMIT_TRAN:
        print_tran("COMMIT TRAN", s->text, out);
        break;
    case TSQL_ROLLBACK_TRAN:
        print_tran("ROLLBACK TRAN", s->text, out);
        break;
    case TSQL_SAVE_TRAN:
        print_tran("SAVE TRAN", s->text, out);
        break;
    case TSQL_SET:
        print_set(s->set, out);
        break;
    case TSQL_PRINT:
        buf_append_text(out, "PRINT ");
        tsql_print_expr(s->value, out);
        break;
    case TSQL_IF:
        print_if(&s->if_, out);
        break;
    case TSQL_BLOCK:
        buf_append_text(out, "BEGIN ");
        print_statements(s->block, out);
        buf_append_text(out, "END");
        break;
    case TSQL_EXEC:
        print_exec(s->exec, out);
        break;
    case TSQL_DECLARE:
        print_declare(s->declarations, out);
        break;
    case TSQL_RAISERROR:
        buf_append_text(out, "RAISERROR (");
        tsql_print_values(s->values, out);
        buf_append_char(out, ')');
        break;
    case TSQL_THROW:
        buf_append_text(out, "THROW ");
        tsql_print_values(s->values, out);
        break;
    }
}

void tsql_print(const struct tsql_batch *batch, struct buf *out)
{
    print_statements(batch->statements, out);
}
