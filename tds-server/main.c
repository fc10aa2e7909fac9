/* shardgate-tdsd: options, signals, and the order of start and stop. */
#include "common/log.h"
#include "common/memory.h"
#include "tds-server/engine/engine.h"
#include "tds-server/wire/login.h"
#include "tds-server/server.h"
#include "tds-server/wire/tls.h"
#include "tds-server/wire/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_USAGE  64 /* as in sysexits.h */
#define EXIT_CONFIG 78

#define GIVE_BACK_FROM (1 << 20) /* bytes of an allocation that is the system's again as soon as it is freed */

enum encrypt { ENCRYPT_OFF, ENCRYPT_ALLOW, ENCRYPT_REQUIRE };

struct options {
    const char *data;
    const char *bind;
    const char *user;
    const char *password_file;
    const char *certificate; /* NULL: the one in the data folder, made at the first start */
    const char *private_key; /* NULL like certificate */
    enum encrypt encrypt;
    int port;
    int max_connections;
    int idle_timeout_s;
    bool durable;
};

static void usage(FILE *out)
{
    fputs("usage: shardgate-tdsd --data DIR --port N --password-file FILE [--bind ADDRESS] [--user NAME]\n"
          "                      [--max-connections N] [--idle-timeout SECONDS] [--no-sync] [--encrypt off|allow|require]\n"
          "                      [--certificate FILE --private-key FILE]\n"
          "  --data DIR             the folder of the databases; made when it is absent\n"
          "  --port N               the TCP port; 0 takes any free one\n"
          "  --password-file FILE   the user's password is its first line\n"
          "  --bind ADDRESS         the numeric address to listen on (127.0.0.1)\n"
          "  --user NAME            the one user (sa)\n"
          "  --max-connections N    refuse more than these (1024)\n"
          "  --idle-timeout SECONDS end connections that ask nothing for so long; their transactions are rolled back (0: never)\n"
          "  --no-sync              do not wait for the disk: faster, and a power cut can lose writes and databases\n"
          "  --encrypt WHEN         off: never; allow: as the client asks (default); require: refuse those that do not\n"
          "  --certificate FILE     PEM, authorities behind it; default: one made at the first start, DIR/tls/cert.pem\n"
          "  --private-key FILE     its key: PEM, without a passphrase\n",
          out);
}

static bool parse_number(const char *text, int least, int most, int *out)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || v < least || v > most) {
        return false;
    }
    *out = (int)v;
    return true;
}

static bool parse_encrypt(const char *text, enum encrypt *out)
{
    static const char *const names[] = {[ENCRYPT_OFF] = "off", [ENCRYPT_ALLOW] = "allow", [ENCRYPT_REQUIRE] = "require"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum encrypt)i;
            return true;
        }
    }
    return false;
}

/* Both files or none, and none for a server that does not encrypt. */
static bool certificate_options_fit(const struct options *o)
{
    return (o->certificate == NULL) == (o->private_key == NULL) && (o->certificate == NULL || o->encrypt != ENCRYPT_OFF);
}

/* 0, or the status to exit with. */
static int parse_options(int argc, char **argv, struct options *o)
{
    enum { DATA = 1, BIND, PORT, USER, PASSWORD_FILE, MAX_CONNECTIONS, IDLE_TIMEOUT, NO_SYNC, ENCRYPT, CERTIFICATE, PRIVATE_KEY, HELP };
    static const struct option known[] = {
        {"data", required_argument, NULL, DATA},
        {"bind", required_argument, NULL, BIND},
        {"port", required_argument, NULL, PORT},
        {"user", required_argument, NULL, USER},
        {"password-file", required_argument, NULL, PASSWORD_FILE},
        {"max-connections", required_argument, NULL, MAX_CONNECTIONS},
        {"idle-timeout", required_argument, NULL, IDLE_TIMEOUT},
        {"no-sync", no_argument, NULL, NO_SYNC},
        {"encrypt", required_argument, NULL, ENCRYPT},
        {"certificate", required_argument, NULL, CERTIFICATE},
        {"private-key", required_argument, NULL, PRIVATE_KEY},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    *o = (struct options){.bind = "127.0.0.1",
                          .user = "sa",
                          .port = -1,
                          .max_connections = SERVER_MAX_CONNECTIONS,
                          .durable = true,
                          .encrypt = ENCRYPT_ALLOW};
    bool good = true;
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case DATA:
            o->data = optarg;
            break;
        case BIND:
            o->bind = optarg;
            break;
        case PORT:
            good &= parse_number(optarg, 0, 65535, &o->port);
            break;
        case USER:
            o->user = optarg;
            break;
        case PASSWORD_FILE:
            o->password_file = optarg;
            break;
        case MAX_CONNECTIONS:
            good &= parse_number(optarg, 1, SERVER_MOST_CONNECTIONS, &o->max_connections);
            break;
        case IDLE_TIMEOUT:
            good &= parse_number(optarg, 0, SERVER_MOST_IDLE_S, &o->idle_timeout_s);
            break;
        case NO_SYNC:
            o->durable = false;
            break;
        case ENCRYPT:
            good &= parse_encrypt(optarg, &o->encrypt);
            break;
        case CERTIFICATE:
            o->certificate = optarg;
            break;
        case PRIVATE_KEY:
            o->private_key = optarg;
            break;
        case HELP:
            usage(stdout);
            exit(EXIT_SUCCESS);
        default:
            good = false;
        }
    }
    if (!good || !certificate_options_fit(o) || optind != argc || o->data == NULL || o->password_file == NULL || o->port < 0 ||
        strlen(o->user) > LOGIN_TEXT_MAX) {
        usage(stderr);
        return EXIT_USAGE;
    }
    return 0;
}

static void warn_of_others(const char *path)
{
    struct stat about;
    if (stat(path, &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        log_warning("%s: others than its owner may use this file", path);
    }
}

/* The first line of the file. 0, or -1 with a message logged. */
static int read_password(const char *path, char password[LOGIN_TEXT_BYTES + 1])
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        log_error("%s: %s", path, strerror(errno));
        return -1;
    }
    warn_of_others(path);
    bool good = fgets(password, LOGIN_TEXT_BYTES + 1, f) != NULL;
    fclose(f);
    if (good) {
        password[strcspn(password, "\r\n")] = '\0';
    }
    if (!good || password[0] == '\0') {
        log_error("%s: there is no password in it", path);
        return -1;
    }
    return 0;
}

/* Makes the certificate in a process of its own, so that this one is not left with OpenSSL's tables for it; no other thread
 * runs yet. 0, or -1 with a message in `error`. */
static int make_certificate(const char *folder, struct buf *error)
{
    int status = 0;
    pid_t maker = fork();
    if (maker == 0) {
        if (tls_certificate_make(folder, error) != 0) {
            log_error("%s", buf_text(error));
            _exit(EXIT_FAILURE);
        }
        _exit(EXIT_SUCCESS);
    }
    while (maker > 0 && waitpid(maker, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    if (maker < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
        buf_printf(error, "%s: there is no certificate in it, and none could be made%s%s", folder, maker < 0 ? ": " : "",
                   maker < 0 ? strerror(errno) : "");
        return -1;
    }
    return 0;
}

/* The certificate and key that are named, or those in the data folder, which are made when there are none. They are read now
 * when they are named or everybody has to use them, else when the first client asks for encryption. 0, or -1 with a
 * message in `error`. */
static int open_tls(const struct options *o, struct tls_context **out, struct buf *error)
{
    char folder[PATH_MAX];
    char certificate[PATH_MAX + 16];
    char private_key[PATH_MAX + 16];
    if (o->certificate != NULL) {
        warn_of_others(o->private_key);
    } else if (snprintf(folder, sizeof folder, "%s/tls", o->data) >= (int)sizeof folder) {
        buf_printf(error, "%s: the path is too long", o->data);
        return -1;
    } else {
        snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
        snprintf(private_key, sizeof private_key, "%s/key.pem", folder);
        if (access(certificate, F_OK) != 0 && make_certificate(folder, error) != 0) {
            return -1;
        }
    }
    *out = tls_context_new(o->certificate != NULL ? o->certificate : certificate, o->certificate != NULL ? o->private_key : private_key);
    if (*out == NULL) {
        buf_append_text(error, "out of memory");
        return -1;
    }
    return o->certificate != NULL || o->encrypt == ENCRYPT_REQUIRE ? tls_context_load(*out, error) : 0;
}

/* Says where the server listens: to the log, and on standard output for who started it. */
static void announce(const struct options *o, int port)
{
    log_info("listening on %s:%d", o->bind, port);
    printf("shardgate-tdsd: listening on %s:%d\n", o->bind, port);
    fflush(stdout);
}

/* By itself glibc learns from large requests to keep up to 64 MiB of what they gave back, for each of its arenas. */
static void bound_kept_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, GIVE_BACK_FROM);
    mallopt(M_TRIM_THRESHOLD, GIVE_BACK_FROM);
}

/* Serves until SIGTERM or SIGINT comes. Returns the exit status. */
static int serve(const struct options *o, const char *password, const sigset_t *stop_signals)
{
    struct session_settings settings = {.user = o->user, .password = password, .tls_required = o->encrypt == ENCRYPT_REQUIRE,
                                        .idle_timeout_s = o->idle_timeout_s};
    struct server *server = NULL;
    struct buf error;
    int status = EXIT_FAILURE;
    bool all_ended = true;
    buf_init(&error, 4096);

    if (engine_open(o->data, o->durable, &settings.engine, &error) != 0) {
        log_error("%s", buf_text(&error));
        goto out;
    }
    /* After the engine is open: the folder is there, and no other server's. */
    if (o->encrypt != ENCRYPT_OFF && open_tls(o, &settings.tls, &error) != 0) {
        log_error("%s", buf_text(&error));
        status = EXIT_CONFIG;
        goto out;
    }
    if (watch_start(&settings.watch) != 0) {
        log_error("cannot start a thread: %s", strerror(errno));
        goto out;
    }
    if (server_open(o->bind, o->port, o->max_connections, &settings, &server, &error) != 0) {
        log_error("%s", buf_text(&error));
        goto out;
    }
    if (server_start(server) != 0) {
        log_error("cannot start a thread: %s", strerror(errno));
        goto out;
    }
    announce(o, server_port(server));

    log_info("stopping on signal %d", memory_wait_for_signal(stop_signals));
    all_ended = server_stop(server);
    status = EXIT_SUCCESS;

out:
    buf_clear(&error);
    if (!all_ended) {
        log_warning("some requests did not end: the databases recover what they left at the next start");
        _exit(EXIT_FAILURE);
    }
    server_free(server);
    watch_stop(settings.watch);
    tls_context_free(settings.tls);
    if (settings.engine != NULL) {
        engine_close(settings.engine);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct options o;
    char password[LOGIN_TEXT_BYTES + 1];
    sigset_t stop_signals;

    int status = parse_options(argc, argv, &o);
    if (status != 0) {
        return status;
    }
    log_open("shardgate-tdsd");
    bound_kept_memory();
    if (read_password(o.password_file, password) != 0) {
        return EXIT_CONFIG;
    }

    /* Blocked in every thread: only main takes them. */
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGTERM);
    sigaddset(&stop_signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is met as a full disk is */

    status = serve(&o, password, &stop_signals);
    explicit_bzero(password, sizeof password);
    return status;
}
