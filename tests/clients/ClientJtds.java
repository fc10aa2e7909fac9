// jTDS: a JDBC driver that speaks TDS 7.1, so dates and times newer than DATETIME are text to it. See client.py for what a
// driver does; run as `java -cp jtds.jar ClientJtds.java PLAN`.
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DataTruncation;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

public class ClientJtds {
    // --- JSON, as far as a plan needs it ---

    static final class Json {
        private final String s;
        private int at;

        Json(String s) {
            this.s = s;
        }

        private char next() {
            while (Character.isWhitespace(s.charAt(at)))
                at++;
            return s.charAt(at);
        }

        // object := '{' [ string ':' value { ',' string ':' value } ] '}' ;  array := '[' [ value { ',' value } ] ']'
        Object value() {
            char c = next();
            if (c == '{') {
                Map<String, Object> object = new LinkedHashMap<>();
                for (at++; next() != '}'; skip(',')) {
                    String name = (String) value();
                    next();
                    at++;
                    object.put(name, value());
                }
                at++;
                return object;
            }
            if (c == '[') {
                List<Object> array = new ArrayList<>();
                for (at++; next() != ']'; skip(','))
                    array.add(value());
                at++;
                return array;
            }
            if (c == '"')
                return string();
            int start = at;
            while (at < s.length() && ",]} \n\r\t".indexOf(s.charAt(at)) < 0)
                at++;
            String word = s.substring(start, at);
            return switch (word) {
                case "null" -> null;
                case "true" -> true;
                case "false" -> false;
                default -> new BigDecimal(word);
            };
        }

        private void skip(char c) {
            if (next() == c)
                at++;
        }

        private String string() {
            StringBuilder out = new StringBuilder();
            for (at++; s.charAt(at) != '"'; at++) {
                char c = s.charAt(at);
                if (c != '\\') {
                    out.append(c);
                    continue;
                }
                c = s.charAt(++at);
                switch (c) {
                    case 'n' -> out.append('\n');
                    case 'r' -> out.append('\r');
                    case 't' -> out.append('\t');
                    case 'b' -> out.append('\b');
                    case 'f' -> out.append('\f');
                    case 'u' -> {
                        out.append((char) Integer.parseInt(s.substring(at + 1, at + 5), 16));
                        at += 4;
                    }
                    default -> out.append(c);
                }
            }
            at++;
            return out.toString();
        }

        static void write(Object v, StringBuilder out) {
            if (v instanceof Map<?, ?> m) {
                String separator = "{";
                for (Map.Entry<?, ?> e : m.entrySet()) {
                    out.append(separator);
                    write(e.getKey(), out);
                    out.append(':');
                    write(e.getValue(), out);
                    separator = ",";
                }
                out.append('}');
            } else if (v instanceof List<?> l) {
                out.append('[');
                for (int i = 0; i < l.size(); i++) {
                    if (i > 0)
                        out.append(',');
                    write(l.get(i), out);
                }
                out.append(']');
            } else if (v instanceof String s) {
                out.append('"');
                for (char c : s.toCharArray()) {
                    if (c < ' ' || c > '~' || c == '"' || c == '\\')
                        out.append(String.format("\\u%04x", (int) c));
                    else
                        out.append(c);
                }
                out.append('"');
            } else {
                out.append(v);
            }
        }
    }

    // --- reports ---

    interface Action {
        Object run() throws Exception;
    }

    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    static Map<String, Object> plan;

    static void report(String check, String name, Object result) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("check", check);
        if (!name.equals("rows"))
            line.put("ok", name.equals("ok"));
        line.put(name, result);
        StringBuilder out = new StringBuilder();
        Json.write(line, out);
        OUT.println(out);
    }

    static void attempt(String check, Action action) {
        try {
            action.run();
            report(check, "ok", true);
        } catch (Exception | AssertionError e) {
            report(check, "detail", e + " at " + e.getStackTrace()[0]);
        }
    }

    static void reportRows(String check, Action action) {
        try {
            report(check, "rows", action.run());
        } catch (Exception | AssertionError e) {
            report(check, "detail", e + " at " + e.getStackTrace()[0]);
        }
    }

    static Object expect(Object value, Object wanted) {
        if (!String.valueOf(value).equals(String.valueOf(wanted)))
            throw new AssertionError(value + " instead of " + wanted);
        return value;
    }

    static Object fails(int number, String text, Action action) throws Exception {
        try {
            action.run();
        } catch (SQLException first) {
            // jTDS puts a DataTruncation before overflows.
            SQLException e = first instanceof DataTruncation && first.getNextException() != null ? first.getNextException() : first;
            // 4060 is followed by 18456: the first of them counts.
            if (e.getErrorCode() != number || !e.getMessage().contains(text))
                throw new AssertionError(e.getErrorCode() + ": " + e.getMessage());
            return null;
        }
        throw new AssertionError("no error " + number);
    }

    @SuppressWarnings("unchecked")
    static List<Map<String, Object>> list(Object o) {
        return (List<Map<String, Object>>) o;
    }

    // --- the client ---

    static Connection open(String database, String password) throws SQLException {
        return DriverManager.getConnection("jdbc:jtds:sqlserver://" + plan.get("host") + ":" + plan.get("port") + "/" + database + ";loginTimeout=20",
            (String) plan.get("user"), password);
    }

    static Object encrypted() throws SQLException {
        Map<?, ?> about = (Map<?, ?>) plan.get("encrypted");
        try (Connection c = DriverManager.getConnection("jdbc:jtds:sqlserver://" + plan.get("host") + ":" + about.get("port") + "/master;ssl=require",
                 (String) plan.get("user"), (String) plan.get("password"))) {
            return expect(rows(c, "SELECT N'" + about.get("text") + "' AS v"), "[[" + about.get("text") + "]]");
        }
    }

    static Connection open() throws SQLException {
        return open((String) plan.get("database"), (String) plan.get("password"));
    }

    static void run(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.execute(sql);
        }
    }

    static List<List<String>> rows(ResultSet r) throws SQLException {
        List<List<String>> found = new ArrayList<>();
        while (r.next()) {
            List<String> row = new ArrayList<>();
            for (int i = 1; i <= r.getMetaData().getColumnCount(); i++)
                row.add(r.getString(i));
            found.add(row);
        }
        return found;
    }

    static List<List<String>> rows(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            return rows(r);
        }
    }

    static String text(String kind, ResultSet r, int column) throws SQLException {
        switch (kind) {
            case "bit": {
                boolean v = r.getBoolean(column);
                return r.wasNull() ? null : v ? "1" : "0";
            }
            case "decimal", "money": {
                BigDecimal v = r.getBigDecimal(column);
                return v == null ? null : v.toPlainString();
            }
            case "datetime": {
                Timestamp v = r.getTimestamp(column);
                return v == null ? null : v.toString().replace(' ', 'T');
            }
            case "binary": {
                byte[] v = r.getBytes(column);
                return v == null ? null : HexFormat.of().withUpperCase().formatHex(v);
            }
            case "guid": {
                String v = r.getString(column);
                return v == null ? null : v.toUpperCase();
            }
            default:
                return r.getString(column);
        }
    }

    static void bind(PreparedStatement s, int at, Map<String, Object> type, String text) throws SQLException {
        String kind = (String) type.get("kind");
        switch (kind) {
            case "integer", "bit" -> {
                if (text == null)
                    s.setNull(at, kind.equals("bit") ? Types.BIT : Types.BIGINT);
                else if (kind.equals("bit"))
                    s.setBoolean(at, text.equals("1"));
                else
                    s.setLong(at, Long.parseLong(text));
            }
            case "decimal", "money" -> s.setBigDecimal(at, text == null ? null : new BigDecimal(text));
            case "float" -> s.setObject(at, text == null ? null : Double.valueOf(text), Types.DOUBLE);
            case "real" -> s.setObject(at, text == null ? null : Float.valueOf(text), Types.REAL);
            case "datetime" -> s.setTimestamp(at, text == null ? null : Timestamp.valueOf(text.replace('T', ' ')));
            case "binary" -> s.setBytes(at, text == null ? null : HexFormat.of().parseHex(text));
            default -> s.setString(at, text);
        }
    }

    static List<List<Object>> readAll(Connection c, String kind, String sql) throws SQLException {
        List<List<Object>> found = new ArrayList<>();
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            while (r.next()) {
                List<Object> row = new ArrayList<>();
                row.add(r.getInt(1));
                row.add(text(kind, r, 2));
                found.add(row);
            }
        }
        return found;
    }

    static Object read(Map<String, Object> t) throws SQLException {
        StringBuilder ids = new StringBuilder();
        for (Map<String, Object> v : list(t.get("read")))
            ids.append(ids.length() == 0 ? "" : ", ").append(v.get("id"));
        try (Connection c = open()) {
            return readAll(c, (String) t.get("kind"), "SELECT id, v FROM reference.dbo." + t.get("name") + " WHERE id IN (" + ids + ") ORDER BY id");
        }
    }

    static Object write(Map<String, Object> t) throws SQLException {
        String table = "dbo.w_" + t.get("name");
        List<List<Object>> found = new ArrayList<>();
        try (Connection c = open()) {
            run(c, "CREATE TABLE " + table + " (id INT NOT NULL PRIMARY KEY, v " + t.get("sql") + " NULL)");
            try (PreparedStatement s = c.prepareStatement("INSERT INTO " + table + " (id, v) VALUES (?, ?)")) {
                for (Map<String, Object> v : list(t.get("write"))) {
                    try {
                        s.setInt(1, ((BigDecimal) v.get("id")).intValue());
                        bind(s, 2, t, (String) v.get("text"));
                        expect(s.executeUpdate(), 1);
                    } catch (SQLException e) {
                        found.add(List.of(v.get("id"), "not written: " + e));
                    }
                }
            }
            found.addAll(readAll(c, (String) t.get("kind"), "SELECT id, v FROM " + table + " ORDER BY id"));
        }
        return found;
    }

    static Object schema() throws SQLException {
        try (Connection c = open("master", (String) plan.get("password"))) {
            run(c, "CREATE DATABASE " + plan.get("database"));
        }
        try (Connection c = open()) {
            for (Object sql : (List<?>) plan.get("setup"))
                run(c, (String) sql);
            return expect(rows(c, "SELECT COUNT(*) AS n FROM dbo.digits"), "[[10]]");
        }
    }

    static void insert(Connection c, int id) throws SQLException {
        try (PreparedStatement s = c.prepareStatement("INSERT INTO dbo.people (id, name) VALUES (?, ?)")) {
            s.setInt(1, id);
            s.setString(2, "new");
            s.executeUpdate();
        }
    }

    static Object seen(int id, String wanted) throws SQLException {
        try (Connection c = open()) {
            return expect(rows(c, "SELECT id FROM dbo.people WHERE id = " + id), wanted);
        }
    }

    static Object transaction(int id, boolean commits) throws SQLException {
        try (Connection c = open()) {
            c.setAutoCommit(false);
            insert(c, id);
            expect(rows(c, "SELECT id FROM dbo.people WHERE id = " + id), "[[" + id + "]]");
            if (commits)
                c.commit();
            else
                c.rollback();
            expect(rows(c, "SELECT id FROM dbo.people WHERE id = " + id), commits ? "[[" + id + "]]" : "[]");
            c.setAutoCommit(true);
        }
        return seen(id, commits ? "[[" + id + "]]" : "[]");
    }

    static Object autocommit() throws SQLException {
        try (Connection c = open()) {
            insert(c, 12);
            return seen(12, "[[12]]");
        }
    }

    static Object autocommitOff() throws SQLException {
        try (Connection c = open()) {
            c.setAutoCommit(false);
            insert(c, 13);
        }
        return seen(13, "[]");
    }

    @SuppressWarnings("unchecked")
    static Object resultSets() throws SQLException {
        Map<String, Object> results = (Map<String, Object>) plan.get("results");
        List<Object> found = new ArrayList<>();
        try (Connection c = open(); Statement s = c.createStatement()) {
            boolean isRows = s.execute((String) results.get("sql"));
            while (isRows || s.getUpdateCount() != -1) {
                if (isRows)
                    found.add(rows(s.getResultSet()));
                isRows = s.getMoreResults();
            }
        }
        return expect(found, results.get("expect"));
    }

    @SuppressWarnings("unchecked")
    static Object rowCount() throws SQLException {
        Map<String, Object> count = (Map<String, Object>) plan.get("count");
        try (Connection c = open(); Statement s = c.createStatement()) {
            return expect(s.executeUpdate((String) count.get("sql")), count.get("expect"));
        }
    }

    static Object prepared() throws SQLException {
        try (Connection c = open(); PreparedStatement s = c.prepareStatement("SELECT id, name FROM dbo.people WHERE id = ? AND name = ?")) {
            List<Object> found = new ArrayList<>();
            for (int id = 1; id <= 3; id++) {
                s.setInt(1, id);
                s.setString(2, id == 1 ? "Ali" : "Zoë");
                try (ResultSet r = s.executeQuery()) {
                    found.addAll(rows(r));
                }
            }
            return expect(found, "[[1, Ali], [2, Zoë]]");
        }
    }

    static List<String> column(ResultSet r, String name) throws SQLException {
        List<String> found = new ArrayList<>();
        while (r.next())
            found.add(r.getString(name));
        return found;
    }

    @SuppressWarnings("unchecked")
    static Object catalogue() throws SQLException {
        Map<String, Object> about = (Map<String, Object>) plan.get("catalogue");
        String table = (String) about.get("table");
        String database = (String) plan.get("database");
        try (Connection c = open()) {
            DatabaseMetaData m = c.getMetaData();
            List<String> tables = column(m.getTables(database, "dbo", "%", new String[] {"TABLE"}), "TABLE_NAME");
            tables.removeIf(t -> t.startsWith("w_"));
            expect(tables, about.get("tables"));
            expect(column(m.getColumns(null, null, table, "%"), "COLUMN_NAME"), about.get("columns"));
            expect(column(m.getPrimaryKeys(null, null, table), "COLUMN_NAME"), about.get("primary_key"));
            expect(column(m.getIndexInfo(null, null, table, true, false), "COLUMN_NAME").contains("id"), true);
            expect(column(m.getBestRowIdentifier(null, null, table, DatabaseMetaData.bestRowSession, false), "COLUMN_NAME"), about.get("primary_key"));
            expect(column(m.getImportedKeys(null, null, table), "FK_NAME"), "[]");
            expect(column(m.getExportedKeys(null, null, table), "FK_NAME"), "[]");
            expect(column(m.getCrossReference(null, null, table, null, null, table), "FK_NAME"), "[]");
            expect(column(m.getVersionColumns(null, null, table), "COLUMN_NAME"), "[]");
            expect(column(m.getProcedures(null, null, "%"), "PROCEDURE_NAME"), "[]");
            expect(column(m.getProcedureColumns(null, null, "%", "%"), "COLUMN_NAME"), "[]");
            expect(column(m.getUDTs(null, null, "%", null), "TYPE_NAME"), "[]");
            expect(column(m.getTablePrivileges(null, null, table), "PRIVILEGE").contains("SELECT"), true);
            expect(column(m.getColumnPrivileges(null, null, table, "id"), "PRIVILEGE").contains("UPDATE"), true);
            int[][] levels = {{Connection.TRANSACTION_READ_UNCOMMITTED, 1}, {Connection.TRANSACTION_SERIALIZABLE, 4}, {Connection.TRANSACTION_READ_COMMITTED, 2}};
            for (int[] level : levels) {
                c.setTransactionIsolation(level[0]);
                expect(rows(c, "SELECT transaction_isolation_level FROM sys.dm_exec_sessions WHERE session_id = @@SPID"), "[[" + level[1] + "]]");
            }
            expect(column(m.getCatalogs(), "TABLE_CAT").contains(database), true);
            expect(column(m.getSchemas(), "TABLE_SCHEM").contains("dbo"), true);
            return expect(column(m.getTypeInfo(), "TYPE_NAME").contains("nvarchar"), true);
        }
    }

    @SuppressWarnings("unchecked")
    static Object generatedKey() throws SQLException {
        Map<String, Object> about = (Map<String, Object>) plan.get("generated");
        try (Connection c = open()) {
            run(c, (String) about.get("create"));
            try (PreparedStatement s = c.prepareStatement((String) about.get("insert"), Statement.RETURN_GENERATED_KEYS)) {
                s.executeUpdate();
                expect(rows(s.getGeneratedKeys()), "[[" + about.get("key") + "]]");
            }
            return expect(rows(c, (String) about.get("output")), "[[" + about.get("output_key") + "]]");
        }
    }

    static Object databaseChange() throws SQLException {
        try (Connection c = open()) {
            c.setCatalog("reference");
            expect(rows(c, "SELECT DB_NAME() AS name"), "[[reference]]");
            return expect(c.getCatalog(), "reference");
        }
    }

    static Object rowLimit() throws SQLException {
        try (Connection c = open(); Statement s = c.createStatement()) {
            s.setMaxRows(2);
            expect(rows(s.executeQuery("SELECT d FROM dbo.digits ORDER BY d")), "[[0], [1]]");
            return expect(rows(c, "SELECT COUNT(d) AS n FROM dbo.digits"), "[[10]]");
        }
    }

    static Object cancel() throws Exception {
        try (Connection c = open(); Statement s = c.createStatement()) {
            Thread canceller = new Thread(() -> {
                try {
                    Thread.sleep(1000);
                    s.cancel();
                } catch (InterruptedException | SQLException e) {
                    throw new IllegalStateException(e);
                }
            });
            canceller.start();
            long began = System.nanoTime();
            try {
                s.executeQuery((String) plan.get("long_running")).next();
                throw new AssertionError("it came to its end");
            } catch (SQLException e) {
                if (!"HY008".equals(e.getSQLState()))
                    throw e;
            }
            canceller.join();
            if (System.nanoTime() - began > 10_000_000_000L)
                throw new AssertionError("the cancel took more than 10 s");
            return expect(rows(c, "SELECT 1 AS one"), "[[1]]");
        }
    }

    static Object error(Map<String, Object> e) throws Exception {
        try (Connection c = open()) {
            fails(((BigDecimal) e.get("number")).intValue(), (String) e.get("text"), () -> {
                try (Statement s = c.createStatement()) {
                    // An error may come behind a first result.
                    boolean isRows = s.execute((String) e.get("sql"));
                    while (isRows || s.getUpdateCount() != -1) {
                        if (isRows)
                            rows(s.getResultSet());
                        isRows = s.getMoreResults();
                    }
                }
                return null;
            });
            return expect(rows(c, "SELECT 1 AS one"), "[[1]]");
        }
    }

    @SuppressWarnings("unchecked")
    public static void main(String[] arguments) throws Exception {
        plan = (Map<String, Object>) new Json(Files.readString(Path.of(arguments[0]))).value();
        String password = (String) plan.get("password");
        Class.forName("net.sourceforge.jtds.jdbc.Driver");

        attempt("login", () -> {
            try (Connection c = open("master", password)) {
                return expect(rows(c, "SELECT 1 AS one"), "[[1]]");
            }
        });
        attempt("wrong password", () -> fails(18456, "Login failed", () -> open("master", "not the password")));
        attempt("unknown database", () -> fails(4060, "Cannot open database", () -> open("no_such_database", password)));
        attempt("schema", ClientJtds::schema);
        for (Map<String, Object> t : list(plan.get("types"))) {
            reportRows("read " + t.get("name"), () -> read(t));
            reportRows("write " + t.get("name"), () -> write(t));
        }
        attempt("commit", () -> transaction(10, true));
        attempt("rollback", () -> transaction(11, false));
        attempt("autocommit", ClientJtds::autocommit);
        attempt("autocommit off", ClientJtds::autocommitOff);
        attempt("result sets", ClientJtds::resultSets);
        attempt("row count", ClientJtds::rowCount);
        attempt("prepared", ClientJtds::prepared);
        attempt("cancel", ClientJtds::cancel);
        attempt("catalogue", ClientJtds::catalogue);
        attempt("generated key", ClientJtds::generatedKey);
        attempt("database change", ClientJtds::databaseChange);
        attempt("row limit", ClientJtds::rowLimit);
        attempt("encrypted", ClientJtds::encrypted);
        for (Map<String, Object> e : list(plan.get("errors")))
            attempt("error " + e.get("number"), () -> error(e));
    }
}
