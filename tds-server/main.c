/* shardgate-tdsd: options, signals, and the order of start and stop. */
#include "common/log.h"
#include "tds-server/engine.h"
#include "tds-server/login.h"
#include "tds-server/server.h"
#include "tds-server/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_USAGE  64 /* as in sysexits.h */
#define EXIT_CONFIG 78

struct options {
    const char *data;
    const char *bind;
    const char *user;
    const char *password_file;
    int port;
    int max_connections;
    bool durable;
};

static void usage(FILE *out)
{
    fputs("usage: shardgate-tdsd --data DIR --port N --password-file FILE [--bind ADDRESS] [--user NAME]\n"
          "                      [--max-connections N] [--no-sync]\n"
          "  --data DIR             the folder of the databases; made when it is absent\n"
          "  --port N               the TCP port; 0 takes any free one\n"
          "  --password-file FILE   the user's password is its first line\n"
          "  --bind ADDRESS         the numeric address to listen on (127.0.0.1)\n"
          "  --user NAME            the one user (sa)\n"
          "  --max-connections N    refuse more than these (1024)\n"
          "  --no-sync              do not wait for the disk: faster, and a power cut can lose acknowledged writes\n",
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

/* 0, or the status to exit with. */
static int parse_options(int argc, char **argv, struct options *o)
{
    enum { DATA = 1, BIND, PORT, USER, PASSWORD_FILE, MAX_CONNECTIONS, NO_SYNC, HELP };
    static const struct option known[] = {
        {"data", required_argument, NULL, DATA},
        {"bind", required_argument, NULL, BIND},
        {"port", required_argument, NULL, PORT},
        {"user", required_argument, NULL, USER},
        {"password-file", required_argument, NULL, PASSWORD_FILE},
        {"max-connections", required_argument, NULL, MAX_CONNECTIONS},
        {"no-sync", no_argument, NULL, NO_SYNC},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    *o = (struct options){
        .bind = "127.0.0.1", .user = "sa", .port = -1, .max_connections = SERVER_MAX_CONNECTIONS, .durable = true};
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
            good &= parse_number(optarg, 1, 65535, &o->max_connections);
            break;
        case NO_SYNC:
            o->durable = false;
            break;
        case HELP:
            usage(stdout);
            exit(EXIT_SUCCESS);
        default:
            good = false;
        }
    }
    if (!good || optind != argc || o->data == NULL || o->password_file == NULL || o->port < 0 ||
        strlen(o->user) > LOGIN_TEXT_MAX) {
        usage(stderr);
        return EXIT_USAGE;
    }
    return 0;
}

/* The first line of the file. 0, or -1 with a message logged. */
static int read_password(const char *path, char password[LOGIN_TEXT_BYTES + 1])
{
    struct stat about;
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        log_error("%s: %s", path, strerror(errno));
        return -1;
    }
    if (fstat(fileno(f), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        log_warning("%s: others than its owner may use this file", path);
    }
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

/* Says where the server listens: to the log, and on standard output for who started it. */
static void announce(const struct options *o, int port)
{
    log_info("listening on %s:%d", o->bind, port);
    printf("shardgate-tdsd: listening on %s:%d\n", o->bind, port);
    fflush(stdout);
}

/* Serves until SIGTERM or SIGINT comes. Returns the exit status. */
static int serve(const struct options *o, const char *password, const sigset_t *stop_signals)
{
    struct session_settings settings = {.user = o->user, .password = password};
    struct server *server = NULL;
    struct buf error;
    int status = EXIT_FAILURE;
    bool all_ended = true;
    buf_init(&error, 4096);

    if (engine_open(o->data, o->durable, &settings.engine, &error) != 0) {
        log_error("%s", buf_text(&error));
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

    int signal_number = 0;
    sigwait(stop_signals, &signal_number);
    log_info("stopping on signal %d", signal_number);
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
    if (read_password(o.password_file, password) != 0) {
        return EXIT_CONFIG;
    }

    /* Blocked in every thread: only sigwait takes them. */
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGTERM);
    sigaddset(&stop_signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    status = serve(&o, password, &stop_signals);
    explicit_bzero(password, sizeof password);
    return status;
}
