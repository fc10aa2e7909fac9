/* Rows of workers, any bytes at all: what gather and reduce make of them is strict JSON where their lines are, or an error.
 * The first byte picks the query and the form of the answer (from '0' on the array, from 'a' on lines), the rest is the array of rows or the lines that each of two
 * shards answers; lines arrive in pieces of several lengths. */
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
    BODY("\"condition\":\"i = i\""),
};

/* Lines that arrive piece by piece. */
struct source {
    const char *text;
    size_t len;
    size_t taken; /* given back by the reader */
    size_t arrived;
    size_t piece;
};

static int pull(void *arg, size_t used, const char **data, size_t *len, struct err *e)
{
    struct source *s = arg;
    (void)e;
    CHECK(used <= s->arrived - s->taken);
    s->taken += used;
    size_t before = s->arrived;
    s->arrived = s->len - s->arrived < s->piece ? s->len : s->arrived + s->piece;
    s->piece = s->piece * 2 % 61;
    *data = s->text + s->taken;
    *len = s->arrived - s->taken;
    return s->arrived > before;
}

static int append(void *arg, const void *data, size_t len)
{
    struct buf *out = arg;
    buf_append(out, data, len);
    return buf_status(out);
}

/* Lines are passed on unparsed: only what is made of good ones has to be good. */
static bool are_objects(const char *text, size_t len)
{
    struct err e = ERR_INIT;
    for (const char *end; len > 0; len -= (size_t)(end + 1 - text), text = end + 1) {
        end = memchr(text, '\n', len);
        if (end == NULL)
            return true;
        if (*text != '[' && json_slices(text, (size_t)(end - text), NULL, 0, &e) != 0)
            return false;
    }
    return true;
}

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

/* Opens streams for the answers that are accepted; how many. */
static size_t open_streams(bool lines, const char *answer, size_t len, struct merge_part parts[2], struct source sources[2],
                           struct rowstream streams[2])
{
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        parts[i] = (struct merge_part){.shard = i, .worker = "w", .database = "", .suffix = ""};
        if (lines) {
            sources[i] = (struct source){.text = answer, .len = len, .piece = 3 + 40 * i};
            rowstream_init_lines(&streams[count++], &parts[i], pull, &sources[i]);
            continue;
        }
        parts[i].text = answer;
        parts[i].len = len;
        merge_accept(&parts[i], MERGE_SELECT);
        if (parts[i].err.code == ERR_NONE)
            rowstream_init_whole(&streams[count++], &parts[i]);
    }
    return count;
}

static void run(const char *description, const char *body_text, bool lines, const char *answer, size_t len)
{
    struct merge_part parts[2];
    struct source sources[2];
    struct rowstream streams[2] = {0};
    struct json_object *body = NULL;
    struct table *table = NULL;
    struct query query = {0};
    struct plan plan = {0};
    struct err e = ERR_INIT;
    struct buf out;
    struct cursor from;
    struct gather_end end = {0};
    bool paged = false;
    struct rowsink sink = {.write = append, .arg = &out};
    static const struct cluster_limits limits = {.max_rows = MAX_ROWS, .max_groups = MAX_ROWS, .max_memory = (size_t)64 << 20};
    buf_init(&out, OUTPUT_MAX);
    cursor_init(&from);
    cursor_init(&end.last);
    size_t count = open_streams(lines, answer, len, parts, sources, streams);
    CHECK(table_read(description, strlen(description), &table, &e) == 0);
    const struct query_table columns = plan_columns(table);
    CHECK(json_read(body_text, strlen(body_text), &body, &e) == 0 && query_read(body, &query, &e) == 0);
    CHECK(query_resolve(&query, &columns, &e) == 0 && plan_page(&query, table, &paged, &e) == 0 &&
          plan_make(&plan, &query, table, body, paged ? &from : NULL, &e) == 0);
    int rc = plan.kind == PLAN_MERGE    ? gather_merge(&plan, streams, count, &limits, &sink, &end, &e)
             : plan.kind == PLAN_REDUCE ? reduce_rows(&plan, streams, count, &limits, &sink, &e)
                                        : gather_join(streams, count, false, &sink);
    if (rc == 0) {
        CHECK(e.code == ERR_NONE && !sink.gone);
        if (!lines || are_objects(answer, len)) {
            check_rows(&out);
            check_rows(&end.last.values);
        }
    } else {
        CHECK(e.code != ERR_NONE || sink.gone || merge_failed(parts, 2));
    }
    for (size_t i = 0; i < 2; i++)
        rowstream_clear(&streams[i]);
    buf_clear(&out);
    cursor_clear(&end.last);
    cursor_clear(&from);
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
    bool lines = data[0] >= 'a';
    const char *query = bodies[(uint8_t)(data[0] - (lines ? 'a' : '0')) % (sizeof bodies / sizeof bodies[0])];
    buf_init(&answer, OUTPUT_MAX);
    if (!lines)
        buf_append_text(&answer, "{\"status\":\"ok\",\"count\":0,\"shards\":[{\"shard\":0}],\"rows\":");
    buf_append(&answer, data + 1, size - 1);
    if (!lines)
        buf_append_char(&answer, '}');
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0] && buf_status(&answer) == 0; i++)
        run(descriptions[i], query, lines, buf_text(&answer), answer.len);
    buf_clear(&answer);
    return 0;
}
