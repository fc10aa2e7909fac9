#include <config.h>

#include "fcgi-master/courier.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/message.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#define REQUEST_TYPE "application/http; msgtype=request"
#define HEADERS_MAX 2048 /* bytes of one part's request line and headers, for the size of a batch */
#define MAX_RETRY_AFTER_S 9999
#define ID_MAX      128  /* bytes of a request id */

enum parcel_state {
    PARCEL_WAITS, /* nobody has taken it */
    PARCEL_TAKEN, /* it is in a batch that was, or is about to be, sent */
    PARCEL_ENDED, /* *answer is what became of it */
    PARCEL_ALONE  /* its owner has to send it: nothing was done */
};

/* One request that waits. It is its owner's, and lives while that is in courier_carry. */
struct parcel {
    const struct fanout_request *rq;
    struct fanout_answer *answer;
    struct buf *body;
    enum parcel_state state; /* with the desk's mutex */
    pthread_mutex_t lock;   /* of `told` alone: its owner does not wait at the desk, where the others would be in its way */
    pthread_cond_t settled;
    bool told;              /* it has ENDED, or is to go ALONE */
    struct parcel *next;    /* of those that wait; of those that were settled just now */
    struct parcel **places; /* in the batch that has taken it … */
    size_t place;           /* … where it stands */
};

/* One worker's. */
struct desk {
    pthread_mutex_t mutex;
    pthread_cond_t work;       /* for its couriers */
    struct parcel *first, **end; /* those that wait, oldest first */
    size_t waiting;            /* how many */
    size_t present;            /* requests that are being answered, waiting ones included … */
    size_t crowd;              /* … and how many of them there were at once lately: so many are likely to come again, and … */
    int64_t rest_until_us;     /* … are waited for when a batch has returned */
    bool due;                  /* they are to be taken, whatever is under way */
    int under_way;             /* calls */
    int idle;                  /* couriers that wait for work */
    int64_t newest_us;         /* when the newest call under way was started */
    int64_t usual_us;          /* how long calls take until something of the answer is there */
    int64_t unable_until_us;   /* the worker has no /batch */
    bool stopping;
};

struct carrier {
    struct courier *courier;
    struct desk *desk;
    size_t worker;
    pthread_t id;
    struct fanout *fanout;
    struct parcel *parts[COURIER_MAX_PARTS]; /* of the batch under way; NULL: it is done, or its owner has left */
    size_t count;
    int64_t started_us;
    struct buf text;
};

struct courier {
    const struct cluster *cluster;
    struct breaker *breaker;
    const char *token;
    struct desk *desks;       /* one a worker */
    struct carrier *carriers; /* COURIER_THREADS a worker */
    size_t desks_made, started;
};

/* ---- The desk: its mutex is held in all of these ------------------------------------------------------------------- */

/* How long what is under way is waited for. */
static int64_t patience_us(const struct desk *d)
{
    int64_t us = 2 * d->usual_us;
    return us < COURIER_HASTE_US ? COURIER_HASTE_US : us > COURIER_PATIENCE_US ? COURIER_PATIENCE_US : us;
}

static bool is_busy(const struct desk *d, int64_t now_us)
{
    return (d->under_way > 0 && now_us - d->newest_us < patience_us(d)) || now_us < d->rest_until_us;
}

static void note_arrival(struct desk *d)
{
    if (++d->present > d->crowd)
        d->crowd = d->present;
}

static void note_start(struct desk *d, int64_t now_us)
{
    d->under_way++;
    d->newest_us = now_us;
}

static void note_time(struct desk *d, int64_t took_us)
{
    int64_t us = took_us < COURIER_PATIENCE_US ? took_us : COURIER_PATIENCE_US;
    d->usual_us += (us - d->usual_us) / 8;
}

/* Has those that wait taken now, if a courier is free. The one that has just returned is, and sees it by itself. */
static bool call_courier(struct desk *d)
{
    d->due = d->first != NULL;
    if (!d->due || d->idle == 0)
        return false;
    pthread_cond_signal(&d->work);
    return true;
}

/* Are most of those there that can be expected, or as many as go into half a batch? */
static bool is_full(const struct desk *d)
{
    return 4 * d->waiting >= 3 * d->crowd || d->waiting >= COURIER_MAX_PARTS / 2;
}

/* A call has returned. */
static void note_end(struct desk *d)
{
    d->crowd -= (d->crowd + 6) / 8; /* down to one */
    if (--d->under_way > 0)
        return;
    if (d->crowd < COURIER_CROWD || is_full(d))
        (void)call_courier(d);
    else
        d->rest_until_us = clock_now_us() + (d->usual_us / 2 < COURIER_REST_US ? d->usual_us / 2 : COURIER_REST_US);
}

static void put(struct desk *d, struct parcel *p)
{
    *d->end = p;
    d->end = &p->next;
    d->waiting++;
    if (is_full(d) && d->under_way == 0)
        (void)call_courier(d);
}

static void take_out(struct desk *d, struct parcel *p)
{
    for (struct parcel **at = &d->first; *at != NULL; at = &(*at)->next) {
        if (*at != p)
            continue;
        d->waiting--;
        *at = p->next;
        if (*at == NULL)
            d->end = at;
        return;
    }
}

/* Its owner is told by tell_owners, once the mutex is free: who wakes would only wait for it. */
static void settle(struct parcel *p, enum parcel_state state, struct parcel **settled)
{
    p->state = state;
    p->next = *settled;
    *settled = p;
}

/* Without the mutex. An owner that was told is gone, and its parcel with it. */
static void tell_owners(struct parcel *settled)
{
    while (settled != NULL) {
        struct parcel *p = settled;
        settled = p->next;
        pthread_mutex_lock(&p->lock);
        p->told = true;
        pthread_cond_signal(&p->settled);
        pthread_mutex_unlock(&p->lock);
    }
}

/* ---- A batch -------------------------------------------------------------------------------------------------------- */

static void add_header(struct buf *text, const char *name, const char *value)
{
    if (value != NULL)
        message_add(text, name, value);
}

static void add_number(struct buf *text, const char *name, int64_t n)
{
    char value[24];
    snprintf(value, sizeof value, "%" PRId64, n);
    message_add(text, name, value);
}

static void write_part(struct buf *text, size_t id, const struct fanout_request *rq, int64_t now_us)
{
    message_begin_request(text, "POST", rq->path);
    add_number(text, "X-Batch-Id", (int64_t)id);
    add_number(text, "X-Timeout-Ms", fanout_told_ms((rq->deadline_us - now_us) / 1000));
    message_add(text, "X-Request-Id", rq->request_id);
    add_header(text, "X-Shard-Schema", rq->schema_tag);
    add_header(text, "Idempotency-Key", rq->key);
    message_add(text, "Content-Type", "application/json");
    message_end(text, rq->body, rq->len);
}

/* Takes those that wait, as many as go into one batch. The time until which it may last. */
static int64_t take_waiting(struct carrier *c, int64_t now_us)
{
    struct desk *d = c->desk;
    int64_t deadline_us = now_us;
    c->count = 0;
    buf_reset(&c->text);
    while (d->first != NULL && c->count < COURIER_MAX_PARTS && c->text.len < COURIER_MAX_BATCH) {
        struct parcel *p = d->first;
        d->first = p->next;
        p->next = NULL;
        p->state = PARCEL_TAKEN;
        p->places = c->parts;
        p->place = c->count;
        if (p->rq->deadline_us > deadline_us)
            deadline_us = p->rq->deadline_us;
        write_part(&c->text, c->count, p->rq, now_us);
        c->parts[c->count++] = p;
    }
    if (d->first == NULL)
        d->end = &d->first;
    d->due = false;
    d->waiting -= c->count;
    d->rest_until_us = 0;
    return deadline_us;
}

static bool is_true(const struct message *m, const char *name)
{
    const struct message_text *value = message_header(m, name);
    return value != NULL && value->len == strlen("true") && memcmp(value->text, "true", value->len) == 0;
}

static void read_answer(const struct message *m, struct parcel *p)
{
    long seconds = message_number(m, "Retry-After", MAX_RETRY_AFTER_S);
    p->answer->result = FANOUT_ANSWERED;
    p->answer->status = m->status;
    p->answer->retry_after_s = seconds > 0 ? (int)seconds : 0;
    p->answer->replayed = is_true(m, "Idempotency-Replayed");
    buf_append(p->body, m->body.text, m->body.len);
    if (buf_status(p->body) == 0)
        return;
    p->answer->result = FANOUT_NO_ANSWER;
    snprintf(p->answer->detail, sizeof p->answer->detail, "out of memory");
}

/* Gives a part's answer to its owner. -1 when it is no part's. */
static int hand_over(struct carrier *c, const struct message *m, struct parcel **settled)
{
    long id = message_number(m, "X-Batch-Id", COURIER_MAX_PARTS);
    if (id < 0 || (size_t)id >= c->count)
        return -1;
    struct parcel *p = c->parts[id];
    if (p == NULL)
        return 0;
    bool alone = p->rq->repeatable && is_true(m, "X-Batch-Alone"); /* only rows are too long; a write is not done twice, whatever it says */
    if (!alone)
        read_answer(m, p);
    c->parts[id] = NULL;
    settle(p, alone ? PARCEL_ALONE : PARCEL_ENDED, settled);
    return 0;
}

/* Hands over the answers that are whole. Their bytes, or -1 when what came is none. */
static ssize_t hand_over_all(struct carrier *c, const char *data, size_t len, bool first)
{
    struct parcel *settled = NULL;
    struct message m;
    size_t used = 0, size = 0;
    int whole = 0;
    pthread_mutex_lock(&c->desk->mutex);
    if (first)
        note_time(c->desk, clock_now_us() - c->started_us);
    for (; used < len && (whole = message_read_answer(data + used, len - used, &m, &size)) > 0; used += size) {
        if ((whole = hand_over(c, &m, &settled)) != 0)
            break;
    }
    pthread_mutex_unlock(&c->desk->mutex);
    tell_owners(settled);
    return whole < 0 ? -1 : (ssize_t)used;
}

/* Hands the answers over as they come, to the end of the batch's or of the connection. */
static void read_answers(struct carrier *c, int64_t deadline_us)
{
    ssize_t used = 0;
    size_t len = 0;
    const char *data = NULL;
    for (bool first = true; used >= 0 && fanout_pull(c->fanout, 0, (size_t)used, deadline_us, &data, &len) > 0; first = false)
        used = hand_over_all(c, data, len, first);
}

/* Tells the owners of parts without an answer what became of them. */
static void end_parts(struct carrier *c, enum parcel_state state, const struct fanout_answer *a)
{
    struct parcel *settled = NULL;
    pthread_mutex_lock(&c->desk->mutex);
    for (size_t i = 0; i < c->count; i++) {
        struct parcel *p = c->parts[i];
        if (p == NULL)
            continue;
        c->parts[i] = NULL;
        if (state == PARCEL_ENDED) {
            bool cut = a->result == FANOUT_ANSWERED || a->result == FANOUT_STREAMED;
            p->answer->result = cut ? FANOUT_NO_ANSWER : a->result;
            p->answer->timed_out = a->timed_out;
            p->answer->status = cut ? 0 : a->status;
            snprintf(p->answer->detail, sizeof p->answer->detail, "%s", cut || a->detail[0] == '\0' ? "the connection was lost before the answer was complete" : a->detail);
        }
        settle(p, state, &settled);
    }
    pthread_mutex_unlock(&c->desk->mutex);
    tell_owners(settled);
}

/* The worker itself has refused the batch as a whole, before it began with any part. One that knows no batches is sent no more. */
static void note_refusal(struct carrier *c, int status)
{
    struct desk *d = c->desk;
    struct parcel *settled = NULL;
    if (status != 404 && status != 405)
        return;
    log_info("worker %s takes no batches", c->courier->cluster->workers[c->worker].name);
    pthread_mutex_lock(&d->mutex);
    d->unable_until_us = clock_now_us() + COURIER_UNABLE_US;
    while (d->first != NULL) {
        struct parcel *p = d->first;
        d->first = p->next;
        settle(p, PARCEL_ALONE, &settled);
    }
    d->end = &d->first;
    d->waiting = 0;
    pthread_mutex_unlock(&d->mutex);
    tell_owners(settled);
}

static void carry_batch(struct carrier *c, int64_t deadline_us, const char *request_id)
{
    struct courier *all = c->courier;
    const struct fanout_request rq = {
        .path = "/batch",
        .body = buf_text(&c->text),
        .len = c->text.len,
        .type = REQUEST_TYPE,
        .token = all->token,
        .request_id = request_id,
        .deadline_us = deadline_us,
        .probe = true, /* each part has a place of its own */
        .stream = FANOUT_MESSAGES,
    };
    fanout_reset(c->fanout);
    if (buf_status(&c->text) != 0 || fanout_add(c->fanout, c->worker, &rq) != 0) {
        end_parts(c, PARCEL_ALONE, NULL);
        return;
    }
    fanout_run(c->fanout);
    const struct fanout_answer *a = fanout_answer(c->fanout, 0);
    if (a->result == FANOUT_STREAMED)
        read_answers(c, deadline_us);
    else if (a->result == FANOUT_ANSWERED)
        note_refusal(c, a->status);
    bool undone = (a->result == FANOUT_ANSWERED && a->status != 200) || !fanout_was_sent(a->result);
    end_parts(c, undone ? PARCEL_ALONE : PARCEL_ENDED, a);
    fanout_reset(c->fanout);
}

/* Waits for work; of the couriers that wait while a desk rests each looks again when that is over. */
static void wait_for_work(struct desk *d, int64_t now_us)
{
    struct timespec end = clock_timespec(d->rest_until_us);
    d->idle++;
    if (now_us < d->rest_until_us)
        (void)pthread_cond_timedwait(&d->work, &d->mutex, &end);
    else
        pthread_cond_wait(&d->work, &d->mutex);
    d->idle--;
}

static void *run_carrier(void *arg)
{
    struct carrier *c = arg;
    struct desk *d = c->desk;
    char request_id[ID_MAX];
    pthread_mutex_lock(&d->mutex);
    while (!d->stopping) {
        int64_t now = clock_now_us();
        if (d->first == NULL || (!d->due && is_busy(d, now))) {
            wait_for_work(d, now);
            continue;
        }
        snprintf(request_id, sizeof request_id, "%s", d->first->rq->request_id);
        int64_t deadline_us = take_waiting(c, now);
        note_start(d, now);
        c->started_us = now;
        pthread_mutex_unlock(&d->mutex);
        carry_batch(c, deadline_us, request_id);
        pthread_mutex_lock(&d->mutex);
        note_end(d);
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

/* ---- The owner ------------------------------------------------------------------------------------------------------ */

/* True once it was settled, false when `until_us` came first. */
static bool wait_settled(struct parcel *p, int64_t until_us)
{
    struct timespec end = clock_timespec(until_us);
    int rc = 0;
    pthread_mutex_lock(&p->lock);
    while (!p->told && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&p->settled, &p->lock, &end);
    bool told = p->told;
    pthread_mutex_unlock(&p->lock);
    return told;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Nobody has taken it for as long as it waits: calls a courier, and false when none is free. */
static bool insist(struct desk *d, struct parcel *p, bool first)
{
    pthread_mutex_lock(&d->mutex);
    bool waits = p->state == PARCEL_WAITS && !(first && call_courier(d));
    if (waits)
        take_out(d, p);
    pthread_mutex_unlock(&d->mutex);
    return !waits;
}

/* Its time is over: it is settled, by whomever. */
static void give_up(struct desk *d, struct parcel *p)
{
    pthread_mutex_lock(&d->mutex);
    bool taken = p->state == PARCEL_TAKEN;
    if (taken) {
        p->state = PARCEL_ENDED;
        p->places[p->place] = NULL;
        p->answer->result = FANOUT_NO_ANSWER;
        p->answer->timed_out = true;
        snprintf(p->answer->detail, sizeof p->answer->detail, "timed out");
    }
    pthread_mutex_unlock(&d->mutex);
    if (!taken)
        (void)wait_settled(p, INT64_MAX / 2); /* who has settled it is about to say so */
}

/* Waits at the desk until `until_us` for what is under way, and then for the parcel's end. True when it was carried. */
static bool wait_carried(struct desk *d, struct parcel *p, int64_t until_us)
{
    int64_t deadline_us = p->rq->deadline_us;
    if (wait_settled(p, earlier(until_us, deadline_us)))
        return p->state == PARCEL_ENDED;
    if (!insist(d, p, true))
        return false;
    if (wait_settled(p, earlier(until_us + COURIER_PATIENCE_US, deadline_us)))
        return p->state == PARCEL_ENDED;
    if (!insist(d, p, false))
        return false;
    if (!wait_settled(p, deadline_us))
        give_up(d, p);
    return p->state == PARCEL_ENDED;
}

/* May one that got no answer be sent again? */
static bool may_repeat(struct courier *c, size_t worker, const struct fanout_request *rq, const struct fanout_answer *a)
{
    bool lost = a->result == FANOUT_NO_ANSWER || a->result == FANOUT_FOREIGN_ANSWER;
    return lost && !a->timed_out && rq->repeatable && breaker_may_repeat(c->breaker, worker);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Puts the parcel down if it is to wait, until *until_us; else its owner's call is under way from now on. */
static bool put_down(struct courier *c, size_t worker, struct parcel *p, int64_t *until_us)
{
    struct desk *d = &c->desks[worker];
    int64_t now = clock_now_us();
    pthread_mutex_init(&p->lock, NULL);
    clock_cond_init(&p->settled);
    pthread_mutex_lock(&d->mutex);
    note_arrival(d);
    bool waits = (d->first != NULL || (d->crowd >= COURIER_CROWD && is_busy(d, now))) && now >= d->unable_until_us && p->rq->len <= COURIER_MAX_BODY
                 && breaker_enter(c->breaker, worker, p->rq->repeatable, false, now) == BREAKER_PASS;
    if (waits)
        put(d, p);
    else
        note_start(d, now);
    *until_us = later(d->newest_us + patience_us(d), d->rest_until_us + COURIER_HASTE_US);
    pthread_mutex_unlock(&d->mutex);
    return waits;
}

bool courier_carry(struct courier *c, size_t worker, const struct fanout_request *rq, struct fanout_answer *answer, struct buf *body)
{
    struct desk *d = &c->desks[worker];
    struct parcel p = {.rq = rq, .answer = answer, .body = body, .state = PARCEL_WAITS};
    int64_t started_us = clock_now_us(), until_us;

    *answer = (struct fanout_answer){.worker = worker, .body = ""}; /* before it is put down: it may be answered at once */
    if (!put_down(c, worker, &p, &until_us))
        return false;
    bool carried = wait_carried(d, &p, until_us);
    answer->elapsed_us = clock_now_us() - started_us;
    answer->body = buf_text(body);
    answer->len = body->len;
    if (carried && answer->result == FANOUT_ANSWERED)
        breaker_answered(c->breaker, worker, answer->elapsed_us, clock_now_us());
    breaker_leave(c->breaker, worker);
    pthread_cond_destroy(&p.settled);
    pthread_mutex_destroy(&p.lock);
    bool ended = carried && !may_repeat(c, worker, rq, answer);
    pthread_mutex_lock(&d->mutex);
    if (ended)
        d->present--;
    else
        note_start(d, clock_now_us());
    pthread_mutex_unlock(&d->mutex);
    return ended;
}

void courier_returned(struct courier *c, size_t worker, int64_t elapsed_us)
{
    struct desk *d = &c->desks[worker];
    pthread_mutex_lock(&d->mutex);
    d->present--;
    note_time(d, elapsed_us);
    note_end(d);
    pthread_mutex_unlock(&d->mutex);
}

/* ---- Start and stop -------------------------------------------------------------------------------------------------- */

static void open_desk(struct desk *d)
{
    pthread_mutex_init(&d->mutex, NULL);
    clock_cond_init(&d->work);
    d->end = &d->first;
}

static int open_carrier(struct courier *c, struct carrier *one, size_t worker, const char *rundir)
{
    *one = (struct carrier){.courier = c, .desk = &c->desks[worker], .worker = worker};
    buf_init(&one->text, COURIER_MAX_BATCH + COURIER_MAX_BODY + COURIER_MAX_PARTS * HEADERS_MAX);
    one->fanout = fanout_new(c->cluster, rundir, c->breaker);
    if (one->fanout != NULL && pthread_create(&one->id, NULL, run_carrier, one) == 0)
        return 0;
    fanout_free(one->fanout);
    return -1;
}

struct courier *courier_start(const struct cluster *cluster, const char *rundir, const char *token, struct breaker *breaker)
{
    size_t carriers = cluster->worker_count * COURIER_THREADS;
    sigset_t all, before;
    struct courier *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    *c = (struct courier){.cluster = cluster, .breaker = breaker, .token = token};
    c->desks = calloc(cluster->worker_count, sizeof *c->desks);
    c->carriers = calloc(carriers, sizeof *c->carriers);
    for (; c->desks != NULL && c->desks_made < cluster->worker_count; c->desks_made++)
        open_desk(&c->desks[c->desks_made]);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (c->desks != NULL && c->carriers != NULL && c->started < carriers
           && open_carrier(c, &c->carriers[c->started], c->started / COURIER_THREADS, rundir) == 0)
        c->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (c->started == carriers)
        return c;
    courier_stop(c);
    return NULL;
}

void courier_stop(struct courier *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->desks_made; i++) {
        pthread_mutex_lock(&c->desks[i].mutex);
        c->desks[i].stopping = true;
        pthread_cond_broadcast(&c->desks[i].work);
        pthread_mutex_unlock(&c->desks[i].mutex);
    }
    for (size_t i = 0; i < c->started; i++) {
        pthread_join(c->carriers[i].id, NULL);
        fanout_free(c->carriers[i].fanout);
        buf_clear(&c->carriers[i].text);
    }
    for (size_t i = 0; i < c->desks_made; i++) {
        pthread_cond_destroy(&c->desks[i].work);
        pthread_mutex_destroy(&c->desks[i].mutex);
    }
    free(c->carriers);
    free(c->desks);
    free(c);
}
