/* How many single-row inserts a second the engine acknowledges, from one session and from many.
 *
 *     bench_commit [FOLDER [SECONDS [SESSIONS…]]]
 *
 * The folder is made anew and decides which disk is measured; default: bench-data in the current folder, 3 seconds, 1 and
 * 32 sessions. `--no-sync` before all else leaves the disk out.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tds-server/engine/engine.h"
#include "tests/faults/client.h"
#include "tests/faults/scratch.h"

#define MAX_SESSIONS 512

struct task {
    struct engine *engine;
    int number;
    double until;
    int64_t done;
    int error;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *insert_rows(void *arg)
{
    struct task *t = arg;
    struct client c;
    if (!client_open(&c, t->engine, "Bench")) {
        t->error = -1;
        return NULL;
    }
    int32_t handle = client_prepare(&c, "INSERT INTO T (id, body) VALUES (@id, @body)", "@id bigint, @body varchar(8000)");
    while (now() < t->until && t->error == 0) {
        int64_t id = t->number * INT64_C(1000000000) + t->done;
        if (client_execute(&c, handle, &id, 1, "a row of some sixty bytes, as they are often inserted by clients"))
            t->done++;
        else
            t->error = c.error;
    }
    client_close(&c);
    return NULL;
}

/* Inserts a second; -1 after an error. */
static double measure(struct engine *e, int sessions, int round, double seconds)
{
    static struct task tasks[MAX_SESSIONS];
    pthread_t threads[MAX_SESSIONS];
    int64_t done = 0;
    double start = now();
    for (int i = 0; i < sessions; i++) {
        tasks[i] = (struct task){.engine = e, .number = round * MAX_SESSIONS + i, .until = start + seconds};
        if (pthread_create(&threads[i], NULL, insert_rows, &tasks[i]) != 0)
            abort();
    }
    int error = 0;
    for (int i = 0; i < sessions; i++) {
        pthread_join(threads[i], NULL);
        done += tasks[i].done;
        error = tasks[i].error != 0 ? tasks[i].error : error;
    }
    if (error != 0)
        fprintf(stderr, "error %d\n", error);
    return error != 0 ? -1 : (double)done / (now() - start);
}

int main(int argc, char **argv)
{
    bool durable = !(argc > 1 && strcmp(argv[1], "--no-sync") == 0);
    argc -= !durable;
    argv += !durable;
    const char *folder = argc > 1 ? argv[1] : "bench-data";
    double seconds = argc > 2 ? atof(argv[2]) : 3;
    struct engine *e;
    struct buf error;
    struct client c;
    int status = EXIT_FAILURE;
    buf_init(&error, 1000);
    scratch_empty(folder);
    if (engine_open(folder, durable, &e, &error) < 0) {
        fprintf(stderr, "%s\n", buf_text(&error));
        buf_clear(&error);
        return EXIT_FAILURE;
    }
    if (!client_open(&c, e, "") || !client_run(&c, "CREATE DATABASE Bench") || !client_run(&c, "USE Bench") ||
        !client_run(&c, "CREATE TABLE T (id BIGINT NOT NULL PRIMARY KEY, body VARCHAR(8000) NOT NULL)")) {
        fprintf(stderr, "%s\n", c.text);
        goto out;
    }
    double first = 0;
    int defaults[] = {1, 32};
    int rounds = argc > 3 ? argc - 3 : 2;
    for (int i = 0; i < rounds; i++) {
        int sessions = argc > 3 ? atoi(argv[i + 3]) : defaults[i];
        if (sessions < 1 || sessions > MAX_SESSIONS)
            goto out;
        double rate = measure(e, sessions, i, seconds);
        if (rate < 0)
            goto out;
        first = i == 0 ? rate : first;
        printf("%3d sessions: %8.0f inserts/s, %5.1f times the first\n", sessions, rate, rate / first);
        fflush(stdout);
    }
    status = EXIT_SUCCESS;

out:
    client_close(&c);
    engine_close(e);
    buf_clear(&error);
    scratch_remove(folder);
    return status;
}
