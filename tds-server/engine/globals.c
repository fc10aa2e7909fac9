#include "tds-server/engine/globals.h"

#include "common/collate.h"
#include "tds-server/functions/convert.h"
#include "tds-server/values/moment.h"
#include "tds-server/functions/typing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INT                                                                                                                    \
    {                                                                                                                          \
        .kind = SQLTYPE_INT                                                                                                    \
    }
#define NAME                                                                                                                   \
    {                                                                                                                          \
        .kind = SQLTYPE_NVARCHAR, .length = 128                                                                                \
    }

static void set_text(struct value *out, const char *text)
{
    out->null = text == NULL;
    out->bytes.data = text ? text : "";
    out->bytes.len = text ? strlen(text) : 0;
}

/* ---- globals ---- */

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
    set_text(out, buf_text(scratch));
    return 0;
}

static int get_servername(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    set_text(out, "shardgate");
    return 0;
}

static int get_language(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    set_text(out, "us_english");
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
        set_text(out, s->current->name);
    else
        set_text(out, args[0].null ? NULL : store_find_name(s->engine->store, (int)args[0].integer));
    return 0;
}

static int call_user(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    set_text(out, "dbo");
    return 0;
}

static int call_login(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    set_text(out, "sa");
    return 0;
}

static int call_schema_name(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    if (count == 0) {
        set_text(out, "dbo");
        return 0;
    }
    if (connection_use(s, "", 0, &a) < 0)
        return -1;
    const struct cat_schema *schema = args[0].null ? NULL : catalogue_schema_by_id(a->catalogue, (int)args[0].integer);
    if (schema)
        buf_append(scratch, schema->name.data, schema->name.len);
    set_text(out, schema ? buf_text(scratch) : NULL);
    return 0;
}

/* part := name | [name] | "name" ; *p stands behind it. */
static bool read_part(const char **p, const char *end, struct buf *out)
{
    buf_reset(out);
    if (*p == end)
        return false;
    char close = **p == '[' ? ']' : **p == '"' ? '"' : '\0';
    if (close == '\0') {
        while (*p < end && **p != '.')
            buf_append_char(out, *(*p)++);
        return true;
    }
    for ((*p)++; *p < end; (*p)++) {
        if (**p == close) {
            if (*p + 1 == end || (*p)[1] != close) {
                (*p)++;
                return true;
            }
            (*p)++;
        }
        buf_append_char(out, **p);
    }
    return false;
}

/* name := [[database .] [schema] .] part */
static bool read_name(const char *text, size_t len, struct buf parts[3], size_t *count)
{
    const char *p = text, *end = text + len;
    *count = 0;
    for (;;) {
        if (*count == 3)
            return false;
        struct buf *part = &parts[(*count)++];
        if (p < end && *p == '.')
            buf_reset(part);
        else if (!read_part(&p, end, part))
            return false;
        if (p == end)
            return true;
        if (*p++ != '.')
            return false;
    }
}

static int call_object_id(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)scratch;
    struct buf parts[3];
    size_t n;
    out->null = true;
    for (size_t i = 0; i < 3; i++)
        buf_init(&parts[i], STORE_MAX_NAME);
    bool table_wanted = count < 2 || args[1].null || (args[1].bytes.len > 0 && (args[1].bytes.data[0] | 32) == 'u');
    int result = 0;
    if (!args[0].null && table_wanted && read_name(args[0].bytes.data, args[0].bytes.len, parts, &n)) {
        const struct buf *name = &parts[n - 1];
        const struct buf *schema = n > 1 && parts[n - 2].len > 0 ? &parts[n - 2] : NULL;
        const struct buf *database = n > 2 ? &parts[n - 3] : NULL;
        struct attachment *a = NULL;
        struct fault before = s->fault;
        if (connection_use(s, database ? buf_text(database) : "", database ? database->len : 0, &a) < 0) {
            if (s->fault.number == 911)
                s->fault = before; /* an unknown database has no objects */
            else
                result = -1;
        } else {
            const struct cat_schema *found =
                schema ? catalogue_schema(a->catalogue, schema->data, schema->len) : catalogue_schema_by_id(a->catalogue, CATALOGUE_DBO);
            const struct cat_table *t = found ? catalogue_table(a->catalogue, found->id, buf_text(name), name->len) : NULL;
            out->null = !t;
            out->integer = t ? t->id : 0;
        }
    }
    for (size_t i = 0; i < 3; i++)
        buf_clear(&parts[i]);
    return result;
}

static int call_object_name(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    const char *database = "";
    if (count > 1 && !args[1].null)
        database = store_find_name(s->engine->store, (int)args[1].integer);
    out->null = true;
    if (args[0].null || !database)
        return 0;
    if (connection_use(s, database, strlen(database), &a) < 0)
        return -1;
    const struct cat_table *t = catalogue_table_by_id(a->catalogue, (int)args[0].integer);
    if (t)
        buf_append(scratch, t->name.data, t->name.len);
    set_text(out, t ? buf_text(scratch) : NULL);
    return 0;
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
            set_text(out, server_properties[i].value);
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
            set_text(out, properties[i].value);
    }
    return 0;
}

/* ---- the clock ---- */

static int make_now(struct engine_session *s, struct buf *scratch, struct value *out)
{
    struct value now = s->functions.now;
    struct sqltype type = out->type;
    return convert_value(&now, &type, 0, CONVERT_CAST, scratch, out, &s->fault);
}

static int call_now(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)args, (void)count;
    return make_now(s, scratch, out);
}

static const struct session_function session_functions[] = {
    {"@@rowcount", 0, 0, INT, get_rowcount},
    {"@@error", 0, 0, INT, get_error},
    {"@@spid", 0, 0, {.kind = SQLTYPE_SMALLINT}, get_spid},
    {"@@trancount", 0, 0, INT, get_trancount},
    {"@@max_precision", 0, 0, {.kind = SQLTYPE_TINYINT}, get_max_precision},
    {"@@datefirst", 0, 0, {.kind = SQLTYPE_TINYINT}, get_datefirst},
    {"@@lock_timeout", 0, 0, INT, get_lock_timeout},
    {"@@version", 0, 0, {.kind = SQLTYPE_NVARCHAR, .length = 300}, get_version},
    {"@@servername", 0, 0, NAME, get_servername},
    {"@@servicename", 0, 0, NAME, get_servername},
    {"@@language", 0, 0, NAME, get_language},
    {"@@identity", 0, 0, {.kind = SQLTYPE_NUMERIC, .precision = 38}, get_identity},
    {"scope_identity", 0, 0, {.kind = SQLTYPE_NUMERIC, .precision = 38}, get_identity},
    {"rowcount_big", 0, 0, {.kind = SQLTYPE_BIGINT}, get_rowcount},
    {"xact_state", 0, 0, {.kind = SQLTYPE_SMALLINT}, get_xact_state},
    {"db_id", 0, 1, {.kind = SQLTYPE_INT}, call_db_id},
    {"db_name", 0, 1, NAME, call_db_name},
    {"object_id", 1, 2, INT, call_object_id},
    {"object_name", 1, 2, NAME, call_object_name},
    {"schema_name", 0, 1, NAME, call_schema_name},
    {"user_name", 0, 1, NAME, call_user},
    {"user", 0, 0, NAME, call_user},
    {"current_user", 0, 0, NAME, call_user},
    {"session_user", 0, 0, NAME, call_user},
    {"system_user", 0, 0, NAME, call_login},
    {"suser_sname", 0, 1, NAME, call_login},
    {"suser_name", 0, 1, NAME, call_login},
    {"original_login", 0, 0, NAME, call_login},
    {"serverproperty", 1, 1, NAME, call_serverproperty},
    {"databasepropertyex", 2, 2, NAME, call_databasepropertyex},
    {"getdate", 0, 0, {.kind = SQLTYPE_DATETIME, .scale = 3}, call_now},
    {"getutcdate", 0, 0, {.kind = SQLTYPE_DATETIME, .scale = 3}, call_now},
    {"current_timestamp", 0, 0, {.kind = SQLTYPE_DATETIME, .scale = 3}, call_now},
    {"sysdatetime", 0, 0, {.kind = SQLTYPE_DATETIME2, .scale = 7}, call_now},
    {"sysutcdatetime", 0, 0, {.kind = SQLTYPE_DATETIME2, .scale = 7}, call_now},
    {"sysdatetimeoffset", 0, 0, {.kind = SQLTYPE_DATETIMEOFFSET, .scale = 7}, call_now},
};

const struct session_function *globals_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof session_functions / sizeof session_functions[0]; i++) {
        const struct session_function *f = &session_functions[i];
        if (collate_name_equal(f->name, strlen(f->name), name, len))
            return f;
    }
    return NULL;
}
