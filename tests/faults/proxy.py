"""A TCP proxy that does harm where it is told to: after so many bytes in one direction, or of the answer to given bytes, it delays,
cuts, resets, swallows or holds a connection; or it makes all connections sick for a while. Knows nothing about what the bytes mean."""

import collections
import contextlib
import random
import socket
import struct
import threading
import time

REQUEST, ANSWER = "request", "answer"  # the two directions

# kind: what happens once `after` bytes have passed
DELAY, CUT, RESET, SWALLOW = "delay", "cut", "reset", "swallow"
KINDS = (DELAY, CUT, RESET, SWALLOW)
HOLD = "hold"  # until release(), also when the sender is gone by then

# `when`: it strikes only on a connection whose client sends these bytes, from there on; None: on any
NOTICED_S = 1.5  # after one side of a swallowed connection is gone the other learns of it: until then it keeps its locks

Fault = collections.namedtuple("Fault", "kind direction after seconds when", defaults=(0, None))

# What befalls all connections, those that are open included, for as long as it is a proxy's `sickness`.
MUTE = "mute"  # they are accepted, and nothing ever passes
Pace = collections.namedtuple("Pace", "seconds piece")  # answers pass in pieces of so many bytes, each so late


def random_fault(choose=random):
    return Fault(choose.choice(KINDS), choose.choice((REQUEST, ANSWER)), choose.choice((0, 0, choose.randrange(8), choose.randrange(2000))),
                 choose.uniform(0.05, 1.0))


class Proxy:
    def __init__(self, port, target):
        """Listens on `port` of loopback (0 picks one) and passes on to the port `target`."""
        self.target, self.lock, self.armed, self.struck = target, threading.Lock(), [], collections.Counter()
        self.open, self.released, self.sickness = set(), threading.Event(), None
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, fault):
        """The fault strikes once, on the connection whose bytes come next."""
        with self.lock:
            self.armed.append(fault)

    def disarm(self):
        """Forgets faults that have not struck and what was sick, and ends the connections that swallow."""
        self.sickness = None
        with self.lock:
            self.armed.clear()
            for c in self.open:
                c.armed.clear()
            swallowed = [c for c in self.open if c.swallows]
        for c in swallowed:
            c.end()

    def release(self):
        """Lets all go on that is held."""
        self.released.set()
        self.released = threading.Event()

    def close(self):
        self.release()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            connections = list(self.open)
        for c in connections:
            c.end()

    def take(self, connection, direction, data):
        """The fault that strikes within `data`, with the bytes that still pass; or None."""
        with self.lock:
            if direction == REQUEST:
                fault = next((f for f in self.armed if f.when is not None and f.when in data), None)
                if fault is not None:
                    self.armed.remove(fault)
                    connection.armed.append(fault)
            for faults in (connection.armed, self.armed):
                for i, fault in enumerate(faults):
                    if fault.direction != direction or (faults is self.armed and fault.when is not None):
                        continue
                    if fault.after <= len(data):
                        del faults[i]
                        self.struck[fault.kind] += 1
                        return fault
                    faults[i] = fault._replace(after=fault.after - len(data))
                    return None
        return None

    def pass_on(self, data):
        """What goes on in place of a client's bytes: for subclasses."""
        return data

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            connection = Connection(self, client, server)
            with self.lock:
                self.open.add(connection)
            connection.start()


class Connection:
    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server, self.swallows, self.pumps = proxy, client, server, False, 2
        self.armed = []  # faults whose `when` this connection's client has sent
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self):
        for source, sink, direction in ((self.client, self.server, REQUEST), (self.server, self.client, ANSWER)):
            threading.Thread(target=self._pump, args=(source, sink, direction), daemon=True).start()

    def end(self, reset=False):
        for s in (self.client, self.server):
            with contextlib.suppress(OSError):
                if reset:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.shutdown(socket.SHUT_RDWR)
            if reset:
                s.close()

    def _send(self, sink, data, direction):
        while data and direction == ANSWER and isinstance(pace := self.proxy.sickness, Pace):
            time.sleep(pace.seconds)
            sink.sendall(data[:pace.piece])
            data = data[pace.piece:]
        sink.sendall(data)

    def _pump(self, source, sink, direction):
        try:
            while data := source.recv(65536):
                if direction == REQUEST:
                    data = self.proxy.pass_on(data)
                fault = self.proxy.take(self, direction, data)
                if fault is not None:
                    sink.sendall(data[:fault.after])
                    data = data[fault.after:]
                    if fault.kind == DELAY:
                        time.sleep(fault.seconds)
                    elif fault.kind == HOLD:
                        self.proxy.released.wait()
                    elif fault.kind == SWALLOW:
                        self.swallows = True
                    else:
                        self.end(reset=fault.kind == RESET)
                        return
                if self.proxy.sickness is MUTE:
                    self.swallows = True
                if not self.swallows:
                    self._send(sink, data, direction)
            if self.swallows:
                time.sleep(NOTICED_S)
                self.end()
            else:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.end()
        finally:
            with self.proxy.lock:
                self.pumps -= 1
                last = self.pumps == 0
                if last:
                    self.proxy.open.discard(self)
            if last:
                self.client.close()
                self.server.close()
