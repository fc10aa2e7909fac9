#!/usr/bin/env python3
"""Workers that are pointed at another TDS server by tds.host, as in production: the same walk, and what they make of the
server's encryption. The servers here are shardgate-tdsd's of their own; the cluster has no embedded database at all."""

import os
import unittest

import harness
from harness import Cluster, free_ports
from test_tds_clients import Server

PASSWORD = "Ää-€-😀-1234"
T = {"db_name": "SchoolDB", "table": "Students"}
SHARDS = (("a", "A"), ("b", "B"), ("c", "C"))


class Outside:
    """A cluster whose workers, one a server, have their databases elsewhere; `tds` is added to each worker's."""

    def __init__(self, servers, **tds):
        ports = free_ports(1 + len(servers))
        shards = SHARDS[:len(servers)]
        self.cluster = Cluster(shards=shards, config={
            "master": {"port": ports[0]},
            "workers": [{"name": name, "suffix": suffix, "port": port,
                         "tds": {"host": "127.0.0.1", "port": server.port, "user": "sa", "password_file": "secrets/outside", **tds}}
                        for (name, suffix), port, server in zip(shards, ports[1:], servers)]})
        self.api = self.cluster.api
        self.api.port = ports[0]
        (self.cluster.data / "secrets").mkdir(parents=True)
        self.set_password(PASSWORD)

    def set_password(self, text):
        path = self.cluster.data / "secrets" / "outside"
        path.write_text(text + "\n")
        os.chmod(path, 0o600)


class External(unittest.TestCase):
    def serve(self, *arguments):
        server = Server(*arguments, password=PASSWORD)
        self.addCleanup(server.stop)
        return server

    def outside(self, servers, **tds):
        outside = Outside(servers, **tds)
        self.addCleanup(outside.cluster.stop)
        return outside

    def walk(self, api, servers):
        for path, body in (("/create-db", {"db_name": "SchoolDB"}),
                           ("/create-table", {**T, "columns": {"student_id": "INT", "name": "VARCHAR(100)", "grade": "VARCHAR(5)"}}),
                           ("/insert", {**T, "shard_key": "1001", "data": {"student_id": "1001", "name": "Ali", "grade": "A"}})):
            answer = api.post(path, body)
            self.assertEqual(answer.status, 200, answer)
        self.assertEqual(api.post("/select", {**T, "condition": "student_id = 1001"}).json["rows"], [{"student_id": 1001, "name": "Ali", "grade": "A"}])
        rows = [s.tsql(f"SELECT name FROM SchoolDB{suffix}.dbo.Students").strip() for s, (_, suffix) in zip(servers, SHARDS)]
        self.assertEqual(sorted(rows), [""] * (len(rows) - 1) + ["Ali"])

    def test_walk(self):
        servers = [self.serve("--encrypt", "off") for _ in SHARDS]
        outside = self.outside(servers, encrypt="off")
        outside.cluster.start()
        self.assertEqual([c for c in outside.cluster.processes().values() if "tdsd" in c], [])
        self.walk(outside.api, servers)
        # A wrong password is the operator's trouble: the start says so, and does not show it.
        outside.set_password("wrong")
        outside.cluster.launched.stop()
        with self.assertRaises(RuntimeError) as raised:
            outside.cluster.start()
        self.assertNotIn(PASSWORD, str(raised.exception))

    def test_encrypted_and_verified(self):
        """One file with the certificates of all servers, which take no login in the clear."""
        servers = [self.serve("--encrypt", "require") for _ in SHARDS]
        outside = self.outside(servers, ca_file="secrets/ca.pem")  # `require` is the default
        (outside.cluster.data / "secrets" / "ca.pem").write_text("".join((s.data / "tls" / "cert.pem").read_text() for s in servers))
        outside.cluster.start()
        self.walk(outside.api, servers)

    def test_encrypted_by_request(self):
        for setting in ("off", "allow", "require"):
            with self.subTest(setting=setting):
                server = self.serve("--encrypt", setting)
                outside = self.outside([server], encrypt="request")
                outside.cluster.start()
                self.walk(outside.api, [server])
                outside.cluster.stop()

    def test_servers_that_are_not_trusted_are_not_used(self):
        """A server comes back with another certificate, then without encryption, then as it was."""
        servers = [self.serve("--encrypt", "require"), self.serve("--encrypt", "require")]
        outside = self.outside(servers, ca_file="secrets/ca.pem")
        trusted = outside.cluster.data / "secrets" / "ca.pem"
        trusted.write_text("".join((s.data / "tls" / "cert.pem").read_text() for s in servers))
        outside.cluster.start()
        self.walk(outside.api, servers)
        port, own = str(servers[1].port), servers[1].data / "tls"
        kept = [(outside.cluster.folder / p.name, p.read_bytes()) for p in (own / "cert.pem", own / "key.pem")]
        for path, content in kept:
            path.write_bytes(content)
        for arguments, works in (("--encrypt", "require"), False), (("--encrypt", "off"), False), (
                ("--certificate", str(kept[0][0]), "--private-key", str(kept[1][0])), True):
            with self.subTest(arguments=arguments[:2]):
                servers[1].stop()
                servers[1] = self.serve("--port", port, *arguments)
                health = harness.eventually(lambda: (h := outside.api.get("/health").json)["status"] == ("healthy" if works else "degraded") and h)
                answer = outside.api.post("/create-db", {"db_name": "Again", "if_not_exists": True})
                if works:
                    self.assertEqual(answer.status, 200, answer)
                else:
                    self.assertEqual((answer.status, answer.code), (503, "shard_unavailable"), answer)
                    self.assertNotIn(PASSWORD, answer.body.decode() + str(health))
        logs = outside.cluster.logs()
        self.assertIn("database of shard 'b' (encrypt: require): [FreeTDS][SQL Server]Unable to connect", logs)
        self.assertNotIn(PASSWORD, logs)


if __name__ == "__main__":
    harness.main()
