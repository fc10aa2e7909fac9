#include "fcgi-master/verify_diff.h"

#include "common/json.h"

#include <stdlib.h>
#include <string.h>

/* Something that may differ. */
struct aspect {
    const char *what;
    void (*write)(const struct verify_side *side, const struct table_column *c, struct buf *out); /* a side's value, as JSON */
};

/* What one side has of it. */
struct value {
    bool there; /* the side takes part */
    bool told;  /* in the words */
    struct buf text;
};

/* A comparison under way. */
struct diff {
    const struct verify_side *sides;
    size_t count;
    struct value *values; /* one a side */
    struct buf *out;      /* the differences; NULL when only the words of the first are wanted */
    struct buf words;     /* of the last difference */
    size_t found;
};

/* The values */

static void write_flag(bool flag, struct buf *out)
{
    buf_append_text(out, flag ? "true" : "false");
}

static void write_has_object(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)c;
    write_flag(side->name != NULL, out);
}

static void write_has_column(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)side;
    write_flag(c != NULL, out);
}

static void write_table_name(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)c;
    json_write_text(out, side->name);
}

static void write_column_name(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)side;
    json_write_text(out, c->name);
}

static void write_type(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    struct buf text;
    (void)side;
    if (!c->known_type) {
        buf_append_text(out, "null");
        return;
    }
    buf_init(&text, VERIFY_DIFF_MAX_TEXT);
    sqltype_write(&c->type, &text);
    json_write_text(out, buf_text(&text));
    buf_clear(&text);
}

static void write_nullable(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)side;
    write_flag(c->nullable, out);
}

static void write_default(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)side;
    write_flag(c->has_default, out);
}

static void write_collation(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)side;
    json_write_text(out, c->binary ? "binary" : c->ignores_case ? "ignores case" : "heeds case");
}

static void write_order(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)c;
    for (size_t i = 0; i < side->table->column_count; i++) {
        buf_append_char(out, i == 0 ? '[' : ',');
        json_write_text(out, side->table->columns[i].name);
    }
    buf_append_char(out, ']');
}

static void write_shard_column(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)c;
    if (side->table->shard_column != NULL)
        json_write_text(out, side->table->shard_column->name);
    else
        buf_append_text(out, "null");
}

static void write_key(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)c;
    buf_append_char(out, '[');
    for (size_t i = 0; i < side->table->key_count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        json_write_text(out, side->table->columns[side->table->key[i]].name);
    }
    buf_append_char(out, ']');
}

static void write_tag(const struct verify_side *side, const struct table_column *c, struct buf *out)
{
    (void)c;
    json_write_text(out, side->table->tag);
}

static const struct aspect column_presence = {"column", write_has_column};
static const struct aspect column_name = {"name", write_column_name};
static const struct aspect column_aspects[] = {
    {"type", write_type}, {"nullable", write_nullable}, {"default", write_default}, {"collation", write_collation}};
static const struct aspect table_name = {"name", write_table_name};
static const struct aspect table_order = {"order", write_order};
static const struct aspect table_aspects[] = {{"shard_column", write_shard_column}, {"key", write_key}};
static const struct aspect description = {"description", write_tag};

/* One difference */

static bool is_same(const struct value *a, const struct value *b)
{
    return a->text.len == b->text.len && memcmp(buf_text(&a->text), buf_text(&b->text), a->text.len) == 0;
}

/* " on go, python": the sides, from `at` on, that have the value of that one. */
static void append_workers(struct diff *d, size_t at, struct buf *out)
{
    const char *before = " on ";
    for (size_t i = at; i < d->count; i++) {
        struct value *v = &d->values[i];
        if (!v->there || !is_same(v, &d->values[at]))
            continue;
        v->told = true;
        buf_append_text(out, before);
        buf_append_text(out, d->sides[i].worker);
        before = ", ";
    }
}

/* "type is INT on go, python; BIGINT on node" */
static void write_values_in_words(struct diff *d, const char *what, struct buf *out)
{
    bool first = true;
    buf_printf(out, "%s is ", what);
    for (size_t i = 0; i < d->count; i++) {
        const struct value *v = &d->values[i];
        if (!v->there || v->told)
            continue;
        size_t quote = v->text.len >= 2 && v->text.data[0] == '"' ? 1 : 0;
        buf_append_text(out, first ? "" : "; ");
        buf_append(out, buf_text(&v->text) + quote, v->text.len - 2 * quote);
        append_workers(d, i, out);
        first = false;
    }
}

/* "missing on node" */
static void write_absence_in_words(struct diff *d, struct buf *out)
{
    size_t i = 0;
    while (i + 1 < d->count && strcmp(buf_text(&d->values[i].text), "false") != 0)
        i++;
    buf_append_text(out, "missing");
    append_workers(d, i, out);
}

/* `kind` and `name` say what it is about: "column", "grade". */
static void write_words(struct diff *d, const struct aspect *a, const char *kind, const char *name)
{
    buf_reset(&d->words);
    buf_printf(&d->words, "%s '%s': ", kind, name);
    if (strcmp(a->what, kind) == 0)
        write_absence_in_words(d, &d->words);
    else
        write_values_in_words(d, a->what, &d->words);
}

static void write_difference(const struct diff *d, const struct aspect *a, const char *column)
{
    struct buf *out = d->out;
    const char *before = "";
    buf_printf(out, "%s{\"what\":\"%s\"", d->found > 0 ? "," : "", a->what);
    if (column != NULL) {
        buf_append_text(out, ",\"column\":");
        json_write_text(out, column);
    }
    buf_append_text(out, ",\"detail\":");
    json_write_string(out, buf_text(&d->words), d->words.len);
    buf_append_text(out, ",\"shards\":[");
    for (size_t i = 0; i < d->count; i++) {
        if (!d->values[i].there)
            continue;
        buf_printf(out, "%s{\"shard\":%zu,\"worker\":", before, d->sides[i].shard);
        json_write_text(out, d->sides[i].worker);
        buf_append_text(out, ",\"value\":");
        buf_append(out, buf_text(&d->values[i].text), d->values[i].text.len);
        buf_append_char(out, '}');
        before = ",";
    }
    buf_append_text(out, "]}");
}

/* Compares one aspect among the sides that `takes_part` wants, and reports it if it differs. Returns whether it does. `column` is the name
 * of the column it is about, or NULL. */
static bool compare(struct diff *d, const struct aspect *a, bool (*takes_part)(const struct verify_side *, const struct table_column *),
                    const char *kind, const char *name)
{
    const char *column = strcmp(kind, "column") == 0 ? name : NULL;
    size_t first = d->count;
    bool differs = false;
    for (size_t i = 0; i < d->count; i++) {
        const struct verify_side *side = &d->sides[i];
        const struct table_column *c =
            column != NULL && side->table != NULL ? table_find_column(side->table, column, strlen(column)) : NULL;
        struct value *v = &d->values[i];
        v->told = false;
        v->there = takes_part(side, c);
        buf_reset(&v->text);
        if (!v->there)
            continue;
        a->write(side, c, &v->text);
        first = first == d->count ? i : first;
        differs = differs || !is_same(v, &d->values[first]);
    }
    if (!differs || (d->out == NULL && d->found > 0))
        return differs;
    write_words(d, a, kind, name);
    if (d->out != NULL)
        write_difference(d, a, column);
    d->found++;
    return true;
}

static bool any_side(const struct verify_side *side, const struct table_column *c)
{
    (void)side;
    (void)c;
    return true;
}

static bool has_table(const struct verify_side *side, const struct table_column *c)
{
    (void)c;
    return side->table != NULL;
}

static bool has_column(const struct verify_side *side, const struct table_column *c)
{
    (void)side;
    return c != NULL;
}

/* Comparisons */

static int begin(struct diff *d, const struct verify_side *sides, size_t count, struct buf *out)
{
    *d = (struct diff){.sides = sides, .count = count, .out = out};
    buf_init(&d->words, VERIFY_DIFF_MAX_TEXT);
    d->values = calloc(count, sizeof *d->values);
    for (size_t i = 0; d->values != NULL && i < count; i++)
        buf_init(&d->values[i].text, VERIFY_DIFF_MAX_TEXT);
    return d->values != NULL ? 0 : -1;
}

/* What memory was too short for must not pass for equal: then `out` has failed. */
static size_t end(struct diff *d)
{
    bool failed = d->values == NULL || buf_status(&d->words) != 0;
    for (size_t i = 0; d->values != NULL && i < d->count; i++) {
        failed = failed || buf_status(&d->values[i].text) != 0;
        buf_clear(&d->values[i].text);
    }
    if (failed && d->out != NULL)
        d->out->failed = true;
    free(d->values);
    buf_clear(&d->words);
    return d->found;
}

/* The first spelling of the object. */
static const char *object_name(const struct verify_side *sides, size_t count)
{
    size_t i = 0;
    while (i + 1 < count && sides[i].name == NULL)
        i++;
    return sides[i].name != NULL ? sides[i].name : "";
}

/* Does a side before this one have a column of the name? */
static bool is_known(const struct diff *d, size_t side, const char *name)
{
    for (size_t i = 0; i < side; i++) {
        if (d->sides[i].table != NULL && table_find_column(d->sides[i].table, name, strlen(name)) != NULL)
            return true;
    }
    return false;
}

/* Returns whether all sides have all columns, spelled alike. */
static bool compare_columns(struct diff *d)
{
    bool same = true;
    for (size_t i = 0; i < d->count; i++) {
        const struct table *t = d->sides[i].table;
        for (size_t j = 0; t != NULL && j < t->column_count; j++) {
            const char *name = t->columns[j].name;
            if (is_known(d, i, name))
                continue;
            same = !compare(d, &column_presence, has_table, "column", name) && same;
            same = !compare(d, &column_name, has_column, "column", name) && same;
            for (size_t k = 0; k < sizeof column_aspects / sizeof column_aspects[0]; k++)
                compare(d, &column_aspects[k], has_column, "column", name);
        }
    }
    return same;
}

static void compare_tables(struct diff *d)
{
    const char *name = object_name(d->sides, d->count);
    compare(d, &table_name, has_table, "table", name);
    if (compare_columns(d)) /* else the order of the names differs because the names do */
        compare(d, &table_order, has_table, "table", name);
    for (size_t i = 0; i < sizeof table_aspects / sizeof table_aspects[0]; i++)
        compare(d, &table_aspects[i], has_table, "table", name);
    if (d->found == 0)
        compare(d, &description, has_table, "table", name);
}

static void compare_presence(struct diff *d, const char *what)
{
    const struct aspect presence = {what, write_has_object};
    compare(d, &presence, any_side, what, object_name(d->sides, d->count));
}

size_t verify_diff_table(const struct verify_side *sides, size_t count, struct buf *out)
{
    struct diff d;
    if (begin(&d, sides, count, out) == 0) {
        compare_presence(&d, "table");
        compare_tables(&d);
    }
    return end(&d);
}

size_t verify_diff_presence(const char *what, const struct verify_side *sides, size_t count, struct buf *out)
{
    struct diff d;
    if (begin(&d, sides, count, out) == 0)
        compare_presence(&d, what);
    return end(&d);
}

void verify_diff_explain(const struct verify_side sides[2], struct buf *out)
{
    struct diff d;
    if (begin(&d, sides, 2, NULL) == 0) {
        compare_tables(&d);
        if (d.found > 0)
            buf_append(out, d.words.data, d.words.len);
    }
    (void)end(&d);
}
