#!/usr/bin/env python3
"""Writes with an Idempotency-Key: a repeat changes nothing a second time, and tells what the first did."""

import threading
import uuid

import harness
from harness import eventually

DB = "Keyed"
STUDENTS = {"db_name": DB, "table": "Students"}  # with a primary key
LOG = {"db_name": DB, "table": "Log"}            # without: what is written twice is there twice
KEYS = {"go": 1001, "python": 1003, "node": 1002}  # a student of each shard


def new_key():
    return str(uuid.uuid4())


class Idempotency(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for path, body in (("/create-db", {"db_name": DB}),
                           ("/create-table", {**STUDENTS, "columns": {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(50)", "n": "INT"}}),
                           ("/create-table", {**LOG, "columns": {"student_id": "INT", "word": "NVARCHAR(50)"}})):
            answer = cls.api.post(path, body)
            assert answer.status == 200, answer

    def setUp(self):
        self.wait_until_healthy()
        self.ok("/delete", {**STUDENTS, "condition": "student_id > 0", "scatter": True})
        self.ok("/delete", {**LOG, "condition": "student_id > 0", "scatter": True})

    def wait_until_healthy(self):
        eventually(lambda: self.api.get("/health").json["status"] == "healthy", seconds=60, message="not healthy")

    def keyed(self, path, body, key, **headers):
        return self.api.post(path, body, Idempotency_Key=key, **headers)

    def count(self, table, condition="student_id > 0"):
        return self.ok("/map-reduce-count", {**table, "condition": condition})["total"]

    def until_certain(self, path, body, key):
        """What a client does: it repeats with the same key while the outcome is unknown."""
        answers = []

        def certain():
            answers.append(self.keyed(path, body, key))
            return answers[-1].status == 200 or answers[-1].json["outcome"] != "unknown"

        eventually(certain, seconds=60, message="the outcome stays unknown")
        return answers[-1]

    def check_first(self, answer):
        self.assertEqual(answer.status, 200, answer)
        self.assertNotIn("idempotency-replayed", answer.headers)

    def check_replay(self, answer, first):
        self.assertEqual((answer.status, answer.headers.get("idempotency-replayed")), (200, "true"), answer)
        self.assertEqual(answer.json, first.json)

    # Repeats

    def test_each_write_is_replayed(self):
        """Also when the database would have refused it, or would have found nothing to change, the second time."""
        many = [{"student_id": n, "n": 0} for n in range(2000, 2300)]
        for path, body, rows in (
                ("/insert", {**STUDENTS, "data": {"student_id": 1, "name": "Zoë", "n": 1}}, 1),
                ("/insert", {**STUDENTS, "data": [{"student_id": k, "n": 0} for k in KEYS.values()]}, 3),
                ("/insert", {**STUDENTS, "data": many}, 300),
                ("/insert", {**LOG, "data": {"student_id": 1001, "word": "once"}}, 1),
                ("/insert", {**LOG, "data": [{"student_id": 1001, "word": "twice"}, {"student_id": 1001, "word": "twice"}]}, 2),
                ("/insert", {**LOG, "data": {"word": "no shard column"}, "shard_key": 7}, 1),
                ("/update", {**STUDENTS, "set": {"n": 5}, "condition": "student_id = 1 AND n = 1"}, 1),
                ("/update", {**STUDENTS, "set": {"n": 6}, "condition": "n = 0", "scatter": True}, 303),
                ("/update", {**STUDENTS, "set": {"n": 6}, "condition": "student_id = 77"}, 0),
                ("/delete", {**STUDENTS, "condition": "student_id = 1"}, 1),
                ("/delete", {**STUDENTS, "condition": "student_id >= 2000", "scatter": True}, 300)):
            with self.subTest(path=path, body=str(body)[:120]):
                key = new_key()
                first = self.keyed(path, body, key)
                self.check_first(first)
                self.assertEqual(first.json["rows_affected"], rows)
                before = self.count(STUDENTS), self.count(LOG)
                for _ in range(2):
                    self.check_replay(self.keyed(path, body, key), first)
                self.assertEqual((self.count(STUDENTS), self.count(LOG)), before)
        self.ok("/delete", {**LOG, "shard_key": 7, "condition": "word = 'no shard column'"})

    def test_only_the_key_makes_it_a_repeat(self):
        body = {**LOG, "data": {"student_id": 1001, "word": "again"}}
        for key in (new_key(), new_key()):
            self.check_first(self.keyed("/insert", body, key))
        self.check_first(self.api.post("/insert", body))
        self.assertEqual(self.count(LOG), 3)

    def test_what_was_refused_may_be_repeated(self):
        """A key stands for what took effect: the repeat of a refused write is a new try."""
        key, body = new_key(), {**STUDENTS, "data": {"student_id": 1001, "n": 2}}
        self.ok("/insert", {**STUDENTS, "data": {"student_id": 1001, "n": 1}})
        for _ in range(2):
            problem = self.refused(409, "duplicate_key", "/insert", body, Idempotency_Key=key)
            self.assertEqual(problem["outcome"], "not_applied")
        self.ok("/delete", {**STUDENTS, "condition": "student_id = 1001"})
        self.check_first(self.keyed("/insert", body, key))
        self.check_replay(self.keyed("/insert", body, key), self.keyed("/insert", body, key))

    def test_a_fence_that_is_younger_than_the_request(self):
        """It belongs to an attempt behind this one, which may have been told that nothing came of the key: this one must not take effect. The
        next one may."""
        self.check_first(self.keyed("/insert", {**LOG, "data": {"student_id": KEYS["go"], "word": "before"}}, new_key()))
        for minutes, statuses in ((5, (409, 200)), (-5, (200, 200))):
            with self.subTest(minutes):
                key, body = new_key(), {**LOG, "data": {"student_id": KEYS["go"], "word": f"{minutes}"}}
                self.cluster.tsql("go", "INSERT INTO KeyedGO.dbo.gw_requests (request_key, request_hash, rows_affected, fence, made) "
                                        f"VALUES ('{key}', 0x{'00' * 32}, NULL, 1, DATEADD(minute, {minutes}, SYSUTCDATETIME()))")
                for status in statuses:
                    answer = self.keyed("/insert", body, key)
                    self.assertEqual(answer.status, status, answer)
                    if status != 200:
                        self.assertEqual((answer.code, answer.json["outcome"], answer.json["retry"]), ("key_in_progress", "unknown", "same_key"), answer)
                self.assertEqual(self.count(LOG, f"word = '{minutes}'"), 1)

    def test_members_in_another_order_are_the_same_request(self):
        key = new_key()
        first = self.keyed("/insert", b'{"db_name":"Keyed","table":"Log","data":{"student_id":1001,"word":"x"}}', key)
        self.check_first(first)
        self.check_replay(self.keyed("/insert", b'{"data": {"word": "\\u0078", "student_id": 1001}, "table": "Log", "db_name": "Keyed"}', key), first)
        self.assertEqual(self.count(LOG), 1)

    # What is refused

    def test_a_key_of_another_request_is_refused(self):
        key = new_key()
        self.check_first(self.keyed("/insert", {**LOG, "data": {"student_id": 1001, "word": "first"}}, key))
        for path, body in (("/insert", {**LOG, "data": {"student_id": 1001, "word": "second"}}),
                           ("/update", {**LOG, "set": {"word": "third"}, "condition": "student_id = 1001"}),
                           ("/delete", {**LOG, "condition": "student_id = 1001"})):
            with self.subTest(path=path):
                problem = self.refused(422, "key_reused", path, body, Idempotency_Key=key)
                self.assertEqual((problem["outcome"], problem["retry"]), ("not_applied", "no"))
        self.assertEqual(self.ok("/select", LOG)["rows"], [{"student_id": 1001, "word": "first"}])

    def test_what_is_no_key(self):
        body = {**LOG, "data": {"student_id": 1001, "word": "x"}}
        for key in ("k" * 65, "Zo\xeb", "a\tb"):
            with self.subTest(key=key):
                problem = self.refused(400, "bad_field", "/insert", body, Idempotency_Key=key)
                self.assertIn("Idempotency-Key", problem["detail"])
        self.assertEqual(self.count(LOG), 0)
        self.check_first(self.keyed("/insert", body, "k" * 64))
        self.check_first(self.keyed("/insert", body, "'; DROP TABLE [gw_requests] --\\\"?"))
        self.assertEqual(self.count(LOG), 2)

    def test_what_takes_no_key(self):
        """A client that relies on a key must not be left to think that its repeat is safe. What only reads may carry one."""
        for path, body in (("/create-db", {"db_name": "Other"}), ("/drop-db", {"db_name": DB}),
                           ("/create-table", {"db_name": DB, "table": "Other", "columns": {"student_id": "INT"}}), ("/delete-table", LOG)):
            with self.subTest(path=path):
                self.assertIn("Idempotency-Key", self.refused(400, "bad_field", path, body, Idempotency_Key=new_key())["detail"])
        self.refused(400, "bad_field", f"/insert?db_name={DB}&table=Log", b'{"student_id":1001}\n',
                     Idempotency_Key=new_key(), Content_Type="application/x-ndjson")
        self.assertEqual(self.count(LOG), 0)
        for path in ("/select", "/map-reduce-count"):
            answer = self.keyed(path, LOG, new_key())
            self.assertEqual(answer.status, 200, answer)
            self.assertNotIn("idempotency-replayed", answer.headers)

    # Several at once

    def test_two_at_once_are_one(self):
        for number in range(12):
            key, body, answers = new_key(), {**LOG, "data": {"student_id": KEYS["go"] + 3000 + number, "word": f"at once {number}"}}, []

            def send():
                api = harness.Api(self.cluster.port)
                answers.append(api.post("/insert", body, Idempotency_Key=key))
                api.close()

            threads = [threading.Thread(target=send) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            with self.subTest(answers=answers):
                self.assertEqual(len(answers), len(threads))
                applied = [a for a in answers if a.status == 200]
                self.assertEqual(len([a for a in applied if "idempotency-replayed" not in a.headers]), 1)
                for a in answers:
                    if a not in applied:
                        self.assertEqual((a.status, a.code, a.json["outcome"], a.json["retry"]), (409, "key_in_progress", "unknown", "same_key"))
                self.assertEqual(len({a.body for a in applied}), 1)
                self.assertEqual(self.count(LOG, f"word = 'at once {number}'"), 1)

    def test_a_repeat_while_the_first_is_at_work(self):
        """Somebody's open transaction keeps all writes waiting."""
        key, body, answers = new_key(), {**LOG, "data": {"student_id": KEYS["go"], "word": "slow"}}, []
        self.check_first(self.keyed("/insert", {**LOG, "data": {"student_id": KEYS["go"], "word": "before"}}, new_key()))

        def send():
            api = harness.Api(self.cluster.port)
            answers.append(api.post("/insert", body, Idempotency_Key=key))
            api.close()

        threads = [threading.Thread(target=send) for _ in range(2)]
        with self.cluster.transaction("go", "UPDATE KeyedGO.dbo.Log SET word = 'held' WHERE word = 'before'"):
            for thread in threads:
                thread.start()
            # One of the two is answered while the other waits.
            eventually(lambda: answers, message="both wait")
            self.check_problem(answers[0])
            self.assertEqual((answers[0].status, answers[0].code, answers[0].json["outcome"], answers[0].json["retry"]),
                             (409, "key_in_progress", "unknown", "same_key"))
        for thread in threads:
            thread.join()
        last = self.until_certain("/insert", body, key)
        self.assertEqual((last.status, last.json["rows_affected"]), (200, 1), last)
        self.assertEqual(self.count(LOG, "word = 'slow'"), 1)

    def test_an_array_that_is_refused_in_part_is_not_to_be_repeated(self):
        """Nothing would be different the second time: a client that goes on as long as it reads same_key comes to an end."""
        key, body = new_key(), {**STUDENTS, "data": [{"student_id": k, "n": 2} for k in KEYS.values()]}
        self.ok("/insert", {**STUDENTS, "data": {"student_id": KEYS["python"], "n": 1}})
        for _ in range(2):
            problem = self.refused(409, "duplicate_key", "/insert", body, Idempotency_Key=key)
            self.assertEqual((problem["outcome"], problem["retry"]), ("applied", "no"))
            self.assertEqual({s["worker"]: s["outcome"] for s in problem["shards"]}, {"go": "applied", "python": "not_applied", "node": "applied"})
        self.ok("/delete", {**STUDENTS, "condition": f"student_id = {KEYS['python']}"})
        done = self.keyed("/insert", body, key)
        self.check_first(done)  # in part
        self.check_replay(self.keyed("/insert", body, key), done)
        self.assertEqual(self.count(STUDENTS, "n = 2"), 3)

    # What breaks meanwhile

    def test_an_array_of_which_a_shard_was_down(self):
        key, body = new_key(), {**LOG, "data": [{"student_id": k, "word": "wide"} for k in KEYS.values()]}
        with self.cluster.stopped("shardgate-tdsd", "/node"):
            answer = self.keyed("/insert", body, key, X_Timeout_Ms="2500")
            self.assertIn(answer.status, (503, 504), answer)
            self.check_problem(answer)
            self.assertEqual((answer.json["outcome"], answer.json["retry"]), ("unknown", "same_key"), answer)
            outcomes = {s["worker"]: s["outcome"] for s in answer.json["shards"]}
            self.assertEqual(outcomes, {"go": "applied", "python": "applied", "node": "unknown"})
        self.wait_until_healthy()
        done = self.until_certain("/insert", body, key)
        self.assertEqual((done.status, done.json["rows_affected"]), (200, 3), done)
        self.assertEqual([s["rows_affected"] for s in done.json["shards"]], [1, 1, 1])
        self.assertEqual(sorted(r["student_id"] for r in self.ok("/select", LOG)["rows"]), sorted(KEYS.values()))
        self.check_replay(self.keyed("/insert", body, key), done)
        self.assertEqual(self.count(LOG), 3)

    def test_a_stopped_database(self):
        """Nobody knows what became of it; once the database goes on, the repeat finds out, and there is one row."""
        for number in range(3):
            with self.subTest(number):
                key, body = new_key(), {**LOG, "data": {"student_id": KEYS["python"], "word": f"stopped {number}"}}
                with self.cluster.stopped("shardgate-tdsd", "/python"):
                    answer = self.keyed("/insert", body, key, X_Timeout_Ms="1500")
                    self.assertIn(answer.status, (503, 504), answer)
                    self.check_problem(answer)
                    self.assertEqual((answer.json["outcome"], answer.json["retry"]), ("unknown", "same_key"), answer)
                self.assertEqual(self.until_certain("/insert", body, key).json["rows_affected"], 1)
                self.wait_until_healthy()
                self.assertEqual(self.count(LOG, f"word = 'stopped {number}'"), 1)

    def test_keys_survive_restarts(self):
        key, body = new_key(), {**LOG, "data": [{"student_id": k, "word": "lasting"} for k in KEYS.values()]}
        first = self.keyed("/insert", body, key)
        self.check_first(first)
        for program in ("shardgate-worker", "shardgate-tdsd"):
            with self.subTest(program):
                self.assertGreaterEqual(self.cluster.kill(program), 3)
                self.wait_until_healthy()
                self.check_replay(self.until_certain("/insert", body, key), first)
        self.assertEqual(self.count(LOG), 3)

    def test_a_table_without_a_key_is_never_doubled(self):
        """Databases are killed under clients that repeat until they know."""
        writers, each, lost, stop = 4, 40, [], threading.Event()

        def write(writer):
            api = harness.Api(self.cluster.port)
            for number in range(each):
                key, tries = new_key(), 0
                body = {**LOG, "data": {"student_id": KEYS["go"], "word": f"{writer}/{number}"}}
                while True:
                    answer, tries = api.post("/insert", body, Idempotency_Key=key, X_Timeout_Ms="3000"), tries + 1
                    if answer.status == 200:
                        break
                    if answer.json["retry"] == "no" or tries == 400:
                        lost.append(answer)
                        break
                    stop.wait(0.05)
            api.close()

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        kills = 0
        while any(thread.is_alive() for thread in threads):
            if kills < 6:
                kills += self.cluster.kill("shardgate-tdsd", "/go")
            threads[0].join(0.4)
        for thread in threads:
            thread.join()
        self.assertEqual(lost, [])
        self.wait_until_healthy()
        words = [r["word"] for r in self.ok("/select", LOG)["rows"]]
        self.assertEqual(sorted(words), sorted(f"{w}/{n}" for w in range(writers) for n in range(each)))
        self.assertGreaterEqual(kills, 1)

    # The ledger

    def test_the_ledger_is_no_table_of_clients(self):
        self.check_first(self.keyed("/insert", {**LOG, "data": {"student_id": 1001, "word": "x"}}, new_key()))
        self.refused(404, "no_such_table", "/select", {"db_name": DB, "table": "gw_requests"})
        self.refused(404, "no_such_table", "/delete", {"db_name": DB, "table": "GW_Requests", "condition": "fence = 0", "scatter": True})

    def test_a_dropped_ledger_is_made_anew(self):
        body = {**LOG, "data": {"student_id": 1001, "word": "x"}}
        self.check_first(self.keyed("/insert", body, new_key()))
        self.cluster.tsql("go", "DROP TABLE KeyedGO.dbo.gw_requests")
        key = new_key()
        first = self.keyed("/insert", body, key)
        self.check_first(first)
        self.check_replay(self.keyed("/insert", body, key), first)
        self.assertEqual(self.count(LOG), 2)

    def test_databases_have_ledgers_of_their_own(self):
        """A database that was dropped and made again has forgotten its keys."""
        table, key = {"db_name": "Second", "table": "Log"}, new_key()
        body = {**table, "data": {"student_id": 1001, "word": "x"}}
        self.check_first(self.keyed("/insert", {**LOG, "data": {"student_id": 1001, "word": "x"}}, key))
        for _ in range(2):
            self.fresh_database("Second")
            self.ok("/create-table", {**table, "columns": {"student_id": "INT", "word": "NVARCHAR(50)"}})
            first = self.keyed("/insert", body, key)
            self.check_first(first)
            self.check_replay(self.keyed("/insert", body, key), first)
        self.ok("/drop-db", {"db_name": "Second"})


if __name__ == "__main__":
    harness.main()
