"""A recorded program that is at the end of its stack or of its memory gets what it would get without us, and goes on."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys

import pytest

from .recording import environment
from .test_cores_agree import built, calls_on, run_under

# Each call has a site of its own, so that the core has to ask Python about it, just where there is no room for Python.
DEEP = """
import select, socket, sys
a, b = socket.socketpair()
b.setblocking(False)
epoll = select.epoll(); epoll.register(b, 1)
sys.setrecursionlimit(220)

def down(levels, call):
    return down(levels - 1, call) if levels else call()

def told_at(levels, text):
    call = eval("lambda: " + text)
    try:
        return repr(down(levels, call))
    except (RecursionError, OSError) as error:
        return type(error).__name__

for text in ("a.send(b'xyz')", "b.recv(1)", "a.sendall(b'x')", "a.send(bytearray(2))", "b.recv_into(bytearray(1))", "b.recvmsg(1)[0]",
             "len(epoll.poll(0))", "b.settimeout(0)", "b.setblocking(False)", "a.connect('/nowhere')"):
    print(text, [told_at(levels, text) for levels in range(190, 222)])
for _ in range(100):
    a.send(b"behind all this"); b.recv(100)
"""


@built
def test_at_the_end_of_the_stack_a_call_is_made_as_long_as_it_would_be_without_us() -> None:
    bare = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True, check=True, env=environment())
    printed, (tape,) = run_under("c", ["-c", DEEP])
    assert "RecursionError" in printed and "BlockingIOError" not in printed
    assert printed == bare.stdout
    assert 0 < tape.lost()[0] < 100  # made without a line of Python of ours, and counted as soon as there was room for that
    shutil.rmtree(tape.path.parent)


# The allocation that fails is the first behind this, then the second, and so on.
STARVED = """
import _testcapi, select, socket, sys
u, v = socket.socketpair()
epoll = select.epoll(); epoll.register(v, 1)

def emptied(sock):
    sock.setblocking(False)
    try:
        while sock.recv(100_000): pass
    except BlockingIOError: pass

def outcomes(text):
    failed = 0
    for start in range(1, 100):
        emptied(u); emptied(v)
        v.send(b"so that there is something to read"); u.send(b"and there")
        call = eval("lambda: " + text)
        try:
            _testcapi.set_nomemory(start, start + 1)
            try:
                call()
            finally:
                _testcapi.remove_mem_hooks()
        except MemoryError:
            failed += 1
    return failed

for text in ("u.send(b'x' * 300)", "u.recv(1000)", "u.send(bytearray(20))", "v.recv_into(bytearray(100))", "epoll.poll(0)",
             "u.setblocking(True)", "epoll.modify(v, 1)", "u.sendall(b'')"):
    print(text, outcomes(text))
print("survived")
"""


def told(printed: str) -> dict[str, int]:
    return {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in printed.splitlines()[:-1]}


@built
@pytest.mark.skipif(importlib.util.find_spec("_testcapi") is None, reason="this Python cannot be made to run out of memory")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python does not survive it itself")
def test_whichever_allocation_fails_the_program_sees_no_more_of_it_than_without_us() -> None:
    bare = subprocess.run([sys.executable, "-c", STARVED], capture_output=True, text=True, check=True, env=environment())
    printed, (tape,) = run_under("c", ["-c", STARVED])
    assert printed.endswith("survived\n") and sum(told(bare.stdout).values()) > 0
    # A call may fail where the interpreter itself has no memory for it (for which allocations depends on what it has put by).
    assert {text: failed for text, failed in told(printed).items() if failed > told(bare.stdout)[text] + 2} == {}
    assert calls_on(tape) and tape.lost()[0] > 0
    shutil.rmtree(tape.path.parent)
