/* What a TDS client may send. The first byte chooses who reads the rest: PRELOGIN, LOGIN7, RPC requests, parameter
 * declarations, Transaction Manager requests, or a whole session that is logged in already, or not, or not with encryption
 * offered. All text that comes
 * out is valid UTF-8, all values fit their types, and a session ends. */
#include "common/log.h"
#include "common/utf8.h"
#include "tds-server/wire/login.h"
#include "tds-server/wire/rpc.h"
#include "tds-server/wire/session.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tds_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARENA_BYTES ((size_t)64 << 20)
#define WRITTEN_MAX ((size_t)1 << 20) /* then the client is gone */

static void check_text(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = utf8_decode(text + at, len - at, NULL);
        CHECK(n > 0);
        at += n;
    }
}

static void read_login(const uint8_t *data, size_t size)
{
    struct login l;
    if (login_read(data, size, &l) == 0) {
        check_text(l.user, strlen(l.user));
        check_text(l.password, strlen(l.password));
        check_text(l.database, strlen(l.database));
    }
    login_clear(&l);
}

static void read_prelogin(const uint8_t *data, size_t size)
{
    enum login_encryption encryption;
    if (login_read_prelogin(data, size, &encryption) == 0) {
        CHECK(encryption <= ENCRYPTION_REQUIRED);
    }
}

/* What was read is written for each dialect, and what is written reads back. */
static void check_value(const struct value *v)
{
    static const struct dialect dialects[] = {{DIALECT_74, true}, {DIALECT_74, false}, {DIALECT_72, false}, {DIALECT_71, false}};
    if (!v->null && sqltype_is_string(&v->type)) {
        check_text(v->bytes.data, v->bytes.len);
    }
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
        struct wiretype type;
        struct wiretype again;
        struct value copy;
        struct arena a;
        struct buf b;
        struct buf error;
        struct reader r;
        buf_init(&b, ARENA_BYTES);
        buf_init(&error, 4096);
        arena_init(&a, ARENA_BYTES);
        wiretype_describe(&dialects[i], &v->type, COLLATION_CI, &type);
        wiretype_write_info(&type, &b);
        wiretype_write_value(&type, v, &b);
        if (!wiretype_is_lob(&type)) { /* those have text pointers in rows, which clients do not send */
            reader_init(&r, buf_text(&b), b.len);
            CHECK(wiretype_read_info(&r, &again, &error) == 0);
            CHECK(wiretype_read_value(&r, &again, &a, &copy, &error) == 0);
            CHECK(reader_left(&r) == 0 && copy.null == v->null);
        }
        arena_clear(&a);
        buf_clear(&b);
        buf_clear(&error);
    }
}

static void read_calls(const struct dialect *d, const uint8_t *data, size_t size)
{
    struct reader r;
    struct arena a;
    struct buf error;
    struct rpc_call call;
    int number;
    buf_init(&error, 4096);
    arena_init(&a, ARENA_BYTES);
    reader_init(&r, data, size);
    do {
        if (rpc_read_call(d, &r, &a, &call, &number, &error) != 0) {
            CHECK(error.len > 0 && number > 0);
            break;
        }
        for (size_t i = 0; i < call.count; i++) {
            check_text(call.params[i].name, strlen(call.params[i].name));
            check_value(&call.params[i].value);
        }
    } while (call.more);
    arena_clear(&a);
    buf_clear(&error);
}

static void read_declarations(const uint8_t *data, size_t size)
{
    struct engine_param params[4] = {{.name = ""}, {.name = ""}, {.name = ""}, {.name = ""}};
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    int declared = rpc_name_parameters((const char *)data, size, params, 4, &a);
    for (int i = 0; i < declared && i < 4; i++) {
        CHECK(params[i].name[0] == '@');
    }
    arena_clear(&a);
}

static void read_transaction(const uint8_t *data, size_t size)
{
    struct rpc_transaction_request t;
    struct reader r;
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    reader_init(&r, data, size);
    if (rpc_read_transaction(&r, &a, &t) == 0) {
        check_text(t.name, strlen(t.name));
    }
    arena_clear(&a);
}

/* A client in memory: what it sends is there already, what it gets is counted. */
struct memory {
    struct transport transport;
    const char *data;
    size_t len;
    size_t at;
    size_t written;
};

static ssize_t memory_read(struct transport *t, void *data, size_t len)
{
    struct memory *m = (struct memory *)t;
    size_t part = len < m->len - m->at ? len : m->len - m->at;
    if (part > 0) {
        memcpy(data, m->data + m->at, part);
    }
    m->at += part;
    return (ssize_t)part;
}

static int memory_write(struct transport *t, const void *data, size_t len)
{
    struct memory *m = (struct memory *)t;
    (void)data;
    m->written += len;
    return m->written > WRITTEN_MAX ? -1 : 0;
}

/* A context with a certificate made for it. Never freed. */
static struct tls_context *make_tls(struct buf *error)
{
    char folder[] = "/tmp/fuzz_tds-XXXXXX";
    static const char *const names[] = {"/cert.pem", "/key.pem"};
    char paths[2][sizeof folder + 16];
    struct tls_context *tls = NULL;
    CHECK(mkdtemp(folder) != NULL && tls_certificate_make(folder, error) == 0);
    for (size_t i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s%s", folder, names[i]);
    }
    CHECK(tls_context_open(paths[0], paths[1], &tls, error) == 0);
    unlink(paths[0]);
    unlink(paths[1]);
    rmdir(folder);
    return tls;
}

enum start { FROM_NOTHING, LOGGED_IN, WITH_TLS };

static void serve(const uint8_t *data, size_t size, enum start start)
{
    static struct tls_context *tls;
    static struct session_settings settings = {.user = CLIENT_USER, .password = CLIENT_PASSWORD};
    struct buf b;
    buf_init(&b, ARENA_BYTES);
    if (settings.engine == NULL) {
        setenv("SHARDGATE_LOG", "error", 0);
        log_open("fuzz_tds");
        CHECK(engine_open("", false, &settings.engine, &b) == 0);
        CHECK(watch_start(&settings.watch) == 0);
        tls = make_tls(&b);
    }
    settings.tls = start == WITH_TLS ? tls : NULL;
    if (start == LOGGED_IN) {
        buf_append(&b, "\x10\x01\0\0\0\0\x01\0", PACKET_HEADER);
        client_put_login(&b, 0x74000004, CLIENT_USER, CLIENT_PASSWORD, "", true);
        b.data[2] = (char)(b.len >> 8);
        b.data[3] = (char)(unsigned char)b.len;
    }
    buf_append(&b, data, size);
    /* The descriptor is none: the watch cancels what hangs. */
    struct memory m = {.transport = {.read = memory_read, .write = memory_write, .fd = -1}, .data = buf_text(&b), .len = b.len};
    session_run(&settings, &m.transport, NULL);
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dialect new_dialect = {DIALECT_74, true};
    static const struct dialect old_dialect = {DIALECT_71, false};
    if (size == 0) {
        return 0;
    }
    uint8_t choice = data[0];
    data++;
    size--;
    switch (choice % 9) {
    case 0:
        read_prelogin(data, size);
        break;
    case 1:
        read_login(data, size);
        break;
    case 2:
        read_calls(&new_dialect, data, size);
        break;
    case 3:
        read_calls(&old_dialect, data, size);
        break;
    case 4:
        read_declarations(data, size);
        break;
    case 5:
        read_transaction(data, size);
        break;
    case 6:
        serve(data, size, FROM_NOTHING);
        break;
    case 7:
        serve(data, size, LOGGED_IN);
        break;
    default:
        serve(data, size, WITH_TLS);
    }
    return 0;
}
