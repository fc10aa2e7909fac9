/* The worker's paths: a const table of routes, each with its handler, and the threads' context.
 *
 * The handlers of rows stand in operations.c and insert.c, those that change databases and tables in changes.c; each is one request
 * that reads from top to bottom.
 */
#ifndef SHARDGATE_WORKER_OPERATIONS_H
#define SHARDGATE_WORKER_OPERATIONS_H

#include "common/http.h"

#include <stddef.h>

extern const struct http_route operations_routes[];
extern const size_t operations_route_count;

/* The token that every path but /health asks for. Borrowed; set once, before the threads start. */
void operations_set_token(const char *token);

/* For struct http_app: `arg` is the const struct worker. */
void *operations_thread_open(void *arg, unsigned index);
void operations_thread_close(void *thread);

#endif
