#include "fcgi-master/plan.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static struct query_column show_column(const void *table, size_t i)
{
    const struct table *t = table;
    const struct table_column *c = &t->columns[i];
    return (struct query_column){.name = c->name, .type = c->known_type ? &c->type : NULL};
}

struct query_table plan_columns(const struct table *t)
{
    return (struct query_table){.table = t, .count = t->column_count, .column = show_column};
}

enum collation plan_collation(const struct plan *p, size_t column)
{
    const struct table_column *c = &p->table->columns[column];
    return c->binary ? COLLATION_BIN2 : c->ignores_case ? COLLATION_CI : COLLATION_CS;
}

bool plan_has_repeats(const struct plan *p)
{
    return p->paged && !p->q->distinct && p->table->key_count == 0;
}

size_t plan_rows_needed(const struct query *q)
{
    return q->limit == QUERY_NO_LIMIT ? SIZE_MAX : q->limit == 0 ? 0 : (size_t)(q->offset + q->limit);
}

/* What shards are asked */

static const char *column_name(const struct plan *p, size_t column)
{
    return p->table->columns[column].name;
}

/* Opens the body with what it has in common with the client's. */
static void open_body(struct plan *p, const struct json_object *body)
{
    static const char *const same[] = {"table", "condition", "having", "params"};
    struct json_object *v = NULL;
    buf_append_text(&p->body, "{\"db_name\":");
    if (json_member(body, "db_name", &v))
        json_write_value(&p->body, v);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (!json_member(body, same[i], &v))
            continue;
        buf_printf(&p->body, ",\"%s\":", same[i]);
        json_write_value(&p->body, v);
    }
    buf_append_text(&p->body, ",\"partial\":true");
}

static void append_order(struct plan *p, size_t i, const char *name, bool descending)
{
    buf_append_text(&p->body, i == 0 ? ",\"order_by\":[{\"column\":" : ",{\"column\":");
    json_write_text(&p->body, name);
    buf_append_text(&p->body, descending ? ",\"dir\":\"desc\"}" : "}");
}

static int close_body(struct plan *p, bool cut, struct err *e)
{
    size_t needed = plan_rows_needed(p->q);
    if (p->paged && needed > 0 && needed < QUERY_MAX_ROWS)
        needed += 1 + p->from->repeats;
    if (cut && needed != SIZE_MAX)
        buf_printf(&p->body, ",\"limit\":%zu", needed < QUERY_MAX_ROWS ? needed : (size_t)QUERY_MAX_ROWS);
    buf_append_char(&p->body, '}');
    return buf_status(&p->body) == 0 ? 0 : err_set(e, ERR_INTERNAL, "out of memory");
}

/* Where a column stands among the first `count` outputs and hidden columns of a row; adds it when it is not there. */
static size_t member_of(size_t *members, size_t *count, size_t column)
{
    for (size_t i = 0; i < *count; i++) {
        if (members[i] == column)
            return i;
    }
    members[*count] = column;
    return (*count)++;
}

static int plan_merge(struct plan *p, const struct json_object *body, const struct cursor *from, struct err *e)
{
    const struct query *q = p->q;
    size_t members[TABLE_MAX_COLUMNS + QUERY_MAX_PART_ORDER];
    p->kind = PLAN_MERGE;
    for (size_t i = 0; i < q->output_count; i++)
        members[p->width++] = q->outputs[i].index;
    for (size_t i = 0; i < q->order_count; i++)
        p->order_members[i] = member_of(members, &p->width, q->order[i].term.index);
    open_body(p, body);
    for (size_t i = 0; i < p->width; i++) {
        buf_append_text(&p->body, i == 0 ? ",\"columns\":[" : ",");
        json_write_text(&p->body, column_name(p, members[i]));
    }
    buf_append_char(&p->body, ']');
    if (q->distinct)
        buf_append_text(&p->body, ",\"distinct\":true");
    for (size_t i = 0; i < q->order_count; i++)
        append_order(p, i, column_name(p, q->order[i].term.index), q->order[i].descending);
    if (q->order_count > 0)
        buf_append_char(&p->body, ']');
    if (from != NULL && from->values.len > 0) {
        buf_printf(&p->body, ",\"after\":{\"shard\":%zu,\"values\":", from->shard);
        buf_append(&p->body, from->values.data, from->values.len);
        buf_append_text(&p->body, from->repeats > 0 ? ",\"again\":true}" : "}");
    }
    return close_body(p, true, e);
}

/* May each shard send its first groups only? Then the order has to be the same total order of groups on every shard: by
 * group columns alone, none of which has several spellings for one group. */
static bool can_cut_groups(const struct plan *p)
{
    const struct query *q = p->q;
    if (q->limit == QUERY_NO_LIMIT || q->having != NULL || q->group_count == 0)
        return false;
    for (size_t i = 0; i < q->order_count; i++) {
        if (q->order[i].term.aggregate)
            return false;
    }
    for (size_t i = 0; i < q->aggregate_count; i++) {
        if (q->aggregates[i].op == QUERY_COUNT_DISTINCT)
            return false;
    }
    for (size_t i = 0; i < q->group_count; i++) {
        const struct table_column *c = &p->table->columns[q->groups[i]];
        if (sqltype_is_string(&c->type) && plan_collation(p, q->groups[i]) == COLLATION_CI)
            return false;
    }
    return true;
}

/* The order of order_by, then by the groups that it leaves out. */
static void append_group_order(struct plan *p)
{
    const struct query *q = p->q;
    size_t n = 0;
    for (; n < q->order_count; n++)
        append_order(p, n, column_name(p, q->order[n].term.index), q->order[n].descending);
    for (size_t i = 0; i < q->group_count; i++) {
        bool there = false;
        for (size_t k = 0; k < q->order_count; k++)
            there = there || q->order[k].term.index == q->groups[i];
        if (!there)
            append_order(p, n++, column_name(p, q->groups[i]), false);
    }
    buf_append_char(&p->body, ']');
}

static void append_part(struct plan *p, size_t *count, const char *op, size_t column, const char *prefix)
{
    buf_printf(&p->body, "%s{\"op\":\"%s\"", *count == 0 ? ",\"aggregates\":[" : ",", op);
    if (column != QUERY_ALL_ROWS) {
        buf_append_text(&p->body, ",\"column\":");
        json_write_text(&p->body, column_name(p, column));
    }
    buf_printf(&p->body, ",\"as\":\"%s%zu\"}", prefix, *count);
    ++*count;
}

/* The beginning of the parts' names, such that none is a column's. */
static void choose_prefix(const struct plan *p, char prefix[TABLE_MAX_COLUMNS])
{
    size_t len = 1;
    strcpy(prefix, "p");
    for (size_t i = 0; i < p->table->column_count && len + 1 < TABLE_MAX_COLUMNS; i++) {
        if (strncasecmp(p->table->columns[i].name, prefix, len) == 0) {
            prefix[len++] = '_';
            prefix[len] = '\0';
            i = SIZE_MAX; /* from the start */
        }
    }
}

static int plan_reduce(struct plan *p, const struct json_object *body, struct err *e)
{
    const struct query *q = p->q;
    size_t groups[QUERY_MAX_PART_GROUPS];
    size_t parts = 0;
    char prefix[TABLE_MAX_COLUMNS];
    p->kind = PLAN_REDUCE;
    for (size_t i = 0; i < q->group_count; i++)
        groups[p->width++] = q->groups[i];
    for (size_t i = 0; i < q->aggregate_count; i++) {
        if (q->aggregates[i].op == QUERY_COUNT_DISTINCT)
            p->part_members[i] = member_of(groups, &p->width, q->aggregates[i].column);
    }
    size_t group_width = p->width;
    open_body(p, body);
    for (size_t i = 0; i < group_width; i++) {
        buf_append_text(&p->body, i == 0 ? ",\"group_by\":[" : ",");
        json_write_text(&p->body, column_name(p, groups[i]));
    }
    if (group_width > 0)
        buf_append_char(&p->body, ']');
    choose_prefix(p, prefix);
    for (size_t i = 0; i < q->aggregate_count; i++) {
        const struct query_aggregate *a = &q->aggregates[i];
        if (a->op == QUERY_COUNT_DISTINCT)
            continue;
        p->part_members[i] = group_width + parts;
        append_part(p, &parts, a->op == QUERY_AVG ? "sum" : query_op_name(a->op), a->column, prefix);
        if (a->op == QUERY_AVG)
            append_part(p, &parts, "count", a->column, prefix);
    }
    if (parts > 0)
        buf_append_char(&p->body, ']');
    p->width += parts;
    p->cut_by_shards = can_cut_groups(p);
    if (p->cut_by_shards)
        append_group_order(p);
    return close_body(p, p->cut_by_shards, e);
}

/* The order of a table without a key: rows that are still alike behind it are counted. */
static const char *order_by_all(struct query *q, const struct table *t)
{
    if (q->order_count == 0)
        return "the table has no primary key, nor a unique index on columns that are NOT NULL; order_by has to say in which order its pages are";
    for (size_t i = 0; i < t->column_count; i++) {
        const struct table_column *c = &t->columns[i];
        if (!c->known_type || c->type.kind == SQLTYPE_TEXT)
            return "the table has no primary key, nor a unique index on columns that are NOT NULL, and its rows cannot be ordered by all columns";
        if (!query_add_order(q, i))
            return "the table has no primary key, nor a unique index on columns that are NOT NULL, and too many columns to order by all";
    }
    return NULL;
}

/* Why no order tells all rows of a query apart, or NULL once its order does. */
static const char *order_totally(struct query *q, const struct table *t)
{
    bool fits = true;
    if (q->grouped)
        return "not with aggregates or group_by";
    if (!q->distinct && t->key_count == 0)
        return order_by_all(q, t);
    for (size_t i = 0; !q->distinct && i < t->key_count; i++)
        fits = fits && query_add_order(q, t->key[i]);
    for (size_t i = 0; q->distinct && i < q->output_count; i++) {
        const struct table_column *c = &t->columns[q->outputs[i].index];
        if (sqltype_is_string(&c->type) && !c->binary)
            return "not with distinct on strings without a binary collation: which of several spellings is shown may change from page to page";
        fits = fits && query_add_order(q, q->outputs[i].index);
    }
    return fits ? NULL : "too many columns to order by";
}

int plan_page(struct query *q, const struct table *t, bool *paged, struct err *e)
{
    *paged = false;
    if (q->limit <= 0 && q->after == NULL)
        return 0;
    const size_t own = q->order_count;
    const char *why = order_totally(q, t);
    *paged = why == NULL;
    if (*paged)
        return 0;
    q->order_count = own;
    return q->after != NULL ? err_set(e, ERR_BAD_FIELD, "after: %s", why) : 0;
}

int plan_make(struct plan *p, const struct query *q, const struct table *t, const struct json_object *body,
              const struct cursor *from, struct err *e)
{
    *p = (struct plan){.q = q, .table = t, .columns = plan_columns(t), .paged = from != NULL, .from = from};
    buf_init(&p->body, PLAN_MAX_BODY);
    if (query_is_plain(q)) {
        p->kind = PLAN_PLAIN;
        return 0;
    }
    return q->grouped ? plan_reduce(p, body, e) : plan_merge(p, body, from, e);
}

void plan_clear(struct plan *p)
{
    buf_clear(&p->body);
}

/* What the master does, in words */

static void append_step(struct buf *steps, const char *text)
{
    if (steps->len > 1)
        buf_append_char(steps, ',');
    buf_append_char(steps, '"');
    buf_append_text(steps, text);
    buf_append_char(steps, '"');
}

void plan_write_steps(const struct plan *p, struct buf *out)
{
    const struct query *q = p->q;
    struct buf cut, steps;
    buf_init(&cut, ERR_DETAIL_MAX);
    buf_init(&steps, ERR_DETAIL_MAX * 2);
    buf_append_char(&steps, '[');
    if (p->kind == PLAN_REDUCE) {
        append_step(&steps, q->group_count > 0 ? "join equal groups of the shards and add up their parts"
                                               : "add up the shards' parts to one total");
        if (q->having != NULL)
            append_step(&steps, "keep what having is true for");
        if (q->order_count > 0)
            append_step(&steps, "sort by order_by");
    } else if (q->order_count > 0) {
        append_step(&steps, !p->paged     ? "merge the shards' sorted rows by order_by"
                            : q->distinct ? "merge the shards' sorted rows by order_by, then all columns that are shown"
                            : plan_has_repeats(p) ? "merge the shards' sorted rows by order_by, then all columns, then the shards"
                                                  : "merge the shards' sorted rows by order_by, then the table's key, then the shards");
    } else {
        append_step(&steps, "join the shards' rows, in the order of the shards");
    }
    if (q->after != NULL)
        append_step(&steps, "begin behind the row of the cursor: each shard sends what follows it");
    if (q->distinct)
        append_step(&steps, "leave out rows that were there before");
    if (q->offset > 0)
        buf_printf(&cut, "skip %" PRId64 " rows", q->offset);
    if (q->limit != QUERY_NO_LIMIT)
        buf_printf(&cut, "%s%" PRId64 " rows", q->offset > 0 ? ", then end after " : "end after ", q->limit);
    if (cut.len > 0)
        append_step(&steps, buf_text(&cut));
    if (p->paged && q->limit > 0)
        append_step(&steps, "give a cursor of the last row as next, if another row follows");
    buf_append_char(&steps, ']');
    buf_append(out, steps.data, steps.len);
    buf_clear(&cut);
    buf_clear(&steps);
}
