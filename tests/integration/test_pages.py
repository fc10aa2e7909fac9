#!/usr/bin/env python3
"""Pages: the answers that next and after lead through, joined, are the whole answer in its order.

Seeded random queries; a failure prints its seed: SHARDGATE_QUERY_SEED=seed SHARDGATE_PAGED=1 asks that one again.
SHARDGATE_PAGED sets how many there are (40).
"""

import json
import os
import random

import harness
import test_queries as queries

PAGED = int(os.environ.get("SHARDGATE_PAGED", "40"))
FIRST_SEED = int(os.environ.get("SHARDGATE_QUERY_SEED", "1"))
DOWN = "desc"


def down(column):
    return {"column": column, "dir": DOWN}


class Pages(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.one = harness.Cluster(shards=(("go", "GO"),))
        try:
            cls.one.start()
            for api in (cls.api, cls.one.api):
                cls.fill(api)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.one.stop()
        super().tearDownClass()

    T = {"db_name": "P", "table": "T"}

    @classmethod
    def fill(cls, api):
        """The rows of test_queries, most of them on shard 0, with a key of their own."""
        data = [{"k": n, **row} for n, row in enumerate(queries.rows(random.Random(7)))]
        random.Random(3).shuffle(data)
        for path, body in (("/create-db", {"db_name": "P"}),
                           ("/create-table", {**cls.T, "columns": {"k": "INT PRIMARY KEY", **queries.COLUMNS}, "shard_column": "id"}),
                           *(("/insert", {**cls.T, "data": data[i:i + 40]}) for i in range(0, len(data), 40))):
            answer = api.post(path, body)
            assert answer.status == 200, answer

    def pages(self, query, sizes, api=None, between=lambda page: None):
        """All rows, page by page; the sizes take turns."""
        rows, after, page = [], {}, 0
        while True:
            limit = sizes[page % len(sizes)]
            answer = (api or self.api).post("/select", {**query, "limit": limit, **after})
            self.assertEqual(answer.status, 200, f"{query} {after} {answer}")
            answer = answer.json
            self.assertEqual(answer["count"], len(answer["rows"]))
            self.assertLessEqual(answer["count"], limit)
            self.assertEqual(list(answer)[:5], ["status", "rows", "count", "complete", "shards"])
            rows += answer["rows"]
            if "next" not in answer:
                return rows
            self.assertEqual(answer["count"], limit, "a page that is not the last is full")
            after = {"after": answer["next"]}
            query = {name: v for name, v in query.items() if name != "offset"}
            between(page)
            page += 1

    def whole(self, query, api=None):
        return self.ok("/select", query)["rows"] if api is None else api.post("/select", query).json["rows"]

    def test_joined_pages_are_the_whole(self):
        for seed in range(FIRST_SEED, FIRST_SEED + PAGED):
            rng = random.Random(seed)
            query = {**self.T, "columns": rng.sample([*queries.COLUMNS, "k"], rng.randrange(1, 6))}
            if rng.random() < 0.5:
                query["condition"] = queries.condition(rng, [c for c in queries.COLUMNS if c != "id"])
            elif rng.random() < 0.3:
                query["condition"] = f"id = {rng.choice(queries.KEYS)}"
            names = [*queries.COLUMNS, "k"]
            if rng.random() < 0.9:
                query["order_by"] = queries.order(rng, names)
            if rng.random() < 0.2:
                query["offset"] = rng.randrange(30)
            sizes = [rng.choice([3, 7, 20, 150]) for _ in range(3)]
            with self.subTest(seed=seed):
                told = f"SHARDGATE_QUERY_SEED={seed} {json.dumps(query, ensure_ascii=False)} {sizes}"
                expected = self.whole({**query, "limit": 10000}, self.one.api)
                self.assertEqual(self.pages(query, sizes), expected, told)
                # and without a limit, where the key does not come in, the order is the same by order_by
                keys = [o if isinstance(o, str) else o["column"] for o in query.get("order_by", [])]
                shown = [c for c in keys if c in query["columns"]]
                if shown == keys:
                    plain = self.whole(query, self.one.api)
                    self.assertEqual([[queries.canonical({}, c, r[c]) for c in keys] for r in plain],
                                     [[queries.canonical({}, c, r[c]) for c in keys] for r in expected], told)

    def test_rows_that_differ(self):
        for columns, order in ((["ti", "b"], []), (["d", "u"], [down("u")]), (["do"], ["do"]), (["id", "f", "da"], ["f", down("da")])):
            query = {**self.T, "columns": columns, "distinct": True, "order_by": order}
            got = self.pages(query, [4, 9])
            expected = self.whole({**query, "limit": 10000}, self.one.api)

            def rows(answer):
                return [[queries.canonical({}, c, r[c]) for c in columns] for r in answer]

            self.assertEqual(rows(got), rows(expected))
            self.assertEqual(len({tuple(r) for r in rows(got)}), len(got))
        spelled = {**self.T, "columns": ["nv"], "distinct": True}
        self.assertNotIn("next", self.ok("/select", {**spelled, "limit": 2}))
        self.assertIn("distinct", self.refused(400, "bad_field", "/select", {**spelled, "after": "x"})["detail"])

    KEY_TYPES = {  # values in their order
        "BIGINT": [-9007199254740993, -9007199254740992, 0, 9007199254740992, 9007199254740993],
        "BIT": [False, True],
        "DECIMAL(38,10)": ["-1234567890123456789012345678.0000000001", "-0.0000000001", "0", "0.0000000001", "1234567890123456789012345678.0000000001"],
        "MONEY": ["-922337203685477.5808", "-0.0001", "0", "922337203685477.5807"],
        "FLOAT": [-1.7976931348623157e308, -0.1, 5e-324, 0.1, 0.30000000000000004, 1.7976931348623157e308],
        "REAL": [-3.4028234663852886e38, 0.1, 0.2, 0.30000001192092896, 16777216.0],
        "NVARCHAR(20)": ["", "A", "Zb", "a'b", "b", "z", "Ä", "ß", "é", "日本"],
        "VARCHAR(20)": ["", "A", "C", "a x", "b x", "é", "日本"],
        "CHAR(4)": ["", "A", "B", "a b", "c"],
        "DATE": ["0001-01-01", "1582-10-15", "2026-11-22", "9999-12-31"],
        "TIME(7)": ["00:00:00", "13:05:00.1234567", "13:05:00.1234568", "23:59:59.9999999"],
        "DATETIME": ["1753-01-01T00:00:00", "2026-11-22T13:05:00.003", "2026-11-22T13:05:00.007", "2026-11-22T13:05:00.010", "9999-12-31T23:59:59.997"],
        "DATETIME2(7)": ["0001-01-01T00:00:00", "2026-11-22T13:05:00.1234567", "2026-11-22T13:05:00.1234568", "9999-12-31T23:59:59.9999999"],
        "DATETIMEOFFSET(7)": ["2026-11-22T13:05:00.1234567+14:00", "2026-11-22T13:05:00.1234567+02:00", "2026-11-22T11:05:00.1234568+00:00",
                              "2026-11-22T13:05:00.1234567-14:00"],
        "UNIQUEIDENTIFIER": ["FFFFFFFF-FFFF-FFFF-0000-000000000000", "00000000-0000-0001-0000-000000000001", "00000001-0000-0000-0000-000000000001",
                             "00000000-0000-0000-0001-000000000001", "00000000-0000-0000-0000-010000000000"],
        "BINARY(3)": ["AAAA", "AAAB", "AP8A", "fwAA", "////"],
        "VARBINARY(8)": ["AA==", "AQ==", "fwAB", "gA==", "/w=="],
    }

    def test_keys_of_every_type(self):
        self.fresh_database("PK")
        for n, (kind, values) in enumerate(self.KEY_TYPES.items()):
            with self.subTest(type=kind):
                t = {"db_name": "PK", "table": f"T{n}"}
                self.ok("/create-table", {**t, "columns": {"n": "INT", "k": f"{kind} PRIMARY KEY", "o": kind}, "shard_column": "n"})
                # The key is unique on each shard: equal ones follow in the order of the shards.
                keys = queries.KEYS[:1] + queries.KEYS[-1:] + [next(k for k in range(1000) if queries.shard_of(k) == 2)]
                data = [{"n": key, "k": v, "o": None if i % 3 == 0 else values[-1 - i]} for key in keys for i, v in enumerate(values)]
                random.Random(n).shuffle(data)
                self.ok("/insert", {**t, "data": data})
                expected = [(v, key) for v in range(len(values)) for key in keys]
                for order in ([], ["k"]):
                    got = self.pages({**t, "order_by": order}, [1, 4])
                    self.assertEqual([r["n"] for r in got], [key for _, key in expected])
                backward = self.pages({**t, "order_by": [down("k")]}, [2])
                self.assertEqual([r["n"] for r in backward], [key for v in range(len(values)) for key in keys])
                self.assertEqual([r["k"] for r in backward[::3]], [r["k"] for r in got[::3]][::-1])
                for order in ([down("o")], ["o"], [down("o"), down("n")], ["n", down("o")]):
                    query = {**t, "order_by": order}
                    self.assertEqual(self.pages(query, [1, 2, 5]), self.whole({**query, "limit": 1000}))

    def test_keys_of_several_columns(self):
        self.fresh_database("PC")
        t = {"db_name": "PC", "table": "T"}
        self.ok("/create-table", {**t, "columns": {"a": "INT NOT NULL", "b": "NVARCHAR(5) NOT NULL", "c": "INT"}, "shard_column": "a"})
        self.assertIn("key", self.refused(400, "bad_field", "/select", {**t, "after": "x"})["detail"])
        data = [{"a": a, "b": b, "c": None if a % 2 else a % 3} for a in range(12) for b in ("x", "y", "Z")]
        self.ok("/insert", {**t, "data": data})
        for worker, suffix in (("go", "GO"), ("python", "PY"), ("node", "NODE")):
            self.cluster.tsql(worker, "CREATE UNIQUE INDEX u ON T (b DESC, a)", f"PC{suffix}")
        # until every worker has looked at its table again, and all agree
        harness.eventually(lambda: "the table's key" in str(self.api.post("/explain", {**t, "limit": 1}).json.get("merge")))
        for order in ([], ["c"], [down("c")], ["b", down("a")], [down("b"), "c"]):
            query = {**t, "order_by": order}
            got = self.pages(query, [1, 5, 7])
            self.assertEqual(got, self.whole({**query, "limit": 100}))
            self.assertEqual(len({(r["a"], r["b"]) for r in got}), len(data))

    def test_tables_without_a_key(self):
        """Rows that are alike are counted, on each shard."""
        self.fresh_database("PN")
        t = {"db_name": "PN", "table": "T"}
        self.ok("/create-table", {**t, "columns": {"student_id": "INT", "name": "NVARCHAR(20)", "grade": "VARCHAR(5)", "at": "DATETIMEOFFSET(0)"}})
        rng = random.Random(11)
        data = [{"student_id": rng.choice([1001, 1002, 1003, None]), "name": rng.choice(["a", "A", "b", None]), "grade": rng.choice(["x", None]),
                 "at": "2026-11-22T00:00:00+00:00"} for _ in range(150)]
        self.ok("/insert", {**t, "data": data[:100]})
        self.ok("/insert", {**t, "data": data[100:]})
        for order in (["student_id"], ["name", down("grade")], [down("student_id")], ["at"], ["grade", "name", "student_id", "at"]):
            for columns in (["name"], ["student_id", "name", "grade", "at"]):
                query = {**t, "columns": columns, "order_by": order}
                for sizes in ([1], [3, 8], [50]):
                    self.assertEqual(self.pages(query, sizes), self.whole({**query, "limit": 1000}), f"{order} {sizes}")
        query = {**t, "order_by": ["grade"], "condition": "student_id = 1001"}
        self.assertEqual(self.pages(query, [2]), self.whole({**query, "limit": 1000}))
        # of rows that are alike some go: of those that differ none is skipped
        token = self.ok("/select", {**t, "order_by": ["at", "student_id"], "limit": 140})
        left = self.ok("/select", {**t, "order_by": ["at", "student_id"], "after": token["next"]})["rows"]
        last = token["rows"][-1]
        for key in (1001, 1002, 1003):
            self.ok("/delete", {**t, "condition": f"student_id = {key} AND student_id = {last['student_id']}"})
        self.assertEqual(self.ok("/select", {**t, "order_by": ["at", "student_id"], "after": token["next"]})["rows"],
                         [r for r in left if r["student_id"] != last["student_id"]])
        # to put all rows in order for a mere limit would cost too much
        self.assertNotIn("next", self.ok("/select", {**t, "limit": 2}))
        self.assertIn("order_by", self.refused(400, "bad_field", "/select", {**t, "after": "x"})["detail"])
        self.ok("/create-table", {**t, "table": "U", "columns": {"student_id": "INT", "t": "TEXT"}})
        self.ok("/insert", {**t, "table": "U", "data": [{"student_id": 1, "t": "a"}, {"student_id": 2, "t": "b"}]})
        self.assertNotIn("next", self.ok("/select", {**t, "table": "U", "order_by": ["student_id"], "limit": 1}))

    def test_long_values(self):
        self.fresh_database("PL")
        t = {"db_name": "PL", "table": "T"}
        self.ok("/create-table", {**t, "columns": {"id": "INT PRIMARY KEY", "s": "NVARCHAR(MAX)", "v": "VARCHAR(MAX)", "b": "VARBINARY(MAX)"}})
        data = [{"id": i, "s": "é" * 5000 + str(i // 2), "v": "x" * 9000 + str(i // 3), "b": "AAAA" * 3000 + f"AAA{'ABCDEFGH'[i // 4]}"} for i in range(9)]
        self.ok("/insert", {**t, "data": data})
        for order in (["s"], [down("v"), "s"], ["b", down("v")]):
            query = {**t, "columns": ["id"], "order_by": order}
            self.assertEqual(self.pages(query, [1, 2]), self.whole({**query, "limit": 100}))

    def test_rows_that_come_and_go_meanwhile(self):
        """What stayed is there once, in its place; a row behind the page that came is there, too."""
        self.fresh_database("PM")
        t = {"db_name": "PM", "table": "T"}
        self.ok("/create-table", {**t, "columns": {"id": "INT PRIMARY KEY", "g": "INT"}, "shard_column": "id"})
        self.ok("/insert", {**t, "data": [{"id": i, "g": i % 4} for i in range(0, 120, 2)]})
        rng = random.Random(5)
        gone = set()

        def change(page):
            i = rng.randrange(0, 120, 2)
            gone.add(i)
            self.ok("/delete", {**t, "condition": f"id = {i}"})
            self.ok("/insert", {**t, "data": {"id": 121 + 2 * page, "g": rng.choice([0, 3])}})

        got = self.pages({**t, "order_by": [down("g")]}, [5], between=change)
        ids = [r["id"] for r in got]
        self.assertEqual(len(set(ids)), len(ids))
        stayed = set(range(0, 120, 2)) - gone
        self.assertLessEqual(stayed, set(ids))
        self.assertEqual([(-r["g"], r["id"]) for r in got], sorted((-r["g"], r["id"]) for r in got))
        self.assertTrue(any(i % 2 and r["g"] == 0 for i, r in zip(ids, got)), "those of the last group came in time")

    def test_what_is_refused(self):
        query = {**self.T, "columns": ["k"], "order_by": ["d"], "condition": "k > @k", "params": {"k": 5}}
        token = self.ok("/select", {**query, "limit": 3})["next"]
        self.assertEqual(len(self.ok("/select", {**query, "after": token})["rows"]), queries.ROWS - 6 - 3)
        self.assertEqual(self.ok("/select", {**query, "after": token, "limit": 0})["rows"], [])
        self.assertEqual(self.ok("/select", {**query, "after": None, "limit": 3})["next"], token)
        for change in ({"after": token[:-1]}, {"after": token + "A"}, {"after": ""}, {"after": "x" * 100}, {"after": 5}, {"after": ["x"]},
                       {"after": token[:40] + ("A" if token[40] != "A" else "B") + token[41:]},
                       {"order_by": [down("d")]}, {"order_by": ["d", "k"]}, {"params": {"k": 6}}, {"condition": "k < @k"}, {"columns": ["k", "d"]},
                       {"distinct": True, "columns": ["d"]}, {"shard_key": queries.KEYS[0]}, {"offset": 1}, {"columns": None, "aggregates": [{"op": "count"}]}):
            problem = self.refused(400, "bad_field", "/select", {**query, "after": token, **change})
            self.assertRegex(problem["detail"], "after")
            self.assertEqual(self.api.post("/explain", {**query, "after": token, **change}).status, 400)
        worker = self.cluster.worker("go")
        answer = worker.post("/select", {**query, "after": token}, X_Master_Token=self.cluster.token)
        self.assertEqual((answer.status, answer.code), (400, "bad_field"))

    def test_a_changed_table_ends_its_cursors(self):
        self.fresh_database("PS")
        t = {"db_name": "PS", "table": "T"}
        for columns in ({"id": "INT PRIMARY KEY"}, {"id": "INT PRIMARY KEY", "more": "INT"}):
            self.ok("/create-table", {**t, "columns": columns})
            self.ok("/insert", {**t, "data": [{"id": i} for i in range(9)]})
            if "more" not in columns:
                token = self.ok("/select", {**t, "limit": 3})["next"]
                self.ok("/delete-table", t)
        problem = self.refused(400, "bad_field", "/select", {**t, "limit": 3, "after": token})
        self.assertIn("changed", problem["detail"])

    def test_the_backup_goes_on_where_the_primary_ended(self):
        backup = self.cluster.start_backup()
        apis = [self.api, backup]
        query = {**self.T, "columns": ["k"], "order_by": ["nv", down("f")]}
        rows, after = [], {}
        while True:
            answer = apis[len(rows) % 2].post("/select", {**query, "limit": 31, **after}).json
            rows += answer["rows"]
            if "next" not in answer:
                break
            after = {"after": answer["next"]}
        self.assertEqual(rows, self.whole({**query, "limit": 10000}))

    def test_explain_shows_the_page(self):
        query = {**self.T, "columns": ["nv"], "order_by": ["k"], "condition": f"id = {queries.KEYS[0]}"}
        token = self.ok("/select", {**query, "limit": 1})["next"]
        answer = self.ok("/explain", {**query, "limit": 1, "after": token})
        self.assertEqual([s["sql"] for s in answer["shards"]],
                         ["SELECT TOP (@p1) [nv], [k] FROM [PGO].[dbo].[T] WHERE ([id] = @p2) AND ([k] > @p3) ORDER BY [k]"])
        self.assertIn("begin behind the row of the cursor: each shard sends what follows it", answer["merge"])
        self.assertIn("give a cursor of the last row as next, if another row follows", answer["merge"])


if __name__ == "__main__":
    harness.main()
