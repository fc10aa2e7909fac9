#include <config.h>

#include "lighttpd/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX 8192

/* A TCP socket, and the address in `sa`; -1 when there is none to be had. */
static int open_socket(const char *address, int port, struct sockaddr_in *sa)
{
    struct timeval limit = {.tv_sec = PROBE_TIMEOUT_MS / 1000, .tv_usec = PROBE_TIMEOUT_MS % 1000 * 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *sa = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* connect() obeys it, too */
    if (inet_pton(AF_INET, address, &sa->sin_addr) != 1) {
        close(fd);
        return -1;
    }
    return fd;
}

int probe_free(const char *address, int port)
{
    struct sockaddr_in sa;
    int fd = open_socket(address, port, &sa);
    int on = 1;
    int reason = 0;

    if (fd < 0)
        return errno;
    /* As the servers do: a port whose last connections linger in TIME_WAIT is free. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || listen(fd, 1) != 0)
        reason = errno;
    close(fd);
    return reason;
}

static int connect_to(const char *address, int port)
{
    struct sockaddr_in sa;
    int fd = open_socket(address, port, &sa);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool probe_listening(const char *address, int port)
{
    int fd = connect_to(address, port);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int probe_health(const char *address, int port, char *body, size_t size)
{
    static const char request[] = "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n";
    char answer[ANSWER_MAX + 1];
    size_t len = 0;
    ssize_t got;
    int status = 0;
    const char *behind;
    int fd = connect_to(address, port);

    *body = '\0';
    if (fd < 0)
        return 0;
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1) {
        while (len < ANSWER_MAX && (got = recv(fd, answer + len, ANSWER_MAX - len, 0)) > 0)
            len += (size_t)got;
    }
    close(fd);
    answer[len] = '\0';
    behind = strstr(answer, "\r\n\r\n");
    if (behind == NULL || strncmp(answer, "HTTP/1.", 7) != 0)
        return 0;
    status = atoi(answer + strlen("HTTP/1.x "));
    snprintf(body, size, "%s", behind + 4);
    return memmem(answer, (size_t)(behind - answer), "\r\nX-Shardgate:", 14) != NULL ? status : -status;
}
