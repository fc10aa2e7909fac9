#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>

#include "fcgi-master/breaker.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define START INT64_C(1000000000)
#define MS INT64_C(1000)

/* What happens, a character each; a space is nothing. */
enum {
    GOOD = '+',       /* a call was answered */
    BAD = '-',        /* a call failed by its worker's fault */
    NEUTRAL = '.',    /* a call failed by its own */
    PROBE_GOOD = 'P',
    PROBE_BAD = 'p'
};

static const struct {
    const char *events;
    bool open;
    unsigned failures;
    int since; /* the number of the event that began the state; 0: it is as at the start */
} rows[] = {
    {"", false, 0, 0},
    {"+", false, 0, 0},
    {"--", false, 2, 0},
    {"---", true, 3, 3},
    {"----", true, 4, 3},
    {"--+--", false, 2, 0},
    {"--.-", true, 3, 4},       /* neutral ones neither count nor forgive */
    {"......", false, 0, 0},
    {"--P-", false, 1, 0},      /* a probe forgives like a call */
    {"ppp", true, 3, 3},        /* and opens where nobody calls */
    {"-p-", true, 3, 3},
    {"---+", true, 3, 3},       /* a call that was under way closes nothing */
    {"---+++.", true, 3, 3},
    {"---p", true, 4, 3},
    {"---P", false, 0, 4},
    {"---P--", false, 2, 4},
    {"---P---", true, 3, 7},
    {"---ppP+", false, 0, 6},
};

static void events_lead_to_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct breaker *b = breaker_new(2, 4, START);
        struct breaker_view v;
        int64_t now = START;
        bool was_open = false;
        assert_non_null(b);
        for (const char *p = rows[i].events; *p != '\0'; p++) {
            now += 100 * MS;
            bool turned = *p == PROBE_GOOD || *p == PROBE_BAD
                              ? breaker_probed(b, 1, *p == PROBE_GOOD, 0, now)
                              : breaker_saw(b, 1, *p == GOOD ? BREAKER_GOOD : *p == BAD ? BREAKER_BAD : BREAKER_NEUTRAL, 0, now);
            breaker_look(b, 1, &v);
            assert_int_equal(turned, v.open != was_open);
            was_open = v.open;
        }
        breaker_look(b, 1, &v);
        if (v.open != rows[i].open || v.failures != rows[i].failures || v.since_us != START + rows[i].since * 100 * MS)
            fail_msg("\"%s\": open %d, failures %u, since event %d", rows[i].events, v.open, v.failures, (int)((v.since_us - START) / (100 * MS)));
        assert_int_equal(breaker_enter(b, 1, false, false, now), rows[i].open ? BREAKER_OPEN : BREAKER_PASS);
        breaker_look(b, 0, &v); /* the other worker's is its own */
        assert_false(v.open);
        assert_int_equal(v.failures, 0);
        breaker_free(b);
    }
}

static void places_have_a_limit(void **state)
{
    (void)state;
    struct breaker *b = breaker_new(2, 2, START);
    struct breaker_view v;
    assert_int_equal(breaker_enter(b, 0, false, false, START), BREAKER_PASS);
    assert_int_equal(breaker_enter(b, 0, false, false, START), BREAKER_PASS);
    assert_int_equal(breaker_enter(b, 0, false, false, START), BREAKER_FULL);
    assert_int_equal(breaker_enter(b, 1, false, false, START), BREAKER_PASS);
    breaker_look(b, 0, &v);
    assert_int_equal(v.under_way, 2);
    assert_int_equal(v.refused, 1);
    breaker_leave(b, 0);
    assert_int_equal(breaker_enter(b, 0, false, false, START), BREAKER_PASS);
    breaker_free(b);
    assert_int_equal(breaker_share(1), 1);
    assert_int_equal(breaker_share(2), 1);
    assert_int_equal(breaker_share(3), 1);
    assert_int_equal(breaker_share(8), 4);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct entry {
    struct breaker *b;
    int64_t now;
    enum breaker_verdict verdict;
};

static void *enter(void *arg)
{
    struct entry *e = arg;
    e->verdict = breaker_enter(e->b, 0, false, true, e->now);
    return NULL;
}

/* The clock that is passed in is hours ahead: who waits, waits until a place is free. */
static void few_wait_for_a_slow_worker_and_none_for_a_silent_one(void **state)
{
    (void)state;
    int64_t now = now_us(), later = now + INT64_C(3600000) * MS;
    struct breaker *b = breaker_new(1, 2, now);
    struct breaker_view v = {0};
    struct entry first = {.b = b, .now = later};
    pthread_t id;
    for (int i = 0; i < 2; i++)
        assert_int_equal(breaker_enter(b, 0, false, true, now), BREAKER_PASS);
    assert_int_equal(breaker_enter(b, 0, false, true, now), BREAKER_FULL); /* waits, in vain */
    assert_true(now_us() - now >= BREAKER_WAIT_MS * MS);
    assert_int_equal(breaker_enter(b, 0, false, true, later), BREAKER_FULL); /* it has been silent for an hour */
    breaker_answered(b, 0, 2 * BREAKER_SLOW_MS * MS, later);                 /* it answers, but takes its time */
    assert_int_equal(pthread_create(&id, NULL, enter, &first), 0);
    while (v.waiting == 0)
        breaker_look(b, 0, &v);
    assert_int_equal(breaker_enter(b, 0, false, true, later), BREAKER_FULL); /* one waits already */
    breaker_leave(b, 0);
    pthread_join(id, NULL);
    assert_int_equal(first.verdict, BREAKER_PASS);
    breaker_free(b);
}

static void repetitions_are_earned(void **state)
{
    (void)state;
    struct breaker *b = breaker_new(1, 1, START);
    for (int i = 0; i < BREAKER_RETRY_BURST; i++)
        assert_true(breaker_may_repeat(b, 0));
    assert_false(breaker_may_repeat(b, 0));
    int repeated = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(breaker_enter(b, 0, true, false, START), BREAKER_PASS);
        repeated += breaker_may_repeat(b, 0) ? 1 : 0;
        breaker_leave(b, 0);
    }
    assert_int_equal(repeated, 1000 * BREAKER_RETRY_PERCENT / 100);
    for (int i = 0; i < 100; i++) { /* others earn nothing */
        assert_int_equal(breaker_enter(b, 0, false, false, START), BREAKER_PASS);
        breaker_leave(b, 0);
    }
    assert_false(breaker_may_repeat(b, 0));
    breaker_free(b);
}

/* Threads that wait in the breaker. */
static void old_news_opens_nothing(void **state)
{
    struct breaker *b = breaker_new(1, 4, START);
    int64_t now = START + 1000 * MS;
    (void)state;
    assert_non_null(b);
    assert_false(breaker_saw(b, 0, BREAKER_GOOD, 10 * MS, now));
    for (int i = 0; i < 2 * BREAKER_FAILURES; i++)
        assert_false(breaker_saw(b, 0, BREAKER_BAD, 500 * MS, now + i * MS)); /* asked before the good answer came */
    for (int i = 1; i <= BREAKER_FAILURES; i++)
        assert_int_equal(breaker_saw(b, 0, BREAKER_BAD, 100 * MS, now + 500 * MS + i), i == BREAKER_FAILURES);
    breaker_free(b);
}

struct waiter {
    struct breaker *b;
    enum breaker_verdict verdict;
    int rounds;
};

static void *use_place(void *arg)
{
    struct waiter *w = arg;
    for (int i = 0; i < w->rounds; i++) {
        if (breaker_enter(w->b, 0, true, true, now_us()) == BREAKER_PASS) {
            breaker_answered(w->b, 0, 1, now_us());
            breaker_leave(w->b, 0);
        }
        breaker_saw(w->b, 0, i % 7 < 3 ? BREAKER_BAD : BREAKER_GOOD, 0, now_us());
    }
    return NULL;
}

static void *wait_for_alarm(void *arg)
{
    struct waiter *w = arg;
    while (breaker_wait(w->b, 0, now_us() + 10000 * 1000 * MS)) {
        w->rounds++;
        breaker_probed(w->b, 0, true, 0, now_us());
    }
    return NULL;
}

static void an_opening_wakes_the_prober(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    struct breaker *b = breaker_new(1, 2, now_us());
    struct waiter prober = {.b = b}, users[THREADS];
    struct breaker_view v = {.open = true};
    pthread_t prober_id, ids[THREADS];
    assert_int_equal(pthread_create(&prober_id, NULL, wait_for_alarm, &prober), 0);
    for (int i = 0; i < THREADS; i++) {
        users[i] = (struct waiter){.b = b, .rounds = 2000};
        assert_int_equal(pthread_create(&ids[i], NULL, use_place, &users[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    for (int i = 0; i < BREAKER_FAILURES; i++)
        breaker_saw(b, 0, BREAKER_BAD, 0, now_us());
    while (v.open) { /* ends, though the prober's own time is hours away */
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        breaker_look(b, 0, &v);
    }
    assert_int_equal(v.under_way, 0);
    breaker_stop(b);
    pthread_join(prober_id, NULL);
    assert_true(prober.rounds > 0);
    assert_false(breaker_wait(b, 0, now_us() + 10000 * 1000 * MS));
    breaker_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_lead_to_states),      cmocka_unit_test(places_have_a_limit),
        cmocka_unit_test(old_news_opens_nothing),
        cmocka_unit_test(few_wait_for_a_slow_worker_and_none_for_a_silent_one),
        cmocka_unit_test(repetitions_are_earned),     cmocka_unit_test(an_opening_wakes_the_prober),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
