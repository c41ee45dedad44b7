"""Verdicts follow from figures: the same rules, other figures, another verdict."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sockreel.replay.claims import Measures, claims_page, judge, measure
from sockreel.replay.claims.measures import Copy, FirstWait, Served, Tutorial, Waits
from sockreel.replay.claims.texts import STATEMENTS, TEXTS
from sockreel.replay.values import Cpu, CpuSplit, Usage
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.traces import TraceError, open_trace
from sockreel.traces.report import Tally

NEVER = (Waits("accepted", "never", 40, 2, 50 * US), Waits("listener", "never", 9, 1, 5 * US))
FOREVER = (Waits("accepted", "forever", 40, 2, S), Waits("listener", "forever", 9, 1, S))


def served(label: str, model: str, cpu_ns: int, fruitless: int, **changes: Any) -> Served:
    """A server that was looked at for a second and made 1,000 calls."""
    tallies = (Tally("recv", "would_block", fruitless, fruitless * US, 800, US, 2 * US, 50 * US, 0),) if fruitless else ()
    return replace(Served(
        label.partition("-")[2], model, label, True, 1_000, fruitless, 10, 10, Cpu(cpu_ns, 0, S, True, True),
        CpuSplit(cpu_ns, fruitless, cpu_ns * fruitless // 1_000, fruitless * US, 10, 0, 0, 0, 0, None, 0), Usage(1, 3, 10**7), MS, 2 * MS,
        tallies, NEVER), **changes)


def copies(last_ns: int) -> tuple[Copy, ...]:
    return Copy(1, 40, 2 * US, 3 * US), Copy(1_000, 40, 2 * US, 3 * US), Copy(1_000_000, 40, last_ns, 2 * last_ns)


def measures(**changes: Any) -> Measures:
    """Figures as they usually are."""
    servers = (("nonblocking", "nonblocking", 900 * MS, 990), ("select", "multiplexing", 4 * MS, 0),
               ("asyncio_streams", "multiplexing", 8 * MS, 100))
    usual = Measures(
        "2026-01-15T09:30:00+00:00", "Linux 6.18", "3.11.7", "0.1.0", (("blocking", copies(60 * US)), ("nonblocking", copies(50 * US))),
        FirstWait(7, 51 * MS, 50 * MS), tuple(served(f"silence-{name}", model, ns, fruitless) for name, model, ns, fruitless in servers),
        tuple(served(f"burst-{name}", model, ns, fruitless) for name, model, ns, fruitless in servers),
        Tutorial((FOREVER[0], NEVER[1]), (), (11, 12)))
    return replace(usual, **changes)


def verdicts(found: Measures) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in judge(found)}


def only(found: tuple[Served, ...], name: str, **changes: Any) -> tuple[Served, ...]:
    """Change one server."""
    return tuple(replace(each, **changes) if each.name == name else each for each in found)


def test_usual_figures_give_the_usual_verdicts() -> None:
    assert verdicts(measures()) == {
        "both-phases": "holds", "at-once": "holds in part", "burns": "holds", "rarely-used": "does not hold", "readiness": "holds",
        "accept": "does not hold",
    }  # fmt: skip


def test_without_runs_everything_is_undecided_and_says_so() -> None:
    claims = judge(measures(copies=(), first_wait=None, silence=(), burst=(), tutorial=None))
    assert [claim.name for claim in claims] == list(STATEMENTS)
    assert {claim.verdict for claim in claims} == {"undecided"}
    assert all(claim.reasons == (TEXTS["missing"],) for claim in claims)


USUAL = measures()


@pytest.mark.parametrize(
    ("claim", "verdict", "changes"),
    [
        ("both-phases", "holds in part", {"copies": (("blocking", copies(2 * US)),)}),
        ("both-phases", "holds in part", {"first_wait": FirstWait(7, 20 * MS, 50 * MS)}),
        ("both-phases", "undecided", {"first_wait": FirstWait(7, MS, MS), "copies": (("blocking", copies(2 * US)),)}),
        ("both-phases", "undecided", {"copies": (("blocking", copies(60 * US)[:2][:1]),)}),
        ("at-once", "holds", {"copies": (("nonblocking", copies(3 * US)),)}),
        ("at-once", "undecided", {"copies": ()}),
        ("at-once", "does not hold", {"silence": only(USUAL.silence, "nonblocking", usage=Usage(500, 0, None))}),
        ("at-once", "does not hold", {"silence": only(
            USUAL.silence, "nonblocking", fruitless=(Tally("recv", "would_block", 990, S, US, US, 9 * MS, 10 * MS, 0),))}),
        ("burns", "does not hold", {"silence": (served("silence-nonblocking", "nonblocking", 20 * MS, 990),)}),
        ("burns", "undecided", {"silence": (served("silence-nonblocking", "nonblocking", 900 * MS, 100),)}),
        ("burns", "holds", {"silence": only(  # others were busy: it wanted the processor, and did not get it
            USUAL.silence, "nonblocking", cpu=Cpu(300 * MS, 0, S, True, True),
            split=CpuSplit(300 * MS, 990, 250 * MS, S, 10, 0, 0, 0, 0, None, 600 * MS))}),
        ("rarely-used", "holds", {"burst": only(USUAL.burst, "asyncio_streams", waits=FOREVER)}),
        ("rarely-used", "undecided", {"burst": only(USUAL.burst, "asyncio_streams", waits=NEVER + FOREVER)}),
        ("readiness", "holds in part", {"silence": only(USUAL.silence, "asyncio_streams", cpu=Cpu(500 * MS, 0, S, True, True))}),
        ("readiness", "does not hold", {"silence": tuple(
            served(each.label, each.model, 900 * MS, each.fruitless_calls) for each in USUAL.silence)}),
        ("readiness", "holds", {"silence": only(  # polling asked for more than it got: the others are measured by that
            USUAL.silence, "nonblocking", cpu=Cpu(100 * MS, 0, S, True, True),
            split=CpuSplit(100 * MS, 990, 80 * MS, S, 10, 0, 0, 0, 0, None, 800 * MS))}),
        ("accept", "holds", {"tutorial": Tutorial(NEVER, (), ())}),
        ("accept", "undecided", {"tutorial": Tutorial((Waits("accepted", "forever", 9, 1, MS), NEVER[1]), (), ())}),
        ("accept", "undecided", {"tutorial": Tutorial(FOREVER, (), ())}),
    ],
)
def test_other_figures_give_another_verdict(claim: str, verdict: str, changes: dict[str, Any]) -> None:
    assert verdicts(measures(**changes))[claim] == verdict


def test_what_was_not_recorded_of_a_server_is_no_figure() -> None:
    changed = measures(burst=only(USUAL.burst, "select", seen=False, fruitless_calls=999))
    found = {claim.name: claim for claim in judge(changed)}["readiness"]
    assert found.verdict == "holds"
    assert any("not recorded" in reason and "select" in reason for reason in found.reasons)
    assert "| select | - | - |" in claims_page(judge(changed), changed)


def test_the_page_states_each_claim_with_verdict_rule_and_commands() -> None:
    page = claims_page(judge(measures()), measures())
    for name, statement in STATEMENTS.items():
        part = page[page.index(f'<a id="{name}">') :].partition("<a id=", )[2].partition("<a id=")[0]
        assert statement in part and "Decided by: " in part and "    sockreel " in part
        assert re.search(r"\*\*(Holds|Holds in part|Does not hold|Undecided in this run)\*\*\.", part)
    assert "{" not in page
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({row.count("|") for row in table.splitlines()}) == 1


def test_a_trace_of_something_else_is_refused_in_one_line(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("blocking").finish(S)
    with open_trace(tmp_path / "t.db") as trace, pytest.raises(TraceError, match="holds no run that claims could be judged by"):
        measure(trace)
