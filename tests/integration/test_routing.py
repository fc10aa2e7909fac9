#!/usr/bin/env python3
"""Where rows go and which shards are asked."""

import csv
import json

import harness
from harness import DATA, ClusterTest


def vectors():
    with open(DATA / "fnv1a.tsv", encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                key, _, shard, _ = line.rstrip("\n").split("\t")
                yield json.loads(key), int(shard)


class Routing(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        answer = cls.api.post("/create-db", {"db_name": "R"})
        assert answer.status == 200, answer

    def table(self, name, columns, **more):
        t = {"db_name": "R", "table": name}
        self.ok("/create-table", {**t, "columns": columns, **more})
        return t

    def shards(self, answer):
        return [s["shard"] for s in answer["shards"]]

    def test_vectors(self):
        t = self.table("Vec", {"k": "NVARCHAR(100)"}, shard_column="k")
        for key, shard in vectors():
            with self.subTest(key=key):
                answer = self.ok("/insert", {**t, "data": {"k": key}})
                self.assertEqual(answer["routing"], {"key": key, "source": "shard_column", "shard": shard})
                answer = self.ok("/select", {**t, "condition": "k = @k", "params": {"k": key}})
                self.assertEqual((self.shards(answer), answer["count"]), ([shard], 1))

    def test_row_hash(self):
        t = self.table("Hash", {"name": "VARCHAR(10)", "grade": "VARCHAR(5)"})
        answer = self.ok("/insert", b'{"db_name":"R","table":"Hash","data":{"name":"Ali","grade":"A"}}')
        self.assertEqual((answer["routing"]["source"], answer["routing"]["shard"]), ("row_hash", 1))  # ef51fd76
        self.assertEqual(self.ok("/insert", {**t, "shard_key": "1001", "data": {"name": "B"}})["routing"],
                         {"key": "1001", "source": "shard_key", "shard": 0})
        self.assertEqual(self.ok("/select", {**t, "shard_key": "1001"})["rows"], [{"name": "B", "grade": None}])
        self.assertEqual(len(self.ok("/select", {**t, "condition": "name = 'Ali'"})["shards"]), 3)

    def test_key_precedence(self):
        t = self.table("Prec", {"region": "VARCHAR(10)", "student_id": "INT", "user_id": "INT"}, shard_column="region")
        for data, source, key in (({"region": "eu", "student_id": 1}, "shard_column", "eu"), ({"region": None, "student_id": "01001"}, "student_id", "1001"),
                                  ({"user_id": 7, "student_id": None}, "user_id", "7")):
            answer = self.ok("/insert", {**t, "data": data})
            self.assertEqual((answer["routing"]["source"], answer["routing"]["key"]), (source, key), data)
        self.assertEqual(self.ok("/insert", {**t, "data": {}})["routing"]["source"], "row_hash")
        self.assertEqual(self.ok("/insert", {**t, "shard_key": "eu", "data": {"student_id": 2}})["routing"]["source"], "shard_key")
        self.refused(400, "shard_key_mismatch", "/insert", {**t, "shard_key": "us", "data": {"region": "eu"}})
        self.ok("/insert", {**t, "shard_key": "eu ", "data": {"region": "eu"}})

    def test_canonical_keys(self):
        t = self.table("Canon", {"student_id": "BIGINT"})
        for value in (1001, "1001", "01001", 1001.0, "+1001", "1001.0", 1.001e3):
            answer = self.ok("/insert", {**t, "data": {"student_id": value}})
            self.assertEqual(answer["routing"], {"key": "1001", "source": "shard_column", "shard": 0}, value)
        for condition in ("student_id = 1001", "1001 = student_id", "student_id = '1001'", "STUDENT_ID = 1001.00", "[student_id] IN (1001)",
                          "student_id BETWEEN 1001 AND 1001", "NOT student_id <> 1001", "student_id = 1001 AND student_id > 5", "student_id = 1001e0"):
            answer = self.ok("/select", {**t, "condition": condition})
            self.assertEqual((self.shards(answer), answer["count"]), ([0], 7), condition)
        g = self.table("Guid", {"id": "UNIQUEIDENTIFIER"}, shard_column="id")
        for value in ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3F2504E0-4F89-11D3-9A0C-0305E82C3301"):
            answer = self.ok("/insert", {**g, "data": {"id": value}})
            self.assertEqual((answer["routing"]["key"], answer["routing"]["shard"]), ("3F2504E0-4F89-11D3-9A0C-0305E82C3301", 0))
        d = self.table("Date", {"day": "DATE"}, shard_column="day")
        self.assertEqual(self.ok("/insert", {**d, "data": {"day": "2026-11-22"}})["routing"], {"key": "2026-11-22", "source": "shard_column", "shard": 0})
        s = self.table("Str", {"student_id": "CHAR(8)"})
        self.assertEqual(self.ok("/insert", {**s, "data": {"student_id": "Ali   "}})["routing"]["key"], "Ali")
        self.assertEqual(self.ok("/select", {**s, "condition": "student_id = 'Ali'"})["rows"], [{"student_id": "Ali     "}])

    def test_narrowing(self):
        t = self.table("Narrow", {"student_id": "INT", "n": "INT"})
        self.ok("/insert", {**t, "data": [{"student_id": 1000 + i, "n": i} for i in range(12)]})
        for condition, shards, count in (
                ("student_id = 1001", [0], 1), ("student_id IN (1001, 1002)", [0, 2], 2), ("student_id = 1001 OR student_id = 1003", [0, 1], 2),
                ("student_id = 1001 AND student_id = 1002", [], 0), ("student_id = 1001 AND n = 5", [0], 0), ("student_id = 1001 OR n = 5", [0, 1, 2], 2),
                ("student_id > 1001 AND student_id IN (1002)", [2], 1), ("NOT (student_id <> 1001 OR n <> 1)", [0], 1), ("student_id = 1.5", [], 0),
                ("student_id IN (1001, 1002) AND student_id IN (1002, 1003)", [2], 1), ("NOT (student_id = 1001)", [0, 1, 2], 11), ("ABS(student_id) = 1001", [0, 1, 2], 1),
                ("student_id IS NULL", [0, 1, 2], 0), ("student_id = n", [0, 1, 2], 0), ("student_id NOT IN (1001)", [0, 1, 2], 11), ("student_id = 3000000000", None, 0)):
            with self.subTest(condition=condition):
                for path in ("/select", "/map-reduce-count"):
                    answer = self.ok(path, {**t, "condition": condition})
                    self.assertEqual(answer["count" if path == "/select" else "total"], count)
                answer = self.ok("/select", {**t, "condition": condition})
                if shards is not None:
                    self.assertEqual(self.shards(answer), shards)
        self.assertEqual(self.shards(self.ok("/select", {**t, "condition": "student_id = @a", "params": {"a": "1003"}})), [1])
        self.assertEqual(self.ok("/select", {**t, "condition": "student_id = @a", "params": {"a": None}})["count"], 0)
        self.assertEqual(self.shards(self.ok("/select", {**t, "shard_key": 1002})), [2])
        self.refused(400, "shard_key_mismatch", "/select", {**t, "shard_key": 1001, "condition": "student_id = 1002"})

    def test_insensitive_collation_narrows_nothing(self):
        """A table that was not made by /create-table may compare strings without regard to case: then all shards are asked."""
        for worker, suffix in self.cluster.NAMES:
            out = self.cluster.tsql(worker, f"CREATE TABLE R{suffix}.dbo.Foreign1 (student_id VARCHAR(20) COLLATE Latin1_General_100_CI_AS_SC_UTF8)")
            self.assertEqual(out.strip(), "")
        t = {"db_name": "R", "table": "Foreign1"}
        self.ok("/insert", {**t, "data": [{"student_id": "ali"}, {"student_id": "ALI"}]})
        answer = self.ok("/select", {**t, "condition": "student_id = 'Ali'"})
        self.assertEqual((answer["count"], len(answer["shards"])), (2, 3))

    def test_array_insert(self):
        t = self.table("Arr", {"student_id": "INT PRIMARY KEY", "name": "VARCHAR(20)"})
        answer = self.ok("/insert", {**t, "data": [{"student_id": i, "name": f"n{i}"} for i in range(300)]})
        self.assertEqual(answer["rows_affected"], 300)
        self.assertEqual(sum(s["rows_affected"] for s in answer["shards"]), 300)
        self.assertEqual(self.ok("/map-reduce-count", t)["total"], 300)
        self.refused(409, "duplicate_key", "/insert", {**t, "shard_key": 1001, "data": [{"student_id": 1001}, {"student_id": 1001}]})
        self.assertEqual(self.ok("/map-reduce-count", t)["total"], 300)

    def test_table_made_anew_with_another_key(self):
        """Masters keep table descriptions; none may route by one that is out of date."""
        t = self.table("Anew", {"a": "INT", "b": "INT"}, shard_column="a")
        backup = self.cluster.start_backup()
        for api in (self.api, backup):
            self.assertEqual(api.post("/insert", {**t, "data": {"a": 1001, "b": 1002}}).json["routing"]["key"], "1001")
        self.ok("/delete-table", t)
        self.table("Anew", {"a": "INT", "b": "INT"}, shard_column="b")
        for api in (backup, self.api):
            answer = api.post("/insert", {**t, "data": {"a": 1001, "b": 1002}})
            self.assertEqual((answer.status, answer.json.get("routing")), (200, {"key": "1002", "source": "shard_column", "shard": 2}), answer)


if __name__ == "__main__":
    harness.main()
