/* One line on a terminal that says how far a load is; nothing where there is no terminal. Also how numbers and times look.
 *
 * Knows nothing about files or the network. Never scrolls: the line is drawn over, and gone when the load is.
 */
#ifndef SHARDGATE_PROGRESS_H
#define SHARDGATE_PROGRESS_H

#include "common/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_DRAW_MS 200    /* it is drawn at most so often */
#define PROGRESS_SETTLE_MS 2000 /* of which the rate is the mean, about */
#define PROGRESS_MAX_NOTE 256

struct progress {
    bool shown;   /* standard error is a terminal that can draw over a line */
    bool unicode;
    bool colour;
    uint64_t size; /* bytes of the file; 0: unknown, and then there is no bar */
    uint64_t bytes;
    uint64_t rows;
    uint64_t started_ms;
    uint64_t drawn_ms;
    uint64_t rate_ms;   /* when the rate was last looked at, and how many rows there were */
    uint64_t rate_rows;
    double rate;        /* rows a second; negative before the first look */
    char note[PROGRESS_MAX_NOTE]; /* instead of rate and time: what is waited for; "" as a rule */
};

/* Starts the clock. `quiet`: nothing is shown anywhere. */
void progress_start(struct progress *p, uint64_t size, bool quiet);

/* So many rows, and bytes of the file that hold them, are in the databases. */
void progress_set(struct progress *p, uint64_t rows, uint64_t bytes);

/* What is waited for; NULL for nothing any more. */
void progress_note(struct progress *p, const char *note);

/* Draws the line when it is time to. */
void progress_draw(struct progress *p);

/* Takes the line away. */
void progress_end(struct progress *p);

/* Milliseconds since progress_start(). */
uint64_t progress_elapsed_ms(const struct progress *p);

/* The line as it is drawn now, for a terminal of that many columns. */
void progress_write(const struct progress *p, int columns, struct buf *out);

/* "1,234,567", "0:08", "1:02:03" */
#define PROGRESS_NUMBER_MAX 32
const char *progress_number(uint64_t n, char out[PROGRESS_NUMBER_MAX]);
const char *progress_time(uint64_t seconds, char out[PROGRESS_NUMBER_MAX]);

#endif
