#include <config.h>

#include "fcgi-master/system.h"

#include "common/clock.h"
#include "common/json.h"
#include "fcgi-master/exchange.h"
#include "fcgi-master/probe.h"

#include <inttypes.h>
#include <string.h>

#define MAX_ANSWER ((size_t)1 << 20)

static void append_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    json_write_text(out, text);
}

void system_metadata(struct http *h, void *thread)
{
    struct exchange x;
    struct buf out;
    buf_init(&out, MAX_ANSWER);
    if (exchange_open(&x, h, thread) != 0) {
        exchange_fail(&x);
        goto out;
    }
    const struct cluster *c = x.master->cluster;
    buf_append_text(&out, "{\"status\":\"ok\"");
    append_member(&out, "role", c->master_role);
    buf_printf(&out, ",\"port\":%d", c->master_port);
    append_member(&out, "version", PACKAGE_VERSION);
    buf_printf(&out,
               ",\"routing\":{\"hash\":\"fnv1a-32\",\"shards\":%zu,\"rule\":\"fnv1a_32(key) mod shards\","
               "\"key\":[\"shard_key\",\"shard_column\",\"student_id\",\"user_id\",\"row_hash\"]},\"workers\":[",
               c->worker_count);
    for (size_t i = 0; i < c->worker_count; i++) {
        const struct cluster_worker *w = &c->workers[i];
        buf_printf(&out, "%s{\"shard\":%zu", i > 0 ? "," : "", i);
        append_member(&out, "name", w->name);
        buf_printf(&out, ",\"url\":\"http://%s:%d\"", cluster_address(c), w->port);
        append_member(&out, "suffix", w->suffix);
        buf_append_char(&out, '}');
    }
    buf_append_text(&out, "]}");
    http_reply(h, 200, &out);
out:
    exchange_close(&x);
    buf_clear(&out);
}

/* Asks every worker at once. GET without a body, else POST. */
static void probe_all(struct exchange *x, const char *path, const char *body, const char *token)
{
    int64_t deadline_us = clock_now_us() + SYSTEM_PROBE_MS * 1000;
    struct fanout_request rq = {
        .path = path,
        .body = body,
        .len = body != NULL ? strlen(body) : 0,
        .token = token,
        .request_id = http_request_id(x->h),
        .deadline_us = deadline_us < x->deadline_us ? deadline_us : x->deadline_us,
        .repeatable = true,
        .probe = true,
    };
    fanout_reset(x->fanout);
    for (size_t i = 0; i < x->master->cluster->worker_count; i++) {
        if (fanout_add(x->fanout, i, &rq) != 0)
            break;
    }
    fanout_run(x->fanout);
}

/* What the master's threads know of a worker. */
static void append_breaker(struct buf *out, struct breaker *b, size_t worker)
{
    struct breaker_view v;
    breaker_look(b, worker, &v);
    buf_printf(out, ",\"breaker\":{\"state\":\"%s\",\"since_s\":%" PRId64 ",\"failures\":%u,\"waiting\":%d,\"refused\":%" PRIu64 "}",
               v.open ? "open" : "closed", (clock_now_us() - v.since_us) / 1000000, v.failures, v.under_way + v.waiting, v.refused);
}

void system_health(struct http *h, void *thread)
{
    struct exchange x;
    struct buf out;
    struct buf workers;
    buf_init(&out, MAX_ANSWER);
    buf_init(&workers, MAX_ANSWER);
    if (exchange_open(&x, h, thread) != 0) {
        exchange_fail(&x);
        goto out;
    }
    const struct cluster *c = x.master->cluster;
    size_t healthy = 0;
    probe_all(&x, "/health", NULL, NULL);
    for (size_t i = 0; i < fanout_count(x.fanout); i++) {
        const struct fanout_answer *a = fanout_answer(x.fanout, i);
        bool up = a->result == FANOUT_ANSWERED;
        bool database_up = probe_is_well(a);
        if (database_up)
            probe_tell(x.master->breaker, c, a); /* what is shown as well is asked again, too */
        healthy += database_up ? 1 : 0;
        buf_printf(&workers, "%s{\"shard\":%zu,\"worker\":\"%s\",\"status\":\"%s\",\"database\":\"%s\"",
                   i > 0 ? "," : "", i, c->workers[i].name, up ? "up" : "down",
                   database_up ? "up"
                   : up        ? "down"
                               : "unknown");
        if (up)
            buf_printf(&workers, ",\"latency_ms\":%" PRId64 ".%03d", a->elapsed_us / 1000,
                       (int)(a->elapsed_us % 1000));
        else {
            buf_append_text(&workers, ",\"latency_ms\":null");
            append_member(&workers, "detail", a->detail);
        }
        append_breaker(&workers, x.master->breaker, i);
        buf_append_char(&workers, '}');
    }
    const char *status = healthy == c->worker_count ? "healthy" : healthy > 0 ? "degraded" : "unhealthy";
    buf_printf(&out, "{\"status\":\"%s\"", status);
    append_member(&out, "role", c->master_role);
    buf_printf(&out, ",\"uptime_s\":%" PRId64 ",\"workers\":[", (clock_now_us() - x.master->started_us) / 1000000);
    buf_append(&out, workers.data, workers.len);
    buf_append_text(&out, "]}");
    http_reply(h, healthy > 0 ? 200 : 503, &out);
out:
    exchange_close(&x);
    buf_clear(&workers);
    buf_clear(&out);
}

/* The status that a worker's own 401, or any other answer, had; 0 when none came. */
static void read_statuses(struct exchange *x, const char *token, int statuses[CLUSTER_MAX_WORKERS])
{
    probe_all(x, "/security-check", "{}", token);
    for (size_t i = 0; i < fanout_count(x->fanout); i++) {
        const struct fanout_answer *a = fanout_answer(x->fanout, i);
        statuses[i] = a->result == FANOUT_ANSWERED ? a->status : 0;
    }
}

void system_security_check(struct http *h, void *thread)
{
    int no_token[CLUSTER_MAX_WORKERS] = {0};
    int wrong_token[CLUSTER_MAX_WORKERS] = {0};
    struct exchange x;
    struct buf out;
    struct buf workers;
    buf_init(&out, MAX_ANSWER);
    buf_init(&workers, MAX_ANSWER);
    if (exchange_open(&x, h, thread) != 0) {
        exchange_fail(&x);
        goto out;
    }
    const struct cluster *c = x.master->cluster;
    bool secure = true;
    read_statuses(&x, NULL, no_token);
    read_statuses(&x, "not-the-token", wrong_token);
    for (size_t i = 0; i < c->worker_count; i++) {
        bool rejected = no_token[i] == 401 && wrong_token[i] == 401;
        secure = secure && rejected;
        buf_printf(&workers, "%s{\"worker\":\"%s\",\"no_token\":%d,\"wrong_token\":%d,\"rejected\":%s",
                   i > 0 ? "," : "", c->workers[i].name, no_token[i], wrong_token[i], rejected ? "true" : "false");
        if (no_token[i] == 0 || wrong_token[i] == 0)
            append_member(&workers, "error", "the worker did not answer, so that nothing is shown");
        buf_append_char(&workers, '}');
    }
    buf_printf(&out, "{\"status\":\"ok\",\"secure\":%s,\"workers\":[", secure ? "true" : "false");
    buf_append(&out, workers.data, workers.len);
    buf_append_text(&out, "]}");
    http_reply(h, 200, &out);
out:
    exchange_close(&x);
    buf_clear(&workers);
    buf_clear(&out);
}
