#include "tds-server/engine/binder.h"

#include "common/collate.h"
#include "tds-server/engine/globals.h"
#include "tds-server/functions/scalar.h"

#include <stdio.h>
#include <string.h>

/* ---- what the session knows ---- */

/* What is known before the statement runs: a literal, a parameter, or their like. */
static bool known_argument(const struct binder *b, const struct bound *value, struct plan_param *out)
{
    if (value->constant) {
        *out = (struct plan_param){.kind = PLAN_CONSTANT, .constant = *value->constant, .type = value->type};
        return true;
    }
    if (value->sql[0] != '?')
        return false;
    size_t i = 0;
    for (const char *p = value->sql + 1; *p >= '0' && *p <= '9'; p++)
        i = i * 10 + (size_t)(*p - '0');
    *out = b->query->params[i - 1];
    return out->kind != PLAN_CELL;
}

/* Asked for each row. Loading a catalogue in the middle of a statement is avoided: the current one is there before. */
static int bind_asked(struct binder *b, const struct session_function *f, const struct bound *args, size_t count, struct bound *out)
{
    struct attachment *a;
    struct buf sql;
    if (bind_use(b, (struct tsql_text){"", 0}, &a) < 0)
        return -1;
    buf_init(&sql, BINDER_MAX_SQL);
    buf_printf(&sql, "sg_ask('%s'", f->name);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&sql, ",%s,%lld", args[i].sql, (long long)typing_pack(&args[i].type));
        bind_merge(out, &args[i]);
    }
    buf_append_char(&sql, ')');
    out->sql = binder_take(b, &sql);
    return 0;
}

static int bind_session(struct binder *b, const struct session_function *f, const struct tsql_expr *exprs, size_t count, struct bound *out)
{
    struct plan_param p = {.kind = PLAN_SESSION, .function = f, .arg_count = count, .type = f->type};
    struct bound args[GLOBALS_MAX_ARGS];
    bool known = true;
    size_t i = 0;
    p.args = arena_alloc(b->arena, (count + 1) * sizeof *p.args);
    if (!p.args)
        return fault_set(b->fault, FAULT_MEMORY);
    for (const struct tsql_expr *e = exprs; e; e = e->next, i++) {
        if (bind_expr(b, e, &args[i]) < 0)
            return -1;
        known = known_argument(b, &args[i], &p.args[i]) && known;
    }
    out->type = f->type;
    out->nullable = true;
    if (!known)
        return bind_asked(b, f, args, count, out);
    out->sql = binder_param(b, &p);
    return 0;
}

int bind_global(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    const struct session_function *f = globals_find(e->text.data, e->text.len);
    if (!f)
        return fault_set(b->fault, 137, e->text.data);
    return bind_session(b, f, NULL, 0, out);
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

/* CHOOSE(n, a, b …) is CASE CAST(n AS INT) WHEN 1 THEN a WHEN 2 THEN b … END. */
static int bind_choose(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    static const char *const numbers[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"};
    const size_t most = sizeof numbers / sizeof numbers[0];
    struct tsql_expr places[sizeof numbers / sizeof numbers[0]], values[sizeof numbers / sizeof numbers[0]];
    struct tsql_when whens[sizeof numbers / sizeof numbers[0]];
    size_t count = e->call->arg_count, n = 0;
    if (count < 2 || count > most + 1)
        return fault_set(b->fault, 189, "choose", 2, (int)most + 1);
    struct tsql_expr index = *e->call->args;
    index.next = NULL;
    struct tsql_cast to_int = {.type = {.type = {.kind = SQLTYPE_INT}}, .value = &index};
    struct tsql_expr place = {.kind = TSQL_CAST, .line = e->line, .cast = &to_int};
    for (const struct tsql_expr *arg = e->call->args->next; arg; arg = arg->next, n++) {
        places[n] = (struct tsql_expr){.kind = TSQL_LITERAL, .line = e->line};
        places[n].literal = (struct tsql_literal){.kind = TSQL_INT, .text = {numbers[n], strlen(numbers[n])}, .type = {.kind = SQLTYPE_INT}};
        values[n] = *arg;
        values[n].next = NULL;
        whens[n] = (struct tsql_when){.when = &places[n], .then = &values[n]};
        if (n > 0)
            whens[n - 1].next = &whens[n];
    }
    struct tsql_expr choice = {.kind = TSQL_CASE, .line = e->line, .a = &place};
    choice.whens = whens;
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
    int (*bind)(struct binder *b, const struct tsql_expr *e, struct bound *out);
} specials[] = {{"isnull", bind_isnull}, {"coalesce", bind_coalesce}, {"nullif", bind_nullif}, {"choose", bind_choose}};

/* Functions of SQL Server that this server does not have, so that it says so instead of not knowing them. */
static const char *const refused[] = {
    "approx_count_distinct", "binary_checksum", "checksum", "checksum_agg", "compress", "decompress", "encryptbypassphrase",
    "error_line", "error_message", "error_number", "error_procedure", "error_severity", "error_state", "format", "formatmessage", "grouping",
    "grouping_id", "hashbytes", "isjson", "json_modify", "json_query", "json_value", "newsequentialid", "percentile_cont", "percentile_disc",
    "string_escape",
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

int bind_call(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    const struct tsql_call *call = e->call;
    if (call->schema.len > 0)
        return fault_set(b->fault, 4121, binder_sql(b, "%s.%s", call->schema.data, call->name.data));
    int result;
    if (bind_aggregate_call(b, e, out, &result))
        return result;
    if (call->over)
        return fault_set(b->fault, 4113, call->name.data);
    for (size_t i = 0; i < COUNT(specials); i++) {
        if (text_is(call->name, specials[i].name))
            return specials[i].bind(b, e, out);
    }
    const struct session_function *session = globals_find(call->name.data, call->name.len);
    if (session) {
        size_t most = strlen(session->args);
        if (call->arg_count < session->min_args || call->arg_count > most) {
            if (session->min_args == most)
                return fault_set(b->fault, 174, session->name, (int)most);
            return fault_set(b->fault, 189, session->name, (int)session->min_args, (int)most);
        }
        return bind_session(b, session, call->args, call->arg_count, out);
    }
    const struct scalar_function *scalar = scalar_find(call->name.data, call->name.len);
    if (scalar)
        return bind_scalar(b, scalar, e, out);
    for (size_t i = 0; i < COUNT(refused); i++) {
        if (text_is(call->name, refused[i]))
            return binder_unsupported(b, call->name.data);
    }
    return fault_set(b->fault, 195, call->name.data, "built-in function name");
}
