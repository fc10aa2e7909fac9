#!/usr/bin/env python3
"""shardgate-tdsd under clients that mean no good, or know no better: none of them keeps others from being answered, and what
one connection may cost is bounded."""

import contextlib
import os
import random
import re
import select
import socket
import struct
import subprocess
import threading
import time
import unittest

import harness
from harness import BUILD, START_TIMEOUT_S, eventually
from test_tds_clients import Server
from test_tds_tls import ATTENTION, BATCH, DONE_ATTENTION, LOGIN7, NOT_SUP, PRELOGIN, REPLY, Client, batch, login7, packet

RPC, TRANSACTION = 3, 14
RESET, RESET_SKIP = 8, 16
MIB = 1 << 20
MESSAGE_MAX = 64 * MIB
HEADER = 8
# What the docs promise: docs/tds-server.md, Limits.
CONNECTION_MAX = MIB // 2   # of an idle or half-open connection
ROUNDS = 10                 # of test_many_at_once
READER_MAX = 16 * MIB       # a long answer to one that reads slowly, however long it is
HEADERS = struct.pack("<IIHQI", 22, 18, 2, 0, 1)
SANITIZED = "SANITIZER" in os.environ or b"__asan_init" in (BUILD / "shardgate-tdsd").read_bytes() or \
    b"__tsan_init" in (BUILD / "shardgate-tdsd").read_bytes()


def login_with(size):
    """LOGIN7 that asks for packets of this size."""
    data = bytearray(login7()[HEADER:])
    struct.pack_into("<I", data, 8, size)
    return packet(LOGIN7, bytes(data))


class Raw(Client):
    """A client that is logged in, in the clear."""

    def __init__(self, port, size=4096):
        super().__init__(port)
        self.send(login_with(size))
        self.welcome = self.receive()
        assert self.welcome and self.welcome[0] == 0xE3, self.welcome

    def ask(self, sql, status=1):
        self.send(packet(BATCH, HEADERS + sql.encode("utf-16le"), status))
        return self.receive()

    def packets(self):
        """The next answer's packets."""
        packets, end = [], False
        while not end:
            header = self.exactly(HEADER)
            packets.append(self.exactly(struct.unpack_from(">H", header, 2)[0] - HEADER))
            end = header[1] & 1 == 1
        return packets

    def receive(self, kind=REPLY):
        """One message, though others may be there behind it."""
        return b"".join(self.packets())

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            assert more, "closed"
            data += more
        return data


def done_status(answer):
    """The status of the last DONE, of a client of TDS 7.2 and above."""
    assert answer[-13] == 0xFD, answer[-13:]
    return struct.unpack_from("<H", answer, len(answer) - 12)[0]


class Served(unittest.TestCase):
    """A server, and a connection that has to be answered whatever others do."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--max-connections", "600", "--encrypt", "off")
        out = cls.server.tsql("CREATE TABLE n (i INT); INSERT INTO n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
        assert "Msg" not in out, out
        cls.watcher = Raw(cls.server.port)

    @classmethod
    def tearDownClass(cls):
        cls.watcher.socket.close()
        status = cls.server.stop()
        assert status == 0, status

    def answers(self):
        """Another connection is answered, and new ones are taken."""
        self.assertEqual(done_status(self.watcher.ask("SELECT 1")) & 2, 0)
        with Raw(self.server.port) as other:
            self.assertEqual(done_status(other.ask("SELECT COUNT(*) FROM n")) & 2, 0)

    def memory(self, what="VmRSS"):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as f:
            return int(re.search(rf"^{what}:\s+(\d+) kB$", f.read(), re.M).group(1)) * 1024


class Hostile(Served):
    def test_half_messages_cost_little_and_hold_nobody_up(self):
        before = self.memory()
        with contextlib.ExitStack() as stack:
            for i in range(200):
                c = stack.enter_context(Raw(self.server.port))
                whole = batch("SELECT 1")
                c.send(whole[:3 + i % (len(whole) - 4)])
            self.answers()
            each = (self.memory() - before) / 200
            if not SANITIZED:
                self.assertLess(each, CONNECTION_MAX)
        self.answers()
        print(f"# {each / 1024:.0f} KiB a connection")

    def test_half_greetings_hold_nobody_up(self):
        with contextlib.ExitStack() as stack:
            for i in range(100):
                c = stack.enter_context(Client(self.server.port))
                greeting = c.prelogin_packet(NOT_SUP)
                c.send(greeting[:i % len(greeting)])
            self.answers()

    def test_a_gigantic_message_is_refused_and_forgotten(self):
        with Raw(self.server.port, 32767) as c:
            part = packet(BATCH, HEADERS.ljust(32767 - HEADER, b" "), 0)
            for i in range(2 * MESSAGE_MAX // len(part)):
                c.send(part)
                if i % 1000 == 0:
                    self.answers()
            c.send(packet(BATCH, b"", 1))
            answer = c.receive()
            self.assertIn("64 MiB".encode("utf-16le"), answer)
            self.assertEqual(done_status(c.ask("SELECT 1")) & 2, 0)
            if not SANITIZED:
                eventually(lambda: self.memory() < 100 * MIB, START_TIMEOUT_S, "the message's memory is kept")
        self.answers()

    def test_large_requests_give_their_memory_back(self):
        before = self.memory()
        data = HEADERS + ("SELECT LEN(N'" + "x" * (30 * MIB) + "')").encode("utf-16le")
        size = 32767 - HEADER
        connections = [Raw(self.server.port, 32767) for _ in range(3)]
        for c in connections:
            for at in range(0, len(data), size):
                c.send(packet(BATCH, data[at:at + size], int(at + size >= len(data))))
            self.assertEqual(done_status(c.receive()), 0x10)
        if not SANITIZED:  # behind the answer, which the client may see a moment before
            eventually(lambda: self.memory() - before < 16 * MIB, START_TIMEOUT_S, "large requests' memory is kept")
        for c in connections:
            c.socket.close()

    def test_an_endless_greeting_is_ended(self):
        with Client(self.server.port) as c:
            with contextlib.suppress(ConnectionError):
                for _ in range(1000):
                    c.send(packet(PRELOGIN, b"\xff" * 4000, 0))
            self.answers()
        for kind in PRELOGIN, LOGIN7:  # longer than a login may be, with an end
            with self.subTest(kind=kind), Client(self.server.port) as c:
                with contextlib.suppress(ConnectionError):
                    for _ in range(40):
                        c.send(packet(kind, bytes(4000), 0))
                    c.send(packet(kind, bytes(4000)))
                self.assertTrue(self.ended(c))

    def test_a_second_greeting_is_no_login(self):
        with Client(self.server.port) as c:
            self.assertEqual(c.prelogin(NOT_SUP), NOT_SUP)
            c.send(c.prelogin_packet(NOT_SUP))
            self.assertTrue(self.ended(c))

    @staticmethod
    def ended(c):
        try:
            while c.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True  # else the socket's timeout has raised

    def test_lies_about_lengths_end_the_connection(self):
        whole = batch("SELECT 1")
        for length in (0, 7, 32768, 65535):
            with self.subTest(length=length), Raw(self.server.port) as c:
                c.send(whole[:2] + struct.pack(">H", length) + whole[4:])
                self.assertTrue(self.ended(c))
        # A length that is too small leaves a rest that is no packet; one that is too large is waited for.
        with Raw(self.server.port) as c:
            c.send(whole[:2] + struct.pack(">H", len(whole) - 2) + whole[4:])
            self.assertIsNotNone(c.receive())
            c.send(b"\xee" * 16)
            self.assertTrue(self.ended(c))
        with Raw(self.server.port) as c:
            c.send(whole[:2] + struct.pack(">H", len(whole) + 4) + whole[4:])
            self.answers()
            c.send(" -- ".encode("utf-16le")[:4])
            self.assertIsNotNone(c.receive())

    def test_headers_that_lie(self):
        for headers in (b"\xff\xff\xff\x7f" + HEADERS[4:], b"\0\0\0\0" + HEADERS[4:], b"\x16\0\0\0\xff\xff\xff\xff" + HEADERS[8:],
                        HEADERS[:10], b""):
            for kind in BATCH, RPC, TRANSACTION:
                with self.subTest(headers=headers, kind=kind), Raw(self.server.port) as c:
                    c.send(packet(kind, headers))
                    self.assertTrue(done_status(c.receive()) & 2 or headers == b"")
                    self.assertEqual(done_status(c.ask("SELECT 1")) & 2, 0)

    def test_storms_of_attentions_are_answered_one_by_one(self):
        with Raw(self.server.port) as c:
            storm = 300
            c.send(packet(ATTENTION, b"") * storm)
            for _ in range(storm):
                self.assertTrue(done_status(c.receive()) & DONE_ATTENTION)
            self.assertEqual(done_status(c.ask("SELECT 1")), 0x10)
            c.send(batch("SELECT COUNT(*) FROM n a, n b, n c, n d, n e, n f, n g, n h, n i") + packet(ATTENTION, b"") * 3)
            answers = []
            while sum(1 for a in answers if done_status(a) & DONE_ATTENTION) < 3:
                answers.append(c.receive())
            self.assertEqual(done_status(c.ask("SELECT 1")), 0x10)
        self.answers()

    def test_a_slow_reader_costs_no_more_than_a_window(self):
        """A million rows of a hundred bytes, to one who reads them bit by bit, and stops in between."""
        before = self.memory()
        with Raw(self.server.port) as c:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            c.send(batch("SELECT a.i, b.i, REPLICATE('x', 100) FROM n a, n b, n c, n d, n e, n f"))
            seen, most, next_look = 0, 0, 0
            tail = b""
            while True:
                data = c.socket.recv(1 << 16)
                self.assertTrue(data)
                seen += len(data)
                tail = (tail + data)[-64:]
                if seen >= next_look:
                    most = max(most, self.memory())
                    self.answers()
                    next_look += 10 * MIB
                if seen > 100 * MIB and tail[-13] == 0xFD and struct.unpack_from("<Q", tail, len(tail) - 8)[0] == 1000000:
                    break
            if not SANITIZED:
                self.assertLess(most - before, READER_MAX)
        print(f"# {seen / MIB:.0f} MiB of answer: {(most - before) / MIB:.1f} MiB of memory")

    def test_many_at_once(self):
        """Sessions that write, read, look at each other, change schemas, cancel and leave: nothing is lost, nobody is in the way."""
        self.assertEqual(done_status(self.watcher.ask("CREATE TABLE many (who INT, i INT, PRIMARY KEY (who, i))")) & 2, 0)
        failures = []

        def work(who):
            try:
                for i in range(ROUNDS):
                    with Raw(self.server.port) as c:
                        for sql in (f"BEGIN TRANSACTION; INSERT INTO many VALUES ({who}, {2 * i}); INSERT INTO many VALUES ({who}, {2 * i + 1}); COMMIT",
                                    "SELECT s.session_id, s.login_name, c.client_net_address, OBJECT_NAME(1001) FROM sys.dm_exec_sessions s "
                                    "JOIN sys.dm_exec_connections c ON c.session_id = s.session_id",
                                    f"CREATE TABLE own{who} (x INT); DROP TABLE own{who}",
                                    "SELECT SUM(rows) FROM sys.partitions WHERE object_id = OBJECT_ID('many')"):
                            answer = c.ask(sql)
                            if done_status(answer) & 2:
                                failures.append((who, sql, answer))
                        c.send(batch("SELECT COUNT(*) FROM n a, n b, n c, n d, n e, n f, n g") + packet(ATTENTION, b""))
                        while not done_status(c.receive()) & DONE_ATTENTION:
                            pass
                        if i % 3 == 0:
                            c.send(batch("SELECT * FROM many WAITING"))  # leaves without its answer
            except Exception as e:  # a thread's failure is the test's
                failures.append((who, repr(e)))

        threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])
        answer = self.watcher.ask(f"IF (SELECT COUNT(*) FROM many) <> {8 * 2 * ROUNDS} SELECT nothing; DROP TABLE many")
        self.assertEqual(done_status(answer) & 2, 0)

    def test_readers_that_stop_are_ended_when_they_go(self):
        connections = [Raw(self.server.port) for _ in range(20)]
        for c in connections:
            c.send(batch("SELECT a.i, REPLICATE('x', 1000) FROM n a, n b, n c, n d, n e, n f"))
        self.answers()
        for c in connections:
            c.socket.close()
        eventually(lambda: b"2" in self.count_sessions(), START_TIMEOUT_S, "the sessions of those who went are still there")

    def count_sessions(self):
        """How many sessions are there, the watcher's among them, as text somewhere in the answer; b"2": hardly any."""
        answer = self.watcher.ask("SELECT CASE WHEN COUNT(*) <= 2 THEN '2' ELSE 'more' END FROM sys.dm_exec_sessions")
        return b"2" if "more".encode("utf-16le") not in answer and b"more" not in answer else b""


class Recorder:
    """Between a client and the server: keeps what each of them said."""

    def __init__(self, port):
        self.port, self.sent, self.answered = port, b"", b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(START_TIMEOUT_S)
        self.listener.close()

    def run(self):
        with self.listener.accept()[0] as client, socket.create_connection(("127.0.0.1", self.port)) as server:
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    if end is client:
                        self.sent += data
                        server.sendall(data)
                    else:
                        self.answered += data
                        client.sendall(data)


def bodies(data):
    """What packets carry, without the session's number in their headers."""
    out = b""
    while len(data) >= HEADER:
        length = struct.unpack_from(">H", data, 2)[0]
        out, data = out + data[HEADER:length], data[length:]
    return out


class Mutated(Served):
    """Sessions of a real client, cut anywhere and changed anywhere. SHARDGATE_MUTATIONS says how many; a failure prints the
    number that SHARDGATE_MUTATION_SEED tries again."""

    COUNT = int(os.environ.get("SHARDGATE_MUTATIONS", "150"))
    SEED = int(os.environ.get("SHARDGATE_MUTATION_SEED", "0"))
    OPEN_MAX = 40          # connections left open, as they are
    PIECES_MAX = 60
    PAUSE_MAX_S = 0.01
    GROWTH_MAX = 64 * MIB  # of the server's memory, over all of them
    # What it answers does not depend on when.
    READING = ("SELECT i, 'n' + CAST(i AS VARCHAR(9)) FROM n ORDER BY i", "SELECT 1/0 PRINT 'caf\u00e9'", "SELECT nothing FROM nowhere",
               "SELECT REPLICATE(CAST(N'x' AS NVARCHAR(MAX)), 9000), NULL, 1.50, 0x0102, CAST('2024-02-29' AS DATE)")
    WRITING = ("BEGIN TRANSACTION INSERT INTO w SELECT i FROM n", "SAVE TRANSACTION s UPDATE w SET i = -i ROLLBACK TRANSACTION s",
               "EXEC sp_executesql N'SELECT @p + i FROM n', N'@p INT', 5", "ROLLBACK")

    def record(self, statements):
        with Recorder(self.server.port) as recorder:
            command = ["tsql", "-H", "127.0.0.1", "-p", str(recorder.listener.getsockname()[1]), "-U", "sa", "-P", self.server.password, "-o", "fhq"]
            subprocess.run(command, input="".join(s + "\ngo\n" for s in statements), capture_output=True, text=True, check=False,
                           timeout=START_TIMEOUT_S, env={**os.environ, "TDSVER": "7.4", "LC_ALL": "C.UTF-8"})
        self.assertGreater(recorder.answered.count(b"\xfd"), len(statements))  # DONEs, the login's among them
        return recorder

    @staticmethod
    def mutate(rng, data):
        data = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            at, length = rng.randrange(len(data)), rng.choice((1, 1, 2, 4, 8, 200))
            change = rng.randrange(5)
            if change == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif change == 1:
                data[at:at + length] = rng.choice((b"\0", b"\xff")) * min(length, len(data) - at)
            elif change == 2 and len(data) > length:
                del data[at:at + length]
            elif change == 3:
                data[at:at] = data[at:at + length]
            else:
                data[at:at] = rng.randbytes(length)
        return bytes(data)

    def send_in_pieces(self, rng, c, data):
        """False when the server closed the connection meanwhile."""
        cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randrange(self.PIECES_MAX)))
        try:
            for start, end in zip([0, *cuts], [*cuts, len(data)]):
                c.sendall(data[start:end])
                if rng.random() < 0.2:
                    time.sleep(rng.random() * self.PAUSE_MAX_S)
        except OSError:
            return False
        return True

    @staticmethod
    def read_to_end(c):
        answer = b""
        with contextlib.suppress(ConnectionError):
            with contextlib.suppress(OSError):  # the other end has closed it
                c.shutdown(socket.SHUT_WR)
            while more := c.recv(65536):
                answer += more
        return answer

    def test_sessions_cut_and_changed_anywhere(self):
        self.server.tsql("CREATE TABLE w (i INT)")
        reading, writing = self.record(self.READING), self.record(self.WRITING)
        self.answers()
        before, left_open = self.memory(), []
        with contextlib.ExitStack() as stack:
            for number in range(self.SEED, self.SEED + self.COUNT):
                with self.subTest(seed=number):
                    rng = random.Random(number)
                    session = rng.choice((reading, writing))
                    whole = rng.random() < 0.3
                    c = stack.enter_context(socket.create_connection(("127.0.0.1", self.server.port), timeout=START_TIMEOUT_S))
                    sent = self.send_in_pieces(rng, c, session.sent if whole else self.mutate(rng, session.sent))
                    if whole:
                        self.assertTrue(sent)
                        answer = b""
                        while len(answer) < len(session.answered) and (more := c.recv(65536)):
                            answer += more
                        if session is reading:
                            self.assertEqual(bodies(answer), bodies(reading.answered))
                    elif session is reading and rng.random() < 0.3 and len(left_open) < self.OPEN_MAX:  # it holds no locks
                        left_open.append(c)
                        continue
                    elif rng.random() < 0.5:
                        self.read_to_end(c)
                    c.close()
                    if number % 10 == 0:
                        self.answers()
        self.answers()
        if not SANITIZED:
            self.assertTrue(eventually(lambda: self.memory() < before + self.GROWTH_MAX))
        print(f"# {self.COUNT} sessions, {(self.memory() - before) / MIB:.1f} MiB more")


class Sizes(unittest.TestCase):
    """Packet sizes, from one end to the other."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--encrypt", "off", "--idle-timeout", "600")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_sizes_are_agreed_on_and_kept(self):
        for wanted, given in ((512, 512), (513, 513), (4096, 4096), (8000, 8000), (32767, 32767), (0, 4096), (100, 512),
                              (65536, 32767), (0xFFFFFFFF, 32767)):
            with self.subTest(wanted=wanted), Raw(self.server.port, wanted) as c:
                text = str(given).encode("utf-16le")
                self.assertIn(b"\x04" + bytes([len(text) // 2]) + text, c.welcome)
                c.send(packet(BATCH, HEADERS + "SELECT REPLICATE(CAST('x' AS VARCHAR(MAX)), 200000)".encode("utf-16le")))
                lengths = [len(p) + HEADER for p in c.packets()]
                self.assertEqual(set(lengths[:-1]), {given})
                self.assertLessEqual(lengths[-1], given)

    def test_requests_may_come_in_packets_of_any_size(self):
        sql = HEADERS + ("SELECT 1 -- " + "x" * 40000).encode("utf-16le")
        for size in (1, 512 - HEADER, 4096 - HEADER, 32767 - HEADER):
            with self.subTest(size=size), Raw(self.server.port, 512) as c:
                part = sql[:400] if size == 1 else sql
                for at in range(0, len(part), size):
                    c.send(packet(BATCH, part[at:at + size], int(at + size >= len(part))))
                self.assertEqual(done_status(c.receive()), 0x10)

    def test_a_reset_goes_back_to_the_database_of_the_login(self):
        self.server.tsql("CREATE DATABASE elsewhere")
        with Raw(self.server.port) as c:
            for status, left in ((RESET, 0), (RESET_SKIP, 1)):
                c.ask("SET NOCOUNT ON; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; BEGIN TRANSACTION; USE elsewhere")
                self.assertIn("elsewhere".encode("utf-16le"), c.ask("SELECT DB_NAME()"))
                answer = c.ask("SELECT DB_NAME(), CAST(@@TRANCOUNT AS NVARCHAR(9)) + N' open'", 1 | status)
                self.assertIn(b"\xe3\x03\x00\x12\x00\x00", answer)  # ENVCHANGE: the reset is acknowledged
                self.assertIn(f"{left} open".encode("utf-16le"), answer)
                self.assertNotIn("elsewhere".encode("utf-16le"), answer[answer.index(b"\x81"):])
                self.assertEqual(done_status(c.ask("IF @@TRANCOUNT > 0 ROLLBACK")) & 2, 0)



if __name__ == "__main__":
    harness.main()
