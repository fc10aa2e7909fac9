/* Rows of workers, any bytes at all: what gather and reduce make of them is strict JSON where their lines are, or an error.
 * The first byte picks the query, the table and the form of the answer: '0' to '6' the array of rows, 'a' to 'g' lines, 'A' to
 * 'G' lines of a table without a key. The rest is what each of two shards answers, or what stands before a byte 0xFF, which
 * no JSON has, is the first one's and what stands behind it the second one's. Lines arrive in pieces of several lengths. */
#include "fcgi-master/gather.h"
#include "fcgi-master/plan.h"
#include "fcgi-master/reduce.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

#define OUTPUT_MAX (1 << 24)
#define MAX_ROWS 1000
#define SHARDS 2
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

#define TABLES (sizeof descriptions / sizeof descriptions[0])
#define QUERIES (sizeof bodies / sizeof bodies[0])

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

struct answer {
    struct buf text;
    bool lines;
};

/* Opens streams for the answers that are accepted; how many. */
static size_t open_streams(const struct answer answers[SHARDS], struct merge_part parts[SHARDS], struct source sources[SHARDS],
                           struct rowstream streams[SHARDS])
{
    size_t count = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        const char *text = buf_text(&answers[i].text);
        size_t len = answers[i].text.len;
        parts[i] = (struct merge_part){.shard = i, .worker = "w", .database = "", .suffix = ""};
        if (answers[i].lines) {
            sources[i] = (struct source){.text = text, .len = len, .piece = 3 + 40 * i};
            rowstream_init_lines(&streams[count++], &parts[i], pull, &sources[i]);
            continue;
        }
        parts[i].text = text;
        parts[i].len = len;
        merge_accept(&parts[i], MERGE_SELECT);
        if (parts[i].err.code == ERR_NONE)
            rowstream_init_whole(&streams[count++], &parts[i]);
    }
    return count;
}

/* A question and how its answers become one. Nothing of it changes while rows are read, and it is made once. */
struct question {
    struct table *table;
    struct json_object *body;
    struct query query;
    struct query_table columns;
    struct plan plan;
    bool made;
};

static struct question questions[TABLES][QUERIES];

static const struct plan *find_plan(size_t table, size_t number)
{
    static const struct cursor beginning = {.shard = 0};
    struct question *q = &questions[table][number];
    struct err e = ERR_INIT;
    bool paged = false;
    if (q->made)
        return &q->plan;
    CHECK(table_read(descriptions[table], strlen(descriptions[table]), &q->table, &e) == 0);
    q->columns = plan_columns(q->table);
    CHECK(json_read(bodies[number], strlen(bodies[number]), &q->body, &e) == 0 && query_read(q->body, &q->query, &e) == 0);
    CHECK(query_resolve(&q->query, &q->columns, &e) == 0 && plan_page(&q->query, q->table, &paged, &e) == 0 &&
          plan_make(&q->plan, &q->query, q->table, q->body, paged ? &beginning : NULL, &e) == 0);
    q->made = true;
    return &q->plan;
}

static void run(const struct plan *plan, const struct answer answers[SHARDS])
{
    static const struct cluster_limits limits = {.max_rows = MAX_ROWS, .max_groups = MAX_ROWS, .max_memory = (size_t)64 << 20};
    struct merge_part parts[SHARDS];
    struct source sources[SHARDS];
    struct rowstream streams[SHARDS] = {0};
    struct err e = ERR_INIT;
    struct buf out;
    struct gather_end end = {0};
    struct rowsink sink = {.write = append, .arg = &out};
    buf_init(&out, OUTPUT_MAX);
    cursor_init(&end.last);
    size_t count = open_streams(answers, parts, sources, streams);
    int rc = plan->kind == PLAN_MERGE    ? gather_merge(plan, streams, count, &limits, &sink, &end, &e)
             : plan->kind == PLAN_REDUCE ? reduce_rows(plan, streams, count, &limits, &sink, &e)
                                         : gather_join(streams, count, false, &sink);
    if (rc != 0) {
        CHECK(e.code != ERR_NONE || sink.gone || merge_failed(parts, SHARDS));
    } else {
        bool good = true;
        CHECK(e.code == ERR_NONE && !sink.gone);
        for (size_t i = 0; i < SHARDS && good; i++)
            good = !answers[i].lines || are_objects(buf_text(&answers[i].text), answers[i].text.len);
        if (good) {
            check_rows(&out);
            check_rows(&end.last.values);
        }
    }
    for (size_t i = 0; i < SHARDS; i++)
        rowstream_clear(&streams[i]);
    buf_clear(&out);
    cursor_clear(&end.last);
}

static void make_answer(const char *text, size_t len, bool lines, struct answer *out)
{
    buf_init(&out->text, OUTPUT_MAX);
    out->lines = lines;
    if (!lines)
        buf_append_text(&out->text, "{\"status\":\"ok\",\"count\":0,\"shards\":[{\"shard\":0}],\"rows\":");
    buf_append(&out->text, text, len);
    if (!lines)
        buf_append_char(&out->text, '}');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer answers[SHARDS];
    if (size == 0)
        return 0;
    bool lines = data[0] >= 'A';
    size_t query = (size_t)(data[0] & 0x0F) - lines; /* behind '0', 'A' or 'a' */
    const char *first = (const char *)data + 1, *end = (const char *)data + size;
    const char *split = size > 1 ? memchr(first, 0xFF, size - 1) : NULL;
    const char *second = split != NULL ? split + 1 : first;
    make_answer(first, (size_t)((split != NULL ? split : end) - first), lines, &answers[0]);
    make_answer(second, (size_t)(end - second), lines, &answers[1]);
    if (buf_status(&answers[0].text) == 0 && buf_status(&answers[1].text) == 0)
        run(find_plan(lines && data[0] < 'a', query % QUERIES), answers);
    buf_clear(&answers[0].text);
    buf_clear(&answers[1].text);
    return 0;
}
