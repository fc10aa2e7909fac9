#!/usr/bin/env python3
"""GET /verify finds what makes the shards differ: databases, tables and columns, and rows that are where their key does not belong."""

import json
import random
import urllib.parse
import uuid

import harness
from harness import eventually

DB = "Checked"
WORKERS = ("go", "python", "node")
SUFFIXES = {"go": "GO", "python": "PY", "node": "NODE"}


def fnv1a(text):
    h = 0x811C9DC5
    for byte in text.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def shard_of(key):
    return fnv1a(key) % 3


class Verify(harness.ClusterTest):
    def setUp(self):
        self.fresh_database(DB)

    def verify(self, **query):
        answer = self.api.get("/verify" + ("?" + urllib.parse.urlencode(query) if query else ""))
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def table(self, name="T", **query):
        """The status, and the one table's element."""
        answer = self.verify(db_name=DB, table=name, **query)
        (database,) = answer["databases"]
        self.assertEqual((database["db_name"], database["differences"]), (DB, []))
        (table,) = database["tables"]
        self.assertEqual(table["table"].lower(), name.lower())
        return answer["status"], table

    def create(self, columns, name="T", **more):
        self.ok("/create-table", {"db_name": DB, "table": name, "columns": columns, **more})

    def insert(self, rows, name="T", **more):
        return self.ok("/insert", {"db_name": DB, "table": name, "data": rows, **more})

    def tsql(self, worker, sql):
        """On one shard; {T} is the table."""
        output = self.cluster.tsql(worker, sql.replace("{T}", f"[{DB}{SUFFIXES[worker]}].[dbo].[T]"))
        self.assertNotIn("Msg", output)

    def differences(self, table):
        return {(d["what"], d.get("column")): {s["worker"]: s["value"] for s in d["shards"]} for d in table["differences"]}

    # What is equal

    def test_an_equal_cluster_is_ok(self):
        self.create({"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(40) NOT NULL DEFAULT 'x'", "born": "DATE"})
        self.create({"code": "VARCHAR(10)"}, name="Other")
        self.insert([{"student_id": i, "name": f"n{i}"} for i in range(300)])
        answer = self.verify(db_name=DB.lower())
        self.assertEqual(answer["status"], "ok")
        self.assertEqual(answer["shards"], [{"shard": i, "worker": w, "outcome": "ok"} for i, w in enumerate(WORKERS)])
        (database,) = answer["databases"]
        other, t = database["tables"]
        self.assertEqual((other["table"], other["schema"], other["differences"]), ("Other", "equal", []))
        self.assertEqual(other["rows"]["checked"], False)
        self.assertIn("no shard column", other["rows"]["reason"])
        self.assertEqual(t, {"table": "T", "schema": "equal", "differences": [],
                             "rows": {"checked": True, "rows": 300, "misplaced": 0, "unrouted": 0, "samples": []}})

    def test_all_databases_are_looked_at_but_the_servers_own(self):
        self.fresh_database("Second")
        names = [d["db_name"] for d in self.verify()["databases"]]
        self.assertEqual(names, ["Checked", "Second"])
        self.ok("/drop-db", {"db_name": "Second"})

    def test_own_tables_of_the_workers_are_left_out(self):
        self.create({"a": "INT"}, shard_column="a")
        self.assertIn("gw_tables", self.cluster.tsql("go", "select name from sys.tables", DB + "GO"))
        (database,) = self.verify(db_name=DB)["databases"]
        self.assertEqual([t["table"] for t in database["tables"]], ["T"])

    def test_rows_can_be_left_out(self):
        self.create({"student_id": "INT"})
        self.tsql("go", "insert into {T} values (1002)")  # belongs to node
        self.assertEqual(self.table(rows="false"), ("ok", {"table": "T", "schema": "equal", "differences": [], "rows": {"checked": False, "reason": "rows=false"}}))
        self.assertEqual(self.table(rows="true")[0], "drift")

    # Schemas that differ

    def test_a_dropped_column(self):
        self.create({"student_id": "INT", "name": "VARCHAR(20)", "grade": "CHAR(1)"})
        self.table()  # so that descriptions are in the workers' caches
        self.tsql("node", "alter table {T} drop column grade")
        status, table = self.table()
        self.assertEqual((status, table["schema"]), ("drift", "differs"))
        self.assertEqual(self.differences(table), {("column", "grade"): {"go": True, "python": True, "node": False}})
        self.assertEqual(table["differences"][0]["detail"], "column 'grade': missing on node")
        self.assertEqual(table["rows"]["checked"], True)

    def test_each_kind_of_difference(self):
        changes = (
            ("INT", "alter table {T} alter column c BIGINT", {("type", "c"): {"go": "INT", "python": "INT", "node": "BIGINT"}},
             "column 'c': type is INT on go, python; BIGINT on node"),
            ("INT", "alter table {T} alter column c INT not null", {("nullable", "c"): {"go": True, "python": True, "node": False}},
             "column 'c': nullable is true on go, python; false on node"),
            ("INT", "alter table {T} add constraint d1 default 5 for c", {("default", "c"): {"go": False, "python": False, "node": True}}, None),
            ("VARCHAR(9)", "alter table {T} alter column c VARCHAR(9) collate Latin1_General_100_BIN2",
             {("collation", "c"): {"go": "ignores case", "python": "ignores case", "node": "binary"}}, None),
            ("INT", "drop table {T}; create table {T} (C INT, student_id INT)",
             {("name", "c"): {"go": "c", "python": "c", "node": "C"}}, None),
            ("INT", "drop table {T}; create table {T} (c INT, student_id INT)",
             {("order", None): {"go": ["student_id", "c"], "python": ["student_id", "c"], "node": ["c", "student_id"]}},
             "table 'T': order is [\"student_id\",\"c\"] on go, python; [\"c\",\"student_id\"] on node"),
            ("INT", "drop table {T}; create table {T} (student_id INT, c INT, primary key (student_id))",
             {("nullable", "student_id"): {"go": True, "python": True, "node": False},
              ("key", None): {"go": [], "python": [], "node": ["student_id"]}}, None),
        )
        for type_name, change, expected, words in changes:
            with self.subTest(change=change):
                self.ok("/delete-table", {"db_name": DB, "table": "T", "if_exists": True})
                self.create({"student_id": "INT", "c": type_name})
                self.tsql("node", change)
                status, table = self.table()
                self.assertEqual((status, table["schema"], self.differences(table)), ("drift", "differs", expected))
                if words:
                    self.assertEqual([d["detail"] for d in table["differences"]], [words])

    def test_another_shard_column(self):
        self.create({"a": "INT", "b": "INT"}, shard_column="a")
        self.cluster.tsql("python", "update gw_tables set shard_column = 'b'", DB + "PY")
        status, table = self.table()
        self.assertEqual((status, self.differences(table)), ("drift", {("shard_column", None): {"go": "a", "python": "b", "node": "a"}}))
        self.assertEqual((table["rows"]["checked"], table["rows"]["reason"]), (False, "the shards do not agree on the shard column"))

    def test_a_missing_table(self):
        self.create({"student_id": "INT"})
        self.insert([{"student_id": i} for i in range(30)])
        self.tsql("python", "drop table {T}")
        status, table = self.table()
        self.assertEqual((status, self.differences(table)), ("drift", {("table", None): {"go": True, "python": False, "node": True}}))
        self.assertEqual(table["differences"][0]["detail"], "table 'T': missing on python")
        kept = sum(shard_of(str(i)) != 1 for i in range(30))
        self.assertEqual((table["rows"]["rows"], table["rows"]["misplaced"]), (kept, 0))

    def test_a_missing_database(self):
        self.cluster.tsql("node", f"drop database [{DB}NODE]")
        answer = self.verify(db_name=DB)
        self.assertEqual(answer["status"], "drift")
        (database,) = answer["databases"]
        self.assertEqual(self.differences(database), {("database", None): {"go": True, "python": True, "node": False}})
        self.cluster.tsql("node", f"create database [{DB}NODE]")

    def test_names_in_another_case_are_the_same_table(self):
        self.create({"student_id": "INT"})
        self.tsql("node", f"drop table {{T}}; create table [{DB}NODE].[dbo].[t] (student_id INT)")
        status, table = self.table()
        self.assertEqual((status, self.differences(table)), ("drift", {("name", None): {"go": "T", "python": "T", "node": "t"}}))

    # Rows

    def test_misplaced_rows_by_the_type_of_their_key(self):
        random.seed(4)
        cases = (
            ("INT", [str(n) for n in (*range(-20, 20), 2147483647)], lambda k: k, int),
            ("BIT", ["0", "1"], lambda k: k, lambda k: k == "1"),
            ("NVARCHAR(20)", ["a", "A", "Ünal", "x y", "it's", '"', "漢字", "01", "1", "end"], lambda k: "N'" + k.replace("'", "''") + "'", str),
            ("VARCHAR(20)", ["a", "b ", "c", "d", "e"], lambda k: f"'{k}'", str),
            ("CHAR(5)", ["a", "bb", "ccc", "dddd", "eeeee"], lambda k: f"'{k}'", str),
            ("UNIQUEIDENTIFIER", [str(uuid.UUID(int=random.getrandbits(128))) for _ in range(20)], lambda k: f"'{k}'", str.upper),
            ("DATE", [f"20{y:02}-0{m}-1{m}" for y in range(5) for m in range(1, 5)], lambda k: f"'{k}'", str),
        )
        for type_name, keys, literal, stored in cases:
            with self.subTest(type=type_name):
                self.ok("/delete-table", {"db_name": DB, "table": "T", "if_exists": True})
                self.create({"k": type_name, "id": "INT NOT NULL PRIMARY KEY"}, shard_column="k")
                self.insert([{"k": k, "id": i} for i, k in enumerate(keys)])
                status, table = self.table()
                self.assertEqual((status, table["rows"]["rows"], table["rows"]["misplaced"]), ("ok", len(keys), 0), table)
                # one that belongs elsewhere
                canonical = keys[0].upper() if type_name == "UNIQUEIDENTIFIER" else keys[0].rstrip()
                home = shard_of(canonical)
                away = (home + 1) % 3
                self.tsql(WORKERS[away], f"insert into {{T}} (k, id) values ({literal(keys[0])}, 1000)")
                status, table = self.table()
                self.assertEqual((status, table["schema"]), ("drift", "equal"))
                rows = table["rows"]
                self.assertEqual((rows["rows"], rows["misplaced"], rows["unrouted"], len(rows["samples"])), (len(keys) + 1, 1, 0, 1))
                sample = rows["samples"][0]
                self.assertEqual(sample["key"], canonical)
                self.assertEqual(sample["row"]["id"], 1000)
                self.assertEqual(str(sample["row"]["k"]).rstrip(), str(stored(keys[0])).rstrip())
                self.assertEqual((sample["on"], sample["belongs_to"]),
                                 ({"shard": away, "worker": WORKERS[away]}, {"shard": home, "worker": WORKERS[home]}))

    def test_a_moved_row(self):
        """A row is moved by hand, found, and found no more when it is back."""
        self.create({"student_id": "INT PRIMARY KEY", "name": "VARCHAR(20)"})
        self.insert([{"student_id": i, "name": f"n{i}"} for i in range(1000, 1050)])
        self.tsql("go", "delete from {T} where student_id = 1001")
        self.tsql("python", "insert into {T} values (1001, 'n1001')")
        status, table = self.table()
        self.assertEqual((status, table["rows"]["samples"]), ("drift", [
            {"key": "1001", "row": {"student_id": 1001}, "on": {"shard": 1, "worker": "python"}, "belongs_to": {"shard": 0, "worker": "go"}}]))
        self.tsql("python", "delete from {T} where student_id = 1001")
        self.insert({"student_id": 1001, "name": "n1001"})
        self.assertEqual(self.table()[0], "ok")

    def test_null_keys_are_unrouted(self):
        self.create({"k": "INT", "v": "INT"}, shard_column="k")
        self.insert([{"k": i if i % 2 else None, "v": i} for i in range(40)])
        status, table = self.table()
        self.assertEqual((status, table["rows"]), ("ok", {"checked": True, "rows": 40, "misplaced": 0, "unrouted": 20, "samples": []}))

    def test_many_rows_and_few_samples(self):
        self.create({"student_id": "INT", "pad": "VARCHAR(100)"})
        count = 50000
        body = "\n".join(json.dumps({"student_id": i, "pad": "x" * 50}) for i in range(count)).encode()
        answer = self.api.post(f"/insert?db_name={DB}&table=T", body, Content_Type="application/x-ndjson")
        self.assertEqual(answer.status, 200, answer)
        strays = [i for i in range(count, count + 300) if shard_of(str(i)) != 2]
        self.tsql("node", "insert into {T} (student_id) values " + ", ".join(f"({i})" for i in strays))
        status, table = self.table()
        rows = table["rows"]
        self.assertEqual((status, rows["rows"], rows["misplaced"]), ("drift", count + len(strays), len(strays)))
        self.assertEqual(len(rows["samples"]), 10)
        for sample in rows["samples"]:
            self.assertIn(int(sample["key"]), strays)
            self.assertEqual((sample["on"]["shard"], sample["belongs_to"]["shard"]), (2, shard_of(sample["key"])))

    def test_it_changes_nothing(self):
        self.create({"student_id": "INT"})
        self.insert([{"student_id": i} for i in range(10)])
        self.tsql("go", "insert into {T} values (1002)")
        before = sorted(r["student_id"] for r in self.ok("/select", {"db_name": DB, "table": "T"})["rows"])
        self.table()
        self.assertEqual(sorted(r["student_id"] for r in self.ok("/select", {"db_name": DB, "table": "T"})["rows"]), before)

    # What requests are told that meet what /verify finds

    def meet(self, status, code, words):
        """Each kind of request that reaches node, and what it is told."""
        t = {"db_name": DB, "table": "T"}
        for path, body in (("/select", t), ("/select", {**t, "condition": "student_id = 1002"}), ("/select", {**t, "order_by": ["student_id"]}),
                           ("/insert", {**t, "data": {"student_id": 1002}}), ("/insert", {**t, "data": [{"student_id": 1002}, {"student_id": 1001}]}),
                           ("/update", {**t, "set": {"name": "x"}, "condition": "student_id = 1002"}),
                           ("/delete", {**t, "condition": "student_id = 1002"}), ("/map-reduce-count", t)):
            with self.subTest(path=path, body=body):
                answer = self.refused(status, code, path, body)
                self.assertIn(words, answer["detail"])
                self.assertIn("GET /verify", answer["detail"])
                self.assertIn(words, [s["detail"] for s in answer["shards"] if s["worker"] == "node"][0])

    def test_requests_name_the_column_that_differs(self):
        self.create({"student_id": "INT", "name": "VARCHAR(20)", "grade": "CHAR(1)"})
        self.insert({"student_id": 1001, "name": "a"})
        self.tsql("node", "alter table {T} drop column grade")
        self.meet(502, "bad_worker_answer", "column 'grade': missing on node")
        line = json.dumps({"student_id": 1002}).encode()
        answer = self.api.post(f"/insert?db_name={DB}&table=T", line, Content_Type="application/x-ndjson")
        self.assertEqual(answer.status, 502, answer)
        self.assertIn("column 'grade': missing on node", answer.json["detail"])

    def test_requests_name_the_shard_without_the_table(self):
        self.create({"student_id": "INT", "name": "VARCHAR(20)"})
        self.insert({"student_id": 1001, "name": "a"})
        self.tsql("node", "drop table {T}")
        self.meet(404, "no_such_table", "does not exist in database 'CheckedNODE', but does on go")

    def test_a_shard_that_has_all_of_its_own_still_answers(self):
        self.create({"student_id": "INT", "name": "VARCHAR(20)"})
        self.insert({"student_id": 1001, "name": "a"})
        self.tsql("node", "drop table {T}")
        self.assertEqual(self.ok("/select", {"db_name": DB, "table": "T", "condition": "student_id = 1001"})["count"], 1)
        self.ok("/delete-table", {"db_name": DB, "table": "T", "if_exists": True})
        # gone everywhere: nobody is said to have it
        problem = self.refused(404, "no_such_table", "/select", {"db_name": DB, "table": "T"})
        self.assertNotIn("/verify", problem["detail"])

    # What is refused

    def test_bad_questions(self):
        for query, status, code in (("?db_name=Nowhere", 404, "no_such_database"), (f"?db_name={DB}&table=Nothing", 404, "no_such_table"),
                                    ("?table=T", 400, "missing_field"), ("?rows=maybe", 400, "bad_field"), ("?what=1", 400, "bad_field"),
                                    ("?db_name=sys", 400, "bad_name"), (f"?db_name={DB}&table=gw_tables", 404, "no_such_table")):
            with self.subTest(query=query):
                answer = self.api.get("/verify" + query)
                self.assertEqual((answer.status, answer.code), (status, code), answer)
                self.check_problem(answer)
        self.assertEqual(self.api.post("/verify", {}).status, 405)

    def test_catalogue_needs_the_token(self):
        worker = self.cluster.worker("go")
        self.assertEqual(worker.post("/catalogue", {}).status, 401)
        listed = worker.post("/catalogue", {}, X_Master_Token=self.cluster.token)
        self.assertEqual((listed.status, listed.json), (200, {"status": "ok", "databases": [DB]}))
        self.create({"a": "INT"})
        tables = worker.post("/catalogue", {"db_name": DB}, X_Master_Token=self.cluster.token)
        self.assertEqual((tables.status, tables.json), (200, {"status": "ok", "db_name": DB, "tables": ["T"]}))
        self.assertEqual(worker.post("/catalogue", {"db_name": "Nowhere"}, X_Master_Token=self.cluster.token).code, "no_such_database")
        self.assertEqual(worker.post("/catalogue", {"table": "T"}, X_Master_Token=self.cluster.token).code, "bad_field")

    def test_a_shard_that_is_lost_is_named(self):
        self.create({"student_id": "INT"})
        with self.cluster.stopped("shardgate-tdsd", str(self.cluster.tds_ports["python"])):
            answer = self.api.get("/verify", X_Timeout_Ms="2000")
            self.assertIn((answer.status, answer.code), ((503, "shard_unavailable"), (504, "deadline_exceeded")))
            self.check_problem(answer)
            self.assertIn("python", answer.json["detail"])
        eventually(lambda: self.api.get("/verify").status == 200)


if __name__ == "__main__":
    harness.main()
