"""`make judge`: real programs run unharmed under the recorder, and their traces say what really passed.

Owns the programs, how each is driven, and what its trace must hold: every connection with its bytes to the byte, as a
forwarder between client and server counted them, every request, and no call lost. `python -m
sockreel.tests.judges.frameworks`.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import importlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .proxy import PATIENCE_S, Passed, Proxy

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "programs"
SOCKREEL = (sys.executable, "-m", "sockreel")
_ADDRESS = re.compile(rb"127\.0\.0\.1:(\d+)")
# What is asked of every server: path, body, whether the connection may be used again.
_ASKED = [("/hello", b"", False), ("/echo", b"x" * 10_000, False), ("/large", b"", False)] + [("/hello", b"", True)] * 3


class Absent(Exception):
    """What a program needs is not here."""


@dataclass(frozen=True)
class Program:
    """A program to judge.

    Args:
        title: for people.
        kind: server: asked over HTTP; client: given a server's URL; redis: given a Redis; own: both ends in one process.
        arguments: of Python.
        package: that it needs; "": the standard library.
    """

    title: str
    kind: str
    arguments: tuple[str, ...]
    package: str = ""


_GUNICORN = ("-m", "gunicorn", "-b", "127.0.0.1:0", "-w", "2", "--worker-tmp-dir", "/tmp", "--no-control-socket")
_UVICORN = ("-m", "uvicorn", "--loop", "asyncio", "--port", "0", "--no-access-log", "asgi_app:app")
TABLE = {
    "http.server": Program("http.server", "server", ("http_server.py", "one")),
    "http.server-threads": Program("http.server, a thread each", "server", ("http_server.py", "threads")),
    "wsgiref": Program("wsgiref", "server", ("wsgiref_server.py",)),
    "asyncio-streams": Program("asyncio streams", "server", ("streams_server.py",)),
    "aiohttp": Program("aiohttp", "server", ("aiohttp_server.py",), "aiohttp"),
    "tornado": Program("tornado", "server", ("tornado_server.py",), "tornado"),
    "twisted": Program("twisted", "server", ("twisted_server.py",), "twisted"),
    "werkzeug": Program("werkzeug", "server", ("werkzeug_server.py",), "werkzeug"),
    "gunicorn-sync": Program("gunicorn, sync", "server", (*_GUNICORN, "wsgi_app:app"), "gunicorn"),
    "gunicorn-gthread": Program("gunicorn, gthread", "server", (*_GUNICORN, "-k", "gthread", "--threads", "4", "wsgi_app:app"), "gunicorn"),
    "uvicorn": Program("uvicorn on asyncio", "server", _UVICORN, "uvicorn"),
    "requests": Program("requests, client", "client", ("requests_client.py",), "requests"),
    "httpx": Program("httpx, client", "client", ("httpx_client.py", "at once"), "httpx"),
    "httpx-async": Program("httpx, asynchronous client", "client", ("httpx_client.py", "async"), "httpx"),
    "aiohttp-client": Program("aiohttp, client", "client", ("aiohttp_client.py",), "aiohttp"),
    "tornado-client": Program("tornado, client", "client", ("tornado_client.py",), "tornado"),
    "twisted-client": Program("twisted, client", "client", ("twisted_client.py",), "twisted"),
    "redis": Program("redis-py", "redis", ("redis_client.py", "at once"), "redis"),
    "redis-async": Program("redis-py on asyncio", "redis", ("redis_client.py", "async"), "redis"),
    "aiohttp-own": Program("aiohttp, its own test client and server", "own", ("aiohttp_own.py",), "aiohttp"),
    "tornado-own": Program("tornado, its own test case", "own", ("tornado_own.py",), "tornado"),
}


@dataclass(frozen=True)
class Played:
    """How one run of a program went.

    Args:
        said: what it answered (a server) or printed (all others).
        status: its exit status.
        passed: bytes per connection, as the forwarder counted them.
        asked: requests that were made of it.
    """

    said: Any
    status: int
    passed: tuple[Passed, ...]
    asked: int


def needs(program: Program) -> str:
    """Return the version of what a program needs.

    Raises:
        Absent: it is not installed.
    """
    if program.kind == "redis" and not shutil.which("redis-server"):
        raise Absent("there is no redis-server here")
    if not program.package:
        return "Python {}.{}.{}".format(*sys.version_info[:3])
    try:
        return importlib.metadata.version(program.package)
    except importlib.metadata.PackageNotFoundError:
        raise Absent(f"{program.package} is not installed") from None


def play(program: Program, folder: Path, recorder: Sequence[str] = ()) -> Played:
    """Run a program once, bare or recorded, and drive it.

    Args:
        program: which.
        folder: for what it prints.
        recorder: the beginning of a `sockreel record`; none: bare.
    """
    here = {"server": _play_server, "client": _play_client, "redis": _play_redis, "own": _play_own}
    script = [str(PROGRAMS / part) if part.endswith(".py") else part for part in program.arguments]
    command = [*recorder, "--", sys.executable, *script] if recorder else [sys.executable, *script]
    return here[program.kind](command, folder)


@contextlib.contextmanager
def _running(command: list[str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a server that prints its address; give its process and port. At the end it is asked to end by SIGTERM."""
    env = {**os.environ, "PYTHONPATH": str(PROGRAMS), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if found := _ADDRESS.search(line):
                    break
            else:
                raise AssertionError(b"".join(lines).decode(errors="replace"))
            drain = threading.Thread(target=process.stdout.read, daemon=True)  # a log nobody reads would stop it
            drain.start()
            yield process, int(found[1])
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _play_server(command: list[str], folder: Path) -> Played:
    with contextlib.ExitStack() as stack:
        process, port = stack.enter_context(_running(command, folder))
        proxy = stack.enter_context(Proxy(("127.0.0.1", port)))
        said = _ask(proxy.port)
        proxy.settle()
    return Played(said, process.returncode, tuple(proxy.passed), len(_ASKED))


def _ask(port: int) -> list[list[Any]]:
    """Ask a server all of _ASKED, and return status and digest of each answer."""
    said = []
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    for path, body, again in _ASKED:
        connection = kept if again else http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("POST" if body else "GET", path, body or None, {} if again else {"Connection": "close"})
        answer = connection.getresponse()
        said.append([answer.status, hashlib.sha256(answer.read()).hexdigest()])
        if not again:
            connection.close()
    kept.close()
    return said


def _run(command: list[str], folder: Path) -> tuple[Any, int]:
    env = {**os.environ, "PYTHONPATH": str(PROGRAMS)}
    done = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S * 2)
    try:
        return json.loads(done.stdout.splitlines()[-1]), done.returncode
    except (IndexError, ValueError):
        return done.stderr.decode(errors="replace"), done.returncode


def _play_client(command: list[str], folder: Path) -> Played:
    sys.path.insert(0, str(PROGRAMS))
    try:
        handler = importlib.import_module("http_server_handler").Handler
    finally:
        sys.path.remove(str(PROGRAMS))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, Proxy(("127.0.0.1", server.server_port)) as proxy:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            said, status = _run(_with_url(command, proxy.port), folder)
            proxy.settle()
        finally:
            server.shutdown()
            serving.join()
    return Played(said, status, tuple(proxy.passed), len(said))


def _with_url(command: list[str], port: int) -> list[str]:
    """Put the URL behind the script's name: it is the first argument of every client."""
    at = next(at for at, word in enumerate(command) if word.startswith(str(PROGRAMS)))
    return [*command[: at + 1], f"http://127.0.0.1:{port}", *command[at + 1 :]]


def _play_redis(command: list[str], folder: Path) -> Played:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    redis = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no", "--dir", str(folder)]
    with subprocess.Popen(redis, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            assert any(b"Ready to accept connections" in line for line in process.stdout), "the Redis server did not start"
            with Proxy(("127.0.0.1", port)) as proxy:
                said, status = _run(_with_url(command, proxy.port), folder)
                proxy.settle()
        finally:
            process.terminate()
    return Played(said, status, tuple(proxy.passed), len(said))


def _play_own(command: list[str], folder: Path) -> Played:
    said, status = _run(command, folder)
    return Played(said, status, (), 0)


@dataclass(frozen=True)
class Found:
    """What the trace of a program holds.

    Args:
        calls, lost: recorded, and not.
        processes: recorded ones.
        accepted, connected: (received, sent) of each connection, sorted.
        requests: of the view of that name, on accepted connections.
        operations: operation -> calls that moved something or succeeded.
        closed_by: how its connections were closed -> how many.
        blind_spots: of the run.
        flaws: what `sockreel check` found.
    """

    calls: int
    lost: int
    processes: int
    accepted: tuple[tuple[int, int], ...]
    connected: tuple[tuple[int, int], ...]
    requests: int
    operations: dict[str, int]
    closed_by: dict[str, int]
    blind_spots: tuple[str, ...]
    flaws: str


def look(trace: Path) -> Found:
    """Return what a trace holds."""
    checked = subprocess.run([*SOCKREEL, "check", str(trace)], capture_output=True, text=True)
    with contextlib.closing(sqlite3.connect(trace)) as base:
        calls, lost, blind_spots = base.execute("SELECT calls_recorded, coalesce(calls_lost, 0), blind_spots FROM runs").fetchone()
        moved = (
            "SELECT coalesce(received_bytes, 0), coalesce(sent_bytes, 0) FROM connections"
            " WHERE role = ? AND coalesce(peer, '') NOT LIKE 'unix%' ORDER BY 1, 2"
        )
        of_accepted = "FROM requests q JOIN sockets s ON s.id = q.socket_id WHERE s.role = 'accepted'"
        operations = "SELECT o.name, count(*) FROM calls c JOIN operations o ON o.id = c.operation_id GROUP BY 1 ORDER BY 2 DESC, 1"
        closed_by = "SELECT closed_by, count(*) FROM sockets WHERE role IN ('accepted', 'connected') GROUP BY 1 ORDER BY 2 DESC, 1"
        return Found(
            calls, lost, base.execute("SELECT count(*) FROM processes WHERE recorded").fetchone()[0],
            tuple(base.execute(moved, ("accepted",))), tuple(base.execute(moved, ("connected",))),
            base.execute(f"SELECT count(*) {of_accepted}").fetchone()[0],
            dict(base.execute(operations).fetchall()), dict(base.execute(closed_by).fetchall()),
            tuple(json.loads(blind_spots or "[]")), "" if checked.returncode == 0 else checked.stdout.strip(),
        )  # fmt: skip


def wrong(program: Program, bare: Played, recorded: Played, found: Found) -> list[str]:
    """Return what is not as it should be: the program was harmed, or its trace is not what happened."""
    lines = []
    if recorded.said != bare.said:
        lines.append(f"it answers otherwise: bare {bare.said}, recorded {recorded.said}")
    if recorded.status != (128 - bare.status if bare.status < 0 else bare.status):
        lines.append(f"it ends otherwise: bare {bare.status}, recorded {recorded.status}")
    counted = sorted((one.to_target, one.from_target) for one in recorded.passed)
    if program.kind == "server":
        if sorted(found.accepted) != counted:
            lines.append(f"bytes received and sent by connection: {sorted(found.accepted)}, counted {counted}")
        if found.requests != recorded.asked:
            lines.append(f"{found.requests} requests, asked {recorded.asked}")
    elif program.kind == "own":
        if not found.accepted or sorted(found.accepted) != sorted((received, sent) for sent, received in found.connected):
            lines.append(f"the two ends differ: {found.accepted}, {found.connected}")
    elif sorted((sent, received) for received, sent in found.connected) != counted:
        lines.append(f"bytes received and sent by connection: {sorted(found.connected)}, counted {counted}")
    if found.lost:
        lines.append(f"{found.lost} calls are lost")
    return lines + ([f"sockreel check: {found.flaws}"] if found.flaws else [])


def judge(program: Program, core: str, bare: Played, folder: Path) -> tuple[Found, list[str]]:
    """Play a program under the recorder; return what its trace holds and what is wrong.

    Args:
        program: which.
        core: c or python.
        bare: how it went without us.
        folder: for the trace.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trace = folder / f"{core}.db"
    recorded = play(program, folder, [*SOCKREEL, "record", "-q", "-f", "-o", str(trace), "--core", core])
    if not trace.exists():
        raise AssertionError(f"there is no trace: {recorded.said}")
    found = look(trace)
    return found, wrong(program, bare, recorded, found)


def judge_all(say: Any) -> dict[str, Any]:
    """Judge every program under both cores; return what was found, for the page."""
    results: dict[str, Any] = {}
    for name, program in TABLE.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                version = needs(program)
            except Absent as absent:
                say(f"{program.title}: skipped: {absent}")
                results[name] = {"absent": str(absent)}
                continue
            bare = play(program, Path(folder))
            kept = results[name] = {"absent": "", "version": version, "asked": bare.asked, "connections": len(bare.passed), "cores": {}}
            for core in ("c", "python"):
                found, lines = judge(program, core, bare, Path(folder))
                kept["cores"][core] = {**found.__dict__, "wrong": lines}
                say(f"{program.title}, {core} core: {found.calls} calls, {'; '.join(lines) or 'right'}")
    return results


def main() -> None:
    """Judge all, write docs/frameworks.json and its page, and say with the exit status whether all is right."""
    from .frameworks_report import page

    found = json.loads(json.dumps(judge_all(print)))
    (ROOT / "docs" / "frameworks.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (ROOT / "docs" / "frameworks.md").write_text(page(found), encoding="utf-8")
    sys.exit(any(kept["wrong"] for one in found.values() for kept in one.get("cores", {}).values()))


if __name__ == "__main__":
    main()
