/* Partial aggregates of several shards become those of the whole, with T-SQL's result types and ranges: then having, order
 * and cut.
 *
 * Carries out a PLAN_REDUCE (plan.h); knows nothing about HTTP or SQL.
 */
#ifndef SHARDGATE_REDUCE_H
#define SHARDGATE_REDUCE_H

#include "common/cluster.h"
#include "common/err.h"
#include "fcgi-master/plan.h"
#include "fcgi-master/rowsink.h"
#include "fcgi-master/rowstream.h"

#include <stddef.h>

#define REDUCE_OVERFLOW 8115                /* SQL Server's error */

/* Reads all streams, then passes the answer's rows on. More than limits->max_groups groups (or distinct values of a count_distinct)
 * are ERR_BAD_FIELD, which names the setting; a sum outside its type's range is ERR_BAD_VALUE with sql_error 8115. Ends as
 * gather.h says. */
int reduce_rows(const struct plan *p, struct rowstream *streams, size_t count, const struct cluster_limits *limits, struct rowsink *sink,
                struct err *e) __attribute__((warn_unused_result));

#endif
