#include "tds-server/engine/exec_write.h"

#include "tds-server/functions/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* UPDATE t SET id = id + 1 is one change for SQL, and has no duplicate keys at its end; row by row it has. A row whose new
 * key another row still has is put aside: its own keys are given up for values of a kind that no row's have (a text in a column of
 * numbers, a number in one of texts: SQLite's columns take any), and its new values are written when all others are. */

struct parked {
    struct parked *next;
    int64_t row;
    struct value *values;
    struct buf bytes;
};

/* Copies the row's values, bytes included. */
static struct parked *copy_row(const struct writer *w, int64_t row)
{
    size_t n = w->w->target_count;
    struct parked *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->row = row;
    p->values = calloc(n, sizeof *p->values);
    buf_init(&p->bytes, CONVERT_MAX_BYTES);
    for (size_t i = 0; p->values && i < n; i++) {
        p->values[i] = w->values[i];
        buf_append(&p->bytes, w->values[i].bytes.data, w->values[i].bytes.len);
    }
    if (!p->values || buf_status(&p->bytes) < 0) {
        free(p->values);
        buf_clear(&p->bytes);
        free(p);
        return NULL;
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        p->values[i].bytes.data = buf_text(&p->bytes) + at;
        at += p->values[i].bytes.len;
    }
    return p;
}

/* Finds a row number below all others, to count down from. */
static int find_free_row(struct writer *w)
{
    struct engine_session *s = w->run->session;
    sqlite3_stmt *stmt = NULL;
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT min(rowid) FROM d%d.t%d", w->w->database, w->w->table->id);
    if (exec_prepare(s, sql, &stmt) < 0)
        return -1;
    int result = exec_step(s, stmt);
    if (result > 0)
        w->free_row = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return result < 0 ? -1 : 0;
}

int exec_park(struct writer *w, int64_t row)
{
    struct engine_session *s = w->run->session;
    struct parked *p = copy_row(w, row);
    if (!p)
        return fault_set(&s->fault, FAULT_MEMORY);
    if (!w->parked)
        w->last_parked = &w->parked;
    *w->last_parked = p;
    w->last_parked = &p->next;
    if (w->parked_count++ == 0 && find_free_row(w) < 0)
        return -1;
    if (w->free_row == INT64_MIN)
        return fault_set(&s->fault, FAULT_INTERNAL, "no free row number");
    if (exec_prepare(s, w->w->park_sql, &w->w->park) < 0)
        return -1;
    char text[64];
    snprintf(text, sizeof text, "parked %lld", (long long)w->parked_count);
    sqlite3_stmt *stmt = w->w->park;
    int64_t moved = --w->free_row;
    bool moves = strstr(w->w->park_sql, "?3") != NULL;
    sqlite3_bind_int64(stmt, 1, w->parked_count);
    sqlite3_bind_text(stmt, 2, text, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, moved);
    sqlite3_bind_int64(stmt, 4, row);
    int result = exec_step(s, stmt);
    sqlite3_reset(stmt);
    if (moves)
        p->row = moved;
    return result < 0 ? -1 : 0;
}

int exec_unpark(struct writer *w)
{
    for (struct parked *p = w->parked; p; p = p->next) {
        if (exec_write_row(w, p->values, p->row, NULL) < 0)
            return -1;
    }
    return 0;
}

void exec_forget_parked(struct writer *w)
{
    while (w->parked) {
        struct parked *p = w->parked;
        w->parked = p->next;
        free(p->values);
        buf_clear(&p->bytes);
        free(p);
    }
}
