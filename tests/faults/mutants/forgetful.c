/* A database that says of a write that it is done, and takes it back. */
#include "tds-server/engine/runtime.h"

#include <stdatomic.h>

#define HONEST 30 /* writes, in which databases and tables are made */

int __real_transaction_end_write(struct engine_session *s, bool keep);
int __wrap_transaction_end_write(struct engine_session *s, bool keep);

int __wrap_transaction_end_write(struct engine_session *s, bool keep)
{
    static atomic_int writes;
    bool lie = keep && s->trancount == 0 && atomic_fetch_add(&writes, 1) >= HONEST;
    return __real_transaction_end_write(s, keep && !lie);
}
