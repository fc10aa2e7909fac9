#!/usr/bin/env python3
"""A question to all shards beside the same question to each one alone: the gateway's median time against the slowest shard's own,
in interleaved rounds.

    make bench-shards        (BENCH="rows rounds": 1000000 and 30)

Three shards of embedded databases on this machine. "alone" asks a shard's worker, as the master does. On fewer cores than shards
the three work in turns, so that the aggregates' best ratio is the number of shards over the number of cores.
"""

import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import bench_scatter  # noqa: E402
import harness  # noqa: E402

SMALL = {"db_name": "Bench", "table": "Small"}
SHAPES = (  # name, body for the gateway, rounds per repetition
    ("select of 300 rows", SMALL, 10),
    ("the same, order_by", {**SMALL, "order_by": ["student_id"]}, 10),
    ("count", {**bench_scatter.T, "aggregates": [{"op": "count"}]}, 1),
    ("sum, min, max", {**bench_scatter.T, "aggregates": [{"op": "sum", "column": "score"}, {"op": "min", "column": "score"}, {"op": "max", "column": "score"}]}, 1),
    ("1,000 groups", {**bench_scatter.T, "group_by": ["name"], "aggregates": [{"op": "count"}]}, 1),
)


def ask(api, body, headers):
    started = time.monotonic()
    answer = api.request("POST", "/select", body, headers)
    took = time.monotonic() - started
    if answer.status != 200:
        raise SystemExit(f"bench: {answer}")
    return took * 1000


def main():
    rows, rounds = (int(a) for a in (sys.argv[1:] + ["1000000", "30"][len(sys.argv) - 1:]))
    cluster = harness.Cluster()
    cluster.config["timeout_ms"] = 60000
    cluster.config_file.write_text(harness.json.dumps(cluster.config))
    cluster.start()
    try:
        bench_scatter.fill(cluster, rows)
        cluster.api.post("/create-table", {**SMALL, "columns": {"student_id": "INT", "name": "NVARCHAR(40)"}})
        cluster.api.post("/insert", {**SMALL, "data": [{"student_id": k, "name": f"name {k}"} for k in range(300)]})
        for worker, suffix in cluster.shards:
            cluster.tsql(worker, f"UPDATE [Bench{suffix}].[dbo].[Rows] SET name = N'group ' + CAST(student_id % 1000 AS NVARCHAR(10))")
        workers = [cluster.worker(name) for name, _ in cluster.shards]
        token = {"X-Master-Token": cluster.token}
        print(f"{'question':<22}{'gateway ms':>12}{'slowest alone':>15}{'ratio':>8}{'sum of all':>12}")
        for name, body, times in SHAPES:
            whole, alone = [], [[] for _ in workers]
            for _ in range(rounds):
                for _ in range(times):
                    whole.append(ask(cluster.api, body, {}))
                    for i, worker in enumerate(workers):
                        alone[i].append(ask(worker, body, token))
            medians = [statistics.median(a) for a in alone]
            print(f"{name:<22}{statistics.median(whole):>12.2f}{max(medians):>15.2f}{statistics.median(whole) / max(medians):>8.2f}{sum(medians):>12.2f}", flush=True)
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
