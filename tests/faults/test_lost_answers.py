#!/usr/bin/env python3
"""A keyed write whose TDS connection is cut when its COMMIT travels, or the answer to it, comes to a definite answer: the worker
looks its key up. None is done twice, none is lost.

SHARDGATE_CUTS=N cuts as often (make soak-lost-answers: 500 times).
"""

import collections
import os
import pathlib
import signal
import sys
import threading
import time
import unittest

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS), str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402
from proxy import ANSWER, CUT, HOLD, REQUEST, RESET, Fault  # noqa: E402
from stage import KEYS, Call, Stage  # noqa: E402

CUTS = int(os.environ.get("SHARDGATE_CUTS", "60"))
LOG = {"db_name": "Work", "table": "Log"}
LANDING_S = 2  # in which what was let go is done by the database
UNIQUE = {"db_name": "Work", "table": "Unique"}  # two rows with one key cannot be


class LostAnswers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.stage.post("/create-db", {"db_name": "Work"})
        cls.stage.post("/create-table", {**LOG, "columns": {"student_id": "INT", "op": "INT", "part": "INT"}})
        cls.stage.post("/create-table", {**UNIQUE, "columns": {"student_id": "INT NOT NULL PRIMARY KEY", "op": "INT"}})

    def cut(self, name, fault, count, rows):
        """Keyed inserts of so many rows, each struck by the fault as its key travels, with which its COMMIT does."""
        first = {"cut": 0, "request": 100000, "pair": 200000}[name]
        outcomes = collections.Counter()
        struck = sum(p.struck.total() for p in self.stage.tds)
        for op in range(first, first + count):
            shard = op % len(KEYS)
            data = [{"student_id": KEYS[shard], "op": op, "part": part} for part in range(rows)]
            self.stage.tds[shard].arm(fault._replace(kind=CUT if op % 2 else RESET, when=f"{name}-{op}".encode()))
            call = Call(self.stage.masters[0], "/insert", {**LOG, "data": data if rows > 1 else data[0]}, f"{name}-{op}")
            outcomes[call.outcome] += 1
            self.stage.tds[shard].disarm()
            if call.outcome == "applied":
                self.assertEqual(call.json["rows_affected"], rows)
        struck = sum(p.struck.total() for p in self.stage.tds) - struck
        print(f"# {name}: {count} writes, {struck} struck, {dict(outcomes)}")
        self.assertEqual(struck, count)
        self.stage.calm()
        there = collections.Counter(r["op"] for r in self.stage.post("/select", {**LOG, "condition": f"op >= {first} AND op < {first + count}"})["rows"])
        self.assertLessEqual(set(there.values()), {rows}, "doubled, or in part")
        self.assertLessEqual(outcomes["unknown"], max(1, count // 100))
        self.assertLessEqual(abs(len(there) - outcomes["applied"]), outcomes["unknown"])

    def test_the_answer_is_lost(self):
        self.cut("cut", Fault(CUT, ANSWER, 0), CUTS, 1)

    def test_the_commit_is_lost(self):
        self.cut("request", Fault(CUT, REQUEST, 0), CUTS // 3, 1)

    def test_the_answer_to_a_transaction_is_lost(self):
        self.cut("pair", Fault(CUT, ANSWER, 0), CUTS // 3, 2)

    def hold_original(self, body, key):
        """A keyed write whose statement is held on its way to the database. Its worker is no more, and the master has repeated it."""
        database, calls = self.stage.tds[0], []
        struck = database.struck[HOLD]
        database.arm(Fault(HOLD, REQUEST, 0, when=key.encode()))
        sender = threading.Thread(target=lambda: calls.append(Call(self.stage.masters[0], "/insert", body, key)))
        sender.start()
        harness.eventually(lambda: database.struck[HOLD] > struck)
        for pid in self.stage.processes("shardgate-worker"):
            os.kill(pid, signal.SIGKILL)
        sender.join()
        self.stage.calm()
        return calls[0]

    def rows(self, key):
        return [r["op"] for r in self.stage.post("/select", {**UNIQUE, "condition": f"student_id = {key}"})["rows"]]

    def test_a_refused_repeat_keeps_the_original_out(self):
        """The repeat is refused for a reason that is gone when the original arrives at last: `not_applied` has been said by then."""
        for repeats in (0, 2):
            with self.subTest(repeats):
                name, key = f"held-back-{repeats}", KEYS[0]
                mine, other = ({**UNIQUE, "data": {"student_id": key, "op": op}} for op in (repeats, 99))
                self.stage.post("/insert", other)
                told = [self.hold_original(mine, name), *(Call(self.stage.masters[1], "/insert", mine, name) for _ in range(repeats))]
                for call in told:
                    self.assertIn((call.status, call.outcome), ((409, "not_applied"), (503, "unknown")), call)
                self.assertEqual(Call(self.stage.masters[0], "/insert", mine, name).outcome, "not_applied")
                self.stage.post("/delete", {**UNIQUE, "condition": f"student_id = {key}"})
                self.stage.tds[0].release()
                time.sleep(LANDING_S)
                self.assertEqual(self.rows(key), [])
                again = Call(self.stage.masters[1], "/insert", mine, name)
                self.assertEqual((again.outcome, again.replayed), ("applied", False), again)
                self.assertEqual(self.rows(key), [repeats])
                self.stage.post("/delete", {**UNIQUE, "condition": f"student_id = {key}"})

    def test_what_a_key_stands_for_cannot_be_looked_up(self):
        """A repeat whose note is refused, as the first is there, must not be told that it was not applied."""
        body, look = {**LOG, "data": {"student_id": KEYS[0], "op": 1, "part": 0}}, "SELECT [request_hash]".encode("utf-16-le")
        first = Call(self.stage.masters[0], "/insert", body, "looked-up")
        self.assertEqual(first.outcome, "applied", first)
        for _ in range(4):
            self.stage.tds[0].arm(Fault(CUT, REQUEST, 0, when=look))
        again = Call(self.stage.masters[0], "/insert", body, "looked-up")
        self.stage.tds[0].disarm()
        self.assertEqual((again.outcome, again.json["retry"]), ("unknown", "same_key"), again)
        self.assertNotIn("gw_requests", str(again))
        harness.eventually(lambda: Call(self.stage.masters[0], "/insert", body, "looked-up").replayed)

    def test_what_a_key_stands_for_cannot_be_asked(self):
        """A repeat whose master cannot find out about the table says of no shard that it was not applied."""
        body = {**LOG, "data": [{"student_id": key, "op": 2, "part": part} for part, key in enumerate(KEYS)]}
        first = Call(self.stage.masters[0], "/insert", body, "asked")
        self.assertEqual(first.outcome, "applied", first)
        for _ in range(4):
            for p in self.stage.http:
                p.arm(Fault(CUT, ANSWER, 0, when=b"POST /describe"))
        again = Call(self.stage.masters[1], "/insert", body, "asked")
        for p in self.stage.http:
            p.disarm()
        self.assertEqual({again.outcome, *again.of_shards().values()}, {"unknown"}, again)
        harness.eventually(lambda: Call(self.stage.masters[1], "/insert", body, "asked").replayed)


if __name__ == "__main__":
    harness.main()
