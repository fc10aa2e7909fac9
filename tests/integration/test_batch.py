#!/usr/bin/env python3
"""POST /batch of a worker: several requests in one body, each answered as if it had come alone, in the order in which they end."""

import http.client
import threading
import time
import uuid

import harness
from harness import eventually

DB = "Batched"
STUDENTS = {"db_name": DB, "table": "Students"}
ROWS = 40
LONG_MS = 4000  # deadlines of parts that wait for a lock
MAX_PARTS = 64
MAX_ANSWER = 32 << 10


class Part:
    """One message of an answer, and when it was there."""

    def __init__(self, head, body, seconds):
        first, *lines = head.decode().split("\r\n")
        self.version, self.status = first.split(" ")[0], int(first.split(" ")[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.body, self.seconds = body, seconds

    @property
    def json(self):
        return harness.json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r} after {self.seconds:.3f} s>"


def message(number, path, body, headers=None, method="POST"):
    """A request of a pipeline."""
    if not isinstance(body, bytes):
        body = harness.json.dumps(body, ensure_ascii=False).encode()
    lines = {"X-Batch-Id": number, "X-Timeout-Ms": LONG_MS, "Content-Type": "application/json", **(headers or {}), "Content-Length": len(body)}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def pipeline(*parts):
    """Parts are (path, body) or (path, body, headers)."""
    return b"".join(message(i, *part) for i, part in enumerate(parts))


class Batch(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker = cls.cluster.worker("go")
        cls.token = {"X-Master-Token": cls.cluster.token}
        for path, body in (("/create-db", {"db_name": DB}),
                           ("/create-table", {**STUDENTS, "columns": {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(MAX)", "n": "INT"}})):
            answer = cls.api.post(path, body)
            assert answer.status == 200, answer

    def setUp(self):
        self.one(200, "/delete", {**STUDENTS, "condition": "student_id > 0"})
        self.one(200, "/insert", {**STUDENTS, "data": [{"student_id": n, "name": f"Zoë {n}", "n": 0} for n in range(1, ROWS + 1)]})

    # What talks to the worker

    def alone(self, path, body, headers=None):
        return self.worker.request("POST", path, body, {**self.token, **(headers or {})})

    def one(self, status, path, body, headers=None):
        answer = self.alone(path, body, headers)
        self.assertEqual(answer.status, status, answer)
        return answer

    def post(self, body, headers=None, content_type="application/http; msgtype=request"):
        """The answer, unread."""
        conn = http.client.HTTPConnection("127.0.0.1", self.worker.port, timeout=60)
        self.addCleanup(conn.close)
        conn.request("POST", "/batch", body, {**self.token, "Content-Type": content_type, **(headers or {})})
        return conn.getresponse()

    def read(self, r):
        """The parts of an answer, as they come."""
        start, text, parts = time.monotonic(), b"", []
        while piece := r.read1(65536):
            text += piece
            while b"\r\n\r\n" in text:
                head, rest = text.split(b"\r\n\r\n", 1)
                length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
                if len(rest) < length:
                    break
                parts.append(Part(head, rest[:length], time.monotonic() - start))
                text = rest[length:]
        self.assertEqual(text, b"")
        return parts

    def batch(self, *parts):
        """The parts' answers in the order of the requests; each is there once."""
        r = self.post(pipeline(*parts))
        self.assertEqual((r.status, r.getheader("Content-Type"), r.getheader("X-Shardgate")), (200, "application/http; msgtype=response", "go"))
        answers = {int(p.headers["x-batch-id"]): p for p in self.read(r)}
        self.assertEqual(sorted(answers), list(range(len(parts))))
        return [answers[i] for i in range(len(parts))]

    def select(self, condition, **more):
        return ("/select", {**STUDENTS, "condition": condition, **more})

    def row(self, n):
        return self.select(f"student_id = {n}")

    def count(self, condition="student_id > 0"):
        return self.one(200, "/map-reduce-count", {**STUDENTS, "condition": condition}).json["total"]

    # As if it had come alone

    def test_each_path(self):
        """The answer of a part is, byte for byte, that of the same request made alone. What is done alone is undone first."""
        tag = self.one(200, "/describe", STUDENTS).json["tag"]
        lines = {"Accept": "application/x-ndjson"}
        for parts in (
                ("/select", {**STUDENTS, "condition": "student_id <= 3", "order_by": ["student_id"]}, {"X-Shard-Schema": tag}),
                ("/select", {**STUDENTS, "condition": "student_id <= 3"}, lines),
                ("/select", {**STUDENTS, "condition": "student_id = 4711"}, lines),
                ("/map-reduce-count", {**STUDENTS, "condition": "student_id <= 3"}),
                ("/insert", {**STUDENTS, "data": {"student_id": 1, "name": "twice"}}),
                ("/insert", {**STUDENTS, "data": {}}),
                ("/update", {**STUDENTS, "set": {"n": 1}, "condition": "student_id = 1"}),
                ("/update", {**STUDENTS, "set": {"n": 1}}),
                ("/delete", {**STUDENTS, "condition": "student_id = 4711"}),
                ("/select", {**STUDENTS, "condition": "student_id = "}),
                ("/select", {**STUDENTS, "table": "Nobody", "condition": "a = 1"}),
                ("/select", b'{"db_name": "Batched", '),
                ("/select", b""),
                ("/select", {**STUDENTS}, {"Content-Type": "text/plain"}),
                ("/select", {**STUDENTS}, {"X-Timeout-Ms": "soon"}),
                ("/select", {**STUDENTS}, {"X-Timeout-Ms": "0"}),
                ("/select", {**STUDENTS}, {"X-Shard-Schema": "another"}),
                ("/update", {**STUDENTS, "set": {"n": 1}, "condition": "student_id = 1"}, {"X-Shard-Schema": "another"}),
                ("/insert", {**STUDENTS, "data": {"student_id": 1}}, {"Idempotency-Key": "x" * 65})):
            path, body, headers = (*parts, {})[:3]
            with self.subTest(parts=str(parts)):
                headers = {"X-Request-Id": "mine", **headers}
                alone = self.alone(path, body, headers)
                [part] = self.batch((path, body, headers))
                self.assertEqual((part.status, part.body, part.headers.get("content-type")),
                                 (alone.status, alone.body, alone.headers["content-type"]))
                self.assertEqual((part.version, part.headers.get("retry-after")), ("HTTP/1.1", alone.headers.get("retry-after")))

    def test_one_that_fails_fails_alone(self):
        parts = [self.row(1), ("/insert", {**STUDENTS, "data": {"student_id": 100}}), ("/select", b"{"), ("/insert", {**STUDENTS, "data": {"student_id": 1}}),
                 ("/select", {**STUDENTS, "condition": "student_id = 1"}, {"X-Shard-Schema": "another"}), ("/describe", STUDENTS), ("/batch", b"", {}),
                 ("/health", b""), ("/update", {**STUDENTS, "set": {"n": 7}, "condition": "student_id = 2"}),
                 ("/delete", {**STUDENTS, "condition": "student_id = 3"}), self.row(4)]
        answers = self.batch(*parts)
        self.assertEqual([a.status for a in answers], [200, 200, 400, 409, 409, 404, 404, 404, 200, 200, 200], answers)
        self.assertEqual([a.json["code"] for a in answers[2:8]],
                         ["bad_json", "duplicate_key", "schema_changed", "no_such_path", "no_such_path", "no_such_path"])
        self.assertEqual(answers[10].json["rows"][0]["name"], "Zoë 4")
        self.assertEqual((self.count("n = 7"), self.count("student_id = 3"), self.count("student_id = 100")), (1, 0, 1))

    def test_as_many_as_there_may_be(self):
        answers = self.batch(*(self.row(n % ROWS + 1) for n in range(MAX_PARTS)))
        for n, answer in enumerate(answers):
            self.assertEqual((answer.status, [r["student_id"] for r in answer.json["rows"]]), (200, [n % ROWS + 1]))
        answers = self.batch(*(("/insert", {**STUDENTS, "data": {"student_id": 1000 + n}}) for n in range(MAX_PARTS)))
        self.assertEqual([a.status for a in answers], [200] * MAX_PARTS)
        self.assertEqual(self.count("student_id >= 1000"), MAX_PARTS)

    def test_an_answer_that_is_too_long_is_asked_for_alone(self):
        self.one(200, "/update", {**STUDENTS, "set": {"name": "x" * 2000}, "condition": "student_id > 0"})
        for headers in ({}, {"Accept": "application/x-ndjson"}):
            long, short = (*self.select("student_id > 0"), headers), (*self.select("student_id <= 10"), headers)
            answers = self.batch(long, short, self.row(1), long)
            self.assertEqual([a.status for a in answers], [413, 200, 200, 413])
            for a in answers:
                self.assertEqual((a.headers.get("x-batch-alone"), len(a.body) > 0), (None, True) if a.status == 200 else ("true", False))
            self.assertGreater(len(self.alone(*long).body), MAX_ANSWER)

    def test_keys(self):
        """A key holds across batches and single requests, and in one batch two parts with the same do it once."""
        body = {**STUDENTS, "data": {"student_id": 500, "n": 1}}
        key = {"Idempotency-Key": str(uuid.uuid4())}
        answers = self.batch(*[("/insert", body, key)] * 12, self.row(1))
        self.assertEqual([a.status for a in answers], [200] * 13, answers)
        self.assertEqual(sorted(a.headers.get("idempotency-replayed", "") for a in answers[:12]), [""] + ["true"] * 11)
        self.assertEqual(self.alone("/insert", body, key).headers.get("idempotency-replayed"), "true")
        [again, other] = self.batch(("/insert", body, key), ("/insert", {**STUDENTS, "data": {"student_id": 501}}, key))
        self.assertEqual((again.status, again.headers.get("idempotency-replayed"), other.status, other.json["code"]),
                         (200, "true", 422, "key_reused"))
        self.assertEqual(self.count("student_id >= 500"), 1)

    # What is no batch

    def test_what_is_malformed_does_nothing(self):
        insert = ("/insert", {**STUDENTS, "data": {"student_id": 600}})
        good = message(0, *insert)
        second = message(1, "/insert", {**STUDENTS, "data": {"student_id": 601}})
        for body in (b"", b"\r\n" + good, good + b"x", good + b"\r\n" + second, good[:-1], good + second[:-1], good + good, second,
                     good + second.replace(b"X-Batch-Id: 1", b"X-Batch-Id: 2"), good.replace(b"X-Batch-Id: 0\r\n", b""),
                     good.replace(b"HTTP/1.1", b"HTTP/1.0"), good.replace(b"\r\n", b"\n"), good + second.replace(b"Content-Length", b"Content-Size"),
                     good + message(1, *insert, {"Transfer-Encoding": "chunked"}), good + message(1, *insert, {"Content-Length ": "1"}),
                     good + message(1, *insert, {"A": "b\r\n c"}), good + message(1, *insert, {f"A{n}": "" for n in range(16)}),
                     good + message(1, *insert, {"A": "x" * 9000}),
                     b"".join(message(n, "/insert", {**STUDENTS, "data": {"student_id": 600 + n}}) for n in range(MAX_PARTS + 1))):
            with self.subTest(body=body[:200]):
                r = self.post(body)
                problem = harness.json.loads(r.read())
                self.assertEqual((r.status, problem["code"], problem["outcome"], problem["retry"]), (400, "bad_request", "not_applied", "no"), problem)
        self.assertEqual(self.count("student_id >= 600"), 0)

    def test_the_batch_is_guarded_and_typed(self):
        body = message(0, "/insert", {**STUDENTS, "data": {"student_id": 600}}, {"X-Master-Token": self.cluster.token})
        self.assertEqual(self.post(body, {"X-Master-Token": "wrong"}).status, 401)
        self.assertEqual(self.post(body, content_type="application/json").status, 400)
        self.assertEqual(self.worker.request("GET", "/batch", None, self.token).status, 405)
        self.assertEqual(self.count("student_id >= 600"), 0)

    # Time

    def test_a_slow_part_holds_up_no_other(self):
        """A write waits for a lock until its deadline; what else is in the batch, and in others, is answered long before."""
        blocked = ("/update", {**STUDENTS, "set": {"n": 9}, "condition": "student_id = 1"})
        with self.cluster.transaction("go", f"UPDATE {DB}GO.dbo.Students SET n = 8 WHERE student_id = 1"):
            for place in (0, 2, 5):
                parts = [self.row(n) for n in range(1, 6)]
                parts.insert(place, blocked)
                answers = self.read(self.post(pipeline(*parts)))
                self.assertEqual(int(answers[-1].headers["x-batch-id"]), place, answers)
                self.assertEqual([a.status for a in answers[:-1]], [200] * 5)
                self.assertGreaterEqual(answers[-1].status, 503)
                self.assertEqual(answers[-1].json["outcome"], "not_applied")
                self.assertGreater(answers[-1].seconds, max(a.seconds for a in answers[:-1]) + LONG_MS / 2000)

    def test_deadlines_are_the_parts_own(self):
        """Also when all lanes wait: a part that finds none is answered at its own deadline, and has done nothing."""
        blocked = [("/update", {**STUDENTS, "set": {"n": 9}, "condition": f"student_id = {n}"}) for n in range(1, 21)]
        soon = [("/insert", {**STUDENTS, "data": {"student_id": 700 + n}}, {"X-Timeout-Ms": 500}) for n in range(10)]
        with self.cluster.transaction("go", f"UPDATE {DB}GO.dbo.Students SET n = 8 WHERE student_id = 1"):
            answers = self.batch(*soon, *blocked)
        for a in answers:
            self.assertIn(a.json["code"], ("deadline_exceeded", "shard_unavailable", "deadlock"), a)
        # The batch's own thread tries the first, and, when that was refused a little before the deadline, a few more, whose time is too short.
        self.assertGreaterEqual([a.json["outcome"] for a in answers[:10]].count("not_applied"), 6, answers[:10])
        for a in answers[1:10]:
            self.assertIn(a.status, (503, 504), a)
            self.assertLess(a.seconds, min(b.seconds for b in answers[10:]))
        self.assertEqual((self.count("student_id >= 700"), self.count("n = 9")), (0, 0))

    def test_many_batches_at_a_time(self):
        wrong = []

        def ask(number):
            for turn in range(3):
                first = 10000 + 1000 * number + 100 * turn
                answers = self.batch(*(p for n in range(8) for p in (self.row(n + 1), ("/insert", {**STUDENTS, "data": {"student_id": first + n}}))))
                wrong.extend(a for a in answers if a.status != 200)
                wrong.extend(a for n, a in enumerate(answers[::2]) if [r["student_id"] for r in a.json["rows"]] != [n + 1])

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])
        self.assertEqual(self.count("student_id >= 10000"), 20 * 3 * 8)

    def test_who_goes_away_costs_nobody_else(self):
        blocked = [("/update", {**STUDENTS, "set": {"n": 9}, "condition": f"student_id = {n}"}) for n in range(1, 5)]
        with self.cluster.transaction("go", f"UPDATE {DB}GO.dbo.Students SET n = 8 WHERE student_id = 1"):
            gone = [http.client.HTTPConnection("127.0.0.1", self.worker.port, timeout=60) for _ in range(2)]
            for conn in gone:
                conn.request("POST", "/batch", pipeline(self.row(1), *blocked), {**self.token, "Content-Type": "application/http"})
                conn.getresponse().read1(1)
                conn.close()
            self.assertEqual([a.status for a in self.batch(*(self.row(n) for n in range(1, 9)))], [200] * 8)
        self.assertEqual([a.status for a in self.batch(self.row(1), ("/insert", {**STUDENTS, "data": {"student_id": 800}}))], [200, 200])

    def test_a_stop_lets_a_batch_end(self):
        """The worker is told to stop while a batch runs: its parts are answered, and the next batch is served by the worker after it."""
        blocked = ("/update", {**STUDENTS, "set": {"n": 9}, "condition": "student_id = 1"})
        result = []
        with self.cluster.transaction("go", f"UPDATE {DB}GO.dbo.Students SET n = 8 WHERE student_id = 1"):
            asker = threading.Thread(target=lambda: result.extend(self.batch(self.row(1), blocked, self.row(2))))
            asker.start()
            time.sleep(1)
            self.assertEqual(self.cluster.kill("shardgate-worker", "--worker go", signum=harness.signal.SIGTERM), 1)
            asker.join()
        self.assertEqual([a.status for a in result[::2]], [200, 200])
        self.assertEqual(result[1].json["outcome"], "not_applied")
        eventually(lambda: self.alone(*self.row(1)).status == 200, seconds=60, message="no worker")
        self.assertEqual([a.status for a in self.batch(self.row(1), self.row(2))], [200, 200])


if __name__ == "__main__":
    harness.main()
