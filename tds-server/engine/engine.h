/* The database side of tds-server, as the wire sees it: an engine over a folder of SQLite files, sessions on it, and
 * requests that answer through a sink. Knows no socket and no token; nothing of SQLite shows here.
 *
 *     session.c (wire) ──engine_batch/engine_execute──> engine ──sink callbacks──> session.c writes tokens
 *
 * A request runs to its end inside the call, in the caller's thread; each engine_session belongs to one thread at a time.
 */
#ifndef SHARDGATE_TDS_ENGINE_H
#define SHARDGATE_TDS_ENGINE_H

#include "common/buf.h"
#include "tds-server/values/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENGINE_VERSION_TEXT "Microsoft SQL Server 2019 compatible: Shardgate tds-server" /* the start of @@VERSION */
#define ENGINE_MAX_NAME 128 /* UTF-16 units of an identifier */

struct engine;
struct engine_session;

struct engine_column {
    const char *name; /* UTF-8; "" when it has none */
    struct sqltype type;
    enum collation collation; /* of strings */
    bool nullable;
    bool identity;
};

/* A message for the client: an error (severity 11 and above) or information. */
struct engine_message {
    int number;   /* 208 … */
    int severity; /* class: 0…10 information, 11…16 the user's, 17…25 the server's */
    int state;
    int line;     /* of the batch, 1 for the first */
    const char *text; /* UTF-8 */
};

/* What a DONE token tells of one statement. */
struct engine_done {
    bool more;       /* another statement's result may follow */
    bool error;      /* the statement failed */
    bool has_count;  /* `count` means something (SELECT, INSERT, UPDATE, DELETE without NOCOUNT) */
    uint64_t count;
    uint16_t command; /* DONE's CurCmd: 0xC1 SELECT, 0xC3 INSERT, 0xC4 DELETE, 0xC5 UPDATE, 0 other */
};

/* Where results go. A non-zero result of a callback (the client went away, or sent an attention) ends the request; the
 * engine then rolls the statement under way back and returns. All pointers are borrowed for the call. */
struct engine_sink {
    int (*columns)(void *arg, const struct engine_column *columns, size_t count);
    int (*row)(void *arg, const struct value *values, size_t count);
    int (*done)(void *arg, const struct engine_done *done);
    int (*message)(void *arg, const struct engine_message *m);
    int (*database)(void *arg, const char *from, const char *to); /* USE: ENVCHANGE 1 */
    int (*transaction)(void *arg, int type, uint64_t from, uint64_t to); /* ENVCHANGE 8 begin, 9 commit, 10 rollback */
    void *arg;
};

/* A parameter of sp_executesql or of a prepared statement. `name` with its @, or "" for a positional one. */
struct engine_param {
    const char *name;
    struct value value;
    enum collation collation;
    bool output;
};

/* Who is at the other end, for those who ask (sys.dm_exec_sessions, HOST_NAME()). UTF-8, "" for unknown. */
struct engine_client {
    const char *login, *host, *application, *interface, *address;
    uint32_t protocol; /* TDS, as LOGIN7 has it: 0x74000004 */
    int packet_size;
    bool encrypted;
};

/* As sys.dm_exec_sessions and the Transaction Manager number them. */
enum engine_isolation {
    ENGINE_ISOLATION_KEEP = 0, /* of a request: the session's */
    ENGINE_READ_UNCOMMITTED = 1,
    ENGINE_READ_COMMITTED = 2,
    ENGINE_REPEATABLE_READ = 3,
    ENGINE_SERIALIZABLE = 4,
    ENGINE_SNAPSHOT = 5
};

/* Opens the folder (made when absent, mode 0700), recovers what a crash left. `durable` false turns syncs off, for tests
 * that do not ask about power cuts. 0, or -1 with a message. */
int engine_open(const char *folder, bool durable, struct engine **out, struct buf *error) __attribute__((warn_unused_result));
void engine_close(struct engine *e); /* after its last session */

/* A session in database `database` ("" for master), of a client of whom nothing is known but that it may be here.
 * -1: there is none of this name (4060), or there are too many sessions. */
int engine_session_open(struct engine *e, const char *database, const struct engine_sink *sink, struct engine_session **out)
    __attribute__((warn_unused_result));
/* Says who the client is; the texts are copied, as much of them as a name may have. */
void engine_session_describe(struct engine_session *s, const struct engine_client *client);
/* Rolls an open transaction back. */
void engine_session_close(struct engine_session *s);
/* RESETCONNECTION: as after login, in the login's database unless that is gone (the sink is told); an open transaction is
 * rolled back without a word, or kept with its isolation level when `keep_transaction`. */
void engine_session_reset(struct engine_session *s, bool keep_transaction);

const char *engine_session_database(const struct engine_session *s);
/* The session's id (@@SPID), from 51: the lowest that was free. */
int engine_session_spid(const struct engine_session *s);
/* The descriptor of the open transaction, 0 for none. */
uint64_t engine_session_transaction(const struct engine_session *s);

/* Runs a batch of statements: for each, the sink gets columns and rows, messages, and done. 0, or -1 when a callback ended
 * it. An error ends the batch as in SQL Server (with `done.error`); that is still 0. */
int engine_batch(struct engine_session *s, const char *sql, size_t len) __attribute__((warn_unused_result));

/* sp_executesql: the same with parameters. */
int engine_execute(struct engine_session *s, const char *sql, size_t len, struct engine_param *params, size_t count)
    __attribute__((warn_unused_result));

/* sp_prepare: `declarations` is "@p1 int, @p2 nvarchar(4000)" ("" for none). *handle is the statement's number, *columns
 * (borrowed until the statement is unprepared; may be 0 of them) describe its result. Errors go to the sink as messages,
 * *handle is 0 then. */
int engine_prepare(struct engine_session *s, const char *sql, size_t len, const char *declarations, size_t declarations_len,
                   int32_t *handle, const struct engine_column **columns, size_t *column_count) __attribute__((warn_unused_result));
/* sp_execute. Parameters are positional by the declarations, or by name. An unknown handle is error 8179. */
int engine_execute_prepared(struct engine_session *s, int32_t handle, struct engine_param *params, size_t count)
    __attribute__((warn_unused_result));
/* The rows of a bulk load. `next` puts the values of the next row into `values`, one a parameter of the statement; their
 * bytes live until it is called again. 1, 0 when there are no more, -1: the load is given up. */
struct engine_rows {
    int (*next)(void *arg, struct value *values);
    void *arg;
};
/* Runs a prepared INSERT … VALUES once a row, as one statement: all rows are inserted, or none. *count is their number, 0
 * after an error. Results as of engine_execute_prepared; -1 also when `next` gave the load up. */
int engine_load(struct engine_session *s, int32_t handle, const struct engine_rows *rows, uint64_t *count)
    __attribute__((warn_unused_result));
/* sp_unprepare; an unknown handle is error 8179. */
int engine_unprepare(struct engine_session *s, int32_t handle) __attribute__((warn_unused_result));

/* A procedure by its name ("sp_tables", "[db]..sp_columns"). Parameters by name, or by place. Unknown names are error 2812. */
int engine_call(struct engine_session *s, const char *name, struct engine_param *params, size_t count) __attribute__((warn_unused_result));

/* Transaction Manager requests. ENVCHANGEs and errors (3902, 3903) go to the sink. */
/* `isolation` becomes the session's level; `name` may be "". */
int engine_begin(struct engine_session *s, enum engine_isolation isolation, const char *name) __attribute__((warn_unused_result));
int engine_commit(struct engine_session *s) __attribute__((warn_unused_result));
int engine_rollback(struct engine_session *s, const char *savepoint) __attribute__((warn_unused_result));
int engine_save(struct engine_session *s, const char *savepoint) __attribute__((warn_unused_result));

/* Ends the request under way as soon as it can; the only call that another thread may make. The session stays usable. It counts
 * for nothing before the request has begun, so who cannot know that calls it until the request has ended. */
void engine_cancel(struct engine_session *s);

#endif
