#include "tds-server/engine/sysproc.h"

#include "common/collate.h"

#include <string.h>

/* The columns' order, names and types are SQL Server's documented ones: drivers read them by place. */

#define QUALIFIER "CAST(DB_NAME() AS NVARCHAR(128)) AS TABLE_QUALIFIER"
#define OWNER     "CAST(s.name AS NVARCHAR(128)) AS TABLE_OWNER"
#define TABLE     "CAST(o.name AS NVARCHAR(128)) AS TABLE_NAME"
#define NO_REMARKS "CAST(NULL AS VARCHAR(254)) AS REMARKS"

#define MATCHES(column, parameter) "(" parameter " IS NULL OR " column " LIKE " parameter ")"
#define EQUALS(column, parameter)  "(" parameter " IS NULL OR " column " = " parameter ")"

/* Three calls list something else than tables: sp_tables '', '', '%' the databases, '', '%', '' the schemas, and '', '', '',
 * '%' the kinds of tables. */
#define TABLES_HEAD(qualifier, owner, name, type)                                                                              \
    "SELECT CAST(" qualifier " AS NVARCHAR(128)) AS TABLE_QUALIFIER, CAST(" owner " AS NVARCHAR(128)) AS TABLE_OWNER, "         \
    "CAST(" name " AS NVARCHAR(128)) AS TABLE_NAME, CAST(" type " AS VARCHAR(32)) AS TABLE_TYPE, " NO_REMARKS " "
#define SP_TABLES                                                                                                              \
    "IF @table_name = N'' AND @table_owner = N'' AND @table_qualifier = N'%' "                                                  \
    TABLES_HEAD("d.name", "NULL", "NULL", "NULL") "FROM sys.databases d ORDER BY 1 "                                            \
    "ELSE IF @table_name = N'' AND @table_qualifier = N'' AND @table_owner = N'%' "                                             \
    TABLES_HEAD("NULL", "s.name", "NULL", "NULL") "FROM sys.schemas s ORDER BY 2 "                                              \
    "ELSE IF @table_name = N'' AND @table_qualifier = N'' AND @table_owner = N'' AND @table_type = N'%' "                       \
    TABLES_HEAD("NULL", "NULL", "NULL", "t.kind") "FROM (VALUES ('SYSTEM TABLE'), ('TABLE'), ('VIEW')) AS t (kind) ORDER BY 4 " \
    "ELSE "                                                                                                                     \
    TABLES_HEAD("DB_NAME()", "s.name", "o.name", "'TABLE'")                                                                     \
    "FROM sys.tables o JOIN sys.schemas s ON s.schema_id = o.schema_id "                                                        \
    "WHERE " MATCHES("o.name", "@table_name") " AND " MATCHES("s.name", "@table_owner") " AND "                                 \
    MATCHES("DB_NAME()", "@table_qualifier") " AND (@table_type IS NULL OR @table_type LIKE N'%''TABLE''%') "                   \
    "ORDER BY 4, 1, 2, 3"

/* Of each type: ODBC's number in versions 2 and 3, precision, length in bytes, scale, radix, the number and part of a date
 * that SQL_DESC_TYPE has, and SQL Server's old number. -1: by the column. A (MAX) type is told as its TEXT counterpart. */
#define TYPES                                                                                                                  \
    "(VALUES (N'tinyint', -6, -6, 3, 1, 0, 10, -6, NULL, 38), (N'smallint', 5, 5, 5, 2, 0, 10, 5, NULL, 38), "                  \
    "(N'int', 4, 4, 10, 4, 0, 10, 4, NULL, 38), (N'bigint', -5, -5, 19, 8, 0, 10, -5, NULL, 108), "                             \
    "(N'bit', -7, -7, 1, 1, NULL, NULL, -7, NULL, 50), (N'decimal', 3, 3, -1, -1, -1, 10, 3, NULL, 106), "                      \
    "(N'numeric', 2, 2, -1, -1, -1, 10, 2, NULL, 108), (N'money', 3, 3, 19, 21, 4, 10, 3, NULL, 110), "                         \
    "(N'float', 6, 6, 15, 8, NULL, 10, 6, NULL, 109), (N'real', 7, 7, 7, 4, NULL, 10, 7, NULL, 109), "                          \
    "(N'char', 1, 1, -1, -1, NULL, NULL, 1, NULL, 39), (N'varchar', 12, 12, -1, -1, NULL, NULL, 12, NULL, 39), "                \
    "(N'nchar', -8, -8, -1, -1, NULL, NULL, -8, NULL, 39), (N'nvarchar', -9, -9, -1, -1, NULL, NULL, -9, NULL, 39), "           \
    "(N'text', -1, -1, 2147483647, 2147483647, NULL, NULL, -1, NULL, 35), "                                                     \
    "(N'date', -9, 91, 10, 20, NULL, NULL, 9, 1, 0), (N'time', -9, -154, 16, 32, 7, NULL, -154, 0, 0), "                        \
    "(N'datetime', 11, 93, 23, 16, 3, NULL, 9, 3, 111), (N'datetime2', -9, 93, 27, 54, 7, NULL, 9, 3, 0), "                     \
    "(N'datetimeoffset', -9, -155, 34, 68, 7, NULL, -155, 0, 0), "                                                              \
    "(N'uniqueidentifier', -11, -11, 36, 16, NULL, NULL, -11, NULL, 37), "                                                      \
    "(N'binary', -2, -2, -1, -1, NULL, NULL, -2, NULL, 37), (N'varbinary', -3, -3, -1, -1, NULL, NULL, -3, NULL, 37)) "         \
    "AS t (name, odbc2, odbc3, size, bytes, digits, radix, odbc_type, odbc_part, old_type)"

#define IS_MAX "c.CHARACTER_MAXIMUM_LENGTH = -1"
#define LONG_TYPE "CASE t.name WHEN N'varchar' THEN -1 WHEN N'nvarchar' THEN -10 ELSE -4 END"
#define TEXT_SIZE "CASE WHEN t.name = N'nvarchar' THEN 1073741823 ELSE 2147483647 END"
#define COLUMN_TYPE(version) "CASE WHEN " IS_MAX " THEN " LONG_TYPE " WHEN " version " >= 3 THEN t.odbc3 ELSE t.odbc2 END"
#define COLUMN_NULLABLE(yes, no) "CASE c.IS_NULLABLE WHEN 'YES' THEN " yes " ELSE " no " END"

/* Types whose digits of fraction count; t.size is that of seven. */
#define IS_SCALED "t.name IN (N'time', N'datetime2', N'datetimeoffset')"
#define MOMENT_SIZE "CASE c.DATETIME_PRECISION WHEN 0 THEN t.size - 8 ELSE t.size - 7 + c.DATETIME_PRECISION END"

#define SP_COLUMNS(more)                                                                                                             \
    "SELECT c.TABLE_CATALOG AS TABLE_QUALIFIER, c.TABLE_SCHEMA AS TABLE_OWNER, c.TABLE_NAME, c.COLUMN_NAME, "                   \
    "CAST(" COLUMN_TYPE("ISNULL(@ODBCVer, 2)") " AS SMALLINT) AS DATA_TYPE, "                                                   \
    "CAST(c.DATA_TYPE + CASE WHEN i.is_identity = 1 THEN N' identity' ELSE N'' END AS NVARCHAR(128)) AS TYPE_NAME, "            \
    "CAST(CASE WHEN " IS_MAX " THEN " TEXT_SIZE " WHEN " IS_SCALED " THEN " MOMENT_SIZE " WHEN t.size >= 0 THEN t.size "       \
    "WHEN c.CHARACTER_MAXIMUM_LENGTH IS NOT NULL THEN c.CHARACTER_MAXIMUM_LENGTH ELSE c.NUMERIC_PRECISION END AS INT) AS [PRECISION], " \
    "CAST(CASE WHEN " IS_MAX " THEN 2147483647 WHEN t.name = N'date' AND @ODBCVer >= 3 THEN 6 "                                 \
    "WHEN " IS_SCALED " AND @ODBCVer >= 3 THEN CASE t.name WHEN N'time' THEN 12 WHEN N'datetime2' THEN 16 ELSE 20 END "         \
    "WHEN " IS_SCALED " THEN 2 * " MOMENT_SIZE " WHEN t.bytes >= 0 THEN t.bytes "                                               \
    "WHEN c.CHARACTER_OCTET_LENGTH IS NOT NULL THEN c.CHARACTER_OCTET_LENGTH ELSE c.NUMERIC_PRECISION + 2 END AS INT) AS LENGTH, " \
    "CAST(CASE WHEN t.digits = -1 THEN c.NUMERIC_SCALE WHEN " IS_SCALED " "                                                      \
    "THEN c.DATETIME_PRECISION ELSE t.digits END AS SMALLINT) AS SCALE, "                                                       \
    "CAST(t.radix AS SMALLINT) AS RADIX, CAST(" COLUMN_NULLABLE("1", "0") " AS SMALLINT) AS NULLABLE, " NO_REMARKS ", "         \
    "CAST(c.COLUMN_DEFAULT AS NVARCHAR(4000)) AS COLUMN_DEF, "                                                                  \
    "CAST(CASE WHEN " IS_MAX " THEN " LONG_TYPE " ELSE t.odbc_type END AS SMALLINT) AS SQL_DATA_TYPE, "                         \
    "CAST(t.odbc_part AS SMALLINT) AS SQL_DATETIME_SUB, "                                                                       \
    "CAST(CASE WHEN " IS_MAX " THEN 2147483647 ELSE c.CHARACTER_OCTET_LENGTH END AS INT) AS CHAR_OCTET_LENGTH, "                \
    "CAST(c.ORDINAL_POSITION AS INT) AS ORDINAL_POSITION, CAST(" COLUMN_NULLABLE("'YES'", "'NO'") " AS VARCHAR(254)) AS IS_NULLABLE, " \
    more "CAST(t.old_type AS TINYINT) AS SS_DATA_TYPE "                                                                              \
    "FROM INFORMATION_SCHEMA.COLUMNS c JOIN " TYPES " ON t.name = c.DATA_TYPE "                                                 \
    "JOIN sys.schemas s ON s.name = c.TABLE_SCHEMA JOIN sys.tables o ON o.name = c.TABLE_NAME AND o.schema_id = s.schema_id "   \
    "JOIN sys.columns i ON i.object_id = o.object_id AND i.name = c.COLUMN_NAME "                                               \
    "WHERE " MATCHES("c.TABLE_NAME", "@table_name") " AND " MATCHES("c.TABLE_SCHEMA", "@table_owner") " AND "                   \
    EQUALS("c.TABLE_CATALOG", "@table_qualifier") " AND " MATCHES("c.COLUMN_NAME", "@column_name") " "                          \
    "ORDER BY 1, 2, 3, 17"

/* What clients of SQL Server 2008 and later ask for besides, before the last. */
#define COLUMNS_100                                                                                                            \
    "CAST(0 AS SMALLINT) AS SS_IS_SPARSE, CAST(0 AS SMALLINT) AS SS_IS_COLUMN_SET, CAST(0 AS SMALLINT) AS SS_IS_COMPUTED, "     \
    "CAST(i.is_identity AS SMALLINT) AS SS_IS_IDENTITY, CAST(NULL AS NVARCHAR(128)) AS SS_UDT_CATALOG_NAME, "                   \
    "CAST(NULL AS NVARCHAR(128)) AS SS_UDT_SCHEMA_NAME, CAST(NULL AS NVARCHAR(4000)) AS SS_UDT_ASSEMBLY_TYPE_NAME, "            \
    "CAST(NULL AS NVARCHAR(128)) AS SS_XML_SCHEMACOLLECTION_CATALOG_NAME, "                                                    \
    "CAST(NULL AS NVARCHAR(128)) AS SS_XML_SCHEMACOLLECTION_SCHEMA_NAME, "                                                     \
    "CAST(NULL AS NVARCHAR(128)) AS SS_XML_SCHEMACOLLECTION_NAME, "

#define OF_TABLE                                                                                                               \
    EQUALS("o.name", "@table_name") " AND " EQUALS("s.name", "@table_owner") " AND " EQUALS("DB_NAME()", "@table_qualifier")

#define SP_PKEYS                                                                                                               \
    "SELECT " QUALIFIER ", " OWNER ", " TABLE ", CAST(c.name AS NVARCHAR(128)) AS COLUMN_NAME, "                                \
    "CAST(k.key_ordinal AS SMALLINT) AS KEY_SEQ, CAST(x.name AS NVARCHAR(128)) AS PK_NAME "                                     \
    "FROM sys.tables o JOIN sys.schemas s ON s.schema_id = o.schema_id "                                                        \
    "JOIN sys.indexes x ON x.object_id = o.object_id AND x.is_primary_key = 1 "                                                 \
    "JOIN sys.index_columns k ON k.object_id = x.object_id AND k.index_id = x.index_id "                                        \
    "JOIN sys.columns c ON c.object_id = o.object_id AND c.column_id = k.column_id "                                            \
    "WHERE " OF_TABLE " ORDER BY 1, 2, 3, 5"

/* The rules: 0 CASCADE, 1 NO ACTION, 2 SET NULL, 3 SET DEFAULT; 7: what is DEFERRABLE is not deferred. */
#define RULE(action) "CAST(CASE " action " WHEN 0 THEN 1 WHEN 1 THEN 0 ELSE " action " END AS SMALLINT)"
#define SP_FKEYS                                                                                                               \
    "SELECT CAST(DB_NAME() AS NVARCHAR(128)) AS PKTABLE_QUALIFIER, ps.name AS PKTABLE_OWNER, p.name AS PKTABLE_NAME, "          \
    "pc.name AS PKCOLUMN_NAME, CAST(DB_NAME() AS NVARCHAR(128)) AS FKTABLE_QUALIFIER, s.name AS FKTABLE_OWNER, "                \
    "o.name AS FKTABLE_NAME, c.name AS FKCOLUMN_NAME, CAST(k.constraint_column_id AS SMALLINT) AS KEY_SEQ, "                    \
    RULE("f.update_referential_action") " AS UPDATE_RULE, " RULE("f.delete_referential_action") " AS DELETE_RULE, "             \
    "f.name AS FK_NAME, (SELECT MIN(x.name) FROM sys.indexes x WHERE x.object_id = p.object_id AND x.is_primary_key = 1) AS PK_NAME, " \
    "CAST(7 AS SMALLINT) AS DEFERRABILITY "                                                                                     \
    "FROM sys.foreign_keys f JOIN sys.foreign_key_columns k ON k.constraint_object_id = f.object_id "                           \
    "JOIN sys.tables o ON o.object_id = k.parent_object_id JOIN sys.schemas s ON s.schema_id = o.schema_id "                    \
    "JOIN sys.columns c ON c.object_id = o.object_id AND c.column_id = k.parent_column_id "                                     \
    "JOIN sys.tables p ON p.object_id = k.referenced_object_id JOIN sys.schemas ps ON ps.schema_id = p.schema_id "              \
    "JOIN sys.columns pc ON pc.object_id = p.object_id AND pc.column_id = k.referenced_column_id "                              \
    "WHERE " EQUALS("p.name", "@pktable_name") " AND " EQUALS("ps.name", "@pktable_owner") " AND "                              \
    EQUALS("DB_NAME()", "@pktable_qualifier") " AND " EQUALS("o.name", "@fktable_name") " AND "                                 \
    EQUALS("s.name", "@fktable_owner") " AND " EQUALS("DB_NAME()", "@fktable_qualifier") " "                                    \
    "ORDER BY 5, 6, 7, 12, 9"

/* TYPE 0 is the table itself, 1 a clustered index, 3 another one. */
#define SP_STATISTICS                                                                                                          \
    "SELECT " QUALIFIER ", " OWNER ", " TABLE ", CAST(NULL AS SMALLINT) AS NON_UNIQUE, CAST(NULL AS NVARCHAR(128)) AS INDEX_QUALIFIER, " \
    "CAST(NULL AS NVARCHAR(128)) AS INDEX_NAME, CAST(0 AS SMALLINT) AS TYPE, CAST(NULL AS SMALLINT) AS SEQ_IN_INDEX, "          \
    "CAST(NULL AS NVARCHAR(128)) AS COLUMN_NAME, CAST(NULL AS CHAR(1)) AS [COLLATION], CAST(NULL AS INT) AS CARDINALITY, "       \
    "CAST(NULL AS INT) AS PAGES, CAST(NULL AS VARCHAR(128)) AS FILTER_CONDITION "                                               \
    "FROM sys.tables o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE " OF_TABLE " "                                     \
    "UNION ALL SELECT DB_NAME(), s.name, o.name, CAST(CASE x.is_unique WHEN 1 THEN 0 ELSE 1 END AS SMALLINT), o.name, x.name, " \
    "CAST(CASE x.type WHEN 1 THEN 1 ELSE 3 END AS SMALLINT), k.key_ordinal, c.name, "                                           \
    "CAST(CASE k.is_descending_key WHEN 1 THEN 'D' ELSE 'A' END AS CHAR(1)), "                                                  \
    "NULL, NULL, NULL "                                                                                                         \
    "FROM sys.tables o JOIN sys.schemas s ON s.schema_id = o.schema_id JOIN sys.indexes x ON x.object_id = o.object_id "        \
    "JOIN sys.index_columns k ON k.object_id = x.object_id AND k.index_id = x.index_id AND k.is_included_column = 0 "           \
    "JOIN sys.columns c ON c.object_id = o.object_id AND c.column_id = k.column_id "                                            \
    "WHERE " OF_TABLE " AND (@index_name IS NULL OR x.name LIKE @index_name) AND (ISNULL(@is_unique, N'N') <> N'Y' OR x.is_unique = 1) " \
    "ORDER BY 4, 7, 6, 8"

/* The columns that tell a row from all others: those of the primary key. */
#define SP_SPECIAL_COLUMNS                                                                                                     \
    "SELECT CAST(1 AS SMALLINT) AS SCOPE, c.COLUMN_NAME, CAST(" COLUMN_TYPE("ISNULL(@ODBCVer, 2)") " AS SMALLINT) AS DATA_TYPE, " \
    "c.DATA_TYPE AS TYPE_NAME, "                                                                                                \
    "CAST(CASE WHEN t.size >= 0 THEN t.size WHEN c.CHARACTER_MAXIMUM_LENGTH IS NOT NULL THEN c.CHARACTER_MAXIMUM_LENGTH "       \
    "ELSE c.NUMERIC_PRECISION END AS INT) AS [PRECISION], "                                                                     \
    "CAST(CASE WHEN t.bytes >= 0 THEN t.bytes WHEN c.CHARACTER_OCTET_LENGTH IS NOT NULL THEN c.CHARACTER_OCTET_LENGTH "         \
    "ELSE c.NUMERIC_PRECISION + 2 END AS INT) AS LENGTH, "                                                                      \
    "CAST(CASE WHEN t.digits = -1 THEN c.NUMERIC_SCALE ELSE t.digits END AS SMALLINT) AS SCALE, CAST(1 AS SMALLINT) AS PSEUDO_COLUMN " \
    "FROM sys.tables o JOIN sys.schemas s ON s.schema_id = o.schema_id "                                                        \
    "JOIN sys.indexes x ON x.object_id = o.object_id AND x.is_primary_key = 1 "                                                 \
    "JOIN sys.index_columns k ON k.object_id = x.object_id AND k.index_id = x.index_id "                                        \
    "JOIN sys.columns i ON i.object_id = o.object_id AND i.column_id = k.column_id "                                            \
    "JOIN INFORMATION_SCHEMA.COLUMNS c ON c.TABLE_SCHEMA = s.name AND c.TABLE_NAME = o.name AND c.COLUMN_NAME = i.name "        \
    "JOIN " TYPES " ON t.name = c.DATA_TYPE "                                                                                   \
    "WHERE " OF_TABLE " AND ISNULL(@col_type, 'R') = 'R' ORDER BY k.key_ordinal"

#define SP_DATABASES                                                                                                           \
    "SELECT CAST(name AS NVARCHAR(128)) AS DATABASE_NAME, CAST(NULL AS INT) AS DATABASE_SIZE, " NO_REMARKS " "                  \
    "FROM sys.databases ORDER BY 1"

/* There are none but those here, and they are not the users'. */
#define SP_STORED_PROCEDURES                                                                                                   \
    "SELECT CAST(NULL AS NVARCHAR(128)) AS PROCEDURE_QUALIFIER, CAST(NULL AS NVARCHAR(128)) AS PROCEDURE_OWNER, "                \
    "CAST(NULL AS NVARCHAR(134)) AS PROCEDURE_NAME, CAST(-1 AS INT) AS NUM_INPUT_PARAMS, CAST(-1 AS INT) AS NUM_OUTPUT_PARAMS, " \
    "CAST(-1 AS INT) AS NUM_RESULT_SETS, " NO_REMARKS ", CAST(2 AS SMALLINT) AS PROCEDURE_TYPE WHERE 1 = 0"

/* Literals' quotes, what a type's arguments are called, and where it may stand in a search, by ODBC's numbers. */
#define SP_DATATYPE_INFO                                                                                                       \
    "SELECT CAST(t.name AS NVARCHAR(128)) AS TYPE_NAME, "                                                                       \
    "CAST(CASE WHEN ISNULL(@ODBCVer, 2) >= 3 THEN t.odbc3 ELSE t.odbc2 END AS SMALLINT) AS DATA_TYPE, "                          \
    "CAST(CASE WHEN t.size >= 0 THEN t.size WHEN t.radix = 10 THEN 38 WHEN t.name IN (N'nchar', N'nvarchar') THEN 4000 "        \
    "ELSE 8000 END AS INT) AS [PRECISION], "                                                                                    \
    "CAST(CASE WHEN t.name IN (N'nchar', N'nvarchar') THEN N'N''' WHEN t.name IN (N'binary', N'varbinary') THEN N'0x' "         \
    "WHEN t.radix = 10 OR t.name = N'bit' THEN NULL ELSE N'''' END AS NVARCHAR(32)) AS LITERAL_PREFIX, "                        \
    "CAST(CASE WHEN t.radix = 10 OR t.name IN (N'bit', N'binary', N'varbinary') THEN NULL ELSE N'''' END AS NVARCHAR(32)) "     \
    "AS LITERAL_SUFFIX, "                                                                                                       \
    "CAST(CASE WHEN t.name IN (N'decimal', N'numeric') THEN N'precision,scale' "                                                \
    "WHEN t.name IN (N'time', N'datetime2', N'datetimeoffset') THEN N'scale' "                                                  \
    "WHEN t.name IN (N'char', N'nchar', N'binary') THEN N'length' WHEN t.size = -1 THEN N'max length' END AS NVARCHAR(32)) "    \
    "AS CREATE_PARAMS, "                                                                                                        \
    "CAST(1 AS SMALLINT) AS NULLABLE, CAST(0 AS SMALLINT) AS CASE_SENSITIVE, "                                                  \
    "CAST(CASE WHEN t.name IN (N'char', N'varchar', N'nchar', N'nvarchar') THEN 3 WHEN t.name = N'text' THEN 1 ELSE 2 END "     \
    "AS SMALLINT) AS SEARCHABLE, "                                                                                              \
    "CAST(CASE WHEN t.radix = 10 THEN CASE t.name WHEN N'tinyint' THEN 1 ELSE 0 END END AS SMALLINT) AS UNSIGNED_ATTRIBUTE, "   \
    "CAST(CASE t.name WHEN N'money' THEN 1 ELSE 0 END AS SMALLINT) AS MONEY, "                                                  \
    "CAST(CASE WHEN t.radix = 10 THEN 0 END AS SMALLINT) AS AUTO_INCREMENT, CAST(t.name AS NVARCHAR(128)) AS LOCAL_TYPE_NAME, " \
    "CAST(CASE WHEN t.digits = -1 THEN 0 ELSE t.digits END AS SMALLINT) AS MINIMUM_SCALE, "                                     \
    "CAST(CASE WHEN t.digits = -1 THEN 38 ELSE t.digits END AS SMALLINT) AS MAXIMUM_SCALE, "                                    \
    "CAST(t.odbc_type AS SMALLINT) AS SQL_DATA_TYPE, CAST(t.odbc_part AS SMALLINT) AS SQL_DATETIME_SUB, "                       \
    "CAST(t.radix AS INT) AS NUM_PREC_RADIX, CAST(NULL AS SMALLINT) AS INTERVAL_PRECISION, CAST(0 AS SMALLINT) AS USERTYPE "    \
    "FROM " TYPES " WHERE ISNULL(@data_type, 0) = 0 OR @data_type = CASE WHEN ISNULL(@ODBCVer, 2) >= 3 THEN t.odbc3 ELSE t.odbc2 END " \
    "ORDER BY 2, 1"

#define SP_SPROC_COLUMNS                                                                                                       \
    "SELECT CAST(NULL AS NVARCHAR(128)) AS PROCEDURE_QUALIFIER, CAST(NULL AS NVARCHAR(128)) AS PROCEDURE_OWNER, "               \
    "CAST(NULL AS NVARCHAR(134)) AS PROCEDURE_NAME, CAST(NULL AS NVARCHAR(128)) AS COLUMN_NAME, "                               \
    "CAST(NULL AS SMALLINT) AS COLUMN_TYPE, CAST(NULL AS SMALLINT) AS DATA_TYPE, CAST(NULL AS NVARCHAR(128)) AS TYPE_NAME, "    \
    "CAST(NULL AS INT) AS [PRECISION], CAST(NULL AS INT) AS LENGTH, CAST(NULL AS SMALLINT) AS SCALE, "                          \
    "CAST(NULL AS SMALLINT) AS RADIX, CAST(NULL AS SMALLINT) AS NULLABLE, " NO_REMARKS ", "                                     \
    "CAST(NULL AS NVARCHAR(4000)) AS COLUMN_DEF, CAST(NULL AS SMALLINT) AS SQL_DATA_TYPE, "                                     \
    "CAST(NULL AS SMALLINT) AS SQL_DATETIME_SUB, CAST(NULL AS INT) AS CHAR_OCTET_LENGTH, CAST(NULL AS INT) AS ORDINAL_POSITION, " \
    "CAST(NULL AS VARCHAR(254)) AS IS_NULLABLE, CAST(NULL AS TINYINT) AS SS_DATA_TYPE WHERE 1 = 0"

/* The one user may do everything. */
#define PRIVILEGES                                                                                                             \
    "CAST(N'dbo' AS NVARCHAR(128)) AS GRANTOR, CAST(N'dbo' AS NVARCHAR(128)) AS GRANTEE, "                                      \
    "CAST(p.name AS VARCHAR(32)) AS PRIVILEGE, CAST('YES' AS VARCHAR(3)) AS IS_GRANTABLE "                                      \
    "FROM sys.tables o JOIN sys.schemas s ON s.schema_id = o.schema_id "
#define SP_TABLE_PRIVILEGES                                                                                                    \
    "SELECT " QUALIFIER ", " OWNER ", " TABLE ", " PRIVILEGES                                                                   \
    "CROSS JOIN (VALUES ('DELETE'), ('INSERT'), ('REFERENCES'), ('SELECT'), ('UPDATE')) AS p (name) "                           \
    "WHERE " MATCHES("o.name", "@table_name") " AND " MATCHES("s.name", "@table_owner") " AND "                                 \
    EQUALS("DB_NAME()", "@table_qualifier") " ORDER BY 1, 2, 3, 6"
#define SP_COLUMN_PRIVILEGES                                                                                                   \
    "SELECT " QUALIFIER ", " OWNER ", " TABLE ", CAST(c.name AS NVARCHAR(128)) AS COLUMN_NAME, " PRIVILEGES                     \
    "JOIN sys.columns c ON c.object_id = o.object_id "                                                                          \
    "CROSS JOIN (VALUES ('INSERT'), ('REFERENCES'), ('SELECT'), ('UPDATE')) AS p (name) "                                       \
    "WHERE " OF_TABLE " AND " MATCHES("c.name", "@column_name") " ORDER BY 4, 7"

/* What ODBC's drivers ask of a server, by its numbers. */
#define SP_SERVER_INFO                                                                                                         \
    "SELECT CAST(a.id AS INT) AS attribute_id, CAST(a.name AS VARCHAR(60)) AS attribute_name, "                                 \
    "CAST(a.value AS VARCHAR(255)) AS attribute_value FROM (VALUES (1, 'DBMS_NAME', 'Microsoft SQL Server'), "                  \
    "(2, 'DBMS_VER', 'Microsoft SQL Server 2019 - 15.0.2000.5'), (10, 'OWNER_TERM', 'owner'), (11, 'TABLE_TERM', 'table'), "    \
    "(12, 'MAX_OWNER_NAME_LENGTH', '128'), (13, 'TABLE_LENGTH', '128'), (14, 'MAX_QUAL_LENGTH', '128'), "                       \
    "(15, 'COLUMN_LENGTH', '128'), (16, 'IDENTIFIER_CASE', 'MIXED'), (17, 'TX_ISOLATION', '2'), "                               \
    "(18, 'COLLATION_SEQ', 'charset=UTF-8'), (19, 'SAVEPOINT_SUPPORT', 'Y'), (20, 'MULTI_RESULT_SETS', 'Y'), "                  \
    "(22, 'ACCESSIBLE_TABLES', 'Y'), (100, 'USERID_LENGTH', '128'), (101, 'QUALIFIER_TERM', 'database'), "                      \
    "(102, 'NAMED_TRANSACTIONS', 'Y'), (103, 'SPROC_AS_LANGUAGE', 'N'), (104, 'ACCESSIBLE_SPROC', 'N'), "                       \
    "(105, 'MAX_INDEX_COLS', '32'), (106, 'RENAME_TABLE', 'N'), (107, 'RENAME_COLUMN', 'N'), (108, 'DROP_COLUMN', 'Y'), "       \
    "(109, 'INCREASE_COLUMN_LENGTH', 'Y'), (110, 'DDL_IN_TRANSACTION', 'Y'), (111, 'DESCENDING_INDEXES', 'Y'), "                \
    "(112, 'SP_RENAME', 'N'), (113, 'REMOTE_SPROC', 'N'), (500, 'SYS_SPROC_VERSION', '15.00.2000')) AS a (id, name, value) "    \
    "WHERE @attribute_id IS NULL OR a.id = @attribute_id ORDER BY 1"

#define SP_WHO                                                                                                                 \
    "SELECT s.session_id AS spid, CAST(0 AS SMALLINT) AS ecid, CAST(s.status AS NCHAR(30)) AS status, s.login_name AS loginame, " \
    "CAST(s.host_name AS NCHAR(128)) AS hostname, CAST('0' AS CHAR(5)) AS blk, DB_NAME(s.database_id) AS dbname, "              \
    "CAST(CASE s.status WHEN 'running' THEN N'BATCH' ELSE N'AWAITING COMMAND' END AS NCHAR(26)) AS cmd, 0 AS request_id "       \
    "FROM sys.dm_exec_sessions s WHERE @loginame IS NULL OR s.login_name = @loginame OR "                                       \
    "CAST(s.session_id AS NVARCHAR(128)) = @loginame ORDER BY 1"

#define SP_HELPDB                                                                                                              \
    "SELECT d.name, CAST(NULL AS NVARCHAR(13)) AS db_size, SUSER_SNAME() AS owner, CAST(d.database_id AS SMALLINT) AS dbid, "   \
    "CAST(CONVERT(VARCHAR(11), d.create_date, 100) AS NVARCHAR(11)) AS created, "                                               \
    "CAST(N'Status=' + d.state_desc + N', Updateability=READ_WRITE, UserAccess=' + d.user_access_desc AS NVARCHAR(600)) AS status, " \
    "d.compatibility_level FROM sys.databases d WHERE @dbname IS NULL OR d.name = @dbname ORDER BY 1"

/* DBCC USEROPTIONS: switches are listed when they are on. The bits are those of @@OPTIONS. */
#define USER_OPTIONS                                                                                                           \
    "SELECT CAST(o.name AS NVARCHAR(128)) AS [Set Option], CAST(o.value AS NVARCHAR(128)) AS Value FROM (VALUES "               \
    "(1, 0, N'textsize', CAST(@@TEXTSIZE AS NVARCHAR(20))), (2, 0, N'language', @@LANGUAGE), (3, 0, N'dateformat', N'mdy'), "   \
    "(4, 0, N'datefirst', CAST(@@DATEFIRST AS NVARCHAR(20))), (5, 0, N'lock_timeout', CAST(@@LOCK_TIMEOUT AS NVARCHAR(20))), "  \
    "(6, 256, N'quoted_identifier', N'SET'), (7, 64, N'arithabort', N'SET'), (8, 512, N'nocount', N'SET'), "                    \
    "(9, 16384, N'xact_abort', N'SET'), (10, 2, N'implicit_transactions', N'SET'), (11, 1024, N'ansi_null_dflt_on', N'SET'), "  \
    "(12, 8, N'ansi_warnings', N'SET'), (13, 16, N'ansi_padding', N'SET'), (14, 32, N'ansi_nulls', N'SET'), "                   \
    "(15, 4096, N'concat_null_yields_null', N'SET'), (16, 0, N'isolation level', "                                              \
    "(SELECT CASE s.transaction_isolation_level WHEN 1 THEN N'read uncommitted' WHEN 2 THEN N'read committed snapshot' "        \
    "WHEN 3 THEN N'repeatable read' WHEN 4 THEN N'serializable' ELSE N'snapshot' END "                                          \
    "FROM sys.dm_exec_sessions s WHERE s.session_id = @@SPID))) AS o (place, bit, name, value) "                                \
    "WHERE o.bit = 0 OR @@OPTIONS & o.bit <> 0 ORDER BY o.place"

#define XP_MSVER                                                                                                               \
    "SELECT CAST(v.i AS SMALLINT) AS [Index], CAST(v.name AS NVARCHAR(255)) AS Name, CAST(v.number AS INT) AS Internal_Value, " \
    "CAST(v.value AS NVARCHAR(255)) AS Character_Value FROM (VALUES (1, N'ProductName', NULL, N'Microsoft SQL Server'), "       \
    "(2, N'ProductVersion', 983040, N'15.0.2000.5'), (3, N'Language', 1033, N'English (United States)'), "                      \
    "(4, N'Platform', NULL, N'NT x64')) AS v (i, name, number, value) WHERE @optname IS NULL OR v.name = @optname ORDER BY 1"

#define TABLE_PARAMETERS "@table_name nvarchar(384), @table_owner nvarchar(384), @table_qualifier nvarchar(128)"

static const struct sysproc procedures[] = {
    {"sp_tables", TABLE_PARAMETERS ", @table_type varchar(100), @fUsePattern bit", SP_TABLES},
    {"sp_columns", TABLE_PARAMETERS ", @column_name nvarchar(384), @ODBCVer int", SP_COLUMNS("")},
    {"sp_columns_90", TABLE_PARAMETERS ", @column_name nvarchar(384), @ODBCVer int, @fUsePattern bit", SP_COLUMNS("")},
    {"sp_columns_100", TABLE_PARAMETERS ", @column_name nvarchar(384), @NameScope int, @ODBCVer int, @fUsePattern bit", SP_COLUMNS(COLUMNS_100)},
    {"sp_pkeys", TABLE_PARAMETERS, SP_PKEYS},
    {"sp_fkeys", "@pktable_name nvarchar(128), @pktable_owner nvarchar(128), @pktable_qualifier nvarchar(128), "
                 "@fktable_name nvarchar(128), @fktable_owner nvarchar(128), @fktable_qualifier nvarchar(128)", SP_FKEYS},
    {"sp_statistics", TABLE_PARAMETERS ", @index_name nvarchar(128), @is_unique nchar(1), @accuracy nchar(1)", SP_STATISTICS},
    {"sp_special_columns", TABLE_PARAMETERS ", @col_type char(1), @scope char(1), @nullable char(1), @ODBCVer int", SP_SPECIAL_COLUMNS},
    {"sp_statistics_100", TABLE_PARAMETERS ", @index_name nvarchar(128), @is_unique nchar(1), @accuracy nchar(1)", SP_STATISTICS},
    {"sp_special_columns_100", TABLE_PARAMETERS ", @col_type char(1), @scope char(1), @nullable char(1), @ODBCVer int", SP_SPECIAL_COLUMNS},
    {"sp_databases", "", SP_DATABASES},
    {"sp_datatype_info_100", "@data_type int, @ODBCVer tinyint", SP_DATATYPE_INFO},
    {"sp_sproc_columns", "@procedure_name nvarchar(390), @procedure_owner nvarchar(384), @procedure_qualifier nvarchar(128), "
                         "@column_name nvarchar(384), @ODBCVer int, @fUsePattern bit", SP_SPROC_COLUMNS},
    {"sp_sproc_columns_100", "@procedure_name nvarchar(390), @procedure_owner nvarchar(384), @procedure_qualifier nvarchar(128), "
                             "@column_name nvarchar(384), @ODBCVer int, @fUsePattern bit", SP_SPROC_COLUMNS},
    {"sp_table_privileges", TABLE_PARAMETERS ", @fUsePattern bit", SP_TABLE_PRIVILEGES},
    {"sp_column_privileges", TABLE_PARAMETERS ", @column_name nvarchar(384)", SP_COLUMN_PRIVILEGES},
    {"sp_server_info", "@attribute_id int", SP_SERVER_INFO},
    {"sp_who", "@loginame nvarchar(128)", SP_WHO},
    {"sp_helpdb", "@dbname nvarchar(128)", SP_HELPDB},
    {"dbcc useroptions", "", USER_OPTIONS},
    {"xp_msver", "@optname nvarchar(255)", XP_MSVER},
    {"sp_datatype_info", "@data_type int, @ODBCVer tinyint", SP_DATATYPE_INFO},
    {"sp_stored_procedures", "@sp_name nvarchar(390), @sp_owner nvarchar(384), @sp_qualifier nvarchar(128), @fUsePattern bit", SP_STORED_PROCEDURES},
};

const struct sysproc *sysproc_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof procedures / sizeof procedures[0]; i++) {
        if (collate_name_equal(name, len, procedures[i].name, strlen(procedures[i].name)))
            return &procedures[i];
    }
    return NULL;
}
