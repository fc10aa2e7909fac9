#!/usr/bin/env python3
"""The first walk of the README, as a person types it."""

import harness
from harness import ClusterTest

STUDENTS = {"db_name": "SchoolDB", "table": "Students"}
COLUMNS = {"student_id": "INT", "name": "VARCHAR(100)", "grade": "VARCHAR(5)"}


class Walk(ClusterTest):
    def test_ready_line_is_exact(self):
        self.assertEqual(self.cluster.launched.ready_line, f"shardgate: ready on http://127.0.0.1:{self.cluster.port}")

    def test_walk(self):
        self.assertEqual(
            self.ok("/create-db", {"db_name": "SchoolDB"}),
            {"status": "ok", "db_name": "SchoolDB",
             "shards": [{"shard": i, "worker": w, "database": "SchoolDB" + s, "outcome": "applied"}
                        for i, (w, s) in enumerate(self.cluster.NAMES)]})
        self.ok("/create-table", {**STUDENTS, "columns": COLUMNS})

        where = {1001: (0, "go", "SchoolDBGO"), 1002: (2, "node", "SchoolDBNODE"), 1003: (1, "python", "SchoolDBPY")}
        for key, (shard, worker, database) in where.items():
            answer = self.ok("/insert", {**STUDENTS, "shard_key": str(key),
                                         "data": {"student_id": str(key), "name": f"Ali {key}", "grade": "A"}})
            self.assertEqual(answer, {
                "status": "ok", "rows_affected": 1,
                "shards": [{"shard": shard, "worker": worker, "database": database, "outcome": "applied", "rows_affected": 1}],
                "routing": {"key": str(key), "source": "shard_key", "shard": shard}})

        one = self.ok("/select", {**STUDENTS, "shard_key": "1001", "condition": "student_id = 1001"})
        self.assertEqual(one, {"status": "ok", "rows": [{"student_id": 1001, "name": "Ali 1001", "grade": "A"}], "count": 1,
                               "complete": True, "shards": [{"shard": 0, "worker": "go", "outcome": "ok", "rows": 1}]})

        everything = self.ok("/select", STUDENTS)
        self.assertEqual(sorted(r["student_id"] for r in everything["rows"]), [1001, 1002, 1003])
        self.assertEqual((everything["count"], everything["complete"], len(everything["shards"])), (3, True, 3))

        count = self.ok("/map-reduce-count", STUDENTS)
        self.assertEqual(count, {"status": "ok", "total": 3, "complete": True,
                                 "map": [{"shard": i, "worker": w, "count": 1} for i, (w, _) in enumerate(self.cluster.NAMES)]})

        # Each row is in its own physical database and in no other, as an independent TDS client sees it.
        for key, (_, worker, database) in where.items():
            rows = self.cluster.tsql(worker, f"SELECT student_id, name FROM {database}.dbo.Students")
            self.assertEqual(rows.split("\n")[0], f"{key}\tAli {key}", rows)
            self.assertEqual(len(rows.strip().splitlines()), 1, rows)

        for worker in ("go", "python", "node"):
            answer = self.cluster.worker(worker).post("/select", STUDENTS)
            self.assertEqual((answer.status, answer.code), (401, "unauthorized"))

    def test_update_and_delete(self):
        self.fresh_database("Changes")
        t = {"db_name": "Changes", "table": "T"}
        self.ok("/create-table", {**t, "columns": COLUMNS})
        self.ok("/insert", {**t, "data": [{"student_id": i, "name": "n", "grade": "B"} for i in range(20)]})
        answer = self.ok("/update", {**t, "set": {"grade": "A"}, "condition": "student_id = 7"})
        self.assertEqual((answer["rows_affected"], len(answer["shards"])), (1, 1))
        answer = self.ok("/delete", {**t, "condition": "student_id = 8", "shard_key": 8})
        self.assertEqual(answer["rows_affected"], 1)
        answer = self.ok("/update", {**t, "set": {"name": "x"}, "condition": "grade = 'B'", "scatter": True})
        self.assertEqual((answer["rows_affected"], len(answer["shards"])), (18, 3))
        rows = self.ok("/select", {**t, "condition": "name <> 'x' OR student_id = 8"})["rows"]
        self.assertEqual(rows, [{"student_id": 7, "name": "n", "grade": "A"}])

    def test_drop_is_seen_everywhere(self):
        self.fresh_database("Gone")
        t = {"db_name": "Gone", "table": "T"}
        self.ok("/create-table", {**t, "columns": COLUMNS})
        self.ok("/delete-table", t)
        self.refused(404, "no_such_table", "/select", t)
        self.refused(404, "no_such_table", "/delete-table", t)
        self.ok("/delete-table", {**t, "if_exists": True})
        self.ok("/drop-db", {"db_name": "Gone"})
        self.refused(404, "no_such_database", "/select", t)
        self.refused(404, "no_such_database", "/drop-db", {"db_name": "Gone"})
        self.ok("/drop-db", {"db_name": "Gone", "if_exists": True})

    def test_restart_keeps_the_rows(self):
        self.fresh_database("Kept")
        t = {"db_name": "Kept", "table": "T"}
        self.ok("/create-table", {**t, "columns": COLUMNS})
        self.ok("/insert", {**t, "data": [{"student_id": i} for i in range(30)]})
        type(self).cluster.launched.stop()
        type(self).cluster.start()
        self.assertEqual(self.ok("/map-reduce-count", t)["total"], 30)


if __name__ == "__main__":
    harness.main()
