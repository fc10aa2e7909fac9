#include "tds-server/engine/commit.h"

#include <stdio.h>
#include <sys/stat.h>

void commit_init(struct commit_queue *q)
{
    *q = (struct commit_queue){.announced = 1, .written = 1};
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->ended[0], NULL);
    pthread_cond_init(&q->ended[1], NULL);
    pthread_cond_init(&q->arrived, NULL);
}

void commit_clear(struct commit_queue *q)
{
    pthread_cond_destroy(&q->arrived);
    pthread_cond_destroy(&q->ended[1]);
    pthread_cond_destroy(&q->ended[0]);
    pthread_mutex_destroy(&q->mutex);
}

/* Syncs the WAL: all that any connection has written into it. SQLite's result code. */
static int sync_wal(sqlite3 *db, const char *schema)
{
    sqlite3_file *wal = NULL;
    int rc = sqlite3_file_control(db, schema, SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK && (!wal || !wal->pMethods))
        rc = SQLITE_MISUSE; /* it is open on a connection that has read or written */
    return rc == SQLITE_OK ? wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) : rc;
}

/* Moves the WAL into the database. SQLite's result code. */
static int empty_wal(const char *path)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    /* There is no space for that: then at least the WAL is synced. */
    if ((rc & 0xFF) == SQLITE_FULL)
        rc = sync_wal(db, "main");
    sqlite3_close(db);
    return rc;
}

void commit_recover(struct commit_queue *q, const char *path)
{
    char wal[4096];
    struct stat about;
    int rc = SQLITE_OK;
    if (snprintf(wal, sizeof wal, "%s-wal", path) < (int)sizeof wal && stat(wal, &about) == 0 && about.st_size > 0)
        rc = empty_wal(path);
    /* Other errors are the file's own, and are met again by who uses it. */
    if ((rc & 0xFF) == SQLITE_IOERR)
        q->failed = true;
    else
        q->synced = 1;
}

int commit_prepare(sqlite3 *db, int id)
{
    char sql[64];
    /* NORMAL: SQLite syncs around checkpoints, and not at commits. */
    snprintf(sql, sizeof sql, "PRAGMA d%d.synchronous=NORMAL", id);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

void commit_announce(struct commit_queue *q)
{
    atomic_fetch_add(&q->announced, 1);
}

void commit_written(struct commit_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->written = atomic_load(&q->announced);
    if (q->early > 0)
        pthread_cond_broadcast(&q->arrived);
    pthread_mutex_unlock(&q->mutex);
}

uint64_t commit_newest(const struct commit_queue *q)
{
    return atomic_load(&q->announced);
}

bool commit_has_failed(const struct commit_queue *q)
{
    return atomic_load(&q->failed);
}

/* Does the next round. The mutex is held, but not during the sync. */
static void sync_round(struct commit_queue *q, sqlite3 *db, int id)
{
    uint64_t round = ++q->round;
    char schema[16];
    snprintf(schema, sizeof schema, "d%d", id);
    q->target = q->written;
    q->syncing = true;
    pthread_mutex_unlock(&q->mutex);
    int rc = sync_wal(db, schema);
    pthread_mutex_lock(&q->mutex);
    q->syncing = false;
    if (rc == SQLITE_OK)
        q->synced = q->target;
    else
        q->failed = true;
    /* All who waited for this round go on; one of those who came too late for it does the next. */
    pthread_cond_broadcast(&q->ended[round % 2]);
    if (rc == SQLITE_OK)
        pthread_cond_signal(&q->ended[(round + 1) % 2]);
    else
        pthread_cond_broadcast(&q->ended[(round + 1) % 2]);
}

int commit_wait(struct commit_queue *q, uint64_t number, sqlite3 *db, int id)
{
    if (atomic_load(&q->synced) >= number)
        return 0;
    pthread_mutex_lock(&q->mutex);
    while (!q->failed && q->synced < number) {
        if (q->written < number) {
            q->early++;
            pthread_cond_wait(&q->arrived, &q->mutex);
            q->early--;
        } else if (q->syncing) {
            pthread_cond_wait(&q->ended[(q->round + (q->target < number)) % 2], &q->mutex);
        } else {
            sync_round(q, db, id);
        }
    }
    int result = q->synced >= number ? 0 : -1;
    pthread_mutex_unlock(&q->mutex);
    return result;
}
