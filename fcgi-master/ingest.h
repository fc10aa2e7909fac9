/* /insert of rows as lines (application/x-ndjson): a stream of any length in constant memory.
 *
 *     body → lines (common/lines) → checked, routed → batches, one a shard → a round of calls, one transaction a batch
 *
 * While a thread of its own has a round sent and waits for it, the next round is read. Each shard gets its rows in the order of
 * the stream, a batch after the other, so that what it has when a stream ends early is the beginning of its rows, in whole
 * batches. Nothing of a round is sent before all its lines were found good.
 */
#ifndef SHARDGATE_INGEST_H
#define SHARDGATE_INGEST_H

#include "common/http.h"

#define INGEST_TYPE    "application/x-ndjson"
#define INGEST_PIECE   ((size_t)64 << 10) /* bytes of the body that are read at a time */
#define INGEST_IDLE_MS 20000              /* how long a client may send nothing; lighttpd gives up after 30 s */

/* http_route's handler, for requests of this type. At most half of the master's threads do this at a time: more is ERR_TOO_BUSY. */
void ingest_lines(struct http *h, void *thread);

#endif
