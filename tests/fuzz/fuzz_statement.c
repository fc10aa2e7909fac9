/* Requests to SQL: whatever a body says, the text of a statement is made of the catalogue's names in brackets and of
 * constants, and has one placeholder for each parameter. The first byte picks the path, the rest is the body. */
#include "common/json.h"
#include "common/predicate.h"
#include "fcgi-worker/statement.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static struct schema_column columns[] = {
    {.name = (char[]){"student_id"}, .known = true, .type = {.kind = SQLTYPE_INT}},
    {.name = (char[]){"name"}, .known = true, .type = {.kind = SQLTYPE_NVARCHAR, .length = 20}},
    {.name = (char[]){"we]ird"}, .known = true, .type = {.kind = SQLTYPE_DECIMAL, .precision = 10, .scale = 2}},
    {.name = (char[]){"raw"}, .known = true, .type = {.kind = SQLTYPE_VARBINARY, .length = SQLTYPE_MAX}},
    {.name = (char[]){"seen"}, .known = true, .type = {.kind = SQLTYPE_DATETIMEOFFSET, .scale = 7}},
    {.name = (char[]){"doc"}},
};
static const struct schema_table table = {
    .database = (char[]){"SchoolDBGO"},
    .name = (char[]){"Students"},
    .columns = columns,
    .column_count = sizeof(columns) / sizeof(columns[0]),
    .shard_column = &columns[0],
};

/* Skips one name in brackets, which must be one of the catalogue's. */
static const char *skip_name(const char *p)
{
    static const char *const own[] = {"[SchoolDBGO]", "[dbo]", "[Students]", "[student_id]", "[name]", "[we]]ird]", "[raw]", "[seen]", "[doc]"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strncmp(p, own[i], strlen(own[i])) == 0)
            return p + strlen(own[i]);
    }
    CHECK(false); /* a name of the catalogue */
    return NULL;
}

static void check_statement(const struct statement *s)
{
    size_t placeholders = 0;
    for (const char *p = buf_text(&s->sql); *p != '\0';) {
        if (*p == '[') {
            p = skip_name(p);
            continue;
        }
        if (strncmp(p, "Latin1_General_100_BIN2", strlen("Latin1_General_100_BIN2")) == 0) {
            p += strlen("Latin1_General_100_BIN2");
            continue;
        }
        CHECK((*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr(" =<>!(),.?*_", *p) != NULL);
        placeholders += *p++ == '?';
    }
    CHECK(placeholders * (s->rows > 1 ? s->rows : 1) == s->param_count);
    CHECK(strlen(buf_text(&s->sql)) == s->sql.len);
    for (size_t i = 0; i < s->param_count; i++)
        CHECK(s->params[i].offset + s->params[i].len <= s->values.len && s->params[i].bind < STATEMENT_BINDS);
}

static int write_statement(char path, struct statement *s, struct query *q, struct statement_inserts *list,
                           const struct json_object *body, const struct predicate *where, struct err *e)
{
    struct json_object *v = NULL;
    switch (path) {
    case 's':
        return query_read(body, q, e) < 0 ? -1 : statement_select(s, &table, q, 0, e);
    case 'c':
        return statement_count(s, &table, where, e);
    case 'u':
        return where == NULL || json_get_object(body, "set", true, &v, e) < 0 ? -1 : statement_update(s, &table, v, where, e);
    case 'd':
        return where == NULL ? -1 : statement_delete(s, &table, where, e);
    default:
        return !json_member(body, "data", &v) || v == NULL || statement_inserts_init(list, &table, e) < 0 ? -1 : statement_inserts_add_data(list, v, e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *body = NULL, *params = NULL;
    struct statement_inserts list = {0};
    struct predicate *where = NULL;
    struct err e = ERR_INIT;
    const char *condition = NULL;
    struct query q = {0};
    struct statement s;
    size_t len;

    if (size == 0)
        return 0;
    statement_init(&s);
    if (json_read((const char *)data + 1, size - 1, &body, &e) < 0)
        goto out;
    if (json_get_string(body, "condition", false, &condition, &len, &e) < 0 || json_get_object(body, "params", false, &params, &e) < 0)
        goto out;
    if (condition != NULL && (predicate_parse(condition, len, &where, &e) < 0 || predicate_bind(where, params, &e) < 0))
        goto out;
    if (write_statement((char)data[0], &s, &q, &list, body, where, &e) == 0) {
        check_statement(&s);
        for (size_t i = 0; i < list.count; i++)
            check_statement(&list.items[i]);
    }
out:
    statement_inserts_clear(&list);
    statement_clear(&s);
    query_clear(&q);
    predicate_free(where);
    json_free(body);
    return 0;
}
