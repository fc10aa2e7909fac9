/* Expressions. Values and conditions are one grammar up to a comparison: a parenthesis may hold either, and only what
 * follows tells. So the productions on the way down return whichever they find, and each operator asks for what it takes.
 */
#include "tds-server/tsql_parser.h"

#include "tds-server/unicode.h"

#include <stdlib.h>
#include <string.h>

#define VARCHAR_MAX_LENGTH 8000
#define NVARCHAR_MAX_LENGTH 4000
#define MONEY_MAX 922337203685477 /* whole units */
#define MONEY_MAX_FRACTION 5807   /* ten-thousandths of the largest */

static struct tsql_expr *parse_expr(struct tsql_parser *p, bool conditions);
static struct tsql_expr *parse_multiplicative(struct tsql_parser *p, bool conditions);
static struct tsql_expr *parse_additive(struct tsql_parser *p, bool conditions);

struct tsql_expr *tsql_new_expr(struct tsql_parser *p, enum tsql_expr_kind kind, int line)
{
    struct tsql_expr *e = TSQL_NEW(p, struct tsql_expr);
    if (e == NULL)
        return NULL;
    e->kind = kind;
    e->line = line;
    e->depth = 1;
    return e;
}

static void grow(int *depth, int child)
{
    if (*depth <= child)
        *depth = child + 1;
}

/* `e` with the depth of its children a, b, c and query counted; NULL when that is too deep. */
static struct tsql_expr *finish(struct tsql_parser *p, struct tsql_expr *e)
{
    if (e->a != NULL)
        grow(&e->depth, e->a->depth);
    if (e->b != NULL)
        grow(&e->depth, e->b->depth);
    if (e->c != NULL)
        grow(&e->depth, e->c->depth);
    if (e->query != NULL)
        grow(&e->depth, e->query->depth);
    return tsql_check_depth(p, e->depth) == 0 ? e : NULL;
}

bool tsql_expr_is_condition(const struct tsql_expr *e)
{
    return e->kind >= TSQL_AND;
}

/* Passes a condition on; NULL (4145) for a value. */
static struct tsql_expr *require_condition(struct tsql_parser *p, struct tsql_expr *e)
{
    if (e == NULL || tsql_expr_is_condition(e))
        return e;
    struct tsql_text near = p->token.kind == TOKEN_END ? p->last : p->token.source;
    tsql_fail(p, 4145, p->token.line,
              "An expression of non-boolean type specified in a context where a condition is expected, near '%.*s'.",
              tsql_error_cut(near.len, near.data), near.data);
    return NULL;
}

/* Passes a value on; NULL (102) for a condition. */
static struct tsql_expr *require_value(struct tsql_parser *p, struct tsql_expr *e)
{
    if (e == NULL || !tsql_expr_is_condition(e))
        return e;
    tsql_fail_here(p);
    return NULL;
}

/* ── Literals ── */

/* NUMERIC(p, s) for digits with at most one point; false when 38 digits are not enough. */
static bool decimal_type(struct tsql_text text, struct sqltype *out)
{
    int whole = 0, fraction = 0;
    bool point = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '.')
            point = true;
        else if (point)
            fraction++;
        else if (whole > 0 || text.data[i] != '0')
            whole++;
        if (whole + fraction > SQLTYPE_MAX_PRECISION)
            return false;
    }
    *out = (struct sqltype){.kind = SQLTYPE_NUMERIC, .precision = whole + fraction > 0 ? whole + fraction : 1, .scale = fraction};
    return true;
}

static bool fits_int(struct tsql_text text)
{
    struct sqltype type;
    return decimal_type(text, &type) && type.precision <= 10 && strtoll(text.data, NULL, 10) <= INT32_MAX;
}

static bool fits_money(struct tsql_text text)
{
    struct sqltype type;
    size_t sign = text.len > 0 && text.data[0] == '-';
    struct tsql_text digits = {text.data + sign, text.len - sign};
    if (!decimal_type(digits, &type))
        return false;
    long long whole = strtoll(digits.data, NULL, 10);
    if (whole != MONEY_MAX)
        return whole < MONEY_MAX;
    const char *point = memchr(digits.data, '.', digits.len);
    char four[5] = "0000";
    for (size_t i = 0; point != NULL && i < 4 && point[i + 1] >= '0' && point[i + 1] <= '9'; i++)
        four[i] = point[i + 1];
    return strtol(four, NULL, 10) <= MONEY_MAX_FRACTION;
}

static struct sqltype text_type(enum sqltype_kind kind, size_t units, size_t limit)
{
    struct sqltype type = {.kind = kind, .length = SQLTYPE_MAX};
    if (units <= limit)
        type.length = units > 0 ? (int)units : 1;
    return type;
}

static int fail_number(struct tsql_parser *p)
{
    struct tsql_text s = p->token.source;
    return tsql_fail(p, 1007, p->token.line, "The number '%.*s' is out of the range for numeric representation (maximum precision 38).",
                     tsql_error_cut(s.len, s.data), s.data);
}

static int read_literal(struct tsql_parser *p, struct tsql_literal *out)
{
    const struct tsql_token *t = &p->token;
    out->text = t->text;
    switch (t->kind) {
    case TOKEN_INTEGER:
    case TOKEN_DECIMAL:
        out->kind = TSQL_DECIMAL;
        if (!decimal_type(t->text, &out->type))
            return fail_number(p);
        if (t->kind == TOKEN_INTEGER && fits_int(t->text)) {
            out->kind = TSQL_INT;
            out->type = (struct sqltype){.kind = SQLTYPE_INT};
        }
        return 0;
    case TOKEN_FLOAT:
        out->kind = TSQL_FLOAT;
        out->type = (struct sqltype){.kind = SQLTYPE_FLOAT};
        return 0;
    case TOKEN_MONEY:
        out->kind = TSQL_MONEY;
        out->type = (struct sqltype){.kind = SQLTYPE_MONEY, .precision = 19, .scale = 4};
        return fits_money(t->text) ? 0 : fail_number(p);
    case TOKEN_STRING:
    case TOKEN_QUOTED:
        out->kind = TSQL_STRING;
        out->type = text_type(SQLTYPE_VARCHAR, unicode_units(t->text.data, t->text.len), VARCHAR_MAX_LENGTH);
        return 0;
    case TOKEN_NSTRING:
        out->kind = TSQL_NSTRING;
        out->type = text_type(SQLTYPE_NVARCHAR, unicode_units(t->text.data, t->text.len), NVARCHAR_MAX_LENGTH);
        return 0;
    case TOKEN_HEX:
        out->kind = TSQL_BINARY_LITERAL;
        out->type = text_type(SQLTYPE_VARBINARY, t->text.len, VARCHAR_MAX_LENGTH);
        return 0;
    default: /* NULL */
        out->kind = TSQL_NULL;
        out->text = (struct tsql_text){0};
        out->type = (struct sqltype){.kind = SQLTYPE_INT};
        return 0;
    }
}

bool tsql_at_literal(const struct tsql_parser *p)
{
    switch (p->token.kind) {
    case TOKEN_INTEGER:
    case TOKEN_DECIMAL:
    case TOKEN_FLOAT:
    case TOKEN_MONEY:
    case TOKEN_HEX:
        return true;
    default:
        return tsql_at_string(p) || tsql_at_word(p, WORD_NULL);
    }
}

/* literal := number | money | string | 0x… | NULL */
static struct tsql_expr *parse_plain_literal(struct tsql_parser *p)
{
    struct tsql_expr *e = tsql_new_expr(p, TSQL_LITERAL, p->token.line);
    if (e == NULL || read_literal(p, &e->literal) != 0)
        return NULL;
    tsql_advance(p);
    return e;
}

/* signed := [+|-] literal */
struct tsql_expr *tsql_parse_literal(struct tsql_parser *p)
{
    struct tsql_expr *sign = NULL;
    if (tsql_at(p, '-')) {
        sign = tsql_new_expr(p, TSQL_UNARY, p->token.line);
        if (sign == NULL)
            return NULL;
        sign->op = TSQL_NEGATE;
    }
    if (tsql_at(p, '-') || tsql_at(p, '+'))
        tsql_advance(p);
    if (!tsql_at_literal(p)) {
        tsql_fail_here(p);
        return NULL;
    }
    struct tsql_expr *e = parse_plain_literal(p);
    if (sign == NULL || e == NULL)
        return e;
    sign->a = e;
    return finish(p, sign);
}

/* ── Functions ── */

static const struct {
    const char *name;
    enum tsql_datepart part;
} dateparts[] = {
    {"year", TSQL_YEAR},          {"yy", TSQL_YEAR},           {"yyyy", TSQL_YEAR},
    {"quarter", TSQL_QUARTER},    {"qq", TSQL_QUARTER},        {"q", TSQL_QUARTER},
    {"month", TSQL_MONTH},        {"mm", TSQL_MONTH},          {"m", TSQL_MONTH},
    {"dayofyear", TSQL_DAYOFYEAR}, {"dy", TSQL_DAYOFYEAR},     {"y", TSQL_DAYOFYEAR},
    {"day", TSQL_DAY},            {"dd", TSQL_DAY},            {"d", TSQL_DAY},
    {"week", TSQL_WEEK},          {"wk", TSQL_WEEK},           {"ww", TSQL_WEEK},
    {"iso_week", TSQL_ISO_WEEK},  {"isowk", TSQL_ISO_WEEK},    {"isoww", TSQL_ISO_WEEK},
    {"weekday", TSQL_WEEKDAY},    {"dw", TSQL_WEEKDAY},        {"w", TSQL_WEEKDAY},
    {"hour", TSQL_HOUR},          {"hh", TSQL_HOUR},           {"minute", TSQL_MINUTE},
    {"mi", TSQL_MINUTE},          {"n", TSQL_MINUTE},          {"second", TSQL_SECOND},
    {"ss", TSQL_SECOND},          {"s", TSQL_SECOND},          {"millisecond", TSQL_MILLISECOND},
    {"ms", TSQL_MILLISECOND},     {"microsecond", TSQL_MICROSECOND}, {"mcs", TSQL_MICROSECOND},
    {"nanosecond", TSQL_NANOSECOND}, {"ns", TSQL_NANOSECOND},  {"tzoffset", TSQL_TZOFFSET},
    {"tz", TSQL_TZOFFSET},
};

static const char *const datepart_functions[] = {"DATEADD", "DATEDIFF", "DATEDIFF_BIG", "DATENAME", "DATEPART", "DATETRUNC"};

static bool takes_datepart(struct tsql_text name)
{
    for (size_t i = 0; i < sizeof(datepart_functions) / sizeof(datepart_functions[0]); i++) {
        if (tsql_text_equals(name, datepart_functions[i]))
            return true;
    }
    return false;
}

/* datepart := year | yy | … */
static struct tsql_expr *parse_datepart(struct tsql_parser *p, struct tsql_text function)
{
    struct tsql_expr *e = tsql_new_expr(p, TSQL_DATEPART, p->token.line);
    struct tsql_text name;
    if (e == NULL || tsql_parse_name(p, &name) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(dateparts) / sizeof(dateparts[0]); i++) {
        if (tsql_text_equals(name, dateparts[i].name)) {
            e->datepart = dateparts[i].part;
            return e;
        }
    }
    tsql_fail(p, 155, e->line, "'%.*s' is not a recognized %s option.", tsql_error_cut(name.len, name.data), name.data, function.data);
    return NULL;
}

/* values := value {',' value}      (DEFAULT too when `defaults`) */
int tsql_parse_values(struct tsql_parser *p, bool defaults, struct tsql_expr **list, size_t *count, int *depth)
{
    struct tsql_expr **end = list;
    do {
        struct tsql_expr *e;
        if (defaults && tsql_at_word(p, WORD_DEFAULT)) {
            e = tsql_new_expr(p, TSQL_DEFAULT, p->token.line);
            tsql_advance(p);
        } else {
            e = tsql_parse_value(p);
        }
        if (e == NULL)
            return -1;
        *end = e;
        end = &e->next;
        ++*count;
        grow(depth, e->depth);
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* bound := UNBOUNDED (PRECEDING | FOLLOWING) | CURRENT ROW | value (PRECEDING | FOLLOWING) */
static int parse_bound(struct tsql_parser *p, struct tsql_bound *out, int *depth)
{
    if (tsql_take_word(p, WORD_CURRENT)) {
        out->kind = TSQL_CURRENT_ROW;
        return tsql_expect_word(p, WORD_ROW);
    }
    bool unbounded = tsql_take_word(p, WORD_UNBOUNDED);
    if (!unbounded) {
        out->offset = tsql_parse_value(p);
        if (out->offset == NULL)
            return -1;
        grow(depth, out->offset->depth);
    }
    if (tsql_take_word(p, WORD_PRECEDING)) {
        out->kind = unbounded ? TSQL_UNBOUNDED_PRECEDING : TSQL_PRECEDING;
        return 0;
    }
    out->kind = unbounded ? TSQL_UNBOUNDED_FOLLOWING : TSQL_FOLLOWING;
    return tsql_expect_word(p, WORD_FOLLOWING);
}

/* frame := (ROWS | RANGE) (bound | BETWEEN bound AND bound) */
static int parse_frame(struct tsql_parser *p, struct tsql_window *w, int *depth)
{
    if (!tsql_at_word(p, WORD_ROWS) && !tsql_at_word(p, WORD_RANGE))
        return 0;
    w->has_frame = true;
    w->range = tsql_at_word(p, WORD_RANGE);
    tsql_advance(p);
    if (!tsql_take_word(p, WORD_BETWEEN)) {
        w->end.kind = TSQL_CURRENT_ROW;
        return parse_bound(p, &w->start, depth);
    }
    if (parse_bound(p, &w->start, depth) != 0 || tsql_expect_word(p, WORD_AND) != 0)
        return -1;
    return parse_bound(p, &w->end, depth);
}

/* over := OVER '(' [PARTITION BY values] [ORDER order] [frame] ')' */
static int parse_over(struct tsql_parser *p, struct tsql_call *call, int *depth)
{
    struct tsql_window *w = TSQL_NEW(p, struct tsql_window);
    size_t count = 0;
    tsql_advance(p);
    if (w == NULL || tsql_expect(p, '(') != 0)
        return -1;
    call->over = w;
    if (tsql_take_word(p, WORD_PARTITION)) {
        if (tsql_expect_word(p, WORD_BY) != 0 || tsql_parse_values(p, false, &w->partition_by, &count, depth) != 0)
            return -1;
    }
    if (tsql_take_word(p, WORD_ORDER) && tsql_parse_order(p, &w->order_by, depth) != 0)
        return -1;
    if (parse_frame(p, w, depth) != 0)
        return -1;
    return tsql_expect(p, ')');
}

/* trim := [LEADING | TRAILING | BOTH] value [FROM value]      (the sides are refused) */
static int parse_trim(struct tsql_parser *p, struct tsql_call *call, int *depth)
{
    if (tsql_at_word(p, WORD_LEADING) || tsql_at_word(p, WORD_TRAILING))
        return tsql_refuse_clause(p, tsql_at_word(p, WORD_LEADING) ? "TRIM LEADING" : "TRIM TRAILING");
    tsql_take_word(p, WORD_BOTH);
    struct tsql_expr *first = tsql_parse_value(p);
    if (first == NULL)
        return -1;
    grow(depth, first->depth);
    call->args = first;
    call->arg_count = 1;
    if (tsql_take_word(p, WORD_FROM)) {
        struct tsql_expr *text = tsql_parse_value(p);
        if (text == NULL)
            return -1;
        grow(depth, text->depth);
        call->args = text;
        call->arg_count = 2;
        text->next = first;
    }
    return 0;
}

/* arguments := '*' | [ALL | DISTINCT] [values] */
static int parse_arguments(struct tsql_parser *p, struct tsql_call *call, int *depth)
{
    if (tsql_at(p, ')'))
        return 0;
    if (tsql_at(p, '*')) {
        call->star = true;
        tsql_advance(p);
        return 0;
    }
    if (call->schema.len == 0 && tsql_text_equals(call->name, "TRIM"))
        return parse_trim(p, call, depth);
    if (tsql_take_word(p, WORD_DISTINCT))
        call->distinct = true;
    else
        tsql_take_word(p, WORD_ALL);
    if (call->schema.len > 0 || !takes_datepart(call->name))
        return tsql_parse_values(p, false, &call->args, &call->arg_count, depth);
    call->args = parse_datepart(p, call->name);
    if (call->args == NULL)
        return -1;
    call->arg_count = 1;
    if (!tsql_take(p, ','))
        return 0;
    return tsql_parse_values(p, false, &call->args->next, &call->arg_count, depth);
}

/* call := [schema '.'] name '(' arguments ')' [WITHIN GROUP '(' ORDER order ')'] [over] */
static struct tsql_expr *parse_call(struct tsql_parser *p, struct tsql_text schema, struct tsql_text name, int line)
{
    struct tsql_expr *e = tsql_new_expr(p, TSQL_CALL, line);
    struct tsql_call *call = TSQL_NEW(p, struct tsql_call);
    if (e == NULL || call == NULL)
        return NULL;
    e->call = call;
    call->schema = schema;
    call->name = name;
    if (tsql_expect(p, '(') != 0 || parse_arguments(p, call, &e->depth) != 0 || tsql_expect(p, ')') != 0)
        return NULL;
    if (tsql_take_word(p, WORD_WITHIN)) {
        if (tsql_expect_word(p, WORD_GROUP) != 0 || tsql_expect(p, '(') != 0 || tsql_expect_word(p, WORD_ORDER) != 0 ||
            tsql_parse_order(p, &call->within_group, &e->depth) != 0 || tsql_expect(p, ')') != 0)
            return NULL;
    }
    if (tsql_at_word(p, WORD_OVER) && parse_over(p, call, &e->depth) != 0)
        return NULL;
    return finish(p, e);
}

static struct tsql_text copy_source(struct tsql_parser *p, struct tsql_text source)
{
    char *copy = arena_copy(p->arena, source.data, source.len);
    if (copy == NULL)
        tsql_fail(p, TSQL_ERROR_MEMORY, p->token.line, "There is insufficient system memory to run this query.");
    return (struct tsql_text){copy, source.len};
}

/* word_call := COALESCE … | NULLIF … | LEFT … | RIGHT …      (reserved words that are functions) */
static struct tsql_expr *parse_word_call(struct tsql_parser *p)
{
    int line = p->token.line;
    struct tsql_text name = copy_source(p, p->token.source);
    tsql_advance(p);
    return parse_call(p, (struct tsql_text){0}, name, line);
}

/* bare_call := CURRENT_TIMESTAMP | CURRENT_USER | SESSION_USER | SYSTEM_USER | USER */
static struct tsql_expr *parse_bare_call(struct tsql_parser *p)
{
    struct tsql_expr *e = tsql_new_expr(p, TSQL_CALL, p->token.line);
    struct tsql_call *call = TSQL_NEW(p, struct tsql_call);
    if (e == NULL || call == NULL)
        return NULL;
    e->call = call;
    call->name = copy_source(p, p->token.source);
    tsql_advance(p);
    return p->failed ? NULL : e;
}

/* when := WHEN (condition | value) THEN value */
static int parse_when(struct tsql_parser *p, bool searched, struct tsql_when **out, int *depth)
{
    struct tsql_when *w = TSQL_NEW(p, struct tsql_when);
    tsql_advance(p);
    if (w == NULL)
        return -1;
    w->when = searched ? tsql_parse_condition(p) : tsql_parse_value(p);
    if (w->when == NULL || tsql_expect_word(p, WORD_THEN) != 0)
        return -1;
    w->then = tsql_parse_value(p);
    if (w->then == NULL)
        return -1;
    grow(depth, w->when->depth);
    grow(depth, w->then->depth);
    *out = w;
    return 0;
}

/* case := CASE [value] when {when} [ELSE value] END */
static struct tsql_expr *parse_case(struct tsql_parser *p)
{
    struct tsql_expr *e = tsql_new_expr(p, TSQL_CASE, p->token.line);
    tsql_advance(p);
    if (e == NULL)
        return NULL;
    if (!tsql_at_word(p, WORD_WHEN)) {
        e->a = tsql_parse_value(p);
        if (e->a == NULL)
            return NULL;
    }
    struct tsql_when **end = &e->whens;
    do {
        if (!tsql_at_word(p, WORD_WHEN)) {
            tsql_fail_here(p);
            return NULL;
        }
        if (parse_when(p, e->a == NULL, end, &e->depth) != 0)
            return NULL;
        end = &(*end)->next;
    } while (tsql_at_word(p, WORD_WHEN));
    if (tsql_take_word(p, WORD_ELSE)) {
        e->otherwise = tsql_parse_value(p);
        if (e->otherwise == NULL)
            return NULL;
        grow(&e->depth, e->otherwise->depth);
    }
    return tsql_expect_word(p, WORD_END) == 0 ? finish(p, e) : NULL;
}

/* iif := IIF '(' condition ',' value ',' value ')'      (a CASE) */
static struct tsql_expr *parse_iif(struct tsql_parser *p)
{
    struct tsql_expr *e = tsql_new_expr(p, TSQL_CASE, p->token.line);
    struct tsql_when *w = TSQL_NEW(p, struct tsql_when);
    tsql_advance(p);
    if (e == NULL || w == NULL || tsql_expect(p, '(') != 0)
        return NULL;
    e->whens = w;
    w->when = tsql_parse_condition(p);
    if (w->when == NULL || tsql_expect(p, ',') != 0)
        return NULL;
    w->then = tsql_parse_value(p);
    if (w->then == NULL || tsql_expect(p, ',') != 0)
        return NULL;
    e->otherwise = tsql_parse_value(p);
    if (e->otherwise == NULL || tsql_expect(p, ')') != 0)
        return NULL;
    grow(&e->depth, w->when->depth);
    grow(&e->depth, w->then->depth);
    grow(&e->depth, e->otherwise->depth);
    return finish(p, e);
}

static struct tsql_expr *new_cast(struct tsql_parser *p, enum tsql_cast_kind kind, int line)
{
    struct tsql_expr *e = tsql_new_expr(p, TSQL_CAST, line);
    if (e == NULL)
        return NULL;
    e->cast = TSQL_NEW(p, struct tsql_cast);
    if (e->cast == NULL)
        return NULL;
    e->cast->kind = kind;
    return e;
}

/* cast := (CAST | TRY_CAST) '(' value AS type ')' */
static struct tsql_expr *parse_cast(struct tsql_parser *p)
{
    struct tsql_expr *e = new_cast(p, tsql_at_word(p, WORD_CAST) ? TSQL_CAST_PLAIN : TSQL_CAST_TRY, p->token.line);
    tsql_advance(p);
    if (e == NULL || tsql_expect(p, '(') != 0)
        return NULL;
    e->cast->value = tsql_parse_value(p);
    if (e->cast->value == NULL || tsql_expect_word(p, WORD_AS) != 0 || tsql_parse_type(p, false, &e->cast->type) != 0 ||
        tsql_expect(p, ')') != 0)
        return NULL;
    grow(&e->depth, e->cast->value->depth);
    return finish(p, e);
}

/* convert := (CONVERT | TRY_CONVERT) '(' type ',' value [',' value] ')' */
static struct tsql_expr *parse_convert(struct tsql_parser *p)
{
    struct tsql_expr *e = new_cast(p, tsql_at_word(p, WORD_CONVERT) ? TSQL_CAST_PLAIN : TSQL_CAST_TRY, p->token.line);
    tsql_advance(p);
    if (e == NULL || tsql_expect(p, '(') != 0 || tsql_parse_type(p, false, &e->cast->type) != 0 || tsql_expect(p, ',') != 0)
        return NULL;
    e->cast->value = tsql_parse_value(p);
    if (e->cast->value == NULL)
        return NULL;
    grow(&e->depth, e->cast->value->depth);
    if (tsql_take(p, ',')) {
        e->cast->style = tsql_parse_value(p);
        if (e->cast->style == NULL)
            return NULL;
        grow(&e->depth, e->cast->style->depth);
    }
    return tsql_expect(p, ')') == 0 ? finish(p, e) : NULL;
}

/* escape := '{' FN value '}' | '{' (D | T | TS | GUID) string '}'      (ODBC's) */
static struct tsql_expr *parse_escape(struct tsql_parser *p)
{
    static const struct {
        enum tsql_keyword word;
        struct sqltype type;
    } rows[] = {
        {WORD_D, {.kind = SQLTYPE_DATETIME, .scale = 3}},
        {WORD_T, {.kind = SQLTYPE_TIME, .scale = 7}},
        {WORD_TS, {.kind = SQLTYPE_DATETIME, .scale = 3}},
        {WORD_GUID, {.kind = SQLTYPE_UNIQUEIDENTIFIER}},
    };
    struct tsql_expr *e;
    int line = p->token.line;
    tsql_advance(p);
    if (tsql_take_word(p, WORD_FN)) {
        e = tsql_parse_value(p);
        return e != NULL && tsql_expect(p, '}') == 0 ? e : NULL;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!tsql_take_word(p, rows[i].word))
            continue;
        if (!tsql_at_string(p))
            break;
        e = new_cast(p, TSQL_CAST_PLAIN, line);
        if (e == NULL)
            return NULL;
        e->cast->type.type = rows[i].type;
        e->cast->value = parse_plain_literal(p);
        e->depth++;
        return e->cast->value != NULL && tsql_expect(p, '}') == 0 ? e : NULL;
    }
    tsql_fail_here(p);
    return NULL;
}

/* ── Operands ── */

/* named := [[[database '.'] schema '.'] table '.'] name | call */
static struct tsql_expr *parse_named(struct tsql_parser *p)
{
    struct tsql_name name;
    int line = p->token.line;
    if (tsql_parse_object_name(p, &name) != 0)
        return NULL;
    if (tsql_at(p, '(')) {
        if (name.database.len > 0) {
            tsql_fail_here(p);
            return NULL;
        }
        return parse_call(p, name.schema, name.name, line);
    }
    if (tsql_at(p, TOKEN_COLONS)) {
        tsql_refuse_clause(p, "::");
        return NULL;
    }
    struct tsql_expr *e = tsql_new_expr(p, TSQL_COLUMN, line);
    if (e == NULL)
        return NULL;
    e->column = (struct tsql_column_ref){name.server, name.database, name.schema, name.name};
    return e;
}

static struct tsql_expr *parse_text_leaf(struct tsql_parser *p, enum tsql_expr_kind kind)
{
    struct tsql_expr *e = tsql_new_expr(p, kind, p->token.line);
    if (e == NULL)
        return NULL;
    e->text = p->token.text;
    tsql_advance(p);
    return p->failed ? NULL : e;
}

/* parenthesis := '(' query ')' | '(' condition ')' | '(' value ')' */
static struct tsql_expr *parse_parenthesis(struct tsql_parser *p, bool conditions)
{
    const struct tsql_token *next = tsql_peek(p);
    struct tsql_expr *e;
    if (next->kind == TOKEN_WORD && (next->word == WORD_SELECT || next->word == WORD_WITH)) {
        e = tsql_new_expr(p, TSQL_SUBQUERY, p->token.line);
        if (e == NULL)
            return NULL;
        e->query = tsql_parse_subquery(p);
        return e->query != NULL ? finish(p, e) : NULL;
    }
    tsql_advance(p);
    e = parse_expr(p, conditions);
    return e != NULL && tsql_expect(p, ')') == 0 ? e : NULL;
}

static const struct {
    enum tsql_keyword word;
    struct tsql_expr *(*parse)(struct tsql_parser *p);
} word_operands[] = {
    {WORD_CASE, parse_case},
    {WORD_CAST, parse_cast},
    {WORD_TRY_CAST, parse_cast},
    {WORD_CONVERT, parse_convert},
    {WORD_TRY_CONVERT, parse_convert},
    {WORD_IIF, parse_iif},
    {WORD_COALESCE, parse_word_call},
    {WORD_NULLIF, parse_word_call},
    {WORD_LEFT, parse_word_call},
    {WORD_RIGHT, parse_word_call},
    {WORD_CURRENT_TIMESTAMP, parse_bare_call},
    {WORD_CURRENT_USER, parse_bare_call},
    {WORD_SESSION_USER, parse_bare_call},
    {WORD_SYSTEM_USER, parse_bare_call},
    {WORD_USER, parse_bare_call},
};

static const struct {
    enum tsql_keyword word;
    const char *name;
} refused_operands[] = {
    {WORD_CONTAINS, "CONTAINS"},   {WORD_FREETEXT, "FREETEXT"}, {WORD_PARSE, "PARSE"},
    {WORD_TRY_PARSE, "TRY_PARSE"}, {WORD_IDENTITY, "IDENTITY"}, {WORD_TSEQUAL, "TSEQUAL"},
};

/* operand := literal | variable | escape | parenthesis | case | cast | convert | iif | call | column */
static struct tsql_expr *parse_operand(struct tsql_parser *p, bool conditions)
{
    if (tsql_at_literal(p))
        return parse_plain_literal(p);
    if (tsql_at(p, TOKEN_VARIABLE))
        return parse_text_leaf(p, TSQL_VARIABLE);
    if (tsql_at(p, TOKEN_GLOBAL))
        return parse_text_leaf(p, TSQL_GLOBAL);
    if (tsql_at(p, '{'))
        return parse_escape(p);
    if (tsql_at(p, '('))
        return parse_parenthesis(p, conditions);
    bool callable = p->token.kind == TOKEN_WORD && (p->token.reserved || tsql_peek(p)->kind == '(');
    for (size_t i = 0; callable && i < sizeof(word_operands) / sizeof(word_operands[0]); i++) {
        if (tsql_at_word(p, word_operands[i].word))
            return word_operands[i].parse(p);
    }
    for (size_t i = 0; callable && i < sizeof(refused_operands) / sizeof(refused_operands[0]); i++) {
        if (tsql_at_word_then(p, refused_operands[i].word, '(')) {
            tsql_refuse_clause(p, refused_operands[i].name);
            return NULL;
        }
    }
    return parse_named(p);
}

/* collated := operand { COLLATE name } */
static struct tsql_expr *parse_collated(struct tsql_parser *p, bool conditions)
{
    struct tsql_expr *e = parse_operand(p, conditions);
    while (e != NULL && tsql_at_word(p, WORD_COLLATE)) {
        struct tsql_expr *collate = tsql_new_expr(p, TSQL_COLLATE, p->token.line);
        if (collate == NULL || require_value(p, e) == NULL)
            return NULL;
        tsql_advance(p);
        collate->a = e;
        if (tsql_parse_name(p, &collate->text) != 0)
            return NULL;
        e = finish(p, collate);
    }
    if (e != NULL && tsql_at_words(p, WORD_AT, WORD_TIME)) {
        tsql_refuse_clause(p, "AT TIME ZONE");
        return NULL;
    }
    return e;
}

/* ── Operators ── */

/* unary := '~' unary | ('-' | '+') multiplicative | collated
 *
 * A sign binds less tightly than multiplication, as in SQL Server: a / -b * c is a / -(b * c). */
static struct tsql_expr *parse_unary(struct tsql_parser *p, bool conditions)
{
    enum tsql_op op = tsql_at(p, '~') ? TSQL_BIT_NOT : tsql_at(p, '-') ? TSQL_NEGATE : tsql_at(p, '+') ? TSQL_PLUS : TSQL_NO_OP;
    if (op == TSQL_NO_OP)
        return parse_collated(p, conditions);
    struct tsql_expr *e = tsql_new_expr(p, TSQL_UNARY, p->token.line);
    if (e == NULL || tsql_enter(p) != 0)
        return NULL;
    tsql_advance(p);
    e->op = op;
    e->a = require_value(p, op == TSQL_BIT_NOT ? parse_unary(p, false) : parse_multiplicative(p, false));
    tsql_leave(p);
    return e->a != NULL ? finish(p, e) : NULL;
}

static struct tsql_expr *join(struct tsql_parser *p, enum tsql_expr_kind kind, enum tsql_op op, struct tsql_expr *a, struct tsql_expr *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    struct tsql_expr *e = tsql_new_expr(p, kind, a->line);
    if (e == NULL)
        return NULL;
    e->op = op;
    e->a = a;
    e->b = b;
    return finish(p, e);
}

/* multiplicative := unary { ('*' | '/' | '%') unary } */
static struct tsql_expr *parse_multiplicative(struct tsql_parser *p, bool conditions)
{
    struct tsql_expr *e = parse_unary(p, conditions);
    for (;;) {
        enum tsql_op op = tsql_at(p, '*') ? TSQL_MUL : tsql_at(p, '/') ? TSQL_DIV : tsql_at(p, '%') ? TSQL_MOD : TSQL_NO_OP;
        if (e == NULL || op == TSQL_NO_OP || require_value(p, e) == NULL)
            return p->failed ? NULL : e;
        tsql_advance(p);
        e = join(p, TSQL_BINARY, op, e, parse_unary(p, false));
    }
}

static enum tsql_op additive_op(const struct tsql_parser *p)
{
    switch (p->token.kind) {
    case '+':
        return TSQL_ADD;
    case '-':
        return TSQL_SUB;
    case '&':
        return TSQL_BIT_AND;
    case '^':
        return TSQL_BIT_XOR;
    case '|':
        return TSQL_BIT_OR;
    default:
        return TSQL_NO_OP;
    }
}

/* additive := multiplicative { ('+' | '-' | '&' | '^' | '|') multiplicative } */
static struct tsql_expr *parse_additive(struct tsql_parser *p, bool conditions)
{
    struct tsql_expr *e = parse_multiplicative(p, conditions);
    for (;;) {
        enum tsql_op op = additive_op(p);
        if (e == NULL || op == TSQL_NO_OP || require_value(p, e) == NULL)
            return p->failed ? NULL : e;
        tsql_advance(p);
        e = join(p, TSQL_BINARY, op, e, parse_multiplicative(p, false));
    }
}

static enum tsql_op comparison_op(const struct tsql_parser *p)
{
    switch (p->token.kind) {
    case '=':
        return TSQL_EQ;
    case TOKEN_NE:
        return TSQL_NE;
    case '<':
        return TSQL_LT;
    case TOKEN_LE:
        return TSQL_LE;
    case '>':
        return TSQL_GT;
    case TOKEN_GE:
        return TSQL_GE;
    default:
        return TSQL_NO_OP;
    }
}

/* comparison := a op additive | a op (ALL | ANY | SOME) '(' query ')' */
static struct tsql_expr *parse_comparison(struct tsql_parser *p, struct tsql_expr *a)
{
    enum tsql_op op = comparison_op(p);
    tsql_advance(p);
    bool all = tsql_at_word(p, WORD_ALL);
    if (!all && !tsql_at_word(p, WORD_ANY) && !tsql_at_word(p, WORD_SOME))
        return join(p, TSQL_COMPARE, op, a, parse_additive(p, false));
    struct tsql_expr *e = tsql_new_expr(p, TSQL_QUANTIFIED, a->line);
    tsql_advance(p);
    if (e == NULL)
        return NULL;
    e->op = op;
    e->a = a;
    e->all = all;
    e->query = tsql_parse_subquery(p);
    return e->query != NULL ? finish(p, e) : NULL;
}

/* between := BETWEEN additive AND additive */
static struct tsql_expr *parse_between(struct tsql_parser *p, struct tsql_expr *e)
{
    e->kind = TSQL_BETWEEN;
    tsql_advance(p);
    e->b = parse_additive(p, false);
    if (e->b == NULL || tsql_expect_word(p, WORD_AND) != 0)
        return NULL;
    e->c = parse_additive(p, false);
    return e->c != NULL ? finish(p, e) : NULL;
}

/* in := IN '(' query ')' | IN '(' values ')' */
static struct tsql_expr *parse_in(struct tsql_parser *p, struct tsql_expr *e)
{
    e->kind = TSQL_IN;
    tsql_advance(p);
    const struct tsql_token *next = tsql_peek(p);
    if (tsql_at(p, '(') && next->kind == TOKEN_WORD && (next->word == WORD_SELECT || next->word == WORD_WITH)) {
        e->query = tsql_parse_subquery(p);
        return e->query != NULL ? finish(p, e) : NULL;
    }
    size_t count = 0;
    if (tsql_expect(p, '(') != 0 || tsql_parse_values(p, false, &e->list, &count, &e->depth) != 0 || tsql_expect(p, ')') != 0)
        return NULL;
    return finish(p, e);
}

/* like := LIKE additive [ESCAPE additive] */
static struct tsql_expr *parse_like(struct tsql_parser *p, struct tsql_expr *e)
{
    e->kind = TSQL_LIKE;
    tsql_advance(p);
    e->b = parse_additive(p, false);
    if (e->b == NULL)
        return NULL;
    if (tsql_take_word(p, WORD_ESCAPE)) {
        e->c = parse_additive(p, false);
        if (e->c == NULL)
            return NULL;
    }
    return finish(p, e);
}

/* is_null := IS [NOT] NULL */
static struct tsql_expr *parse_is_null(struct tsql_parser *p, struct tsql_expr *a)
{
    struct tsql_expr *e = tsql_new_expr(p, TSQL_IS_NULL, a->line);
    tsql_advance(p);
    if (e == NULL)
        return NULL;
    e->a = a;
    e->negated = tsql_take_word(p, WORD_NOT);
    if (tsql_at_word(p, WORD_DISTINCT)) {
        tsql_refuse_clause(p, "IS DISTINCT FROM");
        return NULL;
    }
    return tsql_expect_word(p, WORD_NULL) == 0 ? finish(p, e) : NULL;
}

/* predicate := EXISTS '(' query ')' | additive [comparison | is_null | [NOT] (between | in | like)] */
static struct tsql_expr *parse_predicate(struct tsql_parser *p)
{
    if (tsql_at_word(p, WORD_EXISTS)) {
        struct tsql_expr *exists = tsql_new_expr(p, TSQL_EXISTS, p->token.line);
        tsql_advance(p);
        if (exists == NULL)
            return NULL;
        exists->query = tsql_parse_subquery(p);
        return exists->query != NULL ? finish(p, exists) : NULL;
    }
    struct tsql_expr *a = parse_additive(p, true);
    if (a == NULL || tsql_expr_is_condition(a))
        return a;
    if (comparison_op(p) != TSQL_NO_OP)
        return parse_comparison(p, a);
    if (tsql_at_word(p, WORD_IS))
        return parse_is_null(p, a);
    bool negated = tsql_at_words(p, WORD_NOT, WORD_BETWEEN) || tsql_at_words(p, WORD_NOT, WORD_IN) || tsql_at_words(p, WORD_NOT, WORD_LIKE);
    if (negated)
        tsql_advance(p);
    if (!tsql_at_word(p, WORD_BETWEEN) && !tsql_at_word(p, WORD_IN) && !tsql_at_word(p, WORD_LIKE))
        return p->failed ? NULL : a;
    struct tsql_expr *e = tsql_new_expr(p, TSQL_BETWEEN, a->line);
    if (e == NULL)
        return NULL;
    e->a = a;
    e->negated = negated;
    if (tsql_at_word(p, WORD_BETWEEN))
        return parse_between(p, e);
    return tsql_at_word(p, WORD_IN) ? parse_in(p, e) : parse_like(p, e);
}

/* not := NOT not | predicate */
static struct tsql_expr *parse_not(struct tsql_parser *p)
{
    if (!tsql_at_word(p, WORD_NOT))
        return parse_predicate(p);
    struct tsql_expr *e = tsql_new_expr(p, TSQL_NOT, p->token.line);
    if (e == NULL || tsql_enter(p) != 0)
        return NULL;
    tsql_advance(p);
    e->a = require_condition(p, parse_not(p));
    tsql_leave(p);
    return e->a != NULL ? finish(p, e) : NULL;
}

/* A chain of one operator: operand { word operand }. One operand alone comes back as it is. */
static struct tsql_expr *parse_chain(struct tsql_parser *p, enum tsql_keyword word, enum tsql_expr_kind kind,
                                     struct tsql_expr *(*parse_one)(struct tsql_parser *))
{
    struct tsql_expr *first = parse_one(p);
    if (first == NULL || !tsql_at_word(p, word))
        return p->failed ? NULL : first;
    struct tsql_expr *e = tsql_new_expr(p, kind, first->line);
    if (e == NULL || require_condition(p, first) == NULL)
        return NULL;
    e->list = first;
    grow(&e->depth, first->depth);
    struct tsql_expr *last = first;
    while (tsql_take_word(p, word)) {
        last->next = require_condition(p, parse_one(p));
        last = last->next;
        if (last == NULL)
            return NULL;
        grow(&e->depth, last->depth);
    }
    return finish(p, e);
}

/* and := not { AND not } */
static struct tsql_expr *parse_and(struct tsql_parser *p)
{
    return parse_chain(p, WORD_AND, TSQL_AND, parse_not);
}

/* expr := and { OR and } | additive */
static struct tsql_expr *parse_expr(struct tsql_parser *p, bool conditions)
{
    if (tsql_enter(p) != 0)
        return NULL;
    struct tsql_expr *e = conditions ? parse_chain(p, WORD_OR, TSQL_OR, parse_and) : parse_additive(p, false);
    tsql_leave(p);
    return e;
}

struct tsql_expr *tsql_parse_value(struct tsql_parser *p)
{
    return parse_expr(p, false);
}

struct tsql_expr *tsql_parse_condition(struct tsql_parser *p)
{
    return require_condition(p, parse_expr(p, true));
}
