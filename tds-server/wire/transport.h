/* What carries a connection's bytes: a socket, or TLS over one (tls.h). Knows nothing about what they mean. */
#ifndef SHARDGATE_TDS_TRANSPORT_H
#define SHARDGATE_TDS_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct transport {
    /* Waits for bytes: their count, at least 1; 0 when the peer has closed; -1 on an error or after the deadline. */
    ssize_t (*read)(struct transport *t, void *data, size_t len);
    /* Sends all of it: 0, or -1. */
    int (*write)(struct transport *t, const void *data, size_t len);
    /* The next byte, when it was taken off the socket already and only read has yet to give it; else -1. NULL: never so. */
    int (*peek)(struct transport *t);
    int fd;              /* the caller's, who closes it */
    int64_t deadline_ms; /* of reads, as clock_now_ms counts; 0 for none */
};

/* Bytes over a connected, blocking socket as they are. */
void transport_init_socket(struct transport *t, int fd);

#endif
