#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/json.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
    enum err_code code;
    const char *name;
    int status;
    enum err_retry retry;
} codes[] = {
    {ERR_BAD_JSON, "bad_json", 400, RETRY_NO},
    {ERR_MISSING_FIELD, "missing_field", 400, RETRY_NO},
    {ERR_BAD_FIELD, "bad_field", 400, RETRY_NO},
    {ERR_BAD_NAME, "bad_name", 400, RETRY_NO},
    {ERR_BAD_TYPE, "bad_type", 400, RETRY_NO},
    {ERR_BAD_CONDITION, "bad_condition", 400, RETRY_NO},
    {ERR_SHARD_KEY_REQUIRED, "shard_key_required", 400, RETRY_NO},
    {ERR_SHARD_KEY_MISMATCH, "shard_key_mismatch", 400, RETRY_NO},
    {ERR_UNSAFE_STATEMENT, "unsafe_statement", 400, RETRY_NO},
    {ERR_UNKNOWN_COLUMN, "unknown_column", 400, RETRY_NO},
    {ERR_BAD_REQUEST, "bad_request", 400, RETRY_NO},
    {ERR_UNAUTHORIZED, "unauthorized", 401, RETRY_NO},
    {ERR_NO_SUCH_PATH, "no_such_path", 404, RETRY_NO},
    {ERR_NO_SUCH_DATABASE, "no_such_database", 404, RETRY_NO},
    {ERR_NO_SUCH_TABLE, "no_such_table", 404, RETRY_NO},
    {ERR_METHOD_NOT_ALLOWED, "method_not_allowed", 405, RETRY_NO},
    {ERR_ALREADY_EXISTS, "already_exists", 409, RETRY_NO},
    {ERR_DUPLICATE_KEY, "duplicate_key", 409, RETRY_NO},
    {ERR_CONSTRAINT_VIOLATION, "constraint_violation", 409, RETRY_NO},
    {ERR_KEY_IN_PROGRESS, "key_in_progress", 409, RETRY_NO},
    {ERR_SCHEMA_CHANGED, "schema_changed", 409, RETRY_NO},
    {ERR_BODY_TOO_LARGE, "body_too_large", 413, RETRY_NO},
    {ERR_NOT_JSON, "not_json", 415, RETRY_NO},
    {ERR_BAD_VALUE, "bad_value", 422, RETRY_NO},
    {ERR_KEY_REUSED, "key_reused", 422, RETRY_NO},
    {ERR_TOO_BUSY, "too_busy", 429, RETRY_AFTER},
    {ERR_INTERNAL, "internal", 500, RETRY_NO},
    {ERR_BAD_WORKER_ANSWER, "bad_worker_answer", 502, RETRY_NO},
    {ERR_SHARD_UNAVAILABLE, "shard_unavailable", 503, RETRY_AFTER},
    {ERR_DEADLOCK, "deadlock", 503, RETRY_AFTER},
    {ERR_DEADLINE_EXCEEDED, "deadline_exceeded", 504, RETRY_NO},
    {ERR_STORAGE_FULL, "storage_full", 507, RETRY_NO},
};

static void every_code_has_its_row(void **state)
{
    (void)state;
    assert_int_equal(COUNT(codes), ERR_CODES - 1);
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(err_set(&e, codes[i].code, "x"), -1);
        assert_int_equal(e.retry, codes[i].retry);
        assert_int_equal(e.retry_after_s, codes[i].retry == RETRY_AFTER ? 1 : 0);
        assert_int_equal(e.outcome, OUTCOME_NOT_APPLIED);
        assert_string_equal(err_name(codes[i].code), codes[i].name);
        assert_int_equal(err_status(codes[i].code), codes[i].status);
        assert_int_equal(err_find(codes[i].name), codes[i].code);
        assert_true(strlen(err_title(codes[i].code)) > 0);
    }
    assert_int_equal(err_find("nonsense"), ERR_NONE);
    assert_int_equal(err_find(""), ERR_NONE);
    assert_string_equal(err_title(ERR_BAD_JSON), "Bad Request");
    assert_string_equal(err_title(ERR_SHARD_UNAVAILABLE), "Service Unavailable");
}

static void outcomes_have_names_and_back(void **state)
{
    (void)state;
    static const struct {
        enum err_outcome outcome;
        const char *name;
    } outcomes[] = {{OUTCOME_NOT_APPLIED, "not_applied"}, {OUTCOME_APPLIED, "applied"}, {OUTCOME_UNKNOWN, "unknown"}};
    enum err_outcome found;
    for (size_t i = 0; i < COUNT(outcomes); i++) {
        assert_string_equal(err_outcome_name(outcomes[i].outcome), outcomes[i].name);
        assert_true(err_outcome_find(outcomes[i].name, &found));
        assert_int_equal(found, outcomes[i].outcome);
    }
    assert_false(err_outcome_find("unchanged", &found));
    assert_string_equal(err_retry_name(RETRY_NO), "no");
    assert_string_equal(err_retry_name(RETRY_AFTER), "after");
    assert_string_equal(err_retry_name(RETRY_SAME_KEY), "same_key");
}

/* What fails for a while says nothing of the write that the key stands for; what is refused for good does. */
static void what_may_be_gone_later_is_doubted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct err e = ERR_INIT;
        bool later = codes[i].status == 429 || codes[i].status >= 500;
        err_set(&e, codes[i].code, "x");
        err_doubt(&e);
        assert_int_equal(e.code, codes[i].code);
        assert_int_equal(e.outcome, later ? OUTCOME_UNKNOWN : OUTCOME_NOT_APPLIED);
        assert_int_equal(e.retry, later ? RETRY_SAME_KEY : RETRY_NO);
        e.outcome = OUTCOME_NOT_APPLIED; /* a fence made sure */
        e.retry = RETRY_SAME_KEY;
        err_doubt(&e);
        assert_int_equal(e.outcome, OUTCOME_NOT_APPLIED);
        e.outcome = OUTCOME_APPLIED;
        e.retry = RETRY_NO;
        err_doubt(&e);
        assert_int_equal(e.outcome, OUTCOME_APPLIED);
        assert_int_equal(e.retry, RETRY_NO);
    }
}

static void the_first_error_stays(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    err_set(&e, ERR_BAD_VALUE, "column %s: %d does not fit", "age", 300);
    assert_int_equal(err_set(&e, ERR_TOO_BUSY, "later"), -1);
    assert_int_equal(e.code, ERR_BAD_VALUE);
    assert_int_equal(e.retry, RETRY_NO);
    assert_string_equal(e.detail, "column age: 300 does not fit");
}

static void context_goes_before_the_detail(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    err_set(&e, ERR_DEADLINE_EXCEEDED, "timed out");
    assert_int_equal(err_prefix(&e, "worker %d (%s)", 1, "127.0.0.1:8082"), -1);
    assert_string_equal(e.detail, "worker 1 (127.0.0.1:8082): timed out");
    err_prefix(&e, "%s", e.detail); /* its own detail as an argument */
    assert_string_equal(e.detail, "worker 1 (127.0.0.1:8082): timed out: worker 1 (127.0.0.1:8082): timed out");
}

/* Sets a detail of `pad` x followed by `text`. */
static void set_padded(struct err *e, size_t pad, const char *text)
{
    char padding[ERR_DETAIL_MAX * 2];
    assert_true(pad < sizeof padding);
    memset(padding, 'x', pad);
    padding[pad] = '\0';
    *e = ERR_INIT;
    err_set(e, ERR_BAD_FIELD, "%s%s", padding, text);
}

static void long_details_are_cut_at_a_characters_end(void **state)
{
    (void)state;
    static const struct {
        size_t pad;
        const char *text;
        size_t kept; /* bytes of text */
    } rows[] = {
        {510, "y", 1},      {511, "y", 0},      {600, "y", 0},
        {509, "é", 2},      {510, "é", 0},      {508, "€", 3},      {509, "€", 0},  {510, "€", 0},
        {507, "😀", 4},     {508, "😀", 0},     {510, "😀", 0},     {506, "😀yz", 5},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e;
        set_padded(&e, rows[i].pad, rows[i].text);
        size_t x = rows[i].pad < ERR_DETAIL_MAX ? rows[i].pad : ERR_DETAIL_MAX - 1;
        assert_int_equal(strlen(e.detail), x + rows[i].kept);
        assert_memory_equal(e.detail + x, rows[i].text, rows[i].kept);
    }
}

static void malformed_bytes_become_the_replacement_character(void **state)
{
    (void)state;
    static const struct {
        const char *text, *detail;
    } rows[] = {
        {"a\xff" "b", "a\xEF\xBF\xBD" "b"},
        {"\xC3", "\xEF\xBF\xBD"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                         /* overlong */
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},         /* a surrogate */
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* above U+10FFFF */
        {"é", "é"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e;
        set_padded(&e, 0, rows[i].text);
        assert_string_equal(e.detail, rows[i].detail);
    }
    struct err e;
    set_padded(&e, 510, "\xff"); /* three bytes would not fit */
    assert_int_equal(strlen(e.detail), 510);
}

static void quoted_text_is_printable_and_short(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *quoted;
    } rows[] = {
        {"abc", 3, "\"abc\""},
        {"", 0, "\"\""},
        {"a\0b\n\x1b", 5, "\"a\\u0000b\\u000a\\u001b\""},
        {"\x7f\xC2\x85\xE2\x80\xA8", 6, "\"\\u007f\\u0085\\u2028\""},
        {"\xff", 1, "\"\xEF\xBF\xBD\""},
        {"学", 3, "\"学\""},
        {"0123456789012345678901234567890123456789012345678901234567890123", 64,
         "\"0123456789012345678901234567890123456789012345678901234567890123\""},
        {"0123456789012345678901234567890123456789012345678901234567890123é!", 67,
         "\"0123456789012345678901234567890123456789012345678901234567890123…\""},
        {"012345678901234567890123456789012345678901234567890123456789012é", 65,
         "\"012345678901234567890123456789012345678901234567890123456789012é\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        err_quote(&b, rows[i].text, rows[i].len);
        assert_string_equal(buf_text(&b), rows[i].quoted);
        buf_clear(&b);
    }
}

static void problem_documents_have_all_members_in_order(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10000);
    struct err e = ERR_INIT;
    err_set(&e, ERR_BAD_CONDITION, "condition: unexpected '\"' at byte %d", 17);
    err_write_problem(&e, "r-1", NULL, &b);
    assert_string_equal(buf_text(&b), "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"code\":\"bad_condition\","
                                      "\"detail\":\"condition: unexpected '\\\"' at byte 17\",\"outcome\":\"not_applied\","
                                      "\"retry\":\"no\",\"request_id\":\"r-1\",\"shards\":[]}");
    buf_reset(&b);
    e = ERR_INIT;
    err_set(&e, ERR_DUPLICATE_KEY, "dup\nkey");
    e.outcome = OUTCOME_UNKNOWN;
    e.retry = RETRY_SAME_KEY;
    e.sql_error = 2627;
    err_write_problem(&e, "r", "[{\"shard\":1}]", &b);
    assert_string_equal(buf_text(&b), "{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\"code\":\"duplicate_key\","
                                      "\"detail\":\"dup\\nkey\",\"outcome\":\"unknown\",\"retry\":\"same_key\","
                                      "\"sql_error\":2627,\"request_id\":\"r\",\"shards\":[{\"shard\":1}]}");
    struct json_object *doc;
    struct err read = ERR_INIT;
    assert_int_equal(json_read(b.data, b.len, &doc, &read), 0);
    json_free(doc);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_row),
        cmocka_unit_test(outcomes_have_names_and_back),
        cmocka_unit_test(what_may_be_gone_later_is_doubted),
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(context_goes_before_the_detail),
        cmocka_unit_test(long_details_are_cut_at_a_characters_end),
        cmocka_unit_test(malformed_bytes_become_the_replacement_character),
        cmocka_unit_test(quoted_text_is_printable_and_short),
        cmocka_unit_test(problem_documents_have_all_members_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
