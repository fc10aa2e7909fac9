/* What tds-server needs to know of Unicode: decoding, classes, lengths and case. The one home of utf8proc.
 *
 * Text is UTF-8 with a length. A byte that is not part of valid UTF-8 counts as one character of its own and is passed on
 * as it stands, so that no function here fails or loses a byte.
 */
#ifndef SHARDGATE_TDS_UNICODE_H
#define SHARDGATE_TDS_UNICODE_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the character at `s`; returns its bytes (1…4). `len` is at least 1. *code is -1 for a stray byte. */
size_t unicode_decode(const char *s, size_t len, int32_t *code);

/* Writes a code point as UTF-8 (1…4 bytes) and returns their number; 0 for what is none (surrogates, above U+10FFFF). */
size_t unicode_encode(int32_t code, char out[4]);

/* The length in UTF-16 units, as LEN and column lengths count it. */
size_t unicode_units(const char *s, size_t len);

/* The byte offset at which `units` UTF-16 units end (at most len). A character of two units that the boundary would cut
 * is left out. */
size_t unicode_offset(const char *s, size_t len, size_t units);

bool unicode_is_letter(int32_t code);
bool unicode_is_name_part(int32_t code); /* letters, digits and marks, beyond ASCII's own rules */
bool unicode_is_space(int32_t code);

/* One code point's simple case mapping. */
int32_t unicode_lower(int32_t code);
int32_t unicode_upper(int32_t code);

/* Appends the text in lower or upper case, character by character: none changes into several, and none into a longer one
 * (ß stays), so that the result fits wherever the text did. */
void unicode_append_lower(const char *s, size_t len, struct buf *out);
void unicode_append_upper(const char *s, size_t len, struct buf *out);

#endif
