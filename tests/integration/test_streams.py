#!/usr/bin/env python3
"""Long selects are passed on while they are read: in bounded memory, as slowly as the client reads, and never cut unseen."""

import json
import pathlib
import re
import socket
import time

import harness
from harness import eventually

T = {"db_name": "Long", "table": "Rows"}
ROWS = 60000  # of all shards
NAME = "n" * 300
MIB = 1 << 20


class Reader:
    """A select whose answer is read by hand."""

    def __init__(self, port, body):
        text = json.dumps({**T, **body}).encode()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.sendall(b"POST /select HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        self.received = b""

    def read(self, size):
        """Reads on until `size` bytes are there, or the end; true before the end."""
        while len(self.received) < size:
            block = self.socket.recv(1 << 16)
            if not block:
                return False
            self.received += block
        return True

    def rest(self):
        self.read(1 << 40)
        self.socket.close()
        head, _, body = self.received.partition(b"\r\n\r\n")
        return head, body


class Streams(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster()
        cls.cluster.config["timeout_ms"] = 60000
        cls.cluster.config_file.write_text(json.dumps(cls.cluster.config))
        try:
            cls.cluster.start()
            cls.api = cls.cluster.api
            cls.fill()
        except BaseException:
            cls.cluster.stop()
            raise

    @classmethod
    def fill(cls):
        """Each shard gets its third by doubling: which shard a key belongs to does not matter here."""
        for path, body in (("/create-db", {"db_name": "Long"}), ("/create-table", {**T, "columns": {"student_id": "INT", "name": "VARCHAR(400)"}})):
            answer = cls.api.post(path, body)
            assert answer.status == 200, answer
        for i, (worker, suffix) in enumerate(cls.cluster.shards):
            table, have = f"[Long{suffix}].[dbo].[Rows]", 1
            cls.cluster.tsql(worker, f"insert into {table} values ({i}, '{NAME}')")
            while have < ROWS // 3:
                n = min(have, ROWS // 3 - have)
                cls.cluster.tsql(worker, f"insert into {table} select student_id + {3 * have}, name from {table} where student_id < {3 * n}")
                have += n

    def pids(self, word):
        return [pid for pid, command in self.cluster.processes().items() if word in command]

    def healthy(self):
        return self.api.get("/health").json["status"] == "healthy"

    def test_memory_is_bounded(self):
        """The answer has some 20 MB; master and workers hold a part of it, whoever waits for whom."""
        pids = self.pids("shardgate-master") + self.pids("shardgate-worker")
        for body in ({}, {"order_by": ["student_id"]}, {"order_by": [{"column": "name"}, {"column": "student_id", "dir": "desc"}]}):
            with self.subTest(body=body):
                for pid in pids:
                    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
                head, answer = Reader(self.cluster.port, body).rest()
                self.assertIn(b" 200 ", head)
                ids = [int(m) for m in re.findall(rb'"student_id":(\d+)', answer)]
                self.assertEqual(sorted(ids), list(range(ROWS)))
                if body:
                    self.assertEqual(ids, sorted(ids, reverse=len(body["order_by"]) > 1))
                document = json.loads(answer)
                self.assertEqual((document["count"], document["complete"], [s["rows"] for s in document["shards"]]), (ROWS, True, 3 * [ROWS // 3]))
                self.assertGreater(len(answer), 18 * MIB)
                for pid in pids:
                    peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024
                    sanitized = harness.is_sanitized(pid)
                    self.assertLess(peak, (400 if sanitized else 32) * MIB, self.cluster.processes()[pid])

    def forget_peaks(self):
        pids = [pid for word in ("lighttpd", "shardgate-master", "shardgate-worker", "shardgate-tdsd") for pid in self.pids(word)]
        for pid in pids:
            harness.forget_peak_memory(pid)
        self.before = {pid: harness.peak_memory(pid) for pid in pids}

    def check_peaks(self):
        """None of the processes between the rows and the client has taken much more memory since forget_peaks()."""
        for pid, before in self.before.items():
            most = (300 if harness.is_sanitized(pid) else 8) * MIB
            self.assertLess(harness.peak_memory(pid) - before, most, self.cluster.processes()[pid])

    def check_whole(self, answer, body):
        ids = [int(m) for m in re.findall(rb'"student_id":(\d+)', answer)]
        self.assertEqual(ids if body else sorted(ids), list(range(ROWS)))
        document = json.loads(answer)
        self.assertEqual((document["count"], document["complete"]), (ROWS, True))

    def test_a_slow_reader(self):
        """It takes what it gets a piece at a time: nothing is kept for it anywhere on the way."""
        for body in ({"order_by": ["student_id"]}, {}):
            with self.subTest(body=body):
                self.forget_peaks()
                reader, pieces = Reader(self.cluster.port, body), 0
                while reader.read(len(reader.received) + (1 << 16)):
                    pieces += 1
                    time.sleep(0.02 if pieces > 20 else 0.2)
                head, answer = reader.rest()
                self.assertIn(b" 200 ", head)
                self.check_whole(answer, body)
                self.assertGreater(pieces, 200)
                self.check_peaks()

    def test_a_stalled_shard(self):
        """The others' rows are left where they are until it goes on."""
        for body in ({"order_by": ["student_id"]}, {}):
            with self.subTest(body=body):
                self.forget_peaks()
                reader = Reader(self.cluster.port, body)
                self.assertTrue(reader.read(1 << 16))
                with self.cluster.stopped("shardgate-worker", "node"):
                    reader.socket.settimeout(2)
                    with self.assertRaises(TimeoutError):
                        reader.rest()
                    self.check_peaks()
                reader.socket.settimeout(120)
                head, answer = reader.rest()
                self.check_whole(answer, body)

    def test_first_rows_come_before_the_last_and_a_lost_shard_cuts_the_answer(self):
        for body in ({}, {"order_by": ["student_id"]}, {"order_by": ["student_id"], "allow_partial": True}):
            with self.subTest(body=body):
                reader = Reader(self.cluster.port, body)
                self.assertTrue(reader.read(1 << 16))  # while most of the rows are still with the workers
                self.assertGreaterEqual(self.cluster.kill("shardgate-worker", "node"), 1)
                head, answer = reader.rest()
                self.assertIn(b" 200 ", head)
                self.assertNotIn(b'"count"', answer)
                with self.assertRaises(ValueError):
                    json.loads(answer)
                eventually(self.healthy)

    def test_workers_stop_when_nobody_reads(self):
        """More clients go away than there are threads in the master and the workers together."""
        for i in range(32):
            reader = Reader(self.cluster.port, {"order_by": ["student_id"]} if i % 2 else {})
            self.assertTrue(reader.read(1 << 16))
            reader.socket.close()
        self.assertEqual(self.ok("/select", {**T, "order_by": ["student_id"], "limit": 3, "columns": ["student_id"]})["rows"],
                         [{"student_id": i} for i in range(3)])

    def test_small_answers_are_whole(self):
        answer = self.api.post("/select", {**T, "condition": "student_id > 2 AND student_id < 4"})
        self.assertEqual((answer.status, answer.json["count"]), (200, 1))
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
        self.assertIn("server-timing", answer.headers)

    def test_what_fails_early_is_a_problem(self):
        self.refused(400, "bad_field", "/select", {**T, "order_by": ["student_id"], "limit": -1})
        self.refused(404, "no_such_table", "/select", {"db_name": "Long", "table": "None"})


if __name__ == "__main__":
    harness.main()
