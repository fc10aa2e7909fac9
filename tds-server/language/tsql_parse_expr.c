/* Expressions. Values and conditions are one grammar up to a comparison: a parenthesis may hold either, and only what
 * follows tells. So the productions on the way down return whichever they find, and each operator asks for what it takes.
 */
#include "tds-server/language/tsql_parser.h"

#include "tds-server/values/unicode.h"

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

void tsql_grow(int *depth, int child)
{
    if (*depth <= child)
        *depth = child + 1;
}

struct tsql_expr *tsql_finish_expr(struct tsql_parser *p, struct tsql_expr *e)
{
    if (e->a != NULL)
        tsql_grow(&e->depth, e->a->depth);
    if (e->b != NULL)
        tsql_grow(&e->depth, e->b->depth);
    if (e->c != NULL)
        tsql_grow(&e->depth, e->c->depth);
    if (e->query != NULL)
        tsql_grow(&e->depth, e->query->depth);
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
        out->type = text_type(SQLTYPE_VARCHAR, t->text.len, VARCHAR_MAX_LENGTH);
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
struct tsql_expr *tsql_parse_plain_literal(struct tsql_parser *p)
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
    struct tsql_expr *e = tsql_parse_plain_literal(p);
    if (sign == NULL || e == NULL)
        return e;
    sign->a = e;
    return tsql_finish_expr(p, sign);
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
        tsql_grow(depth, e->depth);
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
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
        return tsql_parse_call(p, name.schema, name.name, line);
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
        return e->query != NULL ? tsql_finish_expr(p, e) : NULL;
    }
    tsql_advance(p);
    e = parse_expr(p, conditions);
    return e != NULL && tsql_expect(p, ')') == 0 ? e : NULL;
}

/* operand := literal | variable | parenthesis | escape | word_operand | named */
static struct tsql_expr *parse_operand(struct tsql_parser *p, bool conditions)
{
    if (tsql_at_literal(p))
        return tsql_parse_plain_literal(p);
    if (tsql_at(p, TOKEN_VARIABLE))
        return parse_text_leaf(p, TSQL_VARIABLE);
    if (tsql_at(p, TOKEN_GLOBAL))
        return parse_text_leaf(p, TSQL_GLOBAL);
    if (tsql_at(p, '('))
        return parse_parenthesis(p, conditions);
    if (tsql_at(p, '{'))
        return tsql_parse_escape(p);
    struct tsql_expr *e;
    return tsql_parse_word_operand(p, &e) ? e : parse_named(p);
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
        e = tsql_finish_expr(p, collate);
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
    return e->a != NULL ? tsql_finish_expr(p, e) : NULL;
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
    return tsql_finish_expr(p, e);
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
    return e->query != NULL ? tsql_finish_expr(p, e) : NULL;
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
    return e->c != NULL ? tsql_finish_expr(p, e) : NULL;
}

/* in := IN '(' query ')' | IN '(' values ')' */
static struct tsql_expr *parse_in(struct tsql_parser *p, struct tsql_expr *e)
{
    e->kind = TSQL_IN;
    tsql_advance(p);
    const struct tsql_token *next = tsql_peek(p);
    if (tsql_at(p, '(') && next->kind == TOKEN_WORD && (next->word == WORD_SELECT || next->word == WORD_WITH)) {
        e->query = tsql_parse_subquery(p);
        return e->query != NULL ? tsql_finish_expr(p, e) : NULL;
    }
    size_t count = 0;
    if (tsql_expect(p, '(') != 0 || tsql_parse_values(p, false, &e->list, &count, &e->depth) != 0 || tsql_expect(p, ')') != 0)
        return NULL;
    return tsql_finish_expr(p, e);
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
    return tsql_finish_expr(p, e);
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
    return tsql_expect_word(p, WORD_NULL) == 0 ? tsql_finish_expr(p, e) : NULL;
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
        return exists->query != NULL ? tsql_finish_expr(p, exists) : NULL;
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
    return e->a != NULL ? tsql_finish_expr(p, e) : NULL;
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
    tsql_grow(&e->depth, first->depth);
    struct tsql_expr *last = first;
    while (tsql_take_word(p, word)) {
        last->next = require_condition(p, parse_one(p));
        last = last->next;
        if (last == NULL)
            return NULL;
        tsql_grow(&e->depth, last->depth);
    }
    return tsql_finish_expr(p, e);
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
