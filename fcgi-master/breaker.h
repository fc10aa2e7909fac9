/* What the master's threads know together of each worker: whether it lives, how many of their calls are under way at it, and how many
 * calls to it may still be repeated. So one sick shard costs its own requests and no others'.
 *
 *                 BREAKER_FAILURES in a row
 *      closed ───────────────────────────────> open        closed: calls go to the worker, as many at once as may
 *         ^                                      │         open:   none does; each is refused at once
 *         └────────── a probe that is well ──────┘
 *
 * An open breaker is closed by probes alone: no request of a client is sent to find out. Knows nothing about HTTP: fanout asks
 * for places, exchange tells what answers say of the worker's health, probe finds out where nobody asks. All functions may be called
 * from any thread. Times are microseconds of CLOCK_MONOTONIC.
 */
#ifndef SHARDGATE_BREAKER_H
#define SHARDGATE_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BREAKER_FAILURES      3   /* in a row open the breaker */
#define BREAKER_PATIENCE_MS   900 /* a call that was given up sooner, as its client wished, says nothing of the worker */
#define BREAKER_SLOW_MS       100 /* a worker that lets a call wait for longer is slow: then half as many calls as have places wait for one */
#define BREAKER_WAIT_MS       250 /* how long a call waits for a place; none does at a worker that has answered nobody for as long */
#define BREAKER_RETRY_PERCENT 10  /* of the repeatable calls to a worker may be repetitions … */
#define BREAKER_RETRY_BURST   10  /* … and so many more at once */

struct breaker;

/* What a call's end says of the worker's health. */
enum breaker_sight {
    BREAKER_NEUTRAL, /* nothing: the request's own error, or its client was in a hurry */
    BREAKER_GOOD,
    BREAKER_BAD      /* no connection, no answer, an answer that is not the worker's, or its database is down */
};

enum breaker_verdict {
    BREAKER_PASS, /* the caller has a place, which it gives back by breaker_leave */
    BREAKER_OPEN, /* the worker is given up until a probe reaches it */
    BREAKER_FULL  /* as many calls as may are under way at it */
};

/* What /health shows of a worker. */
struct breaker_view {
    bool open;
    unsigned failures;  /* in a row */
    int64_t since_us;   /* when the state began */
    int under_way;      /* calls, streams that are being read included */
    int waiting;        /* calls that wait for a place */
    uint64_t refused;   /* calls that were not sent, since the start */
};

/* How many calls may be under way at one worker: half of the threads, at least one. */
int breaker_share(int threads);

/* For `workers` workers, all closed at `now_us`, with `places` calls at once for each. NULL when memory ran out. breaker_free
 * accepts NULL; nobody may be waiting in it. */
struct breaker *breaker_new(size_t workers, int places, int64_t now_us);
void breaker_free(struct breaker *b);

/* Asks for a place at a worker. Where all are taken, the call waits for one, as long and as many as the constants say; with
 * `wait` false none does. `repeatable` calls earn what breaker_may_repeat spends. */
enum breaker_verdict breaker_enter(struct breaker *b, size_t worker, bool repeatable, bool wait, int64_t now_us);
void breaker_leave(struct breaker *b, size_t worker);

/* The worker has answered a call, or begun to, after `waited_us`. */
void breaker_answered(struct breaker *b, size_t worker, int64_t waited_us, int64_t now_us);

/* May a repeatable call that failed be sent once more? */
bool breaker_may_repeat(struct breaker *b, size_t worker);

/* What a call, or a probe, has seen of the worker, `elapsed_us` after it was asked. What went wrong with a question from before the
 * newest good answer is old news, and passed over. True when the sight opened or closed the breaker. */
bool breaker_saw(struct breaker *b, size_t worker, enum breaker_sight sight, int64_t elapsed_us, int64_t now_us);
bool breaker_probed(struct breaker *b, size_t worker, bool good, int64_t elapsed_us, int64_t now_us);

void breaker_look(struct breaker *b, size_t worker, struct breaker_view *out);

/* For the thread that probes a worker: waits until `until_us`, or until the breaker opens. False once breaker_stop was called. */
bool breaker_wait(struct breaker *b, size_t worker, int64_t until_us);
void breaker_stop(struct breaker *b);

#endif
