#!/usr/bin/env python3
"""What a cluster costs while nobody asks it anything: memory, the time of a start, and what large requests leave behind. The limits
are several times what is measured (docs/benchmarks.md), so that only a change of kind exceeds them."""

import concurrent.futures
import time
import unittest

import harness
from harness import Cluster, eventually, is_sanitized, memory

MIB = 1 << 20
IDLE_PRIVATE = 40 * MIB  # RssAnon of all processes; some 10 MiB are measured
IDLE_RESIDENT = 120 * MIB  # RSS of all; some 55
START_S = 10  # some 0.2
KEPT = 0.25  # of what large requests took; nearly all of it stayed when nobody gave it back


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        began = time.monotonic()
        cls.cluster = Cluster().start()
        cls.took = time.monotonic() - began
        cls.addClassCleanup(cls.cluster.stop)
        if any(is_sanitized(pid) for pid in cls.cluster.processes()):
            raise unittest.SkipTest("sanitizers have memory and time of their own")

    def sum(self, key, words=""):
        return sum(memory(pid)[key] for pid, command in self.cluster.processes().items() if words in command)

    def test_idle(self):
        self.assertLess(self.sum("RssAnon"), IDLE_PRIVATE)
        self.assertLess(self.sum("VmRSS"), IDLE_RESIDENT)

    def test_start(self):
        self.assertLess(self.took, START_S)

    def test_large_requests_leave_little(self):
        api = self.cluster.api
        self.assertEqual(api.post("/create-db", {"db_name": "Large"}).status, 200)
        self.assertEqual(api.post("/create-table", {"db_name": "Large", "table": "T", "columns": {"id": "INT PRIMARY KEY", "text": "NVARCHAR(200)"}}).status, 200)

        def insert(first):
            rows = [{"id": first + i, "text": f"{i:0100}"} for i in range(20000)]
            return harness.Api(self.cluster.port, timeout=60).post("/insert", {"db_name": "Large", "table": "T", "data": rows}).status

        for program in ("shardgate-master", "shardgate-worker"):
            for pid, command in self.cluster.processes().items():
                if program in command:
                    harness.forget_peak_memory(pid)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(insert, range(0, 320000, 20000)))  # some are refused, or late: their memory is what matters
        for program in ("shardgate-master", "shardgate-worker"):
            with self.subTest(program):
                peak = self.sum("VmHWM", program)
                self.assertGreater(peak, 40 * MIB)  # else they were not large
                eventually(lambda: self.sum("RssAnon", program) < KEPT * peak, seconds=60, message=f"{program} keeps more than a quarter of {peak} bytes")


if __name__ == "__main__":
    harness.main()
