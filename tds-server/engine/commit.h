/* Group commit: sessions whose commits wait for the disk at the same time wait for one sync together.
 *
 * A session commits while it is its database's one writer (store_lock). It announces the commit, which gives it a number;
 * SQLite writes it into the WAL, without a sync; the session says so, lets the next writer go on, and waits until the WAL
 * is on the disk up to that number. Whoever finds no sync under way does one, for all commits that were written by then:
 *
 *     written   |---- 1 2 3 ----|- 4 5 6 7 -|- 8                 a lone commit syncs at once and waits for nobody
 *     syncs       1:   =======    4:  =======   8: …             2 3 wait for the sync of 4, 5 6 7 for that of 8
 *     synced            1               7
 *
 * What others can see of a commit before it is synced must not leak out of the server: a statement that has read from the
 * database waits for the newest commit that it may have seen before its client is told anything (transaction_settle). So
 * no client ever knows of what a power cut can take back. A commit can be seen a moment before it is known to be written:
 * that is why it is announced first, and why readers wait for what is announced.
 *
 * Order holds by itself: the WAL is one chain of checksums, so that a commit on the disk has all earlier ones before it.
 * SQLite syncs the WAL by itself before a checkpoint and the database behind it, so that a number stays true when the WAL
 * is begun anew.
 *
 * A sync that failed cannot be repeated: Linux drops what it could not write. Its commits can be seen but may not be on
 * the disk, so the database is given up: every wait from then on fails, until a restart reads what the disk has.
 *
 * Knows SQLite's files, and nothing of sessions. Safe from any thread, but for each connection being its caller's own.
 */
#ifndef SHARDGATE_TDS_COMMIT_H
#define SHARDGATE_TDS_COMMIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tds-server/engine/cell.h"

/* Of one database. */
struct commit_queue {
    pthread_mutex_t mutex;
    pthread_cond_t ended[2];  /* a sync has ended: that of an even round, of an odd one */
    pthread_cond_t arrived;   /* a commit was written */
    atomic_ullong announced;  /* the newest commit's number; only the database's writer adds to it */
    uint64_t written;         /* commits up to this one are in the WAL: the same, or one less; guarded by `mutex` */
    atomic_ullong synced;     /* commits up to this one are on the disk; guarded by `mutex` for writing */
    unsigned early;           /* sessions that wait for a commit to be written; guarded by `mutex` */
    uint64_t round;           /* of syncs; guarded by `mutex` */
    uint64_t target;          /* the newest commit that this round syncs; guarded by `mutex` */
    bool syncing;             /* a session does it now; guarded by `mutex` */
    atomic_bool failed;       /* given up, for ever; guarded by `mutex` for writing */
};

void commit_init(struct commit_queue *q);
void commit_clear(struct commit_queue *q);

/* Before a database's first use: brings what it holds to the disk, which is commit 1. A process that was killed leaves
 * commits in the WAL that can be read, and nobody knows whether they are on the disk: they are moved into the database.
 * `path` is the database's. Where that fails, it is given up. */
void commit_recover(struct commit_queue *q, const char *path);

/* Makes the connection leave the syncs of d<id> to commit_wait: only outside of a transaction. SQLite's result code. */
int commit_prepare(sqlite3 *db, int id) __attribute__((warn_unused_result));

/* Numbers a commit that is about to be written, by the database's writer. */
void commit_announce(struct commit_queue *q);
/* It was written, or came to nothing. The caller is the database's writer still. */
void commit_written(struct commit_queue *q);

/* The newest commit that a reader may see who began before the call; to its writer, its own. */
uint64_t commit_newest(const struct commit_queue *q);

/* Was the database given up? */
bool commit_has_failed(const struct commit_queue *q);

/* Waits until commit `number` is on the disk; 0 is. `db` has d<id> open, for the sync. 0, or -1: it cannot be synced. */
int commit_wait(struct commit_queue *q, uint64_t number, sqlite3 *db, int id) __attribute__((warn_unused_result));

#endif
