/* statement.c: each request becomes the SQL text and the typed parameters that stand in its row, or the error. */
#include "common/json.h"
#include "fcgi-worker/statement.h"
#include "fcgi-worker/statement_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_MAX (16u << 20)

/* A table as the catalogue would give it, with a column of each kind of binding. */
static struct schema_table *make_table(void)
{
    static const struct {
        const char *name, *type;
    } columns[] = {
        {"student_id", "INT"}, {"Name", "NVARCHAR(100)"}, {"code", "VARCHAR(20)"},   {"note", "NVARCHAR(MAX)"}, {"price", "DECIMAL(10,2)"},
        {"paid", "MONEY"},     {"active", "BIT"},         {"tiny", "TINYINT"},       {"big", "BIGINT"},         {"ratio", "FLOAT"},
        {"approx", "REAL"},    {"born", "DATE"},          {"seen", "DATETIME2(7)"},  {"id", "UNIQUEIDENTIFIER"}, {"raw", "VARBINARY(MAX)"},
        {"order", "INT"},      {"we]ird", "INT"},         {"doc", NULL},
    };
    struct schema_table *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    t->database = strdup("SchoolDBGO");
    t->name = strdup("Students");
    t->columns = calloc(COUNT(columns), sizeof(*t->columns));
    t->column_count = COUNT(columns);
    for (size_t i = 0; i < COUNT(columns); i++) {
        t->columns[i].name = strdup(columns[i].name);
        t->columns[i].known = columns[i].type != NULL;
        t->columns[i].nullable = strcmp(columns[i].name, "student_id") != 0;
        if (columns[i].type != NULL)
            assert_true(sqltype_parse(columns[i].type, strlen(columns[i].type), &t->columns[i].type));
    }
    schema_table_seal(t, NULL);
    return t;
}

static void render(const struct statement *s, struct buf *out)
{
    static const char *const names[STATEMENT_BINDS] = {
        [STATEMENT_BIT] = "BIT",           [STATEMENT_TINYINT] = "TINYINT",   [STATEMENT_INT] = "INT",
        [STATEMENT_BIGINT] = "BIGINT",     [STATEMENT_DECIMAL] = "DECIMAL",   [STATEMENT_FLOAT] = "FLOAT",
        [STATEMENT_VARCHAR] = "VARCHAR",   [STATEMENT_NVARCHAR] = "NVARCHAR", [STATEMENT_NVARCHAR_MAX] = "NVARCHAR(MAX)",
        [STATEMENT_VARBINARY] = "VARBINARY", [STATEMENT_VARBINARY_MAX] = "VARBINARY(MAX)",
    };
    buf_append(out, s->sql.data, s->sql.len);
    for (size_t i = 0; i < s->param_count; i++) {
        const struct statement_param *p = &s->params[i];
        buf_printf(out, "%s%s", i == 0 ? " <- " : ", ", names[p->bind]);
        if (p->bind == STATEMENT_DECIMAL)
            buf_printf(out, "(%d,%d)", p->precision, p->scale);
        buf_append_char(out, ' ');
        if (p->null)
            buf_append_text(out, "NULL");
        else
            buf_append(out, statement_value(s, p), p->len);
    }
}

#define SHARD 1

/* Runs `request` as /select, /update … would and renders what came of it; an error as its name. */
static void run(const struct schema_table *t, const char *path, const char *request, struct buf *out)
{
    struct json_object *body = NULL, *set = NULL, *data = NULL, *params = NULL;
    struct statement_inserts list = {0};
    struct predicate *where = NULL;
    struct err e = ERR_INIT;
    const char *condition;
    struct query q = {0};
    struct statement s;
    size_t len;
    int rc;

    statement_init(&s);
    assert_int_equal(json_read(request, strlen(request), &body, &e), 0);
    (void)json_member(body, "set", &set);
    (void)json_member(body, "data", &data);
    (void)json_member(body, "params", &params);
    assert_int_equal(json_get_string(body, "condition", false, &condition, &len, &e), 0);
    rc = condition == NULL ? 0 : predicate_parse(condition, len, &where, &e);
    if (rc == 0 && where != NULL)
        rc = predicate_bind(where, params, &e);
    if (rc < 0)
        ;
    else if (strcmp(path, "select") == 0)
        rc = query_read(body, &q, &e) < 0 ? -1 : statement_select(&s, t, &q, SHARD, &e);
    else if (strcmp(path, "count") == 0)
        rc = statement_count(&s, t, where, &e);
    else if (strcmp(path, "update") == 0)
        rc = statement_update(&s, t, set, where, &e);
    else if (strcmp(path, "delete") == 0)
        rc = statement_delete(&s, t, where, &e);
    else
        rc = statement_inserts_init(&list, t, &e) < 0 ? -1 : statement_inserts_add_data(&list, data, &e);

    if (rc < 0)
        buf_printf(out, "%s: %s", err_name(e.code), e.detail);
    else if (list.count == 0)
        render(&s, out);
    for (size_t i = 0; rc == 0 && i < list.count; i++) {
        if (i > 0)
            buf_append_text(out, " ; ");
        render(&list.items[i], out);
    }
    statement_inserts_clear(&list);
    statement_clear(&s);
    query_clear(&q);
    predicate_free(where);
    json_free(body);
}

#define TABLE "[SchoolDBGO].[dbo].[Students]"

/* The beginning of a page's body. */
#define PAGE(order, shard, values) \
    "{\"partial\":true,\"columns\":[\"student_id\"],\"order_by\":[" order "],\"after\":{\"shard\":" shard ",\"values\":[" values "]}"
#define DOWN(column) "{\"column\":\"" column "\",\"dir\":\"desc\"}"

static void requests_become_statements(void **state)
{
    static const struct {
        const char *path, *request, *expected;
    } rows[] = {
        {"select", "{\"columns\":[\"STUDENT_ID\",\"name\"]}", "SELECT [student_id], [Name] FROM " TABLE},
        {"select", "{\"columns\":[\"Name\"],\"condition\":\"student_id = 1001\"}",
         "SELECT [Name] FROM " TABLE " WHERE [student_id] = ? <- INT 1001"},
        {"select", "{\"columns\":[\"order\",\"we]ird\"],\"condition\":\"[we]]ird] = 1 OR [ORDER] = 2\"}",
         "SELECT [order], [we]]ird] FROM " TABLE " WHERE [we]]ird] = ? OR [order] = ? <- INT 1, INT 2"},
        {"select", "{\"columns\":[\"student_id\"],\"order_by\":[\"Name\",{\"column\":\"CODE\",\"dir\":\"desc\"},\"price\"],\"limit\":5}",
         "SELECT TOP (?) [student_id] FROM " TABLE " ORDER BY [Name] COLLATE Latin1_General_100_BIN2, [code] COLLATE Latin1_General_100_BIN2_UTF8 DESC, [price] <- BIGINT 5"},
        {"select", "{\"columns\":[\"student_id\"],\"condition\":\"price > 2\",\"limit\":5,\"offset\":7}",
         "SELECT [student_id] FROM " TABLE " WHERE [price] > ? ORDER BY (SELECT NULL) OFFSET ? ROWS FETCH NEXT ? ROWS ONLY <- INT 2, BIGINT 7, BIGINT 5"},
        {"select", "{\"columns\":[\"student_id\"],\"order_by\":[\"big\"],\"offset\":7}",
         "SELECT [student_id] FROM " TABLE " ORDER BY [big] OFFSET ? ROWS <- BIGINT 7"},
        {"select", "{\"columns\":[\"student_id\"],\"limit\":0,\"offset\":7}",
         "SELECT TOP (?) [student_id] FROM " TABLE " <- BIGINT 0"},
        {"select", "{\"columns\":[\"Name\",\"big\"],\"distinct\":true,\"order_by\":[\"Name\"]}",
         "SELECT [Name], [big] FROM " TABLE " GROUP BY [Name], [big] ORDER BY [Name] COLLATE Latin1_General_100_BIN2"},
        {"select", "{\"aggregates\":[{\"op\":\"count\"},{\"op\":\"count\",\"column\":\"note\"},{\"op\":\"count_distinct\",\"column\":\"Name\"},{\"op\":\"sum\",\"column\":\"tiny\"},{\"op\":\"avg\",\"column\":\"paid\"},{\"op\":\"min\",\"column\":\"code\"},{\"op\":\"max\",\"column\":\"born\"}]}",
         "SELECT COUNT_BIG(*), COUNT_BIG([note]), COUNT_BIG(DISTINCT [Name]), SUM([tiny]), AVG([paid]), MIN([code] COLLATE Latin1_General_100_BIN2_UTF8), MAX([born]) FROM " TABLE},
        {"select", "{\"condition\":\"big > @low\",\"group_by\":[\"we]ird\",\"Name\"],\"aggregates\":[{\"op\":\"sum\",\"column\":\"price\",\"as\":\"x] FROM y; --\"}],\"having\":\"\\\"x] FROM y; --\\\" > @low AND [we]]ird] = 1\",\"params\":{\"low\":4},\"order_by\":[{\"column\":\"x] FROM y; --\",\"dir\":\"desc\"}]}",
         "SELECT [we]]ird], [Name], SUM([price]) FROM " TABLE " WHERE [big] > ? GROUP BY [we]]ird], [Name] HAVING SUM([price]) > ? AND [we]]ird] = ? ORDER BY SUM([price]) DESC <- INT 4, INT 4, INT 1"},
        {"select", "{\"group_by\":[\"Name\"],\"columns\":[\"name\"]}",
         "SELECT [Name] FROM " TABLE " GROUP BY [Name]"},
        {"select", "{\"partial\":true,\"aggregates\":[{\"op\":\"sum\",\"column\":\"tiny\"},{\"op\":\"sum\",\"column\":\"price\",\"as\":\"a\"},{\"op\":\"sum\",\"column\":\"paid\"},{\"op\":\"sum\",\"column\":\"approx\"},{\"op\":\"count\",\"column\":\"tiny\"}],\"having\":\"gone > 1\"}",
         "SELECT SUM(CAST([tiny] AS DECIMAL(38,0))), SUM(CAST([price] AS DECIMAL(38,2))), SUM(CAST([paid] AS DECIMAL(38,4))), SUM([approx]), COUNT_BIG([tiny]) FROM " TABLE},
        /* pages: behind the values; on a shard behind the row's own, from them on */
        {"select", PAGE("\"student_id\"", "1", "5") ",\"limit\":3}",
         "SELECT TOP (?) [student_id] FROM " TABLE " WHERE ([student_id] > ?) ORDER BY [student_id] <- BIGINT 3, INT 5"},
        {"select", PAGE("\"student_id\"", "0", "5") ",\"condition\":\"big = 1 OR big = 2\"}",
         "SELECT [student_id] FROM " TABLE " WHERE ([big] = ? OR [big] = ?) AND ([student_id] >= ?) ORDER BY [student_id] <- INT 1, INT 2, INT 5"},
        {"select", PAGE(DOWN("student_id"), "1", "5") "}",
         "SELECT [student_id] FROM " TABLE " WHERE ([student_id] < ?) ORDER BY [student_id] DESC <- INT 5"},
        {"select", PAGE("\"price\",\"student_id\"", "0", "1.50,5") "}",
         "SELECT [student_id] FROM " TABLE " WHERE ([price] >= ? AND ([price] > ? OR ([price] = ? AND [student_id] >= ?))) ORDER BY [price], [student_id]"
         " <- DECIMAL(10,2) 1.50, DECIMAL(10,2) 1.50, DECIMAL(10,2) 1.50, INT 5"},
        {"select", PAGE("\"price\",\"student_id\"", "1", "null,5") "}",
         "SELECT [student_id] FROM " TABLE " WHERE (([price] IS NOT NULL OR ([price] IS NULL AND [student_id] > ?))) ORDER BY [price], [student_id] <- INT 5"},
        {"select", PAGE(DOWN("price") ",\"student_id\"", "1", "1.5,5") "}",
         "SELECT [student_id] FROM " TABLE " WHERE (([price] <= ? OR [price] IS NULL) AND (([price] < ? OR [price] IS NULL) OR ([price] = ? AND [student_id] > ?)))"
         " ORDER BY [price] DESC, [student_id] <- DECIMAL(10,2) 1.50, DECIMAL(10,2) 1.50, DECIMAL(10,2) 1.50, INT 5"},
        {"select", PAGE(DOWN("price") ",\"student_id\"", "1", "null,5") "}",
         "SELECT [student_id] FROM " TABLE " WHERE ([price] IS NULL AND (([price] IS NULL AND [student_id] > ?))) ORDER BY [price] DESC, [student_id] <- INT 5"},
        {"select", PAGE("\"price\"", "1", "null") "}", "SELECT [student_id] FROM " TABLE " WHERE ([price] IS NOT NULL) ORDER BY [price]"},
        {"select", PAGE("\"price\"", "0", "null") "}", "SELECT [student_id] FROM " TABLE " WHERE (1 = 1) ORDER BY [price]"},
        {"select", PAGE(DOWN("price"), "1", "null") "}", "SELECT [student_id] FROM " TABLE " WHERE (1 = 0) ORDER BY [price] DESC"},
        {"select", PAGE(DOWN("price"), "0", "null") "}", "SELECT [student_id] FROM " TABLE " WHERE ([price] IS NULL) ORDER BY [price] DESC"},
        {"select", PAGE("\"student_id\",\"price\",\"big\"", "1", "1,2,3") "}",
         "SELECT [student_id] FROM " TABLE " WHERE ([student_id] >= ? AND ([student_id] > ? OR ([student_id] = ? AND ([price] > ? OR ([price] = ? AND [big] > ?)))))"
         " ORDER BY [student_id], [price], [big] <- INT 1, INT 1, INT 1, DECIMAL(10,2) 2.00, DECIMAL(10,2) 2.00, BIGINT 3"},
        {"select", PAGE("\"code\"", "1", "\"a\"") "}",
         "SELECT [student_id] FROM " TABLE " WHERE ([code] COLLATE Latin1_General_100_BIN2_UTF8 > ?) ORDER BY [code] COLLATE Latin1_General_100_BIN2_UTF8 <- VARCHAR a"},
        {"select", PAGE("\"code\"", "1", "\"\\u00e4\"") "}",
         "SELECT [student_id] FROM " TABLE " WHERE ([code] COLLATE Latin1_General_100_BIN2_UTF8 > ?) ORDER BY [code] COLLATE Latin1_General_100_BIN2_UTF8 <- NVARCHAR \xc3\xa4"},
        {"select", PAGE("\"Name\"", "1", "\"a\"") "}",
         "SELECT [student_id] FROM " TABLE " WHERE ([Name] COLLATE Latin1_General_100_BIN2 > ?) ORDER BY [Name] COLLATE Latin1_General_100_BIN2 <- NVARCHAR a"},
        {"select", PAGE("\"paid\"", "1", "1.5") "}",
         "SELECT [student_id] FROM " TABLE " WHERE ([paid] > CAST(? AS MONEY)) ORDER BY [paid] <- DECIMAL(19,4) 1.5000"},
        {"select", PAGE("\"approx\"", "1", "0.1") "}", "SELECT [student_id] FROM " TABLE " WHERE ([approx] > ?) ORDER BY [approx] <- FLOAT 0.10000000149011612"},
        {"select", PAGE("\"student_id\"", "1", "5,6") "}", "bad_field: after.values: must be as many as the elements of order_by"},
        {"select", PAGE("", "1", "") "}", "bad_field: after: needs order_by"},
        {"select", PAGE("\"student_id\"", "1", "\"x\"") "}", "bad_value: after: column 'student_id': \"x\" is no value for INT"},
        {"select", PAGE("\"student_id\"", "1", "[5]") "}", "bad_value: after: column 'student_id': an array is no value for INT"},
        {"select", PAGE("\"student_id\"", "-1", "5") "}", "bad_field: after: shard: must be a whole number, and not negative"},
        {"select", PAGE("\"student_id\"", "1", "5") ",\"offset\":1}", "bad_field: offset: not with after, which is where the page begins"},
        {"select", "{\"partial\":true,\"after\":{\"values\":[1]},\"group_by\":[\"big\"]}", "bad_field: after: not with aggregates or group_by"},
        {"select", "{\"partial\":true,\"aggregates\":[{\"op\":\"avg\",\"column\":\"tiny\"}]}",
         "bad_field: aggregates[0]: avg has no parts"},
        {"select", "{\"order_by\":[\"doc\"]}",
         "bad_field: order_by[0]: column 'doc' of type unknown cannot be sorted by"},
        {"select", "{\"aggregates\":[{\"op\":\"max\",\"column\":\"active\"}]}",
         "bad_field: aggregates[0]: column 'active' of type BIT cannot be an operand of max"},
        {"select", "{\"aggregates\":[{\"op\":\"sum\",\"column\":\"price\"},{\"op\":\"count\",\"as\":\"SUM_price\"}]}",
         "bad_field: aggregates[1]: another column of the answer is named \"SUM_price\""},
        {"select", "{\"having\":\"Name = 1\",\"aggregates\":[{\"op\":\"count\"}]}",
         "unknown_column: having: neither a group column nor an aggregate: \"Name\""},
        {"select", "{\"columns\":[\"nope\"]}", "unknown_column: columns[0]: the table has no column \"nope\""},
        {"select", "{\"columns\":[\"name\",\"NAME\"]}", "bad_field: columns[1]: 'Name' is named twice"},
        {"select", "{\"columns\":[]}", "bad_field: columns: must name at least one"},
        {"select", "{\"columns\":[1]}", "bad_field: columns[0]: a string is expected, not a number"},
        {"select", "{\"columns\":[\"name\\u0000\"]}", "bad_json: columns[0]: NUL in the name at byte 4"},
        {"select", "{\"condition\":\"nope = 1\"}", "unknown_column: condition: table 'Students' has no column \"nope\""},
        {"count", "{}", "SELECT COUNT_BIG(*) FROM " TABLE},
        /* literals keep the type that T-SQL gives them, whatever the column's */
        {"count", "{\"condition\":\"student_id = 3000000000\"}", "SELECT COUNT_BIG(*) FROM " TABLE " WHERE [student_id] = ? <- BIGINT 3000000000"},
        {"count", "{\"condition\":\"student_id = 1.50\"}", "SELECT COUNT_BIG(*) FROM " TABLE " WHERE [student_id] = ? <- DECIMAL(3,2) 1.50"},
        {"count", "{\"condition\":\"ratio < 1e3\"}", "SELECT COUNT_BIG(*) FROM " TABLE " WHERE [ratio] < ? <- FLOAT 1e3"},
        {"count", "{\"condition\":\"code = 'it''s'\"}", "SELECT COUNT_BIG(*) FROM " TABLE " WHERE [code] = ? <- VARCHAR it's"},
        {"count", "{\"condition\":\"Name = N'Ali'\"}", "SELECT COUNT_BIG(*) FROM " TABLE " WHERE [Name] = ? <- NVARCHAR Ali"},
        {"count", "{\"condition\":\"Name = '\\u5b66\\ud83d\\ude00'\"}",
         "SELECT COUNT_BIG(*) FROM " TABLE " WHERE [Name] = ? <- NVARCHAR \xe5\xad\xa6\xf0\x9f\x98\x80"},
        {"count", "{\"condition\":\"code = ''\"}", "SELECT COUNT_BIG(*) FROM " TABLE " WHERE [code] = ? <- VARCHAR "},
        {"count", "{\"condition\":\"active = @a AND code = @c AND Name = @n\",\"params\":{\"a\":true,\"c\":\"x\",\"n\":null}}",
         "SELECT COUNT_BIG(*) FROM " TABLE " WHERE [active] = ? AND [code] = ? AND [Name] = NULL <- BIT 1, VARCHAR x"},
        {"count", "{\"condition\":\"LOWER(RTRIM(Name)) LIKE 'a%' ESCAPE '!'\"}",
         "SELECT COUNT_BIG(*) FROM " TABLE " WHERE LOWER(RTRIM([Name])) LIKE ? ESCAPE ? <- VARCHAR a%, VARCHAR !"},
        {"delete", "{\"condition\":\"student_id IN (1, 2)\"}", "DELETE FROM " TABLE " WHERE [student_id] IN (?, ?) <- INT 1, INT 2"},
        {"delete", "{\"condition\":\"Name IS NOT NULL\"}", "DELETE FROM " TABLE " WHERE [Name] IS NOT NULL"},
        /* values are bound by their column's type */
        {"update", "{\"set\":{\"PRICE\":\"1.5\",\"name\":null},\"condition\":\"student_id = 1\"}",
         "UPDATE " TABLE " SET [price] = ?, [Name] = ? WHERE [student_id] = ? <- DECIMAL(10,2) 1.50, NVARCHAR NULL, INT 1"},
        {"update", "{\"set\":{},\"condition\":\"student_id = 1\"}", "bad_field: set: at least one column is expected"},
        {"update", "{\"set\":{\"name\":\"a\",\"NAME\":\"b\"},\"condition\":\"student_id = 1\"}", "bad_field: set: column 'Name' is named twice"},
        {"update", "{\"set\":{\"nope\":1},\"condition\":\"student_id = 1\"}", "unknown_column: set: table 'Students' has no column \"nope\""},
        {"insert", "{\"data\":{\"student_id\":\"1001\",\"name\":\"Ali\"}}", "INSERT INTO " TABLE " ([student_id], [Name]) VALUES (?, ?) <- INT 1001, NVARCHAR Ali"},
        {"insert", "{\"data\":{}}", "INSERT INTO " TABLE " DEFAULT VALUES"},
        {"insert", "{\"data\":[]}", "bad_field: data: at least one row is expected"},
        {"insert", "{\"data\":[1]}", "bad_field: data[0]: an object of column values is expected, not a number"},
        {"insert", "{\"data\":{\"nope\":1}}", "unknown_column: data: table 'Students' has no column \"nope\""},
        {"insert", "{\"data\":{\"name\":\"a\",\"Name\":\"b\"}}", "bad_field: data: column 'Name' is named twice"},
        {"insert", "{\"data\":{\"code\":\"\",\"note\":\"a\\u0000b\"}}",
         "INSERT INTO " TABLE " ([code], [note]) VALUES (?, ?) <- NVARCHAR , NVARCHAR a"},
        {"insert", "{\"data\":{\"paid\":1.5,\"active\":true,\"tiny\":7,\"big\":9007199254740993}}",
         "INSERT INTO " TABLE " ([paid], [active], [tiny], [big]) VALUES (?, ?, ?, ?) <- DECIMAL(19,4) 1.5000, TINYINT 1, TINYINT 7, BIGINT 9007199254740993"},
        {"insert", "{\"data\":{\"ratio\":0.1,\"approx\":0.1}}",
         "INSERT INTO " TABLE " ([ratio], [approx]) VALUES (?, ?) <- FLOAT 0.1, FLOAT 0.10000000149011612"},
        {"insert", "{\"data\":{\"born\":\"2026-11-22\",\"seen\":\"2026-11-22T13:05:00.1234567\"}}",
         "INSERT INTO " TABLE " ([born], [seen]) VALUES (?, ?) <- NVARCHAR 2026-11-22, NVARCHAR 2026-11-22T13:05:00.1234567"},
        {"insert", "{\"data\":{\"id\":\"3f2504e0-4f89-11d3-9a0c-0305e82c3301\",\"raw\":\"AQI=\"}}",
         "INSERT INTO " TABLE " ([id], [raw]) VALUES (?, ?) <- NVARCHAR 3F2504E0-4F89-11D3-9A0C-0305E82C3301, VARBINARY \x01\x02"},
        {"insert", "{\"data\":{\"raw\":null,\"active\":null}}", "INSERT INTO " TABLE " ([active], [raw]) VALUES (?, ?) <- TINYINT NULL, VARBINARY NULL"},
        {"insert", "{\"data\":{\"doc\":\"<a/>\"}}", "INSERT INTO " TABLE " ([doc]) VALUES (?) <- NVARCHAR <a/>"},
        /* rows with the same columns, in any order, share a statement; others start a new one */
        {"insert", "{\"data\":[{\"student_id\":1,\"code\":\"a\"},{\"CODE\":\"b\",\"student_id\":2},{\"code\":\"c\"},{},{}]}",
         "INSERT INTO " TABLE " ([student_id], [code]) VALUES (?, ?) <- INT 1, NVARCHAR a, INT 2, NVARCHAR b ; "
         "INSERT INTO " TABLE " ([code]) VALUES (?) <- NVARCHAR c ; INSERT INTO " TABLE " DEFAULT VALUES ; INSERT INTO " TABLE " DEFAULT VALUES"},
    };
    struct schema_table *t = make_table();
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out;
        buf_init(&out, TEXT_MAX);
        run(t, rows[i].path, rows[i].request, &out);
        /* a value may hold NUL: what stands before it is compared */
        if (strcmp(buf_text(&out), rows[i].expected) != 0)
            fail_msg("/%s %s\n  gave     %s\n  expected %s", rows[i].path, rows[i].request, buf_text(&out), rows[i].expected);
        buf_clear(&out);
    }
    schema_table_free(t);
}

static void bad_values_are_named_by_row_and_column(void **state)
{
    static const struct {
        const char *request, *code, *mentions[2];
    } rows[] = {
        {"{\"data\":{\"tiny\":256}}", "bad_value", {"data: ", "tiny"}},
        {"{\"data\":[{\"tiny\":1},{\"tiny\":2},{\"tiny\":\"x\"}]}", "bad_value", {"data[2]: ", "tiny"}},
        {"{\"data\":[{\"code\":\"123456789012345678901\"}]}", "bad_value", {"data[0]: ", "code"}},
        {"{\"data\":[{\"born\":\"2026-02-30\"}]}", "bad_value", {"data[0]: ", "born"}},
        {"{\"data\":[{\"nope\":1}]}", "unknown_column", {"data[0]: ", "nope"}},
    };
    struct schema_table *t = make_table();
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out;
        buf_init(&out, TEXT_MAX);
        run(t, "insert", rows[i].request, &out);
        assert_memory_equal(buf_text(&out), rows[i].code, strlen(rows[i].code));
        for (size_t k = 0; k < COUNT(rows[i].mentions); k++)
            assert_non_null(strstr(buf_text(&out), rows[i].mentions[k]));
        buf_clear(&out);
    }
    schema_table_free(t);
}

static void the_shard_column_cannot_be_set(void **state)
{
    struct schema_table *t = make_table();
    struct buf out;
    (void)state;
    buf_init(&out, TEXT_MAX);
    run(t, "update", "{\"set\":{\"STUDENT_ID\":2},\"condition\":\"Name = 'a'\"}", &out);
    assert_non_null(strstr(buf_text(&out), "unsafe_statement: set: column 'student_id'"));
    buf_clear(&out);

    /* what /create-table recorded comes before the rule */
    schema_table_seal(t, "CODE");
    assert_string_equal(t->shard_column->name, "code");
    buf_init(&out, TEXT_MAX);
    run(t, "update", "{\"set\":{\"student_id\":2},\"condition\":\"Name = 'a'\"}", &out);
    assert_memory_equal(buf_text(&out), "UPDATE", 6);
    buf_clear(&out);
    schema_table_seal(t, "gone");
    assert_string_equal(t->shard_column->name, "student_id");
    schema_table_free(t);
}

static void long_values_use_the_unlimited_types(void **state)
{
    static const struct {
        size_t repeat;
        const char *unit;
        enum statement_bind bind;
    } rows[] = {
        {4000, "a", STATEMENT_NVARCHAR},
        {4001, "a", STATEMENT_NVARCHAR_MAX},
        {4000, "\xe5\xad\xa6", STATEMENT_NVARCHAR},
        {2000, "\xf0\x9f\x98\x80", STATEMENT_NVARCHAR}, /* a character outside the first plane is two units */
        {2001, "\xf0\x9f\x98\x80", STATEMENT_NVARCHAR_MAX},
    };
    struct schema_table *t = make_table();
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct statement_inserts list = {0};
        struct json_object *body, *data;
        struct err e = ERR_INIT;
        struct buf text;
        buf_init(&text, TEXT_MAX);
        buf_append_text(&text, "{\"data\":{\"note\":\"");
        for (size_t k = 0; k < rows[i].repeat; k++)
            buf_append_text(&text, rows[i].unit);
        buf_append_text(&text, "\"}}");
        assert_int_equal(json_read(text.data, text.len, &body, &e), 0);
        assert_true(json_member(body, "data", &data));
        assert_int_equal(statement_inserts_init(&list, t, &e), 0);
        assert_int_equal(statement_inserts_add_data(&list, data, &e), 0);
        assert_int_equal(list.items[0].params[0].bind, rows[i].bind);
        assert_int_equal(list.items[0].params[0].len, rows[i].repeat * strlen(rows[i].unit));
        statement_inserts_clear(&list);
        json_free(body);
        buf_clear(&text);
    }
    schema_table_free(t);
}

static void large_arrays_are_cut_into_statements(void **state)
{
    struct schema_table *t = make_table();
    struct statement_inserts list = {0};
    struct json_object *body, *data;
    struct err e = ERR_INIT;
    struct buf text;
    (void)state;
    buf_init(&text, TEXT_MAX);
    buf_append_text(&text, "{\"data\":[");
    for (int i = 0; i < 2 * STATEMENT_MAX_ROWS + 1; i++)
        buf_printf(&text, "%s{\"student_id\":%d,\"code\":\"c\",\"tiny\":1}", i == 0 ? "" : ",", i);
    buf_append_text(&text, "]}");
    assert_int_equal(json_read(text.data, text.len, &body, &e), 0);
    assert_true(json_member(body, "data", &data));
    assert_int_equal(statement_inserts_init(&list, t, &e), 0);
    assert_int_equal(statement_inserts_add_data(&list, data, &e), 0);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.rows, 2 * STATEMENT_MAX_ROWS + 1);
    for (size_t i = 0; i < list.count; i++) {
        assert_int_equal(list.items[i].rows, i < 2 ? STATEMENT_MAX_ROWS : 1);
        assert_int_equal(list.items[i].first_row, i * STATEMENT_MAX_ROWS);
        assert_int_equal(list.items[i].param_count, 3 * list.items[i].rows);
    }
    buf_reset(&text);
    statement_write_guarded(&list.items[0], &text);
    assert_string_equal(buf_text(&text), "INSERT INTO " TABLE " ([student_id], [code], [tiny]) SELECT ?, ?, ? WHERE @@TRANCOUNT > 0");
    statement_inserts_clear(&list);
    json_free(body);
    buf_clear(&text);
    schema_table_free(t);
}

static void tables_are_created_from_parsed_types(void **state)
{
    static const struct {
        const char *columns, *shard_column, *expected, *shard;
    } rows[] = {
        {"{\"student_id\":\"int primary key\",\"name\":\"nvarchar( 100 ) not null\"}", NULL,
         "([student_id] INT NOT NULL PRIMARY KEY, [name] NVARCHAR(100) NOT NULL)", "student_id"},
        {"{\"a\":\"INT\"}", NULL, "([a] INT)", ""},
        {"{\"User_ID\":\"BIGINT\",\"a\":\"INT\"}", NULL, "([User_ID] BIGINT, [a] INT)", "User_ID"},
        {"{\"a\":\"VARCHAR(10) NOT NULL\"}", "A", "([a] VARCHAR(10) COLLATE Latin1_General_100_BIN2_UTF8 NOT NULL)", "a"},
        {"{\"user_id\":\"NVARCHAR(10)\"}", NULL, "([user_id] NVARCHAR(10) COLLATE Latin1_General_100_BIN2)", "user_id"},
        {"{\"student_id\":\"DECIMAL(10,2)\"}", "b", "unknown_column", NULL},
        {"{\"student_id\":\"DECIMAL(10,2)\"}", NULL, "bad_type", NULL},
        {"{\"student_id\":\"DECIMAL(10,2)\",\"k\":\"INT\"}", "k", "([student_id] DECIMAL(10,2), [k] INT)", "k"},
        {"{\"k\":\"FLOAT\"}", "k", "bad_type", NULL},
        {"{\"student_id\":\"INT DEFAULT 5\"}", NULL, "bad_field", NULL},
        {"{}", NULL, "bad_field", NULL},
        {"{\"a\":\"INT\",\"A\":\"INT\"}", NULL, "bad_name", NULL},
        {"{\"a b\":\"INT\"}", NULL, "bad_name", NULL},
        {"{\"a\":1}", NULL, "bad_type", NULL},
        {"{\"a\":\"INT); DROP TABLE x --\"}", NULL, "bad_type", NULL},
        {"{\"a\":\"INT PRIMARY KEY\",\"b\":\"INT PRIMARY KEY\"}", NULL, "bad_type", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_object *columns;
        struct err e = ERR_INIT;
        struct statement s;
        struct buf shard;
        char expected[512];
        assert_int_equal(json_read(rows[i].columns, strlen(rows[i].columns), &columns, &e), 0);
        const struct statement_table_spec spec = {.database = "SchoolDBGO", .table = "T", .columns = columns, .shard_column = rows[i].shard_column};
        statement_init(&s);
        buf_init(&shard, TEXT_MAX);
        if (statement_create_table(&s, &spec, &shard, &e) < 0) {
            assert_string_equal(err_name(e.code), rows[i].expected);
        } else {
            snprintf(expected, sizeof(expected), "CREATE TABLE [SchoolDBGO].[dbo].[T] %s", rows[i].expected);
            assert_string_equal(buf_text(&s.sql), expected);
            assert_string_equal(buf_text(&shard), rows[i].shard);
        }
        statement_clear(&s);
        buf_clear(&shard);
        json_free(columns);
    }
}

static void the_tag_changes_with_the_description(void **state)
{
    struct schema_table *t = make_table();
    char first[SCHEMA_TAG_LEN + 1];
    (void)state;
    memcpy(first, t->tag, sizeof(first));
    schema_table_seal(t, NULL);
    assert_string_equal(t->tag, first);
    t->columns[1].nullable = false;
    schema_table_seal(t, NULL);
    assert_string_not_equal(t->tag, first);
    t->columns[1].nullable = true;
    schema_table_seal(t, "code");
    assert_string_not_equal(t->tag, first);
    schema_table_free(t);
}

#define LEDGER "[SchoolDBGO].[dbo].[gw_requests]"
#define NOTE_COLUMNS " ([request_key], [request_hash], [rows_affected], [fence], [made])"
#define HASH "0123456789abcdef0123456789abcdef"

enum ledger_step { FIND, RAISE, FENCE, PURGE, INDEX, COMMIT, UPDATE_ONE, DELETE_ONE };

static void write_ledger_step(struct statement *s, enum ledger_step step, const struct statement_note *n)
{
    struct statement write;
    statement_init(&write);
    buf_append_text(&write.sql, step == UPDATE_ONE ? "UPDATE " TABLE " SET [Name] = ?, [price] = ?, [raw] = ? WHERE [student_id] = ?" : "DELETE FROM " TABLE);
    if (step == UPDATE_ONE) {
        statement_set_value(&write, statement_new_param(&write, STATEMENT_NVARCHAR), "Zo\xc3\xab", 4);
        struct statement_param *price = statement_new_param(&write, STATEMENT_DECIMAL);
        price->precision = 10;
        price->scale = 2;
        statement_set_value(&write, price, "1.50", 4);
        statement_new_param(&write, STATEMENT_VARBINARY_MAX)->null = true;
        statement_set_value(&write, statement_new_param(&write, STATEMENT_INT), "1001", 4);
    }
    switch (step) {
    case FIND: statement_ledger_find(s, "SchoolDBGO", n->key); break;
    case RAISE: statement_ledger_raise(s, "SchoolDBGO", n->key); break;
    case FENCE: statement_ledger_fence(s, "SchoolDBGO", n); break;
    case PURGE: statement_ledger_purge(s, "SchoolDBGO"); break;
    case INDEX: statement_ledger_index(s, "SchoolDBGO"); break;
    case COMMIT: statement_ledger_commit(s, "SchoolDBGO", n, 250); break;
    default: statement_ledger_write(s, &write, "SchoolDBGO", n);
    }
    statement_clear(&write);
}

/* A key is a parameter like any other value. A write counts its own rows: nothing may stand between it and @@ROWCOUNT. */
static void the_ledger_has_its_statements(void **state)
{
    static const char key[] = "'; DROP TABLE [x] --";
    static const struct {
        enum ledger_step step;
        int64_t fence;
        const char *expected;
    } rows[] = {
        {FIND, 0, "SELECT [request_hash], [rows_affected], [fence], DATEDIFF_BIG(millisecond, [made], SYSUTCDATETIME()) FROM " LEDGER " WHERE [request_key] = ? <- VARCHAR '; DROP TABLE [x] --"},
        {RAISE, 0, "UPDATE " LEDGER " SET [fence] = [fence] + 1, [made] = SYSUTCDATETIME() WHERE [rows_affected] IS NULL AND [request_key] = ?"
                   " <- VARCHAR '; DROP TABLE [x] --"},
        {FENCE, 0, "INSERT INTO " LEDGER NOTE_COLUMNS " VALUES (?, ?, NULL, 1, SYSUTCDATETIME()) <- VARCHAR '; DROP TABLE [x] --, VARBINARY " HASH},
        {PURGE, 0, "DELETE TOP (1000) FROM " LEDGER " WHERE [made] < DATEADD(hour, -24, SYSUTCDATETIME())"},
        {INDEX, 0, "CREATE INDEX [gw_requests_made] ON " LEDGER " ([made])"},
        {COMMIT, 0, "INSERT INTO " LEDGER NOTE_COLUMNS " OUTPUT INSERTED.[rows_affected] SELECT ?, ?, ?, 0, SYSUTCDATETIME(); COMMIT TRANSACTION"
                    " <- VARCHAR '; DROP TABLE [x] --, VARBINARY " HASH ", BIGINT 250"},
        {COMMIT, 3, "UPDATE " LEDGER " SET [rows_affected] = ?, [request_hash] = ?, [made] = SYSUTCDATETIME() OUTPUT INSERTED.[rows_affected]"
                    " WHERE [request_key] = ? AND [rows_affected] IS NULL AND [fence] = ?; "
                    "INSERT INTO " LEDGER NOTE_COLUMNS " SELECT ?, ?, 0, 0, SYSUTCDATETIME() WHERE @@ROWCOUNT = 0; COMMIT TRANSACTION"
                    " <- BIGINT 250, VARBINARY " HASH ", VARCHAR '; DROP TABLE [x] --, BIGINT 3, VARCHAR '; DROP TABLE [x] --, VARBINARY " HASH},
        {UPDATE_ONE, 0, "BEGIN TRANSACTION; UPDATE " TABLE " SET [Name] = ?, [price] = ?, [raw] = ? WHERE [student_id] = ?; "
                        "INSERT INTO " LEDGER NOTE_COLUMNS " OUTPUT INSERTED.[rows_affected] SELECT ?, ?, @@ROWCOUNT, 0, SYSUTCDATETIME(); COMMIT TRANSACTION"
                        " <- NVARCHAR Zo\xc3\xab, DECIMAL(10,2) 1.50, VARBINARY(MAX) NULL, INT 1001, VARCHAR '; DROP TABLE [x] --, VARBINARY " HASH},
        {DELETE_ONE, 1, "BEGIN TRANSACTION; DELETE FROM " TABLE "; "
                        "UPDATE " LEDGER " SET [rows_affected] = @@ROWCOUNT, [request_hash] = ?, [made] = SYSUTCDATETIME() OUTPUT INSERTED.[rows_affected]"
                        " WHERE [request_key] = ? AND [rows_affected] IS NULL AND [fence] = ?; "
                        "INSERT INTO " LEDGER NOTE_COLUMNS " SELECT ?, ?, 0, 0, SYSUTCDATETIME() WHERE @@ROWCOUNT = 0; COMMIT TRANSACTION"
                        " <- VARBINARY " HASH ", VARCHAR '; DROP TABLE [x] --, BIGINT 1, VARCHAR '; DROP TABLE [x] --, VARBINARY " HASH},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct statement_note note = {.key = key, .hash = (const unsigned char *)HASH, .fence = rows[i].fence};
        struct statement s;
        struct buf out;
        struct err e = ERR_INIT;
        buf_init(&out, TEXT_MAX);
        statement_init(&s);
        write_ledger_step(&s, rows[i].step, &note);
        assert_int_equal(statement_status(&s, &e), 0);
        render(&s, &out);
        assert_string_equal(buf_text(&out), rows[i].expected);
        statement_clear(&s);
        buf_clear(&out);
    }
}

/* Two keys that differ in case are two. */
static void the_ledgers_keys_are_compared_by_their_bytes(void **state)
{
    struct statement s;
    (void)state;
    statement_init(&s);
    statement_ledger_create(&s, "SchoolDBGO");
    assert_string_equal(buf_text(&s.sql), "CREATE TABLE " LEDGER " ([request_key] VARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY, "
                                          "[request_hash] VARBINARY(32) NOT NULL, [rows_affected] BIGINT NULL, [fence] BIGINT NOT NULL, [made] DATETIME2(3) NOT NULL)");
    statement_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_become_statements),
        cmocka_unit_test(bad_values_are_named_by_row_and_column),
        cmocka_unit_test(the_shard_column_cannot_be_set),
        cmocka_unit_test(long_values_use_the_unlimited_types),
        cmocka_unit_test(large_arrays_are_cut_into_statements),
        cmocka_unit_test(tables_are_created_from_parsed_types),
        cmocka_unit_test(the_ledger_has_its_statements),
        cmocka_unit_test(the_ledgers_keys_are_compared_by_their_bytes),
        cmocka_unit_test(the_tag_changes_with_the_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
