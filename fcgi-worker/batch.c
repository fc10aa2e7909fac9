#include "fcgi-worker/batch.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/message.h"
#include "fcgi-worker/lanes.h"
#include "fcgi-worker/request.h"

#include <pthread.h>
#include <stdlib.h>

#define TYPE "application/http"
#define WRITES_A_LANE 3
#define ANSWER_MAX ((size_t)2 * REQUEST_MAX_ANSWER) /* bytes of one message */

struct batch {
    struct lanes_work work; /* first: it is what the lanes know */
    struct lanes *lanes;
    struct http *h;
    size_t count;
    size_t items[BATCH_MAX_PARTS];
    int64_t deadlines[BATCH_MAX_PARTS];
    struct message parts[BATCH_MAX_PARTS];

    pthread_mutex_t lock;
    struct buf ended;  /* answers that have not been passed on */
    bool passing;      /* a thread writes to `h`, which no other may touch then */
    bool broken;       /* an answer got lost: what is missing at the end is unknown */
    int64_t passed_us; /* when answers were passed on last */
};

/* The request */

static int read_parts(struct batch *b, const char *text, size_t len, struct err *e)
{
    size_t used;

    for (b->count = 0; len > 0; b->count++, text += used, len -= used) {
        if (b->count == BATCH_MAX_PARTS)
            return err_set(e, ERR_BAD_REQUEST, "batch: more than %d messages", BATCH_MAX_PARTS);
        struct message *m = &b->parts[b->count];
        int rc = message_read_request(text, len, m, &used);
        if (rc <= 0)
            return err_set(e, ERR_BAD_REQUEST, "batch: message %zu: %s", b->count, rc < 0 ? m->wrong : "it is cut off");
        if (message_number(m, "X-Batch-Id", BATCH_MAX_PARTS) != (long)b->count)
            return err_set(e, ERR_BAD_REQUEST, "batch: message %zu: X-Batch-Id: %zu is expected", b->count, b->count);
    }
    return b->count > 0 ? 0 : err_set(e, ERR_BAD_REQUEST, "batch: no message");
}

/* Reads first, then writes: the batch's own thread begins at the front, and lanes at the back. Writes get lanes at once, so that the
 * database makes them durable together; one in WRITES_A_LANE, because to wake a lane costs about as much as a write, and the keeper calls
 * more when they wait. Reads are fast: none gets a lane. */
static void plan(struct batch *b, const struct worker *worker)
{
    int64_t arrived = http_started_us(b->h);
    size_t reads = 0, writes = 0;

    for (size_t i = 0; i < b->count; i++) {
        long ms = message_number(&b->parts[i], "X-Timeout-Ms", worker->timeout_ms);

        b->deadlines[i] = arrived + (ms >= 0 ? ms : worker->timeout_ms) * INT64_C(1000);
        if (http_part_kind(b->h, &b->parts[i]) == HTTP_WRITE)
            b->items[b->count - ++writes] = i;
        else
            b->items[reads++] = i;
    }
    b->work.items = b->items;
    b->work.count = b->count;
    b->work.deadlines = b->deadlines;
    b->work.helpers = (writes + WRITES_A_LANE - 1) / WRITES_A_LANE;
}

/* The answer */

/* Is it time to pass answers on? With the lock held. */
static bool is_due(const struct batch *b)
{
    return b->ended.len > 0 && !b->passing && !b->broken
           && (b->ended.len > HTTP_HELD || clock_now_us() - b->passed_us >= BATCH_PASS_US);
}

/* Passes the answers on that have ended. With the lock held, which it lets go meanwhile. */
static void pass_on(struct batch *b)
{
    struct buf answers = b->ended;

    buf_init(&b->ended, answers.max);
    b->passing = true;
    pthread_mutex_unlock(&b->lock);
    bool gone = http_write(b->h, answers.data, answers.len) < 0 || http_flush(b->h) < 0;
    buf_clear(&answers);
    pthread_mutex_lock(&b->lock);
    b->passing = false;
    b->broken = b->broken || gone;
    b->passed_us = clock_now_us();
}

/* For what ended too soon behind others, while the rest takes its time. The keeper must not wait for the master to read: long answers are
 * left to those whose parts end. */
static void pass_in_time(struct lanes_work *w)
{
    struct batch *b = (struct batch *)w;

    pthread_mutex_lock(&b->lock);
    if (is_due(b) && b->ended.len <= HTTP_HELD && http_takes_more(b->h))
        pass_on(b);
    pthread_mutex_unlock(&b->lock);
}

static bool is_broken(struct batch *b)
{
    pthread_mutex_lock(&b->lock);
    bool broken = b->broken;
    pthread_mutex_unlock(&b->lock);
    return broken;
}

static void run_part(struct lanes_work *w, size_t item, void *thread)
{
    struct batch *b = (struct batch *)w;
    struct buf answer;

    if (is_broken(b)) /* nobody waits for it any more */
        return;
    buf_init(&answer, ANSWER_MAX);
    int rc = http_answer_part(b->h, &b->parts[item], thread, &answer);
    enum lanes_rest rest = lanes_ask(b->lanes, w);
    pthread_mutex_lock(&b->lock);
    if (rc == 0)
        buf_append(&b->ended, answer.data, answer.len);
    if (rc < 0 || buf_status(&b->ended) < 0) {
        log_error("%s: the answer to a part was lost", http_request_id(b->h));
        b->broken = true;
    }
    while (rest != LANES_ENDING && is_due(b))
        pass_on(b);
    pthread_mutex_unlock(&b->lock);
    buf_clear(&answer);
}

static void run(struct batch *b, void *thread)
{
    buf_init(&b->ended, BATCH_MAX_PARTS * ANSWER_MAX);
    pthread_mutex_init(&b->lock, NULL);
    b->passed_us = clock_now_us();
    http_begin(b->h, 200, TYPE "; msgtype=response");
    lanes_run(b->lanes, &b->work, thread);
    if (b->broken || (b->ended.len > 0 && http_write(b->h, b->ended.data, b->ended.len) < 0))
        http_abort(b->h);
    else
        http_end(b->h);
    pthread_mutex_destroy(&b->lock);
    buf_clear(&b->ended);
}

void batch_answer(struct http *h, void *thread)
{
    const struct worker *worker = ((struct worker_thread *)thread)->worker;
    struct batch *b = malloc(sizeof(*b));
    struct err e = ERR_INIT;
    const char *text;
    size_t len;
    int rc;

    if (b == NULL) {
        rc = err_set(&e, ERR_INTERNAL, "memory ran out");
    } else {
        b->work = (struct lanes_work){.run = run_part, .tick = pass_in_time};
        b->lanes = worker->lanes;
        b->h = h;
        b->passing = b->broken = false;
        rc = http_has_type(h, TYPE) ? 0 : err_set(&e, ERR_BAD_REQUEST, "Content-Type: " TYPE " is expected");
    }
    if (rc == 0)
        rc = http_body_text(h, &text, &len, &e);
    if (rc == 0)
        rc = read_parts(b, text, len, &e);
    if (rc == 0) {
        plan(b, worker);
        run(b, thread);
    } else {
        http_fail(h, &e, NULL);
    }
    free(b);
}
