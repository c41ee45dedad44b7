"""The model that commands name is the one that real servers follow."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder.models import SERVERS, why_not
from sockreel.tests.commandline import CommandLine

FRAMEWORKS = Path(__file__).resolve().parents[1] / "judges" / "programs"
HTTP = """
limit = "20s"
[[clients]]
name = "ada"
count = 3
timeout = "4s"
say = [{ text = "GET /hello HTTP/1.0\\r\\n\\r\\n" }]
"""

SOCKETSERVER = """
import socketserver, sys
class Shout(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())
with getattr(socketserver, sys.argv[1])(("127.0.0.1", 0), Shout) as server:
    server.serve_forever()
"""
STREAMS = """
import asyncio
async def shout(reader, writer):
    while data := await reader.read(100):
        writer.write(data.upper())
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("program", "argument", "name"),
    [(SOCKETSERVER, "TCPServer", "blocking (one connection at a time)"),
     (SOCKETSERVER, "ThreadingTCPServer", "blocking (a thread per connection)"),
     (SOCKETSERVER, "ForkingTCPServer", "blocking (a process per connection)"), (STREAMS, "", "epoll, level-triggered")],
    ids=["TCPServer", "ThreadingTCPServer", "ForkingTCPServer", "asyncio"])
def test_servers_that_nobody_wrote_for_us_are_named_rightly(
    program: str, argument: str, name: str, tmp_path: Path, sockreel: CommandLine,
) -> None:
    (tmp_path / "server.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "sockreel", "record", "-q", "-o", "t.db", "--workload", "lecture", "server.py", argument],
        cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (tmp_path / "t.db").exists(), done.stderr
    model = sockreel("stats", tmp_path / "t.db", "--json").json["model"]
    assert name in model["name"]
    assert sockreel("show", tmp_path / "t.db", "--json").json["model"] == model
    assert model["posix"] == "synchronous"
    assert model["proof"]
    for command in ("show", "stats"):
        assert model["popular"] in sockreel(command, tmp_path / "t.db").out.replace("\n  ", " ").replace("  ", "")


NAMES = {
    "blocking": "blocking (one connection at a time)", "blocking_threads": "blocking (a thread per connection)",
    "nonblocking": "nonblocking (polling)", "nonblocking_sleep": "nonblocking (polling with sleeps)",
    "select": "multiplexing (select)", "poll": "multiplexing (poll)", "epoll_level": "multiplexing (epoll, level-triggered)",
    "epoll_edge": "multiplexing (epoll, edge-triggered)", "asyncio_streams": "multiplexing (asyncio: epoll, level-triggered)",
    "signal_driven": "signal-driven (SIGIO)", "io_uring": "asynchronous (io_uring)",
}


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_each_teaching_server_is_named_by_its_calls(server: str, tmp_path: Path, sockreel: CommandLine) -> None:
    reason = why_not(SERVERS[server])
    if reason is not None:
        pytest.skip(f"{server} cannot run here: {reason}")
    model = named(tmp_path, sockreel, "lecture", str(SERVERS[server].script), "127.0.0.1", "0")
    assert model["name"] == NAMES[server]
    assert model["model"] == SERVERS[server].model
    assert model["posix"] == ("asynchronous" if server == "io_uring" else "synchronous")


ASYNCIO = "multiplexing (asyncio: epoll, level-triggered)"
GUNICORN = ("-m", "gunicorn", "-b", "127.0.0.1:0", "--worker-tmp-dir", "/tmp", "wsgi_app:app")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "command", "name"),
    [("http", ("http_server.py", "one"), "blocking (one connection at a time)"),
     ("http", ("http_server.py", "threads"), "blocking (a thread per connection)"),
     ("wsgiref", ("wsgiref_server.py",), "blocking (one connection at a time)"),
     ("aiohttp", ("aiohttp_server.py",), ASYNCIO), ("tornado", ("tornado_server.py",), ASYNCIO),
     ("gunicorn", GUNICORN, "blocking (one connection at a time)")],
    ids=["http.server", "http.server-threads", "wsgiref", "aiohttp", "tornado", "gunicorn-sync"])
def test_frameworks_are_named_by_what_they_do_below(
    package: str, command: tuple[str, ...], name: str, tmp_path: Path, sockreel: CommandLine,
) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (extra `frameworks`)")
    (tmp_path / "http.toml").write_text(HTTP)
    model = named(tmp_path, sockreel, str(tmp_path / "http.toml"), *command, cwd=FRAMEWORKS)
    assert model["name"] == name
    assert model["proof"]


def named(folder: Path, sockreel: CommandLine, workload: str, *command: str, cwd: Path | None = None) -> dict[str, Any]:
    """Record a server under a workload, and return the model that it is seen to follow."""
    done = subprocess.run(
        [sys.executable, "-m", "sockreel", "record", "-q", "-o", str(folder / "t.db"), "--python", sys.executable,
         "--workload", workload, *command],
        cwd=cwd or folder, capture_output=True, text=True, check=False)
    assert (folder / "t.db").exists(), done.stderr
    return dict(sockreel("stats", folder / "t.db", "--json").json["model"])
