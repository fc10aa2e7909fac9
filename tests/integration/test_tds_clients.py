#!/usr/bin/env python3
"""shardgate-tdsd by itself: what tsql sees of it in every version of TDS, and how it starts, refuses and stops."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import BUILD, START_TIMEOUT_S, STOP_TIMEOUT_S

PASSWORD = "Pä-1234"
LONG = ("SELECT COUNT(*) FROM n a, n b, n c, n d, n e, n f, n g, n h, n i")  # ten to the ninth rows


class Server:
    """A shardgate-tdsd on a free port, with a folder of its own unless `data` names one."""

    def __init__(self, *arguments, data=None, password=PASSWORD):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tdsd-"))
        self.data = data or self.folder / "data"
        self.secret = self.folder / "password"
        self.password = password
        self.secret.write_text(password + "\n")
        self.secret.chmod(0o600)
        self.log = open(self.folder / "log", "w+")
        self.process = subprocess.Popen(
            [str(BUILD / "shardgate-tdsd"), "--data", str(self.data), "--port", "0", "--password-file", str(self.secret),
             "--no-sync", *arguments],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        match = re.fullmatch(r"shardgate-tdsd: listening on 127\.0\.0\.1:(\d+)\n", line)
        if not match:
            self.stop()
            raise RuntimeError(f"it did not start: {line!r}")
        self.port = int(match.group(1))

    def tsql(self, sql, password=None, version="7.4", database=None):
        command = ["tsql", "-H", "127.0.0.1", "-p", str(self.port), "-U", "sa", "-P", password or self.password, "-o", "fhq"]
        command += ["-D", database] if database else []
        env = {**os.environ, "TDSVER": version, "LC_ALL": "C.UTF-8"}
        r = subprocess.run(command, input=sql + "\ngo\n", capture_output=True, text=True, timeout=60, env=env)
        return r.stdout + r.stderr

    def stop(self):
        """Returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.log.close()
            shutil.rmtree(self.folder, ignore_errors=True)


SAMPLE = """CREATE TABLE t (id INT PRIMARY KEY, de DECIMAL(20,4), fl FLOAT, vc VARCHAR(50), nv NVARCHAR(50), vm VARCHAR(MAX),
  da DATE, d2 DATETIME2(7), dt DATETIME, u UNIQUEIDENTIFIER, vb VARBINARY(20), b BIT)
INSERT INTO t VALUES (1, -123.45, 0.1, N'naïve €', N'日本 😀', N'long ü', '2026-11-22', '2026-11-22 13:05:00.1234567',
  '2026-11-22T13:05:00.123', '3F2504E0-4F89-11D3-9A0C-0305E82C3301', 0x00DEAD, 1)
INSERT INTO t (id) VALUES (2)
CREATE TABLE n (i INT)
INSERT INTO n VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)"""


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.tsql("CREATE DATABASE C")
        out = cls.server.tsql(SAMPLE, database="C")
        if "Msg" in out:
            raise RuntimeError(out)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_tsql_in_every_version(self):
        for version in ("7.1", "7.2", "7.3", "7.4"):
            with self.subTest(version=version):
                out = self.server.tsql("SELECT de, vc, nv, vm, u, vb FROM t ORDER BY id", version=version, database="C")
                self.assertEqual(out.strip().splitlines(), [
                    "-123.4500\tnaïve €\t日本 😀\tlong ü\t3F2504E0-4F89-11D3-9A0C-0305E82C3301\t00dead",
                    "NULL\tNULL\tNULL\tNULL\tNULL\tNULL"])

    def test_who_is_there_is_told(self):
        out = self.server.tsql("SELECT s.program_name, s.login_name, s.client_interface_name, c.client_net_address, c.net_packet_size, s.host_name "
                               "FROM sys.dm_exec_sessions s JOIN sys.dm_exec_connections c ON c.session_id = s.session_id "
                               "WHERE s.session_id = @@SPID", database="C")
        host = socket.gethostname()
        self.assertRegex(out.strip(), rf"^TSQL\tsa\t[^\t]+\t127\.0\.0\.1\t4096\t{re.escape(host)}$")
        self.assertEqual(self.server.tsql("SELECT APP_NAME(), HOST_NAME(), CONNECTIONPROPERTY('client_net_address')").strip(),
                         f"TSQL\t{host}\t127.0.0.1")

    def test_errors_reach_the_client(self):
        self.assertIn("Msg 208", self.server.tsql("SELECT * FROM nothing_there", database="C"))
        self.assertIn("Login failed for user 'sa'", self.server.tsql("SELECT 1", password="wrong"))
        self.assertIn("Msg 4060", self.server.tsql("SELECT 1", database="Nowhere"))

    def test_garbage_disturbs_nobody(self):
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\x12\x01\xff\xff\0\0\0\0" + b"x" * 70000, b"\0" * 100,
                     b"\x10\x01\x00\x09\0\0\0\0\xff"):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as s:
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(4096):
                        pass
                except OSError:
                    pass  # closed with bytes unread
        self.assertIn("1", self.server.tsql("SELECT 1"))


class StartAndStop(unittest.TestCase):
    def run_wrong(self, *arguments):
        r = subprocess.run([str(BUILD / "shardgate-tdsd"), *arguments], capture_output=True, text=True, timeout=START_TIMEOUT_S)
        return r.returncode

    def test_wrong_options(self):
        self.assertEqual(self.run_wrong(), 64)
        self.assertEqual(self.run_wrong("--port", "70000", "--data", "x", "--password-file", "x"), 64)
        self.assertEqual(self.run_wrong("--port", "0", "--data", "/nonexistent/x", "--password-file", "/nonexistent/y"), 78)

    def test_busy_port(self):
        server = Server()
        try:
            with tempfile.TemporaryDirectory() as folder:
                self.assertEqual(self.run_wrong("--port", str(server.port), "--data", folder, "--password-file", str(server.secret)), 1)
        finally:
            server.stop()

    def test_data_survive_a_restart(self):
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder) / "data"
            first = Server(data=data)
            first.tsql("CREATE DATABASE C")
            first.tsql(SAMPLE, database="C")
            self.assertEqual(first.stop(), 0)
            second = Server(data=data)
            try:
                self.assertEqual(second.tsql("SELECT COUNT(*) FROM n", database="C").strip(), "10")
            finally:
                second.stop()

    def test_too_many_connections_are_refused(self):
        server = Server("--max-connections", "2")
        try:
            idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
            self.assertIn("maximum number of '2' user connections", server.tsql("SELECT 1"))
            for s in idle:
                s.close()
            harness.eventually(lambda: "maximum" not in server.tsql("SELECT 1"))
        finally:
            server.stop()

    def test_stop_ends_idle_and_busy_connections(self):
        server = Server()
        server.tsql("CREATE DATABASE C")
        server.tsql(SAMPLE, database="C")
        idle = socket.create_connection(("127.0.0.1", server.port))
        busy = threading.Thread(target=server.tsql, args=(LONG,), kwargs={"database": "C"})
        busy.start()
        time.sleep(0.5)
        begin = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual(idle.recv(1), b"")
        idle.close()
        busy.join()


if __name__ == "__main__":
    harness.main()
