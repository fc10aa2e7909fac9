/* Inside of INSERT, UPDATE and DELETE: the row that is being written, for exec_dml.c and exec_park.c. */
#ifndef SHARDGATE_TDS_EXEC_WRITE_H
#define SHARDGATE_TDS_EXEC_WRITE_H

#include "tds-server/engine/exec.h"

struct parked;

struct writer {
    struct run *run;
    struct plan *plan;
    struct plan_write *w;
    const char *verb;     /* "INSERT" */
    struct value *values; /* one a target */
    struct buf *own;      /* their bytes, where a conversion made some */
    int64_t identity;     /* the last number given */
    bool identity_used;
    struct parked *parked, **last_parked;
    int64_t parked_count;
    int64_t free_row;       /* a row number that no row has, once something was parked */
    char table_name[1024];  /* "db.dbo.T", or "" until it is needed */
    char object_name[1024]; /* "dbo.T" */
};

/* Writes a row. A key that another row has is fault 2627 or 2601; with `duplicate` it sets that instead, and writes nothing. */
int exec_write_row(struct writer *w, const struct value *values, int64_t row, bool *duplicate) __attribute__((warn_unused_result));

/* Puts the row under way aside: gives it keys like no other's, and keeps its new values. */
int exec_park(struct writer *w, int64_t row) __attribute__((warn_unused_result));
/* Writes what was put aside. A key that is there twice now is there twice in the end. */
int exec_unpark(struct writer *w) __attribute__((warn_unused_result));
void exec_forget_parked(struct writer *w);

#endif
