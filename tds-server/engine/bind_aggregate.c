/* Aggregates and window functions. */
#include "tds-server/engine/binder.h"

#include <string.h>

static int bind_over(struct binder *b, const struct tsql_window *w, struct bound *out, const char **sql)
{
    struct buf text;
    int result = 0;
    if (b->scope && b->scope->in_aggregate)
        return fault_set(b->fault, 4109);
    if (b->scope)
        b->scope->windowed = true;
    buf_init(&text, BINDER_MAX_SQL);
    buf_append_text(&text, " OVER (");
    const char *between = "PARTITION BY ";
    for (const struct tsql_expr *e = w->partition_by; e && result == 0; e = e->next) {
        struct bound part = {0};
        result = bind_expr(b, e, &part);
        if (result == 0) {
            bind_merge(out, &part);
            buf_printf(&text, "%s%s%s", between, part.sql, bind_collate(&part));
        }
        between = ", ";
    }
    between = w->partition_by ? " ORDER BY " : "ORDER BY ";
    for (const struct tsql_order *o = w->order_by; o && result == 0; o = o->next) {
        struct bound part = {0};
        result = bind_expr(b, o->value, &part);
        if (result == 0) {
            bind_merge(out, &part);
            /* A literal here (SELECT NULL, 1) orders nothing. */
            buf_printf(&text, "%s%s%s%s", between, part.constant ? "NULL" : part.sql, bind_collate(&part), o->descending ? " DESC" : "");
        }
        between = ", ";
    }
    if (w->has_frame && result == 0) {
        const struct tsql_bound *bounds[] = {&w->start, &w->end};
        buf_printf(&text, " %s BETWEEN ", w->range ? "RANGE" : "ROWS");
        for (size_t i = 0; i < 2 && result == 0; i++) {
            static const char *const words[] = {[TSQL_UNBOUNDED_PRECEDING] = "UNBOUNDED PRECEDING", [TSQL_PRECEDING] = "PRECEDING",
                                                [TSQL_CURRENT_ROW] = "CURRENT ROW", [TSQL_FOLLOWING] = "FOLLOWING",
                                                [TSQL_UNBOUNDED_FOLLOWING] = "UNBOUNDED FOLLOWING"};
            struct bound offset = {.sql = ""};
            if (bounds[i]->offset)
                result = bind_expr(b, bounds[i]->offset, &offset);
            buf_printf(&text, "%s%s%s%s", i == 0 ? "" : " AND ", offset.sql ? offset.sql : "", bounds[i]->offset ? " " : "",
                       words[bounds[i]->kind]);
        }
    }
    buf_append_char(&text, ')');
    *sql = binder_take(b, &text);
    return result;
}

static const char *sum_function(const struct sqltype *t)
{
    switch (typing_class(t->kind)) {
    case TYPE_DECIMAL:
        return t->kind == SQLTYPE_MONEY ? "sg_sum_money" : "sg_sum_decimal";
    case TYPE_FLOAT:
        return "sg_sum_float";
    default:
        return t->kind == SQLTYPE_BIGINT ? "sg_sum_bigint" : "sg_sum_int";
    }
}

enum aggregate_kind {
    AGGREGATE_COUNT,
    AGGREGATE_COUNT_BIG,
    AGGREGATE_SUM,
    AGGREGATE_AVG,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_VAR,
    AGGREGATE_VARP,
    AGGREGATE_STDEV,
    AGGREGATE_STDEVP
};

/* VAR and its like compute with floats. */
static int write_spread(struct binder *b, const char *function, const struct tsql_call *call, const struct bound *arg, const char *over,
                        struct bound *out)
{
    struct bound number = *arg;
    out->type = typing_make(SQLTYPE_FLOAT);
    enum type_class class = typing_class(arg->type.kind);
    if (!arg->null && (class > TYPE_FLOAT || class == TYPE_BIT))
        return fault_set(b->fault, 8117, typing_name(arg->type.kind), function);
    if (bind_convert(b, &number, &out->type) < 0)
        return -1;
    out->sql = binder_sql(b, "sg_%s(%s%s)%s", function, call->distinct ? "DISTINCT " : "", number.sql, over);
    return 0;
}

static int write_aggregate(struct binder *b, enum aggregate_kind kind, const struct tsql_call *call, const struct bound *arg,
                           const char *over, struct bound *out)
{
    const char *distinct = call->distinct ? "DISTINCT " : "";
    out->nullable = true;
    switch (kind) {
    case AGGREGATE_COUNT:
    case AGGREGATE_COUNT_BIG:
        out->type = typing_make(kind == AGGREGATE_COUNT ? SQLTYPE_INT : SQLTYPE_BIGINT);
        out->nullable = false;
        out->sql = call->star ? binder_sql(b, "count(*)%s", over)
                              : binder_sql(b, "count(%s%s%s)%s", distinct, arg->sql, bind_collate(arg), over);
        return 0;
    case AGGREGATE_SUM:
        if (typing_sum("sum", &arg->type, &out->type, b->fault) < 0)
            return -1;
        out->sql = binder_sql(b, "%s(%s%s)%s", sum_function(&arg->type), distinct, arg->sql, over);
        return 0;
    case AGGREGATE_AVG: {
        struct sqltype sum;
        if (typing_sum("avg", &arg->type, &out->type, b->fault) < 0 || typing_sum("sum", &arg->type, &sum, b->fault) < 0)
            return -1;
        out->sql = binder_sql(b, "sg_average(%s(%s%s)%s,count(%s%s)%s,%lld,%lld)", sum_function(&arg->type), distinct, arg->sql, over,
                              distinct, arg->sql, over, (long long)typing_pack(&sum), (long long)typing_pack(&out->type));
        return 0;
    }
    case AGGREGATE_VAR:
        return write_spread(b, "var", call, arg, over, out);
    case AGGREGATE_VARP:
        return write_spread(b, "varp", call, arg, over, out);
    case AGGREGATE_STDEV:
        return write_spread(b, "stdev", call, arg, over, out);
    case AGGREGATE_STDEVP:
        return write_spread(b, "stdevp", call, arg, over, out);
    default:
        if (arg->type.kind == SQLTYPE_BIT || arg->type.kind == SQLTYPE_TEXT)
            return fault_set(b->fault, 8117, typing_name(arg->type.kind), kind == AGGREGATE_MIN ? "min" : "max");
        out->type = arg->type;
        out->collation = arg->collation;
        out->label = arg->label;
        out->sql = binder_sql(b, "%s(%s%s)%s", kind == AGGREGATE_MIN ? "min" : "max", arg->sql, bind_collate(arg), over);
        return 0;
    }
}

/* May an aggregate without OVER stand here? */
static int check_aggregate_place(struct binder *b)
{
    if (!b->scope || !b->scope->aggregates_allowed)
        return fault_set(b->fault, 147);
    return b->scope->in_aggregate ? fault_set(b->fault, 130) : 0;
}

/* An aggregate's argument: a value of each row. */
static int bind_argument(struct binder *b, const struct tsql_expr *e, struct bound *out, struct bound *arg)
{
    struct scope *scope = b->scope;
    bool outer = scope->in_aggregate;
    scope->in_aggregate = true;
    int result = bind_expr(b, e, arg);
    scope->in_aggregate = outer;
    if (result < 0)
        return -1;
    out->aggregate = true;
    out->has_column |= arg->has_column;
    return arg->has_subquery ? fault_set(b->fault, 130) : 0;
}

static int bind_aggregate(struct binder *b, const struct tsql_expr *e, enum aggregate_kind kind, struct bound *out)
{
    const struct tsql_call *call = e->call;
    struct bound arg = {.sql = "1", .type = {.kind = SQLTYPE_INT}};
    const char *over = "";
    struct scope *scope = b->scope;
    if (!call->star && call->arg_count != 1)
        return fault_set(b->fault, 174, call->name.data, 1);
    if (call->over) {
        if (!scope || !scope->windows_allowed)
            return fault_set(b->fault, 4108);
        if (call->distinct)
            return binder_unsupported(b, "DISTINCT with OVER");
        if (bind_over(b, call->over, out, &over) < 0)
            return -1;
    } else if (check_aggregate_place(b) < 0) {
        return -1;
    }
    if (call->over && !call->star) {
        if (bind_expr(b, call->args, &arg) < 0)
            return -1;
    } else if (!call->star && bind_argument(b, call->args, out, &arg) < 0) {
        return -1;
    }
    if (call->over)
        bind_merge(out, &arg);
    else
        out->aggregate = true;
    out->has_column |= arg.has_column;
    return write_aggregate(b, kind, call, &arg, over, out);
}

/* STRING_AGG(text, separator) [WITHIN GROUP (ORDER BY …)] */
static int bind_string_agg(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    const struct tsql_call *call = e->call;
    struct bound arg = {0}, separator = {0};
    if (call->arg_count != 2)
        return fault_set(b->fault, 174, "string_agg", 2);
    if (call->over)
        return fault_set(b->fault, 4113, "STRING_AGG");
    if (call->distinct)
        return fault_set(b->fault, 102, "DISTINCT");
    if (check_aggregate_place(b) < 0 || bind_argument(b, call->args, out, &arg) < 0 || bind_expr(b, call->args->next, &separator) < 0)
        return -1;
    enum tsql_expr_kind kind = call->args->next->kind;
    if ((kind != TSQL_LITERAL && kind != TSQL_VARIABLE) || typing_class(separator.type.kind) != TYPE_STRING)
        return fault_set(b->fault, 8733);
    struct sqltype type = typing_string(SQLTYPE_NVARCHAR, 4000);
    if (typing_class(arg.type.kind) != TYPE_STRING && bind_convert(b, &arg, &type) < 0)
        return -1;
    bool unicode = sqltype_is_unicode(&arg.type) || sqltype_is_unicode(&separator.type), max = arg.type.length == SQLTYPE_MAX;
    out->type = typing_string(unicode ? SQLTYPE_NVARCHAR : SQLTYPE_VARCHAR, max ? SQLTYPE_MAX : unicode ? 4000 : 8000);
    out->collation = arg.collation;
    out->label = arg.label;
    out->nullable = true;
    struct buf sql;
    buf_init(&sql, BINDER_MAX_SQL);
    buf_printf(&sql, "sg_join(%s,%s,%d", arg.sql, separator.sql, max ? -1 : 8000);
    size_t keys = 0;
    int result = 0;
    for (const struct tsql_order *o = call->within_group; o && result == 0; o = o->next) {
        struct bound key = {0};
        result = ++keys > FUNCTIONS_MAX_ORDER ? binder_unsupported(b, "so long an ORDER BY in WITHIN GROUP") : bind_argument(b, o->value, out, &key);
        int collation = typing_class(key.type.kind) == TYPE_STRING ? (int)key.collation : -1;
        if (result == 0 && !key.constant)
            buf_printf(&sql, ",%s,%d,%d", key.sql, collation, o->descending);
    }
    buf_append_char(&sql, ')');
    out->sql = binder_take(b, &sql);
    return result;
}

/* ROW_NUMBER and its like: SQLite's own, of type bigint. */
static int bind_ranking(struct binder *b, const struct tsql_expr *e, const char *function, size_t args, struct bound *out)
{
    const struct tsql_call *call = e->call;
    const char *over;
    if (call->arg_count != args)
        return fault_set(b->fault, 174, call->name.data, (int)args);
    if (!call->over || !call->over->order_by)
        return fault_set(b->fault, 4112, call->name.data);
    if (!b->scope || !b->scope->windows_allowed)
        return fault_set(b->fault, 4108);
    struct bound arg = {.sql = ""};
    if (bind_over(b, call->over, out, &over) < 0 || (args > 0 && bind_expr(b, call->args, &arg) < 0))
        return -1;
    out->type = typing_make(strcmp(function, "percent_rank") == 0 || strcmp(function, "cume_dist") == 0 ? SQLTYPE_FLOAT : SQLTYPE_BIGINT);
    out->nullable = false;
    out->sql = binder_sql(b, "%s(%s)%s", function, arg.sql, over);
    return 0;
}

/* LAG, LEAD, FIRST_VALUE, LAST_VALUE: the first argument's type. */
static int bind_offset(struct binder *b, const struct tsql_expr *e, const char *function, size_t most, struct bound *out)
{
    const struct tsql_call *call = e->call;
    const char *over;
    if (call->arg_count < 1 || call->arg_count > most)
        return fault_set(b->fault, 189, call->name.data, 1, (int)most);
    if (!call->over || !call->over->order_by)
        return fault_set(b->fault, 4112, call->name.data);
    if (!b->scope || !b->scope->windows_allowed)
        return fault_set(b->fault, 4108);
    struct bound args[3] = {{0}};
    struct buf sql;
    if (bind_over(b, call->over, out, &over) < 0)
        return -1;
    size_t n = 0;
    for (const struct tsql_expr *arg = call->args; arg; arg = arg->next, n++) {
        if (bind_expr(b, arg, &args[n]) < 0)
            return -1;
        bind_merge(out, &args[n]);
    }
    if (n == 3 && bind_convert(b, &args[2], &args[0].type) < 0)
        return -1;
    buf_init(&sql, BINDER_MAX_SQL);
    for (size_t i = 0; i < n; i++)
        buf_printf(&sql, "%s%s", i > 0 ? "," : "", args[i].sql);
    out->type = args[0].type;
    out->collation = args[0].collation;
    out->label = args[0].label;
    out->nullable = true;
    out->sql = binder_sql(b, "%s(%s)%s", function, binder_take(b, &sql), over);
    return 0;
}

/* ---- the tables ---- */

static const struct {
    const char *name;
    enum aggregate_kind kind;
} aggregates[] = {
    {"count", AGGREGATE_COUNT}, {"count_big", AGGREGATE_COUNT_BIG}, {"sum", AGGREGATE_SUM},
    {"avg", AGGREGATE_AVG},     {"min", AGGREGATE_MIN},             {"max", AGGREGATE_MAX},
    {"var", AGGREGATE_VAR},     {"varp", AGGREGATE_VARP},           {"stdev", AGGREGATE_STDEV},
    {"stdevp", AGGREGATE_STDEVP},
};

static const struct {
    const char *name;
    size_t args;
} rankings[] = {{"row_number", 0}, {"rank", 0}, {"dense_rank", 0}, {"ntile", 1}, {"percent_rank", 0}, {"cume_dist", 0}};

static const struct {
    const char *name;
    size_t most;
} offsets[] = {{"lag", 3}, {"lead", 3}, {"first_value", 1}, {"last_value", 1}};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

bool bind_aggregate_call(struct binder *b, const struct tsql_expr *e, struct bound *out, int *result)
{
    const struct tsql_call *call = e->call;
    for (size_t i = 0; i < COUNT(aggregates); i++) {
        if (text_is(call->name, aggregates[i].name)) {
            *result = bind_aggregate(b, e, aggregates[i].kind, out);
            return true;
        }
    }
    for (size_t i = 0; i < COUNT(rankings); i++) {
        if (text_is(call->name, rankings[i].name)) {
            *result = bind_ranking(b, e, rankings[i].name, rankings[i].args, out);
            return true;
        }
    }
    for (size_t i = 0; i < COUNT(offsets); i++) {
        if (text_is(call->name, offsets[i].name)) {
            *result = bind_offset(b, e, offsets[i].name, offsets[i].most, out);
            return true;
        }
    }
    if (!text_is(call->name, "string_agg"))
        return false;
    *result = bind_string_agg(b, e, out);
    return true;
}
