/* dberror.c: the driver's records and the phase decide code, outcome and detail. */
#include "fcgi-worker/dberror.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PREFIX "[FreeTDS][SQL Server]"

static void numbers_phases_and_outcomes(void **state)
{
    static const struct {
        struct dberror records[3];
        size_t count;
        enum dberror_phase phase;
        enum dberror_kind kind;
        enum err_code code;
        enum err_outcome outcome;
        int sql_error;
        const char *detail; /* NULL: not compared */
    } rows[] = {
        /* refused by the server: the write never took effect */
        {{{"23000", 2627, PREFIX "Violation of PRIMARY KEY constraint"}, {"01000", 3621, PREFIX "The statement has been terminated."}},
         2, DBERROR_WRITING, DBERROR_REFUSED, ERR_DUPLICATE_KEY, OUTCOME_NOT_APPLIED, 2627, "Violation of PRIMARY KEY constraint"},
        {{{"01000", 3621, PREFIX "The statement has been terminated."}, {"42000", 547, PREFIX "The INSERT statement conflicted"}},
         2, DBERROR_WRITING, DBERROR_REFUSED, ERR_CONSTRAINT_VIOLATION, OUTCOME_NOT_APPLIED, 547, "The INSERT statement conflicted"},
        {{{"42000", 2601, ""}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_DUPLICATE_KEY, OUTCOME_NOT_APPLIED, 2601, NULL},
        {{{"42000", 515, ""}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_BAD_VALUE, OUTCOME_NOT_APPLIED, 515, NULL},
        {{{"22003", 8115, ""}}, 1, DBERROR_READING, DBERROR_REFUSED, ERR_BAD_VALUE, OUTCOME_NOT_APPLIED, 8115, NULL},
        {{{"42S02", 208, ""}}, 1, DBERROR_READING, DBERROR_REFUSED, ERR_NO_SUCH_TABLE, OUTCOME_NOT_APPLIED, 208, NULL},
        {{{"42S22", 207, ""}}, 1, DBERROR_READING, DBERROR_REFUSED, ERR_UNKNOWN_COLUMN, OUTCOME_NOT_APPLIED, 207, NULL},
        {{{"08004", 911, ""}}, 1, DBERROR_READING, DBERROR_REFUSED, ERR_NO_SUCH_DATABASE, OUTCOME_NOT_APPLIED, 911, NULL},
        {{{"42000", 1801, ""}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_ALREADY_EXISTS, OUTCOME_NOT_APPLIED, 1801, NULL},
        {{{"42S01", 2714, ""}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_ALREADY_EXISTS, OUTCOME_NOT_APPLIED, 2714, NULL},
        {{{"42S02", 3701, ""}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_NO_SUCH_TABLE, OUTCOME_NOT_APPLIED, 3701, NULL},
        {{{"40001", 1205, ""}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_DEADLOCK, OUTCOME_NOT_APPLIED, 1205, NULL},
        {{{"42000", 1222, ""}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_DEADLINE_EXCEEDED, OUTCOME_NOT_APPLIED, 1222, NULL},
        {{{"42000", 9002, ""}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_STORAGE_FULL, OUTCOME_NOT_APPLIED, 9002, NULL},
        {{{"HY000", 9001, "the log is not available"}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_SHARD_UNAVAILABLE, OUTCOME_UNKNOWN, 9001, NULL},
        {{{"HY000", 9001, ""}}, 1, DBERROR_READING, DBERROR_REFUSED, ERR_SHARD_UNAVAILABLE, OUTCOME_NOT_APPLIED, 9001, NULL},
        /* numbers outside the table go by the SQLSTATE's class */
        {{{"22018", 9999, PREFIX "odd"}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_BAD_VALUE, OUTCOME_NOT_APPLIED, 9999, "odd"},
        {{{"HY000", 9999, ""}}, 1, DBERROR_WRITING, DBERROR_REFUSED, ERR_SHARD_UNAVAILABLE, OUTCOME_NOT_APPLIED, 9999, NULL},
        /* our own bug: nothing of the SQL shows */
        {{{"42000", 102, PREFIX "Incorrect syntax near 'SECRET'."}}, 1, DBERROR_READING, DBERROR_REFUSED, ERR_INTERNAL, OUTCOME_NOT_APPLIED, 102,
         "the database did not understand the worker's statement"},
        /* sent, and no answer: a write's outcome is unknown, a read's is not */
        {{{"08S01", 20017, PREFIX "Unexpected EOF from the server"}}, 1, DBERROR_WRITING, DBERROR_LOST, ERR_SHARD_UNAVAILABLE, OUTCOME_UNKNOWN, 0, NULL},
        {{{"08S01", 20004, PREFIX "Read from the server failed"}}, 1, DBERROR_READING, DBERROR_LOST, ERR_SHARD_UNAVAILABLE, OUTCOME_NOT_APPLIED, 0, NULL},
        {{{"08S01", 0, ""}, {"08S01", 20004, ""}}, 2, DBERROR_WRITING, DBERROR_LOST, ERR_SHARD_UNAVAILABLE, OUTCOME_UNKNOWN, 0, NULL},
        {{{"", 0, ""}}, 0, DBERROR_WRITING, DBERROR_LOST, ERR_SHARD_UNAVAILABLE, OUTCOME_UNKNOWN, 0, NULL},
        {{{"HYT00", 0, PREFIX "Timeout expired"}}, 1, DBERROR_WRITING, DBERROR_TIMEOUT, ERR_DEADLINE_EXCEEDED, OUTCOME_UNKNOWN, 0, NULL},
        {{{"HYT00", 0, ""}}, 1, DBERROR_READING, DBERROR_TIMEOUT, ERR_DEADLINE_EXCEEDED, OUTCOME_NOT_APPLIED, 0, NULL},
        /* not sent whole: it cannot have run */
        {{{"08S01", 20006, PREFIX "Write to the server failed"}}, 1, DBERROR_WRITING, DBERROR_UNSENT, ERR_SHARD_UNAVAILABLE, OUTCOME_NOT_APPLIED, 0, NULL},
        {{{"08S01", 0, "Communication link failure"}}, 1, DBERROR_WRITING, DBERROR_UNSENT, ERR_SHARD_UNAVAILABLE, OUTCOME_NOT_APPLIED, 0, NULL},
        /* no connection; the reason for a refused login is not the client's business */
        {{{"08001", 20009, PREFIX "Unable to connect"}}, 1, DBERROR_CONNECT, DBERROR_UNSENT, ERR_SHARD_UNAVAILABLE, OUTCOME_NOT_APPLIED, 0,
         "the database of shard 'go' does not answer"},
        {{{"28000", 18456, PREFIX "Login failed for user 'sa'."}, {"08001", 20002, ""}}, 2, DBERROR_CONNECT, DBERROR_REFUSED, ERR_SHARD_UNAVAILABLE,
         OUTCOME_NOT_APPLIED, 18456, "the database of shard 'go' refused the login"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        print_message("row %zu: %s %d\n", i, rows[i].records[0].state, rows[i].records[0].number);
        assert_int_equal(dberror_classify(rows[i].records, rows[i].count), rows[i].kind);
        assert_int_equal(dberror_set(rows[i].records, rows[i].count, rows[i].phase, "go", &e), -1);
        assert_int_equal(e.code, rows[i].code);
        assert_int_equal(e.outcome, rows[i].outcome);
        assert_int_equal(e.sql_error, rows[i].sql_error);
        if (rows[i].detail != NULL)
            assert_string_equal(e.detail, rows[i].detail);
    }
}

static void an_unknown_outcome_is_never_called_safe_to_repeat(void **state)
{
    const struct dberror lost = {"08S01", 20004, "Read from the server failed"};
    struct err e = ERR_INIT;
    (void)state;
    assert_int_equal(dberror_set(&lost, 1, DBERROR_WRITING, "go", &e), -1);
    assert_int_not_equal(e.retry, RETRY_AFTER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_phases_and_outcomes),
        cmocka_unit_test(an_unknown_outcome_is_never_called_safe_to_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
