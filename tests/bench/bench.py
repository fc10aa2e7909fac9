#!/usr/bin/env python3
"""The gateway beside its ceilings, in interleaved rounds of one run: the bare chain (two hops that do nothing) and a direct loop
over FreeTDS on the same database; and beside itself without batches ("one by one"). Before that the time of a start and the memory of a cluster that nobody asks anything, behind it
the most memory under that load, and what is left of it. Prints a table, writes JSON, and a plot if asked for one.

    make bench                                    all rows, 1, 32 and 128 clients, five rounds of 3 s
    make bench BENCH="--rows keyed_select --clients 32 --rounds 7 --plot docs/bench.svg"
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["SHARDGATE_SOURCE"], "tests", "integration"))
import harness
from harness import BUILD, Cluster
from test_http import ProbeCluster

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
DB, KEYS, MILLION = "Bench", 3000, 1_000_000
TABLE = {"db_name": DB, "table": "T"}
COLUMNS = {"student_id": "INT PRIMARY KEY", "name": "NVARCHAR(50)", "grade": "NVARCHAR(2)"}

# name: path, the Lua expression of the body (n: a number that no other request of this run has; k: a random key), what
# of the direct loop and whether the bare chain it is compared with, clients that make no sense left out
ROWS = {
    "keyed_select": ("/select", """'{"db_name":"Bench","table":"T","condition":"student_id = ' .. k .. '"}'""", "select", True),
    "keyed_insert": ("/insert", """'{"db_name":"Bench","table":"W","data":{"student_id":' .. n .. ',"name":"Ali","grade":"A"}}'""", "insert", False),
    "keyed_update": ("/update", """'{"db_name":"Bench","table":"T","set":{"grade":"B"},"condition":"student_id = ' .. k .. '"}'""", "update", False),
    "scatter_300": ("/select", """'{"db_name":"Bench","table":"S"}'""", None, False),
    "count": ("/map-reduce-count", """'{"db_name":"Bench","table":"T"}'""", None, False),
    "insert_1000": ("/insert", "array(n)", None, False),
    "scatter_million": ("/select", """'{"db_name":"Bench","table":"M"}'""", None, False),
}
WRITES = ("keyed_insert", "keyed_update", "insert_1000")
ONE_CLIENT = ("scatter_million",)
SETTLED_S = 12  # after this long all have given back what they freed (common/memory.h)

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local next_number, keys = %(first)d, %(keys)d
math.randomseed(%(first)d)
local function array(n)
  local rows = {}
  for i = 1, 1000 do rows[i] = '{"student_id":' .. (n * 1000 + i) .. ',"name":"Ali","grade":"A"}' end
  return '{"db_name":"Bench","table":"A","data":[' .. table.concat(rows, ",") .. ']}'
end
request = function()
  local n, k = next_number, math.random(0, keys - 1)
  next_number = next_number + 1
  return wrk.format(nil, "%(path)s", nil, %(body)s)
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%%d,"seconds":%%f,"errors":%%d,"p50_ms":%%f,"p99_ms":%%f}\\n', summary.requests,
    summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-bench-"))
        self.first = 1_000_000
        self.cluster, self.bare, self.single = Cluster(), ProbeCluster(), None
        self.starts = self.measure_starts()
        self.memory = {"idle": self.measure_memory(settle=True)}
        for name in ("shardgate-worker", "shardgate-master"):
            shutil.copy(BUILD / "tests" / "bench" / "bare_chain", self.bare.folder / name)
        self.bare.start()
        self.single = self.start_single()
        self.fill()

    def start_single(self):
        """A second master beside the first, which asks the workers for each request by itself. It is an Api with its processes."""
        known = set(self.cluster.processes())
        config = {**self.cluster.config, "master": {**self.cluster.config["master"], "batching": False}}
        file = self.folder / "single.json"
        file.write_text(json.dumps(config))
        api = self.cluster.start_backup(file)
        api.pids = set(self.cluster.processes()) - known
        return api

    def measure_starts(self):
        """Seconds from `shardgate up` to its line `ready`: the first makes the data folder, the others find it. The last one runs on."""
        seconds = []
        while True:
            began = time.monotonic()
            self.cluster.start()
            seconds.append(time.monotonic() - began)
            if len(seconds) > self.options.starts:
                return seconds
            self.cluster.launched.stop()

    def close(self):
        self.bare.clear()
        self.cluster.stop()
        shutil.rmtree(self.folder)

    def post(self, path, body):
        answer = self.cluster.api.post(path, body)
        if answer.status != 200:
            raise SystemExit(f"bench: {path}: {answer}")

    def fill(self):
        self.post("/create-db", {"db_name": DB})
        sizes = {"T": KEYS, "S": 300, "W": 0, "A": 0}
        if "scatter_million" in self.options.rows:
            sizes["M"] = MILLION
        for table, size in sizes.items():
            self.post("/create-table", {"db_name": DB, "table": table, "columns": COLUMNS})
            for first in range(0, size, 10000):
                rows = [{"student_id": k, "name": f"name {k}", "grade": "A"} for k in range(first, min(first + 10000, size))]
                self.post("/insert", {"db_name": DB, "table": table, "data": rows})
        # The direct loop has the whole table in one database.
        port = self.cluster.tds_ports["go"]
        harness.tsql(port, self.cluster.tds_password, "CREATE DATABASE Direct")
        for table in ("T", "W"):
            harness.tsql(port, self.cluster.tds_password, f"CREATE TABLE {table} (student_id INT PRIMARY KEY, name NVARCHAR(50), grade NVARCHAR(2))", "Direct")
        for first in range(0, KEYS, 1000):
            values = ",".join(f"({k}, N'name {k}', N'A')" for k in range(first, first + 1000))
            harness.tsql(port, self.cluster.tds_password, f"INSERT INTO T VALUES {values}", "Direct")

    # What the processes of a cluster have used: name → CPU µs, and the most memory they had.
    def processes(self, cluster):
        if cluster is self.bare:
            commands = {pid: pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in self.bare.pids()}
        else:
            commands = cluster.processes()
        for pid, command in commands.items():
            name = os.path.basename(command.split()[0]) if command else ""
            for role, words in (("lighttpd", "lighttpd"), ("master", "shardgate-master"), ("worker", "shardgate-worker"), ("tds-server", "shardgate-tdsd")):
                if name == words:
                    yield pid, role

    def cpu(self, cluster):
        used = {}
        for pid, role in self.processes(self.bare if cluster is self.bare else self.cluster):
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            fields = stat[stat.rindex(")") + 2:].split()
            used[role] = used.get(role, 0) + (int(fields[11]) + int(fields[12])) * TICK_US
        return used

    def measure_memory(self, settle=False):
        """A row for each process, the launcher too, in KiB: VmRSS, VmHWM, RssAnon (its own), RssFile (files; each process counts the
        pages that it shares with others), and Pss, which counts a shared page once in all."""
        if settle:
            time.sleep(SETTLED_S)
        rows = []
        for pid, role in [(self.cluster.launched.process.pid, "launcher"), *self.processes(self.cluster)]:
            if self.single and pid in self.single.pids:
                continue
            row = {key: size // 1024 for key, size in harness.memory(pid).items() if key in ("VmRSS", "VmHWM", "RssAnon", "RssFile")}
            row["Pss"] = int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
            rows.append({"process": role, **row})
        return rows

    def forget_peaks(self):
        for pid in self.cluster.processes():
            harness.forget_peak_memory(pid)

    def wrk(self, cluster, row, clients):
        path, body = ROWS[row][:2]
        script = self.folder / "wrk.lua"
        script.write_text(LUA % {"first": self.first, "keys": KEYS, "path": path, "body": body})
        self.first += 1_000_000 if row != "insert_1000" else 1000
        before = self.cpu(cluster)
        command = ["wrk", "-t1", f"-c{clients}", f"-d{self.options.seconds}s", "--timeout", "60s", "-s", str(script), f"http://127.0.0.1:{cluster.port}"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        result = json.loads(re.search(r"^RESULT (.*)$", output, re.M)[1])
        time.sleep(0.2)  # the last requests of wrk, which it does not count, end
        after = self.cpu(cluster)
        if result["errors"]:
            print(f"bench: {row}, {clients} clients: {result['errors']} errors of {result['requests']}", file=sys.stderr)
        requests = max(1, result["requests"])
        return {"rate": requests / result["seconds"], "requests": requests, "p50_ms": result["p50_ms"], "p99_ms": result["p99_ms"], "errors": result["errors"],
                "cpu_us": {role: (after[role] - before.get(role, 0)) / requests for role in after}}

    def direct(self, row, clients):
        mode = ROWS[row][2]
        first, keys = (self.first, 1) if mode == "insert" else (0, KEYS)
        self.first += 1_000_000
        command = [str(BUILD / "tests/bench/direct_loop"), str(self.cluster.tds_ports["go"]), self.cluster.tds_password, "Direct", mode, str(clients),
                   str(self.options.seconds), str(first), str(keys)]
        result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return {"rate": result["requests"] / result["seconds"], "p50_ms": result["p50_ms"], "p99_ms": result["p99_ms"], "errors": 0, "cpu_us": {}}

    def measure(self, row, clients):
        """Rounds of all targets in turn, and the median of each figure."""
        targets = {"shardgate": lambda: self.wrk(self.cluster, row, clients)}
        if row.startswith("keyed"):
            targets["one by one"] = lambda: self.wrk(self.single, row, clients)
        if ROWS[row][3]:
            targets["bare chain"] = lambda: self.wrk(self.bare, row, clients)
        if ROWS[row][2]:
            targets["direct loop"] = lambda: self.direct(row, clients)
        rounds = {name: [] for name in targets}
        for _ in range(self.options.rounds):
            for name, run in targets.items():
                rounds[name].append(run())
        results = {}
        for name, all_rounds in rounds.items():
            middle = {key: statistics.median(r[key] for r in all_rounds) for key in ("rate", "p50_ms", "p99_ms", "errors")}
            roles = all_rounds[0]["cpu_us"]
            middle["cpu_us"] = {role: statistics.median(r["cpu_us"].get(role, 0) for r in all_rounds) for role in roles}
            middle["rates"] = [r["rate"] for r in all_rounds]
            results[name] = middle
        for name in results:  # a ratio of each round, then the median: the machine's mood falls out
            results[name]["of"] = statistics.median(a["rate"] / b["rate"] for a, b in zip(rounds["shardgate"], rounds[name]))
        if row in WRITES:
            results["shardgate"]["syncs"] = self.count_syncs(row, clients)
        return results

    def count_syncs(self, row, clients):
        """How often a database syncs a file, for each write that is acknowledged: a round of its own, because counting slows it down."""
        pids = [str(pid) for pid, role in self.processes(self.cluster) if role == "tds-server"]
        counted = self.folder / "syncs"
        command = ["strace", "-f", "-q", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", str(counted), *(f"-p{pid}" for pid in pids)]
        strace = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        requests = self.wrk(self.cluster, row, clients)["requests"]
        strace.terminate()
        strace.wait()
        syncs = len(re.findall(r"\b(?:fsync|fdatasync)\(", counted.read_text()))
        return syncs / requests


HEAD = f"{'row':<16}{'clients':>8}  {'target':<12}{'req/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'gateway is':>12}   CPU µs a request"


def line(row, clients, target, r):
    cpu = "  ".join(f"{role} {used:.0f}" for role, used in r["cpu_us"].items() if used >= 0.5)
    if "syncs" in r:
        cpu += f"  syncs {r['syncs']:.2f}"
    of = "" if target == "shardgate" else f"{r['of']:.2f} of it"
    return f"{row:<16}{clients:>8}  {target:<12}{r['rate']:>10.1f}{r['p50_ms']:>9.2f}{r['p99_ms']:>9.2f}{of:>12}   {cpu}"


def memory_line(name, rows):
    mib = {key: sum(row[key] for row in rows) / 1024 for key in ("VmRSS", "VmHWM", "RssAnon", "Pss")}
    return (f"{name}: {mib['VmRSS']:.1f} MiB RSS in all {len(rows)} processes ({mib['RssAnon']:.1f} of them private, "
            f"{mib['Pss']:.1f} with shared pages counted once); at their largest {mib['VmHWM']:.1f}")


def plot(path, results):
    """Requests a second by row and target, at the largest number of clients measured."""
    clients = max(r["clients"] for r in results)
    rows = [r for r in results if r["clients"] == clients] or results
    targets = ["shardgate", "one by one", "bare chain", "direct loop"]
    data = "\n".join(" ".join([r["row"]] + [f"{r['results'][t]['rate']:.1f}" if t in r["results"] else "?" for t in targets]) for r in rows)
    series = ", ".join(f"$d using {i + 2}:xtic(1) title '{t}'" for i, t in enumerate(targets))
    script = f"""set terminal svg size 900,420 background '#ffffff'; set output '{path}'
set style data histogram; set style fill solid 0.8 border -1; set datafile missing '?'; set xtics noenhanced
set ylabel 'requests a second'; set logscale y; set grid ytics; set title '{clients} clients'
$d << END
{data}
END
plot {series}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), type=lambda s: s.split(","))
    parser.add_argument("--clients", default="1,32,128", type=lambda s: [int(n) for n in s.split(",")])
    parser.add_argument("--rounds", default=5, type=int)
    parser.add_argument("--starts", default=9, type=int)
    parser.add_argument("--seconds", default=3, type=int)
    parser.add_argument("--json", default="bench.json", type=pathlib.Path)
    parser.add_argument("--plot", type=pathlib.Path)
    options = parser.parse_args()
    unknown = set(options.rows) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    for tool in ["wrk", "strace"] + (["gnuplot"] if options.plot else []):
        if shutil.which(tool) is None:
            parser.error(f"{tool} is missing: apt-get install wrk strace gnuplot-nox")
    bench, results = Bench(options), []
    try:
        print(f"start: {statistics.median(bench.starts[1:]):.2f} s at the median of {len(bench.starts) - 1}, {bench.starts[0]:.2f} s in a new data folder")
        print(f"{memory_line('idle', bench.memory['idle'])}\n{HEAD}", flush=True)
        bench.forget_peaks()
        for row in options.rows:
            for clients in [1] if row in ONE_CLIENT else options.clients:
                measured = bench.measure(row, clients)
                results.append({"row": row, "clients": clients, "results": measured})
                for target, r in measured.items():
                    print(line(row, clients, target, r), flush=True)
        bench.memory["under load"] = bench.measure_memory()
        bench.memory["idle after it"] = bench.measure_memory(settle=True)
        for name in ("under load", "idle after it"):
            print(memory_line(name, bench.memory[name]))
        options.json.write_text(json.dumps({"rows": results, "start_s": bench.starts, "memory_kib": bench.memory}, indent=1))
        if options.plot:
            plot(options.plot, results)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
