/* Reads tests/data/injection.tsv: what clients must not be able to say, and what they must. For unit tests. */
#ifndef SHARDGATE_TESTS_CORPUS_H
#define SHARDGATE_TESTS_CORPUS_H

#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct corpus {
    FILE *file;
    char *line;
    size_t size;
    struct json_object *body;
    /* the row */
    int id;
    const char *field; /* condition, db, table, column, type */
    bool rejected;     /* the contract refuses it */
    const char *payload; /* NULL when the JSON itself is refused */
    size_t len;
};

/* Opens the corpus; fails the test when it is not there. */
void corpus_open(struct corpus *c);
/* Reads the next row; false at the end. What it points to lives until the next call. */
bool corpus_next(struct corpus *c);
void corpus_close(struct corpus *c);

#endif
