/* EXEC and calls by name: the server's own procedures (sysproc.h) and sp_executesql. There are no others. */
#include "tds-server/engine/exec.h"

#include "common/collate.h"
#include "tds-server/functions/convert.h"
#include "tds-server/engine/sysproc.h"
#include "tds-server/functions/typing.h"

#include <stdlib.h>
#include <string.h>

#define CALL_MAX_NESTING   32
#define CALL_MAX_NAME      1046 /* bytes of a procedure's name with its database and schema */
#define CALL_MAX_ARGUMENTS 256  /* of EXEC */

/* ---- what is called ---- */

/* Runs the batch; 0, or -1 without a fault when the sink stopped it. */
static int run(struct engine_session *s, struct batch *b, struct engine_param *params, size_t count)
{
    if (!b)
        return -1;
    int result = exec_run(s, b, params, count);
    exec_free_batch(b);
    return result;
}

static int find_variable(const struct batch *b, const char *name)
{
    for (size_t i = 0; i < b->param_count; i++) {
        if (collate_name_equal(b->variables[i].name.data, b->variables[i].name.len, name, strlen(name)))
            return (int)i;
    }
    return -1;
}

/* Puts the parameters that were given into the procedure's order; the others are NULL. */
static int arrange(struct engine_session *s, const char *procedure, const struct batch *b, const struct engine_param *given, size_t count,
                   struct engine_param *out)
{
    if (count > b->param_count)
        return fault_set(&s->fault, 8144, procedure);
    for (size_t i = 0; i < b->param_count; i++)
        out[i] = (struct engine_param){.name = b->variables[i].name.data, .value = {.type = b->variables[i].type, .null = true}};
    for (size_t i = 0; i < count; i++) {
        int place = given[i].name[0] == '\0' ? (int)i : find_variable(b, given[i].name);
        if (place < 0)
            return fault_set(&s->fault, 8145, given[i].name, procedure);
        out[place].value = given[i].value;
    }
    return 0;
}

static int call_sysproc(struct engine_session *s, const struct sysproc *p, struct engine_param *params, size_t count)
{
    struct engine_param arranged[SYSPROC_MAX_PARAMETERS];
    struct batch *b = exec_make_batch(s, p->sql, strlen(p->sql), p->declarations, strlen(p->declarations));
    if (b && arrange(s, p->name, b, params, count, arranged) < 0) {
        exec_free_batch(b);
        return -1;
    }
    return run(s, b, arranged, b ? b->param_count : 0);
}

static int text_of(struct engine_session *s, const struct engine_param *params, size_t count, size_t i, const char *name, struct value *out)
{
    *out = i < count ? params[i].value : (struct value){.null = true};
    if (out->null)
        out->bytes.data = "", out->bytes.len = 0;
    if (i == 0 && count == 0)
        return fault_set(&s->fault, 201, "sp_executesql", name);
    if (!out->null && !sqltype_is_string(&out->type))
        return fault_set(&s->fault, 214, name, "ntext/nchar/nvarchar");
    return 0;
}

/* The parameter of this name, else the one at its place. */
static int named_text(struct engine_session *s, const struct engine_param *params, size_t count, size_t place, const char *name,
                      struct value *out)
{
    for (size_t i = 0; i < count; i++) {
        if (collate_name_equal(params[i].name, strlen(params[i].name), name, strlen(name)))
            return text_of(s, params, count, i, name, out);
    }
    bool named = place < count && params[place].name[0] != '\0';
    return text_of(s, params, named ? 0 : count, place, name, out);
}

/* sp_describe_first_result_set @tsql, @params, @browse_information_mode */
static int call_describe(struct engine_session *s, struct engine_param *params, size_t count)
{
    struct value sql, declarations;
    if (count == 0)
        return fault_set(&s->fault, 201, "sp_describe_first_result_set", "@tsql");
    if (named_text(s, params, count, 0, "@tsql", &sql) < 0 || named_text(s, params, count, 1, "@params", &declarations) < 0)
        return -1;
    return exec_describe(s, &sql, &declarations);
}

/* sp_executesql @statement, @params, values … */
static int call_executesql(struct engine_session *s, struct engine_param *params, size_t count)
{
    struct value sql, declarations;
    size_t fixed = count < 2 ? count : 2;
    if (text_of(s, params, count, 0, "@statement", &sql) < 0 || text_of(s, params, count, 1, "@params", &declarations) < 0)
        return -1;
    struct batch *b = exec_make_batch(s, sql.bytes.data, sql.bytes.len, declarations.bytes.data, declarations.bytes.len);
    return run(s, b, params + fixed, count - fixed);
}

/* ---- names ---- */

/* The next part of "[my db].dbo.sp_tables", its brackets undone, into `out`; returns what stands behind it and its point. */
static const char *take_part(const char *p, const char *end, char out[CALL_MAX_NAME + 1], size_t *len)
{
    char closing = p < end && *p == '[' ? ']' : p < end && *p == '"' ? '"' : '\0';
    *len = 0;
    for (p += closing != '\0'; p < end; p++) {
        if (closing == '\0' && *p == '.')
            break;
        if (closing != '\0' && *p == closing && !(p + 1 < end && p[1] == closing && p++ < end)) {
            p++;
            break;
        }
        out[(*len)++] = *p;
    }
    out[*len] = '\0';
    return p < end && *p == '.' ? p + 1 : p;
}

/* What is no query of sysproc.h. Those without a function are known to clients, and refused. */
static const struct {
    const char *name;
    int (*call)(struct engine_session *s, struct engine_param *params, size_t count);
} own[] = {
    {"sp_executesql", call_executesql},
    {"sp_describe_first_result_set", call_describe},
    {"sp_describe_undeclared_parameters", NULL},
    {"sp_MSforeachtable", NULL},
    {"sp_MSforeachdb", NULL},
    {"sp_getapplock", NULL},
    {"sp_releaseapplock", NULL},
};

static int call_part(struct engine_session *s, const char *name, size_t len, struct engine_param *params, size_t count)
{
    const struct sysproc *p = sysproc_find(name, len);
    if (p)
        return call_sysproc(s, p, params, count);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (collate_name_equal(name, len, own[i].name, strlen(own[i].name)))
            return own[i].call ? own[i].call(s, params, count) : fault_set(&s->fault, FAULT_UNSUPPORTED, own[i].name);
    }
    return fault_set(&s->fault, 2812, name);
}

int exec_call(struct engine_session *s, const char *name, size_t len, struct engine_param *params, size_t count)
{
    char database[CALL_MAX_NAME + 1] = "";
    char part[CALL_MAX_NAME + 1] = "";
    size_t database_len = 0, part_len = 0, parts = 0;
    const char *end = name + len;
    if (len > CALL_MAX_NAME)
        return fault_set(&s->fault, 2812, "");
    if (s->nesting == CALL_MAX_NESTING)
        return fault_set_text(&s->fault, 217, 16, 1, 0, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).");
    for (const char *p = name; p < end; parts++) {
        if (parts == 1) { /* two parts are schema and name, three have the database before them */
            memcpy(database, part, part_len + 1);
            database_len = part_len;
        }
        p = take_part(p, end, part, &part_len);
    }
    struct store_database *before = NULL;
    if (parts > 2 && database_len > 0) {
        struct store_database *other = store_pin(s->engine->store, database, database_len);
        if (!other)
            return fault_set(&s->fault, 911, database);
        before = s->current;
        s->current = other;
    }
    s->nesting++;
    int result = call_part(s, part, part_len, params, count);
    s->nesting--;
    if (before) {
        store_unpin(s->engine->store, s->current);
        s->current = before;
    }
    return result;
}

/* ---- EXEC ---- */

struct argument {
    struct value value;
    struct buf own; /* its bytes */
};

static int keep(struct run *r, const struct value *v, void *arg)
{
    struct argument *a = arg;
    a->value = *v;
    buf_append(&a->own, v->bytes.data ? v->bytes.data : "", v->null ? 0 : v->bytes.len);
    if (buf_status(&a->own) < 0)
        return fault_set(&r->session->fault, FAULT_MEMORY);
    a->value.bytes.data = buf_text(&a->own);
    return 0;
}

static int return_values(struct run *r, const struct tsql_exec *exec, const struct engine_param *params)
{
    size_t i = 0;
    for (const struct tsql_argument *a = exec->arguments; a; a = a->next, i++) {
        if (a->output && a->value->kind == TSQL_VARIABLE && exec_assign(r, a->value->text, &params[i].value) < 0)
            return -1;
    }
    const struct value zero = {.type = {.kind = SQLTYPE_INT}};
    return exec->result.len > 0 ? exec_assign(r, exec->result, &zero) : 0;
}

/* The procedure's name as one text: [db].[schema].[name]. */
static void write_name(const struct tsql_name *n, struct buf *out)
{
    const struct tsql_text *parts[] = {&n->database, &n->schema, &n->name};
    for (size_t i = n->database.len > 0 ? 0 : 2; i < 3; i++) {
        buf_append_char(out, '[');
        for (size_t k = 0; k < parts[i]->len; k++)
            buf_printf(out, parts[i]->data[k] == ']' ? "]%c" : "%c", parts[i]->data[k]);
        buf_append_text(out, i < 2 ? "]." : "]");
    }
}

int exec_execute(struct run *r, const struct tsql_exec *exec)
{
    struct engine_session *s = r->session;
    size_t count = 0, made = 0;
    for (const struct tsql_argument *a = exec->arguments; a; a = a->next)
        count++;
    if (count > CALL_MAX_ARGUMENTS)
        return fault_set(&s->fault, 8144, exec->procedure.name.data);
    struct argument *arguments = calloc(count + 1, sizeof *arguments);
    struct engine_param *params = calloc(count + 1, sizeof *params);
    struct buf name;
    int result = -1;
    buf_init(&name, 2 * CALL_MAX_NAME);
    write_name(&exec->procedure, &name);
    if (!arguments || !params || buf_status(&name) < 0) {
        fault_set(&s->fault, FAULT_MEMORY);
        goto out;
    }
    for (const struct tsql_argument *a = exec->arguments; a; a = a->next, made++) {
        struct argument *to = &arguments[made];
        buf_init(&to->own, CONVERT_MAX_BYTES);
        to->value = (struct value){.type = typing_string(SQLTYPE_NVARCHAR, 1), .null = true, .bytes = {"", 0}};
        if (a->value->kind != TSQL_DEFAULT && exec_evaluate(r, a->value, keep, to) < 0) {
            made++;
            goto out;
        }
        params[made] = (struct engine_param){.name = a->name.len > 0 ? a->name.data : "", .value = to->value, .output = a->output};
    }
    result = exec_call(s, buf_text(&name), name.len, params, count);
    if (result == 0)
        result = return_values(r, exec, params);

out:
    for (size_t i = 0; i < made; i++)
        buf_clear(&arguments[i].own);
    free(arguments);
    free(params);
    buf_clear(&name);
    return result;
}
