#include "tds-server/engine/ddl.h"

#include "common/collate.h"

#include <string.h>

/* Foreign keys are SQLite's own, deferred: it counts what is missing, and after each statement exec_write asks for the count. */

/* A column that a key refers to, of a table that is there or of the new one. */
struct referred {
    struct tsql_text name;
    struct sqltype type;
    enum collation collation;
};

static struct referred referred_column(const struct new_table *t, const struct cat_table *other, int id)
{
    if (other) {
        const struct cat_column *c = catalogue_column_by_id(other, id);
        return (struct referred){c->name, c->type, c->collation};
    }
    const struct new_column *c = &t->columns[id - 1];
    return (struct referred){c->def->name, c->def->type.type, c->collation};
}

static int find_referred(const struct new_table *t, const struct cat_table *other, struct tsql_text name)
{
    if (!other)
        return ddl_find_column(t, name) + 1;
    const struct cat_column *c = catalogue_column(other, name.data, name.len);
    return c ? c->id : 0;
}

static bool same_columns(const int *a, const int *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a) == 0;
}

/* Is there a unique key of just these columns, in this order? */
static bool is_key(const struct new_table *t, const struct new_foreign_key *k)
{
    for (const struct cat_index *x = k->other ? k->other->indexes : NULL; x; x = x->next) {
        if (x->unique && x->count == k->count && same_columns(x->columns, k->other_columns, k->count))
            return true;
    }
    for (size_t i = 0; !k->other && i < t->index_count; i++) {
        const struct new_index *x = &t->indexes[i];
        bool same = x->count == k->count;
        for (size_t j = 0; same && j < k->count; j++)
            same = (int)x->columns[j] + 1 == k->other_columns[j];
        if (same)
            return true;
    }
    return false;
}

/* Without a list the key refers to the primary key. */
static void take_primary_key(const struct new_table *t, struct new_foreign_key *k, size_t *count)
{
    *count = 0;
    if (k->other) {
        const struct cat_index *x = k->other->indexes;
        while (x && x->kind != CAT_PRIMARY_KEY)
            x = x->next;
        for (size_t i = 0; x && i < x->count; i++)
            k->other_columns[(*count)++] = x->columns[i];
    } else if (t->primary >= 0) {
        const struct new_index *x = &t->indexes[t->primary];
        for (size_t i = 0; i < x->count; i++)
            k->other_columns[(*count)++] = (int)x->columns[i] + 1;
    }
}

static bool same_type(const struct referred *a, const struct referred *b)
{
    return a->type.kind == b->type.kind && a->type.precision == b->type.precision && a->type.scale == b->type.scale &&
           a->collation == b->collation;
}

int ddl_plan_foreign_key(struct ddl *d, struct new_table *t, const struct tsql_constraint *tree, size_t place)
{
    struct fault *f = &d->s->fault;
    struct new_foreign_key *k = &t->foreign_keys[t->foreign_key_count];
    if (d->a->database->temporary)
        return fault_set(f, FAULT_UNSUPPORTED, "a FOREIGN KEY of a temporary table");
    const char *name = tree->name.len > 0 ? tree->name.data : "FK";
    const struct tsql_text other = tree->references.name;
    *k = (struct new_foreign_key){.tree = tree};
    if (tree->references.database.len > 0 || tree->references.server.len > 0)
        return fault_set(f, FAULT_UNSUPPORTED, "a foreign key into another database");
    if (!tree->columns)
        k->columns[k->count++] = (int)place + 1;
    for (const struct tsql_word *w = tree->columns; w; w = w->next) {
        int column = ddl_find_column(t, w->text);
        if (column < 0)
            return fault_set(f, 1769, name, w->text.data, t->name.data);
        if (k->count == CATALOGUE_MAX_KEY)
            return fault_set(f, 1904, name, t->name.data, (int)k->count + 1, "foreign key");
        k->columns[k->count++] = column + 1;
    }
    if (!collate_name_equal(other.data, other.len, t->name.data, t->name.len)) {
        k->other = catalogue_table(d->a->catalogue, d->schema, other.data, other.len);
        if (!k->other)
            return fault_set(f, 1767, name, other.data);
    }
    size_t count = 0;
    for (const struct tsql_word *w = tree->references_columns; w && count < CATALOGUE_MAX_KEY; w = w->next) {
        int column = find_referred(t, k->other, w->text);
        if (column == 0)
            return fault_set(f, 1770, name, w->text.data, other.data);
        k->other_columns[count++] = column;
    }
    if (!tree->references_columns) {
        take_primary_key(t, k, &count);
        if (count == 0)
            return fault_set(f, 1773, name, other.data);
    }
    if (count != k->count || !is_key(t, k))
        return fault_set(f, 1776, other.data, name);
    for (size_t i = 0; i < k->count; i++) {
        struct referred from = referred_column(t, NULL, k->columns[i]), to = referred_column(t, k->other, k->other_columns[i]);
        if (!same_type(&from, &to))
            return fault_set(f, 1778, other.data, to.name.data, t->name.data, from.name.data, name);
        bool nulls = tree->on_delete == TSQL_SET_NULL || tree->on_update == TSQL_SET_NULL;
        if (nulls && !t->columns[k->columns[i] - 1].nullable)
            return fault_set(f, 1761, name);
        if (tree->on_delete == TSQL_SET_DEFAULT || tree->on_update == TSQL_SET_DEFAULT)
            return fault_set(f, FAULT_UNSUPPORTED, "SET DEFAULT of a foreign key");
    }
    t->foreign_key_count++;
    return 0;
}

static void write_columns(struct buf *sql, const int *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(sql, "%sc%d", i > 0 ? ", " : "", columns[i]);
}

void ddl_write_foreign_keys(const struct new_table *t, int64_t id, struct buf *sql)
{
    static const char *const actions[] = {
        [TSQL_NO_ACTION] = "NO ACTION", [TSQL_CASCADE] = "CASCADE", [TSQL_SET_NULL] = "SET NULL", [TSQL_SET_DEFAULT] = "SET DEFAULT"};
    for (size_t i = 0; i < t->foreign_key_count; i++) {
        const struct new_foreign_key *k = &t->foreign_keys[i];
        buf_append_text(sql, ", FOREIGN KEY (");
        write_columns(sql, k->columns, k->count);
        buf_printf(sql, ") REFERENCES t%lld (", k->other ? (long long)k->other->id : (long long)id);
        write_columns(sql, k->other_columns, k->count);
        buf_printf(sql, ") ON DELETE %s ON UPDATE %s DEFERRABLE INITIALLY DEFERRED", actions[k->tree->on_delete], actions[k->tree->on_update]);
    }
}

int ddl_record_foreign_keys(struct ddl *d, const struct new_table *t, int64_t id)
{
    for (size_t i = 0; i < t->foreign_key_count; i++) {
        const struct new_foreign_key *k = &t->foreign_keys[i];
        int64_t object, other = k->other ? k->other->id : id;
        char made[160];
        struct tsql_text name, none = {"", 0};
        if (ddl_add_constraint(d, k->tree->name, "FK", t->name, t->columns[k->columns[0] - 1].def->name, id, "F", none, 0, &object, made, &name) < 0)
            return -1;
        if (ddl_run(d, "INSERT INTO $sg_foreign_key (object_id, table_id, other_id, on_delete, on_update) VALUES (?1, ?2, ?3, ?4, ?5)", "iiiii",
                    object, id, other, (int64_t)k->tree->on_delete, (int64_t)k->tree->on_update) != 0)
            return -1;
        for (size_t j = 0; j < k->count; j++) {
            if (ddl_run(d, "INSERT INTO $sg_foreign_key_column (object_id, ordinal, column_id, other_column_id) VALUES (?1, ?2, ?3, ?4)", "iiii",
                        object, (int64_t)j + 1, (int64_t)k->columns[j], (int64_t)k->other_columns[j]) != 0)
                return -1;
        }
    }
    return 0;
}

const struct cat_foreign_key *ddl_find_reference(const struct ddl *d, const struct cat_table *t)
{
    for (const struct cat_table *other = d->a->catalogue->tables; other; other = other->next) {
        for (const struct cat_foreign_key *k = other->foreign_keys; k && other != t; k = k->next) {
            if (k->other == t->id)
                return k;
        }
    }
    return NULL;
}
