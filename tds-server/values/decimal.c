#include "tds-server/values/decimal.h"

#include <gmp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HALF 1000000000000000000LL /* 10^18: two of them and a hundred make 10^38 */

int128 decimal_power(int digits)
{
    static const int64_t small[19] = {1,
                                      10,
                                      100,
                                      1000,
                                      10000,
                                      100000,
                                      1000000,
                                      10000000,
                                      100000000,
                                      1000000000,
                                      10000000000,
                                      100000000000,
                                      1000000000000,
                                      10000000000000,
                                      100000000000000,
                                      1000000000000000,
                                      10000000000000000,
                                      100000000000000000,
                                      HALF};
    if (digits <= 18)
        return small[digits];
    if (digits <= 36)
        return (int128)HALF * small[digits - 18];
    return (int128)HALF * HALF * small[digits - 36];
}

int decimal_digits(int128 v)
{
    uint128 magnitude = v < 0 ? -(uint128)v : (uint128)v;
    int digits = 1;
    while (digits < DECIMAL_MAX_DIGITS && magnitude >= (uint128)decimal_power(digits))
        digits++;
    return magnitude >= (uint128)decimal_power(DECIMAL_MAX_DIGITS) ? DECIMAL_MAX_DIGITS + 1 : digits;
}

bool decimal_fits(int128 v, int precision)
{
    int128 limit = decimal_power(precision);
    return v < limit && v > -limit;
}

static int128 divide_rounded(int128 a, int128 b)
{
    int128 quotient = a / b;
    int128 rest = a % b;
    int128 rest_size = rest < 0 ? -rest : rest;
    int128 divisor_size = b < 0 ? -b : b;
    if (rest_size >= divisor_size - rest_size)
        quotient += (a < 0) == (b < 0) ? 1 : -1;
    return quotient;
}

enum decimal_result decimal_rescale(struct decimal a, int precision, int scale, bool truncate, int128 *out)
{
    int128 v = a.v;
    if (scale > a.scale) {
        if (__builtin_mul_overflow(v, decimal_power(scale - a.scale), &v))
            return DECIMAL_OVERFLOW;
    } else if (scale < a.scale) {
        int128 power = decimal_power(a.scale - scale);
        v = truncate ? v / power : divide_rounded(v, power);
    }
    if (!decimal_fits(v, precision))
        return DECIMAL_OVERFLOW;
    *out = v;
    return DECIMAL_OK;
}

/* ---- wide intermediates ---- */

static void wide_set(mpz_t z, int128 v)
{
    uint128 magnitude = v < 0 ? -(uint128)v : (uint128)v;
    uint64_t words[2] = {(uint64_t)magnitude, (uint64_t)(magnitude >> 64)};
    mpz_import(z, 2, -1, sizeof words[0], 0, 0, words);
    if (v < 0)
        mpz_neg(z, z);
}

static bool wide_get(const mpz_t z, int precision, int128 *out)
{
    if (mpz_sizeinbase(z, 2) > 127)
        return false;
    uint64_t words[2] = {0, 0};
    mpz_export(words, NULL, -1, sizeof words[0], 0, 0, z);
    int128 v = (int128)((uint128)words[1] << 64 | words[0]);
    *out = mpz_sgn(z) < 0 ? -v : v;
    return decimal_fits(*out, precision);
}

static void wide_scale_up(mpz_t z, int digits)
{
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, (unsigned long)digits);
    mpz_mul(z, z, power);
    mpz_clear(power);
}

/* Divides z by 10^digits, half away from zero. */
static void wide_scale_down(mpz_t z, int digits)
{
    mpz_t power, half;
    mpz_inits(power, half, NULL);
    mpz_ui_pow_ui(power, 10, (unsigned long)digits);
    mpz_tdiv_q_ui(half, power, 2);
    if (mpz_sgn(z) < 0)
        mpz_sub(z, z, half);
    else
        mpz_add(z, z, half);
    mpz_tdiv_q(z, z, power);
    mpz_clears(power, half, NULL);
}

static enum decimal_result compute_wide(char op, struct decimal a, struct decimal b, int precision, int scale, int128 *out)
{
    int common = a.scale > b.scale ? a.scale : b.scale;
    int have; /* the scale of what was computed */
    mpz_t x, y;
    mpz_inits(x, y, NULL);
    wide_set(x, a.v);
    wide_set(y, b.v);
    switch (op) {
    case '*':
        mpz_mul(x, x, y);
        have = a.scale + b.scale;
        break;
    case '/':
        if (scale + b.scale >= a.scale)
            wide_scale_up(x, scale + b.scale - a.scale);
        else
            wide_scale_up(y, a.scale - scale - b.scale);
        mpz_tdiv_q(x, x, y);
        have = scale;
        break;
    default:
        wide_scale_up(x, common - a.scale);
        wide_scale_up(y, common - b.scale);
        if (op == '+')
            mpz_add(x, x, y);
        else if (op == '-')
            mpz_sub(x, x, y);
        else
            mpz_tdiv_r(x, x, y);
        have = common;
    }
    if (scale > have)
        wide_scale_up(x, scale - have);
    else if (scale < have)
        wide_scale_down(x, have - scale);
    bool fits = wide_get(x, precision, out);
    mpz_clears(x, y, NULL);
    return fits ? DECIMAL_OK : DECIMAL_OVERFLOW;
}

/* The same for sums of one scale, which need no wide numbers; false when they do. */
static bool compute_narrow(char op, struct decimal a, struct decimal b, int precision, int scale, int128 *out)
{
    if (a.scale != scale || b.scale != scale || (op != '+' && op != '-'))
        return false;
    bool wrapped = op == '+' ? __builtin_add_overflow(a.v, b.v, out) : __builtin_sub_overflow(a.v, b.v, out);
    return !wrapped && decimal_fits(*out, precision);
}

enum decimal_result decimal_compute(char op, struct decimal a, struct decimal b, int precision, int scale, int128 *out)
{
    if ((op == '/' || op == '%') && b.v == 0)
        return DECIMAL_DIVIDE_BY_ZERO;
    if (compute_narrow(op, a, b, precision, scale, out))
        return DECIMAL_OK;
    return compute_wide(op, a, b, precision, scale, out);
}

int decimal_compare(struct decimal a, struct decimal b)
{
    if (a.scale == b.scale)
        return (a.v > b.v) - (a.v < b.v);
    mpz_t x, y;
    mpz_inits(x, y, NULL);
    wide_set(x, a.v);
    wide_set(y, b.v);
    if (a.scale < b.scale)
        wide_scale_up(x, b.scale - a.scale);
    else
        wide_scale_up(y, a.scale - b.scale);
    int order = mpz_cmp(x, y);
    mpz_clears(x, y, NULL);
    return order;
}

/* ---- text and floating point ---- */

struct digits {
    char text[2 * DECIMAL_MAX_DIGITS + 4]; /* significant digits, without leading zeros */
    size_t len;
    int point;   /* digits before the decimal point; may be negative or beyond len */
    bool rest;   /* digits that did not fit were not all zero; they are far behind any scale */
    bool negative;
};

/* number := [+-] digits [ . digits ] [ e [+-] digits ] */
static enum decimal_result digits_read(const char *p, const char *end, struct digits *d)
{
    memset(d, 0, sizeof *d);
    while (p < end && *p == ' ')
        p++;
    while (p < end && end[-1] == ' ')
        end--;
    if (p < end && (*p == '+' || *p == '-'))
        d->negative = *p++ == '-';
    bool any = false, behind = false;
    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !behind)); p++) {
        if (*p == '.') {
            behind = true;
            continue;
        }
        any = true;
        if (d->len == 0 && *p == '0') {
            if (behind && d->point > -2 * DECIMAL_MAX_DIGITS)
                d->point--;
            continue;
        }
        if (d->len < sizeof d->text)
            d->text[d->len++] = *p;
        else
            d->rest |= *p != '0';
        if (!behind && d->point < 10000)
            d->point++;
    }
    if (!any)
        return DECIMAL_MALFORMED;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool down = p < end && *p == '-';
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (p == end)
            return DECIMAL_MALFORMED;
        int exponent = 0;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            exponent = exponent < 10000 ? exponent * 10 + (*p - '0') : exponent;
        d->point += down ? -exponent : exponent;
    }
    return p == end ? DECIMAL_OK : DECIMAL_MALFORMED;
}

enum decimal_result decimal_from_text(const char *text, size_t len, int precision, int scale, int128 *out)
{
    struct digits d;
    enum decimal_result r = digits_read(text, text + len, &d);
    if (r != DECIMAL_OK)
        return r;
    *out = 0;
    if (d.len == 0 || d.point + scale < 0)
        return DECIMAL_OK;
    int wanted = d.point + scale; /* digits that the result keeps */
    if (wanted > DECIMAL_MAX_DIGITS)
        return DECIMAL_OVERFLOW;
    int128 v = 0;
    for (int i = 0; i < wanted; i++)
        v = v * 10 + ((size_t)i < d.len ? d.text[i] - '0' : 0);
    if ((size_t)wanted < d.len && d.text[wanted] >= '5')
        v++;
    if (!decimal_fits(v, precision))
        return DECIMAL_OVERFLOW;
    *out = d.negative ? -v : v;
    return DECIMAL_OK;
}

enum decimal_result decimal_from_double(double v, int precision, int scale, int128 *out)
{
    if (!isfinite(v) || fabs(v) >= 1e38)
        return DECIMAL_OVERFLOW;
    /* A double has 17 significant digits; SQL Server takes no more of it either. */
    char text[64];
    int len = snprintf(text, sizeof text, "%.17g", v);
    double shorter;
    char candidate[64];
    for (int digits = 15; digits < 17; digits++) {
        int n = snprintf(candidate, sizeof candidate, "%.*g", digits, v);
        shorter = strtod(candidate, NULL);
        if (shorter == v) {
            memcpy(text, candidate, (size_t)n + 1);
            len = n;
            break;
        }
    }
    return decimal_from_text(text, (size_t)len, precision, scale, out);
}

double decimal_to_double(struct decimal a)
{
    char text[48];
    size_t len = value_decimal_to_text(a.v, a.scale, text);
    text[len] = '\0';
    return strtod(text, NULL);
}

void decimal_to_key(int128 v, unsigned char key[DECIMAL_KEY_LEN])
{
    uint128 biased = (uint128)v + ((uint128)1 << 127);
    for (int i = DECIMAL_KEY_LEN - 1; i >= 0; i--) {
        key[i] = (unsigned char)biased;
        biased >>= 8;
    }
}

int128 decimal_from_key(const unsigned char key[DECIMAL_KEY_LEN])
{
    uint128 biased = 0;
    for (int i = 0; i < DECIMAL_KEY_LEN; i++)
        biased = biased << 8 | key[i];
    return (int128)(biased - ((uint128)1 << 127));
}
