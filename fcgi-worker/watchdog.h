/* One thread of the process that calls others back when their time is up: the driver's own timeouts are whole seconds.
 *
 * Knows nothing about databases. A watch belongs to the thread that sets it; its callback runs in the watchdog's thread, between
 * watchdog_set and watchdog_clear and at no other time.
 */
#ifndef SHARDGATE_WORKER_WATCHDOG_H
#define SHARDGATE_WORKER_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct watchdog;

struct watch {
    int64_t deadline_us;
    void (*call)(void *arg);
    void *arg;
    bool set, calling, called;
    struct watch *next;
};

/* Starts the thread, with all signals blocked. NULL when that failed. watchdog_free waits for it; NULL is fine, and no watch
 * may be set. */
struct watchdog *watchdog_new(void);
void watchdog_free(struct watchdog *w);

/* Has call(arg) called at `deadline_us` of CLOCK_MONOTONIC, once, unless watchdog_clear comes before. With `w` NULL never. */
void watchdog_set(struct watchdog *w, struct watch *watch, int64_t deadline_us, void (*call)(void *arg), void *arg);

/* Ends the watch, behind its callback if that is running. Was it called? */
bool watchdog_clear(struct watchdog *w, struct watch *watch);

#endif
