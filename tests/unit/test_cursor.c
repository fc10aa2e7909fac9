/* Cursors: what was written is read again, by any master with the same token, and nothing else is. */
#include "fcgi-master/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_SHARDS 3

/* What a token is made for. */
struct purpose {
    const char *token, *body, *tag, *shards[MAX_SHARDS];
};

#define BODY(fields) "{\"db_name\":\"D\",\"table\":\"T\",\"condition\":\"id > @a\",\"params\":{\"a\":1}" fields "}"

static const struct purpose own = {"secret", BODY(""), "tag", {"go", "python", "node"}};

static void make_seal(const struct purpose *p, struct cursor_seal *seal)
{
    struct cluster_worker workers[MAX_SHARDS] = {0};
    struct cluster cluster = {.workers = workers};
    struct json_object *body = NULL;
    struct err e = ERR_INIT;
    for (size_t i = 0; i < MAX_SHARDS && p->shards[i] != NULL; i++) {
        workers[i].name = strdup(p->shards[i]);
        cluster.worker_count++;
    }
    assert_int_equal(json_read(p->body, strlen(p->body), &body, &e), 0);
    assert_int_equal(cursor_seal_make(seal, p->token, body, p->tag, &cluster, &e), 0);
    for (size_t i = 0; i < cluster.worker_count; i++)
        free(workers[i].name);
    json_free(body);
}

static void write_token(const struct purpose *p, size_t shard, const char *values, struct buf *token)
{
    struct cursor_seal seal;
    struct cursor c;
    struct err e = ERR_INIT;
    make_seal(p, &seal);
    cursor_init(&c);
    c.shard = shard;
    c.repeats = shard * 66000;
    buf_append_text(&c.values, values);
    buf_init(token, CURSOR_MAX_TOKEN);
    assert_int_equal(cursor_write(&seal, &c, token, &e), 0);
    cursor_clear(&c);
}

/* The error's text, "" for a token that is read as what `values` says. */
static const char *read_token(const struct purpose *p, const char *token, size_t len, const char *values)
{
    static char detail[ERR_DETAIL_MAX];
    struct cursor_seal seal;
    struct cursor c;
    struct err e = ERR_INIT;
    make_seal(p, &seal);
    cursor_init(&c);
    detail[0] = '\0';
    if (cursor_read(&seal, token, len, &c, &e) != 0) {
        assert_int_equal(e.code, ERR_BAD_FIELD);
        assert_int_equal(strncmp(e.detail, "after: ", 7), 0);
        assert_int_equal(c.values.len, 0);
        strcpy(detail, e.detail);
    } else {
        assert_string_equal(buf_text(&c.values), values);
    }
    cursor_clear(&c);
    return detail;
}

static void tokens_are_read_again(void **state)
{
    static const struct {
        size_t shard;
        const char *values;
    } rows[] = {{0, "[1]"}, {1, "[null,\"\\u0000é\",-1.50]"}, {65000, "[]"}, {256, "[12345678901234567890.123]"}, {2, "[12]"}, {2, "[123]"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cursor_seal seal;
        struct cursor c;
        struct buf token;
        struct err e = ERR_INIT;
        write_token(&own, rows[i].shard, rows[i].values, &token);
        assert_null(strpbrk(buf_text(&token), "+/= "));
        make_seal(&own, &seal);
        cursor_init(&c);
        assert_int_equal(cursor_read(&seal, buf_text(&token), token.len, &c, &e), 0);
        assert_int_equal(c.shard, rows[i].shard);
        assert_int_equal(c.repeats, rows[i].shard * 66000);
        assert_string_equal(buf_text(&c.values), rows[i].values);
        cursor_clear(&c);
        buf_clear(&token);
    }
}

/* Each character replaced by each other one, each beginning, and more behind the end. */
static void tampered_tokens_are_refused(void **state)
{
    static const char others[] = "AQZaz09-_+/=. \n";
    struct buf token;
    (void)state;
    write_token(&own, 1, "[1,\"a\"]", &token);
    for (size_t i = 0; i < token.len; i++) {
        const char was = token.data[i];
        for (size_t k = 0; k < sizeof others; k++) { /* the NUL, too */
            if (others[k] == was)
                continue;
            token.data[i] = others[k];
            assert_string_not_equal(read_token(&own, token.data, token.len, NULL), "");
        }
        token.data[i] = was;
        assert_string_not_equal(read_token(&own, token.data, i, NULL), "");
    }
    assert_string_equal(read_token(&own, token.data, token.len, "[1,\"a\"]"), "");
    for (size_t k = 0; k < sizeof others; k++) {
        buf_append_char(&token, others[k]);
        assert_string_not_equal(read_token(&own, token.data, token.len, NULL), "");
        buf_truncate(&token, token.len - 1);
    }
    buf_clear(&token);
}

static void stale_tokens_are_refused(void **state)
{
    static const char query[] = "another query", place[] = "have changed", forged[] = "made";
    static const struct {
        struct purpose p;
        const char *why; /* "": it is good */
    } rows[] = {
        {{"secret", BODY(",\"limit\":5,\"offset\":2,\"after\":\"x\",\"allow_partial\":true,\"order_by\":null"), "tag", {"go", "python", "node"}}, ""},
        {{"Secret", BODY(""), "tag", {"go", "python", "node"}}, forged},
        {{"", BODY(""), "tag", {"go", "python", "node"}}, forged},
        {{"secret", BODY(",\"columns\":[\"a\"]"), "tag", {"go", "python", "node"}}, query},
        {{"secret", BODY(",\"order_by\":[\"a\"]"), "tag", {"go", "python", "node"}}, query},
        {{"secret", BODY(",\"distinct\":true"), "tag", {"go", "python", "node"}}, query},
        {{"secret", BODY(",\"shard_key\":1"), "tag", {"go", "python", "node"}}, query},
        {{"secret", "{\"db_name\":\"D\",\"table\":\"T\",\"condition\":\"id > @a\",\"params\":{\"a\":2}}", "tag", {"go", "python", "node"}}, query},
        {{"secret", "{\"db_name\":\"D\",\"table\":\"T\",\"condition\":\"id < @a\",\"params\":{\"a\":1}}", "tag", {"go", "python", "node"}}, query},
        {{"secret", "{\"db_name\":\"D\",\"table\":\"U\",\"condition\":\"id > @a\",\"params\":{\"a\":1}}", "tag", {"go", "python", "node"}}, query},
        {{"secret", "{\"db_name\":\"E\",\"table\":\"T\",\"condition\":\"id > @a\",\"params\":{\"a\":1}}", "tag", {"go", "python", "node"}}, query},
        {{"secret", BODY(""), "tags", {"go", "python", "node"}}, place},
        {{"secret", BODY(""), "tag", {"go", "node", "python"}}, place},
        {{"secret", BODY(""), "tag", {"go", "python"}}, place},
        {{"secret", BODY(""), "tag", {"gop", "ython", "node"}}, place},
    };
    struct buf token;
    (void)state;
    write_token(&own, 1, "[1]", &token);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *why = read_token(&rows[i].p, token.data, token.len, "[1]");
        if (rows[i].why[0] == '\0' ? why[0] != '\0' : strstr(why, rows[i].why) == NULL)
            fail_msg("row %zu: '%s' instead of '%s'", i, why, rows[i].why);
    }
    buf_clear(&token);
}

/* A row whose order is too long has no cursor; that is said, not swallowed. */
static void tokens_have_a_greatest_length(void **state)
{
    struct cursor_seal seal;
    struct cursor c;
    struct buf token;
    struct err e = ERR_INIT;
    (void)state;
    make_seal(&own, &seal);
    cursor_init(&c);
    buf_append_fill(&c.values, '1', CURSOR_MAX_TOKEN / 4 * 3);
    buf_init(&token, CURSOR_MAX_TOKEN);
    assert_int_equal(cursor_write(&seal, &c, &token, &e), -1);
    assert_int_equal(e.code, ERR_BAD_FIELD);
    buf_truncate(&c.values, 1 << 20);
    e = ERR_INIT;
    assert_int_equal(cursor_write(&seal, &c, &token, &e), 0);
    assert_string_equal(read_token(&own, token.data, token.len, buf_text(&c.values)), "");
    cursor_clear(&c);
    buf_clear(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_read_again),
        cmocka_unit_test(tampered_tokens_are_refused),
        cmocka_unit_test(stale_tokens_are_refused),
        cmocka_unit_test(tokens_have_a_greatest_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
