#!/usr/bin/python3
"""FreeTDS's freebcp: rows out into a file in character form, and by bulk load from such a file. NULL is nothing there, and ''
is a NUL byte."""

import os
import tempfile

import client
import freetds_text
from client import CommandError, attempt, expect, report_rows


TEXT = ["-c", "-t", freetds_text.SEPARATOR, "-r", freetds_text.END]


class Freebcp:
    def __init__(self):
        self.plan = client.load_plan()
        self.folder = tempfile.TemporaryDirectory(prefix="shardgate-clients-")
        self.environment = {"FREETDSCONF": client.freetds_conf(self.plan, self.folder.name)}
        self.section = "shardgate"

    def command(self, words, database, password):
        errors = os.path.join(self.folder.name, "errors")
        status, out, err = client.run_command(
            ["freebcp", *words, "-S", self.section, "-U", self.plan["user"], "-P", password,
             "-D", database, "-T", "4294967295", "-e", errors], env=self.environment)
        # It ends with 0 also when the server refused.
        if status != 0 or "Msg " in err or "rows copied" not in out:
            raise CommandError(0, out + err)

    def out(self, sql, database, password):
        path = os.path.join(self.folder.name, "out")
        self.command([sql, "queryout", path, *TEXT], database, password)
        with open(path, "rb") as f:
            data = f.read().decode("utf-8")
        rows = [row.split(freetds_text.SEPARATOR) for row in data.split(freetds_text.END)[:-1]]
        return [[None if v == "" else "" if v == "\0" else v for v in row] for row in rows]

    def tsql(self, sql, database):
        plan = self.plan
        client.run_command(["tsql", "-H", plan["host"], "-p", str(plan["port"]), "-U", plan["user"], "-P", plan["password"], "-D", database], sql + "\ngo\n",
                           {"TDSVER": plan["tds_version"]})

    def encrypted(self):
        text = self.plan["encrypted"]["text"][:800]
        self.section = "secure"
        try:
            expect(self.out(f"SELECT N'{text}' AS v", "master", self.plan["password"]), [[text]])
        finally:
            self.section = "shardgate"

    def bulk_load(self):
        """A table that tsql makes is filled from a file and written into another one."""
        plan = self.plan
        table = f"{plan['database']}.dbo.loaded"
        self.tsql(plan["bulk"]["create"], plan["database"])
        rows = [["" if v is None else str(v) for v in row] for row in client.bulk_rows(plan)]
        self.load(table, rows)
        expect(self.out(plan["bulk"]["read"], plan["database"], plan["password"]), [[v or None for v in row] for row in rows])
        # A row that is refused takes its load with it.
        try:
            self.load(table, [["5001", "new", "1.5"], ["1", "again", "1.5"]])
        except CommandError as e:
            if "Violation of PRIMARY KEY" not in e.text:
                raise
        else:
            raise AssertionError("a duplicate key was not refused")
        expect(self.out("SELECT COUNT(*) AS n FROM dbo.loaded", plan["database"], plan["password"]), [[str(len(rows))]])

    def load(self, table, rows):
        path = os.path.join(self.folder.name, "in")
        with open(path, "wb") as f:
            f.write("".join(freetds_text.SEPARATOR.join(row) + freetds_text.END for row in rows).encode())
        self.command([table, "in", path, *TEXT], self.plan["database"], self.plan["password"])

    def fails(self, text, database, password):
        try:
            self.out("SELECT 1 AS one", database, password)
        except CommandError as e:
            if text not in e.text:
                raise
            return
        raise AssertionError("no error")

    def read(self, t):
        ids = ", ".join(str(v["id"]) for v in t["read"])
        return self.values(t, f"reference.dbo.{t['name']} WHERE id IN ({ids})")

    def write(self, t):
        table = "w_" + t["name"]
        self.tsql(f"CREATE TABLE dbo.{table} (id INT NOT NULL PRIMARY KEY, v {t['sql']} NULL)", self.plan["database"])
        self.load(f"{self.plan['database']}.dbo.{table}",
                  [[str(v["id"]), "" if v["text"] is None else v["text"].replace("T", " ") if t["kind"] in client.MOMENTS else v["text"] or "\0"] for v in t["write"]])
        return self.values(t, "dbo." + table)

    def values(self, t, source):
        what = freetds_text.MOMENTS if t["kind"] in client.MOMENTS else "v"
        rows = self.out(f"SELECT id, {what} FROM {source} ORDER BY id", self.plan["database"], self.plan["password"])
        return [[int(id), None if v is None else freetds_text.value(t["kind"], v)] for id, v in rows]

    def run(self):
        password = self.plan["password"]
        attempt("login", lambda: expect(self.out("SELECT 1 AS one", "master", password), [["1"]]))
        attempt("wrong password", self.fails, "Login failed", "master", "not the password")
        attempt("unknown database", self.fails, "Cannot open database", "no_such_database", password)
        self.tsql(f"CREATE DATABASE {self.plan['database']}", "master")
        attempt("bulk load", self.bulk_load)
        attempt("encrypted", self.encrypted)
        for t in self.plan["types"]:
            report_rows("read " + t["name"], self.read, t)
            report_rows("write " + t["name"], self.write, t)


Freebcp().run()
