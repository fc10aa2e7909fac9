#!/usr/bin/env python3
"""Processes die, hang and come back; answers stay honest."""

import os
import time

import harness
from harness import Cluster, Launched, eventually

import unittest

T = {"db_name": "F", "table": "T"}
KEYS = {"go": 1001, "python": 1003, "node": 1002}


class FailureTest(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for path, body in (("/create-db", {"db_name": "F"}), ("/create-table", {**T, "columns": {"student_id": "INT", "n": "INT"}}),
                           ("/insert", {**T, "data": [{"student_id": k, "n": 0} for k in KEYS.values()]})):
            answer = cls.api.post(path, body)
            assert answer.status == 200, answer

    def healthy(self, api=None):
        return (api or self.api).get("/health").json["status"] == "healthy"


class Failures(FailureTest):
    def setUp(self):
        eventually(self.healthy, message="not healthy before the test")

    def test_health_and_metadata(self):
        health = self.api.get("/health").json
        self.assertEqual((health["status"], health["role"]), ("healthy", "primary"))
        self.assertEqual([(w["shard"], w["worker"], w["status"], w["database"]) for w in health["workers"]],
                         [(i, n, "up", "up") for i, (n, _) in enumerate(Cluster.NAMES)])
        self.assertTrue(all(w["latency_ms"] > 0 for w in health["workers"]))
        metadata = self.api.get("/metadata").json
        self.assertEqual((metadata["role"], metadata["port"], metadata["routing"]["hash"], metadata["routing"]["shards"]),
                         ("primary", self.cluster.port, "fnv1a-32", 3))
        self.assertEqual([(w["shard"], w["name"], w["url"], w["suffix"]) for w in metadata["workers"]],
                         [(i, n, f"http://127.0.0.1:{self.cluster.worker_ports[n]}", s) for i, (n, s) in enumerate(Cluster.NAMES)])

    def test_security(self):
        answer = self.ok("/security-check", {})
        self.assertEqual(answer["secure"], True)
        self.assertEqual([(w["worker"], w["no_token"], w["wrong_token"], w["rejected"]) for w in answer["workers"]],
                         [(n, 401, 401, True) for n, _ in Cluster.NAMES])
        worker = self.cluster.worker("go")
        token = self.cluster.token
        body = {**T}
        self.assertEqual(worker.post("/select", body, X_Master_Token=token).status, 200)
        for headers in ({}, {"X-Master-Token": ""}, {"X-Master-Token": token[:-1]}, {"X-Master-Token": token + "x"}, {"X-Master-Token": token.upper() + "A"},
                        {"X-Master-Token": f"{token}, {token}"}, {"X_Master_Token": token}):
            answer = worker.request("POST", "/select", body, headers)
            self.assertIn(answer.status, (400, 401), headers)
            self.assertNotIn(token, answer.body.decode())
        for path in ("/create-db", "/insert", "/describe", "/security-check"):
            self.assertEqual(worker.post(path, {}).status, 401, path)
        self.assertEqual(worker.get("/health").status, 200)

    def test_worker_killed(self):
        """A worker's app is killed: its shard comes back by itself, the others never notice."""
        self.assertGreaterEqual(self.cluster.kill("shardgate-worker", "python"), 1)
        self.assertEqual(self.api.post("/select", {**T, "condition": "student_id = 1001"}).status, 200)
        eventually(lambda: self.api.post("/select", {**T, "condition": "student_id = 1003"}).status == 200, message="the worker did not come back")
        eventually(self.healthy)
        self.assertEqual(self.ok("/map-reduce-count", {**T, "condition": "n = 0"})["total"], 3)

    def test_tds_server_killed(self):
        """A shard's database is killed: reads name the shard, writes say not_applied, and it comes back with all rows."""
        self.assertEqual(self.cluster.kill("shardgate-tdsd", "/node"), 1)
        answer = self.api.post("/select", {**T, "condition": "student_id = 1002"})
        if answer.status != 200:  # unless it is back already
            self.assertEqual((answer.status, answer.code), (503, "shard_unavailable"), answer)
            self.assertIn("node", answer.body.decode())
        eventually(lambda: self.api.post("/select", {**T, "condition": "student_id = 1002"}).status == 200)
        self.assertEqual(self.ok("/map-reduce-count", {**T, "condition": "n = 0"})["total"], 3)

    def test_workers_lighttpd_down(self):
        """No worker answers: 503 for rows, unhealthy, and the gateway itself lives."""
        with self.cluster.stopped("lighttpd", "worker"):
            started = time.monotonic()
            health = self.api.get("/health")
            self.assertLess(time.monotonic() - started, 4)
            self.assertEqual((health.status, health.json["status"]), (503, "unhealthy"))
            answer = self.api.post("/insert", {**T, "data": {"student_id": 5000}}, X_Timeout_Ms="700")
            self.assertIn(answer.status, (503, 504), answer)
            self.assertIn(answer.json["outcome"], ("not_applied", "unknown"))
            self.assertEqual(self.api.get("/metadata").status, 200)
        eventually(self.healthy)

    def test_hung_database_costs_its_deadline(self):
        with self.cluster.stopped("shardgate-tdsd", "/python"):
            started = time.monotonic()
            answer = self.api.post("/select", {**T, "condition": "student_id = 1003"}, X_Timeout_Ms="1000")
            self.assertLess(time.monotonic() - started, 4)
            self.assertIn(answer.status, (503, 504), answer)
            self.assertIn("python", answer.body.decode())
            started = time.monotonic()
            health = self.api.get("/health").json
            self.assertLess(time.monotonic() - started, 4)
            self.assertEqual((health["status"], [(w["status"], w["database"]) for w in health["workers"]]),
                             ("degraded", [("up", "up"), ("up", "down"), ("up", "up")]))
            # The other shards answer.
            self.assertEqual(self.api.post("/select", {**T, "condition": "student_id = 1001"}).status, 200)
            # A scatter read does not hide what is missing.
            answer = self.api.post("/select", T, X_Timeout_Ms="1000")
            self.assertIn(answer.status, (503, 504), answer)
            self.assertIn("python", [s["worker"] for s in answer.json["shards"]])
        eventually(self.healthy)

    def test_write_on_a_dead_kept_connection(self):
        """The tds-server was restarted under kept connections: a write is applied once, or says that it was not, or that nobody knows."""
        before = self.ok("/map-reduce-count", {**T, "condition": "n = 77"})["total"]
        self.cluster.kill("shardgate-tdsd", "/go")
        outcomes = {"applied": 0, "unknown": 0, "not_applied": 0}

        def insert():
            answer = self.api.post("/insert", {**T, "shard_key": 1001, "data": {"student_id": 1001, "n": 77}})
            outcomes["applied" if answer.status == 200 else answer.json["outcome"]] += 1
            return outcomes["applied"] >= 5

        eventually(insert)
        total = self.ok("/map-reduce-count", {**T, "condition": "n = 77"})["total"] - before
        self.assertGreaterEqual(total, outcomes["applied"], outcomes)
        self.assertLessEqual(total, outcomes["applied"] + outcomes["unknown"], outcomes)

    def test_schema_change_with_a_shard_down(self):
        with self.cluster.stopped("shardgate-tdsd", "/node"):
            answer = self.api.post("/create-db", {"db_name": "Half"}, X_Timeout_Ms="1500")
            self.assertIn(answer.status, (503, 504), answer)
            self.assertEqual(answer.json["outcome"], "not_applied")
            self.assertIn("node", [s["worker"] for s in answer.json["shards"]])
        eventually(self.healthy)
        self.assertNotIn("HalfGO", self.cluster.tsql("go", "SELECT name FROM sys.databases"))
        # A database that only one shard has: a repeat completes it.
        self.cluster.tsql("go", "CREATE DATABASE HalfGO")
        answer = self.ok("/create-db", {"db_name": "Half"})
        self.assertEqual([s["outcome"] for s in answer["shards"]], ["unchanged", "applied", "applied"])
        self.refused(409, "already_exists", "/create-db", {"db_name": "Half"})
        self.ok("/drop-db", {"db_name": "Half"})


class Failover(FailureTest):
    def test_backup_takes_over(self):
        backup = self.cluster.start_backup()
        metadata = backup.get("/metadata").json
        self.assertEqual((metadata["role"], metadata["port"]), ("backup", self.cluster.backup_port))
        self.ok("/insert", {**T, "data": {"student_id": 2001, "n": 1}})
        with self.cluster.stopped("lighttpd", "master", "primary"):
            self.assertEqual(backup.post("/select", {**T, "condition": "student_id = 2001"}).json["rows"], [{"student_id": 2001, "n": 1}])
            self.assertEqual(backup.post("/insert", {**T, "data": {"student_id": 2002, "n": 2}}).status, 200)
            self.assertEqual(backup.post("/create-db", {"db_name": "FromBackup"}).status, 200)
            self.assertEqual(backup.get("/health").json["role"], "backup")
        self.assertEqual(self.ok("/select", {**T, "condition": "student_id = 2002"})["count"], 1)
        # The primary is killed altogether, and comes back by itself.
        self.assertGreaterEqual(self.cluster.kill("lighttpd", "master", "primary"), 1)
        self.assertEqual(backup.post("/map-reduce-count", T).json["complete"], True)
        def back():
            try:
                return self.api.get("/health").status == 200
            except OSError:
                return False
        eventually(back, message="the master was not restarted")


class Launcher(unittest.TestCase):
    """The launcher by itself."""

    def test_second_start_changes_nothing(self):
        cluster = Cluster()
        try:
            cluster.start()
            before = cluster.processes()
            second = Launched(["up", "--config", cluster.config_file, "--data", cluster.data], ready="shardgate: already running")
            self.assertEqual(second.process.wait(10), 0)
            second.stop()
            self.assertEqual(cluster.processes(), before)
        finally:
            cluster.stop()

    def test_nothing_is_left_running(self):
        cluster = Cluster()
        cluster.start()
        pids = list(cluster.processes())
        self.assertGreaterEqual(len(pids), 9)
        self.assertEqual(cluster.launched.stop(), 0)
        self.assertEqual([pid for pid in pids if os.path.exists(f"/proc/{pid}")], [])
        cluster.start()
        pids = list(cluster.processes())
        cluster.launched.process.kill()  # even then
        eventually(lambda: not [pid for pid in pids if os.path.exists(f"/proc/{pid}")], message="processes outlived their launcher")
        cluster.stop()

    def test_bad_configuration(self):
        cluster = Cluster()
        try:
            for text, words in (('{\n  "master": {"prot": 8080}\n}', ("cluster.json:2", "prot")), ('{"master":\n{"port": "x"}}', ("cluster.json:2", "port")),
                                ('{\n\n"workers": [}', ("cluster.json:3",)), ('{"workers": []}', ("workers",)), ('{"master": {"port": 0}}', ("port",)),
                                ('{"workers": [{"name": "a", "suffix": "A", "port": 1}, {"name": "a", "suffix": "B", "port": 2}]}', ("name",)),
                                ('{"workers": [{"name": "../a", "suffix": "A", "port": 21000}]}', ("name",))):
                with self.subTest(text=text):
                    cluster.config_file.write_text(text)
                    with self.assertRaises(RuntimeError) as raised:
                        cluster.start()
                    for word in words:
                        self.assertIn(word, str(raised.exception))
            import subprocess
            r = subprocess.run([str(harness.BUILD / "shardgate"), "up", "--config", str(cluster.config_file), "--data", str(cluster.data)], capture_output=True)
            self.assertEqual(r.returncode, 78, r)
        finally:
            cluster.stop()

    def test_port_in_use(self):
        import socket
        cluster = Cluster()
        s = socket.socket()
        s.bind(("127.0.0.1", cluster.port))
        s.listen()
        try:
            with self.assertRaises(RuntimeError) as raised:
                cluster.start()
            self.assertIn(str(cluster.port), str(raised.exception))
        finally:
            s.close()
            cluster.stop()

    def test_configuration_may_have_comments(self):
        cluster = Cluster()
        try:
            cluster.config_file.write_text("// ports of this machine\n/* all of them */ " + cluster.config_file.read_text())
            cluster.start()
            self.assertEqual(cluster.api.get("/health").json["status"], "healthy")
        finally:
            cluster.stop()


if __name__ == "__main__":
    harness.main()
