/* Rows of workers, any JSON at all: what gather and reduce make of them is strict JSON, or an error. The first byte picks the
 * query, the rest is the array of rows that each of two shards answers. */
#include "fcgi-master/gather.h"
#include "fcgi-master/plan.h"
#include "fcgi-master/reduce.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

#define OUTPUT_MAX (1 << 24)
#define MAX_ROWS 1000
#define FLAGS "\"nullable\":true,\"has_default\":false,\"binary\":false,\"ignores_case\":true"
#define BODY(fields) "{\"db_name\":\"D\",\"table\":\"T\"," fields "}"

/* With a key, which the pages' order ends with, and without: then it ends with all columns, and rows are counted. */
#define DESCRIPTION(key)                                                                                              \
    "{\"tag\":\"t\",\"shard_column\":null,\"key\":[" key "],\"columns\":["                                            \
    "{\"name\":\"i\",\"type\":\"INT\",\"nullable\":false,\"has_default\":false,\"binary\":false},"                    \
    "{\"name\":\"s\",\"type\":\"NVARCHAR(20)\"," FLAGS "},{\"name\":\"d\",\"type\":\"DECIMAL(10,2)\"," FLAGS "},"     \
    "{\"name\":\"f\",\"type\":\"FLOAT\"," FLAGS "},{\"name\":\"o\",\"type\":\"DATETIMEOFFSET(3)\"," FLAGS "},"        \
    "{\"name\":\"u\",\"type\":\"UNIQUEIDENTIFIER\"," FLAGS "},{\"name\":\"v\",\"type\":\"VARBINARY(9)\"," FLAGS "}]}"
static const char *const descriptions[] = {DESCRIPTION("\"i\""), DESCRIPTION("")};

static const char *const bodies[] = {
    BODY("\"order_by\":[\"i\",\"s\"],\"columns\":[\"f\"],\"limit\":5,\"offset\":1"),
    BODY("\"order_by\":[\"s\"],\"columns\":[\"s\"],\"distinct\":true"),
    BODY("\"order_by\":[\"o\",\"u\",\"v\"],\"columns\":[\"d\",\"o\"]"),
    BODY("\"aggregates\":[{\"op\":\"sum\",\"column\":\"i\"},{\"op\":\"avg\",\"column\":\"d\"},{\"op\":\"count\"},{\"op\":\"max\",\"column\":\"v\"}]"),
    BODY("\"group_by\":[\"s\"],\"aggregates\":[{\"op\":\"sum\",\"column\":\"f\"},{\"op\":\"min\",\"column\":\"u\"},{\"op\":\"count\",\"as\":\"n\"}],"
         "\"having\":\"n > 1 OR s LIKE 'a%' OR LEN(s) > 3\",\"order_by\":[\"n\",\"s\"]"),
    BODY("\"group_by\":[\"o\"],\"aggregates\":[{\"op\":\"count_distinct\",\"column\":\"s\"},{\"op\":\"avg\",\"column\":\"i\"}]"),
};

static void check_rows(const struct buf *rows)
{
    struct err e = ERR_INIT;
    struct buf whole;
    buf_init(&whole, OUTPUT_MAX);
    buf_printf(&whole, "{\"rows\":[");
    buf_append(&whole, rows->data, rows->len);
    buf_append_text(&whole, "]}");
    CHECK(json_slices(buf_text(&whole), whole.len, NULL, 0, &e) == 0);
    buf_clear(&whole);
}

static void run(const char *description, const char *body_text, const char *answer, size_t len)
{
    struct merge_part parts[2];
    struct json_object *body = NULL;
    struct table *table = NULL;
    struct query query = {0};
    struct plan plan = {0};
    struct err e = ERR_INIT;
    struct buf out;
    struct cursor from;
    struct gather_end end = {0};
    size_t rows = 0;
    bool paged = false;
    cursor_init(&from);
    cursor_init(&end.last);
    buf_init(&out, OUTPUT_MAX);
    for (size_t i = 0; i < 2; i++) {
        parts[i] = (struct merge_part){.shard = i, .worker = "w", .database = "", .suffix = "", .text = answer, .len = len};
        merge_accept(&parts[i], MERGE_SELECT);
    }
    CHECK(table_read(description, strlen(description), &table, &e) == 0);
    const struct query_table columns = plan_columns(table);
    CHECK(json_read(body_text, strlen(body_text), &body, &e) == 0 && query_read(body, &query, &e) == 0);
    CHECK(query_resolve(&query, &columns, &e) == 0 && plan_page(&query, table, &paged, &e) == 0 &&
          plan_make(&plan, &query, table, body, paged ? &from : NULL, &e) == 0);
    int rc = plan.kind == PLAN_MERGE ? gather_rows(&plan, parts, 2, MAX_ROWS, &out, &rows, &end, &e)
                                     : reduce_rows(&plan, parts, 2, MAX_ROWS, &out, &rows, &e);
    CHECK((rc == 0) == (e.code == ERR_NONE));
    if (rc == 0)
        check_rows(&out);
    if (rc == 0 && end.last.values.len > 0)
        check_rows(&end.last.values);
    cursor_clear(&end.last);
    cursor_clear(&from);
    buf_clear(&out);
    plan_clear(&plan);
    query_clear(&query);
    json_free(body);
    table_release(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf answer;
    if (size == 0)
        return 0;
    buf_init(&answer, OUTPUT_MAX);
    buf_append_text(&answer, "{\"status\":\"ok\",\"count\":0,\"shards\":[{\"shard\":0}],\"rows\":");
    buf_append(&answer, data + 1, size - 1);
    buf_append_char(&answer, '}');
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0] && buf_status(&answer) == 0; i++)
        run(descriptions[i], bodies[data[0] % (sizeof bodies / sizeof bodies[0])], buf_text(&answer), answer.len);
    buf_clear(&answer);
    return 0;
}
