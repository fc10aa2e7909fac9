/* The handler of /insert: rows of a JSON body, or as lines (application/x-ndjson). All are checked before the first is sent, and
 * written in one transaction.
 *
 *     body → rows (json_fields) → statements (statement_inserts) → one transaction (db)
 */
#ifndef SHARDGATE_WORKER_INSERT_H
#define SHARDGATE_WORKER_INSERT_H

struct http;

#define INSERT_LINES_TYPE "application/x-ndjson"

void insert_rows(struct http *h, void *thread);

#endif
