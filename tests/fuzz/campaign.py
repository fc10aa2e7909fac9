#!/usr/bin/env python3
"""Runs libFuzzer targets one after the other, for RUNS executions or SECONDS each, and prints what each of them did.

    campaign.py CORPUS TARGET…      the targets are programs fuzz_NAME; CORPUS has a folder NAME for each, and beside it
                                    may stand NAME.dict, a dictionary

What reaches new code is collected in finds/NAME, where the next campaign begins; a crash is written to finds/NAME-crash-…
Exit status 1: there are crashes.
"""

import os
import re
import subprocess
import sys

SECONDS = 60    # of each target, when neither is given
TIMEOUT_S = 25  # of one input
MEMORY_MB = 3000


def limit():
    runs, seconds = os.environ.get("RUNS"), os.environ.get("SECONDS")
    return f"-runs={int(runs)}" if runs else f"-max_total_time={int(seconds or SECONDS)}"


def coverage(log, moment):
    """The coverage at INITED or DONE, and how many inputs the corpus has; None when it was not reached."""
    found = re.search(rf"\t{moment}\s+cov: (\d+).* corp: (\d+)/(\S+)", log)
    return (int(found[1]), f"{found[2]} ({found[3]})") if found else None


def statistic(log, name):
    found = re.search(rf"stat::{name}:\s+(\d+)", log)
    return int(found[1]) if found else 0


def run(program, corpus):
    """Runs one target; its row of the table, and whether it crashed."""
    name = os.path.basename(program).removeprefix("fuzz_")
    finds = os.path.join("finds", name)
    os.makedirs(finds, exist_ok=True)
    words = os.path.join(os.path.dirname(os.path.abspath(corpus)), name + ".dict")
    command = [program, limit(), f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MB}", "-print_final_stats=1",
               f"-artifact_prefix=finds/{name}-", *([f"-dict={words}"] if os.path.exists(words) else []),
               *os.environ.get("FUZZ_OPTIONS", "").split(), finds, os.path.join(corpus, name)]
    log_path = os.path.join("finds", name + ".log")
    with open(log_path, "wb") as log_file:
        failed = subprocess.run(command, stdout=log_file, stderr=log_file, check=False).returncode != 0
    with open(log_path, encoding="utf-8", errors="replace") as log_file:
        log = log_file.read()
    start, end = coverage(log, "INITED"), coverage(log, "DONE")
    return (name, f"{statistic(log, 'number_of_executed_units'):,}", f"{statistic(log, 'average_exec_per_sec'):,}",
            end[1] if end else "", f"+{end[0] - start[0]}" if start and end else "",
            f"failed: {log_path}" if failed else "ok"), failed


def main():
    row_format = "{:<10} {:>14} {:>8} {:>16} {:>13}  {}"
    failures = 0
    print(row_format.format("target", "executions", "a second", "corpus", "new coverage", ""))
    for program in sys.argv[2:]:
        row, failed = run(program, sys.argv[1])
        print(row_format.format(*row), flush=True)
        failures += failed
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
