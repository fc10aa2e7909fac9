/* having.h: T-SQL's logic over computed values. */
#include "fcgi-master/having.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct named {
    const char *name, *type, *json;
    enum collation collation;
} values[] = {
    {"n", "INT", "5", COLLATION_BIN2},
    {"none", "INT", "null", COLLATION_BIN2},
    {"price", "DECIMAL(38,6)", "-1.500000", COLLATION_BIN2},
    {"ratio", "FLOAT", "0.25", COLLATION_BIN2},
    {"flag", "BIT", "true", COLLATION_BIN2},
    {"city", "NVARCHAR(20)", "\"Zürich  \"", COLLATION_CI},
    {"code", "VARCHAR(20)", "\"Ab\"", COLLATION_BIN2},
    {"gone", "NVARCHAR(20)", "null", COLLATION_CI},
    {"day", "DATE", "\"2024-02-29\"", COLLATION_BIN2},
    {"seen", "DATETIMEOFFSET(0)", "\"2026-11-22T13:00:00+02:00\"", COLLATION_BIN2},
    {"at", "TIME(0)", "\"13:05:00\"", COLLATION_BIN2},
    {"key", "UNIQUEIDENTIFIER", "\"3F2504E0-4F89-11D3-9A0C-0305E82C3301\"", COLLATION_BIN2},
    {"raw", "VARBINARY(4)", "\"AQI=\"", COLLATION_BIN2},
};

static void find(const void *arg, const char *name, size_t len, struct having_value *out)
{
    struct arena *memory = *(struct arena *const *)arg;
    for (size_t i = 0; i < COUNT(values); i++) {
        const struct named *v = &values[i];
        if (strlen(v->name) != len || strncasecmp(v->name, name, len) != 0)
            continue;
        *out = (struct having_value){.collation = v->collation};
        assert_true(sqltype_parse(v->type, strlen(v->type), &out->type));
        assert_int_equal(cell_read(&out->type, (struct json_slice){.text = v->json, .len = strlen(v->json)}, memory, &out->cell), 0);
        return;
    }
    fail_msg("no value is named %s", name);
}

static void conditions_are_tested(void **state)
{
    static const struct {
        const char *condition, *expected; /* "yes", "no", or the error */
    } rows[] = {
        {"n = 5", "yes"},
        {"N <> 5", "no"},
        {"n = 5.0", "yes"},
        {"n > 4.99999", "yes"},
        {"n < 5e0", "no"},
        {"n = '5'", "yes"},
        {"n = 'five'", "bad_value"},
        {"n BETWEEN 5 AND 6", "yes"},
        {"n NOT BETWEEN 5 AND 6", "no"},
        {"n IN (1, 2, 5)", "yes"},
        {"n NOT IN (1, 2)", "yes"},
        {"none = 1", "no"},
        {"NOT none = 1", "no"},
        {"none <> 1 OR n = 5", "yes"},
        {"none = 1 AND n = 5", "no"},
        {"NOT (none = 1 AND n = 6)", "yes"},
        {"none IS NULL", "yes"},
        {"n IS NOT NULL AND NOT gone IS NOT NULL", "yes"},
        {"none IN (1, 2)", "no"},
        {"NOT none IN (1, 2)", "no"},
        {"n = none", "no"},
        {"price = -1.5", "yes"},
        {"price < n", "yes"},
        {"price < -1.4999999999999999999999999999", "yes"},
        {"ABS(price) = 1.5", "yes"},
        {"ABS(ratio) >= 0.25", "yes"},
        {"ratio = 0.25", "yes"},
        {"flag = 1", "yes"},
        {"flag = 'true'", "yes"},
        {"city = N'zürich'", "yes"},
        {"city = N'ZÜRICH'", "yes"},
        {"code = 'ab'", "no"},
        {"code = 'Ab  '", "yes"},
        {"city LIKE N'zü%'", "yes"},
        {"code LIKE 'a%'", "no"},
        {"code NOT LIKE 'a%'", "yes"},
        {"code LIKE 'A!_' ESCAPE '!'", "no"},
        {"gone LIKE 'x'", "no"},
        {"n LIKE '5'", "bad_condition"},
        {"LOWER(code) = 'ab'", "yes"},
        {"UPPER(city) = N'ZÜRICH'", "yes"},
        {"LEN(city) = 6", "yes"},
        {"LEN(RTRIM(LTRIM(code))) = 2", "yes"},
        {"LEN(gone) IS NULL", "yes"},
        {"LEN(n) = 1", "bad_condition"},
        {"YEAR(day) = 2024 AND MONTH(day) = 2 AND DAY(day) = 29", "yes"},
        {"YEAR(seen) = 2026", "bad_condition"},
        {"day = '2024-02-29'", "yes"},
        {"day > '2024-02-28'", "yes"},
        {"day = 'soon'", "bad_value"},
        {"day = 5", "bad_condition"},
        {"seen = '2026-11-22T11:00:00+00:00'", "yes"},
        {"at < '14:00'", "yes"},
        {"at = day", "bad_condition"},
        {"key = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'", "yes"},
        {"key = raw", "bad_condition"},
        {"raw = 'x'", "bad_condition"},
        {"city = code", "bad_condition"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct predicate *p = NULL;
        struct arena memory;
        struct arena *borrowed = &memory;
        const struct having_row row = {.find = find, .arg = &borrowed};
        struct err e = ERR_INIT;
        bool keep = false;
        arena_init(&memory, 1 << 20);
        assert_int_equal(predicate_parse(rows[i].condition, strlen(rows[i].condition), &p, &e), 0);
        assert_int_equal(predicate_bind(p, NULL, &e), 0);
        const char *got = having_test(p, &row, &keep, &e) != 0 ? err_name(e.code) : keep ? "yes" : "no";
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("%s: %s %s", rows[i].condition, got, e.detail);
        if (e.code == ERR_BAD_VALUE)
            assert_int_equal(e.sql_error, 245);
        predicate_free(p);
        arena_clear(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conditions_are_tested)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
