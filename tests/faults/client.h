/* A client of the engine without a wire between: runs statements and says whether they were acknowledged. */
#ifndef SHARDGATE_TESTS_CLIENT_H
#define SHARDGATE_TESTS_CLIENT_H

#include "tds-server/engine/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_MAX_PARAMS 8
#define CLIENT_MAX_SQL 8192 /* bytes of a text that client_printf makes */

struct client {
    struct engine_session *session;
    /* Of the last request: */
    int error;      /* the first error's number; 0: none */
    uint64_t count; /* rows, of all its statements */
    bool done;      /* it came to its end without an error */
    char text[256]; /* the first error's */
    /* Where rows go; may be NULL. `values` live for the call. */
    void (*row)(void *arg, const struct value *values, size_t count);
    void *arg;
};

/* Opens a session. false: there is no such database, or it cannot be opened. */
bool client_open(struct client *c, struct engine *e, const char *database);
/* Accepts one that is not open. */
void client_close(struct client *c);

/* Runs a batch. true: acknowledged. */
bool client_run(struct client *c, const char *sql);
bool client_printf(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A prepared statement's number; 0: it could not be prepared. */
int32_t client_prepare(struct client *c, const char *sql, const char *declarations);
/* Runs it with integers and, behind them, a text unless it is NULL. true: acknowledged. */
bool client_execute(struct client *c, int32_t handle, const int64_t *numbers, size_t count, const char *text);

#endif
