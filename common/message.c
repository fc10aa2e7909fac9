#include "common/message.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define VERSION "HTTP/1.1"
#define DIGITS_MAX 10 /* of a number: fewer than a long holds */

/* What is left of the head. */
struct reader {
    const char *p, *end;
    struct message *m;
};

static int refuse(struct reader *r, const char *wrong)
{
    r->m->wrong = wrong;
    return -1;
}

/* Takes the next line, without its CR LF. 1, 0 when its end is not there yet, or -1. */
static int take_line(struct reader *r, struct message_text *line)
{
    const char *lf = memchr(r->p, '\n', (size_t)(r->end - r->p));

    if (lf == NULL)
        return 0;
    if (lf == r->p || lf[-1] != '\r')
        return refuse(r, "a line that does not end with CR LF");
    *line = (struct message_text){r->p, (size_t)(lf - 1 - r->p)};
    r->p = lf + 1;
    return 1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* tchar of RFC 9110, 5.6.2 */
static bool is_token(const struct message_text *t)
{
    for (size_t i = 0; i < t->len; i++) {
        char c = t->text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !is_digit(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return t->len > 0;
}

/* Visible characters, and others from `low` on: ' ' or '!'. No control characters but tabs, where blanks are allowed. */
static bool is_visible(const struct message_text *t, char low)
{
    for (size_t i = 0; i < t->len; i++) {
        unsigned char c = (unsigned char)t->text[i];

        if ((c < (unsigned char)low && !(c == '\t' && low == ' ')) || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_equal(const struct message_text *t, const char *name)
{
    return t->len == strlen(name) && strncasecmp(t->text, name, t->len) == 0;
}

/* 1*DIGIT up to `max`; -1 for anything else. */
static long read_number(const struct message_text *t, long max)
{
    long n = 0;

    if (t->len == 0 || t->len > DIGITS_MAX)
        return -1;
    for (size_t i = 0; i < t->len; i++) {
        if (!is_digit(t->text[i]))
            return -1;
        n = n * 10 + (t->text[i] - '0');
    }
    return n <= max ? n : -1;
}

/* Splits at the first blank. false when there is none. */
static bool split(const struct message_text *t, struct message_text *first, struct message_text *rest)
{
    const char *blank = memchr(t->text, ' ', t->len);

    if (blank == NULL)
        return false;
    *first = (struct message_text){t->text, (size_t)(blank - t->text)};
    *rest = (struct message_text){blank + 1, t->len - first->len - 1};
    return true;
}

static bool is_version(const struct message_text *t)
{
    return t->len == strlen(VERSION) && memcmp(t->text, VERSION, t->len) == 0;
}

/* request-line = method SP request-target SP HTTP-version, the target in its origin form */
static int read_request_line(struct reader *r, const struct message_text *line)
{
    struct message_text rest, version;
    struct message *m = r->m;

    if (!split(line, &m->method, &rest) || !split(&rest, &m->target, &version) || !is_version(&version))
        return refuse(r, "a first line other than 'METHOD /path HTTP/1.1'");
    if (!is_token(&m->method))
        return refuse(r, "a method that is none");
    if (m->target.len == 0 || m->target.text[0] != '/' || !is_visible(&m->target, '!'))
        return refuse(r, "a path that is none");
    return 0;
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ]; the SP before an absent phrase may be missing */
static int read_status_line(struct reader *r, const struct message_text *line)
{
    struct message_text version, rest, code = {0}, reason = {0};

    if (!split(line, &version, &rest) || !is_version(&version))
        return refuse(r, "a first line other than 'HTTP/1.1 200'");
    if (!split(&rest, &code, &reason))
        code = rest;
    r->m->status = code.len == 3 ? (int)read_number(&code, 599) : -1;
    if (r->m->status < 100 || !is_visible(&reason, ' '))
        return refuse(r, "a status that is none");
    return 0;
}

/* field-line = field-name ":" OWS field-value OWS */
static int read_field(struct reader *r, const struct message_text *line)
{
    const char *colon = memchr(line->text, ':', line->len);
    struct message *m = r->m;
    struct message_field f;

    if (colon == NULL)
        return refuse(r, "a header without a colon");
    f.name = (struct message_text){line->text, (size_t)(colon - line->text)};
    f.value = (struct message_text){colon + 1, line->len - f.name.len - 1};
    if (!is_token(&f.name))
        return refuse(r, "a header's name that is none");
    if (!is_visible(&f.value, ' '))
        return refuse(r, "a control character in a header");
    while (f.value.len > 0 && (*f.value.text == ' ' || *f.value.text == '\t')) {
        f.value.text++;
        f.value.len--;
    }
    while (f.value.len > 0 && (f.value.text[f.value.len - 1] == ' ' || f.value.text[f.value.len - 1] == '\t'))
        f.value.len--;
    if (is_equal(&f.name, "Transfer-Encoding"))
        return refuse(r, "a Transfer-Encoding");
    for (size_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].name.len == f.name.len && strncasecmp(m->fields[i].name.text, f.name.text, f.name.len) == 0)
            return refuse(r, "a header that is given twice");
    }
    if (m->field_count == MESSAGE_MAX_HEADERS)
        return refuse(r, "too many headers");
    m->fields[m->field_count++] = f;
    return 0;
}

/* HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]; as struct message's readers. */
static int read_message(const char *data, size_t len, struct message *out, size_t *used,
                        int (*read_first)(struct reader *, const struct message_text *))
{
    struct reader r = {.p = data, .end = data + (len < MESSAGE_MAX_HEAD ? len : MESSAGE_MAX_HEAD), .m = out};
    struct message_text line;
    int rc;

    out->method = out->target = out->body = (struct message_text){0};
    out->status = 0;
    out->field_count = 0;
    out->wrong = NULL;
    *used = 0;
    for (bool first = true; (rc = take_line(&r, &line)) > 0 && line.len > 0; first = false) {
        if ((first ? read_first : read_field)(&r, &line) < 0)
            return -1;
    }
    if (rc == 0)
        return len < MESSAGE_MAX_HEAD ? 0 : refuse(&r, "too long a head");
    if (rc < 0)
        return -1;
    if (out->method.len == 0 && out->status == 0)
        return refuse(&r, "an empty line before the first");

    long body = message_number(out, "Content-Length", (long)MESSAGE_MAX_BODY);
    if (body < 0)
        return refuse(&r, "no Content-Length, or a bad one");
    if ((size_t)body > len - (size_t)(r.p - data))
        return 0;
    out->body = (struct message_text){r.p, (size_t)body};
    *used = (size_t)(r.p - data) + (size_t)body;
    return 1;
}

int message_read_request(const char *data, size_t len, struct message *out, size_t *used)
{
    return read_message(data, len, out, used, read_request_line);
}

int message_read_answer(const char *data, size_t len, struct message *out, size_t *used)
{
    return read_message(data, len, out, used, read_status_line);
}

const struct message_text *message_header(const struct message *m, const char *name)
{
    for (size_t i = 0; i < m->field_count; i++) {
        if (is_equal(&m->fields[i].name, name))
            return &m->fields[i].value;
    }
    return NULL;
}

long message_number(const struct message *m, const char *name, long max)
{
    const struct message_text *value = message_header(m, name);
    return value != NULL ? read_number(value, max) : -1;
}

void message_begin_request(struct buf *out, const char *method, const char *target)
{
    buf_append_text(out, method);
    buf_append_char(out, ' ');
    buf_append_text(out, target);
    buf_append_text(out, " " VERSION "\r\n");
}

void message_begin_answer(struct buf *out, int status)
{
    buf_append_text(out, VERSION " ");
    buf_append_integer(out, status);
    buf_append_text(out, " \r\n");
}

void message_add(struct buf *out, const char *name, const char *value)
{
    buf_append_text(out, name);
    buf_append_text(out, ": ");
    buf_append(out, value, strcspn(value, "\r\n"));
    buf_append_text(out, "\r\n");
}

void message_end_head(struct buf *out, size_t body_len)
{
    buf_append_text(out, "Content-Length: ");
    buf_append_integer(out, (int64_t)body_len);
    buf_append_text(out, "\r\n\r\n");
}

void message_end(struct buf *out, const void *body, size_t len)
{
    message_end_head(out, len);
    buf_append(out, body, len);
}
