"""What a process says of itself at the head of its tape.

Owns the reading of heads. Knows the layout (agent/layout.py), not what stands on the tape.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..agent import layout
from .found import TAPE_NAME, read_found

_MOST_TEXT_BYTES = 16 << 20  # a command line has no more than a part of it
_FARTHEST_NS = 1 << 62  # CLOCK_REALTIME in the year 2116


@dataclass(frozen=True)
class Head:
    """What a process says of itself (see layout). Times: CLOCK_MONOTONIC and CLOCK_REALTIME in ns; cost_ns 0: not measured."""

    name: str
    pid: int
    parent_pid: int
    started_ns: int
    realtime_ns: int
    cost_ns: int
    forked: bool
    parent_tape: str
    python: str
    implementation: str
    core: str
    core_reason: str
    executable: str
    directory: str
    command: tuple[str, ...]


def read_head(path: Path) -> Head:
    """Read the head of a tape.

    Raises:
        ValueError: not a head, or of another version.
        OSError: it cannot be read.
    """
    content = read_found(path, layout.HEAD_BYTES + _MOST_TEXT_BYTES)
    is_named = path.name.endswith(".head") and TAPE_NAME.fullmatch(path.name.removesuffix(".head"))
    if not is_named or len(content) < layout.HEAD_BYTES or not content.startswith(layout.MAGIC):
        raise ValueError(f"{path} is no tape")
    _, version, pid, parent_pid, text_bytes, started_ns, realtime_ns, cost_ns, _, _, forked, _, _ = layout.HEAD.unpack_from(content)
    if version != layout.VERSION:
        raise ValueError(f"{path} is a tape of version {version}, not {layout.VERSION}")
    if not all(0 <= moment < _FARTHEST_NS for moment in (8 * started_ns, realtime_ns, cost_ns)):
        raise ValueError(f"{path} tells of no time of this world")
    raw = content[layout.HEAD_BYTES : layout.HEAD_BYTES + text_bytes].split(b"\0")[:-1]
    text = [part.decode("utf-8", "surrogateescape") for part in raw]
    parent_tape, python, implementation, core, core_reason, executable, directory, *command = text
    return Head(
        name=path.name.removesuffix(".head"),
        pid=pid,
        parent_pid=parent_pid,
        started_ns=started_ns,
        realtime_ns=realtime_ns,
        cost_ns=cost_ns,
        forked=bool(forked),
        parent_tape=parent_tape,
        python=python,
        implementation=implementation,
        core=core,
        core_reason=core_reason,
        executable=executable,
        directory=directory,
        command=tuple(command),
    )
