#include "load/loader.h"

#include "common/buf.h"
#include "load/api.h"
#include "load/progress.h"
#include "load/stop.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAUSE_MS 100 /* how often a pause before a retry looks whether the user wants to stop */

/* The rows of the request that is being made. */
struct request {
    struct buf body;
    uint64_t *lines; /* where each row begins in the file */
    uint64_t count;
    uint64_t bytes;  /* of the file, up to its last row */
};

struct loader {
    const struct loader_options *options;
    struct loader_result *result;
    struct source *source;
    struct api *api;
    struct buf path; /* of the inserts */
    struct progress progress;
    struct request request;
};

/* While libcurl waits. True: the user has no patience left for the request under way. */
static bool tick(void *arg)
{
    struct loader *l = arg;

    if (stop_wanted() && l->progress.note[0] == '\0')
        progress_note(&l->progress, "finishing the request under way (Ctrl-C again gives it up)");
    progress_draw(&l->progress);
    return stop_impatient();
}

__attribute__((format(printf, 3, 4))) static void say(struct loader *l, enum loader_end end, const char *format, ...)
{
    va_list args;

    l->result->end = end;
    va_start(args, format);
    vsnprintf(l->result->message, sizeof l->result->message, format, args);
    va_end(args);
}

/* Opening. */

static int open_file(struct loader *l)
{
    static const enum loader_end ends[] = {
        [SOURCE_FAULT_MISSING] = LOADER_NO_FILE,
        [SOURCE_FAULT_OPTION] = LOADER_BAD_USAGE,
        [SOURCE_FAULT_FILE] = LOADER_BAD_START,
    };
    enum source_fault fault;
    struct buf error;

    buf_init(&error, sizeof l->result->message);
    const int rc = source_open(&l->source, l->options->file, &l->options->source, &fault, &error);
    if (rc != 0)
        say(l, ends[fault], "%s", buf_text(&error));
    buf_clear(&error);
    return rc;
}

/* Percent-encoding (RFC 3986 2.1) of all but letters, digits and _. */
static void append_encoded(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        buf_printf(out, plain ? "%c" : "%%%02X", c);
    }
}

static int write_path(struct loader *l)
{
    buf_append_text(&l->path, "/insert?db_name=");
    append_encoded(&l->path, l->options->db);
    buf_append_text(&l->path, "&table=");
    append_encoded(&l->path, l->options->table);
    if (buf_status(&l->path) == 0)
        return 0;
    say(l, LOADER_BAD_USAGE, "--db or --table: too long a name");
    return -1;
}

static int open_api(struct loader *l)
{
    struct api_answer metadata;
    char detail[API_MAX_DETAIL];

    if (api_open(&l->api, l->options->url, tick, l, detail) != 0) {
        say(l, LOADER_BAD_USAGE, "--url: %s", detail);
        return -1;
    }
    api_get(l->api, "/metadata", &metadata);
    if (metadata.result != API_ANSWERED) {
        say(l, LOADER_NO_API, "%s", metadata.detail);
        return -1;
    }
    if (tally_name(&l->result->tally, &metadata, l->options->db) != 0) {
        say(l, LOADER_NO_API, "%s: what answers there (status %d to /metadata) is no Shardgate", l->options->url, metadata.status);
        return -1;
    }
    return 0;
}

/* One request. */

/* Rows, one a line, until the request is full or the source has no more. */
static enum source_result fill_request(struct loader *l)
{
    struct request *r = &l->request;
    const size_t bytes = l->options->rows <= LOADER_ROWS ? LOADER_BYTES : LOADER_MAX_BYTES;
    enum source_result result = SOURCE_ROW;

    r->count = 0;
    buf_reset(&r->body);
    while (result == SOURCE_ROW && r->count < l->options->rows && r->body.len < bytes && !stop_wanted()) {
        result = source_next(l->source, &r->body, &r->lines[r->count]);
        if (result == SOURCE_ROW) {
            buf_append_char(&r->body, '\n');
            r->count++;
        }
    }
    r->bytes = source_bytes(l->source);
    return result;
}

/* Waits before a request is sent again. False when the user wants to stop. */
static bool pause_for(struct loader *l, int seconds, const char *why)
{
    static const struct timespec moment = {.tv_nsec = PAUSE_MS * 1000000L};
    char note[PROGRESS_MAX_NOTE];

    for (int left_ms = seconds * 1000; left_ms > 0 && !stop_wanted(); left_ms -= PAUSE_MS) {
        snprintf(note, sizeof note, "trying again in %d s: %.180s", (left_ms + 999) / 1000, why);
        if (left_ms % 1000 == 0)
            progress_note(&l->progress, note);
        nanosleep(&moment, NULL);
    }
    progress_note(&l->progress, NULL);
    return !stop_wanted();
}

/* Sends the request until its answer stands: once, but for refusals that leave nothing behind and ask for patience. */
static void send_request(struct loader *l, struct answer *answer)
{
    struct request *r = &l->request;

    for (int tries = 0;; tries++) {
        struct api_answer got;
        api_post(l->api, buf_text(&l->path), "application/x-ndjson", r->body.data, r->body.len, &got);
        answer_read(&got, r->count, answer);
        if (!answer->again || tries == l->options->retries || !pause_for(l, answer->wait_s, answer->detail))
            return;
        answer_clear(answer);
    }
}

/* The request's end is the load's: keeps its answer for the report. */
static void end_with(struct loader *l, const struct answer *answer)
{
    struct loader_result *result = l->result;
    const struct request *r = &l->request;

    result->answer = *answer;
    result->first_line = r->lines[0];
    result->last_line = r->lines[r->count - 1];
    result->rows = r->count;
    result->bad_line = answer->bad_row < r->count ? r->lines[answer->bad_row] : 0;
    result->end = answer->unknown ? LOADER_UNKNOWN : answer->rows > 0 ? LOADER_PARTLY : LOADER_REFUSED;
}

/* 0 when all its rows were written. */
static int do_request(struct loader *l)
{
    struct answer answer;

    send_request(l, &answer);
    tally_add(&l->result->tally, &answer);
    if (!answer.loaded) {
        end_with(l, &answer);
        return -1;
    }
    answer_clear(&answer);
    progress_set(&l->progress, l->result->tally.rows, l->request.bytes);
    progress_draw(&l->progress);
    return 0;
}

static void end_of_source(struct loader *l, enum source_result result)
{
    if (result == SOURCE_BAD)
        say(l, LOADER_BAD_ROW, "%s", source_error(l->source));
    else
        l->result->end = LOADER_COMPLETE;
    l->result->first_line = source_line(l->source);
}

/* Ends a load whose next request is not sent. */
static void end_before_request(struct loader *l, const char *message)
{
    say(l, LOADER_STOPPED, "%s", message);
    l->result->first_line = l->request.count > 0 ? l->request.lines[0] : source_line(l->source);
}

static void load_rows(struct loader *l)
{
    enum source_result result;

    do {
        result = fill_request(l);
        if (buf_status(&l->request.body) != 0) {
            end_before_request(l, "out of memory");
            return;
        }
        if (stop_wanted()) {
            end_before_request(l, "stopped");
            return;
        }
        if (l->request.count > 0 && do_request(l) != 0)
            return;
    } while (result == SOURCE_ROW);
    end_of_source(l, result);
}

void loader_run(const struct loader_options *options, struct loader_result *result)
{
    struct loader l = {.options = options, .result = result};

    *result = (struct loader_result){.end = LOADER_STOPPED};
    buf_init(&l.path, API_MAX_PATH - 1);
    buf_init(&l.request.body, SIZE_MAX / 2); /* LOADER_MAX_BYTES, and one row */
    l.request.lines = calloc(options->rows, sizeof *l.request.lines);
    if (l.request.lines == NULL) {
        say(&l, LOADER_BAD_START, "out of memory");
        goto out;
    }
    progress_start(&l.progress, 0, options->quiet);
    if (write_path(&l) != 0 || open_file(&l) != 0 || open_api(&l) != 0)
        goto out;
    progress_start(&l.progress, source_size(l.source), options->quiet);
    load_rows(&l);
    result->elapsed_ms = progress_elapsed_ms(&l.progress);
out:
    progress_end(&l.progress);
    api_close(l.api);
    source_close(l.source);
    buf_clear(&l.path);
    buf_clear(&l.request.body);
    free(l.request.lines);
}

void loader_clear(struct loader_result *result)
{
    answer_clear(&result->answer);
}
