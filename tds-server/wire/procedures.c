#include "tds-server/wire/procedures.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

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

static void write_bad_parameter(struct procedures *p, const char *name, const char *type)
{
    answer_error(p->answer, ERROR_PROCEDURE_PARAMETER, 16, "Procedure expects parameter '%s' of type '%s'.", name,
                 type);
}

/* Gives the values their declared names. false with the error written when there are too few or too many. */
static bool name_parameters(struct procedures *p, const char *sql, const char *declarations, size_t len,
                            struct engine_param *params, size_t count)
{
    int declared = rpc_name_parameters(declarations, len, params, count, p->arena);
    if (declared < 0) {
        answer_error(p->answer, ERROR_SYNTAX, 15, "Incorrect syntax in the declaration of parameters near '%.*s'.",
                     len > 100 ? 100 : (int)len, declarations);
        return false;
    }
    if ((size_t)declared < count) {
        answer_error(p->answer, ERROR_TOO_MANY_PARAMETERS, 16,
                     "Procedure or function has too many arguments specified.");
        return false;
    }
    if ((size_t)declared > count) {
        answer_error(p->answer, ERROR_MISSING_PARAMETER, 16,
                     "The parameterized query '(%.*s)%.100s' expects %d parameters, of which only %zu were supplied.",
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

static void write_output_parameters(struct procedures *p, const struct values *v)
{
    for (size_t i = 0; i < v->count; i++) {
        const struct engine_param *param = &v->params[i];
        if (param->output) {
            token_write_return_value(&p->answer->dialect, (uint16_t)(v->first + i), param->name, &param->value,
                                     param->collation, answer_token(p->answer));
        }
    }
}

static void write_handle(struct procedures *p, const struct engine_param *param, int32_t handle)
{
    const struct value v = {.type = {.kind = SQLTYPE_INT}, .null = handle == 0, .integer = handle};
    token_write_return_value(&p->answer->dialect, 0, param->name, &v, COLLATION_CI, answer_token(p->answer));
}

/* Each procedure: runs the call, writes its results, the return status and the output parameters. */

static void write_status(struct procedures *p)
{
    token_write_return_status(p->answer->last_error, answer_token(p->answer));
}

/* sp_executesql @stmt, @params, values … */
static void call_execute_sql(struct procedures *p, struct rpc_call *call)
{
    const char *sql;
    const char *declarations;
    size_t sql_len;
    size_t declarations_len = 0;
    struct values values = values_behind(call, 2);
    if (!text_parameter(call, 0, &sql, &sql_len)) {
        write_bad_parameter(p, "@statement", "ntext/nchar/nvarchar");
    } else if (!text_parameter(call, 1, &declarations, &declarations_len) && call->count > 1) {
        write_bad_parameter(p, "@params", "ntext/nchar/nvarchar");
    } else if (name_parameters(p, sql, declarations, declarations_len, values.params, values.count)) {
        if (engine_execute(p->engine, sql, sql_len, values.params, values.count) != 0) {
            return;
        }
    }
    write_status(p);
    write_output_parameters(p, &values);
}

/* Prepares parameters 2 (the statement) and 1 (its declarations) of a call. The handle is 0 after an error, which is
 * written. -1 when a callback ended it. */
static int prepare(struct procedures *p, const struct rpc_call *call, int32_t *handle,
                   const struct engine_column **columns, size_t *column_count)
{
    const char *sql;
    const char *declarations;
    size_t sql_len;
    size_t declarations_len;
    *handle = 0;
    if (!text_parameter(call, 1, &declarations, &declarations_len)) {
        write_bad_parameter(p, "@params", "ntext/nchar/nvarchar");
        return 0;
    }
    if (!text_parameter(call, 2, &sql, &sql_len)) {
        write_bad_parameter(p, "@stmt", "ntext/nchar/nvarchar");
        return 0;
    }
    return engine_prepare(p->engine, sql, sql_len, declarations, declarations_len, handle, columns, column_count);
}

/* sp_prepare @handle OUTPUT, @params, @stmt, @options: describes the result, and gives the handle. */
static void call_prepare(struct procedures *p, struct rpc_call *call)
{
    int32_t handle;
    const struct engine_column *columns = NULL;
    size_t column_count = 0;
    if (prepare(p, call, &handle, &columns, &column_count) != 0) {
        return;
    }
    if (handle != 0 && column_count > 0) {
        if (answer_columns(p->answer, columns, column_count) != 0) {
            return;
        }
        answer_done(p->answer, TOKEN_DONEINPROC, &(struct engine_done){0});
    }
    write_status(p);
    if (call->count > 0) {
        write_handle(p, &call->params[0], handle);
    }
}

/* sp_execute @handle, values … */
static void call_execute(struct procedures *p, struct rpc_call *call)
{
    int32_t handle;
    struct values values = values_behind(call, 1);
    if (!int_parameter(call, 0, &handle)) {
        write_bad_parameter(p, "@handle", "int");
    } else if (engine_execute_prepared(p->engine, handle, values.params, values.count) != 0) {
        return;
    }
    write_status(p);
    write_output_parameters(p, &values);
}

/* sp_prepexec @handle OUTPUT, @params, @stmt, values … */
static void call_prepexec(struct procedures *p, struct rpc_call *call)
{
    int32_t handle;
    const struct engine_column *columns = NULL;
    size_t column_count = 0;
    struct values values = values_behind(call, 3);
    if (prepare(p, call, &handle, &columns, &column_count) != 0) {
        return;
    }
    if (handle != 0 && engine_execute_prepared(p->engine, handle, values.params, values.count) != 0) {
        return;
    }
    write_status(p);
    if (call->count > 0) {
        write_handle(p, &call->params[0], handle);
    }
    write_output_parameters(p, &values);
}

/* sp_unprepare @handle */
static void call_unprepare(struct procedures *p, struct rpc_call *call)
{
    int32_t handle;
    if (!int_parameter(call, 0, &handle)) {
        write_bad_parameter(p, "@handle", "int");
    } else if (engine_unprepare(p->engine, handle) != 0) {
        return;
    }
    write_status(p);
}

/* sp_cursoropen and the like. By this error drivers fall back to a cursor of their own. */
static void call_cursor(struct procedures *p, struct rpc_call *call)
{
    (void)call;
    answer_error(p->answer, ERROR_NO_CURSOR, 16, "Could not create an acceptable cursor: this server has none.");
    write_status(p);
}

/* sp_prepexecrpc prepares a call; without procedures of the clients' own there is nothing to call. */
static void call_not_supported(struct procedures *p, struct rpc_call *call)
{
    answer_error(p->answer, ERROR_NOT_SUPPORTED, 16, "%s is not supported.", call->name);
    write_status(p);
}

static void call_by_name(struct procedures *p, struct rpc_call *call)
{
    if (strcasecmp(call->name, "sp_reset_connection") == 0) {
        load_forget(p->load);
        engine_session_reset(p->engine, false);
    } else if (engine_call(p->engine, call->name, call->params, call->count) != 0) {
        return;
    }
    write_status(p);
}

void procedures_call(struct procedures *p, struct rpc_call *call)
{
    typedef void call_fn(struct procedures *p, struct rpc_call *call);
    static call_fn *const calls[] = {
        [RPC_CURSOR] = call_cursor,           [RPC_CURSOR_OPEN] = call_cursor,    [RPC_CURSOR_PREPARE] = call_cursor,
        [RPC_CURSOR_EXECUTE] = call_cursor,   [RPC_CURSOR_PREPEXEC] = call_cursor, [RPC_CURSOR_UNPREPARE] = call_cursor,
        [RPC_CURSOR_FETCH] = call_cursor,     [RPC_CURSOR_OPTION] = call_cursor,  [RPC_CURSOR_CLOSE] = call_cursor,
        [RPC_EXECUTE_SQL] = call_execute_sql, [RPC_PREPARE] = call_prepare,     [RPC_EXECUTE] = call_execute,
        [RPC_PREPEXEC] = call_prepexec,       [RPC_UNPREPARE] = call_unprepare, [RPC_PREPEXEC_RPC] = call_not_supported,
    };
    p->answer->last_error = 0;
    call_fn *fn = (size_t)call->procedure < sizeof calls / sizeof calls[0] ? calls[call->procedure] : NULL;
    (fn != NULL ? fn : call_by_name)(p, call);
    answer_done(p->answer, TOKEN_DONEPROC, &(struct engine_done){.error = p->answer->last_error != 0});
}
