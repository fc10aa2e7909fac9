#include "tds-server/engine/binder.h"

#include "common/collate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_equal(struct tsql_text a, struct tsql_text b)
{
    return a.len > 0 && b.len > 0 && collate_name_equal(a.data, a.len, b.data, b.len);
}

bool text_is(struct tsql_text a, const char *word)
{
    return collate_name_equal(a.data, a.len, word, strlen(word));
}

int binder_unsupported(struct binder *b, const char *what)
{
    return fault_set(b->fault, FAULT_UNSUPPORTED, what);
}

/* ---- text ---- */

const char *binder_sql(struct binder *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *text = len >= 0 && (size_t)len < BINDER_MAX_SQL ? arena_alloc(b->arena, (size_t)len + 1) : NULL;
    if (text)
        vsnprintf(text, (size_t)len + 1, format, again);
    else
        fault_set(b->fault, FAULT_MEMORY);
    va_end(again);
    va_end(args);
    return text ? text : "";
}

const char *binder_take(struct binder *b, struct buf *sql)
{
    char *text = buf_status(sql) == 0 ? arena_copy(b->arena, buf_text(sql), sql->len) : NULL;
    buf_clear(sql);
    if (!text)
        fault_set(b->fault, FAULT_MEMORY);
    return text ? text : "";
}

/* ---- parameters ---- */

static bool same_value(const struct value *a, const struct value *b)
{
    return typing_pack(&a->type) == typing_pack(&b->type) && a->integer == b->integer && a->decimal == b->decimal &&
           memcmp(&a->real, &b->real, sizeof a->real) == 0 && a->bytes.len == b->bytes.len &&
           (a->bytes.len == 0 || memcmp(a->bytes.data, b->bytes.data, a->bytes.len) == 0);
}

static bool same_param(const struct plan_param *a, const struct plan_param *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == PLAN_VARIABLE || a->kind == PLAN_CELL)
        return a->variable == b->variable;
    if (a->kind == PLAN_SESSION)
        return a->function == b->function && a->arg_count == 0 && b->arg_count == 0;
    return same_value(&a->constant, &b->constant);
}

const char *binder_param(struct binder *b, const struct plan_param *p)
{
    struct plan_query *q = b->query;
    bool compare = p->kind != PLAN_CONSTANT || q->param_count < BINDER_DEDUPLICATED;
    for (size_t i = 0; compare && i < q->param_count; i++) {
        if (same_param(&q->params[i], p))
            return binder_sql(b, "?%zu", i + 1);
    }
    if (q->param_count == PLAN_MAX_PARAMETERS) {
        fault_set(b->fault, 8623);
        return "";
    }
    if (q->param_count == q->param_cap) {
        size_t cap = q->param_cap ? 2 * q->param_cap : 8;
        struct plan_param *grown = arena_alloc(b->arena, cap * sizeof *grown);
        if (!grown) {
            fault_set(b->fault, FAULT_MEMORY);
            return "";
        }
        if (q->param_count > 0)
            memcpy(grown, q->params, q->param_count * sizeof *grown);
        q->params = grown;
        q->param_cap = cap;
    }
    q->params[q->param_count++] = *p;
    return binder_sql(b, "?%zu", q->param_count);
}

const char *binder_constant(struct binder *b, const struct value *v)
{
    if (typing_class(v->type.kind) <= TYPE_BIT)
        return binder_sql(b, v->integer < 0 ? "(%lld)" : "%lld", (long long)v->integer);
    struct plan_param p = {.kind = PLAN_CONSTANT, .constant = *v, .type = v->type};
    return binder_param(b, &p);
}

/* ---- statements ---- */

int bind_describe(struct binder *b, const struct bound_query *q, struct plan_query *out)
{
    out->columns = arena_alloc(b->arena, q->count * sizeof *out->columns);
    if (!out->columns)
        return fault_set(b->fault, FAULT_MEMORY);
    for (size_t i = 0; i < q->count; i++) {
        const struct bound *v = &q->items[i].value;
        out->columns[i] = (struct engine_column){.name = q->items[i].name.data ? q->items[i].name.data : "", .type = v->type,
                                                 .collation = v->collation, .nullable = v->nullable, .identity = v->identity};
    }
    out->column_count = q->count;
    out->sql = q->sql;
    if (b->hoisted && out == &b->plan->query)
        out->sql = binder_sql(b, "WITH %s %s", b->hoisted, q->sql);
    return 0;
}

/* SELECT @a = …, @b = …: all items or none. */
static int find_assignments(struct binder *b, const struct tsql_query *q)
{
    size_t count = 0, assigned = 0;
    if (q->body->kind != TSQL_SELECT_BODY)
        return 0;
    for (const struct tsql_item *i = q->body->items; i; i = i->next) {
        count++;
        assigned += i->variable.len > 0;
    }
    if (assigned == 0)
        return 0;
    if (assigned != count)
        return fault_set(b->fault, 141);
    b->plan->assigned = arena_alloc(b->arena, count * sizeof *b->plan->assigned);
    if (!b->plan->assigned)
        return fault_set(b->fault, FAULT_MEMORY);
    size_t n = 0;
    for (const struct tsql_item *i = q->body->items; i; i = i->next, n++) {
        size_t v = 0;
        while (v < b->variable_count && !text_equal(b->variables[v].name, i->variable))
            v++;
        if (v == b->variable_count)
            return fault_set(b->fault, 137, i->variable.data);
        b->plan->assigned[n] = v;
    }
    return 0;
}

static struct binder make_binder(struct engine_session *s, const struct variable *variables, size_t count, struct plan *out)
{
    arena_init(&out->arena, CATALOGUE_MAX_MEMORY);
    return (struct binder){.session = s, .plan = out, .query = &out->query, .arena = &out->arena, .fault = &s->fault,
                           .variables = variables, .variable_count = count, .max_recursion = -1};
}

int bind_statement(struct engine_session *s, const struct tsql_statement *statement, const struct variable *variables,
                   size_t variable_count, struct plan *out)
{
    struct binder b = make_binder(s, variables, variable_count, out);
    struct bound_query q = {0};
    out->statement = statement;
    b.max_recursion = statement->max_recursion;
    int result;
    switch (statement->kind) {
    case TSQL_SELECT:
        result = bind_query(&b, statement->select, &q);
        if (result == 0)
            result = bind_describe(&b, &q, &out->query);
        if (result == 0)
            result = find_assignments(&b, statement->select);
        break;
    case TSQL_INSERT:
        result = bind_insert(&b, statement->insert);
        break;
    case TSQL_UPDATE:
        result = bind_update(&b, statement->update);
        break;
    case TSQL_DELETE:
        result = bind_delete(&b, statement->delete_);
        break;
    default:
        result = fault_set(&s->fault, FAULT_INTERNAL, "no such statement to bind");
    }
    return result == 0 && s->fault.number != 0 ? -1 : result;
}

int bind_value(struct engine_session *s, const struct tsql_expr *e, const struct variable *variables, size_t variable_count,
               struct plan *out)
{
    struct binder b = make_binder(s, variables, variable_count, out);
    struct bound value;
    if (bind_expr(&b, e, &value) < 0)
        return -1;
    struct bound_item item = {.value = value};
    struct bound_query q = {.sql = binder_sql(&b, "SELECT %s", value.sql), .items = &item, .count = 1};
    if (tsql_expr_is_condition(e))
        item.value.type = typing_make(SQLTYPE_INT);
    int result = bind_describe(&b, &q, &out->query);
    return result == 0 && s->fault.number != 0 ? -1 : result;
}

void plan_clear(struct plan *p)
{
    sqlite3_finalize(p->query.stmt);
    sqlite3_finalize(p->write.stmt);
    sqlite3_finalize(p->write.park);
    sqlite3_finalize(p->write.checks.stmt);
    sqlite3_finalize(p->write.output.stmt);
    for (size_t i = 0; i < p->database_count; i++)
        catalogue_release(p->databases[i].catalogue);
    arena_clear(&p->arena);
    *p = (struct plan){0};
}
