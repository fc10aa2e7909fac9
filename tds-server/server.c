#include "tds-server/server.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_RETRY_NS 50000000L /* after EMFILE and the like */

struct connection {
    struct server *server;
    struct transport transport;
    bool surplus; /* beyond the limit: told so at its login */
    struct connection *next;
    struct connection *previous;
};

struct server {
    const struct session_settings *settings;
    int max_connections;
    char refusal[128];
    int fd;
    int stop_pipe[2]; /* closed at one end, it wakes the accepting thread */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* a connection has ended */
    struct connection *connections;
    int count;
    bool full_told; /* the log has it, once until a connection is taken again */
    bool stopping;
};

/* --- connections --- */

static void *connection_main(void *arg)
{
    struct connection *c = arg;
    struct server *s = c->server;
    session_run(s->settings, &c->transport, c->surplus ? s->refusal : NULL);

    pthread_mutex_lock(&s->lock);
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        s->connections = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    close(c->transport.fd); /* under the lock: server_stop must not shut another's descriptor down */
    free(c);
    s->count--;
    pthread_cond_signal(&s->ended);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Starts the connection's thread. The lock is held. false when there is no memory or no thread to be had. */
static bool connection_start(struct server *s, int fd, bool surplus)
{
    struct connection *c = calloc(1, sizeof *c);
    pthread_attr_t detached;
    pthread_t thread;
    if (c == NULL) {
        return false;
    }
    c->server = s;
    c->surplus = surplus;
    transport_init_socket(&c->transport, fd);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &detached, connection_main, c);
    pthread_attr_destroy(&detached);
    if (failed != 0) {
        log_error("no thread for a connection: %s", strerror(failed));
        free(c);
        return false;
    }
    c->next = s->connections;
    if (c->next != NULL) {
        c->next->previous = c;
    }
    s->connections = c;
    s->count++;
    return true;
}

static void take_connection(struct server *s, int fd)
{
    int on = 1;
    int probe_after = SERVER_PROBE_AFTER_S;
    int probe_every = SERVER_PROBE_EVERY_S;
    int probes = SERVER_PROBES;
    struct timeval write_timeout = {.tv_sec = SERVER_WRITE_TIMEOUT_S};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on); /* clients that vanished hold transactions open */
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &probe_after, sizeof probe_after);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe_every, sizeof probe_every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &write_timeout, sizeof write_timeout);

    pthread_mutex_lock(&s->lock);
    bool full = s->count >= s->max_connections;
    bool taken = !s->stopping && s->count < s->max_connections + SERVER_SURPLUS && connection_start(s, fd, full);
    bool tell = full && !s->full_told;
    s->full_told = full;
    pthread_mutex_unlock(&s->lock);
    if (tell) {
        log_warning("connections are refused: there are %d already", s->max_connections);
    }
    if (!taken) {
        close(fd);
    }
}

static void *accept_main(void *arg)
{
    struct server *s = arg;
    for (;;) {
        struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN}, {.fd = s->stop_pipe[0], .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR) {
            log_error("poll: %s", strerror(errno));
        }
        if (p[1].revents != 0) {
            return NULL;
        }
        if (p[0].revents == 0) {
            continue;
        }
        int fd = accept(s->fd, NULL, NULL);
        if (fd >= 0) {
            take_connection(s, fd);
        } else if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN) {
            log_error("accept: %s", strerror(errno));
            nanosleep(&(struct timespec){.tv_nsec = ACCEPT_RETRY_NS}, NULL);
        }
    }
}

/* --- opening and stopping --- */

static int listen_on(const char *address, int port, struct buf *error)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char service[16];
    int on = 1;
    snprintf(service, sizeof service, "%d", port);
    int failed = getaddrinfo(address, service, &hints, &found);
    if (failed != 0) {
        buf_printf(error, "%s: %s", address, gai_strerror(failed));
        return -1;
    }
    int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, found->ai_protocol);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, SERVER_BACKLOG) != 0) {
        buf_printf(error, "cannot listen on %s port %d: %s", address, port, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

int server_open(const char *address, int port, int max_connections, const struct session_settings *settings,
                struct server **out, struct buf *error)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL) {
        buf_append_text(error, "out of memory");
        return -1;
    }
    s->settings = settings;
    s->max_connections = max_connections;
    snprintf(s->refusal, sizeof s->refusal,
             "Could not connect because the maximum number of '%d' user connections has already been reached.",
             max_connections);
    s->fd = listen_on(address, port, error);
    if (s->fd < 0) {
        free(s);
        return -1;
    }
    if (pipe(s->stop_pipe) != 0) {
        buf_printf(error, "pipe: %s", strerror(errno));
        close(s->fd);
        free(s);
        return -1;
    }
    pthread_mutex_init(&s->lock, NULL);
    clock_cond_init(&s->ended);
    *out = s;
    return 0;
}

int server_port(const struct server *s)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(s->fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    }
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int server_start(struct server *s)
{
    int failed = pthread_create(&s->thread, NULL, accept_main, s);
    if (failed != 0) {
        errno = failed;
        return -1;
    }
    s->started = true;
    return 0;
}

/* Shuts all connections down. The lock is held. */
static void shut_down_all(struct server *s, int how)
{
    for (struct connection *c = s->connections; c != NULL; c = c->next) {
        shutdown(c->transport.fd, how);
    }
}

/* Waits until no connection is left, at most so long. The lock is held. */
static void wait_for_end(struct server *s, int64_t wait_ms)
{
    int64_t until = clock_now_ms() + wait_ms;
    struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    while (s->count > 0 && pthread_cond_timedwait(&s->ended, &s->lock, &deadline) != ETIMEDOUT) {
        continue;
    }
}

bool server_stop(struct server *s)
{
    if (s->started) {
        close(s->stop_pipe[1]);
        s->stop_pipe[1] = -1;
        pthread_join(s->thread, NULL);
        s->started = false;
    }
    watch_ignore_closed(s->settings->watch);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    shut_down_all(s, SHUT_RD); /* idle sessions see the end; busy ones after their answer */
    wait_for_end(s, SERVER_STOP_GRACE_MS);
    if (s->count > 0) {
        log_warning("%d requests still run: they are cancelled", s->count);
        watch_cancel_all(s->settings->watch);
        shut_down_all(s, SHUT_RDWR);
        wait_for_end(s, SERVER_STOP_CANCEL_MS);
    }
    bool all_ended = s->count == 0;
    pthread_mutex_unlock(&s->lock);
    return all_ended;
}

void server_free(struct server *s)
{
    if (s == NULL) {
        return;
    }
    close(s->fd);
    close(s->stop_pipe[0]);
    if (s->stop_pipe[1] >= 0) {
        close(s->stop_pipe[1]);
    }
    pthread_cond_destroy(&s->ended);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
