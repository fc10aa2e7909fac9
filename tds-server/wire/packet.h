/* TDS packets and messages (MS-TDS 2.2.3.1): reads packets and joins them to messages, cuts answers into packets of the
 * negotiated size. Knows nothing about what the messages say.
 *
 *     struct transport <── packet.c ──> struct message (whole, up to MESSAGE_MAX)
 */
#ifndef SHARDGATE_TDS_PACKET_H
#define SHARDGATE_TDS_PACKET_H

#include "common/buf.h"
#include "tds-server/wire/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_HEADER       8
#define PACKET_SIZE_MIN     512
#define PACKET_SIZE_MAX     32767
#define PACKET_SIZE_DEFAULT 4096
#define MESSAGE_MAX         ((size_t)64 << 20)  /* bytes of a request, without headers */
#define MESSAGE_LOGIN_MAX   ((size_t)64 << 10)  /* before login */
#define PACKET_PENDING_MAX  ((size_t)512 << 20) /* bytes of an answer that wait to be sent: one row's value at most */

enum packet_type {
    PACKET_BATCH = 1,
    PACKET_RPC = 3,
    PACKET_REPLY = 4,
    PACKET_ATTENTION = 6,
    PACKET_BULK = 7,
    PACKET_TRANSACTION = 14,
    PACKET_LOGIN7 = 16,
    PACKET_SSPI = 17,
    PACKET_PRELOGIN = 18,
};

enum packet_status {
    PACKET_END = 0x01,        /* the message's last */
    PACKET_IGNORE = 0x02,     /* the client gave the message up */
    PACKET_RESET = 0x08,      /* RESETCONNECTION: reset the session first */
    PACKET_RESET_SKIP = 0x10, /* the same, but keep the transaction */
};

/* A message from the client. */
struct message {
    enum packet_type type;
    unsigned status; /* PACKET_IGNORE of the last packet, the reset bits of the first */
    struct buf data;
};

struct packet_stream {
    struct transport *transport;
    size_t packet_size; /* of packets sent, header included */
    uint16_t spid;
    uint8_t packet_id;  /* of the next one of this answer */
    bool broken;        /* a write failed: the rest of the answer is dropped */
    struct buf pending; /* of the answer, not yet cut into packets */
    struct buf framed;  /* scratch: packets about to be sent */
    unsigned char input[PACKET_SIZE_MAX];
    size_t input_at;
    size_t input_end;
};

enum packet_result {
    PACKET_OK,
    PACKET_CLOSED,    /* the client went away, or its time is over */
    PACKET_MALFORMED, /* not TDS: nothing more can be read */
    PACKET_TOO_LONG,  /* the message was read to its end, and dropped */
};

void packet_stream_init(struct packet_stream *s, struct transport *t);
void packet_stream_clear(struct packet_stream *s);

/* Waits until a message begins. */
enum packet_result packet_wait(struct packet_stream *s) __attribute__((warn_unused_result));
/* Waits for a whole message of at most `max` bytes. The caller made `out->data` with buf_init; its contents are replaced. */
enum packet_result packet_read_message(struct packet_stream *s, size_t max, struct message *out)
    __attribute__((warn_unused_result));

/* Has an attention been read together with the message before it? The socket shows it no more. */
bool packet_has_attention(const struct packet_stream *s);
/* Has anything been read beyond the last message? */
bool packet_has_input(const struct packet_stream *s);

/* Tokens are appended to s->pending. This sends what fills whole packets, once it is worth a system call. 0, or -1 when
 * the client cannot be reached. */
int packet_drain(struct packet_stream *s);
/* Sends the rest, the last packet marked as such. The next answer starts anew. */
int packet_finish(struct packet_stream *s);

#endif
