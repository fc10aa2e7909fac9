#include "fcgi-master/cell.h"

#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

#define GUID_LEN 16
#define GUID_TEXT 36
#define TICKS_PER_SECOND INT64_C(10000000)
#define SECONDS_PER_DAY INT64_C(86400)

static const enum cell_kind kinds[SQLTYPE_KINDS] = {
    [SQLTYPE_TINYINT] = CELL_NUMBER,  [SQLTYPE_SMALLINT] = CELL_NUMBER,       [SQLTYPE_INT] = CELL_NUMBER,
    [SQLTYPE_BIGINT] = CELL_NUMBER,   [SQLTYPE_BIT] = CELL_NUMBER,            [SQLTYPE_DECIMAL] = CELL_NUMBER,
    [SQLTYPE_NUMERIC] = CELL_NUMBER,  [SQLTYPE_MONEY] = CELL_NUMBER,          [SQLTYPE_FLOAT] = CELL_REAL,
    [SQLTYPE_REAL] = CELL_REAL,       [SQLTYPE_CHAR] = CELL_TEXT,             [SQLTYPE_VARCHAR] = CELL_TEXT,
    [SQLTYPE_NCHAR] = CELL_TEXT,      [SQLTYPE_NVARCHAR] = CELL_TEXT,         [SQLTYPE_TEXT] = CELL_TEXT,
    [SQLTYPE_DATE] = CELL_MOMENT,     [SQLTYPE_TIME] = CELL_MOMENT,           [SQLTYPE_DATETIME] = CELL_MOMENT,
    [SQLTYPE_DATETIME2] = CELL_MOMENT, [SQLTYPE_DATETIMEOFFSET] = CELL_MOMENT, [SQLTYPE_UNIQUEIDENTIFIER] = CELL_BYTES,
    [SQLTYPE_BINARY] = CELL_BYTES,    [SQLTYPE_VARBINARY] = CELL_BYTES,
};

enum cell_kind cell_kind_of(const struct sqltype *t)
{
    return kinds[t->kind];
}

int128 cell_power(int n)
{
    int128 p = 1;
    while (n-- > 0)
        p *= 10;
    return p;
}

/* Reading */

/* [-] digits [. digits] */
static int read_number(const char *text, size_t len, struct cell *out)
{
    size_t i = 0;
    int digits = 0;
    bool point = false;
    bool negative = len > 0 && text[0] == '-';
    *out = (struct cell){.kind = CELL_NUMBER};
    for (i = negative ? 1 : 0; i < len; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            return -1;
        if (digits > 0 || text[i] != '0')
            digits++;
        if (digits > CELL_MAX_DIGITS)
            return -1;
        out->number = out->number * 10 + (text[i] - '0');
        out->scale += point;
    }
    if (out->scale > CELL_MAX_DIGITS)
        return -1;
    if (negative)
        out->number = -out->number;
    return 0;
}

static int read_real(const char *text, size_t len, struct cell *out)
{
    char copy[64];
    char *end = NULL;
    if (len >= sizeof copy)
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *out = (struct cell){.kind = CELL_REAL, .real = strtod(copy, &end)};
    return end == copy + len ? 0 : -1;
}

/* Reads exactly `count` digits. */
static bool take_digits(const char **p, const char *end, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (*p == end || **p < '0' || **p > '9')
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool take_char(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    (*p)++;
    return true;
}

/* Days since 0001-01-01 of the Gregorian calendar. */
static int64_t count_days(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = year - 1;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return y * 365 + y / 4 - y / 100 + y / 400 + before[month - 1] + (month > 2 && leap) + day - 1;
}

static bool take_date(const char **p, const char *end, int64_t *days)
{
    int year, month, day;
    if (!take_digits(p, end, 4, &year) || !take_char(p, end, '-') || !take_digits(p, end, 2, &month) ||
        !take_char(p, end, '-') || !take_digits(p, end, 2, &day) || year < 1 || month < 1 || month > 12)
        return false;
    *days = count_days(year, month, day);
    return true;
}

static bool take_time(const char **p, const char *end, int64_t *ticks)
{
    int hour, minute, second;
    if (!take_digits(p, end, 2, &hour) || !take_char(p, end, ':') || !take_digits(p, end, 2, &minute) ||
        !take_char(p, end, ':') || !take_digits(p, end, 2, &second))
        return false;
    *ticks = ((hour * INT64_C(60) + minute) * 60 + second) * TICKS_PER_SECOND;
    if (!take_char(p, end, '.'))
        return true;
    int64_t unit = TICKS_PER_SECOND / 10;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
        *ticks += (**p - '0') * unit;
    return true;
}

static bool take_offset(const char **p, const char *end, int64_t *ticks)
{
    int hour, minute;
    bool west = take_char(p, end, '-');
    if (!west && !take_char(p, end, '+'))
        return false;
    if (!take_digits(p, end, 2, &hour) || !take_char(p, end, ':') || !take_digits(p, end, 2, &minute))
        return false;
    *ticks = (hour * INT64_C(60) + minute) * 60 * TICKS_PER_SECOND * (west ? -1 : 1);
    return true;
}

static int read_moment(const struct sqltype *t, const char *text, size_t len, struct cell *out)
{
    const char *p = text, *end = text + len;
    int64_t days = 0, ticks = 0, offset = 0;
    if (t->kind != SQLTYPE_TIME && !take_date(&p, end, &days))
        return -1;
    if (t->kind != SQLTYPE_TIME && t->kind != SQLTYPE_DATE && !take_char(&p, end, 'T'))
        return -1;
    if (t->kind != SQLTYPE_DATE && !take_time(&p, end, &ticks))
        return -1;
    if (t->kind == SQLTYPE_DATETIMEOFFSET && !take_offset(&p, end, &offset))
        return -1;
    *out = (struct cell){.kind = CELL_MOMENT, .moment = days * SECONDS_PER_DAY * TICKS_PER_SECOND + ticks - offset};
    return p == end ? 0 : -1;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789ABCDEF";
    const char *found = c != '\0' ? strchr(digits, c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* SQL Server looks at the last group first, and at the bytes of the first three groups from their low ends. */
static int read_guid(const char *text, size_t len, struct arena *a, struct cell *out)
{
    static const unsigned char place[GUID_LEN] = {15, 14, 13, 12, 11, 10, 9, 8, 6, 7, 0, 1, 2, 3, 4, 5};
    char bytes[GUID_LEN];
    size_t at = 0;
    if (len != GUID_TEXT)
        return -1;
    for (size_t i = 0; i < GUID_LEN; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
            return -1;
        int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
        if (high < 0 || low < 0)
            return -1;
        bytes[place[i]] = (char)(high << 4 | low);
        at += 2;
    }
    *out = (struct cell){.kind = CELL_BYTES, .text = arena_copy(a, bytes, GUID_LEN), .len = GUID_LEN};
    return out->text != NULL ? 0 : -1;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

static int read_base64(const char *text, size_t len, struct arena *a, struct cell *out)
{
    unsigned bits = 0;
    int held = 0;
    size_t n = 0;
    char *bytes = arena_alloc(a, len / 4 * 3 + 3);
    if (bytes == NULL)
        return -1;
    for (size_t i = 0; i < len && text[i] != '='; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            return -1;
        bits = (bits << 6 | (unsigned)digit) & 0xFFFFFF;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[n++] = (char)(bits >> held & 0xFF);
        }
    }
    *out = (struct cell){.kind = CELL_BYTES, .text = bytes, .len = n};
    return 0;
}

int cell_from_text(const struct sqltype *t, const char *text, size_t len, struct arena *a, struct cell *out)
{
    switch (kinds[t->kind]) {
    case CELL_NUMBER:
        return read_number(text, len, out);
    case CELL_REAL:
        return read_real(text, len, out);
    case CELL_MOMENT:
        return read_moment(t, text, len, out);
    case CELL_BYTES:
        if (t->kind == SQLTYPE_UNIQUEIDENTIFIER)
            return read_guid(text, len, a, out);
        break;
    default:
        break;
    }
    *out = (struct cell){.kind = kinds[t->kind], .text = arena_copy(a, text, len), .len = len};
    return out->text != NULL ? 0 : -1;
}

static uint32_t read_hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)(hex_digit(p[i]) & 15);
    return v;
}

/* What a JSON string's body stands for; it was checked when the answer was accepted. */
static char *unescape(const char *p, size_t len, struct arena *a, size_t *out_len)
{
    const char *end = p + len;
    char *out = arena_alloc(a, len + 1);
    char *to = out;
    while (out != NULL && p < end) {
        static const char names[] = "bfnrt\"\\/", bytes[] = "\b\f\n\r\t\"\\/";
        if (*p != '\\' || end - p < 2) {
            *to++ = *p++;
            continue;
        }
        const char *known = strchr(names, p[1]);
        if (known != NULL && p[1] != '\0') {
            *to++ = bytes[known - names];
            p += 2;
            continue;
        }
        if (end - p < 6)
            return NULL;
        uint32_t cp = read_hex4(p + 2);
        p += 6;
        if (cp >= 0xD800 && cp < 0xDC00 && end - p >= 6) {
            cp = 0x10000 + ((cp - 0xD800) << 10) + (read_hex4(p + 2) - 0xDC00);
            p += 6;
        }
        to += utf8_encode(cp, to); /* at most the 6 or 12 bytes that were read */
    }
    if (out != NULL)
        *out_len = (size_t)(to - out);
    return out;
}

int cell_read(const struct sqltype *t, struct json_slice raw, struct arena *a, struct cell *out)
{
    if (raw.len == 0)
        return -1;
    if (raw.len == 4 && memcmp(raw.text, "null", 4) == 0) {
        *out = (struct cell){.kind = CELL_NULL};
        return 0;
    }
    if (t->kind == SQLTYPE_BIT) {
        *out = (struct cell){.kind = CELL_NUMBER, .number = raw.text[0] == 't'};
        return raw.text[0] == 't' || raw.text[0] == 'f' ? 0 : -1;
    }
    bool quoted = raw.text[0] == '"';
    enum cell_kind kind = kinds[t->kind];
    if (quoted != (kind != CELL_NUMBER && kind != CELL_REAL) || (quoted && raw.len < 2))
        return -1;
    if (!quoted)
        return cell_from_text(t, raw.text, raw.len, a, out);
    struct json_slice body = {.text = raw.text + 1, .len = raw.len - 2};
    if (kind == CELL_BYTES && t->kind != SQLTYPE_UNIQUEIDENTIFIER)
        return read_base64(body.text, body.len, a, out);
    if (kind != CELL_TEXT)
        return cell_from_text(t, body.text, body.len, a, out);
    *out = (struct cell){.kind = CELL_TEXT, .text = body.text, .len = body.len};
    if (memchr(body.text, '\\', body.len) != NULL)
        out->text = unescape(body.text, body.len, a, &out->len);
    return out->text != NULL ? 0 : -1;
}

/* Comparing */

/* Whole parts first, then the fractions at the larger scale, which always fits. */
static int compare_numbers(const struct cell *a, const struct cell *b)
{
    if (a->scale == b->scale)
        return (a->number > b->number) - (a->number < b->number);
    int128 a_unit = cell_power(a->scale), b_unit = cell_power(b->scale);
    int128 a_whole = a->number / a_unit, b_whole = b->number / b_unit;
    if (a_whole != b_whole)
        return a_whole < b_whole ? -1 : 1;
    int128 a_rest = a->number % a_unit, b_rest = b->number % b_unit;
    if (a->scale < b->scale)
        a_rest *= cell_power(b->scale - a->scale);
    else
        b_rest *= cell_power(a->scale - b->scale);
    return (a_rest > b_rest) - (a_rest < b_rest);
}

static double as_real(const struct cell *c)
{
    return c->kind == CELL_REAL ? c->real : (double)c->number / (double)cell_power(c->scale);
}

static int compare_bytes(const struct cell *a, const struct cell *b)
{
    size_t common = a->len < b->len ? a->len : b->len;
    int order = common > 0 ? memcmp(a->text, b->text, common) : 0;
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

int cell_compare(const struct cell *a, const struct cell *b, enum collation collation)
{
    if (a->kind == CELL_NULL || b->kind == CELL_NULL)
        return (a->kind != CELL_NULL) - (b->kind != CELL_NULL);
    if (a->kind == CELL_REAL || b->kind == CELL_REAL) {
        double x = as_real(a), y = as_real(b);
        return (x > y) - (x < y);
    }
    switch (a->kind) {
    case CELL_NUMBER:
        return compare_numbers(a, b);
    case CELL_TEXT:
        return collate_compare(collation, a->text, a->len, b->text, b->len);
    case CELL_BYTES:
        return compare_bytes(a, b);
    default:
        return (a->moment > b->moment) - (a->moment < b->moment);
    }
}

/* Kind, then the value with its length where that varies. */
void cell_append_key(const struct cell *c, enum collation collation, struct buf *out)
{
    struct buf text;
    struct cell n = *c;
    double real = c->real == 0 ? 0 : c->real; /* both zeros are one */
    buf_append_char(out, (char)c->kind);
    switch (c->kind) {
    case CELL_NULL:
        break;
    case CELL_NUMBER:
        while (n.scale > 0 && n.number % 10 == 0) {
            n.number /= 10;
            n.scale--;
        }
        buf_append(out, &n.number, sizeof n.number);
        buf_append_char(out, (char)n.scale);
        break;
    case CELL_REAL:
        buf_append(out, &real, sizeof real);
        break;
    case CELL_MOMENT:
        buf_append(out, &c->moment, sizeof c->moment);
        break;
    case CELL_BYTES:
        buf_append(out, &c->len, sizeof c->len);
        buf_append(out, c->text, c->len);
        break;
    case CELL_TEXT:
        buf_init(&text, CELL_MAX_KEY);
        collate_append_key(collation, c->text, c->len, &text);
        buf_append(out, &text.len, sizeof text.len);
        buf_append(out, text.data, text.len);
        if (buf_status(&text) != 0)
            out->failed = true;
        buf_clear(&text);
        break;
    }
}

void cell_write_number(int128 number, int scale, struct buf *out)
{
    char digits[CELL_MAX_DIGITS + 4];
    size_t at = sizeof digits;
    bool negative = number < 0;
    for (int n = 0; number != 0 || n <= scale; n++) {
        if (n > 0 && n == scale)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(number % 10) * (negative ? -1 : 1));
        number /= 10;
    }
    if (negative)
        buf_append_char(out, '-');
    buf_append(out, digits + at, sizeof digits - at);
}
