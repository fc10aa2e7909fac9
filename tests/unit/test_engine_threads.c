/* Sessions of one engine at the same time: nothing is lost, nothing waits for ever. Under ThreadSanitizer this is also the
 * test of the engine's locks. */
#include "common/buf.h"
#include "tds-server/engine/engine.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS 40

/* What a session was told last. */
struct heard {
    int error; /* the last error's number, 0: none since it was cleared */
    int64_t value; /* the last row's first integer */
    uint64_t count;
};

static int on_columns(void *arg, const struct engine_column *columns, size_t count)
{
    (void)arg, (void)columns, (void)count;
    return 0;
}

static int on_row(void *arg, const struct value *values, size_t count)
{
    (void)count;
    ((struct heard *)arg)->value = values[0].integer;
    return 0;
}

static int on_done(void *arg, const struct engine_done *done)
{
    ((struct heard *)arg)->count = done->count;
    return 0;
}

static int on_message(void *arg, const struct engine_message *m)
{
    if (m->severity > 10 && getenv("ENGINE_SHOW"))
        fprintf(stderr, "%d %s\n", m->number, m->text);
    if (m->severity > 10)
        ((struct heard *)arg)->error = m->number;
    return 0;
}

static int on_database(void *arg, const char *from, const char *to)
{
    (void)arg, (void)from, (void)to;
    return 0;
}

static int on_transaction(void *arg, int type, uint64_t from, uint64_t to)
{
    (void)arg, (void)type, (void)from, (void)to;
    return 0;
}

struct peer {
    struct engine *engine;
    struct engine_session *session;
    struct heard heard;
    pthread_t thread;
    int number;
    int errors;
    int victims;
};

struct world {
    char folder[64];
    struct engine *engine;
    struct peer peers[THREADS];
};

static void open_peer(struct peer *p, struct engine *e, int number)
{
    struct engine_sink sink = {on_columns, on_row, on_done, on_message, on_database, on_transaction, &p->heard};
    *p = (struct peer){.engine = e, .number = number};
    assert_int_equal(engine_session_open(e, "", &sink, &p->session), 0);
}

/* Runs a batch and returns the error's number. */
static int run(struct peer *p, const char *sql)
{
    p->heard.error = 0;
    if (engine_batch(p->session, sql, strlen(sql)) != 0)
        return -1;
    return p->heard.error;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct buf error;
    assert_non_null(w);
    buf_init(&error, 4096);
    strcpy(w->folder, "/tmp/test_threads.XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    assert_int_equal(engine_open(w->folder, false, &w->engine, &error), 0);
    for (int i = 0; i < THREADS; i++)
        open_peer(&w->peers[i], w->engine, i);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[128];
    for (int i = 0; i < THREADS; i++)
        engine_session_close(w->peers[i].session);
    engine_close(w->engine);
    snprintf(command, sizeof command, "rm -rf '%s'", w->folder);
    assert_int_equal(system(command), 0);
    free(w);
    return 0;
}

static void in_parallel(struct world *w, void *(*body)(void *))
{
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&w->peers[i].thread, NULL, body, &w->peers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(w->peers[i].thread, NULL);
}

/* ---- all insert into one table; each in transactions now and then ---- */

static void *insert_rows(void *arg)
{
    struct peer *p = arg;
    char sql[256];
    for (int i = 0; i < ROUNDS; i++) {
        bool both = i % 3 == 0;
        snprintf(sql, sizeof sql, "%sINSERT INTO d.dbo.t VALUES (%d)%s", both ? "BEGIN TRAN; " : "", p->number * 1000 + i,
                 both ? "; UPDATE d.dbo.n SET v = v + 1; COMMIT" : "");
        p->errors += run(p, sql) != 0;
    }
    return NULL;
}

static void all_rows_of_all_sessions_are_there(void **state)
{
    struct world *w = *state;
    struct peer *p = &w->peers[0];
    assert_int_equal(run(p, "CREATE DATABASE d"), 0);
    assert_int_equal(run(p, "CREATE TABLE d.dbo.t (a INT PRIMARY KEY); CREATE TABLE d.dbo.n (v INT); INSERT INTO d.dbo.n VALUES (0)"), 0);
    in_parallel(w, insert_rows);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(w->peers[i].errors, 0);
    assert_int_equal(run(p, "SELECT COUNT(*) FROM d.dbo.t"), 0);
    assert_int_equal(p->heard.value, THREADS * ROUNDS);
    assert_int_equal(run(p, "SELECT v FROM d.dbo.n"), 0);
    assert_int_equal(p->heard.value, THREADS * ((ROUNDS + 2) / 3));
}

/* ---- two write two databases in opposite order: one is the victim, the other goes on ---- */

static void *write_both(void *arg)
{
    struct peer *p = arg;
    const char *first = p->number % 2 == 0 ? "x" : "y", *second = p->number % 2 == 0 ? "y" : "x";
    char sql[256];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(sql, sizeof sql, "BEGIN TRAN; UPDATE %s.dbo.t SET a = a + 1; UPDATE %s.dbo.t SET a = a + 1; COMMIT", first, second);
        int error = run(p, sql);
        if (error == 1205) {
            p->victims++;
        } else if (error != 0) {
            fprintf(stderr, "unexpected error %d\n", error);
            p->errors++;
        }
        p->errors += engine_session_transaction(p->session) != 0;
    }
    return NULL;
}

static void a_deadlock_has_one_victim(void **state)
{
    struct world *w = *state;
    struct peer *p = &w->peers[0];
    assert_int_equal(run(p, "CREATE DATABASE x"), 0);
    assert_int_equal(run(p, "CREATE DATABASE y"), 0);
    assert_int_equal(run(p, "CREATE TABLE x.dbo.t (a INT); INSERT INTO x.dbo.t VALUES (0)"), 0);
    assert_int_equal(run(p, "CREATE TABLE y.dbo.t (a INT); INSERT INTO y.dbo.t VALUES (0)"), 0);
    in_parallel(w, write_both);
    int victims = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(w->peers[i].errors, 0);
        victims += w->peers[i].victims;
    }
    assert_int_equal(run(p, "SELECT a FROM x.dbo.t"), 0);
    assert_int_equal(p->heard.value, THREADS * ROUNDS - victims);
    assert_int_equal(run(p, "SELECT a FROM y.dbo.t"), 0);
    assert_int_equal(p->heard.value, THREADS * ROUNDS - victims);
}

/* ---- one writes in an open transaction; others read what was before, and who wants to write waits in vain ---- */

static void *work_beside_a_writer(void *arg)
{
    struct peer *p = arg;
    if (p->number > 0)
        p->errors += run(p, p->number == 1 ? "SET LOCK_TIMEOUT 20" : "SET LOCK_TIMEOUT 0") != 0;
    for (int i = 0; i < ROUNDS; i++) {
        if (p->number == 0)
            p->errors += run(p, "UPDATE w.dbo.t SET a = a + 1") != 0;
        else if (p->number == 1)
            p->errors += i < 5 && run(p, "UPDATE w.dbo.t SET a = -1") != 1222;
        else
            p->errors += run(p, "SELECT SUM(a) FROM w.dbo.t") != 0 || p->heard.value != 6;
    }
    return NULL;
}

static void readers_never_wait_and_writers_time_out(void **state)
{
    struct world *w = *state;
    struct peer *p = &w->peers[0];
    assert_int_equal(run(p, "CREATE DATABASE w"), 0);
    assert_int_equal(run(p, "CREATE TABLE w.dbo.t (a INT); INSERT INTO w.dbo.t VALUES (1), (2), (3)"), 0);
    assert_int_equal(run(p, "BEGIN TRAN; INSERT INTO w.dbo.t VALUES (4)"), 0);
    in_parallel(w, work_beside_a_writer);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(w->peers[i].errors, 0);
    assert_int_equal(run(p, "COMMIT"), 0);
    assert_int_equal(run(&w->peers[1], "SELECT SUM(a) FROM w.dbo.t"), 0);
    assert_int_equal(w->peers[1].heard.value, 10 + 4 * ROUNDS);
}

/* ---- databases and tables come and go under the others ---- */

static void *change_schema(void *arg)
{
    struct peer *p = arg;
    char sql[256];
    for (int i = 0; i < ROUNDS; i++) {
        if (p->number == 0) {
            (void)run(p, i % 2 == 0 ? "CREATE DATABASE s" : "DROP DATABASE s");
        } else if (p->number == 1) {
            (void)run(p, i % 2 == 0 ? "CREATE TABLE s.dbo.t (a INT, b INT)" : "DROP TABLE s.dbo.t");
        } else {
            if (i % 2 == 0)
                snprintf(sql, sizeof sql, "SELECT * FROM s.dbo.t WHERE a = %d", i);
            else
                snprintf(sql, sizeof sql, "INSERT INTO s.dbo.t VALUES (%d, 1)", i);
            int error = run(p, sql);
            /* 208: not there just now; 911: dropped before the lock was ours. */
            if (error != 0 && error != 208 && error != 911) {
                fprintf(stderr, "unexpected error %d\n", error);
                p->errors++;
            }
        }
    }
    return NULL;
}

static void schemas_change_under_readers_and_writers(void **state)
{
    struct world *w = *state;
    in_parallel(w, change_schema);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(w->peers[i].errors, 0);
}

/* ---- a statement sees one schema from its first name to its last, whatever is made meanwhile ---- */

static void *name_tables(void *arg)
{
    struct peer *p = arg;
    char sql[256];
    for (int i = 0; i < 15 * ROUNDS; i++) {
        if (p->number < 2)
            snprintf(sql, sizeof sql, i % 2 == 0 ? "CREATE TABLE o.dbo.u%d (a INT)" : "DROP TABLE o.dbo.u%d", p->number);
        else /* never the same text, so that no plan of before serves */
            snprintf(sql, sizeof sql, "DELETE FROM o.dbo.t WHERE a = %d", 1000 * p->number + i);
        int error = run(p, sql);
        if (error != 0) {
            fprintf(stderr, "%s: error %d\n", sql, error);
            p->errors++;
        }
    }
    return NULL;
}

static void a_statement_sees_one_schema(void **state)
{
    struct world *w = *state;
    assert_int_equal(run(&w->peers[0], "CREATE DATABASE o"), 0);
    assert_int_equal(run(&w->peers[0], "CREATE TABLE o.dbo.t (a INT)"), 0);
    in_parallel(w, name_tables);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(w->peers[i].errors, 0);
}

/* ---- cancelling ---- */

static void *wait_for_lock(void *arg)
{
    struct peer *p = arg;
    p->errors = run(p, "INSERT INTO master.dbo.l VALUES (2)");
    return NULL;
}

static void *count_for_long(void *arg)
{
    struct peer *p = arg;
    p->errors = run(p, "WITH d (n) AS (SELECT n FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) v (n)) "
                       "SELECT COUNT(*) FROM d a, d b, d c, d e, d f, d g, d h, d i, d j, d k");
    return NULL;
}

static void cancel_while(struct world *w, void *(*body)(void *))
{
    struct peer *p = &w->peers[1];
    assert_int_equal(pthread_create(&p->thread, NULL, body, p), 0);
    struct timespec pause = {0, 100000000};
    nanosleep(&pause, NULL);
    engine_cancel(p->session);
    pthread_join(p->thread, NULL);
    assert_int_equal(p->errors, -1);
    assert_int_equal(run(p, "SELECT 7"), 0);
    assert_int_equal(p->heard.value, 7);
}

static void a_cancel_ends_waiting_and_counting(void **state)
{
    struct world *w = *state;
    assert_int_equal(run(&w->peers[0], "CREATE TABLE l (a INT)"), 0);
    assert_int_equal(run(&w->peers[0], "BEGIN TRAN; INSERT INTO l VALUES (1)"), 0);
    cancel_while(w, wait_for_lock);
    assert_int_equal(run(&w->peers[0], "COMMIT"), 0);
    cancel_while(w, count_for_long);
}

/* ---- what was acknowledged is there after the engine was closed and opened ---- */

static void everything_is_there_after_a_restart(void **state)
{
    struct world *w = *state;
    struct buf error;
    buf_init(&error, 4096);
    assert_int_equal(run(&w->peers[0], "CREATE DATABASE r"), 0);
    assert_int_equal(run(&w->peers[0], "CREATE TABLE r.dbo.t (a INT); INSERT INTO r.dbo.t VALUES (5)"), 0);
    assert_int_equal(run(&w->peers[1], "BEGIN TRAN; INSERT INTO r.dbo.t VALUES (6)"), 0);
    for (int i = 0; i < THREADS; i++)
        engine_session_close(w->peers[i].session);
    engine_close(w->engine);
    assert_int_equal(engine_open(w->folder, true, &w->engine, &error), 0);
    for (int i = 0; i < THREADS; i++)
        open_peer(&w->peers[i], w->engine, i);
    assert_int_equal(run(&w->peers[0], "SELECT SUM(a) FROM r.dbo.t"), 0);
    assert_int_equal(w->peers[0].heard.value, 5);
    /* A second server on the folder is refused. */
    struct engine *second;
    assert_int_equal(engine_open(w->folder, true, &second, &error), -1);
    assert_non_null(strstr(buf_text(&error), "another server"));
    buf_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_rows_of_all_sessions_are_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deadlock_has_one_victim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_never_wait_and_writers_time_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(schemas_change_under_readers_and_writers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_statement_sees_one_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancel_ends_waiting_and_counting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(everything_is_there_after_a_restart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
