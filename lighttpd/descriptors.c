#include <config.h>

#include "lighttpd/descriptors.h"

#include <limits.h>
#include <sys/resource.h>

int descriptors_raise(int wanted)
{
    struct rlimit limit, raised;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < (rlim_t)wanted) {
        raised = (struct rlimit){.rlim_cur = (rlim_t)wanted, .rlim_max = limit.rlim_max < (rlim_t)wanted ? (rlim_t)wanted : limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) != 0) { /* beyond the hard limit: for the privileged alone */
            raised = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
            (void)setrlimit(RLIMIT_NOFILE, &raised);
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    return limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
}
