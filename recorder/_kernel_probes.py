"""Questions to the kernel, tried for real; some of them change or end the process that asks.

Run by path, one question a process: prints one JSON object. Owns how each thing is tried; what the
answer means for recording is doctor.py's. Standard library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import json
import os
import signal
import socket
import struct
import sys
import time
from typing import Any

_SO_TIMESTAMPING, _SO_TIMESTAMPNS = 37, 35  # socket(7); Python has no names for them
_RX_SOFTWARE_AND_REPORT = 1 << 3 | 1 << 4
_TRIES = 50  # the kernel begins to stamp a moment after it was asked
_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41
_IO_URING_SETUP = 425  # on every architecture
_PATIENCE_S = 5.0


def kernel_times() -> dict[str, Any]:
    """Say by which socket options a received segment tells when the kernel had it."""
    options = {"SO_TIMESTAMPING": (_SO_TIMESTAMPING, _RX_SOFTWARE_AND_REPORT), "SO_TIMESTAMPNS": (_SO_TIMESTAMPNS, 1)}
    return {name: _is_stamped(option, value) for name, (option, value) in options.items()}


def _is_stamped(option: int, value: int) -> bool:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, option, value)
        except OSError:
            return False
        with socket.create_connection(listener.getsockname(), _PATIENCE_S) as client, listener.accept()[0] as conn:
            conn.settimeout(_PATIENCE_S)
            for _ in range(_TRIES):
                before_ns = time.time_ns()
                client.send(b"x")
                for _, _, data in conn.recvmsg(1, 256)[1]:
                    seconds, ns = struct.unpack_from("ll", data)
                    if before_ns <= seconds * 1_000_000_000 + ns <= time.time_ns():
                        return True
    return False


def packets() -> dict[str, Any]:
    """Capture a datagram of our own on the loopback interface (packet(7))."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as capture:
        capture.bind(("lo", _ETH_P_ALL))
        try:
            capture.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            once = True
        except OSError:
            once = False
        mark = os.urandom(16)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            receiver.bind(("127.0.0.1", 0))
            sender.sendto(mark, receiver.getsockname())
            deadline = time.monotonic() + _PATIENCE_S
            while time.monotonic() < deadline:
                capture.settimeout(max(0.001, deadline - time.monotonic()))
                try:
                    if capture.recv(65536).endswith(mark):
                        return {"captured": True, "once": once}
                except TimeoutError:
                    break
    return {"captured": False, "once": once}


def namespaces() -> dict[str, Any]:
    """Move into a user and a network namespace of our own, and see whether packets can be captured in it."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP_RUNNING))
    return {"entered": True, "packets": packets()["captured"]}


def io_uring() -> dict[str, Any]:
    """Set up a ring of eight entries (io_uring_setup(2))."""
    params = ctypes.create_string_buffer(120)
    libc = ctypes.CDLL(None, use_errno=True)
    ring = libc.syscall(_IO_URING_SETUP, 8, params)
    if ring < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    os.close(ring)
    return {"entries": struct.unpack_from("I", params.raw)[0], "features": struct.unpack_from("I", params.raw, 20)[0]}


def liburing() -> dict[str, Any]:
    """Make a ring with the Python package of that name; its wheels die with SIGILL on some processors."""
    try:
        package = importlib.import_module("liburing")  # by name: nothing of ours needs it
    except ImportError:
        return {"installed": False}
    if hasattr(package, "io_uring_queue_init"):
        ring = package.io_uring()
        package.io_uring_queue_init(2, ring, 0)
        package.io_uring_queue_exit(ring)
    else:
        package.Ring()
    return {"installed": True}


def pidfd() -> dict[str, Any]:
    """Hold a process by a descriptor, and send it the signal that is none (pidfd_open(2))."""
    descriptor = os.pidfd_open(os.getpid())
    signal.pidfd_send_signal(descriptor, 0)
    os.close(descriptor)
    return {"held": True}


PROBES = {probe.__name__: probe for probe in (kernel_times, packets, namespaces, io_uring, liburing, pidfd)}


def main(name: str) -> None:
    """Ask one question; print the answer, or {"refused": why}."""
    try:
        answer = PROBES[name]()
    except Exception as error:
        answer = {"refused": getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
