#!/usr/bin/env python3
"""A running cluster at its limits: thousands of idle and slow connections, no descriptors, no memory, no disk, and requests that are none.
Good requests go on beside them, nothing ends, no answer is a lie, and all comes back when the harm is over.

SHARDGATE_FLOODS=long (make soak-floods) takes minutes instead of seconds."""

import contextlib
import itertools
import json
import os
import pathlib
import random
import resource
import socket
import sys
import threading
import time

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS), str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402
import malformed  # noqa: E402
import soak  # noqa: E402
import stage  # noqa: E402
from stage import Call  # noqa: E402

LONG = os.environ.get("SHARDGATE_FLOODS") == "long"
SEED = int(os.environ.get("SHARDGATE_SEED", "1"))
CONNECTIONS = 10000            # of these SLOW send or read a byte a second, the others say nothing
SLOW = 500
SPARE = 100                    # of the server's connections, for the good traffic
RATE, CLIENTS = 30 if os.environ.get("SHARDGATE_SLOW") else 150, 12  # of the good traffic
SECONDS = 8 if LONG else 3     # of each measurement
TURNS = 3 if LONG else 1
ONSET_S = 4                    # until slow readers are known as such
MALFORMED = int(os.environ.get("SHARDGATE_MALFORMED", "100000" if LONG else "1500"))
BIG_ROWS = 40000               # of a table whose select no buffer on the way takes in


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) / 1024


def cpu_s(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = stat[stat.rindex(")") + 2:].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def limited(pid, which, value):
    """Takes a limit from a process for the length of a with block."""
    before = resource.prlimit(pid, which, (value, resource.prlimit(pid, which)[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, which, before)


class Flood:
    """Connections that are held: some say nothing, some send a request's bytes at one a second, some read an answer so."""

    def __init__(self, port, idle, slow):
        self.port, self.ended = port, threading.Event()
        self.idle = [self.connect() for _ in range(idle)]
        self.headers = [self.connect() for _ in range(slow * 2 // 5)]
        self.bodies = [self.connect() for _ in range(slow * 2 // 5)]
        self.readers = [self.connect(4096) for _ in range(slow // 5)]
        self.thread = threading.Thread(target=self.trickle, daemon=True)

    def begin(self):
        """The slow ones begin to send."""
        for s in self.bodies:
            s.send(b"POST /select HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        body = b'{"db_name":"Soak","table":"Big"}'
        for s in self.readers:
            s.send(b"POST /select HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        self.thread.start()

    def connect(self, buffer=0):
        s = socket.socket()
        if buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        s.settimeout(30)
        s.connect(("127.0.0.1", self.port))
        s.setblocking(False)
        return s

    def trickle(self):
        line, n = b"POST /select HTTP/1.1\r\nHost: x\r\nX-Slow: " + 8000 * b"a", 0
        while not self.ended.wait(1):
            for s in self.headers:
                with contextlib.suppress(OSError):
                    s.send(line[n:n + 1])
            for s in self.bodies:
                with contextlib.suppress(OSError):
                    s.send(b" ")
            for s in self.readers:
                with contextlib.suppress(OSError):
                    s.recv(1)
            n += 1

    def count_open(self, sockets):
        """How many the server has not closed."""
        alive = 0
        for s in sockets:
            try:
                alive += s.recv(1, socket.MSG_PEEK) != b""
            except BlockingIOError:
                alive += 1
            except OSError:
                pass
        return alive

    def close(self):
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()
        for s in (*self.idle, *self.headers, *self.bodies, *self.readers):
            s.close()


class Floods(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        super().setUpClass()
        soak.fill(cls.cluster)
        rows = [{"student_id": k, "name": "x" * 50, "grade": "A"} for k in range(BIG_ROWS)]
        for path, table, body in (("/create-table", "Big", {"columns": soak.COLUMNS}),
                                  *(("/insert", "Big", {"data": rows[k:k + 4000]}) for k in range(0, BIG_ROWS, 4000)),
                                  ("/create-table", "Books", {"columns": {"student_id": "INT PRIMARY KEY", "text": "NVARCHAR(MAX)"}})):
            answer = cls.api.post(path, {"db_name": "Soak", "table": table, **body})
            assert answer.status == 200, answer

    rows = itertools.count(100_000_000, 10_000)  # the first of each request's

    def pids(self):
        return {name: pid for name, (pid, *_) in soak.sample(self.cluster).items()}

    def same_processes(self, before):
        self.assertEqual(self.pids(), before, "a process ended:\n" + self.cluster.logs())

    def start_good(self, seed):
        return soak.load(self.cluster, SECONDS, RATE, seed, CLIENTS)

    def end_good(self, client):
        held = json.loads(client.communicate()[0].splitlines()[-1])
        self.assertEqual((client.returncode, held["errors"]), (0, 0))
        return held

    def good(self, seed):
        """Good traffic for some seconds; its own account."""
        return self.end_good(self.start_good(seed))

    def test_idle_and_slow_connections(self):
        """9,500 connections that say nothing, 200 slow headers, 200 slow bodies and 100 slow readers beside good traffic."""
        before = self.pids()
        server = before["lighttpd of the master"]
        most = next(int(line.split("=")[1]) for line in next((self.cluster.data / "run").glob("master-*.conf")).read_text().splitlines()
                    if line.startswith("server.max-connections"))
        room = min(most, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000) - SPARE
        slow = min(SLOW, room // 10)
        idle = min(CONNECTIONS, room) - slow
        ratios = []
        for turn in range(TURNS):
            first_mib, first_fds, seed = memory_mib(server), fds(server), 10 * SEED + 3 * turn
            calm = self.good(seed)
            flood = Flood(self.cluster.port, idle, slow)
            try:
                client = self.start_good(seed + 1)
                flood.begin()
                onset = self.end_good(client)
                time.sleep(ONSET_S)
                settled = self.good(seed + 2)
                peak_mib, peak_fds, readers = memory_mib(server), fds(server), flood.count_open(flood.readers)
                held = flood.count_open(flood.idle) + flood.count_open(flood.headers) + flood.count_open(flood.bodies)
            finally:
                flood.close()
            harness.eventually(lambda: fds(server) <= first_fds + 64, 60, "descriptors do not come back")
            print(f"# {idle} idle and {slow} slow connections of {CONNECTIONS} wanted (the server takes {most}), {held} held to the end, {readers} of {slow // 5} readers; "
                  f"lighttpd {first_mib:.1f} to {peak_mib:.1f} to {memory_mib(server):.1f} MiB, {first_fds} to {peak_fds} to {fds(server)} descriptors")
            for name, a in (("without the flood", calm), ("as it begins", onset), ("with it", settled)):
                print(f"#   {name}: {a['requests']} requests, {a['refused']} refused, p50 {a['p50_ms']:.2f}, p99 {a['p99_ms']:.1f}, longest {a['longest_ms']:.0f} ms")
            ratios.append(settled["p99_ms"] / calm["p99_ms"])
            self.assertGreaterEqual(held, (idle + slow) * 0.9)
            self.assertLess(settled["refused"], settled["requests"] / 10)
        print(f"#   p99 with the flood: {', '.join(f'{r:.2f}' for r in ratios)} times that without it")
        self.assertLessEqual(memory_mib(server), peak_mib + 1)
        self.same_processes(before)

    # Descriptors, memory, disk

    def write_for(self, seconds, books, bodies=None):
        """Clients that write, each on its own connections, for some seconds; what each was told goes into `books`, id by id."""
        end, lock = time.monotonic() + seconds, threading.Lock()

        def run():
            while time.monotonic() < end:
                first = next(self.rows)
                rows = [{"student_id": first + i, "text": "Ali" * (800 if bodies else 1)} for i in range(bodies or 1)]
                call = Call(self.cluster.port, "/insert", {"db_name": "Soak", "table": "Books", "data": rows if bodies else rows[0]})
                with lock:
                    books.append((call, [r["student_id"] for r in rows]))
        threads = [threading.Thread(target=run, daemon=True) for _ in range(3 if bodies else 6)]
        for t in threads:
            t.start()
        return threads

    def check_books(self, books, threads):
        """What was applied is there, what was not is not; of arrays shard by shard."""
        for t in threads:
            t.join(120)
            self.assertFalse(t.is_alive(), "a request was never answered")
        there = {row["student_id"] for row in self.ok("/select", {"db_name": "Soak", "table": "Books", "columns": ["student_id"]})["rows"]}
        for call, ids in books:
            outcomes = call.of_shards()
            for row in ids:
                outcome = outcomes.get(stage.shard_of(row), call.outcome)
                if outcome == "applied":
                    self.assertIn(row, there, str(call)[:500])
                elif outcome == "not_applied":
                    self.assertNotIn(row, there, str(call)[:500])
        self.ok("/delete", {"db_name": "Soak", "table": "Books", "condition": "student_id >= 0", "scatter": True})
        told = {}
        for call, _ in books:
            what = f"{call.status} {(call.json or {}).get('code', '')} {call.outcome}".replace("  ", " ")
            told[what] = told.get(what, 0) + 1
        return told

    def harm(self, name, which, value, seconds=10 if LONG else 2, bodies=None):
        """Writes while a process has a limit, and after it; what the clients were told."""
        before, books = self.pids(), []
        pid = before[name]
        threads = self.write_for(0.5, books, bodies)
        time.sleep(0.5)
        with limited(pid, which, value(pid)):
            used, since = cpu_s(pid), time.monotonic()
            threads += self.write_for(seconds, books, bodies)
            time.sleep(seconds)
            used = (cpu_s(pid) - used) / (time.monotonic() - since)
        for t in threads:
            t.join(120)
        self.recover()
        after = []
        told = self.check_books(books, threads)
        self.check_books(after, self.write_for(0.5, after, bodies))
        self.assertLessEqual({c.status for c, _ in after}, {200, 429}, f"{name} does not recover")
        self.assertIn(200, {c.status for c, _ in after}, f"{name} does not recover")
        print(f"# {name}: {', '.join(f'{n} {what}' for what, n in sorted(told.items()))}; {used:.2f} of a processor")
        self.same_processes(before)
        return told, used

    def recover(self):
        harness.eventually(lambda: self.api.get("/health").json["status"] == "healthy", 60, "it is not healthy again")

    def test_no_descriptors(self):
        """accept, socket and open fail with EMFILE, in one process after the other."""
        def lowest_free(pid):
            used = {int(n) for n in os.listdir(f"/proc/{pid}/fd")}
            return next(n for n in range(len(used) + 1) if n not in used)
        for name in ("master", "worker go", "tds-server go", "lighttpd of the workers", "lighttpd of the master"):
            with self.subTest(name):
                _, used = self.harm(name, resource.RLIMIT_NOFILE, lowest_free)
                # lighttpd counts by the limit that it was started with; of one that shrinks below its feet it learns by trying.
                if not name.startswith("lighttpd"):
                    self.assertLess(used, 0.9, "a busy loop")

    def test_no_disk(self):
        """A shard's file cannot grow: 507 storage_full, nothing applied, and on when it can."""
        told, _ = self.harm("tds-server go", resource.RLIMIT_FSIZE, lambda pid: 1)
        self.assertLessEqual(set(told), {"200 applied", "507 storage_full not_applied"})
        self.assertEqual(len(told), 2, told)

    # Requests that are none

    def test_malformed_requests(self):
        """None reaches a shard; each is answered with a problem that can be read, or ends; good ones beside them are answered right."""
        before, chosen = self.pids(), random.Random(SEED)
        self.ok("/create-table", {"db_name": "Soak", "table": "Wild", "columns": {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(50)"}})
        ways = [*malformed.SURE.items(), *malformed.PERHAPS.items()]
        tally, written, unanswered = {}, 0, 0
        for n in range(MALFORMED):
            name, way = malformed.TOO_LONG if n % 500 == 499 else chosen.choice(ways)
            sent = way(chosen, malformed.Parts("Wild", 1_000_000 + n))
            read = malformed.ask(self.cluster.port, sent)
            self.assertIsNotNone(read, f"SHARDGATE_SEED={SEED}, request {n}, {name}: neither answer nor end: {sent[:500]}")
            found = malformed.answers(read)
            for status, headers, body in found:
                what = f"SHARDGATE_SEED={SEED}, request {n}, {name}: {sent[:500]} was answered {status} {body[:500]}"
                self.assertIsNotNone(status, what)
                if status == 200:
                    self.assertNotIn(name, malformed.SURE, what)
                    written += b'"rows_affected":1' in body
                else:
                    self.assertTrue(400 <= status < 500 or status in (501, 505), what)
                    self.assertEqual(headers[b"content-type"], b"application/problem+json", what)
                    self.assertEqual(json.loads(body)["outcome"], "not_applied", what)
            unanswered += name not in malformed.SURE and not found
            result = str(found[0][0]) if found else "closed"
            tally[result] = tally.get(result, 0) + 1
            if n % 20 == 0:
                k = chosen.randrange(soak.KEYS)
                self.assertEqual(self.ok("/select", {"db_name": "Soak", "table": "T", "condition": f"student_id = {k}", "columns": ["student_id"]})["rows"], [{"student_id": k}])
        there = self.ok("/map-reduce-count", {"db_name": "Soak", "table": "Wild"})["total"]
        print(f"# {MALFORMED} requests: {', '.join(f'{count} {what}' for what, count in sorted(tally.items()))}; {written} told to be written, {there} there")
        self.assertTrue(written <= there <= written + unanswered, f"{written} rows were acknowledged, {there} are there, {unanswered} were not answered")
        self.same_processes(before)

    def test_pipelined_requests(self):
        """Requests that follow each other without waiting are answered in their order; what stands behind a refused one is not read."""
        def parts(key, path=b"/insert"):
            return malformed.Parts("Piped", key, path)
        self.ok("/create-table", {"db_name": "Soak", "table": "Piped", "columns": {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(50)"}})
        found = malformed.answers(malformed.ask(self.cluster.port, b"".join(parts(k).whole() for k in range(20))))
        self.assertEqual([status for status, *_ in found], [200] * len(found))
        bad = parts(50)
        bad.length.append(b"Content-Length: 3")
        refused = malformed.answers(malformed.ask(self.cluster.port, parts(49).whole() + bad.whole() + parts(51).whole()))
        self.assertEqual([status for status, *_ in refused], [200, 400])
        keys = {row["student_id"] for row in self.ok("/select", {"db_name": "Soak", "table": "Piped"})["rows"]}
        self.assertEqual(keys - {49}, set(range(len(found))))
        self.assertIn(49, keys)
        self.assertEqual(len(found), 20)

    # Not of every build, nor of every run

    if not os.environ.get("SHARDGATE_SLOW"):  # AddressSanitizer ends a program that has no memory
        def test_no_memory(self):
            """malloc fails under large bodies: what is free in the heap is all that there is."""
            for name in ("master", "worker go"):
                with self.subTest(name):
                    told, _ = self.harm(name, resource.RLIMIT_DATA, lambda pid: 1, bodies=1000)
                    if name == "master":  # a worker may find enough in its heap
                        self.assertTrue(any(not what.startswith("200") for what in told), f"no request failed: {told}")

    if LONG:  # half a minute
        def test_readers_that_take_nothing(self):
            """They are cut, and long answers go on."""
            big = {"db_name": "Soak", "table": "Big"}
            flood = Flood(self.cluster.port, 0, 25)
            try:
                flood.begin()
                harness.eventually(lambda: self.api.post("/select", big).status == 429, 20)
                since = time.monotonic()
                harness.eventually(lambda: time.sleep(1) or self.api.post("/select", big).status == 200, 90, "slow readers keep their places")
                print(f"# long answers were refused for {time.monotonic() - since:.0f} s")
            finally:
                flood.close()
            self.assertIn("its reader took nothing for 30000 ms", self.cluster.logs())


if __name__ == "__main__":
    harness.main()
