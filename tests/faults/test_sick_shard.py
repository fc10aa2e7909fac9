#!/usr/bin/env python3
"""A shard that is slow, late or hangs, in a way that no kill makes it: what it costs itself, and what it costs the others."""

import collections
import contextlib
import pathlib
import socket
import sys
import threading
import time
import unittest

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS), str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402
from proxy import ANSWER, MUTE, SWALLOW, Fault, Pace, Proxy  # noqa: E402
from stage import HUNG_S, KEYS, TIMEOUT_MS, TOKEN, Call, Stage  # noqa: E402

ROWS = {"db_name": "Work", "table": "Rows"}
HELD = 32768        # bytes of an answer that are held back before any of it goes out
DEADLINE_MS = 800
LATE_S = 0.35       # behind the deadline, at the best of TIMES
TIMES = 4

WRITTEN = {"db_name": "Work", "table": "Written"}
WARM_S, WELL_S, SICK_S = 0.5, 1.5, 4.0  # before anything is measured, before the fault, and during it: longer than any deadline
LATE_BY_S = 0.05               # an answer, or each byte of it
REST_S = 0.05                  # of a client that was refused
SLACK_S = 5                    # behind a deadline: on a slow machine that has other things to do
BOUND, BOUND_S = 5, 0.5        # the 99th percentile of the other shards' answers: this many times what it was, and what is always fair
GONE = (503, "shard_unavailable")
REFUSALS = {GONE, (504, "deadline_exceeded"), (429, "too_busy")}
RIGHT = 0.75                   # of the answers of a shard that is only slow, at least
HELD_WORD = "held"


class Sick(unittest.TestCase):
    COUNT = 1

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.stage.post("/create-db", {"db_name": "Work"})
        cls.stage.post("/create-table", {**ROWS, "columns": {"student_id": "INT", "n": "INT", "pad": "NVARCHAR(100)"}})
        for key in KEYS:
            cls.stage.post("/insert", {**ROWS, "data": [{"student_id": key, "n": n, "pad": "x" * 50} for n in range(cls.COUNT)]})


class Hung(Sick):
    """A database that stops in the middle of its answer costs the deadline and little more, in the worker itself."""

    COUNT = 3000  # several times HELD

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


class Client(threading.Thread):
    """Asks the second master the same question without rest, and keeps every answer. `ms`: its requests' deadline."""

    number = 0

    def __init__(self, stage, shard, ms=TIMEOUT_MS):
        super().__init__(daemon=True)
        self.stage, self.api, self.shard, self.key, self.ms = stage, harness.Api(stage.masters[1], HUNG_S), shard, KEYS[shard], ms
        self.asked, self.error, self.ended = [], None, threading.Event()

    def question(self):
        raise NotImplementedError

    def run(self):
        try:
            while not self.ended.is_set():
                path, body, headers = self.question()
                started = time.monotonic()
                answer = self.api.post(path, body, X_Timeout_Ms=str(self.ms), **headers)
                self.asked.append(Asked(started, time.monotonic() - started, body, answer))
                if answer.status != 200:
                    time.sleep(REST_S)
        except Exception as e:  # the test's thread fails for it
            self.error = e
        self.api.close()


Asked = collections.namedtuple("Asked", "at took body answer")


class Reader(Client):
    """Of one row."""

    def question(self):
        return "/select", {**ROWS, "condition": f"student_id = {self.key}"}, {}

    def right(self, answer):
        return answer.status == 200 and [(r["student_id"], r["n"]) for r in answer.json["rows"]] == [(self.key, 0)]


class Gatherer(Client):
    """Of all shards' rows, or those of the shards that can be asked."""

    def question(self):
        return "/select", {**ROWS, "allow_partial": True, "order_by": ["student_id"]}, {}

    def right(self, answer):
        """All rows; or all but the sick shard's, and the answer says so."""
        if answer.status != 200:
            return False
        keys, whole = [r["student_id"] for r in answer.json["rows"]], answer.json["complete"]
        return keys == sorted(KEYS if whole else set(KEYS) - {self.key})


class Writer(Client):
    """Of rows of its own, each once, with a key if it is `keyed`."""

    def __init__(self, *arguments, keyed=False):
        super().__init__(*arguments)
        self.keyed, Client.number = keyed, Client.number + 1
        self.base, self.written = Client.number * 1_000_000, 0

    def question(self):
        self.written += 1
        n = self.base + self.written
        return "/insert", {**WRITTEN, "data": {"student_id": self.key, "n": n}}, {"Idempotency_Key": f"n-{n}"} if self.keyed else {}

    def right(self, answer):
        return answer.status == 200 and answer.json["rows_affected"] == 1


class Held(Client):
    """Of no row; while `holds`, its database never answers it."""

    holds = False

    def question(self):
        if self.holds:
            self.stage.tds[self.shard].arm(Fault(SWALLOW, ANSWER, 0, when=HELD_WORD.encode()))
        return "/select", {**ROWS, "condition": f"student_id = {self.key} AND pad = '{HELD_WORD}'"}, {}

    def right(self, answer):
        return answer.status == 200 and answer.json["rows"] == []


def percentile(share, times):
    return sorted(times)[min(int(share * len(times)), len(times) - 1)]


@contextlib.contextmanager
def unreachable(stage, shard):
    """Nobody accepts connections at the port, and no more find room to wait: to connect takes for ever."""
    port, target = stage.http[shard].port, stage.http[shard].target
    stage.http[shard].close()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        for _ in range(4):
            s = stack.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
        with contextlib.suppress(TimeoutError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
            raise AssertionError("the port can be reached")
        try:
            yield
        finally:
            stack.close()
            stage.http[shard] = Proxy(port, target)


@contextlib.contextmanager
def sick(stage, shard, sickness):
    stage.http[shard].sickness = sickness
    try:
        yield
    finally:
        stage.http[shard].disarm()


@contextlib.contextmanager
def held(stage, clients):
    for client in clients:
        client.holds = True
    try:
        yield
    finally:
        for client in clients:
            client.holds = False
        stage.tds[clients[0].shard].disarm()


class Neighbours(Sick):
    """One shard is sick: its requests end in time, each as what it was, and the others' do not notice."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage.post("/create-table", {**WRITTEN, "columns": {"student_id": "INT", "n": "INT"}})
        cls.batches = 0

    def setUp(self):
        self.wait_well()

    def wait_well(self):
        api = harness.Api(self.stage.masters[1])
        harness.eventually(lambda: api.get("/health").json["status"] == "healthy", message="the master does not find its workers well")
        api.close()

    def clients(self, short_ms, middle_ms):
        """Of the sick shard: more than ten ask for single rows, so that they go together. Some are in a hurry."""
        return [*(Reader(self.stage, 0, ms) for ms in (short_ms, short_ms, middle_ms, middle_ms, TIMEOUT_MS) * 2),
                Writer(self.stage, 0, short_ms), Writer(self.stage, 0, middle_ms),
                Writer(self.stage, 0, short_ms, keyed=True), Writer(self.stage, 0, TIMEOUT_MS, keyed=True),
                Gatherer(self.stage, 0, middle_ms)]

    def crowd(self, short_ms, middle_ms):
        """More than the master has threads."""
        return [client for _ in range(2) for client in self.clients(short_ms, middle_ms)]

    def breaker(self):
        api = harness.Api(self.stage.masters[1])
        state = api.get("/health").json["workers"][0]["breaker"]["state"]
        api.close()
        return state

    def measure(self, fault, own, opens):
        """What the clients `own` were answered while `fault` lasted, with the client of each; what holds for every fault is checked."""
        others = [Reader(self.stage, shard) for shard in (1, 2) for _ in range(3)] + [Writer(self.stage, shard) for shard in (1, 2)]
        batches = []
        self.stage.http[0].pass_on = lambda data: batches.append(1) or data if data.startswith(b"POST /batch ") else data
        for client in (*others, *own):
            self.addCleanup(client.ended.set)
            client.start()
        time.sleep(WARM_S)
        warm = time.monotonic()
        time.sleep(WELL_S)
        with fault:
            began = time.monotonic()
            time.sleep(SICK_S)
            ended = time.monotonic()
            if opens:
                harness.eventually(lambda: self.breaker() == "open", message="the breaker does not open")
        for client in (*others, *own):
            client.ended.set()
        for client in (*others, *own):
            client.join(HUNG_S)
            self.assertFalse(client.is_alive(), "a request hangs")
            self.assertIsNone(client.error)
        self.assertTrue(batches, "no batch was sent")
        self.check_others(others, warm, began, ended)
        during = self.check_own(own, warm, began, ended)
        self.wait_well()
        self.check_written((*others, *own))
        for reader in (others[0], others[3], own[0]):
            answer = reader.api.post(*reader.question()[:2])
            self.assertTrue(reader.right(answer), answer)
            reader.api.close()
        return during

    def check_slow(self, during):
        """A shard that is slow is asked all the same: nothing of it is taken for lost."""
        wrong = [a for client, a in during if not client.right(a.answer)]
        self.assertNotIn(GONE, [(a.answer.status, a.answer.code) for a in wrong])
        self.assertLess(len(wrong), (1 - RIGHT) * len(during), wrong[:3])

    def check_others(self, others, warm, began, ended):
        for client in others:
            wrong = [a.answer for a in client.asked if not client.right(a.answer)]
            self.assertEqual(wrong, [])
        before = [a.took for c in others for a in c.asked if warm <= a.at and a.at + a.took < began]
        during = [a.took for c in others for a in c.asked if began <= a.at < ended]
        was, now = percentile(0.99, before), percentile(0.99, during)
        print(f"# the others: p50 {percentile(0.5, before) * 1000:.1f} → {percentile(0.5, during) * 1000:.1f} ms, "
              f"p99 {was * 1000:.1f} → {now * 1000:.1f} ms ({now / was:.2f} times), {len(before)} → {len(during)} answers")
        self.assertLess(now, max(BOUND * was, BOUND_S))

    def check_own(self, own, warm, began, ended):
        during = []
        for client in own:
            for a in client.asked:
                self.assertLess(a.took, client.ms / 1000 + SLACK_S, a)
                if not client.right(a.answer):
                    self.assertIn((a.answer.status, a.answer.code), REFUSALS, a)
            of_fault = [a for a in client.asked if began <= a.at < ended]
            self.assertTrue(of_fault, "a client did not come to ask")
            during += [(client, a) for a in of_fault]
        codes = collections.Counter(a.answer.status for _, a in during)
        before = [a.took for c in own for a in c.asked if warm <= a.at and a.at + a.took < began]
        late = [a.took - client.ms / 1000 for client, a in during]
        print(f"# its own: p50 {percentile(0.5, before) * 1000:.1f} → {percentile(0.5, [a.took for _, a in during]) * 1000:.1f} ms, at most {max(late) * 1000:.0f} ms behind the deadline, {dict(codes)}")
        return during

    def check_written(self, clients):
        """Every row that was acknowledged is there once, none that was not applied, and at most once what is unknown."""
        there = collections.Counter(r["n"] for r in self.stage.post("/select", WRITTEN)["rows"])
        outcomes = collections.Counter()
        for client in clients:
            for a in client.asked if isinstance(client, Writer) else ():
                outcome = "applied" if a.answer.status == 200 else a.answer.json["outcome"]
                outcomes[outcome] += 1
                self.assertIn(there[a.body["data"]["n"]], {"applied": (1,), "not_applied": (0,), "unknown": (0, 1)}[outcome], a)
        print(f"# writes: {dict(outcomes)}")

    def test_a_port_that_takes_no_connections(self):
        self.measure(unreachable(self.stage, 0), self.clients(500, 1500), True)

    def test_a_worker_that_never_answers(self):
        self.measure(sick(self.stage, 0, MUTE), self.crowd(500, 1500), True)

    def test_answers_in_single_bytes(self):
        self.measure(sick(self.stage, 0, Pace(LATE_BY_S, 1)), self.clients(500, 1500), True)

    def test_late_answers(self):
        self.check_slow(self.measure(sick(self.stage, 0, Pace(LATE_BY_S, 1 << 20)), self.clients(TIMEOUT_MS, TIMEOUT_MS), False))

    def test_late_answers_to_a_crowd(self):
        """Who finds no place may be refused; but the shard is not given up."""
        during = self.measure(sick(self.stage, 0, Pace(LATE_BY_S, 1 << 20)), self.crowd(TIMEOUT_MS, TIMEOUT_MS), False)
        self.assertNotIn(GONE, [(a.answer.status, a.answer.code) for _, a in during])

    def test_some_that_hang(self):
        """In the database, with others in one batch: these have their answers as if there were none."""
        hang, own = [Held(self.stage, 0, 1000) for _ in range(2)], self.clients(TIMEOUT_MS, TIMEOUT_MS)
        during = self.measure(held(self.stage, hang), own + hang, False)
        self.check_slow([(client, a) for client, a in during if client in own])
        self.assertIn((504, "deadline_exceeded"), [(a.answer.status, a.answer.code) for client, a in during if client in hang])


if __name__ == "__main__":
    harness.main()
