/* The home of json-c: trees are built and looked into here. */
#include "common/json.h"

#include "common/json_build.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

/* Building, for the reader. */

#define INT64_DIGITS 18 /* that surely fit an int64_t */

struct json_object *json_build_object(void)
{
    return json_object_new_object();
}

struct json_object *json_build_array(void)
{
    return json_object_new_array();
}

struct json_object *json_build_boolean(bool v)
{
    return json_object_new_boolean(v);
}

struct json_object *json_build_string(const char *text, size_t len)
{
    return json_object_new_string_len(text, (int)len);
}

struct json_object *json_build_number(const char *text, size_t len, bool integer)
{
    /* An int64_t is written in one way only, -0 apart. All others become doubles that carry their text: json-c would
     * saturate long integers. */
    if (integer && len <= INT64_DIGITS && strcmp(text, "-0") != 0) {
        return json_object_new_int64(strtoll(text, NULL, 10));
    }
    return json_object_new_double_s(strtod(text, NULL), text);
}

int json_build_member(struct json_object *obj, const char *name, struct json_object *value)
{
    if (json_object_object_add_ex(obj, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW)) {
        json_object_put(value);
        return -1;
    }
    return 0;
}

int json_build_element(struct json_object *array, struct json_object *value)
{
    if (json_object_array_add(array, value)) {
        json_object_put(value);
        return -1;
    }
    return 0;
}

void json_free(struct json_object *obj)
{
    json_object_put(obj);
}

/* Looking into a tree. */

enum json_kind json_kind(const struct json_object *v)
{
    switch (json_object_get_type(v)) {
    case json_type_boolean:
        return JSON_BOOL;
    case json_type_int:
    case json_type_double:
        return JSON_NUMBER;
    case json_type_string:
        return JSON_STRING;
    case json_type_array:
        return JSON_ARRAY;
    case json_type_object:
        return JSON_OBJECT;
    case json_type_null:
        break;
    }
    return JSON_NULL;
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",       [JSON_BOOL] = "true or false", [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",     [JSON_OBJECT] = "an object",
    };
    return names[kind];
}

bool json_member(const struct json_object *obj, const char *name, struct json_object **out)
{
    *out = NULL;
    return json_object_object_get_ex(obj, name, out);
}

bool json_next(const struct json_object *obj, struct json_iter *it, const char **name, struct json_object **value)
{
    if (!it->started) {
        const struct lh_table *table = json_object_get_object(obj);
        it->next = table ? table->head : NULL;
        it->started = true;
    }
    const struct lh_entry *entry = it->next;
    if (!entry) {
        return false;
    }
    *name = lh_entry_k(entry);
    *value = lh_entry_v(entry);
    it->next = entry->next;
    return true;
}

size_t json_array_length(const struct json_object *array)
{
    return json_object_array_length(array);
}

struct json_object *json_array_at(const struct json_object *array, size_t i)
{
    return json_object_array_get_idx(array, i);
}

bool json_boolean(const struct json_object *v)
{
    return json_object_get_boolean(v);
}

const char *json_string(const struct json_object *v, size_t *len)
{
    /* json-c makes the text of what is no string on demand, hence its missing const. */
    *len = (size_t)json_object_get_string_len(v);
    return json_object_get_string((struct json_object *)v);
}

const char *json_number(const struct json_object *v, size_t *len)
{
    struct json_object *number = (struct json_object *)v; /* json-c keeps the text that it makes in the object */
    const char *text = json_object_get_userdata(number);  /* a double's, as it was written */
    if (text) {
        *len = strlen(text);
        return text;
    }
    *len = 0;
    text = json_object_to_json_string_length(number, JSON_C_TO_STRING_PLAIN, len);
    return text ? text : "";
}

/* Typed members. */

static int get_member(const struct json_object *obj, const char *name, bool required, enum json_kind kind,
                      struct json_object **out, struct err *e)
{
    json_member(obj, name, out);
    if (!*out) {
        return required ? err_set(e, ERR_MISSING_FIELD, "%s: missing; %s is expected", name, json_kind_name(kind)) : 0;
    }
    if (json_kind(*out) != kind) {
        err_set(e, ERR_BAD_FIELD, "%s: %s is expected, not %s", name, json_kind_name(kind),
                json_kind_name(json_kind(*out)));
        *out = NULL;
        return -1;
    }
    return 0;
}

int json_get_object(const struct json_object *obj, const char *name, bool required, struct json_object **out, struct err *e)
{
    return get_member(obj, name, required, JSON_OBJECT, out, e);
}

int json_get_array(const struct json_object *obj, const char *name, bool required, struct json_object **out, struct err *e)
{
    return get_member(obj, name, required, JSON_ARRAY, out, e);
}

int json_get_string(const struct json_object *obj, const char *name, bool required, const char **out, size_t *len,
                    struct err *e)
{
    struct json_object *v;
    *out = NULL;
    *len = 0;
    if (get_member(obj, name, required, JSON_STRING, &v, e)) {
        return -1;
    }
    if (v) {
        *out = json_string(v, len);
    }
    return 0;
}

int json_read_name(const struct json_object *v, const char *field, const char **out, size_t *len, struct err *e)
{
    if (json_kind(v) != JSON_STRING) {
        return err_set(e, ERR_BAD_FIELD, "%s: a string is expected, not %s", field, json_kind_name(json_kind(v)));
    }
    *out = json_string(v, len);
    const char *nul = memchr(*out, '\0', *len);
    return nul ? err_set(e, ERR_BAD_JSON, "%s: NUL in the name at byte %zu", field, (size_t)(nul - *out)) : 0;
}

int json_get_name(const struct json_object *obj, const char *name, bool required, const char **out, size_t *len,
                  struct err *e)
{
    struct json_object *v;
    *out = NULL;
    *len = 0;
    if (get_member(obj, name, required, JSON_STRING, &v, e)) {
        return -1;
    }
    return v ? json_read_name(v, name, out, len, e) : 0;
}

int json_get_bool(const struct json_object *obj, const char *name, bool fallback, bool *out, struct err *e)
{
    struct json_object *v;
    *out = fallback;
    if (get_member(obj, name, false, JSON_BOOL, &v, e)) {
        return -1;
    }
    if (v) {
        *out = json_boolean(v);
    }
    return 0;
}

static bool contains(const char *const *list, const char *name)
{
    for (; *list; list++) {
        if (strcmp(*list, name) == 0) {
            return true;
        }
    }
    return false;
}

int json_check_members(const struct json_object *obj, const char *const *allowed, struct err *e)
{
    struct json_iter it = {0};
    const char *name;
    struct json_object *value;
    while (json_next(obj, &it, &name, &value)) {
        if (contains(allowed, name)) {
            continue;
        }
        struct buf detail;
        buf_init(&detail, 4 * ERR_DETAIL_MAX);
        err_quote(&detail, name, strlen(name));
        for (size_t i = 0; allowed[i]; i++) {
            buf_printf(&detail, "%s%s", i == 0 ? ": no such field; there are " : ", ", allowed[i]);
        }
        err_set(e, ERR_BAD_FIELD, "%s", buf_text(&detail));
        buf_clear(&detail);
        return -1;
    }
    return 0;
}
