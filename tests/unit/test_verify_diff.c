#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi-master/verify_diff.h"

/* A column as /describe tells it, and all of a description but its columns. */
#define COLUMN(name, type, flags) "{\"name\":\"" name "\",\"type\":" type "," flags "}"
#define PLAIN "\"nullable\":true,\"has_default\":false,\"binary\":false"
#define STRICT "\"nullable\":false,\"has_default\":true,\"binary\":false"
#define BINARY "\"nullable\":true,\"has_default\":false,\"binary\":true"
#define FOLDED PLAIN ",\"ignores_case\":true"
#define DESCRIPTION(tag, shard, key, columns) \
    "{\"tag\":\"" tag "\",\"shard_column\":" shard ",\"key\":[" key "],\"columns\":[" columns "]}"
#define ID COLUMN("id", "\"INT\"", "\"nullable\":false,\"has_default\":false,\"binary\":false")
#define TWO(tag, second) DESCRIPTION(tag, "\"id\"", "\"id\"", ID "," second)

static const char *const workers[] = {"go", "python", "node"};

/* The sides of three shards: names and descriptions, NULL where there is no table. */
static void read_sides(const char *const names[3], const char *const texts[3], struct verify_side sides[3], struct table *tables[3])
{
    for (size_t i = 0; i < 3; i++) {
        struct err e = ERR_INIT;
        tables[i] = NULL;
        if (texts[i] != NULL)
            assert_int_equal(table_read(texts[i], strlen(texts[i]), &tables[i], &e), 0);
        sides[i] = (struct verify_side){.shard = i, .worker = workers[i], .name = names[i], .table = tables[i]};
    }
}

static void release(struct table *tables[3])
{
    for (size_t i = 0; i < 3; i++)
        table_release(tables[i]);
}

static const struct {
    const char *texts[3];
    size_t count;
    const char *first; /* the words of the first difference; NULL for none */
} cases[] = {
    {{TWO("1", COLUMN("n", "\"INT\"", PLAIN)), TWO("1", COLUMN("n", "\"INT\"", PLAIN)), TWO("1", COLUMN("n", "\"INT\"", PLAIN))}, 0, NULL},
    {{TWO("1", COLUMN("n", "\"INT\"", PLAIN)), NULL, TWO("1", COLUMN("n", "\"INT\"", PLAIN))}, 1, "table 'T': missing on python"},
    {{NULL, NULL, TWO("1", COLUMN("n", "\"INT\"", PLAIN))}, 1, "table 'T': missing on go, python"},
    {{TWO("1", COLUMN("n", "\"INT\"", PLAIN)), TWO("2", COLUMN("n", "\"INT\"", PLAIN)), TWO("1", COLUMN("n", "\"INT\"", PLAIN))}, 1,
     "table 'T': description is 1 on go, node; 2 on python"},
    {{TWO("1", COLUMN("n", "\"INT\"", PLAIN)), TWO("2", COLUMN("m", "\"INT\"", PLAIN)), TWO("3", COLUMN("n", "\"INT\"", PLAIN))}, 2,
     "column 'n': missing on python"},
    {{TWO("1", COLUMN("n", "\"INT\"", PLAIN)), TWO("2", COLUMN("N", "\"INT\"", PLAIN)), TWO("1", COLUMN("n", "\"INT\"", PLAIN))}, 1,
     "column 'n': name is n on go, node; N on python"},
    {{TWO("1", COLUMN("n", "\"INT\"", PLAIN)), TWO("2", COLUMN("n", "null", PLAIN)), TWO("3", COLUMN("n", "\"DECIMAL(9,2)\"", PLAIN))}, 1,
     "column 'n': type is INT on go; null on python; DECIMAL(9,2) on node"},
    {{TWO("1", COLUMN("n", "\"INT\"", PLAIN)), TWO("1", COLUMN("n", "\"INT\"", PLAIN)), TWO("2", COLUMN("n", "\"INT\"", STRICT))}, 2,
     "column 'n': nullable is true on go, python; false on node"},
    {{TWO("1", COLUMN("n", "\"TEXT\"", PLAIN)), TWO("2", COLUMN("n", "\"TEXT\"", BINARY)), TWO("3", COLUMN("n", "\"TEXT\"", FOLDED))}, 1,
     "column 'n': collation is heeds case on go; binary on python; ignores case on node"},
    {{DESCRIPTION("1", "null", "", ID), DESCRIPTION("2", "\"id\"", "", ID), DESCRIPTION("3", "\"id\"", "\"id\"", ID)}, 2,
     "table 'T': shard_column is null on go; id on python, node"},
    {{TWO("1", COLUMN("n", "\"INT\"", PLAIN)), DESCRIPTION("2", "\"id\"", "\"id\"", COLUMN("n", "\"INT\"", PLAIN) "," ID), NULL}, 2,
     "table 'T': missing on node"},
};

static void differences_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *names[3];
        struct verify_side sides[3];
        struct table *tables[3];
        struct buf out;
        char expected[256];
        for (size_t j = 0; j < 3; j++)
            names[j] = cases[i].texts[j] != NULL ? "T" : NULL;
        read_sides(names, cases[i].texts, sides, tables);
        buf_init(&out, 1 << 20);
        assert_int_equal(verify_diff_table(sides, 3, &out), cases[i].count);
        assert_int_equal(buf_status(&out), 0);
        if (cases[i].first == NULL) {
            assert_int_equal(out.len, 0);
        } else {
            snprintf(expected, sizeof expected, "\"detail\":\"%s\"", cases[i].first);
            const char *detail = strstr(buf_text(&out), "\"detail\":");
            assert_non_null(detail);
            if (strncmp(detail, expected, strlen(expected)) != 0)
                fail_msg("case %zu: %s, and not %s", i, detail, expected);
        }
        buf_clear(&out);
        release(tables);
    }
}

static void a_difference_is_data_too(void **state)
{
    (void)state;
    static const char *const names[] = {"T", NULL, "t"};
    static const char *const texts[] = {NULL, NULL, NULL};
    struct verify_side sides[3];
    struct table *tables[3];
    struct buf out;
    read_sides(names, texts, sides, tables);
    buf_init(&out, 1 << 20);
    assert_int_equal(verify_diff_presence("database", sides, 3, &out), 1);
    assert_string_equal(buf_text(&out), "{\"what\":\"database\",\"detail\":\"database 'T': missing on python\",\"shards\":["
                                        "{\"shard\":0,\"worker\":\"go\",\"value\":true},{\"shard\":1,\"worker\":\"python\",\"value\":false},"
                                        "{\"shard\":2,\"worker\":\"node\",\"value\":true}]}");
    buf_clear(&out);
}

static void what_does_not_fit_is_not_equal(void **state)
{
    (void)state;
    static const char *const names[] = {"T", NULL, "T"};
    static const char *const texts[] = {NULL, NULL, NULL};
    struct verify_side sides[3];
    struct table *tables[3];
    struct buf out;
    read_sides(names, texts, sides, tables);
    buf_init(&out, 20);
    assert_int_equal(verify_diff_presence("table", sides, 3, &out), 1);
    assert_int_equal(buf_status(&out), -1);
    buf_clear(&out);
}

static void the_first_difference_is_explained(void **state)
{
    (void)state;
    static const char *const names[] = {"T", "T", "T"};
    static const char *const texts[] = {TWO("1", COLUMN("n", "\"INT\"", PLAIN)), TWO("2", COLUMN("n", "\"BIGINT\"", STRICT)),
                                        TWO("1", COLUMN("n", "\"INT\"", PLAIN))};
    struct verify_side sides[3];
    struct table *tables[3];
    struct buf out;
    read_sides(names, texts, sides, tables);
    buf_init(&out, 1 << 20);
    verify_diff_explain(sides, &out);
    assert_string_equal(buf_text(&out), "column 'n': type is INT on go; BIGINT on python");
    const struct verify_side equal[] = {sides[0], sides[2]};
    buf_reset(&out);
    verify_diff_explain(equal, &out);
    assert_string_equal(buf_text(&out), "");
    buf_clear(&out);
    release(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_told),
        cmocka_unit_test(a_difference_is_data_too),
        cmocka_unit_test(what_does_not_fit_is_not_equal),
        cmocka_unit_test(the_first_difference_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
