#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi-master/router.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SHARDS 3 /* of tests/data/fnv1a.tsv */

/* Descriptions by which the tables below route. "%s" is the shard column's type and whether its collation is binary. */
static const char described[] = "{\"tag\":\"t\",\"shard_column\":\"key\",\"columns\":["
                                "{\"name\":\"Key\",\"type\":\"%s\",\"nullable\":true,\"has_default\":%s,\"binary\":%s},"
                                "{\"name\":\"n\",\"type\":\"INT\",\"nullable\":true,\"has_default\":false,\"binary\":false},"
                                "{\"name\":\"user_id\",\"type\":\"BIGINT\",\"nullable\":true,\"has_default\":false,\"binary\":false}]}";
static const char keyless[] = "{\"tag\":\"t\",\"shard_column\":null,\"columns\":["
                              "{\"name\":\"name\",\"type\":\"VARCHAR(100)\",\"nullable\":true,\"has_default\":false,\"binary\":true}]}";

static struct table *read_table(const char *text)
{
    struct table *t = NULL;
    struct err e = ERR_INIT;
    int rc = table_read(text, strlen(text), &t, &e);
    assert_string_equal(e.detail, "");
    assert_int_equal(rc, 0);
    return t;
}

/* A table whose shard column has this type; a string's collation is binary unless the type starts with '~', and a '!'
 * gives the column a default. "-" has no shard column. */
static struct table *make_table(const char *type)
{
    char text[2048];
    if (strcmp(type, "-") == 0)
        return read_table(keyless);
    bool insensitive = type[0] == '~';
    bool has_default = type[0] == '!';
    snprintf(text, sizeof text, described, type + (insensitive || has_default ? 1 : 0), has_default ? "true" : "false",
             insensitive ? "false" : "true");
    return read_table(text);
}

static struct json_object *read_json(const char *text)
{
    struct json_object *v = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(json_read(text, strlen(text), &v, &e), 0);
    return v;
}

/* "012", "" for none. Static. */
static const char *shown(const struct shardset *set)
{
    static char text[SHARDS + 1];
    size_t n = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        if (shardset_has(set, i))
            text[n++] = (char)('0' + i);
    }
    text[n] = '\0';
    return text;
}

#define GUID "3f2504e0-4f89-11d3-9a0c-0305e82c3301" /* shard 0 */

/* 1001 is on shard 0, 1003 on 1, 1002 on 2; Ali on 1, ali on 0. */
static const struct {
    const char *type;
    const char *condition;
    const char *params;
    const char *shards;
} conditions[] = {
    /* equality, either side, any spelling of the number and the name */
    {"INT", "key = 1001", "{}", "0"},
    {"INT", "1002 = KEY", "{}", "2"},
    {"INT", "[key] = '1003'", "{}", "1"},
    {"INT", "key = 01001.0", "{}", "0"},
    {"INT", "key = '01001'", "{}", "0"},
    {"INT", "key = @k", "{\"k\":1001}", "0"},
    {"INT", "key = @k", "{\"k\":\"1001\"}", "0"},
    {"BIGINT", "key = 9223372036854775807", "{}", "1"},
    {"INT", "key = -7", "{}", "2"},
    /* what is not equality on the shard column */
    {"INT", "n = 1001", "{}", "012"},
    {"INT", "key = n", "{}", "012"},
    {"INT", "key > 1001", "{}", "012"},
    {"INT", "key <> 1001", "{}", "012"},
    {"INT", "ABS(key) = 1001", "{}", "012"},
    {"INT", "key = ABS(1001)", "{}", "012"},
    {"INT", "key LIKE '1001'", "{}", "012"},
    {"INT", "1 = 1 AND n = 1", "{}", "012"},
    {"INT", "key = 1001 OR 1 = 1", "{}", "012"},
    {"-", "name = 'Ali'", "{}", "012"},
    /* IN */
    {"INT", "key IN (1001, 1002)", "{}", "02"},
    {"INT", "key IN (1001, @k)", "{\"k\":null}", "0"},
    {"INT", "key IN (1001, 'x')", "{}", "012"},
    {"INT", "key NOT IN (1001)", "{}", "012"},
    {"INT", "n IN (1001)", "{}", "012"},
    {"INT", "key NOT IN (1001, @k)", "{\"k\":null}", ""},
    {"INT", "NOT key NOT IN (1001, 1002)", "{}", "02"},
    {"INT", "ABS(key) IN (1001)", "{}", "012"},
    /* BETWEEN */
    {"INT", "key BETWEEN 1001 AND 1001", "{}", "0"},
    {"INT", "key BETWEEN 1001 AND '1001.0'", "{}", "0"},
    {"INT", "key BETWEEN 1001 AND 1002", "{}", "012"},
    {"INT", "key NOT BETWEEN 1001 AND 1001", "{}", "012"},
    {"INT", "NOT key NOT BETWEEN 1001 AND 1001", "{}", "0"},
    {"INT", "key BETWEEN 1001 AND @k", "{\"k\":null}", ""},
    {"INT", "NOT key BETWEEN 1001 AND @k", "{\"k\":null}", "012"},
    /* AND, OR, NOT */
    {"INT", "key = 1001 AND n = 5", "{}", "0"},
    {"INT", "key = 1001 OR n = 5", "{}", "012"},
    {"INT", "key = 1001 OR key = 1003", "{}", "01"},
    {"INT", "key = 1001 AND key = 1002", "{}", ""},
    {"INT", "key IN (1001, 1002) AND key IN (1002, 1003)", "{}", "2"},
    {"INT", "(key = 1001 OR key = 1002) AND (key = 1002 OR n = 1)", "{}", "02"},
    {"INT", "NOT key <> 1001", "{}", "0"},
    {"INT", "NOT (key <> 1001 OR n <> 1)", "{}", "0"},
    {"INT", "NOT (key <> 1001 AND key <> 1002)", "{}", "02"},
    {"INT", "NOT key = 1001", "{}", "012"},
    {"INT", "NOT NOT key = 1001", "{}", "0"},
    {"INT", "NOT (NOT key = 1001 OR n = 1)", "{}", "0"},
    /* NULL is never equal, and never unequal */
    {"INT", "key = @k", "{\"k\":null}", ""},
    {"INT", "key <> @k", "{\"k\":null}", ""},
    {"INT", "NOT key = @k", "{\"k\":null}", ""},
    {"INT", "n < @k", "{\"k\":null}", ""},
    {"INT", "n = @k OR key = 1001", "{\"k\":null}", "0"},
    {"INT", "key IS NULL", "{}", "012"},
    {"INT", "key IS NOT NULL", "{}", "012"},
    {"INT", "NOT key IS NOT NULL", "{}", "012"},
    /* literals that no integer equals, and those that say nothing */
    {"INT", "key = 1.5", "{}", ""},
    {"INT", "NOT key = 1.5", "{}", "012"},
    {"INT", "key IN (1.5, 1001)", "{}", "0"},
    {"INT", "ABS(key) = 1.5", "{}", "012"},
    {"INT", "n = 1.5", "{}", "012"},
    {"INT", "key = 'abc'", "{}", "012"},
    {"INT", "key = 1001e0", "{}", "0"},
    {"BIGINT", "key = 9007199254740993e0", "{}", "012"},
    /* strings: exact bytes but for trailing spaces, and only where equal is what hashes alike */
    {"VARCHAR(20)", "key = 'Ali'", "{}", "1"},
    {"VARCHAR(20)", "key = 'ali'", "{}", "0"},
    {"CHAR(20)", "key = 'Ali   '", "{}", "1"},
    {"NVARCHAR(20)", "key = N'Žižek'", "{}", "0"},
    {"NVARCHAR(20)", "key = @k", "{\"k\":\"学生\"}", "1"},
    {"VARCHAR(20)", "key = ''", "{}", "1"},
    {"~VARCHAR(20)", "key = 'Ali'", "{}", "012"},
    {"~VARCHAR(20)", "key = @k", "{\"k\":null}", ""},
    {"VARCHAR(20)", "key = 1001", "{}", "012"},
    {"VARCHAR(20)", "key = '1001'", "{}", "0"},
    {"VARCHAR(20)", "key LIKE 'Ali'", "{}", "012"},
    {"VARCHAR(20)", "LOWER(key) = 'ali'", "{}", "012"},
    /* other types */
    {"UNIQUEIDENTIFIER", "key = '" GUID "'", "{}", "0"},
    {"UNIQUEIDENTIFIER", "key = 'x'", "{}", "012"},
    {"DATE", "key = '2026-11-22'", "{}", "0"},
    {"DATE", "YEAR(key) = 2026", "{}", "012"},
    {"FLOAT", "key = 1001", "{}", "012"}, /* made elsewhere: cannot shard */
};

static void conditions_narrow_the_shards(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(conditions); i++) {
        struct err e = ERR_INIT;
        struct predicate *p = NULL;
        const char *text = conditions[i].condition;
        struct table *t = make_table(conditions[i].type);
        struct json_object *params = read_json(conditions[i].params);
        if (predicate_parse(text, strlen(text), &p, &e) != 0 || predicate_bind(p, params, &e) != 0)
            fail_msg("%s: %s", text, e.detail);
        struct shardset set = router_condition(t, SHARDS, p);
        if (strcmp(shown(&set), conditions[i].shards) != 0)
            fail_msg("%s: %s: [%s], expected [%s]", conditions[i].type, text, shown(&set), conditions[i].shards);
        predicate_free(p);
        json_free(params);
        table_release(t);
    }
}

static void unknown_columns_are_refused(void **state)
{
    (void)state;
    struct table *t = make_table("INT");
    static const struct {
        const char *condition;
        enum err_code code;
    } rows[] = {{"KEY = 1 AND [N] = 2", ERR_NONE}, {"key = 1 AND key = 2 AND nope = 1", ERR_UNKNOWN_COLUMN}, {"LOWER(nope) = 'a'", ERR_UNKNOWN_COLUMN}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        struct predicate *p = NULL;
        assert_int_equal(predicate_parse(rows[i].condition, strlen(rows[i].condition), &p, &e), 0);
        (void)!router_check_columns(t, p, &e);
        assert_int_equal(e.code, rows[i].code);
        predicate_free(p);
    }
    table_release(t);
}

/* A row to insert, beside a shard_key, is routed by this key from this source; or refused. */
static const struct {
    const char *type;
    const char *body;
    const char *key; /* NULL: refused */
    enum router_source source;
    int shard;
    enum err_code code;
} inserts[] = {
    {"INT", "{\"shard_key\":\"1001\",\"data\":{\"key\":\"1001\"}}", "1001", ROUTER_SHARD_KEY, 0, 0},
    {"INT", "{\"shard_key\":1001,\"data\":{\"n\":1}}", "1001", ROUTER_SHARD_KEY, 0, 0},
    {"INT", "{\"shard_key\":\"01001\",\"data\":{\"KEY\":1001.0}}", "1001", ROUTER_SHARD_KEY, 0, 0},
    {"INT", "{\"shard_key\":1001,\"data\":{\"key\":null}}", "1001", ROUTER_SHARD_KEY, 0, 0},
    {"INT", "{\"data\":{\"key\":1002}}", "1002", ROUTER_SHARD_COLUMN, 2, 0},
    {"INT", "{\"shard_key\":null,\"data\":{\"key\":1002}}", "1002", ROUTER_SHARD_COLUMN, 2, 0},
    {"INT", "{\"data\":{\"key\":\"+1002\",\"student_id\":1001}}", "1002", ROUTER_SHARD_COLUMN, 2, 0},
    {"INT", "{\"data\":{\"key\":null,\"student_id\":1001,\"user_id\":1003}}", "1001", ROUTER_STUDENT_ID, 0, 0},
    {"INT", "{\"data\":{\"student_id\":\"Ali\"}}", "Ali", ROUTER_STUDENT_ID, 1, 0},
    {"INT", "{\"data\":{\"student_id\":null,\"user_id\":\"01003\"}}", "1003", ROUTER_USER_ID, 1, 0},
    {"-", "{\"data\":{\"name\":\"Ali\",\"grade\":\"A\"}}", "ef51fd76", ROUTER_ROW_HASH, 1, 0},
    {"-", "{\"data\":{\"grade\":\"A\",\"name\":\"Ali\"}}", "ef51fd76", ROUTER_ROW_HASH, 1, 0},
    {"-", "{\"data\":{}}", "5465b825", ROUTER_ROW_HASH, 1, 0},
    {"-", "{\"data\":{\"c\":true,\"b\":null,\"a\":1.0}}", "41f9b0b9", ROUTER_ROW_HASH, 0, 0},
    {"-", "{\"shard_key\":\"user-42\",\"data\":{}}", "user-42", ROUTER_SHARD_KEY, 0, 0},
    {"CHAR(8)", "{\"data\":{\"key\":\"Ali  \"}}", "Ali", ROUTER_SHARD_COLUMN, 1, 0},
    {"VARCHAR(8)", "{\"shard_key\":\"Ali\",\"data\":{\"key\":\"Ali  \"}}", "Ali", ROUTER_SHARD_KEY, 1, 0},
    {"VARCHAR(8)", "{\"data\":{\"key\":\"\"}}", "", ROUTER_SHARD_COLUMN, 1, 0},
    {"UNIQUEIDENTIFIER", "{\"data\":{\"key\":\"" GUID "\"}}", "3F2504E0-4F89-11D3-9A0C-0305E82C3301", ROUTER_SHARD_COLUMN, 0, 0},
    {"DATE", "{\"data\":{\"key\":\"2026-11-22\"}}", "2026-11-22", ROUTER_SHARD_COLUMN, 0, 0},
    {"!INT", "{\"data\":{\"key\":null,\"n\":1,\"user_id\":1003}}", "1003", ROUTER_USER_ID, 1, 0},
    {"!INT", "{\"shard_key\":1001,\"data\":{}}", "1001", ROUTER_SHARD_KEY, 0, 0},

    {"!INT", "{\"data\":{\"n\":1}}", NULL, 0, 0, ERR_MISSING_FIELD},
    {"INT", "{\"shard_key\":1002,\"data\":{\"key\":1001}}", NULL, 0, 0, ERR_SHARD_KEY_MISMATCH},
    {"VARCHAR(8)", "{\"shard_key\":\"ali\",\"data\":{\"key\":\"Ali\"}}", NULL, 0, 0, ERR_SHARD_KEY_MISMATCH},
    {"INT", "{\"shard_key\":[1],\"data\":{\"key\":1001}}", NULL, 0, 0, ERR_BAD_FIELD},
    {"INT", "{\"shard_key\":\"x\",\"data\":{}}", NULL, 0, 0, ERR_BAD_FIELD},
    {"INT", "{\"shard_key\":1.5,\"data\":{}}", NULL, 0, 0, ERR_BAD_FIELD},
    {"INT", "{\"data\":{\"key\":\"x\"}}", NULL, 0, 0, ERR_BAD_VALUE},
    {"INT", "{\"data\":{\"key\":3000000000}}", NULL, 0, 0, ERR_BAD_VALUE},
    {"INT", "{\"data\":{\"key\":{}}}", NULL, 0, 0, ERR_BAD_VALUE},
    {"VARCHAR(2)", "{\"data\":{\"key\":\"Ali\"}}", NULL, 0, 0, ERR_BAD_VALUE},
};

static void inserts_go_by_their_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(inserts); i++) {
        struct err e = ERR_INIT;
        struct table *t = make_table(inserts[i].type);
        struct json_object *body = read_json(inserts[i].body);
        struct json_object *data = NULL;
        struct json_object *shard_key = NULL;
        struct router_key key;
        router_key_init(&key);
        assert_true(json_member(body, "data", &data));
        json_member(body, "shard_key", &shard_key);
        int rc = router_row(t, SHARDS, data, "data", shard_key, &key, &e);
        if (e.code != inserts[i].code || (rc == 0) != (inserts[i].key != NULL))
            fail_msg("%s %s: %s %s", inserts[i].type, inserts[i].body, err_name(e.code), e.detail);
        if (rc == 0 && (strcmp(buf_text(&key.text), inserts[i].key) != 0 || key.source != inserts[i].source ||
                        (int)key.shard != inserts[i].shard))
            fail_msg("%s %s: '%s' from %s on %zu", inserts[i].type, inserts[i].body, buf_text(&key.text),
                     router_source_name(key.source), key.shard);
        router_key_clear(&key);
        json_free(body);
        table_release(t);
    }
}

/* tests/data/fnv1a.tsv: key as a JSON string, hash, hash mod 3, hash mod 3072. */
static void vectors_route_as_published(void **state)
{
    (void)state;
    FILE *f = fopen(TEST_DATA "/fnv1a.tsv", "r");
    assert_non_null(f);
    char line[512];
    size_t seen = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] == '#')
            continue;
        char *tab = strchr(line, '\t');
        unsigned hash = 0;
        unsigned shard = 0;
        unsigned slot = 0;
        assert_non_null(tab);
        assert_int_equal(sscanf(tab, "%x %u %u", &hash, &shard, &slot), 3);
        *tab = '\0';
        char body[600];
        snprintf(body, sizeof body, "{\"shard_key\":%s}", line);
        struct json_object *v = read_json(body);
        struct json_object *key = NULL;
        assert_true(json_member(v, "shard_key", &key));
        struct table *t = make_table("-");
        struct err e = ERR_INIT;
        struct router_key made;
        router_key_init(&made);
        assert_int_equal(router_shard_key(t, 3, key, &made, &e), 0);
        assert_int_equal(made.shard, shard);
        assert_int_equal(router_shard(buf_text(&made.text), made.text.len, 3072), slot);
        router_key_clear(&made);
        json_free(v);
        table_release(t);
        seen++;
    }
    fclose(f);
    assert_true(seen >= 20);
}

static void bad_rows_are_found(void **state)
{
    (void)state;
    struct table *t = read_table("{\"tag\":\"t\",\"shard_column\":null,\"columns\":["
                                 "{\"name\":\"id\",\"type\":\"INT\",\"nullable\":false,\"has_default\":false,\"binary\":false},"
                                 "{\"name\":\"name\",\"type\":\"VARCHAR(3)\",\"nullable\":false,\"has_default\":false,\"binary\":true},"
                                 "{\"name\":\"g\",\"type\":\"CHAR(1)\",\"nullable\":false,\"has_default\":true,\"binary\":true},"
                                 "{\"name\":\"x\",\"type\":null,\"nullable\":false,\"has_default\":false,\"binary\":false}]}");
    static const struct {
        const char *row;
        enum err_code code;
    } rows[] = {
        {"{\"id\":1,\"name\":\"a\",\"g\":\"b\",\"x\":[]}", ERR_NONE},
        {"{\"NAME\":\"a\"}", ERR_NONE}, /* id may be counted by the server */
        {"{\"id\":1}", ERR_BAD_VALUE},
        {"{\"name\":null}", ERR_BAD_VALUE},
        {"{\"name\":\"a\",\"id\":null}", ERR_BAD_VALUE},
        {"{\"name\":\"a\",\"g\":null}", ERR_BAD_VALUE},
        {"{\"name\":\"long\"}", ERR_BAD_VALUE},
        {"{\"name\":\"a\",\"id\":\"x\"}", ERR_BAD_VALUE},
        {"{\"name\":\"a\",\"nope\":1}", ERR_UNKNOWN_COLUMN},
        {"{\"name\":\"a\",\"Name\":\"a\"}", ERR_BAD_FIELD},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        struct json_object *row = read_json(rows[i].row);
        int rc = table_check_row(t, row, &e);
        if (e.code != rows[i].code || (rc == 0) != (e.code == ERR_NONE))
            fail_msg("%s: %s", rows[i].row, err_name(e.code));
        json_free(row);
    }
    table_release(t);
}

static void keys_have_a_limit(void **state)
{
    (void)state;
    struct table *t = make_table("-");
    char *body = malloc(ROUTER_MAX_KEY + 100);
    static const struct {
        const char *before;
        const char *member;
    } rows[] = {{"{\"shard_key\":\"", "shard_key"}, {"{\"student_id\":\"", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        memset(body, 'x', ROUTER_MAX_KEY + 99);
        memcpy(body, rows[i].before, strlen(rows[i].before));
        memcpy(body + strlen(rows[i].before) + ROUTER_MAX_KEY + 1, "\"}", 3);
        struct json_object *v = read_json(body);
        struct json_object *shard_key = NULL;
        if (rows[i].member != NULL)
            assert_true(json_member(v, rows[i].member, &shard_key));
        struct err e = ERR_INIT;
        struct router_key key;
        router_key_init(&key);
        assert_int_equal(router_row(t, SHARDS, v, "data", shard_key, &key, &e), -1);
        assert_int_equal(e.code, shard_key != NULL ? ERR_BAD_FIELD : ERR_BAD_VALUE);
        router_key_clear(&key);
        json_free(v);
    }
    free(body);
    table_release(t);
}

static void descriptions_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "[]", "{}", "{\"tag\":\"t\"}", "{\"tag\":\"t\",\"shard_column\":null,\"columns\":[]}",
        "{\"tag\":\"t\",\"shard_column\":null,\"columns\":[1]}",
        "{\"tag\":\"a b\",\"shard_column\":null,\"columns\":[{\"name\":\"a\",\"type\":\"INT\",\"nullable\":true,\"has_default\":false,\"binary\":false}]}",
        "{\"tag\":\"t\",\"columns\":[{\"name\":\"a\",\"type\":\"INT\",\"nullable\":true,\"has_default\":false,\"binary\":false}]}",
        "{\"tag\":\"t\",\"shard_column\":\"b\",\"columns\":[{\"name\":\"a\",\"type\":\"INT\",\"nullable\":true,\"has_default\":false,\"binary\":false}]}",
        "{\"tag\":\"t\",\"shard_column\":\"a\",\"columns\":[{\"name\":\"a\",\"type\":\"WHAT\",\"nullable\":true,\"has_default\":false,\"binary\":false}]}",
        "{\"tag\":\"t\",\"shard_column\":\"a\",\"columns\":[{\"name\":\"a\",\"type\":\"INT\",\"nullable\":1,\"has_default\":false,\"binary\":false}]}",
        "{\"tag\":\"t\",\"shard_column\":\"a\",\"columns\":[{\"type\":\"INT\",\"nullable\":true,\"has_default\":false,\"binary\":false}]}",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct table *t = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(table_read(texts[i], strlen(texts[i]), &t, &e), -1);
        assert_int_equal(e.code, ERR_BAD_WORKER_ANSWER);
        assert_null(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_narrow_the_shards),  cmocka_unit_test(unknown_columns_are_refused),
        cmocka_unit_test(inserts_go_by_their_key),       cmocka_unit_test(vectors_route_as_published),
        cmocka_unit_test(bad_rows_are_found),
        cmocka_unit_test(keys_have_a_limit),             cmocka_unit_test(descriptions_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
