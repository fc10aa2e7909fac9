/* Threads that help with work of several items, so that one item that takes its time holds up no other.
 *
 * The thread that brings the work runs its items itself, one after the other, from the front. Lanes take theirs from the back:
 *
 *     items   0 1 2 | 3 4 5 | 6 7        as many lanes at once as the work asks for, and one more
 *     its own thread →     ← lanes       whenever what is left has waited for LANES_PATIENCE_US
 *
 * A lane is made when it is first needed, with a context of its own (as http.h's threads have one), and stays. When all of them are busy,
 * items wait; one whose deadline has passed is run by a thread that does nothing else, the keeper, which also keeps the time.
 *
 * Knows nothing about what the items are.
 */
#ifndef SHARDGATE_WORKER_LANES_H
#define SHARDGATE_WORKER_LANES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_TICK_US 1000     /* how often the keeper looks while there is work */
#define LANES_PATIENCE_US 1000 /* how long items wait before another lane joins */
#define LANES_LINGER 20        /* ticks without work after which the keeper sleeps: to wake it costs more than to let it look */

struct lanes;

struct lanes_work {
    /* Runs one item, in any thread; it must end by the item's deadline, or soon after. */
    void (*run)(struct lanes_work *w, size_t item, void *thread);
    /* Called by the keeper at each tick until all items have ended. It must not wait. NULL for none. */
    void (*tick)(struct lanes_work *w);
    size_t *items;            /* those to run, front to back; borrowed, and put into another order */
    size_t count;
    size_t helpers;           /* lanes that are wanted at once */
    const int64_t *deadlines; /* of CLOCK_MONOTONIC, by item */

    size_t front, back; /* the items [front, back) are unstarted */
    size_t running;
    int64_t joined_us; /* when a lane was called last */
    pthread_cond_t ended;
    struct lanes_work *next;
};

/* At most `max` lanes, whose contexts `open(arg, index)` makes, in the lane's thread (NULL when memory ran out), and `close` releases.
 * Starts no thread yet. NULL when memory ran out. */
struct lanes *lanes_new(unsigned max, void *(*open)(void *arg, unsigned index), void (*close)(void *thread), void *arg);
/* No work may be under way. Waits for the threads. NULL is fine. */
void lanes_free(struct lanes *l);

/* Runs all items, those of this thread with its context `thread`, and returns when each has ended. */
void lanes_run(struct lanes *l, struct lanes_work *w, void *thread);

/* Called by an item that is about to end. */
enum lanes_rest {
    LANES_ENDING,   /* it is the last one */
    LANES_RUNNING,  /* others run, and none is unstarted */
    LANES_UNSTARTED /* its thread has another one to run */
};
enum lanes_rest lanes_ask(struct lanes *l, const struct lanes_work *w);

#endif
