#include "load/csv.h"

#include "common/utf8.h"

#include <string.h>

struct reader {
    const struct csv_format *format;
    const char *start; /* of the record */
    const char *at;
    const char *end;
    bool last;
    struct csv_record *record;
    struct csv_fault *fault;
};

static enum csv_result bad(struct reader *r, const char *at, const char *what)
{
    r->fault->at = (size_t)(at - r->start);
    r->fault->what = what;
    return CSV_BAD;
}

/* The text ends inside a field that began at `field`. */
static enum csv_result cut(struct reader *r, const char *field, const char *why_bad)
{
    if (r->last)
        return bad(r, field, why_bad);
    if ((size_t)(r->end - r->start) >= CSV_MAX_RECORD)
        return bad(r, r->start, "this row is longer than 16 MiB");
    return CSV_MORE;
}

/* '"' { any byte but '"', or '""' } '"' — at stands on the opening quote, and behind the closing one afterwards. */
static enum csv_result read_quoted(struct reader *r, struct csv_field *field)
{
    const char *opening = r->at;
    const char *p = opening + 1;

    field->quoted = true;
    field->text = p;
    for (;;) {
        const char *quote = memchr(p, '"', (size_t)(r->end - p));
        const char *reached = quote == NULL ? r->end : quote;
        if ((size_t)(reached - field->text) > CSV_MAX_FIELD)
            return bad(r, opening, "a field longer than 8 MiB begins here; is its quote closed?");
        if (quote == NULL)
            return cut(r, opening, "the quote that opens here is never closed");
        if (quote + 1 == r->end && !r->last)
            return cut(r, opening, "");
        if (quote + 1 < r->end && quote[1] == '"') {
            field->doubled = true;
            p = quote + 2;
            continue;
        }
        field->len = (size_t)(quote - field->text);
        r->at = quote + 1;
        break;
    }
    for (p = field->text; (p = memchr(p, '\n', (size_t)(r->at - p))) != NULL; p++)
        r->record->lines++;
    return CSV_RECORD;
}

/* { any byte but '"', delimiter, CR, LF } — without quotes '"' is allowed too. */
static enum csv_result read_plain(struct reader *r, struct csv_field *field)
{
    const char delimiter = r->format->delimiter;
    const char quote = r->format->quotes ? '"' : delimiter;
    const char *p = r->at;

    while (p < r->end && *p != delimiter && *p != '\n' && *p != '\r' && *p != quote)
        p++;
    field->text = r->at;
    field->len = (size_t)(p - r->at);
    if (field->len > CSV_MAX_FIELD)
        return bad(r, r->at, "a field longer than 8 MiB begins here");
    if (p == r->end && !r->last)
        return cut(r, r->at, "");
    if (p < r->end && *p == '"' && quote == '"')
        return bad(r, p, "a quote inside a field that does not begin with one; write the field in quotes, and \"\" for each "
                         "quote in it");
    r->at = p;
    return CSV_RECORD;
}

/* What stands behind a field. CSV_RECORD with *ended: was it the record's last? */
static enum csv_result read_end_of_field(struct reader *r, bool quoted, bool *ended)
{
    *ended = true;
    if (r->at == r->end)
        return r->last ? CSV_RECORD : cut(r, r->at, "");
    if (*r->at == r->format->delimiter) {
        *ended = false;
        r->at++;
        return CSV_RECORD;
    }
    if (*r->at == '\r') {
        if (r->at + 1 == r->end && !r->last)
            return cut(r, r->at, "");
        if (r->at + 1 == r->end || r->at[1] != '\n')
            return bad(r, r->at, "a carriage return without a line feed behind it");
        r->at++;
    }
    if (*r->at != '\n')
        return bad(r, r->at, quoted ? "a closed quote must be followed by a delimiter or the line's end" : "unexpected character");
    r->at++;
    r->record->lines++;
    return CSV_RECORD;
}

/* The first malformed byte of the record. NULL when there is none. */
static const char *find_malformed(const char *text, size_t len)
{
    const char *const end = text + len;

    while (text < end) {
        const size_t n = (unsigned char)*text < 0x80 ? 1 : utf8_decode(text, (size_t)(end - text), NULL);
        if (n == 0)
            return text;
        text += n;
    }
    return NULL;
}

enum csv_result csv_read(const struct csv_format *format, const char *text, size_t len, bool last, struct csv_record *record,
                         struct csv_fault *fault)
{
    struct reader r = {format, text, text, text + len, last, record, fault};
    bool ended = false;

    record->count = 0;
    record->lines = 0;
    while (!ended) {
        if (record->count == CSV_MAX_FIELDS)
            return bad(&r, r.at, "this row has more than 1024 fields");
        struct csv_field *field = &record->fields[record->count++];
        *field = (struct csv_field){0};
        const bool quoted = format->quotes && r.at < r.end && *r.at == '"';
        enum csv_result result = quoted ? read_quoted(&r, field) : read_plain(&r, field);
        if (result == CSV_RECORD)
            result = read_end_of_field(&r, quoted, &ended);
        if (result != CSV_RECORD)
            return result;
    }
    record->len = (size_t)(r.at - text);
    if (!utf8_is_ascii(text, record->len)) {
        const char *malformed = find_malformed(text, record->len);
        if (malformed != NULL)
            return bad(&r, malformed, "this byte is not valid UTF-8");
    }
    return CSV_RECORD;
}

void csv_append_value(const struct csv_field *field, struct buf *out)
{
    const char *p = field->text;
    const char *const end = field->text + field->len;

    while (field->doubled) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        if (quote == NULL)
            break;
        buf_append(out, p, (size_t)(quote + 1 - p));
        p = quote + 2;
    }
    buf_append(out, p, (size_t)(end - p));
}
