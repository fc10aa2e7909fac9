#include "fcgi-worker/newsocket.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The socket's own number, which is not used again so soon as its descriptor's. 0 for what is no TCP socket. */
static ino_t tcp_number(int fd)
{
    struct stat st;
    int domain = 0, type = 0;
    socklen_t domain_size = sizeof(domain), type_size = sizeof(type);

    if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode) || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) != 0
        || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0)
        return 0;
    return (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM ? st.st_ino : 0;
}

static bool is_known(const struct newsocket *n, ino_t number)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->known[i] == number)
            return true;
    }
    return false;
}

/* Goes through the process's TCP sockets that are not known: notes them, or leaves the only one in *fd. How many there were. */
static size_t look(struct newsocket *note, const struct newsocket *known, int *fd)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t found = 0;

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        ino_t number = entry->d_name[0] == '.' ? 0 : tcp_number(atoi(entry->d_name));
        if (number == 0 || (known != NULL && is_known(known, number)))
            continue;
        found++;
        if (note != NULL && note->count < NEWSOCKET_MAX)
            note->known[note->count++] = number;
        *fd = atoi(entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

void newsocket_note(struct newsocket *n)
{
    int fd;
    n->count = 0;
    (void)look(n, NULL, &fd);
}

int newsocket_find(const struct newsocket *n)
{
    int fd = -1;
    return n->count < NEWSOCKET_MAX && look(NULL, n, &fd) == 1 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
}
