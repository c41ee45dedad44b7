"""Questions about the program's text: which line runs now, which comes next?

Owns where the program's own flow leaves one line only: the next call is asked for where, in the whole run, no other ever followed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from ..player.timeline import Signature
from ..values import Site, Span
from ..words import brief, duration, visible
from .material import SENDS, Flow, Material
from .of_calls import RECEIVES, WAITS
from .values import CodeLine, Draft, Idea, Option

_LONG_NS = 50_000_000
_MOST_STEPS = 200_000
_MOST_OPTIONS = 4
_CODE_WIDTH = 60
_TURNING = RECEIVES | SENDS | WAITS | {"accept", "close"}
"""After these a loop goes one way or another; what stands in a row from top to bottom is nothing to ask."""


def ideas_of_lines(material: Material) -> Iterator[Idea]:
    """Yield what may be asked about the lines of the program."""
    if material.model.variant.startswith("asyncio"):
        return  # its lines are those of the event loop's caller, all of them one
    for signature, places in material.by_kind:
        if signature.site_id is None:
            continue
        for place in material.spread(places, 6):
            if len(material.serving) == 1:
                yield Idea("line", f"line {signature.site_id}", 3.0, partial(_ask_now, material, place))
            if material.reader.operation(signature.operation_id) in _TURNING:
                yield Idea("next", f"next {signature.site_id} {signature.outcome_id}", 2.0, partial(_ask_next, material, place))


def _lines(material: Material, right: Site) -> tuple[Option, ...]:
    """Return the right line and up to three others of its file from which calls were made, the nearest first."""
    sites = [site for site_id in {signature.site_id for signature, _ in material.by_kind}
             if site_id is not None and (site := material.reader.sites.get(site_id)) is not None and site.file == right.file and site.code]
    nearest = sorted((site for site in sites if site.line != right.line),
                     key=lambda site: (abs(site.line - right.line), site.line))
    chosen = {_short(right): right}
    for site in nearest:
        chosen.setdefault(_short(site), site)
    kept = sorted(list(chosen.items())[:_MOST_OPTIONS], key=lambda item: item[1].line)
    return tuple(Option(f"line:{site.line}", f"{site.line}  {code}") for code, site in kept)


def _short(site: Site) -> str:
    """Return the code of a line without the comment behind it."""
    return brief((site.code or "").partition("  #")[0].strip(), _CODE_WIDTH)


def _ask_now(material: Material, place: int) -> Draft | None:
    """Ask which line the only thread stands in, in the midst of a long call."""
    call, say = material.span(place), material.language.say
    site = call.site
    if call.kind != "blocked" or call.duration_ns < _LONG_NS or site is None or not site.code:
        return None
    if call.layer == "ring" and call.operation != "ring_wait":
        return None  # what the kernel does meanwhile is no line of the program
    at_ns = call.started_ns + call.duration_ns // 2
    if call.ready_ns is not None and at_ns >= call.ready_ns:
        return None
    options = _lines(material, site)
    if len(options) < 3:
        return None
    since = duration(at_ns - call.started_ns)
    known = _known(material, place, at_ns)
    if not known:
        return None
    scene = (*known, say("For {time} the program has made no further call.", time=since))
    told = frozenset({f"call:{call.call_id}", f"at:{site.line}"})
    return Draft(
        f"line:{site.line}", options, scene, say("Which line runs now?"), _because_now(material, call), (call.call_id,), at_ns,
        visible(site.file.rpartition("/")[2]), (), call.thread_id, call.socket_id, told, told)


def _known(material: Material, place: int, at_ns: int) -> tuple[str, ...]:
    """Tell from what the line can be found: who is there; where nobody watched the clients, the call before, if it always leads here."""
    if material.play.exchanges:
        return material.people(at_ns) or (material.language.say("No client is there."),)
    before = material.neighbour(place, -1)
    return (material.proof(material.span(before)),) if before is not None and _always_followed(material, before, place) else ()


def _because_now(material: Material, call: Span) -> str:
    say = material.language.say
    if call.layer == "wait":
        return material.joined(material.proof(call), say("It waits in one place for all of them together."))
    return material.joined(material.proof(call), say("It waits for this one socket, and sees nothing of the others."))


def _flow(material: Material) -> Flow:
    """Return by what a call was (line, operation, outcome) from which lines the next call of its thread came, and how often."""
    found = material.flow
    if found is not None:
        return found
    line = material.line
    flow: Flow = {}
    last: dict[int, Signature | None] = {}
    for position in range(min(len(line), _MOST_STEPS)):
        signature = line.signature(position)
        before = last.get(signature.thread_id)
        if line.ids[position] < 0:
            last[signature.thread_id] = None  # of counted calls the order is not known
            continue
        if before is not None:
            flow.setdefault((before.site_id, before.operation_id, before.outcome_id), Counter())[signature.site_id] += 1
        last[signature.thread_id] = signature
    material.flow = flow
    return flow


def _always_followed(material: Material, place: int, following: int) -> bool:
    """Whether after a step like this one the next call always came from the line of that one, and more than once."""
    signature = material.line.signature(place)
    followed = _flow(material).get((signature.site_id, signature.operation_id, signature.outcome_id), Counter())
    return len(followed) == 1 and followed[material.line.signature(following).site_id] > 1


def _ask_next(material: Material, place: int) -> Draft | None:
    """Ask from which line the next call comes, where only one ever followed."""
    say = material.language.say
    following = material.neighbour(place, 1)
    if following is None or following >= _MOST_STEPS:
        return None
    call, then = material.span(place), material.span(following)
    alone = _always_followed(material, place, following)
    calm = call.parent_id is None and then.parent_id is None and then.started_ns >= call.ended_ns and "ring" not in (call.layer, then.layer)
    if not alone or not calm or call.site is None or then.site is None or not then.site.code or call.unfinished:
        return None
    if then.site.file != call.site.file or _signal_between(material, call, then) or then.site.function != call.site.function:
        return None
    options = _lines(material, then.site)
    if len(options) < 3 or len(material.serving) != 1:
        return None
    code = _stretch(material, call.site, then.site)
    told = frozenset({f"call:{call.call_id}", f"call:{then.call_id}", f"after:{call.site.line}:{call.outcome}"})
    because = say("From line {line} the next call was made: {sentence}", line=then.site.line, sentence=material.proof(then))
    return Draft(
        f"line:{then.site.line}", options, (material.proof(call),), say("From which line comes the next call?"), because,
        (call.call_id, then.call_id), call.ended_ns, material.place(call), code, call.thread_id, call.socket_id, told, told)


def _signal_between(material: Material, call: Span, then: Span) -> bool:
    return any(call.started_ns <= signal.started_ns <= then.started_ns for signal in material.signals)


def _stretch(material: Material, site: Site, other: Site) -> tuple[CodeLine, ...]:
    """Return the program's lines from one to the other, where that is not too long; else the line itself."""
    lines = material.source(site)
    first, last = min(site.line, other.line), max(site.line, other.line)
    if not lines or last - first > 6:
        return (CodeLine(site.line, visible((site.code or "").strip()), True),) if site.code else ()
    first, last = max(1, first - 1), min(len(lines), last + 1)
    return tuple(CodeLine(number, visible(lines[number - 1].expandtabs(4)), number == site.line) for number in range(first, last + 1))
