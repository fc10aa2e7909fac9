/* The folder of databases: one SQLite file each, a registry of them in memory, and who writes where.
 *
 *     <folder>/lock                  held while a server runs on the folder
 *     <folder>/master-1.db           the list of databases (sg_database), and what users keep in master
 *     <folder>/SchoolDBGO-7.db       a database: its name as far as a file name allows, and its number
 *
 * A row in sg_database is what makes a database exist: a file without a row is what a crash left of CREATE or DROP
 * DATABASE, and is removed at the next start. Numbers are never used twice, so that a session that still has a dropped
 * database's file open cannot touch the new one of its name.
 *
 * Knows nothing about T-SQL or catalogues. Safe from any thread.
 */
#ifndef SHARDGATE_TDS_STORE_H
#define SHARDGATE_TDS_STORE_H

#include "common/buf.h"
#include "tds-server/engine/cell.h"
#include "tds-server/engine/commit.h"
#include "tds-server/values/fault.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_MASTER 1                /* master's number */
#define STORE_TEMPDB 2                /* the number of a session's own tempdb */
#define STORE_TEMPDB_NAME "tempdb"
#define STORE_MAX_TEMPDB_PAGES 1048576 /* of 4 KiB: 4 GiB a session */
#define STORE_MAX_DATABASES 4096
#define STORE_MAX_NAME 512            /* bytes of a database's name */

struct store;

/* Who waits and writes: one a session, embedded in it. */
struct store_writer {
    int spid;
    atomic_bool cancelled;           /* set by store_cancel */
    struct store_database *waits_for; /* guarded by the store's mutex */
};

/* One database. What is not marked otherwise never changes. Lives as long as the store, also when dropped. */
struct store_database {
    struct store_database *next;
    int id;
    char *name;
    char *path;
    atomic_uint schema;            /* changes with every committed change of the schema */
    atomic_bool dropped;
    bool temporary;                /* tempdb of one session: known to nobody else, in a file that SQLite removes */
    struct commit_queue commits;
    unsigned pins;                 /* sessions that use it now; guarded by the store's mutex */
    struct store_writer *owner;    /* the session whose transaction may write; guarded by the store's mutex */
    pthread_cond_t freed;          /* the owner let go, or a wait was cancelled */
};

/* Opens or makes the folder, takes its lock, removes what a crash left. 0, or -1 with a message. */
int store_open(const char *folder, bool durable, struct store **out, struct buf *error) __attribute__((warn_unused_result));
void store_close(struct store *s);

bool store_durable(const struct store *s);

/* The database of this name (without regard to case), pinned against DROP DATABASE until store_unpin; NULL: none. */
struct store_database *store_pin(struct store *s, const char *name, size_t len);
/* Pins a database that is known already; false when it was dropped meanwhile. */
bool store_pin_again(struct store *s, struct store_database *d);
void store_unpin(struct store *s, struct store_database *d);

/* A tempdb for one session, not in the list; its file is made when it is attached, and goes when it is detached. NULL when
 * memory ran out. store_free_temporary frees it, once it is detached; NULL is accepted. */
struct store_database *store_make_temporary(struct store *s);
void store_free_temporary(struct store_database *d);

/* The number or name of a database; 0 or NULL when there is none. The name lives as long as the store. */
int store_find_id(struct store *s, const char *name, size_t len);
const char *store_find_name(struct store *s, int id);

/* CREATE and DROP DATABASE; durable when they return 0. `initialise` makes the new file's tables. -1: 1801, 1802, 3701,
 * 3702, 3708, 1105. */
int store_create(struct store *s, const char *name, size_t len, int (*initialise)(sqlite3 *db), struct fault *f)
    __attribute__((warn_unused_result));
int store_drop(struct store *s, const char *name, size_t len, struct fault *f) __attribute__((warn_unused_result));

/* Changes whenever a database was dropped, so that sessions know to let go of its file. */
unsigned store_drops(struct store *s);

/* Makes `w` the one writer of `d`; waits up to `timeout_ms` (-1: for ever) while another is. -1: 1222, 1205 when the wait
 * would never end, FAULT_CANCELLED. */
int store_lock(struct store *s, struct store_database *d, struct store_writer *w, int timeout_ms, struct fault *f)
    __attribute__((warn_unused_result));
void store_unlock(struct store *s, struct store_database *d, struct store_writer *w);

/* Ends a wait of `w`; from any thread. */
void store_cancel(struct store *s, struct store_writer *w);

/* Opens a SQLite connection for the store's files, with nothing attached. NULL when memory ran out. */
sqlite3 *store_connect(struct store *s);
/* Attaches the database's file as d<id>. SQLite's result code. */
int store_attach(struct store *s, sqlite3 *db, const struct store_database *d);

#endif
