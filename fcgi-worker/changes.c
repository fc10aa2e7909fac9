#include "fcgi-worker/changes.h"

#include "fcgi-worker/request.h"
#include "fcgi-worker/statement.h"

#include <string.h>

/* Executes one statement that `s` holds, and clears it. */
static int run(struct request *r, struct statement *s)
{
    int rc = statement_status(s, &r->error);
    if (rc == 0)
        rc = db_execute(r->db, s, DB_WRITE, r->deadline_us, NULL, &r->error);
    statement_clear(s);
    return rc;
}

/* Reads "check" and the field that makes an existing (or missing) object no error. */
static int read_flags(struct request *r, const char *lenient_name, bool *check, bool *lenient)
{
    if (json_get_bool(r->body, "check", false, check, &r->error) < 0
        || json_get_bool(r->body, lenient_name, false, lenient, &r->error) < 0)
        return -1;
    return 0;
}

/* ---- Databases ---------------------------------------------------------------------------------------------------- */

static int create_db(struct request *r, const char **outcome)
{
    const char *database = buf_text(&r->database);
    bool check, lenient;
    struct statement s;

    if (read_flags(r, "if_not_exists", &check, &lenient) < 0)
        return -1;
    int exists = schema_find_database(r->db, database, r->deadline_us, &r->error);
    if (exists < 0)
        return -1;
    if (exists == 0 && !check) {
        statement_init(&s);
        statement_create_database(&s, database);
        if (run(r, &s) == 0) {
            schema_invalidate(r->worker->schema, database, NULL);
            *outcome = "applied";
            return 0;
        }
        if (r->error.code != ERR_ALREADY_EXISTS) /* somebody else was faster: then it exists */
            return -1;
        r->error = ERR_INIT;
        exists = 1;
    }
    if (exists > 0 && !lenient)
        return err_set(&r->error, ERR_ALREADY_EXISTS, "database '%s' exists already", database);
    *outcome = exists > 0 ? "unchanged" : "not_applied";
    return 0;
}

void changes_create_db(struct http *h, void *thread)
{
    static const char *const fields[] = {"db_name", "if_not_exists", "check", NULL};
    const char *outcome = NULL;
    struct request r;

    if (request_open(&r, h, thread, fields) == 0 && create_db(&r, &outcome) == 0)
        request_answer_change(&r, false, outcome, -1);
    request_close(&r);
}

static int drop_db(struct request *r, const char **outcome)
{
    const char *database = buf_text(&r->database);
    bool check, lenient;
    struct statement s;

    if (read_flags(r, "if_exists", &check, &lenient) < 0)
        return -1;
    int exists = schema_find_database(r->db, database, r->deadline_us, &r->error);
    if (exists < 0)
        return -1;
    if (exists > 0 && !check) {
        statement_init(&s);
        statement_drop_database(&s, database);
        int rc = run(r, &s);
        schema_invalidate(r->worker->schema, database, NULL);
        if (rc == 0) {
            *outcome = "applied";
            return 0;
        }
        if (r->error.code != ERR_NO_SUCH_TABLE && r->error.code != ERR_NO_SUCH_DATABASE) /* 3701 is for both */
            return -1;
        r->error = ERR_INIT;
        exists = 0;
    }
    if (exists == 0 && !lenient)
        return err_set(&r->error, ERR_NO_SUCH_DATABASE, "database '%s' does not exist", database);
    *outcome = exists > 0 ? "not_applied" : "unchanged";
    return 0;
}

void changes_drop_db(struct http *h, void *thread)
{
    static const char *const fields[] = {"db_name", "if_exists", "check", NULL};
    const char *outcome = NULL;
    struct request r;

    if (request_open(&r, h, thread, fields) == 0 && drop_db(&r, &outcome) == 0)
        request_answer_change(&r, false, outcome, -1);
    request_close(&r);
}

/* ---- Tables ------------------------------------------------------------------------------------------------------- */

/* Makes gw_tables unless it is there. */
static int need_gw_tables(struct request *r)
{
    struct statement s;

    statement_init(&s);
    statement_gw_create(&s, buf_text(&r->database));
    if (run(r, &s) < 0 && r->error.code != ERR_ALREADY_EXISTS)
        return -1;
    r->error = ERR_INIT; /* another request was faster */
    return 0;
}

/* Executes a change of a table and what it means for gw_tables as one transaction. `create` (taken) changes the table;
 * `shard_column` is what to record for it, NULL for nothing. */
static int change_table(struct request *r, struct statement *change, const char *table, const char *shard_column)
{
    const char *database = buf_text(&r->database);
    struct statement forget, record;
    int rc = -1;

    statement_init(&forget);
    statement_init(&record);
    int has_gw = schema_find_table(r->db, database, STATEMENT_GW_TABLES, r->deadline_us, &r->error);
    if (has_gw < 0)
        goto out;
    if (has_gw == 0 && shard_column == NULL) {
        rc = run(r, change);
        goto out;
    }
    if (has_gw == 0 && need_gw_tables(r) < 0)
        goto out;
    /* a row of an earlier table of this name, which was dropped by other means, goes too */
    statement_gw_delete(&forget, database, table);
    if (shard_column != NULL)
        statement_gw_insert(&record, database, table, shard_column);
    if (db_begin(r->db, r->deadline_us, &r->error) < 0)
        goto out;
    if (run(r, change) < 0 || run(r, &forget) < 0 || (shard_column != NULL && run(r, &record) < 0))
        db_rollback(r->db);
    else
        rc = db_commit(r->db, r->deadline_us, &r->error);
out:
    statement_clear(change);
    statement_clear(&forget);
    statement_clear(&record);
    schema_invalidate(r->worker->schema, database, table);
    return rc;
}

static int create_table(struct request *r, const char **outcome)
{
    const char *database = buf_text(&r->database);
    struct statement_table_spec spec = {.database = database};
    struct json_object *columns;
    bool check, lenient;
    struct statement s;
    struct buf shard;
    size_t len;
    int rc = -1;

    statement_init(&s);
    buf_init(&shard, REQUEST_MAX_ANSWER);
    if (request_table_name(r) < 0 || sqltype_check_name("table", r->table_name, strlen(r->table_name), &r->error) < 0
        || json_get_object(r->body, "columns", true, &columns, &r->error) < 0
        || json_get_name(r->body, "shard_column", false, &spec.shard_column, &len, &r->error) < 0
        || read_flags(r, "if_not_exists", &check, &lenient) < 0)
        goto out;
    spec.table = r->table_name;
    spec.columns = columns;
    if (statement_create_table(&s, &spec, &shard, &r->error) < 0)
        goto out;
    int exists = schema_find_table(r->db, database, r->table_name, r->deadline_us, &r->error);
    if (exists < 0)
        goto out;
    if (exists == 0 && !check) {
        rc = change_table(r, &s, r->table_name, spec.shard_column == NULL ? NULL : buf_text(&shard));
        *outcome = "applied";
        if (rc == 0 || r->error.code != ERR_ALREADY_EXISTS)
            goto out;
        r->error = ERR_INIT; /* somebody else was faster: then it exists */
        exists = 1;
    }
    rc = 0;
    if (exists > 0 && !lenient)
        rc = err_set(&r->error, ERR_ALREADY_EXISTS, "table '%s' exists already in database '%s'", r->table_name, database);
    *outcome = exists > 0 ? "unchanged" : "not_applied";
out:
    statement_clear(&s);
    buf_clear(&shard);
    return rc;
}

void changes_create_table(struct http *h, void *thread)
{
    static const char *const fields[] = {"db_name", "table", "columns", "shard_column", "if_not_exists", "check", NULL};
    const char *outcome = NULL;
    struct request r;

    if (request_open(&r, h, thread, fields) == 0 && create_table(&r, &outcome) == 0)
        request_answer_change(&r, true, outcome, -1);
    request_close(&r);
}

static int delete_table(struct request *r, const char **outcome)
{
    bool check, lenient;
    struct statement s;

    if (read_flags(r, "if_exists", &check, &lenient) < 0)
        return -1;
    int rc = request_table(r);
    if (rc == 0 && check) {
        *outcome = "not_applied";
    } else if (rc == 0) {
        statement_init(&s);
        statement_drop_table(&s, r->table->database, r->table->name);
        rc = change_table(r, &s, r->table->name, NULL);
        *outcome = "applied";
    }
    if (rc < 0 && r->error.code == ERR_NO_SUCH_TABLE && lenient) {
        r->error = ERR_INIT;
        *outcome = "unchanged";
        rc = 0;
    }
    return rc;
}

void changes_delete_table(struct http *h, void *thread)
{
    static const char *const fields[] = {"db_name", "table", "if_exists", "check", NULL};
    const char *outcome = NULL;
    struct request r;

    if (request_open(&r, h, thread, fields) == 0 && delete_table(&r, &outcome) == 0)
        request_answer_change(&r, true, outcome, -1);
    request_close(&r);
}
