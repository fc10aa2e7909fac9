#include <config.h>

#include "common/http.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"

#include <errno.h>
#include <fcgiapp.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HEADERS_MAX (32 * 1024) /* of an answer */
#define PROBLEM_MAX (1024 * 1024)
#define PATH_MAX_BYTES (64 * 1024) /* lighttpd's own limit on a parameter */
#define VARIABLE_MAX 128           /* "HTTP_" and the name of a header that a program asks for */
#define ACCEPT_RETRY_NS (20 * 1000 * 1000)
#define WAKE_STEP_MS 10 /* between two attempts to wake threads that wait for requests */
#define BREAK_STEP_MS 10
#define BREAK_MAX_MS 200

enum state { STATE_OPEN, STATE_HELD, STATE_STREAMING, STATE_DONE, STATE_BROKEN };

struct http {
    const struct http_app *app;
    FCGX_Request *fcgi;
    enum state state;
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

struct worker_thread {
    pthread_t id;
    unsigned index;
    struct server *server;
};

struct server {
    const struct http_app *app;
    atomic_bool stopping;
    atomic_bool broken; /* a thread could not be opened */
    atomic_uint opened; /* threads that serve */
};

/* Where descriptor 0 listened. */
struct listening {
    struct sockaddr_storage address;
    socklen_t len; /* 0 when that is not known */
};

/* The request */

const char *http_method(const struct http *h)
{
    return h->method;
}

const char *http_path(const struct http *h)
{
    return buf_text(&h->path);
}

const char *http_query(const struct http *h)
{
    return h->query;
}

int http_check_key(const char *key, struct err *e)
{
    size_t len = strlen(key);

    for (const char *p = key; *p != '\0'; p++) {
        if (*p < ' ' || *p > '~')
            len = 0;
    }
    if (len == 0 || len > HTTP_KEY_MAX)
        return err_set(e, ERR_BAD_FIELD, "Idempotency-Key: 1 to %d printable ASCII characters are expected", HTTP_KEY_MAX);
    return 0;
}

const char *http_request_id(const struct http *h)
{
    return h->request_id;
}

int64_t http_started_us(const struct http *h)
{
    return h->started_us;
}

const char *http_header(const struct http *h, const char *name)
{
    static const char prefix[] = "HTTP_";
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
    return FCGX_GetParam(variable, h->fcgi->envp);
}

/* The client's own X-Request-Id when it is made of harmless characters, so that logs and headers can carry it; else a
 * random one. */
static void choose_request_id(struct http *h)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    static const char hex[] = "0123456789abcdef";
    const char *given = http_header(h, "X-Request-Id");
    unsigned char random[8];

    if (given != NULL && *given != '\0') {
        size_t len = strlen(given);

        if (len <= HTTP_REQUEST_ID_MAX && strspn(given, allowed) == len) {
            memcpy(h->request_id, given, len + 1);
            return;
        }
    }
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        memset(random, 0, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        h->request_id[2 * i] = hex[random[i] >> 4];
        h->request_id[2 * i + 1] = hex[random[i] & 15];
    }
    h->request_id[2 * sizeof(random)] = '\0';
}

static void open_request(struct http *h)
{
    const char *uri = FCGX_GetParam("REQUEST_URI", h->fcgi->envp);
    const char *method = FCGX_GetParam("REQUEST_METHOD", h->fcgi->envp);
    const char *query;

    h->state = STATE_OPEN;
    h->status = 0;
    h->body_read = 0;
    h->body_streamed = false;
    h->started_us = clock_now_us();
    h->method = method != NULL ? method : "";
    if (uri == NULL)
        uri = "";
    query = strchr(uri, '?');
    h->query = query != NULL ? query + 1 : "";
    buf_reset(&h->path);
    buf_append(&h->path, uri, query != NULL ? (size_t)(query - uri) : strlen(uri));
    buf_reset(&h->headers);
    choose_request_id(h);
}

/* The length of a Content-Type's name without its parameters; 0 when its charset is another than UTF-8. */
static size_t type_length(const char *type)
{
    size_t len = strcspn(type, ";");
    const char *charset = strcasestr(type + len, "charset=");

    while (len > 0 && (type[len - 1] == ' ' || type[len - 1] == '\t'))
        len--;
    if (charset != NULL) {
        charset += strlen("charset=");
        if (*charset == '"')
            charset++;
        if (strncasecmp(charset, "utf-8", 5) != 0 && strncasecmp(charset, "utf8", 4) != 0)
            return 0;
    }
    return len;
}

static bool is_type(const char *type, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(type, name, len) == 0;
}

/* application/json, text/json or anything/…+json, in UTF-8 */
static bool is_json_type(const char *type)
{
    size_t len = type_length(type);

    return is_type(type, len, "application/json") || is_type(type, len, "text/json")
           || (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

bool http_has_type(const struct http *h, const char *name)
{
    const char *type = http_header(h, "Content-Type");
    return type != NULL && is_type(type, type_length(type), name);
}

static unsigned long long content_length(const struct http *h)
{
    const char *length = http_header(h, "Content-Length");
    return length != NULL ? strtoull(length, NULL, 10) : 0;
}

int http_body_text(struct http *h, const char **text, size_t *len, struct err *e)
{
    unsigned long long expected = content_length(h);
    int got;

    if (expected > h->app->max_body)
        return err_set(e, ERR_BODY_TOO_LARGE, "body: %llu bytes, at most %zu are taken", expected, h->app->max_body);
    char *into = buf_reserve(&h->body, (size_t)expected);
    if (into == NULL)
        return err_set(e, ERR_INTERNAL, "body: out of memory");
    got = FCGX_GetStr(into, (int)expected, h->fcgi->in);
    if (got < 0 || (unsigned long long)got != expected)
        return err_set(e, ERR_BAD_REQUEST, "body: ended after %d of %llu bytes", got, expected);
    buf_commit(&h->body, (size_t)expected);
    h->body_read = expected;
    *text = buf_text(&h->body);
    *len = h->body.len;
    return 0;
}

/* A time limit for each wait of libfcgi's for more of the body. */
static void limit_waits(struct http *h, int ms)
{
    struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)setsockopt(h->fcgi->ipcFd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

int http_body_read(struct http *h, void *to, size_t size, int idle_ms, size_t *got, struct err *e)
{
    unsigned long long left = content_length(h) - h->body_read;
    int wanted = left < size ? (int)left : (int)size;

    if (!h->body_streamed)
        limit_waits(h, idle_ms);
    h->body_streamed = true;
    *got = 0;
    if (wanted == 0)
        return 0;
    int n = FCGX_GetStr(to, wanted, h->fcgi->in);
    if (n == wanted) {
        h->body_read += (unsigned)n;
        *got = (size_t)n;
        return 0;
    }
    int failure = FCGX_GetError(h->fcgi->in);
    if (failure == EAGAIN || failure == EWOULDBLOCK)
        return err_set(e, ERR_DEADLINE_EXCEEDED, "body: nothing came for %d ms", idle_ms);
    return err_set(e, ERR_BAD_REQUEST, "body: the client went away before its end");
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends one name or value of a query, decoded, as a JSON string. -1 for a broken escape, or what is no UTF-8. */
static int append_decoded(const char *text, size_t len, struct buf *out)
{
    struct buf plain;
    int rc = 0;

    buf_init(&plain, PATH_MAX_BYTES);
    for (size_t i = 0; rc == 0 && i < len; i++) {
        if (text[i] != '%') {
            buf_append_char(&plain, text[i] == '+' ? ' ' : text[i]);
            continue;
        }
        int high = len - i > 2 ? hex_value(text[i + 1]) : -1, low = high >= 0 ? hex_value(text[i + 2]) : -1;
        if (low < 0)
            rc = -1;
        else
            buf_append_char(&plain, (char)(high << 4 | low));
        i += 2;
    }
    if (rc == 0 && !utf8_measure(buf_text(&plain), plain.len, NULL, NULL))
        rc = -1;
    json_write_string(out, buf_text(&plain), plain.len);
    buf_clear(&plain);
    return rc;
}

int http_query_object(struct http *h, struct json_object **out, struct err *e)
{
    struct buf json;
    int rc = 0;

    buf_init(&json, 8 * PATH_MAX_BYTES);
    buf_append_char(&json, '{');
    for (const char *p = h->query; rc == 0 && *p != '\0';) {
        size_t len = strcspn(p, "&");
        size_t name = strcspn(p, "=&");
        if (json.len > 1)
            buf_append_char(&json, ',');
        rc = append_decoded(p, name, &json);
        buf_append_char(&json, ':');
        if (rc == 0)
            rc = name < len ? append_decoded(p + name + 1, len - name - 1, &json) : append_decoded("", 0, &json);
        p += len;
        p += *p == '&' ? 1 : 0;
    }
    buf_append_char(&json, '}');
    if (rc != 0)
        err_set(e, ERR_BAD_FIELD, "query: UTF-8 is expected, with two hexadecimal digits behind each %%");
    else if (buf_status(&json) != 0)
        rc = err_set(e, ERR_INTERNAL, "query: too long, or out of memory");
    else if ((rc = json_read(buf_text(&json), json.len, &h->tree, e)) != 0)
        err_prefix(e, "query");
    *out = h->tree;
    buf_clear(&json);
    return rc;
}

int http_body(struct http *h, struct json_object **body, const char **text, size_t *len, struct err *e)
{
    const char *type = http_header(h, "Content-Type");

    if (type != NULL && *type != '\0' && !is_json_type(type))
        return err_set(e, ERR_NOT_JSON, "Content-Type: the body must be application/json in UTF-8");
    if (content_length(h) == 0)
        return err_set(e, ERR_BAD_JSON, "body: empty, a JSON object was expected at byte 0");
    if (http_body_text(h, text, len, e) != 0 || json_read(*text, *len, &h->tree, e) != 0)
        return -1;
    *body = h->tree;
    return 0;
}

/* The answer */

void http_add_header(struct http *h, const char *name, const char *value)
{
    buf_append_text(&h->headers, name);
    buf_append_text(&h->headers, ": ");
    buf_append(&h->headers, value, strcspn(value, "\r\n"));
    buf_append_text(&h->headers, "\r\n");
}

/* -1 once lighttpd has closed the connection, which it does when its client has gone. */
static int put(struct http *h, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        int part = len < (1 << 20) ? (int)len : 1 << 20;

        if (FCGX_PutStr(p, part, h->fcgi->out) != part)
            return -1;
        p += part;
        len -= (size_t)part;
    }
    return 0;
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
    buf_init(&head, 2 * HEADERS_MAX);
    buf_printf(&head, "Status: %d\r\n", status);
    if (type != NULL)
        buf_printf(&head, "Content-Type: %s\r\n", type);
    if (length >= 0)
        buf_printf(&head, "Content-Length: %lld\r\n", (long long)length);
    buf_printf(&head, "X-Shardgate: %s\r\nX-Request-Id: %s\r\nServer-Timing: %s;dur=%lld.%03d\r\nCache-Control: no-store\r\n",
               h->app->name, h->request_id, h->app->name, (long long)(took_us / 1000), (int)(took_us % 1000));
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

static void reply(struct http *h, int status, const char *type, const struct buf *body)
{
    size_t len = body != NULL ? body->len : 0;

    if (h->state != STATE_OPEN) {
        log_error("%s: a second answer to one request was dropped", h->request_id);
        return;
    }
    if (put_head(h, status, type, body != NULL ? (int64_t)len : -1) != 0 || put(h, body != NULL ? body->data : NULL, len) != 0)
        h->state = STATE_BROKEN;
    else
        h->state = STATE_DONE;
}

void http_reply(struct http *h, int status, const struct buf *json)
{
    if (buf_status(json) != 0) {
        struct err e = ERR_INIT;

        (void)err_set(&e, ERR_INTERNAL, "the answer is too large, or memory ran out");
        e.outcome = OUTCOME_UNKNOWN;
        http_fail(h, &e, NULL);
        return;
    }
    reply(h, status, "application/json", json);
}

void http_fail(struct http *h, const struct err *e, const char *shards)
{
    int status = err_status(e->code);
    struct buf problem;

    buf_init(&problem, PROBLEM_MAX);
    err_write_problem(e, h->request_id, shards, &problem);
    if (buf_status(&problem) != 0) {
        buf_reset(&problem);
        err_write_problem(e, h->request_id, NULL, &problem);
    }
    if (status >= 500)
        log_error("%s: %s %s: %d %s: %s", h->request_id, h->method, http_path(h), status, err_name(e->code), e->detail);
    if (status == 401)
        http_add_header(h, "WWW-Authenticate", "Token realm=\"shardgate\"");
    if (e->retry == RETRY_AFTER) {
        char seconds[16];

        snprintf(seconds, sizeof(seconds), "%d", e->retry_after_s > 0 ? e->retry_after_s : 1);
        http_add_header(h, "Retry-After", seconds);
    }
    reply(h, status, "application/problem+json", &problem);
    buf_clear(&problem);
}

void http_begin(struct http *h, int status, const char *content_type)
{
    h->state = STATE_HELD;
    h->status = status;
    h->type = content_type;
    buf_reset(&h->held);
}

/* Sends the head and what was held back: `length` as for put_head. -1 once the client is gone. */
static int release(struct http *h, int64_t length)
{
    h->state = STATE_STREAMING;
    if (put_head(h, h->status, h->type, length) == 0 && put(h, h->held.data, h->held.len) == 0)
        return 0;
    h->state = STATE_BROKEN;
    return -1;
}

int http_write(struct http *h, const void *data, size_t len)
{
    if (h->state == STATE_HELD) {
        if (len <= HTTP_HELD - h->held.len) {
            buf_append(&h->held, data, len);
            if (buf_status(&h->held) == 0)
                return 0;
        }
        if (release(h, -1) != 0)
            return -1;
    }
    if (h->state != STATE_STREAMING)
        return -1;
    if (put(h, data, len) == 0)
        return 0;
    h->state = STATE_BROKEN;
    return -1;
}

void http_end(struct http *h)
{
    if (h->state == STATE_HELD && release(h, (int64_t)h->held.len) != 0)
        return;
    if (h->state == STATE_STREAMING)
        h->state = STATE_DONE;
}

int http_take_back(struct http *h)
{
    if (h->state != STATE_HELD)
        return -1;
    h->state = STATE_OPEN;
    return 0;
}

void http_abort(struct http *h)
{
    if (h->state == STATE_HELD)
        (void)release(h, -1); /* what is broken off is broken off either way */
    h->state = STATE_BROKEN;
}

bool http_is_sent(const struct http *h)
{
    return h->state != STATE_OPEN && h->state != STATE_HELD;
}

/* Serving */

/* Appends the methods that `path` takes, "POST, OPTIONS". HEAD is GET whose body lighttpd drops. */
static void write_allowed(const struct http_app *app, const char *path, struct buf *out)
{
    for (size_t i = 0; i < app->route_count; i++) {
        const struct http_route *r = &app->routes[i];

        if (strcmp(r->path, path) != 0)
            continue;
        buf_printf(out, "%s%s%s", out->len > 0 ? ", " : "", r->method, strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
    }
    if (out->len > 0 && app->cors)
        buf_append_text(out, ", OPTIONS");
}

static void answer_unrouted(struct http *h)
{
    struct err e = ERR_INIT;
    struct buf allowed;
    struct buf shown;

    buf_init(&allowed, 256);
    buf_init(&shown, 100);
    write_allowed(h->app, http_path(h), &allowed);
    if (allowed.len > 0)
        http_add_header(h, "Allow", buf_text(&allowed));
    if (h->app->cors && strcmp(h->method, "OPTIONS") == 0) {
        http_add_header(h, "Access-Control-Max-Age", "600");
        reply(h, 204, NULL, NULL);
    } else if (allowed.len > 0) {
        (void)err_set(&e, ERR_METHOD_NOT_ALLOWED, "%s takes %s", http_path(h), buf_text(&allowed));
        http_fail(h, &e, NULL);
    } else {
        /* The client's path goes back printable and short. */
        for (const char *p = http_path(h); *p != '\0' && shown.len < shown.max; p++)
            buf_append_char(&shown, *p > ' ' && *p < 0x7f ? *p : '?');
        (void)err_set(&e, ERR_NO_SUCH_PATH, "%s: no such path", buf_text(&shown));
        http_fail(h, &e, NULL);
    }
    buf_clear(&allowed);
    buf_clear(&shown);
}

static const struct http_route *find_route(const struct http *h)
{
    const char *method = strcmp(h->method, "HEAD") == 0 ? "GET" : h->method;

    for (size_t i = 0; i < h->app->route_count; i++) {
        const struct http_route *r = &h->app->routes[i];

        if (strcmp(r->path, http_path(h)) == 0 && strcmp(r->method, method) == 0)
            return r;
    }
    return NULL;
}

static void serve_request(struct http *h, void *thread)
{
    const struct http_route *route = find_route(h);
    struct err e = ERR_INIT;

    if (route == NULL)
        answer_unrouted(h);
    else if (route->guard != NULL && route->guard(h, &e) != 0)
        http_fail(h, &e, NULL);
    else
        route->handle(h, thread);

    if (h->state == STATE_OPEN) {
        e = ERR_INIT;
        (void)err_set(&e, ERR_INTERNAL, "the handler gave no answer");
        e.outcome = OUTCOME_UNKNOWN;
        http_fail(h, &e, NULL);
    } else if (h->state == STATE_HELD || h->state == STATE_STREAMING) {
        log_error("%s: %s did not end its answer", h->request_id, http_path(h));
        http_abort(h);
    }
    log_debug("%s: %s %s: %d, %lld us", h->request_id, h->method, http_path(h), h->status,
              (long long)(clock_now_us() - h->started_us));
}

/* Reads what the handler left of the body. A Unix socket that is closed with unread bytes resets its peer, which could
 * cost lighttpd the answer. The rest of a stream may not have come yet, and a client may wait for the answer before it sends more,
 * or not stop sending because of it: so the answer goes out first, and the rest is waited for a while only. */
static void drain_body(struct http *h)
{
    char scrap[16384];
    int64_t until = clock_now_us() + (int64_t)HTTP_DRAIN_MS * 1000;

    if (h->body_read < content_length(h)) {
        (void)FCGX_FFlush(h->fcgi->out);
        limit_waits(h, HTTP_DRAIN_IDLE_MS);
    }
    while (FCGX_GetStr(scrap, sizeof(scrap), h->fcgi->in) == (int)sizeof(scrap) && clock_now_us() < until)
        continue;
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
static void break_off(FCGX_Request *fcgi)
{
    if (FCGX_FFlush(fcgi->out) == 0)
        wait_until_read(fcgi->ipcFd);
    FCGX_Free(fcgi, 1);
}

static void close_request(struct http *h)
{
    drain_body(h);
    if (h->state == STATE_BROKEN)
        break_off(h->fcgi);
    else
        FCGX_Finish_r(h->fcgi);
    json_free(h->tree);
    h->tree = NULL;
    buf_clear(&h->body); /* not reset: one large body would stay with the thread for ever */
}

static void serve_requests(struct server *s, void *thread)
{
    FCGX_Request fcgi;
    struct http h = {.app = s->app, .fcgi = &fcgi};

    buf_init(&h.path, PATH_MAX_BYTES);
    buf_init(&h.headers, HEADERS_MAX);
    buf_init(&h.body, s->app->max_body);
    buf_init(&h.held, HTTP_HELD);
    FCGX_InitRequest(&fcgi, 0, 0);
    while (!atomic_load(&s->stopping)) {
        if (FCGX_Accept_r(&fcgi) < 0) {
            /* No descriptors or memory left for now, or stop_accepting() has ended it for good. */
            nanosleep(&(struct timespec){.tv_nsec = ACCEPT_RETRY_NS}, NULL);
            continue;
        }
        open_request(&h);
        serve_request(&h, thread);
        close_request(&h);
    }
    FCGX_Free(&fcgi, 1);
    buf_clear(&h.path);
    buf_clear(&h.headers);
    buf_clear(&h.held);
}

/* Tells who started this program that it serves: a byte into the descriptor that SHARDGATE_READY_FD names. */
static void announce_ready(void)
{
    const char *name = getenv("SHARDGATE_READY_FD");
    int fd = name != NULL ? atoi(name) : -1;

    if (fd <= STDERR_FILENO)
        return;
    if (write(fd, "\n", 1) != 1)
        log_warning("nobody waits for this program to be ready: %s", strerror(errno));
    close(fd);
}

static void *run_thread(void *arg)
{
    struct worker_thread *t = arg;
    struct server *s = t->server;
    void *thread = s->app->thread_open(s->app->arg, t->index);

    if (thread == NULL) {
        atomic_store(&s->broken, true);
        kill(getpid(), SIGTERM); /* wakes main out of sigwait */
        return NULL;
    }
    if (atomic_fetch_add(&s->opened, 1) + 1 == s->app->threads)
        announce_ready();
    serve_requests(s, thread);
    s->app->thread_close(thread);
    return NULL;
}

/* Ends accepting in this process. The socket lives on: another process may serve it already, so that shutdown() is out of
 * the question; a dead socket takes its number, and a connection that says nothing wakes a thread out of the accept() it is in. */
static void stop_accepting(struct listening *l)
{
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    l->len = sizeof(l->address);
    if (getsockname(0, (struct sockaddr *)&l->address, &l->len) != 0)
        l->len = 0;
    if (dead < 0 || dup2(dead, 0) < 0)
        log_error("cannot stop accepting: %s", strerror(errno));
    if (dead > 0)
        close(dead);
}

static void wake_one(const struct listening *l)
{
    int fd = l->len > 0 ? socket(l->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;

    if (fd < 0)
        return;
    (void)connect(fd, (const struct sockaddr *)&l->address, l->len); /* refused, or the backlog full: nobody sleeps */
    close(fd);
}

/* Waits for the threads, up to HTTP_STOP_MS together. -1 when one still works then. */
static int join_threads(const struct worker_thread *threads, unsigned count, const struct listening *l)
{
    struct timespec until;

    for (unsigned i = 0, waited = 0; i < count; waited += WAKE_STEP_MS) {
        wake_one(l); /* whichever of the threads it meets */
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += WAKE_STEP_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_timedjoin_np(threads[i].id, NULL, &until) == 0)
            i++;
        else if (waited > HTTP_STOP_MS)
            return -1;
    }
    return 0;
}

/* An orphan would go on serving its socket. Between the two getppid() the parent may have gone, and then no signal comes. */
static int die_with_parent(void)
{
    pid_t parent = getppid();

    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        return -1;
    return 0;
}

int http_serve(const struct http_app *app)
{
    struct server server = {.app = app};
    struct listening listening = {0};
    struct worker_thread *threads = calloc(app->threads, sizeof(*threads));
    unsigned started = 0;
    sigset_t stop;
    int signal_number;
    int rc = EXIT_FAILURE;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    if (threads == NULL || die_with_parent() != 0)
        goto out;
    if (FCGX_IsCGI()) {
        log_error("descriptor 0 is no FastCGI socket: shardgate starts this program");
        goto out;
    }
    if (FCGX_Init() != 0) {
        log_error("cannot initialise libfcgi");
        goto out;
    }
    signal(SIGPIPE, SIG_IGN); /* FCGX_Init has put its own handler there */

    for (; started < app->threads; started++) {
        threads[started].index = started;
        threads[started].server = &server;
        if (pthread_create(&threads[started].id, NULL, run_thread, &threads[started]) != 0) {
            log_error("cannot start thread %u of %u", started + 1, app->threads);
            atomic_store(&server.broken, true);
            break;
        }
    }
    if (!atomic_load(&server.broken))
        sigwait(&stop, &signal_number);

    /* In this order, so that a thread which accept() lets go sees why. Connections are served to their end. */
    atomic_store(&server.stopping, true);
    stop_accepting(&listening);
    if (join_threads(threads, started, &listening) != 0) {
        log_warning("requests are still running after %d ms: they are given up", HTTP_STOP_MS);
        _exit(EXIT_FAILURE); /* not exit(): the threads still use what it would tear down */
    }
    rc = atomic_load(&server.broken) ? EXIT_FAILURE : EXIT_SUCCESS;
out:
    free(threads);
    return rc;
}
