/* What T-SQL asks the catalogue: names and numbers of objects, and their properties. */
#include "tds-server/engine/globals.h"

#include "common/collate.h"
#include "tds-server/engine/views.h"
#include "tds-server/functions/typing.h"

#include <stdio.h>
#include <string.h>

#define INT                                                                                                                    \
    {                                                                                                                          \
        .kind = SQLTYPE_INT                                                                                                    \
    }
#define NAME                                                                                                                   \
    {                                                                                                                          \
        .kind = SQLTYPE_NVARCHAR, .length = 128                                                                                \
    }

static bool is_name(const struct value *v, const char *name)
{
    return !v->null && collate_name_equal(v->bytes.data, v->bytes.len, name, strlen(name));
}

/* The number, or NULL when there is none. */
static int answer_int(struct value *out, bool known, int64_t number)
{
    out->null = !known;
    out->integer = number;
    return 0;
}

static int answer_name(struct value *out, struct buf *scratch, const struct tsql_text *name)
{
    if (name)
        buf_append(scratch, name->data, name->len);
    globals_set_text(out, name ? buf_text(scratch) : NULL);
    return 0;
}

/* ---- names ---- */

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

/* The table of this name; *out NULL: none, and *a is NULL too when there is no such name, database or schema. The name's last
 * part goes into `last` (NULL: nowhere). -1: the session's fault. */
static int find_table(struct engine_session *s, const struct value *name, struct attachment **a, struct cat_table **out, struct buf *last)
{
    struct buf parts[3];
    size_t n;
    int result = 0;
    *out = NULL;
    *a = NULL;
    for (size_t i = 0; i < 3; i++)
        buf_init(&parts[i], STORE_MAX_NAME);
    if (!name->null && read_name(name->bytes.data, name->bytes.len, parts, &n)) {
        const struct buf *table = &parts[n - 1];
        const struct buf *schema = n > 1 && parts[n - 2].len > 0 ? &parts[n - 2] : NULL;
        const struct buf *database = n > 2 ? &parts[n - 3] : NULL;
        const char *named = database ? buf_text(database) : "";
        if (buf_text(table)[0] == '#') {
            /* A temporary table, whatever stands in front. */
            named = STORE_TEMPDB_NAME;
            schema = NULL;
        }
        struct fault before = s->fault;
        if (connection_use(s, named, strlen(named), a) < 0) {
            if (s->fault.number == 911)
                s->fault = before;
            else
                result = -1;
        } else {
            const struct cat_schema *in = schema ? catalogue_schema((*a)->catalogue, schema->data, schema->len)
                                                 : catalogue_schema_by_id((*a)->catalogue, CATALOGUE_DBO);
            *out = in ? catalogue_table((*a)->catalogue, in->id, buf_text(table), table->len) : NULL;
            *a = in ? *a : NULL;
        }
        if (last)
            buf_append(last, buf_text(table), table->len);
    }
    for (size_t i = 0; i < 3; i++)
        buf_clear(&parts[i]);
    return result;
}

/* The table of this number in the current database; *out NULL: none. -1: the session's fault. */
static int find_table_by_id(struct engine_session *s, const struct value *id, struct cat_table **out)
{
    struct attachment *a;
    *out = NULL;
    if (id->null)
        return 0;
    if (connection_use(s, "", 0, &a) < 0)
        return -1;
    *out = catalogue_table_by_id(a->catalogue, (int)id->integer);
    return 0;
}

/* Anything that has a number: tables and constraints. */
struct object {
    int id, schema, parent;
    char type[3];
    char name[STORE_MAX_NAME + 1];
};

/* Asks sg_object by number, or else by name. false: there is none. -1: the session's fault. */
static int ask_object(struct engine_session *s, int database, int id, const char *name, size_t len, bool *found, struct object *out)
{
    char sql[256];
    sqlite3_stmt *stmt = NULL;
    snprintf(sql, sizeof sql, "SELECT object_id, schema_id, parent_id, type, name FROM d%d.sg_object WHERE %s", database,
             name ? "name = ?1 COLLATE SG_CI" : "object_id = ?1");
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = name ? sqlite3_bind_text(stmt, 1, name, (int)len, SQLITE_STATIC) : sqlite3_bind_int(stmt, 1, id);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    *found = rc == SQLITE_ROW;
    if (*found) {
        *out = (struct object){sqlite3_column_int(stmt, 0), sqlite3_column_int(stmt, 1), sqlite3_column_int(stmt, 2), "", ""};
        snprintf(out->type, sizeof out->type, "%s", (const char *)sqlite3_column_text(stmt, 3));
        snprintf(out->name, sizeof out->name, "%s", (const char *)sqlite3_column_text(stmt, 4));
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : runtime_sqlite_fault(s, rc);
}

/* The object of this number in the database that `database` numbers; NULL: the current one. */
static int find_object(struct engine_session *s, const struct value *id, const struct value *database, struct attachment **a, bool *found,
                       struct object *out)
{
    const char *name = database ? store_find_name(s->engine->store, (int)database->integer) : "";
    *found = false;
    if (id->null || !name || (database && database->null))
        return 0;
    if (connection_use(s, name, strlen(name), a) < 0)
        return -1;
    return ask_object(s, (*a)->database->id, (int)id->integer, NULL, 0, found, out);
}

/* OBJECT_ID(name [, type]) */
static int call_object_id(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a = NULL;
    struct cat_table *t = NULL;
    struct object o = {0};
    struct tsql_text last = {"", 0};
    bool found = false;
    char type[3] = "";
    if (find_table(s, &args[0], &a, &t, scratch) < 0)
        return -1;
    last = (struct tsql_text){buf_text(scratch), scratch->len};
    if (t)
        o = (struct object){.id = t->id, .type = "U"};
    else if (a && ask_object(s, a->database->id, 0, last.data, last.len, &found, &o) < 0)
        return -1;
    if (count > 1 && !args[1].null)
        snprintf(type, sizeof type, "%.*s", (int)(args[1].bytes.len > 2 ? 2 : args[1].bytes.len), args[1].bytes.data);
    bool wanted = type[0] == '\0' || collate_name_equal(type, strcspn(type, " "), o.type, strlen(o.type));
    return answer_int(out, (t || found) && wanted, o.id);
}

static int call_object_name(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    struct object o;
    bool found;
    if (find_object(s, &args[0], count > 1 ? &args[1] : NULL, &a, &found, &o) < 0)
        return -1;
    const struct tsql_text name = {o.name, found ? strlen(o.name) : 0};
    return answer_name(out, scratch, found ? &name : NULL);
}

static int call_object_schema_name(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    struct object o;
    bool found;
    if (find_object(s, &args[0], count > 1 ? &args[1] : NULL, &a, &found, &o) < 0)
        return -1;
    const struct cat_schema *schema = found ? catalogue_schema_by_id(a->catalogue, o.schema) : NULL;
    return answer_name(out, scratch, schema ? &schema->name : NULL);
}

/* Those of the views. */
static const struct {
    const char *name;
    int id;
} system_schemas[] = {{"INFORMATION_SCHEMA", 3}, {"sys", 4}};

static int call_schema_name(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    if (count > 0 && args[0].null)
        return answer_name(out, scratch, NULL);
    if (connection_use(s, "", 0, &a) < 0)
        return -1;
    const struct cat_schema *schema = catalogue_schema_by_id(a->catalogue, count > 0 ? (int)args[0].integer : CATALOGUE_DBO);
    for (size_t i = 0; !schema && i < sizeof system_schemas / sizeof system_schemas[0]; i++) {
        if (system_schemas[i].id == args[0].integer) {
            globals_set_text(out, system_schemas[i].name);
            return 0;
        }
    }
    return answer_name(out, scratch, schema ? &schema->name : NULL);
}

static int call_schema_id(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    (void)scratch;
    if (count == 0 || args[0].null)
        return answer_int(out, count == 0, CATALOGUE_DBO);
    if (connection_use(s, "", 0, &a) < 0)
        return -1;
    for (size_t i = 0; i < sizeof system_schemas / sizeof system_schemas[0]; i++) {
        if (is_name(&args[0], system_schemas[i].name))
            return answer_int(out, true, system_schemas[i].id);
    }
    const struct cat_schema *schema = catalogue_schema(a->catalogue, args[0].bytes.data, args[0].bytes.len);
    return answer_int(out, schema != NULL, schema ? schema->id : 0);
}

/* ---- columns ---- */

static int call_col_name(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct cat_table *t;
    (void)count;
    if (find_table_by_id(s, &args[0], &t) < 0)
        return -1;
    const struct cat_column *c = t && !args[1].null ? catalogue_column_by_id(t, (int)args[1].integer) : NULL;
    return answer_name(out, scratch, c ? &c->name : NULL);
}

static int call_col_length(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    struct cat_table *t;
    (void)count, (void)scratch;
    if (find_table(s, &args[0], &a, &t, NULL) < 0)
        return -1;
    const struct cat_column *c = t && !args[1].null ? catalogue_column(t, args[1].bytes.data, args[1].bytes.len) : NULL;
    return answer_int(out, c != NULL, c ? views_column_bytes(&c->type) : 0);
}

enum column_property {
    COLUMN_NULLABLE,
    COLUMN_ID,
    COLUMN_IDENTITY,
    COLUMN_NO,  /* what no column here is */
    COLUMN_YES, /* what each is */
    COLUMN_PRECISION,
    COLUMN_SCALE,
    COLUMN_LENGTH,
    COLUMN_ORDINAL,
};

static const struct {
    const char *name;
    enum column_property property;
} column_properties[] = {
    {"AllowsNull", COLUMN_NULLABLE}, {"ColumnId", COLUMN_ID},        {"IsIdentity", COLUMN_IDENTITY}, {"IsComputed", COLUMN_NO},
    {"IsRowGuidCol", COLUMN_NO},     {"IsHidden", COLUMN_NO},        {"IsSparse", COLUMN_NO},         {"IsColumnSet", COLUMN_NO},
    {"IsFulltextIndexed", COLUMN_NO}, {"GeneratedAlwaysType", COLUMN_NO}, {"IsXmlIndexable", COLUMN_NO}, {"IsOutParam", COLUMN_NO},
    {"IsIdNotForRepl", COLUMN_NO},   {"IsDeterministic", COLUMN_NO}, {"IsIndexable", COLUMN_YES},     {"UsesAnsiTrim", COLUMN_YES},
    {"Precision", COLUMN_PRECISION}, {"Scale", COLUMN_SCALE},        {"CharMaxLen", COLUMN_LENGTH},   {"Ordinal", COLUMN_ORDINAL},
};

static int answer_column(const struct cat_table *t, const struct cat_column *c, enum column_property property, struct value *out)
{
    bool sized = typing_class(c->type.kind) == TYPE_STRING || typing_class(c->type.kind) == TYPE_BINARY;
    switch (property) {
    case COLUMN_NULLABLE:
        return answer_int(out, true, c->nullable);
    case COLUMN_ID:
        return answer_int(out, true, c->id);
    case COLUMN_IDENTITY:
        return answer_int(out, true, c->identity);
    case COLUMN_NO:
        return answer_int(out, true, 0);
    case COLUMN_YES:
        return answer_int(out, true, 1);
    case COLUMN_PRECISION:
        return answer_int(out, true, sized ? c->type.length : views_column_precision(&c->type));
    case COLUMN_SCALE:
        return answer_int(out, !sized, c->type.scale);
    case COLUMN_LENGTH:
        return answer_int(out, sized, c->type.length);
    default:
        return answer_int(out, true, c - t->columns + 1);
    }
}

static int call_columnproperty(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct cat_table *t;
    (void)count, (void)scratch;
    if (find_table_by_id(s, &args[0], &t) < 0)
        return -1;
    const struct cat_column *c = t && !args[1].null ? catalogue_column(t, args[1].bytes.data, args[1].bytes.len) : NULL;
    for (size_t i = 0; c && i < sizeof column_properties / sizeof column_properties[0]; i++) {
        if (is_name(&args[2], column_properties[i].name))
            return answer_column(t, c, column_properties[i].property, out);
    }
    return answer_int(out, false, 0);
}

/* ---- tables ---- */

static bool has_index(const struct cat_table *t, enum cat_index_kind kind)
{
    for (const struct cat_index *x = t->indexes; x; x = x->next) {
        if (x->kind == kind)
            return true;
    }
    return false;
}

static bool has_check(const struct cat_table *t, bool is_default)
{
    for (const struct cat_check *k = t->checks; k; k = k->next) {
        if (k->is_default == is_default)
            return true;
    }
    return false;
}

static const struct cat_column *identity_of(const struct cat_table *t)
{
    for (size_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].identity)
            return &t->columns[i];
    }
    return NULL;
}

static bool table_yes(const struct cat_table *t)
{
    return t != NULL;
}

static bool table_no(const struct cat_table *t)
{
    return t == NULL;
}

static bool table_has_primary_key(const struct cat_table *t)
{
    return has_index(t, CAT_PRIMARY_KEY);
}

static bool table_has_unique(const struct cat_table *t)
{
    return has_index(t, CAT_UNIQUE_CONSTRAINT);
}

static bool table_has_index(const struct cat_table *t)
{
    return t->indexes != NULL;
}

/* The clustered index is number 1. */
static bool table_has_clustered(const struct cat_table *t)
{
    for (const struct cat_index *x = t->indexes; x; x = x->next) {
        if (x->id == 1)
            return true;
    }
    return false;
}

static bool table_has_foreign_key(const struct cat_table *t)
{
    return t->foreign_keys != NULL;
}

static bool table_has_check(const struct cat_table *t)
{
    return has_check(t, false);
}

static bool table_has_default(const struct cat_table *t)
{
    for (size_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].default_sql.len > 0)
            return true;
    }
    return has_check(t, true);
}

static bool table_has_identity(const struct cat_table *t)
{
    return identity_of(t) != NULL;
}

static const struct {
    const char *name;
    bool (*is)(const struct cat_table *t);
} table_properties[] = {
    {"IsTable", table_yes},           {"IsUserTable", table_yes},        {"OwnerId", table_yes},        {"SchemaId", table_yes},
    {"IsAnsiNullsOn", table_yes},     {"IsQuotedIdentOn", table_yes},    {"IsMSShipped", table_no},     {"IsSystemTable", table_no},
    {"IsView", table_no},             {"IsProcedure", table_no},         {"IsTrigger", table_no},       {"IsScalarFunction", table_no},
    {"IsTableFunction", table_no},    {"IsInlineFunction", table_no},    {"IsConstraint", table_no},    {"IsPrimaryKey", table_no},
    {"IsForeignKey", table_no},       {"IsUniqueCnst", table_no},        {"IsCheckCnst", table_no},     {"IsDefaultCnst", table_no},
    {"IsEncrypted", table_no},        {"IsSchemaBound", table_no},       {"TableHasTextImage", table_no}, {"TableIsFake", table_no},
    {"TableHasIndex", table_has_index},           {"TableHasPrimaryKey", table_has_primary_key},
    {"TableHasUniqueCnst", table_has_unique},     {"TableHasClustIndex", table_has_clustered},
    {"TableHasForeignKey", table_has_foreign_key}, {"TableHasCheckCnst", table_has_check},
    {"TableHasDefaultCnst", table_has_default},   {"TableHasIdentity", table_has_identity},
};

/* Of constraints: what they are, and whether an index of theirs is clustered. */
static const struct {
    const char *name, *type;
} constraint_properties[] = {
    {"IsPrimaryKey", "PK"}, {"IsUniqueCnst", "UQ"}, {"IsForeignKey", "F"}, {"IsCheckCnst", "C"}, {"IsDefaultCnst", "D"},
};

static int answer_constraint(struct engine_session *s, const struct object *o, const struct value *property, struct value *out)
{
    struct cat_table *t;
    const struct value parent = {.type = typing_make(SQLTYPE_INT), .integer = o->parent};
    for (size_t i = 0; i < sizeof constraint_properties / sizeof constraint_properties[0]; i++) {
        if (is_name(property, constraint_properties[i].name))
            return answer_int(out, true, strcmp(o->type, constraint_properties[i].type) == 0);
    }
    if (is_name(property, "IsConstraint"))
        return answer_int(out, true, 1);
    if (!is_name(property, "CnstIsClustKey"))
        return answer_int(out, false, 0);
    if (find_table_by_id(s, &parent, &t) < 0)
        return -1;
    bool clustered = false;
    for (const struct cat_index *x = t ? t->indexes : NULL; x; x = x->next)
        clustered |= x->id == 1 && collate_name_equal(x->name.data, x->name.len, o->name, strlen(o->name));
    return answer_int(out, true, clustered);
}

static int call_objectproperty(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    struct cat_table *t;
    struct object o;
    bool found;
    (void)count, (void)scratch;
    if (find_table_by_id(s, &args[0], &t) < 0)
        return -1;
    for (size_t i = 0; t && i < sizeof table_properties / sizeof table_properties[0]; i++) {
        if (is_name(&args[1], table_properties[i].name))
            return answer_int(out, true, table_properties[i].is(t));
    }
    if (t)
        return answer_int(out, false, 0);
    if (find_object(s, &args[0], NULL, &a, &found, &o) < 0)
        return -1;
    return found ? answer_constraint(s, &o, &args[1], out) : answer_int(out, false, 0);
}

static const struct cat_index *index_of(const struct cat_table *t, const struct value *id)
{
    for (const struct cat_index *x = t ? t->indexes : NULL; x; x = x->next) {
        if (!id->null && x->id == id->integer)
            return x;
    }
    return NULL;
}

/* INDEX_COL(table, index, place): a column's name. */
static int call_index_col(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    struct cat_table *t;
    (void)count;
    if (find_table(s, &args[0], &a, &t, NULL) < 0)
        return -1;
    const struct cat_index *x = index_of(t, &args[1]);
    const struct cat_column *c = NULL;
    if (x && !args[2].null && args[2].integer >= 1 && (size_t)args[2].integer <= x->count)
        c = catalogue_column_by_id(t, x->columns[args[2].integer - 1]);
    return answer_name(out, scratch, c ? &c->name : NULL);
}

static int call_indexproperty(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct cat_table *t;
    (void)count, (void)scratch;
    if (find_table_by_id(s, &args[0], &t) < 0)
        return -1;
    const struct cat_index *x = t ? t->indexes : NULL;
    while (x && (args[1].null || !collate_name_equal(x->name.data, x->name.len, args[1].bytes.data, args[1].bytes.len)))
        x = x->next;
    if (!x)
        return answer_int(out, false, 0);
    const struct {
        const char *name;
        int value;
    } properties[] = {{"IndexID", x->id}, {"IsClustered", x->id == 1}, {"IsUnique", x->unique}, {"IsDisabled", 0},
                      {"IsHypothetical", 0}, {"IsPadIndex", 0}, {"IndexFillFactor", 0}, {"IsStatistics", 0}, {"IsAutoStatistics", 0}};
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (is_name(&args[2], properties[i].name))
            return answer_int(out, true, properties[i].value);
    }
    return answer_int(out, false, 0);
}

/* ---- identity ---- */

/* The identity column of a table by its name; NULL: none. */
static int find_identity(struct engine_session *s, const struct value *name, struct attachment **a, struct cat_table **t,
                         const struct cat_column **out)
{
    *out = NULL;
    if (find_table(s, name, a, t, NULL) < 0)
        return -1;
    *out = *t ? identity_of(*t) : NULL;
    return 0;
}

static int answer_number(struct value *out, const struct cat_column *c, int64_t number)
{
    out->null = !c;
    out->decimal = number;
    return 0;
}

static int call_ident_seed(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    struct cat_table *t;
    const struct cat_column *c;
    (void)count, (void)scratch;
    if (find_identity(s, &args[0], &a, &t, &c) < 0)
        return -1;
    return answer_number(out, c, c ? c->identity_seed : 0);
}

static int call_ident_incr(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    struct cat_table *t;
    const struct cat_column *c;
    (void)count, (void)scratch;
    if (find_identity(s, &args[0], &a, &t, &c) < 0)
        return -1;
    return answer_number(out, c, c ? c->identity_increment : 0);
}

/* The last number that was given; the seed before the first. */
static int call_ident_current(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    struct attachment *a;
    struct cat_table *t;
    const struct cat_column *c;
    (void)count, (void)scratch;
    if (find_identity(s, &args[0], &a, &t, &c) < 0)
        return -1;
    if (!c)
        return answer_number(out, NULL, 0);
    char sql[128];
    sqlite3_stmt *stmt = NULL;
    int64_t last = c->identity_seed;
    snprintf(sql, sizeof sql, "SELECT coalesce(last, seed) FROM d%d.sg_column WHERE object_id = %d AND identity = 1", a->database->id, t->id);
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        last = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? answer_number(out, c, last) : runtime_sqlite_fault(s, rc);
}

/* ---- types ---- */

static int call_type_name(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)count, (void)scratch;
    const char *name = NULL;
    for (int kind = 0; !args[0].null && kind < SQLTYPE_KINDS && !name; kind++) {
        if (views_type_id((enum sqltype_kind)kind) == args[0].integer)
            name = typing_name((enum sqltype_kind)kind);
    }
    globals_set_text(out, name);
    return 0;
}

static int call_type_id(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)count, (void)scratch;
    for (int kind = 0; kind < SQLTYPE_KINDS; kind++) {
        if (is_name(&args[0], typing_name((enum sqltype_kind)kind)))
            return answer_int(out, true, views_type_id((enum sqltype_kind)kind));
    }
    return answer_int(out, false, 0);
}

/* Nothing here has a text: there are no views and no procedures. */
static int call_nothing(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out)
{
    (void)s, (void)args, (void)count, (void)scratch;
    globals_set_text(out, NULL);
    return 0;
}

#define NUMBER {.kind = SQLTYPE_NUMERIC, .precision = 38}

static const struct session_function catalogue_functions[] = {
    {"object_id", 1, "tt", INT, call_object_id},
    {"object_name", 1, "ii", NAME, call_object_name},
    {"object_schema_name", 1, "ii", NAME, call_object_schema_name},
    {"object_definition", 1, "i", {.kind = SQLTYPE_NVARCHAR, .length = SQLTYPE_MAX}, call_nothing},
    {"schema_name", 0, "i", NAME, call_schema_name},
    {"schema_id", 0, "t", INT, call_schema_id},
    {"col_name", 2, "ii", NAME, call_col_name},
    {"col_length", 2, "tt", {.kind = SQLTYPE_SMALLINT}, call_col_length},
    {"columnproperty", 3, "itt", INT, call_columnproperty},
    {"objectproperty", 2, "it", INT, call_objectproperty},
    {"objectpropertyex", 2, "it", INT, call_objectproperty},
    {"index_col", 3, "tii", NAME, call_index_col},
    {"indexproperty", 3, "itt", INT, call_indexproperty},
    {"ident_seed", 1, "t", NUMBER, call_ident_seed},
    {"ident_incr", 1, "t", NUMBER, call_ident_incr},
    {"ident_current", 1, "t", NUMBER, call_ident_current},
    {"type_name", 1, "i", NAME, call_type_name},
    {"type_id", 1, "t", INT, call_type_id},
};

const struct session_function *globals_find_in_catalogue(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof catalogue_functions / sizeof catalogue_functions[0]; i++) {
        const struct session_function *f = &catalogue_functions[i];
        if (collate_name_equal(f->name, strlen(f->name), name, len))
            return f;
    }
    return NULL;
}
