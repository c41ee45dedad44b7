"""sockreel: records what a Python server really does with its sockets, and plays it back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .replay.notebook import Recording

__all__ = ["__version__", "open"]

__version__ = "0.1.0"


def open(path: str | os.PathLike[str]) -> Recording:
    """Open a trace for reading: a sequence of runs that shows itself as a picture in Jupyter (docs/python.md).

    Args:
        path: FILE, or FILE#LABEL or FILE#ID for one of its runs.

    Raises:
        TraceError: no such file, no trace, no such run.
    """
    from .replay.notebook import open_recording

    return open_recording(path)
