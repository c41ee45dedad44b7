"""Fixtures of the recorder's tests: recordings of real programs.

Owns no test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .recording import Recorder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests that choose a core out of a pass in which SOCKREEL_CORE chooses it: they are the same in every pass."""
    if "SOCKREEL_CORE" not in os.environ:
        return
    chosen = [item for item in items if "core" in getattr(getattr(item, "callspec", None), "params", {})
              and item.path.is_relative_to(Path(__file__).parent)]
    items[:] = [item for item in items if item not in set(chosen)]
    config.hook.pytest_deselected(items=chosen)


@pytest.fixture
def record(tmp_path: Path) -> Recorder:
    """Records programs in this test's own folder."""
    return Recorder(tmp_path)


@pytest.fixture(scope="module")
def record_once(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Records programs that several tests of a module look at."""
    return Recorder(tmp_path_factory.mktemp("recordings"))
