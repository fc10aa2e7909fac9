/* Inside of CREATE, ALTER and DROP: a change of the schema of one database, for ddl.c and ddl_foreign.c. */
#ifndef SHARDGATE_TDS_DDL_H
#define SHARDGATE_TDS_DDL_H

#include "tds-server/exec.h"

#define DDL_MAX_SQL ((size_t)1 << 20)

/* A change of the schema of one database. */
struct ddl {
    struct engine_session *s;
    struct attachment *a;
    int schema; /* of the object */
};

struct new_column {
    const struct tsql_column_def *def;
    enum collation collation;
    struct tsql_text collation_name;
    bool nullable;
    struct tsql_text default_sql;
    struct buf default_text;
};

struct new_index {
    struct tsql_text name;
    enum cat_index_kind kind;
    bool unique, clustered;
    size_t count;
    size_t columns[CATALOGUE_MAX_KEY]; /* places in the table */
    bool descending[CATALOGUE_MAX_KEY];
};

struct new_foreign_key {
    const struct tsql_constraint *tree;
    const struct cat_table *other; /* NULL: the new table itself */
    size_t count;
    int columns[CATALOGUE_MAX_KEY], other_columns[CATALOGUE_MAX_KEY]; /* ids */
};

/* What CREATE TABLE is going to make. */
struct new_table {
    struct tsql_text name;
    struct new_column *columns;
    size_t column_count;
    struct new_index *indexes;
    size_t index_count;
    int primary; /* place in `indexes`, -1: none */
    struct new_foreign_key *foreign_keys;
    size_t foreign_key_count;
};

/* Opens the change: takes the writer's lock and a savepoint. -1: nothing is open. ddl_close ends it, and keeps it when
 * `result` is 0; it returns what the statement is to return. */
int ddl_open(struct ddl *d, struct engine_session *s, const struct tsql_name *name) __attribute__((warn_unused_result));
int ddl_close(struct ddl *d, int result) __attribute__((warn_unused_result));

/* Runs a statement of ours on the database: $ in it is its name. `types` tells the parameters: i int64_t, t struct tsql_text
 * (empty: NULL). 0, -1 with the session's fault, or SQLITE_CONSTRAINT_UNIQUE without one. */
int ddl_run(struct ddl *d, const char *text, const char *types, ...) __attribute__((warn_unused_result));

/* Adds a constraint's object; one without a name gets one made of its number. `made` holds the bytes of *out then. */
int ddl_add_constraint(struct ddl *d, struct tsql_text name, const char *prefix, struct tsql_text table, struct tsql_text column,
                       int64_t parent, const char *type, struct tsql_text definition, int64_t column_id, int64_t *id, char made[160],
                       struct tsql_text *out) __attribute__((warn_unused_result));

/* The place of a column of the new table; -1: none. */
int ddl_find_column(const struct new_table *t, struct tsql_text name);

/* ddl_foreign.c: resolves a FOREIGN KEY of a new table (`place`: the column that it stands behind), writes it in SQLite's
 * words, and records it. */
int ddl_plan_foreign_key(struct ddl *d, struct new_table *t, const struct tsql_constraint *k, size_t place) __attribute__((warn_unused_result));
void ddl_write_foreign_keys(const struct new_table *t, int64_t id, struct buf *sql);
int ddl_record_foreign_keys(struct ddl *d, const struct new_table *t, int64_t id) __attribute__((warn_unused_result));
/* The foreign key of another table that refers to this one; NULL: none. */
const struct cat_foreign_key *ddl_find_reference(const struct ddl *d, const struct cat_table *t);

#endif
