#!/usr/bin/env python3
"""Adds to a corpus the few finds of a campaign that reach the most code which the corpus does not.

    pick.py TARGET CORPUS FINDS [MOST]      the corpus gets no more than MOST files (60)

A set cover, greedily: libFuzzer's own -merge takes all that reach anything new, hundreds of files.
"""

import os
import shutil
import subprocess
import sys
import tempfile

MOST = 60


def coverage(program, folders):
    """For each file of the folders, which edges it covers. libFuzzer's merge writes them down; what it merges is thrown away."""
    with tempfile.TemporaryDirectory() as scratch:
        control, merged = os.path.join(scratch, "control"), os.path.join(scratch, "merged")
        os.mkdir(merged)
        subprocess.run([program, "-set_cover_merge=1", "-use_counters=0", f"-merge_control_file={control}", merged, *folders],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(control, encoding="utf-8") as file:
            lines = file.read().split("\n")
    count = int(lines[0])
    names = lines[2:2 + count]  # behind the number of files that were merged before
    edges = {}
    for line in lines[2 + count:]:
        word, *numbers = line.split(" ")
        if word == "FT":
            edges[names[int(numbers[0])]] = {int(n) for n in numbers[1:] if n}
    return edges


def main():
    program, corpus, finds = (argument.rstrip("/") for argument in sys.argv[1:4])
    most = int(sys.argv[4]) if len(sys.argv) > 4 else MOST
    edges = coverage(program, [corpus, finds])
    own = {name for name in edges if os.path.dirname(name) == corpus}
    covered = set().union(*(edges[name] for name in own))
    before, room = len(covered), most - len(os.listdir(corpus))
    left = {name: new for name, new in edges.items() if name not in own}
    while room > 0 and left:
        best = max(left, key=lambda name: (len(left[name] - covered), -os.path.getsize(name)))
        if not left[best] - covered:
            break
        covered |= left.pop(best)
        shutil.copy(best, os.path.join(corpus, os.path.basename(best)[:12]))
        room -= 1
    print(f"{corpus}: {len(os.listdir(corpus))} files, {before} edges, now {len(covered)} of {len(set().union(*edges.values()))}")


if __name__ == "__main__":
    main()
