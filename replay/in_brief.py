"""A run among many in one sentence: how it waited, whom that kept waiting, and what it cost.

Owns that sentence, in which names from the trace are made visible and brief. Draws nothing.
"""

from __future__ import annotations

from .compare import Comparison
from .language import say
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
        return say("{run} made no socket call.", run=title)
    parts = [say("{run} {how}", run=title, how=_how(comparison.phases[index], story)), *_for_clients(comparison, index),
             *_cost(comparison, index)]
    return say("{text}.", text=say("; ").join(parts))


def _how(phases: Phases, story: Story) -> str:
    """Return how it waited: what took most of its waiting."""
    if phases.blocked.ns > max(phases.waiting.ns, phases.checking.ns):
        threads = say(" of {n} threads", n=f"{story.blocked_threads:,}") if story.blocked_threads > 1 else ""
        apart = say(": {wait} for data, {copy} to copy it", wait=duration(phases.blocked_wait_ns),
                    copy=duration(phases.blocked_copy_ns)) if phases.known else ""
        return say("waited inside the calls that copy, {time} in {calls}{threads} ({operations}){apart}", time=duration(phases.blocked.ns),
                   calls=counted(phases.blocked.calls, "call"), threads=threads,
                   operations=", ".join(map(brief, phases.blocked.operations[:2])), apart=apart)
    if phases.waiting.ns and phases.waiting.ns >= phases.checking.ns:
        name = brief(phases.waiting.operations[0]) if phases.waiting.operations else say("waiting")
        vain = say(", and made {calls}", calls=counted(phases.checking.calls, "fruitless call")) if phases.checking.calls else ""
        together = {"time": duration(phases.waiting.ns), "n": f"{phases.waiting.calls:,}", "operation": name}
        one = phases.waiting.calls == 1
        if phases.by_kernel.calls:
            done = counted(phases.by_kernel.calls, "request")
            return say("waited for all at once, {time} in {n} {operation} call, while the kernel did the copying of {done}" if one else
                       "waited for all at once, {time} in {n} {operation} calls, while the kernel did the copying of {done}", done=done,
                       **together)
        return say("waited for all at once, {time} in {n} {operation} call{vain}" if one else
                   "waited for all at once, {time} in {n} {operation} calls{vain}", vain=vain, **together)
    if phases.checking.calls:
        share = percent(phases.checking.calls / story.facts.calls)
        seconds = story.end_ns / 1e9
        rate = say(", {n} a second", n=f"{phases.checking.calls / seconds:,.0f}") if seconds >= 0.01 else ""
        return say("waited in no recorded call: it made {calls} ({share} of its calls{rate})",
                   calls=counted(phases.checking.calls, "fruitless call"), share=share, rate=rate)
    return say("waited in no recorded call")


def _for_clients(comparison: Comparison, index: int) -> list[str]:
    """Return the slowest answer with what held it up, and how many had none."""
    worst = max(((each[index].max_ns or 0, client) for client, each in comparison.latencies), default=(0, ""))
    asked = sum(each[index].asked for _, each in comparison.latencies)
    answered = sum(each[index].answers for _, each in comparison.latencies)
    said = []
    if worst[0]:
        cause = next((wait for wait in comparison.waits[index] if wait.client == worst[1] and wait.answered), None)
        said.append(say("its slowest answer took {time} ({client}){blame}", time=duration(worst[0]), client=brief(worst[1]),
                        blame=_blame(cause) if cause else ""))
    if asked > answered:
        said.append(say("it answered {n} of {all}", n=f"{answered:,}", all=f"{asked:,}"))
    return said


def _blame(wait: Wait) -> str:
    where = f" ({brief(wait.site.short)})" if wait.site else ""
    on = say(" on {where}", where=brief(wait.socket_name)) if wait.socket_name else ""
    if wait.how == "blocked":
        return say(", {time} of it blocked in {call}", time=duration(wait.held_ns), call=f"{wait.operation}{on}{where}")
    return say(", {time} of it outside of socket calls after one{where}", time=duration(wait.held_ns), where=f"{on}{where}")


def _cost(comparison: Comparison, index: int) -> list[str]:
    cpu = comparison.stories[index].cpu
    if cpu is None:
        return []
    each = next((figure.values[index] for figure in comparison.figures if figure.key == "cpu_per_answer"), None)
    per = say(", {time} an exchange", time=duration(each)) if each else ""
    split = comparison.stories[index].split
    if split is not None and split.fruitless_share and split.fruitless_share >= _WORTH_SHARE:
        calls = counted(split.fruitless_calls, "fruitless call")
        return [say("of {time} of CPU{per}, {part} ({share}) went into {calls}", time=duration(cpu.ns), per=per,
                    part=duration(split.fruitless_ns), share=percent(split.fruitless_share), calls=calls)]
    return [say("it used {time} of CPU{per}", time=duration(cpu.ns), per=per)]
