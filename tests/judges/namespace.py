"""Runs a command in a network namespace of its own, where there is nothing but a loopback device, and ends all of it.

Owns isolation and the end: whatever the command started and left behind is killed when it ends or its time is over. A
script of its own, since the interpreter that enters a namespace cannot leave it. `namespace.py SECONDS COMMAND...`
exits with the command's status, 128 + N for signal N, 124 when the time was over. Knows nothing of tests or traces.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
PR_SET_CHILD_SUBREAPER = 36
TIME_IS_OVER = 124


def enter() -> bool:
    """Enter a network namespace of our own and bring its loopback device up; say whether this system allows it."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if user == 0:
        if libc.unshare(CLONE_NEWNET) < 0:
            return False
    else:
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0:
            return False
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
    return True


def _is_below(pid: int, ancestor: int) -> bool:
    """Say whether a process descends from another; orphans do, since we are their reaper."""
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
        except OSError:
            return False
    return False


def end_what_is_left() -> None:
    """Kill every descendant of ours, and take their bodies away."""
    while True:
        others = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
        left = [pid for pid in others if _is_below(pid, os.getpid())]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0 if left else os.WNOHANG)
        except ChildProcessError:
            return


def run(seconds: float, command: list[str]) -> int:
    """Run a command, and return its exit status."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            status = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = TIME_IS_OVER
    end_what_is_left()
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    if not enter():
        print("namespace: not allowed here, goes on without", file=sys.stderr)
    sys.exit(run(float(sys.argv[1]), sys.argv[2:]))
