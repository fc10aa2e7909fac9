#include "common/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64
#define MAX_INTEGER 20 /* bytes of an int64_t in decimal, with its sign */

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void buf_clear(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    buf_truncate(b, 0);
    b->failed = false;
}

void buf_truncate(struct buf *b, size_t len)
{
    assert(len <= b->len);
    b->len = len;
    if (b->data) {
        b->data[len] = '\0';
    }
}

/* Makes room for `len` more bytes and the NUL. */
static bool grow(struct buf *b, size_t len)
{
    if (b->failed) {
        return false;
    }
    if (len > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + len + 1;
    if (need <= b->cap) {
        return true;
    }
    /* Doubling keeps appending linear; the maximum is reached exactly, never passed. */
    size_t cap = b->cap > b->max / 2 ? b->max + 1 : b->cap * 2;
    if (cap < FIRST_CAP) {
        cap = b->max < FIRST_CAP ? b->max + 1 : FIRST_CAP;
    }
    if (cap < need) {
        cap = need;
    }
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
    return true;
}

char *buf_reserve(struct buf *b, size_t len)
{
    return grow(b, len) ? b->data + b->len : NULL;
}

void buf_commit(struct buf *b, size_t len)
{
    assert(len < b->cap - b->len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_remove(struct buf *b, size_t len)
{
    assert(len <= b->len);
    if (len > 0) {
        memmove(b->data, b->data + len, b->len - len + 1); /* with the NUL */
        b->len -= len;
    }
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (len == 0 || !grow(b, len)) {
        return;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_append_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_append_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_append_integer(struct buf *b, int64_t v)
{
    char text[MAX_INTEGER], *p = text + sizeof text;
    uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0) {
        *--p = '-';
    }
    buf_append(b, p, (size_t)(text + sizeof text - p));
}

void buf_append_fill(struct buf *b, char c, size_t count)
{
    if (count == 0 || !grow(b, count)) {
        return;
    }
    memset(b->data + b->len, c, count);
    buf_commit(b, count);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    if (b->failed) {
        return;
    }
    va_list args;
    va_start(args, format);
    /* Most texts fit into what is there; only the others are formatted twice. */
    size_t room = b->cap - b->len;
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(room > 0 ? b->data + b->len : NULL, room, format, args);
    if (n < 0) {
        b->failed = true;
    } else if (grow(b, (size_t)n)) {
        if ((size_t)n >= room) {
            vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        }
        buf_commit(b, (size_t)n);
    }
    if (b->failed && b->data) {
        b->data[b->len] = '\0'; /* the first try may have written behind the contents */
    }
    va_end(again);
    va_end(args);
}

static void append_le(struct buf *b, uint64_t v, size_t bytes)
{
    unsigned char text[8];
    for (size_t i = 0; i < bytes; i++) {
        text[i] = (unsigned char)(v >> (8 * i));
    }
    buf_append(b, text, bytes);
}

void buf_append_u16le(struct buf *b, uint16_t v)
{
    append_le(b, v, 2);
}

void buf_append_u32le(struct buf *b, uint32_t v)
{
    append_le(b, v, 4);
}

void buf_append_u64le(struct buf *b, uint64_t v)
{
    append_le(b, v, 8);
}

int buf_status(const struct buf *b)
{
    return b->failed ? -1 : 0;
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b, size_t *len)
{
    /* An empty buffer is a text too, so it gets its NUL; a failed one is never handed out as if it were whole. */
    char *data = NULL;
    size_t taken = 0;
    if (grow(b, 0)) {
        data = b->data;
        taken = b->len;
        b->data = NULL;
    }
    buf_clear(b);
    if (len) {
        *len = taken;
    }
    return data;
}
