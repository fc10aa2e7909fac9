#!/usr/bin/env python3
"""Bad input: every 4xx of the contract has its code, and none has an effect."""

import json

import harness
from harness import ClusterTest

T = {"db_name": "Err", "table": "T"}
ROW = {"id": 1, "name": "a", "n": 1}


class Errors(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        api = cls.api
        for path, body in (
                ("/create-db", {"db_name": "Err"}),
                ("/create-table", {**T, "columns": {"id": "INT PRIMARY KEY", "name": "VARCHAR(10) NOT NULL", "n": "SMALLINT"},
                                   "shard_column": "id"}),
                ("/insert", {**T, "data": [{"id": i, "name": "x", "n": i} for i in range(12)]})):
            answer = api.post(path, body)
            assert answer.status == 200, answer

    def tearDown(self):
        # Whatever a test sent, the rows are as they were.
        answer = self.ok("/select", T)
        self.assertEqual(sorted((r["id"], r["name"], r["n"]) for r in answer["rows"]), [(i, "x", i) for i in range(12)])

    REFUSED = (
        # path, body, status, code
        ("/create-db", {}, 400, "missing_field"),
        ("/create-db", {"db_name": 5}, 400, "bad_field"),
        ("/create-db", {"db_name": None}, 400, "missing_field"),
        ("/create-db", {"db_name": "a b"}, 400, "bad_name"),
        ("/create-db", {"db_name": "master"}, 400, "bad_name"),
        ("/create-db", {"db_name": "Err"}, 409, "already_exists"),
        ("/create-db", {"db_name": "X", "what": 1}, 400, "bad_field"),
        ("/create-db", {"db_name": "X", "if_not_exists": "yes"}, 400, "bad_field"),
        ("/drop-db", {"db_name": "Nowhere"}, 404, "no_such_database"),
        ("/create-table", {"db_name": "Err"}, 400, "missing_field"),
        ("/create-table", {"db_name": "Err", "table": "U"}, 400, "missing_field"),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {}}, 400, "bad_field"),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {"a": 1}}, 400, None),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {"a": "INTT"}}, 400, "bad_type"),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {"a b": "INT"}}, 400, "bad_name"),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {"a": "INT", "A": "INT"}}, 400, "bad_name"),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {"a": "INT"}, "shard_column": "b"}, 400, None),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {"a": "FLOAT"}, "shard_column": "a"}, 400, None),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {"a": "DECIMAL(5,2)"}, "shard_column": "a"}, 400, None),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {"a": "INT DEFAULT 3"}, "shard_column": "a"}, 400, "bad_field"),
        ("/create-table", {"db_name": "Err", "table": "U", "columns": {"a": "INT"}, "shard_column": "a\0b"}, 400, "bad_json"),
        ("/create-table", {**T, "columns": {"a": "INT"}}, 409, "already_exists"),
        ("/create-table", {"db_name": "Nowhere", "table": "U", "columns": {"a": "INT"}}, 404, "no_such_database"),
        ("/delete-table", {"db_name": "Err", "table": "U"}, 404, "no_such_table"),
        ("/insert", T, 400, "missing_field"),
        ("/insert", {**T, "data": "x"}, 400, "bad_field"),
        ("/insert", {**T, "data": []}, 400, "bad_field"),
        ("/insert", {**T, "data": [1]}, 400, "bad_field"),
        ("/insert", {**T, "data": {"id": 99, "name": "a", "nope": 1}}, 400, "unknown_column"),
        ("/insert", {**T, "data": {"id": 1, "name": "a"}}, 409, "duplicate_key"),
        ("/insert", {**T, "data": {"id": 99, "name": "01234567890"}}, 422, "bad_value"),
        ("/insert", {**T, "data": {"id": 99}}, 422, "bad_value"),
        ("/insert", {**T, "data": {"id": 99, "name": None}}, 422, "bad_value"),
        ("/insert", {**T, "data": {"id": 99, "name": "a", "n": 32768}}, 422, "bad_value"),
        ("/insert", {**T, "data": {"id": 99, "name": "a", "n": "x"}}, 422, "bad_value"),
        ("/insert", {**T, "data": {"id": 99, "name": "a", "n": 1.5}}, 422, "bad_value"),
        ("/insert", {**T, "data": {"id": 99, "name": "a", "n": [1]}}, 422, None),
        ("/insert", {**T, "data": {"id": 99, "name": "a", "ID": 99}}, 400, "bad_field"),
        ("/insert", {**T, "shard_key": 5, "data": {"id": 99, "name": "a"}}, 400, "shard_key_mismatch"),
        ("/insert", {**T, "shard_key": [5], "data": {"id": 99, "name": "a"}}, 400, "bad_field"),
        ("/insert", {**T, "data": [{"id": 99, "name": "a"}, {"id": 98, "name": "a", "n": "bad"}]}, 422, "bad_value"),
        ("/insert", {**T, "data": [{"id": 99, "name": "a"}, {"id": 98}]}, 422, "bad_value"),
        ("/insert", {"db_name": "Err", "table": "U", "data": {"id": 1}}, 404, "no_such_table"),
        ("/insert", {"db_name": "Nowhere", "table": "T", "data": {"id": 1}}, 404, "no_such_database"),
        ("/select", {**T, "columns": ["nope"]}, 400, "unknown_column"),
        ("/select", {**T, "columns": "id"}, 400, "bad_field"),
        ("/select", {**T, "columns": []}, 400, "bad_field"),
        ("/select", {**T, "columns": ["id", "ID"]}, 400, "bad_field"),
        ("/select", {**T, "condition": "nope = 1"}, 400, "unknown_column"),
        ("/select", {**T, "condition": "id = 1 AND id = 2 AND nope = 1"}, 400, "unknown_column"),
        ("/select", {**T, "condition": 5}, 400, "bad_field"),
        ("/select", {**T, "condition": "id ="}, 400, "bad_condition"),
        ("/select", {**T, "condition": "id = @a"}, 400, "bad_condition"),
        ("/select", {**T, "condition": "id = @a", "params": {"a": [1]}}, 400, "bad_field"),
        ("/select", {**T, "condition": "id = @a", "params": [1]}, 400, "bad_field"),
        ("/select", {**T, "condition": "id = 1", "params": {"b": 1}}, 400, "bad_field"),
        ("/select", {**T, "condition": "id = 1", "shard_key": 3}, 400, "shard_key_mismatch"),
        ("/select", {**T, "condition": "id = 'abc'"}, 422, "bad_value"),
        ("/select", {**T, "after": "x"}, 400, "bad_field"),
        ("/select", {**T, "limit": -1}, 400, "bad_field"),
        ("/select", {**T, "limit": 1.5}, 400, "bad_field"),
        ("/select", {**T, "limit": "1"}, 400, "bad_field"),
        ("/select", {**T, "offset": -1}, 400, "bad_field"),
        ("/select", {**T, "order_by": "id"}, 400, "bad_field"),
        ("/select", {**T, "order_by": ["nope"]}, 400, "unknown_column"),
        ("/select", {**T, "order_by": ["id", "ID"]}, 400, "bad_field"),
        ("/select", {**T, "order_by": [{"column": "id", "dir": "up"}]}, 400, "bad_field"),
        ("/select", {**T, "order_by": [{"dir": "asc"}]}, 400, "missing_field"),
        ("/select", {**T, "distinct": True, "columns": ["name"], "order_by": ["id"]}, 400, "bad_field"),
        ("/select", {**T, "distinct": True, "aggregates": [{"op": "count"}]}, 400, "bad_field"),
        ("/select", {**T, "distinct": 1}, 400, "bad_field"),
        ("/select", {**T, "aggregates": [{"op": "median", "column": "id"}]}, 400, "bad_field"),
        ("/select", {**T, "aggregates": [{"op": "sum"}]}, 400, "missing_field"),
        ("/select", {**T, "aggregates": [{"op": "sum", "column": "name"}]}, 400, "bad_field"),
        ("/select", {**T, "aggregates": [{"op": "sum", "column": "nope"}]}, 400, "unknown_column"),
        ("/select", {**T, "aggregates": [{"op": "count"}, {"op": "count"}]}, 400, "bad_field"),
        ("/select", {**T, "aggregates": [{"op": "count", "as": ""}]}, 400, "bad_field"),
        ("/select", {**T, "aggregates": [{"op": "count"}], "columns": ["id"]}, 400, "bad_field"),
        ("/select", {**T, "group_by": ["name"], "columns": ["id"]}, 400, "bad_field"),
        ("/select", {**T, "group_by": ["name"], "order_by": ["id"]}, 400, "bad_field"),
        ("/select", {**T, "group_by": ["nope"]}, 400, "unknown_column"),
        ("/select", {**T, "having": "id > 1"}, 400, "bad_field"),
        ("/select", {**T, "aggregates": [{"op": "count"}], "having": "id > 1"}, 400, "unknown_column"),
        ("/select", {**T, "aggregates": [{"op": "count"}], "having": "count >"}, 400, "bad_condition"),
        ("/select", {**T, "aggregates": [{"op": "count"}], "params": {"a": 1}}, 400, "bad_field"),
        ("/select", {**T, "allow_partial": "yes"}, 400, "bad_field"),
        ("/select", {**T, "partial": True}, 400, "bad_field"),
        ("/explain", {**T, "order_by": ["nope"]}, 400, "unknown_column"),
        ("/explain", {**T, "data": {}}, 400, "bad_field"),
        ("/select", {**T, "nonsense": True}, 400, "bad_field"),
        ("/update", {**T, "set": {"n": 0}}, 400, "unsafe_statement"),
        ("/update", {**T, "set": {"n": 0}, "condition": ""}, 400, None),
        ("/update", {**T, "set": {"n": 0}, "condition": "1 = 1"}, 400, "unsafe_statement"),
        ("/update", {**T, "set": {"id": 0}, "condition": "id = 1"}, 400, "unsafe_statement"),
        ("/update", {**T, "set": {"n": 0}, "condition": "n = 1"}, 400, "shard_key_required"),
        ("/update", {**T, "set": {"n": 0}, "condition": "id = 1 OR id = 2 OR id = 3"}, 400, "shard_key_required"),
        ("/update", {**T, "set": {}, "condition": "id = 1"}, 400, "bad_field"),
        ("/update", {**T, "condition": "id = 1"}, 400, "missing_field"),
        ("/update", {**T, "set": {"nope": 0}, "condition": "id = 1"}, 400, "unknown_column"),
        ("/update", {**T, "set": {"n": 99999}, "condition": "id = 1"}, 422, "bad_value"),
        ("/update", {**T, "set": {"name": None}, "condition": "id = 1"}, 422, "bad_value"),
        ("/update", {**T, "set": {"n": 0}, "condition": "id = 1", "scatter": "yes"}, 400, "bad_field"),
        ("/delete", T, 400, "unsafe_statement"),
        ("/delete", {**T, "condition": "'a' = 'a'"}, 400, "unsafe_statement"),
        ("/delete", {**T, "condition": "n = 1"}, 400, "shard_key_required"),
        ("/delete", {**T, "condition": "id = 1 OR 1 = 1"}, 400, None),
        ("/delete", {**T, "condition": "id = 1", "shard_key": 3}, 400, "shard_key_mismatch"),
        ("/map-reduce-count", {**T, "condition": "id ! 1"}, 400, "bad_condition"),
        ("/map-reduce-count", {"db_name": "Err", "table": "U"}, 404, "no_such_table"),
        ("/map-reduce-count", {"db_name": "Err"}, 400, "missing_field"),
    )

    def test_refused(self):
        for path, body, status, code in self.REFUSED:
            with self.subTest(path=path, body=json.dumps(body)[:120]):
                answer = self.api.post(path, body)
                self.assertEqual(answer.status, status, answer)
                if code:
                    self.assertEqual(answer.code, code, answer)
                self.assertEqual(answer.json["outcome"], "not_applied")
                self.check_problem(answer)

    BAD_JSON = (
        b"", b" ", b"x", b"[]", b'"a"', b"1", b"null", b"{", b'{"db_name":"Err",}', b'{"db_name":"Err","db_name":"Err"}',
        b'{"db_name":"Err","db\\u005fname":"Err"}', b'{"db_name":"E\x01rr"}', b'{"db_name":NaN}', b'{"db_name":Infinity}',
        b'{"db_name":"\xff"}', b'{"db_name":"\xc0\xaf"}', b'{"db_name":"\\ud800"}', b'{"db_name":"\xed\xa0\x80"}', b'{"a\\u0000":1}',
        b'{"a":' + b"[" * 17 + b"]" * 17 + b"}", b'{"db_name":"Err"} x', b'{"db_name":"Err"}{}', b'{"a":01}', b'{"a":+1}', b'{"a":.5}',
        b'{"a":1.}', b'{"db_name":"Err\\u0000"}', b'{"db_name":"Err","table":"T\\u0000x"}', b'{"db_name":"Err","table":"T","columns":["id\\u0000"]}', b"{'a':1}", b'{"a":1} /* c */', b"\xef\xbb\xbf{}", b'{"a":"\\x41"}', b'{"a":tru}', b"{" * 5000, b"[" * 100000)

    def test_bad_json(self):
        for body in self.BAD_JSON:
            with self.subTest(body=body[:60]):
                problem = self.refused(400, "bad_json", "/select", body)
                if body.strip():
                    self.assertIn("byte", problem["detail"])

    def test_paths_and_methods(self):
        answer = self.api.get("/nothing")
        self.assertEqual((answer.status, answer.code), (404, "no_such_path"))
        self.check_problem(answer)
        for path in ("/", "/select/", "/SELECT", "/../select", "/describe", "/batch"):
            self.assertEqual(self.api.get(path).status, 404, path)
        answer = self.api.get("/select")
        self.assertEqual((answer.status, answer.code), (405, "method_not_allowed"))
        self.assertIn("POST", answer.headers["allow"])
        for method in ("PUT", "DELETE", "PATCH"):
            self.assertEqual(self.api.request(method, "/select", {}).status, 405)
        self.assertEqual(self.api.post("/metadata", {}).status, 405)
        self.assertEqual(self.api.get("/metadata?x=1").status, 200)

    def test_content_types(self):
        body = json.dumps({**T}).encode()
        for value in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
            self.assertEqual(self.api.request("POST", "/select", body, {"Content-Type": value}).status, 200, value)
        for value in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            answer = self.api.request("POST", "/select", body, {"Content-Type": value})
            self.assertEqual((answer.status, answer.code), (415, "not_json"), value)

    def test_body_too_large(self):
        answer = self.api.post("/insert", {**T, "data": {"id": 99, "name": "a" * (9 << 20)}})
        self.assertEqual(answer.status, 413)

    def test_cors(self):
        answer = self.api.request("OPTIONS", "/select", headers={"Origin": "http://a.example"})
        self.assertEqual(answer.status, 204)
        self.assertIn("POST", answer.headers["access-control-allow-methods"])
        self.assertIn("content-type", answer.headers["access-control-allow-headers"].lower())
        for answer in (answer, self.api.get("/metadata"), self.api.get("/nothing"), self.api.post("/select", {})):
            self.assertEqual(answer.headers["access-control-allow-origin"], "*")
            self.assertIn("x-request-id", answer.headers)
            self.assertIn("server-timing", answer.headers)

    def test_request_id(self):
        self.assertEqual(self.api.get("/metadata", X_Request_Id="my-id.7").headers["x-request-id"], "my-id.7")
        for bad in ("x" * 200, "a b", "<script>", 'a"b'):
            self.assertNotEqual(self.api.get("/metadata", X_Request_Id=bad).headers["x-request-id"], bad)
        answer = self.api.post("/select", {}, X_Request_Id="my-id.8")
        self.assertEqual(answer.json["request_id"], "my-id.8")

    def test_timeout_header(self):
        for bad in ("x", "-1", "0", "1.5", "99999999999999999999"):
            answer = self.api.post("/select", T, X_Timeout_Ms=bad)
            self.assertEqual((answer.status, answer.code), (400, "bad_field"), bad)
        self.assertEqual(self.api.post("/select", T, X_Timeout_Ms="4000").status, 200)
        self.assertEqual(self.api.post("/select", T, X_Timeout_Ms="99999").status, 200)


if __name__ == "__main__":
    harness.main()
