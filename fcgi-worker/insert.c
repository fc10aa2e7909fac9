#include "fcgi-worker/insert.h"

#include "fcgi-worker/request.h"
#include "fcgi-worker/statement.h"

#include <string.h>

/* A row that is refused is named by its index among those of the request, unless it is the one object of the request. */
static int name_row(const struct request *r, size_t index, struct err *e)
{
    struct json_object *data;
    if (json_member(r->body, "data", &data) && json_kind(data) == JSON_OBJECT)
        return err_prefix(e, "data");
    return err_prefix(e, "data[%zu]", index);
}

/* ---- Writing ------------------------------------------------------------------------------------------------------- */

/* One statement, once or with its many rows. */
static int run(struct request *r, const struct statement *s, int64_t *rows)
{
    size_t bad_row = SIZE_MAX;

    if (s->rows <= 1) {
        if (db_execute(r->db, s, DB_WRITE, r->deadline_us, rows, &r->error) == 0)
            return 0;
        bad_row = 0;
    } else if (db_execute_rows(r->db, s, r->deadline_us, rows, &bad_row, &r->error) == 0) {
        return 0;
    }
    if (bad_row != SIZE_MAX && r->error.sql_error != 0)
        (void)name_row(r, s->first_row + bad_row, &r->error);
    return -1;
}

/* All statements: the only row of a request by itself, else as one transaction. */
static int run_all(struct request *r, const struct statement_inserts *list, int64_t *total)
{
    *total = 0;
    if (list->rows == 0)
        return 0;
    if (list->rows == 1)
        return run(r, &list->items[0], total);
    if (db_begin(r->db, r->deadline_us, &r->error) < 0)
        return -1;
    for (size_t i = 0; i < list->count; i++) {
        int64_t rows;
        if (run(r, &list->items[i], &rows) < 0) {
            db_rollback(r->db);
            return -1;
        }
        *total += rows;
    }
    return db_commit(r->db, r->deadline_us, &r->error);
}

/* ---- Requests ------------------------------------------------------------------------------------------------------ */

static int need_data(struct request *r, struct json_object **data)
{
    if (!json_member(r->body, "data", data) || *data == NULL)
        return err_set(&r->error, ERR_MISSING_FIELD, "data: missing; an object, or an array of objects is expected");
    enum json_kind kind = json_kind(*data);
    if (kind != JSON_OBJECT && kind != JSON_ARRAY)
        return err_set(&r->error, ERR_BAD_FIELD, "data: an object or an array of objects is expected, not %s", json_kind_name(kind));
    return 0;
}

static int open_json(struct request *r, struct http *h, void *thread, struct statement_inserts *list)
{
    static const char *const fields[] = {"db_name", "table", "data", "shard_key", "scatter", NULL};
    struct json_object *data;

    if (request_open(r, h, thread, fields) < 0 || need_data(r, &data) < 0 || request_table(r) < 0
        || statement_inserts_init(list, r->table, &r->error) < 0)
        return -1;
    return statement_inserts_add_data(list, data, &r->error);
}

static int open_lines(struct request *r, struct http *h, void *thread, struct statement_inserts *list)
{
    static const char *const fields[] = {"db_name", "table", "shard_key", NULL};
    const char *text;
    size_t len;

    if (request_open_query(r, h, thread, fields) < 0 || http_body_text(h, &text, &len, &r->error) < 0 || request_table(r) < 0
        || statement_inserts_init(list, r->table, &r->error) < 0)
        return -1;
    return statement_inserts_add_lines(list, text, len, &r->error);
}

void insert_rows(struct http *h, void *thread)
{
    struct statement_inserts list = {0};
    struct request r;
    int64_t rows;

    if ((http_has_type(h, INSERT_LINES_TYPE) ? open_lines : open_json)(&r, h, thread, &list) == 0 && run_all(&r, &list, &rows) == 0)
        request_answer_change(&r, false, "applied", rows);
    statement_inserts_clear(&list);
    request_close(&r);
}
