#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fnv1a.h"
#include "common/json.h"

/* Each line of tests/data/fnv1a.tsv: key (a JSON string), hash (hex), hash mod 3, hash mod 3072. */
static void vectors_hash_as_the_contract_says(void **state)
{
    (void)state;
    FILE *f = fopen(TEST_DATA "/fnv1a.tsv", "r");
    assert_non_null(f);
    char line[1024], doc[1100], key[1000];
    int vectors = 0;
    while (fgets(line, sizeof line, f)) {
        unsigned hash, mod3, mod3072;
        if (line[0] == '#') {
            continue;
        }
        assert_int_equal(sscanf(line, "%999[^\t]\t%x\t%u\t%u", key, &hash, &mod3, &mod3072), 4);

        struct err e = ERR_INIT;
        struct json_object *obj;
        const char *text;
        size_t len;
        int n = snprintf(doc, sizeof doc, "{\"key\":%s}", key);
        assert_int_equal(json_read(doc, (size_t)n, &obj, &e), 0);
        assert_int_equal(json_get_string(obj, "key", true, &text, &len, &e), 0);
        assert_int_equal(fnv1a_32(text, len), hash);
        assert_int_equal(fnv1a_32(text, len) % 3, mod3);
        assert_int_equal(fnv1a_32(text, len) % 3072, mod3072);
        json_free(obj);
        vectors++;
    }
    fclose(f);
    assert_true(vectors >= 28);
}

static void bytes_are_unsigned_and_nul_counts(void **state)
{
    (void)state;
    assert_int_equal(fnv1a_32("\xff", 1), (0x811c9dc5u ^ 0xffu) * 0x01000193u);
    assert_int_equal(fnv1a_32("\0", 1), 0x811c9dc5u * 0x01000193u);
    assert_int_equal(fnv1a_32(NULL, 0), 0x811c9dc5u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_hash_as_the_contract_says),
        cmocka_unit_test(bytes_are_unsigned_and_nul_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
