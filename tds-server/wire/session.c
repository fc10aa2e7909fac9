#include "tds-server/wire/session.h"

#include "common/clock.h"
#include "common/log.h"
#include "tds-server/wire/answer.h"
#include "tds-server/wire/bulk.h"
#include "tds-server/wire/load.h"
#include "tds-server/wire/login.h"
#include "tds-server/wire/procedures.h"
#include "tds-server/wire/rpc.h"
#include "tds-server/wire/token.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ARENA_MAX   (MESSAGE_MAX * 3) /* UTF-16 grows by half as UTF-8, Windows-1252 at most threefold */
#define TLS_ERROR_TEXT_MAX 1024
#define KEEP_MEMORY ((size_t)256 << 10)
#define LANGUAGE    "us_english"

enum { INFO_DATABASE = 5701, INFO_LANGUAGE = 5703 };

struct session {
    const struct session_settings *settings;
    const char *refusal; /* for the login; NULL when it may succeed */
    struct transport *socket;
    struct tls *tls;     /* NULL while nothing is encrypted */
    bool tls_login_only; /* ... and after the login nothing will be */
    struct packet_stream stream;
    struct message message;
    struct answer answer;
    struct engine_session *engine;
    struct engine_sink sink;
    struct load load;
    struct arena arena; /* of the request under way */
    struct watch_entry watch;
};

static void on_cancel(void *arg)
{
    struct session *s = arg;
    atomic_store(&s->answer.cancelled, true);
    engine_cancel(s->engine);
}

/* --- login --- */

/* Takes the same time for any input of the same claimed length. Both have at most LOGIN_TEXT_BYTES bytes. */
static bool equal_in_constant_time(const char *given, const char *expected)
{
    char a[LOGIN_TEXT_BYTES + 1] = {0};
    char b[LOGIN_TEXT_BYTES + 1] = {0};
    snprintf(a, sizeof a, "%s", given);
    snprintf(b, sizeof b, "%s", expected);
    unsigned difference = 0;
    for (size_t i = 0; i < sizeof a; i++) {
        difference |= (unsigned char)(a[i] ^ b[i]);
    }
    explicit_bzero(a, sizeof a);
    explicit_bzero(b, sizeof b);
    return difference == 0;
}

/* Shakes hands; what follows is encrypted. 0, or -1: the connection ends. */
static int start_tls(struct session *s)
{
    struct buf error;
    int result = -1;
    buf_init(&error, TLS_ERROR_TEXT_MAX);
    if (packet_has_input(&s->stream)) { /* nobody may slip a login in before the handshake */
        buf_append_text(&error, "the client did not wait for the answer to its PRELOGIN");
    } else if (tls_accept(s->settings->tls, s->socket, &s->tls, &error) == 0) {
        s->stream.transport = tls_transport(s->tls);
        result = 0;
    }
    if (result != 0) {
        log_warning("a client was refused: no encryption was agreed on: %s", buf_text(&error));
    }
    buf_clear(&error);
    return result;
}

/* After a login that alone was encrypted: goes on in the clear. 0, or -1: the client sent more than the login. */
static int end_tls(struct session *s)
{
    if (packet_has_input(&s->stream)) {
        return -1;
    }
    s->stream.transport = s->socket;
    tls_free(s->tls);
    s->tls = NULL;
    return 0;
}

/* Answers PRELOGIN, and shakes hands when encryption is agreed on. 0, or -1: the connection ends. */
static int answer_prelogin(struct session *s)
{
    enum login_encryption wanted;
    if (login_read_prelogin(s->message.data.data, s->message.data.len, &wanted) != 0) {
        return -1;
    }
    enum login_encryption answered = login_choose_encryption(wanted, s->settings->tls != NULL, s->settings->tls_required);
    login_write_prelogin(answered, answer_token(&s->answer));
    if (packet_finish(&s->stream) != 0) {
        return -1;
    }
    if (!login_agrees(wanted, answered)) {
        log_warning("a client was refused: %s", answered == ENCRYPTION_NOT_SUP
                                                    ? "it requires encryption, which this server does not offer"
                                                    : "this server requires encryption, which it does not offer");
        return -1;
    }
    s->tls_login_only = answered == ENCRYPTION_OFF;
    return answered == ENCRYPTION_NOT_SUP ? 0 : start_tls(s);
}

/* Opens the engine's session for a client whose login was read. 0, or -1 with the error written. */
static int admit(struct session *s, const struct login *l)
{
    if (s->refusal != NULL) {
        answer_message(&s->answer, ERROR_TOO_MANY_CONNECTIONS, 20, 1, s->refusal);
        return -1;
    }
    if (s->settings->tls_required && s->tls == NULL) { /* the client sent no PRELOGIN */
        log_warning("a client was refused: its login is not encrypted");
        answer_message(&s->answer, ERROR_LOGIN_FAILED, 14, 1, "Login failed. This server requires encryption.");
        return -1;
    }
    if (l->integrated || l->federated) {
        answer_message(&s->answer, ERROR_UNTRUSTED, 14, 1,
                       "Login failed. This server takes SQL Server authentication only: Windows and token "
                       "authentication are not supported.");
        return -1;
    }
    /* Both are compared always, so that the answer's time does not tell which was wrong. */
    bool user_is_right = equal_in_constant_time(l->user, s->settings->user);
    bool password_is_right = equal_in_constant_time(l->password, s->settings->password);
    if (!(user_is_right & password_is_right)) {
        log_warning("login failed for user '%s'", l->user);
        answer_error(&s->answer, ERROR_LOGIN_FAILED, 14, "Login failed for user '%s'.", l->user);
        return -1;
    }
    if (l->change_password) {
        answer_error(&s->answer, ERROR_LOGIN_FAILED, 14,
                     "Login failed for user '%s'. The password cannot be changed at login.", l->user);
        return -1;
    }
    s->sink = answer_sink(&s->answer);
    if (engine_session_open(s->settings->engine, l->database, &s->sink, &s->engine) != 0) {
        s->engine = NULL;
        answer_error(&s->answer, ERROR_NO_DATABASE, 11,
                     "Cannot open database \"%s\" requested by the login. The login failed.", l->database);
        answer_error(&s->answer, ERROR_LOGIN_FAILED, 14, "Login failed for user '%s'.", l->user);
        return -1;
    }
    return 0;
}

static size_t packet_size_for(uint32_t wanted)
{
    if (wanted == 0) {
        return PACKET_SIZE_DEFAULT;
    }
    if (wanted < PACKET_SIZE_MIN) {
        return PACKET_SIZE_MIN;
    }
    return wanted > PACKET_SIZE_MAX ? PACKET_SIZE_MAX : wanted;
}

/* What a client is told when it is logged in, in SQL Server's order. */
static void write_welcome(struct session *s, const struct login *l, size_t packet_size)
{
    char text[ANSWER_ERROR_TEXT_MAX];
    char size[16];
    const char *database = engine_session_database(s->engine);

    token_write_envchange_text(ENVCHANGE_DATABASE, database, "master", answer_token(&s->answer));
    snprintf(text, sizeof text, "Changed database context to '%s'.", database);
    answer_message(&s->answer, INFO_DATABASE, 0, 2, text);
    token_write_envchange_collation(&s->answer.dialect, answer_token(&s->answer));
    token_write_envchange_text(ENVCHANGE_LANGUAGE, LANGUAGE, "", answer_token(&s->answer));
    answer_message(&s->answer, INFO_LANGUAGE, 0, 1, "Changed language setting to " LANGUAGE ".");
    token_write_loginack(&s->answer.dialect, answer_token(&s->answer));
    snprintf(size, sizeof size, "%zu", packet_size);
    token_write_envchange_text(ENVCHANGE_PACKET_SIZE, size, "4096", answer_token(&s->answer));
    if (l->has_features) {
        token_write_featureextack(&s->answer.dialect, answer_token(&s->answer));
    }
}

/* Tells the engine who this is, for those who ask. */
static void describe_client(struct session *s, const struct login *l, size_t packet_size)
{
    char address[INET6_ADDRSTRLEN] = "<local machine>";
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    if (getpeername(s->socket->fd, (struct sockaddr *)&peer, &len) == 0 && peer.ss_family != AF_UNIX) {
        const void *number = peer.ss_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)&peer)->sin6_addr
                                                        : (const void *)&((struct sockaddr_in *)&peer)->sin_addr;
        inet_ntop(peer.ss_family, number, address, sizeof address);
    }
    const struct engine_client client = {
        .login = l->user,
        .host = l->host,
        .application = l->application,
        .interface = l->interface,
        .address = address,
        .protocol = l->tds_version,
        .packet_size = (int)packet_size,
        .encrypted = s->tls != NULL,
    };
    engine_session_describe(s->engine, &client);
}

/* Answers LOGIN7. 0, or -1: the connection ends. */
static int answer_login(struct session *s)
{
    struct login l;
    int result = -1;
    if (login_read(s->message.data.data, s->message.data.len, &l) != 0) {
        goto out;
    }
    s->answer.dialect = l.dialect;
    answer_begin(&s->answer, TOKEN_DONE);
    if (l.old) {
        answer_message(&s->answer, ERROR_LOGIN_FAILED, 14, 1,
                       "Login failed. TDS versions before 7.1 are not supported.");
        packet_finish(&s->stream);
        goto out;
    }
    if (admit(s, &l) != 0) {
        answer_finish(&s->answer);
        goto out;
    }
    s->load = (struct load){.engine = s->engine, .answer = &s->answer};
    s->stream.spid = (uint16_t)engine_session_spid(s->engine);
    size_t packet_size = packet_size_for(l.packet_size);
    describe_client(s, &l, packet_size);
    write_welcome(s, &l, packet_size);
    result = answer_finish(&s->answer);
    s->stream.packet_size = packet_size;

out:
    login_clear(&l);
    buf_clear(&s->message.data); /* the password in it is only scrambled */
    return result;
}

/* From the first byte to a session of the engine. 0, or -1: the connection ends. */
static int log_in(struct session *s)
{
    s->socket->deadline_ms = clock_now_ms() + SESSION_LOGIN_TIMEOUT_MS;
    bool greeted = false;
    for (;;) {
        if (packet_read_message(&s->stream, MESSAGE_LOGIN_MAX, &s->message) != PACKET_OK) {
            return -1;
        }
        if (s->message.type == PACKET_PRELOGIN && !greeted) {
            greeted = true;
            if (answer_prelogin(s) != 0) {
                return -1;
            }
        } else if (s->message.type == PACKET_LOGIN7) {
            if (s->tls_login_only && end_tls(s) != 0) {
                return -1;
            }
            int result = answer_login(s);
            s->socket->deadline_ms = 0;
            s->watch.encrypted = s->tls != NULL;
            return result;
        } else {
            return -1;
        }
    }
}

/* --- requests --- */

static void write_malformed(struct session *s)
{
    answer_error(&s->answer, ERROR_MALFORMED, 16,
                 "The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended unexpectedly.");
}

static void run_batch(struct session *s, struct reader *r)
{
    if (rpc_skip_headers(&s->answer.dialect, r) != 0) {
        write_malformed(s);
        return;
    }
    size_t len = 0;
    const char *sql = rpc_read_batch(r, &s->arena, &len);
    if (sql == NULL) {
        answer_error(&s->answer, ERROR_MEMORY, 17, "There is insufficient system memory to run this query.");
        return;
    }
    if (bulk_is_statement(sql, len)) {
        load_begin(&s->load, sql, len, &s->arena);
        return;
    }
    if (engine_batch(s->engine, sql, len) != 0) {
        return; /* a callback ended it, and knows why */
    }
}

static void run_rpc(struct session *s, struct reader *r)
{
    if (rpc_skip_headers(&s->answer.dialect, r) != 0) {
        write_malformed(s);
        return;
    }
    struct buf error;
    buf_init(&error, ANSWER_ERROR_TEXT_MAX);
    struct rpc_call call;
    struct procedures procedures = {.engine = s->engine, .answer = &s->answer, .load = &s->load, .arena = &s->arena};
    do {
        int number;
        if (rpc_read_call(&s->answer.dialect, r, &s->arena, &call, &number, &error) != 0) {
            answer_message(&s->answer, number, 16, 1, buf_text(&error));
            answer_done(&s->answer, TOKEN_DONEPROC, &(struct engine_done){.error = true});
            break;
        }
        procedures_call(&procedures, &call);
    } while (call.more && !answer_is_cancelled(&s->answer) && !s->stream.broken);
    buf_clear(&error);
}

static void run_transaction(struct session *s, struct reader *r)
{
    struct rpc_transaction_request t;
    if (rpc_skip_headers(&s->answer.dialect, r) != 0 || rpc_read_transaction(r, &s->arena, &t) != 0) {
        write_malformed(s);
        return;
    }
    int result = 0;
    switch (t.type) {
    case TRANSACTION_BEGIN:
        result = engine_begin(s->engine, (enum engine_isolation)t.isolation, t.name);
        break;
    case TRANSACTION_COMMIT:
        result = engine_commit(s->engine);
        break;
    case TRANSACTION_ROLLBACK:
        result = engine_rollback(s->engine, t.name);
        break;
    case TRANSACTION_SAVE:
        result = engine_save(s->engine, t.name);
        break;
    default:
        answer_error(&s->answer, ERROR_NOT_SUPPORTED, 16,
                     "Transaction Manager request %u is not supported: there are no distributed transactions.", t.type);
    }
    if (result == 0 && t.begin_next && !s->answer.error_open) {
        result = engine_begin(s->engine, (enum engine_isolation)t.isolation, t.next_name);
    }
    (void)result; /* -1: a callback ended it, and knows why */
}

static void run_bulk(struct session *s, struct reader *r)
{
    load_rows(&s->load, r, &s->arena);
}

/* Runs the request in s->message and answers. 0, or -1: the connection ends. */
static int answer_request(struct session *s)
{
    typedef void request_fn(struct session * s, struct reader * r);
    static const struct {
        request_fn *run;
        enum token_done statement_done;
    } requests[] = {
        [PACKET_BATCH] = {run_batch, TOKEN_DONE},
        [PACKET_RPC] = {run_rpc, TOKEN_DONEINPROC},
        [PACKET_BULK] = {run_bulk, TOKEN_DONE},
        [PACKET_TRANSACTION] = {run_transaction, TOKEN_DONE},
    };
    size_t type = (size_t)s->message.type;
    if (type == PACKET_ATTENTION) {
        return answer_attention(&s->answer);
    }
    if (type >= sizeof requests / sizeof requests[0] || requests[type].run == NULL) {
        return -1;
    }

    answer_begin(&s->answer, requests[type].statement_done);
    if ((s->message.status & PACKET_IGNORE) != 0 || packet_has_attention(&s->stream)) { /* the client gave it up */
        answer_done(&s->answer, TOKEN_DONE, &(struct engine_done){.error = true});
        return answer_finish(&s->answer);
    }
    atomic_store(&s->answer.cancelled, false);
    arena_init(&s->arena, ARENA_MAX);
    struct reader r;
    reader_init(&r, buf_text(&s->message.data), s->message.data.len);
    watch_add(s->settings->watch, &s->watch);
    if ((s->message.status & (PACKET_RESET | PACKET_RESET_SKIP)) != 0) {
        load_forget(&s->load);
        engine_session_reset(s->engine, (s->message.status & PACKET_RESET_SKIP) != 0);
        token_write_envchange_reset(answer_token(&s->answer));
    }
    requests[type].run(s, &r);
    watch_remove(s->settings->watch, &s->watch);
    arena_clear(&s->arena);

    if (answer_is_cancelled(&s->answer)) {
        return answer_cut_short(&s->answer); /* the attention is the next message */
    }
    int result = answer_finish(&s->answer);
    return s->answer.fatal ? -1 : result;
}

/* Answers a request that was too long to keep. */
static int answer_too_long(struct session *s)
{
    answer_begin(&s->answer, TOKEN_DONE);
    answer_error(&s->answer, ERROR_MEMORY, 17, "The request is longer than the %zu MiB that this server takes.",
                 MESSAGE_MAX >> 20);
    return answer_finish(&s->answer);
}

/* Waits for a request, for as long as idle clients are kept; once it has begun it has to come as a whole. */
static enum packet_result read_request(struct session *s)
{
    int64_t idle_ms = (int64_t)s->settings->idle_timeout_s * 1000;
    s->socket->deadline_ms = idle_ms == 0 ? 0 : clock_now_ms() + idle_ms;
    enum packet_result result = packet_wait(&s->stream);
    if (result == PACKET_OK) {
        s->socket->deadline_ms = clock_now_ms() + SESSION_REQUEST_TIMEOUT_MS;
        result = packet_read_message(&s->stream, MESSAGE_MAX, &s->message);
    } else if (idle_ms > 0 && clock_now_ms() >= s->socket->deadline_ms) {
        log_info("session %d is ended: it was idle for %d s", engine_session_spid(s->engine), s->settings->idle_timeout_s);
    }
    s->socket->deadline_ms = 0;
    return result;
}

void session_run(const struct session_settings *settings, struct transport *t, const char *refusal)
{
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return;
    }
    s->settings = settings;
    s->refusal = refusal;
    s->socket = t;
    s->watch = (struct watch_entry){.fd = t->fd, .cancel = on_cancel, .arg = s};
    packet_stream_init(&s->stream, t);
    answer_init(&s->answer, &s->stream);
    buf_init(&s->message.data, MESSAGE_MAX);

    bool alive = log_in(s) == 0;
    while (alive) {
        enum packet_result result = read_request(s);
        if (result == PACKET_OK) {
            alive = answer_request(s) == 0;
        } else if (result == PACKET_TOO_LONG) {
            alive = answer_too_long(s) == 0;
        } else {
            alive = false;
        }
        if (s->message.data.cap > KEEP_MEMORY) {
            buf_clear(&s->message.data);
        }
    }

    if (s->engine != NULL) {
        engine_session_close(s->engine);
    }
    if (s->tls != NULL && !s->stream.broken) {
        tls_say_end(s->tls);
    }
    tls_free(s->tls);
    packet_stream_clear(&s->stream);
    buf_clear(&s->message.data);
    answer_clear(&s->answer);
    free(s);
}
