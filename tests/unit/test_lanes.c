/* lanes.c: every item is run once; one that waits holds up no other; each lane has a context of its own. */
#include "fcgi-worker/lanes.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define ITEMS 64
#define WAIT_S 30 /* for what must happen */
#define NEVER INT64_MAX

/* A thread's context: used by one thread at a time. */
struct context {
    atomic_bool busy;
};

struct factory {
    atomic_int opened, closed;
    bool fails;
};

static void *open_context(void *arg, unsigned index)
{
    struct factory *f = arg;
    (void)index;
    if (f->fails)
        return NULL;
    atomic_fetch_add(&f->opened, 1);
    return calloc(1, sizeof(struct context));
}

static struct factory *closes; /* of the test that runs */

static void close_context(void *thread)
{
    atomic_fetch_add(&closes->closed, 1);
    free(thread);
}

/* Work that notes what happens. */
struct noted {
    struct lanes_work work; /* first */
    struct lanes *lanes;
    size_t items[ITEMS];
    int64_t deadlines[ITEMS];
    atomic_int runs[ITEMS];
    atomic_int ended, running, ticks;
    void *ran_by[ITEMS];
    bool late; /* something that was waited for did not happen */
    /* Does the item go on? Asked again and again. */
    bool (*may_end)(struct noted *n, size_t item);
    atomic_int endings; /* items to which lanes_ask said that they are the last */
};

static void run_noted(struct lanes_work *w, size_t item, void *thread)
{
    struct noted *n = (struct noted *)w;
    struct context *c = thread;
    int64_t until = clock_now_us() + WAIT_S * INT64_C(1000000);

    assert_false(atomic_exchange(&c->busy, true));
    atomic_fetch_add(&n->runs[item], 1);
    atomic_fetch_add(&n->running, 1);
    n->ran_by[item] = thread;
    while (n->may_end != NULL && !n->may_end(n, item)) {
        if (clock_now_us() > until) {
            n->late = true;
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    if (lanes_ask(n->lanes, w) == LANES_ENDING)
        atomic_fetch_add(&n->endings, 1);
    atomic_fetch_add(&n->ended, 1);
    atomic_store(&c->busy, false);
}

static void note_tick(struct lanes_work *w)
{
    struct noted *n = (struct noted *)w;
    atomic_fetch_add(&n->ticks, 1);
}

static void prepare(struct noted *n, struct lanes *l, size_t count, size_t helpers, bool (*may_end)(struct noted *, size_t))
{
    memset(n, 0, sizeof(*n));
    n->lanes = l;
    n->may_end = may_end;
    for (size_t i = 0; i < count; i++) {
        n->items[i] = i;
        n->deadlines[i] = NEVER;
    }
    n->work = (struct lanes_work){
        .run = run_noted, .tick = note_tick, .items = n->items, .count = count, .helpers = helpers, .deadlines = n->deadlines};
}

static void check_all_ran_once(struct noted *n)
{
    assert_false(n->late);
    assert_int_equal(n->ended, n->work.count);
    assert_true(n->endings <= 1);
    for (size_t i = 0; i < n->work.count; i++)
        assert_int_equal(n->runs[i], 1);
}

/* Runs one piece of work on lanes of its own. */
static void run_alone(struct noted *n, unsigned max, size_t count, size_t helpers, bool (*may_end)(struct noted *, size_t),
                      const int64_t *deadlines, struct factory *f)
{
    struct lanes *l = lanes_new(max, open_context, close_context, f);
    struct context own = {false};

    closes = f;
    assert_non_null(l);
    prepare(n, l, count, helpers, may_end);
    for (size_t i = 0; deadlines != NULL && i < count; i++)
        n->deadlines[i] = deadlines[i];
    lanes_run(l, &n->work, &own);
    lanes_free(l);
    assert_int_equal(f->opened, f->closed);
    check_all_ran_once(n);
}

static void one_item_makes_no_thread(void **state)
{
    struct factory f = {0};
    struct noted n;
    (void)state;
    run_alone(&n, 8, 1, 0, NULL, NULL, &f);
    assert_int_equal(f.opened, 0);
    assert_int_equal(n.ticks, 0);
}

static bool all_run(struct noted *n, size_t item)
{
    (void)item;
    return (size_t)n->running == n->work.count;
}

static void helpers_come_at_once(void **state)
{
    struct factory f = {0};
    struct noted n;
    (void)state;
    run_alone(&n, 8, 9, 8, all_run, NULL, &f); /* each waits until all run */
    assert_true(f.opened >= 8);
    for (size_t i = 0; i < 9; i++) {
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(n.ran_by[i], n.ran_by[j]);
    }
}

static void more_helpers_than_lanes(void **state)
{
    struct factory f = {0};
    struct noted n;
    (void)state;
    run_alone(&n, 2, ITEMS, ITEMS, NULL, NULL, &f);
    assert_true(f.opened <= 3); /* the keeper may have a context, too */
}

static bool first_is_last(struct noted *n, size_t item)
{
    return item != 0 || (size_t)n->ended == n->work.count - 1;
}

static void one_that_waits_holds_up_no_other(void **state)
{
    struct factory f = {0};
    struct noted n;
    (void)state;
    run_alone(&n, 8, ITEMS, 0, first_is_last, NULL, &f);
    assert_true(f.opened >= 1);
    assert_int_equal(n.endings, 1);
}

static bool after_the_last_third(struct noted *n, size_t item)
{
    return item >= 6 || n->ended >= 3;
}

/* Items 0 to 5 wait until three others have ended: lane after lane comes. */
static void lanes_join_while_others_wait(void **state)
{
    struct factory f = {0};
    struct noted n;
    (void)state;
    run_alone(&n, 8, 9, 0, after_the_last_third, NULL, &f);
}

static bool after_the_expired(struct noted *n, size_t item)
{
    return item == 1 || item == 2 || (n->runs[1] == 1 && n->runs[2] == 1);
}

/* The only lane and the work's own thread wait for items that find no lane: their time is over, and so they are run. */
static void expired_items_need_no_lane(void **state)
{
    static const int64_t deadlines[] = {NEVER, 1, 2, NEVER};
    struct factory f = {0};
    struct noted n;
    (void)state;
    run_alone(&n, 1, 4, 1, after_the_expired, deadlines, &f);
}

static bool after_ticks(struct noted *n, size_t item)
{
    (void)item;
    return n->ticks >= 3;
}

static void the_keeper_ticks(void **state)
{
    struct factory f = {0};
    struct noted n;
    (void)state;
    run_alone(&n, 1, 2, 0, after_ticks, NULL, &f);
}

static void without_memory_for_lanes(void **state)
{
    struct factory f = {.fails = true};
    struct noted n;
    (void)state;
    run_alone(&n, 4, 20, 20, NULL, NULL, &f);
    assert_int_equal(f.opened, 0);
}

static void nothing_to_free(void **state)
{
    struct factory f = {0};
    (void)state;
    lanes_free(NULL);
    lanes_free(lanes_new(8, open_context, close_context, &f));
    assert_int_equal(f.opened, 0);
}

/* Threads that bring work at the same time, again and again. */
struct bringer {
    struct lanes *lanes;
    pthread_t id;
    unsigned number;
};

static bool soon(struct noted *n, size_t item)
{
    return item != 0 || n->ended > 0 || n->work.count == 1;
}

static void *bring(void *arg)
{
    struct bringer *b = arg;
    struct context own = {false};

    for (unsigned turn = 0; turn < 40; turn++) {
        struct noted n;
        prepare(&n, b->lanes, 1 + (b->number * 7 + turn * 3) % ITEMS, turn % 5, turn % 2 == 0 ? soon : NULL);
        if (turn % 3 == 0)
            n.deadlines[n.work.count / 2] = 1;
        lanes_run(b->lanes, &n.work, &own);
        check_all_ran_once(&n);
    }
    return NULL;
}

static void many_at_a_time(void **state)
{
    struct factory f = {0};
    struct lanes *l = lanes_new(4, open_context, close_context, &f);
    struct bringer bringers[8];
    (void)state;
    closes = &f;
    assert_non_null(l);
    for (unsigned i = 0; i < 8; i++) {
        bringers[i] = (struct bringer){.lanes = l, .number = i};
        assert_int_equal(pthread_create(&bringers[i].id, NULL, bring, &bringers[i]), 0);
    }
    for (unsigned i = 0; i < 8; i++)
        pthread_join(bringers[i].id, NULL);
    lanes_free(l);
    assert_int_equal(f.opened, f.closed);
    assert_true(f.opened <= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_item_makes_no_thread),
        cmocka_unit_test(helpers_come_at_once),
        cmocka_unit_test(more_helpers_than_lanes),
        cmocka_unit_test(one_that_waits_holds_up_no_other),
        cmocka_unit_test(lanes_join_while_others_wait),
        cmocka_unit_test(expired_items_need_no_lane),
        cmocka_unit_test(the_keeper_ticks),
        cmocka_unit_test(without_memory_for_lanes),
        cmocka_unit_test(nothing_to_free),
        cmocka_unit_test(many_at_a_time),
    };
    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
