#include "tests/faults/powercut.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

/* ---- the model of the disk ---- */

/* An unsynced write (`data` set) or truncation to `offset`. */
struct change {
    int64_t offset;
    size_t len;
    unsigned char *data;
};

/* A file's bytes. */
struct image {
    unsigned char *data;
    size_t len, cap;
};

/* A file's contents; it outlives its name while it is open. */
struct contents {
    struct contents *next; /* of all, for powercut_watch */
    struct image synced;
    struct change *changes;
    size_t change_count, change_cap;
    uint64_t settled; /* changes that were synced or dropped before `changes` */
};

#define MAX_VERSIONS 64 /* of a name between two syncs of the folder */

/* A name in the folder and what it stood for: versions[0] is synced, the last is what the process sees; NULL: no file. */
struct name {
    char text[NAME_MAX + 1];
    struct contents *versions[MAX_VERSIONS];
    size_t version_count;
};

static struct {
    pthread_mutex_t mutex;
    char folder[PATH_MAX];
    struct name names[POWERCUT_MAX_NAMES];
    size_t name_count;
    struct contents *all;
    uint64_t operations;
    uint64_t cut_at, full_at, kill_at; /* in `operations`; 0: never */
    uint64_t syncs, failing_sync;
    uint64_t refusals;
    unsigned sync_us;
    bool dead;
} disk = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void *must(void *p)
{
    if (!p) {
        fputs("powercut: out of memory\n", stderr);
        abort();
    }
    return p;
}

/* Forgets the first changes. */
static void drop_changes(struct contents *c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(c->changes[i].data);
    if (count < c->change_count)
        memmove(c->changes, c->changes + count, (c->change_count - count) * sizeof *c->changes);
    c->change_count -= count;
    c->settled += count;
}

/* The file of the folder that a path names; NULL when it is none. */
static const char *file_part(const char *path)
{
    size_t len = strlen(disk.folder);
    if (!path || len == 0 || strncmp(path, disk.folder, len) != 0 || path[len] != '/' || strchr(path + len + 1, '/'))
        return NULL;
    return path + len + 1;
}

static struct name *find_name(const char *text)
{
    for (size_t i = 0; i < disk.name_count; i++) {
        if (strcmp(disk.names[i].text, text) == 0)
            return &disk.names[i];
    }
    return NULL;
}

static struct contents *live(const struct name *n)
{
    return n ? n->versions[n->version_count - 1] : NULL;
}

static void add_version(const char *text, struct contents *c)
{
    struct name *n = find_name(text);
    if (!n) {
        if (disk.name_count == POWERCUT_MAX_NAMES || strlen(text) > NAME_MAX) {
            fputs("powercut: too many files\n", stderr);
            abort();
        }
        n = &disk.names[disk.name_count++];
        snprintf(n->text, sizeof n->text, "%s", text);
        n->versions[0] = NULL;
        n->version_count = 1;
    }
    /* To leave the eldest unsynced one out only narrows what the disk may hold. */
    if (n->version_count == MAX_VERSIONS)
        memmove(&n->versions[1], &n->versions[2], (--n->version_count - 1) * sizeof(struct contents *));
    n->versions[n->version_count++] = c;
}

static struct contents *new_contents(void)
{
    struct contents *c = must(calloc(1, sizeof *c));
    c->next = disk.all;
    disk.all = c;
    return c;
}

static void add_change(struct contents *c, int64_t offset, const void *data, size_t len)
{
    if (c->change_count == c->change_cap) {
        c->change_cap = c->change_cap ? c->change_cap * 2 : 16;
        c->changes = must(realloc(c->changes, c->change_cap * sizeof *c->changes));
    }
    struct change *x = &c->changes[c->change_count++];
    *x = (struct change){.offset = offset, .len = len};
    if (data) {
        x->data = must(malloc(len + 1));
        memcpy(x->data, data, len);
    }
}

/* Makes the image at least `len` bytes long; what nobody wrote is `filler`. */
static void extend(struct image *image, size_t len, int filler)
{
    if (len <= image->len)
        return;
    if (len > image->cap) {
        image->cap = len * 2;
        image->data = must(realloc(image->data, image->cap));
    }
    memset(image->data + image->len, filler, len - image->len);
    image->len = len;
}

static void write_at(struct image *image, size_t offset, const void *data, size_t len, int filler)
{
    extend(image, offset + len, filler);
    if (len > 0)
        memcpy(image->data + offset, data, len);
}

static void cut_off(struct image *image, size_t len, int filler)
{
    if (len < image->len)
        image->len = len;
    extend(image, len, filler);
}

static struct image copy_image(const struct image *from)
{
    struct image copy = {0};
    write_at(&copy, 0, from->data, from->len, 0);
    return copy;
}

static void apply_changes(struct image *image, const struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct change *x = &changes[i];
        if (x->data)
            write_at(image, (size_t)x->offset, x->data, x->len, 0);
        else
            cut_off(image, (size_t)x->offset, 0);
    }
}

/* Syncs the first changes. */
static void sync_contents(struct contents *c, size_t count)
{
    apply_changes(&c->synced, c->changes, count);
    drop_changes(c, count);
}

static void sync_names(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < disk.name_count; i++) {
        struct name *n = &disk.names[i];
        n->versions[0] = live(n);
        n->version_count = 1;
        if (n->versions[0])
            disk.names[kept++] = *n;
    }
    disk.name_count = kept;
}

/* Counts an operation that is about to happen; false when the power is off, or goes off with it. *on_its_way: it may have
 * reached the disk all the same. */
static bool count_operation(bool *on_its_way)
{
    *on_its_way = false;
    if (disk.dead)
        return false;
    disk.operations++;
    *on_its_way = disk.operations == disk.cut_at;
    if (*on_its_way || disk.operations == disk.kill_at)
        disk.dead = true;
    return !disk.dead;
}

/* ---- the disk after the cut ---- */

/* xorshift64*: the same disk for the same seed, on any machine. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static unsigned below(uint64_t *state, unsigned limit)
{
    return (unsigned)((next_random(state) >> 33) % limit);
}

/* How much of the unsynced reached the disk: none, a part sector by sector, all up to some moment, or all. */
enum mood { NOTHING, SOME_SECTORS, IN_ORDER, EVERYTHING, MOODS };

static void apply_sectors(const struct change *x, enum mood mood, unsigned percent, int filler, uint64_t *random, struct image *image)
{
    size_t at = 0;
    while (at < x->len) {
        size_t offset = (size_t)x->offset + at;
        size_t n = POWERCUT_SECTOR - offset % POWERCUT_SECTOR;
        if (n > x->len - at)
            n = x->len - at;
        if (mood == EVERYTHING || below(random, 100) < percent)
            write_at(image, offset, x->data + at, n, filler);
        at += n;
    }
}

/* What the disk may hold of the contents; the caller frees its bytes. */
static struct image cut_contents(const struct contents *c, uint64_t *random)
{
    enum mood mood = (enum mood)below(random, MOODS);
    unsigned percent = 10 + below(random, 81);
    int filler = below(random, 2) ? 0 : 0xA5; /* what a sector holds that was allocated and not written */
    size_t moment = c->change_count > 0 ? below(random, (unsigned)c->change_count) : 0;
    struct image image = copy_image(&c->synced);
    for (size_t i = 0; i < c->change_count && mood != NOTHING; i++) {
        const struct change *x = &c->changes[i];
        /* In order: all before the moment, the one of the moment torn, none behind it. */
        enum mood now = mood != IN_ORDER ? mood : i < moment ? EVERYTHING : i == moment ? SOME_SECTORS : NOTHING;
        if (now == NOTHING)
            break;
        if (x->data)
            apply_sectors(x, now, percent, filler, random, &image);
        else if (now == EVERYTHING || below(random, 100) < percent)
            cut_off(&image, (size_t)x->offset, filler);
    }
    return image;
}

static int write_file(const char *folder, const char *name, const struct image *image)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    FILE *f = fopen(path, "wbe");
    if (!f)
        return -1;
    size_t written = image->len > 0 ? fwrite(image->data, 1, image->len, f) : 0;
    int closed = fclose(f);
    return written == image->len && closed == 0 ? 0 : -1;
}

int powercut_write_disk(const char *folder, uint64_t seed)
{
    uint64_t random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return -1;
    for (size_t i = 0; i < disk.name_count; i++) {
        const struct name *n = &disk.names[i];
        const struct contents *c = n->versions[below(&random, (unsigned)n->version_count)];
        if (!c)
            continue;
        struct image image = cut_contents(c, &random);
        int rc = write_file(folder, n->text, &image);
        free(image.data);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* ---- files ---- */

struct file {
    sqlite3_file base;
    struct contents *contents; /* NULL: not one of the folder's */
    bool sync_names;           /* the first sync syncs the folder too, as the unix VFS does for journals and WALs */
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real(sqlite3_file *f)
{
    return (sqlite3_file *)(void *)((char *)f + sizeof(struct file));
}

static struct file *own(sqlite3_file *f)
{
    return (struct file *)(void *)f;
}

static int file_close(sqlite3_file *f)
{
    return real(f)->pMethods->xClose(real(f));
}

static int file_read(sqlite3_file *f, void *data, int len, sqlite3_int64 offset)
{
    pthread_mutex_lock(&disk.mutex);
    bool dead = own(f)->contents && disk.dead;
    pthread_mutex_unlock(&disk.mutex);
    return dead ? SQLITE_IOERR_READ : real(f)->pMethods->xRead(real(f), data, len, offset);
}

static int file_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 offset)
{
    struct contents *c = own(f)->contents;
    if (!c)
        return real(f)->pMethods->xWrite(real(f), data, len, offset);
    int rc = SQLITE_IOERR_WRITE;
    bool on_its_way;
    pthread_mutex_lock(&disk.mutex);
    if (count_operation(&on_its_way)) {
        bool full = disk.full_at != 0 && disk.operations >= disk.full_at;
        if (full) {
            disk.refusals++;
            len /= 2;
        }
        add_change(c, offset, data, (size_t)len);
        rc = real(f)->pMethods->xWrite(real(f), data, len, offset);
        if (rc == SQLITE_OK && full)
            rc = SQLITE_FULL;
    } else if (on_its_way) {
        add_change(c, offset, data, (size_t)len);
    }
    pthread_mutex_unlock(&disk.mutex);
    return rc;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct contents *c = own(f)->contents;
    if (!c)
        return real(f)->pMethods->xTruncate(real(f), size);
    int rc = SQLITE_IOERR_TRUNCATE;
    bool on_its_way;
    pthread_mutex_lock(&disk.mutex);
    bool alive = count_operation(&on_its_way);
    if (alive || on_its_way)
        add_change(c, size, NULL, 0);
    if (alive)
        rc = real(f)->pMethods->xTruncate(real(f), size);
    pthread_mutex_unlock(&disk.mutex);
    return rc;
}

static int file_sync(sqlite3_file *f, int flags)
{
    struct file *o = own(f);
    if (!o->contents)
        return real(f)->pMethods->xSync(real(f), flags);
    int rc = SQLITE_IOERR_FSYNC;
    pthread_mutex_lock(&disk.mutex);
    /* A sync takes its time, and what is written meanwhile is none of it. */
    uint64_t until = o->contents->settled + o->contents->change_count;
    unsigned delay_us = disk.sync_us;
    if (delay_us > 0) {
        pthread_mutex_unlock(&disk.mutex);
        usleep(delay_us);
        pthread_mutex_lock(&disk.mutex);
    }
    size_t count = until > o->contents->settled ? (size_t)(until - o->contents->settled) : 0;
    bool on_its_way;
    if (!count_operation(&on_its_way)) {
        /* nothing of it happened */
    } else if (++disk.syncs == disk.failing_sync) {
        drop_changes(o->contents, count); /* Linux marks the pages clean: no later sync writes them */
    } else {
        sync_contents(o->contents, count);
        rc = SQLITE_OK;
        if (o->sync_names)
            rc = count_operation(&on_its_way) ? (sync_names(), SQLITE_OK) : SQLITE_IOERR_DIR_FSYNC;
        o->sync_names = false;
    }
    pthread_mutex_unlock(&disk.mutex);
    return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}

static int file_lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int file_check_reserved(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int file_sector_size(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int file_characteristics(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend_it, void volatile **out)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend_it, out);
}

static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int file_shm_unmap(sqlite3_file *f, int delete_it)
{
    return real(f)->pMethods->xShmUnmap(real(f), delete_it);
}

/* Version 2: no xFetch, so that all reads and writes are seen. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
    (void)v;
    struct file *o = own(f);
    *o = (struct file){0};
    int rc;
    pthread_mutex_lock(&disk.mutex);
    const char *text = file_part(path);
    bool creates = text && (flags & SQLITE_OPEN_CREATE) && !live(find_name(text));
    if (text && disk.dead) {
        rc = SQLITE_CANTOPEN;
    } else {
        bool on_its_way = false, alive = !creates || count_operation(&on_its_way);
        if (on_its_way)
            add_version(text, new_contents());
        rc = alive ? real_vfs->xOpen(real_vfs, path, real(f), flags, out_flags) : SQLITE_CANTOPEN;
        if (rc == SQLITE_OK && creates)
            add_version(text, new_contents());
    }
    if (rc == SQLITE_OK) {
        o->contents = text ? live(find_name(text)) : NULL;
        o->sync_names = (flags & SQLITE_OPEN_CREATE) && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL));
        o->base.pMethods = &methods;
    }
    pthread_mutex_unlock(&disk.mutex);
    return rc;
}

/* Deletes a name of the folder by `remove`. Returns what `remove` did, or -1 with EIO when the power is off. */
static int delete_name(const char *text, int (*remove_it)(void *arg), void *arg)
{
    int rc = -1;
    errno = EIO;
    bool on_its_way;
    pthread_mutex_lock(&disk.mutex);
    bool alive = count_operation(&on_its_way);
    if ((alive || on_its_way) && live(find_name(text)))
        add_version(text, NULL);
    if (alive)
        rc = remove_it(arg);
    pthread_mutex_unlock(&disk.mutex);
    return rc;
}

/* Syncs the names; -1 with EIO when the power is off. */
static int sync_folder(void)
{
    bool on_its_way;
    pthread_mutex_lock(&disk.mutex);
    bool alive = count_operation(&on_its_way);
    if (alive)
        sync_names();
    pthread_mutex_unlock(&disk.mutex);
    if (!alive)
        errno = EIO;
    return alive ? 0 : -1;
}

static int remove_by_vfs(void *arg)
{
    return real_vfs->xDelete(real_vfs, arg, 0);
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync_dir)
{
    (void)v;
    const char *text = file_part(path);
    if (!text)
        return real_vfs->xDelete(real_vfs, path, sync_dir);
    int rc = delete_name(text, remove_by_vfs, (void *)(uintptr_t)path);
    if (rc == -1)
        return SQLITE_IOERR_DELETE;
    if (rc == SQLITE_OK && sync_dir && sync_folder() < 0)
        return SQLITE_IOERR_DIR_FSYNC;
    return rc;
}

static int vfs_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
    (void)v;
    return real_vfs->xAccess(real_vfs, path, flags, out);
}

static int vfs_full_pathname(sqlite3_vfs *v, const char *path, int len, char *out)
{
    (void)v;
    return real_vfs->xFullPathname(real_vfs, path, len, out);
}

static int vfs_randomness(sqlite3_vfs *v, int len, char *out)
{
    (void)v;
    return real_vfs->xRandomness(real_vfs, len, out);
}

static int vfs_sleep(sqlite3_vfs *v, int us)
{
    (void)v;
    return real_vfs->xSleep(real_vfs, us);
}

static int vfs_current_time(sqlite3_vfs *v, double *out)
{
    (void)v;
    return real_vfs->xCurrentTime(real_vfs, out);
}

static int vfs_get_last_error(sqlite3_vfs *v, int len, char *out)
{
    (void)v;
    return real_vfs->xGetLastError(real_vfs, len, out);
}

static int vfs_current_time_int64(sqlite3_vfs *v, sqlite3_int64 *out)
{
    (void)v;
    return real_vfs->xCurrentTimeInt64(real_vfs, out);
}

static sqlite3_vfs vfs = {
    .iVersion = 2,
    .zName = "powercut",
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_pathname,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_current_time,
    .xGetLastError = vfs_get_last_error,
    .xCurrentTimeInt64 = vfs_current_time_int64,
};

/* ---- the product's own calls, by the linker's --wrap ---- */

int __real_fsync(int fd);
int __real_unlink(const char *path);
int __real_unlinkat(int folder, const char *path, int flags);
int __wrap_fsync(int fd);
int __wrap_unlink(const char *path);
int __wrap_unlinkat(int folder, const char *path, int flags);

static bool is_watched_folder(int fd)
{
    struct stat a, b;
    return disk.folder[0] && fstat(fd, &a) == 0 && stat(disk.folder, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int __wrap_fsync(int fd)
{
    return is_watched_folder(fd) ? sync_folder() : __real_fsync(fd);
}

static int remove_by_path(void *arg)
{
    return __real_unlink(arg);
}

int __wrap_unlink(const char *path)
{
    const char *text = file_part(path);
    return text ? delete_name(text, remove_by_path, (void *)(uintptr_t)path) : __real_unlink(path);
}

int __wrap_unlinkat(int folder, const char *path, int flags)
{
    if (!is_watched_folder(folder) || strchr(path, '/'))
        return __real_unlinkat(folder, path, flags);
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%.*s/%s", PATH_MAX - NAME_MAX - 2, disk.folder, path);
    return delete_name(path, remove_by_path, full);
}

/* ---- control ---- */

int powercut_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    if (!real_vfs || real_vfs == &vfs)
        return -1;
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.mxPathname = real_vfs->mxPathname;
    return sqlite3_vfs_register(&vfs, 1) == SQLITE_OK ? 0 : -1;
}

/* Takes a file that is there as synced. */
static void adopt_file(int dir, const char *name)
{
    struct stat about;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) < 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        return;
    }
    struct contents *c = new_contents();
    extend(&c->synced, (size_t)about.st_size, 0);
    if (c->synced.len > 0 && read(fd, c->synced.data, c->synced.len) != (ssize_t)c->synced.len) {
        fprintf(stderr, "powercut: cannot read %s\n", name);
        abort();
    }
    close(fd);
    add_version(name, c);
}

static void adopt_files(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir)))
        adopt_file(dirfd(dir), entry->d_name);
    closedir(dir);
    sync_names();
}

void powercut_watch(const char *folder)
{
    while (disk.all) {
        struct contents *next = disk.all->next;
        drop_changes(disk.all, disk.all->change_count);
        free(disk.all->changes);
        free(disk.all->synced.data);
        free(disk.all);
        disk.all = next;
    }
    disk.name_count = 0;
    disk.operations = disk.cut_at = disk.kill_at = disk.full_at = disk.syncs = disk.failing_sync = disk.refusals = 0;
    disk.sync_us = 0;
    disk.dead = false;
    snprintf(disk.folder, sizeof disk.folder, "%s", folder);
    if (folder[0])
        adopt_files(folder);
}

uint64_t powercut_operations(void)
{
    pthread_mutex_lock(&disk.mutex);
    uint64_t n = disk.operations;
    pthread_mutex_unlock(&disk.mutex);
    return n;
}

void powercut_arm(uint64_t operation)
{
    pthread_mutex_lock(&disk.mutex);
    disk.cut_at = operation ? disk.operations + operation : 0;
    pthread_mutex_unlock(&disk.mutex);
}

void powercut_arm_kill(uint64_t operation)
{
    pthread_mutex_lock(&disk.mutex);
    disk.kill_at = operation ? disk.operations + operation : 0;
    pthread_mutex_unlock(&disk.mutex);
}

/* A file as the process saw it: all changes are in it. */
static int copy_live(const char *folder, const struct name *n)
{
    const struct contents *c = live(n);
    struct image image = copy_image(&c->synced);
    apply_changes(&image, c->changes, c->change_count);
    int rc = write_file(folder, n->text, &image);
    free(image.data);
    return rc;
}

int powercut_revive(const char *folder)
{
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return -1;
    for (size_t i = 0; i < disk.name_count; i++) {
        if (live(&disk.names[i]) && copy_live(folder, &disk.names[i]) < 0)
            return -1;
    }
    snprintf(disk.folder, sizeof disk.folder, "%s", folder);
    disk.cut_at = disk.kill_at = 0;
    disk.dead = false;
    return 0;
}

void powercut_slow_syncs(unsigned microseconds)
{
    pthread_mutex_lock(&disk.mutex);
    disk.sync_us = microseconds;
    pthread_mutex_unlock(&disk.mutex);
}

bool powercut_happened(void)
{
    pthread_mutex_lock(&disk.mutex);
    bool dead = disk.dead;
    pthread_mutex_unlock(&disk.mutex);
    return dead;
}

void powercut_fill(uint64_t operation)
{
    pthread_mutex_lock(&disk.mutex);
    disk.full_at = operation ? disk.operations + operation : 0;
    pthread_mutex_unlock(&disk.mutex);
}

uint64_t powercut_refusals(void)
{
    pthread_mutex_lock(&disk.mutex);
    uint64_t n = disk.refusals;
    pthread_mutex_unlock(&disk.mutex);
    return n;
}

void powercut_fail_sync(uint64_t sync)
{
    pthread_mutex_lock(&disk.mutex);
    disk.failing_sync = sync ? disk.syncs + sync : 0;
    pthread_mutex_unlock(&disk.mutex);
}
