"""What the tests of the replay room share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sockreel.replay import Story, load_story
from sockreel.tests.browser import Browser, chromium
from sockreel.tests.test_replay.scenes import lecture
from sockreel.traces import Trace, open_trace

from .pages import write_page


@pytest.fixture(scope="session")
def lecture_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace with a blocking and a nonblocking run of one lecture."""
    return lecture(tmp_path_factory.mktemp("lecture") / "lecture.db")


@pytest.fixture
def trace(lecture_file: Path) -> Iterator[Trace]:
    """That trace, opened."""
    with open_trace(lecture_file) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of a module, which use its tab one after the other."""
    if chromium() is None:
        pytest.skip("needs Chromium")
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as one:
        yield one


@pytest.fixture(scope="module")
def page(lecture_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with a blocking and a nonblocking run."""
    return write_page(tmp_path_factory.mktemp("page") / "lecture.html", lecture_file)


Tell = Callable[..., Story]


@pytest.fixture
def tell(trace: Trace) -> Tell:
    """Returns the story of a run of the lecture by its label."""

    def told(label: str, **options: Any) -> Story:
        return load_story(trace, trace.find_run(label), **options)

    return told
