#include "fcgi-worker/rows.h"

#include "common/json.h"
#include "common/log.h"
#include "common/sqltype.h"

#include <inttypes.h>
#include <string.h>

/* Each writer appends the value of one column, which may be NULL, as JSON. */
typedef int write_value(struct db *db, size_t i, const struct statement_column *c, struct buf *out, struct err *e);

static int write_null(int rc, struct buf *out)
{
    if (rc == 0)
        buf_append_text(out, "null");
    return rc < 0 ? -1 : 0;
}

static int write_integer(struct db *db, size_t i, const struct statement_column *c, struct buf *out, struct err *e)
{
    int64_t v;
    int rc = db_get_integer(db, i, &v, e);
    (void)c;
    if (rc > 0)
        buf_printf(out, "%" PRId64, v);
    return write_null(rc, out);
}

static int write_bit(struct db *db, size_t i, const struct statement_column *c, struct buf *out, struct err *e)
{
    int64_t v;
    int rc = db_get_integer(db, i, &v, e);
    (void)c;
    if (rc > 0)
        buf_append_text(out, v != 0 ? "true" : "false");
    return write_null(rc, out);
}

static int write_double(struct db *db, size_t i, const struct statement_column *c, struct buf *out, struct err *e)
{
    double v;
    int rc = db_get_double(db, i, &v, e);
    if (rc > 0 && c->type.kind == SQLTYPE_REAL)
        json_write_float(out, (float)v);
    else if (rc > 0)
        json_write_double(out, v);
    return write_null(rc, out);
}

/* A decimal's text is a JSON number but for what comes before its point: ".5" and "-.5" are not. */
static int write_decimal(struct db *db, size_t i, const struct statement_column *c, struct buf *out, struct err *e)
{
    struct buf text;
    (void)c;
    buf_init(&text, DB_CHUNK * 2);
    int rc = db_get_text(db, i, &text, e);
    if (rc > 0) {
        const char *p = buf_text(&text);
        if (*p == '-')
            buf_append_char(out, *p++);
        if (*p == '.')
            buf_append_char(out, '0');
        buf_append_text(out, p);
    }
    buf_clear(&text);
    return write_null(rc, out);
}

static int write_string(struct db *db, size_t i, const struct statement_column *c, struct buf *out, struct err *e)
{
    struct buf text;
    (void)c;
    buf_init(&text, DB_MAX_VALUE + 2 * DB_CHUNK);
    int rc = db_get_text(db, i, &text, e);
    if (rc > 0)
        json_write_string(out, buf_text(&text), text.len);
    buf_clear(&text);
    return write_null(rc, out);
}

static int write_binary(struct db *db, size_t i, const struct statement_column *c, struct buf *out, struct err *e)
{
    struct buf bytes;
    (void)c;
    buf_init(&bytes, DB_MAX_VALUE + 2 * DB_CHUNK);
    int rc = db_get_bytes(db, i, &bytes, e);
    if (rc > 0)
        json_write_base64(out, buf_text(&bytes), bytes.len);
    buf_clear(&bytes);
    return write_null(rc, out);
}

/* Reads digits; the number of them, at most `max`. */
static int read_digits(const char **p, int max, int *out)
{
    int n = 0;
    *out = 0;
    while (n < max && **p >= '0' && **p <= '9') {
        *out = *out * 10 + (*(*p)++ - '0');
        n++;
    }
    return n;
}

/* Dates and times in ISO 8601. The driver's text "Y-m-d H:M:S.f +hh:mm" is written anew: years before 1000 come without
 * their leading zeros, a blank stands where T belongs, and the fraction's length is not the column's scale in all versions. */
static int write_time(struct db *db, size_t i, const struct statement_column *c, struct buf *out, struct err *e)
{
    bool has_date = c->type.kind != SQLTYPE_TIME, has_time = c->type.kind != SQLTYPE_DATE;
    char fraction[SQLTYPE_MAX_SCALE_TIME + 1] = "0000000";
    int year, month, day, hour, minute, second, rc;
    struct buf text;

    buf_init(&text, DB_CHUNK * 2);
    rc = db_get_text(db, i, &text, e);
    if (rc <= 0)
        goto out;
    const char *p = buf_text(&text);
    buf_append_char(out, '"');
    if (has_date) {
        if (read_digits(&p, 4, &year) == 0 || *p++ != '-' || read_digits(&p, 2, &month) == 0 || *p++ != '-' || read_digits(&p, 2, &day) == 0)
            goto bad;
        buf_printf(out, "%04d-%02d-%02d%s", year, month, day, has_time ? "T" : "");
        if (has_time && *p++ != ' ')
            goto bad;
    }
    if (has_time) {
        if (read_digits(&p, 2, &hour) == 0 || *p++ != ':' || read_digits(&p, 2, &minute) == 0 || *p++ != ':' || read_digits(&p, 2, &second) == 0)
            goto bad;
        buf_printf(out, "%02d:%02d:%02d", hour, minute, second);
        if (*p == '.') {
            p++;
            for (int n = 0; *p >= '0' && *p <= '9'; n++, p++) {
                if (n < SQLTYPE_MAX_SCALE_TIME)
                    fraction[n] = *p;
            }
        }
        if (c->type.scale > 0)
            buf_printf(out, ".%.*s", c->type.scale, fraction);
    }
    if (c->type.kind == SQLTYPE_DATETIMEOFFSET) {
        while (*p == ' ')
            p++;
        buf_append_text(out, p);
    }
    buf_append_char(out, '"');
    goto out;
bad:
    rc = err_set(e, ERR_INTERNAL, "column '%s': the driver gave a time that is none", c->name);
out:
    buf_clear(&text);
    return write_null(rc, out);
}

static write_value *const writers[SQLTYPE_KINDS] = {
    [SQLTYPE_TINYINT] = write_integer,      [SQLTYPE_SMALLINT] = write_integer, [SQLTYPE_INT] = write_integer,
    [SQLTYPE_BIGINT] = write_integer,       [SQLTYPE_BIT] = write_bit,          [SQLTYPE_DECIMAL] = write_decimal,
    [SQLTYPE_NUMERIC] = write_decimal,      [SQLTYPE_MONEY] = write_decimal,    [SQLTYPE_FLOAT] = write_double,
    [SQLTYPE_REAL] = write_double,          [SQLTYPE_CHAR] = write_string,      [SQLTYPE_VARCHAR] = write_string,
    [SQLTYPE_NCHAR] = write_string,         [SQLTYPE_NVARCHAR] = write_string,  [SQLTYPE_TEXT] = write_string,
    [SQLTYPE_DATE] = write_time,            [SQLTYPE_TIME] = write_time,        [SQLTYPE_DATETIME] = write_time,
    [SQLTYPE_DATETIME2] = write_time,       [SQLTYPE_DATETIMEOFFSET] = write_time,
    [SQLTYPE_UNIQUEIDENTIFIER] = write_string,
    [SQLTYPE_BINARY] = write_binary,        [SQLTYPE_VARBINARY] = write_binary,
};

int rows_write_row(struct db *db, const struct statement *s, struct buf *out, struct err *e)
{
    for (size_t i = 0; i < s->column_count; i++) {
        const struct statement_column *c = &s->columns[i];
        buf_append_char(out, i == 0 ? '{' : ',');
        json_write_text(out, c->name);
        buf_append_char(out, ':');
        if ((c->known ? writers[c->type.kind] : write_string)(db, i, c, out, e) < 0)
            return -1;
    }
    buf_append_char(out, '}');
    return buf_status(out) == 0 ? 0 : err_set(e, ERR_INTERNAL, "memory ran out");
}

/* How rows become an answer: as one JSON document, or as lines (docs/worker-contract.md). */
static const struct framing {
    const char *type;
    const char *begin;
    const char *between;
    const char *behind; /* each row */
    const char *end;    /* before the summary's members */
    const char *close;
} framings[] = {
    [ROWS_DOCUMENT] = {"application/json", "{\"status\":\"ok\",\"rows\":[", ",", "", "],", "}"},
    [ROWS_LINES] = {"application/x-ndjson", "", "", "\n", "[\"end\",{", "}]\n"},
};

static int write_summary(struct http *h, const struct rows_answer *a, int64_t count, struct buf *out)
{
    const struct framing *f = &framings[a->form];
    buf_reset(out);
    buf_append_text(out, f->end);
    buf_printf(out, "\"count\":%" PRId64 ",\"complete\":true,\"shards\":[{\"shard\":%d,\"worker\":", count, a->shard);
    json_write_text(out, a->worker);
    buf_printf(out, ",\"outcome\":\"ok\",\"rows\":%" PRId64 "}]", count);
    buf_append_text(out, f->close);
    return buf_status(out) == 0 ? http_write(h, out->data, out->len) : -1;
}

/* Tells the reader of lines why no more come. */
static int write_failure(struct http *h, const struct err *e, struct buf *out)
{
    buf_reset(out);
    buf_append_text(out, "[\"failed\",");
    err_write_problem(e, http_request_id(h), NULL, out);
    buf_append_text(out, "]\n");
    return buf_status(out) == 0 ? http_write(h, out->data, out->len) : -1;
}

/* Writes the rows; their number in *count. 0, -1 with the error, or -1 without one once the client is gone. */
static int write_rows(struct http *h, struct db *db, const struct statement *s, const struct framing *f, int64_t *count,
                      struct buf *out, struct err *e)
{
    int row;
    while ((row = db_fetch(db, e)) > 0) {
        buf_append_text(out, (*count)++ == 0 ? f->begin : f->between);
        if (rows_write_row(db, s, out, e) < 0)
            return -1;
        buf_append_text(out, f->behind);
        if (out->len < ROWS_FLUSH)
            continue;
        if (buf_status(out) < 0)
            return err_set(e, ERR_INTERNAL, "memory ran out");
        if (http_write(h, out->data, out->len) < 0)
            return -1;
        buf_reset(out);
    }
    if (row < 0)
        return -1;
    if (*count == 0)
        buf_append_text(out, f->begin);
    return out->len == 0 ? 0 : http_write(h, out->data, out->len);
}

int rows_stream(struct http *h, struct db *db, const struct statement *s, const struct rows_answer *a, struct err *e)
{
    int64_t count = 0;
    struct buf out;

    buf_init(&out, ROWS_MAX_BUFFER);
    http_begin(h, 200, framings[a->form].type);
    int rc = write_rows(h, db, s, &framings[a->form], &count, &out, e);
    if (rc == 0)
        rc = write_summary(h, a, count, &out);
    if (rc == 0) {
        http_end(h);
    } else if (e->code != ERR_NONE && http_take_back(h) == 0) {
        goto out;
    } else {
        if (e->code != ERR_NONE)
            log_warning("request %s: the answer was broken off after %" PRId64 " rows: %s", http_request_id(h), count, e->detail);
        else
            log_debug("request %s: nobody reads on after %" PRId64 " rows", http_request_id(h), count);
        rc = 0;
        if (e->code != ERR_NONE && a->form == ROWS_LINES && write_failure(h, e, &out) == 0)
            http_end(h);
        else
            http_abort(h);
    }
out:
    buf_clear(&out);
    return rc;
}
