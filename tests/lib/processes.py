"""Starting, watching and ending processes: always by pid, never by name.

Servers are started through setpriv, which asks the kernel to end them when the test run dies, and which changes to the
account "postgres" when the tests run as root, since PostgreSQL refuses to be root.
"""

import fcntl
import os
import pwd
import resource
import signal
import socket
import subprocess
import time

ACCOUNT = "postgres" if os.geteuid() == 0 else None


def wait_until(condition, timeout=10.0, what="the condition", interval=0.02):
    """Polls until condition() is true and returns its value; the only way in which tests wait for anything."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(interval)


class _Reservation:
    """Ports given out by this run. Bound without SO_REUSEADDR, so two runs at a time never get the same one; the option is
    set afterwards, so that our own servers can bind there, again and again, while nobody else is given it. The descriptors
    are kept out of the way: drivers use select(), which takes those below 1024 alone."""

    LOWEST = 2048

    def __init__(self):
        self.next = 10000 + os.getpid() * 37 % 9000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 4 * self.LOWEST if hard == resource.RLIM_INFINITY else min(4 * self.LOWEST, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    def take(self):
        while True:
            self.next = self.next + 1 if self.next < 19990 else 10000
            holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                holder.bind(("127.0.0.1", self.next))
            except OSError:
                holder.close()
                continue
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            fcntl.fcntl(holder, fcntl.F_DUPFD_CLOEXEC, self.LOWEST)  # held until the run ends
            holder.close()
            return self.next


_reservation = _Reservation()


def free_port():
    return _reservation.take()


def own(path):
    """Gives a path to the account that servers run as."""
    if ACCOUNT:
        entry = pwd.getpwnam(ACCOUNT)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return path


def server_command(argv, death_signal="KILL", account=ACCOUNT, prefix=()):
    """`prefix` is a command that runs another one, as the tests' own account."""
    setpriv = ["setpriv", "--pdeathsig", death_signal]
    if account:
        setpriv += ["--reuid", account, "--regid", account, "--init-groups"]
    return [*prefix, *setpriv, *(str(a) for a in argv)]


def environment(account, env=None):
    """The caller's, with the account's own home: libpq looks for certificates there."""
    env = dict(os.environ if env is None else env)
    if account:
        env["HOME"] = pwd.getpwnam(account).pw_dir
    return env


def start(argv, log, death_signal="KILL", account=ACCOUNT, env=None, cwd="/", prefix=()):
    """A server process in its own session, its output appended to the file `log`."""
    with open(log, "ab") as out:
        return subprocess.Popen(
            server_command(argv, death_signal, account, prefix),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment(account, env),
            cwd=cwd,
            start_new_session=True,
        )


def run(argv, account=ACCOUNT, env=None, timeout=120, check=True, input=None, prefix=()):
    """Runs a program to its end and returns it with its output as text."""
    done = subprocess.run(
        server_command(argv, account=account, prefix=prefix),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=None if input is not None else subprocess.DEVNULL,
        input=input,
        text=True,
        env=environment(account, env),
        cwd="/",
        timeout=timeout,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stdout}")
    return done


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def end(process, number=signal.SIGTERM, timeout=20.0):
    """Signals a process started here and waits; SIGKILL after the deadline. Returns the exit status."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            left = [describe(pid) for pid in [process.pid, *children(process.pid)]]
            process.kill()
            process.wait()
            raise AssertionError(f"pid {process.pid} had not ended {timeout} s after signal {number}: {left}")
    return process.returncode


def describe(pid):
    """What it calls itself, its state and where in the kernel it is."""
    try:
        with open(f"/proc/{pid}/cmdline") as words, open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/wchan") as wchan:
            return f"{pid} {words.read().strip(chr(0)).strip()} ({stat.read().rpartition(')')[2].split()[0]}, {wchan.read()})"
    except OSError:
        return f"{pid} is gone"


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def cpu_seconds(pid):
    """User and system time of all threads so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick
