"""The garbage collector looks seldom while we record, and afterwards as it did."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from sockreel.recorder import collecting


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize("first", [700, 1_000_000])
def test_the_collector_looks_no_more_often_inside_and_as_before_afterwards(first: int) -> None:
    gc.set_threshold(first, 11, 12)
    with pytest.raises(KeyboardInterrupt), collecting.seldom():
        assert gc.get_threshold()[0] >= max(first, 100_000)
        raise KeyboardInterrupt
    assert gc.get_threshold() == (first, 11, 12)


def test_a_collector_that_was_switched_off_stays_off() -> None:
    gc.set_threshold(0, 11, 12)
    with collecting.seldom():
        assert gc.get_threshold()[0] == 0
    assert gc.get_threshold() == (0, 11, 12)
