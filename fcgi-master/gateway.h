/* The requests on rows: /insert, /select, /update, /delete, /map-reduce-count, /explain. Joins router, fanout and merge, which are
 * strangers to each other.
 *
 *     body → description of the table → shards (router) → calls (fanout) → one answer (merge)
 *
 * A description that turns out to be old is fetched anew, and the request goes through once more from there, as long as
 * nothing was written.
 */
#ifndef SHARDGATE_GATEWAY_H
#define SHARDGATE_GATEWAY_H

#include "common/http.h"

/* http_route's handlers. */
void gateway_insert(struct http *h, void *thread);
void gateway_select(struct http *h, void *thread);
void gateway_update(struct http *h, void *thread);
void gateway_delete(struct http *h, void *thread);
void gateway_count(struct http *h, void *thread);
void gateway_explain(struct http *h, void *thread);

#endif
