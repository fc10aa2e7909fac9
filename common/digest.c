#include "common/digest.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <string.h>

_Static_assert(DIGEST_BYTES == SHA256_DIGEST_SIZE, "a whole SHA-256");

void digest_take(const void *data, size_t len, unsigned char out[DIGEST_BYTES])
{
    struct sha256_ctx context;

    sha256_init(&context);
    sha256_update(&context, len, data);
    sha256_digest(&context, DIGEST_BYTES, out);
}

void digest_seal(const void *key, size_t key_len, const void *data, size_t len, unsigned char out[DIGEST_BYTES])
{
    struct hmac_sha256_ctx context;

    hmac_sha256_set_key(&context, key_len, key);
    hmac_sha256_update(&context, len, data);
    hmac_sha256_digest(&context, DIGEST_BYTES, out);
    explicit_bzero(&context, sizeof(context));
}

bool digest_same(const void *a, const void *b, size_t len)
{
    return memeql_sec(a, b, len) != 0;
}
