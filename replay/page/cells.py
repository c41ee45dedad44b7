"""What of a run the page gets at a time: every call where they are few, else the time per lane and cell, and the long calls.

Owns where the border lies. Reads through the trace given; the arithmetic of cells is that of density.py.
"""

from __future__ import annotations

from itertools import islice

from ...traces import Run, Trace
from ..density import Grid, few_stretches, finer_level, grid_from_scan, grids_from_levels, level_for
from ..reading import Reader, damaged
from ..story import SCAN_UP_TO
from ..values import Window
from .calls import Cells, pack_window

CALLS_AT_ONCE = 150_000
"""So many calls of a run are sent one by one to a page that asks for windows."""
CALLS_OF_A_PART = 60_000
"""So many of a window of a longer run: in a column of what is seen there are ten of them."""
LONG_CALLS = 20_000
FINER_ROWS = 60_000
"""Of a finer level than a column needs so many rows are read: they say better what lies on either side of its edge."""
UNSEEN = 160
"""A part of a column so small that four classes of it, at both ends of a bucket, are less than a pixel of a lane."""


def pack_view(trace: Trace, run: Run, window: Window, columns: int, *, payload: bool, most: int = CALLS_AT_ONCE) -> bytes:
    """Return a pack of a window that suffices to draw it.

    Args:
        trace: an open trace.
        run: one of its runs.
        window: run time, ns.
        columns: that it is drawn in.
        payload: whether the bytes that calls moved may leave the trace.
        most: of more calls than these only the long ones are told, and cells of the rest.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        reader = Reader(trace, run)
        if not reader.extent.has_levels or reader.extent.counted <= most:
            if reader.extent.counted <= most or reader.calls_up_to(window, SCAN_UP_TO + 1) <= SCAN_UP_TO:
                return pack_window(trace, run, window, payload=payload)
            grids = [grid_from_scan(reader, window, max(1, window.length_ns // (4 * columns)))]
        else:
            # The calls of a window are first read as values to know their ids: too much memory where millions are wanted.
            if most > CALLS_AT_ONCE and reader.calls_up_to(window, most + 1) <= most:
                return pack_window(trace, run, window, payload=payload)
            few = few_stretches(reader, window, min(most, CALLS_OF_A_PART))
            if few is not None:
                # Long calls stand in no level, but one that lies in such a stretch comes with it.
                ids = [call.call_id for call in islice(reader.long_calls(window), CALLS_OF_A_PART + 1)]
                if len(ids) <= CALLS_OF_A_PART:
                    return pack_window(trace, run, window, payload=payload, ids=ids, stretches=few)
            level = finer_level(reader, window, level_for(window, max(1, columns // 2)) or 0, FINER_ROWS)
            grids = grids_from_levels(reader, window, level, window.length_ns // columns // UNSEEN)
        longest = sorted(reader.long_calls(window), key=lambda call: -call.duration_ns)
        for call in longest[LONG_CALLS:]:
            grids[0].add_call(call.thread_id, call.socket_id, call.kind, call.started_ns, call.ended_ns, call.bytes)
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error
    ids = [call.call_id for call in longest[:LONG_CALLS]]
    return pack_window(trace, run, window, payload=payload, ids=ids, cells=[cells for grid in grids for cells in _cells(grid)])


def _cells(grid: Grid) -> Cells:
    """Return a grid as lists: per lane where each cell begins (in cells from the origin), then time and calls per class."""
    return [
        {"lane": kind, "id": id_, "origin": grid.origin_ns, "width": grid.cell_ns, "at": (order := sorted(cells)),
         "ns": [[cells[at][n] for at in order] for n in range(4)], "calls": [[cells[at][4 + n] for at in order] for n in range(4)]}
        for (kind, id_), cells in grid.lanes.items()]
