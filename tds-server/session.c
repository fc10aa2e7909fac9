#include "tds-server/session.h"

#include "common/log.h"
#include "tds-server/bulk.h"
#include "tds-server/login.h"
#include "tds-server/rpc.h"
#include "tds-server/token.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ARENA_MAX      (MESSAGE_MAX * 3) /* UTF-16 grows by half as UTF-8, Windows-1252 at most threefold */
#define ERROR_TEXT_MAX 4096
#define KEEP_MEMORY    ((size_t)256 << 10)
#define LANGUAGE       "us_english"
#define BULK_COMMAND   0xF0 /* DONE's CurCmd of a bulk load */
#define BULK_SAVEPOINT "sg_bulk_load"

/* Errors that the wire itself reports. */
enum {
    ERROR_MALFORMED = 4002,
    ERROR_NO_DATABASE = 4060,
    ERROR_LOGIN_FAILED = 18456,
    ERROR_UNTRUSTED = 18452,
    ERROR_NO_PROCEDURE = 2812,
    ERROR_PROCEDURE_PARAMETER = 214,
    ERROR_MISSING_PARAMETER = 8178,
    ERROR_TOO_MANY_PARAMETERS = 8144,
    ERROR_NOT_SUPPORTED = 40510,
    ERROR_TOO_MANY_CONNECTIONS = 17809,
    ERROR_BULK_ROWS = 4804,
    ERROR_MEMORY = 701,
    INFO_DATABASE = 5701,
    INFO_LANGUAGE = 5703,
};

struct session {
    const struct session_settings *settings;
    struct packet_stream stream;
    struct message message;
    struct dialect dialect;
    struct engine_session *engine;
    struct engine_sink sink;
    struct arena arena; /* of the request under way */
    struct watch_entry watch;
    atomic_bool cancelled; /* the request under way */

    /* The answer under way. */
    enum token_done statement_done; /* what ends a statement: DONE in a batch, DONEINPROC in an RPC */
    bool done_held;                 /* a DONE waits to be written, for it must say whether more follows */
    enum token_done held_token;
    struct engine_done held;
    bool error_open; /* an error that no DONE has told of yet */
    int32_t last_error;

    /* The result set under way. */
    struct wiretype *types;
    size_t types_cap;

    /* The bulk load that INSERT BULK announced. */
    int32_t bulk_handle; /* of its INSERT; 0 without */
    size_t bulk_columns;
    bool muted; /* the engine's answers to its parts are not the client's; errors are */
    bool muted_transactions;
};

/* --- writing the answer --- */

static struct buf *output(struct session *s)
{
    return &s->stream.pending;
}

static void write_held_done(struct session *s, unsigned more)
{
    unsigned status = more;
    status |= s->held.error ? DONE_ERROR : 0;
    status |= s->held.has_count ? DONE_COUNT : 0;
    token_write_done(&s->dialect, s->held_token, status, s->held.command, s->held.count, output(s));
    s->done_held = false;
}

/* Called before every token: what was held has something behind it. */
static struct buf *next_token(struct session *s)
{
    if (s->done_held) {
        write_held_done(s, DONE_MORE);
    }
    return output(s);
}

static void hold_done(struct session *s, enum token_done token, const struct engine_done *done)
{
    next_token(s);
    s->held = *done;
    s->held.error |= s->error_open;
    s->held_token = token;
    s->done_held = true;
    s->error_open = false;
}

static void begin_answer(struct session *s, enum token_done statement_done)
{
    s->statement_done = statement_done;
    s->done_held = false;
    s->error_open = false;
    s->last_error = 0;
}

/* Ends the answer; nothing goes out without a last DONE. 0, or -1 when the client cannot be reached. */
static int finish_answer(struct session *s)
{
    if (!s->done_held || s->error_open) {
        hold_done(s, TOKEN_DONE, &(struct engine_done){0});
    }
    write_held_done(s, 0);
    return packet_finish(&s->stream);
}

/* The answer to an attention: a message of its own, also when it cut an answer short (some clients wait for both). */
static int acknowledge_attention(struct session *s)
{
    token_write_done(&s->dialect, TOKEN_DONE, DONE_ATTENTION, 0, 0, output(s));
    return packet_finish(&s->stream);
}

static void write_message(struct session *s, int number, int severity, int state, const char *text)
{
    const struct engine_message m = {.number = number, .severity = severity, .state = state, .line = 1, .text = text};
    token_write_message(&s->dialect, &m, next_token(s));
    if (severity > 10) {
        s->error_open = true;
        s->last_error = number;
    }
}

__attribute__((format(printf, 4, 5))) static void write_error(struct session *s, int number, int severity, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_message(s, number, severity, 1, text);
}

/* --- the engine's sink --- */

/* A cancelled request says nothing more, not even why it ended: DONE_ATTN does. */
static bool is_cancelled(const struct session *s)
{
    return atomic_load_explicit(&s->cancelled, memory_order_relaxed);
}

static int on_columns(void *arg, const struct engine_column *columns, size_t count)
{
    struct session *s = arg;
    if (s->muted) {
        return 0;
    }
    if (is_cancelled(s)) {
        return -1;
    }
    if (count > s->types_cap) {
        struct wiretype *types = realloc(s->types, count * sizeof *types);
        if (types == NULL) {
            return -1;
        }
        s->types = types;
        s->types_cap = count;
    }
    token_write_columns(&s->dialect, columns, count, s->types, next_token(s));
    return packet_drain(&s->stream);
}

static int on_row(void *arg, const struct value *values, size_t count)
{
    struct session *s = arg;
    if (s->muted) {
        return 0;
    }
    if (is_cancelled(s)) {
        return -1;
    }
    struct buf *out = next_token(s);
    bool skip_nulls = token_write_row_start(&s->dialect, s->types, values, count, out);
    for (size_t i = 0; i < count; i++) {
        if (skip_nulls && values[i].null) {
            continue;
        }
        wiretype_write_value(&s->types[i], &values[i], out);
        if (packet_drain(&s->stream) != 0) {
            return -1;
        }
    }
    return packet_drain(&s->stream);
}

static int on_done(void *arg, const struct engine_done *done)
{
    struct session *s = arg;
    if (s->muted) {
        return 0;
    }
    if (is_cancelled(s)) {
        return -1;
    }
    hold_done(s, s->statement_done, done);
    return packet_drain(&s->stream);
}

static int on_message(void *arg, const struct engine_message *m)
{
    struct session *s = arg;
    if (s->muted && m->severity <= 10) {
        return 0;
    }
    if (is_cancelled(s)) {
        return -1;
    }
    token_write_message(&s->dialect, m, next_token(s));
    if (m->severity > 10) {
        s->error_open = true;
        s->last_error = m->number;
    }
    return packet_drain(&s->stream);
}

static int on_database(void *arg, const char *from, const char *to)
{
    struct session *s = arg;
    if (s->muted) {
        return 0;
    }
    if (is_cancelled(s)) {
        return -1;
    }
    token_write_envchange_text(ENVCHANGE_DATABASE, to, from, next_token(s));
    return packet_drain(&s->stream);
}

static int on_transaction(void *arg, int type, uint64_t from, uint64_t to)
{
    struct session *s = arg;
    if (s->muted_transactions) {
        return 0;
    }
    if (is_cancelled(s)) {
        return -1;
    }
    if (s->dialect.version >= DIALECT_72) {
        token_write_envchange_transaction((enum token_envchange)type, to, from, next_token(s));
    }
    return packet_drain(&s->stream);
}

static void on_cancel(void *arg)
{
    struct session *s = arg;
    atomic_store(&s->cancelled, true);
    engine_cancel(s->engine);
}

/* --- login --- */

/* Takes the same time for any input of the same claimed length. Both have at most LOGIN_TEXT_BYTES bytes. */
static bool equal_in_constant_time(const char *given, const char *expected)
{
    char a[LOGIN_TEXT_BYTES + 1] = {0};
    char b[LOGIN_TEXT_BYTES + 1] = {0};
    snprintf(a, sizeof a, "%s", given);
    snprintf(b, sizeof b, "%s", expected);
    unsigned difference = 0;
    for (size_t i = 0; i < sizeof a; i++) {
        difference |= (unsigned char)(a[i] ^ b[i]);
    }
    explicit_bzero(a, sizeof a);
    explicit_bzero(b, sizeof b);
    return difference == 0;
}

/* Answers PRELOGIN. 0, or -1: the client wants what there is not. */
static int answer_prelogin(struct session *s)
{
    enum login_encryption wanted;
    if (login_read_prelogin(s->message.data.data, s->message.data.len, &wanted) != 0) {
        return -1;
    }
    login_write_prelogin(ENCRYPTION_NOT_SUP, output(s));
    if (packet_finish(&s->stream) != 0) {
        return -1;
    }
    if (wanted == ENCRYPTION_ON || wanted == ENCRYPTION_REQUIRED) {
        log_warning("a client was refused: it requires encryption, which this server does not offer");
        return -1;
    }
    return 0;
}

/* Opens the engine's session for a client whose login was read. 0, or -1 with the error written. */
static int admit(struct session *s, const struct login *l)
{
    static const struct engine_sink callbacks = {on_columns, on_row, on_done, on_message, on_database, on_transaction, NULL};

    if (l->integrated || l->federated) {
        write_message(s, ERROR_UNTRUSTED, 14, 1,
                      "Login failed. This server takes SQL Server authentication only: Windows and token authentication are not supported.");
        return -1;
    }
    /* Both are compared always, so that the answer's time does not tell which was wrong. */
    bool user_is_right = equal_in_constant_time(l->user, s->settings->user);
    bool password_is_right = equal_in_constant_time(l->password, s->settings->password);
    if (!(user_is_right & password_is_right)) {
        log_warning("login failed for user '%s'", l->user);
        write_error(s, ERROR_LOGIN_FAILED, 14, "Login failed for user '%s'.", l->user);
        return -1;
    }
    if (l->change_password) {
        write_error(s, ERROR_LOGIN_FAILED, 14, "Login failed for user '%s'. The password cannot be changed at login.", l->user);
        return -1;
    }
    s->sink = callbacks;
    s->sink.arg = s;
    if (engine_session_open(s->settings->engine, l->database, &s->sink, &s->engine) != 0) {
        s->engine = NULL;
        write_error(s, ERROR_NO_DATABASE, 11, "Cannot open database \"%s\" requested by the login. The login failed.", l->database);
        write_error(s, ERROR_LOGIN_FAILED, 14, "Login failed for user '%s'.", l->user);
        return -1;
    }
    return 0;
}

static size_t packet_size_for(uint32_t wanted)
{
    if (wanted == 0) {
        return PACKET_SIZE_DEFAULT;
    }
    if (wanted < PACKET_SIZE_MIN) {
        return PACKET_SIZE_MIN;
    }
    return wanted > PACKET_SIZE_MAX ? PACKET_SIZE_MAX : wanted;
}

/* What a client is told when it is logged in, in SQL Server's order. */
static void write_welcome(struct session *s, const struct login *l, size_t packet_size)
{
    char text[ERROR_TEXT_MAX];
    char size[16];
    const char *database = engine_session_database(s->engine);

    token_write_envchange_text(ENVCHANGE_DATABASE, database, "master", output(s));
    snprintf(text, sizeof text, "Changed database context to '%s'.", database);
    write_message(s, INFO_DATABASE, 0, 2, text);
    token_write_envchange_collation(&s->dialect, output(s));
    token_write_envchange_text(ENVCHANGE_LANGUAGE, LANGUAGE, "", output(s));
    write_message(s, INFO_LANGUAGE, 0, 1, "Changed language setting to " LANGUAGE ".");
    token_write_loginack(&s->dialect, output(s));
    snprintf(size, sizeof size, "%zu", packet_size);
    token_write_envchange_text(ENVCHANGE_PACKET_SIZE, size, "4096", output(s));
    if (l->has_features) {
        token_write_featureextack(&s->dialect, output(s));
    }
}

/* Answers LOGIN7. 0, or -1: the connection ends. */
static int answer_login(struct session *s)
{
    struct login l;
    int result = -1;
    if (login_read(s->message.data.data, s->message.data.len, &l) != 0) {
        goto out;
    }
    s->dialect = l.dialect;
    begin_answer(s, TOKEN_DONE);
    if (l.old) {
        write_message(s, ERROR_LOGIN_FAILED, 14, 1, "Login failed. TDS versions before 7.1 are not supported.");
        packet_finish(&s->stream);
        goto out;
    }
    if (admit(s, &l) != 0) {
        finish_answer(s);
        goto out;
    }
    s->stream.spid = (uint16_t)engine_session_spid(s->engine);
    size_t packet_size = packet_size_for(l.packet_size);
    write_welcome(s, &l, packet_size);
    result = finish_answer(s);
    s->stream.packet_size = packet_size;

out:
    login_clear(&l);
    buf_clear(&s->message.data); /* the password in it is only scrambled */
    return result;
}

/* From the first byte to a session of the engine. 0, or -1: the connection ends. */
static int log_in(struct session *s)
{
    s->stream.transport->deadline_ms = transport_now_ms() + SESSION_LOGIN_TIMEOUT_MS;
    bool greeted = false;
    for (;;) {
        if (packet_read_message(&s->stream, MESSAGE_LOGIN_MAX, &s->message) != PACKET_OK) {
            return -1;
        }
        if (s->message.type == PACKET_PRELOGIN && !greeted) {
            greeted = true;
            if (answer_prelogin(s) != 0) {
                return -1;
            }
        } else if (s->message.type == PACKET_LOGIN7) {
            int result = answer_login(s);
            s->stream.transport->deadline_ms = 0;
            return result;
        } else {
            return -1;
        }
    }
}

/* --- requests --- */

static void forget_bulk(struct session *s)
{
    if (s->bulk_handle != 0 && engine_unprepare(s->engine, s->bulk_handle) != 0) {
        s->stream.broken = true;
    }
    s->bulk_handle = 0;
}

static void reset_session(struct session *s)
{
    forget_bulk(s);
    engine_session_reset(s->engine);
}

static void write_malformed(struct session *s)
{
    write_error(s, ERROR_MALFORMED, 16, "The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended unexpectedly.");
}

/* INSERT BULK: prepares the INSERT that the rows of the next message go to, so that what is wrong with it is told now. */
static void begin_bulk(struct session *s, const char *sql, size_t len)
{
    struct bulk_statement b;
    struct tsql_error e;
    const struct engine_column *columns;
    size_t column_count;
    if (bulk_read_statement(sql, len, &s->arena, &b, &e) != 0) {
        write_message(s, e.number, e.severity, e.state, e.text);
        return;
    }
    forget_bulk(s);
    if (engine_prepare(s->engine, b.insert, b.insert_len, b.declarations, b.declarations_len, &s->bulk_handle, &columns, &column_count) != 0) {
        return;
    }
    s->bulk_columns = b.columns;
}

static void run_batch(struct session *s, struct reader *r)
{
    if (rpc_skip_headers(&s->dialect, r) != 0) {
        write_malformed(s);
        return;
    }
    size_t len = 0;
    const char *sql = rpc_read_batch(r, &s->arena, &len);
    if (sql == NULL) {
        write_error(s, ERROR_MEMORY, 17, "There is insufficient system memory to run this query.");
        return;
    }
    if (bulk_is_statement(sql, len)) {
        begin_bulk(s, sql, len);
        return;
    }
    if (engine_batch(s->engine, sql, len) != 0) {
        return; /* a callback ended it, and knows why */
    }
}

/* The text of parameter `i`; NULL is "". false when there is none or it is no text. */
static bool text_parameter(const struct rpc_call *call, size_t i, const char **text, size_t *len)
{
    *text = "";
    *len = 0;
    if (i >= call->count) {
        return false;
    }
    const struct value *v = &call->params[i].value;
    if (v->null) {
        return true;
    }
    if (!sqltype_is_string(&v->type)) {
        return false;
    }
    *text = v->bytes.data;
    *len = v->bytes.len;
    return true;
}

static bool int_parameter(const struct rpc_call *call, size_t i, int32_t *out)
{
    if (i >= call->count || call->params[i].value.null || !sqltype_is_integer(&call->params[i].value.type)) {
        return false;
    }
    int64_t v = call->params[i].value.integer;
    *out = (int32_t)v;
    return v >= INT32_MIN && v <= INT32_MAX;
}

static void write_bad_parameter(struct session *s, const char *name, const char *type)
{
    write_error(s, ERROR_PROCEDURE_PARAMETER, 16, "Procedure expects parameter '%s' of type '%s'.", name, type);
}

/* Gives the values their declared names. false with the error written when there are too few or too many. */
static bool name_parameters(struct session *s, const char *sql, const char *declarations, size_t len, struct engine_param *params, size_t count)
{
    int declared = rpc_name_parameters(declarations, len, params, count, &s->arena);
    if (declared < 0) {
        write_error(s, 102, 15, "Incorrect syntax in the declaration of parameters near '%.*s'.", len > 100 ? 100 : (int)len, declarations);
        return false;
    }
    if ((size_t)declared < count) {
        write_error(s, ERROR_TOO_MANY_PARAMETERS, 16, "Procedure or function has too many arguments specified.");
        return false;
    }
    if ((size_t)declared > count) {
        write_error(s, ERROR_MISSING_PARAMETER, 16, "The parameterized query '(%.*s)%.100s' expects %d parameters, of which only %zu were supplied.",
                    len > 100 ? 100 : (int)len, declarations, sql, declared, count);
        return false;
    }
    return true;
}

/* The parameters of a call behind those that the procedure itself has. */
struct values {
    struct engine_param *params; /* NULL when there are none */
    size_t count;
    size_t first; /* the ordinal of the first */
};

static struct values values_behind(const struct rpc_call *call, size_t fixed)
{
    if (call->count <= fixed) {
        return (struct values){0};
    }
    return (struct values){.params = call->params + fixed, .count = call->count - fixed, .first = fixed};
}

static void write_output_parameters(struct session *s, const struct values *v)
{
    for (size_t i = 0; i < v->count; i++) {
        const struct engine_param *p = &v->params[i];
        if (p->output) {
            token_write_return_value(&s->dialect, (uint16_t)(v->first + i), p->name, &p->value, p->collation, next_token(s));
        }
    }
}

static void write_handle(struct session *s, const struct engine_param *param, int32_t handle)
{
    const struct value v = {.type = {.kind = SQLTYPE_INT}, .null = handle == 0, .integer = handle};
    token_write_return_value(&s->dialect, 0, param->name, &v, COLLATION_CI, next_token(s));
}

/* Each procedure: runs the call, writes its results, the return status and the output parameters. */

static void write_status(struct session *s)
{
    token_write_return_status(s->last_error, next_token(s));
}

/* sp_executesql @stmt, @params, values … */
static void call_execute_sql(struct session *s, struct rpc_call *call)
{
    const char *sql;
    const char *declarations;
    size_t sql_len;
    size_t declarations_len = 0;
    struct values values = values_behind(call, 2);
    if (!text_parameter(call, 0, &sql, &sql_len)) {
        write_bad_parameter(s, "@statement", "ntext/nchar/nvarchar");
    } else if (!text_parameter(call, 1, &declarations, &declarations_len) && call->count > 1) {
        write_bad_parameter(s, "@params", "ntext/nchar/nvarchar");
    } else if (name_parameters(s, sql, declarations, declarations_len, values.params, values.count)) {
        if (engine_execute(s->engine, sql, sql_len, values.params, values.count) != 0) {
            return;
        }
    }
    write_status(s);
    write_output_parameters(s, &values);
}

/* Prepares parameters 2 (the statement) and 1 (its declarations) of a call. The handle is 0 after an error, which is
 * written. -1 when a callback ended it. */
static int prepare(struct session *s, const struct rpc_call *call, int32_t *handle, const struct engine_column **columns, size_t *column_count)
{
    const char *sql;
    const char *declarations;
    size_t sql_len;
    size_t declarations_len;
    *handle = 0;
    if (!text_parameter(call, 1, &declarations, &declarations_len)) {
        write_bad_parameter(s, "@params", "ntext/nchar/nvarchar");
        return 0;
    }
    if (!text_parameter(call, 2, &sql, &sql_len)) {
        write_bad_parameter(s, "@stmt", "ntext/nchar/nvarchar");
        return 0;
    }
    return engine_prepare(s->engine, sql, sql_len, declarations, declarations_len, handle, columns, column_count);
}

/* sp_prepare @handle OUTPUT, @params, @stmt, @options: describes the result, and gives the handle. */
static void call_prepare(struct session *s, struct rpc_call *call)
{
    int32_t handle;
    const struct engine_column *columns = NULL;
    size_t column_count = 0;
    if (prepare(s, call, &handle, &columns, &column_count) != 0) {
        return;
    }
    if (handle != 0 && column_count > 0) {
        if (on_columns(s, columns, column_count) != 0) {
            return;
        }
        hold_done(s, TOKEN_DONEINPROC, &(struct engine_done){0});
    }
    write_status(s);
    if (call->count > 0) {
        write_handle(s, &call->params[0], handle);
    }
}

/* sp_execute @handle, values … */
static void call_execute(struct session *s, struct rpc_call *call)
{
    int32_t handle;
    struct values values = values_behind(call, 1);
    if (!int_parameter(call, 0, &handle)) {
        write_bad_parameter(s, "@handle", "int");
    } else if (engine_execute_prepared(s->engine, handle, values.params, values.count) != 0) {
        return;
    }
    write_status(s);
    write_output_parameters(s, &values);
}

/* sp_prepexec @handle OUTPUT, @params, @stmt, values … */
static void call_prepexec(struct session *s, struct rpc_call *call)
{
    int32_t handle;
    const struct engine_column *columns = NULL;
    size_t column_count = 0;
    struct values values = values_behind(call, 3);
    if (prepare(s, call, &handle, &columns, &column_count) != 0) {
        return;
    }
    if (handle != 0 && engine_execute_prepared(s->engine, handle, values.params, values.count) != 0) {
        return;
    }
    write_status(s);
    if (call->count > 0) {
        write_handle(s, &call->params[0], handle);
    }
    write_output_parameters(s, &values);
}

/* sp_unprepare @handle */
static void call_unprepare(struct session *s, struct rpc_call *call)
{
    int32_t handle;
    if (!int_parameter(call, 0, &handle)) {
        write_bad_parameter(s, "@handle", "int");
    } else if (engine_unprepare(s->engine, handle) != 0) {
        return;
    }
    write_status(s);
}

static void call_unknown(struct session *s, struct rpc_call *call)
{
    if (strcasecmp(call->name, "sp_reset_connection") == 0) {
        reset_session(s);
    } else {
        write_error(s, ERROR_NO_PROCEDURE, 16, "Could not find stored procedure '%s'.", call->name);
    }
    write_status(s);
}

static void run_call(struct session *s, struct rpc_call *call)
{
    typedef void call_fn(struct session * s, struct rpc_call * call);
    static call_fn *const calls[] = {
        [RPC_EXECUTE_SQL] = call_execute_sql,
        [RPC_PREPARE] = call_prepare,
        [RPC_EXECUTE] = call_execute,
        [RPC_PREPEXEC] = call_prepexec,
        [RPC_UNPREPARE] = call_unprepare,
    };
    s->last_error = 0;
    call_fn *fn = (size_t)call->procedure < sizeof calls / sizeof calls[0] ? calls[call->procedure] : NULL;
    (fn != NULL ? fn : call_unknown)(s, call);
    hold_done(s, TOKEN_DONEPROC, &(struct engine_done){.error = s->last_error != 0});
}

static void run_rpc(struct session *s, struct reader *r)
{
    if (rpc_skip_headers(&s->dialect, r) != 0) {
        write_malformed(s);
        return;
    }
    struct buf error;
    buf_init(&error, ERROR_TEXT_MAX);
    struct rpc_call call;
    do {
        int number;
        if (rpc_read_call(&s->dialect, r, &s->arena, &call, &number, &error) != 0) {
            write_message(s, number, 16, 1, buf_text(&error));
            hold_done(s, TOKEN_DONEPROC, &(struct engine_done){.error = true});
            break;
        }
        run_call(s, &call);
    } while (call.more && !atomic_load(&s->cancelled) && !s->stream.broken);
    buf_clear(&error);
}

static void run_transaction(struct session *s, struct reader *r)
{
    struct rpc_transaction_request t;
    if (rpc_skip_headers(&s->dialect, r) != 0 || rpc_read_transaction(r, &s->arena, &t) != 0) {
        write_malformed(s);
        return;
    }
    int result = 0;
    switch (t.type) {
    case TRANSACTION_BEGIN:
        result = engine_begin(s->engine);
        break;
    case TRANSACTION_COMMIT:
        result = engine_commit(s->engine);
        break;
    case TRANSACTION_ROLLBACK:
        result = engine_rollback(s->engine, t.name);
        break;
    case TRANSACTION_SAVE:
        result = engine_save(s->engine, t.name);
        break;
    default:
        write_error(s, ERROR_NOT_SUPPORTED, 16, "Transaction Manager request %u is not supported: there are no distributed transactions.", t.type);
    }
    if (result == 0 && t.begin_next && !s->error_open) {
        result = engine_begin(s->engine);
    }
    (void)result; /* -1: a callback ended it, and knows why */
}

/* Inserts the rows of the message. 0, or -1: the error is written, or a callback ended it. */
static int load_rows(struct session *s, struct reader *r, uint64_t *rows)
{
    size_t count = s->bulk_columns;
    struct wiretype *types = arena_alloc(&s->arena, count * sizeof *types);
    struct value *values = arena_alloc(&s->arena, count * sizeof *values);
    struct engine_param *params = arena_alloc(&s->arena, count * sizeof *params);
    struct buf error;
    int got = -1;
    buf_init(&error, ERROR_TEXT_MAX);
    if (types == NULL || values == NULL || params == NULL) {
        buf_append_text(&error, "There is insufficient system memory to run this query.");
    } else if (bulk_read_columns(&s->dialect, r, types, count, &error) == 0) {
        while ((got = bulk_read_row(r, types, count, &s->arena, values, &error)) > 0) {
            for (size_t i = 0; i < count; i++) {
                params[i] = (struct engine_param){.name = "", .value = values[i], .collation = COLLATION_CI};
            }
            if (engine_execute_prepared(s->engine, s->bulk_handle, params, count) != 0 || s->error_open) {
                buf_clear(&error);
                return -1;
            }
            ++*rows;
        }
    }
    if (got < 0) {
        write_message(s, ERROR_BULK_ROWS, 16, 1, buf_text(&error));
    }
    buf_clear(&error);
    return got;
}

/* The rows of a bulk load: all or none of them. */
static void run_bulk(struct session *s, struct reader *r)
{
    if (s->bulk_handle == 0) {
        write_error(s, ERROR_BULK_ROWS, 16, "Rows of a bulk load came without the INSERT BULK that tells of them.");
        return;
    }
    uint64_t rows = 0;
    bool nested = engine_session_transaction(s->engine) != 0;
    s->muted = true;
    s->muted_transactions = !nested;
    int result = nested ? engine_save(s->engine, BULK_SAVEPOINT) : engine_begin(s->engine);
    if (result == 0) {
        result = load_rows(s, r, &rows);
    }
    if (result == 0 && !nested) {
        result = engine_commit(s->engine);
    }
    /* An error under XACT_ABORT has ended the client's transaction already. */
    if ((result != 0 || s->error_open) && engine_session_transaction(s->engine) != 0 &&
        engine_rollback(s->engine, nested ? BULK_SAVEPOINT : "") != 0) {
        result = -1;
    }
    forget_bulk(s);
    s->muted = false;
    s->muted_transactions = false;
    if (result == 0 && !s->error_open) {
        hold_done(s, TOKEN_DONE, &(struct engine_done){.has_count = true, .count = rows, .command = BULK_COMMAND});
    }
}

/* Runs the request in s->message and answers. 0, or -1: the connection ends. */
static int answer_request(struct session *s)
{
    typedef void request_fn(struct session * s, struct reader * r);
    static const struct {
        request_fn *run;
        enum token_done statement_done;
    } requests[] = {
        [PACKET_BATCH] = {run_batch, TOKEN_DONE},
        [PACKET_RPC] = {run_rpc, TOKEN_DONEINPROC},
        [PACKET_BULK] = {run_bulk, TOKEN_DONE},
        [PACKET_TRANSACTION] = {run_transaction, TOKEN_DONE},
    };
    size_t type = (size_t)s->message.type;
    if (type == PACKET_ATTENTION) {
        return acknowledge_attention(s);
    }
    if (type >= sizeof requests / sizeof requests[0] || requests[type].run == NULL) {
        return -1;
    }

    begin_answer(s, requests[type].statement_done);
    if ((s->message.status & PACKET_IGNORE) != 0 || packet_has_attention(&s->stream)) { /* the client gave it up */
        hold_done(s, TOKEN_DONE, &(struct engine_done){.error = true});
        return finish_answer(s);
    }
    atomic_store(&s->cancelled, false);
    arena_init(&s->arena, ARENA_MAX);
    struct reader r;
    reader_init(&r, buf_text(&s->message.data), s->message.data.len);
    watch_add(s->settings->watch, &s->watch);
    bool keep = (s->message.status & PACKET_RESET_SKIP) != 0 && engine_session_transaction(s->engine) != 0;
    if ((s->message.status & (PACKET_RESET | PACKET_RESET_SKIP)) != 0 && !keep) {
        reset_session(s);
        token_write_envchange_reset(next_token(s));
    }
    requests[type].run(s, &r);
    watch_remove(s->settings->watch, &s->watch);
    arena_clear(&s->arena);

    if (is_cancelled(s)) {
        s->error_open = true; /* what was cut short must not look whole */
    }
    return finish_answer(s); /* the attention is the next message */
}

/* Answers a request that was too long to keep. */
static int answer_too_long(struct session *s)
{
    begin_answer(s, TOKEN_DONE);
    write_error(s, ERROR_MEMORY, 17, "The request is longer than the %zu MiB that this server takes.", MESSAGE_MAX >> 20);
    return finish_answer(s);
}

void session_run(const struct session_settings *settings, struct transport *t)
{
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return;
    }
    s->settings = settings;
    s->watch = (struct watch_entry){.fd = t->fd, .cancel = on_cancel, .arg = s};
    s->dialect = (struct dialect){.version = DIALECT_74};
    packet_stream_init(&s->stream, t);
    buf_init(&s->message.data, MESSAGE_MAX);

    bool alive = log_in(s) == 0;
    while (alive) {
        enum packet_result result = packet_read_message(&s->stream, MESSAGE_MAX, &s->message);
        if (result == PACKET_OK) {
            alive = answer_request(s) == 0;
        } else if (result == PACKET_TOO_LONG) {
            alive = answer_too_long(s) == 0;
        } else {
            alive = false;
        }
        if (s->message.data.cap > KEEP_MEMORY) {
            buf_clear(&s->message.data);
        }
    }

    if (s->engine != NULL) {
        engine_session_close(s->engine);
    }
    packet_stream_clear(&s->stream);
    buf_clear(&s->message.data);
    free(s->types);
    free(s);
}

void session_refuse(struct transport *t, int max_connections)
{
    struct session s = {.dialect = {.version = DIALECT_74}};
    packet_stream_init(&s.stream, t);
    begin_answer(&s, TOKEN_DONE);
    write_error(&s, ERROR_TOO_MANY_CONNECTIONS, 20,
                "Could not connect because the maximum number of '%d' user connections has already been reached.", max_connections);
    finish_answer(&s);
    packet_stream_clear(&s.stream);
}
