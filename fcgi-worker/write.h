/* Runs the statements of a write: one by itself, several as one transaction, and with an Idempotency-Key just once.
 *
 * Knows nothing about what the statements are, or who answers.
 */
#ifndef SHARDGATE_WORKER_WRITE_H
#define SHARDGATE_WORKER_WRITE_H

#include "fcgi-worker/request.h"
#include "fcgi-worker/statement.h"

#include <stddef.h>
#include <stdint.h>

#define WRITE_ATTEMPTS 3 /* of a write with a key whose answers are lost, or that met a fence */

struct write_result {
    int64_t rows;    /* how many it has changed; a replayed one, when it first ran */
    size_t bad_row;  /* of a failure: which of the statements' rows the database refused; SIZE_MAX for none in particular */
};

/* All of the statements or none. 0, or -1 with r->error. r->replayed tells that an earlier request with this key did it. */
int write_run(struct request *r, const struct statement *items, size_t count, struct write_result *out)
    __attribute__((warn_unused_result));

#endif
