#!/usr/bin/env python3
"""The corpus of hostile and harmless input goes through the API: what must be rejected is a 400 and has no effect, what
must be bound or is fine is accepted."""

import csv
import json

import harness
from harness import DATA, ClusterTest

T = {"db_name": "Corpus", "table": "T"}
COLUMNS = {"student_id": "INT", "age": "INT", "name": "NVARCHAR(100)", "note": "NVARCHAR(MAX)", "order": "INT", "gpa": "FLOAT"}
ROWS = [{"student_id": 1000 + i, "age": i, "name": str(i), "note": None if i % 2 else "n", "order": i, "gpa": i / 4} for i in range(9)]


def corpus(field):
    with open(DATA / "injection.tsv", encoding="utf-8", newline="") as f:
        return [r for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE) if r["field"] == field]


class Corpus(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for path, body in (("/create-db", {"db_name": "Corpus"}), ("/create-table", {**T, "columns": COLUMNS}),
                           ("/insert", {**T, "data": ROWS})):
            answer = cls.api.post(path, body)
            assert answer.status == 200, answer

    def check_untouched(self):
        rows = self.ok("/select", T)["rows"]
        self.assertEqual(sorted(rows, key=lambda r: r["student_id"]), ROWS)

    def send(self, path, field, payload, extra=None):
        """The payload goes into the body as the corpus wrote it: some are JSON that no writer would write."""
        rest = json.dumps({**T, **(extra or {})})[1:]
        return self.api.post(path, f'{{"{field}":{payload},{rest}'.encode())

    def test_conditions(self):
        for row in corpus("condition"):
            requests = (("/select", {}), ("/map-reduce-count", {}), ("/delete", {"scatter": True}),
                        ("/update", {"scatter": True, "set": {"name": "changed"}}))
            for path, extra in requests if row["expected"] == "reject" else requests[:2]:
                with self.subTest(id=row["id"], path=path, payload=row["payload_json"][:80]):
                    answer = self.send(path, "condition", row["payload_json"], extra)
                    if row["expected"] == "reject":
                        self.assertEqual(answer.status, 400, answer)
                        self.check_problem(answer)
                    else:
                        self.assertEqual(answer.status, 200, answer)
        self.check_untouched()

    def create(self, field, payload):
        """The request that carries a name or a type of the corpus, and the one that removes what it made."""
        if field == "db":
            return f'{{"db_name":{payload}}}', "/create-db", "/drop-db"
        name, column, kind = ('"CorpusT"', '"c"', '"INT"')
        if field == "table":
            name = payload
        elif field == "column":
            column = payload
        else:
            kind = payload
        return f'{{"db_name":"Corpus","table":{name},"columns":{{{column}:{kind}}}}}', "/create-table", "/delete-table"

    def test_names_and_types(self):
        for field in ("db", "table", "column", "type"):
            for row in corpus(field):
                with self.subTest(id=row["id"], field=field, payload=row["payload_json"][:80]):
                    body, create, remove = self.create(field, row["payload_json"])
                    answer = self.api.post(create, body.encode())
                    if row["expected"] == "reject":
                        self.assertEqual(answer.status, 400, answer)
                        self.check_problem(answer)
                    else:
                        self.assertEqual(answer.status, 200, answer)
                        undo = {k: v for k, v in json.loads(body).items() if k != "columns"}
                        self.assertEqual(self.api.post(remove, undo).status, 200)
        databases = self.cluster.tsql("go", "SELECT name FROM sys.databases WHERE database_id > 4").split()
        self.assertEqual([d for d in databases if d.startswith("Corpus")], ["CorpusGO"], databases)
        tables = self.cluster.tsql("go", "SELECT name FROM CorpusGO.sys.tables WHERE name NOT LIKE 'gw[_]%'").split()
        self.assertEqual(tables, ["T"])
        self.check_untouched()

    def test_hostile_values_are_data(self):
        """What looks like SQL inside a value comes back as it went in."""
        texts = ["'; DROP TABLE T; --", "a\"b", "]]", "\\", "\u0000x", "%00", "' OR '1'='1", "\u202e", "😀" * 40, " lead", "{fn NOW()}", "?", "@p1"]
        for i, text in enumerate(texts):
            with self.subTest(text=text):
                key = 5000 + i
                self.ok("/insert", {**T, "data": {"student_id": key, "name": text, "note": text}})
                rows = self.ok("/select", {**T, "condition": "student_id = @k AND name = @t", "params": {"k": key, "t": text},
                                           "columns": ["name", "note"]})["rows"]
                self.assertEqual(rows, [{"name": text, "note": text}])
                self.ok("/delete", {**T, "condition": f"student_id = {key}"})
        self.check_untouched()


if __name__ == "__main__":
    harness.main()
