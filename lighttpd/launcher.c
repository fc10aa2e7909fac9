/* shardgate: reads the cluster, makes its folders and secrets, starts its processes, keeps them running, replaces master and
 * workers when it is told to reload, and stops all, the last stage first.
 *
 *     tds-servers, one for each embedded shard  →  workers  →  their lighttpd  →  master  →  its lighttpd
 *
 * They start side by side: none needs another before it is asked something, and their sockets are open before they are. Then each
 * is waited for in that order, and asked for its health once all that it would ask is well.
 */
#include <config.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/cluster.h"
#include "lighttpd/children.h"
#include "lighttpd/conf.h"
#include "lighttpd/descriptors.h"
#include "lighttpd/folder.h"
#include "lighttpd/probe.h"
#include "lighttpd/say.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_LISTEN_MS 30000 /* how long a port may take to open */
#define START_HEALTH_MS 30000 /* how long a program may take to answer well */
#define START_POLL_MS 10
#define START_ILL_POLL_MS 250 /* of a program that answers, but is not well: it logs each time */
#define START_ILL_MS 8000      /* how long it may say that it is not well: its database does not answer */
#define SPARE_DESCRIPTORS 64  /* for logs, sockets and libraries */
#define LOG_TAIL 1500          /* bytes of a log that are shown when a start fails */

enum stage { STAGE_DATABASES, STAGE_WORKERS, STAGE_WORKERS_HTTP, STAGE_MASTER, STAGE_MASTER_HTTP };

struct launcher {
    bool reload; /* the command is reload: another launcher is told to */
    bool master_only;
    const char *config; /* as it was given; NULL for none */
    const char *data;
    char *config_path; /* absolute */
    char *beside;      /* this program's own folder, in which shardgate-tdsd is, too */
    char *programs;    /* folder of shardgate-worker and shardgate-master */
    char *templates;
    struct cluster cluster;
    struct folder folder;
    struct children children;
    char *url;
    const struct child *workers_http, *master_http; /* the lighttpds; of `children` */
};

static const char usage[] = "usage: shardgate up|reload [master] [--config FILE] [--data DIR]\n"
                            "\n"
                            "  up                starts the cluster and runs until Ctrl-C or SIGTERM\n"
                            "  up master         starts a master only, beside a cluster that runs with the same data folder\n"
                            "  reload [master]   gives what runs the configuration as it is now, and new programs; loses no request\n"
                            "  --config FILE     the cluster (default: cluster.json, if there is one)\n"
                            "  --data DIR        databases, secrets, logs (default: var)\n"
                            "  --version, --help\n"
                            "\n"
                            "MASTER_PORT and MASTER_ROLE win over the file; SHARDGATE_TOKEN sets the workers' token;\n"
                            "SHARDGATE_LOG is error, warning, info or debug.\n";

/* Where things are: beside this program in a build folder, else where they were installed. */
static int find_programs(struct launcher *l)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *template;

    if (len <= 0)
        return complain("/proc/self/exe: %s", strerror(errno));
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    l->beside = text("%s", self);
    template = text("%s/lighttpd/server.conf.in", self);
    if (access(template, R_OK) == 0) {
        l->programs = text("%s", self);
        l->templates = text("%s/lighttpd", self);
    } else {
        l->programs = text("%s", LIBEXECDIR);
        l->templates = text("%s", DATADIR);
    }
    free(template);
    return 0;
}

/* Ports */

static int check_port(const struct launcher *l, int port, const char *key)
{
    int reason = probe_free(l->cluster.bind, port);

    if (reason == 0)
        return 0;
    return complain("port %d on %s cannot be used: %s; the key '%s' of cluster.json%s chooses another", port, l->cluster.bind,
                    reason == EADDRINUSE ? "another program listens there" : strerror(reason), key,
                    strcmp(key, "master.port") == 0 ? ", or MASTER_PORT," : "");
}

/* Before anything is started, so that a port which is taken leaves nothing half up. */
static int check_ports(const struct launcher *l)
{
    char key[64];

    if (check_port(l, l->cluster.master_port, "master.port") != 0)
        return -1;
    for (size_t i = 0; i < l->cluster.worker_count && !l->master_only; i++) {
        const struct cluster_worker *w = &l->cluster.workers[i];

        snprintf(key, sizeof(key), "workers[%zu].port", i);
        if (check_port(l, w->port, key) != 0)
            return -1;
        snprintf(key, sizeof(key), "workers[%zu].tds.port", i);
        if (w->tds.embedded && check_port(l, w->tds.port, key) != 0)
            return -1;
    }
    return 0;
}

/* Starting */

static void show_log(const struct child *child)
{
    FILE *log = fopen(child->log, "re");
    char tail[LOG_TAIL + 1];
    size_t len;

    if (log == NULL)
        return;
    if (fseek(log, -LOG_TAIL, SEEK_END) != 0)
        rewind(log);
    len = fread(tail, 1, LOG_TAIL, log);
    tail[len] = '\0';
    fclose(log);
    fprintf(stderr, "--- the end of %s\n%s---\n", child->log, tail);
}

/* One more moment of waiting. -1 when there is nothing to wait for any more: Ctrl-C came, or a process has died. */
static int wait_a_moment(struct launcher *l, int ms)
{
    children_wait(&l->children, ms, false);
    if (l->children.interrupted)
        return -1;
    for (size_t i = 0; i < l->children.count; i++) {
        const struct child *child = &l->children.list[i];

        if (child->started_ms != 0 && child->pid == 0) {
            show_log(child);
            return -1;
        }
    }
    return 0;
}

static int wait_for_port(struct launcher *l, const struct child *child, const char *address, int port)
{
    int64_t until = clock_now_ms() + START_LISTEN_MS;

    while (!probe_listening(address, port)) {
        if (wait_a_moment(l, START_POLL_MS) != 0)
            return -1;
        if (clock_now_ms() > until) {
            complain("%s: does not listen on %s:%d after %d s", child->name, address, port, START_LISTEN_MS / 1000);
            show_log(child);
            return -1;
        }
    }
    return 0;
}

/* Waits until the program behind the port says that it is well. A master is well enough when it answers: it has workers to
 * report on, and a backup may be started because some are ill. */
static int wait_for_health(struct launcher *l, const struct child *child, const char *what, int port, bool any_answer)
{
    const char *address = cluster_address(&l->cluster);
    int64_t start = clock_now_ms();
    int64_t answered = 0;
    char body[1024];

    for (;;) {
        int status = probe_health(address, port, body, sizeof(body));
        int64_t now = clock_now_ms();

        if (status == 200 || (any_answer && status > 0))
            return 0;
        if (status != 0 && answered == 0)
            answered = now;
        if ((answered != 0 && now - answered > START_ILL_MS) || now - start > START_HEALTH_MS) {
            if (status < 0)
                complain("%s: its program ends as soon as lighttpd has started it", what);
            else if (status > 0)
                complain("%s: /health on port %d says %d: %s", what, port, status, body);
            else
                complain("%s: no answer on %s:%d after %d s", what, address, port, START_HEALTH_MS / 1000);
            show_log(child);
            return -1;
        }
        if (wait_a_moment(l, status != 0 ? START_ILL_POLL_MS : START_POLL_MS) != 0)
            return -1;
    }
}

static int start_tds_servers(struct launcher *l)
{
    char *program = text("%s/shardgate-tdsd", l->beside);
    char *password = text("%s/secrets/tds", l->folder.data);
    int rc = 0;

    for (size_t i = 0; i < l->cluster.worker_count && rc == 0; i++) {
        const struct cluster_worker *w = &l->cluster.workers[i];
        char *name = text("tds-server %s", w->name);
        char *log = text("%s/log/tds-%s.log", l->folder.data, w->name);
        char *data = text("%s/%s", l->folder.data, w->name);
        char *port = text("%d", w->tds.port);
        const char *arguments[] = {program, "--data", data, "--bind", l->cluster.bind, "--port", port, "--password-file", password, NULL};

        if (w->tds.embedded) {
            if (mkdir(data, 0700) != 0 && errno != EEXIST)
                rc = complain("cannot make the folder %s: %s", data, strerror(errno));
            else
                rc = children_start(children_add(&l->children, &(struct child_spec){.name = name, .log = log, .stage = STAGE_DATABASES, .stop_signal = SIGTERM, .arguments = arguments}));
        }
        free(name);
        free(log);
        free(data);
        free(port);
    }
    free(program);
    free(password);
    return rc;
}

/* They are the first children, in the order of their workers. */
static int wait_for_tds_servers(struct launcher *l)
{
    const char *address = cluster_address(&l->cluster);
    const struct child *child = l->children.list;
    int rc = 0;

    for (size_t i = 0; i < l->cluster.worker_count && rc == 0; i++) {
        const struct cluster_worker *w = &l->cluster.workers[i];
        char *where;

        if (!w->tds.embedded)
            continue;
        where = text("%s:%d", address, w->tds.port);
        rc = wait_for_port(l, child, address, w->tds.port);
        if (rc == 0)
            say_step(child->name, where, "up");
        free(where);
        child++;
    }
    return rc;
}

/* Starts a program on its socket in the run folder; `app` (taken) names that, `option` is the one behind --config and --data. */
static int start_app(struct launcher *l, enum stage stage, const char *what, const char *log_name, char *app, const char *program,
                     const char *option, const char *value)
{
    /* GnuTLS, which FreeTDS and libcurl bring along, waits with its tables until FreeTDS asks for TLS. */
    static const char *const environment[] = {"TZ=UTC", "LIBFCGI_OS_CLOSE_POLL_TIMEOUT=0", "GNUTLS_NO_IMPLICIT_INIT=1", NULL};
    char *path = text("%s/%s", l->programs, program);
    char *log = text("%s/log/%s.log", l->folder.data, log_name);
    char *socket = text("%s/%s.sock", l->folder.run, app);
    const char *arguments[CHILD_MAX_ARGUMENTS] = {path, "--data", l->folder.data, option, value};
    struct child_spec spec = {.name = what, .log = log, .stage = stage, .stop_signal = SIGTERM, .socket = socket, .arguments = arguments, .environment = environment};
    int rc;

    if (l->config_path != NULL) {
        arguments[5] = "--config";
        arguments[6] = l->config_path;
    }
    rc = children_start(children_add(&l->children, &spec));
    free(path);
    free(log);
    free(socket);
    free(app);
    return rc;
}

/* Takes `conf`, the configuration's path, and NULL is refused. */
static struct child *start_lighttpd(struct launcher *l, enum stage stage, const char *name, const char *log_name, char *conf)
{
    const char *arguments[] = {LIGHTTPD, "-D", "-f", conf, NULL};
    struct child *child = NULL;

    if (conf != NULL) {
        char *log = text("%s/log/%s.log", l->folder.data, log_name);

        child = children_add(&l->children, &(struct child_spec){.name = name, .log = log, .stage = stage, .stop_signal = SIGINT, .arguments = arguments});
        if (children_start(child) != 0)
            child = NULL;
        free(log);
    }
    free(conf);
    return child;
}

static void remove_worker_sockets(const struct launcher *l)
{
    for (size_t i = 0; i < l->cluster.worker_count; i++) {
        char *socket = text("%s.http.sock", l->cluster.workers[i].name);

        folder_remove_sockets(&l->folder, socket);
        free(socket);
    }
}

static int start_workers(struct launcher *l, const struct conf *conf)
{
    char *written = conf_write_workers(conf);
    int rc = written != NULL ? 0 : -1;

    remove_worker_sockets(l);
    for (size_t i = 0; i < l->cluster.worker_count && rc == 0; i++) {
        const struct cluster_worker *w = &l->cluster.workers[i];
        char *what = text("worker %s", w->name);

        rc = start_app(l, STAGE_WORKERS, what, "workers", conf_worker_app(i), "shardgate-worker", "--worker", w->name);
        free(what);
    }
    if (rc != 0) {
        free(written);
        return rc;
    }
    l->workers_http = start_lighttpd(l, STAGE_WORKERS_HTTP, "lighttpd of the workers", "workers", written);
    return l->workers_http != NULL ? 0 : -1;
}

static int wait_for_workers(struct launcher *l)
{
    int rc = 0;

    for (size_t i = 0; i < l->cluster.worker_count && rc == 0; i++) {
        const struct cluster_worker *w = &l->cluster.workers[i];
        char *what = text("worker %s", w->name);
        char *where = text("%s:%d", cluster_address(&l->cluster), w->port);

        rc = wait_for_health(l, l->workers_http, what, w->port, false);
        if (rc == 0)
            say_step(what, where, "up");
        free(what);
        free(where);
    }
    return rc;
}

static int start_master(struct launcher *l, const struct conf *conf)
{
    char *name = text("lighttpd of the master (%s)", l->cluster.master_role);
    char *log = text("master-%s-%d", l->cluster.master_role, l->cluster.master_port);
    char *what = text("master (%s)", l->cluster.master_role);
    char *written = conf_write_master(conf);

    if (written != NULL && start_app(l, STAGE_MASTER, what, log, conf_master_app(&l->cluster), "shardgate-master", "--rundir", l->folder.run) == 0) {
        l->master_http = start_lighttpd(l, STAGE_MASTER_HTTP, name, log, written);
        written = NULL;
    }
    free(written);
    free(name);
    free(log);
    free(what);
    return l->master_http != NULL ? 0 : -1;
}

static int wait_for_master(struct launcher *l)
{
    char *what = text("master (%s)", l->cluster.master_role);
    char *where = text("%s:%d", cluster_address(&l->cluster), l->cluster.master_port);
    int rc = wait_for_health(l, l->master_http, what, l->cluster.master_port, l->master_only);

    if (rc == 0)
        say_step(what, where, "up");
    free(what);
    free(where);
    return rc;
}

/* The master's threads have a connection to each worker, and one or two of their own. */
static int count_descriptors(const struct cluster *c)
{
    int master = c->master_threads * ((int)c->worker_count + 4) + SPARE_DESCRIPTORS;

    return master > CONF_MAX_FDS ? master : CONF_MAX_FDS;
}

static int start_all(struct launcher *l)
{
    struct conf conf = {.cluster = &l->cluster, .folder = &l->folder, .templates = l->templates};
    int wanted = count_descriptors(&l->cluster);

    conf.descriptors = descriptors_raise(wanted);
    if (conf.descriptors < wanted)
        complain("only %d open files are allowed (ulimit -Hn), %d are wanted: lighttpd takes %d connections at once", conf.descriptors,
                 wanted, conf_connections(conf.descriptors));
    if (conf_write_errors(&conf) != 0)
        return -1;
    if (!l->master_only && (start_tds_servers(l) != 0 || start_workers(l, &conf) != 0))
        return -1;
    if (start_master(l, &conf) != 0)
        return -1;
    if (!l->master_only && (wait_for_tds_servers(l) != 0 || wait_for_workers(l) != 0))
        return -1;
    return wait_for_master(l);
}

/* The master first, so that nothing comes in any more; then what it asked. */
static void stop_all(struct launcher *l)
{
    children_stop(&l->children);
    if (!l->master_only) {
        remove_worker_sockets(l);
        folder_remove_links(&l->folder);
    }
}

/* Reloading */

/* The key of what a reload cannot change, because lighttpd and the databases go on as they are; NULL when there is none. */
static const char *fixed_key_changed(const struct cluster *a, const struct cluster *b)
{
    if (strcmp(a->bind, b->bind) != 0)
        return "bind";
    if (a->master_port != b->master_port || strcmp(a->master_role, b->master_role) != 0)
        return "master.port or master.role";
    if (a->max_body != b->max_body)
        return "max_body";
    if (a->timeout_ms != b->timeout_ms)
        return "timeout_ms";
    if (a->worker_count != b->worker_count)
        return "workers";
    for (size_t i = 0; i < a->worker_count; i++) {
        const struct cluster_worker *x = &a->workers[i], *y = &b->workers[i];

        if (strcmp(x->name, y->name) != 0 || strcmp(x->suffix, y->suffix) != 0 || x->port != y->port)
            return "workers[].name, suffix or port";
        if (x->tds.embedded != y->tds.embedded || (x->tds.embedded && x->tds.port != y->tds.port))
            return "workers[].tds of an embedded database";
    }
    return NULL;
}

/* The configuration as it is now; a broken one, or one that needs a restart, is refused with the reason. */
static int load_anew(const struct launcher *l, struct cluster *next)
{
    const char *key;
    struct buf error;
    int rc;

    buf_init(&error, 8192);
    rc = cluster_load(l->config_path, next, &error);
    if (rc != 0)
        complain("%s", buf_text(&error));
    buf_clear(&error);
    if (rc == 0 && (key = fixed_key_changed(&l->cluster, next)) != NULL) {
        rc = complain("a change of %s needs a restart", key);
        cluster_clear(next);
    }
    return rc;
}

/* One program after the other is replaced by a new process on the same socket: the workers, then the master. */
static void reload(struct launcher *l)
{
    char *done = text("%s/run/%s", l->folder.data, l->master_only ? "reloaded.master" : "reloaded");
    struct cluster next;
    int rc = load_anew(l, &next);

    if (rc == 0) {
        cluster_clear(&l->cluster);
        l->cluster = next;
        for (size_t i = 0; i < l->children.count && rc == 0; i++) {
            struct child *child = &l->children.list[i];

            if (child->socket != NULL)
                rc = children_replace(&l->children, child, START_HEALTH_MS);
        }
    }
    if (rc == 0)
        say("reloaded");
    else if (!l->children.interrupted)
        complain("not reloaded; what runs goes on");
    if (folder_write_file(done, rc == 0 ? "0\n" : "1\n", 2) != 0)
        complain("nobody is told that it was %sreloaded", rc == 0 ? "" : "not ");
    free(done);
}

/* The command: tells the launcher that holds the lock, and waits for what becomes of it. */
static int ask_to_reload(const struct launcher *l)
{
    char *lock = l->master_only ? text("%s/lock.%d", l->data, l->cluster.master_port) : text("%s/lock", l->data);
    char *done = text("%s/run/%s", l->data, l->master_only ? "reloaded.master" : "reloaded");
    int64_t until = clock_now_ms() + START_HEALTH_MS * 4;
    pid_t pid = folder_lock_holder(lock);
    int status = EXIT_FAILURE;
    FILE *f = NULL;

    (void)unlink(done);
    if (pid == 0) {
        complain("no cluster runs with the data folder %s", l->data);
    } else if (kill(pid, SIGUSR1) != 0) {
        complain("cannot reach the launcher (pid %d): %s", (int)pid, strerror(errno));
    } else {
        while ((f = fopen(done, "re")) == NULL && folder_lock_holder(lock) == pid && clock_now_ms() < until)
            usleep(START_POLL_MS * 1000);
        if (f != NULL && fgetc(f) == '0')
            status = EXIT_SUCCESS;
        if (status == EXIT_SUCCESS)
            say("reloaded");
        else
            complain("not reloaded; what runs goes on, and its output and %s/log say why", l->data);
    }
    if (f != NULL)
        fclose(f);
    free(lock);
    free(done);
    return status;
}

static void show_urls(const struct launcher *l)
{
    const char *address = cluster_address(&l->cluster);

    printf("\n  API       %s\n", l->url);
    for (size_t i = 0; i < l->cluster.worker_count && !l->master_only; i++)
        printf("  %s http://%s:%d (%s)\n", i == 0 ? "workers  " : "         ", address, l->cluster.workers[i].port, l->cluster.workers[i].name);
    printf("  data      %s\n", l->folder.data);
    printf("  try       curl %s/health\n\n", l->url);
}

/* Setting up */

static int open_folder(struct launcher *l)
{
    char *lock = l->master_only ? text("lock.%d", l->cluster.master_port) : text("lock");
    int rc = folder_open(&l->folder, l->data);

    if (rc == 0)
        rc = folder_lock(&l->folder, lock, l->url);
    free(lock);
    if (rc != 0)
        return rc;
    if (!l->master_only)
        return folder_make_secrets(&l->folder, getenv("SHARDGATE_TOKEN"));
    if (!folder_has_token(&l->folder))
        return complain("%s has no secrets/token: start the cluster with this data folder first", l->folder.data);
    return 0;
}

static int load(struct launcher *l)
{
    struct buf error;
    int rc;

    buf_init(&error, 8192);
    rc = cluster_load(l->config, &l->cluster, &error);
    if (rc != 0)
        complain("%s", buf_text(&error));
    buf_clear(&error);
    if (rc != 0)
        return CLUSTER_EXIT_CONFIG;
    if (l->config != NULL) {
        l->config_path = realpath(l->config, NULL);
        if (l->config_path == NULL)
            return complain("%s: %s", l->config, strerror(errno));
    }
    l->url = text("http://%s:%d", cluster_address(&l->cluster), l->cluster.master_port);
    return 0;
}

/* 0, 1 when there is nothing to do, or -1. Reasons were told. */
static int set_up(struct launcher *l)
{
    int rc;

    if (find_programs(l) != 0)
        return -1;
    rc = open_folder(l);
    if (rc != 0)
        return rc;
    /* The token is in its file now; nothing that is started needs it in its environment, which others might read. */
    unsetenv("SHARDGATE_TOKEN");
    return check_ports(l);
}

static int run(struct launcher *l)
{
    int rc = load(l);

    if (rc != 0)
        return rc == CLUSTER_EXIT_CONFIG ? rc : EXIT_FAILURE;
    if (l->reload)
        return ask_to_reload(l);
    /* Before the lock is taken: whoever reads our pid there may send a signal at once. */
    if (children_init(&l->children, l->cluster.worker_count * 2 + 3) != 0)
        return EXIT_FAILURE;
    rc = set_up(l);
    if (rc != 0)
        return rc == 1 ? EXIT_SUCCESS : EXIT_FAILURE;

    rc = start_all(l);
    if (rc == 0) {
        show_urls(l);
        say("ready on %s", l->url);
        while (!l->children.interrupted) {
            children_wait(&l->children, -1, true);
            if (l->children.reload) {
                l->children.reload = false;
                reload(l);
            }
        }
        say("stopping");
    } else if (l->children.interrupted) {
        say("interrupted: stopping");
        rc = 0;
    } else {
        complain("not started: stopping what was");
    }
    stop_all(l);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* 0 to go on, else what to exit with plus 1. */
static int read_arguments(struct launcher *l, int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"data", required_argument, NULL, 'd'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            l->config = optarg;
            break;
        case 'd':
            l->data = optarg;
            break;
        case 'v':
            puts(PACKAGE_STRING);
            return EXIT_SUCCESS + 1;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS + 1;
        default:
            return 64 + 1; /* EX_USAGE */
        }
    }
    l->master_only = argc - optind == 2 && strcmp(argv[optind + 1], "master") == 0;
    l->reload = optind < argc && strcmp(argv[optind], "reload") == 0;
    if (optind == argc || (!l->reload && strcmp(argv[optind], "up") != 0) || argc - optind > (l->master_only ? 2 : 1)) {
        fputs(usage, stderr);
        return 64 + 1;
    }
    if (l->config == NULL && access("cluster.json", F_OK) == 0)
        l->config = "cluster.json";
    return 0;
}

int main(int argc, char **argv)
{
    struct launcher l = {.data = "var", .folder = {.lock = -1}};
    int rc = read_arguments(&l, argc, argv);

    if (rc != 0)
        return rc - 1;
    umask(077);
    rc = run(&l);
    if (l.children.list != NULL)
        children_clear(&l.children);
    folder_close(&l.folder);
    cluster_clear(&l.cluster);
    free(l.config_path);
    free(l.beside);
    free(l.programs);
    free(l.templates);
    free(l.url);
    return rc;
}
