#!/usr/bin/env python3
"""A worker keeps statements prepared on its connections: what it answers is what it would answer without, whatever becomes of the
tables, the session, the values and the handles themselves."""

import contextlib
import json
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time
import unittest

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS), str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402
import proxy  # noqa: E402
from stage import Database  # noqa: E402

HANDLES = int(re.search(r"#define PREPARED_MAX (\d+)", (harness.SOURCE / "fcgi-worker" / "prepared.h").read_text())[1])
MAX_VALUE = int(re.search(r"#define PREPARED_MAX_VALUE (\d+)", (harness.SOURCE / "fcgi-worker" / "prepared.h").read_text())[1])
COLUMNS = {"id": "INT PRIMARY KEY", "name": "NVARCHAR(4000)", "score": "FLOAT"}
EXECUTE = "sp_execute".encode("utf-16-le") + b"\0\0\0\0\x26\4\4"  # no flags, no name, no status, INTN of four bytes: the handle follows
CALLS = {"sp_executesql": b"\xff\xff\x0a\0", "sp_prepexec": b"\xff\xff\x0d\0", "sp_unprepare": b"\xff\xff\x0f\0", "sp_execute": EXECUTE}
PACKET_DATA = 8 + 22  # where an RPC begins: behind the packet's header and ALL_HEADERS


class Spy(proxy.Proxy):
    """Counts the calls that pass, and spoils handles when told to."""

    def __init__(self, target):
        self.calls, self.spoil = [], 0
        super().__init__(0, target)

    def pass_on(self, data):
        """What goes to the server in place of a request's packet."""
        if data[:1] != b"\3":  # RPC
            return data
        for name, begin in CALLS.items():
            if data[PACKET_DATA:].startswith(begin) or (name == "sp_execute" and begin in data[:80]):
                self.calls.append(name)
        at = data.find(EXECUTE)
        if at >= 0 and self.spoil > 0:
            self.spoil -= 1
            at += len(EXECUTE)
            return data[:at] + (99999).to_bytes(4, "little") + data[at + 4:]
        return data


class Prepared(unittest.TestCase):
    """One worker of one thread, and so of one connection."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-prepared-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        port, worker, tds = harness.free_ports(3)
        cls.database = Database(cls.folder / "tds", tds)
        cls.database.start()
        cls.addClassCleanup(cls.database.stop)
        cls.spy = Spy(tds)
        cls.addClassCleanup(cls.spy.close)
        data = cls.folder / "var"
        (data / "secrets").mkdir(parents=True)
        (data / "secrets" / "tds").write_text("nemesis\n")
        (data / "secrets" / "tds").chmod(0o600)
        (cls.folder / "cluster.json").write_text(json.dumps({
            "master": {"port": port}, "workers": [{"name": "go", "suffix": "GO", "port": worker, "threads": 1, "tds": {
                "host": "127.0.0.1", "port": cls.spy.port, "user": "sa", "password_file": "secrets/tds", "encrypt": "off"}}]}))
        cls.launched = harness.Launched(["up", "--config", cls.folder / "cluster.json", "--data", data])
        cls.addClassCleanup(cls.launched.stop)
        cls.api, cls.tds_port, cls.databases = harness.Api(port), tds, 0

    def setUp(self):
        type(self).databases += 1
        self.db = f"P{self.databases}"
        self.ok("/create-db", {"db_name": self.db})
        self.create(self.db)

    def create(self, db, columns=None):
        self.ok("/create-table", {"db_name": db, "table": "T", "columns": columns or COLUMNS})
        self.ok("/insert", {"db_name": db, "table": "T", "data": [{"id": i, "name": f"{db} {i}"} for i in range(10)]})

    def ok(self, path, body, **headers):
        answer = self.api.post(path, body, **headers)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def select(self, condition, db=None, **fields):
        return self.ok("/select", {"db_name": db or self.db, "table": "T", "condition": condition, **fields})["rows"]

    def name(self, i, db=None):
        rows = self.select(f"id = {i}", db)
        return rows[0]["name"] if rows else None

    def warm(self):
        """Until the shape of name() is executed by its handle."""
        for i in range(4):
            self.assertEqual(self.name(i), f"{self.db} {i}")
        self.assertEqual(self.calls_of(lambda: self.name(5)), ["sp_execute"])

    def recover(self):
        """Until the worker is well, and the master takes it for well."""
        def well():
            return all(self.api.post("/select", {"db_name": self.db, "table": "T", "condition": "id = 1"}).status == 200 for _ in range(5)) \
                and self.api.get("/health").json["status"] == "healthy"
        harness.eventually(well, seconds=60)

    def calls_of(self, run):
        """The calls that this makes, but for those that ask the catalogue, which a second of age makes due."""
        deadline = time.monotonic() + 20
        while True:
            before = len(self.spy.calls)
            run()
            calls = self.spy.calls[before:]
            if len(calls) < 3 or time.monotonic() > deadline:
                return calls

    def tsql(self, sql):
        return harness.tsql(self.tds_port, "nemesis", sql, f"{self.db}GO")

    def test_a_shape_is_prepared_when_it_is_seen_again(self):
        self.warm()
        for i in range(10):
            self.assertEqual(self.name(i), f"{self.db} {i}")
        self.assertIsNone(self.name(1000))
        self.ok("/insert", {"db_name": self.db, "table": "T", "data": {"id": 1000, "name": "new"}})
        self.assertEqual(self.name(1000), "new")

    def test_types_of_the_same_text(self):
        for _ in range(3):
            self.assertEqual(self.name(5), f"{self.db} 5")
            self.assertIsNone(self.name(5_000_000_000))
            self.assertIsNone(self.name(5.5))
            self.assertEqual(self.name("5.0"), f"{self.db} 5")
            self.assertEqual(self.name("5.000"), f"{self.db} 5")
            self.assertEqual(self.name("'5'"), f"{self.db} 5")
            self.assertEqual(self.name("5e0"), f"{self.db} 5")
            self.assertEqual(self.select("name = 'é'"), [])
            self.assertEqual(len(self.select(f"name = '{self.db} 3'")), 1)

    def test_values_of_all_lengths(self):
        lengths = (0, 1, MAX_VALUE // 2, MAX_VALUE - 1, MAX_VALUE, MAX_VALUE + 1, 3999, 4000)
        for n, length in enumerate(lengths * 2):
            for text in ("x" * length, "ü" * (length // 2), "€" * (length // 3), "😀" * (length // 4), None):
                body = {"db_name": self.db, "table": "T", "set": {"name": text, "score": None if text is None else n / 8}, "condition": "id = 3"}
                self.assertEqual(self.ok("/update", body)["rows_affected"], 1)
                self.assertEqual(self.select("id = 3"), [{"id": 3, "name": text, "score": None if text is None else n / 8}])

    def test_more_shapes_than_handles(self):
        columns = {"id": "INT PRIMARY KEY", **{f"c{i}": "INT" for i in range(2 * HANDLES)}}
        self.ok("/create-table", {"db_name": self.db, "table": "Wide", "columns": columns})
        for turn in range(4):
            for i in range(2 * HANDLES):
                row = turn * 1000 + i
                self.ok("/insert", {"db_name": self.db, "table": "Wide", "data": {"id": row, f"c{i}": row}})
                self.assertEqual(self.ok("/select", {"db_name": self.db, "table": "Wide", "columns": ["id"], "condition": f"c{i} = {row}"})["rows"], [{"id": row}])
        self.assertLess(self.spy.calls[-4 * HANDLES:].count("sp_unprepare"), HANDLES, "shapes drive each other out")
        for i in range(400):  # those that nobody asks any more make room
            self.name(i % 10)
        self.warm()

    def test_two_databases(self):
        other = f"{self.db}b"
        self.ok("/create-db", {"db_name": other})
        self.create(other)
        for i in range(10):
            self.assertEqual((self.name(i), self.name(i, other)), (f"{self.db} {i}", f"{other} {i}"))
        self.ok("/drop-db", {"db_name": other})
        self.assertEqual(self.api.post("/select", {"db_name": other, "table": "T", "condition": "id = 1"}).code, "no_such_database")
        self.ok("/create-db", {"db_name": other})
        self.create(other, {"id": "BIGINT PRIMARY KEY", "name": "NVARCHAR(20)"})
        for i in range(10):
            self.assertEqual((self.name(i), self.name(i, other)), (f"{self.db} {i}", f"{other} {i}"))

    def test_a_table_is_dropped_and_made_anew(self):
        self.warm()
        self.ok("/delete-table", {"db_name": self.db, "table": "T"})
        self.assertEqual(self.api.post("/select", {"db_name": self.db, "table": "T", "condition": "id = 1"}).code, "no_such_table")
        self.create(self.db, {"name": "NVARCHAR(50)", "id": "BIGINT PRIMARY KEY", "score": "NVARCHAR(10)"})
        self.warm()
        self.ok("/insert", {"db_name": self.db, "table": "T", "data": {"id": 2**40, "name": "new", "score": "much"}})
        self.assertEqual(self.select(f"id = {2**40}"), [{"name": "new", "id": 2**40, "score": "much"}])

    def test_a_table_changes_behind_the_workers_back(self):
        self.warm()
        self.tsql("DROP TABLE T")
        codes = {self.api.post("/select", {"db_name": self.db, "table": "T", "condition": f"id = {i}"}).code for i in range(3)}
        self.assertEqual(codes, {"no_such_table"})
        self.tsql("CREATE TABLE T (id INT PRIMARY KEY, name NVARCHAR(4000), score FLOAT); INSERT INTO T VALUES (1, N'anew', 1)")
        harness.eventually(lambda: self.name(1) == "anew")
        for _ in range(4):
            self.assertEqual(self.name(1), "anew")
        self.tsql("ALTER TABLE T ADD more INT NULL; UPDATE T SET more = 7")
        harness.eventually(lambda: self.select("id = 1") == [{"id": 1, "name": "anew", "score": 1, "more": 7}])
        self.tsql("ALTER TABLE T ALTER COLUMN score NVARCHAR(100) NULL")
        self.tsql("UPDATE T SET score = REPLICATE(N'ß', 100)")
        harness.eventually(lambda: self.api.post("/select", {"db_name": self.db, "table": "T", "condition": "id = 1"}).json.get("rows")
                           == [{"id": 1, "name": "anew", "score": "ß" * 100, "more": 7}])

    def insert_all(self, ids):
        for i in ids:
            self.assertEqual(self.ok("/insert", {"db_name": self.db, "table": "T", "data": {"id": i, "name": "w"}})["rows_affected"], 1)

    def test_a_refused_write_is_refused_each_time(self):
        for i in range(5):
            for _ in range(3):
                refused = self.api.post("/insert", {"db_name": self.db, "table": "T", "data": {"id": i, "name": "again"}})
                self.assertEqual((refused.code, refused.json["outcome"]), ("duplicate_key", "not_applied"), refused)
            self.insert_all([100 + i])
        self.assertEqual(len(self.select("id >= 0")), 15)

    def test_keyed_writes(self):
        for i in range(6):
            body = {"db_name": self.db, "table": "T", "data": {"id": 200 + i, "name": "keyed"}}
            for turn in range(3):
                answer = self.api.post("/insert", body, Idempotency_Key=f"{self.db}-{i}")
                self.assertEqual((answer.status, answer.json["rows_affected"], "idempotency-replayed" in answer.headers), (200, 1, turn > 0), answer)
        self.assertEqual(len(self.select("name = 'keyed'")), 6)

    def test_the_server_forgets_handles(self):
        """Error 8179: it certainly was not executed, and is executed once on a new connection."""
        self.warm()
        self.insert_all(range(300, 305))
        self.spy.spoil = 1
        self.assertEqual(self.name(1), f"{self.db} 1")
        self.assertEqual(self.spy.spoil, 0)
        self.insert_all(range(310, 315))
        self.spy.spoil = 1
        self.insert_all([320])
        self.assertEqual(self.spy.spoil, 0)
        for i in range(3):
            self.api.post("/insert", {"db_name": self.db, "table": "T", "data": {"id": 330 + i, "name": "keyed"}}, Idempotency_Key=f"forgets-{i}")
        self.spy.spoil = 1
        self.ok("/insert", {"db_name": self.db, "table": "T", "data": {"id": 340, "name": "keyed"}}, Idempotency_Key="forgets")
        self.assertEqual(self.spy.spoil, 0)
        self.assertEqual(len(self.select("id >= 300")), 15)
        self.warm()

    def test_the_connection_breaks(self):
        self.warm()
        self.spy.arm(proxy.Fault(proxy.CUT, proxy.ANSWER, 0, when=EXECUTE))
        self.assertEqual(self.name(1), f"{self.db} 1")
        self.warm()
        self.insert_all(range(300, 305))
        self.spy.arm(proxy.Fault(proxy.CUT, proxy.ANSWER, 0, when=EXECUTE))
        lost = self.api.post("/insert", {"db_name": self.db, "table": "T", "data": {"id": 400, "name": "w"}})
        self.assertEqual((lost.status, lost.json["outcome"]), (503, "unknown"), lost)
        self.warm()

    def test_the_server_is_started_again(self):
        self.warm()
        self.insert_all(range(300, 305))
        self.database.stop()
        self.database.start()
        self.recover()
        self.warm()
        self.insert_all(range(310, 315))
        self.assertEqual(len(self.select("id >= 300")), 10)

    @contextlib.contextmanager
    def locked(self):
        with harness.Tsql(self.tds_port, "nemesis") as session:
            session.run(f"BEGIN TRANSACTION; UPDATE {self.db}GO.dbo.T SET name = name WHERE id = 1")
            yield
            session.run("ROLLBACK TRANSACTION")

    def test_a_lock_is_waited_for_in_vain(self):
        update = {"db_name": self.db, "table": "T", "set": {"name": "changed"}, "condition": "id = 1"}
        for _ in range(4):
            self.ok("/update", update)
        with self.locked():
            for _ in range(2):
                late = self.api.post("/update", update, X_Timeout_Ms="4000")
                self.assertEqual((late.status, late.json["outcome"]), (504, "not_applied"), late)
        for _ in range(3):
            self.assertEqual(self.ok("/update", update)["rows_affected"], 1)

    def test_the_server_hangs(self):
        self.warm()
        held = threading.Timer(4, lambda: self.database.process.send_signal(18))
        harness.hold(self.database.process.pid)
        held.start()
        try:
            late = self.api.post("/select", {"db_name": self.db, "table": "T", "condition": "id = 1"}, X_Timeout_Ms="1000")
            self.assertEqual(late.status, 504, late)
        finally:
            held.join()
        self.recover()
        self.warm()


if __name__ == "__main__":
    harness.main()
