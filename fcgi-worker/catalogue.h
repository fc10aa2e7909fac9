/* What there is on this shard: its databases by their logical names, and their tables. It is how the master learns of tables that
 * nobody asked it for.
 *
 * Knows the rule for names and the worker's suffix; nothing about what the tables are made of (schema.h).
 */
#ifndef SHARDGATE_WORKER_CATALOGUE_H
#define SHARDGATE_WORKER_CATALOGUE_H

#include "common/http.h"

#define CATALOGUE_MAX_ANSWER (16u << 20) /* bytes: some 100,000 names */

/* http_route's handler of POST /catalogue. Without db_name it lists the databases whose names end in the worker's suffix, but
 * those that no db_name can name; with it, that database's tables, but the worker's own. The tables' descriptions are
 * forgotten, so that a /describe that follows sees what stands in the database now. */
void catalogue_list(struct http *h, void *thread);

#endif
