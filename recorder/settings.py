"""What `record` is asked to do, and how it ended.

Owns the two values that go in and out of a recording. Knows nothing else of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .workloads.workload import Workload


@dataclass(frozen=True)
class Settings:
    """What `record` was asked to do.

    Args:
        output: the trace.
        existing: what to do where it exists.
        label, model: for the run's row.
        for_s: end the run after so many seconds; None: when the program ends.
        max_calls: end it after so many calls.
        payload_bytes: how many bytes of each payload to keep.
        workload: clients to send once the program listens; the run ends with them.
        tape: folder for tapes; None: shared memory, and beside the trace where that is full.
        core: what writes the tape; None: the best there is.
        allow_remote: whether the clients may go to another machine.
        silent: whether the program's standard output is thrown away.
        fold: count the calls of long spins instead of keeping each.
        by_socket: whether `levels` and folds count calls for each socket apart; over thousands of sockets that is slow.
        sample_s: from one look at the program's CPU time to the next.
        keep_last_words: whether what the program writes to stderr is kept from the terminal, its last line in the trace.
        sweep: the point of a sweep that this run is, as `runs.settings` tells it.
        packets: capture the packets of the program's sockets.
        packet_ring_bytes: of kernel memory for packets that were not read yet; None: as much as is good in general.
        max_size_bytes: from this size of the trace on, fold; None: never for its size.
        kernel_times: ask the kernel when what a receive returned had arrived.
        gives_way: lower the priority of the thread that records, once the program runs. That is for good, since nobody but root may
            raise it again: for a process that is there to record.
    """

    output: Path
    existing: Literal["refuse", "append", "replace"] = "refuse"
    label: str | None = None
    model: str | None = None
    for_s: float | None = None
    max_calls: int | None = None
    payload_bytes: int = 256
    workload: Workload | None = None
    tape: Path | None = None
    core: str | None = None
    allow_remote: bool = False
    silent: bool = False
    fold: bool = False
    max_size_bytes: int | None = None
    by_socket: bool = True
    sample_s: float = 0.1
    keep_last_words: bool = False
    sweep: Mapping[str, int | str] | None = None
    kernel_times: bool = False
    packets: bool = False
    packet_ring_bytes: int | None = None
    gives_way: bool = False


@dataclass(frozen=True)
class Result:
    """How a recording ended.

    Args:
        run_id: in the trace.
        exit_status: what `record` exits with.
        ended_by: as in `runs.ended_by`.
        calls, lost: recorded, and not recorded.
        complaints: what went otherwise than asked, a line each.
        packets, packets_lost: of the program's sockets, and not captured; None: nobody asked for them.
    """

    run_id: int
    exit_status: int
    ended_by: str
    calls: int
    lost: int
    complaints: tuple[str, ...]
    packets: int | None = None
    packets_lost: int | None = None
