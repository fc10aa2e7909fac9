/* Reads what a client says before it is logged in: PRELOGIN (MS-TDS 2.2.6.5) and LOGIN7 (2.2.6.4). Decides nothing. */
#ifndef SHARDGATE_TDS_LOGIN_H
#define SHARDGATE_TDS_LOGIN_H

#include "common/buf.h"
#include "tds-server/wire/wiretype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGIN_TEXT_MAX   128 /* UTF-16 units of a name or a password */
#define LOGIN_TEXT_BYTES (LOGIN_TEXT_MAX * 3)

enum login_encryption {
    ENCRYPTION_OFF = 0, /* of the login alone */
    ENCRYPTION_ON = 1,
    ENCRYPTION_NOT_SUP = 2,
    ENCRYPTION_REQUIRED = 3,
};

/* What the client's PRELOGIN asks for; ENCRYPTION_NOT_SUP when it does not say. 0, or -1 when it is malformed. */
int login_read_prelogin(const void *data, size_t len, enum login_encryption *encryption)
    __attribute__((warn_unused_result));
/* What is answered to a client that wants this, by a server that has encryption or not, and insists on it or not. Of the
 * answers only ENCRYPTION_NOT_SUP lets the connection go on without. */
enum login_encryption login_choose_encryption(enum login_encryption wanted, bool offered, bool required);
/* Can a connection go on, when the client wanted this and this was answered? If not the server ends it. */
bool login_agrees(enum login_encryption wanted, enum login_encryption answered);
/* Appends the answer. */
void login_write_prelogin(enum login_encryption encryption, struct buf *out);

struct login {
    uint32_t tds_version; /* as the client wrote it: 0x74000004 */
    bool old;             /* a version before 7.1: not spoken here */
    struct dialect dialect;
    uint32_t packet_size; /* wanted; 0 for the default */
    bool integrated;      /* asks for Windows authentication */
    bool federated;       /* asks for token authentication */
    bool has_features;    /* sent feature extensions, and expects their acknowledgement */
    bool change_password;
    char user[LOGIN_TEXT_BYTES + 1]; /* UTF-8 */
    char password[LOGIN_TEXT_BYTES + 1];
    char database[LOGIN_TEXT_BYTES + 1];
    char application[LOGIN_TEXT_BYTES + 1];
    char host[LOGIN_TEXT_BYTES + 1];
    char interface[LOGIN_TEXT_BYTES + 1]; /* the client library's name */
};

/* Reads LOGIN7. 0, or -1 when it is malformed. The caller wipes `out` (login_clear) in any case. */
int login_read(const void *data, size_t len, struct login *out) __attribute__((warn_unused_result));
/* Wipes it, the password above all. */
void login_clear(struct login *l);

#endif
