/* A thread for each worker that asks it for its health every second or so, and tells the breaker. While something seems wrong it
 * asks more often, so that a worker that comes back is used again soon.
 *
 * The one place that opens a breaker nobody's requests run into, and the one that closes it.
 */
#ifndef SHARDGATE_PROBE_H
#define SHARDGATE_PROBE_H

#include "common/cluster.h"
#include "fcgi-master/breaker.h"
#include "fcgi-master/fanout.h"

#include <stdbool.h>
#include <stddef.h>

#define PROBE_EVERY_MS    1000 /* between two probes of a worker that is well */
#define PROBE_RETRY_MS    250  /* behind a probe that failed, and while the breaker is open */
#define PROBE_JITTER_MS   250  /* at most, on top of either, so that several masters do not ask in step */
#define PROBE_TIMEOUT_MS  2000 /* for the worker and its database together */

struct probes;

/* Starts the threads, with all signals blocked. All is borrowed until probe_stop. NULL when memory or threads ran out.
 * probe_stop accepts NULL; it stops the breaker, and waits for the threads, PROBE_TIMEOUT_MS at most. */
struct probes *probe_start(const struct cluster *cluster, const char *rundir, struct breaker *breaker);
void probe_stop(struct probes *p);

/* Does an answer to GET /health say that the worker and its database are well? */
bool probe_is_well(const struct fanout_answer *a);

/* Tells the breaker what a probe found, and the log when that turned it. */
void probe_tell(struct breaker *b, const struct cluster *cluster, const struct fanout_answer *a);

#endif
