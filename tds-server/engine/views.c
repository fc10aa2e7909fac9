#include "tds-server/engine/views_private.h"

#include "common/collate.h"
#include "tds-server/functions/typing.h"

#include <stdio.h>
#include <string.h>

/* ---- how a type shows ---- */

enum type_info {
    INFO_NAME,             /* DATA_TYPE */
    INFO_CHARACTERS,       /* CHARACTER_MAXIMUM_LENGTH */
    INFO_OCTETS,           /* CHARACTER_OCTET_LENGTH */
    INFO_PRECISION,        /* NUMERIC_PRECISION */
    INFO_RADIX,            /* NUMERIC_PRECISION_RADIX */
    INFO_SCALE,            /* NUMERIC_SCALE */
    INFO_DATETIME,         /* DATETIME_PRECISION */
    INFO_BYTES,            /* max_length of sys.columns */
    INFO_COLUMN_PRECISION, /* precision of sys.columns */
    INFO_TYPE_ID           /* system_type_id */
};

static const struct {
    int id, bytes, precision;
} type_facts[SQLTYPE_KINDS] = {
    [SQLTYPE_TINYINT] = {48, 1, 3},       [SQLTYPE_SMALLINT] = {52, 2, 5},         [SQLTYPE_INT] = {56, 4, 10},
    [SQLTYPE_BIGINT] = {127, 8, 19},      [SQLTYPE_BIT] = {104, 1, 1},             [SQLTYPE_DECIMAL] = {106, 0, 0},
    [SQLTYPE_NUMERIC] = {108, 0, 0},      [SQLTYPE_MONEY] = {60, 8, 19},           [SQLTYPE_FLOAT] = {62, 8, 53},
    [SQLTYPE_REAL] = {59, 4, 24},         [SQLTYPE_CHAR] = {175, 0, 0},            [SQLTYPE_VARCHAR] = {167, 0, 0},
    [SQLTYPE_NCHAR] = {239, 0, 0},        [SQLTYPE_NVARCHAR] = {231, 0, 0},        [SQLTYPE_TEXT] = {35, 16, 0},
    [SQLTYPE_DATE] = {40, 3, 10},         [SQLTYPE_TIME] = {41, 5, 16},            [SQLTYPE_DATETIME] = {61, 8, 23},
    [SQLTYPE_DATETIME2] = {42, 8, 27},    [SQLTYPE_DATETIMEOFFSET] = {43, 10, 34}, [SQLTYPE_UNIQUEIDENTIFIER] = {36, 16, 0},
    [SQLTYPE_BINARY] = {173, 0, 0},       [SQLTYPE_VARBINARY] = {165, 0, 0},
};

/* SMALLMONEY and SMALLDATETIME. */
static int small_id(const struct sqltype *t)
{
    return t->kind == SQLTYPE_MONEY ? 122 : 58;
}

int views_type_id(enum sqltype_kind kind)
{
    return type_facts[kind].id;
}

/* Of types with a scale: the digits of a whole second, and how many bytes stand beside the three to five of the time. */
static const struct {
    int digits, bytes;
} scaled_facts[SQLTYPE_KINDS] = {[SQLTYPE_TIME] = {8, 0}, [SQLTYPE_DATETIME2] = {19, 3}, [SQLTYPE_DATETIMEOFFSET] = {26, 5}};

int views_column_bytes(const struct sqltype *t)
{
    if (sqltype_is_small(t))
        return 4;
    if (scaled_facts[t->kind].digits > 0)
        return scaled_facts[t->kind].bytes + (t->scale <= 2 ? 3 : t->scale <= 4 ? 4 : 5);
    if (typing_class(t->kind) == TYPE_DECIMAL && t->kind != SQLTYPE_MONEY)
        return t->precision <= 9 ? 5 : t->precision <= 19 ? 9 : t->precision <= 28 ? 13 : 17;
    if (type_facts[t->kind].bytes > 0)
        return type_facts[t->kind].bytes;
    bool wide = t->kind == SQLTYPE_NCHAR || t->kind == SQLTYPE_NVARCHAR;
    return t->length == SQLTYPE_MAX ? -1 : wide ? 2 * t->length : t->length;
}

int views_column_precision(const struct sqltype *t)
{
    if (scaled_facts[t->kind].digits > 0)
        return scaled_facts[t->kind].digits + (t->scale > 0 ? t->scale + 1 : 0);
    return typing_class(t->kind) == TYPE_DECIMAL || sqltype_is_small(t) ? t->precision : type_facts[t->kind].precision;
}

/* The number for `what`; false: NULL. */
static bool type_number(enum type_info what, const struct sqltype *t, int *out)
{
    enum type_class class = typing_class(t->kind);
    bool sized = class == TYPE_STRING || class == TYPE_BINARY;
    bool number = class <= TYPE_FLOAT && class != TYPE_BIT;
    switch (what) {
    case INFO_CHARACTERS:
        *out = t->kind == SQLTYPE_TEXT ? INT32_MAX : t->length;
        return sized;
    case INFO_OCTETS:
        *out = t->kind == SQLTYPE_TEXT ? INT32_MAX : views_column_bytes(t);
        return sized;
    case INFO_PRECISION:
        *out = type_facts[t->kind].precision > 0 && !sqltype_is_small(t) ? type_facts[t->kind].precision : t->precision;
        return number;
    case INFO_RADIX:
        *out = class == TYPE_FLOAT ? 2 : 10;
        return number;
    case INFO_SCALE:
        *out = t->scale;
        return number && class != TYPE_FLOAT;
    case INFO_DATETIME:
        *out = t->scale;
        return class == TYPE_DATETIME;
    case INFO_BYTES:
        *out = views_column_bytes(t);
        return true;
    case INFO_COLUMN_PRECISION:
        *out = views_column_precision(t);
        return true;
    case INFO_TYPE_ID:
        *out = sqltype_is_small(t) ? small_id(t) : type_facts[t->kind].id;
        return true;
    default:
        return false;
    }
}

static void sg_type_info(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    enum type_info what = (enum type_info)sqlite3_value_int(argv[0]);
    int kind = sqlite3_value_int(argv[1]);
    if (kind < 0 || kind >= SQLTYPE_KINDS)
        return;
    struct sqltype t = {.kind = (enum sqltype_kind)kind, .length = sqlite3_value_int(argv[2]),
                        .precision = sqlite3_value_int(argv[3]), .scale = sqlite3_value_int(argv[4])};
    int number;
    if (what == INFO_NAME && sqltype_is_small(&t))
        sqlite3_result_text(ctx, t.kind == SQLTYPE_MONEY ? "smallmoney" : "smalldatetime", -1, SQLITE_STATIC);
    else if (what == INFO_NAME)
        sqlite3_result_text(ctx, typing_name(t.kind), -1, SQLITE_STATIC);
    else if (type_number(what, &t, &number))
        sqlite3_result_int(ctx, number);
}

/* sg_row_count(database, object): how many rows the table has, as the statement under way sees it. */
static void sg_row_count(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    char sql[96];
    sqlite3_stmt *stmt = NULL;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM d%d.t%d", sqlite3_value_int(argv[0]), sqlite3_value_int(argv[1]));
    int rc = sqlite3_prepare_v2(sqlite3_context_db_handle(ctx), sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        sqlite3_result_int64(ctx, sqlite3_column_int64(stmt, 0));
    else
        sqlite3_result_error_code(ctx, rc);
    sqlite3_finalize(stmt);
}

/* ---- */

static const struct view_list *const lists[] = {&views_information, &views_catalogue, &views_server};
#define LISTS (sizeof lists / sizeof lists[0])

/* sg_view(i, what): the schema (0) or name (1) of the view of this number, NULL behind the last. */
static void sg_view(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    int64_t i = sqlite3_value_int64(argv[0]);
    for (size_t l = 0; i >= 0 && l < LISTS; l++) {
        if (i < (int64_t)lists[l]->count) {
            const struct view *v = &lists[l]->views[i];
            sqlite3_result_text(ctx, sqlite3_value_int(argv[1]) == 0 ? v->schema : v->name, -1, SQLITE_STATIC);
            return;
        }
        i -= (int64_t)lists[l]->count;
    }
}

static bool is(struct tsql_text text, const char *name)
{
    return collate_name_equal(text.data, text.len, name, strlen(name));
}

const struct view *views_find(struct tsql_text schema, struct tsql_text name)
{
    for (size_t l = 0; l < LISTS && schema.len > 0; l++) {
        for (size_t i = 0; i < lists[l]->count; i++) {
            const struct view *v = &lists[l]->views[i];
            if (is(schema, v->schema) && is(name, v->name))
                return v;
        }
    }
    return NULL;
}

int views_register(sqlite3 *db)
{
    int rc = sqlite3_create_function_v2(db, "sg_type_info", 5, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sg_type_info, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "sg_row_count", 2, SQLITE_UTF8, NULL, sg_row_count, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "sg_view", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sg_view, NULL, NULL, NULL);
    return rc;
}
