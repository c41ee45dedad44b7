"""What this machine lets us do, tried for real: each probe asks one thing and says what to do if it is missing.

Owns the probes and what their answers mean. Whatever may harm the asker is asked in a child with a
time limit (_kernel_probes.py). Draws nothing, and never raises for what it finds.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import SockreelError
from ..traces import create_trace, open_trace
from .agent import layout
from .launching.launch import LaunchError, environment, find_python
from .tapes.ahead import MOST_AHEAD
from .tapes.tape import TapeReader

Answer = Mapping[str, Any]
Ask = Callable[[str], Answer]

_PROBES = Path(__file__).with_name("_kernel_probes.py")
_SHM = Path("/dev/shm")
_PATIENCE_S = 15.0
# What one busy process may have on the tape at a time: a head, the segment in use, those ahead of it, two of notes.
TAPE_BYTES = layout.HEAD_BYTES + (1 + MOST_AHEAD) * layout.SEGMENT_BYTES["c"] + 2 * layout.SEGMENT_BYTES["n"]
_TRIED = "import socket; a, b = socket.socketpair(); a.send(b'x'); b.recv(1); a.close(); b.close()"
_TRIED_CALLS = 4  # send, recv, close, close


@dataclass(frozen=True)
class Finding:
    """What one probe found.

    Args:
        name: of what was probed.
        state: ok; limited: it works in part, or not as well as it could; missing.
        text: what is there, in a line.
        remedy: what to do about it; "" where there is nothing to do.
        needed: nothing can be recorded without it.
        facts: the same for programs.
    """

    name: str
    state: Literal["ok", "limited", "missing"]
    text: str
    remedy: str = ""
    needed: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A recording of four calls, made with one interpreter.

    Args:
        python: the interpreter as it was named.
        refused: why nothing was recorded, or "".
        version, executable, core, why: what its agent says of itself.
        cost_ns: of recording one call; 0: not measured.
        calls: how many of the four are on the tape.
    """

    python: str
    refused: str = ""
    version: str = ""
    executable: str = ""
    core: str = ""
    why: str = ""
    cost_ns: int = 0
    calls: int = 0


def _same(one: str, other: str) -> bool:
    """Whether two names are the same interpreter of the same environment: links are not followed, they make environments."""
    return os.path.abspath(one) == os.path.abspath(other)


def examine(python: str | None = None) -> Iterator[Finding]:
    """Probe everything, what recording needs first.

    Args:
        python: the interpreter that `record` is to use; None: the one it finds on PATH.
    """
    trial = _try_found(python)
    yield recording("recording", trial)
    yield call_cost("cost of a call", trial)
    ours = trial if _same(trial.executable, sys.executable) else try_python(sys.executable)
    if ours is not trial:
        yield recording("our own Python", ours)
        yield call_cost("its cost", ours)
    yield counting()
    yield shared_memory()
    yield sqlite()
    for probe in (pidfd, kernel_times, packets, namespaces, io_uring):
        yield probe()
    for name in ("strace", "perf"):
        yield tool(name)


# Recording itself.


def _try_found(python: str | None) -> Trial:
    try:
        return try_python(find_python(python))
    except LaunchError as error:
        return Trial(python or "python", refused=str(error))


def try_python(python: str) -> Trial:
    """Record four calls with an interpreter, as `record` would."""
    try:
        with tempfile.TemporaryDirectory(prefix="sockreel-doctor-", dir=_SHM if os.access(_SHM, os.W_OK) else None) as made:
            folder = Path(made)
            (folder / "settings").write_text("payload 0\ncore \n")
            done = subprocess.run(
                [python, "-c", _TRIED], env=environment(folder, os.environb), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=_PATIENCE_S,
            )  # fmt: skip
            return _read_trial(python, folder, done)
    except subprocess.TimeoutExpired:
        return Trial(python, refused=f"it did not end within {_PATIENCE_S:.0f} s")
    except (OSError, ValueError) as error:
        return Trial(python, refused=str(error))


def _read_trial(python: str, folder: Path, done: subprocess.CompletedProcess[bytes]) -> Trial:
    if done.returncode:
        return Trial(python, refused=f"it ended with {done.returncode}: {_last_line(done.stderr)}")
    found = Trial(python, refused="no Python's agent answered (is it kept from reading PYTHONPATH?)")
    for path in sorted(folder.glob("*.unrecorded")):
        found = Trial(python, refused=path.read_text(errors="replace"))
    for path in sorted(folder.glob("*.head")):
        reader = TapeReader((folder,), path)
        blocks, _ = reader.read_calls(ended=True)
        calls = sum(len(block.data) for block in blocks) // layout.SLOT_BYTES
        head = reader.head
        reader.close()
        if calls >= found.calls:
            found = Trial(python, "", head.python, head.executable, head.core, head.core_reason, head.cost_ns, calls)
    return found


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def recording(name: str, trial: Trial) -> Finding:
    """Say whether an interpreter's calls are recorded, and by which core."""
    facts = {key: value for key, value in vars(trial).items() if value != ""}
    if trial.refused:
        named = trial.refused if trial.python in trial.refused else f"{trial.python}: {trial.refused}"
        return Finding(name, "missing", named, "name another interpreter with --python: Python 3.8 or newer", True, facts)
    text = f"Python {trial.version}, {'C' if trial.core == 'c' else 'Python'} core ({trial.why}); {trial.executable}"
    if trial.calls != _TRIED_CALLS:
        text = f"{trial.calls} of {_TRIED_CALLS} calls were recorded; {text}"
        return Finding(name, "missing", text, "please report it, with this line", True, facts)
    if trial.core == "c":
        return Finding(name, "ok", text, needed=True, facts=facts)
    if trial.version.startswith(("3.8.", "3.9.")):
        remedy = "there is a C core, which costs a call far less, for Python 3.10 and newer only"
    else:
        remedy = "for the C core, which costs a call far less, install a C compiler and Python's headers, then sockreel with this Python"
    return Finding(name, "limited", text, remedy, True, facts)


def call_cost(name: str, trial: Trial) -> Finding:
    """Say what recording one call costs, as the agent measured it a moment ago."""
    facts = {"cost_ns": trial.cost_ns or None, "core": trial.core or None}
    if not trial.cost_ns:
        why = "nothing was recorded" if trial.refused else "the agent could make no socket to measure with"
        return Finding(name, "missing", f"not measured: {why}", facts=facts)
    text = f"recording one adds {trial.cost_ns:,} ns to it ({'C' if trial.core == 'c' else 'Python'} core, measured just now)"
    return Finding(name, "ok", text, facts=facts)


def counting(load: Callable[[], object] | None = None) -> Finding:
    """Say whether the recorder counts calls in C (recorder/tapes/_slots)."""
    try:
        (load or (lambda: importlib.import_module(".tapes._slots", __package__)))()
    except ImportError:
        remedy = "install a C compiler and Python's headers, then sockreel again"
        text = "in Python: the trace falls further behind a program that makes many calls"
        return Finding("counting", "limited", text, remedy, facts={"c": False})
    return Finding("counting", "ok", "in C, while the program runs", facts={"c": True})


# Where things are kept.


def shared_memory(folder: Path = _SHM, needed_bytes: int = TAPE_BYTES) -> Finding:
    """Say whether a tape fits into shared memory, by reserving one."""
    spill = "tapes go beside the trace, where the first touch of a page may stop the program for milliseconds"
    remedy = f"mount -o remount,size=256M {folder}; in a container: docker run --shm-size=256m"
    try:
        space = os.statvfs(folder)
        free, whole = space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize
        facts = {"folder": str(folder), "size_bytes": whole, "free_bytes": free, "tape_bytes": needed_bytes}
        with tempfile.TemporaryFile(prefix="sockreel-", dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, needed_bytes)
    except FileNotFoundError:
        return Finding("shared memory", "limited", f"there is no {folder}: {spill}", f"mount -t tmpfs tmpfs {folder}")
    except OSError as error:
        return Finding("shared memory", "limited", f"{folder} cannot hold a tape ({error.strerror}): {spill}", remedy)
    text = f"{folder}: {_mb(free)} of {_mb(whole)} free, a busy process' tape takes up to {_mb(needed_bytes)}"
    return Finding("shared memory", "ok", text, facts=facts)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.0f} MB"


def sqlite(create: Callable[[Path], Any] = create_trace) -> Finding:
    """Make a trace, and open it again."""
    facts = {"version": sqlite3.sqlite_version}
    try:
        with tempfile.TemporaryDirectory(prefix="sockreel-doctor-") as folder:
            path = Path(folder) / "trace.db"
            made = create(path)
            made.conn.close()
            with open_trace(path):
                pass
    except (SockreelError, sqlite3.Error, OSError) as error:
        return Finding("SQLite", "missing", f"{sqlite3.sqlite_version} cannot keep a trace: {error}", "use another Python", True, facts)
    return Finding("SQLite", "ok", f"{sqlite3.sqlite_version}, a trace was made and opened", needed=True, facts=facts)


# What the kernel allows.


def ask_kernel(name: str, patience_s: float = _PATIENCE_S) -> Answer:
    """Ask one question of _kernel_probes.py in a process of its own.

    Returns:
        Its answer; {"refused": why} where the kernel would not, or the process did not live to tell.
    """
    try:
        done = subprocess.run([sys.executable, "-I", str(_PROBES), name], stdin=subprocess.DEVNULL, capture_output=True, timeout=patience_s)
    except subprocess.TimeoutExpired:
        return {"refused": f"no answer within {patience_s:g} s"}
    except OSError as error:
        return {"refused": str(error)}
    if done.returncode < 0:
        with contextlib.suppress(ValueError):
            return {"refused": f"asking ends a process with {signal.Signals(-done.returncode).name}"}
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"refused": _last_line(done.stderr)}


def pidfd(ask: Ask = ask_kernel) -> Finding:
    """Say whether processes can be held by a descriptor: how the recorder knows that one has ended."""
    answer = ask("pidfd")
    if "refused" in answer:
        remedy = "Linux 5.3 or newer; in a container, allow pidfd_open and pidfd_send_signal"
        return Finding("pidfd", "missing", f"{answer['refused']}", remedy, True, answer)
    return Finding("pidfd", "ok", "the end of a process is noticed without asking for it", needed=True, facts=answer)


def kernel_times(ask: Ask = ask_kernel) -> Finding:
    """Say whether the kernel tells when a segment arrived."""
    answer = ask("kernel_times")
    there = [name for name in ("SO_TIMESTAMPING", "SO_TIMESTAMPNS") if answer.get(name)]
    if not there:
        text = f"a received segment does not tell when it arrived{_why(answer)}"
        return Finding("kernel times", "missing", text, "a kernel with socket timestamps; not a sandbox such as gVisor", facts=answer)
    return Finding("kernel times", "ok", f"{' and '.join(there)} tell when a segment arrived", facts=answer)


def packets(ask: Ask = ask_kernel) -> Finding:
    """Say whether packets can be captured on the loopback interface."""
    answer = ask("packets")
    if answer.get("captured"):
        once = answer.get("once")
        text = "allowed on the loopback interface" + ("" if once else ", each seen twice: the kernel is older than 4.20")
        return Finding("packets", "ok" if once else "limited", text, facts=answer)
    inside = ask("namespaces").get("packets")
    if inside:
        text = f"only in a network of one's own (see namespaces){_why(answer)}"
        return Finding("packets", "limited", text, _capture_remedy(), facts={**answer, "inside": True})
    return Finding("packets", "missing", f"not allowed{_why(answer)}", _capture_remedy(), facts={**answer, "inside": False})


def _capture_remedy() -> str:
    return "run as root, or give the right to this Python: setcap cap_net_raw+ep " + os.path.realpath(sys.executable)


def namespaces(ask: Ask = ask_kernel) -> Finding:
    """Say whether a user may have a network of their own."""
    answer = ask("namespaces")
    if answer.get("entered"):
        return Finding("namespaces", "ok", "a user and a network namespace were entered", facts=answer)
    remedy = "sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns; a container's seccomp profile"
    return Finding("namespaces", "missing", f"no network of one's own{_why(answer)}", f"look at {remedy}", facts=answer)


def io_uring(ask: Ask = ask_kernel) -> Finding:
    """Say whether the kernel sets up a ring, and whether Python's package for it works."""
    answer, package = ask("io_uring"), ask("liburing")
    facts = {"kernel": dict(answer), "liburing": dict(package)}
    if "refused" in answer:
        remedy = "sysctl kernel.io_uring_disabled=0; in a container, a seccomp profile that allows it"
        return Finding("io_uring", "missing", f"the kernel sets up no ring{_why(answer)}", remedy, facts=facts)
    if "refused" in package:
        text = f"the kernel sets up a ring, but the package liburing does not{_why(package)}"
        return Finding("io_uring", "limited", text, "pip install liburing==2024.5.3 (built here, for this processor)", facts=facts)
    have = "so does the package liburing" if package.get("installed") else "the package liburing is not installed"
    return Finding("io_uring", "ok", f"the kernel sets up a ring; {have}", facts=facts)


def _why(answer: Answer) -> str:
    return f": {answer['refused']}" if "refused" in answer else ""


# What sockreel is compared with.

_TOOLS: Mapping[str, tuple[Sequence[str], str]] = {
    "strace": (("-f", "-e", "trace=network", "-o", os.devnull, "true"), "apt install strace"),
    "perf": (("trace", "-o", os.devnull, "true"), "apt install linux-perf (or linux-tools), then sysctl kernel.perf_event_paranoid=-1"),
}


def tool(name: str, path: str | None = None) -> Finding:
    """Say whether another tracer runs here.

    Args:
        name: strace or perf.
        path: where to look for it; None: PATH.
    """
    arguments, remedy = _TOOLS[name]
    found = shutil.which(name, path=path)
    if found is None:
        return Finding(name, "missing", "not installed; of use for comparison only", remedy, facts={"path": None})
    facts = {"path": found}
    try:
        done = subprocess.run([found, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, "limited", f"{found} does not run: {error}", remedy, facts=facts)
    if done.returncode:
        return Finding(name, "limited", f"{found} may not trace: {_last_line(done.stderr)}", remedy, facts=facts)
    return Finding(name, "ok", f"{found}, for comparison", facts=facts)
