#include "fcgi-master/breaker.h"

#include "common/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define RETRY_COST (100 / BREAKER_RETRY_PERCENT) /* what one repetition costs; a repeatable call earns 1 */
#define RETRY_MAX  (BREAKER_RETRY_BURST * RETRY_COST)

struct worker {
    pthread_mutex_t lock;
    pthread_cond_t place; /* one has become free, or all are closed */
    pthread_cond_t alarm; /* the breaker has opened, or the end has come */
    bool open;
    bool alarmed; /* the breaker has opened since the last breaker_wait */
    bool stopped;
    bool slow; /* the last call that it answered waited for long */
    unsigned failures;
    int64_t since_us;
    int64_t good_us; /* of the newest good answer */
    int under_way;
    int waiting; /* for a place */
    int64_t quiet_us; /* since when it has answered none of the calls under way */
    unsigned savings; /* for repetitions */
    uint64_t refused;
};

struct breaker {
    size_t count;
    int places;
    struct worker workers[];
};

int breaker_share(int threads)
{
    return threads > 1 ? threads / 2 : 1;
}

struct breaker *breaker_new(size_t workers, int places, int64_t now_us)
{
    struct breaker *b = calloc(1, sizeof *b + workers * sizeof b->workers[0]);
    if (b == NULL)
        return NULL;
    b->count = workers;
    b->places = places;
    for (size_t i = 0; i < workers; i++) {
        struct worker *w = &b->workers[i];
        pthread_mutex_init(&w->lock, NULL);
        clock_cond_init(&w->place);
        clock_cond_init(&w->alarm);
        w->since_us = now_us;
        w->savings = RETRY_MAX;
    }
    return b;
}

void breaker_free(struct breaker *b)
{
    for (size_t i = 0; b != NULL && i < b->count; i++) {
        pthread_mutex_destroy(&b->workers[i].lock);
        pthread_cond_destroy(&b->workers[i].place);
        pthread_cond_destroy(&b->workers[i].alarm);
    }
    free(b);
}

/* Waits for the condition, no longer than until the time. False when that has come. */
static bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us)
{
    struct timespec t = clock_timespec(until_us);
    return pthread_cond_timedwait(condition, lock, &t) == 0;
}

/* May one more call wait for a place? A quick worker's are soon free. A slow one's waiting calls hold threads that others need. */
static bool may_wait(const struct breaker *b, const struct worker *w, int64_t now_us)
{
    int64_t silence_us = now_us - w->quiet_us;
    bool slow = w->slow || silence_us >= BREAKER_SLOW_MS * 1000;
    return silence_us < BREAKER_WAIT_MS * 1000 && (!slow || w->waiting < (b->places + 1) / 2);
}

enum breaker_verdict breaker_enter(struct breaker *b, size_t worker, bool repeatable, bool wait, int64_t now_us)
{
    struct worker *w = &b->workers[worker];
    enum breaker_verdict verdict = BREAKER_PASS;
    pthread_mutex_lock(&w->lock);
    wait = wait && may_wait(b, w, now_us);
    w->waiting++;
    while (!w->open && w->under_way >= b->places && wait)
        wait = wait_until(&w->place, &w->lock, now_us + BREAKER_WAIT_MS * 1000);
    w->waiting--;
    if (w->open)
        verdict = BREAKER_OPEN;
    else if (w->under_way >= b->places)
        verdict = BREAKER_FULL;
    if (verdict != BREAKER_PASS) {
        w->refused++;
        goto out;
    }
    if (w->under_way++ == 0)
        w->quiet_us = now_us;
    if (repeatable && w->savings < RETRY_MAX)
        w->savings++;
out:
    pthread_mutex_unlock(&w->lock);
    return verdict;
}

void breaker_leave(struct breaker *b, size_t worker)
{
    struct worker *w = &b->workers[worker];
    pthread_mutex_lock(&w->lock);
    w->under_way--;
    pthread_cond_signal(&w->place);
    pthread_mutex_unlock(&w->lock);
}

void breaker_answered(struct breaker *b, size_t worker, int64_t waited_us, int64_t now_us)
{
    struct worker *w = &b->workers[worker];
    pthread_mutex_lock(&w->lock);
    w->slow = waited_us >= BREAKER_SLOW_MS * 1000;
    w->quiet_us = now_us;
    pthread_mutex_unlock(&w->lock);
}

bool breaker_may_repeat(struct breaker *b, size_t worker)
{
    struct worker *w = &b->workers[worker];
    pthread_mutex_lock(&w->lock);
    bool may = !w->open && w->savings >= RETRY_COST;
    if (may)
        w->savings -= RETRY_COST;
    pthread_mutex_unlock(&w->lock);
    return may;
}

static void turn(struct worker *w, bool open, int64_t now_us)
{
    w->open = open;
    w->since_us = now_us;
    if (open) {
        pthread_cond_broadcast(&w->place); /* who waits for a place is refused now */
        w->alarmed = true;
        pthread_cond_broadcast(&w->alarm);
    } else {
        w->slow = false;
        w->quiet_us = now_us;
    }
}

static bool see(struct breaker *b, size_t worker, enum breaker_sight sight, bool probe, int64_t asked_us, int64_t now_us)
{
    struct worker *w = &b->workers[worker];
    bool turned = false;
    pthread_mutex_lock(&w->lock);
    if (sight == BREAKER_BAD && asked_us > w->good_us) {
        if (w->failures < UINT32_MAX)
            w->failures++;
        turned = !w->open && w->failures >= BREAKER_FAILURES;
    } else if (sight == BREAKER_GOOD && (probe || !w->open)) {
        w->failures = 0;
        w->good_us = now_us;
        turned = w->open;
    }
    if (turned)
        turn(w, !w->open, now_us);
    pthread_mutex_unlock(&w->lock);
    return turned;
}

bool breaker_saw(struct breaker *b, size_t worker, enum breaker_sight sight, int64_t elapsed_us, int64_t now_us)
{
    return see(b, worker, sight, false, now_us - elapsed_us, now_us);
}

bool breaker_probed(struct breaker *b, size_t worker, bool good, int64_t elapsed_us, int64_t now_us)
{
    return see(b, worker, good ? BREAKER_GOOD : BREAKER_BAD, true, now_us - elapsed_us, now_us);
}

void breaker_look(struct breaker *b, size_t worker, struct breaker_view *out)
{
    struct worker *w = &b->workers[worker];
    pthread_mutex_lock(&w->lock);
    *out = (struct breaker_view){.open = w->open,
                                 .failures = w->failures,
                                 .since_us = w->since_us,
                                 .under_way = w->under_way,
                                 .waiting = w->waiting,
                                 .refused = w->refused};
    pthread_mutex_unlock(&w->lock);
}

bool breaker_wait(struct breaker *b, size_t worker, int64_t until_us)
{
    struct worker *w = &b->workers[worker];
    pthread_mutex_lock(&w->lock);
    while (!w->stopped && !w->alarmed && wait_until(&w->alarm, &w->lock, until_us))
        continue;
    w->alarmed = false;
    bool goes_on = !w->stopped;
    pthread_mutex_unlock(&w->lock);
    return goes_on;
}

void breaker_stop(struct breaker *b)
{
    for (size_t i = 0; i < b->count; i++) {
        pthread_mutex_lock(&b->workers[i].lock);
        b->workers[i].stopped = true;
        pthread_cond_broadcast(&b->workers[i].alarm);
        pthread_mutex_unlock(&b->workers[i].lock);
    }
}
