#include "tds-server/wire/load.h"

#include "tds-server/wire/bulk.h"

#define COMMAND 0xF0 /* DONE's CurCmd of a bulk load */
#define ROW_MAX ((size_t)256 << 20) /* bytes that one row's values take, decoded */

void load_forget(struct load *l)
{
    if (l->handle != 0 && engine_unprepare(l->engine, l->handle) != 0) {
        l->answer->stream->broken = true;
    }
    l->handle = 0;
}

void load_begin(struct load *l, const char *sql, size_t len, struct arena *a)
{
    struct bulk_statement b;
    struct tsql_error e;
    const struct engine_column *columns;
    size_t column_count;
    if (bulk_read_statement(sql, len, a, &b, &e) != 0) {
        answer_message(l->answer, e.number, e.severity, e.state, e.text);
        return;
    }
    load_forget(l);
    if (engine_prepare(l->engine, b.insert, b.insert_len, b.declarations, b.declarations_len, &l->handle, &columns,
                       &column_count) != 0) {
        return;
    }
    l->columns = b.columns;
}

/* The rows of a message under way. */
struct loading {
    struct reader *reader;
    size_t columns;
    struct wiretype *types;
    struct arena row;  /* the bytes of the row's values */
    struct buf error;  /* why the rows cannot be read */
};

static int next_row(void *arg, struct value *values)
{
    struct loading *g = arg;
    arena_reset(&g->row);
    return bulk_read_row(g->reader, g->types, g->columns, &g->row, values, &g->error);
}

void load_rows(struct load *l, struct reader *r, struct arena *a)
{
    if (l->handle == 0) {
        answer_error(l->answer, ERROR_BULK_ROWS, 16,
                     "Rows of a bulk load came without the INSERT BULK that tells of them.");
        return;
    }
    struct loading g = {.reader = r, .columns = l->columns, .types = arena_alloc(a, l->columns * sizeof *g.types)};
    uint64_t rows = 0;
    int result = -1;
    arena_init(&g.row, ROW_MAX);
    buf_init(&g.error, ANSWER_ERROR_TEXT_MAX);
    if (g.types == NULL) {
        buf_append_text(&g.error, "There is insufficient system memory to run this query.");
    } else if (bulk_read_columns(&l->answer->dialect, r, g.types, g.columns, &g.error) == 0) {
        l->answer->muted = true; /* the load has a DONE of its own */
        result = engine_load(l->engine, l->handle, &(struct engine_rows){next_row, &g}, &rows);
        l->answer->muted = false;
    }
    load_forget(l);
    if (g.error.len > 0) {
        answer_message(l->answer, ERROR_BULK_ROWS, 16, 1, buf_text(&g.error));
    }
    if (result == 0 && !l->answer->error_open) {
        answer_done(l->answer, TOKEN_DONE, &(struct engine_done){.has_count = true, .count = rows, .command = COMMAND});
    }
    buf_clear(&g.error);
    arena_clear(&g.row);
}
