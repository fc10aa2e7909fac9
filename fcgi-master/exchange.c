#include "fcgi-master/exchange.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SHARDS_TEXT   ((size_t)1 << 20) /* of a problem's "shards" */
#define MAX_DESCRIBE_BODY 4096

struct thread {
    struct master *master;
    struct fanout *fanout;
    struct merge_part *parts; /* one a worker */
    size_t *calls;            /* one a part */
};

void exchange_thread_close(void *thread)
{
    struct thread *t = thread;
    if (t == NULL)
        return;
    fanout_free(t->fanout);
    free(t->parts);
    free(t->calls);
    free(t);
}

void *exchange_thread_open(void *arg, unsigned index)
{
    (void)index;
    struct thread *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->master = arg;
    t->fanout = fanout_new(t->master->cluster, t->master->rundir, t->master->breaker);
    t->parts = calloc(t->master->cluster->worker_count, sizeof *t->parts);
    t->calls = calloc(t->master->cluster->worker_count, sizeof *t->calls);
    if (t->fanout == NULL || t->parts == NULL || t->calls == NULL) {
        exchange_thread_close(t);
        return NULL;
    }
    return t;
}

/* X-Timeout-Ms shortens the deadline, never lengthens it. */
static int read_timeout(struct exchange *x, int *ms)
{
    const char *text = http_header(x->h, "X-Timeout-Ms");
    if (text == NULL)
        return 0;
    long n = 0;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < '0' || *p > '9')
            return err_set(&x->err, ERR_BAD_FIELD, "X-Timeout-Ms: a whole number of milliseconds is expected");
        n = n * 10 + (*p - '0');
        if (n > EXCHANGE_MAX_TIMEOUT_MS)
            break;
    }
    if (n == 0 || n > EXCHANGE_MAX_TIMEOUT_MS)
        return err_set(&x->err, ERR_BAD_FIELD, "X-Timeout-Ms: 1 to %d is expected", EXCHANGE_MAX_TIMEOUT_MS);
    if (n < *ms)
        *ms = (int)n;
    return 0;
}

int exchange_open(struct exchange *x, struct http *h, void *thread)
{
    struct thread *t = thread;
    *x = (struct exchange){.h = h, .master = t->master, .fanout = t->fanout, .parts = t->parts, .calls = t->calls};
    buf_init(&x->shards, MAX_SHARDS_TEXT);
    buf_init(&x->carried, x->master->cluster->limits.max_memory);
    fanout_reset(x->fanout);
    int ms = x->master->cluster->timeout_ms;
    if (read_timeout(x, &ms) != 0)
        return -1;
    x->timeout_ms = ms;
    x->deadline_us = http_started_us(h) + (int64_t)ms * 1000;
    return 0;
}

void exchange_close(struct exchange *x)
{
    fanout_reset(x->fanout); /* the answers' memory */
    buf_clear(&x->shards);
    buf_clear(&x->carried);
}

/* The worker's suffix makes the database's name of it, so that the rule for new names holds for all. */
static int read_db(struct exchange *x)
{
    size_t len = 0;
    if (json_get_name(x->body, "db_name", true, &x->db, &len, &x->err) != 0)
        return -1;
    return sqltype_check_name("db_name", x->db, len, &x->err);
}

/* Which tables exist is the workers' business. */
static int read_table(struct exchange *x)
{
    size_t len = 0;
    if (json_get_name(x->body, "table", true, &x->table, &len, &x->err) != 0)
        return -1;
    if (len == 0 || len > EXCHANGE_MAX_NAME)
        return err_set(&x->err, ERR_BAD_NAME, "table: must be 1 to %d bytes long", EXCHANGE_MAX_NAME);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)x->table[i] < ' ')
            return err_set(&x->err, ERR_BAD_NAME, "table: control character at byte %zu", i);
    }
    return 0;
}

static bool in_list(const char *const *list, const char *name)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, name) == 0)
            return true;
    }
    return false;
}

/* What is no key is told before anything is asked of a worker. */
static int read_key(struct exchange *x, enum exchange_key meaning)
{
    const char *key = http_header(x->h, "Idempotency-Key");
    if (key == NULL || meaning == EXCHANGE_KEY_IGNORED)
        return 0;
    if (meaning == EXCHANGE_KEY_REFUSED)
        return err_set(&x->err, ERR_BAD_FIELD, "Idempotency-Key: only /insert of JSON, /update and /delete take one");
    x->key = key;
    return http_check_key(key, &x->err);
}

static int read_members(struct exchange *x, const char *const *members)
{
    if (json_check_members(x->body, members, &x->err) != 0 || read_db(x) != 0)
        return -1;
    return in_list(members, "table") ? read_table(x) : 0;
}

int exchange_read_body(struct exchange *x, const char *const *members, enum exchange_key key)
{
    if (read_key(x, key) != 0 || http_body(x->h, &x->body, &x->text, &x->len, &x->err) != 0)
        return -1;
    return read_members(x, members);
}

int exchange_read_query(struct exchange *x, const char *const *members, enum exchange_key key)
{
    if (read_key(x, key) != 0 || http_query_object(x->h, &x->body, &x->err) != 0)
        return -1;
    return read_members(x, members);
}

void exchange_begin(struct exchange *x)
{
    fanout_reset(x->fanout);
    x->part_count = 0;
    x->call_count = 0;
}

void exchange_add(struct exchange *x, const struct exchange_question *q, size_t worker, const char *body, size_t len)
{
    const struct cluster_worker *w = &x->master->cluster->workers[worker];
    struct merge_part *p = &x->parts[x->part_count++];
    *p =
        (struct merge_part){.shard = worker, .worker = w->name, .database = q->write ? x->db : "", .suffix = w->suffix};
    struct fanout_request rq = {
        .path = q->path,
        .body = body,
        .len = len,
        .type = q->type,
        .token = x->master->token,
        .request_id = http_request_id(x->h),
        .schema_tag = q->schema_tag,
        .deadline_us = q->deadline_us,
        .key = q->write ? x->key : NULL,
        .repeatable = !q->write || x->key != NULL,
        .stream = q->stream ? FANOUT_LINES : NULL,
    };
    if (fanout_add(x->fanout, worker, &rq) == 0)
        x->calls[x->part_count - 1] = x->call_count++;
    else
        err_set(&p->err, ERR_INTERNAL, "out of memory");
}

/* The codes of calls that brought no answer from the worker itself. */
static enum err_code transport_code(const struct fanout_answer *a)
{
    if (a->result == FANOUT_FULL)
        return ERR_TOO_BUSY;
    if (a->result == FANOUT_GIVEN_UP)
        return ERR_SHARD_UNAVAILABLE;
    if (a->result == FANOUT_TOO_LONG)
        return ERR_BAD_FIELD; /* the request is too dear, and names the setting */
    if (a->result == FANOUT_FOREIGN_ANSWER)
        return a->status >= 500 ? ERR_SHARD_UNAVAILABLE : ERR_BAD_WORKER_ANSWER;
    return a->timed_out ? ERR_DEADLINE_EXCEEDED : ERR_SHARD_UNAVAILABLE;
}

/* What a call that ended with this error, or none, says of its worker. A worker that is well answers in time by itself, so
 * that silence to the deadline is its own fault, but where the client left it little time. */
static enum breaker_sight sight_of(const struct fanout_answer *a, const struct err *e)
{
    switch (a->result) {
    case FANOUT_NOT_SENT:
    case FANOUT_NO_ANSWER:
        return a->timed_out && a->elapsed_us < BREAKER_PATIENCE_MS * 1000 ? BREAKER_NEUTRAL : BREAKER_BAD;
    case FANOUT_FOREIGN_ANSWER:
        return a->status >= 500 ? BREAKER_BAD : BREAKER_NEUTRAL;
    case FANOUT_ANSWERED:
    case FANOUT_STREAMED:
        /* with an error's number the database itself has spoken */
        return e->code == ERR_SHARD_UNAVAILABLE && e->sql_error == 0                                         ? BREAKER_BAD
               : e->code == ERR_DEADLINE_EXCEEDED || e->code == ERR_TOO_BUSY ? BREAKER_NEUTRAL
                                                                                        : BREAKER_GOOD;
    case FANOUT_GIVEN_UP:
    case FANOUT_FULL:
    case FANOUT_TOO_LONG:
    default:
        return BREAKER_NEUTRAL;
    }
}

static void tell_breaker(const struct exchange *x, const struct fanout_answer *a, const struct err *e)
{
    if (breaker_saw(x->master->breaker, a->worker, sight_of(a, e), a->elapsed_us, clock_now_us()))
        log_warning("worker %s is given up until a probe reaches it: %s", x->master->cluster->workers[a->worker].name, e->detail);
}

void exchange_read_loss(struct exchange *x, const struct fanout_answer *a, struct err *e)
{
    err_set(e, transport_code(a), "%s", a->detail);
    tell_breaker(x, a, e);
}

static void read_answer(struct exchange *x, const struct exchange_question *q, const struct fanout_answer *a, struct merge_part *p)
{
    if (a->result == FANOUT_STREAMED) {
        tell_breaker(x, a, &p->err);
        return;
    }
    if (a->result != FANOUT_ANSWERED) {
        exchange_read_loss(x, a, &p->err);
        if (q->write && fanout_was_sent(a->result)) {
            p->err.outcome = OUTCOME_UNKNOWN;
            p->err.retry = RETRY_NO;
        }
    } else if (a->status == 200) {
        p->text = a->body;
        p->len = a->len;
        merge_accept(p, q->kind);
        tell_breaker(x, a, &p->err);
    } else {
        merge_read_problem(a->status, a->body, a->len, a->retry_after_s, q->write, &p->err);
        tell_breaker(x, a, &p->err);
    }
    if (q->write && x->key != NULL)
        err_doubt(&p->err);
}

/* One question to one worker: by courier, or by itself. */
static void ask_one(struct exchange *x, size_t worker)
{
    struct courier *courier = x->master->courier;
    struct fanout_answer answer;
    buf_reset(&x->carried);
    if (courier_carry(courier, worker, fanout_added(x->fanout), &answer, &x->carried)) {
        fanout_settle(x->fanout, &answer);
    } else {
        fanout_run(x->fanout);
        courier_returned(courier, worker, fanout_answer(x->fanout, x->calls[0])->elapsed_us);
    }
}

void exchange_run(struct exchange *x, const struct exchange_question *q)
{
    bool one = x->part_count == 1 && x->parts[0].err.code == ERR_NONE;
    if (q->together && one && x->master->courier != NULL)
        ask_one(x, x->parts[0].shard);
    else
        fanout_run(x->fanout);
    for (size_t i = 0; i < x->part_count; i++) {
        struct merge_part *p = &x->parts[i];
        if (p->text == NULL && p->err.code == ERR_NONE)
            read_answer(x, q, fanout_answer(x->fanout, x->calls[i]), p);
    }
}

bool exchange_replayed(const struct exchange *x)
{
    for (size_t i = 0; i < x->part_count; i++) {
        if (!fanout_answer(x->fanout, x->calls[i])->replayed)
            return false;
    }
    return x->key != NULL && x->part_count > 0;
}

/* Does a repeat with the same key find out what became of it, or make what is missing? Not of what would be refused again. */
static bool can_complete(const struct exchange *x, enum err_outcome outcome)
{
    for (size_t i = 0; i < x->part_count; i++) {
        const struct err *e = &x->parts[i].err;
        if (e->code != ERR_NONE && e->retry == RETRY_SAME_KEY)
            return true;
    }
    return outcome == OUTCOME_UNKNOWN;
}

int exchange_refuse(struct exchange *x, enum merge_kind kind)
{
    struct err e = ERR_INIT;
    buf_reset(&x->shards);
    for (size_t i = 0; x->key != NULL && i < x->part_count; i++) {
        if (x->parts[i].err.code != ERR_NONE) /* of a question before the write, too: what the key stands for may be done */
            err_doubt(&x->parts[i].err);
    }
    merge_problem(x->parts, x->part_count, kind, &e, &x->shards);
    if (buf_status(&x->shards) != 0)
        buf_reset(&x->shards);
    if (x->key != NULL && can_complete(x, e.outcome))
        e.retry = RETRY_SAME_KEY;
    x->err = e;
    return -1;
}

void exchange_fail(struct exchange *x)
{
    if (x->key != NULL)
        err_doubt(&x->err);
    http_fail(x->h, &x->err, x->shards.len > 0 ? buf_text(&x->shards) : NULL);
}

int exchange_describe_at(struct exchange *x, size_t worker, struct table **out, struct err *e)
{
    int64_t now = clock_now_us();
    int64_t limit = (x->deadline_us - now) / 3;
    if (limit > EXCHANGE_DESCRIBE_MS * 1000)
        limit = EXCHANGE_DESCRIBE_MS * 1000;
    int rc = -1;
    struct buf body;
    buf_init(&body, MAX_DESCRIBE_BODY);
    buf_append_text(&body, "{\"db_name\":");
    json_write_text(&body, x->db);
    buf_append_text(&body, ",\"table\":");
    json_write_text(&body, x->table);
    buf_append_char(&body, '}');
    struct fanout_request rq = {
        .path = "/describe",
        .body = buf_text(&body),
        .len = body.len,
        .token = x->master->token,
        .request_id = http_request_id(x->h),
        .deadline_us = now + limit,
        .repeatable = true,
    };
    if (buf_status(&body) != 0 || fanout_add(x->fanout, worker, &rq) != 0) {
        err_set(e, ERR_INTERNAL, "out of memory");
        goto out;
    }
    fanout_run(x->fanout);
    const struct fanout_answer *a = fanout_answer(x->fanout, x->call_count++);
    if (a->result != FANOUT_ANSWERED) {
        exchange_read_loss(x, a, e);
        goto out;
    }
    if (a->status != 200)
        merge_read_problem(a->status, a->body, a->len, a->retry_after_s, false, e);
    tell_breaker(x, a, e);
    if (a->status == 200)
        rc = table_read(a->body, a->len, out, e);
out:
    buf_clear(&body);
    return rc;
}

/* Is the error about the table, so that no other worker would know better? */
static bool is_final(const struct err *e)
{
    return err_status(e->code) < 429;
}

int exchange_describe(struct exchange *x, bool fresh, struct table **out, bool *kept)
{
    struct master *m = x->master;
    size_t count = m->cluster->worker_count;
    *out = fresh ? NULL : tables_get(m->tables, x->db, x->table);
    *kept = *out != NULL;
    if (*kept)
        return 0;
    exchange_begin(x);
    size_t first = atomic_load(&m->describer);
    for (size_t i = 0; i < count; i++) {
        size_t worker = (first + i) % count;
        struct merge_part *p = &x->parts[x->part_count++];
        *p = (struct merge_part){
            .shard = worker, .worker = m->cluster->workers[worker].name, .database = "", .suffix = ""};
        if (exchange_describe_at(x, worker, out, &p->err) == 0) {
            atomic_store(&m->describer, worker);
            x->describer = worker;
            tables_put(m->tables, x->db, x->table, *out);
            return 0;
        }
        if (is_final(&p->err)) {
            x->parts[0] = *p;
            x->part_count = 1;
            break;
        }
    }
    tables_forget(m->tables, x->db, x->table);
    return exchange_refuse(x, MERGE_SELECT);
}
