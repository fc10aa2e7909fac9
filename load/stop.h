/* The user's wish to stop: SIGINT, SIGTERM or SIGHUP. The first one ends the load after the request under way, the second
 * one gives that request up, too. Knows nothing about what is stopped. */
#ifndef SHARDGATE_STOP_H
#define SHARDGATE_STOP_H

#include <stdbool.h>

/* Takes the signals from now on. */
void stop_listen(void);

bool stop_wanted(void);   /* there was a signal */
bool stop_impatient(void); /* there were two */

#endif
