/* Listens, gives each connection a thread that runs a session, and stops them all. Knows nothing of TDS but
 * session_run. */
#ifndef SHARDGATE_TDS_SERVER_H
#define SHARDGATE_TDS_SERVER_H

#include "common/buf.h"
#include "tds-server/wire/session.h"

#define SERVER_MAX_CONNECTIONS 1024  /* unless another limit is set, which is at most */
#define SERVER_MOST_CONNECTIONS 32000
#define SERVER_MOST_IDLE_S     86400 /* of the limit on idleness */
#define SERVER_BACKLOG         512
#define SERVER_SURPLUS         16 /* connections beyond the limit that are kept until their login, to be told why */
#define SERVER_WRITE_TIMEOUT_S 300  /* a client that takes no byte for so long is given up */
#define SERVER_PROBE_AFTER_S   60   /* an idle client is asked whether it lives; after four unanswered questions, */
#define SERVER_PROBE_EVERY_S   15   /* this far apart, it is given up, and its transaction with it */
#define SERVER_PROBES          4
#define SERVER_STOP_GRACE_MS   3000 /* for running requests to end by themselves */
#define SERVER_STOP_CANCEL_MS  3000 /* and then, cancelled */

struct server;

/* Binds the address (numeric, "127.0.0.1") and port; 0 takes any free one. 0, or -1 with a message in `error`. */
int server_open(const char *address, int port, int max_connections, const struct session_settings *settings,
                struct server **out, struct buf *error) __attribute__((warn_unused_result));
/* The port that was bound. */
int server_port(const struct server *s);

/* Starts to accept, in a thread. 0, or -1 with errno. */
int server_start(struct server *s) __attribute__((warn_unused_result));

/* Stops: no more connections, idle ones closed at once, busy ones when their request ends or is cancelled. true when
 * all have ended, so that the engine may be closed. */
bool server_stop(struct server *s);
/* After server_stop returned true. NULL is accepted. */
void server_free(struct server *s);

#endif
