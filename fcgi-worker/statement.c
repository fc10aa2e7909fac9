/* statement.h: what the statements are made of, and those that are nearly constant. */
#include "fcgi-worker/statement.h"
#include "fcgi-worker/statement_parts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void statement_init(struct statement *s)
{
    *s = (struct statement){0};
    buf_init(&s->sql, STATEMENT_MAX_SQL);
    buf_init(&s->values, STATEMENT_MAX_VALUES);
}

void statement_clear(struct statement *s)
{
    buf_clear(&s->sql);
    buf_clear(&s->values);
    free(s->params);
    free(s->columns);
    s->params = NULL;
    s->columns = NULL;
    s->param_count = s->param_capacity = s->column_count = s->rows = 0;
}

const char *statement_value(const struct statement *s, const struct statement_param *p)
{
    return buf_text(&s->values) + p->offset;
}

int statement_status(const struct statement *s, struct err *e)
{
    if (buf_status(&s->sql) < 0 || buf_status(&s->values) < 0)
        return err_set(e, ERR_INTERNAL, "the statement is too large, or memory ran out");
    return 0;
}

/* ---- Names -------------------------------------------------------------------------------------------------------- */

/* The only place where a name enters SQL text. */
void statement_append_name(struct buf *sql, const char *name)
{
    buf_append_char(sql, '[');
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == ']')
            buf_append_char(sql, ']');
        buf_append_char(sql, *p);
    }
    buf_append_char(sql, ']');
}

void statement_append_object(struct buf *sql, const char *database, const char *schema, const char *object)
{
    statement_append_name(sql, database);
    buf_append_char(sql, '.');
    statement_append_name(sql, schema);
    buf_append_char(sql, '.');
    statement_append_name(sql, object);
}

/* ---- Parameters --------------------------------------------------------------------------------------------------- */

/* Adds a parameter without a value; the caller writes its "?". NULL when there are too many or memory ran out. */
struct statement_param *statement_new_param(struct statement *s, enum statement_bind bind)
{
    if (s->param_count == (s->rows > 1 ? STATEMENT_MAX_ROWS * STATEMENT_MAX_PARAMS : STATEMENT_MAX_PARAMS)) {
        s->values.failed = true;
        return NULL;
    }
    if (s->param_count == s->param_capacity) {
        size_t capacity = s->param_capacity == 0 ? 16 : s->param_capacity * 2;
        struct statement_param *grown = reallocarray(s->params, capacity, sizeof(*grown));
        if (grown == NULL) {
            s->values.failed = true;
            return NULL;
        }
        s->params = grown;
        s->param_capacity = capacity;
    }
    struct statement_param *p = &s->params[s->param_count++];
    *p = (struct statement_param){.bind = bind, .null = true, .offset = s->values.len};
    return p;
}

void statement_set_value(struct statement *s, struct statement_param *p, const char *text, size_t len)
{
    p->null = false;
    p->offset = s->values.len;
    p->len = len;
    buf_append(&s->values, text, len);
    buf_append_char(&s->values, '\0');
}

void statement_add_name(struct statement *s, const char *name)
{
    struct statement_param *p = statement_new_param(s, STATEMENT_NVARCHAR);
    if (p != NULL)
        statement_set_value(s, p, name, strlen(name));
    buf_append_char(&s->sql, '?');
}

/* A "?" inside brackets or quotes belongs to a name; all values are placeholders. */
void statement_write_template(const struct statement *s, struct buf *out)
{
    char closes = '\0';
    unsigned number = 0;
    for (const char *p = buf_text(&s->sql); *p != '\0'; p++) {
        if (closes == '\0' && *p == '?') {
            buf_printf(out, "@p%u", ++number);
            continue;
        }
        if (closes == '\0')
            closes = *p == '[' ? ']' : *p == '\'' ? '\'' : '\0';
        else if (*p == closes)
            closes = '\0';
        buf_append_char(out, *p);
    }
}

void statement_write_guarded(const struct statement *s, struct buf *out)
{
    buf_append(out, buf_text(&s->sql), s->values_at);
    for (size_t i = 0; i < s->param_count / s->rows; i++)
        buf_append_text(out, i == 0 ? "SELECT ?" : ", ?");
    buf_append_text(out, " WHERE @@TRANCOUNT > 0");
}

/* ---- Schema changes ----------------------------------------------------------------------------------------------- */

void statement_drop_table(struct statement *s, const char *database, const char *table)
{
    buf_append_text(&s->sql, "DROP TABLE ");
    statement_append_object(&s->sql, database, "dbo", table);
}

void statement_create_database(struct statement *s, const char *database)
{
    buf_append_text(&s->sql, "CREATE DATABASE ");
    statement_append_name(&s->sql, database);
}

void statement_drop_database(struct statement *s, const char *database)
{
    buf_append_text(&s->sql, "DROP DATABASE ");
    statement_append_name(&s->sql, database);
}

void statement_gw_create(struct statement *s, const char *database)
{
    buf_append_text(&s->sql, "CREATE TABLE ");
    statement_append_object(&s->sql, database, "dbo", STATEMENT_GW_TABLES);
    buf_append_text(&s->sql, " ([table_name] NVARCHAR(128) NOT NULL PRIMARY KEY, [shard_column] NVARCHAR(128) NOT NULL)");
}

void statement_gw_insert(struct statement *s, const char *database, const char *table, const char *shard_column)
{
    buf_append_text(&s->sql, "INSERT INTO ");
    statement_append_object(&s->sql, database, "dbo", STATEMENT_GW_TABLES);
    buf_append_text(&s->sql, " ([table_name], [shard_column]) VALUES (");
    statement_add_name(s, table);
    buf_append_text(&s->sql, ", ");
    statement_add_name(s, shard_column);
    buf_append_char(&s->sql, ')');
}

void statement_gw_delete(struct statement *s, const char *database, const char *table)
{
    buf_append_text(&s->sql, "DELETE FROM ");
    statement_append_object(&s->sql, database, "dbo", STATEMENT_GW_TABLES);
    buf_append_text(&s->sql, " WHERE [table_name] = ");
    statement_add_name(s, table);
}

/* ---- The catalogue ------------------------------------------------------------------------------------------------ */

void statement_find_database(struct statement *s, const char *database)
{
    buf_append_text(&s->sql, "SELECT [name] FROM [sys].[databases] WHERE [name] = ");
    statement_add_name(s, database);
}

void statement_find_table(struct statement *s, const char *database, const char *table)
{
    buf_append_text(&s->sql, "SELECT TABLE_NAME FROM ");
    statement_append_object(&s->sql, database, "INFORMATION_SCHEMA", "TABLES");
    buf_append_text(&s->sql, " WHERE TABLE_SCHEMA = 'dbo' AND TABLE_NAME = ");
    statement_add_name(s, table);
}

void statement_list_databases(struct statement *s)
{
    buf_append_text(&s->sql, "SELECT [name] FROM [sys].[databases] ORDER BY [name]");
}

void statement_list_tables(struct statement *s, const char *database)
{
    buf_append_text(&s->sql, "SELECT TABLE_NAME FROM ");
    statement_append_object(&s->sql, database, "INFORMATION_SCHEMA", "TABLES");
    buf_append_text(&s->sql, " WHERE TABLE_SCHEMA = 'dbo' AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME");
}

void statement_list_columns(struct statement *s, const char *database, const char *table)
{
    buf_append_text(&s->sql, "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, "
                             "DATETIME_PRECISION, IS_NULLABLE, COLUMN_DEFAULT, COLLATION_NAME FROM ");
    statement_append_object(&s->sql, database, "INFORMATION_SCHEMA", "COLUMNS");
    buf_append_text(&s->sql, " WHERE TABLE_SCHEMA = 'dbo' AND TABLE_NAME = ");
    statement_add_name(s, table);
    buf_append_text(&s->sql, " ORDER BY ORDINAL_POSITION");
}

void statement_list_keys(struct statement *s, const char *database, const char *table)
{
    static const struct {
        const char *before, *view;
    } sources[] = {
        {"SELECT x.[index_id], c.[name] FROM ", "schemas"},
        {" AS s JOIN ", "tables"},
        {" AS t ON t.[schema_id] = s.[schema_id] JOIN ", "indexes"},
        {" AS x ON x.[object_id] = t.[object_id] JOIN ", "index_columns"},
        {" AS k ON k.[object_id] = x.[object_id] AND k.[index_id] = x.[index_id] JOIN ", "columns"},
    };
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        buf_append_text(&s->sql, sources[i].before);
        statement_append_object(&s->sql, database, "sys", sources[i].view);
    }
    buf_append_text(&s->sql, " AS c ON c.[object_id] = k.[object_id] AND c.[column_id] = k.[column_id] WHERE s.[name] = 'dbo' AND t.[name] = ");
    statement_add_name(s, table);
    buf_append_text(&s->sql, " AND x.[is_unique] = 1 AND x.[has_filter] = 0 AND x.[is_disabled] = 0 AND k.[is_included_column] = 0"
                             " ORDER BY x.[is_primary_key] DESC, x.[index_id], k.[key_ordinal]");
}

void statement_find_shard_column(struct statement *s, const char *database, const char *table)
{
    buf_append_text(&s->sql, "SELECT [shard_column] FROM ");
    statement_append_object(&s->sql, database, "dbo", STATEMENT_GW_TABLES);
    buf_append_text(&s->sql, " WHERE [table_name] = ");
    statement_add_name(s, table);
}

/* ---- A connection's own statements -------------------------------------------------------------------------------- */

void statement_session_options(struct statement *s, int lock_timeout_ms)
{
    /* what SQL Server's own drivers set; FreeTDS logs in with the options off */
    static const char *const options[] = {"ANSI_NULLS", "ANSI_NULL_DFLT_ON", "ANSI_PADDING", "ANSI_WARNINGS", "ARITHABORT",
                                          "CONCAT_NULL_YIELDS_NULL", "QUOTED_IDENTIFIER", "XACT_ABORT"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        buf_printf(&s->sql, "SET %s ON\n", options[i]);
    statement_lock_timeout(s, lock_timeout_ms);
}

void statement_lock_timeout(struct statement *s, int ms)
{
    buf_printf(&s->sql, "SET LOCK_TIMEOUT %d\n", ms);
}

void statement_ping(struct statement *s)
{
    buf_append_text(&s->sql, "SELECT 1");
}

void statement_begin(struct statement *s)
{
    buf_append_text(&s->sql, "BEGIN TRANSACTION");
}

void statement_commit(struct statement *s)
{
    buf_append_text(&s->sql, "COMMIT TRANSACTION");
}

void statement_rollback(struct statement *s)
{
    buf_append_text(&s->sql, "ROLLBACK TRANSACTION");
}
