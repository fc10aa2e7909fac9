#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/secret.h"

static char folder[] = "/tmp/shardgate-secret-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* What secret_read says of a file with these contents; the file's path is given absolute and relative in turn. */
static int read_back(const char *contents, size_t len, char out[SECRET_MAX])
{
    char path[64];
    snprintf(path, sizeof path, "%s/token", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(contents, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
    char again[SECRET_MAX];
    int absolute = secret_read("/nowhere", path, out);
    int relative = secret_read(folder, "token", again);
    assert_int_equal(absolute, relative);
    if (absolute == 0)
        assert_string_equal(out, again);
    assert_int_equal(unlink(path), 0);
    return absolute;
}

static void the_first_line_is_the_secret(void **state)
{
    (void)state;
    static const struct {
        const char *contents, *secret; /* NULL: refused */
    } table[] = {
        {"abc", "abc"},   {"abc\n", "abc"}, {"abc\r\n", "abc"}, {"abc\ndef\n", "abc"},
        {" a b ", " a b "}, {"", NULL},       {"\n", NULL},       {"\nabc\n", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char out[SECRET_MAX] = "";
        int rc = read_back(table[i].contents, strlen(table[i].contents), out);
        assert_int_equal(rc, table[i].secret != NULL ? 0 : -1);
        if (table[i].secret != NULL)
            assert_string_equal(out, table[i].secret);
    }
}

static void a_long_secret_is_whole_or_refused(void **state)
{
    (void)state;
    char text[SECRET_MAX], out[SECRET_MAX];
    memset(text, 'x', sizeof text);
    assert_int_equal(read_back(text, SECRET_MAX - 1, out), 0);
    assert_int_equal(strlen(out), SECRET_MAX - 1);
    assert_int_equal(read_back(text, SECRET_MAX, out), -1);
}

static void a_missing_file_is_refused(void **state)
{
    (void)state;
    char out[SECRET_MAX];
    assert_int_equal(secret_read(folder, "none", out), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_is_the_secret),
        cmocka_unit_test(a_long_secret_is_whole_or_refused),
        cmocka_unit_test(a_missing_file_is_refused),
    };
    return cmocka_run_group_tests_name("secret", tests, make_folder, remove_folder);
}
