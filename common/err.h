/* The errors of the HTTP contract: one table of codes, each with its status, title and default retry, and the problem
 * document (RFC 9457) that a client sees.
 *
 * Knows nothing about HTTP transport or SQL. Fallible functions take a `struct err *` as their last parameter, fill it
 * in and return -1. The first error stays: err_set() on an error that is set already changes nothing, so that `out:`
 * code may report without asking.
 */
#ifndef SHARDGATE_ERR_H
#define SHARDGATE_ERR_H

#include "common/buf.h"

#include <stdbool.h>

enum err_code {
    ERR_NONE = 0,
    ERR_BAD_JSON,
    ERR_MISSING_FIELD,
    ERR_BAD_FIELD,
    ERR_BAD_NAME,
    ERR_BAD_TYPE,
    ERR_BAD_CONDITION,
    ERR_SHARD_KEY_REQUIRED,
    ERR_SHARD_KEY_MISMATCH,
    ERR_UNSAFE_STATEMENT,
    ERR_UNKNOWN_COLUMN,
    ERR_BAD_REQUEST,       /* 400: an HTTP request that is wrong in itself */
    ERR_UNAUTHORIZED,      /* 401 */
    ERR_NO_SUCH_PATH,      /* 404 */
    ERR_NO_SUCH_DATABASE,  /* 404 */
    ERR_NO_SUCH_TABLE,     /* 404 */
    ERR_METHOD_NOT_ALLOWED, /* 405 */
    ERR_ALREADY_EXISTS,    /* 409 */
    ERR_DUPLICATE_KEY,     /* 409 */
    ERR_CONSTRAINT_VIOLATION, /* 409 */
    ERR_KEY_IN_PROGRESS,   /* 409 */
    ERR_SCHEMA_CHANGED,    /* 409, between worker and master only: the schema tag the master routed by is out of date */
    ERR_BODY_TOO_LARGE,    /* 413 */
    ERR_NOT_JSON,          /* 415 */
    ERR_BAD_VALUE,         /* 422 */
    ERR_KEY_REUSED,        /* 422 */
    ERR_TOO_BUSY,          /* 429, retry after */
    ERR_INTERNAL,          /* 500: a bug or memory that ran out */
    ERR_BAD_WORKER_ANSWER, /* 502 */
    ERR_SHARD_UNAVAILABLE, /* 503, retry after */
    ERR_DEADLOCK,          /* 503, retry after */
    ERR_DEADLINE_EXCEEDED, /* 504 */
    ERR_STORAGE_FULL,      /* 507 */
    ERR_CODES
};

/* What became of the request's effect. */
enum err_outcome { OUTCOME_NOT_APPLIED, OUTCOME_APPLIED, OUTCOME_UNKNOWN };

enum err_retry { RETRY_NO, RETRY_AFTER, RETRY_SAME_KEY };

#define ERR_DETAIL_MAX 512 /* bytes, the NUL included; longer details are cut at a character's end */

#define ERR_QUOTE_MAX 64   /* bytes of a client's text that err_quote shows */

struct err {
    enum err_code code;
    enum err_outcome outcome;
    enum err_retry retry;
    int retry_after_s; /* with RETRY_AFTER; at least 1 */
    int sql_error;     /* the SQL error's number, 0 for none */
    char detail[ERR_DETAIL_MAX];
};

/* No error. */
#define ERR_INIT ((struct err){0})

/* Sets code, the code's default retry, outcome not_applied, and the detail (UTF-8). Returns -1, always. */
int err_set(struct err *e, enum err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the detail. Returns -1, always. */
int err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends text that a client sent as messages show it: in double quotes, control characters as \u001f, malformed bytes as
 * U+FFFD, cut with … behind some ERR_QUOTE_MAX bytes. */
void err_quote(struct buf *b, const char *text, size_t len);

/* Of a request with an Idempotency-Key, which may be a repeat: what failed before it could be found out what became of the
 * first is not known to be not_applied. Makes such an error (429 and above: it may be gone later) unknown, to be repeated with the key. */
void err_doubt(struct err *e);

/* The HTTP status of a code (400 … 507), its name in JSON ("bad_json") and the status' title ("Bad Request"). */
int err_status(enum err_code code);
const char *err_name(enum err_code code);
const char *err_title(enum err_code code);

/* The code with this name, ERR_NONE when there is none. */
enum err_code err_find(const char *name);

/* "not_applied", "applied", "unknown" and back (false when it is none of them). */
const char *err_outcome_name(enum err_outcome outcome);
bool err_outcome_find(const char *name, enum err_outcome *out);
const char *err_retry_name(enum err_retry retry);

/* Appends the problem document. `shards` is the raw JSON array of the member "shards", or NULL for []. */
void err_write_problem(const struct err *e, const char *request_id, const char *shards, struct buf *out);

#endif
