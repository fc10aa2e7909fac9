"""What the integration tests stand on: a cluster of real programs in a folder and on ports of its own, an HTTP client
that hides nothing, and results as TAP lines.

Environment (set by `make check`): SHARDGATE_BUILD, the build folder; SHARDGATE_SOURCE, the source folder.
SHARDGATE_KEEP=1 keeps a cluster's folder after a test, for its logs.
"""

import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("SHARDGATE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("SHARDGATE_BUILD", SOURCE / "build"))
DATA = SOURCE / "tests" / "data"
START_TIMEOUT_S = 60  # a sanitizer build on a busy machine
STOP_TIMEOUT_S = 30


def free_ports(count):
    """Ports that nobody listens on, below the range that the kernel hands out to clients."""
    ports, held = [], []
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        s = socket.socket()
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            s.close()
            continue
        held.append(s)
        ports.append(port)
    for s in held:
        s.close()
    return ports


class Answer:
    """One HTTP answer: status, headers (names in lower case), the raw body and its JSON."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json.get("code") if self.status >= 400 else None

    def __repr__(self):
        return f"<{self.status} {self.body[:600]!r}>"


class Api:
    """Speaks to one port. A body may be an object (sent as JSON) or bytes (sent as they are)."""

    def __init__(self, port, timeout=30):
        self.port, self.timeout, self.local = port, timeout, threading.local()

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        for attempt in (1, 2):
            conn = getattr(self.local, "conn", None)
            fresh = conn is None
            if fresh:
                conn = self.local.conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            try:
                conn.request(method, path, body=body, headers=headers)
                r = conn.getresponse()
                data = r.read()
                return Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, data)
            except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
                self.close()
                if fresh or attempt == 2:
                    raise

    def close(self):
        conn = getattr(self.local, "conn", None)
        if conn is not None:
            conn.close()
        self.local.conn = None

    def post(self, path, body, **headers):
        return self.request("POST", path, body, {k.replace("_", "-"): v for k, v in headers.items()})

    def get(self, path, **headers):
        return self.request("GET", path, None, {k.replace("_", "-"): v for k, v in headers.items()})


class Launched:
    """A launcher that runs in the foreground of its own process group."""

    def __init__(self, arguments, env=None, ready="shardgate: ready on ", programs=None):
        command = [str((programs or BUILD) / "shardgate"), *map(str, arguments)]
        self.lines, self.ready_line = [], None
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **(env or {})},
            cwd=str(BUILD))
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self.reader.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.ready.wait(0.05):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                if self.ready.is_set():
                    break  # its last words were what was waited for
                raise RuntimeError("the cluster did not start:\n" + "".join(self.lines))

    def _read(self, ready):
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith(ready):
                self.ready_line = line.rstrip("\n")
                self.ready.set()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()
        return self.process.returncode


class Cluster:
    """A cluster of the three default shards (or what `workers` says), started by the launcher."""

    NAMES = (("go", "GO"), ("python", "PY"), ("node", "NODE"))

    def __init__(self, config=None, data=None, shards=NAMES):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-"))
        self.data = pathlib.Path(data) if data else self.folder / "var"
        self.launched, self.backups = None, []
        ports = free_ports(2 + 2 * len(shards))
        self.port, self.backup_port = ports[:2]
        self.worker_ports = dict(zip((n for n, _ in shards), ports[2:]))
        self.tds_ports = dict(zip((n for n, _ in shards), ports[2 + len(shards):]))
        self.shards = shards
        self.config = config or {
            "master": {"port": self.port},
            "workers": [{"name": n, "suffix": s, "port": self.worker_ports[n],
                         "tds": {"embedded": True, "port": self.tds_ports[n]}} for n, s in shards],
        }
        self.config_file = self.folder / "cluster.json"
        self.config_file.write_text(json.dumps(self.config))
        self.api = Api(self.port)

    def start(self):
        self.launched = Launched(["up", "--config", self.config_file, "--data", self.data])
        return self

    def start_backup(self, config_file=None):
        env = {"MASTER_PORT": str(self.backup_port), "MASTER_ROLE": "backup"}
        backup = Launched(["up", "master", "--config", config_file or self.config_file, "--data", self.data], env=env)
        self.backups.append(backup)
        return Api(self.backup_port)

    def worker(self, name):
        return Api(self.worker_ports[name])

    @property
    def token(self):
        return (self.data / "secrets" / "token").read_text().strip()

    @property
    def tds_password(self):
        return (self.data / "secrets" / "tds").read_text().strip()

    def processes(self):
        """pid → command line of all that descends from the launchers."""
        roots = [l.process.pid for l in [self.launched, *self.backups] if l]
        children, commands = {}, {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError, IndexError):
                stat = (entry / "stat").read_text()
                parent = int(stat[stat.rindex(")") + 2:].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
                commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        found, queue = {}, roots
        while queue:
            pid = queue.pop()
            for child in children.get(pid, []):
                found[child] = commands[child]
                queue.append(child)
        return found

    def kill(self, *words, signum=signal.SIGKILL):
        """Signals the processes whose command line has all the words; how many."""
        hits = [pid for pid, command in self.processes().items() if all(w in command for w in words)]
        for pid in hits:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)
        return len(hits)

    @contextlib.contextmanager
    def stopped(self, *words):
        """Holds the processes whose command line has all the words for the length of a with block."""
        pids = [pid for pid, command in self.processes().items() if all(w in command for w in words)]
        assert pids, f"no process {words}"
        try:
            for pid in pids:
                hold(pid)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def tsql(self, worker, sql, database=None):
        """Runs T-SQL on a shard's tds-server with FreeTDS's tsql; its standard output."""
        return tsql(self.tds_ports[worker], self.tds_password, sql, database)

    @contextlib.contextmanager
    def transaction(self, worker, sql):
        """A transaction on a shard's tds-server that has run the statement and stays open for the length of a with block."""
        with Tsql(self.tds_ports[worker], self.tds_password) as session:
            session.run("BEGIN TRANSACTION")
            session.run(sql)
            yield
            session.run("ROLLBACK TRANSACTION")

    def stop(self):
        for l in [*self.backups, self.launched]:
            if l:
                l.stop()
        self.backups, self.launched = [], None
        if os.environ.get("SHARDGATE_KEEP"):
            print(f"# kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def logs(self):
        text = []
        for f in sorted((self.data / "log").glob("*")):
            text.append(f"--- {f.name}\n" + "\n".join(f.read_text(errors="replace").splitlines()[-40:]))
        return "\n".join(text)


def tsql(port, password, sql, database=None):
    command = ["tsql", "-H", "127.0.0.1", "-p", str(port), "-U", "sa", "-P", password, "-o", "fhq"]
    if database:
        command += ["-D", database]
    env = {**os.environ, "TDSVER": "7.4", "LC_ALL": "C.UTF-8"}
    r = subprocess.run(command, input=sql + "\ngo\n", capture_output=True, text=True, timeout=60, env=env)
    return r.stdout + r.stderr


def memory(pid):
    """The process's memory in bytes, as /proc/PID/status names it: VmRSS, VmHWM, RssAnon (its own), RssFile (files, which share it) …"""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in status.splitlines() if line.endswith(" kB")}


def peak_memory(pid):
    """The most memory that the process has had since forget_peak_memory(), in bytes."""
    return memory(pid)["VmHWM"]


def forget_peak_memory(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def is_sanitized(pid):
    """Is the process a build with AddressSanitizer? That keeps what was freed for a while, so that memory has other bounds."""
    return "libasan" in pathlib.Path(f"/proc/{pid}/maps").read_text()


class Tsql:
    """A session of FreeTDS's tsql that stays open."""

    def __init__(self, port, password):
        command = ["stdbuf", "-oL", "tsql", "-H", "127.0.0.1", "-p", str(port), "-U", "sa", "-P", password, "-o", "fhq"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env={**os.environ, "TDSVER": "7.4", "LC_ALL": "C.UTF-8"})

    def run(self, sql):
        """Runs a batch, and returns when it has ended."""
        self.process.stdin.write(f"{sql}\ngo\nSELECT 'it has ended'\ngo\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("it has ended"):
                return
        raise RuntimeError("tsql has gone")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(STOP_TIMEOUT_S)
        self.process.stdout.close()


def hold(pid):
    """Sends SIGSTOP and waits until no thread runs any more: that takes as long as the main thread needs to be scheduled."""
    def held():
        states = [(task / "stat").read_text() for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
        return all(stat[stat.rindex(")") + 2] in "TtZ" for stat in states)

    os.kill(pid, signal.SIGSTOP)
    eventually(held, message=f"process {pid} does not stop")


def eventually(check, seconds=20, message="it did not become true"):
    """Calls `check` until it gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(message)
        time.sleep(0.05)


class ClusterTest(unittest.TestCase):
    """Tests that share one cluster, started before the first and stopped after the last."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        try:
            cls.cluster.start()
        except BaseException:
            print("# " + cls.cluster.logs().replace("\n", "\n# "))
            cls.cluster.stop()
            raise
        cls.api = cls.cluster.api

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def ok(self, path, body, **headers):
        answer = self.api.post(path, body, **headers)
        self.assertEqual(answer.status, 200, f"{path} {body} → {answer}")
        return answer.json

    def refused(self, status, code, path, body, **headers):
        answer = self.api.post(path, body, **headers)
        self.assertEqual((answer.status, answer.code), (status, code), f"{path} {body!r:.300} → {answer}")
        self.check_problem(answer)
        return answer.json

    def check_problem(self, answer):
        """A problem document has all its members, and shows nothing of the inside."""
        problem = answer.json
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        for member in ("type", "title", "status", "code", "detail", "outcome", "retry", "request_id", "shards"):
            self.assertIn(member, problem)
        self.assertEqual(problem["status"], answer.status)
        self.assertIn(problem["outcome"], ("not_applied", "applied", "unknown"))
        self.assertIn(problem["retry"], ("no", "after", "same_key"))
        if problem["retry"] == "after":
            self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
        text = answer.body.decode()
        for secret in (self.cluster.token, self.cluster.tds_password, str(self.cluster.folder), "SELECT ", "[dbo]"):
            self.assertNotIn(secret, text)

    def fresh_database(self, name):
        self.api.post("/drop-db", {"db_name": name, "if_exists": True})
        self.ok("/create-db", {"db_name": name})


class TapResult(unittest.TestResult):
    """Each test method and each subtest that failed is a line `ok` or `not ok`."""

    def __init__(self, stream):
        super().__init__()
        self.stream, self.count = stream, 0

    def _line(self, ok, name, detail=None, directive=""):
        self.count += 1
        self.stream.write(f"{'ok' if ok else 'not ok'} {self.count} - {name}{directive}\n")
        for line in (detail or "").splitlines():
            self.stream.write(f"# {line}\n")
        self.stream.flush()

    def _name(self, test):
        return str(test.id()).replace("__main__.", "").replace("#", "")

    def addSuccess(self, test):
        self._line(True, self._name(test))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._line(False, self._name(test), self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._line(False, self._name(test), self.errors[-1][1])

    def addSkip(self, test, reason):
        self._line(True, self._name(test), directive=f" # SKIP {reason}")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._line(False, self._name(subtest), self._exc_info_to_string(err, test))


def main():
    # SIGTERM (a time-out of the test driver) must stop the cluster, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # A shell's background job ignores SIGINT, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    names = sys.argv[1:]
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    result = TapResult(sys.stdout)
    suite.run(result)
    print(f"1..{result.count}")
    if result.count == 0:
        print("Bail out! no test was found")
    sys.exit(0 if result.wasSuccessful() and result.count else 1)
