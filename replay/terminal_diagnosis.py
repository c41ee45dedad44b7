"""`explain` in the terminal: the model, what was found, the worst first, and what was looked at.

Owns that page. Draws a diagnosis, reads nothing.
"""

from __future__ import annotations

from rich.cells import cell_len

from .blindness import spot_words
from .diagnosis import RULES, Diagnosis, Finding
from .diagnosis.rules import looks_for
from .language import count, say
from .look import Look, Page, styled
from .words import brief, counted, duration, model_words, visible

_STATES = {"serious": "failed", "notable": "fruitless", "minor": "quiet"}
_SIGNS = {"serious": "!!", "notable": "! ", "minor": "- "}


def render_diagnosis(found: Diagnosis, name: str, look: Look, source: str | None = None) -> str:
    """Return the page of a diagnosis.

    Args:
        found: what the rules found.
        name: of the run.
        look: of the screen.
        source: the trace's file, to be named at the top.
    """
    page = Page(look)
    page.line((visible(name), styled("title")), (f"  {visible(source)}" if source else "", styled("quiet")))
    if found.model is None:
        page.line(say("No socket call was recorded: there is nothing to say."))
        _unseen(page, found)
        return page.text()
    if found.model.model != "unknown":
        page.wrapped(say("Model: {model}.", model=model_words(found.model)), indent=2)
        page.wrapped(say("Proved by {calls}.", calls=_calls(found.model.proof[:6])), indent=2)
    for finding in found.findings:
        page.line("")
        _finding(page, finding)
    _unseen(page, found)
    page.line("")
    names = ", ".join(name for name, _ in found.looked_at)
    if not found.connections and not found.findings:
        page.wrapped(say("No connection is in this trace: there is nothing to judge."), indent=2, state="title")
        return page.text()
    if found.findings:
        page.wrapped(say("{findings}. Looked at: {names}.", findings=counted(len(found.findings), "finding"), names=names), indent=2)
    else:
        page.wrapped(say("A clean bill: nothing was found. Looked at: {names}.", names=names), indent=2, state="title")
    for rule, why in found.untold:
        page.wrapped(say("Not looked at: {rule}, since {why}.", rule=rule, why=why), indent=2)
    return page.text()


def _unseen(page: Page, found: Diagnosis) -> None:
    for spot in found.unseen:
        page.wrapped(say("Not seen: {spot}", spot=visible(spot_words(spot))), indent=2, state="fruitless")


def _finding(page: Page, finding: Finding) -> None:
    cost = ""
    if finding.cost_ns:
        cost = "  " + say("{time} of CPU" if finding.cost == "cpu" else "{time} of waiting", time=duration(finding.cost_ns))
    sign = (_SIGNS[finding.severity] + " ", styled(_STATES[finding.severity]))
    page.line(sign, (finding.title, styled("title")), (cost, styled("quiet")))
    page.wrapped(finding.seen, indent=3, first=3)
    if finding.site is not None:
        code = f"  {brief(finding.site.code, 60)}" if finding.site.code else ""
        page.line("   ", (f"{visible(finding.site.short)}{code}", styled("quiet")))
    page.wrapped(say("Why: {why}", why=finding.why), indent=3 + cell_len(say("Why: {why}", why="")), first=3)
    page.wrapped(say("Do:  {advice}", advice=finding.advice), indent=3 + cell_len(say("Do:  {advice}", advice="")), first=3)
    if finding.calls:
        page.wrapped(say("Proof: {calls}.", calls=_calls(finding.calls[:6])), indent=3, first=3)


def _calls(ids: tuple[int, ...]) -> str:
    shown = list(dict.fromkeys(ids))
    return count("call {ids}", "calls {ids}", len(shown), ids=", ".join(map(str, shown)))


def render_rules(look: Look) -> str:
    """Return the list of the rules, with what each looks for."""
    page = Page(look)
    width = max(map(len, RULES))
    for name in RULES:
        page.wrapped(f"{name.ljust(width)}  {looks_for(name)}", indent=width + 2)
    return page.text()
