/* The types that T-SQL gives to literals. */
#include "common/predicate_private.h"
#include "common/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DECIMAL_MAX_DIGITS 38

static size_t count_digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

static bool all_zeros(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] >= '1' && text[i] <= '9')
            return false;
    return true;
}

const char *predicate_type_number(const char *text, size_t len, char number[PREDICATE_MAX_NUMBER + 1],
                                  struct predicate_operand *out)
{
    const char *const end = text + len;
    const bool negative = *text == '-';

    if (*text == '+' || *text == '-')
        text++;
    while (end - text > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
        text++;

    /* whole . fraction e exponent */
    const char *const whole = text;
    const size_t whole_len = count_digits(text, (size_t)(end - text));
    text += whole_len;
    const bool point = text < end && *text == '.';
    text += point ? 1 : 0;
    const char *const fraction = text;
    const size_t fraction_len = count_digits(text, (size_t)(end - text));
    text += fraction_len;
    const bool exponent = text < end;
    const bool zero = all_zeros(whole, whole_len) && all_zeros(fraction, fraction_len);

    if (end - whole > PREDICATE_MAX_NUMBER - 3) /* room for a sign and for the zeros of ".5" and "5." */
        return "is too long";

    size_t n = 0;
    if (negative && (!zero || exponent)) /* only FLOAT has a negative zero */
        number[n++] = '-';
    if (whole_len == 0)
        number[n++] = '0';
    memcpy(number + n, whole, whole_len);
    n += whole_len;
    if (point) {
        number[n++] = '.';
        memcpy(number + n, fraction, fraction_len);
        n += fraction_len;
        if (fraction_len == 0)
            number[n++] = '0';
    }
    memcpy(number + n, text, (size_t)(end - text));
    n += (size_t)(end - text);
    number[n] = '\0';

    out->kind = PREDICATE_NUMBER;
    out->precision = 0;
    out->scale = 0;
    if (exponent) {
        const double v = strtod(number, NULL);
        if (!isfinite(v) || (v == 0 && !zero))
            return "is outside FLOAT";
        out->type = PREDICATE_FLOAT;
    } else if (point) {
        const size_t whole_digits = whole_len == 1 && *whole == '0' ? 0 : whole_len;
        const size_t scale = fraction_len ? fraction_len : 1;
        if (whole_digits + scale > DECIMAL_MAX_DIGITS)
            return "has more than 38 digits";
        out->type = PREDICATE_DECIMAL;
        out->precision = (int)(whole_digits + scale);
        out->scale = (int)scale;
    } else {
        errno = 0;
        const long long v = strtoll(number, NULL, 10);
        if (errno == ERANGE)
            return "is outside BIGINT";
        out->type = v >= INT32_MIN && v <= INT32_MAX ? PREDICATE_INT : PREDICATE_BIGINT;
    }
    out->len = n;
    return NULL;
}

void predicate_type_string(struct predicate_operand *out, bool national, const char *text, size_t len)
{
    out->kind = PREDICATE_STRING;
    out->type = national || !utf8_is_ascii(text, len) ? PREDICATE_NVARCHAR : PREDICATE_VARCHAR;
    out->text = text;
    out->len = len;
}
