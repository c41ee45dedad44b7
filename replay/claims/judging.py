"""The rules: from measured figures to verdicts. Nothing here is known beforehand; where figures do not decide, the verdict says so.

Owns the rules and their limits. Reads no trace, draws nothing; the words are in texts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..words import brief, counted, duration, percent, size
from .measures import BURST, COPYING, SILENCE, TUTORIAL, Copy, Measures, Served, Waits
from .tables import burst_grid, copy_grid, fruitless_grid, per_second, silence_grid, waits_grid
from .texts import AGAIN, TEXTS
from .values import Claim, Verdict

GROWS = 3.0
"""The largest copy takes so many times as long as the smallest: then a copy takes time."""
SILENT_NS = 10_000_000
AT_ONCE_NS = 1_000_000
SLEPT_SHARE = 0.01
BUSY_SHARE = 0.5
CHEAP_SHARE = 0.05
BLOCKED_NS = 8_000_000
_POLLING, _SLEEPING, _ASYNCIO = "nonblocking", "nonblocking_sleep", "asyncio_streams"
_WAITING_FOR_ALL = ("multiplexing", "signal-driven", "asynchronous")


def judge(measures: Measures) -> tuple[Claim, ...]:
    """Return every claim, judged.

    Args:
        measures: what was measured; what is missing leaves its claims undecided.
    """
    rules: tuple[Callable[[Measures], Claim], ...] = (both_phases, at_once, burns, rarely_used, readiness, accept)
    return tuple(rule(measures) for rule in rules)


def _say(key: str, **figures: object) -> str:
    return TEXTS[key].format(**figures)


def _undecided(name: str, rule: str) -> Claim:
    return Claim(name, "undecided", (_say("missing"),), (rule,))


def _stats(label: str) -> str:
    return f"stats {{trace}}#{label}"


def _words(*calls: int) -> str:
    return f'query {{trace}} "SELECT words FROM call_log WHERE id IN ({", ".join(map(str, calls))})"'


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 9.95 else f"{ratio:.1f} times"


def _named(servers: Sequence[Served], name: str) -> Served | None:
    return next((served for served in servers if served.name == name), None)


def _grown(copies: Sequence[Copy]) -> float | None:
    """Return how many times as long the largest copy took as the smallest; None where two sizes a thousandfold apart are missing."""
    if len(copies) < 2 or copies[-1].bytes < 1000 * copies[0].bytes:
        return None
    return copies[-1].median_ns / max(1, copies[0].median_ns)


def _copied(copies: Sequence[Copy], grown: float) -> dict[str, str]:
    return {"least_bytes": size(copies[0].bytes), "least": duration(copies[0].median_ns), "most_bytes": size(copies[-1].bytes),
            "most": duration(copies[-1].median_ns), "times": _times(grown)}


def both_phases(measures: Measures) -> Claim:
    """Judge that blocking calls block while they wait, and while they copy."""
    rule = _say("both-rule", grows=GROWS)
    copies, wait = measures.copying("blocking"), measures.first_wait
    grown = _grown(copies)
    if grown is None or wait is None:
        return _undecided("both-phases", rule)
    waited = wait.silent_ns >= SILENT_NS and wait.took_ns >= wait.silent_ns
    verdict: Verdict = "holds" if waited and grown >= GROWS else "holds in part" if waited or grown >= GROWS else "undecided"
    reasons = (_say("first-phase", silent=duration(wait.silent_ns), took=duration(wait.took_ns), call=wait.call_id),
               _say("second-phase", **_copied(copies, grown)))
    return Claim("both-phases", verdict, reasons, (rule,), (copy_grid(measures),),
                 (_stats(COPYING["blocking"]), _stats(COPYING["nonblocking"]), _words(wait.call_id)),
                 (AGAIN["copying"].format(how="blocking"),))


def at_once(measures: Measures) -> Claim:
    """Judge that nonblocking calls return at once: they do not wait, but they copy."""
    rule = _say("at-once-rule", grows=GROWS)
    polling, copies = _named(measures.silence, _POLLING), measures.copying("nonblocking")
    if polling is None or not polling.fruitless:
        return _undecided("at-once", rule)
    calls = sum(row.calls for row in polling.fruitless)
    most = max(polling.fruitless, key=lambda row: row.calls)
    p99_ns = max(row.p99_ns or 0 for row in polling.fruitless)
    longest_ns = max(row.max_ns or 0 for row in polling.fruitless)
    switches = polling.usage.voluntary_switches if polling.usage else None
    preempted = polling.usage.involuntary_switches if polling.usage else None
    waits = p99_ns >= AT_ONCE_NS or (switches is not None and switches > SLEPT_SHARE * calls)
    times = "an unknown number of times" if switches is None else counted(switches, "time")
    reasons = [_say("did-wait" if waits else "no-wait", calls=counted(calls, "call"), median=duration(most.median_ns), p99=duration(p99_ns),
                    switches=times)]
    if longest_ns >= AT_ONCE_NS and preempted is not None:
        reasons.append(_say("longest", longest=duration(longest_ns), preempted=counted(preempted, "time"),
                            delay=duration(polling.split.delay_ns if polling.split else None)))
    grown = _grown(copies)
    if grown is not None:
        reasons.append(_say("copy-phase" if grown >= GROWS else "copy-flat", **_copied(copies, grown), **_slope(copies)))
    verdict: Verdict = "does not hold" if waits else "undecided" if grown is None else "holds in part" if grown >= GROWS else "holds"
    return Claim("at-once", verdict, tuple(reasons), (rule,), (fruitless_grid(polling),),
                 (_stats(polling.label), _stats(COPYING["nonblocking"])),
                 (AGAIN[SILENCE].format(models=_POLLING), AGAIN["copying"].format(how="nonblocking")))


def _slope(copies: Sequence[Copy]) -> dict[str, str]:
    """Return what a MB more takes, between the two largest sizes."""
    one, other = copies[-2:]
    each_ns = max(0, other.median_ns - one.median_ns) / max(1, other.bytes - one.bytes)
    return {"from_bytes": size(one.bytes), "per_mb": duration(each_ns * 1e6)}


def burns(measures: Measures) -> Claim:
    """Judge that polling keeps a processor busy for nothing."""
    rule = _say("burns-rule")
    polling = _named(measures.silence, _POLLING)
    if polling is None or polling.split is None or polling.split.total_ns is None or not polling.lasted_ns:
        return _undecided("burns", rule)
    total_ns, delay_ns = polling.split.total_ns, polling.split.delay_ns or 0
    own_ns = per_second(polling) or 0.0
    share = polling.split.fruitless_share or 0.0
    reasons = [_say("burning", calls=counted(polling.fruitless_calls, "fruitless call"), of_cpu=percent(share), rate=duration(own_ns),
                    share=percent(polling.fruitless_calls / max(1, polling.calls)))]
    if delay_ns >= 0.05 * total_ns:
        reasons.append(_say("hindered", delay=duration(delay_ns), wanted=duration(_wanted(polling))))
    select, sleeping = _named(measures.silence, "select"), _named(measures.silence, _SLEEPING)
    if select is not None and (rate_ns := per_second(select)):
        reasons.append(_say("beside", other=select.name, rate=duration(rate_ns), times=_times(own_ns / rate_ns)))
    if sleeping is not None and (rate_ns := per_second(sleeping)):
        reasons.append(_say("sleeping", other=sleeping.name, rate=duration(rate_ns)))
    busy = (total_ns + delay_ns) / polling.lasted_ns
    verdict: Verdict = ("holds" if busy >= BUSY_SHARE and share >= BUSY_SHARE
                        else "does not hold" if busy < BUSY_SHARE / 2 else "undecided")
    grid = silence_grid([polling, *(served for served in (sleeping, select) if served)])
    return Claim("burns", verdict, tuple(reasons), (rule,), (grid,), (_stats(polling.label),),
                 (AGAIN[SILENCE].format(models=f"{_POLLING},{_SLEEPING},select"),))


def _wanted(served: Served) -> float | None:
    """Return the CPU time (ns) that a server took or was ready to take in each second; None where it is not known."""
    rate_ns = per_second(served)
    delay_ns = (served.split.delay_ns or 0) if served.split else 0
    return rate_ns + delay_ns / served.lasted_ns * 1e9 if rate_ns is not None and served.lasted_ns else None


def _of(waits: Sequence[Waits], role: str, *kinds: str) -> list[Waits]:
    return [found for found in waits if found.role == role and found.waits in kinds]


def rarely_used(measures: Measures) -> Claim:
    """Judge that nonblocking sockets are rare: bare polling against those of asyncio."""
    rule = _say("rarely-rule")
    polling, asyncio = _named(measures.burst, _POLLING), _named(measures.burst, _ASYNCIO)
    if asyncio is None or not _of(asyncio.waits, "accepted", "never", "forever", "limited"):
        return _undecided("rarely-used", rule)
    reasons = []
    if polling is not None and polling.answers and polling.split and polling.split.total_ns is not None and asyncio.cpu and asyncio.answers:
        reasons.append(_say("bare-polling", fruitless=percent(polling.fruitless_calls / max(1, polling.calls)), asked=polling.asked,
                            cpu=duration(polling.split.total_ns / polling.answers), other=asyncio.name,
                            other_cpu=duration(asyncio.cpu.ns / asyncio.answers)))
    never = _of(asyncio.waits, "accepted", "never")
    waiting = _of(asyncio.waits, "accepted", "forever", "limited")
    if never and not waiting:
        names = [served.name for served in measures.burst if served.model in _WAITING_FOR_ALL
                 and _of(served.waits, "accepted", "never") and not _of(served.waits, "accepted", "forever", "limited")]
        all_never = [found for served in measures.burst if served.name in names for found in _of(served.waits, "accepted", "never")]
        reasons.append(_say("under-readiness", names=_list(names), calls=counted(sum(found.calls for found in all_never), "call"),
                            sockets=counted(sum(found.sockets for found in all_never), "connection")))
    if waiting:
        reasons.append(_say("not-all", names=asyncio.name, calls=counted(sum(found.calls for found in waiting), "call")))
    reasons.append(_say("named"))
    verdict: Verdict = "does not hold" if never and not waiting else "holds" if waiting and not never else "undecided"
    labels = [_stats(served.label) for served in (asyncio, polling) if served]
    return Claim("rarely-used", verdict, tuple(reasons), (rule,), (waits_grid(asyncio.waits),), tuple(labels),
                 (AGAIN[BURST].format(models=f"{_ASYNCIO},{_POLLING}"),))


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else ""


def readiness(measures: Measures) -> Claim:
    """Judge that waiting in one place for all spares the polling: in silence, and under a burst."""
    rule = _say("readiness-rule")
    idle = [served for served in measures.silence if served.model in _WAITING_FOR_ALL and per_second(served) is not None]
    polling, polling_burst = _named(measures.silence, _POLLING), _named(measures.burst, _POLLING)
    # Where others were busy, polling got less than it asked for: what it wanted is what it costs.
    polled_ns = (_wanted(polling) or 0.0) if polling else 0.0
    limit_ns = CHEAP_SHARE * polled_ns
    if not idle or not limit_ns or polling is None or polling_burst is None:
        return _undecided("readiness", rule)
    rates = {served.name: per_second(served) or 0.0 for served in idle}
    cheap = [name for name, rate_ns in rates.items() if rate_ns <= limit_ns]
    reasons = []
    if cheap:
        reasons.append(_say("idle-cheap", names=_list(cheap), least=duration(min(rates[name] for name in cheap)),
                            most=duration(max(rates[name] for name in cheap)), polling=duration(per_second(polling)),
                            wanted=duration(polled_ns)))
    reasons += [_say("idle-dear", name=name, rate=duration(rate_ns), limit=percent(CHEAP_SHARE))
                for name, rate_ns in rates.items() if name not in cheap]
    busy = [served for served in measures.burst if served.name in rates and served.seen]
    share = polling_burst.fruitless_calls / max(1, polling_burst.calls)
    shares = {served.name: served.fruitless_calls / max(1, served.calls) for served in busy}
    fewer = [name for name, own in shares.items() if own < share]
    if shares:
        reasons.append(_say("work", names=_list(list(shares)), least=percent(min(shares.values())), most=percent(max(shares.values())),
                            polling=percent(share)))
    reasons += [_say("not-recorded", name=served.name) for served in measures.burst if served.name in rates and not served.seen]
    whole = len(cheap) == len(rates) and len(fewer) == len(shares)
    verdict: Verdict = "holds" if whole else "holds in part" if cheap and fewer else "does not hold"
    return Claim("readiness", verdict, tuple(reasons), (rule,), (silence_grid(measures.silence), burst_grid(measures.burst)),
                 (_stats(f"{SILENCE}-select"), _stats(f"{BURST}-select")),
                 (AGAIN[SILENCE].format(models="nonblocking,select"), AGAIN[BURST].format(models="nonblocking,select")))


def accept(measures: Measures) -> Claim:
    """Judge that accept passes O_NONBLOCK on, by the tutorial's own server."""
    rule = _say("accept-rule")
    tutorial = measures.tutorial
    listener = _of(tutorial.waits, "listener", "never") if tutorial else []
    if tutorial is None or not listener:
        return _undecided("accept", rule)
    waiting = _of(tutorial.waits, "accepted", "forever")
    never = _of(tutorial.waits, "accepted", "never")
    blocked = any(found.longest_ns >= BLOCKED_NS for found in waiting)
    reasons = [_say("listener", polls=counted(sum(found.calls for found in listener), "call"))]
    for key, found in (("blocks", waiting), ("no-blocks", never)):
        if found:
            reasons.append(_say(key, connections=counted(sum(each.sockets for each in found), "connection"),
                                calls=counted(sum(each.calls for each in found), "time"),
                                longest=duration(max(each.longest_ns for each in found))))
    for wait in tutorial.held_up[:2]:
        if wait.how == "blocked":
            reasons.append(_say("held", client=brief(wait.client), waited=duration(wait.waited_ns), held=duration(wait.held_ns),
                                operation=brief(wait.operation), site=f" ({brief(wait.site.short)})" if wait.site else ""))
    if tutorial.proof:
        reasons.append(_say("explained", calls=", ".join(map(str, tutorial.proof))))
    reasons.append(_say("why"))
    verdict: Verdict = "does not hold" if blocked and not never else "holds" if never and not waiting else "undecided"
    return Claim("accept", verdict, tuple(reasons), (rule,), (waits_grid(tutorial.waits),),
                 (_stats(TUTORIAL), f"explain {{trace}}#{TUTORIAL}", *([_words(*tutorial.proof)] if tutorial.proof else [])),
                 (AGAIN[TUTORIAL],))
