#include "fcgi-master/courier.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/message.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    pthread_cond_t changed;
    enum parcel_state state;
    struct parcel *next;    /* of those that wait */
    struct parcel **places; /* in the batch that has taken it … */
    size_t place;           /* … where it stands */
};

/* One worker's. */
struct desk {
    pthread_mutex_t mutex;
    pthread_cond_t work;       /* for its couriers */
    struct parcel *first, **end; /* those that wait, oldest first */
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
    return d->under_way > 0 && now_us - d->newest_us < patience_us(d);
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

/* Has those that wait taken now, if a courier is free. */
static bool call_courier(struct desk *d)
{
    if (d->first == NULL || d->idle == 0)
        return false;
    d->due = true;
    pthread_cond_signal(&d->work);
    return true;
}

static void put(struct desk *d, struct parcel *p)
{
    *d->end = p;
    d->end = &p->next;
}

static void take_out(struct desk *d, struct parcel *p)
{
    for (struct parcel **at = &d->first; *at != NULL; at = &(*at)->next) {
        if (*at != p)
            continue;
        *at = p->next;
        if (*at == NULL)
            d->end = at;
        return;
    }
}

static void settle(struct parcel *p, enum parcel_state state)
{
    p->state = state;
    p->places[p->place] = NULL;
    pthread_cond_signal(&p->changed);
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

/* Gives a part's answer to its owner. False when it is no part's. */
static bool hand_over(struct carrier *c, const struct message *m)
{
    long id = message_number(m, "X-Batch-Id", COURIER_MAX_PARTS);
    if (id < 0 || (size_t)id >= c->count)
        return false;
    pthread_mutex_lock(&c->desk->mutex);
    struct parcel *p = c->parts[id];
    if (p != NULL && is_true(m, "X-Batch-Alone")) {
        settle(p, PARCEL_ALONE);
    } else if (p != NULL) {
        read_answer(m, p);
        settle(p, PARCEL_ENDED);
    }
    pthread_mutex_unlock(&c->desk->mutex);
    return true;
}

/* Hands the answers over as they come. 0 at the end of the batch's, -1 when it did not end in order. */
static int read_answers(struct carrier *c, int64_t deadline_us, int64_t started_us)
{
    bool first = true;
    size_t used = 0, len = 0;
    const char *data = NULL;
    int more;
    while ((more = fanout_pull(c->fanout, 0, used, deadline_us, &data, &len)) > 0) {
        struct message m;
        size_t size = 0;
        int whole = 0;
        if (first) {
            pthread_mutex_lock(&c->desk->mutex);
            note_time(c->desk, clock_now_us() - started_us);
            pthread_mutex_unlock(&c->desk->mutex);
        }
        first = false;
        for (used = 0; used < len && (whole = message_read_answer(data + used, len - used, &m, &size)) > 0; used += size) {
            if (!hand_over(c, &m))
                return -1;
        }
        if (whole < 0)
            return -1;
    }
    return more;
}

/* Tells the owners of parts without an answer what became of them. */
static void end_parts(struct carrier *c, enum parcel_state state, const struct fanout_answer *a)
{
    pthread_mutex_lock(&c->desk->mutex);
    for (size_t i = 0; i < c->count; i++) {
        struct parcel *p = c->parts[i];
        if (p == NULL)
            continue;
        if (state == PARCEL_ENDED) {
            bool cut = a->result == FANOUT_ANSWERED || a->result == FANOUT_STREAMED;
            p->answer->result = cut ? FANOUT_NO_ANSWER : a->result;
            p->answer->timed_out = a->timed_out;
            p->answer->status = cut ? 0 : a->status;
            snprintf(p->answer->detail, sizeof p->answer->detail, "%s", cut || a->detail[0] == '\0' ? "the connection was lost before the answer was complete" : a->detail);
        }
        settle(p, state);
    }
    pthread_mutex_unlock(&c->desk->mutex);
}

/* The worker itself has refused the batch as a whole, before it began with any part. One that knows no batches is sent no more. */
static void note_refusal(struct carrier *c, int status)
{
    struct desk *d = c->desk;
    if (status != 404 && status != 405)
        return;
    log_info("worker %s takes no batches", c->courier->cluster->workers[c->worker].name);
    pthread_mutex_lock(&d->mutex);
    d->unable_until_us = clock_now_us() + COURIER_UNABLE_US;
    for (; d->first != NULL; d->first = d->first->next) {
        d->first->state = PARCEL_ALONE;
        pthread_cond_signal(&d->first->changed);
    }
    d->end = &d->first;
    pthread_mutex_unlock(&d->mutex);
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
    int64_t started_us = clock_now_us();
    fanout_reset(c->fanout);
    if (buf_status(&c->text) != 0 || fanout_add(c->fanout, c->worker, &rq) != 0) {
        end_parts(c, PARCEL_ALONE, NULL);
        return;
    }
    fanout_run(c->fanout);
    const struct fanout_answer *a = fanout_answer(c->fanout, 0);
    if (a->result == FANOUT_STREAMED)
        (void)read_answers(c, deadline_us, started_us);
    else if (a->result == FANOUT_ANSWERED)
        note_refusal(c, a->status);
    bool undone = (a->result == FANOUT_ANSWERED && a->status != 200) || !fanout_was_sent(a->result);
    end_parts(c, undone ? PARCEL_ALONE : PARCEL_ENDED, a);
    fanout_reset(c->fanout);
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
            d->idle++;
            pthread_cond_wait(&d->work, &d->mutex);
            d->idle--;
            continue;
        }
        snprintf(request_id, sizeof request_id, "%s", d->first->rq->request_id);
        int64_t deadline_us = take_waiting(c, now);
        note_start(d, now);
        pthread_mutex_unlock(&d->mutex);
        carry_batch(c, deadline_us, request_id);
        pthread_mutex_lock(&d->mutex);
        d->under_way--;
        d->due = d->first != NULL;
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

/* ---- The owner ------------------------------------------------------------------------------------------------------ */

/* Waits for a change of the parcel, until `until_us`. */
static void wait_for(struct desk *d, struct parcel *p, int64_t until_us)
{
    struct timespec end = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    (void)pthread_cond_timedwait(&p->changed, &d->mutex, &end);
}

/* Waits until a courier takes it. False when none does. */
static bool wait_taken(struct desk *d, struct parcel *p)
{
    int64_t until_us = d->newest_us + patience_us(d);
    bool called = false;
    while (p->state == PARCEL_WAITS) {
        int64_t now = clock_now_us();
        if (now >= until_us) {
            if (called || now >= p->rq->deadline_us || !call_courier(d))
                return false;
            called = true;
            until_us = now + COURIER_PATIENCE_US;
        }
        wait_for(d, p, until_us < p->rq->deadline_us ? until_us : p->rq->deadline_us);
    }
    return true;
}

/* Waits for the end of one that was taken, until its deadline. */
static void wait_ended(struct desk *d, struct parcel *p)
{
    while (p->state == PARCEL_TAKEN) {
        if (clock_now_us() >= p->rq->deadline_us) {
            p->answer->result = FANOUT_NO_ANSWER;
            p->answer->timed_out = true;
            snprintf(p->answer->detail, sizeof p->answer->detail, "timed out");
            settle(p, PARCEL_ENDED);
            return;
        }
        wait_for(d, p, p->rq->deadline_us);
    }
}

/* With the desk's mutex held: true when the parcel was carried, to whatever end. */
static bool wait_at(struct desk *d, struct parcel *p)
{
    put(d, p);
    if (!wait_taken(d, p)) {
        take_out(d, p);
        return false;
    }
    wait_ended(d, p);
    return p->state == PARCEL_ENDED;
}

/* May one that got no answer be sent again? */
static bool may_repeat(struct courier *c, size_t worker, const struct fanout_request *rq, const struct fanout_answer *a)
{
    bool lost = a->result == FANOUT_NO_ANSWER || a->result == FANOUT_FOREIGN_ANSWER;
    return lost && !a->timed_out && rq->repeatable && breaker_may_repeat(c->breaker, worker);
}

bool courier_carry(struct courier *c, size_t worker, const struct fanout_request *rq, struct fanout_answer *answer, struct buf *body)
{
    struct desk *d = &c->desks[worker];
    struct parcel p = {.rq = rq, .answer = answer, .body = body, .state = PARCEL_WAITS};
    int64_t started_us = clock_now_us();
    bool carried = false;

    *answer = (struct fanout_answer){.worker = worker, .body = ""};
    pthread_mutex_lock(&d->mutex);
    bool waits = (d->first != NULL || is_busy(d, started_us)) && started_us >= d->unable_until_us && rq->len <= COURIER_MAX_BODY &&
                 breaker_enter(c->breaker, worker, rq->repeatable, false, started_us) == BREAKER_PASS;
    if (waits) {
        pthread_condattr_t monotonic;
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&p.changed, &monotonic);
        pthread_condattr_destroy(&monotonic);
        carried = wait_at(d, &p);
        pthread_cond_destroy(&p.changed);
        answer->elapsed_us = clock_now_us() - started_us;
        answer->body = buf_text(body);
        answer->len = body->len;
    }
    if (!carried)
        note_start(d, clock_now_us());
    pthread_mutex_unlock(&d->mutex);
    if (!waits)
        return false;
    if (carried && answer->result == FANOUT_ANSWERED)
        breaker_answered(c->breaker, worker, answer->elapsed_us, clock_now_us());
    breaker_leave(c->breaker, worker);
    if (!carried || !may_repeat(c, worker, rq, answer))
        return carried;
    pthread_mutex_lock(&d->mutex);
    note_start(d, clock_now_us());
    pthread_mutex_unlock(&d->mutex);
    return false;
}

void courier_returned(struct courier *c, size_t worker, int64_t elapsed_us)
{
    struct desk *d = &c->desks[worker];
    pthread_mutex_lock(&d->mutex);
    d->under_way--;
    note_time(d, elapsed_us);
    (void)call_courier(d);
    pthread_mutex_unlock(&d->mutex);
}

/* ---- Start and stop -------------------------------------------------------------------------------------------------- */

static void open_desk(struct desk *d)
{
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->work, NULL);
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
