#include "tds-server/values/unicode.h"

#include <utf8proc.h>

size_t unicode_decode(const char *s, size_t len, int32_t *code)
{
    unsigned char first = (unsigned char)s[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    utf8proc_int32_t decoded;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)(len < 4 ? len : 4), &decoded);
    if (n <= 0) {
        *code = -1;
        return 1;
    }
    *code = decoded;
    return (size_t)n;
}

size_t unicode_encode(int32_t code, char out[4])
{
    if (!utf8proc_codepoint_valid(code))
        return 0;
    return (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)out);
}

size_t unicode_units(const char *s, size_t len)
{
    size_t units = 0;
    for (size_t i = 0; i < len;) {
        int32_t code;
        i += unicode_decode(s + i, len - i, &code);
        units += code > 0xFFFF ? 2 : 1;
    }
    return units;
}

size_t unicode_offset(const char *s, size_t len, size_t units)
{
    size_t i = 0;
    while (i < len) {
        int32_t code;
        size_t n = unicode_decode(s + i, len - i, &code);
        size_t width = code > 0xFFFF ? 2 : 1;
        if (width > units)
            break;
        units -= width;
        i += n;
    }
    return i;
}

static bool in_range(utf8proc_category_t c, utf8proc_category_t first, utf8proc_category_t last)
{
    return c >= first && c <= last;
}

bool unicode_is_letter(int32_t code)
{
    if (code < 0)
        return false;
    return in_range(utf8proc_category(code), UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO);
}

bool unicode_is_name_part(int32_t code)
{
    if (code < 0)
        return false;
    utf8proc_category_t c = utf8proc_category(code);
    return in_range(c, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO) || in_range(c, UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME) ||
           c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_PC;
}

bool unicode_is_space(int32_t code)
{
    if (code < 0)
        return false;
    return code <= 0x20 || code == 0x85 || code == 0xFEFF || in_range(utf8proc_category(code), UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZP);
}

int32_t unicode_lower(int32_t code)
{
    return code < 0 ? code : utf8proc_tolower(code);
}

int32_t unicode_upper(int32_t code)
{
    return code < 0 ? code : utf8proc_toupper(code);
}

static void append_mapped(const char *s, size_t len, int32_t (*map)(int32_t), struct buf *out)
{
    for (size_t i = 0; i < len;) {
        int32_t code;
        char mapped[4];
        size_t n = unicode_decode(s + i, len - i, &code);
        size_t written = code < 0 ? 0 : unicode_encode(map(code), mapped);
        if (written > 0 && written <= n)
            buf_append(out, mapped, written);
        else
            buf_append(out, s + i, n);
        i += n;
    }
}

void unicode_append_lower(const char *s, size_t len, struct buf *out)
{
    append_mapped(s, len, unicode_lower, out);
}

void unicode_append_upper(const char *s, size_t len, struct buf *out)
{
    append_mapped(s, len, unicode_upper, out);
}
