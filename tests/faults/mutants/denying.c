/* A database that commits a write, and says that it was refused. */
#include "tds-server/engine/runtime.h"

#include <stdatomic.h>

#define HONEST 30    /* writes, in which databases and tables are made */
#define DEADLOCK 1205

int __real_transaction_end_write(struct engine_session *s, bool keep);
int __wrap_transaction_end_write(struct engine_session *s, bool keep);

int __wrap_transaction_end_write(struct engine_session *s, bool keep)
{
    static atomic_int writes;
    bool lie = keep && s->trancount == 0 && atomic_fetch_add(&writes, 1) >= HONEST;
    int rc = __real_transaction_end_write(s, keep);
    return lie && rc == 0 ? fault_set(&s->fault, DEADLOCK, s->spid) : rc;
}
