#include "fcgi-master/select.h"

#include "common/clock.h"
#include "common/log.h"
#include "fcgi-master/gather.h"
#include "fcgi-master/reduce.h"

#include <inttypes.h>
#include <stdlib.h>

/* Where the lines of a stream come from. */
struct source {
    struct exchange *x;
    size_t call;
};

struct select {
    struct exchange *x;
    const struct plan *plan;
    const struct query *q;
    const struct cursor_seal *seal;
    struct gather_end end; /* of a page */
    struct rowstream *streams; /* of the parts without error */
    struct source *sources;
    size_t count;
    struct rowsink sink;
};

static int pull_lines(void *arg, size_t used, const char **data, size_t *len, struct err *e)
{
    const struct source *s = arg;
    struct exchange *x = s->x;
    int64_t idle_us = x->deadline_us - http_started_us(x->h);
    int64_t deadline_us = http_is_sent(x->h) ? clock_now_us() + idle_us : x->deadline_us;
    int rc = fanout_pull(x->fanout, s->call, used, deadline_us, data, len);
    if (rc < 0)
        exchange_read_loss(x, fanout_answer(x->fanout, s->call), e);
    return rc;
}

static int write_http(void *arg, const void *data, size_t len)
{
    return http_write(arg, data, len);
}

static int open_streams(struct select *s)
{
    struct exchange *x = s->x;
    s->streams = calloc(x->part_count + 1, sizeof *s->streams);
    s->sources = calloc(x->part_count + 1, sizeof *s->sources);
    if (s->streams == NULL || s->sources == NULL)
        return err_set(&x->err, ERR_INTERNAL, "out of memory");
    for (size_t i = 0; i < x->part_count; i++) {
        struct merge_part *p = &x->parts[i];
        struct source *source = &s->sources[s->count];
        if (p->err.code != ERR_NONE)
            continue;
        *source = (struct source){.x = x, .call = x->calls[i]};
        if (p->text != NULL)
            rowstream_init_whole(&s->streams[s->count++], p);
        else
            rowstream_init_lines(&s->streams[s->count++], p, pull_lines, source);
    }
    return 0;
}

static int write_rows(struct select *s)
{
    struct cluster_limits limits = s->x->master->cluster->limits;
    if (s->x->part_count == 1)
        limits.max_rows = SIZE_MAX; /* one shard's rows are not merged */
    switch (s->plan->kind) {
    case PLAN_MERGE:
        return gather_merge(s->plan, s->streams, s->count, &limits, &s->sink, &s->end, &s->x->err);
    case PLAN_REDUCE:
        return reduce_rows(s->plan, s->streams, s->count, &limits, &s->sink, &s->x->err);
    case PLAN_PLAIN:
    default:
        return gather_join(s->streams, s->count, s->q->allow_partial, &s->sink);
    }
}

/* The cursor of a page's last row, if rows follow. */
static int write_next(struct select *s, struct buf *out)
{
    if (!s->end.more || s->end.last.values.len == 0)
        return 0;
    if (s->q->distinct)
        s->end.last.shard = s->x->master->cluster->worker_count; /* rows like the last are on no shard: they were left out */
    return cursor_write(s->seal, &s->end.last, out, &s->x->err);
}

/* What stands behind the rows. */
static int write_end(struct select *s)
{
    struct exchange *x = s->x;
    const struct merge_part *first = &x->parts[0];
    struct buf next, out;
    int rc = -1;
    buf_init(&next, CURSOR_MAX_TOKEN);
    buf_init(&out, EXCHANGE_MAX_END);
    if (write_next(s, &next) != 0)
        goto out;
    for (size_t i = 0; i < s->count; i++)
        s->streams[i].part->taken = s->streams[i].rows;
    if (x->part_count == 1 && first->err.code == ERR_NONE && s->plan->kind == PLAN_PLAIN) {
        buf_append_text(&out, "],");
        buf_append(&out, first->text + 1, first->len - 1); /* the one shard's own members, behind their brace */
    } else {
        merge_select_end(x->parts, x->part_count, s->sink.rows, buf_text(&next), &out);
    }
    rc = buf_status(&out) == 0 ? rowsink_write(&s->sink, out.data, out.len) : err_set(&x->err, ERR_INTERNAL, "out of memory");
out:
    buf_clear(&next);
    buf_clear(&out);
    return rc;
}

/* Ends an exchange that cannot be answered to its end: 0 when it was cut; -1 with x->err set when nothing is sent. */
static int break_off(struct select *s)
{
    struct exchange *x = s->x;
    if (s->sink.gone) {
        log_debug("%s: the client is gone after %" PRIu64 " rows", http_request_id(x->h), s->sink.rows);
    } else {
        if (x->err.code == ERR_NONE)
            (void)exchange_refuse(x, MERGE_SELECT);
        if (http_take_back(x->h) == 0)
            return -1;
        log_error("%s: the answer was cut after %" PRIu64 " rows: %s", http_request_id(x->h), s->sink.rows, x->err.detail);
    }
    http_abort(x->h);
    return 0;
}

/* One whole answer needs no second look at its rows. */
static int pass_whole(struct exchange *x)
{
    struct buf out;
    buf_init(&out, x->master->cluster->limits.max_memory + EXCHANGE_MAX_END);
    merge_answer(x->parts, x->part_count, MERGE_SELECT, &out);
    http_reply(x->h, 200, &out);
    buf_clear(&out);
    return 0;
}

int select_answer(struct exchange *x, const struct plan *plan, const struct query *q, const struct cursor_seal *seal)
{
    struct select s = {.x = x, .plan = plan, .q = q, .seal = seal, .sink = {.write = write_http, .arg = x->h}};
    if (x->part_count == 1 && plan->kind == PLAN_PLAIN && x->parts[0].text != NULL)
        return pass_whole(x);
    cursor_init(&s.end.last);
    int rc = open_streams(&s);
    if (rc != 0)
        goto out;
    http_begin(x->h, 200, "application/json");
    if (rowsink_write(&s.sink, MERGE_SELECT_BEGIN, sizeof MERGE_SELECT_BEGIN - 1) == 0 && write_rows(&s) == 0 &&
        write_end(&s) == 0)
        http_end(x->h);
    else
        rc = break_off(&s);
out:
    for (size_t i = 0; i < s.count; i++)
        rowstream_clear(&s.streams[i]);
    free(s.streams);
    free(s.sources);
    cursor_clear(&s.end.last);
    return rc;
}
