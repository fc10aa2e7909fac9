/* cluster.json: defaults, values, and messages that name the line and the key. */
#include "common/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/test_cluster.XXXXXX";

static int load(const char *text, struct cluster *c, struct buf *error)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    buf_init(error, 4096);
    return cluster_load(path, c, error);
}

static void load_well(const char *text, struct cluster *c)
{
    struct buf error;
    int rc = load(text, c, &error);

    assert_string_equal(buf_text(&error), "");
    assert_int_equal(rc, 0);
    buf_clear(&error);
}

static void check_defaults(const struct cluster *c)
{
    static const char *const names[] = {"go", "python", "node"};
    static const char *const suffixes[] = {"GO", "PY", "NODE"};

    assert_string_equal(c->bind, "127.0.0.1");
    assert_int_equal(c->master_port, 8080);
    assert_string_equal(c->master_role, "primary");
    assert_int_equal(c->max_body, 8 * 1024 * 1024);
    assert_int_equal(c->timeout_ms, 5000);
    assert_int_equal(c->limits.max_rows, 10000000);
    assert_int_equal(c->limits.max_groups, 1000000);
    assert_int_equal(c->worker_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct cluster_worker *w = &c->workers[i];

        assert_string_equal(w->name, names[i]);
        assert_string_equal(w->suffix, suffixes[i]);
        assert_int_equal(w->port, 8081 + (int)i);
        assert_true(w->threads > 0);
        assert_true(w->tds.embedded);
        assert_int_equal(w->tds.port, 14331 + (int)i);
        assert_string_equal(w->tds.host, "127.0.0.1");
        assert_string_equal(w->tds.user, "sa");
        assert_string_equal(w->tds.password_file, "secrets/tds");
        assert_string_equal(w->tds.encrypt, "off");
        assert_null(w->tds.ca_file);
    }
}

static void test_everything_has_a_default(void **state)
{
    static const char *const texts[] = {"{}", " // nothing\n{ /* at \n all */ }\n", "{\"master\": {}}",
                                        "{\"workers\": [{}, {\"tds\": {}}, {\"name\": \"node\"}]}"};
    struct cluster c;
    struct buf error;

    (void)state;
    buf_init(&error, 4096);
    assert_int_equal(cluster_load(NULL, &c, &error), 0);
    check_defaults(&c);
    cluster_clear(&c);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        load_well(texts[i], &c);
        check_defaults(&c);
        cluster_clear(&c);
    }
    buf_clear(&error);
}

static void test_values_are_taken(void **state)
{
    struct cluster c;

    (void)state;
    load_well("{ \"bind\": \"0.0.0.0\", // all of them\n"
              "  \"max_body\": 1048576, \"timeout_ms\": 750, \"limits\": {\"max_rows\": 5, \"max_groups\": 7, \"max_memory\": 2097152, \"max_scatter\": 2},\n"
              "  \"master\": { \"port\": 9000, \"role\": \"backup\", \"threads\": 2 },\n"
              "  \"workers\": [\n"
              "    { \"name\": \"alpha-1\", \"port\": 9001, \"threads\": 3, \"lanes\": 5, \"tds\": { \"embedded\": true, \"port\": 9101 } },\n"
              "    { \"name\": \"b\", \"suffix\": \"Bee_2\", \"port\": 9002, \"tds\": { \"host\": \"sql2.example\", \"user\": \"//x\",\n"
              "      \"password_file\": \"secrets/sql2\", \"ca_file\": null } },\n"
              "    { \"name\": \"c\", \"tds\": { \"host\": \"10.0.0.1\", \"port\": 1444, \"encrypt\": \"request\", \"password_file\": \"/p\",\n"
              "      \"ca_file\": \"/ca.pem\" } } ] }",
              &c);
    assert_string_equal(c.bind, "0.0.0.0");
    assert_string_equal(cluster_address(&c), "127.0.0.1");
    assert_int_equal(c.max_body, 1048576);
    assert_int_equal(c.timeout_ms, 750);
    assert_int_equal(c.limits.max_rows, 5);
    assert_int_equal(c.limits.max_groups, 7);
    assert_int_equal(c.limits.max_memory, 2097152);
    assert_int_equal(c.limits.max_scatter, 2);
    assert_int_equal(c.master_port, 9000);
    assert_string_equal(c.master_role, "backup");
    assert_int_equal(c.master_threads, 2);
    assert_int_equal(c.worker_count, 3);

    assert_string_equal(c.workers[0].name, "alpha-1");
    assert_string_equal(c.workers[0].suffix, "ALPHA_1");
    assert_int_equal(c.workers[0].port, 9001);
    assert_int_equal(c.workers[0].threads, 3);
    assert_int_equal(c.workers[0].lanes, 5);
    assert_int_equal(c.workers[1].lanes, 8);
    assert_true(c.workers[0].tds.embedded);
    assert_string_equal(c.workers[0].tds.host, "127.0.0.1");
    assert_int_equal(c.workers[0].tds.port, 9101);

    assert_string_equal(c.workers[1].suffix, "Bee_2");
    assert_false(c.workers[1].tds.embedded);
    assert_string_equal(c.workers[1].tds.host, "sql2.example");
    assert_int_equal(c.workers[1].tds.port, 1433);
    assert_string_equal(c.workers[1].tds.user, "//x");
    assert_string_equal(c.workers[1].tds.password_file, "secrets/sql2");
    assert_string_equal(c.workers[1].tds.encrypt, "require");
    assert_null(c.workers[1].tds.ca_file);

    assert_int_equal(c.workers[2].port, 8083);
    assert_int_equal(c.workers[2].tds.port, 1444);
    assert_string_equal(c.workers[2].tds.encrypt, "request");
    assert_string_equal(c.workers[2].tds.ca_file, "/ca.pem");
    cluster_clear(&c);
}

/* What is wrong, and the beginning of the message behind the file's name. */
static const struct {
    const char *text, *message;
} refused[] = {
    {"", ":1: "},
    {"[]", ":1: "},
    {"{\n\n\"workers\": [}", ":3: "},
    {"{\n/* no end\n}", ":2: the comment has no end"},
    {"{\"bind\": \"127.0.0.1\",\n\"bind\": \"127.0.0.1\"}", ":2: duplicate key"},
    {"{\"bind\": 'x'}", ":1: "},
    {"{\n  \"master\": {\"prot\": 8080}\n}", ":2: key 'master.prot': there is no such key"},
    {"{\"mister\": 1}", ":1: key 'mister': there is no such key"},
    {"{\"a\\nb\": 1}", ":1: key 'a?b': there is no such key"},
    {"{\"bind\": \"localhost\"}", ":1: key 'bind': an IPv4 address was expected"},
    {"{\"bind\": null}", ":1: key 'bind': an IPv4 address was expected"},
    {"{\"bind\": \"127.0.0.1\\u0000\"}", ":1: key 'bind': "},
    {"{\"master\":\n{\"port\": \"x\"}}", ":2: key 'master.port': an integer from 1 to 65535 was expected"},
    {"{\"master\": {\"port\": 0}}", ":1: key 'master.port': "},
    {"{\"master\": {\"port\": 65536}}", ":1: key 'master.port': "},
    {"{\"master\": {\"port\": 80.0}}", ":1: key 'master.port': "},
    {"{\"master\": {\"port\": -80}}", ":1: key 'master.port': "},
    {"{\"master\": {\"role\": \"king\"}}", ":1: key 'master.role': \"primary\" or \"backup\" was expected"},
    {"{\"master\": []}", ":1: key 'master': an object was expected"},
    {"{\"max_body\": 99999999999}", ":1: key 'max_body': "},
    {"{\"workers\": {}}", ":1: key 'workers': an array was expected"},
    {"{\"workers\": []}", ":1: key 'workers': 1 to 256 workers were expected"},
    {"{\"workers\": [{},\n3]}", ":2: key 'workers[1]': an object was expected"},
    {"{\"workers\": [{\"name\": \"a\"},\n{\"name\":\n\"../b\"}]}", ":2: key 'workers[1].name': "},
    {"{\"workers\": [{\"name\": \"A\"}]}", ":1: key 'workers[0].name': "},
    {"{\"workers\": [{\"suffix\": \"A-B\"}]}", ":1: key 'workers[0].suffix': "},
    {"{\"workers\": [{\"suffix\": \"12345678901234567\"}]}", ":1: key 'workers[0].suffix': "},
    {"{\"workers\": [{\"name\": \"a\"},\n{\n\"name\": \"a\"}]}", ":3: key 'workers[1].name': 'a' is that of workers[0] already"},
    {"{\"workers\": [{\"suffix\": \"a\"},\n{\"suffix\": \"A\"}]}", ":2: key 'workers[1].suffix': 'A' is that of workers[0] already"},
    {"{\"workers\": [{\"port\": 8080}]}", ":1: key 'workers[0].port': port 8080 is that of master.port already"},
    {"{\"workers\": [{\"port\": 7001},\n{},\n{\"tds\": {\"port\": 7001}}]}",
     ":3: key 'workers[2].tds.port': port 7001 is that of workers[0].port already"},
    {"{\"workers\": [{\"tds\": null}]}", ":1: key 'workers[0].tds': an object was expected"},
    {"{\"workers\": [{\"tds\": {\"embedded\": 1}}]}", ":1: key 'workers[0].tds.embedded': true or false was expected"},
    {"{\"workers\": [{\"tds\": {\"embedded\": false}}]}", ":1: key 'workers[0].tds.host': a server that is not embedded needs it"},
    {"{\"workers\": [{\"tds\": {\"host\": \"h\"}}]}", ":1: key 'workers[0].tds.password_file': a server that is not"},
    {"{\"workers\": [{\"tds\": {\"host\": \"h;DRIVER=x\"}}]}", ":1: key 'workers[0].tds.host': "},
    {"{\"workers\": [{\"tds\": {\"embedded\": true,\n\"host\": \"h\"}}]}", ":2: key 'workers[0].tds.host': only a server that is not"},
    {"{\"workers\": [{\"tds\": {\"user\": \"me\"}}]}", ":1: key 'workers[0].tds.user': only a server that is not"},
    {"{\"workers\": [{\"tds\": {\"encrypt\": \"on\"}}]}", ":1: key 'workers[0].tds.encrypt': "},
    {"{\"workers\": [{\"tds\": {\"ca_file\": \"a\\nb\"}}]}", ":1: key 'workers[0].tds.ca_file': "},
};

static void test_messages_name_line_and_key(void **state)
{
    char expected[256];

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct cluster c;
        struct buf error;

        if (load(refused[i].text, &c, &error) != -1)
            fail_msg("taken: %s", refused[i].text);
        snprintf(expected, sizeof(expected), "%s%s", path, refused[i].message);
        if (strncmp(buf_text(&error), expected, strlen(expected)) != 0)
            fail_msg("%s\n  said     %s\n  expected %s", refused[i].text, buf_text(&error), expected);
        buf_clear(&error);
        cluster_clear(&c);
    }
}

static void test_a_missing_file_is_named(void **state)
{
    struct cluster c;
    struct buf error;

    (void)state;
    buf_init(&error, 4096);
    assert_int_equal(cluster_load("/nonexistent/cluster.json", &c, &error), -1);
    assert_string_equal(buf_text(&error), "/nonexistent/cluster.json: No such file or directory");
    buf_reset(&error);
    cluster_clear(&c);
    assert_int_equal(cluster_load("/", &c, &error), -1);
    assert_string_equal(buf_text(&error), "/: Is a directory");
    buf_clear(&error);
    cluster_clear(&c);
}

static void test_environment_wins(void **state)
{
    struct cluster c;
    struct buf error;

    (void)state;
    setenv("MASTER_PORT", "8084", 1);
    setenv("MASTER_ROLE", "backup", 1);
    load_well("{\"master\": {\"port\": 9000, \"role\": \"primary\"}}", &c);
    assert_int_equal(c.master_port, 8084);
    assert_string_equal(c.master_role, "backup");
    cluster_clear(&c);

    setenv("MASTER_PORT", "80x", 1);
    assert_int_equal(load("{}", &c, &error), -1);
    assert_string_equal(buf_text(&error), "environment: MASTER_PORT: an integer from 1 to 65535 was expected");
    buf_clear(&error);
    cluster_clear(&c);
    unsetenv("MASTER_PORT");

    setenv("MASTER_ROLE", "king", 1);
    assert_int_equal(load("{}", &c, &error), -1);
    assert_string_equal(buf_text(&error), "environment: MASTER_ROLE: \"primary\" or \"backup\" was expected");
    buf_clear(&error);
    cluster_clear(&c);
    unsetenv("MASTER_ROLE");
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    unsetenv("MASTER_PORT");
    unsetenv("MASTER_ROLE");
    return fd >= 0 ? close(fd) : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_has_a_default), cmocka_unit_test(test_values_are_taken),
        cmocka_unit_test(test_messages_name_line_and_key), cmocka_unit_test(test_a_missing_file_is_named),
        cmocka_unit_test(test_environment_wins),
    };

    return cmocka_run_group_tests_name("cluster", tests, make_file, remove_file);
}
