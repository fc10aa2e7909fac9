/* What the API's answer to an insert says about its rows.
 *
 * Knows nothing about the file. What an answer does not say clearly is unknown, never taken for good.
 */
#ifndef SHARDGATE_ANSWER_H
#define SHARDGATE_ANSWER_H

#include "load/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_MAX_DETAIL 1024
#define ANSWER_NO_ROW SIZE_MAX

struct json_object;

enum answer_outcome { ANSWER_APPLIED, ANSWER_NOT_APPLIED, ANSWER_UNKNOWN };

struct answer_shard {
    size_t shard;
    const char *worker;   /* "" when the answer does not name it; lives as long as the answer */
    const char *database; /* "" as above */
    const char *detail;   /* "" as above */
    enum answer_outcome outcome;
    uint64_t rows; /* that were written; of an unknown outcome at least so many */
};

struct answer {
    bool loaded;  /* all rows */
    bool unknown; /* of some rows nobody knows whether they were written */
    bool again;   /* nothing was written, and the same request may succeed after wait_s */
    int wait_s;
    uint64_t rows;                  /* that were written, as far as it is known */
    size_t bad_row;                 /* the row, counted from 0, that the problem is about; else ANSWER_NO_ROW */
    char detail[ANSWER_MAX_DETAIL]; /* of a problem, without that row's name in front */
    char code[64];                  /* of a problem: "409 duplicate_key"; "" without one */
    char request_id[80];
    struct answer_shard *shards;
    size_t count;
    struct json_object *body;
};

/* Reads the answer to an insert of `rows` rows. Never fails: what cannot be read is unknown. The caller calls answer_clear(). */
void answer_read(const struct api_answer *from, uint64_t rows, struct answer *out);
void answer_clear(struct answer *a);

/* One worker of /metadata's answer: false when there is none with this index. The texts live as long as `metadata`. */
bool answer_worker(const struct json_object *metadata, size_t i, const char **name, const char **suffix);

#endif
