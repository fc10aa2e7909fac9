/* Rows of several shards become one answer's: a merge of sorted streams, without doubles where the query says distinct, cut
 * by offset and limit. The rows themselves are passed on as the workers wrote them.
 *
 * Carries out a PLAN_MERGE (plan.h); knows nothing about HTTP or SQL.
 */
#ifndef SHARDGATE_GATHER_H
#define SHARDGATE_GATHER_H

#include "common/buf.h"
#include "common/err.h"
#include "fcgi-master/cursor.h"
#include "fcgi-master/merge.h"
#include "fcgi-master/plan.h"

#include <stdbool.h>
#include <stddef.h>

#define GATHER_MAX_MEMORY ((size_t)512 << 20) /* bytes of the keys that distinct keeps */

/* How a page ended. */
struct gather_end {
    bool more;          /* rows follow */
    struct cursor last; /* then its last row, if it has one */
};

/* Appends the merged rows, separated by commas, to `out`. Parts with an error are passed over. At most `max_rows` rows of
 * shards are looked at: more is ERR_BAD_FIELD, which names the setting. ERR_BAD_WORKER_ANSWER for rows that are not what
 * was asked for. *end, whose cursor the caller has initialised, tells of a paged plan whether rows follow. */
int gather_rows(const struct plan *p, const struct merge_part *parts, size_t count, size_t max_rows, struct buf *out,
                size_t *rows, struct gather_end *end, struct err *e) __attribute__((warn_unused_result));

#endif
