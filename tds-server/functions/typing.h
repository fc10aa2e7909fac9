/* T-SQL's rules of types: precedence, what converts to what, and the types of results. Const tables and arithmetic only;
 * knows no values, no names and no SQLite.
 */
#ifndef SHARDGATE_TDS_TYPING_H
#define SHARDGATE_TDS_TYPING_H

#include "common/sqltype.h"
#include "tds-server/values/fault.h"
#include "tds-server/language/tsql_tree.h"
#include "tds-server/values/value.h"

#include <stdbool.h>
#include <stdint.h>

/* What is alike in a type, coarser than its kind. */
enum type_class { TYPE_INTEGER, TYPE_BIT, TYPE_DECIMAL, TYPE_FLOAT, TYPE_STRING, TYPE_DATETIME, TYPE_GUID, TYPE_BINARY };

enum type_class typing_class(enum sqltype_kind kind);

/* The type's name as messages spell it: "varchar", "numeric". */
const char *typing_name(enum sqltype_kind kind);

/* A type in one integer, as it travels through SQLite to our functions, and back. */
int64_t typing_pack(const struct sqltype *t);
struct sqltype typing_unpack(int64_t packed);

/* Ready-made types. */
struct sqltype typing_make(enum sqltype_kind kind);                       /* of kinds without arguments */
struct sqltype typing_string(enum sqltype_kind kind, int length);         /* longer than the kind allows: MAX */
struct sqltype typing_decimal(int precision, int scale);                  /* capped at 38 as for results of arithmetic */

/* Bounds of an integer kind or BIT. */
void typing_integer_range(enum sqltype_kind kind, int64_t *low, int64_t *high);

/* The decimal that holds all values of an exact numeric type: INT is (10,0), MONEY (19,4). */
void typing_as_decimal(const struct sqltype *t, int *precision, int *scale);

/* How many characters a value of the type has at most when converted to a string; SQLTYPE_MAX for MAX types. */
int typing_display_length(const struct sqltype *t);

enum type_conversion { CONVERSION_IMPLICIT, CONVERSION_EXPLICIT, CONVERSION_NONE };
enum type_conversion typing_conversion(enum sqltype_kind from, enum sqltype_kind to);

/* The type in which two operands meet (comparison, CASE, UNION, COALESCE): the one of higher precedence, wide enough for
 * both. -1 with 206 when there is none. */
int typing_common(const struct sqltype *a, const struct sqltype *b, struct sqltype *out, struct fault *f)
    __attribute__((warn_unused_result));

/* Must a value of `from` be changed for the form of `to` (that is: are the stored forms different)? Lengths of strings
 * and ranges of integers do not count; they matter in assignment and CAST only. */
bool typing_same_form(const struct sqltype *from, const struct sqltype *to);

/* The result of `a op b` and the type that the operands are converted to first (the decimals keep their own). -1: 402,
 * 206 or 8117. TSQL_ADD of strings joins. */
int typing_arithmetic(enum tsql_op op, const struct sqltype *a, const struct sqltype *b, struct sqltype *out, struct fault *f)
    __attribute__((warn_unused_result));

/* SUM and AVG; -1: 8117 for a type that cannot be summed. */
int typing_sum(const char *function, const struct sqltype *t, struct sqltype *out, struct fault *f) __attribute__((warn_unused_result));

/* The collation that a name asks for; false for a name that is none. */
bool typing_collation(const char *name, size_t len, enum collation *out);
extern const char typing_default_collation[];

#endif
