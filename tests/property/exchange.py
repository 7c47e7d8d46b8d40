"""
Two connections that are sent the same bytes, and their answers.

The answers are read as bytes, with no object for each message: a step costs two writes and two reads, and its answers
are only taken apart when they are not the same bytes.
"""

import socket
import struct

from lib import wire

import ops

READY, ERROR = ord("Z"), ord("E")
_size = struct.Struct("!I").unpack_from


class Gone(Exception):
    """The other side closed, or gave no answer in time; `.answer` is what came before."""

    def __init__(self, why, answer):
        super().__init__(why)
        self.answer = bytes(answer)


class Side:
    """One connection. `where` is (host, port, database)."""

    def __init__(self, name, where, user, password, timeout):
        self.name = name
        self.host, self.port, self.database = where
        self.user, self.password = user, password
        self.timeout = timeout
        self.socket = None
        self.buffer = bytearray()

    def login(self, parameters):
        """(SQLSTATE or None, ParameterStatus) of a new connection."""
        self.leave()
        connection = wire.Wire(self.port, self.host, self.timeout)
        try:
            connection.login(self.user, self.password, self.database, **parameters)
        except wire.Error as error:
            connection.close()
            return error.sqlstate, {}
        except (wire.Closed, TimeoutError, OSError) as error:
            connection.close()
            return repr(error), {}
        self.socket = connection.socket
        self.socket.settimeout(self.timeout)
        self.buffer = bytearray(connection.buffer)
        return None, connection.parameters

    @property
    def local_port(self):
        return self.socket.getsockname()[1] if self.socket and self.socket.family == socket.AF_INET else None

    def leave(self):
        """Says goodbye and waits for the end: a backend that is gone holds nothing any more."""
        if self.socket is None:
            return
        try:
            self.socket.sendall(wire.terminate())
            while self.socket.recv(65536):
                pass
        except OSError:
            pass
        self.socket.close()
        self.socket = None

    def send(self, payload):
        try:
            self.socket.sendall(payload)
        except OSError as error:
            raise Gone(repr(error), self.buffer) from None

    def receive(self, answer, ready, until=b""):
        """
        Adds whole messages to `answer`: up to the given number of ReadyForQuery, and after them up to a message of one of
        the kinds `until`, or an error.
        """
        buffer, at = self.buffer, 0
        while ready or until:
            while len(buffer) - at < 5 or at + 1 + _size(buffer, at + 1)[0] > len(buffer):
                self._more(answer, buffer)
            kind = buffer[at]
            at += 1 + _size(buffer, at + 1)[0]
            if ready:
                ready -= kind == READY
            elif kind in until or kind == ERROR:
                until = b""
        answer += buffer[:at]
        del buffer[:at]

    def _more(self, answer, buffer):
        try:
            got = self.socket.recv(262144)
        except TimeoutError:
            raise Gone(f"no answer within {self.timeout} s", answer + buffer) from None
        except OSError as error:
            raise Gone(repr(error), answer + buffer) from None
        if not got:
            raise Gone("closed the connection", answer + buffer)
        buffer += got


def has_error(answer, start=0):
    at, end = start, len(answer)
    while at < end:
        if answer[at] == ERROR:
            return True
        at += 1 + _size(answer, at + 1)[0]
    return False


def run(sides, step):
    """Sends a step to all sides at once and returns what each answered, with None or the reason why it ended."""
    answers = [bytearray() for _ in sides]
    ended = [None] * len(sides)
    for payload, ready, until in ops.parts(step):
        for i, side in enumerate(sides):
            if ended[i] is None:
                try:
                    side.send(payload)
                except Gone as gone:
                    answers[i], ended[i] = gone.answer, str(gone)
        for i, side in enumerate(sides):
            if ended[i] is None:
                # After an error the server skips up to the next Sync: nothing would come to wait for.
                waits = b"" if until and not ready and has_error(answers[i]) else until
                try:
                    side.receive(answers[i], ready, waits)
                except Gone as gone:
                    answers[i], ended[i] = gone.answer, str(gone)
    return [bytes(answer) for answer in answers], ended


def login(sides, parameters):
    """Both connections anew; what each was told, as one text to compare."""
    told = []
    for side in sides:
        state, status = side.login(parameters)
        told.append(f"{state} {sorted(status.items())}")
    return told


def status_of(answer):
    """The transaction status of the last ReadyForQuery: "I", "T" or "E"."""
    return chr(answer[-1]) if len(answer) >= 6 and answer[-6] == READY else "?"
