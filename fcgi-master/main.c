/* shardgate-master: serves the FastCGI socket on descriptor 0, behind lighttpd. */
#include <config.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/cluster.h"
#include "common/http.h"
#include "common/log.h"
#include "common/secret.h"
#include "fcgi-master/breaker.h"
#include "fcgi-master/exchange.h"
#include "fcgi-master/fanout.h"
#include "fcgi-master/probe.h"
#include "fcgi-master/routes.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char usage[] = "usage: shardgate-master --data DIR --rundir DIR [--config FILE]\n"
                            "The master of a Shardgate cluster, a FastCGI program on descriptor 0, behind lighttpd.\n"
                            "  --data DIR     the data folder, which has the workers' token in secrets/token\n"
                            "  --rundir DIR   where local workers have their sockets, NAME.http.sock\n"
                            "  --config FILE  cluster.json; without it the three-worker default\n";

struct options {
    const char *data;
    const char *rundir;
    const char *config;
};

/* 0 to go on; 1 when the program is done; -1 for a bad command line. */
static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"data", required_argument, NULL, 'd'},   {"rundir", required_argument, NULL, 'r'},
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'd':
            o->data = optarg;
            break;
        case 'r':
            o->rundir = optarg;
            break;
        case 'c':
            o->config = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return 1;
        case 'V':
            puts("shardgate-master " PACKAGE_VERSION);
            return 1;
        default:
            return -1;
        }
    }
    return o->data != NULL && o->rundir != NULL && optind == argc ? 0 : -1;
}

/* How many answers may wait for slow readers: a quarter of the threads, and half of the smallest worker's, which such answers hold too. */
static unsigned slow_readers(const struct cluster *c)
{
    int most = c->master_threads / 4;
    for (size_t i = 0; i < c->worker_count; i++) {
        if (c->workers[i].threads / 2 < most)
            most = c->workers[i].threads / 2;
    }
    return most > 1 ? (unsigned)most : 1;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int parsed = read_options(argc, argv, &options);
    if (parsed != 0) {
        if (parsed < 0)
            fputs(usage, stderr);
        return parsed < 0 ? EX_USAGE : EXIT_SUCCESS;
    }
    log_open("master");

    int status = EXIT_FAILURE;
    char token[SECRET_MAX] = "";
    struct cluster cluster;
    struct master master = {
        .cluster = &cluster, .rundir = options.rundir, .token = token, .started_us = clock_now_us()};
    struct buf error;
    buf_init(&error, 4096);
    pthread_mutex_init(&master.schema_lock, NULL);
    if (cluster_load(options.config, &cluster, &error) != 0) {
        log_error("%s", buf_text(&error));
        status = CLUSTER_EXIT_CONFIG;
        goto out;
    }
    if (secret_read(options.data, "secrets/token", token) != 0) {
        status = CLUSTER_EXIT_CONFIG;
        goto out;
    }
    master.tables = tables_new();
    master.breaker = breaker_new(cluster.worker_count, breaker_share(cluster.master_threads), master.started_us);
    if (master.tables == NULL || master.breaker == NULL || fanout_global_init() != 0) {
        log_error("out of memory");
        goto out;
    }
    struct probes *probes = probe_start(&cluster, options.rundir, master.breaker);
    if (probes == NULL) {
        log_error("the threads that probe the workers cannot be started");
        fanout_global_clear();
        goto out;
    }
    if (cluster.batching)
        master.courier = courier_start(&cluster, options.rundir, token, master.breaker);
    if (cluster.batching && master.courier == NULL) {
        log_error("the threads that carry batches to the workers cannot be started");
        goto stop;
    }
    struct http_app app = {
        .name = "master",
        .routes = routes,
        .route_count = route_count,
        .threads = (unsigned)cluster.master_threads,
        .max_body = cluster.max_body,
        .cors = true,
        .reader_ms = HTTP_READER_MS,
        .slow_readers = slow_readers(&cluster),
        .thread_open = exchange_thread_open,
        .thread_close = exchange_thread_close,
        .arg = &master,
    };
    status = http_serve(&app);
stop:
    courier_stop(master.courier);
    probe_stop(probes);
    fanout_global_clear();
out:
    tables_free(master.tables);
    breaker_free(master.breaker);
    pthread_mutex_destroy(&master.schema_lock);
    explicit_bzero(token, sizeof token);
    cluster_clear(&cluster);
    buf_clear(&error);
    return status;
}
