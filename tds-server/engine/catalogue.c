#include "tds-server/engine/catalogue.h"

#include "common/collate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int catalogue_initialise_in(sqlite3 *db, const char *schema)
{
    static const char sql[] =
        "CREATE TABLE $sg_schema (schema_id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
        "INSERT INTO $sg_schema VALUES (1, 'dbo');"
        /* type as in sys.objects: U, PK, UQ, C, D, F */
        "CREATE TABLE $sg_object (object_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, schema_id INT NOT NULL,"
        " parent_id INT NOT NULL, type TEXT NOT NULL, definition TEXT, column_id INT, system_named INT NOT NULL DEFAULT 0,"
        " create_date TEXT NOT NULL, modify_date TEXT NOT NULL);"
        "INSERT INTO $sqlite_sequence VALUES ('sg_object', 1000);"
        "CREATE TABLE $sg_column (object_id INT NOT NULL, column_id INT NOT NULL, position INT NOT NULL, name TEXT NOT NULL,"
        " kind INT NOT NULL, length INT NOT NULL, precision INT NOT NULL, scale INT NOT NULL, collation INT NOT NULL,"
        " collation_name TEXT, nullable INT NOT NULL, identity INT NOT NULL DEFAULT 0, seed INT, increment INT, last INT,"
        " default_sql TEXT, PRIMARY KEY (object_id, column_id)) WITHOUT ROWID;"
        "CREATE TABLE $sg_index (object_id INT NOT NULL, index_id INT NOT NULL, name TEXT NOT NULL, kind INT NOT NULL,"
        " is_unique INT NOT NULL, is_rowid INT NOT NULL, clustered INT NOT NULL, filter TEXT,"
        " PRIMARY KEY (object_id, index_id)) WITHOUT ROWID;"
        "CREATE TABLE $sg_index_column (object_id INT NOT NULL, index_id INT NOT NULL, ordinal INT NOT NULL, column_id INT NOT NULL,"
        " descending INT NOT NULL, included INT NOT NULL DEFAULT 0, PRIMARY KEY (object_id, index_id, ordinal)) WITHOUT ROWID;"
        "CREATE TABLE $sg_foreign_key (object_id INT NOT NULL PRIMARY KEY, table_id INT NOT NULL, other_id INT NOT NULL,"
        " on_delete INT NOT NULL, on_update INT NOT NULL);"
        "CREATE TABLE $sg_foreign_key_column (object_id INT NOT NULL, ordinal INT NOT NULL, column_id INT NOT NULL,"
        " other_column_id INT NOT NULL, PRIMARY KEY (object_id, ordinal)) WITHOUT ROWID;";
    struct buf text;
    buf_init(&text, sizeof sql * 2);
    for (const char *p = sql; *p != '\0'; p++) {
        if (*p == '$')
            buf_printf(&text, "%s.", schema);
        else
            buf_append_char(&text, *p);
    }
    int rc = buf_status(&text) == 0 ? sqlite3_exec(db, buf_text(&text), NULL, NULL, NULL) : SQLITE_NOMEM;
    buf_clear(&text);
    return rc;
}

int catalogue_initialise(sqlite3 *db)
{
    return catalogue_initialise_in(db, "main");
}

/* ---- loading ---- */

struct loader {
    sqlite3 *db;
    int id;
    struct catalogue *c;
    sqlite3_stmt *stmt;
    int rc;
};

/* Prepares "SELECT … FROM d<id>.<rest>". */
static void open_table(struct loader *l, const char *columns, const char *rest)
{
    if (l->rc != SQLITE_OK)
        return;
    char sql[512];
    snprintf(sql, sizeof sql, "SELECT %s FROM d%d.%s", columns, l->id, rest);
    l->rc = sqlite3_prepare_v2(l->db, sql, -1, &l->stmt, NULL);
}

static bool next_row(struct loader *l)
{
    if (l->rc != SQLITE_OK)
        return false;
    int rc = sqlite3_step(l->stmt);
    if (rc == SQLITE_ROW)
        return true;
    l->rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    return false;
}

static void close_table(struct loader *l)
{
    sqlite3_finalize(l->stmt);
    l->stmt = NULL;
}

static int column_int(struct loader *l, int i)
{
    return sqlite3_column_int(l->stmt, i);
}

static struct tsql_text column_text(struct loader *l, int i)
{
    const char *text = (const char *)sqlite3_column_text(l->stmt, i);
    struct tsql_text out = {"", 0};
    if (text) {
        out.len = (size_t)sqlite3_column_bytes(l->stmt, i);
        out.data = arena_copy(&l->c->arena, text, out.len);
        if (!out.data) {
            l->rc = SQLITE_NOMEM;
            out = (struct tsql_text){"", 0};
        }
    }
    return out;
}

static void *make(struct loader *l, size_t size)
{
    void *p = arena_alloc(&l->c->arena, size);
    if (!p)
        l->rc = SQLITE_NOMEM;
    return p;
}

static void load_schemas(struct loader *l)
{
    open_table(l, "schema_id, name", "sg_schema");
    while (next_row(l)) {
        struct cat_schema *s = make(l, sizeof *s);
        if (!s)
            break;
        s->id = column_int(l, 0);
        s->name = column_text(l, 1);
        s->next = l->c->schemas;
        l->c->schemas = s;
    }
    close_table(l);
}

static void load_tables(struct loader *l)
{
    char columns[160];
    snprintf(columns, sizeof columns, "object_id, schema_id, name, (SELECT count(*) FROM d%d.sg_column c WHERE c.object_id = o.object_id)", l->id);
    open_table(l, columns, "sg_object o WHERE type = 'U' ORDER BY object_id DESC");
    while (next_row(l)) {
        struct cat_table *t = make(l, sizeof *t);
        if (!t)
            break;
        t->id = column_int(l, 0);
        t->schema = column_int(l, 1);
        t->name = column_text(l, 2);
        t->columns = make(l, (size_t)column_int(l, 3) * sizeof *t->columns);
        t->next = l->c->tables;
        l->c->tables = t;
    }
    close_table(l);
}

static void load_columns(struct loader *l)
{
    open_table(l,
               "object_id, column_id, name, kind, length, precision, scale, collation, collation_name, nullable, identity, seed, "
               "increment, default_sql",
               "sg_column ORDER BY object_id, position");
    struct cat_table *t = NULL;
    while (next_row(l)) {
        int id = column_int(l, 0);
        if (!t || t->id != id)
            t = catalogue_table_by_id(l->c, id);
        if (!t || !t->columns)
            continue;
        struct cat_column *c = &t->columns[t->column_count++];
        c->id = column_int(l, 1);
        c->name = column_text(l, 2);
        c->type = (struct sqltype){.kind = (enum sqltype_kind)column_int(l, 3), .length = column_int(l, 4),
                                   .precision = column_int(l, 5), .scale = column_int(l, 6)};
        c->collation = (enum collation)column_int(l, 7);
        c->collation_name = column_text(l, 8);
        c->nullable = column_int(l, 9) != 0;
        c->identity = column_int(l, 10) != 0;
        c->identity_seed = sqlite3_column_int64(l->stmt, 11);
        c->identity_increment = sqlite3_column_int64(l->stmt, 12);
        c->default_sql = column_text(l, 13);
    }
    close_table(l);
}

static void load_indexes(struct loader *l)
{
    open_table(l, "object_id, index_id, name, kind, is_unique, is_rowid", "sg_index ORDER BY object_id, kind DESC, index_id DESC");
    while (next_row(l)) {
        struct cat_table *t = catalogue_table_by_id(l->c, column_int(l, 0));
        struct cat_index *x = t ? make(l, sizeof *x) : NULL;
        if (!x)
            continue;
        x->id = column_int(l, 1);
        x->name = column_text(l, 2);
        x->kind = (enum cat_index_kind)column_int(l, 3);
        x->unique = column_int(l, 4) != 0;
        x->is_rowid = column_int(l, 5) != 0;
        x->next = t->indexes;
        t->indexes = x;
    }
    close_table(l);
    open_table(l, "object_id, index_id, column_id, descending", "sg_index_column WHERE included = 0 ORDER BY object_id, index_id, ordinal");
    while (next_row(l)) {
        struct cat_table *t = catalogue_table_by_id(l->c, column_int(l, 0));
        for (struct cat_index *x = t ? t->indexes : NULL; x; x = x->next) {
            if (x->id != column_int(l, 1) || x->count == CATALOGUE_MAX_KEY)
                continue;
            x->columns[x->count] = column_int(l, 2);
            x->descending[x->count++] = column_int(l, 3) != 0;
        }
    }
    close_table(l);
}

static void load_checks(struct loader *l)
{
    open_table(l, "parent_id, object_id, name, definition, column_id, type", "sg_object WHERE type IN ('C', 'D') ORDER BY object_id DESC");
    while (next_row(l)) {
        struct cat_table *t = catalogue_table_by_id(l->c, column_int(l, 0));
        struct cat_check *k = t ? make(l, sizeof *k) : NULL;
        if (!k)
            continue;
        k->id = column_int(l, 1);
        k->name = column_text(l, 2);
        k->sql = column_text(l, 3);
        k->column = column_int(l, 4);
        k->is_default = sqlite3_column_text(l->stmt, 5)[0] == 'D';
        k->next = t->checks;
        t->checks = k;
    }
    close_table(l);
}

static void load_foreign_keys(struct loader *l)
{
    char columns[192];
    snprintf(columns, sizeof columns, "object_id, (SELECT name FROM d%d.sg_object o WHERE o.object_id = k.object_id), table_id, other_id, "
             "on_delete, on_update", l->id);
    open_table(l, columns, "sg_foreign_key k ORDER BY object_id DESC");
    while (next_row(l)) {
        struct cat_table *t = catalogue_table_by_id(l->c, column_int(l, 2));
        struct cat_foreign_key *k = t ? make(l, sizeof *k) : NULL;
        if (!k)
            continue;
        k->id = column_int(l, 0);
        k->name = column_text(l, 1);
        k->table = column_int(l, 2);
        k->other = column_int(l, 3);
        k->on_delete = (enum tsql_action)column_int(l, 4);
        k->on_update = (enum tsql_action)column_int(l, 5);
        k->next = t->foreign_keys;
        t->foreign_keys = k;
    }
    close_table(l);
    open_table(l, "object_id, column_id, other_column_id", "sg_foreign_key_column ORDER BY object_id, ordinal");
    while (next_row(l)) {
        for (struct cat_table *t = l->c->tables; t; t = t->next) {
            for (struct cat_foreign_key *k = t->foreign_keys; k; k = k->next) {
                if (k->id != column_int(l, 0) || k->count == CATALOGUE_MAX_KEY)
                    continue;
                k->columns[k->count] = column_int(l, 1);
                k->other_columns[k->count++] = column_int(l, 2);
            }
        }
    }
    close_table(l);
}

int catalogue_load(sqlite3 *db, int id, struct catalogue **out)
{
    struct catalogue *c = calloc(1, sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    arena_init(&c->arena, CATALOGUE_MAX_MEMORY);
    c->references = 1;
    struct loader l = {.db = db, .id = id, .c = c};
    /* One snapshot for all of it: a table that is being made shows whole or not at all. */
    const bool alone = sqlite3_get_autocommit(db);
    if (alone)
        l.rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    load_schemas(&l);
    load_tables(&l);
    load_columns(&l);
    load_indexes(&l);
    load_checks(&l);
    load_foreign_keys(&l);
    if (alone && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "END", NULL, NULL, NULL); /* nothing was written: it cannot fail */
    if (l.rc == SQLITE_OK)
        *out = c;
    else
        catalogue_release(c);
    return l.rc;
}

void catalogue_hold(struct catalogue *c)
{
    c->references++;
}

void catalogue_release(struct catalogue *c)
{
    if (!c || --c->references > 0)
        return;
    arena_clear(&c->arena);
    free(c);
}

/* ---- looking up ---- */

static bool equal(struct tsql_text a, const char *name, size_t len)
{
    return collate_name_equal(a.data, a.len, name, len);
}

struct cat_schema *catalogue_schema(const struct catalogue *c, const char *name, size_t len)
{
    for (struct cat_schema *s = c->schemas; s; s = s->next) {
        if (equal(s->name, name, len))
            return s;
    }
    return NULL;
}

const struct cat_schema *catalogue_schema_by_id(const struct catalogue *c, int id)
{
    for (const struct cat_schema *s = c->schemas; s; s = s->next) {
        if (s->id == id)
            return s;
    }
    return NULL;
}

struct cat_table *catalogue_table(const struct catalogue *c, int schema, const char *name, size_t len)
{
    for (struct cat_table *t = c->tables; t; t = t->next) {
        if (t->schema == schema && equal(t->name, name, len))
            return t;
    }
    return NULL;
}

struct cat_table *catalogue_table_by_id(const struct catalogue *c, int id)
{
    for (struct cat_table *t = c->tables; t; t = t->next) {
        if (t->id == id)
            return t;
    }
    return NULL;
}

const struct cat_column *catalogue_column(const struct cat_table *t, const char *name, size_t len)
{
    for (size_t i = 0; i < t->column_count; i++) {
        if (equal(t->columns[i].name, name, len))
            return &t->columns[i];
    }
    return NULL;
}

const struct cat_column *catalogue_column_by_id(const struct cat_table *t, int id)
{
    for (size_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].id == id)
            return &t->columns[i];
    }
    return NULL;
}

bool catalogue_has_object(const struct catalogue *c, int schema, const char *name, size_t len)
{
    for (const struct cat_table *t = c->tables; t; t = t->next) {
        if (t->schema != schema)
            continue;
        if (equal(t->name, name, len))
            return true;
        for (const struct cat_index *x = t->indexes; x; x = x->next) {
            if (x->kind != CAT_INDEX && equal(x->name, name, len))
                return true;
        }
        for (const struct cat_check *k = t->checks; k; k = k->next) {
            if (equal(k->name, name, len))
                return true;
        }
        for (const struct cat_foreign_key *k = t->foreign_keys; k; k = k->next) {
            if (equal(k->name, name, len))
                return true;
        }
    }
    return false;
}
