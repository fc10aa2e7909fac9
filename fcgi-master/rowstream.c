#include "fcgi-master/rowstream.h"

#include <string.h>

void rowstream_init_whole(struct rowstream *s, struct merge_part *part)
{
    *s = (struct rowstream){.part = part};
    buf_init(&s->end, ROWSTREAM_MAX_END);
    rowscan_init(&s->scan, part->rows);
}

void rowstream_init_lines(struct rowstream *s, struct merge_part *part, rowstream_pull *pull, void *arg)
{
    *s = (struct rowstream){.part = part, .pull = pull, .arg = arg};
    buf_init(&s->end, ROWSTREAM_MAX_END);
}

void rowstream_clear(struct rowstream *s)
{
    buf_clear(&s->end);
}

static int bad_answer(struct rowstream *s, const char *why)
{
    return err_set(&s->part->err, ERR_BAD_WORKER_ANSWER, "%s", why);
}

/* Moves to the next line, without its end: 1; 0 when the stream ended in order, -1 with the error. */
static int next_line(struct rowstream *s, struct json_slice *line)
{
    const char *end = NULL;
    for (;;) {
        size_t from = s->at + s->searched;
        end = s->len > from ? memchr(s->data + from, '\n', s->len - from) : NULL;
        if (end != NULL)
            break;
        s->searched = s->len - s->at;
        int more = s->pull(s->arg, s->at, &s->data, &s->len, &s->part->err);
        s->at = 0;
        if (more < 0)
            return -1;
        if (more == 0)
            return s->len == 0 ? 0 : bad_answer(s, "its last line has no end");
    }
    const char *start = s->data + s->at;
    s->at = (size_t)(end + 1 - s->data);
    s->searched = 0;
    if (end > start && end[-1] == '\r')
        end--;
    *line = (struct json_slice){.text = start, .len = (size_t)(end - start)};
    return 1;
}

/* Is `word`, in quotes, the first element of the array of two in s->end? Then *second is the other one's text. */
static bool is_pair(const struct rowstream *s, const char *word, struct json_slice *second)
{
    struct json_slice first;
    struct rowscan scan;
    rowscan_init(&scan, (struct json_slice){.text = buf_text(&s->end), .len = s->end.len});
    if (rowscan_next(&scan, &first) == 0 || first.len != strlen(word) || memcmp(first.text, word, first.len) != 0 ||
        rowscan_next(&scan, second) == 0)
        return false;
    while (scan.at < scan.end && *scan.at == ' ')
        scan.at++;
    return scan.end - scan.at == 1 && *scan.at == ']';
}

/* ["end",SUMMARY] or ["failed",PROBLEM]. */
static int read_end(struct rowstream *s, struct json_slice line)
{
    struct json_slice object, more;
    buf_reset(&s->end);
    buf_append(&s->end, line.text, line.len);
    if (buf_status(&s->end) != 0)
        return bad_answer(s, "its last line is too long");
    if (is_pair(s, "\"failed\"", &object)) {
        merge_read_failure(object.text, object.len, &s->part->err);
        return -1;
    }
    if (!is_pair(s, "\"end\"", &object))
        return bad_answer(s, "a line of its rows is neither a row nor the end");
    s->part->text = object.text;
    s->part->len = object.len;
    merge_accept(s->part, MERGE_LINES);
    if (s->part->err.code != ERR_NONE)
        return -1;
    if (merge_count(s->part) != s->rows)
        return bad_answer(s, "it counts other rows than it sent");
    int rc = next_line(s, &more); /* the stream has ended, so that its connection can be used again */
    return rc > 0 ? bad_answer(s, "more follows behind its end") : rc;
}

int rowstream_next(struct rowstream *s, struct json_slice *row)
{
    if (s->part->err.code != ERR_NONE)
        return -1;
    if (s->ended)
        return 0;
    int rc = s->pull != NULL ? next_line(s, row) : rowscan_next(&s->scan, row);
    if (rc > 0 && row->len >= 2 && row->text[0] == '{' && row->text[row->len - 1] == '}') {
        s->rows++;
        return 1;
    }
    if (rc == 0 && s->pull != NULL)
        return bad_answer(s, "its rows ended without an end");
    if (rc > 0)
        rc = s->pull != NULL && row->len > 0 && row->text[0] == '[' ? read_end(s, *row) : bad_answer(s, "a row of its answer is none");
    s->ended = rc == 0;
    return rc;
}

bool rowstream_is_lost(const struct rowstream *s)
{
    return s->rows == 0 && merge_only_lost(s->part, 1);
}
