"""`sockreel verify` on real programs: faithful recordings score 100 %, and what is planted in a trace is found."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder.models import SERVERS, why_not
from sockreel.recorder.verifying.verdict import Verdict, fidelity_text
from sockreel.recorder.verifying.witness import compare_witnesses
from sockreel.traces import open_trace

from .recording import PROGRAMS, SOCKREEL, environment

PATIENCE_S = 120
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
PAST = "import ctypes, socket\na, b = socket.socketpair()\nsend = ctypes.CDLL(None).send\n"
SERVE = ("--workload", "lecture")


def verify(*arguments: str | Path, folder: Path, env: dict[str, str | None] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `sockreel verify` with our own interpreter."""
    return subprocess.run(
        [*SOCKREEL, "verify", *map(str, arguments)], capture_output=True, text=True, cwd=folder, env=environment(env), timeout=PATIENCE_S,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def verified(*arguments: str | Path, folder: Path) -> dict[str, Any]:
    """Return what `verify --json` says, the exit status beside it."""
    done = verify("--json", "--python", sys.executable, *arguments, folder=folder)
    said = json.loads(done.stdout[done.stdout.index('{\n  "fidelity"') :])
    return {**said, "status": done.returncode, "stderr": done.stderr}


def assert_faithful(said: dict[str, Any], *operations: str) -> None:
    """Assert 100 %, of a program that made these calls."""
    assert (said["fidelity"], said["differences"], said["listed"], said["status"]) == ("100.00 %", 0, [], 0), said
    counts = {row["operation"]: row for row in said["operations"]}
    assert all(counts[name]["recorded"] and counts[name]["matched"] for name in operations), counts


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("server", [name for name in SERVERS if name != "io_uring"])
def test_shipped_servers_are_recorded_faithfully(server: str, tmp_path: Path) -> None:
    said = verified("--workload", "reset", SERVERS[server].script, "127.0.0.1", "0", folder=tmp_path)
    assert_faithful(said, "accept", "bind", "listen")


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "operations"),
    [("echo_threaded.py", ("accept", "recv", "sendall", "close")), ("echo_asyncio.py", ("accept", "recv", "send", "epoll_wait"))],
)
def test_a_threaded_and_an_asyncio_echo_are_recorded_faithfully(program: str, operations: Sequence[str], tmp_path: Path) -> None:
    assert_faithful(verified(*SERVE, PROGRAMS / program, "127.0.0.1", "0", folder=tmp_path), *operations)


@needs_strace
def test_everything_that_is_explained_happens_and_is_explained(tmp_path: Path) -> None:
    said = verified(PROGRAMS / "explained.py", folder=tmp_path)
    assert_faithful(said, "recv", "sendall", "connect")
    expected = {"timeout", "connect", "sendall", "sendfile", "retried", "no system call", "unfinished", "raised", "collected",
                "wake-up byte",
                "default timeout", "measuring", "unused poller", "unrecorded process"}  # fmt: skip
    assert expected <= set(said["explained"])


@needs_strace
@pytest.mark.parametrize("core", ["c", "python"])
def test_tls_in_all_its_ways_is_recorded_faithfully(core: str, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=tmp_path, check=True, capture_output=True)  # fmt: skip
    said = verified("--core", core, PROGRAMS / "tls_cases.py", tmp_path, folder=tmp_path)
    assert_faithful(said, "tls_recv", "tls_send", "do_handshake")
    assert said["explained"]["tls"] > 10


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("program", ["echo_threaded.py", "echo_asyncio.py"])
def test_the_core_in_python_is_as_faithful(program: str, tmp_path: Path) -> None:
    assert_faithful(verified("--core", "python", *SERVE, PROGRAMS / program, "127.0.0.1", "0", folder=tmp_path), "accept", "bind")


@needs_strace
def test_a_program_without_a_call_gets_no_score(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text("print('nothing to see')\n")
    said = verified("silent.py", folder=tmp_path)
    assert (said["status"], said["fidelity"], said["differences"], said["total"]["made"]) == (1, None, 0, 0)
    assert said["complaints"] == ["nothing to compare: neither the recorder nor strace saw a call on a socket"]
    done = verify("--python", sys.executable, "silent.py", folder=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, said["complaints"][0]) and "%" not in done.stdout


@needs_strace
def test_operations_in_a_ring_are_told_and_not_scored(tmp_path: Path) -> None:
    reason = why_not(SERVERS["io_uring"])
    if reason is not None:
        pytest.skip(f"io_uring cannot run here: {reason}")
    (tmp_path / "servers").symlink_to(SERVERS["io_uring"].script.parent)  # started as from a clone: by a path that is not its own
    said = verified(*SERVE, "servers/io_uring.py", "127.0.0.1", "0", folder=tmp_path)
    assert_faithful(said, "bind", "listen", "close")
    assert said["explained"]["ring"] > 10 and not [row for row in said["operations"] if row["operation"].startswith("ring")]
    assert any(f"{said['explained']['ring']} operations in an io_uring" in complaint for complaint in said["complaints"])


@needs_strace
def test_a_close_that_nobody_recorded_is_not_laid_at_the_collectors_door(tmp_path: Path) -> None:
    (tmp_path / "closes.py").write_text(
        "import ctypes, os, socket\nclose = ctypes.CDLL(None).close\na, b = socket.socketpair()\nb.send(b'x')\na.recv(1)\n"
        "close(a.fileno())\nc, d = socket.socketpair()\nd.send(b'x')\nc.recv(1)\na.detach()\nos.close(c.detach())\nb.close()\nd.close()\n")
    said = verified("--keep", "kept", "closes.py", folder=tmp_path)
    (found,) = said["listed"]  # the number was taken again, and the trace says so
    assert (found["kind"], found["strace"].partition("(")[0].split()[-1]) == ("not recorded", "close")
    closed = "SELECT c.id FROM calls c JOIN operations o ON o.id = c.operation_id WHERE o.name = 'close' ORDER BY c.id LIMIT 1"
    assert _kinds(_planted(tmp_path / "kept", tmp_path / "lost.db", f"DELETE FROM calls WHERE id = ({closed})")) == ["not recorded"] * 2


@needs_strace
def test_a_call_past_the_recorder_is_a_difference_with_its_line_of_strace(tmp_path: Path) -> None:
    (tmp_path / "past.py").write_text(f"{PAST}send(a.fileno(), b'hello', 5, 0)\nb.recv(9)\na.close()\nb.close()\n")
    said = verified("past.py", folder=tmp_path)
    (found,) = said["listed"]
    assert (said["status"], found["kind"], found["operation"]) == (1, "not recorded", None)
    assert "sendto(" in found["strace"] and found["strace"].endswith("= 5") and found["thread"] and found["at_ns"] > 0


@needs_strace
def test_the_screen_shows_the_table_the_list_and_the_score(tmp_path: Path) -> None:
    (tmp_path / "past.py").write_text(f"{PAST}for _ in range(3): send(a.fileno(), b'hello', 5, 0)\nb.recv(9)\n")
    done = verify("--max-differences", "2", "past.py", "--for", "me", folder=tmp_path)
    assert done.returncode == 1
    assert "past.py --for me: 1 call recorded, 6 made" in done.stdout
    assert done.stdout.count("made, not recorded") == 2 and "and 1 more: --max-differences 3 lists all" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("fidelity ")


def test_without_strace_one_line_says_so_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "started.py").write_text("open('started', 'w')\n")
    done = verify("--python", sys.executable, "started.py", folder=tmp_path, env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 2)
    assert "sockreel: verify needs strace, which is not installed" in done.stderr
    assert not (tmp_path / "started").exists()


def test_where_tracing_is_forbidden_one_line_says_so_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "started.py").write_text("open('started', 'w')\n")
    fake = tmp_path / "strace"
    fake.write_text("#!/bin/sh\necho 'strace: ptrace(PTRACE_SEIZE, 7): Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    done = verify("--python", sys.executable, "started.py", folder=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert (done.returncode, done.stdout) == (1, "")
    assert "may not trace here (strace: ptrace(PTRACE_SEIZE, 7): Operation not permitted)" in done.stderr
    assert not (tmp_path / "started").exists()


def test_both_accounts_are_kept_nowhere_that_they_would_overwrite(tmp_path: Path) -> None:
    (tmp_path / "strace.txt").write_text("mine")
    done = verify("--keep", ".", "--python", sys.executable, "x.py", folder=tmp_path)
    assert done.returncode != 0 and (tmp_path / "strace.txt").read_text() == "mine"


# Planted in what was recorded of a server.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both accounts of the threaded echo under a lecture, in a folder."""
    folder = tmp_path_factory.mktemp("accounts")
    done = verify("-q", "--keep", folder / "kept", "--python", sys.executable, *SERVE, PROGRAMS / "echo_threaded.py", "127.0.0.1", "0",
                  folder=folder)  # fmt: skip
    assert done.returncode == 0, done
    return folder / "kept"


def _ids(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / "trace.db")) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM calls ORDER BY id")]


def _planted(folder: Path, copy: Path, *statements: str) -> Verdict:
    """Change a copy of the trace, and compare it with strace's account, which stays."""
    shutil.copy(folder / "trace.db", copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount == 1
    with open_trace(copy) as trace:
        return compare_witnesses(trace, trace.find_run(None), folder / "strace.txt")


def _kinds(verdict: Verdict) -> list[str]:
    return [difference.kind for difference in verdict.differences]


@needs_strace
def test_every_call_of_a_server_is_missed_when_it_is_lost(server: Path, tmp_path: Path) -> None:
    ids = _ids(server)
    assert len(ids) > 20
    for id_ in ids:
        verdict = _planted(server, tmp_path / "lost.db", f"DELETE FROM calls WHERE id = {id_}")
        assert _kinds(verdict) == ["not recorded"], id_
        assert fidelity_text(verdict) != "100.00 %"


@needs_strace
def test_every_call_of_a_server_is_found_when_it_is_doubled(server: Path, tmp_path: Path) -> None:
    names = ("run_id, thread_id, socket_id, operation_id, outcome_id, started_ns, duration_ns, asked, result, errno, flags, timeout_ns,"
             " peer_id, parent_id, site_id, ready_ns, ready_source")  # fmt: skip
    for id_ in _ids(server):
        verdict = _planted(server, tmp_path / "doubled.db", f"INSERT INTO calls ({names}) SELECT {names} FROM calls WHERE id = {id_}")
        assert _kinds(verdict) == ["not made"], id_


@needs_strace
def test_every_call_of_a_server_is_found_when_its_result_is_changed(server: Path, tmp_path: Path) -> None:
    for id_ in _ids(server):
        # 5: EIO; 14: error.
        verdict = _planted(server, tmp_path / "changed.db", f"UPDATE calls SET errno = 5, outcome_id = 14, result = NULL WHERE id = {id_}")
        assert _kinds(verdict) == ["changed"], id_
        assert verdict.differences[0].recorded is not None and verdict.differences[0].recorded.id == id_
