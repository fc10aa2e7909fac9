#include "common/utf8.h"

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
