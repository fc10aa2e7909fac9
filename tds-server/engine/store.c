#include "tds-server/engine/store.h"

#include "common/clock.h"
#include "common/collate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME_PART 64 /* bytes of a file name that show the database's name */

struct store {
    char *folder;
    bool durable;
    int lock_fd;
    sqlite3 *master; /* for sg_database; guarded by `ddl` */
    pthread_mutex_t ddl;   /* CREATE and DROP DATABASE, one at a time; taken before `mutex` */
    pthread_mutex_t mutex; /* the list, pins and owners */
    struct store_database *databases; /* dropped ones included */
    unsigned drops;
};

bool store_durable(const struct store *s)
{
    return s->durable;
}

/* ---- SQLite ---- */

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

sqlite3 *store_connect(struct store *s)
{
    (void)s;
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        sqlite3_close(db);
        return NULL;
    }
    sqlite3_extended_result_codes(db, 1);
    /* Writers queue before they touch SQLite; what is left to wait for is a checkpoint or a recovery. */
    sqlite3_busy_timeout(db, 10000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    return db;
}

/* Does the attached database wait for the disk at each commit? */
static bool is_synchronous(sqlite3 *db, int id)
{
    sqlite3_stmt *stmt = NULL;
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA d%d.synchronous", id);
    bool full = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW &&
                sqlite3_column_int(stmt, 0) >= 2;
    sqlite3_finalize(stmt);
    return full;
}

int store_attach(struct store *s, sqlite3 *db, const struct store_database *d)
{
    char *sql = sqlite3_mprintf("ATTACH %Q AS d%d", d->path, d->id);
    if (!sql)
        return SQLITE_NOMEM;
    int rc = run(db, sql);
    sqlite3_free(sql);
    if (rc != SQLITE_OK)
        return rc;
    char pragma[128];
    if (d->temporary) {
        snprintf(pragma, sizeof pragma, "PRAGMA d%d.synchronous=OFF; PRAGMA d%d.max_page_count=%d", d->id, d->id, STORE_MAX_TEMPDB_PAGES);
        return run(db, pragma);
    }
    snprintf(pragma, sizeof pragma, "PRAGMA d%d.journal_mode=WAL", d->id);
    rc = run(db, pragma);
    /* In a transaction the level cannot be set, but only looked at: it is FULL unless SQLite was built otherwise. */
    snprintf(pragma, sizeof pragma, "PRAGMA d%d.synchronous=%s", d->id, s->durable ? "FULL" : "OFF");
    if (rc == SQLITE_OK && sqlite3_get_autocommit(db))
        rc = run(db, pragma);
    if (rc == SQLITE_OK && s->durable && !is_synchronous(db, d->id))
        rc = SQLITE_MISUSE;
    if (rc != SQLITE_OK) {
        snprintf(pragma, sizeof pragma, "DETACH d%d", d->id);
        (void)run(db, pragma);
    }
    return rc;
}

/* ---- the list ---- */

static struct store_database *find(struct store *s, const char *name, size_t len)
{
    for (struct store_database *d = s->databases; d; d = d->next) {
        if (!d->dropped && collate_name_equal(d->name, strlen(d->name), name, len))
            return d;
    }
    return NULL;
}

static void free_database(struct store_database *d)
{
    if (!d)
        return;
    pthread_cond_destroy(&d->freed);
    commit_clear(&d->commits);
    free(d->name);
    free(d->path);
    free(d);
}

static struct store_database *make_database(struct store *s, int id, const char *name, size_t len, const char *file)
{
    struct store_database *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    size_t path_len = strlen(s->folder) + strlen(file) + 2;
    d->id = id;
    commit_init(&d->commits);
    clock_cond_init(&d->freed);
    d->name = strndup(name, len);
    d->path = malloc(path_len);
    if (!d->name || !d->path) {
        free_database(d);
        return NULL;
    }
    snprintf(d->path, path_len, "%s/%s", s->folder, file);
    return d;
}

struct store_database *store_make_temporary(struct store *s)
{
    struct store_database *d = make_database(s, STORE_TEMPDB, STORE_TEMPDB_NAME, strlen(STORE_TEMPDB_NAME), "");
    if (d) {
        d->path[0] = '\0'; /* what SQLite takes for a temporary file of its own */
        d->temporary = true;
    }
    return d;
}

void store_free_temporary(struct store_database *d)
{
    free_database(d);
}

/* "SchoolDBGO-7.db": letters, digits and _ of the name. */
static void file_name(int id, const char *name, size_t len, char out[FILE_NAME_PART + 32])
{
    size_t n = 0;
    for (size_t i = 0; i < len && n < FILE_NAME_PART; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        out[n++] = plain ? c : '_';
    }
    snprintf(out + n, 32, "-%d.db", id);
}

struct store_database *store_pin(struct store *s, const char *name, size_t len)
{
    pthread_mutex_lock(&s->mutex);
    struct store_database *d = find(s, name, len);
    if (d)
        d->pins++;
    pthread_mutex_unlock(&s->mutex);
    return d;
}

bool store_pin_again(struct store *s, struct store_database *d)
{
    pthread_mutex_lock(&s->mutex);
    bool there = !d->dropped;
    if (there)
        d->pins++;
    pthread_mutex_unlock(&s->mutex);
    return there;
}

void store_unpin(struct store *s, struct store_database *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&s->mutex);
    d->pins--;
    pthread_mutex_unlock(&s->mutex);
}

int store_find_id(struct store *s, const char *name, size_t len)
{
    pthread_mutex_lock(&s->mutex);
    struct store_database *d = find(s, name, len);
    int id = d ? d->id : 0;
    pthread_mutex_unlock(&s->mutex);
    return id;
}

const char *store_find_name(struct store *s, int id)
{
    const char *name = NULL;
    pthread_mutex_lock(&s->mutex);
    for (struct store_database *d = s->databases; d; d = d->next) {
        if (!d->dropped && d->id == id)
            name = d->name;
    }
    pthread_mutex_unlock(&s->mutex);
    return name;
}

unsigned store_drops(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    unsigned drops = s->drops;
    pthread_mutex_unlock(&s->mutex);
    return drops;
}

/* ---- files ---- */

static void remove_files(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char name[4096];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (snprintf(name, sizeof name, "%s%s", path, endings[i]) < (int)sizeof name)
            (void)unlink(name);
    }
}

static int sync_folder(const struct store *s)
{
    if (!s->durable)
        return 0;
    int fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    close(fd);
    return rc;
}

/* ---- CREATE and DROP DATABASE ---- */

static int add_row(struct store *s, const char *name, size_t len, int *id)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->master, "INSERT INTO d1.sg_database (name, file, create_date) VALUES (?1, '', "
                                           "strftime('%Y-%m-%d %H:%M:%f0000', 'now'))",
                                -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, name, (int)len, SQLITE_STATIC);
        rc = sqlite3_step(stmt);
    }
    sqlite3_finalize(stmt);
    *id = (int)sqlite3_last_insert_rowid(s->master);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int change_row(struct store *s, const char *sql, int id, const char *file)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->master, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int(stmt, 1, id);
        if (file)
            sqlite3_bind_text(stmt, 2, file, -1, SQLITE_STATIC);
        rc = sqlite3_step(stmt);
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Makes the file with its tables; what it holds is on the disk afterwards. */
static int make_file(struct store *s, const struct store_database *d, int (*initialise)(sqlite3 *db))
{
    sqlite3 *db = NULL;
    remove_files(d->path);
    int rc = sqlite3_open_v2(d->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = run(db, s->durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF");
    if (rc == SQLITE_OK)
        rc = initialise(db);
    if (rc == SQLITE_OK)
        rc = run(db, "PRAGMA journal_mode=WAL");
    int closed = sqlite3_close(db);
    return rc == SQLITE_OK ? closed : rc;
}

static bool is_full(int rc)
{
    return (rc & 0xFF) == SQLITE_FULL || (rc & 0xFF) == SQLITE_IOERR;
}

int store_create(struct store *s, const char *name, size_t len, int (*initialise)(sqlite3 *db), struct fault *f)
{
    char text[STORE_MAX_NAME + 1], file[FILE_NAME_PART + 32];
    struct store_database *d = NULL;
    if (len > STORE_MAX_NAME)
        return fault_set(f, 1802);
    memcpy(text, name, len);
    text[len] = '\0';
    pthread_mutex_lock(&s->ddl);
    int id = 0, rc = SQLITE_OK;
    if (store_find_id(s, name, len) != 0 || collate_name_equal(STORE_TEMPDB_NAME, strlen(STORE_TEMPDB_NAME), name, len)) {
        fault_set(f, 1801, text);
        goto out;
    }
    rc = run(s->master, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK)
        rc = add_row(s, name, len, &id);
    if (rc != SQLITE_OK)
        goto out;
    file_name(id, name, len, file);
    d = make_database(s, id, name, len, file);
    rc = d ? change_row(s, "UPDATE d1.sg_database SET file = ?2 WHERE database_id = ?1", id, file) : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = make_file(s, d, initialise);
    if (rc == SQLITE_OK && sync_folder(s) < 0)
        rc = SQLITE_IOERR;
    if (rc == SQLITE_OK)
        rc = run(s->master, "COMMIT");
    if (rc != SQLITE_OK)
        goto out;
    commit_recover(&d->commits, d->path);
    pthread_mutex_lock(&s->mutex);
    d->next = s->databases;
    s->databases = d;
    pthread_mutex_unlock(&s->mutex);
    d = NULL;

out:
    if (!sqlite3_get_autocommit(s->master))
        run(s->master, "ROLLBACK");
    if (d)
        remove_files(d->path);
    free_database(d);
    pthread_mutex_unlock(&s->ddl);
    if (rc != SQLITE_OK) {
        if (is_full(rc))
            fault_set(f, 1105, text, text);
        else
            fault_set(f, rc == SQLITE_NOMEM ? FAULT_MEMORY : 1802);
    }
    return f->number == 0 ? 0 : -1;
}

int store_drop(struct store *s, const char *name, size_t len, struct fault *f)
{
    char text[STORE_MAX_NAME + 1];
    size_t shown = len < STORE_MAX_NAME ? len : STORE_MAX_NAME;
    memcpy(text, name, shown);
    text[shown] = '\0';
    int rc = SQLITE_OK;
    pthread_mutex_lock(&s->ddl);
    pthread_mutex_lock(&s->mutex);
    struct store_database *d = find(s, name, len);
    if (!d)
        fault_set(f, 3701, "database", text);
    else if (d->id == STORE_MASTER)
        fault_set(f, 3708, "database", text, "database");
    else if (d->pins > 0)
        fault_set(f, 3702, text);
    else
        d->dropped = true; /* nobody can find it any more */
    pthread_mutex_unlock(&s->mutex);
    if (f->number != 0)
        goto out;
    rc = change_row(s, "DELETE FROM d1.sg_database WHERE database_id = ?1", d->id, NULL);
    if (rc != SQLITE_OK) {
        pthread_mutex_lock(&s->mutex);
        d->dropped = false;
        pthread_mutex_unlock(&s->mutex);
        if (is_full(rc))
            fault_set(f, 1105, text, "master");
        else
            fault_set(f, FAULT_INTERNAL, sqlite3_errstr(rc));
        goto out;
    }
    remove_files(d->path);
    (void)sync_folder(s); /* the row is gone: a file that comes back after a crash is removed at the start */
    pthread_mutex_lock(&s->mutex);
    s->drops++;
    pthread_mutex_unlock(&s->mutex);

out:
    pthread_mutex_unlock(&s->ddl);
    return f->number == 0 ? 0 : -1;
}

/* ---- writers ---- */

/* Would waiting for `d` wait for `w` itself? */
static bool would_deadlock(const struct store_database *d, const struct store_writer *w)
{
    while (d && d->owner) {
        if (d->owner == w)
            return true;
        d = d->owner->waits_for;
    }
    return false;
}

int store_lock(struct store *s, struct store_database *d, struct store_writer *w, int timeout_ms, struct fault *f)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout_ms > 0) {
        until.tv_sec += timeout_ms / 1000;
        until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
    }
    int waited = 0;
    pthread_mutex_lock(&s->mutex);
    while (d->owner && d->owner != w && f->number == 0) {
        if (w->cancelled)
            fault_set(f, FAULT_CANCELLED);
        else if (would_deadlock(d, w))
            fault_set(f, 1205, w->spid);
        else if (timeout_ms == 0 || waited == ETIMEDOUT)
            fault_set(f, 1222);
        else {
            w->waits_for = d;
            waited = timeout_ms < 0 ? pthread_cond_wait(&d->freed, &s->mutex)
                                    : pthread_cond_timedwait(&d->freed, &s->mutex, &until);
            w->waits_for = NULL;
        }
    }
    if (f->number == 0)
        d->owner = w;
    else if (!d->owner)
        pthread_cond_signal(&d->freed); /* the signal that it was free was perhaps ours: it goes to the next */
    pthread_mutex_unlock(&s->mutex);
    return f->number == 0 ? 0 : -1;
}

void store_unlock(struct store *s, struct store_database *d, struct store_writer *w)
{
    pthread_mutex_lock(&s->mutex);
    if (d->owner == w) {
        d->owner = NULL;
        pthread_cond_signal(&d->freed);
    }
    pthread_mutex_unlock(&s->mutex);
}

void store_cancel(struct store *s, struct store_writer *w)
{
    pthread_mutex_lock(&s->mutex);
    w->cancelled = true;
    if (w->waits_for)
        pthread_cond_broadcast(&w->waits_for->freed);
    pthread_mutex_unlock(&s->mutex);
}

/* ---- opening ---- */

static int compare_names(void *arg, int a_len, const void *a, int b_len, const void *b)
{
    (void)arg;
    return collate_compare(COLLATION_CI, a, (size_t)a_len, b, (size_t)b_len);
}

static int open_master(struct store *s)
{
    struct store_database *d = make_database(s, STORE_MASTER, "master", 6, "master-1.db");
    if (!d)
        return SQLITE_NOMEM;
    s->databases = d;
    s->master = store_connect(s);
    if (!s->master)
        return SQLITE_NOMEM;
    int rc = sqlite3_create_collation(s->master, "SG_CI", SQLITE_UTF8, NULL, compare_names);
    if (rc == SQLITE_OK)
        rc = store_attach(s, s->master, d);
    if (rc == SQLITE_OK)
        rc = run(s->master, "CREATE TABLE IF NOT EXISTS d1.sg_database (database_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, "
                            "file TEXT NOT NULL, create_date TEXT NOT NULL);"
                            "INSERT INTO d1.sg_database SELECT 1, 'master', 'master-1.db', strftime('%Y-%m-%d %H:%M:%f0000', 'now') "
                            "WHERE NOT EXISTS (SELECT 1 FROM d1.sg_database WHERE database_id = 1);"
                            /* 2 to 4 are tempdb, model and msdb: clients list users' databases by database_id > 4 */
                            "UPDATE d1.sqlite_sequence SET seq = 4 WHERE name = 'sg_database' AND seq < 4");
    return rc;
}

static int read_list(struct store *s)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->master, "SELECT database_id, name, file FROM d1.sg_database WHERE database_id <> 1", -1, &stmt, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct store_database *d = make_database(s, sqlite3_column_int(stmt, 0), (const char *)sqlite3_column_text(stmt, 1),
                                                 (size_t)sqlite3_column_bytes(stmt, 1), (const char *)sqlite3_column_text(stmt, 2));
        if (!d) {
            rc = SQLITE_NOMEM;
            break;
        }
        d->next = s->databases;
        s->databases = d;
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static bool is_listed(const struct store *s, const char *file, size_t len)
{
    for (const struct store_database *d = s->databases; d; d = d->next) {
        const char *name = strrchr(d->path, '/') + 1;
        if (strlen(name) == len && memcmp(name, file, len) == 0)
            return true;
    }
    return false;
}

/* Removes database files that no row names. */
static void remove_orphans(struct store *s)
{
    DIR *dir = opendir(s->folder);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        const char *end = strstr(entry->d_name, ".db");
        if (!end || (end[3] != '\0' && end[3] != '-'))
            continue;
        if (!is_listed(s, entry->d_name, (size_t)(end + 3 - entry->d_name)))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

static int lock_folder(struct store *s, struct buf *error)
{
    if (mkdir(s->folder, 0700) < 0 && errno != EEXIST) {
        buf_printf(error, "%s: %s", s->folder, strerror(errno));
        return -1;
    }
    char path[4096];
    if (snprintf(path, sizeof path, "%s/lock", s->folder) >= (int)sizeof path) {
        buf_printf(error, "%s: the path is too long", s->folder);
        return -1;
    }
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        buf_printf(error, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        buf_printf(error, "%s: another server uses this folder", s->folder);
        return -1;
    }
    return 0;
}

int store_open(const char *folder, bool durable, struct store **out, struct buf *error)
{
    *out = NULL;
    struct store *s = calloc(1, sizeof *s);
    if (!s) {
        buf_append_text(error, "out of memory");
        return -1;
    }
    s->durable = durable;
    s->lock_fd = -1;
    pthread_mutex_init(&s->ddl, NULL);
    pthread_mutex_init(&s->mutex, NULL);
    s->folder = strdup(folder);
    int rc = SQLITE_NOMEM;
    if (!s->folder)
        buf_append_text(error, "out of memory");
    else if (lock_folder(s, error) == 0) {
        rc = open_master(s);
        if (rc == SQLITE_OK)
            rc = read_list(s);
        for (struct store_database *d = s->databases; d && rc == SQLITE_OK; d = d->next)
            commit_recover(&d->commits, d->path);
        if (rc != SQLITE_OK)
            buf_printf(error, "%s: %s", folder, s->master ? sqlite3_errmsg(s->master) : sqlite3_errstr(rc));
    }
    if (rc != SQLITE_OK) {
        store_close(s);
        return -1;
    }
    remove_orphans(s);
    *out = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    sqlite3_close(s->master);
    while (s->databases) {
        struct store_database *next = s->databases->next;
        free_database(s->databases);
        s->databases = next;
    }
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_mutex_destroy(&s->mutex);
    pthread_mutex_destroy(&s->ddl);
    free(s->folder);
    free(s);
}
