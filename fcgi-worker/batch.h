/* POST /batch: several requests in one, each answered as if it had come alone (docs/worker-contract.md).
 *
 * The body is read to its end before the first part starts: what is malformed does nothing. Parts run side by side (lanes.h), and
 * their answers go out in the order in which they end. Knows nothing about what the parts ask for.
 */
#ifndef SHARDGATE_WORKER_BATCH_H
#define SHARDGATE_WORKER_BATCH_H

#include "common/http.h"

#define BATCH_MAX_PARTS 64
#define BATCH_MAX_ANSWER HTTP_HELD     /* bytes of rows in a part's answer; more is 413, to be asked for alone */
#define BATCH_PASS_US 2000 /* answers that end within this time of each other go out together: each time wakes lighttpd and the master */

/* A handler for struct http_route. */
void batch_answer(struct http *h, void *thread);

#endif
