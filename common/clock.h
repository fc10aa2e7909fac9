/* The time that deadlines and waits count by: CLOCK_MONOTONIC, which nobody sets. */
#ifndef SHARDGATE_CLOCK_H
#define SHARDGATE_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

int64_t clock_now_us(void); /* microseconds */
int64_t clock_now_ms(void); /* milliseconds */

/* A time in microseconds as the waits of <pthread.h> want it. */
struct timespec clock_timespec(int64_t us);

/* Makes a condition variable whose timed waits go by this clock. */
void clock_cond_init(pthread_cond_t *cond);

#endif
