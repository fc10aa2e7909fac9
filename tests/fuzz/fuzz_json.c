/* The JSON reader and writers: what is refused gets a message that can be shown, what is accepted can be written and read
 * again without loss, and any bytes at all make a string that the reader takes. */
#include "common/json.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define OUTPUT_MAX (1 << 24)

/* A message has neither control characters nor malformed UTF-8. */
static void check_detail(const struct err *e)
{
    const char *p = e->detail, *end = p + strlen(p);
    CHECK(strncmp(p, "body: ", 6) == 0);
    while (p < end) {
        uint32_t cp = 0;
        size_t n = utf8_decode(p, (size_t)(end - p), &cp);
        CHECK(n > 0 && cp >= 0x20 && cp != 0x7F && !(cp >= 0x80 && cp < 0xA0));
        p += n;
    }
}

/* The tree that a text is read as, which our own writers or slices made: it has to be strict JSON. */
static struct json_object *read_again(struct buf *text)
{
    struct json_object *obj = NULL;
    struct err e = ERR_INIT;
    CHECK(buf_status(text) == 0 && json_read(text->data, text->len, &obj, &e) == 0);
    return obj;
}

static void check_same(struct buf *a, struct buf *b)
{
    CHECK(strcmp(buf_text(a), buf_text(b)) == 0);
}

/* What is written is read again, and makes the same text again; writing and reading does not change the canonical form. */
static void check_round_trip(const struct json_object *obj)
{
    struct buf written, canonical, again;
    buf_init(&written, OUTPUT_MAX);
    buf_init(&canonical, OUTPUT_MAX);
    buf_init(&again, OUTPUT_MAX);
    json_write_value(&written, obj);
    json_write_canonical(&canonical, obj);

    struct json_object *copy = read_again(&written);
    json_write_value(&again, copy);
    check_same(&written, &again);
    buf_reset(&again);
    json_write_canonical(&again, copy);
    check_same(&canonical, &again);
    json_free(copy);

    copy = read_again(&canonical);
    buf_reset(&again);
    json_write_canonical(&again, copy);
    check_same(&canonical, &again);
    json_free(copy);
    buf_clear(&written);
    buf_clear(&canonical);
    buf_clear(&again);
}

/* The slices that json_slices finds are those members' values in the tree. */
static void check_slices(const char *text, size_t len, const struct json_object *obj)
{
    struct json_iter it = {0};
    struct json_slice slices[4];
    size_t count = 0;
    struct json_object *value, *array;
    struct err e = ERR_INIT;
    struct buf sliced, whole;
    while (count < 4 && json_next(obj, &it, &slices[count].name, &value)) {
        count++;
    }
    CHECK(json_slices(text, len, slices, count, &e) == 0);
    buf_init(&sliced, OUTPUT_MAX);
    buf_init(&whole, OUTPUT_MAX);
    buf_append_text(&sliced, "{\"x\":[");
    for (size_t i = 0; i < count; i++) {
        CHECK(slices[i].len > 0 && slices[i].text > text && slices[i].len < (size_t)(text + len - slices[i].text));
        buf_append_text(&sliced, i > 0 ? "," : "");
        buf_append(&sliced, slices[i].text, slices[i].len);
        CHECK(json_member(obj, slices[i].name, &value));
        buf_append_text(&whole, i > 0 ? "," : "[");
        json_write_value(&whole, value);
    }
    buf_append_text(&sliced, "]}");
    buf_append_text(&whole, count > 0 ? "]" : "[]");
    if (json_read(buf_text(&sliced), sliced.len, &array, &e) == 0) { /* it is one level deeper */
        CHECK(json_member(array, "x", &value));
        buf_reset(&sliced);
        json_write_value(&sliced, value);
        check_same(&sliced, &whole);
        json_free(array);
    } else {
        CHECK(strstr(e.detail, "levels") != NULL);
    }
    buf_clear(&sliced);
    buf_clear(&whole);
}

/* Any bytes can be written as a string and in a message. */
static void check_any_bytes(const char *text, size_t len)
{
    struct buf b;
    struct err e = ERR_INIT;
    struct json_object *obj;
    buf_init(&b, OUTPUT_MAX);
    buf_append_text(&b, "{\"x\":");
    json_write_string(&b, text, len);
    buf_append_char(&b, '}');
    CHECK(buf_status(&b) == 0);
    CHECK(json_read(b.data, b.len, &obj, &e) == 0);
    json_free(obj);

    buf_reset(&b);
    buf_append_text(&b, "body: ");
    err_quote(&b, text, len);
    err_set(&e, ERR_BAD_FIELD, "%s", buf_text(&b));
    check_detail(&e);
    buf_clear(&b);
}

/* Read in place, an object has the members that its tree has. */
static void check_fields(struct json_fields *f, const struct json_object *obj)
{
    struct json_fields of_tree = {0};
    struct err e = ERR_INIT;
    CHECK(json_fields_from(&of_tree, obj, &e) == 0);
    CHECK(f->count == of_tree.count);
    for (size_t i = 0; i < f->count; i++) {
        const struct json_field *a = &f->items[i], *b = &of_tree.items[i];
        CHECK(strcmp(a->name, b->name) == 0 && a->kind == b->kind);
        if (a->kind == JSON_STRING || a->kind == JSON_NUMBER || a->kind == JSON_BOOL)
            CHECK(a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
    }
    json_fields_clear(&of_tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct err e = ERR_INIT, sliced = ERR_INIT;
    struct json_object *obj;
    int rc = json_read(text, size, &obj, &e);
    struct json_fields fields = {0};
    struct err in_place = ERR_INIT;
    CHECK(json_slices(text, size, NULL, 0, &sliced) == rc);
    CHECK(json_fields_read(&fields, text, size, &in_place) == rc);
    if (rc) {
        CHECK(e.code == ERR_BAD_JSON && sliced.code == ERR_BAD_JSON && !obj);
        CHECK(strcmp(e.detail, sliced.detail) == 0 && strcmp(e.detail, in_place.detail) == 0);
        check_detail(&e);
    } else {
        CHECK(json_kind(obj) == JSON_OBJECT);
        check_round_trip(obj);
        check_slices(text, size, obj);
        check_fields(&fields, obj);
        json_free(obj);
    }
    json_fields_clear(&fields);
    if (size % 4 == 0) /* it costs as much as all the rest */
        check_any_bytes(text, size);
    return 0;
}
