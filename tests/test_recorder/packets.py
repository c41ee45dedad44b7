"""How tests capture packets: with our own rights, else in a network of our own, else not at all.

Owns that choice, and tshark's view of a file.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from sockreel.tests.test_recorder.recording import PATIENCE_S


@lru_cache(maxsize=1)
def may_capture() -> bool:
    """Say whether this process may open packet sockets."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except OSError:
        return False
    return True


@lru_cache(maxsize=1)
def may_isolate() -> bool:
    """Say whether this process may have a network of its own."""
    ask = "from sockreel.recorder.launching.isolation import enter; enter()"
    return subprocess.run([sys.executable, "-c", ask], capture_output=True, timeout=PATIENCE_S).returncode == 0


def packet_options() -> list[str]:
    """Return the options with which packets are captured here; skip the test where that is forbidden."""
    if may_capture():
        return ["--packets"]
    if may_isolate():
        return ["--packets", "--isolate"]
    pytest.skip("neither packet sockets nor namespaces are allowed here")


def tshark(path: Path, *fields: str, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return fields of every packet as tshark reads them, lists of values each; skip the test where there is no tshark."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    wanted = [word for field in fields for word in ("-e", field)]
    done = subprocess.run([program, "-r", str(path), "-T", "json", *options, *wanted], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if line and "Running as user" not in line]
    assert complaints == []
    return [packet["_source"].get("layers", {}) for packet in json.loads(done.stdout)]


def malformed(path: Path) -> list[Any]:
    """Return the packets that tshark finds malformed."""
    return tshark(path, "frame.number", options=("-Y", "_ws.malformed"))
