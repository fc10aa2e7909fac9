/* What a worker may answer, any bytes at all: accepted answers merge to strict JSON, refused ones become an error that can be
 * shown, and descriptions of tables hold together. The first byte says what the rest is. */
#include "fcgi-master/merge.h"
#include "fcgi-master/table.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

#define OUTPUT_MAX (1 << 24)

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
    struct merge_part parts[2] = {make_part(0, text, len), make_part(1, text, len)};
    merge_accept(&parts[0], kind);
    merge_accept(&parts[1], kind);
    CHECK(parts[0].err.code == parts[1].err.code);
    if (merge_failed(parts, 2)) {
        check_problem(parts, 2, kind);
        return;
    }
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    if (kind == MERGE_SCHEMA) {
        merge_schema(parts, 2, "db", "table", &out);
    } else if (kind == MERGE_SELECT || kind == MERGE_LINES) {
        buf_append_text(&out, MERGE_SELECT_BEGIN);
        merge_select_end(parts, 2, 0, "", &out);
    }
    else
        merge_answer(parts, 2, kind, &out);
    check_object(&out);
    buf_clear(&out);
    err_set(&parts[1].err, ERR_DUPLICATE_KEY, "d");
    check_problem(parts, 2, kind);
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
    case 'p':
        try_problem(text, len);
        break;
    default:
        try_description(text, len);
        break;
    }
    return 0;
}
