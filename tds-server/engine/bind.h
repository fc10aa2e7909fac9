/* The binder: resolves the names of a statement, types its expressions by T-SQL's rules and writes it in SQLite's words.
 *
 *     tree ── bind_statement ──> plan (SQL text, parameters, columns)
 *
 * No text of the client gets into the SQL: names become t1001, c1, r1 (a source of the query), k1 (a column of its
 * result); strings, numbers with a point and binaries become parameters; integers are written from their digits.
 */
#ifndef SHARDGATE_TDS_BIND_H
#define SHARDGATE_TDS_BIND_H

#include "tds-server/engine/plan.h"

/* Binds a SELECT, INSERT, UPDATE or DELETE. The plan must be zeroed; plan_clear releases it, also after a failure.
 * -1: the session's fault. */
int bind_statement(struct engine_session *s, const struct tsql_statement *statement, const struct variable *variables,
                   size_t variable_count, struct plan *out) __attribute__((warn_unused_result));

/* Binds one value or condition (IF, PRINT, SET @v =) as a query of one row and one column; a condition gives 1, 0 or NULL. */
int bind_value(struct engine_session *s, const struct tsql_expr *e, const struct variable *variables, size_t variable_count,
               struct plan *out) __attribute__((warn_unused_result));

void plan_clear(struct plan *p);

#endif
