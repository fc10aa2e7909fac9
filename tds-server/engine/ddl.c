#include "tds-server/engine/ddl.h"

#include "common/collate.h"
#include "tds-server/functions/typing.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- SQL with parameters ---- */

int ddl_run(struct ddl *d, const char *text, const char *types, ...)
{
    struct engine_session *s = d->s;
    struct buf sql;
    buf_init(&sql, DDL_MAX_SQL);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '$')
            buf_printf(&sql, "d%d.", d->a->database->id);
        else
            buf_append_char(&sql, *p);
    }
    sqlite3_stmt *stmt = NULL;
    int rc = buf_status(&sql) < 0 ? SQLITE_NOMEM : sqlite3_prepare_v2(s->db, buf_text(&sql), -1, &stmt, NULL);
    buf_clear(&sql);
    va_list args;
    va_start(args, types);
    for (int i = 1; rc == SQLITE_OK && *types != '\0'; types++, i++) {
        if (*types == 'i') {
            rc = sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
        } else {
            struct tsql_text t = va_arg(args, struct tsql_text);
            rc = t.len > 0 ? sqlite3_bind_text(stmt, i, t.data, (int)t.len, SQLITE_TRANSIENT) : sqlite3_bind_null(stmt, i);
        }
    }
    va_end(args);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        rc = rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
    }
    if (rc == SQLITE_CONSTRAINT_UNIQUE) {
        sqlite3_finalize(stmt);
        return SQLITE_CONSTRAINT_UNIQUE; /* the caller knows what it means */
    }
    int result = rc == SQLITE_OK ? 0 : runtime_sqlite_fault(s, rc);
    sqlite3_finalize(stmt);
    return result;
}

/* ---- the change's frame ---- */

/* Undoes what the statement did; the fault is set already. Returns -1. */
static int abandon_change(struct engine_session *s)
{
    int undone = transaction_end_write(s, false);
    return undone < 0 ? undone : -1;
}

int ddl_open(struct ddl *d, struct engine_session *s, const struct tsql_name *name)
{
    d->s = s;
    if (connection_use(s, name->database.data ? name->database.data : "", name->database.len, &d->a) < 0)
        return -1;
    if (transaction_begin_write(s, d->a) < 0)
        return -1;
    /* The wait for the lock may have been for another change of the schema. */
    if (connection_use(s, name->database.data ? name->database.data : "", name->database.len, &d->a) < 0) {
        return abandon_change(s);
    }
    d->schema = CATALOGUE_DBO;
    if (name->schema.len > 0) {
        const struct cat_schema *schema = catalogue_schema(d->a->catalogue, name->schema.data, name->schema.len);
        if (!schema) {
            fault_set(&s->fault, 2760, name->schema.data);
            return abandon_change(s);
        }
        d->schema = schema->id;
    }
    return 0;
}

int ddl_close(struct ddl *d, int result)
{
    if (result == 0) {
        d->a->schema_changed = true;
        result = connection_reload(d->s, d->a);
    }
    if (transaction_end_write(d->s, result == 0) < 0)
        return -1;
    return result;
}

/* ---- objects ---- */

static const char *hex_name(const char *prefix, struct tsql_text table, struct tsql_text column, int64_t id, char out[160])
{
    /* As SQL Server makes them: PK__Students__3213E83F0000040A; the number is the object's. */
    if (column.len > 0)
        snprintf(out, 160, "%s__%.9s__%.5s__%08llX", prefix, table.data, column.data, (unsigned long long)id);
    else
        snprintf(out, 160, "%s__%.9s__%016llX", prefix, table.data, 0x3213E83F00000000ULL + (unsigned long long)id);
    /* The cut may have split a character. */
    for (unsigned char *p = (unsigned char *)out; *p != '\0'; p++) {
        if (*p >= 0x80)
            *p = '_';
    }
    return out;
}

static int add_object(struct ddl *d, struct tsql_text name, int64_t parent, const char *type, struct tsql_text definition, int64_t column,
                      bool system_named, int64_t *id)
{
    struct tsql_text kind = {type, strlen(type)};
    if (name.len > 0 && catalogue_has_object(d->a->catalogue, d->schema, name.data, name.len))
        return fault_set(&d->s->fault, 2714, name.data);
    int result = ddl_run(d,
                         "INSERT INTO $sg_object (name, schema_id, parent_id, type, definition, column_id, system_named, create_date, "
                         "modify_date) VALUES (coalesce(?1, ''), ?2, ?3, ?4, ?5, ?6, ?7, strftime('%Y-%m-%d %H:%M:%f0000', 'now'), "
                         "strftime('%Y-%m-%d %H:%M:%f0000', 'now'))",
                         "tiittii", name, (int64_t)d->schema, parent, kind, definition, column, (int64_t)system_named);
    *id = sqlite3_last_insert_rowid(d->s->db);
    return result;
}

int ddl_add_constraint(struct ddl *d, struct tsql_text name, const char *prefix, struct tsql_text table, struct tsql_text column,
                          int64_t parent, const char *type, struct tsql_text definition, int64_t column_id, int64_t *id, char made[160],
                          struct tsql_text *out)
{
    if (add_object(d, name, parent, type, definition, column_id, name.len == 0, id) < 0)
        return -1;
    *out = name;
    if (name.len > 0)
        return 0;
    *out = (struct tsql_text){hex_name(prefix, table, column, *id, made), 0};
    out->len = strlen(out->data);
    return ddl_run(d, "UPDATE $sg_object SET name = ?1 WHERE object_id = ?2", "ti", *out, *id);
}

/* ---- a new table ---- */

int ddl_find_column(const struct new_table *t, struct tsql_text name)
{
    for (size_t i = 0; i < t->column_count; i++) {
        if (collate_name_equal(t->columns[i].def->name.data, t->columns[i].def->name.len, name.data, name.len))
            return (int)i;
    }
    return -1;
}

bool ddl_can_be_key(const struct sqltype *t)
{
    return t->kind != SQLTYPE_TEXT && t->length != SQLTYPE_MAX;
}

static int add_index(struct ddl *d, struct new_table *t, const struct tsql_constraint *k, size_t place)
{
    struct new_index *x = &t->indexes[t->index_count];
    bool primary = k->kind == TSQL_PRIMARY_KEY;
    *x = (struct new_index){.name = k->name, .kind = primary ? CAT_PRIMARY_KEY : CAT_UNIQUE_CONSTRAINT, .unique = true};
    x->clustered = k->clustered || (primary && !k->nonclustered);
    if (primary && t->primary >= 0)
        return fault_set(&d->s->fault, 8110, t->name.data);
    for (const struct cat_index *old = t->old ? t->old->indexes : NULL; old; old = old->next) {
        if (primary && old->kind == CAT_PRIMARY_KEY)
            return fault_set(&d->s->fault, 1779, t->name.data);
        if (old->id == 1 && k->clustered)
            return fault_set(&d->s->fault, 8112, t->name.data);
        x->clustered &= old->id != 1;
    }
    for (size_t i = 0; i < t->index_count; i++) {
        if (t->indexes[i].clustered && k->clustered)
            return fault_set(&d->s->fault, 8112, t->name.data);
        x->clustered &= !t->indexes[i].clustered;
    }
    if (!k->columns)
        x->columns[x->count++] = place;
    for (const struct tsql_word *w = k->columns; w; w = w->next) {
        int found = ddl_find_column(t, w->text);
        if (found < 0)
            return fault_set(&d->s->fault, 1911, w->text.data);
        if (x->count == CATALOGUE_MAX_KEY)
            return fault_set(&d->s->fault, 1904, k->name.data ? k->name.data : "", t->name.data, (int)x->count + 1, "index");
        for (size_t i = 0; i < x->count; i++) {
            if (x->columns[i] == (size_t)found)
                return fault_set(&d->s->fault, 1909, w->text.data);
        }
        x->descending[x->count] = w->descending;
        x->columns[x->count++] = (size_t)found;
    }
    for (size_t i = 0; i < x->count; i++) {
        struct new_column *c = &t->columns[x->columns[i]];
        if (!ddl_can_be_key(&c->def->type.type))
            return fault_set(&d->s->fault, 1919, c->def->name.data, t->name.data);
        if (primary && (c->def->null_given || (c->nullable && x->columns[i] < t->old_count)))
            return fault_set(&d->s->fault, 8111, t->name.data);
        if (primary)
            c->nullable = false;
    }
    if (primary)
        t->primary = (int)t->index_count;
    t->index_count++;
    return 0;
}

static int plan_column(struct ddl *d, struct new_table *t, size_t i)
{
    struct new_column *c = &t->columns[i];
    const struct tsql_column_def *def = c->def;
    struct fault *f = &d->s->fault;
    if (ddl_find_column(t, def->name) != (int)i)
        return fault_set(f, 2705, def->name.data, t->name.data);
    c->nullable = !def->not_null && !def->identity;
    if (typing_class(def->type.type.kind) == TYPE_STRING) {
        c->collation_name = (struct tsql_text){typing_default_collation, strlen(typing_default_collation)};
        if (def->type.collation.len > 0) {
            c->collation_name = def->type.collation;
            if (!typing_collation(c->collation_name.data, c->collation_name.len, &c->collation))
                return fault_set(f, 448, c->collation_name.data);
        }
    } else if (def->type.collation.len > 0) {
        return fault_set(f, 447, typing_name(def->type.type.kind));
    }
    if (def->identity) {
        int64_t low = 0, high = 0;
        enum type_class class = typing_class(def->type.type.kind);
        if ((class != TYPE_INTEGER && (class != TYPE_DECIMAL || def->type.type.scale != 0)) || def->null_given || def->identity_increment == 0)
            return fault_set(f, 2749, def->name.data);
        if (class == TYPE_INTEGER) {
            typing_integer_range(def->type.type.kind, &low, &high);
            if (def->identity_seed < low || def->identity_seed > high)
                return fault_set(f, 2749, def->name.data);
        }
        for (size_t j = 0; j < i; j++) {
            if (t->columns[j].def->identity)
                return fault_set(f, 2744, t->name.data);
        }
    }
    for (const struct tsql_constraint *k = def->constraints; k; k = k->next) {
        if (k->kind == TSQL_PRIMARY_KEY || k->kind == TSQL_UNIQUE) {
            if (add_index(d, t, k, i) < 0)
                return -1;
        } else if (k->kind == TSQL_DEFAULT_CONSTRAINT) {
            if (c->default_sql.len > 0)
                return fault_set(f, 1781);
            tsql_print_expr(k->value, &c->default_text);
            c->default_sql = (struct tsql_text){buf_text(&c->default_text), c->default_text.len};
        }
    }
    return 0;
}

static size_t count_constraints(const struct tsql_column_def *columns, const struct tsql_constraint *constraints)
{
    size_t n = 0;
    for (const struct tsql_constraint *k = constraints; k; k = k->next)
        n++;
    for (const struct tsql_column_def *c = columns; c; c = c->next) {
        for (const struct tsql_constraint *k = c->constraints; k; k = k->next)
            n++;
    }
    return n;
}

/* After all columns and keys: a key may refer to the table itself. */
static int plan_foreign_keys(struct ddl *d, const struct tsql_constraint *constraints, struct new_table *t)
{
    for (size_t i = t->old_count; i < t->column_count; i++) {
        for (const struct tsql_constraint *k = t->columns[i].def->constraints; k; k = k->next) {
            if (k->kind == TSQL_FOREIGN_KEY && ddl_plan_foreign_key(d, t, k, i) < 0)
                return -1;
        }
    }
    for (const struct tsql_constraint *k = constraints; k; k = k->next) {
        if (k->kind == TSQL_FOREIGN_KEY && ddl_plan_foreign_key(d, t, k, 0) < 0)
            return -1;
    }
    return 0;
}

/* The columns that are there already, as if they had just been defined. */
static void take_old_columns(struct new_table *t, int *last_id)
{
    for (size_t i = 0; i < t->old_count; i++) {
        const struct cat_column *c = &t->old->columns[i];
        t->old_columns[i] = (struct tsql_column_def){.name = c->name, .type = {.type = c->type}, .identity = c->identity};
        t->columns[i] = (struct new_column){.id = c->id, .def = &t->old_columns[i], .collation = c->collation, .collation_name = c->collation_name,
                                            .nullable = c->nullable, .default_sql = c->default_sql};
        *last_id = c->id > *last_id ? c->id : *last_id;
    }
}

int ddl_plan_table(struct ddl *d, struct tsql_text name, const struct cat_table *old, const struct tsql_column_def *columns,
                   const struct tsql_constraint *constraints, struct new_table *t)
{
    size_t count = old ? old->column_count : 0, keys = count_constraints(columns, constraints);
    int last_id = 0;
    *t = (struct new_table){.name = name, .old = old, .old_count = count, .primary = -1};
    for (const struct tsql_column_def *c = columns; c; c = c->next)
        count++;
    if (count > CATALOGUE_MAX_COLUMNS)
        return fault_set(&d->s->fault, 1702, "", t->name.data, CATALOGUE_MAX_COLUMNS);
    t->columns = calloc(count + 1, sizeof *t->columns);
    t->old_columns = calloc(t->old_count + 1, sizeof *t->old_columns);
    t->indexes = calloc(keys + 1, sizeof *t->indexes);
    t->foreign_keys = calloc(keys + 1, sizeof *t->foreign_keys);
    if (!t->columns || !t->old_columns || !t->indexes || !t->foreign_keys)
        return fault_set(&d->s->fault, FAULT_MEMORY);
    take_old_columns(t, &last_id);
    t->column_count = t->old_count;
    for (const struct tsql_column_def *c = columns; c; c = c->next) {
        struct new_column *made = &t->columns[t->column_count++];
        buf_init(&made->default_text, DDL_MAX_SQL);
        made->def = c;
        made->id = ++last_id;
    }
    for (size_t i = t->old_count; i < count; i++) {
        if (plan_column(d, t, i) < 0)
            return -1;
    }
    for (const struct tsql_constraint *k = constraints; k; k = k->next) {
        if ((k->kind == TSQL_PRIMARY_KEY || k->kind == TSQL_UNIQUE) && add_index(d, t, k, 0) < 0)
            return -1;
    }
    return plan_foreign_keys(d, constraints, t);
}

void ddl_forget_plan(struct new_table *t)
{
    for (size_t i = t->old_count; i < t->column_count; i++)
        buf_clear(&t->columns[i].default_text);
    free(t->columns);
    free(t->old_columns);
    free(t->indexes);
    free(t->foreign_keys);
}

/* The primary key that is SQLite's row number: one ascending integer column. */
static bool is_rowid(const struct new_table *t, size_t column)
{
    if (t->primary < 0 || t->old)
        return false;
    const struct new_index *x = &t->indexes[t->primary];
    return x->count == 1 && x->columns[0] == column && typing_class(t->columns[column].def->type.type.kind) == TYPE_INTEGER;
}

void ddl_write_column(const struct new_column *c, struct buf *sql)
{
    enum type_class class = typing_class(c->def->type.type.kind);
    buf_printf(sql, "c%d", c->id);
    /* The row number is an INTEGER to SQLite, which compares one by the index of a column that is declared so, too. */
    if (class == TYPE_INTEGER)
        buf_append_text(sql, " INTEGER");
    else if (class == TYPE_STRING)
        buf_printf(sql, " COLLATE %s", functions_collation[c->collation]);
    else if (c->def->type.type.kind == SQLTYPE_DATETIMEOFFSET)
        buf_append_text(sql, " COLLATE " FUNCTIONS_COLLATION_OFFSET);
}

static int create_sqlite_table(struct ddl *d, const struct new_table *t, int64_t id)
{
    struct buf sql;
    buf_init(&sql, DDL_MAX_SQL);
    buf_printf(&sql, "CREATE TABLE $t%lld (", (long long)id);
    for (size_t i = 0; i < t->column_count; i++) {
        buf_append_text(&sql, i > 0 ? ", " : "");
        ddl_write_column(&t->columns[i], &sql);
        buf_append_text(&sql, is_rowid(t, i) ? " PRIMARY KEY" : "");
    }
    ddl_write_foreign_keys(t, id, &sql);
    buf_append_char(&sql, ')');
    int result = buf_status(&sql) < 0 ? fault_set(&d->s->fault, FAULT_MEMORY) : ddl_run(d, buf_text(&sql), "");
    buf_clear(&sql);
    return result;
}

static int record_columns(struct ddl *d, const struct new_table *t, int64_t id)
{
    for (size_t i = t->old_count; i < t->column_count; i++) {
        const struct new_column *c = &t->columns[i];
        const struct sqltype *type = &c->def->type.type;
        if (ddl_run(d,
                    "INSERT INTO $sg_column (object_id, column_id, position, name, kind, length, precision, scale, collation, "
                    "collation_name, nullable, identity, seed, increment, default_sql) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                    "iiitiiiiitiiiit", id, (int64_t)c->id, (int64_t)i + 1, c->def->name, (int64_t)type->kind, (int64_t)type->length,
                    (int64_t)type->precision, (int64_t)type->scale, (int64_t)c->collation, c->collation_name, (int64_t)c->nullable,
                    (int64_t)c->def->identity, c->def->identity_seed, c->def->identity_increment, c->default_sql) != 0)
            return -1;
        for (const struct tsql_constraint *k = c->def->constraints; k; k = k->next) {
            int64_t object;
            char made[160];
            struct tsql_text name;
            if (k->kind == TSQL_DEFAULT_CONSTRAINT &&
                ddl_add_constraint(d, k->name, "DF", t->name, c->def->name, id, "D", c->default_sql, (int64_t)c->id, &object, made, &name) < 0)
                return -1;
        }
    }
    return 0;
}

static int record_check(struct ddl *d, const struct new_table *t, int64_t id, const struct tsql_constraint *k, const struct new_column *of)
{
    struct buf text;
    int64_t object, column = of ? of->id : 0;
    char made[160];
    struct tsql_text name, none = {"", 0};
    buf_init(&text, DDL_MAX_SQL);
    tsql_print_expr(k->value, &text);
    struct tsql_text definition = {buf_text(&text), text.len};
    struct tsql_text column_name = of ? of->def->name : none;
    int result = buf_status(&text) < 0 ? fault_set(&d->s->fault, FAULT_MEMORY)
                                       : ddl_add_constraint(d, k->name, "CK", t->name, column_name, id, "C", definition, column, &object, made, &name);
    buf_clear(&text);
    return result;
}

static int record_indexes(struct ddl *d, const struct new_table *t, int64_t id)
{
    /* The clustered index is number 1. */
    int64_t next = 2;
    for (const struct cat_index *x = t->old ? t->old->indexes : NULL; x; x = x->next)
        next = x->id >= next ? x->id + 1 : next;
    for (size_t i = 0; i < t->index_count; i++) {
        const struct new_index *x = &t->indexes[i];
        int columns[CATALOGUE_MAX_KEY];
        bool nullable[CATALOGUE_MAX_KEY];
        int64_t object, index = x->clustered ? 1 : next++;
        char made[160];
        struct tsql_text name, none = {"", 0};
        bool primary = x->kind == CAT_PRIMARY_KEY;
        for (size_t j = 0; j < x->count; j++) {
            columns[j] = t->columns[x->columns[j]].id;
            nullable[j] = t->columns[x->columns[j]].nullable;
        }
        bool rowid = primary && x->count == 1 && is_rowid(t, x->columns[0]);
        if (ddl_add_constraint(d, x->name, primary ? "PK" : "UQ", t->name, none, id, primary ? "PK" : "UQ", none, 0, &object, made, &name) < 0 ||
            ddl_record_index(d, id, index, name, x->kind, true, rowid, x->clustered, x->count, columns, x->descending) < 0)
            return -1;
        int made_index = rowid ? 0 : ddl_make_index(d, id, index, true, x->count, columns, x->descending, nullable);
        if (made_index == SQLITE_CONSTRAINT_UNIQUE && t->old)
            return ddl_duplicate_fault(d, t->old, name, x->count, columns);
        if (made_index != 0)
            return -1;
    }
    return 0;
}

int ddl_record_table(struct ddl *d, const struct new_table *t, int64_t id, const struct tsql_constraint *constraints)
{
    if (record_columns(d, t, id) < 0 || record_indexes(d, t, id) < 0)
        return -1;
    for (size_t i = t->old_count; i < t->column_count; i++) {
        for (const struct tsql_constraint *k = t->columns[i].def->constraints; k; k = k->next) {
            if (k->kind == TSQL_CHECK && record_check(d, t, id, k, &t->columns[i]) < 0)
                return -1;
        }
    }
    for (const struct tsql_constraint *k = constraints; k; k = k->next) {
        if (k->kind == TSQL_CHECK && record_check(d, t, id, k, NULL) < 0)
            return -1;
    }
    return ddl_record_foreign_keys(d, t, id);
}

static bool text_is_tempdb(struct tsql_text t)
{
    return collate_name_equal(STORE_TEMPDB_NAME, strlen(STORE_TEMPDB_NAME), t.data ? t.data : "", t.len);
}

int ddl_create_table(struct engine_session *s, const struct tsql_create_table *tree)
{
    struct ddl d;
    struct new_table t;
    struct tsql_text none = {"", 0};
    int64_t id;
    if (tree->table.name.data[0] != '#' && text_is_tempdb(tree->table.database))
        return fault_set(&s->fault, FAULT_UNSUPPORTED, "a table of tempdb whose name has no #");
    if (ddl_open(&d, s, &tree->table) < 0)
        return -1;
    int result = ddl_plan_table(&d, tree->table.name, NULL, tree->columns, tree->constraints, &t);
    if (result == 0)
        result = add_object(&d, t.name, 0, "U", none, 0, false, &id);
    if (result == 0)
        result = create_sqlite_table(&d, &t, id);
    if (result == 0)
        result = ddl_record_table(&d, &t, id, tree->constraints);
    ddl_forget_plan(&t);
    return ddl_close(&d, result);
}

/* ---- DROP TABLE ---- */

struct cat_table *ddl_find_table(struct ddl *d, struct tsql_text name)
{
    return catalogue_table(d->a->catalogue, d->schema, name.data, name.len);
}

static int drop_table(struct ddl *d, const struct cat_table *t)
{
    char sql[64];
    snprintf(sql, sizeof sql, "DROP TABLE $t%d", t->id);
    int64_t id = t->id;
    if (ddl_find_reference(d, t))
        return fault_set(&d->s->fault, 3726, t->name.data);
    if (ddl_run(d, "DELETE FROM $sg_foreign_key_column WHERE object_id IN (SELECT object_id FROM $sg_foreign_key WHERE table_id = ?1)", "i", id) != 0 ||
        ddl_run(d, "DELETE FROM $sg_foreign_key WHERE table_id = ?1", "i", id) != 0)
        return -1;
    if (ddl_run(d, sql, "") != 0 || ddl_run(d, "DELETE FROM $sg_object WHERE object_id = ?1 OR parent_id = ?1", "i", id) != 0 ||
        ddl_run(d, "DELETE FROM $sg_column WHERE object_id = ?1", "i", id) != 0 ||
        ddl_run(d, "DELETE FROM $sg_index WHERE object_id = ?1", "i", id) != 0 ||
        ddl_run(d, "DELETE FROM $sg_index_column WHERE object_id = ?1", "i", id) != 0)
        return -1;
    return 0;
}

int ddl_drop_table(struct engine_session *s, const struct tsql_drop_table *tree)
{
    for (const struct tsql_name_item *item = tree->tables; item; item = item->next) {
        struct ddl d;
        if (ddl_open(&d, s, &item->name) < 0) {
            if (s->fault.number != 911 && s->fault.number != 2760)
                return -1;
            fault_clear(&s->fault);
            if (tree->if_exists)
                continue;
            return fault_set(&s->fault, 3701, "table", item->name.name.data);
        }
        const struct cat_table *t = ddl_find_table(&d, item->name.name);
        int result = 0;
        if (t)
            result = drop_table(&d, t);
        else if (!tree->if_exists)
            result = fault_set(&s->fault, 3701, "table", item->name.name.data);
        if (ddl_close(&d, result) < 0)
            return -1;
    }
    return 0;
}

int ddl_truncate(struct engine_session *s, const struct tsql_name *name)
{
    struct ddl d;
    if (ddl_open(&d, s, name) < 0)
        return -1;
    const struct cat_table *t = ddl_find_table(&d, name->name);
    int result;
    if (!t) {
        result = fault_set(&s->fault, 4701, name->name.data);
    } else if (ddl_find_reference(&d, t)) {
        result = fault_set(&s->fault, 4712, t->name.data);
    } else {
        char sql[64];
        snprintf(sql, sizeof sql, "DELETE FROM $t%d", t->id);
        result = ddl_run(&d, sql, "");
        if (result == 0)
            result = ddl_run(&d, "UPDATE $sg_column SET last = NULL WHERE object_id = ?1", "i", (int64_t)t->id);
    }
    if (transaction_end_write(s, result == 0) < 0)
        return -1;
    return result;
}
