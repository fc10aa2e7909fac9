/* Keeps what a server has freed from staying with it. glibc keeps freed memory in an arena for each thread, and gives back its
 * upper end alone, and not that while small pieces wait there for their next use: so that after one large request in
 * each thread a process stays as large as it was then. Knows nothing about what the memory is used for.
 */
#ifndef SHARDGATE_MEMORY_H
#define SHARDGATE_MEMORY_H

#include <signal.h>

#define MEMORY_PAUSE_S 5       /* how often freed memory is given back, at most */
#define MEMORY_WORK_MS 20      /* CPU time of the process below which there was too little work since to look for any */

/* Waits for one of the signals, which all threads block, and returns its number. Meanwhile gives freed memory back to the system
 * when there was work. For the main thread, whose threads serve. */
int memory_wait_for_signal(const sigset_t *signals);

#endif
