"""What the Python drivers share: each is run as `client_NAME.py PLAN` by test_clients.py, does what the plan says with its
client, and writes a line of JSON for each check:

    {"check": "commit", "ok": true}                       or "ok": false with a "detail"
    {"check": "read int", "rows": [[1, "-2147483648"], …]}   what came back, as text; test_clients.py compares

The plan (JSON) has host, port, user, password, a database that is the driver's own to create, the reference database to read
from, and the cases of cases.json with the values that this client can take.
"""

import json
import subprocess
import sys
import tempfile
import os
import traceback

BUSY_S = 60
MOMENTS = ("date", "time", "datetime", "datetime2", "datetimeoffset")


def load_plan():
    with open(sys.argv[1], encoding="utf-8") as f:
        return json.load(f)


def report(check, **result):
    print(json.dumps({"check": check, **result}), flush=True)


def attempt(check, function, *arguments):
    """Reports whether the function came to its end; what it returns when it did."""
    try:
        result = function(*arguments)
    except Exception:
        report(check, ok=False, detail=traceback.format_exc(limit=4)[-1500:])
        return None
    report(check, ok=True)
    return result


def report_rows(check, function, *arguments):
    try:
        report(check, rows=[list(row) for row in function(*arguments)])
    except Exception:
        report(check, ok=False, detail=traceback.format_exc(limit=4)[-1500:])


def expect(value, wanted):
    if value != wanted:
        raise AssertionError(f"{value!r:.300} instead of {wanted!r:.300}")


def bulk_rows(plan):
    """What a bulk load writes: NULLs and text beyond ASCII among it."""
    return [[i, None if i % 10 == 0 else f"name {i} ✓", None if i % 7 == 0 else i + 0.25] for i in range(1, plan["bulk"]["rows"] + 1)]


def literal(kind, text):
    """A value as T-SQL writes it."""
    if text is None:
        return "NULL"
    if kind == "string":
        return "N'" + text.replace("'", "''") + "'"
    if kind == "binary":
        return "0x" + text
    if kind in ("float", "real"):
        return text if "e" in text else text + "e0"
    if kind in MOMENTS or kind == "guid":
        return "'" + text + "'"
    return text


class CommandError(Exception):
    """What a command-line client showed of an error: `number` when it shows numbers, else 0."""

    def __init__(self, number, text):
        super().__init__(f"{number}: {text:.500}")
        self.number, self.text = number, text


def run_command(command, text="", env=None, timeout=BUSY_S):
    r = subprocess.run(command, input=text.encode(), capture_output=True, timeout=timeout,
                       env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})})
    return r.returncode, r.stdout.decode("utf-8", "surrogateescape"), r.stderr.decode("utf-8", "surrogateescape")


def freetds_conf(plan, folder):
    """A freetds.conf with the server as section `shardgate`, and the one that wants encryption as `secure`, its certificate
    being verified."""
    path = os.path.join(folder, "freetds.conf")
    with open(path, "w", encoding="utf-8") as f:
        port = plan["encrypted"]["port"]
        for section in ("secure", f"secure:{port}"):  # pymssql looks for the second
            f.write(f"[{section}]\n\thost = localhost\n\tport = {port}\n\ttds version = {plan['tds_version']}\n"
                    f"\tclient charset = UTF-8\n\tencryption = require\n\tca file = {plan['encrypted']['ca']}\n"
                    "\tcheck certificate hostname = yes\n")
        f.write(f"[global]\n\ttext size = 4294967295\n[shardgate]\n\thost = {plan['host']}\n\tport = {plan['port']}\n"
                f"\ttds version = {plan['tds_version']}\n\tclient charset = UTF-8\n\tencryption = off\n")
    return path


class CommandLine:
    """The checks of a client that takes a script and prints rows. The subclass's `batches(sql, database, password)` runs a
    list of batches in one connection and returns the sets of rows, each value its text or None, and raises CommandError."""

    moments = "v"  # what is selected of dates and times: the column

    def __init__(self):
        self.plan = load_plan()
        self.folder = tempfile.TemporaryDirectory(prefix="shardgate-clients-")
        self.environment = {"FREETDSCONF": freetds_conf(self.plan, self.folder.name)}
        self.section = "shardgate"

    def value(self, kind, text):
        """The client's own way of writing a value, undone."""
        return text

    def rows(self, sql, database=None):
        sets = self.batches([sql], database or self.plan["database"], self.plan["password"])
        return sets[0] if sets else []

    def run(self):
        plan = self.plan
        attempt("login", lambda: expect(self.rows("SELECT 1 AS one", "master"), [["1"]]))
        attempt("wrong password", self.fails, 18456, "Login failed", "SELECT 1 AS one", "master", "not the password")
        attempt("unknown database", self.fails, 4060, "Cannot open database", "SELECT 1 AS one", "no_such_database", plan["password"])
        attempt("schema", self.schema)
        for t in plan["types"]:
            report_rows("read " + t["name"], self.read, t)
            report_rows("write " + t["name"], self.write, t)
        attempt("commit", self.transaction, 10, "COMMIT TRANSACTION", [["10"]])
        attempt("rollback", self.transaction, 11, "ROLLBACK TRANSACTION", [])
        attempt("autocommit off", self.autocommit_off)
        attempt("result sets", self.results)
        attempt("catalogue", self.catalogue)
        attempt("encrypted", self.encrypted)
        for e in plan["errors"]:
            attempt(f"error {e['number']}", self.fails, e["number"], e["text"], e["sql"], plan["database"], plan["password"])
        self.more()

    def more(self):
        """What only this client does."""

    def schema(self):
        self.batches([f"CREATE DATABASE {self.plan['database']}"], "master", self.plan["password"])
        self.batches(self.plan["setup"], self.plan["database"], self.plan["password"])
        expect(self.rows("SELECT COUNT(*) AS n FROM dbo.digits"), [["10"]])

    def fails(self, number, text, sql, database, password):
        try:
            self.batches([sql], database, password)
        except CommandError as e:
            if e.number not in (number, 0) or text not in e.text:
                raise
            return
        raise AssertionError(f"no error {number}")

    def read(self, t):
        return self.values(t, f"reference.dbo.{t['name']} WHERE id IN ({', '.join(str(v['id']) for v in t['read'])})")

    def values(self, t, source):
        what = self.moments if t["kind"] in MOMENTS else "v"
        rows = self.rows(f"SELECT id, {what} FROM {source} ORDER BY id")
        return [[int(id), None if v is None else self.value(t["kind"], v)] for id, v in rows]

    def write(self, t):
        name = "w_" + t["name"]
        batches = [f"CREATE TABLE dbo.{name} (id INT NOT NULL PRIMARY KEY, v {t['sql']} NULL)"]
        batches += [f"INSERT INTO dbo.{name} (id, v) VALUES ({v['id']}, {literal(t['kind'], v['text'])})" for v in t["write"]]
        self.batches(batches, self.plan["database"], self.plan["password"])
        return self.values(t, "dbo." + name)

    def encrypted(self):
        text = self.plan["encrypted"]["text"][:800]
        self.section = "secure"
        try:
            expect(self.rows(f"SELECT N'{text}' AS v", "master"), [[text]])
        finally:
            self.section = "shardgate"

    def catalogue(self):
        """By the procedures that drivers use; the fourth column has the column's name."""
        about = self.plan["catalogue"]
        expect([row[3] for row in self.rows(f"EXEC sp_columns {about['table']}")], about["columns"])
        expect([row[3] for row in self.rows(f"EXEC sp_pkeys {about['table']}")], about["primary_key"])

    def transaction(self, id, end, wanted):
        self.batches([f"BEGIN TRANSACTION\nINSERT INTO dbo.people (id, name) VALUES ({id}, N'new')\n{end}"], self.plan["database"], self.plan["password"])
        expect(self.rows(f"SELECT id FROM dbo.people WHERE id = {id}"), wanted)

    def autocommit_off(self):
        self.batches(["SET IMPLICIT_TRANSACTIONS ON", "INSERT INTO dbo.people (id, name) VALUES (12, N'lost')"], self.plan["database"], self.plan["password"])
        expect(self.rows("SELECT id FROM dbo.people WHERE id = 12"), [])

    def results(self):
        found = self.batches([self.plan["results"]["sql"]], self.plan["database"], self.plan["password"])
        # What is printed does not show where one set ends.
        expect([row for rows in found for row in rows], [row for rows in self.plan["results"]["expect"] for row in rows])


class Library:
    """The checks of a DB-API module. The subclass connects, and says how values become the client's own and back."""

    def __init__(self):
        self.plan = load_plan()

    unknown_database = "Cannot open database"
    bulk_names = True  # whether a bulk load can write Unicode

    # connect(database, password, autocommit=True, timeout=None); native(t, text); text(t, value); number(exception);
    # load(connection, table, rows); connect_encrypted()

    def query(self, connection, sql, parameters=()):
        cursor = connection.cursor()
        cursor.execute(sql, tuple(parameters)) if parameters else cursor.execute(sql)
        rows = cursor.fetchall() if cursor.description else []
        cursor.close()
        return [list(r) for r in rows]

    def run(self):
        plan = self.plan
        attempt("login", self.login)
        attempt("wrong password", self.login_fails, "Login failed", "master", "not the password")
        attempt("unknown database", self.login_fails, self.unknown_database, "no_such_database", plan["password"])
        attempt("schema", self.schema)
        self.connection = self.connect(plan["database"], plan["password"])
        for t in plan["types"]:
            report_rows("read " + t["name"], self.fresh, self.read, t)
            report_rows("write " + t["name"], self.fresh, self.write, t)
        for check in ("commit", "rollback", "autocommit", "autocommit off", "result sets", "row count", "cancel", "bulk load", "catalogue", "generated key",
                      "database change", "encrypted"):
            if hasattr(self, check.replace(" ", "_")):
                attempt(check, self.fresh, getattr(self, check.replace(" ", "_")))
        for e in plan["errors"]:
            attempt(f"error {e['number']}", self.fresh, self.fails, e)
        self.more()

    def more(self):
        """What only this client does."""

    def fresh(self, function, *arguments):
        """Runs a check on the connection; one that fails may leave it broken, so the next gets another."""
        try:
            return function(*arguments)
        except Exception:
            try:
                self.connection.close()
            except Exception:
                pass
            self.connection = self.connect(self.plan["database"], self.plan["password"])
            raise

    def login(self):
        connection = self.connect("master", self.plan["password"])
        expect(self.query(connection, "SELECT 1 AS one"), [[1]])
        connection.close()

    def login_fails(self, text, database, password):
        try:
            self.connect(database, password)
        except Exception as e:
            if text not in str(e):
                raise
            return
        raise AssertionError("no error")

    def schema(self):
        connection = self.connect("master", self.plan["password"])
        self.query(connection, f"CREATE DATABASE {self.plan['database']}")
        connection.close()
        connection = self.connect(self.plan["database"], self.plan["password"])
        for sql in self.plan["setup"]:
            self.query(connection, sql)
        expect(self.query(connection, "SELECT COUNT(*) AS n FROM dbo.digits"), [[10]])
        connection.close()

    def read(self, t):
        rows = self.query(self.connection, f"SELECT id, v FROM reference.dbo.{t['name']} "
                                           f"WHERE id IN ({', '.join(str(v['id']) for v in t['read'])}) ORDER BY id")
        return [[id, None if v is None else self.text(t, v)] for id, v in rows]

    def write(self, t):
        name = "w_" + t["name"]
        self.query(self.connection, f"CREATE TABLE dbo.{name} (id INT NOT NULL PRIMARY KEY, v {t['sql']} NULL)")
        failed = []
        for v in t["write"]:
            try:
                value = None if v["text"] is None else self.native(t, v["text"])
                self.query(self.connection, f"INSERT INTO dbo.{name} (id, v) VALUES (%s, %s)", (v["id"], value))
            except Exception as e:
                failed.append([v["id"], f"not written: {e!r:.300}"])
        rows = self.query(self.connection, f"SELECT id, v FROM dbo.{name} ORDER BY id")
        return failed + [[id, None if v is None else self.text(t, v)] for id, v in rows]

    def seen(self, id):
        other = self.connect(self.plan["database"], self.plan["password"])
        rows = self.query(other, f"SELECT id FROM dbo.people WHERE id = {id}")
        other.close()
        return rows

    def insert(self, connection, id):
        self.query(connection, "INSERT INTO dbo.people (id, name) VALUES (%s, %s)", (id, "new"))

    def commit(self):
        connection = self.connect(self.plan["database"], self.plan["password"], autocommit=False)
        self.insert(connection, 10)
        connection.commit()
        expect(self.seen(10), [[10]])
        connection.close()

    def rollback(self):
        connection = self.connect(self.plan["database"], self.plan["password"], autocommit=False)
        self.insert(connection, 11)
        expect(self.query(connection, "SELECT id FROM dbo.people WHERE id = 11"), [[11]])
        connection.rollback()
        expect(self.query(connection, "SELECT id FROM dbo.people WHERE id = 11"), [])
        connection.close()
        expect(self.seen(11), [])

    def autocommit(self):
        self.insert(self.connection, 12)
        expect(self.seen(12), [[12]])

    def autocommit_off(self):
        connection = self.connect(self.plan["database"], self.plan["password"], autocommit=False)
        self.insert(connection, 13)
        connection.close()
        expect(self.seen(13), [])

    def result_sets(self):
        cursor = self.connection.cursor()
        cursor.execute(self.plan["results"]["sql"])
        found = []
        while True:
            if cursor.description:
                found.append([[str(v) for v in row] for row in cursor.fetchall()])
            if not cursor.nextset():
                break
        cursor.close()
        expect(found, self.plan["results"]["expect"])

    def row_count(self):
        cursor = self.connection.cursor()
        cursor.execute(self.plan["count"]["sql"])
        expect(cursor.rowcount, self.plan["count"]["expect"])
        cursor.close()

    def catalogue(self):
        """By a call of the procedures that drivers use, not by text; the fourth column has the column's name."""
        about = self.plan["catalogue"]
        for procedure, wanted in (("sp_columns", about["columns"]), ("sp_pkeys", about["primary_key"])):
            cursor = self.connection.cursor()
            cursor.callproc(procedure, (about["table"],))
            if not cursor.description:
                cursor.nextset()
            expect([row[3] for row in cursor.fetchall()], wanted)
            cursor.close()

    def generated_key(self):
        about = self.plan["generated"]
        self.query(self.connection, about["create"])
        cursor = self.connection.cursor()
        cursor.execute(about["insert"])
        cursor.execute("SELECT @@IDENTITY AS id")
        expect(int(cursor.fetchone()[0]), about["key"])
        cursor.close()
        expect(self.query(self.connection, about["output"]), [[about["output_key"]]])

    def encrypted(self):
        text = self.plan["encrypted"]["text"]
        connection = self.connect_encrypted()
        expect(self.query(connection, f"SELECT N'{text}' AS v"), [[text]])
        connection.close()

    def database_change(self):
        self.query(self.connection, "USE reference")
        expect(self.query(self.connection, "SELECT DB_NAME() AS name"), [["reference"]])
        self.query(self.connection, "USE " + self.plan["database"])
        expect(self.query(self.connection, "SELECT DB_NAME() AS name"), [[self.plan["database"]]])

    def bulk_load(self):
        rows = [[id, name if self.bulk_names else None, amount] for id, name, amount in bulk_rows(self.plan)]
        self.query(self.connection, self.plan["bulk"]["create"])
        self.load(self.connection, "dbo.loaded", [tuple(row) for row in rows])
        expect(self.query(self.connection, self.plan["bulk"]["read"]), rows)
        # A row that is refused takes its load with it.
        try:
            self.load(self.connection, "dbo.loaded", [(5001, None, 1.5), (1, None, 1.5)])
        except Exception:
            pass
        else:
            raise AssertionError("a duplicate key was not refused")
        expect(self.seen_count(), [[len(rows)]])

    def seen_count(self):
        other = self.connect(self.plan["database"], self.plan["password"])
        rows = self.query(other, "SELECT COUNT(*) AS n FROM dbo.loaded")
        other.close()
        return rows

    def fails(self, e):
        try:
            self.query(self.connection, e["sql"])
        except Exception as raised:
            if self.number(raised) != e["number"] or e["text"] not in str(raised):
                raise
        else:
            raise AssertionError(f"no error {e['number']}")
        expect(self.query(self.connection, "SELECT 1 AS one"), [[1]])
