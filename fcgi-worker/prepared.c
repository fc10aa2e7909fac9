#include "fcgi-worker/prepared.h"

#include "common/fnv1a.h"
#include "fcgi-worker/param.h"

#include <sql.h>
#include <sqlext.h>
#include <stdlib.h>
#include <string.h>

/* A parameter's type, and where its value is put for each execution. */
struct place {
    enum statement_bind bind;
    int precision, scale;
    struct param_slot slot;
    char text[PREPARED_MAX_VALUE];
};

struct prepared {
    SQLHSTMT stmt;
    uint32_t hash;
    char *sql; /* a NUL behind it */
    size_t sql_len;
    struct place *places;
    size_t count;
    bool ready;    /* it was executed, and the server has told its number */
    uint64_t used; /* the count of statements when it was used last */
};

struct prepared_cache {
    struct prepared *items[PREPARED_MAX];
    size_t count;
    uint32_t noted[PREPARED_NOTED]; /* hashes of shapes, the oldest at `next_note` */
    size_t next_note;
    uint64_t statements; /* that were asked for */
};

struct prepared_cache *prepared_new(void)
{
    return calloc(1, sizeof(struct prepared_cache));
}

static void prepared_release(struct prepared *p)
{
    if (p == NULL)
        return;
    if (p->stmt != SQL_NULL_HANDLE) {
        SQLSetStmtAttr(p->stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)PREPARED_FREE_TIMEOUT_S, SQL_IS_UINTEGER);
        SQLFreeHandle(SQL_HANDLE_STMT, p->stmt);
    }
    free(p->sql);
    free(p->places);
    free(p);
}

void prepared_clear(struct prepared_cache *c)
{
    for (size_t i = 0; i < c->count; i++)
        prepared_release(c->items[i]);
    *c = (struct prepared_cache){0};
}

void prepared_free(struct prepared_cache *c)
{
    if (c == NULL)
        return;
    prepared_clear(c);
    free(c);
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------- */

static bool is_small(const struct statement *s)
{
    if (s->param_count == 0 || s->param_count > PREPARED_MAX_PARAMS || s->sql.len > PREPARED_MAX_SQL)
        return false;
    for (size_t i = 0; i < s->param_count; i++) {
        if (s->params[i].len > PREPARED_MAX_VALUE)
            return false;
    }
    return true;
}

static uint32_t hash_shape(const struct statement *s)
{
    uint32_t hash = fnv1a_32(s->sql.data, s->sql.len);
    for (size_t i = 0; i < s->param_count; i++)
        hash = hash * 31 + (uint32_t)s->params[i].bind;
    return hash;
}

static bool has_shape(const struct prepared *p, const struct statement *s)
{
    if (p->count != s->param_count || p->sql_len != s->sql.len || memcmp(p->sql, s->sql.data, p->sql_len) != 0)
        return false;
    for (size_t i = 0; i < p->count; i++) {
        const struct statement_param *param = &s->params[i];
        const struct place *place = &p->places[i];
        if (place->bind != param->bind
            || (place->bind == STATEMENT_DECIMAL && (place->precision != param->precision || place->scale != param->scale)))
            return false;
    }
    return true;
}

/* Takes the note of a shape away, or makes it; true when it was there. */
static bool was_noted(struct prepared_cache *c, uint32_t hash)
{
    for (size_t i = 0; i < PREPARED_NOTED; i++) {
        if (c->noted[i] == hash) {
            c->noted[i] = 0;
            return true;
        }
    }
    c->noted[c->next_note] = hash;
    c->next_note = (c->next_note + 1) % PREPARED_NOTED;
    return false;
}

/* ---- Handles ------------------------------------------------------------------------------------------------------ */

static void drop(struct prepared_cache *c, struct prepared *p)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->items[i] == p) {
            c->items[i] = c->items[--c->count];
            break;
        }
    }
    prepared_release(p);
}

/* Is there room for one more handle, or one that can be given up for it? */
static bool make_room(struct prepared_cache *c)
{
    struct prepared *oldest = c->items[0];

    if (c->count < PREPARED_MAX)
        return true;
    for (size_t i = 1; i < c->count; i++) {
        if (c->items[i]->used < oldest->used)
            oldest = c->items[i];
    }
    if (c->statements - oldest->used <= PREPARED_RECENT)
        return false;
    drop(c, oldest);
    return true;
}

/* Binding again would prepare again: the parameters are bound once, to places that stay. */
static bool bind_places(struct prepared *p, const struct statement *s)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct statement_param *param = &s->params[i];
        struct place *place = &p->places[i];
        bool is_text = param_is_text(param->bind);
        place->bind = param->bind;
        place->precision = param->precision;
        place->scale = param->scale;
        if (!param_bind(p->stmt, i + 1, place->bind, place->precision, place->scale, is_text ? (void *)place->text : &place->slot.number,
                        is_text ? sizeof(place->text) : sizeof(place->slot.number), &place->slot.indicator))
            return false;
    }
    return true;
}

/* Makes a shape's handle. NULL when memory ran out or the driver refuses. */
static struct prepared *prepare(SQLHDBC dbc, const struct statement *s, uint32_t hash)
{
    struct prepared *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->hash = hash;
    p->sql_len = s->sql.len;
    p->sql = strdup(buf_text(&s->sql));
    p->count = s->param_count;
    p->places = calloc(p->count, sizeof(*p->places));
    if (p->sql == NULL || p->places == NULL || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, dbc, &p->stmt))
        || !SQL_SUCCEEDED(SQLPrepare(p->stmt, (SQLCHAR *)p->sql, SQL_NTS)) || !bind_places(p, s)) {
        prepared_release(p);
        return NULL;
    }
    return p;
}

static struct prepared *find(const struct prepared_cache *c, const struct statement *s, uint32_t hash)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->items[i]->hash == hash && has_shape(c->items[i], s))
            return c->items[i];
    }
    return NULL;
}

static void fill(struct prepared *p, const struct statement *s)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct statement_param *param = &s->params[i];
        param_set(&p->places[i].slot, s, param);
        if (!param->null && param_is_text(param->bind))
            memcpy(p->places[i].text, statement_value(s, param), param->len);
    }
}

struct prepared *prepared_find(struct prepared_cache *c, void *dbc, const struct statement *s)
{
    if (!is_small(s))
        return NULL;
    c->statements++;
    uint32_t hash = hash_shape(s);
    struct prepared *p = find(c, s, hash);
    if (p == NULL && was_noted(c, hash) && make_room(c) && (p = prepare(dbc, s, hash)) != NULL)
        c->items[c->count++] = p;
    if (p == NULL)
        return NULL;
    p->used = c->statements;
    fill(p, s);
    return p;
}

void *prepared_handle(const struct prepared *p)
{
    return p->stmt;
}

void prepared_end(struct prepared_cache *c, struct prepared *p, bool whole)
{
    p->ready = p->ready || whole;
    if (!p->ready)
        drop(c, p);
}
