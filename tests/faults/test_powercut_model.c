/* The power cuts that the fault tests stand on tell good from bad: SQLite's settings that are known to keep what was
 * committed keep it, and those that are known to lose it do. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "tests/faults/powercut.h"
#include "tests/faults/scratch.h"

#define CUTS 60
#define TRANSACTIONS 60
#define ROWS 3 /* of a transaction */

struct losses {
    int cuts;    /* that hit before the work was done */
    int missing; /* transactions that were committed and are not there */
    int torn;    /* that are there in part */
    int corrupt; /* databases that are none any more */
};

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* How many transactions were committed before the power went. */
static int work(const char *path, const char *pragmas)
{
    sqlite3 *db = NULL;
    int committed = 0;
    if (sqlite3_open(path, &db) == SQLITE_OK && run(db, pragmas) == SQLITE_OK) {
        while (committed < TRANSACTIONS) {
            char sql[512];
            snprintf(sql, sizeof sql,
                     "BEGIN; INSERT INTO t VALUES (%d, hex(randomblob(300)));"
                     "INSERT INTO t VALUES (%d, hex(randomblob(300))); INSERT INTO t VALUES (%d, hex(randomblob(300))); COMMIT",
                     committed, committed, committed);
            if (run(db, sql) != SQLITE_OK)
                break;
            committed++;
        }
    }
    sqlite3_close(db);
    return committed;
}

static int count(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int n = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

static void inspect(const char *path, int committed, struct losses *l)
{
    sqlite3 *db = NULL;
    char sql[128];
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int ok = count(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'");
    snprintf(sql, sizeof sql, "SELECT count(DISTINCT k) FROM t WHERE k < %d", committed);
    int there = count(db, sql);
    int torn = count(db, "SELECT count(*) FROM (SELECT k FROM t GROUP BY k HAVING count(*) <> 3)");
    sqlite3_close(db);
    if (ok != 1 || there < 0 || torn < 0) {
        l->corrupt++;
        return;
    }
    l->missing += committed - there;
    l->torn += torn;
}

/* Cuts the power at CUTS moments of the work, and adds up what the databases lost. */
static struct losses play(const char *pragmas)
{
    struct losses l = {0};
    char live[PATH_MAX], after[PATH_MAX], path[PATH_MAX + 16];
    uint64_t operations = 0;
    assert_int_equal(scratch_make(live), 0);
    assert_int_equal(scratch_make(after), 0);
    for (int i = 0; i <= CUTS; i++) {
        sqlite3 *db = NULL;
        powercut_watch(live);
        snprintf(path, sizeof path, "%s/t.db", live);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(run(db, "PRAGMA synchronous=EXTRA; PRAGMA journal_mode=DELETE; CREATE TABLE t (k INTEGER, v TEXT)"), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        /* The first round is not cut: it tells how much there is to cut. */
        uint64_t before = powercut_operations();
        powercut_arm(i > 0 ? 1 + operations * (uint64_t)(i - 1) / CUTS : 0);
        int committed = work(path, pragmas);
        if (i == 0) {
            assert_int_equal(committed, TRANSACTIONS);
            operations = powercut_operations() - before;
        } else {
            l.cuts += powercut_happened();
            assert_int_equal(powercut_write_disk(after, (uint64_t)i), 0);
            powercut_watch("");
            snprintf(path, sizeof path, "%s/t.db", after);
            inspect(path, committed, &l);
        }
        powercut_watch("");
        scratch_empty(live);
        scratch_empty(after);
    }
    scratch_remove(live);
    scratch_remove(after);
    print_message("# %s: %d cuts, %d missing, %d torn, %d corrupt\n", pragmas, l.cuts, l.missing, l.torn, l.corrupt);
    return l;
}

static void settings_that_sync_lose_nothing(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=5",
        "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA",
        "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=EXTRA",
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct losses l = play(settings[i]);
        assert_true(l.cuts > CUTS / 2);
        assert_int_equal(l.missing, 0);
        assert_int_equal(l.torn, 0);
        assert_int_equal(l.corrupt, 0);
    }
}

/* Its checksums keep the WAL whole, but the end of it is not synced. */
static void a_wal_that_is_not_synced_loses_its_end(void **state)
{
    (void)state;
    struct losses l = play("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=20");
    assert_true(l.missing > 0);
    assert_int_equal(l.torn, 0);
    assert_int_equal(l.corrupt, 0);
}

/* The deletion of the journal is the commit, and FULL does not sync it: the transaction comes back to be rolled back. */
static void a_journal_whose_deletion_is_not_synced_rolls_back(void **state)
{
    (void)state;
    struct losses l = play("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL");
    assert_true(l.missing > 0);
    assert_int_equal(l.torn, 0);
    assert_int_equal(l.corrupt, 0);
}

static void no_syncs_at_all_corrupt(void **state)
{
    (void)state;
    struct losses l = play("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=5");
    assert_true(l.missing > 0);
    assert_true(l.corrupt > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_sync_lose_nothing),
        cmocka_unit_test(a_wal_that_is_not_synced_loses_its_end),
        cmocka_unit_test(a_journal_whose_deletion_is_not_synced_rolls_back),
        cmocka_unit_test(no_syncs_at_all_corrupt),
    };
    if (powercut_install() < 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
