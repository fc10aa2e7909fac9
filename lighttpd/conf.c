#include <config.h>

#include "lighttpd/conf.h"

#include "common/buf.h"
#include "lighttpd/say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONF_MAX (4 * 1024 * 1024)
#define VALUES_MAX 24
#define MASTER_KEEP_ALIVE_S 75
#define WORKER_KEEP_ALIVE_S 150 /* longer than the master keeps an idle connection */
#define READ_TIMEOUT_SLACK_S 10
#define MASTER_WRITE_IDLE_S 60
#define WORKER_WRITE_IDLE_S 300 /* one shard's rows may have to wait while others' are merged; a TDS server waits as long */

/* What stands for @NAME@ in a template. Later values win over earlier ones. */
struct values {
    struct {
        const char *name;
        char *value;
    } list[VALUES_MAX];
    size_t count;
};

/* Takes `value`. */
static void set(struct values *v, const char *name, char *value)
{
    v->list[v->count].name = name;
    v->list[v->count].value = value;
    v->count++;
}

static void shrink(struct values *v, size_t count)
{
    while (v->count > count)
        free(v->list[--v->count].value);
}

static const char *find(const struct values *v, const char *name, size_t len)
{
    for (size_t i = v->count; i > 0; i--) {
        if (strlen(v->list[i - 1].name) == len && memcmp(v->list[i - 1].name, name, len) == 0)
            return v->list[i - 1].value;
    }
    return NULL;
}

/* Appends the template with its @NAMES@ filled in. */
static int fill(const struct conf *c, const char *file, const struct values *v, struct buf *out)
{
    char *path = text("%s/%s", c->templates, file);
    FILE *template = fopen(path, "re");
    char line[1024];
    int rc = 0;

    if (template == NULL) {
        rc = complain("%s: %s", path, strerror(errno));
        free(path);
        return rc;
    }
    while (rc == 0 && fgets(line, sizeof(line), template) != NULL) {
        char *p = line;

        for (char *at; rc == 0 && (at = strchr(p, '@')) != NULL;) {
            size_t len = strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
            const char *value = at[len + 1] == '@' ? find(v, at + 1, len) : NULL;

            if (value == NULL) {
                rc = complain("%s: there is no value for %.*s", path, (int)len + 2, at);
                break;
            }
            buf_append(out, p, (size_t)(at - p));
            buf_append_text(out, value);
            p = at + len + 2;
        }
        buf_append_text(out, p);
    }
    fclose(template);
    free(path);
    return rc;
}

int conf_connections(int descriptors)
{
    return descriptors / 2 < CONF_MAX_CONNECTIONS ? descriptors / 2 : CONF_MAX_CONNECTIONS;
}

static int set_server(const struct conf *c, struct values *v, const char *title, int port, int keep_alive_s, int write_idle_s)
{
    int fds = c->descriptors < CONF_MAX_FDS ? c->descriptors : CONF_MAX_FDS;
    char *data = folder_plain_name(c->folder, c->folder->data, "data");

    if (data == NULL)
        return -1;
    set(v, "TITLE", text("%s", title));
    set(v, "BIND", text("%s", c->cluster->bind));
    set(v, "PORT", text("%d", port));
    set(v, "RUN", text("%s", c->folder->run));
    set(v, "DATA", data);
    set(v, "MAX_REQUEST_KIB", text("%zu", c->cluster->max_body / 1024 + CONF_BODY_SLACK_KIB));
    set(v, "MAX_FDS", text("%d", fds));
    set(v, "MAX_CONNECTIONS", text("%d", conf_connections(fds)));
    set(v, "BACKLOG", text("%d", CONF_BACKLOG));
    set(v, "KEEP_ALIVE_S", text("%d", keep_alive_s));
    set(v, "WRITE_IDLE_S", text("%d", write_idle_s));
    return 0;
}

static void set_app(const struct conf *c, struct values *v, char *app, const char *title)
{
    set(v, "APP", app);
    set(v, "TITLE", text("%s", title));
    set(v, "TIMEOUT_MS", text("%d", c->cluster->timeout_ms));
    set(v, "READ_TIMEOUT_S", text("%d", c->cluster->timeout_ms / 1000 + READ_TIMEOUT_SLACK_S));
}

char *conf_worker_app(size_t worker)
{
    return text("worker_%zu", worker); /* a name may have characters that a variable must not have */
}

char *conf_master_app(const struct cluster *cluster)
{
    return text("master_%d", cluster->master_port);
}

static int fill_workers(const struct conf *c, struct values *v, struct buf *out)
{
    if (set_server(c, v, "The workers", c->cluster->workers[0].port, WORKER_KEEP_ALIVE_S, WORKER_WRITE_IDLE_S) != 0 ||
        fill(c, "server.conf.in", v, out) != 0)
        return -1;
    for (size_t i = 0; i < c->cluster->worker_count; i++) {
        const struct cluster_worker *w = &c->cluster->workers[i];
        size_t before = v->count;
        char *title = text("Worker %s", w->name);

        set_app(c, v, conf_worker_app(i), title);
        free(title);
        set(v, "PORT", text("%d", w->port));
        set(v, "NAME", text("%s", w->name));
        if (fill(c, "app.conf.in", v, out) != 0 || fill(c, "worker.conf.in", v, out) != 0)
            return -1;
        shrink(v, before);
    }
    return 0;
}

static int fill_master(const struct conf *c, struct values *v, struct buf *out)
{
    char *title = text("The master, %s", c->cluster->master_role);
    int rc = -1;

    if (set_server(c, v, title, c->cluster->master_port, MASTER_KEEP_ALIVE_S, MASTER_WRITE_IDLE_S) == 0 && fill(c, "server.conf.in", v, out) == 0) {
        set_app(c, v, conf_master_app(c->cluster), title);
        if (fill(c, "app.conf.in", v, out) == 0)
            rc = fill(c, "master.conf.in", v, out);
    }
    free(title);
    return rc;
}

/* Takes `path`; returns it when the file is written. */
static char *write_conf(const struct conf *c, char *path, int (*write)(const struct conf *, struct values *, struct buf *))
{
    struct values v = {0};
    struct buf out;
    int rc;

    buf_init(&out, CONF_MAX);
    rc = write(c, &v, &out);
    if (rc == 0 && buf_status(&out) != 0)
        rc = complain("%s: larger than %d bytes", path, CONF_MAX);
    if (rc == 0)
        rc = folder_write_file(path, buf_text(&out), out.len);
    shrink(&v, 0);
    buf_clear(&out);
    if (rc != 0) {
        free(path);
        return NULL;
    }
    return path;
}

char *conf_write_workers(const struct conf *c)
{
    return write_conf(c, text("%s/run/workers.conf", c->folder->data), fill_workers);
}

char *conf_write_master(const struct conf *c)
{
    return write_conf(c, text("%s/run/master-%s-%d.conf", c->folder->data, c->cluster->master_role, c->cluster->master_port),
                      fill_master);
}

/* What lighttpd refuses by itself. Below 500 it has not called the app; from 500 on it may have. */
static const struct {
    int status;
    const char *title, *code, *detail;
} refusals[] = {
    {400, "Bad Request", "bad_request", "the HTTP request is malformed"},
    {404, "Not Found", "no_such_path", "no such path"},
    {405, "Method Not Allowed", "method_not_allowed", "no such method"},
    {408, "Request Timeout", "bad_request", "the request took too long to arrive"},
    {411, "Length Required", "bad_json", "body: empty, a JSON object was expected at byte 0 (a POST needs a Content-Length; with curl: -d '')"},
    {413, "Content Too Large", "body_too_large", "body: too large"},
    {414, "URI Too Long", "bad_request", "the request's path is too long"},
    {417, "Expectation Failed", "bad_request", "no such expectation"},
    {431, "Request Header Fields Too Large", "bad_request", "the request's header is too large"},
    {500, "Internal Server Error", "internal", "the program that served this request ended before it had answered"},
    {501, "Not Implemented", "method_not_allowed", "no such method"},
    {502, "Bad Gateway", "internal", "the program that served this request answered nonsense"},
    {503, "Service Unavailable", "internal", "the program that serves requests does not run; it is being started"},
    {504, "Gateway Timeout", "deadline_exceeded", "the program that served this request did not answer in time"},
    {505, "HTTP Version Not Supported", "bad_request", "HTTP/1.0 and HTTP/1.1 are spoken here"},
};

int conf_write_errors(const struct conf *c)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        int status = refusals[i].status;
        const char *outcome = status < 500 || status == 501 || status == 505 ? "not_applied" : "unknown";
        char *path = text("%s/run/status-%d.html", c->folder->data, status);
        char *document = text("{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":\"%s\","
                              "\"outcome\":\"%s\",\"retry\":\"no\",\"request_id\":\"\",\"shards\":[]}",
                              refusals[i].title, status, refusals[i].code, refusals[i].detail, outcome);
        int rc = folder_write_file(path, document, strlen(document));

        free(path);
        free(document);
        if (rc != 0)
            return -1;
    }
    return 0;
}
