#!/usr/bin/python3
"""pymssql: FreeTDS's db-lib. It writes parameters into the text of the statement by itself, and closes the connection when a
statement takes too long."""

import datetime
import decimal
import os
import tempfile
import uuid

import pymssql

import client


class Pymssql(client.Library):
    unknown_database = "18456"  # it shows the last error of a login, and its texts only sometimes
    bulk_names = False  # it puts the bytes of UTF-8 into NVARCHAR

    def connect(self, database, password, autocommit=True, timeout=0):
        p = self.plan
        return pymssql.connect(server=p["host"], port=str(p["port"]), user=p["user"], password=password, database=database,
                               autocommit=autocommit, timeout=timeout, login_timeout=20, tds_version="7.3", charset="UTF-8")

    def native(self, t, text):
        kind = t["kind"]
        if kind in ("integer", "bit"):
            return int(text) if kind == "integer" else text == "1"
        if kind in ("decimal", "money"):
            return decimal.Decimal(text)
        if kind in ("float", "real"):
            return float(text)
        if kind == "date":
            return datetime.date.fromisoformat(text)
        if kind in ("datetime", "datetime2"):
            return datetime.datetime.fromisoformat(text)
        if kind == "guid":
            return uuid.UUID(text)
        if kind == "binary":
            return bytes.fromhex(text)
        return text  # TIME and DATETIMEOFFSET: it has no parameters of these types

    def text(self, t, value):
        kind = t["kind"]
        if kind == "bit":
            return str(int(value))
        if kind in ("decimal", "money"):
            return format(value, "f")
        if kind in ("float", "real"):
            return repr(value)
        if kind in ("date", "time", "datetime", "datetime2", "datetimeoffset"):
            return value.isoformat() if hasattr(value, "isoformat") else value
        if kind == "guid":
            return str(value).upper()
        if kind == "binary":
            return value.hex().upper()
        return str(value)

    def number(self, e):
        return e.args[0] if e.args else None

    def connect_encrypted(self):
        return pymssql.connect(server="secure", port=str(self.plan["encrypted"]["port"]), user=self.plan["user"],
                               password=self.plan["password"], autocommit=True, tds_version="7.3", charset="UTF-8")

    def load(self, connection, table, rows):
        connection.bulk_copy(table, rows)


with tempfile.TemporaryDirectory(prefix="shardgate-clients-") as folder:
    driver = Pymssql()
    os.environ["FREETDSCONF"] = client.freetds_conf(driver.plan, folder)
    driver.run()
