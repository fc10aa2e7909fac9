/* Which TCP socket a library has opened that does not tell: what is there afterwards, and was not before.
 *
 * Knows nothing about the library. The caller sees to it that nobody else opens a TCP socket meanwhile; that others are closed, or
 * sockets of other kinds opened, does no harm.
 */
#ifndef SHARDGATE_WORKER_NEWSOCKET_H
#define SHARDGATE_WORKER_NEWSOCKET_H

#include <stddef.h>
#include <sys/types.h>

#define NEWSOCKET_MAX 1024 /* TCP sockets of the process; with more none is found */

struct newsocket {
    ino_t known[NEWSOCKET_MAX];
    size_t count;
};

/* Notes what is there. */
void newsocket_note(struct newsocket *n);

/* A descriptor of the caller's own (close it) for the one TCP socket that is there since; -1 where there is none, or not just one. */
int newsocket_find(const struct newsocket *n) __attribute__((warn_unused_result));

#endif
