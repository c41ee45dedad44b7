"""Figures and calls in words people read, with nothing in them that a terminal would obey.

Owns units, the wording of a call, and making hostile text visible. Knows values, no picture.
"""

from __future__ import annotations

import math
import re
import unicodedata
from codecs import getincrementaldecoder as incremental
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from functools import reduce

from rich.cells import cell_len, set_cell_size

from .arguments import argument_words, errno_name, signal_name
from .language import count as plural
from .language import message, say
from .naming import RunModel
from .values import MOVING, Delivery, Facts, Span, Spin

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Other categories: control, format (direction marks, joiners), surrogate, private, unassigned; line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


_LONGEST = 100_000  # characters


def visible(text: object) -> str:
    """Return a text with every character that a terminal might obey, or nobody could see, as an escape.

    Marks that combine with the letter before them stay, but no more than two in a row: a pile of
    them has no width and would grow over the lines above. What is longer than anybody reads is cut.
    """
    whole = str(text)
    if len(whole) > _LONGEST:
        return f"{visible(whole[:_LONGEST])}… ({len(whole) - _LONGEST:,} more characters)"
    if whole.isascii() and whole.isprintable():
        return whole
    shown, marks = [], 0
    for character in whole:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        shown.append(_escape(character) if category in _UNSAFE or marks > 2 else character)
    return "".join(shown)


def _escape(character: str) -> str:
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def visible_bytes(data: bytes, size: int, limit: int = 40) -> str:
    """Return the first bytes of a payload in quotes: text as text, everything else as escapes.

    Args:
        size: bytes that were moved; a sign says that there were more than are shown.
    """
    shown = data[:limit]
    try:
        # The cut may have gone through a character: its first bytes are left out.
        text = visible(incremental("utf-8")().decode(shown, final=size <= len(shown)).replace("\\", "\\\\").replace("'", "\\'"))
    except UnicodeDecodeError:
        text = "".join(chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else _SHORT.get(chr(byte), f"\\x{byte:02x}") for byte in shown)
    return f"'{text}'" + ("..." if size > len(shown) else "")


def fit(text: str, width: int, ellipsis: str = "…") -> str:
    """Return a text in exactly so many columns: cut, or filled up with blanks."""
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    return set_cell_size(text, max(0, width - cell_len(ellipsis))) + ellipsis[:width]


def brief(text: object, width: int = 32) -> str:
    """Return a name for use within a line: visible, and cut in its middle where it is long."""
    whole, most = str(text), 3 * width + 3  # a letter and two marks on it take a column: no more than that is shown of either end
    shown = visible(whole if len(whole) <= 2 * most else whole[:most] + whole[-most:])
    if cell_len(shown) <= width:
        return shown
    half = (width - 3) // 2
    return f"{shown[:width - 3 - half]}...{shown[-half:]}"


def duration(ns: float | None) -> str:
    """Return a duration in three digits and a unit that suits it, 1.40 s or 85 ns; - where there is none."""
    if ns is None:
        return "-"
    for unit_ns, unit in ((86_400e9, "d"), (3_600e9, "h"), (120e9, "min"), (1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        scale_ns = 60e9 if unit == "min" else unit_ns
        if abs(ns) >= unit_ns * 0.9995:
            return f"{_digits(ns / scale_ns)} {unit}"
    return f"{ns:.0f} ns"


def _digits(value: float) -> str:
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - int(math.log10(max(abs(value), 1))))}f}"


def moment(ns: int, step_ns: int = 1_000) -> str:
    """Return a moment of run time in seconds, precise enough to tell `step_ns` apart."""
    decimals = min(9, max(0, math.ceil(-math.log10(max(step_ns, 1) / 1e9))))
    return f"{ns / 1e9:,.{decimals}f} s"


def size(count: int) -> str:
    """Return a size in bytes: 512 B, 1.21 kB (1 kB is 1000 bytes)."""
    for unit_bytes, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(count) >= unit_bytes * 0.9995:
            return f"{_digits(count / unit_bytes)} {unit}"
    return f"{count} B"


def percent(share: float | None) -> str:
    """Return a share of 1 as per cent; never 0 or 100 for what is only near it."""
    if share is None:
        return "-"
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{100 * share:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: 1 call, 12,345 calls."""
    ending = "es" if noun.endswith(("s", "ch", "sh", "x")) else "s"
    return plural(f"{{n}} {noun}", f"{{n}} {noun}{ending}", count)


def enumerated(parts: Iterable[str]) -> str:
    """Return parts one after the other, with commas between; empty ones are left out."""
    there = [part for part in parts if part]
    return reduce(lambda one, more: say("{one}, {more}", one=one, more=more), there) if there else ""


def short_count(count: int) -> str:
    """Return a count in at most four characters and a letter: 980, 12.3k, 4.56M."""
    if count < 10_000:
        return f"{count:,}"
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit * 0.9995:
            return f"{_digits(count / unit)}{letter}"
    return str(count)


_OUTCOMES = {
    "would_block": "EAGAIN", "in_progress": message("in progress"), "reset": message("reset by peer (ECONNRESET)"),
    "broken_pipe": message("broken pipe (EPIPE)"), "refused": message("refused (ECONNREFUSED)"),
    "aborted": message("aborted (ECONNABORTED)"), "timeout": message("timed out"), "eof": message("end of stream"),
    "interrupted": message("interrupted"), "cancelled": message("cancelled"), "want_read": message("wants to read first"),
    "want_write": message("wants to write first"),
}


def call_words(call: Span, names: Mapping[int, str]) -> str:
    """Return what a call did: `recv(fd 4 alice, MSG_PEEK) 5 of 1,024 bytes`; where it had a timeout, how it waited.

    Args:
        names: of sockets, by id.
    """
    where = (brief(names.get(call.socket_id, f"socket {call.socket_id}")),) if call.socket_id else ()
    given = ", ".join((*where, *argument_words(call)))
    limit = say(" (timeout {time}: {calls})", time=duration(call.timeout_ns), calls=_kernel_calls(call)) if _has_timeout(call) else ""
    return f"{brief(call.operation)}({given}) {_came_of_it(call, names)}".rstrip() + limit


# What Python asks of the kernel for a socket with a timeout: its descriptor is nonblocking (socket.settimeout). Only connect comes first.
_UNDER_TIMEOUT = {"connect": "connect + poll", "connect_ex": "connect + poll", "sendall": "poll + send",
                  "recv_into": "poll + recv", "recvfrom_into": "poll + recvfrom", "recvmsg_into": "poll + recvmsg"}


def _has_timeout(call: Span) -> bool:
    return call.layer == "socket" and bool(call.timeout_ns) and call.operation.startswith(("accept", "connect", *MOVING))


def _kernel_calls(call: Span) -> str:
    return _UNDER_TIMEOUT.get(call.operation, f"poll + {brief(call.operation)}")


def timeout_words(call: Span) -> str:
    """Return what a Python timeout makes of a call: `with a timeout of 2.00 s (poll + recv on a nonblocking descriptor)`, or ""."""
    if not _has_timeout(call):
        return ""
    return say("with a timeout of {time} ({calls} on a nonblocking descriptor)", time=duration(call.timeout_ns), calls=_kernel_calls(call))


def _came_of_it(call: Span, names: Mapping[int, str]) -> str:
    if call.unfinished:
        return say("did not return")
    if call.outcome == "ok":
        if call.operation in ("accept", "ring_accept") and call.result:
            return say("new: {name}", name=brief(names.get(call.result, f"socket {call.result}")))
        if call.operation.startswith("sig") and call.result:
            return say("signal {name}", name=signal_name(call.result))
        if call.layer == "wait":
            return "" if call.operation == "pause" else say("{n} ready", n=call.result or 0)
        if call.operation.startswith((*MOVING, "tls_")) and call.result is not None:
            said = counted(call.result, "byte")
            if call.asked is not None and call.asked != call.result:
                said = say("{n} of {asked} bytes", n=f"{call.result:,}", asked=f"{call.asked:,}")
            return said + (f" {brief(call.peer)}" if call.peer else "")
        if call.operation == "setblocking" and call.asked is not None:
            return say("blocking" if call.asked else "nonblocking")
        if call.operation == "settimeout":
            if call.asked:
                return say("{time}: its descriptor is nonblocking", time=duration(call.asked))
            return say("blocking" if call.asked is None else "nonblocking")
        if call.operation == "listen" and call.asked is not None:
            return say("backlog {n}", n=call.asked)
        return brief(call.peer or "")
    return outcome_words(call.outcome, call.errno)


def outcome_words(outcome: str | None, errno: int | None) -> str:
    """Return what came of a call that was not ok: `end of stream`, `error EADDRINUSE`."""
    if outcome == "error" and errno:
        return say("error {name}", name=errno_name(errno))
    known = _OUTCOMES.get(outcome or "")
    return visible(outcome or "") if known is None else say(known)


def signal_words(signal: Delivery, names: Mapping[int, str]) -> str:
    """Return a signal that came: `SIGIO in recv: handler ran 40 us (fd 3 listener)`."""
    during = say(" in {call}", call=brief(signal.during)) if signal.during and signal.via != "sigwait" else ""
    on = f" ({brief(names[signal.socket_id])})" if signal.socket_id is not None and signal.socket_id in names else ""
    if signal.via == "sigwait":
        return say("{signal} came to {call}", signal=f"{brief(signal.signal)}{on}", call=brief(signal.during or say("a wait")))
    ran = say("its handler never came back") if signal.ended_ns is None else say(
        "handler ran {time}", time=duration(signal.ended_ns - signal.started_ns))
    woke = say(", number written to the wake-up descriptor") if signal.via == "wakeup_fd" else ""
    return say("{what}: {ran}", what=f"{brief(signal.signal)}{during}{on}", ran=f"{ran}{woke}")


def spin_words(spin: Spin) -> str:
    """Return a spin: `12,345 fruitless calls in 1.20 s, 71.2 % of it in the calls`."""
    length_ns = max(1, spin.ended_ns - spin.started_ns)
    about = "" if spin.exact else "about "
    return (f"{about}{counted(spin.calls, 'fruitless call')} in {duration(length_ns)}, "
            f"{percent(min(1.0, spin.in_calls_ns / length_ns))} of it inside the calls")


def command_words(facts: Facts) -> str:
    """Return a command line as people say it: file names without their folders."""
    return " ".join(word.rstrip("/").rpartition("/")[2] if word.startswith("/") else word for word in facts.command)


def started_words(started_at: str) -> str:
    """Return the moment a run started as people write it: 2026-01-15 09:30:00 UTC."""
    try:
        return f"{datetime.fromisoformat(started_at).astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return visible(started_at)


def ending(facts: Facts) -> str:
    """Return how a run ended: `exited with status 0 after 3.02 s`."""
    status = facts.exit_status
    if facts.duration_ns is None and facts.ended_by is None:
        return say("still going on, or its recorder died")
    how = {
        "signal": say("killed by signal {n}", n=status - 128) if status is not None and status > 128 else say("killed by a signal"),
        "interrupt": say("ended by Ctrl-C"), "terminated": say("ended by SIGTERM"), "for": say("stopped when its time was up (--for)"),
        "max_calls": say("stopped at its number of calls (--max-calls)"), "workload": say("stopped when the last client was done"),
        "recorder_lost": say("recovered after its recorder had died"),
    }.get(facts.ended_by or "", say("ended") if status is None else say("exited with status {n}", n=status))
    return visible(how) if facts.duration_ns is None else say("{ended} after {time}", ended=visible(how), time=duration(facts.duration_ns))


def model_words(model: RunModel) -> str:
    """Return the model of a run, how its listener waited, and both names that textbooks use."""
    listener = say(", behind a listener that is {model}", model=_model_name(model.listener)) if model.listener else ""
    return say("{model}{listener}; POSIX calls it {posix}, others {popular}", model=_model_name(model.name), listener=listener,
               posix=say(model.posix), popular=say(model.popular))


MODEL_PARTS = tuple(map(message, (
    "blocking", "nonblocking", "multiplexing", "signal-driven", "asynchronous", "synchronous", "synchronous blocking",
    "synchronous nonblocking", "asynchronous blocking", "asynchronous nonblocking", "polling", "polling with sleeps", "never had to wait",
    "with a timeout", "blocking calls", "level-triggered", "edge-triggered", "one-shot", "one connection at a time",
    "one connection at a time in each of {n} processes", "one connection at a time in each of {n} threads", "a process per connection",
    "a thread per connection", "one worker for the connections", "{n} processes shared by the connections",
    "{n} threads shared by the connections")))
"""What names of models are made of (naming.py); select, poll, epoll, asyncio, io_uring and SIGIO are said in any language."""


def _model_name(name: str) -> str:
    """Return `blocking (with a timeout, one connection at a time)` in the language that is spoken."""
    model, opened, variant = visible(name).partition(" (")
    if not opened:
        return say(model)
    return say("{model} ({variant})", model=say(model), variant=say(", ").join(map(_model_part, variant.removesuffix(")").split(", "))))


def _model_part(part: str) -> str:
    number = re.search(r"\d+", part)
    return say(part[:number.start()] + "{n}" + part[number.end():], n=number.group()) if number else say(part)
