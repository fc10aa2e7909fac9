#include "common/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The types that an operation takes, and the type of its result. */

static bool takes_any(const struct sqltype *t)
{
    return t == NULL || t->kind != SQLTYPE_TEXT;
}

static bool takes_sortable(const struct sqltype *t)
{
    return t != NULL && t->kind != SQLTYPE_TEXT;
}

static bool takes_number(const struct sqltype *t)
{
    return t != NULL && (sqltype_is_integer(t) || sqltype_is_decimal(t) || sqltype_is_float(t));
}

static bool takes_extreme(const struct sqltype *t)
{
    return takes_sortable(t) && t->kind != SQLTYPE_BIT;
}

static const struct operation {
    const char *name;
    bool (*takes)(const struct sqltype *t);
    bool needs_column;
} operations[] = {
    [QUERY_COUNT] = {"count", takes_any, false},
    [QUERY_COUNT_DISTINCT] = {"count_distinct", takes_sortable, true},
    [QUERY_SUM] = {"sum", takes_number, true},
    [QUERY_AVG] = {"avg", takes_number, true},
    [QUERY_MIN] = {"min", takes_extreme, true},
    [QUERY_MAX] = {"max", takes_extreme, true},
};

#define OPERATIONS (sizeof operations / sizeof operations[0])

const char *query_op_name(enum query_op op)
{
    return operations[op].name;
}

static struct sqltype decimal_type(int scale)
{
    return (struct sqltype){.kind = SQLTYPE_DECIMAL, .precision = SQLTYPE_MAX_PRECISION, .scale = scale};
}

/* T-SQL's result types; the parts of a sum are exact whatever their column's type. */
static struct sqltype result_type(enum query_op op, const struct sqltype *t, bool partial)
{
    if (op == QUERY_MIN || op == QUERY_MAX)
        return *t;
    if (op == QUERY_COUNT || op == QUERY_COUNT_DISTINCT)
        return (struct sqltype){.kind = SQLTYPE_BIGINT};
    if (sqltype_is_float(t))
        return (struct sqltype){.kind = SQLTYPE_FLOAT};
    if (sqltype_is_integer(t))
        return partial ? decimal_type(0)
                       : (struct sqltype){.kind = t->kind == SQLTYPE_BIGINT ? SQLTYPE_BIGINT : SQLTYPE_INT};
    if (t->kind == SQLTYPE_MONEY)
        return partial ? decimal_type(t->scale) : *t;
    return decimal_type(op == QUERY_AVG && t->scale < 6 ? 6 : t->scale);
}

/* Reading the body */

static int read_flag(const struct json_object *body, const char *name, bool *out, struct err *e)
{
    return json_get_bool(body, name, false, out, e);
}

static int read_row_count(const struct json_object *body, const char *name, int64_t fallback, int64_t *out, struct err *e)
{
    struct json_object *v = NULL;
    size_t len = 0;
    *out = fallback;
    if (!json_member(body, name, &v) || json_kind(v) == JSON_NULL)
        return 0;
    if (json_kind(v) != JSON_NUMBER)
        return err_set(e, ERR_BAD_FIELD, "%s: must be a number, not %s", name, json_kind_name(json_kind(v)));
    const char *text = json_number(v, &len);
    int64_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return err_set(e, ERR_BAD_FIELD, "%s: must be a whole number, and not negative", name);
        n = n * 10 + (text[i] - '0');
        if (n > QUERY_MAX_ROWS)
            return err_set(e, ERR_BAD_FIELD, "%s: more than %lld", name, (long long)QUERY_MAX_ROWS);
    }
    *out = n;
    return 0;
}

/* An array of at most `max` elements; an empty one counts as absent. */
static int read_list(const struct json_object *body, const char *name, size_t max, struct json_object **out, struct err *e)
{
    if (json_get_array(body, name, false, out, e) != 0)
        return -1;
    if (*out == NULL)
        return 0;
    if (json_array_length(*out) > max)
        return err_set(e, ERR_BAD_FIELD, "%s: more than %zu elements", name, max);
    if (json_array_length(*out) == 0)
        *out = NULL;
    return 0;
}

/* A client's cursor is a string; a partial query has what the cursor says. */
static int read_after(const struct json_object *body, struct query *q, struct err *e)
{
    static const char *const members[] = {"shard", "values", "again", NULL};
    struct json_object *after = NULL;
    if (!q->partial)
        return json_get_string(body, "after", false, &q->after, &q->after_len, e);
    if (json_get_object(body, "after", false, &after, e) != 0)
        return -1;
    if (after == NULL)
        return 0;
    if (json_check_members(after, members, e) != 0 || read_row_count(after, "shard", 0, &q->after_shard, e) != 0 ||
        json_get_array(after, "values", true, &q->after_values, e) != 0 || read_flag(after, "again", &q->after_again, e) != 0)
        return err_prefix(e, "after");
    return 0;
}

static int check_names(const struct json_object *list, const char *field, struct err *e)
{
    for (size_t i = 0; list != NULL && i < json_array_length(list); i++) {
        char element[32];
        const char *name = NULL;
        size_t len = 0;
        snprintf(element, sizeof element, "%s[%zu]", field, i);
        if (json_read_name(json_array_at(list, i), element, &name, &len, e) != 0)
            return -1;
    }
    return 0;
}

static int read_predicate(const struct json_object *body, const char *name, struct predicate **out, struct err *e)
{
    const char *text = NULL;
    size_t len = 0;
    if (json_get_string(body, name, false, &text, &len, e) != 0)
        return -1;
    return text == NULL ? 0 : predicate_parse(text, len, out, e);
}

static int read_predicates(const struct json_object *body, struct query *q, struct err *e)
{
    struct json_object *params = NULL;
    if (json_get_object(body, "params", false, &params, e) != 0 ||
        read_predicate(body, "condition", &q->condition, e) != 0)
        return -1;
    if (read_predicate(body, "having", &q->having, e) != 0)
        return err_prefix(e, "having");
    struct predicate *const both[] = {q->condition, q->having};
    return predicate_bind_all(both, 2, params, e);
}

int query_read(const struct json_object *body, struct query *q, struct err *e)
{
    *q = (struct query){.limit = QUERY_NO_LIMIT};
    if (json_get_array(body, "columns", false, &q->columns_json, e) != 0)
        return -1;
    if (q->columns_json != NULL && json_array_length(q->columns_json) == 0)
        return err_set(e, ERR_BAD_FIELD, "columns: must name at least one");
    if (read_flag(body, "partial", &q->partial, e) != 0)
        return -1;
    size_t max_order = q->partial ? QUERY_MAX_PART_ORDER : QUERY_MAX_ORDER;
    size_t max_groups = q->partial ? QUERY_MAX_PART_GROUPS : QUERY_MAX_GROUP;
    size_t max_aggregates = q->partial ? QUERY_MAX_PARTS : QUERY_MAX_AGGREGATES;
    if (check_names(q->columns_json, "columns", e) != 0 ||
        read_list(body, "order_by", max_order, &q->order_json, e) != 0 ||
        read_list(body, "group_by", max_groups, &q->groups_json, e) != 0 ||
        read_list(body, "aggregates", max_aggregates, &q->aggregates_json, e) != 0 ||
        check_names(q->groups_json, "group_by", e) != 0 ||
        read_row_count(body, "limit", QUERY_NO_LIMIT, &q->limit, e) != 0 ||
        read_row_count(body, "offset", 0, &q->offset, e) != 0 || read_after(body, q, e) != 0 ||
        read_flag(body, "distinct", &q->distinct, e) != 0 ||
        read_flag(body, "allow_partial", &q->allow_partial, e) != 0)
        return -1;
    q->grouped = q->groups_json != NULL || q->aggregates_json != NULL;
    if (q->grouped && q->distinct)
        return err_set(e, ERR_BAD_FIELD, "distinct: not with aggregates or group_by");
    bool after = q->after != NULL || q->after_values != NULL;
    if (after && q->grouped)
        return err_set(e, ERR_BAD_FIELD, "after: not with aggregates or group_by");
    if (after && q->offset > 0)
        return err_set(e, ERR_BAD_FIELD, "offset: not with after, which is where the page begins");
    if (read_predicates(body, q, e) != 0)
        return -1;
    if (q->having != NULL && !q->grouped)
        return err_set(e, ERR_BAD_FIELD, "having: needs aggregates or group_by");
    return 0;
}

static void clear_resolved(struct query *q)
{
    free(q->outputs);
    free(q->aggregates);
    q->outputs = NULL;
    q->aggregates = NULL;
    q->output_count = q->group_count = q->aggregate_count = q->order_count = 0;
}

void query_clear(struct query *q)
{
    clear_resolved(q);
    predicate_free(q->condition);
    predicate_free(q->having);
    q->condition = NULL;
    q->having = NULL;
}

bool query_is_plain(const struct query *q)
{
    return !q->grouped && !q->distinct && q->limit == QUERY_NO_LIMIT && q->offset == 0 && q->order_json == NULL &&
           q->after == NULL;
}

/* Finding names */

/* What query_resolve works on. */
struct resolver {
    struct query *q;
    const struct query_table *t;
    struct err *e;
};

static bool same_name(const char *a, const char *b, size_t b_len)
{
    return strlen(a) == b_len && strncasecmp(a, b, b_len) == 0;
}

/* Spelled so, else without regard to the case of ASCII letters. */
static bool find_column(const struct query_table *t, const char *name, size_t len, size_t *out)
{
    bool found = false;
    for (size_t i = 0; i < t->count; i++) {
        const char *own = t->column(t->table, i).name;
        if (!same_name(own, name, len))
            continue;
        if (!found || memcmp(own, name, len) == 0)
            *out = i;
        found = true;
    }
    return found;
}

/* Fails with the name quoted: "order_by[1]: …". */
static int fail_name(struct resolver *r, enum err_code code, const char *field, size_t i, const char *what,
                     const char *name, size_t len)
{
    struct buf quoted;
    buf_init(&quoted, ERR_DETAIL_MAX);
    err_quote(&quoted, name, len);
    err_set(r->e, code, "%s[%zu]: %s %s", field, i, what, buf_text(&quoted));
    buf_clear(&quoted);
    return -1;
}

static int need_column(struct resolver *r, const char *field, size_t i, const char *name, size_t len, size_t *out)
{
    return find_column(r->t, name, len, out) ? 0 : fail_name(r, ERR_UNKNOWN_COLUMN, field, i, "the table has no column", name, len);
}

static int need_type(struct resolver *r, const char *field, size_t i, size_t column, bool (*takes)(const struct sqltype *),
                     const char *what)
{
    struct query_column c = r->t->column(r->t->table, column);
    if (takes(c.type))
        return 0;
    return err_set(r->e, ERR_BAD_FIELD, "%s[%zu]: column '%s' of type %s cannot be %s", field, i, c.name,
                   c.type != NULL ? sqltype_name(c.type->kind) : "unknown", what);
}

static int resolve_groups(struct resolver *r)
{
    struct query *q = r->q;
    for (size_t i = 0; q->groups_json != NULL && i < json_array_length(q->groups_json); i++) {
        size_t len = 0, column = 0;
        const char *name = json_string(json_array_at(q->groups_json, i), &len);
        if (need_column(r, "group_by", i, name, len, &column) != 0 ||
            need_type(r, "group_by", i, column, takes_sortable, "grouped by") != 0)
            return -1;
        for (size_t k = 0; k < q->group_count; k++) {
            if (q->groups[k] == column)
                return fail_name(r, ERR_BAD_FIELD, "group_by", i, "named twice:", name, len);
        }
        q->groups[q->group_count++] = column;
    }
    return 0;
}

/* The name that an aggregate's `as` gives it, or the default one. */
static int name_aggregate(struct resolver *r, size_t i, const struct json_object *item, struct query_aggregate *a)
{
    const char *as = NULL;
    size_t len = 0;
    if (json_get_name(item, "as", false, &as, &len, r->e) != 0)
        return err_prefix(r->e, "aggregates[%zu]", i);
    if (as == NULL) {
        const char *op = operations[a->op].name;
        if (a->column == QUERY_ALL_ROWS)
            snprintf(a->name, sizeof a->name, "%s", op);
        else if (snprintf(a->name, sizeof a->name, "%s_%s", op, r->t->column(r->t->table, a->column).name) >= (int)sizeof a->name)
            return err_set(r->e, ERR_BAD_FIELD, "aggregates[%zu]: its name would be too long; give it one with as", i);
        return 0;
    }
    bool bad = len == 0 || len > QUERY_MAX_NAME;
    for (size_t k = 0; k < len && !bad; k++)
        bad = (unsigned char)as[k] < ' ';
    if (bad)
        return err_set(r->e, ERR_BAD_FIELD, "aggregates[%zu].as: must be 1 to %d bytes without control characters", i, QUERY_MAX_NAME);
    memcpy(a->name, as, len);
    a->name[len] = '\0';
    return 0;
}

static int read_op(struct resolver *r, size_t i, const struct json_object *item, enum query_op *out)
{
    const char *text = NULL;
    size_t len = 0;
    if (json_get_string(item, "op", true, &text, &len, r->e) != 0)
        return err_prefix(r->e, "aggregates[%zu]", i);
    for (size_t op = 0; op < OPERATIONS; op++) {
        if (strlen(operations[op].name) == len && memcmp(operations[op].name, text, len) == 0) {
            *out = (enum query_op)op;
            return 0;
        }
    }
    return fail_name(r, ERR_BAD_FIELD, "aggregates", i, "op must be count, count_distinct, sum, avg, min or max, not", text, len);
}

static int check_aggregate_name(struct resolver *r, size_t i, const struct query_aggregate *a)
{
    const struct query *q = r->q;
    struct query_term other;
    if (query_find_result(q, r->t, a->name, strlen(a->name), &other))
        return fail_name(r, ERR_BAD_FIELD, "aggregates", i, "another column of the answer is named", a->name, strlen(a->name));
    return 0;
}

static int resolve_aggregate(struct resolver *r, size_t i, const struct json_object *item)
{
    static const char *const members[] = {"op", "column", "as", NULL};
    struct query_aggregate *a = &r->q->aggregates[i];
    const char *name = NULL;
    size_t len = 0;
    if (json_kind(item) != JSON_OBJECT)
        return err_set(r->e, ERR_BAD_FIELD, "aggregates[%zu]: must be an object, not %s", i, json_kind_name(json_kind(item)));
    if (json_check_members(item, members, r->e) != 0)
        return err_prefix(r->e, "aggregates[%zu]", i);
    if (read_op(r, i, item, &a->op) != 0)
        return -1;
    if (json_get_name(item, "column", false, &name, &len, r->e) != 0)
        return err_prefix(r->e, "aggregates[%zu]", i);
    const struct operation *o = &operations[a->op];
    a->column = QUERY_ALL_ROWS;
    const struct sqltype *type = NULL;
    if (name != NULL) {
        char what[48];
        snprintf(what, sizeof what, "an operand of %s", o->name);
        if (need_column(r, "aggregates", i, name, len, &a->column) != 0 ||
            need_type(r, "aggregates", i, a->column, o->takes, what) != 0)
            return -1;
        type = r->t->column(r->t->table, a->column).type;
    } else if (o->needs_column) {
        return err_set(r->e, ERR_MISSING_FIELD, "aggregates[%zu]: %s needs a column", i, o->name);
    }
    if (r->q->partial && (a->op == QUERY_AVG || a->op == QUERY_COUNT_DISTINCT))
        return err_set(r->e, ERR_BAD_FIELD, "aggregates[%zu]: %s has no parts", i, o->name);
    a->type = result_type(a->op, type, r->q->partial);
    if (name_aggregate(r, i, item, a) != 0 || check_aggregate_name(r, i, a) != 0)
        return -1;
    r->q->aggregate_count++;
    return 0;
}

static int resolve_aggregates(struct resolver *r)
{
    size_t count = r->q->aggregates_json != NULL ? json_array_length(r->q->aggregates_json) : 0;
    if (count == 0)
        return 0;
    r->q->aggregates = calloc(count, sizeof *r->q->aggregates);
    if (r->q->aggregates == NULL)
        return err_set(r->e, ERR_INTERNAL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        if (resolve_aggregate(r, i, json_array_at(r->q->aggregates_json, i)) != 0)
            return -1;
    }
    return 0;
}

static bool is_group(const struct query *q, size_t column)
{
    for (size_t i = 0; i < q->group_count; i++) {
        if (q->groups[i] == column)
            return true;
    }
    return false;
}

static int add_output(struct resolver *r, struct query_term term, size_t i)
{
    struct query *q = r->q;
    for (size_t k = 0; k < q->output_count; k++) {
        if (q->outputs[k].aggregate == term.aggregate && q->outputs[k].index == term.index)
            return err_set(r->e, ERR_BAD_FIELD, "columns[%zu]: '%s' is named twice", i, r->t->column(r->t->table, term.index).name);
    }
    q->outputs[q->output_count++] = term;
    return 0;
}

/* `columns`, else the group columns, else (of a query without groups) the table's; then the aggregates. */
static int resolve_outputs(struct resolver *r)
{
    struct query *q = r->q;
    size_t named = q->columns_json != NULL ? json_array_length(q->columns_json) : 0;
    if (named > r->t->count)
        return err_set(r->e, ERR_BAD_FIELD, "columns: %zu names, but the table has %zu columns", named, r->t->count);
    q->outputs = calloc(r->t->count + q->aggregate_count + 1, sizeof *q->outputs);
    if (q->outputs == NULL)
        return err_set(r->e, ERR_INTERNAL, "out of memory");
    for (size_t i = 0; i < named; i++) {
        size_t len = 0, column = 0;
        const char *name = json_string(json_array_at(q->columns_json, i), &len);
        if (need_column(r, "columns", i, name, len, &column) != 0)
            return -1;
        if (q->grouped && !is_group(q, column))
            return fail_name(r, ERR_BAD_FIELD, "columns", i, "group_by does not have", name, len);
        if (q->distinct && need_type(r, "columns", i, column, takes_sortable, "compared for distinct") != 0)
            return -1;
        if (add_output(r, (struct query_term){.index = column}, i) != 0)
            return -1;
    }
    for (size_t i = 0; named == 0 && i < (q->grouped ? q->group_count : r->t->count); i++) {
        size_t column = q->grouped ? q->groups[i] : i;
        if (q->distinct && need_type(r, "columns", i, column, takes_sortable, "compared for distinct") != 0)
            return -1;
        q->outputs[q->output_count++] = (struct query_term){.index = column};
    }
    for (size_t i = 0; i < q->aggregate_count; i++)
        q->outputs[q->output_count++] = (struct query_term){.aggregate = true, .index = i};
    return 0;
}

bool query_find_result(const struct query *q, const struct query_table *t, const char *name, size_t len,
                       struct query_term *out)
{
    for (size_t i = 0; i < q->aggregate_count; i++) {
        if (same_name(q->aggregates[i].name, name, len)) {
            *out = (struct query_term){.aggregate = true, .index = i};
            return true;
        }
    }
    for (size_t i = 0; i < q->group_count; i++) {
        if (same_name(t->column(t->table, q->groups[i]).name, name, len)) {
            *out = (struct query_term){.index = q->groups[i]};
            return true;
        }
    }
    return false;
}

static bool is_output(const struct query *q, struct query_term term)
{
    for (size_t i = 0; i < q->output_count; i++) {
        if (q->outputs[i].aggregate == term.aggregate && q->outputs[i].index == term.index)
            return true;
    }
    return false;
}

static int read_order(struct resolver *r, size_t i, const char **name, size_t *len, bool *descending)
{
    static const char *const members[] = {"column", "dir", NULL};
    const struct json_object *item = json_array_at(r->q->order_json, i);
    const char *dir = NULL;
    size_t dir_len = 0;
    *descending = false;
    if (json_kind(item) == JSON_STRING) {
        char element[32];
        snprintf(element, sizeof element, "order_by[%zu]", i);
        return json_read_name(item, element, name, len, r->e);
    }
    if (json_kind(item) != JSON_OBJECT)
        return err_set(r->e, ERR_BAD_FIELD, "order_by[%zu]: must be a string or an object, not %s", i, json_kind_name(json_kind(item)));
    if (json_check_members(item, members, r->e) != 0 || json_get_name(item, "column", true, name, len, r->e) != 0 ||
        json_get_string(item, "dir", false, &dir, &dir_len, r->e) != 0)
        return err_prefix(r->e, "order_by[%zu]", i);
    if (dir == NULL || (dir_len == 3 && strncasecmp(dir, "asc", 3) == 0))
        return 0;
    *descending = dir_len == 4 && strncasecmp(dir, "desc", 4) == 0;
    return *descending ? 0 : err_set(r->e, ERR_BAD_FIELD, "order_by[%zu].dir: must be asc or desc", i);
}

static int find_order_term(struct resolver *r, size_t i, const char *name, size_t len, struct query_term *out)
{
    const struct query *q = r->q;
    if (q->grouped) {
        if (query_find_result(q, r->t, name, len, out))
            return 0;
        size_t column = 0;
        return find_column(r->t, name, len, &column)
                   ? fail_name(r, ERR_BAD_FIELD, "order_by", i, "neither in group_by nor an aggregate:", name, len)
                   : fail_name(r, ERR_UNKNOWN_COLUMN, "order_by", i, "no column of the table or the answer is named", name, len);
    }
    *out = (struct query_term){.aggregate = false};
    if (need_column(r, "order_by", i, name, len, &out->index) != 0 ||
        need_type(r, "order_by", i, out->index, takes_sortable, "sorted by") != 0)
        return -1;
    if (q->distinct && !is_output(q, *out))
        return fail_name(r, ERR_BAD_FIELD, "order_by", i, "distinct needs it among columns:", name, len);
    return 0;
}

static int resolve_order(struct resolver *r)
{
    struct query *q = r->q;
    for (size_t i = 0; q->order_json != NULL && i < json_array_length(q->order_json); i++) {
        struct query_order *o = &q->order[i];
        const char *name = NULL;
        size_t len = 0;
        if (read_order(r, i, &name, &len, &o->descending) != 0 || find_order_term(r, i, name, len, &o->term) != 0)
            return -1;
        for (size_t k = 0; k < i; k++) {
            if (q->order[k].term.aggregate == o->term.aggregate && q->order[k].term.index == o->term.index)
                return fail_name(r, ERR_BAD_FIELD, "order_by", i, "named twice:", name, len);
        }
        q->order_count++;
    }
    return 0;
}

bool query_add_order(struct query *q, size_t column)
{
    for (size_t i = 0; i < q->order_count; i++) {
        if (!q->order[i].term.aggregate && q->order[i].term.index == column)
            return true;
    }
    if (q->order_count == QUERY_MAX_PART_ORDER)
        return false;
    q->order[q->order_count++] = (struct query_order){.term = {.index = column}};
    return true;
}

static int check_having_name(void *arg, const struct predicate_operand *column)
{
    struct resolver *r = arg;
    struct query_term ignored;
    if (query_find_result(r->q, r->t, column->text, column->len, &ignored))
        return 0;
    struct buf quoted;
    buf_init(&quoted, ERR_DETAIL_MAX);
    err_quote(&quoted, column->text, column->len);
    err_set(r->e, ERR_UNKNOWN_COLUMN, "having: neither a group column nor an aggregate: %s", buf_text(&quoted));
    buf_clear(&quoted);
    return -1;
}

int query_resolve(struct query *q, const struct query_table *t, struct err *e)
{
    struct resolver r = {.q = q, .t = t, .e = e};
    clear_resolved(q);
    if (t->count > QUERY_MAX_COLUMNS)
        return err_set(e, ERR_INTERNAL, "the table has %zu columns", t->count);
    if (resolve_groups(&r) != 0 || resolve_aggregates(&r) != 0 || resolve_outputs(&r) != 0 || resolve_order(&r) != 0)
        return -1;
    if (q->after_values != NULL && json_array_length(q->after_values) != q->order_count)
        return err_set(e, ERR_BAD_FIELD, "after.values: must be as many as the elements of order_by");
    /* The parts' names are the master's; it has checked having against the query's own. */
    return q->having == NULL || q->partial ? 0 : predicate_each_column(q->having, check_having_name, &r);
}

struct query_column query_term_column(const struct query *q, const struct query_table *t, struct query_term term)
{
    if (!term.aggregate)
        return t->column(t->table, term.index);
    return (struct query_column){.name = q->aggregates[term.index].name, .type = &q->aggregates[term.index].type};
}
