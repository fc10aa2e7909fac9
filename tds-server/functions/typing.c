#include "tds-server/functions/typing.h"

#include <string.h>
#include <strings.h>

const char typing_default_collation[] = "Latin1_General_100_CI_AS_SC_UTF8";

struct type_row {
    const char *name;
    enum type_class class;
    int precedence; /* the higher wins */
    int digits;     /* of integers, as decimals */
    int64_t low, high;
    int display;    /* characters of the longest text; 0: depends on the arguments */
};

static const struct type_row type_rows[SQLTYPE_KINDS] = {
    [SQLTYPE_TINYINT] = {"tinyint", TYPE_INTEGER, 21, 3, 0, 255, 3},
    [SQLTYPE_SMALLINT] = {"smallint", TYPE_INTEGER, 22, 5, INT16_MIN, INT16_MAX, 6},
    [SQLTYPE_INT] = {"int", TYPE_INTEGER, 23, 10, INT32_MIN, INT32_MAX, 12},
    [SQLTYPE_BIGINT] = {"bigint", TYPE_INTEGER, 24, 19, INT64_MIN, INT64_MAX, 20},
    [SQLTYPE_BIT] = {"bit", TYPE_BIT, 20, 1, 0, 1, 1},
    [SQLTYPE_DECIMAL] = {"decimal", TYPE_DECIMAL, 26, 0, 0, 0, 0},
    [SQLTYPE_NUMERIC] = {"numeric", TYPE_DECIMAL, 26, 0, 0, 0, 0},
    [SQLTYPE_MONEY] = {"money", TYPE_DECIMAL, 25, 0, 0, 0, 22},
    [SQLTYPE_FLOAT] = {"float", TYPE_FLOAT, 28, 0, 0, 0, 53},
    [SQLTYPE_REAL] = {"real", TYPE_FLOAT, 27, 0, 0, 0, 24},
    [SQLTYPE_CHAR] = {"char", TYPE_STRING, 10, 0, 0, 0, 0},
    [SQLTYPE_VARCHAR] = {"varchar", TYPE_STRING, 11, 0, 0, 0, 0},
    [SQLTYPE_NCHAR] = {"nchar", TYPE_STRING, 12, 0, 0, 0, 0},
    [SQLTYPE_NVARCHAR] = {"nvarchar", TYPE_STRING, 13, 0, 0, 0, 0},
    [SQLTYPE_TEXT] = {"text", TYPE_STRING, 15, 0, 0, 0, 0},
    [SQLTYPE_DATE] = {"date", TYPE_DATETIME, 31, 0, 0, 0, 10},
    [SQLTYPE_TIME] = {"time", TYPE_DATETIME, 30, 0, 0, 0, 16},
    [SQLTYPE_DATETIME] = {"datetime", TYPE_DATETIME, 32, 0, 0, 0, 23},
    [SQLTYPE_DATETIME2] = {"datetime2", TYPE_DATETIME, 33, 0, 0, 0, 27},
    [SQLTYPE_DATETIMEOFFSET] = {"datetimeoffset", TYPE_DATETIME, 34, 0, 0, 0, 34},
    [SQLTYPE_UNIQUEIDENTIFIER] = {"uniqueidentifier", TYPE_GUID, 14, 0, 0, 0, 36},
    [SQLTYPE_BINARY] = {"binary", TYPE_BINARY, 1, 0, 0, 0, 0},
    [SQLTYPE_VARBINARY] = {"varbinary", TYPE_BINARY, 2, 0, 0, 0, 0},
};

enum type_class typing_class(enum sqltype_kind kind)
{
    return type_rows[kind].class;
}

const char *typing_name(enum sqltype_kind kind)
{
    return type_rows[kind].name;
}

int64_t typing_pack(const struct sqltype *t)
{
    return (int64_t)t->kind << 48 | (int64_t)(t->length + 1) << 16 | (int64_t)t->precision << 8 | t->scale;
}

struct sqltype typing_unpack(int64_t packed)
{
    return (struct sqltype){.kind = (enum sqltype_kind)(packed >> 48 & 0xFF),
                            .length = (int)(packed >> 16 & 0xFFFFFFFF) - 1,
                            .precision = (int)(packed >> 8 & 0xFF),
                            .scale = (int)(packed & 0xFF)};
}

struct sqltype typing_make(enum sqltype_kind kind)
{
    struct sqltype t = {.kind = kind};
    if (kind == SQLTYPE_MONEY) {
        t.precision = 19;
        t.scale = 4;
    } else if (kind == SQLTYPE_DATETIME) {
        t.scale = 3;
    } else if (kind == SQLTYPE_TEXT) {
        t.length = SQLTYPE_MAX;
    } else if (typing_class(kind) == TYPE_DATETIME && kind != SQLTYPE_DATE) {
        t.scale = SQLTYPE_MAX_SCALE_TIME;
    }
    return t;
}

static bool is_unicode(enum sqltype_kind kind)
{
    return kind == SQLTYPE_NCHAR || kind == SQLTYPE_NVARCHAR;
}

static int length_limit(enum sqltype_kind kind)
{
    return is_unicode(kind) ? 4000 : 8000;
}

struct sqltype typing_string(enum sqltype_kind kind, int length)
{
    if (length == SQLTYPE_MAX || length > length_limit(kind)) {
        if (kind == SQLTYPE_CHAR)
            kind = SQLTYPE_VARCHAR;
        else if (kind == SQLTYPE_NCHAR)
            kind = SQLTYPE_NVARCHAR;
        else if (kind == SQLTYPE_BINARY)
            kind = SQLTYPE_VARBINARY;
        length = SQLTYPE_MAX;
    } else if (length < 1) {
        length = 1;
    }
    return (struct sqltype){.kind = kind, .length = length};
}

struct sqltype typing_decimal(int precision, int scale)
{
    if (precision > SQLTYPE_MAX_PRECISION) {
        /* The digits before the point stay, and of the scale what is left, but six of it where there are as many. */
        int integral = precision - scale;
        int keep = scale < 6 ? scale : 6;
        int room = SQLTYPE_MAX_PRECISION - integral;
        scale = room > keep ? room : keep;
        precision = SQLTYPE_MAX_PRECISION;
    }
    return (struct sqltype){.kind = SQLTYPE_NUMERIC, .precision = precision, .scale = scale};
}

void typing_integer_range(enum sqltype_kind kind, int64_t *low, int64_t *high)
{
    *low = type_rows[kind].low;
    *high = type_rows[kind].high;
}

void typing_as_decimal(const struct sqltype *t, int *precision, int *scale)
{
    if (typing_class(t->kind) == TYPE_DECIMAL) {
        *precision = t->precision;
        *scale = t->scale;
    } else {
        *precision = type_rows[t->kind].digits;
        *scale = 0;
    }
}

int typing_display_length(const struct sqltype *t)
{
    switch (typing_class(t->kind)) {
    case TYPE_STRING:
    case TYPE_BINARY:
        return t->length;
    case TYPE_DECIMAL:
        return t->kind == SQLTYPE_MONEY ? type_rows[t->kind].display : t->precision + 3;
    default:
        return type_rows[t->kind].display;
    }
}

enum type_conversion typing_conversion(enum sqltype_kind from, enum sqltype_kind to)
{
    enum type_class a = typing_class(from), b = typing_class(to);
    bool a_number = a <= TYPE_FLOAT, b_number = b <= TYPE_FLOAT;
    if (a_number && b_number)
        return CONVERSION_IMPLICIT;
    if (a == b) {
        if (from == SQLTYPE_DATE && to == SQLTYPE_TIME)
            return CONVERSION_NONE;
        if (from == SQLTYPE_TIME && to == SQLTYPE_DATE)
            return CONVERSION_NONE;
        return CONVERSION_IMPLICIT;
    }
    if (a == TYPE_STRING)
        return b == TYPE_BINARY ? CONVERSION_EXPLICIT : CONVERSION_IMPLICIT;
    if (b == TYPE_STRING)
        return a == TYPE_BINARY || a != TYPE_DECIMAL || from != SQLTYPE_MONEY ? CONVERSION_IMPLICIT : CONVERSION_EXPLICIT;
    if (a == TYPE_BINARY)
        return b == TYPE_FLOAT || (b == TYPE_DATETIME && to != SQLTYPE_DATETIME) ? CONVERSION_NONE : CONVERSION_IMPLICIT;
    if (b == TYPE_BINARY)
        return a == TYPE_INTEGER || a == TYPE_BIT || a == TYPE_DECIMAL || a == TYPE_GUID ? CONVERSION_IMPLICIT : CONVERSION_EXPLICIT;
    if (a_number && to == SQLTYPE_DATETIME)
        return CONVERSION_IMPLICIT;
    if (from == SQLTYPE_DATETIME && b_number)
        return CONVERSION_EXPLICIT;
    return CONVERSION_NONE;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static struct sqltype common_decimal(const struct sqltype *a, const struct sqltype *b)
{
    int pa, sa, pb, sb;
    typing_as_decimal(a, &pa, &sa);
    typing_as_decimal(b, &pb, &sb);
    int scale = larger(sa, sb);
    int integral = larger(pa - sa, pb - sb);
    if (integral + scale > SQLTYPE_MAX_PRECISION)
        scale = SQLTYPE_MAX_PRECISION - integral;
    enum sqltype_kind kind = a->kind == SQLTYPE_DECIMAL && b->kind == SQLTYPE_DECIMAL ? SQLTYPE_DECIMAL : SQLTYPE_NUMERIC;
    return (struct sqltype){.kind = kind, .precision = integral + scale, .scale = scale};
}

int typing_common(const struct sqltype *a, const struct sqltype *b, struct sqltype *out, struct fault *f)
{
    const struct sqltype *high = a, *low = b;
    if (type_rows[b->kind].precedence > type_rows[a->kind].precedence) {
        high = b;
        low = a;
    }
    if (typing_conversion(low->kind, high->kind) != CONVERSION_IMPLICIT)
        return fault_set(f, 206, typing_name(a->kind), typing_name(b->kind));
    /* SMALLMONEY beside MONEY, SMALLDATETIME beside DATETIME: the larger. */
    if (high->kind == low->kind && sqltype_is_small(high))
        high = low;
    *out = *high;
    enum type_class low_class = typing_class(low->kind);
    switch (typing_class(high->kind)) {
    case TYPE_DECIMAL:
        if (high->kind != SQLTYPE_MONEY && low_class <= TYPE_DECIMAL)
            *out = common_decimal(high, low);
        break;
    case TYPE_STRING:
        if (low_class == TYPE_STRING || low_class == TYPE_BINARY) {
            bool any_max = high->length == SQLTYPE_MAX || low->length == SQLTYPE_MAX;
            *out = typing_string(high->kind, any_max ? SQLTYPE_MAX : larger(high->length, low->length));
            if (high->kind == SQLTYPE_TEXT)
                *out = *high;
        }
        break;
    case TYPE_BINARY:
        *out = typing_string(high->kind, high->length == SQLTYPE_MAX || low->length == SQLTYPE_MAX
                                             ? SQLTYPE_MAX : larger(high->length, low->length));
        break;
    case TYPE_DATETIME:
        if (low_class == TYPE_DATETIME && high->kind != SQLTYPE_DATETIME && high->kind != SQLTYPE_DATE)
            out->scale = larger(high->scale, low->scale);
        break;
    default:
        break;
    }
    return 0;
}

bool typing_same_form(const struct sqltype *from, const struct sqltype *to)
{
    enum type_class a = typing_class(from->kind), b = typing_class(to->kind);
    if (sqltype_is_small(to) && !sqltype_is_small(from))
        return false;
    if (a == TYPE_DECIMAL && b == TYPE_DECIMAL)
        return from->scale == to->scale;
    if (a == TYPE_DATETIME && b == TYPE_DATETIME) {
        bool both = (from->kind == SQLTYPE_DATETIME || from->kind == SQLTYPE_DATETIME2) &&
                    (to->kind == SQLTYPE_DATETIME || to->kind == SQLTYPE_DATETIME2);
        return both || from->kind == to->kind;
    }
    /* SQLite compares integers with each other and with floats by their exact values. */
    if (a <= TYPE_BIT && b <= TYPE_BIT)
        return true;
    return a == b;
}

/* ---- arithmetic ---- */

static const char *op_name(enum tsql_op op)
{
    switch (op) {
    case TSQL_ADD: return "add";
    case TSQL_SUB: return "subtract";
    case TSQL_MUL: return "multiply";
    case TSQL_DIV: return "divide";
    case TSQL_MOD: return "modulo";
    case TSQL_BIT_AND: return "'&'";
    case TSQL_BIT_OR: return "'|'";
    case TSQL_BIT_XOR: return "'^'";
    default: return "unknown";
    }
}

/* SQL Server's table for + - * / % on decimals. */
static struct sqltype decimal_result(enum tsql_op op, const struct sqltype *a, const struct sqltype *b)
{
    int pa, sa, pb, sb;
    typing_as_decimal(a, &pa, &sa);
    typing_as_decimal(b, &pb, &sb);
    int scale;
    switch (op) {
    case TSQL_MUL:
        return typing_decimal(pa + pb + 1, sa + sb);
    case TSQL_DIV:
        scale = larger(6, sa + pb + 1);
        return typing_decimal(pa - sa + sb + scale, scale);
    case TSQL_MOD:
        scale = larger(sa, sb);
        return typing_decimal((pa - sa < pb - sb ? pa - sa : pb - sb) + scale, scale);
    default:
        scale = larger(sa, sb);
        return typing_decimal(larger(pa - sa, pb - sb) + scale + 1, scale);
    }
}

static int join_result(const struct sqltype *a, const struct sqltype *b, struct sqltype *out)
{
    enum sqltype_kind kind;
    if (typing_class(a->kind) == TYPE_BINARY) {
        kind = a->kind == SQLTYPE_BINARY && b->kind == SQLTYPE_BINARY ? SQLTYPE_BINARY : SQLTYPE_VARBINARY;
    } else {
        bool unicode = is_unicode(a->kind) || is_unicode(b->kind);
        kind = unicode ? SQLTYPE_NVARCHAR : SQLTYPE_VARCHAR;
    }
    if (a->length == SQLTYPE_MAX || b->length == SQLTYPE_MAX) {
        *out = typing_string(kind, SQLTYPE_MAX);
        return 0;
    }
    int sum = a->length + b->length;
    int limit = length_limit(kind);
    *out = typing_string(kind, sum < limit ? sum : limit);
    return 0;
}

/* DATETIME + and - what becomes one: the days since 1900 are added. The newer types have no arithmetic. */
static int moment_arithmetic(enum tsql_op op, const struct sqltype *a, const struct sqltype *b, struct sqltype *out, struct fault *f)
{
    const struct sqltype *moment = typing_class(a->kind) == TYPE_DATETIME ? a : b, *other = moment == a ? b : a;
    enum type_class class = typing_class(other->kind);
    bool adds = op == TSQL_ADD || op == TSQL_SUB;
    if (class == TYPE_DATETIME && a->kind == b->kind && (!adds || a->kind != SQLTYPE_DATETIME))
        return fault_set(f, 8117, typing_name(a->kind), op_name(op));
    if (class == TYPE_DATETIME && a->kind != b->kind)
        return fault_set(f, 402, typing_name(a->kind), typing_name(b->kind), op_name(op));
    if (moment->kind != SQLTYPE_DATETIME && class <= TYPE_FLOAT)
        return fault_set(f, 206, typing_name(a->kind), typing_name(b->kind));
    if (!adds || moment->kind != SQLTYPE_DATETIME || class == TYPE_GUID || class == TYPE_BINARY)
        return fault_set(f, 402, typing_name(a->kind), typing_name(b->kind), op_name(op));
    *out = class == TYPE_DATETIME && sqltype_is_small(moment) ? *other : *moment;
    return 0;
}

int typing_arithmetic(enum tsql_op op, const struct sqltype *a, const struct sqltype *b, struct sqltype *out, struct fault *f)
{
    enum type_class ca = typing_class(a->kind), cb = typing_class(b->kind);
    bool bitwise = op == TSQL_BIT_AND || op == TSQL_BIT_OR || op == TSQL_BIT_XOR;
    if (ca == TYPE_STRING && cb == TYPE_STRING) {
        if (op != TSQL_ADD || a->kind == SQLTYPE_TEXT || b->kind == SQLTYPE_TEXT)
            return fault_set(f, 402, typing_name(a->kind), typing_name(b->kind), op_name(op));
        return join_result(a, b, out);
    }
    if (ca == TYPE_BINARY && cb == TYPE_BINARY && op == TSQL_ADD)
        return join_result(a, b, out);
    if (ca == TYPE_DATETIME || cb == TYPE_DATETIME)
        return moment_arithmetic(op, a, b, out, f);
    if (ca == TYPE_STRING && cb <= TYPE_FLOAT && cb != TYPE_BIT) {
        *out = *b; /* the string is read as the other's type */
        ca = cb;
        a = b;
    } else if (cb == TYPE_STRING && ca <= TYPE_FLOAT && ca != TYPE_BIT) {
        cb = ca;
        b = a;
    }
    if (ca > TYPE_FLOAT || cb > TYPE_FLOAT)
        return fault_set(f, 402, typing_name(a->kind), typing_name(b->kind), op_name(op));
    if (bitwise && (ca > TYPE_BIT || cb > TYPE_BIT))
        return fault_set(f, 402, typing_name(a->kind), typing_name(b->kind), op_name(op));
    if (!bitwise && ca == TYPE_BIT && cb == TYPE_BIT)
        return fault_set(f, 402, "bit", "bit", op_name(op));
    if (ca == TYPE_FLOAT || cb == TYPE_FLOAT) {
        if (op == TSQL_MOD)
            return fault_set(f, 402, typing_name(a->kind), typing_name(b->kind), op_name(op));
        bool single = (ca != TYPE_FLOAT || a->kind == SQLTYPE_REAL) && (cb != TYPE_FLOAT || b->kind == SQLTYPE_REAL);
        *out = typing_make(single ? SQLTYPE_REAL : SQLTYPE_FLOAT);
        return 0;
    }
    bool a_money = a->kind == SQLTYPE_MONEY, b_money = b->kind == SQLTYPE_MONEY;
    if ((a_money || ca != TYPE_DECIMAL) && (b_money || cb != TYPE_DECIMAL) && (a_money || b_money)) {
        *out = typing_make(SQLTYPE_MONEY);
        if ((!a_money || sqltype_is_small(a)) && (!b_money || sqltype_is_small(b)))
            out->precision = SQLTYPE_SMALLMONEY_PRECISION;
        return 0;
    }
    if (ca == TYPE_DECIMAL || cb == TYPE_DECIMAL) {
        *out = decimal_result(op, a, b);
        return 0;
    }
    *out = type_rows[a->kind].precedence >= type_rows[b->kind].precedence ? *a : *b;
    return 0;
}

int typing_sum(const char *function, const struct sqltype *t, struct sqltype *out, struct fault *f)
{
    bool average = strcmp(function, "avg") == 0;
    switch (typing_class(t->kind)) {
    case TYPE_INTEGER:
        *out = typing_make(t->kind == SQLTYPE_BIGINT ? SQLTYPE_BIGINT : SQLTYPE_INT);
        return 0;
    case TYPE_DECIMAL:
        if (t->kind == SQLTYPE_MONEY) {
            *out = typing_make(SQLTYPE_MONEY);
            return 0;
        }
        *out = (struct sqltype){.kind = SQLTYPE_NUMERIC, .precision = SQLTYPE_MAX_PRECISION,
                                .scale = average ? larger(6, t->scale) : t->scale};
        out->kind = t->kind;
        return 0;
    case TYPE_FLOAT:
        *out = typing_make(SQLTYPE_FLOAT);
        return 0;
    default:
        return fault_set(f, 8117, typing_name(t->kind), function);
    }
}

/* ---- collations ---- */

static bool contains(const char *name, size_t len, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; n <= len && i <= len - n; i++) {
        if (strncasecmp(name + i, part, n) == 0)
            return true;
    }
    return false;
}

static bool ends_with(const char *name, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len >= n && strncasecmp(name + len - n, end, n) == 0;
}

bool typing_collation(const char *name, size_t len, enum collation *out)
{
    bool binary = ends_with(name, len, "_BIN") || ends_with(name, len, "_BIN2") || ends_with(name, len, "_BIN2_UTF8");
    bool cs = contains(name, len, "_CS_");
    bool ci = contains(name, len, "_CI_");
    /* Accents always count here: a collation that ignores them would find too little. */
    if ((!binary && !cs && !ci) || contains(name, len, "_AI"))
        return false;
    *out = binary ? COLLATION_BIN2 : cs ? COLLATION_CS : COLLATION_CI;
    return true;
}
