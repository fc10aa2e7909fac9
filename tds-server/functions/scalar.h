/* The scalar functions of T-SQL (LEN, UPPER, DATEADD …): one const table, each row with its arguments' count, the rule of
 * its type and its computation on values. Knows no tree, no SQLite, no session; what needs them (ISNULL, COALESCE, CAST,
 * OBJECT_ID, @@ROWCOUNT) is the binder's own.
 *
 *     binder ── scalar_find, type() ──> emits fn_len(…) ── SQLite calls back ──> call()
 */
#ifndef SHARDGATE_TDS_SCALAR_H
#define SHARDGATE_TDS_SCALAR_H

#include "common/buf.h"
#include "tds-server/values/fault.h"
#include "tds-server/language/tsql_tree.h"
#include "tds-server/values/value.h"

#include <stdbool.h>
#include <stddef.h>

#define SCALAR_MAX_ARGS 32

/* One call at run time. */
struct scalar_call {
    const struct sqltype *result; /* what type() said */
    enum collation collation;     /* of the first string argument */
    const struct value *now;      /* DATETIMEOFFSET: the statement's time, local to the server */
    struct buf *scratch;          /* empty; the result's bytes may be made here */
    struct fault *fault;
};

struct scalar_function {
    const char *name; /* in lower case */
    int min_args, max_args;
    bool strict;  /* NULL for any argument gives NULL without a call */
    bool varying; /* may differ from call to call with equal arguments: NEWID, RAND */
    /* Sets the result's type from the arguments' types. args[i] may be changed: the binder then converts the argument to
     * that type first (a NULL literal comes as INT). A TSQL_DATEPART argument comes as an INT whose value is the enum;
     * `part` tells it already here (-1 when the first argument is none). -1 with `f` for wrong types (8116 …). */
    int (*type)(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f);
    /* Computes. out->type is *c->result already, out->null false; out->bytes may point into args or c->scratch. */
    int (*call)(struct scalar_call *c, const struct value *args, size_t count, struct value *out);
};

/* The function of this name, without regard to case; NULL when there is none. */
const struct scalar_function *scalar_find(const char *name, size_t len);

/* All of them, to be registered with SQLite. */
const struct scalar_function *scalar_all(size_t *count);

#endif
