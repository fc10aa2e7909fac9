#include "fcgi-worker/insert.h"

#include "fcgi-worker/ledger.h"
#include "fcgi-worker/request.h"
#include "fcgi-worker/statement.h"
#include "fcgi-worker/write.h"

#include <string.h>

/* A row that is refused is named by its index among those of the request, unless it is the one object of the request. */
static int name_row(const struct request *r, size_t index, struct err *e)
{
    struct json_object *data;
    if (json_member(r->body, "data", &data) && json_kind(data) == JSON_OBJECT)
        return err_prefix(e, "data");
    return err_prefix(e, "data[%zu]", index);
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

    if (request_open_query(r, h, thread, fields) < 0 || http_body_text(h, &r->lines, &r->lines_len, &r->error) < 0 || request_table(r) < 0
        || statement_inserts_init(list, r->table, &r->error) < 0)
        return -1;
    return statement_inserts_add_lines(list, r->lines, r->lines_len, &r->error);
}

static int write_all(struct request *r, const struct statement_inserts *list, struct write_result *result)
{
    if (write_run(r, list->items, list->count, result) == 0)
        return 0;
    if (result->bad_row != SIZE_MAX && r->error.sql_error != 0)
        (void)name_row(r, result->bad_row, &r->error);
    return -1;
}

void insert_rows(struct http *h, void *thread)
{
    struct statement_inserts list = {0};
    struct write_result result;
    struct request r;

    if ((http_has_type(h, INSERT_LINES_TYPE) ? open_lines : open_json)(&r, h, thread, &list) == 0 && write_all(&r, &list, &result) == 0) {
        request_answer_change(&r, false, "applied", result.rows);
        ledger_tidy(&r);
    }
    statement_inserts_clear(&list);
    request_close(&r);
}
