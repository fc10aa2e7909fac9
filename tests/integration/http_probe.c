/* A FastCGI program whose handlers do what a real one rarely does, for test_http.py: stream, break off, refuse, forget to
 * answer. It stands in for shardgate-worker (which is told --worker) and for shardgate-master (which is not). */
#include "common/http.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *open_thread(void *arg, unsigned index)
{
    static int threads[16];

    (void)arg;
    return &threads[index % 16];
}

static void close_thread(void *thread)
{
    (void)thread;
}

/* Answers with what it saw of the request. */
static void echo(struct http *h, void *thread)
{
    const char *token = http_header(h, "X-Master-Token");
    struct buf out;

    (void)thread;
    buf_init(&out, 1 << 20);
    buf_append_text(&out, "{\"method\":");
    json_write_text(&out, http_method(h));
    buf_append_text(&out, ",\"path\":");
    json_write_text(&out, http_path(h));
    buf_append_text(&out, ",\"query\":");
    json_write_text(&out, http_query(h));
    buf_append_text(&out, ",\"token\":");
    json_write_text(&out, token != NULL ? token : "-");
    buf_append_text(&out, "}");
    http_add_header(h, "X-Split", "one\r\nX-Injected: two");
    http_reply(h, 200, &out);
    buf_clear(&out);
}

static void body(struct http *h, void *thread)
{
    struct json_object *tree;
    const char *text;
    size_t len;
    struct err e = ERR_INIT;
    struct buf out;

    (void)thread;
    if (http_body(h, &tree, &text, &len, &e) != 0) {
        http_fail(h, &e, NULL);
        return;
    }
    buf_init(&out, 64 << 20);
    buf_append(&out, text, len);
    http_reply(h, 200, &out);
    buf_clear(&out);
}

/* /stream?N: N rows of 100 bytes. /broken?N: breaks off behind N rows. */
static void stream_rows(struct http *h, bool whole)
{
    long rows = strtol(http_query(h), NULL, 10);
    char row[101];

    http_begin(h, 200, "application/json");
    memset(row, 'x', sizeof(row));
    row[0] = '"';
    row[98] = '"';
    row[99] = ',';
    if (http_write(h, "[", 1) != 0)
        log_warning("the client has gone");
    for (long i = 0; i < rows; i++) {
        if (http_write(h, row, 100) != 0) {
            log_warning("the client has gone after %ld rows", i);
            http_abort(h);
            return;
        }
    }
    if (!whole) {
        http_abort(h);
        return;
    }
    if (http_write(h, "0]", 2) != 0)
        log_warning("the client has gone");
    http_end(h);
}

static void stream(struct http *h, void *thread)
{
    (void)thread;
    stream_rows(h, true);
}

static void broken(struct http *h, void *thread)
{
    (void)thread;
    stream_rows(h, false);
}

static void silent(struct http *h, void *thread)
{
    (void)h;
    (void)thread;
}

static void unended(struct http *h, void *thread)
{
    (void)thread;
    http_begin(h, 200, "application/json");
}

static void busy(struct http *h, void *thread)
{
    struct err e = ERR_INIT;

    (void)thread;
    (void)err_set(&e, ERR_TOO_BUSY, "come back later");
    e.retry_after_s = 7;
    http_fail(h, &e, "[{\"shard\":1}]");
}

static void slow(struct http *h, void *thread)
{
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 0}, NULL);
    echo(h, thread);
}

static int guard(const struct http *h, struct err *e)
{
    const char *token = http_header(h, "X-Master-Token");

    return token != NULL && strcmp(token, "right") == 0 ? 0 : err_set(e, ERR_UNAUTHORIZED, "no or a wrong token");
}

static const struct http_route routes[] = {
    {"GET", "/echo", echo, NULL, HTTP_ALONE},      {"POST", "/body", body, NULL, HTTP_ALONE},     {"GET", "/stream", stream, NULL, HTTP_ALONE},
    {"GET", "/broken", broken, NULL, HTTP_ALONE},  {"GET", "/silent", silent, NULL, HTTP_ALONE},  {"GET", "/unended", unended, NULL, HTTP_ALONE},
    {"GET", "/health", echo, NULL, HTTP_ALONE},
    {"GET", "/busy", busy, NULL, HTTP_ALONE},      {"GET", "/slow", slow, NULL, HTTP_ALONE},      {"POST", "/guarded", body, guard, HTTP_ALONE},
};

int main(int argc, char **argv)
{
    bool worker = false;

    for (int i = 1; i < argc; i++)
        worker = worker || strcmp(argv[i], "--worker") == 0;

    struct http_app app = {
        .name = "probe",
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .threads = 4,
        .max_body = 1 << 20,
        .cors = !worker,
        .thread_open = open_thread,
        .thread_close = close_thread,
    };

    log_open("probe");
    return http_serve(&app);
}
