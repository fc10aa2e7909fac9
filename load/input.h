/* A file, or standard input, as a window of contiguous text that moves over it.
 *
 * Knows nothing about what the text means. Whoever reads takes from the front and asks for more when what it wants is not
 * in the window whole; then the window fills up, and grows when it was full. Memory is that of the longest piece asked for.
 *
 *      data        start              end          cap
 *       |  taken    | text, len        | unused     |
 */
#ifndef SHARDGATE_INPUT_H
#define SHARDGATE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_WINDOW ((size_t)256 << 10) /* bytes that are read at a time */
#define INPUT_MAX_WINDOW ((size_t)32 << 20)
#define INPUT_POLL_MS 200 /* how often a wait for a pipe looks whether the user wants to stop */

struct input {
    int fd;
    char *data;
    size_t start;
    size_t end;
    size_t cap;
    bool ended;     /* nothing follows what is in the window */
    uint64_t taken; /* bytes of the file before the window */
    uint64_t size;  /* bytes of a file; 0 for a pipe, whose length nobody knows */
};

/* Opens `path`; "-" is standard input. 0; -1 with errno. The caller calls input_close(), also after a failure. */
int input_open(struct input *in, const char *path) __attribute__((warn_unused_result));
void input_close(struct input *in);

/* The text in the window. Lives until the next input_more(). */
const char *input_text(const struct input *in);
size_t input_len(const struct input *in);

/* Moves the window's front by `len` bytes of its text. */
void input_take(struct input *in, size_t len);

/* Shows more of the file, or sets `ended`. 0; -1 with errno: EINTR when the user wants to stop, EFBIG when the window has
 * its full size already. */
int input_more(struct input *in) __attribute__((warn_unused_result));

#endif
