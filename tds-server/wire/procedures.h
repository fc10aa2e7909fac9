/* The system procedures that clients call to run statements with parameters: sp_executesql, sp_prepare, sp_execute,
 * sp_prepexec, sp_unprepare. Others are unknown (2812). */
#ifndef SHARDGATE_TDS_PROCEDURES_H
#define SHARDGATE_TDS_PROCEDURES_H

#include "tds-server/wire/answer.h"
#include "common/arena.h"
#include "tds-server/engine/engine.h"
#include "tds-server/wire/load.h"
#include "tds-server/wire/rpc.h"

/* What a call works with; all of it the session's. */
struct procedures {
    struct engine_session *engine;
    struct answer *answer;
    struct load *load;   /* a reset forgets it */
    struct arena *arena; /* the request's */
};

/* Runs one call and writes its results: results (DONEINPROC), RETURNSTATUS, RETURNVALUEs, DONEPROC. */
void procedures_call(struct procedures *p, struct rpc_call *call);

#endif
