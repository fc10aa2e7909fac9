#!/usr/bin/env python3
"""Other people's TDS clients against shardgate-tdsd: each logs in, makes a database, writes and reads every type, runs
transactions, meets errors, cancels. cases.json has the clients, the types with their edge values, and the statements; a
driver a client (client_*) does them and reports; here the reports are compared, and shown as one table of checks × clients.

A single client: test_clients.py Client_tsql
"""

import collections
import datetime
import decimal
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
import harness  # noqa: E402
import client  # noqa: E402

CASES = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
PYTHON = "/usr/bin/python3"  # Debian's: pymssql and python-tds are its packages
JTDS = "/usr/share/java/jtds.jar"
DRIVER_TIMEOUT_S = 600
CHECKS = ["login", "wrong password", "unknown database", "schema", "commit", "rollback", "autocommit", "autocommit off", "result sets",
          "row count", "prepared", "cancel", "bulk load", "catalogue", "generated key",
          "database change", "row limit", "encrypted"]
PASSED, PASSED_IN_PART, FAILED, NOT_OFFERED = "ok", "ok~", "FAIL", "."

server = None
secure = None  # a second one, which takes encrypted connections only
outcomes = collections.defaultdict(dict)  # check → client → one of the above


class Server:
    """A shardgate-tdsd."""

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-clients-"))
        self.password = "p@55 word!"
        (self.folder / "password").write_text(self.password + "\n", encoding="utf-8")
        (self.folder / "password").chmod(0o600)
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [str(harness.BUILD / "shardgate-tdsd"), "--data", str(self.folder / "data"), "--port", "0",
             "--password-file", str(self.folder / "password"), "--no-sync", *options], stdout=self.log, stderr=self.log)
        self.port = int(harness.eventually(self.announced, harness.START_TIMEOUT_S, "shardgate-tdsd does not say where it listens"))

    def announced(self):
        """The port that the server said it listens on; None before it did."""
        if self.process.poll() is not None:
            raise AssertionError("shardgate-tdsd ended: " + (self.folder / "log").read_text(encoding="utf-8"))
        said = re.search(r"listening on [0-9.]+:(\d+)$", (self.folder / "log").read_text(encoding="utf-8"), re.M)
        return said and said.group(1)

    def tsql(self, sql, database=None):
        return harness.tsql(self.port, self.password, sql, database)

    def fill(self):
        """Makes the database `reference`: a table a type, filled with literals by tsql."""
        self.refused = {}  # type → what tsql said of its table
        said = self.tsql("CREATE DATABASE reference")
        for t in CASES["types"]:
            said = self.tsql(f"CREATE TABLE dbo.{t['name']} (id INT NOT NULL PRIMARY KEY, v {t['sql']} NULL)", "reference")
            for v in t["values"]:
                said += self.tsql(f"INSERT INTO dbo.{t['name']} (id, v) VALUES ({v['id']}, {client.literal(t['kind'], v['text'])})", "reference")
            if "Msg" in said:
                self.refused[t["name"]] = said[:2000]

    def stop(self):
        self.process.terminate()
        try:
            status = self.process.wait(harness.STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.log.seek(0)
        log = self.log.read()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return status, log


def expand_cases():
    """Gives each value of each type its id, text and needs; the NULL that every type has comes last."""
    for t in CASES["types"]:
        values = []
        for v in [*t["values"], {"text": None, "needs": ["null"]}]:
            if isinstance(v, str):
                v = {"text": v}
            text = v["repeat"] * v["times"] if "repeat" in v else v["text"]
            values.append({"id": len(values) + 1, "text": text, "needs": [*v.get("needs", []), t["name"]]})
        t["values"] = values


def allowed(t, lacks):
    return [{"id": v["id"], "text": v["text"]} for v in t["values"] if not set(v["needs"]) & set(lacks)]


def node_modules():
    """Where ./check installs the clients for Node.js, below the build folder."""
    for folder in (harness.BUILD, *harness.BUILD.parents):
        if (folder / "clients" / "node_modules" / "tedious").exists():
            return str(folder / "clients" / "node_modules")
    return None


def command(program):
    """The command that runs a driver, and its environment."""
    path = str(HERE / program)
    if program.endswith(".py"):
        return [PYTHON, "-B", path], {}
    if program.endswith(".java"):
        if not pathlib.Path(JTDS).exists() or not shutil.which("java"):
            raise AssertionError("jTDS or Java is not installed: ./check installs them")
        return ["java", "-XX:TieredStopAtLevel=1", "-cp", JTDS, path], {}
    modules = node_modules()
    if not modules or not shutil.which("node"):
        raise AssertionError("tedious and mssql are not installed: ./check installs them")
    return ["node", path], {"NODE_PATH": modules}


def single(text):
    return struct.pack("<f", float(text))


def moment(text):
    """A date or time without the zeros that end its fraction."""
    head, point, tail = text.partition(".")
    digits = tail[:len(tail) - len(tail.lstrip("0123456789"))]
    rest = tail[len(digits):] if point else ""
    digits = digits.rstrip("0")
    return head + ("." + digits if digits else "") + rest


def instant(text):
    """The UTC of a DATETIMEOFFSET, without its fraction, and the fraction."""
    local, sign, offset = text[:-6], text[-6], text[-5:]
    head, _, fraction = local.partition(".")
    shift = datetime.timedelta(hours=int(offset[:2]), minutes=int(offset[3:]))
    utc = datetime.datetime.fromisoformat(head) - (shift if sign == "+" else -shift)
    return utc, fraction.rstrip("0")


def same(t, read, expected, offsets_as_instants):
    """Whether a value came back. Numbers are compared as numbers: how many zeros a client shows is its own affair."""
    if read is None or expected is None:
        return read is expected
    kind = t["kind"]
    try:
        if kind in ("decimal", "money"):
            return decimal.Decimal(read) == decimal.Decimal(expected)
        if kind == "float":
            return float(read) == float(expected)
        if kind == "real":
            return single(read) == single(expected)
        if kind == "datetimeoffset":
            read, expected = read.replace(" ", "T", 1).replace(" ", ""), expected
            return instant(read) == instant(expected) if offsets_as_instants else (read[-6:] == expected[-6:] and instant(read) == instant(expected))
        if kind in ("time", "datetime", "datetime2"):
            return moment(read.replace(" ", "T", 1)) == moment(expected)
    except (ValueError, ArithmeticError, IndexError):
        return False
    return read == expected


class Client(unittest.TestCase):
    """The checks of one client; `define` makes a subclass each."""

    name = None
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.about = CASES["clients"][cls.name]
        cls.results, cls.broken = {}, None
        lacks = cls.about["lacks"]
        plan = {"host": "127.0.0.1", "port": server.port, "user": "sa", "password": server.password,
                "database": "db_" + re.sub(r"\W", "_", cls.name.lower()), "tds_version": cls.about.get("tds_version", "7.4"),
                **{k: CASES[k] for k in ("setup", "generated", "long_running", "results", "count", "bulk", "catalogue", "errors")},
                "types": [{**{k: v for k, v in t.items() if k != "values"},
                           "read": allowed(t, lacks["read"]), "write": allowed(t, lacks.get("write", []))} for t in CASES["types"]]}
        plan["encrypted"] = {"port": secure.port, "ca": str(secure.folder / "data" / "tls" / "cert.pem"), "text": "naïve 名前" * 20000}
        path = server.folder / (cls.name + ".json")
        path.write_text(json.dumps(plan), encoding="utf-8")
        try:
            words, environment = command(cls.about["program"])
            returned, out, err = client.run_command([*words, str(path)], env=environment, timeout=DRIVER_TIMEOUT_S)
        except (AssertionError, subprocess.TimeoutExpired) as e:
            cls.broken = str(e)[-2000:]
            return
        for line in out.splitlines():
            if line.startswith("{"):
                result = json.loads(line)
                cls.results[result["check"]] = result
        if returned != 0:
            cls.broken = f"the driver ended with {returned}: {err[-2000:]}"

    def result(self, check):
        outcomes[check][self.name] = FAILED
        if check not in self.results:
            self.fail(self.broken or "the driver did not report this check")
        result = self.results[check]
        if not result.get("ok", True):
            self.fail(result["detail"])
        return result

    def check_plain(self, check):
        self.result(check)
        outcomes[check][self.name] = PASSED

    def check_values(self, check, t, lacks):
        rows = self.result(check)["rows"]
        if check.startswith("read"):
            self.assertNotIn(t["name"], server.refused)
        wanted = {v["id"]: v["text"] for v in allowed(t, lacks)}
        self.assertEqual(sorted(r[0] for r in rows), sorted(wanted))
        wrong = [f"{wanted[id]!r:.200} came back as {read!r:.200}" for id, read in rows
                 if not same(t, read, wanted[id], self.about.get("offsets_as_instants"))]
        self.assertEqual(wrong, [])
        outcomes[check][self.name] = PASSED if len(wanted) == len(t["values"]) else PASSED_IN_PART


def define(name):
    """A TestCase with a method for each check that the client offers."""
    about = CASES["clients"][name]
    members = {"name": name}

    def offered(check):
        return check in about["only"] if "only" in about else check not in about["without"]

    def method(check, function, *arguments):
        if offered(check.split()[0] if check.startswith(("read ", "write ", "error ")) else check):
            members["test " + check] = lambda self: function(self, check, *arguments)
            members["test " + check].__name__ = "test " + check
        else:
            outcomes[check][name] = NOT_OFFERED

    def values(way, t):
        lacks = about["lacks"].get(way, [])
        if allowed(t, lacks):
            method(f"{way} {t['name']}", Client.check_values, t, lacks)
        else:
            outcomes[f"{way} {t['name']}"][name] = NOT_OFFERED

    for check in CHECKS:
        method(check, Client.check_plain)
    for t in CASES["types"]:
        values("read", t)
        values("write", t)
    for e in CASES["errors"]:
        method(f"error {e['number']}", Client.check_plain)
    title = "Client_" + re.sub(r"\W", "_", name)
    globals()[title] = type(title, (Client,), members)
    globals()[title].__module__ = __name__


def table():
    """The outcomes as lines of text."""
    clients = [c for c in CASES["clients"] if any(c in row and row[c] != NOT_OFFERED for row in outcomes.values())]
    checks = [*CHECKS, *(f"error {e['number']}" for e in CASES["errors"]),
              *(f"{way} {t['name']}" for t in CASES["types"] for way in ("read", "write"))]
    width = max(map(len, checks)) + 2
    yield " " * width + "".join(c.ljust(12) for c in clients)
    for check in checks:
        yield check.ljust(width) + "".join(outcomes[check].get(c, "").ljust(12) for c in clients).rstrip()
    yield f"{PASSED_IN_PART}: without the values that this client cannot express; {NOT_OFFERED}: the client has no such thing"


def setUpModule():
    global server, secure
    server = Server("--encrypt", "off")
    server.fill()
    secure = Server("--encrypt", "require")


def tearDownModule():
    ended = [server.stop(), secure.stop()]
    for line in table():
        print("# " + line)
    for status, log in ended:
        if status != 0 or "Sanitizer" in log or "runtime error" in log:
            print("# " + log[-4000:].replace("\n", "\n# "))
            raise AssertionError(f"shardgate-tdsd ended with {status}")


expand_cases()
for client_name in CASES["clients"]:
    define(client_name)

if __name__ == "__main__":
    harness.main()
