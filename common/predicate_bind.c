/* The values of @names. */
#include "common/predicate_private.h"
#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

    if (!utf8_measure(text, len, &units, NULL) || units > PREDICATE_MAX_STRING)
        return fail_param(b, param->name, "is longer than 4000 characters");
    const char *copy = predicate_copy(b->p, text, len);
    if (!copy)
        return err_set(b->e, ERR_INTERNAL, "out of memory");
    predicate_type_string(o, false, copy, len);
    return 0;
}

static int bind_number(struct binding *b, struct predicate_operand *o, const struct param *param)
{
    char number[PREDICATE_MAX_NUMBER + 1];
    size_t len;
    const char *text = json_number(param->value, &len);
    const char *wrong = predicate_type_number(text, len, number, o);

    if (wrong)
        return fail_param(b, param->name, wrong);
    o->text = predicate_copy(b->p, number, o->len);
    return o->text ? 0 : err_set(b->e, ERR_INTERNAL, "out of memory");
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
    case JSON_NUMBER:
        return bind_number(b, o, param);
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
