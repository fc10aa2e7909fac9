/* GET /verify: do the shards have the same tables, and is each row on the shard where its key belongs? It looks and changes nothing.
 *
 *     /catalogue of every shard ──> databases ──> /catalogue of each ──> tables ──> /describe of each ──> verify_diff ──> verify_rows
 *
 * The URL's query may name one `db_name`, and one `table` of it; with rows=false only the schemas are compared.
 *
 * Every shard must answer: what nobody looked at must not pass for right. Time: each question has the request's time for itself; there is
 * no limit for all of them together. Memory: the names of one database at a time, and the answer.
 */
#ifndef SHARDGATE_VERIFY_H
#define SHARDGATE_VERIFY_H

#include "common/http.h"

#define VERIFY_MAX_ANSWER ((size_t)64 << 20) /* bytes */

/* http_route's handler. One at a time for a master: a second is ERR_TOO_BUSY. */
void verify_cluster(struct http *h, void *thread);

#endif
