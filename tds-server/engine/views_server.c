/* sys: the server, its sessions and connections, its one user. Of sessions sg_session(spid, what) tells; `what` is an enum
 * session_fact of sessions.h. */
#include "tds-server/engine/views_private.h"

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
    {"is_auto_close_on", BIT, "0"},
    {"is_auto_shrink_on", BIT, "0"},
    {"is_in_standby", BIT, "0"},
    {"is_encrypted", BIT, "0"},
    {"is_query_store_on", BIT, "0"},
    {"is_quoted_identifier_on", BIT, "1"},
    {"is_ansi_nulls_on", BIT, "1"},
    {"is_arithabort_on", BIT, "1"},
    {"containment", TINYINT, "0"},
    {"containment_desc", TEXT(60), "'NONE'"},
    {"log_reuse_wait", TINYINT, "0"},
    {"log_reuse_wait_desc", TEXT(60), "'NOTHING'"},
    {"owner_sid", BINARY(85), "x'01'"},
    {"replica_id", GUID, "NULL"},
    {"service_broker_guid", GUID, "NULL"},
    {"is_broker_enabled", BIT, "0"},
    {"recovery_model", TINYINT, "1"},
    {"recovery_model_desc", TEXT(60), "'FULL'"},
};

/* ---- sessions ---- */

#define SESSION(what) "sg_session(n.spid, " what ")"

static const struct view_column sessions[] = {
    {"session_id", SMALLINT, "n.spid"},
    {"login_time", DATETIME, SESSION("0")},
    {"host_name", NAME, SESSION("1")},
    {"program_name", NAME, SESSION("2")},
    {"host_process_id", INT, "NULL"},
    {"client_version", INT, SESSION("3")},
    {"client_interface_name", TEXT(32), SESSION("4")},
    {"security_id", BINARY(85), "x'01'"},
    {"login_name", NAME, SESSION("5")},
    {"nt_domain", NAME, "NULL"},
    {"nt_user_name", NAME, "NULL"},
    {"original_login_name", NAME, SESSION("5")},
    {"status", TEXT(30), "CASE " SESSION("6") " WHEN 1 THEN 'running' ELSE 'sleeping' END"},
    {"context_info", BINARY(128), "NULL"},
    {"cpu_time", INT, "0"},
    {"memory_usage", INT, "0"},
    {"total_elapsed_time", INT, "0"},
    {"last_request_start_time", DATETIME, SESSION("7")},
    {"last_request_end_time", DATETIME, "CASE " SESSION("6") " WHEN 1 THEN NULL ELSE " SESSION("7") " END"},
    {"reads", BIGINT, "0"},
    {"writes", BIGINT, "0"},
    {"logical_reads", BIGINT, "0"},
    {"is_user_process", BIT, "1"},
    {"text_size", INT, "2147483647"},
    {"language", NAME, "'us_english'"},
    {"date_format", TEXT(3), "'mdy'"},
    {"date_first", SMALLINT, "7"},
    {"quoted_identifier", BIT, "1"},
    {"arithabort", BIT, "1"},
    {"ansi_null_dflt_on", BIT, "1"},
    {"ansi_defaults", BIT, "0"},
    {"ansi_warnings", BIT, "1"},
    {"ansi_padding", BIT, "1"},
    {"ansi_nulls", BIT, "1"},
    {"concat_null_yields_null", BIT, "1"},
    {"transaction_isolation_level", SMALLINT, SESSION("8")},
    {"lock_timeout", INT, "-1"},
    {"deadlock_priority", INT, "0"},
    {"row_count", BIGINT, "0"},
    {"prev_error", INT, "0"},
    {"group_id", INT, "2"},
    {"database_id", SMALLINT, SESSION("9")},
    {"authenticating_database_id", INT, "1"},
    {"open_transaction_count", INT, SESSION("10")},
};

static const struct view_column connections[] = {
    {"session_id", INT, "n.spid"},
    {"most_recent_session_id", INT, "n.spid"},
    {"connect_time", DATETIME, SESSION("0")},
    {"net_transport", TEXT(40), "'TCP'"},
    {"protocol_type", TEXT(40), "'TSQL'"},
    {"protocol_version", INT, SESSION("3")},
    {"encrypt_option", TEXT(40), "CASE " SESSION("11") " WHEN 1 THEN 'TRUE' ELSE 'FALSE' END"},
    {"auth_scheme", TEXT(40), "'SQL'"},
    {"net_packet_size", INT, SESSION("12")},
    {"client_net_address", VARCHAR(48), SESSION("13")},
    {"local_net_address", VARCHAR(48), "NULL"},
    {"local_tcp_port", INT, "NULL"},
    {"connection_id", GUID, "NULL"},
};

static const struct view_column requests[] = {
    {"session_id", SMALLINT, "n.spid"},
    {"request_id", INT, "0"},
    {"start_time", DATETIME, SESSION("7")},
    {"status", TEXT(30), "'running'"},
    {"command", TEXT(32), "'BATCH'"},
    {"database_id", SMALLINT, SESSION("9")},
    {"user_id", INT, "1"},
    {"blocking_session_id", SMALLINT, "0"},
    {"wait_type", TEXT(60), "NULL"},
    {"transaction_isolation_level", SMALLINT, SESSION("8")},
    {"open_transaction_count", INT, SESSION("10")},
};

/* The old name of both. */
static const struct view_column processes[] = {
    {"spid", SMALLINT, "n.spid"},
    {"blocked", SMALLINT, "0"},
    {"dbid", SMALLINT, SESSION("9")},
    {"login_time", DATETIME, SESSION("0")},
    {"last_batch", DATETIME, SESSION("7")},
    {"open_tran", SMALLINT, SESSION("10")},
    {"status", TEXT(30), "CASE " SESSION("6") " WHEN 1 THEN 'running' ELSE 'sleeping' END"},
    {"hostname", NAME, SESSION("1")},
    {"program_name", NAME, SESSION("2")},
    {"cmd", TEXT(26), "CASE " SESSION("6") " WHEN 1 THEN 'BATCH' ELSE 'AWAITING COMMAND' END"},
    {"loginame", NAME, SESSION("5")},
};

/* ---- principals ---- */

static const struct view_column server_principals[] = {
    {"name", NAME, "p.name"},
    {"principal_id", INT, "p.id"},
    {"sid", BINARY(85), "CASE p.id WHEN 1 THEN x'01' END"},
    {"type", CHAR(1), "p.type"},
    {"type_desc", TEXT(60), "CASE p.type WHEN 'S' THEN 'SQL_LOGIN' ELSE 'SERVER_ROLE' END"},
    {"is_disabled", BIT, "0"},
    {"default_database_name", NAME, "'master'"},
    {"default_language_name", NAME, "'us_english'"},
    {"is_fixed_role", BIT, "p.type = 'R'"},
};

static const struct view_column database_principals[] = {
    {"name", NAME, "p.name"},
    {"principal_id", INT, "p.id"},
    {"type", CHAR(1), "p.type"},
    {"type_desc", TEXT(60), "CASE p.type WHEN 'S' THEN 'SQL_USER' ELSE 'DATABASE_ROLE' END"},
    {"default_schema_name", NAME, "CASE p.type WHEN 'S' THEN 'dbo' END"},
    {"create_date", DATETIME, "'2003-04-08 09:10:42.2870000'"},
    {"modify_date", DATETIME, "'2003-04-08 09:10:42.2870000'"},
    {"owning_principal_id", INT, "CASE p.type WHEN 'R' THEN 1 END"},
    {"sid", BINARY(85), "CASE p.id WHEN 1 THEN x'01' END"},
    {"is_fixed_role", BIT, "p.id > 4"},
    {"authentication_type", INT, "CASE p.id WHEN 1 THEN 1 ELSE 0 END"},
    {"authentication_type_desc", TEXT(60), "CASE p.id WHEN 1 THEN 'INSTANCE' ELSE 'NONE' END"},
};

static const struct view_column role_members[] = {
    {"role_principal_id", INT, "r.role"},
    {"member_principal_id", INT, "r.member"},
};

static const struct view_column sysusers[] = {
    {"uid", SMALLINT, "p.id"},
    {"status", SMALLINT, "0"},
    {"name", NAME, "p.name"},
    {"issqluser", INT, "p.type = 'S'"},
    {"issqlrole", INT, "p.type = 'R'"},
    {"hasdbaccess", INT, "p.id = 1"},
};

/* ---- the server ---- */

static const struct view_column configurations[] = {
    {"configuration_id", INT, "c.id"},
    {"name", TEXT(35), "c.name"},
    {"value", INT, "c.value"},
    {"minimum", INT, "c.least"},
    {"maximum", INT, "c.most"},
    {"value_in_use", INT, "c.value"},
    {"description", TEXT(255), "c.name"},
    {"is_dynamic", BIT, "0"},
    {"is_advanced", BIT, "1"},
};

static const struct view_column servers[] = {
    {"server_id", INT, "0"},
    {"name", NAME, "'shardgate'"},
    {"product", NAME, "'SQL Server'"},
    {"provider", NAME, "'SQLNCLI'"},
    {"data_source", TEXT(4000), "'shardgate'"},
    {"is_linked", BIT, "0"},
};

static const struct view_column languages[] = {
    {"langid", SMALLINT, "0"},          {"dateformat", TEXT(3), "'mdy'"}, {"datefirst", TINYINT, "7"},
    {"name", NAME, "'us_english'"},     {"alias", NAME, "'English'"},     {"lcid", INT, "1033"},
};

static const struct view_column filegroups[] = {
    {"name", NAME, "'PRIMARY'"},        {"data_space_id", INT, "1"},        {"type", CHAR(2), "'FG'"},
    {"type_desc", TEXT(60), "'ROWS_FILEGROUP'"}, {"is_default", BIT, "1"},  {"is_system", BIT, "0"},
    {"is_read_only", BIT, "0"},
};

static const struct view_column database_files[] = {
    {"file_id", INT, "1"},              {"type", TINYINT, "0"},             {"type_desc", TEXT(60), "'ROWS'"},
    {"data_space_id", INT, "1"},        {"name", NAME, DATABASE_NAME},      {"state", TINYINT, "0"},
    {"state_desc", TEXT(60), "'ONLINE'"}, {"is_read_only", BIT, "0"},
};

static const struct view_column no_locks[] = {
    {"resource_type", TEXT(60), "NULL"}, {"resource_database_id", INT, "NULL"}, {"resource_associated_entity_id", BIGINT, "NULL"},
    {"request_mode", TEXT(60), "NULL"},  {"request_status", TEXT(60), "NULL"},  {"request_session_id", INT, "NULL"},
};
static const struct view_column no_permissions[] = {
    {"class", TINYINT, "NULL"}, {"major_id", INT, "NULL"}, {"grantee_principal_id", INT, "NULL"}, {"permission_name", NAME, "NULL"},
    {"state", CHAR(1), "NULL"}, {"state_desc", TEXT(60), "NULL"},
};

/* ---- */

#define SESSIONS                                                                                                               \
    "(WITH RECURSIVE n(spid) AS (SELECT sg_next_session(0) UNION ALL SELECT sg_next_session(spid) FROM n WHERE spid IS NOT NULL) " \
    "SELECT spid FROM n WHERE spid IS NOT NULL) n"
#define LOGINS "(SELECT 1 AS id, sg_login() AS name, 'S' AS type UNION ALL SELECT 2, 'public', 'R' UNION ALL SELECT 3, 'sysadmin', 'R') p"
#define USERS                                                                                                                  \
    "(SELECT 0 AS id, 'public' AS name, 'R' AS type UNION ALL SELECT 1, 'dbo', 'S' UNION ALL SELECT 16384, 'db_owner', 'R') p"
#define CONFIGURATIONS                                                                                                         \
    "(SELECT 103 AS id, 'user connections' AS name, 0 AS value, 0 AS least, 32767 AS most UNION ALL "                          \
    "SELECT 115, 'nested triggers', 0, 0, 1 UNION ALL SELECT 518, 'show advanced options', 0, 0, 1 UNION ALL "                 \
    "SELECT 1562, 'clr enabled', 0, 0, 1 UNION ALL SELECT 16390, 'xp_cmdshell', 0, 0, 1) c"

static const struct view views[] = {
    VIEW("sys", "databases", sys_databases, "@sg_database", true),
    VIEW("sys", "dm_exec_sessions", sessions, SESSIONS, false),
    VIEW("sys", "dm_exec_connections", connections, SESSIONS, false),
    VIEW("sys", "dm_exec_requests", requests, SESSIONS " WHERE " SESSION("6") " = 1", false),
    VIEW("sys", "sysprocesses", processes, SESSIONS, false),
    VIEW("sys", "server_principals", server_principals, LOGINS, false),
    VIEW("sys", "sql_logins", server_principals, LOGINS " WHERE p.type = 'S'", false),
    VIEW("sys", "database_principals", database_principals, USERS, false),
    VIEW("sys", "sysusers", sysusers, USERS, false),
    VIEW("sys", "server_role_members", role_members, "(SELECT 3 AS role, 1 AS member) r", false),
    VIEW("sys", "database_role_members", role_members, "(SELECT 16384 AS role, 1 AS member) r", false),
    VIEW("sys", "database_permissions", no_permissions, NOTHING, false),
    VIEW("sys", "server_permissions", no_permissions, NOTHING, false),
    VIEW("sys", "configurations", configurations, CONFIGURATIONS, false),
    VIEW("sys", "servers", servers, "(SELECT 1)", false),
    VIEW("sys", "syslanguages", languages, "(SELECT 1)", false),
    VIEW("sys", "filegroups", filegroups, "(SELECT 1)", false),
    VIEW("sys", "data_spaces", filegroups, "(SELECT 1)", false),
    VIEW("sys", "database_files", database_files, "(SELECT 1)", true),
    VIEW("sys", "dm_tran_locks", no_locks, NOTHING, false),
};

const struct view_list views_server = {views, sizeof views / sizeof views[0]};
