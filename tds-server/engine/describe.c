/* sp_describe_first_result_set @tsql, @params: what columns the first query of a batch would give, without running it. */
#include "tds-server/engine/exec.h"

#include "tds-server/engine/bind.h"
#include "tds-server/engine/views.h"
#include "tds-server/functions/typing.h"

#include <stdlib.h>
#include <string.h>

#define INT      {.kind = SQLTYPE_INT}
#define SMALLINT {.kind = SQLTYPE_SMALLINT}
#define TINYINT  {.kind = SQLTYPE_TINYINT}
#define BIT      {.kind = SQLTYPE_BIT}
#define TEXT(n)  {.kind = SQLTYPE_NVARCHAR, .length = n}
#define NAME     TEXT(128)

/* Places of what is told; the others are NULL always. */
enum {
    AT_HIDDEN = 0,
    AT_ORDINAL = 1,
    AT_NAME = 2,
    AT_NULLABLE = 3,
    AT_TYPE = 4,
    AT_TYPE_NAME = 5,
    AT_LENGTH = 6,
    AT_PRECISION = 7,
    AT_SCALE = 8,
    AT_COLLATION = 9,
    AT_XML_DOCUMENT = 19,
    AT_CASE_SENSITIVE = 20,
    AT_CLR_FIXED = 21,
    AT_IDENTITY = 27,
    AT_UPDATEABLE = 29,
    AT_COMPUTED = 30,
    AT_SPARSE = 31,
    AT_TDS_TYPE = 35,
    AT_TDS_LENGTH = 36,
    AT_TDS_COLLATION = 37,
    AT_TDS_SORT = 38,
};

/* As SQL Server orders and names them. */
static const struct engine_column described[] = {
    {.name = "is_hidden", .type = BIT},
    {.name = "column_ordinal", .type = INT},
    {.name = "name", .type = NAME, .nullable = true},
    {.name = "is_nullable", .type = BIT},
    {.name = "system_type_id", .type = INT},
    {.name = "system_type_name", .type = TEXT(256), .nullable = true},
    {.name = "max_length", .type = SMALLINT},
    {.name = "precision", .type = TINYINT},
    {.name = "scale", .type = TINYINT},
    {.name = "collation_name", .type = NAME, .nullable = true},
    {.name = "user_type_id", .type = INT, .nullable = true},
    {.name = "user_type_database", .type = NAME, .nullable = true},
    {.name = "user_type_schema", .type = NAME, .nullable = true},
    {.name = "user_type_name", .type = NAME, .nullable = true},
    {.name = "assembly_qualified_type_name", .type = TEXT(4000), .nullable = true},
    {.name = "xml_collection_id", .type = INT, .nullable = true},
    {.name = "xml_collection_database", .type = NAME, .nullable = true},
    {.name = "xml_collection_schema", .type = NAME, .nullable = true},
    {.name = "xml_collection_name", .type = NAME, .nullable = true},
    {.name = "is_xml_document", .type = BIT},
    {.name = "is_case_sensitive", .type = BIT},
    {.name = "is_fixed_length_clr_type", .type = BIT},
    {.name = "source_server", .type = NAME, .nullable = true},
    {.name = "source_database", .type = NAME, .nullable = true},
    {.name = "source_schema", .type = NAME, .nullable = true},
    {.name = "source_table", .type = NAME, .nullable = true},
    {.name = "source_column", .type = NAME, .nullable = true},
    {.name = "is_identity_column", .type = BIT, .nullable = true},
    {.name = "is_part_of_unique_key", .type = BIT, .nullable = true},
    {.name = "is_updateable", .type = BIT, .nullable = true},
    {.name = "is_computed_column", .type = BIT, .nullable = true},
    {.name = "is_sparse_column_set", .type = BIT, .nullable = true},
    {.name = "ordinal_in_order_by_list", .type = SMALLINT, .nullable = true},
    {.name = "order_by_list_length", .type = SMALLINT, .nullable = true},
    {.name = "order_by_is_descending", .type = SMALLINT, .nullable = true},
    {.name = "tds_type_id", .type = INT},
    {.name = "tds_length", .type = INT},
    {.name = "tds_collation_id", .type = INT, .nullable = true},
    {.name = "tds_collation_sort_id", .type = TINYINT, .nullable = true},
};
#define DESCRIBED (sizeof described / sizeof described[0])

/* Of each collation, the name that comes nearest to it, and how the wire tells it; 0: otherwise. */
static const struct {
    const char *name;
    int id;
} collations[COLLATIONS] = {
    [COLLATION_CI] = {typing_default_collation, 0x24D00409}, /* Latin1_General, CI, AS, UTF-8 */
    [COLLATION_CS] = {"Latin1_General_100_CS_AS_SC_UTF8", 0},
    [COLLATION_BIN2] = {"Latin1_General_100_BIN2_UTF8", 0},
};

#define LENGTH_MAX   65535

static void set_int(struct value *v, int64_t number)
{
    v->null = false;
    v->integer = number;
}

static void set_text(struct value *v, const char *text, size_t len)
{
    v->null = false;
    v->bytes.data = text;
    v->bytes.len = len;
}

/* "decimal(10,2)", in lower case. */
static void write_type(const struct sqltype *t, struct buf *out)
{
    sqltype_write(t, out);
    for (size_t i = 0; buf_status(out) == 0 && i < out->len; i++) {
        if (out->data[i] >= 'A' && out->data[i] <= 'Z')
            out->data[i] |= 32;
    }
}

/* Tells the sink of one column. 0, or -1 when it stopped the batch. */
static int tell_column(struct engine_session *s, const struct engine_column *c, size_t ordinal, struct buf *type)
{
    struct value v[DESCRIBED];
    bool text = typing_class(c->type.kind) == TYPE_STRING;
    int bytes = views_column_bytes(&c->type), id = views_type_id(c->type.kind);
    for (size_t i = 0; i < DESCRIBED; i++)
        v[i] = (struct value){.type = described[i].type, .null = true, .bytes = {"", 0}};
    static const int zeros[] = {AT_HIDDEN, AT_XML_DOCUMENT, AT_CLR_FIXED, AT_COMPUTED, AT_SPARSE};
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
        set_int(&v[zeros[i]], 0);
    buf_reset(type);
    write_type(&c->type, type);
    set_int(&v[AT_ORDINAL], (int64_t)ordinal);
    if (c->name[0] != '\0')
        set_text(&v[AT_NAME], c->name, strlen(c->name));
    set_int(&v[AT_NULLABLE], c->nullable);
    set_int(&v[AT_TYPE], id);
    set_text(&v[AT_TYPE_NAME], buf_text(type), type->len);
    set_int(&v[AT_LENGTH], bytes);
    set_int(&v[AT_PRECISION], views_column_precision(&c->type));
    set_int(&v[AT_SCALE], c->type.scale);
    set_int(&v[AT_CASE_SENSITIVE], text && c->collation != COLLATION_CI);
    set_int(&v[AT_IDENTITY], c->identity);
    set_int(&v[AT_UPDATEABLE], !c->identity);
    set_int(&v[AT_TDS_TYPE], id);
    set_int(&v[AT_TDS_LENGTH], bytes < 0 ? LENGTH_MAX : bytes);
    if (text) {
        set_text(&v[AT_COLLATION], collations[c->collation].name, strlen(collations[c->collation].name));
        set_int(&v[AT_TDS_COLLATION], collations[c->collation].id);
        v[AT_TDS_COLLATION].null = collations[c->collation].id == 0;
        set_int(&v[AT_TDS_SORT], 0);
    }
    return s->sink.row(s->sink.arg, v, DESCRIBED);
}

/* The first query of the statements; NULL: none gives rows. */
static const struct tsql_statement *first_query(const struct tsql_statement *list)
{
    for (const struct tsql_statement *st = list; st; st = st->next) {
        const struct tsql_statement *inner = NULL;
        if (st->kind == TSQL_SELECT)
            return st;
        if (st->kind == TSQL_BLOCK)
            inner = first_query(st->block);
        else if (st->kind == TSQL_IF && !(inner = first_query(st->if_.then)))
            inner = first_query(st->if_.otherwise);
        if (inner)
            return inner;
    }
    return NULL;
}

/* Tells the sink of the query's columns; none when there is no query, or it only assigns. */
static int tell_columns(struct engine_session *s, const struct plan *p)
{
    struct buf type;
    struct engine_done done = {.has_count = true, .command = 0xC1};
    int result = s->sink.columns(s->sink.arg, described, DESCRIBED);
    buf_init(&type, 256);
    for (size_t i = 0; result == 0 && !p->assigned && i < p->query.column_count; i++) {
        result = tell_column(s, &p->query.columns[i], i + 1, &type);
        done.count++;
    }
    buf_clear(&type);
    return result == 0 ? s->sink.done(s->sink.arg, &done) : result;
}

int exec_describe(struct engine_session *s, const struct value *sql, const struct value *declarations)
{
    struct batch *b = exec_make_batch(s, sql->bytes.data, sql->bytes.len, declarations->bytes.data, declarations->bytes.len);
    if (!b)
        return -1;
    const struct tsql_statement *st = first_query(b->tree->statements);
    struct plan p = {0};
    int result = st ? exec_compile(s, b, st, &p) : 0;
    if (result == 0)
        result = tell_columns(s, &p);
    plan_clear(&p);
    exec_free_batch(b);
    return result;
}
