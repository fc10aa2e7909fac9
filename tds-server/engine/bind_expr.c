#include "tds-server/engine/binder.h"

#include "common/collate.h"
#include "tds-server/functions/convert.h"
#include "tds-server/values/decimal.h"
#include "tds-server/engine/functions.h"

#include <stdlib.h>
#include <string.h>

/* ---- collations and conversions ---- */

const char *bind_collate(const struct bound *e)
{
    static const char *const clauses[COLLATIONS] = {
        [COLLATION_CI] = " COLLATE SG_CI", [COLLATION_CS] = " COLLATE SG_CS", [COLLATION_BIN2] = " COLLATE SG_BIN2"};
    if (typing_class(e->type.kind) == TYPE_STRING)
        return clauses[e->collation];
    return e->type.kind == SQLTYPE_DATETIMEOFFSET ? " COLLATE " FUNCTIONS_COLLATION_OFFSET : "";
}

void bind_merge(struct bound *whole, const struct bound *part)
{
    whole->aggregate |= part->aggregate;
    whole->has_column |= part->has_column;
    whole->has_subquery |= part->has_subquery;
    if (whole->ungrouped.len == 0)
        whole->ungrouped = part->ungrouped;
}

int bind_meet_collation(struct binder *b, const struct bound *x, const struct bound *y, const char *operation, struct bound *out)
{
    static const char *const names[COLLATIONS] = {[COLLATION_CI] = "Latin1_General_100_CI_AS_SC_UTF8",
                                                  [COLLATION_CS] = "Latin1_General_100_CS_AS_SC_UTF8",
                                                  [COLLATION_BIN2] = "Latin1_General_100_BIN2_UTF8"};
    bool x_string = typing_class(x->type.kind) == TYPE_STRING, y_string = typing_class(y->type.kind) == TYPE_STRING;
    const struct bound *winner = !y_string || (x_string && x->label >= y->label) ? x : y;
    out->collation = winner->collation;
    out->label = winner->label;
    if (x_string && y_string && x->label == y->label && x->label != COLLATION_COERCIBLE && x->collation != y->collation)
        return fault_set(b->fault, 468, names[x->collation], names[y->collation], operation);
    return 0;
}

/* A literal is converted now, once; false when it cannot be, so that the error comes if and when the row is looked at. */
static bool convert_constant(struct binder *b, struct bound *e, const struct sqltype *to)
{
    struct fault ignored = {0};
    struct buf scratch;
    struct value v;
    buf_init(&scratch, CONVERT_MAX_BYTES);
    bool ok = convert_value(e->constant, to, 0, CONVERT_CAST, &scratch, &v, &ignored) == 0;
    if (ok) {
        struct value *copy = arena_alloc(b->arena, sizeof *copy);
        const char *bytes = v.bytes.len > 0 ? arena_copy(b->arena, v.bytes.data, v.bytes.len) : "";
        ok = copy && bytes;
        if (ok) {
            *copy = v;
            copy->bytes.data = bytes;
            e->constant = copy;
            e->sql = binder_constant(b, copy);
            e->type = *to;
        }
    }
    buf_clear(&scratch);
    return ok;
}

int bind_convert(struct binder *b, struct bound *e, const struct sqltype *to)
{
    if (e->null) {
        e->type = *to;
        return 0;
    }
    enum type_conversion possible = typing_conversion(e->type.kind, to->kind);
    if (possible == CONVERSION_NONE)
        return fault_set(b->fault, 206, typing_name(e->type.kind), typing_name(to->kind));
    if (possible == CONVERSION_EXPLICIT)
        return fault_set(b->fault, 257, typing_name(e->type.kind), typing_name(to->kind));
    if (typing_same_form(&e->type, to)) {
        e->type = *to;
        return 0;
    }
    if (e->constant && convert_constant(b, e, to))
        return 0;
    bool from_string = typing_class(e->type.kind) == TYPE_STRING;
    e->sql = binder_sql(b, "sg_convert(%s,%lld,%lld,0)", e->sql, (long long)typing_pack(&e->type), (long long)typing_pack(to));
    e->constant = NULL;
    e->type = *to;
    if (!from_string && typing_class(to->kind) == TYPE_STRING) {
        e->collation = COLLATION_CI;
        e->label = COLLATION_COERCIBLE;
    }
    return 0;
}

/* ---- leaves ---- */

int bind_literal(struct binder *b, const struct tsql_literal *l, struct value *out)
{
    *out = (struct value){.type = l->type, .bytes = {l->text.data ? l->text.data : "", l->text.len}};
    switch (l->kind) {
    case TSQL_NULL:
        out->null = true;
        return 0;
    case TSQL_INT:
        out->integer = strtoll(l->text.data, NULL, 10);
        return 0;
    case TSQL_FLOAT:
        out->real = strtod(l->text.data, NULL);
        return 0;
    case TSQL_DECIMAL:
    case TSQL_MONEY:
        if (decimal_from_text(l->text.data, l->text.len, l->type.precision, l->type.scale, &out->decimal) != DECIMAL_OK)
            return fault_set(b->fault, 1007, l->text.data);
        return 0;
    default:
        return 0;
    }
}

static int bind_literal_expr(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct value *v = arena_alloc(b->arena, sizeof *v);
    if (!v)
        return fault_set(b->fault, FAULT_MEMORY);
    if (bind_literal(b, &e->literal, v) < 0)
        return -1;
    out->type = v->type;
    out->null = v->null;
    out->nullable = v->null;
    out->constant = v;
    if (v->null)
        out->sql = "NULL";
    else
        out->sql = binder_constant(b, v);
    return 0;
}

static int bind_variable(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    for (size_t i = 0; i < b->variable_count; i++) {
        const struct variable *v = &b->variables[i];
        if (!text_equal(v->name, e->text))
            continue;
        out->type = v->type;
        out->collation = v->collation;
        out->nullable = true;
        struct plan_param p = {.kind = PLAN_VARIABLE, .variable = i, .type = v->type};
        out->sql = binder_param(b, &p);
        return 0;
    }
    return fault_set(b->fault, 137, e->text.data);
}

/* ---- operators ---- */

static int bind_unary(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    if (bind_expr(b, e->a, out) < 0)
        return -1;
    enum type_class class = typing_class(out->type.kind);
    const char *name = e->op == TSQL_BIT_NOT ? "'~'" : e->op == TSQL_NEGATE ? "minus" : "plus";
    bool fits = e->op == TSQL_BIT_NOT ? class <= TYPE_BIT : class <= TYPE_FLOAT && class != TYPE_BIT;
    if (e->op == TSQL_PLUS && class == TYPE_STRING)
        return 0;
    if (!fits)
        return fault_set(b->fault, 8117, typing_name(out->type.kind), name);
    out->label = COLLATION_COERCIBLE;
    out->identity = false;
    if (e->op == TSQL_PLUS || out->null)
        return 0;
    if (e->op == TSQL_NEGATE && out->type.kind == SQLTYPE_TINYINT)
        out->type.kind = SQLTYPE_SMALLINT;
    if (e->op == TSQL_NEGATE && out->constant) {
        struct value *v = arena_alloc(b->arena, sizeof *v);
        if (!v)
            return fault_set(b->fault, FAULT_MEMORY);
        *v = *out->constant;
        v->integer = -v->integer; /* a literal is never the lowest number */
        v->decimal = -v->decimal;
        v->real = -v->real;
        out->constant = v;
        out->sql = binder_constant(b, v);
        return 0;
    }
    out->constant = NULL;
    out->sql = binder_sql(b, "%s(%s,%lld)", e->op == TSQL_NEGATE ? "sg_negate" : "sg_bitnot", out->sql,
                          (long long)typing_pack(&out->type));
    return 0;
}

/* Strings join; the result is cut where the type cannot hold it. */
static int join_strings(struct binder *b, const struct bound *x, const struct bound *y, struct bound *out)
{
    /* (a || b) || c is written without the inner parentheses, of which SQLite's parser takes some ninety. */
    if (x->join && x->join == x->sql)
        out->sql = binder_sql(b, "%.*s || %s)", (int)strlen(x->sql) - 1, x->sql, y->sql);
    else
        out->sql = binder_sql(b, "(%s || %s)", x->sql, y->sql);
    out->join = out->sql;
    if (out->type.length != SQLTYPE_MAX && x->type.length + y->type.length > out->type.length) {
        struct sqltype whole = typing_string(out->type.kind, SQLTYPE_MAX);
        out->sql = binder_sql(b, "sg_convert(%s,%lld,%lld,0)", out->sql, (long long)typing_pack(&whole),
                              (long long)typing_pack(&out->type));
    }
    return bind_meet_collation(b, x, y, "concatenation", out);
}

/* An integer literal beside a decimal has the precision of its digits: 1.0 / 3 is NUMERIC(8,6). */
static struct sqltype literal_type(const struct bound *e, const struct bound *other)
{
    if (!e->constant || e->null || e->type.kind != SQLTYPE_INT || other->type.kind == SQLTYPE_MONEY ||
        typing_class(other->type.kind) != TYPE_DECIMAL)
        return e->type;
    return typing_decimal(decimal_digits(e->constant->integer), 0);
}

/* a + b + c is one call with a step each: SQLite's parser takes no more than some twenty calls inside each other. */
static void write_arithmetic(struct binder *b, enum tsql_op op, const struct bound *x, const struct bound *y, struct bound *out)
{
    bool joins = x->chain && x->chain == x->sql && x->chain_steps < FUNCTIONS_MAX_CHAIN;
    const char *step = binder_sql(b, "%d,%s,%lld,%lld)", (int)op, y->sql, (long long)typing_pack(&y->type), (long long)typing_pack(&out->type));
    if (joins)
        out->sql = binder_sql(b, "%.*s,%s", (int)strlen(x->sql) - 1, x->sql, step);
    else
        out->sql = binder_sql(b, "sg_arith(%s,%lld,%s", x->sql, (long long)typing_pack(&x->type), step);
    /* Bytes that one step makes would not outlive the next. */
    out->chain = typing_class(out->type.kind) >= TYPE_DATETIME ? NULL : out->sql;
    out->chain_steps = joins ? x->chain_steps + 1 : 1;
}

static int bind_binary(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0}, y = {0};
    if (bind_expr(b, e->a, &x) < 0 || bind_expr(b, e->b, &y) < 0)
        return -1;
    if (x.null && !y.null)
        x.type = y.type;
    if (y.null && !x.null)
        y.type = x.type;
    struct sqltype left = literal_type(&x, &y), right = literal_type(&y, &x);
    if (typing_arithmetic(e->op, &left, &right, &out->type, b->fault) < 0)
        return -1;
    bind_merge(out, &x);
    bind_merge(out, &y);
    out->nullable = true;
    if (typing_class(out->type.kind) == TYPE_STRING)
        return join_strings(b, &x, &y, out);
    /* A string beside a number is read as that number's type. */
    if (typing_class(x.type.kind) == TYPE_STRING && bind_convert(b, &x, &y.type) < 0)
        return -1;
    if (typing_class(y.type.kind) == TYPE_STRING && bind_convert(b, &y, &x.type) < 0)
        return -1;
    if (typing_class(out->type.kind) == TYPE_DATETIME && (bind_convert(b, &x, &out->type) < 0 || bind_convert(b, &y, &out->type) < 0))
        return -1;
    out->nullable = x.nullable || y.nullable;
    write_arithmetic(b, e->op, &x, &y, out);
    return 0;
}

static int bind_collate_expr(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    if (bind_expr(b, e->a, out) < 0)
        return -1;
    if (typing_class(out->type.kind) != TYPE_STRING)
        return fault_set(b->fault, 447, typing_name(out->type.kind));
    if (!typing_collation(e->text.data, e->text.len, &out->collation))
        return fault_set(b->fault, 448, e->text.data);
    out->label = COLLATION_EXPLICIT;
    out->constant = NULL;
    return 0;
}

int bind_meet(struct binder *b, struct bound *values, size_t count, struct bound *common)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (values[i].null)
            continue;
        if (!any) {
            common->type = values[i].type;
            common->collation = values[i].collation;
            common->label = values[i].label;
            any = true;
            continue;
        }
        struct bound before = *common;
        if (typing_common(&before.type, &values[i].type, &common->type, b->fault) < 0 ||
            bind_meet_collation(b, &before, &values[i], "CASE", common) < 0)
            return -1;
    }
    if (!any)
        common->type = typing_make(SQLTYPE_INT);
    for (size_t i = 0; i < count; i++) {
        /* Results must really have the type: an integer that meets a float becomes one. */
        if (typing_class(common->type.kind) == TYPE_FLOAT && typing_class(values[i].type.kind) == TYPE_FLOAT)
            continue;
        if (bind_convert(b, &values[i], &common->type) < 0)
            return -1;
    }
    return 0;
}

/* A literal that is whole, and a decimal only because it is beyond INT or ends in ".0", is an integer to one that it is
 * compared with: so no column is converted, and an index on it serves. */
static int compare_as_integer(struct binder *b, struct bound *e, const struct bound *other)
{
    if (!e->constant || e->null || typing_class(e->type.kind) != TYPE_DECIMAL || typing_class(other->type.kind) != TYPE_INTEGER)
        return 0;
    int128 whole = e->constant->decimal;
    int scale = e->constant->type.scale;
    for (; scale > 0 && whole % 10 == 0; scale--)
        whole /= 10;
    if (scale > 0 || whole > INT64_MAX || whole < INT64_MIN)
        return 0;
    struct value *v = arena_alloc(b->arena, sizeof *v);
    if (!v)
        return fault_set(b->fault, FAULT_MEMORY);
    *v = (struct value){.type = typing_make(SQLTYPE_BIGINT), .integer = (int64_t)whole, .bytes = {"", 0}};
    e->type = v->type;
    e->constant = v;
    e->sql = binder_constant(b, v);
    return 0;
}

/* Brings the two sides of a comparison to one form. */
static int meet_for_comparison(struct binder *b, struct bound *x, struct bound *y, const char *operation, struct bound *out)
{
    struct sqltype common;
    if (x->null)
        x->type = y->type;
    if (y->null)
        y->type = x->type;
    if (compare_as_integer(b, x, y) < 0 || compare_as_integer(b, y, x) < 0 || typing_common(&x->type, &y->type, &common, b->fault) < 0)
        return -1;
    enum type_class cx = typing_class(x->type.kind), cy = typing_class(y->type.kind);
    bool native = (cx <= TYPE_BIT || cx == TYPE_FLOAT) && (cy <= TYPE_BIT || cy == TYPE_FLOAT);
    if (!native && (bind_convert(b, x, &common) < 0 || bind_convert(b, y, &common) < 0))
        return -1;
    struct bound meeting = {.type = common};
    if (bind_meet_collation(b, x, y, operation, &meeting) < 0)
        return -1;
    out->type = common;
    out->collation = meeting.collation;
    bind_merge(out, x);
    bind_merge(out, y);
    return 0;
}

static const char *compare_sign(enum tsql_op op)
{
    switch (op) {
    case TSQL_EQ: return "=";
    case TSQL_NE: return "<>";
    case TSQL_LT: return "<";
    case TSQL_LE: return "<=";
    case TSQL_GT: return ">";
    default: return ">=";
    }
}

static const char *compare_operation(enum tsql_op op)
{
    switch (op) {
    case TSQL_EQ: return "equal to";
    case TSQL_NE: return "not equal to";
    case TSQL_LT: return "less than";
    case TSQL_LE: return "less than or equal to";
    case TSQL_GT: return "greater than";
    default: return "greater than or equal to";
    }
}

static int bind_compare(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0}, y = {0};
    if (bind_expr(b, e->a, &x) < 0 || bind_expr(b, e->b, &y) < 0 ||
        meet_for_comparison(b, &x, &y, compare_operation(e->op), out) < 0)
        return -1;
    out->sql = binder_sql(b, "%s %s %s%s", x.sql, compare_sign(e->op), y.sql, bind_collate(out));
    return 0;
}

static int bind_between(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0}, low = {0}, y = {0}, high = {0}, first = {0}, second = {0};
    if (bind_expr(b, e->a, &x) < 0 || bind_expr(b, e->b, &low) < 0 || bind_expr(b, e->c, &high) < 0)
        return -1;
    y = x;
    if (meet_for_comparison(b, &x, &low, "greater than or equal to", &first) < 0 ||
        meet_for_comparison(b, &y, &high, "less than or equal to", &second) < 0)
        return -1;
    bind_merge(out, &first);
    bind_merge(out, &second);
    out->sql = binder_sql(b, "%s(%s >= %s%s AND %s <= %s%s)", e->negated ? "NOT " : "", x.sql, low.sql, bind_collate(&first), y.sql,
                          high.sql, bind_collate(&second));
    return 0;
}

/* a IN (v, …): one list where all meet in one form without touching a; else a chain of comparisons. */
static int bind_in_list(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0};
    if (bind_expr(b, e->a, &x) < 0)
        return -1;
    struct buf sql, list;
    buf_init(&sql, BINDER_MAX_SQL);
    buf_init(&list, BINDER_MAX_SQL);
    const char *list_collate = NULL;
    const char *between = "";
    int result = 0;
    for (const struct tsql_expr *item = e->list; item && result == 0; item = item->next) {
        struct bound left = x, y = {0}, met = {0};
        if (bind_expr(b, item, &y) < 0 || meet_for_comparison(b, &left, &y, "equal to", &met) < 0) {
            result = -1;
            break;
        }
        bind_merge(out, &met);
        const char *collate = bind_collate(&met);
        if (left.sql == x.sql && (!list_collate || strcmp(list_collate, collate) == 0)) {
            buf_append_text(&list, list_collate ? "," : "");
            buf_append_text(&list, y.sql);
            list_collate = collate;
        } else {
            buf_printf(&sql, "%s%s = %s%s", between, left.sql, y.sql, collate);
            between = " OR ";
        }
    }
    if (result == 0 && list_collate)
        buf_printf(&sql, "%s%s%s IN (%s)", between, x.sql, list_collate, buf_text(&list));
    if (buf_status(&list) < 0)
        result = fault_set(b->fault, FAULT_MEMORY);
    buf_clear(&list);
    const char *text = binder_take(b, &sql);
    out->sql = binder_sql(b, "%s(%s)", e->negated ? "NOT " : "", text);
    return result;
}

static int bind_subquery_column(struct binder *b, const struct tsql_query *q, struct bound_query *query)
{
    if (bind_query(b, q, query) < 0)
        return -1;
    return query->count == 1 ? 0 : fault_set(b->fault, 116);
}

/* a IN (SELECT …): compared as EXISTS over the subquery's rows would be, with both sides in one form. */
static int bind_in_query(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0};
    struct bound_query query = {0};
    if (bind_expr(b, e->a, &x) < 0 || bind_subquery_column(b, e->query, &query) < 0)
        return -1;
    struct bound y = query.items[0].value, met = {0};
    y.sql = "k1";
    y.constant = NULL;
    if (meet_for_comparison(b, &x, &y, "equal to", &met) < 0)
        return -1;
    bind_merge(out, &x);
    out->has_subquery = true;
    if (strcmp(y.sql, "k1") == 0)
        out->sql = binder_sql(b, "%s%s %sIN (%s)", x.sql, bind_collate(&met), e->negated ? "NOT " : "", query.sql);
    else
        out->sql = binder_sql(b, "%s%s %sIN (SELECT %s FROM (%s))", x.sql, bind_collate(&met), e->negated ? "NOT " : "", y.sql, query.sql);
    return 0;
}

static int bind_in(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    return e->query ? bind_in_query(b, e, out) : bind_in_list(b, e, out);
}

/* a op ANY (SELECT …), a op ALL (SELECT …), with NULLs as in SQL: ANY is an OR over the rows, ALL an AND. */
static int bind_quantified(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0};
    struct bound_query query = {0};
    if (bind_expr(b, e->a, &x) < 0 || bind_subquery_column(b, e->query, &query) < 0)
        return -1;
    struct bound y = query.items[0].value, met = {0};
    y.sql = "k1";
    y.constant = NULL;
    if (meet_for_comparison(b, &x, &y, compare_operation(e->op), &met) < 0)
        return -1;
    bind_merge(out, &x);
    out->has_subquery = true;
    /* max over 1, 0: true if any; else NULL if any is unknown; else false. min the same for ALL. */
    const char *comparison = binder_sql(b, "(%s %s %s%s)", x.sql, compare_sign(e->op), y.sql, bind_collate(&met));
    if (e->all)
        out->sql = binder_sql(b, "(SELECT CASE WHEN min(%s) = 0 THEN 0 WHEN count(*) > count(%s) THEN NULL ELSE 1 END FROM (%s))",
                              comparison, comparison, query.sql);
    else
        out->sql = binder_sql(b, "(SELECT CASE WHEN max(%s) = 1 THEN 1 WHEN count(*) > count(%s) THEN NULL ELSE 0 END FROM (%s))",
                              comparison, comparison, query.sql);
    return 0;
}

static int bind_like(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0}, y = {0}, escape = {.sql = "NULL"};
    if (bind_expr(b, e->a, &x) < 0 || bind_expr(b, e->b, &y) < 0 || (e->c && bind_expr(b, e->c, &escape) < 0))
        return -1;
    struct sqltype text = typing_string(SQLTYPE_NVARCHAR, SQLTYPE_MAX);
    struct bound *operands[] = {&x, &y, &escape};
    for (size_t i = 0; i < 2; i++) {
        if (typing_class(operands[i]->type.kind) == TYPE_BINARY)
            return fault_set(b->fault, 8116, typing_name(operands[i]->type.kind), (int)i + 1, "like");
        if (typing_class(operands[i]->type.kind) != TYPE_STRING && bind_convert(b, operands[i], &text) < 0)
            return -1;
    }
    struct bound met = {0};
    if (bind_meet_collation(b, &x, &y, "like", &met) < 0)
        return -1;
    for (size_t i = 0; i < 3; i++)
        bind_merge(out, operands[i]);
    out->sql = binder_sql(b, "%ssg_like(%s,%s,%s,%d)", e->negated ? "NOT " : "", x.sql, y.sql, escape.sql, (int)met.collation);
    return 0;
}

static int bind_is_null(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0};
    if (bind_expr(b, e->a, &x) < 0)
        return -1;
    bind_merge(out, &x);
    out->sql = binder_sql(b, "%s IS %sNULL", x.sql, e->negated ? "NOT " : "");
    return 0;
}

static int bind_list(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct buf sql;
    buf_init(&sql, BINDER_MAX_SQL);
    int result = 0;
    for (const struct tsql_expr *item = e->list; item && result == 0; item = item->next) {
        struct bound part = {0};
        result = bind_expr(b, item, &part);
        if (result == 0) {
            bind_merge(out, &part);
            buf_printf(&sql, "%s(%s)", sql.len > 0 ? (e->kind == TSQL_AND ? " AND " : " OR ") : "(", part.sql);
        }
    }
    buf_append_char(&sql, ')');
    out->sql = binder_take(b, &sql);
    return result;
}

static int bind_not(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound x = {0};
    if (bind_expr(b, e->a, &x) < 0)
        return -1;
    bind_merge(out, &x);
    out->sql = binder_sql(b, "NOT (%s)", x.sql);
    return 0;
}

static int bind_exists(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound_query query = {0};
    if (bind_query(b, e->query, &query) < 0)
        return -1;
    out->has_subquery = true;
    out->sql = binder_sql(b, "EXISTS (%s)", query.sql);
    return 0;
}

static int bind_subquery(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    struct bound_query query = {0};
    if (bind_subquery_column(b, e->query, &query) < 0)
        return -1;
    *out = query.items[0].value;
    *out = (struct bound){.type = out->type, .null = out->null, .collation = out->collation, .label = out->label,
                          .nullable = true, .has_subquery = true};
    /* Written with as few parentheses as can be: SQLite's parser takes few. */
    if (query.one_row)
        out->sql = binder_sql(b, "(%s)", query.sql);
    else if (query.rest)
        out->sql = binder_sql(b, "(SELECT sg_one(%s)%s)", query.items[0].value.sql, query.rest);
    else
        out->sql = binder_sql(b, "(SELECT sg_one(k1) FROM (%s))", query.sql);
    return 0;
}

/* ---- CASE and CAST ---- */

static int bind_case(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    size_t count = 1;
    for (const struct tsql_when *w = e->whens; w; w = w->next)
        count++;
    struct bound *values = arena_alloc(b->arena, count * sizeof *values);
    const char **conditions = arena_alloc(b->arena, count * sizeof *conditions);
    if (!values || !conditions)
        return fault_set(b->fault, FAULT_MEMORY);
    size_t n = 0;
    for (const struct tsql_when *w = e->whens; w; w = w->next, n++) {
        struct bound condition = {0};
        if (e->a) {
            struct tsql_expr compare = {.kind = TSQL_COMPARE, .op = TSQL_EQ, .line = e->line, .a = e->a, .b = w->when};
            if (bind_expr(b, &compare, &condition) < 0)
                return -1;
        } else if (bind_expr(b, w->when, &condition) < 0) {
            return -1;
        }
        conditions[n] = condition.sql;
        bind_merge(out, &condition);
        if (bind_expr(b, w->then, &values[n]) < 0)
            return -1;
    }
    values[n] = (struct bound){.sql = "NULL", .null = true, .nullable = true};
    if (e->otherwise && bind_expr(b, e->otherwise, &values[n]) < 0)
        return -1;
    if (bind_meet(b, values, count, out) < 0)
        return -1;
    struct buf sql;
    buf_init(&sql, BINDER_MAX_SQL);
    buf_append_text(&sql, "CASE");
    for (size_t i = 0; i <= n; i++) {
        bind_merge(out, &values[i]);
        out->nullable |= values[i].nullable;
        if (i < n)
            buf_printf(&sql, " WHEN %s THEN %s", conditions[i], values[i].sql);
        else
            buf_printf(&sql, " ELSE %s END", values[i].sql);
    }
    out->sql = binder_take(b, &sql);
    return 0;
}

static int bind_cast(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    const struct tsql_cast *cast = e->cast;
    struct bound style = {.sql = "0"}, value = {0};
    if (bind_expr(b, cast->value, &value) < 0 || (cast->style && bind_expr(b, cast->style, &style) < 0))
        return -1;
    const struct sqltype *to = &cast->type.type;
    bool try = cast->kind == TSQL_CAST_TRY;
    bind_merge(out, &value);
    bind_merge(out, &style);
    if (!value.null && typing_conversion(value.type.kind, to->kind) == CONVERSION_NONE)
        return fault_set(b->fault, 529, typing_name(value.type.kind), typing_name(to->kind));
    out->type = *to;
    out->nullable = value.nullable || try;
    out->null = false;
    if (typing_class(value.type.kind) == TYPE_STRING) {
        out->collation = value.collation;
        out->label = value.label;
    }
    out->sql = binder_sql(b, "%s(%s,%lld,%lld,%s)", try ? "sg_try_convert" : "sg_convert", value.sql,
                          (long long)typing_pack(&value.type), (long long)typing_pack(to), style.sql);
    return 0;
}

/* ---- */

static int bind_default(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    (void)e;
    (void)out;
    return fault_set(b->fault, 156, "DEFAULT");
}

static int bind_datepart(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    out->type = typing_make(SQLTYPE_INT);
    out->sql = binder_sql(b, "%d", (int)e->datepart);
    return 0;
}

static int (*const bind_kind[])(struct binder *b, const struct tsql_expr *e, struct bound *out) = {
    [TSQL_LITERAL] = bind_literal_expr, [TSQL_COLUMN] = bind_column,   [TSQL_VARIABLE] = bind_variable,
    [TSQL_GLOBAL] = bind_global,        [TSQL_DEFAULT] = bind_default, [TSQL_UNARY] = bind_unary,
    [TSQL_BINARY] = bind_binary,        [TSQL_COLLATE] = bind_collate_expr, [TSQL_CASE] = bind_case,
    [TSQL_CAST] = bind_cast,            [TSQL_CALL] = bind_call,       [TSQL_DATEPART] = bind_datepart,
    [TSQL_SUBQUERY] = bind_subquery,    [TSQL_AND] = bind_list,        [TSQL_OR] = bind_list,
    [TSQL_NOT] = bind_not,              [TSQL_COMPARE] = bind_compare, [TSQL_QUANTIFIED] = bind_quantified,
    [TSQL_BETWEEN] = bind_between,      [TSQL_IN] = bind_in,           [TSQL_LIKE] = bind_like,
    [TSQL_IS_NULL] = bind_is_null,      [TSQL_EXISTS] = bind_exists,
};

/* What stands in GROUP BY is one value for the group, whatever columns it is made of. */
static void mark_grouped(struct binder *b, struct bound *out)
{
    const struct scope *s = b->scope;
    for (size_t i = 0; s && i < s->group_count; i++) {
        if (strcmp(s->groups[i], out->sql) == 0) {
            out->ungrouped.len = 0;
            return;
        }
    }
}

int bind_expr(struct binder *b, const struct tsql_expr *e, struct bound *out)
{
    *out = (struct bound){0};
    int result = bind_kind[e->kind](b, e, out);
    if (result == 0 && out->ungrouped.len > 0)
        mark_grouped(b, out);
    if (result < 0 && b->fault->line == 0)
        b->fault->line = e->line;
    return result;
}
