"""Hooks for tests: a script that writes down what it is told, and optionally fails, waits or asks this process to act.

A hook of the real world asks a machine's supervisor to stop and start PostgreSQL; here the supervisor is this process,
whose children the nodes are. The script tells it the facts through a Unix socket and waits for its answer.
"""

import json
import os
import socket
import threading

from . import processes

SCRIPT = """#!/usr/bin/python3
import json, os, socket, sys
facts = {name[9:]: value for name, value in os.environ.items() if name.startswith("ROLECALL_")}
with socket.socket(socket.AF_UNIX) as s:
    s.connect(os.path.join(os.path.dirname(os.path.abspath(__file__)), "hooks.sock"))
    s.sendall(json.dumps({"argv": sys.argv[1:], "facts": facts}).encode())
    s.shutdown(socket.SHUT_WR)
    answer = b""
    while got := s.recv(65536):
        answer += got
status, _, text = answer.decode().partition(" ")
print(text)
sys.exit(int(status or 99))
"""


class Hooks:
    """
    `command` is what a configuration names; calls is what was told, in order: the facts as dictionaries.

    actions  {hook name: function(facts)}; what it raises is the hook's output, and its status 1.
    """

    def __init__(self, directory):
        self.directory = directory
        self.calls = []
        self.actions = {}
        self.command = os.path.join(directory, "hook")
        with open(self.command, "w") as file:
            file.write(SCRIPT)
        os.chmod(self.command, 0o755)
        self.listening = socket.socket(socket.AF_UNIX)
        path = os.path.join(directory, "hooks.sock")
        self.listening.bind(path)
        os.chmod(path, 0o777)
        for each in (self.command, path):
            processes.own(each)
        self.listening.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client):
        with client:
            heard = b""
            while got := client.recv(65536):
                heard += got
            if not heard:
                return
            facts = json.loads(heard)["facts"]
            self.calls.append(facts)
            try:
                text = (self.actions.get(facts["HOOK"]) or (lambda _: "done"))(facts)
                client.sendall(f"0 {text}".encode())
            except BaseException as error:  # noqa: BLE001 - the hook's output
                try:
                    client.sendall(f"1 {error}".encode())
                except OSError:
                    pass  # the hook was killed meanwhile
        threading.Event().wait()  # a node that was started here would be ended with its thread (PR_SET_PDEATHSIG)

    def of(self, name, **facts):
        """The calls of one hook, with these facts if any are given."""
        return [call for call in self.calls
                if call["HOOK"] == name and all(call.get(key) == value for key, value in facts.items())]

    def names(self):
        return [call["HOOK"] for call in self.calls]

    def settings(self, *names):
        """Keys of [cluster]."""
        return {name: self.command for name in names}

    def close(self):
        self.listening.close()
