#include "tests/unit/tds_client.h"

#include "common/sqltype.h"
#include "tds-server/wire/reader.h"
#include "tds-server/wire/session.h"
#include "tds-server/wire/wiretext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define COLUMNS_MAX 64

static void *session_main(void *arg)
{
    struct client *c = arg;
    struct session_settings settings = {.engine = c->engine, .watch = c->watch, .user = CLIENT_USER, .password = CLIENT_PASSWORD,
                                        .idle_timeout_s = c->idle_timeout_s};
    struct transport t;
    transport_init_socket(&t, c->server_fd);
    session_run(&settings, &t, c->refusal);
    shutdown(c->server_fd, SHUT_RDWR);
    return NULL;
}

static void start_session(struct client *c)
{
    int pair[2];
    struct buf error;
    c->packet_size = PACKET_SIZE_DEFAULT;
    c->dialect.version = DIALECT_74;
    buf_init(&error, 1024);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    c->fd = pair[0];
    c->server_fd = pair[1];
    assert_int_equal(engine_open("", false, &c->engine, &error), 0);
    assert_int_equal(watch_start(&c->watch), 0);
    assert_int_equal(pthread_create(&c->thread, NULL, session_main, c), 0);
    buf_clear(&error);
}

void client_open(struct client *c)
{
    client_open_refused(c, NULL);
}

void client_open_refused(struct client *c, const char *refusal)
{
    *c = (struct client){.refusal = refusal};
    start_session(c);
}

void client_open_idle(struct client *c, int idle_timeout_s)
{
    *c = (struct client){.idle_timeout_s = idle_timeout_s};
    start_session(c);
}

void client_close(struct client *c)
{
    shutdown(c->fd, SHUT_RDWR);
    pthread_join(c->thread, NULL);
    close(c->fd);
    close(c->server_fd);
    watch_stop(c->watch);
    engine_close(c->engine);
}

/* --- requests --- */

void client_put_utf16(struct buf *out, const char *text)
{
    wiretext_append_utf16(out, text, strlen(text), SIZE_MAX / 4);
}

void client_put_headers(struct buf *out)
{
    buf_append_u32le(out, 22);
    buf_append_u32le(out, 18);
    buf_append_u16le(out, 2);
    buf_append_u64le(out, 0);
    buf_append_u32le(out, 1);
}

static void set_u16le(struct buf *b, size_t at, size_t v)
{
    b->data[at] = (char)(unsigned char)v;
    b->data[at + 1] = (char)(unsigned char)(v >> 8);
}

static void set_u32le(struct buf *b, size_t at, size_t v)
{
    set_u16le(b, at, v);
    set_u16le(b, at + 2, v >> 16);
}

/* Appends the text, and tells of it at `at`. */
static void put_login_text(struct buf *b, size_t start, size_t at, const char *text)
{
    size_t before = b->len;
    client_put_utf16(b, text);
    set_u16le(b, start + at, before - start);
    set_u16le(b, start + at + 2, (b->len - before) / 2);
}

void client_put_login(struct buf *out, uint32_t version, const char *user, const char *password, const char *database, bool utf8)
{
    size_t start = out->len;
    buf_append_fill(out, 0, 94);
    set_u32le(out, start + 4, version);
    set_u32le(out, start + 8, 4096);
    put_login_text(out, start, 40, user);
    size_t secret = out->len;
    put_login_text(out, start, 44, password);
    for (size_t i = secret; i < out->len; i++) {
        unsigned b = (unsigned char)out->data[i];
        out->data[i] = (char)(unsigned char)((b << 4 | b >> 4) ^ 0xA5);
    }
    put_login_text(out, start, 48, "test");
    put_login_text(out, start, 68, database);
    if (utf8) {
        out->data[start + 27] = 0x10;
        set_u16le(out, start + 56, out->len - start);
        set_u16le(out, start + 58, 4);
        buf_append_u32le(out, (uint32_t)(out->len + 4 - start));
        buf_append(out, "\x0A\x01\0\0\0\x01\xFF", 7);
    }
    set_u32le(out, start, out->len - start);
}

void client_send_raw(struct client *c, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t sent = send(c->fd, p, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* the server closed: the test sees it when it reads */
        }
        p += sent;
        len -= (size_t)sent;
    }
}

void client_send(struct client *c, enum packet_type type, unsigned status, const void *data, size_t len)
{
    const char *p = data;
    do {
        size_t part = len < c->packet_size - PACKET_HEADER ? len : c->packet_size - PACKET_HEADER;
        size_t total = part + PACKET_HEADER;
        unsigned char packet[PACKET_SIZE_MAX] = {
            (unsigned char)type,
            (unsigned char)(status | (part == len ? PACKET_END : 0)),
            (unsigned char)(total >> 8),
            (unsigned char)total,
        };
        if (part > 0) {
            memcpy(packet + PACKET_HEADER, p, part);
        }
        client_send_raw(c, packet, total);
        p += part;
        len -= part;
        status &= ~(unsigned)(PACKET_RESET | PACKET_RESET_SKIP);
    } while (len > 0);
}

static bool read_exactly(struct client *c, void *data, size_t len)
{
    char *p = data;
    while (len > 0) {
        ssize_t got = recv(c->fd, p, len, 0);
        if (got <= 0) {
            return false;
        }
        p += got;
        len -= (size_t)got;
    }
    return true;
}

bool client_read(struct client *c, struct buf *out)
{
    for (;;) {
        unsigned char packet[PACKET_SIZE_MAX];
        if (!read_exactly(c, packet, PACKET_HEADER)) {
            return false;
        }
        size_t len = (size_t)(packet[2] << 8 | packet[3]);
        assert_int_equal(packet[0], PACKET_REPLY);
        assert_in_range(len, PACKET_HEADER, PACKET_SIZE_MAX);
        if (!read_exactly(c, packet + PACKET_HEADER, len - PACKET_HEADER)) {
            return false;
        }
        buf_append(out, packet + PACKET_HEADER, len - PACKET_HEADER);
        if ((packet[1] & PACKET_END) != 0) {
            return true;
        }
    }
}

void client_log_in(struct client *c, uint32_t version, bool utf8)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    client_put_login(&b, version, CLIENT_USER, CLIENT_PASSWORD, "", utf8);
    client_send(c, PACKET_LOGIN7, 0, b.data, b.len);
    buf_reset(&b);
    assert_true(client_read(c, &b));
    buf_clear(&b);
    c->dialect.utf8 = utf8;
    c->dialect.version = version < 0x72000000   ? DIALECT_71
                         : version < 0x73000000 ? DIALECT_72
                         : version < 0x730B0000 ? DIALECT_73A
                         : version < 0x74000000 ? DIALECT_73B
                                                : DIALECT_74;
}

void client_send_batch(struct client *c, const char *sql)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    if (c->dialect.version >= DIALECT_72) {
        client_put_headers(&b);
    }
    client_put_utf16(&b, sql);
    client_send(c, PACKET_BATCH, 0, b.data, b.len);
    buf_clear(&b);
}

void client_read_text(struct client *c, struct buf *out)
{
    struct buf b;
    buf_init(&b, (size_t)1 << 28);
    if (!client_read(c, &b)) {
        buf_append_text(out, "closed\n");
    } else {
        assert_true(client_show(&c->dialect, b.data, b.len, out));
    }
    buf_clear(&b);
}

/* --- answers --- */

static void show_hex(const char *data, size_t len, struct buf *out)
{
    buf_append_text(out, "0x");
    for (size_t i = 0; i < len; i++) {
        buf_printf(out, "%02X", (unsigned char)data[i]);
    }
}

void client_show_value(const struct value *v, struct buf *out)
{
    char text[48];
    if (v->null) {
        buf_append_text(out, "NULL");
    } else if (sqltype_is_integer(&v->type) || v->type.kind == SQLTYPE_BIT) {
        buf_printf(out, "%lld", (long long)v->integer);
    } else if (sqltype_is_decimal(&v->type)) {
        buf_append(out, text, value_decimal_to_text(v->decimal, v->type.scale, text));
    } else if (sqltype_is_float(&v->type)) {
        buf_printf(out, "%.17g", v->real);
    } else if (sqltype_is_binary(&v->type) || v->type.kind == SQLTYPE_UNIQUEIDENTIFIER) {
        show_hex(v->bytes.data, v->bytes.len, out);
    } else {
        buf_append_char(out, '\'');
        if (v->bytes.len > 100) {
            buf_printf(out, "%.20s… %zu bytes", v->bytes.data, v->bytes.len);
        } else {
            buf_append(out, v->bytes.data, v->bytes.len);
        }
        buf_append_char(out, '\'');
    }
}

struct shower {
    const struct dialect *dialect;
    struct reader r;
    struct buf *out;
    struct arena arena;
    struct wiretype types[COLUMNS_MAX];
    size_t columns;
};

static void show_text(struct shower *s, size_t units)
{
    const unsigned char *p = reader_bytes(&s->r, units * 2);
    char text[4096];
    if (p == NULL || units * 3 >= sizeof text) {
        return;
    }
    buf_append_char(s->out, '\'');
    buf_append(s->out, text, wiretext_from_utf16(p, units * 2, text));
    buf_append_char(s->out, '\'');
}

static uint32_t read_u16_or_u32(struct shower *s)
{
    return s->dialect->version >= DIALECT_72 ? reader_u32le(&s->r) : reader_u16le(&s->r);
}

static bool show_type(struct shower *s, struct wiretype *type)
{
    struct buf error;
    buf_init(&error, 1024);
    bool good = wiretype_read_info(&s->r, type, &error) == 0;
    buf_clear(&error);
    if (good) {
        sqltype_write(&type->type, s->out);
    }
    return good;
}

static bool show_value(struct shower *s, const struct wiretype *type, bool in_row)
{
    struct buf error;
    struct value v;
    if (in_row && wiretype_is_lob(type)) { /* behind a text pointer, or NULL without one */
        uint8_t pointer = reader_u8(&s->r);
        if (pointer == 0) {
            buf_append_text(s->out, "NULL");
            return true;
        }
        reader_bytes(&s->r, (size_t)pointer + 8);
    }
    buf_init(&error, 1024);
    bool good = wiretype_read_value(&s->r, type, &s->arena, &v, &error) == 0;
    if (good) {
        client_show_value(&v, s->out);
    }
    buf_clear(&error);
    return good;
}

static bool show_columns(struct shower *s)
{
    s->columns = reader_u16le(&s->r);
    buf_append_text(s->out, "COLUMNS");
    for (size_t i = 0; i < s->columns; i++) {
        if (i == COLUMNS_MAX) {
            return false;
        }
        read_u16_or_u32(s);
        reader_u16le(&s->r);
        buf_append_char(s->out, ' ');
        if (!show_type(s, &s->types[i])) {
            return false;
        }
        if (wiretype_is_lob(&s->types[i])) {
            size_t parts = s->dialect->version >= DIALECT_72 ? reader_u8(&s->r) : 1;
            for (; parts > 0; parts--) {
                reader_bytes(&s->r, (size_t)reader_u16le(&s->r) * 2);
            }
        }
        buf_append_char(s->out, ' ');
        show_text(s, reader_u8(&s->r));
    }
    return true;
}

static bool show_row(struct shower *s, bool skips_nulls)
{
    const unsigned char *bitmap = skips_nulls ? reader_bytes(&s->r, (s->columns + 7) / 8) : NULL;
    buf_append_text(s->out, skips_nulls ? "NBCROW" : "ROW");
    for (size_t i = 0; i < s->columns; i++) {
        buf_append_char(s->out, ' ');
        if (bitmap != NULL && (bitmap[i / 8] >> i % 8 & 1) != 0) {
            buf_append_text(s->out, "NULL");
        } else if (!show_value(s, &s->types[i], true)) {
            return false;
        }
    }
    return true;
}

static bool show_return_value(struct shower *s)
{
    struct wiretype type;
    buf_printf(s->out, "RETURNVALUE %u ", reader_u16le(&s->r));
    show_text(s, reader_u8(&s->r));
    reader_u8(&s->r);
    read_u16_or_u32(s);
    reader_u16le(&s->r);
    buf_append_char(s->out, ' ');
    if (!show_type(s, &type)) {
        return false;
    }
    buf_append_char(s->out, ' ');
    return show_value(s, &type, false);
}

static void show_message(struct shower *s, const char *name)
{
    reader_u16le(&s->r);
    uint32_t number = reader_u32le(&s->r);
    unsigned state = reader_u8(&s->r);
    buf_printf(s->out, "%s %u severity %u state %u ", name, number, reader_u8(&s->r), state);
    show_text(s, reader_u16le(&s->r));
    reader_bytes(&s->r, (size_t)reader_u8(&s->r) * 2);
    reader_bytes(&s->r, (size_t)reader_u8(&s->r) * 2);
    buf_printf(s->out, " line %u", read_u16_or_u32(s));
}

static void show_environment(struct shower *s)
{
    size_t len = reader_u16le(&s->r);
    const unsigned char *p = reader_bytes(&s->r, len);
    if (p == NULL || len < 1) {
        return;
    }
    struct shower inner = *s;
    reader_init(&inner.r, p, len);
    unsigned type = reader_u8(&inner.r);
    buf_printf(s->out, "ENVCHANGE %u", type);
    for (int i = 0; i < 2; i++) {
        size_t size = reader_u8(&inner.r);
        buf_append_char(s->out, ' ');
        if (type <= 4) {
            show_text(&inner, size);
        } else {
            const unsigned char *bytes = reader_bytes(&inner.r, size);
            if (bytes != NULL) {
                show_hex((const char *)bytes, size, s->out);
            }
        }
    }
}

static void show_done(struct shower *s, const char *name)
{
    unsigned status = reader_u16le(&s->r);
    unsigned command = reader_u16le(&s->r);
    uint64_t count = s->dialect->version >= DIALECT_72 ? reader_u64le(&s->r) : reader_u32le(&s->r);
    buf_printf(s->out, "%s %02x %02x %llu", name, status, command, (unsigned long long)count);
}

static void show_loginack(struct shower *s)
{
    size_t len = reader_u16le(&s->r);
    const unsigned char *p = reader_bytes(&s->r, len);
    if (p == NULL || len < 10) {
        return;
    }
    buf_printf(s->out, "LOGINACK %02x%02x%02x%02x ", p[1], p[2], p[3], p[4]);
    struct shower inner = *s;
    reader_init(&inner.r, p + 6, len - 6);
    show_text(&inner, p[5]);
}

static bool show_features(struct shower *s)
{
    buf_append_text(s->out, "FEATUREEXTACK");
    for (;;) {
        unsigned feature = reader_u8(&s->r);
        if (feature == 0xFF || s->r.failed) {
            return !s->r.failed;
        }
        size_t len = reader_u32le(&s->r);
        const unsigned char *p = reader_bytes(&s->r, len);
        buf_printf(s->out, " %02x:", feature);
        if (p != NULL) {
            show_hex((const char *)p, len, s->out);
        }
    }
}

static bool show_token(struct shower *s)
{
    switch (reader_u8(&s->r)) {
    case 0x79:
        buf_printf(s->out, "RETURNSTATUS %d", (int32_t)reader_u32le(&s->r));
        return true;
    case 0x81:
        return show_columns(s);
    case 0xAA:
        show_message(s, "ERROR");
        return true;
    case 0xAB:
        show_message(s, "INFO");
        return true;
    case 0xAC:
        return show_return_value(s);
    case 0xAD:
        show_loginack(s);
        return true;
    case 0xAE:
        return show_features(s);
    case 0xD1:
        return show_row(s, false);
    case 0xD2:
        return show_row(s, true);
    case 0xE3:
        show_environment(s);
        return true;
    case 0xFD:
        show_done(s, "DONE");
        return true;
    case 0xFE:
        show_done(s, "DONEPROC");
        return true;
    case 0xFF:
        show_done(s, "DONEINPROC");
        return true;
    default:
        return false;
    }
}

bool client_show(const struct dialect *d, const void *data, size_t len, struct buf *out)
{
    struct shower s = {.dialect = d, .out = out};
    reader_init(&s.r, data, len);
    arena_init(&s.arena, (size_t)1 << 28);
    bool good = true;
    while (good && reader_left(&s.r) > 0) {
        good = show_token(&s) && !s.r.failed;
        buf_append_char(out, '\n');
    }
    arena_clear(&s.arena);
    return good;
}
