/* shardgate-worker: answers the HTTP contract for one shard, as a FastCGI program on descriptor 0. */
#include <config.h>

#include "common/clock.h"
#include "common/cluster.h"
#include "common/http.h"
#include "common/log.h"
#include "common/secret.h"
#include "fcgi-worker/lanes.h"
#include "fcgi-worker/ledger.h"
#include "fcgi-worker/operations.h"
#include "fcgi-worker/request.h"
#include "fcgi-worker/watchdog.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define PATH_TEXT_MAX 4096   /* bytes of a path */
#define CONF_SECTION "shard" /* of the private freetds.conf */

struct options {
    const char *data;
    const char *worker;
    const char *config; /* NULL: the defaults */
};

static int usage(FILE *out, int status)
{
    fputs("usage: shardgate-worker --data DIR --worker NAME [--config FILE]\n"
          "Answers for one shard as a FastCGI program on descriptor 0, behind lighttpd.\n"
          "  --data DIR     the data folder: secrets/token, the password file and run/ are in it\n"
          "  --worker NAME  a worker's name in the configuration\n"
          "  --config FILE  cluster.json; without it the default cluster\n",
          out);
    return status;
}

/* Reads the options. 0, or the exit status in *status. */
static int read_options(int argc, char **argv, struct options *o, int *status)
{
    static const struct option known[] = {
        {"data", required_argument, NULL, 'd'}, {"worker", required_argument, NULL, 'w'}, {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},       {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
    };
    int c;

    *o = (struct options){0};
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'd':
            o->data = optarg;
            break;
        case 'w':
            o->worker = optarg;
            break;
        case 'c':
            o->config = optarg;
            break;
        case 'h':
            *status = usage(stdout, EXIT_SUCCESS);
            return -1;
        case 'V':
            puts("shardgate-worker " PACKAGE_VERSION);
            *status = EXIT_SUCCESS;
            return -1;
        default:
            *status = usage(stderr, EX_USAGE);
            return -1;
        }
    }
    if (o->data == NULL || o->worker == NULL || optind != argc) {
        *status = usage(stderr, EX_USAGE);
        return -1;
    }
    return 0;
}

/* `path` as it stands when it is absolute, else below the data folder. */
static int resolve(const char *data, const char *path, char out[PATH_TEXT_MAX])
{
    int len = *path == '/' ? snprintf(out, PATH_TEXT_MAX, "%s", path) : snprintf(out, PATH_TEXT_MAX, "%s/%s", data, path);
    if (len < PATH_TEXT_MAX)
        return 0;
    log_error("%s/%s: the path is too long", data, path);
    return -1;
}

static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == ';' || *text == '{' || *text == '}')
            return false;
    }
    return true;
}

/* Writes the freetds.conf of this process and names it in the environment: the file of a certificate authority can be
 * given nowhere else, and the machine's own configuration is not to matter. */
static int write_freetds_conf(const char *data, const struct cluster_worker *w)
{
    char path[PATH_TEXT_MAX], fresh[PATH_TEXT_MAX], ca[PATH_TEXT_MAX] = "", folder[PATH_TEXT_MAX];
    const struct cluster_tds *tds = &w->tds;

    if (!is_plain(tds->host) || !is_plain(tds->user) || (tds->ca_file != NULL && !is_plain(tds->ca_file))) {
        log_error("worker '%s': host, user and ca_file must not have control characters, ';', '{' or '}'", w->name);
        return -1;
    }
    if (resolve(data, "run", folder) < 0 || (tds->ca_file != NULL && resolve(data, tds->ca_file, ca) < 0))
        return -1;
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        log_error("%s: %s", folder, strerror(errno));
        return -1;
    }
    if (snprintf(path, sizeof(path), "%s/run/%s.freetds.conf", data, w->name) >= PATH_TEXT_MAX
        || snprintf(fresh, sizeof(fresh), "%s/run/%s.freetds.conf.%ld", data, w->name, (long)getpid()) >= PATH_TEXT_MAX) {
        log_error("%s: the path is too long", data);
        return -1;
    }
    FILE *f = fopen(fresh, "we");
    if (f == NULL) {
        log_error("%s: %s", fresh, strerror(errno));
        return -1;
    }
    fprintf(f, "[" CONF_SECTION "]\n\thost = %s\n\tport = %d\n\ttds version = 7.4\n\tclient charset = UTF-8\n\tencryption = %s\n",
            tds->host, tds->port, tds->encrypt);
    if (ca[0] != '\0')
        fprintf(f, "\tca file = %s\n\tcheck certificate hostname = yes\n", ca);
    bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad || rename(fresh, path) < 0) {
        log_error("%s: %s", path, strerror(errno));
        unlink(fresh);
        return -1;
    }
    return setenv("FREETDSCONF", path, 1);
}

static const struct cluster_worker *find_worker(const struct cluster *c, const char *name, int *shard)
{
    for (size_t i = 0; i < c->worker_count; i++) {
        if (strcmp(c->workers[i].name, name) == 0) {
            *shard = (int)i;
            return &c->workers[i];
        }
    }
    log_error("the configuration has no worker '%s'", name);
    return NULL;
}

/* Serves until the end; the exit status. */
static int serve(const struct cluster *c, const struct cluster_worker *w, int shard, const char *token, const char *password)
{
    struct worker worker = {
        .name = w->name,
        .suffix = w->suffix,
        .shard = shard,
        .timeout_ms = c->timeout_ms,
        .started_us = clock_now_us(),
        .db = {.shard = w->name,
               .server = CONF_SECTION,
               .user = w->tds.user,
               .password = password,
               .encrypt = w->tds.encrypt,
               .timeout_ms = c->timeout_ms,
               .watchdog = watchdog_new()},
        .schema = schema_cache_new(),
        .ledger = ledger_new(),
    };
    const struct http_app app = {
        .name = w->name,
        .routes = operations_routes,
        .route_count = operations_route_count,
        .threads = (unsigned)w->threads,
        .max_body = c->max_body,
        .thread_open = operations_thread_open,
        .thread_close = operations_thread_close,
        .arg = &worker,
    };

    worker.lanes = lanes_new((unsigned)w->lanes, operations_thread_open, operations_thread_close, &worker);
    int status = EX_OSERR;
    if (worker.schema == NULL || worker.ledger == NULL || worker.lanes == NULL || worker.db.watchdog == NULL) {
        log_error("memory ran out");
    } else {
        operations_set_token(token);
        status = http_serve(&app);
    }
    lanes_free(worker.lanes);
    ledger_free(worker.ledger);
    schema_cache_free(worker.schema);
    watchdog_free(worker.db.watchdog);
    return status;
}

int main(int argc, char **argv)
{
    char token[SECRET_MAX] = "", password[SECRET_MAX] = "", program[64] = "worker";
    const struct cluster_worker *w;
    struct cluster cluster = {0};
    struct options options;
    struct buf error;
    int shard, status = CLUSTER_EXIT_CONFIG;

    buf_init(&error, PATH_TEXT_MAX);
    log_open(program);
    if (read_options(argc, argv, &options, &status) < 0)
        return status;
    snprintf(program, sizeof(program), "worker %s", options.worker);
    if (cluster_load(options.config, &cluster, &error) < 0) {
        log_error("%s", buf_text(&error));
        goto out;
    }
    if ((w = find_worker(&cluster, options.worker, &shard)) == NULL || secret_read(options.data, "secrets/token", token) < 0
        || secret_read(options.data, w->tds.password_file, password) < 0 || write_freetds_conf(options.data, w) < 0)
        goto out;
    if (!db_check_password(password)) {
        log_error("worker '%s': the password must not end in '}' or have '};' in it", w->name);
        goto out;
    }
    status = serve(&cluster, w, shard, token, password);
out:
    explicit_bzero(token, sizeof(token));
    explicit_bzero(password, sizeof(password));
    cluster_clear(&cluster);
    buf_clear(&error);
    return status;
}
