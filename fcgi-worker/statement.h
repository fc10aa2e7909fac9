/* A request becomes T-SQL and typed parameters: the one place that writes SQL.
 *
 * Knows nothing about ODBC or HTTP. No byte that a client sent reaches the SQL text: values are parameters ("?" in the
 * text, in the order of `params`), table and column names stand in the catalogue's own spelling, names of new objects
 * have passed sqltype_check_name(), and every name goes through one bracketing function.
 *
 *     condition, data, set, query + schema_table ──statement_*──> sql + params + (for a select) the columns of the result
 *
 * Each function appends to an empty statement that statement_init() made; after a failure the statement is only good for
 * statement_clear().
 */
#ifndef SHARDGATE_WORKER_STATEMENT_H
#define SHARDGATE_WORKER_STATEMENT_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "common/predicate.h"
#include "common/query.h"
#include "common/sqltype.h"
#include "fcgi-worker/schema.h"

#include <stdbool.h>
#include <stddef.h>

#define STATEMENT_MAX_SQL (4u << 20)     /* bytes of text */
#define STATEMENT_MAX_VALUES (64u << 20) /* bytes of all parameters' values */
#define STATEMENT_MAX_PARAMS 2000        /* SQL Server takes 2100, of which sp_executesql uses two */
#define STATEMENT_MAX_ROWS 4096          /* rows of values that one statement is executed with */
#define STATEMENT_MAX_COLUMNS 1024       /* of a new table: SQL Server's limit */

/* The type that a parameter has on the wire. */
enum statement_bind {
    STATEMENT_BIT,
    STATEMENT_TINYINT,
    STATEMENT_INT,
    STATEMENT_BIGINT,
    STATEMENT_DECIMAL,
    STATEMENT_FLOAT,
    STATEMENT_VARCHAR,       /* ASCII */
    STATEMENT_NVARCHAR,      /* at most 4,000 UTF-16 units */
    STATEMENT_NVARCHAR_MAX,
    STATEMENT_VARBINARY,     /* at most 8,000 bytes */
    STATEMENT_VARBINARY_MAX,
    STATEMENT_BINDS
};

struct statement_param {
    enum statement_bind bind;
    int precision, scale; /* of STATEMENT_DECIMAL */
    bool null;
    size_t offset, len;   /* of the value's text in `values`; a NUL follows it */
};

/* A column of a select's result. */
struct statement_column {
    const char *name; /* borrowed from the table or the query */
    bool known;       /* `type` is one of the contract's; others are read as text */
    struct sqltype type;
};

struct statement {
    struct buf sql;
    struct buf values;
    struct statement_param *params;
    size_t param_count;
    size_t param_capacity;
    size_t rows;      /* how many rows of values `params` has, one behind the other; 0 or 1: it is executed once */
    size_t first_row; /* of an insert: the index of its first row in the request */
    size_t values_at; /* of an insert: where in `sql` its VALUES stands */
    struct statement_column *columns; /* of a select's result; NULL otherwise */
    size_t column_count;
};

void statement_init(struct statement *s);
void statement_clear(struct statement *s); /* a zeroed struct is accepted */

/* A parameter's value: text as sqltype.h's sqlvalue has it, binaries as bytes. */
const char *statement_value(const struct statement *s, const struct statement_param *p);

/* A select with its query fields; resolves `q`, which must outlive the statement. ERR_UNKNOWN_COLUMN for a column that the
 * table does not have.
 *
 * Strings are sorted, and their least and greatest found, by a binary collation: that order is the same on every shard
 * and the one in which the master merges. Groups and DISTINCT follow the columns' own collations.
 *
 * With q->after_values only the rows behind those values in the order of order_by are selected; on shards behind
 * q->after_shard, and with q->after_again on that one, also the rows that have these very values: `shard` is this one. */
int statement_select(struct statement *s, const struct schema_table *t, struct query *q, int shard, struct err *e)
    __attribute__((warn_unused_result));

/* `where` is bound (predicate_bind) or NULL for none. */
int statement_count(struct statement *s, const struct schema_table *t, const struct predicate *where, struct err *e)
    __attribute__((warn_unused_result));
/* ERR_BAD_FIELD for an empty `set`, ERR_UNSAFE_STATEMENT when it sets the shard column. */
int statement_update(struct statement *s, const struct schema_table *t, const struct json_object *set,
                     const struct predicate *where, struct err *e) __attribute__((warn_unused_result));
int statement_delete(struct statement *s, const struct schema_table *t, const struct predicate *where, struct err *e)
    __attribute__((warn_unused_result));

/* The INSERTs of a request: one for each run of rows that name the same columns, executed with many rows of values. Every
 * value is checked as its row is added, so that nothing is sent when a row is bad.
 *
 *     statement_inserts_init  →  statement_inserts_add … statement_inserts_add  →  items  →  statement_inserts_clear
 */
struct statement_inserts {
    const struct schema_table *table; /* borrowed */
    struct statement *items;
    size_t count;
    size_t capacity;
    size_t rows;             /* of all items */
    size_t *columns;         /* those that the last item's rows name, in the table's order */
    size_t column_count;
    const struct json_field **values; /* of the row that is being added, one a column; NULL where it names none */
    const struct schema_column **named; /* by the members of the row before, in their order */
    struct sqlvalue value;   /* scratch */
};
int statement_inserts_init(struct statement_inserts *list, const struct schema_table *t, struct err *e)
    __attribute__((warn_unused_result));
void statement_inserts_clear(struct statement_inserts *list); /* a zeroed struct is accepted */
/* Adds a row. ERR_UNKNOWN_COLUMN, ERR_BAD_VALUE, and ERR_BAD_FIELD for two members that name one column. */
int statement_inserts_add(struct statement_inserts *list, const struct json_fields *row, struct err *e)
    __attribute__((warn_unused_result));

/* The rows of a request's `data`, an object or an array of objects, or of lines with an object each (common/lines.h). A bad row
 * is named: "data: …" for the object, else by its index: "data[3]: …". */
int statement_inserts_add_data(struct statement_inserts *list, const struct json_object *data, struct err *e)
    __attribute__((warn_unused_result));
int statement_inserts_add_lines(struct statement_inserts *list, const char *text, size_t len, struct err *e)
    __attribute__((warn_unused_result));

/* Appends the text of an insert for an execution with many rows of values. The driver sends those as calls behind one another,
 * and a server that has rolled the transaction back because of one goes on with the next, outside of it: this text inserts
 * nothing there. (An IF before the VALUES would do the same, but tds-server keeps compiled only what is one statement.) */
void statement_write_guarded(const struct statement *s, struct buf *out);

/* A new table, as /create-table describes it. */
struct statement_table_spec {
    const char *database;            /* physical */
    const char *table;
    const struct json_object *columns; /* name to type */
    const char *shard_column;        /* NULL when the request named none */
};
/* `shard` receives the name of the effective shard column in the spelling of `columns`, or stays empty. ERR_BAD_NAME,
 * ERR_BAD_TYPE, ERR_BAD_FIELD, ERR_UNKNOWN_COLUMN name the column. */
int statement_create_table(struct statement *s, const struct statement_table_spec *spec, struct buf *shard, struct err *e)
    __attribute__((warn_unused_result));
void statement_drop_table(struct statement *s, const char *database, const char *table);
void statement_create_database(struct statement *s, const char *database);
void statement_drop_database(struct statement *s, const char *database);

/* The table gw_tables, where the worker keeps what SQL Server does not know: a table's named shard column. */
#define STATEMENT_GW_TABLES "gw_tables"
void statement_gw_create(struct statement *s, const char *database);
void statement_gw_insert(struct statement *s, const char *database, const char *table, const char *shard_column);
void statement_gw_delete(struct statement *s, const char *database, const char *table);

/* The table gw_requests: which writes with an Idempotency-Key this database has, each noted in the write's own transaction.
 * A row without rows_affected is a fence: no write that does not know its number can note this key any more. */
#define STATEMENT_LEDGER "gw_requests"
#define STATEMENT_HASH_BYTES 32
#define STATEMENT_KEY_HOURS 24   /* how long a key is kept, at least */
#define STATEMENT_PURGE_ROWS 1000 /* keys that one step of the purge takes away: more than are noted between two steps */
struct statement_note {
    const char *key;
    const unsigned char *hash; /* STATEMENT_HASH_BYTES of them */
    int64_t fence;             /* the fence that is there, 0 for none */
};
void statement_ledger_create(struct statement *s, const char *database);
void statement_ledger_index(struct statement *s, const char *database);
/* `write` as a transaction of its own that notes its key; its result is a row with the number of rows changed. Fails with 2627
 * (and changes nothing) when the key is there. */
void statement_ledger_write(struct statement *s, const struct statement *write, const char *database, const struct statement_note *n);
/* The end of a transaction that has changed `rows` rows: notes its key and commits. */
void statement_ledger_commit(struct statement *s, const char *database, const struct statement_note *n, int64_t rows);
void statement_ledger_find(struct statement *s, const char *database, const char *key); /* request_hash, rows_affected, fence, its age in ms */
/* Makes a fence's number larger; changes no row where there is none. */
void statement_ledger_raise(struct statement *s, const char *database, const char *key);
/* Makes the first fence; 2627 when the key is there. */
void statement_ledger_fence(struct statement *s, const char *database, const struct statement_note *n);
void statement_ledger_purge(struct statement *s, const char *database);

/* The catalogue's questions and the columns of their answers. */
void statement_find_database(struct statement *s, const char *database);              /* name */
void statement_find_table(struct statement *s, const char *database, const char *table); /* name */
void statement_list_databases(struct statement *s);                     /* name: all of the server's, in order */
void statement_list_tables(struct statement *s, const char *database);  /* name, in order */
/* table, column, type, length, precision, scale, datetime precision, nullable, default, collation */
void statement_list_columns(struct statement *s, const char *database, const char *table);
/* index id (never 0), column: of the unique indexes, the primary key first, each one's columns in their order */
void statement_list_keys(struct statement *s, const char *database, const char *table);
void statement_find_shard_column(struct statement *s, const char *database, const char *table); /* shard_column */

/* Appends the text with its placeholders numbered: @p1, @p2 … */
void statement_write_template(const struct statement *s, struct buf *out);

/* A connection's own statements. */
void statement_session_options(struct statement *s, int lock_timeout_ms);
void statement_lock_timeout(struct statement *s, int ms);
void statement_ping(struct statement *s);
void statement_begin(struct statement *s);
void statement_commit(struct statement *s);
void statement_rollback(struct statement *s);

/* 0, or ERR_INTERNAL when the text or a value did not fit or memory ran out; for the functions that return nothing. */
int statement_status(const struct statement *s, struct err *e) __attribute__((warn_unused_result));

#endif
