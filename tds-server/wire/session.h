/* One connection from its first byte to its last: PRELOGIN, LOGIN7, then requests, each answered in full before the next
 * is read (MS-TDS 3.3). Joins the wire (packet, login, rpc, token) with the engine. Knows neither listening nor threads.
 *
 *     prelogin ─> [TLS] ─> login ─> request ─> answer ─┐
 *                                      ^────────────────┘   attention: the answer is cut short and ends with DONE_ATTN
 */
#ifndef SHARDGATE_TDS_SESSION_H
#define SHARDGATE_TDS_SESSION_H

#include "tds-server/engine/engine.h"
#include "tds-server/wire/packet.h"
#include "tds-server/wire/tls.h"
#include "tds-server/wire/watch.h"

#define SESSION_LOGIN_TIMEOUT_MS   15000
#define SESSION_REQUEST_TIMEOUT_MS 300000 /* from a request's first byte to its last */

/* What all connections share; outlives them. */
struct session_settings {
    struct engine *engine;
    struct watch *watch;
    const char *user;
    const char *password;
    struct tls_context *tls; /* NULL: no encryption is offered */
    bool tls_required;       /* logins that are not encrypted are refused */
    int idle_timeout_s;      /* a client that asks nothing for so long is given up; 0: never */
};

/* Serves the connection until it ends. The transport stays the caller's, who closes it. `refusal` is NULL, or why the
 * client is refused at its login, whoever it is: only there would it understand. */
void session_run(const struct session_settings *settings, struct transport *t, const char *refusal);

#endif
