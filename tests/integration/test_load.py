#!/usr/bin/env python3
"""shardgate-load: what it loads, and what it says when it could not."""

import base64
import contextlib
import http.server
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import unittest.mock

import harness
from harness import BUILD, ClusterTest, eventually, free_ports

LOAD = str(BUILD / "shardgate-load")
TIMEOUT_S = 120
TEXTS = ["Ali", "çğıöşü", "名前", "😀 smile", 'a "quoted" word', "a, comma", "line one\nline two", "back\\slash\ttab", " spaces ", "'; DROP TABLE x;--"]


def run(*arguments, stdin=None):
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run([LOAD, *map(str, arguments)], input=stdin, capture_output=True, timeout=TIMEOUT_S, env=env)


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


class Files(unittest.TestCase):
    """A folder for files, and how a load went."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="shardgate-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def check(self, result, status, *said):
        """The exit status, and what standard error says."""
        error = result.stderr.decode()
        self.assertEqual(result.returncode, status, error + result.stdout.decode())
        for words in said:
            self.assertIn(words, error)
        return error


class CommandLine(Files):
    def test_help_and_version(self):
        self.assertTrue(run("--help").stdout.startswith(b"usage: shardgate-load FILE"))
        self.assertRegex(run("--version").stdout, rb"^shardgate-load \d+\.\d+\.\d+\n$")

    def test_usage(self):
        names = ("--db", "D", "--table", "T")
        for arguments, said in (
                ((), "a file to load is needed"),
                (("x.csv",), "--db and --table are needed"),
                (("x.csv", "y.csv", *names), "one file at a time"),
                (("x.txt", *names), "--format csv, ndjson or bcp is needed"),
                (("-", *names), "--format csv, ndjson or bcp is needed"),
                (("x.csv", *names, "--format", "xml"), "--format takes csv, ndjson or bcp: xml"),
                (("x.csv", *names, "--delimiter", "ab"), "--delimiter takes one printable"),
                (("x.csv", *names, "--delimiter", '"'), "--delimiter takes one printable"),
                (("x.csv", *names, "--batch", "0"), "--batch takes a number from 1 to 1000000: 0"),
                (("x.csv", *names, "--batch", "1x"), "--batch takes a number"),
                (("x.csv", *names, "--from-line", "-1"), "--from-line takes a number"),
                (("x.csv", *names, "--nonsense"), "--nonsense"),
                (("x.ndjson", *names, "--null", "x"), "not for NDJSON"),
                (("x", "--format", "bcp", *names), "--columns is needed")):
            with self.subTest(arguments=arguments):
                self.check(run(*arguments), 64, said)

    def test_no_file(self):
        self.check(run(self.folder / "none.csv", "--db", "D", "--table", "T"), 66, "none.csv: No such file or directory")
        self.check(run(self.folder, "--format", "csv", "--db", "D", "--table", "T"), 66, "Is a directory")

    def test_no_gateway(self):
        url = f"http://127.0.0.1:{free_ports(1)[0]}"
        path = self.file("x.csv", "a\n1\n")
        self.check(run(path, "--db", "D", "--table", "T", "--url", url), 69, "Failed to connect", url)
        self.check(run(path, "--db", "D", "--table", "T", "--url", "ftp://x"), 64, "--url: http://host:port is expected")

    def test_bad_columns(self):
        for name, content, said in (
                ("empty.csv", "", "the file is empty; a first line with the columns' names is expected"),
                ("twice.csv", "id,name,ID\n", 'twice.csv:1:9: "ID" is the name of column 1 already'),
                ("none.csv", "id,,name\n", "none.csv:1:4: a column has no name"),
                ("last.csv", "id,name,\n", "last.csv:1:9: the last column has no name"),
                ("quote.csv", 'id,"na\nme\n', "quote.csv:1:4: the quote that opens here is never closed"),
                ("utf8.csv", b"id,na\xffme\n", "utf8.csv:1:6: this byte is not valid UTF-8"),
                ("utf16.csv", "id,name\n".encode("utf-16"), "this is UTF-16; make it UTF-8 first")):
            with self.subTest(file=name):
                self.check(run(self.file(name, content), "--db", "D", "--table", "T"), 1, said)
        path = self.file("x.csv", "1,2\n")
        for columns, said in (("", "--columns: no names"), ("a,,b", "--columns: a column has no name"), ("a,A", "--columns: ")):
            with self.subTest(columns=columns):
                self.check(run(path, "--columns", columns, "--db", "D", "--table", "T"), 64, said)


class Loading(Files, ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api.post("/create-db", {"db_name": "LoadDB"})

    def setUp(self):
        super().setUp()
        self.table = "T" + re.sub(r"\W", "", self.id().split(".")[-1])[:50]

    def create(self, **columns):
        self.ok("/create-table", {"db_name": "LoadDB", "table": self.table, "columns": columns})

    def load(self, path, *options, stdin=None):
        return run(path, "--db", "LoadDB", "--table", self.table, "--url", f"http://127.0.0.1:{self.cluster.port}", *options, stdin=stdin)

    def rows(self):
        answer = self.ok("/select", {"db_name": "LoadDB", "table": self.table, "order_by": ["student_id"]})
        return answer["rows"]

    def shard_rows(self):
        count = self.ok("/map-reduce-count", {"db_name": "LoadDB", "table": self.table})
        return [part["count"] for part in count["map"]]

    def check_table(self, result, shards):
        """The table on standard output has these rows a shard, and their sum."""
        numbers = [int(n.replace(",", "")) for n in re.findall(r"^  .* ([\d,]+)$", result.stdout.decode(), re.M)]
        self.assertEqual(numbers, [*shards, sum(shards)], result.stdout.decode())

    def test_csv(self):
        self.create(student_id="INT", name="NVARCHAR(100)", grade="VARCHAR(5)")
        lines = [f"{i},{quoted(text)},{'' if i % 2 else 'A'}" for i, text in enumerate(TEXTS)]
        result = self.load(self.file("x.csv", "\ufeffstudent_id,name,grade\r\n" + "\r\n".join(lines)))
        self.check(result, 0)
        self.assertEqual(result.stderr, b"")
        self.assertEqual([(r["student_id"], r["name"], r["grade"]) for r in self.rows()],
                         [(i, text, None if i % 2 else "A") for i, text in enumerate(TEXTS)])
        self.check_table(result, self.shard_rows())

    def test_null_is_what_is_said(self):
        self.create(student_id="INT", name="NVARCHAR(100)")
        body = 'student_id,name\n1,\n2,""\n3,\\N\n4,"\\N"\n'
        self.check(self.load(self.file("x.csv", body)), 0)
        self.assertEqual([r["name"] for r in self.rows()], [None, "", "\\N", "\\N"])
        self.check(self.load(self.file("y.csv", body), "--null", "\\N"), 0)
        self.assertEqual([r["name"] for r in self.rows()[1::2]], ["", "", None, "\\N"])

    def test_values_of_every_kind(self):
        columns = {"student_id": "BIGINT", "b": "BIT", "m": "MONEY", "d": "DECIMAL(20,10)", "f": "FLOAT", "da": "DATE", "t": "TIME(7)",
                   "dt": "DATETIME2(7)", "o": "DATETIMEOFFSET(0)", "u": "UNIQUEIDENTIFIER", "v": "VARBINARY(10)", "c": "NCHAR(3)"}
        self.create(**columns)
        binary = base64.b64encode(bytes(range(5))).decode()
        values = ["01", "true", "1.5", "-0.0000000001", "1e-3", "2026-11-22", "13:05:00.1234567", "2026-11-22T13:05:00.5",
                  "2026-11-22T13:05:00+02:00", "6f9619ff-8b86-d011-b42d-00c04fc964ff", binary, "ab"]
        rows = [",".join(values), ",".join(["2", "0"] + values[2:]), ",".join(["3", "1"] + values[2:])]
        self.check(self.load(self.file("x.csv", ",".join(columns) + "\n" + "\n".join(rows) + "\n")), 0)
        got = self.rows()
        self.assertEqual([r["b"] for r in got], [True, False, True])
        self.assertEqual([got[0][k] for k in ("student_id", "m", "f", "da", "t", "dt", "o", "u", "v", "c")],
                         [1, 1.5, 0.001, "2026-11-22", "13:05:00.1234567", "2026-11-22T13:05:00.5000000", "2026-11-22T13:05:00+02:00",
                          "6F9619FF-8B86-D011-B42D-00C04FC964FF", binary, "ab "])

    def test_ndjson(self):
        self.create(student_id="INT", name="NVARCHAR(100)")
        lines = [json.dumps({"student_id": i, "name": text}, ensure_ascii=bool(i % 2)) for i, text in enumerate(TEXTS)]
        result = self.load(self.file("x.ndjson", "\ufeff" + "\n\n".join(lines) + "\r\n  \n"), "--batch", "3")
        self.check(result, 0)
        self.assertEqual([r["name"] for r in self.rows()], TEXTS)
        self.check_table(result, self.shard_rows())

    def test_standard_input_and_names(self):
        self.create(student_id="INT", name="NVARCHAR(100)")
        self.check(self.load("-", "--format", "csv", "--columns", "name,student_id", "--delimiter", ";", stdin=b"a;1\nb;2"), 0)
        self.assertEqual(self.rows(), [{"student_id": 1, "name": "a"}, {"student_id": 2, "name": "b"}])

    def test_tab_separated_and_bcp(self):
        self.create(student_id="INT", name="NVARCHAR(100)", grade="VARCHAR(5)")
        self.check(self.load(self.file("x.tsv", 'student_id\tname\tgrade\n1\t"a\tb"\tA\n')), 0)
        self.check(self.load(self.file("x.txt", b'2\tsay "hi"\t\r\n3\t\0\tB\r\n'), "--format", "bcp", "--columns", "student_id,name,grade"), 0)
        self.assertEqual([(r["name"], r["grade"]) for r in self.rows()], [("a\tb", "A"), ('say "hi"', None), ("", "B")])

    def test_many_rows_in_requests(self):
        self.create(student_id="INT", name="NVARCHAR(100)")
        body = "student_id,name\n" + "".join(f"{i},n{i}\n" for i in range(9000))
        result = self.load(self.file("x.csv", body))
        self.check(result, 0)
        self.check_table(result, self.shard_rows())
        self.assertEqual(sum(self.shard_rows()), 9000)

    def test_empty_files(self):
        self.create(student_id="INT")
        for path in (self.file("x.csv", "student_id\n"), self.file("x.ndjson", "")):
            result = self.load(path)
            self.check(result, 0)
            self.check_table(result, [0, 0, 0])

    def test_quiet(self):
        self.create(student_id="INT")
        result = self.load(self.file("x.csv", "student_id\n1\n"), "--quiet")
        self.check(result, 0)
        self.assertEqual((result.stdout, result.stderr), (b"", b""))

    def test_bad_row_in_the_file(self):
        """All before it is loaded, and --from-line takes the load up there."""
        self.create(student_id="INT", name="NVARCHAR(100)")
        for bad, said in (("4,x,y", ":5:1: this row has 3 fields, but there are 2 columns"), ("4", ":5:1: this row has 1 field, but"),
                          ('4,"x"y', ":5:6: a closed quote must be followed by"), ('4,x"y', ":5:4: a quote inside a field"),
                          ('4,"x', ":5:3: the quote that opens here is never closed")):
            with self.subTest(bad=bad):
                self.ok("/delete", {"db_name": "LoadDB", "table": self.table, "condition": "student_id > 0", "scatter": True})
                body = 'student_id,name\n1,a\n2,"b\nb"\n' + bad + "\n6,c\n"
                result = self.load(self.file("x.csv", body))
                self.check(result, 1, said, "All rows before line 5 are loaded, none from there on.", "--from-line 5.")
                self.assertEqual(sum(self.shard_rows()), 2)
                self.check_table(result, self.shard_rows())
                mended = self.file("x.csv", body.replace(bad, "4,d").replace("6,c", "6,ç"))
                self.check(self.load(mended, "--from-line", "5"), 0)
                self.assertEqual([r["student_id"] for r in self.rows()], [1, 2, 4, 6])

    def test_bad_line_of_ndjson(self):
        self.create(student_id="INT")
        for bad, said in (("{\"student_id\": }", ":3: "), ("[2]", ":3: "), ('{"a":1,"a":2}', ":3: "), ("{", ":3: "), (b'{"a":"\xff"}', ":3: ")):
            with self.subTest(bad=bad):
                bad = bad if isinstance(bad, bytes) else bad.encode()
                result = self.load(self.file("x.ndjson", b'{"student_id":1}\n\n' + bad + b'\n{"student_id":2}\n'))
                self.check(result, 1, "x.ndjson" + said, "All rows before line 3 are loaded")
                self.check_table(result, [0, 1, 0])

    def test_value_that_its_column_does_not_take(self):
        """The whole request is refused; the message names the file's line."""
        self.create(student_id="INT", b="BIT")
        body = "student_id,b\n" + "".join(f"{i},{'maybe' if i == 25 else 1}\n" for i in range(1, 41))
        result = self.load(self.file("x.csv", body), "--batch", "10")
        self.check(result, 1, "x.csv:26: column 'b': \"maybe\" is no value for BIT", "422 bad_value",
                   "All rows before line 22 are loaded, none from there on.", "--from-line 22.")
        self.assertEqual([r["student_id"] for r in self.rows()], list(range(1, 21)))
        self.check_table(result, self.shard_rows())
        self.check(self.load(self.file("x.csv", body.replace("maybe", "0")), "--from-line", "22", "--batch", "10"), 0)
        self.assertEqual(len(self.rows()), 40)

    def test_lines_from_and_to(self):
        self.create(student_id="INT")
        path = self.file("x.csv", "student_id\n" + "".join(f"{i}\n" for i in range(2, 10)))
        self.check(self.load(path, "--from-line", "3", "--to-line", "5"), 0)
        self.assertEqual([r["student_id"] for r in self.rows()], [3, 4, 5])

    def test_no_such_table_and_column(self):
        path = self.file("x.csv", "student_id,nonsense\n1,2\n")
        self.check(self.load(path), 1, "404 no_such_table", "Nothing was loaded.")
        self.create(student_id="INT")
        self.check(self.load(path), 1, "400 unknown_column", "nonsense", "Nothing was loaded.")

    def test_duplicates(self):
        """Rows of other shards are in; what is said is what is there."""
        self.create(student_id="INT PRIMARY KEY")
        self.ok("/insert", {"db_name": "LoadDB", "table": self.table, "data": {"student_id": 1001}})
        result = self.load(self.file("x.csv", "student_id\n" + "".join(f"{i}\n" for i in range(1000, 1010))))
        self.check(result, 1, "409 duplicate_key", "Only a part of lines 2 to 11 (10 rows) is loaded:", "go       not loaded: ",
                   "--from-line 2 --to-line 11", "--from-line 12.")
        before = [1, 0, 0]
        self.check_table(result, [now - then for now, then in zip(self.shard_rows(), before)])

    def test_progress_on_a_terminal(self):
        self.create(student_id="INT", name="NVARCHAR(100)")
        path = self.file("x.csv", "student_id,name\n" + "".join(f"{i},n{i}\n" for i in range(2000)))
        screen = self.on_terminal(path, "--batch", "50")
        self.assertRegex(screen, "[━╸─]{10}")
        self.assertRegex(screen, r"\d+ %")
        self.assertRegex(screen, r"[\d,]+ rows")
        last = screen.split("\r\x1b[K")[-1]
        self.assertIn("2,000 rows in ", last)
        self.assertNotRegex(last, "[━╸─]")

    def on_terminal(self, path, *options):
        master, slave = pty.openpty()
        command = [LOAD, str(path), "--db", "LoadDB", "--table", self.table, "--url", f"http://127.0.0.1:{self.cluster.port}", *options]
        env = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"}
        process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)
        screen = b""
        with contextlib.suppress(OSError):  # the terminal's end
            while piece := os.read(master, 65536):
                screen += piece
        os.close(master)
        self.assertEqual(process.wait(TIMEOUT_S), 0, screen)
        return screen.decode()

    def test_shard_down(self):
        """Nothing is written while it may be tried again; in the end what the living shards have is said."""
        self.create(student_id="INT")
        path = self.file("x.csv", "student_id\n" + "".join(f"{i}\n" for i in range(1000, 1010)))
        with self.cluster.stopped("shardgate-tdsd", str(self.cluster.tds_ports["python"])):
            result = self.load(path, "--retries", "0")
        error = result.stderr.decode()
        self.assertIn(result.returncode, (1, 2), error)
        self.assertIn("python", error)
        eventually(lambda: self.api.get("/health").json["status"] == "healthy", 60)
        numbers = self.shard_rows()
        if result.returncode == 1 and "Nothing was loaded" not in error:
            self.check_table(result, numbers)


class Scripted(http.server.BaseHTTPRequestHandler):
    """A gateway that answers /insert by the next of server.script: (status, body, headers), or None to hang up, or an event to
    wait for before the next. Behind the script's end all is loaded into shard 0."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, {"workers": [{"shard": 0, "name": "go", "suffix": "GO"}, {"shard": 1, "name": "python", "suffix": "PY"}]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(body)
        step = self.server.script.pop(0) if self.server.script else loaded(self.server.count(body))
        while isinstance(step, threading.Event):
            step.wait(TIMEOUT_S)
            step = self.server.script.pop(0) if self.server.script else loaded(self.server.count(body))
        if step is None:
            self.close_connection = True
            return
        self.answer(*step)

    def answer(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_):
        pass


def loaded(rows, **changes):
    return (200, {"status": "ok", "rows_affected": rows, "shards": [
        {"shard": 0, "worker": "go", "database": "DGO", "outcome": "applied", "rows_affected": rows}], **changes})


def problem(status, code, outcome, shards=(), retry="no", detail="it did not work", **headers):
    return (status, {"status": status, "code": code, "detail": detail, "outcome": outcome, "retry": retry, "request_id": "abc",
                     "shards": list(shards)}, headers)


class Answers(Files):
    """What is made of a gateway's answers, by one that plays a script."""

    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
        self.server.daemon_threads = True
        self.server.requests, self.server.script = [], []
        self.server.count = lambda body: body.count(b"\n")
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.path = self.file("x.csv", "a\n" + "".join(f"{i}\n" for i in range(2, 8)))
        self.command = (str(self.path), "--db", "D", "--table", "T", "--batch", "2", "--url", f"http://127.0.0.1:{self.server.server_port}")

    def load(self, *script, options=()):
        self.server.script[:] = script
        self.server.requests.clear()
        return run(*self.command, *options)

    def test_all_is_loaded(self):
        result = self.load()
        self.check(result, 0)
        self.assertEqual(len(self.server.requests), 3)
        self.assertIn("      0  go      DGO          6\n      1  python  DPY          0\n", result.stdout.decode())

    def test_lost_connection_is_unknown(self):
        error = self.check(self.load(loaded(2), None), 2, "It is unknown how much is loaded of lines 4 to 5 (2 rows)",
                           "--from-line 4 --to-line 5", "--from-line 6.")
        self.assertEqual(len(self.server.requests), 2, "nothing that may have been written is sent again\n" + error)

    def test_answers_that_say_nothing_are_unknown(self):
        for answer in ((502, b"<html>"), (200, b""), (200, {}), loaded(1), loaded(3), loaded(2, status="odd"), (204, b""),
                       (200, {"status": "ok", "shards": [{"shard": 0, "outcome": "applied"}]}),
                       problem(504, "deadline_exceeded", "unknown"), problem(500, "internal", "applied"),
                       problem(504, "deadline_exceeded", "unknown", [{"shard": 0, "worker": "go", "outcome": "unknown", "detail": "late"}])):
            with self.subTest(answer=answer):
                self.check(self.load(loaded(2), answer), 2, "It is unknown how much is loaded of lines 4 to 5")
                self.assertEqual(len(self.server.requests), 2)

    def test_a_part_is_said_shard_by_shard(self):
        shards = [{"shard": 0, "worker": "go", "outcome": "applied", "rows_affected": 1},
                  {"shard": 1, "worker": "python", "outcome": "not_applied", "detail": "no room"}]
        result = self.load(loaded(2), problem(507, "storage_full", "applied", shards))
        self.check(result, 1, "it did not work", "(507 storage_full, request abc)", "Only a part of lines 4 to 5 (2 rows) is loaded:",
                   "go       1 row loaded", "python   not loaded: no room")
        self.assertIn("      0  go      DGO          3\n", result.stdout.decode())

    def test_unknown_beside_rows_that_are_loaded(self):
        shards = [{"shard": 0, "worker": "go", "outcome": "applied", "rows_affected": 1},
                  {"shard": 1, "worker": "python", "outcome": "unknown", "detail": "timed out"}]
        result = self.load(problem(504, "deadline_exceeded", "unknown", shards))
        self.check(result, 2, "go       1 row loaded", "python   unknown: timed out")
        self.assertIn("      0  go      DGO          1\n", result.stdout.decode())

    def test_refusals_that_ask_for_patience_are_tried_again(self):
        busy = problem(429, "too_busy", "not_applied", retry="after", **{"Retry-After": "1"})
        self.check(self.load(busy, loaded(2), busy, busy), 0)
        self.assertEqual(len(self.server.requests), 6)
        self.check(self.load(busy, busy, options=("--retries", "1")), 1, "429 too_busy", "Nothing was loaded.")
        self.assertEqual(len(self.server.requests), 2)

    def test_what_may_have_been_written_is_not_tried_again(self):
        applied = [{"shard": 0, "worker": "go", "outcome": "applied", "rows_affected": 1}]
        for answer, status in ((problem(503, "shard_unavailable", "applied", applied, retry="after"), 1),
                               (problem(503, "shard_unavailable", "not_applied", applied, retry="after"), 1),
                               (problem(503, "shard_unavailable", "unknown", retry="after"), 2)):
            with self.subTest(answer=answer):
                self.check(self.load(answer), status)
                self.assertEqual(len(self.server.requests), 1)

    def test_not_a_gateway(self):
        with unittest.mock.patch.object(Scripted, "do_GET", lambda self: self.answer(404, b"nothing here")):
            self.check(self.load(), 69, "is no Shardgate")

    def test_interrupt_waits_for_the_answer(self):
        go_on = threading.Event()
        self.server.script[:] = [loaded(2), go_on]
        process = subprocess.Popen([LOAD, *self.command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        eventually(lambda: len(self.server.requests) == 2)
        process.send_signal(signal.SIGINT)
        go_on.set()
        out, error = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 1, error)
        self.assertIn("stopped\nAll rows before line 6 are loaded, none from there on.", error)
        self.assertIn("      0  go      DGO          4\n", out)
        self.assertEqual(len(self.server.requests), 2)

    def test_second_interrupt_gives_the_request_up(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        self.server.script[:] = [loaded(2), go_on]
        process = subprocess.Popen([LOAD, *self.command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        eventually(lambda: len(self.server.requests) == 2)
        while process.poll() is None:  # two at once would be one
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        out, error = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 2, error)
        self.assertIn("given up", error)
        self.assertIn("It is unknown how much is loaded of lines 4 to 5", error)


if __name__ == "__main__":
    harness.main()
