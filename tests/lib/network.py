"""
A network of our own: each node in a network namespace, a bridge between them, names in an /etc/hosts that only we see.

    enter()                     once, first of all: the rest of the program runs in namespaces that end with it
    network = Network(["node1", "node2"])
    network.cut("node1")        nothing goes in or out of it any more; heal() ends every cut
    network.cut("node1", network.outside)    between it and rolecall, its clients and the test alone
    network.move("node1")       it gets another address, and its name with it; packets to the old one are lost

Tests reach their nodes by Unix sockets, which no cut concerns. It takes root, iproute2 and iptables; missing() says in words
why a machine cannot.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile

PREFIX = "10.77"
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000


def command(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(argv)}: {done.stdout.strip()}")


def missing():
    """None when networks can be made here, else why not."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    for program in ("ip", "iptables", "nsenter", "mount"):
        if not shutil.which(program):
            return f"there is no program {program}"
    done = subprocess.run(["unshare", "--net", "--mount", "sh", "-c", "ip link add bridge type bridge && iptables -L -n"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return None if done.returncode == 0 else f"the kernel does not allow it: {done.stdout.strip()}"


def enter():
    """Leaves this machine's network and its mounts for ones that nobody else sees. Before any thread is started."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    command("mount", "--make-rprivate", "/")
    os.makedirs("/run/netns", exist_ok=True)
    command("mount", "-t", "tmpfs", "none", "/run/netns")
    command("ip", "link", "set", "lo", "up")


class Network:
    """As lib.cluster.Loopback, for nodes that are known by name."""

    range = f"{PREFIX}.0.0/16"
    listen = "*"

    def __init__(self, names):
        self.outside = f"{PREFIX}.0.254"
        self.moves = 0
        self.addresses = {}
        file, self.hosts = tempfile.mkstemp(prefix="rolecall-hosts.")
        os.close(file)
        os.chmod(self.hosts, 0o644)
        command("mount", "--bind", self.hosts, "/etc/hosts")
        os.unlink(self.hosts)
        command("ip", "link", "add", "bridge", "type", "bridge")
        command("ip", "address", "add", f"{self.outside}/16", "dev", "bridge")
        command("ip", "link", "set", "bridge", "up")
        for number, name in enumerate(names, 1):
            self._add(name, f"{PREFIX}.0.{number}", number)
        self._write_hosts()

    def _add(self, name, address, number):
        self.addresses[name] = address
        command("ip", "netns", "add", name)
        command("ip", "link", "add", f"veth{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        command("ip", "link", "set", f"veth{number}", "master", "bridge", "up")
        command("ip", "-n", name, "address", "add", f"{address}/16", "dev", "eth0")
        command("ip", "-n", name, "link", "set", "lo", "up")
        command("ip", "-n", name, "link", "set", "eth0", "up")

    def _write_hosts(self):
        """In place: it is this file that is mounted. Written at once, so that nobody reads half of it."""
        text = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in self.addresses.items())
        file = os.open("/etc/hosts", os.O_WRONLY)
        try:
            os.pwrite(file, text.encode(), 0)
            os.ftruncate(file, len(text))
        finally:
            os.close(file)

    def host(self, name):
        return name

    def sql_host(self, node):
        return node.cluster.sockets

    def prefix(self, name):
        return ["nsenter", f"--net=/run/netns/{name}"]

    def _iptables(self, name, *rule):
        command("ip", "netns", "exec", name, "iptables", "-w", *rule)

    def cut(self, name, *others):
        """Packets between the node and the others, addresses or names of nodes, are dropped; without others, all packets."""
        if not others:
            others = ["0.0.0.0/0"]
        for other in others:
            address = self.addresses.get(other, other)
            self._iptables(name, "-A", "INPUT", "-i", "eth0", "-s", address, "-j", "DROP")
            self._iptables(name, "-A", "OUTPUT", "-o", "eth0", "-d", address, "-j", "DROP")

    def shut(self, name, *ports):
        """Packets to these ports of the node are dropped, and those that answer too."""
        for port in ports:
            self._iptables(name, "-A", "INPUT", "-i", "eth0", "-p", "tcp", "--dport", str(port), "-j", "DROP")
            self._iptables(name, "-A", "OUTPUT", "-o", "eth0", "-p", "tcp", "--sport", str(port), "-j", "DROP")

    def bar(self, name, *ports):
        """The node reaches these ports of others no more."""
        for port in ports:
            self._iptables(name, "-A", "OUTPUT", "-o", "eth0", "-p", "tcp", "--dport", str(port), "-j", "DROP")
            self._iptables(name, "-A", "INPUT", "-i", "eth0", "-p", "tcp", "--sport", str(port), "-j", "DROP")

    def heal(self, name):
        self._iptables(name, "-F")

    def move(self, name):
        self.moves += 1
        before, after = self.addresses[name], f"{PREFIX}.{1 + self.moves // 250}.{1 + self.moves % 250}"
        command("ip", "-n", name, "address", "del", f"{before}/16", "dev", "eth0")
        command("ip", "-n", name, "address", "add", f"{after}/16", "dev", "eth0")
        self.addresses[name] = after
        self._write_hosts()
