/* Operands with a grammar of their own: calls and their OVER, CASE, CAST, CONVERT, IIF, TRIM, ODBC's escapes. */
#include "tds-server/language/tsql_parser.h"

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
        tsql_grow(depth, out->offset->depth);
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
    tsql_grow(depth, first->depth);
    call->args = first;
    call->arg_count = 1;
    if (tsql_take_word(p, WORD_FROM)) {
        struct tsql_expr *text = tsql_parse_value(p);
        if (text == NULL)
            return -1;
        tsql_grow(depth, text->depth);
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
struct tsql_expr *tsql_parse_call(struct tsql_parser *p, struct tsql_text schema, struct tsql_text name, int line)
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
    return tsql_finish_expr(p, e);
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
    return tsql_parse_call(p, (struct tsql_text){0}, name, line);
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
    tsql_grow(depth, w->when->depth);
    tsql_grow(depth, w->then->depth);
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
        tsql_grow(&e->depth, e->otherwise->depth);
    }
    return tsql_expect_word(p, WORD_END) == 0 ? tsql_finish_expr(p, e) : NULL;
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
    tsql_grow(&e->depth, w->when->depth);
    tsql_grow(&e->depth, w->then->depth);
    tsql_grow(&e->depth, e->otherwise->depth);
    return tsql_finish_expr(p, e);
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
    tsql_grow(&e->depth, e->cast->value->depth);
    return tsql_finish_expr(p, e);
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
    tsql_grow(&e->depth, e->cast->value->depth);
    if (tsql_take(p, ',')) {
        e->cast->style = tsql_parse_value(p);
        if (e->cast->style == NULL)
            return NULL;
        tsql_grow(&e->depth, e->cast->style->depth);
    }
    return tsql_expect(p, ')') == 0 ? tsql_finish_expr(p, e) : NULL;
}

/* escape := '{' FN value '}' | '{' (D | T | TS | GUID) string '}'      (ODBC's) */
struct tsql_expr *tsql_parse_escape(struct tsql_parser *p)
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
        e->cast->value = tsql_parse_plain_literal(p);
        e->depth++;
        return e->cast->value != NULL && tsql_expect(p, '}') == 0 ? e : NULL;
    }
    tsql_fail_here(p);
    return NULL;
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

/* word_operand := case | cast | convert | iif | word_call | bare_call */
bool tsql_parse_word_operand(struct tsql_parser *p, struct tsql_expr **out)
{
    *out = NULL;
    if (p->token.kind != TOKEN_WORD || (!p->token.reserved && tsql_peek(p)->kind != '('))
        return false;
    for (size_t i = 0; i < sizeof(word_operands) / sizeof(word_operands[0]); i++) {
        if (tsql_at_word(p, word_operands[i].word)) {
            *out = word_operands[i].parse(p);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(refused_operands) / sizeof(refused_operands[0]); i++) {
        if (tsql_at_word_then(p, refused_operands[i].word, '(')) {
            tsql_refuse_clause(p, refused_operands[i].name);
            return true;
        }
    }
    return false;
}
