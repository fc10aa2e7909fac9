/* Functions on numbers, and the two that make values of nothing: NEWID and RAND. */
#include "tds-server/values/decimal.h"
#include "tds-server/functions/scalar_private.h"
#include "tds-server/functions/typing.h"
#include "tds-server/values/unicode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int overflow(struct scalar_call *c)
{
    bool decimal = typing_class(c->result->kind) == TYPE_DECIMAL && c->result->kind != SQLTYPE_MONEY;
    return fault_set(c->fault, 8115, decimal ? "numeric" : "expression", decimal ? "numeric" : typing_name(c->result->kind));
}

static int invalid_operation(struct scalar_call *c)
{
    return fault_set_text(c->fault, 3623, 16, 1, 0, "An invalid floating point operation occurred.");
}

/* Sets what `v` is in the result's type, an exact number times 10^scale of the result; or overflows. */
static int set_exact(struct scalar_call *c, int128 v, struct value *out)
{
    int64_t low = INT64_MIN, high = INT64_MAX;
    if (typing_class(c->result->kind) == TYPE_DECIMAL) {
        if (sqltype_is_small(c->result)) {
            low = INT32_MIN;
            high = INT32_MAX;
        }
        bool fits = c->result->kind == SQLTYPE_MONEY ? v >= low && v <= high : decimal_fits(v, c->result->precision);
        out->decimal = v;
        return fits ? 0 : overflow(c);
    }
    typing_integer_range(c->result->kind, &low, &high);
    if (v < low || v > high)
        return overflow(c);
    out->integer = (int64_t)v;
    return 0;
}

static int set_float(struct scalar_call *c, double v, struct value *out)
{
    if (isnan(v))
        return invalid_operation(c);
    if (isinf(v))
        return overflow(c);
    out->real = v;
    return 0;
}

/* Sets a result that was computed as floating point in whatever type it is. */
static int set_computed(struct scalar_call *c, double v, struct value *out)
{
    if (sqltype_is_float(c->result) || isnan(v))
        return set_float(c, v, out);
    int128 exact;
    if (typing_class(c->result->kind) != TYPE_DECIMAL)
        return fabs(v) < 0x1p63 ? set_exact(c, (int128)v, out) : overflow(c);
    if (decimal_from_double(v, SQLTYPE_MAX_PRECISION, c->result->scale, &exact) != DECIMAL_OK)
        return overflow(c);
    return set_exact(c, exact, out);
}

static int128 exact_of(const struct value *v)
{
    return typing_class(v->type.kind) == TYPE_DECIMAL ? v->decimal : v->integer;
}

int scalar_call_abs(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    if (sqltype_is_float(c->result))
        return set_float(c, fabs(args[0].real), out);
    int128 v = exact_of(&args[0]);
    return set_exact(c, v < 0 ? -v : v, out);
}

int scalar_call_sign(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    if (sqltype_is_float(c->result))
        return set_float(c, (args[0].real > 0) - (args[0].real < 0), out);
    int128 v = exact_of(&args[0]);
    int sign = (v > 0) - (v < 0);
    bool decimal = typing_class(c->result->kind) == TYPE_DECIMAL;
    return set_exact(c, decimal ? sign * decimal_power(c->result->scale) : sign, out);
}

/* FLOOR and CEILING of what has digits behind the point. */
static int set_whole(struct scalar_call *c, const struct value *v, bool up, struct value *out)
{
    if (sqltype_is_float(c->result))
        return set_float(c, up ? ceil(v->real) : floor(v->real), out);
    if (typing_class(v->type.kind) != TYPE_DECIMAL)
        return set_exact(c, v->integer, out);
    int128 unit = decimal_power(v->type.scale), whole = v->decimal / unit, rest = v->decimal % unit;
    if (up && rest > 0)
        whole++;
    if (!up && rest < 0)
        whole--;
    return set_exact(c, whole * decimal_power(c->result->scale), out);
}

int scalar_call_ceiling(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    return set_whole(c, &args[0], true, out);
}

int scalar_call_floor(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    return set_whole(c, &args[0], false, out);
}

static int round_float(struct scalar_call *c, double v, int64_t digits, bool truncate, struct value *out)
{
    /* Beyond the digits that a double has, there is nothing to round; before all of them, nothing is left. */
    if (digits > 300)
        return set_float(c, v, out);
    if (digits < -308)
        return set_float(c, 0, out);
    double unit = pow(10, (double)(digits < 0 ? -digits : digits));
    double scaled = digits < 0 ? v / unit : v * unit;
    if (!isfinite(scaled))
        return set_float(c, v, out);
    scaled = truncate ? trunc(scaled) : round(scaled);
    return set_float(c, digits < 0 ? scaled * unit : scaled / unit, out);
}

/* ROUND(number, digits[, truncate]) */
int scalar_call_round(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    int64_t digits = args[1].integer;
    bool truncate = count > 2 && args[2].integer != 0;
    if (sqltype_is_float(c->result))
        return round_float(c, args[0].real, digits, truncate, out);
    int128 v = exact_of(&args[0]);
    int scale = typing_class(c->result->kind) == TYPE_DECIMAL ? c->result->scale : 0;
    if (digits >= scale)
        return set_exact(c, v, out);
    if (digits < scale - DECIMAL_MAX_DIGITS)
        return set_exact(c, 0, out);
    int128 unit = decimal_power((int)(scale - digits)), rest = v % unit;
    v -= rest;
    /* Half of the unit, away from zero; 10^38 is even, and so is every unit but 1. */
    if (!truncate && (rest >= unit / 2 || rest <= -(unit / 2)))
        v = rest > 0 ? v + unit : v - unit;
    return set_exact(c, v, out);
}

/* Whole numbers to whole powers are exact. */
static bool integer_power(int64_t base, int64_t exponent, int128 *out)
{
    *out = 1;
    for (int64_t i = 0; i < exponent && base != 0 && base != 1; i++) {
        if (base == -1 && i >= exponent % 2)
            return true;
        if (__builtin_mul_overflow(*out, (int128)base, out))
            return false;
    }
    if (exponent > 0 && base == 0)
        *out = 0;
    return true;
}

int scalar_call_power(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    int128 exact;
    bool integers = typing_class(args[0].type.kind) == TYPE_INTEGER && typing_class(args[1].type.kind) == TYPE_INTEGER;
    if (integers && args[1].integer >= 0)
        return integer_power(args[0].integer, args[1].integer, &exact) ? set_exact(c, exact, out) : overflow(c);
    double base = scalar_double(&args[0]), exponent = scalar_double(&args[1]);
    if (base == 0 && exponent < 0)
        return fault_set(c->fault, 8134);
    return set_computed(c, pow(base, exponent), out);
}

/* ── Floating point ── */

#define FLOAT_FUNCTION(name, expression)                                                                                       \
    int scalar_call_##name(struct scalar_call *c, const struct value *args, size_t count, struct value *out)                   \
    {                                                                                                                          \
        (void)count;                                                                                                           \
        double x = args[0].real;                                                                                               \
        return set_float(c, expression, out);                                                                                  \
    }

FLOAT_FUNCTION(acos, acos(x))
FLOAT_FUNCTION(asin, asin(x))
FLOAT_FUNCTION(atan, atan(x))
FLOAT_FUNCTION(cos, cos(x))
FLOAT_FUNCTION(cot, 1 / tan(x))
FLOAT_FUNCTION(exp, exp(x))
FLOAT_FUNCTION(log10, x > 0 ? log10(x) : (double)NAN)
FLOAT_FUNCTION(sin, sin(x))
FLOAT_FUNCTION(sqrt, sqrt(x))
FLOAT_FUNCTION(square, x *x)
FLOAT_FUNCTION(tan, tan(x))

int scalar_call_atn2(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    return set_float(c, atan2(args[0].real, args[1].real), out);
}

/* LOG(x[, base]) */
int scalar_call_log(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    if (args[0].real <= 0 || (count > 1 && (args[1].real <= 0 || args[1].real == 1)))
        return invalid_operation(c);
    double v = log(args[0].real);
    return set_float(c, count > 1 ? v / log(args[1].real) : v, out);
}

int scalar_call_pi(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)args, (void)count;
    return set_float(c, M_PI, out);
}

int scalar_call_degrees(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    return set_computed(c, scalar_double(&args[0]) * 180 / M_PI, out);
}

int scalar_call_radians(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)count;
    return set_computed(c, scalar_double(&args[0]) * M_PI / 180, out);
}

/* ── Random ── */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static int draw(struct scalar_call *c, void *bytes, size_t len)
{
    return getrandom(bytes, len, 0) == (ssize_t)len ? 0 : fault_set(c->fault, FAULT_INTERNAL, "no random numbers");
}

/* RAND([seed]): equal for equal seeds, else fresh for each row (in SQL Server, for each statement). */
int scalar_call_rand(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    uint64_t bits;
    if (count > 0 && !args[0].null)
        bits = mix((uint64_t)(int64_t)fmax(-0x1p62, fmin(0x1p62, args[0].real)));
    else if (draw(c, &bits, sizeof(bits)) != 0)
        return -1;
    out->real = (double)(bits >> 11) * 0x1p-53;
    return 0;
}

/* A version 4 UUID. */
int scalar_call_newid(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)args, (void)count;
    unsigned char wire[VALUE_GUID_LEN], ordered[VALUE_GUID_LEN];
    if (draw(c, wire, sizeof(wire)) != 0)
        return -1;
    wire[7] = (unsigned char)((wire[7] & 0x0F) | 0x40);
    wire[8] = (unsigned char)((wire[8] & 0x3F) | 0x80);
    value_guid_from_wire(wire, ordered);
    buf_append(c->scratch, ordered, sizeof(ordered));
    if (buf_status(c->scratch) != 0)
        return fault_set(c->fault, FAULT_MEMORY);
    out->bytes.data = buf_text(c->scratch);
    out->bytes.len = sizeof(ordered);
    return 0;
}

/* ── ISNUMERIC ── */

static bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static const char *skip_spaces(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r')))
        p++;
    return p;
}

/* A currency sign's bytes, 0 for none. */
static size_t currency_sign(const char *p, const char *end)
{
    int32_t code;
    if (p == end)
        return 0;
    size_t n = unicode_decode(p, (size_t)(end - p), &code);
    return code == '$' || (code >= 0xA2 && code <= 0xA5) || (code >= 0x20A0 && code <= 0x20BF) ? n : 0;
}

/* numeric := spaces [sign] [currency] [sign] digits-and-commas ['.' digits] [(e | d) [sign] digits] spaces ;  as in SQL Server,
 * a sign, a point, a comma or a currency sign alone will do. */
static bool is_numeric_text(const char *p, const char *end)
{
    p = skip_spaces(p, end);
    while (end > p && skip_spaces(end - 1, end) == end)
        end--;
    const char *start = p;
    if (p < end && (*p == '+' || *p == '-'))
        p++;
    size_t currency = currency_sign(p, end);
    p += currency;
    if (currency > 0 && p < end && (*p == '+' || *p == '-'))
        p++;
    bool digits = false;
    while (is_digit(p, end) || (p < end && *p == ',')) {
        digits |= *p != ',';
        p++;
    }
    if (p < end && *p == '.')
        p++;
    while (is_digit(p, end)) {
        digits = true;
        p++;
    }
    if (digits && currency == 0 && p < end && (*p == 'e' || *p == 'E' || *p == 'd' || *p == 'D')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (!is_digit(p, end))
            return false;
        while (is_digit(p, end))
            p++;
    }
    return p == end && p > start;
}

int scalar_call_isnumeric(struct scalar_call *c, const struct value *args, size_t count, struct value *out)
{
    (void)c, (void)count;
    enum type_class class = typing_class(args[0].type.kind);
    out->integer = 0;
    if (!args[0].null && class == TYPE_STRING)
        out->integer = is_numeric_text(args[0].bytes.data, args[0].bytes.data + args[0].bytes.len);
    else if (!args[0].null)
        out->integer = class == TYPE_INTEGER || class == TYPE_BIT || class == TYPE_DECIMAL || class == TYPE_FLOAT;
    return 0;
}
