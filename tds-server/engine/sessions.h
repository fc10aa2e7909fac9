/* The engine's sessions, as others may see them: a list in the order of their ids, and what sys.dm_exec_sessions and its kin
 * tell of each. A session belongs to one thread; here alone other threads look at it, so that what they see is either fixed
 * when the session joins the list, or atomic.
 */
#ifndef SHARDGATE_TDS_SESSIONS_H
#define SHARDGATE_TDS_SESSIONS_H

#include "tds-server/engine/runtime.h"

/* What sg_session(id, fact) tells. The views know these numbers. */
enum session_fact {
    SESSION_LOGIN_TIME,
    SESSION_HOST,
    SESSION_APPLICATION,
    SESSION_PROTOCOL,
    SESSION_INTERFACE,
    SESSION_LOGIN,
    SESSION_RUNNING,
    SESSION_LAST_REQUEST,
    SESSION_ISOLATION,
    SESSION_DATABASE,
    SESSION_TRANSACTIONS,
    SESSION_ENCRYPTED,
    SESSION_PACKET_SIZE,
    SESSION_ADDRESS,
    SESSION_FACTS
};

/* Gives the session the lowest id that is free, and lists it. -1: there are RUNTIME_MAX_SESSIONS. */
int sessions_join(struct engine_session *s) __attribute__((warn_unused_result));
/* Takes it off the list; does nothing when it is not there. */
void sessions_leave(struct engine_session *s);

/* Shows the others where the session stands: in a request or not, its database, transaction and options. */
void sessions_show(struct engine_session *s, bool running);

/* Registers sg_next_session(id): the next higher id, or NULL; sg_session(id, fact): NULL when there is none; sg_login(): the
 * own login. SQLite's result code. */
int sessions_register(sqlite3 *db, struct engine_session *s);

#endif
