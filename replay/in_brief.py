"""A run among many in one sentence: how it waited, whom that kept waiting, and what it cost.

Owns that sentence, in which names from the trace are made visible and brief. Draws nothing.
"""

from __future__ import annotations

from .compare import Comparison
from .phases import Phases
from .values import Story
from .waits import Wait
from .words import brief, counted, duration, percent

_WORTH_SHARE = 0.1
"""From this share of its CPU time on, it is said that so much went into calls that found nothing."""


def in_brief(comparison: Comparison, index: int) -> str:
    """Return one sentence about a run of a comparison, from its own figures."""
    story, title = comparison.stories[index], comparison.titles[index]
    if not story.facts.calls:
        return f"{title} made no socket call."
    parts = [f"{title} {_how(comparison.phases[index], story)}", *_for_clients(comparison, index), *_cost(comparison, index)]
    return "; ".join(parts) + "."


def _how(phases: Phases, story: Story) -> str:
    """Return how it waited: what took most of its waiting."""
    if phases.blocked.ns > max(phases.waiting.ns, phases.checking.ns):
        threads = f" of {story.blocked_threads:,} threads" if story.blocked_threads > 1 else ""
        apart = f": {duration(phases.blocked_wait_ns)} for data, {duration(phases.blocked_copy_ns)} to copy it" if phases.known else ""
        return (f"waited inside the calls that copy, {duration(phases.blocked.ns)} in {counted(phases.blocked.calls, 'call')}{threads} "
                f"({', '.join(map(brief, phases.blocked.operations[:2]))}){apart}")
    if phases.waiting.ns and phases.waiting.ns >= phases.checking.ns:
        name = brief(phases.waiting.operations[0]) if phases.waiting.operations else "waiting"
        vain = f", and made {counted(phases.checking.calls, 'fruitless call')}" if phases.checking.calls else ""
        if phases.by_kernel.calls:
            done = counted(phases.by_kernel.calls, "request")
            return (f"waited for all at once, {duration(phases.waiting.ns)} in {counted(phases.waiting.calls, f'{name} call')}, "
                    f"while the kernel did the copying of {done}")
        return f"waited for all at once, {duration(phases.waiting.ns)} in {counted(phases.waiting.calls, f'{name} call')}{vain}"
    if phases.checking.calls:
        share = percent(phases.checking.calls / story.facts.calls)
        seconds = story.end_ns / 1e9
        rate = f", {phases.checking.calls / seconds:,.0f} a second" if seconds >= 0.01 else ""
        return f"waited in no recorded call: it made {counted(phases.checking.calls, 'fruitless call')} ({share} of its calls{rate})"
    return "waited in no recorded call"


def _for_clients(comparison: Comparison, index: int) -> list[str]:
    """Return the slowest answer with what held it up, and how many had none."""
    worst = max(((each[index].max_ns or 0, client) for client, each in comparison.latencies), default=(0, ""))
    asked = sum(each[index].asked for _, each in comparison.latencies)
    answered = sum(each[index].answers for _, each in comparison.latencies)
    said = []
    if worst[0]:
        cause = next((wait for wait in comparison.waits[index] if wait.client == worst[1] and wait.answered), None)
        said.append(f"its slowest answer took {duration(worst[0])} ({brief(worst[1])}){_blame(cause) if cause else ''}")
    if asked > answered:
        said.append(f"it answered {answered:,} of {asked:,}")
    return said


def _blame(wait: Wait) -> str:
    where = f" ({brief(wait.site.short)})" if wait.site else ""
    on = f" on {brief(wait.socket_name)}" if wait.socket_name else ""
    if wait.how == "blocked":
        return f", {duration(wait.held_ns)} of it blocked in {wait.operation}{on}{where}"
    return f", {duration(wait.held_ns)} of it outside of socket calls after one{on}{where}"


def _cost(comparison: Comparison, index: int) -> list[str]:
    cpu = comparison.stories[index].cpu
    if cpu is None:
        return []
    each = next((figure.values[index] for figure in comparison.figures if figure.key == "cpu_per_answer"), None)
    per = f", {duration(each)} an exchange" if each else ""
    split = comparison.stories[index].split
    if split is not None and split.fruitless_share and split.fruitless_share >= _WORTH_SHARE:
        calls = counted(split.fruitless_calls, "fruitless call")
        return [f"of {duration(cpu.ns)} of CPU{per}, {duration(split.fruitless_ns)} ({percent(split.fruitless_share)}) went into {calls}"]
    return [f"it used {duration(cpu.ns)} of CPU{per}"]
