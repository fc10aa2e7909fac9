/* Bulk load (MS-TDS 2.2.6.1): turns INSERT BULK into an INSERT with parameters, and decodes the rows that the client then
 * sends in a message of their own. Knows neither the session nor the engine that runs the INSERT.
 *
 *     batch   "INSERT BULK t ([a] int, [b] nvarchar(5)) WITH (TABLOCK)" ──bulk_read_statement──> "INSERT INTO t ([a], [b]) VALUES (@c1, @c2)"
 *     message COLMETADATA ROW ROW … DONE                                ──bulk_read_columns, bulk_read_row──> values
 */
#ifndef SHARDGATE_TDS_BULK_H
#define SHARDGATE_TDS_BULK_H

#include "common/buf.h"
#include "common/arena.h"
#include "tds-server/wire/reader.h"
#include "tds-server/language/tsql_parse.h"
#include "tds-server/values/value.h"
#include "tds-server/wire/wiretype.h"

#include <stdbool.h>
#include <stddef.h>

#define BULK_MAX_COLUMNS 1024 /* as many as a table has in SQL Server */

/* What INSERT BULK asks for. The texts are the arena's. */
struct bulk_statement {
    const char *insert;       /* "INSERT INTO t ([a]) VALUES (@c1)" */
    size_t insert_len;
    const char *declarations; /* "@c1 int" */
    size_t declarations_len;
    size_t columns;
};

/* Whether a batch begins with INSERT BULK. */
bool bulk_is_statement(const char *sql, size_t len);

/* Reads the statement; its hints are checked for form and change nothing. 0, or -1 with the error. */
int bulk_read_statement(const char *sql, size_t len, struct arena *a, struct bulk_statement *out, struct tsql_error *e)
    __attribute__((warn_unused_result));

/* Reads COLMETADATA into the `count` places of `types`. 0, or -1 with the reason: malformed, or another number of columns. */
int bulk_read_columns(const struct dialect *d, struct reader *r, struct wiretype *types, size_t count, struct buf *error)
    __attribute__((warn_unused_result));

/* Reads the next row. 1 with the values, whose bytes live in `a` or in the message; 0 at the end; -1 with the reason. */
int bulk_read_row(struct reader *r, const struct wiretype *types, size_t count, struct arena *a, struct value *values, struct buf *error)
    __attribute__((warn_unused_result));

#endif
