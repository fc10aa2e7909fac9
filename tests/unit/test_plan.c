/* plan.h, gather.h, reduce.h: what shards are asked, and how their rows become one answer. */
#include "fcgi-master/gather.h"
#include "fcgi-master/plan.h"
#include "fcgi-master/reduce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_PARTS 3
#define FLAGS "\"nullable\":true,\"has_default\":false"

static const char description[] = "{\"tag\":\"t\",\"shard_column\":\"id\",\"columns\":["
                                  "{\"name\":\"id\",\"type\":\"INT\"," FLAGS ",\"binary\":false},"
                                  "{\"name\":\"name\",\"type\":\"NVARCHAR(20)\"," FLAGS ",\"binary\":false,\"ignores_case\":true},"
                                  "{\"name\":\"code\",\"type\":\"VARCHAR(20)\"," FLAGS ",\"binary\":true},"
                                  "{\"name\":\"price\",\"type\":\"DECIMAL(10,2)\"," FLAGS ",\"binary\":false},"
                                  "{\"name\":\"p0\",\"type\":\"FLOAT\"," FLAGS ",\"binary\":false},"
                                  "{\"name\":\"doc\",\"type\":null," FLAGS ",\"binary\":false}]}";

/* One query from its body to its plan. */
struct world {
    struct table *table;
    struct json_object *body;
    struct query query;
    struct plan plan;
    struct cursor from; /* of a page */
    struct gather_end end;
    struct err e;
};

static const char *described = description; /* the table, and what stands before a page */
static const char *from = "";
static size_t from_shard, from_repeats;

static int make(struct world *w, const char *body)
{
    bool paged = false;
    *w = (struct world){.e = ERR_INIT};
    cursor_init(&w->from);
    cursor_init(&w->end.last);
    buf_append_text(&w->from.values, from);
    w->from.shard = from_shard;
    w->from.repeats = from_repeats;
    assert_int_equal(table_read(described, strlen(described), &w->table, &w->e), 0);
    const struct query_table columns = plan_columns(w->table);
    assert_int_equal(json_read(body, strlen(body), &w->body, &w->e), 0);
    return query_read(w->body, &w->query, &w->e) == 0 && query_resolve(&w->query, &columns, &w->e) == 0 &&
                   plan_page(&w->query, w->table, &paged, &w->e) == 0 &&
                   plan_make(&w->plan, &w->query, w->table, w->body, paged ? &w->from : NULL, &w->e) == 0
               ? 0
               : -1;
}

static void clear(struct world *w)
{
    cursor_clear(&w->from);
    cursor_clear(&w->end.last);
    plan_clear(&w->plan);
    query_clear(&w->query);
    json_free(w->body);
    table_release(w->table);
}

#define HEAD "{\"db_name\":\"D\",\"table\":\"T\""

static void shards_are_asked_for_what_the_answer_needs(void **state)
{
    static const struct {
        const char *body, *expected; /* "": the client's own body */
    } rows[] = {
        {HEAD "}", ""},
        {HEAD ",\"condition\":\"id > 1\",\"columns\":[\"name\"]}", ""},
        {HEAD ",\"columns\":[\"NAME\"],\"order_by\":[{\"column\":\"id\",\"dir\":\"desc\"},\"name\"],\"limit\":10,\"offset\":5,\"allow_partial\":true}",
         HEAD ",\"partial\":true,\"columns\":[\"name\",\"id\"],\"order_by\":[{\"column\":\"id\",\"dir\":\"desc\"},{\"column\":\"name\"}],\"limit\":15}"},
        {HEAD ",\"columns\":[\"id\"],\"limit\":0,\"offset\":9}", HEAD ",\"partial\":true,\"columns\":[\"id\"],\"limit\":0}"},
        {HEAD ",\"columns\":[\"id\"],\"limit\":1000000000000000,\"offset\":1}",
         HEAD ",\"partial\":true,\"columns\":[\"id\"],\"limit\":1000000000000000}"},
        {HEAD ",\"columns\":[\"id\"],\"offset\":9}", HEAD ",\"partial\":true,\"columns\":[\"id\"]}"},
        {HEAD ",\"columns\":[\"code\"],\"distinct\":true,\"condition\":\"id > @a\",\"params\":{\"a\":1.50},\"limit\":3}",
         HEAD ",\"condition\":\"id > @a\",\"params\":{\"a\":1.50},\"partial\":true,\"columns\":[\"code\"],\"distinct\":true,\"order_by\":[{\"column\":\"code\"}],\"limit\":4}"},
        {HEAD ",\"columns\":[\"name\"],\"distinct\":true,\"limit\":3}", HEAD ",\"partial\":true,\"columns\":[\"name\"],\"distinct\":true,\"limit\":3}"},
        {HEAD ",\"order_by\":[\"id\"],\"limit\":3,\"after\":\"x\"}", "bad_field"},
        {HEAD ",\"columns\":[\"name\"],\"distinct\":true,\"after\":\"x\"}", "bad_field"},
        {HEAD ",\"group_by\":[\"id\"],\"after\":\"x\"}", "bad_field"},
        {HEAD ",\"distinct\":true,\"columns\":[\"code\"],\"offset\":1,\"after\":\"x\"}", "bad_field"},
        /* p is the beginning of two columns' names */
        {HEAD ",\"aggregates\":[{\"op\":\"avg\",\"column\":\"price\"},{\"op\":\"count\"},{\"op\":\"count_distinct\",\"column\":\"name\"}]}",
         HEAD ",\"partial\":true,\"group_by\":[\"name\"],\"aggregates\":[{\"op\":\"sum\",\"column\":\"price\",\"as\":\"p_0\"},"
              "{\"op\":\"count\",\"column\":\"price\",\"as\":\"p_1\"},{\"op\":\"count\",\"as\":\"p_2\"}]}"},
        /* groups are cut by the shards only where every shard has them in one order */
        {HEAD ",\"group_by\":[\"id\",\"code\"],\"order_by\":[\"code\"],\"limit\":2,\"offset\":1}",
         HEAD ",\"partial\":true,\"group_by\":[\"id\",\"code\"],\"order_by\":[{\"column\":\"code\"},{\"column\":\"id\"}],\"limit\":3}"},
        {HEAD ",\"group_by\":[\"name\"],\"order_by\":[\"name\"],\"limit\":2}", HEAD ",\"partial\":true,\"group_by\":[\"name\"]}"},
        {HEAD ",\"group_by\":[\"id\"],\"aggregates\":[{\"op\":\"count\"}],\"order_by\":[\"count\"],\"limit\":2}",
         HEAD ",\"partial\":true,\"group_by\":[\"id\"],\"aggregates\":[{\"op\":\"count\",\"as\":\"p_0\"}]}"},
        {HEAD ",\"group_by\":[\"id\"],\"having\":\"id > 3\",\"limit\":2}", HEAD ",\"having\":\"id > 3\",\"partial\":true,\"group_by\":[\"id\"]}"},
        {HEAD ",\"aggregates\":[{\"op\":\"sum\",\"column\":\"name\"}]}", "bad_field"},
        {HEAD ",\"order_by\":[\"doc\"]}", "bad_field"},
        {HEAD ",\"distinct\":true}", "bad_field"},
        {HEAD ",\"group_by\":[\"id\"],\"aggregates\":[{\"op\":\"count\",\"as\":\"ID\"}]}", "bad_field"},
        {HEAD ",\"aggregates\":[{\"op\":\"min\",\"column\":\"nope\"}]}", "unknown_column"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        const char *got = make(&w, rows[i].body) != 0 ? err_name(w.e.code) : buf_text(&w.plan.body);
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("%s\n  gave     %s %s\n  expected %s", rows[i].body, got, w.e.detail, rows[i].expected);
        /* What the master sends is what a worker takes. */
        if (w.e.code == ERR_NONE && w.plan.body.len > 0) {
            struct query asked = {0};
            struct json_object *body = NULL;
            const struct query_table columns = plan_columns(w.table);
            assert_int_equal(json_read(buf_text(&w.plan.body), w.plan.body.len, &body, &w.e), 0);
            if (query_read(body, &asked, &w.e) != 0 || query_resolve(&asked, &columns, &w.e) != 0)
                fail_msg("%s: %s", got, w.e.detail);
            assert_int_equal(asked.output_count, w.plan.width);
            query_clear(&asked);
            json_free(body);
        }
        clear(&w);
    }
}

static int append(void *arg, const void *data, size_t len)
{
    buf_append(arg, data, len);
    return 0;
}

/* The rows of the merged answer, or the error. */
static void answer(struct world *w, const char *const parts[MAX_PARTS], size_t limit, struct buf *out)
{
    struct merge_part list[MAX_PARTS];
    struct rowstream streams[MAX_PARTS];
    struct rowsink sink = {.write = append, .arg = out};
    size_t count = 0, open = 0;
    for (; count < MAX_PARTS && parts[count] != NULL; count++) {
        list[count] = (struct merge_part){.shard = count, .worker = "w", .database = "", .suffix = ""};
        list[count].rows = (struct json_slice){.text = parts[count], .len = strlen(parts[count])};
        if (strcmp(parts[count], "lost") == 0)
            list[count].err.code = ERR_SHARD_UNAVAILABLE;
        else
            rowstream_init_whole(&streams[open++], &list[count]);
    }
    const struct cluster_limits limits = {.max_rows = limit, .max_groups = limit, .max_memory = (size_t)16 << 20};
    int rc = w->plan.kind == PLAN_MERGE ? gather_merge(&w->plan, streams, open, &limits, &sink, &w->end, &w->e)
                                        : reduce_rows(&w->plan, streams, open, &limits, &sink, &w->e);
    for (size_t i = 0; rc != 0 && w->e.code == ERR_NONE && i < open; i++)
        w->e = streams[i].part->err;
    if (rc != 0) {
        buf_reset(out);
        buf_printf(out, "%s %d", err_name(w->e.code), w->e.sql_error);
    }
    for (size_t i = 0; i < open; i++)
        rowstream_clear(&streams[i]);
}

/* What a page asks for, what it shows, and the cursor it ends with. */
static void pages_end_with_a_cursor(void **state)
{
#define COLUMNS "\"columns\":[{\"name\":\"id\",\"type\":\"INT\",\"nullable\":false,\"has_default\":false,\"binary\":false}," \
                "{\"name\":\"name\",\"type\":\"NVARCHAR(20)\"," FLAGS ",\"binary\":true}]}"
    static const char keyed[] = "{\"tag\":\"t\",\"shard_column\":null,\"key\":[\"ID\"]," COLUMNS;
    static const char keyless[] = "{\"tag\":\"t\",\"shard_column\":null," COLUMNS;
    static const char by_name[] = HEAD ",\"columns\":[\"name\"],\"order_by\":[{\"column\":\"name\",\"dir\":\"desc\"}],\"limit\":2}";
#define ASKED HEAD ",\"partial\":true,\"columns\":[\"name\",\"id\"],\"order_by\":[{\"column\":\"name\",\"dir\":\"desc\"},{\"column\":\"id\"}]"
    static const struct {
        const char *table, *body, *from;
        size_t shard, repeats;
        const char *asked, *parts[MAX_PARTS], *expected, *last; /* "": no row follows */
        size_t last_shard, last_repeats;
    } rows[] = {
        {keyed, by_name, "", 0, 0, ASKED ",\"limit\":3}",
         {"[{\"name\":\"c\",\"id\":3},{\"name\":\"a\",\"id\":1}]", "[{\"name\":\"b\",\"id\":2}]"}, "{\"name\":\"c\"},{\"name\":\"b\"}", "[\"b\",2]", 1, 0},
        {keyed, by_name, "[\"d\",9]", 1, 0, ASKED ",\"after\":{\"shard\":1,\"values\":[\"d\",9]},\"limit\":3}",
         {"[{\"name\":\"c\",\"id\":3}]", "[{\"name\":null,\"id\":2}]"}, "{\"name\":\"c\"},{\"name\":null}", "", 0, 0},
        {keyed, by_name, "", 0, 0, NULL, {"[{\"name\":\"c\",\"id\":3}]", "[{\"name\":\"c\",\"id\":3}]", "[{\"name\":\"c\",\"id\":3}]"},
         "{\"name\":\"c\"},{\"name\":\"c\"}", "[\"c\",3]", 1, 0},
        {keyless, by_name, "", 0, 0, ASKED ",\"limit\":3}",
         {"[{\"name\":\"c\",\"id\":3},{\"name\":\"c\",\"id\":3},{\"name\":\"c\",\"id\":3}]", "[{\"name\":\"c\",\"id\":3}]"},
         "{\"name\":\"c\"},{\"name\":\"c\"}", "[\"c\",3]", 0, 2},
        {keyless, by_name, "[\"c\", 3 ]", 0, 2, ASKED ",\"after\":{\"shard\":0,\"values\":[\"c\", 3 ],\"again\":true},\"limit\":5}",
         {"[{\"name\":\"c\",\"id\":3},{\"name\":\"c \",\"id\":3},{\"name\":\"c\",\"id\":3}]", "[{\"name\":\"c\",\"id\":3},{\"name\":\"c\",\"id\":3}]"},
         "{\"name\":\"c\"},{\"name\":\"c\"}", "[\"c\",3]", 1, 1},
        /* some of the rows that were there are gone: none that differs is left out for them */
        {keyless, by_name, "[\"c\",3]", 0, 2, NULL, {"[{\"name\":\"c\",\"id\":3},{\"name\":\"b\",\"id\":3},{\"name\":\"b\",\"id\":3}]", "[]"},
         "{\"name\":\"b\"},{\"name\":\"b\"}", "", 0, 0},
        {keyless, by_name, "[null,3]", 1, 5, NULL, {"[]", "[{\"name\":null,\"id\":4}]"}, "{\"name\":null}", "", 0, 0},
        {keyless, by_name, "[\"c\"]", 0, 1, NULL, {"[{\"name\":\"c\",\"id\":3}]"}, "internal 0", "", 0, 0},
        {keyless, HEAD ",\"columns\":[\"name\"],\"distinct\":true,\"limit\":1}", "", 0, 0, NULL, {"[{\"name\":\"a\"}]", "[{\"name\":\"a\"}]"}, "{\"name\":\"a\"}", "", 0, 0},
        {keyless, HEAD ",\"columns\":[\"name\"],\"distinct\":true,\"limit\":1}", "", 0, 0, NULL,
         {"[{\"name\":\"a\"}]", "[{\"name\":\"a\"},{\"name\":\"b\"}]"}, "{\"name\":\"a\"}", "[\"a\"]", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        struct buf out;
        described = rows[i].table;
        from = rows[i].from;
        from_shard = rows[i].shard;
        from_repeats = rows[i].repeats;
        assert_int_equal(make(&w, rows[i].body), 0);
        assert_true(w.plan.paged);
        if (rows[i].asked != NULL && strcmp(buf_text(&w.plan.body), rows[i].asked) != 0)
            fail_msg("row %zu asks   %s\n  expected %s", i, buf_text(&w.plan.body), rows[i].asked);
        buf_init(&out, 4096);
        answer(&w, rows[i].parts, 100, &out);
        if (strcmp(buf_text(&out), rows[i].expected) != 0)
            fail_msg("row %zu shows  %s\n  expected %s", i, buf_text(&out), rows[i].expected);
        assert_int_equal(w.end.more, rows[i].last[0] != '\0');
        if (w.end.more) {
            assert_string_equal(buf_text(&w.end.last.values), rows[i].last);
            assert_int_equal(w.end.last.shard, rows[i].last_shard);
            assert_int_equal(w.end.last.repeats, rows[i].last_repeats);
        }
        buf_clear(&out);
        clear(&w);
    }
    described = description;
    from = "";
}

static void answers_become_one(void **state)
{
#define SUM(column) HEAD ",\"aggregates\":[{\"op\":\"sum\",\"column\":\"" column "\"}]}"
#define AVG(column) HEAD ",\"aggregates\":[{\"op\":\"avg\",\"column\":\"" column "\",\"as\":\"a\"}]}"
    static const char by_id[] = HEAD ",\"columns\":[\"name\"],\"order_by\":[\"id\"],\"limit\":3,\"offset\":1}";
    static const char distinct[] = HEAD ",\"columns\":[\"name\"],\"distinct\":true}";
    static const char distinct_count[] = HEAD ",\"aggregates\":[{\"op\":\"count_distinct\",\"column\":\"name\",\"as\":\"n\"},{\"op\":\"count\"}]}";
    static const char groups[] = HEAD ",\"group_by\":[\"name\"],\"columns\":[\"name\"],\"aggregates\":[{\"op\":\"count\",\"as\":\"n\"},"
                                      "{\"op\":\"min\",\"column\":\"code\"},{\"op\":\"max\",\"column\":\"price\"}],"
                                      "\"having\":\"n > 1\",\"order_by\":[{\"column\":\"n\",\"dir\":\"desc\"},\"name\"],\"limit\":2}";
    static const struct {
        const char *body, *parts[MAX_PARTS], *expected;
    } rows[] = {
        {by_id, {"[{\"name\":\"c\",\"id\":3},{\"name\":\"e\",\"id\":5}]", "[ {\"name\" : \"a,}\\\"\" , \"id\" : null } , {\"name\":\"d\",\"id\":4}]", "[]"},
         "{\"name\":\"c\"},{\"name\":\"d\"},{\"name\":\"e\"}"},
        {by_id, {"[{\"name\":\"c\",\"id\":3}]", "lost", "[{\"name\":\"d\",\"id\":3},{\"name\":\"e\",\"id\":3}]"}, "{\"name\":\"d\"},{\"name\":\"e\"}"},
        {by_id, {NULL}, ""},
        {by_id, {"[{\"name\":\"c\"}]"}, "bad_worker_answer 0"},
        {by_id, {"[{\"name\":\"c\",\"id\":3,\"x\":1}]"}, "bad_worker_answer 0"},
        {by_id, {"[{\"name\":\"c\",\"id\":\"3\"}]"}, "bad_worker_answer 0"},
        {by_id, {"[5]"}, "bad_worker_answer 0"},
        {HEAD ",\"columns\":[\"id\"],\"order_by\":[{\"column\":\"id\",\"dir\":\"desc\"}]}", {"[{\"id\":3},{\"id\":1},{\"id\":null}]", "[{\"id\":2}]"},
         "{\"id\":3},{\"id\":2},{\"id\":1},{\"id\":null}"},
        {HEAD ",\"columns\":[\"id\"],\"order_by\":[\"id\"]}", {"[{\"id\":1},{\"id\":2},{\"id\":3},{\"id\":4},{\"id\":5}]", "[{\"id\":6}]"}, "bad_field 0"},
        {distinct, {"[{\"name\":\"a\"},{\"name\":null}]", "[{\"name\":\"A \"},{\"name\":null},{\"name\":\"b\"}]"}, "{\"name\":\"a\"},{\"name\":null},{\"name\":\"b\"}"},
        {SUM("id"), {"[{\"p_0\":2147483647}]", "[{\"p_0\":null}]", "[{\"p_0\":-1}]"}, "{\"sum_id\":2147483646}"},
        {SUM("id"), {"[{\"p_0\":2147483647}]", "[{\"p_0\":1}]"}, "bad_value 8115"},
        {SUM("id"), {"[{\"p_0\":-2147483647}]", "[{\"p_0\":-1}]"}, "{\"sum_id\":-2147483648}"},
        {SUM("id"), {"[{\"p_0\":null}]", "[{\"p_0\":null}]"}, "{\"sum_id\":null}"},
        {SUM("id"), {NULL}, "{\"sum_id\":null}"},
        {SUM("id"), {"[{\"p_0\":1.5}]"}, "bad_worker_answer 0"},
        {SUM("price"), {"[{\"p_0\":99999999999999999999999999999999999.99}]", "[{\"p_0\":0.01}]"}, "{\"sum_price\":100000000000000000000000000000000000.00}"},
        {SUM("price"), {"[{\"p_0\":999999999999999999999999999999999999.99}]", "[{\"p_0\":0.01}]"}, "bad_value 8115"},
        {SUM("p0"), {"[{\"p_0\":0.5}]", "[{\"p_0\":1e300}]"}, "{\"sum_p0\":1e+300}"},
        {SUM("p0"), {"[{\"p_0\":1.5e308}]", "[{\"p_0\":1.5e308}]"}, "bad_value 8115"},
        {AVG("id"), {"[{\"p_0\":-3,\"p_1\":1}]", "[{\"p_0\":0,\"p_1\":1}]"}, "{\"a\":-1}"},
        {AVG("price"), {"[{\"p_0\":2.00,\"p_1\":2}]", "[{\"p_0\":0.00,\"p_1\":1}]", "[{\"p_0\":null,\"p_1\":0}]"}, "{\"a\":0.666666}"},
        {AVG("price"), {"[{\"p_0\":999999999999999999999999999999999999.99,\"p_1\":2}]", "[{\"p_0\":null,\"p_1\":0}]"}, "bad_value 8115"},
        {distinct_count, {"[{\"name\":\"a\",\"p_0\":2},{\"name\":null,\"p_0\":1}]", "[{\"name\":\"A\",\"p_0\":1},{\"name\":\"b\",\"p_0\":4}]"}, "{\"n\":2,\"count\":8}"},
        {distinct_count, {"[]", "[]"}, "{\"n\":0,\"count\":0}"},
        {groups,
         {"[{\"name\":\"a\",\"p_0\":1,\"p_1\":\"b\",\"p_2\":1.00},{\"name\":\"b\",\"p_0\":1,\"p_1\":\"b\",\"p_2\":1.00}]",
          "[{\"name\":\"A\",\"p_0\":1,\"p_1\":\"a\",\"p_2\":9.00},{\"name\":null,\"p_0\":3,\"p_1\":null,\"p_2\":null}]"},
         "{\"name\":null,\"n\":3,\"min_code\":null,\"max_price\":null},{\"name\":\"a\",\"n\":2,\"min_code\":\"a\",\"max_price\":9.00}"},
        {HEAD ",\"group_by\":[\"id\"]}", {"[{\"id\":1},{\"id\":2},{\"id\":3}]", "[{\"id\":4},{\"id\":5},{\"id\":6}]"}, "bad_field 0"},
        {HEAD ",\"group_by\":[\"id\"],\"offset\":1,\"order_by\":[\"id\"]}", {"[{\"id\":2},{\"id\":1}]", "[{\"id\":2},{\"id\":3}]"}, "{\"id\":2},{\"id\":3}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(make(&w, rows[i].body), 0);
        answer(&w, rows[i].parts, 5, &out);
        if (strcmp(buf_text(&out), rows[i].expected) != 0)
            fail_msg("%s (%zu)\n  gave     %s %s\n  expected %s", rows[i].body, i, buf_text(&out), w.e.detail, rows[i].expected);
        buf_clear(&out);
        clear(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_are_asked_for_what_the_answer_needs),
        cmocka_unit_test(pages_end_with_a_cursor),
        cmocka_unit_test(answers_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
