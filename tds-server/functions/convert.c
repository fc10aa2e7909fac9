#include "tds-server/functions/convert.h"

#include "common/utf8.h"
#include "tds-server/values/decimal.h"
#include "tds-server/values/moment.h"
#include "tds-server/functions/typing.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define QUOTED_MAX 256 /* bytes of a value that a message shows */

struct conversion {
    const struct value *in;
    const struct sqltype *to;
    int style;
    enum convert_mode mode;
    struct buf *scratch;
    struct value *out;
    struct fault *fault;
};

/* The type's name in conversion messages, where DECIMAL is always "numeric". */
static const char *message_name(enum sqltype_kind kind)
{
    return kind == SQLTYPE_DECIMAL ? "numeric" : typing_name(kind);
}

static int overflow(struct conversion *c, const char *what)
{
    return fault_set(c->fault, 8115, what, message_name(c->to->kind));
}

/* The input as a NUL-terminated text, cut, for messages. */
static const char *quoted(const struct conversion *c, char text[QUOTED_MAX])
{
    size_t len = c->in->bytes.len < QUOTED_MAX - 1 ? c->in->bytes.len : QUOTED_MAX - 1;
    while (len > 0 && len < c->in->bytes.len && ((unsigned char)c->in->bytes.data[len] & 0xC0) == 0x80)
        len--;
    memcpy(text, c->in->bytes.data, len);
    text[len] = '\0';
    return text;
}

static void trim(const char **p, const char **end)
{
    while (*p < *end && (**p == ' ' || **p == '\t' || **p == '\r' || **p == '\n'))
        (*p)++;
    while (*p < *end && ((*end)[-1] == ' ' || (*end)[-1] == '\t' || (*end)[-1] == '\r' || (*end)[-1] == '\n'))
        (*end)--;
}

static int unsupported(struct conversion *c)
{
    return fault_set(c->fault, 529, typing_name(c->in->type.kind), typing_name(c->to->kind));
}

static struct decimal input_decimal(const struct value *in)
{
    return (struct decimal){in->decimal, in->type.scale};
}

/* ---- to integers and BIT ---- */

static int out_of_integer(struct conversion *c, const char *shown)
{
    enum sqltype_kind to = c->to->kind;
    enum type_class from = typing_class(c->in->type.kind);
    if (from == TYPE_STRING) {
        char text[QUOTED_MAX];
        if (to == SQLTYPE_INT)
            return fault_set(c->fault, 248, typing_name(c->in->type.kind), quoted(c, text));
        if (to == SQLTYPE_TINYINT || to == SQLTYPE_SMALLINT)
            return fault_set(c->fault, 244, typing_name(c->in->type.kind), quoted(c, text), to == SQLTYPE_TINYINT ? "INT1" : "INT2");
        return overflow(c, "expression");
    }
    if ((to == SQLTYPE_TINYINT || to == SQLTYPE_SMALLINT) && from == TYPE_INTEGER)
        return fault_set(c->fault, 220, typing_name(to), shown);
    if ((to == SQLTYPE_TINYINT || to == SQLTYPE_SMALLINT) && from == TYPE_FLOAT)
        return fault_set(c->fault, 232, typing_name(to), shown);
    return overflow(c, from == TYPE_DECIMAL ? message_name(c->in->type.kind) : "expression");
}

static int set_integer(struct conversion *c, int128 v)
{
    int64_t low, high;
    if (c->to->kind == SQLTYPE_BIT) {
        c->out->integer = v != 0;
        return 0;
    }
    typing_integer_range(c->to->kind, &low, &high);
    if (v < low || v > high) {
        char shown[64];
        value_decimal_to_text(v, 0, shown);
        return out_of_integer(c, shown);
    }
    c->out->integer = (int64_t)v;
    return 0;
}

/* integer := spaces [+-] digits spaces; an empty text is 0 */
static int integer_from_text(struct conversion *c)
{
    const char *p = c->in->bytes.data, *end = p + c->in->bytes.len;
    char text[QUOTED_MAX];
    trim(&p, &end);
    if (c->to->kind == SQLTYPE_BIT) {
        bool yes = end - p == 4 && strncasecmp(p, "true", 4) == 0;
        bool no = end - p == 5 && strncasecmp(p, "false", 5) == 0;
        if (yes || no) {
            c->out->integer = yes;
            return 0;
        }
    }
    bool negative = false;
    if (p < end && (*p == '+' || *p == '-'))
        negative = *p++ == '-';
    else if (p == end)
        return set_integer(c, 0);
    int128 v = 0;
    bool any = false;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        any = true;
        if (v < decimal_power(30))
            v = v * 10 + (*p - '0');
    }
    if (!any || p < end)
        return fault_set(c->fault, 245, typing_name(c->in->type.kind), quoted(c, text), typing_name(c->to->kind));
    return set_integer(c, negative ? -v : v);
}

static int to_integer(struct conversion *c)
{
    const struct value *in = c->in;
    switch (typing_class(in->type.kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        return set_integer(c, in->integer);
    case TYPE_DECIMAL: {
        int128 v;
        if (c->to->kind == SQLTYPE_BIT)
            return set_integer(c, in->decimal);
        if (decimal_rescale(input_decimal(in), SQLTYPE_MAX_PRECISION, 0, in->type.kind != SQLTYPE_MONEY, &v) != DECIMAL_OK)
            return out_of_integer(c, "");
        return set_integer(c, v);
    }
    case TYPE_FLOAT: {
        char shown[64];
        if (c->to->kind == SQLTYPE_BIT) {
            c->out->integer = in->real != 0;
            return 0;
        }
        double whole = trunc(in->real);
        if (!(fabs(whole) < 9.3e18)) {
            snprintf(shown, sizeof shown, "%.6f", fabs(whole) < 1e40 ? whole : HUGE_VAL);
            return out_of_integer(c, shown);
        }
        int64_t low, high;
        typing_integer_range(c->to->kind, &low, &high);
        if ((int128)whole < low || (int128)whole > high) {
            snprintf(shown, sizeof shown, "%.6f", in->real);
            return out_of_integer(c, shown);
        }
        c->out->integer = (int64_t)whole;
        return 0;
    }
    case TYPE_STRING:
        return integer_from_text(c);
    case TYPE_BINARY: {
        uint64_t v = 0;
        size_t size = c->to->kind == SQLTYPE_BIGINT ? 8 : c->to->kind == SQLTYPE_INT ? 4 : c->to->kind == SQLTYPE_SMALLINT ? 2 : 1;
        for (size_t i = in->bytes.len > size ? in->bytes.len - size : 0; i < in->bytes.len; i++)
            v = v << 8 | (unsigned char)in->bytes.data[i];
        int64_t whole = size == 8 ? (int64_t)v : size == 4 ? (int32_t)(uint32_t)v : size == 2 ? (int16_t)(uint16_t)v : (int64_t)v;
        return set_integer(c, whole);
    }
    case TYPE_DATETIME:
        if (in->type.kind == SQLTYPE_DATETIME) {
            struct moment m = moment_from_value(in);
            return set_integer(c, (int64_t)m.days - MOMENT_DAY_1900 + (m.ticks >= MOMENT_TICKS_PER_DAY / 2));
        }
        return unsupported(c);
    default:
        return unsupported(c);
    }
}

/* ---- to decimals ---- */

/* money := [-] [$] digits with commas [. digits] */
static enum decimal_result money_from_text(const char *p, const char *end, int precision, int scale, int128 *out)
{
    char text[64];
    size_t len = 0;
    for (; p < end; p++) {
        if (*p == ',' || *p == '$')
            continue;
        if (*p == 'e' || *p == 'E')
            return DECIMAL_MALFORMED;
        if (len == sizeof text)
            return DECIMAL_OVERFLOW;
        text[len++] = *p;
    }
    *out = 0;
    return len == 0 ? DECIMAL_OK : decimal_from_text(text, len, precision, scale, out);
}

/* MONEY's range is that of an 8-byte integer, SMALLMONEY's of one of 4 bytes. */
static bool money_fits(const struct sqltype *t, int128 v)
{
    return sqltype_is_small(t) ? v >= INT32_MIN && v <= INT32_MAX : v >= INT64_MIN && v <= INT64_MAX;
}

static int to_decimal(struct conversion *c)
{
    const struct value *in = c->in;
    const char *from = message_name(in->type.kind);
    int precision = c->to->precision, scale = c->to->scale;
    enum decimal_result r;
    switch (typing_class(in->type.kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        r = decimal_rescale((struct decimal){in->integer, 0}, precision, scale, false, &c->out->decimal);
        break;
    case TYPE_DECIMAL:
        r = decimal_rescale(input_decimal(in), precision, scale, false, &c->out->decimal);
        break;
    case TYPE_FLOAT:
        r = decimal_from_double(in->real, precision, scale, &c->out->decimal);
        break;
    case TYPE_STRING: {
        const char *p = in->bytes.data, *end = p + in->bytes.len;
        trim(&p, &end);
        if (c->to->kind == SQLTYPE_MONEY) {
            r = money_from_text(p, end, precision, scale, &c->out->decimal);
        } else {
            r = memchr(p, 'e', (size_t)(end - p)) || memchr(p, 'E', (size_t)(end - p))
                    ? DECIMAL_MALFORMED
                    : decimal_from_text(p, (size_t)(end - p), precision, scale, &c->out->decimal);
        }
        if (r == DECIMAL_MALFORMED)
            return c->to->kind == SQLTYPE_MONEY ? fault_set(c->fault, 235)
                                                : fault_set(c->fault, 8114, from, message_name(c->to->kind));
        break;
    }
    default:
        return unsupported(c);
    }
    if (r == DECIMAL_OK && c->to->kind == SQLTYPE_MONEY && !money_fits(c->to, c->out->decimal))
        r = DECIMAL_OVERFLOW;
    return r == DECIMAL_OK ? 0 : overflow(c, from);
}

/* ---- to floats ---- */

static int set_real(struct conversion *c, double v)
{
    if (!isfinite(v))
        return overflow(c, "expression");
    if (c->to->kind == SQLTYPE_REAL) {
        if (fabs(v) > (double)FLT_MAX) {
            char shown[64];
            snprintf(shown, sizeof shown, "%g", v);
            return fault_set(c->fault, 232, "real", shown);
        }
        v = (double)(float)v;
    }
    c->out->real = v;
    return 0;
}

static int float_from_text(struct conversion *c)
{
    const char *p = c->in->bytes.data, *end = p + c->in->bytes.len;
    char text[512];
    trim(&p, &end);
    size_t len = (size_t)(end - p);
    if (len == 0)
        return set_real(c, 0);
    /* strtod would take hexadecimal, "inf" and "nan" too. */
    bool plain = len < sizeof text;
    for (size_t i = 0; plain && i < len; i++)
        plain = strchr("0123456789+-.eE", p[i]) != NULL && p[i] != '\0';
    char *stop = text;
    double v = 0;
    if (plain) {
        memcpy(text, p, len);
        text[len] = '\0';
        v = strtod(text, &stop);
    }
    if (stop != text + len || !plain)
        return fault_set(c->fault, 8114, typing_name(c->in->type.kind), typing_name(c->to->kind));
    return set_real(c, v);
}

static int to_float(struct conversion *c)
{
    const struct value *in = c->in;
    switch (typing_class(in->type.kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        return set_real(c, (double)in->integer);
    case TYPE_DECIMAL:
        return set_real(c, decimal_to_double(input_decimal(in)));
    case TYPE_FLOAT:
        return set_real(c, in->real);
    case TYPE_STRING:
        return float_from_text(c);
    default:
        return unsupported(c);
    }
}

/* ---- to strings ---- */

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

static bool is_unicode(const struct sqltype *t)
{
    return t->kind == SQLTYPE_NCHAR || t->kind == SQLTYPE_NVARCHAR;
}

/* The bytes of the longest beginning of the text, whole characters only, that `limit` (bytes or units) allows. */
static size_t fitting(const struct sqltype *t, const char *text, size_t len, size_t limit)
{
    if (!is_unicode(t)) {
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
        if ((from == TYPE_INTEGER || from == TYPE_BIT) && !is_unicode(c->to) && c->mode == CONVERT_CAST)
            return set_made_text(c, "*", 1);
        return overflow(c, from == TYPE_DECIMAL ? message_name(c->in->type.kind) : "expression");
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
    if (is_unicode(c->to)) {
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

static int to_string(struct conversion *c)
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
            (void)decimal_rescale(input_decimal(in), SQLTYPE_MAX_PRECISION, 2, false, &cents);
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
    return unsupported(c);
}

/* ---- to dates and times ---- */

/* How a style reads 01/02/03. */
static enum moment_order style_order(int style)
{
    switch (style % 100) {
    case 3: case 4: case 5:
        return MOMENT_DMY;
    case 2: case 11:
        return MOMENT_YMD;
    default:
        return MOMENT_MDY;
    }
}

static int to_datetime(struct conversion *c)
{
    const struct value *in = c->in;
    struct moment m = {.days = MOMENT_DAY_1900};
    char form[MOMENT_TEXT];
    bool ok = true;
    switch (typing_class(in->type.kind)) {
    case TYPE_STRING:
        if (!moment_from_text(in->bytes.data, in->bytes.len, style_order(c->style), &m))
            return fault_set(c->fault, 241);
        break;
    case TYPE_DATETIME:
        m = moment_from_value(in);
        if (typing_conversion(in->type.kind, c->to->kind) == CONVERSION_NONE)
            return unsupported(c);
        break;
    case TYPE_INTEGER:
    case TYPE_BIT:
        if (c->to->kind != SQLTYPE_DATETIME)
            return unsupported(c);
        ok = in->integer > -MOMENT_DAYS && in->integer < MOMENT_DAYS && moment_add_ticks(&m, in->integer, 0);
        break;
    case TYPE_DECIMAL:
    case TYPE_FLOAT: {
        if (c->to->kind != SQLTYPE_DATETIME)
            return unsupported(c);
        double days = typing_class(in->type.kind) == TYPE_FLOAT ? in->real : decimal_to_double(input_decimal(in));
        ok = fabs(days) < MOMENT_DAYS;
        double whole = ok ? floor(days) : 0;
        ok = ok && moment_add_ticks(&m, (int64_t)whole, (int64_t)((days - whole) * (double)MOMENT_TICKS_PER_DAY));
        break;
    }
    default:
        return unsupported(c);
    }
    size_t len = ok ? moment_to_form(m, c->to, form) : 0;
    if (len == 0) {
        if (typing_class(in->type.kind) <= TYPE_FLOAT)
            return overflow(c, "expression");
        return fault_set(c->fault, 242, typing_name(in->type.kind), typing_name(c->to->kind));
    }
    buf_reset(c->scratch);
    buf_append(c->scratch, form, len);
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    c->out->bytes.data = buf_text(c->scratch);
    c->out->bytes.len = len;
    return 0;
}

/* ---- to UNIQUEIDENTIFIER and binaries ---- */

static int to_guid(struct conversion *c)
{
    const struct value *in = c->in;
    unsigned char bytes[VALUE_GUID_LEN];
    enum type_class from = typing_class(in->type.kind);
    if (from == TYPE_GUID) {
        c->out->bytes = in->bytes;
        return 0;
    }
    if (from == TYPE_STRING) {
        const char *p = in->bytes.data, *end = p + in->bytes.len;
        while (p < end && end[-1] == ' ')
            end--;
        /* What stands behind a whole GUID is ignored, as in SQL Server. */
        size_t len = (size_t)(end - p);
        size_t take = len > 0 && *p == '{' ? 38 : 36;
        if (!value_guid_from_text(p, len > take ? take : len, bytes))
            return fault_set(c->fault, 8169);
    } else if (from == TYPE_BINARY) {
        unsigned char wire[VALUE_GUID_LEN] = {0};
        memcpy(wire, in->bytes.data, in->bytes.len < sizeof wire ? in->bytes.len : sizeof wire);
        value_guid_from_wire(wire, bytes);
    } else {
        return unsupported(c);
    }
    buf_reset(c->scratch);
    buf_append(c->scratch, bytes, sizeof bytes);
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    c->out->bytes.data = buf_text(c->scratch);
    c->out->bytes.len = sizeof bytes;
    return 0;
}

/* Brings bytes to the length of the type; BINARY is padded with zeros. */
static int set_bytes(struct conversion *c, const char *data, size_t len)
{
    if (c->to->length != SQLTYPE_MAX) {
        size_t limit = (size_t)c->to->length;
        if (len > limit) {
            for (size_t i = limit; c->mode == CONVERT_ASSIGN && i < len; i++) {
                if (data[i] != 0 || c->to->kind == SQLTYPE_VARBINARY)
                    return fault_set(c->fault, 8152);
            }
            len = limit;
        } else if (c->to->kind == SQLTYPE_BINARY && len < limit) {
            struct buf padded;
            buf_init(&padded, CONVERT_MAX_BYTES);
            buf_append(&padded, data, len);
            buf_append_fill(&padded, '\0', limit - len);
            buf_clear(c->scratch);
            *c->scratch = padded;
            if (buf_status(c->scratch) < 0)
                return fault_set(c->fault, FAULT_MEMORY);
            data = c->scratch->data;
            len = limit;
        }
    }
    c->out->bytes.data = data;
    c->out->bytes.len = len;
    return 0;
}

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch |= 32;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static int bytes_from_text(struct conversion *c)
{
    const char *p = c->in->bytes.data;
    size_t len = c->in->bytes.len;
    struct buf bytes;
    buf_init(&bytes, CONVERT_MAX_BYTES);
    bool ok = true;
    if (c->style == 1 || c->style == 2) {
        if (c->style == 1) {
            ok = len >= 2 && p[0] == '0' && (p[1] | 32) == 'x';
            p += ok ? 2 : 0;
            len -= ok ? 2 : 0;
        }
        ok = ok && len % 2 == 0;
        for (size_t i = 0; ok && i < len; i += 2) {
            int high = hex_digit(p[i]), low = hex_digit(p[i + 1]);
            ok = high >= 0 && low >= 0;
            buf_append_char(&bytes, (char)(high << 4 | low));
        }
    } else if (is_unicode(&c->in->type)) {
        for (size_t i = 0; i < len;) {
            uint32_t cp;
            size_t n = utf8_decode(p + i, len - i, &cp);
            i += n == 0 ? 1 : n;
            if (n == 0)
                cp = 0xFFFD;
            if (cp >= 0x10000) {
                buf_append_u16le(&bytes, (uint16_t)(0xD800 + ((cp - 0x10000) >> 10)));
                cp = 0xDC00 + ((cp - 0x10000) & 0x3FF);
            }
            buf_append_u16le(&bytes, (uint16_t)cp);
        }
    } else {
        buf_append(&bytes, p, len);
    }
    if (!ok) {
        buf_clear(&bytes);
        return fault_set(c->fault, 8114, typing_name(c->in->type.kind), typing_name(c->to->kind));
    }
    buf_clear(c->scratch);
    *c->scratch = bytes;
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    return set_bytes(c, buf_text(c->scratch), c->scratch->len);
}

static int to_binary(struct conversion *c)
{
    const struct value *in = c->in;
    unsigned char made[VALUE_GUID_LEN];
    size_t size;
    switch (typing_class(in->type.kind)) {
    case TYPE_BINARY:
        return set_bytes(c, in->bytes.data, in->bytes.len);
    case TYPE_STRING:
        return bytes_from_text(c);
    case TYPE_INTEGER:
    case TYPE_BIT:
        size = in->type.kind == SQLTYPE_BIGINT ? 8 : in->type.kind == SQLTYPE_INT ? 4 : in->type.kind == SQLTYPE_SMALLINT ? 2 : 1;
        for (size_t i = 0; i < size; i++)
            made[i] = (unsigned char)((uint64_t)in->integer >> (8 * (size - 1 - i)));
        break;
    case TYPE_GUID:
        size = sizeof made;
        value_guid_to_wire((const unsigned char *)in->bytes.data, made);
        break;
    default:
        return unsupported(c);
    }
    /* Numbers keep their last bytes, and BINARY is filled from the left. */
    struct buf bytes;
    buf_init(&bytes, CONVERT_MAX_BYTES);
    size_t limit = c->to->length == SQLTYPE_MAX ? size : (size_t)c->to->length;
    bool number = typing_class(in->type.kind) != TYPE_GUID;
    if (number && c->to->kind == SQLTYPE_BINARY && limit > size)
        buf_append_fill(&bytes, '\0', limit - size);
    size_t skip = number && size > limit ? size - limit : 0;
    buf_append(&bytes, made + skip, size - skip);
    buf_clear(c->scratch);
    *c->scratch = bytes;
    if (buf_status(c->scratch) < 0)
        return fault_set(c->fault, FAULT_MEMORY);
    return set_bytes(c, buf_text(c->scratch), c->scratch->len);
}

/* ---- */

int convert_value(const struct value *in, const struct sqltype *to, int style, enum convert_mode mode, struct buf *scratch,
                  struct value *out, struct fault *f)
{
    static int (*const convert[])(struct conversion *c) = {
        [TYPE_INTEGER] = to_integer, [TYPE_BIT] = to_integer,   [TYPE_DECIMAL] = to_decimal, [TYPE_FLOAT] = to_float,
        [TYPE_STRING] = to_string,   [TYPE_DATETIME] = to_datetime, [TYPE_GUID] = to_guid,   [TYPE_BINARY] = to_binary,
    };
    *out = (struct value){.type = *to, .null = in->null};
    if (in->null)
        return 0;
    struct conversion c = {in, to, style, mode, scratch, out, f};
    return convert[typing_class(to->kind)](&c);
}
