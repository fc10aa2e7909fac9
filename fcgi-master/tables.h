/* The cache of table descriptions, one for the process, safe from any thread.
 *
 * Needs no expiry: the master sends a description's tag along with each row request, and the worker refuses one that is out
 * of date (schema_changed). Bounded: a fixed number of slots; two tables that fall into the same slot displace each other.
 */
#ifndef SHARDGATE_TABLES_H
#define SHARDGATE_TABLES_H

#include "fcgi-master/table.h"

#define TABLES_SLOTS 1024

struct tables;

/* NULL when memory ran out. tables_free accepts NULL. */
struct tables *tables_new(void);
void tables_free(struct tables *ts);

/* The description kept for this database and table (spelled as the client did), or NULL. The caller owns a reference. */
struct table *tables_get(struct tables *ts, const char *db, const char *table);

/* Keeps a reference of its own to `t`. Out of memory: nothing is kept, which costs a /describe later and no more. */
void tables_put(struct tables *ts, const char *db, const char *table, struct table *t);

/* Forgets a table, or with `table` NULL a whole database, in every spelling of upper and lower case. */
void tables_forget(struct tables *ts, const char *db, const char *table);

#endif
