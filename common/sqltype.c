#include "common/sqltype.h"
#include "common/sqltype_private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define MAX_BYTES 8000         /* CHAR(n), VARCHAR(n), BINARY(n), VARBINARY(n) */
#define MAX_UNITS 4000         /* NCHAR(n), NVARCHAR(n) */
#define MAX_FLOAT_BITS 53
#define MAX_REAL_BITS 24       /* FLOAT(n) up to here is REAL */
#define DEFAULT_PRECISION 18
#define MONEY_PRECISION 19
#define MONEY_SCALE 4
#define DATETIME_SCALE 3
#define CATALOGUE_MAX_LENGTH 1000000000 /* TEXT and IMAGE have 2^31-1 and NTEXT 2^30-1 in the catalogue */

/* What may stand in parentheses behind the name. */
enum arguments {
    ARGUMENTS_NONE,
    ARGUMENTS_BITS,      /* (n), 1…53, optional */
    ARGUMENTS_PRECISION, /* (p[,s]) */
    ARGUMENTS_LENGTH,    /* (n) */
    ARGUMENTS_LENGTH_MAX, /* (n) or (MAX) */
    ARGUMENTS_SCALE      /* (s), 0…7 */
};

static const struct {
    const char *name;
    enum arguments arguments;
    int max_length;
} rules[SQLTYPE_KINDS] = {
    [SQLTYPE_TINYINT] = {"TINYINT", ARGUMENTS_NONE, 0},
    [SQLTYPE_SMALLINT] = {"SMALLINT", ARGUMENTS_NONE, 0},
    [SQLTYPE_INT] = {"INT", ARGUMENTS_NONE, 0},
    [SQLTYPE_BIGINT] = {"BIGINT", ARGUMENTS_NONE, 0},
    [SQLTYPE_BIT] = {"BIT", ARGUMENTS_NONE, 0},
    [SQLTYPE_DECIMAL] = {"DECIMAL", ARGUMENTS_PRECISION, 0},
    [SQLTYPE_NUMERIC] = {"NUMERIC", ARGUMENTS_PRECISION, 0},
    [SQLTYPE_MONEY] = {"MONEY", ARGUMENTS_NONE, 0},
    [SQLTYPE_FLOAT] = {"FLOAT", ARGUMENTS_BITS, 0},
    [SQLTYPE_REAL] = {"REAL", ARGUMENTS_NONE, 0},
    [SQLTYPE_CHAR] = {"CHAR", ARGUMENTS_LENGTH, MAX_BYTES},
    [SQLTYPE_VARCHAR] = {"VARCHAR", ARGUMENTS_LENGTH_MAX, MAX_BYTES},
    [SQLTYPE_NCHAR] = {"NCHAR", ARGUMENTS_LENGTH, MAX_UNITS},
    [SQLTYPE_NVARCHAR] = {"NVARCHAR", ARGUMENTS_LENGTH_MAX, MAX_UNITS},
    [SQLTYPE_TEXT] = {"TEXT", ARGUMENTS_NONE, 0},
    [SQLTYPE_DATE] = {"DATE", ARGUMENTS_NONE, 0},
    [SQLTYPE_TIME] = {"TIME", ARGUMENTS_SCALE, 0},
    [SQLTYPE_DATETIME] = {"DATETIME", ARGUMENTS_NONE, 0},
    [SQLTYPE_DATETIME2] = {"DATETIME2", ARGUMENTS_SCALE, 0},
    [SQLTYPE_DATETIMEOFFSET] = {"DATETIMEOFFSET", ARGUMENTS_SCALE, 0},
    [SQLTYPE_UNIQUEIDENTIFIER] = {"UNIQUEIDENTIFIER", ARGUMENTS_NONE, 0},
    [SQLTYPE_BINARY] = {"BINARY", ARGUMENTS_LENGTH, MAX_BYTES},
    [SQLTYPE_VARBINARY] = {"VARBINARY", ARGUMENTS_LENGTH_MAX, MAX_BYTES},
};

/* Names of the catalogue that /create-table does not take. */
static const struct {
    const char *name;
    enum sqltype_kind kind;
} aliases[] = {
    {"NTEXT", SQLTYPE_NVARCHAR},
    {"IMAGE", SQLTYPE_VARBINARY},
    {"SMALLDATETIME", SQLTYPE_DATETIME},
};

bool sqltype_is_integer(const struct sqltype *t)
{
    return t->kind <= SQLTYPE_BIGINT;
}

bool sqltype_is_decimal(const struct sqltype *t)
{
    return t->kind >= SQLTYPE_DECIMAL && t->kind <= SQLTYPE_MONEY;
}

bool sqltype_is_float(const struct sqltype *t)
{
    return t->kind == SQLTYPE_FLOAT || t->kind == SQLTYPE_REAL;
}

bool sqltype_is_small(const struct sqltype *t)
{
    return (t->kind == SQLTYPE_MONEY && t->precision == SQLTYPE_SMALLMONEY_PRECISION) ||
           (t->kind == SQLTYPE_DATETIME && t->precision == SQLTYPE_SMALLDATETIME_PRECISION);
}

bool sqltype_is_string(const struct sqltype *t)
{
    return t->kind >= SQLTYPE_CHAR && t->kind <= SQLTYPE_TEXT;
}

bool sqltype_is_unicode(const struct sqltype *t)
{
    return t->kind == SQLTYPE_NCHAR || t->kind == SQLTYPE_NVARCHAR;
}

bool sqltype_is_binary(const struct sqltype *t)
{
    return t->kind == SQLTYPE_BINARY || t->kind == SQLTYPE_VARBINARY;
}

const char *sqltype_name(enum sqltype_kind kind)
{
    return rules[kind].name;
}

void sqltype_write(const struct sqltype *t, struct buf *out)
{
    buf_printf(out, "%s%s", sqltype_is_small(t) ? "SMALL" : "", rules[t->kind].name);
    switch (rules[t->kind].arguments) {
    case ARGUMENTS_NONE:
    case ARGUMENTS_BITS: /* FLOAT is FLOAT(53) */
        break;
    case ARGUMENTS_PRECISION:
        buf_printf(out, "(%d,%d)", t->precision, t->scale);
        break;
    case ARGUMENTS_SCALE:
        buf_printf(out, "(%d)", t->scale);
        break;
    case ARGUMENTS_LENGTH:
    case ARGUMENTS_LENGTH_MAX:
        if (t->length == SQLTYPE_MAX)
            buf_append_text(out, "(MAX)");
        else
            buf_printf(out, "(%d)", t->length);
        break;
    }
}

static bool find_kind(const char *name, size_t len, enum sqltype_kind *out)
{
    for (int kind = 0; kind < SQLTYPE_KINDS; kind++) {
        if (strlen(rules[kind].name) == len && strncasecmp(rules[kind].name, name, len) == 0) {
            *out = (enum sqltype_kind)kind;
            return true;
        }
    }
    return false;
}

/* The type without arguments: SQL Server's defaults. */
static struct sqltype plain_type(enum sqltype_kind kind)
{
    struct sqltype t = {.kind = kind};

    switch (rules[kind].arguments) {
    case ARGUMENTS_PRECISION:
        t.precision = DEFAULT_PRECISION;
        break;
    case ARGUMENTS_LENGTH:
    case ARGUMENTS_LENGTH_MAX:
        t.length = 1;
        break;
    case ARGUMENTS_SCALE:
        t.scale = SQLTYPE_MAX_SCALE_TIME;
        break;
    case ARGUMENTS_NONE:
    case ARGUMENTS_BITS:
        break;
    }
    if (kind == SQLTYPE_MONEY) {
        t.precision = MONEY_PRECISION;
        t.scale = MONEY_SCALE;
    }
    if (kind == SQLTYPE_DATETIME)
        t.scale = DATETIME_SCALE;
    if (kind == SQLTYPE_TEXT)
        t.length = SQLTYPE_MAX;
    return t;
}

static bool in_range(int v, int least, int most)
{
    return v >= least && v <= most;
}

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

/* digits; NULL when there are none or they go beyond 9999. */
static const char *read_argument(const char *at, const char *end, int *out)
{
    const char *start = at = skip_spaces(at, end);
    int v = 0;

    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        v = v * 10 + (*at - '0');
        if (v > 9999)
            return NULL;
    }
    *out = v;
    return at > start ? skip_spaces(at, end) : NULL;
}

/* What stands between the parentheses, `at` being behind the opening one. Returns where it ends; NULL when it is wrong. */
static const char *read_arguments(const char *at, const char *end, struct sqltype *t)
{
    int v;

    if (rules[t->kind].arguments == ARGUMENTS_LENGTH_MAX) {
        const char *word = skip_spaces(at, end);
        if (end - word >= 3 && strncasecmp(word, "MAX", 3) == 0) {
            t->length = SQLTYPE_MAX;
            return skip_spaces(word + 3, end);
        }
    }
    at = read_argument(at, end, &v);
    if (!at)
        return NULL;
    switch (rules[t->kind].arguments) {
    case ARGUMENTS_NONE:
        return NULL;
    case ARGUMENTS_BITS:
        t->kind = v <= MAX_REAL_BITS ? SQLTYPE_REAL : SQLTYPE_FLOAT;
        return in_range(v, 1, MAX_FLOAT_BITS) ? at : NULL;
    case ARGUMENTS_SCALE:
        t->scale = v;
        return v <= SQLTYPE_MAX_SCALE_TIME ? at : NULL;
    case ARGUMENTS_LENGTH:
    case ARGUMENTS_LENGTH_MAX:
        t->length = v;
        return in_range(v, 1, rules[t->kind].max_length) ? at : NULL;
    case ARGUMENTS_PRECISION:
        break;
    }
    t->precision = v;
    if (at < end && *at == ',')
        at = read_argument(at + 1, end, &t->scale);
    return at && in_range(t->precision, 1, SQLTYPE_MAX_PRECISION) && t->scale <= t->precision ? at : NULL;
}

enum sqltype_fault sqltype_read(const char **text, const char *end, struct sqltype *out)
{
    const char *at = skip_spaces(*text, end);
    const char *name = at;
    enum sqltype_kind kind;

    while (at < end && isalnum((unsigned char)*at))
        at++;
    if (!find_kind(name, (size_t)(at - name), &kind))
        return SQLTYPE_UNKNOWN_NAME;
    *out = plain_type(kind);
    const char *behind = skip_spaces(at, end);
    if (behind < end && *behind == '(') {
        at = read_arguments(behind + 1, end, out);
        if (!at || at == end || *at != ')')
            return SQLTYPE_BAD_ARGUMENTS;
        at++;
    }
    *text = at;
    return SQLTYPE_READ;
}

bool sqltype_parse(const char *text, size_t len, struct sqltype *out)
{
    const char *at = text;
    return sqltype_read(&at, text + len, out) == SQLTYPE_READ && at == text + len;
}

bool sqltype_from_catalogue(const char *data_type, int length, int precision, int scale, int datetime_precision,
                            struct sqltype *out)
{
    enum sqltype_kind kind;

    if (!find_kind(data_type, strlen(data_type), &kind)) {
        size_t i = 0;
        while (i < sizeof aliases / sizeof aliases[0] && strcasecmp(aliases[i].name, data_type) != 0)
            i++;
        if (i == sizeof aliases / sizeof aliases[0])
            return false;
        kind = aliases[i].kind;
    }
    *out = plain_type(kind);
    switch (rules[kind].arguments) {
    case ARGUMENTS_NONE:
    case ARGUMENTS_BITS:
        return true;
    case ARGUMENTS_PRECISION:
        out->precision = precision;
        out->scale = scale;
        return in_range(precision, 1, SQLTYPE_MAX_PRECISION) && in_range(scale, 0, precision);
    case ARGUMENTS_SCALE:
        out->scale = datetime_precision;
        return in_range(datetime_precision, 0, SQLTYPE_MAX_SCALE_TIME);
    case ARGUMENTS_LENGTH:
        out->length = length;
        return in_range(length, 1, rules[kind].max_length);
    case ARGUMENTS_LENGTH_MAX:
        out->length = length == -1 || length > CATALOGUE_MAX_LENGTH ? SQLTYPE_MAX : length;
        return out->length == SQLTYPE_MAX || in_range(length, 1, rules[kind].max_length);
    }
    return false;
}

/* Names that are the server's own. */
static const struct {
    const char *text;
    bool prefix;  /* all names that begin so */
    bool columns; /* for columns too */
} reserved_names[] = {
    {"sys", true, true},     {"gw_", true, true},    {"master", false, false},
    {"model", false, false}, {"msdb", false, false}, {"tempdb", false, false},
};

int sqltype_check_name(const char *field, const char *name, size_t len, struct err *e)
{
    const bool column = strncmp(field, "column", strlen("column")) == 0;

    if (len == 0)
        return err_set(e, ERR_BAD_NAME, "%s: the name is empty", field);
    if (len > SQLTYPE_MAX_NAME)
        return err_set(e, ERR_BAD_NAME, "%s: the name is longer than %d characters", field, SQLTYPE_MAX_NAME);
    for (size_t i = 0; i < len; i++) {
        const char c = name[i];
        const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        const bool other = (c >= '0' && c <= '9') || c == '_';
        if (!letter && (i == 0 || !other))
            return err_set(e, ERR_BAD_NAME, "%s: the name has to match [A-Za-z][A-Za-z0-9_]{0,63}; byte %zu does not", field, i);
    }
    for (size_t i = 0; i < sizeof reserved_names / sizeof reserved_names[0]; i++) {
        const char *text = reserved_names[i].text;
        const bool match = reserved_names[i].prefix ? len >= strlen(text) : len == strlen(text);
        if (match && strncasecmp(name, text, strlen(text)) == 0 && (reserved_names[i].columns || !column))
            return err_set(e, ERR_BAD_NAME, "%s: '%.*s' is a name of the server's own", field, (int)len, name);
    }
    return 0;
}
