"""What a comparison says, in plain words with the runs' own numbers.

Owns the sentences, in which names from the trace are made visible and brief. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .compare import MANY, Comparison
from .cputime import cpu_words
from .in_brief import in_brief
from .values import Standstill, Story
from .waits import Wait
from .words import brief, counted, duration, percent, timeout_words

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
        return [f"{title} made no socket call."]
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
    return [f"{title}'s listener is nonblocking, its connections are not: accept came back empty-handed {counted(polls, 'time')}, yet "
            f"{longest.operation} on {brief(story.names.get(longest.socket_id or 0, 'a connection'))} blocked for "
            f"{duration(longest.duration_ns)}. On Linux an accepted socket does not inherit O_NONBLOCK."]


def _of_blocking(story: Story, title: str) -> list[str]:
    whole = story.facts.blocked_ns
    if not whole:
        return [f"{title} was never blocked: no call that could wait took 0.1 ms or more."]
    if not story.standstills:
        return [f"{title} stood still in calls for {duration(whole)}, in none of them for 8 ms or more."]
    if story.blocked_threads == 1:
        share = f"{percent(min(1.0, whole / max(1, story.end_ns)))} of its time, "
    else:
        share = f"in {story.blocked_threads:,} threads together, "
    parts = [_standstill_words(found, story) for found in story.standstills[:2]]
    return [f"{title} stood still in calls for {duration(whole)}, {share}waiting for somebody to connect, speak or listen: "
            f"{'; '.join(parts)}."]


def _standstill_words(found: Standstill, story: Story) -> str:
    longest = found.longest
    on = f" on {brief(story.names[longest.socket_id])}" if longest.socket_id in story.names else ""
    where = f" ({brief(found.site.short)})" if found.site else ""
    open_still = ", which never returned" if longest.unfinished else ""
    limit = f", {timeout_words(longest)}" if timeout_words(longest) else ""
    if found.calls == 1:
        return f"{duration(found.ns)} in one {brief(found.operation)}{on}{where}{limit}{open_still}"
    long = "" if story.complete else " of 8 ms or more"
    return (f"{duration(found.ns)} in {counted(found.calls, f'{brief(found.operation)} call')}{long}{where}, "
            f"the longest {duration(longest.duration_ns)}{on}{limit}{open_still}")


def _of_polling(story: Story, title: str) -> list[str]:
    facts = story.facts
    if not facts.fruitless:
        came = "none of them came back empty-handed" if facts.calls > 1 else "it did not come back empty-handed"
        return [f"{title} made {counted(facts.calls, 'call')}, and {came}."]
    rate = facts.fruitless / (story.end_ns / 1e9)
    often = f", {rate:,.0f} a second" if story.end_ns >= 10_000_000 and rate >= 10 else ""
    cost = f"; {', '.join(cpu_words(story.split)[:2])}" if story.split and story.split.total_ns is not None else ""
    longest = max(story.spins, key=lambda spin: spin.calls, default=None)
    spell = ""
    if longest is not None and longest.calls > 1:
        about = "" if longest.exact else "at least about "
        spell = f" The longest spin was {about}{longest.calls:,} of them in {duration(longest.ended_ns - longest.started_ns)}."
    return [f"{title} made {counted(facts.calls, 'call')}, and {facts.fruitless:,} of them ({percent(facts.fruitless / facts.calls)}) "
            f"did nothing{often}{cost}.{spell}"]


def _of_waits(waits: Sequence[Wait], title: str) -> list[str]:
    told = [_wait_words(wait, title) for wait in waits[:MOST_WAITS]]
    if len(waits) > MOST_WAITS:
        told.append(f"In {title}, {counted(len(waits) - MOST_WAITS, 'more request')} waited for somebody else, "
                    f"none held up for longer than {duration(waits[MOST_WAITS].held_ns)}.")
    return told


def _wait_words(wait: Wait, title: str) -> str:
    where = f" ({brief(wait.site.short)})" if wait.site else ""
    on = f" on {brief(wait.socket_name)}" if wait.socket_name else ""
    waited = f"waited {duration(wait.waited_ns)} for its answer" if wait.answered else f"had no answer for {duration(wait.waited_ns)}"
    blame = (f"the server was blocked in {wait.operation}{on}{where}" if wait.how == "blocked"
             else f"the server was busy outside of socket calls after its last one{on}{where}")
    return f"In {title}, {ordinal(wait.n)} request of {brief(wait.client)} {waited}: for {duration(wait.held_ns)} of it {blame}."


def ordinal(n: int) -> str:
    """Return 1st, 2nd, 3rd, 4th ... 11th ... 21st."""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"the {n}{ending}"


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
            best = ratio, (f"{brief(client)} waited {duration(high_ns)} for an answer in {high}, {duration(low_ns)} in {low}: "
                           f"{times(ratio)} as long.")
    return [best[1]] if best else []


def times(ratio: float) -> str:
    """Return a ratio of 1 or more: 1.5 times, 135 times."""
    return f"{ratio:,.0f} times" if ratio >= 9.95 else f"{ratio:.1f} times"


def _of_cost(comparison: Comparison) -> list[str]:
    named = zip(comparison.stories, comparison.titles, strict=True)
    known = [(story.cpu.ns, title) for story, title in named if story.cpu and story.cpu.ns]
    if len(known) < 2:
        return []
    (low_ns, low), (high_ns, high) = min(known), max(known)
    if high_ns < 1.2 * low_ns:
        return [f"{low} and {high} used about the same CPU time: {duration(low_ns)} and {duration(high_ns)}."]
    answers = next((figure.values for figure in comparison.figures if figure.key == "answers"), ())
    same = " for the same answers" if len(set(answers)) == 1 and answers[0] else ""
    return [f"{high} used {duration(high_ns)} of CPU, {low} {duration(low_ns)}{same}: {times(high_ns / low_ns)} as much."]


def _of_trust(comparison: Comparison) -> list[str]:
    """Say how the figures were got, and what they do not hold."""
    said = []
    measured = [story.cpu for story in comparison.stories if story.cpu]
    if measured:
        since = "the first listen" if all(cpu.from_listen for cpu in measured) else "the first listen or sample"
        steps = "" if all(cpu.exact for cpu in measured) else ", in the kernel's steps of 10 ms"
        said.append(f"CPU time is counted from {since} to the last sample{steps}: the interpreter's start is not in it.")
    if any(story.measured_by == "server" for story in comparison.stories):
        said.append("No client was watched: latencies are the server's own, from its first receive of a request to its last send; "
                    "how long a request waited before that is not known.")
    for story, title in zip(comparison.stories, comparison.titles, strict=True):
        if story.more_calls:
            said.append(f"Who waited for whom in {title} was sought among its {len(story.calls):,} longest calls only.")
        if story.facts.lost:
            said.append(f"{title} lost {counted(story.facts.lost, 'call')}: its counts are too low.")
        if story.recording_share is not None and story.recording_share > 0.05:
            said.append(f"Recording {title}'s calls itself took about {duration(story.recording_ns)} of that CPU.")
    return said
