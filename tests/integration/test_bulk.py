#!/usr/bin/env python3
"""Bulk in: /insert of arrays and of rows as lines, over three shards."""

import http.client
import json
import pathlib
import select
import socket
import threading
import time

import harness
from harness import ClusterTest, eventually

TYPE = "application/x-ndjson"
DB = "BulkDB"
ALL_TYPES = {  # column: type, a value on its way in, the same on its way out
    "student_id": ("BIGINT PRIMARY KEY", None, None),
    "t": ("TINYINT", 200, 200), "s": ("SMALLINT", -32768, -32768), "i": ("INT", "77", 77), "b": ("BIT", True, True),
    "d": ("DECIMAL(20,4)", "12345678901234.5678", 12345678901234.5678), "m": ("MONEY", 1.5, 1.5),
    "f": ("FLOAT", 0.1, 0.1), "r": ("REAL", 0.25, 0.25), "c": ("CHAR(3)", "abc", "abc"), "v": ("VARCHAR(20)", "x'y", "x'y"),
    "n": ("NVARCHAR(20)", "Zoë 学😀", "Zoë 学😀"), "nm": ("NVARCHAR(MAX)", "é" * 5000, "é" * 5000), "x": ("TEXT", "", ""),
    "da": ("DATE", "2026-11-22", "2026-11-22"), "ti": ("TIME(3)", "13:05:00.125", "13:05:00.125"),
    "dt": ("DATETIME", "2026-11-22T13:05:00.123", "2026-11-22T13:05:00.123"),
    "d2": ("DATETIME2(7)", "2026-11-22T13:05:00.1234567", "2026-11-22T13:05:00.1234567"),
    "do": ("DATETIMEOFFSET(7)", "2026-11-22T13:05:00.1234567+02:00", "2026-11-22T13:05:00.1234567+02:00"),
    "u": ("UNIQUEIDENTIFIER", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3F2504E0-4F89-11D3-9A0C-0305E82C3301"),
    "bi": ("BINARY(2)", "AQI=", "AQI="), "vb": ("VARBINARY(MAX)", "AP8=", "AP8="),
}


def lines(rows, end="\n"):
    return "".join(json.dumps(r, ensure_ascii=False) + end for r in rows).encode()


def students(numbers):
    return [{"student_id": n, "name": f"Student {n}", "grade": "A"} for n in numbers]


class Bulk(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert cls.api.post("/create-db", {"db_name": DB}).status == 200

    def setUp(self):
        self.api.post("/delete-table", {"db_name": DB, "table": "Students", "if_exists": True})
        self.create("Students", {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(50)", "grade": "NVARCHAR(2) DEFAULT 'F'"})

    def create(self, table, columns):
        self.ok("/create-table", {"db_name": DB, "table": table, "columns": columns})

    def count(self, table="Students"):
        return self.ok("/map-reduce-count", {"db_name": DB, "table": table})["total"]

    def array(self, rows, table="Students"):
        return self.api.post("/insert", {"db_name": DB, "table": table, "data": rows})

    def stream(self, body, table="Students", query="", **headers):
        headers.setdefault("Content_Type", TYPE)
        return self.api.post(f"/insert?db_name={DB}&table={table}{query}", body, **headers)

    def check_shards(self, answer, rows):
        """The shards' rows add up to `rows`, and to what the table has."""
        self.assertEqual(sum(s["rows_affected"] for s in answer.json["shards"]), rows, answer)
        self.assertEqual(self.count(), rows)

    def one_row_a_shard(self):
        """A student of each shard."""
        found = {}
        for n in range(1, 100):
            r = self.ok("/insert", {"db_name": DB, "table": "Students", "data": {"student_id": n}})
            found.setdefault(r["routing"]["shard"], n)
            if len(found) == 3:
                return found
        raise AssertionError("all students are on the same shards")

    # Arrays

    def test_all_types_in_arrays_and_lines(self):
        def value(n, column, given):
            return n if column == "student_id" else None if n % 5 == 4 else given
        for name, send in (("Arrays", self.array), ("Lines", lambda rows, table: self.stream(lines(rows), table))):
            with self.subTest(name):
                self.create(name, {c: t for c, (t, _, _) in ALL_TYPES.items()})
                rows = [{c: value(n, c, given) for c, (_, given, _) in ALL_TYPES.items()} for n in range(40)]
                answer = send(rows, name)
                self.assertEqual((answer.status, answer.json.get("rows_affected")), (200, 40), answer)
                got = self.ok("/select", {"db_name": DB, "table": name, "order_by": ["student_id"]})["rows"]
                self.assertEqual(got, [{c: value(n, c, out) for c, (_, _, out) in ALL_TYPES.items()} for n in range(40)])

    def test_array_of_many_rows(self):
        answer = self.array(students(range(9000)))
        self.assertEqual((answer.status, answer.json["rows_affected"]), (200, 9000))
        self.check_shards(answer, 9000)
        self.assertEqual({s["outcome"] for s in answer.json["shards"]}, {"applied"})

    def test_bad_row_of_an_array_writes_nothing(self):
        good = students(range(6))
        for bad, status, code, detail in (
                ({"student_id": 100, "name": "x" * 51}, 422, "bad_value", "data[6]: column 'name'"),
                ({"student_id": 2**31}, 422, "bad_value", "data[6]: column 'student_id'"),
                ({"student_id": None}, 422, "bad_value", "data[6]: column 'student_id'"),
                ({"student_id": 7, "age": 1}, 400, "unknown_column", "data[6]: "),
                ({"student_id": 7, "Student_ID": 1}, 400, "bad_field", "data[6]: "),
                (7, 400, "bad_field", "data[6]: ")):
            with self.subTest(detail=detail, bad=str(bad)[:40]):
                problem = self.refused(status, code, "/insert", {"db_name": DB, "table": "Students", "data": good + [bad]})
                self.assertTrue(problem["detail"].startswith(detail), problem["detail"])
                self.assertEqual(problem["outcome"], "not_applied")
                self.assertEqual(self.count(), 0)

    def test_bad_row_is_named_also_on_one_shard(self):
        problem = self.refused(422, "bad_value", "/insert",
                               {"db_name": DB, "table": "Students", "data": [{"student_id": 5}, {"student_id": 5, "name": "x" * 51}]})
        self.assertTrue(problem["detail"].startswith("data[1]: column 'name'"), problem["detail"])
        self.assertEqual(self.count(), 0)

    def test_duplicate_in_the_middle_of_an_array(self):
        """Its shard has none of its rows, not even those behind it; the others have theirs."""
        owner = self.one_row_a_shard()
        before = self.count()
        rows = students(range(1000, 1400))
        rows.insert(200, {"student_id": owner[1]})
        problem = self.refused(409, "duplicate_key", "/insert", {"db_name": DB, "table": "Students", "data": rows})
        self.assertEqual((problem["outcome"], problem["sql_error"]), ("applied", 2627))
        self.assertIn("data[200]: ", problem["detail"])
        shards = {s["shard"]: s for s in problem["shards"]}
        self.assertEqual({n: s["outcome"] for n, s in shards.items()}, {0: "applied", 1: "not_applied", 2: "applied"})
        self.assertEqual(self.count() - before, shards[0]["rows_affected"] + shards[2]["rows_affected"])

    def test_mixed_columns_and_defaults(self):
        rows = [{"student_id": n, **({"name": "x"} if n % 2 else {}), **({"grade": None} if n % 3 == 0 else {})} for n in range(60)]
        for name, send in (("array", self.array), ("lines", lambda rows: self.stream(lines(rows)))):
            with self.subTest(name):
                self.setUp()
                self.assertEqual(send(rows).json.get("rows_affected"), 60)
                got = self.ok("/select", {"db_name": DB, "table": "Students", "order_by": ["student_id"]})["rows"]
                self.assertEqual(got, [{"student_id": n, "name": "x" if n % 2 else None, "grade": None if n % 3 == 0 else "F"} for n in range(60)])

    # Lines

    def test_stream_of_100000_rows(self):
        answer = self.stream(lines(students(range(100000))))
        self.assertEqual((answer.status, answer.json["rows_affected"]), (200, 100000), answer)
        self.check_shards(answer, 100000)
        row = self.ok("/select", {"db_name": DB, "table": "Students", "condition": "student_id = 99999"})["rows"]
        self.assertEqual(row, [{"student_id": 99999, "name": "Student 99999", "grade": "A"}])

    def test_ends_of_lines(self):
        for n, (body, rows) in enumerate((
                (b'{"student_id":1}\n{"student_id":2}', 2), (b'{"student_id":1}\r\n\r\n \t\r\n{"student_id":2}\r\n', 2),
                (b'\n\n', 0), (b'', 0), (b'{"student_id":1}\r\n{"student_id":2}\r', 2), (b'\n{"student_id":1}', 1))):
            with self.subTest(n):
                self.setUp()
                answer = self.stream(body)
                self.assertEqual((answer.status, answer.json.get("rows_affected")), (200, rows), answer)
                self.check_shards(answer, rows)

    def test_bad_first_lines_write_nothing(self):
        for body, status, code, detail in (
                (b'{"student_id":1}\n\n{"student_id":"x"}\n', 422, "bad_value", "line 3 (row 1): column 'student_id'"),
                (b'{"student_id":1}\n{"student_id":2,}\n', 400, "bad_json", "line 2 (row 1): "),
                (b'{"student_id":1} {"student_id":2}\n', 400, "bad_json", "line 1 (row 0): "),
                (b'[{"student_id":1}]\n', 400, "bad_json", "line 1 (row 0): "),
                (b'\xef\xbb\xbf{"student_id":1}\n', 400, "bad_json", "line 1 (row 0): "),
                (b'{"student_id":1,"student_id":2}\n', 400, "bad_json", "line 1 (row 0): "),
                (b'{"student_id":1,"nope":2}\n', 400, "unknown_column", "line 1 (row 0): "),
                (b'{"name":"' + b'x' * (8 << 20) + b'"}\n', 413, "body_too_large", "line 1: ")):
            with self.subTest(body[:40]):
                answer = self.stream(body)
                self.assertEqual((answer.status, answer.code), (status, code), answer)
                self.assertTrue(answer.json["detail"].startswith(detail), answer)
                self.assertEqual(answer.json["outcome"], "not_applied")
                self.check_problem(answer)
                self.assertEqual(self.count(), 0)

    def test_bad_line_in_the_middle_tells_what_is_there(self):
        answer = self.stream(lines(students(range(60000))) + b"{nonsense\n" + lines(students(range(100000, 140000))))
        self.assertEqual((answer.status, answer.code, answer.json["outcome"]), (400, "bad_json", "applied"), answer)
        self.assertTrue(answer.json["detail"].startswith("line 60001 (row 60000): "), answer)
        rows = sum(s["rows_affected"] for s in answer.json["shards"])
        self.assertGreater(rows, 0)
        self.assertLessEqual(rows, 60000)
        self.check_shards(answer, rows)

    def test_duplicate_in_a_stream(self):
        owner = self.one_row_a_shard()
        before = self.count()
        answer = self.stream(lines(students(range(1000, 1100)) + [{"student_id": owner[2]}] + students(range(1100, 1200))))
        self.assertEqual((answer.status, answer.code, answer.json["outcome"]), (409, "duplicate_key", "applied"), answer)
        self.assertIn("line 101 (row 100): ", answer.json["detail"])
        shards = {s["shard"]: s for s in answer.json["shards"]}
        self.assertEqual((shards[2]["outcome"], shards[2]["rows_affected"]), ("not_applied", 0))
        self.assertEqual(self.count() - before, sum(s["rows_affected"] for s in shards.values()))

    def test_shard_key_routes_all_rows(self):
        self.create("Notes", {"text": "NVARCHAR(50)"})
        answer = self.stream(lines([{"text": f"note {n}"} for n in range(50)]), "Notes", "&shard_key=class+7%2Fa")
        self.assertEqual((answer.status, len(answer.json["shards"]), answer.json["rows_affected"]), (200, 1, 50), answer)
        answer = self.stream(lines(students(range(5))), query="&shard_key=1")
        self.assertEqual((answer.status, answer.code), (400, "shard_key_mismatch"), answer)

    def test_rows_without_key_are_spread(self):
        self.create("Loose", {"text": "NVARCHAR(50)"})
        answer = self.stream(lines([{"text": f"note {n}"} for n in range(300)]), "Loose")
        self.assertEqual((answer.status, len(answer.json["shards"]), answer.json["rows_affected"]), (200, 3, 300), answer)

    def test_requests_that_are_refused(self):
        body = lines(students([1]))
        for query, headers, status, code in (
                ("&nope=1", {}, 400, "bad_field"), ("&table=Students", {}, 400, "bad_json"), ("&shard_key=%zz", {}, 400, "bad_field"),
                ("&shard_key=%ff", {}, 400, "bad_field"),
                ("", {"Content_Type": "application/x-ndjson; charset=latin1"}, 415, "not_json"),
                ("", {"Content_Type": "text/csv"}, 415, "not_json"), ("", {"Idempotency_Key": "k"}, 400, "bad_field"),
                ("", {"X_Timeout_Ms": "x"}, 400, "bad_field")):
            with self.subTest(query=query, headers=headers):
                answer = self.stream(body, query=query, **headers)
                self.assertEqual((answer.status, answer.code), (status, code), answer)
        for path, status, code in (("/insert", 400, "missing_field"), (f"/insert?db_name={DB}", 400, "missing_field"),
                                   (f"/insert?db_name={DB}&table=Nope", 404, "no_such_table"),
                                   ("/insert?db_name=NoDB&table=Students", 404, "no_such_database"),
                                   ("/select", 415, "not_json")):
            with self.subTest(path):
                answer = self.api.post(path, body, Content_Type=TYPE)
                self.assertEqual((answer.status, answer.code), (status, code), answer)
        self.assertEqual(self.count(), 0)

    def test_json_bodies_keep_their_limit(self):
        answer = self.api.post("/insert", b" " * (9 << 20))
        self.assertEqual((answer.status, answer.code), (413, "body_too_large"), answer)

    # A connection by hand

    def open(self, length, table="Students"):
        s = socket.create_connection(("127.0.0.1", self.cluster.port), timeout=60)
        s.sendall(f"POST /insert?db_name={DB}&table={table} HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\n"
                  f"Content-Length: {length}\r\n\r\n".encode())
        return s

    @staticmethod
    def answer(s):
        r = http.client.HTTPResponse(s)
        r.begin()
        return harness.Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())

    def test_slow_sender(self):
        body = lines(students(range(7)))
        with self.open(len(body)) as s:
            for part in range(0, len(body), 50):
                s.sendall(body[part:part + 50])
                time.sleep(0.3)
            answer = self.answer(s)
        self.assertEqual((answer.status, answer.json["rows_affected"]), (200, 7), answer)

    def test_streams_leave_threads_to_others(self):
        """Half of the master's sixteen threads at most read streams; who comes too late is told so before the body is there."""
        streams = [self.open(1000) for _ in range(10)]
        try:
            for s in streams:
                s.sendall(b'{"student_id":1}\n')
            answered = set()
            eventually(lambda: answered.update(select.select(streams, [], [], 0)[0]) or len(answered) == 2)
            refused = [self.answer(s) for s in answered]
            self.assertEqual([(a.status, a.code, a.json["outcome"]) for a in refused], [(429, "too_busy", "not_applied")] * 2)
            self.assertGreaterEqual(int(refused[0].headers["retry-after"]), 1)
            self.assertEqual(self.count(), 0)
        finally:
            for s in streams:
                s.close()
        eventually(lambda: self.stream(lines(students([1]))).status == 200)

    def test_client_that_falls_silent(self):
        """After 20 seconds it is told so, and nothing of the unfinished batch is there."""
        with self.open(1000) as s:
            s.sendall(b'{"student_id":1}\n')
            answer = self.answer(s)
        self.assertEqual((answer.status, answer.code, answer.json["outcome"]), (504, "deadline_exceeded", "not_applied"), answer)
        self.assertEqual(self.count(), 0)

    def test_cut_connection_leaves_whole_batches(self):
        body = lines(students(range(60000)))
        with self.open(len(body) + 1000) as s:
            s.sendall(body)
            # what was sent until now is written; the rest of its batch never comes
            eventually(lambda: self.count() > 0)
        seen = [-1, -1]

        def still():
            seen.append(self.count())
            time.sleep(0.5)
            return seen[-1] == seen[-2] == seen[-3]
        eventually(still, seconds=60)
        rows = self.ok("/select", {"db_name": DB, "table": "Students", "aggregates": [{"op": "count"}, {"op": "max", "column": "student_id"}]})["rows"][0]
        self.assertLess(rows["count"], 60000)
        # a new stream is served: nothing hangs
        self.assertEqual(self.stream(lines(students([100000]))).status, 200)

    def test_memory_of_the_master_is_bounded(self):
        def memory():
            pids = [p for p, command in self.cluster.processes().items() if "shardgate-master" in command and "lighttpd" not in command]
            return {p: int(next(l for l in pathlib.Path(f"/proc/{p}/status").read_text().splitlines() if l.startswith("VmHWM")).split()[1]) for p in pids}
        self.create("Wide", {"student_id": "INT PRIMARY KEY", "text": "NVARCHAR(4000)"})
        self.stream(lines([{"student_id": n, "text": "x" * 2000} for n in range(3000)]), "Wide")
        before = memory()
        self.assertEqual(len(before), 1)
        answer = self.stream(lines([{"student_id": n, "text": "x" * 2000} for n in range(10000, 40000)]), "Wide")
        self.assertEqual((answer.status, answer.json.get("rows_affected")), (200, 30000), answer)
        after = memory()
        self.assertEqual(set(before), set(after))
        for p in before:  # 60 MB went through
            self.assertLess(after[p] - before[p], (300 if harness.is_sanitized(p) else 20) << 10, (before, after))


class Failures(ClusterTest):
    def setUp(self):
        self.fresh_database(DB)
        self.ok("/create-table", {"db_name": DB, "table": "Students", "columns": {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(50)", "grade": "NVARCHAR(2)"}})

    def test_worker_killed_in_mid_stream(self):
        """The rows that the answer says to be there are there; only a batch whose answer was lost may be there beyond them."""
        total = 400000
        body = lines(students(range(total)))
        result = []
        api = harness.Api(self.cluster.port, timeout=240)
        sender = threading.Thread(target=lambda: result.append(api.post(f"/insert?db_name={DB}&table=Students", body, Content_Type=TYPE)))
        sender.start()
        eventually(lambda: self.ok("/map-reduce-count", {"db_name": DB, "table": "Students"})["total"] > 0, seconds=60)
        while sender.is_alive():  # one that dies between two batches is not missed
            self.cluster.kill("shardgate-worker", "--worker python")
            sender.join(0.05)
        answer = result[0]
        self.assertGreaterEqual(answer.status, 500, answer)
        shards = {s["worker"]: s for s in answer.json["shards"]}
        self.assertIn(answer.json["outcome"], ("applied", "unknown"))
        counts = eventually(lambda: self.counts(), seconds=60)
        for worker in ("go", "node"):
            self.assertEqual((shards[worker]["rows_affected"], shards[worker]["outcome"]), (counts[worker], "applied"))
        lost = counts["python"] - shards["python"]["rows_affected"]
        self.assertGreaterEqual(lost, 0)
        self.assertLessEqual(lost, 4000 if shards["python"]["outcome"] == "unknown" else 0)

    def counts(self):
        answer = self.api.post("/map-reduce-count", {"db_name": DB, "table": "Students"})
        return answer.status == 200 and {m["worker"]: m["count"] for m in answer.json["map"]}


if __name__ == "__main__":
    harness.main()
