"""The C core and the Python core write the same tape for the same program, to the byte but for times.

And the C core does it without leaking, overrunning or touching freed memory.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import pytest
import sockreel.recorder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sockreel.recorder.agent import layout
from sockreel.recorder.agent.sockets import Sockets
from sockreel.recorder.tapes.tape import TapeReader

from .recording import PROGRAMS, environment

AGENT = Path(sockreel.recorder.__file__).parent / "agent"
SLOT = struct.Struct("<" + layout.SLOT_FIELDS)
FIELDS = (
    "thread", "socket", "started_ns", "asked", "timeout_ns", "parent", "site", "flags", "peer", "operation",
    "duration_ns", "result", "ready_ns", "errno", "outcome", "ready_source", "state",
)  # fmt: skip
TIMES = {"started_ns", "duration_ns"}
built = pytest.mark.skipif(
    not (AGENT / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}").exists(), reason="the C core was not built for this Python"
)

NAMES = (
    "recv", "recv_odd", "recvfrom", "recv_into", "recv_into_named", "recvmsg", "recvmsg_into", "send", "send_odd", "sendall", "sendmsg",
    "sendmsg_iterator", "setblocking", "settimeout", "setsockopt", "shutdown", "unbound", "bound", "wrong_self", "close", "detach",
)  # fmt: skip
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 1),
        st.sampled_from(NAMES),
        st.sampled_from([0, 1, 5, 255, 256, 257, 1000, 300_000]),
        st.sampled_from([0, 0x40, 0x2]),  # MSG_DONTWAIT, MSG_PEEK
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=60,
)


def run_under(
    core: str, arguments: list[str], payload_bytes: int = 256, agent: Path = AGENT, **changes: str
) -> tuple[str, list[TapeReader]]:
    """Run a program with the agent alone and return what it printed, and its tapes."""
    folder = Path(tempfile.mkdtemp(prefix="sockreel-test-"))
    (folder / "settings").write_text(f"core {core}\npayload {payload_bytes}\n")
    inject = str(agent / "inject")
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment({"SOCKREEL_AGENT": str(folder), "PYTHONPATH": inject, **changes}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(folder.glob("*.unrecorded")), [path.read_text() for path in folder.glob("*.unrecorded")]
    return done.stdout, [TapeReader((folder,), path) for path in sorted(folder.glob("*.head"))]


def calls_on(tape: TapeReader) -> list[dict[str, Any]]:
    blocks, _ = tape.read_calls(ended=True)
    rows = [dict(zip(FIELDS, values, strict=True)) for block in blocks for values in SLOT.iter_unpack(block.data)]
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def notes_on(tape: TapeReader) -> list[tuple[int, int, Any]]:
    told = []
    for note in tape.read_notes(ended=True):
        data: Any = note.data
        if note.kind == layout.NOTE_THREAD:
            data = note.fields()[1:]
        elif note.kind == layout.NOTE_SOCKET:
            data = note.fields()[:-2]  # without its moment and its inode
        elif note.kind == layout.NOTE_CLOSED:
            data = note.fields()[1:]
        told.append((note.kind, note.key, data))
    return told


def tell(core: str, steps: list[Any], payload_bytes: int) -> Any:
    printed, tapes = run_under(core, [str(PROGRAMS / "driven.py"), json.dumps(steps)], payload_bytes)
    (tape,) = tapes
    assert tape.head.core == core
    found = printed, calls_on(tape), notes_on(tape), tape.lost()
    tape.close()
    shutil.rmtree(tape.path.parent)
    return found


@built
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(STEPS, st.sampled_from([0, 1, 256, 1000]))
def test_both_cores_write_the_same_tape_for_the_same_sequence(steps: list[Any], payload_bytes: int) -> None:
    native, twin = tell("c", steps, payload_bytes), tell("python", steps, payload_bytes)
    assert native[0] == twin[0]  # what the program saw
    assert native[1] == twin[1]  # its calls, but for their times
    assert native[2] == twin[2]  # notes: threads, sockets, sites, payloads
    assert native[3] == twin[3]  # lost and faults


def comparable(tape: TapeReader, folder: str) -> str:
    """Return all that a tape tells: each port is its place among all ports, and a tape has no name."""
    ports: dict[str, str] = {}
    # By what they are about: the Python core notes at its next hook what was collected.
    notes = sorted(notes_on(tape), key=lambda note: note[:2])
    told = repr((calls_on(tape), notes, tape.lost())).replace(folder, "")
    told = re.sub(r"(?<=:)\d{4,5}\b", lambda found: ports.setdefault(found[0], f"port-{len(ports)}"), told)
    return re.sub(r"'\d+-[0-9a-f]+'", "tape", told)


@built
def test_both_cores_tell_the_same_of_connections_that_come_and_go() -> None:
    told = {}
    for core in ("c", "python"):
        with tempfile.TemporaryDirectory() as folder:
            printed, tapes = run_under(core, [str(PROGRAMS / "coming_and_going.py"), folder])
        assert len(tapes) == 2
        told[core] = [printed] + [comparable(tape, folder) for tape in tapes]
        shutil.rmtree(tapes[0].path.parent)
    assert len(told["c"][0].splitlines()) > 100
    assert told["c"] == told["python"]


ALARMED = """
import signal, socket
class Alarm(Exception): pass
raised = caught = 0
def handler(*_):
    global raised
    raised += 1
    raise Alarm
signal.signal(signal.SIGALRM, handler)
a, b = socket.socketpair()
def work():
    a.sendmsg([bytearray(10), b"x"]); b.recvmsg(100); b.send(bytearray(5)); a.recv(100); a.setblocking(True)
for n in range(50):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0003 + n * 1e-5)
        for _ in range(1000): work()
    except Alarm:
        caught += 1
print(raised, caught)
"""


@built
@pytest.mark.parametrize("core", ["c", "python"])
def test_what_a_signal_handler_raises_between_any_two_steps_of_ours_costs_no_call(core: str) -> None:
    printed, (tape,) = run_under(core, ["-c", ALARMED])
    raised, caught = map(int, printed.split())
    assert raised >= caught > 0
    assert tape.lost()[0] == 0
    shutil.rmtree(tape.path.parent)


UNMAPPED_SLOWLY = """
import gc, resource, socket, threading, time, types

resource.setrlimit(resource.RLIMIT_AS, (1 << 46, resource.getrlimit(resource.RLIMIT_AS)[1]))  # so that no segment is kept

def slowly(unmap):
    def unmap_slowly(*args):
        time.sleep(0.05)
        return unmap(*args)
    return unmap_slowly

(tape,) = [one.__globals__ for one in gc.get_objects() if isinstance(one, types.FunctionType) and one.__name__ == "map_file"]
tape["_munmap"] = slowly(tape["_munmap"])

def work():
    one, other = socket.socketpair()
    for _ in range(10_000):
        one.send(b"x" * 200)
        other.recv(200)

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done")
"""


@built
@pytest.mark.parametrize("core", ["c", "python"])
def test_threads_that_move_on_while_one_of_them_gives_memory_back_find_theirs(core: str) -> None:
    printed, (tape,) = run_under(core, ["-c", UNMAPPED_SLOWLY])
    assert printed == "done\n"
    assert (len(calls_on(tape)), tape.lost()[0]) == (80_000, 0)
    tape.close()
    shutil.rmtree(tape.path.parent)


def test_a_descriptor_that_another_thread_closes_under_our_eyes_is_no_failure() -> None:
    sockets: Any = Sockets.__new__(Sockets)
    ours, other = socket.socketpair()
    descriptor = ours.fileno()
    os.close(descriptor)
    try:
        assert sockets.timeout_ns(ours, descriptor) == -1
    finally:
        ours.detach()
        other.close()


@built
def test_what_the_program_sees_is_what_it_sees_bare() -> None:
    steps = [
        [which, side, name, size, 0, kind]
        for which in (0, 2)
        for side in (0, 1)
        for name in NAMES[:-2]
        for size in (0, 5)
        for kind in range(6)
    ]
    arguments = [str(PROGRAMS / "driven.py"), json.dumps(steps)]
    bare = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=environment())
    for core in ("c", "python"):
        printed, tapes = run_under(core, arguments)
        assert printed.splitlines() == bare.stdout.splitlines(), core
        shutil.rmtree(tapes[0].path.parent)


@built
def test_the_layout_of_the_c_core_is_that_of_the_table() -> None:
    ask = "import sys; sys.path.insert(0, sys.argv[1]); import _core, json; print(json.dumps(_core.LAYOUT))"
    told = json.loads(subprocess.run([sys.executable, "-c", ask, str(AGENT)], capture_output=True, text=True, check=True).stdout)
    assert told == {name: getattr(layout, name) for name in told}
    assert len(told) == 6


GROWTH = """
import gc, socket, sys
a, b = socket.socketpair(); a.setblocking(False)
class Sub(socket.socket): pass
def lap():
    for _ in range(200):
        try: a.recv(10)
        except BlockingIOError: pass
        try: a.recv("x")
        except TypeError: pass
        b.send(b"hello" * 100); a.recv(1000); b.send(bytearray(5)); a.recv_into(bytearray(10)); b.sendall(b"")
        try: a.connect("/nowhere/at/all")
        except OSError: pass
        f = a.recv; del f
        c, d = socket.socketpair(); c.send(b"x"); d.recv(1); c.close(); del c, d
        e = Sub(fileno=b.dup().detach()); e.send(b"y"); a.recv(1); e.close(); del e
    gc.collect()
    return sys.getallocatedblocks()
for _ in range(4): lap()
before = lap()
for _ in range(10): after = lap()
print(after - before)
"""


@built
@pytest.mark.parametrize("core", ["c", "python"])
def test_nothing_grows_in_the_program_while_it_is_recorded(core: str) -> None:
    printed, tapes = run_under(core, ["-c", GROWTH])
    # 2,000 rounds of some 15 calls: a block leaked by any of them would show as 2,000.
    assert int(printed) < 500
    assert tapes[0].lost() == (0, 0)
    shutil.rmtree(tapes[0].path.parent)


SANITISED = """
import gc, json, os, runpy, socket, sys, threading
sys.argv = ["driven.py", sys.argv[1]]
runpy.run_path(os.environ["DRIVEN"])
a, b = socket.socketpair()
def spin(sock):
    sock.setblocking(False)
    for _ in range(6000):
        try: sock.recv(1)
        except BlockingIOError: pass
threads = [threading.Thread(target=spin, args=(socket.socketpair()[0],)) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
pid = os.fork()
b.send(b"z" * 1000); a.recv(1000)
if not pid: os._exit(0)
os.waitpid(pid, 0)
del threads; gc.collect()
sys.argv[1] = os.environ["FOLDER"]
runpy.run_path(os.environ["COMING"])
gc.collect()
print("survived")
"""


@built
@pytest.mark.slow
def test_the_c_core_passes_under_the_address_sanitizer(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    runtime = compiler and subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    if not runtime or not Path(runtime).is_absolute():
        pytest.skip("gcc with the address sanitizer is not here")
    agent = tmp_path / "agent"
    shutil.copytree(AGENT, agent, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    flags = ["-shared", "-fPIC", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-Wall", "-Werror"]
    target = agent / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = sysconfig.get_path("include")
    subprocess.run([str(compiler), *flags, f"-I{include}", str(agent / "_core.c"), "-o", str(target)], check=True)
    steps = [[which, side, name, size, flag, kind] for which in range(3) for name in NAMES for side in (0, 1)
             for size, flag, kind in ((0, 0, 0), (5, 0, 1), (1000, 0x40, 2), (300_000, 0, 3), (1, 2, 4), (256, 0, 5))]  # fmt: skip
    reports = tmp_path / "report"
    changes = {
        "LD_PRELOAD": runtime, "PYTHONMALLOC": "malloc", "DRIVEN": str(PROGRAMS / "driven.py"),
        "COMING": str(PROGRAMS / "coming_and_going.py"), "FOLDER": str(tmp_path),
        "ASAN_OPTIONS": f"detect_leaks=0:abort_on_error=1:log_path={reports}", "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={reports}",
    }  # fmt: skip
    printed, tapes = run_under("c", ["-c", SANITISED, json.dumps(steps)], 5000, agent, **changes)
    assert printed.endswith("survived\n")
    assert [path.read_text() for path in tmp_path.glob("report*")] == []
    assert sum(len(calls_on(tape)) for tape in tapes) > 24_000
    assert len(tapes) == 3 and all(tape.lost()[1] == 0 for tape in tapes)
    shutil.rmtree(os.path.dirname(tapes[0].path))


@built
def test_a_thread_is_one_thread_whichever_part_of_the_agent_meets_it_first() -> None:
    program = "import socket; a, b = socket.socketpair(); c = socket.socket(fileno=a.detach()); b.close(); c.setblocking(False)"
    for core in ("c", "python"):
        _, (tape,) = run_under(core, ["-c", program])
        assert {call["thread"] for call in calls_on(tape)} == {1}
        assert len([kind for kind, _, _ in notes_on(tape) if kind == layout.NOTE_THREAD]) == 1
        shutil.rmtree(tape.path.parent)
