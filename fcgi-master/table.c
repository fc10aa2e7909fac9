#include "fcgi-master/table.h"

#include <stdlib.h>
#include <string.h>

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool table_same_name(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return false;
    for (size_t i = 0; i < a_len; i++) {
        if (ascii_lower(a[i]) != ascii_lower(b[i]))
            return false;
    }
    return true;
}

const struct table_column *table_find_column(const struct table *t, const char *name, size_t len)
{
    for (size_t i = 0; i < t->column_count; i++) {
        if (table_same_name(t->columns[i].name, strlen(t->columns[i].name), name, len))
            return &t->columns[i];
    }
    return NULL;
}

const struct sqltype *table_shard_type(const struct table *t)
{
    const struct table_column *c = t->shard_column;
    return c != NULL && c->known_type && sqltype_can_shard(&c->type) ? &c->type : NULL;
}

int table_check_init(struct table_check *c, const struct table *t, struct err *e)
{
    *c = (struct table_check){.table = t};
    sqlvalue_init(&c->value);
    sqlvalue_init(&c->key);
    c->named = calloc(t->column_count, sizeof *c->named);
    c->given = calloc(t->column_count, sizeof *c->given);
    return c->named != NULL && c->given != NULL ? 0 : err_set(e, ERR_INTERNAL, "out of memory");
}

void table_check_clear(struct table_check *c)
{
    free(c->named);
    free(c->given);
    sqlvalue_clear(&c->value);
    sqlvalue_clear(&c->key);
    *c = (struct table_check){0};
}

/* The column that the row's field `i` names: mostly the one that the same field of the row before named. */
static const struct table_column *named_column(struct table_check *c, size_t i, const char *name)
{
    if (i < c->table->column_count && c->named[i] != NULL && strcmp(c->named[i]->name, name) == 0)
        return c->named[i];
    const struct table_column *found = table_find_column(c->table, name, strlen(name));
    if (i < c->table->column_count)
        c->named[i] = found;
    return found;
}

static int check_field(struct table_check *c, const struct table_column *column, const struct json_field *f, struct err *e)
{
    struct sqlvalue *to = column == c->table->shard_column ? &c->key : &c->value;
    if (f->kind == JSON_NULL)
        return column->nullable ? 0 : err_set(e, ERR_BAD_VALUE, "column '%s': may not be null", column->name);
    return column->known_type ? sqltype_convert_field(&column->type, column->name, f, to, e) : 0;
}

int table_check_fields(struct table_check *c, const struct json_fields *row, struct err *e)
{
    const struct table *t = c->table;
    c->rows++;
    c->key.null = true;
    for (size_t i = 0; i < row->count; i++) {
        const struct json_field *f = &row->items[i];
        const struct table_column *column = named_column(c, i, f->name);
        if (column == NULL)
            return err_set(e, ERR_UNKNOWN_COLUMN, "the table has no column '%.128s'", f->name);
        size_t *given = &c->given[column - t->columns];
        if (*given == c->rows)
            return err_set(e, ERR_BAD_FIELD, "column '%s' is named twice", column->name);
        *given = c->rows;
        if (check_field(c, column, f, e) != 0)
            return -1;
    }
    for (size_t i = 0; i < t->column_count; i++) {
        const struct table_column *column = &t->columns[i];
        bool may_count = !column->known_type || sqltype_is_integer(&column->type) || sqltype_is_decimal(&column->type);
        if (c->given[i] != c->rows && !column->nullable && !column->has_default && !may_count)
            return err_set(e, ERR_BAD_VALUE, "column '%s': may not be null, and has no default", column->name);
    }
    return 0;
}

int table_check_row(const struct table *t, const struct json_object *row, struct err *e)
{
    struct table_check check;
    struct json_fields fields = {0};
    int rc = -1;
    if (table_check_init(&check, t, e) == 0 && json_fields_from(&fields, row, e) == 0)
        rc = table_check_fields(&check, &fields, e);
    json_fields_clear(&fields);
    table_check_clear(&check);
    return rc;
}

static int bad_answer(struct err *e, const char *what)
{
    return err_set(e, ERR_BAD_WORKER_ANSWER, "/describe answered %s", what);
}

/* Copies a string member; a NUL inside would make two names look alike. */
static int copy_text(const struct json_object *obj, const char *name, char **out, struct err *e)
{
    const char *text = NULL;
    size_t len = 0;
    struct err ignored = ERR_INIT;
    if (json_get_string(obj, name, true, &text, &len, &ignored) != 0 || len == 0 || memchr(text, 0, len) != NULL)
        return err_set(e, ERR_BAD_WORKER_ANSWER, "/describe answered without a usable '%s'", name);
    *out = strndup(text, len);
    return *out != NULL ? 0 : err_set(e, ERR_INTERNAL, "out of memory");
}

static int read_flag(const struct json_object *obj, const char *name, bool *out, struct err *e)
{
    struct json_object *v = NULL;
    if (!json_member(obj, name, &v) || json_kind(v) != JSON_BOOL)
        return err_set(e, ERR_BAD_WORKER_ANSWER, "/describe answered without the flag '%s' of a column", name);
    *out = json_boolean(v);
    return 0;
}

/* A flag that a worker may leave out where it is false. */
static bool has_flag(const struct json_object *obj, const char *name)
{
    struct json_object *v = NULL;
    return json_member(obj, name, &v) && json_kind(v) == JSON_BOOL && json_boolean(v);
}

static int read_column(const struct json_object *obj, struct table_column *c, struct err *e)
{
    if (json_kind(obj) != JSON_OBJECT)
        return bad_answer(e, "a column that is no object");
    if (copy_text(obj, "name", &c->name, e) != 0 || read_flag(obj, "nullable", &c->nullable, e) != 0 ||
        read_flag(obj, "has_default", &c->has_default, e) != 0 || read_flag(obj, "binary", &c->binary, e) != 0)
        return -1;
    c->ignores_case = has_flag(obj, "ignores_case");
    struct json_object *type = NULL;
    if (!json_member(obj, "type", &type))
        return bad_answer(e, "a column without 'type'");
    if (json_kind(type) == JSON_NULL)
        return 0;
    if (json_kind(type) != JSON_STRING)
        return bad_answer(e, "a column whose 'type' is no string");
    size_t len = 0;
    const char *text = json_string(type, &len);
    c->known_type = sqltype_parse(text, len, &c->type);
    return c->known_type ? 0
                         : err_set(e, ERR_BAD_WORKER_ANSWER, "/describe answered the type '%.*s'",
                                   len > 40 ? 40 : (int)len, text);
}

static int read_columns(const struct json_object *body, struct table *t, struct err *e)
{
    struct json_object *columns = NULL;
    if (!json_member(body, "columns", &columns) || json_kind(columns) != JSON_ARRAY)
        return bad_answer(e, "without the array 'columns'");
    size_t count = json_array_length(columns);
    if (count == 0 || count > TABLE_MAX_COLUMNS)
        return bad_answer(e, "a number of columns that no table has");
    t->columns = calloc(count, sizeof *t->columns);
    if (t->columns == NULL)
        return err_set(e, ERR_INTERNAL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        t->column_count = i + 1;
        if (read_column(json_array_at(columns, i), &t->columns[i], e) != 0)
            return -1;
    }
    return 0;
}

static int read_shard_column(const struct json_object *body, struct table *t, struct err *e)
{
    struct json_object *v = NULL;
    if (!json_member(body, "shard_column", &v))
        return bad_answer(e, "without 'shard_column'");
    if (json_kind(v) == JSON_NULL)
        return 0;
    size_t len = 0;
    const char *name = json_kind(v) == JSON_STRING ? json_string(v, &len) : "";
    t->shard_column = table_find_column(t, name, len);
    return t->shard_column != NULL ? 0 : bad_answer(e, "a 'shard_column' that is none of its columns");
}

/* A worker that says nothing of a key has tables without. */
static int read_key(const struct json_object *body, struct table *t, struct err *e)
{
    struct json_object *key = NULL;
    if (!json_member(body, "key", &key) || json_kind(key) == JSON_NULL)
        return 0;
    if (json_kind(key) != JSON_ARRAY || json_array_length(key) > TABLE_MAX_KEY)
        return bad_answer(e, "a 'key' that is no array of columns");
    for (size_t i = 0; i < json_array_length(key); i++) {
        struct json_object *v = json_array_at(key, i);
        size_t len = 0;
        const char *name = json_kind(v) == JSON_STRING ? json_string(v, &len) : "";
        const struct table_column *c = table_find_column(t, name, len);
        if (c == NULL || !c->known_type || c->type.kind == SQLTYPE_TEXT || c->nullable)
            return bad_answer(e, "a 'key' by which rows cannot be told apart");
        t->key[t->key_count++] = (size_t)(c - t->columns);
    }
    return 0;
}

static bool is_tag(const char *tag)
{
    size_t len = strlen(tag);
    for (size_t i = 0; i < len; i++) {
        if (tag[i] <= ' ' || tag[i] > '~')
            return false;
    }
    return len <= TABLE_MAX_TAG;
}

int table_read(const char *text, size_t len, struct table **out, struct err *e)
{
    struct json_object *body = NULL;
    struct err json_error = ERR_INIT;
    if (json_read(text, len, &body, &json_error) != 0)
        return err_set(e, ERR_BAD_WORKER_ANSWER, "/describe answered no JSON: %s", json_error.detail);
    int rc = -1;
    struct table *t = calloc(1, sizeof *t);
    if (t == NULL) {
        err_set(e, ERR_INTERNAL, "out of memory");
        goto out;
    }
    atomic_init(&t->references, 1);
    if (copy_text(body, "tag", &t->tag, e) != 0 || read_columns(body, t, e) != 0 || read_shard_column(body, t, e) != 0 ||
        read_key(body, t, e) != 0)
        goto out;
    if (!is_tag(t->tag)) {
        bad_answer(e, "a 'tag' that fits no header");
        goto out;
    }
    *out = t;
    t = NULL;
    rc = 0;
out:
    table_release(t);
    json_free(body);
    return rc;
}

struct table *table_hold(struct table *t)
{
    atomic_fetch_add(&t->references, 1);
    return t;
}

void table_release(struct table *t)
{
    if (t == NULL || atomic_fetch_sub(&t->references, 1) != 1)
        return;
    for (size_t i = 0; i < t->column_count; i++)
        free(t->columns[i].name);
    free(t->columns);
    free(t->tag);
    free(t);
}
