#!/usr/bin/env python3
"""Every type of the contract: what goes in comes out, exactly as the table of values says; what does not fit is named."""

import json
import re

import harness
from harness import ClusterTest

GUID = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"
# type: (JSON text in, JSON text out) …; None where it must be 422
VALUES = {
    "TINYINT": (("0", "0"), ("255", "255"), ('"7"', "7"), ("256", None), ("-1", None)),
    "SMALLINT": (("-32768", "-32768"), ("32767", "32767"), ("32768", None)),
    "INT": (("-2147483648", "-2147483648"), ("2147483647", "2147483647"), ("1.0", "1"), ("1e3", "1000"), ("2147483648", None), ("1.5", None), ('"x"', None)),
    "BIGINT": (("-9223372036854775808", "-9223372036854775808"), ("9223372036854775807", "9223372036854775807"), ("9007199254740993", "9007199254740993"),
               ("9223372036854775808", None), ("123456789012345678901234567890", None)),
    "BIT": (("true", "true"), ("false", "false"), ("1", "true"), ("0", "false"), ('"x"', None)),
    "DECIMAL(5,2)": (("1", "1.00"), ("-999.99", "-999.99"), ("0.005", "0.01"), ("1000", None), ('"12.3"', "12.30")),
    "DECIMAL(38,0)": (("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
                      ("-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"), ("100000000000000000000000000000000000000", None)),
    "DECIMAL(38,38)": (("0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"), ("1", None)),
    "NUMERIC(18,4)": (("-0.0001", "-0.0001"), ("12345678901234.5678", "12345678901234.5678")),
    "MONEY": (("1.5", "1.5000"), ("922337203685477.5807", "922337203685477.5807"), ("-922337203685477.5808", "-922337203685477.5808"), ("922337203685477.5808", None)),
    "FLOAT": (("0.1", "0.1"), ("1e308", "1e+308"), ("-2.5e-10", "-2.5e-10"), ("5e-324", "5e-324"), ("1e309", None)),
    "REAL": (("0.1", "0.1"), ("3.4e38", "3.4e+38"), ("1e39", None)),
    "CHAR(5)": (('"abc"', '"abc  "'), ('"abcde"', '"abcde"'), ('"abcdef"', None)),
    "VARCHAR(5)": (('""', '""'), ('"  a  "', '"  a  "'), ('"abcdef"', None), ('"it\'s"', '"it\'s"')),
    "VARCHAR(100)": (('"Žižek 学生 😀"', '"Žižek 学生 😀"'),),
    "VARCHAR(MAX)": ((json.dumps("x" * 100000), json.dumps("x" * 100000)), ('""', '""')),
    "NCHAR(4)": (('"学"', '"学   "'), ('"😀😀"', '"😀😀"'), ('"😀😀a"', None)),
    "NVARCHAR(5)": (('"Žižek"', '"Žižek"'), ('"学生学生学"', '"学生学生学"'), ('"abcdef"', None), ('"\\ttab\\n"', '"\\ttab\\n"')),
    "NVARCHAR(MAX)": ((json.dumps("学😀" * 30000, ensure_ascii=False), json.dumps("学😀" * 30000, ensure_ascii=False)),),
    "TEXT": (('"some text"', '"some text"'), (json.dumps("y" * 9000), json.dumps("y" * 9000))),
    "DATE": (('"2026-11-22"', '"2026-11-22"'), ('"0001-01-01"', '"0001-01-01"'), ('"9999-12-31"', '"9999-12-31"'), ('"2024-02-29"', '"2024-02-29"'),
             ('"2023-02-29"', None), ('"x"', None), ("5", None)),
    "TIME(7)": (('"13:05:00.1234567"', '"13:05:00.1234567"'), ('"00:00:00"', '"00:00:00.0000000"'), ('"24:00:00"', None)),
    "TIME(0)": (('"23:59:58"', '"23:59:58"'),),
    "DATETIME": (('"2026-11-22T13:05:00.123"', '"2026-11-22T13:05:00.123"'), ('"1753-01-01T00:00:00"', '"1753-01-01T00:00:00.000"'),
                 ('"9999-12-31T23:59:59.997"', '"9999-12-31T23:59:59.997"'), ('"2026-01-01T00:00:00.001"', '"2026-01-01T00:00:00.000"'),
                 ('"1752-12-31T00:00:00"', None)),
    "DATETIME2(7)": (('"2026-11-22T13:05:00.1234567"', '"2026-11-22T13:05:00.1234567"'), ('"0001-01-01T00:00:00"', '"0001-01-01T00:00:00.0000000"'),
                     ('"2026-13-01T00:00:00"', None)),
    "DATETIME2(0)": (('"2026-12-31T23:59:59.5"', '"2027-01-01T00:00:00"'),),
    "DATETIME2(3)": (('"2026-11-22 13:05:00.123"', '"2026-11-22T13:05:00.123"'),),
    "DATETIMEOFFSET(7)": (('"2026-11-22T13:05:00.1234567+02:00"', '"2026-11-22T13:05:00.1234567+02:00"'), ('"2026-11-22T23:30:00-05:30"', '"2026-11-22T23:30:00.0000000-05:30"'),
                          ('"2026-11-22T13:05:00Z"', '"2026-11-22T13:05:00.0000000+00:00"'), ('"2026-11-22T13:05:00+15:00"', None)),
    "DATETIMEOFFSET(0)": (('"2026-11-22T13:05:00+02:00"', '"2026-11-22T13:05:00+02:00"'),),
    "UNIQUEIDENTIFIER": ((f'"{GUID}"', f'"{GUID}"'), (f'"{GUID.lower()}"', f'"{GUID}"'), ('"3F2504E0"', None)),
    "BINARY(4)": (('"AQI="', '"AQIAAA=="'), ('"AQIDBA=="', '"AQIDBA=="'), ('"AQIDBAU="', None), ('"%"', None)),
    "VARBINARY(4)": (('"AQI="', '"AQI="'), ('""', '""'), ('"AQIDBAU="', None)),
    "VARBINARY(MAX)": (('"' + "QUJD" * 8000 + '"', '"' + "QUJD" * 8000 + '"'),),
}


class Values(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        answer = cls.api.post("/create-db", {"db_name": "Vals"})
        assert answer.status == 200, answer

    def raw_value(self, answer):
        """The text of column v in an answer of one row, as it stands there."""
        match = re.fullmatch(r'\{"status":"ok","rows":\[\{"id":\d+,"v":(.*)\}\],"count":1,"complete":true,.*\}\s*', answer.body.decode(), re.S)
        self.assertIsNotNone(match, answer)
        return match.group(1)

    def test_many_rows(self):
        """Behind a result's first rows the worker fetches blocks of them; a table with MAX types is read row by row."""
        good = {kind: [pair for pair in (*pairs, ("null", "null")) if pair[1] is not None] for kind, pairs in VALUES.items()}
        unbounded = lambda kind: "(MAX)" in kind or kind == "TEXT"
        wide = {"NVARCHAR(4000)": [(json.dumps(c * n, ensure_ascii=False),) * 2 for c, n in (("学", 4000), ("😀", 2000), ("z", 4000))] + [("null", "null")],
                "VARCHAR(8000)": [(json.dumps("v" * 8000),) * 2, ('""', '""')],
                "VARBINARY(8000)": [('"' + "QUJD" * 2666 + '"',) * 2, ("null", "null")]}
        bounded = {kind: pairs for kind, pairs in good.items() if not unbounded(kind)}
        for table, kinds, count in (("Bounded", bounded, 600), ("Wide", {**wide, "INT": good["INT"]}, 60), ("Mixed", good, 30)):
            columns = {f"c{n}": kind for n, kind in enumerate(kinds)}
            t = {"db_name": "Vals", "table": table}
            self.ok("/create-table", {**t, "columns": {"id": "INT PRIMARY KEY", **columns}, "shard_column": "id"})
            row = lambda i, side: f'{{"id":{i},' + ",".join(f'"c{n}":{pairs[i % len(pairs)][side]}' for n, pairs in enumerate(kinds.values())) + "}"
            for first in range(0, count, 20):
                data = ",".join(row(i, 0) for i in range(first, min(first + 20, count)))
                self.ok("/insert", f'{{"db_name":"Vals","table":"{table}","data":[{data}]}}'.encode())
            for order in ({}, {"order_by": ["id"]}):
                answer = self.api.post("/select", {**t, **order})
                self.assertEqual(answer.status, 200, answer)
                text = answer.body.decode()
                places = [text.find(row(i, 1)) for i in range(count)]
                self.assertEqual([i for i, place in enumerate(places) if place < 0], [], (table, order))
                self.assertEqual(answer.json["count"], count)
                if order:
                    self.assertEqual(places, sorted(places))

    def test_round_trips(self):
        for n, (kind, pairs) in enumerate(VALUES.items()):
            t = {"db_name": "Vals", "table": f"T{n}"}
            self.ok("/create-table", {**t, "columns": {"id": "INT PRIMARY KEY", "v": kind}, "shard_column": "id"})
            for i, (given, expected) in enumerate((*pairs, ("null", "null"))):
                with self.subTest(type=kind, value=given[:60]):
                    body = f'{{"db_name":"Vals","table":"T{n}","data":{{"id":{i},"v":{given}}}}}'.encode()
                    if expected is None:
                        problem = self.refused(422, "bad_value", "/insert", body)
                        self.assertIn("v", problem["detail"])
                        self.assertEqual(self.ok("/map-reduce-count", {**t, "condition": f"id = {i}"})["total"], 0)
                        continue
                    self.ok("/insert", body)
                    answer = self.api.post("/select", {**t, "condition": f"id = {i}"})
                    self.assertEqual(answer.status, 200, answer)
                    got = self.raw_value(answer)
                    self.assertEqual(json.loads(got), json.loads(expected))
                    if kind not in ("FLOAT", "REAL") and not expected.startswith('"'):
                        self.assertEqual(got, expected)  # every digit
                    # An update to the same value, and through the scatter path.
                    update = f'{{"db_name":"Vals","table":"T{n}","set":{{"v":{given}}},"condition":"id = {i}"}}'.encode()
                    self.assertEqual(self.ok("/update", update)["rows_affected"], 1)
                    self.assertEqual(self.raw_value(self.api.post("/select", {**t, "condition": f"id = {i}"})), got)

    def test_column_order_and_choice(self):
        t = {"db_name": "Vals", "table": "Cols"}
        self.ok("/create-table", {**t, "columns": {"b": "INT", "a": "INT", "Order": "NVARCHAR(10)"}})
        self.ok("/insert", {**t, "data": {"A": 1, "order": "x", "B": 2}})
        self.assertEqual(list(self.ok("/select", t)["rows"][0].items()), [("b", 2), ("a", 1), ("Order", "x")])
        self.assertEqual(list(self.ok("/select", {**t, "columns": ["ORDER", "a"]})["rows"][0].items()), [("Order", "x"), ("a", 1)])

    def test_defaults_and_constraints(self):
        t = {"db_name": "Vals", "table": "Defs"}
        self.ok("/create-table", {**t, "columns": {"student_id": "INT NOT NULL", "n": "INT DEFAULT 5", "s": "NVARCHAR(10) NOT NULL DEFAULT N'it''s'",
                                                   "d": "DECIMAL(5,2) DEFAULT -1.5", "u": "INT UNIQUE"}})
        self.ok("/insert", {**t, "data": {"student_id": 1}})
        self.assertEqual(self.ok("/select", {**t, "condition": "student_id = 1"})["rows"], [{"student_id": 1, "n": 5, "s": "it's", "d": -1.5, "u": None}])
        self.ok("/insert", {**t, "data": {"student_id": 1, "u": 3, "n": None}})
        problem = self.refused(409, "duplicate_key", "/insert", {**t, "data": {"student_id": 1, "u": 3}})
        self.assertIn(problem["sql_error"], (2627, 2601))

    def test_string_comparison(self):
        t = {"db_name": "Vals", "table": "Cmp"}
        self.ok("/create-table", {**t, "columns": {"student_id": "VARCHAR(20)", "name": "NVARCHAR(20)"}})
        self.ok("/insert", {**t, "data": [{"student_id": "ali", "name": "Ali"}, {"student_id": "ALI", "name": "ALI  "}, {"student_id": "bo", "name": "Bo%"}]})
        for condition, expected in (
                ("name = 'ali'", {"ali", "ALI"}), ("student_id = 'ali'", {"ali"}), ("student_id = 'ali  '", {"ali"}), ("name LIKE 'a%'", {"ali", "ALI"}),
                ("name LIKE '%!%%' ESCAPE '!'", {"bo"}), ("name LIKE '[a-b]o%'", {"bo"}), ("LEN(name) = 3", {"ali", "ALI", "bo"}), ("UPPER(name) = N'BO%'", {"bo"}),
                ("name IN ('BO%', 'x')", {"bo"}), ("name NOT LIKE 'a%'", {"bo"}), ("student_id BETWEEN 'ALI' AND 'ali'", {"ali", "ALI"})):
            with self.subTest(condition=condition):
                rows = self.ok("/select", {**t, "condition": condition})["rows"]
                self.assertEqual({r["student_id"] for r in rows}, expected)

    def test_literals_keep_their_type(self):
        t = {"db_name": "Vals", "table": "Lits"}
        self.ok("/create-table", {**t, "columns": {"student_id": "INT", "s": "SMALLINT", "d": "DECIMAL(6,3)", "f": "FLOAT", "n": "INT"}})
        self.ok("/insert", {**t, "data": [{"student_id": i, "s": i, "d": i + 0.5, "f": i / 2, "n": None if i == 3 else i} for i in range(6)]})
        for condition, expected in (
                ("student_id = 1.5", []), ("student_id = 1.0", [1]), ("s = 3000000000", []), ("s < 3000000000", [0, 1, 2, 3, 4, 5]), ("d = 1.5", [1]), ("d > 1.5 AND d <= 3.5", [2, 3]),
                ("f = 0.5", [1]), ("f >= 1e0", [2, 3, 4, 5]), ("n IS NULL", [3]), ("NOT (n = 1)", [0, 2, 4, 5]), ("n IN (1, 2, 2.5)", [1, 2]), ("ABS(n) = 4", [4]),
                ("student_id IN ('1', '2')", [1, 2]), ("n = n", [0, 1, 2, 4, 5])):
            with self.subTest(condition=condition):
                rows = self.ok("/select", {**t, "condition": condition})["rows"]
                self.assertEqual(sorted(r["student_id"] for r in rows), expected)


if __name__ == "__main__":
    harness.main()
