#include "fcgi-worker/write.h"

#include "fcgi-worker/ledger.h"

/* The one statement of a write that has one row of values at most. */
static int run_alone(struct request *r, const struct statement *s, const struct statement_note *note, struct write_result *out)
{
    struct statement noted;
    int rc;

    statement_init(&noted);
    if (note != NULL)
        statement_ledger_write(&noted, s, buf_text(&r->database), note);
    rc = statement_status(&noted, &r->error);
    if (rc == 0)
        rc = (note != NULL ? db_execute_number : db_execute)(r->db, note != NULL ? &noted : s, DB_WRITE, r->deadline_us, &out->rows, &r->error);
    if (rc < 0 && r->error.sql_error != 0)
        out->bad_row = s->first_row;
    statement_clear(&noted);
    return rc;
}

/* One of several statements, in a transaction. */
static int run_part(struct request *r, const struct statement *s, struct write_result *out)
{
    size_t bad_row = SIZE_MAX;
    int64_t rows = 0;
    int rc;

    if (s->rows <= 1) {
        rc = db_execute(r->db, s, DB_WRITE, r->deadline_us, &rows, &r->error);
        bad_row = 0;
    } else {
        rc = db_execute_rows(r->db, s, r->deadline_us, &rows, &bad_row, &r->error);
    }
    out->rows += rows;
    if (rc < 0 && bad_row != SIZE_MAX && r->error.sql_error != 0)
        out->bad_row = s->first_row + bad_row;
    return rc;
}

static int commit(struct request *r, const struct statement_note *note, int64_t rows)
{
    struct statement s;

    if (note == NULL)
        return db_commit(r->db, r->deadline_us, &r->error);
    statement_init(&s);
    statement_ledger_commit(&s, buf_text(&r->database), note, rows);
    int rc = db_commit_by(r->db, &s, r->deadline_us, &r->error);
    statement_clear(&s);
    return rc;
}

static int run_all(struct request *r, const struct statement *items, size_t count, const struct statement_note *note, struct write_result *out)
{
    *out = (struct write_result){.bad_row = SIZE_MAX};
    if (count == 1 && items[0].rows <= 1)
        return run_alone(r, &items[0], note, out);
    if (db_begin(r->db, r->deadline_us, &r->error) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (run_part(r, &items[i], out) < 0) {
            db_rollback(r->db);
            return -1;
        }
    }
    return commit(r, note, out->rows);
}

int write_run(struct request *r, const struct statement *items, size_t count, struct write_result *out)
{
    struct ledger_entry entry;
    int rc;

    *out = (struct write_result){.bad_row = SIZE_MAX};
    if (count == 0)
        return 0;
    rc = ledger_open(&entry, r);
    for (int attempt = 0; rc == 0 && attempt < WRITE_ATTEMPTS; attempt++) {
        rc = run_all(r, items, count, entry.key != NULL ? &entry.note : NULL, out);
        if (rc == 0)
            break;
        enum ledger_verdict verdict = ledger_settle(&entry, &out->rows);
        r->replayed = verdict == LEDGER_REPLAYED;
        if (verdict != LEDGER_FAILED)
            rc = 0;
        if (verdict != LEDGER_AGAIN)
            break;
        if (attempt + 1 == WRITE_ATTEMPTS)
            rc = -1;
        else
            r->error = ERR_INIT;
    }
    ledger_close(&entry);
    return rc;
}
