#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/json.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A text with its length, NULs inside included. */
#define TEXT(literal) literal, sizeof(literal) - 1

static struct json_object *read_ok(const char *text, size_t len)
{
    struct err e = ERR_INIT;
    struct json_object *obj = NULL;
    /* A copy of exactly this length shows a sanitizer every byte that is read behind it. */
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    int rc = json_read(copy, len, &obj, &e);
    free(copy);
    assert_string_equal(e.detail, "");
    assert_int_equal(rc, 0);
    return obj;
}

/* The error's text of the reader, which json_slices must share; "" when both accept. Static. */
static const char *refusal(const char *text, size_t len)
{
    static struct err e;
    struct err sliced = ERR_INIT;
    struct json_object *obj;
    e = ERR_INIT;
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    int rc = json_read(copy, len, &obj, &e);
    assert_int_equal(rc, json_slices(copy, len, NULL, 0, &sliced));
    free(copy);
    assert_string_equal(e.detail, sliced.detail);
    assert_int_equal(e.code, rc == 0 ? ERR_NONE : ERR_BAD_JSON);
    if (rc) {
        assert_null(obj);
    }
    json_free(obj);
    return e.detail;
}

/* What is accepted comes back as it was written, but for space and escapes. */
static void valid_texts_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *written;
    } rows[] = {
        {TEXT("{}"), "{}"},
        {TEXT(" \t\r\n{ \t\r\n} \t\r\n"), "{}"},
        {TEXT("{\"a\":1}"), "{\"a\":1}"},
        {TEXT("{ \"b\" : null , \"a\" : [ true , false , [ ] , { } ] }"), "{\"b\":null,\"a\":[true,false,[],{}]}"},
        {TEXT("{\"\":\"\"}"), "{\"\":\"\"}"},
        {TEXT("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"), "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\t\"}"},
        {TEXT("{\"a\":\"\\u0000\\u001F\\u007f\"}"), "{\"a\":\"\\u0000\\u001f\x7f\"}"},
        {TEXT("{\"a\":\"\\u00e9\\u20AC\\uD83D\\ude00\\uffff\"}"), "{\"a\":\"é€😀\uffff\"}"},
        {TEXT("{\"a\":\"é€😀\xF4\x8F\xBF\xBF\xEE\x80\x80\xED\x9F\xBF\"}"), "{\"a\":\"é€😀\xF4\x8F\xBF\xBF\xEE\x80\x80\xED\x9F\xBF\"}"},
        {TEXT("{\"a\\u0062\":1,\"ab2\":2}"), "{\"ab\":1,\"ab2\":2}"},
        {TEXT("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}"), "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}"},
        {TEXT("{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"), "{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"}, /* 16 levels */
        {TEXT("{\"a\":{\"b\":{}},\"c\":[[]],\"d\":[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]}"),
         "{\"a\":{\"b\":{}},\"c\":[[]],\"d\":[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        assert_string_equal(refusal(rows[i].text, rows[i].len), "");
        struct json_object *obj = read_ok(rows[i].text, rows[i].len);
        json_write_value(&b, obj);
        assert_string_equal(buf_text(&b), rows[i].written);
        json_free(obj);
        buf_clear(&b);
    }
}

static void invalid_texts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *detail;
    } rows[] = {
        {TEXT(""), "body: empty; one JSON object is expected"},
        {TEXT(" \n"), "body: empty; one JSON object is expected"},
        {TEXT("[1]"), "body: unexpected character '[' at byte 0; one JSON object is expected"},
        {TEXT("1"), "body: unexpected character '1' at byte 0; one JSON object is expected"},
        {TEXT("\xEF\xBB\xBF{}"), "body: unexpected character U+FEFF at byte 0; one JSON object is expected"},
        {TEXT("{}x"), "body: unexpected character 'x' at byte 2; nothing behind the object is expected"},
        {TEXT("{} {}"), "body: unexpected character '{' at byte 3; nothing behind the object is expected"},
        {TEXT("{}\0"), "body: unexpected character U+0000 at byte 2; nothing behind the object is expected"},
        {TEXT("{"), "body: unexpected end at byte 1; a member name in double quotes is expected"},
        {TEXT("{\"a\""), "body: unexpected end at byte 4; ':' is expected"},
        {TEXT("{\"a\" 1}"), "body: unexpected character '1' at byte 5; ':' is expected"},
        {TEXT("{\"a\":"), "body: unexpected end at byte 5; a value is expected"},
        {TEXT("{\"a\":}"), "body: unexpected character '}' at byte 5; a value is expected"},
        {TEXT("{\"a\":1"), "body: unexpected end at byte 6; ',' or '}' is expected"},
        {TEXT("{\"a\":1,}"), "body: unexpected character '}' at byte 7; a member name in double quotes is expected"},
        {TEXT("{,}"), "body: unexpected character ',' at byte 1; a member name in double quotes is expected"},
        {TEXT("{a:1}"), "body: unexpected character 'a' at byte 1; a member name in double quotes is expected"},
        {TEXT("{'a':1}"), "body: unexpected character ''' at byte 1; a member name in double quotes is expected"},
        {TEXT("{\"a\":[1,]}"), "body: unexpected character ']' at byte 8; a value is expected"},
        {TEXT("{\"a\":[1 2]}"), "body: unexpected character '2' at byte 8; ',' or ']' is expected"},
        {TEXT("{\"a\":[1}"), "body: unexpected character '}' at byte 7; ',' or ']' is expected"},
        {TEXT("{\"a\":1]"), "body: unexpected character ']' at byte 6; ',' or '}' is expected"},
        {TEXT("{\"a\":/**/1}"), "body: unexpected character '/' at byte 5; a value is expected"},
        {TEXT("{\"a\":\v1}"), "body: unexpected character U+000B at byte 5; a value is expected"},
        {TEXT("{\"a\":\xC2\xA0" "1}"), "body: unexpected character U+00A0 at byte 5; a value is expected"},
        /* literals */
        {TEXT("{\"a\":tru}"), "body: unexpected character '}' at byte 8; true is expected"},
        {TEXT("{\"a\":True}"), "body: unexpected character 'T' at byte 5; a value is expected"},
        {TEXT("{\"a\":nul"), "body: unexpected end at byte 8; null is expected"},
        {TEXT("{\"a\":falsee}"), "body: unexpected character 'e' at byte 10; ',' or '}' is expected"},
        {TEXT("{\"a\":NaN}"), "body: unexpected character 'N' at byte 5; a value is expected"},
        {TEXT("{\"a\":Infinity}"), "body: unexpected character 'I' at byte 5; a value is expected"},
        {TEXT("{\"a\":-Infinity}"), "body: unexpected character 'I' at byte 6; a digit is expected"},
        /* numbers */
        {TEXT("{\"a\":01}"), "body: unexpected character '1' at byte 6; ',' or '}' is expected"},
        {TEXT("{\"a\":-01}"), "body: unexpected character '1' at byte 7; ',' or '}' is expected"},
        {TEXT("{\"a\":+1}"), "body: unexpected character '+' at byte 5; a value is expected"},
        {TEXT("{\"a\":.5}"), "body: unexpected character '.' at byte 5; a value is expected"},
        {TEXT("{\"a\":1.}"), "body: unexpected character '}' at byte 7; a digit is expected"},
        {TEXT("{\"a\":1.e1}"), "body: unexpected character 'e' at byte 7; a digit is expected"},
        {TEXT("{\"a\":1e}"), "body: unexpected character '}' at byte 7; a digit is expected"},
        {TEXT("{\"a\":1e+"), "body: unexpected end at byte 8; a digit is expected"},
        {TEXT("{\"a\":-}"), "body: unexpected character '}' at byte 6; a digit is expected"},
        {TEXT("{\"a\":0x1}"), "body: unexpected character 'x' at byte 6; ',' or '}' is expected"},
        /* strings */
        {TEXT("{\"a\":\"b"), "body: unexpected end at byte 7; '\"' is expected"},
        {TEXT("{\"a\":\"b\\"), "body: unexpected end at byte 8; one of \"\\/bfnrtu behind a backslash is expected"},
        {TEXT("{\"a\":\"\\x\"}"),
         "body: unexpected character 'x' at byte 7; one of \"\\/bfnrtu behind a backslash is expected"},
        {TEXT("{\"a\":\"\\\0\"}"),
         "body: unexpected character U+0000 at byte 7; one of \"\\/bfnrtu behind a backslash is expected"},
        {TEXT("{\"a\":\"\\u12G4\"}"), "body: unexpected character 'G' at byte 10; a hexadecimal digit is expected"},
        {TEXT("{\"a\":\"\\u12"), "body: unexpected end at byte 10; a hexadecimal digit is expected"},
        {TEXT("{\"a\":\"\n\"}"), "body: unexpected character U+000A at byte 6; an escape for a control character is expected"},
        {TEXT("{\"a\":\"\0\"}"), "body: unexpected character U+0000 at byte 6; an escape for a control character is expected"},
        {TEXT("{\"a\n\":1}"), "body: unexpected character U+000A at byte 3; an escape for a control character is expected"},
        {TEXT("{\"a\\u0000b\":1}"), "body: NUL in the member name at byte 1"},
        /* surrogates */
        {TEXT("{\"a\":\"\\ud800\"}"), "body: lone surrogate \\ud800 at byte 6"},
        {TEXT("{\"a\":\"\\udc00\"}"), "body: lone surrogate \\udc00 at byte 6"},
        {TEXT("{\"a\":\"\\ud800x\"}"), "body: lone surrogate \\ud800 at byte 6"},
        {TEXT("{\"a\":\"\\ud800\\n\"}"), "body: lone surrogate \\ud800 at byte 6"},
        {TEXT("{\"a\":\"\\ud800\\ud800\"}"), "body: lone surrogate \\ud800 at byte 6"},
        {TEXT("{\"a\":\"\\udc00\\ud800\"}"), "body: lone surrogate \\udc00 at byte 6"},
        {TEXT("{\"a\":\"\\ud83d\\ude00\\ude00\"}"), "body: lone surrogate \\ude00 at byte 18"},
        {TEXT("{\"\\udbff\":1}"), "body: lone surrogate \\udbff at byte 2"},
        {TEXT("{\"a\":\"\\ud800\\u00"), "body: unexpected end at byte 16; a hexadecimal digit is expected"},
        /* UTF-8 */
        {TEXT("{\"a\":\"\x80\"}"), "body: invalid UTF-8 at byte 6"},
        {TEXT("{\"a\":\"x\xC3\"}"), "body: invalid UTF-8 at byte 7"},
        {TEXT("{\"a\":\"\xC0\x80\"}"), "body: invalid UTF-8 at byte 6"},         /* overlong NUL */
        {TEXT("{\"a\":\"\xC1\xBF\"}"), "body: invalid UTF-8 at byte 6"},         /* overlong */
        {TEXT("{\"a\":\"\xE0\x9F\xBF\"}"), "body: invalid UTF-8 at byte 6"},     /* overlong */
        {TEXT("{\"a\":\"\xF0\x8F\xBF\xBF\"}"), "body: invalid UTF-8 at byte 6"}, /* overlong */
        {TEXT("{\"a\":\"\xED\xA0\x80\"}"), "body: invalid UTF-8 at byte 6"},     /* U+D800 */
        {TEXT("{\"a\":\"\xED\xBF\xBF\"}"), "body: invalid UTF-8 at byte 6"},     /* U+DFFF */
        {TEXT("{\"a\":\"\xF4\x90\x80\x80\"}"), "body: invalid UTF-8 at byte 6"}, /* U+110000 */
        {TEXT("{\"a\":\"\xF8\x88\x80\x80\x80\"}"), "body: invalid UTF-8 at byte 6"},
        {TEXT("{\"a\":\"\xFE\"}"), "body: invalid UTF-8 at byte 6"},
        {TEXT("{\"\xFF\":1}"), "body: invalid UTF-8 at byte 2"},
        {TEXT("{\"a\":\"\xE2\x82"), "body: invalid UTF-8 at byte 6"}, /* the text ends inside a character */
        {TEXT("\xFF"), "body: invalid UTF-8 at byte 0"},
        /* duplicate keys */
        {TEXT("{\"a\":1,\"a\":2}"), "body: duplicate key \"a\" at byte 7"},
        {TEXT("{\"a\":1,\"b\":2,\"\\u0061\":3}"), "body: duplicate key \"a\" at byte 13"},
        {TEXT("{\"\\n\":1,\"\\u000a\":2}"), "body: duplicate key \"\\u000a\" at byte 8"},
        {TEXT("{\"é\":1,\"\\u00e9\":2}"), "body: duplicate key \"é\" at byte 8"},
        {TEXT("{\"\":1,\"\":2}"), "body: duplicate key \"\" at byte 6"},
        {TEXT("{\"x\":[{\"a\":1,\"b\":{\"c\":1},\"b\":2}]}"), "body: duplicate key \"b\" at byte 25"},
        {TEXT("{\"b\":1,\"a\":1,\"c\":1,\"c\":2,\"b\":2,\"a\":2}"), "body: duplicate key \"c\" at byte 19"},
        {TEXT("{\"a\":1,\"a\":2,\"a\":3}"), "body: duplicate key \"a\" at byte 7"},
        /* levels */
        {TEXT("{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}"), "body: more than 16 levels at byte 20"},
        {TEXT("{\"a\":[[[[[[[[[[[[[[[{\"b\":1}]]]]]]]]]]]]]]]}"), "body: more than 16 levels at byte 20"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(refusal(rows[i].text, rows[i].len), rows[i].detail);
    }
}

static void numbers_come_back_as_written(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "0", "-0", "1", "-1", "999999999999999999", "-99999999999999999", "1000000000000000000", "9223372036854775807",
        "-9223372036854775808", "9223372036854775808", "18446744073709551615", "18446744073709551616",
        "123456789012345678901234567890123456789012345678901234567890", "-123456789012345678901234567890", "1.0", "1.50",
        "-0.0", "0e0", "-0e0", "-0E-0", "1e3", "1E+3", "1e999", "-1e999", "1e-999", "0.1000000000000000055511151231257827",
        "79228162514264337593543950335.0000",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[200];
        size_t len;
        int n = snprintf(text, sizeof text, "{\"a\":[%s]}", rows[i]);
        struct json_object *obj = read_ok(text, (size_t)n), *array, *number;
        assert_true(json_member(obj, "a", &array));
        number = json_array_at(array, 0);
        assert_int_equal(json_kind(number), JSON_NUMBER);
        assert_string_equal(json_number(number, &len), rows[i]);
        assert_int_equal(len, strlen(rows[i]));
        struct buf b;
        buf_init(&b, 1000);
        json_write_value(&b, obj);
        assert_string_equal(buf_text(&b), text);
        buf_clear(&b);
        json_free(obj);
    }
}

static void a_tree_can_be_walked(void **state)
{
    (void)state;
    struct json_object *obj = read_ok(TEXT("{\"n\":null,\"b\":true,\"i\":1,\"s\":\"a\\u0000b\",\"a\":[1,2],\"o\":{}}")), *v;
    static const struct {
        const char *name;
        enum json_kind kind;
    } rows[] = {{"n", JSON_NULL},   {"b", JSON_BOOL},  {"i", JSON_NUMBER},
                {"s", JSON_STRING}, {"a", JSON_ARRAY}, {"o", JSON_OBJECT}};
    struct json_iter it = {0};
    const char *name;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(json_next(obj, &it, &name, &v));
        assert_string_equal(name, rows[i].name);
        assert_int_equal(json_kind(v), rows[i].kind);
        struct json_object *same;
        assert_true(json_member(obj, name, &same));
        assert_ptr_equal(v, same);
    }
    assert_false(json_next(obj, &it, &name, &v));
    assert_false(json_next(obj, &it, &name, &v));
    assert_false(json_member(obj, "N", &v));
    assert_null(v);

    size_t len;
    json_member(obj, "s", &v);
    assert_memory_equal(json_string(v, &len), "a\0b", 4);
    assert_int_equal(len, 3);
    json_member(obj, "b", &v);
    assert_true(json_boolean(v));
    json_member(obj, "a", &v);
    assert_int_equal(json_array_length(v), 2);
    assert_string_equal(json_number(json_array_at(v, 1), &len), "2");
    json_member(obj, "o", &v);
    it = (struct json_iter){0};
    assert_false(json_next(v, &it, &name, &v));
    json_free(obj);
    json_free(NULL);
}

static void typed_members_are_checked(void **state)
{
    (void)state;
    struct json_object *obj = read_ok(TEXT("{\"n\":null,\"b\":true,\"i\":1,\"s\":\"x\",\"a\":[],\"o\":{}}")), *v;
    struct err e = ERR_INIT;
    const char *text;
    size_t len;
    bool flag;

    assert_int_equal(json_get_string(obj, "s", true, &text, &len, &e), 0);
    assert_string_equal(text, "x");
    assert_int_equal(len, 1);
    assert_int_equal(json_get_object(obj, "o", true, &v, &e), 0);
    assert_non_null(v);
    assert_int_equal(json_get_array(obj, "a", true, &v, &e), 0);
    assert_non_null(v);
    assert_int_equal(json_get_bool(obj, "b", false, &flag, &e), 0);
    assert_true(flag);

    /* absent, and null, which counts as absent */
    for (int i = 0; i < 2; i++) {
        const char *name = i == 0 ? "none" : "n";
        assert_int_equal(json_get_string(obj, name, false, &text, &len, &e), 0);
        assert_null(text);
        assert_int_equal(json_get_object(obj, name, false, &v, &e), 0);
        assert_null(v);
        assert_int_equal(json_get_bool(obj, name, true, &flag, &e), 0);
        assert_true(flag);
        assert_int_equal(json_get_array(obj, name, true, &v, &e), -1);
        assert_int_equal(e.code, ERR_MISSING_FIELD);
        e = ERR_INIT;
    }
    assert_int_equal(json_get_string(obj, "db_name", true, &text, &len, &e), -1);
    assert_string_equal(e.detail, "db_name: missing; a string is expected");
    e = ERR_INIT;
    assert_int_equal(json_get_name(obj, "db_name", true, &text, &len, &e), -1);
    assert_string_equal(e.detail, "db_name: missing; a string is expected");

    e = ERR_INIT;
    assert_int_equal(json_get_string(obj, "i", false, &text, &len, &e), -1);
    assert_int_equal(e.code, ERR_BAD_FIELD);
    assert_string_equal(e.detail, "i: a string is expected, not a number");
    assert_null(text);
    e = ERR_INIT;
    assert_int_equal(json_get_bool(obj, "s", false, &flag, &e), -1);
    assert_string_equal(e.detail, "s: true or false is expected, not a string");
    e = ERR_INIT;
    assert_int_equal(json_get_array(obj, "o", false, &v, &e), -1);
    assert_null(v);
    e = ERR_INIT;
    assert_int_equal(json_get_object(obj, "a", false, &v, &e), -1);
    assert_null(v);
    json_free(obj);
}

static void names_have_no_nul(void **state)
{
    (void)state;
    static const struct {
        const char *value, *detail; /* NULL: a name */
    } table[] = {
        {"\"T\"", NULL},
        {"\"\"", NULL},
        {"\"T\\u0000x\"", "table: NUL in the name at byte 1"},
        {"5", "table: a string is expected, not a number"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[64];
        const char *name;
        size_t len;
        struct err e = ERR_INIT;
        snprintf(text, sizeof text, "{\"table\":%s}", table[i].value);
        struct json_object *obj = read_ok(text, strlen(text));
        int rc = json_get_name(obj, "table", true, &name, &len, &e);
        assert_int_equal(rc, table[i].detail ? -1 : 0);
        assert_string_equal(e.detail, table[i].detail ? table[i].detail : "");
        json_free(obj);
    }
}

static void unknown_members_are_named(void **state)
{
    (void)state;
    static const char *const allowed[] = {"db_name", "table", NULL};
    struct err e = ERR_INIT;
    struct json_object *obj = read_ok(TEXT("{\"table\":1,\"db_name\":2}"));
    assert_int_equal(json_check_members(obj, allowed, &e), 0);
    json_free(obj);
    obj = read_ok(TEXT("{\"table\":1,\"tab\\nle\":2}"));
    assert_int_equal(json_check_members(obj, allowed, &e), -1);
    assert_int_equal(e.code, ERR_BAD_FIELD);
    assert_string_equal(e.detail, "\"tab\\u000ale\": no such field; there are db_name, table");
    json_free(obj);
}

static void slices_are_the_raw_text_of_top_level_members(void **state)
{
    (void)state;
    static const char text[] = "{ \"rows\" : [ {\"count\":9}, 2 ] ,\"count\":-1.50e3,\"\\u0074otal\":\"a\\\"b\",\"z\":{\"rows\":[]},\"n\":null }";
    struct json_slice slices[] = {{.name = "count"}, {.name = "rows"}, {.name = "total"}, {.name = "absent", .len = 9}, {.name = "n"}};
    static const char *const expected[] = {"-1.50e3", "[ {\"count\":9}, 2 ]", "\"a\\\"b\"", "", "null"};
    struct err e = ERR_INIT;
    assert_int_equal(json_slices(text, sizeof text - 1, slices, COUNT(slices), &e), 0);
    for (size_t i = 0; i < COUNT(slices); i++) {
        assert_int_equal(slices[i].len, strlen(expected[i]));
        if (slices[i].len > 0) {
            assert_memory_equal(slices[i].text, expected[i], slices[i].len);
            assert_true(slices[i].text > text && slices[i].text < text + sizeof text);
        }
    }
}

/* "name:kind=text …" of the fields. */
static void render_fields(const struct json_fields *f, struct buf *out)
{
    static const char kinds[] = {'z', 'b', 'n', 's', 'a', 'o'};
    for (size_t i = 0; i < f->count; i++) {
        buf_printf(out, "%s%s:%c=", i == 0 ? "" : " ", f->items[i].name, kinds[f->items[i].kind]);
        buf_append(out, f->items[i].text, f->items[i].len);
    }
}

static void fields_are_read_without_a_tree(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"{}", ""},
        {"{\"a\":1}", "a:n=1"},
        {" { \"a\" : -1.50e3 , \"b\" : \"x\" } ", "a:n=-1.50e3 b:s=x"},
        {"{\"t\":true,\"f\":false,\"n\":null,\"e\":\"\"}", "t:b=true f:b=false n:z=null e:s="},
        {"{\"a\":\"1\\n2\",\"b\\u0041\":\"\\u00e9\\ud83d\\ude00\",\"c\":\"plain\"}", "a:s=1\n2 bA:s=\xc3\xa9\xf0\x9f\x98\x80 c:s=plain"},
        /* what stands inside others is not told, and does not disturb */
        {"{\"a\":\"\\t\",\"o\":{\"x\":\"\\r\",\"y\":{\"z\":\"\\b\"}},\"b\":\"\\n\",\"l\":[\"\\f\",1]}",
         "a:s=\t o:o={\"x\":\"\\r\",\"y\":{\"z\":\"\\b\"}} b:s=\n l:a=[\"\\f\",1]"},
    };
    struct json_fields f = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(json_fields_read(&f, rows[i].text, strlen(rows[i].text), &e), 0);
        render_fields(&f, &out);
        assert_string_equal(buf_text(&out), rows[i].expected);
        buf_clear(&out);
    }
    static const char *const bad[] = {"", "[]", "{\"a\":1,\"a\":2}", "{\"a\":1}x", "{\"a\"", "{\"a\\u0000\":1}", "{\"a\":\"\x01\"}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(json_fields_read(&f, bad[i], strlen(bad[i]), &e), -1);
        assert_int_equal(e.code, ERR_BAD_JSON);
    }
    json_fields_clear(&f);
}

/* Eight plain bytes are passed over at once: each byte that needs more is found at every place. */
static void escapes_are_found_everywhere(void **state)
{
    static const struct {
        const char *text, *written;
    } rows[] = {{"\"", "\\\""}, {"\\", "\\\\"}, {"\x1f", "\\u001f"}, {"\n", "\\n"}, {" ", " "}, {"!", "!"}, {"#", "#"}, {"[", "["}, {"]", "]"},
                {"\x7f", "\x7f"}, {"\xc3\xa9", "\xc3\xa9"}, {"\xff", "\xEF\xBF\xBD"}, {"\"\x01", "\\\"\\u0001"}};
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int before = 0; before < 17; before++) {
            for (int behind = 0; behind < 17; behind++) {
                char text[64], expected[64];
                int len = snprintf(text, sizeof text, "%.*s%s%.*s", before, "abcdefghijklmnopq", rows[i].text, behind, "ABCDEFGHIJKLMNOPQ");
                snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", before, "abcdefghijklmnopq", rows[i].written, behind, "ABCDEFGHIJKLMNOPQ");
                buf_reset(&b);
                json_write_string(&b, text, (size_t)len);
                assert_string_equal(buf_text(&b), expected);
            }
        }
    }
    buf_clear(&b);
}

static void strings_are_written_with_least_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *written;
    } rows[] = {
        {TEXT(""), "\"\""},
        {TEXT("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
        {TEXT("\b\t\n\f\r\0\x1f\x7f"), "\"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f\""},
        {TEXT("é学😀\u2028"), "\"é学😀\u2028\""},
        {TEXT("a\xff" "b\xED\xA0\x80\xE2\x82"), "\"a\uFFFD" "b\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        json_write_string(&b, rows[i].text, rows[i].len);
        assert_string_equal(buf_text(&b), rows[i].written);
        buf_clear(&b);
    }
}

static void base64_is_written_with_padding(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t len;
        const char *written;
    } rows[] = {
        {TEXT(""), "\"\""},         {TEXT("f"), "\"Zg==\""},      {TEXT("fo"), "\"Zm8=\""},        {TEXT("foo"), "\"Zm9v\""},
        {TEXT("foob"), "\"Zm9vYg==\""}, {TEXT("fooba"), "\"Zm9vYmE=\""}, {TEXT("foobar"), "\"Zm9vYmFy\""}, {TEXT("\0\xff\xfb\xf0"), "\"AP/78A==\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        json_write_base64(&b, rows[i].data, rows[i].len);
        assert_string_equal(buf_text(&b), rows[i].written);
        buf_clear(&b);
    }
}

static double double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* RFC 8785 appendix B, and numbers where the shortest text is easily missed. */
static void doubles_are_written_as_ecmascript_does(void **state)
{
    (void)state;
    static const struct {
        uint64_t bits;
        const char *written;
    } rows[] = {
        {0x0000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
        {0x3d30000000000000, "5.684341886080802e-14"}, /* 2^-44: the nearest 16 digits do not read back, the next do */
        {0x0010000000000000, "2.2250738585072014e-308"},
        {0x3fb999999999999a, "0.1"},
        {0x4008000000000000, "3"},
        {0xbff8000000000000, "-1.5"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 100);
        json_write_double(&b, double_of(rows[i].bits));
        assert_string_equal(buf_text(&b), rows[i].written);
        assert_true(strtod(buf_text(&b), NULL) == double_of(rows[i].bits));
        buf_clear(&b);
    }
}

static void floats_are_as_short_as_single_precision_allows(void **state)
{
    (void)state;
    static const struct {
        float v;
        const char *written;
    } rows[] = {
        {0.1f, "0.1"},
        {3.0f, "3"},
        {-0.0f, "-0"},
        {16777216.0f, "16777216"},
        {3.4028235e38f, "3.4028235e+38"},
        {1e-45f, "1e-45"},
        {1.17549435e-38f, "1.1754944e-38"},
        {0.3f, "0.3"},
        {9.5367432e-7f, "9.536743e-7"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 100);
        json_write_float(&b, rows[i].v);
        assert_string_equal(buf_text(&b), rows[i].written);
        buf_clear(&b);
    }
}

static void plain_decimals_are_written_as_they_are(void **state)
{
    (void)state;
    uint64_t seed = 1;
    struct buf b;
    buf_init(&b, 100);
    for (int i = 0; i < 200000; i++) {
        char text[64], expected[64];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int digits = 1 + (int)(seed >> 60) % 15, behind = (int)(seed >> 50 & 7);
        uint64_t limit = 1;
        while (digits-- > 0)
            limit *= 10;
        snprintf(text, sizeof text, "%" PRIu64 "e-%d", 1 + (seed >> 3) % (limit - 1), behind);
        double v = strtod(text, NULL);
        float f = strtof(text, NULL);
        if (v < 1e-4)
            continue;
        snprintf(expected, sizeof expected, "%.15g", v);
        buf_reset(&b);
        json_write_double(&b, v);
        assert_string_equal(buf_text(&b), expected);
        snprintf(expected, sizeof expected, "%.6g", (double)f);
        if (strtof(expected, NULL) != f || f >= 1e6f)
            continue;
        buf_reset(&b);
        json_write_float(&b, f);
        assert_string_equal(buf_text(&b), expected);
    }
    buf_clear(&b);
}

static void doubles_read_back_the_same(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u; /* xorshift64 */
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double v = double_of(bits);
        float f = (float)ldexp((double)(int32_t)bits, (int)(bits >> 40 & 255) - 160);
        if (!isfinite(v) || !isfinite(f)) {
            continue;
        }
        struct buf b;
        buf_init(&b, 100);
        json_write_double(&b, v);
        assert_true(strtod(buf_text(&b), NULL) == v);
        buf_reset(&b);
        json_write_float(&b, f);
        assert_true(strtof(buf_text(&b), NULL) == f);
        buf_clear(&b);
    }
}

static void canonical_json_is_rfc_8785(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *canonical;
    } rows[] = {
        /* RFC 8785 3.2.2 and 3.2.3 */
        {TEXT("{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"
              "\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}"),
         "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
         "\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
        {TEXT("{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\","
              "\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
              "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}"),
         "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\","
         "\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\uFB33\":\"Hebrew Letter Dalet With Dagesh\"}"},
        /* the routing vectors' rows */
        {TEXT("{ \"name\" : \"Ali\", \"grade\" : \"A\" }"), "{\"grade\":\"A\",\"name\":\"Ali\"}"},
        {TEXT("{\"c\":true,\"a\":1.0,\"b\":null}"), "{\"a\":1,\"b\":null,\"c\":true}"},
        {TEXT("{}"), "{}"},
        /* order: prefixes first, and by UTF-16 code units behind an equal start */
        {TEXT("{\"ab\":1,\"a\":2,\"\":3,\"B\":4}"), "{\"\":3,\"B\":4,\"a\":2,\"ab\":1}"},
        {TEXT("{\"x\xEE\x80\x80\":1,\"x\xF0\x90\x80\x80\":2,\"x\xED\x9F\xBF\":3,\"x\":4}"),
         "{\"x\":4,\"x\xED\x9F\xBF\":3,\"x\xF0\x90\x80\x80\":2,\"x\xEE\x80\x80\":1}"},
        {TEXT("{\"\xF0\x9F\x98\x81\":1,\"\xF0\x9F\x98\x80\":2}"), "{\"\xF0\x9F\x98\x80\":2,\"\xF0\x9F\x98\x81\":1}"},
        /* numbers */
        {TEXT("{\"a\":[-0,-0.0,1e0,100,1E400,9223372036854775807,1e21,123e-20]}"),
         "{\"a\":[0,0,1,100,1E400,9223372036854776000,1e+21,1.23e-18]}"},
        {TEXT("{\"b\":{\"d\":1,\"c\":[{\"f\":1,\"e\":2}]},\"a\":0}"), "{\"a\":0,\"b\":{\"c\":[{\"e\":2,\"f\":1}],\"d\":1}}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        struct json_object *obj = read_ok(rows[i].text, rows[i].len);
        json_write_canonical(&b, obj);
        assert_string_equal(buf_text(&b), rows[i].canonical);
        json_free(obj);
        buf_clear(&b);
    }
}

static void writers_keep_the_first_failure(void **state)
{
    (void)state;
    struct json_object *obj = read_ok(TEXT("{\"b\":[1,2,{\"x\":\"yyyyyyyyyy\"}],\"a\":1.5}"));
    for (size_t max = 0; max < 40; max++) {
        struct buf b, c;
        buf_init(&b, max);
        buf_init(&c, max);
        json_write_value(&b, obj);
        json_write_canonical(&c, obj);
        assert_int_equal(buf_status(&b), max < 38 ? -1 : 0);
        assert_int_equal(buf_status(&c), max < 38 ? -1 : 0);
        buf_clear(&b);
        buf_clear(&c);
    }
    json_free(obj);
}

/* Looking for duplicates costs about as much as reading, in an object of very many members too. */
static void many_members_are_not_quadratic(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8 << 20);
    buf_append_char(&b, '{');
    for (int i = 0; i < 300000; i++) {
        buf_printf(&b, "\"%x\":0,", i);
    }
    buf_append_text(&b, "\"2a\":0}"); /* 0x2a came before */
    assert_int_equal(buf_status(&b), 0);
    struct err e = ERR_INIT;
    clock_t start = clock();
    assert_int_equal(json_slices(b.data, b.len, NULL, 0, &e), -1);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_true(strncmp(e.detail, "body: duplicate key \"2a\" at byte 2", 34) == 0);
    assert_true(seconds < 5); /* a quadratic search takes minutes */
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_read),
        cmocka_unit_test(invalid_texts_are_refused),
        cmocka_unit_test(numbers_come_back_as_written),
        cmocka_unit_test(a_tree_can_be_walked),
        cmocka_unit_test(typed_members_are_checked),
        cmocka_unit_test(names_have_no_nul),
        cmocka_unit_test(unknown_members_are_named),
        cmocka_unit_test(slices_are_the_raw_text_of_top_level_members),
        cmocka_unit_test(fields_are_read_without_a_tree),
        cmocka_unit_test(strings_are_written_with_least_escapes),
        cmocka_unit_test(escapes_are_found_everywhere),
        cmocka_unit_test(base64_is_written_with_padding),
        cmocka_unit_test(doubles_are_written_as_ecmascript_does),
        cmocka_unit_test(floats_are_as_short_as_single_precision_allows),
        cmocka_unit_test(plain_decimals_are_written_as_they_are),
        cmocka_unit_test(doubles_read_back_the_same),
        cmocka_unit_test(canonical_json_is_rfc_8785),
        cmocka_unit_test(writers_keep_the_first_failure),
        cmocka_unit_test(many_members_are_not_quadratic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
