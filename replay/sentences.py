"""What a comparison says, in plain words with the runs' own numbers.

Owns the sentences, in which names from the trace are made visible and brief. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .compare import MANY, Comparison
from .cputime import cpu_words
from .in_brief import in_brief
from .language import message, say
from .values import Standstill, Story
from .waits import Wait
from .words import brief, counted, duration, enumerated, percent, timeout_words

MOST_WAITS = 4


def sentences(comparison: Comparison) -> tuple[str, ...]:
    """Return what is worth saying about each run, in one sentence where they are many; then about them together."""
    said: list[str] = []
    comparison = replace(comparison, titles=tuple(brief(title) for title in comparison.titles))
    many = len(comparison.stories) >= MANY
    for index, (story, title, waits) in enumerate(zip(comparison.stories, comparison.titles, comparison.waits, strict=True)):
        if many:
            said += [in_brief(comparison, index), *_of_half_blocking(story, title)]
        else:
            said += [*_of_one(story, title), *_of_waits(waits, title)]
    said += _of_latency(comparison)
    said += _of_cost(comparison)
    said += _of_trust(comparison)
    return tuple(said)


def _of_one(story: Story, title: str) -> list[str]:
    facts = story.facts
    if not facts.calls:
        return [say("{run} made no socket call.", run=title)]
    return [*_of_blocking(story, title), *_of_polling(story, title), *_of_half_blocking(story, title)]


def _of_half_blocking(story: Story, title: str) -> list[str]:
    """Name the server that polls its listener and blocks on its connections: on Linux accept() does not pass O_NONBLOCK on."""
    polls = sum(count.calls for count in story.counts if count.operation == "accept" and count.outcome == "would_block")
    accepted = {lane.id for lane in story.sockets if lane.role == "accepted"}
    held = [call for call in story.calls
            if call.kind == "blocked" and call.timeout_ns is None and call.socket_id in accepted
            and call.operation.startswith(("recv", "read"))]
    if not polls or not held:
        return []
    longest = max(held, key=lambda call: call.duration_ns)
    return [say("{run}'s listener is nonblocking, its connections are not: accept came back empty-handed {times}, yet {operation} on "
                "{where} blocked for {time}. On Linux an accepted socket does not inherit O_NONBLOCK.", run=title,
                times=counted(polls, "time"), operation=longest.operation,
                where=brief(story.names.get(longest.socket_id or 0, say("a connection"))),
                time=duration(longest.duration_ns))]


def _of_blocking(story: Story, title: str) -> list[str]:
    whole = story.facts.blocked_ns
    if not whole:
        return [say("{run} was never blocked: no call that could wait took 0.1 ms or more.", run=title)]
    if not story.standstills:
        return [say("{run} stood still in calls for {time}, in none of them for 8 ms or more.", run=title, time=duration(whole))]
    if story.blocked_threads == 1:
        share = say("{share} of its time", share=percent(min(1.0, whole / max(1, story.end_ns))))
    else:
        share = say("in {n} threads together", n=f"{story.blocked_threads:,}")
    parts = [_standstill_words(found, story) for found in story.standstills[:2]]
    return [say("{run} stood still in calls for {time}, {share}, waiting for somebody to connect, speak or listen: {parts}.", run=title,
                time=duration(whole), share=share, parts=say("; ").join(parts))]


def _standstill_words(found: Standstill, story: Story) -> str:
    longest = found.longest
    on = say(" on {where}", where=brief(story.names[longest.socket_id])) if longest.socket_id in story.names else ""
    where = f" ({brief(found.site.short)})" if found.site else ""
    open_still = say(", which never returned") if longest.unfinished else ""
    limit = say("{one}, {more}", one="", more=timeout_words(longest)) if timeout_words(longest) else ""
    if found.calls == 1:
        return say("{time} in one {call}", time=duration(found.ns), call=f"{brief(found.operation)}{on}{where}{limit}{open_still}")
    return say("{time} in {n} {operation} calls{where}, the longest {longest}" if story.complete else
               "{time} in {n} {operation} calls of 8 ms or more{where}, the longest {longest}", time=duration(found.ns),
               n=f"{found.calls:,}",
               operation=brief(found.operation), where=where, longest=f"{duration(longest.duration_ns)}{on}{limit}{open_still}")


def _of_polling(story: Story, title: str) -> list[str]:
    facts = story.facts
    if not facts.fruitless:
        return [say("{run} made {calls}, and none of them came back empty-handed." if facts.calls > 1 else
                    "{run} made {calls}, and it did not come back empty-handed.", run=title, calls=counted(facts.calls, "call"))]
    rate = facts.fruitless / (story.end_ns / 1e9)
    often = say(", {n} a second", n=f"{rate:,.0f}") if story.end_ns >= 10_000_000 and rate >= 10 else ""
    cost = say("; ") + enumerated(cpu_words(story.split)[:2]) if story.split and story.split.total_ns is not None else ""
    longest = max(story.spins, key=lambda spin: spin.calls, default=None)
    spell = ""
    if longest is not None and longest.calls > 1:
        spell = say(" The longest spin was {n} of them in {time}." if longest.exact else
                    " The longest spin was at least about {n} of them in {time}.", n=f"{longest.calls:,}",
                    time=duration(longest.ended_ns - longest.started_ns))
    return [say("{run} made {calls}, and {n} of them ({share}) did nothing{often}{cost}.{spell}", run=title,
                calls=counted(facts.calls, "call"), n=f"{facts.fruitless:,}", share=percent(facts.fruitless / facts.calls), often=often,
                cost=cost, spell=spell)]


def _of_waits(waits: Sequence[Wait], title: str) -> list[str]:
    told = [_wait_words(wait, title) for wait in waits[:MOST_WAITS]]
    if len(waits) > MOST_WAITS:
        told.append(say("In {run}, {requests} waited for somebody else, none held up for longer than {time}.", run=title,
                        requests=counted(len(waits) - MOST_WAITS, "more request"), time=duration(waits[MOST_WAITS].held_ns)))
    return told


def _wait_words(wait: Wait, title: str) -> str:
    where = f" ({brief(wait.site.short)})" if wait.site else ""
    on = say(" on {where}", where=brief(wait.socket_name)) if wait.socket_name else ""
    waited = say("waited {time} for its answer" if wait.answered else "had no answer for {time}", time=duration(wait.waited_ns))
    blame = (say("the server was blocked in {call}", call=f"{wait.operation}{on}{where}") if wait.how == "blocked"
             else say("the server was busy outside of socket calls after its last one{where}", where=f"{on}{where}"))
    return say("In {run}, {nth} request of {client} {waited}: for {time} of it {blame}.", run=title, nth=ordinal(wait.n),
               client=brief(wait.client), waited=waited, time=duration(wait.held_ns), blame=blame)


def ordinal(n: int) -> str:
    """Return 1st, 2nd, 3rd, 4th ... 11th ... 21st."""
    endings = {1: message("the {n}st"), 2: message("the {n}nd"), 3: message("the {n}rd")}
    return say("the {n}th", n=n) if n % 100 in (11, 12, 13) or n % 10 not in endings else say(endings[n % 10], n=n)


def _of_latency(comparison: Comparison) -> list[str]:
    """Say for whom the runs differ most."""
    if len(comparison.stories) < 2:
        return []
    best: tuple[float, str] | None = None
    for client, latencies in comparison.latencies:
        known = [(latency.max_ns, title) for latency, title in zip(latencies, comparison.titles, strict=True) if latency.max_ns]
        if len(known) < 2:
            continue
        (low_ns, low), (high_ns, high) = min(known), max(known)
        ratio = high_ns / low_ns
        if ratio >= 1.5 and (best is None or ratio > best[0]):
            best = ratio, say(
                "{client} waited {long} for an answer in {high}, {short} in {low}: {times} as long.", client=brief(client),
                long=duration(high_ns), high=high, short=duration(low_ns), low=low, times=times(ratio))
    return [best[1]] if best else []


def times(ratio: float) -> str:
    """Return a ratio of 1 or more: 1.5 times, 135 times."""
    return say("{n} times", n=f"{ratio:,.0f}" if ratio >= 9.95 else f"{ratio:.1f}")


def _of_cost(comparison: Comparison) -> list[str]:
    named = zip(comparison.stories, comparison.titles, strict=True)
    known = [(story.cpu.ns, title) for story, title in named if story.cpu and story.cpu.ns]
    if len(known) < 2:
        return []
    (low_ns, low), (high_ns, high) = min(known), max(known)
    if high_ns < 1.2 * low_ns:
        return [say("{low} and {high} used about the same CPU time: {less} and {more}.", low=low, high=high, less=duration(low_ns),
                    more=duration(high_ns))]
    answers = next((figure.values for figure in comparison.figures if figure.key == "answers"), ())
    same = say(" for the same answers") if len(set(answers)) == 1 and answers[0] else ""
    return [say("{high} used {more} of CPU, {low} {less}{same}: {times} as much.", high=high, more=duration(high_ns), low=low,
                less=duration(low_ns), same=same, times=times(high_ns / low_ns))]


def _of_trust(comparison: Comparison) -> list[str]:
    """Say how the figures were got, and what they do not hold."""
    said = []
    measured = [story.cpu for story in comparison.stories if story.cpu]
    if measured:
        since = say("the first listen" if all(cpu.from_listen for cpu in measured) else "the first listen or sample")
        steps = "" if all(cpu.exact for cpu in measured) else say(", in the kernel's steps of 10 ms")
        said.append(say("CPU time is counted from {since} to the last sample{steps}: the interpreter's start is not in it.", since=since,
                        steps=steps))
    if any(story.measured_by == "server" for story in comparison.stories):
        said.append(say("No client was watched: latencies are the server's own, from its first receive of a request to its last send; "
                        "how long a request waited before that is not known."))
    for story, title in zip(comparison.stories, comparison.titles, strict=True):
        if story.more_calls:
            said.append(say("Who waited for whom in {run} was sought among its {n} longest calls only.", run=title,
                            n=f"{len(story.calls):,}"))
        if story.facts.lost:
            said.append(say("{run} lost {calls}: its counts are too low.", run=title, calls=counted(story.facts.lost, "call")))
        if story.recording_share is not None and story.recording_share > 0.05:
            said.append(say("Recording {run}'s calls itself took about {time} of that CPU.", run=title, time=duration(story.recording_ns)))
    return said
