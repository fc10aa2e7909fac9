#include "tests/unit/engine_fake.h"

#include "tds-server/engine/engine.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS_MAX 64
#define LOAD_COLUMNS_MAX 1024
#define NUMBER_MAX  10000000

struct engine {
    atomic_int next_spid;
};

struct engine_session {
    struct engine_sink sink;
    char database[ENGINE_MAX_NAME + 1];
    int spid;
    uint64_t transaction;
    atomic_bool cancelled;
    char *prepared[ENGINE_FAKE_PREPARED_MAX + 1];
};

int engine_open(const char *folder, bool durable, struct engine **out, struct buf *error)
{
    (void)folder;
    (void)durable;
    (void)error;
    *out = calloc(1, sizeof **out);
    atomic_store(&(*out)->next_spid, 51);
    return 0;
}

void engine_close(struct engine *e)
{
    free(e);
}

int engine_session_open(struct engine *e, const char *database, const struct engine_sink *sink, struct engine_session **out)
{
    if (strcmp(database, "nowhere") == 0) {
        return -1;
    }
    struct engine_session *s = calloc(1, sizeof *s);
    s->sink = *sink;
    s->spid = atomic_fetch_add(&e->next_spid, 1);
    snprintf(s->database, sizeof s->database, "%s", database[0] == '\0' ? "master" : database);
    *out = s;
    return 0;
}

void engine_session_close(struct engine_session *s)
{
    for (size_t i = 0; i <= ENGINE_FAKE_PREPARED_MAX; i++) {
        free(s->prepared[i]);
    }
    free(s);
}

void engine_session_reset(struct engine_session *s, bool keep_transaction)
{
    s->transaction = keep_transaction ? s->transaction : 0;
}

const char *engine_session_database(const struct engine_session *s)
{
    return s->database;
}

int engine_session_spid(const struct engine_session *s)
{
    return s->spid;
}

uint64_t engine_session_transaction(const struct engine_session *s)
{
    return s->transaction;
}

static int fail_with(struct engine_session *s, int number, int severity, const char *text)
{
    const struct engine_message m = {.number = number, .severity = severity, .state = 1, .line = 1, .text = text};
    const struct engine_done done = {.error = true};
    return s->sink.message(s->sink.arg, &m) != 0 || s->sink.done(s->sink.arg, &done) != 0 ? -1 : 0;
}

static int fail(struct engine_session *s, int number, const char *text)
{
    return fail_with(s, number, 16, text);
}

static int finish(struct engine_session *s, uint64_t count, uint16_t command)
{
    const struct engine_done done = {.has_count = command != 0, .count = count, .command = command};
    return s->sink.done(s->sink.arg, &done);
}

#define TEXT(literal) .bytes = {literal, sizeof(literal) - 1}

static int select_types(struct engine_session *s)
{
    static const struct value samples[] = {
        {.type = {.kind = SQLTYPE_TINYINT}, .integer = 255},
        {.type = {.kind = SQLTYPE_SMALLINT}, .integer = -32768},
        {.type = {.kind = SQLTYPE_INT}, .integer = -2147483647 - 1},
        {.type = {.kind = SQLTYPE_BIGINT}, .integer = INT64_MIN},
        {.type = {.kind = SQLTYPE_BIT}, .integer = 1},
        {.type = {.kind = SQLTYPE_DECIMAL, .precision = 10, .scale = 2}, .decimal = -12345},
        {.type = {.kind = SQLTYPE_NUMERIC, .precision = 38, .scale = 0}, .decimal = (int128)INT64_MAX * 1000},
        {.type = {.kind = SQLTYPE_MONEY, .precision = 19, .scale = 4}, .decimal = -12345678},
        {.type = {.kind = SQLTYPE_FLOAT}, .real = 0.1},
        {.type = {.kind = SQLTYPE_REAL}, .real = 0.5},
        {.type = {.kind = SQLTYPE_CHAR, .length = 6}, TEXT("abc   ")},
        {.type = {.kind = SQLTYPE_VARCHAR, .length = 50}, TEXT("na\xC3\xAFve \xE2\x82\xAC \xF0\x9F\x98\x80")},
        {.type = {.kind = SQLTYPE_VARCHAR, .length = SQLTYPE_MAX}, TEXT("long \xE2\x82\xAC")},
        {.type = {.kind = SQLTYPE_NCHAR, .length = 4}, TEXT("x\xC3\xA9  ")},
        {.type = {.kind = SQLTYPE_NVARCHAR, .length = 50}, TEXT("\xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80")},
        {.type = {.kind = SQLTYPE_NVARCHAR, .length = SQLTYPE_MAX}, TEXT("")},
        {.type = {.kind = SQLTYPE_TEXT, .length = SQLTYPE_MAX}, TEXT("text \xC3\xBC")},
        {.type = {.kind = SQLTYPE_DATE}, TEXT("2026-11-22")},
        {.type = {.kind = SQLTYPE_TIME, .scale = 7}, TEXT("13:05:00.1234567")},
        {.type = {.kind = SQLTYPE_DATETIME, .scale = 3}, TEXT("2026-11-22 13:05:00.1230000")},
        {.type = {.kind = SQLTYPE_DATETIME2, .scale = 7}, TEXT("2026-11-22 13:05:00.1234567")},
        {.type = {.kind = SQLTYPE_DATETIMEOFFSET, .scale = 3}, TEXT("2026-11-22 11:05:00.1230000 +02:00")},
        {.type = {.kind = SQLTYPE_UNIQUEIDENTIFIER}, TEXT("\x03\x05\xE8\x2C\x33\x01\x9A\x0C\xD3\x11\x89\x4F\xE0\x04\x25\x3F")},
        {.type = {.kind = SQLTYPE_BINARY, .length = 3}, TEXT("\x01\x02\x00")},
        {.type = {.kind = SQLTYPE_VARBINARY, .length = 8000}, TEXT("\xDE\xAD\x00\xBE\xEF")},
        {.type = {.kind = SQLTYPE_VARBINARY, .length = SQLTYPE_MAX}, TEXT("\x00\xFF")},
    };
    enum { COUNT = sizeof samples / sizeof samples[0] };
    struct engine_column columns[COUNT];
    struct value nulls[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        columns[i] = (struct engine_column){.name = sqltype_name(samples[i].type.kind), .type = samples[i].type, .nullable = true};
        nulls[i] = (struct value){.type = samples[i].type, .null = true};
    }
    if (s->sink.columns(s->sink.arg, columns, COUNT) != 0 || s->sink.row(s->sink.arg, samples, COUNT) != 0 ||
        s->sink.row(s->sink.arg, nulls, COUNT) != 0) {
        return -1;
    }
    return finish(s, 2, 0xC1);
}

static int select_ints(struct engine_session *s, long first, long rows)
{
    const struct engine_column column = {.name = "", .type = {.kind = SQLTYPE_INT}};
    if (s->sink.columns(s->sink.arg, &column, 1) != 0) {
        return -1;
    }
    for (long i = 0; i < rows; i++) {
        const struct value v = {.type = {.kind = SQLTYPE_INT}, .integer = first + i};
        if (s->sink.row(s->sink.arg, &v, 1) != 0) {
            return -1;
        }
    }
    return finish(s, (uint64_t)rows, 0xC1);
}

static int select_text(struct engine_session *s, long letters)
{
    const struct engine_column column = {.name = "t", .type = {.kind = SQLTYPE_NVARCHAR, .length = SQLTYPE_MAX}};
    char *text = malloc((size_t)letters + 1);
    for (long i = 0; i < letters; i++) {
        text[i] = (char)('a' + i % 26);
    }
    const struct value v = {.type = column.type, .bytes = {text, (size_t)letters}};
    int result = s->sink.columns(s->sink.arg, &column, 1) != 0 || s->sink.row(s->sink.arg, &v, 1) != 0 ? -1 : finish(s, 1, 0xC1);
    free(text);
    return result;
}

static void hang_until_cancelled(struct engine_session *s)
{
    while (!atomic_load(&s->cancelled)) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static int hang(struct engine_session *s)
{
    hang_until_cancelled(s);
    return fail(s, 3621, "The statement has been terminated.");
}

/* Like an engine that the cancel reaches before it has begun. */
static int hang_late(struct engine_session *s)
{
    hang_until_cancelled(s);
    atomic_store(&s->cancelled, false);
    return hang(s);
}

static long number(const char *text)
{
    long n = strtol(text, NULL, 10);
    return n < 0 ? 0 : n > NUMBER_MAX ? NUMBER_MAX
                                      : n;
}

int engine_batch(struct engine_session *s, const char *sql, size_t len)
{
    char text[ENGINE_MAX_NAME + 1];
    snprintf(text, sizeof text, "%.*s", len > ENGINE_MAX_NAME ? ENGINE_MAX_NAME : (int)len, sql);
    atomic_store(&s->cancelled, false);
    if (strncmp(text, "select 1", 8) == 0) {
        return select_ints(s, 1, 1);
    }
    if (strncmp(text, "SELECT @@MAX_PRECISION", 22) == 0) {
        return select_ints(s, 38, 1);
    }
    if (strncmp(text, "select types", 12) == 0) {
        return select_types(s);
    }
    if (strncmp(text, "rows ", 5) == 0) {
        return select_ints(s, 1, number(text + 5));
    }
    if (strncmp(text, "text ", 5) == 0) {
        return select_text(s, number(text + 5));
    }
    if (strncmp(text, "fail badly", 10) == 0) {
        return fail_with(s, 9001, 21, "The log is not available.");
    }
    if (strncmp(text, "fail", 4) == 0) {
        return fail(s, 208, "Invalid object name 'fail'.");
    }
    if (strncmp(text, "hang late", 9) == 0) {
        return hang_late(s);
    }
    if (strncmp(text, "hang", 4) == 0) {
        return hang(s);
    }
    if (strncmp(text, "use ", 4) == 0) {
        char before[sizeof s->database];
        memcpy(before, s->database, sizeof before);
        snprintf(s->database, sizeof s->database, "%s", text + 4);
        return s->sink.database(s->sink.arg, before, s->database) != 0 ? -1 : finish(s, 0, 0);
    }
    if (strncmp(text, "print ", 6) == 0) {
        const struct engine_message m = {.number = 0, .severity = 0, .state = 1, .line = 1, .text = text + 6};
        return s->sink.message(s->sink.arg, &m) != 0 ? -1 : finish(s, 0, 0);
    }
    return finish(s, 0, 0);
}

int engine_execute(struct engine_session *s, const char *sql, size_t len, struct engine_param *params, size_t count)
{
    if (count == 0 || count > COLUMNS_MAX) {
        return engine_batch(s, sql, len);
    }
    struct engine_column columns[COLUMNS_MAX];
    struct value values[COLUMNS_MAX];
    for (size_t i = 0; i < count; i++) {
        columns[i] = (struct engine_column){.name = params[i].name, .type = params[i].value.type, .nullable = true};
        values[i] = params[i].value;
        if (params[i].output && sqltype_is_integer(&params[i].value.type)) {
            params[i].value.integer *= 2;
        }
    }
    if (s->sink.columns(s->sink.arg, columns, count) != 0 || s->sink.row(s->sink.arg, values, count) != 0) {
        return -1;
    }
    return finish(s, 1, 0xC1);
}

int engine_prepare(struct engine_session *s, const char *sql, size_t len, const char *declarations, size_t declarations_len,
                   int32_t *handle, const struct engine_column **columns, size_t *column_count)
{
    static const struct engine_column column = {.name = "", .type = {.kind = SQLTYPE_INT}};
    (void)declarations;
    (void)declarations_len;
    *handle = 0;
    for (int32_t i = 1; i <= ENGINE_FAKE_PREPARED_MAX && *handle == 0; i++) {
        if (s->prepared[i] == NULL) {
            s->prepared[i] = strndup(sql, len);
            *handle = i;
        }
    }
    *columns = &column;
    *column_count = len >= 8 && strncmp(sql, "select 1", 8) == 0;
    return *handle == 0 ? fail(s, 701, "No more handles.") : 0;
}

static bool is_prepared(const struct engine_session *s, int32_t handle)
{
    return handle >= 1 && handle <= ENGINE_FAKE_PREPARED_MAX && s->prepared[handle] != NULL;
}

int engine_execute_prepared(struct engine_session *s, int32_t handle, struct engine_param *params, size_t count)
{
    if (!is_prepared(s, handle)) {
        return fail(s, 8179, "Could not find prepared statement with that handle.");
    }
    return engine_execute(s, s->prepared[handle], strlen(s->prepared[handle]), params, count);
}

int engine_load(struct engine_session *s, int32_t handle, const struct engine_rows *rows, uint64_t *count)
{
    struct value values[LOAD_COLUMNS_MAX];
    int more;
    *count = 0;
    if (!is_prepared(s, handle)) {
        return fail(s, 8179, "Could not find prepared statement with that handle.");
    }
    while ((more = rows->next(rows->arg, values)) > 0) {
        ++*count;
    }
    return more < 0 ? -1 : finish(s, *count, 0xC3);
}

int engine_unprepare(struct engine_session *s, int32_t handle)
{
    if (!is_prepared(s, handle)) {
        return fail(s, 8179, "Could not find prepared statement with that handle.");
    }
    free(s->prepared[handle]);
    s->prepared[handle] = NULL;
    return 0;
}

int engine_call(struct engine_session *s, const char *name, struct engine_param *params, size_t count)
{
    (void)params;
    (void)count;
    char text[200];
    snprintf(text, sizeof text, "Could not find stored procedure '%s'.", name);
    return fail(s, 2812, text);
}

void engine_session_describe(struct engine_session *s, const struct engine_client *client)
{
    (void)s, (void)client;
}

int engine_begin(struct engine_session *s, enum engine_isolation isolation, const char *name)
{
    (void)isolation, (void)name;
    s->transaction = 0x0102030405060708;
    return s->sink.transaction(s->sink.arg, 8, 0, s->transaction) != 0 ? -1 : finish(s, 0, 0);
}

static int end_transaction(struct engine_session *s, int type)
{
    uint64_t from = s->transaction;
    if (from == 0) {
        return fail(s, 3902, "The request has no corresponding BEGIN TRANSACTION.");
    }
    s->transaction = 0;
    return s->sink.transaction(s->sink.arg, type, from, 0) != 0 ? -1 : finish(s, 0, 0);
}

int engine_commit(struct engine_session *s)
{
    return end_transaction(s, 9);
}

int engine_rollback(struct engine_session *s, const char *savepoint)
{
    (void)savepoint;
    return end_transaction(s, 10);
}

int engine_save(struct engine_session *s, const char *savepoint)
{
    (void)savepoint;
    return finish(s, 0, 0);
}

void engine_cancel(struct engine_session *s)
{
    atomic_store(&s->cancelled, true);
}
