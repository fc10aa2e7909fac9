/* statement.h: CREATE TABLE out of what /create-table says. */
#include "fcgi-worker/statement.h"
#include "fcgi-worker/statement_parts.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* A string shard column gets a binary collation, so that what SQL calls equal is what hashes alike. */
static const char *shard_collation(const struct sqltype *t)
{
    if (!sqltype_is_string(t))
        return NULL;
    return sqltype_is_unicode(t) ? "Latin1_General_100_BIN2" : "Latin1_General_100_BIN2_UTF8";
}

static bool same_name(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

static bool has_member(const struct json_object *columns, const char *wanted, const char **name)
{
    struct json_iter it = {0};
    struct json_object *value;
    while (json_next(columns, &it, name, &value)) {
        if (same_name(*name, wanted))
            return true;
    }
    return false;
}

/* Finds the effective shard column: the named one, else student_id, else user_id, else none (*name is NULL). */
static int find_shard_column(const struct statement_table_spec *spec, const char **name, struct err *e)
{
    static const char *const rule[] = {"student_id", "user_id"};
    if (spec->shard_column != NULL) {
        if (!has_member(spec->columns, spec->shard_column, name))
            return err_set(e, ERR_UNKNOWN_COLUMN, "shard_column: columns has no '%.128s'", spec->shard_column);
        return 0;
    }
    for (size_t i = 0; i < sizeof(rule) / sizeof(rule[0]); i++) {
        if (has_member(spec->columns, rule[i], name))
            return 0;
    }
    *name = NULL;
    return 0;
}

/* Parses and writes one column. `shard` tells that it is the shard column. */
static int write_new_column(struct buf *sql, const char *name, const struct json_object *type, bool shard, bool *primary_key,
                            struct err *e)
{
    struct sqltype_column column = {0};
    struct buf whole, bare;
    size_t len;
    int rc = -1;

    buf_init(&whole, STATEMENT_MAX_SQL);
    buf_init(&bare, STATEMENT_MAX_SQL);
    if (json_kind(type) != JSON_STRING)
        return err_set(e, ERR_BAD_TYPE, "column '%s': a type is expected as a string, not %s", name, json_kind_name(json_kind(type)));
    const char *text = json_string(type, &len);
    if (sqltype_parse_column(name, text, len, &column, e) < 0)
        return -1;
    if (shard && !sqltype_can_shard(&column.type)) {
        (void)err_set(e, ERR_BAD_TYPE, "column '%s' is the shard column, which cannot be of type %s", name, sqltype_name(column.type.kind));
        goto out;
    }
    if (shard && column.has_default) {
        (void)err_set(e, ERR_BAD_FIELD, "column '%s' is the shard column, which cannot have a DEFAULT: it would put rows where their key does not lead",
                      name);
        goto out;
    }
    /* COLLATE belongs between the type and its clauses */
    sqltype_column_write(&column, &whole);
    sqltype_write(&column.type, &bare);
    if (buf_status(&whole) < 0 || buf_status(&bare) < 0) {
        (void)err_set(e, ERR_INTERNAL, "memory ran out");
        goto out;
    }
    assert(whole.len >= bare.len && memcmp(whole.data, bare.data, bare.len) == 0);
    statement_append_name(sql, name);
    buf_append_char(sql, ' ');
    buf_append(sql, bare.data, bare.len);
    if (shard && shard_collation(&column.type) != NULL)
        buf_printf(sql, " COLLATE %s", shard_collation(&column.type));
    buf_append_text(sql, whole.data + bare.len);
    *primary_key = column.primary_key;
    rc = 0;
out:
    sqltype_column_clear(&column);
    buf_clear(&whole);
    buf_clear(&bare);
    return rc;
}

/* A member whose name differs from an earlier one only in case would be the same column. */
static int check_new_name(const struct json_object *columns, const char *name, struct err *e)
{
    struct json_iter it = {0};
    const char *other;
    struct json_object *value;

    if (sqltype_check_name("columns", name, strlen(name), e) < 0)
        return -1;
    while (json_next(columns, &it, &other, &value) && strcmp(other, name) != 0) {
        if (same_name(other, name))
            return err_set(e, ERR_BAD_NAME, "columns: '%s' and '%s' differ only in case", other, name);
    }
    return 0;
}

int statement_create_table(struct statement *s, const struct statement_table_spec *spec, struct buf *shard, struct err *e)
{
    struct json_iter it = {0};
    const char *name, *shard_name;
    struct json_object *type;
    size_t count = 0, primary_keys = 0;

    if (find_shard_column(spec, &shard_name, e) < 0)
        return -1;
    buf_append_text(&s->sql, "CREATE TABLE ");
    statement_append_object(&s->sql, spec->database, "dbo", spec->table);
    while (json_next(spec->columns, &it, &name, &type)) {
        bool is_shard = shard_name != NULL && strcmp(name, shard_name) == 0, primary_key = false;
        if (count == STATEMENT_MAX_COLUMNS)
            return err_set(e, ERR_BAD_FIELD, "columns: more than %d", STATEMENT_MAX_COLUMNS);
        if (check_new_name(spec->columns, name, e) < 0)
            return -1;
        buf_append_text(&s->sql, count++ == 0 ? " (" : ", ");
        if (write_new_column(&s->sql, name, type, is_shard, &primary_key, e) < 0)
            return -1;
        if (primary_key && ++primary_keys > 1)
            return err_set(e, ERR_BAD_TYPE, "column '%s': a table has only one PRIMARY KEY", name);
    }
    if (count == 0)
        return err_set(e, ERR_BAD_FIELD, "columns: at least one column is expected");
    buf_append_char(&s->sql, ')');
    if (shard_name != NULL)
        buf_append_text(shard, shard_name);
    return statement_status(s, e);
}
