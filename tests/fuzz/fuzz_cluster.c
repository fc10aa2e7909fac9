/* cluster.json: what is refused gets a message of one line that begins with the file and a line that it has; what is taken
 * fills in everything, and no two ports are equal. */
#include <config.h>

#include "common/cluster.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void check_message(const char *message, const char *path, const uint8_t *data, size_t size)
{
    size_t lines = 1;
    char *end;

    CHECK(strncmp(message, path, strlen(path)) == 0 && message[strlen(path)] == ':');
    CHECK(strchr(message, '\n') == NULL);
    message += strlen(path) + 1;
    if (*message == ' ') /* of the file as a whole: it is too large */
        return;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    size_t line = strtoul(message, &end, 10);
    CHECK(line >= 1 && line <= lines && strncmp(end, ": ", 2) == 0);
}

static void check_cluster(const struct cluster *c)
{
    bool taken[65536] = {false};

    CHECK(c->worker_count >= 1 && c->worker_count <= CLUSTER_MAX_WORKERS);
    CHECK(c->bind != NULL && c->master_role != NULL && c->max_body > 0 && c->timeout_ms > 0 && c->master_threads > 0);
    CHECK(c->master_port > 0 && c->master_port < 65536);
    taken[c->master_port] = true;
    for (size_t i = 0; i < c->worker_count; i++) {
        const struct cluster_worker *w = &c->workers[i];

        CHECK(w->name != NULL && w->suffix != NULL && w->threads > 0);
        CHECK(w->tds.host != NULL && w->tds.user != NULL && w->tds.password_file != NULL && w->tds.encrypt != NULL);
        CHECK(w->port > 0 && w->port < 65536 && !taken[w->port]);
        taken[w->port] = true;
        CHECK(w->tds.port > 0 && w->tds.port < 65536 && !(w->tds.embedded && taken[w->tds.port]));
        taken[w->tds.port] = taken[w->tds.port] || w->tds.embedded;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("cluster.json", MFD_CLOEXEC);
    struct cluster c;
    struct buf error;
    char path[64];

    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    unsetenv("MASTER_PORT");
    unsetenv("MASTER_ROLE");
    buf_init(&error, 8192);
    if (cluster_load(path, &c, &error) == 0)
        check_cluster(&c);
    else
        check_message(buf_text(&error), path, data, size);
    buf_clear(&error);
    cluster_clear(&c);
    close(fd);
    return 0;
}
