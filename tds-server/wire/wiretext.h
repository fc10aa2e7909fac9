/* Text between the wire's encodings (UTF-16LE, UTF-8, Windows-1252) and the engine's (valid UTF-8, always). Knows nothing
 * about TDS. What is malformed (a lone surrogate, an overlong form) becomes U+FFFD, so that
 * nothing invalid passes in either direction. */
#ifndef SHARDGATE_TDS_WIRETEXT_H
#define SHARDGATE_TDS_WIRETEXT_H

#include "common/buf.h"

#include <stddef.h>

/* Each writes UTF-8 to `out` and returns its length in bytes; with `out` NULL it only counts. `len` counts bytes; an odd
 * last byte of UTF-16 is malformed. */
size_t wiretext_from_utf16(const unsigned char *in, size_t len, char *out);
size_t wiretext_from_utf8(const unsigned char *in, size_t len, char *out);
size_t wiretext_from_windows1252(const unsigned char *in, size_t len, char *out);

/* Appends UTF-8 as UTF-16LE; no more than `max_units` units, never half a character. */
void wiretext_append_utf16(struct buf *out, const char *text, size_t len, size_t max_units);

/* The number of UTF-16 units of UTF-8 text. */
size_t wiretext_count_units(const char *text, size_t len);

/* How many bytes of UTF-8 text make whole characters within `max` bytes. */
size_t wiretext_cut(const char *text, size_t len, size_t max);

#endif
