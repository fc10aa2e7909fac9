/* T-SQL's operators, conversions, aggregates and scalar functions as functions of a SQLite connection. The binder writes
 * the calls; types travel as packed integers (typing_pack) beside the values. Knows no names and no sessions.
 *
 *   sg_convert(value, from, to, style)      CAST and CONVERT     sg_try_convert: NULL instead of a fault
 *   sg_arith(a, type, op, b, type, result, op, c, type, result …)
 *                                           ((a op b) op c) …, each step with its result's type; op is enum tsql_op
 *   sg_negate(a, type), sg_bitnot(a, type)
 *   sg_like(text, pattern, escape, collation)
 *   sg_one(value)                           a scalar subquery's value, as an aggregate; 512 for a second row
 *   sg_level(depth, most)                   a recursive CTE's depth; 530 beyond the most (0: any)
 *   sg_percent(percent, rows)               TOP … PERCENT: how many rows that are; 1031
 *   sg_count(n, error)                      TOP, OFFSET, FETCH: n, which may not be negative
 *   sg_sum_int(x) sg_sum_bigint(x) sg_sum_decimal(x) sg_sum_money(x) sg_sum_float(x)
 *   sg_average(sum, count, type, result)
 *   sg_var(x) sg_varp(x) sg_stdev(x) sg_stdevp(x)   of floats
 *   sg_join(text, separator, limit, key, collation, descending …)
 *                                           STRING_AGG: at most `limit` bytes (-1: what memory holds), ordered by the keys; -1 for
 *                                           keys whose bytes are their order
 *   fn_<name>(collation, result, value, type, value, type …)   the rows of scalar.h
 *
 * A function that fails leaves its fault in `struct functions` and ends the SQLite statement with an error.
 */
#ifndef SHARDGATE_TDS_FUNCTIONS_H
#define SHARDGATE_TDS_FUNCTIONS_H

#include "common/buf.h"
#include "tds-server/engine/cell.h"
#include "tds-server/values/fault.h"

#include <time.h>

#define FUNCTIONS_MAX_ORDER 30 /* keys of one STRING_AGG */
#define FUNCTIONS_MAX_CHAIN 30 /* steps of one sg_arith: SQLite's functions take 127 arguments */

struct functions {
    struct fault *fault;
    struct timespec started; /* the statement */
    struct value now;        /* the same as DATETIMEOFFSET(7), once somebody has asked: functions_now */
    char now_text[VALUE_DATETIMEOFFSET_LEN + 1];
    struct buf scratch; /* for one call */
};

/* The collations' names in SQLite. */
extern const char *const functions_collation[COLLATIONS];
#define FUNCTIONS_COLLATION_OFFSET "SG_DTO" /* DATETIMEOFFSET: by the instant only */

/* Registers all on the connection; `f` must outlive it. SQLite's result code. */
int functions_register(sqlite3 *db, struct functions *f);

/* Notes the clock's time, which all of a statement sees. */
void functions_set_now(struct functions *f);
/* The time noted, as DATETIMEOFFSET(7); lives until it is noted anew. */
const struct value *functions_now(struct functions *f);

#endif
