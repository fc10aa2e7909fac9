/* How a table differs from shard to shard, as JSON: what differs, in words, and what each shard has.
 *
 *     {"what":"type","column":"grade","detail":"column 'grade': type is INT on go, python; BIGINT on node",
 *      "shards":[{"shard":0,"worker":"go","value":"INT"},…]}
 *
 * `what` is one of
 *     database, table, column      is it there? true or false
 *     name                         how it is spelled
 *     type, nullable, default, collation   of one column, among the shards that have it; a type outside the contract's list is null
 *     order                        the columns in their order, where all shards have all of them, spelled alike
 *     shard_column, key
 *     description                  the tag, where it differs and nothing else does
 *
 * Works on descriptions alone; knows nothing about calls or answers.
 */
#ifndef SHARDGATE_VERIFY_DIFF_H
#define SHARDGATE_VERIFY_DIFF_H

#include "common/buf.h"
#include "fcgi-master/table.h"

#include <stdbool.h>
#include <stddef.h>

#define VERIFY_DIFF_MAX_TEXT ((size_t)16 << 20) /* bytes of what all shards have of one thing */

/* One shard's side of a comparison; all is borrowed. */
struct verify_side {
    size_t shard;
    const char *worker;
    const char *name;          /* how the shard spells the object; NULL: it has none */
    const struct table *table; /* its description of the table; NULL without one */
};

/* Appends the differences of a table, separated by commas, and returns how many there are. */
size_t verify_diff_table(const struct verify_side *sides, size_t count, struct buf *out);

/* The same for whether the shards have an object at all: `what` is "database" or "table". */
size_t verify_diff_presence(const char *what, const struct verify_side *sides, size_t count, struct buf *out);

/* Appends the first difference between two shards' tables in words; nothing where none is found. */
void verify_diff_explain(const struct verify_side sides[2], struct buf *out);

#endif
