"""The values a story is made of: frozen, in nanoseconds since the run's start, and free of any picture.

Owns their shapes and the words for classes of calls. Knows neither the file they come from nor
the renderers that draw them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .naming import RunModel

Kind = Literal["blocked", "fruitless", "moved", "other"]
KINDS: tuple[Kind, ...] = ("blocked", "fruitless", "moved", "other")
KIND_INDEX = {kind: index for index, kind in enumerate(KINDS)}

BLOCKED_FROM_NS = 100_000
"""A call that could wait and took this long is called blocked: shorter ones were on the CPU."""

FAILED = frozenset({"timeout", "reset", "broken_pipe", "refused", "aborted", "interrupted", "cancelled", "error"})
"""Outcomes that are a failure of the call (an empty read, EAGAIN and EINPROGRESS are not)."""

MARKED = FAILED | {"eof"}
"""Outcomes that a lane marks."""

Counts = tuple[int, int, int, int]  # one number per class, in the order of KINDS


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of run time, [start_ns, end_ns)."""

    start_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        """How long it is, at least 1 ns."""
        return max(1, self.end_ns - self.start_ns)


@dataclass(frozen=True, slots=True)
class Site:
    """Where in the program a call was made."""

    file: str
    line: int
    function: str
    code: str | None

    @property
    def short(self) -> str:
        """File name and line, as people say it."""
        return f"{self.file.rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Span:
    """One call, for those that are told one by one.

    `ended_ns` of an unfinished call is the end of its process or run. `ready_ns` is the moment the
    kernel had what it asked for, where that is known. `flags` are MSG_* bits; of setsockopt its level and
    option, of fcntl its command (arguments.py names them).
    """

    call_id: int
    thread_id: int
    socket_id: int | None
    operation: str
    layer: str
    outcome: str | None
    kind: Kind
    started_ns: int
    ended_ns: int
    asked: int | None = None
    result: int | None = None
    errno: int | None = None
    timeout_ns: int | None = None
    site: Site | None = None
    peer: str | None = None
    parent_id: int | None = None
    ready_ns: int | None = None
    flags: int | None = None

    @property
    def unfinished(self) -> bool:
        """Whether it had not returned when its process ended."""
        return self.outcome is None

    @property
    def duration_ns(self) -> int:
        """How long it took, or has been open for."""
        return self.ended_ns - self.started_ns

    @property
    def failed(self) -> bool:
        """Whether its outcome is a failure (a poll that found nothing is not)."""
        return self.outcome in FAILED and self.kind != "fruitless"

    @property
    def bytes(self) -> int:
        """Bytes it moved."""
        return moved_bytes(self.operation, self.outcome, self.result)

    @property
    def wait_ns(self) -> int | None:
        """First phase: from the call to the moment the kernel was ready; None where that is not known."""
        return None if self.ready_ns is None or self.unfinished else max(self.ready_ns - self.started_ns, 0)

    @property
    def sat_ns(self) -> int:
        """How long what it asked for had been lying in the kernel before it was called."""
        return 0 if self.ready_ns is None else max(self.started_ns - self.ready_ns, 0)

    @property
    def copy_ns(self) -> int | None:
        """Second phase: wake-up and copy, from ready to the return."""
        return None if self.ready_ns is None or self.unfinished else self.ended_ns - max(self.ready_ns, self.started_ns)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One signal as Python saw it.

    `via` is handler, wakeup_fd or sigwait; `during` the operation of the call that its thread was in, if any;
    `ended_ns` None: its handler never came back.
    """

    id: int
    thread_id: int | None
    signal: str
    via: str
    started_ns: int
    ended_ns: int | None
    during_call_id: int | None
    during: str | None
    socket_id: int | None


@dataclass(frozen=True, slots=True)
class Level:
    """From `at_ns` on so many bytes lay in a socket's receive buffer; `source` is packet or sender."""

    at_ns: int
    queued_bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class Spin:
    """Consecutive fruitless calls of one thread, counted.

    `exact` is false where only the stretches without any other call are known, not each call.
    """

    thread_id: int
    started_ns: int
    ended_ns: int
    calls: int
    in_calls_ns: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Standstill:
    """Blocked calls of one operation at one site, taken together: how many, how long in all, and the longest."""

    operation: str
    site: Site | None
    calls: int
    ns: int
    longest: Span


@dataclass(frozen=True, slots=True)
class Cell:
    """What happened in one lane during [start_ns, end_ns): calls begun and time spent, per class of KINDS.

    `packets`: None where none were captured; `packets_lost`: None where nobody knows.
    """

    start_ns: int
    end_ns: int
    ns: Counts
    calls: Counts
    bytes: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Calls with an outcome worth a mark (end of file, reset, error ...), `count` of them near `at_ns`."""

    at_ns: int
    thread_id: int
    socket_id: int | None
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One thread, or one socket, over the window of a story.

    `cells` hold time spent in calls, `spans` the long and unfinished ones of them by themselves
    (already counted in the cells).
    """

    kind: Literal["thread", "socket"]
    id: int
    name: str
    cells: tuple[Cell, ...]
    opened_ns: int | None = None
    closed_ns: int | None = None
    closed_by: str | None = None
    fd: int | None = None
    role: str | None = None
    peer: str | None = None
    local: str | None = None
    parent_id: int | None = None
    process_id: int | None = None
    marks: tuple[Mark, ...] = ()
    spans: tuple[Span, ...] = ()

    @property
    def ns(self) -> Counts:
        """Time in calls per class."""
        return _sums(tuple(cell.ns for cell in self.cells))

    @property
    def calls(self) -> Counts:
        """Calls per class."""
        return _sums(tuple(cell.calls for cell in self.cells))

    @property
    def bytes(self) -> int:
        """Bytes moved."""
        return sum(cell.bytes for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer: as a workload's client saw it, or as the server's calls show it.

    `n` counts from 1; 0 is a client that said nothing. `thread_id` is the server's thread that took it up.
    """

    client: str
    n: int
    socket_id: int | None
    connected_ns: int | None
    sent_ns: int | None
    answered_ns: int | None
    sent_bytes: int
    answered_bytes: int
    result: str
    thread_id: int | None = None
    taken_ns: int | None = None

    @property
    def latency_ns(self) -> int | None:
        """From the first byte of the question to the last of the answer; None where there was none."""
        if self.sent_ns is None or self.answered_ns is None:
            return None
        return max(0, self.answered_ns - self.sent_ns)


@dataclass(frozen=True, slots=True)
class Count:
    """Calls of one operation and outcome, over the whole run."""

    operation: str
    layer: str
    outcome: str | None
    calls: int
    total_ns: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time of the program from `from_ns` (its first listen, else its first sample) to its last sample.

    `exact` is false where only the kernel's 10 ms steps were to be had; `unsampled_ns` is what of `ns` descendants used
    while nobody looked: those that lived shorter than from one sample to the next, and those without Python.
    """

    ns: int
    from_ns: int
    to_ns: int
    from_listen: bool
    exact: bool
    unsampled_ns: int = 0


@dataclass(frozen=True, slots=True)
class CpuSplit:
    """The CPU time of a run, divided. All times in nanoseconds.

    Args:
        total_ns: of all processes, as `Cpu` counts it; None where nobody looked.
        fruitless_calls: that found nothing and could not wait.
        fruitless_ns: CPU in them: their duration, less what their thread was ready and not on a processor, in proportion.
        fruitless_took_ns: their duration.
        useful_calls, useful_ns: the same of calls that moved data, or did something else, without waiting.
        waiting_calls, waiting_ns: calls that waited, and their duration; most of it no CPU time.
        elsewhere_ns: the rest of the total: the program's own work, recording, and what waking up and copying took in calls
            that waited; None where the total is not known.
        recording_ns: of that about so much for recording, by the agent's own measure; None where it could not measure.
        delay_ns: how long the threads were ready and had no processor; None where nobody looked.
        unsampled_ns: of the total, used by descendants while nobody looked at them.
        from_listen: whether the total is counted from the program's first listen on, or from the first sample.
    """

    total_ns: int | None
    fruitless_calls: int
    fruitless_ns: int
    fruitless_took_ns: int
    useful_calls: int
    useful_ns: int
    waiting_calls: int
    waiting_ns: int
    elsewhere_ns: int | None
    recording_ns: int | None
    delay_ns: int | None
    unsampled_ns: int = 0
    from_listen: bool = False

    @property
    def fruitless_share(self) -> float | None:
        """Of the CPU time, how much went into calls that found nothing; None where the total is not known."""
        return self.fruitless_ns / self.total_ns if self.total_ns else None


@dataclass(frozen=True, slots=True)
class Usage:
    """Context switches of the program from its first listen (else its first sample) on, and the most memory it held."""

    voluntary_switches: int | None
    involuntary_switches: int | None
    peak_rss_bytes: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run as a whole; `kind_calls` and `kind_ns` are calls and time in them, per class of KINDS."""

    run_id: int
    name: str
    model: str | None
    command: tuple[str, ...]
    python: str | None
    core: str | None
    started_at: str
    duration_ns: int | None
    exit_status: int | None
    ended_by: str | None
    call_cost_ns: int | None
    calls: int
    lost: int
    blind_spots: tuple[str, ...]
    fruitless: int
    blocked_ns: int
    kind_calls: Counts = (0, 0, 0, 0)
    kind_ns: Counts = (0, 0, 0, 0)
    packets: int | None = None
    packets_lost: int | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A run, or a window of it, as plain values.

    Args:
        facts: of the whole run, whatever the window.
        end_ns: where the run ends, or as far as the trace knows.
        window: what the lanes cover.
        threads, sockets: lanes, the most important first for sockets.
        more_sockets, more_threads: lanes that are left out, being less active.
        calls: told one by one: all of the window if `complete`, else the long and unfinished ones.
        more_calls: long ones that are left out, being shorter than those told.
        standstills: blocked calls by operation and site, the most time first; of all calls if
            `complete`, else of the long ones. blocked_threads: how many threads they were in.
        spins, gaps: what threads did instead of getting something.
        exchanges: of the clients; `measured_by` says who saw them.
        counts: of the whole run.
        model: the I/O model that the calls show.
        signals: that came in the window, the first 10,000.
        hidden_sockets: lanes that are left out because event loops made these sockets for themselves.
        split: where its CPU time went.
        queues: of the sockets in the lanes of which it is known: bytes in the receive buffer over the whole run, by id.
        names, closings: of every socket, by id: what to call it, and when it was closed.
    """

    facts: Facts
    end_ns: int
    window: Window
    threads: tuple[Lane, ...]
    sockets: tuple[Lane, ...]
    more_sockets: int
    more_threads: int
    calls: tuple[Span, ...]
    complete: bool
    more_calls: int
    standstills: tuple[Standstill, ...]
    blocked_threads: int
    spins: tuple[Spin, ...]
    gaps: tuple[Span, ...]
    exchanges: tuple[Exchange, ...]
    measured_by: Literal["client", "server", "nobody"]
    counts: tuple[Count, ...]
    cpu: Cpu | None
    model: RunModel | None = None
    signals: tuple[Delivery, ...] = ()
    hidden_sockets: int = 0
    names: dict[int, str] = field(default_factory=dict)
    closings: dict[int, int] = field(default_factory=dict)
    usage: Usage | None = None
    queues: dict[int, tuple[Level, ...]] = field(default_factory=dict)
    split: CpuSplit | None = None

    @property
    def recording_ns(self) -> int | None:
        """What recording all calls cost by the agent's measure of one; None where it could not measure."""
        return self.facts.call_cost_ns * self.facts.calls if self.facts.call_cost_ns else None

    @property
    def recording_share(self) -> float | None:
        """That as a share of the program's CPU time; None where either is not known."""
        return min(1.0, self.recording_ns / self.cpu.ns) if self.recording_ns is not None and self.cpu and self.cpu.ns else None


def _sums(columns: tuple[Counts, ...]) -> Counts:
    first, second, third, fourth = (sum(column) for column in zip(*columns, strict=True)) if columns else (0, 0, 0, 0)
    return first, second, third, fourth


MOVING = ("recv", "send", "read", "write", "splice", "tls_recv", "tls_send", "ring_recv", "ring_send")
"""How the names of operations begin that move bytes."""


REQUESTS_THREAD = "io_uring fd "
"""How the name of a thread begins that stands for a ring: what lies on it the kernel did, many things at a time."""


def is_request(operation: str) -> bool:
    """Return whether an operation is one that a ring was asked for: it lasts from its submission to its completion."""
    return operation.startswith("ring_") and operation not in ("ring_submit", "ring_wait")


def moved_bytes(operation: str, outcome: str | None, result: int | None) -> int:
    """Return the bytes a call moved: the result of a receive or send that went well, else 0."""
    return result if outcome == "ok" and result and operation.startswith(MOVING) else 0


_WAITING = (*MOVING, "accept", "connect", "do_handshake", "unwrap", "ring_wait")


def class_of(
    operation: str, layer: str, outcome: str | None, duration_ns: int | None, result: int | None, timeout_ns: int | None,
) -> Kind:
    """Return the class of a call: the first that fits of fruitless, blocked, moved, other.

    Args:
        outcome, duration_ns: None for a call that has not returned.
        timeout_ns: None could wait for ever, 0 could not wait.
    """
    if outcome == "would_block" or (layer == "wait" and timeout_ns == 0 and not result and outcome is not None):
        return "fruitless"
    if outcome in ("want_read", "want_write") and operation in ("tls_recv", "tls_send"):
        return "fruitless"
    waits = layer == "wait" or operation.startswith(_WAITING)
    if waits and timeout_ns != 0 and (duration_ns is None or duration_ns >= BLOCKED_FROM_NS):
        return "blocked"
    return "moved" if moved_bytes(operation, outcome, result) else "other"
