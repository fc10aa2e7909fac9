"""Requests that are none: an insert of one row, made wrong in one of many ways by a seeded generator.

WAYS: name → function(random, parts) that returns the bytes to send. A way in SURE makes requests that no reading of the standard takes: they
must be refused, or the connection closed. Of the others some come out well-formed."""

import json
import socket

LIMIT_S = 5  # no answer to a whole request, nor an end, for so long is an error


class Parts:
    """A good request, in parts that can be changed."""

    def __init__(self, table, key, path=b"/insert"):
        self.method, self.target, self.version = b"POST", path, b"HTTP/1.1"
        self.body = json.dumps({"db_name": "Soak", "table": table, "data": {"student_id": key, "name": "wild"}}).encode()
        self.host, self.type = [b"Host: localhost"], [b"Content-Type: application/json"]
        self.length, self.more, self.end = [b"Content-Length: %d" % len(self.body)], [], b"\r\n"

    def head(self):
        lines = [b" ".join((self.method, self.target, self.version)), *self.host, *self.type, *self.length, *self.more]
        return self.end.join(lines) + 2 * self.end

    def whole(self):
        return self.head() + self.body

    def chunks(self, random):
        """The body, chunked."""
        pieces, rest = [], self.body
        while rest:
            size = random.randint(1, 40)
            pieces.append((b"%x" % len(rest[:size]), rest[:size]))
            rest = rest[size:]
        return pieces


def as_chunks(pieces, last=b"0\r\n\r\n"):
    return b"".join(size + b"\r\n" + data + b"\r\n" for size, data in pieces) + last


def chunked(random, p):
    p.length = [b"Transfer-Encoding: chunked"]
    return p.head() + as_chunks(p.chunks(random))


def broken_chunks(random, p):
    p.length = [b"Transfer-Encoding: chunked"]
    pieces = p.chunks(random)
    i = random.randrange(len(pieces))
    size, data = pieces[i]
    pieces[i] = random.choice([(b"-" + size, data), (b"0x" + size, data), (b"g" + size, data), (b"", data), (size + b"ffffffffffffffff", data), (b"%x" % (len(data) + 1), data),
                               (b"\x00" + size, data)])
    return p.head() + as_chunks(pieces)


def both_lengths(random, p):
    p.length += [b"Transfer-Encoding: chunked"]
    random.shuffle(p.length)
    return p.head() + as_chunks(p.chunks(random))


def hidden_request(random, p):
    """A second request in what one reading takes for the first one's body."""
    second = p.whole()
    p.length = random.choice([[b"Content-Length: 5", b"Transfer-Encoding: chunked"], [b"Content-Length: 5", b"Content-Length: %d" % (5 + len(second))],
                              [b"Content-Length: 5, %d" % (5 + len(second))], [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Content-Length: 5"]])
    return p.head() + b"0\r\n\r\n" + second


def strange_coding(random, p):
    p.length = [random.choice([b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip, chunked"])]
    return p.head() + as_chunks(p.chunks(random))


def strange_length(random, p):
    n = len(p.body)
    p.length = [b"Content-Length: " + random.choice([b"-%d" % n, b"+%d" % n, b"0x%x" % n, b"%d.0" % n, b"1e2", b"18446744073709551616", b"9223372036854775808", b"%d %d" % (n, n), b"a",
                                                     b"%d,%d" % (n, n + 1)])]
    return p.whole()


def two_lengths(random, p):
    p.length = [b"Content-Length: %d" % len(p.body), b"Content-Length: %d" % random.randint(0, 50)]
    return p.whole()


def huge_length(random, p):
    p.length = [b"Content-Length: %d" % random.choice([8 << 20 << random.randint(1, 20), 1 << 62])]
    return p.whole()


def too_long_head(random, p):
    p.more = [b"X-Long: " + b"a" * random.randint(8192, 60000)]
    return p.whole()


def many_headers(random, p):
    p.more = [b"X-%d: %d" % (i, i) for i in range(random.randint(2000, 4000))]
    return p.whole()


def nul_in_head(random, p):
    head = p.head()
    at = random.randrange(len(head) - 4)
    return head[:at] + b"\x00" + head[at:] + p.body


def without_host(_, p):
    p.host = []
    return p.whole()


def strange_host(random, p):
    p.host = [b"Host: " + random.choice([b"a b", b"a/b", b"a@b", b"[::1", b"a:b:c", b"\x80", b"a\x7f"])]
    return p.whole()


def two_hosts(_, p):
    p.host = [b"Host: a", b"Host: b"]
    return p.whole()


def strange_version(random, p):
    p.version = random.choice([b"HTTP/9.9", b"HTTP/1.1.1", b"HTTPS/1.1", b"HTTP/1.x", b"http/1.1", b"HTTP/", b"HTTP/1"])
    return p.whole()


def space_before_colon(_, p):
    p.length = [b"Content-Length : %d" % len(p.body)]
    return p.whole()


def strange_line(random, p):
    p.method, p.target = random.choice([(b"", b"/insert"), (b"POST", b""), (b"PO ST", b"/insert"), (b"POST", b"/in sert"), (b"POST", b"insert"), (b"P\x01ST", b"/insert")])
    return p.whole()


def noise(random, p):
    return bytes(random.randrange(256) for _ in range(random.randint(1, 300))) + b"\r\n\r\n"


def cut(random, p):
    whole = p.whole()
    return whole[:random.randrange(1, len(whole))]


def no_json(random, p):
    body = bytearray(p.body)
    body[random.randrange(len(body))] = random.choice(b"\x00\x01\x80\xff")
    p.body = bytes(body)
    return p.whole()


def too_long_body(random, p):
    """Longer than max_body, in chunks, so that no length says it."""
    p.length = [b"Transfer-Encoding: chunked"]
    return p.head() + (b"100000\r\n" + b" " * 0x100000 + b"\r\n") * 10 + as_chunks(p.chunks(random))


# These may come out well-formed.

def http_1_0(_, p):
    p.version = b"HTTP/1.0"
    return p.whole()


def bare_newlines(_, p):
    p.end = b"\n"
    return p.whole()


def folded(random, p):
    p.more = [b"X-Folded: a\r\n" + random.choice([b" ", b"\t"]) + b"b"]
    return p.whole()


def flipped(random, p):
    whole = bytearray(p.whole())
    for _ in range(random.randint(1, 4)):
        whole[random.randrange(len(whole))] = random.randrange(256)
    return bytes(whole)


def absolute(_, p):
    p.target = b"http://localhost/insert"
    return p.whole()


def no_such(random, p):
    p.method, p.target = random.choice([(b"PUT", b"/insert"), (b"POST", b"/in%73ert"), (b"POST", b"/insert/"), (b"POST", b"//insert"), (b"POST", b"/x/../insert"), (b"BREW", b"/insert"),
                                        (b"TRACE", b"/"), (b"CONNECT", b"localhost:80")])
    return p.whole()


SURE = {f.__name__: f for f in (broken_chunks, both_lengths, hidden_request, strange_coding, strange_length, two_lengths, huge_length, too_long_head, many_headers, nul_in_head, without_host,
                                strange_host, two_hosts, strange_version, space_before_colon, strange_line, noise, cut, no_json)}
PERHAPS = {f.__name__: f for f in (chunked, http_1_0, bare_newlines, folded, flipped, absolute, no_such)}
TOO_LONG = ("too_long_body", too_long_body)  # slow: for now and then


def answers(data):
    """The answers in what was read: (status, headers, body) each; the last may be cut, and has status None then."""
    found = []
    while data:
        head, there, rest = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(b":") for line in lines[1:])}
        length = int(headers.get(b"content-length", b"0"))
        if not there or len(rest) < length:
            return found + [(None, headers, data)]
        status = int(lines[0].split()[1])
        if status >= 200:
            found.append((status, headers, rest[:length]))
        data = rest[length:]
    return found


def ask(port, data):
    """Sends it, says that nothing follows, and reads to the end. What was read; None when the server neither answers nor closes."""
    s = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
    read = b""
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # refused before it was all sent: there is an answer to read
    try:
        while piece := s.recv(65536):
            read += piece
    except TimeoutError:
        return None
    except OSError:
        pass
    finally:
        s.close()
    return read
