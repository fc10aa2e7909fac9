#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
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
    HANG
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
    char last[4096]; /* the last request as it came */
};

static struct server servers[SERVERS];
static struct cluster_worker workers[SERVERS];
static struct cluster cluster = {.bind = (char *)(uintptr_t) "127.0.0.1", .workers = workers, .worker_count = SERVERS, .master_threads = 4, .limits = {.max_memory = (size_t)256 << 20}};
static char rundir[] = "/tmp/shardgate-fanout-XXXXXX";
static struct fanout *f;
static struct fanout_load load;

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

static void start_server(size_t i, enum manner manner, bool on_socket)
{
    static char names[SERVERS][4] = {"go", "py", "nod"};
    struct server *s = &servers[i];
    memset(s, 0, sizeof *s);
    s->name = names[i];
    s->manner = manner;
    workers[i].name = names[i];
    s->listener = listen_somewhere(s->name, on_socket, &workers[i].port);
    assert_int_equal(pthread_create(&s->thread, NULL, run_server, s), 0);
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
    memset(&load, 0, sizeof load);
    f = fanout_new(&cluster, rundir, &load);
    return f != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    fanout_free(f);
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

/* Makes this many calls to worker 0 at once, and returns how many of them were sent. */
static int sent_of(size_t count, int ms)
{
    struct fanout_request rq = make_request(true, ms);
    int sent = 0;
    fanout_reset(f);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fanout_add(f, 0, &rq), 0);
    fanout_run(f);
    for (size_t i = 0; i < count; i++)
        sent += fanout_answer(f, i)->result != FANOUT_NOT_SENT ? 1 : 0;
    assert_int_equal(atomic_load(&load.waiting[0]), 0);
    return sent;
}

static void a_late_worker_keeps_half_of_the_threads_at_most(void **state)
{
    (void)state;
    start_server(0, HANG, false);
    assert_int_equal(sent_of(4, FANOUT_LATE_MS / 2), 4); /* short of time, but nobody waited long */
    assert_int_equal(sent_of(4, FANOUT_LATE_MS / 2), 4);
    assert_int_equal(sent_of(4, FANOUT_LATE_MS + 200), 4);
    assert_int_equal(sent_of(4, FANOUT_LATE_MS + 200), 2);
    assert_int_equal(fanout_answer(f, 3)->timed_out, false);
    stop_server(0);
    start_server(0, ANSWER, false);
    assert_int_equal(sent_of(1, 3000), 1); /* answers: it is no longer late */
    assert_int_equal(sent_of(4, FANOUT_LATE_MS / 2), 4);
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
        cmocka_unit_test_setup_teardown(a_late_worker_keeps_half_of_the_threads_at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calls_have_a_limit, set_up, tear_down),
    };
    if (mkdtemp(rundir) == NULL || fanout_global_init() != 0)
        return EXIT_FAILURE;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    fanout_global_clear();
    rmdir(rundir);
    return rc;
}
