#!/usr/bin/env python3
"""A cluster under a steady load: does anything grow? First finds what it can do (a run at full speed), then holds 70 % of it with
256 clients (keyed reads and writes, with and without an Idempotency-Key, selects and counts over all shards) and looks at the memory
and the descriptors of each process every 5 s.

    make soak-load                                                  ten minutes
    SHARDGATE_SECONDS=60 SHARDGATE_JSON=soak.json make soak-load    a minute, and all samples in a file

A line is fitted through each process's samples of the last two thirds. It fails when that line rises by more than RISE_MIB and
RISE_PART of its middle, or by more than RISE_FDS descriptors (of what leaks once in 10,000 requests there are more); lighttpd's, which has one
for each request under way, are counted before and a while after the load instead. And when a process ended, or when an answer was wrong or an error. Refusals
(429) are counted and allowed: none is expected below the ceiling. What came late is in the latencies, which count from when a
request was due.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FAULTS.parents[0] / "integration")]
import harness  # noqa: E402

SECONDS = float(os.environ.get("SHARDGATE_SECONDS", "600"))
CLIENTS, KEYS, PART, CEILING_S, SAMPLE_S, LEFT_S = 256, 3000, 0.7, 10, 5, 5
MIX = "select=50,update=15,insert=10,keyed=5,scatter=10,count=10"
RISE_MIB, RISE_PART, RISE_FDS = 2, 0.03, 32
COLUMNS = {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(50)", "grade": "NVARCHAR(2)"}
CLIENT = harness.BUILD / "tests" / "bench" / "paced_client"


def fill(cluster):
    def post(path, body):
        answer = cluster.api.post(path, body)
        if answer.status != 200:
            raise SystemExit(f"soak: {path}: {answer}")
    post("/create-db", {"db_name": "Soak"})
    for table, size in (("T", KEYS), ("S", 300), ("W", 0)):
        post("/create-table", {"db_name": "Soak", "table": table, "columns": COLUMNS})
        if size:
            post("/insert", {"db_name": "Soak", "table": table,
                             "data": [{"student_id": k, "name": f"name {k}", "grade": "A"} for k in range(size)]})


def load(cluster, seconds, rate=0, seed=1, clients=CLIENTS, mix=MIX):
    """Starts the client."""
    return subprocess.Popen([str(CLIENT), "--port", str(cluster.port), "--clients", str(clients), "--seconds", str(seconds), "--rate", f"{rate:.1f}",
                             "--interval", str(SAMPLE_S), "--mix", mix, "--keys", str(KEYS), "--seed", str(seed)], stdout=subprocess.PIPE, text=True)


def name_of(command):
    """worker go, tds-server node, lighttpd of the workers …"""
    words = command.split()
    program = os.path.basename(words[0])
    if program == "shardgate-worker":
        return "worker " + words[words.index("--worker") + 1]
    if program == "shardgate-tdsd":
        return "tds-server " + os.path.basename(words[words.index("--data") + 1])
    if program == "lighttpd":
        return "lighttpd of the " + ("workers" if words[-1].endswith("workers.conf") else "master")
    return program.removeprefix("shardgate-")


def sample(cluster):
    """name → (pid, KiB of memory, of that its own, descriptors) of each process."""
    found = {}
    for pid, command in {cluster.launched.process.pid: "shardgate", **cluster.processes()}.items():
        try:
            status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            found[name_of(command)] = (pid, int(status["VmRSS"].split()[0]), int(status["RssAnon"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")))
        except (OSError, KeyError, IndexError):
            continue  # it is ending: the next sample has another pid, or none
    return found


def slope(points):
    """Of the line of least squares through (x, y)."""
    mean_x, mean_y = (sum(p[i] for p in points) / len(points) for i in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def judge(samples, left):
    """Prints the table; the names of what grew. `left`: a sample from after the load."""
    grown, rows = [], []
    end = samples[-1][0]
    kept = [(t, s) for t, s in samples if t >= end / 3]
    minutes = (kept[-1][0] - kept[0][0]) / 60
    for name, (pid, *_) in samples[0][1].items():
        if any(s.get(name, (0,))[0] != pid for _, s in samples):
            print(f"# {name}: it ended, or was started again")
            grown.append(name)
            continue
        memory = [(t / 60, s[name][1] / 1024) for t, s in kept]
        own = [(t / 60, s[name][2] / 1024) for t, s in kept]
        fds = [(t / 60, s[name][3]) for t, s in kept]
        middle = sum(m for _, m in memory) / len(memory)
        rise, rise_fds = slope(memory) * minutes, slope(fds) * minutes
        if name.startswith("lighttpd"):
            rise_fds = left[name][3] - samples[0][1][name][3]
        bad = (rise > RISE_MIB and rise > RISE_PART * middle) or rise_fds > RISE_FDS
        rows.append({"name": name, "first_mib": samples[0][1][name][1] / 1024, "last_mib": memory[-1][1], "peak_mib": max(s[name][1] for _, s in samples) / 1024,
                     "mib_a_minute": slope(memory), "own_mib_a_minute": slope(own), "fds": fds[-1][1], "fds_a_minute": slope(fds), "rise_mib": rise,
                     "rise_fds": rise_fds, "flat": not bad})
        if bad:
            grown.append(name)
    print(f"# over the last {minutes:.1f} minutes; more than {RISE_MIB} MiB and {RISE_PART:.0%}, or {RISE_FDS} descriptors, is growth")
    print(f"{'process':<26}{'first MiB':>10}{'last':>8}{'peak':>8}{'MiB/min':>9}{'own':>8}{'fds':>6}{'fds/min':>9}  ")
    for r in rows:
        print(f"{r['name']:<26}{r['first_mib']:>10.1f}{r['last_mib']:>8.1f}{r['peak_mib']:>8.1f}{r['mib_a_minute']:>9.3f}{r['own_mib_a_minute']:>8.3f}"
              f"{r['fds']:>6}{r['fds_a_minute']:>9.2f}  {'flat' if r['flat'] else 'GROWS'}")
    return grown, rows


def soak(cluster):
    fill(cluster)
    full = load(cluster, CEILING_S).communicate()[0].splitlines()
    ceiling = json.loads(full[-1])
    rate = PART * ceiling["rate"]
    print(f"# ceiling: {ceiling['rate']:.0f} requests a second with {CLIENTS} clients, p99 {ceiling['p99_ms']:.1f} ms, {ceiling['refused']} refused, "
          f"{ceiling['errors']} errors; now {rate:.0f} a second for {SECONDS:.0f} s", flush=True)
    time.sleep(LEFT_S)
    before = sample(cluster)
    client, samples, start = load(cluster, SECONDS, rate, seed=2), [(0, before)], time.monotonic()
    while client.poll() is None:
        samples.append((time.monotonic() - start, sample(cluster)))
        total = sum(s[1] for s in samples[-1][1].values()) / 1024
        print(f"# {samples[-1][0]:6.0f} s: {total:.1f} MiB, {sum(s[3] for s in samples[-1][1].values())} descriptors", flush=True)
        try:
            client.wait(max(0, start + len(samples) * SAMPLE_S - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
    lines = [json.loads(line) for line in client.stdout]
    samples = [s for s in samples if s[0] < SECONDS]
    held = lines[-1]
    time.sleep(LEFT_S)
    grown, rows = judge(samples, sample(cluster))
    print(f"# {held['requests']} requests, {held['requests'] / SECONDS:.0f} a second of {rate:.0f} wanted; p50 {held['p50_ms']:.2f}, p99 {held['p99_ms']:.1f}, longest "
          f"{held['longest_ms']:.0f} ms; {held['refused']} refused, {held['errors']} errors, {held['reconnects']} connections made anew")
    if "SHARDGATE_JSON" in os.environ:
        pathlib.Path(os.environ["SHARDGATE_JSON"]).write_text(json.dumps({
            "ceiling": ceiling, "rate": rate, "held": held, "parts": lines[:-1], "processes": rows,
            "samples": [{"s": t, **{n: {"kib": v[1], "own_kib": v[2], "fds": v[3]} for n, v in s.items()}} for t, s in samples]}, indent=1))
    bad = [f"{n} grows, or ended" for n in grown]
    if held["errors"] or client.returncode:
        bad.append(f"{held['errors']} errors, the client's exit status is {client.returncode}")
    if held["requests"] < 0.95 * rate * SECONDS:
        bad.append("the rate was not held")
    return bad


def main():
    cluster = harness.Cluster()
    try:
        cluster.start()
        bad = soak(cluster)
    finally:
        cluster.stop()
    print("soak: " + ("; ".join(bad) if bad else "flat, and no errors"))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
