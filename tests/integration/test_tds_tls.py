#!/usr/bin/env python3
"""shardgate-tdsd's encryption: what it agrees on with clients of each mind, what stands on the wire, which certificates it
takes and makes, and that no broken handshake disturbs anybody."""

import contextlib
import os
import pathlib
import socket
import ssl
import stat
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import BUILD, START_TIMEOUT_S
from test_tds_clients import LONG, PASSWORD, Server

OFF, ON, NOT_SUP, REQUIRED = range(4)  # MS-TDS 2.2.6.5
BATCH, REPLY, ATTENTION, LOGIN7, PRELOGIN = 1, 4, 6, 16, 18
PACKET_MAX = 32767
DONE_ATTENTION = 0x20
LOGIN_TIMEOUT_S = 15


def scrambled(password):
    return bytes((b << 4 & 0xF0 | b >> 4) ^ 0xA5 for b in password.encode("utf-16le"))


def packet(kind, data, status=1):
    return struct.pack(">BBHHBB", kind, status, 8 + len(data), 0, 1, 0) + data


def login7(password=PASSWORD):
    texts = {40: "sa".encode("utf-16le"), 44: scrambled(password)}
    data = bytearray(94)
    struct.pack_into("<II", data, 4, 0x74000004, 4096)
    for at, text in texts.items():
        struct.pack_into("<HH", data, at, len(data), len(text) // 2)
        data += text
    struct.pack_into("<I", data, 0, len(data))
    return packet(LOGIN7, bytes(data))


def batch(sql):
    return packet(BATCH, struct.pack("<IIHQI", 22, 18, 2, 0, 1) + sql.encode("utf-16le"))


class Client:
    """A TDS client that decides each byte itself."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=harness.START_TIMEOUT_S)
        self.tls = self.incoming = self.outgoing = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        if self.tls:
            self.tls.write(data)
            data = self.outgoing.read()
        self.socket.sendall(data)

    def receive_some(self):
        """Some bytes; b"" when the server has closed the connection."""
        if not self.tls:
            with contextlib.suppress(ConnectionResetError):
                return self.socket.recv(65536)
            return b""
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                data = self.socket.recv(65536)
                if not data:
                    return b""
                self.incoming.write(data)
            except ssl.SSLZeroReturnError:
                return b""

    def receive(self, kind=REPLY):
        """A message; None when the connection was closed instead."""
        data, message = b"", b""
        while True:
            while len(data) < 8 or len(data) < struct.unpack_from(">H", data, 2)[0]:
                more = self.receive_some()
                if not more:
                    return None
                data += more
            assert data[0] == kind, data[:8]
            length = struct.unpack_from(">H", data, 2)[0]
            message += data[8:length]
            if data[1] & 1:
                assert length == len(data), "more than a message"
                return message
            data = data[length:]

    def closed(self):
        return self.receive_some() == b""

    def prelogin(self, wanted):
        """What the server answers."""
        self.socket.sendall(self.prelogin_packet(wanted))
        answer = self.receive()
        at = answer.index(b"\x01", 5)
        return answer[struct.unpack_from(">H", answer, at + 1)[0]]

    @staticmethod
    def prelogin_packet(wanted):
        return packet(PRELOGIN, bytes((0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 9, 0, 0, 0, 0, 0, wanted)))

    def flight(self):
        """What the client has to say next in the handshake; None when it is done."""
        try:
            self.tls.do_handshake()
            return None
        except ssl.SSLWantReadError:
            return packet(PRELOGIN, self.outgoing.read())

    def shake_hands(self, context=None):
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        tls = self.tls
        while (data := self.flight()) is not None:
            self.tls = None
            self.socket.sendall(data)
            answer = self.receive(PRELOGIN)
            self.tls = tls
            if answer is None:
                raise ConnectionError("closed in the handshake")
            self.incoming.write(answer)

    def log_in(self):
        self.send(login7())
        return self.receive()

    def open(self, wanted=ON):
        assert self.prelogin(wanted) == wanted
        self.shake_hands()
        assert self.log_in()[0] == 0xE3
        return self


def freetds(folder, port, encryption, ca_file=None):
    """The environment for FreeTDS's tools, in which the server is the section `server`."""
    conf = pathlib.Path(folder) / f"{encryption}.conf"
    conf.write_text(f"[server]\n\thost = 127.0.0.1\n\tport = {port}\n\ttds version = 7.4\n\tclient charset = UTF-8\n"
                    f"\tencryption = {encryption}\n" + (f"\tca file = {ca_file}\n\tcheck certificate hostname = yes\n" if ca_file else ""))
    return {**os.environ, "FREETDSCONF": str(conf), "LC_ALL": "C.UTF-8"}


def tsql(environment, sql):
    r = subprocess.run(["tsql", "-S", "server", "-U", "sa", "-P", PASSWORD, "-o", "fhq"], input=sql + "\ngo\n", capture_output=True, text=True,
                       timeout=60, env=environment)
    return (r.stdout + r.stderr).strip()


class Wire(threading.Thread):
    """Passes one connection on, and keeps all that went by."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.to, self.seen = port, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        self.listener.close()
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            back = threading.Thread(target=self.pump, args=(server, client))
            back.start()
            self.pump(client, server)
            back.join()

    def pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.seen += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


class Agreement(unittest.TestCase):
    """The table of MS-TDS 2.2.6.5: setting → client's wish → answer, what is encrypted."""

    TABLE = {
        "off": {OFF: (NOT_SUP, "nothing"), ON: (NOT_SUP, "closed"), NOT_SUP: (NOT_SUP, "nothing"), REQUIRED: (NOT_SUP, "closed")},
        "allow": {OFF: (OFF, "login"), ON: (ON, "all"), NOT_SUP: (NOT_SUP, "nothing"), REQUIRED: (ON, "all")},
        "require": {OFF: (REQUIRED, "all"), ON: (ON, "all"), NOT_SUP: (REQUIRED, "closed"), REQUIRED: (ON, "all")},
    }
    TSQL = {
        "off": {"off": True, "request": True, "require": False},
        "allow": {"off": True, "request": True, "require": True},
        "require": {"off": False, "request": True, "require": True},
    }

    @classmethod
    def setUpClass(cls):
        cls.servers = {setting: Server("--encrypt", setting) for setting in cls.TABLE}

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers.values():
            assert server.stop() == 0

    def test_each_wish_meets_each_setting(self):
        for setting, rows in self.TABLE.items():
            for wanted, (answer, encrypted) in rows.items():
                with self.subTest(setting=setting, wanted=wanted), Client(self.servers[setting].port) as c:
                    self.assertEqual(c.prelogin(wanted), answer)
                    if encrypted == "closed":
                        self.assertTrue(c.closed())
                        continue
                    if encrypted != "nothing":
                        c.shake_hands()
                    c.send(login7())
                    if encrypted == "login":
                        c.tls = None
                    self.assertEqual(c.receive()[0], 0xE3)
                    c.send(batch("SELECT 4711"))
                    self.assertIn(struct.pack("<I", 4711), c.receive())

    def test_freetds_in_each_setting(self):
        for setting, rows in self.TSQL.items():
            server = self.servers[setting]
            for encryption, works in rows.items():
                with self.subTest(setting=setting, encryption=encryption):
                    said = tsql(freetds(server.folder, server.port, encryption), "SELECT REPLICATE(CAST('x' AS VARCHAR(MAX)), 100000)")
                    self.assertEqual(said == "x" * 100000, works, said[:200])

    def test_logins_without_prelogin(self):
        for setting, token in (("off", 0xE3), ("allow", 0xE3), ("require", 0xAA)):
            with self.subTest(setting=setting), Client(self.servers[setting].port) as c:
                answer = c.log_in()
                self.assertEqual(answer[0], token)
                self.assertEqual("requires encryption".encode("utf-16le") in answer, setting == "require")

    def test_what_stands_on_the_wire(self):
        marker = "SELECT 'seen on the wire'".encode("utf-16le")
        for encryption, password_seen, query_seen in (("off", True, True), ("request", False, True), ("require", False, False)):
            with self.subTest(encryption=encryption):
                server = self.servers["allow"]
                wire = Wire(server.port)
                self.assertEqual(tsql(freetds(server.folder, wire.port, encryption), "SELECT 'seen on the wire'"), "seen on the wire")
                wire.join(10)
                self.assertEqual(scrambled(PASSWORD) in wire.seen, password_seen)
                self.assertEqual(marker in wire.seen, query_seen)

    def test_refusals_reach_encrypted_clients(self):
        with Client(self.servers["require"].port) as c:
            c.prelogin(ON)
            c.shake_hands()
            c.send(login7("wrong"))
            self.assertIn("Login failed for user 'sa'".encode("utf-16le"), c.receive())
            self.assertTrue(c.closed())

    def test_names_are_verified(self):
        """A client that verifies the name in the certificate, too."""
        server = self.servers["require"]
        for name, good in (("localhost", True), ("127.0.0.1", True), ("other.example", False)):
            context = ssl.create_default_context(cafile=str(server.data / "tls" / "cert.pem"))
            with self.subTest(name=name), Client(server.port) as c:
                c.prelogin(ON)
                if good:
                    c.shake_hands(NamedContext(context, name))
                    self.assertEqual(c.log_in()[0], 0xE3)
                else:
                    with self.assertRaises(ssl.SSLCertVerificationError):
                        c.shake_hands(NamedContext(context, name))


class NamedContext:
    """An SSLContext that expects another name than Client says."""

    def __init__(self, context, name):
        self.context, self.name = context, name

    def wrap_bio(self, incoming, outgoing, server_hostname):
        return self.context.wrap_bio(incoming, outgoing, server_hostname=self.name)


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.tsql("CREATE DATABASE C")
        cls.server.tsql("CREATE TABLE n (i INT)\nINSERT INTO n VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)", database="C")
        cls.stalled = Client(cls.server.port)
        cls.stalled.prelogin(ON)
        cls.stalled_since = time.monotonic()

    @classmethod
    def tearDownClass(cls):
        cls.stalled.socket.close()
        assert cls.server.stop() == 0

    def open(self):
        c = Client(self.server.port).open()
        self.addCleanup(c.socket.close)
        c.send(batch("USE C"))
        c.receive()
        return c

    def check_cancelled(self, c, since):
        """The running query ends, by the answer to an attention."""
        while True:
            answer = c.receive()
            self.assertIsNotNone(answer)
            self.assertEqual(answer[-13], 0xFD)
            if struct.unpack_from("<H", answer, len(answer) - 12)[0] & DONE_ATTENTION:
                break
        self.assertLess(time.monotonic() - since, 10)
        c.send(batch("SELECT 4711"))
        self.assertIn(struct.pack("<I", 4711), c.receive())

    def test_attention_in_a_record_of_its_own(self):
        c = self.open()
        c.send(batch(LONG))
        time.sleep(0.3)
        since = time.monotonic()
        c.send(packet(ATTENTION, b""))
        self.check_cancelled(c, since)

    def test_attention_in_the_record_of_its_batch(self):
        c = self.open()
        since = time.monotonic()
        c.send(batch(LONG) + packet(ATTENTION, b""))
        self.check_cancelled(c, since)

    def test_attention_that_waits_inside_tls(self):
        """The packet fills the server's buffer to its last byte, and the record that ends it holds the attention, too."""
        c = self.open()
        text = batch(LONG)[8:]
        first, rest = text[:93], text[93:]
        rest += " ".encode("utf-16le") * PACKET_MAX
        last = packet(BATCH, rest[:PACKET_MAX - 8]) + packet(ATTENTION, b"")
        self.assertEqual((len(first) + PACKET_MAX - 8) % 2, 0)
        since = time.monotonic()
        for record in (packet(BATCH, first, 0), last[:16000], last[16000:32000], last[32000:]):
            c.send(record)
        self.check_cancelled(c, since)

    def test_going_away_cancels(self):
        c = self.open()
        before = self.threads()
        c.send(batch(LONG))
        time.sleep(0.2)
        c.socket.close()
        harness.eventually(lambda: self.threads() < before, 10)

    def test_records_cut_anywhere(self):
        c = self.open()
        c.tls.write(batch("SELECT 4711"))
        for byte in c.outgoing.read():
            c.socket.sendall(bytes((byte,)))
        self.assertIn(struct.pack("<I", 4711), c.receive())

    def test_long_requests_and_answers(self):
        said = tsql(freetds(self.server.folder, self.server.port, "require"), "SELECT DATALENGTH('" + "y" * 300000 + "'), REPLICATE(CAST('x' AS VARCHAR(MAX)), 3000000)")
        self.assertEqual(said, "300000\t" + "x" * 3000000)

    def test_only_the_login_may_be_in_an_encrypted_login(self):
        with Client(self.server.port) as c:
            self.assertEqual(c.prelogin(OFF), OFF)
            c.shake_hands()
            c.send(login7() + batch("SELECT 1"))
            self.assertTrue(c.closed())  # and says so within TLS: no answer came in the clear

    def test_nothing_may_come_before_the_handshake(self):
        with Client(self.server.port) as c:
            c.socket.sendall(c.prelogin_packet(ON) + login7())
            self.assertIsNotNone(c.receive())
            self.assertTrue(c.closed())

    def test_a_login_in_the_clear_is_no_handshake(self):
        for wanted in (OFF, ON):
            with self.subTest(wanted=wanted), Client(self.server.port) as c:
                c.prelogin(wanted)
                self.assertTrue(c.log_in() is None)

    def test_versions(self):
        for version, good in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, False)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.minimum_version = version
            with self.subTest(version=version), Client(self.server.port) as c:
                c.prelogin(ON)
                if good:
                    c.shake_hands(context)
                    self.assertEqual(c.tls.version(), "TLSv1.2")
                else:
                    self.assertRaises(ssl.SSLError, c.shake_hands, context)

    def threads(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/task"))

    def send_and_leave(self, c, data):
        """Sends, says that nothing more comes, and reads to the end."""
        c.tls = None
        with contextlib.suppress(OSError):
            c.socket.sendall(data)
            c.socket.shutdown(socket.SHUT_WR)
            while c.socket.recv(65536):
                pass

    def broken(self, change):
        """Handshakes of which one flight is changed at each of its bytes."""
        for flight in (1, 2):
            at, length = 0, 1
            while at < length:
                with Client(self.server.port) as c:
                    c.prelogin(ON)
                    data, answer = b"", None
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                    c.incoming, c.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                    tls = c.tls = context.wrap_bio(c.incoming, c.outgoing)
                    for _ in range(flight - 1):
                        data = c.flight()
                        c.tls = None
                        c.socket.sendall(data)
                        answer = c.receive(PRELOGIN)
                        c.tls = tls
                        c.incoming.write(answer)
                    data = c.flight()
                    length = len(data)
                    self.send_and_leave(c, change(data, at))
                at += 1
            self.assertGreater(length, 100)
        with self.subTest("others are served"):
            self.open()

    def check_nothing_is_left(self, before):
        harness.eventually(lambda: self.threads() <= before, 10)
        self.assertIsNone(self.server.process.poll())

    def test_handshakes_that_break_off_at_each_byte(self):
        before = self.threads()
        self.broken(lambda data, at: data[:at])
        self.check_nothing_is_left(before + 1)

    def test_handshakes_with_each_byte_wrong(self):
        before = self.threads()
        self.broken(lambda data, at: data[:at] + bytes((data[at] ^ 0xFF,)) + data[at + 1:])
        self.check_nothing_is_left(before + 1)

    def test_endless_handshakes_end(self):
        for filler in (packet(PRELOGIN, b""), packet(PRELOGIN, b"\x15\x03\x03\x00\x02\x01\x00"), packet(PRELOGIN, b"\x16\x03\x01\x00\x00")):
            with self.subTest(filler=filler), Client(self.server.port) as c:
                c.prelogin(ON)
                with contextlib.suppress(OSError):
                    for _ in range(20):
                        c.socket.sendall(filler * 1000)
                    while c.socket.recv(65536):
                        pass
        self.open()

    def test_stalled_handshakes_hold_nobody_up_and_end(self):
        since = time.monotonic()
        self.open()
        self.assertLess(time.monotonic() - since, 5)
        self.stalled.socket.settimeout(LOGIN_TIMEOUT_S + 10)
        while self.stalled.socket.recv(4096):
            pass
        self.assertGreater(time.monotonic() - self.stalled_since, LOGIN_TIMEOUT_S - 1)

    def test_stop_ends_encrypted_connections(self):
        server = Server()
        with Client(server.port) as idle, Client(server.port) as shaking:
            idle.open()
            shaking.prelogin(ON)
            since = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - since, 3)
            self.assertTrue(idle.closed())


class Certificates(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def openssl(self, *arguments, **more):
        return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True, cwd=self.folder, **more).stdout

    def make(self, name, *arguments):
        """A certificate that signs itself, NAME.pem and NAME.key."""
        self.openssl("req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                     "-keyout", name + ".key", "-out", name + ".pem", *arguments)
        return self.folder / (name + ".pem"), self.folder / (name + ".key")

    def serve(self, *arguments, data=None):
        server = Server(*map(str, arguments), data=data)
        self.addCleanup(server.stop)
        return server

    def test_one_is_made_and_kept(self):
        data = self.folder / "data"
        first = Server(data=data)
        self.assertEqual(first.stop(), 0)
        certificate, key = data / "tls" / "cert.pem", data / "tls" / "key.pem"
        self.assertEqual([stat.S_IMODE(p.stat().st_mode) for p in (data / "tls", certificate, key)], [0o700, 0o600, 0o600])
        said = self.openssl("x509", "-in", certificate, "-noout", "-ext", "subjectAltName,basicConstraints", "-checkend", 9 * 365 * 86400)
        for part in ("DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1", "CA:FALSE"):
            self.assertIn(part, said)
        before = certificate.read_bytes(), key.read_bytes()
        second = self.serve(data=data)
        self.assertEqual((certificate.read_bytes(), key.read_bytes()), before)
        self.assertEqual(tsql(freetds(self.folder, second.port, "require", certificate), "SELECT 1"), "1")
        second.stop()
        certificate.unlink()  # as if a power cut had come between the two
        third = self.serve(data=data)
        self.assertNotEqual(key.read_bytes(), before[1])
        self.assertEqual(tsql(freetds(self.folder, third.port, "require", certificate), "SELECT 1"), "1")

    def test_its_own_is_read_when_the_first_client_encrypts(self):
        data = self.folder / "data"
        Server(data=data).stop()
        certificate = data / "tls" / "cert.pem"
        good = certificate.read_bytes()
        certificate.write_text("no PEM\n")
        status, said = self.refused("--encrypt", "require")
        self.assertEqual(status, 78, said)
        self.assertIn("cert.pem", said)
        server = self.serve(data=data)
        self.assertEqual(tsql(freetds(self.folder, server.port, "off"), "SELECT 1"), "1")
        self.assertIn("connection failed", tsql(freetds(self.folder, server.port, "require"), "SELECT 1"))
        certificate.write_bytes(good)
        self.assertEqual(tsql(freetds(self.folder, server.port, "require", certificate), "SELECT 1"), "1")

    def test_none_is_made_for_a_server_without_encryption(self):
        server = self.serve("--encrypt", "off")
        self.assertFalse((server.data / "tls").exists())

    def test_given_ones_are_used(self):
        for name, arguments in (("rsa", ("-newkey", "rsa:2048")), ("ec", ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"))):
            with self.subTest(name):
                certificate, key = self.make(name, *arguments)
                other = self.make("other-" + name, *arguments)[0]
                server = self.serve("--certificate", certificate, "--private-key", key)
                self.assertEqual(tsql(freetds(self.folder, server.port, "require", certificate), "SELECT 1"), "1")
                self.assertIn("connection failed", tsql(freetds(self.folder, server.port, "require", other), "SELECT 1"))

    def test_long_chains_come_in_packets(self):
        authority, authority_key = self.make("authority", "-newkey", "rsa:2048", "-addext", "nsComment=" + "long " * 1500)
        self.openssl("req", "-new", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=leaf", "-keyout", "leaf.key", "-out", "leaf.csr")
        (self.folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.openssl("x509", "-req", "-in", "leaf.csr", "-CA", authority, "-CAkey", authority_key, "-days", "30", "-extfile", "names", "-out", "leaf.pem")
        chain = self.folder / "chain.pem"
        chain.write_bytes((self.folder / "leaf.pem").read_bytes() + authority.read_bytes())
        server = self.serve("--certificate", chain, "--private-key", self.folder / "leaf.key")
        self.assertEqual(tsql(freetds(self.folder, server.port, "require", authority), "SELECT 1"), "1")

    def refused(self, *arguments):
        secret = self.folder / "password"
        secret.write_text("x\n")
        secret.chmod(0o600)
        r = subprocess.run([str(BUILD / "shardgate-tdsd"), "--data", str(self.folder / "data"), "--port", "0", "--password-file", str(secret),
                            *map(str, arguments)], capture_output=True, text=True, timeout=START_TIMEOUT_S, stdin=subprocess.DEVNULL)
        return r.returncode, r.stderr

    def test_what_cannot_be_used_is_refused(self):
        certificate, key = self.make("a", "-newkey", "rsa:2048")
        other_key = self.make("b", "-newkey", "rsa:2048")[1]
        locked = self.folder / "locked.key"
        self.openssl("rsa", "-in", key, "-aes128", "-passout", "pass:secret", "-out", locked)
        garbage = self.folder / "garbage"
        garbage.write_text("no PEM\n")
        for name, arguments, blamed in (("missing", (self.folder / "missing.pem", key), "missing.pem"), ("garbage", (garbage, key), "garbage"),
                                        ("no key", (certificate, garbage), "garbage"), ("other's key", (certificate, other_key), "b.key"),
                                        ("locked", (certificate, locked), "locked.key"), ("missing key", (certificate, self.folder / "none"), "none")):
            with self.subTest(name):
                status, said = self.refused("--certificate", arguments[0], "--private-key", arguments[1])
                self.assertEqual(status, 78, said)
                self.assertIn(blamed, said)

    def test_options_that_do_not_fit(self):
        for arguments in (("--encrypt", "maybe"), ("--certificate", "x"), ("--private-key", "x"),
                          ("--encrypt", "off", "--certificate", "x", "--private-key", "y")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.refused(*arguments)[0], 64)


if __name__ == "__main__":
    harness.main()
