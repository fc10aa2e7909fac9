/* From keys and conditions to shards: FNV-1a-32 of the canonical key text, modulo the number of shards.
 *
 * Knows the condition's grammar and the column types, and nothing about HTTP, libcurl or answers. Works on a table's
 * description only, so that the same request always gets the same shards.
 */
#ifndef SHARDGATE_ROUTER_H
#define SHARDGATE_ROUTER_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "common/predicate.h"
#include "fcgi-master/shardset.h"
#include "fcgi-master/table.h"

#include <stddef.h>
#include <stdint.h>

#define ROUTER_MAX_KEY (4000 * 4) /* bytes of a canonical key: what an NVARCHAR(4000) holds, in UTF-8, and more */

/* What a row's key came from, in the order in which they are looked for. */
enum router_source {
    ROUTER_SHARD_KEY,
    ROUTER_SHARD_COLUMN,
    ROUTER_STUDENT_ID,
    ROUTER_USER_ID,
    ROUTER_ROW_HASH /* the row's canonical JSON is hashed; `text` is the hash, 8 hex digits */
};

struct router_key {
    enum router_source source;
    struct buf text; /* canonical */
    size_t shard;
};

void router_key_init(struct router_key *key);
void router_key_clear(struct router_key *key);

/* "shard_key", "shard_column", "student_id", "user_id", "row_hash". */
const char *router_source_name(enum router_source source);

/* The shard of a canonical key text. `shards` is at least 1. */
size_t router_shard(const void *text, size_t len, size_t shards);

/* The shard that the body's `shard_key` names, canonical by the shard column's type. ERR_BAD_FIELD for a value that the
 * column cannot hold. The caller calls router_key_clear, also after a failure. */
int router_shard_key(const struct table *t, size_t shards, const struct json_object *shard_key, struct router_key *out,
                     struct err *e) __attribute__((warn_unused_result));

/* The shard of one row to insert, which messages call `row_name` ("data[3]"). `shard_key` is the body's or NULL. ERR_SHARD_KEY_MISMATCH where shard_key and the row's
 * own shard column differ; ERR_BAD_VALUE where the row's value does not fit its column; ERR_MISSING_FIELD where the shard
 * column would get its value from a default, which the row then could not be found by. */
int router_row(const struct table *t, size_t shards, const struct json_object *row, const char *row_name,
               const struct json_object *shard_key, struct router_key *out, struct err *e)
    __attribute__((warn_unused_result));

/* The shard of a row whose value in the shard column was converted to its type already (sqltype_convert). */
int router_stored(const struct table *t, size_t shards, const struct sqlvalue *stored, struct router_key *out, struct err *e)
    __attribute__((warn_unused_result));

/* The shards on which the condition (its parameters bound) may be true for some row. Never leaves out a shard that has
 * such a row; empty for a condition that is a contradiction on the shard column. */
struct shardset router_condition(const struct table *t, size_t shards, const struct predicate *p);

/* ERR_UNKNOWN_COLUMN unless the table has every column that the condition names. */
int router_check_columns(const struct table *t, const struct predicate *p, struct err *e)
    __attribute__((warn_unused_result));

#endif
