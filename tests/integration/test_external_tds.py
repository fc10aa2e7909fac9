#!/usr/bin/env python3
"""Workers that are pointed at another TDS server by tds.host, as in production: the same walk. Two clusters of one shard's
tds-servers would do; here one cluster runs the databases, and a second one has no embedded database at all."""

import os

import harness
from harness import Cluster, free_ports

import unittest

T = {"db_name": "SchoolDB", "table": "Students"}


class External(unittest.TestCase):
    def test_walk(self):
        databases = Cluster().start()
        outside = None
        try:
            ports = free_ports(4)
            shards = (("a", "A"), ("b", "B"), ("c", "C"))
            config = {"master": {"port": ports[0]},
                      "workers": [{"name": n, "suffix": s, "port": ports[1 + i],
                                   "tds": {"host": "127.0.0.1", "port": databases.tds_ports[Cluster.NAMES[i][0]], "user": "sa",
                                           "password_file": "secrets/outside", "encrypt": "off"}}
                                  for i, (n, s) in enumerate(shards)]}
            outside = Cluster(config=config, shards=shards)
            outside.api.port = ports[0]
            (outside.data / "secrets").mkdir(parents=True)
            password = outside.data / "secrets" / "outside"
            password.write_text(databases.tds_password + "\n")
            os.chmod(password, 0o600)
            outside.start()
            self.assertEqual([c for c in outside.processes().values() if "tdsd" in c], [])
            api = outside.api
            for path, body in (("/create-db", {"db_name": "SchoolDB"}),
                               ("/create-table", {**T, "columns": {"student_id": "INT", "name": "VARCHAR(100)", "grade": "VARCHAR(5)"}}),
                               ("/insert", {**T, "shard_key": "1001", "data": {"student_id": "1001", "name": "Ali", "grade": "A"}})):
                answer = api.post(path, body)
                self.assertEqual(answer.status, 200, answer)
            self.assertEqual(api.post("/select", {**T, "condition": "student_id = 1001"}).json["rows"], [{"student_id": 1001, "name": "Ali", "grade": "A"}])
            self.assertEqual(databases.tsql("go", "SELECT name FROM SchoolDBA.dbo.Students").strip(), "Ali")
            # A wrong password is the operator's trouble: the client learns that the shard is unavailable, and no more.
            password.write_text("wrong\n")
            outside.launched.stop()
            with self.assertRaises(RuntimeError) as raised:
                outside.start()
            self.assertNotIn(databases.tds_password, str(raised.exception))
        finally:
            if outside:
                outside.stop()
            databases.stop()


if __name__ == "__main__":
    harness.main()
