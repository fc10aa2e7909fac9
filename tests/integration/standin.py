"""Workers that break down on cue: stand-ins that speak docs/worker-contract.md, keep their tables in memory and count what
arrives; and the test case with a master in front of three of them."""

import contextlib
import hashlib
import http.server
import io
import json
import pathlib
import shutil
import socket
import tempfile
import threading
import time

import harness
from harness import Api, Launched, free_ports

TOKEN = "token-of-the-test"
T = {"db_name": "S", "table": "T"}
COLUMNS = {"student_id": "INT", "n": "VARCHAR(10)"}


class Part:
    """One request of a batch, for StandIn.serve: as much of BaseHTTPRequestHandler as that uses."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.wfile = io.BytesIO()

    def send_response(self, status):
        self.wfile.write(f"HTTP/1.1 {status} Status\r\nX-Batch-Id: {self.headers['X-Batch-Id']}\r\n".encode())

    def send_header(self, name, value):
        self.wfile.write(f"{name}: {value}\r\n".encode())

    def hang_up(self):
        """It stays without an answer."""

    def end_headers(self):
        self.wfile.write(b"\r\n")


def read_parts(raw):
    while raw:
        head, raw = raw.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers["Content-Length"])
        yield Part(first.split(" ")[1], headers, raw[:length])
        raw = raw[length:]


class StandIn:
    """One worker. `faults` maps a path, or with a '!' behind it a path without "check", to what happens there: "hang",
    "close", "foreign", "garbage", or (status, code, outcome); and "/batch" to one of those, or to "cut", "alone", "nonsense"
    or "short" for its answers. It takes batches where `batches` is true. `delay` is what every request takes, in seconds."""

    def __init__(self, shard, name, suffix):
        self.shard, self.name, self.suffix = shard, name, suffix
        self.databases, self.faults, self.arrivals = {}, {}, []
        self.server, self.port, self.connections = None, 0, set()
        self.batches, self.delay, self.batch_sizes = False, 0, []

    def start(self):
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version, wbufsize, disable_nagle_algorithm = "HTTP/1.1", -1, True

            def setup(self):
                super().setup()
                stand_in.connections.add(self.connection)

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.run(b"{}")

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/batch":
                    with contextlib.suppress(OSError):
                        stand_in.batch(self, raw)
                else:
                    self.run(raw)

            def hang_up(self):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def run(self, raw):
                with contextlib.suppress(OSError):
                    stand_in.serve(self, json.loads(raw))

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 64

            def handle_error(self, *_):
                """The master has closed its connection."""

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def send(self, h, status, answer, marked=True, type=None):
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        h.send_response(status)
        if type:
            h.send_header("Content-Type", type)
        if marked:
            h.send_header("X-Shardgate", self.name)
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        h.wfile.write(body)
        h.wfile.flush()

    def refuse(self, h, status, code, outcome="not_applied"):
        self.send(h, status, {"type": "about:blank", "title": "T", "status": status, "code": code, "detail": f"{code} here",
                              "outcome": outcome, "retry": "no", "request_id": "r", "shards": []})

    def batch(self, h, raw):
        """Runs the parts of a batch side by side, and answers each when it ends."""
        self.arrivals.append(("/batch", None, dict(h.headers)))
        if not self.batches:
            return self.refuse(h, 404, "no_such_path")
        fault = self.faults.get("/batch")
        if fault == "close":
            return h.hang_up()
        if isinstance(fault, tuple):
            return self.refuse(h, *fault)
        parts = list(read_parts(raw))
        for part in parts:
            part.headers["X-Master-Token"] = h.headers.get("X-Master-Token")
        self.batch_sizes.append(len(parts))
        h.send_response(200)
        h.send_header("Content-Type", "application/http; msgtype=response")
        h.send_header("X-Shardgate", self.name)
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        h.wfile.flush()
        lock = threading.Lock()

        def write(data):
            if not data:
                return
            h.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            h.wfile.flush()

        def run(part):
            if fault == "alone":
                part.send_response(413)
                part.send_header("X-Batch-Alone", "true")
                part.send_header("Content-Length", "0")
                part.end_headers()
            else:
                self.serve(part, json.loads(part.body))
            with lock, contextlib.suppress(OSError):
                write(part.wfile.getvalue())

        answered = parts[:len(parts) // 2] if fault in ("cut", "short") else parts
        threads = [threading.Thread(target=run, args=(part,)) for part in reversed(answered)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if fault == "nonsense":
            write(b"HTTP/1.1 200 OK\r\nX-Batch-Id: 999\r\nContent-Length: 2\r\n\r\n{}")
        if fault == "cut":
            h.hang_up()
        else:
            h.wfile.write(b"0\r\n\r\n")
            h.wfile.flush()

    def serve(self, h, body):
        self.arrivals.append((h.path, body, dict(h.headers)))
        if self.delay and h.path != "/health":
            time.sleep(self.delay)
        fault = self.faults.get(h.path) or (None if body.get("check") else self.faults.get(h.path + "!"))
        if fault == "hang":
            time.sleep(3)
        if fault in ("hang", "close"):
            h.hang_up()
        elif fault == "foreign":
            self.send(h, 500, b"<html>", marked=False)
        elif fault == "garbage":
            self.send(h, 200, b'{"status":"ok","rows":[}')
        elif isinstance(fault, bytes):
            self.send(h, 200, fault, type="application/x-ndjson")
        elif isinstance(fault, tuple):
            self.refuse(h, *fault)
        elif h.path == "/health":
            self.send(h, 200, {"status": "up", "worker": self.name, "shard": self.shard, "database": "up", "uptime_s": 1})
        elif h.headers.get("X-Master-Token") != TOKEN:
            self.refuse(h, 401, "unauthorized")
        else:
            getattr(self, h.path[1:].replace("-", "_"))(h, body)

    def shard_of(self, body, **more):
        return {"shard": self.shard, "worker": self.name, "database": body["db_name"] + self.suffix, **more}

    def change(self, h, body, there, wanted, code, lenient, make):
        """A change of schema: `there` tells whether the object is, `wanted` whether it shall be."""
        if there == wanted and not body.get(lenient):
            return self.refuse(h, 409 if wanted else 404, code)
        outcome = "unchanged" if there == wanted else "not_applied" if body.get("check") else "applied"
        if outcome == "applied":
            make()
        self.send(h, 200, {"status": "ok", "db_name": body["db_name"], "shards": [self.shard_of(body, outcome=outcome)]})

    def create_db(self, h, body):
        db = body["db_name"]
        self.change(h, body, db in self.databases, True, "already_exists", "if_not_exists", lambda: self.databases.update({db: {}}))

    def drop_db(self, h, body):
        db = body["db_name"]
        self.change(h, body, db in self.databases, False, "no_such_database", "if_exists", lambda: self.databases.pop(db))

    def tables(self, h, body):
        if body["db_name"] not in self.databases:
            self.refuse(h, 404, "no_such_database")
        return self.databases.get(body["db_name"])

    def create_table(self, h, body):
        if (tables := self.tables(h, body)) is not None:
            table = {"columns": body.get("columns"), "rows": [],
                     "key": body.get("shard_column") or ("student_id" if "student_id" in body.get("columns", {}) else None)}
            self.change(h, body, body["table"] in tables, True, "already_exists", "if_not_exists", lambda: tables.update({body["table"]: table}))

    def delete_table(self, h, body):
        if (tables := self.tables(h, body)) is not None:
            self.change(h, body, body["table"] in tables, False, "no_such_table", "if_exists", lambda: tables.pop(body["table"]))

    def table(self, h, body):
        tables = self.tables(h, body)
        if tables is None:
            return None
        if body["table"] not in tables:
            self.refuse(h, 404, "no_such_table")
            return None
        table = tables[body["table"]]
        if h.headers.get("X-Shard-Schema", self.tag(table)) != self.tag(table):
            self.refuse(h, 409, "schema_changed")
            return None
        return table

    @staticmethod
    def tag(table):
        return hashlib.sha256(json.dumps([table["columns"], table["key"]]).encode()).hexdigest()[:16]

    def describe(self, h, body):
        if (table := self.table(h, body)) is not None:
            columns = [{"name": n, "type": t, "nullable": True, "has_default": False, "binary": "CHAR" in t} for n, t in table["columns"].items()]
            self.send(h, 200, {"status": "ok", "db_name": body["db_name"], "table": body["table"], "tag": self.tag(table),
                               "shard_column": table["key"], "columns": columns})

    def insert(self, h, body):
        if (table := self.table(h, body)) is not None:
            rows = body["data"] if isinstance(body["data"], list) else [body["data"]]
            table["rows"] += rows
            self.send(h, 200, {"status": "ok", "rows_affected": len(rows),
                               "shards": [self.shard_of(body, outcome="applied", rows_affected=len(rows))]})

    def delete(self, h, body):
        if (table := self.table(h, body)) is not None:
            count = len(table["rows"])
            table["rows"].clear()
            self.send(h, 200, {"status": "ok", "rows_affected": count, "shards": [self.shard_of(body, outcome="applied", rows_affected=count)]})

    def select(self, h, body):
        if (table := self.table(h, body)) is not None:
            n = len(table["rows"])
            rows = [{c: row.get(c) for c in body.get("columns", row)} for row in table["rows"]]
            self.send(h, 200, {"status": "ok", "rows": rows, "count": n, "complete": True,
                               "shards": [{"shard": self.shard, "worker": self.name, "outcome": "ok", "rows": n}]})

    def map_reduce_count(self, h, body):
        if (table := self.table(h, body)) is not None:
            n = len(table["rows"])
            self.send(h, 200, {"status": "ok", "total": n, "complete": True, "map": [{"shard": self.shard, "worker": self.name, "count": n}]})

    def catalogue(self, h, body):
        if "db_name" not in body:
            self.send(h, 200, {"status": "ok", "databases": list(self.databases)})
        elif (tables := self.tables(h, body)) is not None:
            self.send(h, 200, {"status": "ok", "db_name": body["db_name"], "tables": list(tables)})

    def security_check(self, h, _):
        self.send(h, 200, {"status": "ok"})


class StandInTest(harness.ClusterTest):
    MASTER = {}  # more of the configuration's "master"

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-"))
        cls.workers = [StandIn(i, n, s) for i, (n, s) in enumerate((("go", "GO"), ("python", "PY"), ("node", "NODE")))]
        for w in cls.workers:
            w.start()
        port, = free_ports(1)
        config = {"timeout_ms": 2000, "master": {"port": port, **cls.MASTER}, "workers": [{"name": w.name, "suffix": w.suffix, "port": w.port} for w in cls.workers]}
        (cls.folder / "cluster.json").write_text(json.dumps(config))
        secrets = cls.folder / "var" / "secrets"
        secrets.mkdir(mode=0o700, parents=True)
        (secrets / "token").write_text(TOKEN + "\n")
        (secrets / "token").chmod(0o600)
        cls.launched = Launched(["up", "master", "--config", cls.folder / "cluster.json", "--data", cls.folder / "var"])
        cls.api = Api(port)

    @classmethod
    def tearDownClass(cls):
        cls.launched.stop()
        for w in cls.workers:
            w.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def check_problem(self, answer):
        self.assertNotIn(TOKEN, answer.body.decode())

    def setUp(self):
        for w in self.workers:
            w.faults, w.databases = {}, {}
        self.forgive()
        self.ok("/create-db", {"db_name": "S"})
        self.ok("/create-table", {**T, "columns": COLUMNS})
        self.seen()

    def seen(self):
        """How many requests arrived at each worker since the last call, by path."""
        counts = []
        for w in self.workers:
            counts.append({})
            for path, _, _ in w.arrivals:
                counts[-1][path] = counts[-1].get(path, 0) + 1
            w.arrivals = []
        return counts

    def forgive(self):
        """The master takes what failed so far for past: its breakers are closed, with no failure counted."""
        harness.eventually(lambda: self.api.get("/health").json["status"] == "healthy")
