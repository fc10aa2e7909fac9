/* Writes lighttpd's configuration out of the templates, and the documents for what lighttpd refuses by itself.
 *
 *     workers.conf           server.conf.in, then app.conf.in and worker.conf.in for each worker
 *     master-ROLE-PORT.conf  server.conf.in, app.conf.in, master.conf.in
 *
 * Knows nothing about processes.
 */
#ifndef SHARDGATE_CONF_H
#define SHARDGATE_CONF_H

#include "common/cluster.h"
#include "lighttpd/folder.h"

#define CONF_MAX_CONNECTIONS 10000 /* of clients that each lighttpd keeps, most of them idle or slow */
#define CONF_MAX_FDS (2 * CONF_MAX_CONNECTIONS) /* each connection may need a second descriptor, for its request's file or to the app */
#define CONF_BACKLOG 4096          /* connections that wait to be taken; the kernel's net.core.somaxconn may say less */
#define CONF_BODY_SLACK_KIB 64   /* bodies too large by less than this reach the app, whose answer says more */

struct conf {
    const struct cluster *cluster;
    const struct folder *folder;
    const char *templates; /* the folder of the *.conf.in */
    int descriptors;       /* that each lighttpd may have */
};

/* How many connections a lighttpd with so many descriptors keeps: half as many, CONF_MAX_CONNECTIONS at most. */
int conf_connections(int descriptors);

/* The names of the apps' sockets in the run folder, without ".sock". The caller frees them. */
char *conf_worker_app(size_t worker);
char *conf_master_app(const struct cluster *cluster);

/* Both write DIR/run/… and return its path, which the caller frees; NULL with the reason on standard error. */
char *conf_write_workers(const struct conf *c);
char *conf_write_master(const struct conf *c);

/* Writes status-413.html and so on (lighttpd gives them that suffix, whatever is in them) into DIR/run. */
int conf_write_errors(const struct conf *c) __attribute__((warn_unused_result));

#endif
