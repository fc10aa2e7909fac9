#include "tds-server/wire/tls.h"

#include "tds-server/wire/packet.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct tls_context {
    char *certificate;
    char *private_key;
    pthread_mutex_t lock;
    SSL_CTX *ssl; /* NULL until both files were read */
    BIO_METHOD *method;
};

struct tls {
    struct transport transport; /* first: a pointer to it is one to the whole */
    struct transport *under;
    SSL *ssl;
    bool shaking_hands;
    bool failed;           /* OpenSSL forbids all but SSL_free after a fatal error */
    size_t packet_left;    /* of a PRELOGIN packet that is being read */
    size_t handshake_left; /* bytes that the client may still send before the handshake is done */
    unsigned char packet_number; /* of the next packet sent */
};

static void append_reason(struct buf *error, const char *otherwise)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    buf_append_text(error, reason != NULL ? reason : otherwise);
    ERR_clear_error();
}

/* --- between OpenSSL and the transport under it --- */

/* Reads the header of the next PRELOGIN packet. false when it is none, or the client sent too much.
 */
static bool read_header(struct tls *t)
{
    unsigned char header[PACKET_HEADER];
    for (size_t at = 0; at < sizeof header;) {
        ssize_t got = t->under->read(t->under, header + at, sizeof header - at);
        if (got <= 0) {
            return false;
        }
        at += (size_t)got;
    }
    size_t len = (size_t)header[2] << 8 | header[3];
    if (header[0] != PACKET_PRELOGIN || len < PACKET_HEADER || len > t->handshake_left) {
        return false;
    }
    t->handshake_left -= len;
    t->packet_left = len - PACKET_HEADER;
    return true;
}

static int bio_read(BIO *bio, char *data, int len)
{
    struct tls *t = BIO_get_data(bio);
    size_t want = (size_t)len;
    if (t->shaking_hands) {
        while (t->packet_left == 0) {
            if (!read_header(t)) {
                return -1;
            }
        }
        want = want < t->packet_left ? want : t->packet_left;
    }
    ssize_t got = t->under->read(t->under, data, want);
    if (got > 0 && t->shaking_hands) {
        t->packet_left -= (size_t)got;
    }
    return (int)got;
}

/* Sends records as one message of PRELOGIN packets. */
static int write_wrapped(struct tls *t, const char *data, size_t len)
{
    unsigned char packet[PACKET_SIZE_DEFAULT];
    size_t room = sizeof packet - PACKET_HEADER;
    for (size_t at = 0; at < len;) {
        size_t part = len - at < room ? len - at : room;
        size_t whole = part + PACKET_HEADER;
        memset(packet, 0, PACKET_HEADER);
        packet[0] = PACKET_PRELOGIN;
        packet[1] = at + part == len ? PACKET_END : 0;
        packet[2] = (unsigned char)(whole >> 8);
        packet[3] = (unsigned char)whole;
        packet[6] = t->packet_number++;
        memcpy(packet + PACKET_HEADER, data + at, part);
        if (t->under->write(t->under, packet, whole) != 0) {
            return -1;
        }
        at += part;
    }
    return 0;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls *t = BIO_get_data(bio);
    int result = t->shaking_hands ? write_wrapped(t, data, (size_t)len)
                                  : t->under->write(t->under, data, (size_t)len);
    return result == 0 ? len : -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* nothing waits here; of all else there is nothing */
}

/* --- the transport above OpenSSL --- */

static ssize_t tls_read(struct transport *transport, void *data, size_t len)
{
    struct tls *t = (struct tls *)transport;
    if (t->failed) {
        return -1;
    }
    ERR_clear_error();
    int got = SSL_read(t->ssl, data, len < INT_MAX ? (int)len : INT_MAX);
    if (got > 0) {
        return got;
    }
    if (SSL_get_error(t->ssl, got) == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    t->failed = true;
    return -1;
}

static int tls_write(struct transport *transport, const void *data, size_t len)
{
    struct tls *t = (struct tls *)transport;
    const char *p = data;
    while (len > 0) {
        ERR_clear_error();
        int sent = t->failed ? -1 : SSL_write(t->ssl, p, len < INT_MAX ? (int)len : INT_MAX);
        if (sent <= 0) {
            t->failed = true;
            return -1;
        }
        p += sent;
        len -= (size_t)sent;
    }
    return 0;
}

static int tls_peek(struct transport *transport)
{
    struct tls *t = (struct tls *)transport;
    unsigned char first;
    /* Only of a record that was taken in whole: otherwise SSL_peek would wait for one. */
    if (t->failed || SSL_pending(t->ssl) == 0 || SSL_peek(t->ssl, &first, 1) != 1) {
        return -1;
    }
    return first;
}

/* --- connections --- */

int tls_accept(struct tls_context *c, struct transport *under, struct tls **out, struct buf *error)
{
    if (tls_context_load(c, error) != 0) {
        return -1;
    }
    struct tls *t = calloc(1, sizeof *t);
    BIO *bio = NULL;
    ERR_clear_error();
    if (t == NULL) {
        buf_append_text(error, "out of memory");
        return -1;
    }
    t->transport =
        (struct transport){.read = tls_read, .write = tls_write, .peek = tls_peek, .fd = under->fd};
    t->under = under;
    t->handshake_left = TLS_HANDSHAKE_MAX;
    t->shaking_hands = true;
    t->ssl = SSL_new(c->ssl);
    bio = BIO_new(c->method);
    if (t->ssl == NULL || bio == NULL) {
        append_reason(error, "out of memory");
        BIO_free(bio);
        goto failed;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    if (SSL_accept(t->ssl) != 1) {
        append_reason(error, "the client went away, its time was over, or it sent something else");
        goto failed;
    }
    t->shaking_hands = false;
    if (t->packet_left != 0) { /* nothing may follow the handshake before the server has ended it */
        buf_append_text(error, "the client sent more than the handshake");
        goto failed;
    }
    *out = t;
    return 0;

failed:
    tls_free(t);
    return -1;
}

struct transport *tls_transport(struct tls *t)
{
    return &t->transport;
}

void tls_say_end(struct tls *t)
{
    if (!t->failed) {
        ERR_clear_error();
        (void)SSL_shutdown(t->ssl); /* once: the client's answer is not waited for */
    }
}

void tls_free(struct tls *t)
{
    if (t == NULL) {
        return;
    }
    SSL_free(t->ssl);
    free(t);
    /* What OpenSSL keeps for this thread goes now. It would go after the thread's function has returned, when the server
     * takes the connection for ended, and the process may be in exit. */
    OPENSSL_thread_stop();
}

/* --- the certificate --- */

/* For a key that is protected by a passphrase: there is nobody to ask. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

/* With no certificate yet. The caller's; NULL on failure. */
static SSL_CTX *make_ssl_context(void)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
    /* Later versions send records (tickets) when the handshake is done already, where clients do
     * not expect them; without resumption the server's is the handshake's last word, and no record
     * can stand on both sides of its end. */
    if (ssl == NULL || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ssl, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS); /* idle connections keep no room for records */
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    return ssl;
}

/* The caller's; NULL on failure. */
static BIO_METHOD *make_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport");
    if (method == NULL || BIO_meth_set_read(method, bio_read) != 1 || BIO_meth_set_write(method, bio_write) != 1 ||
        BIO_meth_set_ctrl(method, bio_ctrl) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

struct tls_context *tls_context_new(const char *certificate, const char *private_key)
{
    struct tls_context *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    c->certificate = strdup(certificate);
    c->private_key = strdup(private_key);
    if (c->certificate == NULL || c->private_key == NULL) {
        tls_context_free(c);
        return NULL;
    }
    return c;
}

/* The lock is held, and nothing was read. */
static int read_files(struct tls_context *c, struct buf *error)
{
    SSL_CTX *ssl = make_ssl_context();
    BIO_METHOD *method = make_method();
    if (ssl == NULL || method == NULL) {
        buf_append_text(error, "TLS cannot be used: ");
        append_reason(error, "out of memory");
        goto failed;
    }
    if (SSL_CTX_use_certificate_chain_file(ssl, c->certificate) != 1) {
        buf_printf(error, "%s: no certificate could be read from it: ", c->certificate);
        append_reason(error, "it has none");
        goto failed;
    }
    if (SSL_CTX_use_PrivateKey_file(ssl, c->private_key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ssl) != 1) {
        buf_printf(error, "%s: no key for %s could be read from it: ", c->private_key, c->certificate);
        append_reason(error, "it has none");
        goto failed;
    }
    c->ssl = ssl;
    c->method = method;
    return 0;

failed:
    SSL_CTX_free(ssl);
    BIO_meth_free(method);
    return -1;
}

int tls_context_load(struct tls_context *c, struct buf *error)
{
    ERR_clear_error();
    pthread_mutex_lock(&c->lock);
    int result = c->ssl != NULL ? 0 : read_files(c, error);
    pthread_mutex_unlock(&c->lock);
    return result;
}

void tls_context_free(struct tls_context *c)
{
    if (c == NULL) {
        return;
    }
    SSL_CTX_free(c->ssl);
    BIO_meth_free(c->method);
    free(c->certificate);
    free(c->private_key);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
