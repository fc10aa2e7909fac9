/* A master that repeats a write whose answer was lost, key or not. */
#include "fcgi-master/fanout.h"

int __real_fanout_add(struct fanout *f, size_t worker, const struct fanout_request *rq);
int __wrap_fanout_add(struct fanout *f, size_t worker, const struct fanout_request *rq);

int __wrap_fanout_add(struct fanout *f, size_t worker, const struct fanout_request *rq)
{
    struct fanout_request again = *rq;

    again.repeatable = true;
    return __real_fanout_add(f, worker, &again);
}
