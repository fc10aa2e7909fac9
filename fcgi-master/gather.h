/* Rows of several shards become one answer's: joined, or merged as sorted streams, without doubles where the query says
 * distinct, cut by offset and limit. Each stream is read as far as it is needed, and no row is kept longer than it takes to
 * find its place; the rows themselves are passed on as the workers wrote them.
 *
 * Carries out PLAN_PLAIN and PLAN_MERGE (plan.h); knows nothing about HTTP or SQL.
 *
 * Both functions end in one of four ways: 0; -1 with `e` set; -1 with sink->gone; -1 with neither, and the part of a
 * stream has an error. With `allow_partial` a stream that is lost before its first row is left out, and its part keeps the error.
 */
#ifndef SHARDGATE_GATHER_H
#define SHARDGATE_GATHER_H

#include "common/cluster.h"
#include "common/err.h"
#include "fcgi-master/cursor.h"
#include "fcgi-master/plan.h"
#include "fcgi-master/rowsink.h"
#include "fcgi-master/rowstream.h"

#include <stdbool.h>
#include <stddef.h>

#define GATHER_MAX_MEMORY ((size_t)512 << 20) /* bytes of the keys that distinct keeps */

/* How a page ended. */
struct gather_end {
    bool more;          /* rows follow */
    struct cursor last; /* then its last row, if it has one */
};

/* Passes all rows on, stream after stream. */
int gather_join(struct rowstream *streams, size_t count, bool allow_partial, struct rowsink *sink)
    __attribute__((warn_unused_result));

/* Passes the merged rows on. At most limits->max_rows rows of shards are looked at, and limits->max_memory
 * bytes kept of those that differ: more is ERR_BAD_FIELD, which names the
 * setting. *end, whose cursor the caller has initialised, tells of a paged plan whether rows follow. */
int gather_merge(const struct plan *p, struct rowstream *streams, size_t count, const struct cluster_limits *limits, struct rowsink *sink,
                 struct gather_end *end, struct err *e) __attribute__((warn_unused_result));

#endif
