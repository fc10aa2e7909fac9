#!/usr/bin/env python3
"""Every write's answer is true, whatever breaks: clients write through two masters and keep a book of what they were told,
while a nemesis kills, stops and continues every kind of process and cuts, delays, resets and swallows TDS and HTTP
connections at chosen bytes. Then all rows are read and held against the books:

    LOST        acknowledged, and not there                 LIE       said not_applied, and there; or a transaction in part
    DUPLICATED  there more than once                        FLIP      a repeat with the same key gave another answer
    PHANTOM     there, and nobody wrote it                  HUNG      a request that took longer than any deadline allows

SHARDGATE_KILLS=N and SHARDGATE_WRITES=N go on until there were as many kills and acknowledged writes (make soak-nemesis: 2,000 and
250,000); SHARDGATE_SEED=N makes another choice of moments.
"""

import collections
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS), str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402
import proxy  # noqa: E402
from harness import Launched, free_ports  # noqa: E402

KILLS = int(os.environ.get("SHARDGATE_KILLS", "100"))
WRITES = int(os.environ.get("SHARDGATE_WRITES", "10000"))
SEED = int(os.environ.get("SHARDGATE_SEED", "1"))
CLIENTS = 8
LONGEST_S = 7200 if KILLS > 500 else 420
REQUEST_S = 20  # longer than the deadline of any request
SHARDS = (("go", "GO"), ("python", "PY"), ("node", "NODE"))
TOKEN = "nemesis-token-0123456789"
LOG = {"db_name": "Work", "table": "Log"}            # no key: what is written twice is there twice
COUNTERS = {"db_name": "Work", "table": "Counters"}  # a register a client and shard
KEYS_OF_SHARDS = (1001, 1002, 1003)                  # filled by Site: a student_id on each shard


class Database:
    """A shardgate-tdsd on a fixed port that is started again as often as it is killed."""

    def __init__(self, folder, port):
        self.folder, self.port, self.process = folder, port, None
        folder.mkdir(parents=True)
        (folder / "password").write_text("nemesis\n")
        (folder / "password").chmod(0o600)

    def start(self):
        self.process = subprocess.Popen(
            [str(harness.BUILD / "shardgate-tdsd"), "--data", str(self.folder / "data"), "--port", str(self.port), "--password-file", str(self.folder / "password")],
            stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "a"))

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Site:
    """Three databases behind proxies, a cluster that reaches them, and a second master that reaches the workers through proxies."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-nemesis-"))
        ports = free_ports(2 + 2 * len(SHARDS))
        self.masters, workers, databases = ports[:2], ports[2:5], ports[5:]
        self.databases = [Database(self.folder / name, port) for (name, _), port in zip(SHARDS, databases)]
        for d in self.databases:
            d.start()
        self.tds = [proxy.Proxy(0, d.port) for d in self.databases]
        self.http = [proxy.Proxy(0, port) for port in workers]
        self.launched = []
        try:
            self.launched.append(self.launch("cluster", self.masters[0], workers, ["up"]))
            self.launched.append(self.launch("backup", self.masters[1], [p.port for p in self.http], ["up", "master"]))
        except Exception:
            self.close()
            raise

    def launch(self, name, port, worker_ports, command):
        folder = self.folder / name
        (folder / "secrets").mkdir(parents=True)
        for secret, text in (("tds", "nemesis"), ("token", TOKEN)):
            (folder / "secrets" / secret).write_text(text + "\n")
            (folder / "secrets" / secret).chmod(0o600)
        (folder / "cluster.json").write_text(json.dumps({
            "timeout_ms": 3000, "master": {"port": port},
            "workers": [{"name": n, "suffix": s, "port": p, "tds": {"host": "127.0.0.1", "port": t.port, "user": "sa", "password_file": "secrets/tds", "encrypt": "off"}}
                        for (n, s), p, t in zip(SHARDS, worker_ports, self.tds)]}))
        return Launched([*command, "--config", folder / "cluster.json", "--data", folder])

    def processes(self, program):
        """The pids of a program in this site's folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if os.path.basename(command[0]).decode(errors="replace") == program and any(str(self.folder).encode() in a for a in command):
                    found.append(int(entry.name))
        return found

    def close(self):
        for launched in reversed(self.launched):
            launched.stop()
        for p in (*self.tds, *self.http):
            p.close()
        for d in self.databases:
            d.stop()
        if os.environ.get("SHARDGATE_KEEP"):
            print(f"# kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class Call:
    """One HTTP request on a connection of its own, sent once: nothing below it repeats anything."""

    def __init__(self, port, path, body, key=None):
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        self.port = port
        self.status, self.json, self.replayed, self.took = None, None, False, time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_S)
        try:
            connection.request("POST", path, body=json.dumps(body), headers=headers)
            answer = connection.getresponse()
            data = answer.read()
            self.status, self.replayed = answer.status, answer.getheader("Idempotency-Replayed") == "true"
            self.json = json.loads(data)
        except (OSError, http.client.HTTPException, ValueError):
            pass
        finally:
            connection.close()
            self.took = time.monotonic() - self.took

    @property
    def outcome(self):
        """applied, not_applied, partial (some of the shards) or unknown."""
        if self.json is None or self.status is None:
            return "unknown"
        return "applied" if self.status == 200 else self.json.get("outcome", "unknown")

    def __str__(self):
        return f"{self.port}: {self.status} {self.json}, {self.took:.2f} s"

    def shard_outcomes(self):
        """Each shard's own outcome, by its number."""
        return {s["shard"]: s.get("outcome") for s in (self.json or {}).get("shards", [])}


class Books:
    """What all clients were told. Rows of Log are (op, part); what became of each is by shard, as one insert may touch several."""

    def __init__(self):
        self.lock, self.next_op = threading.Lock(), 0
        self.rows = {}        # (op, part): outcome
        self.groups = []      # rows of one transaction
        self.counters = {}    # (client, shard): [(value, outcome)]
        self.acknowledged = self.resolved = self.unresolved = self.refused = 0
        self.flips, self.hung, self.surprises, self.history = [], [], [], []
        self.by_code = collections.Counter()

    def op(self):
        with self.lock:
            self.next_op += 1
            return self.next_op


class Client(threading.Thread):
    def __init__(self, site, books, number, stop, keyed):
        super().__init__(daemon=True)
        self.site, self.books, self.number, self.stop_event, self.keyed = site, books, number, stop, keyed
        self.random = random.Random(f"{SEED}-{number}")
        self.value, self.failure = 0, None

    def send(self, path, body):
        """The call whose answer counts: with a key it is repeated until the outcome is certain, or tries end."""
        b, key = self.books, f"k-{uuid.uuid4()}" if self.keyed and self.random.random() < 0.8 else None
        first = call = Call(self.random.choice(self.site.masters), path, body, key)
        tries, history = 0, [str(call)]
        while key and call.outcome == "unknown" and tries < 40:
            tries += 1
            time.sleep(min(0.05 * tries, 0.5))
            call = Call(self.random.choice(self.site.masters), path, body, key)
            history.append(str(call))
        self.books.history.append((path, body.get("data", body.get("set")), key, history))
        with b.lock:
            if first is not call:
                b.resolved += call.outcome != "unknown"
                b.unresolved += call.outcome == "unknown"
            if call.status != 200:
                b.by_code[(call.json or {}).get("code", f"status {call.status}")] += 1
            b.acknowledged += call.outcome == "applied"
            b.refused += call.outcome == "not_applied"
            if call.took > 3 * 3 + 3:  # three times the deadline and more
                b.hung.append((path, round(call.took, 1)))
        if key and call.status == 200 and self.random.random() < 0.1:
            again = Call(self.random.choice(self.site.masters), path, body, key)
            if again.status == 200 and (again.json != call.json or not again.replayed):
                b.flips.append((path, key, call.json, again.json))
            elif again.status not in (None, 200) and again.outcome == "not_applied" and again.json.get("code") in ("key_reused",):
                b.flips.append((path, key, call.json, again.json))
        return call

    def insert(self):
        shard, op = self.random.randrange(3), self.books.op()
        row = {"student_id": KEYS_OF_SHARDS[shard], "op": op, "part": 0}
        call = self.send("/insert", {**LOG, "data": row})
        self.write_down([(op, 0)], call.outcome)

    def insert_pair(self):
        """Two rows of one shard: a transaction."""
        shard, op = self.random.randrange(3), self.books.op()
        rows = [{"student_id": KEYS_OF_SHARDS[shard], "op": op, "part": part} for part in (0, 1)]
        call = self.send("/insert", {**LOG, "data": rows})
        self.write_down([(op, 0), (op, 1)], call.outcome)

    def insert_wide(self):
        """A row on each shard, each with its own outcome."""
        op = self.books.op()
        rows = [{"student_id": key, "op": op, "part": part} for part, key in enumerate(KEYS_OF_SHARDS)]
        call = self.send("/insert", {**LOG, "data": rows})
        outcomes = call.shard_outcomes()
        for shard in range(3):
            told = outcomes.get(shard, call.outcome if call.outcome != "applied" else None)
            if told is None:
                self.books.surprises.append(("no outcome of a shard", call.json))
            self.write_down([(op, shard)], told)

    def update(self):
        """Sets a register of this client; what the last acknowledged one set is there, or what an uncertain later one did."""
        shard = self.random.randrange(3)
        self.value += 1
        call = self.send("/update", {**COUNTERS, "set": {"n": self.value}, "condition": f"student_id = {KEYS_OF_SHARDS[shard]} AND client = {self.number}"})
        self.books.counters[self.number, shard].append((self.value, call.outcome))

    def update_all(self):
        self.value += 1
        call = self.send("/update", {**COUNTERS, "set": {"n": self.value}, "condition": f"client = {self.number}", "scatter": True})
        outcomes = call.shard_outcomes()
        for shard in range(3):
            self.books.counters[self.number, shard].append((self.value, outcomes.get(shard, call.outcome)))

    def write_down(self, rows, outcome):
        with self.books.lock:
            self.books.groups.append(rows)
            for row in rows:
                self.books.rows[row] = outcome

    def run(self):
        kinds = [self.insert] * 5 + [self.insert_pair] * 2 + [self.insert_wide] * 2 + [self.update] * 2 + [self.update_all]
        try:
            while not self.stop_event.is_set():
                self.random.choice(kinds)()
        except Exception as e:
            self.failure = e
            raise


class Nemesis:
    """Does one harm after the other; `kills` counts the processes killed."""

    def __init__(self, site):
        self.site, self.random, self.kills, self.done = site, random.Random(SEED), 0, collections.Counter()
        self.deeds = [self.kill_worker] * 4 + [self.kill_database] * 4 + [self.kill_master] * 3 + [self.kill_lighttpd] + [self.hold] * 2 + [self.cut] * 8

    def kill(self, program):
        pids = self.site.processes(program)
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
        database = self.random.choice(self.site.databases)
        database.stop()
        self.kills += 1
        time.sleep(self.random.uniform(0, 0.2))
        database.start()

    def hold(self):
        pids = self.site.processes(self.random.choice(("shardgate-worker", "shardgate-tdsd", "shardgate-master")))
        if pids:
            pid = self.random.choice(pids)
            try:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(self.random.choice((0.1, 0.3, 1.0, 4.0)))
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def cut(self):
        self.random.choice((*self.site.tds, *self.site.tds, *self.site.http)).arm(proxy.random_fault(self.random))

    def act(self):
        deed = self.random.choice(self.deeds)
        self.done[deed.__name__] += 1
        deed()
        time.sleep(self.random.uniform(0.05, 0.35))


def verdict(books, rows, counters):
    """Counts what is wrong; `rows` is (op, part) of all that is there, `counters` (client, shard) → value."""
    wrong, there = collections.defaultdict(list), collections.Counter(rows)
    for row, outcome in books.rows.items():
        if outcome == "applied" and row not in there:
            wrong["LOST"].append(row)
        if outcome == "not_applied" and row in there:
            wrong["LIE"].append(row)
    for group in books.groups:
        if len({row in there for row in group}) != 1:
            wrong["LIE"].append(group)
    for row, times in there.items():
        if times > 1:
            wrong["DUPLICATED"].append((row, books.rows.get(row)))
        if row not in books.rows:
            wrong["PHANTOM"].append(row)
    for register, history in books.counters.items():
        # An uncertain write may land late: all that were uncertain may be there, and the last that was certain.
        certain = [value for value, outcome in history if outcome == "applied"]
        allowed = {value for value, outcome in history if outcome == "unknown"} | {certain[-1] if certain else 0}
        if counters.get(register) not in allowed:
            refused = counters.get(register) in {value for value, outcome in history if outcome == "not_applied"}
            wrong["LIE" if refused else "LOST"].append((register, counters.get(register), history[-5:]))
    wrong["FLIP"], wrong["HUNG"] = books.flips, books.hung
    return {name: found for name, found in wrong.items() if found}


class Writes(unittest.TestCase):
    def setUp(self):
        self.site = Site()
        self.addCleanup(self.site.close)
        self.api = harness.Api(self.site.masters[0])
        self.post("/create-db", {"db_name": "Work"})
        self.post("/create-table", {**LOG, "columns": {"student_id": "INT", "op": "INT", "part": "INT"}})
        self.post("/create-table", {**COUNTERS, "columns": {"student_id": "INT", "client": "INT", "n": "INT"}})
        self.find_keys()
        self.books = Books()
        for client in range(CLIENTS):
            for shard, key in enumerate(KEYS_OF_SHARDS):
                self.post("/insert", {**COUNTERS, "data": {"student_id": key, "client": client, "n": 0}})
                self.books.counters[client, shard] = []
        call = Call(self.site.masters[0], "/insert", {**LOG, "data": {"student_id": 1, "op": 0, "part": 0}}, "a-first-key")
        self.assertEqual(call.status, 200, call.json)
        self.books.rows[0, 0] = "applied"

    def post(self, path, body):
        answer = self.api.post(path, body)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def find_keys(self):
        global KEYS_OF_SHARDS
        found = {}
        for key in range(1001, 1100):
            hashed = 0x811C9DC5
            for byte in str(key).encode():
                hashed = (hashed ^ byte) * 0x01000193 % (1 << 32)
            found.setdefault(hashed % 3, key)
        KEYS_OF_SHARDS = tuple(found[shard] for shard in range(3))

    def read_all(self):
        """All rows once every process is back; late writes have landed by then."""
        def healthy():
            return self.api.get("/health").status == 200 and self.api.get("/health").json["status"] == "healthy"
        for p in (*self.site.tds, *self.site.http):
            p.disarm()
        harness.eventually(healthy, seconds=60, message="the cluster does not recover")
        time.sleep(4)
        rows = [(r["op"], r["part"]) for r in self.post("/select", LOG)["rows"]]
        shard_of = {key: shard for shard, key in enumerate(KEYS_OF_SHARDS)}
        counters = {(r["client"], shard_of[r["student_id"]]): r["n"] for r in self.post("/select", COUNTERS)["rows"]}
        return rows, counters

    def test_every_answer_is_true(self):
        stop, nemesis = threading.Event(), Nemesis(self.site)
        clients = [Client(self.site, self.books, n, stop, True) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        end = time.monotonic() + LONGEST_S
        while (nemesis.kills < KILLS or self.books.acknowledged < WRITES) and time.monotonic() < end:
            if nemesis.kills < KILLS or self.books.acknowledged * KILLS >= nemesis.kills * WRITES:
                nemesis.act()
            else:
                time.sleep(0.2)
        stop.set()
        for client in clients:
            client.join(60)
            self.assertFalse(client.is_alive())
            self.assertIsNone(client.failure)
        rows, counters = self.read_all()
        b, wrong = self.books, verdict(self.books, rows, counters)
        strikes = sum((p.struck for p in (*self.site.tds, *self.site.http)), collections.Counter())
        print(f"# {nemesis.kills} kills, {dict(nemesis.done)}, strikes {dict(strikes)}")
        print(f"# {b.acknowledged} acknowledged, {b.refused} not applied, {b.resolved} resolved by their key, {b.unresolved} not; codes {dict(b.by_code)}")
        for name, found in wrong.items():
            print(f"# {name}: {len(found)}, first {found[:3]}")
        for path, data, key, history in self.books.history:
            rows = data if isinstance(data, list) else [data]
            if any((row.get("op"), row.get("part")) in sum(wrong.values(), []) for row in rows):
                print(f"# {path} {data} {key}", *history, sep="\n#   ")
        self.assertEqual(wrong, {}, f"SHARDGATE_SEED={SEED}")
        self.assertEqual(b.surprises, [])
        self.assertGreaterEqual(nemesis.kills, KILLS)
        self.assertGreaterEqual(b.acknowledged, WRITES)


if __name__ == "__main__":
    harness.main()
