/* UTF-8 (RFC 3629): one well-formed character at a time. Overlong forms, surrogates and code points above U+10FFFF are
 * malformed. Knows nothing about what the characters mean. */
#ifndef SHARDGATE_UTF8_H
#define SHARDGATE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX_BYTES 4             /* of one character */
#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD, stands for what was malformed */

/* The length in bytes of the character that starts at `text`, and in *cp (may be NULL) its code point; 0 when the bytes
 * there are malformed or cut, or `len` is 0. */
size_t utf8_decode(const char *text, size_t len, uint32_t *cp);

/* Writes the character and returns its length. `cp` is at most 0x10FFFF and no surrogate. No NUL is written. */
size_t utf8_encode(uint32_t cp, char out[UTF8_MAX_BYTES]);

/* Turns UTF-16 in little-endian order into UTF-8 and returns its bytes; no NUL is written. A surrogate without its other half
 * becomes UTF8_REPLACEMENT; an odd byte at the end is nothing. `out` has room for UTF8_FROM_UTF16(len) bytes. */
#define UTF8_FROM_UTF16(len) ((len) / 2 * 3)
size_t utf8_from_utf16le(const void *text, size_t len, char *out);

/* Counts the text's UTF-16 units and code points; either pointer may be NULL. false when the text is malformed. */
bool utf8_measure(const char *text, size_t len, size_t *utf16_units, size_t *code_points);

/* Are all bytes below 0x80? */
bool utf8_is_ascii(const char *text, size_t len);

#endif
