/* The answer to one request: where the engine's results become tokens, in an order that the protocol allows. Keeps the one
 * thing that needs care: a DONE says whether more follows, so each is held back until that is known. Knows no request.
 *
 *     answer_begin ─> (columns row… done | message | …)… ─> answer_finish
 */
#ifndef SHARDGATE_TDS_ANSWER_H
#define SHARDGATE_TDS_ANSWER_H

#include "tds-server/engine/engine.h"
#include "tds-server/wire/packet.h"
#include "tds-server/wire/token.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ANSWER_ERROR_TEXT_MAX 4096

/* Errors that the wire itself reports. */
enum answer_error {
    ERROR_SYNTAX = 102,
    ERROR_PROCEDURE_PARAMETER = 214,
    ERROR_MEMORY = 701,
    ERROR_MALFORMED = 4002,
    ERROR_NO_DATABASE = 4060,
    ERROR_BULK_ROWS = 4804,
    ERROR_TOO_MANY_PARAMETERS = 8144,
    ERROR_MISSING_PARAMETER = 8178,
    ERROR_NO_CURSOR = 16955,
    ERROR_TOO_MANY_CONNECTIONS = 17809,
    ERROR_UNTRUSTED = 18452,
    ERROR_LOGIN_FAILED = 18456,
    ERROR_NOT_SUPPORTED = 40510,
};

/* Lives in its session. */
struct answer {
    struct packet_stream *stream;
    struct dialect dialect;
    atomic_bool cancelled; /* may be set by another thread; then results are dropped */

    enum token_done statement_done; /* what ends a statement: DONE in a batch, DONEINPROC in an RPC */
    bool done_held;
    enum token_done held_token;
    struct engine_done held;
    bool error_open;    /* an error that no DONE has told of yet */
    bool fatal;         /* an error so severe that the connection ends behind the answer */
    int32_t last_error; /* the number of the newest error, 0 for none; the caller may reset it */

    /* While the session runs statements of its own making: their results are not the client's; errors are. */
    bool muted;

    struct wiretype *types; /* of the result set under way */
    size_t types_cap;
};

void answer_init(struct answer *a, struct packet_stream *stream);
void answer_clear(struct answer *a);

void answer_begin(struct answer *a, enum token_done statement_done);
/* Ends the answer; nothing goes out without a last DONE. 0, or -1 when the client cannot be reached. */
int answer_finish(struct answer *a);
/* Ends an answer that an attention has cut, so that it does not look whole. */
int answer_cut_short(struct answer *a);
/* A whole answer: the acknowledgement of an attention. */
int answer_attention(struct answer *a);

bool answer_is_cancelled(const struct answer *a);

/* The callbacks through which an engine's session writes into the answer. */
struct engine_sink answer_sink(struct answer *a);

/* The buffer for one token more, of the caller's own. */
struct buf *answer_token(struct answer *a);
void answer_done(struct answer *a, enum token_done token, const struct engine_done *done);
void answer_message(struct answer *a, int number, int severity, int state, const char *text);
void answer_error(struct answer *a, enum answer_error number, int severity, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* COLMETADATA, for a statement that is only described. 0, or -1 as the engine's callbacks. */
int answer_columns(struct answer *a, const struct engine_column *columns, size_t count);

#endif
