/* The processes that the launcher runs: started in sessions of their own, so that Ctrl-C reaches the launcher alone; started
 * again with growing pauses when they die, or replaced by new ones without losing a request; ended when the
 * launcher ends, even if it is killed.
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
#define CHILD_MAX_ENVIRONMENT 8
#define CHILD_BACKLOG 4096 /* connections that wait at a socket; the kernel's net.core.somaxconn may say less */
#define CHILD_FIRST_PAUSE_MS 200
#define CHILD_LONGEST_PAUSE_MS 5000
#define CHILD_STEADY_MS 10000 /* who lived this long starts with the shortest pause again */
#define CHILD_POLL_MS 10
#define CHILD_STOP_MS 8000    /* how long a process may take to end in peace, */
#define CHILD_TERMINATE_MS 4000 /* and after SIGTERM, which ends lighttpd at once, before it is killed */
#define CHILD_LOG_MAX (16 * 1024 * 1024) /* bytes; a log larger than this at a start is set aside as LOG.1 */

/* What to run. */
struct child_spec {
    const char *name;                  /* "tds-server go" */
    const char *log;                   /* the file that its output is appended to */
    int stage;                         /* stages are stopped one after the other, the last one first */
    int stop_signal;
    const char *socket;                /* the Unix socket that it serves as its descriptor 0; NULL for none */
    const char *const *arguments;      /* the program's path first; NULL behind the last */
    const char *const *environment;    /* "NAME=value", beside what is inherited; NULL behind the last, or NULL for none */
};

struct child {
    char *name, *log, *socket;
    char *arguments[CHILD_MAX_ARGUMENTS];
    char *environment[CHILD_MAX_ENVIRONMENT];
    int stage, stop_signal;
    int listener; /* the socket, open for as long as we live: while nobody serves it, connections wait; -1 for none */
    int ready;    /* where the newest process says that it serves; -1 once it did, or for none */
    pid_t pid;     /* 0 while it does not run */
    pid_t leaving; /* the process before it, which ends its last requests; 0 for none */
    int64_t started_ms; /* 0 before the first start */
    int64_t restart_ms; /* when it is to be started again; 0 for not */
    int pause_ms;
};

struct children {
    struct child *list;
    size_t count;
    bool stopping;
    bool interrupted; /* SIGINT, SIGTERM or a SIGHUP that is not ignored came */
    bool reload;      /* SIGUSR1 came; whoever reloads clears it */
};

/* Room for `max` processes. Blocks the signals that children_wait() waits for. 0 or -1. */
int children_init(struct children *c, size_t max) __attribute__((warn_unused_result));
void children_clear(struct children *c);

/* Adds a process, which is not started yet. Takes nothing: all texts are copied. */
struct child *children_add(struct children *c, const struct child_spec *spec);

/* Starts it. 0, or -1 with the reason on standard error. */
int children_start(struct child *child) __attribute__((warn_unused_result));

/* Waits up to `ms` (-1: for ever) for a signal or for the time to start a process again, and deals with it. Deaths are told
 * to standard error; with `restart` the dead are started again when their pause is over. */
void children_wait(struct children *c, int ms, bool restart);

/* Starts a process beside the one that runs, on the same socket, and once it serves lets the old one end its requests and
 * go. 0; -1 with the reason on standard error when the new one does not serve within `ms`: then the old one goes on. */
int children_replace(struct children *c, struct child *child, int ms) __attribute__((warn_unused_result));

/* Ends all processes, stage by stage and the last stage first: all of a stage at once; terminates what is left after
 * CHILD_STOP_MS, and kills what is left after that, or when another signal comes. */
void children_stop(struct children *c);

#endif
