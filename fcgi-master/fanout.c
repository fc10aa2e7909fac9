#include "fcgi-master/fanout.h"

#include "common/buf.h"
#include "common/clock.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#define MAX_URL           1024 /* with a query of names, three bytes for each of theirs */
#define MAX_SOCKET_PATH   108  /* of sockaddr_un */
#define LOOK_US           1000000 /* between two looks for a worker's socket */
#define MAX_HEADERS       8
#define MAX_HEADER_TEXT   2048 /* of those together whose value differs from attempt to attempt */
#define POLL_MS           1000 /* the longest wait in one turn of the loop; libcurl's own timers shorten it */
#define DEADLINE_SLACK_US 2000 /* libcurl counts in whole milliseconds */
#define READ_BUFFER       65536L /* bytes that libcurl reads at once */

/* The headers of an attempt, linked as libcurl wants them: made for every attempt, so in memory that stays. */
struct headers {
    struct curl_slist lines[MAX_HEADERS];
    size_t count;
    char text[MAX_HEADER_TEXT];
    size_t used;
};

struct call {
    struct fanout *fanout;
    struct fanout_request request;
    struct fanout_answer answer;
    CURL *easy;                 /* kept for later calls, and with `ready` the options that all have */
    bool ready;
    struct headers headers;     /* of the attempt under way */
    struct buf body;            /* of the answer; of a streamed one what is unread */
    size_t given;               /* bytes of it that the last pull gave */
    size_t ahead;               /* a stream whose body is this long is paused */
    const char *worker_name;
    size_t sent; /* bytes of the request's body that libcurl took */
    bool marked; /* the answer's X-Shardgate is the worker's name */
    bool fits;   /* its Content-Type is that of the streamed answer that was asked for */
    bool streamed; /* it is, and some of it has arrived */
    bool paused;
    bool too_long;
    bool was_socket; /* the attempt went to the Unix socket */
    bool under_way;  /* libcurl has it */
    bool placed;     /* it has a place at its worker */
    bool waited_for; /* the worker has not answered the attempt under way */
    unsigned attempts;
    int64_t started_us;
    int64_t attempt_us; /* when the attempt under way was started */
};

/* A worker's Unix socket. */
struct place {
    char socket[MAX_SOCKET_PATH]; /* "" when that were too long */
    bool local;                   /* it was there when it was looked for */
    int64_t look_us;              /* when to look again */
};

struct fanout {
    const struct cluster *cluster;
    struct breaker *breaker;
    CURLM *multi;
    struct place *places; /* one a worker */
    struct call *calls[FANOUT_MAX_CALLS]; /* made when first needed, then kept */
    size_t count;
    size_t run;  /* calls before this one have their answers */
    size_t held; /* bytes in the calls' bodies */
};

int fanout_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}

void fanout_global_clear(void)
{
    curl_global_cleanup();
}

struct fanout *fanout_new(const struct cluster *cluster, const char *rundir, struct breaker *breaker)
{
    struct fanout *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->cluster = cluster;
    f->breaker = breaker;
    f->multi = curl_multi_init();
    f->places = calloc(cluster->worker_count, sizeof *f->places);
    if (f->multi == NULL || f->places == NULL) {
        fanout_free(f);
        return NULL;
    }
    for (size_t i = 0; i < cluster->worker_count; i++) {
        struct place *p = &f->places[i];
        int n = snprintf(p->socket, sizeof p->socket, "%s/%s.http.sock", rundir, cluster->workers[i].name);
        if (n < 0 || (size_t)n >= sizeof p->socket)
            p->socket[0] = '\0';
    }
    curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)cluster->worker_count + 1);
    return f;
}

void fanout_free(struct fanout *f)
{
    if (f == NULL)
        return;
    fanout_reset(f);
    for (size_t i = 0; i < FANOUT_MAX_CALLS && f->calls[i] != NULL; i++) {
        curl_easy_cleanup(f->calls[i]->easy);
        free(f->calls[i]);
    }
    curl_multi_cleanup(f->multi);
    free(f->places);
    free(f);
}

bool fanout_was_sent(enum fanout_result result)
{
    return result != FANOUT_NOT_SENT && result != FANOUT_GIVEN_UP && result != FANOUT_FULL;
}

size_t fanout_count(const struct fanout *f)
{
    return f->run;
}

const struct fanout_answer *fanout_answer(const struct fanout *f, size_t i)
{
    return &f->calls[i]->answer;
}

static struct call *call_new(void)
{
    struct call *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->easy = curl_easy_init();
    if (c->easy == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

int fanout_add(struct fanout *f, size_t worker, const struct fanout_request *rq)
{
    if (f->count == FANOUT_MAX_CALLS)
        return -1;
    if (f->calls[f->count] == NULL && (f->calls[f->count] = call_new()) == NULL)
        return -1;
    struct call *c = f->calls[f->count++];
    c->request = *rq;
    c->answer = (struct fanout_answer){.worker = worker, .body = ""};
    c->worker_name = f->cluster->workers[worker].name;
    c->fanout = f;
    c->given = 0;
    c->attempts = 0;
    c->started_us = clock_now_us();
    buf_init(&c->body, f->cluster->limits.max_memory);
    return 0;
}

/* libcurl's callbacks. */

static size_t read_body(char *to, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    size_t n = c->request.len - c->sent;
    if (n > size * count)
        n = size * count;
    if (n > 0)
        memcpy(to, c->request.body + c->sent, n);
    c->sent += n;
    return n;
}

static void drop_body(struct call *c)
{
    c->fanout->held -= c->body.len;
    buf_clear(&c->body);
}

static size_t write_body(char *from, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    struct fanout *f = c->fanout;
    size_t n = size * count;
    if (!c->streamed && c->fits && c->marked) {
        long status = 0;
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
        c->streamed = status == 200;
    }
    if (c->streamed && c->body.len >= c->ahead) {
        c->paused = true;
        return CURL_WRITEFUNC_PAUSE; /* libcurl keeps these bytes itself */
    }
    if (n <= f->cluster->limits.max_memory - f->held) {
        buf_append(&c->body, from, n);
        if (buf_status(&c->body) == 0) {
            f->held += n;
            return n;
        }
    }
    c->too_long = true;
    return 0;
}

/* The value of header `name` when `line` is that header: without white space around it, not terminated. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *value_len)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    const char *p = line + n + 1;
    const char *end = line + len;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n'))
        end--;
    *value_len = (size_t)(end - p);
    return p;
}

static size_t read_header(char *line, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    size_t len = size * count;
    size_t n = 0;
    const char *value = header_value(line, len, "X-Shardgate", &n);
    if (value != NULL)
        c->marked = n == strlen(c->worker_name) && memcmp(value, c->worker_name, n) == 0;
    value = header_value(line, len, "Content-Type", &n);
    if (value != NULL)
        c->fits = c->request.stream != NULL && n >= strlen(c->request.stream) && strncasecmp(value, c->request.stream, strlen(c->request.stream)) == 0;
    value = header_value(line, len, "Idempotency-Replayed", &n);
    if (value != NULL)
        c->answer.replayed = n == strlen("true") && memcmp(value, "true", n) == 0;
    value = header_value(line, len, "Retry-After", &n);
    if (value != NULL && n >= 1 && n <= 4) {
        int seconds = 0;
        for (size_t i = 0; i < n && value[i] >= '0' && value[i] <= '9'; i++)
            seconds = seconds * 10 + (value[i] - '0');
        c->answer.retry_after_s = seconds;
    }
    return len;
}

/* One attempt of a call. */

/* Borrows `line`. */
static void link_header(struct headers *h, const char *line)
{
    struct curl_slist *new = &h->lines[h->count];
    *new = (struct curl_slist){.data = (char *)(uintptr_t)line}; /* which libcurl only reads */
    if (h->count++ > 0)
        new[-1].next = new;
}

static int add_header(struct headers *h, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    char *line = h->text + h->used;
    size_t left = sizeof h->text - h->used;
    if (h->count == MAX_HEADERS || left < 3 || name_len > left - 3 || value_len > left - 3 - name_len)
        return -1;
    memcpy(line, name, name_len);
    memcpy(line + name_len, ": ", 2);
    memcpy(line + name_len + 2, value, value_len + 1);
    h->used += name_len + value_len + 3;
    link_header(h, line);
    return 0;
}

int64_t fanout_told_ms(int64_t left_ms)
{
    int64_t margin_ms = left_ms / 8;
    return left_ms - (margin_ms < FANOUT_MARGIN_MS ? margin_ms : FANOUT_MARGIN_MS);
}

static int set_headers(struct call *c, long remaining_ms)
{
    const struct fanout_request *rq = &c->request;
    struct headers *h = &c->headers;
    char ms[24];
    snprintf(ms, sizeof ms, "%" PRId64, fanout_told_ms(remaining_ms));
    h->count = h->used = 0;
    if (add_header(h, "X-Timeout-Ms", ms) != 0 || add_header(h, "X-Request-Id", rq->request_id) != 0)
        return -1;
    if (rq->token != NULL && add_header(h, "X-Master-Token", rq->token) != 0)
        return -1;
    if (rq->schema_tag != NULL && add_header(h, "X-Shard-Schema", rq->schema_tag) != 0)
        return -1;
    if (rq->key != NULL && add_header(h, "Idempotency-Key", rq->key) != 0)
        return -1;
    if (rq->stream != NULL && add_header(h, "Accept", rq->stream) != 0)
        return -1;
    if (rq->body != NULL) {
        /* An empty Expect keeps libcurl from waiting for a "100 Continue" before it sends a long body. */
        link_header(h, "Expect:");
        if (rq->type == NULL)
            link_header(h, "Content-Type: application/json");
        else if (add_header(h, "Content-Type", rq->type) != 0)
            return -1;
    }
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, h->lines);
    return 0;
}

/* Where the worker listens: its Unix socket while that exists, else its port. A first attempt that could not connect to
 * the socket (a leftover of a dead server) is followed by one to the port. -1 when the path is too long. */
static int set_address(struct fanout *f, struct call *c, int64_t now_us)
{
    struct place *p = &f->places[c->answer.worker];
    struct stat st;
    if (now_us >= p->look_us) {
        p->local = p->socket[0] != '\0' && stat(p->socket, &st) == 0 && S_ISSOCK(st.st_mode);
        p->look_us = now_us + LOOK_US;
    }
    c->was_socket = !c->was_socket && p->local;

    char url[MAX_URL];
    int n = snprintf(url, sizeof url, "http://%s:%d%s", cluster_address(f->cluster), f->cluster->workers[c->answer.worker].port, c->request.path);
    if (n < 0 || (size_t)n >= sizeof url)
        return -1;
    curl_easy_setopt(c->easy, CURLOPT_URL, url);
    curl_easy_setopt(c->easy, CURLOPT_UNIX_SOCKET_PATH, c->was_socket ? p->socket : NULL);
    return 0;
}

/* The options that every attempt of every call has. They stay with the handle as long as its attempts end in order on kept
 * connections: libcurl counts what it repeated by itself over the handle's life, and only a reset begins anew. */
static void make_ready(struct call *c)
{
    CURL *e = c->easy;
    if (c->ready)
        return;
    curl_easy_reset(e); /* keeps the connections */
    curl_easy_setopt(e, CURLOPT_PRIVATE, c);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, read_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, write_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, read_body);
    curl_easy_setopt(e, CURLOPT_READDATA, c);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, READ_BUFFER);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)FANOUT_IDLE_S);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    c->ready = true;
}

static void set_options(struct call *c, long remaining_ms)
{
    CURL *e = c->easy;
    const struct fanout_request *rq = &c->request;
    if (rq->body == NULL) {
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    } else {
        /* libcurl sends a body that it has with the headers, and sends it again when a kept connection is dead. One from a
         * callback, and no seek function: libcurl cannot rewind it, and so cannot send it again by itself (it ends with
         * error 65 then). A write must not run twice. */
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->len);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, rq->repeatable ? rq->body : NULL);
    }
    /* fanout_run() and fanout_pull() keep the deadlines of streams */
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, rq->stream != NULL ? 0L : remaining_ms);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     remaining_ms < FANOUT_CONNECT_MS ? remaining_ms : (long)FANOUT_CONNECT_MS);
}

static void fail_call(struct call *c, enum fanout_result result, const char *detail)
{
    c->answer.result = result;
    snprintf(c->answer.detail, sizeof c->answer.detail, "%s", detail);
}

/* Takes a place at the worker, for all attempts of the call and a stream to its end. False when the call is refused. */
static bool take_place(struct fanout *f, struct call *c)
{
    if (c->placed || c->request.probe)
        return true;
    switch (breaker_enter(f->breaker, c->answer.worker, c->request.repeatable, true, clock_now_us())) {
    case BREAKER_OPEN:
        fail_call(c, FANOUT_GIVEN_UP, "it has failed again and again, and is not asked until it is well");
        return false;
    case BREAKER_FULL:
        fail_call(c, FANOUT_FULL, "as many requests as may are under way at it");
        return false;
    case BREAKER_PASS:
    default:
        c->placed = true;
        return true;
    }
}

static void leave_place(struct fanout *f, struct call *c)
{
    if (c->placed)
        breaker_leave(f->breaker, c->answer.worker);
    c->placed = false;
}

/* The worker has answered, well or not, or begun to. */
static void note_answer(struct fanout *f, struct call *c)
{
    int64_t now = clock_now_us();
    if (c->waited_for && c->placed)
        breaker_answered(f->breaker, c->answer.worker, now - c->attempt_us, now);
    c->waited_for = false;
}

/* Hands an attempt to libcurl. False when it cannot be made; the call has its result then. */
static bool start_attempt(struct fanout *f, struct call *c)
{
    int64_t now = clock_now_us();
    int64_t remaining_ms = (c->request.deadline_us - now) / 1000;
    if (c->attempts == 0)
        c->was_socket = false;
    c->attempts++;
    if (remaining_ms < 1) {
        c->answer.timed_out = true;
        if (c->attempts == 1)
            fail_call(c, FANOUT_NOT_SENT, "no time was left");
        return false;
    }
    if (!take_place(f, c))
        return false;
    if (remaining_ms > INT32_MAX)
        remaining_ms = INT32_MAX;
    drop_body(c);
    c->sent = 0;
    c->marked = false;
    c->fits = false;
    c->streamed = false;
    c->paused = false;
    c->too_long = false;
    c->answer.timed_out = false;
    c->answer.retry_after_s = 0;
    c->answer.replayed = false;
    c->answer.status = 0;
    c->answer.detail[0] = '\0';
    make_ready(c);
    if (set_headers(c, (long)remaining_ms) != 0 || set_address(f, c, now) != 0) {
        fail_call(c, FANOUT_NOT_SENT, "the request's path or its headers are too long");
        return false;
    }
    set_options(c, (long)remaining_ms);
    if (curl_multi_add_handle(f->multi, c->easy) != CURLM_OK) {
        fail_call(c, FANOUT_NOT_SENT, "the request could not be started");
        return false;
    }
    c->under_way = true;
    c->waited_for = true;
    c->attempt_us = clock_now_us();
    return true;
}

/* Takes an attempt out of libcurl. That closes the connection of one that has not ended. */
static void remove_attempt(struct fanout *f, struct call *c)
{
    curl_multi_remove_handle(f->multi, c->easy);
    c->under_way = false;
    c->ready = false;
}

/* Reads what became of an attempt. True when it is to be made again. */
static bool finish_attempt(struct fanout *f, struct call *c, CURLcode code)
{
    struct fanout_answer *a = &c->answer;
    long request_bytes = 0; /* of request lines and headers that were sent */
    long status = 0;
    long connects = 0;
    curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connects);
    a->status = (int)status;
    c->ready = code == CURLE_OK && connects == 0;

    if (code == CURLE_OK && c->marked) {
        a->result = c->streamed ? FANOUT_STREAMED : FANOUT_ANSWERED;
        return false;
    }
    bool again = false;
    bool unsent = request_bytes == 0 && c->sent == 0;
    if (code == CURLE_OK) {
        a->result = FANOUT_FOREIGN_ANSWER;
        snprintf(a->detail, sizeof a->detail, "status %d, not by the worker itself", a->status);
        again = c->request.repeatable;
    } else if (c->too_long) {
        a->result = FANOUT_TOO_LONG;
        snprintf(a->detail, sizeof a->detail, "limits.max_memory: the shards' answers need more than %zu bytes", c->fanout->cluster->limits.max_memory);
    } else {
        a->result = unsent ? FANOUT_NOT_SENT : FANOUT_NO_ANSWER;
        again = code != CURLE_OPERATION_TIMEDOUT && (unsent || (c->request.repeatable && !c->streamed));
        /* A connection has less time than the whole call: only the second one's end is the deadline. */
        a->timed_out = code == CURLE_OPERATION_TIMEDOUT && clock_now_us() + DEADLINE_SLACK_US >= c->request.deadline_us;
        if (a->timed_out)
            snprintf(a->detail, sizeof a->detail, "timed out after %" PRId64 " ms", (clock_now_us() - c->started_us) / 1000);
        else if (unsent)
            snprintf(a->detail, sizeof a->detail, "cannot connect");
        else
            snprintf(a->detail, sizeof a->detail, "the connection was lost before the answer was complete");
    }
    if (!again || c->attempts >= 2)
        return false;
    return (unsent && code != CURLE_OK) || breaker_may_repeat(f->breaker, a->worker);
}

/* Ends an attempt, repeats it where it may be. */
static void end_attempt(struct fanout *f, struct call *c, CURLcode code)
{
    remove_attempt(f, c);
    if (code != CURLE_OPERATION_TIMEDOUT)
        note_answer(f, c);
    if (finish_attempt(f, c, code) && start_attempt(f, c))
        return;
    leave_place(f, c);
    c->answer.elapsed_us = clock_now_us() - c->started_us;
}

/* Lets libcurl work on all that is under way, and sees what has ended. -1 when libcurl itself failed (its memory ran out):
 * every call that it had has ended then. */
static int perform(struct fanout *f)
{
    int running = 0, left = 0;
    CURLMsg *m;
    CURLMcode code = curl_multi_perform(f->multi, &running);
    while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
        CURLcode result = m->data.result;
        struct call *c = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        end_attempt(f, c, result);
    }
    for (size_t i = 0; code != CURLM_OK && i < f->count; i++) {
        struct call *c = f->calls[i];
        if (!c->under_way)
            continue;
        remove_attempt(f, c);
        leave_place(f, c);
        fail_call(c, FANOUT_NO_ANSWER, "the HTTP client failed");
    }
    return code == CURLM_OK ? 0 : -1;
}

/* Waits until a connection can be read or written, for POLL_MS at most, and not beyond the deadline. */
static void wait_for_input(struct fanout *f, int64_t deadline_us)
{
    int64_t left_ms = (deadline_us - clock_now_us()) / 1000 + 1;
    (void)curl_multi_poll(f->multi, NULL, 0, left_ms < 1 ? 0 : left_ms < POLL_MS ? (int)left_ms : POLL_MS, NULL);
}

/* Is the call still without a result? A stream has one when it has begun; one that has not ends with its deadline. */
static bool is_awaited(struct fanout *f, struct call *c)
{
    if (c->under_way && c->streamed) {
        if (c->waited_for)
            c->answer.elapsed_us = clock_now_us() - c->started_us;
        note_answer(f, c);
        c->answer.result = FANOUT_STREAMED;
        c->answer.status = 200;
        return false;
    }
    if (c->under_way && c->request.stream != NULL && clock_now_us() >= c->request.deadline_us)
        end_attempt(f, c, CURLE_OPERATION_TIMEDOUT);
    return c->under_way;
}

/* How many of the calls since the last run have no result yet; *deadline_us becomes the first of their deadlines. */
static size_t count_awaited(struct fanout *f, int64_t *deadline_us)
{
    size_t count = 0;
    for (size_t i = f->run; i < f->count; i++) {
        struct call *c = f->calls[i];
        if (!is_awaited(f, c))
            continue;
        if (count++ == 0 || c->request.deadline_us < *deadline_us)
            *deadline_us = c->request.deadline_us;
    }
    return count;
}

void fanout_run(struct fanout *f)
{
    int64_t deadline_us = 0;
    size_t ahead = FANOUT_AHEAD / (f->count > 0 ? f->count : 1);
    ahead = ahead < FANOUT_MIN_AHEAD ? FANOUT_MIN_AHEAD : ahead > FANOUT_MAX_AHEAD ? FANOUT_MAX_AHEAD : ahead;
    for (size_t i = f->run; i < f->count; i++) {
        f->calls[i]->ahead = ahead;
        if (!start_attempt(f, f->calls[i]))
            leave_place(f, f->calls[i]);
    }
    while (perform(f) == 0 && count_awaited(f, &deadline_us) > 0)
        wait_for_input(f, deadline_us);
    for (; f->run < f->count; f->run++) {
        struct call *c = f->calls[f->run];
        if (c->answer.result == FANOUT_STREAMED)
            continue;
        if (c->answer.result != FANOUT_ANSWERED)
            drop_body(c);
        c->answer.body = buf_text(&c->body);
        c->answer.len = c->body.len;
    }
}

const struct fanout_request *fanout_added(const struct fanout *f)
{
    return &f->calls[f->run]->request;
}

void fanout_settle(struct fanout *f, const struct fanout_answer *answer)
{
    f->calls[f->run++]->answer = *answer;
}

/* Lets a paused stream go on until it has more bytes than `rest`. */
static void resume(struct call *c, size_t rest)
{
    size_t ahead = FANOUT_MIN_AHEAD;
    if (c->ahead < rest + ahead)
        c->ahead = rest + ahead; /* one line is longer than all that is read ahead */
    if (c->paused) {
        c->paused = false;
        curl_easy_pause(c->easy, CURLPAUSE_CONT);
    }
}

int fanout_pull(struct fanout *f, size_t i, size_t used, int64_t deadline_us, const char **data, size_t *len)
{
    struct call *c = f->calls[i];
    buf_remove(&c->body, used);
    f->held -= used;
    size_t rest = c->given - used;
    while (c->body.len == rest && c->under_way) {
        if (clock_now_us() >= deadline_us) {
            c->request.deadline_us = deadline_us; /* this one has passed */
            end_attempt(f, c, CURLE_OPERATION_TIMEDOUT);
            break;
        }
        resume(c, rest);
        if (perform(f) == 0 && c->body.len == rest && c->under_way)
            wait_for_input(f, deadline_us);
    }
    /* Nothing moves what is given here while another stream is pulled: there is room for all that may arrive meanwhile. */
    if (c->under_way)
        (void)buf_reserve(&c->body, c->ahead + CURL_MAX_WRITE_SIZE - c->body.len);
    *data = buf_text(&c->body);
    *len = c->given = c->body.len;
    return c->body.len > rest ? 1 : c->answer.result == FANOUT_STREAMED ? 0 : -1;
}

void fanout_reset(struct fanout *f)
{
    bool unended = false;
    for (size_t i = 0; i < f->count; i++)
        unended = unended || f->calls[i]->under_way;
    if (unended)
        (void)perform(f); /* the end of an answer may be there already: its connection can be kept */
    for (size_t i = 0; i < f->count; i++) {
        struct call *c = f->calls[i];
        if (c->under_way)
            remove_attempt(f, c);
        leave_place(f, c);
        drop_body(c);
    }
    f->count = 0;
    f->run = 0;
}
