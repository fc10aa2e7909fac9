#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "fcgi-worker/watchdog.h"

#define MS INT64_C(1000)
#define HOUR (INT64_C(3600000) * MS)

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void pause_us(int64_t us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

static void count(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void count_slowly(void *arg)
{
    pause_us(50 * MS);
    count(arg);
}

static void what_is_due_is_called_once(void **state)
{
    (void)state;
    struct watchdog *w = watchdog_new();
    struct watch late, early;
    atomic_int calls[2] = {0, 0};
    assert_non_null(w);
    int64_t now = now_us();
    watchdog_set(w, &late, now + HOUR, count, &calls[0]);
    watchdog_set(w, &early, now + 20 * MS, count, &calls[1]); /* sooner than what it sleeps for */
    while (atomic_load(&calls[1]) == 0)
        pause_us(MS);
    assert_true(now_us() >= now + 20 * MS);
    pause_us(20 * MS);
    assert_true(watchdog_clear(w, &early));
    assert_false(watchdog_clear(w, &late));
    assert_int_equal(atomic_load(&calls[0]), 0);
    assert_int_equal(atomic_load(&calls[1]), 1);
    assert_false(watchdog_clear(w, &late)); /* is harmless */
    watchdog_free(w);
}

/* A callback that has begun has ended when its watch is cleared. */
static void clearing_waits_for_the_callback(void **state)
{
    (void)state;
    struct watchdog *w = watchdog_new();
    struct watch watch;
    for (int i = 0; i < 5; i++) {
        atomic_int calls = 0;
        watchdog_set(w, &watch, now_us() + 5 * MS, count_slowly, &calls);
        pause_us(20 * MS);
        bool called = watchdog_clear(w, &watch);
        assert_int_equal(atomic_load(&calls), called ? 1 : 0);
    }
    watchdog_free(w);
}

static void without_a_watchdog_nothing_is_called(void **state)
{
    (void)state;
    struct watch watch;
    atomic_int calls = 0;
    watchdog_set(NULL, &watch, now_us(), count, &calls);
    pause_us(5 * MS);
    assert_false(watchdog_clear(NULL, &watch));
    assert_int_equal(atomic_load(&calls), 0);
    watchdog_free(NULL);
}

/* Many threads whose watches end now before, now behind their time. */
static void *set_and_clear(void *arg)
{
    struct watchdog *w = arg;
    for (int i = 0; i < 300; i++) {
        struct watch watch;
        atomic_int calls = 0;
        watchdog_set(w, &watch, now_us() + i % 3 * 200, count, &calls);
        pause_us(i % 2 * 300);
        bool called = watchdog_clear(w, &watch);
        assert_int_equal(atomic_load(&calls), called ? 1 : 0);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    struct watchdog *w = watchdog_new();
    pthread_t ids[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, set_and_clear, w), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    watchdog_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_is_called_once),
        cmocka_unit_test(clearing_waits_for_the_callback),
        cmocka_unit_test(without_a_watchdog_nothing_is_called),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
