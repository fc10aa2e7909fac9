#!/usr/bin/env python3
"""The master carries requests for one worker together while a call to it is under way: each keeps its own answer, whatever the
batch meets. The workers are stand-ins."""

import collections
import threading
import time

import harness
from harness import Api
from standin import COLUMNS, StandInTest, T

CLIENTS = 16
WORKER = 1  # python; where the rows of these keys are
KEY = 1003


class Gathering(StandInTest):
    """Requests for one worker from CLIENTS at once."""

    MASTER = {"threads": 2 * CLIENTS}

    def setUp(self):
        super().setUp()
        self.python = self.workers[WORKER]
        self.python.batches, self.python.delay, self.python.batch_sizes = True, 0.005, []
        self.assertEqual(self.ok("/insert", {**T, "data": {"student_id": KEY}})["routing"]["shard"], WORKER)
        self.seen()

    def tearDown(self):
        self.python.batches, self.python.delay = False, 0

    def many(self, ask, seconds=20, until=None):
        """CLIENTS ask side by side until `until` is true; all answers, in no order."""
        until = until or (lambda: len(self.python.batch_sizes) >= 5 and max(self.python.batch_sizes) > 1)
        end, answers, lock = time.monotonic() + seconds, [], threading.Lock()

        def client(n):
            api = Api(self.api.port)
            while time.monotonic() < end and not until():
                one = ask(api, n)
                with lock:
                    answers.append(one)
            api.close()

        threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(until(), "no batches were sent")
        return answers

    def arrivals(self, path):
        return [(body, headers) for at, body, headers in self.python.arrivals if at == path]

    def counter(self):
        numbers, lock = iter(range(1, 1 << 30)), threading.Lock()

        def next_number():
            with lock:
                return next(numbers)
        return next_number

    def insert(self, api, n, **headers):
        return api.post("/insert", {**T, "data": {"student_id": KEY, "n": str(n)}}, **headers)


class Courier(Gathering):
    def test_a_lone_request_goes_by_itself(self):
        for _ in range(20):
            self.ok("/insert", {**T, "data": {"student_id": KEY, "n": "x"}})
        self.assertEqual(self.python.batch_sizes, [])

    def test_each_has_its_own_answer(self):
        number = self.counter()

        def ask(api, client):
            n = number()
            if client % 4 == 3:
                answer = api.post("/select", {"db_name": "S", "table": "missing", "condition": f"student_id = {KEY}"})
                return answer.status, n, answer.status == 404 and answer.code == "no_such_table"
            if client % 4 == 2:
                answer = api.post("/select", {**T, "shard_key": KEY, "columns": ["n"]}, X_Request_Id=f"id-{n}")
                return answer.status, n, answer.json["status"] == "ok" and answer.headers["x-request-id"] == f"id-{n}"
            answer = self.insert(api, n, Idempotency_Key=f"key-{n}")
            return answer.status, n, answer.json["routing"]["shard"] == WORKER

        answers = self.many(ask)
        self.assertEqual({ok for _, _, ok in answers}, {True})
        self.assertEqual({status for status, _, _ in answers}, {200, 404})
        written = collections.Counter(body["data"]["n"] for body, _ in self.arrivals("/insert"))
        self.assertEqual(set(written.values()), {1})
        for body, headers in self.arrivals("/insert"):
            self.assertEqual(headers["Idempotency-Key"], "key-" + body["data"]["n"])
            self.assertTrue(0 < int(headers["X-Timeout-Ms"]) < 2000)
            self.assertIn("X-Shard-Schema", headers)
        self.assertNotIn("Idempotency-Key", [name for _, headers in self.arrivals("/select") for name in headers])

    def check_lost(self, fault):
        """Batches that break off: writes are told as unknown, are there at most once, and reads are asked again."""
        self.python.faults = {"/batch": fault}
        number = self.counter()
        answers = self.many(lambda api, _: (lambda n: (n, self.insert(api, n)))(number()), until=lambda: len(self.arrivals("/batch")) >= 3)
        self.python.faults = {}
        written = collections.Counter(body["data"]["n"] for body, _ in self.arrivals("/insert"))
        self.assertLessEqual(max(written.values(), default=0), 1)
        lost = 0
        for n, answer in answers:
            if answer.status == 200:
                self.assertEqual(written[str(n)], 1)
            elif answer.json["outcome"] == "not_applied":
                self.assertEqual(written[str(n)], 0, answer)
            else:
                self.assertEqual((answer.status, answer.code, answer.json["outcome"]), (503, "shard_unavailable", "unknown"))
                lost += 1
        self.assertGreater(lost, 0)

    def test_batches_that_are_cut(self):
        self.check_lost("cut")

    def test_batches_without_an_answer(self):
        self.check_lost("close")

    def test_batches_that_lack_answers(self):
        self.check_lost("short")

    def test_reads_of_a_cut_batch_are_asked_again(self):
        self.ok("/insert", {**T, "data": {"student_id": KEY, "n": "x"}})
        self.python.faults = {"/batch": "nonsense"}
        answers = self.many(lambda api, _: api.post("/select", {**T, "shard_key": KEY}))
        self.assertEqual({a.status for a in answers}, {200}, next((a for a in answers if a.status != 200), None))

    def test_refused_batches_go_one_by_one(self):
        self.python.faults = {"/batch": (429, "too_busy")}
        number = self.counter()
        answers = self.many(lambda api, _: self.insert(api, number()), until=lambda: len(self.arrivals("/batch")) >= 5)
        self.assertEqual({a.status for a in answers}, {200}, next((a for a in answers if a.status != 200), None))
        self.assertEqual(len(self.arrivals("/insert")), len(answers))

    def test_what_is_too_long_is_asked_alone(self):
        self.insert(self.api, 1)
        self.python.faults = {"/batch": "alone"}
        answers = self.many(lambda api, _: api.post("/select", {**T, "shard_key": KEY}))
        self.assertEqual({a.status for a in answers}, {200}, next((a for a in answers if a.status != 200), None))
        self.assertEqual(len(self.arrivals("/select")), len(answers))

    def test_no_write_is_asked_alone(self):
        """A worker that says of a write that it has to be asked alone may have done it all the same."""
        self.python.faults = {"/batch": "alone"}
        number = self.counter()
        answers = self.many(lambda api, _: self.insert(api, number()))
        told = collections.Counter((a.status, a.json.get("outcome")) for a in answers)
        self.assertEqual(set(told), {(200, None), (502, "unknown")})
        self.assertEqual(len(self.arrivals("/insert")), told[200, None])

    def test_deadlines_in_a_batch(self):
        """Some of a batch hang: their own deadline ends them, and the others are answered long before."""
        self.ok("/create-table", {"db_name": "S", "table": "U", "columns": COLUMNS})
        self.python.faults = {"/delete": "hang"}
        number = self.counter()
        slow, stop = [], threading.Event()

        def pester():
            api = Api(self.api.port)
            while not stop.is_set():
                started = time.monotonic()
                answer = api.post("/delete", {"db_name": "S", "table": "U", "condition": f"student_id = {KEY}"}, X_Timeout_Ms="700")
                slow.append((answer, time.monotonic() - started))
            api.close()

        pesterer = threading.Thread(target=pester)
        pesterer.start()
        answers = self.many(lambda api, _: (time.monotonic(), self.insert(api, number()), time.monotonic()),
                            until=lambda: len(slow) >= 3 and len(self.python.batch_sizes) > 5)
        stop.set()
        pesterer.join()
        for answer, took in slow:
            self.assertIn(answer.code, ("deadline_exceeded", "shard_unavailable", "too_busy"))
            self.assertLess(took, 5)
        good = sorted(end - start for start, answer, end in answers if answer.status == 200)
        self.assertGreater(len(good), 20)
        self.assertLess(good[len(good) // 2], 0.5)


class Unable(Gathering):
    def test_a_worker_without_batches(self):
        self.python.batches = False
        number = self.counter()
        answers = self.many(lambda api, _: self.insert(api, number()), until=lambda: len(self.python.arrivals) > 300)
        self.assertEqual({a.status for a in answers}, {200}, next((a for a in answers if a.status != 200), None))
        self.assertEqual(len(self.arrivals("/insert")), len(answers))
        self.assertIn(len(self.arrivals("/batch")), (1, 2))


class Off(StandInTest):
    MASTER = {"threads": 2 * CLIENTS, "batching": False}

    def test_none_is_sent(self):
        python = self.workers[WORKER]
        python.batches, python.delay = True, 0.005
        answers = []

        def client():
            api = Api(self.api.port)
            for _ in range(20):
                answers.append(api.post("/select", {**T, "shard_key": KEY}).status)
            api.close()

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((set(answers), python.batch_sizes), ({200}, []))


if __name__ == "__main__":
    harness.main()
