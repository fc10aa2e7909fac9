/* The catalogue as the worker sees it: a table's columns, its key, its shard column and the tag of all that, cached for the process.
 *
 * Knows nothing about HTTP. A table lives in the cache for SCHEMA_TTL_MS; then one thread asks the database again while
 * the others go on with what they have. Own changes and errors such as 208 invalidate at once.
 *
 *     schema_get ──fresh──> table                        (a lock, no round trip)
 *                └─old or absent──> one thread loads ──> table, or no_such_database / no_such_table
 */
#ifndef SHARDGATE_WORKER_SCHEMA_H
#define SHARDGATE_WORKER_SCHEMA_H

#include "common/buf.h"
#include "common/err.h"
#include "common/sqltype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEMA_TTL_MS 1000
#define SCHEMA_MAX_TABLES 1024 /* entries of the cache; when there are more, the unused ones are dropped */
#define SCHEMA_MAX_KEY 32      /* columns of an index, as in SQL Server */
#define SCHEMA_TAG_LEN 16      /* hexadecimal digits */

struct schema_column {
    char *name;          /* the catalogue's spelling */
    bool known;          /* `type` is one of the contract's; others are read and written as text */
    struct sqltype type;
    bool nullable;
    bool has_default;
    bool binary;         /* a string column with a binary collation */
    bool ignores_case;   /* a string column whose collation does */
};

/* Immutable once schema_get() returned it, but for its count of users, which schema.c keeps. */
struct schema_table {
    char *database; /* physical */
    char *name;     /* the catalogue's spelling */
    struct schema_column *columns;
    size_t column_count;
    const struct schema_column *shard_column; /* one of `columns`, or NULL */
    size_t key[SCHEMA_MAX_KEY]; /* columns whose values together name one row, none of them NULL */
    size_t key_count;           /* 0: the table has no such columns */
    char tag[SCHEMA_TAG_LEN + 1];
    int users;
};

struct schema_cache;
struct db;

struct schema_cache *schema_cache_new(void); /* NULL when memory ran out */
void schema_cache_free(struct schema_cache *cache); /* NULL is fine; no table may be in use */

/* The table, by the database's own matching of names. ERR_NO_SUCH_DATABASE, ERR_NO_SUCH_TABLE or the database's error.
 * The caller gives *out back with schema_release(). */
int schema_get(struct schema_cache *cache, struct db *db, const char *database, const char *table, int64_t deadline_us,
               const struct schema_table **out, struct err *e) __attribute__((warn_unused_result));
void schema_release(struct schema_cache *cache, const struct schema_table *t); /* NULL is fine */

/* Forgets a table, or with `table` NULL all of a database; what a thread is loading at the time is not kept either. */
void schema_invalidate(struct schema_cache *cache, const char *database, const char *table);

/* Does the database, or a table in it, exist? 1, 0, or -1 with the error. */
int schema_find_database(struct db *db, const char *database, int64_t deadline_us, struct err *e) __attribute__((warn_unused_result));
int schema_find_table(struct db *db, const char *database, const char *table, int64_t deadline_us, struct err *e)
    __attribute__((warn_unused_result));

/* The column of this name: spelled so, else without regard to the case of ASCII letters; NULL when there is none. */
const struct schema_column *schema_column_find(const struct schema_table *t, const char *name, size_t len);

/* Sets t->shard_column from the name that /create-table recorded (NULL for none; one that the table does not have
 * counts as none) or the rule student_id, user_id; then the tag. */
void schema_table_seal(struct schema_table *t, const char *recorded);

/* Appends what /describe says of the table, from "tag" to the end of "columns", without braces. */
void schema_write(const struct schema_table *t, struct buf *out);

/* Frees a table that no cache holds; NULL is fine. */
void schema_table_free(struct schema_table *t);

#endif
