/* SELECT … INTO: makes a table of the query's columns, and then inserts its rows. As in SQL Server these are two steps: when
 * a row fails, the empty table stays, unless a transaction around them is rolled back. */
#include "tds-server/engine/bind.h"
#include "tds-server/engine/exec.h"

#include "tds-server/functions/typing.h"

#include <string.h>

#define MAX_TREE ((size_t)4 << 20) /* bytes of what is made of the statement */

/* The query without its INTO, which the parser leaves at the first SELECT. */
static struct tsql_query *without_into(struct arena *arena, const struct tsql_query *q, struct tsql_name *into)
{
    struct tsql_query *copy = arena_alloc(arena, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *q;
    for (struct tsql_body **b = &copy->body;; b = &(*b)->left) {
        struct tsql_body *body = arena_alloc(arena, sizeof *body);
        if (!body)
            return NULL;
        *body = **b;
        *b = body;
        if (body->kind != TSQL_SELECT_BODY)
            continue;
        *into = body->into;
        body->into = (struct tsql_name){0};
        return copy;
    }
}

const struct tsql_name *exec_into(const struct tsql_statement *st)
{
    const struct tsql_body *b = st->select->body;
    while (b->kind != TSQL_SELECT_BODY)
        b = b->left;
    return b->into.name.len > 0 ? &b->into : NULL;
}

/* The identity column that the new table inherits: of a query over one table that shows it once. */
static const struct cat_column *find_identity(struct engine_session *s, const struct tsql_query *q, const struct plan_query *columns)
{
    const struct tsql_body *b = q->body;
    struct attachment *a;
    size_t count = 0;
    for (size_t i = 0; i < columns->column_count; i++)
        count += columns->columns[i].identity;
    bool plain = b->kind == TSQL_SELECT_BODY && b->from && !b->from->next && b->from->kind == TSQL_TABLE && !b->group_by && !b->distinct;
    if (count != 1 || !plain)
        return NULL;
    const struct tsql_name *n = &b->from->name;
    struct fault before = s->fault;
    if (connection_use(s, n->database.data ? n->database.data : "", n->database.len, &a) < 0) {
        s->fault = before;
        return NULL;
    }
    const struct cat_table *t = catalogue_table(a->catalogue, CATALOGUE_DBO, n->name.data, n->name.len);
    for (size_t i = 0; t && i < t->column_count; i++) {
        if (t->columns[i].identity)
            return &t->columns[i];
    }
    return NULL;
}

static struct tsql_text collation_text(const struct engine_column *c)
{
    const char *name = c->collation == COLLATION_CS ? "Latin1_General_100_CS_AS_SC_UTF8" : "Latin1_General_100_BIN2_UTF8";
    if (typing_class(c->type.kind) != TYPE_STRING || c->collation == COLLATION_CI)
        return (struct tsql_text){0};
    return (struct tsql_text){name, strlen(name)};
}

/* CREATE TABLE of the query's columns; *names lists them all. */
static int create_table(struct engine_session *s, struct arena *arena, const struct plan_query *q, const struct cat_column *identity,
                        const struct tsql_name *into, struct tsql_word **names)
{
    struct tsql_create_table tree = {.table = *into};
    struct tsql_column_def **end = &tree.columns;
    for (size_t i = 0; i < q->column_count; i++) {
        const struct engine_column *c = &q->columns[i];
        struct tsql_column_def *d = arena_alloc(arena, sizeof *d);
        struct tsql_word *w = arena_alloc(arena, sizeof *w);
        if (!d || !w)
            return fault_set(&s->fault, FAULT_MEMORY);
        if (c->name[0] == '\0')
            return fault_set(&s->fault, 1038);
        d->name = (struct tsql_text){c->name, strlen(c->name)};
        d->type = (struct tsql_type){.type = c->type, .collation = collation_text(c)};
        d->not_null = !c->nullable;
        d->null_given = c->nullable;
        d->line = into->line;
        d->identity = c->identity && identity;
        if (d->identity) {
            d->identity_seed = identity->identity_seed;
            d->identity_increment = identity->identity_increment;
            d->not_null = true;
            d->null_given = false;
        }
        w->text = d->name;
        *end = d;
        end = &d->next;
        *names = w;
        names = &w->next;
    }
    return ddl_create_table(s, &tree);
}

/* The new table may be given numbers for its identity column by this statement alone. */
static int allow_identity(struct engine_session *s, const struct tsql_name *into)
{
    struct attachment *a;
    if (connection_use(s, into->database.data ? into->database.data : "", into->database.len, &a) < 0)
        return -1;
    const struct cat_table *t = catalogue_table(a->catalogue, CATALOGUE_DBO, into->name.data, into->name.len);
    s->identity_insert = t ? t->id : 0;
    s->identity_insert_database = a->database->id;
    return 0;
}

int exec_select_into(struct run *r, const struct tsql_statement *st, struct engine_done *done,
                     int (*insert)(struct run *r, const struct tsql_statement *st, struct plan *p, struct engine_done *done))
{
    struct engine_session *s = r->session;
    struct plan described = {0}, written = {0};
    struct tsql_insert tree = {.kind = TSQL_INSERT_QUERY};
    struct tsql_statement select = {.kind = TSQL_SELECT, .line = st->line}, statement = {.kind = TSQL_INSERT, .line = st->line};
    struct arena arena;
    int result = -1;
    int old_identity = s->identity_insert, old_database = s->identity_insert_database;
    arena_init(&arena, MAX_TREE);
    tree.query = without_into(&arena, st->select, &tree.table);
    select.select = tree.query;
    select.max_recursion = statement.max_recursion = st->max_recursion;
    statement.insert = &tree;
    if (!tree.query) {
        fault_set(&s->fault, FAULT_MEMORY);
        goto out;
    }
    if (exec_compile(s, r->batch, &select, &described) < 0)
        goto out;
    if (described.assigned) {
        fault_set(&s->fault, 194);
        goto out;
    }
    const struct cat_column *identity = find_identity(s, tree.query, &described.query);
    if (create_table(s, &arena, &described.query, identity, &tree.table, &tree.columns) < 0)
        goto out;
    if (identity && allow_identity(s, &tree.table) < 0)
        goto out;
    result = insert(r, &statement, &written, done);

out:
    s->identity_insert = old_identity;
    s->identity_insert_database = old_database;
    plan_clear(&described);
    plan_clear(&written);
    arena_clear(&arena);
    return result;
}
