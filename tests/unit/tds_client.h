/* A client for tests of tds-server's wire: writes requests byte by byte, so that wrong ones can be written too, and shows
 * answers as text, a token a line. The session runs in a thread, on the other end of a socket pair. */
#ifndef SHARDGATE_TESTS_TDS_CLIENT_H
#define SHARDGATE_TESTS_TDS_CLIENT_H

#include "common/buf.h"
#include "tds-server/wire/packet.h"
#include "tds-server/wire/wiretype.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_USER "sa"
#define CLIENT_PASSWORD "S\xC3\xA9" "cret-1"

struct client {
    int fd;
    struct dialect dialect;
    size_t packet_size; /* of the packets sent */
    struct engine *engine;
    struct watch *watch;
    pthread_t thread;
    int server_fd;
    const char *refusal;
    int idle_timeout_s;
};

/* Starts a session on the double of the engine. */
void client_open(struct client *c);
/* The same, for a session that gives idle clients up. */
void client_open_idle(struct client *c, int idle_timeout_s);
/* The same, for a session that refuses the login. */
void client_open_refused(struct client *c, const char *refusal);
/* Closes the connection and waits for the session to end. */
void client_close(struct client *c);

/* Parts of requests. */
void client_put_utf16(struct buf *out, const char *text);
void client_put_headers(struct buf *out); /* ALL_HEADERS with a transaction descriptor */
/* LOGIN7 of this version, asking for UTF8_SUPPORT or not. */
void client_put_login(struct buf *out, uint32_t version, const char *user, const char *password, const char *database, bool utf8);

/* Sends a message in packets; the first has the status bits too. */
void client_send(struct client *c, enum packet_type type, unsigned status, const void *data, size_t len);
/* Sends bytes as they are. */
void client_send_raw(struct client *c, const void *data, size_t len);
/* Reads one message. false when the server closed the connection instead. */
bool client_read(struct client *c, struct buf *out);

/* Logs in as CLIENT_USER; asserts that it works. */
void client_log_in(struct client *c, uint32_t version, bool utf8);
/* Sends a batch, with headers when the version has them. */
void client_send_batch(struct client *c, const char *sql);
/* Reads one message and appends it as text; "closed\n" when there is none. */
void client_read_text(struct client *c, struct buf *out);

/* Appends an answer's tokens as text. false when they are malformed. */
bool client_show(const struct dialect *d, const void *data, size_t len, struct buf *out);
/* A value as text: 12, -1.50, 'text', 0xFF, NULL. */
void client_show_value(const struct value *v, struct buf *out);

#endif
