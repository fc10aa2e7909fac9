/* What every request of the master has in common: its body and deadline, the calls it makes to workers, and the table
 * description it works by. Here the fanout's results become parts for merge.
 *
 * Knows nothing about what the requests mean: gateway.h has those on rows, schema.h those on databases and tables.
 */
#ifndef SHARDGATE_EXCHANGE_H
#define SHARDGATE_EXCHANGE_H

#include "common/cluster.h"
#include "common/http.h"
#include "fcgi-master/breaker.h"
#include "fcgi-master/courier.h"
#include "fcgi-master/fanout.h"
#include "fcgi-master/merge.h"
#include "fcgi-master/tables.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXCHANGE_DESCRIBE_MS    1000      /* for one worker's /describe, and at most a third of the request's time */
#define EXCHANGE_MAX_TIMEOUT_MS 999999999 /* that X-Timeout-Ms may say; the cluster's own time-out caps it */
#define EXCHANGE_MAX_NAME       128       /* bytes of a table's name */
#define EXCHANGE_MAX_ANSWER     ((size_t)1 << 30) /* bytes of a merged answer that is no select's */
#define EXCHANGE_MAX_END        ((size_t)16 << 20) /* bytes of a select's answer behind its rows */

/* The process: made in main, the same for all threads. */
struct master {
    const struct cluster *cluster;
    const char *rundir;
    const char *token;
    struct tables *tables;
    pthread_mutex_t schema_lock; /* one change of schema at a time */
    atomic_size_t describer;     /* the worker that answered the last /describe: the first to be asked again */
    struct breaker *breaker;
    struct courier *courier; /* NULL: every call goes by itself */
    atomic_bool verifying; /* a /verify is under way: it takes a thread here, and one of each worker */
    atomic_int streams; /* inserts of lines under way, each of which holds a thread for long */
    int64_t started_us;
};

/* http_app's thread_open and thread_close; `arg` is the struct master. */
void *exchange_thread_open(void *arg, unsigned index);
void exchange_thread_close(void *thread);

struct exchange {
    struct http *h;
    struct master *master;
    struct fanout *fanout;
    struct json_object *body;
    const char *text; /* the body as it came */
    size_t len;
    const char *db;    /* the body's db_name */
    const char *table; /* the body's table, or NULL where the request has none */
    const char *key;   /* the Idempotency-Key of a write, or NULL */
    int timeout_ms;     /* the request's whole time */
    int64_t deadline_us;
    struct merge_part *parts; /* one for each worker asked since exchange_begin */
    size_t *calls;            /* the fanout's call of each of them */
    size_t part_count;
    size_t call_count; /* since exchange_begin */
    size_t describer;  /* the worker that gave exchange_describe a new description */
    struct buf carried; /* the body of an answer that a courier brought */
    struct err err;    /* what exchange_fail answers */
    struct buf shards; /* its raw array "shards", empty for [] */
};

/* Starts: finds the deadline (the cluster's, shortened by X-Timeout-Ms). `thread` is the handler's. 0, or -1 with x->err
 * set. The caller calls exchange_close, also after a failure. */
int exchange_open(struct exchange *x, struct http *h, void *thread) __attribute__((warn_unused_result));
void exchange_close(struct exchange *x);

/* What an Idempotency-Key means to a request. */
enum exchange_key {
    EXCHANGE_KEY_IGNORED, /* nothing: it changes nothing */
    EXCHANGE_KEY_REFUSED, /* it cannot be kept; a client that relies on it must not be left to think that a repeat is safe */
    EXCHANGE_KEY_TAKEN    /* x->key becomes it, and goes with each question that is a write */
};

/* Reads the body: its members must be in the NULL-terminated list; db_name, and table when it is in the list, must be
 * there. 0, or -1 with x->err set. */
int exchange_read_body(struct exchange *x, const char *const *members, enum exchange_key key) __attribute__((warn_unused_result));

/* The same for a request whose body is no JSON object: the members are those of the URL's query. */
int exchange_read_query(struct exchange *x, const char *const *members, enum exchange_key key) __attribute__((warn_unused_result));

/* What is asked of workers in one round. */
struct exchange_question {
    const char *path;
    enum merge_kind kind;
    bool stream;            /* answers may come as lines: a part without error and without text is one to be pulled */
    bool together;          /* to one worker it may go in one batch with those of other requests */
    bool write;             /* a lost answer leaves the outcome unknown, and nothing is sent twice that has no key */
    const char *type;       /* the bodies' Content-Type; NULL: application/json */
    const char *schema_tag; /* NULL for none */
    int64_t deadline_us;
};

/* A round: begin, add each worker with its body (borrowed until the run has ended), run. Then x->parts has each one's
 * accepted answer or error, in the order of the calls to exchange_add. */
void exchange_begin(struct exchange *x);
void exchange_add(struct exchange *x, const struct exchange_question *q, size_t worker, const char *body, size_t len);
void exchange_run(struct exchange *x, const struct exchange_question *q);

/* The description of x->db, x->table: the kept one, or with `fresh` a new one, asked of the first worker that can tell. The
 * caller releases *out. *kept tells whether it was the kept one. -1 with x->err and x->shards set. */
int exchange_describe(struct exchange *x, bool fresh, struct table **out, bool *kept)
    __attribute__((warn_unused_result));

/* One worker's own description of x->db, x->table. Its call joins the round under way, whose answers stay. -1 with `e` set. */
int exchange_describe_at(struct exchange *x, size_t worker, struct table **out, struct err *e)
    __attribute__((warn_unused_result));

/* Did all workers answer what an earlier request with this key had been answered? */
bool exchange_replayed(const struct exchange *x);

/* Sets x->err and x->shards from the parts that failed. Returns -1, always. */
int exchange_refuse(struct exchange *x, enum merge_kind kind);

/* Sets the error of a call that brought no answer from the worker itself, or lost it, and tells the breaker. */
void exchange_read_loss(struct exchange *x, const struct fanout_answer *a, struct err *e);

/* Answers with x->err and x->shards. */
void exchange_fail(struct exchange *x);

#endif
