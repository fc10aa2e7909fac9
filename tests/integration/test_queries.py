#!/usr/bin/env python3
"""The query fields of /select: what three shards answer is what one shard answers that holds all the rows.

The same random rows stand in a cluster of three shards and in one of a single shard; seeded random queries go to both. A
failure prints the seed of its query: SHARDGATE_QUERY_SEED=seed SHARDGATE_QUERIES=1 asks that one query again.
SHARDGATE_QUERIES sets how many there are (300).
"""

import base64
import datetime
import decimal
import itertools
import json
import os
import random
import unittest

import harness

QUERIES = int(os.environ.get("SHARDGATE_QUERIES", "300"))
FIRST_SEED = int(os.environ.get("SHARDGATE_QUERY_SEED", "1"))
ROWS = 400

COLUMNS = {
    "id": "INT", "ti": "TINYINT", "si": "SMALLINT", "i": "INT", "bi": "BIGINT", "b": "BIT", "d": "DECIMAL(12,2)", "n": "NUMERIC(20,8)",
    "m": "MONEY", "f": "FLOAT", "r": "REAL", "c": "CHAR(6)", "v": "VARCHAR(20)", "nc": "NCHAR(4)", "nv": "NVARCHAR(30)",
    "da": "DATE", "t": "TIME(3)", "dt": "DATETIME", "d2": "DATETIME2(7)", "do": "DATETIMEOFFSET(2)", "u": "UNIQUEIDENTIFIER",
    "bin": "BINARY(3)", "vb": "VARBINARY(8)",
}
INTEGERS, EXACT, FLOATS = ("ti", "si", "i", "bi"), ("d", "n", "m"), ("f", "r")
STRINGS, TIMES, BINARIES = ("c", "v", "nc", "nv"), ("da", "t", "dt", "d2", "do"), ("bin", "vb")
WORDS = ["", "a", "A", "b", "B", "ab", "Ab", "aB", "z", "Z", "é", "É", "a b", "ß", "日本", "~", "Zürich", "zürich", "_", "%"]


def value(rng, name):
    """A value of a column: few enough of them that groups have several rows."""
    if rng.random() < 0.15 and name != "id":
        return None
    few = rng.randrange(6)
    if name == "id":
        return rng.choice(KEYS)
    if name == "ti":
        return rng.choice([0, 1, 7, 200, 255])
    if name == "si":
        return rng.choice([-32768, -5, 0, 3, 32767])
    if name == "i":
        return rng.choice([-20, -3, -1, 0, 1, 2, 10, 1000000])
    if name == "bi":
        return rng.choice([-5000000000, -1, 0, 1, 4000000000, 1234567890123])
    if name == "b":
        return rng.random() < 0.5
    if name in ("d", "m"):
        return rng.choice(["-10.25", "-0.01", "0", "0.01", "1.50", "99.99", "1234567.89"])
    if name == "n":
        return rng.choice(["-1.00000001", "0", "0.00000001", "2.5", "123456789012.12345678"])
    if name in FLOATS:
        return rng.choice([-2.5, -1.0, 0.0, 0.25, 0.5, 3.0, 1024.0])
    if name == "c":
        return rng.choice(["", "a", "A", "abc", "ABC", "b", "zz"])
    if name == "nc":
        return rng.choice(["", "a", "A", "é", "É", "b"])
    if name in ("v", "nv"):
        word = rng.choice(WORDS if name == "nv" else [w for w in WORDS if w.isascii()])
        return word + " " * rng.choice([0, 0, 0, 1, 2])
    if name == "da":
        return f"20{20 + few}-0{1 + few}-1{few}"
    if name == "t":
        return f"1{few}:0{few}:00.{few}50"
    if name == "dt":
        return f"2026-11-2{few}T13:05:0{few}.0{few}7"
    if name == "d2":
        return f"2026-11-22T13:05:00.123456{few}"
    if name == "do":  # the same instants in several offsets
        return rng.choice(["2026-11-22T13:05:00.12+02:00", "2026-11-22T11:05:00.12+00:00", "2026-11-22T11:05:00.12-01:00",
                           "2026-11-22T10:05:00.12-01:00", "2026-11-22T23:59:59.99+14:00", "1999-12-31T00:00:00.00+00:00"])
    if name == "u":
        return f"{few:08X}-{rng.randrange(2):04X}-4{few:03X}-9A0C-{rng.randrange(3):012X}"
    if name in BINARIES:
        data = bytes(rng.choice([0, 1, 127, 128, 255]) for _ in range(3 if name == "bin" else rng.randrange(4)))
        return base64.b64encode(data).decode()
    raise AssertionError(name)


def rows(rng):
    result = []
    for _ in range(ROWS):
        result.append({name: value(rng, name) for name in COLUMNS})
    return result


def shard_of(key):
    h = 0x811C9DC5
    for b in str(key).encode():
        h = (h ^ b) * 0x01000193 & 0xFFFFFFFF
    return h % 3


# Skew: most keys are on shard 0, a few on shard 1, none on shard 2.
KEYS = [k for k in range(1000) if shard_of(k) == 0][:40] + [k for k in range(1000) if shard_of(k) == 1][:4]


def literal(rng, name):
    v = value(rng, name)
    if v is None or name in BINARIES:
        return None
    if isinstance(v, bool):
        return str(int(v))
    if isinstance(v, (int, float)) or name in EXACT:
        return str(v)
    return "N'" + v.replace("'", "''") + "'"


def condition(rng, names, depth=0):
    """A random predicate on the columns."""
    kind = rng.randrange(8 if depth < 2 else 5)
    if kind >= 5:
        word = rng.choice([" AND ", " OR "])
        text = word.join("(" + condition(rng, names, depth + 1) + ")" for _ in range(2))
        return "NOT (" + text + ")" if kind == 7 else text
    name = rng.choice(names)
    lit = literal(rng, name)
    if lit is None or kind == 0:
        return f"[{name}] IS {rng.choice(['', 'NOT '])}NULL"
    if kind == 1 and name in STRINGS:
        return f"[{name}] LIKE N'{rng.choice(['a%', '%b%', '_', 'Z%', '[a-c]%'])}'"
    if kind == 2:
        others = [x for x in (literal(rng, name) for _ in range(3)) if x]
        return f"[{name}] {rng.choice(['', 'NOT '])}IN ({', '.join([lit] + others)})"
    if kind == 3:
        return f"[{name}] BETWEEN {lit} AND {literal(rng, name) or lit}"
    return f"[{name}] {rng.choice(['=', '<>', '<', '<=', '>', '>='])} {lit}"


def order(rng, names):
    result = []
    for name in rng.sample(names, rng.randrange(1, min(4, len(names)) + 1)):
        result.append(rng.choice([name, {"column": name}, {"column": name, "dir": "desc"}, {"column": name, "dir": "asc"}]))
    return result


def aggregate(rng, number):
    op = rng.choice(["count", "count", "count_distinct", "sum", "avg", "min", "max"])
    if op == "count":
        a = rng.choice([{"op": op}, {"op": op, "column": rng.choice(list(COLUMNS))}])
    elif op == "count_distinct":
        a = {"op": op, "column": rng.choice([c for c in COLUMNS if c not in FLOATS])}
    elif op in ("sum", "avg"):
        a = {"op": op, "column": rng.choice([*INTEGERS, *EXACT, *FLOATS])}
    else:
        a = {"op": op, "column": rng.choice([c for c in COLUMNS if c not in ("b",)])}
    return {**a, "as": f"x{number}"}


def having(rng, query):
    """A condition on the query's aggregates and groups."""
    parts = []
    for a in query.get("aggregates", []):
        if a["op"] in ("count", "count_distinct"):
            parts.append(f"{a['as']} {rng.choice(['>', '<=', '<>', '='])} {rng.randrange(12)}")
        elif a["op"] in ("sum", "avg"):
            parts.append(f"{a['as']} {rng.choice(['>', '<='])} {rng.choice(['0', '1.5', '1e2', '-3', '10'])}")
        else:
            parts.append(condition(rng, [a["column"]], 2).replace(f"[{a['column']}]", a["as"]))
    for g in query.get("group_by", []):
        parts.append(condition(rng, [g], 2))
    text = rng.choice([" AND ", " OR "]).join(rng.sample(parts, rng.randrange(1, min(3, len(parts)) + 1)))
    return rng.choice([text, f"NOT ({text})"])


def make_query(rng):
    query = {}
    if rng.random() < 0.4:
        query["condition"] = condition(rng, [c for c in COLUMNS if c != "id"])
    elif rng.random() < 0.2:
        query["condition"] = f"id IN ({', '.join(str(k) for k in rng.sample(KEYS, 3))})"
    names = list(COLUMNS)
    kind = rng.randrange(4)
    if kind == 0:  # rows
        if rng.random() < 0.7:
            query["columns"] = rng.sample(names, rng.randrange(1, 6))
        if rng.random() < 0.8:
            query["order_by"] = order(rng, names)
    elif kind == 1:  # rows that differ
        query["distinct"] = True
        query["columns"] = rng.sample(names, rng.randrange(1, 3))
        if rng.random() < 0.6:
            query["order_by"] = order(rng, query["columns"])
    else:  # groups
        if rng.random() < 0.75:
            query["group_by"] = rng.sample(names, rng.randrange(1, 3))
        if rng.random() < 0.85 or "group_by" not in query:
            query["aggregates"] = [aggregate(rng, n) for n in range(rng.randrange(1, 5))]
        if "group_by" in query and rng.random() < 0.2:
            query["columns"] = query["group_by"][:1]
        if rng.random() < 0.4:
            query["having"] = having(rng, query)
        outputs = query.get("group_by", []) + [a["as"] for a in query.get("aggregates", [])]
        if rng.random() < 0.5:
            query["order_by"] = order(rng, outputs)
    if rng.random() < 0.4:
        query["limit"] = rng.choice([0, 1, 3, 10, 50, 1000])
    if rng.random() < 0.3:
        query["offset"] = rng.choice([0, 1, 2, 7, 100])
    return query


def column_of(query, name):
    """The column whose values an output has, or None for a number that was computed."""
    for a in query.get("aggregates", []):
        if a["as"] == name:
            return a["column"] if a["op"] in ("min", "max") else None
    return name


def canonical(query, name, v):
    """A value such that equal ones (by SQL's rules for groups) are equal here."""
    column = column_of(query, name)
    if isinstance(v, decimal.Decimal) and (column is None or column in FLOATS):
        return float(f"{float(v):.9g}") if is_float(query, name) else str(v)
    if isinstance(v, decimal.Decimal):
        return str(v)
    if not isinstance(v, str) or column is None:
        return v
    if column in STRINGS:
        v = v.rstrip(" ")
        grouped = query.get("distinct") or name in query.get("group_by", [])
        return "".join(c.lower() for c in v) if grouped else v
    if column == "do":
        date, rest = v.split("T")
        clock, sign, zone = rest[:11], rest[11], rest[12:]
        minutes = (int(zone[:2]) * 60 + int(zone[3:])) * (1 if sign == "+" else -1)
        y, m, d = map(int, date.split("-"))
        return (datetime.datetime(y, m, d, int(clock[:2]), int(clock[3:5]), int(clock[6:8]), int(clock[9:11]) * 10000)
                - datetime.timedelta(minutes=minutes)).isoformat()
    return v


def is_float(query, name):
    for a in query.get("aggregates", []):
        if a["as"] == name:
            return a["op"] in ("sum", "avg") and a["column"] in FLOATS
    return False


class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.many, cls.one = harness.Cluster(), harness.Cluster(shards=(("go", "GO"),))
        try:
            for cluster in (cls.many, cls.one):
                cluster.config["timeout_ms"] = 30000  # a sanitizer build on a busy machine
                cluster.config_file.write_text(json.dumps(cluster.config))
                cluster.start()
            data = rows(random.Random(7))
            for cluster in (cls.many, cls.one):
                cls.fill(cluster.api, data)
            counts = cls.many.api.post("/map-reduce-count", cls.T).json["map"]
            assert counts[0]["count"] > counts[1]["count"] > counts[2]["count"] == 0, counts
        except BaseException:
            cls.tearDownClass()
            raise

    T = {"db_name": "Q", "table": "T"}

    @classmethod
    def fill(cls, api, data):
        inserts = [("/insert", {**cls.T, "data": data[i:i + 40]}) for i in range(0, len(data), 40)]
        for path, body in (("/create-db", {"db_name": "Q"}),
                           ("/create-table", {**cls.T, "columns": COLUMNS, "shard_column": "id"}), *inserts):
            answer = api.post(path, body)
            assert answer.status == 200, answer

    @classmethod
    def tearDownClass(cls):
        cls.many.stop()
        cls.one.stop()

    @staticmethod
    def ask(cluster, query):
        answer = cluster.api.post("/select", {**Differential.T, **query})
        return answer, json.loads(answer.body, parse_float=decimal.Decimal)

    def check_query(self, query):
        a, many = self.ask(self.many, query)
        b, one = self.ask(self.one, query)
        if b.status != 200:
            self.assertEqual((a.status, many["code"], many.get("sql_error")), (b.status, one["code"], one.get("sql_error")), (a, b))
            return False
        self.assertEqual(a.status, 200, a)
        self.assertTrue(many["complete"])
        self.assertEqual(many["count"], len(many["rows"]))
        self.assertEqual([list(r) for r in many["rows"]][:1], [list(r) for r in one["rows"]][:1])
        keys = [o if isinstance(o, str) else o["column"] for o in query.get("order_by", [])]
        if query.get("distinct") or "group_by" in query:
            # Of "a" and "A" either may stand for their group, and is sorted as it is spelled.
            keys = list(itertools.takewhile(lambda k: k not in STRINGS, keys))

        def row(r, names):
            return tuple(canonical(query, n, r[n]) for n in names if n in r)

        def show(answer):
            return answer["rows"][:20]

        if keys:  # the order's keys are equal row by row; which of the rows that tie is not told
            self.assertEqual([row(r, keys) for r in many["rows"]], [row(r, keys) for r in one["rows"]])
        cut = "limit" in query or query.get("offset")
        if cut:
            self.assertEqual(len(many["rows"]), len(one["rows"]))
            # What is cut off is not told either, but the whole must have every row that was given.
            _, one = self.ask(self.one, {k: v for k, v in query.items() if k not in ("limit", "offset")})
        left = {}
        for r in one["rows"]:
            left[row(r, list(r))] = left.get(row(r, list(r)), 0) + 1
        for r in many["rows"]:
            key = row(r, list(r))
            self.assertGreater(left.get(key, 0), 0, f"{r} is no row of one shard; many: {show(many)} one: {show(one)}")
            left[key] -= 1
        if not cut:
            self.assertEqual(sum(left.values()), 0, f"rows are missing: {[k for k, n in left.items() if n][:5]}")
        return True

    def test_many_shards_answer_as_one(self):
        answered = 0
        for seed in range(FIRST_SEED, FIRST_SEED + QUERIES):
            query = make_query(random.Random(seed))
            with self.subTest(seed=seed):
                try:
                    answered += self.check_query(query)
                except AssertionError as e:
                    raise AssertionError(f"SHARDGATE_QUERY_SEED={seed} {json.dumps(query, ensure_ascii=False)}\n{e}") from None
        if QUERIES >= 100:
            self.assertGreater(answered, QUERIES * 0.8, "too many queries were refused")


class Exact(harness.ClusterTest):
    """Answers over several shards whose every digit is known."""

    T = {"db_name": "E", "table": "T"}
    ON = [next(k for k in range(1000) if shard_of(k) == shard) for shard in range(3)]  # a key of each shard

    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster()
        cls.cluster.config["limits"] = {"max_rows": 6, "max_groups": 4}
        cls.cluster.config_file.write_text(json.dumps(cls.cluster.config))
        try:
            cls.cluster.start()
        except BaseException:
            cls.cluster.stop()
            raise
        cls.api = cls.cluster.api
        cls.api.post("/create-db", {"db_name": "E"})

    def setUp(self):
        # A shard that was held by the test before is asked again once it is known to be well.
        harness.eventually(lambda: self.api.post("/delete-table", {**self.T, "if_exists": True}).status == 200, message="the table stays")

    def fill(self, kind, values):
        """A table with a column v of this type; the values go to shard 0, 1, 2, 0 …"""
        self.ok("/create-table", {**self.T, "columns": {"id": "INT", "v": kind}, "shard_column": "id"})
        self.ok("/insert", {**self.T, "data": [{"id": self.ON[i % 3], "v": v} for i, v in enumerate(values)]})

    def total(self, **query):
        answer = self.ok("/select", {**self.T, **query})
        self.assertEqual(answer["count"], 1)
        return answer["rows"][0]

    def raw(self, **query):
        return self.api.post("/select", {**self.T, **query}).body.decode()

    def test_sums_overflow_as_one(self):
        cases = [("INT", 2147483647), ("SMALLINT", 30000), ("BIGINT", 9223372036854775807), ("MONEY", "922337203685477.5807"),
                 ("DECIMAL(38,0)", 99999999999999999999999999999999999999)]
        for kind, top in cases:
            self.setUp()
            if kind == "SMALLINT":  # an INT takes the sum
                self.fill(kind, [top, top, top])
                self.assertEqual(self.total(aggregates=[{"op": "sum", "column": "v"}]), {"sum_v": 90000})
                continue
            self.fill(kind, [top, 1, None])
            for op in ("sum", "avg"):
                with self.subTest(kind=kind, op=op):
                    problem = self.refused(422, "bad_value", "/select", {**self.T, "aggregates": [{"op": op, "column": "v"}]})
                    self.assertEqual(problem["sql_error"], 8115)
            for key in self.ON[:2]:  # where each part fits
                self.total(condition=f"id = {key}", aggregates=[{"op": "sum", "column": "v"}])

    def test_averages(self):
        for kind, values, expected in (("INT", [-1, -2, None], "-1"), ("INT", [1, 2, 2], "1"), ("DECIMAL(10,2)", [1, 1, 0], "0.666666"),
                                       ("DECIMAL(10,2)", [-1, -1, 0], "-0.666666"), ("NUMERIC(20,8)", [1, 0, 0], "0.33333333"),
                                       ("MONEY", [1, 1, 0], "0.6666"), ("FLOAT", [1, 2, None], "1.5"), ("TINYINT", [255, 254, 254], "254"),
                                       ("BIGINT", [None, None, None], "null")):
            with self.subTest(kind=kind, values=values):
                self.setUp()
                self.fill(kind, values)
                self.assertIn(f'"avg_v":{expected}}}', self.raw(aggregates=[{"op": "avg", "column": "v"}]))

    def test_no_rows(self):
        self.fill("INT", [1, 2, 3])
        query = {"condition": "v > 9", "aggregates": [{"op": op, "column": "v"} for op in ("count", "count_distinct", "sum", "avg", "min", "max")]}
        self.assertEqual(list(self.total(**query).values()), [0, 0, None, None, None, None])
        self.assertEqual(self.ok("/select", {**self.T, **query, "group_by": ["v"]})["rows"], [])
        self.assertEqual(self.total(**{**query, "condition": "id = 1 AND id = 2"})["count_v"], 0)

    def test_guids_sort_as_in_sql_server(self):
        guids = ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0001-000000000000", "00000000-0000-0001-0000-000000000000",
                 "00000000-0001-0000-0000-000000000000", "00000001-0000-0000-0000-000000000000", "01000000-0000-0000-0000-000000000000"]
        self.fill("UNIQUEIDENTIFIER", guids)
        rows = self.ok("/select", {**self.T, "columns": ["v"], "order_by": [{"column": "v", "dir": "desc"}]})["rows"]
        self.assertEqual([r["v"] for r in rows], guids)

    def test_columns_of_the_order_are_not_shown(self):
        self.fill("INT", [3, 1, 2])
        answer = self.ok("/select", {**self.T, "columns": ["id"], "order_by": ["v"], "limit": 2})
        self.assertEqual(answer["rows"], [{"id": self.ON[1]}, {"id": self.ON[2]}])

    def test_params_are_shared(self):
        self.fill("INT", [3, 1, 2])
        query = {"condition": "v >= @low", "group_by": ["v"], "having": "v <> @not AND count >= @low", "aggregates": [{"op": "count"}],
                 "params": {"low": 1, "not": 2}, "order_by": ["v"]}
        self.assertEqual(self.ok("/select", {**self.T, **query})["rows"], [{"v": 1, "count": 1}, {"v": 3, "count": 1}])
        self.refused(400, "bad_field", "/select", {**self.T, **query, "params": {"low": 1, "not": 2, "more": 3}})

    def test_limits_name_their_setting(self):
        self.fill("INT", list(range(6)))
        self.assertEqual(self.ok("/select", {**self.T, "order_by": ["v"]})["count"], 6)
        self.assertIn("limits.max_groups", self.refused(400, "bad_field", "/select", {**self.T, "group_by": ["v"]})["detail"])
        problem = self.refused(400, "bad_field", "/select", {**self.T, "aggregates": [{"op": "count_distinct", "column": "v"}]})
        self.assertIn("limits.max_groups", problem["detail"])
        self.ok("/insert", {**self.T, "data": {"id": self.ON[0], "v": 6}})
        self.assertIn("limits.max_rows", self.refused(400, "bad_field", "/select", {**self.T, "order_by": ["v"]})["detail"])
        self.assertEqual(self.ok("/select", {**self.T, "order_by": ["v"], "limit": 1})["count"], 1)
        self.assertEqual(self.ok("/select", self.T)["count"], 7)

    def test_explain_shows_and_runs_nothing(self):
        self.fill("INT", [3, 1, 2])
        answer = self.ok("/explain", {**self.T, "columns": ["id"], "order_by": ["v"], "limit": 2, "offset": 1, "condition": "v > 0"})
        self.assertEqual([s["worker"] for s in answer["shards"]], ["go", "python", "node"])
        self.assertEqual(answer["shards"][0]["sql"], "SELECT TOP (@p1) [id], [v] FROM [EGO].[dbo].[T] WHERE [v] > @p2 ORDER BY [v], [id]")
        self.assertEqual(answer["merge"], ["merge the shards' sorted rows by order_by, then all columns, then the shards", "skip 1 rows, then end after 2 rows",
                                           "give a cursor of the last row as next, if another row follows"])
        answer = self.ok("/explain", {**self.T, "condition": f"id = {self.ON[1]}"})
        self.assertEqual(answer["shards"], [{"shard": 1, "worker": "python", "sql": "SELECT [id], [v] FROM [EPY].[dbo].[T] WHERE [id] = @p1"}])
        self.assertEqual(answer["routing"]["reason"], "the condition on id leaves 1 of 3 shards")
        self.assertEqual(self.ok("/explain", {**self.T, "condition": "id = 1 AND id = 3", "limit": 1})["shards"], [])
        self.refused(404, "no_such_table", "/explain", {**self.T, "table": "Nope"})

    def test_partial_answers_say_what_is_missing(self):
        self.fill("INT", [3, 1, 2])
        queries = [{}, {"order_by": ["v"]}, {"aggregates": [{"op": "count", "as": "n"}]}, {"condition": f"id = {self.ON[2]}"}]
        expected = [[{"id": self.ON[0], "v": 3}, {"id": self.ON[1], "v": 1}], [{"id": self.ON[1], "v": 1}, {"id": self.ON[0], "v": 3}], [{"n": 2}], []]
        with self.cluster.stopped("shardgate-tdsd", str(self.cluster.tds_ports["node"])):
            for query, rows in zip(queries, expected):
                with self.subTest(query=query):
                    problem = self.api.post("/select", {**self.T, **query}, X_Timeout_Ms="2000")
                    self.assertIn(problem.status, (503, 504))
                    answer = self.ok("/select", {**self.T, **query, "allow_partial": True}, X_Timeout_Ms="2000")
                    self.assertEqual((answer["rows"], answer["count"], answer["complete"]), (rows, len(rows), False))
                    lost = answer["shards"][-1]
                    self.assertEqual((lost["shard"], lost["worker"], lost["outcome"]), (2, "node", "not_applied"))
                    self.assertTrue(lost["detail"])
            answer = self.ok("/select", {**self.T, "allow_partial": True, "condition": f"id = {self.ON[0]}"})
            self.assertTrue(answer["complete"])
            self.refused(400, "bad_field", "/select", {**self.T, "allow_partial": True, "limit": -1})


class Dear(harness.ClusterTest):
    """Requests that would cost more than they may."""

    T = {"db_name": "D", "table": "T"}

    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster()
        cls.cluster.config["limits"] = {"max_memory": 1 << 20, "max_scatter": 2}
        cls.cluster.config_file.write_text(json.dumps(cls.cluster.config))
        try:
            cls.cluster.start()
        except BaseException:
            cls.cluster.stop()
            raise
        cls.api = cls.cluster.api

    def test_settings_are_named(self):
        self.fresh_database("D")
        self.ok("/create-table", {**self.T, "columns": {"student_id": "INT", "v": "VARCHAR(1000)"}})
        two = Exact.ON[:2]
        for key in two:
            self.ok("/insert", {**self.T, "data": [{"student_id": key, "v": f"{key} {n} ".ljust(1000, "x")} for n in range(1000)]})
        near = {**self.T, "condition": f"student_id IN ({two[0]}, {two[1]})"}
        self.assertEqual(self.ok("/select", near)["count"], 2000)
        problem = self.refused(400, "bad_field", "/select", {**near, "group_by": ["v"], "aggregates": [{"op": "count"}]})
        self.assertIn("limits.max_memory", problem["detail"])
        for path, body in (("/select", self.T), ("/map-reduce-count", self.T), ("/delete", {**self.T, "condition": "v = 'x'", "scatter": True})):
            problem = self.refused(400, "bad_field", path, body)
            self.assertIn("limits.max_scatter", problem["detail"])
            self.assertEqual(problem["outcome"], "not_applied")


if __name__ == "__main__":
    harness.main()
