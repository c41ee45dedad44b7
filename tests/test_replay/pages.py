"""Pages to be opened in a browser.

Owns how a test has the runs of its traces in one page. Knows nothing of what is on it.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from sockreel.replay.page.html import write_html
from sockreel.traces import open_trace
from sockreel.traces.excerpt import Excerpt


def write_page(page: Path, *traces: Path) -> str:
    """Write a page with all runs of some traces.

    Args:
        page: where to.
        traces: files.

    Returns:
        Its address.
    """
    with ExitStack() as stack, page.open("wb") as out:
        opened = [stack.enter_context(open_trace(trace)) for trace in traces]
        write_html([Excerpt(one, run) for one in opened for run in one.runs()], out)
    return page.as_uri()
