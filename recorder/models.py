"""The teaching servers, and how to run several of them under one workload.

Owns the list of models and the order in which they are shown. Knows sessions, not pictures.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import SockreelError
from .launching.launch import Command
from .session import Result, Settings, record
from .workloads.workload import Workload

_FOLDER = Path(__file__).parent / "servers"
_PROBE_S = 10.0


class ModelError(SockreelError):
    """A model that is not there: wrong use."""

    exit_status = 2


@dataclass(frozen=True)
class Server:
    """One teaching server.

    Args:
        name: of the server, and the label of its run.
        model: one of the five I/O models.
        says: what it does, in a few words.
        file: its script, where that is not named like it.
        probe: a script beside it that fails where this machine cannot run the server.
    """

    name: str
    model: str
    says: str
    file: str | None = None
    probe: str | None = None

    @property
    def script(self) -> Path:
        """Where it is."""
        return _FOLDER / f"{self.file or self.name}.py"


SERVERS = {
    server.name: server
    for server in (
        Server("blocking", "blocking", "waits in every call, one client at a time"),
        Server("blocking_threads", "blocking", "waits in every call, a thread for each client"),
        Server("nonblocking", "nonblocking", "never waits, asks every socket in turn"),
        Server("nonblocking_sleep", "nonblocking", "never waits in a call, sleeps when nobody knocks"),
        # A script's folder comes first in its search path: select.py would stand in for the module it needs.
        Server("select", "multiplexing", "waits for all in select", file="multiplexing_select"),
        Server("poll", "multiplexing", "waits for all in poll", file="multiplexing_poll"),
        Server("epoll_level", "multiplexing", "waits for all in epoll, told while something is there"),
        Server("epoll_edge", "multiplexing", "waits for all in epoll, told once of each change"),
        Server("asyncio_streams", "multiplexing", "looks asynchronous, waits for all in epoll"),
        Server("signal_driven", "signal-driven", "does something else till SIGIO says that something came"),
        Server("io_uring", "asynchronous", "asks for whole operations, is told when they are done", probe="ring"),
    )
}


def why_not(server: Server) -> str | None:
    """Return why this machine cannot run a server; None where it can. Tried in a process of its own, which may crash."""
    if server.probe is None:
        return None
    try:
        probe = [sys.executable, str(_FOLDER / f"{server.probe}.py")]
        tried = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PROBE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if tried.returncode == 0:
        return None
    lines = tried.stderr.strip().splitlines()
    return lines[-1] if lines else f"trying it ended with status {tried.returncode}"


def choose(names: str | None) -> tuple[Server, ...]:
    """Return the servers of a comma-separated list, all of them for None.

    Raises:
        ModelError: one is not known.
    """
    if names is None:
        return tuple(SERVERS.values())
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in SERVERS:
            raise ModelError(f"there is no model {name}; there are {', '.join(SERVERS)}")
    if not wanted:
        raise ModelError(f"--models names none; there are {', '.join(SERVERS)}")
    return tuple(SERVERS[name] for name in dict.fromkeys(wanted))


def able(servers: Sequence[Server], say: Callable[[str], None]) -> tuple[Server, ...]:
    """Return the servers that this machine can run; of each other one, say why not.

    Raises:
        ModelError: it can run none of them.
    """
    reasons = {server.name: why_not(server) for server in servers}
    for name, reason in reasons.items():
        if reason is not None:
            say(f"{name} is left out: {reason}")
    left = tuple(server for server in servers if reasons[server.name] is None)
    if not left:
        raise ModelError(f"this machine can run none of them ({'; '.join(filter(None, reasons.values()))})")
    return left


def run_lab(servers: Sequence[Server], workload: Workload, base: Settings, say: Callable[[str], None]) -> Iterator[tuple[Server, Result]]:
    """Record servers one after the other under the same workload, into one trace.

    Args:
        servers: which.
        workload: what their clients do.
        base: output, existing and what else all runs share.
        say: takes lines for the user.

    Yields:
        Each server and how its run ended.
    """
    existing = base.existing
    for server in servers:
        settings = replace(base, existing=existing, label=server.name, model=server.model, workload=workload, silent=True)
        command = Command((sys.executable, str(server.script), "127.0.0.1", "0"), server.name)
        yield server, record(command, settings, say)
        existing = "append"
