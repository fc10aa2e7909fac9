#include "fcgi-worker/ledger.h"

#include "common/clock.h"
#include "common/digest.h"
#include "common/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DUPLICATE_KEY 2627
#define LOOKS 2 /* for a note: the second one, where it was written between the first and the fence */

_Static_assert(STATEMENT_HASH_BYTES == DIGEST_BYTES, "the ledger keeps whole digests");
_Static_assert(STATEMENT_PURGE_ROWS > LEDGER_PURGE_EVERY, "the purge keeps up with the writes");

struct ledger {
    pthread_mutex_t mutex;
    pthread_cond_t ended; /* a key is not worked on any more */
    struct ledger_entry *running;
    char *databases[LEDGER_MAX_DATABASES]; /* physical names whose ledger is there */
    size_t database_count;
    unsigned writes; /* since the last step of the purge */
};

struct ledger *ledger_new(void)
{
    struct ledger *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    pthread_mutex_init(&l->mutex, NULL);
    clock_cond_init(&l->ended);
    return l;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->database_count; i++)
        free(l->databases[i]);
    pthread_cond_destroy(&l->ended);
    pthread_mutex_destroy(&l->mutex);
    free(l);
}

/* ---- The key ------------------------------------------------------------------------------------------------------ */

/* What the request asks for: two that ask for the same have the same text. */
static int hash_request(struct ledger_entry *entry)
{
    struct request *r = entry->r;
    struct buf text;
    int rc = 0;

    buf_init(&text, STATEMENT_MAX_VALUES);
    buf_append_text(&text, http_path(r->h));
    buf_append_char(&text, '\n');
    json_write_canonical(&text, r->body);
    buf_append(&text, r->lines, r->lines_len);
    if (buf_status(&text) < 0)
        rc = err_set(&r->error, ERR_INTERNAL, "memory ran out");
    else
        digest_take(text.data, text.len, entry->hash);
    buf_clear(&text);
    return rc;
}

static bool same_key(const struct ledger_entry *a, const struct ledger_entry *b)
{
    return strcmp(a->key, b->key) == 0 && strcmp(buf_text(&a->r->database), buf_text(&b->r->database)) == 0;
}

static bool is_running(const struct ledger *l, const struct ledger_entry *entry)
{
    for (const struct ledger_entry *other = l->running; other != NULL; other = other->next) {
        if (same_key(other, entry))
            return true;
    }
    return false;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Lists the entry once nobody else works on its key. */
static int enter(struct ledger *l, struct ledger_entry *entry)
{
    int64_t until = earlier(clock_now_us() + LEDGER_WAIT_MS * 1000, entry->r->deadline_us);
    struct timespec end = clock_timespec(until);
    bool late = false;

    pthread_mutex_lock(&l->mutex);
    while (is_running(l, entry) && !late)
        late = pthread_cond_timedwait(&l->ended, &l->mutex, &end) != 0;
    entry->listed = !is_running(l, entry);
    if (entry->listed) {
        entry->next = l->running;
        l->running = entry;
    }
    pthread_mutex_unlock(&l->mutex);
    if (entry->listed)
        return 0;
    (void)err_set(&entry->r->error, ERR_KEY_IN_PROGRESS, "Idempotency-Key: the first request with this key is still at work");
    entry->r->error.outcome = OUTCOME_UNKNOWN; /* of what the key stands for */
    entry->r->error.retry = RETRY_SAME_KEY;
    return -1;
}

/* ---- The table ---------------------------------------------------------------------------------------------------- */

static bool is_known(struct ledger *l, const char *database)
{
    bool known = false;

    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < l->database_count && !known; i++)
        known = strcmp(l->databases[i], database) == 0;
    pthread_mutex_unlock(&l->mutex);
    return known;
}

static void remember(struct ledger *l, const char *database)
{
    pthread_mutex_lock(&l->mutex);
    if (l->database_count < LEDGER_MAX_DATABASES && (l->databases[l->database_count] = strdup(database)) != NULL)
        l->database_count++;
    pthread_mutex_unlock(&l->mutex);
}

static void forget(struct ledger *l, const char *database)
{
    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < l->database_count; i++) {
        if (strcmp(l->databases[i], database) == 0) {
            free(l->databases[i]);
            l->databases[i--] = l->databases[--l->database_count];
        }
    }
    pthread_mutex_unlock(&l->mutex);
}

/* Runs a statement of the ledger's own; `rows` may be NULL. */
static int run(struct request *r, struct statement *s, int64_t *rows, struct err *e)
{
    int rc = statement_status(s, e);
    if (rc == 0)
        rc = db_execute(r->db, s, DB_WRITE, r->deadline_us, rows, e);
    statement_clear(s);
    return rc;
}

static int need_table(struct request *r)
{
    struct ledger *l = r->worker->ledger;
    const char *database = buf_text(&r->database);
    struct statement create, index;

    if (is_known(l, database))
        return 0;
    int there = schema_find_table(r->db, database, STATEMENT_LEDGER, r->deadline_us, &r->error);
    if (there < 0)
        return -1;
    if (there == 0) {
        struct err ignored = ERR_INIT;
        statement_init(&create);
        statement_ledger_create(&create, database);
        if (run(r, &create, NULL, &r->error) < 0 && r->error.code != ERR_ALREADY_EXISTS)
            return -1;
        r->error = ERR_INIT; /* another request was faster */
        statement_init(&index);
        statement_ledger_index(&index, database);
        if (run(r, &index, NULL, &ignored) < 0) /* for the purge alone */
            log_info("%s: no index of %s by time: %s", database, STATEMENT_LEDGER, ignored.detail);
    }
    remember(l, database);
    return 0;
}

/* ---- One request -------------------------------------------------------------------------------------------------- */

int ledger_open(struct ledger_entry *entry, struct request *r)
{
    *entry = (struct ledger_entry){.r = r, .key = http_header(r->h, "Idempotency-Key")};
    if (entry->key == NULL)
        return 0;
    if (http_check_key(entry->key, &r->error) < 0 || hash_request(entry) < 0 || enter(r->worker->ledger, entry) < 0)
        return -1;
    entry->note = (struct statement_note){.key = entry->key, .hash = entry->hash};
    return need_table(r);
}

void ledger_close(struct ledger_entry *entry)
{
    struct ledger *l = entry->r->worker->ledger;

    if (!entry->listed)
        return;
    pthread_mutex_lock(&l->mutex);
    for (struct ledger_entry **at = &l->running; *at != NULL; at = &(*at)->next) {
        if (*at == entry) {
            *at = entry->next;
            break;
        }
    }
    entry->listed = false;
    l->writes++;
    pthread_cond_broadcast(&l->ended);
    pthread_mutex_unlock(&l->mutex);
}

/* What the ledger says of a key. */
struct record {
    bool found, same_request, done;
    int64_t rows;   /* of one that is done */
    int64_t fence;  /* of one that is not */
    int64_t age_us; /* since it was made or raised, by the database's clock */
};

static int find(const struct ledger_entry *entry, struct record *out, struct err *e)
{
    struct request *r = entry->r;
    struct statement s;
    struct buf hash;
    int rc = -1;

    *out = (struct record){0};
    buf_init(&hash, STATEMENT_HASH_BYTES + RESULT_CHUNK);
    statement_init(&s);
    statement_ledger_find(&s, buf_text(&r->database), entry->key);
    if (statement_status(&s, e) < 0 || db_query(r->db, &s, r->deadline_us, e) < 0)
        goto out;
    rc = db_fetch(r->db, e);
    if (rc > 0) {
        int done = db_get_bytes(r->db, 0, &hash, e);
        if (done >= 0)
            done = db_get_integer(r->db, 1, &out->rows, e);
        rc = done < 0 || db_get_integer(r->db, 2, &out->fence, e) < 0 || db_get_integer(r->db, 3, &out->age_us, e) < 0 ? -1 : 0;
        out->age_us *= 1000;
        out->found = true;
        out->done = done > 0;
        out->same_request = hash.len == sizeof(entry->hash) && memcmp(hash.data, entry->hash, hash.len) == 0;
    }
    db_close(r->db);
out:
    buf_clear(&hash);
    statement_clear(&s);
    return rc;
}

/* Makes sure that no earlier write can note the key any more. 0 with the fence's number in the entry; 1 when the key turned
 * out to be noted; -1 when nothing is certain. */
static int fence(struct ledger_entry *entry, const struct record *record, struct err *e)
{
    struct request *r = entry->r;
    const char *database = buf_text(&r->database);
    struct statement s;
    int64_t rows = 0;

    statement_init(&s);
    if (record->found)
        statement_ledger_raise(&s, database, entry->key);
    else
        statement_ledger_fence(&s, database, &entry->note);
    if (run(r, &s, &rows, e) < 0)
        return e->sql_error == DUPLICATE_KEY ? 1 : -1;
    if (record->found && rows == 0)
        return 1;
    entry->note.fence = record->found ? record->fence + 1 : 1;
    r->fenced = true;
    return 0;
}

static enum ledger_verdict judge(struct ledger_entry *entry, const struct record *record, int64_t *rows)
{
    struct err *e = &entry->r->error;

    if (!record->same_request) {
        *e = ERR_INIT;
        (void)err_set(e, ERR_KEY_REUSED, "Idempotency-Key: it belongs to another request than this");
        return LEDGER_FAILED;
    }
    *e = ERR_INIT;
    *rows = record->rows;
    return LEDGER_REPLAYED;
}

/* The answer was lost: whether it took effect is found out, and if not, made sure of. */
static enum ledger_verdict settle_unknown(struct ledger_entry *entry, int64_t *rows)
{
    struct request *r = entry->r;
    struct err e = ERR_INIT;
    struct record record;

    for (int look = 0; look < LOOKS; look++) {
        if (find(entry, &record, &e) < 0)
            break;
        if (record.found && record.done)
            return judge(entry, &record, rows);
        int fenced = fence(entry, &record, &e);
        if (fenced < 0)
            break;
        if (fenced == 0) {
            r->error.outcome = OUTCOME_NOT_APPLIED;
            r->error.retry = RETRY_SAME_KEY;
            return LEDGER_AGAIN;
        }
        e = ERR_INIT;
    }
    r->error.retry = RETRY_SAME_KEY;
    return LEDGER_FAILED;
}

/* Whether the key was done before could not be found out: `e` tells why. */
static enum ledger_verdict doubt(struct request *r, const struct err *e)
{
    r->error = *e;
    r->error.outcome = OUTCOME_UNKNOWN;
    r->error.retry = RETRY_SAME_KEY;
    return LEDGER_FAILED;
}

/* The table is gone: somebody has dropped it. */
static enum ledger_verdict settle_dropped(struct ledger_entry *entry)
{
    struct request *r = entry->r;
    struct err first = r->error;

    forget(r->worker->ledger, buf_text(&r->database));
    if (need_table(r) < 0)
        return LEDGER_FAILED;
    r->error = first;
    return LEDGER_AGAIN;
}

/* The write failed on a fence that is not its own. One that stood there when the request came belongs to an attempt before it, and
 * makes way. One that came later belongs to an attempt behind it, whose client may have been told already that nothing came of
 * the key: it stays. It is raised, so that it is not older than this request for ever where the database's clock went back. */
static enum ledger_verdict settle_fenced(struct ledger_entry *entry, const struct record *record)
{
    struct request *r = entry->r;
    bool older = record->age_us + LEDGER_TICK_MS * 1000 > clock_now_us() - http_started_us(r->h);
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_KEY_IN_PROGRESS, "Idempotency-Key: other requests with this key are at work");
    (void)doubt(r, &e); /* unless there is time to try again */
    if (!older) {
        (void)fence(entry, record, &e);
        return LEDGER_FAILED;
    }
    entry->note.fence = record->fence;
    return LEDGER_AGAIN;
}

/* The database has refused it. That is certain of this attempt alone: what it was refused for may be gone when an earlier one, whose
 * answer was lost, arrives. So none is left on its way before it is said that the write was not applied. */
static enum ledger_verdict settle_refused(struct ledger_entry *entry, int64_t *rows)
{
    struct request *r = entry->r;
    struct err e = ERR_INIT;
    struct record record;

    for (int look = 0; look < LOOKS; look++) {
        if (find(entry, &record, &e) < 0) /* what was refused may be the note: then an earlier request was done */
            return e.code == ERR_NO_SUCH_TABLE ? settle_dropped(entry) : doubt(r, &e);
        if (record.found && record.done)
            return judge(entry, &record, rows);
        if (record.found && record.fence != entry->note.fence && r->error.sql_error == DUPLICATE_KEY)
            return settle_fenced(entry, &record);
        if (err_status(r->error.code) >= 429) /* request.c says that it is uncertain: the shard has trouble enough */
            return LEDGER_FAILED;
        int fenced = fence(entry, &record, &e);
        if (fenced == 0)
            return LEDGER_FAILED;
        if (fenced < 0)
            return doubt(r, &e);
        e = ERR_INIT;
    }
    (void)err_set(&e, ERR_KEY_IN_PROGRESS, "Idempotency-Key: other requests with this key are at work");
    return doubt(r, &e);
}

enum ledger_verdict ledger_settle(struct ledger_entry *entry, int64_t *rows)
{
    const struct err *e = &entry->r->error;

    if (entry->key == NULL)
        return LEDGER_FAILED;
    if (e->outcome == OUTCOME_UNKNOWN)
        return settle_unknown(entry, rows);
    if (e->sql_error == 0) /* the database has not seen it */
        return LEDGER_FAILED;
    return settle_refused(entry, rows);
}

void ledger_tidy(struct request *r)
{
    struct ledger *l = r->worker->ledger;
    struct err e = ERR_INIT;
    struct statement s;

    pthread_mutex_lock(&l->mutex);
    bool due = l->writes >= LEDGER_PURGE_EVERY;
    if (due)
        l->writes = 0;
    pthread_mutex_unlock(&l->mutex);
    if (!due)
        return;
    statement_init(&s);
    statement_ledger_purge(&s, buf_text(&r->database));
    if (run(r, &s, NULL, &e) < 0)
        log_info("%s: old keys stay for now: %s", buf_text(&r->database), e.detail);
}
