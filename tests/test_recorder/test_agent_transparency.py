"""Nothing of us shows: a recorded program sees the same and ends the same as without us."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from .playing import interpreter
from .recording import PROGRAMS, Recorder, bare

MIRROR = PROGRAMS / "mirror.py"


def seen(text: str) -> dict[str, Any]:
    """What the mirror printed, but for what two runs of anything differ in."""
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    found["environ"].pop("_", None)
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (one[name], other[name]) for name in one if one[name] != other[name]}


PATHS = {"unset": None, "empty": "", "one": "own", "two": "own:/tmp", "here first": ":own", "here last": "own:"}


@pytest.mark.parametrize("pythonpath", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("version", ["this", "3.8", "3.13"])
def test_a_program_sees_what_it_sees_without_us(record: Recorder, version: str, pythonpath: str | None) -> None:
    python = interpreter(version)
    (record.folder / "own").mkdir()
    arguments = ["-o", "x", "--help", "", "a b", "ä", "--", "-m"]
    env = {"PYTHONPATH": pythonpath, "GREETING": "grüß dich"}
    done = record(MIRROR, *arguments, python=python, env=env, stdin="to be read\n")
    plain = bare(python, MIRROR, *arguments, env=env, stdin="to be read\n", cwd=record.folder)
    assert plain.returncode == 0 and done.status == 0, (plain, done)
    assert seen(plain.stdout)["stdin"] == "to be read\n"
    assert differences(seen(plain.stdout), seen(done.out)) == {}
    assert len(done.calls()) == 2


def test_a_module_sees_what_it_sees_without_us(record: Recorder) -> None:
    record.script(MIRROR.read_text(), "package/mirror.py")
    done = record("-m", "package.mirror", "--opt", "-o", "x")
    plain = bare(sys.executable, "-m", "package.mirror", "--opt", "-o", "x", cwd=record.folder)
    assert seen(done.out)["argv"][1:] == ["--opt", "-o", "x"]
    assert differences(seen(plain.stdout), seen(done.out)) == {}


OWN_NAMES = ["recorder", "replay", "traces", "agent", "commands", "core", "layout", "tape", "sites", "sockets", "start",
             "children", "sitecustomize", "usercustomize", "select", "socket", "errno", "inject", "methods",
             "sockreel", "struct", "itertools", "ctypes"]  # fmt: skip


@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_module_of_the_programs_own_is_found_under_any_name(record: Recorder, name: str) -> None:
    # Not in the folder that sockreel itself is started in: `python -m` would find it, too.
    record.script("WHOSE = 'the program'", f"app/{name}.py")
    script = record.script(f"""
        import {name}
        print(getattr({name}, "WHOSE", "the library"), {name}.__name__)
    """, "app/program.py")
    done = record(script, whole=False)
    plain = bare(script, cwd=record.folder)
    assert (done.out, done.status) == (plain.stdout, plain.returncode), done
    assert [line for line in done.err.splitlines() if not line.startswith("sockreel: ")] == plain.stderr.splitlines()


def test_the_hosts_own_sitecustomize_runs_and_is_the_one_in_sys_modules(record: Recorder) -> None:
    record.script("import sys; sys.host_was_here = getattr(sys, 'host_was_here', 0) + 1", "host/sitecustomize.py")
    script = record.script("""
        import sys
        print(sys.host_was_here, sys.modules["sitecustomize"].__file__)
    """)
    env = {"PYTHONPATH": str(record.folder / "host")}
    done = record(script, env=env)
    assert done.out == bare(script, env=env).stdout == f"1 {record.folder}/host/sitecustomize.py\n"


def test_an_error_in_the_hosts_sitecustomize_is_reported_as_ever(record: Recorder) -> None:
    record.script("1 / 0", "host/sitecustomize.py")
    script = record.script("print('went on')")
    env = {"PYTHONPATH": str(record.folder / "host")}
    done, plain = record(script, env=env), bare(script, env=env)
    assert done.out == plain.stdout == "went on\n"
    kept = [line for line in plain.stderr.splitlines() if not line.startswith("  ")]
    assert kept and all(line in done.err for line in kept)


ENDINGS = {
    "returns": ("pass", 0),
    "exit status 7": ("sys.exit(7)", 7),
    "a message": ("sys.exit('the reason')", 1),
    "an exception": ("raise RuntimeError('not caught')", 1),
    "os._exit": ("os._exit(9)", 9),
    "a large status": ("sys.exit(300)", 44),
    "sys.exit in a thread": ("t = threading.Thread(target=sys.exit, args=(3,)); t.start(); t.join()", 0),
    "an exception in a thread": ("t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()", 0),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", 137),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", 143),
    "SIGSEGV": ("os.kill(os.getpid(), signal.SIGSEGV)", 139),
    "SIGINT": ("os.kill(os.getpid(), signal.SIGINT)", 130),
    "os.abort": ("os.abort()", 134),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_ends_as_it_ends_without_us(record: Recorder, ending: str) -> None:
    line, status = ENDINGS[ending]
    script = record.script(f"""
        import atexit, os, resource, signal, socket, sys, threading
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        a, b = socket.socketpair()
        a.send(b"before the end")
        atexit.register(lambda: print("at exit", flush=True))
        {line}
    """)
    done, plain = record(script), bare(script)
    assert (128 - plain.returncode if plain.returncode < 0 else plain.returncode) == status
    assert (done.status, done.out) == (status, plain.stdout)
    assert [line for line in done.err.splitlines() if not line.startswith("sockreel: ")] == plain.stderr.splitlines()
    assert done.run["exit_status"] == status
    assert done.run["ended_by"] == ("signal" if plain.returncode < 0 else "exit")
    assert done.rows("SELECT exit_status FROM processes") == [{"exit_status": status}]
    assert done.outcomes() == [("send", "ok")]
    if plain.returncode < 0:
        assert f"ended by signal {status - 128}" in done.lines[-1]


def test_signals_that_the_user_ignored_stay_ignored(record: Recorder) -> None:
    script = record.script("""
        import signal
        print([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD)])
    """)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert record(script).out == bare(script).stdout
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_program_that_closes_every_descriptor_keeps_its_own_sockets(record: Recorder) -> None:
    script = record.script("""
        import os, socket
        os.closerange(3, 256)
        fds = []
        pairs = [socket.socketpair() for _ in range(20)]
        for a, b in pairs:
            fds += [a.fileno(), b.fileno()]
            a.send(b"hello")
        os.closerange(3 + 2 * len(pairs), 256)
        assert all(b.recv(10) == b"hello" for a, b in pairs)
        print(fds)
    """)
    done = record(script)
    assert (done.status, done.out) == (0, bare(script).stdout)
    assert len(done.calls(operation="send")) == 20


def test_a_program_that_changes_its_folder_user_files_and_limits_is_still_recorded(record: Recorder) -> None:
    done = record(record.script("""
        import os, resource, socket
        os.chdir("/")
        os.umask(0o777)
        a, b = socket.socketpair()
        a.send(b"x")
        b.recv(1)
        resource.setrlimit(resource.RLIMIT_NOFILE, (b.fileno() + 1, b.fileno() + 1))
        for n in range(30_000):
            a.send(b"x")
            b.recv(1)
        print("done")
    """), options=["--payload", "8"], whole=False)  # fmt: skip
    assert (done.status, done.out) == (0, "done\n"), done
    assert done.run["calls_recorded"] >= 8192
    # With not one descriptor left, a segment of the tape can be had only where the recorder was quicker: the rest is counted.
    assert done.run["calls_recorded"] + done.run["calls_lost"] == 60_002


def test_a_mock_of_os_and_time_does_not_reach_us(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket, time
        a, b = socket.socketpair()
        os.open = os.close = os.fstat = os.getpid = os.link = os.path.exists = None
        time.monotonic_ns = time.time_ns = time.perf_counter_ns = lambda: 1 / 0
        for n in range(20_000):
            a.send(b"x")
            b.recv(1)
        c, d = socket.socketpair()
        c.send(b"y")
        print("done", flush=True)
    """), options=["--payload", "0"])  # fmt: skip
    assert done.out == "done\n"
    assert len(done.calls()) == 40_001 and done.blind_spots == []


def test_a_trace_of_a_program_in_a_folder_of_any_name_is_whole(record: Recorder) -> None:
    folder = record.folder / "a b'c\"d #ä"
    folder.mkdir()
    script = record.script("import socket; a, b = socket.socketpair(); a.send(b'x')\n", f"{folder.name}/my server.py")
    done = record(script, output=folder / "t.db", cwd=folder)
    assert [row["file"] for row in done.calls()] == [str(script)]
    assert Path(script).read_text() == done.rows("SELECT text FROM sources")[0]["text"]


def test_an_evaluated_string_a_zip_and_a_deleted_file_are_sites_too(record: Recorder) -> None:
    import zipfile

    with zipfile.ZipFile(record.folder / "app.pyz", "w") as archive:
        archive.writestr("__main__.py", "import helper\nhelper.talk()\n")
        archive.writestr("helper.py", "import socket\ndef talk():\n    a, b = socket.socketpair()\n    a.send(b'zip')\n")
    zipped = record(record.folder / "app.pyz")
    (call,) = zipped.calls()
    assert (call["line"], call["function"], call["code"]) == (4, "talk", "a.send(b'zip')")
    string = record("--", sys.executable, "-c", "import socket\na, b = socket.socketpair()\na.send(b'-c')")
    (call,) = string.calls()
    assert (call["file"], call["line"], call["code"]) == ("<string>", 3, "a.send(b'-c')")
    gone = record(record.script("""
        import os, socket
        os.unlink(__file__)
        a, b = socket.socketpair()
        exec(compile("a.send(b'x')\\n", "made/up.py", "exec"))
        eval("a.send(b'y')")
    """))  # fmt: skip
    assert [row["result"] for row in gone.calls()] == [1, 1]


def without_frames_of_ours(text: str) -> str:
    """Take the agent's frames, which the Python core cannot hide, out of printed tracebacks."""
    kept, ours = [], False
    for line in text.splitlines():
        if line.startswith('  File "'):
            ours = "<sockreel agent: " in line
        elif not line.startswith("    "):
            ours = False
        if not ours:
            kept.append(line)
    return "\n".join(kept)


@pytest.mark.parametrize("version", ["this", "3.8", "3.13"])
def test_exceptions_come_with_the_context_and_traceback_that_they_have_without_us(record: Recorder, version: str) -> None:
    python = interpreter(version)
    done = record(PROGRAMS / "raising.py", python=python)
    plain = bare(python, PROGRAMS / "raising.py", cwd=record.folder)
    assert plain.returncode == 0 and done.status == 0, (plain, done)
    assert plain.stdout.count("Traceback") > 25 and plain.stdout.endswith("True True 1 1 2\nTrue 2\n")
    if done.run["core"] == "python":
        assert without_frames_of_ours(done.out) == without_frames_of_ours(plain.stdout)
    else:
        assert done.out == plain.stdout
