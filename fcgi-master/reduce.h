/* Partial aggregates of several shards become those of the whole, with T-SQL's result types and ranges: then having, order
 * and cut.
 *
 * Carries out a PLAN_REDUCE (plan.h); knows nothing about HTTP or SQL.
 */
#ifndef SHARDGATE_REDUCE_H
#define SHARDGATE_REDUCE_H

#include "common/buf.h"
#include "common/err.h"
#include "fcgi-master/merge.h"
#include "fcgi-master/plan.h"

#include <stddef.h>

#define REDUCE_MAX_MEMORY ((size_t)2 << 30) /* bytes of the groups of one answer */
#define REDUCE_OVERFLOW 8115                /* SQL Server's error */

/* Appends the answer's rows, separated by commas, to `out`. Parts with an error are passed over. More than `max_groups` groups
 * (or distinct values of a count_distinct) are ERR_BAD_FIELD, which names the setting; a sum outside its type's range is
 * ERR_BAD_VALUE with sql_error 8115; ERR_BAD_WORKER_ANSWER for rows that are not what was asked for. */
int reduce_rows(const struct plan *p, const struct merge_part *parts, size_t count, size_t max_groups, struct buf *out,
                size_t *rows, struct err *e) __attribute__((warn_unused_result));

#endif
