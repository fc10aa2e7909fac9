/* What T-SQL can ask about the session, the server and the catalogue: @@ROWCOUNT, DB_ID(name), OBJECT_ID(name),
 * SERVERPROPERTY … With arguments that are known before a statement runs they are computed then, once, and reach SQLite as
 * parameters; with columns SQLite asks for each row, by sg_ask.
 */
#ifndef SHARDGATE_TDS_GLOBALS_H
#define SHARDGATE_TDS_GLOBALS_H

#include "tds-server/engine/runtime.h"

#include <stdbool.h>
#include <stddef.h>

#define GLOBALS_MAX_ARGS 5

struct session_function {
    const char *name; /* in lower case; "@@spid" for globals */
    size_t min_args;
    const char *args; /* the most that it takes, a letter each: t text, i int, b binary */
    struct sqltype type;
    /* `args` are of those types. out->type is set, out->null false. Bytes: borrowed from the session, or made in `scratch` (empty at first). */
    int (*call)(struct engine_session *s, const struct value *args, size_t count, struct buf *scratch, struct value *out);
};

/* By name without regard to case; NULL: none. */
const struct session_function *globals_find(const char *name, size_t len);
/* Of those, what asks the catalogue (globals_catalogue.c). */
const struct session_function *globals_find_in_catalogue(const char *name, size_t len);

/* Calls it with arguments of any type. Bytes of *out are as `call` has them. -1: the session's fault. */
int globals_call(const struct session_function *f, struct engine_session *s, const struct value *given, size_t count, struct buf *scratch,
                 struct value *out) __attribute__((warn_unused_result));
/* Makes *out this text, or NULL; borrowed. */
void globals_set_text(struct value *out, const char *text);

/* Registers sg_ask(name, value, type, value, type …), which calls the function of this name. SQLite's result code. */
int globals_register(sqlite3 *db, struct engine_session *s);

#endif
