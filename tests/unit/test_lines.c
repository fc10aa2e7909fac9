/* lines.c: a text gives the same lines in whatever pieces it comes. */
#include "common/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_LINE 8

/* Renders what comes of the text in pieces of `size` bytes: "1:a 3:b", and "2!" for a line that is too long. Each piece is a
 * copy of its own, so that a sanitizer sees who reads behind it. */
static void split(const char *text, size_t size, struct buf *out)
{
    struct lines l;
    const char *line;
    size_t len, left = strlen(text);
    int rc = 0;
    lines_init(&l, MAX_LINE);
    for (bool more = true; more && rc >= 0;) {
        size_t n = left < size ? left : size;
        char *piece = malloc(n + 1);
        assert_non_null(piece);
        memcpy(piece, text, n);
        text += n;
        left -= n;
        more = n > 0;
        lines_feed(&l, piece, n);
        if (!more)
            lines_end(&l);
        while ((rc = lines_next(&l, &line, &len)) > 0)
            buf_printf(out, "%s%llu:%.*s", out->len > 0 ? " " : "", (unsigned long long)l.number, (int)len, line);
        free(piece);
    }
    if (rc < 0) {
        assert_int_equal(rc, LINES_TOO_LONG);
        buf_printf(out, "%s%llu!", out->len > 0 ? " " : "", (unsigned long long)l.number);
    }
    lines_clear(&l);
}

static void lines_are_the_same_in_any_pieces(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", ""},
        {"\n", ""},
        {"\r\n \t\r\n", ""},
        {"a", "1:a"},
        {"a\n", "1:a"},
        {"a\r\nb\r\n", "1:a 2:b"},
        {"a\n\n\nb", "1:a 4:b"},
        {"\na\r", "2:a"},
        {"a\rb\n", "1:a\rb"},
        {"  a \n b", "1:  a  2: b"},
        {"12345678\n12345678\r\n12345678", "1:12345678 2:12345678 3:12345678"},
        {"a\n123456789\nb\n", "1:a 2!"},
        {"a\n123456789", "1:a 2!"},
        {"123456789\r\n", "1!"},
        {"a\n1234567890123456789012345678901234567890\n", "1:a 2!"},
        {"         \na\n", "1!"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t size = 1; size <= strlen(rows[i].text) + 1; size++) {
            struct buf out;
            buf_init(&out, 4096);
            split(rows[i].text, size, &out);
            if (strcmp(buf_text(&out), rows[i].expected) != 0)
                fail_msg("row %zu in pieces of %zu gave '%s', expected '%s'", i, size, buf_text(&out), rows[i].expected);
            buf_clear(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_same_in_any_pieces),
    };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
