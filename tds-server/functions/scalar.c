#include "tds-server/functions/scalar.h"

#include "tds-server/values/decimal.h"
#include "tds-server/functions/scalar_private.h"
#include "tds-server/functions/typing.h"
#include "tds-server/values/unicode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VARCHAR_LIMIT 8000
#define NVARCHAR_LIMIT 4000

/* ── Values ── */

size_t scalar_text_limit(const struct sqltype *type)
{
    if (type->length == SQLTYPE_MAX)
        return SCALAR_MAX_TEXT;
    /* A UTF-16 unit takes at most three bytes of UTF-8. */
    return sqltype_is_unicode(type) ? (size_t)type->length * 3 : (size_t)type->length;
}

void scalar_set_text(const struct scalar_call *c, struct value *out, const char *data, size_t len)
{
    const struct sqltype *t = c->result;
    if (t->length != SQLTYPE_MAX && sqltype_is_unicode(t)) {
        len = unicode_offset(data, len, (size_t)t->length);
    } else if (t->length != SQLTYPE_MAX && len > (size_t)t->length) {
        len = (size_t)t->length;
        while (!sqltype_is_binary(t) && len > 0 && ((unsigned char)data[len] & 0xC0) == 0x80)
            len--;
    }
    out->bytes.data = data;
    out->bytes.len = len;
}

int scalar_set_scratch(struct scalar_call *c, struct value *out)
{
    if (buf_status(c->scratch) != 0 || c->scratch->len > SCALAR_MAX_TEXT)
        return fault_set(c->fault, FAULT_MEMORY);
    scalar_set_text(c, out, buf_text(c->scratch), c->scratch->len);
    return 0;
}

double scalar_double(const struct value *v)
{
    switch (typing_class(v->type.kind)) {
    case TYPE_DECIMAL:
        return decimal_to_double((struct decimal){v->decimal, v->type.scale});
    case TYPE_FLOAT:
        return v->real;
    default:
        return (double)v->integer;
    }
}

int64_t scalar_integer(const struct value *v)
{
    switch (typing_class(v->type.kind)) {
    case TYPE_DECIMAL: {
        int128 whole = v->decimal / decimal_power(v->type.scale);
        return whole > INT64_MAX ? INT64_MAX : whole < INT64_MIN ? INT64_MIN : (int64_t)whole;
    }
    case TYPE_FLOAT:
        if (isnan(v->real))
            return 0;
        return v->real >= 0x1p63 ? INT64_MAX : v->real < -0x1p63 ? INT64_MIN : (int64_t)v->real;
    default:
        return v->integer;
    }
}

/* ── Rules of types ── */

/* Arguments become what the function computes with; what is that already stays. */

static void want_string(struct sqltype *t)
{
    if (!sqltype_is_string(t))
        *t = typing_string(SQLTYPE_VARCHAR, sqltype_is_binary(t) ? t->length : typing_display_length(t));
}

static void want_integer(struct sqltype *t)
{
    enum type_class class = typing_class(t->kind);
    if (class != TYPE_INTEGER && class != TYPE_BIT)
        *t = typing_make(class == TYPE_DECIMAL || class == TYPE_FLOAT ? SQLTYPE_BIGINT : SQLTYPE_INT);
}

static void want_number(struct sqltype *t)
{
    enum type_class class = typing_class(t->kind);
    if (class != TYPE_INTEGER && class != TYPE_DECIMAL && class != TYPE_FLOAT)
        *t = typing_make(class == TYPE_BIT ? SQLTYPE_INT : SQLTYPE_FLOAT);
}

static void want_float(struct sqltype *t)
{
    if (!sqltype_is_float(t))
        *t = typing_make(SQLTYPE_FLOAT);
}

/* A moment: strings are read as DATETIME2, numbers as DATETIME. */
static void want_moment(struct sqltype *t)
{
    if (typing_class(t->kind) != TYPE_DATETIME)
        *t = typing_make(sqltype_is_string(t) ? SQLTYPE_DATETIME2 : SQLTYPE_DATETIME);
}

/* The string type that holds `length` characters of what the strings among the arguments are made of. */
static struct sqltype text_result(const struct sqltype *args, size_t count, int length)
{
    bool unicode = false, max = length == SQLTYPE_MAX;
    for (size_t i = 0; i < count; i++) {
        if (!sqltype_is_string(&args[i]))
            continue;
        unicode |= sqltype_is_unicode(&args[i]);
        max |= args[i].length == SQLTYPE_MAX;
    }
    int limit = unicode ? NVARCHAR_LIMIT : VARCHAR_LIMIT;
    return typing_string(unicode ? SQLTYPE_NVARCHAR : SQLTYPE_VARCHAR, max ? SQLTYPE_MAX : length < limit ? length : limit);
}

static int type_count(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    for (size_t i = 0; i < count; i++) {
        if (i < 2 && !sqltype_is_binary(&args[i]))
            want_string(&args[i]);
        else if (i == 2)
            want_integer(&args[i]);
    }
    const struct sqltype *text = &args[count > 1 ? 1 : 0];
    *result = typing_make(text->length == SQLTYPE_MAX ? SQLTYPE_BIGINT : SQLTYPE_INT);
    return 0;
}

static int type_search(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    want_string(&args[0]);
    want_string(&args[1]);
    return type_count(args, count, part, result, f);
}

static int type_datalength(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    *result = typing_make(args[0].length == SQLTYPE_MAX ? SQLTYPE_BIGINT : SQLTYPE_INT);
    return 0;
}

/* LOWER, REVERSE …: as long as the argument. */
static int type_same_text(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    for (size_t i = 0; i < count; i++)
        want_string(&args[i]);
    *result = text_result(args, count, args[0].length);
    return 0;
}

/* LEFT, RIGHT, SUBSTRING, REPLICATE, SPACE: text and then numbers. SUBSTRING takes binaries too. */
static int type_part(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    for (size_t i = 1; i < count; i++)
        want_integer(&args[i]);
    if (count == 3 && sqltype_is_binary(&args[0])) {
        *result = typing_string(SQLTYPE_VARBINARY, args[0].length);
        return 0;
    }
    want_string(&args[0]);
    *result = text_result(args, 1, args[0].length);
    return 0;
}

static int type_replicate(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    want_string(&args[0]);
    want_integer(&args[1]);
    *result = text_result(args, 1, VARCHAR_LIMIT);
    return 0;
}

static int type_space(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    want_integer(&args[0]);
    *result = typing_string(SQLTYPE_VARCHAR, VARCHAR_LIMIT);
    return 0;
}

static int type_replace(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    for (size_t i = 0; i < count; i++)
        want_string(&args[i]);
    *result = text_result(args, count, VARCHAR_LIMIT);
    return 0;
}

static int type_stuff(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    want_string(&args[0]);
    want_integer(&args[1]);
    want_integer(&args[2]);
    want_string(&args[3]);
    *result = text_result(args, 4, VARCHAR_LIMIT);
    return 0;
}

static int type_concat(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    int length = 0;
    for (size_t i = 0; i < count; i++) {
        want_string(&args[i]);
        length = args[i].length == SQLTYPE_MAX || length == SQLTYPE_MAX ? SQLTYPE_MAX : length + args[i].length;
    }
    *result = text_result(args, count, length);
    return 0;
}

/* The separator may stand between all the others. */
static int type_concat_ws(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    type_concat(args, count, part, result, f);
    if (result->length != SQLTYPE_MAX)
        *result = text_result(args, count, result->length + args[0].length * (int)count);
    return 0;
}

static int type_text_to_int(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    want_string(&args[0]);
    *result = typing_make(SQLTYPE_INT);
    return 0;
}

static int type_char(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    want_integer(&args[0]);
    *result = typing_string(SQLTYPE_VARCHAR, 4);
    return 0;
}

static int type_nchar(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    want_integer(&args[0]);
    *result = typing_string(SQLTYPE_NVARCHAR, 2);
    return 0;
}

static int type_quotename(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    for (size_t i = 0; i < count; i++)
        want_string(&args[i]);
    *result = typing_string(SQLTYPE_NVARCHAR, 258);
    return 0;
}

static int type_str(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    want_float(&args[0]);
    for (size_t i = 1; i < count; i++)
        want_integer(&args[i]);
    *result = typing_string(SQLTYPE_VARCHAR, count > 1 ? VARCHAR_LIMIT : 10);
    return 0;
}

/* ABS, SIGN, CEILING, ROUND …: the type of the number, at least INT. */
static int type_same_number(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    want_number(&args[0]);
    for (size_t i = 1; i < count; i++)
        want_integer(&args[i]);
    *result = args[0];
    if (args[0].kind == SQLTYPE_TINYINT || args[0].kind == SQLTYPE_SMALLINT)
        *result = typing_make(SQLTYPE_INT);
    else if (sqltype_is_float(&args[0]))
        *result = typing_make(SQLTYPE_FLOAT);
    else if (args[0].kind == SQLTYPE_MONEY)
        *result = typing_make(SQLTYPE_MONEY);
    return 0;
}

/* DEGREES and RADIANS: a decimal gets the fraction that the angle needs. */
static int type_angle(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    type_same_number(args, count, part, result, f);
    if (typing_class(result->kind) == TYPE_DECIMAL && result->kind != SQLTYPE_MONEY)
        *result = (struct sqltype){.kind = SQLTYPE_NUMERIC, .precision = SQLTYPE_MAX_PRECISION, .scale = 18};
    return 0;
}

/* CEILING and FLOOR: decimals lose their scale. */
static int type_whole(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    type_same_number(args, count, part, result, f);
    if (typing_class(result->kind) == TYPE_DECIMAL && result->kind != SQLTYPE_MONEY)
        result->scale = 0;
    return 0;
}

/* POWER: the first number's type, decimals as wide as they go. */
static int type_power(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    type_same_number(args, 1, part, result, f);
    want_number(&args[1]);
    if (typing_class(result->kind) == TYPE_DECIMAL && result->kind != SQLTYPE_MONEY)
        result->precision = SQLTYPE_MAX_PRECISION;
    return 0;
}

static int type_float(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    for (size_t i = 0; i < count; i++)
        want_float(&args[i]);
    *result = typing_make(SQLTYPE_FLOAT);
    return 0;
}

static int type_isnumeric(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)args, (void)count, (void)part, (void)f;
    *result = typing_make(SQLTYPE_INT);
    return 0;
}

static int type_guid(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)args, (void)count, (void)part, (void)f;
    *result = typing_make(SQLTYPE_UNIQUEIDENTIFIER);
    return 0;
}

static int type_datetime(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)args, (void)count, (void)part, (void)f;
    *result = typing_make(SQLTYPE_DATETIME);
    return 0;
}

static int type_datetime2(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)args, (void)count, (void)part, (void)f;
    *result = typing_make(SQLTYPE_DATETIME2);
    return 0;
}

static int type_datetimeoffset(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    if (count > 0)
        want_moment(&args[0]);
    if (count > 1)
        want_string(&args[1]);
    *result = typing_make(SQLTYPE_DATETIMEOFFSET);
    return 0;
}

/* A part of a date that the date's type does not have. */
static int check_part(const struct sqltype *t, int part, const char *function, struct fault *f)
{
    bool of_day = part >= TSQL_YEAR && part <= TSQL_WEEKDAY;
    bool of_time = part >= TSQL_HOUR && part <= TSQL_NANOSECOND;
    if (part < 0)
        return fault_set(f, 174, function, 3);
    if (!(t->kind == SQLTYPE_TIME && of_day) && !(t->kind == SQLTYPE_DATE && of_time))
        return 0;
    static const char *const names[TSQL_DATEPARTS] = {"year",   "quarter", "month",  "dayofyear",   "day",         "week",       "iso_week", "weekday",
                                                      "hour",   "minute",  "second", "millisecond", "microsecond", "nanosecond", "tzoffset"};
    char text[FAULT_MAX_TEXT];
    snprintf(text, sizeof(text), "The datepart %s is not supported by date function %s for data type %s.", names[part], function,
             typing_name(t->kind));
    return fault_set_text(f, 9810, 16, 1, 0, text);
}

static int type_dateadd(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count;
    want_integer(&args[1]);
    if (typing_class(args[2].kind) != TYPE_DATETIME)
        args[2] = typing_make(SQLTYPE_DATETIME);
    *result = args[2];
    return check_part(&args[2], part, "dateadd", f);
}

static int type_datediff(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count;
    want_moment(&args[1]);
    want_moment(&args[2]);
    *result = typing_make(SQLTYPE_INT);
    return part < 0 ? fault_set(f, 174, "datediff", 3) : 0;
}

static int type_datediff_big(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    if (type_datediff(args, count, part, result, f) != 0)
        return -1;
    *result = typing_make(SQLTYPE_BIGINT);
    return 0;
}

static int type_datepart(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count;
    want_moment(&args[1]);
    *result = typing_make(SQLTYPE_INT);
    return check_part(&args[1], part, "datepart", f);
}

static int type_datename(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count;
    want_moment(&args[1]);
    *result = typing_string(SQLTYPE_NVARCHAR, 30);
    return check_part(&args[1], part, "datename", f);
}

/* YEAR, MONTH, DAY */
static int type_day(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    want_moment(&args[0]);
    *result = typing_make(SQLTYPE_INT);
    return 0;
}

static int type_eomonth(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    want_moment(&args[0]);
    if (count > 1)
        want_integer(&args[1]);
    *result = typing_make(SQLTYPE_DATE);
    return 0;
}

static int want_integers(struct sqltype *args, size_t count, enum sqltype_kind kind, struct sqltype *result)
{
    for (size_t i = 0; i < count; i++)
        want_integer(&args[i]);
    *result = typing_make(kind);
    return 0;
}

static int type_datefromparts(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    return want_integers(args, count, SQLTYPE_DATE, result);
}

static int type_datetimefromparts(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    return want_integers(args, count, SQLTYPE_DATETIME, result);
}

static int type_datetime2fromparts(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    return want_integers(args, count, SQLTYPE_DATETIME2, result);
}

static int type_timefromparts(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)part, (void)f;
    return want_integers(args, count, SQLTYPE_TIME, result);
}

static int type_isdate(struct sqltype *args, size_t count, int part, struct sqltype *result, struct fault *f)
{
    (void)count, (void)part, (void)f;
    want_string(&args[0]);
    *result = typing_make(SQLTYPE_INT);
    return 0;
}

/* ── The table ── */

/* In the order of the names. */
static const struct scalar_function functions[] = {
    {"abs", 1, 1, true, false, type_same_number, scalar_call_abs},
    {"acos", 1, 1, true, false, type_float, scalar_call_acos},
    {"ascii", 1, 1, true, false, type_text_to_int, scalar_call_ascii},
    {"asin", 1, 1, true, false, type_float, scalar_call_asin},
    {"atan", 1, 1, true, false, type_float, scalar_call_atan},
    {"atn2", 2, 2, true, false, type_float, scalar_call_atn2},
    {"ceiling", 1, 1, true, false, type_whole, scalar_call_ceiling},
    {"char", 1, 1, true, false, type_char, scalar_call_char},
    {"charindex", 2, 3, true, false, type_search, scalar_call_charindex},
    {"concat", 2, SCALAR_MAX_ARGS, false, false, type_concat, scalar_call_concat},
    {"concat_ws", 3, SCALAR_MAX_ARGS, false, false, type_concat_ws, scalar_call_concat_ws},
    {"cos", 1, 1, true, false, type_float, scalar_call_cos},
    {"cot", 1, 1, true, false, type_float, scalar_call_cot},
    {"current_timestamp", 0, 0, true, false, type_datetime, scalar_call_now},
    {"datalength", 1, 1, true, false, type_datalength, scalar_call_datalength},
    {"dateadd", 3, 3, true, false, type_dateadd, scalar_call_dateadd},
    {"datediff", 3, 3, true, false, type_datediff, scalar_call_datediff},
    {"datediff_big", 3, 3, true, false, type_datediff_big, scalar_call_datediff},
    {"datefromparts", 3, 3, true, false, type_datefromparts, scalar_call_datefromparts},
    {"datename", 2, 2, true, false, type_datename, scalar_call_datename},
    {"datepart", 2, 2, true, false, type_datepart, scalar_call_datepart},
    {"datetime2fromparts", 8, 8, true, false, type_datetime2fromparts, scalar_call_datetime2fromparts},
    {"datetimefromparts", 7, 7, true, false, type_datetimefromparts, scalar_call_datetimefromparts},
    {"day", 1, 1, true, false, type_day, scalar_call_day},
    {"degrees", 1, 1, true, false, type_angle, scalar_call_degrees},
    {"eomonth", 1, 2, true, false, type_eomonth, scalar_call_eomonth},
    {"exp", 1, 1, true, false, type_float, scalar_call_exp},
    {"floor", 1, 1, true, false, type_whole, scalar_call_floor},
    {"getdate", 0, 0, true, false, type_datetime, scalar_call_now},
    {"getutcdate", 0, 0, true, false, type_datetime, scalar_call_utcnow},
    {"isdate", 1, 1, false, false, type_isdate, scalar_call_isdate},
    {"isnumeric", 1, 1, false, false, type_isnumeric, scalar_call_isnumeric},
    {"left", 2, 2, true, false, type_part, scalar_call_left},
    {"len", 1, 1, true, false, type_count, scalar_call_len},
    {"log", 1, 2, true, false, type_float, scalar_call_log},
    {"log10", 1, 1, true, false, type_float, scalar_call_log10},
    {"lower", 1, 1, true, false, type_same_text, scalar_call_lower},
    {"ltrim", 1, 1, true, false, type_same_text, scalar_call_ltrim},
    {"month", 1, 1, true, false, type_day, scalar_call_month},
    {"nchar", 1, 1, true, false, type_nchar, scalar_call_nchar},
    {"newid", 0, 0, true, true, type_guid, scalar_call_newid},
    {"patindex", 2, 2, true, false, type_search, scalar_call_patindex},
    {"pi", 0, 0, true, false, type_float, scalar_call_pi},
    {"power", 2, 2, true, false, type_power, scalar_call_power},
    {"quotename", 1, 2, true, false, type_quotename, scalar_call_quotename},
    {"radians", 1, 1, true, false, type_angle, scalar_call_radians},
    {"rand", 0, 1, false, true, type_float, scalar_call_rand},
    {"replace", 3, 3, true, false, type_replace, scalar_call_replace},
    {"replicate", 2, 2, true, false, type_replicate, scalar_call_replicate},
    {"reverse", 1, 1, true, false, type_same_text, scalar_call_reverse},
    {"right", 2, 2, true, false, type_part, scalar_call_right},
    {"round", 2, 3, true, false, type_same_number, scalar_call_round},
    {"rtrim", 1, 1, true, false, type_same_text, scalar_call_rtrim},
    {"sign", 1, 1, true, false, type_same_number, scalar_call_sign},
    {"sin", 1, 1, true, false, type_float, scalar_call_sin},
    {"space", 1, 1, true, false, type_space, scalar_call_space},
    {"sqrt", 1, 1, true, false, type_float, scalar_call_sqrt},
    {"square", 1, 1, true, false, type_float, scalar_call_square},
    {"str", 1, 3, true, false, type_str, scalar_call_str},
    {"stuff", 4, 4, false, false, type_stuff, scalar_call_stuff},
    {"substring", 3, 3, true, false, type_part, scalar_call_substring},
    {"switchoffset", 2, 2, true, false, type_datetimeoffset, scalar_call_switchoffset},
    {"sysdatetime", 0, 0, true, false, type_datetime2, scalar_call_now},
    {"sysdatetimeoffset", 0, 0, true, false, type_datetimeoffset, scalar_call_now},
    {"sysutcdatetime", 0, 0, true, false, type_datetime2, scalar_call_utcnow},
    {"tan", 1, 1, true, false, type_float, scalar_call_tan},
    {"timefromparts", 5, 5, true, false, type_timefromparts, scalar_call_timefromparts},
    {"todatetimeoffset", 2, 2, true, false, type_datetimeoffset, scalar_call_todatetimeoffset},
    {"translate", 3, 3, true, false, type_same_text, scalar_call_translate},
    {"trim", 1, 2, true, false, type_same_text, scalar_call_trim},
    {"unicode", 1, 1, true, false, type_text_to_int, scalar_call_unicode},
    {"upper", 1, 1, true, false, type_same_text, scalar_call_upper},
    {"year", 1, 1, true, false, type_day, scalar_call_year},
};

#define FUNCTION_COUNT (sizeof(functions) / sizeof(functions[0]))

const struct scalar_function *scalar_find(const char *name, size_t len)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        if (strlen(functions[i].name) == len && strncasecmp(functions[i].name, name, len) == 0)
            return &functions[i];
    }
    return NULL;
}

const struct scalar_function *scalar_all(size_t *count)
{
    *count = FUNCTION_COUNT;
    return functions;
}
