/* TLS 1.2 over a transport (MS-TDS 2.2.6.5, 3.3.5.1): the handshake's records travel in packets of
 * type PRELOGIN, all after it as they are. OpenSSL's home, with tls_certificate.c. Knows nothing of
 * who asks for encryption, and for how long.
 *
 *     packet.c ──> struct tls, a transport ──> OpenSSL ──> [PRELOGIN packets, until the handshake
 * is done] ──> the socket's transport
 */
#ifndef SHARDGATE_TDS_TLS_H
#define SHARDGATE_TDS_TLS_H

#include "common/buf.h"
#include "tds-server/wire/transport.h"

#include <stdbool.h>

#define TLS_HANDSHAKE_MAX ((size_t)64 << 10) /* bytes from the client, packet headers included */

/* The server's certificate and key; all connections share it. */
struct tls_context;

/* Of two PEM files, whose names are copied; behind the certificate may stand those of its authorities. Reads nothing yet:
 * most clients of a server on the same machine want no encryption, and OpenSSL costs it three MiB. NULL when there is no
 * memory. */
struct tls_context *tls_context_new(const char *certificate, const char *private_key) __attribute__((warn_unused_result));
/* Reads the files, unless they were read before; by any thread. 0, or -1 with a message in `error`. */
int tls_context_load(struct tls_context *c, struct buf *error) __attribute__((warn_unused_result));
/* After the last connection's end. NULL is accepted. */
void tls_context_free(struct tls_context *c);

struct tls;

/* Loads the context if need be, and shakes hands as the server, over `under`, by its deadline. It stays the caller's, and outlives
 * `out`. 0, or -1 with a message in `error`. */
int tls_accept(struct tls_context *c, struct transport *under, struct tls **out, struct buf *error)
    __attribute__((warn_unused_result));
/* What carries the connection's bytes from now on, until tls_free. Deadlines are those of the
 * transport under it. */
struct transport *tls_transport(struct tls *t);
/* Tells the client that nothing more comes: when the connection ends, not when it goes on in the
 * clear. */
void tls_say_end(struct tls *t);
/* In the thread that used it. NULL is accepted. */
void tls_free(struct tls *t);

/* Sees to it that `folder` (made with mode 0700 when it is missing) has cert.pem and key.pem: a
 * certificate that signs itself, for this machine's names, and its key. What is there is kept. 0,
 * or -1 with a message in `error`. */
int tls_certificate_make(const char *folder, struct buf *error) __attribute__((warn_unused_result));

#endif
