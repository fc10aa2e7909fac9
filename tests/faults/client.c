#include "tests/faults/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the sink ---- */

static int take_columns(void *arg, const struct engine_column *columns, size_t count)
{
    (void)arg;
    (void)columns;
    (void)count;
    return 0;
}

static int take_row(void *arg, const struct value *values, size_t count)
{
    struct client *c = arg;
    if (c->row)
        c->row(c->arg, values, count);
    return 0;
}

static int take_done(void *arg, const struct engine_done *done)
{
    struct client *c = arg;
    c->done = true;
    if (done->error && c->error == 0)
        c->error = -1; /* an error without a message */
    if (done->has_count)
        c->count += done->count;
    return 0;
}

static int take_message(void *arg, const struct engine_message *m)
{
    struct client *c = arg;
    if (m->severity > 10 && c->error == 0) {
        c->error = m->number;
        snprintf(c->text, sizeof c->text, "%s", m->text);
    }
    return 0;
}

static int take_database(void *arg, const char *from, const char *to)
{
    (void)arg;
    (void)from;
    (void)to;
    return 0;
}

static int take_transaction(void *arg, int type, uint64_t from, uint64_t to)
{
    (void)arg;
    (void)type;
    (void)from;
    (void)to;
    return 0;
}

static void start(struct client *c)
{
    c->error = 0;
    c->count = 0;
    c->done = false;
    c->text[0] = '\0';
}

static bool finish(struct client *c, int result)
{
    c->done = c->done && c->error == 0 && result == 0;
    return c->done;
}

/* ---- public ---- */

bool client_open(struct client *c, struct engine *e, const char *database)
{
    const struct engine_sink sink = {
        .columns = take_columns,
        .row = take_row,
        .done = take_done,
        .message = take_message,
        .database = take_database,
        .transaction = take_transaction,
        .arg = c,
    };
    *c = (struct client){0};
    if (engine_session_open(e, database, &sink, &c->session) < 0)
        c->session = NULL;
    return c->session != NULL;
}

void client_close(struct client *c)
{
    if (c->session)
        engine_session_close(c->session);
    c->session = NULL;
}

bool client_run(struct client *c, const char *sql)
{
    start(c);
    return finish(c, engine_batch(c->session, sql, strlen(sql)));
}

bool client_printf(struct client *c, const char *format, ...)
{
    char sql[CLIENT_MAX_SQL];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    start(c);
    return len >= 0 && len < (int)sizeof sql && client_run(c, sql);
}

int32_t client_prepare(struct client *c, const char *sql, const char *declarations)
{
    const struct engine_column *columns;
    size_t column_count;
    int32_t handle = 0;
    start(c);
    if (engine_prepare(c->session, sql, strlen(sql), declarations, strlen(declarations), &handle, &columns, &column_count) < 0)
        return 0;
    return handle;
}

bool client_execute(struct client *c, int32_t handle, const int64_t *numbers, size_t count, const char *text)
{
    struct engine_param params[CLIENT_MAX_PARAMS];
    size_t n = 0;
    for (; n < count && n < CLIENT_MAX_PARAMS; n++)
        params[n] = (struct engine_param){.name = "", .value = {.type = {.kind = SQLTYPE_BIGINT}, .integer = numbers[n]}};
    if (text && n < CLIENT_MAX_PARAMS)
        params[n++] = (struct engine_param){
            .name = "", .value = {.type = {.kind = SQLTYPE_VARCHAR, .length = 8000}, .bytes = {.data = text, .len = strlen(text)}}};
    start(c);
    return finish(c, engine_execute_prepared(c->session, handle, params, n));
}
