#include "tds-server/wire/watch.h"

#include "tds-server/wire/packet.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

struct watch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the first entry came, or it is time to stop */
    struct watch_entry *entries;
    bool asleep;
    bool stopping;
    bool ignore_closed;
};

static void cancel_entry(struct watch_entry *e)
{
    e->given_up = true;
    e->cancel(e->arg);
}

/* Looks at the first byte that waits, without taking it. A request that was given up is cancelled again each time: the first time may
 * have come before it had begun, or between two of its statements. */
static void look_at(const struct watch *w, struct watch_entry *e)
{
    unsigned char first;
    if (e->given_up) {
        cancel_entry(e);
        return;
    }
    ssize_t got = recv(e->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        if (!w->ignore_closed) {
            cancel_entry(e);
        }
    } else if (e->encrypted || first == PACKET_ATTENTION) {
        cancel_entry(e);
    }
}

static void *watch_main(void *arg)
{
    struct watch *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        if (w->entries == NULL) {
            w->asleep = true;
            pthread_cond_wait(&w->wake, &w->lock);
            w->asleep = false;
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        nanosleep(&(struct timespec){.tv_nsec = WATCH_INTERVAL_MS * 1000000L}, NULL);
        pthread_mutex_lock(&w->lock);
        for (struct watch_entry *e = w->entries; e != NULL; e = e->next) {
            look_at(w, e);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int watch_start(struct watch **out)
{
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return -1;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    int failed = pthread_create(&w->thread, NULL, watch_main, w);
    if (failed != 0) {
        pthread_cond_destroy(&w->wake);
        pthread_mutex_destroy(&w->lock);
        free(w);
        errno = failed;
        return -1;
    }
    *out = w;
    return 0;
}

void watch_stop(struct watch *w)
{
    if (w == NULL) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void watch_add(struct watch *w, struct watch_entry *e)
{
    pthread_mutex_lock(&w->lock);
    e->given_up = false;
    e->previous = NULL;
    e->next = w->entries;
    if (e->next != NULL) {
        e->next->previous = e;
    }
    w->entries = e;
    if (w->asleep) {
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
}

void watch_remove(struct watch *w, struct watch_entry *e)
{
    pthread_mutex_lock(&w->lock);
    if (e->previous != NULL) {
        e->previous->next = e->next;
    } else {
        w->entries = e->next;
    }
    if (e->next != NULL) {
        e->next->previous = e->previous;
    }
    pthread_mutex_unlock(&w->lock);
}

void watch_ignore_closed(struct watch *w)
{
    pthread_mutex_lock(&w->lock);
    w->ignore_closed = true;
    pthread_mutex_unlock(&w->lock);
}

void watch_cancel_all(struct watch *w)
{
    pthread_mutex_lock(&w->lock);
    for (struct watch_entry *e = w->entries; e != NULL; e = e->next) {
        cancel_entry(e);
    }
    pthread_mutex_unlock(&w->lock);
}
