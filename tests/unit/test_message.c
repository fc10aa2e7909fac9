/* message.c: what is a message, how much of the bytes it takes, and what is none. */
#include "common/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LENGTH "Content-Length: 0\r\n\r\n"
#define TEXT(t) (int)(t).len, (t).text

typedef int read_function(const char *data, size_t len, struct message *out, size_t *used);

/* Renders what is read of a copy that is exactly as long as the bytes: "POST /a [A=1] {body} +rest" or "!what is wrong" or "…". */
static int render(read_function *read, const char *data, size_t len, struct buf *out)
{
    struct message m;
    size_t used = 99;
    char *copy = malloc(len + 1);

    assert_non_null(copy);
    memcpy(copy, data, len);
    copy = realloc(copy, len > 0 ? len : 1);
    assert_non_null(copy);
    int rc = read(copy, len, &m, &used);
    if (rc < 0) {
        assert_non_null(m.wrong);
        buf_printf(out, "!%s", m.wrong);
    } else if (rc == 0) {
        assert_int_equal(used, 0);
        buf_append_text(out, "more");
    } else {
        if (m.status != 0)
            buf_printf(out, "%d", m.status);
        else
            buf_printf(out, "%.*s %.*s", TEXT(m.method), TEXT(m.target));
        for (size_t i = 0; i < m.field_count; i++) {
            if (&m.fields[i].value != message_header(&m, "Content-Length"))
                buf_printf(out, " [%.*s=%.*s]", TEXT(m.fields[i].name), TEXT(m.fields[i].value));
        }
        buf_printf(out, " {%.*s} +%zu", TEXT(m.body), len - used);
    }
    free(copy);
    return rc;
}

struct row {
    const char *text, *expected;
};

/* Each row; each beginning of one that is whole needs more; each beginning of one that is malformed needs more until it is
 * malformed, and stays so. */
static void check(read_function *read, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(rows[i].text);
        struct buf out;
        int before = 0;

        buf_init(&out, 1 << 20);
        int rc = render(read, rows[i].text, len, &out);
        if (strcmp(buf_text(&out), rows[i].expected) != 0)
            fail_msg("row %zu gave '%s', expected '%s'", i, buf_text(&out), rows[i].expected);
        for (size_t part = 0; part < len; part++) {
            buf_reset(&out);
            int now = render(read, rows[i].text, part, &out);
            if (before != 0 && now != before)
                fail_msg("row %zu: %d after %zu bytes, %d before", i, now, part, before);
            if (now != 0 && now != rc)
                fail_msg("row %zu: %d after %zu bytes, %d after all", i, now, part, rc);
            before = now;
        }
        buf_clear(&out);
    }
}

static void requests(void **state)
{
    static const struct row rows[] = {
        {"POST /select HTTP/1.1\r\n" LENGTH, "POST /select {} +0"},
        {"POST /select HTTP/1.1\r\nX-Batch-Id: 7\r\nContent-Length: 2\r\n\r\n{}", "POST /select [X-Batch-Id=7] {{}} +0"},
        {"POST /a?b=c HTTP/1.1\r\n" LENGTH "POST /next", "POST /a?b=c {} +10"},
        {"POST /a HTTP/1.1\r\ncontent-LENGTH:3\r\n\r\nabcd", "POST /a {abc} +1"},
        {"POST /a HTTP/1.1\r\nA: \t x y \t\r\nB:\r\nContent-Length: 1\r\n\r\n\n", "POST /a [A=x y] [B=] {\n} +0"},
        {"POST /a HTTP/1.1\r\nA: \xc3\xa4\r\n" LENGTH, "POST /a [A=\xc3\xa4] {} +0"},
        {"POST /a HTTP/1.1\r\nContent-Length: 0000000002\r\n\r\n{}", "POST /a {{}} +0"},
        {"", "more"},
        {"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", "more"},
        {"POST /a HTTP/1.1\r\n" "Content-Length: 0\r\n", "more"},
        {"\r\n", "!an empty line before the first"},
        {"POST /a HTTP/1.1\n" LENGTH, "!a line that does not end with CR LF"},
        {"\nPOST /a HTTP/1.1\r\n" LENGTH, "!a line that does not end with CR LF"},
        {"POST /a HTTP/1.0\r\n" LENGTH, "!a first line other than 'METHOD /path HTTP/1.1'"},
        {"POST /a HTTP/1.1 \r\n" LENGTH, "!a first line other than 'METHOD /path HTTP/1.1'"},
        {"POST  /a HTTP/1.1\r\n" LENGTH, "!a first line other than 'METHOD /path HTTP/1.1'"},
        {"POST /a\r\n" LENGTH, "!a first line other than 'METHOD /path HTTP/1.1'"},
        {"POST\r\n" LENGTH, "!a first line other than 'METHOD /path HTTP/1.1'"},
        {"HTTP/1.1 200 OK\r\n" LENGTH, "!a first line other than 'METHOD /path HTTP/1.1'"},
        {" /a HTTP/1.1\r\n" LENGTH, "!a method that is none"},
        {"P(ST /a HTTP/1.1\r\n" LENGTH, "!a method that is none"},
        {"POST a HTTP/1.1\r\n" LENGTH, "!a path that is none"},
        {"POST /a\tb HTTP/1.1\r\n" LENGTH, "!a path that is none"},
        {"POST /\x7f HTTP/1.1\r\n" LENGTH, "!a path that is none"},
        {"POST /a HTTP/1.1\r\nA\r\n" LENGTH, "!a header without a colon"},
        {"POST /a HTTP/1.1\r\n: b\r\n" LENGTH, "!a header's name that is none"},
        {"POST /a HTTP/1.1\r\nA : b\r\n" LENGTH, "!a header's name that is none"},
        {"POST /a HTTP/1.1\r\nA: b\r\n c:d\r\n" LENGTH, "!a header's name that is none"},
        {"POST /a HTTP/1.1\r\nA: b\rc\r\n" LENGTH, "!a control character in a header"},
        {"POST /a HTTP/1.1\r\nA: \x01\r\n" LENGTH, "!a control character in a header"},
        {"POST /a HTTP/1.1\r\nAb: c\r\naB: c\r\n" LENGTH, "!a header that is given twice"},
        {"POST /a HTTP/1.1\r\nContent-Length: 0\r\n" LENGTH, "!a header that is given twice"},
        {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" LENGTH, "!a Transfer-Encoding"},
        {"POST /a HTTP/1.1\r\n\r\n", "!no Content-Length, or a bad one"},
        {"POST /a HTTP/1.1\r\nContent-Length:\r\n\r\n", "!no Content-Length, or a bad one"},
        {"POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "!no Content-Length, or a bad one"},
        {"POST /a HTTP/1.1\r\nContent-Length: 0, 0\r\n\r\n", "!no Content-Length, or a bad one"},
        {"POST /a HTTP/1.1\r\nContent-Length: 1073741825\r\n\r\n", "!no Content-Length, or a bad one"},
        {"POST /a HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "!no Content-Length, or a bad one"},
        {"POST /a HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n", "more"},
        {"G /a HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\nI:\r\nJ:\r\nK:\r\nL:\r\nM:\r\nN:\r\nO:\r\n" LENGTH,
         "G /a [A=] [B=] [C=] [D=] [E=] [F=] [G=] [H=] [I=] [J=] [K=] [L=] [M=] [N=] [O=] {} +0"},
        {"G /a HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\nI:\r\nJ:\r\nK:\r\nL:\r\nM:\r\nN:\r\nO:\r\nP:\r\n" LENGTH,
         "!too many headers"},
    };
    (void)state;
    check(message_read_request, rows, COUNT(rows));
}

static void answers(void **state)
{
    static const struct row rows[] = {
        {"HTTP/1.1 200 OK\r\nX-Batch-Id: 3\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1", "200 [X-Batch-Id=3] {{}} +8"},
        {"HTTP/1.1 200 \r\n" LENGTH, "200 {} +0"},
        {"HTTP/1.1 413\r\n" LENGTH, "413 {} +0"},
        {"HTTP/1.1 404 Not  Found at all\r\n" LENGTH, "404 {} +0"},
        {"HTTP/1.1 599 \r\n" LENGTH, "599 {} +0"},
        {"HTTP/1.1 099 \r\n" LENGTH, "!a status that is none"},
        {"HTTP/1.1 600 \r\n" LENGTH, "!a status that is none"},
        {"HTTP/1.1 20 OK\r\n" LENGTH, "!a status that is none"},
        {"HTTP/1.1 2000 OK\r\n" LENGTH, "!a status that is none"},
        {"HTTP/1.1  200 OK\r\n" LENGTH, "!a status that is none"},
        {"HTTP/1.1 200 O\x02K\r\n" LENGTH, "!a status that is none"},
        {"HTTP/1.1\r\n" LENGTH, "!a first line other than 'HTTP/1.1 200'"},
        {"HTTP/2 200 OK\r\n" LENGTH, "!a first line other than 'HTTP/1.1 200'"},
        {"http/1.1 200 OK\r\n" LENGTH, "!a first line other than 'HTTP/1.1 200'"},
        {"POST /select HTTP/1.1\r\n" LENGTH, "!a first line other than 'HTTP/1.1 200'"},
    };
    (void)state;
    check(message_read_answer, rows, COUNT(rows));
}

static void nul_is_no_end(void **state)
{
    static const char in_body[] = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\na\0b", in_value[] = "POST /a HTTP/1.1\r\nA: a\0b\r\n" LENGTH,
                      in_name[] = "POST /a HTTP/1.1\r\nA\0: b\r\n" LENGTH;
    struct message m;
    size_t used;
    (void)state;
    assert_int_equal(message_read_request(in_body, sizeof(in_body) - 1, &m, &used), 1);
    assert_int_equal(m.body.len, 3);
    assert_memory_equal(m.body.text, "a\0b", 3);
    assert_int_equal(message_read_request(in_value, sizeof(in_value) - 1, &m, &used), -1);
    assert_int_equal(message_read_request(in_name, sizeof(in_name) - 1, &m, &used), -1);
}

/* The longest head that is taken, and one byte more. */
static void head_has_a_limit(void **state)
{
    static const char before[] = "POST /a HTTP/1.1\r\nA: ", behind[] = "\r\n" LENGTH;
    size_t fill = MESSAGE_MAX_HEAD - strlen(before) - strlen(behind), used;
    struct message m;
    struct buf b;
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        buf_init(&b, 2 * MESSAGE_MAX_HEAD);
        buf_append_text(&b, before);
        buf_append_fill(&b, 'x', fill + more);
        assert_int_equal(message_read_request(b.data, b.len, &m, &used), 0);
        buf_append_text(&b, behind);
        assert_int_equal(message_read_request(b.data, b.len, &m, &used), more == 0 ? 1 : -1);
        buf_clear(&b);
    }
    buf_init(&b, 2 * MESSAGE_MAX_HEAD);
    buf_append_fill(&b, 'x', MESSAGE_MAX_HEAD);
    assert_int_equal(message_read_request(b.data, b.len - 1, &m, &used), 0);
    assert_int_equal(message_read_request(b.data, b.len, &m, &used), -1);
    assert_string_equal(m.wrong, "too long a head");
    buf_clear(&b);
}

static void headers_are_found(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX-Batch-Id: 12\r\nX-Batch-Alone: true\r\n" LENGTH;
    struct message m;
    size_t used;
    (void)state;
    assert_int_equal(message_read_answer(text, strlen(text), &m, &used), 1);
    assert_int_equal(message_header(&m, "x-batch-alone")->len, 4);
    assert_null(message_header(&m, "X-Batch"));
    assert_null(message_header(&m, "X-Batch-Identity"));
    assert_int_equal(message_number(&m, "X-Batch-Id", 63), 12);
    assert_int_equal(message_number(&m, "X-Batch-Id", 12), 12);
    assert_int_equal(message_number(&m, "X-Batch-Id", 11), -1);
    assert_int_equal(message_number(&m, "X-Batch-Alone", 63), -1);
    assert_int_equal(message_number(&m, "X-Other", 63), -1);
}

static void what_is_written_is_read(void **state)
{
    struct buf b, shown;
    (void)state;
    buf_init(&b, 4096);
    buf_init(&shown, 4096);
    message_begin_request(&b, "POST", "/select");
    message_add(&b, "Idempotency-Key", "a b\r\nX-Master-Token: stolen");
    message_end(&b, "{}", 2);
    assert_int_equal(render(message_read_request, b.data, b.len, &shown), 1);
    assert_string_equal(buf_text(&shown), "POST /select [Idempotency-Key=a b] {{}} +0");
    buf_reset(&b);
    buf_reset(&shown);
    message_begin_answer(&b, 413);
    message_add(&b, "X-Batch-Alone", "true");
    message_end(&b, NULL, 0);
    assert_int_equal(render(message_read_answer, b.data, b.len, &shown), 1);
    assert_string_equal(buf_text(&shown), "413 [X-Batch-Alone=true] {} +0");
    buf_clear(&b);
    buf_clear(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),          cmocka_unit_test(answers),           cmocka_unit_test(nul_is_no_end),
        cmocka_unit_test(head_has_a_limit),  cmocka_unit_test(headers_are_found), cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
