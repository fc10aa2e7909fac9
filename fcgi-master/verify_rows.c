#include "fcgi-master/verify_rows.h"

#include "common/clock.h"
#include "common/json.h"
#include "fcgi-master/router.h"
#include "fcgi-master/rowstream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BODY    ((size_t)1 << 20) /* of a question: names of a table and its key */
#define MAX_SAMPLES ((size_t)8 << 20) /* bytes of a table's samples */

/* One shard's rows. */
struct reader {
    struct exchange *x;
    const struct verify_side *side;
    size_t call;
    size_t columns[1 + TABLE_MAX_KEY]; /* of the table, that are asked for: the shard column, then the rest of the key */
    size_t width;
    struct buf body;
    struct rowstream rows;
    bool done;
};

struct check {
    struct exchange *x;
    struct reader *readers;
    size_t count;
    struct json_fields fields; /* of the row in hand, as are the next two */
    struct sqlvalue value;
    struct router_key key;
    uint64_t rows, misplaced, unrouted;
    struct buf samples;
    size_t sample_count;
};

/* Why the rows of these tables cannot be checked; NULL when they can. */
static const char *find_obstacle(const struct verify_side *sides, size_t count)
{
    const struct table_column *first = NULL;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const struct table *t = sides[i].table;
        if (t == NULL)
            continue;
        const struct table_column *c = t->shard_column;
        if (any && ((c == NULL) != (first == NULL) ||
                    (c != NULL && !table_same_name(c->name, strlen(c->name), first->name, strlen(first->name)))))
            return "the shards do not agree on the shard column";
        if (c != NULL && table_shard_type(t) == NULL)
            return "the shard column is of a type whose values do not tell the key that they were routed by";
        first = c;
        any = true;
    }
    return first != NULL ? NULL : "the table has no shard column: its rows do not tell the keys that they were routed by";
}

/* The question to one shard */

static void choose_columns(struct reader *r)
{
    const struct table *t = r->side->table;
    r->columns[r->width++] = (size_t)(t->shard_column - t->columns);
    for (size_t i = 0; i < t->key_count; i++) {
        if (t->key[i] != r->columns[0])
            r->columns[r->width++] = t->key[i];
    }
}

static const char *column_name(const struct reader *r, size_t i)
{
    return r->side->table->columns[r->columns[i]].name;
}

static int write_question(struct reader *r)
{
    buf_append_text(&r->body, "{\"db_name\":");
    json_write_text(&r->body, r->x->db);
    buf_append_text(&r->body, ",\"table\":");
    json_write_text(&r->body, r->side->name);
    for (size_t i = 0; i < r->width; i++) {
        buf_append_text(&r->body, i == 0 ? ",\"columns\":[" : ",");
        json_write_text(&r->body, column_name(r, i));
    }
    buf_append_text(&r->body, "]}");
    return buf_status(&r->body);
}

/* Asks every shard that has the table. */
static int ask(struct check *c, const struct verify_side *sides, size_t count)
{
    struct exchange *x = c->x;
    struct exchange_question q = {.path = "/select", .kind = MERGE_SELECT, .stream = true, .deadline_us = x->deadline_us};
    exchange_begin(x);
    for (size_t i = 0; i < count; i++) {
        if (sides[i].table == NULL)
            continue;
        struct reader *r = &c->readers[c->count++];
        *r = (struct reader){.x = x, .side = &sides[i]};
        buf_init(&r->body, MAX_BODY);
        choose_columns(r);
        if (write_question(r) != 0)
            return err_set(&x->err, ERR_INTERNAL, "out of memory");
        q.schema_tag = sides[i].table->tag;
        exchange_add(x, &q, sides[i].shard, buf_text(&r->body), r->body.len);
    }
    exchange_run(x, &q);
    return 0;
}

/* The answers */

static int pull_lines(void *arg, size_t used, const char **data, size_t *len, struct err *e)
{
    const struct reader *r = arg;
    int64_t deadline_us = clock_now_us() + (int64_t)r->x->timeout_ms * 1000;
    int rc = fanout_pull(r->x->fanout, r->call, used, deadline_us, data, len);
    if (rc < 0)
        exchange_read_loss(r->x, fanout_answer(r->x->fanout, r->call), e);
    return rc;
}

static void open_stream(struct check *c, size_t i)
{
    struct reader *r = &c->readers[i];
    struct merge_part *p = &c->x->parts[i];
    r->call = c->x->calls[i];
    if (p->text != NULL)
        rowstream_init_whole(&r->rows, p);
    else
        rowstream_init_lines(&r->rows, p, pull_lines, r);
}

static int bad_row(const struct reader *r)
{
    struct err *e = &r->rows.part->err;
    *e = ERR_INIT;
    return err_set(e, ERR_BAD_WORKER_ANSWER, "its rows are not what it was asked for");
}

static void append_shard(struct buf *out, const char *name, size_t shard, const char *worker)
{
    buf_printf(out, ",\"%s\":{\"shard\":%zu,\"worker\":", name, shard);
    json_write_text(out, worker);
    buf_append_char(out, '}');
}

/* A sample that is too long to be kept is left out. */
static int keep_sample(struct check *c, const struct reader *r, struct json_slice row)
{
    struct json_slice values[1 + TABLE_MAX_KEY];
    struct buf *out = &c->samples;
    size_t before = out->len;
    if (rowscan_members(row, values, r->width) != 0)
        return bad_row(r);
    buf_append_text(out, c->sample_count > 0 ? ",{\"key\":" : "{\"key\":");
    json_write_string(out, buf_text(&c->key.text), c->key.text.len);
    buf_append_text(out, ",\"row\":{");
    for (size_t i = 0; i < r->width; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        json_write_text(out, column_name(r, i));
        buf_append_char(out, ':');
        buf_append(out, values[i].text, values[i].len);
    }
    buf_append_char(out, '}');
    append_shard(out, "on", r->side->shard, r->side->worker);
    append_shard(out, "belongs_to", c->key.shard, c->x->master->cluster->workers[c->key.shard].name);
    buf_append_char(out, '}');
    if (buf_status(out) == 0)
        c->sample_count++;
    else
        buf_truncate(out, before);
    return 0;
}

static int check_row(struct check *c, const struct reader *r, struct json_slice row)
{
    const struct table *t = r->side->table;
    struct err e = ERR_INIT;
    c->rows++;
    if (json_fields_read(&c->fields, row.text, row.len, &e) != 0 || c->fields.count != r->width)
        return bad_row(r);
    const struct json_field *value = &c->fields.items[0];
    if (value->kind == JSON_NULL) {
        c->unrouted++;
        return 0;
    }
    buf_reset(&c->key.text);
    if (sqltype_convert_field(table_shard_type(t), t->shard_column->name, value, &c->value, &e) != 0 ||
        router_stored(t, c->x->master->cluster->worker_count, &c->value, &c->key, &e) != 0)
        return bad_row(r);
    if (c->key.shard == r->side->shard)
        return 0;
    return c->misplaced++ < VERIFY_ROWS_SAMPLES ? keep_sample(c, r, row) : 0;
}

/* A row of each shard in turn. -1 when a shard's part has an error. */
static int read_rows(struct check *c)
{
    size_t open = c->count;
    while (open > 0) {
        for (size_t i = 0; i < c->count; i++) {
            struct reader *r = &c->readers[i];
            struct json_slice row;
            int more = r->done ? 0 : rowstream_next(&r->rows, &row);
            if (more < 0 || (more > 0 && check_row(c, r, row) != 0))
                return -1;
            if (more == 0 && !r->done) {
                r->done = true;
                open--;
            }
        }
    }
    return 0;
}

/* Did no shard fail, but for those whose table is not any more what it was when it was described? */
static bool is_only_changed(const struct exchange *x)
{
    for (size_t i = 0; i < x->part_count; i++) {
        enum err_code code = x->parts[i].err.code;
        if (code != ERR_NONE && code != ERR_SCHEMA_CHANGED && code != ERR_NO_SUCH_TABLE && code != ERR_NO_SUCH_DATABASE)
            return false;
    }
    return true;
}

static void write_unchecked(const char *reason, struct buf *out)
{
    buf_append_text(out, "{\"checked\":false,\"reason\":");
    json_write_text(out, reason);
    buf_append_char(out, '}');
}

static void write_checked(const struct check *c, struct buf *out)
{
    buf_printf(out, "{\"checked\":true,\"rows\":%" PRIu64 ",\"misplaced\":%" PRIu64 ",\"unrouted\":%" PRIu64 ",\"samples\":[", c->rows,
               c->misplaced, c->unrouted);
    buf_append(out, c->samples.data, c->samples.len);
    buf_append_text(out, "]}");
}

static void clear(struct check *c)
{
    for (size_t i = 0; i < c->count; i++) {
        rowstream_clear(&c->readers[i].rows);
        buf_clear(&c->readers[i].body);
    }
    free(c->readers);
    json_fields_clear(&c->fields);
    sqlvalue_clear(&c->value);
    router_key_clear(&c->key);
    buf_clear(&c->samples);
}

int verify_rows_check(struct exchange *x, const struct verify_side *sides, size_t count, uint64_t *misplaced, struct buf *out)
{
    struct check c = {.x = x};
    const char *obstacle = find_obstacle(sides, count);
    int rc = -1;
    *misplaced = 0;
    if (obstacle != NULL) {
        write_unchecked(obstacle, out);
        return 0;
    }
    sqlvalue_init(&c.value);
    router_key_init(&c.key);
    buf_init(&c.samples, MAX_SAMPLES);
    c.readers = calloc(count, sizeof *c.readers);
    if (c.readers == NULL) {
        err_set(&x->err, ERR_INTERNAL, "out of memory");
        goto out;
    }
    if (ask(&c, sides, count) != 0)
        goto out;
    for (size_t i = 0; i < c.count; i++)
        open_stream(&c, i);
    rc = read_rows(&c);
    if (rc == 0) {
        write_checked(&c, out);
        *misplaced = c.misplaced;
    } else if (is_only_changed(x)) {
        write_unchecked("the table was changed while it was read", out);
        rc = 0;
    } else {
        rc = exchange_refuse(x, MERGE_SELECT);
    }
out:
    clear(&c);
    return rc;
}
