/* The parser of T-SQL: a batch's text to its tree, by recursive descent. Knows no catalogue, no SQLite and no session.
 *
 * One statement that is wrong refuses the batch whole, with SQL Server's number and text. What SQL Server knows and this
 * server does not (procedures, cursors, MERGE …) is refused by name, with TSQL_ERROR_STATEMENT or TSQL_ERROR_CLAUSE.
 */
#ifndef SHARDGATE_TDS_TSQL_PARSE_H
#define SHARDGATE_TDS_TSQL_PARSE_H

#include "common/arena.h"
#include "tds-server/language/tsql_tree.h"

#include <stdbool.h>
#include <stddef.h>

#define TSQL_MAX_MEMORY ((size_t)256 << 20) /* for the arena of a batch: bytes */

#define TSQL_ERROR_STATEMENT 40510 /* "Statement 'MERGE' is not supported by this server." */
#define TSQL_ERROR_CLAUSE 40517    /* "'FOR XML' is not supported by this server." */
#define TSQL_ERROR_MEMORY 701      /* "There is insufficient system memory …": the arena's maximum, or malloc */
#define TSQL_ERROR_DEPTH 191       /* "Some part of your SQL statement is nested too deeply …" */

#define TSQL_ERROR_TEXT 400 /* bytes, the NUL included; the quoted token is cut */

struct tsql_error {
    int number;
    int severity; /* 15; 17 for TSQL_ERROR_MEMORY */
    int state;    /* 1 */
    int line;     /* of the batch, 1 for the first */
    char text[TSQL_ERROR_TEXT];
};

/* Parses `len` bytes of UTF-8. 0 with *out in `arena`, which may refer to `sql` no longer; or -1 with `e` filled in.
 * `quoted_identifier` false makes "…" a string; SET QUOTED_IDENTIFIER in the batch changes it for what follows. */
int tsql_parse(struct arena *arena, const char *sql, size_t len, bool quoted_identifier, struct tsql_batch **out,
               struct tsql_error *e) __attribute__((warn_unused_result));

/* Parses "@p1 int, @p2 nvarchar(4000) OUTPUT"; *out is NULL for empty text. 0 or -1 as above. */
int tsql_parse_declarations(struct arena *arena, const char *text, size_t len, struct tsql_declaration **out,
                            struct tsql_error *e) __attribute__((warn_unused_result));

#endif
