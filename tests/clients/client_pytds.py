#!/usr/bin/python3
"""python-tds: TDS written in Python."""

import datetime
import decimal
import time
import uuid

import pytds
from pytds import tds_types, tz
from pytds.tds_base import Column

import client
from client import expect


def parse_offset(text):
    moment, sign, offset = text[:-6], text[-6], text[-5:]
    minutes = int(offset[:2]) * 60 + int(offset[3:])
    return datetime.datetime.fromisoformat(pad(moment)).replace(tzinfo=tz.FixedOffsetTimezone(minutes if sign == "+" else -minutes))


def pad(text):
    """Python reads three or six digits of fraction."""
    if "." not in text:
        return text
    whole, fraction = text.split(".")
    return whole + "." + fraction.ljust(6, "0")


class PythonTds(client.Library):
    def connect(self, database, password, autocommit=True, timeout=None):
        p = self.plan
        return pytds.connect(p["host"], database, p["user"], password, port=p["port"], autocommit=autocommit, timeout=timeout,
                             login_timeout=20)

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
        if kind == "time":
            return datetime.time.fromisoformat(pad(text))
        if kind in ("datetime", "datetime2"):
            return datetime.datetime.fromisoformat(pad(text))
        if kind == "datetimeoffset":
            return parse_offset(text)
        if kind == "guid":
            return uuid.UUID(text)
        if kind == "binary":
            return pytds.Binary(bytes.fromhex(text))
        return text

    def text(self, t, value):
        kind = t["kind"]
        if kind == "bit":
            return str(int(value))
        if kind == "decimal" or kind == "money":
            return format(value, "f")
        if kind in ("float", "real"):
            return repr(value)
        if kind in ("date", "time", "datetime", "datetime2", "datetimeoffset"):
            return value.isoformat()
        if kind == "guid":
            return str(value).upper()
        if kind == "binary":
            return value.hex().upper()
        return str(value)

    def number(self, e):
        return getattr(e, "number", None)

    def connect_encrypted(self):
        p = self.plan
        return pytds.connect("localhost", "master", p["user"], p["password"], port=p["encrypted"]["port"], autocommit=True,
                             cafile=p["encrypted"]["ca"], validate_host=False)  # it knows certificates of one name only

    def load(self, connection, table, rows):
        schema, name = table.split(".")
        columns = [Column("id", type=tds_types.IntType()), Column("name", type=tds_types.NVarCharType(size=50)), Column("amount", type=tds_types.FloatType())]
        cursor = connection.cursor()
        cursor.copy_to(data=rows, table_or_view=name, schema=schema, columns=columns)
        cursor.close()

    def cancel(self):
        connection = self.connect(self.plan["database"], self.plan["password"], timeout=1)
        began = time.monotonic()
        try:
            self.query(connection, self.plan["long_running"])
        except pytds.TimeoutError:
            pass
        else:
            raise AssertionError("it came to its end")
        if time.monotonic() - began > 10:
            raise AssertionError("the cancel took more than 10 s")
        expect(self.query(connection, "SELECT 1 AS one"), [[1]])
        connection.close()


PythonTds().run()
