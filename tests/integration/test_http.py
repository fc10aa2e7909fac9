#!/usr/bin/env python3
"""What common/http.c and lighttpd's configuration promise, whatever program is behind them: http_probe stands in for the
master and for a worker, under the real launcher and its templates."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import BUILD, Api, eventually, free_ports

PROBE = BUILD / "tests" / "integration" / "http_probe"


class ProbeCluster:
    """A master and a worker that are http_probe, in a folder that looks to the launcher like a build folder."""

    def __init__(self, name="var", **env):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-"))
        self.data = self.folder / name
        self.env = env
        (self.folder / "lighttpd").mkdir()
        for template in (BUILD / "lighttpd").glob("*.conf.in"):
            shutil.copy(template, self.folder / "lighttpd")
        # The launcher finds its programs beside itself.
        shutil.copy(BUILD / "shardgate", self.folder)
        for program in ("shardgate-worker", "shardgate-master"):
            shutil.copy(PROBE, self.folder / program)
        self.port, self.worker_port, self.backup_port = free_ports(3)
        self.config = self.folder / "cluster.json"
        self.config.write_text(json.dumps({
            "max_body": 1 << 20, "master": {"port": self.port},
            "workers": [{"name": "probe", "port": self.worker_port, "tds": {"host": "127.0.0.1", "password_file": "none"}}]}))
        self.launched = None

    def command(self, *what):
        return [str(self.folder / "shardgate"), *what, "--config", str(self.config), "--data", str(self.data)]

    def run(self, *what, **env):
        """Runs the launcher to its end, which is near when it is to fail."""
        return subprocess.run(self.command(*what), capture_output=True, text=True, timeout=60, env={**os.environ, **self.env, **env})

    def start(self, *what, **env):
        original, harness.BUILD = harness.BUILD, self.folder
        try:
            launched = harness.Launched(self.command(*(what or ("up",)))[1:], env={**self.env, **env})
        finally:
            harness.BUILD = original
        self.launched = self.launched or launched
        return launched

    def pids(self, *words):
        """The processes whose command line has all the words and this cluster's folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode() if entry.name.isdigit() else ""
            except OSError:
                continue
            if str(self.folder) in command and all(w in command for w in words):
                found.append(int(entry.name))
        return found

    def clear(self):
        if self.launched:
            self.launched.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = ProbeCluster()
        cls.cluster.start()
        cls.port, cls.worker_port = cls.cluster.port, cls.cluster.worker_port
        cls.api, cls.worker = Api(cls.port), Api(cls.worker_port)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.clear()

    def problem(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
        for member in ("type", "title", "status", "code", "detail", "outcome", "retry", "request_id", "shards"):
            self.assertIn(member, answer.json)
        self.assertEqual(answer.json["status"], status)
        return answer.json

    def raw(self, request, port=None):
        with socket.create_connection(("127.0.0.1", port or self.port), timeout=20) as s:
            s.sendall(request)
            received = b""
            while True:
                part = s.recv(65536)
                if not part:
                    return received
                received += part

    def test_every_answer_says_where_it_came_from(self):
        for answer in (self.api.get("/echo"), self.api.get("/nowhere"), self.api.post("/echo", {}), self.api.request("OPTIONS", "/x")):
            self.assertEqual(answer.headers["x-shardgate"], "probe")
            self.assertRegex(answer.headers["server-timing"], r"^probe;dur=\d+\.\d{3}$")
            self.assertRegex(answer.headers["x-request-id"], r"^[0-9a-f]{16}$")
            self.assertEqual(answer.headers["access-control-allow-origin"], "*")
            self.assertIn("Idempotency-Key", answer.headers["access-control-allow-headers"])
            self.assertIn("Retry-After", answer.headers["access-control-expose-headers"])
        self.assertNotIn("access-control-allow-origin", self.worker.get("/echo").headers)

    def test_the_clients_request_id_when_it_is_sane(self):
        for given, kept in (("abc.DEF-1_2", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ('a"b', False), ("a/b", False), ("", False)):
            with self.subTest(given=given):
                answer = self.api.get("/nowhere", X_Request_Id=given)
                self.assertEqual(answer.headers["x-request-id"] == given, kept)
                self.assertEqual(answer.json["request_id"], answer.headers["x-request-id"])

    def test_paths_and_methods(self):
        self.assertEqual(self.api.get("/echo?a=b&c").json, {"method": "GET", "path": "/echo", "query": "a=b&c", "token": "-"})
        for path in ("/", "/echo/", "/Echo", "/echo/x", "/e%63h", "/%20", "/%ff", "/../echo", "/x/../echo", "//echo"):
            with self.subTest(path):
                self.problem(self.api.get(path), 404, "no_such_path")
        for path in (b"/echo%00", b"/echo%1F", b"/echo\x00", b"/echo\x00x", b"/echo?a=\x00", b"/ec\x01ho"):  # a NUL would end the path for the app
            with socket.create_connection(("127.0.0.1", self.api.port), timeout=30) as s:
                s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                self.assertIn(b" 400 ", s.makefile("rb").readline(), path)
        self.problem(self.api.get("/body"), 405, "method_not_allowed")
        self.assertEqual(self.api.get("/body").headers["allow"], "POST, OPTIONS")
        self.assertEqual(self.worker.get("/body").headers["allow"], "POST")
        for method in ("PUT", "DELETE", "PATCH", "POST"):
            answer = self.api.request(method, "/echo", b"{}")
            self.problem(answer, 405, "method_not_allowed")
            self.assertEqual(answer.headers["allow"], "GET, HEAD, OPTIONS")

    def test_head(self):
        answer = self.api.request("HEAD", "/echo")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(int(answer.headers["content-length"]), len(self.api.get("/echo").body) + 1)
        self.assertEqual(self.api.request("HEAD", "/body").status, 405)

    def test_preflight(self):
        for path in ("/body", "/nowhere"):
            answer = self.api.request("OPTIONS", path, headers={"Origin": "http://x", "Access-Control-Request-Method": "POST"})
            self.assertEqual((answer.status, answer.body), (204, b""))
            self.assertEqual(answer.headers["access-control-allow-methods"], "GET, POST, OPTIONS")
        self.problem(self.worker.request("OPTIONS", "/body"), 405, "method_not_allowed")

    def test_bodies(self):
        text = b'{"a": "' + b"x" * 1000000 + b'"}'
        self.assertEqual(self.api.request("POST", "/body", text).body, text)
        for kind, status in (("application/json", 200), ("application/json; charset=utf-8", 200), ('Application/JSON ; Charset="UTF-8"', 200),
                             ("application/vnd.api+json", 200), ("text/json", 200), ("text/plain", 415), ("application/x-www-form-urlencoded", 415),
                             ("application/json; charset=iso-8859-1", 415), ("application/jsonp", 415), ("+json", 415)):
            with self.subTest(kind=kind):
                self.assertEqual(self.api.request("POST", "/body", b"{}", {"Content-Type": kind}).status, status)
        without = self.raw(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        self.assertTrue(without.startswith(b"HTTP/1.1 200 "), without)
        chunked = self.raw(b"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
        self.assertTrue(chunked.startswith(b"HTTP/1.1 200 "), chunked)
        self.assertIn("byte 0", self.problem(self.api.request("POST", "/body", b""), 400, "bad_json")["detail"])
        self.problem(self.api.request("POST", "/body", b"[]"), 400, "bad_json")

    def test_too_large(self):
        """The app refuses what is a little too large, lighttpd what is much too large; the client sees one contract."""
        for size in ((1 << 20) + 1, (1 << 20) + 40000, 2 << 20):
            answer = self.api.request("POST", "/body", b" " * size)
            self.assertEqual(self.problem(answer, 413, "body_too_large")["outcome"], "not_applied")
            self.api.close()

    def test_what_lighttpd_refuses_is_json_too(self):
        for request, status in ((b"POST /body HTTP/1.1\r\nHost: x\r\n\r\n", b"411"), (b"GET /echo HTTP/1.1\r\n\r\n", b"400"),
                                (b"GET /echo HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20000 + b"\r\n\r\n", b"431"),
                                (b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", b"400"),
                                (b"GET /echo HTTP/3.0\r\nHost: x\r\n\r\n", b"505"), (b"GET echo HTTP/1.1\r\nHost: x\r\n\r\n", b"400")):
            with self.subTest(request=request[:80]):
                head, body = self.raw(request).split(b"\r\n\r\n", 1)
                self.assertEqual(head.split()[1], status)
                self.assertIn(b"Content-Type: application/problem+json", head)
                self.assertEqual(json.loads(body)["status"], int(status))
                self.assertNotIn(b"X-Shardgate", head)

    def test_headers_cannot_be_split(self):
        answer = self.api.get("/echo")
        self.assertEqual(answer.headers["x-split"], "one")
        self.assertNotIn("x-injected", answer.headers)

    def test_only_the_real_token_header_counts(self):
        def ask(*headers):
            lines = b"".join(f"{n}: {v}\r\n".encode() for n, v in headers)
            answer = self.raw(b"POST /guarded HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n"
                              + lines + b"\r\n{}", self.worker_port)
            return int(answer.split()[1])
        self.assertEqual(ask(("X-Master-Token", "right")), 200)
        self.assertEqual(ask(("x-master-token", "right")), 200)
        for name in ("X_Master_Token", "x_master_token", "X-Master_Token", "X_MASTER-TOKEN"):
            self.assertEqual(ask((name, "right")), 401, name)
            self.assertEqual(ask((name, "right"), ("X-Master-Token", "wrong")), 401, name)
            self.assertEqual(ask((name, "wrong"), ("X-Master-Token", "right")), 200, name)
        self.assertEqual(ask(("X-Master-Token", "right"), ("X-Master-Token", "right")), 401)
        self.assertEqual(ask(), 401)

    def test_the_workers_socket(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.cluster.data / "run" / "probe.http.sock"))
            s.sendall(b"GET /echo HTTP/1.0\r\n\r\n")
            received = s.recv(65536)
        self.assertTrue(received.startswith(b"HTTP/1.0 200 "), received)

    def test_streams(self):
        for rows in (0, 1, 10, 1000, 100000):
            answer = self.api.get(f"/stream?{rows}")
            self.assertEqual(len(answer.json), rows + 1)

    def test_a_broken_answer_cannot_be_taken_for_whole(self):
        for rows in (0, 1, 50, 100, 1000, 100000):
            with self.subTest(rows=rows):
                conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                conn.request("GET", f"/broken?{rows}")
                with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                    conn.getresponse().read()
                conn.close()
        self.assertEqual(self.api.get("/echo").status, 200)

    def test_a_silent_handler_is_a_500(self):
        self.assertEqual(self.problem(self.api.get("/silent"), 500, "internal")["outcome"], "unknown")
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            self.api.get("/unended")
        self.api.close()

    def test_retry_after(self):
        answer = self.api.get("/busy")
        self.assertEqual(self.problem(answer, 429, "too_busy")["retry"], "after")
        self.assertEqual(answer.headers["retry-after"], "7")
        self.assertEqual(answer.json["shards"], [{"shard": 1}])

    def test_requests_under_way_are_finished_at_a_stop(self):
        """The app is told to stop while it works: who waits for it gets the answer."""
        results = []
        threads = [threading.Thread(target=lambda: results.append(Api(self.port).get("/slow").status)) for _ in range(3)]
        for t in threads:
            t.start()
        time.sleep(0.4)
        for pid in self.cluster.pids("shardgate-master"):
            os.kill(pid, signal.SIGTERM)
        for t in threads:
            t.join()
        self.assertEqual(results, [200, 200, 200])
        eventually(lambda: self.api.get("/echo").status == 200, message="the app was not started again")

    def test_an_app_that_is_killed(self):
        """The client learns at once, in JSON, that nobody knows what became of its request."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(Api(self.port).get("/slow")))
        thread.start()
        time.sleep(0.4)
        for pid in self.cluster.pids("shardgate-master"):
            os.kill(pid, signal.SIGKILL)
        thread.join()
        self.assertEqual(self.problem(answers[0], 500, "internal")["outcome"], "unknown")
        self.assertNotIn("x-shardgate", answers[0].headers)
        eventually(lambda: self.api.get("/echo").status == 200, message="the app was not started again")


if __name__ == "__main__":
    harness.main()
