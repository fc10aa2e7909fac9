/* Inside the views: the words in which they are written, and the lists of views that the files have. */
#ifndef SHARDGATE_TDS_VIEWS_PRIVATE_H
#define SHARDGATE_TDS_VIEWS_PRIVATE_H

#include "tds-server/engine/views.h"

/* Types, as initialisers. */
#define INT         {.kind = SQLTYPE_INT}
#define BIGINT      {.kind = SQLTYPE_BIGINT}
#define SMALLINT    {.kind = SQLTYPE_SMALLINT}
#define TINYINT     {.kind = SQLTYPE_TINYINT}
#define BIT         {.kind = SQLTYPE_BIT}
#define NAME        {.kind = SQLTYPE_NVARCHAR, .length = 128}
#define TEXT(n)     {.kind = SQLTYPE_NVARCHAR, .length = n}
#define VARCHAR(n)  {.kind = SQLTYPE_VARCHAR, .length = n}
#define CHAR(n)     {.kind = SQLTYPE_CHAR, .length = n}
#define BINARY(n)   {.kind = SQLTYPE_VARBINARY, .length = n}
#define DATETIME    {.kind = SQLTYPE_DATETIME, .scale = 3}
#define GUID        {.kind = SQLTYPE_UNIQUEIDENTIFIER}

/* sg_type_info of a column c; `what` is an enum type_info of views.c. */
#define TYPE_INFO(what) "sg_type_info(" what ", c.kind, c.length, c.precision, c.scale)"
#define DATABASE_NAME "(SELECT name FROM @sg_database WHERE database_id = #)"
#define SCHEMA_OF(object) "(SELECT name FROM $sg_schema s WHERE s.schema_id = " object ".schema_id)"

#define SCHEMAS "(SELECT name, schema_id FROM $sg_schema UNION ALL SELECT 'INFORMATION_SCHEMA', 3 UNION ALL SELECT 'sys', 4) s"

/* Of a foreign key f: a value of the index i over exactly the columns that it refers to, in any order. */
#define REFERRED_INDEX(value)                                                                                                  \
    "(SELECT " value " FROM $sg_index i WHERE i.object_id = f.other_id AND i.is_unique = 1 AND "                               \
    "(SELECT count(*) FROM $sg_index_column k WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.included = 0) = " \
    "(SELECT count(*) FROM $sg_foreign_key_column k WHERE k.object_id = f.object_id) AND NOT EXISTS (SELECT 1 FROM "            \
    "$sg_index_column k WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.included = 0 AND k.column_id NOT IN "  \
    "(SELECT other_column_id FROM $sg_foreign_key_column c WHERE c.object_id = f.object_id)) ORDER BY i.kind, i.index_id LIMIT 1)"
#define RULE_NAME(action) "CASE " action " WHEN 1 THEN 'CASCADE' WHEN 2 THEN 'SET NULL' WHEN 3 THEN 'SET DEFAULT' ELSE 'NO ACTION' END"

#define VIEW(schema, name, columns, from, master)                                                                              \
    {                                                                                                                          \
        schema, name, from, columns, sizeof columns / sizeof columns[0], master                                                \
    }
/* What a view of nothing is made of: this server has none of what it would list. */
#define NOTHING "(SELECT 1) WHERE 0"

struct view_list {
    const struct view *views;
    size_t count;
};

extern const struct view_list views_information; /* INFORMATION_SCHEMA */
extern const struct view_list views_catalogue;   /* sys: what a database consists of */
extern const struct view_list views_server;      /* sys: sessions, principals, settings of the server */

#endif
