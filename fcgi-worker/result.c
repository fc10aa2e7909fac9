#include "fcgi-worker/result.h"

#include "common/utf8.h"

#include <sql.h>
#include <sqlext.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 64    /* any value but a string or a binary, as text */
#define BYTES_PER_BYTE 4 /* of UTF-8 that become of one byte of any code page, at most */
#define ALIGNMENT 8      /* of a column's array */

/* SQL Server's own type codes, which sqlext.h does not have */
#define SQL_SERVER_TIME (-154)
#define SQL_SERVER_DATETIMEOFFSET (-155)

/* How a column's values are asked for. */
enum read { READ_NOT, READ_INTEGER, READ_DOUBLE, READ_TEXT, READ_BYTES };

struct column {
    enum read read;   /* as the rows before were */
    bool wide;        /* bound: UTF-16 as the server sent it, which spares the driver's iconv */
    SQLSMALLINT type; /* the C type it is bound with */
    size_t size;      /* bytes of a value's place; 0: not bound */
    char *data;       /* the values of a block */
    SQLLEN *indicators;
};

struct result {
    SQLHSTMT stmt;
    struct column *columns;
    size_t count;      /* of columns; 0 where nothing may be bound */
    size_t capacity;   /* of `columns` */
    size_t rows;       /* that were fetched one by one */
    size_t block;      /* rows of a block; 0 while nothing is bound */
    SQLULEN fetched;   /* rows of the current block, as the driver says */
    size_t at;         /* the current row in it */
    char *memory;      /* of the arrays */
    size_t memory_size;
};

struct result *result_new(void)
{
    return calloc(1, sizeof(struct result));
}

void result_free(struct result *r)
{
    if (r == NULL)
        return;
    free(r->columns);
    free(r->memory);
    free(r);
}

void result_open(struct result *r, void *stmt, size_t columns)
{
    r->stmt = stmt;
    r->rows = r->block = r->at = 0;
    r->fetched = 0;
    r->count = 0;
    if (columns > r->capacity) {
        struct column *grown = reallocarray(r->columns, columns, sizeof(*grown));
        if (grown == NULL)
            return; /* value by value it works, too */
        r->columns = grown;
        r->capacity = columns;
    }
    r->count = columns;
    if (columns > 0)
        memset(r->columns, 0, columns * sizeof(*r->columns));
}

void result_close(struct result *r)
{
    if (r->block > 0) {
        SQLFreeStmt(r->stmt, SQL_UNBIND);
        SQLSetStmtAttr(r->stmt, SQL_ATTR_ROW_ARRAY_SIZE, (SQLPOINTER)1, 0);
        SQLSetStmtAttr(r->stmt, SQL_ATTR_ROWS_FETCHED_PTR, NULL, 0);
    }
    r->block = r->count = 0;
}

/* ---- Binding ------------------------------------------------------------------------------------------------------ */

/* Bytes that a value as text may have, its NUL included; 0 without a limit. Other than text and binaries only. */
static size_t plain_text_size(SQLSMALLINT sql_type)
{
    switch (sql_type) {
    case SQL_BIT:
    case SQL_TINYINT:
    case SQL_SMALLINT:
    case SQL_INTEGER:
    case SQL_BIGINT:
    case SQL_DECIMAL:
    case SQL_NUMERIC:
    case SQL_GUID:
    case SQL_TYPE_DATE:
    case SQL_TYPE_TIME:
    case SQL_TYPE_TIMESTAMP:
    case SQL_SERVER_TIME:
    case SQL_SERVER_DATETIMEOFFSET:
        return TEXT_BYTES;
    default:
        return 0;
    }
}

/* Chooses how a column that holds `sql_type` is bound: its C type and size. */
static void plan_column(struct column *c, SQLSMALLINT sql_type, SQLULEN length)
{
    bool bounded = length > 0 && length <= RESULT_BOUND_BYTES;
    size_t size = 0;

    c->type = SQL_C_CHAR;
    switch (c->read) {
    case READ_NOT:
        break;
    case READ_INTEGER:
        c->type = SQL_C_SBIGINT;
        size = sizeof(SQLBIGINT);
        break;
    case READ_DOUBLE:
        c->type = SQL_C_DOUBLE;
        size = sizeof(double);
        break;
    case READ_BYTES:
        c->type = SQL_C_BINARY;
        size = bounded && (sql_type == SQL_BINARY || sql_type == SQL_VARBINARY) ? length : 0;
        break;
    case READ_TEXT:
        c->wide = sql_type == SQL_WCHAR || sql_type == SQL_WVARCHAR;
        if (c->wide) {
            c->type = SQL_C_BINARY;
            size = bounded ? 2 * length : 0;
        } else if (sql_type == SQL_CHAR || sql_type == SQL_VARCHAR) {
            size = bounded ? BYTES_PER_BYTE * length + 1 : 0;
        } else {
            size = plain_text_size(sql_type);
        }
        break;
    }
    c->size = size <= RESULT_BOUND_BYTES ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : 0;
}

/* Plans all columns; the bytes of one row in *row_bytes. How many rows a block has; 0 when the driver does not say what the
 * result is. */
static size_t plan(struct result *r, size_t *row_bytes)
{
    bool all = true;

    *row_bytes = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct column *c = &r->columns[i];
        SQLSMALLINT sql_type = 0, digits, nullable;
        SQLULEN length = 0;
        if (!SQL_SUCCEEDED(SQLDescribeCol(r->stmt, (SQLUSMALLINT)(i + 1), NULL, 0, NULL, &sql_type, &length, &digits, &nullable)))
            return 0;
        plan_column(c, sql_type, length);
        all = all && c->size > 0;
        if (c->size > 0)
            *row_bytes += c->size + sizeof(SQLLEN);
    }
    if (*row_bytes == 0 || !all)
        return *row_bytes > 0;
    size_t rows = RESULT_BLOCK_BYTES / *row_bytes;
    return rows > RESULT_BLOCK_ROWS ? RESULT_BLOCK_ROWS : rows == 0 ? 1 : rows;
}

/* Lays the arrays out and binds them. */
static bool bind_columns(struct result *r)
{
    char *place = r->memory;

    for (size_t i = 0; i < r->count; i++) {
        struct column *c = &r->columns[i];
        if (c->size == 0)
            continue;
        c->data = place;
        c->indicators = (SQLLEN *)(void *)(place + r->block * c->size);
        place += r->block * (c->size + sizeof(SQLLEN));
        if (!SQL_SUCCEEDED(SQLBindCol(r->stmt, (SQLUSMALLINT)(i + 1), c->type, c->data, (SQLLEN)c->size, c->indicators)))
            return false;
    }
    return SQL_SUCCEEDED(SQLSetStmtAttr(r->stmt, SQL_ATTR_ROW_ARRAY_SIZE, (SQLPOINTER)(uintptr_t)r->block, 0))
           && SQL_SUCCEEDED(SQLSetStmtAttr(r->stmt, SQL_ATTR_ROWS_FETCHED_PTR, &r->fetched, 0));
}

/* From the next row on blocks are fetched, where the result lets itself be bound. */
static int start_blocks(struct result *r)
{
    size_t row_bytes, rows = plan(r, &row_bytes);

    if (rows > 0 && rows * row_bytes > r->memory_size) {
        free(r->memory);
        r->memory = malloc(rows * row_bytes);
        r->memory_size = r->memory != NULL ? rows * row_bytes : 0;
        if (r->memory == NULL)
            rows = 0;
    }
    if (rows == 0) {
        r->count = 0; /* it goes on value by value */
        return 0;
    }
    r->block = rows;
    r->fetched = rows; /* as if a block had been read to its end */
    r->at = rows;
    return bind_columns(r) ? 0 : RESULT_REFUSED;
}

/* ---- Rows --------------------------------------------------------------------------------------------------------- */

/* A block of which some rows could be fetched comes with SQL_SUCCESS_WITH_INFO, be the rest refused: that rows are missing is
 * told by the diagnostics alone. */
static bool only_warned(const struct result *r)
{
    SQLCHAR state[SQL_SQLSTATE_SIZE + 1], text[2];
    SQLSMALLINT len, i = 1;
    SQLINTEGER number;

    for (; SQL_SUCCEEDED(SQLGetDiagRec(SQL_HANDLE_STMT, r->stmt, i, state, &number, text, (SQLSMALLINT)sizeof(text), &len)); i++) {
        if (state[0] != '0' || state[1] != '1')
            return false;
    }
    return i > 1;
}

static int fetch_block(struct result *r)
{
    if (r->fetched < r->block) /* that one was the last; to ask on would read into what follows the rows */
        return 0;
    r->at = 0;
    r->fetched = 0;
    SQLRETURN rc = SQLFetch(r->stmt);
    if (rc == SQL_NO_DATA)
        return 0;
    if (!SQL_SUCCEEDED(rc) || (rc == SQL_SUCCESS_WITH_INFO && !only_warned(r)))
        return RESULT_REFUSED;
    return r->fetched > 0;
}

int result_next(struct result *r)
{
    if (r->block == 0 || r->at + 1 >= r->fetched)
        return 0;
    r->at++;
    return 1;
}

int result_fetch(struct result *r)
{
    if (r->block == 0 && r->count > 0 && r->rows == RESULT_SINGLE_ROWS && start_blocks(r) < 0)
        return RESULT_REFUSED;
    if (r->block > 0)
        return fetch_block(r);
    r->rows++;
    SQLRETURN rc = SQLFetch(r->stmt);
    return SQL_SUCCEEDED(rc) ? 1 : rc == SQL_NO_DATA ? 0 : RESULT_REFUSED;
}

/* ---- Values ------------------------------------------------------------------------------------------------------- */

/* A value of the current block in *value and *len. 2 when the column is not bound: the value is to be asked for. */
#define NOT_BOUND 2
static int find_bound(struct result *r, size_t column, enum read read, const char **value, size_t *len)
{
    if (column >= r->count)
        return NOT_BOUND;
    struct column *c = &r->columns[column];
    if (r->block == 0) {
        c->read = read;
        return NOT_BOUND;
    }
    if (c->size == 0)
        return r->block == 1 ? NOT_BOUND : RESULT_BROKEN;
    SQLLEN indicator = c->indicators[r->at];
    if (indicator == SQL_NULL_DATA)
        return 0;
    if (c->read != read || indicator < 0 || (size_t)indicator > c->size - (c->type == SQL_C_CHAR))
        return RESULT_BROKEN;
    *value = c->data + r->at * c->size;
    *len = (size_t)indicator;
    return 1;
}

/* Gets a value of a fixed size. */
static int get_fixed(struct result *r, size_t column, enum read read, SQLSMALLINT type, void *out, size_t size)
{
    const char *value;
    size_t len;
    SQLLEN indicator = 0;
    int rc = find_bound(r, column, read, &value, &len);

    if (rc == 1)
        memcpy(out, value, size);
    if (rc != NOT_BOUND)
        return rc;
    if (!SQL_SUCCEEDED(SQLGetData(r->stmt, (SQLUSMALLINT)(column + 1), type, out, (SQLLEN)size, &indicator)))
        return RESULT_REFUSED;
    return indicator == SQL_NULL_DATA ? 0 : 1;
}

int result_get_integer(struct result *r, size_t column, int64_t *out)
{
    SQLBIGINT v = 0;
    int rc = get_fixed(r, column, READ_INTEGER, SQL_C_SBIGINT, &v, sizeof(v));
    *out = v;
    return rc;
}

int result_get_double(struct result *r, size_t column, double *out)
{
    *out = 0;
    return get_fixed(r, column, READ_DOUBLE, SQL_C_DOUBLE, out, sizeof(*out));
}

/* Appends a value of any length, RESULT_CHUNK bytes at a time behind the first RESULT_FIRST_CHUNK; `ending` is the size of the NUL
 * that the driver adds. */
static int get_long(struct result *r, size_t column, SQLSMALLINT type, size_t ending, struct buf *out)
{
    size_t chunk = RESULT_FIRST_CHUNK;
    for (size_t start = out->len;; chunk = RESULT_CHUNK) {
        SQLLEN indicator = 0;
        char *space = buf_reserve(out, chunk);
        if (space == NULL || out->len - start > RESULT_MAX_VALUE)
            return RESULT_TOO_LONG;
        SQLRETURN rc = SQLGetData(r->stmt, (SQLUSMALLINT)(column + 1), type, space, (SQLLEN)chunk, &indicator);
        if (rc == SQL_NO_DATA)
            return 1;
        if (!SQL_SUCCEEDED(rc))
            return RESULT_REFUSED;
        if (indicator == SQL_NULL_DATA)
            return 0;
        /* what is left when this call began; a chunk that did not hold it all is full */
        bool whole = indicator >= 0 && (size_t)indicator <= chunk - ending;
        buf_commit(out, whole ? (size_t)indicator : chunk - ending);
        if (rc == SQL_SUCCESS)
            return 1;
    }
}

static int append_value(const char *value, size_t len, struct buf *out)
{
    buf_append(out, value, len);
    return buf_status(out) == 0 ? 1 : RESULT_TOO_LONG;
}

int result_get_text(struct result *r, size_t column, struct buf *out)
{
    const char *value;
    size_t len;
    int rc = find_bound(r, column, READ_TEXT, &value, &len);

    if (rc == NOT_BOUND)
        return get_long(r, column, SQL_C_CHAR, 1, out);
    if (rc != 1)
        return rc;
    if (!r->columns[column].wide)
        return append_value(value, len, out);
    char *space = buf_reserve(out, UTF8_FROM_UTF16(len));
    if (space == NULL)
        return RESULT_TOO_LONG;
    buf_commit(out, utf8_from_utf16le(value, len, space));
    return 1;
}

int result_get_bytes(struct result *r, size_t column, struct buf *out)
{
    const char *value;
    size_t len;
    int rc = find_bound(r, column, READ_BYTES, &value, &len);

    if (rc == NOT_BOUND)
        return get_long(r, column, SQL_C_BINARY, 0, out);
    return rc == 1 ? append_value(value, len, out) : rc;
}
