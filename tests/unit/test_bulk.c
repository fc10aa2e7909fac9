/* Bulk load: what INSERT BULK becomes, and the rows that follow it. */
#include "tds-server/wire/bulk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void statements_become_inserts(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        const char *insert; /* NULL: refused with 102 */
        const char *declarations;
    } rows[] = {
        {"INSERT BULK t (a int)", "INSERT INTO t  (a ) VALUES (@c1)", "@c1 int"},
        {"insert bulk [S c].[dbo].[T.x] ([a b] nvarchar(5) COLLATE Latin1_General_CI_AS, [c]]d] decimal(10, 2))",
         "INSERT INTO [S c].[dbo].[T.x]  ([a b] , [c]]d] ) VALUES (@c1, @c2)", "@c1 nvarchar(5) , @c2 decimal(10, 2)"},
        {"insert bulk db..t([a] varbinary(max) NOT NULL,[b] int NULL) with (KEEP_NULLS, ROWS_PER_BATCH = 5, ORDER(a ASC));",
         "INSERT INTO db..t ([a] , [b] ) VALUES (@c1, @c2)", "@c1 varbinary(max) , @c2 int "},
        {"INSERT BULK", NULL, NULL},
        {"INSERT BULK t", NULL, NULL},
        {"INSERT BULK t ()", NULL, NULL},
        {"INSERT BULK t (a)", NULL, NULL},
        {"INSERT BULK t (a int", NULL, NULL},
        {"INSERT BULK t (a int,)", NULL, NULL},
        {"INSERT BULK t (a int) WITH", NULL, NULL},
        {"INSERT BULK t (a int) WITH (TABLOCK", NULL, NULL},
        {"INSERT BULK t (a int) SELECT 1", NULL, NULL},
        {"INSERT BULK t (a int; DROP TABLE t)", NULL, NULL},
        {"INSERT BULK (a int)", NULL, NULL},
        {"INSERT BULK 'x' (a int)", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena a;
        struct tsql_error e;
        struct bulk_statement b;
        arena_init(&a, 1 << 20);
        assert_true(bulk_is_statement(rows[i].sql, strlen(rows[i].sql)));
        int result = bulk_read_statement(rows[i].sql, strlen(rows[i].sql), &a, &b, &e);
        if (rows[i].insert == NULL) {
            assert_int_equal(result, -1);
            assert_int_equal(e.number, 102);
        } else {
            assert_int_equal(result, 0);
            assert_string_equal(b.insert, rows[i].insert);
            assert_string_equal(b.declarations, rows[i].declarations);
        }
        arena_clear(&a);
    }
}

static void other_batches_are_left_alone(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "INSERT", "INSERT INTO BULK VALUES (1)", "BULK INSERT t FROM 'x'", "SELECT 'INSERT BULK t (a int)'", "'"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(bulk_is_statement(rows[i], strlen(rows[i])));
    }
    assert_true(bulk_is_statement("-- a comment\nInsert /* and another */ Bulk t", 44));
}

#define HEAD "\x81\x02\0" "\0\0\0\0\x09\0" "\x26\x04" "\x01" "a\0" "\0\0\0\0\x09\0" "\xA5\x05\0" "\x01" "b\0"

static void rows_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        int rows; /* -1: malformed at some point */
    } table[] = {
#define ROW(literal, rows) {HEAD literal, sizeof(HEAD literal) - 1, rows}
        ROW("", 0),
        ROW("\xFD\0\0\0\0\0\0\0\0\0\0\0\0", 0),
        ROW("\xD1\x04\x01\0\0\0\x02\0zz", 1),
        ROW("\xD1\x04\x01\0\0\0\x02\0zz\xD1\0\xFF\xFF", 2),
        ROW("\xD2\x02\x04\x01\0\0\0\xFD\0\0\0\0\0\0\0\0\0\0\0\0", 1), /* b is NULL by its bit */
        ROW("\xD1\x04\x01\0\0\0\x06\0zzzzzz", -1), /* longer than its type */
        ROW("\xD1\x04\x01\0\0\0\x02\0z", -1),
        ROW("\xD1\x04\x01", -1),
        ROW("\xAA", -1),
    };
    static const struct dialect d = {DIALECT_74, false};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct arena a;
        struct buf error;
        struct reader r;
        struct wiretype types[2];
        struct value values[2];
        arena_init(&a, 1 << 20);
        buf_init(&error, 1000);
        reader_init(&r, table[i].bytes, table[i].len);
        assert_int_equal(bulk_read_columns(&d, &r, types, 2, &error), 0);
        int found = 0;
        int got;
        while ((got = bulk_read_row(&r, types, 2, &a, values, &error)) > 0) {
            found++;
            assert_int_equal(values[0].type.kind, SQLTYPE_INT);
            assert_int_equal(values[1].type.kind, SQLTYPE_VARBINARY);
            if (found == 1) {
                assert_int_equal(values[0].integer, 1);
            }
        }
        assert_int_equal(got < 0 ? -1 : found, table[i].rows);
        assert_int_equal(error.len > 0, got < 0);
        buf_clear(&error);
        arena_clear(&a);
    }
}

static void other_metadata_is_refused(void **state)
{
    (void)state;
    static const struct dialect d = {DIALECT_74, false};
    struct wiretype types[3];
    for (size_t len = 0; len < sizeof HEAD - 1; len++) { /* cut anywhere */
        struct buf error;
        struct reader r;
        buf_init(&error, 1000);
        reader_init(&r, HEAD, len);
        assert_int_equal(bulk_read_columns(&d, &r, types, 2, &error), -1);
        assert_true(error.len > 0);
        buf_clear(&error);
    }
    struct buf error;
    struct reader r;
    buf_init(&error, 1000);
    reader_init(&r, HEAD, sizeof HEAD - 1);
    assert_int_equal(bulk_read_columns(&d, &r, types, 3, &error), -1);
    assert_string_equal(buf_text(&error), "The bulk load's rows have 2 columns, and its INSERT BULK has 3.");
    buf_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_become_inserts),
        cmocka_unit_test(other_batches_are_left_alone),
        cmocka_unit_test(rows_are_decoded),
        cmocka_unit_test(other_metadata_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
