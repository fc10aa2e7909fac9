/* Evaluates a condition over values that the master has computed: T-SQL's three-valued logic, its conversions between types,
 * its functions.
 *
 * For `having` over several shards; over one shard the database does it. What T-SQL would convert in ways that are not built
 * here (a date as a number, a number as a pattern's text) is refused, never guessed. Knows nothing about shards.
 */
#ifndef SHARDGATE_HAVING_H
#define SHARDGATE_HAVING_H

#include "common/err.h"
#include "common/predicate.h"
#include "fcgi-master/cell.h"

#include <stdbool.h>
#include <stddef.h>

/* What a name stands for. */
struct having_value {
    struct cell cell;
    struct sqltype type;
    enum collation collation; /* of strings */
    bool literal;             /* its collation gives way to the other operand's */
};

/* Finds the value of a name that query_resolve() has checked. */
struct having_row {
    void (*find)(const void *arg, const char *name, size_t len, struct having_value *out);
    const void *arg;
};

/* *keep becomes whether the condition is true (not false, not unknown). ERR_BAD_CONDITION for operands that cannot be
 * compared, ERR_BAD_VALUE (sql_error 245) for a string that is no value of the other operand's type. */
int having_test(const struct predicate *p, const struct having_row *row, bool *keep, struct err *e)
    __attribute__((warn_unused_result));

#endif
