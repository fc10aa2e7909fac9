#include "tds-server/engine/runtime.h"

#include "common/collate.h"

#include <stdio.h>
#include <string.h>

static void detach(struct engine_session *s, size_t i)
{
    struct attachment *a = &s->attached[i];
    char sql[64];
    sqlite3_finalize(a->lock);
    snprintf(sql, sizeof sql, "DETACH d%d", a->database->id);
    sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    catalogue_release(a->catalogue);
    s->attached[i] = s->attached[--s->attached_count];
}

/* Lets the files of dropped databases go. Only outside of a transaction, where none of them can be in use. */
static void detach_dropped(struct engine_session *s)
{
    unsigned drops = store_drops(s->engine->store);
    if (drops == s->drops || s->writing)
        return;
    s->drops = drops;
    for (size_t i = s->attached_count; i-- > 0;) {
        if (s->attached[i].database->dropped && s->attached[i].pins == 0)
            detach(s, i);
    }
}

/* Makes room for one more; the attachment used least recently goes. */
static int make_room(struct engine_session *s)
{
    if (s->attached_count < RUNTIME_MAX_ATTACHED + (s->temporary != NULL))
        return 0;
    size_t oldest = s->attached_count;
    for (size_t i = 0; i < s->attached_count; i++) {
        if (!s->attached[i].locked && s->attached[i].pins == 0 && !s->attached[i].database->temporary &&
            (oldest == s->attached_count || s->attached[i].used < s->attached[oldest].used))
            oldest = i;
    }
    if (oldest == s->attached_count || s->writing)
        return fault_set(&s->fault, FAULT_UNSUPPORTED, "a transaction over more than eight databases");
    detach(s, oldest);
    return 0;
}

static int load(struct engine_session *s, struct attachment *a, unsigned schema)
{
    struct catalogue *c;
    int rc = catalogue_load(s->db, a->database->id, &c);
    if (rc != SQLITE_OK)
        return runtime_sqlite_fault(s, rc);
    catalogue_release(a->catalogue);
    a->catalogue = c;
    a->schema = schema;
    a->version = ++s->clock;
    return 0;
}

int connection_reload(struct engine_session *s, struct attachment *a)
{
    return load(s, a, a->schema);
}

/* Is what we know of the schema what the next statement will see? What this session's own transaction changed was loaded
 * then, and nobody else can change the schema while it holds the writer's lock. */
static bool is_current(const struct attachment *a)
{
    return a->catalogue && a->schema == a->database->schema;
}

/* ---- tempdb ---- */

static bool has_catalogue(struct engine_session *s)
{
    return sqlite3_table_column_metadata(s->db, "d2", "sg_object", NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

/* The session's tempdb, made when it is first named. A rollback takes back what the transaction made of it, its own tables
 * included. */
static int use_temporary(struct engine_session *s, struct attachment **out)
{
    struct attachment *a = NULL;
    for (size_t i = 0; s->temporary && i < s->attached_count; i++) {
        if (s->attached[i].database == s->temporary)
            a = &s->attached[i];
    }
    if (!a) {
        struct store_database *d = store_make_temporary(s->engine->store);
        int rc = d ? store_attach(s->engine->store, s->db, d) : SQLITE_NOMEM;
        if (rc != SQLITE_OK) {
            store_free_temporary(d);
            return runtime_sqlite_fault(s, rc);
        }
        s->temporary = d;
        a = &s->attached[s->attached_count++];
        *a = (struct attachment){.database = d};
    }
    if (!has_catalogue(s)) {
        int rc = sqlite3_exec(s->db, "SAVEPOINT sg_tempdb", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            rc = catalogue_initialise_in(s->db, "d2");
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(s->db, "RELEASE sg_tempdb", NULL, NULL, NULL);
        else
            (void)sqlite3_exec(s->db, "ROLLBACK TO sg_tempdb; RELEASE sg_tempdb", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return runtime_sqlite_fault(s, rc);
        catalogue_release(a->catalogue);
        a->catalogue = NULL;
    }
    a->used = ++s->clock;
    *out = a;
    return is_current(a) ? 0 : load(s, a, a->database->schema);
}

void connection_forget_temporary(struct engine_session *s)
{
    for (size_t i = 0; s->temporary && i < s->attached_count; i++) {
        if (s->attached[i].database != s->temporary)
            continue;
        detach(s, i);
        store_free_temporary(s->temporary);
        s->temporary = NULL;
    }
}

/* ---- any ---- */

int connection_use(struct engine_session *s, const char *name, size_t len, struct attachment **out)
{
    detach_dropped(s);
    struct store_database *d = s->current;
    if (collate_name_equal(STORE_TEMPDB_NAME, strlen(STORE_TEMPDB_NAME), name, len))
        return use_temporary(s, out);
    if (len > 0)
        d = store_pin(s->engine->store, name, len);
    if (!d)
        return fault_set(&s->fault, 911, name);
    int result = 0;
    struct attachment *a = NULL;
    for (size_t i = 0; i < s->attached_count && !a; i++) {
        if (s->attached[i].database == d)
            a = &s->attached[i];
    }
    if (!a) {
        if (make_room(s) < 0) {
            result = -1;
            goto out;
        }
        int rc = store_attach(s->engine->store, s->db, d);
        if (rc != SQLITE_OK) {
            result = runtime_sqlite_fault(s, rc);
            goto out;
        }
        a = &s->attached[s->attached_count++];
        *a = (struct attachment){.database = d};
        /* In a transaction it cannot be set: SQLite syncs each commit then, as it does by default. */
        if (store_durable(s->engine->store) && sqlite3_get_autocommit(s->db) && commit_prepare(s->db, d->id) != SQLITE_OK)
            result = fault_set(&s->fault, FAULT_MEMORY);
    }
    a->used = ++s->clock;
    if (result == 0 && !is_current(a))
        result = load(s, a, d->schema);
    a->seen = commit_newest(&d->commits);
    *out = a;

out:
    if (len > 0)
        store_unpin(s->engine->store, d);
    return result;
}

struct attachment *connection_find(struct engine_session *s, int id)
{
    for (size_t i = 0; i < s->attached_count; i++) {
        if (s->attached[i].database->id == id)
            return &s->attached[i];
    }
    return NULL;
}

struct attachment *connection_reuse(struct engine_session *s, int id, uint64_t version)
{
    for (size_t i = 0; i < s->attached_count; i++) {
        struct attachment *a = &s->attached[i];
        if (a->database->id == id && !a->database->dropped && a->version == version && is_current(a)) {
            a->used = ++s->clock;
            return a;
        }
    }
    return NULL;
}

void connection_close(struct engine_session *s)
{
    for (size_t i = 0; i < s->attached_count; i++) {
        sqlite3_finalize(s->attached[i].lock);
        catalogue_release(s->attached[i].catalogue);
    }
    s->attached_count = 0;
    sqlite3_close_v2(s->db);
    s->db = NULL;
    store_free_temporary(s->temporary);
    s->temporary = NULL;
}
