/* Changes T-SQL for libFuzzer by its words and by a small grammar, most of the time; by bytes else. The names are those of
 * fuzz_engine's tables. */
#include "common/buf.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX  6
#define TOKENS_MAX 2048
#define SPAN_MAX   8
#define BYTES_ONE_IN 6 /* changes of bytes, not of words */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* ---- the grammar ---- */

/* A rule's name and what may stand for it, parted by '|'; <name> is another rule. What is deep enough takes a choice without
 * rules, or the first. */
static const struct rule {
    const char *name;
    const char *choices;
} rules[] = {
    {"stmt", "<select>|<select>|<select>|<dml>|<dml>|<control>|<control>|<ddl>|<set>|<call>|<tran>"},
    {"select", "SELECT <any>, <any> FROM t|SELECT <any>|SELECT <items> FROM <from>|SELECT <items> FROM <from> WHERE <cond>|SELECT TOP (<int>) <items> FROM t ORDER BY <order>"
               "|SELECT <col>, <agg> FROM t GROUP BY <col>|SELECT <any>, <agg> FROM t GROUP BY <any> HAVING <agg> > <num>|SELECT DISTINCT <items> FROM <from>"
               "|SELECT <any> FROM t ORDER BY <order> OFFSET <int> ROWS FETCH NEXT <int> ROWS ONLY|WITH q (a, b) AS (SELECT <any>, <any> FROM t) SELECT * FROM q x, q y WHERE x.a <cmp> y.b"
               "|SELECT <any> FROM t <setop> SELECT <any> FROM t|SELECT <window>, <window> FROM t|SELECT <agg>, <agg> FROM t WHERE <cond>|SELECT * FROM <catalogue>"
               "|SELECT TOP (<int>) WITH TIES <items> FROM t ORDER BY <order>|SELECT TOP (<num>) PERCENT <items> FROM t|SELECT x.id, y.q FROM t x CROSS APPLY (SELECT <any> AS q FROM u WHERE u.t_id = x.id) y"
               "|WITH r (n, s) AS (SELECT 1, CAST(<txt> AS VARCHAR(99)) UNION ALL SELECT n + 1, s FROM r WHERE n < <int>) SELECT TOP 9 * FROM r"
               "|SELECT <col>, b, <agg> FROM t GROUP BY ROLLUP (<col>, b)|SELECT <meta>, <meta>|SELECT <meta> FROM sys.columns|SELECT <any> FROM t FOR XML AUTO|SELECT <any> AS q FROM t FOR JSON PATH"
               "|SELECT <uitems> FROM u|SELECT x.<col>, y.name FROM t x <join> u y ON x.id = y.t_id"},
    {"setop", "UNION|UNION ALL|EXCEPT|INTERSECT"},
    {"items", "*|<any>|<any>, <any> AS q|<num>, <txt>, <day>"},
    {"uitems", "id, name|COUNT(*)|MAX(name), MIN(id)|LEN(name) + t_id|*"},
    {"from", "t|t AS x|(SELECT * FROM t WHERE <cond>) x|t CROSS JOIN (VALUES (<lit>, <lit>), (<any>, <lit>)) z (z1, z2)|t <join> u y ON t.id = y.t_id AND <cond>|t, u y|t x <join> t y ON x.<col> <cmp> y.<col>"},
    {"catalogue", "sys.columns|sys.tables|INFORMATION_SCHEMA.COLUMNS|sys.indexes|sys.objects o JOIN sys.columns c ON o.object_id = c.object_id|sys.types|sys.databases|sys.foreign_keys|sys.check_constraints"},
    {"join", "JOIN|LEFT JOIN|RIGHT JOIN|FULL JOIN"},
    {"order", "<col>|1|<any> DESC|<col>, <num> DESC|t.id"},
    {"col", "id|a|b|c|d|e|f|g|h|i|m|k|o|w|n"},
    {"name", "q|x|[a b]|\"z\"|name|id|#t|@v"},
    {"cond", "<num> <cmp> <num>|<txt> <cmp> <txt>|<day> <cmp> <day>|<any> <cmp> <any>|<any> IS NULL|<any> IS NOT NULL|<cond> AND <cond>|<cond> OR <cond>|NOT (<cond>)"
             "|<any> IN (<lit>, NULL)|<num> IN (SELECT <num> FROM t)|<num> BETWEEN <num> AND <num>|<txt> LIKE <txt>|<txt> LIKE <str> ESCAPE '!'|EXISTS (SELECT 1 FROM u WHERE u.id = id)"
             "|<num> <cmp> ALL (SELECT <num> FROM t)|<num> <cmp> ANY (SELECT id FROM u)"},
    {"cmp", "=|<>|<|>|<=|>=|!=|!<|!>"},
    {"any", "<num>|<num>|<txt>|<day>|<bin>|<col>|CASE WHEN <cond> THEN <any> ELSE <any> END|COALESCE(<any>, <any>)|ISNULL(<any>, <any>)|NULLIF(<any>, <any>)|IIF(<cond>, <any>, <any>)"
            "|CAST(<any> AS <type>)|TRY_CAST(<any> AS <type>)|CONVERT(<type>, <any>, <style>)|TRY_CONVERT(<type>, <any>, <style>)|(SELECT MAX(<col>) FROM t)|CHOOSE(<num>, <any>, <any>)|<any> <op> <any>"
            "|(SELECT TOP 1 <any> FROM t y WHERE y.id = t.id)|<lit>"},
    {"num", "<int>|<dec>|id|a|d|f|m|i|@@ROWCOUNT|<num> <op> <num>|<num> <op> <num>|(<num>)|-<num>|~<int>|CASE WHEN <cond> THEN <num> ELSE <num> END|CASE <num> WHEN <num> THEN <num> END|CAST(<num> AS <ntype>)"
            "|CAST(<any> AS <ntype>)|ABS(<num>)|ROUND(<num>, <int>)|ROUND(<num>, <num>, 1)|POWER(<num>, <num>)|SQRT(<num>)|LOG(<num>, <num>)|LOG10(<num>)|EXP(<num>)|CEILING(<num>)|FLOOR(<num>)|SIGN(<num>)"
            "|ATN2(<num>, <num>)|SQUARE(<num>)|SIN(<num>)|DEGREES(<num>)|RADIANS(<num>)|LEN(<txt>)|DATALENGTH(<any>)|CHARINDEX(<txt>, <txt>, <num>)|PATINDEX(<str>, <txt>)|ASCII(<txt>)|UNICODE(<txt>)"
            "|DATEDIFF(<part>, <day>, <day>)|DATEDIFF_BIG(<part>, <day>, <day>)|DATEPART(<part>, <day>)|YEAR(<day>)|ISDATE(<any>)|ISNUMERIC(<any>)|SCOPE_IDENTITY()|RAND(<num>)|OBJECT_ID('t')|(SELECT COUNT(*) FROM u)"
            ""},
    {"txt", "<str>|b|c|k|n|<txt> + <txt>|SUBSTRING(<txt>, <num>, <num>)|LEFT(<txt>, <num>)|RIGHT(<txt>, <num>)|REPLACE(<txt>, <txt>, <txt>)|REPLICATE(<txt>, <num>)|STUFF(<txt>, <num>, <num>, <txt>)"
            "|REVERSE(<txt>)|UPPER(<txt>)|LOWER(<txt>)|LTRIM(<txt>)|RTRIM(<txt>)|TRIM(<txt>)|TRIM(<txt> FROM <txt>)|SPACE(<num>)|STR(<num>, <num>, <num>)|CONCAT(<any>, <any>)|CONCAT_WS(<txt>, <any>, <any>)"
            "|TRANSLATE(<txt>, <txt>, <txt>)|QUOTENAME(<txt>, <str>)|CHAR(<num>)|NCHAR(<num>)|DATENAME(<part>, <day>)|CAST(<any> AS <stype>)|CONVERT(<stype>, <any>, <style>)|<txt> COLLATE <collation>"
            "|DB_NAME()|OBJECT_NAME(<num>)|CASE <txt> WHEN <txt> THEN <txt> ELSE <txt> END|ISNULL(<txt>, <txt>)"},
    {"day", "<date>|e|o|w|DATEADD(<part>, <num>, <day>)|CAST(<date> AS <dtype>)|CAST(<any> AS <dtype>)|CONVERT(<dtype>, <txt>, <style>)|EOMONTH(<day>, <num>)|DATEFROMPARTS(<num>, <int>, <int>)"
            "|DATETIME2FROMPARTS(<num>, 1, <int>, 0, 0, <int>, <int>, <s>)|DATETIMEFROMPARTS(<num>, 1, 1, <int>, 0, 0, <num>)|TIMEFROMPARTS(<int>, 0, 0, <num>, <s>)|SWITCHOFFSET(o, <num>)|TODATETIMEOFFSET(<day>, '+02:00')"
            "|SWITCHOFFSET(<day>, '-13:59')|ISNULL(<day>, <day>)"},
    {"bin", "0x|0x0102FF|h|g|CAST(<any> AS VARBINARY(<len>))|CAST(<any> AS BINARY(<len>))|h + <bin>|SUBSTRING(<bin>, <num>, <num>)|CAST(<txt> AS UNIQUEIDENTIFIER)"},
    {"meta", "COLUMNPROPERTY(OBJECT_ID('<tab>'), '<col>', <prop>)|OBJECTPROPERTY(OBJECT_ID('<tab>'), <prop>)|INDEXPROPERTY(OBJECT_ID('t'), 'by_a', <prop>)|INDEX_COL('<tab>', <int>, <int>)"
             "|COL_NAME(OBJECT_ID('<tab>'), <int>)|COL_LENGTH('<tab>', '<col>')|IDENT_CURRENT('<tab>')|IDENT_SEED('<tab>')|IDENT_INCR('u')|TYPE_NAME(<int>)|TYPE_ID('<type>')|SCHEMA_NAME(<int>)|SCHEMA_ID(<str>)"
             "|OBJECT_SCHEMA_NAME(OBJECT_ID('<tab>'))|CONNECTIONPROPERTY(<prop>)|SESSIONPROPERTY(<prop>)|SERVERPROPERTY(<prop>)|DATABASEPROPERTYEX('master', <prop>)|HAS_DBACCESS(<str>)|IS_MEMBER(<str>)"
             "|HOST_NAME()|APP_NAME()|@@VERSION|@@ERROR|@@OPTIONS|@@TRANCOUNT|@@SPID|@@IDENTITY|@@LANGUAGE|@@DATEFIRST|@@NESTLEVEL|XACT_STATE()|USER_ID()|SUSER_SNAME()|DB_ID(<str>)|DB_NAME(<int>)|ERROR_LINE()"},
    {"tab", "t|u|dbo.t|master..u|[t]|nothing"},
    {"prop", "'IsIdentity'|'AllowsNull'|'Precision'|'TableHasPrimaryKey'|'IsTable'|'IsUnique'|'IndexID'|'ANSI_NULLS'|'net_transport'|'ProductVersion'|'Collation'|'Status'|<str>"},
    {"op", "+|-|*|/|%|&|^"},
    {"collation", "Latin1_General_CI_AS|Latin1_General_CS_AS|Latin1_General_BIN2"},
    {"lit", "<int>|<dec>|<str>|<date>|NULL|0x|0x0102FF|'6F9619FF-8B86-D011-B42D-00C04FC964FF'"},
    {"int", "0|1|2|-1|3|10|100|2147483647|-2147483648|2147483648|9223372036854775807|-9223372036854775808|255|256|32768"},
    {"dec", "0.1|1.50|-0.00|1e308|1e-308|-1.5e10|99999999999999999999999999999999999999|0.00000000000000000000000000000000000001|$1.5|$922337203685477.5807|12345.6789|0e0"},
    {"str", "''|'a'|'ONE '|N'\xC3\xA9'|N'\xF0\x9F\x98\x80'|'12'|'-1.5'|' 7 '|'1e5'|'%a_[a-c]%'|'[^a]'|'x''y'|'true'|'abcdefghijklmnopqrstuvwxyz'|'{\"a\":[1]}'"},
    {"date", "'2024-02-29'|'20240229 13:05:00.1234567'|'9999-12-31 23:59:59.9999999'|'0001-01-01'|'1753-01-01'|'13:05'|'2024-02-29T13:05:00+02:00'|'5 Mar 2024'|'12/31/99'"
             "|GETDATE()|SYSDATETIMEOFFSET()|'0001-01-01 00:00:00 +14:00'|'9999-12-31 23:59:59.9999999 -14:00'"},
    {"type", "<ntype>|<stype>|<dtype>|BINARY(<len>)|VARBINARY(<len>)|VARBINARY(MAX)|UNIQUEIDENTIFIER"},
    {"ntype", "INT|BIGINT|SMALLINT|TINYINT|BIT|DECIMAL(<p>,<s>)|NUMERIC(38,37)|DECIMAL(38,0)|MONEY|FLOAT|REAL"},
    {"stype", "VARCHAR(<len>)|CHAR(<len>)|VARCHAR(MAX)|NCHAR(<len>)|NVARCHAR(<len>)|NVARCHAR(MAX)|TEXT|VARCHAR"},
    {"dtype", "DATETIME2(<s>)|DATE|TIME(<s>)|DATETIME|DATETIMEOFFSET(<s>)|SMALLDATETIME"},
    {"p", "38|10|19|7"},
    {"s", "0|3|7|2"},
    {"len", "1|5|30|4000|8000|2"},
    {"style", "0|1|2|3|23|101|103|112|120|121|126|127|130|-1"},
    {"part", "year|quarter|month|dayofyear|day|week|weekday|hour|minute|second|millisecond|microsecond|nanosecond|iso_week|tzoffset"},
    {"agg", "COUNT(*)|SUM(<num>)|AVG(<num>)|MIN(<any>)|MAX(<any>)|COUNT(DISTINCT <any>)|COUNT_BIG(<any>)|SUM(DISTINCT <num>)|STRING_AGG(<txt>, <str>)|STDEV(<num>)|VARP(<num>)|STRING_AGG(<txt>, <str>) WITHIN GROUP (ORDER BY <col> DESC)"},
    {"window", "ROW_NUMBER() OVER (ORDER BY <any>)|RANK() OVER (PARTITION BY <col> ORDER BY <col>)|NTILE(<int>) OVER (ORDER BY <col>)|SUM(<num>) OVER (PARTITION BY <any>)"
               "|LAG(<any>, <int>, <any>) OVER (ORDER BY <col>)|LEAD(<any>) OVER (ORDER BY <col>)|FIRST_VALUE(<any>) OVER (ORDER BY <col> ROWS BETWEEN <int> PRECEDING AND CURRENT ROW)"
               "|SUM(<num>) OVER (ORDER BY <col> RANGE UNBOUNDED PRECEDING)|PERCENT_RANK() OVER (ORDER BY <col>)|AVG(<num>) OVER (ORDER BY <col> ROWS BETWEEN <int> PRECEDING AND <int> FOLLOWING)|VAR(<num>) OVER (ORDER BY id ROWS 1 PRECEDING)|COUNT(<any>) OVER (ORDER BY id ROWS CURRENT ROW)"
               "|SUM(<num>) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)|CUME_DIST() OVER (ORDER BY <col>)|LAST_VALUE(<any>) OVER (PARTITION BY <col> ORDER BY id)|MAX(<txt>) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)"},
    {"dml", "INSERT INTO t (id, <col>) VALUES (<int>, <any>)|INSERT INTO u (t_id, name) VALUES (<num>, <txt>), (1, <txt>)|INSERT INTO u DEFAULT VALUES"
            "|INSERT INTO t (id, a, b) SELECT <num>, <num>, <txt> FROM t|INSERT INTO u (name) OUTPUT inserted.id, inserted.name VALUES (<txt>)"
            "|UPDATE t SET <col> = <any>|UPDATE t SET a += <num>, <col> = DEFAULT WHERE <cond>|UPDATE x SET b = <txt> OUTPUT deleted.id, inserted.* FROM t x JOIN u y ON x.id = y.t_id"
            "|UPDATE TOP (<int>) u SET name = <txt>|UPDATE t SET id = <num>, @v = id|DELETE FROM t WHERE <cond>|DELETE u|DELETE TOP (1) FROM u OUTPUT deleted.*|DELETE x FROM t x, u y WHERE x.id <cmp> y.id"
            "|TRUNCATE TABLE u|MERGE t USING u x ON t.id = x.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (x.id);|SELECT <any> AS q INTO w1 FROM t"},
    {"control", "DECLARE @v <type> = <any>|SET @v = <any>|SELECT @v = <any> FROM t|IF <cond> <stmt> ELSE <stmt>|BEGIN <stmt> <stmt> END|PRINT <any>"
                "|DECLARE @w INT = 0 WHILE @w < 3 BEGIN SET @w = @w + 1 <stmt> IF <cond> BREAK END|WHILE <cond> <stmt>"
                "|BEGIN TRY <stmt> END TRY BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_MESSAGE() <stmt> END CATCH|RAISERROR(<str>, 16, 1)|THROW 50000, <str>, 1|RETURN|GOTO done|DECLARE @z INT, @v <type>"},
    {"ddl", "CREATE TABLE v (id <type> PRIMARY KEY, a <type> DEFAULT <lit>, b <ntype> CHECK (b <cmp> <num>), c INT IDENTITY(<int>,<int>)) INSERT INTO v (id, b) VALUES (<any>, <num>) SELECT * FROM v"
            "|DROP TABLE t|DROP TABLE IF EXISTS u, t|ALTER TABLE t ADD z <type>|ALTER TABLE t ADD z <type> NOT NULL DEFAULT <lit>|ALTER TABLE t DROP COLUMN <col>|ALTER TABLE t ALTER COLUMN <col> <type>"
            "|ALTER TABLE u DROP CONSTRAINT one|ALTER TABLE t ADD CONSTRAINT ck CHECK (<cond>)|CREATE INDEX ix ON t (<col>, <col>)|CREATE UNIQUE INDEX ux ON u (<name> DESC)|DROP INDEX by_a ON t"
            "|CREATE DATABASE d1|USE d1|DROP DATABASE d1|CREATE VIEW vw AS <select>|CREATE PROCEDURE p1 @v <type> AS <stmt>|CREATE TABLE #t (id INT, a <type>) INSERT INTO #t VALUES (<int>, <any>) SELECT * FROM #t|CREATE TABLE w (id INT PRIMARY KEY, p INT CONSTRAINT fk REFERENCES t (id) ON DELETE SET NULL ON UPDATE CASCADE)"
            "|ALTER TABLE u ADD CONSTRAINT fk2 FOREIGN KEY (t_id) REFERENCES t (id)|ALTER TABLE u ADD CONSTRAINT df DEFAULT <lit> FOR <name>|DECLARE @t TABLE (id INT)"},
    {"set", "SET XACT_ABORT ON|SET NOCOUNT ON|SET ROWCOUNT <int>|SET FMTONLY ON|SET IMPLICIT_TRANSACTIONS ON|SET IDENTITY_INSERT u ON|SET QUOTED_IDENTIFIER OFF"
            "|SET TRANSACTION ISOLATION LEVEL SERIALIZABLE|SET LOCK_TIMEOUT <int>|SET ANSI_NULLS OFF"},
    {"call", "EXEC sp_executesql N'SELECT @p, a FROM t WHERE id = @p', N'@p <ntype>', <int>|EXEC sp_executesql N'SET @p = @p + 1', N'@p INT OUTPUT', @v OUTPUT|EXEC sp_columns t|EXEC sp_tables|EXEC sp_pkeys u"
             "|EXEC sp_fkeys t|EXEC sp_statistics t|EXEC sp_executesql @v|EXEC sp_describe_first_result_set N'<select>'|EXEC sp_helptext t|EXEC sp_help u|EXEC sp_rename 't', 't2'|EXEC sp_databases|EXEC ('<select>')"},
    {"tran", "BEGIN TRAN|COMMIT|ROLLBACK|SAVE TRAN s1|ROLLBACK TRAN s1|BEGIN TRAN <name>"},
    {"word", "SELECT|FROM|WHERE|NULL|NOT|AND|OR|AS|BY|ORDER|GROUP|ON|IN|LIKE|CASE|WHEN|END|OVER|PARTITION|ROWS|DESC|DISTINCT|ALL|TOP|INTO|VALUES|SET|UNION|(|)|,|.|;|*|=|--|/*|*/|'|\"|["},
};

#define OUTPUT_MAX 65536

static unsigned random_below(uint64_t *state, unsigned limit)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((*state >> 33) % limit);
}

static const char *choose(const char *choices, int depth, uint64_t *state)
{
    const char *chosen = choices;
    unsigned count = 0;
    for (const char *p = choices, *end; p != NULL; p = end != NULL ? end + 1 : NULL) {
        end = strchr(p, '|');
        const char *rule = strchr(p, '<');
        bool plain = rule == NULL || (end != NULL && rule > end);
        if ((depth > 0 || plain) && random_below(state, ++count) == 0) {
            chosen = p;
        }
    }
    return chosen;
}

static void expand(const char *name, size_t len, int depth, uint64_t *state, struct buf *out)
{
    const struct rule *rule = NULL;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && rule == NULL; i++) {
        if (strlen(rules[i].name) == len && memcmp(rules[i].name, name, len) == 0) {
            rule = &rules[i];
        }
    }
    CHECK(rule != NULL);
    const char *p = choose(rule->choices, depth, state);
    while (*p != '\0' && *p != '|') {
        /* A rule's name follows at once; '<' alone is the operator. */
        const char *end = *p == '<' && islower((unsigned char)p[1]) ? strchr(p, '>') : NULL;
        if (end != NULL) {
            expand(p + 1, (size_t)(end - p - 1), depth - 1, state, out);
            p = end + 1;
        } else {
            buf_append_char(out, *p++);
        }
    }
}

static void append_rule(const char *name, uint64_t *state, struct buf *out)
{
    expand(name, strlen(name), 1 + (int)random_below(state, DEPTH_MAX), state, out);
}

/* ---- the words of the input ---- */

struct span {
    const char *data;
    size_t len;
};

static size_t token_length(const char *p, const char *end)
{
    const char *q = p + 1;
    if (*p == '\'' || *p == '"') {
        while (q < end && *q != *p) {
            q++;
        }
        q += q < end;
    } else if (isspace((unsigned char)*p)) {
        while (q < end && isspace((unsigned char)*q)) {
            q++;
        }
    } else if (isalnum((unsigned char)*p) || *p == '_' || *p == '@') {
        while (q < end && (isalnum((unsigned char)*q) || *q == '_')) {
            q++;
        }
    }
    return (size_t)(q - p);
}

static size_t split(const char *text, size_t len, struct span *tokens)
{
    size_t count = 0;
    const char *end = text + len;
    for (const char *p = text; p < end && count < TOKENS_MAX; p += tokens[count++].len) {
        tokens[count] = (struct span){p, count + 1 < TOKENS_MAX ? token_length(p, end) : (size_t)(end - p)};
    }
    return count;
}

static void append_tokens(const struct span *tokens, size_t from, size_t to, struct buf *out)
{
    for (size_t i = from; i < to; i++) {
        buf_append(out, tokens[i].data, tokens[i].len);
    }
}

/* What is put in the place of tokens. */
static void append_piece(const struct span *tokens, size_t from, size_t to, uint64_t *state, struct buf *out)
{
    static const char *const pieces[] = {"any", "any", "num", "txt", "day", "lit", "col", "type", "word", "cond", "select", "window", "agg"};
    static const char *const calls[] = {"ABS(", "LEN(", "SUM(", "CONCAT('', ", "ISNULL(NULL, ", "NOT (", "(SELECT ", "-(", "CHAR(", "MAX("};
    switch (random_below(state, 5)) {
    case 0: /* nothing */
        break;
    case 1: /* the same, in a call */
        buf_append_text(out, calls[random_below(state, sizeof calls / sizeof calls[0])]);
        append_tokens(tokens, from, to, out);
        buf_append_char(out, ')');
        break;
    case 2: /* the same, twice */
        append_tokens(tokens, from, to, out);
        buf_append_text(out, random_below(state, 2) > 0 ? ", " : " ");
        append_tokens(tokens, from, to, out);
        break;
    default:
        append_rule(pieces[random_below(state, sizeof pieces / sizeof pieces[0])], state, out);
    }
}

static void change(const char *text, size_t len, uint64_t *state, struct buf *out)
{
    static struct span tokens[TOKENS_MAX];
    size_t count = split(text, len, tokens);
    unsigned choice = random_below(state, 8);
    if (count == 0 || choice == 0) { /* another script */
        buf_append_text(out, random_below(state, 2) > 0 ? "!" : "");
        for (unsigned n = 1 + random_below(state, 4); n > 0; n--) {
            append_rule("stmt", state, out);
            buf_append_text(out, random_below(state, 4) > 0 ? "\nGO\n" : "\n");
        }
        return;
    }
    size_t from = random_below(state, (unsigned)count);
    size_t to = from + 1 + random_below(state, SPAN_MAX);
    if (to > count) {
        to = count;
    }
    if (choice <= 2) { /* one more statement */
        append_tokens(tokens, 0, count, out);
        static const char *const parts[] = {"\nGO\n", "\nGO\n", "\nGO\n?", "\nGO 2\n"};
        buf_append_text(out, choice == 1 ? "\n" : parts[random_below(state, sizeof parts / sizeof parts[0])]);
        append_rule("stmt", state, out);
    } else if (choice == 3) { /* moved */
        size_t place = random_below(state, (unsigned)count);
        append_tokens(tokens, 0, place, out);
        buf_append_char(out, ' ');
        append_tokens(tokens, from, to, out);
        buf_append_char(out, ' ');
        append_tokens(tokens, place, count, out);
    } else {
        if (random_below(state, 2) > 0) {
            to = from + 1;
        }
        append_tokens(tokens, 0, from, out);
        append_piece(tokens, from, to, state, out);
        append_tokens(tokens, to, count, out);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint64_t state = seed;
    if (random_below(&state, BYTES_ONE_IN) == 0) {
        return LLVMFuzzerMutate(data, size, max);
    }
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    change((const char *)data, size, &state, &out);
    if (out.len == 0 || out.len > max || buf_status(&out) != 0) {
        size = LLVMFuzzerMutate(data, size, max);
    } else {
        memcpy(data, out.data, out.len);
        size = out.len;
    }
    buf_clear(&out);
    return size;
}
