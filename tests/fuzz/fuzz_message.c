/* Messages of a batch: the first byte says whether requests or answers follow, and which of their beginnings are read. Whatever a reader has seen of a message, it
 * never takes back what it said of it; and what it read, written anew, is read the same. */
#include "common/message.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define BEGINNINGS 8 /* of one message */

typedef int read_function(const char *data, size_t len, struct message *out, size_t *used);

static void append_text(struct buf *b, const struct message_text *t)
{
    buf_append(b, t->text, t->len);
}

static void check_inside(const struct message_text *t, const char *data, size_t len)
{
    CHECK(t->text >= data && t->len <= len && (size_t)(t->text - data) <= len - t->len);
}

/* Writes the message anew; false when it is one that the writers do not write. */
static bool write_again(const struct message *m, struct buf *out)
{
    struct buf name, value;

    buf_init(&name, MESSAGE_MAX_HEAD);
    buf_init(&value, MESSAGE_MAX_HEAD);
    if (m->status != 0) {
        message_begin_answer(out, m->status);
    } else {
        append_text(&name, &m->method);
        append_text(&value, &m->target);
        message_begin_request(out, buf_text(&name), buf_text(&value));
    }
    for (size_t i = 0; i < m->field_count; i++) {
        if (message_header(m, "Content-Length") == &m->fields[i].value)
            continue;
        buf_reset(&name);
        buf_reset(&value);
        append_text(&name, &m->fields[i].name);
        append_text(&value, &m->fields[i].value);
        message_add(out, buf_text(&name), buf_text(&value));
    }
    bool fits = out->len + sizeof("Content-Length: 1234567890\r\n\r\n") <= MESSAGE_MAX_HEAD;
    message_end(out, m->body.text, m->body.len);
    buf_clear(&name);
    buf_clear(&value);
    return fits;
}

static void check_message(read_function *read, const struct message *m, const char *data, size_t used)
{
    struct message again;
    struct buf text;
    size_t len;

    if (m->status == 0) {
        check_inside(&m->method, data, used);
        check_inside(&m->target, data, used);
    }
    check_inside(&m->body, data, used);
    for (size_t i = 0; i < m->field_count; i++) {
        check_inside(&m->fields[i].name, data, used);
        check_inside(&m->fields[i].value, data, used);
    }
    buf_init(&text, (size_t)1 << 30);
    if (write_again(m, &text)) {
        CHECK(read(text.data, text.len, &again, &len) == 1 && len == text.len);
        CHECK(again.status == m->status && again.field_count == m->field_count && again.body.len == m->body.len);
        CHECK(m->body.len == 0 || memcmp(again.body.text, m->body.text, m->body.len) == 0);
    }
    buf_clear(&text);
}

/* Reads the message in some of its growing beginnings: "more" until the verdict, which stays. */
static int grow(read_function *read, const char *data, size_t size, size_t start, size_t *used)
{
    size_t step = size / BEGINNINGS + 1, whole;
    struct message m;
    int rc = read(data, size, &m, used);

    if (rc > 0)
        check_message(read, &m, data, *used);
    for (size_t len = start % step; len < size; len += step) {
        char *part = malloc(len > 0 ? len : 1); /* so that a sanitizer sees who reads behind it */
        CHECK(part != NULL);
        memcpy(part, data, len);
        int now = read(part, len, &m, &whole);
        free(part);
        CHECK(now == 0 || now == rc);
        CHECK(now != 0 || rc <= 0 || len < *used);
        CHECK(now <= 0 || whole == *used);
        if (rc > 0 && len >= *used)
            break;
    }
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data + 1;
    size_t used;

    if (size == 0)
        return 0;
    read_function *read = data[0] % 2 == 0 ? message_read_request : message_read_answer;
    for (size_t left = size - 1; left > 0 && grow(read, p, left, data[0] / 2, &used) > 0; left -= used)
        p += used;
    return 0;
}
