#!/usr/bin/env python3
"""The master in front of workers that break down on cue."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import threading
import time
import unittest

import harness
from harness import Api
from standin import COLUMNS, StandIn, StandInTest, T, TOKEN


class Master(StandInTest):
    def outcomes(self, answer):
        return [s["outcome"] for s in answer["shards"]]

    def python(self, **faults):
        self.workers[1].faults = {}
        self.forgive()
        self.workers[1].faults = {"/" + path.replace("_", "-"): fault for path, fault in faults.items()}

    def test_contract_headers(self):
        self.ok("/insert", {**T, "data": {"student_id": 1001}}, X_Request_Id="my.id", X_Timeout_Ms="1500")
        path, body, headers = self.workers[0].arrivals[-1]
        self.assertEqual((path, body), ("/insert", {**T, "data": {"student_id": 1001}}))
        self.assertEqual((headers["X-Master-Token"], headers["X-Request-Id"], headers["Content-Type"]), (TOKEN, "my.id", "application/json"))
        self.assertEqual(headers["X-Shard-Schema"], StandIn.tag(self.workers[0].databases["S"]["T"]))
        self.assertTrue(1000 < int(headers["X-Timeout-Ms"]) < 1500)

    def test_description_is_asked_for_once(self):
        for _ in range(3):
            self.ok("/insert", {**T, "data": {"student_id": 1001}})
        self.assertEqual(sum(c.get("/describe", 0) for c in self.seen()), 1)

    def test_description_comes_from_whoever_lives(self):
        for w in self.workers[:2]:
            w.faults = {"/describe": "close"}
        self.ok("/insert", {**T, "data": {"student_id": 1001}})
        self.workers[2].faults = {"/describe": "close"}
        problem = self.refused(503, "shard_unavailable", "/select", {"db_name": "S", "table": "Unknown"})
        self.assertEqual(sorted(s["worker"] for s in problem["shards"]), ["go", "node", "python"])

    def test_array_rows_go_to_their_shards(self):
        answer = self.ok("/insert", {**T, "data": [{"student_id": k} for k in (1001, 1002, 1003, 1004)]})
        self.assertEqual([s["rows_affected"] for s in answer["shards"]], [1, 1, 2])
        self.assertEqual([r["student_id"] for r in self.workers[2].databases["S"]["T"]["rows"]], [1002, 1004])
        self.assertNotIn("routing", answer)

    def test_lost_writes_are_sent_once(self):
        """Also on connections that were kept: the second round finds them closed."""
        self.python(insert="close")
        for _ in range(2):
            problem = self.refused(503, "shard_unavailable", "/insert", {**T, "data": {"student_id": 1003}})
            self.assertEqual((problem["outcome"], problem["retry"], self.outcomes(problem)), ("unknown", "no", ["unknown"]))
            self.assertEqual(self.seen()[1]["/insert"], 1)

    def test_lost_reads_are_sent_twice(self):
        for fault in ("close", "foreign"):
            self.python(select=fault)
            self.seen()
            problem = self.refused(503, "shard_unavailable", "/select", T)
            self.assertEqual([(s["worker"], s["outcome"]) for s in problem["shards"]], [("go", "ok"), ("python", "not_applied"), ("node", "ok")])
            self.assertIn("python", problem["detail"])
            counts = [c["/select"] for c in self.seen()]
            self.assertEqual((counts[0], counts[2]), (1, 1))
            self.assertIn(counts[1], (2, 3))  # a kept connection that ends costs one more: libcurl repeats that by itself

    def test_hung_worker_costs_the_deadline(self):
        self.python(insert="hang", select="hang", health="hang")
        started = time.monotonic()
        problem = self.refused(504, "deadline_exceeded", "/insert", {**T, "data": {"student_id": 1003}}, X_Timeout_Ms="300")
        self.assertEqual(problem["outcome"], "unknown")
        self.assertLess(time.monotonic() - started, 1.5)
        problem = self.refused(504, "deadline_exceeded", "/select", T, X_Timeout_Ms="300")
        self.assertEqual(problem["outcome"], "not_applied")
        health = self.api.get("/health").json
        self.assertEqual((health["status"], [w["status"] for w in health["workers"]]), ("degraded", ["up", "down", "up"]))
        self.assertLess(health["workers"][0]["latency_ms"], 900)

    def test_hung_worker_leaves_threads_to_the_others(self):
        self.ok("/select", T)
        self.python(insert="hang")
        stop = threading.Event()

        def pester():
            api = Api(self.api.port)
            while not stop.is_set():
                answer = api.post("/insert", {**T, "data": {"student_id": 1003}})
                assert answer.status in (429, 503, 504), answer

        threads = [threading.Thread(target=pester) for _ in range(12)]
        for t in threads:
            t.start()
        try:
            time.sleep(2.5)  # the first have waited for their deadline
            for _ in range(20):
                started = time.monotonic()
                self.ok("/insert", {**T, "data": {"student_id": 1001}})
                self.assertLess(time.monotonic() - started, 1)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.python()
        harness.eventually(lambda: self.api.post("/insert", {**T, "data": {"student_id": 1003}}).status == 200)

    def test_refused_connection_is_not_applied(self):
        self.ok("/select", T)
        self.workers[1].stop()
        try:
            problem = self.refused(503, "shard_unavailable", "/delete", {**T, "condition": "student_id = 1003"})
            # Whether a kept connection was found dead before or while it was used is up to the kernel.
            self.assertIn(problem["outcome"], ("not_applied", "unknown"))
            problem = self.refused(503, "shard_unavailable", "/delete", {**T, "condition": "student_id = 1003"})
            self.assertEqual((problem["outcome"], problem["retry"]), ("not_applied", "after"))
            security = self.ok("/security-check", {})
            self.assertEqual((security["secure"], [w["rejected"] for w in security["workers"]]), (False, [True, False, True]))
        finally:
            self.workers[1].start()

    def test_answers_that_are_none(self):
        self.python(select="garbage", insert="garbage")
        self.refused(502, "bad_worker_answer", "/select", T)
        problem = self.refused(502, "bad_worker_answer", "/insert", {**T, "data": {"student_id": 1003}})
        self.assertEqual(problem["outcome"], "unknown")

    def test_rows_in_lines(self):
        """Lines are joined with the plain answers of other workers; those that do not end as they must are no answer."""
        row, end = b'{"student_id": 7, "n": null}\n', b'["end",{"count":%d,"complete":true,"shards":[{"shard":1,"worker":"python","outcome":"ok","rows":1}]}]\n'
        self.ok("/insert", {**T, "data": {"student_id": 1001, "n": None}})
        for body in (T, {**T, "order_by": ["student_id"]}):
            self.python(select=row + end % 1)
            answer = self.ok("/select", body)
            self.assertEqual(sorted(r["student_id"] for r in answer["rows"]), [7, 1001])
            self.assertEqual((answer["count"], answer["shards"][1]["rows"]), (2, 1))
            for lines in (row, row + end % 2, row + end % 1 + row, b"\n", row + row[:9], end % 0 + b"x"):
                self.python(select=lines)
                self.refused(502, "bad_worker_answer", "/select", body)
            problem = {"status": 503, "code": "deadlock", "detail": "once more", "outcome": "not_applied", "retry": "after"}
            self.python(select=row + json.dumps(["failed", problem]).encode() + b"\n")
            self.assertIn("once more", self.refused(503, "deadlock", "/select", body)["detail"])
        self.assertEqual(self.workers[1].arrivals[-1][2]["Accept"], "application/x-ndjson")

    def verify(self, status, code, words):
        answer = self.api.get("/verify")
        self.assertEqual((answer.status, answer.code), (status, code), answer)
        self.assertIn(words, answer.json["detail"])

    def test_verify_needs_every_shard(self):
        """What was not looked at is never taken for right."""
        self.ok("/insert", {**T, "data": [{"student_id": k, "n": "x"} for k in range(1000, 1020)]})
        self.workers[1].databases["S"]["T"]["rows"].append({"student_id": 1001})
        answer = self.api.get("/verify").json
        self.assertEqual(answer["databases"][0]["tables"][0]["rows"],
                         {"checked": True, "rows": 21, "misplaced": 1, "unrouted": 0,
                          "samples": [{"key": "1001", "row": {"student_id": 1001}, "on": {"shard": 1, "worker": "python"}, "belongs_to": {"shard": 0, "worker": "go"}}]})
        for path in ("catalogue", "describe", "select"):
            with self.subTest(path=path):
                self.python(**{path: "close"})
                self.verify(503, "shard_unavailable", "python")
                self.python(**{path: (503, "deadlock")})
                self.verify(503, "deadlock", "python")
                self.python(**{path: b"[]"})
                self.verify(502, "bad_worker_answer", "python")
        row = b'{"student_id":1003}\n'
        end = b'["end",{"count":1,"complete":true,"shards":[{"shard":1,"worker":"python","outcome":"ok","rows":1}]}]\n'
        for lines in (row, row + row + end, b'{"student_id":1003,"n":1}\n' + end, b'{"student_id":"x"}\n' + end, b'{"student_id":1.5}\n' + end, b"[1]\n"):
            with self.subTest(lines=lines):
                self.python(select=lines)
                self.verify(502, "bad_worker_answer", "python")
        self.python(select=row + end)
        self.assertEqual(self.api.get("/verify").json["status"], "ok")

    def test_verify_names_a_worker_that_cannot_tell(self):
        for fault in ((404, "no_such_path"), "page"):
            self.python(catalogue=fault)
            if fault == "page":
                self.workers[1].catalogue = lambda h, body: self.workers[1].send(h, 404, b"<h1>Not Found</h1>")
            self.verify(502, "bad_worker_answer", "worker python: it has no POST /catalogue")
        del self.workers[1].catalogue

    def test_verify_leaves_out_what_is_changed_meanwhile(self):
        for code in ("schema_changed", "no_such_table", "no_such_database"):
            self.python(select=(409 if code == "schema_changed" else 404, code))
            answer = self.api.get("/verify").json
            self.assertEqual((answer["status"], answer["databases"][0]["tables"][0]["rows"]),
                             ("ok", {"checked": False, "reason": "the table was changed while it was read"}))

    def test_verify_is_done_one_at_a_time(self):
        self.python(catalogue="hang")
        answers, enough = [], threading.Event()

        def ask():
            api = Api(self.api.port)
            while not enough.is_set():
                answers.append(api.get("/verify"))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            harness.eventually(lambda: any(a.status == 429 for a in list(answers)))
        finally:
            enough.set()
            for thread in threads:
                thread.join()
        refused = next(a for a in answers if a.status == 429)
        self.assertEqual((refused.code, refused.json["retry"]), ("too_busy", "after"))
        self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
        self.python()
        self.assertEqual(self.api.get("/verify").status, 200)

    def test_partial_writes_name_every_shard(self):
        rows = [{"student_id": k} for k in (1001, 1002, 1003)]
        self.python(insert=(409, "duplicate_key"))
        problem = self.refused(409, "duplicate_key", "/insert", {**T, "data": rows})
        self.assertEqual((problem["outcome"], self.outcomes(problem)), ("applied", ["applied", "not_applied", "applied"]))
        self.python(delete="close")
        problem = self.refused(503, "shard_unavailable", "/delete", {**T, "condition": "n = 'x'", "scatter": True})
        self.assertEqual((problem["outcome"], self.outcomes(problem)), ("unknown", ["applied", "unknown", "applied"]))

    def test_tables_made_anew_are_described_again(self):
        self.ok("/insert", {**T, "data": {"student_id": 1001, "n": "a"}})
        for w in self.workers:
            w.databases["S"]["T"] = {"columns": {"n": "INT", "student_id": "INT"}, "rows": [], "key": "n"}
        self.seen()
        answer = self.ok("/insert", {**T, "data": {"student_id": 1001, "n": 1002}})
        self.assertEqual(answer["routing"], {"key": "1002", "source": "shard_column", "shard": 2})
        # A column that the kept description lacks.
        for w in self.workers:
            w.databases["S"]["T"]["columns"]["later"] = "INT"
        self.assertEqual(self.ok("/select", {**T, "condition": "later = 1 AND n = 1 AND n = 1002", "columns": ["later"]})["count"], 0)
        # One shard whose table differs for good.
        self.workers[1].databases["S"]["T"]["key"] = "student_id"
        problem = self.refused(502, "bad_worker_answer", "/delete", {**T, "condition": "n = 1003"})
        self.assertEqual(problem["outcome"], "not_applied")

    def test_nothing_is_made_when_a_check_fails(self):
        self.python(create_db=(503, "shard_unavailable"))
        problem = self.refused(503, "shard_unavailable", "/create-db", {"db_name": "New"})
        self.assertEqual((problem["outcome"], self.outcomes(problem)), ("not_applied", ["not_applied"] * 3))
        self.assertEqual([c["/create-db"] for c in self.seen()], [1, 1, 1])
        self.assertFalse(any("New" in w.databases for w in self.workers))

    def test_half_made_databases_are_undone(self):
        for fault, status, code, outcome in (((507, "storage_full"), 507, "storage_full", "not_applied"), ("close", 503, "shard_unavailable", "unknown")):
            self.workers[1].faults = {"/create-db!": fault}
            problem = self.refused(status, code, "/create-db", {"db_name": "New"})
            self.assertEqual((problem["outcome"], self.outcomes(problem)), (outcome, ["not_applied", outcome, "not_applied"]))
            self.assertFalse(any("New" in w.databases for w in self.workers))
        self.workers[1].faults = {}
        self.assertEqual(self.outcomes(self.ok("/create-db", {"db_name": "New"})), ["applied"] * 3)

    def test_what_cannot_be_undone_is_said(self):
        self.workers[1].faults = {"/create-table!": (507, "storage_full")}
        self.workers[0].faults = {"/delete-table": (503, "deadlock")}
        problem = self.refused(507, "storage_full", "/create-table", {"db_name": "S", "table": "U", "columns": COLUMNS})
        self.assertEqual((problem["outcome"], self.outcomes(problem)), ("applied", ["applied", "not_applied", "not_applied"]))
        self.assertIn("could not be undone", problem["shards"][0]["detail"])
        self.workers[1].faults = {"/drop-db!": (503, "deadlock")}
        problem = self.refused(503, "deadlock", "/drop-db", {"db_name": "S"})
        self.assertEqual((problem["outcome"], problem["retry"], self.outcomes(problem)), ("applied", "no", ["applied", "not_applied", "applied"]))
        self.workers[1].faults = {}
        self.assertEqual(self.outcomes(self.ok("/drop-db", {"db_name": "S"})), ["unchanged", "applied", "unchanged"])
        self.refused(404, "no_such_database", "/drop-db", {"db_name": "S"})

    def test_what_was_there_before_is_not_undone(self):
        del self.workers[1].databases["S"]
        self.workers[1].faults = {"/create-db!": (507, "storage_full")}
        problem = self.refused(507, "storage_full", "/create-db", {"db_name": "S"})
        self.assertEqual(self.outcomes(problem), ["unchanged", "not_applied", "unchanged"])
        self.assertEqual(["S" in w.databases for w in self.workers], [True, False, True])
        self.assertNotIn("/drop-db", self.seen()[0])

    def test_missing_tables_are_completed(self):
        del self.workers[2].databases["S"]["T"]
        problem = self.refused(409, "already_exists", "/create-table", {**T, "columns": {**COLUMNS, "more": "INT"}})
        self.assertEqual(problem["outcome"], "not_applied")
        self.refused(409, "already_exists", "/create-table", {**T, "columns": COLUMNS, "shard_column": "n"})
        self.refused(409, "already_exists", "/create-table", {**T, "columns": {**COLUMNS, "more": "INT"}, "if_not_exists": True})
        self.assertNotIn("T", self.workers[2].databases["S"])
        self.assertEqual(self.outcomes(self.ok("/create-table", {**T, "columns": COLUMNS})), ["unchanged", "unchanged", "applied"])
        self.refused(409, "already_exists", "/create-table", {**T, "columns": COLUMNS})
        self.assertEqual(self.outcomes(self.ok("/create-table", {**T, "columns": COLUMNS, "if_not_exists": True})), ["unchanged"] * 3)

    def test_keys_that_are_none_or_cannot_be_kept(self):
        self.refused(400, "bad_field", "/insert", {**T, "data": {}}, Idempotency_Key="a" * 65)
        self.refused(400, "bad_field", "/create-table", {**T, "columns": COLUMNS}, Idempotency_Key="a")
        self.assertEqual(self.seen(), [{}, {}, {}])


if __name__ == "__main__":
    harness.main()
