#!/usr/bin/env python3
"""Page 1 beside page 10,000, by cursor and by offset, in interleaved rounds. Prints a table.

    SHARDGATE_BUILD=$PWD SHARDGATE_SOURCE=.. python3 -B ../tests/bench/bench_pages.py [rounds]     (or: make bench-pages)
"""

import json
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.environ["SHARDGATE_SOURCE"], "tests", "integration"))
import harness

ROWS, PAGE, DEEP = 300_000, 20, 10_000
T = {"db_name": "Pages", "table": "T"}
ORDERS = {
    "the key": [],
    "an indexed column": ["score"],
    "a column without an index": ["name"],
}


def post(api, path, body):
    answer = api.post(path, body)
    assert answer.status == 200, answer
    return answer.json


def fill(cluster):
    api = cluster.api
    post(api, "/create-db", {"db_name": "Pages"})
    post(api, "/create-table", {**T, "columns": {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(50)", "score": "INT NOT NULL"}})
    for first in range(0, ROWS, 3000):
        post(api, "/insert", {**T, "data": [{"student_id": i, "name": f"Student {i * 7919 % ROWS}", "score": i * 104729 % 100_003}
                                            for i in range(first, first + 3000)]})
    for worker, suffix in harness.Cluster.NAMES:
        cluster.tsql(worker, "CREATE INDEX by_score ON T (score, student_id)", f"Pages{suffix}")


def timed(api, body):
    start = time.perf_counter()
    rows = post(api, "/select", body)["rows"]
    assert len(rows) == PAGE
    return (time.perf_counter() - start) * 1000, rows


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    cluster = harness.Cluster()
    cluster.config["timeout_ms"] = 60000
    cluster.config_file.write_text(json.dumps(cluster.config))
    cluster.start()
    try:
        fill(cluster)
        print(f"{ROWS} rows on three shards, pages of {PAGE}, median of {rounds} rounds in ms")
        print("| order | page 1 | page 10,000 by cursor | ratio | page 10,000 by offset |")
        print("|---|---|---|---|---|")
        for name, order in ORDERS.items():
            query = {**T, "order_by": order}
            before = PAGE * (DEEP - 1)
            after = post(cluster.api, "/select", {**query, "limit": before})["next"]
            bodies = [{**query, "limit": PAGE}, {**query, "limit": PAGE, "after": after}, {**query, "limit": PAGE, "offset": before}]
            times = [[], [], []]
            for n in range(rounds):
                answers = []
                for i in (range(3) if n < 3 else range(2)):
                    ms, rows = timed(cluster.api, bodies[i])
                    times[i].append(ms)
                    answers.append(rows)
                assert len(answers) < 3 or answers[1] == answers[2]
            first, deep, offset = (statistics.median(t) for t in times)
            ratio = statistics.median(b / a for a, b in zip(times[0], times[1]))
            print(f"| {name} | {first:.2f} | {deep:.2f} | {ratio:.2f} | {offset:.0f} |", flush=True)
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
