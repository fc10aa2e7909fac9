#!/usr/bin/env python3
"""Measures a select that meets a million rows over all shards: rows a second, the time to the first, and the most memory
that master and workers held meanwhile.

    SHARDGATE_BUILD=build python3 tests/bench/bench_scatter.py [rows] [repetitions]     (or: make bench-scatter)

Three shards of embedded databases on this machine; rows of an INT, an NVARCHAR of some 30 characters and a FLOAT. Every
answer is counted, and an ordered one is checked for its order.
"""

import json
import pathlib
import re
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import harness  # noqa: E402

T = {"db_name": "Bench", "table": "Rows"}
BLOCK = 1 << 16
SHAPES = (
    ("plain", {}),
    ("ordered", {"order_by": ["student_id"]}),
    ("ordered, 10 rows", {"order_by": ["student_id"], "limit": 10}),
    ("one shard", {"shard_key": 1}),
)


def fill(cluster, rows):
    """Gives each shard its third, by doubling: which shard a key belongs to does not matter to a scatter."""
    cluster.api.post("/create-db", {"db_name": "Bench"})
    cluster.api.post("/create-table", {**T, "columns": {"student_id": "INT", "name": "NVARCHAR(40)", "score": "FLOAT"}})
    for i, (worker, suffix) in enumerate(cluster.shards):
        want = rows // len(cluster.shards) + (i < rows % len(cluster.shards))
        table = f"[Bench{suffix}].[dbo].[Rows]"
        script = [f"insert into {table} values ({i}, N'the name of a student, row', 0.5)"]
        have = 1
        while have < want:
            n = min(have, want - have)
            script.append(f"insert into {table} select student_id + {3 * have}, name, score + {have} from {table} where student_id < {3 * n}")
            have += n
        for sql in script:
            out = cluster.tsql(worker, sql)
            if "Msg" in out:
                raise SystemExit(out)
        out = cluster.tsql(worker, f"select count(*) from {table}")
        assert str(want) in out, out


def memory_kib(pid, field):
    """VmHWM, the most since reset_peak(), or VmRSS."""
    return int(re.search(field + r":\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def reset_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def select(port, body, ordered, pause=0.0):
    """Reads the answer as it comes, and looks at it when the time has been taken: rows, seconds to the first row, seconds in all.
    `pause`: seconds before each block."""
    text = json.dumps(body).encode()
    blocks, head, first = [], b"", None
    with socket.create_connection(("127.0.0.1", port), timeout=600) as s:
        started = time.monotonic()
        s.sendall(b"POST /select HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        while True:
            time.sleep(pause)
            block = s.recv(BLOCK)
            if not block:
                break
            blocks.append(block)
            if first is None:
                head += block
                if b"\"rows\":[" in head or b"problem" in head:
                    first = time.monotonic() - started
        took = time.monotonic() - started
    answer = b"".join(blocks)
    count = re.search(rb'"count":(\d+)', answer[-600:])
    keys = [int(key) for key in re.findall(rb'"student_id":(\d+),', answer)]
    assert count and int(count[1]) == len(keys), (len(keys), answer[-600:])
    assert not ordered or keys == sorted(keys)
    return len(keys), first, took


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    cluster = harness.Cluster()
    cluster.config["timeout_ms"] = 120000
    cluster.config["limits"] = {"max_rows": 100000000}
    cluster.config_file.write_text(json.dumps(cluster.config))
    cluster.start()
    try:
        fill(cluster, rows)
        pids = {pid: command for pid, command in cluster.processes().items() if re.search(r"shardgate-(master|worker|tdsd)", command)}
        name = lambda pid: re.search(r"shardgate-(master|worker|tdsd)", pids[pid])[1]
        cpu = lambda: {pid: sum(int(x) for x in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]) for pid in cluster.processes()}
        print("| select | rows | first row ms | seconds | rows/s | master MiB | worker MiB |\n|---|---|---|---|---|---|---|")
        for shape, fields in SHAPES:
            for _ in range(repetitions):
                for pid in pids:
                    reset_peak(pid)
                before = cpu()
                got, first, took = select(cluster.port, {**T, **fields}, "order_by" in fields)
                after = cpu()
                peak = lambda what: max(memory_kib(pid, "VmHWM") for pid in pids if name(pid) == what) / 1024
                print(f"| {shape} | {got} | {first * 1000:.0f} | {took:.2f} | {got / took:.0f} | {peak('master'):.1f} | {peak('worker'):.1f} |", flush=True)
                used = {}
                for pid, command in cluster.processes().items():
                    if pid in before:
                        key = pathlib.Path(command.split()[0]).name if command else "?"
                        used[key] = used.get(key, 0) + after[pid] - before[pid]
                print("#   cpu seconds: " + ", ".join(f"{k} {v / 100:.2f}" for k, v in sorted(used.items()) if v), file=sys.stderr)
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
