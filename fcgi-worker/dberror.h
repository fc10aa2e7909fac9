/* What an error of the database means for the client: its code, and the outcome of the write that met it.
 *
 * Knows neither ODBC nor HTTP: db.c hands it the driver's records. The table of SQL error numbers stands in dberror.c.
 */
#ifndef SHARDGATE_WORKER_DBERROR_H
#define SHARDGATE_WORKER_DBERROR_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define DBERROR_MAX_RECORDS 8
#define DBERROR_MESSAGE_MAX 400 /* bytes of a message, the NUL included */

/* One diagnostic record. */
struct dberror {
    char state[6]; /* SQLSTATE */
    int number;    /* the server's number, or the client library's (20000…20999), or 0 */
    char message[DBERROR_MESSAGE_MAX]; /* UTF-8; with the driver's prefix "[FreeTDS][SQL Server]" */
};

/* How far the statement got. */
enum dberror_phase {
    DBERROR_CONNECT,   /* connecting and logging in */
    DBERROR_READING,   /* a statement without effect, or inside a transaction that is not committed */
    DBERROR_WRITING    /* a statement that takes effect by itself, or a commit */
};

enum dberror_kind {
    DBERROR_REFUSED, /* the server said no; the connection is good */
    DBERROR_UNSENT,  /* the connection was lost before the statement was sent whole: it cannot have run */
    DBERROR_LOST,    /* the connection was lost before the answer came */
    DBERROR_TIMEOUT  /* the deadline passed before the answer came */
};

/* Which of the four these records (the driver's, in its order) are. None at all counts as lost. */
enum dberror_kind dberror_classify(const struct dberror *records, size_t count);

/* Fills in `e` (code, outcome, sql_error, detail) and returns -1. `shard` is the worker's name. */
int dberror_set(const struct dberror *records, size_t count, enum dberror_phase phase, const char *shard, struct err *e);

#endif
