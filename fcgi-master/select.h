/* The answer of a /select: rows go from the shards' streams to the client as they come.
 *
 *     exchange_run: each shard has begun, or failed  →  join, merge or reduce  →  http_write
 *
 * Nothing goes out before each shard has begun to answer; until then, and for as long as http holds the first rows back, a
 * failure is a problem document. Later it cuts the answer. When all rows that are needed are there, or the client is gone,
 * the streams are closed, and the workers stop.
 *
 * Time: the request's deadline holds until the first byte goes out. Then each wait for a worker may take as long as the
 * request had at first, and a reader may be as slow as it is.
 */
#ifndef SHARDGATE_SELECT_H
#define SHARDGATE_SELECT_H

#include "common/query.h"
#include "fcgi-master/cursor.h"
#include "fcgi-master/exchange.h"
#include "fcgi-master/plan.h"

/* Answers out of x->parts, which exchange_run() of a streamed question has filled in; parts with errors are left out, and the
 * answer is not complete then. `plan` is that of several shards (or none); zeroed for one shard, whose answer is passed on. `seal` is for pages.
 * 0 when the request is answered, be it that the answer was cut; -1 with x->err and x->shards set and nothing sent. */
int select_answer(struct exchange *x, const struct plan *plan, const struct query *q, const struct cursor_seal *seal)
    __attribute__((warn_unused_result));

#endif
