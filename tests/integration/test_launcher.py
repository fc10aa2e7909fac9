#!/usr/bin/env python3
"""The launcher by itself, with programs that need no database: its folder and secrets, what it does when something is
wrong, and that it keeps alive what it started and leaves nothing behind."""

import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading
import unittest

import harness
from harness import Api, eventually
from test_http import ProbeCluster


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def fnv1a_32(data):
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


class Launcher(unittest.TestCase):
    def setUp(self):
        self.cluster = ProbeCluster()
        self.addCleanup(lambda: self.cluster.clear())

    def refused(self, result, status, *words):
        self.assertEqual(result.returncode, status, result)
        for word in words:
            self.assertIn(word, result.stdout + result.stderr)
        self.assertNotIn("ready on", result.stdout)
        self.assertEqual(self.cluster.pids(), [])

    def test_the_last_line_is_the_ready_line(self):
        launched = self.cluster.start()
        self.assertEqual(launched.ready_line, f"shardgate: ready on http://127.0.0.1:{self.cluster.port}")
        self.assertEqual(launched.lines[-1].rstrip("\n"), launched.ready_line)
        self.assertEqual(len([l for l in launched.lines if re.search(r"^  (worker probe|master \(primary\)) +127\.0\.0\.1:\d+ +up$", l)]), 2)

    def test_secrets_are_made_once_and_are_private(self):
        self.cluster.start().stop()
        secrets = self.cluster.data / "secrets"
        first = {name: (secrets / name).read_text() for name in ("tds", "token")}
        self.assertEqual([mode(p) for p in (self.cluster.data, secrets, secrets / "tds", secrets / "token")], [0o700, 0o700, 0o600, 0o600])
        for pattern in ("[A-Z]", "[a-z]", "[0-9]", "[^A-Za-z0-9]", r"^\S{20,}\n$"):
            self.assertRegex(first["tds"], pattern)
        self.assertRegex(first["token"], r"^[A-Za-z0-9]{40,}\n$")
        self.cluster.start().stop()
        self.assertEqual({name: (secrets / name).read_text() for name in first}, first)

    def test_a_token_from_the_environment_goes_no_further(self):
        token = "T0ken-of-this-test-" + os.urandom(4).hex()
        self.cluster.start("up", SHARDGATE_TOKEN=token)
        self.assertEqual((self.cluster.data / "secrets" / "token").read_text(), token + "\n")
        pids = [p for p in self.cluster.pids() if p != self.cluster.launched.process.pid]
        self.assertEqual(len(pids), 4)
        for pid in pids:
            self.assertNotIn(token.encode(), pathlib.Path(f"/proc/{pid}/environ").read_bytes())

    def test_tokens_that_are_none(self):
        for token in ("short", "x" * 257, "with blank in the token", "with-a-line-end-in-it\n"):
            self.refused(self.cluster.run("up", SHARDGATE_TOKEN=token), 1, "SHARDGATE_TOKEN")

    def test_odd_and_long_data_folders(self):
        """Sockets have short names without blanks, whatever the data folder is called."""
        for name in ("my data $x 'y'", "d" * 150):
            with self.subTest(name=name):
                self.cluster.data = self.cluster.folder / name
                sockets = pathlib.Path(f"/tmp/shardgate-{os.geteuid()}-{fnv1a_32(os.fsencode(self.cluster.data.resolve())):08x}")
                launched = self.cluster.start()
                self.assertEqual(mode(sockets), 0o700)
                self.assertEqual(Api(self.cluster.port).get("/echo").status, 200)
                self.assertTrue((self.cluster.data / "run" / "workers.conf").exists())
                launched.stop()
                self.assertFalse(sockets.exists())

    def test_an_occupied_port_is_named_with_its_key(self):
        for port, key in ((self.cluster.port, "master.port"), (self.cluster.worker_port, "workers[0].port")):
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
                s.listen()
                self.refused(self.cluster.run("up"), 1, f"port {port} ", key)

    def test_a_program_that_does_not_start(self):
        """The end of its log is shown, and nothing is left."""
        (self.cluster.folder / "shardgate-master").write_text("#!/bin/sh\necho the reason >&2\nexit 3\n")
        self.refused(self.cluster.run("up"), 1, "master (primary)", "the reason", "log/master-primary")

    def test_wrong_command_lines(self):
        for words in ((), ("down",), ("up", "worker"), ("up", "master", "x"), ("up", "--port", "1")):
            self.refused(self.cluster.run(*words), 64)
        self.assertEqual(self.cluster.run("--version").stdout.split()[0], "shardgate")

    def test_a_wrong_environment(self):
        self.refused(self.cluster.run("up", MASTER_PORT="eighty"), 78, "MASTER_PORT")
        self.refused(self.cluster.run("up", MASTER_ROLE="king"), 78, "MASTER_ROLE")

    def test_a_master_alone(self):
        backup = {"MASTER_PORT": str(self.cluster.backup_port), "MASTER_ROLE": "backup"}
        self.refused(self.cluster.run("up", "master", **backup), 1, "secrets/token")
        self.cluster.start()
        launched = self.cluster.start("up", "master", **backup)
        self.addCleanup(launched.stop)
        self.assertEqual(launched.ready_line, f"shardgate: ready on http://127.0.0.1:{self.cluster.backup_port}")
        self.assertEqual(Api(self.cluster.backup_port).get("/echo").status, 200)
        self.assertIn("already running", self.cluster.run("up", "master", **backup).stdout)
        self.assertEqual(launched.stop(), 0)
        self.assertEqual(Api(self.cluster.port).get("/echo").status, 200)

    def test_a_second_start_says_who_runs(self):
        launched = self.cluster.start()
        before = self.cluster.pids()
        second = self.cluster.run("up")
        self.assertEqual((second.returncode, second.stderr), (0, ""))
        self.assertEqual(second.stdout, f"shardgate: already running on http://127.0.0.1:{self.cluster.port} (pid {launched.process.pid}); nothing was changed\n")
        self.assertEqual(self.cluster.pids(), before)

    def test_what_is_killed_is_started_again(self):
        self.cluster.start()
        for _ in range(2):
            lighttpd, = self.cluster.pids("lighttpd -D", "workers.conf")
            os.kill(lighttpd, signal.SIGKILL)
            eventually(lambda: self.cluster.pids("lighttpd -D", "workers.conf") not in ([], [lighttpd]))
            eventually(lambda: self.ok(self.cluster.worker_port))
        self.assertEqual(len(self.cluster.pids("shardgate-worker")), 1)

    def test_requests_wait_for_a_program_that_is_started_again(self):
        self.cluster.start()
        app, = self.cluster.pids("shardgate-master")
        os.kill(app, signal.SIGKILL)
        eventually(lambda: not os.path.exists(f"/proc/{app}"))
        self.assertEqual(Api(self.cluster.port).get("/echo").status, 200)

    def test_a_reload_loses_no_request(self):
        self.cluster.start()
        before = self.cluster.pids("shardgate-worker") + self.cluster.pids("shardgate-master")
        stop, answers = threading.Event(), []

        def ask(port):
            while not stop.is_set():
                answers.append(Api(port).get("/echo").status)

        threads = [threading.Thread(target=ask, args=(port,)) for port in (self.cluster.port, self.cluster.worker_port) * 3]
        for t in threads:
            t.start()
        try:
            for _ in range(3):
                result = self.cluster.run("reload")
                self.assertEqual((result.returncode, result.stdout), (0, "shardgate: reloaded\n"), result)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(set(answers), {200})
        after = self.cluster.pids("shardgate-worker") + self.cluster.pids("shardgate-master")
        self.assertEqual((len(after), set(before) & set(after)), (2, set()))

    def test_a_reload_that_cannot_be(self):
        """What runs goes on, with the configuration that it had."""
        self.assertEqual(self.cluster.run("reload").returncode, 1)
        self.cluster.start()
        before = self.cluster.pids()
        good = self.cluster.config.read_text()
        self.cluster.config.write_text(good[:-1])
        broken = self.cluster.run("reload")
        self.assertEqual(broken.returncode, 78)
        self.assertIn(str(self.cluster.config), broken.stderr)
        self.cluster.launched.process.send_signal(signal.SIGUSR1)
        eventually(lambda: any("not reloaded" in l for l in self.cluster.launched.lines))
        self.cluster.config.write_text(good.replace('"max_body": 1048576', '"max_body": 2097152'))
        self.assertEqual(self.cluster.run("reload").returncode, 1)
        eventually(lambda: any("max_body needs a restart" in l for l in self.cluster.launched.lines))
        self.assertEqual(self.cluster.pids(), before)
        self.cluster.config.write_text(good)
        program = self.cluster.folder / "shardgate-worker"
        program.unlink()
        program.write_text("#!/bin/sh\necho the reason >&2\nexit 3\n")
        program.chmod(0o700)
        self.assertEqual(self.cluster.run("reload").returncode, 1)
        self.assertEqual(self.cluster.pids(), before)
        self.assertTrue(self.ok(self.cluster.worker_port))

    def ok(self, port):
        try:
            return Api(port).get("/echo").status == 200
        except OSError:
            return False

    def test_nothing_outlives_the_launcher(self):
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))
        for signum, status in ((signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGKILL, -signal.SIGKILL)):
            with self.subTest(signum=signum):
                launched = self.cluster.start()
                self.assertEqual(len(self.cluster.pids()), 5)
                launched.process.send_signal(signum)
                self.assertEqual(launched.process.wait(20), status)
                eventually(lambda: not self.cluster.pids(), seconds=5 if status else 0.2, message="processes outlived their launcher")
                self.assertEqual(list((self.cluster.data / "run").glob("*sock*")) if status == 0 else [], [])

    def test_nohup_keeps_it_running(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            launched = self.cluster.start()
        finally:
            signal.signal(signal.SIGHUP, before)
        launched.process.send_signal(signal.SIGHUP)
        with self.assertRaises(subprocess.TimeoutExpired):
            launched.process.wait(0.5)
        self.assertTrue(self.ok(self.cluster.port))

    def test_a_client_that_hangs_on_does_not_hold_up_the_stop(self):
        launched = self.cluster.start()
        with socket.create_connection(("127.0.0.1", self.cluster.port)) as s:
            s.sendall(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            eventually(lambda: self.ok(self.cluster.port))
            launched.process.send_signal(signal.SIGTERM)
            self.assertEqual(launched.process.wait(12), 0)
        self.assertEqual(self.cluster.pids(), [])

    def test_a_second_signal_does_not_wait(self):
        launched = self.cluster.start()
        for pid in self.cluster.pids("shardgate-master"):
            harness.hold(pid)
        launched.process.send_signal(signal.SIGINT)
        with self.assertRaises(Exception):
            launched.process.wait(1.5)
        launched.process.send_signal(signal.SIGINT)
        self.assertEqual(launched.process.wait(5), 0)
        self.assertEqual(self.cluster.pids(), [])


if __name__ == "__main__":
    harness.main()
