#include <config.h>

#include "common/http_private.h"

#include "common/log.h"
#include "common/memory.h"

#include <errno.h>
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_RETRY_NS (20 * 1000 * 1000)
#define WAKE_STEP_MS 10 /* between two attempts to wake threads that wait for requests */

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

static void serve_requests(struct server *s, void *thread)
{
    FCGX_Request request;
    struct http h;

    http_init(&h, s->app, &http_fcgi_port, &request);
    FCGX_InitRequest(&request, 0, 0);
    while (!atomic_load(&s->stopping)) {
        if (FCGX_Accept_r(&request) < 0) {
            /* No descriptors or memory left for now, or stop_accepting() has ended it for good. */
            nanosleep(&(struct timespec){.tv_nsec = ACCEPT_RETRY_NS}, NULL);
            continue;
        }
        http_fcgi_open(&h);
        http_answer(&h, thread);
        http_fcgi_close(&h);
    }
    FCGX_Free(&request, 1);
    http_clear(&h);
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
        kill(getpid(), SIGTERM); /* wakes main */
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
        (void)memory_wait_for_signal(&stop);

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
