#include <config.h>

#include "common/http_private.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <fcgiapp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define VARIABLE_MAX 128 /* "HTTP_" and the name of a header that a program asks for */
#define HEAD_USUAL 1024  /* bytes of an answer's header, which is allocated at once */
#define BREAK_STEP_MS 10
#define BREAK_MAX_MS 200

static const char *find_header(const struct http *h, const char *name)
{
    static const char prefix[] = "HTTP_";
    const FCGX_Request *request = h->source;
    char variable[VARIABLE_MAX];
    size_t used = 0;

    /* The two that CGI names without the prefix. */
    if (strcasecmp(name, "Content-Type") != 0 && strcasecmp(name, "Content-Length") != 0) {
        memcpy(variable, prefix, sizeof(prefix) - 1);
        used = sizeof(prefix) - 1;
    }
    for (; *name != '\0'; name++) {
        char c = *name;

        if (used == sizeof(variable) - 1)
            return NULL;
        if (c == '-')
            c = '_';
        else if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        variable[used++] = c;
    }
    variable[used] = '\0';
    return FCGX_GetParam(variable, request->envp);
}

/* A time limit for each wait of libfcgi's for more of the body. */
static void limit_waits(struct http *h, int ms)
{
    const FCGX_Request *request = h->source;
    struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    (void)setsockopt(request->ipcFd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    h->waits_limited = true;
}

static int read_body(struct http *h, void *to, int size, int idle_ms)
{
    FCGX_Request *request = h->source;

    if (idle_ms > 0 && !h->waits_limited)
        limit_waits(h, idle_ms);
    int n = FCGX_GetStr(to, size, request->in);
    if (n != size)
        errno = FCGX_GetError(request->in);
    return n;
}

/* Waits until the connection takes another HTTP_PIECE without blocking: lighttpd reads on when its client does. -1 to give that up. */
static int wait_for_reader(struct http *h)
{
    const FCGX_Request *request = h->source;
    struct pollfd p = {.fd = request->ipcFd, .events = POLLOUT};
    int rc = poll(&p, 1, 0);

    h->unwaited = 0;
    if (rc == 0)
        rc = poll(&p, 1, HTTP_SLOW_MS);
    if (rc != 0) /* it takes more, or is gone, which the next write finds out */
        return 0;
    if (http_become_slow(h) != 0) {
        log_warning("%s: the answer was cut: its reader is slow, as %u others are", h->request_id, h->app->slow_readers);
        return -1;
    }
    if (poll(&p, 1, h->app->reader_ms) != 0)
        return 0;
    log_warning("%s: the answer was cut: its reader took nothing for %d ms", h->request_id, h->app->reader_ms);
    return -1;
}

/* -1 once lighttpd has closed the connection, which it does when its client has gone; and when that does not read. */
static int put(struct http *h, const void *data, size_t len)
{
    FCGX_Request *request = h->source;
    const char *p = data;

    while (len > 0) {
        int part = len < HTTP_PIECE ? (int)len : HTTP_PIECE;

        if (h->app->reader_ms > 0 && h->unwaited + (size_t)part > HTTP_PIECE && wait_for_reader(h) != 0)
            return -1;
        h->unwaited += (size_t)part;
        if (FCGX_PutStr(p, part, request->out) != part)
            return -1;
        p += part;
        len -= (size_t)part;
    }
    return 0;
}

static void append_line(struct buf *head, const char *name, const char *value)
{
    buf_append_text(head, name);
    buf_append_text(head, value);
    buf_append_text(head, "\r\n");
}

/* Writes the header. `length` is that of the whole body, or -1 when the body is streamed; lighttpd chunks it then. */
static int put_head(struct http *h, int status, const char *type, int64_t length)
{
    static const char cors[] = "Access-Control-Allow-Origin: *\r\n"
                               "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
                               "Access-Control-Allow-Headers: Content-Type, X-Request-Id, X-Timeout-Ms, Idempotency-Key\r\n"
                               "Access-Control-Expose-Headers: X-Request-Id, Server-Timing, Retry-After, Idempotency-Replayed\r\n";
    int64_t took_us = clock_now_us() - h->started_us;
    struct buf head;
    int rc;

    h->status = status;
    buf_init(&head, 2 * HTTP_HEADERS_MAX);
    (void)buf_reserve(&head, HEAD_USUAL);
    buf_append_text(&head, "Status: ");
    buf_append_integer(&head, status);
    buf_append_text(&head, "\r\n");
    if (type != NULL)
        append_line(&head, "Content-Type: ", type);
    if (length >= 0) {
        buf_append_text(&head, "Content-Length: ");
        buf_append_integer(&head, length);
        buf_append_text(&head, "\r\n");
    }
    append_line(&head, "X-Shardgate: ", h->app->name);
    append_line(&head, "X-Request-Id: ", h->request_id);
    buf_printf(&head, "Server-Timing: %s;dur=%lld.%03d\r\nCache-Control: no-store\r\n",
               h->app->name, (long long)(took_us / 1000), (int)(took_us % 1000));
    if (h->app->cors)
        buf_append_text(&head, cors);
    /* A header of the handler's that is lost would change the answer's meaning: the exchange breaks off instead. */
    if (buf_status(&h->headers) != 0)
        head.failed = true;
    buf_append(&head, buf_text(&h->headers), h->headers.len);
    buf_append_text(&head, "\r\n");
    rc = buf_status(&head) == 0 ? put(h, head.data, head.len) : -1;
    buf_clear(&head);
    return rc;
}

static int flush(struct http *h)
{
    FCGX_Request *request = h->source;
    return FCGX_FFlush(request->out);
}

/* A Unix socket says so while three quarters of its buffer are free: that is more than HTTP_HELD bytes and their frames. */
static bool takes_more(const struct http *h)
{
    const FCGX_Request *request = h->source;
    struct pollfd p = {.fd = request->ipcFd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

const struct http_port http_fcgi_port = {find_header, read_body, put_head, put, flush, takes_more};

void http_fcgi_open(struct http *h)
{
    const FCGX_Request *request = h->source;
    const char *target = FCGX_GetParam("REQUEST_URI", request->envp);
    const char *method = FCGX_GetParam("REQUEST_METHOD", request->envp);

    h->waits_limited = false;
    h->unwaited = 0;
    http_open(h, method != NULL ? method : "", target != NULL ? target : "", clock_now_us());
}

/* Reads what the handler left of the body. A Unix socket that is closed with unread bytes resets its peer, which could
 * cost lighttpd the answer. The rest of a stream may not have come yet, and a client may wait for the answer before it sends more,
 * or not stop sending because of it: so the answer goes out first, and the rest is waited for a while only. True when all of it was read. */
static bool drain_body(struct http *h)
{
    FCGX_Request *request = h->source;
    char scrap[16384];
    int got;
    int64_t until = clock_now_us() + (int64_t)HTTP_DRAIN_MS * 1000;

    if (h->body_read < http_body_length(h)) {
        (void)FCGX_FFlush(request->out);
        limit_waits(h, HTTP_DRAIN_IDLE_MS);
    }
    do
        got = FCGX_GetStr(scrap, sizeof(scrap), request->in);
    while (got == (int)sizeof(scrap) && clock_now_us() < until);
    return got < (int)sizeof(scrap) && FCGX_GetError(request->in) == 0;
}

/* Waits until lighttpd has read what was sent, and has had the time to pass it on. */
static void wait_until_read(int fd)
{
    const struct timespec step = {.tv_nsec = BREAK_STEP_MS * 1000000};
    int unread = 1;

    for (int waited = 0; waited < BREAK_MAX_MS && unread > 0; waited += BREAK_STEP_MS) {
        nanosleep(&step, NULL);
        if (ioctl(fd, SIOCOUTQ, &unread) != 0)
            return;
    }
    nanosleep(&step, NULL);
}

/* Closes the connection to lighttpd without FastCGI's END_REQUEST record (FCGX_Free with `close` drops the streams and
 * closes; FCGX_Finish_r would end the request in order). lighttpd then takes the app for crashed: it closes its client's
 * connection and leaves out the last chunk, so that the client knows the body to be cut (curl: error 18).
 *
 * That holds only once lighttpd has sent the header. If it finds the header, a short body and the end of the connection
 * in one read, it takes the body for whole and gives it a Content-Length: hence the wait. */
static void break_off(FCGX_Request *request)
{
    if (FCGX_FFlush(request->out) == 0)
        wait_until_read(request->ipcFd);
    FCGX_Free(request, 1);
}

void http_fcgi_close(struct http *h)
{
    FCGX_Request *request = h->source;
    bool drained = drain_body(h);

    /* Nothing is left to read: the close needs no shutdown() before it, which libfcgi leaves out of a detached request's. */
    if (drained)
        FCGX_Detach(request);
    if (h->state == STATE_BROKEN)
        break_off(request);
    else
        FCGX_Finish_r(request);
    http_close(h);
}
