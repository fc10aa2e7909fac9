/* RAISERROR and THROW: errors and information of the batch's own making. */
#include "tds-server/engine/exec.h"

#include "tds-server/functions/typing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_VALUES 23       /* of RAISERROR: message, severity, state and 20 arguments */
#define USER_MESSAGE 50000  /* the number of RAISERROR with a text; THROW's lowest */
#define MAX_SEVERITY 18     /* what is above needs WITH LOG, and from 20 on ends the connection */
#define MAX_STATE 255

/* A value as the message wants it. */
struct argument {
    bool null, text;
    int64_t integer;
    char bytes[FAULT_MAX_TEXT];
};

static int use_value(struct run *r, const struct value *v, void *arg)
{
    struct argument *a = arg;
    enum type_class class = typing_class(v->type.kind);
    *a = (struct argument){.null = v->null, .text = class == TYPE_STRING, .integer = v->integer};
    if (class > TYPE_BIT && class != TYPE_STRING)
        return fault_set(&r->session->fault, 2748, typing_name(v->type.kind));
    size_t len = v->null || !a->text ? 0 : v->bytes.len;
    if (len >= sizeof a->bytes) {
        len = sizeof a->bytes - 1;
        while (len > 0 && ((unsigned char)v->bytes.data[len] & 0xC0) == 0x80)
            len--;
    }
    if (len > 0)
        memcpy(a->bytes, v->bytes.data, len);
    return 0;
}

/* Appends what %d, %s … stands for. -1: 2786 for an argument of another kind, 2787 for what is no format. */
static int write_argument(struct engine_session *s, char type, const struct argument *a, struct buf *out)
{
    bool number = strchr("diuxXo", type) != NULL;
    if (!number && type != 's') {
        char shown[3] = {'%', type, '\0'};
        return fault_set(&s->fault, 2787, shown);
    }
    if (!a || a->null)
        buf_append_text(out, "(null)");
    else if (a->text == number)
        return fault_set(&s->fault, 2786);
    else if (type == 's')
        buf_append_text(out, a->bytes);
    else if (type == 'u')
        buf_printf(out, "%" PRIu32, (uint32_t)a->integer);
    else if (type == 'x')
        buf_printf(out, "%" PRIx32, (uint32_t)a->integer);
    else if (type == 'X')
        buf_printf(out, "%" PRIX32, (uint32_t)a->integer);
    else if (type == 'o')
        buf_printf(out, "%" PRIo32, (uint32_t)a->integer);
    else
        buf_printf(out, "%" PRId64, a->integer);
    return 0;
}

/* RAISERROR's text with its arguments put in. */
static int write_message(struct engine_session *s, const char *format, const struct argument *args, size_t count, struct buf *out)
{
    size_t n = 0;
    for (const char *p = format; *p != '\0'; p++) {
        if (*p != '%') {
            buf_append_char(out, *p);
        } else if (p[1] == '%') {
            buf_append_char(out, *p++);
        } else {
            if (write_argument(s, *++p, n < count ? &args[n] : NULL, out) < 0)
                return -1;
            n++;
        }
    }
    return buf_status(out) < 0 ? fault_set(&s->fault, FAULT_MEMORY) : 0;
}

/* Severities up to 10 inform, others are the statement's error. */
static int tell_or_fail(struct run *r, const struct tsql_statement *st, int severity, int state, const char *text)
{
    struct engine_session *s = r->session;
    if (severity > 10)
        return fault_set_text(&s->fault, USER_MESSAGE, severity, state, st->line, text);
    struct engine_message m = {.number = USER_MESSAGE, .severity = severity, .state = state, .line = st->line, .text = text};
    if (transaction_settle(s) < 0)
        return -1;
    if (s->sink.message(s->sink.arg, &m) == 0)
        return 0;
    r->stopped = true;
    return fault_set(&s->fault, FAULT_CANCELLED);
}

static int clamp_state(int64_t state)
{
    return state < 0 ? 1 : state > MAX_STATE ? MAX_STATE : (int)state;
}

int exec_raise(struct run *r, const struct tsql_statement *st)
{
    struct engine_session *s = r->session;
    struct argument args[MAX_VALUES];
    struct buf text;
    size_t count = 0;
    for (const struct tsql_expr *e = st->values; e; e = e->next) {
        if (count == MAX_VALUES)
            return fault_set(&s->fault, 2747, MAX_VALUES - 3);
        if (exec_evaluate(r, e, use_value, &args[count++]) < 0)
            return -1;
    }
    bool throws = st->kind == TSQL_THROW;
    const struct argument *message = &args[throws ? 1 : 0], *number = &args[throws ? 0 : 1], *state = &args[2];
    if (!message->text && !message->null)
        return fault_set(&s->fault, FAULT_UNSUPPORTED, throws ? "THROW without a text" : "RAISERROR of a message's number");
    if (number->text || state->text)
        return fault_set(&s->fault, 102, st->values->next ? "," : "");
    if (throws) {
        if (number->null || number->integer < USER_MESSAGE || number->integer > INT32_MAX)
            return fault_set(&s->fault, 35100, (int)number->integer);
        r->returned = true;
        return fault_set_text(&s->fault, (int)number->integer, 16, clamp_state(state->integer), st->line, message->bytes);
    }
    if (number->integer > MAX_SEVERITY)
        return fault_set(&s->fault, FAULT_UNSUPPORTED, "RAISERROR of a severity above 18");
    buf_init(&text, FAULT_MAX_TEXT * MAX_VALUES);
    int result = write_message(s, message->bytes, args + 3, count - 3, &text);
    if (result == 0)
        result = tell_or_fail(r, st, number->integer < 0 ? 0 : (int)number->integer, clamp_state(state->integer), buf_text(&text));
    buf_clear(&text);
    return result;
}
