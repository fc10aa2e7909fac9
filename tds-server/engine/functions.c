#include "tds-server/engine/functions_private.h"

#include "common/utf8.h"
#include "common/collate.h"
#include "tds-server/functions/convert.h"
#include "tds-server/values/decimal.h"
#include "tds-server/values/moment.h"
#include "tds-server/functions/scalar.h"
#include "tds-server/language/tsql_tree.h"
#include "tds-server/functions/typing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *const functions_collation[COLLATIONS] = {
    [COLLATION_CI] = "SG_CI", [COLLATION_CS] = "SG_CS", [COLLATION_BIN2] = "SG_BIN2"};

void functions_fail(sqlite3_context *ctx)
{
    sqlite3_result_error(ctx, "fault", -1);
}

struct value functions_read(sqlite3_value *cell, sqlite3_value *packed_type)
{
    struct sqltype type = typing_unpack(sqlite3_value_int64(packed_type));
    struct value v;
    cell_read(cell, &type, &v);
    return v;
}

/* ---- conversion ---- */

static void convert_call(sqlite3_context *ctx, sqlite3_value **argv, bool try)
{
    struct functions *f = sqlite3_user_data(ctx);
    struct value in = functions_read(argv[0], argv[1]), out;
    struct sqltype to = typing_unpack(sqlite3_value_int64(argv[2]));
    struct fault ignored = {0};
    if (convert_value(&in, &to, sqlite3_value_int(argv[3]), CONVERT_CAST, &f->scratch, &out, try ? &ignored : f->fault) == 0)
        cell_result(ctx, &out);
    else if (try && ignored.number != 529 && ignored.number != FAULT_MEMORY)
        sqlite3_result_null(ctx);
    else {
        if (try)
            fault_set_text(f->fault, ignored.number, ignored.severity, ignored.state, 0, ignored.text);
        functions_fail(ctx);
    }
}

static void sg_convert(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    convert_call(ctx, argv, false);
}

static void sg_try_convert(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    convert_call(ctx, argv, true);
}

/* ---- arithmetic ---- */

static char op_sign(enum tsql_op op)
{
    switch (op) {
    case TSQL_ADD: return '+';
    case TSQL_SUB: return '-';
    case TSQL_MUL: return '*';
    case TSQL_DIV: return '/';
    default: return '%';
    }
}

/* Returns 0, 8115 or 8134. */
static int integer_arith(enum tsql_op op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case TSQL_ADD:
        return __builtin_add_overflow(a, b, out) ? 8115 : 0;
    case TSQL_SUB:
        return __builtin_sub_overflow(a, b, out) ? 8115 : 0;
    case TSQL_MUL:
        return __builtin_mul_overflow(a, b, out) ? 8115 : 0;
    case TSQL_DIV:
    case TSQL_MOD:
        if (b == 0)
            return 8134;
        if (b == -1) {
            if (op == TSQL_MOD)
                *out = 0;
            else if (__builtin_sub_overflow(0, a, out))
                return 8115;
            return 0;
        }
        *out = op == TSQL_DIV ? a / b : a % b;
        return 0;
    case TSQL_BIT_AND:
        *out = a & b;
        return 0;
    case TSQL_BIT_OR:
        *out = a | b;
        return 0;
    default:
        *out = a ^ b;
        return 0;
    }
}

static int float_arith(enum tsql_op op, double a, double b, double *out)
{
    if (op == TSQL_DIV && b == 0)
        return 8134;
    *out = op == TSQL_ADD ? a + b : op == TSQL_SUB ? a - b : op == TSQL_MUL ? a * b : a / b;
    return isfinite(*out) ? 0 : 8115;
}

struct decimal functions_decimal(const struct value *v)
{
    if (typing_class(v->type.kind) == TYPE_DECIMAL)
        return (struct decimal){v->decimal, v->type.scale};
    return (struct decimal){v->integer, 0};
}

static double as_double(const struct value *v)
{
    switch (typing_class(v->type.kind)) {
    case TYPE_DECIMAL:
        return decimal_to_double(functions_decimal(v));
    case TYPE_FLOAT:
        return v->real;
    default:
        return (double)v->integer;
    }
}

bool functions_in_range(const struct sqltype *t, int128 v)
{
    int64_t low, high;
    if (t->kind == SQLTYPE_MONEY) {
        low = sqltype_is_small(t) ? INT32_MIN : INT64_MIN;
        high = sqltype_is_small(t) ? INT32_MAX : INT64_MAX;
    } else {
        typing_integer_range(t->kind, &low, &high);
    }
    return v >= low && v <= high;
}

/* DATETIME: the time since 1900 of both, added or subtracted. Returns 0, 8115 or no memory. */
static int moment_arith(struct functions *f, enum tsql_op op, const struct value *a, const struct value *b, struct value *out)
{
    struct moment m = moment_from_value(a), by = moment_from_value(b);
    int64_t days = by.days - MOMENT_DAY_1900;
    bool adds = op == TSQL_ADD;
    buf_reset(&f->scratch);
    char *text = buf_reserve(&f->scratch, MOMENT_TEXT);
    if (!text)
        return FAULT_MEMORY;
    if (!moment_add_ticks(&m, adds ? days : -days, adds ? by.ticks : -by.ticks))
        return 8115;
    out->bytes.data = text;
    out->bytes.len = moment_to_form(m, &out->type, text);
    return out->bytes.len > 0 ? 0 : 8115;
}

/* a op b into *out, whose type is set; -1 with the fault. */
static int arith(struct functions *f, enum tsql_op op, const struct value *a, const struct value *b, struct value *out)
{
    int number = 0;
    const char *what = "expression";
    switch (typing_class(out->type.kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        number = integer_arith(op, a->integer, b->integer, &out->integer);
        if (number == 0 && !functions_in_range(&out->type, out->integer))
            number = 8115;
        break;
    case TYPE_DECIMAL: {
        what = "numeric";
        enum decimal_result r =
            decimal_compute(op_sign(op), functions_decimal(a), functions_decimal(b), out->type.precision, out->type.scale, &out->decimal);
        if (r == DECIMAL_OK && out->type.kind == SQLTYPE_MONEY && !functions_in_range(&out->type, out->decimal))
            r = DECIMAL_OVERFLOW;
        number = r == DECIMAL_OK ? 0 : r == DECIMAL_DIVIDE_BY_ZERO ? 8134 : 8115;
        break;
    }
    case TYPE_FLOAT:
        number = float_arith(op, as_double(a), as_double(b), &out->real);
        if (out->type.kind == SQLTYPE_REAL)
            out->real = (double)(float)out->real;
        break;
    case TYPE_DATETIME:
        number = moment_arith(f, op, a, b, out);
        break;
    case TYPE_BINARY:
        buf_reset(&f->scratch);
        buf_append(&f->scratch, a->bytes.data, a->bytes.len);
        buf_append(&f->scratch, b->bytes.data, b->bytes.len);
        out->bytes.data = buf_text(&f->scratch);
        out->bytes.len = f->scratch.len;
        number = buf_status(&f->scratch) < 0 ? FAULT_MEMORY : 0;
        break;
    default:
        number = FAULT_INTERNAL;
        what = "operator";
    }
    if (number == 0)
        return 0;
    return fault_set(f->fault, number, what, out->type.kind == SQLTYPE_DECIMAL ? "numeric" : typing_name(out->type.kind));
}

static void sg_arith(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct functions *f = sqlite3_user_data(ctx);
    struct value a = functions_read(argv[0], argv[1]);
    for (int i = 2; i + 3 < argc; i += 4) {
        struct value b = functions_read(argv[i + 1], argv[i + 2]);
        struct value out = {.type = typing_unpack(sqlite3_value_int64(argv[i + 3])), .null = a.null || b.null};
        if (!out.null && arith(f, (enum tsql_op)sqlite3_value_int(argv[i]), &a, &b, &out) < 0) {
            functions_fail(ctx);
            return;
        }
        a = out;
    }
    cell_result(ctx, &a);
}

static void sg_negate(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct functions *f = sqlite3_user_data(ctx);
    struct value v = functions_read(argv[0], argv[1]);
    if (v.null) {
        sqlite3_result_null(ctx);
        return;
    }
    v.real = -v.real;
    v.decimal = -v.decimal;
    bool wrapped = __builtin_sub_overflow(0, v.integer, &v.integer);
    if (typing_class(v.type.kind) == TYPE_INTEGER && (wrapped || !functions_in_range(&v.type, v.integer))) {
        fault_set(f->fault, 8115, "expression", typing_name(v.type.kind));
        functions_fail(ctx);
        return;
    }
    cell_result(ctx, &v);
}

static void sg_bitnot(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct value v = functions_read(argv[0], argv[1]);
    if (v.type.kind == SQLTYPE_BIT)
        v.integer = !v.integer;
    else if (v.type.kind == SQLTYPE_TINYINT)
        v.integer = ~v.integer & 0xFF;
    else
        v.integer = ~v.integer;
    cell_result(ctx, &v);
}

/* ---- LIKE ---- */

static void sg_like(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct functions *f = sqlite3_user_data(ctx);
    for (int i = 0; i < 2; i++) {
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
            return;
    }
    const char *text = (const char *)sqlite3_value_text(argv[0]), *pattern = (const char *)sqlite3_value_text(argv[1]);
    size_t text_len = (size_t)sqlite3_value_bytes(argv[0]), pattern_len = (size_t)sqlite3_value_bytes(argv[1]);
    uint32_t escape = COLLATE_NO_ESCAPE;
    if (sqlite3_value_type(argv[2]) != SQLITE_NULL) {
        const char *e = (const char *)sqlite3_value_text(argv[2]);
        size_t len = (size_t)sqlite3_value_bytes(argv[2]);
        if (!e || len == 0 || utf8_decode(e, len, &escape) != len) {
            fault_set(f->fault, 506, e ? e : "");
            functions_fail(ctx);
            return;
        }
    }
    enum collation collation = (enum collation)sqlite3_value_int(argv[3]);
    switch (collate_like(collation, text ? text : "", text_len, pattern ? pattern : "", pattern_len, escape)) {
    case COLLATE_TOO_MUCH:
        fault_set(f->fault, 8623);
        functions_fail(ctx);
        return;
    case COLLATE_MATCH:
        sqlite3_result_int(ctx, 1);
        return;
    default:
        sqlite3_result_int(ctx, 0);
    }
}

/* TOP, OFFSET and FETCH: sg_count(n, number of the error for a negative one) */
static void sg_count(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct functions *f = sqlite3_user_data(ctx);
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_int64(argv[0]) < 0) {
        fault_set(f->fault, sqlite3_value_int(argv[1]));
        functions_fail(ctx);
        return;
    }
    sqlite3_result_value(ctx, argv[0]);
}

/* How deep a row of a recursive CTE is: sg_level(depth, the most; 0: any) */
static void sg_level(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct functions *f = sqlite3_user_data(ctx);
    int most = sqlite3_value_int(argv[1]);
    if (most > 0 && sqlite3_value_int64(argv[0]) > most) {
        fault_set(f->fault, 530, most);
        functions_fail(ctx);
        return;
    }
    sqlite3_result_value(ctx, argv[0]);
}

/* TOP … PERCENT: sg_percent(percent, rows), what part of a row there is counts as one */
static void sg_percent(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct functions *f = sqlite3_user_data(ctx);
    double percent = sqlite3_value_double(argv[0]);
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || !(percent >= 0 && percent <= 100)) {
        fault_set(f->fault, 1031);
        functions_fail(ctx);
        return;
    }
    sqlite3_result_double(ctx, ceil(percent * (double)sqlite3_value_int64(argv[1]) / 100));
}

/* ---- scalar functions ---- */

struct scalar_binding {
    const struct scalar_function *function;
    struct functions *functions;
};

static void scalar_invoke(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const struct scalar_binding *binding = sqlite3_user_data(ctx);
    struct functions *f = binding->functions;
    struct sqltype result = typing_unpack(sqlite3_value_int64(argv[1]));
    struct value args[SCALAR_MAX_ARGS], out = {.type = result, .bytes = {"", 0}};
    size_t count = (size_t)(argc - 2) / 2;
    for (size_t i = 0; i < count; i++) {
        args[i] = functions_read(argv[2 + 2 * i], argv[3 + 2 * i]);
        if (args[i].null && binding->function->strict) {
            sqlite3_result_null(ctx);
            return;
        }
    }
    buf_reset(&f->scratch);
    struct scalar_call call = {&result, (enum collation)sqlite3_value_int(argv[0]), functions_now(f), &f->scratch, f->fault};
    if (binding->function->call(&call, args, count, &out) < 0) {
        functions_fail(ctx);
        return;
    }
    if (buf_status(&f->scratch) < 0) {
        fault_set(f->fault, FAULT_MEMORY);
        functions_fail(ctx);
        return;
    }
    cell_result(ctx, &out);
}

/* ---- collations ---- */

static int compare_ci(void *arg, int a_len, const void *a, int b_len, const void *b)
{
    (void)arg;
    return collate_compare(COLLATION_CI, a, (size_t)a_len, b, (size_t)b_len);
}

static int compare_cs(void *arg, int a_len, const void *a, int b_len, const void *b)
{
    (void)arg;
    return collate_compare(COLLATION_CS, a, (size_t)a_len, b, (size_t)b_len);
}

static int compare_bin2(void *arg, int a_len, const void *a, int b_len, const void *b)
{
    (void)arg;
    return collate_compare(COLLATION_BIN2, a, (size_t)a_len, b, (size_t)b_len);
}

static int compare_instant(void *arg, int a_len, const void *a, int b_len, const void *b)
{
    (void)arg;
    if (a_len < VALUE_DATETIME_LEN || b_len < VALUE_DATETIME_LEN)
        return a_len - b_len;
    return memcmp(a, b, VALUE_DATETIME_LEN);
}

/* ---- registration ---- */

static const struct {
    const char *name;
    int args;
    void (*call)(sqlite3_context *ctx, int argc, sqlite3_value **argv);
} plain_functions[] = {
    {"sg_convert", 4, sg_convert}, {"sg_try_convert", 4, sg_try_convert}, {"sg_arith", -1, sg_arith},
    {"sg_negate", 2, sg_negate},   {"sg_bitnot", 2, sg_bitnot},           {"sg_like", 4, sg_like},
    {"sg_count", 2, sg_count},             {"sg_percent", 2, sg_percent},
    {"sg_level", 2, sg_level},
};

static int register_scalars(sqlite3 *db, struct functions *f)
{
    size_t count;
    const struct scalar_function *all = scalar_all(&count);
    for (size_t i = 0; i < count; i++) {
        struct scalar_binding *binding = sqlite3_malloc(sizeof *binding);
        if (!binding)
            return SQLITE_NOMEM;
        *binding = (struct scalar_binding){&all[i], f};
        char name[64];
        snprintf(name, sizeof name, "fn_%s", all[i].name);
        int flags = SQLITE_UTF8 | (all[i].varying ? 0 : SQLITE_DETERMINISTIC);
        int rc = sqlite3_create_function_v2(db, name, -1, flags, binding, scalar_invoke, NULL, NULL, sqlite3_free);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

int functions_register(sqlite3 *db, struct functions *f)
{
    buf_init(&f->scratch, CONVERT_MAX_BYTES);
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof plain_functions / sizeof plain_functions[0]; i++)
        rc = sqlite3_create_function_v2(db, plain_functions[i].name, plain_functions[i].args, SQLITE_UTF8 | SQLITE_DETERMINISTIC, f,
                                        plain_functions[i].call, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = aggregates_register(db, f);
    static int (*const compare[COLLATIONS])(void *, int, const void *, int, const void *) = {
        [COLLATION_CI] = compare_ci, [COLLATION_CS] = compare_cs, [COLLATION_BIN2] = compare_bin2};
    for (int c = 0; rc == SQLITE_OK && c < COLLATIONS; c++)
        rc = sqlite3_create_collation(db, functions_collation[c], SQLITE_UTF8, NULL, compare[c]);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_collation(db, FUNCTIONS_COLLATION_OFFSET, SQLITE_UTF8, NULL, compare_instant);
    return rc == SQLITE_OK ? register_scalars(db, f) : rc;
}

void functions_set_now(struct functions *f)
{
    clock_gettime(CLOCK_REALTIME, &f->started);
    f->now.bytes.data = NULL;
}

const struct value *functions_now(struct functions *f)
{
    if (f->now.bytes.data)
        return &f->now;
    struct moment m = {.days = MOMENT_DAY_1900 + 25567}; /* 1970-01-01 */
    (void)moment_add_ticks(&m, 0, (int64_t)f->started.tv_sec * MOMENT_TICKS_PER_SECOND + f->started.tv_nsec / 100);
    f->now.type = typing_make(SQLTYPE_DATETIMEOFFSET);
    f->now.null = false;
    char form[MOMENT_TEXT];
    f->now.bytes.len = moment_to_form(m, &f->now.type, form);
    memcpy(f->now_text, form, f->now.bytes.len);
    f->now.bytes.data = f->now_text;
    return &f->now;
}
