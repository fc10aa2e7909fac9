/* Questions that the launcher asks of ports. Knows nothing about processes. */
#ifndef SHARDGATE_PROBE_H
#define SHARDGATE_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#define PROBE_TIMEOUT_MS 3000 /* of one question */

/* 0 when the address and port can be bound; else the errno of bind(). */
int probe_free(const char *address, int port);

/* Does somebody accept connections there? */
bool probe_listening(const char *address, int port);

/* GET /health: the status; negative when lighttpd answered because its app does not run (an app's answer carries
 * X-Shardgate); 0 for no answer. The beginning of the answer's body goes to `body`. */
int probe_health(const char *address, int port, char *body, size_t size);

#endif
