"""A network of one's own, for which nobody needs rights: a user namespace and a network namespace in it.

Owns how they are entered, and why that may be forbidden. In it the user is who he was; what we start has no capabilities
(execve(2) drops them for everyone but root), while we ourselves may capture packets. Sources: user_namespaces(7),
network_namespaces(7), unshare(2).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

from ...errors import SockreelError

_NEW_USER, _NEW_NET = 0x1000_0000, 0x4000_0000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_SWITCHES = (
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=10000"),
    ("/proc/sys/user/max_net_namespaces", "0", "sudo sysctl user.max_net_namespaces=10000"),
)


class IsolationError(SockreelError):
    """No network of one's own on this machine: exit status 125, one line with what to do."""

    exit_status = 125


def enter() -> str:
    """Move this process, which must have a single thread, into a network of its own with its loopback interface up.

    Returns:
        With which words a command of another terminal is run in it.

    Raises:
        IsolationError: that is forbidden here; the process is then good for nothing but to say so.
    """
    uid, gid = os.geteuid(), os.getegid()
    # Root needs no namespace of users, and in one would lose what root may do.
    is_root = uid == 0 and _unshare(_NEW_NET) == 0
    try:
        if not is_root:
            error = _unshare(_NEW_USER | _NEW_NET)
            if error:
                raise OSError(error, os.strerror(error))
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{uid} {uid} 1")
            _write("/proc/self/gid_map", f"{gid} {gid} 1")
        _raise_loopback()
    except OSError as error:
        raise IsolationError(f"--isolate: this machine forbids a network of one's own ({error.strerror}): {_remedy()}") from error
    user = "" if is_root else " -U --preserve-credentials"
    return f"nsenter -t {os.getpid()}{user} -n"


def _unshare(flags: int) -> int:
    """Call unshare(2), which Python has from 3.12 on; return the errno, 0 where it worked."""
    library = ctypes.CDLL(None, use_errno=True)
    return 0 if library.unshare(ctypes.c_int(flags)) == 0 else ctypes.get_errno()


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _raise_loopback() -> None:
    """Bring the loopback interface up (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = b"lo"
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sh14x", name, 0))
        (flags,) = struct.unpack_from("h", answer, 16)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", name, flags | _IFF_UP))


def _remedy() -> str:
    """Return what would have to be done, as far as the machine tells."""
    for file, forbids, remedy in _SWITCHES:
        try:
            if Path(file).read_text().strip() == forbids:
                return f"{remedy}, or record as root"
        except OSError:
            continue
    return "record as root, or in a container allow it (docker run --security-opt seccomp=unconfined)"
