/* The conversion of texts to column types that sqltype_convert and the DEFAULT clause share. For sqltype's files alone;
 * the promises of sqltype.h hold. */
#ifndef SHARDGATE_SQLVALUE_H
#define SHARDGATE_SQLVALUE_H

#include "common/sqltype.h"

/* Converts a scalar, given as its JSON kind (JSON_STRING, JSON_NUMBER, JSON_BOOL) and text ("true" or "false" for a
 * boolean). ERR_BAD_VALUE when it does not fit, "12345.678 does not fit DECIMAL(5,2)". */
int sqlvalue_from_text(const struct sqltype *t, enum json_kind kind, const char *text, size_t len, struct sqlvalue *out,
                       struct err *e) __attribute__((warn_unused_result));

/* Sets out's text to raw bytes after checking the length, for BINARY and VARBINARY. */
int sqlvalue_from_bytes(const struct sqltype *t, const void *data, size_t len, struct sqlvalue *out, struct err *e)
    __attribute__((warn_unused_result));

#endif
