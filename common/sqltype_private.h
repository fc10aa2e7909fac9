/* What sqltype's own files share. */
#ifndef SHARDGATE_SQLTYPE_PRIVATE_H
#define SHARDGATE_SQLTYPE_PRIVATE_H

#include "common/sqltype.h"

enum sqltype_fault { SQLTYPE_READ, SQLTYPE_UNKNOWN_NAME, SQLTYPE_BAD_ARGUMENTS };

/* Reads a type with its arguments from the front of *text, which ends before `end`, and moves *text behind it. */
enum sqltype_fault sqltype_read(const char **text, const char *end, struct sqltype *out);

#endif
