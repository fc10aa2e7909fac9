#include <config.h>

#include "lighttpd/folder.h"

#include "common/fnv1a.h"
#include "lighttpd/say.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define SOCKET_NAME_MAX 56 /* "/" and the longest name: a worker's, ".http.sock" or ".sock-0" */
#define TOKEN_MIN 16       /* characters of SHARDGATE_TOKEN */
#define TOKEN_MAX 256

static int make_folder(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return complain("cannot make the folder %s: %s", path, strerror(errno));
}

static bool is_plain(const char *path)
{
    return strspn(path, LETTERS "/._-+@%=:,") == strlen(path);
}

/* A folder in /tmp can have been made by somebody else to read what is put there. */
static int check_own_folder(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return complain("%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return complain("%s is not a folder of mode 0700 that belongs to this user", path);
    return 0;
}

static int choose_run_folder(struct folder *f)
{
    char *usual = text("%s/run", f->data);

    if (make_folder(usual) != 0) {
        free(usual);
        return -1;
    }
    if (is_plain(usual) && strlen(usual) + SOCKET_NAME_MAX < sizeof(((struct sockaddr_un *)0)->sun_path)) {
        f->run = usual;
        return 0;
    }
    free(usual);
    f->run = text("/tmp/shardgate-%u-%08x", (unsigned)geteuid(), fnv1a_32(f->data, strlen(f->data)));
    return make_folder(f->run) != 0 ? -1 : check_own_folder(f->run);
}

int folder_open(struct folder *f, const char *data)
{
    static const char *const inner[] = {"secrets", "log", "tmp"};
    int rc = 0;

    *f = (struct folder){.lock = -1};
    if (make_folder(data) != 0)
        return -1;
    f->data = realpath(data, NULL);
    if (f->data == NULL)
        return complain("%s: %s", data, strerror(errno));
    if (chmod(f->data, 0700) != 0)
        return complain("%s: cannot make it private: %s", f->data, strerror(errno));
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]) && rc == 0; i++) {
        char *path = text("%s/%s", f->data, inner[i]);

        rc = make_folder(path);
        free(path);
    }
    return rc == 0 ? choose_run_folder(f) : -1;
}

void folder_close(struct folder *f)
{
    if (f->run != NULL && strncmp(f->run, "/tmp/", 5) == 0)
        (void)rmdir(f->run); /* unless somebody's links or sockets are still in it */
    if (f->lock >= 0)
        close(f->lock);
    free(f->run);
    free(f->data);
    *f = (struct folder){.lock = -1};
}

int folder_lock(struct folder *f, const char *name, const char *about)
{
    char *path = text("%s/%s", f->data, name);
    char held[256] = "";
    int rc = -1;

    f->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->lock < 0) {
        complain("%s: %s", path, strerror(errno));
    } else if (flock(f->lock, LOCK_EX | LOCK_NB) == 0) {
        /* Whoever comes second reads this. */
        if (ftruncate(f->lock, 0) == 0 && dprintf(f->lock, "%s (pid %d)\n", about, (int)getpid()) > 0)
            rc = 0;
        else
            complain("%s: %s", path, strerror(errno));
    } else if (errno == EWOULDBLOCK) {
        ssize_t len = read(f->lock, held, sizeof(held) - 1);

        held[len > 0 ? len : 0] = '\0';
        held[strcspn(held, "\n")] = '\0';
        say("already running on %s; nothing was changed", held);
        rc = 1;
    } else {
        complain("%s: %s", path, strerror(errno));
    }
    free(path);
    return rc;
}

pid_t folder_lock_holder(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char held[256] = "";
    const char *pid = NULL;

    /* Whoever left a lock behind holds it no more. */
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && read(fd, held, sizeof(held) - 1) > 0)
        pid = strstr(held, "(pid ");
    if (fd >= 0)
        close(fd);
    return pid != NULL ? atoi(pid + strlen("(pid ")) : 0;
}

int folder_write_file(const char *path, const char *contents, size_t len)
{
    char *temporary = text("%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = -1;

    if (fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, contents, len) == (ssize_t)len && fsync(fd) == 0 &&
        rename(temporary, path) == 0)
        rc = 0;
    else
        complain("cannot write %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (rc != 0)
        (void)unlink(temporary);
    free(temporary);
    return rc;
}

/* `prefix` and `count` random letters and digits. */
static int write_random(const char *path, const char *prefix, size_t count)
{
    char secret[128];
    size_t len = strlen(prefix);
    int rc;

    memcpy(secret, prefix, len);
    while (len < strlen(prefix) + count) {
        unsigned char byte;

        if (getrandom(&byte, 1, 0) != 1)
            return complain("no random bytes: %s", strerror(errno));
        if (byte < 256 / (sizeof(LETTERS) - 1) * (sizeof(LETTERS) - 1)) /* so that each letter is as likely */
            secret[len++] = LETTERS[byte % (sizeof(LETTERS) - 1)];
    }
    secret[len++] = '\n';
    rc = folder_write_file(path, secret, len);
    explicit_bzero(secret, sizeof(secret));
    return rc;
}

static int write_given_token(const char *path, const char *token)
{
    size_t len = strlen(token);
    char *line;
    int rc;

    for (const char *p = token; *p != '\0'; p++) {
        if (*p <= ' ' || *p >= 0x7f)
            return complain("SHARDGATE_TOKEN: only printable ASCII without blanks can be a token");
    }
    if (len < TOKEN_MIN || len > TOKEN_MAX)
        return complain("SHARDGATE_TOKEN: %d to %d characters were expected", TOKEN_MIN, TOKEN_MAX);
    line = text("%s\n", token);
    rc = folder_write_file(path, line, len + 1);
    explicit_bzero(line, len);
    free(line);
    return rc;
}

int folder_make_secrets(const struct folder *f, const char *token)
{
    char *token_path = text("%s/secrets/token", f->data);
    char *tds_path = text("%s/secrets/tds", f->data);
    int rc = 0;

    /* SQL Server wants three of: capitals, small letters, digits, others. The prefix has all four. */
    if (access(tds_path, F_OK) != 0)
        rc = write_random(tds_path, "Sg1-", 28);
    if (rc == 0 && token != NULL && *token != '\0')
        rc = write_given_token(token_path, token);
    else if (rc == 0 && access(token_path, F_OK) != 0)
        rc = write_random(token_path, "", 43);
    free(token_path);
    free(tds_path);
    return rc;
}

int folder_has_token(const struct folder *f)
{
    char *path = text("%s/secrets/token", f->data);
    int readable = access(path, R_OK) == 0;

    free(path);
    return readable;
}

char *folder_plain_name(const struct folder *f, const char *path, const char *link_name)
{
    char *link_path;

    if (is_plain(path))
        return text("%s", path);
    link_path = text("%s/%s", f->run, link_name);
    (void)unlink(link_path);
    if (symlink(path, link_path) != 0) {
        complain("cannot link %s to %s: %s", link_path, path, strerror(errno));
        free(link_path);
        return NULL;
    }
    return link_path;
}

/* Removes the entries of the run folder of one kind (S_IFSOCK, S_IFLNK) whose names start with `prefix`. */
static void remove_entries(const struct folder *f, mode_t kind, const char *prefix)
{
    DIR *dir = opendir(f->run);
    struct dirent *entry;
    struct stat st;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == kind)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

void folder_remove_sockets(const struct folder *f, const char *prefix)
{
    remove_entries(f, S_IFSOCK, prefix);
}

void folder_remove_links(const struct folder *f)
{
    remove_entries(f, S_IFLNK, "");
}
