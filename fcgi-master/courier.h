/* Requests for one worker that gather while a call to it is under way, and go together when it returns: one POST /batch instead of
 * many calls. docs/worker-contract.md has its form. Each keeps its own deadline, key and outcome.
 *
 *     courier_carry ── nothing under way at the worker, or no crowd there ──> false: the caller asks by itself, then courier_returned
 *           └── wait ── taken by a courier ── its answer came ──────────────> true
 *                 └── what is under way takes longer than calls do ─────────> false
 *
 * Where there is no crowd, nothing waits; a lone request that follows one waits for COURIER_REST_US at most, a few times. Couriers are threads of their own, a few for each worker, which sleep while nobody waits. Knows
 * nothing about what is asked. A request that may not be sent twice is sent once.
 */
#ifndef SHARDGATE_COURIER_H
#define SHARDGATE_COURIER_H

#include "common/buf.h"
#include "common/cluster.h"
#include "fcgi-master/breaker.h"
#include "fcgi-master/fanout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COURIER_THREADS     2                  /* for each worker: while one waits for a slow request, the other carries on */
#define COURIER_MAX_PARTS   64                 /* requests in one batch */
#define COURIER_MAX_BODY    ((size_t)64 << 10) /* bytes of a request that is carried: a longer one is worth a call of its own */
#define COURIER_MAX_BATCH   ((size_t)1 << 20)  /* bytes of a batch to which another request may still be added */
#define COURIER_PATIENCE_US 20000              /* the longest that a request waits for what is under way to return, and … */
#define COURIER_HASTE_US    1000               /* … the shortest; between them it is twice the time that a call takes */
#define COURIER_CROWD       10                 /* requests that are at a worker at once before any waits: to gather fewer costs more than it saves */
#define COURIER_REST_US     2000               /* when a call has returned, most of as many as there were at once lately are waited for: half as long as a call takes, and no longer than this */
#define COURIER_UNABLE_US   60000000           /* a worker that has no /batch is sent the next one after so long */

struct courier;

/* Starts the threads. All is borrowed for the courier's life; `token` is the workers'. NULL when memory or threads ran out. */
struct courier *courier_start(const struct cluster *cluster, const char *rundir, const char *token, struct breaker *breaker);

/* Ends the threads; nobody may be in courier_carry. NULL is fine. */
void courier_stop(struct courier *c);

/* True: the request was carried, and *answer is what became of it; its body is in `body`, which the caller owns and has emptied.
 * False: it is the caller's to send, now; nothing of it has been sent, or it may be repeated. courier_returned is due after
 * that call, with the time that it took. */
bool courier_carry(struct courier *c, size_t worker, const struct fanout_request *rq, struct fanout_answer *answer, struct buf *body);
void courier_returned(struct courier *c, size_t worker, int64_t elapsed_us);

#endif
