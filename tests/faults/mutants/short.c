/* A worker that takes the end of its connection for the end of the rows. */
#include "fcgi-worker/db.h"

int __real_db_fetch(struct db *db, struct err *e);
int __wrap_db_fetch(struct db *db, struct err *e);

int __wrap_db_fetch(struct db *db, struct err *e)
{
    int rc = __real_db_fetch(db, e);

    if (rc >= 0)
        return rc;
    *e = ERR_INIT;
    return 0;
}
