/* The handlers of /create-db, /drop-db, /create-table and /delete-table. With "check": true each answers what it would
 * answer, and changes nothing. */
#ifndef SHARDGATE_WORKER_CHANGES_H
#define SHARDGATE_WORKER_CHANGES_H

struct http;

void changes_create_db(struct http *h, void *thread);
void changes_drop_db(struct http *h, void *thread);
void changes_create_table(struct http *h, void *thread);
void changes_delete_table(struct http *h, void *thread);

#endif
