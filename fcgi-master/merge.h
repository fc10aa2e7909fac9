/* From the workers' answers to one. Rows are never re-read: raw pieces of the answers are spliced, so that every number
 * keeps its digits.
 *
 * Knows nothing about libcurl, routing or conditions. Each shard that was asked is one `struct merge_part`: either it has
 * the raw 200 answer, or an error. merge_accept() looks at each part once; then either merge_answer() writes the one
 * answer, or merge_problem() the one error, with what became of every shard.
 */
#ifndef SHARDGATE_MERGE_H
#define SHARDGATE_MERGE_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum merge_kind {
    MERGE_SELECT, /* rows, count, shards */
    MERGE_LINES,  /* the same without its rows: what ends an answer in lines (rowstream.h) */
    MERGE_WRITE,  /* rows_affected, shards */
    MERGE_COUNT,  /* total, map */
    MERGE_SCHEMA, /* shards; the answer is written by merge_schema */
    MERGE_EXPLAIN, /* shards; the answer is written by merge_explain */
    MERGE_DOCUMENT /* whatever stands in it: it is read where it was asked for */
};

struct merge_part {
    size_t shard;
    const char *worker;   /* borrowed, as all text here */
    const char *database; /* of what changes something: the logical database, for "database"; "" for reads */
    const char *suffix;   /* what the worker adds to it */
    const char *text;     /* the raw answer of a 200, of lines the object that ends them; NULL otherwise */
    size_t len;
    struct err err;           /* ERR_NONE: `text` is there */
    enum err_outcome applied; /* of a good part: what merge_problem counts it as; merge_accept sets it */
    bool unchanged;           /* MERGE_SCHEMA: nothing had to be done there */
    const char *note;         /* MERGE_SCHEMA: what happened to it afterwards ("undone"), or NULL */
    uint64_t taken;           /* MERGE_SELECT: rows that were read of it, for an answer that was not read to its end */
    struct json_slice rows;   /* in `text`, of merge_accept */
    struct json_slice number;
    struct json_slice list;
};

/* Reads a worker's problem document into *out: code, detail, outcome, retry, sql_error. When it is none, *out becomes
 * ERR_BAD_WORKER_ANSWER, of unknown outcome where `write` is set. `retry_after_s` is the header's. */
void merge_read_problem(int status, const char *text, size_t len, int retry_after_s, bool write, struct err *out);

/* The same of the problem document in a line that ends rows. */
void merge_read_failure(const char *text, size_t len, struct err *out);

/* Checks a part's answer: strict JSON with this kind's members. One that is not becomes the part's error. */
void merge_accept(struct merge_part *p, enum merge_kind kind);

/* The number in an accepted part's answer: of its rows, or what they count. */
uint64_t merge_count(const struct merge_part *p);

/* Writes the one answer out of `count` parts without errors (none is allowed, and gives an empty answer). With one part
 * that is its own answer, unchanged. Not for MERGE_SELECT of several. */
void merge_answer(const struct merge_part *parts, size_t count, enum merge_kind kind, struct buf *out);

/* What stands before a select's rows, and what behind them; where parts have errors the answer is not complete. `next` is
 * the cursor of the last row; "" for none. */
#define MERGE_SELECT_BEGIN "{\"status\":\"ok\",\"rows\":["
void merge_select_end(const struct merge_part *parts, size_t count, uint64_t rows, const char *next, struct buf *out);

/* Writes {"status":"ok","routing":{"reason":…},"shards":[…],"merge":STEPS}; `steps` is raw JSON. */
void merge_explain(const struct merge_part *parts, size_t count, const char *reason, const char *steps, struct buf *out);

/* Writes {"status":"ok","db_name":…,"table":…,"shards":[…]}; `table` may be NULL. */
void merge_schema(const struct merge_part *parts, size_t count, const char *db, const char *table, struct buf *out);

/* The one error of parts of which one at least has an error: the worst part's, whose detail names the worker when several
 * were asked. Its outcome is that of the whole: unknown where any part's is; applied where any part took effect (the
 * shards tell which did not); else not_applied. `shards` becomes the raw array of what became of each. */
void merge_problem(const struct merge_part *parts, size_t count, enum merge_kind kind, struct err *out,
                   struct buf *shards);

/* A worker names a row that it or its database refused at the beginning of the detail, by its index in what it was sent:
 * "data[3]: …". Returns what stands behind that and stores the index; NULL when there is no such beginning. */
const char *merge_row_index(const char *detail, size_t *index);

/* Makes the detail "NAME: REST"; `rest` is what merge_row_index returned of this error. */
void merge_rename_row(struct err *e, const char *rest, const char *name);

/* The rows that a good part of MERGE_WRITE says it has changed. */
uint64_t merge_rows_affected(const struct merge_part *p);

/* Does any part have an error? */
bool merge_failed(const struct merge_part *parts, size_t count);

/* Is each error the loss of a shard, and none the request's own fault? */
bool merge_only_lost(const struct merge_part *parts, size_t count);

#endif
