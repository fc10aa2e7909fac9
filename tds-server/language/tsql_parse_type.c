/* Types: the names that SQL Server knows, their synonyms and the ranges of their arguments. */
#include "tds-server/language/tsql_parser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum arguments {
    NO_ARGUMENTS,
    LENGTH,      /* (n), up to `limit`; 1 in a column and 30 in CAST when left out */
    MAX_LENGTH,  /* (n | MAX) */
    PRECISION,   /* (p[, s]) */
    SCALE,       /* (s), 7 when left out */
    FLOAT_DIGITS /* (n): up to 24 digits are a REAL */
};

static const struct type_row {
    const char *name;
    enum sqltype_kind kind;
    enum arguments arguments;
    int fixed; /* length of types without arguments; limit of those with a length */
    bool implied_not_null;
    bool small;
} types[] = {
    {"BIGINT", SQLTYPE_BIGINT, NO_ARGUMENTS, 0, false, false},
    {"BINARY", SQLTYPE_BINARY, LENGTH, 8000, false, false},
    {"BIT", SQLTYPE_BIT, NO_ARGUMENTS, 0, false, false},
    {"CHAR", SQLTYPE_CHAR, LENGTH, 8000, false, false},
    {"CHARACTER", SQLTYPE_CHAR, LENGTH, 8000, false, false},
    {"DATE", SQLTYPE_DATE, NO_ARGUMENTS, 0, false, false},
    {"DATETIME", SQLTYPE_DATETIME, NO_ARGUMENTS, 0, false, false},
    {"DATETIME2", SQLTYPE_DATETIME2, SCALE, 0, false, false},
    {"DATETIMEOFFSET", SQLTYPE_DATETIMEOFFSET, SCALE, 0, false, false},
    {"DEC", SQLTYPE_DECIMAL, PRECISION, 0, false, false},
    {"DECIMAL", SQLTYPE_DECIMAL, PRECISION, 0, false, false},
    {"FLOAT", SQLTYPE_FLOAT, FLOAT_DIGITS, 53, false, false},
    {"IMAGE", SQLTYPE_VARBINARY, NO_ARGUMENTS, SQLTYPE_MAX, false, false},
    {"INT", SQLTYPE_INT, NO_ARGUMENTS, 0, false, false},
    {"INTEGER", SQLTYPE_INT, NO_ARGUMENTS, 0, false, false},
    {"MONEY", SQLTYPE_MONEY, NO_ARGUMENTS, 0, false, false},
    {"NCHAR", SQLTYPE_NCHAR, LENGTH, 4000, false, false},
    {"NTEXT", SQLTYPE_NVARCHAR, NO_ARGUMENTS, SQLTYPE_MAX, false, false},
    {"NUMERIC", SQLTYPE_NUMERIC, PRECISION, 0, false, false},
    {"NVARCHAR", SQLTYPE_NVARCHAR, MAX_LENGTH, 4000, false, false},
    {"REAL", SQLTYPE_REAL, NO_ARGUMENTS, 0, false, false},
    {"SMALLDATETIME", SQLTYPE_DATETIME, NO_ARGUMENTS, 0, false, true},
    {"SMALLINT", SQLTYPE_SMALLINT, NO_ARGUMENTS, 0, false, false},
    {"SMALLMONEY", SQLTYPE_MONEY, NO_ARGUMENTS, 0, false, true},
    {"SYSNAME", SQLTYPE_NVARCHAR, NO_ARGUMENTS, 128, true, false},
    {"TEXT", SQLTYPE_TEXT, NO_ARGUMENTS, SQLTYPE_MAX, false, false},
    {"TIME", SQLTYPE_TIME, SCALE, 0, false, false},
    {"TINYINT", SQLTYPE_TINYINT, NO_ARGUMENTS, 0, false, false},
    {"UNIQUEIDENTIFIER", SQLTYPE_UNIQUEIDENTIFIER, NO_ARGUMENTS, 0, false, false},
    {"VARBINARY", SQLTYPE_VARBINARY, MAX_LENGTH, 8000, false, false},
    {"VARCHAR", SQLTYPE_VARCHAR, MAX_LENGTH, 8000, false, false},
};

/* What SQL Server has and this server has not. */
static const char *const refused_types[] = {"CURSOR",     "GEOGRAPHY",   "GEOMETRY", "HIERARCHYID", "JSON",  "ROWVERSION",
                                            "SQL_VARIANT", "TABLE", "TIMESTAMP", "VECTOR", "XML"};

#define LENGTH_IN_COLUMN 1
#define LENGTH_IN_CAST 30
#define DECIMAL_DIGITS 18 /* of DECIMAL without arguments */
#define REAL_DIGITS 24
#define MONEY_DIGITS 19
#define MONEY_SCALE 4
#define DATETIME_SCALE 3

static const struct type_row *find_type(struct tsql_text name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (tsql_text_equals(name, types[i].name))
            return &types[i];
    }
    return NULL;
}

static int fail_unknown(struct tsql_parser *p, struct tsql_text name, int line)
{
    for (size_t i = 0; i < sizeof(refused_types) / sizeof(refused_types[0]); i++) {
        if (tsql_text_equals(name, refused_types[i]))
            return tsql_refuse_clause(p, refused_types[i]);
    }
    return tsql_fail(p, 243, line, "Type %.*s is not a defined system type.", tsql_error_cut(name.len, name.data), name.data);
}

/* varying := VARYING ;  the type's name with its second word taken */
static struct tsql_text varying(struct tsql_parser *p, struct tsql_text name)
{
    static const char *const pairs[][2] = {{"CHAR", "VARCHAR"},   {"CHARACTER", "VARCHAR"}, {"BINARY", "VARBINARY"},
                                           {"NCHAR", "NVARCHAR"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (tsql_text_equals(name, pairs[i][0]) && tsql_take_word(p, WORD_VARYING))
            return (struct tsql_text){pairs[i][1], strlen(pairs[i][1])};
    }
    return name;
}

/* type_name := NATIONAL (CHAR | CHARACTER) [VARYING] | NATIONAL TEXT | DOUBLE PRECISION | [SYS '.'] name [VARYING] */
static int parse_type_name(struct tsql_parser *p, struct tsql_text *out)
{
    if (tsql_take_word(p, WORD_DOUBLE)) {
        *out = (struct tsql_text){"FLOAT", strlen("FLOAT")};
        return tsql_expect_word(p, WORD_PRECISION);
    }
    if (tsql_take_word(p, WORD_NATIONAL)) {
        if (tsql_at_text(p, "TEXT"))
            *out = (struct tsql_text){"NTEXT", strlen("NTEXT")};
        else if (tsql_at_text(p, "CHAR") || tsql_at_text(p, "CHARACTER"))
            *out = (struct tsql_text){"NCHAR", strlen("NCHAR")};
        else
            return tsql_fail_here(p);
        tsql_advance(p);
    } else {
        if (tsql_at_word(p, WORD_CURSOR) || tsql_at_word(p, WORD_TABLE))
            return fail_unknown(p, p->token.source, p->token.line);
        struct tsql_name name;
        if (tsql_parse_object_name(p, &name) != 0)
            return -1;
        if (name.database.len > 0 || (name.schema.len > 0 && !tsql_text_equals(name.schema, "sys")))
            return fail_unknown(p, name.name, name.line);
        *out = name.name;
    }
    *out = varying(p, *out);
    return 0;
}

/* An argument: digits. Numbers beyond any limit come as 99999, which all limits refuse. */
static int parse_argument(struct tsql_parser *p, int *out)
{
    if (!tsql_at(p, TOKEN_INTEGER))
        return tsql_fail_here(p);
    long n = strtol(p->token.text.data, NULL, 10);
    *out = n > 99999 ? 99999 : (int)n;
    tsql_advance(p);
    return 0;
}

/* length := '(' digits ')' | '(' MAX ')' */
static int parse_length(struct tsql_parser *p, const struct type_row *row, bool column, int *out)
{
    int line = p->token.line;
    *out = column ? LENGTH_IN_COLUMN : LENGTH_IN_CAST;
    if (!tsql_take(p, '('))
        return 0;
    if (row->arguments == MAX_LENGTH && tsql_at_text(p, "MAX")) {
        tsql_advance(p);
        *out = SQLTYPE_MAX;
        return tsql_expect(p, ')');
    }
    if (parse_argument(p, out) != 0)
        return -1;
    if (*out == 0)
        return tsql_fail(p, 1001, line, "Line %d: Length or precision specification 0 is invalid.", line);
    if (*out > row->fixed)
        return tsql_fail(p, 131, line, "The size (%d) given to the type '%s' exceeds the maximum allowed for any data type (%d).", *out,
                         row->name, row->fixed);
    return tsql_expect(p, ')');
}

/* precision := '(' digits [',' digits] ')' */
static int parse_precision(struct tsql_parser *p, struct sqltype *type)
{
    int line = p->token.line;
    type->precision = DECIMAL_DIGITS;
    type->scale = 0;
    if (!tsql_take(p, '('))
        return 0;
    if (parse_argument(p, &type->precision) != 0 || (tsql_take(p, ',') && parse_argument(p, &type->scale) != 0))
        return -1;
    if (type->precision == 0)
        return tsql_fail(p, 1001, line, "Line %d: Length or precision specification 0 is invalid.", line);
    if (type->precision > SQLTYPE_MAX_PRECISION)
        return tsql_fail(p, 1007, line, "The precision %d is greater than the maximum precision of %d.", type->precision, SQLTYPE_MAX_PRECISION);
    if (type->scale > type->precision)
        return tsql_fail(p, 192, line, "The scale must be less than or equal to the precision.");
    return tsql_expect(p, ')');
}

static int parse_scale(struct tsql_parser *p, struct sqltype *type)
{
    int line = p->token.line;
    type->scale = SQLTYPE_MAX_SCALE_TIME;
    if (!tsql_take(p, '('))
        return 0;
    if (parse_argument(p, &type->scale) != 0)
        return -1;
    if (type->scale > SQLTYPE_MAX_SCALE_TIME)
        return tsql_fail(p, 1002, line, "Line %d: Specified scale %d is invalid.", line, type->scale);
    return tsql_expect(p, ')');
}

static int parse_float_digits(struct tsql_parser *p, const struct type_row *row, struct sqltype *type)
{
    int line = p->token.line;
    int digits = 0;
    if (!tsql_take(p, '('))
        return 0;
    if (parse_argument(p, &digits) != 0)
        return -1;
    if (digits == 0 || digits > row->fixed)
        return tsql_fail(p, 1001, line, "Line %d: Length or precision specification %d is invalid.", line, digits);
    if (digits <= REAL_DIGITS)
        type->kind = SQLTYPE_REAL;
    return tsql_expect(p, ')');
}

static int parse_arguments(struct tsql_parser *p, const struct type_row *row, bool column, struct sqltype *type)
{
    switch (row->arguments) {
    case LENGTH:
    case MAX_LENGTH:
        return parse_length(p, row, column, &type->length);
    case PRECISION:
        return parse_precision(p, type);
    case SCALE:
        return parse_scale(p, type);
    case FLOAT_DIGITS:
        return parse_float_digits(p, row, type);
    case NO_ARGUMENTS:
        break;
    }
    type->length = row->fixed;
    if (row->kind == SQLTYPE_MONEY) {
        type->precision = row->small ? SQLTYPE_SMALLMONEY_PRECISION : MONEY_DIGITS;
        type->scale = MONEY_SCALE;
    } else if (row->kind == SQLTYPE_DATETIME) {
        type->precision = row->small ? SQLTYPE_SMALLDATETIME_PRECISION : 0;
        type->scale = row->small ? 0 : DATETIME_SCALE;
    }
    if (tsql_at(p, '('))
        return tsql_fail(p, 2716, p->token.line, "Column, parameter, or variable: Cannot specify a column width on data type %s.", row->name);
    return 0;
}

/* type := type_name [ '(' arguments ')' ] [ COLLATE name ]      (COLLATE in columns only) */
int tsql_parse_type(struct tsql_parser *p, bool column, struct tsql_type *out)
{
    struct tsql_text name;
    int line = p->token.line;
    *out = (struct tsql_type){0};
    if (parse_type_name(p, &name) != 0)
        return -1;
    const struct type_row *row = find_type(name);
    if (row == NULL)
        return fail_unknown(p, name, line);
    out->type.kind = row->kind;
    out->implied_not_null = row->implied_not_null;
    if (parse_arguments(p, row, column, &out->type) != 0)
        return -1;
    if (column && tsql_take_word(p, WORD_COLLATE))
        return tsql_parse_name(p, &out->collation);
    return 0;
}
