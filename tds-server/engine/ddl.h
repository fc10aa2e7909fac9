/* Inside of CREATE, ALTER and DROP: a change of the schema of one database, for the files ddl….c. */
#ifndef SHARDGATE_TDS_DDL_H
#define SHARDGATE_TDS_DDL_H

#include "tds-server/engine/exec.h"

#define DDL_MAX_SQL ((size_t)1 << 20)

/* A change of the schema of one database. */
struct ddl {
    struct engine_session *s;
    struct attachment *a;
    int schema; /* of the object */
};

struct new_column {
    int id; /* c<id> */
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

/* What CREATE TABLE is going to make, or what a table will be after ALTER TABLE … ADD. */
struct new_table {
    const struct cat_table *old;         /* of ALTER; NULL else */
    struct tsql_column_def *old_columns; /* its columns, as definitions: the first of `columns` */
    size_t old_count;
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

/* Plans a table from its definition, and `old` (NULL: none) before it; checks all that needs no data. ddl_forget_plan frees it,
 * also after a failure. */
int ddl_plan_table(struct ddl *d, struct tsql_text name, const struct cat_table *old, const struct tsql_column_def *columns,
                   const struct tsql_constraint *constraints, struct new_table *t) __attribute__((warn_unused_result));
void ddl_forget_plan(struct new_table *t);
/* Records what is new: columns, indexes (made in SQLite, too), checks, foreign keys. */
int ddl_record_table(struct ddl *d, const struct new_table *t, int64_t id, const struct tsql_constraint *constraints)
    __attribute__((warn_unused_result));
/* Appends "c3 COLLATE SG_CI". */
void ddl_write_column(const struct new_column *c, struct buf *sql);
struct cat_table *ddl_find_table(struct ddl *d, struct tsql_text name);
bool ddl_can_be_key(const struct sqltype *t);

/* ddl_index.c: makes an index in SQLite; SQLITE_CONSTRAINT_UNIQUE when rows are equal already. */
int ddl_make_index(struct ddl *d, int64_t table, int64_t index, bool unique, size_t count, const int *columns, const bool *descending,
                   const bool *nullable) __attribute__((warn_unused_result));
int ddl_record_index(struct ddl *d, int64_t table, int64_t index, struct tsql_text name, enum cat_index_kind kind, bool unique, bool rowid,
                     bool clustered, size_t count, const int *columns, const bool *descending) __attribute__((warn_unused_result));
/* 1505, with the first key that is there twice. Returns -1. */
int ddl_duplicate_fault(struct ddl *d, const struct cat_table *t, struct tsql_text index, size_t count, const int *columns);
/* Drops an index from SQLite and the catalogue. */
int ddl_remove_index(struct ddl *d, const struct cat_table *t, const struct cat_index *x) __attribute__((warn_unused_result));
/* The foreign key that rests on this unique index; NULL: none. */
const struct cat_foreign_key *ddl_find_resting(const struct ddl *d, const struct cat_table *t, const struct cat_index *x);

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
