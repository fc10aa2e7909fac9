#include "load/progress.h"

#include <inttypes.h>
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define MARGIN       "  "
#define TEXT_WIDTH   58 /* columns that the text behind the bar takes */
#define BAR_MIN      10
#define BAR_MAX      40
#define LINE_MAX_LEN 2048
#define ESTIMATE_MS  1000 /* no time is estimated before so much has passed */

static const struct style {
    const char *done;
    const char *half;
    const char *left;
} plain = {"=", "-", " "}, drawn = {"━", "╸", "─"};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

const char *progress_number(uint64_t n, char out[PROGRESS_NUMBER_MAX])
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    char *to = out;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

const char *progress_time(uint64_t seconds, char out[PROGRESS_NUMBER_MAX])
{
    const uint64_t h = seconds / 3600, m = seconds / 60 % 60, s = seconds % 60;

    if (h > 0)
        snprintf(out, PROGRESS_NUMBER_MAX, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, h, m, s);
    else
        snprintf(out, PROGRESS_NUMBER_MAX, "%" PRIu64 ":%02" PRIu64, m, s);
    return out;
}

void progress_start(struct progress *p, uint64_t size, bool quiet)
{
    const char *term = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR");

    *p = (struct progress){.size = size, .rate = -1};
    p->shown = !quiet && isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    p->unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    p->colour = no_colour == NULL || no_colour[0] == '\0';
    p->started_ms = p->rate_ms = now_ms();
}

uint64_t progress_elapsed_ms(const struct progress *p)
{
    return now_ms() - p->started_ms;
}

void progress_set(struct progress *p, uint64_t rows, uint64_t bytes)
{
    p->rows = rows;
    p->bytes = bytes;
}

void progress_note(struct progress *p, const char *note)
{
    snprintf(p->note, sizeof p->note, "%s", note == NULL ? "" : note);
    p->drawn_ms = 0;
    progress_draw(p);
}

/* A mean that forgets: what was PROGRESS_SETTLE_MS ago counts for a third. */
static void look_at_rate(struct progress *p, uint64_t now)
{
    const double ms = (double)(now - p->rate_ms);
    if (ms < PROGRESS_DRAW_MS)
        return;
    const double rate = (double)(p->rows - p->rate_rows) * 1000 / ms;
    const double weight = p->rate < 0 ? 1 : 1 - exp(-ms / PROGRESS_SETTLE_MS);
    p->rate = p->rate < 0 ? rate : p->rate + (rate - p->rate) * weight;
    p->rate_ms = now;
    p->rate_rows = p->rows;
}

static void write_bar(const struct progress *p, int width, struct buf *out)
{
    const struct style *style = p->unicode ? &drawn : &plain;
    const double part = p->bytes >= p->size ? 1 : (double)p->bytes / (double)p->size;
    const int halves = (int)(part * width * 2);

    buf_append_text(out, p->colour ? "\033[36m" : "");
    for (int i = 0; i < halves / 2; i++)
        buf_append_text(out, style->done);
    if (halves % 2 != 0)
        buf_append_text(out, style->half);
    buf_append_text(out, p->colour ? "\033[0;2m" : "");
    for (int i = (halves + 1) / 2; i < width; i++)
        buf_append_text(out, style->left);
    buf_append_text(out, p->colour ? "\033[0m" : "");
    buf_printf(out, " %3d %%", (int)(part * 100));
}

/* What is left of the file takes as long as the part before it did: calmer than the rate of the moment. */
static void write_time(const struct progress *p, struct buf *out)
{
    char text[PROGRESS_NUMBER_MAX];
    const uint64_t elapsed = progress_elapsed_ms(p);

    if (p->size == 0)
        buf_printf(out, "  %7s", progress_time(elapsed / 1000, text));
    else if (p->bytes > 0 && elapsed >= ESTIMATE_MS && p->bytes <= p->size)
        buf_printf(out, "  %7s left",
                   progress_time((uint64_t)((double)elapsed * (double)(p->size - p->bytes) / (double)p->bytes / 1000 + 0.5), text));
}

void progress_write(const struct progress *p, int columns, struct buf *out)
{
    char text[PROGRESS_NUMBER_MAX];
    int bar = columns - TEXT_WIDTH;

    buf_append_text(out, MARGIN);
    if (bar > BAR_MAX)
        bar = BAR_MAX;
    if (p->size > 0 && bar >= BAR_MIN)
        write_bar(p, bar, out);
    buf_printf(out, "  %11s rows", progress_number(p->rows, text));
    if (p->note[0] != '\0') {
        buf_printf(out, "  %s", p->note);
        return;
    }
    if (p->rate >= 0)
        buf_printf(out, "  %9s/s", progress_number((uint64_t)(p->rate + 0.5), text));
    write_time(p, out);
}

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void progress_draw(struct progress *p)
{
    const uint64_t now = now_ms();
    struct buf line;

    look_at_rate(p, now);
    if (!p->shown || now - p->drawn_ms < PROGRESS_DRAW_MS)
        return;
    p->drawn_ms = now;
    buf_init(&line, LINE_MAX_LEN);
    /* Without wrapping, so that a line that is too long is cut rather than left behind in pieces. */
    buf_append_text(&line, "\r\033[?7l");
    progress_write(p, terminal_columns(), &line);
    buf_append_text(&line, "\033[K\033[?7h");
    fputs(buf_text(&line), stderr);
    fflush(stderr);
    buf_clear(&line);
}

void progress_end(struct progress *p)
{
    if (p->shown && p->drawn_ms > 0)
        fputs("\r\033[K", stderr);
    p->shown = false;
}
