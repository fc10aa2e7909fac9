#include "tests/fuzz/fuzz_serve.h"

#include "common/log.h"
#include "tds-server/wire/session.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tds_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WRITTEN_MAX ((size_t)1 << 20) /* then the client is gone */
#define SHOWN_MAX   ((size_t)64 << 20)

struct memory {
    struct transport transport;
    struct buf sent; /* by the client */
    size_t at;
    struct buf received;
};

static ssize_t memory_read(struct transport *t, void *data, size_t len)
{
    struct memory *m = (struct memory *)t;
    size_t part = len < m->sent.len - m->at ? len : m->sent.len - m->at;
    if (part > 0) {
        memcpy(data, m->sent.data + m->at, part);
    }
    m->at += part;
    return (ssize_t)part;
}

static int memory_write(struct transport *t, const void *data, size_t len)
{
    struct memory *m = (struct memory *)t;
    if (len > WRITTEN_MAX - m->received.len) {
        return -1;
    }
    buf_append(&m->received, data, len);
    return 0;
}

/* The descriptor is none: the watch cancels what hangs. */
static void open_memory(struct memory *m)
{
    *m = (struct memory){.transport = {.read = memory_read, .write = memory_write, .fd = -1}};
    buf_init(&m->sent, SIZE_MAX / 2);
    buf_init(&m->received, WRITTEN_MAX);
}

static void close_memory(struct memory *m)
{
    buf_clear(&m->sent);
    buf_clear(&m->received);
}

/* A context with a certificate made for it. Never freed. */
static struct tls_context *make_tls(struct buf *error)
{
    char folder[] = "/tmp/fuzz_tls-XXXXXX";
    static const char *const names[] = {"/cert.pem", "/key.pem"};
    char paths[2][sizeof folder + 16];
    struct tls_context *tls = NULL;
    CHECK(mkdtemp(folder) != NULL && tls_certificate_make(folder, error) == 0);
    for (size_t i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s%s", folder, names[i]);
    }
    tls = tls_context_new(paths[0], paths[1]);
    CHECK(tls != NULL && tls_context_load(tls, error) == 0);
    unlink(paths[0]);
    unlink(paths[1]);
    rmdir(folder);
    return tls;
}

static struct session_settings *settings(void)
{
    static struct session_settings made = {.user = CLIENT_USER, .password = CLIENT_PASSWORD};
    if (made.engine == NULL) {
        struct buf error;
        buf_init(&error, 4096);
        setenv("SHARDGATE_LOG", "error", 0);
        log_open("fuzz");
        CHECK(engine_open("", false, &made.engine, &error) == 0);
        CHECK(watch_start(&made.watch) == 0);
        buf_clear(&error);
    }
    return &made;
}

static void put_login(struct buf *out)
{
    size_t start = out->len;
    buf_append(out, "\x10\x01\0\0\0\0\x01\0", PACKET_HEADER);
    client_put_login(out, 0x74000004, CLIENT_USER, CLIENT_PASSWORD, "", true);
    out->data[start + 2] = (char)((out->len - start) >> 8);
    out->data[start + 3] = (char)(unsigned char)(out->len - start);
}

/* Packets make messages, and messages tokens. The first one is the same always, the last one may be cut. */
static void check_answers(const struct memory *m)
{
    static const struct dialect dialect = {DIALECT_74, true};
    struct buf message;
    struct buf shown;
    bool first = true;
    buf_init(&message, WRITTEN_MAX);
    buf_init(&shown, SHOWN_MAX);
    for (size_t at = 0; at < m->received.len;) {
        const unsigned char *p = (const unsigned char *)m->received.data + at;
        CHECK(m->received.len - at >= PACKET_HEADER && p[0] == PACKET_REPLY);
        size_t len = (size_t)p[2] << 8 | p[3];
        CHECK(len >= PACKET_HEADER && len <= m->received.len - at);
        buf_append(&message, p + PACKET_HEADER, len - PACKET_HEADER);
        at += len;
        if ((p[1] & PACKET_END) != 0) {
            CHECK(first || client_show(&dialect, buf_text(&message), message.len, &shown));
            first = false;
            buf_reset(&message);
            buf_reset(&shown);
        }
    }
    buf_clear(&message);
    buf_clear(&shown);
}

void fuzz_serve(const uint8_t *data, size_t size, bool tls)
{
    static struct tls_context *context;
    struct session_settings offered = *settings();
    struct memory m;
    if (tls && context == NULL) {
        struct buf error;
        buf_init(&error, 4096);
        context = make_tls(&error);
        buf_clear(&error);
    }
    offered.tls = tls ? context : NULL;
    open_memory(&m);
    buf_append(&m.sent, data, size);
    session_run(&offered, &m.transport, NULL);
    close_memory(&m);
}

void fuzz_serve_logged_in(const uint8_t *data, size_t size)
{
    struct memory m;
    open_memory(&m);
    put_login(&m.sent);
    buf_append(&m.sent, data, size);
    session_run(settings(), &m.transport, NULL);
    check_answers(&m);
    close_memory(&m);
}
