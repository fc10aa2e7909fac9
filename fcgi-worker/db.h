/* One connection to the shard's database, by ODBC over FreeTDS; the one home of sql.h.
 *
 * Knows nothing about tables or HTTP: it takes a struct statement and gives rows or a count. A struct db belongs to one
 * thread. It connects when it is first needed, keeps the connection, and replaces it when it died:
 *
 *     absent ──connect──> idle ──execute──> busy ──db_close──> idle
 *        ^                  └── lost, timed out, or its state is not certain ──┘
 *        └─────────────────────────────────────────────────────────────────────
 *
 * What a kept connection executes again it keeps prepared (prepared.h), which changes what it costs and nothing else.
 *
 * What failed on a kept connection is repeated once on a new one if it cannot have been executed, or changes nothing.
 * The phase of a failure decides the outcome of a write: not connected, not sent or refused by the server is
 * not_applied; sent and no answer is unknown.
 */
#ifndef SHARDGATE_WORKER_DB_H
#define SHARDGATE_WORKER_DB_H

#include "common/buf.h"
#include "common/err.h"
#include "fcgi-worker/result.h"
#include "fcgi-worker/statement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DB_LOGIN_TIMEOUT_S 3      /* connect and login */
#define DB_STALE_US 100000        /* a connection that was idle for longer is asked whether it lives before a write */
#define DB_CALL_US 50000          /* what a call of the driver has at least, so that the deadline is kept to this */
#define DB_ROLLBACK_US 1000000    /* a rollback that takes longer is left to the server, by closing the connection */
#define DB_ARRAY_BYTES (4u << 20) /* of the values that are sent in one go, unless one row has more */

struct db;

/* All is borrowed and must outlive the connections. */
struct db_config {
    const char *shard;    /* the worker's name, for messages */
    const char *server;   /* the section of the private freetds.conf that FREETDSCONF names */
    const char *user;
    const char *password; /* checked by db_check_password */
    const char *encrypt;  /* off, request, require */
    int timeout_ms;       /* the longest deadline: locks are waited for a little less */
    struct watchdog *watchdog; /* cancels what is still running at its deadline; NULL: the driver does, at the next whole second */
};

enum db_effect {
    DB_READ,  /* may be repeated */
    DB_WRITE  /* must not run twice */
};

/* Makes a thread's connection object; connects nothing. NULL when memory ran out. */
struct db *db_new(const struct db_config *config);
void db_free(struct db *db); /* NULL is fine */

/* false for a password that an ODBC connection string cannot carry. */
bool db_check_password(const char *password);

/* Executes a statement without rows. Stores the number of rows it changed (0 if it tells none) unless `rows` is NULL.
 * `deadline_us` is a time of CLOCK_MONOTONIC. */
int db_execute(struct db *db, const struct statement *s, enum db_effect effect, int64_t deadline_us, int64_t *rows,
               struct err *e) __attribute__((warn_unused_result));

/* Executes a statement with all its rows of values, inside a transaction. On failure *bad_row is the index in the statement of
 * the row that the server refused, or SIZE_MAX where that is not known; the transaction is to be rolled back. */
int db_execute_rows(struct db *db, const struct statement *s, int64_t deadline_us, int64_t *rows, size_t *bad_row,
                    struct err *e) __attribute__((warn_unused_result));

/* Executes a statement whose only result is a row with a number: it becomes *number. */
int db_execute_number(struct db *db, const struct statement *s, enum db_effect effect, int64_t deadline_us, int64_t *number,
                      struct err *e) __attribute__((warn_unused_result));

/* Executes a select; its rows, too, have to be there by the deadline. On success db_fetch() is next and db_close() at the end; on failure nothing is open. Where the statement
 * names its columns, each is read in every row by the same db_get function (result.h). */
int db_query(struct db *db, const struct statement *s, int64_t deadline_us, struct err *e) __attribute__((warn_unused_result));
/* 1 with a row, 0 behind the last one (and the server said that the select succeeded), -1 with the error. */
int db_fetch(struct db *db, struct err *e) __attribute__((warn_unused_result));
/* From now on each db_fetch() of the result may take `idle_us`, in place of the deadline of all: somebody reads the rows already. */
void db_begin_stream(struct db *db, int64_t idle_us);
/* Closes the result, read to its end or not; harmless when none is open. */
void db_close(struct db *db);

/* The current row's values, columns counted from 0, each asked for once and in rising order. 1 with the value, 0 for
 * NULL, -1 with the error. */
int db_get_integer(struct db *db, size_t column, int64_t *out, struct err *e) __attribute__((warn_unused_result));
int db_get_double(struct db *db, size_t column, double *out, struct err *e) __attribute__((warn_unused_result));
int db_get_text(struct db *db, size_t column, struct buf *out, struct err *e) __attribute__((warn_unused_result));  /* UTF-8 */
int db_get_bytes(struct db *db, size_t column, struct buf *out, struct err *e) __attribute__((warn_unused_result));

/* A transaction around db_execute() calls. Until db_commit() was sent a failure of any of them leaves nothing behind, and
 * its outcome is not_applied; the caller then calls db_rollback(). A commit whose answer was lost is unknown. */
int db_begin(struct db *db, int64_t deadline_us, struct err *e) __attribute__((warn_unused_result));
int db_commit(struct db *db, int64_t deadline_us, struct err *e) __attribute__((warn_unused_result));
/* The same with a statement that does more before it commits. */
int db_commit_by(struct db *db, const struct statement *s, int64_t deadline_us, struct err *e) __attribute__((warn_unused_result));
void db_rollback(struct db *db); /* harmless without a transaction */

#endif
