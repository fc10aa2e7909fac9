/* Decodes requests: ALL_HEADERS (MS-TDS 2.2.5.3), SQL batches (2.2.6.7), RPC requests (2.2.6.6) and Transaction Manager
 * requests (2.2.6.9). Knows no procedure's meaning and no session. */
#ifndef SHARDGATE_TDS_RPC_H
#define SHARDGATE_TDS_RPC_H

#include "common/buf.h"
#include "common/arena.h"
#include "tds-server/engine/engine.h"
#include "tds-server/wire/reader.h"
#include "tds-server/wire/wiretype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_MAX_PARAMETERS 2100 /* as SQL Server */
#define RPC_MAX_NAME       1046 /* UTF-16 units of a procedure's name */

enum rpc_procedure {
    RPC_BY_NAME = 0, /* none of these */
    RPC_CURSOR = 1,
    RPC_CURSOR_OPEN = 2,
    RPC_CURSOR_PREPARE = 3,
    RPC_CURSOR_EXECUTE = 4,
    RPC_CURSOR_PREPEXEC = 5,
    RPC_CURSOR_UNPREPARE = 6,
    RPC_CURSOR_FETCH = 7,
    RPC_CURSOR_OPTION = 8,
    RPC_CURSOR_CLOSE = 9,
    RPC_EXECUTE_SQL = 10,
    RPC_PREPARE = 11,
    RPC_EXECUTE = 12,
    RPC_PREPEXEC = 13,
    RPC_PREPEXEC_RPC = 14,
    RPC_UNPREPARE = 15,
};

/* One call. All its memory is the arena's and the message's. */
struct rpc_call {
    enum rpc_procedure procedure; /* also when the client gave the name of one that has a number */
    const char *name;             /* "sp_executesql"; as the client wrote it when it is unknown */
    struct engine_param *params;
    size_t count;
    bool more; /* another call follows in this request */
};

/* Skips ALL_HEADERS, which clients from TDS 7.2 on send. 0, or -1 when malformed. */
int rpc_skip_headers(const struct dialect *d, struct reader *r) __attribute__((warn_unused_result));

/* The rest of a message as UTF-8 text (arena); NULL when memory ran out. */
const char *rpc_read_batch(struct reader *r, struct arena *a, size_t *len);

/* Decodes the next call of a request. 0, or -1: *number and `error` say why (8003 too many parameters, 8009 a parameter
 * that cannot be taken, 4002 malformed); what follows in the message cannot be read then. */
int rpc_read_call(const struct dialect *d, struct reader *r, struct arena *a, struct rpc_call *out, int *number,
                  struct buf *error) __attribute__((warn_unused_result));

/* Gives positional parameters the names of a declaration ("@p1 int, @p2 nvarchar(4000) OUTPUT"), in its order. Returns how
 * many it declares, or -1 when it is malformed or memory ran out. */
int rpc_name_parameters(const char *declarations, size_t len, struct engine_param *params, size_t count,
                        struct arena *a);

enum rpc_transaction {
    TRANSACTION_GET_ADDRESS = 0,
    TRANSACTION_PROPAGATE = 1,
    TRANSACTION_BEGIN = 5,
    TRANSACTION_PROMOTE = 6,
    TRANSACTION_COMMIT = 7,
    TRANSACTION_ROLLBACK = 8,
    TRANSACTION_SAVE = 9,
};

struct rpc_transaction_request {
    unsigned type; /* an enum rpc_transaction, or unknown */
    const char *name;
    unsigned isolation; /* of the transaction that begins: an enum engine_isolation */
    bool begin_next;    /* COMMIT, ROLLBACK: begin another one, of this name */
    const char *next_name;
};

/* 0, or -1 when malformed. */
int rpc_read_transaction(struct reader *r, struct arena *a, struct rpc_transaction_request *out)
    __attribute__((warn_unused_result));

#endif
