/* The paths of the public API and their handlers, in one const table. */
#ifndef SHARDGATE_ROUTES_H
#define SHARDGATE_ROUTES_H

#include "common/http.h"

extern const struct http_route routes[];
extern const size_t route_count;

#endif
