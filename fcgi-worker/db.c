#include "fcgi-worker/db.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"
#include "config.h"
#include "fcgi-worker/dberror.h"
#include "fcgi-worker/newsocket.h"
#include "fcgi-worker/param.h"
#include "fcgi-worker/prepared.h"
#include "fcgi-worker/watchdog.h"

#include <pthread.h>
#include <sql.h>
#include <sqlext.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NO_TRANSACTION 3903 /* ROLLBACK TRANSACTION without BEGIN TRANSACTION */
#define NO_SUCH_HANDLE 8179 /* sp_execute with a number that the session does not know */

struct db {
    const struct db_config *config;
    SQLHENV env;
    SQLHDBC dbc;      /* NULL: not connected */
    int socket;       /* of dbc, a descriptor of ours; -1: not known */
    SQLHSTMT direct;  /* of dbc: for what is not prepared */
    struct prepared_cache *cache;
    SQLHSTMT stmt;    /* what the statement under way uses: `direct`, or the handle of `prepared` */
    struct prepared *prepared; /* of the statement under way; NULL for none */
    bool whole;       /* the server has answered it to its end */
    struct result *result;
    int64_t used_us;  /* when the connection last answered */
    unsigned losses;  /* the count of lost connections at that time */
    bool kept;        /* it served an earlier statement, so it may have died since */
    bool transaction;
    int64_t until_us; /* when the statement under way has to be over */
    int64_t idle_us;  /* how long each fetch may take instead; 0: the rows have to be there by until_us */
    struct watch watch; /* of the driver's call under way */
    bool late;        /* such a call was cancelled */
    int lock_ms;      /* how long the connection waits for a lock */
};

/* Connections that this process has lost. All lead to one server: when one breaks, the others may be broken too. */
static atomic_uint losses;

/* ---- Diagnostics -------------------------------------------------------------------------------------------------- */

static size_t read_records(SQLSMALLINT type, SQLHANDLE handle, struct dberror records[DBERROR_MAX_RECORDS])
{
    size_t count = 0;
    while (handle != SQL_NULL_HANDLE && count < DBERROR_MAX_RECORDS) {
        struct dberror *r = &records[count];
        SQLINTEGER number = 0;
        SQLSMALLINT len;
        *r = (struct dberror){0};
        if (!SQL_SUCCEEDED(SQLGetDiagRec(type, handle, (SQLSMALLINT)(count + 1), (SQLCHAR *)r->state, &number, (SQLCHAR *)r->message,
                                         (SQLSMALLINT)sizeof(r->message), &len)))
            break;
        r->number = (int)number;
        count++;
    }
    return count;
}

static void disconnect(struct db *db)
{
    if (db->socket >= 0)
        shutdown(db->socket, SHUT_RDWR); /* the driver would tell the server of each handle, and wait for its answer */
    prepared_clear(db->cache);
    if (db->direct != SQL_NULL_HANDLE)
        SQLFreeHandle(SQL_HANDLE_STMT, db->direct);
    if (db->dbc != SQL_NULL_HANDLE) {
        SQLDisconnect(db->dbc);
        SQLFreeHandle(SQL_HANDLE_DBC, db->dbc);
    }
    if (db->socket >= 0)
        close(db->socket);
    db->socket = -1;
    db->direct = db->stmt = SQL_NULL_HANDLE;
    db->prepared = NULL;
    db->dbc = SQL_NULL_HANDLE;
    db->kept = false; /* `transaction` stays: what it still holds must not run outside of it on a new connection */
}

/* Ends the statement under way, read to its end or not. */
static void end_statement(struct db *db)
{
    SQLFreeStmt(db->stmt, SQL_CLOSE);
    if (db->prepared != NULL)
        prepared_end(db->cache, db->prepared, db->whole);
    db->prepared = NULL;
    db->stmt = db->direct;
}

/* A call was cancelled. It may have ended just then, so that nothing about it is certain, its rows neither. */
static enum dberror_kind fail_late(struct db *db, enum dberror_phase phase, struct err *e)
{
    static const struct dberror late = {.state = "HYT00"};
    *e = ERR_INIT;
    (void)dberror_set(&late, 1, phase, db->config->shard, e);
    result_close(db->result);
    db->late = false;
    disconnect(db);
    return DBERROR_TIMEOUT;
}

/* Turns the records of the statement's handle into the error, and drops a connection that is not certainly good. */
static enum dberror_kind fail(struct db *db, enum dberror_phase phase, const struct statement *s, struct err *e)
{
    struct dberror records[DBERROR_MAX_RECORDS];

    if (db->late)
        return fail_late(db, phase, e);
    size_t count = read_records(SQL_HANDLE_STMT, db->stmt, records);
    enum dberror_kind kind = dberror_classify(records, count);

    *e = ERR_INIT;
    (void)dberror_set(records, count, phase, db->config->shard, e);
    if (e->code == ERR_INTERNAL || phase == DBERROR_CONNECT)
        log_error("SQL error %d, %s: %s", e->sql_error, count > 0 ? records[0].message : "", s == NULL ? "" : buf_text(&s->sql));
    result_close(db->result); /* it is unbound before the memory serves another */
    if (kind == DBERROR_REFUSED && db->prepared != NULL && e->sql_error == NO_SUCH_HANDLE)
        kind = DBERROR_UNSENT; /* the session is not the one that it was, so that its options are gone, too */
    if (kind == DBERROR_REFUSED) {
        end_statement(db);
    } else {
        losses++;
        disconnect(db);
    }
    return kind;
}

/* ---- Connecting --------------------------------------------------------------------------------------------------- */

bool db_check_password(const char *password)
{
    /* in a connection string a value in braces ends at "};" */
    size_t len = strlen(password);
    return strstr(password, "};") == NULL && (len == 0 || password[len - 1] != '}');
}

struct db *db_new(const struct db_config *config)
{
    struct db *db = calloc(1, sizeof(*db));
    if (db == NULL)
        return NULL;
    db->config = config;
    db->socket = -1;
    db->result = result_new();
    db->cache = prepared_new();
    if (db->result == NULL || db->cache == NULL || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &db->env))
        || !SQL_SUCCEEDED(SQLSetEnvAttr(db->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)(uintptr_t)SQL_OV_ODBC3, 0))) {
        db_free(db);
        return NULL;
    }
    return db;
}

void db_free(struct db *db)
{
    if (db == NULL)
        return;
    if (db->cache != NULL)
        disconnect(db);
    prepared_free(db->cache);
    if (db->env != SQL_NULL_HANDLE)
        SQLFreeHandle(SQL_HANDLE_ENV, db->env);
    result_free(db->result);
    free(db);
}

/* Seconds until the deadline, rounded up, as ODBC's timeouts count; 0 when it has passed. */
static SQLULEN seconds_left(int64_t deadline_us)
{
    int64_t left = deadline_us - clock_now_us();
    return left <= 0 ? 0 : (SQLULEN)((left + 999999) / 1000000);
}

static int deadline_error(const struct db *db, struct err *e)
{
    return err_set(e, ERR_DEADLINE_EXCEEDED, "no time was left to ask the database of shard '%s'", db->config->shard);
}

static int lost_error(const struct db *db, struct err *e)
{
    return err_set(e, ERR_SHARD_UNAVAILABLE, "the connection to the database of shard '%s' was lost", db->config->shard);
}

/* The connection ends, and with it the call and, in the server, the statement. SQLCancel is the second choice: where the server does
 * not answer that either, the driver waits for it as long as it did for the statement. */
static void cancel(void *arg)
{
    struct db *db = arg;
    if (db->socket < 0 || shutdown(db->socket, SHUT_RDWR) != 0)
        SQLCancel(db->stmt);
}

/* From here to end_watch the driver is in a call that waits for the database, and is cancelled when its time is up: by itself it counts
 * whole seconds. Between its calls it must not be, so each is given a little time to begin in, and to find what has arrived. */
static void begin_watch(struct db *db)
{
    int64_t now = clock_now_us(), until_us = db->idle_us > 0 ? now + db->idle_us : db->until_us;
    db->late = false;
    watchdog_set(db->config->watchdog, &db->watch, until_us > now + DB_CALL_US ? until_us : now + DB_CALL_US, cancel, db);
}

/* False when the call was cancelled: then it has failed, whatever it says, and fail() is due. */
static bool end_watch(struct db *db)
{
    db->late = watchdog_clear(db->config->watchdog, &db->watch);
    return !db->late;
}

/* Executes the text with the parameters that are bound. */
static bool exec_text(struct db *db, const char *sql)
{
    begin_watch(db);
    SQLRETURN rc = SQLExecDirect(db->stmt, (SQLCHAR *)sql, SQL_NTS);
    return end_watch(db) && (SQL_SUCCEEDED(rc) || rc == SQL_NO_DATA); /* NO_DATA: a SET, or an UPDATE or DELETE that met no row */
}

/* Reads all the results of a statement. SQL_NO_DATA at the end, SQL_ERROR when one of them is an error. */
static SQLRETURN drain(struct db *db)
{
    SQLRETURN rc;

    begin_watch(db);
    do
        rc = SQLMoreResults(db->stmt);
    while (SQL_SUCCEEDED(rc));
    bool in_time = end_watch(db);
    db->whole = in_time && rc == SQL_NO_DATA;
    return in_time ? rc : SQL_ERROR;
}

/* How long to wait for a lock of a statement that has `ms` left. One that cannot be had is refused by the server a little
 * before the deadline: refused is certain, late is not. */
static int lock_wait(int64_t ms)
{
    int64_t wait = ms - ms / 5;
    return wait < 1 ? 1 : wait > INT32_MAX ? INT32_MAX : (int)wait;
}

static int set_session_options(struct db *db, struct err *e)
{
    struct statement s;
    int rc;

    statement_init(&s);
    db->lock_ms = lock_wait(db->config->timeout_ms);
    statement_session_options(&s, db->lock_ms);
    rc = statement_status(&s, e);
    if (rc == 0 && (!exec_text(db, buf_text(&s.sql)) || drain(db) != SQL_NO_DATA)) {
        (void)fail(db, DBERROR_CONNECT, &s, e);
        rc = -1;
    } else if (rc == 0) {
        SQLFreeStmt(db->stmt, SQL_CLOSE);
    }
    statement_clear(&s);
    return rc;
}

static int connect_fail(struct db *db, struct err *e)
{
    struct dberror records[DBERROR_MAX_RECORDS];
    size_t count = read_records(SQL_HANDLE_DBC, db->dbc, records);

    for (size_t i = 0; i < count; i++)
        /* the driver does not tell a server that is not there from one that it cannot encrypt with, or whose certificate it
         * does not trust: the operator has to know what was asked for */
        log_warning("database of shard '%s' (encrypt: %s): %s (%d)", db->config->shard, db->config->encrypt, records[i].message, records[i].number);
    disconnect(db);
    return dberror_set(records, count, DBERROR_CONNECT, db->config->shard, e);
}

/* Writes UTF-8 as the UTF-16 of ODBC's wide functions. Units written; 0 when it is not UTF-8 or does not fit. */
static size_t to_wide(const char *text, SQLWCHAR *out, size_t max)
{
    size_t units = 0;

    for (const char *p = text, *end = text + strlen(text); p < end;) {
        uint32_t c;
        size_t n = utf8_decode(p, (size_t)(end - p), &c);
        if (n == 0 || max - units < 2)
            return 0;
        if (c > 0xFFFF) {
            out[units++] = (SQLWCHAR)(0xD7C0 + (c >> 10));
            c = 0xDC00 | (c & 0x3FF);
        }
        out[units++] = (SQLWCHAR)c;
        p += n;
    }
    return units;
}

/* Connects, one thread after the other, so that the socket is known. An error without diagnostics when the deadline passes before
 * its turn. */
static SQLRETURN log_in(struct db *db, SQLWCHAR *text, size_t units, int64_t deadline_us)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    static struct newsocket before; /* by `one` */
    int64_t left_us = deadline_us - clock_now_us();
    struct timespec end; /* of this lock's clock, the real time */

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += left_us / 1000000;
    end.tv_nsec += left_us % 1000000 * 1000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    if (left_us <= 0 || pthread_mutex_timedlock(&one, &end) != 0)
        return SQL_ERROR;
    newsocket_note(&before);
    SQLRETURN rc = SQLDriverConnectW(db->dbc, NULL, text, (SQLSMALLINT)units, NULL, 0, NULL, SQL_DRIVER_NOPROMPT);
    if (SQL_SUCCEEDED(rc))
        db->socket = newsocket_find(&before);
    pthread_mutex_unlock(&one);
    return rc;
}

static int connect_db(struct db *db, int64_t deadline_us, struct err *e)
{
    const struct db_config *c = db->config;
    SQLULEN wait = seconds_left(deadline_us);
    char text[1024];
    SQLWCHAR wide[1024];

    if (wait == 0)
        return deadline_error(db, e);
    if (wait > DB_LOGIN_TIMEOUT_S)
        wait = DB_LOGIN_TIMEOUT_S;
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, db->env, &db->dbc)))
        return err_set(e, ERR_INTERNAL, "no ODBC connection could be made");
    SQLSetConnectAttr(db->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)wait, SQL_IS_UINTEGER);
    snprintf(text, sizeof(text),
             "DRIVER={" TDS_ODBC_DRIVER "};SERVERNAME=%s;Database=master;TDS_Version=7.4;ClientCharset=UTF-8;Encryption=%s;UID={%s};PWD={%s};",
             c->server, c->encrypt, c->user, c->password);
    /* The wide function: the other one takes a password for Latin-1, whatever ClientCharset says. */
    size_t units = to_wide(text, wide, sizeof(wide) / sizeof(wide[0]));
    explicit_bzero(text, sizeof(text));
    if (units == 0) {
        log_error("database of shard '%s': the password is not UTF-8", c->shard);
        explicit_bzero(wide, sizeof(wide));
        disconnect(db);
        return err_set(e, ERR_SHARD_UNAVAILABLE, "the worker of shard '%s' has no password that it can use", c->shard);
    }
    SQLRETURN rc = log_in(db, wide, units, deadline_us);
    explicit_bzero(wide, sizeof(wide));
    if (!SQL_SUCCEEDED(rc) || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, db->dbc, &db->direct)))
        return connect_fail(db, e);
    db->stmt = db->direct;
    if (set_session_options(db, e) < 0)
        return -1;
    db->kept = false;
    return 0;
}

/* ---- Parameters --------------------------------------------------------------------------------------------------- */

static int bind_params(struct db *db, const struct statement *s, struct param_slot *slots)
{
    for (size_t i = 0; i < s->param_count; i++) {
        const struct statement_param *p = &s->params[i];
        param_set(&slots[i], s, p);
        const void *place = param_is_text(p->bind) ? (const void *)statement_value(s, p) : &slots[i].number;
        if (!param_bind(db->stmt, i + 1, p->bind, p->precision, p->scale, place, p->len, &slots[i].indicator))
            return -1;
    }
    return 0;
}

/* ---- Executing ---------------------------------------------------------------------------------------------------- */

/* Notes that the connection has answered. */
static void mark_used(struct db *db)
{
    db->used_us = clock_now_us();
    db->losses = losses;
}

/* Is a connection that was idle for long still there? A write must not find out by failing. */
static void check_stale(struct db *db, int64_t deadline_us)
{
    struct statement s;
    int64_t now = clock_now_us();

    if (!db->kept || now >= deadline_us || (now - db->used_us < DB_STALE_US && db->losses == losses))
        return;
    statement_init(&s);
    statement_ping(&s);
    SQLSetStmtAttr(db->stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)seconds_left(deadline_us), SQL_IS_UINTEGER);
    if (exec_text(db, buf_text(&s.sql))) {
        SQLFreeStmt(db->stmt, SQL_CLOSE);
        mark_used(db);
    } else {
        db->late = false;
        losses++;
        disconnect(db);
    }
    statement_clear(&s);
}

/* Makes the connection's wait for a lock fit what is left of the deadline. That costs a round trip, so it stays as it is while it
 * ends before the deadline and is not less than half of what it might be. False when the connection failed. */
static bool fit_lock_wait(struct db *db, int64_t deadline_us)
{
    int64_t left_ms = (deadline_us - clock_now_us()) / 1000;
    int wanted = lock_wait(left_ms < db->config->timeout_ms ? left_ms : db->config->timeout_ms);
    struct statement s;

    if (db->lock_ms <= left_ms - left_ms / 10 && db->lock_ms >= wanted / 2)
        return true;
    statement_init(&s);
    statement_lock_timeout(&s, wanted);
    SQLSetStmtAttr(db->stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)seconds_left(deadline_us), SQL_IS_UINTEGER);
    bool good = exec_text(db, buf_text(&s.sql)) && drain(db) == SQL_NO_DATA;
    statement_clear(&s);
    if (!good)
        return false;
    SQLFreeStmt(db->stmt, SQL_CLOSE);
    db->lock_ms = wanted;
    return true;
}

/* Executes a statement by its own handle where it has one, else as a text whose parameters are bound to `slots`. */
static bool exec_statement(struct db *db, const struct statement *s)
{
    if (db->prepared == NULL)
        return exec_text(db, buf_text(&s->sql));
    begin_watch(db);
    SQLRETURN rc = SQLExecute(db->stmt);
    return end_watch(db) && (SQL_SUCCEEDED(rc) || rc == SQL_NO_DATA);
}

/* Sends a statement and waits for the first of its answer; on failure *kind says how it failed.
 *
 * Handles are for kept connections outside of transactions: one that the server does not know leads to another try on a new
 * connection, which a commit and what stands in a transaction must not have. */
static int try_execute(struct db *db, const struct statement *s, enum db_effect effect, int64_t deadline_us, enum dberror_kind *kind,
                       struct err *e)
{
    enum dberror_phase phase = effect == DB_WRITE && !db->transaction ? DBERROR_WRITING : DBERROR_READING;
    struct param_slot *slots = NULL;
    int rc = -1;

    *kind = DBERROR_REFUSED;
    SQLULEN wait = seconds_left(deadline_us);
    if (wait == 0)
        return deadline_error(db, e);
    if (!fit_lock_wait(db, deadline_us)) {
        *kind = fail(db, DBERROR_READING, s, e);
        if (*kind == DBERROR_LOST)
            *kind = DBERROR_UNSENT; /* the statement itself was not sent */
        return -1;
    }
    if (db->kept && !db->transaction && (db->prepared = prepared_find(db->cache, db->dbc, s)) != NULL) {
        db->stmt = prepared_handle(db->prepared);
    } else if (s->param_count > 0) {
        slots = calloc(s->param_count, sizeof(*slots));
        if (slots == NULL || bind_params(db, s, slots) < 0) {
            (void)err_set(e, ERR_INTERNAL, "the driver refused a parameter, or memory ran out");
            goto out;
        }
    }
    SQLSetStmtAttr(db->stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)wait, SQL_IS_UINTEGER);
    db->whole = false;
    if (exec_statement(db, s))
        rc = 0;
    else
        *kind = fail(db, phase, s, e);
out:
    if (slots != NULL && db->direct != SQL_NULL_HANDLE)
        SQLFreeStmt(db->direct, SQL_RESET_PARAMS); /* the slots go */
    free(slots);
    return rc;
}

/* Executes on the kept connection or a new one. What cannot have run, or only reads, is tried once more on a new one. */
static int execute(struct db *db, const struct statement *s, enum db_effect effect, int64_t deadline_us, struct err *e)
{
    enum dberror_kind kind;

    db->until_us = deadline_us;
    db->idle_us = 0;
    if (!db->transaction && effect == DB_WRITE)
        check_stale(db, deadline_us);
    for (int attempt = 0;; attempt++) {
        if (db->dbc == SQL_NULL_HANDLE && db->transaction)
            return lost_error(db, e);
        if (db->dbc == SQL_NULL_HANDLE && connect_db(db, deadline_us, e) < 0)
            return -1;
        bool kept = db->kept, transaction = db->transaction;
        if (try_execute(db, s, effect, deadline_us, &kind, e) == 0)
            break;
        bool again = kind == DBERROR_UNSENT || (kind == DBERROR_LOST && effect == DB_READ);
        if (!again || !kept || transaction || attempt > 0)
            return -1;
        *e = ERR_INIT;
    }
    mark_used(db);
    db->kept = true;
    return 0;
}

int db_execute(struct db *db, const struct statement *s, enum db_effect effect, int64_t deadline_us, int64_t *rows, struct err *e)
{
    SQLLEN changed = 0;

    if (execute(db, s, effect, deadline_us, e) < 0)
        return -1;
    if (!SQL_SUCCEEDED(SQLRowCount(db->stmt, &changed)) || changed < 0)
        changed = 0;
    if (drain(db) != SQL_NO_DATA) {
        (void)fail(db, effect == DB_WRITE && !db->transaction ? DBERROR_WRITING : DBERROR_READING, s, e);
        return -1;
    }
    end_statement(db);
    if (rows != NULL)
        *rows = (int64_t)changed;
    return 0;
}

/* Goes to the result that has columns, and gets the number in its row. */
static bool read_number(struct db *db, int64_t *number)
{
    SQLSMALLINT columns = 0;
    SQLBIGINT value = 0;
    SQLLEN indicator = 0;

    bool good = true;
    begin_watch(db);
    while (good && SQL_SUCCEEDED(SQLNumResultCols(db->stmt, &columns)) && columns == 0)
        good = SQL_SUCCEEDED(SQLMoreResults(db->stmt));
    good = good && SQL_SUCCEEDED(SQLFetch(db->stmt))
           && SQL_SUCCEEDED(SQLGetData(db->stmt, 1, SQL_C_SBIGINT, &value, sizeof(value), &indicator));
    *number = (int64_t)value;
    return end_watch(db) && good;
}

int db_execute_number(struct db *db, const struct statement *s, enum db_effect effect, int64_t deadline_us, int64_t *number, struct err *e)
{
    if (execute(db, s, effect, deadline_us, e) < 0)
        return -1;
    /* only what comes behind the row says that all of it succeeded */
    if (!read_number(db, number) || drain(db) != SQL_NO_DATA) {
        (void)fail(db, effect == DB_WRITE && !db->transaction ? DBERROR_WRITING : DBERROR_READING, s, e);
        return -1;
    }
    end_statement(db);
    return 0;
}

/* ---- Many rows of values ------------------------------------------------------------------------------------------- */

/* The values of one parameter for a run of rows, as ODBC takes them: one behind the other at equal distances. */
struct column {
    enum statement_bind bind;
    int precision, scale;
    size_t width; /* bytes of a value's place */
    char *data;
    SQLLEN *indicators;
};

/* A run of rows that are sent in one go. */
struct array {
    const struct statement *s;
    size_t first, count; /* rows */
    size_t column_count;
    struct column *columns;
    SQLUSMALLINT *status; /* what the driver says of each row */
};

static void array_clear(struct array *a)
{
    for (size_t i = 0; a->columns != NULL && i < a->column_count; i++) {
        free(a->columns[i].data);
        free(a->columns[i].indicators);
    }
    free(a->columns);
    free(a->status);
    *a = (struct array){0};
}

static const struct statement_param *array_param(const struct array *a, size_t row, size_t column)
{
    return &a->s->params[(a->first + row) * a->column_count + column];
}

/* Takes as many rows from `first` on as DB_ARRAY_BYTES hold. A column takes the widest of its rows' bindings. */
static void array_measure(struct array *a)
{
    size_t left = a->s->rows - a->first;

    for (a->count = 0; a->count < left; a->count++) {
        size_t total = 0;
        for (size_t i = 0; i < a->column_count; i++) {
            const struct statement_param *p = array_param(a, a->count, i);
            size_t width = param_is_text(p->bind) ? p->len + 1 : sizeof(SQLBIGINT);
            total += width > a->columns[i].width ? width : a->columns[i].width;
        }
        if (a->count > 0 && total * (a->count + 1) > DB_ARRAY_BYTES)
            break;
        for (size_t i = 0; i < a->column_count; i++) {
            struct column *c = &a->columns[i];
            const struct statement_param *p = array_param(a, a->count, i);
            size_t width = param_is_text(p->bind) ? p->len + 1 : sizeof(SQLBIGINT);
            if (width > c->width)
                c->width = width;
            if (a->count == 0 || p->bind > c->bind) /* the (MAX) kinds stand behind their plain ones */
                c->bind = p->bind;
            c->precision = p->precision;
            c->scale = p->scale;
        }
    }
}

static int array_fill(struct array *a)
{
    a->status = calloc(a->count, sizeof(*a->status));
    if (a->status == NULL)
        return -1;
    for (size_t i = 0; i < a->column_count; i++) {
        struct column *c = &a->columns[i];
        c->data = calloc(a->count, c->width);
        c->indicators = calloc(a->count, sizeof(*c->indicators));
        if (c->data == NULL || c->indicators == NULL)
            return -1;
        for (size_t row = 0; row < a->count; row++) {
            const struct statement_param *p = array_param(a, row, i);
            const char *text = statement_value(a->s, p);
            char *place = c->data + row * c->width;
            c->indicators[row] = p->null ? SQL_NULL_DATA : param_is_text(c->bind) ? (SQLLEN)p->len : 0;
            if (p->null)
                continue;
            if (param_is_text(c->bind))
                memcpy(place, text, p->len);
            else
                param_write_number(place, c->bind, text);
        }
    }
    return 0;
}

/* Makes the array of the rows from `first` on. -1 when memory ran out; array_clear is due in any case. */
static int array_make(struct array *a, const struct statement *s, size_t first)
{
    *a = (struct array){.s = s, .first = first, .column_count = s->param_count / s->rows};
    a->columns = calloc(a->column_count, sizeof(*a->columns));
    if (a->columns == NULL)
        return -1;
    array_measure(a);
    return array_fill(a);
}

static bool array_bind(struct db *db, struct array *a)
{
    bool good = SQL_SUCCEEDED(SQLSetStmtAttr(db->stmt, SQL_ATTR_PARAMSET_SIZE, (SQLPOINTER)(uintptr_t)a->count, 0))
                && SQL_SUCCEEDED(SQLSetStmtAttr(db->stmt, SQL_ATTR_PARAM_STATUS_PTR, a->status, 0));

    for (size_t i = 0; good && i < a->column_count; i++) {
        struct column *c = &a->columns[i];
        good = param_bind(db->stmt, i + 1, c->bind, c->precision, c->scale, c->data, c->width, c->indicators);
    }
    return good;
}

/* The first row that the server refused; SIZE_MAX for none. */
static size_t array_bad_row(const struct array *a)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->status[i] == SQL_PARAM_ERROR)
            return a->first + i;
    }
    return SIZE_MAX;
}

static void unbind(struct db *db)
{
    if (db->stmt == SQL_NULL_HANDLE)
        return;
    SQLFreeStmt(db->stmt, SQL_CLOSE);
    SQLFreeStmt(db->stmt, SQL_RESET_PARAMS);
    SQLSetStmtAttr(db->stmt, SQL_ATTR_PARAMSET_SIZE, (SQLPOINTER)1, 0);
    SQLSetStmtAttr(db->stmt, SQL_ATTR_PARAM_STATUS_PTR, NULL, 0);
}

/* Sends one array of a statement that is prepared, and reads what became of it. */
static int execute_array(struct db *db, struct array *a, int64_t deadline_us, int64_t *rows, size_t *bad_row, struct err *e)
{
    SQLULEN wait = seconds_left(deadline_us);
    SQLLEN changed = 0;

    if (wait == 0)
        return deadline_error(db, e);
    SQLSetStmtAttr(db->stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)wait, SQL_IS_UINTEGER);
    if (!array_bind(db, a))
        return err_set(e, ERR_INTERNAL, "the driver refused a parameter");
    begin_watch(db);
    SQLRETURN rc = SQLExecute(db->stmt);
    bool in_time = end_watch(db);
    *bad_row = in_time ? array_bad_row(a) : SIZE_MAX;
    if (!in_time || (!SQL_SUCCEEDED(rc) && rc != SQL_NO_DATA) || *bad_row != SIZE_MAX) {
        (void)fail(db, DBERROR_READING, a->s, e);
        return -1;
    }
    if (SQL_SUCCEEDED(SQLRowCount(db->stmt, &changed)) && changed > 0)
        *rows += (int64_t)changed;
    if (drain(db) != SQL_NO_DATA) {
        (void)fail(db, DBERROR_READING, a->s, e);
        return -1;
    }
    mark_used(db);
    return 0;
}

int db_execute_rows(struct db *db, const struct statement *s, int64_t deadline_us, int64_t *rows, size_t *bad_row, struct err *e)
{
    struct buf sql;
    int rc = -1;

    *rows = 0;
    *bad_row = SIZE_MAX;
    if (db->dbc == SQL_NULL_HANDLE || !db->transaction)
        return lost_error(db, e);
    db->until_us = deadline_us;
    if (!fit_lock_wait(db, deadline_us)) {
        (void)fail(db, DBERROR_READING, s, e);
        return -1;
    }
    buf_init(&sql, STATEMENT_MAX_SQL);
    statement_write_guarded(s, &sql);
    if (buf_status(&sql) < 0 || !SQL_SUCCEEDED(SQLPrepare(db->stmt, (SQLCHAR *)sql.data, SQL_NTS))) {
        (void)err_set(e, ERR_INTERNAL, "the statement could not be prepared");
        goto out;
    }
    rc = 0;
    for (size_t first = 0; rc == 0 && first < s->rows;) {
        struct array a;
        rc = array_make(&a, s, first) < 0 ? err_set(e, ERR_INTERNAL, "memory ran out")
                                          : execute_array(db, &a, deadline_us, rows, bad_row, e);
        first += a.count;
        unbind(db); /* before what was bound goes */
        array_clear(&a);
    }
out:
    buf_clear(&sql);
    return rc;
}

int db_query(struct db *db, const struct statement *s, int64_t deadline_us, struct err *e)
{
    if (execute(db, s, DB_READ, deadline_us, e) < 0)
        return -1;
    result_open(db->result, db->stmt, s->column_count);
    return 0;
}

/* ---- Results ------------------------------------------------------------------------------------------------------ */

/* Makes what a result's function returned one's own return value: an error, where it was one. */
static int check_result(struct db *db, int rc, struct err *e)
{
    if (rc >= 0)
        return rc;
    if (rc == RESULT_REFUSED)
        (void)fail(db, DBERROR_READING, NULL, e);
    else if (rc == RESULT_TOO_LONG)
        (void)err_set(e, ERR_BAD_VALUE, "a value of the result has more than %u bytes, or memory ran out", RESULT_MAX_VALUE);
    else
        (void)err_set(e, ERR_INTERNAL, "the driver gave a value that does not fit its column");
    return -1;
}

int db_fetch(struct db *db, struct err *e)
{
    int rc = result_next(db->result);
    if (rc == 0) {
        begin_watch(db);
        rc = result_fetch(db->result);
        if (!end_watch(db))
            rc = RESULT_REFUSED;
    }
    /* an error behind the last row shows only here: rows without it would look complete */
    if (rc == 0 && drain(db) != SQL_NO_DATA)
        rc = RESULT_REFUSED;
    return check_result(db, rc, e);
}

void db_begin_stream(struct db *db, int64_t idle_us)
{
    db->idle_us = idle_us;
}

void db_close(struct db *db)
{
    if (db->stmt == SQL_NULL_HANDLE)
        return;
    result_close(db->result);
    end_statement(db);
}

int db_get_integer(struct db *db, size_t column, int64_t *out, struct err *e)
{
    return check_result(db, result_get_integer(db->result, column, out), e);
}

int db_get_double(struct db *db, size_t column, double *out, struct err *e)
{
    return check_result(db, result_get_double(db->result, column, out), e);
}

int db_get_text(struct db *db, size_t column, struct buf *out, struct err *e)
{
    return check_result(db, result_get_text(db->result, column, out), e);
}

int db_get_bytes(struct db *db, size_t column, struct buf *out, struct err *e)
{
    return check_result(db, result_get_bytes(db->result, column, out), e);
}

/* ---- Transactions ------------------------------------------------------------------------------------------------- */

/* Runs one of the statements that frame a transaction. */
static int frame(struct db *db, void (*write)(struct statement *), enum db_effect effect, int64_t deadline_us, struct err *e)
{
    struct statement s;
    statement_init(&s);
    write(&s);
    int rc = statement_status(&s, e);
    if (rc == 0)
        rc = db_execute(db, &s, effect, deadline_us, NULL, e);
    statement_clear(&s);
    return rc;
}

int db_begin(struct db *db, int64_t deadline_us, struct err *e)
{
    if (frame(db, statement_begin, DB_READ, deadline_us, e) < 0)
        return -1;
    db->transaction = true;
    return 0;
}

int db_commit_by(struct db *db, const struct statement *s, int64_t deadline_us, struct err *e)
{
    db->transaction = false;
    if (db->dbc == SQL_NULL_HANDLE)
        return lost_error(db, e);
    db->kept = false; /* a commit is never repeated: a new connection knows nothing of the transaction */
    int rc = statement_status(s, e);
    if (rc == 0)
        rc = db_execute(db, s, DB_WRITE, deadline_us, NULL, e);
    if (rc < 0)
        disconnect(db); /* whatever state it is in, the server ends the transaction with it */
    return rc;
}

int db_commit(struct db *db, int64_t deadline_us, struct err *e)
{
    struct statement s;
    statement_init(&s);
    statement_commit(&s);
    int rc = db_commit_by(db, &s, deadline_us, e);
    statement_clear(&s);
    return rc;
}

void db_rollback(struct db *db)
{
    struct err e = ERR_INIT;
    if (!db->transaction)
        return;
    /* 3903: the error that brought us here has ended the transaction already, as XACT_ABORT wants it */
    if (db->dbc != SQL_NULL_HANDLE && frame(db, statement_rollback, DB_READ, clock_now_us() + DB_ROLLBACK_US, &e) < 0
        && e.sql_error != NO_TRANSACTION)
        disconnect(db);
    db->transaction = false;
}
