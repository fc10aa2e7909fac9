#include "tds-server/engine/sessions.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the list ---- */

int sessions_join(struct engine_session *s)
{
    struct engine *e = s->engine;
    int result = -1;
    s->about.login_ms = now_ms();
    pthread_mutex_lock(&e->sessions_lock);
    struct engine_session **link = &e->sessions;
    int id = RUNTIME_FIRST_SPID;
    for (; *link && (*link)->spid == id; link = &(*link)->next)
        id++;
    if (id < RUNTIME_FIRST_SPID + RUNTIME_MAX_SESSIONS) {
        s->spid = id;
        s->next = *link;
        *link = s;
        result = 0;
    }
    pthread_mutex_unlock(&e->sessions_lock);
    return result;
}

void sessions_leave(struct engine_session *s)
{
    struct engine *e = s->engine;
    pthread_mutex_lock(&e->sessions_lock);
    struct engine_session **link = &e->sessions;
    while (*link && *link != s)
        link = &(*link)->next;
    if (*link)
        *link = s->next;
    pthread_mutex_unlock(&e->sessions_lock);
}

void sessions_show(struct engine_session *s, bool running)
{
    struct session_shown *shown = &s->shown;
    if (running)
        atomic_store_explicit(&shown->request_ms, now_ms(), memory_order_relaxed);
    atomic_store_explicit(&shown->running, running, memory_order_relaxed);
    atomic_store_explicit(&shown->database, s->current->id, memory_order_relaxed);
    atomic_store_explicit(&shown->transactions, (int)s->trancount, memory_order_relaxed);
    atomic_store_explicit(&shown->isolation, (int)s->options.isolation, memory_order_relaxed);
}

void engine_session_describe(struct engine_session *s, const struct engine_client *client)
{
    struct session_about *a = &s->about;
    pthread_mutex_lock(&s->engine->sessions_lock);
    snprintf(a->login, sizeof a->login, "%s", client->login);
    snprintf(a->host, sizeof a->host, "%s", client->host);
    snprintf(a->application, sizeof a->application, "%s", client->application);
    snprintf(a->interface, sizeof a->interface, "%s", client->interface);
    snprintf(a->address, sizeof a->address, "%s", client->address);
    a->protocol = client->protocol;
    a->packet_size = client->packet_size;
    a->encrypted = client->encrypted;
    pthread_mutex_unlock(&s->engine->sessions_lock);
}

/* ---- for the views ---- */

/* As DATETIME is stored, to the hundredth of a second: that is a DATETIME without rounding. */
static void answer_moment(sqlite3_context *ctx, int64_t ms)
{
    char text[64];
    struct tm t;
    time_t seconds = (time_t)(ms / 1000);
    if (ms == 0 || !gmtime_r(&seconds, &t))
        return;
    size_t len = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &t);
    snprintf(text + len, sizeof text - len, ".%02d00000", (int)(ms % 1000 / 10));
    sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

static void answer_text(sqlite3_context *ctx, const char *text)
{
    sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

/* The lock is held. */
static void answer_fact(sqlite3_context *ctx, struct engine_session *s, enum session_fact fact)
{
    switch (fact) {
    case SESSION_LOGIN_TIME:
        answer_moment(ctx, s->about.login_ms);
        return;
    case SESSION_HOST:
        answer_text(ctx, s->about.host);
        return;
    case SESSION_APPLICATION:
        answer_text(ctx, s->about.application);
        return;
    case SESSION_PROTOCOL:
        sqlite3_result_int64(ctx, s->about.protocol);
        return;
    case SESSION_INTERFACE:
        answer_text(ctx, s->about.interface);
        return;
    case SESSION_LOGIN:
        answer_text(ctx, s->about.login);
        return;
    case SESSION_RUNNING:
        sqlite3_result_int(ctx, atomic_load_explicit(&s->shown.running, memory_order_relaxed));
        return;
    case SESSION_LAST_REQUEST:
        answer_moment(ctx, atomic_load_explicit(&s->shown.request_ms, memory_order_relaxed));
        return;
    case SESSION_ISOLATION:
        sqlite3_result_int(ctx, atomic_load_explicit(&s->shown.isolation, memory_order_relaxed));
        return;
    case SESSION_DATABASE:
        sqlite3_result_int(ctx, atomic_load_explicit(&s->shown.database, memory_order_relaxed));
        return;
    case SESSION_TRANSACTIONS:
        sqlite3_result_int(ctx, atomic_load_explicit(&s->shown.transactions, memory_order_relaxed));
        return;
    case SESSION_ENCRYPTED:
        sqlite3_result_int(ctx, s->about.encrypted);
        return;
    case SESSION_PACKET_SIZE:
        sqlite3_result_int(ctx, s->about.packet_size);
        return;
    case SESSION_ADDRESS:
        answer_text(ctx, s->about.address);
        return;
    default:
        return;
    }
}

static void sg_next_session(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct engine *e = ((struct engine_session *)sqlite3_user_data(ctx))->engine;
    int after = sqlite3_value_int(argv[0]);
    pthread_mutex_lock(&e->sessions_lock);
    struct engine_session *s = e->sessions;
    while (s && s->spid <= after)
        s = s->next;
    if (s)
        sqlite3_result_int(ctx, s->spid);
    pthread_mutex_unlock(&e->sessions_lock);
}

static void sg_session(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct engine_session *own = sqlite3_user_data(ctx);
    int id = sqlite3_value_int(argv[0]);
    if (id == own->spid)
        sessions_show(own, true); /* as it is now, not as the request found it */
    pthread_mutex_lock(&own->engine->sessions_lock);
    struct engine_session *s = own->engine->sessions;
    while (s && s->spid < id)
        s = s->next;
    if (s && s->spid == id)
        answer_fact(ctx, s, (enum session_fact)sqlite3_value_int(argv[1]));
    pthread_mutex_unlock(&own->engine->sessions_lock);
}

static void sg_login(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    answer_text(ctx, ((struct engine_session *)sqlite3_user_data(ctx))->about.login);
}

int sessions_register(sqlite3 *db, struct engine_session *s)
{
    int rc = sqlite3_create_function_v2(db, "sg_next_session", 1, SQLITE_UTF8, s, sg_next_session, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "sg_session", 2, SQLITE_UTF8, s, sg_session, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "sg_login", 0, SQLITE_UTF8, s, sg_login, NULL, NULL, NULL);
    return rc;
}
