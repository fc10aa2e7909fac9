/* The aggregates: sums and averages, the variance's family, STRING_AGG. */
#include "tds-server/engine/functions_private.h"

#include "common/collate.h"
#include "tds-server/functions/typing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- SUM and AVG ---- */

enum sum_kind { SUM_INT, SUM_BIGINT, SUM_DECIMAL, SUM_MONEY, SUM_FLOAT };

/* SQLite aligns what it allocates for us to 8 bytes only. */
typedef int128 int128_loose __attribute__((aligned(8)));

struct sum {
    int128_loose exact;
    double real;
    int64_t count;
    bool overflow;
};

static void sum_change(sqlite3_context *ctx, sqlite3_value *cell, enum sum_kind kind, int sign)
{
    struct sum *s = sqlite3_aggregate_context(ctx, sizeof *s);
    if (!s || sqlite3_value_type(cell) == SQLITE_NULL)
        return;
    s->count += sign;
    if (kind == SUM_FLOAT) {
        s->real += sign * sqlite3_value_double(cell);
        return;
    }
    int128 v = sqlite3_value_int64(cell);
    if (kind == SUM_DECIMAL || kind == SUM_MONEY) {
        const void *key = sqlite3_value_blob(cell);
        if (!key || sqlite3_value_bytes(cell) != DECIMAL_KEY_LEN)
            return;
        v = decimal_from_key(key);
    }
    int128 sum = s->exact;
    s->overflow |= __builtin_add_overflow(sum, sign * v, &sum);
    s->exact = sum;
}

static void sum_result(sqlite3_context *ctx, enum sum_kind kind, const struct sum *s)
{
    static const enum sqltype_kind kinds[] = {
        [SUM_INT] = SQLTYPE_INT, [SUM_BIGINT] = SQLTYPE_BIGINT, [SUM_DECIMAL] = SQLTYPE_NUMERIC, [SUM_MONEY] = SQLTYPE_MONEY,
        [SUM_FLOAT] = SQLTYPE_FLOAT};
    struct functions *f = sqlite3_user_data(ctx);
    struct value out = {.type = typing_make(kinds[kind]), .null = !s || s->count == 0};
    bool fits = true;
    if (!out.null && kind == SUM_FLOAT) {
        out.real = s->real;
        fits = isfinite(s->real);
    } else if (!out.null) {
        fits = !s->overflow && (kind == SUM_DECIMAL ? decimal_fits(s->exact, DECIMAL_MAX_DIGITS) : functions_in_range(&out.type, s->exact));
        out.decimal = s->exact;
        out.integer = (int64_t)s->exact;
    }
    if (!fits) {
        fault_set(f->fault, 8115, kind == SUM_DECIMAL ? "numeric" : "expression", typing_name(out.type.kind));
        functions_fail(ctx);
        return;
    }
    cell_result(ctx, &out);
}

#define SUM_FUNCTIONS(name, kind)                                                                                              \
    static void name##_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)                                              \
    {                                                                                                                          \
        (void)argc;                                                                                                            \
        sum_change(ctx, argv[0], kind, 1);                                                                                     \
    }                                                                                                                          \
    static void name##_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv)                                           \
    {                                                                                                                          \
        (void)argc;                                                                                                            \
        sum_change(ctx, argv[0], kind, -1);                                                                                    \
    }                                                                                                                          \
    static void name##_value(sqlite3_context *ctx)                                                                             \
    {                                                                                                                          \
        sum_result(ctx, kind, sqlite3_aggregate_context(ctx, sizeof(struct sum)));                                             \
    }

SUM_FUNCTIONS(sum_int, SUM_INT)
SUM_FUNCTIONS(sum_bigint, SUM_BIGINT)
SUM_FUNCTIONS(sum_decimal, SUM_DECIMAL)
SUM_FUNCTIONS(sum_money, SUM_MONEY)
SUM_FUNCTIONS(sum_float, SUM_FLOAT)

static void sg_average(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct value sum = functions_read(argv[0], argv[2]);
    int64_t count = sqlite3_value_int64(argv[1]);
    struct value out = {.type = typing_unpack(sqlite3_value_int64(argv[3])), .null = sum.null || count == 0};
    struct functions *f = sqlite3_user_data(ctx);
    if (!out.null) {
        switch (typing_class(out.type.kind)) {
        case TYPE_FLOAT:
            out.real = sum.real / (double)count;
            break;
        case TYPE_DECIMAL:
            if (decimal_compute('/', functions_decimal(&sum), (struct decimal){count, 0}, DECIMAL_MAX_DIGITS, out.type.scale,
                                &out.decimal) != DECIMAL_OK) {
                fault_set(f->fault, 8115, "numeric", "numeric");
                functions_fail(ctx);
                return;
            }
            break;
        default:
            out.integer = sum.integer / count;
        }
    }
    cell_result(ctx, &out);
}

/* ---- a scalar subquery ---- */

static void one_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct functions *f = sqlite3_user_data(ctx);
    struct {
        sqlite3_value *value;
    } *one = sqlite3_aggregate_context(ctx, sizeof *one);
    if (!one)
        return;
    if (one->value) {
        fault_set(f->fault, 512);
        functions_fail(ctx);
        return;
    }
    one->value = sqlite3_value_dup(argv[0]);
    if (!one->value)
        sqlite3_result_error_nomem(ctx);
}

static void one_final(sqlite3_context *ctx)
{
    struct {
        sqlite3_value *value;
    } *one = sqlite3_aggregate_context(ctx, 0);
    if (!one || !one->value)
        return;
    sqlite3_result_value(ctx, one->value);
    sqlite3_value_free(one->value);
}

/* ---- VAR, VARP, STDEV, STDEVP ---- */

/* Welford's way: the mean and the sum of squared distances from it, so that large numbers that are close keep their digits. */
struct spread {
    double mean, squares;
    int64_t count;
};

static void spread_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct spread *s = sqlite3_aggregate_context(ctx, sizeof *s);
    if (!s || sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    double x = sqlite3_value_double(argv[0]), before = x - s->mean;
    s->count++;
    s->mean += before / (double)s->count;
    s->squares += before * (x - s->mean);
}

static void spread_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct spread *s = sqlite3_aggregate_context(ctx, sizeof *s);
    if (!s || sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    if (--s->count == 0) {
        *s = (struct spread){0};
        return;
    }
    double x = sqlite3_value_double(argv[0]), before = x - s->mean;
    s->mean -= before / (double)s->count;
    s->squares -= before * (x - s->mean);
}

static void spread_result(sqlite3_context *ctx, bool population, bool root)
{
    struct functions *f = sqlite3_user_data(ctx);
    const struct spread *s = sqlite3_aggregate_context(ctx, sizeof *s);
    int64_t freedom = s ? s->count - !population : 0;
    if (freedom <= 0) {
        sqlite3_result_null(ctx);
        return;
    }
    double squares = s->squares > 0 ? s->squares : 0; /* taking rows away may leave less than nothing */
    double variance = squares / (double)freedom;
    if (!isfinite(variance)) {
        fault_set(f->fault, 8115, "expression", "float");
        functions_fail(ctx);
        return;
    }
    sqlite3_result_double(ctx, root ? sqrt(variance) : variance);
}

static void var_value(sqlite3_context *ctx)
{
    spread_result(ctx, false, false);
}

static void varp_value(sqlite3_context *ctx)
{
    spread_result(ctx, true, false);
}

static void stdev_value(sqlite3_context *ctx)
{
    spread_result(ctx, false, true);
}

static void stdevp_value(sqlite3_context *ctx)
{
    spread_result(ctx, true, true);
}

/* ---- STRING_AGG ---- */

#define MAX_JOINED ((size_t)64 << 20) /* bytes of a result of type MAX */

struct joined;

struct joined_part {
    const struct joined *of;
    sqlite3_value *text;
    sqlite3_value *keys[]; /* of ORDER BY */
};

struct joined {
    struct joined_part **parts;
    size_t count, cap, bytes;
    size_t key_count;
    sqlite3_value *separator;
    struct {
        int collation; /* -1: the bytes as they are */
        bool descending;
    } order[FUNCTIONS_MAX_ORDER];
    bool failed;
};

static void free_part(struct joined_part *p, size_t keys)
{
    sqlite3_value_free(p->text);
    for (size_t i = 0; i < keys; i++)
        sqlite3_value_free(p->keys[i]);
    free(p);
}

/* A part of its own with the row's text and keys; NULL without memory. */
static struct joined_part *make_part(size_t keys, sqlite3_value **argv)
{
    struct joined_part *p = calloc(1, sizeof *p + keys * sizeof p->keys[0]);
    if (!p)
        return NULL;
    p->text = sqlite3_value_dup(argv[0]);
    bool ok = p->text != NULL;
    for (size_t i = 0; i < keys; i++) {
        p->keys[i] = sqlite3_value_dup(argv[3 + 3 * i]);
        ok &= p->keys[i] != NULL;
    }
    if (ok)
        return p;
    free_part(p, keys);
    return NULL;
}

/* sg_join(text, separator, limit in bytes (-1: none), key, collation, descending …) */
static void join_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct functions *f = sqlite3_user_data(ctx);
    struct joined *j = sqlite3_aggregate_context(ctx, sizeof *j);
    if (!j || j->failed || sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    size_t keys = ((size_t)argc - 3) / 3;
    if (j->count == 0) {
        j->key_count = keys;
        j->separator = sqlite3_value_dup(argv[1]);
        for (size_t i = 0; i < keys; i++) {
            j->order[i].collation = sqlite3_value_int(argv[4 + 3 * i]);
            j->order[i].descending = sqlite3_value_int(argv[5 + 3 * i]) != 0;
        }
    }
    if (j->count == j->cap) {
        size_t cap = j->cap ? 2 * j->cap : 16;
        struct joined_part **grown = realloc(j->parts, cap * sizeof(struct joined_part *));
        if (grown) {
            j->parts = grown;
            j->cap = cap;
        }
    }
    struct joined_part *p = j->count < j->cap ? make_part(keys, argv) : NULL;
    j->bytes += (size_t)sqlite3_value_bytes(argv[0]) + (j->count > 0 ? (size_t)sqlite3_value_bytes(argv[1]) : 0);
    if (p) {
        p->of = j;
        j->parts[j->count++] = p;
    }
    int64_t limit = sqlite3_value_int64(argv[2]);
    if (p && j->separator && (limit < 0 ? j->bytes <= MAX_JOINED : j->bytes <= (size_t)limit))
        return;
    j->failed = true;
    fault_set(f->fault, p && j->separator && limit >= 0 ? 9829 : FAULT_MEMORY, "STRING_AGG");
    functions_fail(ctx);
}

static int compare_keys(sqlite3_value *a, sqlite3_value *b, int collation)
{
    int a_type = sqlite3_value_type(a), b_type = sqlite3_value_type(b);
    if (a_type == SQLITE_NULL || b_type == SQLITE_NULL)
        return (a_type != SQLITE_NULL) - (b_type != SQLITE_NULL);
    if (a_type == SQLITE_INTEGER && b_type == SQLITE_INTEGER) {
        int64_t x = sqlite3_value_int64(a), y = sqlite3_value_int64(b);
        return (x > y) - (x < y);
    }
    if (a_type != SQLITE_TEXT && a_type != SQLITE_BLOB) {
        double x = sqlite3_value_double(a), y = sqlite3_value_double(b);
        return (x > y) - (x < y);
    }
    const void *x = sqlite3_value_blob(a), *y = sqlite3_value_blob(b);
    size_t x_len = (size_t)sqlite3_value_bytes(a), y_len = (size_t)sqlite3_value_bytes(b), least = x_len < y_len ? x_len : y_len;
    if (collation >= 0)
        return collate_compare((enum collation)collation, x ? x : "", x_len, y ? y : "", y_len);
    int order = least > 0 ? memcmp(x, y, least) : 0;
    return order != 0 ? order : (x_len > y_len) - (x_len < y_len);
}

static int compare_parts(const void *x, const void *y)
{
    const struct joined_part *a = *(struct joined_part *const *)x, *b = *(struct joined_part *const *)y;
    const struct joined *j = a->of;
    for (size_t i = 0; i < j->key_count; i++) {
        int order = compare_keys(a->keys[i], b->keys[i], j->order[i].collation);
        if (order != 0)
            return j->order[i].descending ? -order : order;
    }
    return 0;
}

static void join_final(sqlite3_context *ctx)
{
    struct functions *f = sqlite3_user_data(ctx);
    struct joined *j = sqlite3_aggregate_context(ctx, 0);
    if (!j || j->count == 0) {
        sqlite3_result_null(ctx);
    } else if (!j->failed) {
        if (j->key_count > 0)
            qsort(j->parts, j->count, sizeof j->parts[0], compare_parts);
        buf_reset(&f->scratch);
        for (size_t i = 0; i < j->count; i++) {
            if (i > 0)
                buf_append(&f->scratch, (const char *)sqlite3_value_text(j->separator), (size_t)sqlite3_value_bytes(j->separator));
            buf_append(&f->scratch, (const char *)sqlite3_value_text(j->parts[i]->text), (size_t)sqlite3_value_bytes(j->parts[i]->text));
        }
        if (buf_status(&f->scratch) < 0) {
            fault_set(f->fault, FAULT_MEMORY);
            functions_fail(ctx);
        } else {
            sqlite3_result_text64(ctx, buf_text(&f->scratch), f->scratch.len, SQLITE_TRANSIENT, SQLITE_UTF8);
        }
    }
    for (size_t i = 0; j && i < j->count; i++)
        free_part(j->parts[i], j->key_count);
    if (j) {
        sqlite3_value_free(j->separator);
        free(j->parts);
    }
}

/* ---- registration ---- */

static const struct {
    const char *name;
    void (*step)(sqlite3_context *ctx, int argc, sqlite3_value **argv);
    void (*value)(sqlite3_context *ctx);
    void (*inverse)(sqlite3_context *ctx, int argc, sqlite3_value **argv);
} window_functions[] = {
    {"sg_sum_int", sum_int_step, sum_int_value, sum_int_inverse},
    {"sg_sum_bigint", sum_bigint_step, sum_bigint_value, sum_bigint_inverse},
    {"sg_sum_decimal", sum_decimal_step, sum_decimal_value, sum_decimal_inverse},
    {"sg_sum_money", sum_money_step, sum_money_value, sum_money_inverse},
    {"sg_sum_float", sum_float_step, sum_float_value, sum_float_inverse},
    {"sg_var", spread_step, var_value, spread_inverse},
    {"sg_varp", spread_step, varp_value, spread_inverse},
    {"sg_stdev", spread_step, stdev_value, spread_inverse},
    {"sg_stdevp", spread_step, stdevp_value, spread_inverse},
};

int aggregates_register(sqlite3 *db, struct functions *f)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC, rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof window_functions / sizeof window_functions[0]; i++)
        rc = sqlite3_create_window_function(db, window_functions[i].name, 1, flags, f, window_functions[i].step, window_functions[i].value,
                                            window_functions[i].value, window_functions[i].inverse, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "sg_average", 4, flags, f, sg_average, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "sg_one", 1, flags, f, NULL, one_step, one_final, NULL);
    return rc == SQLITE_OK ? sqlite3_create_function_v2(db, "sg_join", -1, flags, f, NULL, join_step, join_final, NULL) : rc;
}
