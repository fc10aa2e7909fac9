/* Conversion of values between types by the rules of CAST, and of assignment to a column. Knows no columns and no SQLite.
 */
#ifndef SHARDGATE_TDS_CONVERT_H
#define SHARDGATE_TDS_CONVERT_H

#include "common/buf.h"
#include "tds-server/values/fault.h"
#include "tds-server/values/value.h"

#include <stdbool.h>
#include <stddef.h>

enum convert_mode {
    CONVERT_CAST,  /* strings are cut to their length */
    CONVERT_ASSIGN /* a string that is too long, but for spaces, is fault 2628 with only the value known: see convert_value */
};

#define CONVERT_MAX_BYTES ((size_t)1 << 30) /* of a value: what SQLite holds */

/* Converts `in` to the type `to`. *out may borrow bytes from `in` and from `scratch` (whose contents are replaced). `style` is CONVERT's
 * third argument, 0 without. -1 with `f`: 220, 232, 235, 241, 242, 244, 245, 248, 8114, 8115, 8169, 8170; with CONVERT_ASSIGN
 * also 8152 for what is too long: the caller, who knows the column, makes it 2628. */
int convert_value(const struct value *in, const struct sqltype *to, int style, enum convert_mode mode, struct buf *scratch,
                  struct value *out, struct fault *f) __attribute__((warn_unused_result));

/* The number of UTF-16 units of valid UTF-8. */
size_t convert_utf16_length(const char *text, size_t len);

#endif
