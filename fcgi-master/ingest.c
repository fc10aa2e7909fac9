#include "fcgi-master/ingest.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/lines.h"
#include "fcgi-master/batch.h"
#include "fcgi-master/drift.h"
#include "fcgi-master/exchange.h"
#include "fcgi-master/router.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATH 1024 /* "/insert" and its query: two names, three bytes for each of theirs */

/* One batch a shard: what is sent together. */
struct round {
    struct batch *batches;
    size_t rows;
};

/* What the stream has done to one shard so far. */
struct load {
    uint64_t rows;  /* that it said to have */
    bool asked;     /* rows were routed to it */
    struct err err; /* of the batch that failed, the last one */
};

struct ingest {
    struct exchange x; /* its calls are the sender's while it sends, its body and error the reader's */
    struct json_object *shard_key;
    struct table *table;
    size_t shards;
    struct load *loads;
    struct buf path;

    /* the reader */
    struct lines lines;
    char *piece;
    uint64_t rows;
    struct json_fields fields; /* of the line at hand */
    struct table_check check;
    struct router_key key;
    struct round rounds[2];
    struct round *filling;

    /* the sender: a thread that is handed one round after the other */
    pthread_t sender;
    bool started;
    pthread_mutex_t lock; /* guards what follows, and `loads` while a round is under way */
    pthread_cond_t turn;
    struct round *sending; /* NULL: it waits for work */
    bool failed;           /* a batch did: nothing more is sent */
    bool quit;
};

/* The sender */

/* One call for each shard that has rows. Stores what became of each; false when a batch failed. */
static bool send_round(struct ingest *g, struct round *r)
{
    const struct exchange_question q = {
        .path = buf_text(&g->path),
        .kind = MERGE_WRITE,
        .write = true,
        .type = INGEST_TYPE,
        .schema_tag = g->table->tag,
        .deadline_us = clock_now_us() + (int64_t)g->x.timeout_ms * 1000,
    };
    bool good = true;
    exchange_begin(&g->x);
    for (size_t i = 0; i < g->shards; i++) {
        struct batch *b = &r->batches[i];
        if (b->rows > 0)
            exchange_add(&g->x, &q, i, buf_text(&b->text), b->text.len);
    }
    exchange_run(&g->x, &q);
    drift_explain(&g->x, g->table);
    for (size_t i = 0; i < g->x.part_count; i++) {
        struct merge_part *p = &g->x.parts[i];
        struct load *load = &g->loads[p->shard];
        if (p->err.code == ERR_NONE) {
            load->rows += merge_rows_affected(p);
            continue;
        }
        batch_rename(&r->batches[p->shard], &p->err);
        load->err = p->err;
        good = false;
    }
    return good;
}

static void *run_sender(void *arg)
{
    struct ingest *g = arg;
    pthread_mutex_lock(&g->lock);
    for (;;) {
        while (g->sending == NULL && !g->quit)
            pthread_cond_wait(&g->turn, &g->lock);
        if (g->sending == NULL)
            break;
        struct round *r = g->sending;
        pthread_mutex_unlock(&g->lock);
        bool good = send_round(g, r);
        pthread_mutex_lock(&g->lock);
        g->failed = g->failed || !good;
        g->sending = NULL;
        pthread_cond_broadcast(&g->turn);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* Waits for the round under way. Did all go well until now? */
static bool wait_for_sender(struct ingest *g)
{
    pthread_mutex_lock(&g->lock);
    while (g->sending != NULL)
        pthread_cond_wait(&g->turn, &g->lock);
    bool good = !g->failed;
    pthread_mutex_unlock(&g->lock);
    return good;
}

/* Hands the filled round over and takes the other one, empty. -1 when a round before it failed. */
static int hand_over(struct ingest *g)
{
    if (!wait_for_sender(g))
        return -1;
    pthread_mutex_lock(&g->lock);
    g->sending = g->filling;
    pthread_cond_broadcast(&g->turn);
    pthread_mutex_unlock(&g->lock);
    g->filling = g->filling == &g->rounds[0] ? &g->rounds[1] : &g->rounds[0];
    for (size_t i = 0; i < g->shards; i++)
        batch_reset(&g->filling->batches[i]);
    g->filling->rows = 0;
    return 0;
}

static void stop_sender(struct ingest *g)
{
    if (!g->started)
        return;
    pthread_mutex_lock(&g->lock);
    g->quit = true;
    pthread_cond_broadcast(&g->turn);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->sender, NULL);
    g->started = false;
}

/* The reader */

/* The shard of a row that was found good. Its own value in the shard column tells it; only where that is missing, or there is
 * a shard_key to be compared with, is the row looked at as a tree. */
static int find_shard(struct ingest *g, const char *text, size_t len, struct err *e)
{
    struct json_object *row = NULL;
    buf_reset(&g->key.text);
    if (g->shard_key == NULL && table_shard_type(g->table) != NULL && !g->check.key.null)
        return router_stored(g->table, g->shards, &g->check.key, &g->key, e);
    int rc = json_read(text, len, &row, e);
    if (rc == 0)
        rc = router_row(g->table, g->shards, row, "row", g->shard_key, &g->key, e);
    json_free(row);
    return rc;
}

static int take_line(struct ingest *g, const char *text, size_t len)
{
    struct batch_place place = {.line = g->lines.number, .row = g->rows};
    if (json_fields_read(&g->fields, text, len, &g->x.err) != 0 ||
        table_check_fields(&g->check, &g->fields, &g->x.err) != 0 || find_shard(g, text, len, &g->x.err) != 0)
        return err_prefix(&g->x.err, "line %" PRIu64 " (row %" PRIu64 ")", place.line, place.row);
    size_t shard = g->key.shard;
    if (!batch_has_room(&g->filling->batches[shard], len, g->x.master->cluster->max_body) && hand_over(g) != 0)
        return -1;
    if (batch_add(&g->filling->batches[shard], text, len, place) != 0)
        return err_set(&g->x.err, ERR_INTERNAL, "out of memory");
    g->loads[shard].asked = true;
    g->rows++;
    g->filling->rows++;
    return batch_is_full(&g->filling->batches[shard]) ? hand_over(g) : 0;
}

/* All lines that have come. */
static int take_lines(struct ingest *g)
{
    const char *text = NULL;
    size_t len = 0;
    int rc;
    while ((rc = lines_next(&g->lines, &text, &len)) > 0) {
        if (take_line(g, text, len) != 0)
            return -1;
    }
    if (rc == LINES_TOO_LONG)
        return err_set(&g->x.err, ERR_BODY_TOO_LARGE, "line %" PRIu64 ": longer than %zu bytes", g->lines.number,
                       g->lines.max);
    return rc == 0 ? 0 : err_set(&g->x.err, ERR_INTERNAL, "out of memory");
}

/* The whole body, to its last batch. */
static int take_body(struct ingest *g)
{
    size_t got = 0;
    do {
        if (http_body_read(g->x.h, g->piece, INGEST_PIECE, INGEST_IDLE_MS, &got, &g->x.err) != 0)
            return -1;
        lines_feed(&g->lines, g->piece, got);
        if (got == 0)
            lines_end(&g->lines);
        if (take_lines(g) != 0)
            return -1;
    } while (got > 0);
    if (g->filling->rows > 0 && hand_over(g) != 0)
        return -1;
    return wait_for_sender(g) ? 0 : -1;
}

/* The answer */

static enum err_outcome outcome_of(const struct load *load)
{
    if (load->err.code != ERR_NONE && load->err.outcome == OUTCOME_UNKNOWN)
        return OUTCOME_UNKNOWN;
    return load->rows > 0 ? OUTCOME_APPLIED : OUTCOME_NOT_APPLIED;
}

/* [{"shard":0,"worker":"go","database":"SchoolDBGO","outcome":"applied","rows_affected":4000},…]: the shards with rows */
static void append_shards(const struct ingest *g, struct buf *out)
{
    const struct cluster *c = g->x.master->cluster;
    bool first = true;
    buf_append_char(out, '[');
    for (size_t i = 0; i < g->shards; i++) {
        const struct load *load = &g->loads[i];
        struct buf database;
        if (!load->asked)
            continue;
        buf_init(&database, MAX_PATH);
        buf_printf(&database, "%s%s", g->x.db, c->workers[i].suffix);
        buf_printf(out, "%s{\"shard\":%zu,\"worker\":", first ? "" : ",", i);
        json_write_text(out, c->workers[i].name);
        buf_append_text(out, ",\"database\":");
        json_write_text(out, buf_text(&database));
        buf_printf(out, ",\"outcome\":\"%s\",\"rows_affected\":%" PRIu64, err_outcome_name(outcome_of(load)), load->rows);
        if (load->err.code != ERR_NONE) {
            buf_printf(out, ",\"code\":\"%s\",\"detail\":", err_name(load->err.code));
            json_write_text(out, load->err.detail);
            if (load->err.sql_error != 0)
                buf_printf(out, ",\"sql_error\":%d", load->err.sql_error);
        }
        buf_append_char(out, '}');
        buf_clear(&database);
        first = false;
    }
    buf_append_char(out, ']');
}

static void answer(struct ingest *g)
{
    struct buf out;
    uint64_t rows = 0;
    buf_init(&out, EXCHANGE_MAX_ANSWER);
    for (size_t i = 0; i < g->shards; i++)
        rows += g->loads[i].rows;
    buf_printf(&out, "{\"status\":\"ok\",\"rows_affected\":%" PRIu64 ",\"shards\":", rows);
    append_shards(g, &out);
    buf_append_char(&out, '}');
    http_reply(g->x.h, 200, &out);
    buf_clear(&out);
}

/* A batch's failure counts before what the reader met behind it. */
static void fail(struct ingest *g)
{
    struct err *e = &g->x.err;
    bool applied = false;
    bool unknown = false;
    const struct load *worst = NULL;
    for (size_t i = 0; g->loads != NULL && i < g->shards; i++) {
        const struct load *load = &g->loads[i];
        enum err_outcome outcome = outcome_of(load);
        applied = applied || load->rows > 0;
        unknown = unknown || outcome == OUTCOME_UNKNOWN;
        if (load->err.code != ERR_NONE && (worst == NULL || (outcome == OUTCOME_UNKNOWN && outcome_of(worst) != outcome)))
            worst = load;
    }
    if (worst != NULL) {
        *e = worst->err;
        err_prefix(e, "worker %s", g->x.master->cluster->workers[worst - g->loads].name);
    }
    e->outcome = unknown ? OUTCOME_UNKNOWN : applied ? OUTCOME_APPLIED : OUTCOME_NOT_APPLIED;
    if (e->outcome != OUTCOME_NOT_APPLIED && e->retry == RETRY_AFTER)
        e->retry = RETRY_NO;
    if (g->loads != NULL) {
        buf_reset(&g->x.shards);
        append_shards(g, &g->x.shards);
        if (buf_status(&g->x.shards) != 0)
            buf_reset(&g->x.shards);
    }
    exchange_fail(&g->x);
}

/* One stream, top to bottom */

static void append_encoded(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        buf_printf(out, plain ? "%c" : "%%%02X", c);
    }
}

static int read_query(struct ingest *g)
{
    static const char *const members[] = {"db_name", "table", "shard_key", NULL};
    if (exchange_read_query(&g->x, members, EXCHANGE_KEY_REFUSED) != 0)
        return -1;
    if (!json_member(g->x.body, "shard_key", &g->shard_key))
        g->shard_key = NULL;
    buf_append_text(&g->path, "/insert?db_name=");
    append_encoded(&g->path, g->x.db);
    buf_append_text(&g->path, "&table=");
    append_encoded(&g->path, g->x.table);
    return buf_status(&g->path) == 0 ? 0 : err_set(&g->x.err, ERR_BAD_NAME, "table: too long");
}

/* A fresh description: rows that were checked by an old one could not be checked again. */
static int find_table(struct ingest *g)
{
    bool kept = false;
    struct router_key key;
    if (exchange_describe(&g->x, true, &g->table, &kept) != 0)
        return -1;
    if (g->shard_key == NULL)
        return 0;
    router_key_init(&key);
    int rc = router_shard_key(g->table, g->shards, g->shard_key, &key, &g->x.err);
    router_key_clear(&key);
    return rc;
}

static int start(struct ingest *g)
{
    g->loads = calloc(g->shards, sizeof *g->loads);
    g->piece = malloc(INGEST_PIECE);
    for (size_t i = 0; i < 2; i++)
        g->rounds[i].batches = calloc(g->shards, sizeof *g->rounds[i].batches);
    if (table_check_init(&g->check, g->table, &g->x.err) != 0)
        return -1;
    if (g->loads == NULL || g->piece == NULL || g->rounds[0].batches == NULL || g->rounds[1].batches == NULL)
        return err_set(&g->x.err, ERR_INTERNAL, "out of memory");
    for (size_t i = 0; i < 2 * g->shards; i++)
        batch_init(&g->rounds[i % 2].batches[i / 2]);
    g->filling = &g->rounds[0];
    if (pthread_create(&g->sender, NULL, run_sender, g) != 0)
        return err_set(&g->x.err, ERR_INTERNAL, "no thread could be started");
    g->started = true;
    return 0;
}

static void clear(struct ingest *g)
{
    stop_sender(g);
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; g->rounds[i].batches != NULL && j < g->shards; j++)
            batch_clear(&g->rounds[i].batches[j]);
        free(g->rounds[i].batches);
    }
    free(g->loads);
    free(g->piece);
    lines_clear(&g->lines);
    json_fields_clear(&g->fields);
    table_check_clear(&g->check);
    router_key_clear(&g->key);
    table_release(g->table);
    buf_clear(&g->path);
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->turn);
}

static void serve(struct ingest *g)
{
    if (read_query(g) != 0 || find_table(g) != 0 || start(g) != 0)
        exchange_fail(&g->x);
    else if (take_body(g) == 0)
        answer(g);
    else {
        (void)wait_for_sender(g); /* what is under way is told, too */
        fail(g);
    }
}

void ingest_lines(struct http *h, void *thread)
{
    struct ingest g = {0};
    int opened = exchange_open(&g.x, h, thread);
    struct master *m = g.x.master;
    int most = m->cluster->master_threads > 1 ? m->cluster->master_threads / 2 : 1;
    g.shards = m->cluster->worker_count;
    lines_init(&g.lines, m->cluster->max_body - 1); /* a line end behind it makes a body for a worker */
    router_key_init(&g.key);
    buf_init(&g.path, MAX_PATH);
    pthread_mutex_init(&g.lock, NULL);
    pthread_cond_init(&g.turn, NULL);
    if (atomic_fetch_add(&m->streams, 1) >= most && opened == 0)
        opened = err_set(&g.x.err, ERR_TOO_BUSY, "%d streams of rows are being read, which is all that there may be", most);
    if (opened == 0)
        serve(&g);
    else
        exchange_fail(&g.x);
    clear(&g);
    atomic_fetch_sub(&m->streams, 1);
    exchange_close(&g.x);
}
