#include "load/source.h"

#include "common/json.h"
#include "common/utf8.h"
#include "load/csv.h"
#include "load/input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_MESSAGE 4096
#define MAX_MEMBERS ((size_t)1 << 20) /* bytes of the columns' names as members of an object */
#define MAX_VALUE   CSV_MAX_FIELD

struct source {
    const char *path;
    struct source_options options;
    struct csv_format csv;
    struct input input;
    uint64_t line;            /* where the window begins */
    struct buf error;
    struct buf value;         /* a field without its doubled quotes */
    struct buf members;       /* `{"first":` `,"second":` …: what stands before each value */
    size_t members_end[CSV_MAX_FIELDS];
    size_t columns;
    struct csv_record record;
};

static const struct {
    const char *name;
    const char *suffixes[3];
} formats[] = {
    [SOURCE_CSV] = {"csv", {".csv", ".tsv"}},
    [SOURCE_NDJSON] = {"ndjson", {".ndjson", ".jsonl"}},
    [SOURCE_BCP] = {"bcp", {NULL}},
};

enum source_format source_format_of_file(const char *path)
{
    const char *dot = strrchr(path, '.');

    for (int f = 0; dot != NULL && f < SOURCE_FORMATS; f++)
        for (size_t i = 0; formats[f].suffixes[i] != NULL; i++)
            if (strcasecmp(dot, formats[f].suffixes[i]) == 0)
                return (enum source_format)f;
    return SOURCE_FORMATS;
}

enum source_format source_format_find(const char *name)
{
    for (int f = 0; f < SOURCE_FORMATS; f++)
        if (strcmp(name, formats[f].name) == 0)
            return (enum source_format)f;
    return SOURCE_FORMATS;
}

/* Messages. */

/* Where byte `at` of the window's text is: its line, and the character in it, both counted from 1. A malformed byte counts as
 * one character. */
static void locate(const struct source *s, size_t at, uint64_t *line, uint64_t *column)
{
    const char *p = input_text(&s->input);
    const char *const end = p + at;
    const char *newline;

    *line = s->line;
    while ((newline = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        (*line)++;
        p = newline + 1;
    }
    *column = 1;
    while (p < end) {
        const size_t n = utf8_decode(p, (size_t)(end - p), NULL);
        p += n > 0 ? n : 1;
        (*column)++;
    }
}

static const char *shown_path(const struct source *s)
{
    return strcmp(s->path, "-") == 0 ? "standard input" : s->path;
}

/* The text's first bytes tell that it is UTF-16, which Windows' programs like to write. */
static bool is_utf16(const struct source *s)
{
    const char *text = input_text(&s->input);
    return s->line == 1 && input_len(&s->input) >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0);
}

static enum source_result bad_at(struct source *s, size_t at, const char *what)
{
    uint64_t line, column;

    locate(s, at, &line, &column);
    buf_printf(&s->error, "%s:%" PRIu64 ":%" PRIu64 ": %s", shown_path(s), line, column,
               is_utf16(s) ? "this is UTF-16; make it UTF-8 first: iconv -f UTF-16 -t UTF-8" : what);
    return SOURCE_BAD;
}

/* More of the file could not be had: errno says why. */
static enum source_result bad_input(struct source *s)
{
    if (errno == EINTR) {
        buf_printf(&s->error, "stopped while reading %s", shown_path(s));
        return SOURCE_STOPPED;
    }
    buf_printf(&s->error, "%s: line %" PRIu64 ": %s", shown_path(s), s->line, strerror(errno));
    return SOURCE_BAD;
}

/* CSV. */

/* The next record, an empty line too. It is in s->record, and its text in the window
 * until take_record(). */
static enum source_result read_record(struct source *s)
{
    for (;;) {
        struct csv_fault fault;
        const size_t len = input_len(&s->input);
        enum csv_result result = CSV_MORE;
        if (len > 0)
            result = csv_read(&s->csv, input_text(&s->input), len, s->input.ended, &s->record, &fault);
        else if (s->input.ended)
            return SOURCE_END;
        if (result == CSV_BAD)
            return bad_at(s, fault.at, fault.what);
        if (result == CSV_RECORD)
            return SOURCE_ROW;
        if (input_more(&s->input) != 0)
            return bad_input(s);
    }
}

static void take_record(struct source *s)
{
    input_take(&s->input, s->record.len);
    s->line += s->record.lines;
}

static bool is_empty_line(const struct csv_record *r)
{
    return r->count == 1 && r->fields[0].len == 0 && !r->fields[0].quoted;
}

static void write_value(struct source *s, const struct csv_field *field, struct buf *out)
{
    const char *null_text = s->options.null_text;

    if (!field->quoted && field->len == strlen(null_text) && memcmp(field->text, null_text, field->len) == 0) {
        buf_append_text(out, "null");
    } else if (s->options.format == SOURCE_BCP && field->len == 1 && field->text[0] == '\0') {
        buf_append_text(out, "\"\"");
    } else if (field->doubled) {
        buf_reset(&s->value);
        csv_append_value(field, &s->value);
        json_write_string(out, buf_text(&s->value), s->value.len);
    } else {
        json_write_string(out, field->text, field->len);
    }
}

static enum source_result next_csv(struct source *s, struct buf *out, uint64_t *line)
{
    enum source_result result;

    while ((result = read_record(s)) == SOURCE_ROW) {
        const struct csv_record *r = &s->record;
        const bool wanted = s->line >= s->options.from_line && !(is_empty_line(r) && s->columns > 1);
        if (s->line > s->options.to_line)
            return SOURCE_END;
        if (wanted && r->count != s->columns) {
            char what[96];
            snprintf(what, sizeof what, "this row has %zu field%s, but there are %zu columns", r->count, r->count == 1 ? "" : "s",
                     s->columns);
            return bad_at(s, 0, what);
        }
        if (wanted) {
            *line = s->line;
            for (size_t i = 0, at = 0; i < s->columns; at = s->members_end[i++]) {
                buf_append(out, s->members.data + at, s->members_end[i] - at);
                write_value(s, &r->fields[i], out);
            }
            buf_append_char(out, '}');
        }
        take_record(s);
        if (wanted)
            return SOURCE_ROW;
    }
    return result;
}

/* NDJSON. */

/* The next line without its end, and how much of the window it takes. Its text is in the window. */
static enum source_result read_line(struct source *s, size_t *len, size_t *taken)
{
    for (size_t seen = 0;;) {
        const char *text = input_text(&s->input);
        const size_t have = input_len(&s->input);
        const char *newline = have > seen ? memchr(text + seen, '\n', have - seen) : NULL;
        if (newline != NULL || (s->input.ended && have > 0)) {
            *len = newline != NULL ? (size_t)(newline - text) : have;
            *taken = newline != NULL ? *len + 1 : *len;
            if (*len > 0 && text[*len - 1] == '\r')
                (*len)--;
            return SOURCE_ROW;
        }
        if (s->input.ended)
            return SOURCE_END;
        if (have > SOURCE_MAX_LINE)
            return bad_at(s, 0, "this line is longer than 16 MiB");
        seen = have;
        if (input_more(&s->input) != 0)
            return bad_input(s);
    }
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] != ' ' && text[i] != '\t')
            return false;
    return true;
}

/* The scanner's messages begin with "body: ", for it knows only whole bodies. */
static enum source_result bad_object(struct source *s, const struct err *e)
{
    const char *detail = e->detail;
    uint64_t line, column;

    if (is_utf16(s))
        return bad_at(s, 0, "");
    if (strncmp(detail, "body: ", 6) == 0)
        detail += 6;
    locate(s, 0, &line, &column);
    buf_printf(&s->error, "%s:%" PRIu64 ": %s", shown_path(s), line, detail);
    return SOURCE_BAD;
}

static enum source_result next_ndjson(struct source *s, struct buf *out, uint64_t *line)
{
    enum source_result result;
    size_t len = 0, taken = 0;

    while ((result = read_line(s, &len, &taken)) == SOURCE_ROW) {
        const char *text = input_text(&s->input);
        const bool wanted = s->line >= s->options.from_line && !is_blank(text, len);
        struct err e = ERR_INIT;
        if (s->line > s->options.to_line)
            return SOURCE_END;
        if (wanted && json_slices(text, len, NULL, 0, &e) != 0)
            return bad_object(s, &e);
        *line = s->line;
        if (wanted)
            buf_append(out, text, len);
        input_take(&s->input, taken);
        s->line++;
        if (wanted)
            return SOURCE_ROW;
    }
    return result;
}

/* Opening. */

/* A mark that the text is UTF-8 says nothing that is not known, and is no part of the first column's name. */
static int skip_mark(struct source *s)
{
    if (input_more(&s->input) != 0) {
        bad_input(s);
        return -1;
    }
    if (input_len(&s->input) >= 3 && memcmp(input_text(&s->input), "\xEF\xBB\xBF", 3) == 0)
        input_take(&s->input, 3);
    return 0;
}

static bool same_name(const struct buf *a, const char *b, size_t len)
{
    return a->len == len && strncasecmp(buf_text(a), b, len) == 0;
}

/* The number of an earlier column of this name, without regard to the case of ASCII letters, as the API compares them. */
static bool find_column(const struct csv_record *r, size_t count, const struct buf *name, size_t *found)
{
    struct buf other;
    bool is_found = false;

    buf_init(&other, MAX_VALUE);
    for (size_t i = 0; i < count && !is_found; i++) {
        buf_reset(&other);
        csv_append_value(&r->fields[i], &other);
        is_found = same_name(name, buf_text(&other), other.len);
        *found = i + 1;
    }
    buf_clear(&other);
    return is_found;
}

/* Makes s->members of a record of names. 0, or -1 with what is wrong in `what`; *at is the bad name's place. */
static int name_columns(struct source *s, const struct csv_record *r, struct buf *what, const char **at)
{
    for (size_t i = 0; i < r->count; i++) {
        size_t earlier = 0;
        *at = r->fields[i].text;
        buf_reset(&s->value);
        csv_append_value(&r->fields[i], &s->value);
        if (s->value.len == 0) {
            buf_printf(what, "%s column has no name", i > 0 && i + 1 == r->count ? "the last" : "a");
            return -1;
        }
        if (find_column(r, i, &s->value, &earlier)) {
            err_quote(what, buf_text(&s->value), s->value.len);
            buf_printf(what, " is the name of column %zu already", earlier);
            return -1;
        }
        buf_append_char(&s->members, i == 0 ? '{' : ',');
        json_write_string(&s->members, buf_text(&s->value), s->value.len);
        buf_append_char(&s->members, ':');
        s->members_end[i] = s->members.len;
    }
    s->columns = r->count;
    if (buf_status(&s->members) == 0)
        return 0;
    buf_append_text(what, "the columns' names are too long");
    return -1;
}

static int read_header(struct source *s)
{
    struct buf what;
    const char *at = NULL;

    const enum source_result result = read_record(s);
    if (result == SOURCE_END)
        buf_printf(&s->error, "%s: the file is empty; a first line with the columns' names is expected", shown_path(s));
    if (result != SOURCE_ROW)
        return -1;
    buf_init(&what, MAX_MESSAGE);
    const int rc = name_columns(s, &s->record, &what, &at);
    if (rc == 0)
        take_record(s);
    else
        bad_at(s, (size_t)(at - input_text(&s->input)), buf_text(&what));
    buf_clear(&what);
    return rc;
}

static int read_columns_option(struct source *s)
{
    static const struct csv_format commas = {.delimiter = ',', .quotes = true};
    const char *text = s->options.columns;
    const size_t len = strlen(text);
    struct csv_fault fault = {0, "no names"};
    struct buf what;
    const char *at = text;
    int rc = -1;

    buf_init(&what, MAX_MESSAGE);
    if (len == 0 || csv_read(&commas, text, len, true, &s->record, &fault) != CSV_RECORD)
        buf_append_text(&what, fault.what);
    else if (s->record.len != len)
        buf_append_text(&what, "more than one line");
    else
        rc = name_columns(s, &s->record, &what, &at);
    if (rc != 0)
        buf_printf(&s->error, "--columns: %s", buf_text(&what));
    buf_clear(&what);
    return rc;
}

static int open_rows(struct source *s, enum source_fault *fault)
{
    *fault = SOURCE_FAULT_FILE;
    if (input_open(&s->input, s->path) != 0) {
        *fault = SOURCE_FAULT_MISSING;
        buf_printf(&s->error, "%s: %s", shown_path(s), strerror(errno));
        return -1;
    }
    if (skip_mark(s) != 0)
        return -1;
    if (s->options.format == SOURCE_NDJSON)
        return 0;
    if (s->options.columns == NULL)
        return read_header(s);
    *fault = SOURCE_FAULT_OPTION;
    return read_columns_option(s);
}

int source_open(struct source **out, const char *path, const struct source_options *options, enum source_fault *fault,
                struct buf *error)
{
    struct source *s = calloc(1, sizeof *s);

    *out = NULL;
    *fault = SOURCE_FAULT_FILE;
    if (s == NULL) {
        buf_append_text(error, "out of memory");
        return -1;
    }
    s->path = path;
    s->options = *options;
    s->csv = (struct csv_format){.delimiter = options->delimiter, .quotes = options->format == SOURCE_CSV};
    s->line = 1;
    s->input.fd = -1;
    buf_init(&s->error, MAX_MESSAGE);
    buf_init(&s->value, MAX_VALUE);
    buf_init(&s->members, MAX_MEMBERS);
    if (open_rows(s, fault) != 0) {
        buf_append_text(error, buf_text(&s->error));
        source_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void source_close(struct source *s)
{
    if (s == NULL)
        return;
    input_close(&s->input);
    buf_clear(&s->error);
    buf_clear(&s->value);
    buf_clear(&s->members);
    free(s);
}

enum source_result source_next(struct source *s, struct buf *out, uint64_t *line)
{
    return s->options.format == SOURCE_NDJSON ? next_ndjson(s, out, line) : next_csv(s, out, line);
}

const char *source_error(const struct source *s)
{
    return buf_text(&s->error);
}

uint64_t source_line(const struct source *s)
{
    return s->line;
}

uint64_t source_bytes(const struct source *s)
{
    return s->input.taken;
}

uint64_t source_size(const struct source *s)
{
    return s->input.size;
}
