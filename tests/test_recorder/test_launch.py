"""The command line of `sockreel record`: what is ours, what is the program's, how both begin and end."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from sockreel.recorder.launching.launch import INJECT

from .recording import SOCKREEL, Recorder, environment, query, until

TALK = "import socket, sys; a, b = socket.socketpair(); a.send(b'x'); print(sys.argv[1:])"
SPIN = """
import signal, socket, sys
a, b = socket.socketpair()
a.setblocking(False)
print("ready", flush=True)
while True:
    try:
        a.recv(1)
    except BlockingIOError:
        pass
"""


def sockreel(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SOCKREEL, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, timeout=60
    )


def test_everything_behind_the_script_belongs_to_it(record: Recorder) -> None:
    words = ["-o", "theirs.db", "--label", "x", "--", "-m", "--for", "", "--help", "-"]
    done = record(record.script(TALK), *words)
    assert done.out == f"{words}\n"
    assert not (record.folder / "theirs.db").exists()
    assert json.loads(done.run["command"])[2:] == words


def test_a_module_may_be_named_as_python_has_it(record: Recorder) -> None:
    record.script(TALK, "talk.py")
    assert record("-m", "talk", "--opt", "-x").out == "['--opt', '-x']\n"
    assert record("-mtalk", "-m", "y").out == "['-m', 'y']\n"


def test_any_command_line_can_be_recorded(record: Recorder) -> None:
    done = record("--", sys.executable, record.script(TALK), "--", "-o")
    assert done.out == "['--', '-o']\n" and len(done.calls()) == 1
    python = Path(tempfile.mkdtemp(prefix="sockreel-")) / "python"  # no space may stand in a first line
    python.symlink_to(sys.executable)
    script = record.script(f"#!{python}\n{TALK}", "runs-itself")
    script.chmod(0o755)
    done = record("--", "./runs-itself", "-o", "x")
    assert done.out == "['-o', 'x']\n" and len(done.calls()) == 1
    shell = record("--", "sh", "-c", f"{shlex.quote(sys.executable)} program.py a; exit 5")
    assert (shell.status, shell.out, len(shell.calls())) == (5, "['a']\n", 1)
    assert any("sh" in spot for spot in shell.blind_spots)


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (["no-such-command"], 127, "no-such-command"),
        (["./no-such-file"], 127, "no-such-file"),
        (["missing.py"], 127, "missing.py"),
        (["./plain"], 126, "plain"),
        (["folder"], 127, "folder"),
        (["./folder"], 126, "folder"),
        (["./bad-interpreter"], 126, "bad-interpreter"),
    ],
)
def test_what_cannot_be_started_gets_one_line_and_leaves_no_file(record: Recorder, command: list[str], status: int, says: str) -> None:
    (record.folder / "plain").write_text("no program")
    (record.folder / "folder").mkdir()
    (record.folder / "bad-interpreter").write_text("#!/no/such/interpreter\n")
    (record.folder / "bad-interpreter").chmod(0o755)
    before = sorted(record.folder.iterdir())
    done = sockreel("record", "-q", "-o", "t.db", "--", *command, cwd=record.folder)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert done.stderr.count("\n") == 1 and says in done.stderr and done.stderr.startswith("sockreel: ")
    assert sorted(record.folder.iterdir()) == before


def test_an_interpreter_that_is_not_there_is_one_line(record: Recorder) -> None:
    done = sockreel("record", "-q", "-o", "t.db", "--python", "/no/python", record.script(TALK), cwd=record.folder)
    assert (done.returncode, done.stderr.count("\n")) == (127, 1) and "/no/python" in done.stderr


def test_no_program_is_wrong_use(record: Recorder) -> None:
    for arguments in ([], ["-o", "t.db"], ["-m"], ["--"], ["--for", "0", "x.py"], ["--max-calls", "0", "x.py"], ["--nonsense", "x.py"],
                      ["--append", "--force", "x.py"]):  # fmt: skip
        done = sockreel("record", *arguments, cwd=record.folder)
        assert done.returncode == 2 and "Traceback" not in done.stderr, arguments
    assert sorted(record.folder.iterdir()) == []


def test_an_existing_file_is_refused_added_to_or_written_over(record: Recorder) -> None:
    script = record.script(TALK)
    first = record(script, options=["--label", "one"])
    content = first.path.read_bytes()
    refused = record(script, "RAN", output=first.path, whole=False)
    assert refused.status == 1 and refused.out == "" and "--append" in refused.err and "--force" in refused.err
    assert first.path.read_bytes() == content
    both = record(script, output=first.path, options=["--append", "--label", "two"])
    assert [row["label"] for row in both.rows("SELECT label FROM runs")] == ["one", "two"]
    assert len(both.calls()) == 2 and f"{first.path}#two" in both.lines[-1]
    clash = record(script, "RAN", output=first.path, options=["--append", "--label", "one"], whole=False)
    assert clash.status == 1 and clash.out == "" and "one" in clash.err
    over = record(script, output=first.path, options=["--force"])
    assert [row["label"] for row in over.rows("SELECT label FROM runs")] == [None] and len(over.calls()) == 1
    (record.folder / "letter.txt").write_text("Dear Ada")
    stranger = record(script, "RAN", output=record.folder / "letter.txt", options=["--append"], whole=False)
    assert (stranger.status, stranger.out, (record.folder / "letter.txt").read_text()) == (1, "", "Dear Ada")


def test_the_file_is_for_its_owner_only_and_one_file(record: Recorder) -> None:
    before = os.umask(0)
    try:
        done = record(record.script(TALK))
    finally:
        os.umask(before)
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    assert sorted(path.name for path in record.folder.iterdir()) == ["program.py", done.path.name]


def test_the_default_name_is_that_of_the_program_and_the_time(record: Recorder) -> None:
    script = record.script(TALK, "my server.py")
    done = sockreel("record", "--python", sys.executable, script, cwd=record.folder)
    (made,) = record.folder.glob("*.db")
    assert re.fullmatch(r"my-server-\d{8}-\d{6}\.db", made.name)
    assert done.stderr.splitlines()[-1].endswith(f"next: sockreel show {made.name}")


def test_sockreel_speaks_first_and_last_and_not_in_between(record: Recorder) -> None:
    done = record(record.script("""
        import socket, sys
        for n in range(3):
            print("out", n, flush=True)
            print("err", n, file=sys.stderr, flush=True)
            a, b = socket.socketpair()
            a.send(b"x")
    """))  # fmt: skip
    first, *between, last = done.err.splitlines()
    assert first.startswith("sockreel: recording ") and between == ["err 0", "err 1", "err 2"]
    assert re.match(r"sockreel: 3 calls in \S+ .*payloads.*; next: sockreel show \S+$", last) and str(done.path) in last
    assert done.out == "out 0\nout 1\nout 2\n"


def test_a_run_without_calls_has_no_payloads_to_speak_of(record: Recorder) -> None:
    last = record(record.script("pass"), whole=False).lines[-1]
    assert last.startswith("sockreel: 0 calls in ") and "payload" not in last


def test_quiet_says_nothing(record: Recorder) -> None:
    assert record(record.script(TALK), options=["--quiet"]).err == ""


def test_payloads_are_kept_as_far_as_asked(record: Recorder) -> None:
    script = record.script("import socket; a, b = socket.socketpair(); a.send(bytes(range(256)) * 8); b.recv(2000); b.recv(100)")
    sizes = {}
    for kept in (0, 1, 256, 5000):
        done = record(script, options=["--payload", str(kept)])
        sizes[kept] = [(row["size"], row["payload"]) for row in done.calls(outcome="ok")]
        assert ("no payloads in it" in done.lines[-1]) == (kept == 0)
    whole = bytes(range(256)) * 8
    moved = [(2048, whole), (2000, whole[:2000]), (48, whole[2000:])]
    assert sizes == {kept: [(size, data[:kept]) if kept else (None, None) for size, data in moved] for kept in sizes}


@pytest.mark.parametrize(
    ("command", "says"),
    [(["true"], "nothing was recorded"), ([sys.executable, "-I", "-c", "import socket; socket.socket().close()"], "-I"),
     ([sys.executable, "-E", "-c", "pass"], "-E"), ([sys.executable, "-SB", "-c", "pass"], "-S"),
     (["sh", "-c", "exit 9"], "nothing was recorded")],
    ids=["true", "-I", "-E", "-SB", "sh"],
)  # fmt: skip
def test_what_cannot_be_recorded_is_said_in_one_line_and_its_status_passed_on(record: Recorder, command: list[str], says: str) -> None:
    done = record("--", *command)
    assert done.status == (9 if command[0] == "sh" else 0)
    about = [line for line in done.lines if "nothing was recorded" in line]
    assert len(about) == 1 and any(says in line for line in done.lines)
    assert done.calls() == [] and done.run["exit_status"] == done.status
    assert any("nothing was recorded" in spot for spot in done.blind_spots)


def test_a_python_that_is_too_old_is_named_and_runs_on(record: Recorder) -> None:
    from .playing import interpreter

    python = interpreter("3.7")
    done = record(record.script(TALK), "x", python=python)
    assert (done.status, done.out) == (0, "['x']\n")
    assert any("3.7" in line for line in done.lines) and any("3.7" in spot for spot in done.blind_spots)


def test_for_ends_the_program_and_is_no_failure(record: Recorder) -> None:
    done = record(record.script(SPIN), options=["--for", "0.5"])
    assert (done.status, done.run["ended_by"], done.out) == (0, "for", "ready\n")
    assert done.run["duration_ns"] > 500_000_000
    assert "KeyboardInterrupt" in done.err and done.run["exit_status"] == 130


def test_max_calls_ends_the_program_and_is_no_failure(record: Recorder) -> None:
    done = record(record.script(SPIN), options=["--max-calls", "1000"])
    assert (done.status, done.run["ended_by"]) == (0, "max_calls")
    assert done.run["calls_recorded"] >= 1000


def test_a_program_that_ignores_the_first_request_to_end_gets_a_stronger_one(record: Recorder) -> None:
    script = record.script("""
        import signal, socket
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        a, b = socket.socketpair()
        a.recv(1)
    """)
    done = record(script, options=["--for", "0.2"])
    assert (done.status, done.run["ended_by"], done.run["exit_status"]) == (0, "for", 128 + signal.SIGTERM)
    assert done.outcomes() == [("recv", "unfinished")]


STUBBORN = """
import signal, socket, sys
said = 0
def on(number, frame):
    print(signal.Signals(number).name, flush=True)
signal.signal(signal.SIGINT, on)
signal.signal(signal.SIGTERM, on)
a, b = socket.socketpair()
print("ready", flush=True)
a.recv(1)
"""


def test_ctrl_c_reaches_the_program_once_and_we_say_what_we_wait_for(record: Recorder) -> None:
    with record.running(record.script(SPIN)) as running:
        assert running.line() == "ready"
        running.interrupt()
        done = running.ended()
    assert done.status == 130 and done.run["ended_by"] == "interrupt"
    assert done.err.count("KeyboardInterrupt") == 1


def test_a_second_ctrl_c_sends_sigterm_and_a_third_kills(record: Recorder) -> None:
    with record.running(record.script(STUBBORN)) as running:
        assert running.line() == "ready"
        running.interrupt()
        assert running.line() == "SIGINT"
        while "waiting for the program" not in (said := running.said_on_stderr()):
            assert said, "it never said what it waits for"
        running.interrupt()
        assert {running.line(), running.line()} == {"SIGINT", "SIGTERM"}
        running.interrupt()
        done = running.ended()
    assert (done.status, done.run["ended_by"], done.run["exit_status"]) == (137, "interrupt", 137)
    assert done.outcomes() == [("recv", "unfinished")]


def test_sigterm_to_us_is_passed_on(record: Recorder) -> None:
    with record.running(record.script(STUBBORN)) as running:
        assert running.line() == "ready"
        running.process.terminate()
        assert running.line() == "SIGTERM"
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.line() == "SIGINT"
        running.process.terminate()
        assert running.line() == "SIGTERM"
        pid = until(lambda: running.rows("SELECT pid FROM processes"), "the program's process")[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        done = running.ended()
    assert (done.status, done.run["ended_by"]) == (137, "terminated")


def test_nothing_is_left_in_the_folders_of_the_tape(record: Recorder) -> None:
    tape = record.folder / "tape"
    tape.mkdir()
    done = record(record.script(TALK), options=["--tape", tape])
    assert list(tape.iterdir()) == [] and len(done.calls()) == 1
    assert query(done.path, "PRAGMA journal_mode") == [{"journal_mode": "delete"}]


def test_a_script_may_come_in_from_standard_input(record: Recorder) -> None:
    text = "import socket, sys; a, b = socket.socketpair(); a.send(b'x'); print(sys.argv)\n"
    done = record("-", "one", "--for", stdin=text)
    assert done.out == "['-', 'one', '--for']\n"
    assert done.lines[-1].startswith("sockreel: 1 call in ")


def test_a_name_that_drives_terminals_is_said_in_escapes(record: Recorder) -> None:
    done = record(record.script("import socket; a, b = socket.socketpair(); a.send(b'x')", "two\nlines \x1b[2Jé.py"))
    assert done.lines[0].endswith(r"two\x0alines \x1b[2Jé.py")
    assert done.status == 0


@pytest.mark.parametrize("ours", [0o777, 0o277])
def test_a_umask_that_forbids_us_our_own_files_does_not_keep_us_from_them(record: Recorder, ours: int) -> None:
    text = """
        import os, socket
        print(oct(os.umask(0o777)))
        a, b = socket.socketpair()
        if not os.fork():
            a.send(b"from the child")
            os._exit(0)
        os.wait()
        print(b.recv(100))
    """
    script = record.script(text)
    before = os.umask(ours)
    try:
        done = record(script)
    finally:
        os.umask(before)
    assert done.out == f"{oct(ours)}\nb'from the child'\n"
    assert [row["payload"] for row in done.calls(operation="send")] == [b"from the child"]
    assert done.path.stat().st_mode & 0o777 == 0o600


TOO_OLD = """
import os, runpy, sys
folder, script = sys.argv[1:]
write = os.write
def looking(descriptor, data):
    print(sorted(os.listdir(folder)))
    return write(descriptor, data)
os.write = looking
sys.version_info = (2, 7, 18)
os.environ["SOCKREEL_AGENT"] = folder
for _ in range(2):
    try:
        runpy.run_path(script)
    except ImportError:
        pass  # a host without a sitecustomize of its own
    print(sorted(os.listdir(folder)))
    os.environ["SOCKREEL_AGENT"] = folder
print(os.getpid())
"""


def test_why_a_process_is_not_recorded_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    script = INJECT / "sitecustomize.py"
    done = subprocess.run([sys.executable, "-S", "-c", TOO_OLD, tmp_path, script], capture_output=True, text=True, check=True)
    *seen, pid = done.stdout.splitlines()
    name = f"{pid}.unrecorded"
    assert seen == [repr([f"{name}.part"]), repr([name]), repr([name])]
    assert "is Python 2.7" in (tmp_path / name).read_text()
