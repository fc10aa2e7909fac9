/* The values of literals and parameters, typed as T-SQL types them. */
#include "common/predicate_private.h"
#include "common/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DECIMAL_MAX_DIGITS 38

static size_t count_digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

static bool all_zeros(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] >= '1' && text[i] <= '9')
            return false;
    return true;
}

const char *predicate_type_number(struct predicate *p, const char *text, size_t len, struct predicate_operand *out)
{
    const char *const end = text + len;
    const bool negative = *text == '-';

    if (*text == '+' || *text == '-')
        text++;
    while (end - text > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
        text++;

    /* whole . fraction e exponent */
    const char *const whole = text;
    const size_t whole_len = count_digits(text, (size_t)(end - text));
    text += whole_len;
    const bool point = text < end && *text == '.';
    text += point ? 1 : 0;
    const char *const fraction = text;
    const size_t fraction_len = count_digits(text, (size_t)(end - text));
    text += fraction_len;
    const bool exponent = text < end;
    const bool zero = all_zeros(whole, whole_len) && all_zeros(fraction, fraction_len);

    if (end - whole > PREDICATE_MAX_NUMBER - 3) /* room for a sign and for the zeros of ".5" and "5." */
        return "is too long";

    char number[PREDICATE_MAX_NUMBER + 1];
    size_t n = 0;
    if (negative && (!zero || exponent)) /* only FLOAT has a negative zero */
        number[n++] = '-';
    if (whole_len == 0)
        number[n++] = '0';
    memcpy(number + n, whole, whole_len);
    n += whole_len;
    if (point) {
        number[n++] = '.';
        memcpy(number + n, fraction, fraction_len);
        n += fraction_len;
        if (fraction_len == 0)
            number[n++] = '0';
    }
    memcpy(number + n, text, (size_t)(end - text));
    n += (size_t)(end - text);
    number[n] = '\0';

    out->kind = PREDICATE_NUMBER;
    out->precision = 0;
    out->scale = 0;
    if (exponent) {
        const double v = strtod(number, NULL);
        if (!isfinite(v) || (v == 0 && !zero))
            return "is outside FLOAT";
        out->type = PREDICATE_FLOAT;
    } else if (point) {
        const size_t whole_digits = whole_len == 1 && *whole == '0' ? 0 : whole_len;
        const size_t scale = fraction_len ? fraction_len : 1;
        if (whole_digits + scale > DECIMAL_MAX_DIGITS)
            return "has more than 38 digits";
        out->type = PREDICATE_DECIMAL;
        out->precision = (int)(whole_digits + scale);
        out->scale = (int)scale;
    } else {
        errno = 0;
        const long long v = strtoll(number, NULL, 10);
        if (errno == ERANGE)
            return "is outside BIGINT";
        out->type = v >= INT32_MIN && v <= INT32_MAX ? PREDICATE_INT : PREDICATE_BIGINT;
    }
    out->text = predicate_copy(p, number, n);
    out->len = n;
    return out->text ? NULL : "does not fit into memory";
}

void predicate_type_string(struct predicate_operand *out, bool national, const char *text, size_t len)
{
    out->kind = PREDICATE_STRING;
    out->type = national || !utf8_is_ascii(text, len) ? PREDICATE_NVARCHAR : PREDICATE_VARCHAR;
    out->text = text;
    out->len = len;
}

/* One member of `params`. */
struct param {
    const char *name;
    const struct json_object *value;
    bool used;
};

struct binding {
    struct predicate *p;
    struct param *params; /* sorted by name */
    size_t count;
    struct err *e;
};

static int compare_params(const void *a, const void *b)
{
    return strcasecmp(((const struct param *)a)->name, ((const struct param *)b)->name);
}

static struct param *find_param(const struct binding *b, const char *name)
{
    const struct param key = {.name = name};
    return b->count ? bsearch(&key, b->params, b->count, sizeof *b->params, compare_params) : NULL;
}

/* "params: "name" is not used" */
static int fail_param(const struct binding *b, const char *name, const char *what)
{
    struct buf quoted;

    buf_init(&quoted, ERR_DETAIL_MAX);
    err_quote(&quoted, name, strlen(name));
    err_set(b->e, ERR_BAD_FIELD, "params: %s %s", buf_text(&quoted), what);
    buf_clear(&quoted);
    return -1;
}

static int bind_string(struct binding *b, struct predicate_operand *o, const struct param *param)
{
    size_t len;
    size_t units;
    const char *text = json_string(param->value, &len);

    if (memchr(text, '\0', len))
        return fail_param(b, param->name, "holds NUL");
    if (!utf8_measure(text, len, &units, NULL) || units > PREDICATE_MAX_STRING)
        return fail_param(b, param->name, "is longer than 4000 characters");
    const char *copy = predicate_copy(b->p, text, len);
    if (!copy)
        return err_set(b->e, ERR_INTERNAL, "out of memory");
    predicate_type_string(o, false, copy, len);
    return 0;
}

static int bind_operand(struct binding *b, struct predicate_operand *o)
{
    struct param *param = find_param(b, o->text);

    if (!param)
        return err_set(b->e, ERR_BAD_CONDITION, "condition: @%s at byte %zu has no value in params", o->text, o->offset);
    param->used = true;
    switch (json_kind(param->value)) {
    case JSON_STRING:
        return bind_string(b, o, param);
    case JSON_NUMBER: {
        size_t len;
        const char *text = json_number(param->value, &len);
        const char *wrong = predicate_type_number(b->p, text, len, o);
        return wrong ? fail_param(b, param->name, wrong) : 0;
    }
    case JSON_BOOL:
        o->kind = PREDICATE_NUMBER;
        o->type = PREDICATE_BIT;
        o->text = json_boolean(param->value) ? "1" : "0";
        o->len = 1;
        return 0;
    case JSON_NULL:
        o->kind = PREDICATE_NULLVAL;
        o->text = "";
        o->len = 0;
        return 0;
    default:
        return fail_param(b, param->name, "is neither a string, a number, a boolean nor null");
    }
}

/* LIKE takes strings only, and its ESCAPE one character. */
static int check_like(const struct binding *b, const struct predicate_operand *o, const char *name, bool escape)
{
    size_t units = 0;

    if (o->kind == PREDICATE_NULLVAL && !escape)
        return 0;
    if (o->kind != PREDICATE_STRING)
        return fail_param(b, name, escape ? "must be a string, as ESCAPE wants it" : "must be a string, as LIKE wants it");
    if (escape && (!utf8_measure(o->text, o->len, &units, NULL) || units != 1))
        return fail_param(b, name, "must be one character, as ESCAPE wants it");
    return 0;
}

static int bind_node(struct binding *b, struct predicate_node *n)
{
    for (size_t i = 0; i < n->child_count; i++)
        if (bind_node(b, n->children[i]) < 0)
            return -1;
    for (size_t i = 0; i < n->operand_count; i++) {
        struct predicate_operand *o = &n->operands[i];
        if (o->kind != PREDICATE_PARAM)
            continue;
        const char *name = o->text;
        if (bind_operand(b, o) < 0)
            return -1;
        if (n->op == PREDICATE_LIKE && i > 0 && check_like(b, o, name, i == 2) < 0)
            return -1;
    }
    return 0;
}

/* Makes the sorted table of the members of `params`. */
static int collect_params(struct binding *b, const struct json_object *params)
{
    struct json_iter it = {0};
    const char *name;
    struct json_object *value;

    if (!params)
        return 0;
    if (json_kind(params) != JSON_OBJECT)
        return err_set(b->e, ERR_BAD_FIELD, "params: an object is expected");
    b->params = calloc(PREDICATE_MAX_PARAMETERS, sizeof *b->params);
    if (!b->params)
        return err_set(b->e, ERR_INTERNAL, "out of memory");
    while (json_next(params, &it, &name, &value)) {
        if (b->count == PREDICATE_MAX_PARAMETERS)
            return err_set(b->e, ERR_BAD_FIELD, "params: more than %d values", PREDICATE_MAX_PARAMETERS);
        b->params[b->count++] = (struct param){.name = name, .value = value};
    }
    qsort(b->params, b->count, sizeof *b->params, compare_params);
    for (size_t i = 1; i < b->count; i++)
        if (compare_params(&b->params[i - 1], &b->params[i]) == 0)
            return fail_param(b, b->params[i].name, "is given twice; case makes no difference");
    return 0;
}

int predicate_bind_all(struct predicate *const *list, size_t count, const struct json_object *params, struct err *e)
{
    struct binding b = {.e = e};
    int rc = -1;

    if (collect_params(&b, params) < 0)
        goto out;
    for (size_t i = 0; i < count; i++) {
        b.p = list[i];
        if (b.p && bind_node(&b, b.p->root) < 0)
            goto out;
    }
    for (size_t i = 0; i < b.count; i++) {
        if (!b.params[i].used) {
            fail_param(&b, b.params[i].name, "is not used");
            goto out;
        }
    }
    rc = 0;
out:
    free(b.params);
    return rc;
}

int predicate_bind(struct predicate *p, const struct json_object *params, struct err *e)
{
    return predicate_bind_all(&p, 1, params, e);
}
