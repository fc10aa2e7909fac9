/* The engine by scripts: T-SQL through engine.h, and what a client would be told. A script in tests/data/engine is a list of
 * blocks, parted by empty lines; lines that open with '#' are comments.
 *
 *     @p1 NVARCHAR(20) Ali        parameters, each a name, a type and a value (NULL for null)
 *     @session 2                  the session that runs the block, by a number; made when it is first named
 *     @reset                      resets it first, as a connection that is taken from a pool
 *     SELECT name FROM t WHERE id = 1;
 *     ---
 *     : name NVARCHAR(20)         columns and their types; ? behind what may be null
 *     | Ali                       a row
 *     = 1                         a statement's end with its count; "=" without
 *     ! 208 16 Invalid …          an error; "~ 0 text" is information
 *     * db master -> x            what else changed
 *
 * What stands behind --- is compared to the letter. ENGINE_RECORD=1 writes the scripts with what came instead.
 */
#include "common/buf.h"
#include "tds-server/functions/convert.h"
#include "tds-server/engine/engine.h"
#include "tds-server/functions/typing.h"

#include <dirent.h>
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

#define MAX_SESSIONS 4
#define MAX_PARAMS 32
#define MAX_TEXT ((size_t)16 << 20)

/* ---- a sink that writes what it is told ---- */

static void write_value(struct buf *out, const struct value *v)
{
    struct buf scratch;
    struct value text;
    struct fault fault = {0};
    struct sqltype type = typing_string(SQLTYPE_NVARCHAR, SQLTYPE_MAX);
    enum type_class class = typing_class(v->type.kind);
    int style = v->type.kind == SQLTYPE_DATETIME ? 121 : class == TYPE_BINARY ? 1 : class == TYPE_FLOAT ? 3 : v->type.kind == SQLTYPE_MONEY ? 2 : 0;
    buf_init(&scratch, MAX_TEXT);
    if (v->null)
        buf_append_text(out, "NULL");
    else if (convert_value(v, &type, style, CONVERT_CAST, &scratch, &text, &fault) == 0)
        buf_append(out, text.bytes.data, text.bytes.len);
    else
        buf_printf(out, "(%d)", fault.number);
    buf_clear(&scratch);
}

static int on_columns(void *arg, const struct engine_column *columns, size_t count)
{
    struct buf *out = arg;
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s ", i == 0 ? ": " : ", ", columns[i].name);
        sqltype_write(&columns[i].type, out);
        buf_printf(out, "%s%s", columns[i].nullable ? "?" : "", columns[i].identity ? " IDENTITY" : "");
    }
    buf_append_char(out, '\n');
    return 0;
}

static int on_row(void *arg, const struct value *values, size_t count)
{
    struct buf *out = arg;
    for (size_t i = 0; i < count; i++) {
        buf_append_text(out, i == 0 ? "| " : " | ");
        write_value(out, &values[i]);
    }
    buf_append_char(out, '\n');
    return 0;
}

static int on_done(void *arg, const struct engine_done *done)
{
    struct buf *out = arg;
    if (done->error)
        return 0;
    if (done->has_count)
        buf_printf(out, "= %llu\n", (unsigned long long)done->count);
    else
        buf_append_text(out, "=\n");
    return 0;
}

static int on_message(void *arg, const struct engine_message *m)
{
    struct buf *out = arg;
    if (m->number == 3621)
        return 0;
    if (m->severity > 10)
        buf_printf(out, "! %d %d %s%s\n", m->number, m->severity, m->line > 1 ? "(later) " : "", m->text);
    else
        buf_printf(out, "~ %d %s\n", m->number, m->text);
    return 0;
}

static int on_database(void *arg, const char *from, const char *to)
{
    buf_printf(arg, "* db %s -> %s\n", from, to);
    return 0;
}

static int on_transaction(void *arg, int type, uint64_t from, uint64_t to)
{
    (void)from, (void)to;
    buf_printf(arg, "* %s\n", type == 8 ? "begin" : type == 9 ? "commit" : "rollback");
    return 0;
}

/* ---- a script ---- */

struct script {
    struct engine *engine;
    struct engine_session *sessions[MAX_SESSIONS];
    struct buf out; /* where the sessions write */
    struct engine_param params[MAX_PARAMS];
    struct buf values[MAX_PARAMS];
    char names[MAX_PARAMS][64];
    size_t param_count;
    int session;
};

static struct engine_session *session(struct script *s)
{
    struct engine_sink sink = {on_columns, on_row, on_done, on_message, on_database, on_transaction, &s->out};
    if (!s->sessions[s->session])
        assert_int_equal(engine_session_open(s->engine, "", &sink, &s->sessions[s->session]), 0);
    return s->sessions[s->session];
}

/* "@p1 NVARCHAR(20) Ali" */
static void read_param(struct script *s, const char *line, size_t len)
{
    size_t i = s->param_count++;
    const char *type = memchr(line, ' ', len);
    assert_non_null(type);
    const char *text = memchr(type + 1, ' ', len - (size_t)(type + 1 - line));
    assert_non_null(text);
    struct engine_param *p = &s->params[i];
    snprintf(s->names[i], sizeof s->names[i], "%.*s", (int)(type - line), line);
    *p = (struct engine_param){.name = s->names[i]};
    struct sqltype to;
    struct fault fault = {0};
    assert_true(sqltype_parse(type + 1, (size_t)(text - type - 1), &to));
    struct value in = {.type = typing_string(SQLTYPE_NVARCHAR, SQLTYPE_MAX)};
    in.bytes.data = text + 1;
    in.bytes.len = len - (size_t)(text + 1 - line);
    in.null = in.bytes.len == 4 && memcmp(in.bytes.data, "NULL", 4) == 0;
    buf_clear(&s->values[i]);
    buf_init(&s->values[i], MAX_TEXT);
    assert_int_equal(convert_value(&in, &to, typing_class(to.kind) == TYPE_BINARY, CONVERT_CAST, &s->values[i], &p->value, &fault), 0);
}

static void run_block(struct script *s, const struct buf *sql)
{
    struct engine_session *on = session(s);
    int result = s->param_count > 0 ? engine_execute(on, buf_text(sql), sql->len, s->params, s->param_count)
                                    : engine_batch(on, buf_text(sql), sql->len);
    if (result != 0)
        buf_append_text(&s->out, "stopped\n");
}

static void close_script(struct script *s)
{
    for (size_t i = 0; i < MAX_SESSIONS; i++)
        engine_session_close(s->sessions[i]);
    engine_close(s->engine);
    for (size_t i = 0; i < MAX_PARAMS; i++)
        buf_clear(&s->values[i]);
    buf_clear(&s->out);
}

static void remove_folder(const char *folder)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* Runs the script and writes it with what came to `actual`. */
static void run_script(const char *text, struct buf *actual)
{
    struct script s = {0};
    struct buf error, sql;
    char folder[] = "/tmp/test_engine.XXXXXX";
    buf_init(&error, MAX_TEXT);
    buf_init(&sql, MAX_TEXT);
    buf_init(&s.out, MAX_TEXT);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(engine_open(folder, false, &s.engine, &error), 0);
    bool expected = false; /* behind --- */
    for (const char *p = text; *p != '\0';) {
        const char *end = strchr(p, '\n');
        size_t len = end ? (size_t)(end - p) : strlen(p);
        if (len == 0) {
            expected = false;
            buf_append_char(actual, '\n');
        } else if (strncmp(p, "---", len) == 0 && len == 3) {
            expected = true;
            buf_append_text(actual, "---\n");
            buf_reset(&s.out);
            run_block(&s, &sql);
            buf_append(actual, buf_text(&s.out), s.out.len);
            buf_reset(&sql);
            s.param_count = 0;
            s.session = 0;
        } else if (!expected) {
            buf_append(actual, p, len);
            buf_append_char(actual, '\n');
            if (strncmp(p, "@session ", 9) == 0)
                s.session = atoi(p + 9) % MAX_SESSIONS;
            else if (len == 6 && strncmp(p, "@reset", 6) == 0)
                engine_session_reset(session(&s), false);
            else if (*p == '@')
                read_param(&s, p, len);
            else if (*p != '#') {
                buf_append(&sql, p, len);
                buf_append_char(&sql, '\n');
            }
        }
        p += end ? len + 1 : len;
    }
    close_script(&s);
    remove_folder(folder);
    buf_clear(&sql);
    buf_clear(&error);
}

static void read_file(const char *path, struct buf *out)
{
    char chunk[4096];
    size_t n;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_append(out, chunk, n);
    fclose(f);
}

/* Shows the first line that differs. */
static void compare(const char *path, const char *expected, const char *actual)
{
    size_t line = 1, start = 0;
    for (size_t i = 0; expected[i] == actual[i]; i++) {
        if (expected[i] == '\0')
            return;
        if (expected[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    fail_msg("%s:%zu: expected\n%.*s\ngot\n%.*s", path, line, (int)strcspn(expected + start, "\n"), expected + start,
             (int)strcspn(actual + start, "\n"), actual + start);
}

static void script_tells_what_is_expected(void **state)
{
    const char *path = *state;
    struct buf text, actual;
    buf_init(&text, MAX_TEXT);
    buf_init(&actual, MAX_TEXT);
    read_file(path, &text);
    run_script(buf_text(&text), &actual);
    if (getenv("ENGINE_RECORD")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fwrite(actual.data, 1, actual.len, f);
        fclose(f);
    } else {
        compare(path, buf_text(&text), buf_text(&actual));
    }
    buf_clear(&text);
    buf_clear(&actual);
}

#define MAX_SCRIPTS 100

/* All scripts of the folder, or those that are named as arguments (without the folder and the ending). */
int main(int argc, char **argv)
{
    static char paths[MAX_SCRIPTS][1024];
    static struct CMUnitTest tests[MAX_SCRIPTS];
    size_t count = 0;
    struct dirent **entries = NULL;
    int n = scandir(TEST_DATA "/engine", &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char *end = strstr(entries[i]->d_name, ".tsql");
        bool wanted = end && end[5] == '\0' && argc == 1;
        for (int j = 1; end && j < argc; j++)
            wanted |= strlen(argv[j]) == (size_t)(end - entries[i]->d_name) && strncmp(argv[j], entries[i]->d_name, strlen(argv[j])) == 0;
        if (wanted && count < MAX_SCRIPTS) {
            snprintf(paths[count], sizeof paths[count], "%s/engine/%s", TEST_DATA, entries[i]->d_name);
            tests[count] = (struct CMUnitTest){strrchr(paths[count], '/') + 1, script_tells_what_is_expected, NULL, NULL, paths[count]};
            count++;
        }
        free(entries[i]);
    }
    free(entries);
    if (count == 0) {
        fprintf(stderr, "no scripts in %s/engine\n", TEST_DATA);
        return 1;
    }
    return _cmocka_run_group_tests("engine", tests, count, NULL, NULL);
}
