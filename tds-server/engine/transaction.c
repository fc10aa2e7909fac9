#include "tds-server/engine/runtime.h"

#include "common/collate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROLLBACKS 100 /* that are interrupted, one behind the other */

enum { ENVCHANGE_BEGIN = 8, ENVCHANGE_COMMIT = 9, ENVCHANGE_ROLLBACK = 10 };

/* Limits of SQLite's parser that T-SQL of a sane size can meet. */
static bool is_too_deep(const char *message)
{
    static const char *const starts[] = {"parser stack overflow", "Expression tree is too large", "too many terms in compound SELECT"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (strncmp(message, starts[i], strlen(starts[i])) == 0)
            return true;
    }
    return false;
}

/* The database that a failure is about: the one that is written to, else the current one. */
static const char *database_at_work(const struct engine_session *s)
{
    for (size_t i = 0; i < s->attached_count; i++) {
        if (s->attached[i].locked)
            return s->attached[i].database->name;
    }
    return s->current ? s->current->name : "";
}

int runtime_sqlite_fault(struct engine_session *s, int rc)
{
    const char *database = database_at_work(s);
    switch (rc & 0xFF) {
    case SQLITE_NOMEM:
        return fault_set(&s->fault, FAULT_MEMORY);
    case SQLITE_FULL:
    case SQLITE_IOERR:
        return fault_set(&s->fault, 1105, database, database);
    case SQLITE_INTERRUPT:
        return fault_set(&s->fault, FAULT_CANCELLED);
    case SQLITE_BUSY:
        return rc == SQLITE_BUSY_SNAPSHOT ? fault_set(&s->fault, 1205, s->spid) : fault_set(&s->fault, 1222);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fault_set(&s->fault, 824, database);
    case SQLITE_TOOBIG:
        return fault_set(&s->fault, 8623);
    default:
        if (is_too_deep(sqlite3_errmsg(s->db)))
            return fault_set(&s->fault, 191);
        /* Derived tables that SQLite has joined into their query. */
        if (strncmp(sqlite3_errmsg(s->db), "at most 64 tables", strlen("at most 64 tables")) == 0)
            return fault_set(&s->fault, 106, 64);
        /* The connection's own message says more, unless another call has replaced it. */
        return fault_set(&s->fault, FAULT_INTERNAL, sqlite3_extended_errcode(s->db) == rc ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
    }
}

static int run(struct engine_session *s, const char *sql)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : runtime_sqlite_fault(s, rc);
}

/* Lets go of the databases that were written to. */
static void release(struct engine_session *s, bool committed)
{
    s->writing = false;
    for (size_t i = 0; i < s->attached_count; i++) {
        struct attachment *a = &s->attached[i];
        if (!a->locked)
            continue;
        if (a->schema_changed && committed) {
            a->schema = ++a->database->schema;
        } else if (a->schema_changed) {
            catalogue_release(a->catalogue);
            a->catalogue = NULL;
        }
        a->schema_changed = false;
        a->locked = false;
        store_unlock(s->engine->store, a->database, &s->writer);
        store_unpin(s->engine->store, a->database);
    }
}

static int tell(struct engine_session *s, int type, uint64_t from, uint64_t to)
{
    return s->sink.transaction ? s->sink.transaction(s->sink.arg, type, from, to) : 0;
}

/* A cancel must not keep what was written: it interrupts SQLite's next step, whichever that is. */
static void undo(struct engine_session *s)
{
    for (int attempt = 0; attempt < MAX_ROLLBACKS && !sqlite3_get_autocommit(s->db); attempt++)
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    release(s, false);
}

void transaction_abandon(struct engine_session *s)
{
    undo(s);
    s->savepoint_count = 0;
    if (s->trancount > 0) {
        uint64_t old = s->transaction;
        s->trancount = 0;
        s->transaction = 0;
        (void)tell(s, ENVCHANGE_ROLLBACK, old, 0);
    }
}

/* ---- the disk ---- */

/* SQLite has committed to `schema`, "d7". */
static int on_commit(void *arg, sqlite3 *db, const char *schema, int frames)
{
    (void)db;
    struct attachment *a = connection_find(arg, atoi(schema + 1));
    if (a)
        a->wal_frames = frames;
    return SQLITE_OK;
}

void transaction_watch(struct engine_session *s)
{
    sqlite3_wal_hook(s->db, on_commit, s);
}

void transaction_note_read(struct engine_session *s)
{
    for (size_t i = 0; i < s->attached_count; i++)
        s->attached[i].seen = commit_newest(&s->attached[i].database->commits);
}

static int settle(struct engine_session *s, struct attachment *a)
{
    uint64_t number = a->seen;
    a->seen = 0;
    if (a->database->temporary)
        return 0; /* nobody waits for it to last */
    if (commit_wait(&a->database->commits, number, s->db, a->database->id) == 0)
        return 0;
    fault_clear(&s->fault);
    return fault_set(&s->fault, 9001, a->database->name);
}

int transaction_settle(struct engine_session *s)
{
    int result = 0;
    for (size_t i = 0; i < s->attached_count; i++) {
        if (settle(s, &s->attached[i]) < 0)
            result = -1;
    }
    return result;
}

/* Remembers what was committed just now, and moves a WAL that has become long into its database. No other session can
 * write meanwhile, so that the next one may begin the WAL anew. */
static void note_commits(struct engine_session *s)
{
    for (size_t i = 0; i < s->attached_count; i++) {
        struct attachment *a = &s->attached[i];
        char schema[16];
        if (a->wal_frames == 0)
            continue;
        a->seen = commit_newest(&a->database->commits);
        /* The own sync first: SQLite's, at the checkpoint, could fail without a word. A failed checkpoint is tried again. */
        snprintf(schema, sizeof schema, "d%d", a->database->id);
        if (a->wal_frames >= RUNTIME_CHECKPOINT_FRAMES && settle(s, a) == 0)
            (void)sqlite3_wal_checkpoint_v2(s->db, schema, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        a->wal_frames = 0;
    }
}

/* Makes what the open transaction wrote permanent. */
static int commit(struct engine_session *s)
{
    if (!s->writing)
        return 0;
    bool durable = store_durable(s->engine->store);
    for (size_t i = 0; i < s->attached_count && durable; i++) {
        if (s->attached[i].locked && !s->attached[i].database->temporary)
            commit_announce(&s->attached[i].database->commits);
    }
    int rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    for (size_t i = 0; i < s->attached_count && durable; i++) {
        if (s->attached[i].locked && !s->attached[i].database->temporary)
            commit_written(&s->attached[i].database->commits);
    }
    if (rc == SQLITE_OK) {
        note_commits(s);
        release(s, true);
        return s->fault.number == 0 ? transaction_settle(s) : -1;
    }
    (void)runtime_sqlite_fault(s, rc);
    undo(s);
    return -1;
}

/* Takes SQLite's own lock before the transaction reads anything here. A connection that opens the file or meets a header
 * being changed holds it for a moment: SQLite waits for that, but not once the transaction has read. */
static int lock_file(struct engine_session *s, struct attachment *a)
{
    char sql[64];
    snprintf(sql, sizeof sql, "DELETE FROM d%d.sg_object WHERE 0", a->database->id);
    int rc = a->lock ? SQLITE_OK : sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &a->lock, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_step(a->lock);
        rc = sqlite3_reset(a->lock);
    }
    return rc == SQLITE_OK ? 0 : runtime_sqlite_fault(s, rc);
}

int transaction_hold(struct engine_session *s, struct attachment *a)
{
    struct store *store = s->engine->store;
    if (commit_has_failed(&a->database->commits))
        return fault_set(&s->fault, 9001, a->database->name);
    bool first = !a->locked;
    if (first) {
        if (!store_pin_again(store, a->database))
            return fault_set(&s->fault, 911, a->database->name);
        if (store_lock(store, a->database, &s->writer, s->options.lock_timeout_ms, &s->fault) < 0) {
            store_unpin(store, a->database);
            return -1;
        }
        a->locked = true;
    }
    if (!s->writing) {
        s->writing = true;
        if (run(s, "BEGIN") < 0) {
            undo(s);
            return -1;
        }
    }
    if (!first || lock_file(s, a) == 0)
        return 0;
    if (s->trancount == 0)
        undo(s);
    return -1;
}

int transaction_begin_write(struct engine_session *s, struct attachment *a)
{
    if (s->trancount == 0 && s->options.implicit_transactions && transaction_begin(s, "", 0) < 0)
        return -1;
    if (transaction_hold(s, a) < 0)
        return -1;
    return s->trancount > 0 ? run(s, "SAVEPOINT sg_statement") : 0;
}

int transaction_end_write(struct engine_session *s, bool keep)
{
    if (sqlite3_get_autocommit(s->db)) {
        /* SQLite has rolled the whole transaction back by itself: a full disk, or no memory. */
        transaction_abandon(s);
        return -1;
    }
    if (s->trancount > 0)
        return run(s, keep ? "RELEASE sg_statement" : "ROLLBACK TO sg_statement; RELEASE sg_statement");
    if (keep)
        return commit(s);
    undo(s);
    return 0;
}

/* ---- BEGIN, COMMIT, ROLLBACK, SAVE ---- */

/* Keeps a name; SQL Server looks at its first 32 characters. */
static int keep_name(struct engine_session *s, char kept[RUNTIME_MAX_NAME], const char *name, size_t len)
{
    if (len >= RUNTIME_MAX_NAME)
        return fault_set(&s->fault, 103, name);
    if (len > 0)
        memcpy(kept, name, len);
    kept[len] = '\0';
    return 0;
}

int transaction_begin(struct engine_session *s, const char *name, size_t len)
{
    if (s->trancount == 0 && keep_name(s, s->transaction_name, name, len) < 0)
        return -1;
    if (++s->trancount > 1)
        return 0;
    s->transaction = ++s->engine->next_transaction;
    return tell(s, ENVCHANGE_BEGIN, 0, s->transaction);
}

int transaction_commit(struct engine_session *s)
{
    if (s->trancount == 0)
        return fault_set(&s->fault, 3902);
    if (s->trancount > 1) {
        s->trancount--;
        return 0;
    }
    uint64_t old = s->transaction;
    int result = commit(s);
    s->trancount = 0;
    s->transaction = 0;
    s->savepoint_count = 0;
    if (tell(s, result == 0 ? ENVCHANGE_COMMIT : ENVCHANGE_ROLLBACK, old, 0) != 0)
        return -1;
    return result;
}

/* The newest savepoint of this name; -1: none. */
static int find_savepoint(const struct engine_session *s, const char *name, size_t len)
{
    for (size_t i = s->savepoint_count; i-- > 0;) {
        if (collate_name_equal(s->savepoints[i].name, strlen(s->savepoints[i].name), name, len))
            return (int)i;
    }
    return -1;
}

/* What of the schema the transaction had changed may be undone now. */
static int reload_changed(struct engine_session *s)
{
    for (size_t i = 0; i < s->attached_count; i++) {
        if (s->attached[i].schema_changed && connection_reload(s, &s->attached[i]) < 0)
            return -1;
    }
    return 0;
}

int transaction_rollback(struct engine_session *s, const char *name, size_t len)
{
    if (s->trancount == 0)
        return fault_set(&s->fault, 3903);
    int savepoint = len > 0 ? find_savepoint(s, name, len) : -1;
    if (savepoint >= 0) {
        char sql[64];
        snprintf(sql, sizeof sql, "ROLLBACK TO sg_save_%d", savepoint);
        s->savepoint_count = (size_t)savepoint + 1;
        return run(s, sql) < 0 ? -1 : reload_changed(s);
    }
    if (len > 0 && !collate_name_equal(s->transaction_name, strlen(s->transaction_name), name, len))
        return fault_set(&s->fault, 6401, name);
    transaction_abandon(s);
    return 0;
}

int transaction_save(struct engine_session *s, const char *name, size_t len)
{
    if (s->trancount == 0)
        return fault_set(&s->fault, 628);
    size_t i = s->savepoint_count;
    if (i == RUNTIME_MAX_SAVEPOINTS)
        return fault_set(&s->fault, FAULT_UNSUPPORTED, "more than 64 savepoints");
    if (keep_name(s, s->savepoints[i].name, name, len) < 0)
        return -1;
    if (!s->writing) {
        s->writing = true;
        if (run(s, "BEGIN") < 0) {
            undo(s);
            return -1;
        }
    }
    char sql[64];
    snprintf(sql, sizeof sql, "SAVEPOINT sg_save_%zu", i);
    if (run(s, sql) < 0)
        return -1;
    s->savepoint_count++;
    return 0;
}
