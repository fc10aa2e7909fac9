#include "tds-server/wire/transport.h"

#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

static ssize_t socket_read(struct transport *t, void *data, size_t len)
{
    for (;;) {
        if (t->deadline_ms != 0) {
            int64_t left = t->deadline_ms - clock_now_ms();
            struct pollfd p = {.fd = t->fd, .events = POLLIN};
            int ready = left <= 0 ? 0 : poll(&p, 1, (int)left);
            if (ready == 0 || (ready < 0 && errno != EINTR)) {
                return -1;
            }
            if (ready < 0) {
                continue;
            }
        }
        ssize_t got = recv(t->fd, data, len, 0);
        if (got >= 0 || errno != EINTR) {
            return got;
        }
    }
}

static int socket_write(struct transport *t, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t sent = send(t->fd, p, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return -1;
        }
        p += sent;
        len -= (size_t)sent;
    }
    return 0;
}

void transport_init_socket(struct transport *t, int fd)
{
    *t = (struct transport){.read = socket_read, .write = socket_write, .fd = fd};
}
