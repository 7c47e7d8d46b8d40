"""
A small proxy that is wrong on purpose, to see that the checker finds it.

    relay = Relay(cluster, "retry")       a request that was under way when the connection broke is sent again
    relay = Relay(cluster, "first")       primary is the first node that is not in recovery, whatever its timeline
    relay.dsn(...)                        as lib.rolecall.Rolecall; relay.close()

It asks no client for a password, and sends each request whole, on a connection of the session's own.
"""

import socket
import struct
import threading

import psycopg

from lib import cluster as pg
from lib import processes, wire

GREETING = [wire.message("R", struct.pack("!I", 0)), wire.message("S", b"client_encoding\0UTF8\0"),
            wire.message("S", b"server_version\00015.0\0"), wire.message("S", b"standard_conforming_strings\0on\0"),
            wire.message("K", struct.pack("!II", 1, 1)), wire.message("Z", b"I")]
LOST = [wire.message("E", b"SERROR\0VERROR\0C08007\0Mlost\0\0"), wire.message("Z", b"I")]
GONE = (OSError, wire.Closed, wire.Error)


class Relay:
    def __init__(self, cluster, fault):
        self.cluster, self.fault = cluster, fault
        self.port = processes.free_port()
        self.primary = cluster.nodes[0]
        self.stopping = threading.Event()
        self.listening = socket.create_server(("127.0.0.1", self.port))
        for what in (self._accept, self._judge):
            threading.Thread(target=what, daemon=True).start()

    def dsn(self, _, **options):
        return psycopg.conninfo.make_conninfo(host="127.0.0.1", port=self.port, user=pg.USER, dbname=pg.DATABASE, **options)

    def log(self):
        return ""

    def close(self):
        self.stopping.set()
        self.listening.close()

    def _judge(self):
        while not self.stopping.wait(0.05):
            self.primary = next((node for node in self.cluster.nodes if self._is_primary(node)), self.primary)

    def _is_primary(self, node):
        try:
            return node.alive and not node.value("select pg_is_in_recovery()", dbname="postgres", connect_timeout=2)
        except psycopg.Error:
            return False

    def _accept(self):
        while not self.stopping.is_set():
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        heard, node, server = client.makefile("rb"), None, None
        while True:  # SSL and GSS are declined
            (size,) = struct.unpack("!I", heard.read(4))
            if struct.unpack("!I", heard.read(size - 4)[:4])[0] == wire.PROTOCOL_3_0:
                break
            client.sendall(b"N")
        client.sendall(b"".join(GREETING))
        while request := self._request(heard):
            while not self.stopping.is_set():
                try:
                    if server is None or node is not self.primary:
                        node, server = self.primary, None
                        server = wire.Wire(node.port, node.host, timeout=60).login()
                except GONE:
                    self.stopping.wait(0.05)
                    continue
                try:
                    server.send(request)
                    answer = [wire.message(m.kind, m.payload) for m in server.until()]
                    break
                except GONE:
                    server, answer = None, LOST
                    if self.fault != "retry":
                        break
            client.sendall(b"".join(answer))

    def _request(self, heard):
        """Everything up to and with the next Query or Sync."""
        request = b""
        while head := heard.read(5):
            if head[:1] == b"X":
                return None
            request += head + heard.read(struct.unpack("!I", head[1:])[0] - 4)
            if head[:1] in b"QS":
                return request
        return None
