/* Walks the rows of a worker's answer without making a tree: each row's raw text and the raw values of its members.
 *
 * The text is strict JSON already (merge_accept); a row's members are told apart by their order alone, which the worker
 * contract fixes. Knows nothing about types or plans.
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

/* 1 with the next row's text and its `count` values, 0 behind the last one, -1 for an element that is no object of just
 * `count` members. */
int rowscan_next(struct rowscan *s, struct json_slice *row, struct json_slice *values, size_t count)
    __attribute__((warn_unused_result));

/* Splits an array into the raw texts of its `count` elements. -1 when it has not so many. */
int rowscan_array(struct json_slice array, struct json_slice *values, size_t count) __attribute__((warn_unused_result));

#endif
