/* What the files of the connection's functions share. Private to functions.c and aggregates.c. */
#ifndef SHARDGATE_TDS_FUNCTIONS_PRIVATE_H
#define SHARDGATE_TDS_FUNCTIONS_PRIVATE_H

#include "tds-server/engine/functions.h"
#include "tds-server/values/decimal.h"

/* Ends the SQLite statement; the fault is set already. */
void functions_fail(sqlite3_context *ctx);

/* An argument and, behind it, its packed type. Bytes are borrowed. */
struct value functions_read(sqlite3_value *cell, sqlite3_value *packed_type);

/* A number that is no float, as a decimal. */
struct decimal functions_decimal(const struct value *v);

/* Whether an integer type or MONEY (in its ten-thousandths) holds the number. */
bool functions_in_range(const struct sqltype *t, int128 v);

/* Registers the aggregates; as functions_register. */
int aggregates_register(sqlite3 *db, struct functions *f);

#endif
