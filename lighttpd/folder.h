/* The launcher's folders and files: the data folder with its lock and its secrets, and the run folder with the sockets.
 *
 *     DIR/              0700; kept between runs
 *     DIR/lock          held by the launcher that runs the cluster; DIR/lock.PORT by one that runs a master only
 *     DIR/secrets/      tds, token: 0600
 *     DIR/log/          what the processes say
 *     DIR/run/          lighttpd's configuration and error documents; the sockets, unless DIR is too long or too odd a name
 *     DIR/tmp/          lighttpd's temporary files: large request bodies
 *
 * Knows nothing about processes or ports.
 */
#ifndef SHARDGATE_FOLDER_H
#define SHARDGATE_FOLDER_H

#include <stddef.h>
#include <sys/types.h>

struct folder {
    char *data; /* absolute */
    char *run;  /* of the sockets: short, and made of plain characters; DIR/run or /tmp/shardgate-UID-HASH */
    int lock;   /* descriptor, -1 for none */
};

/* Makes the data folder and those in it. 0, or -1 with the reason on standard error. The caller calls folder_close(), also
 * after a failure. */
int folder_open(struct folder *f, const char *data) __attribute__((warn_unused_result));
void folder_close(struct folder *f);

/* Takes the lock `name` and writes `about` (a URL) into it. 0; 1 when another process holds it, which was told to standard
 * output; -1 with the reason on standard error. */
int folder_lock(struct folder *f, const char *name, const char *about) __attribute__((warn_unused_result));

/* The process that holds the lock `path`; 0 for none. */
pid_t folder_lock_holder(const char *path);

/* Makes the secrets that are missing. `token` is SHARDGATE_TOKEN or NULL. 0, or -1 with the reason on standard error. */
int folder_make_secrets(const struct folder *f, const char *token) __attribute__((warn_unused_result));

/* Is there a token already? */
int folder_has_token(const struct folder *f);

/* A name for `path` that lighttpd's configuration can hold, where blanks separate and nothing quotes: `path` itself, or a
 * link to it in the run folder. The caller frees it; NULL with the reason on standard error. */
char *folder_plain_name(const struct folder *f, const char *path, const char *link_name);

/* Removes those links. Not for who shares the run folder with a launcher that still needs them. */
void folder_remove_links(const struct folder *f);

/* Removes the sockets of the run folder whose names start with `prefix`. */
void folder_remove_sockets(const struct folder *f, const char *prefix);

/* Writes a file of mode 0600 in one step: who reads it sees the old or the new contents. 0, or -1 with the reason. */
int folder_write_file(const char *path, const char *contents, size_t len) __attribute__((warn_unused_result));

#endif
