#!/usr/bin/env python3
"""A shard that is slow, late or hangs, in a way that no kill makes it: what it costs itself, and what it costs the others."""

import pathlib
import sys
import unittest

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS), str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402
from proxy import ANSWER, SWALLOW, Fault  # noqa: E402
from stage import KEYS, TOKEN, Call, Stage  # noqa: E402

ROWS = {"db_name": "Work", "table": "Rows"}
HELD = 32768        # bytes of an answer that are held back before any of it goes out
COUNT = 3000        # rows of a shard: several times as long
DEADLINE_MS = 800
LATE_S = 0.35       # behind the deadline, at the best of TIMES
TIMES = 4


class Sick(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.stage.post("/create-db", {"db_name": "Work"})
        cls.stage.post("/create-table", {**ROWS, "columns": {"student_id": "INT", "n": "INT", "pad": "NVARCHAR(100)"}})
        for key in KEYS:
            cls.stage.post("/insert", {**ROWS, "data": [{"student_id": key, "n": n, "pad": "x" * 50} for n in range(COUNT)]})


class Hung(Sick):
    """A database that stops in the middle of its answer costs the deadline and little more, in the worker itself."""

    def ask(self, path, body, after, word, key=None):
        """The best of some times behind the deadline in seconds, and the last answer."""
        best = None
        for number in range(TIMES):
            self.stage.tds[0].arm(Fault(SWALLOW, ANSWER, after, when=word))
            struck = self.stage.tds[0].struck[SWALLOW]
            call = Call(self.stage.worker_ports[0], path, body, key and f"{key}-{number}", headers={"X-Master-Token": TOKEN, "X-Timeout-Ms": str(DEADLINE_MS)})
            self.assertEqual(self.stage.tds[0].struck[SWALLOW], struck + 1, call)
            late = call.took - DEADLINE_MS / 1000
            best = late if best is None else min(best, late)
        print(f"# {path}, stopped after {after} bytes: {best * 1000:.0f} ms behind the deadline")
        return best, call

    def test_before_the_first_rows(self):
        late, call = self.ask("/select", {**ROWS, "condition": "n < 5"}, 300, "[Rows]".encode("utf-16-le"))
        self.assertEqual((call.status, call.json["code"]), (504, "deadline_exceeded"), call)
        self.assertLess(late, LATE_S)

    def test_before_what_says_that_all_is_done(self):
        body = {**ROWS, "data": {"student_id": KEYS[0], "n": -1, "pad": ""}}
        late, call = self.ask("/insert", body, 30, "hung".encode(), "hung")
        self.assertEqual((call.status, call.outcome, call.json["retry"]), (504, "unknown", "same_key"), call)
        self.assertLess(late, LATE_S)

    def test_in_rows_that_are_read_already(self):
        """Each wait may take as long as the first rows had."""
        late, call = self.ask("/select", ROWS, 6 * HELD, "[Rows]".encode("utf-16-le"))
        self.assertFalse(call.whole)
        self.assertLess(late, DEADLINE_MS / 1000 + LATE_S)


if __name__ == "__main__":
    harness.main()
