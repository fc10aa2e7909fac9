#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi-master/merge.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MAX_PARTS 3

static const char *const names[MAX_PARTS] = {"go", "python", "node"};

static struct merge_part make_part(size_t shard, const char *text)
{
    return (struct merge_part){.shard = shard, .worker = names[shard], .database = "", .suffix = "", .text = text, .len = strlen(text)};
}

/* Answers of up to three workers, and what becomes of them. */
static const struct {
    enum merge_kind kind;
    const char *answers[MAX_PARTS];
    const char *merged;
} good[] = {
    {MERGE_SELECT,
     {"{\"status\":\"ok\",\"rows\":[ 1 ],\"count\":1,\"shards\":[{}],\"more\":true}"},
     "{\"status\":\"ok\",\"rows\":[ 1 ],\"count\":1,\"shards\":[{}],\"more\":true}"}, /* one answer is passed on as it is */
    {MERGE_WRITE,
     {"{\"status\":\"ok\",\"rows_affected\":2,\"shards\":[{\"shard\":0}]}", "{\"status\":\"ok\",\"rows_affected\":40,\"shards\":[{\"shard\":1}]}"},
     "{\"status\":\"ok\",\"rows_affected\":42,\"shards\":[{\"shard\":0},{\"shard\":1}]}"},
    {MERGE_WRITE, {NULL}, "{\"status\":\"ok\",\"rows_affected\":0,\"shards\":[]}"},
    {MERGE_COUNT,
     {"{\"status\":\"ok\",\"total\":1,\"complete\":true,\"map\":[{\"shard\":0,\"worker\":\"go\",\"count\":1}]}",
      "{\"status\":\"ok\",\"total\":5000000000,\"complete\":true,\"map\":[{\"shard\":1,\"worker\":\"python\",\"count\":5000000000}]}"},
     "{\"status\":\"ok\",\"total\":5000000001,\"complete\":true,\"map\":[{\"shard\":0,\"worker\":\"go\",\"count\":1},"
     "{\"shard\":1,\"worker\":\"python\",\"count\":5000000000}]}"},
};

static void answers_become_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct merge_part parts[MAX_PARTS];
        size_t count = 0;
        for (; count < MAX_PARTS && good[i].answers[count] != NULL; count++) {
            parts[count] = make_part(count, good[i].answers[count]);
            merge_accept(&parts[count], good[i].kind);
            assert_string_equal(parts[count].err.detail, "");
        }
        assert_false(merge_failed(parts, count));
        struct buf out;
        buf_init(&out, 4096);
        merge_answer(parts, count, good[i].kind, &out);
        assert_string_equal(buf_text(&out), good[i].merged);
        buf_clear(&out);
    }
}

static void a_selects_end_names_every_shard(void **state)
{
    (void)state;
    struct merge_part parts[MAX_PARTS] = {make_part(0, "{\"count\":7,\"complete\":true,\"shards\":[ {\"shard\":0,\"rows\":7} ]}"),
                                          make_part(1, ""), make_part(2, "")};
    merge_accept(&parts[0], MERGE_LINES);
    assert_int_equal(parts[0].err.code, ERR_NONE);
    assert_int_equal(merge_count(&parts[0]), 7);
    parts[1].taken = 3; /* it was not read to its end */
    struct buf out;
    buf_init(&out, 4096);
    merge_select_end(parts, 2, 9, "n1", &out);
    assert_string_equal(buf_text(&out), "],\"count\":9,\"complete\":true,\"shards\":[{\"shard\":0,\"rows\":7},"
                                        "{\"shard\":1,\"worker\":\"python\",\"outcome\":\"ok\",\"rows\":3}],\"next\":\"n1\"}");
    buf_reset(&out);
    err_set(&parts[2].err, ERR_SHARD_UNAVAILABLE, "gone");
    merge_select_end(parts + 2, 1, 0, "", &out);
    assert_string_equal(buf_text(&out), "],\"count\":0,\"complete\":false,\"shards\":[{\"shard\":2,\"worker\":\"node\","
                                        "\"outcome\":\"not_applied\",\"code\":\"shard_unavailable\",\"detail\":\"gone\"}]}");
    buf_clear(&out);
}

static void answers_that_are_none_are_bad_worker_answers(void **state)
{
    (void)state;
    static const struct {
        enum merge_kind kind;
        const char *answer;
    } rows[] = {
        {MERGE_LINES, "{}"},
        {MERGE_LINES, "{\"count\":1}"},
        {MERGE_LINES, "{\"count\":-1,\"shards\":[{}]}"},
        {MERGE_LINES, "{\"shards\":[{}]}"},
        {MERGE_SELECT, ""},
        {MERGE_SELECT, "null"},
        {MERGE_SELECT, "{}"},
        {MERGE_SELECT, "{\"status\":\"ok\"}"},
        {MERGE_SELECT, "{\"status\":\"no\",\"rows\":[],\"count\":0,\"shards\":[{}]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":{},\"count\":0,\"shards\":[{}]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[],\"count\":-1,\"shards\":[{}]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[],\"count\":\"1\",\"shards\":[{}]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[],\"count\":1.5,\"shards\":[{}]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[],\"count\":99999999999999999999,\"shards\":[{}]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[],\"count\":0,\"shards\":null}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[],\"count\":0,\"shards\":[ ]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[],\"count\":0,\"shards\":[1]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[],\"count\":0,\"shards\":[{},{}]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[NaN],\"count\":0,\"shards\":[{}]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[{\"a\":1,\"a\":2}],\"count\":0,\"shards\":[{}]}"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[],\"count\":0,\"shards\":[{}]}x"},
        {MERGE_SELECT, "{\"status\":\"ok\",\"rows\":[{\"a\":1}"},
        {MERGE_WRITE, "{\"status\":\"ok\",\"rows_affected\":null,\"shards\":[{}]}"},
        {MERGE_COUNT, "{\"status\":\"ok\",\"total\":1,\"shards\":[{}]}"},
        {MERGE_SCHEMA, "{\"status\":\"ok\",\"shards\":[]}"},
        {MERGE_SCHEMA, "{\"status\":\"ok\",\"shards\":[{\"outcome\":\"perhaps\"}]}"},
        {MERGE_SCHEMA, "{\"status\":\"ok\",\"shards\":[{\"outcome\":\"applied\"},{\"outcome\":\"applied\"}]}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct merge_part p = make_part(0, rows[i].answer);
        merge_accept(&p, rows[i].kind);
        assert_int_equal(p.err.code, ERR_BAD_WORKER_ANSWER);
        bool write = rows[i].kind == MERGE_WRITE || rows[i].kind == MERGE_SCHEMA;
        assert_int_equal(p.err.outcome, write ? OUTCOME_UNKNOWN : OUTCOME_NOT_APPLIED);
    }
}

static void schema_outcomes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        bool unchanged;
        enum err_outcome applied;
    } rows[] = {{"applied", false, OUTCOME_APPLIED}, {"unchanged", true, OUTCOME_NOT_APPLIED}, {"not_applied", false, OUTCOME_NOT_APPLIED}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"status\":\"ok\",\"db_name\":\"S\",\"shards\":[{\"shard\":0,\"outcome\":\"%s\"}]}", rows[i].word);
        struct merge_part p = make_part(0, text);
        merge_accept(&p, MERGE_SCHEMA);
        assert_int_equal(p.err.code, ERR_NONE);
        assert_int_equal(p.unchanged, rows[i].unchanged);
        assert_int_equal(p.applied, rows[i].applied);
    }
}

static void schema_answers_list_every_shard(void **state)
{
    (void)state;
    struct merge_part parts[2] = {make_part(0, ""), make_part(1, "")};
    parts[0].database = parts[1].database = "School";
    parts[0].suffix = "GO";
    parts[1].suffix = "PY";
    parts[0].applied = OUTCOME_APPLIED;
    parts[1].unchanged = true;
    struct buf out;
    buf_init(&out, 4096);
    merge_schema(parts, 2, "School", "T", &out);
    assert_string_equal(buf_text(&out), "{\"status\":\"ok\",\"db_name\":\"School\",\"table\":\"T\",\"shards\":["
                                        "{\"shard\":0,\"worker\":\"go\",\"database\":\"SchoolGO\",\"outcome\":\"applied\"},"
                                        "{\"shard\":1,\"worker\":\"python\",\"database\":\"SchoolPY\",\"outcome\":\"unchanged\"}]}");
    buf_clear(&out);
}

/* A shard's fate, as one letter: w applied, d duplicate key, x unavailable and not sent, u unavailable and lost,
 * t timed out and lost. */
static struct merge_part make_fate(size_t shard, char fate)
{
    struct merge_part p = make_part(shard, "{\"status\":\"ok\",\"rows_affected\":1,\"shards\":[{\"fate\":\"good\"}]}");
    switch (fate) {
    case 'd':
        err_set(&p.err, ERR_DUPLICATE_KEY, "key 5");
        p.err.sql_error = 2627;
        break;
    case 'x':
    case 'u':
        err_set(&p.err, ERR_SHARD_UNAVAILABLE, "gone");
        p.err.outcome = fate == 'u' ? OUTCOME_UNKNOWN : OUTCOME_NOT_APPLIED;
        break;
    case 't':
        err_set(&p.err, ERR_DEADLINE_EXCEEDED, "slow");
        p.err.outcome = OUTCOME_UNKNOWN;
        break;
    default:
        break;
    }
    merge_accept(&p, MERGE_WRITE);
    return p;
}

static void the_worst_part_is_the_problem(void **state)
{
    (void)state;
    static const struct {
        const char *fates;
        enum err_code code;
        enum err_outcome outcome;
        enum err_retry retry;
        const char *detail;
    } rows[] = {
        {"d", ERR_DUPLICATE_KEY, OUTCOME_NOT_APPLIED, RETRY_NO, "key 5"},
        {"x", ERR_SHARD_UNAVAILABLE, OUTCOME_NOT_APPLIED, RETRY_AFTER, "worker go: gone"},
        {"wd", ERR_DUPLICATE_KEY, OUTCOME_APPLIED, RETRY_NO, "worker python: key 5"},
        {"wx", ERR_SHARD_UNAVAILABLE, OUTCOME_APPLIED, RETRY_NO, "worker python: gone"},
        {"dx", ERR_SHARD_UNAVAILABLE, OUTCOME_NOT_APPLIED, RETRY_AFTER, "worker python: gone"},
        {"xd", ERR_SHARD_UNAVAILABLE, OUTCOME_NOT_APPLIED, RETRY_AFTER, "worker go: gone"},
        {"xut", ERR_DEADLINE_EXCEEDED, OUTCOME_UNKNOWN, RETRY_NO, "worker node: slow"},
        {"wdu", ERR_SHARD_UNAVAILABLE, OUTCOME_UNKNOWN, RETRY_NO, "worker node: gone"},
        {"wud", ERR_SHARD_UNAVAILABLE, OUTCOME_UNKNOWN, RETRY_NO, "worker python: gone"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct merge_part parts[MAX_PARTS];
        size_t count = strlen(rows[i].fates);
        for (size_t j = 0; j < count; j++)
            parts[j] = make_fate(j, rows[i].fates[j]);
        struct err e = ERR_INIT;
        struct buf shards;
        buf_init(&shards, 4096);
        assert_true(merge_failed(parts, count));
        merge_problem(parts, count, MERGE_WRITE, &e, &shards);
        assert_string_equal(e.detail, rows[i].detail);
        assert_int_equal(e.code, rows[i].code);
        assert_int_equal(e.outcome, rows[i].outcome);
        assert_int_equal(e.retry, rows[i].retry);
        buf_clear(&shards);
    }
}

static void problems_name_every_shard(void **state)
{
    (void)state;
    struct merge_part parts[MAX_PARTS] = {make_fate(0, 'w'), make_fate(1, 'd'), make_fate(2, 'u')};
    struct err e = ERR_INIT;
    struct buf shards;
    buf_init(&shards, 4096);
    merge_problem(parts, MAX_PARTS, MERGE_WRITE, &e, &shards);
    assert_string_equal(buf_text(&shards),
                        "[{\"fate\":\"good\"},"
                        "{\"shard\":1,\"worker\":\"python\",\"outcome\":\"not_applied\",\"code\":\"duplicate_key\",\"detail\":\"key 5\",\"sql_error\":2627},"
                        "{\"shard\":2,\"worker\":\"node\",\"outcome\":\"unknown\",\"code\":\"shard_unavailable\",\"detail\":\"gone\"}]");
    buf_clear(&shards);
}

static void problems_of_workers_are_read(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
        bool write;
        enum err_code code;
        enum err_outcome outcome;
        int sql_error;
        int retry_after_s;
    } rows[] = {
        {409, "{\"code\":\"duplicate_key\",\"detail\":\"d\",\"outcome\":\"not_applied\",\"retry\":\"no\",\"sql_error\":2627}", true,
         ERR_DUPLICATE_KEY, OUTCOME_NOT_APPLIED, 2627, 0},
        {429, "{\"code\":\"too_busy\",\"detail\":\"d\",\"outcome\":\"not_applied\",\"retry\":\"after\"}", true, ERR_TOO_BUSY,
         OUTCOME_NOT_APPLIED, 0, 7},
        {504, "{\"code\":\"deadline_exceeded\",\"detail\":\"d\",\"outcome\":\"unknown\",\"retry\":\"no\"}", true,
         ERR_DEADLINE_EXCEEDED, OUTCOME_UNKNOWN, 0, 0},
        {409, "{\"code\":\"schema_changed\",\"detail\":\"d\",\"outcome\":\"not_applied\",\"retry\":\"no\"}", true,
         ERR_SCHEMA_CHANGED, OUTCOME_NOT_APPLIED, 0, 0},
        {401, "{\"code\":\"unauthorized\",\"detail\":\"d\",\"outcome\":\"not_applied\",\"retry\":\"no\"}", true,
         ERR_BAD_WORKER_ANSWER, OUTCOME_NOT_APPLIED, 0, 0},
        {500, "<html>", true, ERR_BAD_WORKER_ANSWER, OUTCOME_UNKNOWN, 0, 0},
        {500, "<html>", false, ERR_BAD_WORKER_ANSWER, OUTCOME_NOT_APPLIED, 0, 0},
        {409, "{}", true, ERR_BAD_WORKER_ANSWER, OUTCOME_UNKNOWN, 0, 0},
        {409, "{\"code\":\"what\",\"detail\":\"d\",\"outcome\":\"not_applied\"}", true, ERR_BAD_WORKER_ANSWER, OUTCOME_UNKNOWN, 0, 0},
        {409, "{\"code\":\"duplicate_key\",\"detail\":\"d\"}", true, ERR_BAD_WORKER_ANSWER, OUTCOME_UNKNOWN, 0, 0},
        {200, "{\"code\":\"duplicate_key\",\"detail\":\"d\",\"outcome\":\"not_applied\"}", true, ERR_BAD_WORKER_ANSWER, OUTCOME_UNKNOWN, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        merge_read_problem(rows[i].status, rows[i].text, strlen(rows[i].text), 7, rows[i].write, &e);
        assert_int_equal(e.code, rows[i].code);
        assert_int_equal(e.outcome, rows[i].outcome);
        assert_int_equal(e.sql_error, rows[i].sql_error);
        assert_int_equal(e.retry_after_s, rows[i].retry_after_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_become_one),
        cmocka_unit_test(a_selects_end_names_every_shard),
        cmocka_unit_test(answers_that_are_none_are_bad_worker_answers),
        cmocka_unit_test(schema_outcomes_are_read),
        cmocka_unit_test(schema_answers_list_every_shard),
        cmocka_unit_test(the_worst_part_is_the_problem),
        cmocka_unit_test(problems_name_every_shard),
        cmocka_unit_test(problems_of_workers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
