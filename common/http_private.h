/* What http's files share: http.c (an exchange: its request, its answer, its route), http_fcgi.c (exchanges that come by FastCGI),
 * http_part.c (those that come as messages of another's body) and http_serve.c (the threads). For those, and the fuzz target that
 * feeds an exchange from memory.
 */
#ifndef SHARDGATE_HTTP_PRIVATE_H
#define SHARDGATE_HTTP_PRIVATE_H

#include "common/http.h"

#define HTTP_HEADERS_MAX (32 * 1024) /* bytes of an answer's headers that the handler adds */

/* Where an exchange's request comes from and its answer goes to. */
struct http_port {
    /* As http_header. */
    const char *(*header)(const struct http *h, const char *name);
    /* Reads bytes of the body: `size`, or fewer with errno set: EAGAIN when nothing came for `idle_ms` (0: as long as it takes). */
    int (*read)(struct http *h, void *to, int size, int idle_ms);
    /* Sends the header, those of h->headers included. `length` is that of the whole body, or -1 when the body is streamed; `type` may be
     * NULL. -1 when the answer cannot go out any more. */
    int (*head)(struct http *h, int status, const char *type, int64_t length);
    int (*put)(struct http *h, const void *data, size_t len); /* the next bytes of the body, so too */
    int (*flush)(struct http *h);
    bool (*takes_more)(const struct http *h); /* as http_takes_more */
};

enum http_state { STATE_OPEN, STATE_HELD, STATE_STREAMING, STATE_DONE, STATE_BROKEN };

struct http {
    const struct http_app *app;
    const struct http_port *port;
    void *source;   /* the port's own */
    bool is_part;   /* of a batch, whose guard has let it through */
    enum http_state state;
    int status;
    int64_t started_us;
    const char *method;
    const char *query;
    struct buf path;
    struct buf body;
    struct buf headers; /* those that the handler added */
    struct buf held;    /* the beginning of a streamed answer, in STATE_HELD */
    const char *type;   /* its Content-Type */
    struct json_object *tree;
    uint64_t body_read; /* by http_body_text and http_body_read */
    bool waits_limited; /* those for more of the body */
    size_t unwaited;    /* bytes of the answer since its reader was last waited for */
    bool slow;          /* the reader has let it wait: it has one of the places for such */
    char request_id[HTTP_REQUEST_ID_MAX + 1];
    unsigned char random[256]; /* for the next request ids, … */
    size_t random_left;        /* … of which as many are unused */
};

/* Between http_init and http_clear a thread has one `h` for all its requests, one after the other. `port` and `source` are borrowed. */
void http_init(struct http *h, const struct http_app *app, const struct http_port *port, void *source);
void http_clear(struct http *h);

/* One request: http_open with what its first line says (borrowed), http_answer to find its route and have it answered or broken
 * off, http_close to release its body. `started_us`: when it was accepted. */
void http_open(struct http *h, const char *method, const char *target, int64_t started_us);
void http_answer(struct http *h, void *thread);
void http_close(struct http *h);

/* Takes one of the program's places for slow readers, which the exchange keeps to its end. 0, or -1 when there is none. */
int http_become_slow(struct http *h) __attribute__((warn_unused_result));

/* The Content-Length; 0 without one. */
unsigned long long http_body_length(const struct http *h);

/* FastCGI: the port, whose `source` is an FCGX_Request; http_open with the parameters of a request that was accepted; http_close, once what
 * is left of the body was read and the answer has gone, or was broken off. */
extern const struct http_port http_fcgi_port;
void http_fcgi_open(struct http *h);
void http_fcgi_close(struct http *h);

#endif
