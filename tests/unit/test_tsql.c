/* The parser of T-SQL. What is accepted is shown as the tree prints itself; what is refused, by number and text. */
#include "tds-server/language/tsql_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OUTPUT_MAX ((size_t)16 << 20)

struct parsed {
    struct arena arena;
    struct tsql_batch *batch;
    struct tsql_error error;
    struct buf text; /* the tree, printed */
    int status;
};

static void parse_bytes(struct parsed *r, const char *sql, size_t len, bool quoted_identifier)
{
    arena_init(&r->arena, TSQL_MAX_MEMORY);
    buf_init(&r->text, OUTPUT_MAX);
    r->status = tsql_parse(&r->arena, sql, len, quoted_identifier, &r->batch, &r->error);
    if (r->status == 0) {
        tsql_print(r->batch, &r->text);
        assert_int_equal(buf_status(&r->text), 0);
    }
}

static void release(struct parsed *r)
{
    arena_clear(&r->arena);
    buf_clear(&r->text);
}

static void check_prints(const char *sql, bool quoted_identifier, const char *printed)
{
    struct parsed first, again;
    parse_bytes(&first, sql, strlen(sql), quoted_identifier);
    if (first.status != 0)
        fail_msg("%s: %d %s", sql, first.error.number, first.error.text);
    /* One statement's closing ";\n" is left out of the tables. */
    struct buf expected;
    buf_init(&expected, OUTPUT_MAX);
    buf_append_text(&expected, printed);
    buf_append_text(&expected, printed[0] != '\0' ? ";\n" : "");
    assert_string_equal(buf_text(&first.text), buf_text(&expected));
    parse_bytes(&again, buf_text(&first.text), first.text.len, true);
    if (again.status != 0)
        fail_msg("%s: printed as %s: %d %s", sql, buf_text(&first.text), again.error.number, again.error.text);
    assert_string_equal(buf_text(&again.text), buf_text(&first.text));
    buf_clear(&expected);
    release(&first);
    release(&again);
}

struct row {
    const char *sql;
    const char *printed;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_prints(rows[i].sql, true, rows[i].printed);
}

#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof((rows)[0]))

/* ── Expressions: each row is what stands behind SELECT ── */

static void check_expressions(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf sql, printed;
        buf_init(&sql, OUTPUT_MAX);
        buf_init(&printed, OUTPUT_MAX);
        buf_printf(&sql, "SELECT %s", rows[i].sql);
        buf_printf(&printed, "SELECT %s", rows[i].printed);
        check_prints(buf_text(&sql), true, buf_text(&printed));
        buf_clear(&sql);
        buf_clear(&printed);
    }
}

static void operators_bind_as_in_sql_server(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 + 2 * 3", "1 + 2 * 3"},
        {"(1 + 2) * 3", "(1 + 2) * 3"},
        {"1 - 2 - 3", "1 - 2 - 3"},
        {"1 - (2 - 3)", "1 - (2 - 3)"},
        {"a & b + c | d ^ e", "[a] & [b] + [c] | [d] ^ [e]"},
        {"~a * b", "~[a] * [b]"},
        {"-a * b", "-([a] * [b])"},
        {"-100.0 / -100.0 * 10.0", "-(100.0 / (-(100.0 * 10.0)))"},
        {"- -1", "-(-1)"},
        {"a % b / c", "[a] % [b] / [c]"},
        {"'a' + N'b' COLLATE Latin1_General_BIN2", "'a' + N'b' COLLATE [Latin1_General_BIN2]"},
        {"(a + b) COLLATE x", "([a] + [b]) COLLATE [x]"},
    };
    check_expressions(rows, sizeof(rows) / sizeof(rows[0]));
}

static void literals_keep_their_text(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1, -1, 0", "1, -1, 0"},
        {"1.5, .5, 5.", "1.5, .5, 5."},
        {"1e3, 1.5E-3, 1e", "1e3, 1.5E-3, 1e0"},
        {"$1.50, $-2, -$3, $", "$1.50, $-2, -$3, $0"},
        {"'it''s', N'ünïcode', ''", "'it''s', N'ünïcode', ''"},
        {"0x, 0xA, 0x00ff", "0x, 0x0a, 0x00ff"},
        {"null, NULL", "NULL, NULL"},
        {"@p1, @@rowcount, @@SPID", "@p1, @@rowcount, @@SPID"},
        {"'a--b', '/* c */'", "'a--b', '/* c */'"},
    };
    check_expressions(rows, sizeof(rows) / sizeof(rows[0]));
}

static void functions_and_cases_are_read(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"COUNT(*), count(DISTINCT a), SUM(ALL b)", "[COUNT](*), [count](DISTINCT [a]), [SUM]([b])"},
        {"LEFT(a, 2), right(a,3), COALESCE(a, b), NULLIF(a, b)", "[LEFT]([a], 2), [right]([a], 3), [COALESCE]([a], [b]), [NULLIF]([a], [b])"},
        {"GETDATE(), CURRENT_TIMESTAMP, SYSTEM_USER", "[GETDATE](), CURRENT_TIMESTAMP, SYSTEM_USER"},
        {"dbo.f(1)", "[dbo].[f](1)"},
        {"DATEADD(dd, 1, x), DATEDIFF(yy, a, b), datepart(isowk, x)",
         "[DATEADD](day, 1, [x]), [DATEDIFF](year, [a], [b]), [datepart](iso_week, [x])"},
        {"CASE WHEN a = 1 THEN 2 ELSE 3 END", "CASE WHEN [a] = 1 THEN 2 ELSE 3 END"},
        {"CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' END", "CASE [a] WHEN 1 THEN 'x' WHEN 2 THEN 'y' END"},
        {"IIF(a > b, 1, 2)", "CASE WHEN [a] > [b] THEN 1 ELSE 2 END"},
        {"CAST(a AS varchar), TRY_CAST(a AS decimal(10,2))", "CAST([a] AS VARCHAR(30)), TRY_CAST([a] AS DECIMAL(10,2))"},
        {"CONVERT(nvarchar(max), a), TRY_CONVERT(date, a, 112)", "CAST([a] AS NVARCHAR(MAX)), TRY_CONVERT(DATE, [a], 112)"},
        {"TRIM(a), TRIM('x' FROM a)", "[TRIM]([a]), [TRIM]('x' FROM [a])"},
        {"{fn now()}, {d '2026-11-22'}, {ts '2026-11-22 10:00:00'}, {t '10:00:00'}",
         "[now](), CAST('2026-11-22' AS DATETIME), CAST('2026-11-22 10:00:00' AS DATETIME), CAST('10:00:00' AS TIME(7))"},
        {"ROW_NUMBER() OVER (ORDER BY a DESC)", "[ROW_NUMBER]() OVER (ORDER BY [a] DESC )"},
        {"SUM(a) OVER (PARTITION BY b, c ORDER BY d ROWS 2 PRECEDING)",
         "[SUM]([a]) OVER (PARTITION BY [b], [c] ORDER BY [d] ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"},
        {"STRING_AGG(a, ',') WITHIN GROUP (ORDER BY a)", "[STRING_AGG]([a], ',') WITHIN GROUP (ORDER BY [a])"},
        {"(SELECT 1), ((2))", "(SELECT 1), 2"},
    };
    check_expressions(rows, sizeof(rows) / sizeof(rows[0]));
}

static void conditions_are_read(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 WHERE a = 1 AND b = 2 OR NOT c = 3", "1 WHERE [a] = 1 AND [b] = 2 OR NOT [c] = 3"},
        {"1 WHERE a = 1 AND (b = 2 OR c = 3)", "1 WHERE [a] = 1 AND ([b] = 2 OR [c] = 3)"},
        {"1 WHERE (a) = (1) AND ((b)) > 2", "1 WHERE [a] = 1 AND [b] > 2"},
        {"1 WHERE a !< 1 AND a !> 2 AND a != 3", "1 WHERE [a] >= 1 AND [a] <= 2 AND [a] <> 3"},
        {"1 WHERE a BETWEEN 1 AND 2 AND b NOT BETWEEN 3 AND 4", "1 WHERE [a] BETWEEN 1 AND 2 AND [b] NOT BETWEEN 3 AND 4"},
        {"1 WHERE a IN (1, 2) OR a NOT IN (SELECT b FROM t)", "1 WHERE [a] IN (1, 2) OR [a] NOT IN (SELECT [b] FROM [t])"},
        {"1 WHERE a LIKE 'x%' OR a NOT LIKE 'y!%' ESCAPE '!'", "1 WHERE [a] LIKE 'x%' OR [a] NOT LIKE 'y!%' ESCAPE '!'"},
        {"1 WHERE a IS NULL AND b IS NOT NULL", "1 WHERE [a] IS NULL AND [b] IS NOT NULL"},
        {"1 WHERE EXISTS (SELECT * FROM t) AND NOT EXISTS (SELECT 1)", "1 WHERE EXISTS (SELECT * FROM [t]) AND NOT EXISTS (SELECT 1)"},
        {"1 WHERE a > ALL (SELECT 1) OR a = SOME (SELECT 2)", "1 WHERE [a] > ALL (SELECT 1) OR [a] = ANY (SELECT 2)"},
        {"1 WHERE NOT (a = 1 OR b = 2)", "1 WHERE NOT ([a] = 1 OR [b] = 2)"},
        {"1 WHERE (((a + 1))) = 2", "1 WHERE [a] + 1 = 2"},
    };
    check_expressions(rows, sizeof(rows) / sizeof(rows[0]));
}

/* ── Statements ── */

static void queries_are_read(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"select a, t.*, b AS c, d e, f 'g', h = 1, 'i' = 2 from t",
         "SELECT [a], [t].*, [b] AS [c], [d] AS [e], [f] AS [g], 1 AS [h], 2 AS [i] FROM [t]"},
        {"SELECT DISTINCT TOP (5) PERCENT WITH TIES * FROM [a].[b].c ORDER BY 1 DESC, x ASC",
         "SELECT DISTINCT TOP (5) PERCENT WITH TIES * FROM [a].[b].[c] ORDER BY 1 DESC, [x]"},
        {"SELECT TOP 10 * FROM db..t", "SELECT TOP (10) * FROM [db]..[t]"},
        {"SELECT dbo.t.*, d.dbo.t.c FROM t", "SELECT [dbo].[t].*, [d].[dbo].[t].[c] FROM [t]"},
        {"SELECT @n = COUNT(*) FROM t", "SELECT @n = [COUNT](*) FROM [t]"},
        {"SELECT * FROM a JOIN b ON a.x = b.x LEFT OUTER JOIN c ON b.y = c.y",
         "SELECT * FROM [a] JOIN [b] ON [a].[x] = [b].[x] LEFT JOIN [c] ON [b].[y] = [c].[y]"},
        {"SELECT * FROM a JOIN b JOIN c ON 1 = 1 ON 2 = 2", "SELECT * FROM [a] JOIN ([b] JOIN [c] ON 1 = 1) ON 2 = 2"},
        {"SELECT * FROM a INNER HASH JOIN b ON 1=1 CROSS JOIN c, d", "SELECT * FROM [a] JOIN [b] ON 1 = 1 CROSS JOIN [c], [d]"},
        {"SELECT * FROM a WITH (NOLOCK), b (NOLOCK) x, c AS y WITH (INDEX(i), ROWLOCK)", "SELECT * FROM [a], [b] AS [x], [c] AS [y]"},
        {"SELECT * FROM (SELECT 1 AS a) AS q (b), (VALUES (1, 2), (3, 4)) v (c, d)",
         "SELECT * FROM (SELECT 1 AS [a]) AS [q] ([b]), (VALUES (1, 2), (3, 4)) AS [v] ([c], [d])"},
        {"SELECT a, COUNT(*) FROM t WHERE b = 1 GROUP BY a HAVING COUNT(*) > 1",
         "SELECT [a], [COUNT](*) FROM [t] WHERE [b] = 1 GROUP BY [a] HAVING [COUNT](*) > 1"},
        {"SELECT a FROM t ORDER BY a OFFSET 5 ROWS FETCH FIRST 1 ROW ONLY OPTION (RECOMPILE, MAXDOP 1)",
         "SELECT [a] FROM [t] ORDER BY [a] OFFSET 5 ROWS FETCH NEXT 1 ROWS ONLY"},
        {"SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3 INTERSECT SELECT 4", "SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3 INTERSECT SELECT 4"},
        {"(SELECT 1 UNION SELECT 2) INTERSECT (SELECT 3)", "(SELECT 1 UNION SELECT 2) INTERSECT SELECT 3"},
        {"WITH x (a) AS (SELECT 1), y AS (SELECT 2 AS b) SELECT * FROM x, y",
         "WITH [x] ([a]) AS (SELECT 1), [y] AS (SELECT 2 AS [b]) SELECT * FROM [x], [y]"},
        {"SELECT * INTO #t FROM a", "SELECT * INTO [tempdb]..[#t] FROM [a]"},
        {"SELECT [a]]b], \"c\"\"d\", größe, _x, a1$#@ FROM [select]", "SELECT [a]]b], [c\"d], [größe], [_x], [a1$#@] FROM [select]"},
        {"SELECT value, name, type, date FROM t", "SELECT [value], [name], [type], [date] FROM [t]"},
    };
    CHECK_ROWS(rows);
}

static void changes_of_rows_are_read(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"INSERT INTO [SchoolDBPY].[dbo].[Students] ([student_id], [name]) VALUES (@p1, @p2)",
         "INSERT INTO [SchoolDBPY].[dbo].[Students] ([student_id], [name]) VALUES (@p1, @p2)"},
        {"insert t values (1, default), (2, null)", "INSERT INTO [t] VALUES (1, DEFAULT), (2, NULL)"},
        {"INSERT t (a) OUTPUT inserted.id, inserted.* INTO log (x, y) SELECT 1", "INSERT INTO [t] ([a]) OUTPUT [inserted].[id], [inserted].* INTO [log] ([x], [y]) SELECT 1"},
        {"INSERT INTO t WITH (TABLOCK) DEFAULT VALUES", "INSERT INTO [t] DEFAULT VALUES"},
        {"INSERT t (SELECT 1)", "INSERT INTO [t] SELECT 1"},
        {"UPDATE t SET a = 1, b += 2, c = DEFAULT, @v = d = 3, @w = 4 WHERE e = 5",
         "UPDATE [t] SET [a] = 1, [b] += 2, [c] = DEFAULT, @v = [d] = 3, @w = 4 WHERE [e] = 5"},
        {"UPDATE TOP (2) x SET x.a = y.b OUTPUT deleted.a FROM t AS x JOIN y ON x.i = y.i",
         "UPDATE TOP (2) [x] SET [x].[a] = [y].[b] OUTPUT [deleted].[a] FROM [t] AS [x] JOIN [y] ON [x].[i] = [y].[i]"},
        {"DELETE t", "DELETE FROM [t]"},
        {"DELETE TOP (1) FROM t OUTPUT deleted.* WHERE a = 1 OPTION (MAXDOP 1)", "DELETE TOP (1) FROM [t] OUTPUT [deleted].* WHERE [a] = 1"},
        {"DELETE x FROM t x, u WHERE x.a = u.a", "DELETE FROM [x] FROM [t] AS [x], [u] WHERE [x].[a] = [u].[a]"},
        {"WITH c AS (SELECT 1 AS a) DELETE FROM c", "WITH [c] AS (SELECT 1 AS [a]) DELETE FROM [c]"},
        {"TRUNCATE TABLE dbo.t", "TRUNCATE TABLE [dbo].[t]"},
    };
    CHECK_ROWS(rows);
}

static void changes_of_the_schema_are_read(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"CREATE DATABASE [SchoolDBGO] COLLATE Latin1_General_BIN2", "CREATE DATABASE [SchoolDBGO] COLLATE [Latin1_General_BIN2]"},
        {"DROP DATABASE IF EXISTS a, b", "DROP DATABASE IF EXISTS [a], [b]"},
        {"CREATE TABLE t (a int NOT NULL PRIMARY KEY, b nvarchar(50) COLLATE Latin1_General_BIN2 NULL UNIQUE, c decimal(10,2) DEFAULT 1.5)",
         "CREATE TABLE [t] ([a] INT NOT NULL PRIMARY KEY, [b] NVARCHAR(50) COLLATE [Latin1_General_BIN2] NULL UNIQUE, [c] DECIMAL(10,2) DEFAULT 1.5)"},
        {"create table [dbo].[t]([id] [int] IDENTITY(1,2) NOT NULL, [n] [nvarchar](max) NULL, CONSTRAINT [pk] PRIMARY KEY CLUSTERED ([id] ASC, [n] DESC) "
         "WITH (PAD_INDEX = OFF, IGNORE_DUP_KEY = OFF) ON [PRIMARY]) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]",
         "CREATE TABLE [dbo].[t] ([id] INT NOT NULL IDENTITY(1, 2), [n] NVARCHAR(MAX) NULL, CONSTRAINT [pk] PRIMARY KEY CLUSTERED ([id], [n] DESC))"},
        {"CREATE TABLE t (a int CONSTRAINT d DEFAULT (0) CHECK (a > 0) REFERENCES u (b) ON DELETE CASCADE, UNIQUE NONCLUSTERED (a), CHECK (a < 9), "
         "FOREIGN KEY (a) REFERENCES u ON UPDATE SET NULL)",
         "CREATE TABLE [t] ([a] INT CONSTRAINT [d] DEFAULT 0 CHECK ([a] > 0) REFERENCES [u] ([b]) ON DELETE CASCADE ON UPDATE NO ACTION, "
         "UNIQUE NONCLUSTERED ([a]), CHECK ([a] < 9), FOREIGN KEY ([a]) REFERENCES [u] ON DELETE NO ACTION ON UPDATE SET NULL)"},
        {"ALTER TABLE t ADD a int NULL, CONSTRAINT c UNIQUE (a)", "ALTER TABLE [t] ADD [a] INT NULL, CONSTRAINT [c] UNIQUE ([a])"},
        {"ALTER TABLE t WITH CHECK ADD CONSTRAINT d DEFAULT 1 FOR a", "ALTER TABLE [t] ADD CONSTRAINT [d] DEFAULT 1 FOR [a]"},
        {"ALTER TABLE t DROP COLUMN IF EXISTS a, b", "ALTER TABLE [t] DROP COLUMN IF EXISTS [a], [b]"},
        {"ALTER TABLE t DROP CONSTRAINT c, COLUMN d", "ALTER TABLE [t] DROP COLUMN [d], CONSTRAINT [c]"},
        {"ALTER TABLE t ALTER COLUMN a bigint NOT NULL", "ALTER TABLE [t] ALTER COLUMN [a] BIGINT NOT NULL"},
        {"DROP TABLE IF EXISTS a, b.c", "DROP TABLE IF EXISTS [a], [b].[c]"},
        {"CREATE UNIQUE NONCLUSTERED INDEX i ON t (a DESC, b) INCLUDE (c) WHERE a IS NOT NULL WITH (ONLINE = ON)",
         "CREATE UNIQUE INDEX [i] ON [t] ([a] DESC, [b]) INCLUDE ([c]) WHERE [a] IS NOT NULL"},
        {"DROP INDEX i ON t, u.j", "DROP INDEX [i] ON [t], [j] ON [u]"},
        {"CREATE TABLE #x (a int,)", "CREATE TABLE [tempdb]..[#x] ([a] INT)"},
    };
    CHECK_ROWS(rows);
}

static void types_and_their_synonyms_are_read(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"integer", "INT"},
        {"dec(5)", "DECIMAL(5,0)"},
        {"numeric", "NUMERIC(18,0)"},
        {"character varying(10)", "VARCHAR(10)"},
        {"character(10)", "CHAR(10)"},
        {"char", "CHAR(1)"},
        {"national character varying(10)", "NVARCHAR(10)"},
        {"national char(3)", "NCHAR(3)"},
        {"national text", "NVARCHAR(MAX)"},
        {"binary varying(4)", "VARBINARY(4)"},
        {"double precision", "FLOAT"},
        {"float(24)", "REAL"},
        {"float(53)", "FLOAT"},
        {"smallmoney", "SMALLMONEY"},
        {"smalldatetime", "SMALLDATETIME"},
        {"ntext", "NVARCHAR(MAX)"},
        {"image", "VARBINARY(MAX)"},
        {"text", "TEXT"},
        {"sysname", "NVARCHAR(128) NOT NULL"},
        {"sysname NULL", "NVARCHAR(128) NULL"},
        {"sys.int", "INT"},
        {"[datetime2](3)", "DATETIME2(3)"},
        {"time", "TIME(7)"},
        {"datetimeoffset(0)", "DATETIMEOFFSET(0)"},
        {"uniqueidentifier", "UNIQUEIDENTIFIER"},
        {"varbinary(max)", "VARBINARY(MAX)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf sql, printed;
        buf_init(&sql, OUTPUT_MAX);
        buf_init(&printed, OUTPUT_MAX);
        buf_printf(&sql, "CREATE TABLE t (a %s)", rows[i].sql);
        buf_printf(&printed, "CREATE TABLE [t] ([a] %s)", rows[i].printed);
        check_prints(buf_text(&sql), true, buf_text(&printed));
        buf_clear(&sql);
        buf_clear(&printed);
    }
}

static void sessions_are_steered(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {" ; -- nothing\n /* /* nested */ */ ;", ""},
        {"USE [SchoolDBGO]", "USE [SchoolDBGO]"},
        {"BEGIN TRAN", "BEGIN TRAN"},
        {"BEGIN TRANSACTION x; COMMIT TRAN x; COMMIT WORK; COMMIT", "BEGIN TRAN [x];\nCOMMIT TRAN [x];\nCOMMIT TRAN;\nCOMMIT TRAN"},
        {"SAVE TRAN s ROLLBACK TRAN s ROLLBACK", "SAVE TRAN [s];\nROLLBACK TRAN [s];\nROLLBACK TRAN"},
        {"SET ANSI_NULLS, QUOTED_IDENTIFIER ON", "SET [ANSI_NULLS], [QUOTED_IDENTIFIER] ON"},
        {"set nocount on set textsize 2147483647 set rowcount 0 set lock_timeout -1",
         "SET [NOCOUNT] ON;\nSET TEXTSIZE 2147483647;\nSET ROWCOUNT 0;\nSET [LOCK_TIMEOUT] -1"},
        {"SET LANGUAGE us_english SET DATEFORMAT mdy SET DATEFIRST 7", "SET [LANGUAGE] 'us_english';\nSET [DATEFORMAT] 'mdy';\nSET [DATEFIRST] 7"},
        {"SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"},
        {"SET IDENTITY_INSERT dbo.t ON", "SET IDENTITY_INSERT [dbo].[t] ON"},
        {"SET STATISTICS IO OFF", "SET STATISTICS IO OFF"},
        {"SELECT @@MAX_PRECISION SET TRANSACTION ISOLATION LEVEL READ COMMITTED SET IMPLICIT_TRANSACTIONS OFF SET QUOTED_IDENTIFIER ON SET TEXTSIZE 1",
         "SELECT @@MAX_PRECISION;\nSET TRANSACTION ISOLATION LEVEL READ COMMITTED;\nSET [IMPLICIT_TRANSACTIONS] OFF;\nSET [QUOTED_IDENTIFIER] ON;\nSET TEXTSIZE 1"},
        {"PRINT 'a' + 'b'", "PRINT 'a' + 'b'"},
        {"IF @@TRANCOUNT > 0 COMMIT TRAN", "IF @@TRANCOUNT > 0 COMMIT TRAN"},
        {"IF NOT EXISTS (SELECT 1) CREATE DATABASE x; ELSE BEGIN SELECT 1; SELECT 2 END",
         "IF NOT EXISTS (SELECT 1) CREATE DATABASE [x] ELSE BEGIN SELECT 1;\nSELECT 2;\nEND"},
        {"EXEC sp_executesql N'SELECT @a', N'@a int', @a = 5", "EXEC [sp_executesql] N'SELECT @a', N'@a int', @a = 5"},
        {"DECLARE @a AS int, @b nvarchar(max) = N'x' + 'y'", "DECLARE @a INT, @b NVARCHAR(MAX) = N'x' + 'y'"},
        {"sp_help 'dbo.t'", "EXEC [sp_help] 'dbo.t'"},
        {"EXECUTE @r = db..p -1, x, DEFAULT, @o OUTPUT", "EXEC @r = [db]..[p] -1, 'x', DEFAULT, @o OUTPUT"},
        {"select 1;", "SELECT 1"},
    };
    CHECK_ROWS(rows);
}

static void double_quotes_follow_quoted_identifier(void **state)
{
    (void)state;
    check_prints("SELECT \"a\"", true, "SELECT [a]");
    check_prints("SELECT \"a\"", false, "SELECT 'a'");
    check_prints("SET QUOTED_IDENTIFIER ON SELECT \"a\"", false, "SET [QUOTED_IDENTIFIER] ON;\nSELECT [a]");
    check_prints("SET QUOTED_IDENTIFIER OFF SELECT \"a\"", true, "SET [QUOTED_IDENTIFIER] OFF;\nSELECT 'a'");
}

/* ── Refusals ── */

static void refusals_have_sql_servers_number_and_text(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        int number;
        int line;
        const char *text; /* the message's start */
    } rows[] = {
        {"SELECT * FROM", 102, 1, "Incorrect syntax near 'FROM'."},
        {"SELECT * FROM t WHERE", 102, 1, "Incorrect syntax near 'WHERE'."},
        {"SELECT\n\n, 1", 102, 3, "Incorrect syntax near ','."},
        {"SELECT 1 FROM FROM", 156, 1, "Incorrect syntax near the keyword 'FROM'."},
        {"SELECT (a = 1)", 102, 1, "Incorrect syntax near '='."},
        {"SELECT 1 WHERE 1", 4145, 1, "An expression of non-boolean type specified in a context where a condition is expected, near '1'."},
        {"SELECT 1 WHERE a = 1 AND b", 4145, 1, "An expression of non-boolean type"},
        {"SELECT 1 WHERE (a = 1) + 2 = 3", 102, 1, "Incorrect syntax near '+'."},
        {"SELECT 1 WHERE a = b = c", 102, 1, "Incorrect syntax near '='."},
        {"SELECT 'abc", 105, 1, "Unclosed quotation mark after the character string 'abc'."},
        {"SELECT [abc", 105, 1, "Unclosed quotation mark after the character string 'abc'."},
        {"SELECT 1 /* x", 113, 1, "Missing end comment mark '*/'."},
        {"SELECT []", 1038, 1, "An object or column name is missing or empty."},
        {"SELECT 1 AS ''", 1038, 1, "An object or column name is missing or empty."},
        {"SELECT 1 FROM a.b.c.d.e", 117, 1, "The object name contains more than the maximum number of prefixes."},
        {"GO", 102, 1, "Incorrect syntax near 'GO'."},
        {"SELECT 1\nGO\nSELECT 2", 102, 2, "Incorrect syntax near 'GO'."},
        {"SELECT 1 foo bar", 102, 1, "Incorrect syntax near 'bar'."},
        {"SELECT 123456789012345678901234567890123456789", 1007, 1, "The number '123456789012345678901234567890123456789' is out of the range"},
        {"SELECT 1e999", 168, 1, "The floating point value '1e999' is out of the range"},
        {"SELECT $922337203685477.5808", 1007, 1, "The number '$922337203685477.5808' is out of the range"},
        {"SELECT DATEADD(eon, 1, x)", 155, 1, "'eon' is not a recognized DATEADD option."},
        {"SELECT CAST(1 AS foo)", 243, 1, "Type foo is not a defined system type."},
        {"CREATE TABLE t (a varchar(9000))", 131, 1, "The size (9000) given to the type 'VARCHAR'"},
        {"CREATE TABLE t (a nchar(4001))", 131, 1, "The size (4001) given to the type 'NCHAR'"},
        {"CREATE TABLE t (a varchar(0))", 1001, 1, "Line 1: Length or precision specification 0 is invalid."},
        {"CREATE TABLE t (a decimal(39))", 1007, 1, "The precision 39 is greater"},
        {"CREATE TABLE t (a decimal(5,6))", 192, 1, "The scale must be less than or equal to the precision."},
        {"CREATE TABLE t (a time(8))", 1002, 1, "Line 1: Specified scale 8 is invalid."},
        {"CREATE TABLE t (a int(4))", 2716, 1, "Column, parameter, or variable: Cannot specify a column width on data type INT."},
        {"CREATE TABLE t (a int NULL NOT NULL)", 8146, 1, "A repeated or contradicting clause"},
        {"CREATE TABLE t ()", 102, 1, "Incorrect syntax near ')'."},
        {"CREATE TABLE t (CHECK (1=1))", 102, 1, "Incorrect syntax near ')'."},
        {"SELECT * FROM (SELECT 1 AS a ORDER BY a) q", 1033, 1, "The ORDER BY clause is invalid"},
        {"SELECT * FROM (SELECT 1 AS a)", 102, 1, "Incorrect syntax near ')'."},
        {"SELECT 1 WITH x AS (SELECT 1) SELECT * FROM x", 319, 1, "Incorrect syntax near the keyword 'with'."},
        {"INSERT t VALUES (1, 2), (3)", 10709, 1, "The number of columns for each row"},
        {"SELECT 'x' ? 'y'", 102, 1, "Incorrect syntax near '?'."},
        {"SELECT 1 \x01 FROM \xE2\x80\x9Cx", 102, 1, "Incorrect syntax near '\xE2\x80\x9C'."},
        {"SELECT \xFF", 102, 1, "Incorrect syntax near ''."},
        {"SELECT $action", 102, 1, "Incorrect syntax near"},
        /* known, and not here */
        {"DECLARE @t TABLE (a int)", 40517, 1, "'table variable' is not supported by this server."},
        {"DECLARE c CURSOR FOR SELECT 1", 40510, 1, "Statement 'DECLARE CURSOR' is not supported by this server."},
        {"DECLARE @c CURSOR", 40510, 1, "Statement 'DECLARE CURSOR' is not supported by this server."},
        {"WHILE 1=1 SELECT 1", 40510, 1, "Statement 'WHILE' is not supported by this server."},
        {"BEGIN TRY SELECT 1 END TRY", 40510, 1, "Statement 'BEGIN TRY' is not supported by this server."},
        {"create procedure p as select 1", 40510, 1, "Statement 'CREATE PROCEDURE' is not supported by this server."},
        {"CREATE VIEW v AS SELECT 1", 40510, 1, "Statement 'CREATE VIEW' is not supported by this server."},
        {"ALTER DATABASE x SET ONLINE", 40510, 1, "Statement 'ALTER DATABASE' is not supported by this server."},
        {"DROP LOGIN x", 40510, 1, "Statement 'DROP LOGIN' is not supported by this server."},
        {"MERGE INTO t USING u", 40510, 1, "Statement 'MERGE' is not supported by this server."},
        {"BACKUP DATABASE x", 40510, 1, "Statement 'BACKUP' is not supported by this server."},
        {"SHUTDOWN", 40510, 1, "Statement 'SHUTDOWN' is not supported by this server."},
        {"GRANT SELECT ON t TO x", 40510, 1, "Statement 'GRANT' is not supported by this server."},
        {"WAITFOR DELAY '0:00:10'", 40510, 1, "Statement 'WAITFOR' is not supported by this server."},
        {"EXEC ('SELECT 1')", 40510, 1, "Statement 'EXECUTE of a character string' is not supported by this server."},
        {"INSERT BULK t (a int)", 40510, 1, "Statement 'INSERT BULK' is not supported by this server."},
        {"SELECT * FROM a CROSS APPLY b", 40517, 1, "'CROSS APPLY' is not supported by this server."},
        {"SELECT * FROM a OUTER APPLY b", 40517, 1, "'OUTER APPLY' is not supported by this server."},
        {"SELECT 1 FOR XML PATH", 40517, 1, "'FOR XML' is not supported by this server."},
        {"SELECT 1 FOR JSON AUTO", 40517, 1, "'FOR JSON' is not supported by this server."},
        {"SELECT * FROM OPENJSON('x')", 40517, 1, "'table-valued function' is not supported by this server."},
        {"SELECT a FROM t GROUP BY ROLLUP(a)", 40517, 1, "'ROLLUP' is not supported by this server."},
        {"CREATE TABLE t (a xml)", 40517, 1, "'XML' is not supported by this server."},
        {"CREATE TABLE t (a rowversion)", 40517, 1, "'ROWVERSION' is not supported by this server."},
        {"CREATE TABLE t (a AS 1)", 40517, 1, "'computed column' is not supported by this server."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed r;
        parse_bytes(&r, rows[i].sql, strlen(rows[i].sql), true);
        if (r.status == 0)
            fail_msg("%s: was accepted as %s", rows[i].sql, buf_text(&r.text));
        if (r.error.number != rows[i].number || r.error.line != rows[i].line ||
            strncmp(r.error.text, rows[i].text, strlen(rows[i].text)) != 0)
            fail_msg("%s: %d, line %d: %s", rows[i].sql, r.error.number, r.error.line, r.error.text);
        assert_int_equal(r.error.severity, 15);
        release(&r);
    }
}

/* "head", then `count` times "part", then "tail". */
static char *repeat(const char *head, const char *part, size_t count, const char *tail, size_t *len)
{
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    buf_append_text(&b, head);
    for (size_t i = 0; i < count; i++)
        buf_append_text(&b, part);
    buf_append_text(&b, tail);
    assert_int_equal(buf_status(&b), 0);
    return buf_take(&b, len);
}

static void limits_hold(void **state)
{
    (void)state;
    static const struct {
        const char *head, *part;
        size_t count;
        const char *tail;
        int number; /* 0: accepted */
    } rows[] = {
        {"SELECT ", "(", 100000, "1", 191},
        {"SELECT ", "- ", 100000, "1", 191},
        {"SELECT ", "~", 100000, "1", 191},
        {"SELECT 1", "+1", 100, "", 0},
        {"SELECT 1", "+1", 100000, "", 191},
        {"SELECT a", " COLLATE b", 100000, "", 191},
        {"SELECT 1 WHERE 1=1", " OR 1=1", 50000, "", 0},
        {"SELECT 1 WHERE 1=1", " AND 1=1", 50000, "", 0},
        {"SELECT 1 WHERE ", "NOT ", 100000, "1=1", 191},
        {"SELECT 1 WHERE a IN (1", ",1", 50000, ")", 0},
        {"SELECT ", "(SELECT ", 100000, "1", 191},
        {"SELECT ", "CASE WHEN 1=1 THEN ", 100000, "1", 191},
        {"SELECT ", "f(", 100000, "1", 191},
        {"SELECT 1", " UNION ALL SELECT 1", 499, "", 0},
        {"SELECT 1", " UNION ALL SELECT 1", 100000, "", 191},
        {"SELECT * FROM a", ", a", 255, "", 0},
        {"SELECT * FROM a", ", a", 256, "", 106},
        {"SELECT * FROM ", "(", 100000, "a", 191},
        {"SELECT * FROM a", " JOIN a", 100000, "", 191},
        {"", "IF 1=1 ", 100000, "SELECT 1", 191},
        {"", "BEGIN ", 100000, "SELECT 1", 191},
        {"INSERT t VALUES (1)", ",(1)", 999, "", 0},
        {"INSERT t VALUES (1)", ",(1)", 1000, "", 10738},
        {"", "SELECT 1;", 50000, "", 0},
        {"SELECT ", "a", 128, "", 0},
        {"SELECT ", "a", 129, "", 103},
        {"SELECT [", "ä", 129, "]", 103},
        {"SELECT '", "a", 1000000, "'", 0},
        {"SELECT /*", "/*", 1000000, "", 113},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed r;
        size_t len;
        char *sql = repeat(rows[i].head, rows[i].part, rows[i].count, rows[i].tail, &len);
        parse_bytes(&r, sql, len, true);
        if (r.status != 0 ? r.error.number != rows[i].number : rows[i].number != 0)
            fail_msg("%s %s… x %zu: %d", rows[i].head, rows[i].part, rows[i].count, r.status != 0 ? r.error.number : 0);
        release(&r);
        free(sql);
    }
}

static void memory_has_a_maximum(void **state)
{
    (void)state;
    size_t len;
    char *sql = repeat("SELECT 1", ",1", 10000, "", &len);
    struct arena arena;
    struct tsql_batch *batch;
    struct tsql_error e;
    arena_init(&arena, 100000);
    assert_int_equal(tsql_parse(&arena, sql, len, true, &batch, &e), -1);
    assert_int_equal(e.number, TSQL_ERROR_MEMORY);
    assert_int_equal(e.severity, 17);
    arena_clear(&arena);
    free(sql);
}

static void text_may_hold_nul(void **state)
{
    (void)state;
    static const char sql[] = "SELECT 'a\0b'";
    static const char outside[] = "SELECT 1\0, 2";
    static const char name[] = "SELECT [a\0b]";
    struct parsed r;
    parse_bytes(&r, sql, sizeof(sql) - 1, true);
    assert_int_equal(r.status, 0);
    const struct tsql_literal *l = &r.batch->statements->select->body->items->value->literal;
    assert_int_equal(l->text.len, 3);
    assert_memory_equal(l->text.data, "a\0b", 4);
    release(&r);
    parse_bytes(&r, outside, sizeof(outside) - 1, true);
    assert_int_equal(r.status, -1);
    release(&r);
    parse_bytes(&r, name, sizeof(name) - 1, true);
    assert_int_equal(r.status, -1);
    release(&r);
}

static void literals_have_sql_servers_types(void **state)
{
    (void)state;
    static const struct {
        const char *literal;
        struct sqltype type;
    } rows[] = {
        {"0", {SQLTYPE_INT, 0, 0, 0}},
        {"2147483647", {SQLTYPE_INT, 0, 0, 0}},
        {"0000000000000001", {SQLTYPE_INT, 0, 0, 0}},
        {"2147483648", {SQLTYPE_NUMERIC, 0, 10, 0}},
        {"1.50", {SQLTYPE_NUMERIC, 0, 3, 2}},
        {"0.5", {SQLTYPE_NUMERIC, 0, 1, 1}},
        {"0.0", {SQLTYPE_NUMERIC, 0, 1, 1}},
        {"5.", {SQLTYPE_NUMERIC, 0, 1, 0}},
        {"1e5", {SQLTYPE_FLOAT, 0, 0, 0}},
        {"$1", {SQLTYPE_MONEY, 0, 19, 4}},
        {"''", {SQLTYPE_VARCHAR, 1, 0, 0}},
        {"'abc'", {SQLTYPE_VARCHAR, 3, 0, 0}},
        {"N'a\xF0\x9F\x98\x80'", {SQLTYPE_NVARCHAR, 3, 0, 0}},
        {"0x0102", {SQLTYPE_VARBINARY, 2, 0, 0}},
        {"NULL", {SQLTYPE_INT, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed r;
        char sql[128];
        snprintf(sql, sizeof(sql), "SELECT %s", rows[i].literal);
        parse_bytes(&r, sql, strlen(sql), true);
        assert_int_equal(r.status, 0);
        const struct sqltype *t = &r.batch->statements->select->body->items->value->literal.type;
        if (t->kind != rows[i].type.kind || t->length != rows[i].type.length || t->precision != rows[i].type.precision ||
            t->scale != rows[i].type.scale)
            fail_msg("%s: kind %d length %d precision %d scale %d", rows[i].literal, (int)t->kind, t->length, t->precision, t->scale);
        release(&r);
    }
}

static void declarations_are_read(void **state)
{
    (void)state;
    static const char text[] = "@p1 int, @p2 AS nvarchar(4000) OUTPUT, @p3 decimal(10, 2) = -1.5 out";
    struct arena arena;
    struct tsql_declaration *d;
    struct tsql_error e;
    arena_init(&arena, TSQL_MAX_MEMORY);
    assert_int_equal(tsql_parse_declarations(&arena, text, strlen(text), &d, &e), 0);
    assert_string_equal(d->name.data, "@p1");
    assert_int_equal(d->type.type.kind, SQLTYPE_INT);
    assert_false(d->output);
    d = d->next;
    assert_string_equal(d->name.data, "@p2");
    assert_int_equal(d->type.type.kind, SQLTYPE_NVARCHAR);
    assert_int_equal(d->type.type.length, 4000);
    assert_true(d->output);
    d = d->next;
    assert_int_equal(d->type.type.precision, 10);
    assert_int_equal(d->value->kind, TSQL_UNARY);
    assert_true(d->output);
    assert_null(d->next);
    assert_int_equal(tsql_parse_declarations(&arena, " ", 1, &d, &e), 0);
    assert_null(d);
    assert_int_equal(tsql_parse_declarations(&arena, "@a int,", 7, &d, &e), -1);
    assert_int_equal(e.number, 102);
    assert_int_equal(tsql_parse_declarations(&arena, "a int", 5, &d, &e), -1);
    assert_int_equal(tsql_parse_declarations(&arena, "@a int; DROP TABLE t", 20, &d, &e), -1);
    arena_clear(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_bind_as_in_sql_server),
        cmocka_unit_test(literals_keep_their_text),
        cmocka_unit_test(functions_and_cases_are_read),
        cmocka_unit_test(conditions_are_read),
        cmocka_unit_test(queries_are_read),
        cmocka_unit_test(changes_of_rows_are_read),
        cmocka_unit_test(changes_of_the_schema_are_read),
        cmocka_unit_test(types_and_their_synonyms_are_read),
        cmocka_unit_test(sessions_are_steered),
        cmocka_unit_test(double_quotes_follow_quoted_identifier),
        cmocka_unit_test(refusals_have_sql_servers_number_and_text),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(memory_has_a_maximum),
        cmocka_unit_test(text_may_hold_nul),
        cmocka_unit_test(literals_have_sql_servers_types),
        cmocka_unit_test(declarations_are_read),
    };
    return cmocka_run_group_tests_name("tsql", tests, NULL, NULL);
}
