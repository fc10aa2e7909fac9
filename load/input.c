#include "load/input.h"

#include "load/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int input_open(struct input *in, const char *path)
{
    struct stat about;

    *in = (struct input){.fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)};
    if (in->fd < 0 || fstat(in->fd, &about) != 0)
        return -1;
    if (S_ISDIR(about.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    if (S_ISREG(about.st_mode))
        in->size = (uint64_t)about.st_size;
    in->data = malloc(INPUT_WINDOW);
    in->cap = INPUT_WINDOW;
    return in->data == NULL ? -1 : 0;
}

void input_close(struct input *in)
{
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    free(in->data);
    *in = (struct input){.fd = -1};
}

const char *input_text(const struct input *in)
{
    return in->data + in->start;
}

size_t input_len(const struct input *in)
{
    return in->end - in->start;
}

void input_take(struct input *in, size_t len)
{
    in->start += len;
    in->taken += len;
}

/* Makes room behind the text. */
static int make_room(struct input *in)
{
    if (in->start > 0) {
        memmove(in->data, in->data + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    if (in->end < in->cap)
        return 0;
    if (in->cap >= INPUT_MAX_WINDOW) {
        errno = EFBIG;
        return -1;
    }
    char *larger = realloc(in->data, in->cap * 2);
    if (larger == NULL)
        return -1;
    in->data = larger;
    in->cap *= 2;
    return 0;
}

/* Waits until there is something to read. A signal between a look at the flag and a read would be forgotten; hence the poll. */
static int wait_readable(const struct input *in)
{
    struct pollfd p = {.fd = in->fd, .events = POLLIN};

    while (!stop_wanted()) {
        const int n = poll(&p, 1, INPUT_POLL_MS);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -1;
    }
    errno = EINTR;
    return -1;
}

int input_more(struct input *in)
{
    if (make_room(in) != 0)
        return -1;
    while (in->end < in->cap && !in->ended) {
        if (wait_readable(in) != 0)
            return -1;
        const ssize_t n = read(in->fd, in->data + in->end, in->cap - in->end);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -1;
        if (n == 0)
            in->ended = true;
        if (n > 0)
            in->end += (size_t)n;
    }
    return 0;
}
