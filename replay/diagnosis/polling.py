"""Rules about calls that find nothing: busy polling, sleeping between polls, reading an end of stream for ever.

Knows what polling looks like in a trace; the words say what it costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from ..evidence import is_folded_between
from ..words import brief, counted, duration, percent
from .finding import Finding
from .material import MOST, Material

BUSY_CALLS = 1_000
BUSY_RATE = 1_000
"""So many fruitless calls a second of the time spent spinning are busy polling: a sleep of 1 ms stays below."""


def busy_polling(material: Material) -> Iterator[Finding]:
    """A loop that asks again and again, without a pause."""
    story = material.story
    calls = story.facts.fruitless
    if calls < BUSY_CALLS or material.model.variant == "polling with sleeps" or calls / (story.end_ns / 1e9) < BUSY_RATE:
        return
    # While its thread had no processor a call took longer, and no CPU time.
    in_calls_ns = story.split.fruitless_ns if story.split else material.reader.kinds()["fruitless"][1]
    found = material.named("explain_fruitless_sites", most=100_000)
    of_cpu = ""
    if story.cpu and story.cpu.ns:
        share = "all" if in_calls_ns >= story.cpu.ns else percent(in_calls_ns / story.cpu.ns)
        of_cpu = f", {share} of the {duration(story.cpu.ns)} of CPU that the program used"
    rate = calls / (story.end_ns / 1e9)
    site = material.sites.get(found[0]["site_id"]) if found else None
    where = f" Most of them are made at {brief(site.short)}." if site else ""
    yield Finding(
        "busy-polling", "Busy polling: the program asks without pause, and mostly for nothing",
        f"{calls:,} of {counted(story.facts.calls, 'call')} ({percent(calls / max(1, story.facts.calls))}) found nothing: "
        f"{rate:,.0f} a second of the "
        f"run. They took {duration(in_calls_ns)}{of_cpu}.{where}",
        "A processor is kept busy while nothing happens, whether there are clients or not, and each further connection makes every "
        "round longer.",
        "Let the kernel wait: select, poll or epoll (the module selectors chooses), or asyncio on top of them. See epoll(7), select(2).",
        "serious", "cpu", in_calls_ns, tuple(id_ for row in found[:2] for id_ in (row["first_id"], row["last_id"])), site)


def sleeping_poll(material: Material) -> Iterator[Finding]:
    """A loop that sleeps between its questions: cheap, and late."""
    model, evidence = material.model, material.evidence
    if not evidence.slept or model.model not in ("nonblocking", "blocking"):
        return
    pauses = []
    proof = []
    for thread_id, call_id in list(evidence.slept.items())[:8]:
        for one, following in pairwise(material.named("evidence_around", thread=thread_id, first=call_id, most=2_000)):
            pause_ns = following["started_ns"] - one["started_ns"] - (one["duration_ns"] or 0)
            if pause_ns >= 500_000 and following["timeout_ns"] == 0 and not is_folded_between(one, following):
                pauses.append(pause_ns)
                proof += [one["id"], following["id"]]
    if not pauses:
        return
    pause_ns = int(median(pauses))
    late = [exchange.taken_ns - exchange.sent_ns for exchange in material.story.exchanges
            if exchange.taken_ns is not None and exchange.sent_ns is not None and material.story.measured_by == "client"]
    measured = ""
    if late:
        measured = f" Here {counted(len(late), 'request')} lay for {duration(int(median(late)))} at the median before they were read."
    yield Finding(
        "sleeping-poll", "Polling with sleeps: cheap, and late",
        f"Between two rounds of polls the program slept, {duration(pause_ns)} at the median.{measured}",
        f"What arrives during a sleep lies in the kernel until it ends: {duration(pause_ns // 2)} on average, {duration(pause_ns)} "
        "at worst, for each "
        "request; a shorter sleep costs more CPU, a longer one more time.",
        "Wait for readiness instead of sleeping: select, poll, epoll or asyncio wake up at once and cost nothing meanwhile.",
        "notable", "waiting", sum(late) if late else None, tuple(proof[:4]), material.site_of(proof[0]))


def empty_reads(material: Material) -> Iterator[Finding]:
    """The end of the stream read again and again, because nobody closes."""
    if material.calls_of_outcome("eof") < 3:
        return
    rows = material.named("explain_eofs", least=3, most=MOST)
    if not rows:
        return
    worst = rows[0]
    times = sum(row["times"] for row in rows)
    ns = sum(row["ns"] or 0 for row in rows)
    rest = f", and on {counted(len(rows) - 1, 'more socket')}" if len(rows) > 1 else ""
    yield Finding(
        "empty-reads", "Empty reads in a loop: the peer has gone, and nobody closes",
        f"{times:,} empty reads: {worst['times']:,} of them on {material.socket_name(worst['socket_id'])} within "
        f"{duration(worst['last_ns'] - worst['first_ns'])}{rest}.",
        "After the peer has closed, recv returns b'' at once, for ever: it is the end of the stream, not a message. A loop that goes on "
        "reading spins, and the connection stays in CLOSE_WAIT.",
        "Treat b'' as the end: unregister and close the socket (recv(2): return value 0).",
        "serious" if times >= 100 else "notable", "cpu", ns, tuple(id_ for row in rows[:3] for id_ in (row["first_id"], row["last_id"])),
        material.sites.get(worst["site_id"]))


def small_reads(material: Material) -> Iterator[Finding]:
    """A few bytes at a time, where more was there."""
    rows = material.named("explain_small_reads", few=4, least=50, most=MOST)
    rows = [row for row in rows if 2 * row["small"] > row["receives"]]
    if not rows:
        return
    calls, moved, ns = (sum(row[name] for row in rows) for name in ("small", "bytes", "ns"))
    yield Finding(
        "small-reads", "Reads of a few bytes",
        f"{calls:,} receives asked for 4 bytes or fewer, on {counted(len(rows), 'socket')}, and moved {moved:,} bytes in "
        f"{duration(ns)}; none of them "
        "had to wait for long, so that more was there.",
        "Each call costs the same, however little it moves: a system call and a trip through the interpreter for every byte.",
        "Receive into a buffer of some kilobytes and take lines or frames from it: socket.makefile('rb'), asyncio streams, recv_into.",
        "notable", "cpu", ns, tuple(id_ for row in rows[:3] for id_ in (row["first_id"], row["last_id"])),
        material.site_of(rows[0]["first_id"]))


__all__ = ["busy_polling", "empty_reads", "sleeping_poll", "small_reads"]
