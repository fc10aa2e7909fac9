#include "tds-server/wire/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SEVERITY_ERROR 11 /* and above; what is below is information */
#define SEVERITY_FATAL 20 /* and above: the connection ends */

void answer_init(struct answer *a, struct packet_stream *stream)
{
    *a = (struct answer){.stream = stream, .dialect = {.version = DIALECT_74}};
}

void answer_clear(struct answer *a)
{
    free(a->types);
    a->types = NULL;
    a->types_cap = 0;
}

/* --- tokens, and the DONE that is held --- */

static void write_held_done(struct answer *a, unsigned more)
{
    unsigned status = more;
    status |= a->held.error ? DONE_ERROR : 0;
    status |= a->held.has_count ? DONE_COUNT : 0;
    token_write_done(&a->dialect, a->held_token, status, a->held.command, a->held.count, &a->stream->pending);
    a->done_held = false;
}

/* What was held has something behind it now. */
struct buf *answer_token(struct answer *a)
{
    if (a->done_held) {
        write_held_done(a, DONE_MORE);
    }
    return &a->stream->pending;
}

void answer_done(struct answer *a, enum token_done token, const struct engine_done *done)
{
    answer_token(a);
    a->held = *done;
    a->held.error |= a->error_open;
    a->held_token = token;
    a->done_held = true;
    a->error_open = false;
}

void answer_begin(struct answer *a, enum token_done statement_done)
{
    a->statement_done = statement_done;
    a->done_held = false;
    a->error_open = false;
    a->last_error = 0;
}

int answer_finish(struct answer *a)
{
    if (!a->done_held || a->error_open) {
        answer_done(a, TOKEN_DONE, &(struct engine_done){0});
    }
    write_held_done(a, 0);
    return packet_finish(a->stream);
}

/* DONE_ERROR would promise an ERROR token: jTDS takes one without as a failure that nobody asked for. */
int answer_cut_short(struct answer *a)
{
    token_write_done(&a->dialect, TOKEN_DONE, DONE_CUT_SHORT, 0, 0, answer_token(a));
    return packet_finish(a->stream);
}

/* A message of its own, also when the attention cut an answer short: some clients wait for both. */
int answer_attention(struct answer *a)
{
    token_write_done(&a->dialect, TOKEN_DONE, DONE_ATTENTION, 0, 0, answer_token(a));
    return packet_finish(a->stream);
}

static void write_message(struct answer *a, const struct engine_message *m)
{
    token_write_message(&a->dialect, m, answer_token(a));
    if (m->severity >= SEVERITY_ERROR) {
        a->error_open = true;
        a->last_error = m->number;
        a->fatal |= m->severity >= SEVERITY_FATAL;
    }
}

void answer_message(struct answer *a, int number, int severity, int state, const char *text)
{
    const struct engine_message m = {.number = number, .severity = severity, .state = state, .line = 1, .text = text};
    write_message(a, &m);
}

void answer_error(struct answer *a, enum answer_error number, int severity, const char *format, ...)
{
    char text[ANSWER_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    answer_message(a, (int)number, severity, 1, text);
}

/* --- the engine's sink --- */

/* A cancelled request says nothing more, not even why it ended: DONE_ATTN does. */
bool answer_is_cancelled(const struct answer *a)
{
    return atomic_load_explicit(&a->cancelled, memory_order_relaxed);
}

int answer_columns(struct answer *a, const struct engine_column *columns, size_t count)
{
    if (answer_is_cancelled(a)) {
        return -1;
    }
    if (count > a->types_cap) {
        struct wiretype *types = realloc(a->types, count * sizeof *types);
        if (types == NULL) {
            answer_error(a, ERROR_MEMORY, 17, "There is insufficient system memory to run this query.");
            return -1;
        }
        a->types = types;
        a->types_cap = count;
    }
    token_write_columns(&a->dialect, columns, count, a->types, answer_token(a));
    return packet_drain(a->stream);
}

static int on_columns(void *arg, const struct engine_column *columns, size_t count)
{
    struct answer *a = arg;
    return a->muted ? 0 : answer_columns(a, columns, count);
}

static int on_row(void *arg, const struct value *values, size_t count)
{
    struct answer *a = arg;
    if (a->muted) {
        return 0;
    }
    if (answer_is_cancelled(a)) {
        return -1;
    }
    struct buf *out = answer_token(a);
    bool skip_nulls = token_write_row_start(&a->dialect, a->types, values, count, out);
    for (size_t i = 0; i < count; i++) {
        if (skip_nulls && values[i].null) {
            continue;
        }
        wiretype_write_value(&a->types[i], &values[i], out);
        if (packet_drain(a->stream) != 0) {
            return -1;
        }
    }
    return packet_drain(a->stream);
}

static int on_done(void *arg, const struct engine_done *done)
{
    struct answer *a = arg;
    if (a->muted) {
        return 0;
    }
    if (answer_is_cancelled(a)) {
        return -1;
    }
    answer_done(a, a->statement_done, done);
    return packet_drain(a->stream);
}

static int on_message(void *arg, const struct engine_message *m)
{
    struct answer *a = arg;
    if (a->muted && m->severity < SEVERITY_ERROR) {
        return 0;
    }
    if (answer_is_cancelled(a)) {
        return -1;
    }
    write_message(a, m);
    return packet_drain(a->stream);
}

/* What changed is told in any case: the client must know its database and its transaction. */

static int on_database(void *arg, const char *from, const char *to)
{
    struct answer *a = arg;
    token_write_envchange_text(ENVCHANGE_DATABASE, to, from, answer_token(a));
    return answer_is_cancelled(a) ? -1 : packet_drain(a->stream);
}

static int on_transaction(void *arg, int type, uint64_t from, uint64_t to)
{
    struct answer *a = arg;
    if (a->dialect.version >= DIALECT_72) {
        token_write_envchange_transaction((enum token_envchange)type, to, from, answer_token(a));
    }
    return answer_is_cancelled(a) ? -1 : packet_drain(a->stream);
}

struct engine_sink answer_sink(struct answer *a)
{
    return (struct engine_sink){
        .columns = on_columns,
        .row = on_row,
        .done = on_done,
        .message = on_message,
        .database = on_database,
        .transaction = on_transaction,
        .arg = a,
    };
}
