/* A session of tds-server over a client in memory: all that it sends is there from the start. For fuzz targets. */
#ifndef SHARDGATE_TESTS_FUZZ_SERVE_H
#define SHARDGATE_TESTS_FUZZ_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Serves a client that sends these bytes and hears nothing, until the session ends. With `tls` encryption is offered. */
void fuzz_serve(const uint8_t *data, size_t size, bool tls);

/* The same for a client that has logged in before. Each answer of the server can be read. */
void fuzz_serve_logged_in(const uint8_t *data, size_t size);

#endif
