/* What the files of the conversions share: one conversion under way, its faults, and the steps that convert.c chooses from.
 * Private to convert*.c. */
#ifndef SHARDGATE_TDS_CONVERT_PRIVATE_H
#define SHARDGATE_TDS_CONVERT_PRIVATE_H

#include "tds-server/functions/convert.h"
#include "tds-server/values/decimal.h"

#define CONVERT_QUOTED_MAX 256 /* bytes of a value that a message shows */

struct conversion {
    const struct value *in;
    const struct sqltype *to;
    int style;
    enum convert_mode mode;
    struct buf *scratch;
    struct value *out;
    struct fault *fault;
};

/* The type's name in conversion messages, where DECIMAL is always "numeric". */
const char *convert_name(const struct sqltype *t);
/* 8115, of `what`; 529. Both return -1. */
int convert_overflow(struct conversion *c, const char *what);
int convert_unsupported(struct conversion *c);
/* The input as a NUL-terminated text, cut, for messages. */
const char *convert_quoted(const struct conversion *c, char text[CONVERT_QUOTED_MAX]);
/* Moves both ends over white space. */
void convert_trim(const char **p, const char **end);
/* A DECIMAL's or MONEY's number. */
struct decimal convert_input_decimal(const struct value *in);

/* convert_number.c: to integers and BIT, decimals, floats. Set c->out; -1 with the fault. */
int convert_to_integer(struct conversion *c) __attribute__((warn_unused_result));
int convert_to_decimal(struct conversion *c) __attribute__((warn_unused_result));
int convert_to_float(struct conversion *c) __attribute__((warn_unused_result));
/* convert_text.c: to strings. */
int convert_to_string(struct conversion *c) __attribute__((warn_unused_result));

#endif
