/* What a request costs shardgate-tdsd as a process: sessions over TCP that run a prepared statement again and again.
 *
 *     bench_wire PORT PASSWORD PID SECONDS [select|insert|select+insert|echo|idle SESSIONS]…
 *
 * Makes the database Wire anew in the running server, whose process id is PID, and measures each pair in turn: requests a
 * second, the server's CPU time (user and system, from /proc) and context switches a request, and how long the client
 * waited. `a+b` runs inserts of 32 sessions beside: select+insert. `idle` opens sessions and shows the server's memory.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_SESSIONS 1000
#define MAX_TIMES 2000000 /* waits that are kept, of all sessions */
#define ROWS 10000
#define WRITERS 32

static int port;
static const char *password;
static int server;
static atomic_bool stopped;

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- TDS, as far as it is needed ---- */

struct packet {
    unsigned char data[65536];
    size_t len;
};

static void put(struct packet *p, const void *data, size_t len)
{
    if (len > sizeof p->data - p->len)
        abort();
    memcpy(p->data + p->len, data, len);
    p->len += len;
}

static void put_number(struct packet *p, uint64_t n, size_t bytes)
{
    for (; bytes > 0; bytes--, n >>= 8)
        put(p, &(unsigned char){(unsigned char)n}, 1);
}

static void put_utf16(struct packet *p, const char *text)
{
    for (; *text; text++)
        put_number(p, (unsigned char)*text, 2);
}

static void start(struct packet *p, int type)
{
    p->len = 0;
    put(p, (unsigned char[8]){(unsigned char)type, 1, 0, 0, 0, 0, 1, 0}, 8);
}

static void start_request(struct packet *p, int type)
{
    start(p, type);
    put_number(p, 22, 4); /* ALL_HEADERS: no transaction, one request */
    put_number(p, 18, 4);
    put_number(p, 2, 2);
    put_number(p, 0, 8);
    put_number(p, 1, 4);
}

/* Sends the packet and reads the answer into `p`. */
static void ask(int fd, struct packet *p)
{
    p->data[2] = (unsigned char)(p->len >> 8);
    p->data[3] = (unsigned char)p->len;
    if (write(fd, p->data, p->len) != (ssize_t)p->len)
        fail("write");
    p->len = 0;
    size_t at = 0;
    for (;;) {
        ssize_t got = read(fd, p->data + p->len, sizeof p->data - p->len);
        if (got <= 0)
            fail("read");
        p->len += (size_t)got;
        while (p->len - at >= 8) {
            size_t len = (size_t)(p->data[at + 2] << 8 | p->data[at + 3]);
            if (p->len - at < len)
                break;
            if (p->data[at + 1] & 1)
                return;
            at += len;
        }
    }
}

/* The last DONE is the answer's last 13 bytes. */
static void expect_done(const struct packet *p, const char *what)
{
    if (p->len < 21 || (p->data[p->len - 12] & 2)) {
        fprintf(stderr, "%s: the server answered with an error\n", what);
        exit(EXIT_FAILURE);
    }
}

static void batch(int fd, struct packet *p, const char *sql)
{
    start_request(p, 1);
    put_utf16(p, sql);
    ask(fd, p);
    expect_done(p, sql);
}

static int connect_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static int connect_session(struct packet *p)
{
    int fd = connect_port();
    start(p, 18); /* PRELOGIN: the version, no encryption */
    put(p, "\x00\x00\x0B\x00\x06\x01\x00\x11\x00\x01\xFF\x0F\x00\x00\x00\x00\x00\x02", 18);
    ask(fd, p);
    /* LOGIN7: after 36 bytes the places of host, user, password, application, server, nothing, library, language, database. */
    const char *texts[] = {"", "sa", password, "bench", "", "", "", "", ""};
    size_t at = 94;
    start(p, 16);
    put_number(p, 0, 4);
    put_number(p, 0x74000004, 4);
    put_number(p, 4096, 4);
    put_number(p, 0, 24);
    for (size_t i = 0; i < 9; i++) {
        put_number(p, at, 2);
        put_number(p, strlen(texts[i]), 2);
        at += 2 * strlen(texts[i]);
    }
    put_number(p, 0, 22);
    for (size_t i = 0; i < 9; i++) {
        size_t from = p->len;
        put_utf16(p, texts[i]);
        for (size_t k = from; i == 2 && k < p->len; k++)
            p->data[k] = (unsigned char)((p->data[k] << 4 | p->data[k] >> 4) ^ 0xA5);
    }
    p->data[8] = (unsigned char)(p->len - 8);
    p->data[9] = (unsigned char)((p->len - 8) >> 8);
    ask(fd, p);
    expect_done(p, "login");
    return fd;
}

static void put_text_parameter(struct packet *p, const char *text)
{
    put(p, "\0\0\xE7\x40\x1F\x09\x04\xD0\x00\x34", 10);
    put_number(p, 2 * strlen(text), 2);
    put_utf16(p, text);
}

static void put_int_parameter(struct packet *p, int64_t n, bool output)
{
    put(p, output ? "\0\1\x26\4" : "\0\0\x26\4", 4);
    put_number(p, output ? 0 : 4, 1);
    if (!output)
        put_number(p, (uint64_t)n, 4);
}

/* sp_prepare; a session's first statement has the handle 1. */
static void prepare(int fd, struct packet *p, const char *declarations, const char *sql)
{
    start_request(p, 3);
    put(p, "\xFF\xFF\x0B\0\0\0", 6);
    put_int_parameter(p, 0, true);
    put_text_parameter(p, declarations);
    put_text_parameter(p, sql);
    ask(fd, p);
    expect_done(p, sql);
}

/* sp_execute, by name as FreeTDS calls it. */
static void execute(int fd, struct packet *p, int64_t id, const char *name)
{
    start_request(p, 3);
    put_number(p, 10, 2);
    put_utf16(p, "sp_execute");
    put_number(p, 0, 2);
    put_int_parameter(p, 1, false);
    put_int_parameter(p, id, false);
    if (name)
        put_text_parameter(p, name);
    ask(fd, p);
    expect_done(p, "sp_execute");
}

/* ---- the yardstick ---- */

/* Answers each request of a connection with as many bytes as an answer of one row has. */
static void *run_echo(void *arg)
{
    int fd = *(int *)arg, on = 1;
    unsigned char request[4096];
    const unsigned char answer[173] = {4, 1, 0, 173};
    free(arg);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (read(fd, request, sizeof request) > 0) {
        if (write(fd, answer, sizeof answer) != (ssize_t)sizeof answer)
            break;
    }
    close(fd);
    return NULL;
}

/* A process that echoes; *echo_port is where. */
static int start_echo(int *echo_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        fail("listen");
    *echo_port = ntohs(address.sin_port);
    int pid = fork();
    while (pid == 0) {
        int *client = malloc(sizeof *client);
        pthread_t thread;
        if (!client || (*client = accept(fd, NULL, NULL)) < 0 || pthread_create(&thread, NULL, run_echo, client) != 0)
            _exit(1);
        pthread_detach(thread);
    }
    close(fd);
    return pid;
}

/* ---- sessions ---- */

struct session {
    pthread_t thread;
    bool writes, echoes;
    int number;
    float *times; /* microseconds; NULL: they are not kept */
    size_t max_times, count;
};

static atomic_int ready, last_id;

static void *run_session(void *arg)
{
    struct session *s = arg;
    struct packet *p = malloc(sizeof *p);
    unsigned seed = (unsigned)s->number;
    if (!p)
        abort();
    int fd = s->echoes ? connect_port() : connect_session(p);
    if (!s->echoes)
        batch(fd, p, "USE Wire");
    if (s->writes)
        prepare(fd, p, "@id int, @name nvarchar(50)", "INSERT INTO Students (student_id, name, grade) VALUES (@id, @name, N'A1')");
    else if (!s->echoes)
        prepare(fd, p, "@id int", "SELECT student_id, name, grade FROM Students WHERE student_id = @id");
    atomic_fetch_add(&ready, 1);
    while (!stopped) {
        double before = now();
        if (s->writes)
            execute(fd, p, ROWS + 1 + atomic_fetch_add(&last_id, 1), "Student Name 0001234");
        else
            execute(fd, p, 1 + rand_r(&seed) % ROWS, NULL);
        if (s->times && s->count < s->max_times)
            s->times[s->count] = (float)((now() - before) * 1e6);
        s->count++;
    }
    close(fd);
    free(p);
    return NULL;
}

/* ---- what /proc tells of the server ---- */

struct usage {
    double user, system; /* microseconds */
    long switches;
    long rss_kb;
};

static long status_number(const char *path, const char *key)
{
    char line[256];
    long n = 0;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, strlen(key)) == 0)
            n = atol(line + strlen(key));
    }
    if (f)
        fclose(f);
    return n;
}

static struct usage usage_of(void)
{
    struct usage u = {0};
    char path[300];
    unsigned long user = 0, system_ = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", server);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system_) != 2)
        fail(path);
    fclose(f);
    double tick = 1e6 / (double)sysconf(_SC_CLK_TCK);
    u.user = (double)user * tick;
    u.system = (double)system_ * tick;
    snprintf(path, sizeof path, "/proc/%d/status", server);
    u.rss_kb = status_number(path, "VmRSS:");
    snprintf(path, sizeof path, "/proc/%d/task", server);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/status", server, e->d_name);
        u.switches += status_number(path, "voluntary_ctxt_switches:") + status_number(path, "nonvoluntary_ctxt_switches:");
    }
    if (d)
        closedir(d);
    return u;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void measure(const char *what, int count, double seconds)
{
    static struct session sessions[MAX_SESSIONS + WRITERS];
    static float times[MAX_TIMES];
    bool beside = strcmp(what, "select+insert") == 0;
    bool echoes = strcmp(what, "echo") == 0;
    int all = count + (beside ? WRITERS : 0);
    int server_before = server, port_before = port;
    size_t share = MAX_TIMES / (size_t)count;
    stopped = false;
    ready = 0;
    if (echoes)
        server = start_echo(&port);
    for (int i = 0; i < all; i++) {
        sessions[i] = (struct session){.number = i, .echoes = echoes, .writes = i >= count || strcmp(what, "insert") == 0};
        sessions[i].times = i < count ? times + (size_t)i * share : NULL;
        sessions[i].max_times = share;
        if (pthread_create(&sessions[i].thread, NULL, run_session, &sessions[i]) != 0)
            fail("a thread");
    }
    while (ready < all)
        usleep(1000);
    struct usage before = usage_of();
    double start_time = now();
    size_t first = 0;
    for (int i = 0; i < all; i++)
        first += sessions[i].count;
    usleep((useconds_t)(seconds * 1e6));
    struct usage after = usage_of();
    double took = now() - start_time;
    size_t done = 0, last = 0, kept = 0;
    for (int i = 0; i < all; i++)
        last += sessions[i].count;
    stopped = true;
    for (int i = 0; i < all; i++)
        pthread_join(sessions[i].thread, NULL);
    if (echoes) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
        server = server_before;
        port = port_before;
    }
    for (int i = 0; i < count; i++) {
        size_t n = sessions[i].count < share ? sessions[i].count : share;
        memmove(times + kept, sessions[i].times, n * sizeof *times);
        kept += n;
    }
    done = last - first;
    qsort(times, kept, sizeof *times, compare);
    printf("%-13s %4d sessions: %7.0f/s, CPU %5.1f us a request (%.1f user, %.1f system), %.2f switches, wait p50 %.0f us, p99 %.0f us\n",
           what, count, (double)done / took, (after.user + after.system - before.user - before.system) / (double)done,
           (after.user - before.user) / (double)done, (after.system - before.system) / (double)done,
           (double)(after.switches - before.switches) / (double)done, kept ? (double)times[kept / 2] : 0,
           kept ? (double)times[kept * 99 / 100] : 0);
    fflush(stdout);
}

/* Sessions that have run a select each and wait. */
static void measure_idle(struct packet *p, int count)
{
    static int fds[MAX_SESSIONS];
    long before = usage_of().rss_kb;
    for (int i = 0; i < count; i++) {
        fds[i] = connect_session(p);
        batch(fds[i], p, "USE Wire");
        prepare(fds[i], p, "@id int", "SELECT student_id, name, grade FROM Students WHERE student_id = @id");
        execute(fds[i], p, 1, NULL);
    }
    long rss = usage_of().rss_kb;
    printf("idle          %4d sessions: %ld KiB RSS, %ld before, %.1f a session\n", count, rss, before, (double)(rss - before) / count);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: bench_wire PORT PASSWORD PID SECONDS [select|insert|select+insert|echo|idle SESSIONS]...\n");
        return EXIT_FAILURE;
    }
    port = atoi(argv[1]);
    password = argv[2];
    server = atoi(argv[3]);
    double seconds = atof(argv[4]);
    struct packet *p = malloc(sizeof *p);
    if (!p)
        return EXIT_FAILURE;
    int fd = connect_session(p);
    batch(fd, p, "IF DB_ID('Wire') IS NOT NULL DROP DATABASE Wire");
    batch(fd, p, "CREATE DATABASE Wire");
    batch(fd, p, "USE Wire");
    batch(fd, p, "CREATE TABLE Students (student_id INT PRIMARY KEY, name NVARCHAR(50), grade NVARCHAR(2))");
    batch(fd, p, "BEGIN TRANSACTION");
    prepare(fd, p, "@id int, @name nvarchar(50)", "INSERT INTO Students (student_id, name, grade) VALUES (@id, @name, N'A1')");
    for (int i = 1; i <= ROWS; i++)
        execute(fd, p, i, "Student Name 0001234");
    batch(fd, p, "COMMIT");
    close(fd);
    for (int i = 5; i + 1 < argc; i += 2) {
        int count = atoi(argv[i + 1]);
        if (count < 1 || count > MAX_SESSIONS)
            break;
        if (strcmp(argv[i], "idle") == 0)
            measure_idle(p, count);
        else
            measure(argv[i], count, seconds);
    }
    free(p);
    return EXIT_SUCCESS;
}
