#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/digest.h"

static void assert_digest(const unsigned char got[DIGEST_BYTES], const char *wanted)
{
    char text[2 * DIGEST_BYTES + 1];
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", got[i]);
    }
    assert_string_equal(text, wanted);
}

/* NIST's examples of FIPS 180-4. */
static void digests_are_sha_256(void **state)
{
    static const struct {
        const char *text, *digest;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    unsigned char out[DIGEST_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        digest_take(rows[i].text, strlen(rows[i].text), out);
        assert_digest(out, rows[i].digest);
    }
    digest_take(NULL, 0, out);
    assert_digest(out, rows[0].digest);
}

/* RFC 4231 4.3 and 4.7: a short key, and one that is longer than a block. */
static void seals_are_hmac_sha_256(void **state)
{
    static const char second[] = "what do ya want for nothing?";
    static const char sixth[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    unsigned char key[131], out[DIGEST_BYTES];
    (void)state;
    digest_seal("Jefe", 4, second, strlen(second), out);
    assert_digest(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    digest_seal(key, sizeof key, sixth, strlen(sixth), out);
    assert_digest(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void digests_are_compared_whole(void **state)
{
    unsigned char a[DIGEST_BYTES], b[DIGEST_BYTES];
    (void)state;
    digest_take("a", 1, a);
    digest_take("a", 1, b);
    assert_true(digest_same(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 1;
        assert_false(digest_same(a, b, sizeof a));
        b[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_sha_256),
        cmocka_unit_test(seals_are_hmac_sha_256),
        cmocka_unit_test(digests_are_compared_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
