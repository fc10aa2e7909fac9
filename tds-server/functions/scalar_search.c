/* Functions that look for one string in another under a collation: CHARINDEX, REPLACE, PATINDEX.
 *
 * Without regard to case means that both are folded, character by character, and then searched as bytes: the time stays
 * linear, whatever the strings are.
 */
#include <config.h>

#include "common/collate.h"
#include "tds-server/functions/scalar_private.h"
#include "tds-server/values/unicode.h"

#include <string.h>

/* A string as it is searched: itself, or folded in `folded`. */
struct searched {
    struct buf folded;
    const char *data;
    size_t len;
};

static int searched_init(struct searched *s, const struct scalar_call *c, const char *data, size_t len)
{
    buf_init(&s->folded, SCALAR_MAX_TEXT * 2);
    s->data = data;
    s->len = len;
    if (c->collation != COLLATION_CI)
        return 0;
    unicode_append_lower(data, len, &s->folded);
    if (buf_status(&s->folded) != 0)
        return fault_set(c->fault, FAULT_MEMORY);
    s->data = buf_text(&s->folded);
    s->len = s->folded.len;
    return 0;
}

static void searched_clear(struct searched *s)
{
    buf_clear(&s->folded);
}

int scalar_call_charindex(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    struct searched what = {0}, in = {0};
    int result = -1;
    size_t skip = count > 2 && args[2].integer > 1 ? (size_t)args[2].integer - 1 : 0;
    if (searched_init(&what, c, args[0].bytes.data, args[0].bytes.len) != 0 ||
        searched_init(&in, c, args[1].bytes.data, args[1].bytes.len) != 0)
        goto out;
    size_t from = unicode_offset(in.data, in.len, skip);
    const char *found = what.len > 0 ? memmem(in.data + from, in.len - from, what.data, what.len) : NULL;
    out->integer = found != NULL ? (int64_t)unicode_units(in.data, (size_t)(found - in.data)) + 1 : 0;
    result = 0;
out:
    searched_clear(&what);
    searched_clear(&in);
    return result;
}

static size_t width(const char *data, size_t len, size_t at)
{
    int32_t code;
    return at < len ? unicode_decode(data + at, len - at, &code) : 0;
}

int scalar_call_replace(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    struct searched what = {0}, in = {0};
    const char *original = args[0].bytes.data;
    size_t original_len = args[0].bytes.len, limit = scalar_text_limit(c->result);
    int result = -1;
    if (searched_init(&what, c, args[1].bytes.data, args[1].bytes.len) != 0 || searched_init(&in, c, original, original_len) != 0)
        goto out;
    /* `at` and `from` are the same character in the searched and in the original string. */
    size_t at = 0, from = 0;
    while (what.len > 0 && c->scratch->len <= limit) {
        const char *found = memmem(in.data + at, in.len - at, what.data, what.len);
        if (found == NULL)
            break;
        size_t start = (size_t)(found - in.data), kept = from;
        while (at < start) {
            at += width(in.data, in.len, at);
            kept += width(original, original_len, kept);
        }
        buf_append(c->scratch, original + from, kept - from);
        buf_append(c->scratch, args[2].bytes.data, args[2].bytes.len);
        from = kept;
        while (at < start + what.len) {
            at += width(in.data, in.len, at);
            from += width(original, original_len, from);
        }
    }
    buf_append(c->scratch, original + from, original_len - from);
    result = scalar_set_scratch(c, out);
out:
    searched_clear(&what);
    searched_clear(&in);
    return result;
}

/* The bytes of the pattern up to its next '%' that is not inside a set. */
static size_t first_segment(const char *pattern, size_t len)
{
    size_t i = 0;
    while (i < len && pattern[i] != '%') {
        if (pattern[i++] != '[')
            continue;
        i += i < len && pattern[i] == '^';
        i += i < len; /* a ']' that stands first belongs to the set */
        while (i < len && pattern[i] != ']')
            i++;
        i += i < len;
    }
    return i;
}

static enum collate_match like(const struct scalar_call *c, const char *text, size_t len, const char *pattern, size_t pattern_len)
{
    return collate_like(c->collation, text, len, pattern, pattern_len, COLLATE_NO_ESCAPE);
}

/* PATINDEX(pattern, text). If the pattern matches at all, its first segment behind the leading % stands where that segment
 * matches first: so one match of the whole, and then one of the segment at each character. */
int scalar_call_patindex(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    const char *pattern = args[0].bytes.data, *text = args[1].bytes.data;
    size_t pattern_len = args[0].bytes.len, len = args[1].bytes.len;
    out->integer = 0;
    switch (like(c, text, len, pattern, pattern_len)) {
    case COLLATE_TOO_MUCH:
        return fault_set(c->fault, 8623);
    case COLLATE_NO_MATCH:
        return 0;
    case COLLATE_MATCH:
        break;
    }
    out->integer = 1;
    if (pattern_len == 0 || pattern[0] != '%')
        return 0;
    while (pattern_len > 0 && pattern[0] == '%') {
        pattern++;
        pattern_len--;
    }
    if (pattern_len == 0)
        return 0;
    /* The last segment is matched to the text's end, the others with whatever behind them. */
    size_t segment = first_segment(pattern, pattern_len);
    size_t needed = segment < pattern_len ? segment + 1 : segment;
    for (size_t at = 0; at < len; at += width(text, len, at)) {
        enum collate_match match = like(c, text + at, len - at, pattern, needed);
        if (match == COLLATE_TOO_MUCH)
            return fault_set(c->fault, 8623);
        if (match == COLLATE_MATCH)
            return 0;
        out->integer += unicode_units(text + at, width(text, len, at)) > 1 ? 2 : 1;
    }
    out->integer = 0;
    return 0;
}
