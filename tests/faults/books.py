"""What all clients were told, and the verdict: what is there held against it.

    LOST        acknowledged, and not there (a row, a table; or one that was deleted, and is)
    DUPLICATED  there more than once
    PHANTOM     there, and nobody wrote it
    LIE         said not_applied, and there; a transaction in part; a wrong number of rows
    SHORT       a read that called itself whole, and was not; or a part that does not name what is missing
    FLIP        a repeat with the same key gave another answer than the first
    HUNG        a request that took longer than any deadline allows
"""

import collections
import threading

APPLIED, NOT_APPLIED, UNKNOWN = "applied", "not_applied", "unknown"

Stream = collections.namedtuple("Stream", "parts told certain")  # of one shard, in the stream's order; rows that it said to have


class Books:
    """Rows are (op, part): an op is one write's own number. What is expected of a row, or of a table on a shard, is
    (outcome, the action that it is the outcome of)."""

    def __init__(self):
        self.lock, self.last_op = threading.Lock(), 0
        self.rows = {}        # (op, part): (outcome, "insert" or "delete")
        self.groups = []      # rows of one transaction
        self.registers = collections.defaultdict(list)  # (client, shard): [(value, outcome)]
        self.streams = {}     # (op, shard): Stream
        self.tables = {}      # (name, shard): (outcome, "insert" or "delete")
        self.found = collections.defaultdict(list)      # what was seen to be wrong at once
        self.history = {}     # op: what was asked and answered
        self.acknowledged = self.resolved = self.unresolved = self.refused = self.reads = self.failed_reads = 0
        self.codes = collections.Counter()

    def new_op(self):
        with self.lock:
            self.last_op += 1
            return self.last_op

    def note(self, name, what):
        with self.lock:
            self.found[name].append(what)

    def write_down(self, rows, outcome, action="insert"):
        """`action` on the rows had this outcome. A delete that was refused leaves what was."""
        with self.lock:
            for row in rows:
                if action == "insert" or outcome != NOT_APPLIED:
                    self.rows[row] = outcome, action

    def values_of(self, register):
        """What a register may hold: what was set last of all that is certain, or what any uncertain write set, which may land late."""
        history = self.registers[register]
        certain = [value for value, outcome in history if outcome == APPLIED]
        return {value for value, outcome in history if outcome == UNKNOWN} | {certain[-1] if certain else 0}


def judge_one(expected, there):
    """The name of what is wrong, or None."""
    outcome, action = expected
    if outcome == UNKNOWN:
        return None
    if action == "delete":
        return "LOST" if there else None
    if outcome == APPLIED:
        return None if there else "LOST"
    return "LIE" if there else None


def verdict(books, rows, registers, streams, tables):
    """All that is wrong, by name. `rows` and `streams` are (op, part) of all that is there, `registers` (client, shard) → value,
    `tables` the set of (name, shard)."""
    wrong, there = collections.defaultdict(list), collections.Counter(rows)
    for row, expected in books.rows.items():
        if (name := judge_one(expected, row in there)) is not None:
            wrong[name].append((row, expected))
    for table, expected in books.tables.items():
        if (name := judge_one(expected, table in tables)) is not None:
            wrong[name].append((table, expected))
    for group in books.groups:
        if len({row in there for row in group}) != 1:
            wrong["LIE"].append((group[0], "in part"))
    for row, times in there.items():
        if times > 1:
            wrong["DUPLICATED"].append((row, times))
        if row not in books.rows:
            wrong["PHANTOM"].append((row,))
    for register, history in books.registers.items():
        value = registers.get(register)
        if value not in books.values_of(register):
            refused = value in {v for v, outcome in history if outcome == NOT_APPLIED}
            wrong["LIE" if refused else "LOST"].append((register, value, history[-5:]))
    judge_streams(books, collections.Counter(streams), wrong)
    for name, found in books.found.items():
        wrong[name] += found
    return dict(wrong)


def judge_streams(books, there, wrong):
    """A shard has the first rows of a stream, as many as it said; where that is not certain, as many at least."""
    known = set()
    for (op, shard), stream in books.streams.items():
        have = [(op, part) in there for part in stream.parts]
        known |= {(op, part) for part in stream.parts}
        count = sum(have)
        if have != [True] * count + [False] * (len(have) - count):
            wrong["LIE"].append(((op, shard), "not the first rows"))
        if count < stream.told:
            wrong["LOST"].append(((op, shard), count, stream.told))
        elif count > stream.told and stream.certain:
            wrong["LIE"].append(((op, shard), count, stream.told))
    wrong_times = [row for row, times in there.items() if times > 1]
    if wrong_times:
        wrong["DUPLICATED"] += wrong_times
    if phantoms := set(there) - known:
        wrong["PHANTOM"] += phantoms


def show(books, wrong):
    """Prints what is wrong, with the history of the first of each kind."""
    for name, found in wrong.items():
        print(f"# {name}: {len(found)}")
        for what in found[:3]:
            print(f"#   {what}")
            op = what[0][0] if isinstance(what, tuple) and isinstance(what[0], tuple) else None
            for line in books.history.get(op, ()):
                print(f"#     {line}")
