/* The disk fills up, or fails to sync, while the engine works: the statement that met it reports error 1105 and leaves
 * nothing, what was acknowledged stays, and work goes on when there is space again.
 *
 * SHARDGATE_SEED=N takes other work and other moments; a failure names it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tds-server/engine/engine.h"
#include "tests/faults/ledger.h"
#include "tests/faults/powercut.h"
#include "tests/faults/scratch.h"

#define MOMENTS 60
#define CHANGES 120 /* of a run */
#define REFUSED 3   /* changes that are tried while there is no space */
#define ERROR_FULL 1105
#define ERROR_LOG 9001 /* the database is given up */

static char live[PATH_MAX], after[PATH_MAX];

static uint64_t seed_setting(void)
{
    const char *text = getenv("SHARDGATE_SEED");
    return text ? strtoull(text, NULL, 10) : 1;
}

static struct engine *open_engine(const char *folder)
{
    struct engine *e = NULL;
    struct buf error;
    buf_init(&error, 1000);
    if (engine_open(folder, true, &e, &error) < 0)
        print_error("# %s\n", buf_text(&error));
    buf_clear(&error);
    assert_non_null(e);
    return e;
}

static struct engine *prepare(struct ledger *l, struct client *c, uint64_t seed)
{
    scratch_empty(live);
    powercut_watch(live);
    struct engine *e = open_engine(live);
    assert_true(client_open(c, e, "") && client_run(c, "CREATE DATABASE Bank") && client_run(c, "USE Bank") && ledger_create(c, 1));
    ledger_init(l, 0, seed);
    return e;
}

/* Makes changes until one fails, at most `most`. true: one did, and its error is in `c`. */
static bool fails_within(struct ledger *l, struct client *c, int most)
{
    for (int i = 0; i < most; i++) {
        if (!ledger_change(l, c))
            return true;
    }
    return false;
}

/* Ends what the failed change has left open, as clients do. */
static void clean_up(struct client *c)
{
    int error = c->error;
    assert_true(client_run(c, "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"));
    c->error = error;
}

static void assert_as_acknowledged(const struct ledger *l, struct client *c)
{
    struct ledger_losses losses = {0};
    ledger_compare(l, c, &losses);
    assert_int_equal(losses.missing, 0);
    assert_int_equal(losses.torn, 0);
    assert_int_equal(losses.broken, 0);
}

/* Closes all in peace, opens the folder anew and compares. */
static void assert_clean_start(const struct ledger *l, struct engine *e, struct client *c, const char *folder)
{
    client_close(c);
    engine_close(e);
    powercut_watch("");
    e = open_engine(folder);
    assert_true(client_open(c, e, "Bank"));
    assert_as_acknowledged(l, c);
    client_close(c);
    engine_close(e);
}

/* How many operations of the disk all the changes take, when nothing fails. */
static uint64_t count_operations(uint64_t seed)
{
    struct ledger *l = calloc(1, sizeof *l);
    struct client c;
    assert_non_null(l);
    struct engine *e = prepare(l, &c, seed);
    uint64_t before = powercut_operations();
    assert_false(fails_within(l, &c, CHANGES));
    uint64_t operations = powercut_operations() - before;
    assert_clean_start(l, e, &c, live);
    free(l);
    return operations;
}

static void a_full_disk_refuses_and_loses_nothing(void **state)
{
    (void)state;
    uint64_t seed = seed_setting(), operations = count_operations(seed);
    int refused = 0, acknowledged = 0;
    struct ledger *l = calloc(1, sizeof *l);
    assert_non_null(l);
    for (uint64_t i = 0; i < MOMENTS; i++) {
        struct client c;
        struct engine *e = prepare(l, &c, seed);
        powercut_fill(1 + operations * i / MOMENTS);
        if (!fails_within(l, &c, CHANGES)) {
            assert_clean_start(l, e, &c, live);
            continue;
        }
        for (int k = 0; k < REFUSED; k++) {
            clean_up(&c);
            if (c.error != ERROR_FULL)
                fail_msg("moment %d: error %d, %s", (int)i, c.error, c.text);
            ledger_give_up(l);
            assert_as_acknowledged(l, &c);
            refused++;
            if (!fails_within(l, &c, CHANGES))
                fail_msg("moment %d: there is space", (int)i);
        }
        clean_up(&c);
        ledger_give_up(l);
        assert_true(powercut_refusals() > 0);
        powercut_fill(0);
        assert_false(fails_within(l, &c, CHANGES / 4));
        acknowledged += l->changes;
        assert_as_acknowledged(l, &c);
        assert_clean_start(l, e, &c, live);
    }
    free(l);
    print_message("# %d moments, %d changes refused, %d acknowledged\n", MOMENTS, refused, acknowledged);
    assert_true(refused > MOMENTS);
}

/* The server stops while there is no space, and starts while there still is none. */
static void a_server_starts_on_a_full_disk(void **state)
{
    (void)state;
    uint64_t seed = seed_setting(), operations = count_operations(seed);
    struct ledger *l = calloc(1, sizeof *l);
    assert_non_null(l);
    for (uint64_t i = 0; i < MOMENTS / 4; i++) {
        struct client c;
        struct engine *e = prepare(l, &c, seed);
        powercut_fill(1 + operations * i / (MOMENTS / 4));
        bool failed = fails_within(l, &c, CHANGES);
        client_close(&c);
        engine_close(e);
        if (failed)
            ledger_give_up(l);
        e = open_engine(live);
        assert_true(client_open(&c, e, "Bank"));
        assert_as_acknowledged(l, &c);
        powercut_fill(0);
        ledger_new_session(l);
        assert_false(fails_within(l, &c, CHANGES / 4));
        assert_clean_start(l, e, &c, live);
    }
    free(l);
}

/* The power goes while there is no space. */
static void a_cut_on_a_full_disk_loses_nothing(void **state)
{
    (void)state;
    uint64_t seed = seed_setting(), operations = count_operations(seed);
    struct ledger *l = calloc(1, sizeof *l);
    assert_non_null(l);
    for (uint64_t i = 0; i < MOMENTS; i++) {
        struct client c;
        struct engine *e = prepare(l, &c, seed);
        powercut_fill(1 + operations * i / MOMENTS);
        if (fails_within(l, &c, CHANGES)) {
            clean_up(&c);
            ledger_give_up(l);
            (void)fails_within(l, &c, 2);
        }
        powercut_arm(1);
        client_close(&c);
        engine_close(e);
        scratch_empty(after);
        assert_int_equal(powercut_write_disk(after, seed + i), 0);
        powercut_watch("");
        e = open_engine(after);
        assert_true(client_open(&c, e, "Bank"));
        assert_as_acknowledged(l, &c);
        client_close(&c);
        engine_close(e);
    }
    free(l);
}

/* Linux forgets what a failed sync should have written: only what is written again may be relied on. So the database is
 * refused until the server starts anew; what was acknowledged is there then, and stays there after a power cut. */
static void a_failed_sync_loses_nothing_acknowledged(void **state)
{
    (void)state;
    uint64_t seed = seed_setting();
    int failures = 0;
    struct ledger *l = calloc(1, sizeof *l);
    assert_non_null(l);
    for (uint64_t i = 0; i < MOMENTS; i++) {
        struct ledger_losses losses = {0};
        struct client c = {0};
        struct engine *e = prepare(l, &c, seed);
        powercut_fail_sync(1 + i);
        if (fails_within(l, &c, CHANGES)) {
            failures++;
            assert_true(c.error == ERROR_FULL || c.error == ERROR_LOG);
            if (c.error == ERROR_LOG) {
                assert_false(client_run(&c, "SELECT COUNT(*) FROM Items"));
                assert_int_equal(c.error, ERROR_LOG);
                assert_false(client_run(&c, "INSERT INTO Accounts (id, amount) VALUES (-1, 0)"));
                assert_int_equal(c.error, ERROR_LOG);
            }
            client_close(&c);
            engine_close(e);
            e = open_engine(live);
            assert_true(client_open(&c, e, "Bank"));
            assert_true(ledger_settle(l, &c, &losses));
            ledger_new_session(l);
            assert_false(fails_within(l, &c, (int)(i % 20)));
        }
        powercut_arm(1);
        client_close(&c);
        engine_close(e);
        scratch_empty(after);
        assert_int_equal(powercut_write_disk(after, seed + i), 0);
        powercut_watch("");
        e = open_engine(after);
        assert_true(client_open(&c, e, "Bank"));
        assert_int_equal(losses.missing + losses.torn + losses.broken, 0);
        assert_as_acknowledged(l, &c);
        client_close(&c);
        engine_close(e);
    }
    free(l);
    assert_true(failures > MOMENTS / 2);
}

/* CREATE DATABASE and CREATE TABLE that found no space can be repeated when there is some. */
static void what_could_not_be_made_is_made_later(void **state)
{
    (void)state;
    struct ledger *l = calloc(1, sizeof *l);
    struct client c;
    assert_non_null(l);
    struct engine *e = prepare(l, &c, 1);
    assert_true(client_run(&c, "USE master"));
    int refused = 0;
    bool made = false;
    for (unsigned i = 1; !made; i++) {
        powercut_fill(i);
        made = client_run(&c, "CREATE DATABASE Late");
        refused += !made;
        if (!made)
            assert_int_equal(c.error, ERROR_FULL);
        powercut_fill(0);
        if (!made && i % 4 == 0) {
            assert_true(client_run(&c, "CREATE DATABASE Late"));
            assert_true(client_run(&c, "DROP DATABASE Late"));
        }
    }
    assert_true(client_run(&c, "USE Late"));
    for (unsigned i = 1; i == 1 || !made; i++) {
        powercut_fill(i);
        made = client_run(&c, "CREATE TABLE T (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) UNIQUE)");
        refused += !made;
        if (!made)
            assert_int_equal(c.error, ERROR_FULL);
        powercut_fill(0);
    }
    assert_true(refused > 5);
    assert_true(client_run(&c, "INSERT INTO T (id, name) VALUES (1, 'one')"));
    assert_true(client_run(&c, "USE Bank"));
    assert_clean_start(l, e, &c, live);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_refuses_and_loses_nothing),
        cmocka_unit_test(a_server_starts_on_a_full_disk),
        cmocka_unit_test(a_cut_on_a_full_disk_loses_nothing),
        cmocka_unit_test(a_failed_sync_loses_nothing_acknowledged),
        cmocka_unit_test(what_could_not_be_made_is_made_later),
    };
    if (powercut_install() < 0 || scratch_make(live) < 0 || scratch_make(after) < 0)
        return EXIT_FAILURE;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(live);
    scratch_remove(after);
    return failed;
}
