/* Watches the clients of running requests from a thread of its own: one that sends an attention or goes away has its
 * request cancelled, until it ends. Knows sockets, and nothing of sessions but a function to call.
 *
 * The thread looks at the busy sockets every WATCH_INTERVAL_MS, and sleeps while there are none: a short request costs two
 * uncontended locks and no system call.
 */
#ifndef SHARDGATE_TDS_WATCH_H
#define SHARDGATE_TDS_WATCH_H

#include <stdbool.h>

#define WATCH_INTERVAL_MS 20

struct watch;

/* Lives in its session; all but `fd`, `encrypted`, `cancel` and `arg` belongs to the watch. */
struct watch_entry {
    int fd;
    bool encrypted;            /* the bytes cannot be told apart: any of them cancels */
    void (*cancel)(void *arg); /* called by the watch's thread, again and again until watch_remove */
    void *arg;
    bool given_up;
    struct watch_entry *next;
    struct watch_entry *previous;
};

/* Starts the thread. 0, or -1 with errno. */
int watch_start(struct watch **out) __attribute__((warn_unused_result));
/* Stops it; no entry may be left. NULL is accepted. */
void watch_stop(struct watch *w);

/* Between the two the entry's socket is watched. When watch_remove returns, cancel is not running and will not be called. */
void watch_add(struct watch *w, struct watch_entry *e);
void watch_remove(struct watch *w, struct watch_entry *e);

/* From now on a closed socket does not cancel: the server itself closes them to stop. */
void watch_ignore_closed(struct watch *w);

/* Cancels all requests that run now. */
void watch_cancel_all(struct watch *w);

#endif
