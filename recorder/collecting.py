"""The garbage collector, kept from looking at rows.

Owns its threshold while we record. Rows are lists and tuples by the hundred thousand, none of which ever stands in a
circle: looking for circles among them took a tenth of the drain's time where calls have payloads.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_OBJECTS = 200_000  # made, and not freed, before the collector looks: more than a step of the drain makes


@contextlib.contextmanager
def seldom() -> Iterator[None]:
    """Collect seldom inside, and afterwards as before."""
    before = gc.get_threshold()
    if before[0]:  # 0: somebody has switched it off
        gc.set_threshold(max(before[0], _OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
