"""`sockreel explain` of a program that ended by an exception: after which call, and what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sockreel.tests.commandline import CommandLine

TWO = "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
PAIR = "import socket\na, b = socket.socketpair()\n"
FAILING = {
    "a port in use": (TWO + "t = socket.socket()\nt.bind(s.getsockname())\n", "bind", 4, "ss -ltnp"),
    "an accept without listen": ("import socket\ns = socket.socket()\ns.accept()\n", "accept", 3, "Call bind and then listen"),
    "a receive on the listener": (TWO + "s.recv(10)\n", "recv", 3, "the socket that accept returned"),
    "nobody there yet": (TWO + "s.setblocking(False)\ns.accept()\n", "accept", 4, "Catch BlockingIOError"),
    "a peer that has left": (PAIR + "b.close()\nwith a:\n    a.send(b'x')\n", "send", 5, "except OSError"),
    "nobody who listens": (TWO + "name = s.getsockname()\ns.close()\nc = socket.socket()\nc.connect(name)\n", "connect", 6,
                           "Start the server first"),
    "a time that was up": (PAIR + "a.settimeout(0.01)\na.recv(1)\n", "recv", 4, "Catch TimeoutError"),
}


def explained(sockreel: CommandLine, folder: Path, text: str) -> tuple[dict[str, Any] | None, int]:
    """Record a program; return what `ended-by-error` found, and its exit status."""
    (folder / "server.py").write_text(text)
    done = subprocess.run([sys.executable, "-m", "sockreel", "record", "-q", "-o", "t.db", "--python", sys.executable, "server.py"],
                          capture_output=True, text=True, check=False, cwd=folder)
    findings = sockreel("explain", folder / "t.db", "--json").json["findings"]
    return next((finding for finding in findings if finding["rule"] == "ended-by-error"), None), done.returncode


@pytest.mark.parametrize("case", FAILING)
def test_the_failed_call_that_ended_a_program_is_named_with_what_to_do(case: str, tmp_path: Path, sockreel: CommandLine) -> None:
    text, operation, line, advice = FAILING[case]
    finding, status = explained(sockreel, tmp_path, text)
    assert status == 1
    assert finding is not None
    assert finding["title"] == f"The program ended after {operation} had failed"
    assert finding["site"]["line"] == line
    assert advice in finding["advice"]
    shown = sockreel("explain", tmp_path / "t.db").out
    assert "clean bill" not in shown
    assert "there is nothing to judge" not in shown
    assert "失败之后结束" in sockreel("explain", tmp_path / "t.db", "--lang", "zh").out


@pytest.mark.parametrize("fails_before", [False, True])
def test_a_program_that_ended_outside_of_socket_calls_is_told_as_that(fails_before: bool, tmp_path: Path, sockreel: CommandLine) -> None:
    looking = "a.setblocking(False)\nfor _ in range(3):\n    try:\n        a.recv(1)\n    except BlockingIOError:\n        pass\n"
    finding, status = explained(sockreel, tmp_path, PAIR + (looking if fails_before else "a.send(b'zwei')\n") + "int('zwei')\n")
    assert status == 1
    assert finding is not None
    assert finding["title"] == "The program ended by itself, with status 1"
    assert f"was {'recv' if fails_before else 'send'} on fd" in finding["seen"]


@pytest.mark.parametrize("end", ["", "import sys; sys.exit(3)\n"])
def test_a_program_that_catches_what_failed_is_left_alone(end: str, tmp_path: Path, sockreel: CommandLine) -> None:
    finding, status = explained(sockreel, tmp_path, TWO + "try:\n    s.recv(1)\nexcept OSError:\n    pass\n" + end)
    assert (finding, status) == (None, 3 if end else 0)
