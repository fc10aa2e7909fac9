#include "fcgi-master/drift.h"

#include "fcgi-master/verify_diff.h"

#define MAX_WORDS (ERR_DETAIL_MAX * 4) /* what is longer than an error's detail is cut there */
#define WAY_OUT   "GET /verify shows what differs"

static const char *worker_name(const struct exchange *x, size_t worker)
{
    return x->master->cluster->workers[worker].name;
}

/* "its table differs: column 'grade': missing on node; GET /verify …" */
static void explain_other_table(struct exchange *x, const struct table *routed_by, struct merge_part *p)
{
    struct table *own = NULL;
    struct err ignored = ERR_INIT;
    struct buf words;
    buf_init(&words, MAX_WORDS);
    if (exchange_describe_at(x, p->shard, &own, &ignored) == 0) {
        const struct verify_side sides[] = {
            {.shard = x->describer, .worker = worker_name(x, x->describer), .name = x->table, .table = routed_by},
            {.shard = p->shard, .worker = p->worker, .name = x->table, .table = own},
        };
        verify_diff_explain(sides, &words);
    }
    p->err = ERR_INIT;
    if (words.len > 0)
        err_set(&p->err, ERR_BAD_WORKER_ANSWER, "its table differs: %.300s; " WAY_OUT, buf_text(&words));
    else
        err_set(&p->err, ERR_BAD_WORKER_ANSWER, "its table differs from the other shards', or is being changed; " WAY_OUT);
    buf_clear(&words);
    table_release(own);
}

/* Does another shard have what this one lacks? The description that was routed by may be an old one. */
static void explain_missing_table(struct exchange *x, struct merge_part *p)
{
    struct table *other = NULL;
    struct err ignored = ERR_INIT;
    if (p->shard != x->describer && exchange_describe_at(x, x->describer, &other, &ignored) == 0) {
        struct err e = p->err;
        p->err = ERR_INIT;
        err_set(&p->err, e.code, "%.300s, but does on %s; " WAY_OUT, e.detail, worker_name(x, x->describer));
        p->err.outcome = e.outcome;
        p->err.retry = e.retry;
        p->err.sql_error = e.sql_error;
    }
    table_release(other);
}

void drift_explain(struct exchange *x, const struct table *routed_by)
{
    for (size_t i = 0; i < x->part_count; i++) {
        struct merge_part *p = &x->parts[i];
        if (p->err.code == ERR_SCHEMA_CHANGED)
            explain_other_table(x, routed_by, p);
        else if (p->err.code == ERR_NO_SUCH_TABLE || p->err.code == ERR_NO_SUCH_DATABASE)
            explain_missing_table(x, p);
    }
}
