/* JSON: a strict reader (RFC 8259, and the contract's limits) and writers. The one home of json-c.
 *
 * json-c's own parser lets duplicate keys, control characters, NaN, broken UTF-8 and more pass, and saturates long
 * integers; so one strict scanner reads the text, and builds json-c's tree where one is wanted. What a tree holds was
 * valid. Knows nothing about SQL or HTTP.
 *
 * A JSON null is the NULL pointer, as in json-c.
 */
#ifndef SHARDGATE_JSON_H
#define SHARDGATE_JSON_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 16 /* levels of objects and arrays, the outermost included */

struct json_object; /* json-c's */

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Reads one JSON object. Anything else, before or behind it, is ERR_BAD_JSON with the byte offset. Refused: duplicate
 * keys, raw control characters, NaN and Infinity, invalid UTF-8, lone surrogates, NUL in a member name, more than
 * JSON_MAX_DEPTH levels. The caller frees *out with json_free. */
int json_read(const char *text, size_t len, struct json_object **out, struct err *e) __attribute__((warn_unused_result));
void json_free(struct json_object *obj);

enum json_kind json_kind(const struct json_object *v);
const char *json_kind_name(enum json_kind kind); /* "a string", "an object", for messages */

/* The member `name` of an object; false when there is none. *out is borrowed. */
bool json_member(const struct json_object *obj, const char *name, struct json_object **out);

/* Members in their order. Start with a zeroed iterator; false at the end. All is borrowed. */
struct json_iter {
    void *next;
    bool started;
};
bool json_next(const struct json_object *obj, struct json_iter *it, const char **name, struct json_object **value);

size_t json_array_length(const struct json_object *array);
struct json_object *json_array_at(const struct json_object *array, size_t i); /* borrowed */

bool json_boolean(const struct json_object *v);

/* A string's bytes: UTF-8, may hold NUL. Borrowed. */
const char *json_string(const struct json_object *v, size_t *len);

/* A number as it was written, every digit kept ("1.50", "123456789012345678901234567890"). Borrowed; lives until the
 * next call on the same value. */
const char *json_number(const struct json_object *v, size_t *len);

/* Typed members for request bodies. 0 with the value; for an absent member 0 with NULL (or `fallback`) unless
 * `required`, then ERR_MISSING_FIELD; ERR_BAD_FIELD for a value of another kind. Null counts as absent. */
int json_get_object(const struct json_object *obj, const char *name, bool required, struct json_object **out, struct err *e)
    __attribute__((warn_unused_result));
int json_get_array(const struct json_object *obj, const char *name, bool required, struct json_object **out, struct err *e)
    __attribute__((warn_unused_result));
int json_get_string(const struct json_object *obj, const char *name, bool required, const char **out, size_t *len, struct err *e)
    __attribute__((warn_unused_result));
/* The same for a string that is a name, in which a NUL is ERR_BAD_JSON: what follows it would be lost on the way to the database. */
int json_get_name(const struct json_object *obj, const char *name, bool required, const char **out, size_t *len, struct err *e)
    __attribute__((warn_unused_result));
int json_get_bool(const struct json_object *obj, const char *name, bool fallback, bool *out, struct err *e)
    __attribute__((warn_unused_result));

/* Is this value, which messages call `field` ("columns[2]"), a name? ERR_BAD_FIELD for what is no string, ERR_BAD_JSON for one
 * with a NUL. *out is borrowed. */
int json_read_name(const struct json_object *v, const char *field, const char **out, size_t *len, struct err *e)
    __attribute__((warn_unused_result));

/* ERR_BAD_FIELD for a member of `obj` whose name is not in the NULL-terminated list. */
int json_check_members(const struct json_object *obj, const char *const *allowed, struct err *e)
    __attribute__((warn_unused_result));

/* Finds top-level members of an object without making a tree: scans `text` strictly (ERR_BAD_JSON as json_read) and
 * stores for each name the raw text of its value; `len` 0 when absent. Slices point into `text`. */
struct json_slice {
    const char *name;
    const char *text;
    size_t len;
};
int json_slices(const char *text, size_t len, struct json_slice *slices, size_t count, struct err *e)
    __attribute__((warn_unused_result));

/* The members of one object without a tree, for many objects one after the other: what was allocated for one serves the next. */
struct json_field {
    const char *name; /* NUL-terminated */
    enum json_kind kind;
    const char *text; /* a string's bytes; a number or a boolean as it was written; "" or raw text for the others */
    size_t len;
};
struct json_name;
struct json_fields {
    struct json_field *items;
    size_t count, room;
    char *pool;
    size_t pool_room;
    struct json_name *names;
    size_t name_room;
};
/* Reads one object as strictly as json_read does. Start with a zeroed struct. The fields live until the next call, and no
 * longer than `text`. After a failure there is nothing to be read in `f`, but it may be used again. */
int json_fields_read(struct json_fields *f, const char *text, size_t len, struct err *e) __attribute__((warn_unused_result));
/* The same of a tree; the fields live as long as it does. */
int json_fields_from(struct json_fields *f, const struct json_object *obj, struct err *e) __attribute__((warn_unused_result));
void json_fields_clear(struct json_fields *f);

/* Writers. A string is written with quotes; what JSON must escape is escaped, all else stays UTF-8 (malformed bytes become
 * U+FFFD). Doubles are written as ECMAScript does: 3, 0.1, 1e+21. */
void json_write_string(struct buf *b, const char *text, size_t len);
void json_write_text(struct buf *b, const char *text); /* NUL-terminated */
void json_write_double(struct buf *b, double v);       /* shortest text that reads back the same; v is finite */
void json_write_float(struct buf *b, float v);         /* the same for single precision */
void json_write_base64(struct buf *b, const void *data, size_t len);
void json_write_value(struct buf *b, const struct json_object *v); /* compact; numbers as they were written */

/* Canonical JSON, RFC 8785: members sorted by UTF-16 code units, numbers as ECMAScript writes them. */
void json_write_canonical(struct buf *b, const struct json_object *v);

#endif
