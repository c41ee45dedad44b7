"""Rules about readiness: edges not drained, write interest left on, select near its limit.

Knows what was watched and reported; the man pages say what follows from it (epoll(7), select(2)).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..language import count, say
from ..words import counted
from .finding import Finding, sentence
from .material import MOST, Material

MOST_ROWS = 400_000
SELECT_LIMIT = 1024
SELECT_NEAR = 900


def edge_not_drained(material: Material) -> Iterator[Finding]:
    """An edge-triggered socket was left before it was empty."""
    edges = sorted({watch.socket_id for watch in material.evidence.watches if watch.edge and watch.how == "epoll"})
    edges = [id_ for id_ in edges if id_ in material.evidence.sockets and not material.evidence.sockets[id_].internal]
    if not edges:
        return
    left = list(_left_full(material.rows_on("explain_edges", edges, most=MOST_ROWS)))
    if not left:
        return
    receives = [row for row in left if row["operation"] != "accept"]
    accepts = len(left) - len(receives)
    parts = []
    if receives:
        parts.append(say("{receives} got all the bytes asked for, and nobody asked again before the next wait",
                         receives=counted(len(receives), "receive")))
    if accepts:
        parts.append(say("{times} one connection was accepted, and accept not called again before the next wait",
                         times=counted(accepts, "time")))
    yield Finding(
        "edge-not-drained", say("Edge-triggered, and not drained"),
        sentence(parts),
        say("With EPOLLET a wait reports a socket only when something new arrives. What was left in the kernel stays there, "
            "unreported, until the peer sends more: often it waits for the answer first, and both wait for ever."),
        say("After each report call recv (or accept) again and again until it raises BlockingIOError; or use level-triggered epoll. "
            "See epoll(7), \"Level-triggered and edge-triggered\"."),
        "serious", "waiting", None, tuple(row["id"] for row in left[:4]), material.sites.get(left[0]["site_id"]))


def _left_full(rows: list[Any]) -> Iterator[Any]:
    """Yield, per thread and wait, the last receive or accept on a socket if it did not find the end of what was there."""
    last: dict[tuple[int, int], Any] = {}
    for row in rows:
        if row["operation"] == "epoll_wait":
            for key in [key for key in last if key[0] == row["thread_id"]]:
                call = last.pop(key)
                if _may_have_left(call):
                    yield call
        elif row["operation"] in ("close", "unregister"):
            last.pop((row["thread_id"], row["socket_id"]), None)
        elif row["operation"] == "accept" or row["operation"].startswith(("recv", "read", "tls_recv")):
            last[row["thread_id"], row["socket_id"]] = row


def _may_have_left(call: Any) -> bool:
    if call["outcome"] != "ok":
        return False
    return bool(call["operation"] == "accept" or (call["asked"] and call["result"] == call["asked"]))


def write_interest(material: Material) -> Iterator[Finding]:
    """A socket is reported writable again and again, while there is nothing to write."""
    extent = material.reader.extent
    rows = material.named("explain_written_for_nothing", reports=2_000_000, least=100, most=MOST, first=extent.first_id,
                          last=extent.last_id)
    if not rows:
        return
    sends = {row["socket_id"]: row["sends"] for row in material.rows_on("explain_sends_on", [row["socket_id"] for row in rows])}
    rows = [row for row in rows if row["writable"] >= 10 * (sends.get(row["socket_id"], 0) + 1)
            and row["socket_id"] in material.evidence.sockets and not material.evidence.sockets[row["socket_id"]].internal]
    if not rows:
        return
    worst = rows[0]
    reported = sum(row["writable"] for row in rows)
    yield Finding(
        "write-interest", say("Write interest always on"),
        count("{n} socket was reported writable {reported} times; on {where} {reports} reports stand against {sends}.",
              "{n} sockets were reported writable {reported} times; on {where} {reports} reports stand against {sends}.", len(rows),
              reported=f"{reported:,}", where=material.socket_name(worst["socket_id"]), reports=f"{worst['writable']:,}",
              sends=counted(sends.get(worst["socket_id"], 0), "send")),
        say("A socket is writable nearly always, so that a wait which also asks for that returns at once: polling by another name."),
        say("Ask for EVENT_WRITE only while there is something left to send, and take it back when that is gone."),
        "serious" if reported >= 10_000 else "notable", "cpu", None, (worst["first_id"], worst["last_id"]),
        material.site_of(worst["first_id"]))


def select_limit(material: Material) -> Iterator[Finding]:
    """select with nearly as many descriptors as it can take."""
    if not material.calls_of("select"):
        return
    rows = material.named("explain_widest_select")
    if not rows or (rows[0]["asked"] or 0) < SELECT_NEAR:
        return
    yield Finding(
        "select-limit", say("select near its limit"),
        say("A select watched {n} descriptors.", n=f"{rows[0]['asked']:,}"),
        say("select cannot watch a descriptor whose number is {limit} or more (FD_SETSIZE): it raises ValueError, and the server with it. "
            "And each call hands the whole list to the kernel and back.", limit=SELECT_LIMIT),
        say("Use poll or epoll (selectors.DefaultSelector chooses). See select(2), BUGS."),
        "notable", "none", None, (rows[0]["id"],), material.site_of(rows[0]["id"]))
