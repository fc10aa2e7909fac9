/* What T-SQL can ask about the session and the server: @@ROWCOUNT, DB_ID(name), OBJECT_ID(name), SERVERPROPERTY … They are
 * computed once, before a statement runs, and reach SQLite as parameters.
 */
#ifndef SHARDGATE_TDS_GLOBALS_H
#define SHARDGATE_TDS_GLOBALS_H

#include "tds-server/engine/runtime.h"

#include <stdbool.h>
#include <stddef.h>

#define GLOBALS_MAX_ARGS 4

struct session_function {
    const char *name; /* in lower case; "@@spid" for globals */
    int min_args, max_args;
    struct sqltype type;
    /* out->type is set, out->null false. Bytes: borrowed from the session, or made in `scratch` (empty at first). */
    int (*call)(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out);
};

/* By name without regard to case; NULL: none. */
const struct session_function *globals_find(const char *name, size_t len);

#endif
