#include "common/buf.h"
#include "load/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 10 /* that each request had */
#define APPLIED "\"outcome\":\"applied\",\"rows_affected\""

/* An answer, and what is made of it: loaded, unknown, again, the rows that are written, the bad row (-1: none), the detail. */
static const struct {
    int status;
    const char *body;
    const char *shown;
} answers[] = {
    {200, "{\"status\":\"ok\",\"rows_affected\":10,\"shards\":[{\"shard\":0," APPLIED ":4},{\"shard\":2," APPLIED ":6}]}", "loaded 10 -1 "},
    {200, "{\"status\":\"ok\",\"shards\":[{\"shard\":0," APPLIED ":9}]}",
     "unknown 9 -1 an answer that does not fit the request: status 200, 9 of 10 rows"},
    {200, "{\"status\":\"ok\",\"shards\":[{\"shard\":-1," APPLIED ":10}]}",
     "unknown 0 -1 an answer that does not fit the request: status 200, 0 of 10 rows"},
    {200, "[]", "unknown 0 -1 an answer with status 200 that the gateway did not write"},
    {302, "{\"status\":\"ok\",\"shards\":[{\"shard\":0," APPLIED ":10}]}",
     "unknown 10 -1 an answer that does not fit the request: status 302, 10 of 10 rows"},
    {422, "{\"detail\":\"line 4 (row 3): column 'a': no\",\"outcome\":\"not_applied\",\"retry\":\"no\"}", "0 3 column 'a': no"},
    {409, "{\"detail\":\"worker go: line 4 (row 3): Violation\",\"outcome\":\"not_applied\"}", "0 3 worker go: Violation"},
    {409, "{\"detail\":\"worker go: Violation\",\"outcome\":\"not_applied\"}", "0 -1 worker go: Violation"},
    {400, "{\"detail\":\"line x (row 3): no\",\"outcome\":\"not_applied\"}", "0 -1 line x (row 3): no"},
    {400, "{\"detail\":\"line 4 (row ): no\",\"outcome\":\"not_applied\"}", "0 -1 line 4 (row ): no"},
    {429, "{\"detail\":\"busy\",\"outcome\":\"not_applied\",\"retry\":\"after\"}", "again 0 -1 busy"},
    {503, "{\"detail\":\"d\",\"outcome\":\"applied\",\"retry\":\"after\",\"shards\":[{\"shard\":1," APPLIED ":3}]}", "3 -1 d"},
    {503, "{\"detail\":\"d\",\"outcome\":\"not_applied\",\"retry\":\"after\",\"shards\":[{\"shard\":1," APPLIED ":3}]}", "3 -1 d"},
    {503, "{\"detail\":\"d\",\"outcome\":\"applied\"}", "unknown 0 -1 d"},
    {504, "{\"detail\":\"late\",\"outcome\":\"unknown\",\"retry\":\"after\"}", "unknown 0 -1 late"},
    {504, "{\"detail\":\"late\",\"outcome\":\"unknown\",\"shards\":[{\"shard\":1,\"outcome\":\"unknown\",\"rows_affected\":7}]}",
     "unknown 7 -1 late"},
    {504, "{\"detail\":\"late\",\"outcome\":\"not_applied\",\"retry\":\"after\",\"shards\":[{\"shard\":1,\"outcome\":\"unknown\"}]}",
     "unknown 0 -1 late"},
    {502, "<html>", "unknown 0 -1 an answer with status 502 that the gateway did not write"},
    {500, "{}", "unknown 0 -1 "},
};

static void show(const struct answer *a, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "%s%s%s%d %ld %s", a->loaded ? "loaded " : "", a->unknown ? "unknown " : "", a->again ? "again " : "", (int)a->rows,
               a->bad_row == ANSWER_NO_ROW ? -1L : (long)a->bad_row, a->detail);
}

static void reads_answers(void **state)
{
    struct buf shown;

    (void)state;
    buf_init(&shown, 4096);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct api_answer from = {
            .result = API_ANSWERED, .status = answers[i].status, .body = answers[i].body, .len = strlen(answers[i].body)};
        struct answer a;
        answer_read(&from, ROWS, &a);
        show(&a, &shown);
        assert_string_equal(buf_text(&shown), answers[i].shown);
        answer_clear(&a);
    }
    buf_clear(&shown);
}

static void knows_what_was_not_sent_from_what_was_lost(void **state)
{
    const struct api_answer lost = {.result = API_NO_ANSWER, .detail = "gone"};
    const struct api_answer unsent = {.result = API_NOT_SENT, .detail = "refused"};
    struct answer a;
    struct buf shown;

    (void)state;
    buf_init(&shown, 4096);
    answer_read(&lost, ROWS, &a);
    show(&a, &shown);
    assert_string_equal(buf_text(&shown), "unknown 0 -1 gone");
    answer_clear(&a);
    answer_read(&unsent, ROWS, &a);
    show(&a, &shown);
    assert_string_equal(buf_text(&shown), "again 0 -1 refused");
    answer_clear(&a);
    buf_clear(&shown);
}

static void waits_within_limits(void **state)
{
    static const int waits[][2] = {{0, 1}, {5, 5}, {3000, 30}};

    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        const struct api_answer from = {.result = API_ANSWERED, .status = 429, .retry_after_s = waits[i][0], .body = "{}", .len = 2};
        struct answer a;
        answer_read(&from, ROWS, &a);
        assert_int_equal(a.wait_s, waits[i][1]);
        answer_clear(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_answers),
        cmocka_unit_test(knows_what_was_not_sent_from_what_was_lost),
        cmocka_unit_test(waits_within_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
