/* SHA-256 (FIPS 180-4) and its HMAC (RFC 2104). The one home of nettle, which FreeTDS's and libcurl's TLS bring along anyway:
 * OpenSSL's libcrypto would cost each program another two MiB. Knows nothing about what is digested.
 */
#ifndef SHARDGATE_DIGEST_H
#define SHARDGATE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_BYTES 32

/* The digest of `len` bytes; `data` may be NULL when there are none. */
void digest_take(const void *data, size_t len, unsigned char out[DIGEST_BYTES]);

/* The HMAC of `len` bytes under a key. What was made of the key on the way is wiped; `key` is the caller's. `out` may be
 * neither the key nor the data. */
void digest_seal(const void *key, size_t key_len, const void *data, size_t len, unsigned char out[DIGEST_BYTES]);

/* Are they the same? Takes as long for any two. */
bool digest_same(const void *a, const void *b, size_t len);

#endif
