#!/usr/bin/env python3
"""The checker finds what it is for: programs that lie (mutants/), each under a fault that surely brings its lie to light, and the
product's own under all of these faults."""

import pathlib
import sys
import threading
import unittest

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS), str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402
from books import Books, show, verdict  # noqa: E402
from proxy import ANSWER, CUT, REQUEST, Fault  # noqa: E402
from stage import COMMIT, Stage  # noqa: E402
from test_nemesis import Client, look, set_up  # noqa: E402

TIMES = 8
WRITES = 60
ROWS = 1500  # more than two TDS packets of them


class Actor(Client):
    """A client that does one thing after the other, with or without keys, through the first master or the second one."""

    def __init__(self, stage, books, keyed, master):
        super().__init__(stage, books, 0, threading.Event(), keyed)
        self.masters = [stage.masters[master]]


def strike(proxies, fault, deed):
    """Does what the fault is to strike; it has to. The rest of the faults are taken back."""
    for p in proxies:
        p.arm(fault)
    before = sum(p.struck.total() for p in proxies)
    deed()
    assert sum(p.struck.total() for p in proxies) > before, "the fault did not strike"
    for p in proxies:
        p.disarm()


def lose_answers(stage, books, keyed):
    """The answers of workers to the second master, on connections that were used before."""
    actor = Actor(stage, books, keyed, 1)
    for _ in range(TIMES):
        actor.insert_wide()
        strike(stage.http, Fault(CUT, ANSWER, 0, when=b"POST /insert"), actor.insert_wide)


def lose_keyed(stage, books):
    lose_answers(stage, books, 1)


def lose_keyless(stage, books):
    lose_answers(stage, books, 0)


def lose_commits(stage, books):
    """COMMITs that never arrive."""
    actor = Actor(stage, books, 0, 0)
    for _ in range(TIMES):
        strike(stage.tds, Fault(CUT, REQUEST, 0, when=COMMIT), actor.insert_pair)


def lose_rows(stage, books):
    """A select's connection ends behind some of its rows."""
    actor = Actor(stage, books, 0, 0)
    for shard in range(len(stage.tds)):
        actor.insert_rows(shard, ROWS)
    for _ in range(TIMES):
        strike(stage.tds, Fault(CUT, ANSWER, 4500), actor.read_mine)


def write_much(stage, books):
    """Nothing breaks."""
    actor = Actor(stage, books, 0, 0)
    for _ in range(WRITES):
        actor.insert_wide()


SCENES = (write_much, lose_keyed, lose_keyless, lose_commits, lose_rows)


class Teeth(unittest.TestCase):
    def play(self, scenes, mutants=None):
        stage = Stage(mutants, master={"threads": 1})
        self.addCleanup(stage.close)
        books = Books()
        set_up(stage, 1)
        for scene in scenes:
            scene(stage, books)
        stage.calm()
        return books, verdict(books, *look(stage, books))

    def find(self, name, program, mutant, scene):
        _, wrong = self.play([scene], {program: FAULTS_BUILT / mutant})
        self.assertIn(name, wrong)

    def test_the_product_is_found_true(self):
        books, wrong = self.play(SCENES)
        show(books, wrong)
        self.assertFalse(wrong)

    def test_keys_that_do_not_reach_the_ledger(self):
        self.find("DUPLICATED", "shardgate-worker", "worker_keyless", lose_keyed)

    def test_acknowledgements_without_a_commit(self):
        self.find("LOST", "shardgate-worker", "worker_hasty", lose_commits)

    def test_rows_that_end_early(self):
        self.find("SHORT", "shardgate-worker", "worker_short", lose_rows)

    def test_a_database_that_takes_back(self):
        self.find("LOST", "shardgate-tdsd", "tdsd_forgetful", write_much)

    def test_a_database_that_denies(self):
        self.find("LIE", "shardgate-tdsd", "tdsd_denying", write_much)

    def test_a_master_that_repeats(self):
        self.find("DUPLICATED", "shardgate-master", "master_repeating", lose_keyless)

    def test_a_transport_that_repeats(self):
        self.find("DUPLICATED", "shardgate-master", "master_rewinding", lose_keyless)


FAULTS_BUILT = harness.BUILD / "tests" / "faults" / "mutants"

if __name__ == "__main__":
    harness.main()
