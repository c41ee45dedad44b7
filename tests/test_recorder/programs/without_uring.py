"""Runs a Python script after having io_uring_setup forbidden by the kernel (seccomp), as in many containers.

Arguments: refuse or kill; the script; its arguments.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

IO_URING_SETUP = 425
WHAT = {"refuse": 0x00050000 | 1, "kill": 0x80000000}  # SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_KILL_PROCESS
# Load the system call's number; is it the one? then that; else allow it (seccomp(2), linux/filter.h).
PROGRAM = [(0x20, 0, 0, 0), (0x15, 0, 1, IO_URING_SETUP), (0x06, 0, 0, WHAT[sys.argv[1]]), (0x06, 0, 0, 0x7FFF0000)]

filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in PROGRAM))
program = struct.pack("HxxxxxxQ", len(PROGRAM), ctypes.addressof(filters))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"
assert libc.prctl(22, 2, program, 0, 0) == 0, "PR_SET_SECCOMP"
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
