#!/usr/bin/env python3
"""shardgate-tdsd is killed at random moments while clients write over the wire, and started again on the same folder: what
it acknowledged is there once, what it did not is there wholly or not at all.

SHARDGATE_KILLS=N kills as often (make soak-faults: 300 times), SHARDGATE_SEED=N makes another choice of moments.
"""

import collections
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

try:
    import pymssql
except ImportError:
    # Another Python came first in PATH: pymssql is a package of Debian's.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", "-B", *sys.argv])
    print("1..0 # SKIP pymssql is not installed")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import harness  # noqa: E402

KILLS = int(os.environ.get("SHARDGATE_KILLS", "12"))
SEED = int(os.environ.get("SHARDGATE_SEED", "1"))
CLIENTS = 6
LONGEST_S = 0.8  # that clients work before a kill
PARTS = 3  # rows of a transaction


class Server:
    """A shardgate-tdsd on a data folder, started as often as the test wants."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-kill-"))
        (self.folder / "password").write_text("kill\n")
        (self.folder / "password").chmod(0o600)
        self.process, self.port = None, None

    def spawn(self):
        self.process = subprocess.Popen(
            [str(harness.BUILD / "shardgate-tdsd"), "--data", str(self.folder / "data"), "--port", "0",
             "--password-file", str(self.folder / "password")],
            stdout=subprocess.PIPE, stderr=open(self.folder / "log", "a"), text=True)

    def start(self):
        self.spawn()
        said = re.search(r"listening on \S+:(\d+)$", self.process.stdout.readline().strip())
        if not said:
            raise AssertionError("shardgate-tdsd does not start: " + (self.folder / "log").read_text()[-2000:])
        self.port = int(said.group(1))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def connect(self, database="master"):
        return pymssql.connect(server="127.0.0.1", port=str(self.port), user="sa", password="kill", database=database, autocommit=True,
                               tds_version="7.3", login_timeout=harness.START_TIMEOUT_S, timeout=harness.START_TIMEOUT_S)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Writer(threading.Thread):
    """Writes until its connection breaks. `rows` and `counter` are as they were acknowledged, `pending` as the change under way
    leaves them; None when it was answered. Each change is a generator that first tells what it leads to, and then does it."""

    def __init__(self, server, number, seed, journal):
        super().__init__(daemon=True)
        self.server, self.number, self.random, self.journal = server, number, random.Random(seed), journal
        self.rows, self.counter = set(journal.rows), journal.counter
        self.pending, self.wrong = None, None

    def insert(self, cursor):
        n = self.journal.next()
        yield self.rows | {(n, 0)}, self.counter
        cursor.execute("INSERT INTO Written (client, n, part, body) VALUES (%d, %d, 0, %s)", (self.number, n, "x" * self.random.randrange(1500)))

    def transaction(self, cursor):
        n = self.journal.next()
        yield self.rows | {(n, part) for part in range(PARTS)}, self.counter + 1
        cursor.execute("BEGIN TRANSACTION")
        for part in range(PARTS):
            cursor.execute("INSERT INTO Written (client, n, part, body) VALUES (%d, %d, %d, 'transaction')", (self.number, n, part))
        cursor.execute("UPDATE Counters SET n = n + 1 WHERE client = %d", (self.number,))
        cursor.execute("COMMIT TRANSACTION")

    def count(self, cursor):
        yield self.rows, self.counter + 1
        cursor.execute("UPDATE Counters SET n = n + 1 WHERE client = %d", (self.number,))

    def delete(self, cursor):
        if self.rows:
            n = self.random.choice(sorted(self.rows))[0]
            yield {r for r in self.rows if r[0] != n}, self.counter
            cursor.execute("DELETE FROM Written WHERE client = %d AND n = %d", (self.number, n))

    def take_back(self, cursor):
        yield self.rows, self.counter
        cursor.execute("BEGIN TRANSACTION")
        cursor.execute("INSERT INTO Written (client, n, part, body) VALUES (%d, -1, 0, 'rolled back')", (self.number,))
        cursor.execute("ROLLBACK TRANSACTION")

    def run(self):
        kinds = [self.insert] * 5 + [self.transaction] * 2 + [self.count] * 2 + [self.delete, self.take_back]
        try:
            with self.server.connect("Work") as connection, connection.cursor() as cursor:
                while True:
                    for self.pending in self.random.choice(kinds)(cursor):
                        pass
                    if self.pending:
                        self.rows, self.counter = self.pending
                        self.journal.acknowledged += 1
                    self.pending = None
        except pymssql.Error as e:
            # 20000 and above are the client library's own: the connection is gone.
            number = e.args[0] if e.args and isinstance(e.args[0], int) else 0
            if 0 < number < 20000:
                self.wrong = e


class Journal:
    """What is certain of one writer's rows, over all of its lives."""

    def __init__(self):
        self.rows, self.counter, self.last, self.acknowledged = set(), 0, 0, 0

    def next(self):
        self.last += 1
        return self.last


class Maker(threading.Thread):
    """Makes and drops databases. `certain` is name → is it there; the one under way is in `pending`."""

    def __init__(self, server, certain):
        super().__init__(daemon=True)
        self.server, self.certain, self.pending, self.wrong = server, certain, None, None

    def run(self):
        try:
            with self.server.connect() as connection, connection.cursor() as cursor:
                while True:
                    there = [name for name, is_there in self.certain.items() if is_there]
                    drop = len(there) > 3
                    self.pending = there[0] if drop else f"Made{len(self.certain)}"
                    cursor.execute(f"{'DROP' if drop else 'CREATE'} DATABASE {self.pending}")
                    self.certain[self.pending] = not drop
                    self.pending = None
        except pymssql.Error as e:
            number = e.args[0] if e.args and isinstance(e.args[0], int) else 0
            if 0 < number < 20000:
                self.wrong = e


class Kill(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)
        self.journals = [Journal() for _ in range(CLIENTS)]
        self.databases = {}
        self.missing = self.twice = self.torn = self.unanswered = 0
        self.server = Server()
        self.addCleanup(self.server.remove)
        self.server.start()
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE Work")
            cursor.execute("USE Work")
            # No key, so that a row that was written twice is there twice.
            cursor.execute("CREATE TABLE Written (client INT NOT NULL, n INT NOT NULL, part INT NOT NULL, body VARCHAR(2000) NOT NULL)")
            cursor.execute("CREATE TABLE Counters (client INT NOT NULL PRIMARY KEY, n INT NOT NULL)")
            for number in range(CLIENTS):
                cursor.execute("INSERT INTO Counters (client, n) VALUES (%d, 0)", (number,))

    def compare_rows(self, writers):
        with self.server.connect("Work") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT client, n, part FROM Written")
            found = collections.Counter(cursor.fetchall())
            cursor.execute("SELECT client, n FROM Counters")
            counters = dict(cursor.fetchall())
        self.twice += sum(times - 1 for times in found.values())
        for writer, journal in zip(writers, self.journals):
            there = {(n, part) for client, n, part in found if client == writer.number}, counters[writer.number]
            before = writer.rows, writer.counter
            after = writer.pending or before
            self.unanswered += writer.pending is not None
            if there not in (before, after):
                self.missing += len((before[0] & after[0]) - there[0]) + (there[1] < before[1])
                self.torn += 1
                print(f"# client {writer.number}: {sorted(there[0] ^ before[0])}, counter {there[1]}; unanswered: "
                      f"{sorted(after[0] ^ before[0])}, counter {before[1]} to {after[1]}")
            journal.rows, journal.counter = there

    def compare_databases(self, maker):
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT name FROM sys.databases")
            found = {name for (name,) in cursor.fetchall()}
            for name, is_there in self.databases.items():
                if name != maker.pending and (name in found) != is_there:
                    self.missing += is_there
                    self.torn += not is_there
                    print(f"# database {name} is {'there' if name in found else 'not there'}")
                if name in found:
                    cursor.execute(f"SELECT COUNT(*) FROM {name}.sys.tables")
                    self.assertEqual(cursor.fetchall(), [(0,)])
        if maker.pending:
            self.databases[maker.pending] = maker.pending in found

    def test_kills(self):
        for kill in range(KILLS):
            writers = [Writer(self.server, n, self.random.random(), j) for n, j in enumerate(self.journals)]
            maker = Maker(self.server, self.databases)
            for thread in (*writers, maker):
                thread.start()
            time.sleep(self.random.uniform(0.02, LONGEST_S))
            self.server.kill()
            for thread in (*writers, maker):
                thread.join(harness.START_TIMEOUT_S)
                self.assertFalse(thread.is_alive())
                self.assertIsNone(thread.wrong)
            if kill % 3 == 0:
                # Once more, while it starts and recovers.
                self.server.spawn()
                time.sleep(self.random.uniform(0, 0.03))
                self.server.kill()
            self.server.start()
            self.compare_rows(writers)
            self.compare_databases(maker)
        acknowledged = sum(j.acknowledged for j in self.journals)
        print(f"# {KILLS} kills, {acknowledged} changes acknowledged, {self.unanswered} unanswered, {len(self.databases)} databases; "
              f"{self.missing} missing, {self.twice} twice, {self.torn} torn")
        self.assertGreater(acknowledged, KILLS)
        self.assertEqual((self.missing, self.twice, self.torn), (0, 0, 0), f"SHARDGATE_SEED={SEED}")
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.process.wait(harness.STOP_TIMEOUT_S), 0)
        self.server.process.stdout.close()


if __name__ == "__main__":
    harness.main()
