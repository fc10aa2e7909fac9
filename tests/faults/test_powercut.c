/* The power goes at hundreds of moments: whatever the engine has acknowledged is there afterwards, nothing is half there.
 *
 * SHARDGATE_CUTS=N takes another number of moments, SHARDGATE_SEED=N another choice of moments, work and disks; a failure
 * names both. With several writers the threads' order is the scheduler's, so that a seed leads near the same moment only.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>

#include <sqlite3.h>

#include "tds-server/engine/engine.h"
#include "tds-server/engine/functions.h"
#include "tests/faults/ledger.h"
#include "tests/faults/powercut.h"
#include "tests/faults/scratch.h"

#if defined(__SANITIZE_ADDRESS__)
#define CUTS 12               /* of a scenario: the sanitizers look at the code, and need fewer moments */
#else
#define CUTS 50
#endif
#define CHANGES 150           /* of a writer */
#define CHANGES_OF_SESSION 20 /* before the writer takes another session */
#define MAX_WRITERS 3
#define SLOW_SYNC_US 200
#define DATABASES 12          /* that the scenario of CREATE and DROP DATABASE makes */

static char live[PATH_MAX], after[PATH_MAX], later[PATH_MAX];

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static struct engine *open_engine(const char *folder, bool durable)
{
    struct engine *e = NULL;
    struct buf error;
    buf_init(&error, 1000);
    if (engine_open(folder, durable, &e, &error) < 0) {
        if (!powercut_happened())
            print_error("# %s\n", buf_text(&error));
        e = NULL;
    }
    buf_clear(&error);
    return e;
}

/* ---- SQLite's own word ---- */

static bool is_whole(const char *folder, const char *file, bool say)
{
    char path[PATH_MAX + NAME_MAX + 2];
    struct functions f = {0};
    struct fault fault = {0};
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    f.fault = &fault;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    bool whole = sqlite3_open(path, &db) == SQLITE_OK && functions_register(db, &f) == SQLITE_OK &&
                 sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
    if (whole && strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0) {
        if (say)
            print_error("# %s: %s\n", file, (const char *)sqlite3_column_text(stmt, 0));
        whole = false;
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return whole;
}

/* How many of the folder's databases are damaged; *databases is the number of all. `say` how. */
static int count_damaged(const char *folder, bool say, int *databases)
{
    int damaged = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    *databases = 0;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        if (len > 3 && strcmp(entry->d_name + len - 3, ".db") == 0) {
            ++*databases;
            damaged += !is_whole(folder, entry->d_name, say);
        }
    }
    closedir(dir);
    return damaged;
}

/* ---- writers ---- */

struct scenario {
    int writers;
    unsigned sync_us; /* how long a sync takes, so that others gather behind it */
    bool durable;
    bool again; /* the power goes a second time, while the engine recovers and works on */
};

struct totals {
    int cuts, acknowledged, unanswered, damaged;
    struct ledger_losses losses;
};

struct task {
    struct engine *engine;
    struct ledger *ledger;
    int changes;
    int error; /* that the power does not explain */
    char text[256];
};

static void *work(void *arg)
{
    struct task *t = arg;
    struct client c = {0};
    for (int i = 0; i < t->changes; i++) {
        if (i % CHANGES_OF_SESSION == 0) {
            client_close(&c);
            ledger_new_session(t->ledger);
            if (!client_open(&c, t->engine, "Bank"))
                break;
        }
        if (!ledger_change(t->ledger, &c)) {
            t->error = powercut_happened() ? 0 : c.error;
            snprintf(t->text, sizeof t->text, "%s", c.text);
            break;
        }
    }
    client_close(&c);
    return NULL;
}

static void run_writers(struct engine *e, struct ledger *ledgers, int writers, int changes)
{
    struct task tasks[MAX_WRITERS] = {0};
    pthread_t threads[MAX_WRITERS];
    for (int i = 0; i < writers; i++) {
        tasks[i] = (struct task){.engine = e, .ledger = &ledgers[i], .changes = changes};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &tasks[i]), 0);
    }
    for (int i = 0; i < writers; i++) {
        pthread_join(threads[i], NULL);
        if (tasks[i].error != 0)
            fail_msg("writer %d: error %d, %s", i, tasks[i].error, tasks[i].text);
    }
}

/* A new folder with the database and its tables, made in peace. */
static void prepare(struct ledger *ledgers, int writers, uint64_t seed)
{
    struct client c;
    scratch_empty(live);
    powercut_watch(live);
    struct engine *e = open_engine(live, true);
    assert_non_null(e);
    assert_true(client_open(&c, e, "") && client_run(&c, "CREATE DATABASE Bank") && client_run(&c, "USE Bank") && ledger_create(&c, writers));
    client_close(&c);
    engine_close(e);
    for (int i = 0; i < writers; i++)
        ledger_init(&ledgers[i], i, seed);
}

/* Opens what the disk holds and compares it with the books. */
static void examine(const struct scenario *s, const char *folder, struct ledger *ledgers, struct totals *t)
{
    struct client c = {0};
    int databases;
    struct engine *e = open_engine(folder, true);
    bool opened = e && client_open(&c, e, "Bank");
    for (int i = 0; i < s->writers; i++) {
        t->acknowledged += ledgers[i].changes;
        t->unanswered += ledgers[i].unanswered;
        if (opened)
            ledger_compare(&ledgers[i], &c, &t->losses);
        else
            t->losses.broken++;
    }
    client_close(&c);
    if (e)
        engine_close(e);
    t->damaged += count_damaged(folder, s->durable, &databases);
}

/* Works until operation `cut` after the start; writes the disk to `after`. Returns the operations that there were. */
static uint64_t cut_once(const struct scenario *s, struct ledger *ledgers, uint64_t cut, uint64_t seed)
{
    prepare(ledgers, s->writers, seed);
    uint64_t before = powercut_operations();
    powercut_slow_syncs(s->sync_us);
    powercut_arm(cut);
    struct engine *e = open_engine(live, s->durable);
    if (e) {
        run_writers(e, ledgers, s->writers, CHANGES);
        engine_close(e);
    }
    uint64_t operations = powercut_operations() - before;
    scratch_empty(after);
    assert_int_equal(powercut_write_disk(after, seed), 0);
    return operations;
}

/* The same from what the first cut left: a change that was not answered is settled by a look at the database first. */
static void cut_again(const struct scenario *s, struct ledger *ledgers, uint64_t seed)
{
    struct ledger_losses losses = {0};
    struct client c = {0};
    powercut_watch(after);
    powercut_arm(1 + seed % 60);
    struct engine *e = open_engine(after, s->durable);
    if (e && client_open(&c, e, "Bank")) {
        bool settled = true;
        for (int i = 0; i < s->writers; i++)
            settled = settled && ledger_settle(&ledgers[i], &c, &losses);
        client_close(&c);
        if (settled)
            run_writers(e, ledgers, s->writers, CHANGES);
    }
    if (e)
        engine_close(e);
    scratch_empty(later);
    assert_int_equal(powercut_write_disk(later, seed + 1), 0);
}

static struct totals play(const char *name, const struct scenario *s)
{
    struct totals t = {0};
    struct ledger *ledgers = calloc(MAX_WRITERS, sizeof *ledgers);
    assert_non_null(ledgers);
    uint64_t cuts = setting("SHARDGATE_CUTS", CUTS), seed = setting("SHARDGATE_SEED", 1);
    /* Once without a cut, to know how much there is to cut. */
    uint64_t operations = cut_once(s, ledgers, 0, seed);
    assert_false(powercut_happened());
    for (uint64_t i = 0; i < cuts; i++) {
        struct totals before = t;
        uint64_t run_seed = seed * 1000003 + i, cut = 1 + operations * i / cuts + run_seed % (operations / cuts + 1);
        cut_once(s, ledgers, cut, run_seed);
        t.cuts += powercut_happened();
        if (s->again) {
            cut_again(s, ledgers, run_seed);
            t.cuts += powercut_happened();
        }
        powercut_watch("");
        examine(s, s->again ? later : after, ledgers, &t);
        if (s->durable && (memcmp(&t.losses, &before.losses, sizeof t.losses) != 0 || t.damaged > before.damaged))
            print_error("# %s: SHARDGATE_SEED=%llu SHARDGATE_CUTS=%llu: losses at cut %llu, operation %llu of %llu\n", name,
                        (unsigned long long)seed, (unsigned long long)cuts, (unsigned long long)i, (unsigned long long)cut,
                        (unsigned long long)operations);
    }
    free(ledgers);
    print_message("# %s: %d cuts, %d changes acknowledged, %d unanswered; %d missing, %d torn, %d broken, %d files damaged\n", name, t.cuts,
                  t.acknowledged, t.unanswered, t.losses.missing, t.losses.torn, t.losses.broken, t.damaged);
    return t;
}

static void assert_nothing_lost(const struct totals *t)
{
    assert_true(t->cuts > 0);
    assert_int_equal(t->losses.missing, 0);
    assert_int_equal(t->losses.torn, 0);
    assert_int_equal(t->losses.broken, 0);
    assert_int_equal(t->damaged, 0);
}

static void one_writer_loses_nothing(void **state)
{
    (void)state;
    struct totals t = play("one writer", &(struct scenario){.writers = 1, .durable = true});
    assert_nothing_lost(&t);
}

static void several_writers_lose_nothing(void **state)
{
    (void)state;
    struct totals t = play("several writers", &(struct scenario){.writers = MAX_WRITERS, .durable = true});
    assert_nothing_lost(&t);
    t = play("several writers, slow syncs", &(struct scenario){.writers = MAX_WRITERS, .sync_us = SLOW_SYNC_US, .durable = true});
    assert_nothing_lost(&t);
}

static void a_second_cut_during_recovery_loses_nothing(void **state)
{
    (void)state;
    struct totals t = play("a second cut", &(struct scenario){.writers = 2, .durable = true, .again = true});
    assert_nothing_lost(&t);
}

/* Shows that the tests above can fail. */
static void without_syncs_commits_are_lost(void **state)
{
    (void)state;
    struct totals t = play("without syncs", &(struct scenario){.writers = 1, .durable = false});
    assert_true(t.losses.missing > 0);
}

/* ---- a kill, and then a cut ---- */

/* A process is killed with commits in its WAL that are not on the disk. The next one sees them, and may tell them only when
 * they are. */
static void what_is_told_after_a_kill_outlives_a_cut(void **state)
{
    (void)state;
    static const struct scenario s = {.writers = 2, .sync_us = SLOW_SYNC_US, .durable = true};
    struct totals t = {0};
    struct ledger *ledgers = calloc(MAX_WRITERS, sizeof *ledgers);
    assert_non_null(ledgers);
    uint64_t cuts = setting("SHARDGATE_CUTS", CUTS), seed = setting("SHARDGATE_SEED", 1);
    uint64_t operations = cut_once(&s, ledgers, 0, seed);
    for (uint64_t i = 0; i < cuts; i++) {
        struct client c = {0};
        prepare(ledgers, s.writers, seed * 1000003 + i);
        powercut_slow_syncs(s.sync_us);
        powercut_arm_kill(1 + operations * i / cuts);
        struct engine *e = open_engine(live, true);
        if (e) {
            run_writers(e, ledgers, s.writers, CHANGES);
            engine_close(e);
        }
        scratch_empty(after);
        assert_int_equal(powercut_revive(after), 0);
        e = open_engine(after, true);
        assert_true(e && client_open(&c, e, "Bank"));
        for (int k = 0; k < s.writers; k++)
            assert_true(ledger_settle(&ledgers[k], &c, &t.losses));
        powercut_arm(1);
        client_close(&c);
        engine_close(e);
        scratch_empty(later);
        assert_int_equal(powercut_write_disk(later, seed * 1000003 + i), 0);
        t.cuts++;
        powercut_watch("");
        examine(&s, later, ledgers, &t);
    }
    free(ledgers);
    print_message("# a kill, then a cut: %d cuts, %d changes acknowledged; %d missing, %d torn, %d broken\n", t.cuts, t.acknowledged,
                  t.losses.missing, t.losses.torn, t.losses.broken);
    assert_nothing_lost(&t);
}

/* ---- readers ---- */

#define READER_WRITERS 3
#define READER_ROWS 60 /* of a writer */

struct reader {
    struct engine *engine;
    int number;
    int64_t told; /* the rows of a SELECT that came to its end */
    int duplicates; /* error 2627: the row is there, the reader was told */
};

static void take_count(void *arg, const struct value *values, size_t count)
{
    if (count == 1)
        *(int64_t *)arg = values[0].integer;
}

static void *insert_in_order(void *arg)
{
    struct reader *r = arg;
    struct client c;
    bool good = client_open(&c, r->engine, "Bank");
    for (int i = 0; i < READER_ROWS && good; i++)
        good = client_printf(&c, "INSERT INTO Accounts (id, amount) VALUES (%d, 0)", 1000 + r->number * READER_ROWS + i);
    client_close(&c);
    return NULL;
}

static void *count_rows(void *arg)
{
    struct reader *r = arg;
    struct client c;
    int64_t rows = 0;
    bool good = client_open(&c, r->engine, "Bank");
    c.row = take_count;
    c.arg = &rows;
    while (good && r->told < READER_WRITERS * READER_ROWS && !powercut_happened()) {
        good = client_run(&c, "SELECT COUNT(*) FROM Accounts WHERE id >= 1000");
        if (good)
            r->told = rows;
    }
    client_close(&c);
    return NULL;
}

/* Tries to insert the rows of the first writer before it does: told of a duplicate key, it knows that the row is there. */
static void *meet_duplicates(void *arg)
{
    struct reader *r = arg;
    struct client c;
    bool good = client_open(&c, r->engine, "Bank");
    for (int i = 0; i < READER_ROWS && good && !powercut_happened();) {
        (void)client_printf(&c, "BEGIN TRANSACTION; INSERT INTO Accounts (id, amount) VALUES (%d, 0); ROLLBACK TRANSACTION", 1000 + i);
        bool there = c.error == 2627;
        good = there || c.error == 0;
        i += there;
        r->duplicates = i;
        (void)client_run(&c, "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION");
    }
    client_close(&c);
    return NULL;
}

/* What a client was told of other clients' rows is as certain as what it was told of its own. */
static void nothing_is_told_before_it_is_certain(void **state)
{
    (void)state;
    struct ledger ledger;
    uint64_t cuts = setting("SHARDGATE_CUTS", CUTS), seed = setting("SHARDGATE_SEED", 1);
    int64_t told = 0;
    int lost = 0;
    for (uint64_t i = 0; i < cuts; i++) {
        void *(*const work_of[])(void *) = {insert_in_order, insert_in_order, insert_in_order, count_rows, meet_duplicates};
        enum { THREADS = sizeof work_of / sizeof work_of[0] };
        struct reader tasks[THREADS] = {0};
        pthread_t threads[THREADS];
        struct client c;
        int64_t rows = 0;
        prepare(&ledger, 1, seed);
        powercut_slow_syncs(SLOW_SYNC_US);
        powercut_arm(30 + 5 * i);
        struct engine *e = open_engine(live, true);
        for (int k = 0; k < THREADS; k++) {
            tasks[k] = (struct reader){.engine = e, .number = k};
            assert_int_equal(pthread_create(&threads[k], NULL, work_of[k], &tasks[k]), 0);
        }
        for (int k = 0; k < THREADS; k++)
            pthread_join(threads[k], NULL);
        engine_close(e);
        scratch_empty(after);
        assert_int_equal(powercut_write_disk(after, seed * 1000003 + i), 0);
        powercut_watch("");
        e = open_engine(after, true);
        assert_true(e && client_open(&c, e, "Bank"));
        c.row = take_count;
        c.arg = &rows;
        assert_true(client_run(&c, "SELECT COUNT(*) FROM Accounts WHERE id >= 1000"));
        lost += rows < tasks[3].told;
        assert_true(client_printf(&c, "SELECT COUNT(*) FROM Accounts WHERE id BETWEEN 1000 AND %d", 999 + tasks[4].duplicates));
        lost += rows < tasks[4].duplicates;
        told += tasks[3].told + tasks[4].duplicates;
        client_close(&c);
        engine_close(e);
    }
    print_message("# readers: %d cuts, %lld rows told of, %d times more than there are\n", (int)cuts, (long long)told, lost);
    assert_true(told > 0);
    assert_int_equal(lost, 0);
}

/* ---- CREATE and DROP DATABASE ---- */

enum fate { ABSENT, PRESENT, EITHER };

/* Makes databases with a table and a row in it, drops some, and keeps what is certain of each. */
static void make_databases(struct engine *e, enum fate fates[DATABASES])
{
    struct client c = {0}, in = {0};
    bool good = client_open(&c, e, "");
    for (int i = 0; i < DATABASES && good; i++) {
        char name[16];
        snprintf(name, sizeof name, "Db%d", i);
        fates[i] = EITHER;
        good = client_printf(&c, "CREATE DATABASE %s", name);
        if (!good)
            break;
        fates[i] = PRESENT;
        good = client_open(&in, e, name) && client_printf(&in, "CREATE TABLE T (id INT NOT NULL PRIMARY KEY)") &&
               client_printf(&in, "INSERT INTO T (id) VALUES (%d)", i);
        client_close(&in);
        if (good && i % 3 == 2) {
            fates[i - 1] = EITHER;
            good = client_printf(&c, "DROP DATABASE Db%d", i - 1);
            fates[i - 1] = good ? ABSENT : EITHER;
        }
    }
    client_close(&c);
}

static void examine_databases(const enum fate fates[DATABASES], int *missing, int *damaged)
{
    struct client c;
    int listed = 1, databases; /* master */
    struct engine *e = open_engine(after, true);
    assert_non_null(e);
    for (int i = 0; i < DATABASES; i++) {
        char name[16];
        snprintf(name, sizeof name, "Db%d", i);
        bool there = client_open(&c, e, name);
        listed += there;
        *missing += (fates[i] == PRESENT && !there) || (fates[i] == ABSENT && there);
        /* The last one's table and row may be missing; that the database works may not. */
        if (there && !client_run(&c, "CREATE TABLE Works (id INT NOT NULL PRIMARY KEY)"))
            *missing += 1;
        bool last = i == DATABASES - 1 || fates[i + 1] == ABSENT || fates[i] == EITHER;
        if (there && !last && fates[i + 1] == PRESENT && (!client_run(&c, "SELECT id FROM T") || c.count != 1))
            *missing += 1;
        client_close(&c);
    }
    engine_close(e);
    *damaged += count_damaged(after, true, &databases);
    /* What was left of others is gone. */
    assert_int_equal(databases, listed);
}

static uint64_t cut_databases(uint64_t cut, uint64_t seed, enum fate fates[DATABASES])
{
    for (int i = 0; i < DATABASES; i++)
        fates[i] = ABSENT;
    scratch_empty(live);
    powercut_watch(live);
    powercut_arm(cut);
    struct engine *e = open_engine(live, true);
    if (e) {
        make_databases(e, fates);
        engine_close(e);
    }
    scratch_empty(after);
    assert_int_equal(powercut_write_disk(after, seed), 0);
    return powercut_operations();
}

static void databases_come_and_go_wholly(void **state)
{
    (void)state;
    enum fate fates[DATABASES];
    int missing = 0, damaged = 0, hit = 0;
    uint64_t cuts = setting("SHARDGATE_CUTS", CUTS), seed = setting("SHARDGATE_SEED", 1);
    uint64_t operations = cut_databases(0, seed, fates);
    for (uint64_t i = 0; i < cuts; i++) {
        int before = missing + damaged;
        uint64_t run_seed = seed * 1000003 + i, cut = 1 + operations * i / cuts + run_seed % (operations / cuts + 1);
        cut_databases(cut, run_seed, fates);
        hit += powercut_happened();
        powercut_watch("");
        examine_databases(fates, &missing, &damaged);
        if (missing + damaged > before)
            print_error("# databases: SHARDGATE_SEED=%llu SHARDGATE_CUTS=%llu: losses at cut %llu, operation %llu of %llu\n",
                        (unsigned long long)seed, (unsigned long long)cuts, (unsigned long long)i, (unsigned long long)cut,
                        (unsigned long long)operations);
    }
    print_message("# databases: %d cuts; %d wrong, %d files damaged\n", hit, missing, damaged);
    assert_true(hit > 0);
    assert_int_equal(missing, 0);
    assert_int_equal(damaged, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_writer_loses_nothing),
        cmocka_unit_test(several_writers_lose_nothing),
        cmocka_unit_test(a_second_cut_during_recovery_loses_nothing),
        cmocka_unit_test(without_syncs_commits_are_lost),
        cmocka_unit_test(what_is_told_after_a_kill_outlives_a_cut),
        cmocka_unit_test(nothing_is_told_before_it_is_certain),
        cmocka_unit_test(databases_come_and_go_wholly),
    };
    if (powercut_install() < 0 || scratch_make(live) < 0 || scratch_make(after) < 0 || scratch_make(later) < 0)
        return EXIT_FAILURE;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(live);
    scratch_remove(after);
    scratch_remove(later);
    return failed;
}
