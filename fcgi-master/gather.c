#include "fcgi-master/gather.h"

#include "fcgi-master/cell.h"
#include "fcgi-master/keyset.h"

#include <stdlib.h>
#include <string.h>

/* The rows of one shard, and the one that is next. */
struct stream {
    struct rowstream *rows;
    size_t number; /* ties go in the order of the shards */
    struct json_slice row;
    struct json_slice *values; /* p->width of them */
    struct cell *keys;         /* one for each element of order_by */
    struct arena memory;       /* of the keys */
    size_t repeats;            /* with `before`: how many rows like the one that is next there have been, itself included */
    bool alike;                /* it is like the row before */
    struct cell *before;       /* the keys of the row before, where rows may be alike; else NULL */
    struct arena before_memory;
};

struct gather {
    const struct plan *p;
    struct stream *streams;
    size_t stream_count;
    struct stream **heap; /* the streams that have a row; the first has the one that comes next */
    size_t heap_count;
    size_t taken; /* rows of shards so far */
    const struct cluster_limits *limits;
    const struct sqltype *key_types[QUERY_MAX_PART_ORDER];
    struct arena seen_memory;
    struct keyset seen; /* of distinct */
    struct err *e;
};

static int no_memory(struct gather *g)
{
    return err_set(g->e, ERR_BAD_FIELD, "limits.max_memory: the rows that differ need more than %zu bytes; narrow the condition", g->limits->max_memory);
}

static int bad_rows(struct stream *s)
{
    return err_set(&s->rows->part->err, ERR_BAD_WORKER_ANSWER, "its rows are not what it was asked for");
}

/* In the query's order. */
static int compare_keys(const struct gather *g, const struct cell *a, const struct cell *b)
{
    for (size_t i = 0; i < g->p->q->order_count; i++) {
        int order = cell_compare(&a[i], &b[i], COLLATION_BIN2);
        if (order != 0)
            return g->p->q->order[i].descending ? -order : order;
    }
    return 0;
}

/* The keys become those of the row before, whose text is about to go. */
static int keep_keys(struct gather *g, struct stream *s)
{
    struct cell *keys = s->keys;
    struct arena memory = s->memory;
    for (size_t i = 0; i < g->p->q->order_count; i++) {
        if (keys[i].text != NULL && (keys[i].text = arena_copy(&memory, keys[i].text, keys[i].len)) == NULL) {
            s->memory = memory;
            return no_memory(g);
        }
    }
    s->keys = s->before;
    s->memory = s->before_memory;
    s->before = keys;
    s->before_memory = memory;
    return 0;
}

static void count_repeats(const struct gather *g, struct stream *s)
{
    s->alike = compare_keys(g, s->keys, s->before) == 0;
    s->repeats = s->alike ? s->repeats + 1 : 1;
}

/* Moves to the next row: 1, 0 at the end, -1 with an error. */
static int advance(struct gather *g, struct stream *s)
{
    const struct plan *p = g->p;
    if (s->before != NULL && keep_keys(g, s) != 0)
        return -1;
    int more = rowstream_next(s->rows, &s->row);
    if (more <= 0)
        return more;
    if (rowscan_members(s->row, s->values, p->width) != 0)
        return bad_rows(s);
    if (g->taken++ == g->limits->max_rows)
        return err_set(g->e, ERR_BAD_FIELD,
                       "limits.max_rows: the shards have more than %zu rows to merge; narrow the condition or give a smaller limit",
                       g->limits->max_rows);
    arena_clear(&s->memory);
    for (size_t i = 0; i < p->q->order_count; i++) {
        if (cell_read(g->key_types[i], s->values[p->order_members[i]], &s->memory, &s->keys[i]) != 0)
            return bad_rows(s);
    }
    if (s->before != NULL)
        count_repeats(g, s);
    return 1;
}

/* Moves to the first row behind those that the pages before have had. */
static int start(struct gather *g, struct stream *s)
{
    const struct cursor *from = g->p->from;
    size_t count = g->p->q->order_count, had = from != NULL && from->shard == s->rows->part->shard ? from->repeats : 0;
    if (s->before == NULL || had == 0)
        return advance(g, s);
    const struct json_slice array = {.text = from->values.data, .len = from->values.len};
    struct json_slice *values = calloc(count, sizeof *values);
    if (values == NULL)
        return no_memory(g);
    int more = rowscan_array(array, values, count);
    for (size_t i = 0; i < count && more == 0; i++)
        more = cell_read(g->key_types[i], values[i], &s->memory, &s->keys[i]);
    free(values);
    if (more != 0)
        return err_set(g->e, ERR_INTERNAL, "a sealed cursor does not fit its query");
    do {
        more = advance(g, s);
    } while (more > 0 && s->alike && s->repeats <= had);
    return more;
}

static bool comes_before(const struct gather *g, const struct stream *a, const struct stream *b)
{
    int order = compare_keys(g, a->keys, b->keys);
    return order != 0 ? order < 0 : a->number < b->number;
}

/* Restores the heap below `at`, whose stream has a new row. */
static void sift_down(struct gather *g, size_t at)
{
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < g->heap_count; child++) {
            if (comes_before(g, g->heap[child], g->heap[first]))
                first = child;
        }
        if (first == at)
            return;
        struct stream *moved = g->heap[at];
        g->heap[at] = g->heap[first];
        g->heap[first] = moved;
        at = first;
    }
}

static int open_streams(struct gather *g, struct rowstream *streams, size_t count)
{
    g->streams = calloc(count + 1, sizeof *g->streams);
    g->heap = calloc(count + 1, sizeof *g->heap);
    if (g->streams == NULL || g->heap == NULL)
        return no_memory(g);
    for (size_t i = 0; i < g->p->q->order_count; i++)
        g->key_types[i] = query_term_column(g->p->q, &g->p->columns, g->p->q->order[i].term).type;
    for (size_t i = 0; i < count; i++) {
        struct stream *s = &g->streams[g->stream_count++];
        s->rows = &streams[i];
        s->number = i;
        arena_init(&s->memory, GATHER_MAX_MEMORY);
        s->values = calloc(g->p->width, sizeof *s->values);
        s->keys = calloc(g->p->q->order_count + 1, sizeof *s->keys);
        arena_init(&s->before_memory, GATHER_MAX_MEMORY);
        if (plan_has_repeats(g->p))
            s->before = calloc(g->p->q->order_count + 1, sizeof *s->before);
        if (s->values == NULL || s->keys == NULL || (plan_has_repeats(g->p) && s->before == NULL))
            return no_memory(g);
        int more = start(g, s);
        if (more < 0 && !(g->p->q->allow_partial && rowstream_is_lost(s->rows)))
            return -1;
        if (more > 0)
            g->heap[g->heap_count++] = s;
    }
    for (size_t i = g->heap_count / 2; i > 0; i--)
        sift_down(g, i - 1);
    return 0;
}

/* Is the row of a distinct query new? 1, 0, or -1 with an error. */
static int is_new(struct gather *g, struct stream *s)
{
    const struct plan *p = g->p;
    struct arena memory;
    struct buf key;
    size_t index = 0;
    int rc = -1;
    arena_init(&memory, GATHER_MAX_MEMORY);
    buf_init(&key, CELL_MAX_KEY);
    for (size_t i = 0; i < p->q->output_count; i++) {
        struct cell c;
        size_t column = p->q->outputs[i].index;
        if (cell_read(&p->table->columns[column].type, s->values[i], &memory, &c) != 0) {
            bad_rows(s);
            goto out;
        }
        cell_append_key(&c, plan_collation(p, column), &key);
    }
    enum keyset_result added = buf_status(&key) != 0 ? KEYSET_NO_MEMORY : keyset_add(&g->seen, key.data, key.len, &index);
    rc = added == KEYSET_NEW ? 1 : added == KEYSET_OLD ? 0 : no_memory(g);
out:
    buf_clear(&key);
    arena_clear(&memory);
    return rc;
}

/* Passes on the row without the columns that only its order needed: they stand last. */
static int pass_row(const struct gather *g, const struct stream *s, struct rowsink *sink)
{
    size_t shown = g->p->q->output_count;
    if (shown == g->p->width)
        return rowsink_begin(sink, s->row.text, s->row.len);
    const struct json_slice *last = &s->values[shown - 1];
    if (rowsink_begin(sink, s->row.text, (size_t)(last->text + last->len - s->row.text)) != 0)
        return -1;
    return rowsink_write(sink, "}", 1);
}

/* Moves the first stream to its next row, and the heap with it. */
static int advance_first(struct gather *g)
{
    int more = advance(g, g->heap[0]);
    if (more < 0)
        return -1;
    if (more == 0)
        g->heap[0] = g->heap[--g->heap_count];
    sift_down(g, 0);
    return 0;
}

/* Keeps what the row has in the columns of the order. */
static void keep_last(const struct gather *g, const struct stream *s, struct cursor *last)
{
    last->shard = s->rows->part->shard;
    last->repeats = s->repeats;
    for (size_t i = 0; i < g->p->q->order_count; i++) {
        const struct json_slice *value = &s->values[g->p->order_members[i]];
        buf_append_char(&last->values, i == 0 ? '[' : ',');
        buf_append(&last->values, value->text, value->len);
    }
    buf_append_char(&last->values, ']');
}

static int merge_rows(struct gather *g, struct rowsink *sink, struct gather_end *end)
{
    const struct query *q = g->p->q;
    size_t needed = plan_rows_needed(q), passed = 0;
    while (g->heap_count > 0 && (passed < needed || g->p->paged)) {
        struct stream *s = g->heap[0];
        int fresh = q->distinct ? is_new(g, s) : 1;
        if (fresh < 0)
            return -1;
        if (fresh > 0 && passed == needed) {
            end->more = true;
            return 0;
        }
        if (fresh > 0 && passed++ >= (size_t)q->offset && pass_row(g, s, sink) != 0)
            return -1;
        if (fresh > 0 && passed == needed) {
            if (!g->p->paged)
                return 0;
            keep_last(g, s, &end->last);
        }
        if (advance_first(g) != 0)
            return -1;
    }
    return 0;
}

int gather_merge(const struct plan *p, struct rowstream *streams, size_t count, const struct cluster_limits *limits, struct rowsink *sink,
                 struct gather_end *end, struct err *e)
{
    struct gather g = {.p = p, .limits = limits, .e = e};
    arena_init(&g.seen_memory, limits->max_memory);
    keyset_init(&g.seen, &g.seen_memory, limits->max_rows);
    int rc = open_streams(&g, streams, count) == 0 && merge_rows(&g, sink, end) == 0 ? 0 : -1;
    for (size_t i = 0; i < g.stream_count; i++) {
        free(g.streams[i].values);
        free(g.streams[i].keys);
        free(g.streams[i].before);
        arena_clear(&g.streams[i].memory);
        arena_clear(&g.streams[i].before_memory);
    }
    free(g.streams);
    free(g.heap);
    keyset_clear(&g.seen);
    arena_clear(&g.seen_memory);
    return rc;
}

int gather_join(struct rowstream *streams, size_t count, bool allow_partial, struct rowsink *sink)
{
    for (size_t i = 0; i < count; i++) {
        struct json_slice row;
        int more;
        while ((more = rowstream_next(&streams[i], &row)) > 0) {
            if (rowsink_begin(sink, row.text, row.len) != 0)
                return -1;
        }
        if (more < 0 && !(allow_partial && rowstream_is_lost(&streams[i])))
            return -1;
    }
    return 0;
}
