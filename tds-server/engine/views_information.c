/* INFORMATION_SCHEMA: what SQL-92 says of a database's tables. */
#include "tds-server/engine/views_private.h"

static const struct view_column schemata[] = {
    {"CATALOG_NAME", NAME, DATABASE_NAME},
    {"SCHEMA_NAME", NAME, "s.name"},
    {"SCHEMA_OWNER", NAME, "CASE s.schema_id WHEN 3 THEN s.name WHEN 4 THEN s.name ELSE 'dbo' END"},
    {"DEFAULT_CHARACTER_SET_CATALOG", NAME, "NULL"},
    {"DEFAULT_CHARACTER_SET_SCHEMA", NAME, "NULL"},
    {"DEFAULT_CHARACTER_SET_NAME", NAME, "'UTF-8'"},
};

static const struct view_column tables[] = {
    {"TABLE_CATALOG", NAME, DATABASE_NAME},
    {"TABLE_SCHEMA", NAME, SCHEMA_OF("o")},
    {"TABLE_NAME", NAME, "o.name"},
    {"TABLE_TYPE", VARCHAR(10), "'BASE TABLE'"},
};

static const struct view_column columns[] = {
    {"TABLE_CATALOG", NAME, DATABASE_NAME},
    {"TABLE_SCHEMA", NAME, SCHEMA_OF("o")},
    {"TABLE_NAME", NAME, "o.name"},
    {"COLUMN_NAME", NAME, "c.name"},
    {"ORDINAL_POSITION", INT, "c.position"},
    /* SQL Server puts numbers into two pairs. */
    {"COLUMN_DEFAULT", TEXT(4000), "CASE WHEN c.default_sql GLOB '[-0-9]*' THEN '((' || c.default_sql || '))' ELSE '(' || c.default_sql || ')' END"},
    {"IS_NULLABLE", VARCHAR(3), "CASE c.nullable WHEN 0 THEN 'NO' ELSE 'YES' END"},
    {"DATA_TYPE", NAME, TYPE_INFO("0")},
    {"CHARACTER_MAXIMUM_LENGTH", INT, TYPE_INFO("1")},
    {"CHARACTER_OCTET_LENGTH", INT, TYPE_INFO("2")},
    {"NUMERIC_PRECISION", TINYINT, TYPE_INFO("3")},
    {"NUMERIC_PRECISION_RADIX", SMALLINT, TYPE_INFO("4")},
    {"NUMERIC_SCALE", INT, TYPE_INFO("5")},
    {"DATETIME_PRECISION", SMALLINT, TYPE_INFO("6")},
    {"CHARACTER_SET_CATALOG", NAME, "NULL"},
    {"CHARACTER_SET_SCHEMA", NAME, "NULL"},
    {"CHARACTER_SET_NAME", NAME, "CASE WHEN c.collation_name IS NULL THEN NULL WHEN c.kind IN (12, 13) THEN 'UNICODE' ELSE 'UTF-8' END"},
    {"COLLATION_CATALOG", NAME, "NULL"},
    {"COLLATION_SCHEMA", NAME, "NULL"},
    {"COLLATION_NAME", NAME, "c.collation_name"},
    {"DOMAIN_CATALOG", NAME, "NULL"},
    {"DOMAIN_SCHEMA", NAME, "NULL"},
    {"DOMAIN_NAME", NAME, "NULL"},
};

static const struct view_column table_constraints[] = {
    {"CONSTRAINT_CATALOG", NAME, DATABASE_NAME},
    {"CONSTRAINT_SCHEMA", NAME, SCHEMA_OF("k")},
    {"CONSTRAINT_NAME", NAME, "k.name"},
    {"TABLE_CATALOG", NAME, DATABASE_NAME},
    {"TABLE_SCHEMA", NAME, SCHEMA_OF("o")},
    {"TABLE_NAME", NAME, "o.name"},
    {"CONSTRAINT_TYPE", VARCHAR(11), "CASE k.type WHEN 'PK' THEN 'PRIMARY KEY' WHEN 'UQ' THEN 'UNIQUE' WHEN 'C' THEN 'CHECK' ELSE 'FOREIGN KEY' END"},
    {"IS_DEFERRABLE", VARCHAR(2), "'NO'"},
    {"INITIALLY_DEFERRED", VARCHAR(2), "'NO'"},
};

static const struct view_column key_column_usage[] = {
    {"CONSTRAINT_CATALOG", NAME, DATABASE_NAME},
    {"CONSTRAINT_SCHEMA", NAME, SCHEMA_OF("o")},
    {"CONSTRAINT_NAME", NAME, "x.name"},
    {"TABLE_CATALOG", NAME, DATABASE_NAME},
    {"TABLE_SCHEMA", NAME, SCHEMA_OF("o")},
    {"TABLE_NAME", NAME, "o.name"},
    {"COLUMN_NAME", NAME, "c.name"},
    {"ORDINAL_POSITION", INT, "x.ordinal"},
};

static const struct view_column views_columns[] = {
    {"TABLE_CATALOG", NAME, "NULL"},
    {"TABLE_SCHEMA", NAME, "NULL"},
    {"TABLE_NAME", NAME, "NULL"},
    {"VIEW_DEFINITION", TEXT(4000), "NULL"},
    {"CHECK_OPTION", VARCHAR(7), "NULL"},
    {"IS_UPDATABLE", VARCHAR(2), "NULL"},
};

static const struct view_column check_constraints[] = {
    {"CONSTRAINT_CATALOG", NAME, DATABASE_NAME},
    {"CONSTRAINT_SCHEMA", NAME, SCHEMA_OF("o")},
    {"CONSTRAINT_NAME", NAME, "o.name"},
    {"CHECK_CLAUSE", TEXT(4000), "'(' || o.definition || ')'"},
};

/* SQL Server names the unique constraint that a key refers to; here it is the index over exactly those columns. */
static const struct view_column referential_constraints[] = {
    {"CONSTRAINT_CATALOG", NAME, DATABASE_NAME},
    {"CONSTRAINT_SCHEMA", NAME, SCHEMA_OF("o")},
    {"CONSTRAINT_NAME", NAME, "o.name"},
    {"UNIQUE_CONSTRAINT_CATALOG", NAME, DATABASE_NAME},
    {"UNIQUE_CONSTRAINT_SCHEMA", NAME, SCHEMA_OF("o")},
    {"UNIQUE_CONSTRAINT_NAME", NAME, REFERRED_INDEX("i.name")},
    {"MATCH_OPTION", VARCHAR(7), "'SIMPLE'"},
    {"UPDATE_RULE", VARCHAR(11), RULE_NAME("f.on_update")},
    {"DELETE_RULE", VARCHAR(11), RULE_NAME("f.on_delete")},
};

static const struct view_column constraint_column_usage[] = {
    {"TABLE_CATALOG", NAME, DATABASE_NAME},
    {"TABLE_SCHEMA", NAME, SCHEMA_OF("o")},
    {"TABLE_NAME", NAME, "o.name"},
    {"COLUMN_NAME", NAME, "c.name"},
    {"CONSTRAINT_CATALOG", NAME, DATABASE_NAME},
    {"CONSTRAINT_SCHEMA", NAME, SCHEMA_OF("o")},
    {"CONSTRAINT_NAME", NAME, "x.name"},
};

static const struct view_column constraint_table_usage[] = {
    {"TABLE_CATALOG", NAME, DATABASE_NAME},
    {"TABLE_SCHEMA", NAME, SCHEMA_OF("o")},
    {"TABLE_NAME", NAME, "o.name"},
    {"CONSTRAINT_CATALOG", NAME, DATABASE_NAME},
    {"CONSTRAINT_SCHEMA", NAME, SCHEMA_OF("k")},
    {"CONSTRAINT_NAME", NAME, "k.name"},
};

static const struct view_column table_privileges[] = {
    {"GRANTOR", NAME, "'dbo'"},
    {"GRANTEE", NAME, "'dbo'"},
    {"TABLE_CATALOG", NAME, DATABASE_NAME},
    {"TABLE_SCHEMA", NAME, SCHEMA_OF("o")},
    {"TABLE_NAME", NAME, "o.name"},
    {"PRIVILEGE_TYPE", VARCHAR(10), "p.privilege"},
    {"IS_GRANTABLE", VARCHAR(3), "'YES'"},
};

static const struct view_column routines[] = {
    {"SPECIFIC_CATALOG", NAME, "NULL"},  {"SPECIFIC_SCHEMA", NAME, "NULL"},    {"SPECIFIC_NAME", NAME, "NULL"},
    {"ROUTINE_CATALOG", NAME, "NULL"},   {"ROUTINE_SCHEMA", NAME, "NULL"},     {"ROUTINE_NAME", NAME, "NULL"},
    {"ROUTINE_TYPE", TEXT(20), "NULL"},  {"DATA_TYPE", NAME, "NULL"},          {"ROUTINE_BODY", TEXT(30), "NULL"},
    {"ROUTINE_DEFINITION", TEXT(4000), "NULL"}, {"CREATED", DATETIME, "NULL"}, {"LAST_ALTERED", DATETIME, "NULL"},
};

static const struct view_column parameters[] = {
    {"SPECIFIC_CATALOG", NAME, "NULL"}, {"SPECIFIC_SCHEMA", NAME, "NULL"},  {"SPECIFIC_NAME", NAME, "NULL"},
    {"ORDINAL_POSITION", INT, "NULL"},  {"PARAMETER_MODE", TEXT(10), "NULL"}, {"IS_RESULT", TEXT(10), "NULL"},
    {"PARAMETER_NAME", NAME, "NULL"},   {"DATA_TYPE", NAME, "NULL"},        {"CHARACTER_MAXIMUM_LENGTH", INT, "NULL"},
    {"NUMERIC_PRECISION", TINYINT, "NULL"}, {"NUMERIC_SCALE", INT, "NULL"},
};

static const struct view_column view_usage[] = {
    {"VIEW_CATALOG", NAME, "NULL"}, {"VIEW_SCHEMA", NAME, "NULL"}, {"VIEW_NAME", NAME, "NULL"},
    {"TABLE_CATALOG", NAME, "NULL"}, {"TABLE_SCHEMA", NAME, "NULL"}, {"TABLE_NAME", NAME, "NULL"},
};

/* ---- */

#define INFORMATION "INFORMATION_SCHEMA"
#define OF_COLUMN "JOIN $sg_object o ON o.object_id = x.object_id JOIN $sg_column c ON c.object_id = x.object_id AND c.column_id = x.column_id"
#define KEY_COLUMNS                                                                                                            \
    "SELECT i.name, i.object_id, k.column_id, k.ordinal FROM $sg_index i "                                                     \
    "JOIN $sg_index_column k ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.included = 0 WHERE i.kind IN (0, 1) "

static const struct view views[] = {
    VIEW(INFORMATION, "SCHEMATA", schemata, SCHEMAS, true),
    VIEW(INFORMATION, "TABLES", tables, "$sg_object o WHERE o.type = 'U'", true),
    VIEW(INFORMATION, "COLUMNS", columns, "$sg_column c JOIN $sg_object o ON o.object_id = c.object_id", true),
    VIEW(INFORMATION, "TABLE_CONSTRAINTS", table_constraints,
         "$sg_object k JOIN $sg_object o ON o.object_id = k.parent_id WHERE k.type IN ('PK', 'UQ', 'C', 'F')", true),
    VIEW(INFORMATION, "KEY_COLUMN_USAGE", key_column_usage,
         "(" KEY_COLUMNS "UNION ALL "
         "SELECT n.name, f.table_id, k.column_id, k.ordinal FROM $sg_foreign_key f JOIN $sg_object n ON n.object_id = f.object_id "
         "JOIN $sg_foreign_key_column k ON k.object_id = f.object_id) x " OF_COLUMN,
         true),
    VIEW(INFORMATION, "CHECK_CONSTRAINTS", check_constraints, "$sg_object o WHERE o.type = 'C'", true),
    VIEW(INFORMATION, "REFERENTIAL_CONSTRAINTS", referential_constraints,
         "$sg_foreign_key f JOIN $sg_object o ON o.object_id = f.object_id", true),
    /* The columns that a constraint speaks of: of a foreign key those of its own table, as in SQL Server. */
    VIEW(INFORMATION, "CONSTRAINT_COLUMN_USAGE", constraint_column_usage,
         "(" KEY_COLUMNS "UNION ALL "
         "SELECT n.name, f.table_id, k.column_id, k.ordinal FROM $sg_foreign_key f JOIN $sg_object n ON n.object_id = f.object_id "
         "JOIN $sg_foreign_key_column k ON k.object_id = f.object_id UNION ALL "
         "SELECT name, parent_id, column_id, 1 FROM $sg_object WHERE type = 'C' AND column_id > 0) x " OF_COLUMN,
         true),
    VIEW(INFORMATION, "CONSTRAINT_TABLE_USAGE", constraint_table_usage,
         "$sg_object k JOIN $sg_object o ON o.object_id = k.parent_id WHERE k.type IN ('PK', 'UQ', 'C', 'F')", true),
    VIEW(INFORMATION, "TABLE_PRIVILEGES", table_privileges,
         "$sg_object o JOIN (SELECT 'SELECT' AS privilege UNION ALL SELECT 'INSERT' UNION ALL SELECT 'UPDATE' UNION ALL SELECT 'DELETE' "
         "UNION ALL SELECT 'REFERENCES') p WHERE o.type = 'U'", true),
    VIEW(INFORMATION, "VIEWS", views_columns, NOTHING, false),
    VIEW(INFORMATION, "VIEW_TABLE_USAGE", view_usage, NOTHING, false),
    VIEW(INFORMATION, "ROUTINES", routines, NOTHING, false),
    VIEW(INFORMATION, "PARAMETERS", parameters, NOTHING, false),
};

const struct view_list views_information = {views, sizeof views / sizeof views[0]};
