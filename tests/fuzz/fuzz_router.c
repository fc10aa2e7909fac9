/* Which shards a condition narrows to, for any condition: the same after it was written and read again, the same below two
 * NOTs, and together with the shards of its opposite never fewer than those of a row for which it is true or false. */
#include "fcgi-master/router.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

#define SHARDS 7
#define TEXT_MAX (1 << 16)

static const char *const described[] = {
    "{\"tag\":\"t\",\"shard_column\":\"a\",\"columns\":[{\"name\":\"a\",\"type\":\"INT\",\"nullable\":true,\"has_default\":false,\"binary\":false}]}",
    "{\"tag\":\"t\",\"shard_column\":\"a\",\"columns\":[{\"name\":\"a\",\"type\":\"VARCHAR(50)\",\"nullable\":true,\"has_default\":false,\"binary\":true}]}",
    "{\"tag\":\"t\",\"shard_column\":\"a\",\"columns\":[{\"name\":\"a\",\"type\":\"DATE\",\"nullable\":true,\"has_default\":false,\"binary\":false}]}",
    "{\"tag\":\"t\",\"shard_column\":\"a\",\"columns\":[{\"name\":\"a\",\"type\":\"UNIQUEIDENTIFIER\",\"nullable\":true,\"has_default\":false,\"binary\":false}]}",
};

/* The shards of a text; false when it is no condition. */
static bool narrow(const struct table *t, const char *text, size_t len, struct shardset *out, struct buf *emitted)
{
    struct predicate *p = NULL;
    struct err e = ERR_INIT;
    if (predicate_parse(text, len, &p, &e) != 0)
        return false;
    bool bound = predicate_bind(p, NULL, &e) == 0;
    if (bound) {
        *out = router_condition(t, SHARDS, p);
        if (emitted != NULL)
            predicate_emit(p, emitted);
    }
    predicate_free(p);
    return bound;
}

static bool narrow_wrapped(const struct table *t, const char *before, const char *text, size_t len, struct shardset *out)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_append_text(&b, before);
    buf_append(&b, text, len);
    buf_append_char(&b, ')');
    bool rc = buf_status(&b) == 0 && narrow(t, buf_text(&b), b.len, out, NULL);
    buf_clear(&b);
    return rc;
}

static bool is_same(const struct shardset *a, const struct shardset *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void try_table(const struct table *t, const char *text, size_t len)
{
    struct shardset set = shardset_none();
    struct shardset other = shardset_none();
    struct buf emitted;
    buf_init(&emitted, TEXT_MAX);
    if (narrow(t, text, len, &set, &emitted)) {
        struct shardset all = shardset_all(SHARDS);
        struct shardset within = shardset_intersection(set, all);
        CHECK(is_same(&within, &set));
        if (emitted.len <= PREDICATE_MAX_BYTES && narrow(t, buf_text(&emitted), emitted.len, &other, NULL))
            CHECK(is_same(&set, &other));
        if (narrow_wrapped(t, "NOT NOT (", text, len, &other))
            CHECK(is_same(&set, &other));
        /* Without NULLs in it, each row is on a shard of the one or of the other. */
        if (narrow_wrapped(t, "NOT (", text, len, &other)) {
            other = shardset_union(set, other);
            CHECK(is_same(&all, &other));
        }
    }
    buf_clear(&emitted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof described / sizeof described[0]; i++) {
        struct table *t = NULL;
        struct err e = ERR_INIT;
        CHECK(table_read(described[i], strlen(described[i]), &t, &e) == 0);
        try_table(t, (const char *)data, size);
        table_release(t);
    }
    return 0;
}
