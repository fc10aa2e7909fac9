#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

static char line[2 * LOG_LINE_MAX];

/* What one read(2) gets of what `log_it` wrote on standard error. */
static void capture(void (*log_it)(const char *), const char *text)
{
    int ends[2], saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_it(text);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof line - 1);
    assert_true(n >= 0);
    line[n] = '\0';
    close(ends[0]);
}

static void as_error(const char *text)
{
    log_error("%s", text);
}

static void as_info(const char *text)
{
    log_info("%s", text);
}

static void as_debug(const char *text)
{
    log_debug("%s", text);
}

static void with_errno(const char *text)
{
    errno = ENOENT;
    log_error("%s: %m", text);
    assert_int_equal(errno, ENOENT);
}

static void a_line_has_time_program_level_and_text(void **state)
{
    (void)state;
    unsetenv("SHARDGATE_LOG");
    log_open("worker go");
    capture(as_error, "no");
    assert_int_equal(line[4], '-');
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[23], 'Z');
    assert_string_equal(line + 24, " worker go error: no\n");
    capture(with_errno, "/x");
    assert_string_equal(line + 24, " worker go error: /x: No such file or directory\n");
}

static void no_text_can_forge_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *escaped;
    } rows[] = {
        {"a\nb", "a\\nb"},          {"a\r\x1b[31m", "a\\x0d\\x1b[31m"}, {"\x7f", "\\x7f"},
        {"\xC2\x85", "\\xc2\\x85"}, {"\xE2\x80\xA8", "\\xe2\\x80\\xa8"}, {"\xff", "\\xff"},
        {"é学😀", "é学😀"},
    };
    log_open("p");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        capture(as_info, rows[i].text);
        line[strlen(line) - 1] = '\0';
        assert_string_equal(line + strlen("2026-11-22T13:05:00.123Z p info: "), rows[i].escaped);
    }
}

static void long_texts_are_cut_to_one_line(void **state)
{
    (void)state;
    static char text[2 * LOG_LINE_MAX];
    log_open("p");
    memset(text, '\n', sizeof text - 1);
    capture(as_error, text);
    assert_true(strlen(line) <= LOG_LINE_MAX);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    memset(text, 'x', sizeof text - 1);
    capture(as_error, text);
    assert_int_equal(strlen(line), LOG_LINE_MAX);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void the_environment_sets_the_level(void **state)
{
    (void)state;
    static const struct {
        const char *level;
        int info, debug; /* are they written? */
    } rows[] = {{"error", 0, 0}, {"warning", 0, 0}, {"info", 1, 0}, {"debug", 1, 1}, {"", 1, 0}, {"nonsense", 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        setenv("SHARDGATE_LOG", rows[i].level, 1);
        capture(log_open, "p");
        assert_int_equal(strstr(line, "none of") != NULL, strcmp(rows[i].level, "nonsense") == 0);
        capture(as_error, "x");
        assert_true(*line);
        capture(as_info, "x");
        assert_int_equal(*line != '\0', rows[i].info);
        capture(as_debug, "x");
        assert_int_equal(*line != '\0', rows[i].debug);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_program_level_and_text),
        cmocka_unit_test(no_text_can_forge_a_line),
        cmocka_unit_test(long_texts_are_cut_to_one_line),
        cmocka_unit_test(the_environment_sets_the_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
