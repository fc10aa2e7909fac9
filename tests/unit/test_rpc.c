/* Requests decoded: headers, parameter declarations, calls, and what is wrong with them. */
#include "tds-server/wire/rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct dialect new_dialect = {DIALECT_74, true};
static const struct dialect old_dialect = {DIALECT_71, false};

static void headers_are_skipped(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        int result;
        size_t left;
    } rows[] = {
        {"\x04\0\0\0xy", 6, 0, 2},
        {"\x16\0\0\0\x12\0\0\0\x02\0\x01\x02\x03\x04\x05\x06\x07\x08\x01\0\0\0z", 23, 0, 1},
        {"\x0A\0\0\0\x06\0\0\0\x03\0", 10, 0, 0},
        {"\x03\0\0\0", 4, -1, 0}, /* shorter than itself */
        {"\x05\0\0\0", 4, -1, 0}, /* longer than the message */
        {"\xFF\xFF\xFF\xFF", 4, -1, 0},
        {"\x04\0\0", 3, -1, 0},
        {"\x0A\0\0\0\x05\0\0\0\x03\0", 10, -1, 0}, /* a header shorter than itself */
        {"\x0A\0\0\0\x07\0\0\0\x03\0", 10, -1, 0}, /* a header that leaves its list */
        {"\x08\0\0\0\x04\0\0\0", 8, -1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reader r;
        reader_init(&r, rows[i].bytes, rows[i].len);
        assert_int_equal(rpc_skip_headers(&new_dialect, &r), rows[i].result);
        if (rows[i].result == 0) {
            assert_int_equal(reader_left(&r), rows[i].left);
        }
        reader_init(&r, rows[i].bytes, rows[i].len); /* TDS 7.1 has none */
        assert_int_equal(rpc_skip_headers(&old_dialect, &r), 0);
        assert_int_equal(reader_left(&r), rows[i].len);
    }
}

static void positions_get_the_declared_names(void **state)
{
    (void)state;
    static const struct {
        const char *declarations;
        int declared;
        const char *names[3];
    } rows[] = {
        {"", 0, {"", "", ""}},
        {"  ", 0, {"", "", ""}},
        {"@a int", 1, {"@a", "", ""}},
        {"@P1 nvarchar(4000),@P2 decimal(10,2), @P3 int", 3, {"@P1", "@P2", "@P3"}},
        {"\t@a decimal ( 10 , 2 ) OUTPUT ,\n@b int = 5", 2, {"@a", "@b", ""}},
        {"@a nvarchar(9) = N'x, @no int', @b int", 2, {"@a", "@b", ""}},
        {"@\xC3\xA9t\xC3\xA9 int, @_1$# int", 2, {"@\xC3\xA9t\xC3\xA9", "@_1$#", ""}},
        {"@a int, @b int, @c int, @d int", 4, {"@a", "@b", "@c"}},
        {"a int", -1, {"", "", ""}},
        {"@ int", -1, {"", "", ""}},
        {"@a int,, @b int", -1, {"@a", "", ""}},
        {", @a int", -1, {"", "", ""}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct engine_param params[3] = {{.name = ""}, {.name = ""}, {.name = ""}};
        struct arena a;
        arena_init(&a, 1 << 16);
        assert_int_equal(rpc_name_parameters(rows[i].declarations, strlen(rows[i].declarations), params, 3, &a), rows[i].declared);
        for (size_t p = 0; p < 3; p++) {
            assert_string_equal(params[p].name, rows[i].names[p]);
        }
        arena_clear(&a);
    }
}

static void given_names_stay(void **state)
{
    (void)state;
    struct engine_param params[2] = {{.name = "@b"}, {.name = ""}};
    struct arena a;
    arena_init(&a, 1 << 16);
    assert_int_equal(rpc_name_parameters("@a int, @c int", 14, params, 2, &a), 2);
    assert_string_equal(params[0].name, "@b");
    assert_string_equal(params[1].name, "@c");
    arena_clear(&a);
}

static void procedures_are_found_by_number_and_name(void **state)
{
    (void)state;
#define BYTES(literal) literal, sizeof(literal) - 1
    static const struct {
        const char *bytes;
        size_t len;
        int procedure; /* -1: malformed */
        const char *name;
        bool more;
    } rows[] = {
        {BYTES("\xFF\xFF\x0A\0\0\0"), RPC_EXECUTE_SQL, "sp_executesql", false},
        {BYTES("\xFF\xFF\x0F\0\0\0"), RPC_UNPREPARE, "sp_unprepare", false},
        {BYTES("\xFF\xFF\x0F\0\0\0\xFF"), RPC_UNPREPARE, "sp_unprepare", false}, /* nothing follows the separator */
        {BYTES("\xFF\xFF\x0F\0\0\0\xFF\xFF"), RPC_UNPREPARE, "sp_unprepare", true},
        {BYTES("\x0A\0S\0P\0_\0E\0x\0e\0c\0u\0t\0e\0\0\0"), RPC_EXECUTE, "SP_Execute", false},
        {BYTES("\x0E\0s\0y\0s\0.\0s\0p\0_\0e\0x\0e\0c\0u\0t\0e\0\0\0"), RPC_EXECUTE, "sys.sp_execute", false},
        {BYTES("\x02\0h\0i\0\0\0"), RPC_BY_NAME, "hi", false},
        {BYTES("\xFF\xFF\0\0\0\0"), -1, "", false},
        {BYTES("\xFF\xFF\x10\0\0\0"), -1, "", false},
        {BYTES("\xFF\xFF"), -1, "", false},
        {BYTES("\0\0\0\0"), -1, "", false},
        {BYTES("\x05\0h\0i\0"), -1, "", false},
        {BYTES("\xFF\xFF\x0A\0\0\0\0\0"), -1, "", false}, /* a parameter without type */
        {BYTES("\xFF\xFF\x0A\0\0\0\x05"
               "a\0\0\x30\0"),
         -1, "", false}, /* a name that is cut */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reader r;
        struct arena a;
        struct buf error;
        struct rpc_call call;
        int number = 0;
        arena_init(&a, 1 << 16);
        buf_init(&error, 4096);
        reader_init(&r, rows[i].bytes, rows[i].len);
        int result = rpc_read_call(&new_dialect, &r, &a, &call, &number, &error);
        assert_int_equal(result, rows[i].procedure < 0 ? -1 : 0);
        if (result == 0) {
            assert_int_equal(call.procedure, rows[i].procedure);
            assert_string_equal(call.name, rows[i].name);
            assert_int_equal(call.more, rows[i].more);
        } else {
            assert_true(error.len > 0 && (number == 4002 || number == 8009));
        }
        arena_clear(&a);
        buf_clear(&error);
    }
}

static void too_many_parameters_are_8003(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_append(&b, "\xFF\xFF\x0A\0\0\0", 6);
    for (int i = 0; i < RPC_MAX_PARAMETERS; i++) {
        buf_append(&b, "\0\0\x30\x07", 4);
    }
    for (int extra = 0; extra <= 1; extra++) {
        struct reader r;
        struct arena a;
        struct buf error;
        struct rpc_call call;
        int number;
        arena_init(&a, 1 << 22);
        buf_init(&error, 4096);
        reader_init(&r, b.data, b.len);
        assert_int_equal(rpc_read_call(&new_dialect, &r, &a, &call, &number, &error), -extra);
        if (extra == 0) {
            assert_int_equal(call.count, RPC_MAX_PARAMETERS);
            assert_int_equal(call.params[RPC_MAX_PARAMETERS - 1].value.integer, 7);
        } else {
            assert_int_equal(number, 8003);
        }
        buf_append(&b, "\0\0\x30\x07", 4);
        arena_clear(&a);
        buf_clear(&error);
    }
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_skipped),
        cmocka_unit_test(positions_get_the_declared_names),
        cmocka_unit_test(given_names_stay),
        cmocka_unit_test(procedures_are_found_by_number_and_name),
        cmocka_unit_test(too_many_parameters_are_8003),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
