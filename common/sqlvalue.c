#include "common/sqlvalue.h"
#include "common/sqltime.h"
#include "common/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS_KEPT 80 /* significant digits of a number that are looked at; any type holds fewer */
#define EXPONENT_LIMIT 100000000
#define SHOWN_MAX 64 /* bytes of a number that a message shows */
#define EXACT_DOUBLE_LIMIT (INT64_C(1) << 53) /* every integer below it is exact in FLOAT */
#define EXACT_DOUBLE_DIGITS 16

/* What became of a conversion; the message is made from it in one place. */
enum result { FITS, MALFORMED, OVERFLOWS };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool equals_ignoring_case(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

/* Numbers. */

/* A number read exactly: ±0.d1d2d3… × 10^point, without leading or trailing zeros; zero has no digits and no sign. */
struct decimal {
    bool negative;
    bool exponent; /* it was written with one */
    bool more;     /* digits other than 0 follow behind DIGITS_KEPT */
    int count;
    int64_t point;
    char digits[DIGITS_KEPT];
};

static void add_digit(struct decimal *d, char digit)
{
    if (d->count == 0 && digit == '0')
        return;
    if (d->count < DIGITS_KEPT)
        d->digits[d->count++] = digit;
    else if (digit != '0')
        d->more = true;
}

/* number := [+-] digits [. digits] [(e | E) [+-] digits], with a digit on one side of the point at least. */
static bool read_decimal(const char *text, size_t len, struct decimal *out)
{
    const char *at = text;
    const char *const end = text + len;
    int64_t exponent = 0;
    size_t digits = 0;

    *out = (struct decimal){0};
    if (at < end && (*at == '+' || *at == '-'))
        out->negative = *at++ == '-';
    for (; at < end && *at >= '0' && *at <= '9'; at++, digits++) {
        add_digit(out, *at);
        if (out->count > 0)
            out->point++;
    }
    if (at < end && *at == '.') {
        for (at++; at < end && *at >= '0' && *at <= '9'; at++, digits++) {
            add_digit(out, *at);
            if (out->count == 0)
                out->point--;
        }
    }
    if (digits == 0)
        return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        out->exponent = true;
        at++;
        const bool negative = at < end && *at == '-';
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        const char *start = at;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            if (exponent < EXPONENT_LIMIT)
                exponent = exponent * 10 + (*at - '0');
        if (at == start)
            return false;
        out->point += negative ? -exponent : exponent;
    }
    while (!out->more && out->count > 0 && out->digits[out->count - 1] == '0')
        out->count--;
    if (out->count == 0) {
        out->negative = false;
        out->point = 0;
    }
    return at == end;
}

/* The same with white space around it, as T-SQL allows in strings. */
static bool read_decimal_trimmed(const char *text, size_t len, struct decimal *out)
{
    while (len > 0 && is_space(text[0])) {
        text++;
        len--;
    }
    while (len > 0 && is_space(text[len - 1]))
        len--;
    return read_decimal(text, len, out);
}

/* Appends an integral number of at most SQLTYPE_MAX_PRECISION digits in canonical form; false when it is none. */
static bool append_integer(const struct decimal *d, struct buf *out)
{
    if (d->more || d->count > d->point || d->point > SQLTYPE_MAX_PRECISION)
        return false;
    if (d->negative)
        buf_append_char(out, '-');
    buf_append(out, d->digits, (size_t)d->count);
    buf_append_fill(out, '0', (size_t)(d->point - d->count));
    if (d->count == 0)
        buf_append_char(out, '0');
    return true;
}

static const struct {
    int64_t least;
    int64_t most;
} integer_ranges[] = {
    [SQLTYPE_TINYINT] = {0, UINT8_MAX},
    [SQLTYPE_SMALLINT] = {INT16_MIN, INT16_MAX},
    [SQLTYPE_INT] = {INT32_MIN, INT32_MAX},
    [SQLTYPE_BIGINT] = {INT64_MIN, INT64_MAX},
    [SQLTYPE_BIT] = {0, 1},
};

static enum result convert_integer(const struct sqltype *t, const char *text, size_t len, struct buf *out)
{
    struct decimal d;

    if (!read_decimal_trimmed(text, len, &d))
        return MALFORMED;
    if (!append_integer(&d, out))
        return OVERFLOWS;
    errno = 0;
    const long long v = strtoll(buf_text(out), NULL, 10);
    return errno == 0 && v >= integer_ranges[t->kind].least && v <= integer_ranges[t->kind].most ? FITS : OVERFLOWS;
}

static enum result convert_bit(const struct sqltype *t, const char *text, size_t len, struct buf *out)
{
    const bool on = equals_ignoring_case(text, len, "true");

    if (!on && !equals_ignoring_case(text, len, "false"))
        return convert_integer(t, text, len, out);
    buf_append_char(out, on ? '1' : '0');
    return FITS;
}

/* Writes |d| × 10^scale, rounded half away from zero, without leading zeros. Returns the count of digits, 0 for zero; -1
 * when there are more than `room`. */
static int round_decimal(const struct decimal *d, int scale, char *out, int room)
{
    const int64_t keep = d->point + scale;
    int n = 0;

    if (keep < 0 || d->count == 0)
        return 0;
    if (keep > room)
        return -1;
    for (; n < keep; n++)
        out[n] = n < d->count ? d->digits[n] : '0';
    if (keep >= d->count || d->digits[keep] < '5')
        return n;
    int i = n;
    while (i > 0 && out[i - 1] == '9')
        out[--i] = '0';
    if (i > 0) {
        out[i - 1]++;
        return n;
    }
    if (n == room)
        return -1;
    memmove(out + 1, out, (size_t)n);
    out[0] = '1';
    return n + 1;
}

static enum result convert_decimal(const struct sqltype *t, const char *text, size_t len, struct buf *out)
{
    struct decimal d;
    char digits[SQLTYPE_MAX_PRECISION];

    if (!read_decimal_trimmed(text, len, &d))
        return MALFORMED;
    const int n = round_decimal(&d, t->scale, digits, t->precision);
    if (n < 0)
        return OVERFLOWS;
    if (t->kind == SQLTYPE_MONEY && n == t->precision &&
        memcmp(digits, d.negative ? "9223372036854775808" : "9223372036854775807", (size_t)n) > 0)
        return OVERFLOWS;
    const int whole = n > t->scale ? n - t->scale : 0;
    if (d.negative && n > 0)
        buf_append_char(out, '-');
    buf_append(out, digits, (size_t)whole);
    if (whole == 0)
        buf_append_char(out, '0');
    if (t->scale > 0) {
        buf_append_char(out, '.');
        buf_append_fill(out, '0', (size_t)(t->scale - (n - whole)));
        buf_append(out, digits + whole, (size_t)(n - whole));
    }
    return FITS;
}

static enum result convert_float(const struct sqltype *t, const char *text, size_t len, struct buf *out)
{
    struct decimal d;

    if (!read_decimal_trimmed(text, len, &d))
        return MALFORMED;
    buf_append(out, text, len); /* for the NUL behind it; strtod skips the spaces */
    if (buf_status(out) < 0)
        return FITS;
    if (t->kind == SQLTYPE_REAL) {
        const float v = strtof(buf_text(out), NULL);
        buf_reset(out);
        if (!isfinite(v))
            return OVERFLOWS;
        json_write_float(out, v);
    } else {
        const double v = strtod(buf_text(out), NULL);
        buf_reset(out);
        if (!isfinite(v))
            return OVERFLOWS;
        json_write_double(out, v);
    }
    return FITS;
}

/* Strings, identifiers, bytes. */

/* Where the first `units` units end: UTF-16 units for Unicode types, else characters (how many bytes one takes is the
 * collation's affair, and the server's to check). len when the text is not longer. false when it is no UTF-8. */
static bool find_limit(const struct sqltype *t, const char *text, size_t len, size_t units, size_t *limit)
{
    size_t used = 0;

    *limit = len;
    for (size_t at = 0; at < len;) {
        uint32_t c;
        const size_t n = utf8_decode(text + at, len - at, &c);
        if (n == 0)
            return false;
        used += sqltype_is_unicode(t) && c >= 0x10000 ? 2 : 1;
        if (used > units && *limit == len)
            *limit = at;
        at += n;
    }
    return true;
}

static enum result convert_string(const struct sqltype *t, const char *text, size_t len, struct buf *out)
{
    size_t limit;

    if (!find_limit(t, text, len, t->length == SQLTYPE_MAX ? SIZE_MAX : (size_t)t->length, &limit))
        return MALFORMED;
    for (size_t i = limit; i < len; i++) /* SQL Server too drops blanks that do not fit without a word */
        if (text[i] != ' ')
            return OVERFLOWS;
    buf_append(out, text, limit);
    return FITS;
}

static enum result convert_time(const struct sqltype *t, const char *text, size_t len, struct buf *out)
{
    switch (sqltime_convert(t, text, len, out)) {
    case SQLTIME_OK:
        return FITS;
    case SQLTIME_OVERFLOW:
        return OVERFLOWS;
    default:
        return MALFORMED;
    }
}

/* 8-4-4-4-12 hexadecimal digits */
static enum result convert_guid(const char *text, size_t len, struct buf *out)
{
    if (len != 36)
        return MALFORMED;
    for (size_t i = 0; i < len; i++) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const char c = text[i];
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex)
            return MALFORMED;
        buf_append_char(out, c >= 'a' ? (char)(c - 'a' + 'A') : c);
    }
    return FITS;
}

static enum result convert_uniqueidentifier(const struct sqltype *t, const char *text, size_t len, struct buf *out)
{
    (void)t;
    const bool braces = len == 38 && text[0] == '{' && text[37] == '}';
    return braces ? convert_guid(text + 1, 36, out) : convert_guid(text, len, out);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648, section 4: padded, nothing between the digits, and the bits that the padding leaves over are 0. */
static enum result convert_binary(const struct sqltype *t, const char *text, size_t len, struct buf *out)
{
    if (len % 4 != 0)
        return MALFORMED;
    const size_t padding = len == 0 || text[len - 1] != '=' ? 0 : text[len - 2] != '=' ? 1 : 2;
    for (size_t at = 0; at < len; at += 4) {
        const size_t missing = at + 4 == len ? padding : 0;
        uint32_t bits = 0;
        for (size_t i = 0; i < 4; i++) {
            const int v = i >= 4 - missing ? 0 : base64_value(text[at + i]);
            if (v < 0)
                return MALFORMED;
            bits = bits << 6 | (uint32_t)v;
        }
        if ((missing == 1 && (bits & 0xFF)) || (missing == 2 && (bits & 0xFFFF)))
            return MALFORMED;
        const char bytes[] = {(char)(bits >> 16), (char)(bits >> 8 & 0xFF), (char)(bits & 0xFF)};
        buf_append(out, bytes, 3 - missing);
    }
    return t->length == SQLTYPE_MAX || out->len <= (size_t)t->length ? FITS : OVERFLOWS;
}

/* Which JSON kinds a type takes, and who converts them. */
#define KIND(kind) (1u << (kind))
#define NUMERIC (KIND(JSON_NUMBER) | KIND(JSON_STRING))
static const struct {
    unsigned kinds;
    enum result (*convert)(const struct sqltype *t, const char *text, size_t len, struct buf *out);
} conversions[SQLTYPE_KINDS] = {
    [SQLTYPE_TINYINT] = {NUMERIC, convert_integer},
    [SQLTYPE_SMALLINT] = {NUMERIC, convert_integer},
    [SQLTYPE_INT] = {NUMERIC, convert_integer},
    [SQLTYPE_BIGINT] = {NUMERIC, convert_integer},
    [SQLTYPE_BIT] = {NUMERIC | KIND(JSON_BOOL), convert_bit},
    [SQLTYPE_DECIMAL] = {NUMERIC, convert_decimal},
    [SQLTYPE_NUMERIC] = {NUMERIC, convert_decimal},
    [SQLTYPE_MONEY] = {NUMERIC, convert_decimal},
    [SQLTYPE_FLOAT] = {NUMERIC, convert_float},
    [SQLTYPE_REAL] = {NUMERIC, convert_float},
    [SQLTYPE_CHAR] = {NUMERIC, convert_string},
    [SQLTYPE_VARCHAR] = {NUMERIC, convert_string},
    [SQLTYPE_NCHAR] = {NUMERIC, convert_string},
    [SQLTYPE_NVARCHAR] = {NUMERIC, convert_string},
    [SQLTYPE_TEXT] = {NUMERIC, convert_string},
    [SQLTYPE_DATE] = {KIND(JSON_STRING), convert_time},
    [SQLTYPE_TIME] = {KIND(JSON_STRING), convert_time},
    [SQLTYPE_DATETIME] = {KIND(JSON_STRING), convert_time},
    [SQLTYPE_DATETIME2] = {KIND(JSON_STRING), convert_time},
    [SQLTYPE_DATETIMEOFFSET] = {KIND(JSON_STRING), convert_time},
    [SQLTYPE_UNIQUEIDENTIFIER] = {KIND(JSON_STRING), convert_uniqueidentifier},
    [SQLTYPE_BINARY] = {KIND(JSON_STRING), convert_binary},
    [SQLTYPE_VARBINARY] = {KIND(JSON_STRING), convert_binary},
};

/* "12345.678 does not fit DECIMAL(5,2)". Strings are shown in quotes; `text` is anything else to be shown as it is. */
static int fail(const struct sqltype *t, enum result result, enum json_kind kind, const char *text, size_t len,
                struct err *e)
{
    struct buf detail;

    buf_init(&detail, ERR_DETAIL_MAX);
    if (kind == JSON_STRING) {
        err_quote(&detail, text, len);
    } else {
        buf_append(&detail, text, len < SHOWN_MAX ? len : SHOWN_MAX);
        buf_append_text(&detail, len > SHOWN_MAX ? "…" : "");
    }
    buf_append_text(&detail, result == OVERFLOWS ? " does not fit " : " is no value for ");
    sqltype_write(t, &detail);
    err_set(e, ERR_BAD_VALUE, "%s", buf_text(&detail));
    buf_clear(&detail);
    return -1;
}

int sqlvalue_from_text(const struct sqltype *t, enum json_kind kind, const char *text, size_t len, struct sqlvalue *out,
                       struct err *e)
{
    enum result result = MALFORMED;

    out->null = false;
    buf_reset(&out->text);
    if (conversions[t->kind].kinds & KIND(kind))
        result = conversions[t->kind].convert(t, text, len, &out->text);
    if (result != FITS)
        return fail(t, result, kind, text, len, e);
    return buf_status(&out->text) < 0 ? err_set(e, ERR_INTERNAL, "out of memory") : 0;
}

int sqlvalue_from_bytes(const struct sqltype *t, const void *data, size_t len, struct sqlvalue *out, struct err *e)
{
    out->null = false;
    buf_reset(&out->text);
    buf_append(&out->text, data, len);
    if (t->length != SQLTYPE_MAX && len > (size_t)t->length)
        return fail(t, OVERFLOWS, JSON_NULL, "the value", strlen("the value"), e);
    return buf_status(&out->text) < 0 ? err_set(e, ERR_INTERNAL, "out of memory") : 0;
}

void sqlvalue_init(struct sqlvalue *v)
{
    v->null = true;
    buf_init(&v->text, SQLTYPE_MAX_VALUE_BYTES);
}

void sqlvalue_clear(struct sqlvalue *v)
{
    v->null = true;
    buf_clear(&v->text);
}

/* sqltype_convert without the column's name in the message. */
static int convert(const struct sqltype *t, const struct json_object *v, struct sqlvalue *out, struct err *e)
{
    const enum json_kind kind = json_kind(v);
    const char *text;
    size_t len;

    switch (kind) {
    case JSON_NULL:
        out->null = true;
        buf_reset(&out->text);
        return 0;
    case JSON_BOOL:
        text = json_boolean(v) ? "true" : "false";
        len = strlen(text);
        break;
    case JSON_NUMBER:
        text = json_number(v, &len);
        break;
    case JSON_STRING:
        text = json_string(v, &len);
        break;
    default:
        text = json_kind_name(kind);
        return fail(t, MALFORMED, kind, text, strlen(text), e);
    }
    return sqlvalue_from_text(t, kind, text, len, out, e);
}

int sqltype_convert(const struct sqltype *t, const char *column, const struct json_object *v, struct sqlvalue *out,
                    struct err *e)
{
    return convert(t, v, out, e) < 0 ? err_prefix(e, "column '%s'", column) : 0;
}

int sqltype_convert_field(const struct sqltype *t, const char *column, const struct json_field *v, struct sqlvalue *out,
                          struct err *e)
{
    int rc = 0;
    if (v->kind == JSON_NULL) {
        out->null = true;
        buf_reset(&out->text);
    } else if (v->kind == JSON_ARRAY || v->kind == JSON_OBJECT) {
        const char *text = json_kind_name(v->kind);
        rc = fail(t, MALFORMED, v->kind, text, strlen(text), e);
    } else {
        rc = sqlvalue_from_text(t, v->kind, v->text, v->len, out, e);
    }
    return rc < 0 ? err_prefix(e, "column '%s'", column) : 0;
}

/* Key texts. */

bool sqltype_can_shard(const struct sqltype *t)
{
    return sqltype_is_integer(t) || t->kind == SQLTYPE_BIT || (sqltype_is_string(t) && t->length != SQLTYPE_MAX) ||
           t->kind == SQLTYPE_UNIQUEIDENTIFIER || t->kind == SQLTYPE_DATE;
}

static size_t without_trailing_spaces(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] == ' ')
        len--;
    return len;
}

int sqltype_key_text(const struct sqltype *t, const char *name, const struct json_object *v, struct buf *out, struct err *e)
{
    const enum json_kind kind = json_kind(v);
    struct sqlvalue value;
    int rc = -1;

    sqlvalue_init(&value);
    if (kind != JSON_STRING && kind != JSON_NUMBER && !(kind == JSON_BOOL && t && t->kind == SQLTYPE_BIT)) {
        err_set(e, ERR_BAD_FIELD, "%s: %s is no key; a string or a number is expected", name, json_kind_name(kind));
        goto out;
    }
    if (!t && kind == JSON_NUMBER) {
        json_write_canonical(out, v);
    } else if (!t) {
        size_t len;
        const char *text = json_string(v, &len);
        buf_append(out, text, len);
    } else {
        struct err why = ERR_INIT;
        if (convert(t, v, &value, &why) < 0) {
            err_set(e, why.code == ERR_BAD_VALUE ? ERR_BAD_FIELD : why.code, "%s: %s", name, why.detail);
            goto out;
        }
        const size_t len = value.text.len;
        buf_append(out, value.text.data, sqltype_is_string(t) ? without_trailing_spaces(value.text.data, len) : len);
    }
    rc = 0;
out:
    sqlvalue_clear(&value);
    return rc;
}

/* An integral number in any notation. One with an exponent is FLOAT to T-SQL: it has to be exact there. */
static bool key_from_number(const char *text, size_t len, bool quoted, struct buf *out)
{
    struct decimal d;
    const size_t start = out->len;

    if (!(quoted ? read_decimal_trimmed(text, len, &d) : read_decimal(text, len, &d)))
        return false;
    if (!append_integer(&d, out))
        return false;
    if (!d.exponent)
        return true;
    if (d.point <= EXACT_DOUBLE_DIGITS && llabs(strtoll(buf_text(out) + start, NULL, 10)) < EXACT_DOUBLE_LIMIT)
        return true;
    buf_truncate(out, start);
    return false;
}

static bool key_from_bit(const char *text, size_t len, struct buf *out)
{
    const struct sqltype bit = {.kind = SQLTYPE_BIT};
    const size_t start = out->len;
    struct decimal d;

    if (read_decimal_trimmed(text, len, &d)) {
        const bool one = d.count == 1 && d.digits[0] == '1' && d.point == 1 && !d.negative;
        if (d.count != 0 && !one)
            return false;
        buf_append_char(out, one ? '1' : '0');
        return true;
    }
    if (convert_bit(&bit, text, len, out) == FITS)
        return true;
    buf_truncate(out, start);
    return false;
}

bool sqltype_key_from_text(const struct sqltype *t, const char *text, size_t len, bool quoted, struct buf *out)
{
    const size_t start = out->len;

    if (sqltype_is_integer(t))
        return key_from_number(text, len, quoted, out);
    if (t->kind == SQLTYPE_BIT)
        return key_from_bit(text, len, out);
    if (!quoted)
        return false; /* a string column compared with a number is converted to a number: 1 equals '01' */
    if (sqltype_is_string(t) && t->length != SQLTYPE_MAX) {
        buf_append(out, text, without_trailing_spaces(text, len));
        return true;
    }
    if ((t->kind == SQLTYPE_UNIQUEIDENTIFIER && convert_guid(text, len, out) == FITS) ||
        (t->kind == SQLTYPE_DATE && len == strlen("yyyy-mm-dd") && sqltime_convert(t, text, len, out) == SQLTIME_OK))
        return true;
    buf_truncate(out, start);
    return false;
}
