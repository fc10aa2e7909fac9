/* The server's own stored procedures by which clients read the catalogue (sp_tables, sp_columns, sp_pkeys …), as data: each
 * is a T-SQL query over the system views with parameters. Knows neither sessions nor how a call arrives.
 */
#ifndef SHARDGATE_TDS_SYSPROC_H
#define SHARDGATE_TDS_SYSPROC_H

#include <stddef.h>

#define SYSPROC_MAX_PARAMETERS 16

struct sysproc {
    const char *name;
    const char *declarations; /* "@table_name nvarchar(384), …": the order of positional arguments; what is not given is NULL */
    const char *sql;
};

/* By name, without regard to case; NULL: there is none. */
const struct sysproc *sysproc_find(const char *name, size_t len);

#endif
