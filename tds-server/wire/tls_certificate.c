/* The certificate that a server without one makes for itself. */
#include "tds-server/wire/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALID_DAYS   3650
#define SERIAL_BYTES 16

static int add_extension(X509 *certificate, int id, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, id, value);
    int added = e != NULL && X509_add_ext(certificate, e, -1) == 1 ? 0 : -1;
    X509_EXTENSION_free(e);
    return added;
}

/* Random, as RFC 5280 4.1.2.2 wants it: positive, and at most 20 octets. */
static int set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return -1;
    }
    bytes[0] = (unsigned char)((bytes[0] & 0x3F) | 0x40);
    BIGNUM *n = BN_bin2bn(bytes, sizeof bytes, NULL);
    int set =
        n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(certificate)) != NULL ? 0 : -1;
    BN_free(n);
    return set;
}

/* "DNS:localhost,IP:127.0.0.1,IP:::1", and this machine's name when it can stand in a certificate.
 */
static void list_names(char *out, size_t size)
{
    char host[HOST_NAME_MAX + 1] = "";
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    if (gethostname(host, sizeof host - 1) != 0 || strcmp(host, "localhost") == 0 ||
        host[strspn(host, allowed)] != '\0') {
        host[0] = '\0';
    }
    snprintf(out, size, "DNS:localhost,IP:127.0.0.1,IP:::1%s%s", host[0] != '\0' ? ",DNS:" : "",
             host);
}

/* A certificate for `key`, signed by it. The caller's; NULL on failure. */
static X509 *sign_own(EVP_PKEY *key)
{
    static const unsigned char name[] = "shardgate-tdsd";
    char names[HOST_NAME_MAX + 128];
    list_names(names, sizeof names);
    X509 *c = X509_new();
    X509_NAME *subject = X509_get_subject_name(c);
    if (c == NULL || X509_set_version(c, X509_VERSION_3) != 1 || set_serial(c) != 0 ||
        X509_gmtime_adj(X509_getm_notBefore(c), -24 * 3600) ==
            NULL || /* clients' clocks may be slow */
        X509_time_adj_ex(X509_getm_notAfter(c), VALID_DAYS, 0, NULL) == NULL ||
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0) != 1 ||
        X509_set_issuer_name(c, subject) != 1 || X509_set_pubkey(c, key) != 1 ||
        add_extension(c, NID_basic_constraints, "critical,CA:FALSE") != 0 ||
        add_extension(c, NID_key_usage, "critical,digitalSignature") != 0 ||
        add_extension(c, NID_ext_key_usage, "serverAuth") != 0 ||
        add_extension(c, NID_subject_alt_name, names) != 0 ||
        add_extension(c, NID_subject_key_identifier, "hash") != 0 ||
        X509_sign(c, key, EVP_sha256()) == 0) {
        X509_free(c);
        return NULL;
    }
    return c;
}

/* Writes the one that is not NULL to a new file that takes `path`'s place when it is on the disk.
 */
static int write_file(const char *path, EVP_PKEY *key, X509 *certificate, struct buf *error)
{
    char fresh[PATH_MAX];
    FILE *f = NULL;
    int written = -1;
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) {
        errno = ENAMETOOLONG;
        goto out;
    }
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        goto out;
    }
    int made = key != NULL ? PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL)
                           : PEM_write_X509(f, certificate);
    written = made == 1 && fflush(f) == 0 && fsync(fd) == 0 ? 0 : -1;

out:
    if (f != NULL && fclose(f) != 0) {
        written = -1;
    }
    if (written == 0) {
        written = rename(fresh, path);
    }
    if (written != 0) {
        buf_printf(error, "%s: cannot be written: %s", path, strerror(errno));
        unlink(fresh);
    }
    return written;
}

int tls_certificate_make(const char *folder, struct buf *error)
{
    char certificate_path[PATH_MAX];
    char key_path[PATH_MAX];
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    int result = -1;
    if (snprintf(certificate_path, sizeof certificate_path, "%s/cert.pem", folder) >=
            (int)sizeof certificate_path ||
        snprintf(key_path, sizeof key_path, "%s/key.pem", folder) >= (int)sizeof key_path) {
        buf_printf(error, "%s: the path is too long", folder);
        return -1;
    }
    /* The certificate is written last: where it is, its key is, too. */
    if (access(certificate_path, F_OK) == 0) {
        return 0;
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        buf_printf(error, "%s: %s", folder, strerror(errno));
        return -1;
    }
    ERR_clear_error();
    key = EVP_EC_gen("P-256");
    certificate = key != NULL ? sign_own(key) : NULL;
    if (certificate == NULL) {
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        buf_printf(error, "no certificate could be made: %s",
                   reason != NULL ? reason : "out of memory");
        goto out;
    }
    if (write_file(key_path, key, NULL, error) == 0 &&
        write_file(certificate_path, NULL, certificate, error) == 0) {
        result = 0;
    }

out:
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return result;
}
