"""Rules about calls that find nothing: busy polling, sleeping between polls, reading an end of stream for ever.

Knows what polling looks like in a trace; the words say what it costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from ..evidence import is_folded_between
from ..language import say
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
        share = say("all") if in_calls_ns >= story.cpu.ns else percent(in_calls_ns / story.cpu.ns)
        of_cpu = say(", {share} of the {time} of CPU that the program used", share=share, time=duration(story.cpu.ns))
    rate = calls / (story.end_ns / 1e9)
    site = material.sites.get(found[0]["site_id"]) if found else None
    where = say(" Most of them are made at {site}.", site=brief(site.short)) if site else ""
    yield Finding(
        "busy-polling", say("Busy polling: the program asks without pause, and mostly for nothing"),
        say("{n} of {calls} ({share}) found nothing: {rate} a second of the run. They took {time}{of_cpu}.{where}", n=f"{calls:,}",
            calls=counted(story.facts.calls, "call"), share=percent(calls / max(1, story.facts.calls)), rate=f"{rate:,.0f}",
            time=duration(in_calls_ns), of_cpu=of_cpu, where=where),
        say("A processor is kept busy while nothing happens, whether there are clients or not, and each further connection makes every "
            "round longer."),
        say("Let the kernel wait: select, poll or epoll (the module selectors chooses), or asyncio on top of them. See epoll(7), "
            "select(2)."),
        "serious", "cpu", in_calls_ns, tuple(id_ for row in found[:2] for id_ in (row["first_id"], row["last_id"])), site)


def sleeping_poll(material: Material) -> Iterator[Finding]:
    """A loop that sleeps between its questions: cheap, and late."""
    model, evidence = material.model, material.evidence
    if not evidence.slept or model.model not in ("nonblocking", "blocking") or material.waits_unseen:
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
        measured = say(" Here {requests} lay for {time} at the median before they were read.", requests=counted(len(late), "request"),
                       time=duration(int(median(late))))
    yield Finding(
        "sleeping-poll", say("Polling with sleeps: cheap, and late"),
        say("Between two rounds of polls the program slept, {time} at the median.{measured}", time=duration(pause_ns), measured=measured),
        say("What arrives during a sleep lies in the kernel until it ends: {mean} on average, {worst} at worst, for each request; a "
            "shorter sleep costs more CPU, a longer one more time.", mean=duration(pause_ns // 2), worst=duration(pause_ns)),
        say("Wait for readiness instead of sleeping: select, poll, epoll or asyncio wake up at once and cost nothing meanwhile."),
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
    rest = say(", and on {sockets}", sockets=counted(len(rows) - 1, "more socket")) if len(rows) > 1 else ""
    yield Finding(
        "empty-reads", say("Empty reads in a loop: the peer has gone, and nobody closes"),
        say("{times} empty reads: {most} of them on {where} within {time}{rest}.", times=f"{times:,}", most=f"{worst['times']:,}",
            where=material.socket_name(worst["socket_id"]), time=duration(worst["last_ns"] - worst["first_ns"]), rest=rest),
        say("After the peer has closed, recv returns b'' at once, for ever: it is the end of the stream, not a message. A loop that goes "
            "on reading spins, and the connection stays in CLOSE_WAIT."),
        say("Treat b'' as the end: unregister and close the socket (recv(2): return value 0)."),
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
        "small-reads", say("Reads of a few bytes"),
        say("{n} receives asked for 4 bytes or fewer, on {sockets}, and moved {moved} bytes in {time}; none of them had to wait for long, "
            "so that more was there.", n=f"{calls:,}", sockets=counted(len(rows), "socket"), moved=f"{moved:,}", time=duration(ns)),
        say("Each call costs the same, however little it moves: a system call and a trip through the interpreter for every byte."),
        say("Receive into a buffer of some kilobytes and take lines or frames from it: socket.makefile('rb'), asyncio streams, "
            "recv_into."),
        "notable", "cpu", ns, tuple(id_ for row in rows[:3] for id_ in (row["first_id"], row["last_id"])),
        material.site_of(rows[0]["first_id"]))


__all__ = ["busy_polling", "empty_reads", "sleeping_poll", "small_reads"]
