/* The parser of T-SQL: any bytes end in a tree or in an error that can be shown; a tree's own text is accepted, and makes
 * the same text again. The first byte says whether "…" is a name. */
#include "common/utf8.h"
#include "tds-server/language/tsql_parse.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define ARENA_MAX ((size_t)64 << 20)
#define OUTPUT_MAX ((size_t)16 << 20)

static void check_error(const struct tsql_error *e)
{
    CHECK(e->number > 0 && e->severity >= 11 && e->state == 1 && e->line >= 1);
    CHECK(memchr(e->text, '\0', sizeof(e->text)) != NULL && e->text[0] != '\0');
}

static void check_round_trip(const struct tsql_batch *batch)
{
    struct buf once, twice;
    struct arena arena;
    struct tsql_error e;
    struct tsql_batch *again;
    buf_init(&once, OUTPUT_MAX);
    buf_init(&twice, OUTPUT_MAX);
    arena_init(&arena, ARENA_MAX);
    tsql_print(batch, &once);
    CHECK(buf_status(&once) == 0);
    CHECK(tsql_parse(&arena, buf_text(&once), once.len, true, &again, &e) == 0);
    tsql_print(again, &twice);
    CHECK(once.len == twice.len && memcmp(buf_text(&once), buf_text(&twice), once.len) == 0);
    arena_clear(&arena);
    buf_clear(&once);
    buf_clear(&twice);
}

static void check_declarations(const char *text, size_t len)
{
    struct arena arena;
    struct tsql_declaration *list;
    struct tsql_error e;
    arena_init(&arena, ARENA_MAX);
    if (tsql_parse_declarations(&arena, text, len, &list, &e) != 0) {
        check_error(&e);
        list = NULL;
    }
    for (const struct tsql_declaration *d = list; d != NULL; d = d->next)
        CHECK(d->name.len > 0);
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct tsql_batch *batch;
    struct tsql_error e;
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    arena_init(&arena, ARENA_MAX);
    if (tsql_parse(&arena, text, size - 1, data[0] != '!', &batch, &e) != 0)
        check_error(&e);
    else
        check_round_trip(batch);
    arena_clear(&arena);
    check_declarations(text, size - 1);
    return 0;
}
