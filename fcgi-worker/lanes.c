#include "fcgi-worker/lanes.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <time.h>

struct lane {
    struct lanes *lanes;
    unsigned index;
    pthread_t id;
};

struct lanes {
    void *(*open)(void *arg, unsigned index);
    void (*close)(void *thread);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t called; /* for a lane that is idle */
    pthread_cond_t due;    /* for the keeper: there is work again */
    struct lanes_work *works, **last; /* those with items that have not ended, in the order in which they came */
    unsigned idle;         /* lanes that wait */
    unsigned wanted;       /* of those: called, and not awake yet */
    bool keeps;            /* the keeper runs */
    bool dozes;            /* it waits to be woken */
    bool stopping;
    struct lane keeper;
    unsigned count, max;
    struct lane lanes[];
};

/* Items. All with the lock held, which run_item lets go meanwhile. */

static size_t take_first(struct lanes_work *w)
{
    return w->items[w->front++];
}

static size_t take_last(struct lanes_work *w)
{
    return w->items[--w->back];
}

/* Takes an item whose deadline has passed; false when there is none. */
static bool take_expired(struct lanes_work *w, int64_t now, size_t *item)
{
    for (size_t i = w->front; i < w->back; i++) {
        if (w->deadlines[w->items[i]] > now)
            continue;
        *item = w->items[i];
        w->items[i] = w->items[--w->back];
        return true;
    }
    return false;
}

static struct lanes_work *first_unstarted(const struct lanes *l)
{
    struct lanes_work *w = l->works;

    while (w != NULL && w->front == w->back)
        w = w->next;
    return w;
}

static void run_item(struct lanes *l, struct lanes_work *w, size_t item, void *thread)
{
    w->running++;
    pthread_mutex_unlock(&l->lock);
    w->run(w, item, thread);
    pthread_mutex_lock(&l->lock);
    if (--w->running == 0 && w->front == w->back)
        pthread_cond_signal(&w->ended);
}

/* The thread's context; NULL when memory ran out. */
static void *open_context(struct lanes *l, const struct lane *self)
{
    pthread_mutex_unlock(&l->lock);
    void *thread = l->open(l->arg, self->index);
    pthread_mutex_lock(&l->lock);
    return thread;
}

/* Lanes */

static void *run_lane(void *arg)
{
    struct lane *self = arg;
    struct lanes *l = self->lanes;

    pthread_mutex_lock(&l->lock);
    void *thread = open_context(l, self);
    while (!l->stopping) {
        struct lanes_work *w = thread != NULL ? first_unstarted(l) : NULL;

        if (w != NULL) {
            run_item(l, w, take_last(w), thread);
            continue;
        }
        l->idle++;
        while (l->wanted == 0 && !l->stopping)
            pthread_cond_wait(&l->called, &l->lock);
        if (l->wanted > 0)
            l->wanted--;
        l->idle--;
        if (thread == NULL)
            thread = open_context(l, self);
    }
    pthread_mutex_unlock(&l->lock);
    if (thread != NULL)
        l->close(thread);
    return NULL;
}

static bool start(struct lanes *l, struct lane *lane, void *(*run)(void *))
{
    lane->lanes = l;
    if (pthread_create(&lane->id, NULL, run, lane) == 0)
        return true;
    log_warning("no thread for a batch could be started");
    return false;
}

/* Calls up to `count` lanes that are idle, and makes those that are missing. */
static void call_lanes(struct lanes *l, size_t count)
{
    for (; count > 0; count--) {
        if (l->idle > l->wanted) {
            l->wanted++;
            pthread_cond_signal(&l->called);
        } else if (l->count < l->max && start(l, &l->lanes[l->count], run_lane)) {
            l->count++;
        } else {
            return;
        }
    }
}

/* The keeper */

/* Waits until it is time to look again. */
static void wait_for_tick(struct lanes *l, unsigned *quiet)
{
    int64_t until = clock_now_us() + LANES_TICK_US;
    struct timespec end = clock_timespec(until);

    *quiet = l->works != NULL ? 0 : *quiet + 1;
    if (*quiet <= LANES_LINGER) {
        pthread_cond_timedwait(&l->due, &l->lock, &end);
        return;
    }
    l->dozes = true;
    while (l->works == NULL && !l->stopping)
        pthread_cond_wait(&l->due, &l->lock);
    l->dozes = false;
}

/* Runs one item whose time is over: that takes none of a lane's. False when there is none. */
static bool run_expired(struct lanes *l, void *thread)
{
    int64_t now = clock_now_us();
    size_t item;

    for (struct lanes_work *w = l->works; w != NULL; w = w->next) {
        if (take_expired(w, now, &item)) {
            run_item(l, w, item, thread);
            return true;
        }
    }
    return false;
}

static void *run_keeper(void *arg)
{
    struct lane *self = arg;
    struct lanes *l = self->lanes;
    unsigned quiet = 0;

    pthread_mutex_lock(&l->lock);
    void *thread = open_context(l, self);
    while (!l->stopping) {
        wait_for_tick(l, &quiet);
        while (thread != NULL && run_expired(l, thread))
            continue;
        int64_t now = clock_now_us();
        for (struct lanes_work *w = l->works; w != NULL; w = w->next) {
            if (w->tick != NULL)
                w->tick(w);
            if (w->front < w->back && now - w->joined_us >= LANES_PATIENCE_US) {
                w->joined_us = now;
                call_lanes(l, 1);
            }
        }
    }
    pthread_mutex_unlock(&l->lock);
    if (thread != NULL)
        l->close(thread);
    return NULL;
}

/* Work */

static void begin_work(struct lanes *l, struct lanes_work *w)
{
    w->front = 0;
    w->back = w->count;
    w->running = 0;
    w->joined_us = clock_now_us();
    pthread_cond_init(&w->ended, NULL);
    w->next = NULL;
    *l->last = w;
    l->last = &w->next;
}

static void end_work(struct lanes *l, struct lanes_work *w)
{
    struct lanes_work **place = &l->works;

    while (*place != w)
        place = &(*place)->next;
    *place = w->next;
    if (l->last == &w->next)
        l->last = place;
    pthread_cond_destroy(&w->ended);
}

void lanes_run(struct lanes *l, struct lanes_work *w, void *thread)
{
    pthread_mutex_lock(&l->lock);
    begin_work(l, w);
    call_lanes(l, w->helpers);
    if (w->count > 1) {
        if (!l->keeps)
            l->keeps = start(l, &l->keeper, run_keeper);
        else if (l->dozes)
            pthread_cond_signal(&l->due);
    }
    while (w->front < w->back)
        run_item(l, w, take_first(w), thread);
    while (w->running > 0)
        pthread_cond_wait(&w->ended, &l->lock);
    end_work(l, w);
    pthread_mutex_unlock(&l->lock);
}

enum lanes_rest lanes_ask(struct lanes *l, const struct lanes_work *w)
{
    pthread_mutex_lock(&l->lock);
    enum lanes_rest rest = w->front < w->back ? LANES_UNSTARTED : w->running > 1 ? LANES_RUNNING : LANES_ENDING;
    pthread_mutex_unlock(&l->lock);
    return rest;
}

struct lanes *lanes_new(unsigned max, void *(*open)(void *arg, unsigned index), void (*close)(void *thread), void *arg)
{
    struct lanes *l = calloc(1, sizeof(*l) + max * sizeof(l->lanes[0]));

    if (l == NULL)
        return NULL;
    l->open = open;
    l->close = close;
    l->arg = arg;
    l->max = max;
    l->last = &l->works;
    for (unsigned i = 0; i < max; i++)
        l->lanes[i].index = i;
    l->keeper.index = max;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->called, NULL);
    clock_cond_init(&l->due);
    return l;
}

void lanes_free(struct lanes *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->called);
    pthread_cond_signal(&l->due);
    pthread_mutex_unlock(&l->lock);
    for (unsigned i = 0; i < l->count; i++)
        pthread_join(l->lanes[i].id, NULL);
    if (l->keeps)
        pthread_join(l->keeper.id, NULL);
    pthread_cond_destroy(&l->called);
    pthread_cond_destroy(&l->due);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
