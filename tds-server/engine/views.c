#include "tds-server/engine/views.h"

#include "common/collate.h"
#include "tds-server/functions/typing.h"

#include <string.h>

#define INT                                                                                                                    \
    {                                                                                                                          \
        .kind = SQLTYPE_INT                                                                                                    \
    }
#define SMALLINT                                                                                                               \
    {                                                                                                                          \
        .kind = SQLTYPE_SMALLINT                                                                                               \
    }
#define TINYINT                                                                                                                \
    {                                                                                                                          \
        .kind = SQLTYPE_TINYINT                                                                                                \
    }
#define BIT                                                                                                                    \
    {                                                                                                                          \
        .kind = SQLTYPE_BIT                                                                                                    \
    }
#define NAME                                                                                                                   \
    {                                                                                                                          \
        .kind = SQLTYPE_NVARCHAR, .length = 128                                                                                \
    }
#define TEXT(n)                                                                                                                \
    {                                                                                                                          \
        .kind = SQLTYPE_NVARCHAR, .length = n                                                                                  \
    }
#define VARCHAR(n)                                                                                                             \
    {                                                                                                                          \
        .kind = SQLTYPE_VARCHAR, .length = n                                                                                   \
    }
#define CHAR(n)                                                                                                                \
    {                                                                                                                          \
        .kind = SQLTYPE_CHAR, .length = n                                                                                      \
    }
#define DATETIME                                                                                                               \
    {                                                                                                                          \
        .kind = SQLTYPE_DATETIME, .scale = 3                                                                                   \
    }

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

static int column_bytes(const struct sqltype *t)
{
    if (typing_class(t->kind) == TYPE_DECIMAL && t->kind != SQLTYPE_MONEY)
        return t->precision <= 9 ? 5 : t->precision <= 19 ? 9 : t->precision <= 28 ? 13 : 17;
    if (type_facts[t->kind].bytes > 0)
        return type_facts[t->kind].bytes;
    bool wide = t->kind == SQLTYPE_NCHAR || t->kind == SQLTYPE_NVARCHAR;
    return t->length == SQLTYPE_MAX ? -1 : wide ? 2 * t->length : t->length;
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
        *out = t->kind == SQLTYPE_TEXT ? INT32_MAX : column_bytes(t);
        return sized;
    case INFO_PRECISION:
        *out = type_facts[t->kind].precision > 0 ? type_facts[t->kind].precision : t->precision;
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
        *out = column_bytes(t);
        return true;
    case INFO_COLUMN_PRECISION:
        *out = class == TYPE_DECIMAL ? t->precision : type_facts[t->kind].precision;
        return true;
    case INFO_TYPE_ID:
        *out = type_facts[t->kind].id;
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
    if (what == INFO_NAME)
        sqlite3_result_text(ctx, typing_name(t.kind), -1, SQLITE_STATIC);
    else if (type_number(what, &t, &number))
        sqlite3_result_int(ctx, number);
}

int views_register(sqlite3 *db)
{
    return sqlite3_create_function_v2(db, "sg_type_info", 5, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sg_type_info, NULL, NULL, NULL);
}

#define TYPE_INFO(what) "sg_type_info(" what ", c.kind, c.length, c.precision, c.scale)"

/* ---- INFORMATION_SCHEMA ---- */

#define DATABASE_NAME "(SELECT name FROM @sg_database WHERE database_id = #)"
#define SCHEMA_OF(object) "(SELECT name FROM $sg_schema s WHERE s.schema_id = " object ".schema_id)"

static const struct view_column schemata[] = {
    {"CATALOG_NAME", NAME, DATABASE_NAME},
    {"SCHEMA_NAME", NAME, "s.name"},
    {"SCHEMA_OWNER", NAME, "'dbo'"},
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

/* ---- sys ---- */

static const struct view_column sys_databases[] = {
    {"name", NAME, "name"},
    {"database_id", INT, "database_id"},
    {"source_database_id", INT, "NULL"},
    {"create_date", DATETIME, "create_date"},
    {"compatibility_level", TINYINT, "150"},
    {"collation_name", NAME, "'Latin1_General_100_CI_AS_SC_UTF8'"},
    {"user_access", TINYINT, "0"},
    {"user_access_desc", TEXT(60), "'MULTI_USER'"},
    {"is_read_only", BIT, "0"},
    {"state", TINYINT, "0"},
    {"state_desc", TEXT(60), "'ONLINE'"},
    {"snapshot_isolation_state", TINYINT, "0"},
    {"is_read_committed_snapshot_on", BIT, "1"},
    {"recovery_model", TINYINT, "1"},
    {"recovery_model_desc", TEXT(60), "'FULL'"},
};

static const struct view_column sys_schemas[] = {
    {"name", NAME, "name"},
    {"schema_id", INT, "schema_id"},
    {"principal_id", INT, "1"},
};

#define OBJECT_TYPE                                                                                                            \
    "CASE o.type WHEN 'U' THEN 'USER_TABLE' WHEN 'PK' THEN 'PRIMARY_KEY_CONSTRAINT' WHEN 'UQ' THEN 'UNIQUE_CONSTRAINT' "       \
    "WHEN 'C' THEN 'CHECK_CONSTRAINT' WHEN 'D' THEN 'DEFAULT_CONSTRAINT' ELSE 'FOREIGN_KEY_CONSTRAINT' END"

#define OBJECT_COLUMNS                                                                                                         \
    {"name", NAME, "o.name"}, {"object_id", INT, "o.object_id"}, {"principal_id", INT, "NULL"},                                \
        {"schema_id", INT, "o.schema_id"}, {"parent_object_id", INT, "o.parent_id"}, {"type", CHAR(2), "substr(o.type || ' ', 1, 2)"}, \
        {"type_desc", TEXT(60), OBJECT_TYPE}, {"create_date", DATETIME, "o.create_date"}, {"modify_date", DATETIME, "o.modify_date"}, \
        {"is_ms_shipped", BIT, "0"}

static const struct view_column sys_objects[] = {OBJECT_COLUMNS};
static const struct view_column sys_tables[] = {OBJECT_COLUMNS, {"is_memory_optimized", BIT, "0"}, {"temporal_type", TINYINT, "0"}};

static const struct view_column sys_columns[] = {
    {"object_id", INT, "c.object_id"},
    {"name", NAME, "c.name"},
    {"column_id", INT, "c.column_id"},
    {"system_type_id", TINYINT, TYPE_INFO("9")},
    {"user_type_id", INT, TYPE_INFO("9")},
    {"max_length", SMALLINT, TYPE_INFO("7")},
    {"precision", TINYINT, TYPE_INFO("8")},
    {"scale", TINYINT, "c.scale"},
    {"collation_name", NAME, "c.collation_name"},
    {"is_nullable", BIT, "c.nullable"},
    {"is_identity", BIT, "c.identity"},
    {"is_computed", BIT, "0"},
    {"default_object_id", INT, "coalesce((SELECT object_id FROM $sg_object d WHERE d.parent_id = c.object_id AND d.type = 'D' AND d.column_id = c.column_id), 0)"},
};

static const struct view_column sys_types[] = {
    {"name", NAME, "sg_type_info(0, kind, 0, 0, 0)"},
    {"system_type_id", TINYINT, "sg_type_info(9, kind, 0, 0, 0)"},
    {"user_type_id", INT, "sg_type_info(9, kind, 0, 0, 0)"},
    {"schema_id", INT, "4"},
    {"max_length", SMALLINT, "CASE WHEN kind BETWEEN 10 AND 13 OR kind >= 21 THEN 8000 WHEN kind IN (5, 6) THEN 17 ELSE sg_type_info(7, kind, 0, 0, 0) END"},
    {"precision", TINYINT, "CASE WHEN kind IN (5, 6) THEN 38 ELSE sg_type_info(8, kind, 0, 19, 0) END"},
    {"scale", TINYINT, "CASE WHEN kind IN (5, 6) THEN 38 WHEN kind = 7 THEN 4 WHEN kind IN (16, 18, 19) THEN 7 WHEN kind = 17 THEN 3 ELSE 0 END"},
    {"is_nullable", BIT, "1"},
    {"is_user_defined", BIT, "0"},
};

static const struct view_column sys_indexes[] = {
    {"object_id", INT, "x.object_id"},
    {"name", NAME, "x.name"},
    {"index_id", INT, "x.index_id"},
    {"type", TINYINT, "CASE x.clustered WHEN 1 THEN 1 ELSE 2 END"},
    {"type_desc", TEXT(60), "CASE x.clustered WHEN 1 THEN 'CLUSTERED' ELSE 'NONCLUSTERED' END"},
    {"is_unique", BIT, "x.is_unique"},
    {"is_primary_key", BIT, "x.kind = 0"},
    {"is_unique_constraint", BIT, "x.kind = 1"},
    {"is_disabled", BIT, "0"},
    {"has_filter", BIT, "x.filter IS NOT NULL"},
    {"filter_definition", TEXT(4000), "x.filter"},
};

static const struct view_column sys_index_columns[] = {
    {"object_id", INT, "object_id"},
    {"index_id", INT, "index_id"},
    {"index_column_id", INT, "ordinal"},
    {"column_id", INT, "column_id"},
    {"key_ordinal", TINYINT, "CASE included WHEN 1 THEN 0 ELSE ordinal END"},
    {"is_descending_key", BIT, "descending"},
    {"is_included_column", BIT, "included"},
};

static const struct view_column sys_key_constraints[] = {
    OBJECT_COLUMNS,
    {"unique_index_id", INT, "(SELECT x.index_id FROM $sg_index x WHERE x.object_id = o.parent_id AND x.name = o.name)"},
    {"is_system_named", BIT, "o.system_named"},
};

static const struct view_column sys_definitions[] = {
    OBJECT_COLUMNS,
    {"parent_column_id", INT, "coalesce(o.column_id, 0)"},
    {"definition", TEXT(4000), "'(' || o.definition || ')'"},
    {"is_system_named", BIT, "o.system_named"},
};

static const struct view_column sys_foreign_keys[] = {
    OBJECT_COLUMNS,
    {"referenced_object_id", INT, "k.other_id"},
    {"delete_referential_action", TINYINT, "k.on_delete"},
    {"update_referential_action", TINYINT, "k.on_update"},
};

static const struct view_column sys_foreign_key_columns[] = {
    {"constraint_object_id", INT, "k.object_id"},
    {"constraint_column_id", INT, "k.ordinal"},
    {"parent_object_id", INT, "f.table_id"},
    {"parent_column_id", INT, "k.column_id"},
    {"referenced_object_id", INT, "f.other_id"},
    {"referenced_column_id", INT, "k.other_column_id"},
};

static const struct view_column sys_identity_columns[] = {
    {"object_id", INT, "c.object_id"},
    {"name", NAME, "c.name"},
    {"column_id", INT, "c.column_id"},
    {"seed_value", {.kind = SQLTYPE_BIGINT}, "c.seed"},
    {"increment_value", {.kind = SQLTYPE_BIGINT}, "c.increment"},
    {"last_value", {.kind = SQLTYPE_BIGINT}, "c.last"},
};

#define VIEW(schema, name, columns, from, master)                                                                              \
    {                                                                                                                          \
        schema, name, from, columns, sizeof columns / sizeof columns[0], master                                                \
    }

#define INFORMATION "INFORMATION_SCHEMA"

static const struct view views[] = {
    VIEW(INFORMATION, "SCHEMATA", schemata, "$sg_schema s", true),
    VIEW(INFORMATION, "TABLES", tables, "$sg_object o WHERE o.type = 'U'", true),
    VIEW(INFORMATION, "COLUMNS", columns, "$sg_column c JOIN $sg_object o ON o.object_id = c.object_id", true),
    VIEW(INFORMATION, "TABLE_CONSTRAINTS", table_constraints,
         "$sg_object k JOIN $sg_object o ON o.object_id = k.parent_id WHERE k.type IN ('PK', 'UQ', 'C', 'F')", true),
    VIEW(INFORMATION, "KEY_COLUMN_USAGE", key_column_usage,
         "(SELECT i.name, i.object_id, k.column_id, k.ordinal FROM $sg_index i "
         "JOIN $sg_index_column k ON k.object_id = i.object_id AND k.index_id = i.index_id WHERE i.kind IN (0, 1) UNION ALL "
         "SELECT n.name, f.table_id, k.column_id, k.ordinal FROM $sg_foreign_key f JOIN $sg_object n ON n.object_id = f.object_id "
         "JOIN $sg_foreign_key_column k ON k.object_id = f.object_id) x "
         "JOIN $sg_object o ON o.object_id = x.object_id JOIN $sg_column c ON c.object_id = x.object_id AND c.column_id = x.column_id",
         true),
    VIEW("sys", "databases", sys_databases, "@sg_database", true),
    VIEW("sys", "schemas", sys_schemas, "$sg_schema", false),
    VIEW("sys", "objects", sys_objects, "$sg_object o", false),
    VIEW("sys", "all_objects", sys_objects, "$sg_object o", false),
    VIEW("sys", "tables", sys_tables, "$sg_object o WHERE o.type = 'U'", false),
    VIEW("sys", "columns", sys_columns, "$sg_column c", false),
    VIEW("sys", "all_columns", sys_columns, "$sg_column c", false),
    VIEW("sys", "types", sys_types,
         "(WITH RECURSIVE n(kind) AS (SELECT 0 UNION ALL SELECT kind + 1 FROM n WHERE kind < 22) SELECT kind FROM n)", false),
    VIEW("sys", "indexes", sys_indexes, "$sg_index x", false),
    VIEW("sys", "index_columns", sys_index_columns, "$sg_index_column", false),
    VIEW("sys", "key_constraints", sys_key_constraints, "$sg_object o WHERE o.type IN ('PK', 'UQ')", false),
    VIEW("sys", "check_constraints", sys_definitions, "$sg_object o WHERE o.type = 'C'", false),
    VIEW("sys", "default_constraints", sys_definitions, "$sg_object o WHERE o.type = 'D'", false),
    VIEW("sys", "foreign_keys", sys_foreign_keys, "$sg_foreign_key k JOIN $sg_object o ON o.object_id = k.object_id", false),
    VIEW("sys", "foreign_key_columns", sys_foreign_key_columns,
         "$sg_foreign_key_column k JOIN $sg_foreign_key f ON f.object_id = k.object_id", false),
    VIEW("sys", "identity_columns", sys_identity_columns, "$sg_column c WHERE c.identity = 1", false),
};

static bool is(struct tsql_text text, const char *name)
{
    return collate_name_equal(text.data, text.len, name, strlen(name));
}

const struct view *views_find(struct tsql_text schema, struct tsql_text name)
{
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        if (is(schema, views[i].schema) && is(name, views[i].name))
            return &views[i];
    }
    return NULL;
}
