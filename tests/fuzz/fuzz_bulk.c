/* Bulk load: the text of INSERT BULK up to a NUL, then the message of rows. The first byte chooses the dialect. What is
 * made of the statement is one INSERT and nothing else; rows have the types that their columns tell; both end, or say what
 * is wrong. */
#include "tds-server/wire/bulk.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_value.h"

#include <string.h>

#define ARENA_BYTES ((size_t)64 << 20)
#define COLUMNS_MAX 64

static void check_error(const struct tsql_error *e)
{
    CHECK(e->number > 0 && e->severity >= 11 && e->line >= 1 && e->text[0] != '\0');
}

/* The client's names and types get no further than their places. */
static void check_statement(const struct bulk_statement *b, struct arena *a)
{
    struct tsql_batch *batch;
    struct tsql_declaration *list;
    struct tsql_error e;
    size_t declared = 0;
    CHECK(b->columns >= 1 && b->columns <= BULK_MAX_COLUMNS);
    if (tsql_parse(a, b->insert, b->insert_len, true, &batch, &e) == 0) {
        CHECK(batch->statements != NULL && batch->statements->next == NULL && batch->statements->kind == TSQL_INSERT);
    } else {
        check_error(&e);
    }
    if (tsql_parse_declarations(a, b->declarations, b->declarations_len, &list, &e) == 0) {
        for (; list != NULL; list = list->next) {
            declared++;
        }
        CHECK(declared == b->columns);
    } else {
        check_error(&e);
    }
}

/* The columns that the statement tells; 0 when it is wrong. */
static size_t read_statement(const char *sql, size_t len)
{
    struct arena a;
    struct bulk_statement b;
    struct tsql_error e;
    size_t columns = 0;
    arena_init(&a, ARENA_BYTES);
    if (bulk_read_statement(sql, len, &a, &b, &e) == 0) {
        CHECK(bulk_is_statement(sql, len));
        check_statement(&b, &a);
        columns = b.columns;
    } else {
        check_error(&e);
    }
    arena_clear(&a);
    return columns;
}

static void read_rows(const struct dialect *d, const uint8_t *data, size_t size, size_t columns)
{
    struct wiretype types[COLUMNS_MAX];
    struct value values[COLUMNS_MAX];
    struct arena a;
    struct buf error;
    struct reader r;
    size_t rows = 0;
    int got = -1;
    arena_init(&a, ARENA_BYTES);
    buf_init(&error, 4096);
    reader_init(&r, data, size);
    if (bulk_read_columns(d, &r, types, columns, &error) == 0) {
        size_t left = reader_left(&r);
        while ((got = bulk_read_row(&r, types, columns, &a, values, &error)) > 0) {
            CHECK(reader_left(&r) < left); /* so that the rows end */
            left = reader_left(&r);
            for (size_t i = 0; i < columns; i++) {
                CHECK(values[i].type.kind == types[i].type.kind);
                fuzz_check_form(&values[i], FUZZ_GROWTH);
                if (rows == 0) {
                    fuzz_check_written(&values[i]);
                }
            }
            rows++;
            arena_reset(&a);
        }
    }
    CHECK((got < 0) == (error.len > 0));
    fuzz_check_text(buf_text(&error), error.len);
    arena_clear(&a);
    buf_clear(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dialect dialects[] = {{DIALECT_74, true}, {DIALECT_74, false}, {DIALECT_72, false}, {DIALECT_71, false}};
    if (size == 0) {
        return 0;
    }
    const struct dialect *d = &dialects[data[0] % 4];
    const uint8_t *sql = data + 1;
    const uint8_t *end = memchr(sql, '\0', size - 1);
    size_t len = end != NULL ? (size_t)(end - sql) : size - 1;
    size_t columns = read_statement((const char *)sql, len);
    if (end != NULL && size - 1 - len >= 4) {
        if (columns == 0) { /* as many as the rows tell */
            columns = (size_t)end[2] | (size_t)end[3] << 8;
        }
        read_rows(d, end + 1, size - 2 - len, columns <= COLUMNS_MAX ? columns : COLUMNS_MAX);
    }
    return 0;
}
