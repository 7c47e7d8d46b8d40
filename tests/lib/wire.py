"""A client that sends exactly what a test says: protocol 3 by hand, for sequences that no driver sends.

    with Wire(port) as w:
        w.login()
        w.send(parse("s", "select $1::int"), bind("", "s", ["1"]), execute(), sync())
        assert w.types_until_ready() == "12DCZ"

Source of the formats: PostgreSQL documentation, "Message Formats".
"""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import time

from . import cluster as pg

PROTOCOL_3_0 = 196608
PROTOCOL_3_2 = 196610
CANCEL_REQUEST = 80877102
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104


class Closed(Exception):
    """The other side closed the connection."""


class Error(Exception):
    """An ErrorResponse that the test did not ask for; `.fields` by letter."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('S')} {fields.get('C')}: {fields.get('M')}")
        self.fields = fields
        self.sqlstate = fields.get("C")


def message(kind, payload=b""):
    return kind.encode() + struct.pack("!I", len(payload) + 4) + payload


def text(value):
    return (value if isinstance(value, bytes) else value.encode()) + b"\0"


def query(sql):
    return message("Q", text(sql))


def parse(name, sql, types=()):
    return message("P", text(name) + text(sql) + struct.pack("!H", len(types)) + b"".join(struct.pack("!I", t) for t in types))


def bind(portal="", statement="", values=(), result_formats=()):
    body = text(portal) + text(statement) + struct.pack("!HH", 0, len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            raw = value if isinstance(value, bytes) else str(value).encode()
            body += struct.pack("!i", len(raw)) + raw
    body += struct.pack("!H", len(result_formats)) + b"".join(struct.pack("!H", f) for f in result_formats)
    return message("B", body)


def describe(kind="P", name=""):
    return message("D", kind.encode() + text(name))


def execute(portal="", rows=0):
    return message("E", text(portal) + struct.pack("!I", rows))


def close(kind="P", name=""):
    return message("C", kind.encode() + text(name))


def sync():
    return message("S")


def flush():
    return message("H")


def copy_data(data):
    return message("d", data)


def copy_done():
    return message("c")


def copy_fail(reason):
    return message("f", text(reason))


def terminate():
    return message("X")


def startup(protocol=PROTOCOL_3_0, **parameters):
    body = struct.pack("!I", protocol) + b"".join(text(k) + text(v) for k, v in parameters.items()) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


class Message:
    def __init__(self, kind, payload):
        self.kind = kind
        self.payload = payload

    def __repr__(self):
        return f"{self.kind}{self.payload[:60]!r}"

    @property
    def fields(self):
        """Of an ErrorResponse or NoticeResponse."""
        parts = self.payload.split(b"\0")
        return {part[:1].decode(): part[1:].decode(errors="replace") for part in parts if part}

    @property
    def sqlstate(self):
        return self.fields["C"]

    @property
    def row(self):
        """Of a DataRow: text values."""
        values, at = [], 2
        for _ in range(struct.unpack("!H", self.payload[:2])[0]):
            (size,) = struct.unpack("!i", self.payload[at : at + 4])
            at += 4
            values.append(None if size < 0 else self.payload[at : at + size].decode(errors="replace"))
            at += max(size, 0)
        return values

    @property
    def tag(self):
        """Of a CommandComplete."""
        return self.payload.rstrip(b"\0").decode()

    @property
    def columns(self):
        """Of a RowDescription: the names."""
        names, at = [], 2
        for _ in range(struct.unpack("!H", self.payload[:2])[0]):
            end = self.payload.index(b"\0", at)
            names.append(self.payload[at:end].decode())
            at = end + 19
        return names


def rows(messages):
    return [m.row for m in messages if m.kind == "D"]


def kinds(messages):
    """The kinds in order, as a string; runs of DataRow are kept."""
    return "".join(m.kind for m in messages)


class Wire:
    def __init__(self, port, host="127.0.0.1", timeout=20):
        if str(host).startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(f"{host}/.s.PGSQL.{port}")
        else:
            self.socket = socket.create_connection((host, port), timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.buffer = b""
        self.parameters = {}
        self.last_error = None
        self.pid = None
        self.key = None
        self.negotiated = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # Bytes.

    def send(self, *messages):
        """All in one write."""
        self.socket.sendall(b"".join(messages))

    def _fill(self, n, timeout):
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while len(self.buffer) < n:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{len(self.buffer)} of {n} bytes came")
            self.socket.settimeout(left)
            try:
                got = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                got = b""
            except ssl.SSLError as error:
                raise Closed(str(error)) from error
            if not got:
                raise Closed(f"after {self.buffer!r}" if self.buffer else "")
            self.buffer += got

    def take(self, n, timeout=None):
        self._fill(n, timeout)
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def receive(self, timeout=None):
        """The next message. ParameterStatus is kept in `parameters`, an ErrorResponse in `last_error` as well."""
        self._fill(5, timeout)
        kind = self.buffer[:1].decode("latin-1")
        (size,) = struct.unpack("!I", self.buffer[1:5])
        assert 4 <= size < 1 << 30, f"length {size} in {self.buffer[:16]!r}"
        self._fill(1 + size, timeout)
        m = Message(kind, self.buffer[5 : 1 + size])
        self.buffer = self.buffer[1 + size :]
        if kind == "S":
            name, value = m.payload.split(b"\0")[:2]
            self.parameters[name.decode()] = value.decode()
        if kind == "E":
            self.last_error = m
        return m

    def until(self, kind="Z", timeout=None):
        """Messages up to and with the first of that kind; ParameterStatus and NoticeResponse are left out."""
        got = []
        while True:
            m = self.receive(timeout)
            if m.kind in "SN" and m.kind != kind:
                continue
            got.append(m)
            if m.kind == kind:
                return got

    def types_until_ready(self, timeout=None):
        return kinds(self.until("Z", timeout))

    def query(self, sql, timeout=None):
        """A simple query's messages up to ReadyForQuery."""
        self.send(query(sql))
        return self.until("Z", timeout)

    def value(self, sql):
        """The one value of a simple query; an error is raised."""
        messages = self.query(sql)
        for m in messages:
            if m.kind == "E":
                raise Error(m.fields)
        return rows(messages)[0][0]

    def nothing_comes(self, seconds=0.2):
        """True when no byte comes within the time."""
        try:
            self._fill(len(self.buffer) + 1, seconds)
            return False
        except TimeoutError:
            return True

    def is_closed(self, timeout=5):
        """True once the other side has closed; what comes before that is read and dropped."""
        try:
            while True:
                self.take(1, timeout)
        except Closed:
            return True
        except TimeoutError:
            return False

    # Login.

    def start_tls(self, context, server_hostname=None):
        """SSLRequest, and the handshake when it is accepted; returns the answer."""
        self.send(struct.pack("!II", 8, SSL_REQUEST))
        answer = self.take(1)
        if answer == b"S":
            self.wrap(context, server_hostname)
        return answer

    def wrap(self, context, server_hostname=None):
        self.socket.settimeout(self.timeout)
        self.socket = context.wrap_socket(self.socket, server_hostname=server_hostname)

    def login(self, user=pg.USER, password=pg.PASSWORD, database=pg.DATABASE, protocol=PROTOCOL_3_0, **parameters):
        """Up to the first ReadyForQuery. An ErrorResponse is raised as Error."""
        self.send(startup(protocol, user=user, database=database, **parameters))
        return self.authenticate(user, password)

    def authenticate(self, user, password):
        scram = None
        while True:
            m = self.receive()
            if m.kind == "E":
                raise Error(m.fields)
            if m.kind == "R":
                scram = self._answer(m.payload, user, password, scram)
            elif m.kind == "K":
                self.pid = struct.unpack("!I", m.payload[:4])[0]
                self.key = m.payload[4:]
            elif m.kind == "v":
                self.negotiated = struct.unpack("!I", m.payload[:4])[0]
            elif m.kind == "Z":
                return self

    def _answer(self, payload, user, password, scram):
        (what,) = struct.unpack("!I", payload[:4])
        if what == 3:
            self.send(message("p", text(password)))
        elif what == 5:
            inner = hashlib.md5(password.encode() + user.encode()).hexdigest().encode()
            self.send(message("p", text("md5" + hashlib.md5(inner + payload[4:8]).hexdigest())))
        elif what == 10:
            scram = Scram(password)
            self.mechanisms = [name.decode() for name in payload[4:].split(b"\0") if name]
            first = scram.first()
            self.send(message("p", text("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
        elif what == 11:
            self.send(message("p", scram.final(payload[4:])))
        elif what == 12:
            scram.check(payload[4:])
        else:
            assert what == 0, f"authentication request {what}"
        return scram


class Scram:
    """RFC 5802 with SHA-256, without channel binding."""

    def __init__(self, password):
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()

    def first(self):
        self.bare = f"n=,r={self.nonce}"
        return f"n,,{self.bare}".encode()

    def final(self, challenge):
        challenge = challenge.decode()
        parts = dict(part.split("=", 1) for part in challenge.split(","))
        assert parts["r"].startswith(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(parts["s"]), int(parts["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={parts['r']}"
        everything = f"{self.bare},{challenge},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), everything, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), everything, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, payload):
        assert payload == b"v=" + base64.b64encode(self.server_signature), "the server's signature is wrong"


def cancel(port, pid, key, host="127.0.0.1"):
    """Sends a CancelRequest and waits for the connection's end."""
    with socket.create_connection((host, port), timeout=20) as s:
        s.sendall(struct.pack("!III", 12 + len(key), CANCEL_REQUEST, pid) + key)
        s.settimeout(20)
        try:
            return s.recv(1)
        except ConnectionResetError:
            return b""
