/* What http.c (an exchange: its request, its answer, its route) and http_serve.c (where exchanges come from) share.
 * For those two alone, and the fuzz target that feeds an exchange from memory.
 */
#ifndef SHARDGATE_HTTP_PRIVATE_H
#define SHARDGATE_HTTP_PRIVATE_H

#include "common/http.h"

struct FCGX_Request;

enum http_state { STATE_OPEN, STATE_HELD, STATE_STREAMING, STATE_DONE, STATE_BROKEN };

struct http {
    const struct http_app *app;
    struct FCGX_Request *fcgi;
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
    uint64_t body_read; /* by http_body_read */
    bool body_streamed;
    char request_id[HTTP_REQUEST_ID_MAX + 1];
};

/* Between http_init and http_clear a thread has one `h` for all its requests, one after the other. `fcgi` is borrowed. */
void http_init(struct http *h, const struct http_app *app, struct FCGX_Request *fcgi);
void http_clear(struct http *h);

/* One request: http_open when it was accepted, http_answer to find its route and have it answered or broken off, http_close
 * to release its body. */
void http_open(struct http *h);
void http_answer(struct http *h, void *thread);
void http_close(struct http *h);

/* The Content-Length; 0 without one. */
unsigned long long http_body_length(const struct http *h);

/* A time limit for each wait of libfcgi's for more of the body. */
void http_limit_waits(struct http *h, int ms);

#endif
