/* The result of a select as JSON, streamed to the client in constant memory.
 *
 * Knows the types of the columns and the two forms of the answer; neither SQL nor ODBC.
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
#define ROWS_MAX_NAMES (4u << 20)   /* bytes of the columns' names as JSON */
#define ROWS_MAX_BUFFER (448u << 20) /* bytes of one row as JSON: a value of RESULT_MAX_VALUE may grow sixfold */

enum rows_form {
    ROWS_DOCUMENT, /* {"status":"ok","rows":[…],"count":N,"complete":true,"shards":[…]} */
    ROWS_LINES     /* a row a line, then ["end",{"count":N,"complete":true,"shards":[…]}] or ["failed",PROBLEM] */
};

struct rows_answer {
    enum rows_form form;
    int shard;
    const char *worker;
    int64_t deadline_us; /* of the first rows; behind them each wait may take as long as the request had for these */
};

/* Answers a select that db_query() started. -1 with the error while nothing has been sent; 0 when the exchange is over, be it
 * that the stream was cut. The caller closes the result, which ends what is still to be read of it. */
int rows_stream(struct http *h, struct db *db, const struct statement *s, const struct rows_answer *a, struct err *e)
    __attribute__((warn_unused_result));

#endif
