#include <config.h>

#include "common/http_private.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define PROBLEM_MAX (1024 * 1024)
#define PATH_MAX_BYTES (64 * 1024) /* lighttpd's own limit on a parameter */
#define RANDOM_ID 8                /* bytes of a request id, two characters each */

/* Answers of this process, of all threads, whose readers let them wait. */
static atomic_uint slow_readers;

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
    return h->port->header(h, name);
}

/* The client's own X-Request-Id when it is made of harmless characters, so that logs and headers can carry it; else a
 * random one. */
static void choose_request_id(struct http *h)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    static const char hex[] = "0123456789abcdef";
    const char *given = http_header(h, "X-Request-Id");

    if (given != NULL && *given != '\0') {
        size_t len = strlen(given);

        if (len <= HTTP_REQUEST_ID_MAX && strspn(given, allowed) == len) {
            memcpy(h->request_id, given, len + 1);
            return;
        }
    }
    if (h->random_left < RANDOM_ID) {
        if (getrandom(h->random, sizeof(h->random), 0) != (ssize_t)sizeof(h->random))
            memset(h->random, 0, sizeof(h->random));
        h->random_left = sizeof(h->random);
    }
    h->random_left -= RANDOM_ID;
    for (size_t i = 0; i < RANDOM_ID; i++) {
        h->request_id[2 * i] = hex[h->random[h->random_left + i] >> 4];
        h->request_id[2 * i + 1] = hex[h->random[h->random_left + i] & 15];
    }
    h->request_id[2 * RANDOM_ID] = '\0';
}

void http_init(struct http *h, const struct http_app *app, const struct http_port *port, void *source)
{
    *h = (struct http){.app = app, .port = port, .source = source};
    buf_init(&h->path, PATH_MAX_BYTES);
    buf_init(&h->headers, HTTP_HEADERS_MAX);
    buf_init(&h->body, app->max_body);
    buf_init(&h->held, HTTP_HELD);
}

void http_clear(struct http *h)
{
    http_close(h);
    buf_clear(&h->path);
    buf_clear(&h->headers);
    buf_clear(&h->held);
}

void http_close(struct http *h)
{
    json_free(h->tree);
    h->tree = NULL;
    buf_clear(&h->body); /* not reset: one large body would stay with the thread for ever */
    if (h->slow)
        atomic_fetch_sub(&slow_readers, 1);
    h->slow = false;
}

void http_open(struct http *h, const char *method, const char *target, int64_t started_us)
{
    const char *query = strchr(target, '?');

    h->state = STATE_OPEN;
    h->status = 0;
    h->body_read = 0;
    h->started_us = started_us;
    h->method = method;
    h->query = query != NULL ? query + 1 : "";
    buf_reset(&h->path);
    buf_append(&h->path, target, query != NULL ? (size_t)(query - target) : strlen(target));
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

unsigned long long http_body_length(const struct http *h)
{
    const char *length = http_header(h, "Content-Length");
    return length != NULL ? strtoull(length, NULL, 10) : 0;
}

int http_body_text(struct http *h, const char **text, size_t *len, struct err *e)
{
    unsigned long long expected = http_body_length(h);
    int got;

    if (expected > h->app->max_body)
        return err_set(e, ERR_BODY_TOO_LARGE, "body: %llu bytes, at most %zu are taken", expected, h->app->max_body);
    char *into = buf_reserve(&h->body, (size_t)expected);
    if (into == NULL)
        return err_set(e, ERR_INTERNAL, "body: out of memory");
    got = h->port->read(h, into, (int)expected, 0);
    if (got < 0 || (unsigned long long)got != expected)
        return err_set(e, ERR_BAD_REQUEST, "body: ended after %d of %llu bytes", got, expected);
    buf_commit(&h->body, (size_t)expected);
    h->body_read = expected;
    *text = buf_text(&h->body);
    *len = h->body.len;
    return 0;
}

int http_body_read(struct http *h, void *to, size_t size, int idle_ms, size_t *got, struct err *e)
{
    unsigned long long left = http_body_length(h) - h->body_read;
    int wanted = left < size ? (int)left : (int)size;

    *got = 0;
    if (wanted == 0)
        return 0;
    int n = h->port->read(h, to, wanted, idle_ms);
    if (n == wanted) {
        h->body_read += (unsigned)n;
        *got = (size_t)n;
        return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
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
    if (http_body_length(h) == 0)
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

static void reply(struct http *h, int status, const char *type, const struct buf *body)
{
    size_t len = body != NULL ? body->len : 0;

    if (h->state != STATE_OPEN) {
        log_error("%s: a second answer to one request was dropped", h->request_id);
        return;
    }
    if (h->port->head(h, status, type, body != NULL ? (int64_t)len : -1) != 0 || h->port->put(h, body != NULL ? body->data : NULL, len) != 0)
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

/* Sends the head and what was held back: `length` as for the port's head. -1 once the client is gone. */
static int release(struct http *h, int64_t length)
{
    h->state = STATE_STREAMING;
    if (h->port->head(h, h->status, h->type, length) == 0 && h->port->put(h, h->held.data, h->held.len) == 0)
        return 0;
    h->state = STATE_BROKEN;
    return -1;
}

int http_become_slow(struct http *h)
{
    if (h->slow || h->app->slow_readers == 0)
        return 0;
    if (atomic_fetch_add(&slow_readers, 1) >= h->app->slow_readers) {
        atomic_fetch_sub(&slow_readers, 1);
        return -1;
    }
    h->slow = true;
    return 0;
}

/* May a long answer begin? While slow readers have all their places, one more would only take threads from those who read. */
static int check_readers(struct http *h)
{
    unsigned most = h->app->slow_readers;
    struct err e = ERR_INIT;

    if (most == 0 || atomic_load(&slow_readers) < most)
        return 0;
    (void)err_set(&e, ERR_TOO_BUSY, "%u readers of long answers are slow, which is all that there may be: no other long one begins", most);
    h->state = STATE_OPEN;
    http_fail(h, &e, NULL);
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
        if (check_readers(h) != 0 || release(h, -1) != 0)
            return -1;
    }
    if (h->state != STATE_STREAMING)
        return -1;
    if (h->port->put(h, data, len) == 0)
        return 0;
    h->state = STATE_BROKEN;
    return -1;
}

int http_flush(struct http *h)
{
    if (h->state == STATE_HELD && release(h, -1) != 0)
        return -1;
    if (h->state != STATE_STREAMING)
        return -1;
    if (h->port->flush(h) == 0)
        return 0;
    h->state = STATE_BROKEN;
    return -1;
}

bool http_takes_more(const struct http *h)
{
    return h->port->takes_more(h);
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
    if (h->state == STATE_DONE)
        return; /* refused by http_write */
    if (h->state == STATE_HELD)
        (void)release(h, -1); /* what is broken off is broken off either way */
    h->state = STATE_BROKEN;
}

bool http_is_sent(const struct http *h)
{
    return h->state != STATE_OPEN && h->state != STATE_HELD;
}

/* The route */

/* Appends the methods that `path` takes, "POST, OPTIONS". HEAD is GET whose body lighttpd drops. */
static void write_allowed(const struct http *h, struct buf *out)
{
    const struct http_app *app = h->app;
    const char *path = http_path(h);

    for (size_t i = 0; i < app->route_count; i++) {
        const struct http_route *r = &app->routes[i];

        if (strcmp(r->path, path) != 0 || (h->is_part && r->kind == HTTP_ALONE))
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
    write_allowed(h, &allowed);
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
        (void)err_set(&e, ERR_NO_SUCH_PATH, "%s: no such path%s", buf_text(&shown), h->is_part ? " in a batch" : "");
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
            return h->is_part && r->kind == HTTP_ALONE ? NULL : r;
    }
    return NULL;
}

void http_answer(struct http *h, void *thread)
{
    const struct http_route *route = find_route(h);
    struct err e = ERR_INIT;

    if (route == NULL)
        answer_unrouted(h);
    else if (!h->is_part && route->guard != NULL && route->guard(h, &e) != 0)
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
