#include "fcgi-worker/watchdog.h"

#include "common/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define NEVER INT64_MAX

struct watchdog {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t sooner; /* a deadline before wake_us, or the end */
    pthread_cond_t called; /* a callback has returned */
    struct watch *watches; /* those that are set */
    int64_t wake_us;       /* when the thread looks next */
    bool stopped;
};

/* The watch that is due first; NULL for none. */
static struct watch *first_watch(const struct watchdog *w)
{
    struct watch *first = NULL;
    for (struct watch *p = w->watches; p != NULL; p = p->next) {
        if (!p->called && (first == NULL || p->deadline_us < first->deadline_us))
            first = p;
    }
    return first;
}

static void *run(void *arg)
{
    struct watchdog *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stopped) {
        struct watch *first = first_watch(w);
        if (first != NULL && first->deadline_us <= clock_now_us()) {
            first->called = true;
            first->calling = true;
            pthread_mutex_unlock(&w->lock); /* the callback may take its time */
            first->call(first->arg);
            pthread_mutex_lock(&w->lock);
            first->calling = false;
            pthread_cond_broadcast(&w->called);
            continue;
        }
        w->wake_us = first != NULL ? first->deadline_us : NEVER;
        if (first == NULL) {
            pthread_cond_wait(&w->sooner, &w->lock);
        } else {
            struct timespec t = clock_timespec(w->wake_us);
            pthread_cond_timedwait(&w->sooner, &w->lock, &t);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct watchdog *watchdog_new(void)
{
    sigset_t all, before;
    struct watchdog *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->wake_us = NEVER;
    pthread_mutex_init(&w->lock, NULL);
    clock_cond_init(&w->sooner);
    pthread_cond_init(&w->called, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return w;
    free(w);
    return NULL;
}

void watchdog_free(struct watchdog *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopped = true;
    pthread_cond_signal(&w->sooner);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->sooner);
    pthread_cond_destroy(&w->called);
    free(w);
}

void watchdog_set(struct watchdog *w, struct watch *watch, int64_t deadline_us, void (*call)(void *arg), void *arg)
{
    *watch = (struct watch){.deadline_us = deadline_us, .call = call, .arg = arg, .set = w != NULL};
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    watch->next = w->watches;
    w->watches = watch;
    if (deadline_us < w->wake_us) {
        w->wake_us = deadline_us;
        pthread_cond_signal(&w->sooner);
    }
    pthread_mutex_unlock(&w->lock);
}

bool watchdog_clear(struct watchdog *w, struct watch *watch)
{
    if (!watch->set)
        return false;
    pthread_mutex_lock(&w->lock);
    while (watch->calling)
        pthread_cond_wait(&w->called, &w->lock);
    struct watch **place = &w->watches;
    while (*place != watch)
        place = &(*place)->next;
    *place = watch->next;
    watch->set = false;
    pthread_mutex_unlock(&w->lock);
    return watch->called;
}
