/* Finds the rows of an array, and the members of a row, in JSON's text without making a tree.
 *
 * What is no JSON may pass as a value, so that the results of JSON are JSON, and no more is promised. A row's members are
 * told apart by their order alone, which the worker contract fixes. Knows nothing about types or plans.
 */
#ifndef SHARDGATE_ROWSCAN_H
#define SHARDGATE_ROWSCAN_H

#include "common/json.h"

struct rowscan {
    const char *at;
    const char *end;
};

/* `array` is the raw array of rows; it is borrowed. */
void rowscan_init(struct rowscan *s, struct json_slice array);

/* 1 with the next element's text, 0 behind the last one. */
int rowscan_next(struct rowscan *s, struct json_slice *row) __attribute__((warn_unused_result));

/* The raw values of a row's members. -1 for what is no object of just `count` members. */
int rowscan_members(struct json_slice row, struct json_slice *values, size_t count) __attribute__((warn_unused_result));

/* Splits an array into the raw texts of its `count` elements. -1 when it has not so many. */
int rowscan_array(struct json_slice array, struct json_slice *values, size_t count) __attribute__((warn_unused_result));

#endif
