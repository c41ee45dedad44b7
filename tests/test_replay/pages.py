"""Pages to be opened in a browser.

Owns how a test has the runs of its traces in one page, and how that is judged for people who cannot see or point.
Knows nothing of what is on it.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sockreel.replay.page.html import write_html
from sockreel.tests.browser import Browser
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


def violations(browser: Browser) -> list[list[Any]]:
    """Return what axe-core holds against the page as it stands, of WCAG level A and AA: rule, and the elements it names."""
    axe = pytest.importorskip("axe_core_python", reason="needs axe-core-python")
    browser.run((Path(next(iter(axe.__path__))) / "axe.min.js").read_text(encoding="utf-8") + "; 1")
    found = browser.run("""axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then((result) => ({
        passes: result.passes.length,
        wrong: result.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 120))])}))""")
    assert found["passes"] > 10
    return list(found["wrong"])
