#include "common/lines.h"

#include <string.h>

void lines_init(struct lines *l, size_t max)
{
    *l = (struct lines){.max = max};
    buf_init(&l->held, max + 1); /* a CR may stand behind the longest line */
}

void lines_clear(struct lines *l)
{
    buf_clear(&l->held);
}

void lines_feed(struct lines *l, const char *piece, size_t len)
{
    l->next = piece;
    l->end = piece + len;
}

void lines_end(struct lines *l)
{
    l->ended = true;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != ' ' && text[i] != '\t')
            return false;
    }
    return true;
}

/* Keeps what is left of the piece, which has no line's end. */
static int hold_rest(struct lines *l)
{
    size_t rest = (size_t)(l->end - l->next);
    if (rest > l->held.max - l->held.len)
        return LINES_TOO_LONG;
    buf_append(&l->held, l->next, rest);
    l->next = l->end;
    return buf_status(&l->held) == 0 ? 0 : LINES_NO_MEMORY;
}

/* The next line with its CR, blank or not. */
static int next_raw(struct lines *l, const char **text, size_t *len)
{
    size_t rest = (size_t)(l->end - l->next);
    const char *lf = rest > 0 ? memchr(l->next, '\n', rest) : NULL;
    if (l->given) {
        buf_reset(&l->held);
        l->given = false;
    }
    if (lf == NULL) {
        int rc = hold_rest(l);
        if (rc < 0)
            l->number++;
        if (rc < 0 || !l->ended || l->held.len == 0)
            return rc;
    } else if (l->held.len == 0) {
        *text = l->next;
        *len = (size_t)(lf - l->next);
        l->next = lf + 1;
        l->number++;
        return 1;
    } else {
        const char *end = l->end;
        l->end = lf;
        int rc = hold_rest(l);
        l->end = end;
        l->next = lf + 1;
        if (rc < 0) {
            l->number++;
            return rc;
        }
    }
    *text = buf_text(&l->held);
    *len = l->held.len;
    l->given = true;
    l->number++;
    return 1;
}

int lines_next(struct lines *l, const char **text, size_t *len)
{
    for (;;) {
        int rc = next_raw(l, text, len);
        if (rc <= 0)
            return rc;
        if (*len > 0 && (*text)[*len - 1] == '\r')
            --*len;
        if (*len > l->max)
            return LINES_TOO_LONG;
        if (!is_blank(*text, *len))
            return 1;
    }
}
