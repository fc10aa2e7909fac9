/* What holds for every value of tds-server, wherever it came from. For fuzz targets. */
#ifndef SHARDGATE_TESTS_FUZZ_VALUE_H
#define SHARDGATE_TESTS_FUZZ_VALUE_H

#include "tds-server/values/value.h"

#include <stddef.h>

/* The text is UTF-8. */
void fuzz_check_text(const char *text, size_t len);

/* The value has the form of its type and keeps its limits. `growth` is how many bytes of UTF-8 a byte of its text may have
 * become: 1, or FUZZ_GROWTH when a client sent it in its own encoding. */
#define FUZZ_GROWTH 3
void fuzz_check_form(const struct value *v, size_t growth);

/* The value can be written for each TDS dialect, and what is written reads back. */
void fuzz_check_written(const struct value *v);

#endif
