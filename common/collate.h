/* How strings compare and match: the three collations, and LIKE with T-SQL's wildcards. Knows no SQL and no table.
 *
 * All ignore trailing spaces in comparison (the shorter string counts as padded). CI folds case by Unicode's simple
 * mapping, accents count; CS orders as CI and puts lower case before upper case where that ties; BIN2 is by code point.
 * Texts of length 0 may be NULL.
 */
#ifndef SHARDGATE_COLLATE_H
#define SHARDGATE_COLLATE_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum collation {
    COLLATION_CI,   /* case-insensitive; tds-server's default */
    COLLATION_CS,   /* case-sensitive */
    COLLATION_BIN2, /* by code point */
    COLLATIONS
};

/* <0, 0, >0. Both are UTF-8; malformed bytes compare by their own value. */
int collate_compare(enum collation collation, const char *a, size_t a_len, const char *b, size_t b_len);

/* Appends bytes that are equal for two strings exactly where collate_compare says that they are. */
void collate_append_key(enum collation collation, const char *text, size_t len, struct buf *out);

/* Appends the text in lower or upper case by the simple mappings: one character stays one. */
void collate_append_lower(const char *text, size_t len, struct buf *out);
void collate_append_upper(const char *text, size_t len, struct buf *out);

/* Are names equal (identifiers, without regard to case)? */
bool collate_name_equal(const char *a, size_t a_len, const char *b, size_t b_len);

#define COLLATE_NO_ESCAPE UINT32_MAX
#define COLLATE_MAX_LIKE 1000000 /* steps of one match, so that no pattern takes the server's time */

enum collate_match { COLLATE_NO_MATCH, COLLATE_MATCH, COLLATE_TOO_MUCH };

/* LIKE: % _ [a-z] [^a-z], `escape` a code point or COLLATE_NO_ESCAPE. Trailing spaces of the text count only where the
 * pattern has characters for them. */
enum collate_match collate_like(enum collation collation, const char *text, size_t text_len, const char *pattern, size_t pattern_len,
                                uint32_t escape);

#endif
