/* The plan of a select over several shards: what each shard is asked, and how their answers become one.
 *
 *     plain     rows in any order: each shard is asked the client's own body, the rows are joined
 *     merge     order_by, limit, offset, after, distinct: each shard sorts and cuts, the master merges sorted rows
 *     reduce    aggregates, group_by: each shard answers partial aggregates of its groups, the master adds them up,
 *               then having, order and cut
 *
 * A select that comes down to one shard has no plan of its own, unless it is a page: the worker computes all of it. Knows nothing about HTTP
 * or libcurl; gather.h and reduce.h carry plans out.
 */
#ifndef SHARDGATE_PLAN_H
#define SHARDGATE_PLAN_H

#include "common/buf.h"
#include "common/collate.h"
#include "common/err.h"
#include "common/json.h"
#include "common/query.h"
#include "fcgi-master/cursor.h"
#include "fcgi-master/table.h"

#include <stdbool.h>
#include <stddef.h>

#define PLAN_MAX_BODY ((size_t)64 << 20) /* bytes of what a shard is asked */
#define PLAN_NONE SIZE_MAX

enum plan_kind { PLAN_PLAIN, PLAN_MERGE, PLAN_REDUCE };

struct plan {
    enum plan_kind kind;
    const struct query *q;     /* resolved; borrowed */
    struct query_table columns; /* the table as queries see it; borrowed */
    const struct table *table;
    bool paged;      /* merge: the order is total, and one row more than the page is asked for: does any follow? */
    const struct cursor *from; /* of a page: what stands before it; borrowed */
    struct buf body; /* what each shard is asked; empty: the client's own body */
    size_t width;    /* members of a row of a shard's answer */
    size_t order_members[QUERY_MAX_PART_ORDER]; /* merge: where the keys of order_by stand in a row */
    /* reduce: the first members are the groups; where each aggregate's part stands (of count_distinct its value; of avg
     * the sum, the count being the next member) */
    size_t part_members[QUERY_MAX_AGGREGATES];
    bool cut_by_shards; /* reduce: each shard was asked for the first groups only */
};

/* The columns of a table as query_resolve() wants them. */
struct query_table plan_columns(const struct table *t);

/* Is a resolved query a page, of which cursors can be made? Then its order becomes total: by the table's key behind what
 * order_by says, without one by all columns, with distinct by all that is shown. A query is a page when it has a limit (or
 * `after`) and the rows can be so ordered. A table without a key has pages with an order_by only: else a mere limit would sort all. ERR_BAD_FIELD for `after` where they cannot. */
int plan_page(struct query *q, const struct table *t, bool *paged, struct err *e) __attribute__((warn_unused_result));

/* Makes the plan of a resolved query. `body` is the client's. `from` is for pages: what stands before this one; NULL for all
 * else. All is borrowed for the plan's life. The caller calls plan_clear, also after a failure; a zeroed struct is
 * accepted there. */
int plan_make(struct plan *p, const struct query *q, const struct table *t, const struct json_object *body,
              const struct cursor *from, struct err *e)
    __attribute__((warn_unused_result));
void plan_clear(struct plan *p);

/* How values of a column compare in groups and conditions. What is sorted, and min and max, go by COLLATION_BIN2. */
enum collation plan_collation(const struct plan *p, size_t column);

/* May rows of one shard be alike in all that a page is ordered by? */
bool plan_has_repeats(const struct plan *p);

/* The number of rows that limit and offset let through at all, SIZE_MAX for any. */
size_t plan_rows_needed(const struct query *q);

/* Appends the merge steps as a JSON array of sentences. */
void plan_write_steps(const struct plan *p, struct buf *out);

#endif
