#include "fcgi-master/verify.h"

#include "common/clock.h"
#include "common/collate.h"
#include "common/json.h"
#include "common/sqltype.h"
#include "fcgi-master/exchange.h"
#include "fcgi-master/verify_diff.h"
#include "fcgi-master/verify_rows.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BODY  4096
#define MAX_FRAME ((size_t)1 << 20) /* bytes of what stands around the databases in the answer */
#define RETRY_S   10                /* after which a client that came while another was served may ask again */

/* A name that a shard has. */
struct name {
    char *text;
    size_t shard;
};

/* The names that all shards have, sorted. */
struct names {
    struct name *items;
    size_t count, room;
};

struct verify {
    struct exchange x;
    const char *db, *table; /* that alone are looked at, or NULL */
    bool rows;
    size_t shards;
    bool drift;
    struct buf out;
    struct buf differences; /* of the database or table in hand */
    struct verify_side *databases; /* one a shard */
    struct verify_side *tables;    /* one a shard */
    struct table **descriptions;   /* one a shard; owned */
    struct buf *bodies;            /* one a shard */
    size_t found; /* databases, or tables where one was asked for */
};

/* Names */

static void clear_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->items[i].text);
    free(n->items);
    *n = (struct names){0};
}

static int add_name(struct names *n, const char *text, size_t len, size_t shard)
{
    if (n->count == n->room) {
        size_t room = n->room > 0 ? 2 * n->room : 64;
        struct name *grown = reallocarray(n->items, room, sizeof *grown);
        if (grown == NULL)
            return -1;
        n->items = grown;
        n->room = room;
    }
    n->items[n->count] = (struct name){.text = strndup(text, len), .shard = shard};
    return n->items[n->count].text != NULL ? (int)(n->count++, 0) : -1;
}

static int compare_spelling(const char *a, const char *b)
{
    return collate_compare(COLLATION_CI, a, strlen(a), b, strlen(b));
}

/* Equal names together, of one spelling those of all shards. */
static int compare_names(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    int order = compare_spelling(x->text, y->text);
    if (order == 0)
        order = strcmp(x->text, y->text);
    return order != 0 ? order : (x->shard > y->shard) - (x->shard < y->shard);
}

/* Takes the next name of all shards from *at on: sides[i].name becomes the spelling on shard i, NULL where it is missing. A shard whose server
 * tells two names apart that differ in case only has each of them. Returns the first spelling; NULL behind the last one. */
static const char *next_name(const struct names *n, size_t *at, struct verify_side *sides, size_t shards)
{
    if (*at == n->count)
        return NULL;
    const char *first = n->items[*at].text;
    for (size_t i = 0; i < shards; i++)
        sides[i].name = NULL;
    for (; *at < n->count; ++*at) {
        const struct name *name = &n->items[*at];
        if (compare_spelling(name->text, first) != 0 || sides[name->shard].name != NULL)
            break;
        sides[name->shard].name = name->text;
    }
    return first;
}

/* Questions to the shards */

static int no_memory(struct verify *v)
{
    return err_set(&v->x.err, ERR_INTERNAL, "out of memory");
}

/* Asks the shards that have a body; each question has the request's whole time. 0 when all have answered; else -1 with v->x.err. */
static int ask(struct verify *v, const char *path)
{
    struct exchange *x = &v->x;
    x->deadline_us = clock_now_us() + (int64_t)x->timeout_ms * 1000;
    const struct exchange_question q = {.path = path, .kind = MERGE_DOCUMENT, .deadline_us = x->deadline_us};
    exchange_begin(x);
    for (size_t i = 0; i < v->shards; i++) {
        if (buf_status(&v->bodies[i]) != 0)
            return no_memory(v);
        if (v->bodies[i].len > 0)
            exchange_add(x, &q, i, buf_text(&v->bodies[i]), v->bodies[i].len);
    }
    exchange_run(x, &q);
    return 0;
}

static int bad_answer(struct merge_part *p, const char *what)
{
    return err_set(&p->err, ERR_BAD_WORKER_ANSWER, "/catalogue answered %s", what);
}

/* Reads the member `list` of a shard's /catalogue. */
static int read_catalogue(struct merge_part *p, const char *list, struct names *out)
{
    struct json_object *body = NULL, *array = NULL;
    struct err e = ERR_INIT;
    int rc = -1;
    if (json_read(p->text, p->len, &body, &e) != 0 || json_get_array(body, list, true, &array, &e) != 0) {
        bad_answer(p, e.detail);
        goto out;
    }
    for (size_t i = 0; i < json_array_length(array); i++) {
        const char *text = NULL;
        size_t len = 0;
        if (json_read_name(json_array_at(array, i), list, &text, &len, &e) != 0 || len == 0) {
            bad_answer(p, "a name that is none");
            goto out;
        }
        if (add_name(out, text, len, p->shard) != 0) {
            err_set(&p->err, ERR_INTERNAL, "out of memory");
            goto out;
        }
    }
    rc = 0;
out:
    json_free(body);
    return rc;
}

/* A worker that was written before there was this path, or in another language. */
static void explain_missing_path(const struct exchange *x)
{
    for (size_t i = 0; i < x->part_count; i++) {
        struct err *e = &x->parts[i].err;
        if (e->code == ERR_NONE || e->code == ERR_NO_SUCH_DATABASE || fanout_answer(x->fanout, x->calls[i])->status != 404)
            continue;
        *e = ERR_INIT;
        err_set(e, ERR_BAD_WORKER_ANSWER, "it has no POST /catalogue, without which nothing can be verified");
    }
}

/* Asks for the list, of a database or (NULL) of the server; the bodies are there. */
static int ask_catalogue(struct verify *v, const char *list, struct names *out)
{
    struct exchange *x = &v->x;
    bool failed = false;
    if (ask(v, "/catalogue") != 0)
        return -1;
    explain_missing_path(x);
    for (size_t i = 0; i < x->part_count; i++) {
        struct merge_part *p = &x->parts[i];
        if (p->err.code == ERR_NO_SUCH_DATABASE) { /* dropped since it was listed */
            p->err = ERR_INIT;
            continue;
        }
        failed = p->err.code != ERR_NONE || read_catalogue(p, list, out) != 0 || failed;
    }
    if (failed)
        return exchange_refuse(x, MERGE_SELECT);
    if (out->count > 1)
        qsort(out->items, out->count, sizeof *out->items, compare_names);
    return 0;
}

/* The bodies for the shards that have the database, and with `tables` the table. */
static void write_bodies(struct verify *v, const struct verify_side *tables)
{
    for (size_t i = 0; i < v->shards; i++) {
        struct buf *b = &v->bodies[i];
        buf_reset(b);
        if (v->databases[i].name == NULL || (tables != NULL && tables[i].name == NULL))
            continue;
        buf_append_text(b, "{\"db_name\":");
        json_write_text(b, v->databases[i].name);
        if (tables != NULL) {
            buf_append_text(b, ",\"table\":");
            json_write_text(b, tables[i].name);
        }
        buf_append_char(b, '}');
    }
}

/* Asks the shards that have the table for its description; one that has lost it meanwhile has none. */
static int describe(struct verify *v)
{
    struct exchange *x = &v->x;
    bool failed = false;
    write_bodies(v, v->tables);
    if (ask(v, "/describe") != 0)
        return -1;
    for (size_t i = 0; i < x->part_count; i++) {
        struct merge_part *p = &x->parts[i];
        struct verify_side *side = &v->tables[p->shard];
        if (p->err.code == ERR_NO_SUCH_TABLE || p->err.code == ERR_NO_SUCH_DATABASE) {
            p->err = ERR_INIT;
            side->name = NULL;
            continue;
        }
        failed = p->err.code != ERR_NONE || table_read(p->text, p->len, &v->descriptions[p->shard], &p->err) != 0 || failed;
        side->table = v->descriptions[p->shard];
    }
    return failed ? exchange_refuse(x, MERGE_SELECT) : 0;
}

/* The answer */

static void forget_descriptions(struct verify *v)
{
    for (size_t i = 0; i < v->shards; i++) {
        table_release(v->descriptions[i]);
        v->descriptions[i] = NULL;
        v->tables[i].table = NULL;
    }
}

static void append_differences(struct verify *v)
{
    buf_append_text(&v->out, ",\"differences\":[");
    buf_append(&v->out, v->differences.data, v->differences.len);
    buf_append_char(&v->out, ']');
    if (buf_status(&v->differences) != 0)
        v->out.failed = true;
    buf_reset(&v->differences);
}

static int check_length(struct verify *v)
{
    return buf_status(&v->out) == 0 ? 0 : err_set(&v->x.err, ERR_INTERNAL, "the answer is too long; ask for one db_name, or one table");
}

static int verify_table(struct verify *v, const char *name)
{
    uint64_t misplaced = 0;
    forget_descriptions(v);
    if (describe(v) != 0)
        return -1;
    bool differs = verify_diff_table(v->tables, v->shards, &v->differences) > 0;
    buf_append_text(&v->out, "{\"table\":");
    json_write_text(&v->out, name);
    buf_printf(&v->out, ",\"schema\":\"%s\"", differs ? "differs" : "equal");
    append_differences(v);
    buf_append_text(&v->out, ",\"rows\":");
    if (!v->rows)
        buf_append_text(&v->out, "{\"checked\":false,\"reason\":\"rows=false\"}");
    else if (verify_rows_check(&v->x, v->tables, v->shards, &misplaced, &v->out) != 0)
        return -1;
    buf_append_char(&v->out, '}');
    v->drift = v->drift || differs || misplaced > 0;
    return check_length(v);
}

static bool is_wanted(const char *wanted, const char *name)
{
    return wanted == NULL || compare_spelling(wanted, name) == 0;
}

static int verify_tables(struct verify *v)
{
    struct names names = {0};
    const char *name = NULL;
    size_t at = 0, written = 0;
    write_bodies(v, NULL);
    int rc = ask_catalogue(v, "tables", &names);
    while (rc == 0 && (name = next_name(&names, &at, v->tables, v->shards)) != NULL) {
        if (!is_wanted(v->table, name))
            continue;
        if (written++ > 0)
            buf_append_char(&v->out, ',');
        rc = verify_table(v, name);
        v->found += v->table != NULL ? 1 : 0;
    }
    clear_names(&names);
    return rc;
}

static int verify_database(struct verify *v, const char *name)
{
    bool differs = verify_diff_presence("database", v->databases, v->shards, &v->differences) > 0;
    v->x.db = name;
    v->drift = v->drift || differs;
    buf_append_text(&v->out, "{\"db_name\":");
    json_write_text(&v->out, name);
    append_differences(v);
    buf_append_text(&v->out, ",\"tables\":[");
    if (verify_tables(v) != 0)
        return -1;
    buf_append_text(&v->out, "]}");
    return check_length(v);
}

static int verify_databases(struct verify *v)
{
    struct names names = {0};
    const char *name = NULL;
    size_t at = 0, written = 0;
    for (size_t i = 0; i < v->shards; i++)
        buf_append_text(&v->bodies[i], "{}");
    int rc = ask_catalogue(v, "databases", &names);
    while (rc == 0 && (name = next_name(&names, &at, v->databases, v->shards)) != NULL) {
        if (!is_wanted(v->db, name))
            continue;
        if (written++ > 0)
            buf_append_char(&v->out, ',');
        rc = verify_database(v, name);
        v->found += v->table == NULL ? 1 : 0;
    }
    clear_names(&names);
    if (rc != 0 || v->found > 0 || v->db == NULL)
        return rc;
    if (written > 0)
        return err_set(&v->x.err, ERR_NO_SUCH_TABLE, "table '%.128s' is on no shard", v->table);
    return err_set(&v->x.err, ERR_NO_SUCH_DATABASE, "database '%s' is on no shard", v->db);
}

/* The request */

static int read_rows_flag(const struct json_object *query, bool *rows, struct err *e)
{
    const char *text = NULL;
    size_t len = 0;
    if (json_get_string(query, "rows", false, &text, &len, e) != 0)
        return -1;
    *rows = text == NULL || strcmp(text, "true") == 0;
    if (!*rows && strcmp(text, "false") != 0)
        return err_set(e, ERR_BAD_FIELD, "rows: true or false is expected");
    return 0;
}

static int read_query(struct verify *v)
{
    static const char *const members[] = {"db_name", "table", "rows", NULL};
    struct err *e = &v->x.err;
    struct json_object *query = NULL;
    size_t len = 0;
    if (http_query_object(v->x.h, &query, e) != 0 || json_check_members(query, members, e) != 0 ||
        json_get_name(query, "db_name", false, &v->db, &len, e) != 0)
        return -1;
    if (v->db != NULL && sqltype_check_name("db_name", v->db, len, e) != 0)
        return -1;
    if (json_get_name(query, "table", false, &v->table, &len, e) != 0 || read_rows_flag(query, &v->rows, e) != 0)
        return -1;
    return v->table == NULL || v->db != NULL ? 0 : err_set(e, ERR_MISSING_FIELD, "db_name: missing; whose table is it?");
}

static int open_sides(struct verify *v)
{
    const struct cluster *c = v->x.master->cluster;
    v->shards = c->worker_count;
    v->databases = calloc(v->shards, sizeof *v->databases);
    v->tables = calloc(v->shards, sizeof *v->tables);
    v->descriptions = calloc(v->shards, sizeof(struct table *));
    v->bodies = calloc(v->shards, sizeof *v->bodies);
    if (v->databases == NULL || v->tables == NULL || v->descriptions == NULL || v->bodies == NULL)
        return no_memory(v);
    for (size_t i = 0; i < v->shards; i++) {
        v->databases[i] = v->tables[i] = (struct verify_side){.shard = i, .worker = c->workers[i].name};
        buf_init(&v->bodies[i], MAX_BODY);
    }
    return 0;
}

static void close_sides(struct verify *v)
{
    if (v->descriptions != NULL && v->tables != NULL)
        forget_descriptions(v);
    for (size_t i = 0; v->bodies != NULL && i < v->shards; i++)
        buf_clear(&v->bodies[i]);
    free(v->databases);
    free(v->tables);
    free(v->descriptions);
    free(v->bodies);
}

/* {"status":STATUS,"databases":[DATABASES],"shards":[…]} */
static int answer(struct verify *v)
{
    struct buf whole;
    buf_init(&whole, VERIFY_MAX_ANSWER + MAX_FRAME);
    buf_printf(&whole, "{\"status\":\"%s\",\"databases\":[", v->drift ? "drift" : "ok");
    buf_append(&whole, v->out.data, v->out.len);
    buf_append_text(&whole, "],\"shards\":[");
    for (size_t i = 0; i < v->shards; i++)
        buf_printf(&whole, "%s{\"shard\":%zu,\"worker\":\"%s\",\"outcome\":\"ok\"}", i > 0 ? "," : "", i, v->tables[i].worker);
    buf_append_text(&whole, "]}");
    int rc = buf_status(&whole) == 0 ? 0 : no_memory(v);
    if (rc == 0)
        http_reply(v->x.h, 200, &whole);
    buf_clear(&whole);
    return rc;
}

static int serve(struct verify *v)
{
    if (read_query(v) != 0 || open_sides(v) != 0 || verify_databases(v) != 0)
        return -1;
    return answer(v);
}

/* Only one at a time: it may take long, and each holds a thread here and one of each worker. */
static int serve_alone(struct verify *v)
{
    atomic_bool *busy = &v->x.master->verifying;
    if (atomic_exchange(busy, true)) {
        err_set(&v->x.err, ERR_TOO_BUSY, "another /verify is under way");
        v->x.err.retry_after_s = RETRY_S;
        return -1;
    }
    int rc = serve(v);
    atomic_store(busy, false);
    return rc;
}

void verify_cluster(struct http *h, void *thread)
{
    struct verify v = {.rows = true};
    buf_init(&v.out, VERIFY_MAX_ANSWER);
    buf_init(&v.differences, VERIFY_MAX_ANSWER);
    if (exchange_open(&v.x, h, thread) != 0 || serve_alone(&v) != 0)
        exchange_fail(&v.x);
    close_sides(&v);
    buf_clear(&v.out);
    buf_clear(&v.differences);
    exchange_close(&v.x);
}
