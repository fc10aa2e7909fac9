/* Functions on strings. Positions and lengths count UTF-16 units, as SQL Server counts them. */
#include "tds-server/functions/scalar_private.h"
#include "tds-server/functions/typing.h"
#include "tds-server/values/unicode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static size_t without_trailing_spaces(const struct value *v)
{
    size_t len = v->bytes.len;
    while (len > 0 && v->bytes.data[len - 1] == ' ')
        len--;
    return len;
}

static size_t leading_spaces(const struct value *v)
{
    size_t n = 0;
    while (n < v->bytes.len && v->bytes.data[n] == ' ')
        n++;
    return n;
}

int scalar_call_len(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    if (sqltype_is_binary(&args[0].type))
        out->integer = (int64_t)args[0].bytes.len;
    else
        out->integer = (int64_t)unicode_units(args[0].bytes.data, without_trailing_spaces(&args[0]));
    return 0;
}

/* Bytes as SQL Server stores them. */
static int64_t stored_bytes(const struct value *v)
{
    static const int times[] = {3, 3, 3, 4, 4, 5, 5, 5}; /* of TIME by its scale */
    switch (v->type.kind) {
    case SQLTYPE_BIT:
    case SQLTYPE_TINYINT:
        return 1;
    case SQLTYPE_SMALLINT:
        return 2;
    case SQLTYPE_INT:
    case SQLTYPE_REAL:
        return 4;
    case SQLTYPE_BIGINT:
    case SQLTYPE_FLOAT:
        return 8;
    case SQLTYPE_MONEY:
    case SQLTYPE_DATETIME:
        return sqltype_is_small(&v->type) ? 4 : 8;
    case SQLTYPE_DECIMAL:
    case SQLTYPE_NUMERIC:
        return v->type.precision <= 9 ? 5 : v->type.precision <= 19 ? 9 : v->type.precision <= 28 ? 13 : 17;
    case SQLTYPE_DATE:
        return 3;
    case SQLTYPE_TIME:
        return times[v->type.scale];
    case SQLTYPE_DATETIME2:
        return times[v->type.scale] + 3;
    case SQLTYPE_DATETIMEOFFSET:
        return times[v->type.scale] + 5;
    case SQLTYPE_UNIQUEIDENTIFIER:
        return VALUE_GUID_LEN;
    case SQLTYPE_NCHAR:
    case SQLTYPE_NVARCHAR:
        return 2 * (int64_t)unicode_units(v->bytes.data, v->bytes.len);
    default:
        return (int64_t)v->bytes.len;
    }
}

int scalar_call_datalength(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    out->integer = stored_bytes(&args[0]);
    return 0;
}

int scalar_call_left(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    if (args[1].integer < 0)
        return fault_set(c->fault, 536, "left");
    scalar_set_text(c, out, args[0].bytes.data, unicode_offset(args[0].bytes.data, args[0].bytes.len, (size_t)args[1].integer));
    return 0;
}

int scalar_call_right(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    if (args[1].integer < 0)
        return fault_set(c->fault, 536, "right");
    size_t units = unicode_units(args[0].bytes.data, args[0].bytes.len);
    size_t skip = (uint64_t)args[1].integer < units ? units - (size_t)args[1].integer : 0;
    size_t from = unicode_offset(args[0].bytes.data, args[0].bytes.len, skip);
    scalar_set_text(c, out, args[0].bytes.data + from, args[0].bytes.len - from);
    return 0;
}

/* A start before the first character takes from the length: SUBSTRING('abc', -1, 4) is 'ab'. */
int scalar_call_substring(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    const char *data = args[0].bytes.data;
    size_t len = args[0].bytes.len;
    int64_t start = args[1].integer, length = args[2].integer, end;
    if (length < 0)
        return fault_set(c->fault, 537);
    if (__builtin_add_overflow(start, length, &end))
        end = INT64_MAX;
    size_t skip = start > 1 ? (size_t)(start - 1) : 0, until = end > 1 ? (size_t)(end - 1) : 0;
    if (until < skip)
        until = skip;
    size_t from, to;
    if (sqltype_is_binary(&args[0].type)) {
        from = skip < len ? skip : len;
        to = until < len ? until : len;
    } else {
        from = unicode_offset(data, len, skip);
        to = from + unicode_offset(data + from, len - from, until - skip);
    }
    scalar_set_text(c, out, data + from, to - from);
    return 0;
}

int scalar_call_lower(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    unicode_append_lower(args[0].bytes.data, args[0].bytes.len, c->scratch);
    return scalar_set_scratch(c, out);
}

int scalar_call_upper(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    unicode_append_upper(args[0].bytes.data, args[0].bytes.len, c->scratch);
    return scalar_set_scratch(c, out);
}

int scalar_call_ltrim(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    size_t n = leading_spaces(&args[0]);
    scalar_set_text(c, out, args[0].bytes.data + n, args[0].bytes.len - n);
    return 0;
}

int scalar_call_rtrim(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    scalar_set_text(c, out, args[0].bytes.data, without_trailing_spaces(&args[0]));
    return 0;
}

/* Is the character at `p` of `n` bytes among those of `set`? */
static bool is_among(const char *p, size_t n, const struct value *set)
{
    for (size_t i = 0; i < set->bytes.len;) {
        int32_t code;
        size_t m = unicode_decode(set->bytes.data + i, set->bytes.len - i, &code);
        if (m == n && memcmp(set->bytes.data + i, p, n) == 0)
            return true;
        i += m;
    }
    return false;
}

/* TRIM(text) and TRIM(characters FROM text), which comes as (text, characters). */
int scalar_call_trim(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    static const struct value space = {.bytes = {" ", 1}};
    const struct value *set = count > 1 ? &args[1] : &space;
    const char *data = args[0].bytes.data;
    size_t len = args[0].bytes.len, from = 0, to = 0;
    bool leading = true;
    for (size_t i = 0; i < len;) {
        int32_t code;
        size_t n = unicode_decode(data + i, len - i, &code);
        bool trimmed = is_among(data + i, n, set);
        i += n;
        leading = leading && trimmed;
        if (leading)
            from = i;
        if (!trimmed)
            to = i;
    }
    scalar_set_text(c, out, data + from, to > from ? to - from : 0);
    return 0;
}

int scalar_call_reverse(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    const char *data = args[0].bytes.data;
    size_t len = args[0].bytes.len;
    char *p = buf_reserve(c->scratch, len);
    if (p == NULL)
        return scalar_set_scratch(c, out);
    for (size_t i = 0; i < len;) {
        int32_t code;
        size_t n = unicode_decode(data + i, len - i, &code);
        memcpy(p + len - i - n, data + i, n);
        i += n;
    }
    buf_commit(c->scratch, len);
    return scalar_set_scratch(c, out);
}

/* Appends `data` again and again, as long as the result's type has room. */
static void append_repeated(struct scalar_call *c, const char *data, size_t len, int64_t times)
{
    size_t limit = scalar_text_limit(c->result);
    if (len == 0)
        return;
    for (int64_t i = 0; i < times && c->scratch->len <= limit && !c->scratch->failed; i++)
        buf_append(c->scratch, data, len);
}

int scalar_call_replicate(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    out->null = args[1].integer < 0;
    append_repeated(c, args[0].bytes.data, args[0].bytes.len, args[1].integer);
    return scalar_set_scratch(c, out);
}

int scalar_call_space(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    out->null = args[0].integer < 0;
    append_repeated(c, " ", 1, args[0].integer);
    return scalar_set_scratch(c, out);
}

/* STUFF(text, start, length, with); a NULL `with` deletes. */
int scalar_call_stuff(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    const char *data = args[0].bytes.data;
    size_t len = args[0].bytes.len;
    out->null = true;
    if (args[0].null || args[1].null || args[2].null || args[1].integer < 1 || args[2].integer < 0)
        return 0;
    size_t units = unicode_units(data, len);
    if ((uint64_t)args[1].integer > units)
        return 0;
    out->null = false;
    size_t from = unicode_offset(data, len, (size_t)args[1].integer - 1);
    size_t to = from + unicode_offset(data + from, len - from, (size_t)args[2].integer);
    buf_append(c->scratch, data, from);
    if (!args[3].null)
        buf_append(c->scratch, args[3].bytes.data, args[3].bytes.len);
    buf_append(c->scratch, data + to, len - to);
    return scalar_set_scratch(c, out);
}

int scalar_call_concat(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    for (size_t i = 0; i < count; i++) {
        if (!args[i].null)
            buf_append(c->scratch, args[i].bytes.data, args[i].bytes.len);
    }
    return scalar_set_scratch(c, out);
}

int scalar_call_concat_ws(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    bool first = true;
    for (size_t i = 1; i < count; i++) {
        if (args[i].null)
            continue;
        if (!first && !args[0].null)
            buf_append(c->scratch, args[0].bytes.data, args[0].bytes.len);
        buf_append(c->scratch, args[i].bytes.data, args[i].bytes.len);
        first = false;
    }
    return scalar_set_scratch(c, out);
}

int scalar_call_unicode(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    int32_t code = 0;
    out->null = args[0].bytes.len == 0;
    if (!out->null)
        unicode_decode(args[0].bytes.data, args[0].bytes.len, &code);
    out->integer = code < 0 ? (unsigned char)args[0].bytes.data[0] : code;
    return 0;
}

/* The first byte of the text as it is stored. */
int scalar_call_ascii(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    out->null = args[0].bytes.len == 0;
    out->integer = out->null ? 0 : (unsigned char)args[0].bytes.data[0];
    return 0;
}

static int set_code(struct scalar_call *c, int64_t code, int64_t max, struct value *out)
{
    char text[4];
    size_t len = code >= 0 && code <= max ? unicode_encode((int32_t)code, text) : 0;
    out->null = len == 0;
    buf_append(c->scratch, text, len);
    return scalar_set_scratch(c, out);
}

/* CHAR(128 … 255) are the characters of Latin-1. */
int scalar_call_char(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    return set_code(c, args[0].integer, 0xFF, out);
}

int scalar_call_nchar(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    return set_code(c, args[0].integer, 0x10FFFF, out);
}

/* QUOTENAME(name[, quote]): NULL for names of more than 128 characters and for quotes that are none. */
int scalar_call_quotename(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    static const char opening[] = "[]()<>{}\"'`", open[] = "[[((<<{{\"'`", close[] = "]]))>>}}\"'`";
    const char *data = args[0].bytes.data;
    size_t len = args[0].bytes.len;
    char quote = count == 1 ? '[' : args[1].bytes.len == 1 ? args[1].bytes.data[0] : '\0';
    const char *found = quote != '\0' ? strchr(opening, quote) : NULL;
    out->null = found == NULL || unicode_units(data, len) > 128;
    if (out->null)
        return 0;
    buf_append_char(c->scratch, open[found - opening]);
    for (size_t i = 0; i < len; i++) {
        if (data[i] == close[found - opening])
            buf_append_char(c->scratch, data[i]);
        buf_append_char(c->scratch, data[i]);
    }
    buf_append_char(c->scratch, close[found - opening]);
    return scalar_set_scratch(c, out);
}

/* STR(number[, length[, decimals]]): right-aligned, asterisks when the digits before the point do not fit. */
int scalar_call_str(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    int64_t length = count > 1 ? args[1].integer : 10, decimals = count > 2 ? args[2].integer : 0;
    char text[400];
    out->null = length < 1 || length > 8000 || decimals < 0;
    if (out->null)
        return 0;
    if (decimals > 16)
        decimals = 16;
    int len = snprintf(text, sizeof(text), "%.*f", (int)decimals, args[0].real);
    const char *point = memchr(text, '.', (size_t)len);
    int64_t whole = point != NULL ? point - text : len;
    if (whole > length) {
        buf_append_fill(c->scratch, '*', (size_t)length);
        return scalar_set_scratch(c, out);
    }
    if (len > length) {
        /* What does not fit behind the point is rounded away, and with it the point when nothing is left. */
        decimals = length - whole - 1;
        len = snprintf(text, sizeof(text), "%.*f", (int)(decimals > 0 ? decimals : 0), args[0].real);
    }
    if (len < length)
        buf_append_fill(c->scratch, ' ', (size_t)(length - len));
    buf_append(c->scratch, text, (size_t)len);
    return scalar_set_scratch(c, out);
}

/* TRANSLATE(text, from, to): from and to have the same number of characters (9828). */
int scalar_call_translate(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    if (unicode_units(args[1].bytes.data, args[1].bytes.len) != unicode_units(args[2].bytes.data, args[2].bytes.len))
        return fault_set_text(c->fault, 9828, 16, 1, 0,
                              "The second and third arguments of the TRANSLATE built-in function must contain an equal number of characters.");
    const char *data = args[0].bytes.data;
    for (size_t i = 0; i < args[0].bytes.len;) {
        int32_t code, from, to;
        size_t n = unicode_decode(data + i, args[0].bytes.len - i, &code), f = 0, t = 0, width = n;
        const char *replacement = data + i;
        while (f < args[1].bytes.len && t < args[2].bytes.len) {
            size_t a = unicode_decode(args[1].bytes.data + f, args[1].bytes.len - f, &from);
            size_t b = unicode_decode(args[2].bytes.data + t, args[2].bytes.len - t, &to);
            if (from == code && code >= 0) {
                replacement = args[2].bytes.data + t;
                width = b;
                break;
            }
            f += a;
            t += b;
        }
        buf_append(c->scratch, replacement, width);
        i += n;
    }
    return scalar_set_scratch(c, out);
}
