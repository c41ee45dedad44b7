"""Plays workloads against servers that a test scripts, and starts the teaching servers.

Owns no test. Servers here are threads with real sockets: what each connection saw is kept, and
leaving `listening` waits for all of them, so a test needs no sleep.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder import servers
from sockreel.recorder.models import SERVERS as MODELS
from sockreel.recorder.workloads.crowd import Crowd, Exchange
from sockreel.recorder.workloads.workload import Workload, load_workload

PATIENCE_S = 60.0
SERVERS = Path(servers.__file__).parent

Handler = Callable[[socket.socket], object]


def workload(folder: Path, text: str) -> Workload:
    """Return the workload written in `text`."""
    path = folder / "test.toml"
    path.write_text(text)
    return load_workload(str(path))


def collect(crowd: Crowd) -> list[Exchange]:
    """Wait till a crowd is finished; return all its exchanges in the order of clients and numbers."""
    rows: list[Exchange] = []
    while not crowd.finished:
        assert select.select([crowd], [], [], PATIENCE_S)[0], "the clients fell silent"
        rows += crowd.poll()
    return sorted(rows + crowd.poll(), key=lambda row: (row.client, row.n))


def results(rows: list[Exchange]) -> list[tuple[str, int, str]]:
    """Return client, number and result of each exchange."""
    return [(row.client, row.n, row.result) for row in rows]


@dataclass
class Listening:
    """A server of threads: its address as a trace writes it, and what each connection's handler returned."""

    family: str
    address: str
    saw: list[Any] = field(default_factory=list)


def address_text(listener: socket.socket) -> str:
    """Return a listener's address as a trace writes it."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return "unix:" + (name if isinstance(name, str) else "@" + name[1:].decode())
    return f"[{name[0]}]:{name[1]}" if listener.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"


@contextlib.contextmanager
def listening(
    handler: Handler, family: socket.AddressFamily = socket.AF_INET, address: Any = ("127.0.0.1", 0), clients: int = 1
) -> Iterator[Listening]:
    """Serve `clients` connections, each by `handler` in a thread of its own."""
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen(128)
        listener.settimeout(PATIENCE_S)
        server = Listening(family.name, address_text(listener))
        failures: list[BaseException] = []

        def serve(conn: socket.socket) -> None:
            with conn:
                conn.settimeout(PATIENCE_S)
                try:
                    server.saw.append(handler(conn))
                except BaseException as error:
                    failures.append(error)

        def accept() -> None:
            threads = []
            for _ in range(clients):
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()
            for thread in threads:
                thread.join()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        yield server
        acceptor.join()
        assert failures == []


def play(folder: Path, text: str, server: Listening) -> list[Exchange]:
    """Play a workload against a server; it must go without complaint."""
    with Crowd(workload(folder, text)) as crowd:
        crowd.connect(server.family, server.address)
        rows = collect(crowd)
    assert crowd.error is None
    return rows


def upper(conn: socket.socket) -> bytes:
    """Answer in upper case till the client leaves; return all it said."""
    said = b""
    while data := conn.recv(65536):
        said += data
        conn.sendall(data.upper())
    return said


def interpreter(version: str) -> str:
    """Return a Python of that version, or skip the test."""
    if version == "this":
        return sys.executable
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [*map(str, sorted(root.glob(f"{version}.*/bin/python"))), shutil.which(f"python{version}")]
    for path in found:
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    pytest.skip(f"there is no Python {version} here")


@contextlib.contextmanager
def teaching(name: str, *arguments: str, python: str = sys.executable) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """Run a teaching server, named with its flags; its process, and the host and port of its first line."""
    name, *flags = name.split()
    command = [python, str(MODELS[name].script), *(arguments or ("127.0.0.1", "0")), *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        try:
            *_, host, port = process.stdout.readline().split()
            yield process, (host, int(port))
        finally:
            process.kill()
