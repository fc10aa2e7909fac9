/* How the reader (json_read.c) makes trees without knowing json-c. Only the reader includes this: trees are never changed
 * once they are read. What is returned is the caller's; NULL when memory ran out. */
#ifndef SHARDGATE_JSON_BUILD_H
#define SHARDGATE_JSON_BUILD_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

struct json_object *json_build_object(void);
struct json_object *json_build_array(void);
struct json_object *json_build_boolean(bool v);
struct json_object *json_build_string(const char *text, size_t len); /* len at most INT_MAX */

/* `text` is a valid number with a NUL behind it; `integer` when it has neither fraction nor exponent. The tree gives it
 * back as it is written here. */
struct json_object *json_build_number(const char *text, size_t len, bool integer);

/* Adds to an object or an array. Takes `value`, also on failure (-1, memory ran out). Nobody looks whether the
 * object has the name already: the reader does, and throws the tree away then. */
int json_build_member(struct json_object *obj, const char *name, struct json_object *value) __attribute__((warn_unused_result));
int json_build_element(struct json_object *array, struct json_object *value) __attribute__((warn_unused_result));

#endif
