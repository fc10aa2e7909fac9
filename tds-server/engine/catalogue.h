/* What a database's file says about its tables: our own catalogue tables beside the data, with T-SQL's types, and their
 * image in memory.
 *
 * No name of a client ever becomes a name in SQLite: table 1001 is `t1001`, its columns are `c1`, `c2` …, its indexes
 * `i1001_2`. So names follow T-SQL's rules (case, Unicode, any character in brackets), renaming touches no data, and no SQL
 * text can be made from a name.
 *
 *     sg_schema  sg_object 1:n sg_column, sg_index 1:n sg_index_column, sg_foreign_key 1:n sg_foreign_key_column
 *
 * Knows nothing about sessions. A struct catalogue is never changed once it is loaded; it belongs to one session.
 */
#ifndef SHARDGATE_TDS_CATALOGUE_H
#define SHARDGATE_TDS_CATALOGUE_H

#include "common/arena.h"
#include "tds-server/engine/cell.h"
#include "tds-server/values/fault.h"
#include "tds-server/language/tsql_tree.h"
#include "tds-server/values/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CATALOGUE_FIRST_OBJECT 1001
#define CATALOGUE_MAX_COLUMNS 1024
#define CATALOGUE_MAX_KEY 32 /* columns of an index */
#define CATALOGUE_MAX_MEMORY ((size_t)64 << 20)
#define CATALOGUE_DBO 1 /* the schema's number */

struct cat_column {
    int id; /* the column is c<id> in SQLite; ids grow, and are not used again */
    struct tsql_text name;
    struct sqltype type;
    enum collation collation;
    struct tsql_text collation_name; /* empty but for strings */
    bool nullable;
    bool identity;
    int64_t identity_seed, identity_increment;
    struct tsql_text default_sql; /* T-SQL; empty without */
};

enum cat_index_kind { CAT_PRIMARY_KEY, CAT_UNIQUE_CONSTRAINT, CAT_INDEX };

struct cat_index {
    struct cat_index *next;
    int id; /* i<table>_<id> in SQLite */
    struct tsql_text name;
    enum cat_index_kind kind;
    bool unique;
    bool is_rowid; /* the primary key is SQLite's row number itself */
    size_t count;
    int columns[CATALOGUE_MAX_KEY]; /* column ids */
    bool descending[CATALOGUE_MAX_KEY];
};

struct cat_check {
    struct cat_check *next;
    int id;
    struct tsql_text name;
    struct tsql_text sql; /* T-SQL; empty for a default */
    int column;           /* the column's id, 0 for a table's check */
    bool is_default;
};

struct cat_foreign_key {
    struct cat_foreign_key *next;
    int id;
    struct tsql_text name;
    int table, other; /* object ids */
    enum tsql_action on_delete, on_update;
    size_t count;
    int columns[CATALOGUE_MAX_KEY], other_columns[CATALOGUE_MAX_KEY];
};

struct cat_table {
    struct cat_table *next;
    int id;
    int schema;
    struct tsql_text name;
    struct cat_column *columns; /* in their order */
    size_t column_count;
    struct cat_index *indexes;  /* the primary key first */
    struct cat_check *checks;   /* checks and named defaults */
    struct cat_foreign_key *foreign_keys; /* of this table */
};

struct cat_schema {
    struct cat_schema *next;
    int id;
    struct tsql_text name;
};

struct catalogue {
    struct arena arena;
    struct cat_schema *schemas;
    struct cat_table *tables;
    unsigned references;
};

/* Makes the catalogue's tables in the database `main` of the connection, and the schema dbo. SQLite's result code. */
int catalogue_initialise(sqlite3 *db);
/* The same in an attached database. */
int catalogue_initialise_in(sqlite3 *db, const char *schema);

/* Reads the catalogue of the attached database d<id>. The caller releases it. SQLite's result code. */
int catalogue_load(sqlite3 *db, int id, struct catalogue **out) __attribute__((warn_unused_result));
void catalogue_hold(struct catalogue *c);
void catalogue_release(struct catalogue *c); /* NULL is fine */

/* By name, without regard to case; NULL: none. */
struct cat_schema *catalogue_schema(const struct catalogue *c, const char *name, size_t len);
struct cat_table *catalogue_table(const struct catalogue *c, int schema, const char *name, size_t len);
struct cat_table *catalogue_table_by_id(const struct catalogue *c, int id);
const struct cat_column *catalogue_column(const struct cat_table *t, const char *name, size_t len);
const struct cat_column *catalogue_column_by_id(const struct cat_table *t, int id);
const struct cat_schema *catalogue_schema_by_id(const struct catalogue *c, int id);
/* Is there any object (table, constraint) of this name in the schema? */
bool catalogue_has_object(const struct catalogue *c, int schema, const char *name, size_t len);

#endif
