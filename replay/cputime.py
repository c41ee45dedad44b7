"""Where the CPU time of a run went: into calls that found nothing, into calls that did something, or elsewhere.

Owns that arithmetic and its sentence. A call with timeout 0 never sleeps, so its duration is CPU time, unless its thread was
taken off the processor meanwhile: how long each thread was ready without one is in the samples.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..traces import Run, Trace
from .language import say
from .reading import Reader, damaged, on_cpu
from .values import Cpu, CpuSplit
from .words import counted, duration, percent

_WORTH_DELAY = 0.01
"""From this share of the CPU time on, it is said how long threads had no processor."""


def load_cpu(trace: Trace, run: Run) -> CpuSplit:
    """Return where the CPU time of a run went.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        return split_cpu(Reader(trace, run))
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error


def split_cpu(reader: Reader) -> CpuSplit:
    """Return where the CPU time of a run went."""
    return divide(reader.cpu(), reader.kinds_of_threads, reader.delays(), reader.run.call_cost_ns)


def divide(
    cpu: Cpu | None, kinds: Mapping[tuple[int, str], tuple[int, int]], looks: Mapping[int, tuple[int, int]], call_cost_ns: int | None
) -> CpuSplit:
    """Divide CPU time.

    Args:
        cpu: of all processes.
        kinds: thread and class of calls -> how many, and their duration.
        looks: thread -> how long it ran, and was ready without a processor.
        call_cost_ns: of recording one call.
    """
    def all_of(*names: str) -> tuple[int, int]:
        found = [value for (_, kind), value in kinds.items() if kind in names]
        return sum(calls for calls, _ in found), sum(ns for _, ns in found)

    total_ns = cpu.ns if cpu else None
    fruitless, useful = on_cpu(kinds, looks, ("fruitless",)), on_cpu(kinds, looks, ("moved", "other"))
    if total_ns is not None:
        # Sampled from the first listen on, and by another clock: parts never make more than the whole.
        fruitless = min(fruitless, total_ns)
        useful = min(useful, total_ns - fruitless)
    calls = sum(calls for calls, _ in kinds.values())
    elsewhere = None if total_ns is None else total_ns - fruitless - useful
    recording = call_cost_ns * calls if call_cost_ns else None
    if recording is not None and elsewhere is not None:
        recording = min(recording, elsewhere)
    fruitless_calls, took_ns = all_of("fruitless")
    waiting_calls, waiting_ns = all_of("blocked")
    delay = sum(delay_ns for _, delay_ns in looks.values()) if looks else None
    return CpuSplit(
        total_ns, fruitless_calls, fruitless, took_ns, all_of("moved", "other")[0], useful, waiting_calls, waiting_ns, elsewhere,
        recording, delay, cpu.unsampled_ns if cpu else 0, cpu.from_listen if cpu else False)


def cpu_words(split: CpuSplit) -> list[str]:
    """Return where the CPU time went, in parts of a sentence, the most telling first."""
    calls = counted(split.fruitless_calls, "fruitless call")
    if split.total_ns is None:
        if not split.fruitless_calls:
            return [say("no CPU time was sampled (the run was too short, or its recorder died)")]
        return [say("{time} passed in {calls}, which never sleep", time=duration(split.fruitless_took_ns), calls=calls),
                say("how much CPU time all of it took is not known: nobody looked at the processes before they ended")]
    into = say("{time} ({share}) went into {calls}", time=duration(split.fruitless_ns), share=percent(split.fruitless_share),
               calls=calls) if split.fruitless_calls else say("nothing went into fruitless calls")
    recording = say(" (about {time} of it recording)", time=duration(split.recording_ns)) if split.recording_ns else ""
    said = [say("of {time} CPU, {into}", time=duration(split.total_ns), into=into),
            say("{time} into {calls} that did something, {rest} elsewhere{recording}", time=duration(split.useful_ns),
                calls=counted(split.useful_calls, "call"), rest=duration(split.elsewhere_ns), recording=recording)]
    if split.waiting_calls:
        said.append(say("{calls} waited, {time} together, asleep", calls=counted(split.waiting_calls, "call"),
                        time=duration(split.waiting_ns)))
    if split.delay_ns and split.delay_ns >= _WORTH_DELAY * split.total_ns:
        said.append(say("threads were ready and had no processor for {time}", time=duration(split.delay_ns)))
    if split.unsampled_ns:
        said.append(say("{time} of it in children while nobody looked at them", time=duration(split.unsampled_ns)))
    return said
