/* One HTTP exchange of a FastCGI program: the request in, a JSON answer out. The one home of fcgiapp.h.
 *
 * http_serve() runs a few threads, each of which accepts, finds the route in the program's const table and calls its
 * handler with the thread's own context. It answers by itself: 404 no_such_path, 405 method_not_allowed with Allow,
 * OPTIONS (with `cors`), 413, 415. Every answer carries X-Shardgate (the marker that it came from the app and not from
 * lighttpd), X-Request-Id, Server-Timing and, with `cors`, the Access-Control headers. Knows nothing about SQL or shards.
 */
#ifndef SHARDGATE_HTTP_H
#define SHARDGATE_HTTP_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_REQUEST_ID_MAX 64 /* characters that a client's own X-Request-Id may have: [A-Za-z0-9._-] */
#define HTTP_DRAIN_MS 30000    /* how long a client that was answered early may still send its body */
#define HTTP_DRAIN_IDLE_MS 2000 /* and how long it may pause then */
#define HTTP_HELD ((size_t)32 << 10) /* bytes of a streamed answer that are held back: a shorter one goes out whole */
#define HTTP_PIECE (32 << 10)  /* bytes of an answer that are sent without a look at whether its reader takes them */
#define HTTP_SLOW_MS 1000      /* a reader that lets a piece wait for longer is slow */
#define HTTP_READER_MS 30000   /* how long the master lets a piece wait for its reader then */
#define HTTP_STOP_MS 10000     /* how long requests under way may still take once the program is told to stop */

#define HTTP_KEY_MAX 64        /* characters of an Idempotency-Key */

struct message; /* message.h */
struct http; /* one exchange; lives for one call of a handler */

/* What a request may be to others in a batch. */
enum http_kind {
    HTTP_ALONE, /* comes by itself only */
    HTTP_READ,
    HTTP_WRITE
};

struct http_route {
    const char *method; /* "GET", "POST" */
    const char *path;   /* exact */
    /* Answers exactly once: http_reply, http_fail, or http_begin … http_end (or http_abort). `thread` is what thread_open returned. */
    void (*handle)(struct http *h, void *thread);
    /* Before it: 0 to go on, -1 with `e` set to refuse (the workers' token). NULL for none. */
    int (*guard)(const struct http *h, struct err *e);
    enum http_kind kind;
};

struct http_app {
    const char *name;      /* value of X-Shardgate: "master", "go"; and of the metric in Server-Timing */
    const struct http_route *routes;
    size_t route_count;
    unsigned threads;      /* at least 1 */
    size_t max_body;       /* bytes; more is 413 */
    bool cors;
    /* A reader who lets a piece of an answer wait holds a thread. When it has waited for `reader_ms` (0: it waits for ever) beyond HTTP_SLOW_MS, the
     * answer is broken off. Of slow ones there may be `slow_readers` (0: any number): one more is broken off as soon as it is slow,
     * and meanwhile no long answer begins (429 too_busy), so that most threads serve those who read. */
    int reader_ms;
    unsigned slow_readers;
    void *(*thread_open)(void *arg, unsigned index); /* called in the thread; NULL result ends the program */
    void (*thread_close)(void *thread);
    void *arg;
};

/* Serves the FastCGI socket on descriptor 0 until SIGTERM or SIGINT, lets the requests under way end, and returns the exit
 * status. The socket itself is left as it is: it may have been handed to another process, which serves on. SHARDGATE_READY_FD
 * names a descriptor for a byte once all threads serve. Call it before any other thread is started: it blocks the signals
 * that it waits for. */
int http_serve(const struct http_app *app);

/* The request. All is borrowed and lives as long as `h`. */
const char *http_method(const struct http *h);
const char *http_path(const struct http *h);  /* of REQUEST_URI, without the query */
const char *http_query(const struct http *h); /* behind '?'; "" for none */
const char *http_header(const struct http *h, const char *name); /* NULL when absent; "X-Master-Token" */
const char *http_request_id(const struct http *h);
/* Is the text an Idempotency-Key: 1 to HTTP_KEY_MAX printable ASCII characters? 0, or -1 and ERR_BAD_FIELD. */
int http_check_key(const char *key, struct err *e) __attribute__((warn_unused_result));
int64_t http_started_us(const struct http *h); /* CLOCK_MONOTONIC when the request was accepted */

/* Reads the body (once) as the contract wants it: a Content-Type other than JSON is ERR_NOT_JSON, too long is
 * ERR_BODY_TOO_LARGE, then json_read's errors. *text is the raw body; it and *body live as long as `h`. */
int http_body(struct http *h, struct json_object **body, const char **text, size_t *len, struct err *e)
    __attribute__((warn_unused_result));

/* Is the Content-Type this one ("application/x-ndjson"), in UTF-8? */
bool http_has_type(const struct http *h, const char *type);

/* The query's members as an object of strings, percent-decoded ('+' is a space); {} for none. ERR_BAD_FIELD for a broken
 * escape or invalid UTF-8, ERR_BAD_JSON for a member that is given twice or a NUL in a name. Instead of http_body; lives as long as `h`. */
int http_query_object(struct http *h, struct json_object **out, struct err *e) __attribute__((warn_unused_result));

/* Reads the whole body (once), of any type, up to the program's max_body. *text lives as long as `h`. */
int http_body_text(struct http *h, const char **text, size_t *len, struct err *e) __attribute__((warn_unused_result));

/* Reads the body piece by piece, without a limit: *got is `size`, or less at its end, then 0. A client that sends nothing for
 * `idle_ms` is ERR_DEADLINE_EXCEEDED, one that went away ERR_BAD_REQUEST. For memory to stay bounded, lighttpd must stream
 * such requests (server.stream-request-body = 2). What an early answer leaves unread is read and thrown away, for HTTP_DRAIN_MS. */
int http_body_read(struct http *h, void *to, size_t size, int idle_ms, size_t *got, struct err *e)
    __attribute__((warn_unused_result));

/* Adds a header to the answer; before http_reply, http_fail or http_begin. `value` is copied; CR and LF end it. */
void http_add_header(struct http *h, const char *name, const char *value);

/* Answers with a whole JSON document. */
void http_reply(struct http *h, int status, const struct buf *json);

/* Answers with a problem document; `shards` is the raw array for "shards" or NULL. Logs what is 500 or more. */
void http_fail(struct http *h, const struct err *e, const char *shards);

/* Streams an answer. The first HTTP_HELD bytes are held back:
 *
 *     open ──begin──> held ──write──> streaming ──end──> done         held ──end──> done: sent whole, with its length
 *      ^               │                                              held, streaming ──abort──> broken
 *      └──take_back────┘
 *
 * http_write returns -1 once the client is gone, or does not read, or was refused since too many do not. http_flush passes on what was written so far, with the head: 0, or -1 once the
 * client is gone; lighttpd is woken by it. http_take_back forgets what was begun, so that the request can be answered
 * by http_reply or http_fail after all: 0, or -1 when something of it has gone out. http_abort ends the exchange so that
 * the client sees unterminated JSON on a closed connection; before http_begin, so that it sees lighttpd's own 500. The
 * connection is closed when the handler returns. `content_type` is borrowed until the answer ends. */
void http_begin(struct http *h, int status, const char *content_type);
int http_write(struct http *h, const void *data, size_t len) __attribute__((warn_unused_result));
int http_flush(struct http *h) __attribute__((warn_unused_result));
void http_end(struct http *h);
int http_take_back(struct http *h) __attribute__((warn_unused_result));
void http_abort(struct http *h);

/* Has anything of the answer gone out? */
bool http_is_sent(const struct http *h);

/* Would HTTP_HELD bytes go out without a wait for the client? */
bool http_takes_more(const struct http *h);

/* Parts: requests that come as messages in the body of `h` (a batch). */

/* What the part's path is; HTTP_ALONE for one that no batch may have, too. */
enum http_kind http_part_kind(const struct http *h, const struct message *part);

/* Answers the part as if it had come alone, when `h` did: by its route and with the thread's context `thread`, but without the guard,
 * which has let `h` through. Writes a message to `out`, which is empty, with the part's X-Batch-Id. A streamed answer of more than
 * HTTP_HELD bytes is left out: 413 with X-Batch-Alone stands there then. -1 when the answer broke off, or memory ran out: what is in
 * `out` is of no use. Several threads may answer parts of one `h` at a time. */
int http_answer_part(const struct http *h, const struct message *part, void *thread, struct buf *out) __attribute__((warn_unused_result));

#endif
