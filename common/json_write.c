/* The writers of json.h. Nothing of json-c is needed here: trees are read through json.h's own functions. */
#include "common/json.h"
#include "common/utf8.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands behind the backslash for a byte below 0x20, '"' or '\'; 0 for \u00XX (RFC 8785 3.2.2.2). */
static char short_escape(unsigned char c)
{
    switch (c) {
    case '\b':
        return 'b';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\f':
        return 'f';
    case '\r':
        return 'r';
    case '"':
    case '\\':
        return (char)c;
    default:
        return 0;
    }
}

/* Are these eight bytes ASCII that needs no escape? Each line sets the high bit of a byte that is not so (a borrow may also
 * set that of the byte behind one, which makes no difference). */
static bool is_plain(const char *text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t v;
    memcpy(&v, text, sizeof v);
    uint64_t quotes = v ^ ones * '"', backslashes = v ^ ones * '\\';
    uint64_t found = v | (v - ones * 0x20) | (quotes - ones) | (backslashes - ones);
    return (found & highs) == 0;
}

void json_write_string(struct buf *b, const char *text, size_t len)
{
    const char *plain = text, *p = text, *end = text + len; /* plain: what is not yet written and needs no escape */
    buf_append_char(b, '"');
    while (p < end) {
        if (end - p >= 8 && is_plain(p)) {
            p += 8;
            continue;
        }
        unsigned char c = (unsigned char)*p;
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            p++;
            continue;
        }
        size_t n = c < 0x80 ? 0 : utf8_decode(p, (size_t)(end - p), NULL);
        if (n > 0) {
            p += n;
            continue;
        }
        buf_append(b, plain, (size_t)(p - plain));
        if (c >= 0x80) {
            buf_append_text(b, UTF8_REPLACEMENT);
        } else if (short_escape(c)) {
            buf_append(b, (char[]){'\\', short_escape(c)}, 2);
        } else {
            buf_printf(b, "\\u%04x", c);
        }
        plain = ++p;
    }
    buf_append(b, plain, (size_t)(p - plain));
    buf_append_char(b, '"');
}

void json_write_text(struct buf *b, const char *text)
{
    json_write_string(b, text, strlen(text));
}

void json_write_base64(struct buf *b, const void *data, size_t len)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    buf_append_char(b, '"');
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)p[i] << 16;
        if (have > 1) {
            bits |= (uint32_t)p[i + 1] << 8;
        }
        if (have > 2) {
            bits |= p[i + 2];
        }
        char quad[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63], alphabet[bits & 63]};
        memset(quad + have + 1, '=', 3 - have);
        buf_append(b, quad, sizeof quad);
    }
    buf_append_char(b, '"');
}

/* Numbers. */

#define MAX_DIGITS 17 /* as many as any double needs to read back the same */

/* A positive decimal number: 0.DIGITS times 10 to the `point`. The last digit is not 0. */
struct decimal {
    char digits[MAX_DIGITS];
    int count;
    int point;
};

/* Takes "d.ddde-dd" apart. */
static void decimal_from_text(struct decimal *d, const char *text)
{
    *d = (struct decimal){0};
    for (; *text != 'e'; text++) {
        if (*text != '.') {
            d->digits[d->count++] = *text;
        }
    }
    d->point = atoi(text + 1) + 1;
    while (d->count > 1 && d->digits[d->count - 1] == '0') {
        d->count--;
    }
}

static bool reads_back(const char *text, double v, bool single)
{
    return single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
}

/* Adds one unit in the last place to "d.ddde-dd"; false when the carry runs out of its digits. */
static bool increment(char *text)
{
    char *p = strchr(text, 'e');
    while (p-- > text) {
        if (*p == '.') {
            continue;
        }
        if (*p < '9') {
            (*p)++;
            return true;
        }
        *p = '0';
    }
    return false;
}

/* Numbers with few digits behind their point are most of those that are stored. When v * 10^n is an integer of no more digits
 * than survive the way through v's type, and that integer divided by 10^n is v again (both are exact, so that the quotient is
 * rounded as strtod rounds), it is the shortest decimal: no other one that short reads back as v. false for all others. */
static bool decimal_plain(struct decimal *d, double v, bool single)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    const double limit = single ? 1e6 : 1e15; /* FLT_DIG, DBL_DIG */

    for (size_t n = 0; n < sizeof powers / sizeof powers[0]; n++) {
        double scaled = single ? (double)((float)v * (float)powers[n]) : v * powers[n];
        if (scaled >= limit) {
            return false;
        }
        uint64_t integer = (uint64_t)scaled;
        if (integer == 0 || (double)integer != scaled || (single ? (double)(float)(scaled / powers[n]) : scaled / powers[n]) != v) {
            continue;
        }
        char text[MAX_DIGITS], *p = text + sizeof text;
        int point = -(int)n;
        while (integer % 10 == 0) {
            integer /= 10;
            point++;
        }
        for (; integer > 0; integer /= 10) {
            *--p = (char)('0' + integer % 10);
        }
        d->count = (int)(text + sizeof text - p);
        d->point = point + d->count;
        memcpy(d->digits, p, (size_t)d->count);
        return true;
    }
    return false;
}

/* The shortest decimal that reads back as v, and of those the nearest; v is positive and finite. */
static void decimal_shortest(struct decimal *d, double v, bool single)
{
    /* Every decimal of DBL_DIG digits survives the way through a normal double, so a shorter text is that one with its
     * zeros dropped. Subnormal numbers have fewer bits: there every length is tried. */
    bool subnormal = v < (single ? (double)FLT_MIN : DBL_MIN);
    int most = single ? 9 : MAX_DIGITS;
    int digits = subnormal ? 1 : single ? FLT_DIG : DBL_DIG;
    /* Below a power of two the next number is only half as far as above it: there the nearest decimal of some length may
     * fail while the next one upwards reads back. */
    int exponent;
    bool power_of_two = frexp(v, &exponent) == 0.5;

    char text[40];
    for (;; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, v);
        if (digits == most || reads_back(text, v, single)) {
            break;
        }
        if (power_of_two && increment(text) && reads_back(text, v, single)) {
            break;
        }
    }
    decimal_from_text(d, text);
}

/* Number::toString of ECMAScript (RFC 8785 3.2.2.3) for a positive number. */
static void write_decimal(struct buf *b, const struct decimal *d)
{
    int count = d->count, point = d->point;
    if (count <= point && point <= 21) {
        buf_append(b, d->digits, (size_t)count);
        buf_append_fill(b, '0', (size_t)(point - count));
    } else if (0 < point && point <= 21) {
        buf_append(b, d->digits, (size_t)point);
        buf_append_char(b, '.');
        buf_append(b, d->digits + point, (size_t)(count - point));
    } else if (-6 < point && point <= 0) {
        buf_append_text(b, "0.");
        buf_append_fill(b, '0', (size_t)-point);
        buf_append(b, d->digits, (size_t)count);
    } else {
        buf_append_char(b, d->digits[0]);
        if (count > 1) {
            buf_append_char(b, '.');
            buf_append(b, d->digits + 1, (size_t)count - 1);
        }
        buf_printf(b, "e%+d", point - 1);
    }
}

static void write_number(struct buf *b, double v, bool single)
{
    assert(isfinite(v));
    if (signbit(v)) {
        buf_append_char(b, '-');
    }
    if (v == 0) {
        buf_append_char(b, '0');
        return;
    }
    struct decimal d;
    if (!decimal_plain(&d, fabs(v), single)) {
        decimal_shortest(&d, fabs(v), single);
    }
    write_decimal(b, &d);
}

void json_write_double(struct buf *b, double v)
{
    write_number(b, v, false);
}

void json_write_float(struct buf *b, float v)
{
    write_number(b, (double)v, true);
}

/* Trees. */

static void write_tree(struct buf *b, const struct json_object *v, bool canonical);

struct member {
    const char *name;
    struct json_object *value;
};

/* Orders names by their UTF-16 code units (RFC 8785 3.2.3). Those are ordered as code points are, but for the units of
 * surrogates, which stand below U+E000 to U+FFFF. */
static int compare_names(const void *x, const void *y)
{
    const char *p = ((const struct member *)x)->name, *q = ((const struct member *)y)->name;
    while (*p && *p == *q) {
        p++, q++;
    }
    unsigned char a = (unsigned char)*p, c = (unsigned char)*q;
    /* Bytes of UTF-8 are in the order of code points, and the first bytes F0 to F4 begin what UTF-16 writes with surrogates;
     * EE and EF begin U+E000 to U+FFFF. When the bytes differ inside a character, both have the same first byte. */
    bool a_pair = a >= 0xF0, c_pair = c >= 0xF0;
    if (a_pair != c_pair && a >= 0xEE && c >= 0xEE) {
        return a_pair ? -1 : 1;
    }
    return (a > c) - (a < c);
}

static void write_object(struct buf *b, const struct json_object *obj, bool canonical)
{
    struct member *members = NULL, m;
    size_t count = 0;
    struct json_iter it = {0};
    while (json_next(obj, &it, &m.name, &m.value)) {
        count++;
    }
    if (canonical && count > 0) {
        members = malloc(count * sizeof *members);
        if (!members) {
            b->failed = true;
            return;
        }
        it = (struct json_iter){0};
        for (size_t i = 0; i < count; i++) {
            json_next(obj, &it, &members[i].name, &members[i].value);
        }
        qsort(members, count, sizeof *members, compare_names);
    }
    buf_append_char(b, '{');
    it = (struct json_iter){0};
    for (size_t i = 0; i < count; i++) {
        if (canonical) {
            m = members[i];
        } else {
            json_next(obj, &it, &m.name, &m.value);
        }
        if (i > 0) {
            buf_append_char(b, ',');
        }
        json_write_text(b, m.name);
        buf_append_char(b, ':');
        write_tree(b, m.value, canonical);
    }
    buf_append_char(b, '}');
    free(members);
}

static void write_array(struct buf *b, const struct json_object *array, bool canonical)
{
    size_t count = json_array_length(array);
    buf_append_char(b, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_append_char(b, ',');
        }
        write_tree(b, json_array_at(array, i), canonical);
    }
    buf_append_char(b, ']');
}

/* A number whose double is infinite (1e999) has no ECMAScript form; its text stays as it was written, so that it hashes
 * as itself and its column's type refuses it. */
static void write_canonical_number(struct buf *b, const char *text, size_t len)
{
    double v = strtod(text, NULL);
    if (isfinite(v)) {
        json_write_double(b, v == 0 ? 0 : v);
    } else {
        buf_append(b, text, len);
    }
}

/* Recursion is bounded: json_read lets no more than JSON_MAX_DEPTH levels pass. */
static void write_tree(struct buf *b, const struct json_object *v, bool canonical)
{
    size_t len;
    const char *text;
    switch (json_kind(v)) {
    case JSON_NULL:
        buf_append_text(b, "null");
        break;
    case JSON_BOOL:
        buf_append_text(b, json_boolean(v) ? "true" : "false");
        break;
    case JSON_NUMBER:
        text = json_number(v, &len);
        if (canonical) {
            write_canonical_number(b, text, len);
        } else {
            buf_append(b, text, len);
        }
        break;
    case JSON_STRING:
        text = json_string(v, &len);
        json_write_string(b, text, len);
        break;
    case JSON_ARRAY:
        write_array(b, v, canonical);
        break;
    case JSON_OBJECT:
        write_object(b, v, canonical);
        break;
    }
}

void json_write_value(struct buf *b, const struct json_object *v)
{
    write_tree(b, v, false);
}

void json_write_canonical(struct buf *b, const struct json_object *v)
{
    write_tree(b, v, true);
}
