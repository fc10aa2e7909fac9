/* T-SQL's scalar functions, called as the binder and SQLite call them: types first, then conversion, then the values.
 *
 * A value in the tables is a letter for its type and its text: i INT, b BIGINT, v VARCHAR, n NVARCHAR, d NUMERIC, $ MONEY,
 * f FLOAT, D DATE, t TIME(7), T DATETIME, 2 DATETIME2(7), o DATETIMEOFFSET (local time and offset), x VARBINARY (hex),
 * g UNIQUEIDENTIFIER, p a datepart's number; "-v" is NULL of that type. An expected "!536" is a fault. */
#include "tds-server/functions/convert.h"
#include "tds-server/values/moment.h"
#include "tds-server/functions/scalar.h"
#include "tds-server/functions/typing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ARGS 8
#define SCRATCH_MAX ((size_t)1 << 20)

static const char now_text[] = "2026-11-22 13:05:00.1234567 +02:00";

static struct sqltype type_of(char letter, const char *text)
{
    size_t len = strlen(text);
    switch (letter) {
    case 'i':
    case 'p':
        return typing_make(SQLTYPE_INT);
    case 'b':
        return typing_make(SQLTYPE_BIGINT);
    case 'v':
        return typing_string(SQLTYPE_VARCHAR, (int)len);
    case 'n':
        return typing_string(SQLTYPE_NVARCHAR, (int)len);
    case 'd': {
        const char *point = strchr(text, '.');
        int digits = (int)strspn(text + (text[0] == '-'), "0123456789"), scale = point != NULL ? (int)strlen(point + 1) : 0;
        return (struct sqltype){.kind = SQLTYPE_NUMERIC, .precision = digits + scale, .scale = scale};
    }
    case '$':
        return typing_make(SQLTYPE_MONEY);
    case 'f':
        return typing_make(SQLTYPE_FLOAT);
    case 'D':
        return typing_make(SQLTYPE_DATE);
    case 't':
        return typing_make(SQLTYPE_TIME);
    case 'T':
        return typing_make(SQLTYPE_DATETIME);
    case '2':
        return typing_make(SQLTYPE_DATETIME2);
    case 'o':
        return typing_make(SQLTYPE_DATETIMEOFFSET);
    case 'x':
        return typing_string(SQLTYPE_VARBINARY, (int)len / 2);
    case 'g':
        return typing_make(SQLTYPE_UNIQUEIDENTIFIER);
    default:
        fail_msg("no type %c", letter);
        return (struct sqltype){0};
    }
}

static void convert(const struct value *in, const struct sqltype *to, struct buf *bytes, struct value *out)
{
    struct fault f = {0};
    struct buf scratch;
    buf_init(&scratch, SCRATCH_MAX);
    buf_init(bytes, SCRATCH_MAX);
    if (in->null) {
        *out = (struct value){.type = *to, .null = true};
    } else {
        if (convert_value(in, to, 0, CONVERT_CAST, &scratch, out, &f) != 0)
            fail_msg("conversion: %d %s", f.number, f.text);
        buf_append(bytes, out->bytes.data, out->bytes.len);
        out->bytes.data = buf_text(bytes);
    }
    buf_clear(&scratch);
}

/* Reads a value of the tables into bytes of its own. */
static void read_value(const char *spec, struct buf *bytes, struct value *out)
{
    bool null = spec[0] == '-';
    char letter = spec[null];
    const char *text = null ? "" : spec + 2;
    struct sqltype type = type_of(letter, text);
    struct value in = {.type = typing_string(SQLTYPE_VARCHAR, SQLTYPE_MAX), .null = null, .bytes = {text, strlen(text)}};
    if (letter == 'x' && !null) {
        buf_init(bytes, SCRATCH_MAX);
        for (const char *p = text; p[0] != '\0'; p += 2) {
            char pair[3] = {p[0], p[1], '\0'};
            buf_append_char(bytes, (char)strtol(pair, NULL, 16));
        }
        *out = (struct value){.type = type, .bytes = {buf_text(bytes), bytes->len}};
        return;
    }
    convert(&in, &type, bytes, out);
}

static void write_value(const struct value *v, struct buf *out)
{
    static const struct {
        enum sqltype_kind kind;
        char letter;
    } letters[] = {
        {SQLTYPE_INT, 'i'},     {SQLTYPE_BIGINT, 'b'}, {SQLTYPE_VARCHAR, 'v'},   {SQLTYPE_NVARCHAR, 'n'},       {SQLTYPE_NUMERIC, 'd'},
        {SQLTYPE_MONEY, '$'},   {SQLTYPE_FLOAT, 'f'},  {SQLTYPE_DATE, 'D'},      {SQLTYPE_TIME, 't'},           {SQLTYPE_DATETIME, 'T'},
        {SQLTYPE_DATETIME2, '2'}, {SQLTYPE_DATETIMEOFFSET, 'o'}, {SQLTYPE_VARBINARY, 'x'}, {SQLTYPE_UNIQUEIDENTIFIER, 'g'},
    };
    size_t i = 0;
    while (i < sizeof(letters) / sizeof(letters[0]) && letters[i].kind != v->type.kind)
        i++;
    assert_true(i < sizeof(letters) / sizeof(letters[0]));
    if (v->null) {
        buf_printf(out, "-%c", letters[i].letter);
        return;
    }
    buf_printf(out, "%c:", letters[i].letter);
    char text[64];
    struct moment m;
    switch (letters[i].letter) {
    case 'i':
    case 'b':
        buf_printf(out, "%lld", (long long)v->integer);
        break;
    case 'd':
    case '$':
        buf_append(out, text, value_decimal_to_text(v->decimal, v->type.scale, text));
        break;
    case 'f':
        buf_printf(out, "%.10g", v->real);
        break;
    case 'x':
        for (size_t b = 0; b < v->bytes.len; b++)
            buf_printf(out, "%02x", (unsigned)(unsigned char)v->bytes.data[b]);
        break;
    case 'o':
        /* The stored form has the instant in UTC; the tables have the clock. */
        m = moment_from_value(v);
        m.offset = 0;
        struct sqltype clock = typing_make(SQLTYPE_DATETIME2);
        buf_append(out, text, moment_to_form(m, &clock, text));
        buf_append(out, v->bytes.data + VALUE_DATETIME_LEN, 7);
        break;
    default:
        buf_append(out, v->bytes.data, v->bytes.len);
    }
}

struct row {
    const char *name;
    const char *args[MAX_ARGS];
    const char *expected;
    enum collation collation;
};

/* What the function makes of the arguments, as the tables write values. */
static void call(const struct row *r, struct buf *result)
{
    const struct scalar_function *f = scalar_find(r->name, strlen(r->name));
    struct value args[MAX_ARGS], now;
    struct buf bytes[MAX_ARGS], converted[MAX_ARGS], now_bytes, scratch;
    struct sqltype types[MAX_ARGS], type;
    struct fault fault = {0};
    size_t count = 0;
    bool null = false;
    if (f == NULL)
        fail_msg("no function %s", r->name);
    int part = r->args[0] != NULL && r->args[0][0] == 'p' ? atoi(r->args[0] + 2) : -1;
    for (; count < MAX_ARGS && r->args[count] != NULL; count++) {
        read_value(r->args[count], &bytes[count], &args[count]);
        types[count] = args[count].type;
    }
    assert_true(count >= (size_t)f->min_args && count <= (size_t)f->max_args);
    buf_init(&scratch, SCRATCH_MAX);
    buf_init(&now_bytes, SCRATCH_MAX);
    char now_spec[64];
    snprintf(now_spec, sizeof(now_spec), "o:%s", now_text);
    read_value(now_spec, &now_bytes, &now);
    if (f->type(types, count, part, &type, &fault) != 0) {
        buf_printf(result, "!%d", fault.number);
        for (size_t i = 0; i < count; i++)
            buf_clear(&bytes[i]);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        struct value in = args[i];
        if (types[i].kind != in.type.kind) {
            convert(&in, &types[i], &converted[i], &args[i]);
            buf_clear(&bytes[i]);
            bytes[i] = converted[i];
        }
        null |= args[i].null;
    }
    struct scalar_call c = {&type, r->collation, &now, &scratch, &fault};
    struct value value = {.type = type, .bytes = {"", 0}};
    if (f->strict && null)
        value.null = true;
    else if (f->call(&c, args, count, &value) != 0)
        buf_printf(result, "!%d", fault.number);
    if (fault.number == 0)
        write_value(&value, result);
    for (size_t i = 0; i < count; i++)
        buf_clear(&bytes[i]);
out:
    buf_clear(&now_bytes);
    buf_clear(&scratch);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf result;
        buf_init(&result, SCRATCH_MAX);
        call(&rows[i], &result);
        if (strcmp(buf_text(&result), rows[i].expected) != 0)
            fail_msg("row %zu: %s(%s, …) is %s, not %s", i, rows[i].name, rows[i].args[0] != NULL ? rows[i].args[0] : "", buf_text(&result),
                     rows[i].expected);
        buf_clear(&result);
    }
}

#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void strings_are_measured_and_cut(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"len", {"v:abc  "}, "i:3", 0},
        {"len", {"n:\xC3\xA4\xF0\x9F\x98\x80"}, "i:3", 0},
        {"len", {"v:"}, "i:0", 0},
        {"len", {"-v"}, "-i", 0},
        {"LEN", {"i:-12"}, "i:3", 0},
        {"len", {"x:010203"}, "i:3", 0},
        {"datalength", {"n:abc"}, "i:6", 0},
        {"datalength", {"v:abc  "}, "i:5", 0},
        {"datalength", {"i:1"}, "i:4", 0},
        {"datalength", {"d:123456789.5"}, "i:9", 0},
        {"datalength", {"2:2026-11-22"}, "i:8", 0},
        {"left", {"v:abc", "i:2"}, "v:ab", 0},
        {"left", {"v:abc", "i:9"}, "v:abc", 0},
        {"left", {"v:abc", "i:-1"}, "!536", 0},
        {"left", {"n:\xC3\xA4\xF0\x9F\x98\x80x", "i:2"}, "n:\xC3\xA4", 0},
        {"right", {"v:abc", "i:2"}, "v:bc", 0},
        {"right", {"v:abc", "i:0"}, "v:", 0},
        {"right", {"n:x\xC3\xA4", "i:1"}, "n:\xC3\xA4", 0},
        {"substring", {"v:abcdef", "i:2", "i:3"}, "v:bcd", 0},
        {"substring", {"v:abc", "i:-1", "i:4"}, "v:ab", 0},
        {"substring", {"v:abc", "i:0", "i:2"}, "v:a", 0},
        {"substring", {"v:abc", "i:2", "b:9223372036854775807"}, "v:bc", 0},
        {"substring", {"v:abc", "i:9", "i:1"}, "v:", 0},
        {"substring", {"v:abc", "i:1", "i:-1"}, "!537", 0},
        {"substring", {"x:01020304", "i:2", "i:2"}, "x:0203", 0},
        {"stuff", {"v:abcdef", "i:2", "i:3", "v:XY"}, "v:aXYef", 0},
        {"stuff", {"v:abc", "i:1", "i:0", "v:X"}, "v:Xabc", 0},
        {"stuff", {"v:abc", "i:4", "i:1", "v:X"}, "-v", 0},
        {"stuff", {"v:abc", "i:0", "i:1", "v:X"}, "-v", 0},
        {"stuff", {"v:abc", "i:1", "i:2", "-v"}, "v:c", 0},
    };
    CHECK_ROWS(rows);
}

static void strings_are_made(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"lower", {"n:ÄBC"}, "n:äbc", 0},
        {"upper", {"v:abcß"}, "v:ABCß", 0},
        {"ltrim", {"v:  a "}, "v:a ", 0},
        {"rtrim", {"v: a  "}, "v: a", 0},
        {"trim", {"v:  a b "}, "v:a b", 0},
        {"trim", {"v:xxaxx", "v:x"}, "v:a", 0},
        {"trim", {"v:   "}, "v:", 0},
        {"reverse", {"n:aä😀"}, "n:😀äa", 0},
        {"replicate", {"v:ab", "i:3"}, "v:ababab", 0},
        {"replicate", {"v:ab", "i:-1"}, "-v", 0},
        {"replicate", {"v:ab", "i:0"}, "v:", 0},
        {"space", {"i:3"}, "v:   ", 0},
        {"concat", {"v:a", "-v", "i:5", "n:ü"}, "n:a5ü", 0},
        {"concat_ws", {"v:, ", "v:a", "-v", "v:b"}, "v:a, b", 0},
        {"ascii", {"v:A"}, "i:65", 0},
        {"ascii", {"v:"}, "-i", 0},
        {"char", {"i:65"}, "v:A", 0},
        {"char", {"i:256"}, "-v", 0},
        {"nchar", {"i:8364"}, "n:€", 0},
        {"nchar", {"i:55296"}, "-n", 0},
        {"unicode", {"n:€"}, "i:8364", 0},
        {"quotename", {"n:a]b"}, "n:[a]]b]", 0},
        {"quotename", {"n:a'b", "v:'"}, "n:'a''b'", 0},
        {"quotename", {"n:a", "v:x"}, "-n", 0},
        {"str", {"f:123.456", "i:8", "i:2"}, "v:  123.46", 0},
        {"str", {"f:123.456"}, "v:       123", 0},
        {"str", {"f:123.456", "i:5", "i:2"}, "v:123.5", 0},
        {"str", {"f:123456", "i:3"}, "v:***", 0},
        {"translate", {"v:2*[3+4]", "v:[]", "v:()"}, "v:2*(3+4)", 0},
        {"translate", {"v:a", "v:ab", "v:x"}, "!9828", 0},
    };
    CHECK_ROWS(rows);
}

static void searches_follow_the_collation(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"charindex", {"v:B", "v:abcb"}, "i:2", COLLATION_CI},
        {"charindex", {"v:B", "v:abcb"}, "i:0", COLLATION_BIN2},
        {"charindex", {"v:b", "v:abcb", "i:3"}, "i:4", COLLATION_CI},
        {"charindex", {"n:Ä", "n:😀xä"}, "i:4", COLLATION_CI},
        {"charindex", {"v:", "v:abc"}, "i:0", COLLATION_CI},
        {"charindex", {"v:z", "v:abc", "i:99"}, "i:0", COLLATION_CI},
        {"replace", {"v:aBcb", "v:b", "v:XX"}, "v:aXXcXX", COLLATION_CI},
        {"replace", {"v:aBcb", "v:b", "v:XX"}, "v:aBcXX", COLLATION_CS},
        {"replace", {"n:\xC4\xB0\xC3\x84z", "n:ä", "n:-"}, "n:\xC4\xB0-z", COLLATION_CI},
        {"replace", {"v:abc", "v:", "v:x"}, "v:abc", COLLATION_CI},
        {"replace", {"v:abc", "v:abc", "v:"}, "v:", COLLATION_CI},
        {"patindex", {"v:%b_%", "v:abcabd"}, "i:2", COLLATION_CI},
        {"patindex", {"v:%[0-9][0-9]%", "v:ab1c23"}, "i:5", COLLATION_CI},
        {"patindex", {"v:%C", "v:abcabc"}, "i:6", COLLATION_CI},
        {"patindex", {"v:%C", "v:abcabc"}, "i:0", COLLATION_BIN2},
        {"patindex", {"v:a%", "v:abc"}, "i:1", COLLATION_CI},
        {"patindex", {"v:b%", "v:abc"}, "i:0", COLLATION_CI},
        {"patindex", {"v:%", "v:abc"}, "i:1", COLLATION_CI},
        {"patindex", {"v:%[%]%", "v:a%b"}, "i:2", COLLATION_CI},
        {"patindex", {"n:%x%", "n:😀x"}, "i:3", COLLATION_CI},
    };
    CHECK_ROWS(rows);
}

static void numbers_keep_their_type(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"abs", {"i:-5"}, "i:5", 0},
        {"abs", {"i:-2147483648"}, "!8115", 0},
        {"abs", {"d:-1.50"}, "d:1.50", 0},
        {"abs", {"$:-1.5"}, "$:1.5000", 0},
        {"sign", {"d:-1.50"}, "d:-1.00", 0},
        {"sign", {"f:0"}, "f:0", 0},
        {"ceiling", {"d:1.01"}, "d:2", 0},
        {"ceiling", {"d:-1.99"}, "d:-1", 0},
        {"floor", {"d:-1.01"}, "d:-2", 0},
        {"floor", {"$:1.99"}, "$:1.0000", 0},
        {"floor", {"f:-1.5"}, "f:-2", 0},
        {"round", {"d:123.4567", "i:2"}, "d:123.4600", 0},
        {"round", {"d:123.4550", "i:2"}, "d:123.4600", 0},
        {"round", {"d:-2.5", "i:0"}, "d:-3.0", 0},
        {"round", {"d:123.4567", "i:2", "i:1"}, "d:123.4500", 0},
        {"round", {"i:1250", "i:-2"}, "i:1300", 0},
        {"round", {"i:1249", "i:-2"}, "i:1200", 0},
        {"round", {"i:5", "i:-40"}, "i:0", 0},
        {"round", {"d:748.58", "i:-3"}, "!8115", 0},
        {"round", {"f:2.5", "i:0"}, "f:3", 0},
        {"round", {"f:1234.5678", "i:-2"}, "f:1200", 0},
        {"power", {"i:2", "i:10"}, "i:1024", 0},
        {"power", {"i:2", "i:31"}, "!8115", 0},
        {"power", {"i:-1", "i:2147483647"}, "i:-1", 0},
        {"power", {"i:-1", "i:2147483646"}, "i:1", 0},
        {"power", {"i:0", "i:0"}, "i:1", 0},
        {"power", {"i:2", "i:-1"}, "i:0", 0},
        {"power", {"i:0", "i:-1"}, "!8134", 0},
        {"power", {"d:1.5", "i:2"}, "d:2.3", 0},
        {"power", {"f:2", "f:0.5"}, "f:1.414213562", 0},
        {"sqrt", {"i:16"}, "f:4", 0},
        {"sqrt", {"f:-1"}, "!3623", 0},
        {"square", {"f:3"}, "f:9", 0},
        {"exp", {"f:1000"}, "!8115", 0},
        {"log", {"f:1"}, "f:0", 0},
        {"log", {"f:8", "f:2"}, "f:3", 0},
        {"log", {"f:0"}, "!3623", 0},
        {"log10", {"f:1000"}, "f:3", 0},
        {"pi", {NULL}, "f:3.141592654", 0},
        {"degrees", {"f:3.14159265358979"}, "f:180", 0},
        {"radians", {"f:180"}, "f:3.141592654", 0},
        {"acos", {"f:2"}, "!3623", 0},
        {"atn2", {"f:1", "f:1"}, "f:0.7853981634", 0},
    };
    CHECK_ROWS(rows);
}

static void isnumeric_is_as_generous_as_sql_servers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"isnumeric", {"v: 12 "}, "i:1", 0},  {"isnumeric", {"v:-1.5e+3"}, "i:1", 0}, {"isnumeric", {"v:$1,000.50"}, "i:1", 0},
        {"isnumeric", {"v:."}, "i:1", 0},     {"isnumeric", {"v:-"}, "i:1", 0},       {"isnumeric", {"n:€5"}, "i:1", 0},
        {"isnumeric", {"v:abc"}, "i:0", 0},   {"isnumeric", {"v:"}, "i:0", 0},        {"isnumeric", {"v:1e"}, "i:0", 0},
        {"isnumeric", {"v:1 2"}, "i:0", 0},   {"isnumeric", {"-v"}, "i:0", 0},        {"isnumeric", {"i:5"}, "i:1", 0},
        {"isnumeric", {"D:2026-11-22"}, "i:0", 0},
    };
    CHECK_ROWS(rows);
}

/* Numbers of enum tsql_datepart, as the binder passes them. */
#define YEAR "p:0"
#define QUARTER "p:1"
#define MONTH "p:2"
#define DAYOFYEAR "p:3"
#define DAY "p:4"
#define WEEK "p:5"
#define ISO_WEEK "p:6"
#define WEEKDAY "p:7"
#define HOUR "p:8"
#define MINUTE "p:9"
#define SECOND "p:10"
#define MILLISECOND "p:11"
#define MICROSECOND "p:12"
#define NANOSECOND "p:13"
#define TZOFFSET "p:14"

static void dates_are_added_to(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"dateadd", {MONTH, "i:1", "D:2026-01-31"}, "D:2026-02-28", 0},
        {"dateadd", {YEAR, "i:1", "D:2024-02-29"}, "D:2025-02-28", 0},
        {"dateadd", {QUARTER, "i:-1", "D:2026-01-15"}, "D:2025-10-15", 0},
        {"dateadd", {DAY, "i:-1", "D:2026-01-01"}, "D:2025-12-31", 0},
        {"dateadd", {WEEK, "i:1", "D:2026-01-01"}, "D:2026-01-08", 0},
        {"dateadd", {HOUR, "i:1", "D:2026-01-01"}, "!9810", 0},
        {"dateadd", {DAY, "i:1", "D:9999-12-31"}, "!517", 0},
        {"dateadd", {YEAR, "i:-2026", "D:2026-01-01"}, "!517", 0},
        {"dateadd", {DAY, "i:2147483647", "D:2026-01-01"}, "!517", 0},
        {"dateadd", {DAY, "b:3000000000", "D:2026-01-01"}, "!8115", 0},
        {"dateadd", {HOUR, "i:11", "2:2026-11-22 13:05:00"}, "2:2026-11-23 00:05:00.0000000", 0},
        {"dateadd", {SECOND, "i:-1", "2:2026-01-01"}, "2:2025-12-31 23:59:59.0000000", 0},
        {"dateadd", {NANOSECOND, "i:150", "2:2026-01-01"}, "2:2026-01-01 00:00:00.0000002", 0},
        {"dateadd", {HOUR, "i:-2", "t:01:00"}, "t:23:00:00.0000000", 0},
        {"dateadd", {HOUR, "i:50", "t:01:00"}, "t:03:00:00.0000000", 0},
        {"dateadd", {DAY, "i:1", "v:2026-11-22"}, "T:2026-11-23 00:00:00.0000000", 0},
        {"dateadd", {MINUTE, "i:1", "o:2026-11-22 13:05:00 +02:00"}, "o:2026-11-22 13:06:00.0000000 +02:00", 0},
        {"dateadd", {DAY, "-i", "D:2026-01-01"}, "-D", 0},
        {"eomonth", {"D:2024-02-10"}, "D:2024-02-29", 0},
        {"eomonth", {"D:2026-01-31", "i:1"}, "D:2026-02-28", 0},
        {"eomonth", {"D:9999-12-01", "i:1"}, "!517", 0},
    };
    CHECK_ROWS(rows);
}

static void differences_count_boundaries(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"datediff", {YEAR, "D:2025-12-31", "D:2026-01-01"}, "i:1", 0},
        {"datediff", {QUARTER, "D:2026-01-01", "D:2026-12-31"}, "i:3", 0},
        {"datediff", {MONTH, "D:2026-03-01", "D:2026-01-31"}, "i:-2", 0},
        {"datediff", {DAY, "2:2026-01-01 23:59:59", "2:2026-01-02 00:00:00"}, "i:1", 0},
        {"datediff", {WEEK, "D:2026-11-21", "D:2026-11-22"}, "i:1", 0},
        {"datediff", {WEEK, "D:2026-11-22", "D:2026-11-28"}, "i:0", 0},
        {"datediff", {HOUR, "2:2026-01-01 00:59:59", "2:2026-01-01 01:00:00"}, "i:1", 0},
        {"datediff", {SECOND, "v:2026-01-01", "v:2026-01-01 00:01:00"}, "i:60", 0},
        {"datediff", {SECOND, "D:1900-01-01", "D:2026-01-01"}, "!535", 0},
        {"datediff_big", {SECOND, "D:1900-01-01", "D:2026-01-01"}, "b:3976214400", 0},
        {"datediff_big", {NANOSECOND, "D:0001-01-01", "D:9999-12-31"}, "!535", 0},
        {"datediff", {MINUTE, "o:2026-11-22 13:00:00 +02:00", "o:2026-11-22 11:00:00 +00:00"}, "i:0", 0},
        {"datediff", {DAY, "-D", "D:2026-01-01"}, "-i", 0},
    };
    CHECK_ROWS(rows);
}

static void parts_are_taken(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"datepart", {YEAR, "D:2026-11-22"}, "i:2026", 0},
        {"datepart", {QUARTER, "D:2026-11-22"}, "i:4", 0},
        {"datepart", {DAYOFYEAR, "D:2024-12-31"}, "i:366", 0},
        {"datepart", {WEEK, "D:2026-01-01"}, "i:1", 0},
        {"datepart", {WEEK, "D:2026-01-04"}, "i:2", 0},
        {"datepart", {ISO_WEEK, "D:2026-01-01"}, "i:1", 0},
        {"datepart", {ISO_WEEK, "D:2027-01-01"}, "i:53", 0},
        {"datepart", {WEEKDAY, "D:2026-11-22"}, "i:1", 0},
        {"datepart", {HOUR, "2:2026-11-22 13:05:59.1234567"}, "i:13", 0},
        {"datepart", {MINUTE, "2:2026-11-22 13:05:59.1234567"}, "i:5", 0},
        {"datepart", {SECOND, "2:2026-11-22 13:05:59.1234567"}, "i:59", 0},
        {"datepart", {MILLISECOND, "2:2026-11-22 13:05:59.1234567"}, "i:123", 0},
        {"datepart", {MICROSECOND, "2:2026-11-22 13:05:59.1234567"}, "i:123456", 0},
        {"datepart", {NANOSECOND, "2:2026-11-22 13:05:59.1234567"}, "i:123456700", 0},
        {"datepart", {TZOFFSET, "o:2026-11-22 13:00:00 -03:30"}, "i:-210", 0},
        {"datepart", {HOUR, "D:2026-11-22"}, "!9810", 0},
        {"datepart", {DAY, "t:13:00"}, "!9810", 0},
        {"datename", {MONTH, "D:2026-11-22"}, "n:November", 0},
        {"datename", {WEEKDAY, "D:2026-11-22"}, "n:Sunday", 0},
        {"datename", {TZOFFSET, "o:2026-11-22 13:00:00 -03:30"}, "n:-03:30", 0},
        {"datename", {DAY, "v:2026-11-22"}, "n:22", 0},
        {"year", {"v:2026-11-22"}, "i:2026", 0},
        {"month", {"D:2026-11-22"}, "i:11", 0},
        {"day", {"T:2026-11-22"}, "i:22", 0},
    };
    CHECK_ROWS(rows);
}

static void moments_are_made(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"getdate", {NULL}, "T:2026-11-22 13:05:00.1230000", 0},
        {"current_timestamp", {NULL}, "T:2026-11-22 13:05:00.1230000", 0},
        {"getutcdate", {NULL}, "T:2026-11-22 11:05:00.1230000", 0},
        {"sysdatetime", {NULL}, "2:2026-11-22 13:05:00.1234567", 0},
        {"sysutcdatetime", {NULL}, "2:2026-11-22 11:05:00.1234567", 0},
        {"sysdatetimeoffset", {NULL}, "o:2026-11-22 13:05:00.1234567 +02:00", 0},
        {"datefromparts", {"i:2024", "i:2", "i:29"}, "D:2024-02-29", 0},
        {"datefromparts", {"i:2026", "i:2", "i:29"}, "!289", 0},
        {"datefromparts", {"i:2026", "i:13", "i:1"}, "!289", 0},
        {"datetimefromparts", {"i:2026", "i:11", "i:22", "i:13", "i:5", "i:0", "i:7"}, "T:2026-11-22 13:05:00.0070000", 0},
        {"datetimefromparts", {"i:1752", "i:1", "i:1", "i:0", "i:0", "i:0", "i:0"}, "!289", 0},
        {"datetime2fromparts", {"i:2026", "i:11", "i:22", "i:13", "i:5", "i:0", "i:50", "i:2"}, "2:2026-11-22 13:05:00.5000000", 0},
        {"datetime2fromparts", {"i:2026", "i:11", "i:22", "i:13", "i:5", "i:0", "i:100", "i:2"}, "!289", 0},
        {"timefromparts", {"i:23", "i:59", "i:59", "i:0", "i:0"}, "t:23:59:59.0000000", 0},
        {"timefromparts", {"i:24", "i:0", "i:0", "i:0", "i:0"}, "!289", 0},
        {"switchoffset", {"o:2026-11-22 13:00:00 +02:00", "v:-05:00"}, "o:2026-11-22 06:00:00.0000000 -05:00", 0},
        {"switchoffset", {"o:2026-11-22 13:00:00 +02:00", "v:x"}, "!9812", 0},
        {"todatetimeoffset", {"2:2026-11-22 13:00:00", "v:+02:00"}, "o:2026-11-22 13:00:00.0000000 +02:00", 0},
        {"isdate", {"v:2026-11-22"}, "i:1", 0},
        {"isdate", {"v:2026-02-30"}, "i:0", 0},
        {"isdate", {"v:x"}, "i:0", 0},
        {"isdate", {"v:"}, "i:0", 0},
        {"isdate", {"-v"}, "i:0", 0},
        {"isdate", {"v:1700-01-01"}, "i:0", 0},
    };
    CHECK_ROWS(rows);
}

static void results_are_cut_to_their_type(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *times;
        size_t len; /* bytes of the result and its prefix */
    } rows[] = {{"v:abc", "i:5000", 2 + 8000}, {"n:\xC3\xA4", "i:5000", 2 + 8000}, {"n:a", "i:2147483647", 2 + 4000}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf result;
        buf_init(&result, SCRATCH_MAX);
        struct row row = {"replicate", {rows[i].text, rows[i].times}, "", 0};
        call(&row, &result);
        assert_int_equal(result.len, rows[i].len);
        buf_clear(&result);
    }
}

static void random_values_differ(void **state)
{
    (void)state;
    struct buf a, b;
    struct row newid = {"newid", {NULL}, "", 0}, rand = {"rand", {NULL}, "", 0}, seeded = {"rand", {"f:5"}, "", 0};
    buf_init(&a, SCRATCH_MAX);
    buf_init(&b, SCRATCH_MAX);
    call(&newid, &a);
    call(&newid, &b);
    assert_int_equal(a.len, 2 + VALUE_GUID_LEN);
    assert_memory_not_equal(a.data, b.data, a.len);
    buf_reset(&a);
    buf_reset(&b);
    call(&rand, &a);
    call(&rand, &b);
    assert_string_not_equal(buf_text(&a), buf_text(&b));
    buf_reset(&a);
    buf_reset(&b);
    call(&seeded, &a);
    call(&seeded, &b);
    assert_string_equal(buf_text(&a), buf_text(&b));
    buf_clear(&a);
    buf_clear(&b);
}

static void the_table_is_sound(void **state)
{
    (void)state;
    size_t count;
    const struct scalar_function *all = scalar_all(&count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(scalar_find(all[i].name, strlen(all[i].name)), &all[i]);
        assert_true(all[i].min_args <= all[i].max_args && all[i].max_args <= SCALAR_MAX_ARGS);
        if (i > 0)
            assert_true(strcmp(all[i - 1].name, all[i].name) < 0);
    }
    assert_null(scalar_find("format", 6));
    assert_null(scalar_find("checksum", 8));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_measured_and_cut),
        cmocka_unit_test(strings_are_made),
        cmocka_unit_test(searches_follow_the_collation),
        cmocka_unit_test(numbers_keep_their_type),
        cmocka_unit_test(isnumeric_is_as_generous_as_sql_servers),
        cmocka_unit_test(dates_are_added_to),
        cmocka_unit_test(differences_count_boundaries),
        cmocka_unit_test(parts_are_taken),
        cmocka_unit_test(moments_are_made),
        cmocka_unit_test(results_are_cut_to_their_type),
        cmocka_unit_test(random_values_differ),
        cmocka_unit_test(the_table_is_sound),
    };
    return cmocka_run_group_tests_name("scalar", tests, NULL, NULL);
}
