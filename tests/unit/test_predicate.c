/* The grammar of conditions: what it takes, what it refuses and with which words, and that its own text reads back. */
#include "common/predicate.h"
#include "tests/unit/corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX 65536

static struct predicate *parse_ok(const char *text, size_t len)
{
    struct predicate *p = NULL;
    struct err e = ERR_INIT;

    if (predicate_parse(text, len, &p, &e) < 0)
        fail_msg("%.*s: %s", (int)len, text, e.detail);
    return p;
}

/* The canonical text; the caller frees it. */
static char *emit(const struct predicate *p)
{
    struct buf out;

    buf_init(&out, TEXT_MAX);
    predicate_emit(p, &out);
    assert_int_equal(buf_status(&out), 0);
    return buf_take(&out, &(size_t){0});
}

static void assert_refused(const char *text, size_t len, const char *detail)
{
    struct predicate *p = NULL;
    struct err e = ERR_INIT;

    if (predicate_parse(text, len, &p, &e) == 0)
        fail_msg("%.*s: accepted", (int)len, text);
    assert_null(p);
    assert_int_equal(e.code, ERR_BAD_CONDITION);
    if (detail)
        assert_string_equal(e.detail, detail);
}

static void canonical_text_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *canonical;
    } rows[] = {
        {"a=1", "[a] = 1"},
        {"a != 1", "[a] <> 1"},
        {"a<1 or a<=2 or a>3 or a>=4 or a<>5", "[a] < 1 OR [a] <= 2 OR [a] > 3 OR [a] >= 4 OR [a] <> 5"},
        {"\t(((a=1)))\r\n", "[a] = 1"},
        {"a=1 and (b=2 and (c=3 and d=4))", "[a] = 1 AND [b] = 2 AND [c] = 3 AND [d] = 4"},
        {"(a=1 or b=2) or c=3", "[a] = 1 OR [b] = 2 OR [c] = 3"},
        {"a=1 or b=2 and c=3", "[a] = 1 OR [b] = 2 AND [c] = 3"},
        {"(a=1 or b=2) and c=3", "([a] = 1 OR [b] = 2) AND [c] = 3"},
        {"not a=1 and b=2", "NOT [a] = 1 AND [b] = 2"},
        {"not (a=1 and b=2)", "NOT ([a] = 1 AND [b] = 2)"},
        {"NOT NOT (NOT (a=1))", "NOT NOT NOT [a] = 1"},
        {"a not between 1 and 2 and b=3", "[a] NOT BETWEEN 1 AND 2 AND [b] = 3"},
        {"NOT a BETWEEN b AND c", "NOT [a] BETWEEN [b] AND [c]"},
        {"a in (1)", "[a] IN (1)"},
        {"a NOT IN(1,-2,'x',N'y',@z)", "[a] NOT IN (1, -2, 'x', N'y', @z)"},
        {"a like 'x%'", "[a] LIKE 'x%'"},
        {"LOWER(a) NOT LIKE @p ESCAPE '!'", "LOWER([a]) NOT LIKE @p ESCAPE '!'"},
        {"a LIKE 'x' ESCAPE ''''", "[a] LIKE 'x' ESCAPE ''''"},
        {"a LIKE 'x' ESCAPE @e", "[a] LIKE 'x' ESCAPE @e"},
        {"a is null", "[a] IS NULL"},
        {"a IS NOT NULL", "[a] IS NOT NULL"},
        {"lower ( rtrim(\tName ) ) = 'x'", "LOWER(RTRIM([Name])) = 'x'"},
        {"LTRIM(UPPER(a)) = 'x' AND LEN(a) > ABS(-5)", "LTRIM(UPPER([a])) = 'x' AND LEN([a]) > ABS(-5)"},
        {"YEAR(d) = 2026 AND MONTH(d) = 11 AND DAY(d) = 22", "YEAR([d]) = 2026 AND MONTH([d]) = 11 AND DAY([d]) = 22"},
        {"len = 5 AND [abs] = lower", "[len] = 5 AND [abs] = [lower]"},
        {"[a b]]c] = \"d\"\"e]\"", "[a b]]c] = [d\"e]]]"},
        {"[NULL] = 1 AND \"and\" = 2", "[NULL] = 1 AND [and] = 2"},
        {"[\xC5\xBE] = N'\xC5\xBE'", "[\xC5\xBE] = N'\xC5\xBE'"},
        {"a = '\xC5\xBE'", "[a] = N'\xC5\xBE'"},
        {"a = n''", "[a] = N''"},
        {"a='x'and b='y'", "[a] = 'x' AND [b] = 'y'"},
        {"a = +5 OR a = - 5 OR a = +.5 OR a = 5. OR a = 007.50", "[a] = 5 OR [a] = -5 OR [a] = 0.5 OR [a] = 5.0 OR [a] = 7.50"},
        {"a = -0 OR a = -0.00 OR a = -0e0 OR a = 00", "[a] = 0 OR [a] = 0.00 OR [a] = -0e0 OR [a] = 0"},
        {"a = 1E+5 OR a = 01e-5 OR a = 5.e3", "[a] = 1E+5 OR [a] = 1e-5 OR [a] = 5.0e3"},
        {"1 = 1 OR a = 1", "1 = 1 OR [a] = 1"},
        {"@x IS NULL OR a = @X", "@x IS NULL OR [a] = @X"},
        {"'a' LIKE 'b' OR a IS NULL", "'a' LIKE 'b' OR [a] IS NULL"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct predicate *p = parse_ok(rows[i].text, strlen(rows[i].text));
        char *text = emit(p);
        assert_string_equal(text, rows[i].canonical);
        free(text);
        predicate_free(p);
    }
}

static void errors_name_byte_and_token(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *detail;
    } rows[] = {
        {"", "condition: unexpected end at byte 0, an operand is expected"},
        {" \t", "condition: unexpected end at byte 2, an operand is expected"},
        {"student_id = 1001;", "condition: unexpected ';' at byte 17"},
        {"student_id =", "condition: unexpected end at byte 12, an operand is expected"},
        {"a", "condition: unexpected end at byte 1, a comparison is expected"},
        {"a NOT = 1", "condition: unexpected '=' at byte 6, BETWEEN, IN or LIKE is expected"},
        {"a = 1 b = 2", "condition: unexpected 'b' at byte 6, AND, OR or the end is expected"},
        {"(a = 1", "condition: unexpected end at byte 6, AND, OR or ')' is expected"},
        {"a = 1)", "condition: unexpected ')' at byte 5, AND, OR or the end is expected"},
        {"(a) = 1", "condition: unexpected ')' at byte 2, a comparison is expected"},
        {"a = NULL", "condition: unexpected NULL at byte 4, use IS NULL or IS NOT NULL"},
        {"a IN (1, NULL)", "condition: unexpected 'NULL' at byte 9, a literal is expected"},
        {"a IN ()", "condition: unexpected ')' at byte 6, a literal is expected"},
        {"a IN (1,)", "condition: unexpected ')' at byte 8, a literal is expected"},
        {"a IN (b)", "condition: unexpected 'b' at byte 6, a literal is expected"},
        {"a IN (1 2)", "condition: unexpected '2' at byte 8, ',' or ')' is expected"},
        {"a IN 1", "condition: unexpected '1' at byte 5, '(' is expected"},
        {"a LIKE b", "condition: unexpected 'b' at byte 7, a string is expected"},
        {"a LIKE 1", "condition: unexpected '1' at byte 7, a string is expected"},
        {"a LIKE 'x' ESCAPE ''", "condition: unexpected string '' at byte 18, one character is expected"},
        {"a LIKE 'x' ESCAPE 'xy'", "condition: unexpected string 'xy' at byte 18, one character is expected"},
        {"a LIKE 'x' ESCAPE '\xF0\x9F\x98\x80'", "condition: unexpected string '?' at byte 18, one character is expected"},
        {"a BETWEEN 1 OR 2", "condition: unexpected 'OR' at byte 12, AND is expected"},
        {"a IS 1", "condition: unexpected '1' at byte 5, NULL is expected"},
        {"a = -b", "condition: unexpected 'b' at byte 5, a number is expected"},
        {"a = - -5", "condition: unexpected '-' at byte 6, a number is expected"},
        {"a = --5", "condition: unexpected '--' at byte 4, comments are not allowed"},
        {"a = 1 /* x */", "condition: unexpected '/*' at byte 6, comments are not allowed"},
        {"a = /1", "condition: unexpected '/' at byte 4"},
        {"a = !1", "condition: unexpected '!' at byte 4"},
        {"a = @@version", "condition: unexpected '@' at byte 4"},
        {"a = @1", "condition: unexpected '@' at byte 4"},
        {"a = 0x53", "condition: '0x53' at byte 4 is not a number"},
        {"a = 1..2", "condition: '1..2' at byte 4 is not a number"},
        {"a = 1.0.0", "condition: '1.0.0' at byte 4 is not a number"},
        {"a = 12abc", "condition: '12abc' at byte 4 is not a number"},
        {"a = 1e", "condition: '1e' at byte 4 is not a number"},
        {"a = 1e+", "condition: '1e' at byte 4 is not a number"},
        {"a = 1$", "condition: '1' at byte 4 is not a number"},
        {"a = .", "condition: unexpected '.' at byte 4"},
        {"a = 9223372036854775808", "condition: the number at byte 4 is outside BIGINT"},
        {"a = -9223372036854775809", "condition: the number at byte 4 is outside BIGINT"},
        {"a = 1e999", "condition: the number at byte 4 is outside FLOAT"},
        {"a = 1e-999", "condition: the number at byte 4 is outside FLOAT"},
        {"a = 1.23456789012345678901234567890123456789", "condition: the number at byte 4 has more than 38 digits"},
        {"a = 'x", "condition: the string at byte 4 has no closing '"},
        {"a = 'x''", "condition: the string at byte 4 has no closing '"},
        {"[a = 1", "condition: the name at byte 0 has no closing ]"},
        {"[a]] = 1", "condition: the name at byte 0 has no closing ]"},
        {"[] = 1", "condition: the name at byte 0 is empty"},
        {"\"\" = 1", "condition: the name at byte 0 is empty"},
        {"[a\x01] = 1", "condition: a control character in the name at byte 0"},
        {"[a\xC2\x85] = 1", "condition: a control character in the name at byte 0"},
        {"[\xC3] = 1", "condition: invalid UTF-8 in the name at byte 0"},
        {"a = '\xED\xA0\x80'", "condition: invalid UTF-8 in the string at byte 4"},
        {"a = \xFF", "condition: invalid UTF-8 at byte 4"},
        {"a\xC2\xA0= 1", "condition: unexpected U+00A0 at byte 1, outside quotes only ASCII is allowed"},
        {"a\x0B= 1", "condition: unexpected U+000B at byte 1, outside quotes only ASCII is allowed"},
        {"a.b = 1", "condition: unexpected '.' at byte 1"},
        {"CONCAT(a) = 1",
         "condition: unexpected 'CONCAT' at byte 0, one of the functions LOWER, UPPER, LEN, LTRIM, RTRIM, ABS, YEAR, MONTH, DAY is expected"},
        {"LOWER(a = 'x'", "condition: unexpected '=' at byte 8, ')' is expected"},
        {"LOWER() = 'x'", "condition: unexpected ')' at byte 6, an operand is expected"},
        {"'a' = 'a'", "condition: names no column"},
        {"1 = 1 OR @a IS NULL", "condition: names no column"},
        {"a = 1 THISISAVERYLONGWORDINDEED_MORETHAN24",
         "condition: unexpected 'THISISAVERYLONGWORDINDEE...' at byte 6, AND, OR or the end is expected"},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        assert_refused(rows[i].text, strlen(rows[i].text), rows[i].detail);
}

static void nul_ends_nothing(void **state)
{
    (void)state;
    static const char in_string[] = "a = 'x\0'";
    static const char behind[] = "a = 1\0 OR a = 2";
    static const char in_name[] = "[a\0] = 1";

    assert_refused(in_string, sizeof in_string - 1, "condition: NUL in the string at byte 4");
    assert_refused(behind, sizeof behind - 1, "condition: unexpected U+0000 at byte 5, outside quotes only ASCII is allowed");
    assert_refused(in_name, sizeof in_name - 1, "condition: a control character in the name at byte 0");
}

/* head, then `unit` `count` times, then tail; the caller frees it. */
static char *repeat(const char *head, const char *unit, size_t count, const char *tail)
{
    struct buf b;

    buf_init(&b, TEXT_MAX);
    buf_append_text(&b, head);
    for (size_t i = 0; i < count; i++)
        buf_append_text(&b, unit);
    buf_append_text(&b, tail);
    assert_int_equal(buf_status(&b), 0);
    return buf_take(&b, &(size_t){0});
}

static void limits_hold_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *head, *unit, *tail;
        size_t most;
        const char *detail; /* with one more */
    } rows[] = {
        {"a = 1", " ", "", PREDICATE_MAX_BYTES - 5, "condition: longer than 8192 bytes"},
        {"", "NOT ", "a = 1", PREDICATE_MAX_DEPTH, "condition: more than 32 levels at byte 128"},
        {"", "(", "a = 1))))))))))))))))))))))))))))))))", PREDICATE_MAX_DEPTH, "condition: more than 32 levels at byte 32"},
        {"", "LOWER(", "a)))))))))))))))))))))))))))))))) = 'x'", PREDICATE_MAX_DEPTH, "condition: more than 32 levels at byte 192"},
        {"a IN (0", ",1", ")", PREDICATE_MAX_PARAMETERS - 1, "condition: more than 1000 values at byte 2006"},
        {"a=b", " OR a=b", "", 332, "condition: more than 1000 conditions and columns at byte 2331"},
        {"a = '", "x", "'", PREDICATE_MAX_STRING, "condition: the string at byte 4 is longer than 4000 characters"},
        {"a = '", "\xF0\x9F\x98\x80", "'", 2000, "condition: the string at byte 4 is longer than 4000 characters"},
        {"a = '", "''", "'", 4000, "condition: the string at byte 4 is longer than 4000 characters"},
        {"", "x", " = 1", 128, "condition: the name at byte 0 is longer than 128 characters"},
        {"[", "]]", "] = 1", 128, "condition: the name at byte 0 is longer than 128 characters"},
        {"a = @", "p", "", 64, "condition: the parameter at byte 4 is longer than 64 characters"},
        {"a = 0.", "1", "", 38, "condition: the number at byte 4 has more than 38 digits"},
        {"a = 1.", "0", "e0", 121, "condition: the number at byte 4 is too long"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char *most = repeat(rows[i].head, rows[i].unit, rows[i].most, rows[i].tail);
        char *more = repeat(rows[i].head, rows[i].unit, rows[i].most + 1, rows[i].tail);
        predicate_free(parse_ok(most, strlen(most)));
        assert_refused(more, strlen(more), rows[i].detail);
        free(most);
        free(more);
    }
}

static void literals_have_the_types_of_tsql(void **state)
{
    (void)state;
    static const struct {
        const char *literal;
        enum predicate_literal_type type;
        int precision, scale;
        const char *text;
    } rows[] = {
        {"2147483647", PREDICATE_INT, 0, 0, "2147483647"},
        {"-2147483648", PREDICATE_INT, 0, 0, "-2147483648"},
        {"2147483648", PREDICATE_BIGINT, 0, 0, "2147483648"},
        {"3000000000", PREDICATE_BIGINT, 0, 0, "3000000000"},
        {"9223372036854775807", PREDICATE_BIGINT, 0, 0, "9223372036854775807"},
        {"-9223372036854775808", PREDICATE_BIGINT, 0, 0, "-9223372036854775808"},
        {"+000000000000000000000000000012", PREDICATE_INT, 0, 0, "12"},
        {"1.50", PREDICATE_DECIMAL, 3, 2, "1.50"},
        {"0.5", PREDICATE_DECIMAL, 1, 1, "0.5"},
        {".5", PREDICATE_DECIMAL, 1, 1, "0.5"},
        {"-12345678901234567890.5", PREDICATE_DECIMAL, 21, 1, "-12345678901234567890.5"},
        {"1e3", PREDICATE_FLOAT, 0, 0, "1e3"},
        {"1.5E-3", PREDICATE_FLOAT, 0, 0, "1.5E-3"},
        {"1e308", PREDICATE_FLOAT, 0, 0, "1e308"},
        {"0e999", PREDICATE_FLOAT, 0, 0, "0e999"},
        {"'x'", PREDICATE_VARCHAR, 0, 0, "x"},
        {"N'x'", PREDICATE_NVARCHAR, 0, 0, "x"},
        {"'\xC5\xBE'", PREDICATE_NVARCHAR, 0, 0, "\xC5\xBE"},
        {"''", PREDICATE_VARCHAR, 0, 0, ""},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = repeat("a = ", rows[i].literal, 1, "");
        struct predicate *p = parse_ok(text, strlen(text));
        const struct predicate_operand *o = &predicate_root(p)->operands[1];
        assert_int_equal(o->type, rows[i].type);
        assert_int_equal(o->precision, rows[i].precision);
        assert_int_equal(o->scale, rows[i].scale);
        assert_string_equal(o->text, rows[i].text);
        assert_int_equal(o->len, strlen(rows[i].text));
        assert_int_equal(o->offset, 4);
        predicate_free(p);
        free(text);
    }
}

static struct json_object *read_json(const char *text)
{
    struct json_object *v = NULL;
    struct err e = ERR_INIT;

    if (text && json_read(text, strlen(text), &v, &e) < 0)
        fail_msg("%s: %s", text, e.detail);
    return v;
}

static void parameters_are_bound(void **state)
{
    (void)state;
    static const struct {
        const char *text, *params;
        enum err_code code;   /* ERR_NONE: `result` is the canonical text, else the detail */
        const char *result;
    } rows[] = {
        {"a = 1", NULL, ERR_NONE, "[a] = 1"},
        {"a = 1", "{}", ERR_NONE, "[a] = 1"},
        {"a = @id", "{\"id\":1001}", ERR_NONE, "[a] = 1001"},
        {"a = @ID OR b = @iD", "{\"id\":\"x'y\"}", ERR_NONE, "[a] = 'x''y' OR [b] = 'x''y'"},
        {"a = @z", "{\"z\":\"\\u017e\"}", ERR_NONE, "[a] = N'\xC5\xBE'"},
        {"a IN (@x, 2, @y)", "{\"y\":1.50,\"x\":-1e3}", ERR_NONE, "[a] IN (-1e3, 2, 1.50)"},
        {"a = @t OR a = @f", "{\"t\":true,\"f\":false}", ERR_NONE, "[a] = 1 OR [a] = 0"},
        {"a = @n", "{\"n\":null}", ERR_NONE, "[a] = NULL"},
        {"a LIKE @p ESCAPE @e", "{\"p\":\"x%\",\"e\":\"!\"}", ERR_NONE, "[a] LIKE 'x%' ESCAPE '!'"},
        {"a LIKE @p", "{\"p\":null}", ERR_NONE, "[a] LIKE NULL"},
        {"LOWER(@p) = a", "{\"p\":\"X\"}", ERR_NONE, "LOWER('X') = [a]"},
        {"student_id = @p1", NULL, ERR_BAD_CONDITION, "condition: @p1 at byte 13 has no value in params"},
        {"student_id = @p1", "{\"p2\":1}", ERR_BAD_CONDITION, "condition: @p1 at byte 13 has no value in params"},
        {"a = @x", "{\"x\":1,\"y\":2}", ERR_BAD_FIELD, "params: \"y\" is not used"},
        {"a = 1", "{\"y\":2}", ERR_BAD_FIELD, "params: \"y\" is not used"},
        {"a = @x", "{\"x\":1,\"X\":2}", ERR_BAD_FIELD, NULL}, /* either may be named */
        {"a = @x", "{\"x\":[1]}", ERR_BAD_FIELD, "params: \"x\" is neither a string, a number, a boolean nor null"},
        {"a = @x", "{\"x\":1,\"\\n\":2}", ERR_BAD_FIELD, "params: \"\\u000a\" is not used"},
        {"a = @x", "{\"x\":9223372036854775808}", ERR_BAD_FIELD, "params: \"x\" is outside BIGINT"},
        {"a = @x", "{\"x\":1e999}", ERR_BAD_FIELD, "params: \"x\" is outside FLOAT"},
        {"a LIKE @p", "{\"p\":1}", ERR_BAD_FIELD, "params: \"p\" must be a string, as LIKE wants it"},
        {"a LIKE 'x' ESCAPE @e", "{\"e\":null}", ERR_BAD_FIELD, "params: \"e\" must be a string, as ESCAPE wants it"},
        {"a LIKE 'x' ESCAPE @e", "{\"e\":\"xy\"}", ERR_BAD_FIELD, "params: \"e\" must be one character, as ESCAPE wants it"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct predicate *p = parse_ok(rows[i].text, strlen(rows[i].text));
        struct json_object *params = read_json(rows[i].params);
        struct err e = ERR_INIT;
        const int rc = predicate_bind(p, params, &e);
        json_free(params); /* the values were copied */
        if (rc < 0) {
            assert_int_equal(e.code, rows[i].code);
            if (rows[i].result)
                assert_string_equal(e.detail, rows[i].result);
        } else {
            assert_int_equal(rows[i].code, ERR_NONE);
            char *text = emit(p);
            assert_string_equal(text, rows[i].result);
            free(text);
        }
        predicate_free(p);
    }
}

static void long_parameters_are_refused(void **state)
{
    (void)state;
    for (size_t units = PREDICATE_MAX_STRING; units <= PREDICATE_MAX_STRING + 1; units++) {
        struct predicate *p = parse_ok("a = @x", 6);
        char *text = repeat("{\"x\":\"", "x", units, "\"}");
        struct json_object *params = read_json(text);
        struct err e = ERR_INIT;
        assert_int_equal(predicate_bind(p, params, &e), units <= PREDICATE_MAX_STRING ? 0 : -1);
        assert_int_equal(e.code, units <= PREDICATE_MAX_STRING ? ERR_NONE : ERR_BAD_FIELD);
        json_free(params);
        free(text);
        predicate_free(p);
    }
}

static void two_predicates_share_their_parameters(void **state)
{
    (void)state;
    struct predicate *both[] = {parse_ok("a = @x", 6), NULL, parse_ok("b = @y", 6)};
    struct json_object *params = read_json("{\"x\":1,\"y\":2}");
    struct err e = ERR_INIT;

    assert_int_equal(predicate_bind_all(both, COUNT(both), params, &e), 0);
    assert_string_equal(predicate_root(both[2])->operands[1].text, "2");
    assert_int_equal(predicate_bind_all(NULL, 0, params, &e), -1);
    assert_int_equal(e.code, ERR_BAD_FIELD);
    json_free(params);
    predicate_free(both[0]);
    predicate_free(both[2]);
}

struct sql {
    size_t literals;
    size_t columns;
    int stop_at; /* the literal whose writing fails; 0 for none */
};

static int write_column(void *arg, const struct predicate_operand *column, struct buf *out)
{
    ((struct sql *)arg)->columns++;
    buf_printf(out, "[%zu]", column->len);
    return 0;
}

static int write_literal(void *arg, const struct predicate_operand *literal, struct buf *out)
{
    struct sql *sql = arg;
    sql->literals++;
    buf_printf(out, "@p%zu", sql->literals);
    assert_int_not_equal(literal->kind, PREDICATE_PARAM);
    return sql->stop_at && sql->literals == (size_t)sql->stop_at ? 7 : 0;
}

static void sql_holds_no_byte_of_the_client(void **state)
{
    (void)state;
    static const char text[] = "NOT (LOWER(evil]x) = 'x' OR [b;] NOT IN (1, @n)) AND c != '--' AND d LIKE 'y' ESCAPE '!'";
    static const char fixed[] = "NOT (LOWER(evilx) = 'x' OR [b;] NOT IN (1, @n)) AND c != '--' AND d LIKE 'y' ESCAPE '!'";
    struct json_object *params = read_json("{\"n\":null}");
    struct sql sql = {0};
    struct buf out;
    struct err e = ERR_INIT;

    assert_refused(text, strlen(text), NULL);
    struct predicate *p = parse_ok(fixed, strlen(fixed));
    assert_int_equal(predicate_bind(p, params, &e), 0);
    const struct predicate_writer w = {write_column, write_literal, &sql};
    buf_init(&out, TEXT_MAX);
    assert_int_equal(predicate_write_sql(p, &w, &out), 0);
    assert_string_equal(buf_text(&out),
                        "NOT (LOWER([5]) = @p1 OR [2] NOT IN (@p2, @p3)) AND [1] <> @p4 AND [1] LIKE @p5 ESCAPE @p6");
    assert_int_equal(sql.columns, 4);

    sql = (struct sql){.stop_at = 2};
    assert_int_equal(predicate_write_sql(p, &w, &out), 7);
    assert_int_equal(sql.literals, 2);
    buf_clear(&out);
    json_free(params);
    predicate_free(p);
}

static int count_until_b(void *arg, const struct predicate_operand *column)
{
    ++*(int *)arg;
    return strcmp(column->text, "b") == 0 ? 5 : 0;
}

static void columns_are_visited_until_one_stops_it(void **state)
{
    (void)state;
    static const char all[] = "LOWER(a) = [c d] AND NOT (e IN (1) OR 1 BETWEEN f AND g)";
    static const char stopped[] = "a = 1 AND (b = c OR d = 1)";
    int visited = 0;

    struct predicate *p = parse_ok(all, strlen(all));
    assert_int_equal(predicate_each_column(p, count_until_b, &visited), 0);
    assert_int_equal(visited, 5);
    predicate_free(p);
    p = parse_ok(stopped, strlen(stopped));
    visited = 0;
    assert_int_equal(predicate_each_column(p, count_until_b, &visited), 5);
    assert_int_equal(visited, 2);
    predicate_free(p);
}

/* Equality of trees, byte offsets apart. */
static void assert_equal_operands(const struct predicate_operand *a, const struct predicate_operand *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->function_count, b->function_count);
    for (size_t i = 0; i < a->function_count; i++)
        assert_int_equal(a->functions[i], b->functions[i]);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->precision, b->precision);
    assert_int_equal(a->scale, b->scale);
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->text, b->text, a->len + 1);
}

static void assert_equal_trees(const struct predicate_node *a, const struct predicate_node *b)
{
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->negated, b->negated);
    assert_int_equal(a->child_count, b->child_count);
    assert_int_equal(a->operand_count, b->operand_count);
    for (size_t i = 0; i < a->child_count; i++)
        assert_equal_trees(a->children[i], b->children[i]);
    for (size_t i = 0; i < a->operand_count; i++)
        assert_equal_operands(&a->operands[i], &b->operands[i]);
}

/* Random conditions: xorshift, seeded, so that a failure comes again. */
static uint32_t seed;

static unsigned pick(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static void put_one(struct buf *b, const char *const *texts, size_t count)
{
    buf_append_text(b, texts[pick((unsigned)count)]);
}

static void put_value(struct buf *b)
{
    static const char *const texts[] = {"1", "-2", "+3.50", "00.5", ".25", "7.", "1e5", "-1.5E-7", "9223372036854775807",
                                        "'x'", "N'y'", "'it''s'", "'\xC5\xBE'", "''", "@p", "@Q_1", "'[a] = 1 --'"};
    put_one(b, texts, COUNT(texts));
}

static void put_operand(struct buf *b, unsigned depth)
{
    static const char *const columns[] = {"a", "len", "[x y]", "[q]]]", "\"d\"\"]\"", "[NULL]", "_z9", "[\xE5\xAD\xA6]"};
    static const char *const names[] = {"lower(", "UPPER (", "Len(", "LTRIM( ", "RTRIM(", "ABS(", "YEAR(", "MONTH(", "DAY("};

    if (depth > 0 && pick(5) == 0) {
        put_one(b, names, COUNT(names));
        put_operand(b, depth - 1);
        buf_append_text(b, ")");
    } else if (pick(3) == 0) {
        put_value(b);
    } else {
        put_one(b, columns, COUNT(columns));
    }
}

static void put_comparison(struct buf *b)
{
    static const char *const operators[] = {"=", " <> ", "!=", "<", " <= ", ">", ">=\t"};
    static const char *const not[] = {" ", " NOT ", "\r\nnot\t"};
    static const char *const strings[] = {"'x%'", "N'\xC5\xBE_'", "@like"};

    put_operand(b, 3);
    switch (pick(6)) {
    case 0:
        put_one(b, not, COUNT(not));
        buf_append_text(b, "BETWEEN ");
        put_operand(b, 2);
        buf_append_text(b, " and ");
        put_operand(b, 2);
        break;
    case 1:
        put_one(b, not, COUNT(not));
        buf_append_text(b, "in(");
        put_value(b);
        for (unsigned n = pick(4); n > 0; n--) {
            buf_append_text(b, pick(2) ? "," : " , ");
            put_value(b);
        }
        buf_append_text(b, ")");
        break;
    case 2:
        put_one(b, not, COUNT(not));
        buf_append_text(b, "LIKE ");
        put_one(b, strings, COUNT(strings));
        buf_append_text(b, pick(2) ? "" : " ESCAPE '!'");
        break;
    case 3:
        buf_append_text(b, pick(2) ? " IS NULL" : " is not null");
        break;
    default:
        put_one(b, operators, COUNT(operators));
        put_operand(b, 2);
    }
}

static void put_condition(struct buf *b, unsigned depth)
{
    const unsigned shape = depth == 0 ? 9 : pick(10);

    if (shape < 5) { /* a chain, in parentheses or not: the text alone decides what it means */
        const char *word = pick(2) ? " AND " : " or ";
        const bool open = pick(2);
        buf_append_text(b, open ? "(" : "");
        put_condition(b, depth - 1);
        for (unsigned n = 1 + pick(2); n > 0; n--) {
            buf_append_text(b, word);
            put_condition(b, depth - 1);
        }
        buf_append_text(b, open ? ")" : "");
    } else if (shape < 7) {
        buf_append_text(b, "NOT ");
        put_condition(b, depth - 1);
    } else if (shape == 7) {
        buf_append_text(b, "( ");
        put_condition(b, depth - 1);
        buf_append_text(b, " )");
    } else {
        put_comparison(b);
    }
}

static void emitted_text_reads_back_as_the_same_tree(void **state)
{
    (void)state;
    struct buf text;

    buf_init(&text, TEXT_MAX);
    for (uint32_t round = 1; round <= 5000; round++) {
        seed = round * 2654435761u;
        buf_reset(&text);
        put_condition(&text, 4);
        buf_append_text(&text, " OR a = 1"); /* names a column */
        if (text.len > PREDICATE_MAX_BYTES / 2)
            continue;
        struct predicate *first = parse_ok(buf_text(&text), text.len);
        char *once = emit(first);
        struct predicate *second = parse_ok(once, strlen(once));
        char *twice = emit(second);
        assert_string_equal(once, twice);
        assert_equal_trees(predicate_root(first), predicate_root(second));
        free(once);
        free(twice);
        predicate_free(first);
        predicate_free(second);
    }
    buf_clear(&text);
}

/* The table of the corpus, as the worker and the master would check a column against it. */
static int known_column(void *arg, const struct predicate_operand *column)
{
    static const char *const names[] = {"student_id", "age", "name", "note", "order", "gpa"};
    (void)arg;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcasecmp(names[i], column->text) == 0)
            return 0;
    return -1;
}

static void corpus_of_conditions(void **state)
{
    (void)state;
    struct corpus c;
    size_t rows = 0;

    corpus_open(&c);
    while (corpus_next(&c)) {
        struct predicate *p = NULL;
        struct err e = ERR_INIT;
        if (strcmp(c.field, "condition") != 0)
            continue;
        rows++;
        const bool accepted = c.payload && predicate_parse(c.payload, c.len, &p, &e) == 0 &&
                              predicate_bind(p, NULL, &e) == 0 && predicate_each_column(p, known_column, NULL) == 0;
        if (accepted == c.rejected)
            fail_msg("row %d: %s", c.id, accepted ? "accepted" : e.detail);
        predicate_free(p);
    }
    assert_true(rows >= 60);
    corpus_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_text_is_written),
        cmocka_unit_test(errors_name_byte_and_token),
        cmocka_unit_test(nul_ends_nothing),
        cmocka_unit_test(limits_hold_exactly),
        cmocka_unit_test(literals_have_the_types_of_tsql),
        cmocka_unit_test(parameters_are_bound),
        cmocka_unit_test(long_parameters_are_refused),
        cmocka_unit_test(two_predicates_share_their_parameters),
        cmocka_unit_test(sql_holds_no_byte_of_the_client),
        cmocka_unit_test(columns_are_visited_until_one_stops_it),
        cmocka_unit_test(emitted_text_reads_back_as_the_same_tree),
        cmocka_unit_test(corpus_of_conditions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
