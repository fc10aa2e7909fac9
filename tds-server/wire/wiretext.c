#include "tds-server/wire/wiretext.h"

#include "common/utf8.h"

#include <stdint.h>

#define REPLACEMENT 0xFFFDu

/* Writes a character, or only counts its bytes when there is nowhere to write to. */
static size_t put_utf8(uint32_t c, char *out)
{
    char scratch[UTF8_MAX_BYTES];
    return utf8_encode(c, out == NULL ? scratch : out);
}

/* The character at `p`, and in *used its bytes; a malformed byte is U+FFFD. p < end. */
static uint32_t get_utf8(const unsigned char *p, const unsigned char *end, size_t *used)
{
    uint32_t c;
    if (*p < 0x80) {
        *used = 1;
        return *p;
    }
    *used = utf8_decode((const char *)p, (size_t)(end - p), &c);
    if (*used > 0) {
        return c;
    }
    *used = 1;
    return REPLACEMENT;
}

size_t wiretext_from_utf16(const unsigned char *in, size_t len, char *out)
{
    size_t made = 0;
    size_t at = 0;
    while (len - at >= 2) {
        uint32_t c = (uint32_t)(in[at] | in[at + 1] << 8);
        at += 2;
        if (c < 0x80) {
            if (out != NULL) {
                out[made] = (char)c;
            }
            made++;
            continue;
        }
        if (c >= 0xD800 && c <= 0xDFFF) {
            uint32_t low = len - at >= 2 ? (uint32_t)(in[at] | in[at + 1] << 8) : 0;
            if (c <= 0xDBFF && low >= 0xDC00 && low <= 0xDFFF) {
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                at += 2;
            } else {
                c = REPLACEMENT;
            }
        }
        made += put_utf8(c, out == NULL ? NULL : out + made);
    }
    if (at < len) {
        made += put_utf8(REPLACEMENT, out == NULL ? NULL : out + made);
    }
    return made;
}

size_t wiretext_from_utf8(const unsigned char *in, size_t len, char *out)
{
    size_t made = 0;
    for (size_t at = 0; at < len;) {
        size_t used;
        uint32_t c = get_utf8(in + at, in + len, &used);
        made += put_utf8(c, out == NULL ? NULL : out + made);
        at += used;
    }
    return made;
}

size_t wiretext_from_windows1252(const unsigned char *in, size_t len, char *out)
{
    /* What differs from ISO 8859-1; the five unassigned bytes are the control characters, as Windows maps them. */
    static const uint16_t high[32] = {
        0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
    };
    size_t made = 0;
    for (size_t i = 0; i < len; i++) {
        uint32_t c = in[i] >= 0x80 && in[i] <= 0x9F ? high[in[i] - 0x80] : in[i];
        made += put_utf8(c, out == NULL ? NULL : out + made);
    }
    return made;
}

void wiretext_append_utf16(struct buf *out, const char *text, size_t len, size_t max_units)
{
    /* A byte of UTF-8 never makes more than one unit. */
    size_t most = len < max_units ? len : max_units;
    char *to = buf_reserve(out, most * 2);
    if (to == NULL || most == 0) {
        return;
    }
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + len;
    size_t units = 0;
    while (p < end) {
        for (; p < end && *p < 0x80 && units < max_units; p++, units++) {
            to[units * 2] = (char)*p;
            to[units * 2 + 1] = 0;
        }
        if (p == end) {
            break;
        }
        size_t used;
        uint32_t c = get_utf8(p, end, &used);
        size_t need = c >= 0x10000 ? 2 : 1;
        if (need > max_units - units) {
            break;
        }
        if (need == 2) {
            uint32_t high = 0xD800 + ((c - 0x10000) >> 10);
            to[units * 2] = (char)(high & 0xFF);
            to[units * 2 + 1] = (char)(high >> 8);
            units++;
            c = 0xDC00 + ((c - 0x10000) & 0x3FF);
        }
        to[units * 2] = (char)(c & 0xFF);
        to[units * 2 + 1] = (char)(c >> 8);
        units++;
        p += used;
    }
    buf_commit(out, units * 2);
}

size_t wiretext_count_units(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t units = 0;
    for (size_t at = 0; at < len;) {
        size_t used;
        units += get_utf8(p + at, p + len, &used) >= 0x10000 ? 2 : 1;
        at += used;
    }
    return units;
}

size_t wiretext_cut(const char *text, size_t len, size_t max)
{
    if (len <= max) {
        return len;
    }
    size_t cut = max;
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) {
        cut--;
    }
    return cut;
}
