#!/usr/bin/env python3
"""The N-th call of malloc, read, write or connect fails, in a worker or in the master, for one N after the other: no process ends,
no answer is a lie, and the next request is served."""

import mmap
import os
import pathlib
import shutil
import struct
import sys
import tempfile
import threading
import unittest

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS), str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402
from books import Books, show, verdict  # noqa: E402
from stage import Stage  # noqa: E402
from test_nemesis import Client, look, set_up  # noqa: E402

FUNCTIONS = {"malloc": 1, "read": 2, "write": 3, "connect": 4}
SHIM = harness.BUILD / "tests" / "faults" / "nth_call.so"
MOST = int(os.environ.get("SHARDGATE_CALLS", "80"))  # calls that fail, of each function in each program


class Control:
    """struct control of nth_call.c, shared with the processes."""

    def __init__(self, path):
        path.write_bytes(bytes(12))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 12)

    def arm(self, function, countdown):
        self.memory[:12] = struct.pack("iii", function, countdown, 0)

    def disarm(self):
        """Did a call fail?"""
        failed = struct.unpack("iii", self.memory[:12])[2]
        self.memory[:12] = bytes(12)
        return failed > 0


class NthCall(unittest.TestCase):
    def fail_all(self, program):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-nth-call-"))
        self.addCleanup(shutil.rmtree, folder)
        control, books, failures = Control(folder / "control"), Books(), 0
        script = folder / program
        script.write_text(f"#!/bin/sh\nSHARDGATE_NTH_CALL='{folder}/control' LD_PRELOAD='{SHIM}' exec '{harness.BUILD}/{program}' \"$@\"\n")
        script.chmod(0o755)
        stage = Stage({program: script}, master={"threads": 1})
        self.addCleanup(stage.close)
        set_up(stage, 1)
        clients = [Client(stage, books, 0, threading.Event(), keyed) for keyed in (0, 1)]
        for client in clients:
            client.masters = stage.masters[:1]
        before = sorted(stage.processes(program))
        for name, function in FUNCTIONS.items():
            for i in range(MOST):
                n = i + 1 if name == "malloc" else i // 16 + 1
                client = clients[i % 2]
                deed = (client.insert, client.insert_pair, client.read_register, client.insert_wide, client.update, client.read_fixed, client.delete, client.stream)[i // 2 % 8]
                control.arm(function, n)
                deed()
                failures += control.disarm()
                self.assertEqual(sorted(stage.processes(program)), before, f"a {program} ended: {name}, call {n}, {deed.__name__}")
            print(f"# {program}: {name}: {failures} calls failed until now")
        stage.calm()
        for client in clients:
            client.insert_wide()
        self.assertEqual({outcome for (op, _), (outcome, _) in books.rows.items() if op > books.last_op - 2}, {"applied"})
        wrong = verdict(books, *look(stage, books))
        show(books, wrong)
        self.assertFalse(wrong)
        self.assertGreater(failures, MOST // 2)

    def test_a_worker(self):
        self.fail_all("shardgate-worker")

    def test_the_master(self):
        self.fail_all("shardgate-master")


if __name__ == "__main__":
    harness.main()
