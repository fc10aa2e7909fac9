/* What all operations of the worker share: one request from its body to its answer.
 *
 *     request_open ──> request_table ──> request_where ──> (the operation) ──> request_close
 *
 * Knows the fields that many paths have; the paths' own fields belong to operations.c and changes.c. All steps return 0,
 * or -1 with the error in `r->error`, which request_close() answers with, unless the operation has answered.
 */
#ifndef SHARDGATE_WORKER_REQUEST_H
#define SHARDGATE_WORKER_REQUEST_H

#include "common/buf.h"
#include "common/err.h"
#include "common/http.h"
#include "common/json.h"
#include "common/predicate.h"
#include "fcgi-worker/db.h"
#include "fcgi-worker/schema.h"

#include <stdbool.h>
#include <stdint.h>

#define REQUEST_MAX_ANSWER (1u << 20) /* bytes of an answer that is not streamed */

/* The process: the same for all threads, and unchanged once they run. */
struct worker {
    const char *name;
    const char *suffix;
    int shard;
    int timeout_ms; /* the longest deadline of a request */
    int64_t started_us;
    struct db_config db;
    struct schema_cache *schema;
    struct ledger *ledger; /* ledger.h */
    struct lanes *lanes;   /* lanes.h */
};

/* A thread's context: http.h's `thread`. */
struct worker_thread {
    const struct worker *worker;
    struct db *db;
};

struct request {
    struct http *h;
    const struct worker *worker;
    struct db *db;
    int64_t deadline_us;
    struct json_object *body;
    const char *lines;                 /* the raw body of a request whose body is no JSON object; NULL otherwise */
    size_t lines_len;
    const char *db_name;               /* logical */
    struct buf database;               /* physical: db_name and the worker's suffix */
    const char *table_name;            /* as the client spelled it */
    const struct schema_table *table;  /* after request_table() */
    struct predicate *where;           /* after request_where(); NULL for none */
    struct err error;
    bool fenced;   /* no earlier request with this one's key can take effect any more */
    bool replayed; /* a write that an earlier request with its key has done */
    bool answered;
};

/* Starts `r`, reads deadline and body, refuses members that are not in the NULL-terminated list `fields`, and reads
 * db_name. request_close() is due also after a failure. */
int request_open(struct request *r, struct http *h, void *thread, const char *const *fields) __attribute__((warn_unused_result));

/* The same for a request whose body is no JSON object: the members are those of the URL's query, and the body is left unread. */
int request_open_query(struct request *r, struct http *h, void *thread, const char *const *fields) __attribute__((warn_unused_result));

/* The same for a path about the whole server: db_name may be missing, and is NULL then. */
int request_open_server(struct request *r, struct http *h, void *thread, const char *const *fields) __attribute__((warn_unused_result));

/* Reads the member "table" into r->table_name. */
int request_table_name(struct request *r) __attribute__((warn_unused_result));
/* The same, then finds the table and compares X-Shard-Schema (ERR_SCHEMA_CHANGED). */
int request_table(struct request *r) __attribute__((warn_unused_result));

/* Reads "condition" and "params". With `required` (the request changes rows) a missing, null or blank
 * condition, or one that names no column, is ERR_UNSAFE_STATEMENT. */
int request_where(struct request *r, bool required) __attribute__((warn_unused_result));

/* Answers 200 (with Idempotency-Replayed where that is due) with what changes have to tell: db_name, with `table` the table, and this shard's outcome; `rows` is the
 * number of rows changed, or -1 for an answer without one. */
void request_answer_change(struct request *r, bool table, const char *outcome, int64_t rows);

/* Answers 200 with `json`, or ERR_INTERNAL when the buffer failed. */
void request_answer(struct request *r, const struct buf *json);

/* Answers with r->error if nothing has answered yet, and releases all. */
void request_close(struct request *r);

#endif
