#include "fcgi-master/tables.h"

#include "common/fnv1a.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    char *db; /* NULL: the slot is empty */
    char *name;
    struct table *table;
};

struct tables {
    pthread_mutex_t lock; /* guards the slots */
    struct slot slots[TABLES_SLOTS];
};

static void clear_slot(struct slot *s)
{
    free(s->db);
    free(s->name);
    table_release(s->table);
    *s = (struct slot){0};
}

static struct slot *slot_of(struct tables *ts, const char *db, const char *table)
{
    uint32_t h = fnv1a_32(db, strlen(db)) * 31 + fnv1a_32(table, strlen(table));
    return &ts->slots[h % TABLES_SLOTS];
}

struct tables *tables_new(void)
{
    struct tables *ts = calloc(1, sizeof *ts);
    if (ts != NULL)
        pthread_mutex_init(&ts->lock, NULL);
    return ts;
}

void tables_free(struct tables *ts)
{
    if (ts == NULL)
        return;
    for (size_t i = 0; i < TABLES_SLOTS; i++)
        clear_slot(&ts->slots[i]);
    pthread_mutex_destroy(&ts->lock);
    free(ts);
}

struct table *tables_get(struct tables *ts, const char *db, const char *table)
{
    struct table *found = NULL;
    pthread_mutex_lock(&ts->lock);
    struct slot *s = slot_of(ts, db, table);
    if (s->db != NULL && strcmp(s->db, db) == 0 && strcmp(s->name, table) == 0)
        found = table_hold(s->table);
    pthread_mutex_unlock(&ts->lock);
    return found;
}

void tables_put(struct tables *ts, const char *db, const char *table, struct table *t)
{
    struct slot fresh = {.db = strdup(db), .name = strdup(table), .table = table_hold(t)};
    if (fresh.db != NULL && fresh.name != NULL) {
        pthread_mutex_lock(&ts->lock);
        struct slot *s = slot_of(ts, db, table);
        struct slot old = *s;
        *s = fresh;
        fresh = old;
        pthread_mutex_unlock(&ts->lock);
    }
    clear_slot(&fresh);
}

static bool same_name(const char *a, const char *b)
{
    return table_same_name(a, strlen(a), b, strlen(b));
}

void tables_forget(struct tables *ts, const char *db, const char *table)
{
    pthread_mutex_lock(&ts->lock);
    for (size_t i = 0; i < TABLES_SLOTS; i++) {
        struct slot *s = &ts->slots[i];
        if (s->db != NULL && same_name(s->db, db) && (table == NULL || same_name(s->name, table)))
            clear_slot(s);
    }
    pthread_mutex_unlock(&ts->lock);
}
