#!/usr/bin/env python3
"""Every answer is true, whatever breaks: clients write and read through two masters and keep a book of what they were told,
while a nemesis kills, stops and continues every kind of process and cuts, delays, resets and swallows TDS and HTTP
connections at chosen bytes. Then all that is there is held against the books (books.py).

SHARDGATE_KILLS=N and SHARDGATE_WRITES=N go on until there were as many kills and acknowledged writes (make soak-nemesis: 2,000 and
250,000), but no longer than SHARDGATE_SECONDS; SHARDGATE_CLIENTS=N write at the same time; SHARDGATE_SEED=N makes other choices;
SHARDGATE_JSON=PATH keeps the totals.
"""

import collections
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time
import unittest

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS), str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402
import proxy  # noqa: E402
from books import APPLIED, NOT_APPLIED, UNKNOWN, Books, Stream, show, verdict  # noqa: E402
from stage import COMMIT, EXECUTE, HUNG_S, KEYS, SHARDS, TOKEN, Call, Stage, shard_of  # noqa: E402

SLOW = bool(os.environ.get("SHARDGATE_SLOW"))  # programs with sanitizers
KILLS = int(os.environ.get("SHARDGATE_KILLS", "40" if SLOW else "100"))
WRITES = int(os.environ.get("SHARDGATE_WRITES", "3000" if SLOW else "10000"))
SEED = int(os.environ.get("SHARDGATE_SEED", "1"))
CLIENTS = int(os.environ.get("SHARDGATE_CLIENTS", "12"))
JSON = os.environ.get("SHARDGATE_JSON")
PROGRESS_S = 30  # between two lines of progress
LONGEST_S = int(os.environ.get("SHARDGATE_SECONDS", max(150, KILLS * 3 // 2)))  # then a slow machine has done enough
ALL = range(len(SHARDS))
LOG = {"db_name": "Work", "table": "Log"}              # no key: what is written twice is there twice
REGISTERS = {"db_name": "Work", "table": "Registers"}  # one a client and shard
STREAMS = {"db_name": "Work", "table": "Streams"}      # rows that came as lines
FIXED = {"db_name": "Work", "table": "Fixed"}          # never changed: every read of it is whole, or says that it is not
FIXED_ROWS = range(1, 61)
BIG = 100000  # of a row's pad, for streams of several batches
MINE = 150    # writes of a client that are there, at most: the tables stay small, however long it takes


class Client(threading.Thread):
    """`keyed`: how many of its writes have a key."""

    def __init__(self, stage, books, number, stop, keyed=0.8):
        super().__init__(daemon=True)
        self.stage, self.books, self.number, self.stop_event, self.keyed = stage, books, number, stop, keyed
        self.random = random.Random(f"{SEED}-{number}")
        self.masters, self.value, self.keys, self.failure = stage.masters, 0, 0, None
        self.mine = []  # (op, parts, shard or None): inserted, acknowledged, and not deleted

    def call(self, path, body, key=None):
        call = Call(self.random.choice(self.masters), path, body, key)
        if call.took > HUNG_S:
            self.books.note("HUNG", (path, round(call.took, 1)))
        return call

    # ---- Writes

    def send(self, op, path, body, rows=None):
        """The call whose answer counts: with a key it is repeated until the outcome is certain, or tries end. `rows`: how many it
        affects if it is applied."""
        b, key = self.books, None
        if self.random.random() < self.keyed:
            self.keys += 1
            key = f"client-{self.number}-{self.keys}"
        calls = [self.call(path, body, key)]
        while key and calls[-1].outcome == UNKNOWN and len(calls) <= 40:
            time.sleep(min(0.05 * len(calls), 0.5))
            calls.append(self.call(path, body, key))
        call = calls[-1]
        with b.lock:
            if len(calls) > 1:
                b.resolved += call.outcome != UNKNOWN
                b.unresolved += call.outcome == UNKNOWN
            if call.status != 200:
                b.codes[(call.json or {}).get("code", f"status {call.status}")] += 1
            b.acknowledged += call.outcome == APPLIED
            b.refused += call.outcome == NOT_APPLIED
            b.history[op] = [f"{path} key {key}", *(str(c) if len(calls) > 1 or c.status != 200 else "200" for c in calls)]
        if call.whole and rows is not None and call.json["rows_affected"] != rows:
            b.note("LIE", ((op,), path, key, f"{rows} rows expected", call.json))
        self.compare(op, calls)
        if key and call.whole and self.random.random() < 0.15:
            self.repeat(op, path, body, key, call)
        return call

    def compare(self, op, calls):
        """What a shard had done once stays done."""
        done = set()
        for call in calls:
            outcomes = call.of_shards()
            if any(outcomes.get(shard) == NOT_APPLIED for shard in done):
                self.books.note("FLIP", ((op,), [str(c) for c in calls]))
            done |= {shard for shard, outcome in outcomes.items() if outcome == APPLIED}

    def repeat(self, op, path, body, key, first):
        """The same again gives the same; another request with the key is refused where the first one was done."""
        again = self.call(path, body, key)
        if again.whole and (again.json != first.json or not again.replayed) or again.outcome == NOT_APPLIED:
            self.books.note("FLIP", ((op,), path, key, first.json, again.json))
        if path == "/insert":
            row = body["data"][0] if isinstance(body["data"], list) else body["data"]
            other = self.call(path, {**body, "data": {**row, "part": -1}}, key)
            if other.whole:
                self.books.note("FLIP", ((op,), "another request with its key was done", other.json))

    def insert(self):
        self.insert_rows(self.random.randrange(len(SHARDS)), 1)

    def insert_pair(self):
        """Two rows of one shard: a transaction."""
        self.insert_rows(self.random.randrange(len(SHARDS)), 2)

    def insert_rows(self, shard, count):
        op = self.books.new_op()
        rows = [{"student_id": KEYS[shard], "op": op, "part": part} for part in range(count)]
        call = self.send(op, "/insert", {**LOG, "data": rows if count > 1 else rows[0]}, count)
        parts = [(op, part) for part in range(count)]
        self.books.write_down(parts, call.outcome)
        self.books.groups.append(parts)
        if call.outcome == APPLIED:
            self.mine.append((op, parts, shard))

    def insert_wide(self):
        """A row on each shard, each with its own outcome."""
        op = self.books.new_op()
        call = self.send(op, "/insert", {**LOG, "data": [{"student_id": KEYS[shard], "op": op, "part": shard} for shard in ALL]}, len(SHARDS))
        outcomes = self.outcomes(op, call)
        for shard in ALL:
            self.books.write_down([(op, shard)], outcomes[shard])
        if set(outcomes.values()) == {APPLIED}:
            self.mine.append((op, [(op, shard) for shard in ALL], None))

    def outcomes(self, op, call):
        """What each shard said. Where an error names no shards, it is the whole's outcome."""
        told = call.of_shards()
        if not told and call.outcome != APPLIED:
            return dict.fromkeys(ALL, call.outcome)
        if set(told) != set(ALL):
            self.books.note("LIE", ((op,), "no outcome of a shard", call.json))
        return {shard: told.get(shard, UNKNOWN) for shard in ALL}

    def delete(self):
        """Rows that are certainly there, of one shard or of all."""
        if not self.mine:
            return
        op, parts, shard = self.mine.pop(self.random.randrange(len(self.mine)))
        if shard is None:
            call = self.send(op, "/delete", {**LOG, "condition": f"op = {op}", "scatter": True}, len(parts))
            outcomes = self.outcomes(op, call)
            for s in ALL:
                self.books.write_down([(op, s)], outcomes[s], "delete")
        else:
            call = self.send(op, "/delete", {**LOG, "condition": f"student_id = {KEYS[shard]} AND op = {op}"}, len(parts))
            self.books.write_down(parts, call.outcome, "delete")

    def update(self):
        """Sets a register of this client."""
        shard, op = self.random.randrange(len(SHARDS)), self.books.new_op()
        self.value += 1
        call = self.send(op, "/update", {**REGISTERS, "set": {"n": self.value}, "condition": f"student_id = {KEYS[shard]} AND client = {self.number}"}, 1)
        self.books.registers[self.number, shard].append((self.value, call.outcome))

    def update_all(self):
        op = self.books.new_op()
        self.value += 1
        call = self.send(op, "/update", {**REGISTERS, "set": {"n": self.value}, "condition": f"client = {self.number}", "scatter": True}, len(SHARDS))
        outcomes = self.outcomes(op, call)
        for shard in ALL:
            self.books.registers[self.number, shard].append((self.value, outcomes[shard]))

    def stream(self):
        """Rows as lines, to some shards or to one in several batches."""
        op, b = self.books.new_op(), self.books
        big = self.random.random() < 0.02
        shards = [0] * 25 if big else [self.random.randrange(len(SHARDS)) for _ in range(self.random.randrange(1, 40))]
        body = b"".join(json.dumps({"student_id": KEYS[shard], "op": op, "part": part, "pad": "x" * (BIG if big else 1)}).encode() + b"\n" for part, shard in enumerate(shards))
        call = self.call(f"/insert?db_name={STREAMS['db_name']}&table={STREAMS['table']}", body)
        outcomes, told = call.of_shards(), call.of_shards("rows_affected")
        with b.lock:
            b.acknowledged += call.whole
            b.history[op] = [f"{len(shards)} lines", str(call)]
            for shard in set(shards):
                parts = [part for part, s in enumerate(shards) if s == shard]
                outcome = outcomes.get(shard, call.outcome if not outcomes else NOT_APPLIED)
                b.streams[op, shard] = Stream(parts, told.get(shard) or 0, outcome != UNKNOWN)
            if call.whole and call.json["rows_affected"] != len(shards):
                b.found["LIE"].append(((op,), "rows_affected", call.json))

    # ---- Reads: each is whole, or an error, or names what is missing

    def read(self, path, body):
        call = self.call(path, body)
        with self.books.lock:
            self.books.reads += call.whole
            self.books.failed_reads += not call.whole
        if call.whole and not call.json["complete"] and not body.get("allow_partial"):
            self.books.note("SHORT", (path, body, call.json))
        return call

    def expect(self, good, call, *what):
        if call.whole and not good(call.json):
            self.books.note("SHORT", (*what, str(call)[:2000]))

    def read_register(self):
        shard = self.random.randrange(len(SHARDS))
        call = self.read("/select", {**REGISTERS, "condition": f"student_id = {KEYS[shard]} AND client = {self.number}"})
        self.expect(lambda json: len(json["rows"]) == 1 and json["rows"][0]["n"] in self.books.values_of((self.number, shard)), call,
                    "register", self.number, shard, self.books.registers[self.number, shard][-5:])

    def read_mine(self):
        if self.mine:
            op, parts, _ = self.random.choice(self.mine)
            call = self.read("/select", {**LOG, "condition": f"op = {op}"})
            self.expect(lambda json: sorted((r["op"], r["part"]) for r in json["rows"]) == parts, call, "rows of", op)

    def read_fixed(self):
        call = self.read("/select", {**FIXED, "order_by": ["student_id"]})
        self.expect(lambda json: [r["student_id"] for r in json["rows"]] == list(FIXED_ROWS), call, "fixed")

    def read_partly(self):
        call = self.read("/select", {**FIXED, "allow_partial": True})
        def good(answer):
            ids, by_shard = [r["student_id"] for r in answer["rows"]], {s["shard"]: s for s in answer["shards"]}
            living = {shard for shard, s in by_shard.items() if s["outcome"] == "ok"}
            return (set(by_shard) == set(ALL) and answer["complete"] == (living == set(ALL)) and sorted(ids) == [i for i in FIXED_ROWS if shard_of(i) in living]
                    and all(by_shard[shard]["rows"] == sum(shard_of(i) == shard for i in FIXED_ROWS) for shard in living))
        self.expect(good, call, "partly")

    def read_numbers(self):
        self.expect(lambda json: json["total"] == len(FIXED_ROWS), self.read("/map-reduce-count", FIXED), "count")
        call = self.read("/select", {**FIXED, "aggregates": [{"op": "sum", "column": "n"}, {"op": "count"}]})
        self.expect(lambda json: json["rows"] == [{"sum_n": sum(FIXED_ROWS), "count": len(FIXED_ROWS)}], call, "numbers")

    def read_pages(self):
        found, body = [], {**FIXED, "order_by": [{"column": "n", "dir": "desc"}], "limit": 17}
        while True:
            call = self.read("/select", body)
            if not call.whole:
                return
            found += [r["n"] for r in call.json["rows"]]
            if "next" not in call.json:
                break
            body = {**body, "after": call.json["next"]}
        if found != list(reversed(FIXED_ROWS)):
            self.books.note("SHORT", ("pages", found))

    def run(self):
        kinds = ([self.insert] * 16 + [self.insert_pair] * 5 + [self.insert_wide] * 3 + [self.update] * 6 + [self.update_all] * 2 + [self.delete] * 6 + [self.stream]
                 + [self.read_register, self.read_mine, self.read_fixed, self.read_partly, self.read_numbers, self.read_pages])
        try:
            while not self.stop_event.is_set():
                (self.delete if len(self.mine) > MINE else self.random.choice(kinds))()
        except Exception as e:
            self.failure = e
            raise


class Maker(Client):
    """Makes and drops tables. One that may be there or not is left alone."""

    def make(self, name):
        call = self.call("/create-table", {"db_name": "Work", "table": name, "columns": {"student_id": "INT", "n": "INT"}})
        self.note(name, call, "insert")
        return call.whole

    def drop(self, name):
        call = self.call("/delete-table", {"db_name": "Work", "table": name})
        self.note(name, call, "delete")

    def note(self, name, call, action):
        told = call.of_shards()
        with self.books.lock:
            for shard in ALL:
                outcome = told.get(shard, UNKNOWN) if told else call.outcome
                if action == "insert" or outcome != NOT_APPLIED:
                    self.books.tables[name, shard] = outcome, action
            self.books.history[name] = [*self.books.history.get(name, ()), str(call)]

    def run(self):
        made = []
        try:
            for number in range(1000000):
                if self.stop_event.wait(0.2):
                    break
                if self.make(f"Made{number}"):
                    made.append(f"Made{number}")
                if len(made) > 2:
                    self.drop(made.pop(0))
        except Exception as e:
            self.failure = e
            raise


class Nemesis:
    """Does one harm after the other; `kills` counts the processes killed."""

    def __init__(self, stage):
        self.stage, self.random, self.kills, self.done = stage, random.Random(SEED), 0, collections.Counter()
        self.deeds = ([self.kill_worker] * 4 + [self.kill_database] * 4 + [self.kill_master] * 3 + [self.kill_lighttpd] + [self.hold] * 2
                      + [self.cut] * 6 + [self.lose_commit] * 4)

    def kill(self, program):
        pids = self.stage.processes(program)
        if pids:
            try:
                os.kill(self.random.choice(pids), signal.SIGKILL)
                self.kills += 1
            except ProcessLookupError:
                pass

    def kill_worker(self):
        self.kill("shardgate-worker")

    def kill_master(self):
        self.kill("shardgate-master")

    def kill_lighttpd(self):
        self.kill("lighttpd")

    def kill_database(self):
        database = self.random.choice(self.stage.databases)
        database.stop()
        self.kills += 1
        time.sleep(self.random.uniform(0, 0.2))
        database.start()

    def hold(self):
        pids = self.stage.processes(self.random.choice(("shardgate-worker", "shardgate-tdsd", "shardgate-master")))
        if pids:
            pid = self.random.choice(pids)
            try:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(self.random.choice((0.1, 0.3, 1.0, 4.0)))
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def cut(self):
        self.random.choice((*self.stage.tds, *self.stage.tds, *self.stage.http)).arm(proxy.random_fault(self.random))

    def lose_commit(self):
        """The next commit of a shard, or its answer, is lost."""
        fault = proxy.Fault(self.random.choice((proxy.CUT, proxy.RESET, proxy.SWALLOW)), self.random.choice((proxy.REQUEST, proxy.ANSWER, proxy.ANSWER)), 0, when=self.random.choice((COMMIT, EXECUTE)))
        self.random.choice(self.stage.tds).arm(fault)

    def act(self):
        deed = self.random.choice(self.deeds)
        self.done[deed.__name__] += 1
        deed()
        time.sleep(self.random.uniform(0.05, 0.35))


def set_up(stage, clients):
    stage.post("/create-db", {"db_name": "Work"})
    stage.post("/create-table", {**LOG, "columns": {"student_id": "INT", "op": "INT", "part": "INT"}})
    stage.post("/create-table", {**REGISTERS, "columns": {"student_id": "INT", "client": "INT", "n": "INT"}})
    stage.post("/create-table", {**STREAMS, "columns": {"student_id": "INT", "op": "INT", "part": "INT", "pad": "VARCHAR(MAX)"}})
    stage.post("/create-table", {**FIXED, "columns": {"student_id": "INT NOT NULL PRIMARY KEY", "n": "INT"}})
    stage.post("/insert", {**FIXED, "data": [{"student_id": i, "n": i} for i in FIXED_ROWS]})
    stage.post("/insert", {**REGISTERS, "data": [{"student_id": key, "client": client, "n": 0} for client in range(clients) for key in KEYS]})


def look(stage, books):
    """What is there, once two looks find the same."""
    def read():
        rows = [(r["op"], r["part"]) for r in stage.post("/select", LOG)["rows"]]
        registers = {(r["client"], shard_of(r["student_id"])): r["n"] for r in stage.post("/select", REGISTERS)["rows"]}
        streams = [(r["op"], r["part"]) for r in stage.post("/select", {**STREAMS, "columns": ["op", "part"]})["rows"]]
        tables = set()
        for shard in ALL:
            call = Call(stage.worker_ports[shard], "/catalogue", {"db_name": "Work"}, headers={"X-Master-Token": TOKEN})
            assert call.whole, call
            tables |= {(name, shard) for name in call.json["tables"]}
        return sorted(rows), registers, sorted(streams), tables
    first = read()
    for _ in range(20):
        time.sleep(1)
        again = read()
        if again == first:
            return again
        first = again
    raise AssertionError("writes go on landing")


def totals(stage, books, nemesis, seconds):
    strikes = sum((p.struck for p in (*stage.tds, *stage.http)), collections.Counter())
    return {"seconds": round(seconds), "seed": SEED, "clients": CLIENTS, "kills": nemesis.kills, "deeds": dict(nemesis.done), "strikes": dict(strikes),
            "acknowledged": books.acknowledged, "not_applied": books.refused, "resolved_by_key": books.resolved, "unresolved": books.unresolved,
            "codes": dict(books.codes), "reads": books.reads, "failed_reads": books.failed_reads, "streams": len(books.streams), "tables": len(books.tables)}


def show_totals(found):
    for name, value in found.items():
        print(f"# {name:<16} {value if not isinstance(value, dict) else ', '.join(f'{k} {n}' for k, n in sorted(value.items())) or '-'}", flush=True)


class Answers(unittest.TestCase):
    def disturb(self, nemesis, books):
        """Until there were as many kills and writes as there have to be, or the time is up. Returns the seconds that it took."""
        start = shown = time.monotonic()
        while (nemesis.kills < KILLS or books.acknowledged < WRITES) and time.monotonic() < start + LONGEST_S:
            if nemesis.kills * WRITES <= (books.acknowledged + WRITES // 20) * KILLS:  # as many as are due by now, and a few
                nemesis.act()
            else:
                time.sleep(0.2)
            if time.monotonic() > shown + PROGRESS_S:
                shown += PROGRESS_S
                wrong = {name: len(found) for name, found in books.found.items()}
                print(f"# {shown - start:.0f} s: {nemesis.kills} kills, {books.acknowledged} acknowledged, {books.unresolved} unresolved, {books.reads} reads, wrong so far: {wrong or 0}", flush=True)
        return time.monotonic() - start

    def test_every_answer_is_true(self):
        stage = Stage()
        self.addCleanup(stage.close)
        books, stop, nemesis = Books(), threading.Event(), Nemesis(stage)
        set_up(stage, CLIENTS)
        clients = [*(Client(stage, books, n, stop) for n in range(CLIENTS)), Maker(stage, books, CLIENTS, stop)]
        for client in clients:
            client.start()
        seconds = self.disturb(nemesis, books)
        stop.set()
        for client in clients:
            client.join(300)
            self.assertFalse(client.is_alive())
            self.assertIsNone(client.failure)
        stage.calm()
        wrong = verdict(books, *look(stage, books))
        found = {**totals(stage, books, nemesis, seconds), "wrong": {name: len(what) for name, what in wrong.items()}}
        show_totals(found)
        show(books, wrong)
        if JSON:
            pathlib.Path(JSON).write_text(json.dumps(found, indent=2) + "\n")
        self.assertFalse(wrong, f"SHARDGATE_SEED={SEED}")
        self.assertGreaterEqual(nemesis.kills, KILLS // 10)
        self.assertGreaterEqual(books.acknowledged, WRITES // 10)


if __name__ == "__main__":
    harness.main()
