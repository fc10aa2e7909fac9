#include "common/utf8.h"

#include <string.h>

#define IS_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

size_t utf8_decode(const char *text, size_t len, uint32_t *cp)
{
    const unsigned char *p = (const unsigned char *)text;
    if (len == 0) {
        return 0;
    }
    size_t n;
    uint32_t value, least; /* least: the first code point that needs n bytes */
    if (p[0] < 0x80) {
        n = 1, value = p[0], least = 0;
    } else if ((p[0] & 0xE0) == 0xC0) {
        n = 2, value = p[0] & 0x1Fu, least = 0x80;
    } else if ((p[0] & 0xF0) == 0xE0) {
        n = 3, value = p[0] & 0x0Fu, least = 0x800;
    } else if ((p[0] & 0xF8) == 0xF0) {
        n = 4, value = p[0] & 0x07u, least = 0x10000;
    } else {
        return 0;
    }
    if (len < n) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | (p[i] & 0x3Fu);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return 0;
    }
    if (cp) {
        *cp = value;
    }
    return n;
}

size_t utf8_encode(uint32_t cp, char out[UTF8_MAX_BYTES])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

static uint32_t get_unit(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

size_t utf8_from_utf16le(const void *text, size_t len, char *out)
{
    const unsigned char *p = text, *end = p + len / 2 * 2;
    char *to = out;
    while (p < end) {
        if (end - p >= 8) { /* most text is ASCII: four units at once */
            uint64_t four;
            memcpy(&four, p, sizeof four);
            if ((four & UINT64_C(0xFF80FF80FF80FF80)) == 0 && IS_LITTLE_ENDIAN) {
                four |= four >> 8;
                uint32_t bytes = (uint32_t)(four & 0xFFFF) | (uint32_t)(four >> 16 & 0xFFFF0000);
                memcpy(to, &bytes, sizeof bytes);
                to += 4, p += 8;
                continue;
            }
        }
        uint32_t c = get_unit(p);
        p += 2;
        if (c < 0x80) {
            *to++ = (char)c;
            continue;
        }
        if (c >= 0xD800 && c <= 0xDFFF) {
            uint32_t low = c < 0xDC00 && p < end ? get_unit(p) : 0;
            bool pair = low >= 0xDC00 && low <= 0xDFFF;
            c = pair ? 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
            p += pair ? 2 : 0;
        }
        to += utf8_encode(c, to);
    }
    return (size_t)(to - out);
}

bool utf8_measure(const char *text, size_t len, size_t *utf16_units, size_t *code_points)
{
    size_t units = 0;
    size_t points = 0;

    for (size_t at = 0; at < len;) {
        uint32_t c;
        const size_t n = utf8_decode(text + at, len - at, &c);
        if (n == 0)
            return false;
        at += n;
        points++;
        units += c >= 0x10000 ? 2 : 1;
    }
    if (utf16_units)
        *utf16_units = units;
    if (code_points)
        *code_points = points;
    return true;
}

bool utf8_is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}
