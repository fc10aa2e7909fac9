/* Between typed values and SQLite's cells, and the one home of sqlite3.h: whoever needs SQLite includes this.
 *
 * The stored forms are those of value.h; a decimal is the 16 bytes of decimal_to_key, so that memcmp orders it.
 */
#ifndef SHARDGATE_TDS_CELL_H
#define SHARDGATE_TDS_CELL_H

#include "tds-server/values/value.h"

#include <sqlite3.h>

/* Reads a cell that holds the form of `type`. Bytes are borrowed until SQLite's next step or call on it. */
void cell_read(sqlite3_value *cell, const struct sqltype *type, struct value *out);
void cell_read_column(sqlite3_stmt *stmt, int column, const struct sqltype *type, struct value *out);

/* Binds a value; bytes must stay until the statement is reset. SQLite's result code. */
int cell_bind(sqlite3_stmt *stmt, int parameter, const struct value *v);

/* Sets a function's result; bytes are copied. */
void cell_result(sqlite3_context *ctx, const struct value *v);

#endif
