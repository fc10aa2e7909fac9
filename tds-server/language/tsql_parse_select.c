/* Queries: SELECT and what joins SELECTs, FROM's sources, and the clauses that other statements share with them. */
#include "tds-server/language/tsql_parser.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TABLES 256   /* in one query, as SQL Server has it */
#define MAX_COMPOUND 500 /* SELECTs that set operators join in one chain */

static struct tsql_body *parse_body(struct tsql_parser *p);
static struct tsql_source *parse_join(struct tsql_parser *p, int *depth);

/* A value whose depth counts for what holds it. */
static struct tsql_expr *parse_value_in(struct tsql_parser *p, int *depth)
{
    struct tsql_expr *e = tsql_parse_value(p);
    if (e != NULL)
        tsql_grow(depth, e->depth);
    return e;
}

static struct tsql_expr *parse_condition_in(struct tsql_parser *p, int *depth)
{
    struct tsql_expr *e = tsql_parse_condition(p);
    if (e != NULL)
        tsql_grow(depth, e->depth);
    return e;
}

/* ── The select list ── */

/* alias := AS (name | string) | name | string      (`GO` is no alias: it is a client's word that came too far) */
static int parse_alias(struct tsql_parser *p, bool strings, struct tsql_text *out)
{
    bool as = tsql_take_word(p, WORD_AS);
    if (strings && tsql_at_string(p))
        return tsql_take_name(p, out);
    if (!as && (!tsql_at_name(p) || tsql_at_word(p, WORD_GO)))
        return p->failed ? -1 : 0;
    return tsql_parse_name(p, out);
}

/* table_star := name '.' {name '.'} '*' ;  a look ahead: nothing is consumed when no star follows */
static bool take_table_star(struct tsql_parser *p, struct tsql_name *out)
{
    if (!tsql_at_name(p) || tsql_peek(p)->kind != '.')
        return false;
    struct tsql_parser start = *p;
    struct tsql_text parts[4] = {0};
    size_t count = 0;
    *out = (struct tsql_name){.line = p->token.line};
    while (count < 3 && tsql_parse_name(p, &parts[count]) == 0) {
        count++;
        if (!tsql_take(p, '.'))
            break;
        if (tsql_at(p, '*')) {
            tsql_advance(p);
            out->name = parts[count - 1];
            if (count > 1)
                out->schema = parts[count - 2];
            if (count > 2)
                out->database = parts[count - 3];
            return true;
        }
    }
    *p = start;
    return false;
}

static bool at_alias_assignment(struct tsql_parser *p)
{
    return (tsql_at_name(p) || tsql_at_string(p)) && tsql_peek(p)->kind == '=';
}

/* item := '*' | table_star | @v '=' value | (name | string) '=' value | value [alias] */
static struct tsql_item *parse_item(struct tsql_parser *p, bool output, int *depth)
{
    struct tsql_item *item = TSQL_NEW(p, struct tsql_item);
    if (item == NULL)
        return NULL;
    item->line = p->token.line;
    if (!output && tsql_take(p, '*')) {
        item->kind = TSQL_ITEM_STAR;
        return p->failed ? NULL : item;
    }
    if (take_table_star(p, &item->table)) {
        item->kind = TSQL_ITEM_TABLE_STAR;
        return p->failed ? NULL : item;
    }
    bool named = false;
    if (!output && tsql_at(p, TOKEN_VARIABLE) && tsql_peek(p)->kind == '=') {
        item->variable = p->token.text;
        tsql_advance(p);
        tsql_advance(p);
    } else if (at_alias_assignment(p)) {
        named = true;
        if (parse_alias(p, true, &item->alias) != 0)
            return NULL;
        tsql_advance(p);
    }
    item->value = parse_value_in(p, depth);
    if (item->value == NULL)
        return NULL;
    if (!named && item->variable.len == 0 && parse_alias(p, true, &item->alias) != 0)
        return NULL;
    return p->failed ? NULL : item;
}

/* items := item {',' item} */
int tsql_parse_items(struct tsql_parser *p, bool output, struct tsql_item **out, int *depth)
{
    struct tsql_item **end = out;
    do {
        *end = parse_item(p, output, depth);
        if (*end == NULL)
            return -1;
        end = &(*end)->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* top := TOP ('(' value ')' | number | @v) [PERCENT] [WITH TIES] */
int tsql_parse_top(struct tsql_parser *p, bool select, struct tsql_top *out, int *depth)
{
    if (!tsql_take_word(p, WORD_TOP))
        return 0;
    if (tsql_take(p, '(')) {
        out->count = parse_value_in(p, depth);
        if (out->count == NULL || tsql_expect(p, ')') != 0)
            return -1;
    } else if (select && (tsql_at(p, TOKEN_INTEGER) || tsql_at(p, TOKEN_DECIMAL) || tsql_at(p, TOKEN_FLOAT))) {
        out->count = tsql_parse_literal(p);
        if (out->count == NULL)
            return -1;
    } else {
        return tsql_fail_here(p);
    }
    out->percent = tsql_take_word(p, WORD_PERCENT);
    if (select && tsql_at_words(p, WORD_WITH, WORD_TIES)) {
        tsql_advance(p);
        tsql_advance(p);
        out->with_ties = true;
    }
    return p->failed ? -1 : 0;
}

/* ── FROM ── */

static const char *const hints[] = {
    "FORCESCAN",      "FORCESEEK",       "HOLDLOCK",       "IGNORE_CONSTRAINTS", "IGNORE_TRIGGERS", "INDEX",
    "KEEPDEFAULTS",   "KEEPIDENTITY",    "NOEXPAND",       "NOLOCK",             "NOWAIT",          "PAGLOCK",
    "READCOMMITTED",  "READCOMMITTEDLOCK", "READPAST",     "READUNCOMMITTED",    "REPEATABLEREAD",  "ROWLOCK",
    "SERIALIZABLE",   "SNAPSHOT",        "SPATIAL_WINDOW_MAX_CELLS", "TABLOCK",  "TABLOCKX",        "UPDLOCK",
    "XLOCK",
};

/* Those after which nobody else may change what was read. */
static const char *const locking_hints[] = {"HOLDLOCK", "REPEATABLEREAD", "SERIALIZABLE", "TABLOCKX", "UPDLOCK", "XLOCK"};

static bool is_one_of(const struct tsql_token *t, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (t->kind == TOKEN_WORD && tsql_text_equals(t->source, words[i]))
            return true;
    }
    return false;
}

static bool is_hint(const struct tsql_token *t)
{
    return is_one_of(t, hints, sizeof(hints) / sizeof(hints[0]));
}

/* hints := [WITH] '(' hint { [','] hint } ')'      (without WITH when the parenthesis starts with a hint's name) */
int tsql_parse_hints(struct tsql_parser *p, bool *locks)
{
    bool with = tsql_at_word_then(p, WORD_WITH, '(');
    if (!with && !(tsql_at(p, '(') && is_hint(tsql_peek(p))))
        return p->failed ? -1 : 0;
    if (with)
        tsql_advance(p);
    if (!is_hint(tsql_peek(p))) {
        tsql_advance(p);
        return tsql_fail_here(p);
    }
    size_t open = 0;
    do {
        if (tsql_at(p, TOKEN_END) || p->failed)
            return tsql_fail_here(p);
        open += tsql_at(p, '(');
        open -= tsql_at(p, ')');
        *locks |= is_one_of(&p->token, locking_hints, sizeof(locking_hints) / sizeof(locking_hints[0]));
        tsql_advance(p);
    } while (open > 0);
    return p->failed ? -1 : 0;
}

/* option := [OPTION '(' … ')']      (read over, but for MAXRECURSION n) */
int tsql_parse_option(struct tsql_parser *p)
{
    if (!tsql_take_word(p, WORD_OPTION))
        return p->failed ? -1 : 0;
    if (!tsql_at(p, '('))
        return tsql_fail_here(p);
    struct tsql_parser start = *p;
    while (!p->failed && !tsql_at(p, ')') && !tsql_at(p, TOKEN_END)) {
        bool found = tsql_at_text(p, "MAXRECURSION");
        tsql_advance(p);
        if (!found)
            continue;
        if (!tsql_at(p, TOKEN_INTEGER))
            return tsql_fail_here(p);
        long most = strtol(p->token.text.data, NULL, 10);
        if (most > TSQL_MAX_RECURSION)
            return tsql_fail(p, 310, p->token.line, "The value %ld specified for the MAXRECURSION option exceeds the allowed maximum of %d.", most,
                             TSQL_MAX_RECURSION);
        start.max_recursion = (int)most;
    }
    if (p->failed)
        return -1;
    *p = start;
    return tsql_skip_parentheses(p);
}

/* row := '(' values ')' ;  rows := row {',' row} */
int tsql_parse_rows(struct tsql_parser *p, bool defaults, struct tsql_row **out, int *depth)
{
    struct tsql_row **end = out;
    size_t count = 0;
    do {
        struct tsql_row *row = TSQL_NEW(p, struct tsql_row);
        if (row == NULL)
            return -1;
        if (++count > TSQL_MAX_ROWS)
            return tsql_fail(p, 10738, p->token.line,
                             "The number of row value expressions in the INSERT statement exceeds the maximum allowed number of %d row values.",
                             TSQL_MAX_ROWS);
        int line = p->token.line;
        if (tsql_expect(p, '(') != 0 || tsql_parse_values(p, defaults, &row->values, &row->count, depth) != 0 || tsql_expect(p, ')') != 0)
            return -1;
        if (row->count != (*out == NULL ? row->count : (*out)->count))
            return tsql_fail(p, 10709, line, "The number of columns for each row in a table value constructor must be the same.");
        *end = row;
        end = &row->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* correlation := alias ['(' names ')'] */
static int parse_correlation(struct tsql_parser *p, struct tsql_source *s, bool required)
{
    if (parse_alias(p, false, &s->alias) != 0)
        return -1;
    if (required && s->alias.len == 0)
        return tsql_fail_here(p);
    if (required && tsql_at(p, '('))
        return tsql_parse_name_list(p, false, &s->columns);
    return 0;
}

static int refuse_source(struct tsql_parser *p)
{
    static const struct {
        enum tsql_keyword word;
        const char *name;
    } refused[] = {
        {WORD_CONTAINSTABLE, "CONTAINSTABLE"}, {WORD_FREETEXTTABLE, "FREETEXTTABLE"}, {WORD_OPENDATASOURCE, "OPENDATASOURCE"},
        {WORD_OPENQUERY, "OPENQUERY"},         {WORD_OPENROWSET, "OPENROWSET"},       {WORD_OPENXML, "OPENXML"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (tsql_at_word(p, refused[i].word))
            return tsql_refuse_clause(p, refused[i].name);
    }
    if (tsql_at(p, TOKEN_VARIABLE))
        return tsql_refuse_clause(p, "table variable");
    return 0;
}

/* table := object [correlation] [hints] */
static struct tsql_source *parse_table(struct tsql_parser *p, struct tsql_source *s)
{
    s->kind = TSQL_TABLE;
    if (refuse_source(p) != 0 || tsql_parse_object_name(p, &s->name) != 0)
        return NULL;
    if (++p->tables > MAX_TABLES) {
        tsql_fail(p, 106, s->line, "Too many table names in the query. The maximum allowable is %d.", MAX_TABLES);
        return NULL;
    }
    if (tsql_at(p, '(') && !is_hint(tsql_peek(p))) {
        tsql_refuse_clause(p, "table-valued function");
        return NULL;
    }
    if (tsql_at_words(p, WORD_FOR, WORD_SYSTEM_TIME)) {
        tsql_refuse_clause(p, "FOR SYSTEM_TIME");
        return NULL;
    }
    if (tsql_parse_hints(p, &s->locks) != 0 || parse_correlation(p, s, false) != 0)
        return NULL;
    if (tsql_at_word(p, WORD_TABLESAMPLE)) {
        tsql_refuse_clause(p, "TABLESAMPLE");
        return NULL;
    }
    return tsql_parse_hints(p, &s->locks) == 0 ? s : NULL;
}

/* derived := '(' query ')' correlation | '(' VALUES rows ')' correlation | '(' join ')' */
static struct tsql_source *parse_derived(struct tsql_parser *p, struct tsql_source *s, int *depth)
{
    const struct tsql_token *next = tsql_peek(p);
    bool word = next->kind == TOKEN_WORD;
    if (++p->tables > MAX_TABLES) {
        tsql_fail(p, 106, s->line, "Too many table names in the query. The maximum allowable is %d.", MAX_TABLES);
        return NULL;
    }
    if (word && (next->word == WORD_SELECT || next->word == WORD_WITH)) {
        s->kind = TSQL_DERIVED;
        s->query = tsql_parse_subquery(p);
        if (s->query == NULL)
            return NULL;
        tsql_grow(depth, s->query->depth);
    } else if (word && next->word == WORD_VALUES) {
        s->kind = TSQL_ROWS;
        tsql_advance(p);
        tsql_advance(p);
        if (tsql_parse_rows(p, false, &s->rows, depth) != 0 || tsql_expect(p, ')') != 0)
            return NULL;
    } else {
        if (tsql_enter(p) != 0)
            return NULL;
        tsql_advance(p);
        struct tsql_source *join = parse_join(p, depth);
        tsql_leave(p);
        if (join == NULL || tsql_expect(p, ')') != 0)
            return NULL;
        if (join->kind != TSQL_JOIN) {
            tsql_fail_here(p);
            return NULL;
        }
        return join;
    }
    return parse_correlation(p, s, true) == 0 ? s : NULL;
}

/* primary_source := table | derived      (PIVOT and UNPIVOT behind it are refused) */
static struct tsql_source *parse_primary_source(struct tsql_parser *p, int *depth)
{
    struct tsql_source *s = TSQL_NEW(p, struct tsql_source);
    if (s == NULL)
        return NULL;
    s->line = p->token.line;
    s = tsql_at(p, '(') ? parse_derived(p, s, depth) : parse_table(p, s);
    if (tsql_at_word(p, WORD_PIVOT) || tsql_at_word(p, WORD_UNPIVOT)) {
        tsql_refuse_clause(p, tsql_at_word(p, WORD_PIVOT) ? "PIVOT" : "UNPIVOT");
        return NULL;
    }
    return s;
}

/* join_word := [INNER] [hint] JOIN | (LEFT | RIGHT | FULL) [OUTER] [hint] JOIN | CROSS JOIN
 * 1 when one was taken, 0 when none stands here, -1 on an error. APPLY is refused. */
static int take_join(struct tsql_parser *p, enum tsql_join_kind *kind)
{
    static const struct {
        enum tsql_keyword word;
        enum tsql_join_kind kind;
    } words[] = {{WORD_INNER, TSQL_INNER}, {WORD_LEFT, TSQL_LEFT}, {WORD_RIGHT, TSQL_RIGHT}, {WORD_FULL, TSQL_FULL}, {WORD_CROSS, TSQL_CROSS}};
    static const char *const join_hints[] = {"HASH", "LOOP", "REMOTE"};
    *kind = TSQL_INNER;
    if (tsql_take_word(p, WORD_JOIN))
        return 1;
    if (tsql_at_words(p, WORD_OUTER, WORD_APPLY))
        return tsql_refuse_clause(p, "OUTER APPLY");
    size_t i = 0;
    while (i < sizeof(words) / sizeof(words[0]) && !tsql_at_word(p, words[i].word))
        i++;
    if (i == sizeof(words) / sizeof(words[0]))
        return p->failed ? -1 : 0;
    tsql_advance(p);
    *kind = words[i].kind;
    if (*kind == TSQL_CROSS && tsql_at_word(p, WORD_APPLY))
        return tsql_refuse_clause(p, "CROSS APPLY");
    if (*kind == TSQL_LEFT || *kind == TSQL_RIGHT || *kind == TSQL_FULL)
        tsql_take_word(p, WORD_OUTER);
    for (size_t h = 0; *kind != TSQL_CROSS && h < sizeof(join_hints) / sizeof(join_hints[0]); h++) {
        if (tsql_at_text(p, join_hints[h])) {
            tsql_advance(p);
            break;
        }
    }
    if (*kind != TSQL_CROSS)
        tsql_take_word(p, WORD_MERGE);
    return tsql_expect_word(p, WORD_JOIN) == 0 ? 1 : -1;
}

/* join := primary_source { join_word join_operand [ON condition] }
 *
 * ON belongs to the nearest JOIN that has none: a JOIN b JOIN c ON x ON y is a JOIN (b JOIN c ON x) ON y. So the right side
 * of a JOIN takes further JOINs until its own ON stands there. */
static struct tsql_source *parse_join(struct tsql_parser *p, int *depth)
{
    struct tsql_source *left = parse_primary_source(p, depth);
    enum tsql_join_kind kind;
    int taken;
    while (left != NULL && (taken = take_join(p, &kind)) != 0) {
        struct tsql_source *s = TSQL_NEW(p, struct tsql_source);
        if (taken < 0 || s == NULL || tsql_enter(p) != 0)
            return NULL;
        s->kind = TSQL_JOIN;
        s->line = left->line;
        s->join = kind;
        s->left = left;
        s->right = kind == TSQL_CROSS ? parse_primary_source(p, depth) : parse_join(p, depth);
        tsql_leave(p);
        if (s->right == NULL)
            return NULL;
        if (kind != TSQL_CROSS) {
            if (tsql_expect_word(p, WORD_ON) != 0)
                return NULL;
            s->on = parse_condition_in(p, depth);
            if (s->on == NULL)
                return NULL;
        }
        left = s;
    }
    return left;
}

/* sources := join {',' join} */
int tsql_parse_sources(struct tsql_parser *p, struct tsql_source **out, int *depth)
{
    struct tsql_source **end = out;
    do {
        *end = parse_join(p, depth);
        if (*end == NULL)
            return -1;
        end = &(*end)->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* ── SELECT ── */

/* group_by := GROUP BY values      (ROLLUP, CUBE, GROUPING SETS and ALL are refused) */
static int parse_group_by(struct tsql_parser *p, struct tsql_body *b)
{
    static const struct {
        enum tsql_keyword word;
        const char *name;
    } refused[] = {{WORD_ROLLUP, "ROLLUP"}, {WORD_CUBE, "CUBE"}, {WORD_ALL, "GROUP BY ALL"}};
    size_t count = 0;
    if (tsql_expect_word(p, WORD_BY) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (tsql_at_word(p, refused[i].word) && (p->token.reserved || tsql_peek(p)->kind == '('))
            return tsql_refuse_clause(p, refused[i].name);
    }
    if (tsql_at_words(p, WORD_GROUPING, WORD_SETS))
        return tsql_refuse_clause(p, "GROUPING SETS");
    if (tsql_parse_values(p, false, &b->group_by, &count, &b->depth) != 0)
        return -1;
    if (tsql_at_words(p, WORD_WITH, WORD_ROLLUP) || tsql_at_words(p, WORD_WITH, WORD_CUBE))
        return tsql_refuse_clause(p, "WITH ROLLUP");
    return 0;
}

/* select := SELECT [ALL | DISTINCT] [top] items [INTO object] [FROM sources] [WHERE condition] [group_by] [HAVING condition] */
static struct tsql_body *parse_select(struct tsql_parser *p)
{
    struct tsql_body *b = TSQL_NEW(p, struct tsql_body);
    if (b == NULL || tsql_expect_word(p, WORD_SELECT) != 0)
        return NULL;
    b->line = p->token.line;
    b->depth = 1;
    if (tsql_take_word(p, WORD_DISTINCT))
        b->distinct = true;
    else
        tsql_take_word(p, WORD_ALL);
    if (tsql_parse_top(p, true, &b->top, &b->depth) != 0 || tsql_parse_items(p, false, &b->items, &b->depth) != 0)
        return NULL;
    if (tsql_take_word(p, WORD_INTO) && tsql_parse_object_name(p, &b->into) != 0)
        return NULL;
    if (tsql_take_word(p, WORD_FROM) && tsql_parse_sources(p, &b->from, &b->depth) != 0)
        return NULL;
    if (tsql_take_word(p, WORD_WHERE)) {
        b->where = parse_condition_in(p, &b->depth);
        if (b->where == NULL)
            return NULL;
    }
    if (tsql_take_word(p, WORD_GROUP) && parse_group_by(p, b) != 0)
        return NULL;
    if (tsql_take_word(p, WORD_HAVING)) {
        b->having = parse_condition_in(p, &b->depth);
        if (b->having == NULL)
            return NULL;
    }
    return p->failed ? NULL : b;
}

/* term := select | '(' body ')' */
static struct tsql_body *parse_term(struct tsql_parser *p)
{
    if (!tsql_at(p, '('))
        return parse_select(p);
    if (tsql_enter(p) != 0)
        return NULL;
    tsql_advance(p);
    struct tsql_body *b = parse_body(p);
    tsql_leave(p);
    return b != NULL && tsql_expect(p, ')') == 0 ? b : NULL;
}

static struct tsql_body *join_bodies(struct tsql_parser *p, enum tsql_body_kind kind, struct tsql_body *left, struct tsql_body *right)
{
    if (left == NULL || right == NULL)
        return NULL;
    struct tsql_body *b = TSQL_NEW(p, struct tsql_body);
    if (b == NULL)
        return NULL;
    b->kind = kind;
    b->line = left->line;
    b->left = left;
    b->right = right;
    b->depth = left->depth > right->depth ? left->depth : right->depth;
    return b;
}

/* intersection := term { INTERSECT term } */
static struct tsql_body *parse_intersection(struct tsql_parser *p, int *count)
{
    struct tsql_body *b = parse_term(p);
    while (b != NULL && tsql_take_word(p, WORD_INTERSECT)) {
        ++*count;
        b = join_bodies(p, TSQL_INTERSECT, b, parse_term(p));
    }
    return b;
}

/* body := intersection { (UNION [ALL] | EXCEPT) intersection } */
static struct tsql_body *parse_body(struct tsql_parser *p)
{
    int count = 1;
    struct tsql_body *b = parse_intersection(p, &count);
    while (b != NULL && (tsql_at_word(p, WORD_UNION) || tsql_at_word(p, WORD_EXCEPT))) {
        enum tsql_body_kind kind = tsql_at_word(p, WORD_UNION) ? TSQL_UNION : TSQL_EXCEPT;
        tsql_advance(p);
        if (kind == TSQL_UNION && tsql_take_word(p, WORD_ALL))
            kind = TSQL_UNION_ALL;
        count++;
        b = join_bodies(p, kind, b, parse_intersection(p, &count));
        if (count > MAX_COMPOUND) {
            tsql_fail_depth(p);
            return NULL;
        }
    }
    return b;
}

/* order := BY value [ASC | DESC] {',' …} */
int tsql_parse_order(struct tsql_parser *p, struct tsql_order **out, int *depth)
{
    struct tsql_order **end = out;
    if (tsql_expect_word(p, WORD_BY) != 0)
        return -1;
    do {
        struct tsql_order *o = TSQL_NEW(p, struct tsql_order);
        if (o == NULL)
            return -1;
        o->value = parse_value_in(p, depth);
        if (o->value == NULL)
            return -1;
        o->descending = tsql_at_word(p, WORD_DESC);
        if (tsql_at_word(p, WORD_DESC) || tsql_at_word(p, WORD_ASC))
            tsql_advance(p);
        *end = o;
        end = &o->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}

/* offset := OFFSET value (ROW | ROWS) [FETCH (FIRST | NEXT) value (ROW | ROWS) ONLY] */
static int parse_offset(struct tsql_parser *p, struct tsql_query *q)
{
    if (!tsql_take_word(p, WORD_OFFSET))
        return p->failed ? -1 : 0;
    q->offset = parse_value_in(p, &q->depth);
    if (q->offset == NULL || (!tsql_take_word(p, WORD_ROWS) && tsql_expect_word(p, WORD_ROW) != 0))
        return -1;
    if (!tsql_take_word(p, WORD_FETCH))
        return p->failed ? -1 : 0;
    if (!tsql_take_word(p, WORD_FIRST) && tsql_expect_word(p, WORD_NEXT) != 0)
        return -1;
    q->fetch = parse_value_in(p, &q->depth);
    if (q->fetch == NULL || (!tsql_take_word(p, WORD_ROWS) && tsql_expect_word(p, WORD_ROW) != 0))
        return -1;
    return tsql_expect_word(p, WORD_ONLY);
}

static int refuse_for(struct tsql_parser *p)
{
    if (tsql_at_words(p, WORD_FOR, WORD_XML))
        return tsql_refuse_clause(p, "FOR XML");
    if (tsql_at_words(p, WORD_FOR, WORD_JSON))
        return tsql_refuse_clause(p, "FOR JSON");
    if (tsql_at_words(p, WORD_FOR, WORD_BROWSE))
        return tsql_refuse_clause(p, "FOR BROWSE");
    return p->failed ? -1 : 0;
}

/* query := body [ORDER order [offset]] */
struct tsql_query *tsql_parse_query(struct tsql_parser *p, struct tsql_cte *ctes)
{
    struct tsql_query *q = TSQL_NEW(p, struct tsql_query);
    int tables = p->tables;
    p->tables = 0;
    if (q == NULL || tsql_enter(p) != 0)
        return NULL;
    q->ctes = ctes;
    q->depth = 1;
    q->body = parse_body(p);
    if (q->body == NULL)
        return NULL;
    tsql_grow(&q->depth, q->body->depth);
    if (tsql_take_word(p, WORD_ORDER) && (tsql_parse_order(p, &q->order_by, &q->depth) != 0 || parse_offset(p, q) != 0))
        return NULL;
    if (refuse_for(p) != 0 || tsql_check_depth(p, q->depth) != 0)
        return NULL;
    tsql_leave(p);
    p->tables = tables;
    return q;
}

/* subquery := '(' query ')' */
struct tsql_query *tsql_parse_subquery(struct tsql_parser *p)
{
    if (tsql_expect(p, '(') != 0)
        return NULL;
    struct tsql_query *q = tsql_parse_query(p, NULL);
    if (q == NULL)
        return NULL;
    bool top = q->body->kind == TSQL_SELECT_BODY && q->body->top.count != NULL;
    if (q->order_by != NULL && !top && q->offset == NULL) {
        tsql_fail(p, 1033, p->token.line,
                  "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, "
                  "unless TOP, OFFSET or FOR XML is also specified.");
        return NULL;
    }
    return tsql_expect(p, ')') == 0 ? q : NULL;
}

/* ctes := WITH name ['(' names ')'] AS subquery {',' …} */
int tsql_parse_ctes(struct tsql_parser *p, struct tsql_cte **out)
{
    struct tsql_cte **end = out;
    if (tsql_expect_word(p, WORD_WITH) != 0)
        return -1;
    do {
        struct tsql_cte *c = TSQL_NEW(p, struct tsql_cte);
        if (c == NULL)
            return -1;
        c->line = p->token.line;
        if (tsql_parse_name(p, &c->name) != 0)
            return -1;
        if (tsql_at(p, '(') && tsql_parse_name_list(p, false, &c->columns) != 0)
            return -1;
        if (tsql_expect_word(p, WORD_AS) != 0)
            return -1;
        c->query = tsql_parse_subquery(p);
        if (c->query == NULL)
            return -1;
        *end = c;
        end = &c->next;
    } while (tsql_take(p, ','));
    return p->failed ? -1 : 0;
}
