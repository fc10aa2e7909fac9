#include "load/report.h"

#include "load/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    bool started; /* there is a table of rows to show */
} ends[] = {
    [LOADER_COMPLETE] = {REPORT_EXIT_LOADED, true},
    [LOADER_NO_FILE] = {REPORT_EXIT_NO_FILE, false},
    [LOADER_BAD_USAGE] = {REPORT_EXIT_USAGE, false},
    [LOADER_BAD_START] = {REPORT_EXIT_NOT_LOADED, false},
    [LOADER_NO_API] = {REPORT_EXIT_NO_API, false},
    [LOADER_STOPPED] = {REPORT_EXIT_NOT_LOADED, true},
    [LOADER_BAD_ROW] = {REPORT_EXIT_NOT_LOADED, true},
    [LOADER_REFUSED] = {REPORT_EXIT_NOT_LOADED, true},
    [LOADER_PARTLY] = {REPORT_EXIT_NOT_LOADED, true},
    [LOADER_UNKNOWN] = {REPORT_EXIT_UNKNOWN, true},
};

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static const char *shown_file(const struct loader_options *o)
{
    return strcmp(o->file, "-") == 0 ? "standard input" : o->file;
}

static int wider(int width, const char *text)
{
    const int len = (int)strlen(text);
    return len > width ? len : width;
}

/* "data.csv into SchoolDB.Students: 1,000,000 rows in 20.4 s, 49,019 rows/s" */
static void print_sum(const struct loader_options *o, const struct loader_result *r)
{
    char number[PROGRESS_NUMBER_MAX], rate[PROGRESS_NUMBER_MAX];

    printf("%s into %s.%s: %s row%s in %.1f s", shown_file(o), o->db, o->table, progress_number(r->tally.rows, number),
           plural(r->tally.rows), (double)r->elapsed_ms / 1000);
    if (r->elapsed_ms > 0)
        printf(", %s rows/s", progress_number(r->tally.rows * 1000 / r->elapsed_ms, rate));
    printf("\n\n");
}

static void print_table(const struct tally *t)
{
    char number[PROGRESS_NUMBER_MAX];
    int worker = wider(0, "worker");
    int database = wider(0, "database");
    const int rows = wider((int)strlen("rows"), progress_number(t->rows, number));

    for (size_t i = 0; i < t->count; i++) {
        worker = wider(worker, t->shards[i].worker);
        database = wider(database, t->shards[i].database);
    }
    printf("  shard  %-*s  %-*s  %*s\n", worker, "worker", database, "database", rows, "rows");
    for (size_t i = 0; i < t->count; i++) {
        const struct tally_shard *s = &t->shards[i];
        printf("  %5zu  %-*s  %-*s  %*s\n", i, worker, s->worker, database, s->database, rows, progress_number(s->rows, number));
    }
    printf("  %5s  %-*s  %-*s  %*s\n", "", worker, "", database, "all", rows, progress_number(t->rows, number));
}

/* "lines 2 to 1001 (1,000 rows)" */
static void complain_range(const struct loader_result *r)
{
    char number[PROGRESS_NUMBER_MAX];

    if (r->first_line == r->last_line)
        fprintf(stderr, "line %" PRIu64, r->first_line);
    else
        fprintf(stderr, "lines %" PRIu64 " to %" PRIu64, r->first_line, r->last_line);
    fprintf(stderr, " (%s row%s)", progress_number(r->rows, number), plural(r->rows));
}

/* Why the API did not take the request's rows. */
static void complain_answer(const struct loader_options *o, const struct loader_result *r)
{
    const struct answer *a = &r->answer;

    fprintf(stderr, "shardgate-load: ");
    if (r->bad_line > 0)
        fprintf(stderr, "%s:%" PRIu64 ": ", shown_file(o), r->bad_line);
    fprintf(stderr, "%s\n", a->detail);
    if (a->code[0] != '\0')
        fprintf(stderr, "  (%s, request %s)\n", a->code, a->request_id);
}

/* Each shard's part of a request that did not end well everywhere. */
static void complain_shards(const struct answer *a)
{
    char number[PROGRESS_NUMBER_MAX];

    for (size_t i = 0; i < a->count; i++) {
        const struct answer_shard *s = &a->shards[i];
        fprintf(stderr, "  %-8s ", s->worker);
        if (s->outcome == ANSWER_APPLIED)
            fprintf(stderr, "%s row%s loaded\n", progress_number(s->rows, number), plural(s->rows));
        else
            fprintf(stderr, "%s: %s\n", s->outcome == ANSWER_NOT_APPLIED ? "not loaded" : "unknown", s->detail);
    }
}

/* Where this load came from its first row to, and how to take it up there. */
static void advise(const struct loader_result *r, const char *when, uint64_t line)
{
    if (r->tally.rows > 0)
        fprintf(stderr, "%s, run the same command with --from-line %" PRIu64 ".\n", when, line);
}

/* The load ended before a line, without doubts. */
static void complain_end(const struct loader_result *r, const char *when)
{
    if (r->tally.rows == 0)
        fprintf(stderr, "Nothing was loaded.\n");
    else
        fprintf(stderr, "All rows before line %" PRIu64 " are loaded, none from there on.\n", r->first_line);
    advise(r, when, r->first_line);
}

/* The load ended with a request that some shards have, or may have. */
static void complain_doubt(const struct loader_result *r)
{
    fprintf(stderr, r->end == LOADER_PARTLY ? "Only a part of " : "It is unknown how much is loaded of ");
    complain_range(r);
    fprintf(stderr, r->end == LOADER_PARTLY ? " is loaded:\n" : ":\n");
    complain_shards(&r->answer);
    fprintf(stderr,
            "All rows before them are loaded, none behind them. Look which of them are there before you load any of them\n"
            "again, with --from-line %" PRIu64 " --to-line %" PRIu64 ". To go on behind them: --from-line %" PRIu64 ".\n",
            r->first_line, r->last_line, r->last_line + 1);
}

static void complain(const struct loader_options *o, const struct loader_result *r)
{
    switch (r->end) {
    case LOADER_COMPLETE:
        return;
    case LOADER_NO_FILE:
    case LOADER_BAD_USAGE:
    case LOADER_BAD_START:
    case LOADER_NO_API:
        fprintf(stderr, "shardgate-load: %s\n", r->message);
        return;
    case LOADER_STOPPED:
        fprintf(stderr, "shardgate-load: %s\n", r->message);
        complain_end(r, "To go on");
        return;
    case LOADER_BAD_ROW:
        fprintf(stderr, "shardgate-load: %s\n", r->message);
        complain_end(r, "When the file is mended");
        return;
    case LOADER_REFUSED:
        complain_answer(o, r);
        complain_end(r, "When the cause is mended");
        return;
    case LOADER_PARTLY:
    case LOADER_UNKNOWN:
        complain_answer(o, r);
        complain_doubt(r);
        return;
    }
}

int report_print(const struct loader_options *options, const struct loader_result *result)
{
    const int status = ends[result->end].status;
    const bool complete = status == REPORT_EXIT_LOADED;

    if (ends[result->end].started && (complete ? !options->quiet : result->tally.rows > 0)) {
        print_sum(options, result);
        print_table(&result->tally);
        fputs(complete ? "" : "\n", stdout);
        fflush(stdout);
    }
    complain(options, result);
    return status;
}
