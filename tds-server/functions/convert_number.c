/* Conversion to numbers: integers and BIT, decimals and MONEY, floats. */
#include "tds-server/functions/convert_private.h"

#include "tds-server/functions/typing.h"
#include "tds-server/values/moment.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- to integers and BIT ---- */

static int out_of_integer(struct conversion *c, const char *shown)
{
    enum sqltype_kind to = c->to->kind;
    enum type_class from = typing_class(c->in->type.kind);
    if (from == TYPE_STRING) {
        char text[CONVERT_QUOTED_MAX];
        if (to == SQLTYPE_INT)
            return fault_set(c->fault, 248, typing_name(c->in->type.kind), convert_quoted(c, text));
        if (to == SQLTYPE_TINYINT || to == SQLTYPE_SMALLINT)
            return fault_set(c->fault, 244, typing_name(c->in->type.kind), convert_quoted(c, text), to == SQLTYPE_TINYINT ? "INT1" : "INT2");
        return convert_overflow(c, "expression");
    }
    if ((to == SQLTYPE_TINYINT || to == SQLTYPE_SMALLINT) && from == TYPE_INTEGER)
        return fault_set(c->fault, 220, typing_name(to), shown);
    if ((to == SQLTYPE_TINYINT || to == SQLTYPE_SMALLINT) && from == TYPE_FLOAT)
        return fault_set(c->fault, 232, typing_name(to), shown);
    return convert_overflow(c, from == TYPE_DECIMAL ? convert_name(&c->in->type) : "expression");
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
    char text[CONVERT_QUOTED_MAX];
    convert_trim(&p, &end);
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
        return fault_set(c->fault, 245, typing_name(c->in->type.kind), convert_quoted(c, text), typing_name(c->to->kind));
    return set_integer(c, negative ? -v : v);
}

int convert_to_integer(struct conversion *c)
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
        if (decimal_rescale(convert_input_decimal(in), SQLTYPE_MAX_PRECISION, 0, in->type.kind != SQLTYPE_MONEY, &v) != DECIMAL_OK)
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
        return convert_unsupported(c);
    default:
        return convert_unsupported(c);
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

int convert_to_decimal(struct conversion *c)
{
    const struct value *in = c->in;
    const char *from = convert_name(&in->type);
    int precision = c->to->precision, scale = c->to->scale;
    enum decimal_result r;
    switch (typing_class(in->type.kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        r = decimal_rescale((struct decimal){in->integer, 0}, precision, scale, false, &c->out->decimal);
        break;
    case TYPE_DECIMAL:
        r = decimal_rescale(convert_input_decimal(in), precision, scale, false, &c->out->decimal);
        break;
    case TYPE_FLOAT:
        r = decimal_from_double(in->real, precision, scale, &c->out->decimal);
        break;
    case TYPE_STRING: {
        const char *p = in->bytes.data, *end = p + in->bytes.len;
        convert_trim(&p, &end);
        if (c->to->kind == SQLTYPE_MONEY) {
            r = money_from_text(p, end, precision, scale, &c->out->decimal);
        } else {
            r = memchr(p, 'e', (size_t)(end - p)) || memchr(p, 'E', (size_t)(end - p))
                    ? DECIMAL_MALFORMED
                    : decimal_from_text(p, (size_t)(end - p), precision, scale, &c->out->decimal);
        }
        if (r == DECIMAL_MALFORMED)
            return c->to->kind == SQLTYPE_MONEY ? fault_set(c->fault, 235)
                                                : fault_set(c->fault, 8114, from, convert_name(c->to));
        break;
    }
    default:
        return convert_unsupported(c);
    }
    if (r == DECIMAL_OK && c->to->kind == SQLTYPE_MONEY && !money_fits(c->to, c->out->decimal))
        r = DECIMAL_OVERFLOW;
    return r == DECIMAL_OK ? 0 : convert_overflow(c, from);
}

/* ---- to floats ---- */

static int set_real(struct conversion *c, double v)
{
    if (!isfinite(v))
        return convert_overflow(c, "expression");
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
    convert_trim(&p, &end);
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

int convert_to_float(struct conversion *c)
{
    const struct value *in = c->in;
    switch (typing_class(in->type.kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        return set_real(c, (double)in->integer);
    case TYPE_DECIMAL:
        return set_real(c, decimal_to_double(convert_input_decimal(in)));
    case TYPE_FLOAT:
        return set_real(c, in->real);
    case TYPE_STRING:
        return float_from_text(c);
    default:
        return convert_unsupported(c);
    }
}
