/* A worker that acknowledges a transaction whatever becomes of its COMMIT. */
#include "fcgi-worker/db.h"

int __real_db_commit(struct db *db, int64_t deadline_us, struct err *e);
int __wrap_db_commit(struct db *db, int64_t deadline_us, struct err *e);

int __wrap_db_commit(struct db *db, int64_t deadline_us, struct err *e)
{
    (void)!__real_db_commit(db, deadline_us, e);
    *e = ERR_INIT;
    return 0;
}
