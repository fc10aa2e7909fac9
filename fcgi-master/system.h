/* The requests on the system itself: /metadata, /health, /security-check. They describe the cluster; none is about data. */
#ifndef SHARDGATE_SYSTEM_H
#define SHARDGATE_SYSTEM_H

#include "common/http.h"

/* For a worker's answer to /health or /security-check: a hung one costs this. Long enough for a worker to find that its
 * database hangs, which takes it 2 s, and to say so. */
#define SYSTEM_PROBE_MS 2500

/* http_route's handlers. */
void system_metadata(struct http *h, void *thread);
void system_health(struct http *h, void *thread);
void system_security_check(struct http *h, void *thread);

#endif
