#include "tds-server/wire/login.h"

#include "tds-server/wire/reader.h"
#include "tds-server/wire/wiretext.h"

#include <string.h>

enum {
    PRELOGIN_VERSION = 0,
    PRELOGIN_ENCRYPTION = 1,
    PRELOGIN_INSTANCE = 2,
    PRELOGIN_THREAD = 3,
    PRELOGIN_MARS = 4,
    PRELOGIN_END = 0xFF,
};

/* Where LOGIN7 has what (offsets from its start). */
enum {
    AT_VERSION = 4,
    AT_PACKET_SIZE = 8,
    AT_OPTION_FLAGS_2 = 25,
    AT_OPTION_FLAGS_3 = 27,
    AT_HOST = 36,
    AT_USER = 40,
    AT_PASSWORD = 44,
    AT_APPLICATION = 48,
    AT_EXTENSION = 56,
    AT_INTERFACE = 60,
    AT_DATABASE = 68,
    LOGIN7_MIN = 86,
};

#define INTEGRATED_SECURITY 0x80 /* of option flags 2 */
#define CHANGE_PASSWORD     0x01 /* of option flags 3 */
#define HAS_EXTENSION       0x10 /* of option flags 3 */
#define FEATURE_FEDAUTH     0x02
#define FEATURE_UTF8        0x0A
#define FEATURE_END         0xFF
#define FEATURES_MAX        64

int login_read_prelogin(const void *data, size_t len, enum login_encryption *encryption)
{
    struct reader r;
    reader_init(&r, data, len);
    *encryption = ENCRYPTION_NOT_SUP;
    for (;;) {
        uint8_t option = reader_u8(&r);
        if (r.failed) {
            return -1;
        }
        if (option == PRELOGIN_END) {
            return 0;
        }
        uint16_t offset = reader_u16be(&r);
        uint16_t size = reader_u16be(&r);
        if (r.failed || offset > len || size > len - offset) {
            return -1;
        }
        if (option == PRELOGIN_ENCRYPTION && size >= 1) {
            *encryption = (enum login_encryption)(((const unsigned char *)data)[offset] & 3);
        }
    }
}

/* The table of MS-TDS 2.2.6.5. A client's REQUIRED means ON. */
enum login_encryption login_choose_encryption(enum login_encryption wanted, bool offered, bool required)
{
    if (!offered) {
        return ENCRYPTION_NOT_SUP;
    }
    if (wanted == ENCRYPTION_ON || wanted == ENCRYPTION_REQUIRED) {
        return ENCRYPTION_ON;
    }
    return required ? ENCRYPTION_REQUIRED : wanted;
}

bool login_agrees(enum login_encryption wanted, enum login_encryption answered)
{
    return (wanted == ENCRYPTION_NOT_SUP) == (answered == ENCRYPTION_NOT_SUP) || wanted == ENCRYPTION_OFF;
}

void login_write_prelogin(enum login_encryption encryption, struct buf *out)
{
    /* Each option: its number, where its data are, how long they are; then the data. The version comes first. */
    const unsigned char answer[] = {
        PRELOGIN_VERSION,
        0,
        21,
        0,
        6, /* 15.0.2000.0 */
        PRELOGIN_ENCRYPTION,
        0,
        27,
        0,
        1,
        PRELOGIN_INSTANCE,
        0,
        28,
        0,
        1, /* 0: it is the one the client asked for */
        PRELOGIN_MARS,
        0,
        29,
        0,
        1, /* 0: off */
        PRELOGIN_END,
        15,
        0,
        0x07,
        0xD0,
        0,
        0,
        (unsigned char)encryption,
        0,
        0,
    };
    buf_append(out, answer, sizeof answer);
}

/* Reads the text that the offset and the length (in units) at `at` tell of. */
static int read_text(const unsigned char *data, size_t len, size_t at, bool scrambled, char out[LOGIN_TEXT_BYTES + 1])
{
    size_t offset = reader_get_u16le(data + at);
    size_t size = (size_t)reader_get_u16le(data + at + 2) * 2;
    if (size == 0) {
        out[0] = '\0';
        return 0;
    }
    if (offset > len || size > len - offset || size > LOGIN_TEXT_MAX * 2) {
        return -1;
    }
    unsigned char text[LOGIN_TEXT_MAX * 2];
    memcpy(text, data + offset, size);
    if (scrambled) { /* nibbles swapped, then XOR 0xA5: taken back in the other order (2.2.6.4) */
        for (size_t i = 0; i < size; i++) {
            unsigned char b = text[i] ^ 0xA5;
            text[i] = (unsigned char)(b << 4 | b >> 4);
        }
    }
    size_t made = wiretext_from_utf16(text, size, out);
    out[made] = '\0';
    explicit_bzero(text, sizeof text);
    return strlen(out) == made ? 0 : -1; /* no name has a NUL */
}

/* The extension's place holds the offset of the list of features: a number, a length, data, until 0xFF. */
static int read_features(const unsigned char *data, size_t len, struct login *out)
{
    size_t offset = reader_get_u16le(data + AT_EXTENSION);
    size_t size = reader_get_u16le(data + AT_EXTENSION + 2);
    if (size < 4 || offset > len || size > len - offset) {
        return -1;
    }
    size_t features = reader_get_u32le(data + offset);
    if (features > len) {
        return -1;
    }
    struct reader r;
    reader_init(&r, data + features, len - features);
    out->has_features = true;
    for (int i = 0; i < FEATURES_MAX; i++) {
        uint8_t feature = reader_u8(&r);
        if (!r.failed && feature == FEATURE_END) {
            return 0;
        }
        uint32_t feature_len = reader_u32le(&r);
        const unsigned char *p = reader_bytes(&r, feature_len);
        if (p == NULL) {
            return -1;
        }
        if (feature == FEATURE_UTF8) {
            out->dialect.utf8 = feature_len >= 1 && (p[0] & 1) != 0;
        }
        if (feature == FEATURE_FEDAUTH) {
            out->federated = true;
        }
    }
    return -1;
}

/* The dialect for a client's version: its own, or the highest that we have. */
static enum dialect_version dialect_of(uint32_t tds_version)
{
    switch (tds_version >> 24) {
    case 0x71:
        return DIALECT_71;
    case 0x72:
        return DIALECT_72;
    case 0x73:
        return (tds_version >> 16 & 0xFF) >= 0x0B ? DIALECT_73B : DIALECT_73A;
    default:
        return DIALECT_74;
    }
}

int login_read(const void *data, size_t len, struct login *out)
{
    *out = (struct login){0};
    const unsigned char *p = data;
    if (len < LOGIN7_MIN || reader_get_u32le(p) > len || reader_get_u32le(p) < LOGIN7_MIN) {
        return -1;
    }
    len = reader_get_u32le(p);
    out->tds_version = reader_get_u32le(p + AT_VERSION);
    out->dialect.version = dialect_of(out->tds_version);
    out->old = out->tds_version >> 24 == 0x70 || out->tds_version >> 24 < 0x08;
    out->packet_size = reader_get_u32le(p + AT_PACKET_SIZE);
    out->integrated = (p[AT_OPTION_FLAGS_2] & INTEGRATED_SECURITY) != 0;
    if (read_text(p, len, AT_USER, false, out->user) != 0 || read_text(p, len, AT_PASSWORD, true, out->password) != 0 ||
        read_text(p, len, AT_DATABASE, false, out->database) != 0 ||
        read_text(p, len, AT_APPLICATION, false, out->application) != 0 || read_text(p, len, AT_HOST, false, out->host) != 0 ||
        read_text(p, len, AT_INTERFACE, false, out->interface) != 0) {
        return -1;
    }
    if (out->dialect.version >= DIALECT_72) {
        out->change_password = (p[AT_OPTION_FLAGS_3] & CHANGE_PASSWORD) != 0;
    }
    if (out->dialect.version >= DIALECT_74 && (p[AT_OPTION_FLAGS_3] & HAS_EXTENSION) != 0) {
        return read_features(p, len, out);
    }
    return 0;
}

void login_clear(struct login *l)
{
    explicit_bzero(l, sizeof *l);
}
