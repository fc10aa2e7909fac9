/* Which rows of a table are on a shard where their key does not belong: the shard column of every row is read from every
 * shard, and the router says where such a row goes.
 *
 * Nothing is kept of a row but the first VERIFY_ROWS_SAMPLES that are misplaced. The shards' rows are read in turn, a row of each,
 * so that no stream stands still for longer than the slowest shard makes it.
 *
 * Time: each shard has the request's time to begin, and then as long for each further piece; how long all of it takes is the
 * tables' size.
 */
#ifndef SHARDGATE_VERIFY_ROWS_H
#define SHARDGATE_VERIFY_ROWS_H

#include "fcgi-master/exchange.h"
#include "fcgi-master/verify_diff.h"

#define VERIFY_ROWS_SAMPLES 10 /* a table */

/* Reads the rows of the sides that have the table, and appends what was found:
 *
 *     {"checked":true,"rows":3,"misplaced":1,"unrouted":0,"samples":[{"key":"1001","row":{"student_id":1001},
 *      "on":{"shard":1,"worker":"python"},"belongs_to":{"shard":0,"worker":"go"}}]}   or   {"checked":false,"reason":"…"}
 *
 * Rows whose shard column is NULL are `unrouted`: a shard_key, another column or the row's hash may have led them here. *misplaced
 * becomes their number. x->db is the database. -1 with x->err and x->shards set when a shard cannot be read. */
int verify_rows_check(struct exchange *x, const struct verify_side *sides, size_t count, uint64_t *misplaced, struct buf *out)
    __attribute__((warn_unused_result));

#endif
