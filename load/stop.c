#include "load/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t signals;

static void count(int number)
{
    (void)number;
    if (signals < 2)
        signals = signals + 1;
}

void stop_listen(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = count};
    struct sigaction before;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        /* What was ignored stays so: nohup. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
}

bool stop_wanted(void)
{
    return signals > 0;
}

bool stop_impatient(void)
{
    return signals > 1;
}
