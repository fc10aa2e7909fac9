/* How a statement's parameters are given to the ODBC driver; like db.h a home of sql.h.
 *
 * Knows nothing about connections. What a parameter is bound to, its value's place, must stay where it is until the
 * statement has been executed: the driver reads it then.
 */
#ifndef SHARDGATE_WORKER_PARAM_H
#define SHARDGATE_WORKER_PARAM_H

#include "fcgi-worker/statement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number's place, and what is told of any value. */
struct param_slot {
    union {
        int64_t integer;
        double real;
    } number;
    long indicator; /* an SQLLEN */
};

/* Does the driver take this kind as text or bytes? Otherwise as a number, which a slot has place for. */
bool param_is_text(enum statement_bind bind);

/* Fills a slot with a parameter's value: its number, if it is one, and its indicator. */
void param_set(struct param_slot *slot, const struct statement *s, const struct statement_param *p);

/* A number's bytes into 8 bytes at `place`. */
void param_write_number(void *place, enum statement_bind bind, const char *text);

/* Binds the parameter `number`, counted from 1, of `stmt` (an SQLHSTMT) to a place of `size` bytes and its indicator; with arrays
 * to the first of several. `precision` and `scale` are of STATEMENT_DECIMAL. False when the driver refuses. */
bool param_bind(void *stmt, size_t number, enum statement_bind bind, int precision, int scale, const void *place, size_t size,
                long *indicator) __attribute__((warn_unused_result));

#endif
