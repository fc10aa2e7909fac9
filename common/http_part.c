#include <config.h>

#include "common/http_private.h"

#include "common/message.h"

#include <errno.h>
#include <string.h>

/* A request that is a message of a batch. */
struct part {
    const struct message *message;
    size_t body_at;   /* of its body: read so far */
    struct buf texts; /* its first line and the values of its headers, a NUL behind each */
    size_t values[MESSAGE_MAX_HEADERS]; /* where they are in it */
    struct buf *out;
    bool too_long; /* a streamed answer of more than HTTP_HELD bytes */
};

static size_t keep_text(struct part *p, const struct message_text *t)
{
    size_t at = p->texts.len;

    buf_append(&p->texts, t->text, t->len);
    buf_append_char(&p->texts, '\0');
    return at;
}

static const char *find_header(const struct http *h, const char *name)
{
    const struct part *p = h->source;
    const struct message_text *value = message_header(p->message, name);

    if (value == NULL)
        return NULL;
    for (size_t i = 0; i < p->message->field_count; i++) {
        if (&p->message->fields[i].value == value)
            return buf_text(&p->texts) + p->values[i];
    }
    return NULL;
}

static int read_body(struct http *h, void *to, int size, int idle_ms)
{
    struct part *p = h->source;
    size_t left = p->message->body.len - p->body_at;
    size_t n = (size_t)size < left ? (size_t)size : left;

    (void)idle_ms;
    memcpy(to, p->message->body.text + p->body_at, n);
    p->body_at += n;
    errno = 0;
    return (int)n;
}

static void begin_answer(struct part *p, int status)
{
    const struct message_text *id = message_header(p->message, "X-Batch-Id");

    message_begin_answer(p->out, status);
    if (id != NULL) {
        buf_append_text(p->out, "X-Batch-Id: ");
        buf_append(p->out, id->text, id->len);
        buf_append_text(p->out, "\r\n");
    }
}

static int put_head(struct http *h, int status, const char *type, int64_t length)
{
    struct part *p = h->source;

    h->status = status;
    p->too_long = h->state == STATE_STREAMING && length < 0;
    if (p->too_long)
        return -1;
    begin_answer(p, status);
    if (type != NULL)
        message_add(p->out, "Content-Type", type);
    if (buf_status(&h->headers) != 0)
        p->out->failed = true;
    buf_append(p->out, buf_text(&h->headers), h->headers.len);
    message_end_head(p->out, length > 0 ? (size_t)length : 0);
    return buf_status(p->out);
}

static int put(struct http *h, const void *data, size_t len)
{
    struct part *p = h->source;

    buf_append(p->out, data, len);
    return buf_status(p->out);
}

static int flush(struct http *h)
{
    (void)h;
    return 0;
}

static bool takes_more(const struct http *h)
{
    (void)h;
    return true;
}

static const struct http_port part_port = {find_header, read_body, put_head, put, flush, takes_more};

/* Opens the part as an exchange. -1 when memory ran out. */
static int open_part(struct part *p, struct http *h, const struct http *batch)
{
    const struct message *m = p->message;
    size_t method = keep_text(p, &m->method), target = keep_text(p, &m->target);

    for (size_t i = 0; i < m->field_count; i++)
        p->values[i] = keep_text(p, &m->fields[i].value);
    if (buf_status(&p->texts) != 0)
        return -1;
    http_init(h, batch->app, &part_port, p);
    h->is_part = true;
    http_open(h, p->texts.data + method, p->texts.data + target, batch->started_us);
    return 0;
}

enum http_kind http_part_kind(const struct http *h, const struct message *part)
{
    const char *path = part->target.text, *query = memchr(path, '?', part->target.len);
    size_t len = query != NULL ? (size_t)(query - path) : part->target.len;

    for (size_t i = 0; i < h->app->route_count; i++) {
        const struct http_route *r = &h->app->routes[i];

        if (r->kind != HTTP_ALONE && strlen(r->path) == len && memcmp(r->path, path, len) == 0)
            return r->kind;
    }
    return HTTP_ALONE;
}

int http_answer_part(const struct http *h, const struct message *part, void *thread, struct buf *out)
{
    struct part p = {.message = part, .out = out};
    struct http x;
    int rc = -1;

    buf_init(&p.texts, 2 * MESSAGE_MAX_HEAD);
    if (open_part(&p, &x, h) != 0)
        goto out;
    http_answer(&x, thread);
    if (p.too_long && http_part_kind(h, part) == HTTP_READ) {
        begin_answer(&p, 413);
        message_add(out, "X-Batch-Alone", "true");
        message_end(out, NULL, 0);
        rc = buf_status(out);
    } else {
        rc = x.state == STATE_DONE ? 0 : -1;
    }
    http_clear(&x);
out:
    buf_clear(&p.texts);
    return rc;
}
