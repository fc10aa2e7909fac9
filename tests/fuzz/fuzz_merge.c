/* What workers may answer, any bytes at all: accepted answers merge to strict JSON, refused ones become an error that can be
 * shown, descriptions of tables hold together, and rows are found where JSON has them. The first byte says what the rest is.
 * Of two shards, what stands before a byte 0xFF is the first one's answer and what stands behind it the second one's; without it
 * both answer the same. */
#include "fcgi-master/merge.h"
#include "fcgi-master/rowscan.h"
#include "fcgi-master/table.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

#define OUTPUT_MAX (1 << 24)
#define MAX_MEMBERS 8

static struct merge_part make_part(size_t shard, const char *text, size_t len)
{
    return (struct merge_part){.shard = shard, .worker = "w", .database = "", .suffix = "", .text = text, .len = len};
}

static void check_object(const struct buf *b)
{
    struct err e = ERR_INIT;
    CHECK(buf_status(b) == 0);
    CHECK(json_slices(buf_text(b), b->len, NULL, 0, &e) == 0);
}

/* A problem with these parts is strict JSON. */
static void check_problem(const struct merge_part *parts, size_t count, enum merge_kind kind)
{
    struct err e = ERR_INIT;
    struct buf shards;
    struct buf problem;
    buf_init(&shards, OUTPUT_MAX);
    buf_init(&problem, OUTPUT_MAX);
    merge_problem(parts, count, kind, &e, &shards);
    CHECK(e.code != ERR_NONE && e.detail[0] != '\0');
    err_write_problem(&e, "id", buf_text(&shards), &problem);
    check_object(&problem);
    buf_clear(&shards);
    buf_clear(&problem);
}

static void try_answer(const char *text, size_t len, enum merge_kind kind)
{
    const char *split = memchr(text, 0xFF, len);
    size_t first_len = split != NULL ? (size_t)(split - text) : len;
    const char *second = split != NULL ? split + 1 : text;
    struct merge_part parts[2] = {make_part(0, text, first_len), make_part(1, second, (size_t)(text + len - second))};
    merge_accept(&parts[0], kind);
    merge_accept(&parts[1], kind);
    CHECK(split != NULL || parts[0].err.code == parts[1].err.code);
    if (merge_failed(parts, 2)) {
        check_problem(parts, 2, kind);
        return;
    }
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    if (kind == MERGE_SCHEMA) {
        merge_schema(parts, 2, "db", "table", &out);
    } else if (kind == MERGE_EXPLAIN) {
        merge_explain(parts, 2, "all", "[]", &out);
    } else if (kind == MERGE_SELECT || kind == MERGE_LINES) {
        buf_append_text(&out, MERGE_SELECT_BEGIN);
        merge_select_end(parts, 2, 0, "", &out);
    } else {
        merge_answer(parts, 2, kind, &out);
    }
    check_object(&out);
    buf_clear(&out);
    err_set(&parts[1].err, ERR_DUPLICATE_KEY, "d");
    check_problem(parts, 2, kind);
}

/* The values' texts, joined as an array, are the JSON of `expected`. */
static void check_values(const struct json_slice *values, size_t count, const struct buf *expected)
{
    struct buf b;
    struct json_object *obj, *v;
    struct err e = ERR_INIT;
    buf_init(&b, OUTPUT_MAX);
    buf_append_text(&b, "{\"x\":[");
    for (size_t i = 0; i < count; i++) {
        buf_append_text(&b, i > 0 ? "," : "");
        buf_append(&b, values[i].text, values[i].len);
    }
    buf_append_text(&b, "]}");
    CHECK(json_read(buf_text(&b), b.len, &obj, &e) == 0 && json_member(obj, "x", &v));
    buf_reset(&b);
    json_write_value(&b, v);
    CHECK(b.len == expected->len && memcmp(b.data, expected->data, b.len) == 0);
    json_free(obj);
    buf_clear(&b);
}

/* A row's members are what its tree has. */
static void check_members(struct json_slice row, const struct json_object *obj)
{
    struct json_slice values[MAX_MEMBERS];
    struct json_iter it = {0};
    struct json_object *value;
    const char *name;
    size_t count = 0;
    struct buf expected;
    if (json_kind(obj) != JSON_OBJECT)
        return;
    buf_init(&expected, OUTPUT_MAX);
    while (count <= MAX_MEMBERS && json_next(obj, &it, &name, &value)) {
        buf_append_char(&expected, count++ == 0 ? '[' : ',');
        json_write_value(&expected, value);
    }
    buf_append_char(&expected, ']');
    if (count > 0 && count <= MAX_MEMBERS) {
        CHECK(rowscan_members(row, values, count) == 0);
        check_values(values, count, &expected);
        CHECK(count == MAX_MEMBERS || rowscan_members(row, values, count + 1) != 0);
        CHECK(count == 1 || rowscan_members(row, values, count - 1) != 0);
    }
    buf_clear(&expected);
}

/* The rows of an array are its elements; of what is no JSON, any slices inside of it. */
static void try_rows(const char *text, size_t len)
{
    struct json_slice rows = {.name = "rows"}, row;
    struct json_object *obj = NULL, *array = NULL;
    struct err e = ERR_INIT;
    struct rowscan scan;
    struct buf whole;
    size_t count = 0;
    buf_init(&whole, OUTPUT_MAX);
    buf_append_text(&whole, "{\"rows\":");
    buf_append(&whole, text, len);
    buf_append_char(&whole, '}');
    bool good = json_read(buf_text(&whole), whole.len, &obj, &e) == 0 && json_member(obj, "rows", &array) && json_kind(array) == JSON_ARRAY;
    if (good)
        CHECK(json_slices(buf_text(&whole), whole.len, &rows, 1, &e) == 0);
    else
        rows = (struct json_slice){.text = text, .len = len};
    rowscan_init(&scan, rows);
    while (rowscan_next(&scan, &row) != 0) {
        CHECK(row.text > rows.text && row.len <= (size_t)(rows.text + rows.len - row.text));
        if (good) {
            CHECK(count < json_array_length(array));
            check_members(row, json_array_at(array, count));
        } else if (row.len == 0) {
            break; /* a bracket that nothing has opened: the reader of rows ends here, too */
        }
        count++;
    }
    CHECK(!good || count == json_array_length(array));
    json_free(obj);
    buf_clear(&whole);
}

static void try_problem(const char *text, size_t len)
{
    struct err e = ERR_INIT;
    merge_read_problem(409, text, len, 3, true, &e);
    CHECK(e.code != ERR_NONE);
    CHECK(err_status(e.code) == 409 || e.code == ERR_BAD_WORKER_ANSWER);
}

static void try_description(const char *text, size_t len)
{
    struct table *t = NULL;
    struct err e = ERR_INIT;
    if (table_read(text, len, &t, &e) != 0) {
        CHECK(t == NULL && e.code == ERR_BAD_WORKER_ANSWER);
        return;
    }
    CHECK(t->column_count > 0 && strlen(t->tag) <= TABLE_MAX_TAG);
    for (size_t i = 0; i < t->column_count; i++) {
        const struct table_column *c = table_find_column(t, t->columns[i].name, strlen(t->columns[i].name));
        CHECK(c != NULL && c <= &t->columns[i]);
    }
    table_release(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    switch (data[0]) {
    case 's':
        try_answer(text, len, MERGE_SELECT);
        break;
    case 'l':
        try_answer(text, len, MERGE_LINES);
        break;
    case 'f':
        merge_read_failure(text, len, &(struct err){0});
        break;
    case 'w':
        try_answer(text, len, MERGE_WRITE);
        break;
    case 'c':
        try_answer(text, len, MERGE_COUNT);
        break;
    case 'd':
        try_answer(text, len, MERGE_SCHEMA);
        break;
    case 'e':
        try_answer(text, len, MERGE_EXPLAIN);
        break;
    case 'r':
        try_rows(text, len);
        break;
    case 'p':
        try_problem(text, len);
        break;
    default:
        try_description(text, len);
        break;
    }
    return 0;
}
