/* Conditions: what is refused gets a message that can be shown; the canonical text of what is accepted reads back as the
 * same tree; and T-SQL holds no byte of the input. Behind a byte 0xFF, which no condition can hold, stand the params. */
#include "common/predicate.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define OUTPUT_MAX (1 << 20)

static void check_detail(const struct err *e)
{
    const char *p = e->detail;
    const char *const end = p + strlen(p);

    CHECK(strncmp(p, "condition: ", 11) == 0 || strncmp(p, "params: ", 8) == 0);
    while (p < end) {
        uint32_t c = 0;
        const size_t n = utf8_decode(p, (size_t)(end - p), &c);
        CHECK(n > 0 && c >= 0x20 && c != 0x7F && !(c >= 0x80 && c < 0xA0));
        p += n;
    }
}

static bool same_operand(const struct predicate_operand *a, const struct predicate_operand *b)
{
    return a->kind == b->kind && a->type == b->type && a->precision == b->precision && a->scale == b->scale &&
           a->function_count == b->function_count &&
           memcmp(a->functions, b->functions, a->function_count * sizeof a->functions[0]) == 0 && a->len == b->len &&
           memcmp(a->text, b->text, a->len + 1) == 0;
}

static bool same_tree(const struct predicate_node *a, const struct predicate_node *b)
{
    bool same = a->op == b->op && a->negated == b->negated && a->child_count == b->child_count &&
                a->operand_count == b->operand_count;

    for (size_t i = 0; same && i < a->child_count; i++)
        same = same_tree(a->children[i], b->children[i]);
    for (size_t i = 0; same && i < a->operand_count; i++)
        same = same_operand(&a->operands[i], &b->operands[i]);
    return same;
}

static void check_round_trip(const struct predicate *p)
{
    struct buf once;
    struct buf twice;
    struct err e = ERR_INIT;
    struct predicate *again;

    buf_init(&once, OUTPUT_MAX);
    buf_init(&twice, OUTPUT_MAX);
    predicate_emit(p, &once);
    CHECK(buf_status(&once) == 0);
    if (once.len <= PREDICATE_MAX_BYTES) { /* brackets make the text longer */
        CHECK(predicate_parse(buf_text(&once), once.len, &again, &e) == 0);
        CHECK(same_tree(predicate_root(p), predicate_root(again)));
        predicate_emit(again, &twice);
        CHECK(strcmp(buf_text(&once), buf_text(&twice)) == 0);
        predicate_free(again);
    }
    buf_clear(&once);
    buf_clear(&twice);
}

static int write_column(void *arg, const struct predicate_operand *column, struct buf *out)
{
    (void)arg;
    CHECK(column->kind == PREDICATE_COLUMN && column->len > 0);
    buf_append_char(out, '#');
    return 0;
}

static int write_literal(void *arg, const struct predicate_operand *literal, struct buf *out)
{
    (void)arg;
    CHECK(literal->kind == PREDICATE_NUMBER || literal->kind == PREDICATE_STRING || literal->kind == PREDICATE_NULLVAL);
    CHECK(literal->text[literal->len] == '\0' && !memchr(literal->text, '\0', literal->len));
    buf_append_char(out, '?');
    return 0;
}

/* With columns and literals out, what is left comes from our constants. */
static void check_sql(const struct predicate *p)
{
    static const struct predicate_writer writer = {write_column, write_literal, NULL};
    struct buf sql;

    buf_init(&sql, OUTPUT_MAX);
    CHECK(predicate_write_sql(p, &writer, &sql) == 0);
    CHECK(buf_status(&sql) == 0 && sql.len > 0);
    CHECK(strspn(buf_text(&sql), "ABCDEGHIKLMNOPRSTUVWY#?(), =<>") == sql.len);
    CHECK(!strstr(buf_text(&sql), "##") && !strstr(buf_text(&sql), "??"));
    buf_clear(&sql);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *split = size ? memchr(text, 0xFF, size) : NULL;
    const size_t len = split ? (size_t)(split - text) : size;
    struct json_object *params = NULL;
    struct predicate *p;
    struct err e = ERR_INIT;

    if (predicate_parse(text, len, &p, &e) < 0) {
        CHECK(e.code == ERR_BAD_CONDITION && !p);
        check_detail(&e);
        return 0;
    }
    check_round_trip(p);
    if (split && json_read(split + 1, size - len - 1, &params, &e) < 0)
        params = NULL;
    e = ERR_INIT;
    if (predicate_bind(p, params, &e) < 0) {
        CHECK(e.code == ERR_BAD_CONDITION || e.code == ERR_BAD_FIELD);
        check_detail(&e);
    } else {
        check_sql(p);
    }
    json_free(params);
    predicate_free(p);
    return 0;
}
