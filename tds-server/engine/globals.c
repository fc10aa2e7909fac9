#include "tds-server/engine/globals.h"

#include "common/collate.h"
#include "tds-server/functions/convert.h"
#include "tds-server/values/moment.h"
#include "tds-server/functions/typing.h"

#include <string.h>

#define INT                                                                                                                    \
    {                                                                                                                          \
        .kind = SQLTYPE_INT                                                                                                    \
    }
#define NAME                                                                                                                   \
    {                                                                                                                          \
        .kind = SQLTYPE_NVARCHAR, .length = 128                                                                                \
    }

void globals_set_text(struct value *out, const char *text)
{
    out->null = text == NULL;
    out->bytes.data = text ? text : "";
    out->bytes.len = text ? strlen(text) : 0;
}

static bool is_name(const struct value *v, const char *name)
{
    return collate_name_equal(v->bytes.data, v->bytes.len, name, strlen(name));
}

/* ---- globals ---- */

static int get_zero(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    out->integer = 0;
    return 0;
}

static int get_text_size(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    out->integer = INT32_MAX;
    return 0;
}

static int get_max_connections(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    out->integer = RUNTIME_MAX_SESSIONS;
    return 0;
}

/* 15.0.2000, as LOGINACK has it. */
static int get_product_version(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    out->integer = 15 << 24 | 2000;
    return 0;
}

static int get_nesting(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    out->integer = s->nesting;
    return 0;
}

/* SET options as SQL Server numbers them. */
static int get_options(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    enum { IMPLICIT_TRANSACTIONS = 2, ANSI_WARNINGS = 8, ANSI_PADDING = 16, ANSI_NULLS = 32, ARITHABORT = 64, QUOTED_IDENTIFIER = 256,
           NOCOUNT = 512, ANSI_NULL_DFLT_ON = 1024, CONCAT_NULL_YIELDS_NULL = 4096, XACT_ABORT = 16384 };
    const struct session_options *o = &s->options;
    (void)args, (void)count, (void)scratch;
    out->integer = ANSI_WARNINGS | ANSI_PADDING | ANSI_NULLS | ARITHABORT | ANSI_NULL_DFLT_ON | CONCAT_NULL_YIELDS_NULL |
                   (o->implicit_transactions ? IMPLICIT_TRANSACTIONS : 0) | (o->quoted_identifier ? QUOTED_IDENTIFIER : 0) |
                   (o->nocount ? NOCOUNT : 0) | (o->xact_abort ? XACT_ABORT : 0);
    return 0;
}

static int get_rowcount(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    out->integer = s->rowcount;
    return 0;
}

static int get_error(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    out->integer = s->error;
    return 0;
}

static int get_spid(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    out->integer = s->spid;
    return 0;
}

static int get_trancount(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    out->integer = s->trancount;
    return 0;
}

static int get_xact_state(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    out->integer = s->trancount > 0;
    return 0;
}

static int get_max_precision(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    out->integer = SQLTYPE_MAX_PRECISION;
    return 0;
}

static int get_datefirst(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    out->integer = s->options.datefirst;
    return 0;
}

static int get_lock_timeout(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    out->integer = s->options.lock_timeout_ms;
    return 0;
}

static int get_version(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count;
    buf_printf(scratch, "%s (SQLite %s)", ENGINE_VERSION_TEXT, sqlite3_libversion());
    globals_set_text(out, buf_text(scratch));
    return 0;
}

static int get_servername(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    globals_set_text(out, "shardgate");
    return 0;
}

static int get_language(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    globals_set_text(out, "us_english");
    return 0;
}

static int get_nothing(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    globals_set_text(out, NULL);
    return 0;
}

static int get_identity(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    out->null = !s->has_identity;
    out->decimal = s->identity;
    return 0;
}

/* ---- names and numbers ---- */

static int call_db_id(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)scratch;
    if (count == 0) {
        out->integer = s->current->id;
        return 0;
    }
    if (!args[0].null)
        out->integer = store_find_id(s->engine->store, args[0].bytes.data, args[0].bytes.len);
    out->null = args[0].null || out->integer == 0;
    return 0;
}

static int call_db_name(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)scratch;
    if (count == 0)
        globals_set_text(out, s->current->name);
    else
        globals_set_text(out, args[0].null ? NULL : store_find_name(s->engine->store, (int)args[0].integer));
    return 0;
}

static int call_user(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    globals_set_text(out, "dbo");
    return 0;
}

static int call_user_id(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)scratch;
    out->null = count > 0 && (args[0].null || !is_name(&args[0], "dbo"));
    out->integer = 1;
    return 0;
}

static int call_login(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    globals_set_text(out, s->about.login);
    return 0;
}

static int call_login_id(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)scratch;
    out->null = count > 0 && (args[0].null || !is_name(&args[0], s->about.login));
    out->integer = 1;
    return 0;
}

static int call_login_sid(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    out->bytes.data = "\1";
    out->bytes.len = 1;
    return 0;
}

static int call_host(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    globals_set_text(out, s->about.host);
    return 0;
}

static int call_application(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count, (void)scratch;
    globals_set_text(out, s->about.application);
    return 0;
}

/* ---- what one may do: the one user everything ---- */

static int call_has_dbaccess(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)count, (void)scratch;
    out->null = args[0].null || store_find_id(s->engine->store, args[0].bytes.data, args[0].bytes.len) == 0;
    out->integer = 1;
    return 0;
}

static int call_permitted(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    out->integer = 1;
    return 0;
}

/* Of a list of names: 1; of another: NULL. */
static int answer_member(const struct value *v, const char *const *roles, size_t count, struct value *out)
{
    out->null = true;
    for (size_t i = 0; !v->null && i < count; i++) {
        if (is_name(v, roles[i])) {
            out->null = false;
            out->integer = 1;
        }
    }
    return 0;
}

static int call_server_role(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    static const char *const roles[] = {"sysadmin",      "dbcreator", "bulkadmin", "diskadmin", "processadmin",
                                        "securityadmin", "serveradmin", "setupadmin", "public"};
    (void)s, (void)count, (void)scratch;
    return answer_member(&args[0], roles, sizeof roles / sizeof roles[0], out);
}

static int call_database_role(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    static const char *const roles[] = {"db_owner", "public", "db_accessadmin", "db_backupoperator", "db_datareader", "db_datawriter",
                                        "db_ddladmin", "db_securityadmin"};
    (void)s, (void)count, (void)scratch;
    return answer_member(&args[0], roles, sizeof roles / sizeof roles[0], out);
}

/* ---- SERVERPROPERTY and its like ---- */

static const struct {
    const char *name, *value;
} server_properties[] = {
    {"collation", typing_default_collation}, {"edition", "Express Edition (64-bit)"}, {"engineedition", "4"},
    {"instancename", NULL},  {"machinename", "shardgate"},  {"productlevel", "RTM"}, {"productversion", "15.0.2000.5"},
    {"productmajorversion", "15"}, {"servername", "shardgate"}, {"isclustered", "0"}, {"isintegratedsecurityonly", "0"},
    {"ishadrenabled", "0"}, {"isxtpsupported", "0"},
};

static int call_serverproperty(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)count, (void)scratch;
    out->null = true;
    for (size_t i = 0; !args[0].null && i < sizeof server_properties / sizeof server_properties[0]; i++) {
        const char *name = server_properties[i].name;
        if (collate_name_equal(name, strlen(name), args[0].bytes.data, args[0].bytes.len))
            globals_set_text(out, server_properties[i].value);
    }
    return 0;
}

static int call_databasepropertyex(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)count, (void)scratch;
    static const struct {
        const char *name, *value;
    } properties[] = {{"collation", typing_default_collation}, {"status", "ONLINE"}, {"updateability", "READ_WRITE"},
                      {"useraccess", "MULTI_USER"}, {"recovery", "FULL"}, {"version", "904"}};
    out->null = true;
    if (args[0].null || args[1].null || store_find_id(s->engine->store, args[0].bytes.data, args[0].bytes.len) == 0)
        return 0;
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (collate_name_equal(properties[i].name, strlen(properties[i].name), args[1].bytes.data, args[1].bytes.len))
            globals_set_text(out, properties[i].value);
    }
    return 0;
}

static int call_connectionproperty(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)count, (void)scratch;
    const struct {
        const char *name, *value;
    } properties[] = {{"net_transport", "TCP"}, {"protocol_type", "TSQL"}, {"auth_scheme", "SQL"}, {"physical_net_transport", "TCP"},
                      {"client_net_address", s->about.address}};
    globals_set_text(out, NULL);
    for (size_t i = 0; !args[0].null && i < sizeof properties / sizeof properties[0]; i++) {
        if (is_name(&args[0], properties[i].name))
            globals_set_text(out, properties[i].value);
    }
    return 0;
}

static int call_sessionproperty(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)count, (void)scratch;
    const struct {
        const char *name;
        bool on;
    } properties[] = {{"ansi_nulls", true}, {"ansi_padding", true}, {"ansi_warnings", true}, {"arithabort", true},
                      {"concat_null_yields_null", true}, {"numeric_roundabort", false}, {"quoted_identifier", s->options.quoted_identifier}};
    out->null = true;
    for (size_t i = 0; !args[0].null && i < sizeof properties / sizeof properties[0]; i++) {
        if (is_name(&args[0], properties[i].name)) {
            out->null = false;
            out->integer = properties[i].on;
        }
    }
    return 0;
}

/* ---- the clock ---- */

static int make_now(struct engine_session *s, struct buf *scratch, struct value *out)
{
    struct sqltype type = out->type;
    return convert_value(functions_now(&s->functions), &type, 0, CONVERT_CAST, scratch, out, &s->fault);
}

static int call_now(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count;
    return make_now(s, scratch, out);
}

static const struct session_function session_functions[] = {
    {"@@rowcount", 0, "", INT, get_rowcount},
    {"@@error", 0, "", INT, get_error},
    {"@@spid", 0, "", {.kind = SQLTYPE_SMALLINT}, get_spid},
    {"@@trancount", 0, "", INT, get_trancount},
    {"@@max_precision", 0, "", {.kind = SQLTYPE_TINYINT}, get_max_precision},
    {"@@datefirst", 0, "", {.kind = SQLTYPE_TINYINT}, get_datefirst},
    {"@@lock_timeout", 0, "", INT, get_lock_timeout},
    {"@@version", 0, "", {.kind = SQLTYPE_NVARCHAR, .length = 300}, get_version},
    {"@@servername", 0, "", NAME, get_servername},
    {"@@servicename", 0, "", NAME, get_servername},
    {"@@language", 0, "", NAME, get_language},
    {"@@identity", 0, "", {.kind = SQLTYPE_NUMERIC, .precision = 38}, get_identity},
    {"scope_identity", 0, "", {.kind = SQLTYPE_NUMERIC, .precision = 38}, get_identity},
    {"rowcount_big", 0, "", {.kind = SQLTYPE_BIGINT}, get_rowcount},
    {"xact_state", 0, "", {.kind = SQLTYPE_SMALLINT}, get_xact_state},
    {"db_id", 0, "t", {.kind = SQLTYPE_INT}, call_db_id},
    {"db_name", 0, "i", NAME, call_db_name},
    {"@@options", 0, "", INT, get_options},
    {"@@textsize", 0, "", INT, get_text_size},
    {"@@max_connections", 0, "", INT, get_max_connections},
    {"@@microsoftversion", 0, "", INT, get_product_version},
    {"@@nestlevel", 0, "", INT, get_nesting},
    {"@@langid", 0, "", {.kind = SQLTYPE_SMALLINT}, get_zero},
    {"@@procid", 0, "", INT, get_zero},
    {"@@cursor_rows", 0, "", INT, get_zero},
    {"@@remserver", 0, "", NAME, get_nothing},
    {"has_dbaccess", 1, "t", INT, call_has_dbaccess},
    {"has_perms_by_name", 3, "tttti", INT, call_permitted},
    {"is_srvrolemember", 1, "tt", INT, call_server_role},
    {"is_rolemember", 1, "tt", INT, call_database_role},
    {"is_member", 1, "t", INT, call_database_role},
    {"user_id", 0, "t", INT, call_user_id},
    {"database_principal_id", 0, "t", INT, call_user_id},
    {"suser_id", 0, "t", INT, call_login_id},
    {"suser_sid", 0, "t", {.kind = SQLTYPE_VARBINARY, .length = 85}, call_login_sid},
    {"host_name", 0, "", NAME, call_host},
    {"app_name", 0, "", NAME, call_application},
    {"program_name", 0, "", NAME, call_application},
    {"original_db_name", 0, "", NAME, call_db_name},
    {"connectionproperty", 1, "t", NAME, call_connectionproperty},
    {"sessionproperty", 1, "t", INT, call_sessionproperty},
    {"user_name", 0, "i", NAME, call_user},
    {"user", 0, "", NAME, call_user},
    {"current_user", 0, "", NAME, call_user},
    {"session_user", 0, "", NAME, call_user},
    {"system_user", 0, "", NAME, call_login},
    {"suser_sname", 0, "b", NAME, call_login},
    {"suser_name", 0, "i", NAME, call_login},
    {"original_login", 0, "", NAME, call_login},
    {"serverproperty", 1, "t", NAME, call_serverproperty},
    {"databasepropertyex", 2, "tt", NAME, call_databasepropertyex},
    {"getdate", 0, "", {.kind = SQLTYPE_DATETIME, .scale = 3}, call_now},
    {"getutcdate", 0, "", {.kind = SQLTYPE_DATETIME, .scale = 3}, call_now},
    {"current_timestamp", 0, "", {.kind = SQLTYPE_DATETIME, .scale = 3}, call_now},
    {"sysdatetime", 0, "", {.kind = SQLTYPE_DATETIME2, .scale = 7}, call_now},
    {"sysutcdatetime", 0, "", {.kind = SQLTYPE_DATETIME2, .scale = 7}, call_now},
    {"sysdatetimeoffset", 0, "", {.kind = SQLTYPE_DATETIMEOFFSET, .scale = 7}, call_now},
};

const struct session_function *globals_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof session_functions / sizeof session_functions[0]; i++) {
        const struct session_function *f = &session_functions[i];
        if (collate_name_equal(f->name, strlen(f->name), name, len))
            return f;
    }
    return globals_find_in_catalogue(name, len);
}

/* ---- calling ---- */

static struct sqltype argument_type(char kind)
{
    return kind == 'i' ? typing_make(SQLTYPE_INT)
           : kind == 'b' ? typing_string(SQLTYPE_VARBINARY, 85)
                         : typing_string(SQLTYPE_NVARCHAR, SQLTYPE_MAX);
}

int globals_call(const struct session_function *f, struct engine_session *s, const struct value *given, size_t count, struct buf *scratch,
                 struct value *out)
{
    struct value args[GLOBALS_MAX_ARGS];
    struct buf bytes[GLOBALS_MAX_ARGS];
    size_t made = 0;
    int result = 0;
    for (; made < count && result == 0; made++) {
        struct sqltype type = argument_type(f->args[made]);
        buf_init(&bytes[made], CONVERT_MAX_BYTES);
        args[made] = given[made];
        if (!given[made].null && typing_class(given[made].type.kind) != typing_class(type.kind))
            result = convert_value(&given[made], &type, 0, CONVERT_CAST, &bytes[made], &args[made], &s->fault);
    }
    *out = (struct value){.type = f->type, .bytes = {"", 0}};
    if (result == 0)
        result = f->call(s, args, count, scratch, out);
    for (size_t i = 0; i < made; i++)
        buf_clear(&bytes[i]);
    return result;
}

/* The function of this name, looked for once a statement; NULL: no memory for the name. */
static const struct session_function *asked_function(sqlite3_context *ctx, sqlite3_value *named)
{
    const struct session_function *f = sqlite3_get_auxdata(ctx, 0);
    const char *name = f ? NULL : (const char *)sqlite3_value_text(named);
    if (name) {
        f = globals_find(name, strlen(name));
        sqlite3_set_auxdata(ctx, 0, (void *)f, NULL);
    }
    return f;
}

/* sg_ask(function, value, type, value, type …): the same for values of a row. */
static void sg_ask(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct engine_session *s = sqlite3_user_data(ctx);
    const struct session_function *f = asked_function(ctx, argv[0]);
    struct value args[GLOBALS_MAX_ARGS], out;
    struct buf scratch;
    size_t count = ((size_t)argc - 1) / 2;
    if (!f || count > GLOBALS_MAX_ARGS) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct sqltype type = typing_unpack(sqlite3_value_int64(argv[2 * i + 2]));
        cell_read(argv[2 * i + 1], &type, &args[i]);
    }
    buf_init(&scratch, CONVERT_MAX_BYTES);
    if (globals_call(f, s, args, count, &scratch, &out) == 0)
        cell_result(ctx, &out);
    else
        sqlite3_result_error(ctx, "fault", -1);
    buf_clear(&scratch);
}

int globals_register(sqlite3 *db, struct engine_session *s)
{
    return sqlite3_create_function_v2(db, "sg_ask", -1, SQLITE_UTF8, s, sg_ask, NULL, NULL, NULL);
}
