/* One load, top to bottom: rows out of a source, requests of a bounded size to the API one after another, and what the
 * answers say summed up.
 *
 * A request ends before the next one begins, so that all that can ever be in doubt is one request's rows. It is no longer than what
 * the gateway sends to a shard at once, unless the user wants longer ones: so each shard writes all its rows of it in one
 * transaction, and what of it is written is written for whole shards. One stream of all rows would be a little faster, but when
 * the way to the gateway broke, nobody could say anything about any row. A request is sent again only when an answer said that nothing of it was
 * written and that it may be tried again, or when no byte of it went out.
 */
#ifndef SHARDGATE_LOADER_H
#define SHARDGATE_LOADER_H

#include "load/answer.h"
#include "load/source.h"
#include "load/tally.h"

#include <stdbool.h>
#include <stdint.h>

#define LOADER_ROWS 4000                /* of a request */
#define LOADER_MAX_ROWS 1000000
#define LOADER_BYTES ((size_t)1 << 20)  /* of a request of LOADER_ROWS or less: behind the row that passes it no other is put in */
#define LOADER_MAX_BYTES ((size_t)64 << 20) /* the same for longer ones */
#define LOADER_RETRIES 3
#define LOADER_MAX_RETRIES 1000

struct loader_options {
    const char *url;
    const char *db;
    const char *table;
    const char *file; /* "-": standard input */
    struct source_options source;
    uint64_t rows;    /* of a request */
    int retries;
    bool quiet;
};

enum loader_end {
    LOADER_COMPLETE,  /* every row is in its database */
    LOADER_NO_FILE,   /* nothing was done: no such file */
    LOADER_BAD_USAGE, /* nothing was done: --columns or --url is wrong */
    LOADER_BAD_START, /* nothing was done: the file's columns' names are wrong */
    LOADER_NO_API,    /* nothing was done: no gateway there */
    LOADER_STOPPED,   /* by the user; what was sent has its answer */
    LOADER_BAD_ROW,   /* the file is wrong at some place; all before it is in */
    LOADER_REFUSED,   /* the last request's rows were not written */
    LOADER_PARTLY,    /* some shards have their rows of the last request, others do not */
    LOADER_UNKNOWN,   /* nobody knows whether all rows of the last request were written */
};

struct loader_result {
    enum loader_end end;
    struct tally tally;
    uint64_t elapsed_ms;
    uint64_t first_line; /* of the file: where the first row of the failed request begins, or the first that was not sent */
    uint64_t last_line;  /* where its last row begins */
    uint64_t rows;       /* that the failed request has */
    uint64_t bad_line;   /* of the row that the answer complains about; 0 when it names none */
    struct answer answer; /* to the failed request */
    char message[ANSWER_MAX_DETAIL + 512]; /* what is wrong, where no answer says it */
};

/* Loads. *result is filled in always; the caller calls loader_clear(). */
void loader_run(const struct loader_options *options, struct loader_result *result);
void loader_clear(struct loader_result *result);

#endif
