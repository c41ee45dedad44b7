"""The arithmetic of summaries.histogram."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st
from sockreel.traces import histogram_bin, histogram_quantile, histogram_value

durations = st.integers(min_value=0, max_value=10**15)


@given(durations)
@example(0)
@example(15)
@example(16)
@example(31)
@example(32)
@example(2**40 - 1)
def test_the_middle_of_a_bin_is_within_4_percent_of_every_duration_in_it(duration_ns: int) -> None:
    assert abs(histogram_value(histogram_bin(duration_ns)) - duration_ns) <= 0.04 * duration_ns


@given(durations, durations)
def test_a_longer_duration_is_never_in_a_lower_bin(one_ns: int, other_ns: int) -> None:
    low, high = sorted((one_ns, other_ns))
    assert histogram_bin(low) <= histogram_bin(high)


@given(st.integers(min_value=0, max_value=700))
def test_the_middle_of_a_bin_is_in_that_bin(bin_: int) -> None:
    assert histogram_bin(histogram_value(bin_)) == bin_


@given(st.lists(durations, min_size=1, max_size=200), st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_within_4_percent_of_the_exact_one(durations_ns: list[int], quantile: float) -> None:
    rank = max(1, math.ceil(len(durations_ns) * quantile))
    exact_ns = sorted(durations_ns)[rank - 1]
    found_ns = histogram_quantile(Counter(map(histogram_bin, durations_ns)), quantile)
    assert found_ns is not None
    assert abs(found_ns - exact_ns) <= 0.04 * exact_ns


def test_nothing_counted_has_no_quantile() -> None:
    assert histogram_quantile({}, 0.5) is None


def test_a_clock_that_went_back_counts_as_no_time() -> None:
    assert histogram_bin(-5) == 0
