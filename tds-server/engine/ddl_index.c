#include "tds-server/engine/ddl.h"

#include "common/collate.h"

#include <stdio.h>
#include <string.h>

/* Indexes: of keys, for ddl.c, and CREATE and DROP INDEX. */

/* SQL Server lets one NULL into a unique key, SQLite any number: a second index over the rows that hold NULLs. */
static int create_null_index(struct ddl *d, int64_t table, int64_t index, size_t count, const int *columns, const bool *nullable)
{
    struct buf sql, where;
    bool any = false;
    buf_init(&sql, DDL_MAX_SQL);
    buf_init(&where, DDL_MAX_SQL);
    buf_printf(&sql, "CREATE UNIQUE INDEX $n%lld_%lld ON t%lld (", (long long)table, (long long)index, (long long)table);
    for (size_t i = 0; i < count; i++) {
        if (nullable[i]) {
            buf_printf(&where, "%sc%d IS NULL", any ? " OR " : "", columns[i]);
            any = true;
        }
        buf_printf(&sql, "%sc%d IS NULL, ifnull(c%d, 0)", i > 0 ? ", " : "", columns[i], columns[i]);
    }
    buf_printf(&sql, ") WHERE %s", buf_text(&where));
    int result = 0;
    if (buf_status(&sql) < 0)
        result = fault_set(&d->s->fault, FAULT_MEMORY);
    else if (any)
        result = ddl_run(d, buf_text(&sql), "");
    buf_clear(&sql);
    buf_clear(&where);
    return result;
}

int ddl_make_index(struct ddl *d, int64_t table, int64_t index, bool unique, size_t count, const int *columns,
                               const bool *descending, const bool *nullable)
{
    struct buf sql;
    buf_init(&sql, DDL_MAX_SQL);
    buf_printf(&sql, "CREATE %sINDEX $i%lld_%lld ON t%lld (", unique ? "UNIQUE " : "", (long long)table, (long long)index, (long long)table);
    for (size_t i = 0; i < count; i++)
        buf_printf(&sql, "%sc%d%s", i > 0 ? ", " : "", columns[i], descending[i] ? " DESC" : "");
    buf_append_char(&sql, ')');
    int result = buf_status(&sql) < 0 ? fault_set(&d->s->fault, FAULT_MEMORY) : ddl_run(d, buf_text(&sql), "");
    buf_clear(&sql);
    if (result == 0 && unique)
        result = create_null_index(d, table, index, count, columns, nullable);
    return result;
}

int ddl_duplicate_fault(struct ddl *d, const struct cat_table *t, struct tsql_text index, size_t count, const int *columns)
{
    struct buf sql, list, key;
    sqlite3_stmt *stmt = NULL;
    buf_init(&sql, DDL_MAX_SQL);
    buf_init(&list, DDL_MAX_SQL);
    buf_init(&key, FAULT_MAX_TEXT);
    for (size_t i = 0; i < count; i++)
        buf_printf(&list, "%sc%d", i > 0 ? ", " : "", columns[i]);
    buf_printf(&sql, "SELECT %s FROM d%d.t%d GROUP BY %s HAVING count(*) > 1 LIMIT 1", buf_text(&list), d->a->database->id, t->id, buf_text(&list));
    if (buf_status(&sql) == 0 && exec_prepare(d->s, buf_text(&sql), &stmt) == 0 && exec_step(d->s, stmt) > 0) {
        for (size_t i = 0; i < count; i++) {
            const struct cat_column *c = catalogue_column_by_id(t, columns[i]);
            struct value v = {.null = true};
            if (c)
                cell_read_column(stmt, (int)i, &c->type, &v);
            buf_append_text(&key, i > 0 ? ", " : "");
            exec_append_value(&key, &v);
        }
    }
    sqlite3_finalize(stmt);
    fault_set(&d->s->fault, 1505, t->name.data, index.data, buf_text(&key));
    buf_clear(&sql);
    buf_clear(&list);
    buf_clear(&key);
    return -1;
}

int ddl_record_index(struct ddl *d, int64_t table, int64_t index, struct tsql_text name, enum cat_index_kind kind, bool unique,
                        bool rowid, bool clustered, size_t count, const int *columns, const bool *descending)
{
    if (ddl_run(d, "INSERT INTO $sg_index (object_id, index_id, name, kind, is_unique, is_rowid, clustered) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                "iitiiii", table, index, name, (int64_t)kind, (int64_t)unique, (int64_t)rowid, (int64_t)clustered) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (ddl_run(d, "INSERT INTO $sg_index_column (object_id, index_id, ordinal, column_id, descending) VALUES (?1, ?2, ?3, ?4, ?5)", "iiiii",
                    table, index, (int64_t)i + 1, (int64_t)columns[i], (int64_t)descending[i]) != 0)
            return -1;
    }
    return 0;
}

/* ---- CREATE and DROP INDEX ---- */

int ddl_create_index(struct engine_session *s, const struct tsql_create_index *tree)
{
    struct ddl d;
    int columns[CATALOGUE_MAX_KEY];
    bool descending[CATALOGUE_MAX_KEY], nullable[CATALOGUE_MAX_KEY];
    size_t count = 0;
    if (tree->where)
        return fault_set(&s->fault, FAULT_UNSUPPORTED, "a filtered index");
    if (ddl_open(&d, s, &tree->table) < 0)
        return -1;
    int result = -1;
    int64_t index = 2;
    const struct cat_table *t = ddl_find_table(&d, tree->table.name);
    if (!t) {
        fault_set(&s->fault, 1088, tree->table.name.data);
        goto out;
    }
    for (const struct cat_index *x = t->indexes; x; x = x->next) {
        if (collate_name_equal(x->name.data, x->name.len, tree->name.data, tree->name.len)) {
            fault_set(&s->fault, 1913, tree->name.data, t->name.data);
            goto out;
        }
        if (x->id >= index)
            index = x->id + 1;
    }
    for (const struct tsql_word *w = tree->columns; w; w = w->next) {
        const struct cat_column *c = catalogue_column(t, w->text.data, w->text.len);
        if (!c) {
            fault_set(&s->fault, 1911, w->text.data);
            goto out;
        }
        if (!ddl_can_be_key(&c->type)) {
            fault_set(&s->fault, 1919, c->name.data, t->name.data);
            goto out;
        }
        if (count == CATALOGUE_MAX_KEY) {
            fault_set(&s->fault, 1904, tree->name.data, t->name.data, (int)count + 1, "index");
            goto out;
        }
        columns[count] = c->id;
        nullable[count] = c->nullable;
        descending[count++] = w->descending;
    }
    result = ddl_record_index(&d, t->id, index, tree->name, CAT_INDEX, tree->unique, false, tree->clustered, count, columns, descending);
    if (result == 0)
        result = ddl_make_index(&d, t->id, index, tree->unique, count, columns, descending, nullable);
    if (result == SQLITE_CONSTRAINT_UNIQUE)
        result = ddl_duplicate_fault(&d, t, tree->name, count, columns);

out:
    return ddl_close(&d, result);
}

int ddl_remove_index(struct ddl *d, const struct cat_table *t, const struct cat_index *x)
{
    char sql[96];
    snprintf(sql, sizeof sql, "DROP INDEX IF EXISTS $n%d_%d", t->id, x->id);
    if (ddl_run(d, sql, "") != 0)
        return -1;
    snprintf(sql, sizeof sql, "DROP INDEX $i%d_%d", t->id, x->id);
    if (ddl_run(d, sql, "") != 0 ||
        ddl_run(d, "DELETE FROM $sg_index WHERE object_id = ?1 AND index_id = ?2", "ii", (int64_t)t->id, (int64_t)x->id) != 0 ||
        ddl_run(d, "DELETE FROM $sg_index_column WHERE object_id = ?1 AND index_id = ?2", "ii", (int64_t)t->id, (int64_t)x->id) != 0)
        return -1;
    return 0;
}

const struct cat_foreign_key *ddl_find_resting(const struct ddl *d, const struct cat_table *t, const struct cat_index *x)
{
    for (const struct cat_table *other = d->a->catalogue->tables; other && x->unique; other = other->next) {
        for (const struct cat_foreign_key *k = other->foreign_keys; k; k = k->next) {
            if (k->other == t->id && k->count == x->count && memcmp(k->other_columns, x->columns, x->count * sizeof *x->columns) == 0)
                return k;
        }
    }
    return NULL;
}

int ddl_drop_index(struct engine_session *s, const struct tsql_drop_index *tree)
{
    for (const struct tsql_drop_index_item *item = tree->items; item; item = item->next) {
        struct ddl d;
        if (ddl_open(&d, s, &item->table) < 0)
            return -1;
        const struct cat_table *t = ddl_find_table(&d, item->table.name);
        const struct cat_index *x = t ? t->indexes : NULL;
        while (x && !collate_name_equal(x->name.data, x->name.len, item->name.data, item->name.len))
            x = x->next;
        int result = 0;
        const struct cat_foreign_key *resting;
        char full[600];
        snprintf(full, sizeof full, "%.280s.%.280s", item->table.name.data, item->name.data);
        if (x && x->kind != CAT_INDEX)
            result = fault_set(&s->fault, 3723, full, x->kind == CAT_PRIMARY_KEY ? "PRIMARY KEY" : "UNIQUE KEY");
        else if (x && (resting = ddl_find_resting(&d, t, x)))
            result = fault_set(&s->fault, 3725, x->name.data, catalogue_table_by_id(d.a->catalogue, resting->table)->name.data, resting->name.data);
        else if (x)
            result = ddl_remove_index(&d, t, x);
        else if (!tree->if_exists)
            result = fault_set(&s->fault, 3701, "index", full);
        if (ddl_close(&d, result) < 0)
            return -1;
    }
    return 0;
}
