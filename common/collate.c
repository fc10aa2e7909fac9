#include "common/collate.h"

#include "common/utf8.h"

#include <string.h>
#include <utf8proc.h>

/* Of an empty text that has no place: one to count from. */
static const char *placed(const char *text)
{
    return text != NULL ? text : "";
}

/* Takes one character off the front; a malformed byte stands for itself. */
static uint32_t take(const char **p, const char *end)
{
    unsigned char b = (unsigned char)**p;
    if (b < 0x80) {
        (*p)++;
        return b;
    }
    uint32_t cp;
    size_t n = utf8_decode(*p, (size_t)(end - *p), &cp);
    if (n == 0) {
        (*p)++;
        return b;
    }
    *p += n;
    return cp;
}

static uint32_t fold(uint32_t cp)
{
    if (cp < 0x80)
        return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
}

static size_t trimmed(const char *p, size_t len)
{
    while (len > 0 && p[len - 1] == ' ')
        len--;
    return len;
}

/* What is left of the longer string against the spaces that the shorter one is padded with. */
static int compare_rest(const char *p, const char *end)
{
    while (p < end) {
        uint32_t c = take(&p, end);
        if (c != ' ')
            return c < ' ' ? -1 : 1;
    }
    return 0;
}

static int compare_binary(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    int order = common > 0 ? memcmp(a, b, common) : 0;
    if (order != 0)
        return order;
    return a_len > common ? compare_rest(a + common, a + a_len) : -compare_rest(b + common, b + b_len);
}

static int compare_folded(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const char *a_end = a + a_len, *b_end = b + b_len;
    while (a < a_end && b < b_end) {
        uint32_t x = fold(take(&a, a_end)), y = fold(take(&b, b_end));
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a < a_end ? compare_rest(a, a_end) : -compare_rest(b, b_end);
}

int collate_compare(enum collation collation, const char *a, size_t a_len, const char *b, size_t b_len)
{
    a = placed(a);
    b = placed(b);
    a_len = trimmed(a, a_len);
    b_len = trimmed(b, b_len);
    if (collation == COLLATION_BIN2)
        return compare_binary(a, a_len, b, b_len);
    if (a_len == b_len && memcmp(a, b, a_len) == 0)
        return 0;
    int order = compare_folded(a, a_len, b, b_len);
    if (order == 0 && collation == COLLATION_CS)
        order = -compare_binary(a, a_len, b, b_len);
    return order;
}

static int32_t unchanged(int32_t cp)
{
    return cp;
}

static int32_t lower(int32_t cp)
{
    return (int32_t)fold((uint32_t)cp);
}

static int32_t upper(int32_t cp)
{
    return utf8proc_toupper(cp);
}

static void append_mapped(const char *text, size_t len, int32_t (*map)(int32_t), struct buf *out)
{
    text = placed(text);
    const char *end = text + len;
    while (text < end) {
        char mapped[UTF8_MAX_BYTES];
        uint32_t cp;
        size_t n = utf8_decode(text, (size_t)(end - text), &cp);
        if (n == 0)
            buf_append_char(out, *text++);
        else
            buf_append(out, mapped, utf8_encode((uint32_t)map((int32_t)cp), mapped));
        text += n;
    }
}

void collate_append_key(enum collation collation, const char *text, size_t len, struct buf *out)
{
    append_mapped(text, trimmed(text, len), collation == COLLATION_CI ? lower : unchanged, out);
}

void collate_append_lower(const char *text, size_t len, struct buf *out)
{
    append_mapped(text, len, lower, out);
}

void collate_append_upper(const char *text, size_t len, struct buf *out)
{
    append_mapped(text, len, upper, out);
}

bool collate_name_equal(const char *a, size_t a_len, const char *b, size_t b_len)
{
    a = placed(a);
    b = placed(b);
    if (a_len == b_len && memcmp(a, b, a_len) == 0)
        return true;
    return compare_folded(a, a_len, b, b_len) == 0;
}

/* ---- LIKE ---- */

struct like {
    enum collation collation;
    uint32_t escape;
    unsigned steps;
};

static uint32_t like_fold(const struct like *l, uint32_t cp)
{
    return l->collation == COLLATION_CI ? fold(cp) : cp;
}

/* set := '[' ['^'] { character | character '-' character } ']' ; *p stands behind '['. An unclosed set matches nothing. */
static bool match_set(const struct like *l, const char **p, const char *end, uint32_t c)
{
    bool negated = false, found = false, first = true;
    if (*p < end && **p == '^') {
        negated = true;
        (*p)++;
    }
    c = like_fold(l, c);
    while (*p < end) {
        uint32_t low = take(p, end);
        if (low == ']' && !first)
            return found != negated;
        first = false;
        if (low == l->escape && *p < end)
            low = take(p, end);
        uint32_t high = low;
        if (end - *p >= 2 && (*p)[0] == '-' && (*p)[1] != ']') {
            (*p)++;
            high = take(p, end);
            if (high == l->escape && *p < end)
                high = take(p, end);
        }
        if (c >= like_fold(l, low) && c <= like_fold(l, high))
            found = true;
    }
    return false;
}

enum collate_match collate_like(enum collation collation, const char *text, size_t text_len, const char *pattern, size_t pattern_len,
                                uint32_t escape)
{
    struct like l = {collation, escape, 0};
    const char *t = text, *t_end = text + text_len, *p = pattern, *p_end = pattern + pattern_len;
    /* Where to go on after a mismatch: behind the last %, one character later in the text. */
    const char *back_t = NULL, *back_p = NULL;
    for (;;) {
        if (++l.steps > COLLATE_MAX_LIKE)
            return COLLATE_TOO_MUCH;
        bool ok;
        if (p == p_end) {
            /* Blanks at the text's end may go without a match. */
            if (trimmed(t, (size_t)(t_end - t)) == 0)
                return COLLATE_MATCH;
            ok = false;
        } else {
            uint32_t c = take(&p, p_end);
            if (c == '%' && c != escape) {
                while (p < p_end && *p == '%')
                    p++;
                if (p == p_end)
                    return COLLATE_MATCH;
                back_p = p;
                back_t = t;
                continue;
            }
            if (t == t_end)
                return COLLATE_NO_MATCH;
            uint32_t x = take(&t, t_end);
            if (c == escape && p < p_end)
                ok = like_fold(&l, take(&p, p_end)) == like_fold(&l, x);
            else if (c == '_')
                ok = true;
            else if (c == '[')
                ok = match_set(&l, &p, p_end, x);
            else
                ok = like_fold(&l, c) == like_fold(&l, x);
        }
        if (ok)
            continue;
        if (!back_p || back_t == t_end)
            return COLLATE_NO_MATCH;
        (void)take(&back_t, t_end);
        t = back_t;
        p = back_p;
    }
}
