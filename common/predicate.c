#include "common/predicate_private.h"
#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHUNK_BYTES 4096

/* The tree's memory: chunks that are filled from the front and freed together. */
struct predicate_chunk {
    struct predicate_chunk *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

void *predicate_alloc(struct predicate *p, size_t size)
{
    const size_t need = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct predicate_chunk *c = p->chunks;

    if (!c || need > c->size - c->used) {
        const size_t room = need > CHUNK_BYTES ? need : CHUNK_BYTES;
        c = malloc(sizeof *c + room);
        if (!c)
            return NULL;
        c->size = room;
        c->used = 0;
        c->next = p->chunks;
        p->chunks = c;
    }
    void *memory = memset(c->bytes + c->used, 0, need); /* not the whole chunk, of which most trees need little */
    c->used += need;
    return memory;
}

char *predicate_copy(struct predicate *p, const char *text, size_t len)
{
    char *copy = predicate_alloc(p, len + 1);
    if (copy && len > 0)
        memcpy(copy, text, len);
    return copy;
}

struct parser {
    struct predicate_lexer lexer;
    struct predicate_token token; /* the one that is looked at */
    struct predicate *p;
    struct err *e;
    size_t depth;
    size_t nodes;  /* conditions and columns so far */
    size_t values; /* literals and @names so far */
    bool names_column;
    /* children of the chains under way; a chain owns what lies above the height at which it began */
    struct predicate_node *stack[PREDICATE_MAX_NODES];
    size_t height;
};

static const struct {
    const char *name;
    enum predicate_function function;
} functions[] = {
    {"LOWER", PREDICATE_LOWER}, {"UPPER", PREDICATE_UPPER}, {"LEN", PREDICATE_LEN},
    {"LTRIM", PREDICATE_LTRIM}, {"RTRIM", PREDICATE_RTRIM}, {"ABS", PREDICATE_ABS},
    {"YEAR", PREDICATE_YEAR},   {"MONTH", PREDICATE_MONTH}, {"DAY", PREDICATE_DAY},
};

static int fail_memory(struct parser *ps)
{
    return err_set(ps->e, ERR_INTERNAL, "out of memory");
}

static int unexpected(struct parser *ps, const char *expected)
{
    return predicate_lex_unexpected(&ps->lexer, &ps->token, expected, ps->e);
}

static int advance(struct parser *ps)
{
    return predicate_lex_next(&ps->lexer, &ps->token, ps->e);
}

static bool at_keyword(const struct parser *ps, enum predicate_keyword keyword)
{
    return ps->token.kind == TOKEN_WORD && ps->token.keyword == keyword;
}

static int expect_kind(struct parser *ps, enum predicate_token_kind kind, const char *expected)
{
    return ps->token.kind == kind ? advance(ps) : unexpected(ps, expected);
}

static int expect_keyword(struct parser *ps, enum predicate_keyword keyword, const char *expected)
{
    return at_keyword(ps, keyword) ? advance(ps) : unexpected(ps, expected);
}

/* One level deeper: before a recursion, with ps->depth-- behind it. */
static int enter(struct parser *ps)
{
    if (ps->depth == PREDICATE_MAX_DEPTH)
        return err_set(ps->e, ERR_BAD_CONDITION, "condition: more than %d levels at byte %zu", PREDICATE_MAX_DEPTH,
                       ps->token.offset);
    ps->depth++;
    return 0;
}

static int count_node(struct parser *ps)
{
    if (ps->nodes == PREDICATE_MAX_NODES)
        return err_set(ps->e, ERR_BAD_CONDITION, "condition: more than %d conditions and columns at byte %zu",
                       PREDICATE_MAX_NODES, ps->token.offset);
    ps->nodes++;
    return 0;
}

static struct predicate_node *new_node(struct parser *ps, enum predicate_op op)
{
    if (count_node(ps) < 0)
        return NULL;
    struct predicate_node *n = predicate_alloc(ps->p, sizeof *n);
    if (n)
        n->op = op;
    else
        fail_memory(ps);
    return n;
}

/* Adds an empty operand to the node. The array doubles; what it outgrows stays in the arena until the tree is freed. */
static struct predicate_operand *new_operand(struct parser *ps, struct predicate_node *n)
{
    const size_t count = n->operand_count;
    if (count != 1 && (count & (count - 1)) == 0) { /* at 0, 2, 4, 8 … */
        struct predicate_operand *grown = predicate_alloc(ps->p, (count ? count * 2 : 2) * sizeof *grown);
        if (!grown) {
            fail_memory(ps);
            return NULL;
        }
        if (count)
            memcpy(grown, n->operands, count * sizeof *grown);
        n->operands = grown;
    }
    n->operand_count++;
    n->operands[count].offset = ps->token.offset;
    return &n->operands[count];
}

/* Copies the token's body, doubled quotes undone, into the operand. */
static int take_text(struct parser *ps, struct predicate_operand *o)
{
    char *text = predicate_alloc(ps->p, ps->token.body_len + 1);
    if (!text)
        return fail_memory(ps);
    o->len = predicate_lex_unquote(&ps->token, text);
    o->text = text;
    return 0;
}

/* [+-] number; the sign may stand apart. */
static int parse_number(struct parser *ps, struct predicate_operand *o)
{
    char text[PREDICATE_MAX_NUMBER + 1];
    char number[PREDICATE_MAX_NUMBER + 1];
    size_t n = 0;

    if (ps->token.kind == TOKEN_SIGN) {
        text[n++] = ps->token.body[0];
        if (advance(ps) < 0)
            return -1;
        if (ps->token.kind != TOKEN_NUMBER)
            return unexpected(ps, "a number");
    }
    const size_t digits = ps->token.body_len;
    const char *wrong = digits < PREDICATE_MAX_NUMBER ? NULL : "is too long";
    if (!wrong) {
        memcpy(text + n, ps->token.body, digits);
        wrong = predicate_type_number(text, n + digits, number, o);
    }
    if (wrong)
        return err_set(ps->e, ERR_BAD_CONDITION, "condition: the number at byte %zu %s", o->offset, wrong);
    o->text = predicate_copy(ps->p, number, o->len);
    return o->text ? advance(ps) : fail_memory(ps);
}

/* value := literal | @name */
static int parse_value(struct parser *ps, struct predicate_operand *o)
{
    if (++ps->values > PREDICATE_MAX_PARAMETERS)
        return err_set(ps->e, ERR_BAD_CONDITION, "condition: more than %d values at byte %zu", PREDICATE_MAX_PARAMETERS,
                       ps->token.offset);
    switch (ps->token.kind) {
    case TOKEN_SIGN:
    case TOKEN_NUMBER:
        return parse_number(ps, o);
    case TOKEN_STRING:
        if (take_text(ps, o) < 0)
            return -1;
        predicate_type_string(o, ps->token.national, o->text, o->len);
        return advance(ps);
    case TOKEN_PARAM:
        o->kind = PREDICATE_PARAM;
        return take_text(ps, o) < 0 ? -1 : advance(ps);
    default:
        return unexpected(ps, "a literal");
    }
}

/* column := name | [name] | "name" */
static int parse_column(struct parser *ps, struct predicate_operand *o)
{
    if (ps->token.kind == TOKEN_WORD && predicate_lex_sees_open(&ps->lexer))
        return unexpected(ps, "one of the functions LOWER, UPPER, LEN, LTRIM, RTRIM, ABS, YEAR, MONTH, DAY");
    o->kind = PREDICATE_COLUMN;
    ps->names_column = true;
    if (count_node(ps) < 0)
        return -1;
    return take_text(ps, o) < 0 ? -1 : advance(ps);
}

/* The function whose name the token is, when a parenthesis follows; without one it is a column's name. */
static enum predicate_function at_function(const struct parser *ps)
{
    if (ps->token.kind != TOKEN_WORD || !predicate_lex_sees_open(&ps->lexer))
        return PREDICATE_NO_FUNCTION;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strlen(functions[i].name) == ps->token.len && strncasecmp(functions[i].name, ps->token.body, ps->token.len) == 0)
            return functions[i].function;
    return PREDICATE_NO_FUNCTION;
}

/* operand := value | column | function '(' operand ')' */
static int parse_operand(struct parser *ps, struct predicate_operand *o)
{
    const enum predicate_function function = at_function(ps);

    if (function != PREDICATE_NO_FUNCTION) {
        if (enter(ps) < 0 || advance(ps) < 0 || advance(ps) < 0 || parse_operand(ps, o) < 0 ||
            expect_kind(ps, TOKEN_CLOSE, "')'") < 0)
            return -1;
        ps->depth--;
        o->functions[o->function_count++] = function; /* the depth's limit keeps the index below the array's size */
        return 0;
    }
    if (at_keyword(ps, KEYWORD_NULL))
        return err_set(ps->e, ERR_BAD_CONDITION, "condition: unexpected NULL at byte %zu, use IS NULL or IS NOT NULL",
                       ps->token.offset);
    if (ps->token.kind == TOKEN_NAME || at_keyword(ps, KEYWORD_NONE))
        return parse_column(ps, o);
    if (ps->token.kind == TOKEN_SIGN || ps->token.kind == TOKEN_NUMBER || ps->token.kind == TOKEN_STRING ||
        ps->token.kind == TOKEN_PARAM)
        return parse_value(ps, o);
    return unexpected(ps, "an operand");
}

/* Adds an operand that `parse` reads to the node. */
static int add_operand(struct parser *ps, struct predicate_node *n,
                       int (*parse)(struct parser *ps, struct predicate_operand *o))
{
    struct predicate_operand *o = new_operand(ps, n);
    return o ? parse(ps, o) : -1;
}

/* string := a literal or an @name that is a string */
static int parse_string(struct parser *ps, struct predicate_operand *o)
{
    if (ps->token.kind != TOKEN_STRING && ps->token.kind != TOKEN_PARAM)
        return unexpected(ps, "a string");
    return parse_value(ps, o);
}

/* operand AND operand, behind BETWEEN */
static int parse_between(struct parser *ps, struct predicate_node *n)
{
    if (add_operand(ps, n, parse_operand) < 0 || expect_keyword(ps, KEYWORD_AND, "AND") < 0)
        return -1;
    return add_operand(ps, n, parse_operand);
}

/* '(' value { ',' value } ')', behind IN */
static int parse_in(struct parser *ps, struct predicate_node *n)
{
    if (ps->token.kind != TOKEN_OPEN)
        return unexpected(ps, "'('");
    do {
        if (advance(ps) < 0 || add_operand(ps, n, parse_value) < 0)
            return -1;
    } while (ps->token.kind == TOKEN_COMMA);
    return expect_kind(ps, TOKEN_CLOSE, "',' or ')'");
}

/* string [ESCAPE string of one character], behind LIKE */
static int parse_like(struct parser *ps, struct predicate_node *n)
{
    if (add_operand(ps, n, parse_string) < 0)
        return -1;
    if (!at_keyword(ps, KEYWORD_ESCAPE))
        return 0;
    if (advance(ps) < 0)
        return -1;
    const struct predicate_token escape = ps->token;
    if (add_operand(ps, n, parse_string) < 0)
        return -1;
    const struct predicate_operand *o = &n->operands[2];
    size_t units;
    if (o->kind == PREDICATE_STRING && (!utf8_measure(o->text, o->len, &units, NULL) || units != 1))
        return predicate_lex_unexpected(&ps->lexer, &escape, "one character", ps->e);
    return 0;
}

/* What may stand behind the first operand. The keyword picks the row; NOT is taken by those that allow it before. */
static const struct {
    enum predicate_keyword keyword;
    enum predicate_op op;
    int (*parse)(struct parser *ps, struct predicate_node *n);
} tails[] = {
    {KEYWORD_BETWEEN, PREDICATE_BETWEEN, parse_between},
    {KEYWORD_IN, PREDICATE_IN, parse_in},
    {KEYWORD_LIKE, PREDICATE_LIKE, parse_like},
};

/* The part of a comparison behind its first operand. */
static int parse_tail(struct parser *ps, struct predicate_node *n)
{
    if (ps->token.kind == TOKEN_COMPARISON) {
        n->op = ps->token.op;
        return advance(ps) < 0 ? -1 : add_operand(ps, n, parse_operand);
    }
    if (at_keyword(ps, KEYWORD_IS)) { /* IS [NOT] NULL */
        n->op = PREDICATE_IS_NULL;
        if (advance(ps) < 0)
            return -1;
        n->negated = at_keyword(ps, KEYWORD_NOT);
        if (n->negated && advance(ps) < 0)
            return -1;
        return expect_keyword(ps, KEYWORD_NULL, "NULL");
    }
    n->negated = at_keyword(ps, KEYWORD_NOT);
    if (n->negated && advance(ps) < 0)
        return -1;
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        if (at_keyword(ps, tails[i].keyword)) {
            n->op = tails[i].op;
            return advance(ps) < 0 ? -1 : tails[i].parse(ps, n);
        }
    }
    return unexpected(ps, n->negated ? "BETWEEN, IN or LIKE" : "a comparison");
}

/* comparison := operand ( op operand | [NOT] BETWEEN … | [NOT] IN … | [NOT] LIKE … | IS [NOT] NULL ) */
static int parse_comparison(struct parser *ps, struct predicate_node **out)
{
    struct predicate_node *n = new_node(ps, PREDICATE_EQ);
    if (!n || add_operand(ps, n, parse_operand) < 0 || parse_tail(ps, n) < 0)
        return -1;
    *out = n;
    return 0;
}

static int parse_or(struct parser *ps, struct predicate_node **out);

/* not := NOT not | '(' predicate ')' | comparison */
static int parse_not(struct parser *ps, struct predicate_node **out)
{
    if (at_keyword(ps, KEYWORD_NOT)) {
        struct predicate_node *n = new_node(ps, PREDICATE_NOT);
        if (!n || enter(ps) < 0)
            return -1;
        n->children = predicate_alloc(ps->p, sizeof *n->children);
        if (!n->children)
            return fail_memory(ps);
        n->child_count = 1;
        if (advance(ps) < 0 || parse_not(ps, &n->children[0]) < 0)
            return -1;
        ps->depth--;
        *out = n;
        return 0;
    }
    if (ps->token.kind == TOKEN_OPEN) {
        if (enter(ps) < 0 || advance(ps) < 0 || parse_or(ps, out) < 0 || expect_kind(ps, TOKEN_CLOSE, "AND, OR or ')'") < 0)
            return -1;
        ps->depth--;
        return 0;
    }
    return parse_comparison(ps, out);
}

/* part { keyword part }: one part stands for itself, more make a node `op`, into which parts of the same op dissolve. */
static int parse_chain(struct parser *ps, enum predicate_op op, enum predicate_keyword keyword,
                       int (*parse_part)(struct parser *ps, struct predicate_node **out), struct predicate_node **out)
{
    const size_t base = ps->height;
    size_t parts = 0;

    for (;;) {
        struct predicate_node *part;
        if (parse_part(ps, &part) < 0)
            return -1;
        parts++;
        /* Each entry is a node that was counted, so the stack is as high as PREDICATE_MAX_NODES allows. */
        if (part->op == op) {
            memcpy(ps->stack + ps->height, part->children, part->child_count * sizeof *ps->stack);
            ps->height += part->child_count;
        } else {
            ps->stack[ps->height++] = part;
        }
        if (parts == 1)
            *out = part;
        if (!at_keyword(ps, keyword))
            break;
        if (advance(ps) < 0)
            return -1;
    }
    const size_t count = ps->height - base;
    ps->height = base;
    if (parts == 1)
        return 0;
    struct predicate_node *n = new_node(ps, op);
    if (!n)
        return -1;
    n->children = predicate_alloc(ps->p, count * sizeof(struct predicate_node *));
    if (!n->children)
        return fail_memory(ps);
    memcpy(n->children, ps->stack + base, count * sizeof(struct predicate_node *));
    n->child_count = count;
    *out = n;
    return 0;
}

/* and := not { AND not } */
static int parse_and(struct parser *ps, struct predicate_node **out)
{
    return parse_chain(ps, PREDICATE_AND, KEYWORD_AND, parse_not, out);
}

/* predicate := and { OR and } */
static int parse_or(struct parser *ps, struct predicate_node **out)
{
    return parse_chain(ps, PREDICATE_OR, KEYWORD_OR, parse_and, out);
}

static int parse(const char *text, size_t len, enum err_code constant, struct predicate **out, struct err *e)
{
    struct parser ps = {.lexer = {.text = text, .len = len}, .e = e};
    int rc = -1;

    *out = NULL;
    if (len > PREDICATE_MAX_BYTES)
        return err_set(e, ERR_BAD_CONDITION, "condition: longer than %d bytes", PREDICATE_MAX_BYTES);
    ps.p = calloc(1, sizeof *ps.p);
    if (!ps.p)
        return fail_memory(&ps);
    if (advance(&ps) < 0 || parse_or(&ps, &ps.p->root) < 0)
        goto out;
    if (ps.token.kind != TOKEN_END) {
        unexpected(&ps, "AND, OR or the end");
        goto out;
    }
    if (!ps.names_column) {
        err_set(e, constant, "condition: names no column");
        goto out;
    }
    *out = ps.p;
    ps.p = NULL;
    rc = 0;
out:
    predicate_free(ps.p);
    return rc;
}

int predicate_parse(const char *text, size_t len, struct predicate **out, struct err *e)
{
    return parse(text, len, ERR_BAD_CONDITION, out, e);
}

int predicate_parse_for_write(const char *text, size_t len, struct predicate **out, struct err *e)
{
    return parse(text, len, ERR_UNSAFE_STATEMENT, out, e);
}

void predicate_free(struct predicate *p)
{
    if (!p)
        return;
    for (struct predicate_chunk *c = p->chunks; c;) {
        struct predicate_chunk *next = c->next;
        free(c);
        c = next;
    }
    free(p);
}

const struct predicate_node *predicate_root(const struct predicate *p)
{
    return p->root;
}

static int each_column(const struct predicate_node *n, int (*visit)(void *arg, const struct predicate_operand *column),
                       void *arg)
{
    int rc = 0;

    for (size_t i = 0; i < n->child_count && rc == 0; i++)
        rc = each_column(n->children[i], visit, arg);
    for (size_t i = 0; i < n->operand_count && rc == 0; i++)
        if (n->operands[i].kind == PREDICATE_COLUMN)
            rc = visit(arg, &n->operands[i]);
    return rc;
}

int predicate_each_column(const struct predicate *p, int (*visit)(void *arg, const struct predicate_operand *column), void *arg)
{
    return each_column(p->root, visit, arg);
}
