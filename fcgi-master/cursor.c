#include "fcgi-master/cursor.h"

#include "common/digest.h"

#include <string.h>

#define VERSION 1
#define KEY_PURPOSE "shardgate cursor 1"
#define MAX_QUERY ((size_t)64 << 20) /* bytes of what a digest is taken of */

/* Where the parts of a token stand. */
enum { AT_SHARD = 1, AT_REPEATS = 3, AT_QUERY = 7, AT_PLACE = AT_QUERY + CURSOR_DIGEST, AT_VALUES = AT_PLACE + CURSOR_DIGEST };

void cursor_init(struct cursor *c)
{
    *c = (struct cursor){0};
    buf_init(&c->values, CURSOR_MAX_TOKEN);
}

void cursor_clear(struct cursor *c)
{
    buf_clear(&c->values);
    c->shard = c->repeats = 0;
}

/* Digests and seals */

static int no_memory(struct err *e)
{
    return err_set(e, ERR_INTERNAL, "out of memory");
}

/* The first CURSOR_DIGEST bytes of the SHA-256. */
static int take_digest(const struct buf *text, unsigned char out[CURSOR_DIGEST], struct err *e)
{
    unsigned char digest[DIGEST_BYTES];
    if (buf_status(text) != 0)
        return no_memory(e);
    digest_take(text->data, text->len, digest);
    memcpy(out, digest, CURSOR_DIGEST);
    return 0;
}

/* The members are written with their names: no two bodies have one text. */
static int digest_query(const struct json_object *body, unsigned char out[CURSOR_DIGEST], struct err *e)
{
    static const char *const shaping[] = {"db_name", "table", "condition", "params", "columns", "order_by", "distinct", "shard_key"};
    struct buf text;
    buf_init(&text, MAX_QUERY);
    buf_append_char(&text, '{');
    for (size_t i = 0; i < sizeof shaping / sizeof shaping[0]; i++) {
        struct json_object *v = NULL;
        if (!json_member(body, shaping[i], &v) || json_kind(v) == JSON_NULL)
            continue;
        buf_printf(&text, "\"%s\":", shaping[i]);
        json_write_value(&text, v);
        buf_append_char(&text, ',');
    }
    int rc = take_digest(&text, out, e);
    buf_clear(&text);
    return rc;
}

static int digest_place(const char *tag, const struct cluster *cluster, unsigned char out[CURSOR_DIGEST], struct err *e)
{
    struct buf text;
    buf_init(&text, MAX_QUERY);
    buf_append_text(&text, tag);
    for (size_t i = 0; i < cluster->worker_count; i++) {
        buf_append_char(&text, '\0');
        buf_append_text(&text, cluster->workers[i].name);
    }
    int rc = take_digest(&text, out, e);
    buf_clear(&text);
    return rc;
}

int cursor_seal_make(struct cursor_seal *seal, const char *token, const struct json_object *body, const char *tag,
                     const struct cluster *cluster, struct err *e)
{
    seal->token = token;
    return digest_query(body, seal->query, e) == 0 && digest_place(tag, cluster, seal->place, e) == 0 ? 0 : -1;
}

/* The workers' token itself seals nothing: what it is used for elsewhere and here have nothing in common. */
static void seal_bytes(const char *token, const char *data, size_t len, unsigned char out[DIGEST_BYTES])
{
    unsigned char key[DIGEST_BYTES];
    digest_seal(token, strlen(token), KEY_PURPOSE, strlen(KEY_PURPOSE), key);
    digest_seal(key, sizeof key, data, len, out);
    explicit_bzero(key, sizeof key);
}

/* base64url, RFC 4648 5, without padding */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const unsigned char *p, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        unsigned bits = (unsigned)p[i] << 16 | (have > 1 ? (unsigned)p[i + 1] << 8 : 0) | (have > 2 ? p[i + 2] : 0u);
        const char quad[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63], alphabet[bits & 63]};
        buf_append(out, quad, have + 1);
    }
}

/* False for what encode() does not write, bits set behind the last byte included: no two texts are one token. */
static bool decode(const char *text, size_t len, struct buf *out)
{
    unsigned bits = 0;
    int have = 0;
    for (size_t i = 0; i < len; i++) {
        const char *digit = text[i] != '\0' ? strchr(alphabet, text[i]) : NULL;
        if (digit == NULL)
            return false;
        bits = (bits << 6 | (unsigned)(digit - alphabet)) & 0xFFFF;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_append_char(out, (char)(bits >> have & 0xFF));
        }
    }
    return len % 4 != 1 && (bits & ((1u << have) - 1)) == 0;
}

/* Tokens */

int cursor_write(const struct cursor_seal *seal, const struct cursor *c, struct buf *out, struct err *e)
{
    unsigned char mac[DIGEST_BYTES];
    struct buf bytes;
    int rc = -1;
    buf_init(&bytes, CURSOR_MAX_TOKEN / 4 * 3);
    buf_append_char(&bytes, VERSION);
    buf_append_u16le(&bytes, (uint16_t)c->shard);
    buf_append_u32le(&bytes, (uint32_t)c->repeats);
    buf_append(&bytes, seal->query, sizeof seal->query);
    buf_append(&bytes, seal->place, sizeof seal->place);
    buf_append(&bytes, c->values.data, c->values.len);
    if (c->repeats > UINT32_MAX) {
        err_set(e, ERR_BAD_FIELD, "after: more rows are alike than a cursor can count");
        goto out;
    }
    if (buf_status(&c->values) != 0 || buf_status(&bytes) != 0 || bytes.max - bytes.len < sizeof mac) {
        err_set(e, ERR_BAD_FIELD,
                "limit: the page's last row has more than %zu bytes in the columns of order_by, and can have no cursor; "
                "order by shorter ones, or give no limit",
                bytes.max - AT_VALUES - sizeof mac);
        goto out;
    }
    seal_bytes(seal->token, bytes.data, bytes.len, mac);
    buf_append(&bytes, mac, sizeof mac);
    encode((const unsigned char *)bytes.data, bytes.len, out);
    rc = buf_status(out) == 0 && buf_status(&bytes) == 0 ? 0 : no_memory(e);
out:
    buf_clear(&bytes);
    return rc;
}

/* Little-endian. */
static size_t read_number(const char *p, size_t bytes)
{
    size_t n = 0;
    while (bytes-- > 0)
        n = n << 8 | (unsigned char)p[bytes];
    return n;
}

int cursor_read(const struct cursor_seal *seal, const char *token, size_t len, struct cursor *out, struct err *e)
{
    unsigned char mac[DIGEST_BYTES];
    struct buf bytes;
    int rc = -1;
    buf_init(&bytes, CURSOR_MAX_TOKEN / 4 * 3);
    if (!decode(token, len, &bytes) || buf_status(&bytes) != 0 || bytes.len < AT_VALUES + sizeof mac || bytes.data[0] != VERSION) {
        err_set(e, ERR_BAD_FIELD, "after: not a cursor; it takes the next of an answer, unchanged");
        goto out;
    }
    const char *data = bytes.data;
    size_t sealed = bytes.len - sizeof mac;
    seal_bytes(seal->token, data, sealed, mac);
    if (!digest_same(mac, data + sealed, sizeof mac))
        err_set(e, ERR_BAD_FIELD, "after: not a cursor that a master of this cluster made");
    else if (!digest_same(data + AT_QUERY, seal->query, sizeof seal->query))
        err_set(e, ERR_BAD_FIELD, "after: the cursor is another query's; only limit may differ from page to page");
    else if (!digest_same(data + AT_PLACE, seal->place, sizeof seal->place))
        err_set(e, ERR_BAD_FIELD, "after: the table or the shards have changed since the cursor was made; begin again without it");
    else
        rc = 0;
    if (rc != 0)
        goto out;
    out->shard = read_number(data + AT_SHARD, 2);
    out->repeats = read_number(data + AT_REPEATS, 4);
    buf_append(&out->values, data + AT_VALUES, sealed - AT_VALUES);
    rc = buf_status(&out->values) == 0 ? 0 : no_memory(e);
out:
    buf_clear(&bytes);
    return rc;
}
