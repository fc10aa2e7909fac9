#include "tds-server/wire/load.h"

#include "tds-server/wire/bulk.h"

#define COMMAND   0xF0 /* DONE's CurCmd of a bulk load */
#define SAVEPOINT "sg_bulk_load"
#define ROW_MAX   ((size_t)256 << 20) /* bytes that one row's values take, decoded */

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

/* What a load works with; the request's. */
struct loading {
    struct wiretype *types;
    struct value *values;
    struct engine_param *params;
    struct buf error;
};

/* Inserts the next row. 1, 0 when there is none left, or -1: the reason is in `g->error`, or the engine has told it. */
static int load_row(struct load *l, struct reader *r, struct loading *g)
{
    struct arena a;
    arena_init(&a, ROW_MAX);
    int got = bulk_read_row(r, g->types, l->columns, &a, g->values, &g->error);
    if (got > 0) {
        for (size_t i = 0; i < l->columns; i++) {
            g->params[i] = (struct engine_param){.name = "", .value = g->values[i], .collation = COLLATION_CI};
        }
        if (engine_execute_prepared(l->engine, l->handle, g->params, l->columns) != 0 || l->answer->error_open) {
            got = -1;
        }
    }
    arena_clear(&a);
    return got;
}

/* Inserts the rows of the message. 0, or -1: the error is written, or a callback ended it. */
static int load_all(struct load *l, struct reader *r, struct arena *a, uint64_t *rows)
{
    struct loading g = {
        .types = arena_alloc(a, l->columns * sizeof *g.types),
        .values = arena_alloc(a, l->columns * sizeof *g.values),
        .params = arena_alloc(a, l->columns * sizeof *g.params),
    };
    int got = -1;
    buf_init(&g.error, ANSWER_ERROR_TEXT_MAX);
    if (g.types == NULL || g.values == NULL || g.params == NULL) {
        buf_append_text(&g.error, "There is insufficient system memory to run this query.");
    } else if (bulk_read_columns(&l->answer->dialect, r, g.types, l->columns, &g.error) == 0) {
        while ((got = load_row(l, r, &g)) > 0) {
            ++*rows;
        }
    }
    if (g.error.len > 0) {
        answer_message(l->answer, ERROR_BULK_ROWS, 16, 1, buf_text(&g.error));
    }
    buf_clear(&g.error);
    return got;
}

void load_rows(struct load *l, struct reader *r, struct arena *a)
{
    if (l->handle == 0) {
        answer_error(l->answer, ERROR_BULK_ROWS, 16,
                     "Rows of a bulk load came without the INSERT BULK that tells of them.");
        return;
    }
    /* A transaction of its own, or a savepoint in the client's. */
    uint64_t rows = 0;
    bool nested = engine_session_transaction(l->engine) != 0;
    l->answer->muted = true;
    l->answer->muted_transactions = !nested;
    int result = nested ? engine_save(l->engine, SAVEPOINT) : engine_begin(l->engine);
    if (result == 0) {
        result = load_all(l, r, a, &rows);
    }
    if (result == 0 && !nested) {
        result = engine_commit(l->engine);
    }
    /* An error under XACT_ABORT has ended the client's transaction already. */
    if ((result != 0 || l->answer->error_open) && engine_session_transaction(l->engine) != 0 &&
        engine_rollback(l->engine, nested ? SAVEPOINT : "") != 0) {
        result = -1;
    }
    load_forget(l);
    l->answer->muted = false;
    l->answer->muted_transactions = false;
    if (result == 0 && !l->answer->error_open) {
        answer_done(l->answer, TOKEN_DONE, &(struct engine_done){.has_count = true, .count = rows, .command = COMMAND});
    }
}
