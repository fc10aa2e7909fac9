#include "fcgi-worker/rows.h"

#include "common/json.h"
#include "common/log.h"
#include "common/sqltype.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What rows are written with. */
struct rows {
    struct db *db;
    const struct statement *s;
    struct buf names;    /* what stands before each value: {"name": and ,"name": */
    size_t *name_ends;   /* in `names`, one a column */
    struct buf value;    /* the value that is being written, as the database has it */
    struct buf out;
};

/* Each writer appends the value of one column, which may be NULL, as JSON. */
typedef int write_value(struct rows *w, size_t i, const struct statement_column *c, struct err *e);

static int write_null(int rc, struct buf *out)
{
    if (rc == 0)
        buf_append_text(out, "null");
    return rc < 0 ? -1 : 0;
}

static int write_integer(struct rows *w, size_t i, const struct statement_column *c, struct err *e)
{
    int64_t v;
    int rc = db_get_integer(w->db, i, &v, e);
    (void)c;
    if (rc > 0)
        buf_append_integer(&w->out, v);
    return write_null(rc, &w->out);
}

static int write_bit(struct rows *w, size_t i, const struct statement_column *c, struct err *e)
{
    int64_t v;
    int rc = db_get_integer(w->db, i, &v, e);
    (void)c;
    if (rc > 0)
        buf_append_text(&w->out, v != 0 ? "true" : "false");
    return write_null(rc, &w->out);
}

static int write_double(struct rows *w, size_t i, const struct statement_column *c, struct err *e)
{
    double v;
    int rc = db_get_double(w->db, i, &v, e);
    if (rc > 0 && c->type.kind == SQLTYPE_REAL)
        json_write_float(&w->out, (float)v);
    else if (rc > 0)
        json_write_double(&w->out, v);
    return write_null(rc, &w->out);
}

/* A decimal's text is a JSON number but for what comes before its point: ".5" and "-.5" are not. */
static int write_decimal(struct rows *w, size_t i, const struct statement_column *c, struct err *e)
{
    (void)c;
    buf_reset(&w->value);
    int rc = db_get_text(w->db, i, &w->value, e);
    if (rc > 0) {
        const char *p = buf_text(&w->value);
        if (*p == '-')
            buf_append_char(&w->out, *p++);
        if (*p == '.')
            buf_append_char(&w->out, '0');
        buf_append_text(&w->out, p);
    }
    return write_null(rc, &w->out);
}

static int write_string(struct rows *w, size_t i, const struct statement_column *c, struct err *e)
{
    (void)c;
    buf_reset(&w->value);
    int rc = db_get_text(w->db, i, &w->value, e);
    if (rc > 0)
        json_write_string(&w->out, buf_text(&w->value), w->value.len);
    return write_null(rc, &w->out);
}

static int write_binary(struct rows *w, size_t i, const struct statement_column *c, struct err *e)
{
    (void)c;
    buf_reset(&w->value);
    int rc = db_get_bytes(w->db, i, &w->value, e);
    if (rc > 0)
        json_write_base64(&w->out, buf_text(&w->value), w->value.len);
    return write_null(rc, &w->out);
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
static int write_time(struct rows *w, size_t i, const struct statement_column *c, struct err *e)
{
    bool has_date = c->type.kind != SQLTYPE_TIME, has_time = c->type.kind != SQLTYPE_DATE;
    char fraction[SQLTYPE_MAX_SCALE_TIME + 1] = "0000000";
    int year, month, day, hour, minute, second;
    struct buf *out = &w->out;

    buf_reset(&w->value);
    int rc = db_get_text(w->db, i, &w->value, e);
    if (rc <= 0)
        return write_null(rc, out);
    const char *p = buf_text(&w->value);
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
    return 0;
bad:
    return err_set(e, ERR_INTERNAL, "column '%s': the driver gave a time that is none", c->name);
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

static void rows_clear(struct rows *w)
{
    buf_clear(&w->names);
    buf_clear(&w->value);
    buf_clear(&w->out);
    free(w->name_ends);
}

/* The names are written once. -1 with the error; rows_clear is due in any case. */
static int rows_init(struct rows *w, struct db *db, const struct statement *s, struct err *e)
{
    *w = (struct rows){.db = db, .s = s};
    buf_init(&w->names, ROWS_MAX_NAMES);
    buf_init(&w->value, RESULT_MAX_VALUE + 2 * RESULT_CHUNK);
    buf_init(&w->out, ROWS_MAX_BUFFER);
    w->name_ends = calloc(s->column_count + 1, sizeof(*w->name_ends));
    for (size_t i = 0; w->name_ends != NULL && i < s->column_count; i++) {
        buf_append_char(&w->names, i == 0 ? '{' : ',');
        json_write_text(&w->names, s->columns[i].name);
        buf_append_char(&w->names, ':');
        w->name_ends[i] = w->names.len;
    }
    return w->name_ends != NULL && buf_status(&w->names) == 0 ? 0 : err_set(e, ERR_INTERNAL, "memory ran out");
}

/* Appends the current row as a JSON object whose members are the statement's columns. */
static int write_row(struct rows *w, struct err *e)
{
    size_t at = 0;
    for (size_t i = 0; i < w->s->column_count; i++) {
        const struct statement_column *c = &w->s->columns[i];
        buf_append(&w->out, buf_text(&w->names) + at, w->name_ends[i] - at);
        at = w->name_ends[i];
        if ((c->known ? writers[c->type.kind] : write_string)(w, i, c, e) < 0)
            return -1;
    }
    buf_append_char(&w->out, '}');
    return buf_status(&w->out) == 0 ? 0 : err_set(e, ERR_INTERNAL, "memory ran out");
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

/* Writes the rows, each wait for them no longer than `idle_us` once the answer has begun; their number in *count. 0, -1 with the error, or -1 without one once the client is gone. */
static int write_rows(struct http *h, struct rows *w, const struct framing *f, int64_t idle_us, int64_t *count, struct err *e)
{
    struct buf *out = &w->out;
    int row;
    while ((row = db_fetch(w->db, e)) > 0) {
        buf_append_text(out, (*count)++ == 0 ? f->begin : f->between);
        if (write_row(w, e) < 0)
            return -1;
        buf_append_text(out, f->behind);
        if (out->len < ROWS_FLUSH)
            continue;
        if (buf_status(out) < 0)
            return err_set(e, ERR_INTERNAL, "memory ran out");
        if (http_write(h, out->data, out->len) < 0)
            return -1;
        if (http_is_sent(h))
            db_begin_stream(w->db, idle_us);
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
    struct rows w;

    int rc = rows_init(&w, db, s, e);
    if (rc < 0)
        goto out;
    http_begin(h, 200, framings[a->form].type);
    rc = write_rows(h, &w, &framings[a->form], a->deadline_us - http_started_us(h), &count, e);
    if (rc == 0)
        rc = write_summary(h, a, count, &w.out);
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
        if (e->code != ERR_NONE && a->form == ROWS_LINES && write_failure(h, e, &w.out) == 0)
            http_end(h);
        else
            http_abort(h);
    }
out:
    rows_clear(&w);
    return rc;
}
