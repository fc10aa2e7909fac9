/* HTTP/1.1 messages in memory (RFC 9112): the requests of a batch, and their answers.
 *
 *     POST /select HTTP/1.1 CRLF           HTTP/1.1 200 CRLF
 *     X-Batch-Id: 0 CRLF                   X-Batch-Id: 0 CRLF
 *     Content-Length: 2 CRLF CRLF {}       Content-Length: 2 CRLF CRLF {}
 *
 * A strict subset: one Content-Length is there, no other coding, no header comes twice, no line is folded, each ends with CR LF.
 * Knows nothing about what the headers mean, nor where the bytes come from.
 */
#ifndef SHARDGATE_MESSAGE_H
#define SHARDGATE_MESSAGE_H

#include "common/buf.h"

#include <stddef.h>

#define MESSAGE_MAX_HEADERS 16
#define MESSAGE_MAX_HEAD ((size_t)8 << 10)  /* bytes of the first line and the headers, with the empty line */
#define MESSAGE_MAX_BODY ((size_t)1 << 30)

struct message_text {
    const char *text; /* no NUL behind it */
    size_t len;
};

struct message_field {
    struct message_text name, value;
};

/* All points into the bytes that were read. */
struct message {
    struct message_text method, target; /* of a request: "POST", "/select" */
    int status;                         /* of an answer: 100 to 599 */
    struct message_field fields[MESSAGE_MAX_HEADERS]; /* Content-Length is among them */
    size_t field_count;
    struct message_text body;
    const char *wrong; /* what is malformed, for people: "a header without a name" */
};

/* Read the message that begins at `data`. 1 with the message and its length in *used; 0 when it needs more bytes than the
 * `len` that are there; -1 when it is malformed, or too large, whatever may follow: then out->wrong tells why. */
int message_read_request(const char *data, size_t len, struct message *out, size_t *used) __attribute__((warn_unused_result));
int message_read_answer(const char *data, size_t len, struct message *out, size_t *used) __attribute__((warn_unused_result));

/* The value of a header, whatever the case of its name; NULL when it is absent. Lives as long as the bytes. */
const struct message_text *message_header(const struct message *m, const char *name);

/* The header's value as a number from 0 to `max`; -1 when it is absent or anything else. */
long message_number(const struct message *m, const char *name, long max);

/* Append a message: message_begin_…, message_add for each header, message_end with its body; or message_end_head, and the body of that
 * length by other means. `value` ends before its first CR or LF. */
void message_begin_request(struct buf *out, const char *method, const char *target);
void message_begin_answer(struct buf *out, int status);
void message_add(struct buf *out, const char *name, const char *value);
void message_end_head(struct buf *out, size_t body_len);
void message_end(struct buf *out, const void *body, size_t len);

#endif
