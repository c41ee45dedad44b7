"""One recorded process as its drain knows it.

Owns nothing but the value: what it holds is the business of drain.py and journal.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...traces.writer import Bases
from ..counting.folding import Folding
from ..linking.deliveries import Deliveries
from ..linking.readiness import Readiness
from ..linking.wrapping import Wrapping
from ..tapes.tape import TapeReader


@dataclass
class Process:
    """A process with a tape, and its place in the numbering."""

    id: int
    reader: TapeReader
    bases: Bases
    pidfd: int | None
    readiness: Readiness = field(default_factory=Readiness)
    wrapping: Wrapping = field(default_factory=Wrapping)
    deliveries: Deliveries = field(default_factory=Deliveries)
    segment_ids: dict[int, int] = field(default_factory=dict)  # segment -> id of its first slot
    shown_open: set[int] = field(default_factory=set)  # open calls that have a row
    open_sockets: set[int] = field(default_factory=set)
    sites_of_files: set[str] = field(default_factory=set)
    sockets: dict[int, dict[str, str]] = field(default_factory=dict)
    threads: dict[int, int] = field(default_factory=dict)  # number -> native id
    kept_open: set[int] = field(default_factory=set)  # open calls that have a row in the file, by the last commit
    ahead: list[tuple[int, int, bytes]] = field(default_factory=list)  # payloads whose calls were not read yet: slot, bytes moved, data
    calls: int = 0
    lost: int = 0  # once it has ended
    faults: int = 0
    torn: bool = False  # files of its tape were gone before they were read
    ended_ns: int | None = None
    found_dead_ns: int | None = None  # its last sign of life, where nobody saw its end
    folding: Folding | None = None

    @property
    def pid(self) -> int:
        return self.reader.head.pid
