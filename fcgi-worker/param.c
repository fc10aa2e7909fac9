#include "fcgi-worker/param.h"

#include <sql.h>
#include <sqlext.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(SQLLEN) == sizeof(long) && sizeof(SQLBIGINT) == sizeof(int64_t), "param.h does without sql.h");

/* How each kind of parameter is given to the driver. ColumnSize is the declared length: a smaller one would cut the value
 * silently, one that varied with the value would make a new plan for each length. 0 goes with the (MAX) types. */
enum source { FROM_INTEGER, FROM_REAL, FROM_TEXT };
static const struct {
    SQLSMALLINT c_type, sql_type;
    SQLULEN size;
    enum source source;
} binds[STATEMENT_BINDS] = {
    [STATEMENT_BIT] = {SQL_C_SBIGINT, SQL_BIT, 1, FROM_INTEGER},
    [STATEMENT_TINYINT] = {SQL_C_SBIGINT, SQL_TINYINT, 3, FROM_INTEGER},
    [STATEMENT_INT] = {SQL_C_SBIGINT, SQL_INTEGER, 10, FROM_INTEGER},
    [STATEMENT_BIGINT] = {SQL_C_SBIGINT, SQL_BIGINT, 19, FROM_INTEGER},
    [STATEMENT_DECIMAL] = {SQL_C_CHAR, SQL_DECIMAL, 0, FROM_TEXT},
    [STATEMENT_FLOAT] = {SQL_C_DOUBLE, SQL_DOUBLE, 53, FROM_REAL},
    [STATEMENT_VARCHAR] = {SQL_C_CHAR, SQL_VARCHAR, 8000, FROM_TEXT},
    [STATEMENT_NVARCHAR] = {SQL_C_CHAR, SQL_WVARCHAR, 4000, FROM_TEXT},
    [STATEMENT_NVARCHAR_MAX] = {SQL_C_CHAR, SQL_WLONGVARCHAR, 0, FROM_TEXT},
    [STATEMENT_VARBINARY] = {SQL_C_BINARY, SQL_VARBINARY, 8000, FROM_TEXT},
    [STATEMENT_VARBINARY_MAX] = {SQL_C_BINARY, SQL_LONGVARBINARY, 0, FROM_TEXT},
};

bool param_is_text(enum statement_bind bind)
{
    return binds[bind].source == FROM_TEXT;
}

void param_write_number(void *place, enum statement_bind bind, const char *text)
{
    if (binds[bind].source == FROM_REAL) {
        double v = strtod(text, NULL);
        memcpy(place, &v, sizeof(v));
    } else {
        SQLBIGINT v = strtoll(text, NULL, 10);
        memcpy(place, &v, sizeof(v));
    }
}

void param_set(struct param_slot *slot, const struct statement *s, const struct statement_param *p)
{
    slot->indicator = p->null ? SQL_NULL_DATA : param_is_text(p->bind) ? (SQLLEN)p->len : 0;
    if (!p->null && !param_is_text(p->bind))
        param_write_number(&slot->number, p->bind, statement_value(s, p));
}

bool param_bind(void *stmt, size_t number, enum statement_bind bind, int precision, int scale, const void *place, size_t size,
                long *indicator)
{
    SQLULEN column_size = bind == STATEMENT_DECIMAL ? (SQLULEN)precision : binds[bind].size;
    return SQL_SUCCEEDED(SQLBindParameter(stmt, (SQLUSMALLINT)number, SQL_PARAM_INPUT, binds[bind].c_type, binds[bind].sql_type,
                                          column_size, (SQLSMALLINT)scale,
                                          (SQLPOINTER)(uintptr_t)place, /* ODBC does not write to input parameters */
                                          (SQLLEN)size, indicator));
}
