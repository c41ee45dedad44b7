"""Rules about how connections end, and what of a message is lost: forgotten closes, sends that took only a part.

Knows the life of sockets; not why the program keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..language import count, say
from ..words import counted, duration
from .finding import Finding, sentence
from .material import MOST, Material

_EMFILE = 24
LATE_NS = 100_000_000
"""A peer gone for so long before the end of the run, and its socket open still, was forgotten."""


def forgotten_close(material: Material) -> Iterator[Finding]:
    """Connections that the program never closed: left to the garbage collector, or kept after the peer had gone."""
    rows = material.reader.sockets
    served = [row for row in rows.values() if row["role"] in ("accepted", "connected") and _is_ours(material, row["id"])]
    collected = [row["id"] for row in served if row["closed_by"] == "collected"]
    gone = {}
    if material.calls_of_outcome("eof"):
        for row in material.named("explain_first_eofs", most=100_000):
            socket = rows.get(row["socket_id"])
            until_ns = material.reader.end_ns if socket is None or socket["closed_ns"] is None else socket["closed_ns"]
            if until_ns - row["at_ns"] >= LATE_NS and _is_ours(material, row["socket_id"]):
                gone[row["socket_id"]] = (until_ns - row["at_ns"], row["call_id"])
    collected = [id_ for id_ in collected if id_ not in gone]
    if not collected and not gone:
        return
    parts = []
    if gone:
        longest_ns = max(kept_ns for kept_ns, _ in gone.values())
        parts.append(say("{connections} stayed open after the peer had closed, for up to {time}",
                         connections=counted(len(gone), "connection"), time=duration(longest_ns)))
    if collected:
        parts.append(count("{n} connection was closed only when Python collected the object",
                           "{n} connections were closed only when Python collected the object", len(collected)))
    left = {use.socket_id: use.call_id for use in material.evidence.uses if use.socket_id in collected[:4]}
    proof = [*(call_id for _, call_id in list(gone.values())[:4]), *left.values()]
    yield Finding(
        "forgotten-close", say("Connections that nobody closes"),
        sentence(parts),
        say("Each keeps a descriptor and its buffers. The kernel holds it in CLOSE_WAIT, and at the limit of open files (ulimit -n) "
            "accept fails with EMFILE. When a socket is collected is up to the interpreter."),
        say("Close in a finally block or with `with conn:`; treat an empty read as the end."),
        "notable" if len(gone) + len(collected) < 100 else "serious", "none", None, tuple(proof),
        material.site_of(proof[0]) if proof else None)


def _is_ours(material: Material, socket_id: int) -> bool:
    """Whether this process used the socket: a forked parent's copy, or a child's, is somebody else's to close."""
    return any(use.socket_id == socket_id and use.operation != "close" for use in material.evidence.uses)


def no_descriptors(material: Material) -> Iterator[Finding]:
    """Calls that failed because the program had no descriptor left."""
    rows = material.named("explain_exhausted", most=MOST) if material.calls_of_outcome("error") else []
    if not rows:
        return
    worst, times = rows[0], sum(row["times"] for row in rows)
    first_ns, last_ns = min(row["first_ns"] for row in rows), max(row["last_ns"] for row in rows)
    held = sum(1 for row in material.reader.sockets.values() if row["role"] in ("accepted", "connected", "pair")
               and (row["opened_ns"] or 0) <= first_ns and (row["closed_ns"] is None or row["closed_ns"] > first_ns))
    yield Finding(
        "no-descriptors", say("No descriptor left: {error}", error="EMFILE" if worst["errno"] == _EMFILE else "ENFILE"),
        say("{operation} failed {times} for want of a descriptor, from {first} to {last} of the run; {connections} were open at the first.",
            operation=worst["operation"], times=counted(times, "time"), first=duration(first_ns), last=duration(last_ns),
            connections=counted(held, "connection")),
        say("Who wants to connect is not served, and stays in the listener's queue: the listener is reported as ready again at once, so "
            "that a loop that passes over the error spins. Files, pipes and name look-ups fail as well."),
        say("Close what is not needed any more (who forgets to is a finding of its own); accept no more than the limit allows; raise it "
            "where it is meant to be so many (ulimit -n, LimitNOFILE=). See accept(2), getrlimit(2)."),
        "serious", "none", None, tuple(id_ for row in rows[:2] for id_ in (row["first_id"], row["last_id"])),
        material.sites.get(worst["site_id"]))


def partial_send(material: Material) -> Iterator[Finding]:
    """send took a part of what it was given, and the rest was never sent."""
    if not any(material.calls_of(operation, "ok") for operation in ("send", "write", "sendmsg", "writev")):
        return
    rows = material.named("explain_partial_sends", most=MOST)
    if not rows:
        return
    lost = sum(max(0, row["asked"] - row["result"] - row["later_bytes"]) for row in rows)
    first = rows[0]
    yield Finding(
        "partial-send", say("Partial send ignored"),
        say("{sends} took less than offered and the rest was not sent after it: the first took {took} of {offered} bytes, and {later} more "
            "followed. At least {lost} bytes are missing in all.", sends=counted(len(rows), "send"), took=f"{first['result']:,}",
            offered=f"{first['asked']:,}", later=f"{first['later_bytes']:,}", lost=f"{lost:,}"),
        say("send returns how many bytes the kernel took, which is fewer than offered once its buffer is full (always so on a "
            "nonblocking socket with much to send). What it did not take is the program's to send again; its peer waits for it, or gets "
            "a torn message."),
        say("Use sendall on a blocking socket; on a nonblocking one keep the rest and send it when the socket is writable. See "
            "send(2)."),
        "serious", "none", None, tuple(row["id"] for row in rows[:4]), material.sites.get(first["site_id"]))
