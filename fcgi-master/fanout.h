/* HTTP calls to several workers at once. The one home of libcurl.
 *
 * Knows nothing about SQL, tables, or what an answer means. A write is never sent twice: what is repeated is a call of
 * which no byte was sent, and, once, a call marked repeatable, which libcurl may also send anew where a kept connection
 * turns out to be dead. One struct fanout belongs to one thread; its connections are kept between calls.
 *
 *     fanout_reset  →  fanout_add … fanout_add  →  fanout_run  →  fanout_answer …      (and again)
 *                                                                 └─ of a streamed answer: fanout_pull … fanout_pull
 *
 * A streamed answer (of the type that the call asked for) is read as it is pulled. What arrived and was not pulled yet is
 * bounded: beyond that libcurl does not read from the connection, and the worker waits. One pull drives all streams.
 */
#ifndef SHARDGATE_FANOUT_H
#define SHARDGATE_FANOUT_H

#include "common/cluster.h"
#include "fcgi-master/breaker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FANOUT_MAX_CALLS  CLUSTER_MAX_WORKERS /* between two resets */
#define FANOUT_AHEAD      ((size_t)4 << 20)   /* bytes that all streams together read ahead of their reader … */
#define FANOUT_MIN_AHEAD  ((size_t)16 << 10)  /* … and the least … */
#define FANOUT_MAX_AHEAD  ((size_t)256 << 10) /* … and the most for one of them */
#define FANOUT_CONNECT_MS 1000                /* for a connection, within the deadline */
#define FANOUT_IDLE_S     3   /* an idle connection older than this is not used again; lighttpd keeps it for longer */
#define FANOUT_MARGIN_MS  100 /* at most, and an eighth of the time: what the worker is told less */
#define FANOUT_MAX_DETAIL 256

/* The types of streamed answers. */
#define FANOUT_LINES    "application/x-ndjson" /* rows */
#define FANOUT_MESSAGES "application/http"     /* the answers to a batch */

enum fanout_result {
    FANOUT_NOT_SENT,       /* no byte of the request left: it had no effect */
    FANOUT_GIVEN_UP,       /* nor did one here: the worker's breaker is open … */
    FANOUT_FULL,           /* … or as many calls to it are under way as may */
    FANOUT_NO_ANSWER,      /* it was sent, in part at least, and no whole answer came */
    FANOUT_TOO_LONG,       /* it would have needed more memory than limits.max_memory allows */
    FANOUT_FOREIGN_ANSWER, /* an answer came, but not from the worker: its X-Shardgate header is missing or another's */
    FANOUT_ANSWERED,
    FANOUT_STREAMED        /* a 200 whose lines are to be pulled; some have arrived */
};

struct fanout_request {
    const char *path;       /* "/insert", with its query */
    const char *body;       /* NULL: a GET. Borrowed until the run has ended. */
    size_t len;
    const char *type;       /* the body's Content-Type; NULL: application/json */
    const char *token;      /* X-Master-Token, NULL for none */
    const char *request_id; /* X-Request-Id */
    const char *schema_tag; /* X-Shard-Schema, NULL for none */
    const char *key;        /* Idempotency-Key, NULL for none */
    int64_t deadline_us;    /* CLOCK_MONOTONIC; X-Timeout-Ms says less, so that the worker's own verdict arrives */
    bool repeatable;        /* it may run more than once: a read, or a write with a key */
    bool probe;             /* it finds out how the worker does: sent whatever the breaker says, and takes no place there */
    const char *stream;     /* asks for a streamed answer of this type; another is taken, too, and is whole. NULL: for a whole one */
};

struct fanout_answer {
    size_t worker;
    enum fanout_result result;
    bool timed_out;    /* the deadline passed; with FANOUT_NOT_SENT and FANOUT_NO_ANSWER */
    int status;        /* of an answer, else 0 */
    int retry_after_s; /* the header's seconds, 0 without it */
    bool replayed;     /* Idempotency-Replayed: true */
    const char *body;  /* never NULL; lives until the next reset; "" of a streamed answer */
    size_t len;
    int64_t elapsed_us;             /* repetitions included; of a streamed answer until it began */
    char detail[FANOUT_MAX_DETAIL]; /* what went wrong, naming no path; "" with FANOUT_ANSWERED */
};

struct fanout;

/* Once a process, before any thread: 0 or -1. */
int fanout_global_init(void) __attribute__((warn_unused_result));
void fanout_global_clear(void);

/* `cluster`, `rundir` and `breaker` are borrowed for the fanout's life. A worker is reached by the socket RUNDIR/NAME.http.sock while
 * that exists, else by TCP. NULL when memory ran out. fanout_free accepts NULL. */
struct fanout *fanout_new(const struct cluster *cluster, const char *rundir, struct breaker *breaker);
void fanout_free(struct fanout *f);

/* Forgets all calls and their answers. The connections stay, but those of streams that have not ended: they are closed,
 * and the workers stop. */
void fanout_reset(struct fanout *f);

/* May a call with this result have had an effect? */
bool fanout_was_sent(enum fanout_result result);

/* Adds a call to the next run. 0, or -1 when memory ran out or there are FANOUT_MAX_CALLS. */
int fanout_add(struct fanout *f, size_t worker, const struct fanout_request *rq) __attribute__((warn_unused_result));

/* Makes all calls added since the last run, at once, and returns when each has its result. The deadline holds until then. */
void fanout_run(struct fanout *f);

/* Instead of running it: what the one call that was added since the last run asks for, and the answer that it got by another way. The
 * answer's body is borrowed until the next reset. */
const struct fanout_request *fanout_added(const struct fanout *f);
void fanout_settle(struct fanout *f, const struct fanout_answer *answer);

/* What a worker is told of the time that is left for a call. */
int64_t fanout_told_ms(int64_t left_ms);

/* The calls since the last reset, in the order of fanout_add; those that were run. */
size_t fanout_count(const struct fanout *f);
const struct fanout_answer *fanout_answer(const struct fanout *f, size_t i);

/* Reads on in streamed answer `i`. Gives back the first `used` bytes of what the last pull gave (0 at first), and waits, no
 * longer than until `deadline_us`, for more behind the rest. 1 with all that is unread, the rest first; it lives until the
 * next call for `i`. 0 when the answer ended in order; -1 when it did not, and `result` and the detail say why. */
int fanout_pull(struct fanout *f, size_t i, size_t used, int64_t deadline_us, const char **data, size_t *len)
    __attribute__((warn_unused_result));

#endif
