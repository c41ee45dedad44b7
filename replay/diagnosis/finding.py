"""The values of a diagnosis: frozen, in nanoseconds and ids, with words of our own and names made visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..language import say
from ..naming import RunModel
from ..values import Site

Severity = Literal["serious", "notable", "minor"]
Cost = Literal["cpu", "waiting", "none"]
SEVERITIES: tuple[Severity, ...] = ("serious", "notable", "minor")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule found.

    Args:
        rule: its name.
        title: what it is, in a few words.
        seen: what happened in this run, with its numbers.
        why: what that does to a server.
        advice: what to do, and where to read on.
        severity: how much it matters here.
        cost: what it takes: CPU time, somebody's waiting, or nothing that can be counted.
        cost_ns: how much; None where it is not known.
        calls: ids that prove it, the most telling first.
        site: where in the program.
    """

    rule: str
    title: str
    seen: str
    why: str
    advice: str
    severity: Severity
    cost: Cost = "none"
    cost_ns: int | None = None
    calls: tuple[int, ...] = ()
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found in a run, the worst first; `looked_at` names the rules that could be applied, with what each looks for.

    Args:
        untold: rules that could not be applied, and why.
        unseen: what the run itself says that it could not see.
        connections: whether there was any connection, listener or datagram socket to judge.
    """

    model: RunModel | None
    findings: tuple[Finding, ...]
    looked_at: tuple[tuple[str, str], ...]
    untold: tuple[tuple[str, str], ...] = ()
    unseen: tuple[str, ...] = ()
    connections: bool = True


def sentence(parts: Sequence[str]) -> str:
    """Return parts as one sentence."""
    text = say("; ").join(parts)
    return say("{text}.", text=f"{text[:1].upper()}{text[1:]}")
