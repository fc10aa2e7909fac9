#include "tds-server/engine/binder.h"

#include "common/collate.h"
#include "tds-server/engine/globals.h"
#include "tds-server/functions/scalar.h"

#include <stdio.h>
#include <string.h>

/* ---- what the session knows ---- */

/* Arguments of session functions are known before the statement runs: literals, parameters, and their like. */
static int session_argument(struct binder *b, const struct tsql_expr *e, struct plan_param *out)
{
    struct bound value;
    if (bind_expr(b, e, &value) < 0)
        return -1;
    if (value.constant) {
        *out = (struct plan_param){.kind = PLAN_CONSTANT, .constant = *value.constant, .type = value.type};
        return 0;
    }
    if (value.sql[0] == '?') {
        size_t i = 0;
        for (const char *p = value.sql + 1; *p >= '0' && *p <= '9'; p++)
            i = i * 10 + (size_t)(*p - '0');
        *out = b->query->params[i - 1];
        return 0;
    }
    return binder_unsupported(b, "a function of the server whose argument is no literal or parameter");
}

static int bind_session(struct binder *b, const struct session_function *f, const struct tsql_expr *args, size_t count, struct bound *out)
{
    struct plan_param p = {.kind = PLAN_SESSION, .function = f, .arg_count = count, .type = f->type};
    p.args = arena_alloc(b->arena, (count + 1) * sizeof *p.args);
    if (!p.args)
        return fault_set(b->fault, FAULT_MEMORY);
    size_t i = 0;
    for (const struct tsql_expr *e = args; e; e = e->next, i++) {
        if (session_argument(b, e, &p.args[i]) < 0)
            return -1;
    }
    out->sql = binder_param(b, &p);
    out->type = f->type;
    out->nullable = true;
    return 0;
}

int bind_global(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    const struct session_function *f = globals_find(e->text.data, e->text.len);
    if (!f)
        return fault_set(b->fault, 137, e->text.data);
    return bind_session(b, f, NULL, 0, out);
}

/* ---- aggregates and window functions ---- */

static int bind_over(struct binder *b, const struct tsql_window *w, struct bound *out, const char **sql)
{
    struct buf text;
    int result = 0;
    if (b->scope && b->scope->in_aggregate)
        return fault_set(b->fault, 4109);
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

enum aggregate_kind { AGGREGATE_COUNT, AGGREGATE_COUNT_BIG, AGGREGATE_SUM, AGGREGATE_AVG, AGGREGATE_MIN, AGGREGATE_MAX };

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
        if (typing_sum("sum", &arg->type, &sum, b->fault) < 0 || typing_sum("avg", &arg->type, &out->type, b->fault) < 0)
            return -1;
        out->sql = binder_sql(b, "sg_average(%s(%s%s)%s,count(%s%s)%s,%lld,%lld)", sum_function(&arg->type), distinct, arg->sql, over,
                              distinct, arg->sql, over, (long long)typing_pack(&sum), (long long)typing_pack(&out->type));
        return 0;
    }
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
    } else if (!scope || !scope->aggregates_allowed) {
        return fault_set(b->fault, 147);
    } else if (scope->in_aggregate) {
        return fault_set(b->fault, 130);
    }
    if (!call->star) {
        bool outer = scope->in_aggregate;
        scope->in_aggregate = !call->over;
        int result = bind_expr(b, call->args, &arg);
        scope->in_aggregate = outer;
        if (result < 0)
            return -1;
        if (arg.has_subquery && !call->over)
            return fault_set(b->fault, 130);
    }
    if (call->over)
        bind_merge(out, &arg);
    else
        out->aggregate = true;
    out->has_column |= arg.has_column;
    return write_aggregate(b, kind, call, &arg, over, out);
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

/* ---- functions that T-SQL makes of CASE ---- */

static int bind_isnull(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0}, y = {0};
    if (e->call->arg_count != 2)
        return fault_set(b->fault, 174, "isnull", 2);
    if (bind_expr(b, e->call->args, &x) < 0 || bind_expr(b, e->call->args->next, &y) < 0)
        return -1;
    if (x.null)
        x.type = y.type;
    if (bind_convert(b, &y, &x.type) < 0)
        return -1;
    bind_merge(out, &x);
    bind_merge(out, &y);
    out->type = x.type;
    out->nullable = x.nullable && y.nullable;
    out->sql = binder_sql(b, "ifnull(%s,%s)", x.sql, y.sql);
    /* The second is cut to the first's length. */
    if (typing_class(x.type.kind) == TYPE_STRING && !x.null) {
        struct sqltype whole = typing_string(SQLTYPE_NVARCHAR, SQLTYPE_MAX);
        out->sql = binder_sql(b, "ifnull(%s,sg_convert(%s,%lld,%lld,0))", x.sql, y.sql, (long long)typing_pack(&whole),
                              (long long)typing_pack(&x.type));
    }
    return bind_meet_collation(b, &x, &y, "isnull", out);
}

static int bind_coalesce(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    size_t count = e->call->arg_count, n = 0;
    if (count < 2)
        return fault_set(b->fault, 102, ")");
    struct bound *values = arena_alloc(b->arena, count * sizeof *values);
    if (!values)
        return fault_set(b->fault, FAULT_MEMORY);
    for (const struct tsql_expr *arg = e->call->args; arg; arg = arg->next) {
        if (bind_expr(b, arg, &values[n++]) < 0)
            return -1;
    }
    if (bind_meet(b, values, count, out) < 0)
        return -1;
    struct buf sql;
    buf_init(&sql, BINDER_MAX_SQL);
    out->nullable = true;
    for (size_t i = 0; i < count; i++) {
        bind_merge(out, &values[i]);
        out->nullable &= values[i].nullable;
        buf_printf(&sql, "%s%s", i == 0 ? "coalesce(" : ",", values[i].sql);
    }
    buf_append_char(&sql, ')');
    out->sql = binder_take(b, &sql);
    return 0;
}

/* NULLIF(a, b) is CASE WHEN a = b THEN NULL ELSE a END. */
static int bind_nullif(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    if (e->call->arg_count != 2)
        return fault_set(b->fault, 174, "nullif", 2);
    struct tsql_expr x = *e->call->args, y = *e->call->args->next;
    x.next = NULL;
    struct tsql_expr null = {.kind = TSQL_LITERAL, .line = e->line, .literal = {.kind = TSQL_NULL, .type = {.kind = SQLTYPE_INT}}};
    struct tsql_expr compare = {.kind = TSQL_COMPARE, .op = TSQL_EQ, .line = e->line, .a = &x, .b = &y};
    struct tsql_when when = {.when = &compare, .then = &null};
    struct tsql_expr choice = {.kind = TSQL_CASE, .line = e->line};
    choice.whens = &when;
    choice.otherwise = &x;
    return bind_expr(b, &choice, out);
}

/* ---- scalar functions ---- */

static int bind_scalar(struct binder *b, const struct scalar_function *f, const struct tsql_expr *e, struct bound *out)
{
    const struct tsql_call *call = e->call;
    struct bound args[SCALAR_MAX_ARGS];
    struct sqltype types[SCALAR_MAX_ARGS];
    size_t count = call->arg_count, n = 0;
    if (count < (size_t)f->min_args || count > (size_t)f->max_args || count > SCALAR_MAX_ARGS) {
        if (f->min_args == f->max_args)
            return fault_set(b->fault, 174, f->name, f->min_args);
        return fault_set(b->fault, 189, f->name, f->min_args, f->max_args);
    }
    int part = -1;
    for (const struct tsql_expr *arg = call->args; arg; arg = arg->next, n++) {
        if (bind_expr(b, arg, &args[n]) < 0)
            return -1;
        types[n] = args[n].type;
        if (n == 0 && arg->kind == TSQL_DATEPART)
            part = (int)arg->datepart;
    }
    if (f->type(types, count, part, &out->type, b->fault) < 0)
        return -1;
    struct buf sql;
    buf_init(&sql, BINDER_MAX_SQL);
    out->nullable = true;
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (typing_class(args[i].type.kind) == TYPE_STRING && typing_class(types[i].kind) == TYPE_STRING && out->label < args[i].label) {
            out->collation = args[i].collation;
            out->label = args[i].label;
        }
        if (types[i].kind != args[i].type.kind)
            result = bind_convert(b, &args[i], &types[i]);
        args[i].type = types[i];
        bind_merge(out, &args[i]);
        buf_printf(&sql, ",%s,%lld", args[i].sql, (long long)typing_pack(&types[i]));
    }
    const char *list = binder_take(b, &sql);
    out->sql = binder_sql(b, "fn_%s(%d,%lld%s)", f->name, (int)out->collation, (long long)typing_pack(&out->type), list);
    return result;
}

/* ---- */

static const struct {
    const char *name;
    enum aggregate_kind kind;
} aggregates[] = {
    {"count", AGGREGATE_COUNT}, {"count_big", AGGREGATE_COUNT_BIG}, {"sum", AGGREGATE_SUM},
    {"avg", AGGREGATE_AVG},     {"min", AGGREGATE_MIN},             {"max", AGGREGATE_MAX},
};

static const struct {
    const char *name;
    size_t args;
} rankings[] = {{"row_number", 0}, {"rank", 0}, {"dense_rank", 0}, {"ntile", 1}, {"percent_rank", 0}, {"cume_dist", 0}};

static const struct {
    const char *name;
    size_t most;
} offsets[] = {{"lag", 3}, {"lead", 3}, {"first_value", 1}, {"last_value", 1}};

static const struct {
    const char *name;
    int (*bind)(struct binder *b, const struct tsql_expr *e, struct bound *out);
} specials[] = {{"isnull", bind_isnull}, {"coalesce", bind_coalesce}, {"nullif", bind_nullif}};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

int bind_call(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    const struct tsql_call *call = e->call;
    if (call->schema.len > 0)
        return fault_set(b->fault, 4121, binder_sql(b, "%s.%s", call->schema.data, call->name.data));
    for (size_t i = 0; i < COUNT(aggregates); i++) {
        if (text_is(call->name, aggregates[i].name))
            return bind_aggregate(b, e, aggregates[i].kind, out);
    }
    for (size_t i = 0; i < COUNT(rankings); i++) {
        if (text_is(call->name, rankings[i].name))
            return bind_ranking(b, e, rankings[i].name, rankings[i].args, out);
    }
    for (size_t i = 0; i < COUNT(offsets); i++) {
        if (text_is(call->name, offsets[i].name))
            return bind_offset(b, e, offsets[i].name, offsets[i].most, out);
    }
    for (size_t i = 0; i < COUNT(specials); i++) {
        if (text_is(call->name, specials[i].name))
            return specials[i].bind(b, e, out);
    }
    const struct session_function *session = globals_find(call->name.data, call->name.len);
    if (session) {
        if (call->arg_count < (size_t)session->min_args || call->arg_count > (size_t)session->max_args)
            return fault_set(b->fault, 174, session->name, session->max_args);
        return bind_session(b, session, call->args, call->arg_count, out);
    }
    const struct scalar_function *scalar = scalar_find(call->name.data, call->name.len);
    if (scalar)
        return bind_scalar(b, scalar, e, out);
    return fault_set(b->fault, 195, call->name.data, "built-in function name");
}
