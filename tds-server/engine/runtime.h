/* What a session of the engine consists of: its SQLite connection, the databases attached to it, its transaction and its
 * options. Inside the engine only; the wire sees engine.h.
 *
 *     engine 1:1 store
 *     engine 1:n session 1:1 SQLite connection 1:n attachment (database, its catalogue)
 *                session 1:n batch (cached text, prepared handle) 1:n plan (one statement, compiled)
 */
#ifndef SHARDGATE_TDS_RUNTIME_H
#define SHARDGATE_TDS_RUNTIME_H

#include "tds-server/engine/catalogue.h"
#include "tds-server/engine/engine.h"
#include "tds-server/values/fault.h"
#include "tds-server/engine/functions.h"
#include "tds-server/engine/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNTIME_MAX_ATTACHED 8   /* SQLite allows 10 */
#define RUNTIME_MAX_SAVEPOINTS 64
#define RUNTIME_MAX_NAME 129     /* bytes of a transaction's or savepoint's name, the NUL included */
#define RUNTIME_FIRST_SPID 51
#define RUNTIME_MAX_SESSIONS 32700 /* ids are SMALLINT */
#define RUNTIME_MAX_ABOUT (3 * ENGINE_MAX_NAME + 1) /* bytes of what a client says of itself, the NUL included */
#define RUNTIME_CHECKPOINT_FRAMES 1000 /* of a WAL, before it is moved into the database */

/* A database on a session's connection. */
struct attachment {
    struct store_database *database;
    struct catalogue *catalogue; /* NULL until it is needed */
    unsigned schema;             /* the store's number when the catalogue was loaded */
    uint64_t version;            /* of the loaded catalogue, by the session's clock: plans are good for one version */
    bool schema_changed;         /* by the open transaction */
    bool locked;                 /* the open transaction may write here; the database is pinned then */
    uint64_t used;               /* by the session's clock: the least recent is detached first */
    unsigned pins;               /* statements under way that use it */
    sqlite3_stmt *lock;          /* takes SQLite's lock on the file; NULL until it is needed */
    uint64_t seen;               /* the newest commit that the session knows of, until it is on the disk; 0: all are */
    int wal_frames;              /* in the WAL after the open transaction's commit; 0: it wrote nothing here */
};

struct engine {
    struct store *store;
    pthread_mutex_t sessions_lock;
    struct engine_session *sessions; /* in the order of their ids; see sessions.h */
    atomic_ullong next_transaction;
};

struct session_options {
    bool xact_abort, nocount, quoted_identifier, implicit_transactions;
    int64_t row_limit; /* SET ROWCOUNT; 0: none */
    bool fmtonly; /* nothing runs: a query tells its columns alone */
    int lock_timeout_ms; /* -1: for ever */
    int datefirst;
    enum engine_isolation isolation;
};

/* Who the client is. Read by other sessions under the engine's lock. */
struct session_about {
    char login[RUNTIME_MAX_ABOUT], host[RUNTIME_MAX_ABOUT], application[RUNTIME_MAX_ABOUT], interface[RUNTIME_MAX_ABOUT];
    char address[64];
    uint32_t protocol;
    int packet_size;
    bool encrypted;
    int64_t login_ms; /* since 1970 */
};

/* What others may see of a session at work. */
struct session_shown {
    atomic_bool running;
    _Atomic int64_t request_ms; /* when the newest request began, since 1970; 0: none did */
    atomic_int database, transactions, isolation;
};

struct batch;

struct engine_session {
    struct engine *engine;
    struct engine_session *next; /* in the engine's list */
    struct engine_sink sink;
    int spid;
    struct session_about about;
    struct session_shown shown;
    sqlite3 *db;
    struct functions functions;
    struct fault fault;
    struct store_writer writer;
    struct store_database *current; /* pinned */
    char home[RUNTIME_MAX_ABOUT];   /* the database of the login */

    struct attachment attached[RUNTIME_MAX_ATTACHED + 1]; /* tempdb comes on top */
    size_t attached_count;
    struct store_database *temporary; /* tempdb, which is attached then; NULL until it is named */
    unsigned drops; /* the store's number when dropped databases were last let go */
    uint64_t clock;

    /* The transaction: @@TRANCOUNT, and SQLite's own, which begins with the first write. */
    unsigned trancount;
    uint64_t transaction; /* its descriptor */
    char transaction_name[RUNTIME_MAX_NAME];
    bool writing;         /* SQLite's transaction is open */
    struct {
        char name[RUNTIME_MAX_NAME];
    } savepoints[RUNTIME_MAX_SAVEPOINTS];
    size_t savepoint_count;

    struct session_options options;
    int64_t rowcount; /* @@ROWCOUNT */
    int error;        /* @@ERROR */
    bool has_identity;
    int64_t identity; /* SCOPE_IDENTITY() */
    int identity_insert; /* object id of the table with IDENTITY_INSERT ON, 0: none */
    int identity_insert_database;

    struct buf output; /* bytes of output parameters, until the next request */

    int nesting; /* procedures under way */

    struct batch *cached; /* the most recent first */
    size_t cached_count;
    struct batch *prepared;
    int32_t next_handle;
};

/* ---- databases on the connection (connection.c) ---- */

/* The database of this name (length 0: the current one), attached, its catalogue loaded and up to date. -1: 911. */
int connection_use(struct engine_session *s, const char *name, size_t len, struct attachment **out) __attribute__((warn_unused_result));
/* The attachment of a database by its number; NULL: it is not attached. */
struct attachment *connection_find(struct engine_session *s, int id);
/* The attachment of a database that a plan refers to by number; NULL when it is gone or its catalogue is not the one of
 * `version` any more. */
struct attachment *connection_reuse(struct engine_session *s, int id, uint64_t version);
/* Loads the catalogue anew after a change of the schema in this transaction. */
int connection_reload(struct engine_session *s, struct attachment *a) __attribute__((warn_unused_result));
/* Drops the session's temporary tables; only outside of a transaction. */
void connection_forget_temporary(struct engine_session *s);
void connection_close(struct engine_session *s);

/* ---- transactions (transaction.c) ---- */

/* Keeps others from writing to `a` until the transaction ends, and opens SQLite's transaction: what a statement reads stays
 * as it is. -1: 1222, 1205, 911, cancelled. */
int transaction_hold(struct engine_session *s, struct attachment *a) __attribute__((warn_unused_result));
/* Starts a statement that writes to `a`: takes the writer's lock and opens SQLite's transaction and the statement's
 * savepoint. -1: 1222, 1205, cancelled. */
int transaction_begin_write(struct engine_session *s, struct attachment *a) __attribute__((warn_unused_result));
/* Ends it: keeps or undoes what the statement did; commits outside an explicit transaction. */
int transaction_end_write(struct engine_session *s, bool keep) __attribute__((warn_unused_result));

/* `name` may be empty. */
int transaction_begin(struct engine_session *s, const char *name, size_t len) __attribute__((warn_unused_result));
int transaction_commit(struct engine_session *s) __attribute__((warn_unused_result));
/* `name` empty, of the transaction or of a savepoint. */
int transaction_rollback(struct engine_session *s, const char *name, size_t len) __attribute__((warn_unused_result));
int transaction_save(struct engine_session *s, const char *name, size_t len) __attribute__((warn_unused_result));
/* Rolls back whatever is open, without a word to the sink but the ENVCHANGE. */
void transaction_abandon(struct engine_session *s);

/* Makes the session learn how long its WALs become. */
void transaction_watch(struct engine_session *s);
/* Marks that the session has read what its databases hold now. */
void transaction_note_read(struct engine_session *s);
/* Waits until all that the session knows of is on the disk: before its client is told. -1: 9001, in place of any fault
 * that there was. */
int transaction_settle(struct engine_session *s) __attribute__((warn_unused_result));

/* Makes SQLite's result the session's fault (unless a function has left one). Returns -1. */
int runtime_sqlite_fault(struct engine_session *s, int rc);

#endif
