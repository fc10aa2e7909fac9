#include "fcgi-master/probe.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct prober {
    struct probes *probes;
    size_t worker;
    pthread_t id;
    struct fanout *fanout;
};

struct probes {
    const struct cluster *cluster;
    struct breaker *breaker;
    size_t started;
    struct prober probers[];
};

bool probe_is_well(const struct fanout_answer *a)
{
    struct json_slice s = {.name = "database"};
    struct err ignored = ERR_INIT;
    return a->result == FANOUT_ANSWERED && a->status == 200 && json_slices(a->body, a->len, &s, 1, &ignored) == 0 &&
           s.len == strlen("\"up\"") && memcmp(s.text, "\"up\"", s.len) == 0;
}

void probe_tell(struct breaker *b, const struct cluster *cluster, const struct fanout_answer *a)
{
    bool well = probe_is_well(a);
    if (!breaker_probed(b, a->worker, well, a->elapsed_us, clock_now_us()))
        return;
    const char *name = cluster->workers[a->worker].name;
    if (well)
        log_info("worker %s is well again: requests are sent to it", name);
    else
        log_warning("worker %s is given up until a probe reaches it: %s", name,
                    a->result == FANOUT_ANSWERED ? "its database is down" : a->detail);
}

static void probe(struct prober *p)
{
    static const char id[] = "probe";
    const struct fanout_request rq = {
        .path = "/health",
        .request_id = id,
        .deadline_us = clock_now_us() + PROBE_TIMEOUT_MS * 1000,
        .probe = true,
    };
    fanout_reset(p->fanout);
    if (fanout_add(p->fanout, p->worker, &rq) != 0)
        return;
    fanout_run(p->fanout);
    probe_tell(p->probes->breaker, p->probes->cluster, fanout_answer(p->fanout, 0));
}

/* When the next probe is due. */
static int64_t next_us(const struct prober *p, unsigned *seed)
{
    struct breaker_view view;
    breaker_look(p->probes->breaker, p->worker, &view);
    int ms = view.failures > 0 ? PROBE_RETRY_MS : PROBE_EVERY_MS;
    return clock_now_us() + (ms + rand_r(seed) % PROBE_JITTER_MS) * INT64_C(1000);
}

static void *run_prober(void *arg)
{
    struct prober *p = arg;
    unsigned seed = (unsigned)clock_now_us() + (unsigned)p->worker;
    while (breaker_wait(p->probes->breaker, p->worker, next_us(p, &seed)))
        probe(p);
    return NULL;
}

struct probes *probe_start(const struct cluster *cluster, const char *rundir, struct breaker *breaker)
{
    sigset_t all, before;
    struct probes *p = calloc(1, sizeof *p + cluster->worker_count * sizeof p->probers[0]);
    if (p == NULL)
        return NULL;
    p->cluster = cluster;
    p->breaker = breaker;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; p->started < cluster->worker_count; p->started++) {
        struct prober *one = &p->probers[p->started];
        *one = (struct prober){.probes = p, .worker = p->started, .fanout = fanout_new(cluster, rundir, breaker)};
        if (one->fanout == NULL || pthread_create(&one->id, NULL, run_prober, one) != 0) {
            fanout_free(one->fanout);
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->started < cluster->worker_count) {
        probe_stop(p);
        return NULL;
    }
    return p;
}

void probe_stop(struct probes *p)
{
    if (p == NULL)
        return;
    breaker_stop(p->breaker);
    for (size_t i = 0; i < p->started; i++) {
        pthread_join(p->probers[i].id, NULL);
        fanout_free(p->probers[i].fanout);
    }
    free(p);
}
