#!/usr/bin/env python3
"""Bulk in, rows a second: /insert of rows as lines over three shards beside freebcp into one and into three tds-servers.

    python3 -B tests/bench/bench_bulk.py [--rows 300000] [--rounds 5]     (or: make bench-bulk)

SHARDGATE_BUILD and SHARDGATE_SOURCE name the folders as for the integration tests. A cluster of its own is started; the three
ways take turns, each into a table of its own with three columns and a primary key, so that a machine that is busy with other
things is busy with them for all three. What is printed is the median, and of the ratios to freebcp in the same turn."""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import harness  # noqa: E402

DB = "BulkBench"
COLUMNS = {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(50)", "grade": "NVARCHAR(2)"}


def write_files(folder, rows):
    """The same rows as lines of JSON, and as freebcp's text: whole, and in three parts."""
    names = [folder / "rows.ndjson", folder / "rows.txt"] + [folder / f"part{i}.txt" for i in range(3)]
    files = [open(n, "w") for n in names]
    for n in range(rows):
        files[0].write(f'{{"student_id":{n},"name":"Student {n}","grade":"A"}}\n')
        text = f"{n}\tStudent {n}\tA\n"
        files[1].write(text)
        files[2 + n % 3].write(text)
    for f in files:
        f.close()
    return names


def freebcp(cluster, worker, suffix, table, file):
    return subprocess.Popen(
        ["freebcp", f"{DB}{suffix}.dbo.{table}", "in", str(file), "-c", "-t", "\t", "-b", "4000", "-S", f"127.0.0.1:{cluster.tds_ports[worker]}",
         "-U", "sa", "-P", cluster.tds_password], env={**os.environ, "TDSVER": "7.4"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stream(cluster, table, file):
    return subprocess.Popen(
        ["curl", "-sSf", "-o", os.devnull, "-H", "Content-Type: application/x-ndjson", "-T", str(file), "-X", "POST",
         f"http://127.0.0.1:{cluster.port}/insert?db_name={DB}&table={table}"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=300000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("lines", "one", "three"), help="one way only, for a profiler")
    o = parser.parse_args()
    cluster = harness.Cluster().start()
    try:
        api = harness.Api(cluster.port)
        files = write_files(cluster.folder, o.rows)
        assert api.post("/create-db", {"db_name": DB}).status == 200
        ways = {
            "lines": lambda t: [stream(cluster, t, files[0])],
            "one": lambda t: [freebcp(cluster, "go", "GO", t, files[1])],
            "three": lambda t: [freebcp(cluster, w, s, t, files[2 + i]) for i, (w, s) in enumerate(cluster.shards)],
        }
        rates = {name: [] for name in ways if o.only in (None, name)}
        for turn in range(o.rounds):
            for name in rates:
                table = f"T{turn}_{name}"
                assert api.post("/create-table", {"db_name": DB, "table": table, "columns": COLUMNS}).status == 200
                started = time.monotonic()
                status = [p.wait() for p in ways[name](table)]
                rates[name].append(o.rows / (time.monotonic() - started))
                count = api.post("/map-reduce-count", {"db_name": DB, "table": table}).json["total"]
                assert status == [0] * len(status) and count == o.rows, (name, status, count)
                api.post("/delete-table", {"db_name": DB, "table": table})
        for name, r in rates.items():
            print(f"{name:6} {statistics.median(r):9.0f} rows/s   ({', '.join(f'{v:.0f}' for v in r)})")
        for name in ("one", "three"):
            if "lines" in rates and name in rates:
                print(f"lines / {name:5} {statistics.median(a / b for a, b in zip(rates['lines'], rates[name])):.2f}")
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
