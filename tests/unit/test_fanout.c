#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fcgi-master/fanout.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SERVERS 3
#define PLACES 2 /* calls at once to one server */
#define BODY "{\"db_name\":\"S\"}"

/* What a server does with a whole request that arrived. */
enum manner {
    ANSWER,        /* 200, and keeps the connection */
    ANSWER_CLOSE_NEXT, /* answers the first, and closes the kept connection once the second has arrived */
    CLOSE,         /* closes without an answer */
    CUT,           /* closes in the middle of its answer */
    FOREIGN,       /* 500 without the marker */
    OTHERS_MARKER, /* the marker of another worker */
    REFUSE_BUSY,   /* 429 with Retry-After */
    HANG,
    STREAM,        /* numbered lines, as many and as long as the server's `lines` and `line_len` say */
    STREAM_CUT,    /* closes before the last of them */
    STREAM_STALL   /* the first of them; the others once `go_on` is set */
};

/* A server of the test's own: one connection after the other. */
struct server {
    const char *name;
    enum manner manner;
    int listener;
    int port; /* 0: listens on a Unix socket */
    pthread_t thread;
    atomic_int arrivals;
    atomic_bool stop;
    atomic_bool go_on;
    atomic_size_t sent; /* bytes of a stream */
    size_t lines, line_len;
    char last[4096]; /* the last request as it came */
};

static struct server servers[SERVERS];
static struct cluster_worker workers[SERVERS];
static struct cluster cluster = {.bind = (char *)(uintptr_t) "127.0.0.1", .workers = workers, .worker_count = SERVERS, .master_threads = 4, .limits = {.max_memory = (size_t)256 << 20}};
static char rundir[] = "/tmp/shardgate-fanout-XXXXXX";
static struct fanout *f;
static struct breaker *breaker;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool wait_readable(struct server *s, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (!atomic_load(&s->stop)) {
        if (poll(&p, 1, 10) > 0)
            return true;
    }
    return false;
}

/* Reads one request into s->last; false when the client has gone. */
static bool read_request(struct server *s, int fd)
{
    char request[sizeof s->last];
    size_t len = 0;
    for (;;) {
        if (!wait_readable(s, fd))
            return false;
        ssize_t n = read(fd, request + len, sizeof request - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        request[len] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        if (end == NULL)
            continue;
        const char *length = strstr(request, "Content-Length: ");
        size_t body = length != NULL ? (size_t)atoi(length + 16) : 0;
        if (strlen(end + 4) >= body)
            break;
    }
    memcpy(s->last, request, len + 1);
    return true;
}

static void send_text(int fd, const char *text)
{
    ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL);
    (void)n;
}

static void send_answer(const struct server *s, int fd, int status, const char *marker, const char *more, const char *body, size_t length)
{
    char text[512];
    (void)s;
    snprintf(text, sizeof text, "HTTP/1.1 %d X\r\n%s%s%s%sContent-Length: %zu\r\n\r\n%s", status, marker != NULL ? "x-shardgate:  " : "",
             marker != NULL ? marker : "", marker != NULL ? " \r\n" : "", more, length, body);
    send_text(fd, text);
}

/* Sends all of it, unless the server is stopped or the client has gone. */
static bool send_all(struct server *s, int fd, const char *text, size_t len)
{
    while (len > 0 && !atomic_load(&s->stop)) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, 10) <= 0)
            continue;
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return false;
        atomic_fetch_add(&s->sent, (size_t)n);
        text += n;
        len -= (size_t)n;
    }
    return len == 0;
}

/* Line `number`: its number with zeros before it. */
static void write_line(char *line, size_t len, size_t number)
{
    snprintf(line, len, "%0*zu", (int)len - 1, number);
    line[len - 1] = '\n';
}

static bool stream_lines(struct server *s, int fd)
{
    char head[256];
    char *line = malloc(s->line_len + 1);
    bool whole = line != NULL;
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nX-Shardgate: %s\r\nContent-Type: application/x-ndjson\r\nContent-Length: %zu\r\n\r\n", s->name,
             s->lines * s->line_len);
    send_text(fd, head);
    for (size_t i = 0; i < s->lines && whole; i++) {
        while (i == 1 && s->manner == STREAM_STALL && !atomic_load(&s->go_on) && !atomic_load(&s->stop))
            usleep(5000);
        write_line(line, s->line_len, i);
        whole = !(s->manner == STREAM_CUT && i + 1 == s->lines) && send_all(s, fd, line, s->line_len);
    }
    free(line);
    return whole;
}

/* Serves one request. True to keep the connection. */
static bool serve(struct server *s, int fd, int served_before)
{
    switch (s->manner) {
    case ANSWER_CLOSE_NEXT:
        if (served_before > 0)
            return false;
        send_answer(s, fd, 200, s->name, "", "first", 5);
        return true;
    case ANSWER:
        send_answer(s, fd, 200, s->name, "", s->name, strlen(s->name));
        return true;
    case CUT:
        send_answer(s, fd, 200, s->name, "", "half", 100);
        return false;
    case FOREIGN:
        send_answer(s, fd, 500, NULL, "", "<html>", 6);
        return true;
    case OTHERS_MARKER:
        send_answer(s, fd, 200, "another", "", "{}", 2);
        return true;
    case REFUSE_BUSY:
        send_answer(s, fd, 429, s->name, "Retry-After: 7\r\n", "{}", 2);
        return true;
    case HANG:
        while (!atomic_load(&s->stop))
            usleep(5000);
        return false;
    case STREAM:
    case STREAM_CUT:
    case STREAM_STALL:
        return stream_lines(s, fd);
    case CLOSE:
        return false;
    }
    return false;
}

static void *run_server(void *arg)
{
    struct server *s = arg;
    while (wait_readable(s, s->listener)) {
        int fd = accept(s->listener, NULL, NULL);
        int served = 0;
        while (fd >= 0 && read_request(s, fd)) {
            atomic_fetch_add(&s->arrivals, 1);
            if (!serve(s, fd, served++))
                break;
        }
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

static void socket_path(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/%s.http.sock", rundir, name);
}

/* Listens on a port of the kernel's choice, or on the worker's Unix socket. */
static int listen_somewhere(const char *name, bool on_socket, int *port)
{
    int fd = socket(on_socket ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    if (on_socket) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        socket_path(address.sun_path, sizeof address.sun_path, name);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    } else {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof address;
        assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
        *port = ntohs(address.sin_port);
    }
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static void start(size_t i, enum manner manner, bool on_socket, size_t lines, size_t line_len)
{
    static char names[SERVERS][4] = {"go", "py", "nod"};
    struct server *s = &servers[i];
    memset(s, 0, sizeof *s);
    s->name = names[i];
    s->manner = manner;
    s->lines = lines;
    s->line_len = line_len;
    workers[i].name = names[i];
    s->listener = listen_somewhere(s->name, on_socket, &workers[i].port);
    assert_int_equal(pthread_create(&s->thread, NULL, run_server, s), 0);
}

static void start_server(size_t i, enum manner manner, bool on_socket)
{
    start(i, manner, on_socket, 0, 0);
}

/* On a Unix socket: what the kernel holds of a stream there is little. */
static void start_stream(size_t i, enum manner manner, size_t lines, size_t line_len)
{
    start(i, manner, true, lines, line_len);
}

static void stop_server(size_t i)
{
    struct server *s = &servers[i];
    if (s->name == NULL)
        return;
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    close(s->listener);
    char path[128];
    socket_path(path, sizeof path, s->name);
    unlink(path);
    memset(s, 0, sizeof *s);
}

static int set_up(void **state)
{
    (void)state;
    breaker = breaker_new(SERVERS, PLACES, now_us());
    f = breaker != NULL ? fanout_new(&cluster, rundir, breaker) : NULL;
    return f != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    fanout_free(f);
    breaker_free(breaker);
    for (size_t i = 0; i < SERVERS; i++)
        stop_server(i);
    return 0;
}

static struct fanout_request make_request(bool read, int ms)
{
    return (struct fanout_request){
        .path = "/insert",
        .body = BODY,
        .len = strlen(BODY),
        .token = "secret",
        .request_id = "id-1",
        .schema_tag = "tag-1",
        .deadline_us = now_us() + (int64_t)ms * 1000,
        .repeatable = read,
    };
}

static const struct fanout_answer *call_one(bool read, int ms)
{
    struct fanout_request rq = make_request(read, ms);
    fanout_reset(f);
    assert_int_equal(fanout_add(f, 0, &rq), 0);
    fanout_run(f);
    assert_int_equal(fanout_count(f), 1);
    return fanout_answer(f, 0);
}

/* One call to a server of each manner: what becomes of it, and how often the server saw it. */
static void each_failure_has_its_result(void **state)
{
    (void)state;
    static const struct {
        enum manner manner;
        bool read;
        enum fanout_result result;
        int status;
        int arrivals;
        const char *body;
    } rows[] = {
        {ANSWER, false, FANOUT_ANSWERED, 200, 1, "go"},
        {ANSWER, true, FANOUT_ANSWERED, 200, 1, "go"},
        {REFUSE_BUSY, false, FANOUT_ANSWERED, 429, 1, "{}"},
        {CLOSE, false, FANOUT_NO_ANSWER, 0, 1, ""},
        {CLOSE, true, FANOUT_NO_ANSWER, 0, 2, ""},
        {CUT, false, FANOUT_NO_ANSWER, 200, 1, ""},
        {CUT, true, FANOUT_NO_ANSWER, 200, 2, ""},
        {FOREIGN, false, FANOUT_FOREIGN_ANSWER, 500, 1, ""},
        {FOREIGN, true, FANOUT_FOREIGN_ANSWER, 500, 2, ""},
        {OTHERS_MARKER, false, FANOUT_FOREIGN_ANSWER, 200, 1, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        start_server(0, rows[i].manner, false);
        const struct fanout_answer *a = call_one(rows[i].read, 3000);
        assert_int_equal(a->result, rows[i].result);
        assert_int_equal(a->status, rows[i].status);
        assert_string_equal(a->body, rows[i].body);
        assert_int_equal(a->len, strlen(rows[i].body));
        assert_int_equal(a->retry_after_s, rows[i].manner == REFUSE_BUSY ? 7 : 0);
        assert_false(a->timed_out);
        assert_int_equal(strlen(a->detail) > 0, rows[i].result != FANOUT_ANSWERED);
        assert_int_equal(atomic_load(&servers[0].arrivals), rows[i].arrivals);
        stop_server(0);
    }
}

/* libcurl by itself would send a request again when a kept connection dies under it. */
static void a_write_on_a_dying_kept_connection_is_sent_once(void **state)
{
    (void)state;
    start_server(0, ANSWER_CLOSE_NEXT, false);
    assert_int_equal(call_one(false, 3000)->result, FANOUT_ANSWERED);
    assert_int_equal(call_one(false, 3000)->result, FANOUT_NO_ANSWER);
    assert_int_equal(atomic_load(&servers[0].arrivals), 2);
}

static void a_read_on_a_dying_kept_connection_is_repeated(void **state)
{
    (void)state;
    start_server(0, ANSWER_CLOSE_NEXT, false);
    assert_int_equal(call_one(true, 3000)->result, FANOUT_ANSWERED);
    const struct fanout_answer *a = call_one(true, 3000);
    assert_int_equal(a->result, FANOUT_ANSWERED);
    assert_string_equal(a->body, "first");
    assert_int_equal(atomic_load(&servers[0].arrivals), 3);
}

static void a_connection_that_closed_while_idle_is_not_used(void **state)
{
    (void)state;
    start_server(0, ANSWER, false);
    assert_int_equal(call_one(false, 3000)->result, FANOUT_ANSWERED);
    stop_server(0);
    start_server(0, ANSWER, false);
    assert_int_equal(call_one(false, 3000)->result, FANOUT_ANSWERED);
    assert_int_equal(atomic_load(&servers[0].arrivals), 1);
}

static void refused_connections_send_nothing(void **state)
{
    (void)state;
    start_server(0, ANSWER, false);
    stop_server(0); /* nobody listens on workers[0].port now */
    int64_t started = now_us();
    const struct fanout_answer *a = call_one(false, 3000);
    assert_int_equal(a->result, FANOUT_NOT_SENT);
    assert_false(a->timed_out);
    assert_true(now_us() - started < 2500000);
}

static void a_hung_worker_costs_the_deadline_and_delays_no_other(void **state)
{
    (void)state;
    start_server(0, HANG, false);
    start_server(1, ANSWER, false);
    start_server(2, HANG, false);
    struct fanout_request slow = make_request(true, 800);
    fanout_reset(f);
    int64_t started = now_us();
    for (size_t i = 0; i < SERVERS; i++)
        assert_int_equal(fanout_add(f, i, &slow), 0);
    fanout_run(f);
    int64_t took = now_us() - started;
    assert_true(took >= 790000 && took < 5000000);
    assert_int_equal(fanout_answer(f, 0)->result, FANOUT_NO_ANSWER);
    assert_true(fanout_answer(f, 0)->timed_out);
    assert_int_equal(fanout_answer(f, 1)->result, FANOUT_ANSWERED);
    assert_string_equal(fanout_answer(f, 1)->body, "py");
    assert_true(fanout_answer(f, 1)->elapsed_us < 700000);
    assert_true(fanout_answer(f, 2)->timed_out);
    assert_int_equal(atomic_load(&servers[0].arrivals), 1);
}

static void a_deadline_that_has_passed_sends_nothing(void **state)
{
    (void)state;
    start_server(0, ANSWER, false);
    const struct fanout_answer *a = call_one(true, -5);
    assert_int_equal(a->result, FANOUT_NOT_SENT);
    assert_true(a->timed_out);
    assert_int_equal(atomic_load(&servers[0].arrivals), 0);
}

static void workers_are_reached_by_their_socket(void **state)
{
    (void)state;
    start_server(0, ANSWER, true);
    workers[0].port = 1; /* nobody there */
    assert_int_equal(call_one(false, 3000)->result, FANOUT_ANSWERED);
    assert_int_equal(call_one(false, 3000)->result, FANOUT_ANSWERED);
    assert_int_equal(atomic_load(&servers[0].arrivals), 2);
}

static void a_leftover_socket_is_passed_over(void **state)
{
    (void)state;
    int ignored = 0;
    start_server(0, ANSWER, false);
    close(listen_somewhere("go", true, &ignored)); /* the file stays */
    assert_int_equal(call_one(false, 3000)->result, FANOUT_ANSWERED);
    assert_int_equal(atomic_load(&servers[0].arrivals), 1);
}

static void requests_carry_their_headers(void **state)
{
    (void)state;
    start_server(0, ANSWER, false);
    (void)call_one(false, 3000);
    static const char *const wanted[] = {"POST /insert HTTP/1.1\r\n",       "\r\nX-Master-Token: secret\r\n", "\r\nX-Request-Id: id-1\r\n",
                                         "\r\nX-Shard-Schema: tag-1\r\n",   "\r\nX-Timeout-Ms: ",             "\r\nContent-Type: application/json\r\n",
                                         "\r\nContent-Length: 15\r\n",      ("\r\n\r\n" BODY)};
    for (size_t i = 0; i < COUNT(wanted); i++)
        assert_non_null(strstr(servers[0].last, wanted[i]));
    assert_null(strstr(servers[0].last, "Expect"));
    struct fanout_request get = {.path = "/health", .request_id = "id-2", .deadline_us = now_us() + 3000000};
    fanout_reset(f);
    assert_int_equal(fanout_add(f, 0, &get), 0);
    fanout_run(f);
    assert_non_null(strstr(servers[0].last, "GET /health HTTP/1.1\r\n"));
    assert_null(strstr(servers[0].last, "X-Master-Token"));
    assert_null(strstr(servers[0].last, "X-Shard-Schema"));
}

/* Makes this many calls to worker 0 at once; returns how many of them were sent, and what the others were told. */
static int sent_of(size_t count, int ms, enum fanout_result *refusal)
{
    struct fanout_request rq = make_request(true, ms);
    struct breaker_view view;
    int sent = 0;
    fanout_reset(f);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fanout_add(f, 0, &rq), 0);
    fanout_run(f);
    for (size_t i = 0; i < count; i++) {
        enum fanout_result result = fanout_answer(f, i)->result;
        sent += fanout_was_sent(result) ? 1 : 0;
        if (!fanout_was_sent(result))
            *refusal = result;
    }
    breaker_look(breaker, 0, &view);
    assert_int_equal(view.under_way, 0); /* each place was given back */
    return sent;
}

static void a_worker_has_so_many_calls_at_most(void **state)
{
    (void)state;
    enum fanout_result refusal = FANOUT_ANSWERED;
    start_server(0, HANG, false);
    assert_int_equal(sent_of(PLACES + 2, 300, &refusal), PLACES);
    assert_int_equal(refusal, FANOUT_FULL);
    assert_string_not_equal(fanout_answer(f, PLACES)->detail, "");
    assert_int_equal(fanout_answer(f, PLACES)->timed_out, false);
    stop_server(0);
    start_server(0, ANSWER, false);
    assert_int_equal(sent_of(1, 3000, &refusal), 1);
}

static void a_worker_that_is_given_up_is_asked_by_probes_alone(void **state)
{
    (void)state;
    enum fanout_result refusal = FANOUT_ANSWERED;
    start_server(0, ANSWER, false);
    for (int i = 0; i < BREAKER_FAILURES; i++)
        breaker_saw(breaker, 0, BREAKER_BAD, 0, now_us());
    assert_int_equal(sent_of(1, 3000, &refusal), 0);
    assert_int_equal(refusal, FANOUT_GIVEN_UP);
    assert_int_equal(atomic_load(&servers[0].arrivals), 0);
    struct fanout_request probe = {.path = "/health", .request_id = "id-3", .deadline_us = now_us() + 3000000, .probe = true};
    fanout_reset(f);
    assert_int_equal(fanout_add(f, 0, &probe), 0);
    fanout_run(f);
    assert_int_equal(fanout_answer(f, 0)->result, FANOUT_ANSWERED);
    assert_true(breaker_probed(breaker, 0, true, 0, now_us()));
    assert_int_equal(sent_of(1, 3000, &refusal), 1);
}

static void repetitions_have_a_budget(void **state)
{
    (void)state;
    enum fanout_result refusal = FANOUT_ANSWERED;
    start_server(0, FOREIGN, false);
    for (int i = 0; i < 2 * BREAKER_RETRY_BURST; i++)
        assert_int_equal(sent_of(1, 3000, &refusal), 1);
    int arrivals = atomic_load(&servers[0].arrivals);
    assert_in_range(arrivals, 3 * BREAKER_RETRY_BURST, 3 * BREAKER_RETRY_BURST + 2); /* and one for each ten */
}

static void calls_have_a_limit(void **state)
{
    (void)state;
    start_server(0, ANSWER, false);
    struct fanout_request rq = make_request(true, 1000);
    fanout_reset(f);
    for (size_t i = 0; i < FANOUT_MAX_CALLS; i++)
        assert_int_equal(fanout_add(f, 0, &rq), 0);
    assert_int_equal(fanout_add(f, 0, &rq), -1);
    fanout_reset(f);
}

/* ---- Streams ------------------------------------------------------------------------------------------------------ */

#define LONG_MS 60000 /* of tests in which nothing is to be late */

/* Reads a stream line by line. */
struct reader {
    size_t call;
    const char *data;
    size_t len;
    size_t used;  /* of `data` */
    size_t lines; /* that were read */
};

static void start_streams(size_t count)
{
    fanout_reset(f);
    for (size_t i = 0; i < count; i++) {
        struct fanout_request rq = make_request(true, LONG_MS);
        rq.stream = FANOUT_LINES;
        assert_int_equal(fanout_add(f, i, &rq), 0);
    }
    fanout_run(f);
}

/* What comes next must be the next of the server's lines: 1. Or what fanout_pull() said of the stream's end. */
static int read_line(struct reader *r, int ms)
{
    const struct server *s = &servers[r->call];
    char *expected = malloc(s->line_len + 1);
    const char *end;
    assert_non_null(expected);
    while ((end = r->used < r->len ? memchr(r->data + r->used, '\n', r->len - r->used) : NULL) == NULL) {
        int rc = fanout_pull(f, r->call, r->used, now_us() + (int64_t)ms * 1000, &r->data, &r->len);
        r->used = 0;
        if (rc <= 0) {
            free(expected);
            return rc;
        }
    }
    write_line(expected, s->line_len, r->lines);
    assert_int_equal(end + 1 - (r->data + r->used), s->line_len);
    assert_memory_equal(r->data + r->used, expected, s->line_len);
    free(expected);
    r->used += s->line_len;
    r->lines++;
    return 1;
}

static void read_to_end(struct reader *r)
{
    while (read_line(r, LONG_MS) > 0)
        ;
    assert_int_equal(fanout_answer(f, r->call)->result, FANOUT_STREAMED);
    assert_int_equal(r->lines, servers[r->call].lines);
    assert_int_equal(r->used, r->len);
}

/* What one stream gave stays where it is while the others are pulled. */
static void streams_are_read_side_by_side(void **state)
{
    (void)state;
    struct reader readers[SERVERS];
    size_t lengths[SERVERS] = {10, 101, 4000};
    for (size_t i = 0; i < SERVERS; i++) {
        start_stream(i, STREAM, 3000, lengths[i]);
        readers[i] = (struct reader){.call = i};
    }
    for (int round = 0; round < 2; round++) {
        start_streams(SERVERS);
        for (size_t i = 0; i < SERVERS; i++) {
            assert_int_equal(fanout_answer(f, i)->result, FANOUT_STREAMED);
            assert_int_equal(fanout_answer(f, i)->status, 200);
            readers[i] = (struct reader){.call = i};
        }
        for (size_t n = 0; n < 3000; n++) {
            for (size_t i = 0; i < SERVERS; i++)
                assert_int_equal(read_line(&readers[i], LONG_MS), 1);
        }
        for (size_t i = 0; i < SERVERS; i++)
            read_to_end(&readers[i]);
    }
}

/* Lets server 1 go on once nothing has left server 0 for a while: the stream of server 0 is paused then. */
static void *wait_until_still(void *arg)
{
    size_t sent = 0, before;
    (void)arg;
    for (int still = 0; still < 50 || sent < FANOUT_MAX_AHEAD; still = sent == before ? still + 1 : 0) {
        before = sent;
        usleep(10000);
        sent = atomic_load(&servers[0].sent);
    }
    atomic_store(&servers[1].go_on, true);
    return NULL;
}

/* What a stream that nobody pulls can have taken from its server: what is read ahead, and libcurl's and the kernel's buffers. */
#define MOST_TAKEN (FANOUT_MAX_AHEAD + ((size_t)1 << 20))

static void a_stream_that_nobody_pulls_is_bounded(void **state)
{
    (void)state;
    struct reader idle = {.call = 0}, stalled = {.call = 1}, quick = {.call = 2};
    pthread_t waiter;
    start_stream(0, STREAM, 20000, 1000);
    start_stream(1, STREAM_STALL, 100, 1000);
    start_stream(2, STREAM, 20000, 1000);
    start_streams(3);
    read_to_end(&quick);
    assert_true(atomic_load(&servers[0].sent) < MOST_TAKEN);
    assert_int_equal(read_line(&stalled, LONG_MS), 1);
    assert_int_equal(pthread_create(&waiter, NULL, wait_until_still, NULL), 0);
    read_to_end(&stalled); /* drives the others, which nobody pulls, for as long as it stands still */
    pthread_join(waiter, NULL);
    size_t taken = atomic_load(&servers[0].sent);
    assert_true(taken >= FANOUT_MAX_AHEAD);
    assert_true(taken < MOST_TAKEN);
    read_to_end(&idle);
}

static void a_stalled_stream_keeps_no_other(void **state)
{
    (void)state;
    struct reader stalled = {.call = 0};
    start_stream(0, STREAM_STALL, 2000, 1000);
    for (size_t i = 1; i < SERVERS; i++)
        start_stream(i, STREAM, 10000, 1000);
    start_streams(SERVERS);
    assert_int_equal(read_line(&stalled, LONG_MS), 1);
    for (size_t i = 1; i < SERVERS; i++) {
        struct reader quick = {.call = i};
        read_to_end(&quick);
    }
    assert_int_equal(stalled.lines, 1);
    atomic_store(&servers[0].go_on, true);
    read_to_end(&stalled);
}

static void a_stream_that_ends_early_has_failed(void **state)
{
    (void)state;
    struct reader cut = {.call = 0}, whole = {.call = 1};
    start_stream(0, STREAM_CUT, 1000, 500);
    start_stream(1, STREAM, 1000, 500);
    start_streams(2);
    int rc;
    while ((rc = read_line(&cut, LONG_MS)) > 0)
        ;
    assert_int_equal(rc, -1);
    assert_int_equal(cut.lines, 999); /* all that came */
    assert_int_equal(fanout_answer(f, 0)->result, FANOUT_NO_ANSWER);
    assert_false(fanout_answer(f, 0)->timed_out);
    assert_true(strlen(fanout_answer(f, 0)->detail) > 0);
    assert_int_equal(fanout_pull(f, 0, 0, now_us() + 1000000, &cut.data, &cut.len), -1); /* and stays so */
    assert_int_equal(atomic_load(&servers[0].arrivals), 1); /* what has begun is not asked for again */
    read_to_end(&whole);
}

static void a_stalled_stream_costs_the_pulls_deadline(void **state)
{
    (void)state;
    struct reader stalled = {.call = 0}, whole = {.call = 1};
    start_stream(0, STREAM_STALL, 2, 100);
    start_stream(1, STREAM, 1000, 500);
    start_streams(2);
    assert_int_equal(read_line(&stalled, LONG_MS), 1);
    int64_t started = now_us();
    assert_int_equal(read_line(&stalled, 300), -1);
    assert_true(now_us() - started >= 290000);
    assert_int_equal(fanout_answer(f, 0)->result, FANOUT_NO_ANSWER);
    assert_true(fanout_answer(f, 0)->timed_out);
    read_to_end(&whole);
}

static void a_line_may_be_longer_than_what_is_read_ahead(void **state)
{
    (void)state;
    struct reader longest = {.call = 0}, other = {.call = 1};
    start_stream(0, STREAM, 3, 5 * FANOUT_MAX_AHEAD + 3);
    start_stream(1, STREAM, 1000, 1000);
    start_streams(2);
    assert_int_equal(read_line(&other, LONG_MS), 1);
    read_to_end(&longest);
    read_to_end(&other);
}

static void a_line_may_not_be_longer_than_the_memory(void **state)
{
    (void)state;
    size_t max_memory = cluster.limits.max_memory;
    struct reader longest = {.call = 0};
    cluster.limits.max_memory = 2 * FANOUT_MAX_AHEAD;
    start_stream(0, STREAM, 3, 5 * FANOUT_MAX_AHEAD);
    start_streams(1);
    int rc = read_line(&longest, LONG_MS);
    cluster.limits.max_memory = max_memory;
    assert_int_equal(rc, -1);
    assert_int_equal(fanout_answer(f, 0)->result, FANOUT_TOO_LONG);
}

/* The worker sees that nobody reads any more, and the next call finds a connection that is its own. */
static void a_stream_that_is_given_up_is_closed(void **state)
{
    (void)state;
    struct reader first = {.call = 0};
    start_stream(0, STREAM, 20000, 1000);
    for (int round = 0; round < 2; round++) {
        start_streams(1);
        first = (struct reader){.call = 0};
        assert_int_equal(read_line(&first, LONG_MS), 1);
    }
    assert_int_equal(atomic_load(&servers[0].arrivals), 2); /* it serves one connection after the other */
    read_to_end(&first);
}

static void what_does_not_stream_is_whole(void **state)
{
    (void)state;
    start_server(0, ANSWER, false);
    start_server(1, REFUSE_BUSY, false);
    start_server(2, CUT, false);
    start_streams(SERVERS);
    assert_int_equal(fanout_answer(f, 0)->result, FANOUT_ANSWERED);
    assert_string_equal(fanout_answer(f, 0)->body, "go");
    assert_int_equal(fanout_answer(f, 1)->result, FANOUT_ANSWERED);
    assert_int_equal(fanout_answer(f, 1)->status, 429);
    assert_int_equal(fanout_answer(f, 2)->result, FANOUT_NO_ANSWER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_failure_has_its_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_on_a_dying_kept_connection_is_sent_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_read_on_a_dying_kept_connection_is_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_closed_while_idle_is_not_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_connections_send_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hung_worker_costs_the_deadline_and_delays_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deadline_that_has_passed_sends_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(workers_are_reached_by_their_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leftover_socket_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_carry_their_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_worker_has_so_many_calls_at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_worker_that_is_given_up_is_asked_by_probes_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(repetitions_have_a_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calls_have_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_are_read_side_by_side, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_that_nobody_pulls_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stalled_stream_keeps_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_that_ends_early_has_failed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stalled_stream_costs_the_pulls_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_may_be_longer_than_what_is_read_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_may_not_be_longer_than_the_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_that_is_given_up_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_stream_is_whole, set_up, tear_down),
    };
    if (mkdtemp(rundir) == NULL || fanout_global_init() != 0)
        return EXIT_FAILURE;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    fanout_global_clear();
    rmdir(rundir);
    return rc;
}
