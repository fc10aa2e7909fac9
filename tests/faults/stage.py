"""What the tests of faults on the whole gateway stand on: databases behind proxies that do harm, two masters, and calls that
hide nothing. The first master reaches the workers by their sockets, the second one through proxies."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

import harness
import proxy
from harness import Launched, free_ports

SHARDS = (("go", "GO"), ("python", "PY"), ("node", "NODE"))
TOKEN = "nemesis-token-0123456789"
TIMEOUT_MS = 3000  # the deadline of a request
REQUEST_S = 60     # longer than any request takes, on a slow machine too
HUNG_S = 30        # what no request may take: three deadlines, and much for a machine that has other things to do
LINES = "application/x-ndjson"
COMMIT = "COMMIT TRANSACTION".encode("utf-16-le")  # as it travels in TDS
EXECUTE = "sp_execute".encode("utf-16-le")  # of what is prepared only this does


def shard_of(key):
    hashed = 0x811C9DC5
    for byte in str(key).encode():
        hashed = (hashed ^ byte) * 0x01000193 % (1 << 32)
    return hashed % len(SHARDS)


KEYS = tuple(next(k for k in range(1001, 1100) if shard_of(k) == shard) for shard in range(len(SHARDS)))  # a student_id on each shard


class Database:
    """A shardgate-tdsd on a fixed port that is started again as often as it is killed."""

    def __init__(self, folder, port, program=harness.BUILD / "shardgate-tdsd"):
        self.folder, self.port, self.program, self.process = folder, port, program, None
        folder.mkdir(parents=True)
        (folder / "password").write_text("nemesis\n")
        (folder / "password").chmod(0o600)

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                [str(self.program), "--data", str(self.folder / "data"), "--port", str(self.port),
                 "--password-file", str(self.folder / "password")], stdout=subprocess.DEVNULL, stderr=log)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Stage:
    """`mutants`: {"shardgate-worker": path of the program that stands in for it}; `master`: more of the masters' configuration."""

    def __init__(self, mutants=None, master=None):
        self.master = master or {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="shardgate-nemesis-"))
        self.programs = self.gather_programs(mutants) if mutants else harness.BUILD
        ports = free_ports(2 + 2 * len(SHARDS))
        self.masters, workers, databases = ports[:2], ports[2:5], ports[5:]
        self.worker_ports = workers
        self.databases = [Database(self.folder / name, port, self.programs / "shardgate-tdsd") for (name, _), port in zip(SHARDS, databases)]
        for d in self.databases:
            d.start()
        self.tds = [proxy.Proxy(0, d.port) for d in self.databases]
        self.http = [proxy.Proxy(0, port) for port in workers]
        self.launched = []
        try:
            self.launched.append(self.launch("cluster", self.masters[0], workers, ["up"]))
            self.launched.append(self.launch("backup", self.masters[1], [p.port for p in self.http], ["up", "master"]))
        except Exception:
            self.close()
            raise

    def gather_programs(self, mutants):
        """A folder like the build's: the launcher takes the programs beside it."""
        folder = self.folder / "programs"
        folder.mkdir()
        shutil.copy2(harness.BUILD / "shardgate", folder)
        for name in ("shardgate-master", "shardgate-worker", "shardgate-tdsd", "lighttpd"):
            (folder / name).symlink_to(mutants.get(name, harness.BUILD / name))
        return folder

    def launch(self, name, port, worker_ports, command):
        folder = self.folder / name
        (folder / "secrets").mkdir(parents=True)
        for secret, text in (("tds", "nemesis"), ("token", TOKEN)):
            (folder / "secrets" / secret).write_text(text + "\n")
            (folder / "secrets" / secret).chmod(0o600)
        (folder / "cluster.json").write_text(json.dumps({
            "timeout_ms": TIMEOUT_MS, "master": {"port": port, **self.master},
            "workers": [{"name": n, "suffix": s, "port": p, "tds": {"host": "127.0.0.1", "port": t.port, "user": "sa", "password_file": "secrets/tds", "encrypt": "off"}}
                        for (n, s), p, t in zip(SHARDS, worker_ports, self.tds)]}))
        return Launched([*command, "--config", folder / "cluster.json", "--data", folder], programs=self.programs)

    def processes(self, program):
        """The pids of a program in this stage's folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if os.path.basename(command[0]).decode(errors="replace") == program and any(str(self.folder).encode() in a for a in command):
                    found.append(int(entry.name))
        return found

    def calm(self):
        """Ends all harm, and waits until every process is back and no write can be under way."""
        for p in (*self.tds, *self.http):
            p.disarm()
        def healthy():
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                return all(harness.Api(port).get("/health").json["status"] == "healthy" for port in self.masters)
        harness.eventually(healthy, seconds=120, message="the cluster does not recover")
        time.sleep(TIMEOUT_MS / 1000 + 1)

    def post(self, path, body):
        """A request that has to succeed."""
        call = Call(self.masters[0], path, body)
        assert call.status == 200 and call.json, call
        return call.json

    def close(self):
        for launched in reversed(self.launched):
            launched.stop()
        for p in (*self.tds, *self.http):
            p.close()
        for d in self.databases:
            d.stop()
        if os.environ.get("SHARDGATE_KEEP"):
            print(f"# kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class Call:
    """One HTTP request on a connection of its own, sent once: nothing below it repeats anything. `body`: an object, or the
    bytes of rows as lines."""

    def __init__(self, port, path, body, key=None, headers=()):
        headers = {"Content-Type": LINES if isinstance(body, bytes) else "application/json", **dict(headers)}
        if key:
            headers["Idempotency-Key"] = key
        self.port = port
        self.status, self.json, self.replayed, self.took = None, None, False, time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_S)
        try:
            connection.request("POST", path, body=body if isinstance(body, bytes) else json.dumps(body), headers=headers)
            answer = connection.getresponse()
            data = answer.read()
            self.status, self.replayed = answer.status, answer.getheader("Idempotency-Replayed") == "true"
            self.json = json.loads(data)
        except (OSError, http.client.HTTPException, ValueError):
            pass
        finally:
            connection.close()
            self.took = time.monotonic() - self.took

    @property
    def whole(self):
        """Is it a 200 to its last byte?"""
        return self.status == 200 and self.json is not None

    @property
    def outcome(self):
        """applied (in part at least: the shards tell), not_applied or unknown."""
        if self.json is None or self.status is None:
            return "unknown"
        return "applied" if self.status == 200 else self.json.get("outcome", "unknown")

    def of_shards(self, member="outcome"):
        """A member of each shard's own report, by its number."""
        return {s["shard"]: s.get(member) for s in (self.json or {}).get("shards", [])}

    def __str__(self):
        return f"{self.port}: {self.status} {self.json}, {self.took:.2f} s"
