#include "fcgi-worker/schema.h"

#include "common/clock.h"
#include "common/fnv1a.h"
#include "common/json.h"
#include "fcgi-worker/db.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define BUCKETS 256
#define KEY_MAX 512          /* bytes of "database.table" */
#define TEXT_MAX (1u << 20)  /* bytes of a name or default of the catalogue; of a table's description */

/* A table of the cache. The lock of the cache guards all of it. */
struct entry {
    struct entry *next; /* in the bucket */
    char key[KEY_MAX];  /* database, '.', table as the request spelled it */
    struct schema_table *table; /* NULL while the first load is under way */
    int64_t loaded_us;
    bool loading;       /* a thread asks the database */
    bool stale;         /* invalidated while it was loading */
    int waiters;        /* threads that wait for the first load */
};

struct schema_cache {
    pthread_mutex_t lock;
    pthread_cond_t loaded; /* some load ended */
    struct entry *buckets[BUCKETS];
    size_t count;
};

/* ---- A table ------------------------------------------------------------------------------------------------------ */

void schema_table_free(struct schema_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->column_count; i++)
        free(t->columns[i].name);
    free(t->columns);
    free(t->database);
    free(t->name);
    free(t);
}

const struct schema_column *schema_column_find(const struct schema_table *t, const char *name, size_t len)
{
    const struct schema_column *found = NULL;
    for (size_t i = 0; i < t->column_count; i++) {
        const struct schema_column *c = &t->columns[i];
        if (strlen(c->name) != len)
            continue;
        if (memcmp(c->name, name, len) == 0)
            return c;
        if (found == NULL && strncasecmp(c->name, name, len) == 0)
            found = c;
    }
    return found;
}

/* The description without its tag, which is the hash of this. */
static void write_description(const struct schema_table *t, struct buf *out)
{
    struct buf type;

    buf_init(&type, TEXT_MAX);
    buf_append_text(out, "\"shard_column\":");
    if (t->shard_column != NULL)
        json_write_text(out, t->shard_column->name);
    else
        buf_append_text(out, "null");
    buf_append_text(out, ",\"key\":[");
    for (size_t i = 0; i < t->key_count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        json_write_text(out, t->columns[t->key[i]].name);
    }
    buf_append_text(out, "],\"columns\":[");
    for (size_t i = 0; i < t->column_count; i++) {
        const struct schema_column *c = &t->columns[i];
        buf_append_text(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        json_write_text(out, c->name);
        buf_append_text(out, ",\"type\":");
        if (c->known) {
            buf_reset(&type);
            sqltype_write(&c->type, &type);
            json_write_text(out, buf_text(&type));
        } else {
            buf_append_text(out, "null");
        }
        buf_printf(out, ",\"nullable\":%s,\"has_default\":%s,\"binary\":%s,\"ignores_case\":%s}",
                   c->nullable ? "true" : "false", c->has_default ? "true" : "false", c->binary ? "true" : "false",
                   c->ignores_case ? "true" : "false");
    }
    buf_append_char(out, ']');
    buf_clear(&type);
}

void schema_table_seal(struct schema_table *t, const char *recorded)
{
    static const char *const rule[] = {"student_id", "user_id"};
    struct buf text;

    t->shard_column = recorded == NULL ? NULL : schema_column_find(t, recorded, strlen(recorded));
    for (size_t i = 0; t->shard_column == NULL && i < sizeof(rule) / sizeof(rule[0]); i++)
        t->shard_column = schema_column_find(t, rule[i], strlen(rule[i]));

    /* Two hashes, of the text and of the text behind it, make the 64 bits: the tag only has to change when the table
     * does, nobody gains by making two tables alike. */
    buf_init(&text, TEXT_MAX);
    json_write_text(&text, t->name);
    write_description(t, &text);
    uint32_t first = fnv1a_32(text.data, text.len);
    buf_printf(&text, "#%08x", first);
    snprintf(t->tag, sizeof(t->tag), "%08x%08x", first, fnv1a_32(text.data, text.len));
    buf_clear(&text);
}

void schema_write(const struct schema_table *t, struct buf *out)
{
    buf_printf(out, "\"tag\":\"%s\",", t->tag);
    write_description(t, out);
}

/* ---- Asking the database ------------------------------------------------------------------------------------------ */

/* Answers whether a question has at least one row. */
static int has_row(struct db *db, struct statement *question, int64_t deadline_us, struct err *e)
{
    int rc = -1;
    if (statement_status(question, e) == 0 && db_query(db, question, deadline_us, e) == 0)
        rc = db_fetch(db, e);
    db_close(db);
    statement_clear(question);
    return rc;
}

int schema_find_database(struct db *db, const char *database, int64_t deadline_us, struct err *e)
{
    struct statement s;
    statement_init(&s);
    statement_find_database(&s, database);
    return has_row(db, &s, deadline_us, e);
}

/* A database that does not exist is 208 here ("Invalid object name 'nodb.INFORMATION_SCHEMA.TABLES'"), so it is asked for. */
static int need_database(struct db *db, const char *database, int64_t deadline_us, struct err *e)
{
    struct err cause = *e;
    *e = ERR_INIT;
    if (cause.code != ERR_NONE && cause.code != ERR_NO_SUCH_TABLE && cause.code != ERR_NO_SUCH_DATABASE) {
        *e = cause;
        return -1;
    }
    int found = schema_find_database(db, database, deadline_us, e);
    if (found == 0)
        (void)err_set(e, ERR_NO_SUCH_DATABASE, "database '%s' does not exist", database);
    return found > 0 ? 0 : -1;
}

int schema_find_table(struct db *db, const char *database, const char *table, int64_t deadline_us, struct err *e)
{
    struct statement s;
    statement_init(&s);
    statement_find_table(&s, database, table);
    int rc = has_row(db, &s, deadline_us, e);
    if (rc < 0 || rc == 0)
        return need_database(db, database, deadline_us, e);
    return rc;
}

static char *take_text(struct buf *text)
{
    return strdup(buf_text(text));
}

/* A number of the catalogue, 0 for NULL. */
static int get_number(struct db *db, size_t column, int *out, struct err *e)
{
    int64_t v = 0;
    int rc = db_get_integer(db, column, &v, e);
    *out = rc > 0 ? (int)v : 0;
    return rc < 0 ? -1 : 0;
}

/* Reads the current row of statement_list_columns() into `c`, and the table's name. */
static int read_column(struct db *db, struct schema_column *c, struct buf *table, struct err *e)
{
    struct buf text;
    int length, precision, scale, datetime, rc = -1;
    char data_type[64];

    buf_init(&text, TEXT_MAX);
    buf_reset(table);
    if (db_get_text(db, 0, table, e) < 0 || db_get_text(db, 1, &text, e) < 0)
        goto out;
    if ((c->name = take_text(&text)) == NULL) {
        (void)err_set(e, ERR_INTERNAL, "memory ran out");
        goto out;
    }
    buf_reset(&text);
    if (db_get_text(db, 2, &text, e) < 0)
        goto out;
    snprintf(data_type, sizeof(data_type), "%s", buf_text(&text));
    if (get_number(db, 3, &length, e) < 0 || get_number(db, 4, &precision, e) < 0 || get_number(db, 5, &scale, e) < 0
        || get_number(db, 6, &datetime, e) < 0)
        goto out;
    c->known = sqltype_from_catalogue(data_type, length, precision, scale, datetime, &c->type);
    buf_reset(&text);
    if (db_get_text(db, 7, &text, e) < 0)
        goto out;
    c->nullable = strcasecmp(buf_text(&text), "YES") == 0;
    buf_reset(&text);
    int has_default = db_get_text(db, 8, &text, e);
    if (has_default < 0)
        goto out;
    c->has_default = has_default > 0;
    buf_reset(&text);
    if (db_get_text(db, 9, &text, e) < 0)
        goto out;
    c->binary = strstr(buf_text(&text), "_BIN") != NULL;
    c->ignores_case = strstr(buf_text(&text), "_CI_") != NULL;
    rc = 0;
out:
    buf_clear(&text);
    return rc;
}

/* The columns of a table. ERR_NO_SUCH_DATABASE or ERR_NO_SUCH_TABLE when there are none. */
static int load_columns(struct db *db, const char *table, int64_t deadline_us, struct schema_table *t, struct err *e)
{
    struct statement s;
    struct buf name;
    size_t capacity = 0;
    int row = -1;

    statement_init(&s);
    buf_init(&name, TEXT_MAX);
    statement_list_columns(&s, t->database, table);
    if (statement_status(&s, e) < 0 || db_query(db, &s, deadline_us, e) < 0)
        goto out;
    while ((row = db_fetch(db, e)) > 0) {
        if (t->column_count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            struct schema_column *grown = reallocarray(t->columns, capacity, sizeof(*grown));
            if (grown == NULL) {
                row = err_set(e, ERR_INTERNAL, "memory ran out");
                goto out;
            }
            t->columns = grown;
        }
        struct schema_column *c = &t->columns[t->column_count++];
        *c = (struct schema_column){0};
        if ((row = read_column(db, c, &name, e)) < 0)
            goto out;
    }
    if (row == 0 && t->column_count > 0 && (t->name = take_text(&name)) == NULL)
        row = err_set(e, ERR_INTERNAL, "memory ran out");
out:
    db_close(db);
    statement_clear(&s);
    buf_clear(&name);
    if (row < 0 || t->column_count == 0) {
        if (need_database(db, t->database, deadline_us, e) < 0)
            return -1;
        return err_set(e, ERR_NO_SUCH_TABLE, "table '%s' does not exist in database '%s'", table, t->database);
    }
    return 0;
}

/* The shard column that /create-table recorded, empty for none. A database without gw_tables is fine. */
static int load_shard_column(struct db *db, const struct schema_table *t, int64_t deadline_us, struct buf *out, struct err *e)
{
    struct statement s;
    int rc = -1;

    statement_init(&s);
    statement_find_shard_column(&s, t->database, t->name);
    if (statement_status(&s, e) == 0 && db_query(db, &s, deadline_us, e) == 0 && (rc = db_fetch(db, e)) > 0)
        rc = db_get_text(db, 0, out, e);
    db_close(db);
    statement_clear(&s);
    if (rc < 0 && e->code == ERR_NO_SUCH_TABLE) {
        *e = ERR_INIT;
        return 0;
    }
    return rc < 0 ? -1 : 0;
}

/* Adds a column to t->key; false when rows cannot be named by it. */
static bool add_key_column(struct schema_table *t, const char *name)
{
    const struct schema_column *c = schema_column_find(t, name, strlen(name));
    if (c == NULL || c->nullable || !c->known || c->type.kind == SQLTYPE_TEXT || t->key_count == SCHEMA_MAX_KEY)
        return false;
    t->key[t->key_count++] = (size_t)(c - t->columns);
    return true;
}

/* Reads the rows of statement_list_keys(), the indexes one behind the other, until one of them can be the key. */
static int read_keys(struct db *db, struct schema_table *t, struct err *e)
{
    struct buf name;
    int64_t index = 0, current = 0;
    bool usable = false;
    int row;

    buf_init(&name, TEXT_MAX);
    while ((row = db_fetch(db, e)) > 0) {
        buf_reset(&name);
        if (db_get_integer(db, 0, &index, e) < 0 || db_get_text(db, 1, &name, e) < 0) {
            row = -1;
            break;
        }
        if (index != current) {
            if (usable)
                break;
            current = index;
            t->key_count = 0;
            usable = true;
        }
        usable = usable && add_key_column(t, buf_text(&name));
    }
    if (!usable)
        t->key_count = 0;
    buf_clear(&name);
    return row < 0 ? -1 : 0;
}

/* The key: the columns of the primary key, else of another unique index on columns that are never NULL, else none. */
static int load_key(struct db *db, struct schema_table *t, int64_t deadline_us, struct err *e)
{
    struct statement s;
    int rc = -1;

    statement_init(&s);
    statement_list_keys(&s, t->database, t->name);
    if (statement_status(&s, e) == 0 && db_query(db, &s, deadline_us, e) == 0)
        rc = read_keys(db, t, e);
    db_close(db);
    statement_clear(&s);
    return rc;
}

static struct schema_table *load(struct db *db, const char *database, const char *table, int64_t deadline_us, struct err *e)
{
    struct buf shard;
    struct schema_table *t = calloc(1, sizeof(*t));

    buf_init(&shard, TEXT_MAX);
    if (t == NULL || (t->database = strdup(database)) == NULL) {
        (void)err_set(e, ERR_INTERNAL, "memory ran out");
        goto fail;
    }
    if (load_columns(db, table, deadline_us, t, e) < 0 || load_key(db, t, deadline_us, e) < 0 ||
        load_shard_column(db, t, deadline_us, &shard, e) < 0)
        goto fail;
    schema_table_seal(t, shard.len > 0 ? buf_text(&shard) : NULL);
    buf_clear(&shard);
    return t;
fail:
    buf_clear(&shard);
    schema_table_free(t);
    return NULL;
}

/* ---- The cache ---------------------------------------------------------------------------------------------------- */

struct schema_cache *schema_cache_new(void)
{
    struct schema_cache *cache = calloc(1, sizeof(*cache));

    if (cache == NULL)
        return NULL;
    pthread_mutex_init(&cache->lock, NULL);
    clock_cond_init(&cache->loaded);
    return cache;
}

/* A table is freed when neither the cache nor a request has it. */
static void drop_user(struct schema_table *t)
{
    if (t != NULL && --t->users == 0)
        schema_table_free(t);
}

/* Removes the entry that *link leads to; one that a thread is loading or waiting for only becomes stale. true when it is
 * gone, and *link leads to the next. */
static bool remove_entry(struct schema_cache *cache, struct entry **link)
{
    struct entry *entry = *link;
    if (entry->loading || entry->waiters > 0) {
        entry->stale = true;
        entry->loaded_us = 0;
        return false;
    }
    *link = entry->next;
    drop_user(entry->table);
    free(entry);
    cache->count--;
    return true;
}

/* Removes the entries that `match` wants gone (NULL: all). */
static void sweep(struct schema_cache *cache, bool (*match)(const struct entry *, const void *), const void *arg)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry **link = &cache->buckets[i]; *link != NULL;) {
            if ((match != NULL && !match(*link, arg)) || !remove_entry(cache, link))
                link = &(*link)->next;
        }
    }
}

void schema_cache_free(struct schema_cache *cache)
{
    if (cache == NULL)
        return;
    sweep(cache, NULL, NULL);
    pthread_cond_destroy(&cache->loaded);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Is the entry of the database `arg`? */
static bool of_database(const struct entry *entry, const void *arg)
{
    const char *database = arg;
    size_t len = strlen(database);
    return strncasecmp(entry->key, database, len) == 0 && entry->key[len] == '.';
}

static bool of_key(const struct entry *entry, const void *arg)
{
    return strcasecmp(entry->key, arg) == 0;
}

void schema_invalidate(struct schema_cache *cache, const char *database, const char *table)
{
    char key[KEY_MAX];

    /* Case is ignored, so that every spelling under which the table was asked for goes. */
    snprintf(key, sizeof(key), "%s.%s", database, table == NULL ? "" : table);
    pthread_mutex_lock(&cache->lock);
    if (table == NULL)
        sweep(cache, of_database, database);
    else
        sweep(cache, of_key, key);
    pthread_mutex_unlock(&cache->lock);
}

/* The link that leads to the entry of this key, or to NULL where it would stand. */
static struct entry **find_link(struct schema_cache *cache, const char *key)
{
    struct entry **link = &cache->buckets[fnv1a_32(key, strlen(key)) % BUCKETS];
    while (*link != NULL && strcmp((*link)->key, key) != 0)
        link = &(*link)->next;
    return link;
}

/* The entry of this key, made when it is absent; NULL when memory ran out. */
static struct entry *need_entry(struct schema_cache *cache, const char *key)
{
    struct entry **link = find_link(cache, key);
    if (*link != NULL)
        return *link;
    if (cache->count >= SCHEMA_MAX_TABLES) {
        sweep(cache, NULL, NULL);
        link = find_link(cache, key);
    }
    if ((*link = calloc(1, sizeof(**link))) == NULL)
        return NULL;
    memcpy((*link)->key, key, strlen(key) + 1);
    cache->count++;
    return *link;
}

static struct schema_table *add_user(struct schema_table *t)
{
    t->users++;
    return t;
}

/* Loads, with the lock released meanwhile. Returns the table with a user for the caller, or NULL with the error. */
static struct schema_table *load_entry(struct schema_cache *cache, struct entry *entry, struct db *db, const char *database,
                                       const char *table, int64_t deadline_us, struct err *e)
{
    entry->loading = true;
    entry->stale = false;
    pthread_mutex_unlock(&cache->lock);
    struct schema_table *t = load(db, database, table, deadline_us, e);
    pthread_mutex_lock(&cache->lock);

    drop_user(entry->table);
    entry->table = t == NULL ? NULL : add_user(t);
    entry->loaded_us = t == NULL || entry->stale ? 0 : clock_now_us();
    entry->loading = false;
    pthread_cond_broadcast(&cache->loaded);
    if (t == NULL) { /* names of what does not exist must not fill the cache */
        (void)remove_entry(cache, find_link(cache, entry->key));
        return NULL;
    }
    return add_user(t);
}

/* Waits until the load that another thread makes has ended; false at the deadline. */
static bool await_load(struct schema_cache *cache, struct entry *entry, int64_t deadline_us)
{
    struct timespec until = clock_timespec(deadline_us);
    int rc = 0;

    entry->waiters++;
    while (entry->loading && rc == 0)
        rc = pthread_cond_timedwait(&cache->loaded, &cache->lock, &until);
    entry->waiters--;
    return !entry->loading;
}

int schema_get(struct schema_cache *cache, struct db *db, const char *database, const char *table, int64_t deadline_us,
               const struct schema_table **out, struct err *e)
{
    struct schema_table *t = NULL;
    char key[KEY_MAX];

    *out = NULL;
    if ((size_t)snprintf(key, sizeof(key), "%s.%s", database, table) >= sizeof(key))
        return err_set(e, ERR_NO_SUCH_TABLE, "table '%.128s…' does not exist in database '%s'", table, database);

    pthread_mutex_lock(&cache->lock);
    struct entry *entry = need_entry(cache, key);
    if (entry == NULL) {
        (void)err_set(e, ERR_INTERNAL, "memory ran out");
        goto out;
    }
    if (entry->loading && entry->table == NULL && !await_load(cache, entry, deadline_us)) {
        (void)err_set(e, ERR_DEADLINE_EXCEEDED, "the description of table '%s' did not come in time", table);
        goto out;
    }
    bool fresh = entry->table != NULL && clock_now_us() - entry->loaded_us < (int64_t)SCHEMA_TTL_MS * 1000;
    if (entry->table != NULL && (fresh || (entry->loading && !entry->stale)))
        t = add_user(entry->table);
    else if (entry->loading) /* the description under way is invalidated already: this request sees to itself */
        t = NULL;
    else
        t = load_entry(cache, entry, db, database, table, deadline_us, e);
out:
    pthread_mutex_unlock(&cache->lock);
    if (t == NULL && e->code == ERR_NONE && (t = load(db, database, table, deadline_us, e)) != NULL)
        t->users = 1;
    *out = t;
    return t == NULL ? -1 : 0;
}

void schema_release(struct schema_cache *cache, const struct schema_table *t)
{
    if (t == NULL)
        return;
    pthread_mutex_lock(&cache->lock);
    drop_user((struct schema_table *)t); /* the cache made it, and is the only one to change it */
    pthread_mutex_unlock(&cache->lock);
}
