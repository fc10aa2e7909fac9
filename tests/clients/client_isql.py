#!/usr/bin/python3
"""unixODBC's isql over FreeTDS's ODBC driver. It shows NULL as it shows '', and an error's text without its number."""

import glob
import re

import client
from client import CommandError, CommandLine, expect

SEPARATOR = "\x1f"
MESSAGE = re.compile(r"^\[[0-9A-Z]{5}\](.*)", re.M)


class Isql(CommandLine):
    def value(self, kind, text):
        return text.upper() if kind == "binary" else text

    def catalogue(self):
        """By its own `help`, which calls SQLTables and SQLColumns."""
        about = self.plan["catalogue"]
        tables = [row[2] for row in self.rows("help") if len(row) > 3 and row[3] == "TABLE"]
        expect([t for t in tables if not t.startswith("w_")], about["tables"])
        expect([row[3] for row in self.rows("help " + about["table"]) if len(row) > 3 and row[2] == about["table"]], about["columns"])

    def batches(self, batches, database, password):
        p = self.plan
        driver = glob.glob("/usr/lib/*/odbc/libtdsodbc.so")[0]
        connection = (f"DRIVER={driver};SERVERNAME={self.section};UID={p['user']};PWD={password};DATABASE={database};"
                      f"TDS_Version={p['tds_version']};ClientCharset=UTF-8")
        command = ["isql", connection, "-k", "-b", "-v", "-x0x1f", "-e", "-L3000000"]
        status, out, err = client.run_command(command, "".join(sql.replace("\n", " ") + "\n" for sql in batches), self.environment)
        failed = MESSAGE.findall(out + err)
        if failed or status != 0:
            raise CommandError(0, "\n".join(failed) or out + err)
        return [[line.split(SEPARATOR) for line in out.splitlines() if line]]


Isql().run()
