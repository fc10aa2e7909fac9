#include "tds-server/wire/packet.h"

#include <string.h>

#define DRAIN_FROM  ((size_t)32 << 10)  /* bytes of an answer that are worth a system call before its end */
#define KEEP_MEMORY ((size_t)256 << 10) /* a buffer that grew larger for one answer is given back */

void packet_stream_init(struct packet_stream *s, struct transport *t)
{
    *s = (struct packet_stream){.transport = t, .packet_size = PACKET_SIZE_DEFAULT, .packet_id = 1};
    buf_init(&s->pending, PACKET_PENDING_MAX);
    buf_init(&s->framed, DRAIN_FROM + 2 * PACKET_SIZE_MAX);
}

void packet_stream_clear(struct packet_stream *s)
{
    buf_clear(&s->pending);
    buf_clear(&s->framed);
}

/* --- in --- */

/* Waits until `len` bytes (at most a packet) are in the input. */
static enum packet_result fill(struct packet_stream *s, size_t len)
{
    if (s->input_at > 0 && len > sizeof s->input - s->input_at) {
        memmove(s->input, s->input + s->input_at, s->input_end - s->input_at);
        s->input_end -= s->input_at;
        s->input_at = 0;
    }
    while (s->input_end - s->input_at < len) {
        ssize_t got = s->transport->read(s->transport, s->input + s->input_end, sizeof s->input - s->input_end);
        if (got <= 0) {
            return PACKET_CLOSED;
        }
        s->input_end += (size_t)got;
    }
    return PACKET_OK;
}

enum packet_result packet_wait(struct packet_stream *s)
{
    return fill(s, 1);
}

static bool is_request(unsigned type)
{
    static const unsigned char types[] = {PACKET_BATCH,       PACKET_RPC,    PACKET_ATTENTION, PACKET_BULK,
                                          PACKET_TRANSACTION, PACKET_LOGIN7, PACKET_SSPI,      PACKET_PRELOGIN};
    return memchr(types, (int)type, sizeof types) != NULL;
}

enum packet_result packet_read_message(struct packet_stream *s, size_t max, struct message *out)
{
    bool too_long = false;
    bool first = true;
    buf_reset(&out->data);
    for (;;) {
        enum packet_result result = fill(s, PACKET_HEADER);
        if (result != PACKET_OK) {
            return result;
        }
        const unsigned char *header = s->input + s->input_at;
        unsigned type = header[0];
        unsigned status = header[1];
        size_t len = (size_t)header[2] << 8 | header[3];
        if (!is_request(type) || len < PACKET_HEADER || len > PACKET_SIZE_MAX) {
            return PACKET_MALFORMED;
        }
        result = fill(s, len);
        if (result != PACKET_OK) {
            return result;
        }
        const unsigned char *data = s->input + s->input_at + PACKET_HEADER;
        s->input_at += len;
        if (s->input_at == s->input_end) {
            s->input_at = s->input_end = 0;
        }

        if (first || (type == PACKET_ATTENTION && out->type != PACKET_ATTENTION)) {
            /* An attention in the middle of a message gives the message up. */
            out->type = (enum packet_type)type;
            out->status = status & (PACKET_RESET | PACKET_RESET_SKIP);
            buf_reset(&out->data);
            too_long = false;
            first = false;
        } else if ((unsigned)out->type != type) {
            return PACKET_MALFORMED;
        }
        if (len - PACKET_HEADER > max - out->data.len) {
            too_long = true;
            buf_clear(&out->data);
        }
        if (!too_long) {
            buf_append(&out->data, data, len - PACKET_HEADER);
        }
        if ((status & PACKET_END) != 0) {
            out->status |= status & PACKET_IGNORE;
            return too_long || buf_status(&out->data) != 0 ? PACKET_TOO_LONG : PACKET_OK;
        }
    }
}

/* The byte after the last message, when it is here; else -1. */
static int next_byte(const struct packet_stream *s)
{
    if (s->input_end > s->input_at) {
        return s->input[s->input_at];
    }
    return s->transport->peek != NULL ? s->transport->peek(s->transport) : -1;
}

bool packet_has_attention(const struct packet_stream *s)
{
    return next_byte(s) == PACKET_ATTENTION;
}

bool packet_has_input(const struct packet_stream *s)
{
    return next_byte(s) >= 0;
}

/* --- out --- */

/* Sends `len` bytes of the answer's start as packets; `end` marks the last as the message's. */
static int send_packets(struct packet_stream *s, size_t len, bool end)
{
    size_t room = s->packet_size - PACKET_HEADER;
    size_t at = 0;
    do {
        buf_reset(&s->framed);
        do {
            size_t part = len - at < room ? len - at : room;
            bool last = end && at + part == len;
            unsigned char header[PACKET_HEADER] = {
                PACKET_REPLY,
                last ? PACKET_END : 0,
                (unsigned char)((part + PACKET_HEADER) >> 8),
                (unsigned char)(part + PACKET_HEADER),
                (unsigned char)(s->spid >> 8),
                (unsigned char)s->spid,
                s->packet_id++,
            };
            buf_append(&s->framed, header, sizeof header);
            buf_append(&s->framed, s->pending.data + at, part);
            at += part;
        } while (at < len && s->framed.len < DRAIN_FROM);
        if (buf_status(&s->framed) != 0 || s->transport->write(s->transport, s->framed.data, s->framed.len) != 0) {
            return -1;
        }
    } while (at < len);
    return 0;
}

/* Sends all whole packets, or all there is when the answer is at its end. */
static int flush(struct packet_stream *s, bool end)
{
    size_t room = s->packet_size - PACKET_HEADER;
    size_t len = end ? s->pending.len : s->pending.len / room * room;
    if (buf_status(&s->pending) != 0) {
        s->broken = true; /* part of a token may be missing: the client must not see the answer end well */
    }
    if (!s->broken && (len > 0 || end) && send_packets(s, len, end) != 0) {
        s->broken = true;
    }
    if (s->broken) {
        buf_clear(&s->pending);
        return -1;
    }
    size_t rest = s->pending.len - len;
    if (rest > 0) {
        memmove(s->pending.data, s->pending.data + len, rest);
    }
    if (s->pending.data != NULL) {
        buf_truncate(&s->pending, rest);
    }
    if (rest == 0 && s->pending.cap > KEEP_MEMORY) {
        buf_clear(&s->pending);
    }
    return 0;
}

int packet_drain(struct packet_stream *s)
{
    if (s->pending.len < DRAIN_FROM && buf_status(&s->pending) == 0) {
        return s->broken ? -1 : 0;
    }
    return flush(s, false);
}

int packet_finish(struct packet_stream *s)
{
    int result = flush(s, true);
    s->packet_id = 1;
    return result;
}
