/* A client that keeps a pace: many kept connections, a mix of requests, so many a second. What wrk cannot do: hold a rate, and look
 * at the answers. The tables are those of tests/faults/soak.py: T (KEYS rows that are read and changed), S (read whole), W (rows come and go).
 *
 *     paced_client --port N [--clients 64] [--rate R] [--seconds 10] [--interval S] [--mix kind=weight,…] [--keys N] [--seed N]
 *
 * With --rate a request is due every 1/R seconds, whether the last ones are answered or not, and its latency counts from then: a server
 * that stands still is not excused. Without one each connection asks as soon as it was answered. Prints a line of JSON each
 * --interval seconds and one for the whole run; the first wrong answers go to standard error. Exit status 0 when the run came to its end.
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 10000
#define ANSWER_MAX ((size_t)1 << 20)
#define REQUEST_MAX 1024
#define STEPS 32                 /* of the histogram, in each power of two: 3 % */
#define BUCKETS (STEPS * 32)
#define SHOWN 5                  /* wrong answers that are printed */
#define ANSWER_S 60              /* no answer for so long is an error, and the connection is made anew */

enum kind { SELECT, UPDATE, INSERT, SCATTER, COUNT, KEYED, KINDS };

static const char *const kind_names[KINDS] = {"select", "update", "insert", "scatter", "count", "keyed"};

struct client {
    int fd;
    bool busy;
    bool held; /* its own row is in W: the next insert is a delete */
    enum kind kind;
    bool removes; /* the request under way deletes that row */
    long row;
    int key;
    int64_t due_us, sent_us;
    char request[REQUEST_MAX];
    size_t length, written;
    char *answer;
    size_t size, got;
};

struct tally {
    uint64_t requests, refused, errors, reconnects; /* refused: 429 */
    uint64_t kinds[KINDS];
    uint64_t latency[BUCKETS];
    int64_t longest_us;
};

static struct {
    int port, clients, keys;
    double rate, seconds, interval;
    unsigned weights[KINDS], weight;
    uint64_t random;
} options = {.clients = 64, .seconds = 10, .keys = 3000, .random = 1};

static struct client *clients;
static struct tally part, whole;
static int poller;
static long next_row;
static int shown;

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* splitmix64 */
static uint64_t draw(uint64_t below)
{
    uint64_t z = options.random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static size_t bucket(int64_t us)
{
    unsigned power = 0;

    if (us < STEPS)
        return us < 0 ? 0 : (size_t)us;
    while (us >> power >= 2 * STEPS)
        power++;
    size_t at = STEPS * (power + 1) + (size_t)(us >> power) - STEPS;
    return at < BUCKETS ? at : BUCKETS - 1;
}

static double bucket_ms(size_t at)
{
    if (at < STEPS)
        return (double)at / 1000;
    return (double)((at % STEPS + STEPS) << (at / STEPS - 1)) / 1000;
}

static double percentile(const struct tally *t, double part_of)
{
    uint64_t wanted = (uint64_t)((double)t->requests * part_of), seen = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        seen += t->latency[i];
        if (seen > wanted)
            return bucket_ms(i);
    }
    return 0;
}

static void print_tally(const struct tally *t, double seconds, bool last)
{
    printf("{\"last\":%s,\"seconds\":%.3f,\"requests\":%llu,\"rate\":%.1f,\"refused\":%llu,\"errors\":%llu,\"reconnects\":%llu,\"p50_ms\":%.3f,"
           "\"p99_ms\":%.3f,\"longest_ms\":%.3f",
           last ? "true" : "false", seconds, (unsigned long long)t->requests, (double)t->requests / seconds, (unsigned long long)t->refused,
           (unsigned long long)t->errors, (unsigned long long)t->reconnects, percentile(t, 0.5), percentile(t, 0.99), (double)t->longest_us / 1000);
    for (int i = 0; i < KINDS; i++)
        printf(",\"%s\":%llu", kind_names[i], (unsigned long long)t->kinds[i]);
    puts("}");
    fflush(stdout);
}

static void watch(struct client *c, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = c};

    if (epoll_ctl(poller, operation, c->fd, &event) != 0) {
        perror("epoll_ctl");
        exit(EXIT_FAILURE);
    }
}

static void open_connection(struct client *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        perror("connect");
        exit(EXIT_FAILURE);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    watch(c, EPOLLIN, EPOLL_CTL_ADD);
}

static enum kind choose_kind(void)
{
    unsigned at = (unsigned)draw(options.weight);
    int i = 0;

    while (at >= options.weights[i])
        at -= options.weights[i++];
    return (enum kind)i;
}

static void make_request(struct client *c)
{
    char body[512], key[64] = "";
    const char *path = "/select";

    c->kind = choose_kind();
    c->key = (int)draw((uint64_t)options.keys);
    c->removes = false;
    switch (c->kind) {
    case SELECT:
        snprintf(body, sizeof(body), "{\"db_name\":\"Soak\",\"table\":\"T\",\"condition\":\"student_id = %d\"}", c->key);
        break;
    case UPDATE:
        path = "/update";
        snprintf(body, sizeof(body), "{\"db_name\":\"Soak\",\"table\":\"T\",\"set\":{\"grade\":\"%c\"},\"condition\":\"student_id = %d\"}", (char)('A' + draw(6)), c->key);
        break;
    case KEYED:
    case INSERT:
        c->removes = c->held;
        if (!c->held)
            c->row = next_row++;
        path = c->held ? "/delete" : "/insert";
        if (c->held)
            snprintf(body, sizeof(body), "{\"db_name\":\"Soak\",\"table\":\"W\",\"condition\":\"student_id = %ld\"}", c->row);
        else
            snprintf(body, sizeof(body), "{\"db_name\":\"Soak\",\"table\":\"W\",\"data\":{\"student_id\":%ld,\"name\":\"Ali\",\"grade\":\"A\"}}", c->row);
        if (c->kind == KEYED)
            snprintf(key, sizeof(key), "Idempotency-Key: %s-%ld\r\n", c->held ? "d" : "i", c->row);
        break;
    case SCATTER:
        snprintf(body, sizeof(body), "{\"db_name\":\"Soak\",\"table\":\"S\",\"order_by\":[\"student_id\"]}");
        break;
    default:
        path = "/map-reduce-count";
        snprintf(body, sizeof(body), "{\"db_name\":\"Soak\",\"table\":\"T\"}");
        break;
    }
    c->length = (size_t)snprintf(c->request, sizeof(c->request),
                                 "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s", path, key,
                                 strlen(body), body);
    c->written = c->got = 0;
}

static void complain_of(const struct client *c, const char *what)
{
    part.errors++;
    if (shown++ < SHOWN)
        fprintf(stderr, "%s: %s: %.*s\n  was answered: %.*s\n", what, kind_names[c->kind], (int)c->length, c->request, (int)(c->got < 2000 ? c->got : 2000),
                c->answer != NULL ? c->answer : "");
}

/* A request that failed in transport: the connection is made anew. What became of its row is not known, so that it is forgotten. */
static void start_over(struct client *c, const char *why)
{
    if (c->busy)
        complain_of(c, why);
    part.reconnects++;
    close(c->fd);
    c->busy = c->held = false;
    open_connection(c);
}

static void send_more(struct client *c)
{
    while (c->written < c->length) {
        ssize_t n = send(c->fd, c->request + c->written, c->length - c->written, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            return;
        }
        if (n < 0) {
            start_over(c, strerror(errno));
            return;
        }
        c->written += (size_t)n;
        if (c->written == c->length && c->written > (size_t)n)
            watch(c, EPOLLIN, EPOLL_CTL_MOD);
    }
}

static void start_request(struct client *c, int64_t due_us)
{
    make_request(c);
    c->busy = true;
    c->sent_us = now_us();
    c->due_us = due_us > 0 ? due_us : c->sent_us;
    send_more(c);
}

/* Is the answer there to its end? Its status then, else 0. */
static int answer_status(const struct client *c)
{
    const char *end = c->got > 0 ? strstr(c->answer, "\r\n\r\n") : NULL;
    const char *length = end != NULL ? strcasestr(c->answer, "\r\ncontent-length:") : NULL;

    if (end == NULL)
        return 0;
    size_t head = (size_t)(end - c->answer) + 4;
    bool there = length != NULL && length < end ? c->got - head >= strtoul(length + 17, NULL, 10)
                                                : c->got - head >= 5 && memcmp(c->answer + c->got - 5, "0\r\n\r\n", 5) == 0;
    return there ? atoi(c->answer + strcspn(c->answer, " ")) : 0;
}

static bool is_right(const struct client *c)
{
    char expected[64];

    if (c->kind == SELECT)
        snprintf(expected, sizeof(expected), "\"rows\":[{\"student_id\":%d,", c->key);
    else if (c->kind == COUNT)
        snprintf(expected, sizeof(expected), "\"total\":%d,", options.keys);
    else if (c->kind == SCATTER)
        snprintf(expected, sizeof(expected), "\"count\":300,\"complete\":true");
    else
        snprintf(expected, sizeof(expected), "\"rows_affected\":1,");
    return strstr(c->answer, expected) != NULL;
}

static void take_answer(struct client *c, int status)
{
    int64_t took_us = now_us() - c->due_us;

    c->busy = false;
    part.requests++;
    part.kinds[c->kind]++;
    part.latency[bucket(took_us)]++;
    if (took_us > part.longest_us)
        part.longest_us = took_us;
    if (status == 429)
        part.refused++; /* no effect: the row is where it was */
    else if (status != 200 || !is_right(c))
        complain_of(c, "wrong answer");
    if (status == 200 && (c->kind == INSERT || c->kind == KEYED))
        c->held = !c->removes;
    if (strcasestr(c->answer, "\r\nconnection: close\r\n") != NULL)
        start_over(c, "closed");
}

static void receive(struct client *c)
{
    for (;;) {
        if (c->size - c->got < 16384) {
            size_t size = c->size + 65536;
            char *larger = size <= ANSWER_MAX ? realloc(c->answer, size) : NULL;

            if (larger == NULL) {
                start_over(c, "too long an answer");
                return;
            }
            c->answer = larger;
            c->size = size;
        }
        ssize_t n = recv(c->fd, c->answer + c->got, c->size - c->got - 1, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            start_over(c, n < 0 ? strerror(errno) : "closed");
            return;
        }
        c->got += (size_t)n;
        c->answer[c->got] = '\0';
        int status = answer_status(c);
        if (status != 0) {
            take_answer(c, status);
            return;
        }
    }
}

static void add_part(void)
{
    whole.requests += part.requests;
    whole.refused += part.refused;
    whole.errors += part.errors;
    whole.reconnects += part.reconnects;
    if (part.longest_us > whole.longest_us)
        whole.longest_us = part.longest_us;
    for (int i = 0; i < KINDS; i++)
        whole.kinds[i] += part.kinds[i];
    for (size_t i = 0; i < BUCKETS; i++)
        whole.latency[i] += part.latency[i];
    memset(&part, 0, sizeof(part));
}

/* Starts what is due on connections that are free; `*next` goes through them in turn. */
static void start_due(int64_t start_us, uint64_t *sent, int *next)
{
    int64_t now = now_us();

    for (int tried = 0; tried < options.clients; tried++) {
        int64_t due_us = options.rate > 0 ? start_us + (int64_t)((double)*sent * 1e6 / options.rate) : 0;
        struct client *c = &clients[*next];

        if (due_us > now)
            return;
        *next = (*next + 1) % options.clients;
        if (c->busy)
            continue;
        start_request(c, due_us);
        ++*sent;
    }
}

static void give_up_silent(void)
{
    int64_t now = now_us();

    for (int i = 0; i < options.clients; i++) {
        if (clients[i].busy && now - clients[i].sent_us > (int64_t)ANSWER_S * 1000000)
            start_over(&clients[i], "no answer");
    }
}

static bool any_busy(void)
{
    for (int i = 0; i < options.clients; i++) {
        if (clients[i].busy)
            return true;
    }
    return false;
}

static void run(void)
{
    struct epoll_event events[256];
    int64_t start_us = now_us(), part_us = start_us, end_us = start_us + (int64_t)(options.seconds * 1e6), tidied_us = start_us;
    uint64_t sent = 0;
    int next = 0;

    for (int64_t now = start_us; now < end_us || any_busy(); now = now_us()) {
        if (now < end_us)
            start_due(start_us, &sent, &next);
        int count = epoll_wait(poller, events, 256, 1);
        for (int i = 0; i < count; i++) {
            struct client *c = events[i].data.ptr;

            if (events[i].events & EPOLLOUT)
                send_more(c);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                receive(c);
        }
        if (now - tidied_us > 1000000) {
            give_up_silent();
            tidied_us = now;
        }
        if (options.interval > 0 && (double)(now - part_us) >= options.interval * 1e6) {
            print_tally(&part, (double)(now - part_us) / 1e6, false);
            add_part();
            part_us = now;
        }
    }
    add_part();
    print_tally(&whole, (double)(now_us() - start_us) / 1e6, true);
}

static int read_mix(char *text)
{
    for (char *rest = text, *one; (one = strsep(&rest, ",")) != NULL;) {
        char *weight = strchr(one, '=');
        int i = 0;

        if (weight == NULL)
            return -1;
        *weight++ = '\0';
        while (i < KINDS && strcmp(kind_names[i], one) != 0)
            i++;
        if (i == KINDS)
            return -1;
        options.weights[i] = (unsigned)atoi(weight);
        options.weight += options.weights[i];
    }
    return options.weight > 0 ? 0 : -1;
}

static int read_options(int argc, char **argv)
{
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},     {"clients", required_argument, NULL, 'c'},
                                          {"rate", required_argument, NULL, 'r'},     {"seconds", required_argument, NULL, 's'},
                                          {"interval", required_argument, NULL, 'i'}, {"mix", required_argument, NULL, 'm'},
                                          {"keys", required_argument, NULL, 'k'},     {"seed", required_argument, NULL, 'x'},
                                          {NULL, 0, NULL, 0}};
    char mix[] = "select=1";
    char *wanted = mix;

    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 'p':
            options.port = atoi(optarg);
            break;
        case 'c':
            options.clients = atoi(optarg);
            break;
        case 'r':
            options.rate = atof(optarg);
            break;
        case 's':
            options.seconds = atof(optarg);
            break;
        case 'i':
            options.interval = atof(optarg);
            break;
        case 'm':
            wanted = optarg;
            break;
        case 'k':
            options.keys = atoi(optarg);
            break;
        case 'x':
            options.random = strtoull(optarg, NULL, 10);
            break;
        default:
            return -1;
        }
    }
    return options.port > 0 && options.clients > 0 && options.clients <= CLIENTS_MAX && options.keys > 0 && read_mix(wanted) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct rlimit descriptors;

    if (read_options(argc, argv) != 0) {
        fputs("usage: paced_client --port N [--clients N] [--rate R] [--seconds S] [--interval S] [--mix kind=weight,...] [--keys N] [--seed N]\n", stderr);
        return 64;
    }
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        descriptors.rlim_cur = descriptors.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &descriptors);
    }
    next_row = (long)(options.random % 1000 + 1) * 1000000; /* rows that no run with another seed has */
    poller = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc((size_t)options.clients, sizeof(*clients));
    if (poller < 0 || clients == NULL) {
        perror("paced_client");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < options.clients; i++)
        open_connection(&clients[i]);
    run();
    for (int i = 0; i < options.clients; i++) {
        close(clients[i].fd);
        free(clients[i].answer);
    }
    free(clients);
    close(poller);
    return EXIT_SUCCESS;
}
