#include "tds-server/engine/ddl.h"

#include "tds-server/engine/bind.h"
#include "common/collate.h"
#include "tds-server/functions/convert.h"
#include "tds-server/functions/typing.h"

#include <stdio.h>
#include <string.h>

/* ALTER TABLE. Columns come and go in SQLite's table, too; what SQLite cannot change in a table that is there (its row number, its
 * foreign keys) is refused. */

/* ---- running T-SQL of our own on the table as it is now ---- */

/* Compiles the statement and runs it; a SELECT's first row sets *found. */
static int run_statement(struct ddl *d, const struct tsql_statement *st, bool *found)
{
    struct engine_session *s = d->s;
    struct plan p = {0};
    struct batch batch = {0};
    struct run r = {.session = s, .batch = &batch};
    int64_t count;
    int result = bind_statement(s, st, NULL, 0, &p);
    if (result == 0 && st->kind == TSQL_SELECT) {
        result = exec_prepare(s, p.query.sql, &p.query.stmt);
        if (result == 0)
            result = exec_bind(&r, &p.query);
        int row = result == 0 ? exec_step(s, p.query.stmt) : -1;
        *found = row > 0;
        result = row < 0 ? -1 : 0;
    } else if (result == 0) {
        result = exec_write(&r, &p, &count);
    }
    plan_clear(&p);
    return result;
}

/* UPDATE table SET column = DEFAULT */
static int fill_default(struct ddl *d, const struct tsql_name *table, struct tsql_text column)
{
    struct tsql_expr value = {.kind = TSQL_DEFAULT};
    struct tsql_assignment set = {.column = {.name = column}, .value = &value};
    struct tsql_update update = {.table = *table, .set = &set};
    struct tsql_statement st = {.kind = TSQL_UPDATE, .update = &update};
    return run_statement(d, &st, NULL);
}

/* SELECT 1 FROM table WHERE NOT (condition): 547 if there is such a row. */
static int verify_check(struct ddl *d, const struct tsql_name *table, const struct tsql_constraint *k)
{
    static const struct tsql_text one_text = {"1", 1};
    struct tsql_expr one = {.kind = TSQL_LITERAL, .literal = {TSQL_INT, one_text, {.kind = SQLTYPE_INT}}};
    struct tsql_item item = {.kind = TSQL_ITEM_EXPR, .value = &one};
    struct tsql_source from = {.kind = TSQL_TABLE, .name = *table};
    struct tsql_expr not_it = {.kind = TSQL_NOT, .a = k->value};
    struct tsql_body body = {.kind = TSQL_SELECT_BODY, .items = &item, .from = &from, .where = &not_it};
    struct tsql_query query = {.body = &body};
    struct tsql_statement st = {.kind = TSQL_SELECT, .select = &query};
    bool found = false;
    if (run_statement(d, &st, &found) < 0)
        return -1;
    if (!found)
        return 0;
    const char *database = d->a->database->name;
    return fault_set(&d->s->fault, 547, "ALTER TABLE", "CHECK", k->name.len > 0 ? k->name.data : "CK", database, table->name.data, "");
}

static int has_rows(struct ddl *d, const struct cat_table *t, const char *where, bool *found)
{
    sqlite3_stmt *stmt = NULL;
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT 1 FROM d%d.t%d %s LIMIT 1", d->a->database->id, t->id, where);
    if (exec_prepare(d->s, sql, &stmt) < 0)
        return -1;
    int row = exec_step(d->s, stmt);
    sqlite3_finalize(stmt);
    *found = row > 0;
    return row < 0 ? -1 : 0;
}

/* ---- ADD ---- */

static int add_column(struct ddl *d, const struct cat_table *t, const struct new_column *c)
{
    bool rows;
    if (has_rows(d, t, "", &rows) < 0)
        return -1;
    if (rows && c->def->identity)
        return fault_set(&d->s->fault, FAULT_UNSUPPORTED, "adding an identity column to a table with rows");
    if (rows && !c->nullable && c->default_sql.len == 0)
        return fault_set(&d->s->fault, 4901, c->def->name.data, t->name.data);
    struct buf sql;
    buf_init(&sql, DDL_MAX_SQL);
    buf_printf(&sql, "ALTER TABLE $t%d ADD COLUMN ", t->id);
    ddl_write_column(c, &sql);
    int result = buf_status(&sql) < 0 ? fault_set(&d->s->fault, FAULT_MEMORY) : ddl_run(d, buf_text(&sql), "");
    buf_clear(&sql);
    return result;
}

/* DEFAULT value FOR column */
static int add_default(struct ddl *d, const struct cat_table *t, const struct tsql_constraint *k)
{
    const struct tsql_text column = k->columns->text;
    const struct cat_column *c = catalogue_column(t, column.data, column.len);
    if (!c)
        return fault_set(&d->s->fault, 1752, column.data, t->name.data);
    if (c->default_sql.len > 0)
        return fault_set(&d->s->fault, 1781);
    struct buf text;
    char made[160];
    int64_t object;
    struct tsql_text name;
    buf_init(&text, DDL_MAX_SQL);
    tsql_print_expr(k->value, &text);
    struct tsql_text sql = {buf_text(&text), text.len};
    int result = buf_status(&text) < 0 ? fault_set(&d->s->fault, FAULT_MEMORY) : 0;
    if (result == 0)
        result = ddl_add_constraint(d, k->name, "DF", t->name, c->name, t->id, "D", sql, c->id, &object, made, &name);
    if (result == 0)
        result = ddl_run(d, "UPDATE $sg_column SET default_sql = ?1 WHERE object_id = ?2 AND column_id = ?3", "tii", sql, (int64_t)t->id, (int64_t)c->id);
    buf_clear(&text);
    return result;
}

static bool has_foreign_key(const struct tsql_constraint *list)
{
    for (; list; list = list->next) {
        if (list->kind == TSQL_FOREIGN_KEY)
            return true;
    }
    return false;
}

static int alter_add(struct ddl *d, const struct tsql_alter_table *tree, const struct cat_table *t)
{
    struct new_table plan;
    struct catalogue *before = d->a->catalogue;
    bool foreign = has_foreign_key(tree->constraints);
    for (const struct tsql_column_def *c = tree->columns; c; c = c->next)
        foreign |= has_foreign_key(c->constraints);
    if (foreign)
        return fault_set(&d->s->fault, FAULT_UNSUPPORTED, "adding a FOREIGN KEY to a table that is there");
    catalogue_hold(before); /* `t` and the plan point into it while it is loaded anew */
    int result = ddl_plan_table(d, t->name, t, tree->columns, tree->constraints, &plan);
    for (size_t i = plan.old_count; i < plan.column_count && result == 0; i++)
        result = add_column(d, t, &plan.columns[i]);
    if (result == 0)
        result = ddl_record_table(d, &plan, t->id, tree->constraints);
    for (const struct tsql_constraint *k = tree->constraints; k && result == 0; k = k->next) {
        if (k->kind == TSQL_DEFAULT_CONSTRAINT)
            result = add_default(d, t, k);
    }
    if (result == 0)
        result = connection_reload(d->s, d->a);
    for (size_t i = plan.old_count; i < plan.column_count && result == 0; i++) {
        if (!plan.columns[i].nullable && plan.columns[i].default_sql.len > 0)
            result = fill_default(d, &tree->table, plan.columns[i].def->name);
        for (const struct tsql_constraint *k = plan.columns[i].def->constraints; k && result == 0; k = k->next) {
            if (k->kind == TSQL_CHECK)
                result = verify_check(d, &tree->table, k);
        }
    }
    for (const struct tsql_constraint *k = tree->constraints; k && result == 0; k = k->next) {
        if (k->kind == TSQL_CHECK)
            result = verify_check(d, &tree->table, k);
    }
    ddl_forget_plan(&plan);
    catalogue_release(before);
    return result;
}

/* ---- DROP ---- */

/* What rests on a column; NULL: nothing. *kind says what it is. */
static const char *find_dependent(const struct ddl *d, const struct cat_table *t, int column, const char **kind)
{
    for (const struct cat_index *x = t->indexes; x; x = x->next) {
        for (size_t i = 0; i < x->count; i++) {
            *kind = x->kind == CAT_INDEX ? "index" : "object";
            if (x->columns[i] == column)
                return x->name.data;
        }
    }
    *kind = "object";
    for (const struct cat_check *k = t->checks; k; k = k->next) {
        if (k->column == column)
            return k->name.data;
    }
    for (const struct cat_table *other = d->a->catalogue->tables; other; other = other->next) {
        for (const struct cat_foreign_key *k = other->foreign_keys; k; k = k->next) {
            for (size_t i = 0; i < k->count; i++) {
                if ((other == t && k->columns[i] == column) || (k->other == t->id && k->other_columns[i] == column))
                    return k->name.data;
            }
        }
    }
    return NULL;
}

/* Can rows still be written: does every CHECK of the table find its columns? */
static int verify_table(struct ddl *d, const struct tsql_name *table, struct tsql_text column)
{
    struct tsql_insert insert = {.table = *table, .kind = TSQL_INSERT_DEFAULTS};
    struct tsql_statement st = {.kind = TSQL_INSERT, .insert = &insert};
    struct plan p = {0};
    int result = bind_statement(d->s, &st, NULL, 0, &p);
    plan_clear(&p);
    if (result < 0 && d->s->fault.number == 207) {
        fault_clear(&d->s->fault);
        return fault_set(&d->s->fault, 4922, "ALTER TABLE DROP COLUMN", column.data);
    }
    return result;
}

static int drop_column(struct ddl *d, const struct tsql_alter_table *tree, const struct cat_table *t, const struct tsql_word *word)
{
    struct fault *f = &d->s->fault;
    const struct cat_column *c = catalogue_column(t, word->text.data, word->text.len);
    const char *kind;
    if (!c)
        return tree->if_exists ? 0 : fault_set(f, 4924, "ALTER TABLE DROP COLUMN", word->text.data, t->name.data);
    const char *dependent = find_dependent(d, t, c->id, &kind);
    if (dependent)
        return fault_set(f, 5074, kind, dependent, "column", c->name.data);
    if (t->column_count == 1)
        return fault_set(f, 4923, c->name.data, t->name.data);
    char sql[96];
    snprintf(sql, sizeof sql, "ALTER TABLE $t%d DROP COLUMN c%d", t->id, c->id);
    int64_t table = t->id, column = c->id;
    if (ddl_run(d, "UPDATE $sg_column SET position = position - 1 WHERE object_id = ?1 AND position > (SELECT position FROM $sg_column WHERE "
                   "object_id = ?1 AND column_id = ?2)", "ii", table, column) != 0 ||
        ddl_run(d, "DELETE FROM $sg_column WHERE object_id = ?1 AND column_id = ?2", "ii", table, column) != 0 || ddl_run(d, sql, "") != 0)
        return -1;
    struct tsql_text name = word->text;
    return connection_reload(d->s, d->a) < 0 ? -1 : verify_table(d, &tree->table, name);
}

static int drop_object(struct ddl *d, struct tsql_text name, int64_t table)
{
    return ddl_run(d, "DELETE FROM $sg_object WHERE parent_id = ?1 AND name = ?2", "it", table, name);
}

static int drop_key(struct ddl *d, const struct cat_table *t, const struct cat_index *x)
{
    const struct cat_foreign_key *resting = ddl_find_resting(d, t, x);
    if (resting)
        return fault_set(&d->s->fault, 3725, x->name.data, catalogue_table_by_id(d->a->catalogue, resting->table)->name.data, resting->name.data);
    if (x->is_rowid)
        return fault_set(&d->s->fault, FAULT_UNSUPPORTED, "dropping a primary key of one integer column");
    return ddl_remove_index(d, t, x) < 0 ? -1 : drop_object(d, x->name, t->id);
}

static int drop_check(struct ddl *d, const struct cat_table *t, const struct cat_check *k)
{
    if (k->is_default && ddl_run(d, "UPDATE $sg_column SET default_sql = NULL WHERE object_id = ?1 AND column_id = ?2", "ii", (int64_t)t->id,
                                 (int64_t)k->column) != 0)
        return -1;
    return drop_object(d, k->name, t->id);
}

static bool is_name(struct tsql_text name, const struct tsql_word *word)
{
    return collate_name_equal(name.data, name.len, word->text.data, word->text.len);
}

static int drop_constraint(struct ddl *d, const struct tsql_alter_table *tree, const struct cat_table *t, const struct tsql_word *word)
{
    for (const struct cat_index *x = t->indexes; x; x = x->next) {
        if (x->kind != CAT_INDEX && is_name(x->name, word))
            return drop_key(d, t, x);
    }
    for (const struct cat_check *k = t->checks; k; k = k->next) {
        if (is_name(k->name, word))
            return drop_check(d, t, k);
    }
    for (const struct cat_foreign_key *k = t->foreign_keys; k; k = k->next) {
        if (is_name(k->name, word))
            return fault_set(&d->s->fault, FAULT_UNSUPPORTED, "dropping a FOREIGN KEY");
    }
    return tree->if_exists ? 0 : fault_set(&d->s->fault, 3728, word->text.data);
}

/* Each part is dropped from the table as the one before has left it. */
static int alter_drop(struct ddl *d, const struct tsql_alter_table *tree)
{
    int result = 0;
    for (const struct tsql_word *w = tree->drop_constraints; w && result == 0; w = w->next) {
        result = drop_constraint(d, tree, ddl_find_table(d, tree->table.name), w);
        if (result == 0)
            result = connection_reload(d->s, d->a);
    }
    for (const struct tsql_word *w = tree->drop_columns; w && result == 0; w = w->next)
        result = drop_column(d, tree, ddl_find_table(d, tree->table.name), w);
    return result;
}

/* ---- ALTER COLUMN ---- */

/* Do all values of `from` keep their form and fit as `to`? */
static bool only_grows(const struct sqltype *from, const struct sqltype *to)
{
    enum type_class class = typing_class(from->kind);
    if (class != typing_class(to->kind) || !typing_same_form(from, to))
        return false;
    int64_t low, high, new_low, new_high;
    switch (class) {
    case TYPE_INTEGER:
        typing_integer_range(from->kind, &low, &high);
        typing_integer_range(to->kind, &new_low, &new_high);
        return new_low <= low && new_high >= high;
    case TYPE_DECIMAL:
        return from->kind != SQLTYPE_MONEY && to->kind != SQLTYPE_MONEY && to->precision >= from->precision;
    case TYPE_STRING:
        /* n bytes of UTF-8 are at most n units of UTF-16; the other way round they may be three times as many. */
        if (to->kind == SQLTYPE_CHAR || to->kind == SQLTYPE_NCHAR || (sqltype_is_unicode(from) && !sqltype_is_unicode(to) && to->length != SQLTYPE_MAX))
            return from->kind == to->kind && from->length == to->length;
        return to->length == SQLTYPE_MAX || (from->length != SQLTYPE_MAX && to->length >= from->length);
    case TYPE_BINARY:
        return to->kind == SQLTYPE_VARBINARY && (to->length == SQLTYPE_MAX || (from->length != SQLTYPE_MAX && to->length >= from->length));
    case TYPE_DATETIME:
        return from->kind == to->kind && to->scale >= from->scale;
    default:
        return from->kind == to->kind;
    }
}

/* Copies the column's values, converted, into the new column. */
static int convert_rows(struct ddl *d, const struct cat_table *t, const struct cat_column *from, const struct new_column *to)
{
    struct engine_session *s = d->s;
    sqlite3_stmt *read = NULL, *write = NULL;
    char sql[128];
    struct buf scratch;
    int more = -1;
    buf_init(&scratch, CONVERT_MAX_BYTES);
    snprintf(sql, sizeof sql, "SELECT rowid, c%d FROM d%d.t%d", from->id, d->a->database->id, t->id);
    if (exec_prepare(s, sql, &read) < 0)
        goto out;
    snprintf(sql, sizeof sql, "UPDATE d%d.t%d SET c%d = ?1 WHERE rowid = ?2", d->a->database->id, t->id, to->id);
    if (exec_prepare(s, sql, &write) < 0)
        goto out;
    while ((more = exec_step(s, read)) > 0) {
        struct value in, out;
        cell_read_column(read, 1, &from->type, &in);
        more = -1;
        if (convert_value(&in, &to->def->type.type, 0, CONVERT_ASSIGN, &scratch, &out, &s->fault) < 0)
            break;
        if (cell_bind(write, 1, &out) != SQLITE_OK || sqlite3_bind_int64(write, 2, sqlite3_column_int64(read, 0)) != SQLITE_OK) {
            fault_set(&s->fault, FAULT_MEMORY);
            break;
        }
        if (exec_step(s, write) < 0)
            break;
        sqlite3_reset(write);
    }

out:
    sqlite3_finalize(read);
    sqlite3_finalize(write);
    buf_clear(&scratch);
    return more;
}

/* The values need another form: a new column of SQLite takes them, and the old one goes. */
static int replace_column(struct ddl *d, const struct cat_table *t, const struct cat_column *c, struct new_column *made)
{
    const char *kind;
    const char *dependent = find_dependent(d, t, c->id, &kind);
    if (dependent)
        return fault_set(&d->s->fault, 5074, kind, dependent, "column", c->name.data);
    for (size_t i = 0; i < t->column_count; i++)
        made->id = t->columns[i].id >= made->id ? t->columns[i].id + 1 : made->id;
    struct buf sql;
    buf_init(&sql, DDL_MAX_SQL);
    buf_printf(&sql, "ALTER TABLE $t%d ADD COLUMN ", t->id);
    ddl_write_column(made, &sql);
    int result = buf_status(&sql) < 0 ? fault_set(&d->s->fault, FAULT_MEMORY) : ddl_run(d, buf_text(&sql), "");
    buf_clear(&sql);
    char drop[96];
    snprintf(drop, sizeof drop, "ALTER TABLE $t%d DROP COLUMN c%d", t->id, c->id);
    if (result == 0)
        result = convert_rows(d, t, c, made);
    if (result == 0)
        result = ddl_run(d, drop, "");
    return result;
}

static int alter_column(struct ddl *d, const struct tsql_alter_table *tree, const struct cat_table *t)
{
    const struct tsql_column_def *def = tree->columns;
    struct fault *f = &d->s->fault;
    const struct cat_column *c = catalogue_column(t, def->name.data, def->name.len);
    if (!c)
        return fault_set(f, 4924, "ALTER TABLE ALTER COLUMN", def->name.data, t->name.data);
    if (typing_conversion(c->type.kind, def->type.type.kind) == CONVERSION_NONE)
        return fault_set(f, 206, typing_name(c->type.kind), typing_name(def->type.type.kind));
    struct new_column made = {.id = c->id, .def = def, .nullable = !def->not_null};
    if (typing_class(def->type.type.kind) == TYPE_STRING) {
        made.collation_name = (struct tsql_text){typing_default_collation, strlen(typing_default_collation)};
        if (def->type.collation.len > 0)
            made.collation_name = def->type.collation;
        if (!typing_collation(made.collation_name.data, made.collation_name.len, &made.collation))
            return fault_set(f, 448, made.collation_name.data);
    }
    for (const struct cat_index *x = t->indexes; x; x = x->next) {
        for (size_t i = 0; i < x->count; i++) {
            /* An index knows whether its columns hold NULLs, and a key of integers how wide they are. */
            if (x->columns[i] == c->id && x->unique && made.nullable != c->nullable)
                return fault_set(f, 5074, x->kind == CAT_INDEX ? "index" : "object", x->name.data, "column", c->name.data);
        }
    }
    char where[64];
    bool nulls = false;
    snprintf(where, sizeof where, "WHERE c%d IS NULL", c->id);
    if (!made.nullable && has_rows(d, t, where, &nulls) < 0)
        return -1;
    if (nulls)
        return fault_set(f, 515, c->name.data, t->name.data, "UPDATE");
    if (c->identity && !only_grows(&c->type, &def->type.type))
        return fault_set(f, 2749, c->name.data);
    if ((!only_grows(&c->type, &def->type.type) || made.collation != c->collation) && replace_column(d, t, c, &made) < 0)
        return -1;
    const struct sqltype *type = &def->type.type;
    return ddl_run(d,
                   "UPDATE $sg_column SET column_id = ?3, kind = ?4, length = ?5, precision = ?6, scale = ?7, collation = ?8, collation_name = ?9, "
                   "nullable = ?10 WHERE object_id = ?1 AND column_id = ?2",
                   "iiiiiiiiti", (int64_t)t->id, (int64_t)c->id, (int64_t)made.id, (int64_t)type->kind, (int64_t)type->length,
                   (int64_t)type->precision, (int64_t)type->scale, (int64_t)made.collation, made.collation_name,
                   (int64_t)(made.nullable && !c->identity));
}

/* ---- */

int ddl_alter_table(struct engine_session *s, const struct tsql_alter_table *tree)
{
    struct ddl d;
    if (ddl_open(&d, s, &tree->table) < 0)
        return -1;
    const struct cat_table *t = ddl_find_table(&d, tree->table.name);
    int result;
    if (!t)
        result = fault_set(&s->fault, 4902, tree->table.name.data);
    else if (tree->kind == TSQL_ALTER_ADD)
        result = alter_add(&d, tree, t);
    else if (tree->kind == TSQL_ALTER_COLUMN)
        result = alter_column(&d, tree, t);
    else
        result = alter_drop(&d, tree);
    return ddl_close(&d, result);
}
