/* cluster.json: the only place where ports, workers and databases stand. Every key has a default; {} is the three-worker
 * cluster. An unknown key or a bad value is an error with file, line and key.
 *
 * Knows nothing about the programs that use it. MASTER_PORT and MASTER_ROLE win over the file.
 *
 *   { "bind": "127.0.0.1",
 *     "limits":  { "max_rows": 10000000, "max_groups": 1000000, "max_memory": 268435456, "max_scatter": 256 },
 *     "master":  { "port": 8080, "role": "primary", "threads": 8, "batching": true },
 *     "workers": [ { "name": "go", "suffix": "GO", "port": 8081, "threads": 4, "lanes": 8,
 *                    "tds": { "embedded": true, "port": 14331 } },
 *                  { "name": "python", "suffix": "PY", "port": 8082,
 *                    "tds": { "host": "sql2.example", "port": 1433, "user": "shardgate",
 *                             "password_file": "secrets/sql2", "encrypt": "require", "ca_file": null } } ] }
 */
#ifndef SHARDGATE_CLUSTER_H
#define SHARDGATE_CLUSTER_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define CLUSTER_MAX_WORKERS 256
#define CLUSTER_MAX_THREADS 256
#define CLUSTER_MAX_BODY (1024 * 1024 * 1024) /* bytes */
#define CLUSTER_MAX_ROWS 1000000000
#define CLUSTER_MIN_MEMORY (1024 * 1024)
#define CLUSTER_MAX_MEMORY ((size_t)64 << 30)
#define CLUSTER_MAX_TIMEOUT_MS (60 * 60 * 1000)

struct cluster_tds {
    bool embedded;       /* true unless `host` is given: tds-server is started for this worker */
    char *host;          /* "127.0.0.1" when embedded */
    int port;            /* 14331 + shard when embedded, else 1433 */
    char *user;          /* "sa" */
    char *password_file; /* absolute, or relative to the data folder; "secrets/tds" when embedded */
    char *encrypt;       /* off, request, require; "off" when embedded, else "require" */
    char *ca_file;       /* NULL: the server's certificate is not verified */
};

struct cluster_worker {
    char *name;   /* [a-z][a-z0-9_-]{0,31}, unique; "go", "python", "node", "w3", … */
    char *suffix; /* [A-Za-z0-9_]{1,16}, unique without regard to case; "GO", "PY", "NODE", else the name in capitals */
    int port;     /* 8081 + shard */
    int threads;  /* 4 */
    int lanes;    /* 8: those that help with batches, beside the threads */
    struct cluster_tds tds;
};

/* "limits": what one request may cost the master. */
struct cluster_limits {
    size_t max_rows;    /* rows of shards that a /select may merge; 10,000,000 */
    size_t max_groups;  /* groups, or distinct values, that a /select may have; 1,000,000 */
    size_t max_memory;  /* bytes that are kept of the shards' answers, and of groups or distinct rows; 256 MiB */
    size_t max_scatter; /* shards that a request by condition may touch; all */
};

struct cluster {
    char *bind;         /* the IPv4 address that every port is bound to; "127.0.0.1" */
    int master_port;    /* 8080 */
    char *master_role;  /* "primary" or "backup"; "primary" */
    int master_threads; /* 16 */
    bool batching;      /* "master.batching": requests for one worker that gather go together; true */
    size_t max_body;    /* "max_body": bytes of a request body; 8 MiB */
    struct cluster_limits limits;
    int timeout_ms;     /* "timeout_ms": the deadline of a request; 5000 */
    struct cluster_worker *workers; /* in the order of the shards */
    size_t worker_count;
};

/* Reads the file; `path` NULL gives the defaults. 0, or -1 with a message "FILE:LINE: key 'master.port': …" in `error`.
 * The caller calls cluster_clear(), also after a failure. */
int cluster_load(const char *path, struct cluster *out, struct buf *error) __attribute__((warn_unused_result));
void cluster_clear(struct cluster *c);

/* The address by which this machine reaches what is bound to c->bind: 127.0.0.1 for 0.0.0.0. Borrowed. */
const char *cluster_address(const struct cluster *c);

/* The exit status of a program whose configuration is wrong (EX_CONFIG). */
#define CLUSTER_EXIT_CONFIG 78

#endif
