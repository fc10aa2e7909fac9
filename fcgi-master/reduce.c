#include <config.h>

#include "fcgi-master/reduce.h"

#include "fcgi-master/cell.h"
#include "fcgi-master/having.h"
#include "fcgi-master/keyset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A value and the JSON that it is answered as. */
struct result {
    struct cell cell;
    struct json_slice raw; /* in the row that is read, or the arena */
};

/* What is known so far of one aggregate of one group. */
struct sum {
    bool any;       /* some value that is not NULL */
    int128 number;  /* exact sums, at the scale of the parts */
    double real;    /* sums of FLOAT and REAL */
    int128 count;   /* of count, count_distinct and avg */
    struct result best; /* of min and max; in the end the aggregate's value */
};

struct group {
    struct result *keys; /* of the group columns */
    struct sum *sums;    /* of the aggregates */
};

struct reduce {
    const struct plan *p;
    const struct query *q;
    struct arena memory;
    struct arena row_memory; /* of the row that is read */
    struct keyset keys;     /* of the groups; a key's number is the group's */
    struct keyset distinct; /* group, aggregate, value */
    struct group *groups;
    size_t group_capacity;
    struct json_slice *values; /* of the row that is read */
    const struct cluster_limits *limits;
    struct err *e;
};

static int no_memory(struct reduce *r)
{
    return err_set(r->e, ERR_BAD_FIELD, "limits.max_memory: the groups need more than %zu bytes; narrow the condition or the groups", r->limits->max_memory);
}

static int bad_rows(struct merge_part *part)
{
    return err_set(&part->err, ERR_BAD_WORKER_ANSWER, "its groups are not what it was asked for");
}

static int too_many(struct reduce *r, const char *what)
{
    return err_set(r->e, ERR_BAD_FIELD, "limits.max_groups: more than %zu %s; narrow the condition or the groups", r->limits->max_groups, what);
}

/* ---- Groups ------------------------------------------------------------------------------------------------------- */

/* A value that outlives its row; its type is `t`. */
static int keep_result(struct reduce *r, const struct sqltype *t, struct json_slice raw, struct result *out)
{
    out->raw = (struct json_slice){.text = arena_copy(&r->memory, raw.text, raw.len), .len = raw.len};
    return out->raw.text != NULL && cell_read(t, out->raw, &r->memory, &out->cell) == 0 ? 0 : -1;
}

/* Makes the newest key's group. */
static struct group *new_group(struct reduce *r)
{
    size_t index = r->keys.count - 1;
    if (index >= r->group_capacity) {
        size_t capacity = r->group_capacity == 0 ? 64 : r->group_capacity * 2;
        struct group *grown = reallocarray(r->groups, capacity, sizeof *grown);
        if (grown == NULL)
            return NULL;
        r->groups = grown;
        r->group_capacity = capacity;
    }
    struct group *g = &r->groups[index];
    g->keys = arena_alloc(&r->memory, (r->q->group_count + 1) * sizeof *g->keys);
    g->sums = arena_alloc(&r->memory, (r->q->aggregate_count + 1) * sizeof *g->sums);
    if (g->keys == NULL || g->sums == NULL)
        return NULL;
    for (size_t i = 0; i < r->q->group_count; i++) {
        if (keep_result(r, &r->p->table->columns[r->q->groups[i]].type, r->values[i], &g->keys[i]) != 0)
            return NULL;
    }
    return g;
}

/* The group of the row that is read; NULL with the error. */
static struct group *find_group(struct reduce *r, struct merge_part *part, size_t *index)
{
    struct group *found = NULL;
    struct buf key;
    buf_init(&key, CELL_MAX_KEY);
    for (size_t i = 0; i < r->q->group_count; i++) {
        size_t column = r->q->groups[i];
        struct cell c;
        if (cell_read(&r->p->table->columns[column].type, r->values[i], &r->row_memory, &c) != 0) {
            bad_rows(part);
            goto out;
        }
        cell_append_key(&c, plan_collation(r->p, column), &key);
    }
    enum keyset_result added =
        buf_status(&key) != 0 ? KEYSET_NO_MEMORY : keyset_add(&r->keys, buf_text(&key), key.len, index);
    if (added == KEYSET_FULL)
        too_many(r, "groups");
    else if (added == KEYSET_OLD)
        found = &r->groups[*index];
    else if (added == KEYSET_NO_MEMORY || (found = new_group(r)) == NULL)
        no_memory(r);
out:
    buf_clear(&key);
    return found;
}

/* ---- Parts -------------------------------------------------------------------------------------------------------- */

/* One aggregate's part in the row that is read. */
struct part {
    const struct query_aggregate *aggregate;
    size_t number; /* of the aggregate */
    size_t group;
    struct sum *sum;
    const struct sqltype *column_type; /* NULL for COUNT(*) */
    struct json_slice *value;          /* the count of an average is the one behind it */
};

/* Each returns 0, or -1 without an error where the part is not what was asked for, or with one. */
typedef int add_part(struct reduce *r, const struct part *p);

static int read_count(struct reduce *r, struct json_slice raw, int128 *count)
{
    static const struct sqltype bigint = {.kind = SQLTYPE_BIGINT};
    struct cell c;
    if (cell_read(&bigint, raw, &r->row_memory, &c) != 0 || c.kind != CELL_NUMBER || c.scale != 0 || c.number < 0)
        return -1;
    *count += c.number;
    return 0;
}

static int add_count(struct reduce *r, const struct part *p)
{
    return read_count(r, *p->value, &p->sum->count);
}

static int overflow(struct reduce *r, const struct query_aggregate *a)
{
    err_set(r->e, ERR_BAD_VALUE, "aggregates: %s is over the range of %s", a->name, sqltype_name(a->type.kind));
    r->e->sql_error = REDUCE_OVERFLOW;
    return -1;
}

/* The scale of an exact sum's parts. */
static int part_scale(const struct sqltype *t)
{
    return sqltype_is_decimal(t) ? t->scale : 0;
}

static int add_sum(struct reduce *r, const struct part *p)
{
    bool exact = !sqltype_is_float(p->column_type);
    const struct sqltype type = {.kind = exact ? SQLTYPE_DECIMAL : SQLTYPE_FLOAT};
    struct cell c;
    if (cell_read(&type, *p->value, &r->row_memory, &c) != 0)
        return -1;
    if (c.kind == CELL_NULL)
        return 0;
    p->sum->any = true;
    if (!exact) {
        p->sum->real += c.real;
        return 0;
    }
    if (c.scale != part_scale(p->column_type))
        return -1;
    return __builtin_add_overflow(p->sum->number, c.number, &p->sum->number) ? overflow(r, p->aggregate) : 0;
}

static int add_average(struct reduce *r, const struct part *p)
{
    return add_sum(r, p) != 0 ? -1 : read_count(r, p->value[1], &p->sum->count);
}

static int add_extreme(struct reduce *r, const struct part *p)
{
    struct cell c;
    if (cell_read(p->column_type, *p->value, &r->row_memory, &c) != 0)
        return -1;
    if (c.kind == CELL_NULL)
        return 0;
    int order = p->sum->any ? cell_compare(&c, &p->sum->best.cell, COLLATION_BIN2) : 0;
    if ((!p->sum->any || (p->aggregate->op == QUERY_MIN ? order < 0 : order > 0)) &&
        keep_result(r, p->column_type, *p->value, &p->sum->best) != 0)
        return no_memory(r);
    p->sum->any = true;
    return 0;
}

/* Counts a value that its group has not had yet. */
static int add_distinct(struct reduce *r, const struct part *p)
{
    struct cell c;
    struct buf key;
    size_t index = 0;
    if (cell_read(p->column_type, *p->value, &r->row_memory, &c) != 0)
        return -1;
    if (c.kind == CELL_NULL)
        return 0;
    buf_init(&key, CELL_MAX_KEY);
    buf_append(&key, &p->group, sizeof p->group);
    buf_append(&key, &p->number, sizeof p->number);
    cell_append_key(&c, plan_collation(r->p, p->aggregate->column), &key);
    enum keyset_result added =
        buf_status(&key) != 0 ? KEYSET_NO_MEMORY : keyset_add(&r->distinct, key.data, key.len, &index);
    buf_clear(&key);
    if (added == KEYSET_NEW)
        p->sum->count++;
    return added == KEYSET_FULL ? too_many(r, "distinct values") : added == KEYSET_NO_MEMORY ? no_memory(r) : 0;
}

static add_part *const adders[] = {
    [QUERY_COUNT] = add_count, [QUERY_COUNT_DISTINCT] = add_distinct, [QUERY_SUM] = add_sum,
    [QUERY_AVG] = add_average, [QUERY_MIN] = add_extreme,             [QUERY_MAX] = add_extreme,
};

static int add_row(struct reduce *r, struct merge_part *part)
{
    size_t index = 0;
    struct group *g = find_group(r, part, &index);
    if (g == NULL)
        return -1;
    for (size_t i = 0; i < r->q->aggregate_count; i++) {
        const struct query_aggregate *a = &r->q->aggregates[i];
        const struct part p = {
            .aggregate = a,
            .number = i,
            .group = index,
            .sum = &g->sums[i],
            .column_type = a->column != QUERY_ALL_ROWS ? &r->p->table->columns[a->column].type : NULL,
            .value = &r->values[r->p->part_members[i]],
        };
        if (adders[a->op](r, &p) != 0)
            return r->e->code != ERR_NONE ? -1 : bad_rows(part);
    }
    return 0;
}

static int add_rows(struct reduce *r, struct rowstream *s)
{
    struct json_slice row;
    int more;
    while ((more = rowstream_next(s, &row)) > 0) {
        arena_clear(&r->row_memory);
        if (rowscan_members(row, r->values, r->p->width) != 0)
            return bad_rows(s->part);
        if (add_row(r, s->part) != 0)
            return -1;
    }
    return more == 0 || (r->q->allow_partial && rowstream_is_lost(s)) ? 0 : -1;
}

/* ---- Results ------------------------------------------------------------------------------------------------------ */

/* Makes the result's JSON out of its cell. */
static int write_result(struct reduce *r, struct result *result)
{
    struct buf text;
    buf_init(&text, 128);
    if (result->cell.kind == CELL_NUMBER)
        cell_write_number(result->cell.number, result->cell.scale, &text);
    else if (result->cell.kind == CELL_REAL)
        json_write_double(&text, result->cell.real);
    else
        buf_append_text(&text, "null");
    result->raw = (struct json_slice){.text = arena_copy(&r->memory, buf_text(&text), text.len), .len = text.len};
    buf_clear(&text);
    return result->raw.text != NULL ? 0 : no_memory(r);
}

/* Is an exact sum, at its scale, a value of the type? */
static bool in_range(int128 n, const struct sqltype *t)
{
    int128 top = t->kind == SQLTYPE_INT                                       ? INT32_MAX
                 : t->kind == SQLTYPE_BIGINT || t->kind == SQLTYPE_MONEY ? INT64_MAX
                                                                              : cell_power(CELL_MAX_DIGITS) - 1;
    int128 bottom = t->kind == SQLTYPE_DECIMAL ? -top : -top - 1;
    return n >= bottom && n <= top;
}

/* sum / count at the result's scale, cut off as T-SQL does; false when it does not fit. */
static bool divide(int128 sum, int scale, int128 count, int result_scale, int128 *out)
{
    int128 most = cell_power(CELL_MAX_DIGITS) - 1;
    int128 whole = (sum < 0 ? -sum : sum) / count;
    int128 rest = (sum < 0 ? -sum : sum) % count;
    for (; scale < result_scale; scale++) {
        if (whole > most / 10)
            return false;
        rest *= 10;
        whole = whole * 10 + rest / count;
        rest %= count;
    }
    *out = sum < 0 ? -whole : whole;
    return whole <= most;
}

static int finish_sum(struct reduce *r, const struct query_aggregate *a, const struct sqltype *column, struct sum *s)
{
    bool average = a->op == QUERY_AVG;
    struct cell *c = &s->best.cell;
    if (!s->any)
        return 0;
    if (sqltype_is_float(column)) {
        *c = (struct cell){.kind = CELL_REAL, .real = average ? s->real / (double)s->count : s->real};
        return isfinite(s->real) ? 0 : overflow(r, a);
    }
    *c = (struct cell){.kind = CELL_NUMBER, .number = s->number, .scale = part_scale(column)};
    if (!in_range(s->number, &a->type))
        return overflow(r, a);
    if (!average)
        return 0;
    if (s->count == 0 || !divide(s->number, c->scale, s->count, a->type.scale, &c->number))
        return overflow(r, a);
    c->scale = a->type.scale;
    return 0;
}

/* Turns what was added up into the aggregates' values, in `best`. */
static int finish_group(struct reduce *r, struct group *g)
{
    for (size_t i = 0; i < r->q->aggregate_count; i++) {
        const struct query_aggregate *a = &r->q->aggregates[i];
        struct sum *s = &g->sums[i];
        if ((a->op == QUERY_MIN || a->op == QUERY_MAX) && s->any)
            continue; /* a shard's own words */
        if (a->op == QUERY_COUNT || a->op == QUERY_COUNT_DISTINCT)
            s->best.cell = (struct cell){.kind = CELL_NUMBER, .number = s->count};
        else if ((a->op == QUERY_SUM || a->op == QUERY_AVG) &&
                 finish_sum(r, a, &r->p->table->columns[a->column].type, s) != 0)
            return -1;
        if (write_result(r, &s->best) != 0)
            return -1;
    }
    return 0;
}

static const struct result *find_result(const struct reduce *r, const struct group *g, struct query_term term)
{
    if (term.aggregate)
        return &g->sums[term.index].best;
    for (size_t i = 0; i < r->q->group_count; i++) {
        if (r->q->groups[i] == term.index)
            return &g->keys[i];
    }
    return NULL; /* query_resolve lets no other column pass */
}

/* ---- Having, order, cut ------------------------------------------------------------------------------------------- */

struct looked_at {
    const struct reduce *r;
    const struct group *g;
};

static void find_value(const void *arg, const char *name, size_t len, struct having_value *out)
{
    const struct looked_at *l = arg;
    struct query_term term;
    if (!query_find_result(l->r->q, &l->r->p->columns, name, len, &term))
        return;
    struct query_column c = query_term_column(l->r->q, &l->r->p->columns, term);
    *out = (struct having_value){
        .cell = find_result(l->r, l->g, term)->cell,
        .type = *c.type,
        .collation = term.aggregate ? COLLATION_BIN2 : plan_collation(l->r->p, term.index),
    };
}

/* Keeps the groups for which having is true, in their order. */
static int keep_groups(struct reduce *r, const struct group **kept, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < r->keys.count; i++) {
        const struct looked_at at = {.r = r, .g = &r->groups[i]};
        const struct having_row row = {.find = find_value, .arg = &at};
        bool keep = true;
        if (finish_group(r, &r->groups[i]) != 0 ||
            (r->q->having != NULL && having_test(r->q->having, &row, &keep, r->e) != 0))
            return -1;
        if (keep)
            kept[(*count)++] = &r->groups[i];
    }
    return 0;
}

static int compare_groups(const void *a, const void *b, void *arg)
{
    const struct group *x = *(const struct group *const *)a, *y = *(const struct group *const *)b;
    const struct reduce *r = arg;
    for (size_t i = 0; i < r->q->order_count; i++) {
        const struct query_order *o = &r->q->order[i];
        int order = cell_compare(&find_result(r, x, o->term)->cell, &find_result(r, y, o->term)->cell, COLLATION_BIN2);
        if (order != 0)
            return o->descending ? -order : order;
    }
    return (x > y) - (x < y); /* the order in which they came */
}

static void write_group(const struct reduce *r, const struct group *g, struct buf *out)
{
    for (size_t i = 0; i < r->q->output_count; i++) {
        const struct result *result = find_result(r, g, r->q->outputs[i]);
        buf_append_char(out, i == 0 ? '{' : ',');
        json_write_text(out, query_term_column(r->q, &r->p->columns, r->q->outputs[i]).name);
        buf_append_char(out, ':');
        buf_append(out, result->raw.text, result->raw.len);
    }
    buf_append_char(out, '}');
}

static int write_groups(struct reduce *r, struct rowsink *sink)
{
    size_t count = 0, needed = plan_rows_needed(r->q);
    int rc = -1;
    struct buf row;
    buf_init(&row, r->limits->max_memory);
    const struct group **kept = calloc(r->keys.count + 1, sizeof *kept);
    if (kept == NULL) {
        no_memory(r);
        goto out;
    }
    if (keep_groups(r, kept, &count) != 0)
        goto out;
    if (r->q->order_count > 0)
        qsort_r(kept, count, sizeof *kept, compare_groups, r);
    for (size_t i = (size_t)r->q->offset; i < count && i < needed; i++) {
        buf_reset(&row);
        write_group(r, kept[i], &row);
        if (buf_status(&row) != 0) {
            no_memory(r);
            goto out;
        }
        if (rowsink_begin(sink, row.data, row.len) != 0)
            goto out;
    }
    rc = 0;
out:
    free(kept);
    buf_clear(&row);
    return rc;
}

/* Without group_by there is one group, whether it has rows or not. */
static int add_total(struct reduce *r)
{
    size_t index = 0;
    if (r->q->group_count > 0)
        return 0;
    return keyset_add(&r->keys, "", 0, &index) == KEYSET_NEW && new_group(r) != NULL ? 0 : no_memory(r);
}

int reduce_rows(const struct plan *p, struct rowstream *streams, size_t count, const struct cluster_limits *limits, struct rowsink *sink,
                struct err *e)
{
    struct reduce r = {.p = p, .q = p->q, .limits = limits, .e = e};
    int rc = -1;
    arena_init(&r.memory, limits->max_memory);
    arena_init(&r.row_memory, limits->max_memory);
    keyset_init(&r.keys, &r.memory, limits->max_groups);
    keyset_init(&r.distinct, &r.memory, limits->max_groups);
    r.values = calloc(p->width + 1, sizeof *r.values);
    if (r.values == NULL) {
        no_memory(&r);
        goto out;
    }
    if (add_total(&r) != 0)
        goto out;
    for (size_t i = 0; i < count; i++) {
        if (add_rows(&r, &streams[i]) != 0)
            goto out;
    }
    rc = write_groups(&r, sink);
out:
    free(r.values);
    free(r.groups);
    keyset_clear(&r.keys);
    keyset_clear(&r.distinct);
    arena_clear(&r.memory);
    arena_clear(&r.row_memory);
    return rc;
}
