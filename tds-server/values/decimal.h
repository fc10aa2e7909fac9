/* Arithmetic on DECIMAL and MONEY: the number times 10^scale in 128 bits, intermediates as wide as they need to be (GMP).
 *
 * Knows nothing about SQL's types or values. The scales and precisions of results are the caller's choice: type.h
 * computes them. Division cuts the quotient off, all else rounds half away from zero, as SQL Server does.
 */
#ifndef SHARDGATE_TDS_DECIMAL_H
#define SHARDGATE_TDS_DECIMAL_H

#include "tds-server/values/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECIMAL_MAX_DIGITS 38

enum decimal_result {
    DECIMAL_OK,
    DECIMAL_OVERFLOW,       /* more than `precision` digits */
    DECIMAL_DIVIDE_BY_ZERO,
    DECIMAL_MALFORMED       /* of a text */
};

/* A number and the digits behind its point. */
struct decimal {
    int128 v;
    int scale;
};

/* 10^digits; 0…38. */
int128 decimal_power(int digits);

/* How many digits |v| has; 1 for zero. */
int decimal_digits(int128 v);

/* Does |v| have no more than `precision` digits? */
bool decimal_fits(int128 v, int precision);

/* The value with `scale` digits behind the point, rounded; or cut off with `truncate`. */
enum decimal_result decimal_rescale(struct decimal a, int precision, int scale, bool truncate, int128 *out);

/* a op b with `scale` digits behind the point; `op` is one of + - * / %. */
enum decimal_result decimal_compute(char op, struct decimal a, struct decimal b, int precision, int scale, int128 *out);

/* Compares values of any two scales: <0, 0, >0. */
int decimal_compare(struct decimal a, struct decimal b);

/* Reads "[+-]digits[.digits][e[+-]digits]" with spaces around it, and keeps `scale` digits, rounded. */
enum decimal_result decimal_from_text(const char *text, size_t len, int precision, int scale, int128 *out);

/* From and to floating point; DECIMAL_OVERFLOW also for what is not finite. */
enum decimal_result decimal_from_double(double v, int precision, int scale, int128 *out);
double decimal_to_double(struct decimal a);

/* The 16 bytes whose order by memcmp is the numbers' order: v + 2^127, big-endian. */
#define DECIMAL_KEY_LEN 16
void decimal_to_key(int128 v, unsigned char key[DECIMAL_KEY_LEN]);
int128 decimal_from_key(const unsigned char key[DECIMAL_KEY_LEN]);

#endif
