"""The model that commands name is the one that real servers follow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine

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
