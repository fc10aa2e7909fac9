#include "fcgi-worker/statement_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void append_ledger(struct statement *s, const char *database)
{
    statement_append_object(&s->sql, database, "dbo", STATEMENT_LEDGER);
}

static void add_key(struct statement *s, const char *key)
{
    struct statement_param *p = statement_new_param(s, STATEMENT_VARCHAR);
    buf_append_char(&s->sql, '?');
    if (p != NULL)
        statement_set_value(s, p, key, strlen(key));
}

static void add_hash(struct statement *s, const unsigned char *hash)
{
    struct statement_param *p = statement_new_param(s, STATEMENT_VARBINARY);
    buf_append_char(&s->sql, '?');
    if (p != NULL)
        statement_set_value(s, p, (const char *)hash, STATEMENT_HASH_BYTES);
}

static void add_number(struct statement *s, int64_t number)
{
    char text[24];
    struct statement_param *p = statement_new_param(s, STATEMENT_BIGINT);
    buf_append_char(&s->sql, '?');
    if (p != NULL)
        statement_set_value(s, p, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, number));
}

void statement_ledger_create(struct statement *s, const char *database)
{
    buf_append_text(&s->sql, "CREATE TABLE ");
    append_ledger(s, database);
    buf_append_text(&s->sql, " ([request_key] VARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY, "
                             "[request_hash] VARBINARY(32) NOT NULL, [rows_affected] BIGINT NULL, [fence] BIGINT NOT NULL, "
                             "[made] DATETIME2(3) NOT NULL)");
}

void statement_ledger_index(struct statement *s, const char *database)
{
    buf_append_text(&s->sql, "CREATE INDEX [gw_requests_made] ON ");
    append_ledger(s, database);
    buf_append_text(&s->sql, " ([made])");
}

/* Appends the note, whose result is one row with the number of rows changed. `rows` is that number, or -1 for what @@ROWCOUNT says.
 *
 * A fence is taken away only by whoever names its number; else the second statement fails on the key that is there. */
static void append_note(struct statement *s, const char *database, const struct statement_note *n, int64_t rows)
{
    if (n->fence > 0) {
        buf_append_text(&s->sql, "UPDATE ");
        append_ledger(s, database);
        buf_append_text(&s->sql, " SET [rows_affected] = ");
        if (rows < 0)
            buf_append_text(&s->sql, "@@ROWCOUNT");
        else
            add_number(s, rows);
        buf_append_text(&s->sql, ", [request_hash] = ");
        add_hash(s, n->hash);
        buf_append_text(&s->sql, ", [made] = SYSUTCDATETIME() OUTPUT INSERTED.[rows_affected] WHERE [request_key] = ");
        add_key(s, n->key);
        buf_append_text(&s->sql, " AND [rows_affected] IS NULL AND [fence] = ");
        add_number(s, n->fence);
        buf_append_text(&s->sql, "; ");
    }
    buf_append_text(&s->sql, "INSERT INTO ");
    append_ledger(s, database);
    buf_append_text(&s->sql, " ([request_key], [request_hash], [rows_affected], [fence], [made])");
    buf_append_text(&s->sql, n->fence > 0 ? " SELECT " : " OUTPUT INSERTED.[rows_affected] SELECT ");
    add_key(s, n->key);
    buf_append_text(&s->sql, ", ");
    add_hash(s, n->hash);
    buf_append_text(&s->sql, ", ");
    if (n->fence > 0)
        buf_append_char(&s->sql, '0');
    else if (rows < 0)
        buf_append_text(&s->sql, "@@ROWCOUNT");
    else
        add_number(s, rows);
    buf_append_text(&s->sql, ", 0, SYSUTCDATETIME()");
    if (n->fence > 0)
        buf_append_text(&s->sql, " WHERE @@ROWCOUNT = 0");
}

void statement_ledger_write(struct statement *s, const struct statement *write, const char *database, const struct statement_note *n)
{
    buf_append_text(&s->sql, "BEGIN TRANSACTION; ");
    buf_append(&s->sql, write->sql.data, write->sql.len);
    for (size_t i = 0; i < write->param_count; i++) {
        const struct statement_param *from = &write->params[i];
        struct statement_param *p = statement_new_param(s, from->bind);
        if (p == NULL)
            return;
        p->precision = from->precision;
        p->scale = from->scale;
        if (!from->null)
            statement_set_value(s, p, statement_value(write, from), from->len);
    }
    buf_append_text(&s->sql, "; ");
    append_note(s, database, n, -1);
    buf_append_text(&s->sql, "; COMMIT TRANSACTION");
}

void statement_ledger_commit(struct statement *s, const char *database, const struct statement_note *n, int64_t rows)
{
    append_note(s, database, n, rows);
    buf_append_text(&s->sql, "; COMMIT TRANSACTION");
}

void statement_ledger_find(struct statement *s, const char *database, const char *key)
{
    buf_append_text(&s->sql, "SELECT [request_hash], [rows_affected], [fence], DATEDIFF_BIG(millisecond, [made], SYSUTCDATETIME()) FROM ");
    append_ledger(s, database);
    buf_append_text(&s->sql, " WHERE [request_key] = ");
    add_key(s, key);
}

void statement_ledger_raise(struct statement *s, const char *database, const char *key)
{
    buf_append_text(&s->sql, "UPDATE ");
    append_ledger(s, database);
    buf_append_text(&s->sql, " SET [fence] = [fence] + 1, [made] = SYSUTCDATETIME() WHERE [rows_affected] IS NULL AND [request_key] = ");
    add_key(s, key);
}

void statement_ledger_fence(struct statement *s, const char *database, const struct statement_note *n)
{
    buf_append_text(&s->sql, "INSERT INTO ");
    append_ledger(s, database);
    buf_append_text(&s->sql, " ([request_key], [request_hash], [rows_affected], [fence], [made]) VALUES (");
    add_key(s, n->key);
    buf_append_text(&s->sql, ", ");
    add_hash(s, n->hash);
    buf_append_text(&s->sql, ", NULL, 1, SYSUTCDATETIME())");
}

void statement_ledger_purge(struct statement *s, const char *database)
{
    buf_printf(&s->sql, "DELETE TOP (%d) FROM ", STATEMENT_PURGE_ROWS);
    append_ledger(s, database);
    buf_printf(&s->sql, " WHERE [made] < DATEADD(hour, -%d, SYSUTCDATETIME())", STATEMENT_KEY_HOURS);
}
