/* The requests on databases and tables: /create-db, /drop-db, /create-table, /delete-table.
 *
 * A change is checked on every shard before it is made on any. Shards that already are as they should be (after an
 * earlier request that failed half way) are left alone, so that a repeat completes the change. When making it fails on one
 * shard, what this request created on the others is dropped again; what it dropped cannot come back, and the answer
 * says on which shards that was.
 */
#ifndef SHARDGATE_SCHEMA_H
#define SHARDGATE_SCHEMA_H

#include "common/http.h"

/* http_route's handlers. */
void schema_create_db(struct http *h, void *thread);
void schema_drop_db(struct http *h, void *thread);
void schema_create_table(struct http *h, void *thread);
void schema_delete_table(struct http *h, void *thread);

#endif
