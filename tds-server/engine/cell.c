#include "tds-server/engine/cell.h"

#include "tds-server/values/decimal.h"
#include "tds-server/functions/typing.h"

#include <string.h>

static void read_decimal(const void *blob, int len, struct value *out)
{
    if (blob && len == DECIMAL_KEY_LEN)
        out->decimal = decimal_from_key(blob);
}

void cell_read(sqlite3_value *cell, const struct sqltype *type, struct value *out)
{
    *out = (struct value){.type = *type, .null = sqlite3_value_type(cell) == SQLITE_NULL, .bytes = {"", 0}};
    if (out->null)
        return;
    switch (typing_class(type->kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        out->integer = sqlite3_value_int64(cell);
        return;
    case TYPE_FLOAT:
        out->real = sqlite3_value_double(cell);
        return;
    case TYPE_DECIMAL:
        read_decimal(sqlite3_value_blob(cell), sqlite3_value_bytes(cell), out);
        return;
    default:
        break;
    }
    const void *data = sqlite3_value_blob(cell);
    out->bytes.len = (size_t)sqlite3_value_bytes(cell);
    if (data)
        out->bytes.data = data;
}

void cell_read_column(sqlite3_stmt *stmt, int column, const struct sqltype *type, struct value *out)
{
    /* SQLite calls the cell unprotected: another thread could change it. A connection is its session's alone. */
    cell_read(sqlite3_column_value(stmt, column), type, out);
}

static const char *bytes_of(const struct value *v)
{
    return v->bytes.data ? v->bytes.data : "";
}

int cell_bind(sqlite3_stmt *stmt, int parameter, const struct value *v)
{
    unsigned char key[DECIMAL_KEY_LEN];
    if (v->null)
        return sqlite3_bind_null(stmt, parameter);
    switch (typing_class(v->type.kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        return sqlite3_bind_int64(stmt, parameter, v->integer);
    case TYPE_FLOAT:
        return sqlite3_bind_double(stmt, parameter, v->real);
    case TYPE_DECIMAL:
        decimal_to_key(v->decimal, key);
        return sqlite3_bind_blob(stmt, parameter, key, sizeof key, SQLITE_TRANSIENT);
    case TYPE_GUID:
    case TYPE_BINARY:
        return sqlite3_bind_blob64(stmt, parameter, bytes_of(v), v->bytes.len, SQLITE_STATIC);
    default:
        return sqlite3_bind_text64(stmt, parameter, bytes_of(v), v->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
    }
}

void cell_result(sqlite3_context *ctx, const struct value *v)
{
    unsigned char key[DECIMAL_KEY_LEN];
    if (v->null) {
        sqlite3_result_null(ctx);
        return;
    }
    switch (typing_class(v->type.kind)) {
    case TYPE_INTEGER:
    case TYPE_BIT:
        sqlite3_result_int64(ctx, v->integer);
        return;
    case TYPE_FLOAT:
        sqlite3_result_double(ctx, v->real);
        return;
    case TYPE_DECIMAL:
        decimal_to_key(v->decimal, key);
        sqlite3_result_blob(ctx, key, sizeof key, SQLITE_TRANSIENT);
        return;
    case TYPE_GUID:
    case TYPE_BINARY:
        sqlite3_result_blob64(ctx, bytes_of(v), v->bytes.len, SQLITE_TRANSIENT);
        return;
    default:
        sqlite3_result_text64(ctx, bytes_of(v), v->bytes.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    }
}
