/* Conversion to strings, with CONVERT's styles. */
#include "tds-server/functions/convert_private.h"

#include "common/utf8.h"
#include "tds-server/functions/typing.h"
#include "tds-server/values/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t convert_utf16_length(const char *text, size_t len)
{
    size_t units = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char b = (unsigned char)text[i];
        units += (b & 0xC0) != 0x80;
        units += b >= 0xF0;
    }
    return units;
}

/* The bytes of the longest beginning of the text, whole characters only, that `limit` (bytes or units) allows. */
static size_t fitting(const struct sqltype *t, const char *text, size_t len, size_t limit)
{
    if (!sqltype_is_unicode(t)) {
        if (len <= limit)
            return len;
        while (limit > 0 && ((unsigned char)text[limit] & 0xC0) == 0x80)
            limit--;
        return limit;
    }
    if (len <= limit)
        return len;
    size_t units = 0, i = 0;
    while (i < len) {
        unsigned char b = (unsigned char)text[i];
        size_t size = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
        size_t more = size == 4 ? 2 : 1;
        if (units + more > limit)
            break;
        units += more;
        i += size;
    }
    return i < len ? i : len;
}

/* Brings text to the length of the type: cuts, refuses or pads. */
static int set_text(struct conversion *c, const char *text, size_t len)
{
    const struct sqltype *t = c->to;
    if (t->length != SQLTYPE_MAX) {
        size_t limit = (size_t)t->length;
        size_t keep = fitting(t, text, len, limit);
        for (size_t i = keep; c->mode == CONVERT_ASSIGN && i < len; i++) {
            if (text[i] != ' ')
                return fault_set(c->fault, 8152);
        }
        len = keep;
        if (t->kind == SQLTYPE_CHAR || t->kind == SQLTYPE_NCHAR) {
            size_t have = t->kind == SQLTYPE_CHAR ? len : convert_utf16_length(text, len);
            if (have < limit) {
                struct buf padded;
                buf_init(&padded, CONVERT_MAX_BYTES);
                buf_append(&padded, text, len);
                buf_append_fill(&padded, ' ', limit - have);
                buf_clear(c->scratch);
                *c->scratch = padded;
                if (buf_status(c->scratch) < 0)
                    return fault_set(c->fault, FAULT_MEMORY);
                text = c->scratch->data;
                len = c->scratch->len;
            }
        }
    }
    c->out->bytes.data = text;
    c->out->bytes.len = len;
    return 0;
}

static int set_made_text(struct conversion *c, const char *text, size_t len)
{
    buf_reset(c->scratch);
    buf_append(c->scratch, text, len);
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    return set_text(c, buf_text(c->scratch), len);
}

/* A number's text has to fit; an integer that does not becomes "*" in a non-Unicode string, as in SQL Server. */
static int set_number_text(struct conversion *c, const char *text, size_t len)
{
    if (c->to->length != SQLTYPE_MAX && len > (size_t)c->to->length) {
        enum type_class from = typing_class(c->in->type.kind);
        if ((from == TYPE_INTEGER || from == TYPE_BIT) && !sqltype_is_unicode(c->to) && c->mode == CONVERT_CAST)
            return set_made_text(c, "*", 1);
        return convert_overflow(c, from == TYPE_DECIMAL ? convert_name(&c->in->type) : "expression");
    }
    return set_made_text(c, text, len);
}

/* Style 0: six digits; 1: eight; 2: sixteen; 3: seventeen, always the exponent from 1 on. An exponent has three digits. */
static size_t float_text(double v, int style, char out[64])
{
    char text[64];
    if (style == 1 || style == 2)
        snprintf(text, sizeof text, "%.*e", style == 1 ? 7 : 15, v);
    else
        snprintf(text, sizeof text, "%.*g", style == 3 ? 17 : 6, v);
    char *e = strchr(text, 'e');
    if (!e)
        return (size_t)snprintf(out, 64, "%s", text);
    int exponent = atoi(e + 1);
    *e = '\0';
    return (size_t)snprintf(out, 64, "%.40se%c%03d", text, exponent < 0 ? '-' : '+', abs(exponent));
}

static int hex_text(struct conversion *c, bool prefix)
{
    static const char digits[] = "0123456789ABCDEF";
    struct buf text;
    buf_init(&text, CONVERT_MAX_BYTES);
    if (prefix)
        buf_append_text(&text, "0x");
    for (size_t i = 0; i < c->in->bytes.len; i++) {
        unsigned char b = (unsigned char)c->in->bytes.data[i];
        buf_append_char(&text, digits[b >> 4]);
        buf_append_char(&text, digits[b & 15]);
    }
    buf_clear(c->scratch);
    *c->scratch = text;
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    return set_text(c, buf_text(c->scratch), c->scratch->len);
}

/* Bytes as text: UTF-8 for the non-Unicode types, UTF-16 for the others; what is malformed becomes U+FFFD. */
static int text_from_bytes(struct conversion *c)
{
    const char *p = c->in->bytes.data;
    size_t len = c->in->bytes.len;
    struct buf text;
    buf_init(&text, CONVERT_MAX_BYTES);
    char utf8[UTF8_MAX_BYTES];
    if (sqltype_is_unicode(c->to)) {
        for (size_t i = 0; i + 1 < len; i += 2) {
            uint32_t u = (unsigned char)p[i] | (uint32_t)(unsigned char)p[i + 1] << 8;
            if (u >= 0xD800 && u < 0xDC00 && i + 3 < len) {
                uint32_t v = (unsigned char)p[i + 2] | (uint32_t)(unsigned char)p[i + 3] << 8;
                if (v >= 0xDC00 && v < 0xE000) {
                    u = 0x10000 + ((u - 0xD800) << 10) + (v - 0xDC00);
                    i += 2;
                }
            }
            if (u >= 0xD800 && u < 0xE000)
                u = 0xFFFD;
            buf_append(&text, utf8, utf8_encode(u, utf8));
        }
    } else {
        for (size_t i = 0; i < len;) {
            size_t n = utf8_decode(p + i, len - i, NULL);
            if (n == 0)
                buf_append_text(&text, UTF8_REPLACEMENT);
            else
                buf_append(&text, p + i, n);
            i += n == 0 ? 1 : n;
        }
    }
    buf_clear(c->scratch);
    *c->scratch = text;
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    return set_text(c, buf_text(c->scratch), c->scratch->len);
}

/* The styles of CONVERT from dates that are ISO or widely used; day, month … are filled in by number. */
static const struct {
    int style;
    const char *pattern; /* y year, Y two digits of it, m month, d day, h hour, i minute, s second, f fraction, n month's name */
} date_styles[] = {
    {1, "m/d/Y"}, {2, "Y.m.d"}, {3, "d/m/Y"}, {4, "d.m.Y"}, {5, "d-m-Y"}, {6, "d n Y"}, {7, "n d, Y"},
    {8, "h:i:s"}, {108, "h:i:s"}, {10, "m-d-Y"}, {11, "Y/m/d"}, {12, "Ymd"}, {14, "h:i:s:f"}, {114, "h:i:s:f"},
    {20, "y-m-d h:i:s"}, {120, "y-m-d h:i:s"}, {21, "y-m-d h:i:s.f"}, {121, "y-m-d h:i:s.f"}, {25, "y-m-d h:i:s.f"},
    {23, "y-m-d"}, {24, "h:i:s"}, {101, "m/d/y"}, {102, "y.m.d"}, {103, "d/m/y"}, {104, "d.m.y"}, {105, "d-m-y"},
    {106, "d n y"}, {107, "n d, y"}, {110, "m-d-y"}, {111, "y/m/d"}, {112, "ymd"},
    {126, "y-m-dTh:i:s.f"}, {127, "y-m-dTh:i:s.fZ"},
};

static int styled_date(struct conversion *c)
{
    static const char names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const char *pattern = NULL;
    for (size_t i = 0; i < sizeof date_styles / sizeof date_styles[0]; i++) {
        if (date_styles[i].style == c->style)
            pattern = date_styles[i].pattern;
    }
    if (!pattern)
        return fault_set(c->fault, 281, c->style, typing_name(c->in->type.kind));
    struct moment m = moment_from_value(c->in);
    bool zoned = c->in->type.kind == SQLTYPE_DATETIMEOFFSET;
    if (zoned && c->style == 127 && !moment_to_utc(m, &m))
        return fault_set(c->fault, 242, typing_name(c->in->type.kind), typing_name(c->to->kind));
    char date[VALUE_DATE_LEN], time[VALUE_TIME_LEN], text[MOMENT_TEXT * 2];
    value_days_to_text(m.days, date);
    value_ticks_to_text(m.ticks, time);
    int scale = c->in->type.kind == SQLTYPE_DATE ? 0 : c->in->type.scale;
    bool has_date = c->in->type.kind != SQLTYPE_TIME, has_time = c->in->type.kind != SQLTYPE_DATE;
    bool iso = c->style >= 20 && c->style <= 25;
    iso |= c->style == 120 || c->style == 121 || c->style == 126 || c->style == 127;
    size_t len = 0;
    for (const char *p = pattern; *p != '\0'; p++) {
        const char *piece = p;
        size_t n = 1;
        bool is_time = *p == 'h' || *p == 'i' || *p == 's' || *p == 'f';
        /* A date shown in a style with a time has no time, and the other way round. */
        if (iso && !has_time && (*p == ' ' || *p == 'T' || *p == ':' || *p == '.' || *p == 'Z' || is_time))
            continue;
        if (iso && !has_date && (*p == 'y' || *p == 'm' || *p == 'd' || *p == '-' || *p == ' ' || *p == 'T'))
            continue;
        switch (*p) {
        case 'y': piece = date; n = 4; break;
        case 'Y': piece = date + 2; n = 2; break;
        case 'm': piece = date + 5; n = 2; break;
        case 'd': piece = date + 8; n = 2; break;
        case 'n': piece = names[(date[5] - '0') * 10 + date[6] - '0' - 1]; n = 3; break;
        case 'h': piece = time; n = 2; break;
        case 'i': piece = time + 3; n = 2; break;
        case 's': piece = time + 6; n = 2; break;
        case '.':
            if (is_time || p[1] != 'f' || scale > 0)
                break;
            continue;
        case 'Z':
            if (!zoned)
                continue;
            break;
        case 'f':
            piece = time + 9;
            n = (size_t)(c->style == 14 || c->style == 114 ? 3 : scale);
            /* ISO 8601 leaves a fraction of zero out of DATETIME. */
            if (c->style >= 126 && c->in->type.kind == SQLTYPE_DATETIME && memcmp(piece, "000", 3) == 0) {
                len--;
                continue;
            }
            break;
        default:
            break;
        }
        memcpy(text + len, piece, n);
        len += n;
    }
    if (zoned && iso && c->style != 127) {
        if (c->style != 126)
            text[len++] = ' ';
        memcpy(text + len, c->in->bytes.data + VALUE_DATETIME_LEN + 1, 6);
        len += 6;
    }
    return set_made_text(c, text, len);
}

/* Puts a comma before every third digit left of the two decimals of MONEY; `text` has room. Returns the new length. */
static size_t group_thousands(char *text, size_t len)
{
    size_t first = text[0] == '-' ? 2 : 1; /* no comma in front of the first digit */
    for (size_t i = len - 3; i >= first + 3; i -= 3) {
        memmove(text + i - 2, text + i - 3, len - (i - 3));
        text[i - 3] = ',';
        len++;
    }
    return len;
}

int convert_to_string(struct conversion *c)
{
    const struct value *in = c->in;
    char text[MOMENT_TEXT * 2];
    size_t len;
    switch (typing_class(in->type.kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        len = (size_t)snprintf(text, sizeof text, "%lld", (long long)in->integer);
        return set_number_text(c, text, len);
    case TYPE_DECIMAL:
        if (in->type.kind == SQLTYPE_MONEY && c->style != 2) {
            int128 cents = 0;
            (void)decimal_rescale(convert_input_decimal(in), SQLTYPE_MAX_PRECISION, 2, false, &cents);
            len = value_decimal_to_text(cents, 2, text);
            if (c->style == 1)
                len = group_thousands(text, len);
        } else {
            len = value_decimal_to_text(in->decimal, in->type.scale, text);
        }
        return set_number_text(c, text, len);
    case TYPE_FLOAT:
        len = float_text(in->real, c->style, text);
        return set_number_text(c, text, len);
    case TYPE_STRING:
        return set_text(c, in->bytes.data, in->bytes.len);
    case TYPE_DATETIME:
        if (c->style != 0 && c->style != 100)
            return styled_date(c);
        len = moment_to_text(in, text);
        return set_made_text(c, text, len);
    case TYPE_GUID:
        if (c->to->length != SQLTYPE_MAX && c->to->length < 36)
            return fault_set(c->fault, 8170);
        value_guid_to_text((const unsigned char *)in->bytes.data, text);
        return set_made_text(c, text, 36);
    case TYPE_BINARY:
        if (c->style == 1 || c->style == 2)
            return hex_text(c, c->style == 1);
        return text_from_bytes(c);
    }
    return convert_unsupported(c);
}
