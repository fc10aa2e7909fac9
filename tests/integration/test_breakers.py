#!/usr/bin/env python3
"""One sick shard does not make the others sick: breakers, places, deadlines."""

import os
import statistics
import subprocess
import threading
import time
import unittest

import harness
from harness import Api, eventually

T = {"db_name": "B", "table": "T"}
KEYS = {"go": 1001, "python": 1003, "node": 1002}


class Breakers(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for path, body in (("/create-db", {"db_name": "B"}), ("/create-table", {**T, "columns": {"student_id": "INT", "n": "INT"}}),
                           ("/insert", {**T, "data": [{"student_id": k, "n": 0} for k in KEYS.values()]})):
            answer = cls.api.post(path, body)
            assert answer.status == 200, answer

    def setUp(self):
        eventually(lambda: self.api.get("/health").json["status"] == "healthy", message="not healthy before the test")

    def breaker(self, shard):
        return self.api.get("/health").json["workers"][shard]["breaker"]

    def read(self, worker, api=None, **more):
        return (api or self.api).post("/select", {**T, "condition": f"student_id = {KEYS[worker]}", **more})

    def wait_open(self, shard):
        eventually(lambda: self.breaker(shard)["state"] == "open", message="the breaker does not open")

    def check_fast_refusals(self):
        """With python's breaker open."""
        took = []
        for _ in range(9):
            started = time.monotonic()
            answer = self.read("python")
            took.append(time.monotonic() - started)
            self.assertEqual((answer.status, answer.code), (503, "shard_unavailable"), answer)
            self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
            self.assertIn("python", answer.json["detail"])
        self.assertLess(statistics.median(took), 1)
        refused = self.refused(503, "shard_unavailable", "/insert", {**T, "data": {"student_id": 1003, "n": 1}})
        self.assertEqual((refused["outcome"], refused["retry"]), ("not_applied", "after"))
        # With a key, what became of an earlier request with it cannot be looked up.
        refused = self.refused(503, "shard_unavailable", "/insert", {**T, "data": {"student_id": 1003, "n": 1}}, Idempotency_Key="k1")
        self.assertEqual((refused["outcome"], refused["retry"]), ("unknown", "same_key"))
        refused = self.refused(503, "shard_unavailable", "/select", T)
        self.assertEqual([(s["worker"], s["outcome"]) for s in refused["shards"]], [("go", "ok"), ("python", "not_applied"), ("node", "ok")])
        partial = self.ok("/select", {**T, "allow_partial": True, "columns": ["student_id"], "order_by": ["student_id"]})
        self.assertEqual((partial["complete"], partial["rows"]), (False, [{"student_id": 1001}, {"student_id": 1002}]))
        for worker in ("go", "node"):
            self.assertEqual(self.read(worker).status, 200)

    def check_recovery(self):
        """No request is needed for it: the probe alone closes the breaker."""
        eventually(lambda: self.read("python").status == 200, message="the worker is not used again")
        view = self.breaker(1)
        self.assertEqual((view["state"], view["failures"]), ("closed", 0))
        self.assertGreater(view["refused"], 0)

    def test_stopped_worker(self):
        with self.cluster.stopped("shardgate-worker", "--worker", "python"):
            self.wait_open(1)
            self.check_fast_refusals()
            view = self.breaker(1)
            self.assertGreaterEqual(view["failures"], 3)
            self.assertEqual([self.breaker(i)["state"] for i in (0, 2)], ["closed", "closed"])
        self.check_recovery()

    def test_stopped_database(self):
        with self.cluster.stopped("shardgate-tdsd", "/python"):
            self.wait_open(1)
            self.check_fast_refusals()
        self.check_recovery()

    def test_requests_open_it(self):
        """Three requests that fail are enough; a client's haste and a client's errors are none."""
        with self.cluster.stopped("shardgate-worker", "--worker", "python"):
            for _ in range(3):
                self.assertIn(self.read("python", columns=["nothing"]).status, (400, 503, 504))
            answers = [self.api.post("/select", {**T, "condition": "student_id = 1003"}, X_Timeout_Ms="1500").status for _ in range(4)]
            self.assertEqual(answers[-1], 503, answers)
        self.check_recovery()
        failures = [self.read("python", columns=["nothing"]).status for _ in range(5)]
        self.assertEqual((failures, self.breaker(1)["state"]), ([400] * 5, "closed"))

    def test_places_at_a_stopped_worker(self):
        """Before the breaker opens, half of the master's threads wait at most; who comes later is told so, and others are served."""
        seen = []
        lock = threading.Lock()

        def ask():
            api = Api(self.api.port)
            answer = self.read("python", api)
            with lock:
                seen.append(answer)
            api.close()

        with self.cluster.stopped("shardgate-worker", "--worker", "python"):
            threads = [threading.Thread(target=ask) for _ in range(48)]
            for t in threads:
                t.start()
            self.assertEqual(self.read("go").status, 200)
            for t in threads:
                t.join()
        by_code = {answer.code for answer in seen}
        self.assertLessEqual(by_code, {"too_busy", "shard_unavailable", "deadline_exceeded"})
        busy = [answer for answer in seen if answer.code == "too_busy"]
        self.assertTrue(busy, by_code)
        for answer in busy:
            self.assertEqual((answer.status, answer.json["outcome"], answer.json["retry"]), (429, "not_applied", "after"))
            self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
            self.assertIn("python", answer.json["detail"])
        self.check_recovery()

    def test_others_do_not_wait(self):
        """While clients ask a stopped worker without rest, the other shards' requests are answered."""
        stop = threading.Event()
        statuses = set()

        def pester():
            api = Api(self.api.port)
            while not stop.is_set():
                statuses.add(self.read("python", api).status)
            api.close()

        with self.cluster.stopped("shardgate-worker", "--worker", "python"):
            threads = [threading.Thread(target=pester) for _ in range(24)]
            for t in threads:
                t.start()
            try:
                took = []
                for i in range(60):
                    started = time.monotonic()
                    self.assertEqual(self.read(("go", "node")[i % 2]).status, 200)
                    took.append(time.monotonic() - started)
                self.assertLess(max(took), 3)
            finally:
                stop.set()
                for t in threads:
                    t.join()
        self.assertLessEqual(statuses, {429, 503, 504})
        self.check_recovery()

    def test_lock_waits_end_with_the_deadline(self):
        """Another session's transaction holds the row: the database refuses in time, so that it is certain that nothing was done."""
        session = subprocess.Popen(["tsql", "-H", "127.0.0.1", "-p", str(self.cluster.tds_ports["python"]), "-U", "sa", "-P", self.cluster.tds_password],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "TDSVER": "7.4"})
        update = {**T, "set": {"n": 1}, "condition": "student_id = 1003"}
        try:
            session.stdin.write(b"BEGIN TRAN\nUPDATE BPY.dbo.T SET n = 5 WHERE student_id = 1003\ngo\n")
            session.stdin.flush()
            eventually(lambda: self.api.post("/update", update, X_Timeout_Ms="1000").status == 504, message="the row is not locked")
            refused = []
            for _ in range(3):  # one that is slow on its way is late
                started = time.monotonic()
                refused.append(self.refused(504, "deadline_exceeded", "/update", update, X_Timeout_Ms="3000"))
                self.assertLess(time.monotonic() - started, 5)
            self.assertIn(("not_applied", 1222), [(r["outcome"], r.get("sql_error")) for r in refused], refused)
            self.assertEqual(self.breaker(1)["state"], "closed")  # waiting for a lock is no sickness
        finally:
            session.stdin.close()
            session.kill()
            session.wait()
        eventually(lambda: self.api.post("/update", update).status == 200, message="the lock is not released")

    def test_deadlines_hold(self):
        """A hung worker, or database, costs the deadline and little more."""
        for words in (("shardgate-worker", "--worker", "python"), ("shardgate-tdsd", "/python")):
            with self.subTest(words=words), self.cluster.stopped(*words):
                for path, body in (("/select", {}), ("/update", {"set": {"n": 1}})):
                    started = time.monotonic()
                    answer = self.api.post(path, {**T, **body, "condition": "student_id = 1003"}, X_Timeout_Ms="800")
                    self.assertIn((answer.status, answer.code), ((504, "deadline_exceeded"), (503, "shard_unavailable")), answer)
                    self.assertLess(time.monotonic() - started, 3)
            eventually(lambda: self.api.get("/health").json["status"] == "healthy")


if __name__ == "__main__":
    harness.main()
