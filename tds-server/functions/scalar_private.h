/* What the files of the scalar functions share: helpers on results, and the computations that the table in scalar.c names.
 * Private to scalar*.c. */
#ifndef SHARDGATE_TDS_SCALAR_PRIVATE_H
#define SHARDGATE_TDS_SCALAR_PRIVATE_H

#include "tds-server/functions/scalar.h"

#define SCALAR_MAX_TEXT ((size_t)64 << 20) /* bytes of a result that a function makes; beyond it is fault 701 */

/* Sets a string result, cut to the length that the result's type has. The bytes are borrowed. */
void scalar_set_text(const struct scalar_call *c, struct value *out, const char *data, size_t len);
/* The same with what c->scratch holds; -1 (701) when it overflowed. */
int scalar_set_scratch(struct scalar_call *c, struct value *out);

/* Bytes that a string's type allows for results made here (REPLICATE): what is beyond would be cut anyway. */
size_t scalar_text_limit(const struct sqltype *type);

/* Numbers of any numeric class. */
double scalar_double(const struct value *v);
int64_t scalar_integer(const struct value *v); /* decimals and floats are cut off; saturates */

#define SCALAR_CALLS(X)                                                                                                        \
    /* scalar_string.c */                                                                                                      \
    X(ascii) X(char) X(concat) X(concat_ws) X(datalength) X(left) X(len) X(lower) X(ltrim) X(nchar) X(quotename) X(replicate)   \
    X(reverse) X(right) X(rtrim) X(space) X(str) X(stuff) X(substring) X(translate) X(trim) X(unicode) X(upper)                 \
    /* scalar_search.c */                                                                                                      \
    X(charindex) X(patindex) X(replace)                                                                                        \
    /* scalar_math.c */                                                                                                        \
    X(abs) X(acos) X(asin) X(atan) X(atn2) X(ceiling) X(cos) X(cot) X(degrees) X(exp) X(floor) X(isnumeric) X(log) X(log10)      \
    X(newid) X(pi) X(power) X(radians) X(rand) X(round) X(sign) X(sin) X(sqrt) X(square) X(tan)                                 \
    /* scalar_date.c */                                                                                                        \
    X(dateadd) X(datediff) X(datefromparts) X(datename) X(datepart) X(datetime2fromparts) X(datetimefromparts) X(day)            \
    X(eomonth) X(isdate) X(month) X(now) X(switchoffset) X(timefromparts) X(todatetimeoffset) X(utcnow) X(year)

#define X(name) int scalar_call_##name(struct scalar_call *c, const struct value *args, size_t count, struct value *out);
SCALAR_CALLS(X)
#undef X

#endif
