#include "fcgi-worker/catalogue.h"

#include "common/sqltype.h"
#include "fcgi-worker/request.h"
#include "fcgi-worker/statement.h"

#include <string.h>
#include <strings.h>

/* The length of the logical name of a physical database; 0 for one that is no db_name and this worker's suffix. */
static size_t logical_length(const struct worker *w, const struct buf *physical)
{
    size_t suffix = strlen(w->suffix);
    struct err ignored = ERR_INIT;
    if (physical->len <= suffix || strcasecmp(buf_text(physical) + physical->len - suffix, w->suffix) != 0)
        return 0;
    size_t len = physical->len - suffix;
    return sqltype_check_name("db_name", buf_text(physical), len, &ignored) == 0 ? len : 0;
}

/* The length of a table's name that clients may use; 0 for the worker's own. */
static size_t table_length(const struct worker *w, const struct buf *name)
{
    (void)w;
    return strncasecmp(buf_text(name), "gw_", 3) == 0 ? 0 : name->len;
}

/* Appends the names that the question finds as an array, each cut to the length that `length` gives. Takes `question`. */
static int list_names(struct request *r, struct statement *question, size_t (*length)(const struct worker *, const struct buf *), struct buf *out)
{
    struct buf name;
    size_t count = 0;
    int rc = -1;

    buf_init(&name, CATALOGUE_MAX_ANSWER);
    buf_append_char(out, '[');
    if (statement_status(question, &r->error) < 0 || db_query(r->db, question, r->deadline_us, &r->error) < 0)
        goto out;
    while ((rc = db_fetch(r->db, &r->error)) > 0) {
        buf_reset(&name);
        if (db_get_text(r->db, 0, &name, &r->error) < 0) {
            rc = -1;
            break;
        }
        size_t len = length(r->worker, &name);
        if (len == 0)
            continue;
        if (count++ > 0)
            buf_append_char(out, ',');
        json_write_string(out, buf_text(&name), len);
    }
    buf_append_char(out, ']');
out:
    db_close(r->db);
    statement_clear(question);
    buf_clear(&name);
    return rc;
}

static int list_databases(struct request *r, struct buf *out)
{
    struct statement s;

    statement_init(&s);
    statement_list_databases(&s);
    buf_append_text(out, ",\"databases\":");
    return list_names(r, &s, logical_length, out);
}

static int list_tables(struct request *r, struct buf *out)
{
    const char *database = buf_text(&r->database);
    struct statement s;

    int exists = schema_find_database(r->db, database, r->deadline_us, &r->error);
    if (exists < 0)
        return -1;
    if (exists == 0)
        return err_set(&r->error, ERR_NO_SUCH_DATABASE, "database '%s' does not exist", database);
    schema_invalidate(r->worker->schema, database, NULL);
    statement_init(&s);
    statement_list_tables(&s, database);
    buf_append_text(out, ",\"db_name\":");
    json_write_text(out, r->db_name);
    buf_append_text(out, ",\"tables\":");
    return list_names(r, &s, table_length, out);
}

void catalogue_list(struct http *h, void *thread)
{
    static const char *const fields[] = {"db_name", NULL};
    struct request r;
    struct buf out;

    buf_init(&out, CATALOGUE_MAX_ANSWER);
    buf_append_text(&out, "{\"status\":\"ok\"");
    if (request_open_server(&r, h, thread, fields) == 0 && (r.db_name == NULL ? list_databases(&r, &out) : list_tables(&r, &out)) == 0) {
        buf_append_char(&out, '}');
        request_answer(&r, &out);
    }
    buf_clear(&out);
    request_close(&r);
}
