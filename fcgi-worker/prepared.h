/* The statements that one connection keeps prepared, so that a request whose statement differs from an earlier one's in nothing but
 * values sends a number and the values (sp_execute), and neither driver nor server read its text again; like db.h a home of sql.h.
 *
 * Knows nothing about what failed executions mean: that is db.c's, for which a handle is one statement handle like another.
 *
 *     a shape, which is a text and its parameters' types
 *        seen ──> executed directly, and noted
 *        seen again ──> a handle, its parameters bound to places of its own; its first execution prepares it (sp_prepexec)
 *                          └──answered to its end──> ready: later ones go by its number
 *
 * A shape has no handle where its text or a value is too long for the limits below, or while the connection has PREPARED_MAX of
 * them, each used by one of its last PREPARED_RECENT statements: shapes in turns would drive each other out, and each
 * change costs a round trip.
 */
#ifndef SHARDGATE_WORKER_PREPARED_H
#define SHARDGATE_WORKER_PREPARED_H

#include "fcgi-worker/statement.h"

#include <stdbool.h>

#define PREPARED_MAX 16       /* handles of a connection */
#define PREPARED_RECENT 128   /* statements; a handle that none of them used may be given up for another shape */
#define PREPARED_NOTED 64     /* shapes without a handle that are remembered */
#define PREPARED_MAX_SQL 4096 /* bytes of a text */
#define PREPARED_MAX_PARAMS 32
#define PREPARED_MAX_VALUE 256 /* bytes of a value */
#define PREPARED_FREE_TIMEOUT_S 1 /* for the server to forget a handle; after twice that its connection is given up */

struct prepared_cache;
struct prepared; /* a handle; it lives until prepared_end(), prepared_find() or prepared_clear() frees it */

struct prepared_cache *prepared_new(void); /* NULL when memory ran out */
void prepared_free(struct prepared_cache *c); /* NULL is fine */

/* Frees all handles. Due before their connection is closed. */
void prepared_clear(struct prepared_cache *c);

/* The handle for a statement of the connection `dbc` (an SQLHDBC), with the statement's values in its places, ready for
 * SQLExecute; NULL where the statement is to be executed directly. */
struct prepared *prepared_find(struct prepared_cache *c, void *dbc, const struct statement *s);
void *prepared_handle(const struct prepared *p); /* its SQLHSTMT */

/* Says how an execution ended, its handle closed: `whole` when the server answered it to its end and without an error. A handle
 * whose first execution did not end so is freed, for the server may not have told its number. */
void prepared_end(struct prepared_cache *c, struct prepared *p, bool whole);

#endif
