#include "tds-server/commit.h"

#include <stdio.h>

void commit_init(struct commit_queue *q)
{
    *q = (struct commit_queue){0};
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->changed, NULL);
}

void commit_clear(struct commit_queue *q)
{
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->mutex);
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
        pthread_cond_broadcast(&q->changed);
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

/* Syncs the WAL of d<id>: all that any connection has written into it. SQLite's result code. */
static int sync_wal(sqlite3 *db, int id)
{
    char schema[16];
    sqlite3_file *wal = NULL;
    snprintf(schema, sizeof schema, "d%d", id);
    int rc = sqlite3_file_control(db, schema, SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK && (!wal || !wal->pMethods))
        rc = SQLITE_MISUSE; /* it is open on a connection that has read or written */
    return rc == SQLITE_OK ? wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) : rc;
}

int commit_wait(struct commit_queue *q, uint64_t number, sqlite3 *db, int id)
{
    if (atomic_load(&q->synced) >= number)
        return 0;
    pthread_mutex_lock(&q->mutex);
    while (!q->failed && q->synced < number) {
        if (q->syncing || q->written < number) {
            bool early = q->written < number;
            q->early += early;
            pthread_cond_wait(&q->changed, &q->mutex);
            q->early -= early;
            continue;
        }
        q->syncing = true;
        uint64_t newest = q->written;
        pthread_mutex_unlock(&q->mutex);
        int rc = sync_wal(db, id);
        pthread_mutex_lock(&q->mutex);
        q->syncing = false;
        if (rc == SQLITE_OK)
            q->synced = newest;
        else
            q->failed = true;
        pthread_cond_broadcast(&q->changed);
    }
    int result = q->synced >= number ? 0 : -1;
    pthread_mutex_unlock(&q->mutex);
    return result;
}
