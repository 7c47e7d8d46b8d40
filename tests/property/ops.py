"""
What a step sends, as tuples that can be read, kept as JSON and sent.

    ("query", sql)                          ("parse", name, sql, [type oids])       ("bind", portal, statement, values, parameter formats,
    ("describe", "S" or "P", name)          ("execute", portal, rows)                result formats)
    ("close", "S" or "P", name)             ("sync",)  ("flush",)                   ("data", text)  ("done",)  ("fail", reason)
    ("wait", kinds)   the rest is sent once a message of one of these kinds has come, or an error
    ("login", {startup parameters})   alone in its step: both connections are closed and opened again

A step ends with the answer to its last query or sync. Values are None, text, or bytes for the binary format.
"""

import base64
import json
import struct

from lib import wire


class Step:
    """`label` names what made it, for the report and the counts."""

    __slots__ = ("label", "ops")

    def __init__(self, label, *ops):
        self.label = label
        self.ops = ops

    def __repr__(self):
        return f"{self.label:<24} " + " ".join(readable(op) for op in self.ops)


def bind(portal, statement, values, formats, results):
    body = wire.text(portal) + wire.text(statement) + struct.pack("!H", len(formats)) + b"".join(struct.pack("!H", f) for f in formats)
    body += struct.pack("!H", len(values))
    for value in values:
        if value is None:
            body += b"\xff\xff\xff\xff"
        else:
            raw = value if isinstance(value, bytes) else encoded(value)
            body += struct.pack("!i", len(raw)) + raw
    body += struct.pack("!H", len(results)) + b"".join(struct.pack("!H", f) for f in results)
    return wire.message("B", body)


def encoded(text):
    """UTF-8, and other bytes where the text has lone surrogates for them."""
    return text.encode("utf-8", "surrogateescape")


BYTES = {
    "query": lambda sql: wire.query(encoded(sql)),
    "parse": lambda name, sql, types=(): wire.parse(name, encoded(sql), types),
    "bind": lambda portal, statement, values=(), formats=(), results=(): bind(portal, statement, values, formats, results),
    "describe": wire.describe,
    "execute": wire.execute,
    "close": wire.close,
    "sync": wire.sync,
    "flush": wire.flush,
    "data": lambda text: wire.copy_data(encoded(text)),
    "done": wire.copy_done,
    "fail": wire.copy_fail,
}


def parts(step):
    """[(bytes, how many ReadyForQuery answer it, kinds that end the part before)], to be sent one after the other."""
    made, payload, ready = [], b"", 0
    for op in step.ops:
        if op[0] == "wait":
            made.append((payload, ready, op[1].encode()))
            payload, ready = b"", 0
        else:
            payload += BYTES[op[0]](*op[1:])
            ready += op[0] in ("query", "sync")
    made.append((payload, ready, b""))
    return made


def short(text, limit=300):
    return text if len(text) <= limit else f"{text[:limit // 2]}[... {len(text) - limit} more ...]{text[-limit // 2:]}"


LETTERS = {"parse": "P", "bind": "B", "describe": "D", "execute": "E", "close": "C", "sync": "S", "flush": "H"}  # as in the protocol


def readable(op):
    if op[0] == "query":
        return short(op[1]) + ";"
    if op[0] == "login":
        return f"login {op[1]}"
    given = [value for value in op[1:] if value not in ((), [])]
    return LETTERS.get(op[0], op[0]) + (short(f"({', '.join(map(repr, given))})") if given else "")


# JSON has no bytes.


def _to_json(value):
    return {"bytes": base64.b64encode(value).decode()}


def _from_json(value):
    return base64.b64decode(value["bytes"]) if set(value) == {"bytes"} else value


def dump(steps, path):
    with open(path, "w") as file:
        for step in steps:
            file.write(json.dumps([step.label, *step.ops], default=_to_json) + "\n")


def load(path):
    with open(path) as file:
        lines = [json.loads(line, object_hook=_from_json) for line in file if line.strip()]
    return [Step(line[0], *(tuple(op) for op in line[1:])) for line in lines]
