#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi-master/rowstream.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define END(n) "[\"end\",{\"count\":" n ",\"complete\":true,\"shards\":[{\"shard\":1}]}]\n"

/* A text that arrives in pieces, each of which replaces the memory of the one before. */
struct source {
    const char *text;
    size_t piece;
    size_t taken;
    size_t arrived;
    const char *lost; /* the error behind the text, or NULL */
    char *given;
};

static int pull(void *arg, size_t used, const char **data, size_t *len, struct err *e)
{
    struct source *s = arg;
    size_t all = strlen(s->text), before = s->arrived;
    assert_true(used <= s->arrived - s->taken);
    s->taken += used;
    s->arrived = all - s->arrived < s->piece ? all : s->arrived + s->piece;
    *len = s->arrived - s->taken;
    free(s->given);
    s->given = malloc(*len + 1);
    assert_non_null(s->given);
    memcpy(s->given, s->text + s->taken, *len);
    *data = s->given;
    if (s->arrived > before)
        return 1;
    return s->lost != NULL ? err_set(e, ERR_SHARD_UNAVAILABLE, "%s", s->lost) : 0;
}

/* Reads all rows, joined by '|', into `out`; what the last rowstream_next() gave. */
static int read_rows(struct rowstream *s, struct buf *out)
{
    struct json_slice row;
    int rc;
    buf_reset(out);
    while ((rc = rowstream_next(s, &row)) > 0) {
        buf_append(out, row.text, row.len);
        buf_append_char(out, '|');
    }
    assert_int_equal(rowstream_next(s, &row), rc); /* and stays so */
    return rc;
}

static void lines_are_rows_up_to_their_end(void **state)
{
    static const struct {
        const char *text, *rows;
        const char *error; /* NULL for none */
    } table[] = {
        {END("0"), "", NULL},
        {"{\"a\":1}\n" END("1"), "{\"a\":1}|", NULL},
        {"{\"a\":1}\n{\"a\":\"}\"}\r\n{}\n" END("3"), "{\"a\":1}|{\"a\":\"}\"}|{}|", NULL},
        {"{}\n[ \"end\" , {\"count\":1,\"shards\":[{}],\"more\":[1,2]} ]\r\n", "{}|", NULL},
        {"", "", "its rows ended without an end"},
        {"{}\n", "{}|", "its rows ended without an end"},
        {"{}\n{\"a\"", "{}|", "its last line has no end"},
        {"{}\n[\"end\",{\"count\":1,\"shards\":[{}]}]", "{}|", "its last line has no end"},
        {"{}\n" END("2"), "{}|", "it counts other rows than it sent"},
        {"{}\n" END("0"), "{}|", "it counts other rows than it sent"},
        {END("0") "{}\n", "", "more follows behind its end"},
        {END("0") "x", "", "its last line has no end"},
        {"\n" END("0"), "", "a row of its answer is none"},
        {"{\n" END("1"), "", "a row of its answer is none"},
        {"1\n", "", "a row of its answer is none"},
        {"[]\n", "", "a line of its rows is neither a row nor the end"},
        {"[\"end\"]\n", "", "a line of its rows is neither a row nor the end"},
        {"[\"ende\",{}]\n", "", "a line of its rows is neither a row nor the end"},
        {"[\"end\",{},{}]\n", "", "a line of its rows is neither a row nor the end"},
        {"[\"end\",{\"count\":0,\"shards\":[{}]}]]\n", "", "a line of its rows is neither a row nor the end"},
        {"[\"end\",{\"count\":0}]\n", "", "its answer does not name the shard"},
        {"[\"end\",{\"shards\":[{}]}]\n", "", "its answer lacks a count"},
        {"[\"failed\",{\"status\":503,\"code\":\"deadlock\",\"detail\":\"d\",\"outcome\":\"not_applied\",\"retry\":\"no\"}]\n", "", "d"},
        {"{}\n[\"failed\",7]\n", "{}|", "status 0 without a problem document"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        for (size_t piece = 1; piece < 200; piece = piece * 3 - 1) {
            struct merge_part part = {.worker = "w", .database = "", .suffix = ""};
            struct source source = {.text = table[i].text, .piece = piece};
            struct rowstream s;
            struct buf rows;
            buf_init(&rows, 4096);
            rowstream_init_lines(&s, &part, pull, &source);
            int rc = read_rows(&s, &rows);
            assert_string_equal(part.err.detail, table[i].error != NULL ? table[i].error : "");
            assert_int_equal(rc, table[i].error != NULL ? -1 : 0);
            assert_string_equal(buf_text(&rows), table[i].rows);
            rowstream_clear(&s);
            buf_clear(&rows);
            free(source.given);
        }
    }
}

static void a_lost_stream_is_the_parts_error(void **state)
{
    static const struct {
        const char *text;
        bool lost; /* before its first row */
    } table[] = {{"", true}, {"{\"a\"", true}, {"{}\n", false}, {"{}\n{", false}};
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct merge_part part = {.worker = "w", .database = "", .suffix = ""};
        struct source source = {.text = table[i].text, .piece = 100, .lost = "gone"};
        struct rowstream s;
        struct buf rows;
        buf_init(&rows, 4096);
        rowstream_init_lines(&s, &part, pull, &source);
        assert_int_equal(read_rows(&s, &rows), -1);
        assert_string_equal(part.err.detail, "gone");
        assert_int_equal(rowstream_is_lost(&s), table[i].lost);
        rowstream_clear(&s);
        buf_clear(&rows);
        free(source.given);
    }
}

static void whole_answers_give_their_elements(void **state)
{
    static const struct {
        const char *rows, *read;
        int rc;
    } table[] = {
        {"[]", "", 0},
        {"[ ]", "", 0},
        {"[{\"a\":1}]", "{\"a\":1}|", 0},
        {" [ {\"a\":[1,{}]} ,\n {\"b\":\"]\\\"\"} ] ", "{\"a\":[1,{}]}|{\"b\":\"]\\\"\"}|", 0},
        {"[{},1]", "{}|", -1},
        {"[[{}]]", "", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct merge_part part = {.worker = "w", .database = "", .suffix = ""};
        struct rowstream s;
        struct buf text, rows;
        buf_init(&text, 4096);
        buf_init(&rows, 4096);
        buf_printf(&text, "{\"status\":\"ok\",\"rows\":%s,\"count\":0,\"shards\":[{}]}", table[i].rows);
        part.text = buf_text(&text);
        part.len = text.len;
        merge_accept(&part, MERGE_SELECT);
        assert_string_equal(part.err.detail, "");
        rowstream_init_whole(&s, &part);
        assert_int_equal(read_rows(&s, &rows), table[i].rc);
        assert_string_equal(buf_text(&rows), table[i].read);
        rowstream_clear(&s);
        buf_clear(&text);
        buf_clear(&rows);
    }
}

static void members_are_told_apart_by_their_order(void **state)
{
    static const struct {
        const char *row;
        size_t count;
        const char *values; /* joined by '|'; NULL for -1 */
    } table[] = {
        {"{\"a\":1}", 1, "1|"},
        {"{ \"a\" : \"x,}\" , \"b\\\"\" : [ 1 , {\"c\":2} ] }", 2, "\"x,}\"|[ 1 , {\"c\":2} ]|"},
        {"{\"a\":1}", 2, NULL},
        {"{\"a\":1,\"b\":2}", 1, NULL},
        {"{\"a\":1} ", 1, NULL},
        {"{}", 1, NULL},
        {"[1]", 1, NULL},
        {"{\"a\"}", 1, NULL},
        {"{\"a\":", 1, NULL},
        {"{\"a", 1, NULL},
        {"{\"a\\", 1, NULL},
        {"", 1, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct json_slice values[4];
        struct buf joined;
        buf_init(&joined, 4096);
        int rc = rowscan_members((struct json_slice){.text = table[i].row, .len = strlen(table[i].row)}, values, table[i].count);
        assert_int_equal(rc, table[i].values == NULL ? -1 : 0);
        for (size_t k = 0; rc == 0 && k < table[i].count; k++) {
            buf_append(&joined, values[k].text, values[k].len);
            buf_append_char(&joined, '|');
        }
        if (rc == 0)
            assert_string_equal(buf_text(&joined), table[i].values);
        buf_clear(&joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_rows_up_to_their_end),
        cmocka_unit_test(a_lost_stream_is_the_parts_error),
        cmocka_unit_test(whole_answers_give_their_elements),
        cmocka_unit_test(members_are_told_apart_by_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
