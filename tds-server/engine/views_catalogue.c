/* sys: what a database consists of. */
#include "tds-server/engine/views_private.h"

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
        {"is_ms_shipped", BIT, "0"}, {"is_published", BIT, "0"}, {"is_schema_published", BIT, "0"}

static const struct view_column sys_objects[] = {OBJECT_COLUMNS};

static const struct view_column sys_tables[] = {
    OBJECT_COLUMNS,
    {"lob_data_space_id", INT, "0"},
    {"filestream_data_space_id", INT, "NULL"},
    {"max_column_id_used", INT, "(SELECT max(column_id) FROM $sg_column c WHERE c.object_id = o.object_id)"},
    {"lock_on_bulk_load", BIT, "0"},
    {"uses_ansi_nulls", BIT, "1"},
    {"is_replicated", BIT, "0"},
    {"is_filetable", BIT, "0"},
    {"is_tracked_by_cdc", BIT, "0"},
    {"lock_escalation", TINYINT, "0"},
    {"lock_escalation_desc", TEXT(60), "'TABLE'"},
    {"durability", TINYINT, "0"},
    {"durability_desc", TEXT(60), "'SCHEMA_AND_DATA'"},
    {"is_memory_optimized", BIT, "0"},
    {"temporal_type", TINYINT, "0"},
    {"temporal_type_desc", TEXT(60), "'NON_TEMPORAL_TABLE'"},
    {"history_table_id", INT, "NULL"},
    {"is_external", BIT, "0"},
    {"is_node", BIT, "0"},
    {"is_edge", BIT, "0"},
    {"ledger_type", TINYINT, "0"},
};

#define COLUMN_COLUMNS                                                                                                 \
    {"object_id", INT, "c.object_id"}, {"name", NAME, "c.name"}, {"column_id", INT, "c.column_id"},                    \
    {"system_type_id", TINYINT, TYPE_INFO("9")}, {"user_type_id", INT, TYPE_INFO("9")},                                \
    {"max_length", SMALLINT, TYPE_INFO("7")}, {"precision", TINYINT, TYPE_INFO("8")},                                  \
    {"scale", TINYINT, "c.scale"}, {"collation_name", NAME, "c.collation_name"},                                       \
    {"is_nullable", BIT, "c.nullable"}, {"is_ansi_padded", BIT, "1"}, {"is_rowguidcol", BIT, "0"},                     \
    {"is_identity", BIT, "c.identity"}, {"is_computed", BIT, "0"}, {"is_filestream", BIT, "0"},                        \
    {"is_replicated", BIT, "0"}, {"is_xml_document", BIT, "0"}, {"xml_collection_id", INT, "0"},                       \
    {"rule_object_id", INT, "0"}, {"is_sparse", BIT, "0"}, {"is_column_set", BIT, "0"},                                \
    {"generated_always_type", TINYINT, "0"}, {"generated_always_type_desc", TEXT(60), "'NOT_APPLICABLE'"},             \
    {"is_hidden", BIT, "0"}, {"is_masked", BIT, "0"}, {"encryption_type", INT, "NULL"},                                \
    {"default_object_id", INT, "coalesce((SELECT object_id FROM $sg_object d WHERE d.parent_id = c.object_id AND d.type = 'D' AND d.column_id = c.column_id), 0)"}

static const struct view_column sys_columns[] = {COLUMN_COLUMNS};

static const struct view_column sys_types[] = {
    {"name", NAME, "sg_type_info(0, kind, 0, small, 0)"},
    {"system_type_id", TINYINT, "sg_type_info(9, kind, 0, small, 0)"},
    {"user_type_id", INT, "sg_type_info(9, kind, 0, small, 0)"},
    {"schema_id", INT, "4"},
    {"max_length", SMALLINT, "CASE WHEN kind BETWEEN 10 AND 13 OR kind >= 21 THEN 8000 WHEN kind IN (5, 6) THEN 17 ELSE sg_type_info(7, kind, 0, small, 7) END"},
    {"precision", TINYINT, "CASE WHEN kind IN (5, 6) THEN 38 ELSE sg_type_info(8, kind, 0, max(small, 19 * (small = 0)), 7) END"},
    {"scale", TINYINT, "CASE WHEN kind IN (5, 6) THEN 38 WHEN kind = 7 THEN 4 WHEN kind IN (16, 18, 19) THEN 7 WHEN kind = 17 AND small = 0 THEN 3 ELSE 0 END"},
    {"is_nullable", BIT, "1"},
    {"is_user_defined", BIT, "0"},
    {"principal_id", INT, "NULL"},
    {"collation_name", NAME, "CASE WHEN kind BETWEEN 10 AND 14 THEN 'Latin1_General_100_CI_AS_SC_UTF8' END"},
    {"is_assembly_type", BIT, "0"},
    {"is_table_type", BIT, "0"},
    {"default_object_id", INT, "0"},
    {"rule_object_id", INT, "0"},
};

/* A table without a clustered index is a heap, which is index 0 without a name. */
static const struct view_column sys_indexes[] = {
    {"object_id", INT, "x.object_id"},
    {"name", NAME, "x.name"},
    {"index_id", INT, "x.index_id"},
    {"type", TINYINT, "CASE WHEN x.index_id = 0 THEN 0 WHEN x.clustered = 1 THEN 1 ELSE 2 END"},
    {"type_desc", TEXT(60), "CASE WHEN x.index_id = 0 THEN 'HEAP' WHEN x.clustered = 1 THEN 'CLUSTERED' ELSE 'NONCLUSTERED' END"},
    {"is_unique", BIT, "x.is_unique"},
    {"data_space_id", INT, "1"},
    {"ignore_dup_key", BIT, "0"},
    {"is_primary_key", BIT, "coalesce(x.kind = 0, 0)"},
    {"is_unique_constraint", BIT, "coalesce(x.kind = 1, 0)"},
    {"fill_factor", TINYINT, "0"},
    {"is_padded", BIT, "0"},
    {"is_disabled", BIT, "0"},
    {"is_hypothetical", BIT, "0"},
    {"allow_row_locks", BIT, "1"},
    {"allow_page_locks", BIT, "1"},
    {"has_filter", BIT, "x.filter IS NOT NULL"},
    {"filter_definition", TEXT(4000), "x.filter"},
};

static const struct view_column sys_index_columns[] = {
    {"object_id", INT, "object_id"},
    {"index_id", INT, "index_id"},
    {"index_column_id", INT, "ordinal"},
    {"column_id", INT, "column_id"},
    {"key_ordinal", TINYINT, "CASE included WHEN 1 THEN 0 ELSE ordinal END"},
    {"partition_ordinal", TINYINT, "0"},
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
    {"is_disabled", BIT, "0"},
    {"is_not_trusted", BIT, "0"},
    {"uses_database_collation", BIT, "1"},
};

static const struct view_column sys_foreign_keys[] = {
    OBJECT_COLUMNS,
    {"referenced_object_id", INT, "f.other_id"},
    {"key_index_id", INT, REFERRED_INDEX("i.index_id")},
    {"is_disabled", BIT, "0"},
    {"is_not_for_replication", BIT, "0"},
    {"is_not_trusted", BIT, "0"},
    {"delete_referential_action", TINYINT, "f.on_delete"},
    {"delete_referential_action_desc", TEXT(60), "replace(" RULE_NAME("f.on_delete") ", ' ', '_')"},
    {"update_referential_action", TINYINT, "f.on_update"},
    {"update_referential_action_desc", TEXT(60), "replace(" RULE_NAME("f.on_update") ", ' ', '_')"},
    {"is_system_named", BIT, "o.system_named"},
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
    COLUMN_COLUMNS,
    {"seed_value", {.kind = SQLTYPE_BIGINT}, "c.seed"},
    {"increment_value", {.kind = SQLTYPE_BIGINT}, "c.increment"},
    {"last_value", {.kind = SQLTYPE_BIGINT}, "c.last"},
    {"is_not_for_replication", BIT, "0"},
};

/* ---- what is counted ---- */

#define PARTITION_ID "x.object_id * 1000000 + x.index_id"
#define ROWS "sg_row_count(#, x.object_id)"

static const struct view_column sys_partitions[] = {
    {"partition_id", BIGINT, PARTITION_ID},
    {"object_id", INT, "x.object_id"},
    {"index_id", INT, "x.index_id"},
    {"partition_number", INT, "1"},
    {"hobt_id", BIGINT, PARTITION_ID},
    {"rows", BIGINT, ROWS},
    {"filestream_filegroup_id", SMALLINT, "0"},
    {"data_compression", TINYINT, "0"},
    {"data_compression_desc", TEXT(60), "'NONE'"},
};

/* Pages of 8 KiB by what SQLite's file takes are not known a table: they are told as 0. */
static const struct view_column sys_allocation_units[] = {
    {"allocation_unit_id", BIGINT, PARTITION_ID},
    {"type", TINYINT, "1"},
    {"type_desc", TEXT(60), "'IN_ROW_DATA'"},
    {"container_id", BIGINT, PARTITION_ID},
    {"data_space_id", INT, "1"},
    {"total_pages", BIGINT, "0"},
    {"used_pages", BIGINT, "0"},
    {"data_pages", BIGINT, "0"},
};

static const struct view_column dm_db_partition_stats[] = {
    {"partition_id", BIGINT, PARTITION_ID},
    {"object_id", INT, "x.object_id"},
    {"index_id", INT, "x.index_id"},
    {"partition_number", INT, "1"},
    {"in_row_data_page_count", BIGINT, "0"},
    {"in_row_used_page_count", BIGINT, "0"},
    {"in_row_reserved_page_count", BIGINT, "0"},
    {"lob_used_page_count", BIGINT, "0"},
    {"lob_reserved_page_count", BIGINT, "0"},
    {"row_overflow_used_page_count", BIGINT, "0"},
    {"row_overflow_reserved_page_count", BIGINT, "0"},
    {"used_page_count", BIGINT, "0"},
    {"reserved_page_count", BIGINT, "0"},
    {"row_count", BIGINT, ROWS},
};

/* ---- what this server has none of ---- */

#define NO_OBJECT                                                                                                              \
    {"name", NAME, "NULL"}, {"object_id", INT, "NULL"}, {"principal_id", INT, "NULL"}, {"schema_id", INT, "NULL"},             \
        {"parent_object_id", INT, "NULL"}, {"type", CHAR(2), "NULL"}, {"type_desc", TEXT(60), "NULL"},                         \
        {"create_date", DATETIME, "NULL"}, {"modify_date", DATETIME, "NULL"}, {"is_ms_shipped", BIT, "NULL"}

static const struct view_column no_views[] = {NO_OBJECT, {"is_replicated", BIT, "NULL"}, {"with_check_option", BIT, "NULL"}};
static const struct view_column system_views[] = {
    {"name", NAME, "sg_view(n.i, 1)"},      {"object_id", INT, "-n.i - 1"},       {"principal_id", INT, "NULL"},
    {"schema_id", INT, "CASE sg_view(n.i, 0) WHEN 'sys' THEN 4 ELSE 3 END"},      {"parent_object_id", INT, "0"},
    {"type", CHAR(2), "'V '"},              {"type_desc", TEXT(60), "'VIEW'"},    {"create_date", DATETIME, "NULL"},
    {"modify_date", DATETIME, "NULL"},      {"is_ms_shipped", BIT, "1"},
};
static const struct view_column no_procedures[] = {NO_OBJECT, {"is_auto_executed", BIT, "NULL"}};
static const struct view_column no_triggers[] = {
    {"name", NAME, "NULL"}, {"object_id", INT, "NULL"}, {"parent_class", TINYINT, "NULL"}, {"parent_class_desc", TEXT(60), "NULL"},
    {"parent_id", INT, "NULL"}, {"type", CHAR(2), "NULL"}, {"type_desc", TEXT(60), "NULL"}, {"create_date", DATETIME, "NULL"},
    {"modify_date", DATETIME, "NULL"}, {"is_ms_shipped", BIT, "NULL"}, {"is_disabled", BIT, "NULL"}, {"is_instead_of_trigger", BIT, "NULL"},
};
static const struct view_column no_synonyms[] = {NO_OBJECT, {"base_object_name", TEXT(1035), "NULL"}};
static const struct view_column no_sequences[] = {
    NO_OBJECT, {"start_value", BIGINT, "NULL"}, {"increment", BIGINT, "NULL"}, {"minimum_value", BIGINT, "NULL"},
    {"maximum_value", BIGINT, "NULL"}, {"is_cycling", BIT, "NULL"}, {"is_cached", BIT, "NULL"}, {"current_value", BIGINT, "NULL"},
};
static const struct view_column no_modules[] = {
    {"object_id", INT, "NULL"}, {"definition", TEXT(SQLTYPE_MAX), "NULL"}, {"uses_ansi_nulls", BIT, "NULL"},
    {"uses_quoted_identifier", BIT, "NULL"}, {"is_schema_bound", BIT, "NULL"},
};
static const struct view_column no_parameters[] = {
    {"object_id", INT, "NULL"}, {"name", NAME, "NULL"}, {"parameter_id", INT, "NULL"}, {"system_type_id", TINYINT, "NULL"},
    {"user_type_id", INT, "NULL"}, {"max_length", SMALLINT, "NULL"}, {"precision", TINYINT, "NULL"}, {"scale", TINYINT, "NULL"},
    {"is_output", BIT, "NULL"}, {"has_default_value", BIT, "NULL"}, {"default_value", TEXT(4000), "NULL"},
};
static const struct view_column no_properties[] = {
    {"class", TINYINT, "NULL"}, {"class_desc", TEXT(60), "NULL"}, {"major_id", INT, "NULL"}, {"minor_id", INT, "NULL"},
    {"name", NAME, "NULL"}, {"value", TEXT(4000), "NULL"},
};
static const struct view_column no_computed[] = {
    COLUMN_COLUMNS,
    {"definition", TEXT(4000), "NULL"},
    {"uses_database_collation", BIT, "NULL"},
    {"is_persisted", BIT, "NULL"},
};
static const struct view_column no_table_types[] = {
    {"name", NAME, "NULL"}, {"system_type_id", TINYINT, "NULL"}, {"user_type_id", INT, "NULL"}, {"schema_id", INT, "NULL"},
    {"type_table_object_id", INT, "NULL"}, {"is_user_defined", BIT, "NULL"},
};
static const struct view_column no_dependencies[] = {
    {"referencing_id", INT, "NULL"}, {"referencing_minor_id", INT, "NULL"}, {"referenced_id", INT, "NULL"},
    {"referenced_minor_id", INT, "NULL"}, {"referenced_schema_name", NAME, "NULL"}, {"referenced_entity_name", NAME, "NULL"},
};

/* ---- */

#define INDEXES                                                                                                                \
    "(SELECT object_id, index_id, name, kind, is_unique, clustered, filter FROM $sg_index UNION ALL "                          \
    "SELECT object_id, 0, NULL, NULL, 0, 0, NULL FROM $sg_object t WHERE t.type = 'U' AND NOT EXISTS "                         \
    "(SELECT 1 FROM $sg_index i WHERE i.object_id = t.object_id AND i.clustered = 1)) x"

#define SYSTEM_VIEWS                                                                                                           \
    "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE sg_view(i + 1, 1) IS NOT NULL) SELECT i FROM n) n"

static const struct view views[] = {
    VIEW("sys", "schemas", sys_schemas, SCHEMAS, false),
    VIEW("sys", "objects", sys_objects, "$sg_object o", false),
    VIEW("sys", "all_objects", sys_objects, "$sg_object o", false),
    VIEW("sys", "tables", sys_tables, "$sg_object o WHERE o.type = 'U'", false),
    VIEW("sys", "columns", sys_columns, "$sg_column c", false),
    VIEW("sys", "all_columns", sys_columns, "$sg_column c", false),
    VIEW("sys", "types", sys_types,
         "(WITH RECURSIVE n(kind) AS (SELECT 0 UNION ALL SELECT kind + 1 FROM n WHERE kind < 22) SELECT kind, 0 AS small FROM n"
         " UNION ALL VALUES (7, 10), (17, 16))" /* SMALLMONEY and SMALLDATETIME, by their precisions */, false),
    VIEW("sys", "indexes", sys_indexes, INDEXES, false),
    VIEW("sys", "index_columns", sys_index_columns, "$sg_index_column", false),
    VIEW("sys", "key_constraints", sys_key_constraints, "$sg_object o WHERE o.type IN ('PK', 'UQ')", false),
    VIEW("sys", "check_constraints", sys_definitions, "$sg_object o WHERE o.type = 'C'", false),
    VIEW("sys", "default_constraints", sys_definitions, "$sg_object o WHERE o.type = 'D'", false),
    VIEW("sys", "foreign_keys", sys_foreign_keys, "$sg_foreign_key f JOIN $sg_object o ON o.object_id = f.object_id", false),
    VIEW("sys", "foreign_key_columns", sys_foreign_key_columns,
         "$sg_foreign_key_column k JOIN $sg_foreign_key f ON f.object_id = k.object_id", false),
    VIEW("sys", "identity_columns", sys_identity_columns, "$sg_column c WHERE c.identity = 1", false),
    VIEW("sys", "partitions", sys_partitions, INDEXES, false),
    VIEW("sys", "allocation_units", sys_allocation_units, INDEXES, false),
    VIEW("sys", "dm_db_partition_stats", dm_db_partition_stats, INDEXES, false),
    VIEW("sys", "views", no_views, NOTHING, false),
    VIEW("sys", "all_views", system_views, SYSTEM_VIEWS, false),
    VIEW("sys", "system_views", system_views, SYSTEM_VIEWS, false),
    VIEW("sys", "system_objects", system_views, SYSTEM_VIEWS, false),
    VIEW("sys", "procedures", no_procedures, NOTHING, false),
    VIEW("sys", "triggers", no_triggers, NOTHING, false),
    VIEW("sys", "synonyms", no_synonyms, NOTHING, false),
    VIEW("sys", "sequences", no_sequences, NOTHING, false),
    VIEW("sys", "sql_modules", no_modules, NOTHING, false),
    VIEW("sys", "all_sql_modules", no_modules, NOTHING, false),
    VIEW("sys", "parameters", no_parameters, NOTHING, false),
    VIEW("sys", "all_parameters", no_parameters, NOTHING, false),
    VIEW("sys", "extended_properties", no_properties, NOTHING, false),
    VIEW("sys", "computed_columns", no_computed, "$sg_column c WHERE 0", false),
    VIEW("sys", "table_types", no_table_types, NOTHING, false),
    VIEW("sys", "sql_expression_dependencies", no_dependencies, NOTHING, false),
};

const struct view_list views_catalogue = {views, sizeof views / sizeof views[0]};
