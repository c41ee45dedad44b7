"""The two phases of receives as `stats --phases` prints them.

Owns that table. Knows figures, reads no trace.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..traces.phased import Phased


def print_phases(found: Sequence[Phased]) -> None:
    """Print how long receives waited and copied, and how long data lay in the kernel before them."""
    from ..replay.language import say
    from ..replay.words import counted, duration, visible
    from ._screen import fact, line
    from ._table import Column, print_table

    known = [row for row in found if row.source is not None]
    unknown = sum(row.calls for row in found if row.source is None)
    line()
    if known:
        names = say("calls, wait, longest, wake-up + copy, each, data lay there, longest ago").split(", ")
        columns = [Column(say("receive"), least=8), Column(say("ready by"), least=6), *(Column(name, right=True) for name in names)]
        print_table(columns, [
            [visible(row.operation), visible(row.source or ""), f"{row.calls:,}", duration(row.wait_ns), duration(row.longest_wait_ns),
             duration(row.copy_ns), duration((row.copy_ns or 0) // row.calls), f"{row.lay_there:,}" if row.lay_there else "-",
             duration(row.longest_sat_ns) if row.longest_sat_ns else "-"]
            for row in known])  # fmt: skip
    if unknown:
        fact(say("phases"), say("of {receives} it is not known when the data was ready", receives=counted(unknown, "receive")))
    if not found:
        fact(say("phases"), say("nothing was received"))
    if unknown and not known:
        fact("", say("record with --kernel-times, or both ends of the connections in one run"))
