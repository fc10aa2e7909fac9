#include "tds-server/engine/exec.h"

#include "tds-server/functions/convert.h"
#include "tds-server/functions/typing.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Options of SET … ON and OFF. What this server always does cannot be switched to the other way: the client would get other
 * answers than it asked for. */
static const struct {
    const char *name;
    size_t field;  /* of struct session_options; NO_FIELD: nothing to keep */
    int always;    /* 1 or 0: the only value that is accepted; -1: any */
} switches[] = {
#define NO_FIELD SIZE_MAX
    {"XACT_ABORT", offsetof(struct session_options, xact_abort), -1},
    {"NOCOUNT", offsetof(struct session_options, nocount), -1},
    {"QUOTED_IDENTIFIER", offsetof(struct session_options, quoted_identifier), -1},
    {"IMPLICIT_TRANSACTIONS", offsetof(struct session_options, implicit_transactions), -1},
    {"ANSI_NULLS", NO_FIELD, 1},
    {"ANSI_PADDING", NO_FIELD, 1},
    {"ANSI_WARNINGS", NO_FIELD, 1},
    {"ARITHABORT", NO_FIELD, -1}, /* means nothing beside ANSI_WARNINGS */
    {"CONCAT_NULL_YIELDS_NULL", NO_FIELD, 1},
    {"NUMERIC_ROUNDABORT", NO_FIELD, 0},
    {"ANSI_NULL_DFLT_ON", NO_FIELD, 1},
    {"ANSI_NULL_DFLT_OFF", NO_FIELD, 0},
    {"ANSI_DEFAULTS", NO_FIELD, 1},
    {"ARITHIGNORE", NO_FIELD, 0},
    {"CURSOR_CLOSE_ON_COMMIT", NO_FIELD, -1}, /* there are no cursors */
    {"FMTONLY", offsetof(struct session_options, fmtonly), -1},
    {"NOEXEC", NO_FIELD, 0},
    {"PARSEONLY", NO_FIELD, 0},
    {"NO_BROWSETABLE", NO_FIELD, -1},
    {"STATISTICS IO", NO_FIELD, 0},
    {"STATISTICS TIME", NO_FIELD, 0},
    {"SHOWPLAN_ALL", NO_FIELD, 0},
    {"SHOWPLAN_TEXT", NO_FIELD, 0},
    {"FORCEPLAN", NO_FIELD, -1},
};

static int set_switch(struct run *r, const char *name, bool on)
{
    struct engine_session *s = r->session;
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (strcmp(switches[i].name, name) != 0)
            continue;
        if (switches[i].always >= 0 && switches[i].always != on) {
            char what[128] = "SET ";
            strncat(what, name, 100);
            strcat(what, on ? " ON" : " OFF");
            return fault_set(&s->fault, FAULT_UNSUPPORTED, what);
        }
        if (switches[i].field != NO_FIELD)
            *(bool *)((char *)&s->options + switches[i].field) = on;
        return 0;
    }
    return fault_set(&s->fault, 195, name, "SET option");
}

/* ---- SET name value ---- */

static int setting_value(struct run *r, const struct tsql_expr *e, struct value *out)
{
    struct engine_session *s = r->session;
    if (e->kind == TSQL_VARIABLE) {
        for (size_t i = 0; i < r->batch->variable_count; i++) {
            if (r->batch->variables[i].name.len == e->text.len && strncmp(r->batch->variables[i].name.data, e->text.data, e->text.len) == 0) {
                *out = r->values[i].value;
                return 0;
            }
        }
        return fault_set(&s->fault, 137, e->text.data);
    }
    *out = (struct value){.type = {.kind = SQLTYPE_INT}};
    const struct tsql_expr *number = e->kind == TSQL_UNARY ? e->a : e;
    if (number->kind == TSQL_LITERAL && number->literal.kind == TSQL_INT) {
        out->integer = strtoll(number->literal.text.data, NULL, 10) * (e->kind == TSQL_UNARY && e->op == TSQL_NEGATE ? -1 : 1);
        return 0;
    }
    if (e->kind == TSQL_LITERAL) {
        out->type = e->literal.type;
        out->bytes.data = e->literal.text.data;
        out->bytes.len = e->literal.text.len;
        return 0;
    }
    return fault_set(&s->fault, 102, "SET");
}

static bool is_word(const struct value *v, const char *word)
{
    return v->bytes.len == strlen(word) && strncasecmp(v->bytes.data, word, v->bytes.len) == 0;
}

static int set_lock_timeout(struct run *r, const struct value *v)
{
    r->session->options.lock_timeout_ms = v->integer < 0 ? -1 : v->integer > INT32_MAX ? INT32_MAX : (int)v->integer;
    return 0;
}

static int set_datefirst(struct run *r, const struct value *v)
{
    if (v->integer < 1 || v->integer > 7)
        return fault_set(&r->session->fault, 2742);
    if (v->integer != 7)
        return fault_set(&r->session->fault, FAULT_UNSUPPORTED, "SET DATEFIRST other than 7");
    return 0;
}

static int set_dateformat(struct run *r, const struct value *v)
{
    return is_word(v, "mdy") ? 0 : fault_set(&r->session->fault, FAULT_UNSUPPORTED, "SET DATEFORMAT other than mdy");
}

static int set_language(struct run *r, const struct value *v)
{
    bool english = is_word(v, "us_english") || is_word(v, "english");
    return english ? 0 : fault_set(&r->session->fault, FAULT_UNSUPPORTED, "SET LANGUAGE other than us_english");
}

static int set_rowcount(struct run *r, const struct value *v)
{
    if (v->null || v->integer < 0)
        return fault_set(&r->session->fault, 102, "SET ROWCOUNT");
    r->session->options.row_limit = v->integer;
    return 0;
}

static int set_nothing(struct run *r, const struct value *v)
{
    (void)r, (void)v;
    return 0;
}

static const struct {
    const char *name;
    int (*set)(struct run *r, const struct value *v);
} settings[] = {
    {"LOCK_TIMEOUT", set_lock_timeout}, {"DATEFIRST", set_datefirst}, {"DATEFORMAT", set_dateformat}, {"LANGUAGE", set_language},
    {"ROWCOUNT", set_rowcount},
    /* Without effect here: no value is ever cut for the client, and there are neither priorities nor contexts. */
    {"TEXTSIZE", set_nothing}, {"DEADLOCK_PRIORITY", set_nothing}, {"CONTEXT_INFO", set_nothing},
    {"QUERY_GOVERNOR_COST_LIMIT", set_nothing},
};

static int set_value(struct run *r, const struct tsql_set *set)
{
    struct value v;
    if (setting_value(r, set->value, &v) < 0)
        return -1;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcmp(settings[i].name, set->options->text.data) == 0)
            return settings[i].set(r, &v);
    }
    return fault_set(&r->session->fault, 195, set->options->text.data, "SET option");
}

/* ---- */

static int set_identity_insert(struct run *r, const struct tsql_set *set)
{
    struct engine_session *s = r->session;
    struct attachment *a;
    const struct tsql_name *n = &set->table;
    if (connection_use(s, n->database.data ? n->database.data : "", n->database.len, &a) < 0)
        return -1;
    const struct cat_schema *schema = n->schema.len > 0 ? catalogue_schema(a->catalogue, n->schema.data, n->schema.len)
                                                        : catalogue_schema_by_id(a->catalogue, CATALOGUE_DBO);
    const struct cat_table *t = schema ? catalogue_table(a->catalogue, schema->id, n->name.data, n->name.len) : NULL;
    if (!t)
        return fault_set(&s->fault, 1088, n->name.data);
    bool has = false;
    for (size_t i = 0; i < t->column_count; i++)
        has |= t->columns[i].identity;
    if (!has)
        return fault_set(&s->fault, 8106, t->name.data);
    bool is = s->identity_insert == t->id && s->identity_insert_database == a->database->id;
    if (set->on && s->identity_insert != 0 && !is)
        return fault_set(&s->fault, 8107, "another table", t->name.data);
    if (set->on || is) {
        s->identity_insert = set->on ? t->id : 0;
        s->identity_insert_database = a->database->id;
    }
    return 0;
}

/* A statement reads one state of each database, and a writer is alone. What asks for more than READ COMMITTED takes the
 * writer's lock. */
static int set_isolation(struct engine_session *s, const char *level)
{
    static const char *const levels[] = {[ENGINE_READ_UNCOMMITTED] = "READ UNCOMMITTED", [ENGINE_READ_COMMITTED] = "READ COMMITTED",
                                         [ENGINE_REPEATABLE_READ] = "REPEATABLE READ", [ENGINE_SERIALIZABLE] = "SERIALIZABLE",
                                         [ENGINE_SNAPSHOT] = "SNAPSHOT"};
    for (size_t i = ENGINE_READ_UNCOMMITTED; i <= ENGINE_SNAPSHOT; i++) {
        if (strcmp(levels[i], level) == 0)
            s->options.isolation = (enum engine_isolation)i;
    }
    return 0;
}

int settings_apply(struct run *r, const struct tsql_set *set)
{
    switch (set->kind) {
    case TSQL_SET_ON_OFF:
        for (const struct tsql_word *w = set->options; w; w = w->next) {
            if (set_switch(r, w->text.data, set->on) < 0)
                return -1;
        }
        return 0;
    case TSQL_SET_ISOLATION:
        return set_isolation(r->session, set->options->text.data);
    case TSQL_SET_IDENTITY_INSERT:
        return set_identity_insert(r, set);
    default:
        return set_value(r, set);
    }
}
