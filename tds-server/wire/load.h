/* A bulk load in a session: INSERT BULK prepares an INSERT, and the message of rows that follows runs it, once a row, as one
 * statement. Decoding is bulk.c's. */
#ifndef SHARDGATE_TDS_LOAD_H
#define SHARDGATE_TDS_LOAD_H

#include "tds-server/wire/answer.h"
#include "common/arena.h"
#include "tds-server/engine/engine.h"
#include "tds-server/wire/reader.h"

#include <stddef.h>
#include <stdint.h>

/* Lives in its session. */
struct load {
    struct engine_session *engine;
    struct answer *answer;
    int32_t handle; /* of the INSERT that INSERT BULK announced; 0 without */
    size_t columns;
};

/* INSERT BULK: prepares the INSERT that the rows of the next message go to, so that what is wrong with it is told now. */
void load_begin(struct load *l, const char *sql, size_t len, struct arena *a);
/* The message of rows. */
void load_rows(struct load *l, struct reader *r, struct arena *a);
/* Forgets what was announced. */
void load_forget(struct load *l);

#endif
