/* The time that deadlines and waits count by: CLOCK_MONOTONIC, which nobody sets. */
#ifndef SHARDGATE_CLOCK_H
#define SHARDGATE_CLOCK_H

#include <stdint.h>

int64_t clock_now_us(void); /* microseconds */
int64_t clock_now_ms(void); /* milliseconds */

#endif
