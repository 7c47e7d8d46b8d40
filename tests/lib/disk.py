"""
A disk of a node's own, which can be made slow and can hang: a file system in a file, mounted where only we see it.

    disk = Disk(directory)              directory.path is empty then; close() unmounts it
    disk.slow(pids, writes_per_s)       what these processes and their children write reaches it at that pace (blkio)
    disk.hang(); disk.go_on()           whoever writes or flushes sleeps in the kernel meanwhile, whatever signal comes (fsfreeze)
    disk.fast()                         ends slow()

It takes root, loop devices, ext4 and the blkio controller; missing() says in words why a machine cannot. After lib.network.enter(),
so that the mounts end with the program.
"""

import os
import shutil
import subprocess
import tempfile
import time

from lib.network import command

SIZE = 2 << 30  # of which only what is written takes room
BLKIO = "/sys/fs/cgroup/blkio"
LIMIT = "blkio.throttle.write_iops_device"


def missing():
    """None when disks can be made here, else why not."""
    if os.geteuid() != 0:
        return "mounting takes root"
    for program in ("mkfs.ext4", "mount", "umount", "fsfreeze"):
        if not shutil.which(program):
            return f"there is no program {program}"
    if not os.path.exists("/dev/loop-control"):
        return "the kernel has no loop devices"
    with open("/proc/filesystems") as file:
        if "\text4\n" not in file.read():
            return "the kernel has no ext4"
    if not os.path.exists(os.path.join(BLKIO, LIMIT)) and not os.access(BLKIO, os.W_OK):
        return f"the kernel has no blkio controller that throttles ({BLKIO})"
    directory = tempfile.mkdtemp(prefix="rolecall-disk.")
    try:
        probe = f"mount --make-rprivate / && truncate -s 16M {directory}/i && mkfs.ext4 -q {directory}/i && mount -o loop {directory}/i {directory}"
        done = subprocess.run(["unshare", "--mount", "sh", "-c", probe], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return None if done.returncode == 0 else f"the kernel does not allow it: {done.stdout.strip()}"
    finally:
        shutil.rmtree(directory)


class Disk:
    def __init__(self, directory):
        self.path = os.path.join(directory, "disk")
        self.image = os.path.join(directory, "image")
        self.group = os.path.join(BLKIO, f"rolecall-{os.getpid()}-{os.path.basename(directory)}")
        self.hangs = False
        with open(self.image, "wb") as file:
            file.truncate(SIZE)
        command("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1", self.image)
        os.mkdir(self.path)
        command("mount", "-o", "loop,noatime", self.image, self.path)
        os.rmdir(os.path.join(self.path, "lost+found"))
        number = os.stat(self.path).st_dev
        self.device = f"{os.major(number)}:{os.minor(number)}"

    def _limit(self, writes_per_s):
        with open(os.path.join(self.group, LIMIT), "w") as file:
            file.write(f"{self.device} {writes_per_s}")

    def slow(self, pids, writes_per_s):
        os.makedirs(self.group, exist_ok=True)
        self._limit(writes_per_s)
        for pid in pids:
            try:
                with open(os.path.join(self.group, "cgroup.procs"), "w") as file:
                    file.write(str(pid))
            except ProcessLookupError:
                pass

    def fast(self):
        if os.path.isdir(self.group):
            self._limit(0)

    def hang(self):
        self.hangs = True
        command("fsfreeze", "-f", self.path)

    def go_on(self):
        if self.hangs:
            command("fsfreeze", "-u", self.path)
            self.hangs = False

    def close(self):
        """Whoever used it has ended, or is about to."""
        self.go_on()
        self.fast()
        for attempt in range(50):
            try:
                command("umount", self.path)
                break
            except OSError:
                if attempt == 49:
                    raise
                time.sleep(0.1)
        if os.path.isdir(self.group):
            os.rmdir(self.group)
