#include "fcgi-master/having.h"

#include "common/sqlvalue.h"
#include "common/utf8.h"

#include <string.h>

#define MAX_MEMORY ((size_t)64 << 20) /* bytes of what one test computes */
#define ERROR_CONVERSION 245

enum truth { FALSE, UNKNOWN, TRUE };

struct test {
    const struct having_row *row;
    struct arena memory;
    struct err *e;
};

/* Values */

static struct sqltype literal_type(const struct predicate_operand *o)
{
    static const enum sqltype_kind kinds[] = {
        [PREDICATE_INT] = SQLTYPE_INT,         [PREDICATE_BIGINT] = SQLTYPE_BIGINT,   [PREDICATE_DECIMAL] = SQLTYPE_DECIMAL,
        [PREDICATE_FLOAT] = SQLTYPE_FLOAT,     [PREDICATE_VARCHAR] = SQLTYPE_VARCHAR, [PREDICATE_NVARCHAR] = SQLTYPE_NVARCHAR,
        [PREDICATE_BIT] = SQLTYPE_BIT,
    };
    return (struct sqltype){.kind = kinds[o->type], .length = SQLTYPE_MAX, .precision = o->precision, .scale = o->scale};
}

static int no_memory(struct test *t)
{
    return err_set(t->e, ERR_INTERNAL, "out of memory");
}

/* ---- Functions ---- */

typedef int apply_function(struct test *t, struct having_value *v);

static void set_integer(struct having_value *v, int128 n)
{
    v->cell = (struct cell){.kind = CELL_NUMBER, .number = n};
    v->type = (struct sqltype){.kind = SQLTYPE_INT};
}

static int change_case(struct test *t, struct having_value *v, void (*append)(const char *, size_t, struct buf *))
{
    struct buf text;
    int rc = -1;
    buf_init(&text, CELL_MAX_KEY);
    append(v->cell.text, v->cell.len, &text);
    const char *copy = buf_status(&text) == 0 ? arena_copy(&t->memory, buf_text(&text), text.len) : NULL;
    if (copy != NULL) {
        v->cell.text = copy;
        v->cell.len = text.len;
        rc = 0;
    }
    buf_clear(&text);
    return rc == 0 ? 0 : no_memory(t);
}

static int apply_lower(struct test *t, struct having_value *v)
{
    return change_case(t, v, collate_append_lower);
}

static int apply_upper(struct test *t, struct having_value *v)
{
    return change_case(t, v, collate_append_upper);
}

static int apply_rtrim(struct test *t, struct having_value *v)
{
    (void)t;
    while (v->cell.len > 0 && v->cell.text[v->cell.len - 1] == ' ')
        v->cell.len--;
    return 0;
}

static int apply_ltrim(struct test *t, struct having_value *v)
{
    (void)t;
    for (; v->cell.len > 0 && v->cell.text[0] == ' '; v->cell.len--)
        v->cell.text++;
    return 0;
}

static int apply_len(struct test *t, struct having_value *v)
{
    size_t units = 0;
    (void)apply_rtrim(t, v);
    (void)utf8_measure(v->cell.text, v->cell.len, &units, NULL);
    set_integer(v, (int128)units);
    return 0;
}

static int apply_abs(struct test *t, struct having_value *v)
{
    (void)t;
    if (v->cell.kind == CELL_REAL && v->cell.real < 0)
        v->cell.real = -v->cell.real;
    else if (v->cell.number < 0)
        v->cell.number = -v->cell.number;
    return 0;
}

/* A date's parts are read from the canonical text that dates are compared by no more; so they are counted back. */
static void split_date(int64_t moment, int *year, int *month, int *day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = moment / (INT64_C(86400) * 10000000);
    int64_t cycles = days / 146097; /* of 400 years */
    days %= 146097;
    int y = (int)(cycles * 400) + 1;
    for (;; y++) {
        int length = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0 ? 366 : 365;
        if (days < length)
            break;
        days -= length;
    }
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    int m = 0;
    while (days >= lengths[m] + (m == 1 && leap)) {
        days -= lengths[m] + (m == 1 && leap);
        m++;
    }
    *year = y;
    *month = m + 1;
    *day = (int)days + 1;
}

static int apply_year(struct test *t, struct having_value *v)
{
    int year, month, day;
    (void)t;
    split_date(v->cell.moment, &year, &month, &day);
    set_integer(v, year);
    return 0;
}

static int apply_month(struct test *t, struct having_value *v)
{
    int year, month, day;
    (void)t;
    split_date(v->cell.moment, &year, &month, &day);
    set_integer(v, month);
    return 0;
}

static int apply_day(struct test *t, struct having_value *v)
{
    int year, month, day;
    (void)t;
    split_date(v->cell.moment, &year, &month, &day);
    set_integer(v, day);
    return 0;
}

static bool is_text(const struct having_value *v)
{
    return v->cell.kind == CELL_TEXT;
}

static bool is_number(const struct having_value *v)
{
    return v->cell.kind == CELL_NUMBER || v->cell.kind == CELL_REAL;
}

/* DATETIMEOFFSET's parts are those of its local time, which its instant does not tell. */
static bool is_date(const struct having_value *v)
{
    return v->cell.kind == CELL_MOMENT && v->type.kind != SQLTYPE_TIME && v->type.kind != SQLTYPE_DATETIMEOFFSET;
}

static const struct function {
    apply_function *apply;
    bool (*takes)(const struct having_value *v);
    const char *name;
    bool integer; /* its result */
} functions[] = {
    [PREDICATE_NO_FUNCTION] = {NULL, NULL, "", false},
    [PREDICATE_LOWER] = {apply_lower, is_text, "LOWER", false},
    [PREDICATE_UPPER] = {apply_upper, is_text, "UPPER", false},
    [PREDICATE_LEN] = {apply_len, is_text, "LEN", true},
    [PREDICATE_LTRIM] = {apply_ltrim, is_text, "LTRIM", false},
    [PREDICATE_RTRIM] = {apply_rtrim, is_text, "RTRIM", false},
    [PREDICATE_ABS] = {apply_abs, is_number, "ABS", false},
    [PREDICATE_YEAR] = {apply_year, is_date, "YEAR", true},
    [PREDICATE_MONTH] = {apply_month, is_date, "MONTH", true},
    [PREDICATE_DAY] = {apply_day, is_date, "DAY", true},
};

static int read_operand(struct test *t, const struct predicate_operand *o, struct having_value *out)
{
    *out = (struct having_value){.type = literal_type(o), .collation = COLLATION_CI, .literal = true};
    if (o->kind == PREDICATE_COLUMN)
        t->row->find(t->row->arg, o->text, o->len, out);
    else if (o->kind == PREDICATE_STRING)
        out->cell = (struct cell){.kind = CELL_TEXT, .text = o->text, .len = o->len};
    else if (o->kind == PREDICATE_NUMBER && cell_from_text(&out->type, o->text, o->len, &t->memory, &out->cell) != 0)
        return err_set(t->e, ERR_BAD_CONDITION, "having: the number %.40s cannot be compared over several shards", o->text);
    for (size_t i = 0; i < o->function_count; i++) {
        const struct function *f = &functions[o->functions[i]];
        if (out->cell.kind == CELL_NULL) {
            if (f->integer)
                out->type = (struct sqltype){.kind = SQLTYPE_INT};
            continue;
        }
        if (!f->takes(out))
            return err_set(t->e, ERR_BAD_CONDITION, "having: %s of a value of type %s is not supported over several shards",
                           f->name, sqltype_name(out->type.kind));
        if (f->apply(t, out) != 0)
            return -1;
    }
    return 0;
}

/* ---- Comparison ---- */

static int incomparable(struct test *t, const struct having_value *x, const struct having_value *y)
{
    return err_set(t->e, ERR_BAD_CONDITION, "having: %s and %s cannot be compared over several shards",
                   sqltype_name(x->type.kind), sqltype_name(y->type.kind));
}

/* A string beside a value of another type becomes one of that type. */
static int convert_text(struct test *t, struct having_value *text, const struct having_value *other)
{
    struct err ignored = ERR_INIT;
    struct sqlvalue value;
    int rc = -1;
    if (sqltype_is_binary(&other->type))
        return incomparable(t, text, other);
    sqlvalue_init(&value);
    if (sqlvalue_from_text(&other->type, JSON_STRING, text->cell.text, text->cell.len, &value, &ignored) != 0) {
        err_set(t->e, ERR_BAD_VALUE, "having: '%.40s' is no value of type %s", text->cell.text, sqltype_name(other->type.kind));
        t->e->sql_error = ERROR_CONVERSION;
        goto out;
    }
    text->type = other->type;
    rc = cell_from_text(&other->type, buf_text(&value.text), value.text.len, &t->memory, &text->cell) == 0 ? 0 : no_memory(t);
out:
    sqlvalue_clear(&value);
    return rc;
}

static int meet(struct test *t, struct having_value *x, struct having_value *y)
{
    if (is_text(x) != is_text(y) && convert_text(t, is_text(x) ? x : y, is_text(x) ? y : x) != 0)
        return -1;
    if (is_number(x) && is_number(y))
        return 0;
    bool times = x->type.kind == SQLTYPE_TIME, other_times = y->type.kind == SQLTYPE_TIME;
    bool guid = x->type.kind == SQLTYPE_UNIQUEIDENTIFIER, other_guid = y->type.kind == SQLTYPE_UNIQUEIDENTIFIER;
    if (x->cell.kind != y->cell.kind || times != other_times || guid != other_guid)
        return incomparable(t, x, y);
    if (is_text(x) && !x->literal && !y->literal && x->collation != y->collation)
        return err_set(t->e, ERR_BAD_CONDITION, "having: the collations of the two strings differ");
    return 0;
}

static enum collation common_collation(const struct having_value *x, const struct having_value *y)
{
    return x->literal ? y->collation : x->collation;
}

/* Compares; *known becomes false where one of them is NULL. */
static int compare(struct test *t, struct having_value x, struct having_value y, int *order, bool *known)
{
    *known = x.cell.kind != CELL_NULL && y.cell.kind != CELL_NULL;
    if (!*known)
        return 0;
    if (meet(t, &x, &y) != 0)
        return -1;
    *order = cell_compare(&x.cell, &y.cell, common_collation(&x, &y));
    return 0;
}

static enum truth truth_of(enum predicate_op op, int order)
{
    bool holds = op == PREDICATE_EQ   ? order == 0
                 : op == PREDICATE_NE ? order != 0
                 : op == PREDICATE_LT ? order < 0
                 : op == PREDICATE_LE ? order <= 0
                 : op == PREDICATE_GT ? order > 0
                                      : order >= 0;
    return holds ? TRUE : FALSE;
}

static int test_comparison(struct test *t, enum predicate_op op, const struct having_value *x, const struct predicate_operand *o,
                           enum truth *out)
{
    struct having_value y;
    int order = 0;
    bool known = false;
    if (read_operand(t, o, &y) != 0 || compare(t, *x, y, &order, &known) != 0)
        return -1;
    *out = known ? truth_of(op, order) : UNKNOWN;
    return 0;
}

static enum truth truth_and(enum truth a, enum truth b)
{
    return a < b ? a : b;
}

static enum truth truth_or(enum truth a, enum truth b)
{
    return a > b ? a : b;
}

static enum truth truth_not(enum truth a)
{
    return a == TRUE ? FALSE : a == FALSE ? TRUE : UNKNOWN;
}

static int test_in(struct test *t, const struct predicate_node *n, const struct having_value *x, enum truth *out)
{
    *out = FALSE;
    for (size_t i = 1; i < n->operand_count; i++) {
        enum truth one = UNKNOWN;
        if (test_comparison(t, PREDICATE_EQ, x, &n->operands[i], &one) != 0)
            return -1;
        *out = truth_or(*out, one);
    }
    return 0;
}

static int test_between(struct test *t, const struct predicate_node *n, const struct having_value *x, enum truth *out)
{
    enum truth low = UNKNOWN, high = UNKNOWN;
    if (test_comparison(t, PREDICATE_GE, x, &n->operands[1], &low) != 0 ||
        test_comparison(t, PREDICATE_LE, x, &n->operands[2], &high) != 0)
        return -1;
    *out = truth_and(low, high);
    return 0;
}

static int test_like(struct test *t, const struct predicate_node *n, const struct having_value *x, enum truth *out)
{
    struct having_value pattern;
    uint32_t escape = COLLATE_NO_ESCAPE;
    *out = UNKNOWN;
    if (read_operand(t, &n->operands[1], &pattern) != 0)
        return -1;
    if (x->cell.kind == CELL_NULL || pattern.cell.kind == CELL_NULL)
        return 0;
    if (!is_text(x))
        return err_set(t->e, ERR_BAD_CONDITION, "having: LIKE takes strings only over several shards, not %s", sqltype_name(x->type.kind));
    if (n->operand_count > 2)
        (void)utf8_decode(n->operands[2].text, n->operands[2].len, &escape);
    enum collate_match match = collate_like(common_collation(x, &pattern), x->cell.text, x->cell.len, pattern.cell.text,
                                            pattern.cell.len, escape);
    if (match == COLLATE_TOO_MUCH)
        return err_set(t->e, ERR_BAD_CONDITION, "having: the pattern takes too many steps");
    *out = match == COLLATE_MATCH ? TRUE : FALSE;
    return 0;
}

static int test_leaf(struct test *t, const struct predicate_node *n, enum truth *out)
{
    struct having_value x;
    int rc = 0;
    if (read_operand(t, &n->operands[0], &x) != 0)
        return -1;
    switch (n->op) {
    case PREDICATE_IS_NULL:
        *out = x.cell.kind == CELL_NULL ? TRUE : FALSE;
        break;
    case PREDICATE_IN:
        rc = test_in(t, n, &x, out);
        break;
    case PREDICATE_BETWEEN:
        rc = test_between(t, n, &x, out);
        break;
    case PREDICATE_LIKE:
        rc = test_like(t, n, &x, out);
        break;
    default:
        rc = test_comparison(t, n->op, &x, &n->operands[1], out);
        break;
    }
    if (n->negated)
        *out = truth_not(*out);
    return rc;
}

static int test_node(struct test *t, const struct predicate_node *n, enum truth *out)
{
    if (n->op != PREDICATE_AND && n->op != PREDICATE_OR && n->op != PREDICATE_NOT)
        return test_leaf(t, n, out);
    *out = n->op == PREDICATE_OR ? FALSE : TRUE;
    for (size_t i = 0; i < n->child_count; i++) {
        enum truth one = UNKNOWN;
        if (test_node(t, n->children[i], &one) != 0)
            return -1;
        *out = n->op == PREDICATE_OR ? truth_or(*out, one) : n->op == PREDICATE_AND ? truth_and(*out, one) : truth_not(one);
    }
    return 0;
}

int having_test(const struct predicate *p, const struct having_row *row, bool *keep, struct err *e)
{
    struct test t = {.row = row, .e = e};
    enum truth truth = UNKNOWN;
    arena_init(&t.memory, MAX_MEMORY);
    int rc = test_node(&t, predicate_root(p), &truth);
    *keep = truth == TRUE;
    arena_clear(&t.memory);
    return rc;
}
