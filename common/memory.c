#include "common/memory.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <time.h>

static int64_t work_ms(void)
{
    struct timespec used = {0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

int memory_wait_for_signal(const sigset_t *signals)
{
    int64_t looked = 0; /* what was done until the last look */
    int number;

    while ((number = sigtimedwait(signals, NULL, &(struct timespec){.tv_sec = MEMORY_PAUSE_S})) < 0) {
        if (errno == EAGAIN && work_ms() - looked >= MEMORY_WORK_MS) {
            malloc_trim(0);
            looked = work_ms();
        }
    }
    return number;
}
