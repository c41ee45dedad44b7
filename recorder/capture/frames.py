"""One captured packet, wherever it comes from.

Owns the value that readers yield: of a spool (blocks.py) and of capture files (capture_file.py).
"""

from __future__ import annotations

from typing import NamedTuple


class Frame(NamedTuple):
    """A packet as captured.

    `realtime_ns`: when, since the epoch. `link`: what it begins with (LINKTYPE_*, see wire.py). `data`: perhaps cut.
    `length`: bytes that it had on the wire.
    """

    realtime_ns: int
    link: int
    data: bytes
    length: int
