/* The system views: INFORMATION_SCHEMA and sys, as data: each column's name, type, and SQLite expression over the
 * catalogue's tables. In expressions and FROM, $ stands for the database ("d7."), # for its number, and @ for master's.
 */
#ifndef SHARDGATE_TDS_VIEWS_H
#define SHARDGATE_TDS_VIEWS_H

#include "tds-server/engine/cell.h"
#include "tds-server/language/tsql_tree.h"

#include <stddef.h>

struct view_column {
    const char *name;
    struct sqltype type;
    const char *sql;
};

struct view {
    const char *schema, *name;
    const char *from;
    const struct view_column *columns;
    size_t column_count;
    bool needs_master; /* refers to @ */
};

/* By name without regard to case; NULL: none. */
const struct view *views_find(struct tsql_text schema, struct tsql_text name);

/* The number of a type in sys.types; max_length and precision of a column of it in sys.columns. */
int views_type_id(enum sqltype_kind kind);
int views_column_bytes(const struct sqltype *t);
int views_column_precision(const struct sqltype *t);

/* Registers sg_type_info(what, kind, length, precision, scale), by which the views show types, and sg_row_count(database,
 * object). What they say of sessions comes from sessions.h. SQLite's result code. */
int views_register(sqlite3 *db);

#endif
