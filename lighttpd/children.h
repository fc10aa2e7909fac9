/* The processes that the launcher runs: started in sessions of their own, so that Ctrl-C reaches the launcher alone; started
 * again with growing pauses when they die; ended, with all that they started, when the launcher ends, even if it is killed.
 *
 * Knows nothing about what the processes are.
 */
#ifndef SHARDGATE_CHILDREN_H
#define SHARDGATE_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_MAX_ARGUMENTS 16
#define CHILD_FIRST_PAUSE_MS 200
#define CHILD_LONGEST_PAUSE_MS 5000
#define CHILD_STEADY_MS 10000 /* who lived this long starts with the shortest pause again */
#define CHILD_STOP_MS 8000    /* how long a process may take to end in peace, */
#define CHILD_TERMINATE_MS 4000 /* and after SIGTERM, which ends lighttpd at once, before it is killed */
#define CHILD_LOG_MAX (16 * 1024 * 1024) /* bytes; a log larger than this at a start is set aside as LOG.1 */

struct child {
    char *name;                          /* "tds-server go" */
    char *arguments[CHILD_MAX_ARGUMENTS]; /* the program's path first; NULL behind the last */
    char *log;                           /* the file that its output is appended to */
    char *socket_prefix;                 /* of its sockets, stale when it starts; NULL for none */
    int stop_signal;
    pid_t pid; /* 0 while it does not run; also its process group's id */
    pid_t group; /* of the last start: what it started may outlive it */
    int64_t started_ms;
    int64_t restart_ms; /* when it is to be started again; 0 for not */
    int pause_ms;
};

struct children {
    struct child *list;
    size_t count;
    const struct folder *folder;
    bool stopping;
    bool interrupted; /* SIGINT, SIGTERM or a SIGHUP that is not ignored came */
};

/* Blocks the signals that children_wait() waits for, and adopts orphans. */
int children_init(struct children *c, size_t max, const struct folder *folder) __attribute__((warn_unused_result));
void children_clear(struct children *c);

/* Adds a process, which is not started yet. Takes nothing: all texts are copied. `arguments` ends with NULL. */
struct child *children_add(struct children *c, const char *name, const char *log, int stop_signal, const char *socket_prefix,
                           const char *const *arguments);

/* Starts it. 0, or -1 with the reason on standard error. */
int children_start(struct children *c, struct child *child) __attribute__((warn_unused_result));

/* Waits up to `ms` (-1: for ever) for a signal or for the time to start a process again, and deals with it. Deaths are told
 * to standard error; with `restart` the dead are started again when their pause is over. */
void children_wait(struct children *c, int ms, bool restart);

/* Ends the processes first … last, all at once, and waits for them and what they started; terminates what is left
 * after CHILD_STOP_MS, and kills what is left after that, or when another signal comes. */
void children_stop(struct children *c, size_t first, size_t last);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t children_now_ms(void);

#endif
