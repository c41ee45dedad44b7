"""Fixtures of the recorder's tests: recordings of real programs.

Owns no test.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .recording import Recorder


@pytest.fixture
def record(tmp_path: Path) -> Recorder:
    """Records programs in this test's own folder."""
    return Recorder(tmp_path)


@pytest.fixture(scope="module")
def record_once(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Records programs that several tests of a module look at."""
    return Recorder(tmp_path_factory.mktemp("recordings"))
