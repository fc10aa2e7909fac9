/* The result of a select as JSON, streamed to the client in constant memory.
 *
 * Knows the types of the columns and the form of the answer; neither SQL nor ODBC. The framing of the rows stands apart
 * from the writing of one row (rows_write_row), so that another framing, such as one row a line, is a second caller of it.
 */
#ifndef SHARDGATE_WORKER_ROWS_H
#define SHARDGATE_WORKER_ROWS_H

#include "common/buf.h"
#include "common/err.h"
#include "common/http.h"
#include "fcgi-worker/db.h"
#include "fcgi-worker/statement.h"

#include <stdint.h>

#define ROWS_FLUSH 32768           /* bytes that are gathered before they are written */
#define ROWS_MAX_BUFFER (448u << 20) /* bytes of one row as JSON: a value of DB_MAX_VALUE may grow sixfold */

/* Appends the current row of `db` as a JSON object whose members are the statement's columns. */
int rows_write_row(struct db *db, const struct statement *s, struct buf *out, struct err *e) __attribute__((warn_unused_result));

/* Answers a select that db_query() started: {"status":"ok","rows":[…],"count":N,"complete":true,"shards":[…]}. -1 with the
 * error while nothing has been sent; 0 when the exchange is over, be it that the stream was aborted. The caller closes
 * the result. */
int rows_stream(struct http *h, struct db *db, const struct statement *s, int shard, const char *worker, struct err *e)
    __attribute__((warn_unused_result));

#endif
