/* Writes the tokens of an answer (MS-TDS 2.2.7) in the client's dialect. Knows no session: it appends to a buffer. */
#ifndef SHARDGATE_TDS_TOKEN_H
#define SHARDGATE_TDS_TOKEN_H

#include "common/buf.h"
#include "tds-server/engine/engine.h"
#include "tds-server/wire/wiretype.h"

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_PROGRAM_NAME "Microsoft SQL Server" /* clients decide by it which SQL they may use */
#define TOKEN_SERVER_NAME  "shardgate"

enum token_done {
    TOKEN_DONE = 0xFD,
    TOKEN_DONEPROC = 0xFE,
    TOKEN_DONEINPROC = 0xFF,
};

enum token_done_status {
    DONE_MORE = 0x01,
    DONE_ERROR = 0x02,
    DONE_COUNT = 0x10,
    DONE_ATTENTION = 0x20,
    DONE_CUT_SHORT = 0x100, /* DONE_SRVERROR: what came of the result is to be discarded */
};

enum token_envchange {
    ENVCHANGE_DATABASE = 1,
    ENVCHANGE_LANGUAGE = 2,
    ENVCHANGE_PACKET_SIZE = 4,
    ENVCHANGE_COLLATION = 7,
    ENVCHANGE_BEGIN = 8,
    ENVCHANGE_COMMIT = 9,
    ENVCHANGE_ROLLBACK = 10,
    ENVCHANGE_RESET = 18,
};

void token_write_loginack(const struct dialect *d, struct buf *out);
/* FEATUREEXTACK: what of the client's features is on. */
void token_write_featureextack(const struct dialect *d, struct buf *out);

void token_write_envchange_text(enum token_envchange type, const char *to, const char *from, struct buf *out);
/* `from` and `to` are transaction descriptors, 0 for none; or a collation, from none. */
void token_write_envchange_transaction(enum token_envchange type, uint64_t to, uint64_t from, struct buf *out);
void token_write_envchange_collation(const struct dialect *d, struct buf *out);
void token_write_envchange_reset(struct buf *out);

/* ERROR for severities from 11 on, else INFO. */
void token_write_message(const struct dialect *d, const struct engine_message *m, struct buf *out);

/* COLMETADATA. `types` has a place for each column and is filled in: token_write_row needs it. */
void token_write_columns(const struct dialect *d, const struct engine_column *columns, size_t count,
                         struct wiretype *types, struct buf *out);

/* Begins ROW, or NBCROW when that is shorter; returns which. The values follow by wiretype_write_value, in an NBCROW
 * without the NULLs. */
bool token_write_row_start(const struct dialect *d, const struct wiretype *types, const struct value *values,
                           size_t count, struct buf *out);

void token_write_done(const struct dialect *d, enum token_done token, unsigned status, uint16_t command, uint64_t count,
                      struct buf *out);
void token_write_return_status(int32_t status, struct buf *out);
/* An output parameter. `name` with its @. */
void token_write_return_value(const struct dialect *d, uint16_t ordinal, const char *name, const struct value *v,
                              enum collation collation, struct buf *out);

#endif
